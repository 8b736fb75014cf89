"""What an operator sees: one complete canonical line per delivery, without secrets, and with the trace."""

import json
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from simulator import Fault, Simulator
from simulator.processes import Running, run_function
from tests.facts.account import BACKUP, PROJECT
from tests.wire.crowd import deliver_all
from tests.wire.deliverer import Reply, deliver, expired_event, send

TOKEN = "demo-token"
TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"


@pytest.fixture(scope="module")
def own_simulator() -> Iterator[Simulator]:
    with Simulator() as simulator:
        yield simulator


@pytest.fixture(scope="module")
def watched(own_simulator: Simulator) -> Iterator[Running]:
    """A function whose log is read by these tests alone."""
    with run_function({"REAPER_API_ENDPOINT": own_simulator.url, "HW_AUTH_TOKEN": TOKEN, "THREADS": "4"}) as running:
        yield running


@pytest.fixture
def simulator(own_simulator: Simulator) -> Simulator:
    own_simulator.reset()
    return own_simulator


def lines(running: Running) -> list[dict[str, Any]]:
    """The log, line by line; each must be JSON."""
    return [json.loads(line) for line in running.output.splitlines()]


def canonical(running: Running) -> list[dict[str, Any]]:
    return [line for line in lines(running) if line["message"].startswith("delivery settled")]


def canonical_line(running: Running, before: int) -> dict[str, Any]:
    """The one canonical line since there were so many."""
    (line,) = canonical(running)[before:]
    return line


DELETED = {"outcome": "deleted", "severity": "INFO", "http.response.status_code": 200}


@pytest.mark.parametrize(
    ("event", "fault", "expected"),
    [
        pytest.param(expired_event(), None, {**DELETED, "absence": None}, id="deleted"),
        pytest.param(expired_event(backup_id="no-such"), None, {**DELETED, "absence": "stated"}, id="already absent"),
        pytest.param(
            expired_event(backup_id=".."),
            None,
            {
                "outcome": "failed",
                "error_code": "INVALID_EVENT",
                "severity": "WARNING",
                "http.response.status_code": 200,
            },
            id="failed",
        ),
        pytest.param(
            expired_event(members={"dry_run": True}),
            None,
            {"outcome": "skipped", "reason": "dry_run", "severity": "INFO", "http.response.status_code": 200},
            id="skipped",
        ),
        pytest.param(
            expired_event(),
            Fault(status=429, body={"error_code": "APIGW.0308", "error_msg": "slow down"}),
            {
                "outcome": "not_final",
                "error_code": "APIGW.0308",
                "severity": "WARNING",
                "http.response.status_code": 429,
            },
            id="throttled",
        ),
        pytest.param(
            expired_event(),
            Fault(status=403, body={"error_code": "DBS.200010", "error_msg": "no"}),
            {
                "outcome": "not_final",
                "error.type": "ApiDeniedError",
                "severity": "ERROR",
                "http.response.status_code": 503,
            },
            id="denied",
        ),
        pytest.param(
            expired_event(id=None),
            None,
            {"outcome": "not_an_event", "error_code": "NOT_AN_EVENT", "severity": "WARNING"},
            id="no event",
        ),
    ],
)
def test_each_delivery_ends_in_exactly_one_canonical_line(
    simulator: Simulator, watched: Running, event: dict[str, Any], fault: Fault | None, expected: Mapping[str, object]
) -> None:
    if fault:
        simulator.fault(fault)
    before = len(canonical(watched))

    deliver(watched.url, event)

    line = canonical_line(watched, before)
    assert expected.items() <= line.items()
    assert {"time", "severity", "message", "calls", "token_renewals", "duration_seconds"} <= line.keys()
    if "id" in event:
        assert line["cloudevents.event_id"] == event["id"]
        assert line["cloudevents.event_source"] == event["source"]
        assert line["cloudevents.event_type"] == event["type"]


def test_the_calls_of_a_delivery_are_in_its_line_with_their_statuses(simulator: Simulator, watched: Running) -> None:
    before = len(canonical(watched))

    deliver(watched.url, expired_event(members={"instance_id": "6ab7e0f13c5d4e2f8a90b1c2d3e4f506in07"}))

    line = canonical_line(watched, before)
    calls = [(call["http.request.method"], call["http.response.status_code"]) for call in line["calls"]]
    assert calls == [("GET", 200), ("DELETE", 200)]
    assert (line["backup.id"], line["project.id"]) == (BACKUP, PROJECT)
    assert sum(call["duration_seconds"] for call in line["calls"]) <= line["duration_seconds"]


