"""CloudEvents 1.0.2 as requirements and cases: what the three texts demand of who receives or sends events over HTTP.

"spec" is the core specification, by its headings; "json" the JSON format and "http" the HTTP protocol binding, by their
numbers. The words are ours. What the texts demand of others (intermediaries, authors of extensions and formats, the
programming models of SDKs) is not here.
"""

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias
from urllib.parse import unquote_to_bytes

import rfc3339_validator  # type: ignore[import-untyped]
import rfc3986_validator  # type: ignore[import-untyped]

from tests.wire.deliverer import EXPIRED, STRUCTURED, Envelope
from tests.wire.front_door import ABSENT, CORE, DATA, VALID, Answer, binary, chunks, envelope, request, structured

validate_rfc3339: Callable[[str], bool] = rfc3339_validator.validate_rfc3339
validate_rfc3986: Callable[[str, str], object] = rfc3986_validator.validate_rfc3986

# What a receiver must do, by the key that cases cite.
RECEIVING: Final[Mapping[str, str]] = {
    "spec Overview": "the JSON format is supported, and read by its rules",
    "spec Context Attributes": "without every required attribute it is not an event",
    "spec Attribute Naming Convention": "names are of a to z and 0 to 9",
    "spec Type System": "values are of the seven types, in JSON or in their string encoding",
    "spec Type System, Integer": "32 bits, signed",
    "spec Type System, String: controls": "no U+0000-001F, no U+007F-009F",
    "spec Type System, String: noncharacters": "none of the 66",
    "spec Type System, String: surrogates": "only in pairs",
    "spec id": "required, a string, not empty",
    "spec source": "required, a URI reference of RFC 3986, not empty",
    "spec specversion": "required, not empty; 1.0 is the version meant here",
    "spec type": "required, a string, not empty",
    "spec datacontenttype": "a media type of RFC 2046",
    "spec dataschema": "a URI with its scheme, not empty",
    "spec subject": "a string, not empty",
    "spec time": "a timestamp of RFC 3339",
    "spec Extension Context Attributes": "the same names and types as the others",
    "spec Size Limits": "64 KByte should be accepted",
    "json 2": "extensions are members at the top",
    "json 2.2 types": "a boolean is a boolean, an integer a number without fraction and exponent, the rest are strings",
    "json 2.2 null": "an attribute that is null counts as left out",
    "json 3": "the media type is application/cloudevents+json",
    "json 3.1.1": "data or data_base64, not both",
    "json 3.1.2 base64": "data_base64 is decoded",
    "json 3.1.2 value": "data of a type */json or */*+json, or of none, is the JSON value itself",
    "json 3.1.2 string": "a string in data is that string, and not parsed again",
    "json 4": "a batch is another format",
    "json 4.2": "with a media type of its own",
    "http 1.4": "structured mode comes with the JSON format",
    "http 3": "the Content-Type tells the mode",
    "http 3.1.1": "in binary mode Content-Type is datacontenttype",
    "http 3.1.1 alone": "and ce-datacontenttype is not sent besides",
    "http 3.1.3": "all other attributes have a header each",
    "http 3.1.3.1": "named ce- and their name, in any case",
    "http 3.1.3.2 ASCII": "headers are printable ASCII",
    "http 3.1.3.2 quotes": "double-quoted parts are unquoted first, backslashes and all",
    "http 3.1.3.2 once": "then percent-decoding, a single round",
    "http 3.1.3.2 lower case": "hexadecimal digits in either case",
    "http 3.1.3.2 unnecessary": "what need not have been encoded is decoded as well",
    "http 3.1.3.2 UTF-8": "byte sequences that are no UTF-8 are refused",
    "http 3.2.1": "structured mode has the media type of an event format",
    "http 3.2.3": "in structured mode the payload alone counts, whatever the headers repeat",
    "http 3.3": "batched mode is optional",
    "http 3.3.1": "and has another media type",
}


@dataclass(frozen=True, slots=True)
class Accepted:
    """It is an event of ours and is carried out; so much of it is in the reply."""

    members: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unfit:
    """It is an event, but its data doesn't fit: what the reply's `error_msg` begins with."""

    error_msg: str


@dataclass(frozen=True, slots=True)
class Refused:
    """It is not an event that is accepted: the status, and what `error_msg` begins with."""

    status: int
    error_msg: str


Expected: TypeAlias = Accepted | Unfit | Refused


@dataclass(frozen=True, slots=True)
class Case:
    """One request, the requirements it is for, and what must come of it."""

    name: str
    cites: Sequence[str]
    request: bytes
    expected: Expected


