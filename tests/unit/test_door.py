"""The front door without a server: what an event that was settled, or was not, comes to."""

import json
import logging
import subprocess
import sys
from collections.abc import Mapping
from typing import Any, Final

import flask
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from function.backups import Deleted, Failed, Outcome, Skipped
from function.delivery import Delivery
from function.door import Door, Publish, Settle
from function.errors import (
    ApiDeniedError,
    ApiUnavailableError,
    NotAnEventError,
    NotFinalError,
    SinkError,
    UndecidedError,
)
from function.events.binding import Event
from function.record import Record, log_record
from simulator.processes import ROOT

SECRET: Final = "5ecret"
EVENT: Final = {"specversion": "1.0", "id": "42", "source": "/policies", "type": "t", "data": {}}
RESULT: Final = {
    "specversion": "1.0",
    "id": "r",
    "source": "/reaper",
    "type": "result",
    "time": "2026-03-01T12:00:00Z",
}


def settled(outcome: Outcome) -> Settle:
    def settle(event: Event, delivery: Delivery) -> tuple[Outcome, Mapping[str, str], Mapping[str, object]]:
        return outcome, RESULT, {}

    return settle


def raising(error: Exception) -> Settle:
    def settle(event: Event, delivery: Delivery) -> tuple[Outcome, Mapping[str, str], Mapping[str, object]]:
        raise error

    return settle


class Visit:
    """One delivery at a door, what it was answered, and its records."""

    def __init__(self, settle: Settle, publish: Publish | None = None) -> None:
        self.records: list[Record] = []
        door = Door(
            settle=settle,
            publish=publish,
            deadline_seconds=20.0,
            max_event_bytes=1000,
            paused=False,
            observe=self.records.append,
        )
        app = flask.Flask("door")
        app.add_url_rule("/", view_func=lambda: door.answer(flask.request), methods=["POST"])
        client: FlaskClient = app.test_client()
        self.answer: TestResponse = client.post(
            "/", data=json.dumps(EVENT), content_type="application/cloudevents+json"
        )

    @property
    def record(self) -> Record:
        """The only one."""
        (record,) = self.records
        return record


def test_an_unhandled_exception_is_a_500_that_says_nothing_and_a_log_line_with_frames(
    caplog: pytest.LogCaptureFixture,
) -> None:
    visit = Visit(raising(LookupError(SECRET)))

    assert visit.answer.status_code == 500
    assert visit.answer.content_type == "application/problem+json"
    assert visit.answer.json == {
        "title": "Internal Server Error",
        "status": 500,
        "error_code": "INTERNAL_ERROR",
        "error_msg": "unhandled exception: the log says where",
    }
    (bug,) = caplog.records
    assert (bug.levelname, bug.message, vars(bug)["cloudevents.event_id"]) == ("ERROR", "unhandled exception", "42")
    assert bug.exc_info
    assert isinstance(bug.exc_info[1], LookupError)
    assert isinstance(visit.record.error, LookupError)
    assert visit.record.status == 500


@pytest.mark.parametrize(
    "outcome", [Deleted(), Failed(error_code="C", error_msg="m"), Skipped(reason="dry_run", message="m")]
)
def test_an_outcome_is_replied_with_and_recorded(outcome: Outcome) -> None:
    visit = Visit(settled(outcome))

    assert visit.answer.status_code == 200
    assert visit.answer.json == {**RESULT, "data": {}, "datacontenttype": "application/json"}
    record = visit.record
    assert (record.outcome, record.error, record.status) == (outcome, None, 200)
    assert record.delivery.event
    assert (record.delivery.event.id, record.delivery.event.source) == ("42", "/policies")


def test_a_result_that_was_not_published_is_recorded_with_both_the_outcome_and_the_error() -> None:
    down = SinkError("SINK_UNREACHABLE", "the sink did not answer")

    def publish(attributes: Mapping[str, str], data: object, delivery: Delivery) -> None:
        raise down

    visit = Visit(settled(Deleted()), publish)

    assert visit.answer.status_code == 503
    assert (visit.record.outcome, visit.record.error) == (Deleted(), down)
    assert line(visit.record).items() >= {"outcome": "not_final", "settled_as": "deleted"}.items()


