"""The keep rules, as restic's documentation defines them ("Removing backup snapshots", "… according to a policy")."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from function.retention.durations import Duration, window_start
from function.retention.rules import PERIODS, KeepRules, keep_reasons
from tests.facts.planning import DAY, ZONES, keep_rules, ordered_times, thorough

ZONE: Final = ZoneInfo("UTC")
BERLIN: Final = ZoneInfo("Europe/Berlin")


def kept(
    times: Sequence[str],
    periods: Mapping[str, int] | None = None,
    *,
    zone: ZoneInfo = ZONE,
    last: int = 1,
    within: str | None = None,
) -> dict[str, str]:
    """Why each time is kept, newest first; times are on the zone's clock unless they have an offset."""
    moments = {time: datetime.fromisoformat(time) for time in times}
    moments = {text: time if time.tzinfo else time.replace(tzinfo=zone) for text, time in moments.items()}
    ordered = sorted(moments, key=lambda text: moments[text].astimezone(UTC), reverse=True)
    rules = KeepRules(last=last, periods=periods or {}, within=Duration.parse(within) if within else None)
    found = keep_reasons([moments[text].astimezone(UTC) for text in ordered], rules, zone)
    return {text: ", ".join(reasons) for text, reasons in zip(ordered, found, strict=True)}


# What the documentation says.

SUNDAYS: Final = [
    f"2019-{day}T11:00"
    for day in (
        *("09-01", "09-08", "09-15", "09-22", "09-29", "10-06", "10-13", "10-20", "10-27", "11-03", "11-10", "11-17"),
    )
]


def test_of_twelve_sundays_keep_daily_4_keeps_the_last_four() -> None:
    """The page's first example: days without a backup do not count."""
    found = kept(SUNDAYS, {"daily": 4})

    assert found == {
        "2019-11-17T11:00": "last #1, daily #1",
        "2019-11-10T11:00": "daily #2",
        "2019-11-03T11:00": "daily #3",
        "2019-10-27T11:00": "daily #4",
        **dict.fromkeys(reversed(SUNDAYS[:8]), ""),
    }


def test_a_hundred_years_of_daily_backups_leave_what_the_documentation_says() -> None:
    """The page's second example: 7 dailies, 5 weeklies, 12 monthlies, 75 yearlies."""
    newest = datetime(2019, 11, 17, 11, tzinfo=UTC)  # a Sunday
    moments = [newest - number * DAY for number in range(36525)]

    found = keep_reasons(
        moments, KeepRules(last=1, periods={"daily": 7, "weekly": 5, "monthly": 12, "yearly": 75}), ZONE
    )

    by_rule = {name: sum(any(name in reason for reason in reasons) for reasons in found) for name in PERIODS}
    assert by_rule == {"hourly": 0, "daily": 7, "weekly": 5, "monthly": 12, "yearly": 75}
    ends = {moment.date().isoformat() for moment, reasons in zip(moments, found, strict=True) if reasons}
    dailies = {f"2019-11-{day}" for day in range(11, 18)}
    weeklies = {"2019-11-10", "2019-11-03", "2019-10-27", "2019-10-20"}  # "4 last-day-of-the-week ones"
    monthlies = {"2018-12-31", *(f"2019-{month}" for month in ("01-31", "02-28", "03-31", "04-30", "05-31", "06-30"))}
    monthlies |= {"2019-07-31", "2019-08-31", "2019-09-30", "2019-10-31"}
    yearlies = {f"{year}-12-31" for year in range(1945, 2019)}
    assert ends == dailies | weeklies | monthlies | yearlies


@pytest.mark.parametrize(
    ("period", "same", "next_one"),
    [
        ("hourly", ["2026-11-27T11:00:00", "2026-11-27T11:59:59"], "2026-11-27T12:00:00"),  # "hours :00 to :59"
        ("daily", ["2026-11-27T00:00:00", "2026-11-27T23:59:59"], "2026-11-28T00:00:00"),  # "days 00:00 to 23:59"
        # "Weeks are Monday 00:00 to Sunday 23:59"
        ("weekly", ["2026-11-23T00:00:00", "2026-11-29T23:59:59"], "2026-11-30T00:00:00"),
        ("monthly", ["2026-11-01T00:00:00", "2026-11-30T23:59:59"], "2026-12-01T00:00:00"),
        ("yearly", ["2026-01-01T00:00:00", "2026-12-31T23:59:59"], "2027-01-01T00:00:00"),
    ],
)
@pytest.mark.parametrize("zone", [*ZONES, ZoneInfo("America/New_York")])
def test_periods_begin_and_end_on_the_zones_clock(zone: ZoneInfo, period: str, same: list[str], next_one: str) -> None:
    # An older one besides, so that the oldest is not kept for being the oldest.
    found = kept(["2020-05-05T05:05:05", *same, next_one], {period: 3}, zone=zone)

    older, newer = same
    assert found == {
        next_one: f"last #1, {period} #1",
        newer: f"{period} #2",
        older: "",
        "2020-05-05T05:05:05": f"{period} #3",
    }


