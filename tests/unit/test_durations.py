"""Durations as ISO 8601 writes them, and when a time window of such a length starts."""

from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from function.retention.durations import Duration, window_start
from tests.facts.planning import DAY, HOUR, ZONES, thorough

BERLIN: Final = ZoneInfo("Europe/Berlin")
NEW_YORK: Final = ZoneInfo("America/New_York")
LORD_HOWE: Final = ZoneInfo("Australia/Lord_Howe")


@pytest.mark.parametrize(
    ("text", "months", "days", "hours"),
    [
        ("P30D", 0, 30, 0),
        ("P12M", 12, 0, 0),
        ("P2W", 0, 14, 0),
        ("PT36H", 0, 0, 36),
        ("P1Y", 12, 0, 0),
        ("P1Y2M3D", 14, 3, 0),
        ("P1Y3D", 12, 3, 0),
        ("P0Y1M", 1, 0, 0),
        ("P030D", 0, 30, 0),
        ("P99999W", 0, 699993, 0),
    ],
)
def test_a_duration_is_read_as_iso_8601_writes_it(text: str, months: int, days: int, hours: int) -> None:
    assert Duration.parse(text) == Duration(text, months=months, days=days, hours=hours)


@pytest.mark.parametrize(
    "text",
    [
        *("", "P", "PT", "30", "30D", "30d", "p30d", "P30", "PT30", "P30d", "P D", "P3 0D"),
        *("P0D", "PT0H", "P0W", "P0Y0M0D", "P00000D"),  # zero
        *("-P30D", "P-30D", "+P30D", "P+30D"),
        *("PT30M", "PT30S", "P1DT12H", "P1W1D", "P1D1M", "P1M1Y", "P1,5D", "P1.5D"),
        *("P100000D", "P" + "9" * 5000 + "D"),
        *("P30D\n", " P30D", "P30D ", "P\u0663D", "P\uff13D", "P30D\x00"),
    ],
)
def test_what_is_not_a_duration_or_is_zero_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^not a duration such as P30D, P12M, P2W or PT12H$"):
        Duration.parse(text)


def start(end: str, duration: str, zone: ZoneInfo = BERLIN) -> str:
    """When a window starts; times are on the zone's clock, or in UTC if they end in Z."""
    time = datetime.fromisoformat(end)
    found = window_start(time if time.tzinfo else time.replace(tzinfo=zone), Duration.parse(duration), zone)
    assert found.tzinfo is UTC
    return found.astimezone(UTC if end.endswith("Z") else zone).isoformat()


@pytest.mark.parametrize(
    ("end", "duration", "expected"),
    [
        ("2026-11-27T12:34:56Z", "P30D", "2026-10-28T12:34:56+00:00"),
        ("2026-11-27T12:34:56Z", "P2W", "2026-11-13T12:34:56+00:00"),
        ("2026-11-27T12:34:56Z", "P1M", "2026-10-27T12:34:56+00:00"),
        ("2026-11-27T12:34:56Z", "P11M", "2025-12-27T12:34:56+00:00"),
        ("2026-11-27T12:34:56Z", "P1Y2M3D", "2025-09-24T12:34:56+00:00"),
        ("2026-11-27T12:34:56Z", "PT36H", "2026-11-26T00:34:56+00:00"),
        # A month that is too short: its last day.
        ("2026-03-31T12:00:00Z", "P1M", "2026-02-28T12:00:00+00:00"),
        ("2028-03-31T12:00:00Z", "P1M", "2028-02-29T12:00:00+00:00"),
        ("2026-12-31T12:00:00Z", "P1M", "2026-11-30T12:00:00+00:00"),
        ("2026-05-31T12:00:00Z", "P15M", "2025-02-28T12:00:00+00:00"),
        ("2028-02-29T12:00:00Z", "P1Y", "2027-02-28T12:00:00+00:00"),
        # Where later days of the month go to the same last day: its first minute, so that none goes further back.
        ("2026-03-28T12:00:00Z", "P1M", "2026-02-28T00:00:00+00:00"),
        ("2026-03-30T12:00:00Z", "P1M", "2026-02-28T00:00:00+00:00"),
        ("2026-03-27T12:00:00Z", "P1M", "2026-02-27T12:00:00+00:00"),
        # Months first, then days.
        ("2026-03-31T12:00:00Z", "P1M1D", "2026-02-27T12:00:00+00:00"),
        # Before the first year there is nothing.
        ("2026-11-27T12:34:56Z", "P99999Y", "0002-01-01T00:00:00+00:00"),
        ("2026-11-27T12:34:56Z", "P2024Y", "0002-11-27T12:34:56+00:00"),
        ("2026-11-27T12:34:56Z", "P2025Y", "0002-01-01T00:00:00+00:00"),
        ("2026-11-27T12:34:56Z", "P99999W", "0110-05-23T12:34:56+00:00"),
        ("2026-11-27T12:34:56Z", "P2000Y99999D", "0002-01-01T00:00:00+00:00"),
    ],
)
def test_a_window_is_as_long_as_its_duration_on_the_calendar(end: str, duration: str, expected: str) -> None:
    assert start(end, duration, ZoneInfo("UTC")) == expected


