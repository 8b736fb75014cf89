"""What we ask the backup API, and what its answers mean."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from function.backups import Backup, Deleted, Failed
from function.cloud.api import (
    Unproven,
    at_offset,
    delete_path,
    find_paths,
    pages_of,
    read_backups,
    read_deletion,
    read_found,
    read_verdict,
)
from function.cloud.engines.taurusdb import ROWS, TAURUSDB
from function.cloud.lockout import Verdict
from function.cloud.refusals import SHARED_ROWS, Refusal
from function.errors import ApiDeniedError, ApiUnavailableError, NotFinalError, UndecidedError
from function.exchange import Answer
from tests.facts.account import BACKUP, PROJECT
from tests.facts.strategies import (
    ERROR_CODES,
    answers,
    any_bytes,
    as_json,
    backup_ids,
    json_scalars,
    json_values,
    list_bodies,
    project_ids,
)

ENDPOINT: Final = "https://gaussdb.cn-north-4.myhuaweicloud.com"


def facts(error: NotFinalError) -> dict[str, object]:
    return {
        "kind": type(error),
        "error_code": error.error_code,
        "error_msg": error.error_msg,
        "http_status": error.http_status,
        "retry_after": error.retry_after,
        "request_id": error.request_id,
    }


def verdict(answer: Answer) -> str:
    """One word for what an answer to the DELETE means."""
    try:
        match read_deletion(answer, TAURUSDB):
            case Deleted(absence=absence):
                return absence or "deleted"
            case Unproven(Deleted(absence=None), ApiUnavailableError()):
                return "accepted"
            case Unproven(Deleted(absence="not_listed"), ApiUnavailableError()):
                return "maybe gone"
            case Unproven(Deleted(absence="not_listed"), ApiDeniedError()):
                return "maybe denied"
            case Failed():
                return "failed"
            case other:
                return repr(other)
    except ApiDeniedError:
        return "denied"
    except ApiUnavailableError:
        return "unavailable"


# Requests.


def test_the_deletion_is_the_path_of_the_api_page() -> None:
    assert delete_path(PROJECT, BACKUP) == f"/v3/{PROJECT}/backups/{BACKUP}"


def test_the_list_is_asked_for_one_backup() -> None:
    assert find_paths(TAURUSDB, PROJECT, BACKUP, None) == [f"/v3/{PROJECT}/backups?backup_id={BACKUP}"]


def test_a_page_is_asked_for_an_instance_s_manual_backups() -> None:
    """API page "Querying Backups": the limit is at most 100."""
    query = "instance_id=i%26%2F1&backup_type=manual&offset=200&limit=100"
    (path,) = pages_of(TAURUSDB, PROJECT, "i&/1")

    assert at_offset(path, 200) == f"/v3/{PROJECT}/backups?{query}"


@given(project_ids, backup_ids)
def test_a_deletion_names_exactly_one_backup(project_id: str, backup_id: str) -> None:
    """Any other path may be the batch deletion, `DELETE /v3/{project_id}/backups`."""
    url = urlsplit(ENDPOINT + delete_path(project_id, backup_id))

    assert f"{url.scheme}://{url.netloc}" == ENDPOINT
    assert url.path.split("/") == ["", "v3", project_id, "backups", backup_id]
    assert (url.query, url.fragment) == ("", "")


# Answers to the DELETE, by status and code.

BY_CODE: Final[list[tuple[str, int, str]]] = [
    # TaurusDB API Reference, "Error Codes"
    ("stated", 400, "DBS.201203"),
    ("stated", 404, "DBS.201010"),
    ("maybe gone", 400, "DBS.280214"),
    ("failed", 400, "DBS.201208"),
    ("unavailable", 409, "DBS.201205"),
    ("unavailable", 409, "DBS.200011 DBS.200019 DBS.200047 DBS.201202 DBS.212006"),
    ("failed", 400, "DBS.200086 DBS.201014"),
    ("unavailable", 409, "DBS.280406"),
    ("denied", 400, "DBS.280449"),
    ("failed", 400, "DBS.200001 DBS.200004 DBS.280001 DBS.290000 DBS.280204 DBS.290001 DBS.280404"),
    ("maybe denied", 403, "DBS.200044 DBS.201003 DBS.280015"),
    ("denied", 403, "DBS.200010 DBS.200604"),
    ("token", 403, "DBS.280056"),
    ("maybe gone", 404, "DBS.200002 DBS.200045 DBS.200408 DBS.200602 DBS.201028 DBS.290005 DBS.290011"),
    ("maybe gone", 404, "DBS.290013"),
    ("unavailable", 500, "DBS.108000 DBS.108002 DBS.108005 DBS.200005 DBS.200208"),
    ("unavailable", 500, "DBS.213002 DBS.213004 DBS.290006 DBS.290015 DBS.05000000"),
    # The set that the Terraform provider retries
    ("unavailable", 409, "DBS.201014 DBS.201015 DBS.05000084 DBS.212033"),
    # API Gateway, "Error Codes"
    ("unavailable", 404, "APIGW.0101"),
    ("unavailable", 400, "APIGW.0201"),
    ("unavailable", 413, "APIGW.0201"),
    ("unavailable", 414, "APIGW.0201"),
    ("unavailable", 494, "APIGW.0201"),
    ("unavailable", 502, "APIGW.0201 APIGW.0202 APIGW.0203"),
    ("unavailable", 504, "APIGW.0201 APIGW.0202 APIGW.0203"),
    ("token", 401, "APIGW.0301 APIGW.0305 APIGW.0307"),
    ("denied", 403, "APIGW.0302 APIGW.0306 APIGW.0310 APIGW.0402 APIGW.0802"),
    ("unavailable", 429, "APIGW.0308"),
    ("unavailable", 500, "APIGW.0601"),
    ("unavailable", 503, "APIGW.0613"),
    # IAM's, should they come through the gateway
    ("token", 401, "IAM.0001 IAM.0061 IAM.0062 IAM.0066 IAM.0067"),
    ("denied", 403, "IAM.0002 IAM.0003 IAM.0081 IAM.0082"),
    ("unavailable", 404, "IAM.0004"),
    ("unavailable", 400, "IAM.0011"),
    ("unavailable", 429, "IAM.0012"),
    ("unavailable", 500, "IAM.0006"),
]
PAIRS: Final = [(word, status, code) for word, status, codes in BY_CODE for code in codes.split()]


def by_status(status: int, code: str) -> str:
    """The meaning of an answer of the documented shape whose code nobody documented."""
    if status == 401:
        return "token"
    if status in (403, 407):
        return "denied"
    foreign = code.startswith(("APIGW.", "APIG.", "IAM.", "PAP5."))
    if status == 404 and not foreign:
        return "maybe gone"
    return "failed" if status in (400, 422) and code and not foreign else "unavailable"


def check(status: int, code: str, expected: str) -> None:
    answer = as_json({"error_code": code, "error_msg": "text"}, status=status)

    assert verdict(answer) == ("denied" if expected == "token" else expected)
    accepted = Verdict.ACCEPTED if code.startswith("DBS.") else Verdict.UNKNOWN
    assert read_verdict(answer, TAURUSDB) is (Verdict.REFUSED if expected == "token" else accepted)


@pytest.mark.parametrize(("expected", "status", "code"), PAIRS)
def test_a_documented_code_has_its_meaning(expected: str, status: int, code: str) -> None:
    check(status, code, expected)
    if code.startswith("APIGW."):  # the same numbers with either prefix
        check(status, code.replace("APIGW.", "APIG."), expected)


def test_every_row_of_the_table_of_codes_is_documented() -> None:
    rows = [(status, code) for _, status, codes, _ in (*ROWS, *SHARED_ROWS) for code in codes.split()]

    assert sorted(rows) == sorted((status, code) for _, status, code in PAIRS)
    assert all(source for _, _, _, source in (*ROWS, *SHARED_ROWS))


@given(
    st.integers(300, 599),
    st.sampled_from([code for _, _, code in PAIRS]) | st.from_regex(r"\A(DBS|APIGW|APIG|RDS|IAM)\.[0-9]{4,8}\Z"),
)
@example(404, "DBS.201203")
@example(400, "DBS.201010")
@example(403, "DBS.201010")
@example(409, "DBS.201203")
@example(400, "DBS.201214")  # gone, for other engines
@example(400, "DBS.200751")
@example(404, "APIGW.0102")
@example(400, "APIGW.0102")  # whatever the gateway and IAM refuse, the service has not judged the backup
@example(422, "IAM.0005")
@example(400, "PAP5.0013")
@example(404, "PAP5.0013")
def test_status_and_code_mean_something_only_as_a_pair(status: int, code: str) -> None:
    known = {(pair[1], pair[2]): pair[0] for pair in PAIRS}
    expected = known.get((status, code.replace("APIG.", "APIGW.")), by_status(status, code))

    check(status, code, expected)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (100, "unavailable"),
        (199, "unavailable"),
        (300, "unavailable"),
        (301, "unavailable"),
        (399, "unavailable"),
        # What a firewall, a load balancer, a web server, a front door or another program can answer.
        *((status, "unavailable") for status in (400, 402, 405, 406, 409, 410, 413, 418, 421, 422, 431, 451, 499)),
        (401, "token"),
        (403, "denied"),
        (404, "maybe gone"),
        (407, "denied"),
        (408, "unavailable"),
        (425, "unavailable"),
        (429, "unavailable"),
        (500, "unavailable"),
        (503, "unavailable"),
        (599, "unavailable"),
    ],
)
@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"<html>502</html>", b"\xff", b"[]", b"{", b'{"error_code": null}', b'{"error_code": ["DBS.201203"]}'),
        *(b'{"code": 405}', b'{"error_code": ""}', b'{"error_code": 400}', b'{"error": "teapot"}'),
        *(b'{"errCode": "X.1"}', b'{"message": "Not Found"}', b'{"error": {"code": 400, "message": "Bad"}}'),
    ],
)
def test_without_a_code_the_status_decides(status: int, expected: str, body: bytes) -> None:
    answer = Answer(status, {}, body)

    assert verdict(answer) == ("denied" if expected == "token" else expected)
    assert read_verdict(answer, TAURUSDB) is (Verdict.REFUSED if expected == "token" else Verdict.UNKNOWN)


@pytest.mark.parametrize(
    "text", ["The backup file does not exist.", "\u5907\u4efd\u6587\u4ef6\u4e0d\u5b58\u5728", "DBS.201010", ""]
)
def test_the_text_of_an_error_means_nothing(text: str) -> None:
    assert verdict(as_json({"error_code": "DBS.201208", "error_msg": text}, status=400)) == "failed"
    assert verdict(as_json({"error_code": "DBS.201203", "error_msg": text}, status=400)) == "stated"


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [  # the shapes that services, the gateway and IAM use
        ({"error_code": "DBS.1", "error_msg": "text"}, "DBS.1", "text"),
        ({"error_code": "APIGW.1", "error_msg": "text", "request_id": "other"}, "APIGW.1", "text"),
        ({"errCode": "RDS.1", "externalMessage": "text"}, "RDS.1", "text"),
        ({"error": {"code": 400, "message": "text", "title": "Bad"}}, "400", "text"),
        ({"itemNotFound": {"code": 404, "message": "text"}}, "404", "text"),
        ({"code": "X.1", "message": "text"}, "X.1", "text"),
        ({"error": {"error_code": "DBS.1", "error_msg": "text"}}, "DBS.1", "text"),
        ({"error_code": "S.1", "error_msg": "text", "encoded_authorization_message": "x"}, "S.1", "text"),
        ({"error_code": "DBS.1", "error_msg": "text", "errCode": "RDS.1", "externalMessage": "other"}, "DBS.1", "text"),
        ({"error_code": "DBS.1", "error_msg": "text", "error": {"code": 1, "message": "other"}}, "DBS.1", "text"),
        ({"error_code": "DBS.1"}, "DBS.1", "the API answered 400 without an error code"),
        ({"error_code": "DBS.1", "error_msg": None}, "DBS.1", "the API answered 400 without an error code"),
        ({"error_code": "DBS.1", "error_msg": ["text"]}, "DBS.1", "the API answered 400 without an error code"),
        ({"error_code": "", "error_msg": "text"}, "NO_ERROR_CODE", "text"),
        ({"error_code": "DBS.1", "error_msg": ""}, "DBS.1", "the API answered 400 without an error code"),
        ({"error_code": None, "error_msg": "text"}, "NO_ERROR_CODE", "the API answered 400 without an error code"),
        ({"error": "text"}, "NO_ERROR_CODE", "the API answered 400 without an error code"),
        ({"error": [{"code": 1}]}, "NO_ERROR_CODE", "the API answered 400 without an error code"),
        ({}, "NO_ERROR_CODE", "the API answered 400 without an error code"),
        (["DBS.1"], "NO_ERROR_CODE", "the API answered 400 without an error code"),
    ],
    ids=json.dumps,
)
def test_a_refusal_gives_code_and_text_as_they_came(body: object, code: str, message: str) -> None:
    refusal = Refusal.read(as_json(body, {"x-request-id": "r1"}, 400))

    assert (refusal.error_code, refusal.error_msg, refusal.request_id) == (code, message, "r1")


@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize("code", ["DBS.201208", "DBS.299999", "SomethingElse"])
def test_what_the_api_refuses_in_its_own_shape_is_final(status: int, code: str) -> None:
    failed = read_deletion(as_json({"error_code": code, "error_msg": "text"}, {"x-request-id": "r1"}, status), TAURUSDB)

    assert failed == Failed(error_code=code, error_msg="text", http_status=status, request_id="r1")


@given(
    st.integers(400, 499),
    st.fixed_dictionaries({}, optional={"error_code": st.sampled_from([*ERROR_CODES, "DBS.299999"]) | json_values})
    | any_bytes
    | json_values,
)
@example(400, {"error_code": "APIGW.0201"})
@example(409, {"error_code": "DBS.299999"})
def test_only_a_refusal_of_the_api_s_own_is_final(status: int, body: object) -> None:
    """Everything else somebody on the way can have sent, and somebody can fix: it must not use the event up."""
    answer = Answer(status, {}, body) if isinstance(body, bytes) else as_json(body, status=status)
    try:
        outcome = read_deletion(answer, TAURUSDB)
    except NotFinalError:
        return
    if isinstance(outcome, Failed):
        code = loaded(answer.body)["error_code"]
        assert status in (400, 422)
        assert code
        assert isinstance(code, str)
        assert not code.startswith(("APIGW.", "APIG.", "IAM.", "PAP5."))


def test_what_a_refusal_says_is_cut_to_a_bounded_length() -> None:
    huge = "x" * 500_000
    body = {"error_code": f"DBS.{huge}", "error_msg": huge, "request_id": huge}

    for refusal in (Refusal.read(as_json(body, status=400)), Refusal.read(as_json(body, {"x-request-id": huge}, 400))):
        assert len(refusal.error_code) == len(refusal.request_id or "") == 128
        assert len(refusal.error_msg) == 2000


def test_a_body_far_larger_than_the_api_s_is_not_copied_into_the_result() -> None:
    body = {"backup_id": BACKUP, "backup_name": "n" * 20_000}

    deleted = read_deletion(as_json(body), TAURUSDB)

    assert deleted == Deleted(backup_name="n" * 128, response=None)


HEADERS: Final = {"x-request-id": "r1", "retry-after": "17"}


@pytest.mark.parametrize(
    ("status", "code", "kind"), [(403, "DBS.200010", ApiDeniedError), (429, "APIGW.0308", ApiUnavailableError)]
)
def test_what_is_not_final_keeps_what_the_api_said(status: int, code: str, kind: type[NotFinalError]) -> None:
    with pytest.raises(kind) as raised:
        read_deletion(as_json({"error_code": code, "error_msg": "text"}, HEADERS, status), TAURUSDB)

    assert facts(raised.value) == {
        "kind": kind,
        "error_code": code,
        "error_msg": "text",
        "http_status": status,
        "retry_after": "17",
        "request_id": "r1",
    }


def test_a_request_id_in_the_body_is_second_best() -> None:
    body = {"error_code": "DBS.201208", "error_msg": "text", "request_id": "from the body"}

    assert read_deletion(as_json(body, {"x-request-id": "r1"}, 400), TAURUSDB).request_id == "r1"  # type: ignore[union-attr]
    assert read_deletion(as_json(body, {}, 400), TAURUSDB).request_id == "from the body"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (404, "DBS.290013", ApiUnavailableError),
        (400, "DBS.280214", ApiUnavailableError),
        (403, "DBS.200044", ApiDeniedError),
    ],
)
def test_what_may_be_gone_says_what_it_means_either_way(status: int, code: str, kind: type[NotFinalError]) -> None:
    body = {"error_code": code, "error_msg": "text"}

    unproven = read_deletion(as_json(body, HEADERS, status), TAURUSDB)

    assert isinstance(unproven, Unproven)
    assert unproven.if_absent == Deleted(absence="not_listed", response=body, request_id="r1")
    assert facts(unproven.otherwise) == {
        "kind": kind,
        "error_code": code,
        "error_msg": "text",
        "http_status": status,
        "retry_after": "17",
        "request_id": "r1",
    }


@pytest.mark.parametrize(("status", "code"), [(400, "DBS.201203"), (404, "DBS.201010")])
def test_a_stated_absence_keeps_what_the_api_said(status: int, code: str) -> None:
    body = {"error_code": code, "error_msg": "text"}

    deleted = read_deletion(as_json(body, HEADERS, status), TAURUSDB)

    assert deleted == Deleted(absence="stated", response=body, request_id="r1")


# Answers to the DELETE that are no refusals.


def test_the_documented_success_is_a_deletion() -> None:
    """The API page's own example."""
    body = {"backup_id": BACKUP, "backup_name": "backup-8b5e"}

    deleted = read_deletion(as_json(body, HEADERS), TAURUSDB)

    assert deleted == Deleted(backup_name="backup-8b5e", response=body, request_id="r1")


