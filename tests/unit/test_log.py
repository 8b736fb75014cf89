"""Log lines are complete, and hold no secret and no exception text; no delivery waits for their reader."""

import json
import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from function.log import MAX_FRAMES_CHARS, MAX_LINE_CHARS, PATIENCE_SECONDS, LineWriter, start_logging
from tests.facts.strategies import json_values

PIPE_BYTES: Final = 1 << 16  # what a pipe holds unread


@pytest.fixture
def log() -> Iterator[logging.Logger]:
    """A logger as the function's; what was set up for the tests comes back afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield logging.getLogger("backup-reaper")
    root.handlers[:] = handlers
    root.setLevel(level)


def line(capfd: pytest.CaptureFixture[str]) -> dict[str, Any]:
    (text,) = capfd.readouterr().out.splitlines()
    read = json.loads(text)
    assert isinstance(read, dict)
    return read


def test_an_exception_shows_its_frames_and_its_kind_but_not_its_text(
    log: logging.Logger, capfd: pytest.CaptureFixture[str]
) -> None:
    """Its text could hold a secret."""
    start_logging("INFO", [])

    try:
        int("what it failed on")
    except ValueError:
        log.exception("unhandled exception")

    told = line(capfd)
    assert told["severity"] == "ERROR"
    assert "test_log.py" in told["exc_info"]
    assert told["exc_info"].endswith("ValueError")
    assert "invalid literal" not in told["exc_info"]


def test_a_secret_is_redacted_wherever_it_stands(log: logging.Logger, capfd: pytest.CaptureFixture[str]) -> None:
    start_logging("INFO", ["s3cret", "0"])

    log.info("a %s in the message", "s3cret", extra={"calls": [{"url": "x?s3cret"}], "seconds": 0.0, "none": None})

    told = line(capfd)
    assert told["message"] == "a [redacted] in the message"
    assert told["calls"] == [{"url": "x?[redacted]"}]
    assert (told["seconds"], told["none"]) == (0.0, None)


def test_a_secret_is_redacted_in_each_spelling_and_in_part(
    log: logging.Logger, capfd: pytest.CaptureFixture[str]
) -> None:
    start_logging("INFO", ['a "5ecret" of horses'])

    log.info(
        "told", extra={"calls": [{"url": "/?a%20%225ecret%22%20of%20horses"}], "id": '{"a": "a \\"5ecret\\" of ho'}
    )

    told = line(capfd)
    assert (told["calls"], told["id"]) == ([{"url": "/?[redacted]"}], '{"a": "[redacted]')
    assert told["message"] == "told"


def redacted(value: object, secret: str) -> object:
    if isinstance(value, str):
        return value.replace(secret, "[redacted]")
    if isinstance(value, dict):
        return {redacted(name, secret): redacted(inner, secret) for name, inner in value.items()}
    return [redacted(inner, secret) for inner in value] if isinstance(value, list) else value


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=3), json_values)
@example('a"b', {"a": 'xa"b'})  # JSON writes it otherwise
@example("\\", ["\\\\"])
@example("u00e4", "\xe4 \\u00e4")
def test_a_secret_is_redacted_in_every_value_and_nothing_else_is(
    log: logging.Logger, capfd: pytest.CaptureFixture[str], secret: str, value: object
) -> None:
    capfd.readouterr()
    start_logging("INFO", [secret])

    log.info("%s", secret, extra={"value": [value, secret]})

    told = line(capfd)
    assert (told["message"], told["value"]) == ("[redacted]", redacted([value, secret], secret))


def test_what_json_does_not_know_is_written_as_text(log: logging.Logger, capfd: pytest.CaptureFixture[str]) -> None:
    start_logging("INFO", [])

    log.info("told", extra={"set": frozenset("ba"), "age": timedelta(days=3)})

    told = line(capfd)
    assert (told["set"], told["age"]) == (["a", "b"], "3 days, 0:00:00")


def test_a_line_tells_its_time_in_utc(log: logging.Logger, capfd: pytest.CaptureFixture[str]) -> None:
    start_logging("INFO", [])

    log.info("told")

    written = datetime.fromisoformat(line(capfd)["time"])
    assert written.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - written) < timedelta(minutes=1)


# What comes from outside may be long.


def test_a_long_text_is_cut_and_the_line_stays_whole(log: logging.Logger, capfd: pytest.CaptureFixture[str]) -> None:
    start_logging("INFO", [])

    log.info(
        "told", extra={"request_id": "x" * 500_000, "calls": [{"url": "y" * 500_000, "status": 200}], "short": "z"}
    )

    told = line(capfd)
    assert (told["request_id"], told["short"]) == ("x" * 999 + "…", "z")
    assert told["calls"] == [{"url": "y" * 999 + "…", "status": 200}]
    assert len(json.dumps(told)) < MAX_LINE_CHARS


def test_a_secret_that_would_be_cut_is_redacted_first(log: logging.Logger, capfd: pytest.CaptureFixture[str]) -> None:
    start_logging("INFO", ["5ecret" * 3])

    log.info("told", extra={"text": "x" * 990 + "5ecret" * 3 + "x" * MAX_LINE_CHARS})

    assert "5ecret" not in json.dumps(line(capfd))


def test_many_frames_keep_their_end(log: logging.Logger, capfd: pytest.CaptureFixture[str]) -> None:
    start_logging("INFO", [])

    def even(depth: int) -> float:
        return odd(depth - 1)

    def odd(depth: int) -> float:
        return even(depth - 1) if depth > 1 else 1 / 0

    try:
        even(200)
    except ZeroDivisionError:
        log.exception("told", extra={"text": "x" * MAX_LINE_CHARS})

    frames = line(capfd)["exc_info"]
    assert len(frames) == MAX_FRAMES_CHARS
    assert frames.endswith("ZeroDivisionError")


def test_a_field_that_cannot_be_written_harms_nobody(log: logging.Logger, capfd: pytest.CaptureFixture[str]) -> None:
    class Broken:
        def __str__(self) -> str:
            raise LookupError

    start_logging("INFO", [])

    log.info("told", extra={"broken": Broken()})
    log.info("told again")

    assert line(capfd)["message"] == "told again"


# Nobody reads.


class Pipe:
    """A pipe whose reader takes nothing until it is told to."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()

    def __enter__(self) -> "Pipe":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.reader)
        os.close(self.writer)

    def read_all(self) -> bytes:
        """What is there."""
        os.set_blocking(self.reader, False)
        pieces = []
        try:
            while piece := os.read(self.reader, 1 << 20):
                pieces.append(piece)
        except BlockingIOError:
            pass
        return b"".join(pieces)


