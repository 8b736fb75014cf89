"""See backups being deleted: the simulator and the functions run as processes, and events are sent to them.

`python -m simulator.demo [EVENT ...]` sends these files, or those of `events/`. It compares each answer with the one
in the file's name: `<case>.<answer>.json`. A file without an answer in its name is only sent. If no file is named, a
retention policy, its plan and a sweep follow.
"""

import argparse
import http.client
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .client import backups, exchange, take_calls
from .display import BOLD, GREEN, RED, account_table, curl, fitted, painted, say
from .exchange import Json
from .loop import show_loop
from .processes import ROOT, Running, note_signals, run_function, run_simulator, settings_of

SERVED: Final = "http://127.0.0.1:8080"  # where `make serve` listens
HIDDEN: Final = frozenset({"project_id", "backup_id", "request", "request_id"})  # repeated from the event, or random


@dataclass(frozen=True, slots=True)
class Sample:
    """An event in a file; the file's name can say how it is answered."""

    path: Path
    event: bytes

    @property
    def expected(self) -> str:
        """The answer in short; empty if the name says none."""
        return self.path.stem.partition(".")[2]

    @property
    def backup_id(self) -> str:
        """The backup that the event names."""
        return str(json.loads(self.event)["data"]["backup_id"])


@dataclass(frozen=True, slots=True)
class Answer:
    """A status (0: no answer came), `Retry-After` if there was one, and a body: JSON, or else text."""

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
        """The kind of answer, and its most important members."""
        match self.body:
            case {"type": str(kind), "data": dict(data)}:
                return kind, {name: value for name, value in data.items() if name not in HIDDEN}
            case {"title": str(kind), "error_code": code, "error_msg": message}:
                return kind, {"error_code": code, "error_msg": message, "Retry-After": self.retry_after}
        return "", {"body": self.body}


def main() -> int | str:
    """Run until done or told to end; return the exit status, or what is wrong."""
    parser = argparse.ArgumentParser(prog="python -m simulator.demo", description=__doc__)
    parser.add_argument("events", nargs="*", type=Path, metavar="EVENT", help="a file named <case>.<answer>.json")
    asked = parser.parse_args()
    ends = note_signals()
    try:
        samples = read_samples(asked.events)
        with run_simulator() as simulator:
            settings = {"REAPER_API_ENDPOINT": simulator.url, "HW_AUTH_TOKEN": "demo-token"}
            with run_function(settings) as function:
                status = _demonstrate(simulator, function, samples, ends)
            return status if status or asked.events else show_loop(simulator, ends)
    except BrokenPipeError:  # whoever was reading has closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (OSError, RuntimeError, http.client.HTTPException) as error:
        return 128 + ends[0] if ends else str(error)


def read_samples(paths: Sequence[Path]) -> list[Sample]:
    """Read these events, or those of `events/` if there are none."""
    return [Sample(path, path.read_bytes()) for path in paths or sorted((ROOT / "events").glob("*.json"))]


def _demonstrate(simulator: Running, function: Running, samples: Sequence[Sample], ends: Sequence[int]) -> int:
    before = backups(simulator)
    _introduce(before)
    wrong = 0
    for sample in samples:
        if ends:
            return 128 + ends[0]
        wrong += not _deliver(simulator, function, sample)
    gone = {backup["id"] for backup in before} - {backup["id"] for backup in backups(simulator)}
    say(painted(BOLD, f"The account's backups now: {len(gone)} gone, {len(before) - len(gone)} there"))
    touched = {backup["project_id"] for backup in before if backup["id"] in gone}
    say(*account_table([backup for backup in before if backup["project_id"] in touched], gone), "", sep="\n")
    named = {sample.backup_id for sample in samples if sample.expected == "deleted"}
    if not all(sample.expected for sample in samples):
        say(f"Sent {len(samples)}; a file named like those of events/ would also be checked.")
        return 0
    if not wrong and gone == named:
        say(painted(GREEN, f"All {len(samples)} answers are what the samples' names say, and so is what is gone.\n"))
        return 0
    say(painted(RED, f"{wrong} of {len(samples)} answers are not what the samples' names say."))
    say(f"Gone: {', '.join(sorted(gone))}; by the names: {', '.join(sorted(named))}.")
    say(f"The function's log:\n{function.output}")
    return 1


def _introduce(account: Sequence[Mapping[str, Json]]) -> None:
    unused = settings_of(os.environ)
    if unused:
        say(f"The demo has settings of its own. Not used: {', '.join(unused)}; `make serve` uses them.\n")
    say(painted(BOLD, "The account's backups (a simulator plays Huawei Cloud)"))
    say(*account_table(account), "", sep="\n")
    say("Each event is sent as its curl line says. To send it yourself, run `make serve`\nin another terminal.\n")


def _deliver(simulator: Running, function: Running, sample: Sample) -> bool:
    """Deliver a sample, print the answer and the API's calls; return whether it is the answer that its name says."""
    say(painted(BOLD, sample.path.stem))
    say(f"  $ {curl(SERVED, os.path.relpath(sample.path), {})}")
    answer = _answer(function, sample)
    calls = take_calls(simulator)
    for asked in [f"{call['method']} {call['path']} -> {call['status']}" for call in calls] or ["was not asked"]:
        say(*fitted("  API  ", asked), sep="\n")
    kind, members = answer.at_a_glance
    say(f"  {answer.status}  {kind}")
    for name, value in members.items():
        if value is not None:
            say(*fitted(f"       {name:14}  ", value if isinstance(value, str) else json.dumps(value)), sep="\n")
    good = sample.expected in ("", answer.in_short)
    say(painted(GREEN, "  OK\n") if good else painted(RED, f"  NOT  {sample.expected}, but {answer.in_short}\n"))
    return good


def _answer(function: Running, sample: Sample) -> Answer:
    try:
        status, retry_after, text = exchange(function, "POST", "/", sample.event)
    except (OSError, http.client.HTTPException) as error:
        return Answer(0, None, repr(error))
    try:
        return Answer(status, retry_after, json.loads(text))
    except ValueError:
        return Answer(status, retry_after, text.decode(errors="replace"))


if __name__ == "__main__":
    sys.exit(main())
