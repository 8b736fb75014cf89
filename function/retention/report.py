"""A plan as people and programs read it: a table for a terminal, and a value for JSON."""

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, tzinfo
from textwrap import wrap
from typing import Final

from .plan import Group, Plan
from .verdicts import Verdict

MIN_WIDTH: Final = 60  # below that a table is no table
MAX_NAME_CHARS: Final = 200  # a name of a megabyte would be read to its end only to be cut
_TIME_WIDTH: Final = 16
_SIZE_WIDTH: Final = 10
_GAP: Final = "  "
_NO_BREAK: Final = "\N{NO-BREAK SPACE}"


@dataclass(frozen=True, slots=True)
class Size:
    """A sum of sizes.

    Args:
        is_known: False if a backup's size is not told, so that the sum is more than `megabytes`.
    """

    megabytes: float
    is_known: bool

    @classmethod
    def of(cls, verdicts: Iterable[Verdict]) -> "Size":
        """The sum of some backups."""
        sizes = [verdict.backup.size_mb for verdict in verdicts]
        return cls(sum(size for size in sizes if size is not None), None not in sizes)

    def __str__(self) -> str:
        gigabytes = f"{self.megabytes / 1024:,.1f} GB"
        return gigabytes if self.is_known else f"{gigabytes} or more"


def shown_time(time: datetime | None, zone: tzinfo) -> str:
    """A time on the zone's clock, to the minute; as it is, if the zone cannot show it."""
    if time is None:
        return "no time"
    try:
        local = time.astimezone(zone) if time.tzinfo else time
    except OverflowError:  # a time in the first or last hours that Python knows
        local = time
    return local.strftime("%Y-%m-%d %H:%M")


def clean(text: str) -> str:
    """A text without anything that a terminal or a browser could obey: names are chosen by whoever makes backups."""
    shown = unicodedata.normalize("NFC", text[:MAX_NAME_CHARS])
    return "".join("\N{REPLACEMENT CHARACTER}" if _is_obeyed(character) else character for character in shown)


def _is_obeyed(character: str) -> bool:
    """Controls, formatting such as a change of direction, halves of surrogate pairs, line and paragraph separators."""
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def shown_name(verdict: Verdict) -> str:
    """The backup's name; its id if it has none."""
    return clean(verdict.backup.name or verdict.backup.id)


def shown_size(verdict: Verdict) -> str:
    """The backup's size in GB; a dash if it is not told."""
    if verdict.backup.size_mb is None:
        return "-"
    gigabytes = verdict.backup.size_mb / 1024
    if gigabytes < 10_000:
        return f"{gigabytes:.1f} GB"
    return f"{gigabytes:,.0f} GB" if gigabytes < 999_999 else f"{gigabytes:.1e} GB"  # what fits into the column


def outcome_text(group: Group) -> str:
    """A group's outcome in a sentence."""
    expired = [verdict for verdict in group.verdicts if verdict.expired]
    if not expired:
        return f"{group.outcome}: {_counted(len(group.verdicts), 'backup')}, {Size.of(group.verdicts)}, all kept"
    of_all = f"{len(expired)} of {_counted(len(group.verdicts), 'backup')}"
    sizes = f"{Size.of(expired)} of {Size.of(group.verdicts)}"
    if group.outcome == "planned":
        return f"{group.outcome}: {of_all} expired, {sizes}"
    allow = f"; to allow it, set {group.remedy} in [limits]" if group.remedy else ""
    return f"{group.outcome}. {of_all} expired, {sizes}, but none of them may go{allow}"


def totals_text(plan: Plan) -> str:
    """All groups in a sentence."""
    counts = plan.counts()
    everything = Size.of(verdict for group in plan.groups for verdict in group.verdicts)
    expired = Size.of(verdict for _, verdict in plan.expired())
    refused = f", {counts['refused']} over a limit" if counts["refused"] else ""
    automated = f", {counts['not_manual']} automated" if counts["not_manual"] else ""
    listed = f"{_counted(counts['listed'], 'backup')} in {_counted(len(plan.groups), 'instance')}"
    return (
        f"{listed}: {counts['expired']} expired ({expired} of {everything}), {counts['kept']} kept{refused}{automated}"
    )


