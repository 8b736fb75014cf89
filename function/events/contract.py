"""Our events: the command in an expired backup's event, and the event that tells its outcome."""

import json
import re
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final, assert_never
from uuid import NAMESPACE_URL, uuid5

from ..backups import Backup, DeleteBackup, Deleted, Failed, Outcome, Skipped
from ..errors import NotAnEventError
from ..exchange import MAX_NAME_CHARS, bounded
from ..near_names import near
from .binding import Event, Unreadable
from .grammar import STRINGS, read_time, show_name

EXPIRED: Final = "dev.backup-reaper.backup.expired.v1"
DELETED: Final = "dev.backup-reaper.backup.deleted.v1"
FAILED: Final = "dev.backup-reaper.backup.deletion-failed.v1"
SKIPPED: Final = "dev.backup-reaper.backup.deletion-skipped.v1"
SCHEMAS: Final = "urn:backup-reaper:"  # what the files in events/schemas/ are called: $id, without a host to own
RESULT_TYPES: Final = frozenset({DELETED, FAILED, SKIPPED})
MAX_FAULTS: Final = 10  # of an event, in one message
MAX_SHOWN_CHARS: Final = 20  # of a member's name that is not plain

PROJECT_ID: Final = re.compile("[A-Za-z0-9]{32}")
# No dot and no slash: a path that loses its id is DELETE …/backups, the API's batch deletion.
_BACKUP_ID: Final = re.compile("[A-Za-z0-9-]{1,64}")
_PLAIN_NAME: Final = re.compile("[A-Za-z0-9_-]{1,40}")
MEMBERS: Final = frozenset({"project_id", "backup_id", "instance_id", "engine", "dry_run"})
DEFAULT_ENGINE: Final = "taurusdb"
Engines = Mapping[str, bool]  # the engines there are by name, and whether an event must name an instance
_ATTRIBUTES: Final = STRINGS | {"expirytime"}
# What a member of the data, or an extension attribute, can be meant to be. The names of attributes have no underscores.
_MEMBERS_MEANT: Final = {"expirytime": "the attribute expirytime"} | {name: name for name in MEMBERS}
_ATTRIBUTES_MEANT: Final = {"expirytime": "expirytime"} | {name.replace("_", ""): f"data.{name}" for name in MEMBERS}
# Words that resemble a known name, but are used for something else.
OTHER_WORDS: Final = frozenset(
    {
        *("project", "projects", "protected", "backup", "backups"),  # the ids that they resemble must be there anyway
        *("online", "inline", "entire", "engineer", "rerun"),
    }
)


def read_command(event: Event, accepted_types: Collection[str], engines: Engines) -> DeleteBackup | Failed:
    """The command in an event; `Failed` where the event is ours but does not fit.

    Raises:
        NotAnEventError: it is of a type that is not accepted.
    """
    if event.attributes["type"] not in accepted_types:
        raise NotAnEventError(400, "events of this type are not accepted: REAPER_ACCEPTED_EVENT_TYPES says which are")
    data = event.data if isinstance(event.data, dict) else {}
    faults = [*_data_faults(event.data, engines), *_attribute_faults(event)]
    if faults:
        more = [f"and {len(faults) - MAX_FAULTS} more"] if len(faults) > MAX_FAULTS else []
        return Failed(error_code="INVALID_EVENT", error_msg="; ".join(faults[:MAX_FAULTS] + more))
    judged, expires = event.text("time"), event.text("expirytime")
    return DeleteBackup(
        project_id=data["project_id"],
        backup_id=data["backup_id"],
        engine=data.get("engine", DEFAULT_ENGINE),
        instance_id=data.get("instance_id"),
        dry_run=data.get("dry_run", False),
        judged=read_time(judged) if judged else None,
        expires=read_time(expires) if expires else None,
    )


def write_result(
    event: Event, outcome: Outcome, engines: Engines, *, source: str, now: datetime, trace: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, object]]:
    """The result event of an outcome: its attributes, and its data.

    A redelivery of the event yields the same id for the same type of result.
    """
    match outcome:
        case Deleted():
            result_type, facts = DELETED, _deleted(outcome)
        case Failed():
            result_type, facts = FAILED, _failed(outcome)
        case Skipped():
            result_type, facts = SKIPPED, _skipped(outcome)
        case _:
            assert_never(outcome)
    request = {name: str(event.attributes[name]) for name in ("source", "id", "type")}
    ids = _ids(event.data, engines)
    name = json.dumps([request["source"], request["id"], *ids.values(), result_type])
    attributes = {
        "specversion": "1.0",
        "id": str(uuid5(NAMESPACE_URL, name)),
        "source": source,
        "type": result_type,
        "dataschema": f"{SCHEMAS}{result_type.removeprefix('dev.backup-reaper.')}:data",
        "time": now.isoformat().replace("+00:00", "Z"),
        "subject": ids["backup_id"],
        "causationid": request["id"],
        "correlationid": event.text("correlationid") or None,  # the extension forbids an empty one
        **trace,
    }
    data = {**ids, "request": request, **facts}
    return {name: value for name, value in attributes.items() if value is not None}, data


