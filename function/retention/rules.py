"""The rules that keep backups, as restic defines them ("Removing backup snapshots" in its documentation).

Rules are independent of each other, and a backup is kept if one of them keeps it. So one more rule, or a larger number,
never makes a backup expire, and neither does an entry that is missing from the list.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
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


def keep_reasons(moments: Sequence[datetime], rules: KeepRules, zone: tzinfo) -> list[tuple[str, ...]]:
    """Why each backup stays, by all rules that keep it; empty for one that no rule keeps.

    Args:
        moments: when the usable backups of one instance were made, newest first.
        zone: whose clock names the periods.
    """
    reasons: dict[int, list[str]] = defaultdict(list)  # by the place in the list, of what stays
    for at in range(min(max(rules.last, 1), len(moments))):
        reasons[at].append(f"last #{at + 1}")
    for name, period in PERIODS.items():
        if name in rules.periods:
            periods = (period(moment.astimezone(zone)) for moment in moments)
            for at, reason in _keep_periods(name, rules.periods[name], periods):
                reasons[at].append(reason)
    if rules.within and moments:
        start = window_start(moments[0], rules.within, zone)
        for at, moment in enumerate(moments):
            if moment > start:
                reasons[at].append(f"within {rules.within.text}")
    return [tuple(reasons.get(at, ())) for at in range(len(moments))]


def _keep_periods(name: str, count: int, periods: Iterable[Hashable]) -> Iterator[tuple[int, str]]:
    """The newest backup of each of the newest periods; and the oldest of all, if there are too few periods."""
    seen: set[Hashable] = set()
    at, is_first = 0, True
    for at, period in enumerate(periods):
        if len(seen) == count:
            return
        is_first = period not in seen
        if is_first:
            seen.add(period)
            yield at, f"{name} #{len(seen)}"
    if not is_first:  # there are too few periods, and the oldest backup stands for none
        yield at, f"oldest {name}"
