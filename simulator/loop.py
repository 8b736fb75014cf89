"""The demo's second part: a policy, its plan, a tick that carries it out, and what is left."""

import json
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from .client import backups, exchange, take_calls
from .display import BOLD, GREEN, RED, abridged_plan, account_table, fitted, gigabytes, painted, say
from .exchange import Json
from .history import PROJECT
from .plan import POLICY, planner_settings, start_plan
from .processes import ROOT, Running, run_function

RUN_SECONDS: Final = 300.0  # the planner's own deadline
SHOWN: Final = 5  # calls of the API; the others are counted


def show_loop(simulator: Running, ends: Sequence[int]) -> int:
    """Show how a policy empties the account of what has expired; return the exit status.

    Raises:
        RuntimeError: no plan could be made.
    """
    before = _project(simulator)
    say(painted(BOLD, f"A retention policy ({POLICY.relative_to(ROOT)})"))
    say(*(f"  {line}" for line in POLICY.read_text().splitlines() if line and not line.startswith("#")), "", sep="\n")
    as_of = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    expired = _show_plan(simulator, as_of)
    if ends:
        return 128 + ends[0]
    settings = {**planner_settings(simulator), "REAPER_PLANNER_MODE": "sweep", "REAPER_ALLOWED_PROJECT_IDS": PROJECT}
    with run_function(settings, target="plan_retention") as planner:
        say(painted(BOLD, "A tick: the planner, in mode sweep, deletes what has expired"))
        first = _tick(simulator, planner, as_of, "1")
        left = _project(simulator)
        say(painted(BOLD, "What is left"))
        say(*account_table(left), "", sep="\n")
        say(painted(BOLD, "The next tick, by the same policy"))
        second = _tick(simulator, planner, as_of, "2")
        gone = [backup for backup in before if backup not in left]
        if {backup["id"] for backup in gone} == expired and (first, second) == (len(expired), 0):
            say(painted(GREEN, f"{len(gone)} backups are gone, {gigabytes(gone)}: exactly those of the plan."))
            say(painted(GREEN, f"{len(left)} are left, {gigabytes(left)}."))
            return 0
        say(
            painted(
                RED, f"{len(gone)} backups are gone; the plan named {len(expired)}, the ticks {first} and {second}."
            )
        )
        say(f"The planner's log:\n{planner.output}")
        return 1


def _project(simulator: Running) -> list[Mapping[str, Json]]:
    return [backup for backup in backups(simulator) if backup["project_id"] == PROJECT]


def _show_plan(simulator: Running, as_of: str) -> set[str]:
    """Print the plan, and return the ids of the expired backups."""
    options = ("--as-of", as_of)
    with (
        start_plan(simulator, *options, output=subprocess.PIPE) as table,
        start_plan(simulator, *options, "--json", output=subprocess.PIPE) as program,
    ):
        shown, read = table.communicate()[0], program.communicate()[0]
    if table.returncode or program.returncode:
        raise RuntimeError("no plan could be made")
    take_calls(simulator)
    say(painted(BOLD, "What `python -m function plan` shows of it, abridged; `make plan` shows it all"))
    say(*abridged_plan(shown.splitlines()), "", sep="\n")
    verdicts = [backup for group in json.loads(read)["groups"] for backup in group["backups"]]
    return {backup["backup_id"] for backup in verdicts if backup["verdict"] == "expired"}


def _tick(simulator: Running, planner: Running, time: str, number: str) -> int | None:
    """Send a tick and print what came of it; return how many backups expired by its report, None without one."""
    tick = {"type": "dev.backup-reaper.retention.due.v1", "source": "/timers/daily", "id": number, "time": time}
    say(f"  event  {tick['type']}, id {number}")
    event = json.dumps({"specversion": "1.0", **tick}).encode()
    status, _, text = exchange(planner, "POST", "/", event, seconds=RUN_SECONDS)
    say(*_asked(take_calls(simulator)), sep="\n")
    match json.loads(text) if text.startswith(b"{") else text.decode(errors="replace"):
        case {"type": str(kind), "data": {"counts": {"listed": int(listed), "expired": int(expired), **more}}}:
            say(f"  {status}    {kind}")
            say(f"         {listed} listed, {expired} expired, {more.get('deleted', 0)} deleted, {more['left']} left\n")
            return expired
        case problem:
            say(*fitted(f"  {status}    ", json.dumps(problem)), "", sep="\n")
            return None


def _asked(calls: Sequence[Mapping[str, Json]]) -> Iterator[str]:
    """Yield the first calls of the API, and how many more there were."""
    for call in calls[:SHOWN]:
        yield from fitted("  API    ", f"{call['method']} {call['path']} -> {call['status']}")
    if more := Counter(f"{call['method']} -> {call['status']}" for call in calls[SHOWN:]):
        yield "         and " + ", ".join(f"{number} more {call}" for call, number in more.items())
