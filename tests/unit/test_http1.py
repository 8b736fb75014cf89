"""How answers are read from the wire; h11 is the independent judge. § are sections of RFC 9112."""

import io
from typing import Final

import h11
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from function.exchange import Answer
from function.http1 import MAX_BODY_BYTES, MAX_FIELDS, NoAnswerError, read_answer

OK: Final = b"HTTP/1.1 200 OK\r\n"
CHUNKED: Final = b"Transfer-Encoding: chunked\r\n\r\n"
BEHIND: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"


def read(wire: bytes) -> tuple[Answer, bool, bytes]:
    """The answer, whether another can follow, and what was left on the wire."""
    stream = io.BytesIO(wire)
    answer, follows = read_answer(stream)
    return answer, follows, stream.read()


@pytest.mark.parametrize(
    ("wire", "status", "headers", "body", "follows"),
    [
        (OK + b"Content-Length: 2\r\n\r\n{}", 200, {"content-length": "2"}, b"{}", True),
        (OK + b"Content-Length: 0\r\n\r\n", 200, {"content-length": "0"}, b"", True),
        # §6.3: a list of one and the same number
        (OK + b"Content-Length: 2, 2\r\n\r\n{}", 200, {"content-length": "2, 2"}, b"{}", True),
        (OK + b"Content-Length: 2\r\nContent-Length:2\r\n\r\n{}", 200, {"content-length": "2, 2"}, b"{}", True),
        # §4: the reason may be empty, and its space missing; §2.3: any minor version
        (b"HTTP/1.1 404 \r\nContent-Length: 0\r\n\r\n", 404, {"content-length": "0"}, b"", True),
        (b"HTTP/1.1 999\r\nContent-Length: 0\r\n\r\n", 999, {"content-length": "0"}, b"", True),
        (b"HTTP/1.2 200 OK\r\nContent-Length: 0\r\n\r\n", 200, {"content-length": "0"}, b"", True),
        # §9.3, §9.6
        (
            b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
            200,
            {"connection": "close", "content-length": "0"},
            b"",
            False,
        ),
        (
            OK + b"Content-Length: 0\r\nConnection: te, Close\r\n\r\n",
            200,
            {"content-length": "0", "connection": "te, Close"},
            b"",
            False,
        ),
        # §6.3, the first rule: these have no body, whatever their fields say
        (b"HTTP/1.1 204 No\r\nContent-Length: 2\r\n\r\n", 204, {"content-length": "2"}, b"", True),
        (b"HTTP/1.1 304 No\r\n" + CHUNKED, 304, {"transfer-encoding": "chunked"}, b"", True),
        # RFC 9110 §15.2
        (
            b"HTTP/1.1 100 Go on\r\n\r\nHTTP/1.1 103 Hint\r\nA: 1\r\n\r\n" + OK + b"Content-Length: 0\r\n\r\n",
            200,
            {"content-length": "0"},
            b"",
            True,
        ),
        # §5: white space around a value; the same name again; §5.2: a line that goes on; Latin-1
        (
            OK + b"A:\t 1 \t\r\na: 2\r\nB: x\r\n\ty\r\n  z: \xe4\r\nContent-Length: 0\r\n\r\n",
            200,
            {"a": "1, 2", "b": "x y z: \xe4", "content-length": "0"},
            b"",
            True,
        ),
        (OK + b" a\r\nContent-Length: 0\r\n\r\n", 200, {"": " a", "content-length": "0"}, b"", True),
        # §2.2: a line feed alone may end a line
        (b"HTTP/1.1 200 OK\nContent-Length: 2\n\n{}", 200, {"content-length": "2"}, b"{}", True),
        # §7.1: chunks, their extensions, and trailers; §6.3: they win over a length
        (
            OK + CHUNKED + b"1;a=b\r\n{\r\n001 \r\n}\r\n0\r\nA: 1\r\n\r\n",
            200,
            {"transfer-encoding": "chunked"},
            b"{}",
            True,
        ),
        (
            OK + b"Content-Length: 1\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
            200,
            {"content-length": "1", "transfer-encoding": "Chunked"},
            b"{}",
            True,
        ),
    ],
)
def test_an_answer_is_read_and_what_is_behind_it_is_not(
    wire: bytes, status: int, headers: dict[str, str], body: bytes, follows: bool
) -> None:
    assert read(wire + BEHIND) == (Answer(status, headers, body), follows, BEHIND)


