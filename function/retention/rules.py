"""The rules that keep backups, as restic defines them ("Removing backup snapshots" in its documentation).

Rules are independent of each other, and a backup is kept if one of them keeps it. So one more rule, or a larger number,
never makes a backup expire, and neither does an entry that is missing from the list.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Final

from .durations import Duration, window_start

# What names a period, from a time on the policy's clock. The repeated hour at the end of summer time is two hours.
# ISO 8601: weeks start on Monday, and 1 January 2023 is in week 52 of 2022.
PERIODS: Final[Mapping[str, Callable[[datetime], Hashable]]] = {
    "hourly": lambda local: (local.date(), local.hour, local.utcoffset()),
    "daily": lambda local: local.date(),
    "weekly": lambda local: local.isocalendar()[:2],
    "monthly": lambda local: (local.year, local.month),
    "yearly": lambda local: local.year,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepRules:
    """The rules of one policy.

    Args:
        last: how many of the newest backups stay; the newest one stays in any case.
        periods: for a name of `PERIODS`, how many of these periods keep their newest backup.
        within: what is newer than this, counted back from the newest backup, stays.
    """

    last: int
    periods: Mapping[str, int] = field(default_factory=dict)
    within: Duration | None = None


def keep_reasons(moments: Sequence[datetime], rules: KeepRules, zone: tzinfo) -> list[list[str]]:
    """Why each backup stays, by all rules that keep it; empty for one that no rule keeps.

    Args:
        moments: when the usable backups of one instance were made, newest first.
        zone: whose clock names the periods.
    """
    reasons: list[list[str]] = [[] for _ in moments]
    for number, kept in enumerate(reasons[: max(rules.last, 1)], 1):
        kept.append(f"last #{number}")
    local = [moment.astimezone(zone) for moment in moments]
    for name, period in PERIODS.items():
        if name in rules.periods:
            _keep_periods(name, rules.periods[name], [period(time) for time in local], reasons)
    if rules.within and moments:
        start = window_start(moments[0], rules.within, zone)
        for moment, kept in zip(moments, reasons, strict=True):
            if moment > start:
                kept.append(f"within {rules.within.text}")
    return reasons


def _keep_periods(name: str, count: int, periods: Sequence[Hashable], reasons: Sequence[list[str]]) -> None:
    """Keep the newest backup of each of the newest periods; and the oldest of all, if there are too few periods."""
    seen: set[Hashable] = set()
    is_first = True
    for period, kept in zip(periods, reasons, strict=True):
        if len(seen) == count:
            return
        is_first = period not in seen
        if is_first:
            seen.add(period)
            kept.append(f"{name} #{len(seen)}")
    if not is_first:  # there are too few periods, and the oldest backup stands for none
        reasons[-1].append(f"oldest {name}")
