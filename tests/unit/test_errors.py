"""What keeps a delivery from an outcome: which errors are retried, and which need an operator."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from function.errors import (
    ApiDeniedError,
    ApiUnavailableError,
    ConfigError,
    NotAnEventError,
    NotFinalError,
    ReaperError,
    SinkError,
    UndecidedError,
)


@pytest.mark.parametrize("kind", [ApiUnavailableError, ApiDeniedError, UndecidedError, SinkError])
def test_what_is_not_final_tells_what_the_api_said(kind: type[NotFinalError]) -> None:
    error = kind("CODE", "text", http_status=503, retry_after="7", request_id="r1")

    assert isinstance(error, NotFinalError)
    assert str(error) == "CODE: text"
    assert (error.error_code, error.error_msg) == ("CODE", "text")
    assert (error.http_status, error.retry_after, error.request_id) == (503, "7", "r1")


@pytest.mark.parametrize("kind", [ApiUnavailableError, ApiDeniedError, UndecidedError, SinkError])
def test_only_what_was_denied_needs_an_operator(kind: type[NotFinalError]) -> None:
    assert kind.needs_operator is (kind is ApiDeniedError)


def test_what_the_api_did_not_say_is_none() -> None:
    error = UndecidedError("CODE", "text")

    assert (error.http_status, error.retry_after, error.request_id) == (None, None, None)


@pytest.mark.parametrize("kind", [ConfigError, NotAnEventError])
def test_a_fault_of_the_start_or_the_envelope_does_not_come_again(kind: type[ReaperError]) -> None:
    assert issubclass(kind, ReaperError)
    assert not issubclass(kind, NotFinalError)


@given(st.sampled_from([400, 413, 415]), st.text())
def test_what_is_no_event_tells_its_status_and_why(status: int, message: str) -> None:
    error = NotAnEventError(status, message)

    assert (error.status, str(error)) == (status, message)
