"""The planner's events: the tick that asks for a plan, the event of an expired backup, and the report."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import NAMESPACE_URL, uuid5

from ..errors import NotAnEventError
from ..near_names import near
from .binding import Event
from .contract import DEFAULT_ENGINE, EXPIRED, SCHEMAS
from .grammar import read_time

DUE: Final = "dev.backup-reaper.retention.due.v1"
PING: Final = "dev.knative.sources.ping"  # Knative's PingSource
PLANNED: Final = "dev.backup-reaper.retention.planned.v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A request to plan.

    Args:
        time: the moment to plan for; None where the event has none.
        expires: after it the tick is stale.
        dry_run: only report.
    """

    source: str
    id: str
    type: str
    time: datetime | None
    expires: datetime | None = None
    dry_run: bool


def read_tick(event: Event, accepted_types: Collection[str]) -> Tick:
    """The tick in an event. Of its data only `dry_run` counts.

    Raises:
        NotAnEventError: it is of a type that is not accepted, or its expiry or `dry_run` is misspelt or cannot be
            read.
    """
    event_id, source, event_type = (str(event.attributes[name]) for name in ("id", "source", "type"))
    if event_type not in accepted_types:
        raise NotAnEventError(400, "the attribute type is none of those that REAPER_ACCEPTED_TICK_TYPES accepts")
    data = {} if event.data is None else event.data
    if not isinstance(data, dict):  # a dry run that cannot be read must not become a sweep
        raise NotAnEventError(400, "the data must be a JSON object, or absent; of it only dry_run counts")
    misspelt = any(near(name, ["dry_run"]) for name in data)
    misplaced = any(name == "dryrun" or near(name, ["dryrun"]) for name in event.attributes)
    if misspelt or misplaced:
        raise NotAnEventError(400, "a member or an attribute looks like dry_run: its place is data.dry_run")
    if any(near(name, ["expirytime"]) for name in (*data, *event.attributes)):
        raise NotAnEventError(400, "a member or an attribute looks like expirytime, which is an attribute")
    dry_run = data.get("dry_run", False)
    if not isinstance(dry_run, bool):
        raise NotAnEventError(400, "data.dry_run must be true or false")
    time = event.text("time")
    return Tick(
        source=source,
        id=event_id,
        type=event_type,
        time=read_time(time) if time else None,
        expires=_read_expiry(event),
        dry_run=dry_run,
    )


def _read_expiry(event: Event) -> datetime | None:
    if "expirytime" not in event.attributes:
        return None
    try:
        return read_time(str(event.attributes["expirytime"]))
    except ValueError as error:
        raise NotAnEventError(400, f"expirytime {error}") from None


def write_expired(
    tick: Tick,
    *,
    engine: str,
    project_id: str,
    instance_id: str,
    backup_id: str,
    policy: str,
    reason: str,
    as_of: datetime,
    valid_for: timedelta,
    source: str,
) -> tuple[dict[str, str], dict[str, object]]:
    """The event of one expired backup: its attributes, and its data. The same tick delivered again yields the same."""
    attributes = {
        "specversion": "1.0",
        "id": _derive_id(tick.source, tick.id, engine, project_id, backup_id),
        "source": source,
        "type": EXPIRED,
        "dataschema": _schema(EXPIRED),
        "time": _utc(as_of),
        "subject": backup_id,
        "expirytime": _utc(as_of + valid_for),
        "partitionkey": instance_id,  # a broker with keys keeps the events of one instance in order
        "causationid": tick.id,
    }
    ids = {"project_id": project_id, "instance_id": instance_id, "backup_id": backup_id}
    named = {"engine": engine} if engine != DEFAULT_ENGINE else {}
    return attributes, {**ids, **named, "policy": policy, "reason": reason}


def write_report(
    tick: Tick, data: Mapping[str, object], *, source: str, now: datetime, trace: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, object]]:
    """The event that reports what came of a tick: its attributes, and its data."""
    attributes = {
        "specversion": "1.0",
        "id": _derive_id(tick.source, tick.id, PLANNED),
        "source": source,
        "type": PLANNED,
        "dataschema": _schema(PLANNED),
        "time": _utc(now),
        "causationid": tick.id,
        **trace,
    }
    return attributes, {"request": {"source": tick.source, "id": tick.id, "type": tick.type}, **data}


def _derive_id(*parts: str) -> str:
    return str(uuid5(NAMESPACE_URL, json.dumps(parts)))


def _schema(event_type: str) -> str:
    return f"{SCHEMAS}{event_type.removeprefix('dev.backup-reaper.')}:data"


def _utc(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")