def test_a_backup_shows_every_rule_that_keeps_it() -> None:
    found = kept(
        ["2026-11-27T12:00", "2026-11-27T11:00", "2026-11-20T12:00", "2025-01-01T00:00"],
        {"hourly": 2, "daily": 2, "weekly": 3, "monthly": 3, "yearly": 1},
        last=2,
        within="P7D",
    )

    assert found == {
        "2026-11-27T12:00": "last #1, hourly #1, daily #1, weekly #1, monthly #1, yearly #1, within P7D",
        "2026-11-27T11:00": "last #2, hourly #2, within P7D",
        "2026-11-20T12:00": "daily #2, weekly #2",
        "2025-01-01T00:00": "weekly #3, monthly #2",
    }


@pytest.mark.parametrize(
    ("periods", "oldest"),
    [
        ({"yearly": 1}, ""),
        ({"yearly": 2}, "oldest yearly"),  # two years wanted, one there
        ({"monthly": 1}, ""),
        ({"monthly": 2}, ""),
        ({"monthly": 3}, "oldest monthly"),
        ({"daily": 2}, ""),
        ({"daily": 3}, ""),
        ({"daily": 4}, "oldest daily"),
        ({"daily": 4, "weekly": 9, "yearly": 9}, "oldest daily, oldest weekly, oldest yearly"),
    ],
)
def test_if_there_are_too_few_periods_the_oldest_is_kept_too(periods: dict[str, int], oldest: str) -> None:
    """The page's third note; without it a yearly rule would let the first backup go in its first year."""
    times = ["2026-11-27T12:00", "2026-11-26T12:00", "2026-10-02T12:00", "2026-10-02T11:00"]

    assert kept(times, periods)["2026-10-02T11:00"] == oldest


def test_the_oldest_that_stands_for_its_period_is_not_named_twice() -> None:
    assert kept(["2026-11-27T12:00", "2025-10-02T12:00"], {"yearly": 5})["2025-10-02T12:00"] == "yearly #2"


def test_keep_last_never_names_an_oldest() -> None:
    assert kept(["2026-11-27T12:00", "2025-10-02T12:00"], last=5)["2025-10-02T12:00"] == "last #2"


def test_the_newest_is_kept_even_if_no_last_one_is_asked_for() -> None:
    assert kept(["2026-11-27T12:00", "2025-10-02T12:00"], last=0) == {
        "2026-11-27T12:00": "last #1",
        "2025-10-02T12:00": "",
    }


def test_of_no_backups_none_is_kept() -> None:
    assert kept([], {"daily": 3}, within="P1D") == {}


@pytest.mark.parametrize(
    ("within", "expected"),
    [
        # Counted back from the newest, not from now; a backup exactly as old is out.
        ("PT1H", ["2026-03-31T12:00"]),
        ("PT2H", ["2026-03-31T12:00", "2026-03-31T11:00"]),
        ("P1D", ["2026-03-31T12:00", "2026-03-31T11:00"]),
        ("P30D", ["2026-03-31T12:00", "2026-03-31T11:00", "2026-03-01T12:01"]),
        ("P1M", ["2026-03-31T12:00", "2026-03-31T11:00", "2026-03-01T12:01", "2026-03-01T12:00", "2026-02-28T12:01"]),
        (
            "P9999Y",
            [
                "2026-03-31T12:00",
                "2026-03-31T11:00",
                "2026-03-01T12:01",
                "2026-03-01T12:00",
                "2026-02-28T12:01",
                "2026-02-28T12:00",
            ],
        ),
    ],
)
def test_what_is_newer_than_a_duration_before_the_newest_is_kept(within: str, expected: list[str]) -> None:
    times = [
        "2026-03-31T12:00",
        "2026-03-31T11:00",
        "2026-03-01T12:01",
        "2026-03-01T12:00",
        "2026-02-28T12:01",
        "2026-02-28T12:00",
    ]

    found = kept(times, within=within)

    assert [time for time, why in found.items() if f"within {within}" in why] == expected


