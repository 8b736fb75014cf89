"""The front door on the wire: requests as bytes, complete answers, and the two tables of docs/events.md as cases."""

import http.client
import json
import re
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from simulator.processes import ROOT
from tests.facts.account import PROJECT
from tests.wire.deliverer import DELETED, EXPIRED, FAILED, STRUCTURED, Reply

CANARY: Final = "5ecret-canary-in-a-header"
ABSENT: Final = "00000000000000000000000000000000br01"  # no backup of the simulator's: an event for it can be repeated
DATA: Final = {"project_id": PROJECT, "backup_id": ABSENT}
VALID: Final = json.dumps(DATA).encode()
CORE: Final = {"specversion": "1.0", "id": "42", "source": "/policies/weekly", "type": EXPIRED}
# All that an answer of the function may have in its head, events apart; a header that was smuggled in is another.
HEADERS: Final = frozenset({"server", "date", "connection", "content-type", "content-length", "allow", "retry-after"})
# What no answer shows: a path of the machine, a frame, an exception's name.
PRIVATE: Final = re.compile(rf'Traceback|File "|\.py\b|{ROOT.parent}/|/tmp/|site-packages|\w+Error\b(?!")')


@dataclass(frozen=True, slots=True)
class Answer(Reply):
    """A reply with the lines of its head as they came."""

    lines: Sequence[tuple[str, str]]


def request(
    *lines: str, body: bytes = b"", method: str = "POST", target: str = "/", framing: str | None = None
) -> bytes:
    """An HTTP request, with secrets that no answer may show.

    Args:
        lines: of its head, in ISO 8859-1.
        framing: in place of the right Content-Length.
    """
    head = [
        f"{method} {target} HTTP/1.1",
        "Host: function.example",
        "Connection: close",
        f"X-Auth-Token: {CANARY}",
        f"Authorization: Bearer {CANARY}",
        *lines,
        f"Content-Length: {len(body)}" if framing is None else framing,
    ]
    return "\r\n".join(line for line in head if line).encode("latin-1") + b"\r\n\r\n" + body


def binary(
    attributes: Mapping[str, str | None] | None = None,
    *lines: str,
    body: bytes = VALID,
    content_type: str | None = "application/json",
) -> bytes:
    """An event in binary mode; its attributes as values of headers, None to leave one out."""
    values = {**CORE, **(attributes or {})}
    head = [f"ce-{name}: {value}" for name, value in values.items() if value is not None]
    return request(*head, *([f"Content-Type: {content_type}"] if content_type is not None else []), *lines, body=body)


def structured(
    members: Mapping[str, object] | None = None, content_type: str | None = STRUCTURED, *, without: str | None = None
) -> bytes:
    """An event in structured mode, with more or other members."""
    event = {**CORE, "data": DATA, **(members or {})}
    text = json.dumps({name: value for name, value in event.items() if name != without})
    return envelope(text.encode(), content_type)


def envelope(text: bytes, content_type: str | None = STRUCTURED) -> bytes:
    """A body of any bytes, sent as a structured event."""
    return request(*([f"Content-Type: {content_type}"] if content_type is not None else []), body=text)


