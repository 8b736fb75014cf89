"""The whole walk, over HTTP at both ends: an event comes in, a backup is gone or is not, an answer says which.

The simulator's own behaviour is tested in unit/test_simulator.py.
"""

import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from simulator import Backup, Fault, Simulator, Throttle
from simulator.processes import ROOT, Running
from tests.conftest import TOKEN, RunFunction
from tests.facts.account import BACKUP, INSTANCE, PROJECT
from tests.wire.deliverer import (
    DELETED,
    EXPIRED,
    FAILED,
    SKIPPED,
    STRUCTURED,
    Envelope,
    Mode,
    Reply,
    deliver,
    encode,
    expired_event,
    send,
)

OTHER_INSTANCE = "d2f8a6c04b1e4937a5c3e0b7f9d18264in07"
OTHER_PROJECT = "9c3b1f7a52d84e06a1f0c7d2b85e6a13"
AUTOMATED = "c0c9f155c7b7423a9d30f0175998b63bbr07"
BUILDING = "5d0c7b3e8f2a4c169be0a1d4f7c83925br07"
UNKNOWN = "00000000000000000000000000000000br07"
BOTH_MODES = pytest.mark.parametrize("mode", ["binary", "structured"])
DELETION, LIST = rf"^/v3/{PROJECT}/backups/{BACKUP}$", r"\?backup_id="


@pytest.fixture
def before(simulator: Simulator) -> list[Backup]:
    """All backups of the account before anything is delivered."""
    return all_backups(simulator)


def all_backups(simulator: Simulator) -> list[Backup]:
    return [backup for project_id in (PROJECT, OTHER_PROJECT) for backup in simulator.backups(project_id)]


def without(backups: list[Backup], backup_id: str) -> list[Backup]:
    left = [backup for backup in backups if backup.id != backup_id]
    assert len(left) == len(backups) - 1
    return left


def refuse(status: int, body: object = None, **more: Any) -> Fault:
    """The DELETE is answered so, once, and not carried out."""
    return Fault(method="DELETE", status=status, body=body, **more)


def error(code: str, message: str = "as the API says") -> dict[str, str]:
    return {"error_code": code, "error_msg": message}


class TestADeletion:
    @BOTH_MODES
    def test_deletes_this_one_backup_and_answers_in_the_mode_of_the_request(
        self, simulator: Simulator, function: Running, before: list[Backup], mode: Mode
    ) -> None:
        event = expired_event()
        began = datetime.now(UTC)

        reply = deliver(function.url, event, mode)

        assert all_backups(simulator) == without(before, BACKUP)
        assert reply.headers["content-type"] == {"binary": "application/json", "structured": STRUCTURED}[mode]
        judged = reply.judged
        assert judged["specversion"] == "1.0"
        assert judged["type"] == DELETED
        assert judged["source"] == "/backup-reaper"
        assert judged["subject"] == BACKUP
        assert judged["causationid"] == event["id"]
        assert began <= datetime.fromisoformat(judged["time"]) <= datetime.now(UTC)
        assert judged.data["project_id"] == PROJECT
        assert judged.data["backup_id"] == BACKUP
        assert judged.data["request"] == {name: event[name] for name in ("source", "id", "type")}
        assert judged.data["already_absent"] is False
        assert "absence" not in judged.data
        assert judged.data["backup_name"] == "backup-f3c1"
        assert judged.data["response"] == {"backup_id": BACKUP, "backup_name": "backup-f3c1"}
        assert judged.data["request_id"]

    @BOTH_MODES
    def test_of_the_api_page_s_own_example_brings_its_body_back_unchanged(
        self, simulator: Simulator, function: Running, before: list[Backup], mode: Mode
    ) -> None:
        # deleting-a-manual-backup.txt: the example's answer names another backup than its request.
        body = '{"backup_id" : "b1182ccdda034f2b9535f3dca5c47e71br07","backup_name" : "backup-f3c1"}'
        simulator.fault(refuse(200, body, headers={"Content-Type": "application/json"}, takes_effect=True))

        reply = deliver(function.url, expired_event(), mode)

        assert all_backups(simulator) == without(before, BACKUP)
        assert reply.event["type"] == DELETED
        assert reply.event["subject"] == BACKUP
        assert reply.event["data"]["already_absent"] is False
        assert reply.event["data"]["response"] == json.loads(body)

    def test_brings_back_whatever_the_api_s_body_holds_in_its_order(
        self, simulator: Simulator, function: Running
    ) -> None:
        body = (
            '{"zeta": [1, -2.5, 12345678901234567890, null, true, {"z": "", "a": "\\u0000\\"\\\\/"}],'
            f' "backup_id": "{BACKUP}", "backup_name": "Übertrag 备份 \U0001f4be", "alpha": {{}}}}'
        )
        simulator.fault(refuse(200, body, takes_effect=True))

        response = deliver(function.url, expired_event()).event["data"]["response"]

        assert json.dumps(response) == json.dumps(json.loads(body))

    def test_delivered_twice_is_one_deletion_and_one_result_id(
        self, simulator: Simulator, function: Running, before: list[Backup]
    ) -> None:
        event = expired_event()

        first, second = deliver(function.url, event).event, deliver(function.url, event).event

        assert all_backups(simulator) == without(before, BACKUP)
        assert first["type"] == second["type"] == DELETED
        assert first["id"] == second["id"]
        assert first["data"]["already_absent"] is False
        assert second["data"]["already_absent"] is True
        assert second["data"]["absence"] == "stated"

    def test_has_the_same_result_id_in_either_mode_and_another_for_another_request(self, function: Running) -> None:
        event = expired_event()
        deliveries: list[tuple[Envelope, Mode]] = [
            (event, "binary"),
            (event, "structured"),
            ({**event, "id": "another"}, "structured"),
            ({**event, "source": "/another"}, "structured"),
            ({**event, "data": {**event["data"], "backup_id": UNKNOWN}}, "structured"),
        ]

        same, again, *others = [deliver(function.url, sent, mode).event["id"] for sent, mode in deliveries]

        assert same == again
        assert len({same, *others}) == 4

    @BOTH_MODES
    def test_carries_the_trace_and_the_correlation_over(self, function: Running, mode: Mode) -> None:
        carried: dict[str, Any] = {
            "correlationid": "retention run 7, Zürich",
            "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "tracestate": "rojo=00f067aa0ba902b7",
        }

        result = deliver(function.url, expired_event(**carried, partitionkey="not carried"), mode).event

        assert {name: result.get(name) for name in carried} == carried
        assert "partitionkey" not in result

    def test_can_be_asked_for_on_any_path(self, simulator: Simulator, function: Running, before: list[Backup]) -> None:
        assert deliver(function.url, expired_event(), path="/any/path?at=all").event["type"] == DELETED
        assert all_backups(simulator) == without(before, BACKUP)

    def test_takes_members_and_attributes_it_does_not_know_for_nothing(
        self, simulator: Simulator, function: Running, before: list[Backup]
    ) -> None:
        event = expired_event(
            subject="whatever", members={"endpoint": "http://elsewhere.example", "force": True}, region="x"
        )

        assert deliver(function.url, event).event["type"] == DELETED
        assert all_backups(simulator) == without(before, BACKUP)


