"""What holds for every plan, so that the deletions of a late, repeated or incomplete one are right too."""

from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from function.backups import Backup
from function.guards import COMPLETED
from function.retention.durations import Duration
from function.retention.plan import find_outcome
from function.retention.policy import PolicyFile
from function.retention.rules import PERIODS
from tests.facts.planning import (
    AS_OF,
    DURATIONS,
    HOUR,
    backup_lists,
    expired,
    ordered_times,
    plan,
    policy_files,
    thorough,
    verdicts,
)

FIVE_MINUTES: Final = timedelta(minutes=5)


@thorough
@given(backup_lists, policy_files, st.randoms(use_true_random=False), st.integers(0, 3))
def test_the_order_of_the_list_and_entries_listed_twice_do_not_matter(
    backups: list[Backup], file: PolicyFile, random: Random, twice: int
) -> None:
    other = backups + backups[:twice]
    random.shuffle(other)

    assert plan(other, file) == plan(backups, file)


@thorough
@given(backup_lists, policy_files)
def test_a_plan_over_what_was_kept_expires_nothing(backups: list[Backup], file: PolicyFile) -> None:
    gone = expired(plan(backups, file))

    assert expired(plan([each for each in backups if each.id not in gone], file)) == set()


@thorough
@given(backup_lists, policy_files, st.sets(st.integers(0, 11)))
def test_a_plan_that_was_carried_out_in_part_is_still_the_plan(
    backups: list[Backup], file: PolicyFile, chosen: set[int]
) -> None:
    before = verdicts(plan(backups, file))
    gone = {backups[number].id for number in chosen if number < len(backups)} & {
        id for id, verdict in before.items() if verdict.expired
    }

    after = verdicts(plan([each for each in backups if each.id not in gone], file))

    assert after == {id: verdict for id, verdict in before.items() if id not in gone}


@thorough
@given(backup_lists, policy_files, backup_lists, st.integers(0, 100))
def test_what_has_expired_stays_expired_when_newer_ones_arrive_and_time_passes(
    backups: list[Backup], file: PolicyFile, arrivals: list[Backup], hours: int
) -> None:
    newest = max((each.begin_time for each in backups if each.begin_time), default=AS_OF)
    newer = [
        replace(each, id=f"new-{each.id}", begin_time=newest + (AS_OF - each.begin_time) % (30 * 24 * HOUR))
        if each.begin_time
        else replace(each, id=f"new-{each.id}")
        for each in arrivals
    ]

    assert expired(plan(backups, file)) <= expired(plan(backups + newer, file, AS_OF + hours * HOUR))


@thorough
@given(
    backup_lists,
    policy_files,
    st.sampled_from(["last", "within", *PERIODS]),
    st.integers(1, 3),
    st.sampled_from(DURATIONS),
)
def test_one_more_rule_or_a_larger_number_never_expires_more(
    backups: list[Backup], file: PolicyFile, rule: str, more: int, longer: Duration
) -> None:
    (policy,) = file.policies
    rules = policy.rules
    if rule == "last":
        rules = replace(rules, last=rules.last + more)
    elif rule != "within":
        rules = replace(rules, periods={**rules.periods, rule: rules.periods.get(rule, 0) + more})
    elif rules.within is None:
        rules = replace(rules, within=longer)
    larger = replace(file, policies=(replace(policy, rules=rules),))

    assert expired(plan(backups, larger)) <= expired(plan(backups, file))


@thorough
@given(backup_lists, policy_files, st.sets(st.integers(0, 11)))
def test_entries_missing_from_the_list_never_make_another_one_expire(
    backups: list[Backup], file: PolicyFile, missing: set[int]
) -> None:
    """A short page, a lost page, a list that lags behind: each is safe."""
    short = [each for number, each in enumerate(backups) if number not in missing]

    assert expired(plan(short, file)) <= expired(plan(backups, file))


@thorough
@given(backup_lists, policy_files)
def test_the_newest_usable_backup_is_never_expired(backups: list[Backup], file: PolicyFile) -> None:
    usable = [
        (each.begin_time, each.id)
        for each in backups
        if each.type == "manual" and each.status in COMPLETED and each.begin_time
    ]

    gone = expired(plan(backups, file))

    assert not usable or max(usable)[1] not in gone
    present = [pair for pair in usable if pair[0] <= AS_OF + FIVE_MINUTES]
    assert not present or max(present)[1] not in gone


@thorough
@given(backup_lists, policy_files)
def test_whatever_is_young_held_unclear_or_not_manual_is_kept(backups: list[Backup], file: PolicyFile) -> None:
    (policy,) = file.policies
    by_id = {each.id: each for each in backups}

    for id in expired(plan(backups, file)):
        backup = by_id[id]
        assert backup.type == "manual"
        assert backup.begin_time is not None
        assert backup.begin_time <= AS_OF - HOUR
        assert backup.status in {*COMPLETED, "FAILED"}
        assert backup.status != "FAILED" or policy.expire_failed_after
        assert not policy.hold_words or "hold" not in f"{backup.name}"


@thorough
@given(backup_lists, policy_files, st.integers(1, 9), st.none() | st.integers(1, 100))
def test_no_group_that_is_planned_is_over_a_limit_or_left_without_a_usable_backup(
    backups: list[Backup], file: PolicyFile, max_expired: int, percent: int | None
) -> None:
    limited = replace(file, max_expired=max_expired, max_expired_percent=percent)

    for group in plan(backups, limited).groups:
        gone = [verdict for verdict in group.verdicts if verdict.expired]
        assert (group.outcome == "nothing_to_do") == (not gone)
        assert group.outcome != "refused: keeps_nothing"
        if group.outcome == "planned":
            assert len(gone) <= max_expired
            assert find_outcome(group.verdicts, limited) == ("planned", None)
        elif gone:
            assert group.remedy is not None


@thorough
@given(ordered_times, policy_files)
def test_a_hold_costs_no_slot(moments: list[datetime], file: PolicyFile) -> None:
    """Held backups beside others change nothing for them."""
    (policy,) = file.policies
    holding = replace(file, policies=(replace(policy, hold_words=("hold",)),))
    usable = Backup(id="", name="nightly", instance_id="i", type="manual", status="COMPLETED", description="")
    plain = [replace(usable, id=f"b{number}", begin_time=time) for number, time in enumerate(moments)]
    held = [replace(usable, id=f"h{number}", begin_time=time, name="hold") for number, time in enumerate(moments)]

    with_held = verdicts(plan(plain + held, holding))

    assert {id: verdict for id, verdict in with_held.items() if id.startswith("b")} == verdicts(plan(plain, holding))
    assert all(not verdict.expired for id, verdict in with_held.items() if id.startswith("h"))
