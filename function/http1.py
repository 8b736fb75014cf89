"""An HTTP/1.1 answer, read whole from a stream of bytes, and by the letter; § are sections of RFC 9112.

http.client takes for an answer what is none (informational ones, an end within the headers, lengths that are no
numbers), and reads headers as those of an e-mail, which takes most of its time.
"""

import re
import zlib
from typing import BinaryIO, Final

from .exchange import Answer

MAX_BODY_BYTES: Final = 1 << 19  # as JSON in memory it can grow thirtyfold
MAX_FIELDS: Final = 100
WHITE: Final = " \t"  # RFC 9110 §5.6.3

_STATUS_LINE: Final = re.compile(r"HTTP/1\.([0-9]) ([1-9][0-9]{2})(?: .*)?")
_LENGTH: Final = re.compile("[0-9]{1,9}")
_CHUNK: Final = re.compile(r"([0-9A-Fa-f]{1,8})[ \t]*(?:;.*)?")


class NoAnswerError(ValueError):
    """What came is no answer in HTTP; the message says why, and shows nothing of it."""


def read_answer(stream: BinaryIO) -> tuple[Answer, bool]:
    """The final answer, and whether another one can follow it.

    Raises:
        NoAnswerError: this is no HTTP, ends early, or is too large.
    """
    status, fields = _read_head(stream)
    while 101 != status < 200:  # RFC 9110 §15.2
        status, fields = _read_head(stream)
    if status == 101:
        raise NoAnswerError("another protocol")
    length = _read_length(fields.get("content-length"))  # stricter than §6.3: a wrong one is never ignored
    coding = fields.get("transfer-encoding")
    follows = "close" not in fields.get("connection", "").lower()
    if status in (204, 304):
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


def _read_head(stream: BinaryIO) -> tuple[int, dict[str, str]]:
    """A status, and the fields by lower-case names."""
    if not (match := _STATUS_LINE.fullmatch(_read_line(stream))):
        raise NoAnswerError("no status line")
    fields = {"connection": "close"} if match[1] == "0" else {}  # §9.3
    name = ""
    for _ in range(MAX_FIELDS + 1):  # the empty line, too
        if not (line := _read_line(stream)):
            return int(match[2]), fields
        if line[0] in WHITE:  # §5.2: the last one goes on
            fields[name] = f"{fields.get(name, '')} {line.strip(WHITE)}".strip(WHITE)
            continue
        name, _, value = line.partition(":")
        name, value = name.lower(), value.strip(WHITE)
        fields[name] = f"{fields[name]}, {value}" if name in fields else value
    raise NoAnswerError("too many fields")


def _read_length(value: str | None) -> int | None:
    """§6.3: a list of one and the same number is that number."""
    if value is None:
        return None
    length, *others = {length.strip(WHITE) for length in value.split(",")}
    if others or not _LENGTH.fullmatch(length):
        raise NoAnswerError("no length")
    return int(length)


def _read_chunks(stream: BinaryIO) -> bytes:
    """§7.1; extensions and trailers tell us nothing."""
    chunks: list[bytes] = []
    while match := _CHUNK.fullmatch(_read_line(stream)):
        if not (size := int(match[1], 16)):
            while stream.readline() not in (b"\r\n", b"\n", b""):  # §8: the last chunk completes it
                pass
            return b"".join(chunks)
        chunks.append(_read_exactly(stream, size))
        if stream.read(2) != b"\r\n":
            raise NoAnswerError("a chunk is not as long as its size")
    raise NoAnswerError("no chunk")


def _read_exactly(stream: BinaryIO, size: int) -> bytes:
    if size > MAX_BODY_BYTES:
        raise NoAnswerError("too large")
    if len(body := stream.read(size)) < size:
        raise NoAnswerError("broken off")
    return body


def _unpacked(body: bytes, coding: str) -> bytes:
    """RFC 9110 §8.4: we ask for no coding, but somebody on the way may have given it one."""
    if not body or coding == "identity":
        return body
    if coding not in ("gzip", "x-gzip", "deflate"):
        raise NoAnswerError("a content coding that we do not read")
    unpacker = zlib.decompressobj(wbits=47)  # of either format
    try:
        body = unpacker.decompress(body, MAX_BODY_BYTES + 1)
    except zlib.error:
        raise NoAnswerError("not of its content coding") from None
    if len(body) > MAX_BODY_BYTES:
        raise NoAnswerError("too large")
    if not unpacker.eof or unpacker.unused_data:
        raise NoAnswerError("broken off")
    return body


def _read_line(stream: BinaryIO) -> str:
    """A line without its end."""
    line = stream.readline().decode("latin-1")
    if not line.endswith("\n"):
        raise NoAnswerError("broken off")
    text = line.removesuffix("\n").removesuffix("\r")
    if "\r" in text:  # §2.2
        raise NoAnswerError("a carriage return within a line")
    return text