class TestWhatTheApiSays:
    @pytest.mark.parametrize("code", ["DBS.201203", "DBS.201010"])  # 400 and 404
    def test_of_an_absent_backup_is_believed_where_it_is_a_statement(
        self, simulator: Simulator, function: Running, before: list[Backup], code: str
    ) -> None:
        simulator.account.absent = code

        data = deliver(function.url, expired_event(backup_id=UNKNOWN)).event["data"]

        assert (data["already_absent"], data["absence"]) == (True, "stated")
        assert data["response"]["error_code"] == code
        assert simulator.count("GET") == 0
        assert all_backups(simulator) == before

    @pytest.mark.parametrize("code", ["DBS.280214", "DBS.200044"])  # 400 and 403
    def test_of_an_absent_backup_is_read_back_where_it_may_mean_something_else(
        self, simulator: Simulator, function: Running, before: list[Backup], code: str
    ) -> None:
        simulator.account.absent = code

        data = deliver(function.url, expired_event(backup_id=UNKNOWN)).event["data"]

        assert (data["already_absent"], data["absence"]) == (True, "not_listed")
        assert data["response"]["error_code"] == code
        assert all_backups(simulator) == before

    @pytest.mark.parametrize(
        ("status", "body", "code"),
        [
            (404, error("DBS.290013"), "DBS.290013"),
            (404, error("DBS.200751"), "DBS.200751"),  # a sibling's word for gone proves nothing here
            (404, "<html>Not Found</html>", "NO_ERROR_CODE"),
            (400, error("DBS.280214"), "DBS.280214"),
            (403, error("DBS.200044"), "DBS.200044"),
            (403, error("DBS.201003"), "DBS.201003"),
            (403, error("DBS.280015"), "DBS.280015"),
        ],
    )
    def test_may_mean_gone_but_a_backup_that_is_listed_is_there(
        self, simulator: Simulator, function: Running, before: list[Backup], status: int, body: object, code: str
    ) -> None:
        simulator.fault(refuse(status, body))

        reply = deliver(function.url, expired_event())

        assert (reply.status, reply.problem["error_code"]) == (503, code)
        assert all_backups(simulator) == before

    @pytest.mark.parametrize(
        ("status", "body", "code", "message"),
        [
            (400, error("DBS.201208"), "DBS.201208", "as the API says"),
            (
                400,
                error("DBS.280001", "Parameter error. 参数错误 \U0001f4be"),
                "DBS.280001",
                "Parameter error. 参数错误 \U0001f4be",
            ),
            (400, error("DBS.999999"), "DBS.999999", "as the API says"),
            (422, error("DBS.999999"), "DBS.999999", "as the API says"),
        ],
    )
    def test_is_final_where_it_lies_in_the_event_or_the_backup(
        self,
        simulator: Simulator,
        function: Running,
        before: list[Backup],
        status: int,
        body: object,
        code: str,
        message: str,
    ) -> None:
        simulator.fault(refuse(status, body, headers={"X-Request-Id": "the-api-s-own"}))

        result = deliver(function.url, expired_event()).event

        assert result["type"] == FAILED
        assert result["subject"] == BACKUP
        assert result["data"]["error_code"] == code
        assert result["data"]["error_msg"] == message
        assert result["data"]["http_status"] == status
        assert result["data"]["request_id"] == "the-api-s-own"
        assert all_backups(simulator) == before

    @pytest.mark.parametrize(
        ("status", "body", "code"),
        [
            (418, "<html>Request blocked</html>", "NO_ERROR_CODE"),  # a web application firewall
            (421, "", "NO_ERROR_CODE"),  # a load balancer
            (405, "<html>405 Not Allowed</html>", "NO_ERROR_CODE"),  # a web server
            (400, "<html>400 Bad Request</html>", "NO_ERROR_CODE"),  # a front door
            (405, {"code": 405}, "405"),  # another program
            (400, {"error": {"code": 400, "message": "nested", "title": "Bad Request"}}, "400"),
            (400, {"errCode": "RDS.1102", "externalMessage": "of old"}, "RDS.1102"),
            (409, error("DBS.999999"), "DBS.999999"),
            (413, error("DBS.999999"), "DBS.999999"),
            (400, error("APIGW.0201"), "APIGW.0201"),
            (400, error("APIG.0201"), "APIG.0201"),
            (400, error("IAM.0011"), "IAM.0011"),
        ],
    )
    def test_that_is_not_the_api_s_own_refusal_uses_no_event_up(
        self, simulator: Simulator, function: Running, before: list[Backup], status: int, body: object, code: str
    ) -> None:
        simulator.fault(refuse(status, body))

        reply = deliver(function.url, expired_event())

        assert (reply.status, reply.problem["error_code"]) == (503, code)
        assert all_backups(simulator) == before
        assert deliver(function.url, expired_event()).event["type"] == DELETED

    def test_of_an_automated_backup_is_final(
        self, simulator: Simulator, function: Running, before: list[Backup]
    ) -> None:
        event = expired_event(backup_id=AUTOMATED)

        first, second = deliver(function.url, event).event, deliver(function.url, event).event

        assert first["type"] == second["type"] == FAILED
        assert first["id"] == second["id"]
        assert first["data"]["http_status"] == 400
        assert all_backups(simulator) == before

    def test_comes_in_the_language_that_is_configured(
        self, simulator: Simulator, run: RunFunction, settings: Mapping[str, str]
    ) -> None:
        function = run({**settings, "REAPER_API_LANGUAGE": "zh-cn"})

        data = deliver(function.url, expired_event(backup_id=AUTOMATED)).event["data"]

        assert data["error_msg"] == "备份状态不允许该操作。"

    @pytest.mark.parametrize(
        ("status", "body", "code"),
        [
            (400, error("DBS.280449"), "DBS.280449"),  # the account is frozen
            (401, error("APIGW.0301"), "APIGW.0301"),
            (401, error("APIG.0307"), "APIG.0307"),
            (401, "", "NO_ERROR_CODE"),
            (403, error("DBS.200010"), "DBS.200010"),
            (403, error("DBS.280056"), "DBS.280056"),  # a token that is refused as 403
            (403, error("APIGW.0306"), "APIGW.0306"),
            (403, error("XYZ.0001"), "XYZ.0001"),
            (404, error("APIGW.0101"), "APIGW.0101"),  # a wrong host or path, never a backup that is gone
            (404, error("APIG.0101"), "APIG.0101"),
            (407, "", "NO_ERROR_CODE"),
            (408, "", "NO_ERROR_CODE"),
            (409, error("DBS.201205"), "DBS.201205"),
            (425, "", "NO_ERROR_CODE"),
            (500, error("DBS.05000000"), "DBS.05000000"),
            (500, error("DBS.201203"), "DBS.201203"),  # code and status count as a pair
            (502, "<html>Bad Gateway</html>", "NO_ERROR_CODE"),
            (503, error("APIGW.0613"), "APIGW.0613"),
            (504, "", "NO_ERROR_CODE"),
            (300, "", "NO_ERROR_CODE"),
            (304, "", "NO_ERROR_CODE"),
            (307, "", "NO_ERROR_CODE"),
            (200, "<html>Welcome</html>", "BROKEN_ANSWER"),
            (200, [], "BROKEN_ANSWER"),
            (202, "accepted", "BROKEN_ANSWER"),
        ],
    )
    def test_is_not_final_where_somebody_can_mend_it(
        self, simulator: Simulator, function: Running, before: list[Backup], status: int, body: object, code: str
    ) -> None:
        simulator.fault(refuse(status, body, headers={"Location": "/elsewhere"} if 300 <= status < 400 else {}))
        event = expired_event()

        reply = deliver(function.url, event)

        assert (reply.status, reply.problem["error_code"]) == (503, code)
        assert 0 < reply.retry_after <= 300
        assert all_backups(simulator) == before
        assert deliver(function.url, event).event["data"]["already_absent"] is False
        assert all_backups(simulator) == without(before, BACKUP)

    def test_of_a_token_that_is_no_longer_good_keeps_the_event_for_later(
        self, simulator: Simulator, function: Running, before: list[Backup]
    ) -> None:
        simulator.revoke_tokens()

        reply = deliver(function.url, expired_event())

        assert (reply.status, reply.problem["error_code"]) == (503, "APIGW.0307")
        assert simulator.count() == 1  # a ready token cannot be renewed: it is not tried twice
        assert all_backups(simulator) == before

    def test_of_a_project_out_of_reach_keeps_the_event_for_later(
        self, simulator: Simulator, function: Running, before: list[Backup]
    ) -> None:
        reply = deliver(function.url, expired_event(project_id="0" * 32))

        assert (reply.status, reply.problem["error_code"]) == (503, "DBS.200010")
        assert all_backups(simulator) == before

    def test_of_a_backup_that_is_being_created_keeps_the_event_for_later(
        self, simulator: Simulator, function: Running, before: list[Backup]
    ) -> None:
        reply = deliver(function.url, expired_event(backup_id=BUILDING))

        assert (reply.status, reply.problem["error_code"]) == (503, "DBS.201205")
        assert all_backups(simulator) == before

    def test_of_too_many_requests_is_passed_on(
        self, simulator: Simulator, function: Running, before: list[Backup]
    ) -> None:
        simulator.account.throttle = Throttle(limit=1, seconds=300, retry_after=17)
        event = expired_event()

        first, second = deliver(function.url, expired_event(backup_id=UNKNOWN)), deliver(function.url, event)

        assert first.status == 200
        assert (second.status, second.problem["error_code"]) == (429, "APIGW.0308")
        assert second.retry_after == 17
        assert all_backups(simulator) == before
        simulator.advance(300)
        assert deliver(function.url, event).event["type"] == DELETED
        assert all_backups(simulator) == without(before, BACKUP)


