"""The schemas in events/schemas/ accept what the function accepts and emits, and reject what it refuses."""

import json
from pathlib import Path
from typing import Any

import pytest

from function.events.contract import EXPIRED, RESULT_TYPES, SCHEMAS
from tests.event_schemas import SCHEMAS as FILES
from tests.event_schemas import schema_faults

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
    assert len(list(FILES.iterdir())) == len({EXPIRED, *RESULT_TYPES})


GOOD = {
    "specversion": "1.0",
    "id": "1",
    "source": "/policies/nightly",
    "type": EXPIRED,
    "data": {"project_id": "054e292c9880d4992f02c0196d3ea468", "backup_id": "b"},
}


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
        ("DRY_RUN", True),
        ("dry-run", True),
        ("instanceId", "x"),
        ("_project_id", "x"),
    ],
)
def test_the_schema_refuses_data_that_could_delete_by_mistake(member: str, value: object) -> None:
    """As `read_command` does (DESIGN §1, "Event in")."""
    assert schema_faults(GOOD) == []

    assert schema_faults({**GOOD, "data": {**GOOD["data"], member: value}})  # type: ignore[dict-item]  # GOOD is mixed
