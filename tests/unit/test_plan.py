"""The plan: a verdict with its reasons on every backup, by instance, and whether what has expired is within limits."""

import gc
import itertools
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from time import process_time
from typing import Any, Final, get_args
from zoneinfo import ZoneInfo

import pytest

from function.backups import Backup
from function.guards import folded
from function.retention.durations import Duration
from function.retention.plan import Listing, Outcome, find_outcome, make_plan
from function.retention.rules import KeepRules
from function.retention.verdicts import Verdict
from tests.facts.account import INSTANCE, PROJECT
from tests.facts.planning import AS_OF, DAY, HOUR, expired, made, only_group, plan, policy, policy_file, reasons

OTHER: Final = "9c3b1f7a52d84e06a1f0c7d2b85e6a13"
SECOND: Final = timedelta(seconds=1)
FILE: Final = policy_file(policy())
OLD: Final = made(AS_OF - 9 * DAY, id="old")
NEW: Final = made(AS_OF - 5 * DAY, id="new")


def kept_last(count: int) -> KeepRules:
    return KeepRules(last=count)


# Verdicts and their reasons.


def test_what_no_rule_keeps_has_expired() -> None:
    assert reasons(plan([OLD, NEW], FILE)) == {"new": "keep: last #1", "old": "expired: no_rule"}


def test_verdicts_are_listed_newest_first_and_the_unreadable_last() -> None:
    unreadable = [made(AS_OF, id=id, type=None) for id in ("y", "x")]
    ties = [made(AS_OF - 7 * DAY, id=id) for id in ("b", "c", "a")]

    group = only_group(plan([*unreadable, OLD, *ties, NEW], FILE))

    assert [verdict.backup.id for verdict in group.verdicts] == ["new", "c", "b", "a", "old", "x", "y"]


def test_of_backups_made_at_the_same_time_the_id_decides() -> None:
    """The order of the list does not: the API promises none."""
    for ids in itertools.permutations(["a", "b", "c"]):
        assert expired(plan([made(AS_OF - 5 * DAY, id=id) for id in ids], FILE)) == {"a", "b"}


def test_the_zone_of_the_file_names_the_days() -> None:
    """24 November 00:30 in Shanghai is 23 November in UTC."""
    times = {"late": "2026-11-24T00:30:00+0800", "early": "2026-11-23T12:00:00+0800"}
    backups = [made(datetime.fromisoformat(time), id=id) for id, time in times.items()]
    daily = policy(KeepRules(last=1, periods={"daily": 2}))

    in_shanghai = plan(
        [*backups, made(AS_OF - 99 * DAY, id="oldest")], policy_file(daily, timezone=ZoneInfo("Asia/Shanghai"))
    )
    in_utc = plan([*backups, made(AS_OF - 99 * DAY, id="oldest")], policy_file(daily))

    assert reasons(in_shanghai)["early"] == "keep: daily #2"
    assert reasons(in_utc)["early"] == "expired: no_rule"


@pytest.mark.parametrize(
    ("within", "newest", "second", "oldest"),
    [
        # 31 March 01:00 less a month is 28 February 01:00; and 30 March 23:00 less a month is no later.
        ("P1M", "2026-03-31T01:00+02:00", "2026-03-30T23:00+02:00", "2026-02-28T12:00+01:00"),
        # tz database, rule EU. In October the clock goes back to 2:00, so 2:30 is followed by 2:10.
        ("P1D", "2026-10-25T02:10+01:00", "2026-10-25T02:30+02:00", "2026-10-24T02:20+02:00"),
        # In March the clock goes on from 2:00 to 3:00, so the day before 30 March 2:30 has no 2:30.
        ("P1D", "2026-03-30T03:00+02:00", "2026-03-30T02:30+02:00", "2026-03-29T03:15+02:00"),
    ],
)
def test_the_newest_backup_missing_from_the_list_makes_no_other_expire(
    within: str, newest: str, second: str, oldest: str
) -> None:
    """Where calendar arithmetic goes back while time goes on."""
    rules = KeepRules(last=1, within=Duration.parse(within))
    file = policy_file(policy(rules), timezone=ZoneInfo("Europe/Berlin"))
    backups = [made(datetime.fromisoformat(time), id=id) for id, time in (("n", newest), ("s", second), ("o", oldest))]

    assert expired(plan(backups, file)) == set()
    assert expired(plan(backups[1:], file)) == set()


