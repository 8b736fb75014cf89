"""What gunicorn says goes where the function's own lines go, without what a request said."""

import logging

import pytest
from gunicorn.config import Config

from function.server import JsonLogger


@pytest.fixture
def log() -> JsonLogger:
    return JsonLogger(Config())


def said(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [(record.levelname, record.getMessage()) for record in caplog.records]


def test_a_refusal_loses_what_the_request_said_and_other_warnings_lose_nothing(
    log: JsonLogger, caplog: pytest.LogCaptureFixture
) -> None:
    log.warning("Invalid request from ip=10.0.0.1: Invalid HTTP Header: 'X-Auth-Token: 5ecret'")
    log.warning("Worker: %s: gone", 7)

    assert said(caplog) == [
        ("WARNING", "Invalid request from ip=10.0.0.1: Invalid HTTP Header"),
        ("WARNING", "Worker: 7: gone"),
    ]


def test_a_slow_client_is_a_warning_and_any_other_exception_an_error_with_its_frames(
    log: JsonLogger, caplog: pytest.LogCaptureFixture
) -> None:
    for error in (TimeoutError(), LookupError()):
        try:
            raise error
        except (TimeoutError, LookupError):
            log.exception("Error handling request")

    assert said(caplog) == [
        ("WARNING", "a client was too slow: its connection is closed"),
        ("ERROR", "Error handling request"),
    ]
    assert [bool(record.exc_info) for record in caplog.records] == [False, True]


@pytest.mark.parametrize(("level", "expected"), [("error", logging.WARNING), ("debug", logging.DEBUG)])
def test_warnings_are_logged_at_least(level: str, expected: int) -> None:
    """The framework asks for errors alone, unless GUNICORN_LOG_LEVEL says otherwise."""
    settings = Config()
    settings.set("loglevel", level)

    assert JsonLogger(settings).error_log.level == expected
