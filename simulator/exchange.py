"""One request and one answer as they are on the wire."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from typing import Any, TypeAlias
from urllib.parse import parse_qsl

Json: TypeAlias = Any
"""What `json.loads` gives and `json.dumps` takes."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it was received: its target undecoded, its header names in any case."""

    id: str
    method: str
    target: str
    headers: Message
    body: bytes

    @property
    def path(self) -> str:
        """The target up to its query, undecoded."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> list[tuple[str, str]]:
        """The decoded query, in its order."""
        return parse_qsl(self.target.partition("?")[2], keep_blank_values=True)

    def json(self) -> Json:
        """Return the body's JSON value, or raise ValueError."""
        try:
            return json.loads(self.body)
        except RecursionError:
            raise ValueError("nested too deeply") from None


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, a body that is a JSON value, text or bytes (None: empty), and headers beside the usual ones."""

    status: int
    body: Json = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def content(self) -> tuple[str, bytes]:
        """Return the body's usual media type, "" if it is empty, and its bytes."""
        match self.body:
            case None:
                return "", b""
            case bytes():
                return "application/octet-stream", self.body
            case str():
                return "text/plain; charset=utf-8", self.body.encode()
            case _:
                return "application/json", json.dumps(self.body).encode()


@dataclass(slots=True)
class Call:
    """A request that was received, and the status of its answer; None as long as there is none."""

    method: str
    path: str
    headers: Message
    body: bytes
    status: int | None = None

    def to_json(self) -> Json:
        """Return the call as a JSON value, its body as text."""
        return {
            "method": self.method,
            "path": self.path,
            "headers": dict(self.headers.items()),
            "body": self.body.decode(errors="replace"),
            "status": self.status,
        }
