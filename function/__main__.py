"""The command line: `python -m function plan`, `sweep` or `doctor`. It is configured as the functions are."""

import argparse
import gc
import itertools
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from io import TextIOWrapper
from pathlib import Path
from typing import Final, TextIO, cast

from .backups import Planned
from .cloud.api import read_backups
from .cloud.engines import ENGINES
from .delivery import Delivery
from .errors import ConfigError, NotFinalError
from .events.grammar import read_time
from .events.planning import DUE, Tick
from .exchange import Answer
from .log import start_logging
from .parts import make_parts
from .planner_settings import PlannerSettings
from .retention.page import to_page
from .retention.plan import FIRST, Listing, Plan, make_plan
from .retention.policy import read_policy_file
from .retention.report import to_json, to_table
from .run import COLLECT_AFTER, Planner
from .strict_json import read_json

FAULT: Final = 2
LEFT: Final = 1
STANDARD_ERROR: Final = 2
LAST_YEAR: Final = 9000  # far from the end of what Python's calendar has
MOVED: Final = "The list changed while it was read: backups may be missing here"
SOURCE: Final = "/backup-reaper/command-line"


class UsageError(Exception):
    """The command line is wrong; the message says what to change."""


def main(arguments: Sequence[str], env: Mapping[str, str]) -> int:
    """Run one command; returns the exit code."""
    options = make_parser().parse_args(arguments)
    env = {**env, **({"REAPER_POLICY_FILE": options.policy} if getattr(options, "policy", None) else {})}
    try:
        _refuse_empty(options)
        code: int = options.run(options, env)
    except (ConfigError, NotFinalError, UsageError) as error:
        _write([f"{options.command}: {error}"], sys.stderr)
        return FAULT
    return code


def make_parser() -> argparse.ArgumentParser:
    """What the command line takes."""
    parser = argparse.ArgumentParser(
        prog="python -m function",
        allow_abbrev=False,  # a word that is cut short must not become --confirm
        description="Look at the backups by your retention policy. Settings come from the environment.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="plan | sweep | doctor")
    add_command = partial(commands.add_parser, allow_abbrev=False)
    plan = add_command("plan", help="show what is kept and what has expired; changes nothing")
    plan.set_defaults(run=_plan)
    sweep = add_command("sweep", help="delete now what has expired, with the reaper's guards")
    sweep.set_defaults(run=_sweep)
    sweep.add_argument("--confirm", action="store_true", help="without it, sweep only shows the plan")
    for command in (plan, sweep):
        command.add_argument("--policy", metavar="FILE", help="the policy file; default REAPER_POLICY_FILE")
    plan.add_argument("--backups", metavar="LIST.json", nargs="+", help="saved answers of the list API, of one project")
    plan.add_argument("--project", metavar="ID", help="the project of --backups; default the only one in the policy")
    plan.add_argument("--engine", choices=list(ENGINES), default="taurusdb", help="the engine of --backups")
    plan.add_argument("--as-of", metavar="TIME", help="plan for this moment, such as 2026-12-24T00:00:00Z; default now")
    shape = plan.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="for programs")
    shape.add_argument("--html", metavar="FILE", help="write a page that can be printed and signed")
    doctor = add_command("doctor", help="check this set-up, without deleting anything")
    doctor.set_defaults(run=_doctor)
    return parser


def _refuse_empty(options: argparse.Namespace) -> None:
    """An empty value is a variable of a script that was not set: it does not mean that the option is absent."""
    for name, value in vars(options).items():
        if value == "":
            raise UsageError(f"--{name.replace('_', '-')} must not be empty")


def _plan(options: argparse.Namespace, env: Mapping[str, str]) -> int:
    as_of = _moment(getattr(options, "as_of", None))
    plan = _plan_saved(options, env, as_of) if getattr(options, "backups", None) else _plan_listed(env, as_of)
    if getattr(options, "json", False):
        _write([json.dumps(to_json(plan), indent=2)])
    elif file := getattr(options, "html", None):
        _write_page(Path(file), to_page(plan))
        _write([f"The plan is in {file}"], sys.stderr)
    else:
        colour = sys.stdout.isatty() and not env.get("NO_COLOR")
        _write(to_table(plan, width=shutil.get_terminal_size().columns, colour=colour))
    return 0


def _plan_listed(env: Mapping[str, str], as_of: datetime) -> Plan:
    config, settings = PlannerSettings.from_env(env)
    planner = Planner.of(config, settings, make_parts(config))
    plan, moved = planner.make_plan(as_of, _delivery(settings.deadline_seconds), _progress())
    if moved:
        _write([MOVED], sys.stderr)
    return plan


