"""The CloudEvents HTTP binding: it reads strictly, writes exactly, and knows nothing of backups.

"json" is the JSON event format of CloudEvents 1.0.2, "http" its HTTP protocol binding. The SDK is used to write only:
when it reads, it fills a missing time with now, keeps percent-encoding, and takes the last of duplicate members.
"""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import quote, unquote_to_bytes

from cloudevents.conversion import to_binary, to_dict
from cloudevents.http import CloudEvent

from ..errors import NotAnEventError
from ..strict_json import read_json
from .grammar import STRINGS, attribute_fault, is_json, show_name

STRUCTURED: Final = "application/cloudevents+json"
MAX_ATTRIBUTES: Final = 100  # what gunicorn allows in headers
Mode = Literal["binary", "structured"]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Data that is not JSON, and why."""

    why: str


@dataclass(frozen=True, slots=True)
class Event:
    """A well-formed CloudEvent.

    Args:
        attributes: all context attributes by name, decoded and checked.
        data: JSON, None where there is none, or `Unreadable`.
        mode: the content mode it came in.
    """

    attributes: Mapping[str, str | bool | int]
    data: object
    mode: Mode

    def text(self, name: str) -> str | None:
        """A string attribute; None if it is absent or not a string."""
        return value if isinstance(value := self.attributes.get(name), str) else None


def read_event(headers: Mapping[str, str], body: bytes) -> Event:
    """Read a CloudEvent from an HTTP request.

    Args:
        headers: by lower-case names; each character of a value is a byte, as WSGI has it (PEP 3333).

    Raises:
        NotAnEventError: 400 if it is not well-formed, 415 if it is of another kind; the message says which rule is
            broken and where, without a header's value.
    """
    if headers.get("content-encoding", "").lower() not in ("", "identity"):
        raise NotAnEventError(415, "Content-Encoding must not be used: bodies are not decompressed")
    content_type = headers.get("content-type")
    media_type = (content_type or "").partition(";")[0].strip().lower()
    prefixed = {name[3:]: value for name, value in headers.items() if name.startswith("ce-")}
    if media_type == STRUCTURED or (media_type == "application/json" and not prefixed):
        if is_json(content_type or ""):
            return read_envelope(decode_envelope(body))
    elif prefixed and not media_type.startswith("application/cloudevents"):
        return _read_binary(prefixed, content_type, body)
    if media_type.startswith("application/cloudevents-batch"):
        raise NotAnEventError(415, f"this is a batch of events: {_ONE_BY_ONE}")
    raise NotAnEventError(
        415,
        f"Content-Type must be {STRUCTURED} or application/json for an event in structured mode,"
        " a JSON type for one with ce- headers; in UTF-8",
    )


def write_event(attributes: Mapping[str, str], data: object, mode: Mode) -> tuple[dict[str, str], bytes]:
    """A CloudEvent with JSON data as HTTP headers and body."""
    json_type = {"datacontenttype": "application/json"}
    if mode == "structured":
        event = to_dict(CloudEvent({**attributes, **json_type}, data))
        return {"content-type": STRUCTURED}, json.dumps(event).encode()
    # http §3.1.3.2; the SDK writes values as they are.
    encoded = {name: quote(value, safe=_UNENCODED) for name, value in attributes.items()}
    return to_binary(CloudEvent({**encoded, **json_type}, data))


def read_extensions(overrides: object) -> dict[str, str]:
    """The extension attributes in Knative's `K_CE_OVERRIDES`.

    Raises:
        ValueError: they are not of its form, or override more than extensions.
    """
    extensions = overrides.get("extensions", {}) if isinstance(overrides, dict) else None
    if not isinstance(extensions, dict):
        raise ValueError("extensions must be an object")
    for name, value in extensions.items():
        # Whoever reads with the SDK loses an extension of the name "extensions".
        if name in (*STRINGS, "extensions") or not isinstance(value, str) or attribute_fault(name, value):
            raise ValueError(f"{show_name(name)} is not an extension attribute with a string value")
    return extensions


def _read_binary(values: Mapping[str, str], content_type: str | None, body: bytes) -> Event:
    if "datacontenttype" in values:
        raise NotAnEventError(400, "ce-datacontenttype must not be sent: Content-Type takes its place")
    attributes = {name: _decode(name, value) for name, value in values.items()}
    if content_type is not None:
        attributes["datacontenttype"] = content_type
    return _checked(attributes, _read_data(body), "binary")


def _decode(name: str, header: str) -> str:
    """The value in an attribute's header, from a sender that encodes it (http §3.1.3.2) or one that does not.

    The SDKs for Go, Java, JavaScript and Python send values as they are, and with them Knative's brokers
    (https://github.com/cloudevents/spec/issues/1397). So a value is percent-decoded only where that gives what the
    attribute may hold: `/keep%20180` as a source is a URI already, and would be none with a blank.
    """
    try:
        text = header if header.isascii() else header.encode("latin-1").decode()
        if '"' in text and _BALANCED.fullmatch(text):
            text = _QUOTED.sub(lambda quoted: re.sub(r"\\(.)", r"\1", quoted[1]), text)
        if "%" not in text or _BAD_ESCAPE.search(text):
            return text
        decoded = unquote_to_bytes(text).decode()
    except ValueError:
        raise NotAnEventError(400, f"the header of attribute {show_name(name)} is not UTF-8") from None
    return text if attribute_fault(name, decoded) else decoded


def decode_envelope(body: bytes) -> dict[str, object]:
    """The JSON object in a body.

    Raises:
        NotAnEventError: there is none.
    """
    try:
        envelope = read_json(body)
    except ValueError as error:
        raise NotAnEventError(400, f"the body is not JSON: {error}") from None
    if isinstance(envelope, list):
        raise NotAnEventError(400, f"the body is a JSON array, a batch of events: {_ONE_BY_ONE}")
    if not isinstance(envelope, dict):
        raise NotAnEventError(400, "the body is JSON, but not an object")
    return envelope


def read_envelope(envelope: dict[str, object]) -> Event:
    """The event in an object of the JSON event format, which is used up.

    Raises:
        NotAnEventError: it is not well-formed.
    """
    data = _data_member(envelope)
    # json §2.2: an attribute that is null is not there.
    attributes = {name: value for name, value in envelope.items() if value is not None}
    return _checked(attributes, data, "structured")


def _data_member(envelope: dict[str, object]) -> object:
    """Take the data out of an envelope (json §3.1): `null` is data in `data`, and nothing in `data_base64`."""
    encoded = envelope.pop("data_base64", None)
    if encoded is None:
        return envelope.pop("data", None)
    if "data" in envelope:
        raise NotAnEventError(400, "there are both data and data_base64")
    try:
        if len(encoded) % 4:  # type: ignore[arg-type]  # or TypeError
            raise ValueError  # the library accepts too much padding
        return _read_data(base64.b64decode(encoded, validate=True))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise NotAnEventError(400, "data_base64 is not Base64") from None


def _read_data(body: bytes) -> object:
    try:
        return read_json(body) if body else None
    except ValueError as error:
        return Unreadable(str(error))


def _checked(attributes: Mapping[str, object], data: object, mode: Mode) -> Event:
    """The event, if its attributes are as the core specification wants them."""
    if len(attributes) > MAX_ATTRIBUTES:
        raise NotAnEventError(400, f"there are more than {MAX_ATTRIBUTES} attributes")
    for name in ("specversion", "id", "source", "type"):
        if name not in attributes:
            raise NotAnEventError(400, f"the attribute {name} is missing")
    for name, value in attributes.items():
        if fault := attribute_fault(name, value):
            raise NotAnEventError(400, f"the attribute {show_name(name)} {fault}")
    event = Event(attributes, data, mode)  # type: ignore[arg-type]  # attribute_fault has checked each value
    if (content_type := event.text("datacontenttype")) and not is_json(content_type):
        raise NotAnEventError(415, "the data must be JSON in UTF-8")
    return event


_ONE_BY_ONE: Final = "deliver each event on its own"
_UNENCODED: Final = "".join(map(chr, range(0x21, 0x7F))).replace('"', "").replace("%", "")
# Possessive quantifiers: with backtracking ones, one short header would keep a worker busy for minutes.
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*+)"')
_BALANCED: Final = re.compile(rf'(?:[^"]|{_QUOTED.pattern})*+')
_BAD_ESCAPE: Final = re.compile("%(?![0-9A-Fa-f]{2})")
