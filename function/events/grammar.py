"""What an attribute of a CloudEvent may look like: its name, its type, and the form that the specification gives it.

"spec" is the CloudEvents core specification 1.0.2, "json" its JSON event format.
"""

import re
from datetime import UTC, datetime, timedelta
from ipaddress import IPv6Address
from typing import Final

STRINGS: Final = frozenset({"specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema"})


def attribute_fault(name: str, value: object) -> str | None:
    """What is wrong with an attribute; None if nothing is."""
    if name == "data":
        return "must not be sent: its name is reserved"
    if not _NAME.fullmatch(name):
        return "has a name that is not of lower-case letters and digits"
    if not isinstance(value, str):
        if name in STRINGS:
            return "must be a string"
        if not isinstance(value, int) or not -(2**31) <= value < 2**31:
            return "must be a string, a boolean or a 32-bit integer"
        return None
    if not (value.isascii() and value.isprintable()) and _BAD_CHARACTER.search(value):
        return "has a control character or a noncharacter"
    return _string_fault(name, value) if name in STRINGS else None


def _string_fault(name: str, value: str) -> str | None:
    """What is wrong with an attribute that the specification names."""
    if not value:
        return "must not be empty"
    match name:
        case "specversion" if value != "1.0":
            return "must be 1.0"
        case "datacontenttype" if not _MEDIA_TYPE.fullmatch(value):
            return "is not a media type"
        case "source" | "dataschema" if not is_uri_reference(value):
            return "is not a URI"
        case "dataschema" if not _SCHEME.match(value):
            return "must be an absolute URI"
        case "time":
            try:
                read_time(value)
            except ValueError as error:
                return str(error)
    return None


def read_time(text: str) -> datetime:
    """A timestamp of RFC 3339, in UTC.

    Raises:
        ValueError: it is not one.
    """
    if not (match := _TIME.fullmatch(text)):
        raise ValueError("is not an RFC 3339 timestamp")
    minute, second, fraction, offset = match.groups()
    leap = second == "60"
    try:
        time = datetime.fromisoformat(f"{minute}:{'59' if leap else second}{fraction[:7]}{offset}".upper())
        time = time.astimezone(UTC) + timedelta(seconds=leap)
    except (ValueError, OverflowError):
        raise ValueError("is not a timestamp between the years 1 and 9999") from None
    if leap and (time.day, time.hour, time.minute) != (1, 0, 0):
        raise ValueError("has a leap second that is not the last of a month")
    return time


def is_uri_reference(text: str) -> bool:
    """Whether a text is a URI or a relative reference (RFC 3986 §4.1)."""
    match = _URI_REFERENCE.fullmatch(text)
    return match is not None and (match["ipv6"] is None or _is_ipv6(match["ipv6"]))


def is_json(content_type: str) -> bool:
    """Whether a media type declares JSON (json §3.1.1), in the one charset that JSON has."""
    media_type = content_type.partition(";")[0].strip().lower()
    if not media_type.endswith(("/json", "+json")) or not _MEDIA_TYPE.fullmatch(content_type):
        return False
    charsets = [value for name, value in _PARAMETER.findall(content_type) if name.lower() == "charset"]
    return all(charset.strip('"').lower() in ("utf-8", "utf8", "us-ascii") for charset in charsets)


def show_name(name: str) -> str:
    """The name of an attribute for a message: short, and in ASCII."""
    return name if _NAME.fullmatch(name) and len(name) <= 20 else ascii(name[:20])


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return True


_NAME: Final = re.compile("[a-z0-9]+")
# spec "Type System", String: no C0 or C1 controls, no noncharacters. Lone surrogates never get this far.
_PLANE_ENDS: Final = "".join(chr(plane << 16 | low) for plane in range(17) for low in (0xFFFE, 0xFFFF))
_BAD_CHARACTER: Final = re.compile(f"[\x00-\x1f\x7f-\x9f\ufdd0-\ufdef{_PLANE_ENDS}]")
# Possessive quantifiers, here and below: with backtracking ones, one short header would keep a worker busy for minutes.
# RFC 9110 §8.3.1, which allows a little more than RFC 2046: white space around semicolons, and nothing between them.
_WORD: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
_PARAMETER: Final = re.compile(rf';[ \t]*+(?:({_WORD})=({_WORD}|"(?:[^"\\]|\\.)*+"))?+[ \t]*+')
_MEDIA_TYPE: Final = re.compile(rf"{_WORD}/{_WORD}[ \t]*+(?:{_PARAMETER.pattern})*+")
# RFC 3986 appendix A.
_SCHEME: Final = re.compile("[A-Za-z][A-Za-z0-9+.-]*:")
_UNRESERVED: Final = r"[A-Za-z0-9._~!$&'()*+,;=-]"  # and sub-delims
_PLAIN: Final = rf"{_UNRESERVED}++|%[0-9A-Fa-f]{{2}}"
_HOST: Final = rf"\[(?:v[0-9A-Fa-f]++\.(?:{_UNRESERVED}|:)++|(?P<ipv6>[0-9A-Fa-f:.]++))\]|(?:{_PLAIN})*+"
_AUTHORITY: Final = rf"//(?:(?:{_PLAIN}|:)*+@)?+(?:{_HOST})(?::[0-9]*+)?+(?=[/?#]|\Z)"
_URI_REFERENCE: Final = re.compile(
    rf"(?:{_SCHEME.pattern}|(?![^/?#]*:))(?:{_AUTHORITY}|(?!//))(?:{_PLAIN}|[:@/])*+"
    rf"(?:\?(?:{_PLAIN}|[:@/?])*+)?+(?:#(?:{_PLAIN}|[:@/?])*+)?+"
)
_TIME: Final = re.compile(
    r"(\d{4}-\d\d-\d\d[Tt](?:[01]\d|2[0-3]):\d\d):(\d\d)((?:\.\d+)?)([Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)", re.ASCII
)
