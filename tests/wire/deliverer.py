"""A deliverer of events, as a broker is one: events to send, HTTP on a real socket, answers read without any SDK."""

import http.client
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import quote, unquote, urlsplit
from uuid import uuid4

from cloudevents.http import CloudEvent, from_http

from tests.facts.account import BACKUP, PROJECT
from tests.facts.event_schemas import schema_faults

Mode = Literal["binary", "structured"]
Envelope: TypeAlias = dict[str, Any]
"""A CloudEvent in the JSON format: attributes and data side by side."""

EXPIRED: Final = "dev.backup-reaper.backup.expired.v1"
DELETED: Final = "dev.backup-reaper.backup.deleted.v1"
FAILED: Final = "dev.backup-reaper.backup.deletion-failed.v1"
SKIPPED: Final = "dev.backup-reaper.backup.deletion-skipped.v1"
STRUCTURED: Final = "application/cloudevents+json"
MAX_PROBLEM_BYTES: Final = 700
_UNENCODED: Final = "".join(map(chr, range(0x21, 0x7F))).replace('"', "").replace("%", "")  # HTTP binding §3.1.3.2


def expired_event(
    *,
    project_id: object = PROJECT,
    backup_id: object = BACKUP,
    members: Mapping[str, object] | None = None,
    **attributes: object,
) -> Envelope:
    """An event that orders a deletion, with an id of its own.

    Args:
        members: more members of the data.
        attributes: in place of the usual ones, or besides; also `data`, as a whole. What is None is left out.
    """
    event = {
        "specversion": "1.0",
        "id": str(uuid4()),
        "source": "/policies/nightly",
        "type": EXPIRED,
        "time": datetime.now(UTC).isoformat(),
        "datacontenttype": "application/json",
        "data": {"project_id": project_id, "backup_id": backup_id, **(members or {})},
        **attributes,
    }
    return {name: value for name, value in event.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back for a delivery.

    Args:
        headers: by their lower-case names; those that came more than once are joined with commas.
        seconds: from before the connection to the end of the body.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float

    @property
    def event(self) -> Envelope:
        """The result event, whichever mode it came in; an AssertionError if it is none or breaks its schema."""
        event = self._read_event()
        assert schema_faults(event) == []
        return event

    def _read_event(self) -> Envelope:
        assert self.status == 200, (self.status, self.body)
        content_type = self.headers["content-type"]
        if content_type == STRUCTURED:
            assert not [name for name in self.headers if name.startswith("ce-")]
            envelope = json.loads(self.body)
            assert isinstance(envelope, dict)
            return envelope
        assert content_type == "application/json", (content_type, self.body)
        attributes = {name[3:]: unquote(value) for name, value in self.headers.items() if name.startswith("ce-")}
        return {**attributes, "datacontenttype": content_type, "data": json.loads(self.body)}

    @property
    def judged(self) -> CloudEvent:
        """The result event as the cloudevents SDK reads it."""
        assert self.status == 200, (self.status, self.body)
        return from_http(dict(self.headers), self.body)

    @property
    def problem(self) -> dict[str, Any]:
        """The problem details; an AssertionError if the reply is anything but short problem details."""
        assert self.status >= 400, (self.status, self.body)
        assert self.headers["content-type"] == "application/problem+json", (self.headers, self.body)
        assert len(self.body) <= MAX_PROBLEM_BYTES
        assert not [name for name in self.headers if name.startswith("ce-")]
        problem = json.loads(self.body)
        assert set(problem) <= {"type", "title", "status", "detail", "instance", "error_code", "error_msg"}
        assert problem["status"] == self.status
        assert problem["error_code"]
        assert problem["error_msg"]
        assert isinstance(problem, dict)
        return problem

    @property
    def retry_after(self) -> int:
        """The seconds after which the event should come again, which comes with every 429 and 503."""
        assert self.status in (429, 503), (self.status, self.body)
        assert self.headers["retry-after"].isdecimal()
        return int(self.headers["retry-after"])


def deliver(
    url: str,
    event: Envelope,
    mode: Mode = "structured",
    *,
    headers: Mapping[str, str] | None = None,
    path: str = "/",
    timeout: float = 30.0,
) -> Reply:
    """Deliver one event, once."""
    own, body = encode(event, mode)
    return send(url, body, headers={**own, **(headers or {})}, path=path, timeout=timeout)


def encode(event: Envelope, mode: Mode) -> tuple[dict[str, str], bytes]:
    """An event as headers and a body, written by hand after the HTTP binding 1.0.2."""
    if mode == "structured":
        return {"Content-Type": STRUCTURED}, json.dumps(event).encode()
    attributes = {name: value for name, value in event.items() if name not in ("data", "datacontenttype")}
    headers = {f"ce-{name}": quote(str(value), safe=_UNENCODED) for name, value in attributes.items()}
    if "datacontenttype" in event:
        headers["Content-Type"] = event["datacontenttype"]
    return headers, json.dumps(event["data"]).encode() if "data" in event else b""


def send(
    url: str,
    body: bytes = b"",
    *,
    method: str = "POST",
    headers: Mapping[str, str] | None = None,
    path: str = "/",
    timeout: float = 30.0,
    chunked: bool = False,
) -> Reply:
    """Send one HTTP request over a connection of its own, and read the whole answer."""
    began = time.monotonic()
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=timeout)
    try:
        if chunked:
            connection.request(method, path, iter([body]), dict(headers or {}), encode_chunked=True)
        else:
            connection.request(method, path, body, dict(headers or {}))
        answer = connection.getresponse()
        content = answer.read()
        joined: dict[str, str] = {}
        for name, value in answer.getheaders():
            joined[name.lower()] = f"{joined[name.lower()]}, {value}" if name.lower() in joined else value
        return Reply(answer.status, joined, content, time.monotonic() - began)
    finally:
        connection.close()