class TestARetryAfter:
    """RFC 9110 §10.2.3; we cap it at 300 s."""

    @pytest.mark.parametrize("status", [429, 503])
    @pytest.mark.parametrize(
        ("value", "least", "most"),
        [
            ("0", 0, 1),
            ("7", 7, 7),
            ("300", 300, 300),
            ("301", 300, 300),
            ("86400", 300, 300),
            ("9" * 5000, 1, 300),
            (timedelta(seconds=120), 100, 120),
            (timedelta(days=400), 300, 300),
            (timedelta(days=-1), 0, 1),
            (None, 1, 300),
            ("", 1, 300),
            ("soon", 1, 300),
            ("-5", 1, 300),
            ("1.5", 1, 300),
            ("7, 9", 1, 300),
            ("Mon, 99 Foo 2026 99:99:99 GMT", 1, 300),
            ("Mon, 01 Jan 0001 00:00:00 +9999", 0, 300),
            ("Fri, 31 Dec 9999 23:59:59 GMT", 300, 300),
            ("\xb2\xb3", 1, 300),
        ],
        ids=lambda value: str(value)[:30] if isinstance(value, (str, timedelta)) else None,
    )
    def test_is_passed_on_if_it_can_be_read_and_is_never_missing(
        self, simulator: Simulator, function: Running, status: int, value: str | timedelta | None, least: int, most: int
    ) -> None:
        if isinstance(value, timedelta):
            value = format_datetime(datetime.now(UTC) + value, usegmt=True)
        headers = {} if value is None else {"Retry-After": value}
        simulator.fault(refuse(status, error("APIGW.0308"), headers=headers))

        reply = deliver(function.url, expired_event())

        assert reply.status == status
        assert least <= reply.retry_after <= most


