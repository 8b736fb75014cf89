"""How answers are read from the wire; h11 is the independent judge. § are sections of RFC 9112."""

import gzip
import io
import tracemalloc
import zlib
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

import h11
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from function.exchange import Answer
from function.http1 import (
    MAX_BODY_BYTES,
    MAX_FIELDS,
    MAX_HEAD_BYTES,
    MAX_LINE_BYTES,
    NoAnswerError,
    read_answer,
    write_head,
)

OK: Final = b"HTTP/1.1 200 OK\r\n"
CHUNKED: Final = b"Transfer-Encoding: chunked\r\n\r\n"
BEHIND: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"


def read(wire: bytes) -> tuple[Answer, bool, bytes]:
    """The answer, whether another can follow, and what was left on the wire."""
    stream = io.BytesIO(wire)
    answer, follows = read_answer(stream)
    return answer, follows, stream.read()


EMPTY: Final = b"Content-Length: 0\r\n\r\n"
NO_LENGTH: Final = {"content-length": "0"}
IN_CHUNKS: Final = {"transfer-encoding": "chunked"}

PACKED: Final = {"content-encoding": "gzip"}


def packed(body: bytes, coding: str = "gzip", cut: int | None = None) -> bytes:
    """An answer with its body in gzip; only a part of it, if wanted."""
    content = gzip.compress(body)[:cut]
    return OK + b"Content-Encoding: %b\r\nContent-Length: %d\r\n\r\n%b" % (coding.encode(), len(content), content)