# Kept whatever the rules say, and not counted: the two usable ones keep their places.


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"status": "BUILDING"}, "in_progress"),
        ({"status": "DELETING"}, "in_progress"),
        ({"status": "UNHEARD OF"}, "in_progress"),
        ({"status": "completed"}, "in_progress"),
        ({"status": ""}, "in_progress"),
        ({"status": None}, "in_progress"),
        ({"status": "FAILED"}, "failed"),
        ({"name": "on hold"}, "hold"),
        ({"description": "On-H_o_L\u00adD until spring"}, "hold"),
        ({"status": "FAILED", "name": "hold"}, "hold"),
        ({"status": "BUILDING", "name": "hold"}, "in_progress, hold"),
        ({"name": None}, "unreadable"),  # it could have a hold word
        ({"description": None}, "unreadable"),
        ({"description": None, "name": "hold"}, "unreadable, hold"),
        ({"begin_time": AS_OF - DAY + SECOND}, "min_age"),
        ({"begin_time": AS_OF}, "min_age"),
        ({"begin_time": AS_OF + 5 * HOUR / 60}, "min_age"),  # our clocks differ a little
        ({"begin_time": AS_OF, "status": "BUILDING", "name": "hold"}, "min_age, in_progress, hold"),
        ({"begin_time": AS_OF, "status": "FAILED"}, "min_age"),
        ({"begin_time": AS_OF + 5 * HOUR / 60 + SECOND}, "future"),
        ({"begin_time": datetime(2042, 1, 1, tzinfo=UTC), "status": "FAILED"}, "future"),
        ({"begin_time": datetime.max.replace(tzinfo=timezone(-8 * HOUR))}, "future"),
        ({"begin_time": None}, "unreadable"),
        ({"begin_time": datetime(2026, 11, 1)}, "unreadable"),  # without an offset
        ({"begin_time": datetime(1970, 1, 1, tzinfo=UTC)}, "unreadable"),  # a missing time that was read as zero
        ({"begin_time": datetime(1970, 12, 31, 23, 59, 59, tzinfo=UTC)}, "unreadable"),
        ({"begin_time": datetime.min.replace(tzinfo=timezone(8 * HOUR))}, "unreadable"),
        ({"type": None}, "unreadable"),
        ({"is_partial": True}, "partial"),  # one of some tables must not displace a full one
        ({"is_partial": True, "status": "FAILED"}, "partial"),
        ({"is_partial": True, "name": "hold"}, "partial, hold"),
    ],
)
def test_what_must_stay_stays_and_takes_no_place(facts: dict[str, Any], reason: str) -> None:
    file = policy_file(policy(kept_last(2), hold_words=(folded("hold"),)))
    special = replace(made(AS_OF - 3 * DAY, id="special"), **facts)

    assert reasons(plan([OLD, special, NEW, made(AS_OF - 20 * DAY, id="older")], file)) == {
        "new": "keep: last #1",
        "old": "keep: last #2",
        "older": "expired: no_rule",
        "special": f"keep: {reason}",
    }


@pytest.mark.parametrize("status", ["COMPLETED", "AVAILABLE"])
def test_a_backup_that_can_be_restored_counts(status: str) -> None:
    assert reasons(plan([OLD, replace(NEW, status=status)], FILE))["new"] == "keep: last #1"


def test_a_backup_of_1971_is_only_old() -> None:
    old = made(datetime(1971, 1, 1, tzinfo=UTC), id="old")

    assert reasons(plan([old, NEW], FILE))["old"] == "expired: no_rule"