# The calendar.


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        # ISO 8601: week 1 has the year's first Thursday, so a week's year is not always its days' year.
        ("2022-12-26", "2023-01-01", True),  # both in 2022-W52
        ("2022-01-01", "2022-12-31", False),  # 2021-W52 and 2022-W52
        ("2023-01-01", "2023-01-02", False),  # 2022-W52 and 2023-W01
        ("2024-12-30", "2025-01-05", True),  # 2025-W01
        ("2024-01-01", "2024-12-31", False),  # 2024-W01 and 2025-W01
        # Years of 53 weeks: those that start on a Thursday, or on a Wednesday if they are leap years.
        ("2026-12-28", "2027-01-03", True),  # 2026-W53
        ("2020-12-28", "2021-01-03", True),  # 2020-W53
        ("2020-12-27", "2020-12-28", False),  # 2020-W52 and 2020-W53
        ("2026-12-31", "2020-12-31", False),  # 2026-W53 and 2020-W53
    ],
)
def test_weeks_are_iso_weeks_with_their_own_year(one: str, other: str, is_same: bool) -> None:
    found = kept([f"{one}T12:00", f"{other}T13:00", "2019-05-05T12:00"], {"weekly": 9})

    assert sum("weekly #" in reasons for reasons in found.values()) == (2 if is_same else 3)


@pytest.mark.parametrize(
    ("period", "one", "other"),
    [
        ("monthly", "2025-01-31", "2026-01-31"),  # January is not January
        ("daily", "2024-02-29", "2028-02-29"),
        ("daily", "2024-02-28", "2024-02-29"),
        ("daily", "2024-02-29", "2024-03-01"),
        ("monthly", "2024-02-29", "2024-03-01"),
        ("hourly", "2026-11-26", "2026-11-27"),  # 12:00 is not 12:00
    ],
)
def test_a_period_has_its_year_month_and_day(period: str, one: str, other: str) -> None:
    found = kept([f"{one}T12:00", f"{other}T12:00", "2019-05-05T12:00"], {period: 9})

    assert all(period in reasons for reasons in found.values())


def test_the_hour_that_comes_twice_is_two_hours() -> None:
    """The tz database, rule EU: on 25 October 2026 at 01:00 UTC the clock goes back from 3:00 to 2:00."""
    times = [
        "2026-10-25T02:10:00+02:00",
        "2026-10-25T02:50:00+02:00",
        "2026-10-25T02:20:00+01:00",
        "2026-10-25T02:40:00+01:00",
    ]

    found = kept([*times, "2020-01-01T00:00"], {"hourly": 3}, zone=BERLIN)

    assert found == {
        "2026-10-25T02:40:00+01:00": "last #1, hourly #1",
        "2026-10-25T02:20:00+01:00": "",
        "2026-10-25T02:50:00+02:00": "hourly #2",
        "2026-10-25T02:10:00+02:00": "",
        "2020-01-01T00:00": "hourly #3",
    }


@pytest.mark.parametrize(
    ("zone", "times"),
    [
        # 25 hours and 23 hours are one day each, in three zones; tz database, rules EU, US and LH.
        ("Europe/Berlin", ["2026-10-25T00:00:00+02:00", "2026-10-25T23:59:59+01:00"]),
        ("Europe/Berlin", ["2026-03-29T00:00:00+01:00", "2026-03-29T23:59:59+02:00"]),
        ("America/New_York", ["2026-11-01T00:00:00-04:00", "2026-11-01T23:59:59-05:00"]),
        ("America/New_York", ["2026-03-08T00:00:00-05:00", "2026-03-08T23:59:59-04:00"]),
        ("Australia/Lord_Howe", ["2026-04-05T00:00:00+11:00", "2026-04-05T23:59:59+10:30"]),
        ("Australia/Lord_Howe", ["2026-10-04T00:00:00+10:30", "2026-10-04T23:59:59+11:00"]),
    ],
)
def test_a_day_on_which_the_clock_changes_is_one_day(zone: str, times: list[str]) -> None:
    found = kept([*times, "2020-01-01T00:00"], {"daily": 2}, zone=ZoneInfo(zone))

    first, last = times
    assert found == {last: "last #1, daily #1", first: "", "2020-01-01T00:00": "daily #2"}


