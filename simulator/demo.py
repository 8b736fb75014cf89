"""See backups being deleted: the simulator and the function as processes, and sample events sent as with curl.

`python -m simulator.demo [EVENT ...]` sends these files, or those of `events/`, and says whether each answer is what
the file's name says: `<case>.<answer>.json`. With `--serve` both processes stay up instead, to send events to.
"""

import argparse
import http.client
import json
import os
import shlex
import signal
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from .exchange import Json
from .processes import ROOT, Running, run_function, run_simulator

MEDIA_TYPE: Final = "application/cloudevents+json"
ANSWER_SECONDS: Final = 30.0  # the function's own deadline is 20
UNTOLD: Final = frozenset({"project_id", "backup_id", "request", "request_id"})  # seen in the event, or noise
COLOURED: Final = sys.stdout.isatty() and "NO_COLOR" not in os.environ
BOLD, RED, GREEN = 1, 31, 32
SERVING: Final = """\
function   {function}
simulator  {simulator}  (it plays Huawei Cloud)

Deliver an event, this one or another of events/:
  {curl}
See the account:
  curl -s {simulator}/_simulator/state | python3 -m json.tool
See what the function asked of the API:
  curl -s {simulator}/_simulator/calls | python3 -m json.tool
Begin anew:
  curl -s -X POST {simulator}/_simulator/reset
Follow the function's log:
  tail -f {log}

Ctrl-C stops both.
"""

_print = partial(print, flush=True)


@dataclass(frozen=True, slots=True)
class Sample:
    """An event in a file whose name says what is answered."""

    path: Path
    event: bytes

    @property
    def expected(self) -> str:
        """The answer in short."""
        return self.path.stem.partition(".")[2]

    @property
    def backup_id(self) -> str:
        """The backup the event is about."""
        return str(json.loads(self.event)["data"]["backup_id"])


@dataclass(frozen=True, slots=True)
class Answer:
    """A status (0: there was no answer), `Retry-After` if it was there, and a body: JSON, or else text."""

    status: int
    retry_after: str | None
    body: Json

    @property
    def in_short(self) -> str:
        """The answer in the words of a sample's name."""
        match self.status, self.body:
            case 200, {"type": "dev.backup-reaper.backup.deleted.v1", "data": {"already_absent": bool(absent)}}:
                return "deleted.already_absent" if absent else "deleted"
            case 200, {"type": "dev.backup-reaper.backup.deletion-failed.v1", "data": {"error_code": str(code)}}:
                return f"failed.{code}"
            case 200, {"type": "dev.backup-reaper.backup.deletion-skipped.v1", "data": {"reason": str(reason)}}:
                return f"skipped.{reason}"
            case _, {"error_code": str(code)}:
                return f"{self.status}.{code}"
        return str(self.status)

    @property
    def at_a_glance(self) -> tuple[str, Mapping[str, Json]]:
        """What kind of answer it is, and its telling members."""
        match self.body:
            case {"type": str(kind), "data": dict(data)}:
                return kind, {name: value for name, value in data.items() if name not in UNTOLD}
            case {"title": str(kind), "error_code": code, "error_msg": message}:
                return kind, {"error_code": code, "error_msg": message, "Retry-After": self.retry_after}
        return "", {"body": self.body}


def main() -> int | str:
    """Run until done or told to end; the exit status, or what is wrong."""
    parser = argparse.ArgumentParser(prog="python -m simulator.demo", description=__doc__)
    parser.add_argument("--serve", action="store_true", help="keep simulator and function up until Ctrl-C")
    parser.add_argument("events", nargs="*", type=Path, metavar="EVENT", help="a file named <case>.<answer>.json")
    asked = parser.parse_args()
    ends: list[int] = []  # a signal is only noted, so that what is just being started or stopped is not forgotten
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: ends.append(number))
    try:
        samples = [Sample(path, path.read_bytes()) for path in asked.events or sorted((ROOT / "events").glob("*.json"))]
        with run_simulator() as simulator, run_function(_settings(simulator)) as function:
            if asked.serve:
                return _serve(simulator, function, samples[0], ends)
            return _demonstrate(simulator, function, samples, ends)
    except BrokenPipeError:  # whoever read along has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (OSError, RuntimeError) as error:
        return str(error)


def _settings(simulator: Running) -> Mapping[str, str]:
    return {"REAPER_API_ENDPOINT": simulator.url, "HW_AUTH_TOKEN": "demo-token"}


def _serve(simulator: Running, function: Running, sample: Sample, ends: Collection[int]) -> int | str:
    curl = _curl(function, sample)
    _print(SERVING.format(function=function.url, simulator=simulator.url, curl=curl, log=function.log))
    while not ends:
        for running in (simulator, function):
            if running.process.poll() is not None:
                return f"{running.url} has ended:\n{running.output}"
        time.sleep(0.1)
    return 0