@pytest.mark.parametrize(
    "body",
    [
        {"backup_id": BACKUP},
        {"backup_id": "b1182c13f3614fd6b1eae5a4ba09c4a1br07", "backup_name": "weekly"},  # "Conflicts" 1
        {"backup_id": BACKUP, "more": {"a": [1]}},
    ],
    ids=json.dumps,
)
def test_a_200_with_a_backup_id_is_a_deletion(body: dict[str, Any]) -> None:
    deleted = read_deletion(as_json(body), TAURUSDB)

    assert deleted == Deleted(backup_name=body.get("backup_name"), response=body)


@pytest.mark.parametrize(
    ("status", "body"),
    [  # what siblings on the same URI answer, and half a success
        (200, {}),
        (202, {}),
        (202, {"job_id": "j1"}),
        (200, {"job_id": "j1"}),
        (201, {"backup_id": BACKUP, "backup_name": "weekly"}),
        (202, {"backup_id": BACKUP, "backup_name": "weekly"}),
        (200, {"backup_id": None}),
        (200, {"backup_id": "", "job_id": "j1"}),
        (200, {"backup_id": 1}),
        (200, {"backup_id": [BACKUP]}),
        (200, {"backup_name": "weekly"}),
        (200, {"backup_id": BACKUP, "error_code": "DBS.201208", "error_msg": "text"}),
        (200, {"backup_id": BACKUP, "error_code": None}),
        (200, {"backup_id": BACKUP, "error_msg": "text"}),
        (200, {"backup_id": BACKUP, "errCode": "DBS.201208"}),
        (200, {"backup_id": BACKUP, "externalMessage": "text"}),
        (200, {"backup_id": BACKUP, "error": {"code": 500}}),
        (200, {"backup_id": BACKUP, "itemNotFound": {}}),
        (299, {"backup_id": BACKUP}),
    ],
    ids=str,
)
def test_an_acceptance_is_no_proof(status: int, body: dict[str, Any]) -> None:
    unproven = read_deletion(as_json(body, HEADERS, status), TAURUSDB)

    assert isinstance(unproven, Unproven)
    name = body.get("backup_name")
    assert unproven.if_absent == Deleted(backup_name=name, response=body or None, request_id="r1")
    assert facts(unproven.otherwise) == {
        "kind": ApiUnavailableError,
        "error_code": "NOT_PROVEN",
        "error_msg": f"the API accepted the deletion with {status}, but its list does not prove it",
        "http_status": status,
        "retry_after": None,
        "request_id": "r1",
    }


