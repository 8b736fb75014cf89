"""A plan as a table and as JSON: what people and programs read before anything is deleted."""

import json
import unicodedata
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Final
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from function.backups import Backup
from function.retention.durations import Duration
from function.retention.plan import Group, Plan
from function.retention.report import (
    MAX_NAME_CHARS,
    Size,
    clean,
    outcome_text,
    shown_size,
    shown_time,
    to_json,
    to_table,
    totals_text,
)
from function.retention.rules import KeepRules
from function.retention.verdicts import Verdict
from tests.facts.account import INSTANCE, PROJECT
from tests.facts.planning import AS_OF, DAY, HOUR, made, plan, policy, policy_file

FILE: Final = policy_file(
    policy(
        KeepRules(last=1, periods={"daily": 3, "weekly": 2, "monthly": 2, "yearly": 2}, within=Duration.parse("P30D")),
        instances=("*", "gone"),
        hold_words=("hold",),
    ),
    timezone=ZoneInfo("Asia/Shanghai"),
)


def some_plan(max_expired: int = 100_000) -> Plan:
    backups = [
        made(AS_OF + 30 * DAY, id="b1", name="clock", size_mb=1024.0),
        made(AS_OF - HOUR, id="b2", name="running", status="BUILDING"),
        made(AS_OF - 2 * DAY, id="b3", name="nightly-2026-11-25", size_mb=2803.0),
        made(
            AS_OF - 70 * DAY,
            id="b4",
            name="\u8ba2\u5355\u5e93\u5347\u7ea7\u524d\u7684\u5907\u4efd\u8bf7\u52ff\u5220\u9664",
            size_mb=3000.0,
        ),
        made(AS_OF - 71 * DAY, id="b5", name="", size_mb=3000.0),
        made(AS_OF - 72 * DAY, id="b6", name=None, size_mb=3000.0, description="hold"),
        made(AS_OF - 90 * DAY, id="b7", name="a-name-that-is-longer-than-its-column", size_mb=18_000_000.0),
        made(AS_OF - 91 * DAY, id="b8", name="\x1b[31mred\x07\u202e\n", size_mb=0.0),
        made(AS_OF - 400 * DAY, id="b9", name="oldest", size_mb=1.0),
        made(AS_OF - 3 * DAY, id="b10", instance_id="other", name="single", size_mb=512.0),
        made(AS_OF - 3 * DAY, id="b11", type="auto"),
        made(AS_OF - 3 * DAY, id="b12", name="lost", instance_id=None),
    ]
    return plan(backups, replace(FILE, max_expired=max_expired))


def table(plan: Plan, *, width: int = 80, colour: bool = False) -> list[str]:
    return "\n".join(to_table(plan, width=width, colour=colour)).split("\n")


def test_the_table_shows_when_name_size_and_why() -> None:
    assert (
        table(some_plan())
        == """\
Plan as of 2026-11-27 20:00, times in Asia/Shanghai

Instance  not known (taurusdb)
Project   054e292c9880d4992f02c0196d3ea468
Policy    none
Outcome   nothing_to_do: 1 backup, 0.0 GB or more, all kept

2026-11-24 20:00  lost                          -  keep: unreadable

Instance  6ab7e0f13c5d4e2f8a90b1c2d3e4f506in07 (taurusdb)
Project   054e292c9880d4992f02c0196d3ea468
Policy    standard
Outcome   planned: 2 of 9 backups expired, 17,578.1 GB of 17,590.7 GB or more

2026-12-27 20:00  clock                    1.0 GB  keep: future
2026-11-27 19:00  running                       -  keep: min_age, in_progress
2026-11-25 20:00  nightly-2026-11-25       2.7 GB  keep: last #1, daily #1,
                                                   weekly #1, monthly #1,
                                                   yearly #1, within P30D
2026-09-18 20:00  \u8ba2\u5355\u5e93\u5347\u7ea7\u524d\u7684\u5907\u4efd\u2026      2.9 GB  keep: daily #2, weekly #2,
                                                   monthly #2
2026-09-17 20:00  b5                       2.9 GB  keep: daily #3
2026-09-16 20:00  b6                       2.9 GB  keep: unreadable, hold
2026-08-29 20:00  a-name-that-is-lon\u2026   17,578 GB  expired: no_rule
2026-08-28 20:00  \ufffd[31mred\ufffd\ufffd\ufffd              0.0 GB  expired: no_rule
2025-10-23 20:00  oldest                   0.0 GB  keep: yearly #2

Instance  other (taurusdb)
Project   054e292c9880d4992f02c0196d3ea468
Policy    standard
Outcome   nothing_to_do: 1 backup, 0.5 GB, all kept

2026-11-24 20:00  single                   0.5 GB  keep: last #1, daily #1,
                                                   weekly #1, monthly #1,
                                                   yearly #1, within P30D

A policy names instance gone (taurusdb, project
054e292c9880d4992f02c0196d3ea468), but the list has no manual backup of it
12 backups in 3 instances: 2 expired (17,578.1 GB of 17,591.2 GB or more), 9
kept, 1 automated""".splitlines()
    )


