"""The CloudEvents HTTP binding: "spec" is the core specification 1.0.2, "json" its JSON format, "http" the binding."""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Final
from urllib.parse import unquote

import pytest
from cloudevents.http import from_http
from hypothesis import example, given
from hypothesis import strategies as st

from function.errors import NotAnEventError
from function.events.binding import MAX_ATTRIBUTES, Event, Mode, Unreadable, read_event, write_event
from function.events.grammar import is_uri_reference, read_time
from tests.facts.strategies import (
    any_bytes,
    attribute_texts,
    extension_names,
    json_objects,
    json_values,
    secrets,
    uri_references,
    valid_attributes,
)

REQUIRED: Final = {"specversion": "1.0", "id": "42", "source": "/policies/weekly", "type": "expired"}
STRUCTURED: Final = "application/cloudevents+json"
MODES: Final[tuple[Mode, Mode]] = ("binary", "structured")
WRONG_TYPE: Final = (
    "Content-Type must be application/cloudevents+json or application/json for an event in structured mode,"
    " a JSON type for one with ce- headers; in UTF-8"
)
BATCH: Final = "this is a batch of events: deliver each event on its own"


def binary(content_type: str | None = "application/json", body: bytes = b"{}", **attributes: str) -> Event:
    """Read an event in binary mode."""
    headers = {f"ce-{name}": value for name, value in (REQUIRED | attributes).items()}
    if content_type is not None:
        headers["content-type"] = content_type
    return read_event(headers, body)


def structured(content_type: str = STRUCTURED, **members: object) -> Event:
    """Read an event in structured mode."""
    return read_event({"content-type": content_type}, json.dumps(REQUIRED | members).encode())


def refusal(headers: Mapping[str, str], body: bytes = b"") -> tuple[int, str]:
    with pytest.raises(NotAnEventError) as refused:
        read_event(headers, body)
    return refused.value.status, str(refused.value)


def structured_refusal(**members: object) -> tuple[int, str]:
    return refusal({"content-type": STRUCTURED}, json.dumps(REQUIRED | members).encode())


def binary_refusal(**attributes: str) -> tuple[int, str]:
    return refusal({f"ce-{name}": value for name, value in (REQUIRED | attributes).items()})


# The content mode, http §3.


def test_an_event_in_binary_mode_has_its_attributes_in_headers_and_its_data_in_the_body() -> None:
    event = binary(body=b'{"a": [1]}', subject="b1")

    assert event == Event({**REQUIRED, "subject": "b1", "datacontenttype": "application/json"}, {"a": [1]}, "binary")


def test_an_event_in_structured_mode_has_all_in_the_body() -> None:
    event = structured(subject="b1", data={"a": [1]})

    assert event == Event({**REQUIRED, "subject": "b1"}, {"a": [1]}, "structured")


@pytest.mark.parametrize(
    "content_type",
    [
        STRUCTURED,
        "application/cloudevents+json; charset=utf-8",
        'APPLICATION/CloudEvents+JSON ;Charset="UTF-8"',
        "application/cloudevents+json;charset=us-ascii",
        "application/cloudevents+json; profile=x",
        "application/json",  # as EventGrid and others send it
        "application/json; charset=utf-8",
    ],
)
def test_structured_mode_is_told_by_its_media_type(content_type: str) -> None:
    assert structured(content_type).mode == "structured"


def test_structured_mode_wins_over_stray_attribute_headers() -> None:
    """http §3: receivers tell the mode by the Content-Type."""
    headers = {"content-type": STRUCTURED, **{f"ce-{name}": "other" for name in REQUIRED}}

    assert read_event(headers, json.dumps(REQUIRED).encode()).attributes == REQUIRED


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON;charset=UTF-8",
        'application/json; charset="utf-8"',
        "application/vnd.acme.backup+json",
        "text/json+json",
        "text/json",
        "application/json;charset=utf8",
        "application/json;charset=US-ASCII",
        "application/json; version=1",
    ],
)
def test_binary_data_may_be_any_json(content_type: str) -> None:
    event = binary(content_type, b'{"a": 1}')

    assert (event.data, event.attributes["datacontenttype"], event.mode) == ({"a": 1}, content_type, "binary")