def _deleted(outcome: Deleted) -> dict[str, object]:
    facts = {
        "absence": outcome.absence,
        "backup_name": outcome.backup_name,
        "response": outcome.response,
        "request_id": outcome.request_id,
    }
    return {"already_absent": outcome.absence is not None, **_known(facts)}


def _failed(outcome: Failed) -> dict[str, object]:
    facts = {"http_status": outcome.http_status, "request_id": outcome.request_id}
    return {"error_code": outcome.error_code, "error_msg": outcome.error_msg, **_known(facts)}


def _skipped(outcome: Skipped) -> dict[str, object]:
    would_delete = outcome.would_delete and _known(_backup(outcome.would_delete))
    return {"reason": outcome.reason, "message": outcome.message, **_known({"would_delete": would_delete})}


def _backup(backup: Backup) -> dict[str, object]:
    texts = {
        "backup_name": backup.name,
        "instance_id": backup.instance_id,
        "type": backup.type,
        "status": backup.status,
        "begin_time": backup.begin_time and backup.begin_time.isoformat(),
    }
    return {name: text and bounded(text, MAX_NAME_CHARS) for name, text in texts.items()}


def _ids(data: object, engines: Engines) -> dict[str, str | None]:
    """What a request names; None for an id that is not valid. The id of a result is derived from it.

    The default engine is left out, so that what was written before there were others stays as it is.
    """
    ids = {"project_id": _valid(data, "project_id", PROJECT_ID), "backup_id": _valid(data, "backup_id", _BACKUP_ID)}
    engine = data.get("engine", DEFAULT_ENGINE) if isinstance(data, dict) else DEFAULT_ENGINE
    return {**ids, "engine": engine} if engine != DEFAULT_ENGINE and _is_engine(engine, engines) else ids


def _known(facts: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in facts.items() if value is not None}


def _valid(data: object, name: str, form: re.Pattern[str]) -> str | None:
    value = data.get(name) if isinstance(data, dict) else None
    return value if isinstance(value, str) and form.fullmatch(value) else None


def _is_engine(value: object, engines: Engines) -> bool:
    return isinstance(value, str) and value in engines


def _data_faults(data: object, engines: Engines) -> list[str]:
    """What is wrong with the data, each fault with the member's name."""
    if isinstance(data, Unreadable):
        return [f"data is not JSON: {data.why}"]
    if not isinstance(data, dict):
        return ["data must be a JSON object"]
    faults = [
        f"unknown member data{_shown(name)}; did you mean {meant}?"
        for name in data
        if name not in MEMBERS and (meant := _meant(name, _MEMBERS_MEANT))
    ]
    if not _valid(data, "project_id", PROJECT_ID):
        faults.append("data.project_id must be a string of 32 ASCII letters and digits")
    if not _valid(data, "backup_id", _BACKUP_ID):
        faults.append("data.backup_id must be a string of 1 to 64 ASCII letters, digits and hyphens")
    if "instance_id" in data and not _valid(data, "instance_id", _BACKUP_ID):
        faults.append("data.instance_id must be a string of 1 to 64 ASCII letters, digits and hyphens")
    engine = data.get("engine", DEFAULT_ENGINE)
    if not _is_engine(engine, engines):
        faults.append(f"data.engine must be one of {', '.join(engines)}")
    elif engines[engine] and "instance_id" not in data:
        faults.append(f"data.instance_id must be there with the engine {engine}: its backups are listed by instance")
    if not isinstance(data.get("dry_run", False), bool):
        faults.append("data.dry_run must be true or false")
    return faults


def _meant(name: str, meanings: Mapping[str, str]) -> str | None:
    """What a name in the wrong place, or a misspelt one, was probably meant to be; None if it is another word."""
    known = name if name in meanings else near(name, meanings)
    return meanings[known] if known and name not in OTHER_WORDS else None


def _shown(name: str) -> str:
    """A member's name for a message: short, in ASCII, and quoted where it could be misread."""
    return f".{name}" if _PLAIN_NAME.fullmatch(name) else f"[{name[:MAX_SHOWN_CHARS]!a}]"


def _attribute_faults(event: Event) -> list[str]:
    """What is wrong with `expirytime`, and each attribute that was probably meant to be it, or a member of the data.

    An expiry that cannot be read must not be disregarded, and neither must a dry run that stands in the wrong place.
    """
    faults = []
    for name in event.attributes.keys() - _ATTRIBUTES:
        if meant := _meant(name, _ATTRIBUTES_MEANT):
            faults.append(f"unknown attribute {show_name(name)}; did you mean {meant}?")
    if "expirytime" in event.attributes:
        try:
            read_time(str(event.attributes["expirytime"]))
        except ValueError as error:
            faults.append(f"expirytime {error}")
    return sorted(faults)