def test_the_zone_decides_which_day_it_is_not_the_offset_in_which_the_time_is_written() -> None:
    """The API writes `+0800`; 27 November 06:00 there is 26 November in Berlin."""
    times = ["2026-11-27T06:00:00+0800", "2026-11-26T12:00:00+0100", "2026-11-25T12:00:00+0100"]

    assert kept(times, {"daily": 2}, zone=BERLIN) == {
        "2026-11-27T06:00:00+0800": "last #1, daily #1",
        "2026-11-26T12:00:00+0100": "",
        "2026-11-25T12:00:00+0100": "daily #2",
    }


def test_a_day_that_the_clock_returns_to_is_the_same_day() -> None:
    """The tz database, rule StJohns: on 7 November 2010 at 0:01 the clock went back to 23:01 of the day before."""
    st_johns = ZoneInfo("America/St_Johns")
    times = [
        "2010-11-06T23:30:00-02:30",
        "2010-11-07T00:00:30-02:30",
        "2010-11-06T23:30:00-03:30",
        "2010-11-07T12:00:00-03:30",
    ]

    found = kept([*times, "2009-01-01T00:00"], {"daily": 3}, zone=st_johns)

    assert found == {
        "2010-11-07T12:00:00-03:30": "last #1, daily #1",
        "2010-11-06T23:30:00-03:30": "daily #2",
        "2010-11-07T00:00:30-02:30": "",
        "2010-11-06T23:30:00-02:30": "",
        "2009-01-01T00:00": "daily #3",
    }


# Against two other ways to say the same.


@thorough
@given(ordered_times, keep_rules)
def test_in_utc_the_rules_keep_what_restics_walk_keeps(moments: list[datetime], rules: KeepRules) -> None:
    found = keep_reasons(moments, rules, ZONE)

    assert [{_without_number(reason) for reason in reasons} for reasons in found] == _restics_walk(moments, rules)


def _without_number(reason: str) -> str:
    return reason.split(" #")[0]


def _restics_walk(moments: list[datetime], rules: KeepRules) -> list[set[str]]:
    """One walk from newest to oldest; each bucket has a count that is left, and the last period that it saw."""
    forms = {"hourly": "%Y%m%d%H", "daily": "%Y%m%d", "weekly": "%G%V", "monthly": "%Y%m", "yearly": "%Y"}
    left = {"last": rules.last, **rules.periods}
    seen = dict.fromkeys(left, "")
    why: list[set[str]] = []
    for number, moment in enumerate(moments):
        found = set()
        for name in left:
            period = moment.strftime(forms[name]) if name in forms else str(number)
            is_oldest = number == len(moments) - 1
            if left[name] and (period != seen[name] or is_oldest):
                found.add(f"oldest {name}" if period == seen[name] else name)
                seen[name] = period
                left[name] -= 1
        if rules.within and moment > window_start(moments[0], rules.within, ZONE):
            found.add(f"within {rules.within.text}")
        why.append(found)
    return why


@thorough
@given(ordered_times, keep_rules, st.sampled_from(ZONES))
def test_a_backup_is_kept_if_it_is_the_first_of_one_of_the_first_periods(
    moments: list[datetime], rules: KeepRules, zone: ZoneInfo
) -> None:
    """The rules as sets, without a walk, in any zone."""
    found = keep_reasons(moments, rules, zone)

    forms = {"hourly": "%F %H %z", "daily": "%F", "weekly": "%G %V", "monthly": "%Y %m", "yearly": "%Y"}
    for rank, (moment, reasons) in enumerate(zip(moments, found, strict=True)):
        expected = {f"last #{rank + 1}"} if rank < rules.last else set()
        for name, count in rules.periods.items():
            names = [time.astimezone(zone).strftime(forms[name]) for time in moments]
            newer = set(names[:rank])
            if names[rank] not in newer and len(newer) < count:
                expected.add(f"{name} #{len(newer) + 1}")
            elif rank == len(moments) - 1 and len(set(names)) < count:
                expected.add(f"oldest {name}")
        if rules.within and moment > window_start(moments[0], rules.within, zone):
            expected.add(f"within {rules.within.text}")
        assert set(reasons) == expected
        assert len(reasons) == len(expected)