def _case(cites: str, name: str, sent: bytes, expected: Expected) -> Case:
    return Case(name, cites.split("; "), sent, expected)


def _each(
    cites: str,
    what: str,
    make: Callable[[Any], bytes],
    values: Sequence[object],
    expected: Expected | Callable[[Any], Expected],
) -> Iterator[Case]:
    """A case for each value."""
    for value in values:
        name = f"{what} {ascii(value)[:50]}"
        yield _case(cites, name, make(value), expected(value) if callable(expected) else expected)


def _member(name: str) -> Callable[[object], bytes]:
    return lambda value: structured({name: value})


def _header(name: str) -> Callable[[str], bytes]:
    return lambda value: binary({name: value})


def _structured_as(content_type: str | None) -> bytes:
    return structured(content_type=content_type)


def _binary_as(content_type: str | None) -> bytes:
    return binary(content_type=content_type)


def _raw(value: str) -> bytes:
    """An id in UTF-8 as it stands; `request` writes ISO 8859-1."""
    return binary({"id": value.encode().decode("latin-1")})


def _named(name: str) -> bytes:
    return structured({name: "x"})


def _envelope_of(value: object, content_type: str = STRUCTURED) -> bytes:
    return envelope(json.dumps(value).encode(), content_type)


def _with_text(name: str, text: str) -> bytes:
    """A structured event with a member in a JSON text of its own."""
    return envelope(json.dumps({**CORE, "data": DATA, name: "@"}).replace('"@"', text).encode())


def _in_base64(value: object) -> bytes:
    return structured({"data_base64": value}, without="data")


def _with_data_of(size: int) -> bytes:
    return structured({"data": {**DATA, "more": "x" * size}})


def _with_extensions(count: int) -> bytes:
    return structured({f"x{number}": 0 for number in range(count)})


def _wrong(name: str, why: str = "") -> Refused:
    return Refused(400, f"the attribute {name} {why}")


def _wrong_header(why: str) -> Refused:
    return Refused(400, f"the header of attribute id {why}")


WRONG_TYPE: Final = Refused(415, "Content-Type must be application/cloudevents+json")
BATCH: Final = Refused(415, "this is a batch of events: deliver each event on its own")
NOT_JSON: Final = Refused(415, "the data must be JSON in UTF-8")
NO_OBJECT: Final = Unfit("data must be a JSON object")
OURS: Final = Accepted({"id": "42", "source": "/policies/weekly", "type": EXPIRED, "backup_id": ABSENT})


def _modes() -> Iterator[Case]:
    json_event = json.dumps({**CORE, "data": DATA}).encode()
    yield _case("spec Overview; http 1.4; http 3; json 3; http 3.2.1", "structured mode", structured(), OURS)
    yield _case("http 3; http 3.1.3", "binary mode", binary(), OURS)
    declared = (
        *("application/cloudevents+json; charset=utf-8", 'application/cloudevents+json;charset="UTF-8"'),
        *("application/cloudevents+json; charset=utf8", "application/cloudevents+json; charset=us-ascii"),
        *("APPLICATION/CloudEvents+JSON ; Charset=UTF-8", "application/cloudevents+json;"),
        *("application/cloudevents+json ;; profile=x ;", 'application/cloudevents+json; a=";charset=utf-16"'),
        *("application/json", "application/json; charset=utf-8"),
    )
    yield from _each("http 3; http 3.2.1", "structured mode by", _structured_as, declared, OURS)
    undeclared = (
        *("application/cloudevents+json; charset=utf-16", "application/cloudevents+json; charset=iso-8859-1"),
        *("application/cloudevents+json; charset=", "application/cloudevents+json; charset =utf-16"),
        *("application/cloudevents+json; charset", "application/cloudevents+json, application/json"),
        "application/cloudevents+json; charset=utf-8; charset=utf-16",
        *('application/cloudevents+json; charset="utf-8', "application/cloudevents+xml", "application/cloudevents"),
        *("application/cloudevents+jsonp", "application/problem+json", "text/json", "text/plain", "json", "*/*"),
        *("", None),
    )
    yield from _each("http 3; http 3.2.1; json 3", "no structured mode by", _structured_as, undeclared, WRONG_TYPE)
    batch = "application/cloudevents-batch+json"
    batches: Sequence[object] = ([CORE, CORE], [{**CORE, "data": DATA}], [])
    cites = "json 4.2; http 3.3; http 3.3.1"
    yield from _each(cites, "the batch", lambda value: _envelope_of(value, batch), batches, BATCH)
    yield from _each("http 3; http 3.3", "no binary mode by", _binary_as, (batch, f"{batch}; charset=utf-8"), BATCH)
    array = Refused(400, "the body is a JSON array, a batch of events: deliver each event on its own")
    yield from _each("json 4", "no envelope:", _envelope_of, batches, array)
    types = ("application/cloudevents+xml", "application/cloudevents+json; charset=utf-16")
    yield from _each("http 3; http 3.3", "no binary mode by", _binary_as, types, WRONG_TYPE)
    sent = request(f"Content-Type: {STRUCTURED}", "ce-id: other", "ce-source: %", "ce-My: x", body=json_event)
    yield _case("http 3.2.3", "headers that repeat attributes, rightly or not", sent, OURS)
    sent = request(f"Content-Type: {STRUCTURED}", "ce-id: 42", body=json_event.replace(b'"id"', b'"notid"'))
    yield _case("http 3.2.3", "headers that stand in for members", sent, _wrong("id", "is missing"))


