"""The pure parts of the transport; its sockets are for tests/integration."""

import ast
import errno
import os
import socket
import ssl
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest
import requests

from function.delivery import Delivery
from function.errors import ApiUnavailableError
from function.exchange import Request
from function.http1 import NoAnswerError
from function.transport import Transport, plain

ORIGIN: Final = "http://127.0.0.1:9"
URL: Final = f"{ORIGIN}/v3/p/backups/b1"
SECRET: Final = "5ecret"
TRANSPORT_FILES: Final = ("transport.py", "connection.py", "proxies.py", "trust.py", "http1.py")


def refused_certificate(why: str) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, SECRET)
    error.verify_message = why
    return error


def failed_tls(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, SECRET)
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (NoAnswerError("it ends early"), "it ends early"),
        (refused_certificate("certificate has expired"), "the certificate is refused: certificate has expired"),
        (failed_tls("WRONG_VERSION_NUMBER"), "TLS failed: wrong version number"),
        (ssl.SSLEOFError(SECRET), "TLS failed: ssleoferror"),
        (socket.gaierror(socket.EAI_NONAME, SECRET), "the host name does not resolve"),
        (UnicodeEncodeError("idna", SECRET, 0, 1, SECRET), "the host name does not resolve"),
        (TimeoutError(SECRET), "timed out"),
        (TimeoutError(errno.ETIMEDOUT, SECRET), "timed out"),
        (ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED)), "connection refused"),
        (ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET)), "connection reset by peer"),
        (OSError(errno.EHOSTUNREACH, os.strerror(errno.EHOSTUNREACH)), "no route to host"),
        (OSError(SECRET), "oserror"),
    ],
    ids=repr,
)
def test_a_failure_is_told_in_words_that_hold_no_secret(error: OSError | ValueError, words: str) -> None:
    assert plain(error) == words


def failure(transport: Transport, request: Request, seconds: float) -> tuple[ApiUnavailableError, Delivery]:
    delivery = Delivery(now=datetime(2026, 3, 1, tzinfo=UTC), until=time.monotonic() + seconds)
    with pytest.raises(ApiUnavailableError) as raised:
        transport.exchange(request, delivery)
    return raised.value, delivery


def test_after_the_deadline_nothing_is_sent_and_no_call_is_told_of() -> None:
    error, delivery = failure(Transport([URL], pool_size=1), Request("DELETE", URL, {"X-Auth-Token": SECRET}), 0)

    assert (error.error_code, error.error_msg) == ("NO_ANSWER", f"nothing was sent to {ORIGIN}: no time was left")
    assert not error.sent
    assert not error.sent
    assert delivery.calls == []


@pytest.mark.parametrize("value", [f"{SECRET}\n", f"\u20ac{SECRET}"])
def test_a_header_that_http_cannot_carry_is_neither_sent_nor_shown(value: str) -> None:
    error, delivery = failure(Transport([URL], pool_size=1), Request("DELETE", URL, {"X-Auth-Token": value}), 5)

    assert error.error_msg == f"nothing was sent to {ORIGIN}: the request holds a character that HTTP cannot carry"
    inner = error.__context__
    assert inner
    assert [(one.__cause__, one.__suppress_context__) for one in (error, inner)] == [(None, True)] * 2
    assert delivery.calls == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:10/", "https://127.0.0.1:9/", "http://127.0.0.2:9/"])
def test_an_origin_that_it_was_not_made_for_is_not_asked(url: str) -> None:
    with pytest.raises(requests.exceptions.InvalidURL, match=r"^this transport was not made for that origin$"):
        Transport([URL], pool_size=1).exchange(
            Request("GET", url, {}), Delivery(now=datetime.now(UTC), until=time.monotonic() + 5)
        )


@pytest.mark.parametrize("name", TRANSPORT_FILES)
def test_nothing_private_of_a_library_is_used(name: str) -> None:
    tree = ast.parse((Path(__file__).parents[2] / "function" / name).read_text())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
    attributes = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and not (isinstance(node.value, ast.Name) and node.value.id == "self")
    }

    assert {word for word in imported | attributes if word.startswith("_") and not word.startswith("__")} == set()