def test_a_result_that_was_published_is_no_reply() -> None:
    published: list[object] = []

    def publish(attributes: Mapping[str, str], data: object, delivery: Delivery) -> None:
        published.append((attributes, data))

    visit = Visit(settled(Deleted()), publish)

    assert (visit.answer.status_code, visit.answer.data) == (204, b"")
    assert published == [(RESULT, {})]


class Keeper(logging.Handler):
    """Keeps the last record that was logged."""

    last: logging.LogRecord

    def emit(self, record: logging.LogRecord) -> None:
        self.last = record


def line(record: Record) -> dict[str, Any]:
    """The canonical line of a record, by its fields."""
    keeper, log = Keeper(), logging.getLogger("backup-reaper")
    log.addHandler(keeper)
    log.setLevel(logging.DEBUG)
    try:
        log_record(record)
    finally:
        log.removeHandler(keeper)
        log.setLevel(logging.NOTSET)
    return vars(keeper.last)


@pytest.mark.parametrize(
    ("error", "status", "outcome", "level"),
    [
        (NotAnEventError(415, "m"), 415, "not_an_event", "WARNING"),
        (ApiUnavailableError("C", "m"), 503, "not_final", "WARNING"),
        (ApiUnavailableError("C", "m", http_status=429), 429, "not_final", "WARNING"),
        (UndecidedError("C", "m"), 503, "not_final", "WARNING"),
        (SinkError("C", "m"), 503, "not_final", "WARNING"),
        (ApiDeniedError("C", "m"), 503, "not_final", "ERROR"),
        (LookupError("m"), 500, "crashed", "ERROR"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_what_has_no_outcome_is_answered_and_logged_by_its_kind(
    error: Exception, status: int, outcome: str, level: str
) -> None:
    visit = Visit(raising(error))

    assert visit.answer.status_code == status
    written = line(visit.record)
    assert (written["outcome"], written["levelname"]) == (outcome, level)
    assert written["http.response.status_code"] == status


LONG: Final = "x" * 500_000


@pytest.mark.parametrize(
    "settle",
    [
        settled(Deleted(request_id=LONG)),
        settled(Failed(error_code=LONG, error_msg=LONG, request_id=LONG)),
        raising(ApiUnavailableError(LONG, LONG, request_id=LONG, retry_after=LONG)),
        raising(NotAnEventError(400, LONG)),
    ],
    ids=["deleted", "failed", "not final", "no event"],
)
def test_long_texts_from_outside_are_cut_in_the_line_and_in_the_problem(settle: Settle) -> None:
    visit = Visit(settle)

    written = line(visit.record)
    assert all(len(written[name] or "") <= 200 for name in ("error_code", "request_id") if name in written)
    assert len(written.get("error_msg", "")) <= 1000
    assert visit.answer.status_code == 200 or len(visit.answer.data) <= 700


@pytest.mark.parametrize("alarm", [False, True])
def test_a_new_kind_of_error_says_itself_whether_an_operator_must_act(alarm: bool) -> None:
    class NewError(NotFinalError):
        needs_operator = alarm

    visit = Visit(raising(NewError("C", "m")))

    assert line(visit.record)["levelname"] == ("ERROR" if alarm else "WARNING")


def test_importing_anything_but_a_target_does_nothing() -> None:
    """No environment is read, no log handler set up, no thread started, nothing said."""
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in sorted((ROOT / "function").rglob("*.py"))
        if path.stem not in ("main", "planner", "__main__")
    ]
    check = (
        f"import {', '.join(modules)}; import logging, threading; "
        "assert not logging.getLogger().handlers; assert threading.active_count() == 1"
    )
    run = subprocess.run([sys.executable, "-c", check], cwd=ROOT, env={}, capture_output=True, text=True, check=False)

    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
