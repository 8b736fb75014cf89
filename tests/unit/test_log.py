"""Log lines: whole, and without what must not be read in them."""

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from function.log import start_logging
from tests.strategies import json_values


@pytest.fixture
def log() -> Iterator[logging.Logger]:
    """A logger as the function's; what was set up for the tests comes back afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield logging.getLogger("backup-reaper")
    root.handlers[:] = handlers
    root.setLevel(level)


def line(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    (text,) = capsys.readouterr().out.splitlines()
    read = json.loads(text)
    assert isinstance(read, dict)
    return read


def test_an_exception_shows_its_frames_and_its_kind_but_not_its_text(
    log: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    """DESIGN §4: its text could hold a secret."""
    start_logging("INFO", [])

    try:
        int("what it failed on")
    except ValueError:
        log.exception("unhandled exception")

    told = line(capsys)
    assert told["severity"] == "ERROR"
    assert "test_log.py" in told["exc_info"]
    assert told["exc_info"].endswith("ValueError")
    assert "invalid literal" not in told["exc_info"]


def test_a_secret_is_redacted_wherever_it_stands(log: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    start_logging("INFO", ["s3cret", "0"])

    log.info("a %s in the message", "s3cret", extra={"calls": [{"url": "x?s3cret"}], "seconds": 0.0, "none": None})

    told = line(capsys)
    assert told["message"] == "a [redacted] in the message"
    assert told["calls"] == [{"url": "x?[redacted]"}]
    assert (told["seconds"], told["none"]) == (0.0, None)


def redacted(value: object, secret: str) -> object:
    if isinstance(value, str):
        return value.replace(secret, "[redacted]")
    if isinstance(value, dict):
        return {name: redacted(inner, secret) for name, inner in value.items()}
    return [redacted(inner, secret) for inner in value] if isinstance(value, list) else value


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=3), json_values)
@example('a"b', {"a": 'xa"b'})  # JSON writes it otherwise
@example("\\", ["\\\\"])
@example("u00e4", "\xe4 \\u00e4")
def test_a_secret_is_redacted_in_every_value_and_nothing_else_is(
    log: logging.Logger, capsys: pytest.CaptureFixture[str], secret: str, value: object
) -> None:
    capsys.readouterr()
    start_logging("INFO", [secret])

    log.info("%s", secret, extra={"value": [value, secret]})

    told = line(capsys)
    assert (told["message"], told["value"]) == ("[redacted]", redacted([value, secret], secret))


def test_what_json_does_not_know_is_written_as_text(log: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    start_logging("INFO", [])

    log.info("told", extra={"set": frozenset("ba"), "age": timedelta(days=3)})

    told = line(capsys)
    assert (told["set"], told["age"]) == (["a", "b"], "3 days, 0:00:00")


def test_a_line_tells_its_time_in_utc(log: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    start_logging("INFO", [])

    log.info("told")

    written = datetime.fromisoformat(line(capsys)["time"])
    assert written.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - written) < timedelta(minutes=1)