def numbered(count: int, size: int) -> list[bytes]:
    return [f"{number} ".encode().ljust(size - 1, b"x") + b"\n" for number in range(count)]


@pytest.mark.parametrize("size", [100, 4097, 10_000, PIPE_BYTES - 1, 3 * PIPE_BYTES])
def test_where_nobody_reads_lines_are_whole_or_dropped_and_nobody_waits(size: int) -> None:
    sent = numbered(3 * PIPE_BYTES // size + 3, size)
    with Pipe() as pipe:
        writer = LineWriter(pipe.writer)
        began, dropped = time.monotonic(), list[bytes]()
        for text in sent:
            before = writer.dropped
            writer.write(text)
            dropped += [text] if writer.dropped > before else []
        seconds = time.monotonic() - began

        taken = pipe.read_all()
        while not writer.flush():  # the rest of a line that was taken in part
            taken += pipe.read_all()
        taken += pipe.read_all()
        writer.close()

    assert dropped
    assert writer.dropped == len(dropped)
    assert taken == b"".join(text for text in sent if text not in dropped)
    assert seconds < 2 * PATIENCE_SECONDS


def test_the_other_processes_of_a_pipe_may_still_wait_for_its_reader() -> None:
    """O_NONBLOCK on the pipe itself would make their writes fail."""
    with Pipe() as pipe:
        LineWriter(pipe.writer).close()

        assert os.get_blocking(pipe.writer)


def test_where_a_reader_comes_back_in_time_nothing_is_dropped() -> None:
    sent = numbered(1000, 1000)
    with Pipe() as pipe:
        writer, taken = LineWriter(pipe.writer), bytearray()

        def read() -> None:
            while len(taken) < 1_000_000:
                taken.extend(os.read(pipe.reader, 1 << 16))

        reading = threading.Thread(target=read)
        reading.start()
        for text in sent:
            writer.write(text)
        reading.join()
        writer.close()

    assert (writer.dropped, bytes(taken)) == (0, b"".join(sent))


def test_a_socket_that_nobody_reads_holds_nobody_either() -> None:
    """It cannot be opened once more."""
    sent = numbered(3000, 1000)
    reader, output = socket.socketpair()
    with reader, output:
        writer = LineWriter(output.fileno())
        began = time.monotonic()
        for text in sent:
            writer.write(text)
        seconds = time.monotonic() - began
        writer.close()
        output.shutdown(socket.SHUT_WR)
        taken = b"".join(iter(lambda: reader.recv(1 << 20), b""))

    assert 0 < writer.dropped < 3000
    assert taken == b"".join(sent[: 3000 - writer.dropped])
    assert seconds < 2 * PATIENCE_SECONDS


def test_a_reader_that_is_gone_harms_nobody() -> None:
    reader, output = os.pipe()
    writer = LineWriter(output)
    os.close(reader)

    writer.write(b"told\n")

    assert writer.dropped == 1
    writer.close()
    os.close(output)


def test_patience_comes_back_with_time() -> None:
    with Pipe() as pipe:
        writer = LineWriter(pipe.writer)
        for text in numbered(200, 1000):  # no patience is left
            writer.write(text)
        time.sleep(1.2)  # five hundredths of it come back

        began = time.monotonic()
        writer.write(b"x" * 1000)

        assert 0.05 <= time.monotonic() - began < PATIENCE_SECONDS
        writer.close()


def test_the_next_line_says_how_many_were_dropped(log: logging.Logger) -> None:
    with Pipe() as pipe:
        start_logging("INFO", [], pipe.writer)
        for _ in range(1000):
            log.info("told", extra={"text": "x" * 900})
        first = pipe.read_all().splitlines()

        log.info("read again")
        log.info("and again")
        last = [json.loads(text) for text in pipe.read_all().splitlines()]
        logging.getLogger().handlers[0].close()

    assert all(json.loads(text)["message"] == "told" for text in first)
    assert [told.get("dropped_lines") for told in last] == [1000 - len(first), None]


def test_lines_go_to_the_end_of_a_file(log: logging.Logger, tmp_path: Path) -> None:
    (tmp_path / "log").write_text("before\n")
    with (tmp_path / "log").open("ab") as file:
        start_logging("INFO", [], file.fileno())
        log.info("told")
        logging.getLogger().handlers[0].close()

    before, after = (tmp_path / "log").read_text().splitlines()
    assert (before, json.loads(after)["message"]) == ("before", "told")
