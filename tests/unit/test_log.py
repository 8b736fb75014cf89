"""Log lines: whole, and without what must not be read in them."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from function.log import start_logging


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
        log.exception("nobody foresaw this")

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