def test_a_group_over_its_limit_says_what_to_set() -> None:
    lines = table(some_plan(max_expired=1))

    at = lines.index("Outcome   refused: over_max_expired. 2 of 9 backups expired, 17,578.1 GB of")
    assert lines[at + 1 : at + 4] == [
        "          17,590.7 GB or more, but none of them may go; to allow it, set",
        "          max_expired = 2 in [limits]",
        "",
    ]
    assert lines[-2:] == [
        "12 backups in 3 instances: 0 expired (0.0 GB of 17,591.2 GB or more), 9 kept, 2",
        "over a limit, 1 automated",
    ]


@pytest.mark.parametrize(("width", "lines"), [(72, 1), (71, 2)])
def test_what_a_group_is_goes_on_below_if_the_terminal_is_narrow(width: int, lines: int) -> None:
    found = table(plan([made(AS_OF - 3 * DAY, size_mb=1.0, instance_id="x" * 51)], FILE), width=width)

    assert found.index(f"Project   {PROJECT}") - found.index("") == lines + 1
    assert max(map(len, found[: 2 + lines])) <= width


def test_an_outcome_that_only_a_fault_of_ours_can_have_is_told_without_a_remedy() -> None:
    group = Group(
        engine="taurusdb",
        project_id=PROJECT,
        instance_id=INSTANCE,
        policy="standard",
        outcome="refused: keeps_nothing",
        remedy=None,
        verdicts=(verdict(1024.0),),
    )

    assert outcome_text(group) == (
        "refused: keeps_nothing. 1 of 1 backup expired, 1.0 GB of 1.0 GB, but none of them may go"
    )


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("x" * 19, "x" * 19),
        ("x" * 20, "x" * 18 + "\u2026"),
        ("\u5907" * 9, "\u5907" * 9 + " "),
        ("\u5907" * 9 + "x", "\u5907" * 9 + "x"),
        ("\u5907" * 10, "\u5907" * 9 + "\u2026"),
        ("x" + "\u5907" * 10, "x" + "\u5907" * 8 + "\u2026 "),
        ("\uff21" * 10, "\uff21" * 9 + "\u2026"),  # fullwidth
        ("\uff71" * 19, "\uff71" * 19),  # halfwidth
        ("x\u0301" * 19, "x\u0301" * 19),  # a mark that joins
        ("x\u20dd" * 19, "x\u20dd" * 19),  # a mark that encloses
        ("x\u0301" * 20, "x\u0301" * 18 + "\u2026"),
    ],
)
def test_a_name_fills_its_column_as_a_terminal_counts(name: str, shown: str) -> None:
    row = table(plan([made(AS_OF - 3 * DAY, name=name)], FILE))[7]

    assert row == f"2026-11-24 20:00  {shown}           -  keep: last #1, daily #1,"


def test_colours_are_there_only_if_asked_for_and_change_nothing_else() -> None:
    plain, coloured = table(some_plan()), table(some_plan(), colour=True)

    assert "\x1b" not in "".join(plain)
    red, green, off = "\x1b[31m", "\x1b[32m", "\x1b[0m"
    text = "\n".join(coloured)
    assert text.count(f"{red}expired{off}: no_rule") == 2
    assert text.count(f"{green}keep{off}: ") == 9
    for code in (red, green, off):
        text = text.replace(code, "")
    assert text.split("\n") == plain