def test_a_body_without_length_goes_to_the_end() -> None:
    assert read(OK + b"\r\n{}") == (Answer(200, {}, b"{}"), False, b"")


def test_chunks_are_complete_with_the_last() -> None:
    """§8; whoever ends there sends nothing more that counts."""
    assert read(OK + CHUNKED + b"2\r\n{}\r\n0\r\n")[0].body == b"{}"


@pytest.mark.parametrize(
    "wire",
    [
        b"",
        b"{}",
        b"\r\n" + OK + b"Content-Length: 0\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 099 OK\r\n\r\n",
        b"HTTP/1.1 20\r\n\r\n",
        b"HTTP/1.1 200OK\r\n\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/11 200 OK\r\n\r\n",
        b"xHTTP/1.1 200 OK\r\n\r\n",
        # RFC 9110 §15.2.2: what follows is another protocol
        b"HTTP/1.1 101 Switching\r\n\r\n" + BEHIND,
        b"HTTP/1.1 100 Go on\r\n\r\n",
        # §2.2: no carriage return but at the end of a line
        OK + b"A: 1\rContent-Length: 0\r\n\r\n",
        OK + b"A: 1\r\r\nContent-Length: 0\r\n\r\n",
        OK + b"A: 1\r\n" * (MAX_FIELDS + 1) + b"\r\n",
        # §6.3
        OK + b"Content-Length: 2, 3\r\n\r\n{}",
        OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        OK + b"Content-Length: +2\r\n\r\n{}",
        OK + b"Content-Length: -2\r\n\r\n{}",
        OK + b"Content-Length: 2 2\r\n\r\n{}",
        OK + b"Content-Length: 2\r\n 2\r\n\r\n{}",
        OK + b"Content-Length: \r\n\r\n{}",
        OK + b"Content-Length: \xb2\r\n\r\n{}",
        OK + b"Content-Length: 0000000002\r\n\r\n{}",
        OK + b"Content-Length: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        # §7.1
        OK + CHUNKED + b"{}",
        OK + CHUNKED + b"0x2\r\n{}\r\n0\r\n\r\n",
        OK + CHUNKED + b"+2\r\n{}\r\n0\r\n\r\n",
        OK + CHUNKED + b"-2\r\n{}\r\n0\r\n\r\n",
        OK + CHUNKED + b" 2\r\n{}\r\n0\r\n\r\n",
        OK + CHUNKED + b"\r\n{}\r\n0\r\n\r\n",
        OK + CHUNKED + b"1\r\n{}\r\n0\r\n\r\n",
        OK + CHUNKED + b"3\r\n{}\r\n0\r\n\r\n",
        OK + CHUNKED + b"000000002\r\n{}\r\n0\r\n\r\n",
        # too large: said to be, and found to be
        OK + b"Content-Length: %d\r\n\r\n" % (MAX_BODY_BYTES + 1),
        OK + CHUNKED + b"%x\r\n" % (MAX_BODY_BYTES + 1),
        OK + CHUNKED + b"ffffffff\r\n",
        OK + CHUNKED + (b"%x\r\n" % MAX_BODY_BYTES + bytes(MAX_BODY_BYTES) + b"\r\n1\r\nx\r\n0\r\n\r\n"),
        OK + b"\r\n" + bytes(MAX_BODY_BYTES + 1),
    ],
    ids=lambda wire: wire[:60],
)
def test_what_is_no_answer_is_none(wire: bytes) -> None:
    with pytest.raises(NoAnswerError):
        read(wire)


@pytest.mark.parametrize("head", [b"Content-Length: %d\r\n\r\n" % MAX_BODY_BYTES, b"\r\n"])
def test_the_largest_body_is_read(head: bytes) -> None:
    assert len(read(OK + head + bytes(MAX_BODY_BYTES))[0].body) == MAX_BODY_BYTES


# What h11 can write: RFC 9110 §5.6.2 for names, §5.5 for values.
names = st.text("!#$%&'*+-.^_`|~09azAZ", min_size=1, max_size=8).filter(lambda name: name.lower() != "connection")
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
    """What h11 reads in an answer."""
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


@given(wires(), st.data())
def test_an_answer_that_ends_early_is_none(wire: bytes, data: st.DataObject) -> None:
    last = wire.rfind(b"0\r\n\r\n") if b"chunked" in wire else len(wire) - 1  # §8: then it is complete
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