@pytest.mark.parametrize(("age", "expected"), [(3600, 3600), (-60, -60), (None, None)])
def test_the_line_says_how_old_the_event_was(
    simulator: Simulator, watched: Running, age: int | None, expected: int | None
) -> None:
    before = len(canonical(watched))
    made = datetime.now(UTC) - timedelta(seconds=age) if age is not None else None

    deliver(watched.url, expired_event(time=made and made.isoformat()))

    line = canonical_line(watched, before)
    assert line.get("event_age_seconds") == (expected if expected is None else pytest.approx(expected, abs=10))


def test_a_deletion_is_announced_before_it_is_sent(simulator: Simulator, watched: Running) -> None:
    """A crash in between leaves a trail."""
    event = expired_event()

    deliver(watched.url, event)

    mine = [line for line in lines(watched) if line.get("cloudevents.event_id") == event["id"]]
    assert [line["message"] for line in mine] == [f"deleting backup {BACKUP}", "delivery settled: deleted"]


def test_a_probe_writes_no_line(watched: Running) -> None:
    before = len(lines(watched))

    send(watched.url, method="GET", path="/health")

    assert len(lines(watched)) == before


def test_one_trace_leads_from_the_delivery_to_the_api_the_result_and_the_log(
    simulator: Simulator, watched: Running
) -> None:
    before = len(canonical(watched))
    trace = {"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "rojo=00f067aa0ba902b7"}

    reply = deliver(watched.url, expired_event(), headers=trace)

    (call,) = simulator.calls
    assert call.headers.get("traceparent") == trace["traceparent"]
    assert call.headers.get("tracestate") is None
    assert {name: reply.event[name] for name in trace} == trace
    line = canonical_line(watched, before)
    assert (line["trace_id"], line["span_id"]) == (TRACE, SPAN)


def test_a_malformed_trace_is_dropped(simulator: Simulator, watched: Running) -> None:
    reply = deliver(
        watched.url, expired_event(), headers={"traceparent": f"00-{TRACE}-{SPAN}-01\x80", "tracestate": "a=b"}
    )

    assert simulator.calls[0].headers.get("traceparent") is None
    assert not {"traceparent", "tracestate"} & reply.event.keys()


text = st.text(st.characters(codec="utf-8"), min_size=1, max_size=80)


@hypothesis_settings(max_examples=40, deadline=None)
@given(event_id=text, source=text, name=text)
def test_nothing_that_is_logged_can_forge_a_line_or_a_field(
    own_simulator: Simulator, watched: Running, event_id: str, source: str, name: str
) -> None:
    own_simulator.reset()
    own_simulator.fault(Fault(status=400, body={"error_code": name, "error_msg": f'x\n{{"outcome":"deleted"}} {name}'}))
    before = len(lines(watched))

    reply = deliver(watched.url, expired_event(id=event_id, source=source))

    new = lines(watched)[before:]
    assert len([line for line in new if line["message"].startswith("delivery settled")]) == 1
    assert {line.get("outcome") for line in new} <= {None, expected_outcome(reply)}
    assert TOKEN not in watched.output


def expected_outcome(reply: Reply) -> str:
    return "not_an_event" if reply.status == 400 else "failed"


def test_a_log_that_nobody_reads_holds_no_delivery_and_says_afterwards_what_was_dropped(
    simulator: Simulator, tmp_path: Path
) -> None:
    settings = {
        "REAPER_API_ENDPOINT": simulator.url,
        "HW_AUTH_TOKEN": TOKEN,
        "THREADS": "8",
        "REAPER_DEADLINE_SECONDS": "5",
    }
    os.mkfifo(tmp_path / "log")
    reader = os.open(tmp_path / "log", os.O_RDONLY | os.O_NONBLOCK)
    events = [expired_event(backup_id=f"no-such-{number}") for number in range(200)]
    with run_function(settings, log=tmp_path / "log") as running:
        replies = deliver_all(running.url, events, threads=8)  # far more lines than a pipe holds

        assert {reply.status for reply in replies} == {200}
        assert max(reply.seconds for reply in replies) < 5
        assert send(running.url, method="GET", path="/health").status == 200

        unread = [json.loads(line) for line in read_all(reader).splitlines()]
        deliver(running.url, expired_event())
        announced, settled = [json.loads(line) for line in read_all(reader).splitlines()]

    os.close(reader)
    assert (announced["message"], settled["outcome"]) == (f"deleting backup {BACKUP}", "deleted")
    started, *others = unread
    assert started["message"].startswith("listening on ")
    assert announced["dropped_lines"] > 0
    assert "dropped_lines" not in settled
    assert sum(line.get("dropped_lines", 0) for line in [*others, announced]) == 2 * len(events) - len(others)


def read_all(pipe: int) -> bytes:
    pieces = []
    try:
        while piece := os.read(pipe, 1 << 20):
            pieces.append(piece)
    except BlockingIOError:
        pass
    return b"".join(pieces)
