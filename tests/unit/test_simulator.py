"""The simulator does what the cloud's documentation says; its modules name the pages."""

import hashlib
import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.sdk_request import SdkRequest

from simulator import AccessKey, Account, Backup, Datastore, Fault, Simulator, Throttle, Token, User
from simulator.exchange import Answer, Request
from simulator.history import BILLING, CRM, SHOP, write_history
from simulator.history import PROJECT as PRODUCTION
from simulator.service import Leaving
from simulator.services import SERVICES, TAURUSDB
from simulator.signatures import canonical_request, signature
from tests.facts.account import INSTANCE, PROJECT

OTHER = "9c3b1f7a52d84e06a1f0c7d2b85e6a13"
MANUAL = Backup(id="1fe4feaab48f11e6654hfa163eba87e4b66", project_id=PROJECT, instance_id=INSTANCE)
TEMPORARY = AccessKey("TEMPORARYKEY", "temporary-secret", security_token="temporary-token")


def manual(id: str, **fields: Any) -> Backup:
    return Backup(id=id, **{"project_id": PROJECT, "instance_id": INSTANCE, **fields})


@pytest.fixture
def sim() -> Iterator[Simulator]:
    account = Account(
        projects={PROJECT: "cn-north-4", OTHER: "cn-north-4_staging"},
        backups=[MANUAL],
        users=[User("reaper", "correct horse", "acme"), User("guest", "guest", "acme", projects=[OTHER])],
        tokens=[Token("demo-token"), Token("others-token", projects=[OTHER])],
        access_keys=[AccessKey("KEY", "secret"), TEMPORARY],
    )
    with Simulator(account) as running:
        yield running


def ask(sim: Simulator, method: str, path: str, token: str | None = "demo-token", **more: Any) -> requests.Response:
    headers = more.pop("headers", {}) | ({} if token is None else {"X-Auth-Token": token})
    return requests.request(method, sim.url + path, headers=headers, timeout=10, **more)


def delete(sim: Simulator, backup_id: str = MANUAL.id, **more: Any) -> requests.Response:
    return ask(sim, "DELETE", f"/v3/{PROJECT}/backups/{backup_id}", **more)


def listed(sim: Simulator, query: str = "") -> list[str]:
    answer = ask(sim, "GET", f"/v3/{PROJECT}/backups{query}")
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["backups"]]


def log_in(sim: Simulator, scope: Any = None, *, password: str = "correct horse", **more: Any) -> requests.Response:
    user = {"name": more.get("name", "reaper"), "password": password, "domain": {"name": "acme"}}
    auth: dict[str, Any] = {"identity": {"methods": ["password"], "password": {"user": user}}}
    if scope is not None:
        auth["scope"] = scope
    return ask(sim, "POST", "/v3/auth/tokens" + more.get("query", ""), token=None, json={"auth": auth})


def signed(
    sim: Simulator,
    *,
    key: AccessKey | None = None,
    method: str = "GET",
    slash: str = "",
    query: Any = (),
    more: Any = None,
) -> Callable[[], requests.Response]:
    """Sign a request with the vendor's own signer, and return what sends it."""
    key = key or AccessKey("KEY", "secret")
    request = SdkRequest(
        method=method,
        schema="http",
        host=urlsplit(sim.url).netloc,
        resource_path=f"/v3/{PROJECT}/backups{slash}",
        query_params=list(query),
        header_params=dict(more or {}),
        body="",
    )
    credentials = BasicCredentials(key.access, key.secret, PROJECT)
    if key.security_token is not None:
        credentials = credentials.with_security_token(key.security_token)
    ready = credentials.sign_request(request)
    return lambda: requests.request(method, sim.url + ready.uri, headers=ready.header_params, timeout=10)


# Backups


def test_a_deletion_answers_id_and_name_and_the_backup_is_gone(sim: Simulator) -> None:
    answer = delete(sim)
    assert (answer.status_code, answer.json()) == (200, {"backup_id": MANUAL.id, "backup_name": "backup-f3c1"})
    assert sim.backup_ids(PROJECT) == set()


@pytest.mark.parametrize(
    ("code", "status"), [("DBS.201203", 400), ("DBS.201010", 404), ("DBS.280214", 400), ("DBS.200044", 403)]
)
def test_a_backup_that_is_gone_is_refused_with_the_code_of_ones_choice(sim: Simulator, code: str, status: int) -> None:
    """Which one it is, is not documented."""
    sim.account.absent = code
    answer = delete(sim, "b1182ccdda034f2b9535f3dca5c47e71br07")
    assert (answer.status_code, answer.json()["error_code"]) == (status, code)


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [({"status": "BUILDING"}, 409, "DBS.201205"), ({"type": "auto"}, 400, "DBS.201208")],
)
def test_a_backup_being_made_or_automated_stays(sim: Simulator, fields: Any, status: int, code: str) -> None:
    sim.add(manual("x", **fields))
    answer = delete(sim, "x")
    assert (answer.status_code, answer.json()["error_code"]) == (status, code)
    assert "x" in sim.backup_ids(PROJECT)


def test_a_failed_backup_can_be_deleted(sim: Simulator) -> None:
    sim.add(manual("x", status="FAILED"))
    assert delete(sim, "x").status_code == 200


def test_a_backup_of_another_project_is_not_there(sim: Simulator) -> None:
    sim.add(manual("x", project_id=OTHER))
    assert delete(sim, "x").json()["error_code"] == "DBS.201203"
    assert sim.backup_ids(OTHER) == {"x"}


def test_a_deletion_may_carry_any_body(sim: Simulator) -> None:
    assert delete(sim, data=b"\xff{", headers={"Content-Type": "text/weird"}).status_code == 200