class TestNoAnswer:
    """The deletion may have happened: the function does not guess, the event comes again."""

    @pytest.mark.parametrize("takes_effect", [False, True], ids=["before", "after"])
    @pytest.mark.parametrize("silence", ["drop", "hang"])
    def test_is_not_final_whether_it_went_missing_before_or_after_the_deletion(
        self,
        simulator: Simulator,
        hasty_function: Running,
        before: list[Backup],
        silence: str,
        takes_effect: bool,
    ) -> None:
        simulator.fault(
            Fault(method="DELETE", drop=silence == "drop", hang=silence == "hang", takes_effect=takes_effect)
        )
        event = expired_event()

        reply = deliver(hasty_function.url, event)

        assert (reply.status, reply.problem["error_code"]) == (503, "NO_ANSWER")
        assert 0 < reply.retry_after <= 300
        assert reply.seconds < 2.0
        assert simulator.count("DELETE") == 1  # the broker owns retries
        assert all_backups(simulator) == (without(before, BACKUP) if takes_effect else before)
        again = deliver(hasty_function.url, event).event["data"]
        assert again["already_absent"] is takes_effect
        assert all_backups(simulator) == without(before, BACKUP)

    def test_but_an_error_after_the_deletion_is_not_final_either(
        self, simulator: Simulator, function: Running, before: list[Backup]
    ) -> None:
        simulator.fault(refuse(500, error("DBS.200005"), takes_effect=True))
        event = expired_event()

        assert deliver(function.url, event).status == 503
        assert all_backups(simulator) == without(before, BACKUP)
        assert deliver(function.url, event).event["data"]["absence"] == "stated"

    def test_because_there_is_no_network_is_not_final(self, run: RunFunction, settings: Mapping[str, str]) -> None:
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))  # and does not listen
            endpoint = f"http://127.0.0.1:{closed.getsockname()[1]}"
            function = run({**settings, "REAPER_API_ENDPOINT": endpoint})

            reply = deliver(function.url, expired_event())

        assert (reply.status, reply.problem["error_code"]) == (503, "NO_ANSWER")
        assert 0 < reply.retry_after <= 300
        assert TOKEN not in function.output


class TestAReadBack:
    """An acceptance is no proof; a clean empty list is, and exactly our backup is the proof of the contrary."""

    @pytest.mark.parametrize(
        ("status", "body"),
        [
            (200, None),
            (200, {}),
            (200, {"job_id": "a"}),
            (200, {"backup_id": 5}),
            (200, {"backup_id": BACKUP, **error("DBS.200005")}),
            (202, None),
            (202, {"backup_id": BACKUP}),
            (204, None),
        ],
    )
    def test_decides_what_an_acceptance_was_worth(
        self, simulator: Simulator, function: Running, before: list[Backup], status: int, body: object
    ) -> None:
        event = expired_event()
        simulator.fault(refuse(status, body))

        refused = deliver(function.url, event)

        assert (refused.status, refused.problem["error_code"]) == (503, "NOT_PROVEN")
        assert all_backups(simulator) == before
        simulator.fault(refuse(status, body, takes_effect=True))
        data = deliver(function.url, event).event["data"]
        assert data["already_absent"] is False
        assert data.get("response") == (body or None)
        assert all_backups(simulator) == without(before, BACKUP)

    @pytest.mark.parametrize(
        ("status", "body"),
        [
            (200, {"backups": []}),
            (200, {"backups": [], "total_count": 1}),
            (200, {"backups": [], "total_count": -1}),
            (200, {"backups": [], "total_count": "0"}),
            (200, {"backups": [], "total_count": 0.0}),
            (200, {"backups": [], "total_count": False}),
            (200, {"backups": [], "total_count": None}),
            (200, {"backups": None, "total_count": 0}),
            (200, {"backups": {}, "total_count": 0}),
            (200, {"backups": "", "total_count": 0}),
            (200, {"total_count": 0}),
            (200, {"backups": [{"id": UNKNOWN}], "total_count": 1}),  # the filter was ignored
            (200, {"backups": [{"id": BACKUP.upper()}], "total_count": 1}),
            (200, {"backups": [{"id": BACKUP}, {"id": UNKNOWN}], "total_count": 2}),
            (200, {"backups": [{}], "total_count": 1}),
            (200, {"backups": [None], "total_count": 1}),
            (200, {"backups": [[]], "total_count": 0}),
            (200, []),
            (200, "<html>no backups here</html>"),
            (200, None),
            (202, {"backups": [], "total_count": 0}),
            (204, None),
            (302, {"backups": [], "total_count": 0}),
            (400, error("DBS.201203")),
            (401, error("APIGW.0307")),
            (403, error("DBS.200010")),
            (404, error("DBS.201010")),
            (404, {"backups": [], "total_count": 0}),
            (429, error("APIGW.0308")),
            (500, {"backups": [], "total_count": 0}),
        ],
    )
    def test_that_is_unclear_proves_nothing(
        self, simulator: Simulator, function: Running, status: int, body: object
    ) -> None:
        simulator.fault(
            refuse(202, takes_effect=True),
            Fault(method="GET", path=LIST, status=status, body=body),
        )

        reply = deliver(function.url, expired_event())

        assert reply.status in (429, 503)
        assert reply.problem
        assert 0 < reply.retry_after <= 300

    @pytest.mark.parametrize("silence", [{"hang": True}, {"drop": True}], ids=["hang", "drop"])
    def test_without_answer_proves_nothing(
        self, simulator: Simulator, hasty_function: Running, silence: Mapping[str, Any]
    ) -> None:
        simulator.fault(refuse(202, takes_effect=True), Fault(method="GET", path=LIST, **silence))
        event = expired_event()

        reply = deliver(hasty_function.url, event)

        assert (reply.status, reply.problem["error_code"]) == (503, "NOT_PROVEN")
        assert reply.seconds < 2.0
        assert deliver(hasty_function.url, event).event["data"]["absence"] == "stated"

    def test_asks_for_this_one_backup_of_this_project(self, simulator: Simulator, function: Running) -> None:
        simulator.fault(refuse(202))

        deliver(function.url, expired_event())

        assert [(call.method, call.path) for call in simulator.calls] == [
            ("DELETE", f"/v3/{PROJECT}/backups/{BACKUP}"),
            ("GET", f"/v3/{PROJECT}/backups?backup_id={BACKUP}"),
        ]


