"""The seam to the outside: what a request shows, and how strictly JSON and `Retry-After` are read."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from email.utils import format_datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from function.exchange import MAX_TEXT_CHARS, Request, bounded, is_loopback, read_retry_after
from function.strict_json import LARGE_BYTES, MAX_DEPTH, MAX_NUMBER_CHARS, MAX_SEPARATORS, read_json
from tests.facts.account import NOW
from tests.facts.strategies import any_bytes, json_texts, json_values, secrets


def same(one: object, other: object) -> bool:
    """Equal, types included: `1 == 1.0 == True`."""
    return repr(one) == repr(other)


@given(secrets(), secrets())
def test_a_request_shows_neither_its_headers_nor_its_body(header: str, body: str) -> None:
    request = Request("DELETE", "https://api.example/v3", {"X-Auth-Token": header}, body.encode())

    assert repr(request) == str(request) == "Request(DELETE https://api.example/v3)"


def test_more_headers_make_another_request_and_leave_the_first_as_it_was() -> None:
    first = Request("POST", "https://api.example", {"A": "1", "B": "1"}, b"body")

    second = first.with_headers({"B": "2", "C": "2"})

    assert second == Request("POST", "https://api.example", {"A": "1", "B": "2", "C": "2"}, b"body")
    assert first == Request("POST", "https://api.example", {"A": "1", "B": "1"}, b"body")


@pytest.mark.parametrize(
    ("url", "expected"),
    [  # loopback is an address (RFC 1122 §3.2.1.3, RFC 4291 §2.5.3) or `localhost`
        ("http://127.0.0.1:8080", True),
        ("http://127.8.9.10", True),
        ("http://[::1]:8080", True),
        ("http://localhost:8080", True),
        ("http://localhost", True),
        ("http://0.0.0.0", False),
        ("http://10.0.0.1", False),
        ("http://[fe80::1]", False),
        ("http://localhost.evil.example", False),
        ("http://my.localhost", False),
        ("http://127.0.0.1.evil.example", False),
        ("http://127.0.0.1@evil.example", False),
        ("http://evil.example#127.0.0.1", False),
        ("http://2130706433", False),
        ("http://127.1", False),
        ("http://", False),
    ],
)
def test_loopback_is_an_address_or_localhost_and_nothing_that_looks_like_it(url: str, expected: bool) -> None:
    assert is_loopback(url) is expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [  # RFC 9110 §10.2.3: delay-seconds or an HTTP-date; §5.6.7 for the three forms of a date
        (None, None),
        ("0", 0),
        ("120", 120),
        ("Sun, 01 Mar 2026 12:01:30 GMT", 90),
        ("Sunday, 01-Mar-26 12:01:30 GMT", 90),
        ("Sun Mar  1 12:01:30 2026", 90),
        ("Sun, 01 Mar 2026 13:01:30 +0100", 90),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0),
        ("", None),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("Sun, 31 Feb 2026 12:00:00 GMT", None),
        ("9" * 5000, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, expected: int | None) -> None:
    assert read_retry_after(value, NOW) == expected


@given(st.integers(-(10**8), 10**9))
def test_a_date_in_retry_after_counts_from_now_and_never_back(seconds: int) -> None:
    date = format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)

    assert read_retry_after(date, NOW) == max(0, seconds)


@given(
    st.text(max_size=40)
    | st.builds("Sun, {} {} {} {}:00:00 {}".format, *[st.text("0123456789-+:MarGT", max_size=5)] * 5)
)
@example("1 Jan 0001 00:00:00 +2359")
@example("31 Dec 9999 23:59:59 -2359")
@example("1 Jan 2026 00:00:00 +9999")
@example("Sun, 01 Jan 99999999999999999999 00:00:00 GMT")
@example("Sun, 99999999999999999999 Jan 2026 00:00:00 GMT")
@example("Sun, 01 Jan 2026 99999999999999999999:00:00 GMT")
@example("Sun, 01 Jan 2026 00:00:00 +99999999999999999999")
@example("Sun, 01 Jan 2026 00:00:00 " + "9" * 5000)
def test_any_retry_after_is_a_count_of_seconds_or_nothing(value: str) -> None:
    seconds = read_retry_after(value, NOW)

    assert seconds is None or (type(seconds) is int and seconds >= 0)


@given(st.text(), st.integers(1, 20))
def test_a_text_from_outside_is_cut_to_its_limit_and_says_so(text: str, limit: int) -> None:
    cut = bounded(text, limit)

    assert len(cut) <= limit
    assert cut == text or (cut[-1] == "…" and text.startswith(cut[:-1]) and len(text) > limit)


def test_a_text_from_outside_may_be_as_long_as_a_message() -> None:
    assert bounded("x" * MAX_TEXT_CHARS) == "x" * MAX_TEXT_CHARS
    assert bounded("x" * 500_000) == "x" * (MAX_TEXT_CHARS - 1) + "…"


@given(json_values, st.booleans())
@example({"id": 1.0, "n": -0.0, "big": 10**399, "pair": "\U0001f600", "unpaired?": "\\ud800"}, True)
def test_json_reads_as_the_standard_library_reads_it(value: object, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)

    assert same(read_json(text.encode()), json.loads(text))


@given(any_bytes)
@example(b"")
@example(b"\xef\xbb\xbf{}")
@example('{"a": 1}'.encode("utf-16"))
@example(b'{"a": 1} x')
@example(b"'a'")
@example(b"[1,]")
@example(b"01")
@example(b'"\t"')
@example(b'"\\x"')
@example(b"\xff")
@example(b'"\\ud800"')
@example(b"\x00")
def test_any_bytes_read_as_the_standard_library_reads_them_or_are_refused(text: bytes) -> None:
    try:
        value = read_json(text)
    except ValueError as error:
        assert type(error) is ValueError or isinstance(error, json.JSONDecodeError)
    else:
        assert same(value, json.loads(text.decode()))


@given(json_values, json_values, json_texts)
def test_a_member_named_twice_is_refused_wherever_it_is(first: object, second: object, name: str) -> None:
    member = json.dumps(name)
    twice = f"{{{member}: {json.dumps(first)}, {member}: {json.dumps(second)}}}"

    for text in (twice, f"[0, {twice}]", f'{{"outer": {twice}}}'):
        with pytest.raises(ValueError, match=r"^an object names a member twice$"):
            read_json(text.encode())


def test_a_member_named_twice_in_two_spellings_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^an object names a member twice$"):
        read_json(rb'{"dry_run": true, "dry\u005frun": false}')


@pytest.mark.parametrize("text", [b"\xef\xbb\xbf{}", b"\xef\xbb\xbf"])
def test_a_byte_order_mark_is_called_by_its_name(text: bytes) -> None:
    """RFC 8259 §8.1 forbids to send one; some editors on Windows add it."""
    with pytest.raises(ValueError, match=r"^it begins with a byte order mark \(BOM\)$"):
        read_json(text)


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("form", ["{}", "[{}]", '{{"a": {}}}'])
def test_what_is_no_number_in_json_is_refused(constant: str, form: str) -> None:
    with pytest.raises(ValueError, match=r"^NaN and Infinity are not JSON$"):
        read_json(form.format(constant).encode())


@pytest.mark.parametrize(
    "text",
    [  # RFC 7493 §2.1; RFC 8259 §8.2
        rb'"\ud800"',
        rb'"\udfff"',
        rb'"\udc00\ud800"',
        rb'"\ud800\u0041"',
        rb'{"\ud800": 1}',
        rb'[["x", {"a": "\udc00"}]]',
    ],
)
def test_half_of_a_surrogate_pair_is_refused_wherever_it_is(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"^half of a surrogate pair in a string$"):
        read_json(text)


def test_a_whole_surrogate_pair_is_one_character() -> None:
    assert read_json(rb'"\ud83d\ude00"') == "\U0001f600"


@given(st.integers(1, 9), st.sampled_from(["0,", "[],", '{"":0},', '",:[{",', '"\\u00e9:",']))
def test_json_that_holds_too_much_is_refused_unread(size: int, unit: str) -> None:
    """Commas, colons and opening brackets are counted wherever they stand: no value is without one."""
    each = len(re.findall("[,:[{]", unit))
    most = (MAX_SEPARATORS - 1) // each
    large, larger = (f"[{unit * (most - size)}{unit * more}0]" for more in (size, size + each))

    assert read_json(large.encode()) == json.loads(large)
    with pytest.raises(ValueError, match=r"^it holds too much: more than \d+ commas, colons and brackets$"):
        read_json(larger.encode())


def test_the_longest_page_of_the_api_is_read_with_room_to_spare() -> None:
    """https://support.huaweicloud.com/intl/en-us/api-taurusdb/: at most 100 backups, each with all its members."""
    backup = {
        "id": "1fe4feaab48f11e6654hfa163eba87e4b66",
        "name": "x" * 64,
        "begin_time": "2026-03-01T12:00:00+0800",
        "end_time": "2026-03-01T12:10:00+0800",
        "status": "COMPLETED",
        "type": "manual",
        "size": 100_000,
        "datastore": {"type": "gaussdb-mysql", "version": "8.0"},
        "instance_id": "6ab7e0f13c5d4e2f8a90b1c2d3e4f506in07",
        "description": "a, b: c; " * 28,
        **{f"another_member_{number}": "x" for number in range(15)},
    }

    page = json.dumps({"backups": [backup] * 100, "total_count": 1000}).encode()

    assert read_json(page) == json.loads(page)
    assert sum(map(page.count, (b",", b":", b"[", b"{"))) < 0.7 * MAX_SEPARATORS


