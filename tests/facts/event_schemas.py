"""The contract as files: the JSON Schemas in events/schemas/, as validators of events."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from jsonschema import Draft202012Validator

SCHEMAS: Final = Path(__file__).parents[2] / "events" / "schemas"
PREFIX: Final = "dev.backup-reaper."


def schema_faults(event: Mapping[str, Any], event_type: str | None = None) -> list[str]:
    """What the schema of its type (or of another) finds wrong with an event in the JSON format."""
    validator = _validator(str(event_type or event["type"]).removeprefix(PREFIX))
    return [f"{fault.json_path}: {fault.message}" for fault in validator.iter_errors(event)]


@cache
def _validator(name: str) -> Draft202012Validator:
    schema = json.loads((SCHEMAS / f"{name}.json").read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