class TestTheRequestToTheApi:
    def test_is_exactly_as_the_page_says(self, simulator: Simulator, function: Running) -> None:
        deliver(function.url, expired_event(), headers={"X-Auth-Token": "of the deliverer", "Cookie": "a=b"})

        (call,) = simulator.calls
        assert (call.method, call.path, call.body) == ("DELETE", f"/v3/{PROJECT}/backups/{BACKUP}", b"")
        assert call.headers.get_all("X-Auth-Token") == [TOKEN]
        assert call.headers.get_all("X-Language") == ["en-us"]
        assert call.headers.get_all("Host") == [simulator.url.removeprefix("http://")]
        assert call.headers.get_all("Accept-Encoding") == ["identity"]  # nothing needs to be unpacked
        assert "Cookie" not in call.headers
        assert "Transfer-Encoding" not in call.headers


PARAMETERS_THAT_ARE_NO_ID = ["", None, 5, True, ["x"], {"id": "x"}, " ", "ü", "a b", "a\n", "\na", "a\0", "a_b"]
PATHS = [".", "..", "../backups", "a/b", "a/", "/", "%2e%2e", "a%2fb", "a?b", "a#b", "a;b", "a\\b", "a.b", "a@b", "a:b"]


class TestAnEventThatDoesNotFit:
    """It is ours, and nobody can mend it by asking again: final, and the cloud was not asked."""

    def check(self, simulator: Simulator, before: list[Backup], reply: Reply, *names: str) -> None:
        result = reply.event
        assert result["type"] == FAILED
        assert result["data"]["error_code"] == "INVALID_EVENT"
        assert "http_status" not in result["data"]
        for name in names:
            assert name in result["data"]["error_msg"]
        assert all_backups(simulator) == before
        assert simulator.calls == []

    @pytest.mark.parametrize(
        "backup_id", [*PARAMETERS_THAT_ARE_NO_ID, *PATHS, "x" * 65, "\uff11", BACKUP + "\n"], ids=ascii
    )
    @BOTH_MODES
    def test_names_its_backup_id(
        self, simulator: Simulator, function: Running, before: list[Backup], backup_id: object, mode: Mode
    ) -> None:
        reply = deliver(function.url, expired_event(backup_id=backup_id), mode)

        self.check(simulator, before, reply, "backup_id")
        assert "subject" not in reply.event
        assert "backup_id" not in reply.event["data"] or reply.event["data"]["backup_id"] is None

    @pytest.mark.parametrize(
        "project_id",
        [*PARAMETERS_THAT_ARE_NO_ID, PROJECT[:31], PROJECT + "0", PROJECT[:31] + "-", "\uff11" * 32],
        ids=ascii,
    )
    def test_names_its_project_id(
        self, simulator: Simulator, function: Running, before: list[Backup], project_id: object
    ) -> None:
        reply = deliver(function.url, expired_event(project_id=project_id))

        self.check(simulator, before, reply, "project_id")
        assert reply.event["subject"] == BACKUP

    @pytest.mark.parametrize(
        ("member", "value"),
        [
            ("instance_id", ""),
            ("instance_id", None),
            ("instance_id", "a/b"),
            ("instance_id", 7),
            ("dry_run", "true"),
            ("dry_run", 1),
            ("dry_run", 0),
            ("dry_run", None),
            ("dryRun", True),
            ("DRY_RUN", True),
            ("dry-run", False),
            ("dryrun", True),
            ("_dry__run_", True),
            ("instanceId", INSTANCE),
            ("Instance-ID", INSTANCE),
            ("backupId", UNKNOWN),
            ("projectID", OTHER_PROJECT),
        ],
    )
    def test_names_a_member_that_could_have_made_the_run_safer(
        self, simulator: Simulator, function: Running, before: list[Backup], member: str, value: object
    ) -> None:
        self.check(simulator, before, deliver(function.url, expired_event(members={member: value})), member)

    def test_names_every_fault_at_once(self, simulator: Simulator, function: Running, before: list[Backup]) -> None:
        event = expired_event(data={"backup_id": "..", "dry_run": "yes"}, expirytime="tomorrow")

        self.check(simulator, before, deliver(function.url, event), "project_id", "backup_id", "dry_run", "expirytime")

    @pytest.mark.parametrize("data", [None, [], [{}], "text", 5, True, {}], ids=ascii)
    @BOTH_MODES
    def test_may_have_no_object_for_data(
        self, simulator: Simulator, function: Running, before: list[Backup], data: object, mode: Mode
    ) -> None:
        self.check(simulator, before, deliver(function.url, expired_event(data=data), mode), "data")

    @pytest.mark.parametrize(
        "body",
        [
            b"{",
            b"null",
            b"\xff\xfe",
            b'{"backup_id": "a", "backup_id": "b", "project_id": "' + b"0" * 32 + b'"}',
            b'{"dry_run": NaN, "backup_id": "a", "project_id": "' + b"0" * 32 + b'"}',
            b"[" * 30000,
        ],
        ids=lambda body: ascii(body[:20]),
    )
    def test_may_have_broken_json_for_data_in_binary_mode(
        self, simulator: Simulator, function: Running, before: list[Backup], body: bytes
    ) -> None:
        headers, _ = encode(expired_event(), "binary")

        self.check(simulator, before, send(function.url, body, headers=headers), "data")