@pytest.mark.parametrize("status", [200, 202, 204])
def test_an_empty_acceptance_is_no_proof(status: int) -> None:
    unproven = read_deletion(Answer(status, {}, b""), TAURUSDB)

    assert isinstance(unproven, Unproven)
    assert unproven.if_absent == Deleted()


@pytest.mark.parametrize(
    "body",
    [
        b"<html>Sign in to the network</html>",
        b"OK",
        b"[]",
        b"null",
        b'"deleted"',
        b"1",
        b" ",
        b'{"backup_id": "x"',
        b'{"backup_id": "x"} trailing',
        b'{"backup_id": "x", "backup_id": "y"}',
        b'{"backup_id": "\\ud800"}',
        b'{"backup_id": "\xff"}',
        b"[" * 99_999,
    ],
    ids=lambda body: repr(body[:20]),
)
@pytest.mark.parametrize("status", [200, 202, 299])
def test_a_2xx_with_anything_else_is_a_broken_answer(status: int, body: bytes) -> None:
    with pytest.raises(ApiUnavailableError) as raised:
        read_deletion(Answer(status, HEADERS, body), TAURUSDB)

    assert facts(raised.value) == {
        "kind": ApiUnavailableError,
        "error_code": "BROKEN_ANSWER",
        "error_msg": f"the body of this {status} is not this API's",
        "http_status": status,
        "retry_after": None,
        "request_id": "r1",
    }


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_never_a_deletion(status: int) -> None:
    answer = as_json({"backup_id": BACKUP}, {"location": ENDPOINT}, status)

    assert verdict(answer) == "unavailable"