@pytest.mark.parametrize(("width", "expected"), [(10, 60), (60, 60), (80, 80), (133, 133)])
def test_the_table_is_as_wide_as_the_terminal_but_never_too_narrow_to_read(width: int, expected: int) -> None:
    widest = max(_columns(line) for line in table(some_plan(), width=width))

    assert expected - 8 <= widest <= expected


def _columns(text: str) -> int:
    """Unicode Standard Annex #11; marks that join the character before them take no column."""
    wide = sum(unicodedata.east_asian_width(each) in ("W", "F") for each in text)
    return len(text) + wide - sum(unicodedata.combining(each) > 0 for each in text)


@given(st.text(max_size=60), st.sampled_from([60, 80, 120]))
def test_no_name_breaks_the_table(name: str, width: int) -> None:
    """Names are chosen by whoever makes backups."""
    usual, other = (
        table(plan([made(AS_OF - 3 * DAY, id="x", name=each, size_mb=5.0)], FILE), width=width)
        for each in ("nightly", name)
    )

    assert len(other) == len(usual)
    at = usual.index("") + 6
    assert other[:at] + other[at + 1 :] == usual[:at] + usual[at + 1 :]
    start, end = usual[at].index("nightly"), usual[at].index("    0.0 GB")
    assert other[at].startswith(usual[at][:start])
    assert other[at].endswith(usual[at][end:])
    assert all(unicodedata.category(character)[0] != "C" for character in other[at])
    shown = other[at][start : len(other[at]) - len(usual[at]) + end]
    joining = sum(unicodedata.category(each) in ("Mn", "Me") for each in shown)
    assert _columns("".join(each for each in shown if unicodedata.category(each) not in ("Mn", "Me"))) == end - start
    assert joining <= MAX_NAME_CHARS


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("nightly", "nightly"),
        ("cafe\u0301", "caf\u00e9"),
        ("\u5907\u4efd", "\u5907\u4efd"),
        ("a\x1b]0;title\x07b", "a\ufffd]0;title\ufffdb"),
        ("\x9b31m", "\ufffd31m"),  # the control sequence introducer in one byte
        ("a\r\nb\tc\x00d\x7f", "a\ufffd\ufffdb\ufffdc\ufffdd\ufffd"),
        ("\u202eabc\u2066\u200b\ufeff", "\ufffdabc\ufffd\ufffd\ufffd"),  # direction, zero width, byte order mark
        ("\u2028\u2029", "\ufffd\ufffd"),
        ("\ud800", "\ufffd"),
        ("\ue000\uffff", "\ufffd\ufffd"),
        ("x" * 5000, "x" * MAX_NAME_CHARS),
        (" a  b ", " a  b "),
    ],
)
def test_what_a_terminal_or_browser_could_obey_is_replaced(name: str, shown: str) -> None:
    assert clean(name) == shown


@pytest.mark.parametrize(
    ("time", "shown"),
    [
        (None, "no time"),
        (datetime(2026, 11, 27, 12, 0, 59, tzinfo=UTC), "2026-11-27 20:00"),
        (datetime(2026, 11, 27, 12, 0, tzinfo=timezone(timedelta(hours=8))), "2026-11-27 12:00"),
        (datetime(2026, 11, 27, 12, 0), "2026-11-27 12:00"),  # without an offset: as it is
        (datetime.max.replace(tzinfo=timezone(-8 * HOUR)), "9999-12-31 23:59"),
        (datetime.max.replace(tzinfo=UTC), "9999-12-31 23:59"),
    ],
)
def test_times_are_those_of_the_policys_clock(time: datetime | None, shown: str) -> None:
    assert shown_time(time, ZoneInfo("Asia/Shanghai")) == shown


def verdict(size_mb: float | None) -> Verdict:
    return Verdict(Backup(id="x", size_mb=size_mb), True, ())


