"""The CloudEvents HTTP binding, read strictly and written exactly; it knows nothing of backups.

CloudEvents 1.0.2: core specification ("spec"), JSON format ("json"), HTTP protocol binding ("http"). The SDK is used to
write only: reading, it fills a missing time with now, keeps percent-encoding, and takes the last of duplicate members.
"""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal
from urllib.parse import quote, unquote_to_bytes

from cloudevents.conversion import to_binary, to_dict
from cloudevents.http import CloudEvent

from ..errors import NotAnEventError
from ..strict_json import read_json

STRUCTURED: Final = "application/cloudevents+json"
MAX_ATTRIBUTES: Final = 100  # what gunicorn allows in headers
Mode = Literal["binary", "structured"]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Data that is no JSON, and why."""

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
        """A string attribute; None if absent or no string."""
        return value if isinstance(value := self.attributes.get(name), str) else None


def read_event(headers: Mapping[str, str], body: bytes) -> Event:
    """Read a CloudEvent from an HTTP request.

    Args:
        headers: by lower-case names.

    Raises:
        NotAnEventError: 400 if it is not well-formed, 415 if it is of another kind; the message says which rule is
            broken and where, without a header's value.
    """
    if headers.get("content-encoding", "").lower() not in ("", "identity"):
        raise NotAnEventError(415, "Content-Encoding must not be used: the body is read as it comes")
    content_type = headers.get("content-type")
    media_type = (content_type or "").partition(";")[0].strip().lower()
    prefixed = {name[3:]: value for name, value in headers.items() if name.startswith("ce-")}
    if media_type == STRUCTURED or (media_type == "application/json" and not prefixed):
        if _is_json(content_type or ""):
            return _read_structured(body)
    elif prefixed and not media_type.startswith("application/cloudevents"):
        return _read_binary(prefixed, content_type, body)
    raise NotAnEventError(415, f"Content-Type must be {STRUCTURED}, or application/json beside ce- headers; in UTF-8")


def write_event(attributes: Mapping[str, str], data: object, mode: Mode) -> tuple[dict[str, str], bytes]:
    """A CloudEvent with JSON data as HTTP headers and body."""
    json_type = {"datacontenttype": "application/json"}
    if mode == "structured":
        event = to_dict(CloudEvent({**attributes, **json_type}, data))
        return {"content-type": STRUCTURED}, json.dumps(event).encode()
    # http §3.1.3.2; the SDK writes values as they are.
    encoded = {name: quote(value, safe=_UNENCODED) for name, value in attributes.items()}
    return to_binary(CloudEvent({**encoded, **json_type}, data))


def read_time(text: str) -> datetime:
    """A timestamp of RFC 3339, in UTC.

    Raises:
        ValueError: it is none.
    """
    if not (match := _TIME.fullmatch(text)):
        raise ValueError("is no timestamp of RFC 3339")
    minute, second, fraction, offset = match.groups()
    leap = second == "60"
    try:
        time = datetime.fromisoformat(f"{minute}:{'59' if leap else second}{fraction[:7]}{offset}".upper())
        time = time.astimezone(UTC) + timedelta(seconds=leap)
    except (ValueError, OverflowError):
        raise ValueError("is no timestamp between the years 1 and 9999") from None
    if leap and (time.day, time.hour, time.minute) != (1, 0, 0):
        raise ValueError("has a leap second that is not the last of a month")
    return time


def read_extensions(overrides: object) -> dict[str, str]:
    """The extension attributes in Knative's `K_CE_OVERRIDES`.

    Raises:
        ValueError: they are not of its form, or override more than extensions.
    """
    extensions = overrides.get("extensions", {}) if isinstance(overrides, dict) else None
    if not isinstance(extensions, dict):
        raise ValueError("it is no object of objects")
    for name, value in extensions.items():
        # Whoever reads with the SDK loses an extension of the name "extensions".
        if name in (*_STRINGS, "extensions") or not isinstance(value, str) or _wrong(name, value):
            raise ValueError(f"{_shown(name)} is no extension with a string")
    return extensions


def _read_binary(values: Mapping[str, str], content_type: str | None, body: bytes) -> Event:
    if "datacontenttype" in values:
        raise NotAnEventError(400, "ce-datacontenttype must not be sent: Content-Type says it")
    attributes = {name: _decode(name, value) for name, value in values.items()}
    if content_type is not None:
        attributes["datacontenttype"] = content_type
    return _checked(attributes, _read_data(body), "binary")


def _decode(name: str, value: str) -> str:
    """As http §3.1.3.2 says: unquote, then percent-decode once."""
    try:
        if not _BALANCED.fullmatch(value):
            raise ValueError("has an unbalanced double quote")
        value = _QUOTED.sub(lambda quoted: re.sub(r"\\(.)", r"\1", quoted[1]), value)
        if not value.isascii() or _BAD_ESCAPE.search(value):
            raise ValueError("is not percent-encoded")
        return unquote_to_bytes(value).decode()
    except ValueError as error:
        why = "is no percent-encoded UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
        raise NotAnEventError(400, f"the header of attribute {_shown(name)} {why}") from None


def _read_structured(body: bytes) -> Event:
    try:
        envelope = read_json(body)
    except ValueError as error:
        raise NotAnEventError(400, f"the body is no JSON: {error}") from None
    if not isinstance(envelope, dict):
        raise NotAnEventError(400, "the body is JSON, but no object")
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
            raise ValueError  # the library takes padding in excess
        return _read_data(base64.b64decode(encoded, validate=True))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise NotAnEventError(400, "data_base64 is no Base64") from None


def _read_data(body: bytes) -> object:
    try:
        return read_json(body) if body else None
    except ValueError as error:
        return Unreadable(str(error))


def _checked(attributes: Mapping[str, object], data: object, mode: Mode) -> Event:
    """The event, if its attributes are those of the core specification."""
    if len(attributes) > MAX_ATTRIBUTES:
        raise NotAnEventError(400, f"there are more than {MAX_ATTRIBUTES} attributes")
    for name in ("specversion", "id", "source", "type"):
        if name not in attributes:
            raise NotAnEventError(400, f"the attribute {name} is missing")
    for name, value in attributes.items():
        if why := _wrong(name, value):
            raise NotAnEventError(400, f"the attribute {_shown(name)} {why}")
    event = Event(attributes, data, mode)  # type: ignore[arg-type]  # _wrong has seen each value
    if (content_type := event.text("datacontenttype")) and not _is_json(content_type):
        raise NotAnEventError(415, "the data must be JSON in UTF-8")
    return event


def _wrong(name: str, value: object) -> str | None:
    """What is wrong with an attribute, if anything."""
    if name == "data":
        return "must not be sent: its name is reserved"
    if not _NAME.fullmatch(name):
        return "has a name that is not of lower-case letters and digits"
    if not isinstance(value, str):
        if name in _STRINGS:
            return "must be a string"
        if not isinstance(value, int) or not -(2**31) <= value < 2**31:
            return "must be a string, a boolean or a 32-bit integer"
        return None
    if not (value.isascii() and value.isprintable()) and _BAD_CHARACTER.search(value):
        return "has a control character or a noncharacter"
    if name in _STRINGS and not value:
        return "must not be empty"
    if name == "specversion" and value != "1.0":
        return "must be 1.0"
    if name == "datacontenttype" and not _MEDIA_TYPE.fullmatch(value):
        return "is no media type"
    if name in ("source", "dataschema") and not URI_REFERENCE.fullmatch(value):
        return "is no URI"
    if name == "dataschema" and not _SCHEME.match(value):
        return "must be an absolute URI"
    if name == "time":
        try:
            read_time(value)
        except ValueError as error:
            return str(error)
    return None


def _is_json(content_type: str) -> bool:
    """Whether a media type declares JSON (json §3.1.1), in the one charset that JSON has."""
    media_type = content_type.partition(";")[0].strip().lower()
    if not media_type.endswith(("/json", "+json")) or not _MEDIA_TYPE.fullmatch(content_type):
        return False
    charsets = [value for name, value in _PARAMETER.findall(content_type) if name.lower() == "charset"]
    return all(charset.strip('"').lower() in ("utf-8", "utf8", "us-ascii") for charset in charsets)


def _shown(name: str) -> str:
    return name if _NAME.fullmatch(name) and len(name) <= 20 else ascii(name[:20])


_STRINGS: Final = frozenset({"specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema"})
_NAME: Final = re.compile("[a-z0-9]+")
_UNENCODED: Final = "".join(map(chr, range(0x21, 0x7F))).replace('"', "").replace("%", "")
# Possessive quantifiers, here and below: without them a short header keeps a worker busy for minutes.
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*+)"')
_BALANCED: Final = re.compile(rf'(?:[^"]|{_QUOTED.pattern})*+')
_BAD_ESCAPE: Final = re.compile("%(?![0-9A-Fa-f]{2})")
# spec "Type System", String: no C0 or C1 controls, no noncharacters; read_json has refused lone surrogates.
_PLANE_ENDS: Final = "".join(chr(plane << 16 | low) for plane in range(17) for low in (0xFFFE, 0xFFFF))
_BAD_CHARACTER: Final = re.compile(f"[\x00-\x1f\x7f-\x9f\ufdd0-\ufdef{_PLANE_ENDS}]")
# RFC 9110 §8.3.1, which allows a little more than RFC 2046: white space around and nothing between semicolons.
_WORD: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
_PARAMETER: Final = re.compile(rf';[ \t]*+(?:({_WORD})=({_WORD}|"(?:[^"\\]|\\.)*+"))?+[ \t]*+')
_MEDIA_TYPE: Final = re.compile(rf"{_WORD}/{_WORD}[ \t]*+(?:{_PARAMETER.pattern})*+")
# RFC 3986 appendix A; an address in brackets is not looked into.
_SCHEME: Final = re.compile("[A-Za-z][A-Za-z0-9+.-]*:")
_PLAIN: Final = r"[A-Za-z0-9._~!$&'()*+,;=-]++|%[0-9A-Fa-f]{2}"
_AUTHORITY: Final = rf"//(?:(?:{_PLAIN}|:)*+@)?+(?:\[(?:{_PLAIN}|:)++\]|(?:{_PLAIN})*+)(?::[0-9]*+)?+(?=[/?#]|\Z)"
URI_REFERENCE: Final = re.compile(
    rf"(?:{_SCHEME.pattern}|(?![^/?#]*:))(?:{_AUTHORITY}|(?!//))(?:{_PLAIN}|[:@/])*+"
    rf"(?:\?(?:{_PLAIN}|[:@/?])*+)?+(?:#(?:{_PLAIN}|[:@/?])*+)?+"
)
_TIME: Final = re.compile(
    r"(\d{4}-\d\d-\d\d[Tt](?:[01]\d|2[0-3]):\d\d):(\d\d)((?:\.\d+)?)([Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)", re.ASCII
)