def test_binary_mode_without_a_content_type_has_no_datacontenttype() -> None:
    event = binary(None, b'{"a": 1}')

    assert event == Event(REQUIRED, {"a": 1}, "binary")


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({}, WRONG_TYPE),
        ({"content-type": ""}, WRONG_TYPE),
        ({"content-type": "text/plain"}, WRONG_TYPE),
        ({"content-type": "application/cloudevents-batch+json"}, BATCH),  # http §3.3
        ({"content-type": "application/CloudEvents-Batch+json; charset=utf-8"}, BATCH),
        ({"content-type": "application/cloudevents+json; charset=utf-16"}, WRONG_TYPE),  # RFC 8259 §8.1
        ({"content-type": "application/cloudevents+json; charset=iso-8859-1"}, WRONG_TYPE),
        ({"content-type": "application/json; charset=latin1"}, WRONG_TYPE),
        ({"content-type": "application/cloudevents-batch+json", "ce-id": "42"}, BATCH),
        ({"content-type": "application/cloudevents+xml", "ce-id": "42"}, WRONG_TYPE),
        ({"content-type": "application/cloudevents", "ce-id": "42"}, WRONG_TYPE),
    ],
    ids=str,
)
def test_another_mode_is_an_unsupported_media_type(headers: dict[str, str], message: str) -> None:
    assert refusal(headers, json.dumps(REQUIRED).encode()) == (415, message)


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/xml",
        "application/jsonx",
        "application/octet-stream",
        "application/json; charset=iso-8859-1",
        "application/json;charset=utf-8;charset=utf-16",
        "application/vnd.acme+json; charset=utf-16",
    ],
)
@pytest.mark.parametrize("mode", MODES)
def test_data_that_is_not_declared_json_in_utf_8_is_an_unsupported_media_type(mode: Mode, content_type: str) -> None:
    if mode == "binary":
        headers = {"content-type": content_type, **{f"ce-{name}": value for name, value in REQUIRED.items()}}
        status, message = refusal(headers, b"{}")
    else:
        status, message = structured_refusal(datacontenttype=content_type, data={})

    assert (status, message) == (415, "the data must be JSON in UTF-8")


# Attribute values in headers, http §3.1.3.2.


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro \u20ac \U0001f600"),  # the example of the binding
        ("Euro%20%e2%82%ac", "Euro \u20ac"),
        ("%41bc", "Abc"),
        ("%2525", "%25"),  # a single round
        ("a b", "a b"),
        ('"a b"', "a b"),
        ('"a%20b"', "a b"),
        ('"a%22b"', 'a"b'),
        (r'"say \"yes\""', 'say "yes"'),
        (r'"back\\slash"', r"back\slash"),
        (r'"\a"', "a"),
        (r"back\slash", r"back\slash"),
        ('""', ""),
        ("", ""),
        ('one "two  three" four', "one two  three four"),
        ("!#$&'()*+,-./:;<=>?@[]^_`{|}~", "!#$&'()*+,-./:;<=>?@[]^_`{|}~"),
    ],
)
def test_a_header_is_unquoted_and_percent_decoded_once(header: str, value: str) -> None:
    assert binary(comment=header).attributes["comment"] == value


@pytest.mark.parametrize(
    "header", ["%", "50%", "%4", "%4x", "%x4", "%%41", "100% of %41", '"', '"a', 'a"', '"a"b"', r'"a\"', '5" disk']
)
def test_what_no_encoding_gives_is_taken_as_it_stands(header: str) -> None:
    """From a sender that does not encode."""
    assert binary(comment=header).attributes["comment"] == header


def as_wsgi_has_it(text: str) -> str:
    """A raw header: each character is a byte (PEP 3333)."""
    return text.encode().decode("latin-1")


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("\u00fc", "\u00fc"),
        ("voil\u00e0", "voil\u00e0"),
        ("\u20ac \U0001f600", "\u20ac \U0001f600"),
        ('"\u00fc b"', "\u00fc b"),
        ("\u00fc%20b", "\u00fc b"),
        ("\u00fc 50%", "\u00fc 50%"),
    ],
)
def test_a_header_may_be_raw_utf_8(header: str, value: str) -> None:
    assert binary(comment=as_wsgi_has_it(header)).attributes["comment"] == value


@pytest.mark.parametrize(
    ("name", "header", "value"),
    [
        ("source", "/policies/keep%20180", "/policies/keep%20180"),
        ("source", "/policies/keep%2520180", "/policies/keep%20180"),
        ("source", "/B%C3%BCcher", "/B%C3%BCcher"),
        ("source", "/50%25", "/50%25"),
        ("source", "%2Fpolicies", "/policies"),
        ("dataschema", "urn:x:%20", "urn:x:%20"),
        ("dataschema", "urn%3Ax", "urn:x"),
        ("time", "2026-03-01T12%3A00:00%2B08:00", "2026-03-01T12:00:00+08:00"),
        ("id", "a%00b", "a%00b"),
        ("id", "a%0Ab", "a%0Ab"),
        ("id", "a%20b", "a b"),
        ("specversion", "1%2E0", "1.0"),
    ],
)
def test_a_header_is_percent_decoded_where_that_gives_what_the_attribute_may_hold(
    name: str, header: str, value: str
) -> None:
    assert binary(None, b"", **{name: header}).attributes[name] == value