def _required() -> Iterator[Case]:
    for name in ("specversion", "id", "source", "type"):
        cites = f"spec {name}; spec Context Attributes"
        missing, empty = _wrong(name, "is missing"), _wrong(name, "must not be empty")
        yield _case(cites, f"no {name} in binary mode", binary({name: None}), missing)
        yield _case(cites, f"no {name} in structured mode", structured(without=name), missing)
        yield _case(f"{cites}; json 2.2 null", f"{name} null", structured({name: None}), missing)
        yield _case(cites, f"{name} empty", structured({name: ""}), empty)
        yield from _each(cites, f"the header {name}", _header(name), ("", '""'), empty)
        wrong = (25, True, 1.0, {"xyz": "abc"}, ["42"])
        yield from _each(f"{cites}; json 2.2 types", name, _member(name), wrong, _wrong(name, "must be a string"))
    versions = ("0.3", "0.9", "1", "1.0.2", "1.1", "2.0", " 1.0", "1.0 ", "v1.0", "\uff11.0")
    yield from _each(
        "spec specversion", "version", _member("specversion"), versions, _wrong("specversion", "must be 1.0")
    )
    twice = binary(None, "ce-specversion: 1.0")
    yield _case("spec specversion", "version 1.0 twice", twice, _wrong("specversion", "must be 1.0"))
    ids = (" ", "A234-1234-1234", "1,2", "\u20ac \U0001f600", "a" * 8000, "%41", '"q"', "null", "{}")
    yield from _each("spec id", "id", _member("id"), ids, lambda value: Accepted({"id": value}))


URI_REFERENCES: Final = (
    *("https://github.com/cloudevents", "mailto:cncf-wg-serverless@lists.cncf.io", "/cloudevents/spec/pull/123"),
    *("urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66", "1-555-123-4567", "#fragment", "?query", "//authority/path"),
    *("//pubsub.googleapis.com/projects/p/topics/t", "//user:secret@host:8080/p?q=/?#f/?", "http://[2001:db8::7]:80/"),
    *("http://host:/", "http:", "file:///etc/policy", "./a:b", "a/b:c", "localhost:8080", "..", "%C3%BC", "x+y.1:"),
    *("//[::ffff:192.168.0.1]/p", "http://[::]", "//[1:2:3:4:5:6:7::]", "//a@[v1.fe:x]:8/", "//192.168.0.01/p"),
    "arn:aws:backup:us-east-1:123456789012:backup-vault/v",
)
NO_URI_REFERENCES: Final = (
    *("a b", " /a", "<a>", 'a"', "a\\b", "{a}", "a^b", "%", "%4", "%zz", "\u00fc", "a#b#c", ":colon-first", "1:x"),
    *("10.0.0.1:8080", "[open", "]close", "a[b]", "http://[::1", "http://a b/", "http://host:port/", "//a:b:c"),
    *("//a@b@c", "http://ho<st/", "//[::ffff:192.168.0.01]/p", "//[::ffff:192.168.0.256]", "//[1.2.3.4]", "//[]"),
    *("//[1::2::3]", "//[1:2:3:4:5:6:7:8:9]", "//[12345::]", "//[fe80::1%25eth0]", "//[fe80::1%eth0]", "//[v.x]"),
)


def _uris() -> Iterator[Case]:
    make = _member("source")
    yield from _each("spec source", "source", make, URI_REFERENCES, lambda value: Accepted({"source": value}))
    yield from _each("spec source", "source", make, NO_URI_REFERENCES, _wrong("source", "is not a URI"))
    make = _member("dataschema")
    yield _case("spec dataschema", "a schema", make("http://example.com/schema.json"), OURS)
    relative = ("schema.json", "/schema.json", "//host/schema.json", "#schema", "?schema")
    yield from _each("spec dataschema", "schema", make, relative, _wrong("dataschema", "must be an absolute URI"))
    yield from _each(
        "spec dataschema", "schema", make, ("http://host/a b", "1:x"), _wrong("dataschema", "is not a URI")
    )
    for empty in (make(""), binary({"dataschema": ""})):
        yield _case("spec dataschema", "an empty schema", empty, _wrong("dataschema", "must not be empty"))


