"""Publishes result events where Knative's sink binding says, instead of replying with them."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from ..delivery import Delivery
from ..errors import ApiUnavailableError, SinkError
from ..exchange import Answer, Request
from .binding import write_event

# SinkBinding mounts a token here, if the sink has an audience (Knative Eventing, SinkBinding "OIDC").
MOUNTED_TOKEN: Final = Path("/oidc/token")


class Sink:
    """One addressee of results.

    Args:
        url: http or https, without userinfo. Its path and query can be what entitles to use it: they are never shown.
        extensions: added to every event (`K_CE_OVERRIDES`).
        exchange: sends one request and returns the whole answer, or raises NotFinalError.
        token_file: must hold a bearer token for the sink. None for the one that SinkBinding mounts: if it is not there,
            the sink gets no token.
        mounted: where SinkBinding mounts it.
    """

    def __init__(
        self,
        url: str,
        extensions: Mapping[str, str],
        exchange: Callable[[Request, Delivery], Answer],
        token_file: Path | None = None,
        mounted: Path = MOUNTED_TOKEN,
    ) -> None:
        scheme, host, *_ = urlsplit(url)
        self._url, self._origin = url, f"{scheme}://{host}"
        self._extensions = extensions
        self._exchange = exchange
        self._token_file, self._mounted = token_file, mounted

    def publish(self, attributes: Mapping[str, str], data: object, delivery: Delivery) -> None:
        """Deliver an event.

        Raises:
            SinkError: the sink has not taken it; the redelivery publishes the same result id.
        """
        # The extensions come first: they add, and replace nothing that is the result's own, such as causationid.
        headers, body = write_event({**self._extensions, **attributes}, data, "structured")
        answer = self._send(Request("POST", self._url, {**headers, **self._authorization()}, body), delivery)
        if not 200 <= answer.status < 300:
            raise SinkError("SINK_REFUSED", f"the sink answered {answer.status}")
        if _is_page(answer):
            message = f"the sink answered {answer.status} with an HTML page, such as a login page: it has taken nothing"
            raise SinkError("SINK_REFUSED", message)

    def _send(self, request: Request, delivery: Delivery) -> Answer:
        before = len(delivery.calls)
        try:
            return self._exchange(request, delivery)
        except ApiUnavailableError as error:
            cause = error.error_msg.replace(self._url, self._origin)
            raise SinkError("SINK_UNREACHABLE", f"the result was not published: {cause}") from None
        finally:
            delivery.calls[before:] = [replace(call, url=self._origin) for call in delivery.calls[before:]]

    def _authorization(self) -> dict[str, str]:
        """The header with the token as it is now: Kubernetes replaces the file before the token expires."""
        path = self._token_file or self._mounted
        try:
            token = read_token(path)
        except ValueError as error:
            raise SinkError("SINK_TOKEN_UNREADABLE", f"the sink's token file {path} {error}") from None
        if token is None and self._token_file:
            raise SinkError("SINK_TOKEN_UNREADABLE", f"the sink's token file {path} does not exist")
        return {"authorization": f"Bearer {token}"} if token else {}


def read_token(path: Path) -> str | None:
    """The bearer token in a file; None if there is no such file. White space around it is not part of it.

    Raises:
        ValueError: what is wrong with the file, without anything of what it holds.
    """
    try:
        text = path.read_text(encoding="ascii", errors="replace").strip()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from None
    if not _TOKEN.fullmatch(text):
        raise ValueError("does not hold a bearer token")
    return text


def _is_page(answer: Answer) -> bool:
    """Whether an answer is an HTML page. Some sinks answer `OK` as text/html: that is not one."""
    content_type = answer.headers.get("content-type", "").lower()
    if "html" in content_type:
        return b"<" in answer.body
    if "xml" in content_type:  # it may be a service's own answer
        return b"<html" in answer.body.lower()
    return answer.body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")


_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # RFC 6750 §2.1
