"""The interface to the outside: one HTTP request, its complete answer, and the dates and addresses in them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

MAX_TEXT_CHARS: Final = 1000  # of a message from outside, where it is copied
MAX_NAME_CHARS: Final = 200  # of a code or an id from outside, where it is copied


@dataclass(frozen=True, slots=True)
class Request:
    """A request ready to send. Its headers may hold a secret, so they never show in `repr`."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None = None

    def __repr__(self) -> str:
        return f"Request({self.method} {self.url})"

    def with_headers(self, more: Mapping[str, str]) -> "Request":
        """The same request with more headers."""
        return Request(self.method, self.url, {**self.headers, **more}, self.body)


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, headers by their lower-case names, and a body of bounded size."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def is_loopback(url: str) -> bool:
    """Whether the host of a URL is this machine by address, or exactly `localhost`."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def read_date(value: str | None) -> datetime | None:
    """An HTTP date; None where there is none, or none that is readable."""
    try:
        date = parsedate_to_datetime(value or "")
        return date.replace(tzinfo=date.tzinfo or UTC)
    except (ValueError, OverflowError):  # a year or an offset that no integer of C holds
        return None


def read_retry_after(value: str | None, now: datetime) -> int | None:
    """The seconds that a `Retry-After` asks for, as seconds or as a date; None where it says nothing readable."""
    if value and re.fullmatch("[0-9]{1,9}", value):
        return int(value)
    date = read_date(value)
    return max(0, round((date - now).total_seconds())) if date else None


def bounded(text: str, limit: int = MAX_TEXT_CHARS) -> str:
    """A text from outside, cut to a limit of characters; an ellipsis at its end says that it was cut."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
