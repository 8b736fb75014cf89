"""The pure parts of the transport; its sockets are for tests/integration."""

import socket
import time
from datetime import UTC, datetime
from typing import Final

import pytest
import requests
from urllib3.exceptions import MaxRetryError, NewConnectionError, ProtocolError

from function.delivery import Delivery
from function.errors import ApiUnavailableError
from function.exchange import Request
from function.http1 import NoAnswerError
from function.transport import Transport, _cause, _prepared, _Shrinking

URL: Final = "http://127.0.0.1:9/v3/p/backups/b1"
SECRET: Final = "5ecret"


def test_a_request_goes_out_as_it_is() -> None:
    prepared = _prepared(Request("DELETE", URL, {"X-Auth-Token": "t1", "User-Agent": "other"}))

    assert (prepared.method, prepared.url, prepared.body) == ("DELETE", URL, None)
    assert dict(prepared.headers) == {"User-Agent": "other", "Accept-Encoding": "identity", "X-Auth-Token": "t1"}


@pytest.mark.parametrize(("body", "length"), [(b"", "0"), (b"{}", "2")])
def test_a_body_has_its_length(body: bytes, length: str) -> None:
    prepared = _prepared(Request("POST", URL, {}, body))

    assert (prepared.body, prepared.headers["Content-Length"]) == (body, length)


def test_after_the_deadline_nothing_is_sent() -> None:
    transport = Transport([URL], pool_size=1)
    delivery = Delivery(now=datetime(2026, 3, 1, tzinfo=UTC), until=time.monotonic())

    with pytest.raises(ApiUnavailableError) as raised:
        transport.exchange(Request("DELETE", URL, {"X-Auth-Token": SECRET}), delivery)

    assert raised.value.error_code == "NO_ANSWER"
    assert raised.value.error_msg == f"no answer to DELETE {URL}: TimeoutError"
    assert [(call.method, call.url, call.status) for call in delivery.calls] == [("DELETE", URL, 0)]


def test_when_the_time_is_over_nothing_more_is_read_even_if_it_is_there() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.send(b"late")
        ours.settimeout(1e-9)

        with _Shrinking(ours.makefile("rb", buffering=0), ours) as reader, pytest.raises(TimeoutError):
            reader.readinto(bytearray(4))


def chained(outer: Exception, inner: Exception, how: str) -> Exception:
    if how == "cause":
        outer.__cause__ = inner
    else:
        outer.__context__ = inner
    return outer


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (TimeoutError(SECRET), "TimeoutError"),
        (NoAnswerError("broken off"), "broken off"),
        (requests.ConnectionError(SECRET), "ConnectionError"),
        (requests.ConnectionError(ConnectionResetError(SECRET)), "ConnectionResetError"),
        (requests.ConnectionError(ProtocolError(SECRET, BrokenPipeError(SECRET))), "ProtocolError"),
        (
            requests.ConnectionError(
                MaxRetryError(None, URL, NewConnectionError(None, SECRET))  # type: ignore[arg-type]
            ),
            "NewConnectionError",
        ),
        (chained(OSError(SECRET), KeyError(SECRET), "cause"), "KeyError"),
        (chained(OSError(SECRET), KeyError(SECRET), "context"), "KeyError"),
        (chained(OSError(SECRET), chained(KeyError(SECRET), IndexError(SECRET), "cause"), "context"), "IndexError"),
    ],
)
def test_a_cause_is_named_without_its_text_unless_that_is_ours(error: Exception, name: str) -> None:
    assert _cause(error) == name
