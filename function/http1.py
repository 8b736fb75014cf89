"""HTTP/1.1 on the wire: the head of a request, and an answer that is read whole. § are sections of RFC 9112.

What a server must not send is no answer. Where the RFC leaves the choice to the reader: a line feed alone ends a line
(§2.2), any minor version is read as 1.1 (§2.3), a folded field is joined (§5.2), chunk extensions and trailers are
ignored (§7.1), and the last chunk's own line completes a body (§8).
"""

import re
import zlib
from collections.abc import Mapping
from typing import BinaryIO, Final

from .exchange import Answer

MAX_BODY_BYTES: Final = 1 << 19  # JSON can take thirty times as much memory as text
MAX_FIELDS: Final = 100
MAX_HEAD_BYTES: Final = 1 << 17
MAX_LINE_BYTES: Final = 1 << 16  # of those that are thrown away
WHITE: Final = " \t"  # RFC 9110 §5.6.3

_STATUS_LINE: Final = re.compile(r"HTTP/1\.([0-9]) ([1-9][0-9]{2})(?: .*)?")
_FIELD: Final = re.compile(
    r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):([^\0]*)"
)  # RFC 9110 §5.1, §5.5: but for NUL, control characters may stay
_FOLDED: Final = re.compile(r"[ \t]([^\0]*)")
_LENGTH: Final = re.compile("[0-9]{1,9}")
_CHUNK: Final = re.compile(r"([0-9A-Fa-f]{1,8})[ \t]*(?:;.*)?")
_NOT_IN_A_HEAD: Final = re.compile(r"[^\t -~\x80-\xff]")  # a line end, above all


class NoAnswerError(ValueError):
    """What came is no HTTP answer; the message says why, and quotes nothing of what came."""


def write_head(method: str, target: str, headers: Mapping[str, str]) -> bytes:
    """The head of a request.

    Raises:
        ValueError: a part holds a character that cannot be sent; the message does not show it.
    """
    lines = [f"{method} {target} HTTP/1.1", *[f"{name}: {value}" for name, value in headers.items()]]
    if _NOT_IN_A_HEAD.search("".join(lines)):
        raise ValueError("the request holds a character that HTTP cannot carry")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def read_answer(stream: BinaryIO, *, to_head: bool = False) -> tuple[Answer, bool]:
    """The final answer, and whether another one can follow it.

    Args:
        to_head: what it answers was a HEAD, so that it has no body.

    Raises:
        NoAnswerError: this is no HTTP, ends early, or is too large.
    """
    status, fields = read_head(stream)
    length = _read_length(fields.get("content-length"))  # stricter than §6.3: a wrong one is never ignored
    coding = fields.get("transfer-encoding")
    follows = "close" not in fields.get("connection", "").lower()
    if to_head or status in (204, 304):  # §6.3
        return Answer(status, fields, b""), follows
    if coding is not None:
        if {part.strip(WHITE).lower() for part in coding.split(",")} != {"chunked"}:
            raise NoAnswerError("a transfer coding other than chunked")
        body = _read_chunks(stream)
    elif length is not None:
        body = _read_exactly(stream, length)
    else:
        body, follows = stream.read(MAX_BODY_BYTES + 1), False
    if len(body) > MAX_BODY_BYTES:
        raise NoAnswerError("too large")
    return Answer(status, fields, _unpacked(body, fields.get("content-encoding", "identity").lower())), follows


def read_head(stream: BinaryIO) -> tuple[int, dict[str, str]]:
    """The final status, and the fields by lower-case names.

    Raises:
        NoAnswerError: this is no HTTP, or it ends early.
    """
    status, fields = _read_one_head(stream)
    while status < 200 and status != 101:  # RFC 9110 §15.2: informational
        status, fields = _read_one_head(stream)
    if status == 101:
        raise NoAnswerError("another protocol")
    return status, fields


def _read_one_head(stream: BinaryIO) -> tuple[int, dict[str, str]]:
    line, left = _read_line(stream, MAX_HEAD_BYTES)
    if not (start := _STATUS_LINE.fullmatch(line)):
        raise NoAnswerError("no status line")
    fields = {"connection": "close"} if start[1] == "0" else {}  # §9.3
    name = ""
    for _ in range(MAX_FIELDS + 1):  # the empty line, too
        line, left = _read_line(stream, left)
        if not line:
            return int(start[2]), fields
        if field := _FIELD.fullmatch(line):
            name, value = field[1].lower(), field[2].strip(WHITE)
            fields[name] = f"{fields[name]}, {value}" if name in fields else value
        elif name and (folded := _FOLDED.fullmatch(line)):  # §5.2: the field before goes on
            fields[name] = f"{fields[name]} {folded[1].strip(WHITE)}".strip(WHITE)
        else:
            raise NoAnswerError("a malformed field")
    raise NoAnswerError("too many fields")


def _read_length(value: str | None) -> int | None:
    """§6.3: a list of one and the same number is that number."""
    if value is None:
        return None
    lengths = {length.strip(WHITE) for length in value.split(",")}
    length = lengths.pop()
    if lengths or not _LENGTH.fullmatch(length):
        raise NoAnswerError("a malformed length")
    return int(length)


def _read_chunks(stream: BinaryIO) -> bytes:
    """§7.1."""
    body = bytearray()  # no list: many small chunks would take many times their size
    while start := _CHUNK.fullmatch(_read_line(stream, MAX_LINE_BYTES)[0]):
        if not (size := int(start[1], 16)):
            while stream.readline(MAX_LINE_BYTES) not in (b"\r\n", b"\n", b""):  # trailers
                pass
            return bytes(body)
        body += _read_exactly(stream, size)
        if stream.read(2) != b"\r\n":
            raise NoAnswerError("a chunk is not as long as its size")
    raise NoAnswerError("a malformed chunk")


def _read_exactly(stream: BinaryIO, size: int) -> bytes:
    if size > MAX_BODY_BYTES:
        raise NoAnswerError("too large")
    if len(body := stream.read(size)) < size:
        raise NoAnswerError("it ends early")
    return body


def _unpacked(body: bytes, coding: str) -> bytes:
    """RFC 9110 §8.4: we ask for no coding, but a proxy may have added one."""
    if not body or coding == "identity":
        return body
    if coding not in ("gzip", "x-gzip", "deflate"):
        raise NoAnswerError("an unknown content coding")
    unpacker = zlib.decompressobj(wbits=47)  # of either format
    try:
        body = unpacker.decompress(body, MAX_BODY_BYTES + 1)
    except zlib.error:
        raise NoAnswerError("not of its content coding") from None
    if len(body) > MAX_BODY_BYTES:
        raise NoAnswerError("too large")
    if not unpacker.eof or unpacker.unused_data:
        raise NoAnswerError("it ends early")
    return body


def _read_line(stream: BinaryIO, limit: int) -> tuple[str, int]:
    """A line without its end, and what it leaves of a limit of bytes."""
    line = stream.readline(limit + 1)
    if len(line) > limit:
        raise NoAnswerError("too large")
    if not line.endswith(b"\n"):
        raise NoAnswerError("it ends early")
    text = line.decode("latin-1").removesuffix("\n").removesuffix("\r")
    if "\r" in text:  # §2.2
        raise NoAnswerError("a carriage return within a line")
    return text, limit - len(line)
