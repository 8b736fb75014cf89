"""SDK-HMAC-SHA256; the official SDK's own signer is the judge."""

import string
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlencode

import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer.signer import Signer
from hypothesis import example, given
from hypothesis import strategies as st

from function.cloud.signing import sign
from function.exchange import Request
from tests.facts.strategies import backup_ids, project_ids, secrets

NOW: Final = datetime(2019, 11, 15, 3, 36, 55, tzinfo=UTC)


def test_the_official_vector_is_reproduced() -> None:
    path = "/v1/77b6a44cba5143ab91d13ab9a8ff44fd/vpcs?limit=2&marker=13551d6b-755d-4757-b956-536f674975c0"
    request = Request("GET", f"https://service.region.example.com{path}", {"content-type": "application/json"})

    signed = sign(request, "QTWAOYTTINDUT2QVKYUC", "MFyfvK41ba2giqM7Uio6PznpdUKGpownRZlmVmHc", NOW)

    assert signed.headers == {
        "content-type": "application/json",
        "Host": "service.region.example.com",
        "X-Sdk-Date": "20191115T033655Z",
        "Authorization": "SDK-HMAC-SHA256 Access=QTWAOYTTINDUT2QVKYUC, "
        "SignedHeaders=content-type;host;x-sdk-date, "
        "Signature=7be6668032f70418fcc22abc52071e57aff61b84a1d2381bb430d6870f4f6ebe",
    }
    assert (signed.method, signed.url, signed.body) == (request.method, request.url, None)


header_values = st.text(string.ascii_letters + string.digits + "-./=+", min_size=1, max_size=20)
headers = st.fixed_dictionaries(
    {"X-Language": st.sampled_from(["en-us", "zh-cn"]), "X-Project-Id": project_ids},
    optional={
        "X-Security-Token": header_values,
        "Content-Type": st.just("application/json"),
        "a": header_values,
        "zz": header_values,
    },
)
query_values = st.text(string.printable, max_size=5)  # an empty one is signed, too
parameters = st.lists(
    st.tuples(st.sampled_from(["backup_id", "instance_id", "limit", "offset", "x-y"]), backup_ids | query_values),
    unique_by=lambda pair: pair[0],
    max_size=4,
)


@given(
    st.sampled_from(["GET", "DELETE", "POST"]),
    st.lists(backup_ids, min_size=1, max_size=4),
    st.booleans(),
    parameters,
    headers,
    st.binary(max_size=20),
    secrets(),
    st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),
)
@example("GET", ["v3"], True, [("x-y", "a/b +~"), ("limit", "")], {}, b"", "secret", NOW)
def test_the_official_signer_signs_alike(
    method: str,
    path: list[str],
    ends_in_slash: bool,
    query: list[tuple[str, str]],
    headers: dict[str, str],
    body: bytes,
    secret: str,
    now: datetime,
) -> None:
    resource, host = "/" + "/".join(path) + "/" * ends_in_slash, "gaussdb.cn-north-4.myhuaweicloud.com:8443"
    url = f"https://{host}{resource}" + ("?" + urlencode(query) if query else "")
    theirs = SdkRequest(
        method=method,
        schema="https",
        host=host,
        resource_path=resource,
        query_params=list(query),
        header_params={**headers, "X-Sdk-Date": now.strftime("%Y%m%dT%H%M%SZ")},
        body=body,
    )

    ours = sign(Request(method, url, headers, body or None), "KEY", secret, now)

    Signer(BasicCredentials("KEY", secret)).sign(theirs)
    assert ours.headers == theirs.header_params
    assert secret not in str(ours.headers)


@pytest.mark.parametrize("name", ["traceparent", "tracestate", "TraceParent"])
def test_trace_context_is_sent_but_not_signed_so_whoever_rewrites_it_breaks_no_request(name: str) -> None:
    request = Request("DELETE", "https://host/v3/p/backups/b1", {"X-Language": "en-us"})

    traced = sign(request.with_headers({name: "00-1-2-01"}), "KEY", "secret", NOW)

    assert traced.headers[name] == "00-1-2-01"
    assert traced == sign(request, "KEY", "secret", NOW).with_headers({name: "00-1-2-01"})


@pytest.mark.parametrize(
    "other",
    [
        Request("GET", "https://host/v3/p/backups/b1", {"X-Language": "en-us"}),
        Request("DELETE", "https://other/v3/p/backups/b1", {"X-Language": "en-us"}),
        Request("DELETE", "https://host/v3/p/backups/b2", {"X-Language": "en-us"}),
        Request("DELETE", "https://host/v3/p/backups/b1?a=1", {"X-Language": "en-us"}),
        Request("DELETE", "https://host/v3/p/backups/b1", {"X-Language": "zh-cn"}),
        Request("DELETE", "https://host/v3/p/backups/b1", {"X-Language": "en-us", "a": "b"}),
        Request("DELETE", "https://host/v3/p/backups/b1", {"X-Language": "en-us"}, b"body"),
    ],
)
def test_a_signature_is_of_the_whole_request(other: Request) -> None:
    request = Request("DELETE", "https://host/v3/p/backups/b1", {"X-Language": "en-us"})

    signatures = [sign(each, "KEY", "secret", NOW).headers["Authorization"] for each in (request, other)]

    assert signatures[0] != signatures[1]