@pytest.mark.parametrize(
    ("name", "header", "why"),
    [
        ("source", "/a b%20c", "is not a URI"),
        ("source", "/a%20b c", "is not a URI"),
        ("time", "yesterday%20", "is not an RFC 3339 timestamp"),
        ("specversion", "1%2E1", "must be 1.0"),
        ("id", "a%20\x07", "has a control character or a noncharacter"),
    ],
)
def test_a_header_that_fits_in_neither_way_is_refused(name: str, header: str, why: str) -> None:
    assert binary_refusal(**{name: header}) == (400, f"the attribute {name} {why}")


@pytest.mark.parametrize(
    "octets", [b"\xc3", b"\xff", b"\xc0\xa0", b"\xed\xa0\x80", b"\xe0\x80\xa0", b"\xf4\x90\x80\x80"]
)
@pytest.mark.parametrize("name", ["comment", "source", "time"])
def test_overlong_and_broken_utf_8_is_refused(name: str, octets: bytes) -> None:
    """RFC 3629 §3; %ED%A0%80 is half of a surrogate pair."""
    escaped, raw = "".join(f"%{octet:02X}" for octet in octets), octets.decode("latin-1")
    for header in (escaped, raw, f"/{escaped}/%20", f'"{raw}"'):
        assert binary_refusal(**{name: header}) == (400, f"the header of attribute {name} is not UTF-8")


def test_the_content_type_is_no_attribute_header() -> None:
    """Http §3.1.1."""
    answer = binary_refusal(datacontenttype="application/json")

    assert answer == (400, "ce-datacontenttype must not be sent: Content-Type takes its place")


# The envelope of structured mode, json §3.

ARRAY: Final = "the body is a JSON array, a batch of events: deliver each event on its own"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "the body is not JSON: Expecting value: line 1 column 1 (char 0)"),
        (b"{", "the body is not JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        (b"\xff", "the body is not JSON: not UTF-8: byte 0 is wrong"),
        (b'{"id": "1", "id": "2"}', "the body is not JSON: an object names a member twice"),
        (b'{"id": NaN}', "the body is not JSON: NaN and Infinity are not JSON"),
        (b"[" * 9_999 + b"]" * 9_999, "the body is not JSON: nested too deeply"),
        (b"[]", ARRAY),
        (json.dumps([REQUIRED]).encode(), ARRAY),
        (b'"event"', "the body is JSON, but not an object"),
        (b"null", "the body is JSON, but not an object"),
    ],
    ids=lambda value: str(value[:12]),
)
def test_a_structured_event_is_a_json_object(body: bytes, message: str) -> None:
    assert refusal({"content-type": STRUCTURED}, body) == (400, message)


def test_an_attribute_that_is_null_is_not_there() -> None:
    """Json §2.2."""
    assert structured(subject=None, comment=None).attributes == REQUIRED


def test_a_required_attribute_that_is_null_is_missing() -> None:
    assert structured_refusal(id=None) == (400, "the attribute id is missing")


@given(json_values, st.booleans())
def test_data_is_any_json_as_it_is_or_in_base64(data: object, as_base64: bool) -> None:
    """Json §3.1."""
    text = json.dumps(data).encode()
    member = {"data_base64": base64.b64encode(text).decode()} if as_base64 else {"data": data}

    event = structured(**member)

    assert event == Event(REQUIRED, json.loads(text), "structured")


@pytest.mark.parametrize(
    ("text", "data"),
    [
        (b"", None),
        (b"null", None),
        (b"{", Unreadable("Expecting property name enclosed in double quotes: line 1 column 2 (char 1)")),
        (b'{"a": 1, "a": 2}', Unreadable("an object names a member twice")),
        (b"\xff", Unreadable("not UTF-8: byte 0 is wrong")),
    ],
)
@pytest.mark.parametrize("mode", MODES)
def test_data_that_is_no_json_is_told_to_whoever_reads_it(mode: Mode, text: bytes, data: object) -> None:
    """In binary mode it is an event that does not fit, not a malformed one."""
    event = binary(body=text) if mode == "binary" else structured(data_base64=base64.b64encode(text).decode())

    assert event.data == data