@pytest.mark.parametrize(
    ("age", "expected"), [(DAY - SECOND, "keep: min_age"), (DAY, "keep: last #1"), (DAY + SECOND, "keep: last #1")]
)
def test_a_backup_of_exactly_the_least_age_is_old_enough(age: timedelta, expected: str) -> None:
    assert reasons(plan([made(AS_OF - age, id="x")], FILE)) == {"x": expected}


def test_the_least_age_is_the_policys() -> None:
    patient = policy_file(policy(min_age=Duration.parse("P7D")))

    assert reasons(plan([OLD, NEW], patient)) == {"new": "keep: min_age", "old": "keep: last #1"}


def test_ages_are_counted_on_the_policys_clock() -> None:
    """tz database, rule EU: 25 October 2026 has 25 hours in Berlin."""
    berlin = ZoneInfo("Europe/Berlin")
    file = policy_file(policy(expire_failed_after=Duration.parse("P1D")), timezone=berlin)
    as_of = datetime(2026, 10, 25, 12, tzinfo=berlin)
    day_before = datetime(2026, 10, 24, 12, tzinfo=berlin)
    backups = [
        made(day_before, id="old"),
        made(day_before + SECOND, id="young"),
        made(day_before - SECOND, id="failed", status="FAILED"),
        made(day_before, id="failed-later", status="FAILED"),
    ]

    assert reasons(plan(backups, file, as_of)) == {
        "young": "keep: min_age",
        "old": "keep: last #1",
        "failed-later": "keep: failed",
        "failed": "expired: failed",
    }


def test_without_hold_words_a_name_that_is_not_told_does_not_matter() -> None:
    assert reasons(plan([replace(OLD, name=None, description=None), NEW], FILE))["old"] == "expired: no_rule"


# Failed backups.

FAILED: Final = made(AS_OF - 30 * DAY, id="failed", status="FAILED")
CLEANING: Final = policy_file(policy(expire_failed_after=Duration.parse("P14D")))


@pytest.mark.parametrize(
    ("facts", "newer", "expected"),
    [
        ({}, [NEW], "expired: failed"),
        ({}, [replace(NEW, status="AVAILABLE")], "expired: failed"),
        ({}, [replace(NEW, begin_time=FAILED.begin_time), made(AS_OF - 31 * DAY)], "keep: failed"),  # not newer
        ({}, [made(AS_OF - 30 * DAY + SECOND)], "expired: failed"),
        ({}, [], "keep: failed"),
        ({}, [replace(NEW, status="FAILED")], "keep: failed"),
        ({}, [replace(NEW, status="BUILDING")], "keep: failed"),
        ({}, [replace(NEW, type=None)], "keep: failed"),
        ({}, [replace(NEW, is_partial=True)], "keep: failed"),
        ({}, [replace(NEW, type="auto")], "keep: failed"),
        ({}, [replace(NEW, instance_id="other")], "keep: failed"),
        ({}, [made(AS_OF + DAY)], "keep: failed"),
        ({}, [made(AS_OF + 5 * HOUR / 60 + SECOND)], "keep: failed"),
        ({}, [made(AS_OF + 5 * HOUR / 60)], "expired: failed"),
        ({}, [made(AS_OF)], "expired: failed"),  # young, but there
        ({"begin_time": AS_OF - 14 * DAY}, [NEW], "keep: failed"),  # exactly as old is not older
        ({"begin_time": AS_OF - 14 * DAY - SECOND}, [NEW], "expired: failed"),
        ({"begin_time": AS_OF - 13 * DAY}, [NEW], "keep: failed"),
    ],
)
def test_a_failed_backup_expires_if_it_is_old_and_a_newer_one_is_usable(
    facts: dict[str, Any], newer: Sequence[Backup], expected: str
) -> None:
    assert reasons(plan([replace(FAILED, **facts), *newer], CLEANING))["failed"] == expected


def test_a_failed_backup_stays_unless_the_policy_says_when_it_goes() -> None:
    assert reasons(plan([FAILED, NEW], FILE))["failed"] == "keep: failed"