class TestWhatIsNoEvent:
    """It is answered 400 or 415 with problem details, and never with an event."""

    @pytest.mark.parametrize(
        ("change", "word"),
        [
            ({"specversion": None}, "specversion"),
            ({"specversion": "0.3"}, "specversion"),
            ({"specversion": 1}, "specversion"),
            ({"id": None}, "id"),
            ({"id": ""}, "id"),
            ({"id": 7}, "id"),
            ({"source": None}, "source"),
            ({"source": "not a uri"}, "source"),
            ({"type": None}, "type"),
            ({"type": ""}, "type"),
            ({"type": "dev.example.something.else.v1"}, "type"),
            ({"type": EXPIRED.upper()}, "type"),
            ({"time": "yesterday"}, "time"),
            ({"time": "2026-11-23T10:00:00"}, "time"),
            ({"my_extension": "a"}, "my_extension"),
            ({"myExtension": "a"}, "myExtension"),
            ({"extension": {"nested": True}}, "extension"),
            ({"data_base64": "e30="}, "data"),
        ],
        ids=str,
    )
    def test_is_refused_with_the_rule_that_is_broken(
        self, simulator: Simulator, function: Running, before: list[Backup], change: dict[str, Any], word: str
    ) -> None:
        reply = deliver(function.url, expired_event(**change))

        assert reply.status == 400
        assert word in reply.problem["error_msg"]
        assert all_backups(simulator) == before
        assert simulator.calls == []

    @pytest.mark.parametrize("result_type", [DELETED, FAILED, SKIPPED])
    @BOTH_MODES
    def test_is_one_of_our_own_results(
        self, simulator: Simulator, function: Running, result_type: str, mode: Mode
    ) -> None:
        reply = deliver(function.url, expired_event(type=result_type), mode)

        assert reply.status == 400
        assert reply.problem
        assert simulator.calls == []

    @pytest.mark.parametrize(
        "body",
        [b"", b"{", b"null", b"5", b'"text"', b"[]", b"\xff", b"[" * 30000, b'{"a": 1, "a": 2}', b"\xef\xbb\xbf{}"],
        ids=lambda body: ascii(body[:20]),
    )
    def test_is_a_body_that_is_no_json_object(self, simulator: Simulator, function: Running, body: bytes) -> None:
        reply = send(function.url, body, headers={"Content-Type": STRUCTURED})

        assert reply.status == 400
        assert reply.problem
        assert simulator.calls == []

    @pytest.mark.parametrize(
        "content_type",
        [
            "application/cloudevents-batch+json",
            "application/cloudevents+xml",
            "application/cloudevents+json; charset=utf-16",
            "text/plain",
            "text/html",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "",
            None,
        ],
    )
    def test_is_another_media_type(self, simulator: Simulator, function: Running, content_type: str | None) -> None:
        body = json.dumps(expired_event()).encode()

        reply = send(function.url, body, headers={} if content_type is None else {"Content-Type": content_type})

        assert reply.status == 415
        assert reply.problem
        assert simulator.calls == []

    @pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "application/octet-stream"])
    def test_is_data_of_another_media_type(self, simulator: Simulator, function: Running, content_type: str) -> None:
        reply = deliver(function.url, expired_event(datacontenttype=content_type), "binary")

        assert reply.status == 415
        assert reply.problem
        assert simulator.calls == []

    @pytest.mark.parametrize("chunked", [False, True], ids=["with its length", "in chunks"])
    def test_is_too_large(self, simulator: Simulator, function: Running, chunked: bool) -> None:
        body = json.dumps(expired_event(filler="x" * 65536)).encode()

        reply = send(function.url, body, headers={"Content-Type": STRUCTURED}, chunked=chunked)

        assert reply.status == 413
        assert reply.problem
        assert simulator.calls == []

    def test_is_said_in_700_bytes_whatever_was_sent(self, function: Running) -> None:
        reply = deliver(function.url, {**expired_event(), "\U0001f4be" * 5000: "x"})

        assert reply.status == 400
        assert reply.problem

    def test_does_not_come_back_in_the_answer(self, function: Running) -> None:
        headers = {"Authorization": "Bearer of-the-deliverer", "Content-Type": STRUCTURED}

        reply = send(function.url, b'{"id": "the-sender-s-own"', headers=headers)

        assert b"of-the-deliverer" not in reply.body
        assert b"the-sender-s-own" not in reply.body

    @BOTH_MODES
    def test_is_an_event_in_chunks_however_that_is_welcome(
        self, simulator: Simulator, function: Running, before: list[Backup], mode: Mode
    ) -> None:
        headers, body = encode(expired_event(), mode)

        assert send(function.url, body, headers=headers, chunked=True).event["type"] == DELETED
        assert all_backups(simulator) == without(before, BACKUP)

    def test_is_a_json_body_beside_no_ce_headers_however_that_is_welcome(
        self, simulator: Simulator, function: Running, before: list[Backup]
    ) -> None:
        body = json.dumps(expired_event()).encode()

        assert send(function.url, body, headers={"Content-Type": "application/json"}).event["type"] == DELETED
        assert all_backups(simulator) == without(before, BACKUP)


