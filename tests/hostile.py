"""A hostile upstream: a server in the place of the backup API that does one named thing wrong.

Which, is said by the backup's id: `drip-body-7` meets the behaviour `drip-body`. All behaviours are functions below,
each named for what it does. Those under `@to_the_deletion` do it to the DELETE, and list the backup as still there;
those under `@to_the_list` accept the deletion with 202, and do it to the read-back. What they claim falsely holds
the word `forged`. RFC numbers: 9110 HTTP semantics, 9112 HTTP/1.1, 8259 JSON.
"""

import gzip
import json
import ssl
import struct
import threading
import zlib
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.listening import Connection, LeftError, Listener

PAUSE: Final = 0.03
FLOOD: Final = b"x" * 65536
ENDLESS: Final = 10**9
JSON_TYPE: Final = {"Content-Type": "application/json"}


class Talk:
    """One request, and the connection it came on.

    Args:
        backup_id: the one the request is about.
        elsewhere: the URL of another server, which must not be asked.
    """

    def __init__(self, connection: Connection, method: str, target: str, backup_id: str, elsewhere: str) -> None:
        self.connection = connection
        self.method = method
        self.target = target
        self.backup_id = backup_id
        self.elsewhere = elsewhere
        self.send = connection.send
        self.pause = connection.pause
        self.silence = connection.wait_until_left
        self.reset = connection.reset

    def answer(self, status: int, body: bytes | object = b"", headers: Mapping[str, str] | None = None) -> None:
        """A whole answer of good form; a body that is no bytes is sent as JSON."""
        self.send(whole(status, body, {"X-Request-Id": self.backup_id, **(headers or {})}))

    def say_deleted(self) -> None:
        """Answer that the backup is gone, as the API does."""
        self.answer(200, {"backup_id": self.backup_id, "backup_name": "well"})

    def say_listed(self) -> None:
        """Answer that the backup is there, as the API does."""
        self.answer(200, {"backups": [{"id": self.backup_id, "name": "well"}], "total_count": 1})

    def drip(self, data: bytes) -> None:
        """Send bytes one by one."""
        self.connection.drip(data, PAUSE)

    def drip_endlessly(self, piece: bytes) -> None:
        """Send a piece now and then until the client leaves."""
        while True:
            self.send(piece)
            self.pause(PAUSE)

    def flood(self, piece: bytes) -> None:
        """Send a piece as often and as fast as the client takes it, until it leaves."""
        many = piece * (65536 // len(piece) or 1)
        while True:
            self.send(many)


def whole(status: int, body: bytes | object = b"", headers: Mapping[str, str] | None = None) -> bytes:
    """An answer of good form; a body that is no bytes is written as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return head(status, {**JSON_TYPE, "Content-Length": str(len(content)), **(headers or {})}) + content


def head(status: int | str, headers: Mapping[str, str] | None = None) -> bytes:
    """A status line and headers, with the empty line behind them."""
    lines = [f"HTTP/1.1 {status} Whatever", *(f"{name}: {value}" for name, value in (headers or {}).items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


FORGED: Final = {"backup_id": "forged", "backup_name": "forged"}
FORGED_ANSWER: Final = whole(200, FORGED, {"X-Request-Id": "forged"})
FORGED_LIST: Final = whole(200, {"backups": [], "total_count": 0}, {"X-Request-Id": "forged"})
CHUNKED: Final = {"Transfer-Encoding": "chunked"}
TO_ITS_END: Final = {"Connection": "close"}

Behaviour = Callable[[Talk], None]
BEHAVIOURS: Final[dict[str, Behaviour]] = {}
_KEEPING: Final[set[str]] = set()


def to_the_deletion(behaviour: Behaviour) -> Behaviour:
    """Register a behaviour that is met by the DELETE; the backup stays listed. The connection is closed after it."""
    return _register(behaviour, lambda talk: behaviour(talk) if talk.method == "DELETE" else talk.say_listed())


def to_the_list(behaviour: Behaviour) -> Behaviour:
    """Register a behaviour that is met by the read-back; the DELETE is accepted. The connection is closed after it."""
    return _register(behaviour, lambda talk: behaviour(talk) if talk.method == "GET" else talk.answer(202))


def keeping_the_connection(behaviour: Behaviour) -> Behaviour:
    """Another request may come over the same connection."""
    _KEEPING.add(_name(behaviour))
    return behaviour


def _register(behaviour: Behaviour, met: Behaviour) -> Behaviour:
    BEHAVIOURS[_name(behaviour)] = met
    return behaviour


def _name(behaviour: Behaviour) -> str:
    return behaviour.__name__.replace("_", "-")


# What is no fault.


@keeping_the_connection
@to_the_deletion
def well(talk: Talk) -> None:
    talk.say_deleted()


@keeping_the_connection
@to_the_deletion
def closing_in_words_alone(talk: Talk) -> None:
    # RFC 9112 §9.6: a client that is told so sends no more requests over the connection.
    talk.answer(200, {"backup_id": talk.backup_id}, {"Connection": "close"})


@to_the_deletion
def slow_but_in_time(talk: Talk) -> None:
    answer = whole(200, {"backup_id": talk.backup_id})
    for start in range(0, len(answer), 20):
        talk.send(answer[start : start + 20])
        talk.pause(PAUSE)


@to_the_deletion
def chunks_with_extension_and_trailers(talk: Talk) -> None:
    body = json.dumps({"backup_id": talk.backup_id}).encode()
    chunk = b'%x;name="value"\r\n%b\r\n0\r\nX-Trailer: a\r\n\r\n' % (len(body), body)
    talk.send(head(200, CHUNKED) + chunk)


@to_the_deletion
def body_until_the_end(talk: Talk) -> None:
    talk.send(head(200, TO_ITS_END) + json.dumps({"backup_id": talk.backup_id}).encode())


@to_the_deletion
def gzip_that_is_honest(talk: Talk) -> None:
    body = gzip.compress(json.dumps({"backup_id": talk.backup_id}).encode())
    talk.answer(200, body, {"Content-Encoding": "gzip"})


@to_the_deletion
def refusal_in_gzip(talk: Talk) -> None:
    body = gzip.compress(json.dumps({"error_code": "A.1", "error_msg": "no"}).encode())
    talk.answer(400, body, {"Content-Encoding": "gzip"})


@to_the_deletion
def continue_before_the_answer(talk: Talk) -> None:
    talk.send(head(100) + whole(200, {"backup_id": talk.backup_id}))


@keeping_the_connection
@to_the_deletion
def early_hints_before_the_answer(talk: Talk) -> None:
    # RFC 9110 §15.2: a client must be able to parse one or more 1xx responses before the final one.
    talk.send(head(103, {"Link": "</style.css>; rel=preload"}) * 2 + whole(200, {"backup_id": talk.backup_id}))


@keeping_the_connection
@to_the_deletion
def early_hints_and_later_the_answer(talk: Talk) -> None:
    # A client that takes the 103 for the answer takes the answer for that to its next request.
    talk.send(head(102) + head(103))
    talk.pause(0.2)
    talk.say_deleted()


@to_the_deletion
def another_id(talk: Talk) -> None:
    # The API page's own example.
    talk.answer(200, {"backup_id": "b1182ccdda034f2b9535f3dca5c47e71br07", "backup_name": "backup-f3c1"})


@to_the_deletion
def charset_that_json_has_not(talk: Talk) -> None:
    # RFC 8259 §11: a charset parameter has no effect.
    talk.answer(200, {"backup_id": talk.backup_id}, {"Content-Type": "text/html; charset=utf-16"})


@to_the_deletion
def lengths_that_are_the_same(talk: Talk) -> None:
    # RFC 9112 §6.3: a list of the same value is that value.
    body = json.dumps({"backup_id": talk.backup_id}).encode()
    talk.send(head(200, {"Content-Length": f"{len(body)}, {len(body)}"}) + body)


# Silence.


@to_the_deletion
def silence(talk: Talk) -> None:
    talk.silence()


@to_the_deletion
def silence_within_the_status_line(talk: Talk) -> None:
    talk.send(b"HTTP/1.1 2")
    talk.silence()


@to_the_deletion
def silence_within_the_headers(talk: Talk) -> None:
    talk.send(b"HTTP/1.1 200 OK\r\nContent-")
    talk.silence()


@to_the_deletion
def silence_within_the_body(talk: Talk) -> None:
    talk.send(head(200, {"Content-Length": "100"}) + json.dumps(FORGED).encode())
    talk.silence()


@to_the_deletion
def silence_within_a_chunk(talk: Talk) -> None:
    talk.send(head(200, CHUNKED) + b"64\r\n" + json.dumps(FORGED).encode())
    talk.silence()


@to_the_deletion
def silence_before_the_last_chunk(talk: Talk) -> None:
    body = json.dumps(FORGED).encode()
    talk.send(head(200, CHUNKED) + b"%x\r\n%b\r\n" % (len(body), body))
    talk.silence()


@to_the_deletion
def silence_after_a_body_without_length(talk: Talk) -> None:
    talk.send(head(200) + json.dumps(FORGED).encode())
    talk.silence()


@to_the_deletion
def silence_after_continue(talk: Talk) -> None:
    talk.send(head(100))
    talk.silence()


@to_the_deletion
def acceptance_that_takes_most_of_the_time(talk: Talk) -> None:
    talk.pause(0.7)
    talk.answer(202)


@to_the_deletion
def late(talk: Talk) -> None:
    talk.pause(1.8)
    talk.say_deleted()


# Drips.


@to_the_deletion
def drip_answer(talk: Talk) -> None:
    talk.drip(whole(200, FORGED))


@to_the_deletion
def drip_status_line(talk: Talk) -> None:
    talk.send(b"HTTP/1.1 200 ")
    talk.drip_endlessly(b"x")


@to_the_deletion
def drip_header(talk: Talk) -> None:
    talk.send(b"HTTP/1.1 200 OK\r\nX-Endless: ")
    talk.drip_endlessly(b"x")


@to_the_deletion
def drip_headers(talk: Talk) -> None:
    talk.send(b"HTTP/1.1 200 OK\r\n")
    talk.drip_endlessly(b"X: y\r\n")


@to_the_deletion
def drip_body(talk: Talk) -> None:
    talk.send(head(200, {"Content-Length": str(ENDLESS)}))
    talk.drip_endlessly(b" ")


@to_the_deletion
def drip_body_without_length(talk: Talk) -> None:
    talk.send(head(200, TO_ITS_END))
    talk.drip_endlessly(b" ")


@to_the_deletion
def drip_chunks(talk: Talk) -> None:
    talk.send(head(200, CHUNKED))
    talk.drip_endlessly(b"1\r\n \r\n")


@to_the_deletion
def drip_chunk_size(talk: Talk) -> None:
    talk.send(head(200, CHUNKED))
    talk.drip_endlessly(b"0")


@to_the_deletion
def drip_chunk_extension(talk: Talk) -> None:
    talk.send(head(200, CHUNKED) + b"1;")
    talk.drip_endlessly(b"x")


@to_the_deletion
def drip_trailers(talk: Talk) -> None:
    body = json.dumps(FORGED).encode()
    talk.send(head(200, CHUNKED) + b"%x\r\n%b\r\n0\r\n" % (len(body), body))
    talk.drip_endlessly(b"X: y\r\n")


@to_the_deletion
def drip_trailer(talk: Talk) -> None:
    talk.send(head(200, CHUNKED) + b"0\r\nX: ")
    talk.drip_endlessly(b"x")


@to_the_deletion
def drip_headers_and_then_silence(talk: Talk) -> None:
    talk.drip(head(200, {"X-Long": "x" * 20}))
    talk.silence()


@to_the_deletion
def drip_continues(talk: Talk) -> None:
    talk.drip_endlessly(head(100))


@to_the_deletion
def drip_early_hints(talk: Talk) -> None:
    talk.drip_endlessly(head(103))


@to_the_deletion
def drip_gzip(talk: Talk) -> None:
    talk.send(head(200, {"Content-Encoding": "gzip", "Content-Length": str(ENDLESS)}))
    talk.drip(gzip.compress(json.dumps(FORGED).encode()))
    talk.drip_endlessly(b"\0")


# Floods.


@to_the_deletion
def flood_status_line(talk: Talk) -> None:
    talk.send(b"HTTP/1.1 200 ")
    talk.flood(FLOOD)


@to_the_deletion
def flood_header(talk: Talk) -> None:
    talk.send(b"HTTP/1.1 200 OK\r\nX-Endless: ")
    talk.flood(FLOOD)


@to_the_deletion
def flood_folded_header(talk: Talk) -> None:
    talk.send(b"HTTP/1.1 200 OK\r\nX-Endless: a\r\n")
    talk.flood(b" more\r\n")


@to_the_deletion
def flood_headers(talk: Talk) -> None:
    talk.send(b"HTTP/1.1 200 OK\r\n")
    talk.flood(b"X: y\r\n")


@to_the_deletion
def flood_body(talk: Talk) -> None:
    talk.send(head(200, {"Content-Length": str(ENDLESS)}))
    talk.flood(FLOOD)


@to_the_deletion
def flood_body_without_length(talk: Talk) -> None:
    talk.send(head(200, TO_ITS_END))
    talk.flood(FLOOD)


@to_the_deletion
def flood_refusal(talk: Talk) -> None:
    talk.send(head(400, TO_ITS_END))
    talk.flood(FLOOD)


@to_the_deletion
def flood_chunks(talk: Talk) -> None:
    talk.send(head(200, CHUNKED))
    talk.flood(b"1\r\n \r\n")


@to_the_deletion
def flood_one_chunk(talk: Talk) -> None:
    talk.send(head(200, CHUNKED) + b"ffffffffffffffff\r\n")
    talk.flood(FLOOD)


@to_the_deletion
def flood_chunk_of_minus_one(talk: Talk) -> None:
    talk.send(head(200, CHUNKED) + b"-1\r\n")
    talk.flood(FLOOD)


@to_the_deletion
def flood_chunk_size(talk: Talk) -> None:
    talk.send(head(200, CHUNKED))
    talk.flood(b"0" * 65536)


@to_the_deletion
def flood_chunk_extension(talk: Talk) -> None:
    talk.send(head(200, CHUNKED) + b"1;")
    talk.flood(FLOOD)


@to_the_deletion
def flood_trailers(talk: Talk) -> None:
    talk.send(head(200, CHUNKED) + b"0\r\n")
    talk.flood(b"X: y\r\n")


@to_the_deletion
def flood_trailer(talk: Talk) -> None:
    talk.send(head(200, CHUNKED) + b"0\r\nX: ")
    talk.flood(FLOOD)


@to_the_deletion
def flood_continues(talk: Talk) -> None:
    talk.flood(head(100))


@to_the_deletion
def flood_continue_headers(talk: Talk) -> None:
    talk.send(b"HTTP/1.1 100 Continue\r\n")
    talk.flood(b"X: y\r\n")


@to_the_deletion
def flood_early_hints(talk: Talk) -> None:
    talk.flood(head(103, {"Link": "</a>; rel=preload"}))


@to_the_deletion
def flood_empty_lines(talk: Talk) -> None:
    talk.flood(b"\r\n")


@to_the_deletion
def flood_after_no_content(talk: Talk) -> None:
    talk.send(head(204))
    talk.flood(FLOOD)


# Compression, which nobody asked for. 64 MiB, unpacked.

GZIP_BOMB: Final = gzip.compress(bytes(1 << 26), 1)
GZIP_BOMB_IN_GZIP: Final = gzip.compress(GZIP_BOMB * 8, 1)
DEFLATE_BOMB: Final = zlib.compress(bytes(1 << 26), 1)


@to_the_deletion
def gzip_bomb(talk: Talk) -> None:
    talk.answer(200, GZIP_BOMB, {"Content-Encoding": "gzip"})


@to_the_deletion
def gzip_bomb_in_chunks(talk: Talk) -> None:
    talk.send(head(200, {**CHUNKED, "Content-Encoding": "gzip"}))
    talk.send(b"%x\r\n%b\r\n0\r\n\r\n" % (len(GZIP_BOMB), GZIP_BOMB))


@to_the_deletion
def gzip_bomb_in_gzip(talk: Talk) -> None:
    talk.answer(200, GZIP_BOMB_IN_GZIP, {"Content-Encoding": "gzip, gzip"})


@to_the_deletion
def deflate_bomb(talk: Talk) -> None:
    talk.answer(200, DEFLATE_BOMB, {"Content-Encoding": "deflate"})


@to_the_deletion
def gzip_many_times(talk: Talk) -> None:
    talk.answer(200, b"x", {"Content-Encoding": ", ".join(["gzip"] * 1000)})


@to_the_deletion
def gzip_that_is_none(talk: Talk) -> None:
    talk.answer(200, FORGED, {"Content-Encoding": "gzip"})


@to_the_deletion
def gzip_cut_short(talk: Talk) -> None:
    talk.answer(200, gzip.compress(json.dumps(FORGED).encode())[:-12], {"Content-Encoding": "gzip"})


@to_the_deletion
def encoding_that_nobody_knows(talk: Talk) -> None:
    talk.answer(200, b"\x01\x02\x03", {"Content-Encoding": "rot13"})


# Lengths that lie: RFC 9112 §6.3. What cannot be framed is no answer, and §8: nor is what ends early.


@to_the_deletion
def length_too_long(talk: Talk) -> None:
    body = json.dumps(FORGED).encode()
    talk.send(head(200, {"Content-Length": str(len(body) + 1)}) + body)


@to_the_deletion
def length_too_short(talk: Talk) -> None:
    talk.send(head(200, {"Content-Length": "20"}) + json.dumps(FORGED).encode())


def _length(value: str) -> bytes:
    return head(200, {**TO_ITS_END, "Content-Length": value}) + json.dumps(FORGED).encode()


@to_the_deletion
def length_negative(talk: Talk) -> None:
    talk.send(_length("-1"))


@to_the_deletion
def length_that_is_no_number(talk: Talk) -> None:
    talk.send(_length("many"))


@to_the_deletion
def length_with_a_sign(talk: Talk) -> None:
    talk.send(_length(f"+{len(json.dumps(FORGED))}"))


@to_the_deletion
def length_of_many_digits(talk: Talk) -> None:
    talk.send(_length("9" * 5000))


@to_the_deletion
def lengths_that_differ(talk: Talk) -> None:
    body = json.dumps(FORGED).encode()
    talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nContent-Length: 500\r\n\r\n%b" % (len(body), body))


@to_the_deletion
def lengths_that_differ_in_one_line(talk: Talk) -> None:
    talk.send(_length(f"{len(json.dumps(FORGED))}, 500"))


@to_the_deletion
def length_cut_short_of_a_refusal(talk: Talk) -> None:
    talk.send(head(400, {"Content-Length": "500"}) + b'{"error_code": "DBS.201203", "error_msg": "forged"}')


# Chunks that are broken: RFC 9112 §7.1.


def _chunked(talk: Talk, size: bytes, rest: bytes = b"\r\n0\r\n\r\n", status: int = 200) -> None:
    talk.send(head(status, CHUNKED) + size + b"\r\n" + json.dumps(FORGED).encode() + rest)


FORGED_SIZE: Final = b"%x" % len(json.dumps(FORGED))


@to_the_deletion
def chunk_size_that_is_no_number(talk: Talk) -> None:
    _chunked(talk, b"many")


@to_the_deletion
def chunk_size_missing(talk: Talk) -> None:
    _chunked(talk, b"")


@to_the_deletion
def chunk_size_minus_one(talk: Talk) -> None:
    _chunked(talk, b"-1", b"")


@to_the_deletion
def chunk_size_more_negative(talk: Talk) -> None:
    _chunked(talk, b"-5")


@to_the_deletion
def chunk_size_of_many_digits(talk: Talk) -> None:
    _chunked(talk, b"f" * 400)


@to_the_deletion
def chunk_longer_than_its_size(talk: Talk) -> None:
    _chunked(talk, b"5")


@to_the_deletion
def chunk_shorter_than_its_size(talk: Talk) -> None:
    _chunked(talk, b"%x" % (len(json.dumps(FORGED)) + 4))


@to_the_deletion
def chunks_without_the_last(talk: Talk) -> None:
    _chunked(talk, FORGED_SIZE, b"\r\n")


@to_the_deletion
def chunks_ending_within_the_last(talk: Talk) -> None:
    # The JSON is whole; but this 0 may be the first digit of a chunk's size (§8: incomplete).
    _chunked(talk, FORGED_SIZE, b"\r\n0")


@to_the_deletion
def chunks_without_the_last_of_a_refusal(talk: Talk) -> None:
    _chunked(talk, FORGED_SIZE, b"\r\n", status=400)


@to_the_deletion
def chunks_and_gzip_as_transfer_encoding(talk: Talk) -> None:
    talk.send(head(200, {"Transfer-Encoding": "gzip, chunked"}))
    packed = gzip.compress(json.dumps(FORGED).encode())
    talk.send(b"%x\r\n%b\r\n0\r\n\r\n" % (len(packed), packed))


@to_the_deletion
def chunks_announced_but_not_sent(talk: Talk) -> None:
    talk.send(head(200, CHUNKED) + json.dumps(FORGED).encode())


# Ends and resets.


@to_the_deletion
def reset_before_the_answer(talk: Talk) -> None:
    talk.reset()


@to_the_deletion
def reset_within_the_headers(talk: Talk) -> None:
    talk.send(b"HTTP/1.1 200 OK\r\nContent-Le")
    talk.reset()


@to_the_deletion
def reset_within_the_body(talk: Talk) -> None:
    talk.send(head(200, {"Content-Length": "500"}) + json.dumps(FORGED).encode())
    talk.reset()


@to_the_deletion
def reset_within_a_body_without_length(talk: Talk) -> None:
    talk.send(head(200, TO_ITS_END) + json.dumps(FORGED).encode()[:-1])
    talk.reset()


@to_the_deletion
def end_before_the_answer(talk: Talk) -> None:
    pass


@to_the_deletion
def end_within_the_status_line(talk: Talk) -> None:
    talk.send(b"HTTP/1.1 20")


@to_the_deletion
def end_within_the_headers(talk: Talk) -> None:
    talk.send(b"HTTP/1.1 200 OK\r\nX-Request-Id: forg")


@to_the_deletion
def end_before_the_empty_line(talk: Talk) -> None:
    talk.send(b"HTTP/1.1 200 OK\r\nX-Request-Id: forged\r\n")


@to_the_deletion
def end_within_the_headers_of_a_refusal(talk: Talk) -> None:
    # RFC 9112 §8: the client cannot assume that the meaning has been conveyed.
    talk.send(b"HTTP/1.1 400 Bad Request\r\nX-Request-Id: forg")


@to_the_deletion
def end_within_a_body_without_length(talk: Talk) -> None:
    talk.send(head(200, TO_ITS_END) + json.dumps(FORGED).encode()[:-1])


@keeping_the_connection
@to_the_deletion
def reset_after_the_answer(talk: Talk) -> None:
    talk.say_deleted()
    talk.pause(0.1)
    talk.reset()


# Statuses, and what is no HTTP.


@to_the_deletion
def early_hints_and_the_end(talk: Talk) -> None:
    talk.send(head(103))


@to_the_deletion
def informational_that_nobody_knows(talk: Talk) -> None:
    talk.send(head(199, {"Content-Length": "2"}) + b"{}")


@keeping_the_connection
@to_the_deletion
def switching_protocols(talk: Talk) -> None:
    talk.send(head(101, {"Upgrade": "forged", "Connection": "Upgrade"}))
    talk.pause(0.1)
    talk.send(FORGED_ANSWER)


def _raw(*pieces: bytes) -> bytes:
    return b"".join(pieces) + json.dumps(FORGED).encode()


@to_the_deletion
def http_0_9(talk: Talk) -> None:
    talk.send(_raw())


@to_the_deletion
def another_protocol(talk: Talk) -> None:
    talk.send(b"SSH-2.0-OpenSSH_9.2p1 forged\r\n")


@to_the_deletion
def random_bytes(talk: Talk) -> None:
    talk.send(bytes(range(256)) * 16)


@to_the_deletion
def tls_alert(talk: Talk) -> None:
    talk.send(b"\x15\x03\x01\x00\x02\x02\x46")


@to_the_deletion
def http_2(talk: Talk) -> None:
    talk.send(_raw(b"HTTP/2 200 OK\r\n\r\n"))


@to_the_deletion
def http_2_frames(talk: Talk) -> None:
    talk.send(struct.pack(">I", 6)[1:] + b"\x04\x00\x00\x00\x00\x00" + bytes(6))


@to_the_deletion
def status_line_of_another_server(talk: Talk) -> None:
    talk.send(_raw(b"ICY 200 OK\r\n\r\n"))


@to_the_deletion
def status_missing(talk: Talk) -> None:
    talk.send(_raw(b"HTTP/1.1\r\n\r\n"))


@to_the_deletion
def status_that_is_no_number(talk: Talk) -> None:
    talk.send(_raw(b"HTTP/1.1 OK 200\r\n\r\n"))


@to_the_deletion
def status_too_small(talk: Talk) -> None:
    talk.send(_raw(b"HTTP/1.1 020 OK\r\n\r\n"))


@to_the_deletion
def status_too_great(talk: Talk) -> None:
    talk.send(_raw(b"HTTP/1.1 2000 OK\r\n\r\n"))


@to_the_deletion
def status_999(talk: Talk) -> None:
    talk.answer(999, FORGED)


@to_the_deletion
def empty_line_before_the_status_line(talk: Talk) -> None:
    talk.send(b"\r\n" + FORGED_ANSWER)


# Redirects and other ways to lead elsewhere.


@to_the_deletion
def redirect_301(talk: Talk) -> None:
    talk.answer(301, headers={"Location": talk.elsewhere + talk.target})


@to_the_deletion
def redirect_302(talk: Talk) -> None:
    talk.answer(302, headers={"Location": talk.elsewhere + talk.target})


@to_the_deletion
def redirect_303(talk: Talk) -> None:
    talk.answer(303, headers={"Location": talk.elsewhere + talk.target})


@to_the_deletion
def redirect_307(talk: Talk) -> None:
    talk.answer(307, headers={"Location": talk.elsewhere + talk.target})


@to_the_deletion
def redirect_308(talk: Talk) -> None:
    talk.answer(308, headers={"Location": talk.elsewhere + talk.target})


@to_the_deletion
def redirect_without_scheme(talk: Talk) -> None:
    talk.answer(308, headers={"Location": talk.elsewhere.partition(":")[2]})


@to_the_deletion
def redirect_to_itself(talk: Talk) -> None:
    talk.answer(307, headers={"Location": talk.target})


@to_the_deletion
def redirect_that_claims_success(talk: Talk) -> None:
    talk.answer(302, FORGED, {"Location": talk.elsewhere})


@to_the_deletion
def use_proxy(talk: Talk) -> None:
    talk.answer(305, headers={"Location": talk.elsewhere})


@to_the_deletion
def refresh(talk: Talk) -> None:
    talk.answer(200, b"<html><meta http-equiv=refresh></html>", {"Refresh": f"0; url={talk.elsewhere}"})


@to_the_deletion
def challenge(talk: Talk) -> None:
    talk.answer(401, headers={"WWW-Authenticate": f'Basic realm="x", Bearer uri="{talk.elsewhere}"'})


@to_the_deletion
def challenge_of_a_proxy(talk: Talk) -> None:
    talk.answer(407, headers={"Proxy-Authenticate": 'Basic realm="x"'})


@keeping_the_connection
@to_the_deletion
def services_elsewhere_and_cookies(talk: Talk) -> None:
    port = talk.elsewhere.rpartition(":")[2]
    headers = {
        "Alt-Svc": f'h2="127.0.0.1:{port}", http/1.1="127.0.0.1:{port}"',
        "Content-Location": talk.elsewhere,
        "Link": f"<{talk.elsewhere}>; rel=preload",
        "Set-Cookie": "forged=1; Path=/; Max-Age=86400",
    }
    talk.answer(200, {"backup_id": talk.backup_id}, headers)


@to_the_deletion
def cookies_that_are_none(talk: Talk) -> None:
    value = "\xff=\x01;;;=;expires=Mon, 99-Foo-99999 99:99:99 GMT;max-age=nine;domain=\xff..;port="
    talk.answer(200, {"backup_id": talk.backup_id}, {"Set-Cookie": value, "Set-Cookie2": value})


@to_the_deletion
def busy_with_an_order_to_come_at_once(talk: Talk) -> None:
    talk.answer(503, headers={"Retry-After": "0"})


# Headers.


def _header(talk: Talk, line: bytes) -> None:
    body = json.dumps({"backup_id": talk.backup_id}).encode()
    talk.send(b"HTTP/1.1 200 OK\r\n%b\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (line, len(body), body))


@to_the_deletion
def header_with_nul(talk: Talk) -> None:
    _header(talk, b"X-Request-Id: a\0b")


@to_the_deletion
def header_folded(talk: Talk) -> None:
    _header(talk, b"X-Request-Id: a\r\n\tb\r\n c: d")


@to_the_deletion
def header_of_other_bytes(talk: Talk) -> None:
    _header(talk, b"X-Request-Id: " + bytes(range(128, 256)))


@to_the_deletion
def header_with_bare_carriage_return(talk: Talk) -> None:
    _header(talk, b"X-Request-Id: a\rContent-Length: 0")


@to_the_deletion
def header_without_colon(talk: Talk) -> None:
    _header(talk, b"What is this")


@to_the_deletion
def header_without_name(talk: Talk) -> None:
    _header(talk, b": forged")


@to_the_deletion
def header_with_space_before_the_colon(talk: Talk) -> None:
    _header(talk, b"X-Request-Id : a")


@to_the_deletion
def header_ninety_times(talk: Talk) -> None:
    _header(talk, b"\r\n".join([b"X-Request-Id: a"] * 90))


@to_the_deletion
def header_of_sixty_kilobytes(talk: Talk) -> None:
    _header(talk, b"X-Request-Id: " + b"x" * 60000)


@to_the_deletion
def folded_retry_after(talk: Talk) -> None:
    talk.send(b"HTTP/1.1 429 Busy\r\nRetry-After: 9\r\n 9\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


# JSON of another shape, and what is no JSON.


def _body(name: str, body: bytes | object, status: int = 200) -> None:
    def behaviour(talk: Talk) -> None:
        talk.answer(status, body)

    behaviour.__name__ = name
    to_the_deletion(behaviour)


_TEXT: Final = json.dumps(FORGED)
_body("html", b"<!DOCTYPE html><html><body>forged: your request was blocked</body></html>")
_body("text", b"OK")
_body("white_space", b" \r\n ")
_body("json_array", [FORGED])
_body("json_string", "forged")
_body("json_of_json", _TEXT)
_body("json_number", 1)
_body("json_true", True)
_body("json_null", None)
_body("json_of_nan", b'{"backup_id": "forged", "size": NaN}')
_body("json_of_infinity", b'{"backup_id": "forged", "size": -Infinity}')
_body("json_of_a_number_too_large", b'{"backup_id": "forged", "size": 1e999}')
_body("json_of_a_number_too_long", b'{"backup_id": "forged", "size": ' + b"9" * 300000 + b"}")
_body("json_of_duplicate_members", b'{"backup_id": "forged", "backup_id": "forged"}')
_body("json_of_nested_duplicate_members", b'{"backup_id": "forged", "a": [{"b": 1, "b": 2}]}')
_body("json_of_deep_arrays", b'{"backup_id": "forged", "a": ' + b"[" * 100000 + b"]" * 100000 + b"}")
_body("json_of_deep_objects", b'{"a":' * 50000 + b"1" + b"}" * 50000)
_body("json_of_half_a_pair", b'{"backup_id": "forged \\ud83d"}')
_body("json_cut_short", _TEXT[:-1].encode())
_body("json_with_more_behind", (_TEXT + "}").encode())
_body("json_twice", (_TEXT + "\n" + _TEXT).encode())
_body("json_of_single_quotes", _TEXT.replace('"', "'").encode())
_body("json_with_comments", ("/* forged */" + _TEXT).encode())
_body("json_with_nul_behind", _TEXT.encode() + b"\0")
_body("json_with_byte_order_mark", b"\xef\xbb\xbf" + _TEXT.encode())
_body("json_in_utf_16", _TEXT.encode("utf-16"))
_body("json_in_utf_32", _TEXT.encode("utf-32"))
_body("json_in_latin_1", b'{"backup_id": "forged", "backup_name": "\xfcber"}')
_body("json_of_overlong_utf_8", b'{"backup_id": "forged", "backup_name": "\xc0\xaf"}')
_body("json_of_surrogates_in_utf_8", b'{"backup_id": "forged", "backup_name": "\xed\xa0\x80"}')
_body("object_that_is_empty", {})
_body("id_that_is_a_number", {"backup_id": 5, "backup_name": "forged"})
_body("id_that_is_null", {"backup_id": None, "backup_name": "forged"})
_body("id_in_a_list", {"backup_id": ["forged"]})
_body("id_nested", {"data": FORGED})
_body("id_of_other_case", {"Backup_Id": "forged"})
_body("error_beside_the_id", {**FORGED, "error_code": "DBS.200005", "error_msg": "forged"})
_body("error_of_old_beside_the_id", {**FORGED, "errCode": "DBS.200005", "externalMessage": "forged"})
_body("error_nested_beside_the_id", {**FORGED, "error": {"code": 500, "message": "forged"}})
_body("error_with_status_200", {"error_code": "DBS.201203", "error_msg": "forged"})
_body("batch_result", {"success_count": 1, "failed_count": 0, "failed_results": []})
_body("job", {"job_id": "forged"})
_body("accepted", {"backup_id": "forged"}, 202)
_body("created", FORGED, 201)
_body("partial_content", FORGED, 206)
_body("refusal_in_html", b"<html>forged</html>", 400)
_body("refusal_that_is_empty", b"", 400)
_body("refusal_of_invalid_utf_8", b'{"error_code": "DBS.201203", "error_msg": "\xff"}', 400)
_body("refusal_of_other_types", {"error_code": ["DBS.201203"], "error_msg": {"a": None}}, 400)
_body("refusal_with_a_number", {"error_code": 201203, "error_msg": 5}, 400)
_body("refusal_nested_deeply", {"error": {"error": {"error_code": "DBS.201203"}}}, 400)
_body("refusal_with_control_characters", {"error_code": "DBS.201203\r\n", "error_msg": "\0\x1b[31m\r\nforged: 1"}, 400)
_body("refusal_of_half_a_megabyte", {"error_code": "A.1", "error_msg": "\U0001f4be" * 40000}, 400)
_body("gone_with_a_wrong_status", {"error_code": "DBS.201203", "error_msg": "forged"}, 404)
_body("gone_with_the_other_status", {"error_code": "DBS.201010", "error_msg": "forged"}, 400)
_body("gone_of_a_sibling", {"error_code": "DBS.201214", "error_msg": "forged"}, 404)
_body("gone_with_a_space", {"error_code": "DBS.201203 ", "error_msg": "forged"}, 404)
_body("gone_in_lower_case", {"error_code": "dbs.201010", "error_msg": "forged"}, 404)
_body("failure_with_a_long_code", {"error_code": "\U0001f4be" * 64, "error_msg": "\U0001f4be" * 1000}, 500)
_body("failure_with_a_long_message", {"error_code": "A.1", "error_msg": '"\\\0' * 30000}, 503)
_body("failure_with_control_characters", {"error_code": "A\r\nSet-Cookie: x", "error_msg": "\r\n\0"}, 500)
_body("failure_that_says_gone", {"error_code": "DBS.201203", "error_msg": "forged"}, 500)


def _huge(piece: bytes) -> bytes:
    """A success of just under 1 MiB, with a list of many pieces."""
    return b'{"backup_id": "x", "a": [' + b",".join([piece] * (1_000_000 // (len(piece) + 1))) + b"]}"


_body("huge_string", b'{"backup_id": "x", "a": "' + b"y" * 1_000_000 + b'"}')
_body("huge_array_of_numbers", _huge(b"1000"))
_body("huge_array_of_arrays", _huge(b"[]"))
_body("huge_array_of_objects", _huge(b'{"a":0}'))
_body("huge_object", b"{" + b",".join(b'"%x":0' % number for number in range(100_000)) + b', "backup_id": "x"}')


# The read-back.


def _list(name: str, body: bytes | object, status: int = 200) -> None:
    def behaviour(talk: Talk) -> None:
        talk.answer(status, body)

    behaviour.__name__ = name
    to_the_list(behaviour)


_OTHERS: Final = [{"id": f"forged-{number}", "name": "forged"} for number in range(100)]
_list("list_that_ignores_the_filter", {"backups": _OTHERS, "total_count": 100})
_list("list_of_one_other", {"backups": _OTHERS[:1], "total_count": 1})
_list("list_that_ends_in_html", b'{"backups": [], "total_count": 0}<html>')
_list("list_with_two_counts", b'{"backups": [], "total_count": 1, "total_count": 0}')
_list("list_with_two_lists", b'{"backups": [{"id": "x"}], "backups": [], "total_count": 0}')
_list("list_of_nan", b'{"backups": [], "total_count": NaN}')
_list("list_with_byte_order_mark", b'\xef\xbb\xbf{"backups": [], "total_count": 0}')
_list("list_of_deep_arrays", b'{"total_count": 0, "backups": ' + b"[" * 100000 + b"]" * 100000 + b"}")
_list("list_of_a_count_too_long", b'{"backups": [], "total_count": ' + b"0" * 100000 + b"}")
_list("list_in_an_array", [{"backups": [], "total_count": 0}])
_list("list_that_is_empty_but_counts_one", {"backups": [], "total_count": 1})
_list("list_without_body", b"")
_list("list_of_a_proxy", b"<html>forged</html>")
_list("list_partial", {"backups": [], "total_count": 0}, 206)
_list("list_with_status_404", {"backups": [], "total_count": 0}, 404)


@to_the_list
def list_with_length_too_long(talk: Talk) -> None:
    body = b'{"backups": [], "total_count": 0}'
    talk.send(head(200, {"Content-Length": str(len(body) + 1)}) + body)


@to_the_list
def list_in_chunks_without_the_last(talk: Talk) -> None:
    body = b'{"backups": [], "total_count": 0}'
    talk.send(head(200, CHUNKED) + b"%x\r\n%b\r\n" % (len(body), body))


@to_the_list
def list_silent(talk: Talk) -> None:
    talk.silence()


@to_the_list
def list_dripped(talk: Talk) -> None:
    talk.drip(FORGED_LIST)


@to_the_list
def list_flooded(talk: Talk) -> None:
    talk.send(head(200, TO_ITS_END) + b'{"backups": [')
    talk.flood(b'{"id": "forged"},')


@to_the_list
def list_redirected(talk: Talk) -> None:
    talk.answer(302, {"backups": [], "total_count": 0}, {"Location": talk.elsewhere + talk.target})


@to_the_list
def list_reset(talk: Talk) -> None:
    talk.reset()


# Leftovers: bytes behind an answer on a connection that stays open are the answer to nothing.


@keeping_the_connection
@to_the_deletion
def leftover_along_with_the_answer(talk: Talk) -> None:
    talk.send(whole(503, {"error_code": "A.1", "error_msg": "busy"}) + FORGED_ANSWER)


@keeping_the_connection
@to_the_deletion
def leftover_shortly_after_the_answer(talk: Talk) -> None:
    talk.answer(503, {"error_code": "A.1", "error_msg": "busy"})
    talk.pause(0.1)
    talk.send(FORGED_ANSWER)


@keeping_the_connection
@to_the_deletion
def leftover_that_is_long(talk: Talk) -> None:
    talk.send(whole(503, {"error_code": "A.1", "error_msg": "busy"}) + FORGED_ANSWER * 500)


@keeping_the_connection
@to_the_deletion
def leftover_where_a_buffer_ends(talk: Talk) -> None:
    """The answer fills the 8,192 bytes that a reader takes at once; the rest TLS has decrypted, and no socket shows."""
    bare = whole(503, {"error_code": "A.1", "error_msg": ""})
    filled = whole(503, {"error_code": "A.1", "error_msg": "x" * (8192 - len(bare) - 2)})
    assert len(filled) == 8192
    talk.send(filled + FORGED_ANSWER)


@keeping_the_connection
@to_the_deletion
def leftover_in_two_halves(talk: Talk) -> None:
    talk.send(whole(503, {"error_code": "A.1", "error_msg": "busy"}) + FORGED_ANSWER[:40])
    talk.pause(0.1)
    talk.send(FORGED_ANSWER[40:] + FORGED_ANSWER)


@keeping_the_connection
@to_the_deletion
def leftover_line_and_later_an_answer(talk: Talk) -> None:
    # RFC 9112 §2.2 knows servers that send an empty line too many; what comes over this connection is out of step.
    talk.send(whole(503, {"error_code": "A.1", "error_msg": "busy"}) + b"\r\n")
    talk.pause(0.2)
    talk.send(FORGED_ANSWER)


@keeping_the_connection
@to_the_deletion
def leftover_behind_a_length_too_short(talk: Talk) -> None:
    body = json.dumps({"error_code": "A.1", "error_msg": "busy"}).encode()
    talk.send(head(503, {"Content-Length": str(len(body))}) + body + FORGED_ANSWER)


@keeping_the_connection
@to_the_deletion
def leftover_behind_the_last_chunk(talk: Talk) -> None:
    body = json.dumps({"error_code": "A.1", "error_msg": "busy"}).encode()
    talk.send(head(503, CHUNKED) + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) + FORGED_ANSWER)


@keeping_the_connection
@to_the_deletion
def leftover_behind_not_modified(talk: Talk) -> None:
    talk.send(head(304, {"Content-Length": "5"}) + FORGED_ANSWER)
    talk.pause(0.1)
    talk.send(FORGED_ANSWER)


@keeping_the_connection
@to_the_deletion
def leftover_behind_no_content(talk: Talk) -> None:
    # The next request over this connection would be the read-back of the same event.
    talk.send(head(204, {"Content-Length": "5"}) + FORGED_LIST)


@keeping_the_connection
@to_the_deletion
def leftover_list_behind_an_acceptance(talk: Talk) -> None:
    talk.send(whole(202) + FORGED_LIST)


@keeping_the_connection
@to_the_deletion
def leftover_lists_behind_an_acceptance(talk: Talk) -> None:
    talk.send(whole(202) + FORGED_LIST * 500)


@keeping_the_connection
@to_the_deletion
def forgotten_connection(talk: Talk) -> None:
    # As when a NAT has dropped it: nothing ever comes again, no RST either.
    talk.say_deleted()
    talk.silence()


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
        self.shake: Callable[[Connection, ssl.SSLContext], None] = shake_hands
        self.requests: list[Seen] = []
        self.listener = Listener(self._serve)
        self._elsewhere = elsewhere
        self._done: dict[str, threading.Event] = defaultdict(threading.Event)
        self.url = f"{'https' if certificate else 'http'}://{host}:{self.listener.port}"

    def done(self, backup_id: str) -> bool:
        """Wait until all that was to be sent about this backup is sent, and its connection closed unless it is kept."""
        return self._done[backup_id].wait(10)

    def seen(self, backup_id: str) -> list[Seen]:
        """The requests about this backup."""
        return [request for request in self.requests if request.backup_id == backup_id]

    def _serve(self, connection: Connection) -> None:
        if self.certificate:
            self.shake(connection, _context(self.certificate))
        while self._converse(connection):
            pass

    def _converse(self, connection: Connection) -> bool:
        """Answer one request; whether another may come."""
        request = connection.receive_head()
        method, target, *_ = request.decode("latin-1").split()
        backup_id = target.partition("?backup_id=")[2] or target.rpartition("/")[2]
        name = backup_id.rpartition("-")[0]
        self.requests.append(Seen(connection.number, method, backup_id, request))
        # An acceptance, or a list that is honest, leaves the connection as it is.
        keeps = name in _KEEPING or method == ("DELETE" if name.startswith("list-") else "GET")
        try:
            BEHAVIOURS[name](Talk(connection, method, target, backup_id, self._elsewhere))
        finally:
            if not keeps:
                connection.close()
            if not (name.startswith("list-") and method == "DELETE"):  # the list is still to come
                self._done[backup_id].set()
        return keeps


def shake_hands(connection: Connection, context: ssl.SSLContext) -> None:
    """Begin TLS as it should be."""
    try:
        connection.socket = context.wrap_socket(connection.socket, server_side=True)
    except (OSError, ValueError):
        raise LeftError from None


def drip_the_handshake(connection: Connection, context: ssl.SSLContext) -> None:
    """Begin TLS, byte by byte: RFC 8446 §5.1 sets no bound."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_side=True)
    while True:
        with suppress(ssl.SSLWantReadError):
            tls.do_handshake()
        if outgoing.pending:
            connection.drip(outgoing.read(), PAUSE)
        incoming.write(connection.receive())


def drip_a_record(connection: Connection, context: ssl.SSLContext) -> None:
    """Begin TLS as it should be, and answer whatever is asked with one record, byte by byte."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_side=True)
    request = b""
    while not request:
        try:
            request = tls.read(1 << 16)
        except ssl.SSLWantReadError:
            connection.send(outgoing.read())
            incoming.write(connection.receive())
    tls.write(FORGED_ANSWER)
    connection.drip(outgoing.read(), PAUSE)


def flood_the_handshake(connection: Connection, context: ssl.SSLContext) -> None:
    """Records without end that hold nothing but the beginning of a long handshake message."""
    connection.receive()
    while True:
        connection.send((b"\x16\x03\x03\x40\x00" + b"\x02\xff\xff\xff" + bytes(16380)) * 4)


def say_nothing(connection: Connection, context: ssl.SSLContext) -> None:
    """Take what comes."""
    connection.wait_until_left()


def answer_in_clear(connection: Connection, context: ssl.SSLContext) -> None:
    """Plain HTTP where TLS was asked for."""
    connection.receive()
    connection.send(FORGED_ANSWER)
    connection.wait_until_left()


def answer_at_once_in_clear(connection: Connection, context: ssl.SSLContext) -> None:
    """Plain HTTP before anything was asked."""
    connection.send(FORGED_ANSWER)
    connection.wait_until_left()


def end_within_the_handshake(connection: Connection, context: ssl.SSLContext) -> None:
    """A part of a record, and the end."""
    connection.receive()
    connection.send(b"\x16\x03\x03\x40\x00\x02")
    raise LeftError


def reset_within_the_handshake(connection: Connection, context: ssl.SSLContext) -> None:
    """A RST for an answer."""
    connection.receive()
    connection.reset()
    raise LeftError


def _context(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context
