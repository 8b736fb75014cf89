"""The seam to the outside: one HTTP request, one answer, whole, and the JSON in either."""

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

MAX_NUMBER_CHARS: Final = 400  # a double needs fewer, and int() takes quadratic time
MAX_DEPTH: Final = 100  # what was read near the limit of the stack could not be written again, deeper in the stack


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


def read_json(text: bytes) -> object:
    """Read JSON from outside, strictly: RFC 8259, with the freedom of I-JSON (RFC 7493) left to no sender.

    Raises:
        ValueError: its message says what is wrong, and never shows what was read.
    """
    try:
        decoded = text.decode()
        value: object = _DECODER.decode(decoded)
        if decoded.count("[") + decoded.count("{") > MAX_DEPTH:  # only then can it be that deep
            _refuse_depth(value)
        if "\\u" in decoded:  # only an escape can smuggle half of a surrogate pair in
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8: byte {error.start} is wrong") from None
    except UnicodeEncodeError:
        raise ValueError("half of a surrogate pair in a string") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return value


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("an object names a member twice")
    return members


def _refuse_depth(value: object) -> None:
    level: list[Any] = [[value]]
    for _ in range(MAX_DEPTH + 1):
        insides = [outer.values() if isinstance(outer, dict) else outer for outer in level]
        level = [inner for inside in insides for inner in inside if isinstance(inner, dict | list)]
        if not level:
            return
    raise ValueError("nested too deeply")


def _refuse_constant(_: str) -> object:
    raise ValueError("NaN and Infinity are no JSON")


def _number(convert: Callable[[str], float]) -> Callable[[str], float]:
    def read(digits: str) -> float:
        if len(digits) > MAX_NUMBER_CHARS or abs(number := convert(digits)) == math.inf:
            raise ValueError("a number is too long or too large")
        return number

    return read


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_int=_number(int), parse_float=_number(float)
)
