"""docs/monitoring.md names the fields that the canonical line has, and no others."""

import logging
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

import pytest

from function.backups import Deleted, Failed, Outcome, Planned, Skipped
from function.delivery import Call, Delivery, EventName
from function.errors import (
    ApiDeniedError,
    ApiUnavailableError,
    NotAllowedError,
    NotAnEventError,
    NotFinalError,
    SinkError,
    UncheckedCallerError,
    UndecidedError,
)
from function.record import Record, log_record
from simulator.processes import ROOT
from tests.facts.account import NOW

PAGE: Final = (ROOT / "docs" / "monitoring.md").read_text()
WHOLE: Final = Delivery(
    now=NOW,
    until=0.0,
    traceparent=f"00-{'a' * 32}-{'b' * 16}-01",
    event=EventName(id="1", source="/s", type="t", time=NOW - timedelta(hours=1)),
    project_id="p",
    backup_id="b",
    caller="c",
    invocation_id="i",
    calls=[Call("GET", "https://api.example", 200, 0.1)],
)
COUNTS: Final = {"left": 1}
OUTCOMES: Final[list[Outcome | Planned]] = [
    Deleted(absence="stated", request_id="r"),
    Failed(error_code="c", error_msg="m", http_status=400, request_id="r"),
    Skipped(reason="dry_run", message="m"),
    Planned(mode="sweep", counts=COUNTS),
    Planned(mode="sweep", skipped="stale_tick"),
]
ERRORS: Final[list[Exception]] = [
    *(kind("C", "m", request_id="r") for kind in (ApiDeniedError, ApiUnavailableError, UndecidedError, SinkError)),
    UncheckedCallerError("CALLER_KEYS", "m"),
    NotAnEventError(400, "m"),
    NotAllowedError("CALLER_UNKNOWN", "m", status=401),
    RuntimeError(),
]
# Those of errors.py: other tests make kinds of their own.
KINDS: Final = {
    kind.__name__: kind.needs_operator
    for kind in NotFinalError.__subclasses__()
    if kind.__module__ == "function.errors"
}


class Lines(logging.Handler):
    """What is given to the log besides the message."""

    def __init__(self) -> None:
        super().__init__()
        self.fields: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        usual = vars(logging.makeLogRecord({})).keys()
        self.fields.append({name: value for name, value in vars(record).items() if name not in usual})


def written() -> list[dict[str, Any]]:
    """The canonical lines of each outcome and each error there is."""
    lines, logger = Lines(), logging.getLogger("backup-reaper")
    logger.addHandler(lines)
    before, logger.level = logger.level, logging.DEBUG
    try:
        for outcome in OUTCOMES:
            log_record(Record(delivery=WHOLE, outcome=outcome, error=None, status=200, seconds=1.0))
        for error in ERRORS:
            log_record(Record(delivery=WHOLE, outcome=None, error=error, status=503, seconds=1.0))
        unpublished = Record(delivery=WHOLE, outcome=OUTCOMES[0], error=ERRORS[3], status=503, seconds=1.0)
        log_record(unpublished)
    finally:
        logger.removeHandler(lines)
        logger.setLevel(before)
    return lines.fields


LINES: Final = written()
FIELDS: Final = {name for line in LINES for name in line}


def section(title: str) -> str:
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def rows(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


TABLE: Final = rows(section("The canonical line"))[2:]
QUERIES: Final = {
    query.replace("\\|", "|")
    for _, cell in (row for row in rows(PAGE) if row[0] in ("Loki", "Lucene", "alert"))
    for query in re.findall(r"`([^`]+)`", cell)
}


def test_the_table_has_each_field_that_is_written_and_no_other() -> None:
    assert {name for names, *_ in TABLE for name in re.findall(r"`([^`]+)`", names)} == FIELDS


def test_each_outcome_is_explained() -> None:
    [explained] = [says for names, _, says in TABLE if names == "`outcome`"]

    assert set(re.findall(r"`(\w+)`", explained)) == {line["outcome"] for line in LINES}


def test_each_kind_of_error_that_is_not_final_is_explained() -> None:
    [explained] = [says for names, _, says in TABLE if names == "`error.type`"]
    waiting, passing = explained.split(" wait for an operator")

    assert set(re.findall(r"`(\w+)`", waiting)) == {name for name, waits in KINDS.items() if waits}
    assert set(re.findall(r"`(\w+)`", passing)) == {name for name, waits in KINDS.items() if not waits}


def names_in(query: str) -> Iterator[str]:
    """The fields that a query names."""
    if query.startswith("_exists_:"):
        yield query.removeprefix("_exists_:")
    elif "{" not in query:
        yield query.partition(":")[0]
    else:
        yield from re.findall(r"\| ([a-z_]+)(?:=~|!=|=|>|<)", query)
        yield from re.findall(r"unwrap (\w+)", query)
        for grouped in re.findall(r"by \(([^)]*)\)", query):
            yield from re.findall(r"\w+", grouped)


@pytest.mark.parametrize("query", sorted(QUERIES))
def test_a_query_names_only_fields_that_are_written(query: str) -> None:
    fields = {*FIELDS, *(f"counts.{name}" for name in COUNTS)}
    # Loki's json parser writes an underscore for each other character, and between an object and its member.
    known = {re.sub(r"\W", "_", name) for name in fields} if "{" in query else fields
    named = set(names_in(query))

    assert named
    assert named <= known


def test_a_query_asks_for_values_that_there_are() -> None:
    asked = {value for query in QUERIES for value in re.findall(r'outcome(?:=|=~|:)"?([a-z_|]+)', query)}
    kinds = {value for query in QUERIES for value in re.findall(r'error_type=~"([A-Za-z|]+)"', query)}

    assert {word for words in asked for word in words.split("|")} <= {line["outcome"] for line in LINES}
    assert {word for words in kinds for word in words.split("|")} == {
        kind.__name__
        for kind in NotFinalError.__subclasses__()
        if kind.needs_operator and "function" in kind.__module__
    }
