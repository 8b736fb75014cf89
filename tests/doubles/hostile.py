"""A hostile upstream: a server in the place of the backup API that does one named thing wrong.

Which, is said by the backup's id: `drip-body-7` meets the behaviour `drip-body`. BEHAVIOURS has all of them: what each
does, and what has to come of it. What they claim falsely holds the word `forged`. RFC numbers: 9110 HTTP semantics,
9112 HTTP/1.1, 8259 JSON, 7493 I-JSON.
"""

import gzip
import json
import ssl
import struct
import threading
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.doubles.handshakes import Shake, shake_hands
from tests.doubles.listening import Connection, Listener

PAUSE: Final = 0.03
ENDLESS: Final = 10**9
JSON_TYPE: Final = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class Talk:
    """One request, and the connection it came on.

    Args:
        backup_id: the one the request is about.
        elsewhere: the URL of another server, which must not be asked.
    """

    connection: Connection
    target: str
    backup_id: str
    elsewhere: str

    def answer(self, status: int, body: object = b"", headers: Mapping[str, str] | None = None) -> None:
        """Send a whole answer of good form."""
        self.connection.send(whole(status, body, {"X-Request-Id": self.backup_id, **(headers or {})}))


Step = bytes | float | Callable[[Talk], None]


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What is done to a request, step by step: bytes are sent, seconds are waited.

    Args:
        outcome: `deleted`, `failed`, or how the code of a problem that keeps the event for later begins; `either` if
            both `deleted` and `NO_ANSWER` are right.
        to_the_list: done to the read-back, after the DELETE was accepted; else to the DELETE, and then the backup is
            listed.
        keeps: the connection stays open for another request.
    """

    outcome: str
    steps: tuple[Step, ...]
    to_the_list: bool = False
    keeps: bool = False

    def meet(self, talk: Talk) -> None:
        """Do it."""
        for step in self.steps:
            if isinstance(step, bytes):
                talk.connection.send(step)
            elif isinstance(step, float):
                talk.connection.pause(step)
            else:
                step(talk)


def met(outcome: str, *steps: Step) -> Behaviour:
    return Behaviour(outcome, steps)


def kept(outcome: str, *steps: Step) -> Behaviour:
    return Behaviour(outcome, steps, keeps=True)


def listed(*steps: Step) -> Behaviour:
    """All that an unclear list leads to."""
    return Behaviour("NOT_PROVEN", steps, to_the_list=True)


# Steps.


def say_deleted(talk: Talk) -> None:
    """Answer that the backup is gone, as the API does."""
    talk.answer(200, {"backup_id": talk.backup_id, "backup_name": "well"})


def say_listed(talk: Talk) -> None:
    """Answer that the backup is there, as the API does."""
    talk.answer(200, {"backups": [{"id": talk.backup_id, "name": "well"}], "total_count": 1})


def silence(talk: Talk) -> None:
    """Say nothing until the client has left."""
    talk.connection.wait_until_left()


def reset(talk: Talk) -> None:
    """End the connection with a RST."""
    talk.connection.reset()


def drip(data: bytes) -> Step:
    """Send bytes one by one."""
    return lambda talk: talk.connection.drip(data, PAUSE)


def drip_endlessly(piece: bytes) -> Step:
    """Send a piece now and then until the client has left."""

    def go_on(talk: Talk) -> None:
        while True:
            talk.connection.send(piece)
            talk.connection.pause(PAUSE)

    return go_on


def flood(piece: bytes) -> Step:
    """Send a piece as often and as fast as the client takes it, until it has left."""
    many = piece * (65536 // len(piece) or 1)

    def go_on(talk: Talk) -> None:
        while True:
            talk.connection.send(many)

    return go_on


def answer(status: int, body: object = b"", headers: Mapping[str, str] | None = None) -> Step:
    """A whole answer of good form; a body that is no bytes is sent as JSON."""
    return lambda talk: talk.answer(status, body, headers)


def lead(status: int, headers: Mapping[str, str], body: object = b"") -> Step:
    """An answer whose headers lead elsewhere: `{elsewhere}`, its `{port}` and the `{target}` are filled in."""

    def filled(talk: Talk, value: str) -> str:
        return value.format(elsewhere=talk.elsewhere, port=talk.elsewhere.rpartition(":")[2], target=talk.target)

    return lambda talk: talk.answer(status, body, {name: filled(talk, value) for name, value in headers.items()})


# Bytes.


def whole(status: int, body: object = b"", headers: Mapping[str, str] | None = None) -> bytes:
    """An answer of good form; a body that is no bytes is written as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return head(status, {**JSON_TYPE, "Content-Length": str(len(content)), **(headers or {})}) + content


