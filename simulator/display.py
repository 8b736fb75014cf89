"""What the demo and `make serve` print: colours, curl lines, the account as a table."""

import os
import re
import shlex
import shutil
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import partial
from typing import Final

from .exchange import Json

COLOURED: Final = sys.stdout.isatty() and "NO_COLOR" not in os.environ
BOLD, RED, GREEN = 1, 31, 32
PLAN_ROW: Final = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d .*  (?=keep: |expired: )")
MAX_ROWS: Final = 9  # of an instance; of more, the newest three are shown

say = partial(print, flush=True)


def painted(colour: int, text: str) -> str:
    """Return the text in a colour, or unchanged where the output has none."""
    return f"\33[{colour}m{text}\33[0m" if COLOURED else text


def curl(url: str, event: str, headers: Mapping[str, str]) -> str:
    """Return the command that sends an event, a file or `-`, from this directory; it needs curl 7.82 or newer."""
    given = "".join(f" \\\n      -H {shlex.quote(f'{name}: {value}')}" for name, value in headers.items())
    return f"curl -i {url}{given} \\\n      --json {shlex.quote(f'@{event}')}"


def fitted(beginning: str, text: str) -> Iterator[str]:
    """Yield a line, or several where the terminal is narrower; they break only at blanks and within a URL's path."""
    columns, line = shutil.get_terminal_size().columns, beginning
    for piece in re.findall(r"[^ /?]*[ /?]|[^ /?]+", text):
        if len(line + piece.rstrip()) > columns and line.strip():
            yield line.rstrip()
            line = " " * len(beginning)
        line += piece
    yield line


def gigabytes(backups: Iterable[Mapping[str, Json]]) -> str:
    """Return the sum of the backups' sizes."""
    return f"{sum(backup['size'] for backup in backups) / 1024:,.1f} GB"


def abridged_plan(lines: Iterable[str]) -> Iterator[str]:
    """Yield a plan's lines, of each instance's backups only the first for each combination of reasons."""
    seen: set[str] = set()
    shown, omitted = True, 0
    for line in lines:
        if PLAN_ROW.match(line):
            kind = re.sub(r"\d", "", PLAN_ROW.sub("", line))
            shown = kind not in seen
            seen.add(kind)
            omitted += not shown
        elif not line.startswith(" "):  # no row that goes on
            shown = True
            seen.clear()
        if shown and omitted:
            yield f"  … {omitted} more"
            omitted = 0
        if shown:
            yield line


def account_table(backups: Iterable[Mapping[str, Json]], gone: Collection[str] = ()) -> Iterator[str]:
    """Yield the lines of a table of the state's backups, ids unabridged; names are cut to the terminal's width."""
    projects: dict[str, dict[str, list[Mapping[str, Json]]]] = {}
    for backup in backups:
        projects.setdefault(backup["project_id"], {}).setdefault(backup["instance_id"], []).append(backup)
    for project_id, instances in projects.items():
        yield f"project {project_id}"
        for instance_id, listed in instances.items():
            size = gigabytes(backup for backup in listed if backup["id"] not in gone)
            yield painted(BOLD, f"instance {instance_id}  {listed[0]['instance_name']}  {size}")
            shown = listed if len(listed) <= MAX_ROWS else [*listed[:3], *(it for it in listed[3:] if it["id"] in gone)]
            yield from (_row(backup, backup["id"] in gone) for backup in shown)
            if len(shown) < len(listed):
                yield f"  … and {len(listed) - len(shown)} more, the oldest of {listed[-1]['begin_time'][:10]}"


def _row(backup: Mapping[str, Json], gone: bool) -> str:
    state = "gone" if gone else backup["status"] if backup["type"] == "manual" else "automated"
    row = f"{'-' if gone else ' '} {backup['id']:36}  {backup['begin_time'][:10]}  {state:9}  "
    left = shutil.get_terminal_size().columns - len(row)
    name = backup["name"]
    row += name if len(name) <= left else f"{name[: max(left - 1, 0)]}…"
    return painted(RED, row) if gone else row
