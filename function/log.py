"""Log lines: one JSON object each, on standard output, without secrets and without the text of exceptions.

No delivery waits for a reader of the log: lines that find no room are dropped, and the next line says how many.
"""

import json
import logging
import os
import select
import stat
import time
import traceback
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Final

from .exchange import bounded
from .redaction import Redactor

MAX_LINE_CHARS: Final = 16_000  # container engines break longer lines into pieces
MAX_FRAMES_CHARS: Final = 8_000
PATIENCE_SECONDS: Final = 0.5  # how long lines wait for a slow reader, all together
PATIENCE_SHARE: Final = 0.05  # of the time that passes, patience comes back
MIN_PATIENCE_SECONDS: Final = 0.05  # with less than this, lines do not wait at all
STANDARD_OUTPUT: Final = 1
_STANDARD: Final = vars(logging.makeLogRecord({})).keys()  # what is not among these came as `extra`


class LineWriter:
    """Writes complete lines to a file descriptor, and drops them where nobody reads.

    Attributes:
        dropped: how many lines were dropped since the last that was written.
    """

    def __init__(self, output: int) -> None:
        self._given = output
        self._output, self._may_wait = _opened_without_waiting(output)
        self._rest = b""  # of a line that was taken in part
        self._patience, self._measured = PATIENCE_SECONDS, time.monotonic()
        self.dropped = 0

    def write(self, line: bytes) -> None:
        """Write a line, or count it as dropped."""
        if self.flush():
            self._rest = line
            if self.flush() or len(self._rest) < len(line):
                self.dropped = 0
                return
            self._rest = b""
        self.dropped += 1

    def flush(self) -> bool:
        """Write the rest of the last line; false if it is not all written."""
        while self._rest:
            try:
                self._rest = self._rest[self._take(self._rest) :]
            except BlockingIOError:
                if not self._wait():
                    return False
            except OSError:  # the reader is gone, the disk is full
                return False
        return True

    def close(self) -> None:
        """Close what was opened here."""
        if self._output != self._given:
            os.close(self._output)

    def _take(self, data: bytes) -> int:
        if not self._may_wait:
            return os.write(self._output, data)
        if not _has_room(self._output, 0):
            raise BlockingIOError
        return os.write(self._output, data[: select.PIPE_BUF])  # there is room for as much as this, if there is any

    def _wait(self) -> bool:
        """Wait for room, as long as patience lasts."""
        now = time.monotonic()
        patience = min(PATIENCE_SECONDS, self._patience + PATIENCE_SHARE * (now - self._measured))
        if patience < MIN_PATIENCE_SECONDS:
            return False
        has_room = _has_room(self._output, patience)
        self._measured = time.monotonic()
        self._patience = max(0.0, patience - (self._measured - now))
        return has_room


def _opened_without_waiting(output: int) -> tuple[int, bool]:
    """A descriptor for the same output, and whether a write to it may wait.

    O_NONBLOCK is a flag of the open file, which other processes share. So a pipe or a terminal is opened once more.
    """
    mode = os.fstat(output).st_mode
    if stat.S_ISREG(mode):
        return output, False
    try:
        return os.open(f"/proc/self/fd/{output}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY), False
    except OSError:  # a socket, another user's pipe, a system without /proc
        return output, True


def _has_room(output: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(output, select.POLLOUT)
    return bool(poll.poll(seconds * 1000))


class _JsonHandler(logging.Handler):
    def __init__(self, output: int, secrets: Collection[str]) -> None:
        super().__init__()
        self._writer = LineWriter(output)
        self._encode = json.JSONEncoder(default=_plain).encode
        self._redactor = Redactor(secrets)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._writer.write(f"{self._line(record)}\n".encode())
        except Exception:
            self.handleError(record)

    def flush(self) -> None:
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()
        super().close()

    def _line(self, record: logging.LogRecord) -> str:
        fields: dict[str, object] = {"message": record.getMessage(), "severity": record.levelname}
        fields |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info and (kind := record.exc_info[0]):  # frames only: its text can hold what it failed on
            frames = "".join((*traceback.format_tb(record.exc_info[2]), kind.__name__))
            fields["exc_info"] = frames[-MAX_FRAMES_CHARS:]
        if self._writer.dropped:
            fields["dropped_lines"] = self._writer.dropped
        fields["time"] = datetime.fromtimestamp(record.created, UTC).isoformat()
        line = self._encode(fields)
        if self._redactor.suspects(line.encode()):
            line = self._encode({name: self._redactor.redact(value) for name, value in json.loads(line).items()})
        if len(line) > MAX_LINE_CHARS:
            line = self._encode(_cut(json.loads(line)))
        return line


def _cut(value: object) -> object:
    """A value of JSON with each text cut to what a message may have; frames are cut already, at their other end."""
    match value:
        case str():
            return bounded(value)
        case dict():
            return {name: inner if name == "exc_info" else _cut(inner) for name, inner in value.items()}
        case list():
            return [_cut(inner) for inner in value]
        case _:
            return value


def _plain(value: object) -> object:
    return sorted(value) if isinstance(value, frozenset) else str(value)


def start_logging(level: str, secrets: Collection[str], output: int = STANDARD_OUTPUT) -> None:
    """Write all log lines from now on to a file descriptor."""
    # What the lines do not show need not be found out: https://docs.python.org/3/howto/logging.html#optimization
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.basicConfig(level=level, handlers=[_JsonHandler(output, secrets)], force=True)