class TestARequestOtherThanPost:
    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    def test_to_health_is_answered_200_without_asking_anybody(
        self, simulator: Simulator, function: Running, method: str
    ) -> None:
        reply = send(function.url, method=method, path="/health")

        assert (reply.status, reply.body) == (200, b"")
        assert simulator.calls == []

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("GET", "/"),
            ("GET", "/healthz"),
            ("GET", "/health/"),
            ("PUT", "/"),
            ("DELETE", "/"),
            ("PATCH", "/"),
            ("DELETE", "/health"),
        ],
    )
    def test_is_not_allowed(self, simulator: Simulator, function: Running, method: str, path: str) -> None:
        headers, body = encode(expired_event(), "structured")

        reply = send(function.url, b"" if method == "GET" else body, method=method, headers=headers, path=path)

        assert reply.status == 405
        assert reply.headers["allow"] == "POST"
        assert reply.problem
        assert simulator.calls == []


class TestAnEventThatAsksForCare:
    """An event can make a run safer, never less safe."""

    @BOTH_MODES
    def test_by_a_dry_run_deletes_nothing_and_says_what_would_have_been_done(
        self, simulator: Simulator, function: Running, before: list[Backup], mode: Mode
    ) -> None:
        result = deliver(function.url, expired_event(members={"dry_run": True}), mode).event

        assert result["type"] == SKIPPED
        assert result["subject"] == BACKUP
        assert result["data"]["reason"] == "dry_run"
        assert result["data"]["message"]
        assert result["data"]["would_delete"]["backup_name"] == "backup-f3c1"
        assert all_backups(simulator) == before
        assert simulator.count("DELETE") == 0

    def test_by_a_dry_run_of_an_absent_backup_says_that_it_is_not_listed(
        self, simulator: Simulator, function: Running, before: list[Backup]
    ) -> None:
        result = deliver(function.url, expired_event(backup_id=UNKNOWN, members={"dry_run": True})).event

        assert (result["type"], result["data"]["reason"]) == (SKIPPED, "dry_run")
        assert "does not list this backup" in result["data"]["message"]
        assert all_backups(simulator) == before
        assert simulator.count("DELETE") == 0

    def test_by_a_dry_run_that_is_false_deletes(
        self, simulator: Simulator, function: Running, before: list[Backup]
    ) -> None:
        assert deliver(function.url, expired_event(members={"dry_run": False})).event["type"] == DELETED
        assert all_backups(simulator) == without(before, BACKUP)

    def test_by_the_instance_of_its_backup_deletes(
        self, simulator: Simulator, function: Running, before: list[Backup]
    ) -> None:
        assert deliver(function.url, expired_event(members={"instance_id": INSTANCE})).event["type"] == DELETED
        assert all_backups(simulator) == without(before, BACKUP)

    @pytest.mark.parametrize("instance_id", [OTHER_INSTANCE, INSTANCE.upper(), INSTANCE[:-1]])
    def test_by_another_instance_deletes_nothing(
        self, simulator: Simulator, function: Running, before: list[Backup], instance_id: str
    ) -> None:
        result = deliver(function.url, expired_event(members={"instance_id": instance_id})).event

        assert result["type"] == SKIPPED
        assert result["data"]["reason"] == "wrong_instance"
        assert all_backups(simulator) == before

    @pytest.mark.parametrize(
        "items",
        [
            [{"id": BACKUP}],
            [{"id": BACKUP, "instance_id": None}],
            [{"id": BACKUP, "instance_id": 7}],
            [{"id": BACKUP.upper(), "instance_id": INSTANCE}],
            [{"id": UNKNOWN, "instance_id": INSTANCE}],
            [{"id": BACKUP, "instance_id": INSTANCE}, {"id": UNKNOWN, "instance_id": INSTANCE}],
        ],
        ids=str,
    )
    def test_by_an_instance_that_the_cloud_does_not_state_is_not_final(
        self, simulator: Simulator, function: Running, before: list[Backup], items: list[object]
    ) -> None:
        simulator.fault(Fault(method="GET", status=200, body={"backups": items, "total_count": len(items)}))

        reply = deliver(function.url, expired_event(members={"instance_id": INSTANCE}))

        assert reply.status == 503
        assert reply.problem
        assert all_backups(simulator) == before

    @pytest.mark.parametrize("members", [{"dry_run": True}, {"instance_id": INSTANCE}], ids=str)
    @pytest.mark.parametrize("status", [403, 404, 429, 500])
    def test_but_a_backup_that_cannot_be_read_is_not_final(
        self,
        simulator: Simulator,
        function: Running,
        before: list[Backup],
        members: Mapping[str, object],
        status: int,
    ) -> None:
        simulator.fault(Fault(method="GET", status=status))

        reply = deliver(function.url, expired_event(members=members))

        assert reply.status == (429 if status == 429 else 503)
        assert reply.problem
        assert all_backups(simulator) == before

    @pytest.mark.parametrize("mode", ["binary", "structured"])
    @pytest.mark.parametrize("members", [{}, {"dry_run": True}], ids=str)
    def test_by_an_expiry_that_has_passed_deletes_nothing(
        self,
        simulator: Simulator,
        function: Running,
        before: list[Backup],
        mode: Mode,
        members: Mapping[str, object],
    ) -> None:
        passed = (datetime.now(UTC) - timedelta(seconds=2)).isoformat()

        result = deliver(function.url, expired_event(expirytime=passed, members=members), mode).event

        assert result["type"] == SKIPPED
        assert result["data"]["reason"] == "stale_event"
        assert all_backups(simulator) == before
        assert simulator.count("DELETE") == 0

    def test_whose_repeat_comes_after_the_expiry_still_tells_that_the_backup_is_gone(
        self, simulator: Simulator, function: Running, before: list[Backup]
    ) -> None:
        passed = (datetime.now(UTC) - timedelta(seconds=2)).isoformat()
        simulator.account.backups.pop(BACKUP)  # an earlier delivery, whose answer was lost

        result = deliver(function.url, expired_event(expirytime=passed)).event

        assert (result["type"], result["data"]["absence"]) == (DELETED, "not_listed")
        assert simulator.count("DELETE") == 0

    def test_by_an_expiry_to_come_deletes(self, simulator: Simulator, function: Running, before: list[Backup]) -> None:
        to_come = (datetime.now(UTC) + timedelta(minutes=5)).isoformat()

        assert deliver(function.url, expired_event(expirytime=to_come)).event["type"] == DELETED
        assert all_backups(simulator) == without(before, BACKUP)