def test_a_failed_backup_never_stands_for_a_period() -> None:
    file = policy_file(policy(KeepRules(last=1, periods={"monthly": 12}), expire_failed_after=Duration.parse("P14D")))
    usable = made(AS_OF - 31 * DAY, id="usable")

    assert reasons(plan([FAILED, usable, NEW], file)) == {
        "new": "keep: last #1, monthly #1",
        "failed": "expired: failed",
        "usable": "keep: monthly #2",
    }


# Groups.


def test_every_instance_has_its_own_last_one() -> None:
    backups = [replace(OLD, id=f"old-{name}", instance_id=name) for name in "abc"]
    backups += [replace(NEW, id=f"new-{name}", instance_id=name) for name in "ab"]

    found = plan(backups, FILE)

    assert expired(found) == {"old-a", "old-b"}
    assert [(group.instance_id, group.policy, group.outcome) for group in found.groups] == [
        ("a", "standard", "planned"),
        ("b", "standard", "planned"),
        ("c", "standard", "nothing_to_do"),
    ]


def test_an_instance_with_a_policy_of_its_own_has_the_rules_of_that() -> None:
    file = policy_file(policy(), policy(kept_last(2), name="orders", instances=("orders",)))
    backups = [
        replace(each, id=f"{each.id}-{name}", instance_id=name) for name in ("orders", "stock") for each in (OLD, NEW)
    ]

    found = plan(backups, file)

    assert expired(found) == {"old-stock"}
    assert [(group.instance_id, group.policy) for group in found.groups] == [
        ("orders", "orders"),
        ("stock", "standard"),
    ]


def test_the_same_instance_id_in_two_projects_or_engines_is_two_instances() -> None:
    file = policy_file(
        policy(name="both", projects=(PROJECT, OTHER)), policy(name="rds", engine="rds", projects=(PROJECT,))
    )
    places = [("taurusdb", PROJECT), ("taurusdb", OTHER), ("rds", PROJECT)]

    found = make_plan([Listing(engine=engine, project_id=id, backups=[NEW]) for engine, id in places], file, AS_OF)

    assert [(group.engine, group.project_id, group.policy) for group in found.groups] == [
        ("rds", PROJECT, "rds"),
        ("taurusdb", PROJECT, "both"),
        ("taurusdb", OTHER, "both"),
    ]
    assert [verdict.reasons for group in found.groups for verdict in group.verdicts] == [("last #1",)] * 3


def test_two_listings_of_one_project_are_one_list() -> None:
    listings = [Listing(engine="taurusdb", project_id=PROJECT, backups=[backup]) for backup in (OLD, NEW)]

    assert expired(make_plan(listings, FILE, AS_OF)) == {"old"}


def test_an_instance_that_no_policy_names_is_kept() -> None:
    file = policy_file(policy(instances=("another",), expire_failed_after=Duration.parse("P1D")))

    found = plan([OLD, NEW, FAILED, made(AS_OF, id="x", type=None)], file)

    assert reasons(found) == {
        "new": "keep: no_policy",
        "old": "keep: no_policy",
        "failed": "keep: no_policy",
        "x": "keep: unreadable",
    }
    assert (only_group(found).policy, only_group(found).outcome) == (None, "nothing_to_do")


@pytest.mark.parametrize("instance_id", [None, "", "*", "../x", "a b", "x" * 65, "\u0661", "a\n"])
def test_an_instance_that_cannot_be_named_is_kept(instance_id: str | None) -> None:
    """An event could not name it either, and `*` must not mean it."""
    found = plan([replace(OLD, instance_id=instance_id), replace(NEW, instance_id=instance_id)], FILE)

    assert reasons(found) == {"old": "keep: unreadable", "new": "keep: unreadable"}
    group = only_group(found)
    assert (group.instance_id, group.policy, group.outcome) == (None, None, "nothing_to_do")


@pytest.mark.parametrize("id", ["", ".", "..", "a/b", "a\n", "x" * 65, "\u0661", "a b"])
def test_a_backup_whose_id_cannot_be_an_id_is_kept(id: str) -> None:
    """It would change the path of the deletion, or be none of the API's."""
    found = plan([replace(OLD, id=id), replace(OLD, id=id, name="another"), NEW], FILE)

    assert [(verdict.backup.id, verdict.reasons) for verdict in only_group(found).verdicts] == [
        ("new", ("last #1",)),
        (id, ("unreadable",)),
        (id, ("unreadable",)),
    ]


