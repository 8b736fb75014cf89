"""Which calls one command needs: the read-back, and the single renewal."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from function.backups import Backup, DeleteBackup, Deleted, Failed
from function.cloud.authorized import AuthorizedRequest
from function.cloud.client import MAX_PAGES, BackupClient
from function.cloud.engines.engine import Engine
from function.cloud.engines.geminidb import GEMINIDB
from function.cloud.engines.rds import RDS
from function.cloud.engines.taurusdb import TAURUSDB
from function.cloud.lockout import Verdict
from function.delivery import Delivery
from function.errors import ApiDeniedError, ApiUnavailableError, NotFinalError, UndecidedError
from function.exchange import Answer, Request
from function.redaction import redactor_of
from tests.facts.account import PROJECT
from tests.facts.strategies import answers, as_json

ENDPOINT: Final = "https://gaussdb.cn-north-4.myhuaweicloud.com"
COMMAND: Final = DeleteBackup(project_id=PROJECT, backup_id="b1")
DELETE: Final = ("DELETE", f"/v3/{PROJECT}/backups/b1")
GET: Final = ("GET", f"/v3/{PROJECT}/backups?backup_id=b1")

SUCCESS: Final = as_json({"backup_id": "b1", "backup_name": "weekly"})
ACCEPTED: Final = as_json({"job_id": "j1"}, status=202)
MAYBE_GONE: Final = as_json({"error_code": "DBS.290013", "error_msg": "not found"}, status=404)
MAYBE_DENIED: Final = as_json({"error_code": "DBS.200044", "error_msg": "not found or denied"}, status=403)
REFUSED: Final = as_json({"error_code": "APIGW.0307", "error_msg": "The token must be updated"}, status=401)
DENIED: Final = as_json({"error_code": "DBS.200010", "error_msg": "not authorised"}, status=403)
BROKEN: Final = Answer(200, {}, b"<html>")
ABSENT: Final = as_json({"backups": [], "total_count": 0})
LISTED: Final = as_json({"backups": [{"id": "b1"}], "total_count": 1})
UNCLEAR: Final = as_json({"backups": [{"id": "other"}], "total_count": 1})
NO_ANSWER: Final = ApiUnavailableError("NO_ANSWER", "no answer: TimeoutError")


class Tokens:
    """A credential with a few tokens, each newer than the one before."""

    def __init__(self, *tokens: str) -> None:
        self.tokens = list(tokens)
        self.settled: list[tuple[str, Verdict, str | None]] = []
        self.deliveries: list[Delivery] = []

    def authorize(self, request: Request, project_id: str, delivery: Delivery) -> AuthorizedRequest:
        self.deliveries.append(delivery)
        token = f"{self.tokens[0]} of {project_id}"
        name = self.tokens[0]
        return AuthorizedRequest(
            request.with_headers({"X-Auth-Token": token}),
            [redactor_of(token)],
            lambda verdict, date: self.settled.append((name, verdict, date)),
        )

    def renew(self, refused: Request, project_id: str) -> bool:
        assert refused.headers["X-Auth-Token"] == f"{self.tokens[0]} of {project_id}"
        if len(self.tokens) > 1:
            self.tokens.pop(0)
            return True
        return False


class Script:
    """What the outside answers, one after the other, and what it was asked."""

    def __init__(self, *answers: Answer | NotFinalError) -> None:
        self.answers = list(answers)
        self.requests: list[Request] = []
        self.deliveries: list[Delivery] = []

    def exchange(self, request: Request, delivery: Delivery) -> Answer:
        self.requests.append(request)
        self.deliveries.append(delivery)
        answer = self.answers.pop(0)
        if isinstance(answer, NotFinalError):
            raise answer
        return answer

    @property
    def calls(self) -> list[tuple[str, str]]:
        return [(request.method, request.url.removeprefix(ENDPOINT)) for request in self.requests]

    @property
    def tokens(self) -> list[str]:
        return [request.headers["X-Auth-Token"].partition(" ")[0] for request in self.requests]


def delivery(**facts: Any) -> Delivery:
    return Delivery(now=datetime(2026, 3, 1, 12, tzinfo=UTC), until=0, **facts)


def client(script: Script, credential: Tokens | None = None, engine: Engine = TAURUSDB) -> BackupClient:
    return BackupClient(engine, ENDPOINT, "zh-cn", credential or Tokens("t1"), script.exchange)


def test_a_deletion_is_one_authorised_request() -> None:
    script, credential, mine = Script(SUCCESS), Tokens("t1"), delivery()

    outcome = client(script, credential).delete(COMMAND, mine)

    assert outcome == Deleted(backup_name="weekly", response={"backup_id": "b1", "backup_name": "weekly"})
    assert script.calls == [DELETE]
    assert script.requests[0].headers == {"X-Language": "zh-cn", "X-Auth-Token": f"t1 of {PROJECT}"}
    assert script.deliveries == [mine]
    assert credential.settled == [("t1", Verdict.ACCEPTED, None)]


def test_a_final_refusal_is_one_call() -> None:
    script = Script(as_json({"error_code": "DBS.201208", "error_msg": "not allowed"}, status=400))

    outcome = client(script).delete(COMMAND, delivery())

    assert outcome == Failed(error_code="DBS.201208", error_msg="not allowed", http_status=400)
    assert script.calls == [DELETE]


@pytest.mark.parametrize(
    ("answer", "kind"), [(DENIED, ApiDeniedError), (BROKEN, ApiUnavailableError), (NO_ANSWER, ApiUnavailableError)]
)
def test_what_is_not_final_is_one_call(answer: Answer | NotFinalError, kind: type[NotFinalError]) -> None:
    script = Script(answer)

    with pytest.raises(kind):
        client(script).delete(COMMAND, delivery())

    assert script.calls == [DELETE]


# Read-back.


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (ACCEPTED, Deleted(response={"job_id": "j1"})),
        (Answer(204, {}, b""), Deleted()),
        (
            MAYBE_GONE,
            Deleted(absence="not_listed", response={"error_code": "DBS.290013", "error_msg": "not found"}),
        ),
        (
            MAYBE_DENIED,
            Deleted(absence="not_listed", response={"error_code": "DBS.200044", "error_msg": "not found or denied"}),
        ),
        (Answer(404, {}, b"<html>"), Deleted(absence="not_listed")),
    ],
)
def test_what_a_clean_empty_list_confirms_is_deleted(answer: Answer, outcome: Deleted) -> None:
    script = Script(answer, ABSENT)

    assert client(script).delete(COMMAND, delivery()) == outcome
    assert script.calls == [DELETE, GET]


@pytest.mark.parametrize("read_back", [LISTED, UNCLEAR, MAYBE_GONE, BROKEN, NO_ANSWER])
@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (ACCEPTED, ApiUnavailableError, "NOT_PROVEN"),
        (MAYBE_GONE, ApiUnavailableError, "DBS.290013"),
        (MAYBE_DENIED, ApiDeniedError, "DBS.200044"),
    ],
)
def test_without_that_the_answer_to_the_deletion_is_not_final(
    answer: Answer, kind: type[NotFinalError], code: str, read_back: Answer | NotFinalError
) -> None:
    script = Script(answer, read_back)

    with pytest.raises(kind) as raised:
        client(script).delete(COMMAND, delivery())

    assert raised.value.error_code == code
    assert isinstance(raised.value.__cause__, NotFinalError) == (read_back is not LISTED)
    assert script.calls == [DELETE, GET]


@pytest.mark.parametrize("answer", [ACCEPTED, MAYBE_GONE, MAYBE_DENIED])
def test_a_read_back_that_is_denied_calls_for_an_operator(answer: Answer) -> None:
    """No repeat will be clear until somebody gives the list permission."""
    with pytest.raises(ApiDeniedError, match=r"^DBS\.200010: "):
        client(Script(answer, DENIED)).delete(COMMAND, delivery())


# Finding.


def test_a_backup_is_found_by_one_call() -> None:
    script, mine = Script(LISTED), delivery()

    assert client(script).find(COMMAND, mine) == Backup(id="b1", description="")
    assert script.calls == [GET]
    assert script.requests[0].headers == {"X-Language": "zh-cn", "X-Auth-Token": f"t1 of {PROJECT}"}
    assert script.deliveries == [mine]


def test_a_backup_that_is_absent_is_not_found() -> None:
    assert client(Script(ABSENT)).find(COMMAND, delivery()) is None


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (UNCLEAR, UndecidedError),
        (DENIED, ApiDeniedError),
        (NO_ANSWER, ApiUnavailableError),
        (MAYBE_GONE, UndecidedError),
    ],
)
def test_an_unclear_list_finds_nothing_out(answer: Answer | NotFinalError, kind: type[NotFinalError]) -> None:
    with pytest.raises(kind):
        client(Script(answer)).find(COMMAND, delivery())


# Engines whose lists are per instance, or two.

IN_INSTANCE: Final = DeleteBackup(project_id=PROJECT, backup_id="b1", instance_id="i1", engine="rds")
FIND_IN_INSTANCE: Final = ("GET", f"/v3/{PROJECT}/backups?backup_id=b1&instance_id=i1")
FIND_INSTANCE: Final = ("GET", f"/v3/{PROJECT}/instances?id=i1")
INSTANCE: Final = as_json({"instances": [{"id": "i1"}], "total_count": 1})
LISTED_IN_DETAIL: Final = as_json(
    {"backups": [{"id": "b1", "instance_id": "i1", "type": "manual", "status": "COMPLETED"}], "total_count": 1}
)
TWO_LISTS: Final = [
    ("GET", f"/v4/{PROJECT}/backups?type={kind}&backup_id=b1") for kind in ("Instance", "DatabaseTable")
]


def test_a_backup_that_its_instance_s_list_has_is_found_by_one_call() -> None:
    script = Script(LISTED_IN_DETAIL)

    found = client(script, engine=RDS).find(IN_INSTANCE, delivery())

    assert found and found.id == "b1"
    assert script.calls == [FIND_IN_INSTANCE]


def test_a_backup_is_absent_from_its_instance_s_list_only_if_the_instance_is_there() -> None:
    script, mine = Script(ABSENT, INSTANCE), delivery()

    assert client(script, engine=RDS).find(IN_INSTANCE, mine) is None

    assert script.calls == [FIND_IN_INSTANCE, FIND_INSTANCE]
    assert script.tokens == ["t1", "t1"]
    assert {request.headers["X-Auth-Token"] for request in script.requests} == {f"t1 of {PROJECT}"}
    assert all(each is mine for each in script.deliveries)


@pytest.mark.parametrize(
    "instances",
    [
        [],
        [{"id": "i2"}],
        [{"id": "i1"}, {"id": "i2"}],
    ],
    ids=str,
)
def test_an_empty_list_proves_nothing_if_the_instance_is_not_there(instances: list[dict[str, str]]) -> None:
    script = Script(ABSENT, as_json({"instances": instances, "total_count": len(instances)}))

    with pytest.raises(UndecidedError) as raised:
        client(script, engine=RDS).find(IN_INSTANCE, delivery())

    assert raised.value.error_code == "UNCLEAR_LIST"
    assert raised.value.error_msg == (
        "the API does not list the event's instance, so the empty list of its backups proves nothing"
    )


def test_where_there_are_two_lists_both_are_asked() -> None:
    script = Script(ABSENT, LISTED_IN_DETAIL)

    found = client(script, engine=GEMINIDB).find(COMMAND, delivery())

    assert found and found.id == "b1"
    assert script.calls == TWO_LISTS
    assert all("X-Language" not in request.headers for request in script.requests)  # not documented for it


def test_a_backup_is_absent_only_if_both_lists_are_empty() -> None:
    assert client(Script(ABSENT, ABSENT), engine=GEMINIDB).find(COMMAND, delivery()) is None


def test_a_backup_in_both_lists_is_unclear() -> None:
    with pytest.raises(UndecidedError) as found:
        client(Script(LISTED_IN_DETAIL, LISTED_IN_DETAIL), engine=GEMINIDB).find(COMMAND, delivery())
    with pytest.raises(UndecidedError) as listed:
        client(Script(LISTED_IN_DETAIL, LISTED_IN_DETAIL), engine=GEMINIDB).manual_backups(PROJECT, "i1", delivery())

    assert [(each.value.error_code, each.value.error_msg) for each in (found, listed)] == [
        ("UNCLEAR_LIST", "two lists hold the same backup")
    ] * 2


# Renewal.


def test_a_refused_credential_is_renewed_and_the_request_sent_once_more() -> None:
    script, credential, mine = Script(REFUSED, SUCCESS), Tokens("t1", "t2"), delivery()

    outcome = client(script, credential).delete(COMMAND, mine)

    assert isinstance(outcome, Deleted)
    assert script.calls == [DELETE, DELETE]
    assert [request.headers["X-Auth-Token"] for request in script.requests] == [f"t1 of {PROJECT}", f"t2 of {PROJECT}"]
    assert script.deliveries == credential.deliveries == [mine, mine]
    assert credential.settled == [("t1", Verdict.REFUSED, None), ("t2", Verdict.ACCEPTED, None)]
    assert mine.renewed


def test_a_credential_that_cannot_be_renewed_is_not_tried_twice() -> None:
    script, mine = Script(REFUSED), delivery()

    with pytest.raises(ApiDeniedError, match=r"^APIGW\.0307: The token must be updated$"):
        client(script, Tokens("t1")).delete(COMMAND, mine)

    assert script.calls == [DELETE]
    assert not mine.renewed


def test_a_credential_is_renewed_once_and_then_an_operator_must_act() -> None:
    script, credential = Script(REFUSED, REFUSED), Tokens("t1", "t2", "t3")

    with pytest.raises(ApiDeniedError):
        client(script, credential).delete(COMMAND, delivery())

    assert script.tokens == ["t1", "t2"]
    assert credential.tokens == ["t2", "t3"]


def test_one_renewal_is_for_the_whole_delivery() -> None:
    script, mine = Script(REFUSED, LISTED, REFUSED), delivery()
    backups = client(script, Tokens("t1", "t2", "t3"))

    assert backups.find(COMMAND, mine) == Backup(id="b1", description="")
    with pytest.raises(ApiDeniedError):
        backups.delete(COMMAND, mine)

    assert script.calls == [GET, GET, DELETE]
    assert script.tokens == ["t1", "t2", "t2"]


def test_a_read_back_may_take_the_renewal() -> None:
    script = Script(ACCEPTED, REFUSED, ABSENT)

    outcome = client(script, Tokens("t1", "t2")).delete(COMMAND, delivery())

    assert outcome == Deleted(response={"job_id": "j1"})
    assert script.calls == [DELETE, GET, GET]


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (DENIED, Verdict.ACCEPTED),
        (MAYBE_DENIED, Verdict.ACCEPTED),
        (as_json({}, status=500), Verdict.UNKNOWN),
        (as_json({}, status=302), Verdict.UNKNOWN),
    ],
)
def test_another_refusal_renews_nothing(answer: Answer, verdict: Verdict) -> None:
    credential = Tokens("t1", "t2")

    with pytest.raises(NotFinalError):
        client(Script(answer, UNCLEAR), credential).delete(COMMAND, delivery())

    assert credential.tokens == ["t1", "t2"]
    assert credential.settled[0] == ("t1", verdict, None)


def test_a_credential_learns_the_date_of_the_answer() -> None:
    credential = Tokens("t1")

    client(Script(Answer(200, {"date": "today"}, SUCCESS.body)), credential).delete(COMMAND, delivery())

    assert credential.settled == [("t1", Verdict.ACCEPTED, "today")]


def test_a_credential_learns_that_there_was_no_answer() -> None:
    credential = Tokens("t1")

    with pytest.raises(ApiUnavailableError):
        client(Script(NO_ANSWER), credential).delete(COMMAND, delivery())

    assert credential.settled == [("t1", Verdict.UNANSWERED, None)]


def test_a_secret_that_the_api_echoes_is_not_passed_on() -> None:
    echo = as_json({"error_code": "DBS.201208", "error_msg": f"bad: t1 of {PROJECT}"}, status=400)

    outcome = client(Script(echo)).delete(COMMAND, delivery())

    assert outcome == Failed(error_code="DBS.201208", error_msg="bad: [redacted]", http_status=400)


def test_a_trace_goes_with_every_call() -> None:
    script = Script(REFUSED, ACCEPTED, ABSENT)

    client(script, Tokens("t1", "t2")).delete(COMMAND, delivery(traceparent="00-1-2-01"))

    assert [request.headers["traceparent"] for request in script.requests] == ["00-1-2-01"] * 3


# Paging: pages are merged by id; what shifts while it is read is not final.


Pages = list[tuple[list[str], int]]


def pages(pages: Pages) -> Script:
    return Script(*(as_json({"backups": [{"id": id} for id in ids], "total_count": count}) for ids, count in pages))


@pytest.mark.parametrize(
    ("read", "ids", "offsets"),
    [
        ([([], 0)], [], [0]),
        ([(["a", "b"], 2)], ["a", "b"], [0]),
        ([(["a", "b"], 5), (["c", "d"], 5), (["e"], 5)], ["a", "b", "c", "d", "e"], [0, 2, 4]),
    ],
)
def test_pages_are_read_until_all_backups_are_there(read: Pages, ids: list[str], offsets: list[int]) -> None:
    script, mine = pages(read), delivery()

    backups = client(script).manual_backups(PROJECT, "i1", mine)

    assert backups == [Backup(id=id, description="") for id in ids]
    assert all(each is mine for each in script.deliveries)
    assert [parse_qs(urlsplit(request.url).query) for request in script.requests] == [
        {"instance_id": ["i1"], "backup_type": ["manual"], "offset": [str(offset)], "limit": ["100"]}
        for offset in offsets
    ]
    assert {urlsplit(request.url).path for request in script.requests} == {f"/v3/{PROJECT}/backups"}
    assert all(request.headers["X-Language"] == "zh-cn" for request in script.requests)
    assert {request.headers["X-Auth-Token"] for request in script.requests} == {f"t1 of {PROJECT}"}


@pytest.mark.parametrize(
    "read",
    [
        [(["a"], 0)],
        [(["a", "b"], 1)],
        [(["a", "a"], 2)],
        [(["a", "a"], 1)],
        [([], 1)],
        [([], -1)],
        [(["a"], 2), ([], 2)],
        [(["a"], 2), (["a"], 2)],
        [(["a", "b"], 3), (["b", "c"], 3)],
        [(["a"], 2), (["b"], 3)],
        [(["a"], 3), (["b"], 2)],
        [(["a"], 2), (["b", "c"], 2)],
    ],
    ids=str,
)
def test_pages_that_do_not_make_one_list_are_undecided(read: Pages) -> None:
    script = pages(read)

    with pytest.raises(UndecidedError) as raised:
        client(script).manual_backups(PROJECT, "i1", delivery())

    assert raised.value.error_code == "UNCLEAR_LIST"
    assert raised.value.error_msg == "the list of backups changed while it was read"
    assert not script.answers


def test_a_list_without_end_is_not_followed() -> None:
    script = pages([([str(number)], 1000) for number in range(MAX_PAGES + 1)])

    with pytest.raises(UndecidedError) as raised:
        client(script).manual_backups(PROJECT, "i1", delivery())

    assert raised.value.error_code == "UNCLEAR_LIST"
    assert raised.value.error_msg == "the instance has more than 20 pages of manual backups"
    assert len(script.requests) == MAX_PAGES


def test_the_last_page_that_is_followed_may_end_the_list() -> None:
    script = pages([([str(number)], MAX_PAGES) for number in range(MAX_PAGES)])

    assert len(client(script).manual_backups(PROJECT, "i1", delivery())) == MAX_PAGES


# What is logged.


def logged(caplog: pytest.LogCaptureFixture, answer: Answer) -> list[tuple[int, str, object]]:
    with caplog.at_level(logging.INFO):
        client(Script(answer)).delete(COMMAND, delivery(backup_id="b1"))
    return [(record.levelno, record.message, vars(record).get("backup.id")) for record in caplog.records]


def test_a_deletion_leaves_a_trail_before_it_happens(caplog: pytest.LogCaptureFixture) -> None:
    assert logged(caplog, SUCCESS) == [(logging.INFO, "deleting backup b1", "b1")]


def test_another_id_in_the_answer_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    """Still deleted; the API page's own example shows that."""
    _, *rest = logged(caplog, as_json({"backup_id": "b2"}))

    assert rest == [(logging.WARNING, "the API deleted b1 and called it b2", "b1")]


