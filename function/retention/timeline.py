"""The time line of one instance as inline SVG: each backup at its time, in the lane of what keeps it."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from html import escape
from typing import Final

from ..guards import MAX_SKEW
from .plan import FIRST, Group, Plan
from .report import shown_name, shown_time
from .verdicts import Verdict

# By the strongest rule that keeps a backup, the one that keeps it longest. `other` has no rule, but a reason to stay.
LANES: Final = ("yearly", "monthly", "weekly", "daily", "hourly", "within", "last", "hold", "other", "expired")
_LANE_HEIGHT: Final = 34
_AXIS_HEIGHT: Final = 20
_PLACES: Final = 1000  # in one lane: more backups would lie on top of each other
_MAX_TICKS: Final = 6  # a phone has room for so many
_DAY_STEPS: Final = (1, 2, 7, 14)
_MONTH_STEPS: Final = (1, 2, 3, 6, 12, 24, 60, 120, 240)
Places = Mapping[int, Sequence[Verdict]]


def lane_of(verdict: Verdict) -> str:
    """The lane that a backup stands in."""
    if verdict.expired:
        return "expired"
    words = {reason.removeprefix("oldest ").partition(" ")[0] for reason in verdict.reasons}
    return next((lane for lane in LANES if lane in words), "other")


def mark(lane: str, place: str, title: str = "") -> str:
    """A backup's mark: filled if it is kept, hollow if it has expired."""
    return f'<circle class="{lane}" {place} r="4.5">{title and f"<title>{escape(title)}</title>"}</circle>'


def time_line(group: Group, plan: Plan, name: str) -> Iterator[str]:
    """The SVG, piece by piece; nothing if no backup has a time up to that of the plan.

    It has no size of its own: places are shares of the width, so that texts and marks stay as large on a phone.

    Args:
        name: of the element, unique in the page.
    """
    zone = plan.file.timezone
    placed = [(time, each) for each in group.verdicts if (time := _time(each, plan.as_of))]
    if not placed:
        return
    first = min(time for time, _ in placed)
    span = max(plan.as_of, *(time for time, _ in placed)) - first or timedelta(hours=1)
    lanes: dict[str, dict[int, list[Verdict]]] = defaultdict(lambda: defaultdict(list))
    for time, verdict in placed:
        lanes[lane_of(verdict)][round((time - first) / span * _PLACES)].append(verdict)
    bottom = len(lanes) * _LANE_HEIGHT + 6
    yield (
        f'<svg class="line" id="{name}" role="img" aria-labelledby="{name}-title {name}-desc"'
        f' width="100%" height="{bottom + _AXIS_HEIGHT}">\n'
        f'<title id="{name}-title">Time line of instance {escape(group.instance_id or "not known")}</title>\n'
        f'<desc id="{name}-desc">{escape(_description(lanes, first, plan))}</desc>\n'
    )
    for label, time in _ticks(first, first + span, zone):
        share = (time - first) / span * 100
        text = f'<text x="{share:.1f}%" y="{bottom + 14}" dx="4">{label}</text>' if share < 85 else ""  # else no room
        yield f'<line x1="{share:.1f}%" x2="{share:.1f}%" y1="0" y2="{bottom + 14}"/>{text}\n'
    for number, lane in enumerate(each for each in LANES if each in lanes):
        yield from _lane(lane, lanes[lane], number * _LANE_HEIGHT, zone)
    yield "</svg>\n"


def _time(verdict: Verdict, as_of: datetime) -> datetime | None:
    """When the backup was made; None if unreadable, or in the future: a wrong clock would squeeze all other backups."""
    time = verdict.backup.begin_time
    if time is None or time.utcoffset() is None or not FIRST <= time <= as_of + MAX_SKEW:
        return None
    return time.astimezone(UTC)


def _description(lanes: Mapping[str, Places], first: datetime, plan: Plan) -> str:
    counts = [f"{_count(lanes[lane])} {lane}" for lane in LANES if lane in lanes]
    zone = plan.file.timezone
    return (
        f"From {shown_time(first, zone)} to {shown_time(plan.as_of, zone)}, by the strongest rule: {', '.join(counts)}."
        " The table below has them all."
    )


def _count(places: Places) -> int:
    return sum(map(len, places.values()))


def _lane(lane: str, places: Places, top: int, zone: tzinfo) -> Iterator[str]:
    """One lane: its name, and a mark wherever there is a backup."""
    yield (
        f'<line x1="0" x2="100%" y1="{top + 24}" y2="{top + 24}"/>'
        f'<text class="lane" x="-6" y="{top + 12}">{lane} \N{MIDDLE DOT} {_count(places)}</text>\n'
    )
    for place, verdicts in sorted(places.items()):
        newest = verdicts[0]
        title = f"{shown_time(newest.backup.begin_time, zone)} {shown_name(newest)}: {', '.join(newest.reasons)}"
        more = f" and {len(verdicts) - 1} more" if len(verdicts) > 1 else ""
        yield mark(lane, f'cx="{place * 100 / _PLACES:.1f}%" cy="{top + 24}"', title + more) + "\n"


def _ticks(first: datetime, last: datetime, zone: tzinfo) -> Iterator[tuple[str, datetime]]:
    """The first moments of days, Mondays, months or years, so that there are a few of them."""
    day, end = first.astimezone(zone).date() + timedelta(days=1), last.astimezone(zone).date()
    days = (end - day).days + 1
    by_day = next((step for step in _DAY_STEPS if days <= step * _MAX_TICKS), None)
    by_month = next((step for step in _MONTH_STEPS if days <= step * _MAX_TICKS * 30), _MONTH_STEPS[-1])
    while day <= end:
        months = day.year * 12 + day.month - 1
        if by_day and day.toordinal() % by_day == 1 % by_day:  # the ordinal of a Monday leaves 1
            yield f"{day:%m-%d}", _midnight(day, zone)
        elif not by_day and day.day == 1 and months % by_month == 0:
            yield f"{day:%Y-%m}", _midnight(day, zone)
        day += timedelta(days=1)


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