def test_automated_backups_are_not_evaluated() -> None:
    automated = [replace(NEW, id="auto", type="auto"), replace(OLD, id="other", type="Manual")]

    found = plan([*automated, OLD], FILE)

    assert reasons(found) == {"old": "keep: last #1"}
    assert (found.not_manual, found.counts()["listed"]) == (2, 3)


def test_a_plan_of_nothing_is_nothing() -> None:
    found = plan([], FILE)

    assert (found.groups, found.expired(), found.absent) == ((), [], ())
    assert set(found.counts().values()) == {0}


def test_an_instance_that_a_policy_names_but_the_list_does_not_have_is_told() -> None:
    file = policy_file(
        policy(name="one", instances=("a", "b", "*")),
        policy(name="other", instances=("c", INSTANCE), projects=(PROJECT, OTHER)),
        policy(name="rds", engine="rds", instances=("c",)),
    )

    found = plan([OLD, replace(NEW, instance_id="b"), replace(NEW, id="auto", type="auto", instance_id="a")], file)

    # The other project and engine were not listed, so nothing is known of them.
    assert found.absent == (("taurusdb", PROJECT, "a"), ("taurusdb", PROJECT, "c"))


# Twice in the list.


def test_an_entry_that_is_there_twice_takes_one_place() -> None:
    file = policy_file(policy(kept_last(2)))

    found = plan([NEW, OLD, NEW, made(AS_OF - 20 * DAY, id="older"), replace(NEW)], file)

    assert reasons(found) == {"new": "keep: last #1", "old": "keep: last #2", "older": "expired: no_rule"}
    assert found.counts()["listed"] == 3


def test_the_same_time_in_another_offset_is_the_same_content() -> None:
    assert NEW.begin_time is not None
    again = replace(NEW, begin_time=NEW.begin_time.astimezone(timezone(8 * HOUR)))

    assert reasons(plan([OLD, NEW, again], FILE)) == {"new": "keep: last #1", "old": "expired: no_rule"}


@pytest.mark.parametrize(
    "facts",
    [
        {"status": "FAILED"},
        {"status": None},
        {"begin_time": AS_OF - 6 * DAY},
        {"begin_time": None},
        {"name": "renamed"},
        {"description": None},
        {"size_mb": 5.0},
        {"type": "auto"},
    ],
)
def test_an_entry_that_is_there_twice_with_other_content_is_kept_and_takes_no_place(facts: dict[str, Any]) -> None:
    listed = [NEW, OLD, replace(NEW, **facts), made(AS_OF - 20 * DAY, id="older")]
    for backups in (listed, [*listed, NEW], listed[::-1]):
        found = plan(backups, FILE)

        assert reasons(found) == {"new": "keep: unreadable", "old": "keep: last #1", "older": "expired: no_rule"}


def test_of_an_entry_with_two_contents_only_what_both_say_is_shown() -> None:
    both = [NEW, replace(NEW, status="FAILED", name="renamed")]

    for backups in (both, both[::-1]):
        (verdict,) = only_group(plan(backups, FILE)).verdicts
        assert verdict.backup == replace(NEW, status=None, name=None)


def test_an_entry_that_names_two_instances_belongs_to_neither() -> None:
    found = plan([NEW, replace(NEW, instance_id="another")], FILE)

    assert reasons(found) == {"new": "keep: unreadable"}
    assert only_group(found).instance_id is None


def test_the_same_id_in_two_projects_is_two_backups() -> None:
    file = policy_file(policy(projects=(PROJECT, OTHER)))
    listings = [
        Listing(engine="taurusdb", project_id=PROJECT, backups=[NEW]),
        Listing(engine="taurusdb", project_id=OTHER, backups=[replace(NEW, status="AVAILABLE")]),
    ]

    found = make_plan(listings, file, AS_OF)

    assert [verdict.reasons for group in found.groups for verdict in group.verdicts] == [("last #1",), ("last #1",)]