@pytest.mark.parametrize(
    ("size_mb", "shown"),
    [
        (None, "-"),
        (0.0, "0.0 GB"),
        (51.0, "0.0 GB"),
        (52.0, "0.1 GB"),
        (1024.0, "1.0 GB"),
        (9999.9 * 1024, "9999.9 GB"),
        (10_000 * 1024.0, "10,000 GB"),
        (999_998.6 * 1024, "999,999 GB"),
        (999_999 * 1024.0, "1.0e+06 GB"),
        (999_999_999_999.0, "9.8e+08 GB"),
    ],
)
def test_sizes_are_in_gigabytes_of_1024_megabytes(size_mb: float | None, shown: str) -> None:
    assert shown_size(verdict(size_mb)) == shown


@pytest.mark.parametrize(
    ("sizes", "shown"),
    [
        ([], "0.0 GB"),
        ([1024.0, 512.0], "1.5 GB"),
        ([1024.0 * 1024 * 2], "2,048.0 GB"),
        ([1024.0, None], "1.0 GB or more"),
        ([None], "0.0 GB or more"),
    ],
)
def test_a_sum_says_whether_it_is_of_all_sizes(sizes: list[float | None], shown: str) -> None:
    assert str(Size.of(map(verdict, sizes))) == shown


def test_one_backup_is_no_backups() -> None:
    found = totals_text(plan([made(AS_OF - 3 * DAY, size_mb=1.0)], FILE))

    assert found == "1 backup in 1 instance: 0 expired (0.0 GB of 0.0 GB), 1 kept"


# JSON.


def test_the_json_has_every_verdict_with_its_reasons() -> None:
    backups = [
        made(AS_OF - 2 * DAY, id="new", name="new", size_mb=100.0),
        made(datetime.fromisoformat("2026-10-01T02:00:00+0800"), id="old", size_mb=2803.5),
        made(datetime.fromisoformat("2026-10-02T02:00:00+0800"), id="other", size_mb=None),
        Backup(id="what", type="manual"),
        made(AS_OF, id="auto", type="auto"),
    ]
    file = policy_file(policy(instances=("*", "gone")), timezone=ZoneInfo("Asia/Shanghai"))

    assert json.loads(json.dumps(to_json(plan(backups, file)))) == {
        "as_of": "2026-11-27T20:00:00+08:00",
        "timezone": "Asia/Shanghai",
        "policy_file_sha256": "0" * 64,
        "groups": [
            {
                "engine": "taurusdb",
                "project_id": PROJECT,
                "instance_id": None,
                "policy": None,
                "outcome": "nothing_to_do",
                "backups": [{"backup_id": "what", "begin_time": None, "verdict": "keep", "reasons": ["unreadable"]}],
            },
            {
                "engine": "taurusdb",
                "project_id": PROJECT,
                "instance_id": INSTANCE,
                "policy": "standard",
                "outcome": "planned",
                "backups": [
                    {
                        "backup_id": "new",
                        "begin_time": "2026-11-25T12:00:00+00:00",
                        "verdict": "keep",
                        "reasons": ["last #1"],
                    },
                    {
                        "backup_id": "other",
                        "begin_time": "2026-10-02T02:00:00+08:00",
                        "verdict": "expired",
                        "reasons": ["no_rule"],
                    },
                    {
                        "backup_id": "old",
                        "begin_time": "2026-10-01T02:00:00+08:00",
                        "verdict": "expired",
                        "reasons": ["no_rule"],
                    },
                ],
            },
        ],
        "absent": [{"engine": "taurusdb", "project_id": PROJECT, "instance_id": "gone"}],
        "counts": {
            "listed": 5,
            "not_manual": 1,
            "kept": 2,
            "expired": 2,
            "refused": 0,
            "megabytes_expired": 2803.5,
        },
    }


def test_the_json_of_a_group_over_its_limit_says_so_and_what_to_set() -> None:
    found = to_json(some_plan(max_expired=1))

    groups = found["groups"]
    assert isinstance(groups, list)
    assert [(group["outcome"], group.get("remedy")) for group in groups] == [
        ("nothing_to_do", None),
        ("refused: over_max_expired", "max_expired = 2"),
        ("nothing_to_do", None),
    ]
    assert found["counts"] == {
        "listed": 12,
        "not_manual": 1,
        "kept": 9,
        "expired": 0,
        "refused": 2,
        "megabytes_expired": 0,
    }