TIMES: Final = (
    *("2018-04-05T17:31:00Z", "2018-04-05t17:31:00z", "2018-04-05T17:31:00.000000000Z", "2018-04-05T17:31:00.1+01:30"),
    *("2018-04-05T17:31:00-00:00", "2000-02-29T23:59:59+23:59", "1990-12-31T23:59:60Z", "1990-12-31T15:59:60-08:00"),
)
NO_TIMES: Final = (
    *("", "lunchtime", "2018-04-05", "2018-04-05T18:31Z", "2018-04-05T18:31:00", "2018-04-05T18:31:00X"),
    *("2018-04-05T18:31:00+25:00", "2018-04-05T18:31:00+xx:00", "2018-04-05T18:31:00+05", "2018-04-05T18:31:00+0500"),
    *("2018-04-05T18:31:00+01:30:30", "2018-04-05T18:31:00-00:60", "2018-04-05 18:31:00Z", "2018-04-05T18:31:00.Z"),
    *("2018-04-05T18:31:00,5Z", "2018-4-05T18:31:00Z", "2018-04-05T18:31:00Z01", "20180405T183100Z", "1522949460"),
    *("10000-01-01T00:00:00Z", "2100-02-29T14:52:01Z", "2021-13-01T00:00:00Z", "2021-01-50T00:00:00Z"),
    *("2021-01-18T24:00:00Z", "2021-01-18T14:60:00Z", "2021-01-18T14:00:60Z", "\u0662018-04-05T17:31:00Z"),
    *(" 2018-04-05T17:31:00Z", "2018-04-05T18:31:00Z\n"),
)


def _optional() -> Iterator[Case]:
    nulls = dict.fromkeys(("datacontenttype", "dataschema", "subject", "time", "myext"))
    yield _case("json 2.2 null", "all that is optional null", structured(nulls), OURS)
    yield _case("json 2.2 null", "null under any name", structured({"My-Ext": None}), OURS)
    yield _case("spec subject", "a subject", structured({"subject": "mynewfile.jpg"}), OURS)
    for empty in (structured({"subject": ""}), binary({"subject": ""})):
        yield _case("spec subject", "an empty subject", empty, _wrong("subject", "must not be empty"))
    for name in ("subject", "time", "datacontenttype", "dataschema"):
        cites, wrong = f"spec {name}; json 2.2 types", _wrong(name, "must be a string")
        yield from _each(cites, name, _member(name), (5, False, [], {}), wrong)
    yield from _each("spec time; spec Type System", "time", _member("time"), TIMES, OURS)
    yield from _each("spec time; spec Type System", "the header time", _header("time"), TIMES, OURS)
    yield from _each("spec time", "time", _member("time"), NO_TIMES, _wrong("time"))
    types = (
        *(
            "xyz",
            "",
            "application/",
            "/json",
            "bogus ;=========",
            "application/json, text/plain",
            "application/json; q",
        ),
        *(
            "a b/json",
            "application/json; a=b c",
            "application/js\u00f6n",
            'application/json; a="b',
            "application /json",
        ),
        *("application/json;" + "  ;" * 20_000 + "@", 'application/json; a="' + '\\"' * 10_000),
    )
    yield from _each("spec datacontenttype", "media type", _member("datacontenttype"), types, _wrong("datacontenttype"))