# Limits.


def series(count: int, status: str = "COMPLETED", instance_id: str = INSTANCE) -> list[Backup]:
    days = range(10, 10 + count)
    return [
        made(AS_OF - d * DAY, id=f"{instance_id[:6]}-{status}-{d}", status=status, instance_id=instance_id)
        for d in days
    ]


def outcome(backups: Sequence[Backup], **limits: int) -> tuple[str, str | None]:
    file = policy_file(policy(expire_failed_after=Duration.parse("P2D")), **limits)
    group = only_group(plan(backups, file))
    return group.outcome, group.remedy


@pytest.mark.parametrize(
    ("usable", "failed", "limits", "expected"),
    [
        (1, 0, {"max_expired": 1}, ("nothing_to_do", None)),
        (6, 0, {"max_expired": 5}, ("planned", None)),
        (7, 0, {"max_expired": 5}, ("refused: over_max_expired", "max_expired = 6")),
        (3, 3, {"max_expired": 5}, ("planned", None)),
        (4, 3, {"max_expired": 5}, ("refused: over_max_expired", "max_expired = 6")),  # failed ones count
        (2, 0, {"max_expired_percent": 50}, ("planned", None)),
        (3, 0, {"max_expired_percent": 66}, ("refused: over_max_percent", "max_expired_percent = 67")),
        (3, 0, {"max_expired_percent": 67}, ("planned", None)),
        (4, 0, {"max_expired_percent": 75}, ("planned", None)),
        (4, 0, {"max_expired_percent": 74}, ("refused: over_max_percent", "max_expired_percent = 75")),
        (99, 0, {"max_expired_percent": 100}, ("planned", None)),
        (2, 9, {"max_expired_percent": 50}, ("planned", None)),  # a share of the usable ones
        (1, 9, {"max_expired_percent": 1}, ("planned", None)),
        (
            7,
            0,
            {"max_expired": 5, "max_expired_percent": 50},
            ("refused: over_max_expired", "max_expired = 6, max_expired_percent = 86"),
        ),
    ],
)
def test_a_group_over_a_limit_is_refused_and_told_what_to_set(
    usable: int, failed: int, limits: dict[str, int], expected: tuple[str, str | None]
) -> None:
    backups = series(usable) + series(failed, "FAILED")[: failed + 1]
    backups = [replace(each, begin_time=AS_OF - 50 * DAY) if each.status == "FAILED" else each for each in backups]

    assert outcome(backups, **limits) == expected


def test_what_a_refusal_says_to_set_is_enough() -> None:
    backups = series(7)
    _, remedy = outcome(backups, max_expired=5, max_expired_percent=50)
    assert remedy is not None

    limits = {name: int(figure) for name, figure in (each.split(" = ") for each in remedy.split(", "))}

    assert outcome(backups, **limits) == ("planned", None)
    for name in limits:
        assert outcome(backups, **{**limits, name: limits[name] - 1})[0].startswith("refused: ")


def test_held_and_young_backups_are_usable_but_future_unreadable_and_partial_ones_are_not() -> None:
    """Of four usable ones half may go; if the share were of the others too, one more."""
    file = policy_file(policy(hold_words=("hold",)), max_expired_percent=50)
    held, young = made(AS_OF - 60 * DAY, name="hold"), made(AS_OF)
    future, unreadable = made(AS_OF + DAY), made(AS_OF - 70 * DAY, description=None)
    partial = made(AS_OF - 2 * DAY, is_partial=True)

    assert only_group(plan([*series(3), held], file)).outcome == "planned"
    assert only_group(plan([*series(3), young], file)).outcome == "planned"
    assert only_group(plan([*series(3), future], file)).outcome == "refused: over_max_percent"
    assert only_group(plan([*series(3), unreadable], file)).outcome == "refused: over_max_percent"
    assert only_group(plan([*series(3), partial], file)).outcome == "refused: over_max_percent"


