"""The body of a request, as gunicorn hands it over: read whole and bounded, or thrown away."""

import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

import flask

from .errors import NotAnEventError

MAX_DISCARD_SECONDS: Final = 4.0


def read_body(request: flask.Request, limit: int) -> bytes:
    """The whole body.

    Raises:
        NotAnEventError: it is larger than the limit (`Content-Length` can lie, and chunks have none), or not whole.
    """
    length, body = request.content_length, b""
    if (length or 0) <= limit:
        try:
            while chunk := request.stream.read(limit + 1 - len(body)):
                body += chunk
        except Exception:  # gunicorn raises many kinds
            raise NotAnEventError(400, "the body is broken off, or is not in chunks as HTTP has them") from None
        if len(body) < (length or 0):
            raise NotAnEventError(400, "the body is shorter than Content-Length says")
        if len(body) <= limit:
            return body
    raise NotAnEventError(413, f"the body is larger than {limit} bytes")


def discard_rest(environ: Mapping[str, Any]) -> None:
    """Read and drop what is left of a request, for a while: many clients listen only when they have sent all."""
    with suppress(Exception):  # the answer is given
        environ["gunicorn.socket"].settimeout(MAX_DISCARD_SECONDS)
        until = time.monotonic() + MAX_DISCARD_SECONDS
        while environ["wsgi.input"].read(1 << 18) and time.monotonic() < until:
            pass