def test_large_texts_are_read_by_many_threads() -> None:
    """One after the other: a refusal of one must not stop those that wait."""
    good, bad = b'["' + b"x" * LARGE_BYTES + b'"]', b'["' + b"x" * LARGE_BYTES

    def read(text: bytes) -> object:
        try:
            return read_json(text)
        except ValueError as error:
            return error

    with ThreadPoolExecutor(8) as pool:
        values = list(pool.map(read, [good, bad] * 20))

    assert values[::2] == [json.loads(good)] * 20
    assert all(isinstance(value, ValueError) for value in values[1::2])


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}"), (b'[{"\\u0061":', b"}]")])
@pytest.mark.parametrize("depth", [1_100, 6_000])
def test_deep_nesting_is_refused(opening: bytes, closing: bytes, depth: int) -> None:
    with pytest.raises(ValueError, match=r"^nested too deeply$"):
        read_json(opening * depth + b"1" + closing * depth)


@pytest.mark.parametrize("brackets", [("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")])
def test_a_hundred_levels_are_read_and_no_more(brackets: tuple[str, str]) -> None:
    opening, closing = brackets
    levels = opening.count("[") + opening.count("{")
    most = MAX_DEPTH // levels

    assert read_json((opening * most + "1" + closing * most).encode()) == json.loads(
        opening * most + "1" + closing * most
    )
    with pytest.raises(ValueError, match=r"^nested too deeply$"):
        read_json(("[" + opening * most + "1" + closing * most + "]").encode())