@pytest.mark.parametrize("value", ["a", "e30", "e30=\n", "e3 0=", "%%%=", "\u00fc", 1, True, ["e30="], {}])
def test_data_base64_that_is_no_base64_is_refused(value: object) -> None:
    """RFC 4648 §4, with the padding and nothing else."""
    assert structured_refusal(data_base64=value) == (400, "data_base64 is not Base64")


def test_data_base64_that_is_null_is_not_there() -> None:
    assert structured(data={"a": 1}, data_base64=None) == Event(REQUIRED, {"a": 1}, "structured")


@pytest.mark.parametrize("data", [{}, 0, "", False, None])
def test_data_in_two_forms_is_refused(data: object) -> None:
    """Json §3.1.1: they are mutually exclusive."""
    assert structured_refusal(data=data, data_base64="e30=") == (400, "there are both data and data_base64")


# The attributes, spec "Context Attributes" and "Type System".


@pytest.mark.parametrize("name", REQUIRED)
@pytest.mark.parametrize("mode", MODES)
def test_a_required_attribute_that_is_missing_is_named(mode: Mode, name: str) -> None:
    rest = {other: value for other, value in REQUIRED.items() if other != name}
    if mode == "binary":
        answer = refusal({f"ce-{other}": value for other, value in rest.items()})
    else:
        answer = refusal({"content-type": STRUCTURED}, json.dumps(rest).encode())

    assert answer == (400, f"the attribute {name} is missing")


STRINGS: Final = ["specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema"]


@pytest.mark.parametrize("value", [1, 1.5, True, False, [], {}, ["x"]], ids=str)
@pytest.mark.parametrize("name", STRINGS)
def test_an_attribute_of_the_specification_is_a_string(name: str, value: object) -> None:
    assert structured_refusal(**{name: value}) == (400, f"the attribute {name} must be a string")


@pytest.mark.parametrize("name", STRINGS)
def test_an_attribute_of_the_specification_is_not_empty(name: str) -> None:
    assert structured_refusal(**{name: ""}) == (400, f"the attribute {name} must not be empty")


@pytest.mark.parametrize("value", ["", "text", True, False, 0, -1, 2**31 - 1, -(2**31)], ids=str)
def test_an_extension_is_a_string_a_boolean_or_a_32_bit_integer(value: object) -> None:
    attributes = structured(comment=value).attributes

    assert repr(attributes["comment"]) == repr(value)


@pytest.mark.parametrize(
    "value", [2**31, -(2**31) - 1, 10**300, 1.0, 1.5, [], {}, ["x"], {"a": 1}], ids=lambda v: str(v)[:12]
)
def test_an_extension_of_another_type_is_refused(value: object) -> None:
    answer = structured_refusal(comment=value)

    assert answer == (400, "the attribute comment must be a string, a boolean or a 32-bit integer")


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("specversion", "0.3", "must be 1.0"),
        ("specversion", "1.0.2", "must be 1.0"),
        ("specversion", "1", "must be 1.0"),
        ("datacontenttype", "application", "is not a media type"),
        ("datacontenttype", "application/", "is not a media type"),
        ("datacontenttype", "application/json; charset", "is not a media type"),
        ("datacontenttype", "application/json; charset=", "is not a media type"),
        ("datacontenttype", "application/json; version=1; q", "is not a media type"),
        ("datacontenttype", "application/json, text/plain", "is not a media type"),
        ("datacontenttype", 'application/json; a="b', "is not a media type"),
        ("datacontenttype", "application /json", "is not a media type"),
        ("dataschema", "schema.json", "must be an absolute URI"),
        ("dataschema", "/schema.json", "must be an absolute URI"),
        ("dataschema", "//host/schema.json", "must be an absolute URI"),
        ("dataschema", "1:x", "is not a URI"),
        ("dataschema", "http://host/a b", "is not a URI"),
        ("time", "yesterday", "is not an RFC 3339 timestamp"),
        ("time", "2026-02-30T00:00:00Z", "is not a timestamp between the years 1 and 9999"),
        ("time", "2026-02-27T23:59:60Z", "has a leap second that is not the last of a month"),
    ],
)
def test_an_attribute_that_is_not_what_the_specification_says_is_named(name: str, value: str, why: str) -> None:
    assert structured_refusal(**{name: value}) == (400, f"the attribute {name} {why}")


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/json ;a=b",
        'application/json; a="b;\\"c"',
        "application/a!#$&-^_.+json",
        "a/b+json;",
    ],
)
def test_a_media_type_may_have_parameters(content_type: str) -> None:
    """RFC 2046 §1, RFC 9110 §8.3.1."""
    assert structured(datacontenttype=content_type).text("datacontenttype") == content_type


