"""ISO 8601 durations, and when a time window of such a length starts."""

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

# ISO 8601 durations, but not negative, not zero, and hours alone. The schema of the policy file has these texts too.
PATTERN: Final = "P(?=.*[1-9])([0-9]{1,5}W|T[0-9]{1,5}H|([0-9]{1,5}Y)?([0-9]{1,5}M)?([0-9]{1,5}D)?)"
ELAPSED: Final = "P(?=.*[1-9])([0-9]{1,5}W|T[0-9]{1,5}H|[0-9]{1,5}D)"  # as long whenever it starts
_PARTS: Final = re.compile("([0-9]+)([YMWDH])")
_EARLIEST: Final = datetime(2, 1, 1)  # a year more than `datetime` has, so that no UTC offset goes below it


@dataclass(frozen=True, slots=True)
class Duration:
    """A length of time, in calendar units or in hours.

    Args:
        text: as it was written.
    """

    text: str
    months: int = 0
    days: int = 0
    hours: int = 0

    @classmethod
    def parse(cls, text: str) -> "Duration":
        """Read `P[nY][nM][nD]`, `PnW` or `PTnH`.

        Raises:
            ValueError: it has another form, or is zero.
        """
        if not re.fullmatch(PATTERN, text):
            raise ValueError("not a duration such as P30D, P12M, P2W or PT12H")
        parts = {unit: int(number) for number, unit in _PARTS.findall(text)}
        return cls(
            text,
            months=parts.get("Y", 0) * 12 + parts.get("M", 0),
            days=parts.get("W", 0) * 7 + parts.get("D", 0),
            hours=parts.get("H", 0),
        )


def window_start(end: datetime, duration: Duration, zone: tzinfo) -> datetime:
    """When a time window starts that ends at a moment and is as long as a duration: calendar units, then hours.

    A window that ends later never starts earlier. That is what makes a rule with a window safe: if the newest backup
    is missing from a list, no other one expires for it. Plain calendar arithmetic is not so in two cases, and there
    this window starts earlier, by less than a day:

    - 28, 29, 30 and 31 March less a month are all 28 February: all but the last of them go to its first minute.
    - When summer time ends, the clock goes back over an hour: all of the hour's first pass goes to its start.

    Args:
        zone: whose calendar and clock are used. A time that its clock skips is just before the skip.
    """
    if duration.hours:
        return end.astimezone(UTC) - timedelta(hours=duration.hours)
    wall = _months_before(_lowest_wall(end, zone), duration.months)
    wall -= min(timedelta(days=duration.days), wall - _EARLIEST)
    first, second = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first <= second:
        return first
    return _clock_change(second, first, zone)[0]  # PEP 495: only a skipped time is later by fold 0 than by fold 1


def _lowest_wall(moment: datetime, zone: tzinfo) -> datetime:
    """What the zone's clock shows at a moment; if it is going to show that again, what it goes back to."""
    local = moment.astimezone(zone)
    again = local.replace(fold=1).astimezone(UTC)
    if again > moment:
        local = _clock_change(moment.astimezone(UTC), again, zone)[1].astimezone(zone)
    return local.replace(tzinfo=None)


def _clock_change(before: datetime, after: datetime, zone: tzinfo) -> tuple[datetime, datetime]:
    """The last moment before the zone's UTC offset changes, and the first moment after."""
    offset = before.astimezone(zone).utcoffset()
    while after - before > timedelta.resolution:
        middle = before + (after - before) / 2
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return before, after


def _months_before(wall: datetime, months: int) -> datetime:
    year, month = divmod(wall.year * 12 + wall.month - 1 - months, 12)
    if year < _EARLIEST.year:
        return _EARLIEST
    last_day = monthrange(year, month + 1)[1]
    if wall.day < last_day:
        return wall.replace(year=year, month=month + 1)
    if wall.day < monthrange(wall.year, wall.month)[1]:  # later days of its month go to the same last day
        return datetime(year, month + 1, last_day)
    return wall.replace(year=year, month=month + 1, day=last_day)