def test_an_instance_over_its_limit_does_not_stop_the_others() -> None:
    backups = [*series(4, instance_id="many-a"), *series(3, instance_id="few-a")]

    found = plan(backups, policy_file(policy(), max_expired=2))

    assert [(group.instance_id, group.outcome) for group in found.groups] == [
        ("few-a", "planned"),
        ("many-a", "refused: over_max_expired"),
    ]
    assert {verdict.backup.instance_id for _, verdict in found.expired()} == {"few-a"}
    assert found.counts() == {"listed": 7, "not_manual": 0, "kept": 2, "expired": 2, "refused": 3}


@pytest.mark.parametrize("usable", [0, 1, 3])
def test_a_group_of_which_no_usable_backup_would_stay_is_refused(usable: int) -> None:
    """No rule can lead there, so this is said of verdicts that no rule gave."""
    verdicts = [Verdict(each, True, ("no_rule",)) for each in series(usable)]
    verdicts += [Verdict(replace(FAILED, id=f"f{number}"), True, ("failed",)) for number in range(2)]

    assert find_outcome(verdicts, policy_file(max_expired=1)) == ("refused: keeps_nothing", None)


def test_an_outcome_is_one_of_five() -> None:
    assert get_args(Outcome) == (
        "planned",
        "nothing_to_do",
        "refused: over_max_expired",
        "refused: over_max_percent",
        "refused: keeps_nothing",
    )


# What comes out of a plan.


def test_what_has_expired_is_listed_oldest_first_over_all_instances() -> None:
    backups = [
        made(AS_OF - age * DAY, id=f"{name}{age}", instance_id=name)
        for name, ages in {"a": (2, 5, 9), "b": (3, 4, 9)}.items()
        for age in ages
    ]

    found = plan(backups, FILE)

    assert [verdict.backup.id for _, verdict in found.expired()] == ["a9", "b9", "a5", "b4"]
    assert all(group.instance_id == verdict.backup.instance_id for group, verdict in found.expired())


def test_a_plan_says_for_when_and_by_which_file_it_was_made() -> None:
    found = plan([], FILE, AS_OF.astimezone(timezone(8 * HOUR)))

    assert (found.as_of, found.file) == (AS_OF, FILE)
    assert found.as_of.tzinfo is UTC


def test_a_plan_for_later_tells_what_will_go_by_then() -> None:
    young = made(AS_OF - HOUR, id="young")

    assert expired(plan([OLD, NEW, young], FILE)) == {"old"}
    assert expired(plan([OLD, NEW, young], FILE, AS_OF + DAY)) == {"old", "new"}


def test_the_documented_rule_on_fourteen_months_of_daily_backups() -> None:
    """30 days and 12 monthlies: the worked example of the documentation."""
    rules = KeepRules(last=1, periods={"monthly": 12}, within=Duration.parse("P30D"))
    days = [AS_OF - number * DAY for number in range(1, 426)]

    found = plan([made(day, id=day.date().isoformat()) for day in days], policy_file(policy(rules)))

    kept = sorted(set(reasons(found)) - expired(found), reverse=True)
    assert kept[:30] == [(AS_OF - number * DAY).date().isoformat() for number in range(1, 31)]
    assert kept[30:] == [
        *("2026-09-30", "2026-08-31", "2026-07-31", "2026-06-30", "2026-05-31", "2026-04-30", "2026-03-31"),
        *("2026-02-28", "2026-01-31", "2025-12-31"),
    ]


def test_the_time_of_a_plan_grows_no_faster_than_the_list() -> None:
    """Ten times the backups; with a step for each pair of them it would be a hundred times the time."""
    seconds = []
    gc.disable()  # a collection looks at all objects of all tests
    for count in (2_000, 20_000):
        backups = [
            made(AS_OF - number * HOUR, id=f"b{number}", instance_id=f"i{number % 3}") for number in range(count)
        ]
        before = process_time()
        plan(backups, policy_file(policy(KeepRules(last=1, periods={"daily": 30, "yearly": 9}))))
        seconds.append(process_time() - before)
    gc.enable()

    assert seconds[1] < 40 * seconds[0]