def _extensions() -> Iterator[Case]:
    naming = "spec Attribute Naming Convention; spec Extension Context Attributes; json 2"
    yield from _each(naming, "name", _named, ("myext", "x", "0", "ext1", "comexampleextension1", "a" * 60), OURS)
    names = ("MyExtension", "my.extension", "my_extension", "my-extension", "", " ", "\u00fcber", "\uff11", "ID", "a\n")
    why = "has a name that is not of lower-case letters and digits"
    yield from _each(naming, "name", _named, names, lambda name: _wrong(ascii(name), why))
    yield _case(naming, "a long name is cut", _named("N" * 99), _wrong(f"'{'N' * 20}'", why))
    for name in ("my-ext", "", "-", "my.ext"):
        yield _case(naming, f"the header ce-{name}", binary(None, f"ce-{name}: x"), _wrong(f"'{name}'", why))
    yield _case(naming, "a header for data", binary(None, "ce-data: x"), _wrong("data", "must not be sent"))
    types = "spec Type System; spec Type System, Integer; json 2.2 types; spec Extension Context Attributes"
    values = ("text", "", True, False, 0, -1, 10, 2147483647, -2147483648, "TWE=", "2023-03-31T15:12:00Z")
    yield from _each(types, "value", _member("myext"), values, OURS)
    numbers = ("2147483648", "-2147483649", "1.5", "1.0", "1e2", "-0.0", "10E0", "1" * 400, "[]", "{}", '["x"]')
    why = "must be a string, a boolean or a 32-bit integer"
    yield from _each(types, "value", lambda text: _with_text("myext", text), numbers, _wrong("myext", why))
    texts = ("true", "10", "2147483648", "1.5", "null", "[]", "TWE=", "https://cloudevents.io", "//authority/path")
    cites, make = "spec Type System; http 3.1.3", _header("correlationid")
    yield from _each(cites, "the header", make, texts, lambda text: Accepted({"correlationid": text}))


def _characters() -> Iterator[Case]:
    wrong = _wrong("id", "has a control character or a noncharacter")
    for cites, characters in (
        ("spec Type System, String: controls", [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0))]),
        ("spec Type System, String: noncharacters", [*"\ufdd0\ufdef\ufffe\uffff\U0001fffe\U0010ffff"]),
    ):
        yield from _each(cites, "character", lambda text: structured({"id": f"a{text}b"}), characters, wrong)
        # Nobody who encodes sends that: it is percent signs, from a sender that does not encode.
        yield from _each(
            cites, "encoded character", _encoded, characters[::6], lambda text: Accepted({"id": _escape(text)})
        )
    fine = [*"\ud7ff\ue000\ufdcf\ufdf0\ufffd\U0001fffd\U0010fffd\u00a0\u2028"]
    cites = "spec Type System, String: noncharacters"
    yield from _each(cites, "character", _member("id"), fine, lambda text: Accepted({"id": text}))
    halves = (r"\uDEAD", r"\uD800 ", r"\uDC00\uD800", r"\uD800\uD800", r" \uDBFF")
    cites = "spec Type System, String: surrogates"
    half = Refused(400, "the body is not JSON: half of a surrogate pair in a string")
    yield from _each(cites, "escape", lambda text: _with_text("id", f'"{text}"'), halves, half)
    yield _case(cites, "a whole pair", _with_text("id", r'"\uD800\uDEAD"'), Accepted({"id": "\U000102ad"}))