def chunks(*parts: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    """A chunked body."""
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + end


def converse(url: str, text: bytes, *, half_close: bool = False, timeout: float = 30.0) -> Answer:
    """Send bytes over a connection of their own, and read the one answer to them."""
    began = time.monotonic()
    address = urlsplit(url)
    with socket.create_connection((address.hostname or "", address.port or 80), timeout=timeout) as connection:
        connection.sendall(text)
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        response = http.client.HTTPResponse(connection, method=text.partition(b" ")[0].decode("latin-1"))
        response.begin()
        body, lines = response.read(), [(name.lower(), value) for name, value in response.getheaders()]
    joined = {name: ", ".join(value for other, value in lines if other == name) for name, _ in lines}
    return Answer(response.status, joined, body, time.monotonic() - began, lines)


def check_answer(answer: Answer) -> None:
    """Assert what holds for every answer: an event, problem details or nothing, and no header that is not expected."""
    names = [name for name, _ in answer.lines]
    own = [name for name in names if name not in HEADERS]
    assert len(names) == len(set(names)), names
    assert all(value.isascii() and value.isprintable() for _, value in answer.lines)
    if answer.status >= 400:
        assert not own
        assert answer.problem  # asserts its form
        assert answer.body.isascii()
    elif answer.status == 200 and answer.body:
        assert all(re.fullmatch("ce-[a-z0-9]+", name) for name in own), own
        assert answer.event["specversion"] == answer.judged["specversion"] == "1.0"
    else:
        assert (own, answer.body) == ([], b"")
    assert not leaks(answer), answer.body


def leaks(answer: Answer) -> list[str]:
    """The secrets and the inner matters that an answer shows."""
    text = "\n".join([*map(": ".join, answer.lines), answer.body.decode("latin-1")])
    return [*([CANARY] if CANARY in text else []), *PRIVATE.findall(text)]


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table in docs/events.md, and a request that it speaks of.

    Args:
        answer: a result's type, or what an error's message begins with; of a page, what it says.
    """

    what: str
    request: bytes
    status: int
    answer: str = ""

    @property
    def cells(self) -> list[str]:
        """The row as the page has it."""
        return [self.what, str(self.status), f"`{self.answer}`" if self.answer.startswith("dev.") else self.answer]


def _at_the_function() -> Iterator[Row]:
    yield Row("binary mode: `ce-` headers, and data of a JSON media type or of none", binary(), 200, DELETED)
    yield Row("structured mode: `application/cloudevents+json`", structured(), 200, DELETED)
    yield Row(
        "structured mode as `application/json`, without `ce-` headers",
        structured(content_type="application/json"),
        200,
        DELETED,
    )
    yield Row("an event of ours whose data does not fit, or in binary mode is not JSON", binary(body=b"{"), 200, FAILED)
    yield Row("`GET` or `HEAD` on `/health`", request(method="GET", target="/health"), 200)
    yield Row("any other method", request(method="PUT"), 405, "events are delivered with POST")
    yield Row(
        "a body over `REAPER_MAX_EVENT_BYTES`, in chunks too", binary(body=b" " * 65537), 413, "the body is larger than"
    )
    yield Row(
        "another media type, a charset other than UTF-8",
        envelope(b"{}", "text/plain"),
        415,
        "Content-Type must be application/cloudevents+json or application/json for an event in structured mode,"
        " a JSON type for one with ce- headers; in UTF-8",
    )
    yield Row(
        "a batch: `application/cloudevents-batch+json`",
        envelope(b"[]", "application/cloudevents-batch+json"),
        415,
        "this is a batch of events: deliver each event on its own",
    )
    yield Row("data of another media type", binary(content_type="text/plain"), 415, "the data must be JSON in UTF-8")
    yield Row("a compressed body", binary(None, "Content-Encoding: gzip"), 415, "Content-Encoding must not be used")
    yield Row(
        "a transfer coding other than `chunked`",
        request(f"Content-Type: {STRUCTURED}", body=chunks(b"x"), framing="Transfer-Encoding: gzip, chunked"),
        415,
        "Transfer-Encoding must be chunked and nothing else",
    )
    yield Row(
        "a body that ends early",
        request(f"Content-Type: {STRUCTURED}", body=b"{", framing="Content-Length: 9"),
        400,
        "the body is shorter than Content-Length says",
    )
    yield Row(
        "chunks that are malformed or break off",
        request(f"Content-Type: {STRUCTURED}", body=b"x\r\n", framing="Transfer-Encoding: chunked"),
        400,
        "the body is broken off, or is not in chunks as HTTP has them",
    )
    yield Row(
        "an envelope that is not JSON, or has a member twice, half a surrogate pair, NaN, a number over 400 characters,"
        " over 100 levels, over 20000 commas, colons and brackets",
        envelope(b'{"id": "1", "id": "2"}'),
        400,
        "the body is not JSON:",
    )
    yield Row(
        "an envelope that is a JSON array",
        envelope(b"[]"),
        400,
        "the body is a JSON array, a batch of events: deliver each event on its own",
    )
    yield Row("an envelope that is not an object", envelope(b"1"), 400, "the body is JSON, but not an object")
    yield Row(
        "both `data` and `data_base64`", structured({"data_base64": "e30="}), 400, "there are both data and data_base64"
    )
    yield Row("other than Base64", structured({"data_base64": "e30"}, without="data"), 400, "data_base64 is not Base64")
    yield Row("more than 100 attributes", structured({f"x{n}": "" for n in range(97)}), 400, "there are more than 100")
    yield Row("no `specversion`, `id`, `source` or `type`", binary({"id": None}), 400, "the attribute id is missing")
    yield Row(
        "an attribute that is not of the form that CloudEvents gives it",
        binary({"source": "a b"}),
        400,
        "the attribute source is not a URI",
    )
    yield Row(
        "a `ce-` header that is not UTF-8, percent-encoded or as it stands",
        binary({"id": "%FF"}),
        400,
        "the header of attribute id is not UTF-8",
    )
    yield Row("`ce-datacontenttype`", binary({"datacontenttype": "x"}), 400, "ce-datacontenttype must not be sent")
    yield Row(
        "a type that is not accepted, one of our own results among them",
        structured({"type": DELETED}),
        400,
        "events of this type are not accepted: REAPER_ACCEPTED_EVENT_TYPES says which are",
    )


def _before_the_function() -> Iterator[Row]:
    long, many = f"X: {'x' * 16384}", [f"X-{n}: x" for n in range(100)]
    yield Row("`/robots.txt`, `/favicon.ico`, with any method", request(target="/robots.txt"), 404, "Not Found")
    yield Row(
        "`Upgrade: websocket`",
        binary(None, "Upgrade: websocket").replace(b"Connection: close", b"Connection: upgrade"),
        400,
        "a request that this server could not understand",
    )
    yield Row("a request line over 8190 bytes", request(target=f"/{'x' * 8190}"), 414, "Request Line is too large")
    yield Row("a header over 16384 bytes", binary(None, long), 431, "limit request headers fields size")
    yield Row("more than 100 headers", binary(None, *many), 431, "limit request headers fields")
    yield Row(
        "a malformed request line, or a target beyond ASCII",
        request(target="/\xfc"),
        400,
        "Invalid HTTP request line",
    )
    yield Row(
        "a method with small letters, or not of 3 to 20 characters",
        request(method="post"),
        400,
        "Invalid HTTP method",
    )
    yield Row("HTTP/2", b"GET / HTTP/2.0\r\n\r\n", 400, "Invalid HTTP Version")
    yield Row("a header without a colon, or with a control character", binary(None, "X"), 400, "Invalid HTTP Header")
    yield Row("a malformed name of a header", binary(None, "X Y: x"), 400, "Invalid HTTP header name")
    yield Row("a header over two lines", binary(None, "X: x\r\n y: z"), 400, "Obsolete line folding is unacceptable")
    yield Row("a line that ends without CR", binary(None, "X: x\nY: y"), 400, "Invalid HTTP Header")
    yield Row("`Content-Type` or `Host` twice", binary(None, "Content-Type: text/plain"), 400, "Invalid HTTP Header")
    yield Row(
        "a malformed or second `Content-Length`", request(framing="Content-Length: -1"), 400, "Invalid HTTP Header"
    )
    yield Row(
        "`Content-Length` beside chunks",
        binary(None, "Transfer-Encoding: chunked", body=chunks()),
        400,
        "Invalid HTTP Header",
    )
    yield Row(
        "a transfer coding that does not end in one `chunked`, or any in HTTP/1.0",
        request(framing="Transfer-Encoding: gzip"),
        400,
        "Invalid HTTP Header",
    )
    yield Row("an unknown transfer coding", request(framing="Transfer-Encoding: x"), 501, "Unsupported transfer coding")
    yield Row("`Expect`, if not `100-continue`", binary(None, "Expect: x"), 417, "Unable to comply with expectation")


AT_THE_FUNCTION: Final = tuple(_at_the_function())
BEFORE_THE_FUNCTION: Final = tuple(_before_the_function())