def test_a_backup_needs_a_project_of_the_account(sim: Simulator) -> None:
    with pytest.raises(ValueError, match="no project"):
        sim.add(manual("x", project_id="unknown"))


@pytest.mark.parametrize("slash", ["", "/"])
def test_an_empty_backup_id_reaches_the_batch_deletion_which_wants_a_body(sim: Simulator, slash: str) -> None:
    path = f"/v3/{PROJECT}/backups{slash}"
    answer = ask(sim, "DELETE", path)
    assert (answer.status_code, answer.json()["error_code"]) == (400, "DBS.280001")
    assert [call.path for call in sim.calls] == [path]
    assert sim.backup_ids(PROJECT) == {MANUAL.id}


def test_a_batch_deletion_answers_200_and_counts(sim: Simulator) -> None:
    answer = ask(sim, "DELETE", f"/v3/{PROJECT}/backups", json={"backup_ids": [MANUAL.id, "x"]})
    gone = {"backup_id": "x", "error_code": "DBS.201203", "error_msg": "The backup file does not exist."}
    assert answer.json() == {"success_count": 1, "failed_count": 1, "failed_results": [gone]}
    assert sim.backup_ids(PROJECT) == set()


@pytest.mark.parametrize("backup_ids", [[], "x", ["x"] * 51])
def test_a_batch_deletion_wants_1_to_50_ids(sim: Simulator, backup_ids: Any) -> None:
    answer = ask(sim, "DELETE", f"/v3/{PROJECT}/backups", json={"backup_ids": backup_ids})
    assert (answer.status_code, answer.json()["error_code"]) == (400, "DBS.280001")


def test_a_batch_deletion_takes_50_ids(sim: Simulator) -> None:
    answer = ask(sim, "DELETE", f"/v3/{PROJECT}/backups", json={"backup_ids": ["x"] * 50})
    assert (answer.status_code, answer.json()["failed_count"]) == (200, 50)


def test_the_list_shows_the_documented_fields(sim: Simulator) -> None:
    assert ask(sim, "GET", f"/v3/{PROJECT}/backups").json() == {
        "backups": [
            {
                "id": MANUAL.id,
                "name": "backup-f3c1",
                "begin_time": "2025-03-02T02:00:00+0800",
                "end_time": "2025-03-02T02:06:00+0800",
                "status": "COMPLETED",
                "type": "manual",
                "take_up_time": 6,
                "size": 2803.0,
                "datastore": {"type": "gaussdb-mysql", "version": "8.0"},
                "instance_id": INSTANCE,
            }
        ],
        "total_count": 1,
    }


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("", ["newest", "auto", MANUAL.id, "elsewhere", "unreadable"]),
        ("?backup_id=auto", ["auto"]),
        ("?backup_id=x", []),
        ("?backup_id=", ["newest", "auto", MANUAL.id, "elsewhere", "unreadable"]),
        ("?backup_type=auto", ["auto"]),
        ("?backup_type=manual&instance_id=i2", ["elsewhere"]),
        ("?instance_name=ledger", ["elsewhere"]),
        ("?name=last", ["newest"]),
        ("?limit=2", ["newest", "auto"]),
        ("?limit=2&offset=3", ["elsewhere", "unreadable"]),
        ("?offset=5", []),
        ("?begin_time=2025-03-02T02:00:00%2B0800&end_time=2025-03-04T02:00:00%2B0800", ["auto", MANUAL.id]),
        ("?begin_time=2025-03-01T19:00:00+0000", ["newest", "auto"]),
        ("?end_time=2025-03-02T01:59:59%2B0800", ["elsewhere", "unreadable"]),
    ],
)
def test_the_list_is_filtered_newest_first_and_paged(sim: Simulator, query: str, ids: list[str]) -> None:
    """A + in a query may be left as it is."""
    sim.add(manual("auto", type="auto", begin_time="2025-03-02T03:00:00+0800"))
    sim.add(manual("newest", name="last", begin_time="2025-03-04T01:00:00+0000"))  # 09:00 in the others' zone
    sim.add(manual("elsewhere", instance_id="i2", instance_name="ledger", begin_time="2025-01-01T00:00:00+0800"))
    sim.add(manual("unreadable", begin_time="some day"))
    sim.add(manual("not-ours", project_id=OTHER))
    assert listed(sim, query) == ids


def test_the_total_count_is_that_of_all_pages(sim: Simulator) -> None:
    sim.add(manual("x"))
    assert ask(sim, "GET", f"/v3/{PROJECT}/backups?limit=1").json()["total_count"] == 2


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=101",
        "limit=ten",
        "offset=-1",
        "backup_type=full",
        "begin_time=2025-03-02",
        "end_time=yesterday",
        "begin_time=2025-03-02T02:00:00%2B0800&end_time=2025-03-02T02:00:00%2B0800",
    ],
)
def test_a_bad_parameter_of_the_list_is_refused(sim: Simulator, query: str) -> None:
    answer = ask(sim, "GET", f"/v3/{PROJECT}/backups?{query}")
    assert (answer.status_code, answer.json()) == (400, {"error_code": "DBS.280001", "error_msg": "Parameter error."})


@pytest.mark.parametrize("seconds", [60, 0])
def test_a_service_can_take_its_time_to_delete(sim: Simulator, seconds: int) -> None:
    sim.services[0] = replace(TAURUSDB, leaving=Leaving("DELETING", seconds), deleted=lambda _: Answer(202, {}))
    accepted = delete(sim)
    assert (accepted.status_code, accepted.json()) == (202, {})
    assert [backup.status for backup in sim.backups(PROJECT)] == ["DELETING"] * bool(seconds)
    sim.advance(30)
    assert delete(sim).status_code == (202 if seconds else 400)  # that does not prolong it
    sim.advance(29)
    assert listed(sim) == [MANUAL.id] * bool(seconds)
    sim.advance(1)
    assert listed(sim) == []
    assert delete(sim).json()["error_code"] == "DBS.201203"