def start(settings: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Start the function as a person would, where it is expected to end by itself."""
    framework, source = Path(sys.executable).with_name("functions-framework"), ROOT / "function" / "main.py"
    return subprocess.run(
        [framework, "--source", source, "--target", "delete_backup", "--port", "0"],
        env={"PATH": "/usr/bin:/bin", **settings},
        capture_output=True,
        text=True,
        timeout=30,
    )


USABLE = {"REAPER_API_ENDPOINT": "https://api.example", "HW_AUTH_TOKEN": "a-secret-token"}


class TestTheStart:
    @pytest.mark.parametrize(
        ("change", "named"),
        [
            ({"HW_AUTH_TOKEN": None, "REAPER_API_ENDPOINT": None}, ["HW_AUTH_TOKEN", "REAPER_API_ENDPOINT"]),
            ({"REAPER_API_ENDPOINT": "https://user:a-secret-word@api.example"}, ["REAPER_API_ENDPOINT"]),
            ({"REAPER_DRY_RUM": "true"}, ["REAPER_DRY_RUM"]),  # a typing error must not switch a guard off
            (
                {
                    "HW_AUTH_TOKEN": "a-secret-token of some words",
                    "REAPER_API_ENDPOINT": "http://api.example",
                    "REAPER_DEADLINE_SECONDS": "",
                    "REAPER_API_LANGUAGE": "fr",
                    "REAPER_EVENT_SOURCE": "not a uri",
                    "REAPER_ACCEPTED_EVENT_TYPES": DELETED,
                    "REAPER_MAX_EVENT_BYTES": "64k",
                    "REAPER_UNKNOWN": "a-secret-value",
                    "REQUESTS_CA_BUNDLE": "/no/such/file",
                    "DEBUG": "true",
                },
                [
                    "HW_AUTH_TOKEN",
                    "REAPER_API_ENDPOINT",
                    "REAPER_DEADLINE_SECONDS",
                    "REAPER_API_LANGUAGE",
                    "REAPER_EVENT_SOURCE",
                    "REAPER_ACCEPTED_EVENT_TYPES",
                    "REAPER_MAX_EVENT_BYTES",
                    "REAPER_UNKNOWN",
                    "REQUESTS_CA_BUNDLE",
                    "DEBUG",
                ],
            ),
        ],
        ids=["nothing set", "a password in the endpoint", "a typing error", "all at once"],
    )
    def test_with_a_broken_environment_names_every_fault_in_one_message_and_ends(
        self, change: Mapping[str, str | None], named: list[str]
    ) -> None:
        settings = {name: value for name, value in {**USABLE, **change}.items() if value is not None}

        ended = start(settings)

        assert ended.returncode == 1
        output = ended.stdout + ended.stderr
        assert "Traceback" not in output
        assert "a-secret" not in output
        first, *others = output.splitlines()
        assert first.startswith("backup-reaper cannot start: ")
        assert all(line.startswith("  ") for line in others)
        assert set(named) <= set(re.findall("[A-Z_]{3,}", output))

    def test_says_in_one_line_what_is_in_force_and_no_secret(
        self, simulator: Simulator, run: RunFunction, settings: Mapping[str, str]
    ) -> None:
        function = run({**settings, "REAPER_EVENT_SOURCE": "/said-at-the-start"})

        lines = [line for line in function.output.splitlines() if "/said-at-the-start" in line]

        assert len(lines) == 1
        assert simulator.url in lines[0]
        assert TOKEN not in function.output

    def test_takes_the_source_and_the_types_of_events_from_the_environment(
        self, simulator: Simulator, run: RunFunction, settings: Mapping[str, str], before: list[Backup]
    ) -> None:
        function = run(
            {
                **settings,
                "REAPER_EVENT_SOURCE": "/our/reaper",
                "REAPER_ACCEPTED_EVENT_TYPES": "com.example.a,com.example.b",
            }
        )

        assert deliver(function.url, expired_event()).status == 400
        assert all_backups(simulator) == before
        result = deliver(function.url, expired_event(type="com.example.b")).event
        assert result["source"] == "/our/reaper"
        assert result["data"]["request"]["type"] == "com.example.b"
        assert all_backups(simulator) == without(before, BACKUP)


class TestTheLog:
    def test_never_holds_the_token_nor_what_a_deliverer_authorises_itself_with(
        self, simulator: Simulator, hasty_function: Running
    ) -> None:
        faults = [
            *[refuse(status) for status in (200, 202, 307, 400, 401, 403, 404, 429, 500)],
            Fault(method="DELETE", drop=True),
            Fault(method="DELETE", hang=True),
        ]
        for fault in faults:
            simulator.fault(fault)
            deliver(hasty_function.url, expired_event(), headers={"Authorization": "Bearer of-the-deliverer"})

        assert TOKEN not in hasty_function.output
        assert "of-the-deliverer" not in hasty_function.output
        assert "Traceback" not in hasty_function.output


class TestTheHarness:
    """What the other tests rely on."""

    @pytest.fixture
    def echo(self) -> Iterator[Simulator]:
        """The simulator answers whatever it is told to."""
        with Simulator() as running:
            yield running

    def test_sees_a_problem_that_is_none(self, echo: Simulator) -> None:
        echo.fault(Fault(status=503, body={"status": 503, "error_code": "A", "error_msg": "b"}))

        with pytest.raises(AssertionError):
            _ = send(echo.url).problem

    def test_sees_a_result_that_is_none(self, echo: Simulator) -> None:
        echo.fault(Fault(status=200, body="OK"))

        with pytest.raises(AssertionError):
            _ = send(echo.url).event