# What comes, and the status, headers and body in it; whether another answer can follow.
ANSWERS: Final[Mapping[str, tuple[bytes, Answer, bool]]] = {
    "with a length": (OK + b"Content-Length: 2\r\n\r\n{}", Answer(200, {"content-length": "2"}, b"{}"), True),
    "empty": (OK + EMPTY, Answer(200, NO_LENGTH, b""), True),
    # §6.3: a list of one and the same number
    "one length, listed": (
        OK + b"Content-Length: 2, 2\r\n\r\n{}",
        Answer(200, {"content-length": "2, 2"}, b"{}"),
        True,
    ),
    "one length, twice": (
        OK + b"Content-Length: 2\r\nContent-Length:2\r\n\r\n{}",
        Answer(200, {"content-length": "2, 2"}, b"{}"),
        True,
    ),
    # §4: the reason may be empty, and its space missing; §2.3: any minor version
    "without reason": (b"HTTP/1.1 404 \r\n" + EMPTY, Answer(404, NO_LENGTH, b""), True),
    "without its space": (b"HTTP/1.1 999\r\n" + EMPTY, Answer(999, NO_LENGTH, b""), True),
    "of a later version": (b"HTTP/1.2 200 OK\r\n" + EMPTY, Answer(200, NO_LENGTH, b""), True),
    # §9.3, §9.6
    "of the version before": (
        b"HTTP/1.0 200 OK\r\n" + EMPTY,
        Answer(200, {"connection": "close", **NO_LENGTH}, b""),
        False,
    ),
    "the last one": (
        OK + b"Connection: te, Close\r\n" + EMPTY,
        Answer(200, {"connection": "te, Close", **NO_LENGTH}, b""),
        False,
    ),
    # §6.3, the first rule: these have no body, whatever their fields say
    "no content": (b"HTTP/1.1 204 No\r\nContent-Length: 2\r\n\r\n", Answer(204, {"content-length": "2"}, b""), True),
    "not modified": (b"HTTP/1.1 304 No\r\n" + CHUNKED, Answer(304, IN_CHUNKS, b""), True),
    # RFC 9110 §15.2
    "behind informational ones": (
        b"HTTP/1.1 100 Go on\r\n\r\nHTTP/1.1 103 Hint\r\nA: 1\r\n\r\n" + OK + EMPTY,
        Answer(200, NO_LENGTH, b""),
        True,
    ),
    # §5: white space around a value, of two kinds; the same name again; §5.2: a line that goes on; Latin-1
    "with headers": (
        OK + b"A:\t 1\xa0 \t\r\na: 2\r\nX-B: \xa0Xx\r\n\ty\r\n  z: \xe4\xa0\r\n" + EMPTY,
        Answer(200, {"a": "1\xa0, 2", "x-b": "\xa0Xx y z: \xe4\xa0", **NO_LENGTH}, b""),
        True,
    ),
    # RFC 9110 §5.5: but for CR, LF and NUL, control characters may stay; any name is a token
    "with control characters": (
        OK + b"A: \x01\x7f\r\n" + EMPTY,
        Answer(200, {"a": "\x01\x7f", **NO_LENGTH}, b""),
        True,
    ),
    "with a name of all kinds of characters": (
        OK + b"!#$%&'*+-.^_`|~09azAZ:1\r\n" + EMPTY,
        Answer(200, {"!#$%&'*+-.^_`|~09azaz": "1", **NO_LENGTH}, b""),
        True,
    ),
    "with an empty field": (OK + b"A:\r\nB: \r\n" + EMPTY, Answer(200, {"a": "", "b": "", **NO_LENGTH}, b""), True),
    # §2.2: a line feed alone may end a line
    "of line feeds": (b"HTTP/1.1 200 OK\nContent-Length: 0\n\n", Answer(200, NO_LENGTH, b""), True),
    "of chunks and line feeds": (OK + CHUNKED + b"0\n\n", Answer(200, IN_CHUNKS, b""), True),
    # §7.1: chunks, their extensions, and trailers; §6.3: they win over a length
    "in chunks, said twice": (
        OK + b"Transfer-Encoding: chunked\r\n" + CHUNKED + b"0\r\n\r\n",
        Answer(200, {"transfer-encoding": "chunked, chunked"}, b""),
        True,
    ),
    "in chunks, said on a line that goes on": (
        OK + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
        Answer(200, IN_CHUNKS, b""),
        True,
    ),
    # RFC 9110 §8.4; 204 and 304 have no body to unpack
    "packed": (packed(b"{}"), Answer(200, PACKED | {"content-length": "22"}, b"{}"), True),
    "packed by deflate": (
        OK + b"Content-Encoding: Deflate\r\nContent-Length: 10\r\n\r\n" + zlib.compress(b"{}"),
        Answer(200, {"content-encoding": "Deflate", "content-length": "10"}, b"{}"),
        True,
    ),
    "packed by the other name": (
        packed(b"{}", "X-Gzip"),
        Answer(200, {"content-encoding": "X-Gzip", "content-length": "22"}, b"{}"),
        True,
    ),
    "packed and empty": (OK + b"Content-Encoding: gzip\r\n" + EMPTY, Answer(200, PACKED | NO_LENGTH, b""), True),
    "packed by nobody": (
        OK + b"Content-Encoding: identity\r\nContent-Length: 2\r\n\r\n{}",
        Answer(200, {"content-encoding": "identity", "content-length": "2"}, b"{}"),
        True,
    ),
    "no content, packed": (
        b"HTTP/1.1 204 No\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\n",
        Answer(204, PACKED | {"content-length": "5"}, b""),
        True,
    ),
    "in a chunk of sixteen": (
        OK + CHUNKED + b"10\r\n" + b"x" * 16 + b"\r\n0\r\n\r\n",
        Answer(200, IN_CHUNKS, b"x" * 16),
        True,
    ),
    "in chunks": (OK + CHUNKED + b"1;a=b\r\n{\r\n001 \r\n}\r\n0\r\nA: 1\r\n\r\n", Answer(200, IN_CHUNKS, b"{}"), True),
    "in chunks with a length": (
        OK + b"Content-Length: 1\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        Answer(200, {"content-length": "1", "transfer-encoding": "Chunked"}, b"{}"),
        True,
    ),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_is_read_and_what_is_behind_it_is_not(name: str) -> None:
    wire, answer, follows = ANSWERS[name]

    assert read(wire + BEHIND) == (answer, follows, BEHIND)


def test_a_body_without_length_goes_to_the_end() -> None:
    assert read(OK + b"\r\n{}") == (Answer(200, {}, b"{}"), False, b"")


@pytest.mark.parametrize("head", [b"Content-Length: 5\r\n\r\n", CHUNKED, b"\r\n"])
def test_an_answer_to_a_head_has_no_body(head: bytes) -> None:
    stream = io.BytesIO(OK + head + BEHIND)

    answer, follows = read_answer(stream, to_head=True)

    assert (answer.body, follows, stream.read()) == (b"", True, BEHIND)


def test_chunks_are_complete_with_the_last() -> None:
    """§8; whoever ends there sends nothing more that counts."""
    assert read(OK + CHUNKED + b"2\r\n{}\r\n0\r\n")[0].body == b"{}"


NO_ANSWERS: Final[Mapping[str, tuple[str, bytes]]] = {
    "nothing": ("it ends early", b""),
    "no head": ("it ends early", b"{}"),
    "an empty line before": ("no status line", b"\r\n" + OK + EMPTY),
    "a status too great": ("no status line", b"HTTP/1.1 2000 OK\r\n" + EMPTY),
    "a status too small": ("no status line", b"HTTP/1.1 099 OK\r\n" + EMPTY),
    "a status too short": ("no status line", b"HTTP/1.1 20\r\n" + EMPTY),
    "no space behind the status": ("no status line", b"HTTP/1.1 200OK\r\n" + EMPTY),
    "another major version": ("no status line", b"HTTP/2 200 OK\r\n" + EMPTY),
    "a version without dot": ("no status line", b"HTTP/11 200 OK\r\n" + EMPTY),
    "something before": ("no status line", b"xHTTP/1.1 200 OK\r\n" + EMPTY),
    # RFC 9110 §15.2.2: what follows is another protocol
    "switching protocols": ("another protocol", b"HTTP/1.1 101 Switching\r\n\r\n" + BEHIND),
    "an informational one alone": ("it ends early", b"HTTP/1.1 100 Go on\r\n\r\n"),
    # §2.2: no carriage return but at the end of a line
    "a carriage return within": ("a carriage return within a line", OK + b"A: 1\rB: 2\r\n" + EMPTY),
    "two carriage returns": ("a carriage return within a line", OK + b"A: 1\r\r\n" + EMPTY),
    # §5: a name, a colon right behind it; §2.2: nothing goes on before the first field
    "a field without a colon": ("a malformed field", OK + b"What is this\r\n" + EMPTY),
    "a space before the colon": ("a malformed field", OK + b"A : 1\r\n" + EMPTY),
    "a field without a name": ("a malformed field", OK + b": 1\r\n" + EMPTY),
    "a name that is no token": ("a malformed field", OK + b"A(b): 1\r\n" + EMPTY),
    "a name beyond ASCII": ("a malformed field", OK + b"\xc4: 1\r\n" + EMPTY),
    "a field that goes on from nothing": ("a malformed field", OK + b" a\r\n" + EMPTY),
    "a field that goes on from nothing, of the version before": (
        "a malformed field",
        b"HTTP/1.0 200 OK\r\n a\r\n" + EMPTY,
    ),
    # RFC 9110 §5.5
    "NUL in a field": ("a malformed field", OK + b"A: 1\x002\r\n" + EMPTY),
    "NUL in a field that goes on": ("a malformed field", OK + b"A: 1\r\n \x00\r\n" + EMPTY),
    "too many fields": ("too many fields", OK + b"A: 1\r\n" * MAX_FIELDS + EMPTY),
    "a head too large": (
        "too large",
        OK + b"A: %b\r\n" % (b"x" * (MAX_HEAD_BYTES // 2)) + b"B: %b\r\n" % (b"x" * (MAX_HEAD_BYTES // 2)) + EMPTY,
    ),
    # §6.3
    "two lengths, listed": ("a malformed length", OK + b"Content-Length: 2, 3\r\n\r\n{}"),
    "two lengths": ("a malformed length", OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}"),
    "a length with plus": ("a malformed length", OK + b"Content-Length: +2\r\n\r\n{}"),
    "a length below zero": ("a malformed length", OK + b"Content-Length: -2\r\n\r\n{}"),
    "a length with a space": ("a malformed length", OK + b"Content-Length: 2 2\r\n\r\n{}"),
    "a length behind a space of another kind": ("a malformed length", OK + b"Content-Length: 2,\xa02\r\n\r\n{}"),
    "a length that goes on": ("a malformed length", OK + b"Content-Length: 2\r\n 2\r\n\r\n{}"),
    "an empty length": ("a malformed length", OK + b"Content-Length: \r\n\r\n{}"),
    "a length in other digits": ("a malformed length", OK + b"Content-Length: \xb2\r\n\r\n{}"),
    "a length of ten digits": ("a malformed length", OK + b"Content-Length: 0000000002\r\n\r\n{}"),
    "no length beside chunks": ("a malformed length", OK + b"Content-Length: x\r\n" + CHUNKED + b"0\r\n\r\n"),
    # §7.1
    "no chunks": ("it ends early", OK + CHUNKED + b"{}"),
    "a chunk's line too long": ("too large", OK + CHUNKED + b"1;%b\r\n" % (b"x" * MAX_LINE_BYTES)),
    "a chunk that ends early": ("it ends early", OK + CHUNKED + b"3\r\n{}"),
    "a chunk's size with 0x": ("a malformed chunk", OK + CHUNKED + b"0x2\r\n{}\r\n0\r\n\r\n"),
    "a chunk's size with plus": ("a malformed chunk", OK + CHUNKED + b"+2\r\n{}\r\n0\r\n\r\n"),
    "a chunk's size below zero": ("a malformed chunk", OK + CHUNKED + b"-2\r\n{}\r\n0\r\n\r\n"),
    "a chunk's size behind a space": ("a malformed chunk", OK + CHUNKED + b" 2\r\n{}\r\n0\r\n\r\n"),
    "no size of a chunk": ("a malformed chunk", OK + CHUNKED + b"\r\n{}\r\n0\r\n\r\n"),
    "a chunk longer than its size": ("a chunk is not as long as its size", OK + CHUNKED + b"1\r\n{}\r\n0\r\n\r\n"),
    "a chunk shorter than its size": ("a chunk is not as long as its size", OK + CHUNKED + b"3\r\n{}\r\n0\r\n\r\n"),
    "a chunk's size of nine digits": ("a malformed chunk", OK + CHUNKED + b"000000002\r\n{}\r\n0\r\n\r\n"),
    "a body that ends early": ("it ends early", OK + b"Content-Length: 3\r\n\r\n{}"),
    "another transfer coding": (
        "a transfer coding other than chunked",
        OK + b"Transfer-Encoding: gzip, chunked\r\nContent-Length: 2\r\n\r\n{}",
    ),
    "a transfer coding behind a space of another kind": (
        "a transfer coding other than chunked",
        OK + b"Transfer-Encoding: \xa0chunked\r\n\r\n0\r\n\r\n",
    ),
    "a line that ends with the connection": ("it ends early", OK + b"Content-Length: 0\r\n\r"),
    # RFC 9110 §8.4: of codings within codings, a few bytes take hours
    "gzip in gzip": ("an unknown content coding", packed(gzip.compress(b"{}"), "gzip, gzip")),
    "a coding of no name": ("an unknown content coding", packed(b"{}", "rot13")),
    "no gzip": ("not of its content coding", OK + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}"),
    "gzip that ends early": ("it ends early", packed(b"{}", cut=-1)),
    "gzip and more": ("it ends early", OK + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b"{}") * 2),
    "gzip that grows": ("too large", packed(bytes(MAX_BODY_BYTES + 1))),
    # Too large: by its own word, and when it has come
    "a length too large": ("too large", OK + b"Content-Length: %d\r\n\r\n" % (MAX_BODY_BYTES + 1)),
    "a chunk too large": ("too large", OK + CHUNKED + b"%x\r\n" % (MAX_BODY_BYTES + 1)),
    "a chunk as large as can be": ("too large", OK + CHUNKED + b"ffffffff\r\n"),
    "chunks too large": (
        "too large",
        OK + CHUNKED + (b"%x\r\n" % MAX_BODY_BYTES + bytes(MAX_BODY_BYTES) + b"\r\n1\r\nx\r\n0\r\n\r\n"),
    ),
    "a body too large": ("too large", OK + b"\r\n" + bytes(MAX_BODY_BYTES + 1)),
}


@pytest.mark.parametrize("name", NO_ANSWERS)
def test_what_is_no_answer_is_none(name: str) -> None:
    why, wire = NO_ANSWERS[name]

    with pytest.raises(NoAnswerError, match=f"^{why}$"):
        read(wire)


@pytest.mark.parametrize("length", ["Content-Length: %d\r\n", ""], ids=["with its length", "to the end"])
def test_the_largest_body_is_read(length: str) -> None:
    head = (length and length % MAX_BODY_BYTES).encode() + b"\r\n"

    assert len(read(OK + head + bytes(MAX_BODY_BYTES))[0].body) == MAX_BODY_BYTES


@pytest.mark.parametrize("body", [b"x" * (MAX_BODY_BYTES - 1), bytes(MAX_BODY_BYTES)], ids=["nearly", "quite"])
def test_the_largest_body_is_unpacked(body: bytes) -> None:
    assert read(packed(body))[0].body == body


def test_the_largest_head_and_the_longest_line_of_a_chunk_are_read() -> None:
    field = b"x" * (MAX_HEAD_BYTES - len(OK + b"A: \r\n" + CHUNKED))
    wire = OK + b"A: %b\r\n" % field + CHUNKED

    answer = read(wire + b"0;%b\r\n\r\n" % (b"x" * (MAX_LINE_BYTES - 4)) + BEHIND)

    assert (answer[0].headers["a"], answer[2]) == (field.decode(), BEHIND)
    with pytest.raises(NoAnswerError, match=r"^too large$"):
        read(b"HTTP/1.1 200 OKx\r\n" + wire.removeprefix(OK) + b"0\r\n\r\n")
    with pytest.raises(NoAnswerError, match=r"^too large$"):
        read(OK + CHUNKED + b"0;%b\r\n\r\n" % (b"x" * (MAX_LINE_BYTES - 3)))


MUCH: Final = 1 << 21  # twice what a connection lets through


LARGE: Final[Mapping[str, bytes]] = {
    "chunks": OK + CHUNKED + b"2\r\nxy\r\n" * (MUCH // 80) + b"0\r\n\r\n",
    "a chunk's line": OK + CHUNKED + b"1;%b\r\n" % (b"x" * MUCH),
    "a trailer": OK + CHUNKED + b"0\r\nA: %b\r\n\r\n" % (b"x" * MUCH),
    "a field": OK + b"A: %b\r\n" % (b"x" * MUCH) + EMPTY,
    "a status line": b"HTTP/1.1 200 %b\r\n" % (b"x" * MUCH) + EMPTY,
    "fields": OK + (b"A: %b\r\n" % (b"x" * 20000)) * 60 + EMPTY,
    "a folded field": OK + b"A: 1\r\n" + (b" %b\r\n" % (b"x" * 20000)) * 60 + EMPTY,
    "informational ones": b"HTTP/1.1 100 Go on\r\n\r\n" * (MUCH // 400) + OK + EMPTY,
    "a body": OK + b"\r\n" + b"x" * MUCH,
    "a packed body": packed(bytes(1 << 24)),
}


@pytest.mark.parametrize("name", LARGE)
def test_an_answer_takes_little_more_memory_than_its_body_may(name: str) -> None:
    """For there can be one for each thread."""
    stream = io.BytesIO(LARGE[name])
    tracemalloc.start()
    try:
        with suppress(NoAnswerError):
            read_answer(stream)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 2 * MAX_BODY_BYTES + (1 << 17)


def test_a_head_is_written_as_it_is() -> None:
    head = write_head("DELETE", "/v3/p?a=b", {"Host": "api.example", "X-B": "\t\xe4 ~"})

    assert head == b"DELETE /v3/p?a=b HTTP/1.1\r\nHost: api.example\r\nX-B: \t\xe4 ~\r\n\r\n"
    assert write_head("GET", "/", {}) == b"GET / HTTP/1.1\r\n\r\n"


@pytest.mark.parametrize("text", ["5ecret\n", "5\recret", "5\0ecret", "5\x7fecret", "5\u20acecret"])
def test_what_would_end_a_line_is_not_written_and_not_shown(text: str) -> None:
    for parts in ((text, "/", {}), ("GET", text, {}), ("GET", "/", {"A": text}), ("GET", "/", {text: "1"})):
        with pytest.raises(ValueError, match=r"^the request holds a character that HTTP cannot carry$"):
            write_head(*parts)


def test_a_hundred_fields_are_read() -> None:
    assert read(OK + b"A: 1\r\n" * (MAX_FIELDS - 1) + EMPTY)[0].headers["content-length"] == "0"


# What h11 can write: RFC 9110 §5.6.2 for names, §5.5 for values.
names = st.text("!#$%&'*+-.^_`|~09azAZ", min_size=1, max_size=8)
values = st.text(st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_characters="\x7f\x85\xa0"), max_size=8)
fields = st.lists(st.tuples(names, values), max_size=5)
bodies = st.lists(st.binary(min_size=1, max_size=20), max_size=4)


@st.composite
def wires(draw: st.DrawFn) -> bytes:
    """A well-formed answer as h11 writes it, in chunks or with a length."""
    pieces = draw(bodies)
    length = str(sum(map(len, pieces)))
    framing = draw(st.sampled_from([("Transfer-Encoding", "chunked"), ("Content-Length", length)]))
    status = draw(st.integers(200, 599).filter(lambda status: status not in (204, 304)))
    server = h11.Connection(h11.SERVER)
    server.receive_data(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    server.next_event()
    server.next_event()
    headers = [(name.encode(), value.encode("latin-1")) for name, value in draw(fields)]
    head = h11.Response(status_code=status, headers=[*headers, (framing[0].encode(), framing[1].encode())])
    events = [head, *(h11.Data(data=piece) for piece in pieces), h11.EndOfMessage()]
    return b"".join(server.send(event) or b"" for event in events)


def judged(wire: bytes) -> Answer:
    """What h11 reads in an answer.

    Raises:
        h11.RemoteProtocolError: it reads none.
    """
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="GET", target="/", headers=[("Host", "x")]))
    client.send(h11.EndOfMessage())
    client.receive_data(wire)
    head = client.next_event()
    assert isinstance(head, h11.Response)
    body = b""
    while isinstance(event := client.next_event(), h11.Data):
        body += event.data
    assert isinstance(event, h11.EndOfMessage)
    headers: dict[str, str] = {}
    for name, value in head.headers:
        known, text = name.decode(), value.decode("latin-1")
        headers[known] = f"{headers[known]}, {text}" if known in headers else text
    return Answer(head.status_code, headers, body)


@given(wires())
def test_an_answer_is_what_h11_reads_in_it(wire: bytes) -> None:
    answer, follows, behind = read(wire + BEHIND)

    assert answer == judged(wire)
    assert (follows, behind) == (True, BEHIND)


parts = st.tuples(
    st.text("aA-( \xe4", max_size=2), st.sampled_from([":", " :", ""]), st.text("b:\0\x01 \xe4", max_size=3)
)
lines = parts.map("".join).filter(bool).map(lambda line: line.encode("latin-1"))


@given(st.lists(lines, max_size=3))
@example([b"What is this"])
@example([b"A : 1"])
@example([b": 1"])
@example([b" 1"])
@example([b"A: 1", b" 2"])
@example([b"A: \0"])
def test_a_field_is_refused_where_h11_refuses_it(lines: list[bytes]) -> None:
    """And nowhere else, but for vertical tabs and form feeds, which RFC 9110 §5.5 lets us keep."""
    wire = OK + b"".join(line + b"\r\n" for line in lines) + EMPTY
    try:
        expected: Answer | None = judged(wire)
    except h11.RemoteProtocolError:
        expected = None

    try:
        answer: Answer | None = read(wire)[0]
    except NoAnswerError:
        answer = None
    assert (answer and folded(answer)) == (expected and folded(expected))


def folded(answer: Answer) -> dict[str, str]:
    """The fields, with any white space taken for one blank: how much a folded one has is the reader's choice."""
    return {name: " ".join(value.split()) for name, value in answer.headers.items()}


@given(wires(), st.data())
def test_an_answer_that_ends_early_is_none(wire: bytes, data: st.DataObject) -> None:
    in_chunks = wire.partition(b"\r\n\r\n")[0].lower().endswith(b"transfer-encoding: chunked")
    last = wire.rfind(b"0\r\n\r\n") + 2 if in_chunks else len(wire) - 1  # §8: with its line it is complete
    cut = data.draw(st.integers(0, last))

    with pytest.raises(NoAnswerError):
        read(wire[:cut])


@given(wires(), st.integers(0), st.binary(max_size=3))
@example(OK + CHUNKED, 0, b"")
def test_whatever_comes_is_an_answer_or_none(wire: bytes, place: int, noise: bytes) -> None:
    place %= len(wire)
    try:
        read(wire[:place] + noise + wire[place + len(noise) :])
    except NoAnswerError as error:
        assert str(error)