@pytest.mark.parametrize(
    ("zone", "end", "duration", "expected"),
    [
        # tz database, file europe, rule EU: clocks change on the last Sundays of March and October at 01:00 UTC.
        (BERLIN, "2026-03-29T12:00:00", "P1D", "2026-03-28T12:00:00+01:00"),
        (BERLIN, "2026-03-29T12:00:00", "PT24H", "2026-03-28T11:00:00+01:00"),
        (BERLIN, "2026-10-25T12:00:00", "P1D", "2026-10-24T12:00:00+02:00"),
        (BERLIN, "2026-10-25T12:00:00", "PT24H", "2026-10-24T13:00:00+02:00"),
        # file northamerica, rule US: the second Sunday of March and the first of November, at 2:00 of the local clock.
        (NEW_YORK, "2026-03-08T12:00:00", "P1D", "2026-03-07T12:00:00-05:00"),
        (NEW_YORK, "2026-11-01T12:00:00", "P1W", "2026-10-25T12:00:00-04:00"),
        # file australasia, rule LH: half an hour, on the first Sundays of April and October at 2:00.
        (LORD_HOWE, "2026-04-05T12:00:00", "P1D", "2026-04-04T12:00:00+11:00"),
        (LORD_HOWE, "2026-10-04T12:00:00", "P1D", "2026-10-03T12:00:00+10:30"),
        # A time that the clock skips: just before the skip.
        (BERLIN, "2026-03-30T02:30:00", "P1D", "2026-03-29T01:59:59.999999+01:00"),
        (BERLIN, "2026-03-30T02:00:00", "P1D", "2026-03-29T01:59:59.999999+01:00"),
        (BERLIN, "2026-03-30T03:00:00", "P1D", "2026-03-29T03:00:00+02:00"),
        (LORD_HOWE, "2026-10-05T02:15:00", "P1D", "2026-10-04T01:59:59.999999+10:30"),
        # A time that the clock shows twice: the first time.
        (BERLIN, "2026-10-26T02:30:00", "P1D", "2026-10-25T02:30:00+02:00"),
        (LORD_HOWE, "2026-04-06T01:45:00", "P1D", "2026-04-05T01:45:00+11:00"),
        # The end in an hour that comes twice: the first pass counts from its start.
        (BERLIN, "2026-10-25T01:59:00", "P1D", "2026-10-24T01:59:00+02:00"),
        (BERLIN, "2026-10-25T02:30:00+02:00", "P1D", "2026-10-24T02:00:00+02:00"),
        (BERLIN, "2026-10-25T02:30:00+01:00", "P1D", "2026-10-24T02:30:00+02:00"),
        (LORD_HOWE, "2026-04-05T01:45:00+11:00", "P1D", "2026-04-04T01:30:00+11:00"),
    ],
)
def test_days_are_those_of_the_zones_clock(zone: ZoneInfo, end: str, duration: str, expected: str) -> None:
    assert start(end, duration, zone) == expected


def test_the_offset_in_which_the_end_is_given_does_not_matter() -> None:
    end = datetime.fromisoformat("2026-03-29T20:00:00+0800")

    assert window_start(end, Duration.parse("P1D"), BERLIN) == window_start(
        end.astimezone(BERLIN), Duration.parse("P1D"), BERLIN
    )


# Hours around the changes of the clock and the ends of months: everywhere else the order is plain.
_CRITICAL: Final = st.builds(
    lambda time, minutes: time + minutes * HOUR / 60,
    st.sampled_from(
        [
            *(
                datetime(2026, month, day, hour, tzinfo=UTC)
                for month in (3, 10)
                for day in (25, 29)
                for hour in (1, 23)
            ),
            datetime(2026, 4, 4, 15, tzinfo=UTC),
            datetime(2026, 10, 3, 15, tzinfo=UTC),
            *(datetime(2026, month, 28, tzinfo=UTC) for month in (3, 5)),
            datetime(2028, 2, 28, tzinfo=UTC),
        ]
    ),
    st.integers(-200, 200) | st.integers(-6000, 6000),
)
_DURATIONS: Final = st.sampled_from(["P1D", "P1M", "P1M1D", "P13M", "P1Y", "P6M", "P2W", "PT24H"]).map(Duration.parse)


@thorough
@given(_CRITICAL, st.integers(0, 5000), _DURATIONS, st.sampled_from((*ZONES, NEW_YORK)))
def test_a_window_that_ends_later_never_starts_earlier(
    end: datetime, minutes: int, duration: Duration, zone: ZoneInfo
) -> None:
    later = end + minutes * HOUR / 60

    assert window_start(end, duration, zone) <= window_start(later, duration, zone)


@thorough
@given(_CRITICAL, _DURATIONS, st.sampled_from((*ZONES, NEW_YORK)))
def test_a_window_is_never_shorter_than_restics_and_less_than_a_day_longer_than_plain_arithmetic(
    end: datetime, duration: Duration, zone: ZoneInfo
) -> None:
    """Restic: Go's `AddDate`, in which 31 March less a month is 31 February, that is 3 March."""
    found = window_start(end, duration, zone)

    assert found <= max(_on_the_clock(_overflowing(end, duration, zone), zone)) - duration.hours * HOUR
    assert found > min(_on_the_clock(_last_day(end, duration, zone), zone)) - duration.hours * HOUR - DAY


def _overflowing(end: datetime, duration: Duration, zone: ZoneInfo) -> datetime:
    wall = end.astimezone(zone).replace(tzinfo=None)
    first = wall.replace(day=1)
    for _ in range(duration.months):
        first = (first - DAY).replace(day=1)
    return first + (wall.day - 1 - duration.days) * DAY


def _last_day(end: datetime, duration: Duration, zone: ZoneInfo) -> datetime:
    wall = end.astimezone(zone).replace(tzinfo=None)
    while (found := _overflowing(wall.replace(tzinfo=zone), Duration("", months=duration.months), zone)).day < wall.day:
        wall -= DAY
    return found - duration.days * DAY


def _on_the_clock(wall: datetime, zone: ZoneInfo) -> list[datetime]:
    return [wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)]