def _plan_saved(options: argparse.Namespace, env: Mapping[str, str], as_of: datetime) -> Plan:
    if not (path := env.get("REAPER_POLICY_FILE")):
        raise UsageError("name the policy file with --policy")
    file = read_policy_file(_read(path), engines=ENGINES)
    engine = ENGINES[options.engine]
    projects = {project for policy in file.policies for project in policy.projects if policy.engine == engine.name}
    if not options.project and len(projects) != 1:
        raise UsageError(
            f"the policy names {len(projects)} projects of {engine.name}: say whose list it is with --project"
        )
    if options.project and options.project not in projects:
        there = ", ".join(sorted(projects)) or "none"
        raise UsageError(f"no policy of {engine.name} names the project {options.project}; there is: {there}")
    backups, total_count = [], 0
    for path in options.backups:
        content = _read(path)
        try:
            read_json(content)  # what is wrong with it, `read_backups` does not say
            page, total_count = read_backups(Answer(200, {}, content), engine)
        except (ValueError, NotFinalError) as error:
            why = error.error_msg if isinstance(error, NotFinalError) else error
            raise UsageError(f"{path} is not a saved answer of the list API: {why}") from None
        backups += page
    listed = len({backup.id for backup in backups})
    if not 0 <= total_count <= listed:
        raise UsageError(
            f"these are {listed} of {total_count} backups: save every page of the list, and name all files"
        )
    listing = Listing(engine=engine.name, project_id=options.project or projects.pop(), backups=backups)
    return make_plan([listing], file, as_of)


def _sweep(options: argparse.Namespace, env: Mapping[str, str]) -> int:
    if not options.confirm:
        code = _plan(options, env)
        _write(["Nothing was deleted. To delete what has expired, add --confirm"], sys.stderr)
        return code
    config, settings = PlannerSettings.from_env({**env, "REAPER_PLANNER_MODE": "sweep"})
    start_logging(config.log_level, config.secrets, STANDARD_ERROR)
    if config.paused:
        raise ConfigError("REAPER_PAUSED is true: nothing is deleted")
    planner = Planner.of(config, settings, make_parts(config))
    now = _now()
    tick = Tick(source=SOURCE, id=now.isoformat(), type=DUE, time=now, dry_run=False)
    delivery = _delivery(settings.deadline_seconds)
    planned, attributes, data = planner.carry_out(tick, delivery)
    try:
        if planner.publish:  # before anything is printed, which can fail: no later run has this report
            planner.publish(attributes, data, delivery.part(config.deadline_seconds))
    finally:
        _write(_summary(planned, data))
    return LEFT if planned.counts["left"] or planned.counts.get("failed") else 0


def _summary(planned: Planned, data: Mapping[str, object]) -> Iterator[str]:
    counts = planned.counts
    words = [f"{counts.get(word, 0)} {word}" for word in ("deleted", "skipped", "failed", "left")]
    yield f"{counts['listed']} backups, {counts['expired']} expired: {', '.join(words)}"
    if data["list_moved"]:
        yield MOVED
    if planned.mode == "report":
        yield "Nothing was deleted: REAPER_DRY_RUN is true"
    if counts["refused"]:
        yield f"{counts['refused']} more would expire, but their instances are over a limit: see plan"
    if stopped := data.get("stopped"):
        yield f"Ended early: {stopped}"
    if counts["left"]:
        yield "What is left has no final outcome yet: run sweep again"


def _doctor(options: argparse.Namespace, env: Mapping[str, str]) -> int:
    from .doctor import examine  # the other commands start without it

    ok = True
    for finding in examine(env, _now()):
        _write([f"{'ok  ' if finding.ok else 'FAIL'}  {finding.text}"])
        ok &= finding.ok
    return 0 if ok else LEFT


def _moment(text: str | None) -> datetime:
    if text is None:
        return _now()
    try:
        time = read_time(text)
    except ValueError as error:
        raise UsageError(f"--as-of {error}") from None
    if not FIRST.year <= time.year <= LAST_YEAR:
        raise UsageError(f"--as-of must be in the years {FIRST.year} to {LAST_YEAR}")
    return time


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251  # the wall clock enters here


def _delivery(seconds: float) -> Delivery:
    return Delivery(now=_now(), until=time.monotonic() + seconds)


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no path"
        raise UsageError(f"{path} cannot be read: {why}") from None


def _write(lines: Iterable[str], output: TextIO | None = None) -> None:
    """Print lines, on standard output unless another one is named."""
    output = output or sys.stdout
    try:
        for line in lines:
            print(line, file=output)
        output.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), output.fileno())  # at its end, Python tries once more
        if not isinstance(error, BrokenPipeError):  # `| head` has seen enough
            raise UsageError(f"the output cannot be written: {error.strerror}") from None


def _write_page(path: Path, lines: Iterable[str]) -> None:
    try:
        path.write_text("".join(lines), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None


def _progress() -> Callable[[], None]:
    """Counts the pages on a terminal: a long list takes a while."""
    pages = itertools.count(1)

    def tell() -> None:
        number = next(pages)
        if sys.stderr.isatty():
            print(f"\rreading page {number} ", end="\r", file=sys.stderr, flush=True)

    return tell


if __name__ == "__main__":
    gc.set_threshold(COLLECT_AFTER)
    # One that the caller closed is None, and the next socket would get its number.
    sys.stdout, sys.stderr = (stream or Path(os.devnull).open("w") for stream in (sys.stdout, sys.stderr))  # noqa: SIM115
    cast("TextIOWrapper", sys.stdout).reconfigure(errors="replace")  # for a name that the terminal cannot show
    try:
        sys.exit(main(sys.argv[1:], os.environ))  # noqa: TID251  # read here and nowhere else
    except KeyboardInterrupt:
        sys.exit("\nStopped. What was already deleted is gone; run plan to see what is left.")