@pytest.mark.parametrize(
    ("status", "expected"),
    [(199, "UNKNOWN"), (200, "ACCEPTED"), (204, "ACCEPTED"), (299, "ACCEPTED"), (300, "UNKNOWN")],
)
def test_a_success_accepts_the_credential(status: int, expected: str) -> None:
    for body in (b"", b"{}", b' {"job_id": "j1"}'):
        assert read_verdict(Answer(status, {}, body), TAURUSDB).name == expected


def test_a_page_with_a_success_accepts_no_credential() -> None:
    """A captive portal's, for instance: the API has not seen the credential."""
    assert read_verdict(Answer(200, {}, b"<html>"), TAURUSDB) is Verdict.UNKNOWN


def loaded(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


def strings(value: object) -> Iterator[str]:
    """All strings in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from (text for inner in value.values() for text in strings(inner))


@given(answers)
@example(as_json({"backup_id": BACKUP}))
@example(as_json({"backup_id": BACKUP, "error_code": "DBS.201208"}))
@example(as_json({"error_code": "DBS.201203"}, status=400))
@example(as_json({"error_code": "DBS.201010"}, status=404))
@example(as_json({"error_code": True}, status=404))
def test_whatever_the_api_answers_only_a_proof_makes_it_deleted(answer: Answer) -> None:
    try:
        outcome = read_deletion(answer, TAURUSDB)
    except NotFinalError as error:
        assert type(error) in (ApiDeniedError, ApiUnavailableError)
        assert (error.http_status, error.error_code != "", error.error_msg != "") == (answer.status, True, True)
        return
    body = loaded(answer.body)
    match outcome:
        case Deleted(absence=None):
            assert answer.status == 200
            assert isinstance(body["backup_id"], str)
            assert body["backup_id"]
            assert not {"error_code", "error_msg", "errCode", "externalMessage", "error", "itemNotFound"} & body.keys()
        case Deleted(absence=absence):
            code = {400: "DBS.201203", 404: "DBS.201010"}[answer.status]
            assert absence == "stated"
            assert code in strings(body)
        case Failed(http_status=status):
            assert status == answer.status
            assert status in (400, 422)
        case Unproven(if_absent, otherwise):
            assert 200 <= answer.status < 300 or answer.status in (400, 403, 404)
            assert (if_absent.absence is None) == (answer.status < 300)
            assert otherwise.http_status == answer.status


# The list: TaurusDB API Reference, "Querying Backups".

ITEM: Final = {
    "id": BACKUP,
    "name": "weekly",
    "begin_time": "2020-07-06T10:41:14+0800",
    "end_time": "2020-07-06T10:42:14+0800",
    "status": "COMPLETED",
    "take_up_time": 1,
    "type": "manual",
    "size": 2803,
    "datastore": {"type": "gaussdb-mysql", "version": "8.0"},
    "instance_id": "6ab7e0f13c5d4e2f8a90b1c2d3e4f506in07",
    "description": "before the upgrade",
}
OURS: Final = Backup(
    id=BACKUP,
    name="weekly",
    instance_id="6ab7e0f13c5d4e2f8a90b1c2d3e4f506in07",
    type="manual",
    status="COMPLETED",
    begin_time=datetime(2020, 7, 6, 10, 41, 14, tzinfo=timezone(timedelta(hours=8))),
    description="before the upgrade",
    size_mb=2803.0,
)


def page(*items: object, total_count: object = None) -> Answer:
    return as_json({"backups": list(items), "total_count": len(items) if total_count is None else total_count})


def test_a_list_of_exactly_our_backup_proves_that_it_is_there() -> None:
    assert read_found(page(ITEM), BACKUP, TAURUSDB) == OURS


def test_a_clean_empty_list_proves_that_it_is_not_there() -> None:
    assert read_found(page(), BACKUP, TAURUSDB) is None


UNCLEAR: Final = "asked for one backup, the API listed something else"
NO_PAGE: Final = "the API's list is not of the documented form"
NO_ID: Final = "the API listed something without an id"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"backups": [], "total_count": 1}, UNCLEAR),
        ({"backups": [], "total_count": -1}, UNCLEAR),
        ({"backups": [{"id": "other"}], "total_count": 1}, UNCLEAR),
        ({"backups": [{"id": "other"}], "total_count": 0}, UNCLEAR),
        ({"backups": [{"id": BACKUP.upper()}], "total_count": 1}, UNCLEAR),
        ({"backups": [{"id": BACKUP + " "}], "total_count": 1}, UNCLEAR),
        ({"backups": [{"id": BACKUP[:-1]}], "total_count": 1}, UNCLEAR),
        ({"backups": [{"id": BACKUP}, {"id": BACKUP}], "total_count": 2}, UNCLEAR),
        ({"backups": [{"id": BACKUP}, {"id": "other"}], "total_count": 2}, UNCLEAR),
        ({"backups": [], "total_count": 0, "error_code": "DBS.200010"}, NO_PAGE),
        ({"backups": [], "total_count": 0, "error_msg": "text"}, NO_PAGE),
        ({"backups": [], "total_count": 0, "error": {}}, NO_PAGE),
        ({"backups": [], "total_count": None}, NO_PAGE),
        ({"backups": [], "total_count": False}, NO_PAGE),
        ({"backups": [], "total_count": 0.0}, NO_PAGE),
        ({"backups": [], "total_count": "0"}, NO_PAGE),
        ({"backups": []}, NO_PAGE),
        ({"total_count": 0}, NO_PAGE),
        ({"backups": None, "total_count": 0}, NO_PAGE),
        ({"backups": {}, "total_count": 0}, NO_PAGE),
        ({"backups": "", "total_count": 0}, NO_PAGE),
        ({}, NO_PAGE),
        ({"backups": [None], "total_count": 1}, NO_ID),
        ({"backups": [BACKUP], "total_count": 1}, NO_ID),
        ({"backups": [{}], "total_count": 1}, NO_ID),
        ({"backups": [{"id": None}], "total_count": 1}, NO_ID),
        ({"backups": [{"id": ""}], "total_count": 1}, NO_ID),
        ({"backups": [{"id": 1}], "total_count": 1}, NO_ID),
        ({"backups": [{"id": BACKUP}, [BACKUP]], "total_count": 2}, NO_ID),
    ],
    ids=lambda value: json.dumps(value)[:90],
)
def test_any_other_list_proves_nothing(body: object, message: str) -> None:
    with pytest.raises(UndecidedError) as raised:
        read_found(as_json(body), BACKUP, TAURUSDB)

    assert (raised.value.error_code, raised.value.error_msg) == ("UNCLEAR_LIST", message)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"\xff", b"[]", b"null", b'{"backups": [], "total_count": 0, "total_count": 0}']
)
def test_what_is_no_json_object_is_not_the_api_s_list(body: bytes) -> None:
    with pytest.raises(ApiUnavailableError) as raised:
        read_found(Answer(200, {}, body), BACKUP, TAURUSDB)

    assert (raised.value.error_code, raised.value.error_msg) == ("UNCLEAR_LIST", NO_PAGE)


def refused(status: int, code: str) -> Answer:
    return as_json({"error_code": code, "error_msg": "refused"}, status=status)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (refused(403, "DBS.200010"), True),
        (refused(403, "DBS.200044"), True),  # not found, or no permission
        (refused(403, "DBS.999999"), True),
        (refused(403, "IAM.0002"), True),
        (refused(403, "PAP5.0011"), True),  # a policy of IAM
        (refused(403, "DBS.280056"), False),  # the token
        (refused(403, "APIGW.0802"), False),  # the address is blocked
        (refused(403, "APIG.0802"), False),
        (refused(400, "DBS.280449"), False),  # the account is frozen
        (refused(401, "APIGW.0301"), False),
        (refused(429, "APIGW.0308"), False),
        (Answer(403, {}, b"<html>"), False),  # a firewall
        (Answer(404, {}, b"<html>"), False),
    ],
    ids=str,
)
def test_only_the_api_itself_says_that_we_may_not_look(answer: Answer, expected: bool) -> None:
    with pytest.raises(NotFinalError) as raised:
        read_found(answer, BACKUP, TAURUSDB)

    assert raised.value.may_not_look is expected


@pytest.mark.parametrize("body", [b"<html>", b'{"message": "no route"}'])
def test_a_list_that_another_program_refuses_is_not_unclear_but_missing(body: bytes) -> None:
    with pytest.raises(ApiUnavailableError):
        read_found(Answer(404, {}, body), BACKUP, TAURUSDB)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (401, "APIGW.0301", ApiDeniedError),
        (403, "DBS.280056", ApiDeniedError),
        (403, "DBS.200010", ApiDeniedError),
        (403, "DBS.200044", ApiDeniedError),
        (404, "DBS.201010", UndecidedError),
        (404, "DBS.290013", UndecidedError),
        (400, "DBS.201203", UndecidedError),
        (400, "DBS.280001", UndecidedError),
        (404, "APIGW.0101", ApiUnavailableError),
        (429, "APIGW.0308", ApiUnavailableError),
        (500, "DBS.108000", ApiUnavailableError),
        (302, "X", ApiUnavailableError),
        (202, "X", ApiUnavailableError),
    ],
)
def test_without_a_list_nothing_is_proven(status: int, code: str, kind: type[NotFinalError]) -> None:
    body = {"error_code": code, "error_msg": "text", "backups": [], "total_count": 0}

    with pytest.raises(NotFinalError) as raised:
        read_found(as_json(body, HEADERS, status), BACKUP, TAURUSDB)

    assert facts(raised.value) == {
        "kind": kind,
        "error_code": code,
        "error_msg": "text",
        "http_status": status,
        "retry_after": "17",
        "request_id": "r1",
    }


@given(st.integers(100, 599) | st.just(200), list_bodies(BACKUP) | st.none(), any_bytes)
def test_only_an_empty_list_proves_absence_and_only_our_backup_presence(status: int, body: object, raw: bytes) -> None:
    answer = as_json(body, status=status) if body is not None else Answer(status, {}, raw)
    try:
        found = read_found(answer, BACKUP, TAURUSDB)
    except NotFinalError:
        return
    listed = json.loads(answer.body)

    assert status == 200
    if found is None:
        assert listed["backups"] == []
        assert repr(listed["total_count"]) == "0"
    else:
        assert [item["id"] for item in listed["backups"]] == [BACKUP]
        assert found.id == BACKUP


def test_a_page_has_its_backups_and_the_count_of_all() -> None:
    assert read_backups(page(ITEM, {"id": "other"}, total_count=7), TAURUSDB) == (
        [OURS, Backup(id="other", description="")],
        7,
    )


@pytest.mark.parametrize(
    ("member", "attribute"),
    [(name, name) for name in ("name", "instance_id", "type", "status", "begin_time", "description")],
)
@pytest.mark.parametrize("value", [1, True, ["x"], {}])
def test_a_fact_of_another_type_is_unknown(member: str, attribute: str, value: object) -> None:
    backups, _ = read_backups(page({**ITEM, member: value}), TAURUSDB)

    assert getattr(backups[0], attribute) is None


@pytest.mark.parametrize("member", ["name", "instance_id", "type", "status", "begin_time"])
def test_an_empty_fact_is_a_missing_one(member: str) -> None:
    """Else orphans of different instances would be ranked together."""
    backups, _ = read_backups(page({**ITEM, member: ""}), TAURUSDB)

    assert getattr(backups[0], member) is None


@pytest.mark.parametrize(
    ("value", "size_mb"),
    [
        *((0, 0.0), (0.5, 0.5), (2803, 2803.0), (999_999_999_999, 999_999_999_999.0)),
        *((None, None), (True, None), ("2803", None), ([2803], None)),
        *((-1, None), (-0.5, None), (1e12, None), (10**399, None)),  # no backup is so large
    ],
)
def test_a_size_is_a_number_of_megabytes(value: object, size_mb: float | None) -> None:
    backups, _ = read_backups(page({**ITEM, "size": value}), TAURUSDB)

    assert backups[0].size_mb == size_mb
    assert type(backups[0].size_mb) in (float, type(None))


@pytest.mark.parametrize(
    "item", [{"id": BACKUP}, {"id": BACKUP, "description": None}, {"id": BACKUP, "description": ""}]
)
def test_an_absent_description_is_an_empty_one(item: object) -> None:
    assert read_backups(page(item), TAURUSDB) == ([Backup(id=BACKUP, description="")], 1)


@pytest.mark.parametrize(
    ("text", "time"),
    [  # offsets without a colon
        ("2020-07-06T10:41:14+0800", datetime(2020, 7, 6, 10, 41, 14, tzinfo=timezone(timedelta(hours=8)))),
        ("2020-07-06T02:41:14+0000", datetime(2020, 7, 6, 2, 41, 14, tzinfo=UTC)),
        ("2020-07-06T02:41:14Z", datetime(2020, 7, 6, 2, 41, 14, tzinfo=UTC)),
        ("2020-07-06T10:41:14+08:00", datetime(2020, 7, 6, 10, 41, 14, tzinfo=timezone(timedelta(hours=8)))),
        ("2020-07-06T10:41:14", None),  # of which offset?
        ("2020-07-06", None),
        ("2020-02-30T10:41:14+0800", None),
        ("yesterday", None),
        ("1594003274", None),
        ("", None),
    ],
)
def test_a_begin_time_has_an_offset_or_is_unknown(text: str, time: datetime | None) -> None:
    backups, _ = read_backups(page({**ITEM, "begin_time": text}), TAURUSDB)

    assert backups[0].begin_time == time


@given(st.dictionaries(st.sampled_from(sorted(ITEM)), json_scalars | json_values))
def test_whatever_the_list_says_of_a_backup_is_a_fact_or_unknown(item: dict[str, object]) -> None:
    try:
        backups, _ = read_backups(page({**item, "id": BACKUP}), TAURUSDB)
    except UndecidedError:
        raise AssertionError("an item with an id is a backup") from None
    facts_of: Callable[[str], object] = backups[0].__getattribute__

    for name in ("name", "instance_id", "type", "status"):
        assert facts_of(name) == ((item.get(name) or None) if isinstance(item.get(name), str) else None)