@pytest.mark.parametrize(
    "source",
    [  # RFC 3986 §1.1.2, §4.2 and §5.4; spec "source"
        "ftp://ftp.is.co.za/rfc/rfc1808.txt",
        "ldap://[2001:db8::7]/c=GB?objectClass?one",
        "//[::ffff:192.168.0.1]/p",
        "//u@[v7.a:b]:80",
        "mailto:John.Doe@example.com",
        "tel:+1-816-555-1212",
        "urn:oasis:names:specification:docbook:dtd:xml:4.1.2",
        "urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66",
        "https://github.com/cloudevents/spec/pull",
        "/cloudevents/spec/pull/123",
        "/sensors/tn-1234567/alerts",
        "1-555-123-4567",
        "g;x=1/../y",
        "?y#s",
        "#s/../x?",
        "../..",
        "%C3%BC",
    ],
)
def test_a_source_is_any_uri_reference(source: str) -> None:
    assert structured(source=source).text("source") == source


@pytest.mark.parametrize(
    "schema", ["urn:x", "https://host/schema.json#/$defs/data", "x:", "http://[::1]:8080/?q#f", "A+-.1:a"]
)
def test_a_schema_is_an_absolute_uri(schema: str) -> None:
    assert structured(dataschema=schema).text("dataschema") == schema


@pytest.mark.parametrize(
    "source",
    [
        "a b",
        "<a>",
        'a"',
        "a\\b",
        "a^b",
        "a`b",
        "{a}",
        "a|b",
        "%",
        "%4",
        "%zz",
        "\u00fc",
        "a#b#c",
        "#a[b]",
        "\u0661",
        " /a",
        ":a",
        "1a:b",
        "/a[b]",
        "?[",
        "http://[::1",
        "http://::1/",
        "//[::ffff:192.168.0.01]/p",
        "//[1::2::3]",
        "//[fe80::1%25eth0]",
        "//[1.2.3.4]",
        "//[]",
        "//[v1.]",
        "//a:b",
        "//a@b@c",
    ],
)
def test_a_source_that_is_no_uri_is_refused(source: str) -> None:
    assert structured_refusal(source=source) == (400, "the attribute source is not a URI")


@given(st.ip_addresses(v=6), st.ip_addresses(v=4), st.integers(0, 3))
def test_an_address_in_brackets_is_one_of_ipv6(address: IPv6Address, embedded: IPv4Address, octet: int) -> None:
    """RFC 3986 §3.2.2: the last 32 bits may be written as an IPv4 address, whose numbers have no leading zero."""
    octets = str(embedded).split(".")
    octets[octet] = f"0{octets[octet]}"

    assert is_uri_reference(f"//[{address}]/p")
    assert is_uri_reference(f"//[{address.exploded}]:80")
    assert is_uri_reference(f"//[::ffff:{embedded}]")
    assert not is_uri_reference(f"//[::ffff:{'.'.join(octets)}]")
    assert not is_uri_reference(f"//[{embedded}]")


@pytest.mark.parametrize(
    "character",
    [*"\x00\t\n\r\x1f\x7f\x80\x85\x9f", *"\ufdd0\ufdef\ufffe\uffff\U0001fffe\U0010ffff"],
    ids=ascii,
)
@pytest.mark.parametrize("mode", MODES)
def test_a_control_character_or_a_noncharacter_is_refused(mode: Mode, character: str) -> None:
    """Spec "Type System", String."""
    raw = as_wsgi_has_it(f"a{character}b")
    answer = binary_refusal(comment=raw) if mode == "binary" else structured_refusal(comment=f"a{character}b")

    assert answer == (400, "the attribute comment has a control character or a noncharacter")


@pytest.mark.parametrize(
    "character", ["\u00a0", "\ufdcf", "\ufdf0", "\ufffd", "\U0001fffd", "\U0010fffd", "\u2028", "~"]
)
def test_characters_beside_those_are_welcome(character: str) -> None:
    assert structured(comment=character).attributes["comment"] == character


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Comment", "'Comment'"),
        ("my_comment", "'my_comment'"),
        ("my-comment", "'my-comment'"),
        ("", "''"),
        ("\u00fcber", "'\\xfcber'"),
        ("\u0661", "'\\u0661'"),
        ("a\n", "'a\\n'"),
        ("A" * 99, f"'{'A' * 20}'"),
    ],
)
def test_an_attribute_name_is_of_lower_case_letters_and_digits(name: str, shown: str) -> None:
    """Spec "Naming Conventions"."""
    answer = structured_refusal(**{name: "x"})

    assert answer == (400, f"the attribute {shown} has a name that is not of lower-case letters and digits")