def test_an_absence_is_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    answer = as_json({"error_code": "DBS.201010", "error_msg": "no backup information"}, status=404)

    assert len(logged(caplog, answer)) == 1


# All of it.

anything = answers | st.sampled_from(
    [SUCCESS, ACCEPTED, MAYBE_GONE, MAYBE_DENIED, REFUSED, DENIED, ABSENT, LISTED, UNCLEAR, NO_ANSWER]
)


@given(st.lists(anything, min_size=6, max_size=6), st.integers(1, 3), st.booleans())
def test_whatever_comes_the_calls_of_a_delivery_are_bounded(
    answers: list[Answer | NotFinalError], tokens: int, reads_first: bool
) -> None:
    """Two DELETEs; one pre-read, one read-back, and once a call that is repeated after the renewal."""
    script, mine = Script(*answers), delivery()
    backups = client(script, Tokens(*"abc"[:tokens]))
    steps: list[Callable[[DeleteBackup, Delivery], object]] = [backups.find] * reads_first + [backups.delete]
    try:
        for step in steps:
            step(COMMAND, mine)
    except NotFinalError:
        pass

    renewals = 1 if tokens > 1 else 0
    assert script.calls.count(DELETE) <= 1 + renewals
    assert script.calls.count(GET) <= 1 + reads_first + renewals
    assert len(script.calls) <= 2 + reads_first + renewals
    assert {*script.calls} <= {DELETE, GET}
