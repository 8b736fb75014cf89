"""The planner's events: what a tick says, and the events of expired backups and reports to the letter."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

import pytest

from function.errors import NotAnEventError
from function.events.binding import Event
from function.events.planning import DUE, PING, PLANNED, Tick, read_tick, write_expired, write_report
from tests.facts.account import BACKUP, INSTANCE, NOW, PROJECT

TICK: Final = Tick(source="/timer", id="t1", type=DUE, time=NOW, dry_run=False)
REQUIRED: Final = {"specversion": "1.0", "id": "t1", "source": "/timer", "type": DUE, "time": "2026-03-01T12:00:00Z"}


def derived(*parts: str) -> str:
    return str(uuid5(NAMESPACE_URL, json.dumps(parts)))


def tick(data: object = None, **attributes: Any) -> Event:
    return Event({**REQUIRED, **attributes}, data, "structured")


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (tick(), TICK),
        (tick({}), TICK),
        (tick({"note": "nightly"}), TICK),
        (tick({"dry_run": False}), TICK),
        (tick({"dry_run": True}), Tick(source="/timer", id="t1", type=DUE, time=NOW, dry_run=True)),
        (
            tick(expirytime="2026-03-01T13:00:00Z"),
            Tick(source="/timer", id="t1", type=DUE, time=NOW, expires=NOW + timedelta(hours=1), dry_run=False),
        ),
        (tick(type=PING, team="db"), Tick(source="/timer", id="t1", type=PING, time=NOW, dry_run=False)),
    ],
)
def test_a_tick_is_read(event: Event, expected: Tick) -> None:
    assert read_tick(event, {DUE, PING}) == expected


def test_a_tick_need_not_have_a_time() -> None:
    attributes = {name: value for name, value in REQUIRED.items() if name != "time"}

    assert read_tick(Event(attributes, None, "binary"), {DUE}).time is None


DRY: Final = "a member or an attribute looks like dry_run: its place is data.dry_run"
OBJECT: Final = "the data must be a JSON object, or absent; of it only dry_run counts"
EXPIRY: Final = "a member or an attribute looks like expirytime, which is an attribute"


@pytest.mark.parametrize(
    ("event", "message"),
    [
        (
            tick(type=PING),
            "the attribute type is none of those that REAPER_ACCEPTED_TICK_TYPES accepts",
        ),
        (tick([{"dry_run": True}]), OBJECT),
        (tick("dry_run"), OBJECT),
        (tick({"dryRun": True}), DRY),
        (tick({"note": 1, "dry-run": True}), DRY),
        (tick(dryrun=True), DRY),
        (tick(dryrum="true"), DRY),
        (tick({"dry_run": "true"}), "data.dry_run must be true or false"),
        (tick({"dry_run": None}), "data.dry_run must be true or false"),
        (tick({"expiryTime": "2026-03-01T13:00:00Z"}), EXPIRY),
        (tick(expirytme="2026-03-01T13:00:00Z"), EXPIRY),
    ],
    ids=str,
)
def test_what_could_be_meant_as_a_dry_run_or_an_expiry_is_not_overlooked(event: Event, message: str) -> None:
    with pytest.raises(NotAnEventError) as raised:
        read_tick(event, {DUE})

    assert (raised.value.status, str(raised.value)) == (400, message)


@pytest.mark.parametrize("expiry", ["tomorrow", 5, ""])
def test_an_expiry_that_cannot_be_read_is_refused(expiry: object) -> None:
    with pytest.raises(NotAnEventError, match=r"^expirytime ") as raised:
        read_tick(tick(expirytime=expiry), {DUE})

    assert raised.value.status == 400


def expired(**facts: Any) -> tuple[dict[str, str], dict[str, object]]:
    usual = {
        "engine": "taurusdb",
        "project_id": PROJECT,
        "instance_id": INSTANCE,
        "backup_id": BACKUP,
        "policy": "standard",
        "reason": "no_rule",
        "as_of": NOW,
        "valid_for": timedelta(hours=12),
        "source": "/planner",
    }
    return write_expired(TICK, **{**usual, **facts})


def test_the_event_of_an_expired_backup() -> None:
    assert expired() == (
        {
            "specversion": "1.0",
            "id": derived("/timer", "t1", "taurusdb", PROJECT, BACKUP),
            "source": "/planner",
            "type": "dev.backup-reaper.backup.expired.v1",
            "dataschema": "urn:backup-reaper:backup.expired.v1:data",
            "time": "2026-03-01T12:00:00Z",
            "subject": BACKUP,
            "expirytime": "2026-03-02T00:00:00Z",
            "partitionkey": INSTANCE,
            "causationid": "t1",
        },
        {
            "project_id": PROJECT,
            "instance_id": INSTANCE,
            "backup_id": BACKUP,
            "policy": "standard",
            "reason": "no_rule",
        },
    )


def test_another_engine_is_named_in_the_data_and_in_the_id() -> None:
    attributes, data = expired(engine="rds")

    assert attributes["id"] == derived("/timer", "t1", "rds", PROJECT, BACKUP)
    assert data["engine"] == "rds"


def test_a_report() -> None:
    now = datetime(2026, 3, 1, 12, 0, 5, tzinfo=UTC)

    assert write_report(TICK, {"mode": "report"}, source="/planner", now=now, trace={"traceparent": "00-1-2-01"}) == (
        {
            "specversion": "1.0",
            "id": derived("/timer", "t1", PLANNED),
            "source": "/planner",
            "type": "dev.backup-reaper.retention.planned.v1",
            "dataschema": "urn:backup-reaper:retention.planned.v1:data",
            "time": "2026-03-01T12:00:05Z",
            "causationid": "t1",
            "traceparent": "00-1-2-01",
        },
        {"request": {"source": "/timer", "id": "t1", "type": DUE}, "mode": "report"},
    )