def _counted(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def to_json(plan: Plan) -> dict[str, object]:
    """The plan for programs: what `--json` writes."""
    zone = plan.file.timezone
    return {
        "as_of": plan.as_of.astimezone(zone).isoformat(),
        "timezone": zone.key,
        "policy_file_sha256": plan.file.sha256,
        "groups": [_group_to_json(group) for group in plan.groups],
        "absent": [
            {"engine": engine, "project_id": project_id, "instance_id": instance_id}
            for engine, project_id, instance_id in plan.absent
        ],
        "counts": {
            **plan.counts(),
            "megabytes_expired": Size.of(verdict for _, verdict in plan.expired()).megabytes,
        },
    }


def _group_to_json(group: Group) -> dict[str, object]:
    return {
        "engine": group.engine,
        "project_id": group.project_id,
        "instance_id": group.instance_id,
        "policy": group.policy,
        "outcome": group.outcome,
        **({"remedy": group.remedy} if group.remedy else {}),
        "backups": [
            {
                "backup_id": verdict.backup.id,
                "begin_time": verdict.backup.begin_time and verdict.backup.begin_time.isoformat(),
                "verdict": "expired" if verdict.expired else "keep",
                "reasons": list(verdict.reasons),
            }
            for verdict in group.verdicts
        ],
    }


def to_table(plan: Plan, *, width: int, colour: bool) -> Iterator[str]:
    """The plan for a terminal, line by line.

    Args:
        width: of the terminal, in columns.
        colour: whether escape sequences may be used.
    """
    width = max(width, MIN_WIDTH)
    zone = plan.file.timezone
    yield f"Plan as of {shown_time(plan.as_of, zone)}, times in {zone.key}"
    for group in plan.groups:
        yield ""
        yield from _heading(group, width)
        yield ""
        for verdict in group.verdicts:
            yield from _row(verdict, zone, width, colour)
    yield ""
    for engine, project_id, instance_id in plan.absent:
        yield from wrap(
            f"A policy names instance {instance_id} ({engine}, project {project_id}), but the list has no manual backup"
            " of it",
            width,
        )
    yield from wrap(totals_text(plan), width)


def _heading(group: Group, width: int) -> Iterator[str]:
    facts = {
        "Instance": f"{group.instance_id or 'not known'} ({group.engine})",
        "Project": group.project_id,
        "Policy": group.policy or "none",
        "Outcome": outcome_text(group),
    }
    for name, text in facts.items():
        first, *more = wrap(text, width - 10)
        yield f"{name:10}{first}"
        yield from (f"{'':10}{line}" for line in more)


def _row(verdict: Verdict, zone: tzinfo, width: int, colour: bool) -> Iterator[str]:
    """A backup: when, name, size, and why; the reasons go on below if they need more than a line."""
    left = (width - _TIME_WIDTH - _SIZE_WIDTH - 3 * len(_GAP)) * 2 // 5
    row = _GAP.join(
        [
            f"{shown_time(verdict.backup.begin_time, zone):{_TIME_WIDTH}}",
            _fitted(shown_name(verdict), left),
            f"{shown_size(verdict):>{_SIZE_WIDTH}}",
        ]
    )
    word, code = ("expired", 31) if verdict.expired else ("keep", 32)
    indent = _TIME_WIDTH + left + _SIZE_WIDTH + 3 * len(_GAP)
    reasons = [reason.replace(" ", _NO_BREAK) for reason in verdict.reasons]
    first, *more = [line.replace(_NO_BREAK, " ") for line in wrap(f"{word}: {', '.join(reasons)}", width - indent)]
    if colour:
        first = f"\N{ESCAPE}[{code}m{word}\N{ESCAPE}[0m{first.removeprefix(word)}"
    yield f"{row}{_GAP}{first}"
    yield from (f"{'':{indent}}{line}" for line in more)


def _fitted(text: str, columns: int) -> str:
    """A text in exactly so many columns of a terminal; a longer one is cut."""
    if _columns(text) > columns:
        while _columns(text) > columns - 1:
            text = text[:-1]
        text += "\N{HORIZONTAL ELLIPSIS}"
    return text + " " * (columns - _columns(text))


def _columns(text: str) -> int:
    """Unicode Standard Annex #11: wide characters take two columns; a mark that joins the one before takes none."""
    return sum(2 if unicodedata.east_asian_width(each) in ("W", "F") else 0 if _joins(each) else 1 for each in text)


def _joins(character: str) -> bool:
    return unicodedata.category(character) in ("Mn", "Me")