def test_data_is_no_attribute() -> None:
    """Spec "data": in binary mode nothing else keeps the name free."""
    assert binary_refusal(data="x") == (400, "the attribute data must not be sent: its name is reserved")


@pytest.mark.parametrize(("length", "shown"), [(20, "a" * 20), (21, f"'{'a' * 20}'")])
def test_a_long_name_is_cut_in_the_message(length: int, shown: str) -> None:
    assert binary_refusal(**{"a" * length: "%FF"}) == (400, f"the header of attribute {shown} is not UTF-8")


def test_a_bounded_number_of_attributes_is_read() -> None:
    extensions = {f"x{number}": "" for number in range(MAX_ATTRIBUTES - len(REQUIRED))}

    assert len(structured(**extensions).attributes) == MAX_ATTRIBUTES
    assert structured_refusal(**extensions, more="") == (400, "there are more than 100 attributes")


def test_only_a_string_attribute_is_text() -> None:
    event = structured(comment="text", flag=True, number=1)

    assert [event.text(name) for name in ("comment", "flag", "number", "absent")] == ["text", None, None, None]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ce-source", '"' + "\\" * 20_001),
        ("ce-source", '"a' * 20_001),
        ("ce-source", '""' * 20_000 + '"'),
        ("ce-source", "%" * 40_000),
        ("ce-source", "%41" * 20_000 + "\\"),
        ("ce-source", "//[" + ":" * 40_000 + "]"),
        ("ce-source", "http://" + "a" * 40_000 + " "),
        ("ce-source", "http://[" + ":" * 40_000),
        ("ce-source", "//" + "@:" * 20_000),
        ("ce-time", "2026-03-01T12:00:00." + "0" * 40_000),
        ("content-type", "application/json" + ";a=b" * 10_000 + ";;="),
        ("content-type", "application/json" + "; " * 20_000 + "="),
        ("content-type", 'application/json;a="' + '\\"' * 20_000),
    ],
    ids=lambda value: f"{value[:20]} {len(value)}",
)
def test_a_long_header_is_refused_in_linear_time(name: str, value: str) -> None:
    """Or one request would keep a worker busy: the test's own time-out is the measure."""
    headers = {f"ce-{name}": value for name, value in REQUIRED.items()}

    assert refusal({**headers, name: value}, b"{}")[0] in (400, 415)


@given(secrets(), st.sampled_from([*STRINGS, "comment"]), st.sampled_from(["{} \x00", "%{}", '"{}', "{}\u00fc", "{}"]))
def test_no_refusal_shows_a_header(secret: str, name: str, form: str) -> None:
    headers = {f"ce-{name}": value for name, value in REQUIRED.items()} | {f"ce-{name}": form.format(secret)}
    for content_type in ("application/json", f"text/{secret}", secret):
        try:
            read_event({**headers, "content-type": content_type}, b"{}")
        except NotAnEventError as error:
            assert secret not in str(error)


header_names = st.sampled_from([f"ce-{name}" for name in STRINGS] + ["ce-data", "ce-", "ce-X"]) | extension_names.map(
    "ce-{}".format
)
header_values = st.text(st.characters(max_codepoint=255), max_size=30) | st.sampled_from([*REQUIRED.values(), "%00"])
content_types = st.sampled_from([STRUCTURED, "application/json", "text/plain", "application/json;charset=x", ""])


@given(st.dictionaries(header_names, header_values, max_size=6), content_types, st.booleans(), any_bytes)
def test_any_request_is_an_event_or_a_refusal(
    some: dict[str, str], content_type: str, complete: bool, body: bytes
) -> None:
    required = {f"ce-{name}": value for name, value in REQUIRED.items()} if complete else {}
    try:
        event = read_event({**required, **some, "content-type": content_type}, body)
    except NotAnEventError as error:
        assert error.status in (400, 415)
        assert str(error).isascii()
    else:
        assert event.attributes["specversion"] == "1.0"
        assert all(event.text(name) for name in ("id", "source", "type"))