def _demonstrate(simulator: Running, function: Running, samples: Sequence[Sample], ends: Sequence[int]) -> int:
    before = _backups(simulator)
    _print_backups("The account's backups (a simulator plays Huawei Cloud)", before)
    good = 0
    for sample in samples:
        if ends:
            return 128 + ends[0]
        good += _deliver(simulator, function, sample)
    gone = {backup["id"] for backup in before} - {backup["id"] for backup in _backups(simulator)}
    _print_backups(f"The account's backups now: {len(gone)} gone, {len(before) - len(gone)} there", before, gone)
    named = {sample.backup_id for sample in samples if sample.expected == "deleted"}
    if gone == named and good == len(samples):
        _print(_painted(GREEN, f"All {good} answers are what the samples' names say, and so is what is gone."))
        return 0
    _print(_painted(RED, f"{good} of {len(samples)} answers are what the samples' names say."))
    _print(f"Gone: {', '.join(sorted(gone))}; by the names: {', '.join(sorted(named))}.")
    _print(f"The function's log:\n{function.output}")
    return 1


def _deliver(simulator: Running, function: Running, sample: Sample) -> bool:
    """Deliver a sample, show how and what came of it, and say whether that is what its name says."""
    _print(_painted(BOLD, sample.path.stem))
    _print(f"  $ {_curl(function, sample)}")
    answer = _answer(function, sample)
    calls = _take_calls(simulator)
    for asked in [f"{call['method']} {call['path']} -> {call['status']}" for call in calls] or ["was not asked"]:
        _print(f"  API  {asked}")
    kind, members = answer.at_a_glance
    _print(f"  {answer.status}  {kind}")
    for name, value in members.items():
        if value is not None:
            _print(f"       {name:14}  {value if isinstance(value, str) else json.dumps(value)}")
    good = answer.in_short == sample.expected
    _print(_painted(GREEN, "  OK\n") if good else _painted(RED, f"  NOT  {sample.expected}, but {answer.in_short}\n"))
    return good


def _answer(function: Running, sample: Sample) -> Answer:
    try:
        status, retry_after, text = _exchange(function, "POST", "/", sample.event)
    except (OSError, http.client.HTTPException) as error:
        return Answer(0, None, repr(error))
    try:
        return Answer(status, retry_after, json.loads(text))
    except ValueError:
        return Answer(status, retry_after, text.decode(errors="replace"))


def _backups(simulator: Running) -> Sequence[Mapping[str, Json]]:
    backups: Sequence[Mapping[str, Json]] = json.loads(_exchange(simulator, "GET", "/_simulator/state")[2])["backups"]
    return backups


def _take_calls(simulator: Running) -> Sequence[Mapping[str, Json]]:
    calls: Sequence[Mapping[str, Json]] = json.loads(_exchange(simulator, "GET", "/_simulator/calls")[2])
    _exchange(simulator, "DELETE", "/_simulator/calls")
    return calls


def _exchange(running: Running, method: str, path: str, event: bytes | None = None) -> tuple[int, str | None, bytes]:
    connection = http.client.HTTPConnection(urlsplit(running.url).netloc, timeout=ANSWER_SECONDS)
    with closing(connection):
        connection.request(method, path, event, {"Content-Type": MEDIA_TYPE} if event else {})
        response = connection.getresponse()
        return response.status, response.getheader("Retry-After"), response.read()


def _curl(function: Running, sample: Sample) -> str:
    """The command that sends what the demo sends, for a shell in the same directory."""
    file = shlex.quote(f"@{os.path.relpath(sample.path)}")
    return f"curl -i {function.url} -H 'Content-Type: {MEDIA_TYPE}' \\\n      --data-binary {file}"


def _print_backups(title: str, backups: Sequence[Mapping[str, Json]], gone: Collection[str] = ()) -> None:
    rows = [("backup", "id", "type", "status", "begun", "MB")]
    for backup in backups:
        status = "gone" if backup["id"] in gone else backup["status"]
        begun, size = backup["begin_time"][:10], f"{backup['size']:.0f}"
        rows.append((backup["name"], backup["id"][:8], backup["type"], status, begun, size))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    _print(_painted(BOLD, title))
    for row in rows:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        _print(_painted(RED, f"- {line}") if "gone" in row else f"  {line}")
    _print()


def _painted(colour: int, text: str) -> str:
    return f"\33[{colour}m{text}\33[0m" if COLOURED else text


if __name__ == "__main__":
    sys.exit(main())