def head(status: int | str, headers: Mapping[str, str] | None = None) -> bytes:
    """A status line and headers, with the empty line behind them."""
    lines = [f"HTTP/1.1 {status} Whatever", *(f"{name}: {value}" for name, value in (headers or {}).items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def with_line(line: bytes) -> bytes:
    """A success with this line among its headers."""
    return OK + line + b"\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (len(GONE), GONE)


def with_length(value: object, body: bytes, status: int = 200) -> bytes:
    """An answer that is said to be so long."""
    return head(status, {**TO_ITS_END, "Content-Length": str(value)}) + body


def in_chunk(size: bytes, rest: bytes = b"\r\n0\r\n\r\n", status: int = 200) -> bytes:
    """A forged answer in one chunk that is said to be so long, and what follows it."""
    return head(status, CHUNKED) + size + b"\r\n" + TEXT + rest


def huge(piece: bytes) -> bytes:
    """A success of just under 1 MiB, with a list of many pieces."""
    return b'{"backup_id": "x", "a": [' + b",".join([piece] * (1_000_000 // (len(piece) + 1))) + b"]}"


OK: Final = b"HTTP/1.1 200 OK\r\n"
CHUNKED: Final = {"Transfer-Encoding": "chunked"}
TO_ITS_END: Final = {"Connection": "close"}
GZIP: Final = {"Content-Encoding": "gzip"}
GONE: Final = b'{"backup_id": "gone"}'
FORGED: Final = {"backup_id": "forged", "backup_name": "forged"}
TEXT: Final = json.dumps(FORGED).encode()
SIZE: Final = b"%x" % len(TEXT)
PACKED: Final = gzip.compress(TEXT)
NOTHING_LISTED: Final = {"backups": [], "total_count": 0}
FORGED_ANSWER: Final = whole(200, FORGED, {"X-Request-Id": "forged"})
FORGED_LIST: Final = whole(200, NOTHING_LISTED, {"X-Request-Id": "forged"})
BUSY: Final = {"error_code": "A.1", "error_msg": "busy"}
BUSY_TEXT: Final = json.dumps(BUSY).encode()
# It fills the 8,192 bytes that a reader takes at once; what is behind it TLS has decrypted, and no socket shows.
FILLED: Final = whole(503, {**BUSY, "error_msg": "x" * (8192 - len(whole(503, {**BUSY, "error_msg": ""})) - 2)})
BOMB: Final = bytes(1 << 26)
GZIP_BOMB: Final = gzip.compress(BOMB, 1)
BOMB_IN_CHUNKS: Final = b"%x\r\n%b\r\n0\r\n\r\n" % (len(GZIP_BOMB), GZIP_BOMB)
DISK: Final = "\U0001f4be"  # four bytes in UTF-8, twelve as JSON escapes it
OTHERS: Final = [{"id": f"forged-{number}", "name": "forged"} for number in range(100)]
NO_COOKIE: Final = "\xff=\x01;;;=;expires=Mon, 99-Foo-99999 99:99:99 GMT;max-age=nine;domain=\xff..;port="

BEHAVIOURS: Final[Mapping[str, Behaviour]] = {
    # What is no fault.
    "well": kept("deleted", say_deleted),
    "slow-but-in-time": met("deleted", head(200, TO_ITS_END)[:20], 0.3, head(200, TO_ITS_END)[20:], 0.3, GONE),
    "chunks-with-extension-and-trailers": met(
        "deleted", head(200, CHUNKED) + b'%x;name="value"\r\n%b\r\n0\r\nX-Trailer: a\r\n\r\n' % (len(GONE), GONE)
    ),
    "body-until-the-end": met("deleted", head(200, TO_ITS_END) + GONE),
    "gzip-that-is-honest": met("deleted", answer(200, gzip.compress(GONE), GZIP)),
    "refusal-in-gzip": met("failed", answer(400, gzip.compress(BUSY_TEXT), GZIP)),
    # RFC 9112 §9.6: a client that is told so sends no more requests over the connection.
    "closing-in-words-alone": kept("deleted", answer(200, {"backup_id": "gone"}, TO_ITS_END)),
    # RFC 9110 §15.2: a client must be able to read one or more 1xx answers before the final one. If it takes a 103 for
    # that one, it takes the answer for that to its next request.
    "continue-before-the-answer": met("deleted", head(100), say_deleted),
    "early-hints-before-the-answer": kept("deleted", head(103, {"Link": "</a>; rel=preload"}) * 2, say_deleted),
    "early-hints-and-later-the-answer": kept("deleted", head(102) + head(103), 0.2, say_deleted),
    # The API page's own example.
    "another-id": met("deleted", answer(200, {"backup_id": "b1182ccdda034f2b9535f3dca5c47e71br07"})),
    # RFC 8259 §11: a charset parameter has no effect.
    "charset-that-json-has-not": met("deleted", answer(200, GONE, {"Content-Type": "text/html; charset=utf-16"})),
    # RFC 9112 §6.3: a list of the same value is that value.
    "lengths-that-are-the-same": met("deleted", with_length(f"{len(GONE)}, {len(GONE)}", GONE)),
    "reset-after-the-answer": kept("deleted", say_deleted, 0.1, reset),
    # As when a NAT has dropped it: nothing ever comes again, no RST either.
    "forgotten-connection": kept("deleted", say_deleted, silence),
    # Silence, and what takes most of the time.
    "silence": met("NO_ANSWER", silence),
    "silence-within-the-status-line": met("NO_ANSWER", OK[:10], silence),
    "silence-within-the-headers": met("NO_ANSWER", OK + b"Content-", silence),
    "silence-within-the-body": met("NO_ANSWER", with_length(100, TEXT), silence),
    "silence-within-a-chunk": met("NO_ANSWER", in_chunk(b"64", b""), silence),
    "silence-before-the-last-chunk": met("NO_ANSWER", in_chunk(SIZE, b"\r\n"), silence),
    "silence-after-a-body-without-length": met("NO_ANSWER", head(200) + TEXT, silence),
    "silence-after-continue": met("NO_ANSWER", head(100), silence),
    "acceptance-that-takes-most-of-the-time": met("NOT_PROVEN", 0.7, answer(202)),
    "late": met("NO_ANSWER", 1.8, say_deleted),
    # Drips.
    "drip-answer": met("NO_ANSWER", drip(FORGED_ANSWER)),
    "drip-status-line": met("NO_ANSWER", OK[:13], drip_endlessly(b"x")),
    "drip-header": met("NO_ANSWER", OK + b"X-Endless: ", drip_endlessly(b"x")),
    "drip-headers": met("NO_ANSWER", OK, drip_endlessly(b"X: y\r\n")),
    "drip-headers-and-then-silence": met("NO_ANSWER", drip(head(200, {"X-Long": "x" * 20})), silence),
    "drip-body": met("NO_ANSWER", with_length(ENDLESS, b""), drip_endlessly(b" ")),
    "drip-body-without-length": met("NO_ANSWER", head(200, TO_ITS_END), drip_endlessly(b" ")),
    "drip-chunks": met("NO_ANSWER", head(200, CHUNKED), drip_endlessly(b"1\r\n \r\n")),
    "drip-chunk-size": met("NO_ANSWER", head(200, CHUNKED), drip_endlessly(b"0")),
    "drip-chunk-extension": met("NO_ANSWER", head(200, CHUNKED) + b"1;", drip_endlessly(b"x")),
    "drip-trailers": met("NO_ANSWER", in_chunk(SIZE, b"\r\n0\r\n"), drip_endlessly(b"X: y\r\n")),
    "drip-trailer": met("NO_ANSWER", head(200, CHUNKED) + b"0\r\nX: ", drip_endlessly(b"x")),
    "drip-continues": met("NO_ANSWER", drip_endlessly(head(100))),
    "drip-early-hints": met("NO_ANSWER", drip_endlessly(head(103))),
    "drip-gzip": met(
        "NO_ANSWER", head(200, {**GZIP, "Content-Length": str(ENDLESS)}), drip(PACKED), drip_endlessly(b"\0")
    ),
    # Floods.
    "flood-status-line": met("NO_ANSWER", OK[:13], flood(b"x")),
    "flood-header": met("NO_ANSWER", OK + b"X-Endless: ", flood(b"x")),
    "flood-folded-header": met("NO_ANSWER", OK + b"X-Endless: a\r\n", flood(b" more\r\n")),
    "flood-headers": met("NO_ANSWER", OK, flood(b"X: y\r\n")),
    "flood-body": met("NO_ANSWER", with_length(ENDLESS, b""), flood(b"x")),
    "flood-body-without-length": met("NO_ANSWER", head(200, TO_ITS_END), flood(b"x")),
    "flood-refusal": met("NO_ANSWER", head(400, TO_ITS_END), flood(b"x")),
    "flood-chunks": met("NO_ANSWER", head(200, CHUNKED), flood(b"1\r\n \r\n")),
    "flood-one-chunk": met("NO_ANSWER", head(200, CHUNKED) + b"ffffffffffffffff\r\n", flood(b"x")),
    "flood-chunk-of-minus-one": met("NO_ANSWER", head(200, CHUNKED) + b"-1\r\n", flood(b"x")),
    "flood-chunk-size": met("NO_ANSWER", head(200, CHUNKED), flood(b"0")),
    "flood-chunk-extension": met("NO_ANSWER", head(200, CHUNKED) + b"1;", flood(b"x")),
    "flood-trailers": met("NO_ANSWER", head(200, CHUNKED) + b"0\r\n", flood(b"X: y\r\n")),
    "flood-trailer": met("NO_ANSWER", head(200, CHUNKED) + b"0\r\nX: ", flood(b"x")),
    "flood-continues": met("NO_ANSWER", flood(head(100))),
    "flood-continue-headers": met("NO_ANSWER", b"HTTP/1.1 100 Continue\r\n", flood(b"X: y\r\n")),
    "flood-early-hints": met("NO_ANSWER", flood(head(103, {"Link": "</a>; rel=preload"}))),
    "flood-empty-lines": met("NO_ANSWER", flood(b"\r\n")),
    "flood-after-no-content": met("NOT_PROVEN", head(204), flood(b"x")),
    # Compression, which nobody asked for: RFC 9110 §8.4.
    "gzip-bomb": met("NO_ANSWER", answer(200, GZIP_BOMB, GZIP)),
    "gzip-bomb-in-chunks": met("NO_ANSWER", head(200, {**CHUNKED, **GZIP}) + BOMB_IN_CHUNKS),
    "gzip-bomb-in-gzip": met(
        "NO_ANSWER", answer(200, gzip.compress(GZIP_BOMB * 8, 1), {"Content-Encoding": "gzip, gzip"})
    ),
    "deflate-bomb": met("NO_ANSWER", answer(200, zlib.compress(BOMB, 1), {"Content-Encoding": "deflate"})),
    "gzip-many-times": met("NO_ANSWER", answer(200, b"x", {"Content-Encoding": ", ".join(["gzip"] * 1000)})),
    "gzip-that-is-none": met("NO_ANSWER", answer(200, FORGED, GZIP)),
    "gzip-cut-short": met("NO_ANSWER", answer(200, PACKED[:-12], GZIP)),
    "encoding-that-nobody-knows": met("NO_ANSWER", answer(200, b"\x01\x02\x03", {"Content-Encoding": "rot13"})),
    # Lengths that lie: RFC 9112 §6.3. What cannot be framed is no answer, and §8: nor is what ends early.
    "length-too-long": met("NO_ANSWER", with_length(len(TEXT) + 1, TEXT)),
    "length-too-short": met("BROKEN_ANSWER", with_length(20, TEXT)),
    "length-negative": met("NO_ANSWER", with_length(-1, TEXT)),
    "length-that-is-no-number": met("NO_ANSWER", with_length("many", TEXT)),
    "length-with-a-sign": met("NO_ANSWER", with_length(f"+{len(TEXT)}", TEXT)),
    "length-of-many-digits": met("NO_ANSWER", with_length("9" * 5000, TEXT)),
    "lengths-that-differ": met("NO_ANSWER", OK + b"Content-Length: 48\r\nContent-Length: 500\r\n\r\n" + TEXT),
    "lengths-that-differ-in-one-line": met("NO_ANSWER", with_length(f"{len(TEXT)}, 500", TEXT)),
    "length-cut-short-of-a-refusal": met(
        "NO_ANSWER", with_length(500, b'{"error_code": "DBS.201203", "error_msg": "forged"}', 400)
    ),
    # Chunks that are broken: RFC 9112 §7.1.
    "chunk-size-that-is-no-number": met("NO_ANSWER", in_chunk(b"many")),
    "chunk-size-missing": met("NO_ANSWER", in_chunk(b"")),
    "chunk-size-minus-one": met("NO_ANSWER", in_chunk(b"-1", b"")),
    "chunk-size-more-negative": met("NO_ANSWER", in_chunk(b"-5")),
    "chunk-size-of-many-digits": met("NO_ANSWER", in_chunk(b"f" * 400)),
    "chunk-longer-than-its-size": met("NO_ANSWER", in_chunk(b"5")),
    "chunk-shorter-than-its-size": met("NO_ANSWER", in_chunk(b"%x" % (len(TEXT) + 4))),
    "chunks-without-the-last": met("NO_ANSWER", in_chunk(SIZE, b"\r\n")),
    "chunks-without-the-last-of-a-refusal": met("NO_ANSWER", in_chunk(SIZE, b"\r\n", 400)),
    # The JSON is whole; but this 0 may be the first digit of a chunk's size (§8: incomplete).
    "chunks-ending-within-the-last": met("NO_ANSWER", in_chunk(SIZE, b"\r\n0")),
    "chunks-and-gzip-as-transfer-encoding": met(
        "NO_ANSWER",
        head(200, {"Transfer-Encoding": "gzip, chunked"}) + b"%x\r\n%b\r\n0\r\n\r\n" % (len(PACKED), PACKED),
    ),
    "chunks-announced-but-not-sent": met("NO_ANSWER", head(200, CHUNKED) + TEXT),
    # Ends and resets: RFC 9112 §8.
    "reset-before-the-answer": met("NO_ANSWER", reset),
    "reset-within-the-headers": met("NO_ANSWER", OK + b"Content-Le", reset),
    "reset-within-the-body": met("NO_ANSWER", with_length(500, TEXT), reset),
    # What arrived before the reset may be taken for all.
    "reset-within-a-body-without-length": met("NO_ANSWER or BROKEN_ANSWER", head(200, TO_ITS_END) + TEXT[:-1], reset),
    "end-before-the-answer": met("NO_ANSWER"),
    "end-within-the-status-line": met("NO_ANSWER", OK[:11]),
    "end-within-the-headers": met("NO_ANSWER", OK + b"X-Request-Id: forg"),
    "end-before-the-empty-line": met("NO_ANSWER", OK + b"X-Request-Id: forged\r\n"),
    "end-within-the-headers-of-a-refusal": met("NO_ANSWER", b"HTTP/1.1 400 Bad Request\r\nX-Request-Id: forg"),
    "end-within-a-body-without-length": met("BROKEN_ANSWER", head(200, TO_ITS_END) + TEXT[:-1]),
    # Statuses, and what is no HTTP: RFC 9112 §4, RFC 9110 §15.2.
    "early-hints-and-the-end": met("NO_ANSWER", head(103)),
    "informational-that-nobody-knows": met("NO_ANSWER", head(199, {"Content-Length": "2"}) + b"{}"),
    "switching-protocols": kept("NO_ANSWER", head(101, {"Connection": "Upgrade"}), 0.1, FORGED_ANSWER),
    "http-0-9": met("NO_ANSWER", TEXT),
    "another-protocol": met("NO_ANSWER", b"SSH-2.0-OpenSSH_9.2p1 forged\r\n"),
    "random-bytes": met("NO_ANSWER", bytes(range(256)) * 16),
    "tls-alert": met("NO_ANSWER", b"\x15\x03\x01\x00\x02\x02\x46"),
    "http-2": met("NO_ANSWER", b"HTTP/2 200 OK\r\n\r\n" + TEXT),
    "http-2-frames": met("NO_ANSWER", struct.pack(">I", 6)[1:] + b"\x04\x00\x00\x00\x00\x00" + bytes(6)),
    "status-line-of-another-server": met("NO_ANSWER", b"ICY 200 OK\r\n\r\n" + TEXT),
    "status-missing": met("NO_ANSWER", b"HTTP/1.1\r\n\r\n" + TEXT),
    "status-that-is-no-number": met("NO_ANSWER", b"HTTP/1.1 OK 200\r\n\r\n" + TEXT),
    "status-too-small": met("NO_ANSWER", b"HTTP/1.1 020 OK\r\n\r\n" + TEXT),
    "status-too-great": met("NO_ANSWER", b"HTTP/1.1 2000 OK\r\n\r\n" + TEXT),
    "status-999": met("NO_ERROR_CODE", answer(999, FORGED)),
    "empty-line-before-the-status-line": met("NO_ANSWER", b"\r\n" + FORGED_ANSWER),
    # Redirects, which are never followed, and other ways to lead elsewhere.
    "redirect-301": met("NO_ERROR_CODE", lead(301, {"Location": "{elsewhere}{target}"})),
    "redirect-302": met("NO_ERROR_CODE", lead(302, {"Location": "{elsewhere}{target}"})),
    "redirect-303": met("NO_ERROR_CODE", lead(303, {"Location": "{elsewhere}{target}"})),
    "redirect-307": met("NO_ERROR_CODE", lead(307, {"Location": "{elsewhere}{target}"})),
    "redirect-308": met("NO_ERROR_CODE", lead(308, {"Location": "{elsewhere}{target}"})),
    "redirect-without-scheme": met("NO_ERROR_CODE", lead(308, {"Location": "//127.0.0.1:{port}"})),
    "redirect-to-itself": met("NO_ERROR_CODE", lead(307, {"Location": "{target}"})),
    "redirect-that-claims-success": met("NO_ERROR_CODE", lead(302, {"Location": "{elsewhere}"}, FORGED)),
    "use-proxy": met("NO_ERROR_CODE", lead(305, {"Location": "{elsewhere}"})),
    "refresh": met("BROKEN_ANSWER", lead(200, {"Refresh": "0; url={elsewhere}"}, b"<meta http-equiv=refresh>")),
    "challenge": met("NO_ERROR_CODE", lead(401, {"WWW-Authenticate": 'Basic realm="x", Bearer uri="{elsewhere}"'})),
    "challenge-of-a-proxy": met("NO_ERROR_CODE", answer(407, headers={"Proxy-Authenticate": 'Basic realm="x"'})),
    "services-elsewhere-and-cookies": kept(
        "deleted",
        lead(
            200,
            {
                "Alt-Svc": 'h2="127.0.0.1:{port}", http/1.1="127.0.0.1:{port}"',
                "Content-Location": "{elsewhere}",
                "Link": "<{elsewhere}>; rel=preload",
                "Set-Cookie": "forged=1; Path=/; Max-Age=86400",
            },
            GONE,
        ),
    ),
    "cookies-that-are-none": met("deleted", answer(200, GONE, {"Set-Cookie": NO_COOKIE, "Set-Cookie2": NO_COOKIE})),
    "busy-with-an-order-to-come-at-once": met("NO_ERROR_CODE", answer(503, headers={"Retry-After": "0"})),
    # Headers: RFC 9112 §5, RFC 9110 §5.5.
    "header-folded": met("deleted", with_line(b"X-Request-Id: a\r\n\tb\r\n c: d")),
    "header-of-other-bytes": met("deleted", with_line(b"X-Request-Id: " + bytes(range(128, 256)))),
    "header-ninety-times": met("deleted", with_line(b"\r\n".join([b"X-Request-Id: a"] * 90))),
    "header-of-sixty-kilobytes": met("deleted", with_line(b"X-Request-Id: " + b"x" * 60000)),
    "header-with-nul": met("NO_ANSWER", with_line(b"X-Request-Id: a\0b")),
    "header-with-bare-carriage-return": met("NO_ANSWER", with_line(b"X-Request-Id: a\rContent-Length: 0")),
    "header-without-colon": met("NO_ANSWER", with_line(b"What is this")),
    "header-without-name": met("NO_ANSWER", with_line(b": forged")),
    "header-with-space-before-the-colon": met("NO_ANSWER", with_line(b"X-Request-Id : a")),
    "folded-retry-after": met(
        "NO_ERROR_CODE", b"HTTP/1.1 429 Busy\r\nRetry-After: 9\r\n 9\r\nContent-Length: 0\r\n\r\n"
    ),
    # What is no JSON object in a success: RFC 8259 and the bounds of I-JSON.
    "html": met(
        "BROKEN_ANSWER", answer(200, b"<!DOCTYPE html><html><body>forged: your request was blocked</body></html>")
    ),
    "text": met("BROKEN_ANSWER", answer(200, b"OK")),
    "white-space": met("BROKEN_ANSWER", answer(200, b" \r\n ")),
    "json-array": met("BROKEN_ANSWER", answer(200, [FORGED])),
    "json-string": met("BROKEN_ANSWER", answer(200, "forged")),
    "json-of-json": met("BROKEN_ANSWER", answer(200, TEXT.decode())),
    "json-number": met("BROKEN_ANSWER", answer(200, 1)),
    "json-true": met("BROKEN_ANSWER", answer(200, True)),
    "json-null": met("BROKEN_ANSWER", answer(200, None)),
    "json-of-nan": met("BROKEN_ANSWER", answer(200, b'{"backup_id": "forged", "size": NaN}')),
    "json-of-infinity": met("BROKEN_ANSWER", answer(200, b'{"backup_id": "forged", "size": -Infinity}')),
    "json-of-a-number-too-large": met("BROKEN_ANSWER", answer(200, b'{"backup_id": "forged", "size": 1e999}')),
    "json-of-a-number-too-long": met(
        "BROKEN_ANSWER", answer(200, b'{"backup_id": "forged", "size": ' + b"9" * 300000 + b"}")
    ),
    "json-of-duplicate-members": met("BROKEN_ANSWER", answer(200, b'{"backup_id": "forged", "backup_id": "forged"}')),
    "json-of-nested-duplicate-members": met(
        "BROKEN_ANSWER", answer(200, b'{"backup_id": "forged", "a": [{"b": 1, "b": 2}]}')
    ),
    "json-of-deep-arrays": met(
        "BROKEN_ANSWER", answer(200, b'{"backup_id": "forged", "a": ' + b"[" * 100000 + b"]" * 100000 + b"}")
    ),
    "json-of-deep-objects": met("BROKEN_ANSWER", answer(200, b'{"a":' * 50000 + b"1" + b"}" * 50000)),
    "json-of-half-a-pair": met("BROKEN_ANSWER", answer(200, b'{"backup_id": "forged \\ud83d"}')),
    "json-cut-short": met("BROKEN_ANSWER", answer(200, TEXT[:-1])),
    "json-with-more-behind": met("BROKEN_ANSWER", answer(200, TEXT + b"}")),
    "json-twice": met("BROKEN_ANSWER", answer(200, TEXT + b"\n" + TEXT)),
    "json-of-single-quotes": met("BROKEN_ANSWER", answer(200, TEXT.replace(b'"', b"'"))),
    "json-with-comments": met("BROKEN_ANSWER", answer(200, b"/* forged */" + TEXT)),
    "json-with-nul-behind": met("BROKEN_ANSWER", answer(200, TEXT + b"\0")),
    "json-with-byte-order-mark": met("BROKEN_ANSWER", answer(200, b"\xef\xbb\xbf" + TEXT)),
    "json-in-utf-16": met("BROKEN_ANSWER", answer(200, TEXT.decode().encode("utf-16"))),
    "json-in-utf-32": met("BROKEN_ANSWER", answer(200, TEXT.decode().encode("utf-32"))),
    "json-in-latin-1": met("BROKEN_ANSWER", answer(200, b'{"backup_id": "forged", "backup_name": "\xfcber"}')),
    "json-of-overlong-utf-8": met("BROKEN_ANSWER", answer(200, b'{"backup_id": "forged", "backup_name": "\xc0\xaf"}')),
    "json-of-surrogates-in-utf-8": met(
        "BROKEN_ANSWER", answer(200, b'{"backup_id": "forged", "backup_name": "\xed\xa0\x80"}')
    ),
    # Objects that do not prove a deletion: read back, and the backup is listed.
    "object-that-is-empty": met("NOT_PROVEN", answer(200, {})),
    "id-that-is-a-number": met("NOT_PROVEN", answer(200, {"backup_id": 5, "backup_name": "forged"})),
    "id-that-is-null": met("NOT_PROVEN", answer(200, {"backup_id": None, "backup_name": "forged"})),
    "id-in-a-list": met("NOT_PROVEN", answer(200, {"backup_id": ["forged"]})),
    "id-nested": met("NOT_PROVEN", answer(200, {"data": FORGED})),
    "id-of-other-case": met("NOT_PROVEN", answer(200, {"Backup_Id": "forged"})),
    "error-beside-the-id": met(
        "NOT_PROVEN", answer(200, {**FORGED, "error_code": "DBS.200005", "error_msg": "forged"})
    ),
    "error-of-old-beside-the-id": met(
        "NOT_PROVEN", answer(200, {**FORGED, "errCode": "DBS.200005", "externalMessage": "forged"})
    ),
    "error-nested-beside-the-id": met(
        "NOT_PROVEN", answer(200, {**FORGED, "error": {"code": 500, "message": "forged"}})
    ),
    "error-with-status-200": met("NOT_PROVEN", answer(200, {"error_code": "DBS.201203", "error_msg": "forged"})),
    "batch-result": met("NOT_PROVEN", answer(200, {"success_count": 1, "failed_count": 0, "failed_results": []})),
    "job": met("NOT_PROVEN", answer(200, {"job_id": "forged"})),
    "accepted": met("NOT_PROVEN", answer(202, {"backup_id": "forged"})),
    "created": met("NOT_PROVEN", answer(201, FORGED)),
    "partial-content": met("NOT_PROVEN", answer(206, FORGED)),
    # Refusals: final in the shape that the API documents, and only in that.
    "refusal-in-html": met("NO_ERROR_CODE", answer(400, b"<html>forged</html>")),
    "refusal-that-is-empty": met("NO_ERROR_CODE", answer(400)),
    "refusal-of-invalid-utf-8": met("NO_ERROR_CODE", answer(400, b'{"error_code": "DBS.201203", "error_msg": "\xff"}')),
    "refusal-of-other-types": met(
        "NO_ERROR_CODE", answer(400, {"error_code": ["DBS.201203"], "error_msg": {"a": None}})
    ),
    "refusal-with-a-number": met("201203", answer(400, {"error_code": 201203, "error_msg": 5})),
    "refusal-nested-deeply": met("NO_ERROR_CODE", answer(400, {"error": {"error": {"error_code": "DBS.201203"}}})),
    "refusal-with-control-characters": met(
        "failed", answer(400, {"error_code": "DBS.201203\r\n", "error_msg": "\0\x1b[31m\r\nforged: 1"})
    ),
    "refusal-of-half-a-megabyte": met("failed", answer(400, {"error_code": "A.1", "error_msg": DISK * 40000})),
    # "Gone" is a status and a code together.
    "gone-with-a-wrong-status": met("DBS.201203", answer(404, {"error_code": "DBS.201203", "error_msg": "forged"})),
    "gone-with-the-other-status": met("failed", answer(400, {"error_code": "DBS.201010", "error_msg": "forged"})),
    "gone-of-a-sibling": met("DBS.201214", answer(404, {"error_code": "DBS.201214", "error_msg": "forged"})),
    "gone-with-a-space": met("DBS.201203 ", answer(404, {"error_code": "DBS.201203 ", "error_msg": "forged"})),
    "gone-in-lower-case": met("dbs.201010", answer(404, {"error_code": "dbs.201010", "error_msg": "forged"})),
    "failure-with-a-long-code": met(DISK, answer(500, {"error_code": DISK * 64, "error_msg": DISK * 1000})),
    "failure-with-a-long-message": met("A.1", answer(503, {"error_code": "A.1", "error_msg": '"\\\0' * 30000})),
    "failure-with-control-characters": met(
        "A\r\nSet-Cookie: x", answer(500, {"error_code": "A\r\nSet-Cookie: x", "error_msg": "\r\n\0"})
    ),
    "failure-that-says-gone": met("DBS.201203", answer(500, {"error_code": "DBS.201203", "error_msg": "forged"})),
    # How much of a huge answer counts is not for us to say.
    "huge-string": met("either", answer(200, b'{"backup_id": "x", "a": "' + b"y" * 1_000_000 + b'"}')),
    "huge-array-of-numbers": met("either", answer(200, huge(b"1000"))),
    "huge-array-of-arrays": met("either", answer(200, huge(b"[]"))),
    "huge-array-of-objects": met("either", answer(200, huge(b'{"a":0}'))),
    "huge-object": met(
        "either",
        answer(200, b"{" + b",".join(b'"%x":0' % number for number in range(100_000)) + b', "backup_id": "x"}'),
    ),
    # Lists that prove nothing.
    "list-that-ignores-the-filter": listed(answer(200, {"backups": OTHERS, "total_count": 100})),
    "list-of-one-other": listed(answer(200, {"backups": OTHERS[:1], "total_count": 1})),
    "list-that-ends-in-html": listed(answer(200, b'{"backups": [], "total_count": 0}<html>')),
    "list-with-two-counts": listed(answer(200, b'{"backups": [], "total_count": 1, "total_count": 0}')),
    "list-with-two-lists": listed(answer(200, b'{"backups": [{"id": "x"}], "backups": [], "total_count": 0}')),
    "list-of-nan": listed(answer(200, b'{"backups": [], "total_count": NaN}')),
    "list-with-byte-order-mark": listed(answer(200, b'\xef\xbb\xbf{"backups": [], "total_count": 0}')),
    "list-of-deep-arrays": listed(
        answer(200, b'{"total_count": 0, "backups": ' + b"[" * 100000 + b"]" * 100000 + b"}")
    ),
    "list-of-a-count-too-long": listed(answer(200, b'{"backups": [], "total_count": ' + b"0" * 100000 + b"}")),
    "list-in-an-array": listed(answer(200, [NOTHING_LISTED])),
    "list-that-is-empty-but-counts-one": listed(answer(200, {"backups": [], "total_count": 1})),
    "list-with-an-error": listed(answer(200, {**NOTHING_LISTED, "error_code": "DBS.200005"})),
    "list-without-body": listed(answer(200)),
    "list-of-a-proxy": listed(answer(200, b"<html>forged</html>")),
    "list-partial": listed(answer(206, NOTHING_LISTED)),
    "list-with-status-404": listed(answer(404, NOTHING_LISTED)),
    "list-with-length-too-long": listed(with_length(34, json.dumps(NOTHING_LISTED).encode())),
    "list-in-chunks-without-the-last": listed(
        head(200, CHUNKED) + b"21\r\n%b\r\n" % json.dumps(NOTHING_LISTED).encode()
    ),
    "list-silent": listed(silence),
    "list-dripped": listed(drip(FORGED_LIST)),
    "list-flooded": listed(head(200, TO_ITS_END) + b'{"backups": [', flood(b'{"id": "forged"},')),
    "list-redirected": listed(lead(302, {"Location": "{elsewhere}{target}"}, NOTHING_LISTED)),
    "list-reset": listed(reset),
    # Leftovers: bytes behind an answer on a connection that stays open are the answer to nothing.
    "leftover-along-with-the-answer": kept("A.1", whole(503, BUSY) + FORGED_ANSWER),
    "leftover-shortly-after-the-answer": kept("A.1", whole(503, BUSY), 0.1, FORGED_ANSWER),
    "leftover-that-is-long": kept("A.1", whole(503, BUSY) + FORGED_ANSWER * 500),
    "leftover-where-a-buffer-ends": kept("A.1", FILLED + FORGED_ANSWER),
    "leftover-in-two-halves": kept(
        "A.1", whole(503, BUSY) + FORGED_ANSWER[:40], 0.1, FORGED_ANSWER[40:] + FORGED_ANSWER
    ),
    # RFC 9112 §2.2 knows servers that send an empty line too many; what comes over this connection is out of step.
    "leftover-line-and-later-an-answer": kept("A.1", whole(503, BUSY) + b"\r\n", 0.2, FORGED_ANSWER),
    "leftover-behind-a-length-too-short": kept(
        "A.1", head(503, {"Content-Length": str(len(BUSY_TEXT))}) + BUSY_TEXT + FORGED_ANSWER
    ),
    "leftover-behind-the-last-chunk": kept(
        "A.1", head(503, CHUNKED) + b"%x\r\n%b\r\n0\r\n\r\n" % (len(BUSY_TEXT), BUSY_TEXT) + FORGED_ANSWER
    ),
    "leftover-behind-not-modified": kept(
        "NO_ERROR_CODE", head(304, {"Content-Length": "5"}) + FORGED_ANSWER, 0.1, FORGED_ANSWER
    ),
    # The next request over this connection would be the read-back of the same event.
    "leftover-behind-no-content": kept("NOT_PROVEN", head(204, {"Content-Length": "5"}) + FORGED_LIST),
    "leftover-list-behind-an-acceptance": kept("NOT_PROVEN", whole(202) + FORGED_LIST),
    "leftover-lists-behind-an-acceptance": kept("NOT_PROVEN", whole(202) + FORGED_LIST * 500),
}


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it came, and the number of its connection."""

    connection: int
    method: str
    backup_id: str
    head: bytes


class Upstream:
    """The hostile upstream on a socket while it runs, over TLS if it has a certificate.

    Args:
        elsewhere: the URL of another server, where redirects and the like lead to.
        certificate: a file with key and certificate; it may be changed while it runs.

    Attributes:
        requests: those that could be read, in the order of arrival.
    """

    def __init__(self, elsewhere: str, certificate: Path | None = None, host: str = "127.0.0.1") -> None:
        self.certificate = certificate
        self.shake: Shake = shake_hands
        self.requests: list[Seen] = []
        self.listener = Listener(self._serve)
        self._elsewhere = elsewhere
        self._done: dict[str, threading.Event] = {}
        self.url = f"{'https' if certificate else 'http'}://{host}:{self.listener.port}"

    def done(self, backup_id: str) -> bool:
        """Wait until all that was to be sent about this backup is sent, and its connection closed unless it is kept."""
        return self._about(backup_id).wait(10)

    def _about(self, backup_id: str) -> threading.Event:
        return self._done.setdefault(backup_id, threading.Event())  # in one step: two threads get the same one

    def seen(self, backup_id: str) -> list[Seen]:
        """The requests about this backup."""
        return [request for request in self.requests if request.backup_id == backup_id]

    def _serve(self, connection: Connection) -> None:
        if self.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate)
            self.shake(connection, context)
        while self._converse(connection):
            pass

    def _converse(self, connection: Connection) -> bool:
        """Answer one request; whether another may come."""
        request = connection.receive_head()
        method, target, *_ = request.decode("latin-1").split()
        backup_id = target.partition("?backup_id=")[2] or target.rpartition("/")[2]
        self.requests.append(Seen(connection.number, method, backup_id, request))
        talk = Talk(connection, target, backup_id, self._elsewhere)
        behaviour = BEHAVIOURS[backup_id.rpartition("-")[0]]
        accepts = behaviour.to_the_list and method == "DELETE"
        lists = not behaviour.to_the_list and method == "GET"
        keeps = accepts or lists or behaviour.keeps
        try:
            if accepts:
                talk.answer(202)
            elif lists:
                say_listed(talk)
            else:
                behaviour.meet(talk)
        finally:
            if not keeps:
                connection.close()
            if not accepts:  # the list is still to come
                self._about(backup_id).set()
        return keeps