def test_a_service_has_paths_words_parameters_codes_and_backups_of_its_own(sim: Simulator) -> None:
    sim.services[0] = replace(
        TAURUSDB,
        datastores=("Redis",),
        list_path=r"/v4/([^/]+)/backups",
        demanded=("instance_id",),
        types={"auto": "Auto", "manual": "Manual"},
        item=lambda backup: {"id": backup.id},
        refusals={**TAURUSDB.refusals, "absent": "DBS.201214", "parameter": "DBS.280001"},
        errors={"DBS.201214": (400, "gone", "gone"), "DBS.280001": (400, "wrong", "wrong")},
        more=(),
    )
    redis = Datastore("Redis", "6.2")
    sim.add(manual("r1", datastore=redis))
    sim.add(manual("r2", datastore=redis, type="auto"))
    path = f"/v4/{PROJECT}/backups"
    assert ask(sim, "GET", f"/v3/{PROJECT}/backups").status_code == 404
    assert ask(sim, "GET", path).json() == {"error_code": "DBS.280001", "error_msg": "wrong"}
    assert ask(sim, "GET", f"{path}?instance_id={INSTANCE}&backup_type=manual").status_code == 400
    found = ask(sim, "GET", f"{path}?instance_id={INSTANCE}&backup_type=Manual").json()
    assert found == {"backups": [{"id": "r1"}], "total_count": 1}
    assert ask(sim, "DELETE", f"/v3/{PROJECT}/backups").json()["error_code"] == "APIGW.0101"
    assert delete(sim).json() == {"error_code": "DBS.201214", "error_msg": "gone"}
    assert sim.backup_ids(PROJECT) == {MANUAL.id, "r1", "r2"}


# The gateway


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("POST", f"/v3/{PROJECT}/backups"),
        ("GET", f"/v3/{PROJECT}/backups/x"),
        ("DELETE", f"/v3/{PROJECT}/backups/x/y"),
        ("GET", "/v3/auth/tokens"),
    ],
)
def test_an_unknown_path_or_method_is_404_before_anything_else(sim: Simulator, method: str, path: str) -> None:
    answer = ask(sim, method, path, token=None)
    assert (answer.status_code, answer.json()["error_code"]) == (404, "APIGW.0101")
    assert answer.json()["request_id"] == answer.headers["X-Request-Id"]


@pytest.mark.parametrize(
    ("token", "status", "code", "message"),
    [
        (None, 401, "APIGW.0301", "Incorrect IAM authentication information: x-auth-token not found"),
        ("made-up", 401, "APIGW.0301", "Incorrect IAM authentication information: decrypt token fail"),
        ("others-token", 403, "DBS.200010", "not authorized"),
    ],
)
def test_a_wrong_token_deletes_nothing(sim: Simulator, token: str | None, status: int, code: str, message: str) -> None:
    answer = delete(sim, token=token)
    assert (answer.status_code, answer.json()["error_code"]) == (status, code)
    assert message in answer.json()["error_msg"]
    assert sim.backup_ids(PROJECT) == {MANUAL.id}


def test_a_project_that_does_not_exist_has_no_empty_list(sim: Simulator) -> None:
    answer = ask(sim, "GET", f"/v3/{'0' * 32}/backups")
    assert (answer.status_code, answer.json()["error_code"]) == (403, "DBS.200010")


def test_a_revoked_token_must_be_updated(sim: Simulator) -> None:
    sim.revoke_tokens()
    answer = delete(sim)
    assert (answer.status_code, answer.json()["error_code"]) == (401, "APIGW.0307")
    assert answer.json()["error_msg"] == "The token must be updated"


def test_every_answer_has_a_request_id_of_its_own(sim: Simulator) -> None:
    sim.fault(Fault(status=500))
    answers = [delete(sim), delete(sim), delete(sim), delete(sim, token=None), log_in(sim)]
    assert len({answer.headers["X-Request-Id"] for answer in answers}) == 5


def test_the_language_changes_the_message_and_not_the_code(sim: Simulator) -> None:
    refusals = [delete(sim, "x", headers={"X-Language": language}).json() for language in ("en-us", "zh-cn")]
    assert refusals[0]["error_code"] == refusals[1]["error_code"] == "DBS.201203"
    assert [refusal["error_msg"] for refusal in refusals] == ["The backup file does not exist.", "备份文件不存在。"]


def test_too_many_requests_are_refused_until_time_has_passed(sim: Simulator) -> None:
    sim.account.throttle = Throttle(limit=2, seconds=300, retry_after=7)
    assert [delete(sim, "x").status_code for _ in range(3)] == [400, 400, 429]
    refusal = delete(sim)
    assert (refusal.json()["error_code"], refusal.headers["Retry-After"]) == ("APIGW.0308", "7")
    assert refusal.json()["error_msg"] == (
        "The throttling threshold has been reached: policy user over ratelimit,limit:2,time:5 minute"
    )
    sim.advance(300)
    assert delete(sim).status_code == 200


def test_a_throttle_need_not_say_how_long(sim: Simulator) -> None:
    sim.account.throttle = Throttle(limit=0, seconds=1)
    assert "Retry-After" not in delete(sim).headers


# IAM


