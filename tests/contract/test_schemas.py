"""The schemas in events/schemas/ accept what the function accepts and emits, and reject what it refuses."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from function.backups import Absence, Failed, Mode, Reason
from function.cloud.engines import ENGINES
from function.events.binding import Event
from function.events.contract import EXPIRED, MEMBERS, RESULT_TYPES, SCHEMAS, read_command
from function.events.planning import DUE, PLANNED
from function.reaper import KNOWN
from function.retention.plan import Outcome as GroupOutcome
from simulator.processes import ROOT
from tests.facts.event_schemas import SCHEMAS as FILES
from tests.facts.event_schemas import schema_faults

EVENTS = FILES.parent
REFUSED = ("400", "INVALID_EVENT")


def read(path: Path) -> dict[str, Any]:
    content = json.loads(path.read_text())
    assert isinstance(content, dict)
    return content


def is_refused(sample: Path) -> bool:
    """Whether the sample's name says that the event itself is what is wrong."""
    return any(word in sample.name.split(".") for word in REFUSED)


@pytest.mark.parametrize("sample", sorted(EVENTS.glob("*.json")), ids=lambda sample: sample.name)
def test_a_sample_fits_the_schema_if_the_function_accepts_it(sample: Path) -> None:
    assert bool(schema_faults(read(sample), EXPIRED)) == is_refused(sample)


@pytest.mark.parametrize("sample", sorted(EVENTS.glob("results/*.json")), ids=lambda sample: sample.name)
def test_a_result_in_the_samples_fits_its_schema(sample: Path) -> None:
    assert schema_faults(read(sample)) == []


@pytest.mark.parametrize("event_type", sorted({EXPIRED, *RESULT_TYPES}))
def test_each_event_type_has_a_schema_that_names_itself(event_type: str) -> None:
    name = event_type.removeprefix("dev.backup-reaper.")
    schema = read(FILES / f"{name}.json")

    assert schema["$id"] == SCHEMAS + name
    assert schema["properties"]["type"] == {"const": event_type}


def test_there_is_no_schema_without_an_event_type() -> None:
    assert len(list(FILES.iterdir())) == len({EXPIRED, DUE, PLANNED, *RESULT_TYPES})


CORE = {"specversion": "1.0", "id": "1", "source": "/policies/nightly", "type": EXPIRED}
DATA: dict[str, Any] = {"project_id": "054e292c9880d4992f02c0196d3ea468", "backup_id": "b"}
GOOD: dict[str, Any] = {**CORE, "data": DATA}


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("backup_id", ""),
        ("backup_id", ".."),
        ("backup_id", "a/b"),
        ("backup_id", "x" * 65),
        ("backup_id", None),
        ("project_id", "054e292c9880d4992f02c0196d3ea46"),
        ("instance_id", 5),
        ("dry_run", "true"),
        ("dryRun", True),
        ("dry run", True),
        ("dry_run ", True),
        ("dry.run", True),
        ("expirytime", "2026-03-01T12:00:00Z"),
        ("DRY_RUN", True),
        ("dry-run", True),
        ("instanceId", "x"),
        ("_project_id", "x"),
    ],
)
def test_the_schema_refuses_data_that_could_delete_by_mistake(member: str, value: object) -> None:
    """As `read_command` does."""
    event = {**GOOD, "data": {**DATA, member: value}}

    assert schema_faults(GOOD) == []
    assert schema_faults(event)
    assert isinstance(read_command(Event(CORE, event["data"], "structured"), {EXPIRED}, KNOWN), Failed)


@pytest.mark.parametrize("name", ["dryrun", "instanceid", "projectid", "backupid"])
def test_the_schema_refuses_an_extension_that_was_meant_to_be_data(name: str) -> None:
    assert schema_faults({**GOOD, name: "true"})
    assert isinstance(read_command(Event({**CORE, name: "true"}, DATA, "structured"), {EXPIRED}, KNOWN), Failed)


def enumerations(value: object, path: str = "") -> Iterator[tuple[str, frozenset[str]]]:
    """Every list of words in a schema, by the member it is for."""
    if isinstance(value, dict):
        if "enum" in value:
            yield path, frozenset(value["enum"])
        for name, inner in value.items():
            yield from enumerations(inner, path if name in STRUCTURE else f"{path}.{name}".lstrip("."))
    elif isinstance(value, list):
        for inner in value:
            yield from enumerations(inner, path)


STRUCTURE = {"$defs", "data", "properties", "anyOf", "not", "if", "then", "else"}
WORDS = {
    ("backup.deleted.v1", "absence"): {frozenset(get_args(Absence))},
    ("backup.deletion-skipped.v1", "reason"): {frozenset(get_args(Reason))},
    ("backup.expired.v1", "engine"): {frozenset(ENGINES)},
    ("retention.due.v1", "propertyNames"): {frozenset({"dryrun"})},  # no extension may have this name
    ("retention.planned.v1", "mode"): {frozenset(get_args(Mode))},
    ("retention.planned.v1", "skipped"): {frozenset({"stale_tick"})},
    ("retention.planned.v1", "groups.items.outcome"): {frozenset(get_args(GroupOutcome))},
    **{
        ("retention.planned.v1", f"{name}.items.engine"): {frozenset(ENGINES)}
        for name in ("groups", "expired", "left", "absent_instances")
    },
    **{
        (f"{result}.v1", "engine"): {frozenset(ENGINES) - {"taurusdb"}}
        for result in ("backup.deleted", "backup.deletion-failed", "backup.deletion-skipped")
    },
    ("backup.expired.v1", "propertyNames"): {
        MEMBERS,  # of the data
        frozenset(name.replace("_", "") for name in MEMBERS),  # no extension may have such a name
    },
}


def test_every_enumeration_in_a_schema_is_the_one_in_the_code() -> None:
    """One that is new in a schema has no place in `WORDS` yet; a word that is new in either is not in the other."""
    found: dict[tuple[str, str], set[frozenset[str]]] = {}
    for file in FILES.iterdir():
        for path, words in enumerations(read(file)):
            found.setdefault((file.stem, path), set()).add(words)

    assert found == WORDS


def test_every_reason_to_skip_is_one_that_the_code_gives() -> None:
    """The types see to the other direction: a word that is not in `Reason` is an error of mypy's."""
    given = {
        keyword.value.value
        for file in (ROOT / "function").rglob("*.py")
        for call in ast.walk(ast.parse(file.read_text()))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "Skipped"
        for keyword in call.keywords
        if keyword.arg == "reason" and isinstance(keyword.value, ast.Constant)
    }

    assert given == set(get_args(Reason))