@given(st.dictionaries(st.sampled_from([*STRINGS, "data", "data_base64", "Ü"]) | extension_names, json_values))
@example({"data_base64": "gA=="})
@example({"time": "0001-01-01T00:00:00+23:59"})
@example({"time": "9999-12-31T23:59:60Z"})
def test_any_json_object_is_an_event_or_a_refusal(members: dict[str, Any]) -> None:
    try:
        event = structured(**members)
    except NotAnEventError as error:
        assert error.status in (400, 415)
        assert str(error).isascii()
    else:
        assert all(isinstance(value, str | int) for value in event.attributes.values())
        assert all(event.text(name) for name in ("id", "source", "type"))


# Timestamps, RFC 3339.


@pytest.mark.parametrize(
    ("text", "time"),
    [  # the examples of RFC 3339 §5.8, then its edges
        ("1985-04-12T23:20:50.52Z", datetime(1985, 4, 12, 23, 20, 50, 520_000)),
        ("1996-12-19T16:39:57-08:00", datetime(1996, 12, 20, 0, 39, 57)),
        ("1990-12-31T23:59:60Z", datetime(1991, 1, 1)),
        ("1990-12-31T15:59:60-08:00", datetime(1991, 1, 1)),
        ("1937-01-01T12:00:27.87+00:20", datetime(1937, 1, 1, 11, 40, 27, 870_000)),
        ("2026-03-01t12:00:00z", datetime(2026, 3, 1, 12)),
        ("2026-03-01T12:00:00-00:00", datetime(2026, 3, 1, 12)),
        ("2026-03-01T12:00:00.1234567891Z", datetime(2026, 3, 1, 12, 0, 0, 123_456)),
        ("2026-03-01T12:00:00+23:59", datetime(2026, 2, 28, 12, 1)),
        ("2016-02-29T23:59:60.75Z", datetime(2016, 3, 1, 0, 0, 0, 750_000)),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1)),
        ("9999-12-31T23:59:59.999999Z", datetime(9999, 12, 31, 23, 59, 59, 999_999)),
    ],
)
def test_a_timestamp_of_rfc_3339_is_read(text: str, time: datetime) -> None:
    assert read_time(text) == time.replace(tzinfo=UTC)
    assert read_time(text).tzinfo is UTC


NO_RFC_3339: Final = "is not an RFC 3339 timestamp"
NO_YEAR: Final = "is not a timestamp between the years 1 and 9999"
NO_LEAP: Final = "has a leap second that is not the last of a month"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", NO_RFC_3339),
        ("2026-03-01", NO_RFC_3339),
        ("2026-03-01T12:00:00", NO_RFC_3339),
        ("2026-03-01 12:00:00Z", NO_RFC_3339),
        ("2026-03-01T12:00Z", NO_RFC_3339),
        ("2026-03-01T12:00:00+0800", NO_RFC_3339),
        ("2026-03-01T12:00:00+08", NO_RFC_3339),
        ("2026-03-01T12:00:00+24:00", NO_RFC_3339),
        ("2026-03-01T12:00:00+08:60", NO_RFC_3339),
        ("2026-03-01T24:00:00Z", NO_RFC_3339),
        ("2026-03-01T12:00:00.Z", NO_RFC_3339),
        ("2026-03-01T12:00:00,5Z", NO_RFC_3339),
        ("20260301T120000Z", NO_RFC_3339),
        ("2026-W09-7T12:00:00Z", NO_RFC_3339),
        ("02026-03-01T12:00:00Z", NO_RFC_3339),
        ("2026-03-01T12:00:00Z\n", NO_RFC_3339),
        (" 2026-03-01T12:00:00Z", NO_RFC_3339),
        ("\u0662026-03-01T12:00:00Z", NO_RFC_3339),
        ("1772366400", NO_RFC_3339),
        ("2026-02-29T12:00:00Z", NO_YEAR),
        ("2026-13-01T12:00:00Z", NO_YEAR),
        ("2026-00-01T12:00:00Z", NO_YEAR),
        ("2026-03-32T12:00:00Z", NO_YEAR),
        ("2026-03-01T12:60:00Z", NO_YEAR),
        ("2026-03-01T12:00:61Z", NO_YEAR),
        ("0000-01-01T00:00:00Z", NO_YEAR),
        ("0001-01-01T00:00:00+00:01", NO_YEAR),
        ("9999-12-31T23:59:59-00:01", NO_YEAR),
        ("9999-12-31T23:59:60Z", NO_YEAR),
        ("2026-03-01T12:00:60Z", NO_LEAP),
        ("2026-03-01T23:59:60Z", NO_LEAP),
        ("2026-02-28T22:59:60Z", NO_LEAP),
        ("2026-02-28T23:58:60Z", NO_LEAP),
        ("1990-12-31T23:59:60-08:00", NO_LEAP),
    ],
)
def test_another_notation_of_a_time_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=f"^{why}$"):
        read_time(text)