@pytest.mark.parametrize("project", [{"id": PROJECT}, {"name": "cn-north-4"}])
def test_a_token_for_a_project_is_good_there_for_24_hours(sim: Simulator, project: Any) -> None:
    answer = log_in(sim, {"project": project})
    assert answer.status_code == 201
    token = answer.headers["X-Subject-Token"]
    assert token.startswith("MII")
    assert answer.headers["X-IAM-Trace-Id"]
    members = {"expires_at", "issued_at", "methods", "user", "project", "roles", "catalog"}
    assert answer.json()["token"].keys() == members
    assert answer.json()["token"]["project"]["id"] == PROJECT
    expires_at = datetime.strptime(answer.json()["token"]["expires_at"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    assert expires_at.timestamp() == pytest.approx(time.time() + 86_400, abs=60)
    sim.advance(86_000)
    assert delete(sim, token=token).status_code == 200
    sim.advance(500)
    assert delete(sim, token=token).json()["error_code"] == "APIGW.0307"


def test_a_token_is_good_for_its_project_alone(sim: Simulator) -> None:
    token = log_in(sim, {"project": {"id": OTHER}}).headers["X-Subject-Token"]
    assert delete(sim, token=token).json()["error_code"] == "DBS.200010"


def test_a_new_token_does_not_end_the_old_one(sim: Simulator) -> None:
    first, second = (log_in(sim, {"project": {"id": PROJECT}}).headers["X-Subject-Token"] for _ in range(2))
    assert first != second
    assert ask(sim, "GET", f"/v3/{PROJECT}/backups", token=first).status_code == 200


@pytest.mark.parametrize("scope", [None, {"domain": {"name": "acme"}}])
def test_a_token_without_a_project_reaches_no_backup(sim: Simulator, scope: Any) -> None:
    answer = log_in(sim, scope)
    assert (answer.status_code, "project" in answer.json()["token"]) == (201, False)
    assert delete(sim, token=answer.headers["X-Subject-Token"]).status_code == 403


def test_the_project_wins_over_the_domain(sim: Simulator) -> None:
    answer = log_in(sim, {"domain": {"name": "acme"}, "project": {"id": PROJECT}})
    assert answer.json()["token"]["project"]["name"] == "cn-north-4"


def test_nocatalog_drops_the_catalog(sim: Simulator) -> None:
    assert "catalog" in log_in(sim).json()["token"]
    assert "catalog" not in log_in(sim, query="?nocatalog=true").json()["token"]


@pytest.mark.parametrize(
    ("project", "name", "status", "title"),
    [({"id": "0" * 32}, "reaper", 404, "Not Found"), ({"id": PROJECT}, "guest", 403, "Forbidden")],
)
def test_a_project_that_is_unknown_or_out_of_bounds_gives_no_token(
    sim: Simulator, project: Any, name: str, status: int, title: str
) -> None:
    password = "guest" if name == "guest" else "correct horse"
    answer = log_in(sim, {"project": project}, name=name, password=password)
    assert (answer.status_code, answer.json()["error"]["title"]) == (status, title)
    assert "X-Subject-Token" not in answer.headers


def test_a_malformed_request_for_a_token_is_400(sim: Simulator) -> None:
    bodies = [b"", b"{", b"[]", b'{"auth": {"identity": {"methods": ["totp"]}}}']
    answers = [ask(sim, "POST", "/v3/auth/tokens", token=None, data=body) for body in bodies]
    assert [answer.status_code for answer in [*answers, log_in(sim, {"project": {"id": 1}})]] == [400] * 5


def test_a_wrong_password_is_401_in_the_shape_of_keystone(sim: Simulator) -> None:
    error = {"message": "The username or password is wrong.", "code": 401, "title": "Unauthorized"}
    for answer in (log_in(sim, password="wrong"), log_in(sim, name="nobody")):
        assert (answer.status_code, answer.json()) == (401, {"error": error})


def test_five_wrong_passwords_in_a_row_lock_the_user_for_15_minutes(sim: Simulator) -> None:
    passwords = ["wrong"] * 4 + ["correct horse"] + ["wrong"] * 4
    assert [log_in(sim, password=password).status_code for password in passwords] == [401] * 4 + [201] + [401] * 4
    assert "error" in log_in(sim, password="wrong").json()
    locked = log_in(sim)
    assert (locked.status_code, locked.json()["error_code"]) == (401, "IAM.0061")
    assert log_in(sim, name="guest", password="guest").status_code == 201
    sim.advance(899)
    assert log_in(sim).status_code == 401
    sim.advance(2)
    assert log_in(sim).status_code == 201


# Signatures


def test_the_signature_is_that_of_the_official_example() -> None:
    headers = http.client.HTTPMessage()
    headers["Content-Type"] = "application/json"
    headers["Host"] = "service.region.example.com"
    headers["X-Sdk-Date"] = "20191115T033655Z"
    target = "/v1/77b6a44cba5143ab91d13ab9a8ff44fd/vpcs?limit=2&marker=13551d6b-755d-4757-b956-536f674975c0"
    canonical = canonical_request(Request("", "GET", target, headers, b""), ["host", "content-type", "x-sdk-date"])
    secret = "MFyfvK41ba2giqM7Uio6PznpdUKGpownRZlmVmHc"
    assert hashlib.sha256(canonical.encode()).hexdigest() == (
        "b25362e603ee30f4f25e7858e8a7160fd36e803bb2dfe206278659d71a9bcd7a"
    )
    assert signature(secret, "20191115T033655Z", canonical) == (
        "7be6668032f70418fcc22abc52071e57aff61b84a1d2381bb430d6870f4f6ebe"
    )


@pytest.mark.parametrize("key", [AccessKey("KEY", "secret"), TEMPORARY], ids=["permanent", "temporary"])
def test_what_the_vendors_signer_signs_is_admitted(sim: Simulator, key: AccessKey) -> None:
    query = [("begin_time", "2020-07-06T10:41:14+0800"), ("backup_type", "manual"), ("name", "backup-f3c1")]
    answer = signed(sim, key=key, query=query, more={"Content-Type": "application/json"})()
    assert answer.status_code == 200, answer.text
    assert answer.json()["total_count"] == 1


@pytest.mark.parametrize(
    ("key", "detail"),
    [
        (AccessKey("KEY", "wrong"), "verify aksk signature fail,canonicalRequest:GET|/v3/"),
        (AccessKey("STRANGER", "secret"), "Get secretKey failed,ak:STRANGER,err:ak not exist"),
        (AccessKey("TEMPORARYKEY", "temporary-secret"), "verify aksk signature fail"),
        (AccessKey("TEMPORARYKEY", "temporary-secret", "another-token"), "verify aksk signature fail"),
    ],
)
def test_a_wrong_signature_is_refused(sim: Simulator, key: AccessKey, detail: str) -> None:
    answer = signed(sim, key=key)()
    assert (answer.status_code, answer.json()["error_code"]) == (401, "APIGW.0301")
    assert f"Incorrect IAM authentication information: {detail}" in answer.json()["error_msg"]


@pytest.mark.parametrize(
    "authorization",
    [
        "SDK-HMAC-SHA256",
        f"SDK-HMAC-SHA256 Access=KEY, SignedHeaders=host, Signature={'0' * 64}",
        f"SDK-HMAC-SHA256, Access=KEY, SignedHeaders=host;x-sdk-date, Signature={'0' * 64}",
    ],
)
def test_a_malformed_signature_is_refused(sim: Simulator, authorization: str) -> None:
    answer = ask(sim, "GET", f"/v3/{PROJECT}/backups", headers={"Authorization": authorization})
    assert "verify aksk signature fail" in answer.json()["error_msg"]


def test_the_date_must_be_signed(sim: Simulator) -> None:
    date = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    headers = http.client.HTTPMessage()
    headers["Host"] = urlsplit(sim.url).netloc
    canonical = canonical_request(Request("", "GET", f"/v3/{PROJECT}/backups", headers, b""), ["host"])
    given = f"SDK-HMAC-SHA256 Access=KEY, SignedHeaders=host, Signature={signature('secret', date, canonical)}"
    sent = {"Authorization": given, "X-Sdk-Date": date}
    assert ask(sim, "GET", f"/v3/{PROJECT}/backups", token=None, headers=sent).status_code == 401


def test_a_signed_request_cannot_be_changed(sim: Simulator) -> None:
    ready = signed(sim, method="DELETE", slash="/")()
    assert ready.status_code == 400  # admitted: the batch deletion, without its body
    tampered = requests.delete(f"{ready.request.url}{MANUAL.id}", headers=ready.request.headers, timeout=10)
    assert tampered.status_code == 401
    assert sim.backup_ids(PROJECT) == {MANUAL.id}


@pytest.mark.parametrize(("ahead", "status"), [(-890, 200), (890, 200), (-910, 401), (910, 401)])
def test_a_signature_is_good_for_15_minutes_either_way(sim: Simulator, ahead: int, status: int) -> None:
    send = signed(sim)
    sim.advance(ahead)
    answer = send()
    assert answer.status_code == status
    assert status == 200 or answer.json()["error_msg"].endswith("signature expired")


def test_more_than_five_failures_in_a_row_lock_the_key_for_five_minutes(sim: Simulator) -> None:
    wrong, right = signed(sim, key=AccessKey("KEY", "wrong")), signed(sim)
    statuses = [send().status_code for send in [*[wrong] * 5, right, *[wrong] * 5, right, *[wrong] * 6]]
    assert statuses == [401] * 5 + [200] + [401] * 5 + [200] + [401] * 6
    assert right().json()["error_msg"].endswith("AK access failed to reach the limit,forbidden.")
    sim.advance(301)
    assert right().status_code == 200


# Faults


def test_a_fault_is_met_as_often_as_asked(sim: Simulator) -> None:
    sim.fault(Fault(status=503, body={"error_code": "APIGW.0613"}, headers={"Retry-After": "9"}, times=2))
    answers = [delete(sim) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [503, 503, 200]
    assert (answers[0].json(), answers[0].headers["Retry-After"]) == ({"error_code": "APIGW.0613"}, "9")


def test_a_fault_without_times_stays_until_it_is_taken_away(sim: Simulator) -> None:
    sim.fault(Fault(status=500, times=None))
    assert [delete(sim).status_code for _ in range(3)] == [500] * 3
    sim.faults.replace()
    assert delete(sim).status_code == 200


def test_the_first_fault_that_matches_is_met(sim: Simulator) -> None:
    sim.fault(Fault(method="POST", status=500), Fault(path="x$", status=501), Fault(status=502), Fault(status=503))
    assert [delete(sim).status_code, delete(sim, "x").status_code, delete(sim, "x").status_code] == [502, 501, 503]


def test_a_fault_matches_the_path_as_it_was_on_the_wire(sim: Simulator) -> None:
    sim.fault(Fault(path=r"\?backup_id=a%2Bb$", status=500))
    assert ask(sim, "GET", f"/v3/{PROJECT}/backups?backup_id=a%2Bb").status_code == 500


def test_the_rate_of_a_fault_is_a_probability_that_repeats_itself() -> None:
    seen = []
    for _ in range(2):
        with Simulator(faults=[Fault(status=500, rate=0.5, times=None)], seed=7) as sim:
            seen.append([delete(sim, "x").status_code for _ in range(40)])
    assert seen[0] == seen[1]
    assert 10 < seen[0].count(500) < 30


@pytest.mark.parametrize(
    ("body", "kind", "sent"),
    [
        ({"a": None}, "application/json", b'{"a": null}'),
        ("<html>", "text/plain; charset=utf-8", b"<html>"),
        (b"\x1f\x8b", "application/octet-stream", b"\x1f\x8b"),
        (None, None, b""),
    ],
)
def test_the_body_of_a_fault_is_json_text_or_bytes(sim: Simulator, body: Any, kind: str | None, sent: bytes) -> None:
    sim.fault(Fault(status=200, body=body), Fault(status=200, body=body, headers={"content-type": "text/x"}))
    answers = [delete(sim), delete(sim)]
    assert [answer.content for answer in answers] == [sent, sent]
    assert [answer.headers.get("Content-Type") for answer in answers] == [kind, "text/x"]


def test_an_answer_can_be_truncated(sim: Simulator) -> None:
    sim.fault(Fault(status=200, body="{", headers={"Content-Length": "100"}))
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
        delete(sim)


def test_an_answer_can_be_framed_in_its_own_way(sim: Simulator) -> None:
    sim.fault(Fault(status=200, body="2\r\n{}\r\n0\r\n\r\n", headers={"Transfer-Encoding": "chunked"}))
    answer = delete(sim)
    assert (answer.content, answer.headers["Connection"]) == (b"{}", "close")
    assert "Content-Length" not in answer.headers


@pytest.mark.parametrize("takes_effect", [True, False])
def test_a_dropped_connection_hides_whether_the_backup_was_deleted(sim: Simulator, takes_effect: bool) -> None:
    sim.fault(Fault(drop=True, takes_effect=takes_effect))
    with pytest.raises(requests.exceptions.ConnectionError):
        delete(sim)
    assert [call.status for call in sim.calls] == [None]
    assert sim.backup_ids(PROJECT) == (set() if takes_effect else {MANUAL.id})


@pytest.mark.parametrize("takes_effect", [True, False])
def test_a_faults_answer_can_hide_that_the_backup_was_deleted(sim: Simulator, takes_effect: bool) -> None:
    sim.fault(Fault(status=504, takes_effect=takes_effect))
    assert delete(sim).status_code == 504
    assert sim.backup_ids(PROJECT) == (set() if takes_effect else {MANUAL.id})


@pytest.mark.parametrize("takes_effect", [True, False])
def test_a_delay_comes_before_or_after_the_deletion(sim: Simulator, takes_effect: bool) -> None:
    sim.fault(Fault(delay=0.8, takes_effect=takes_effect))
    began = time.monotonic()
    with pytest.raises(requests.exceptions.ReadTimeout):
        requests.delete(
            f"{sim.url}/v3/{PROJECT}/backups/{MANUAL.id}", headers={"X-Auth-Token": "demo-token"}, timeout=0.1
        )
    assert (sim.backup_ids(PROJECT) == set()) is takes_effect
    eventually(lambda: sim.backup_ids(PROJECT) == set())
    assert takes_effect or time.monotonic() - began > 0.8


def test_a_delayed_answer_is_the_usual_one(sim: Simulator) -> None:
    sim.fault(Fault(delay=0.05, takes_effect=True))
    assert delete(sim).json()["backup_id"] == MANUAL.id


def test_a_hanging_request_ends_when_the_client_leaves(sim: Simulator) -> None:
    before = threading.active_count()
    sim.fault(Fault(hang=True))
    with pytest.raises(requests.exceptions.ReadTimeout):
        requests.get(sim.url, timeout=0.1)
    eventually(lambda: [call.status for call in sim.calls] == [None])
    eventually(lambda: threading.active_count() == before)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"status": 500, "drop": True}, "one of status, hang and drop"),
        ({"hang": True, "drop": True}, "one of status, hang and drop"),
        ({"body": "x"}, "need a status"),
        ({"headers": {"a": "b"}}, "need a status"),
        ({"times": 0}, "at least 1"),
        ({"path": "("}, "no regular expression"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(wrong: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Fault(**wrong)


# The socket


def eventually(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.005)


def test_a_call_is_recorded_as_it_was_on_the_wire(sim: Simulator) -> None:
    host = urlsplit(sim.url)
    connection = http.client.HTTPConnection(host.hostname or "", host.port)
    connection.request("PUT", "//v3/%2e%2E/../x?a=%2B+b", b"body", {"X-Auth-Token": "t"})
    connection.getresponse().close()
    connection.close()
    (call,) = sim.calls
    assert (call.method, call.path, call.body, call.status) == ("PUT", "//v3/%2e%2E/../x?a=%2B+b", b"body", 404)
    assert call.headers["x-auth-token"] == "t"


def test_calls_are_counted_by_method_and_path(sim: Simulator) -> None:
    delete(sim)
    log_in(sim)
    log_in(sim)
    assert (sim.count(), sim.count("POST"), sim.count(path="/backups/"), sim.count("POST", "/backups/")) == (3, 2, 1, 0)


def test_a_connection_is_kept_for_the_next_request(sim: Simulator) -> None:
    host = urlsplit(sim.url)
    connection = http.client.HTTPConnection(host.hostname or "", host.port)
    sockets = set()
    for method, path in [("GET", "/"), ("HEAD", "/"), ("DELETE", "/"), ("POST", "/v3/auth/tokens")]:
        connection.request(method, path, b"a body")
        sockets.add(connection.sock)
        connection.getresponse().read()
    assert len(sockets) == 1
    connection.close()


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"POST /v3/auth/tokens HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", b"411"),
        (b"POST /v3/auth/tokens HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"POST /v3/auth/tokens HTTP/1.1\r\nContent-Length: 9\r\n\r\nshort", b""),
    ],
)
def test_a_body_without_its_length_is_not_carried_out(sim: Simulator, head: bytes, status: bytes) -> None:
    host = urlsplit(sim.url)
    with socket.create_connection((host.hostname, host.port or 0), timeout=5) as connection:
        connection.sendall(head)
        connection.shutdown(socket.SHUT_WR)
        assert connection.makefile("rb").read()[9:12] == status
    assert sim.calls == []


def test_64_connections_at_once_are_served_without_an_error(sim: Simulator) -> None:
    answers: list[int] = []

    def client() -> None:
        with requests.Session() as session:
            for _ in range(5):
                answer = session.delete(
                    f"{sim.url}/v3/{PROJECT}/backups/{MANUAL.id}", headers={"X-Auth-Token": "demo-token"}, timeout=10
                )
                answers.append(answer.status_code)

    threads = [threading.Thread(target=client) for _ in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (answers.count(200), answers.count(400)) == (1, 319)


def test_stopping_is_quick_and_ends_every_connection(sim: Simulator) -> None:
    sim.fault(Fault(method="DELETE", hang=True), Fault(method="DELETE", delay=60))
    failures: list[type[Exception]] = []

    def client() -> None:
        try:
            delete(sim)
        except requests.exceptions.ConnectionError as error:
            failures.append(type(error))

    threads = [threading.Thread(target=client) for _ in range(2)]
    for thread in threads:
        thread.start()
    with requests.Session() as idle:
        idle.get(sim.url, timeout=10)
        eventually(lambda: len(sim.calls) == 3)
        began = time.monotonic()
        sim.stop()
        assert time.monotonic() - began < 0.5  # 0.01 where there is nothing else to do
        for thread in threads:
            thread.join(5)
        assert failures == [requests.exceptions.ConnectionError] * 2
        with pytest.raises(requests.exceptions.ConnectionError):
            idle.get(sim.url, timeout=10)
    assert sim.backup_ids(PROJECT) == {MANUAL.id}


def test_a_simulator_that_is_started_again_is_where_it_was_and_knows_what_it_knew(sim: Simulator) -> None:
    token, url = log_in(sim, {"project": {"id": PROJECT}}).headers["X-Subject-Token"], sim.url
    sim.stop()
    sim.start()
    assert sim.url == url
    assert delete(sim, token=token).status_code == 200


def test_after_its_block_a_simulator_no_longer_listens() -> None:
    with Simulator() as sim:
        assert delete(sim).status_code == 200
    with pytest.raises(requests.exceptions.ConnectionError):
        delete(sim)


def test_an_account_outlives_its_simulator(sim: Simulator) -> None:
    delete(sim)
    sim.stop()
    with Simulator(sim.account, port=urlsplit(sim.url).port or 0) as another:
        assert another.url == sim.url
        assert delete(another).json()["error_code"] == "DBS.201203"


def test_a_port_that_is_taken_is_an_error(sim: Simulator) -> None:
    with pytest.raises(OSError, match="in use"):
        Simulator(port=urlsplit(sim.url).port or 0).start()


def test_a_reset_brings_everything_back_to_the_start() -> None:
    with Simulator(faults=[Fault(status=500)]) as sim:
        before, ids = sim.account.now(), sim.backup_ids(PROJECT)
        delete(sim)
        delete(sim)
        sim.revoke_tokens()
        sim.advance(86_400)
        sim.fault(Fault(status=501))
        sim.account.throttle = Throttle(limit=0, seconds=1)
        sim.reset()
        assert (sim.backup_ids(PROJECT), sim.calls) == (ids, [])
        assert sim.account.now() == pytest.approx(before, abs=60)
        assert [delete(sim, MANUAL.id).status_code for _ in range(2)] == [500, 200]


# Control over HTTP, and the process


def control(sim: Simulator, method: str, name: str, body: Any = None) -> Any:
    answer = requests.request(method, f"{sim.url}/_simulator/{name}", json=body, timeout=10)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_state_can_be_read_and_added_to(sim: Simulator) -> None:
    sim.add(manual("old", datastore=Datastore(version="5.7")))
    state = control(sim, "GET", "state")
    assert state.keys() == {"now", "projects", "backups", "absent", "token_life", "throttle"}
    assert [item["id"] for item in state["backups"]] == ["old", MANUAL.id]
    assert state["projects"] == {PROJECT: "cn-north-4", OTHER: "cn-north-4_staging"}
    control(sim, "POST", "backups", {**state["backups"][0], "id": "x", "name": "copy"})
    added = next(backup for backup in sim.backups(PROJECT) if backup.id == "x")
    assert added == manual("x", name="copy", datastore=Datastore(version="5.7"))


def test_calls_can_be_read_and_forgotten(sim: Simulator) -> None:
    delete(sim, data=b"body")
    (call,) = control(sim, "GET", "calls")
    assert call["headers"]["X-Auth-Token"] == "demo-token"
    assert (call["method"], call["body"], call["status"]) == ("DELETE", "body", 200)
    assert call["path"] == f"/v3/{PROJECT}/backups/{MANUAL.id}"
    assert control(sim, "DELETE", "calls") == []
    assert sim.calls == []


def test_faults_can_be_set_and_taken_away(sim: Simulator) -> None:
    sim.fault(Fault(status=200, body=b"\x00"))
    assert control(sim, "POST", "faults", [{"status": 500, "times": 2}, {"drop": True}])[1]["status"] == 500
    assert [item["times"] for item in control(sim, "POST", "faults", {"hang": True})] == [1, 2, 1, 1]
    assert control(sim, "DELETE", "faults") == []
    assert delete(sim).status_code == 200


def test_the_clock_can_be_moved(sim: Simulator) -> None:
    assert control(sim, "GET", "clock")["now"][:10] == datetime.now(UTC).isoformat()[:10]
    control(sim, "POST", "clock", {"advance": 86_400})
    assert sim.account.now() == pytest.approx(time.time() + 86_400, abs=60)


def test_the_throttle_can_be_set_and_taken_away(sim: Simulator) -> None:
    throttle = {"limit": 0, "seconds": 1, "retry_after": None}
    assert control(sim, "GET", "throttle") == {}
    assert control(sim, "PUT", "throttle", throttle) == throttle
    assert delete(sim).status_code == 429
    assert control(sim, "DELETE", "throttle") == {}
    assert delete(sim).status_code == 200


def test_tokens_can_be_revoked_and_all_reset(sim: Simulator) -> None:
    control(sim, "POST", "revoke")
    assert delete(sim).status_code == 401
    control(sim, "POST", "reset")
    assert delete(sim).status_code == 200


def test_controls_are_neither_recorded_nor_faulted(sim: Simulator) -> None:
    sim.fault(Fault(status=500, times=None))
    control(sim, "GET", "state")
    assert sim.calls == []


@pytest.mark.parametrize(
    ("method", "name", "body", "status"),
    [
        ("GET", "nothing", None, 404),
        ("PUT", "state", None, 404),
        ("POST", "faults", {"status": 500, "statu": 1}, 400),
        ("POST", "faults", None, 400),
        ("POST", "clock", {}, 400),
        ("PUT", "throttle", {"limit": 1}, 400),
        ("POST", "backups", {"id": "x", "instance_id": "i", "project_id": "unknown"}, 400),
    ],
)
def test_a_control_that_is_unknown_or_misused_is_refused(
    sim: Simulator, method: str, name: str, body: Any, status: int
) -> None:
    assert requests.request(method, f"{sim.url}/_simulator/{name}", json=body, timeout=10).status_code == status


def test_the_demos_account_holds_the_example_of_the_api_page() -> None:
    with Simulator() as sim:
        assert delete(sim).json() == {"backup_id": MANUAL.id, "backup_name": "backup-f3c1"}
        assert log_in(sim, {"project": {"name": "cn-north-4"}}).status_code == 201
        backups = [*sim.backups(PROJECT), *sim.backups(OTHER)]
        assert {backup.status for backup in backups} == {"BUILDING", "COMPLETED", "FAILED", "AVAILABLE"}
        assert all(len(backup.instance_id) == 36 and backup.instance_id.endswith("in07") for backup in backups)


def test_the_demos_account_has_14_months_of_backups_whose_ages_and_ids_never_change() -> None:
    now = datetime(2026, 11, 27, 23, 30, tzinfo=UTC).timestamp()
    one, later = (list(write_history(time)) for time in (now, now + 1000 * 86_400))
    assert [backup.id for backup in one] == [backup.id for backup in later]
    assert {later.began_at - one.began_at for one, later in zip(one, later, strict=True)} == {1000 * 86_400}
    assert len({backup.id for backup in one}) == len(one) > 100  # more than a page
    assert {backup.instance_id for backup in one if TAURUSDB.has(backup)} == {SHOP, CRM, BILLING}
    assert {engine for engine, service in SERVICES.items() for backup in one if service.has(backup)} == set(SERVICES)
    ages = [(now - backup.began_at) / 86_400 for backup in one]
    assert min(ages) > 0
    assert 420 < max(ages) < 430
    assert min(age for age, backup in zip(ages, one, strict=True) if backup.instance_id == BILLING) > 190
    with Simulator() as sim:
        assert sim.backup_ids(PRODUCTION) == {backup.id for backup in one}
        total = 0
        pages: list[list[Any]] = []
        while not pages or pages[-1]:
            pages.append(ask(sim, "GET", f"/v3/{PRODUCTION}/backups?limit=100&offset={total}").json()["backups"])
            total += len(pages[-1])
        ours = [backup.id for backup in sim.backups(PRODUCTION) if TAURUSDB.has(backup)]
        assert [item["id"] for page in pages for item in page] == ours


def process(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "simulator", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_the_process_says_where_it_listens_and_ends_quietly(tmp_path: Path, end: signal.Signals) -> None:
    account, faults = tmp_path / "account.json", tmp_path / "faults.json"
    throttle = {"limit": 0, "seconds": 1}
    account.write_text(json.dumps({"projects": {PROJECT: "p"}, "tokens": [{"value": "t"}], "throttle": throttle}))
    faults.write_text('{"status": 418}')
    with process("--account", str(account), "--faults", f"@{faults}") as running:
        assert running.stdout is not None
        url = running.stdout.readline().strip()
        statuses = [
            requests.get(f"{url}/v3/{PROJECT}/backups", headers={"X-Auth-Token": "t"}, timeout=10).status_code
            for _ in range(2)
        ]
        running.send_signal(end)
        assert running.communicate(timeout=10) == ("", "")
    assert (statuses, running.returncode) == ([418, 429], 0)


@pytest.mark.parametrize(
    "arguments", [("--faults", '{"statu": 1}'), ("--account", "no-such-file"), ("--faults", "@no-such-file")]
)
def test_the_process_refuses_what_it_cannot_read(arguments: tuple[str, ...]) -> None:
    with process(*arguments) as running:
        output, errors = running.communicate(timeout=10)
    assert (output, running.returncode) == ("", 2)
    assert "Traceback" not in errors