@given(st.integers(1, 1100), st.sampled_from([("[", "]"), ('{"\\u0061":', "}")]))
def test_nesting_at_the_limit_of_the_stack_is_read_or_refused(depth: int, brackets: tuple[str, str]) -> None:
    """An escape makes for a second walk over what was read, and that may be the one to run out of stack."""
    opening, closing = brackets
    try:
        read_json((opening * depth + "1" + closing * depth).encode())
    except ValueError as error:
        assert str(error) == "nested too deeply"


@pytest.mark.parametrize(
    ("digits", "value"),
    [
        ("9" * MAX_NUMBER_CHARS, int("9" * MAX_NUMBER_CHARS)),
        ("-" + "9" * (MAX_NUMBER_CHARS - 1), -int("9" * (MAX_NUMBER_CHARS - 1))),
        ("0." + "0" * (MAX_NUMBER_CHARS - 3) + "1", 0.0),
        ("1.7976931348623157e308", 1.7976931348623157e308),
        ("-0", 0),
        ("-0.0", -0.0),
    ],
    ids=lambda value: str(value)[:6],
)
def test_a_number_that_a_double_can_hold_is_read(digits: str, value: float) -> None:
    assert same(read_json(digits.encode()), value)


@pytest.mark.parametrize(
    "digits",
    [
        "9" * (MAX_NUMBER_CHARS + 1),
        "9" * 5000,
        "-" + "9" * MAX_NUMBER_CHARS,
        "0." + "0" * MAX_NUMBER_CHARS,
        "1e309",
        "-1e309",
        "1e" + "9" * 300,
    ],
    ids=lambda digits: f"{digits[:5]}, {len(digits)} characters",
)
def test_a_number_that_is_too_long_or_too_large_is_refused(digits: str) -> None:
    with pytest.raises(ValueError, match=r"^a number is too long or too large$"):
        read_json(b"[" + digits.encode() + b"]")


def test_bytes_that_are_no_utf_8_are_refused_with_their_place() -> None:
    with pytest.raises(ValueError, match=r"^not UTF-8: byte 3 is wrong$"):
        read_json(b'"ab\xff"')


@given(secrets(), st.sampled_from(['{{"{}"', '"{}', '"{}\\x"', '"{}\t"', '["{}" "{}"]', '"{}\\ud800"', "[{}]"]))
def test_a_refusal_never_shows_what_was_read(secret: str, form: str) -> None:
    text = form.replace("{{", "{").replace("{}", secret)

    with pytest.raises(ValueError, match=r".") as refusal:
        read_json(text.encode())

    assert secret not in str(refusal.value)