def _escape(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


def _encoded(text: str) -> bytes:
    return binary({"id": _escape(text)})


def _data() -> Iterator[Case]:
    types = (
        *("application/json", "text/json", "application/vnd.acme.backup+json", "image/svg+json", "Application/JSON"),
        *("application/json; charset=utf-8", 'application/json; a="b;c"', "application/json ; charset=UTF8;"),
    )
    others = (
        *("text/plain", "application/xml", "application/jsonx", "application/not-quite-json", "json/x"),
        *("application/octet-stream", "application/json; charset=utf-16", "application/json; charset=utf-8;charset=x"),
    )
    yield from _each("json 3.1.2 value", "data of type", _member("datacontenttype"), types, OURS)
    yield from _each("json 3.1.2 value", "data of type", _member("datacontenttype"), others, NOT_JSON)
    yield from _each("http 3.1.1", "a body of type", _binary_as, (*types, None, ""), OURS)
    yield from _each("http 3.1.1", "a body of type", _binary_as, others, NOT_JSON)
    malformed = (
        "xyz",
        "application/json; charset",
        "application/json; a=b c",
        "application/json;" + "  ;" * 2000 + "@",
    )
    cites = "http 3.1.1; spec datacontenttype"
    yield from _each(cites, "a body of type", _binary_as, malformed, _wrong("datacontenttype", "is not a media type"))
    for sent in (
        binary({"datacontenttype": "application/json"}),
        binary(None, "ce-DataContentType: application/json", content_type=None),
    ):
        yield _case("http 3.1.1 alone", "ce-datacontenttype", sent, Refused(400, "ce-datacontenttype must not be sent"))
    unfit: Sequence[object] = ("I'm just a string", 10, True, None, [], [DATA], 1.5)
    yield from _each("json 3.1.2 value", "data", _member("data"), unfit, NO_OBJECT)
    yield from _each("http 3.1.1", "body", lambda value: binary(body=json.dumps(value).encode()), unfit, NO_OBJECT)
    yield _case("json 3.1.2 string", "an object in a string", structured({"data": json.dumps(DATA)}), NO_OBJECT)
    yield _case("spec Context Attributes", "no data", structured(without="data"), NO_OBJECT)
    yield _case("http 3.1.1", "no body", binary(body=b""), NO_OBJECT)
    cites = "json 3.1.2 base64"
    yield _case(cites, "Base64", _in_base64(base64.b64encode(b" \r\n\t" + VALID + b"\n").decode()), OURS)
    yield _case(cites, "Base64 of broken JSON", _in_base64("eyJhIjog"), Unfit("data is not JSON: "))
    yield _case(cites, "Base64 of nothing", _in_base64(""), NO_OBJECT)
    wrong: Sequence[object] = ("x", "TWFU=", "==TQ", "TWE", "TWE=\n", "TW E=", "-_-_", "T\u00fc==", 10, True, [], {})
    yield from _each(cites, "not Base64:", _in_base64, wrong, Refused(400, "data_base64 is not Base64"))
    yield _case(cites, "data_base64 null", structured({"data_base64": None}), OURS)
    both = Refused(400, "there are both data and data_base64")
    yield from _each(
        "json 3.1.1",
        "beside Base64, data",
        lambda value: structured({"data": value, "data_base64": "e30="}),
        (DATA, "text", 0, False, None, ""),
        both,
    )


def _headers() -> Iterator[Case]:
    names = ("CE-SpecVersion: 1.0", "Ce-Id: 42", "cE-SOURCE: /policies/weekly", f"ce-Type: {EXPIRED}")
    yield _case("http 3.1.3.1", "names in any case", request(*names, "CONTENT-TYPE: text/json", body=VALID), OURS)
    for cites, meanings in (
        (
            "http 3.1.3",
            {
                "Euro%20%E2%82%AC%20%F0%9F%98%80": "Euro \u20ac \U0001f600",
                "a  b": "a  b",
                "  around ": "around",
                "%20around%20": " around ",
                "!#$&'()*+,-./:;<=>?@[]^_`{|}~": "!#$&'()*+,-./:;<=>?@[]^_`{|}~",
            },
        ),
        (
            "http 3.1.3.2 quotes",
            {
                '"a b"': "a b",
                '"  quoted  text  "unquoted': "  quoted  text  unquoted",
                r'"escaped quote\"end"': 'escaped quote"end',
                r'"escaped backslash\\end"': r"escaped backslash\end",
                r"non-escaping backslash\end": r"non-escaping backslash\end",
                r'"\a\%41"': "aA",
                'a"b"c': "abc",
                '"a"" b"': "a b",
                '"%22"': '"',
                '%22a"b"%22': '"ab"',
            },
        ),
        ("http 3.1.3.2 once", {"%2525": "%25", "%252541": "%2541", "100%25": "100%", "%25zz": "%zz"}),
        ("http 3.1.3.2 lower case", {"Euro%20%e2%82%ac%20%f0%9F%98%80": "Euro \u20ac \U0001f600"}),
        ("http 3.1.3.2 unnecessary", {"lenient%30%31%41": "lenient01A", "%2d%2E%7e": "-.~"}),
    ):
        for header, meaning in meanings.items():
            yield _case(cites, f"the header {header}", binary({"id": header}), Accepted({"id": meaning}))
    unquoted = ('"', '"a', 'a"', '"a"b"', r'"a\"', '"unterminated quote', '"' + r"\"" * 4000)
    yield from _each(
        "http 3.1.3.2 quotes", "unbalanced, the header", _header("id"), unquoted, lambda value: Accepted({"id": value})
    )
    # From senders that do not encode.
    escapes = ("%", "%0", "50%", "%g0", "%0g", "%0$", "%%41", "%u20AC", "% 41", "%E2%", "100% of %41")
    yield from _each(
        "http 3.1.3.2 once", "no escape, the header", _header("id"), escapes, lambda value: Accepted({"id": value})
    )
    raw = ("B\u00fccher", "voil\u00e0", "\u0445\u043e", "50 \u20ac \U0001f600", "\u0405", "\u00a0\u00a0")
    yield from _each("http 3.1.3.2 ASCII", "raw UTF-8, the header", _raw, raw, lambda value: Accepted({"id": value}))
    yield _case("http 3.1.3.2 ASCII", "raw UTF-8 in quotes", _raw('"\u00fc b"'), Accepted({"id": "\u00fc b"}))
    uris = ("/policies/keep%20180", "/B%C3%BCcher", "/50%25", "urn:x:%22a%22", "//h/a%2Fb%20c?d=%7B%7D")
    cites = "http 3.1.3.2 ASCII; spec source"
    yield from _each(cites, "raw, the header", _header("source"), uris, lambda value: Accepted({"source": value}))
    encoded = {"/policies/keep%2520180": "/policies/keep%20180", "/a%2525": "/a%25", "%2Fpolicies": "/policies"}
    for header, meaning in encoded.items():
        sent = binary({"source": header})
        yield _case("http 3.1.3.2 once; spec source", f"source {header}", sent, Accepted({"source": meaning}))
    why = _wrong_header("is not UTF-8")
    no_utf_8_raw = ("caf\u00e9", "\u00c0\u00af", "\u00ed\u00a0\u0080", "\u00e2\u0082", "a\u00ff")
    yield from _each("http 3.1.3.2 UTF-8", "raw, the header", _header("id"), no_utf_8_raw, why)
    no_utf_8 = (
        *("%ED%B0%80", "%ED%A0%80", "%ED%A0%80%ED%B0%80", "%C0%A0", "%E0%80%A0", "%E2", "%E2x", "%82", "%E2%E2"),
        *("%FF", "%F4%90%80%80", "a%C3%28"),
    )
    yield from _each("http 3.1.3.2 UTF-8", "the header", _header("id"), no_utf_8, why)
    yield from _each(
        "http 3.1.3.2 UTF-8",
        "the header source",
        _header("source"),
        ("/%FF", "/%C0%AF"),
        Refused(400, "the header of attribute source is not UTF-8"),
    )
    wrong = _wrong("id", "has a control character")
    yield _case("http 3.1.3.2 ASCII", "a tabulator", binary({"id": "a\tb"}), wrong)
    yield _case("http 3.1.3", "a header twice is one list", binary(None, "ce-id: 43"), Accepted({"id": "42,43"}))
    spaces = "a b" * 2700  # comes back three times as long
    yield _case("http 3.1.3", "the header of spaces", binary({"id": spaces}), Accepted({"id": spaces}))
    empty = binary({"correlationid": ""})
    yield _case("http 3.1.3", "an empty correlation is not passed on", empty, Accepted({"correlationid": None}))
    yield _case("http 3.1.3.1", "underscores", binary(None, "ce_subject: x", "ce-my_ext: x"), OURS)
    head = [f"ce-{name}: {value}" for name, value in CORE.items()]
    sent = request(*head, body=chunks(VALID[:9], VALID[9:]), framing="Transfer-Encoding: chunked")
    yield _case("http 3.1.3", "a body in chunks", sent, OURS)


def _limits() -> Iterator[Case]:
    room = 65536 - len(json.dumps({**CORE, "data": {**DATA, "more": ""}}))
    yield _case("spec Size Limits", "64 KiB", _with_data_of(room), OURS)
    yield _case(
        "spec Size Limits", "a byte more", _with_data_of(room + 1), Refused(413, "the body is larger than 65536 bytes")
    )
    yield _case("spec Extension Context Attributes", "a hundred attributes", _with_extensions(96), OURS)
    many = Refused(400, "there are more than 100 attributes")
    yield _case("spec Extension Context Attributes", "a hundred and one attributes", _with_extensions(97), many)


CASES: Final = [
    *_modes(),
    *_required(),
    *_uris(),
    *_optional(),
    *_extensions(),
    *_characters(),
    *_data(),
    *_headers(),
    *_limits(),
]

# What a sender must do: every result that comes back is held to all of this.

_STRING: Final = re.compile("[^\x00-\x1f\x7f-\x9f\ufdd0-\ufdef]+")
_MEDIA_TYPE: Final = re.compile("[!#-'*+.0-9^-~A-Z-]+/[!#-'*+.0-9^-~A-Z-]+")
_ESCAPED: Final = re.compile("(?:[!#$&-~]|%[0-9A-F]{2})*")


def _attributes(event: Envelope) -> dict[str, object]:
    return {name: value for name, value in event.items() if name != "data"}


def _ce_headers(answer: Answer) -> list[tuple[str, str]]:
    return [(name, value) for name, value in answer.lines if name.startswith("ce-")]


def _is_structured(answer: Answer) -> bool:
    return answer.headers["content-type"] == STRUCTURED


def _is_utf_8(value: str) -> bool:
    try:
        return unquote_to_bytes(value).decode() is not None
    except ValueError:
        return False


Rule: TypeAlias = Callable[[Answer, Envelope], bool]
SENDING: Final[Mapping[str, tuple[str, Rule]]] = {
    "spec Overview, sent": ("the JSON format by its rules", lambda answer, event: isinstance(event, dict)),
    "spec Context Attributes, sent": ("all required ones", lambda _, event: {*CORE} <= {*event}),
    "spec Attribute Naming Convention, sent": (
        "a to z, 0 to 9",
        lambda _, event: all(re.fullmatch("[a-z0-9]+", name) for name in _attributes(event)),
    ),
    "spec Type System, sent": (
        "strings of allowed characters, surrogates in pairs",
        lambda _, event: all(
            isinstance(value, str) and _STRING.fullmatch(value) is not None for value in _attributes(event).values()
        ),
    ),
    "spec id, sent": ("not empty", lambda _, event: bool(event["id"])),
    "spec source, sent": (
        "a URI reference, not empty",
        lambda _, event: bool(event["source"]) and validate_rfc3986(event["source"], "URI_reference") is not None,
    ),
    "spec specversion, sent": ("1.0", lambda _, event: event["specversion"] == "1.0"),
    "spec type, sent": ("not empty", lambda _, event: bool(event["type"])),
    "spec datacontenttype, sent": (
        "a media type",
        lambda _, event: _MEDIA_TYPE.fullmatch(event["datacontenttype"]) is not None,
    ),
    "spec dataschema, sent": (
        "a URI",
        lambda _, event: validate_rfc3986(event.get("dataschema", "urn:none"), "URI") is not None,
    ),
    "spec subject, sent": ("not empty", lambda _, event: event.get("subject") != ""),
    "spec time, sent": (
        "RFC 3339, and always the time of the result",
        lambda _, event: (
            validate_rfc3339(event["time"])
            and abs(datetime.now(UTC) - datetime.fromisoformat(event["time"])) < timedelta(minutes=2)
        ),
    ),
    "spec Extension Context Attributes, sent": (
        "an expiry in RFC 3339, a correlation that is not empty, and so on",
        lambda _, event: all(event[name] for name in ("causationid", "correlationid", "traceparent") if name in event),
    ),
    "json 2, sent": (
        "extensions at the top",
        lambda answer, event: not _is_structured(answer) or "causationid" in json.loads(answer.body),
    ),
    "json 2.2, sent": (
        "each attribute by its type: ours are strings",
        lambda answer, _: (
            not _is_structured(answer)
            or all(isinstance(value, str) for value in _attributes(json.loads(answer.body)).values())
        ),
    ),
    "json 3, sent": (
        "the media type, and every attribute a member",
        lambda answer, _: not _is_structured(answer) or {*CORE} <= {*json.loads(answer.body)},
    ),
    "json 3.1.1, sent": (
        "JSON data as a value, not as text, and not in Base64 besides",
        lambda answer, event: isinstance(event["data"], dict) and "data_base64" not in event,
    ),
    "json 4, sent": ("no batch unless asked for", lambda answer, _: "batch" not in answer.headers["content-type"]),
    "http 3, sent": ("no batch unless asked for", lambda answer, _: answer.body.startswith(b"{")),
    "http 3.1.1, sent": (
        "Content-Type is datacontenttype, and there is no ce-datacontenttype",
        lambda answer, event: (
            _is_structured(answer)
            or (answer.headers["content-type"] == "application/json" and "ce-datacontenttype" not in answer.headers)
        ),
    ),
    "http 3.1.3, sent": (
        "a header for each attribute, in either form of its name",
        lambda answer, event: (
            _is_structured(answer)
            or {*_attributes(event)} - {"datacontenttype"} == {name[3:] for name, _ in _ce_headers(answer)}
        ),
    ),
    "http 3.1.3.1, sent": (
        "ce- and the name, once",
        lambda answer, _: len(_ce_headers(answer)) == len(dict(_ce_headers(answer))),
    ),
    "http 3.1.3.2 ASCII, sent": (
        "printable ASCII",
        lambda answer, _: all(value.isascii() and value.isprintable() for _, value in answer.lines),
    ),
    "http 3.1.3.2, sent": (
        "space, quote, percent and all beyond ASCII percent-encoded, in upper case",
        lambda answer, _: all(_ESCAPED.fullmatch(value) for _, value in _ce_headers(answer)),
    ),
    "http 3.1.3.2 pairs, sent": (
        "a surrogate pair is one character",
        lambda answer, _: all(_is_utf_8(value) for _, value in _ce_headers(answer)),
    ),
    "http 3.2.1, sent": (
        "the media type of the event format",
        lambda answer, _: answer.headers["content-type"] in (STRUCTURED, "application/json"),
    ),
    "http 3.2.3, sent": (
        "everything in the payload",
        lambda answer, event: not _is_structured(answer) or json.loads(answer.body) == event,
    ),
}


def broken_rules(answer: Answer) -> list[str]:
    """The requirements of a sender that a result event breaks."""
    return [key for key, (_, keeps) in SENDING.items() if not keeps(answer, answer.event)]
