"""The body of a request, as gunicorn hands it over: read within a limit of bytes and of time, or dropped."""

import math
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, Final

from .errors import NotAnEventError, UndecidedError

MAX_ANSWER_SECONDS: Final = 4.0  # for a client to take its answer, and as long again to send what it still has


def read_body(environ: Mapping[str, Any], limit: int, until: float) -> bytes:
    """The complete body.

    Args:
        limit: in bytes; `Content-Length` can lie, and chunks have none.
        until: when it must be there, on the monotonic clock.

    Raises:
        NotAnEventError: it is too large, incomplete or encoded.
        UndecidedError: it does not arrive in time.
    """
    if environ.get("HTTP_TRANSFER_ENCODING", "chunked").lower() != "chunked":
        raise NotAnEventError(415, "Transfer-Encoding must be chunked and nothing else: the body is read as it comes")
    length = int(environ.get("CONTENT_LENGTH") or 0)
    if length > limit:
        raise NotAnEventError(413, f"the body is larger than {limit} bytes")
    _bound_reading(environ, until)
    try:
        body: bytes = environ["wsgi.input"].read(limit + 1)
    except Exception:  # gunicorn raises many kinds
        if time.monotonic() >= until:
            raise UndecidedError(
                "LATE_BODY", "the body of the request did not arrive in time: nothing was done"
            ) from None
        raise NotAnEventError(400, "the body is broken off, or is not in chunks as HTTP has them") from None
    if len(body) > limit:
        raise NotAnEventError(413, f"the body is larger than {limit} bytes")
    if len(body) < length:
        raise NotAnEventError(400, "the body is shorter than Content-Length says")
    return body


def send_and_discard(answer: bytes, environ: Mapping[str, Any]) -> Iterator[bytes]:
    """The body of the answer; then the rest of the request is dropped: many clients listen only when all is sent.

    A client that takes longer for either loses its connection.
    """
    if client := environ.get("gunicorn.socket"):
        client.settimeout(MAX_ANSWER_SECONDS)
    yield answer
    _bound_reading(environ, time.monotonic() + MAX_ANSWER_SECONDS)
    with suppress(Exception):  # the answer is given
        while environ["wsgi.input"].read(1 << 18):
            pass


class ClientSocket(socket.socket):
    """A client's connection, read until a point in time: a socket's own timeout starts again with each byte.

    Attributes:
        until: that point, on the monotonic clock.
    """

    until = math.inf

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Receive some bytes.

        Raises:
            TimeoutError: the time is over.
        """
        if (left := self.until - time.monotonic()) <= 0:
            raise TimeoutError
        self.settimeout(min(left, 3600.0))
        return super().recv(size, flags)


def _bound_reading(environ: Mapping[str, Any], until: float) -> None:
    client = environ.get("gunicorn.socket")
    if isinstance(client, ClientSocket):  # a test's server has none
        client.until = until