offsets = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=offsets), st.sampled_from(["T", "t"]))
def test_any_instant_at_any_offset_is_read_as_datetime_reads_it(time: datetime, separator: str) -> None:
    assert read_time(time.isoformat(sep=separator)) == time


@given(
    st.text("0123456789-:TtZz.+ \u0661", max_size=35)
    | st.from_regex(r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d([Z]|[+-]\d\d:\d\d)\Z")
)
def test_any_text_is_a_timestamp_or_a_value_error(text: str) -> None:
    try:
        time = read_time(text)
    except ValueError as error:
        assert str(error) in (NO_RFC_3339, NO_YEAR, NO_LEAP)
    else:
        assert time == datetime.fromisoformat(text) or ":60" in text


# Writing; the SDK reads what we wrote, as an independent check.


def sdk_attributes(headers: Mapping[str, str], body: bytes, mode: Mode) -> dict[str, Any]:
    """What the SDK makes of it; it leaves percent-encoding to the caller."""
    event = from_http(headers, body)
    decode = unquote if mode == "binary" else str
    attributes = {name: decode(value) for name, value in event.get_attributes().items() if value is not None}
    return {**attributes, "data": event.get_data()}


# Ours never are of that name, and `read_extensions` refuses it.
written_attributes = valid_attributes().filter(lambda attributes: "extensions" not in attributes)


@given(written_attributes, json_objects, st.sampled_from(MODES))
@example(
    {
        **REQUIRED,
        "time": "2026-03-01T12:00:00Z",
        "subject": 'a "b" 100%\r\nSet-Cookie: x',
        "comment": "\u00fc\U0001f600 ",
    },
    {"a": "\u20ac"},
    "binary",
)
def test_the_sdk_reads_what_was_written(attributes: dict[str, str], data: dict[str, object], mode: Mode) -> None:
    headers, body = write_event(attributes, data, mode)

    assert sdk_attributes(headers, body, mode) == {**attributes, "datacontenttype": "application/json", "data": data}


@given(written_attributes, st.sampled_from(MODES), json_objects)
def test_what_was_written_reads_as_the_same_event(
    attributes: dict[str, str], mode: Mode, data: dict[str, object]
) -> None:
    headers, body = write_event(attributes, data, mode)

    event = read_event({name.lower(): value for name, value in headers.items()}, body)

    assert event == Event({**attributes, "datacontenttype": "application/json"}, json.loads(json.dumps(data)), mode)


@given(valid_attributes(), attribute_texts, uri_references, st.sampled_from(MODES))
def test_no_attribute_breaks_out_of_its_header(
    attributes: dict[str, str], subject: str, source: str, mode: Mode
) -> None:
    headers, _ = write_event({**attributes, "subject": subject, "source": source}, {}, mode)

    assert all(32 < ord(character) < 127 for value in headers.values() for character in value)


def test_the_content_mode_is_told_by_the_media_type() -> None:
    binary_headers, binary_body = write_event(REQUIRED, {"a": 1}, "binary")
    structured_headers, structured_body = write_event(REQUIRED, {"a": 1}, "structured")

    assert binary_headers["content-type"] == "application/json"
    assert json.loads(binary_body) == {"a": 1}
    assert structured_headers == {"content-type": STRUCTURED}
    assert json.loads(structured_body)["data"] == {"a": 1}


@pytest.mark.parametrize(
    ("value", "header"),
    [  # http §3.1.3.2: space, double quote, percent and all that is not printable ASCII, and nothing else
        ("Euro \u20ac \U0001f600", "Euro%20%E2%82%AC%20%F0%9F%98%80"),
        ('"100%"', "%22100%25%22"),
        ("\r\n\x7f", "%0D%0A%7F"),
        ("!#$&'()*+,-./09:;<=>?@AZ[\\]^_`az{|}~", "!#$&'()*+,-./09:;<=>?@AZ[\\]^_`az{|}~"),
    ],
)
def test_a_header_is_percent_encoded_where_it_must_be(value: str, header: str) -> None:
    headers, _ = write_event({**REQUIRED, "comment": value}, {}, "binary")

    assert headers["ce-comment"] == header
