"""The guards: each passes, refuses with its stable reason, or cannot be decided."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta, timezone
from typing import Any, Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from function.backups import Backup, DeleteBackup, Reason, Skipped
from function.errors import UndecidedError
from function.guards import (
    Clock,
    Facts,
    Policy,
    backup_checks,
    folded,
    is_dry_run,
    refuse_command,
    refuse_stale,
)
from tests.facts.account import COMMAND, NOW, WEEKLY

SECOND: Final = timedelta(seconds=1)
MINUTE: Final = timedelta(minutes=1)
HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
OFF: Final = Policy()


def command(**facts: Any) -> DeleteBackup:
    return replace(COMMAND, **facts)


def backup(**facts: Any) -> Backup:
    return replace(WEEKLY, **facts)


CLOCK: Final = Clock(ours=NOW, api=NOW)


def check(
    policy: Policy,
    backup: Backup = WEEKLY,
    command: DeleteBackup = COMMAND,
    *,
    siblings: Sequence[Backup] = (),
    clock: Clock = CLOCK,
) -> Skipped | None:
    """What the checks in force say of a backup; the list of its instance holds it and its siblings."""
    everything = [backup, *siblings]
    facts = Facts(backup=backup, clock=clock, siblings=lambda instance_id: everything)
    return next((refusal for each in backup_checks(command, policy) if (refusal := each(facts))), None)


# By command: nothing has been asked of the cloud yet.


@pytest.mark.parametrize(
    ("policy", "facts"),
    [
        (OFF, {}),
        (OFF, {"judged": NOW - 1000 * DAY}),
        (OFF, {"judged": NOW + 1000 * DAY}),
        (OFF, {"expires": NOW + SECOND}),
        (Policy(allowed_projects=frozenset({"p" * 32, "q" * 32})), {}),
        (Policy(max_event_age=HOUR), {"judged": NOW}),
        (Policy(max_event_age=HOUR), {"judged": NOW - HOUR}),
        (Policy(max_event_age=HOUR), {"judged": NOW + 5 * MINUTE}),
        (Policy(max_event_age=HOUR), {"judged": NOW, "expires": NOW + SECOND}),
    ],
)
def test_a_command_within_the_policy_passes(policy: Policy, facts: dict[str, Any]) -> None:
    assert refuse_command(command(**facts), policy, ["taurusdb"]) is None
    assert refuse_stale(command(**facts), policy, CLOCK) is None


@pytest.mark.parametrize(
    ("policy", "facts", "reason", "message"),
    [
        (
            Policy(allowed_projects=frozenset({"P" * 32})),
            {},
            "project_not_allowed",
            "the project is not one of those that this function may touch",
        ),
        (
            Policy(allowed_projects=frozenset()),
            {},
            "project_not_allowed",
            "the project is not one of those that this function may touch",
        ),
        (
            OFF,
            {"engine": "rds"},
            "engine_not_allowed",
            "the engine rds is not one of those that REAPER_ENGINES lists",
        ),
        (OFF, {"expires": NOW}, "stale_event", "the event expired at 2026-03-01T12:00:00+00:00"),
        (OFF, {"expires": NOW - DAY}, "stale_event", "the event expired at 2026-02-28T12:00:00+00:00"),
        (Policy(max_event_age=HOUR), {}, "stale_event", "the event has no time, so its age is unknown"),
        (
            Policy(max_event_age=HOUR),
            {"judged": NOW - HOUR - SECOND},
            "stale_event",
            "the event is 3601 s old; the most is 3600 s",
        ),
        (
            Policy(allowed_projects=frozenset(), max_event_age=HOUR),
            {"expires": NOW},
            "project_not_allowed",
            "the project is not one of those that this function may touch",
        ),
        (
            Policy(max_event_age=HOUR),
            {"expires": NOW - HOUR, "judged": NOW - DAY},
            "stale_event",
            "the event expired at 2026-03-01T11:00:00+00:00",
        ),
    ],
)
def test_a_command_outside_the_policy_is_refused(
    policy: Policy, facts: dict[str, Any], reason: Reason, message: str
) -> None:
    refusal = refuse_command(command(**facts), policy, ["taurusdb"]) or refuse_stale(command(**facts), policy, CLOCK)

    assert refusal == Skipped(reason=reason, message=message)


@pytest.mark.parametrize("clock", [CLOCK, Clock(ours=NOW)])
def test_an_event_that_is_ahead_of_our_clock_is_not_final(clock: Clock) -> None:
    ahead = command(judged=NOW + 5 * MINUTE + SECOND / 4)

    with pytest.raises(UndecidedError) as raised:
        refuse_stale(ahead, Policy(max_event_age=HOUR), clock)

    message = (
        "the event's time 2026-03-01T12:05:00+00:00 is ahead of our clock, 2026-03-01T12:00:00+00:00;"
        " set the clocks, or retry later"
    )
    assert (raised.value.error_code, raised.value.error_msg) == ("CLOCK_AHEAD", message)


OFF_CLOCKS: Final = [Clock(ours=NOW, api=NOW + 5 * MINUTE + SECOND), Clock(ours=NOW, api=NOW - 5 * MINUTE - SECOND)]


@pytest.mark.parametrize("clock", OFF_CLOCKS)
@pytest.mark.parametrize(
    ("policy", "facts"),
    [
        (OFF, {"expires": NOW - DAY}),
        (OFF, {"expires": NOW + DAY}),
        (Policy(max_event_age=HOUR), {"judged": NOW}),
        (Policy(max_event_age=HOUR), {"judged": NOW - DAY}),
        (Policy(max_event_age=HOUR), {"judged": NOW + DAY}),
    ],
)
def test_an_event_is_not_judged_by_a_clock_that_is_off(clock: Clock, policy: Policy, facts: dict[str, Any]) -> None:
    with pytest.raises(UndecidedError, match=r"^CLOCK_OFF: our clock says 2026-03-01T12:00:00\+00:00, the API's 2026-"):
        refuse_stale(command(**facts), policy, clock)


@pytest.mark.parametrize("clock", OFF_CLOCKS)
@pytest.mark.parametrize("policy", [Policy(min_age=DAY), Policy(keep_last=1)])
def test_a_backup_is_not_judged_by_a_clock_that_is_off(clock: Clock, policy: Policy) -> None:
    with pytest.raises(UndecidedError, match=r"^CLOCK_OFF: "):
        check(policy, siblings=[sibling(1)], clock=clock)


@pytest.mark.parametrize("clock", OFF_CLOCKS)
def test_a_guard_that_asks_for_no_time_works_with_a_clock_that_is_off(clock: Clock) -> None:
    assert check(Policy(manual_only=True, hold_words=("legal",)), clock=clock) is None


@pytest.mark.parametrize("off", [5 * MINUTE, -5 * MINUTE])
def test_a_clock_may_be_five_minutes_off(off: timedelta) -> None:
    assert Clock(ours=NOW, api=NOW + off).now() == NOW


@pytest.mark.parametrize(
    ("of_policy", "of_event", "expected"),
    [(False, False, False), (True, False, True), (False, True, True), (True, True, True)],
)
def test_an_event_makes_a_run_safer_and_never_less_safe(of_policy: bool, of_event: bool, expected: bool) -> None:
    assert is_dry_run(command(dry_run=of_event), Policy(dry_run=of_policy)) is expected


@pytest.mark.parametrize(
    ("policy", "facts", "expected"),
    [
        (OFF, {}, False),
        (Policy(allowed_projects=frozenset({"p" * 32}), max_event_age=HOUR), {"judged": NOW, "expires": NOW}, False),
        (Policy(dry_run=True), {}, True),
        (OFF, {"dry_run": True}, True),
        (OFF, {"instance_id": "i1"}, True),
        (Policy(manual_only=True), {}, True),
        (Policy(min_age=DAY), {}, True),
        (Policy(keep_last=1), {}, True),
        (Policy(hold_words=("legal",)), {}, True),
    ],
)
def test_there_are_checks_only_if_somebody_asks_for_a_fact(
    policy: Policy, facts: dict[str, Any], expected: bool
) -> None:
    assert bool(backup_checks(command(**facts), policy)) is expected


# By backup.

STRICT: Final = Policy(manual_only=True)


@pytest.mark.parametrize(
    ("policy", "facts"),
    [
        (OFF, {"type": "auto", "name": None, "instance_id": None, "begin_time": None}),
        (STRICT, {}),
        (STRICT, {"status": "AVAILABLE"}),
        (STRICT, {"status": "FAILED"}),
        (STRICT, {"instance_id": None, "begin_time": None, "name": None, "description": None}),
        (Policy(min_age=10 * DAY), {}),
        (Policy(min_age=10 * DAY), {"status": "FAILED", "type": None}),
        (Policy(min_age=DAY), {"begin_time": (NOW - DAY).astimezone(timezone(8 * HOUR))}),
        (Policy(keep_last=1), {"status": "FAILED"}),
        (Policy(hold_words=("legal", "keep")), {"name": "weekly", "description": "before the upgrade"}),
        (Policy(hold_words=("weeklybefore",)), {"name": "weekly", "description": "before"}),
    ],
)
def test_a_backup_within_the_policy_passes(policy: Policy, facts: dict[str, Any]) -> None:
    assert check(policy, backup(**facts)) is None


@pytest.mark.parametrize("policy", [STRICT, Policy(min_age=DAY), Policy(hold_words=("keep",))])
@pytest.mark.parametrize("status", ["BUILDING", "UNHEARD OF", "", None])
def test_a_backup_of_another_status_is_not_final_whatever_the_policy(policy: Policy, status: str | None) -> None:
    with pytest.raises(UndecidedError, match=rf"^UNCLEAR_BACKUP: the backup's status is {status}$"):
        check(policy, backup(status=status))


SEPARATORS: Final = [
    "-",
    "_",
    " ",
    "  ",
    "\n",
    "\u00a0",
    "\u2011",
    "\u2013",
    "\u00ad",
    "\u200b",
    ".",
    "",
    "/",
    "\u2060",
]


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("l\u00e9gale", "le\u0301gale"),
        ("STRASSE", "stra\u00dfe"),
        ("keep", "\uff2beep"),
        ("legal-hold", "LegalHold2026"),
        *(("do not delete", f"{between.join(['do', 'not', 'delete'])}-q3") for between in SEPARATORS),
    ],
)
def test_a_hold_word_is_found_however_it_is_written(word: str, name: str) -> None:
    policy = Policy(hold_words=(folded(word),))

    for held in (backup(name=name), backup(description=name)):
        refusal = check(policy, held)
        assert refusal is not None
        assert refusal.reason == "on_hold"


_PARTS: Final = st.text(st.characters(categories=["Lu", "Ll", "Nd"]), min_size=1, max_size=5).filter(folded)
_BETWEEN: Final = st.text(st.characters(categories=["Zs", "Zl", "Pd", "Po", "Cf", "Cc"]), max_size=3)


@given(st.lists(_PARTS, min_size=1, max_size=4), st.data())
@example(["do", "not", "delete"], None)
@example(["\u0131"], None)
def test_whatever_joins_the_parts_of_a_hold_word_the_backup_is_held(
    parts: list[str], data: st.DataObject | None
) -> None:
    joined = "".join(part + (data.draw(_BETWEEN) if data else "\u00ad") for part in parts)

    refusal = check(Policy(hold_words=(folded(" ".join(parts)),)), backup(name=f"q3 {joined.swapcase()} x"))

    assert refusal is not None
    assert refusal.reason == "on_hold"


def test_the_instance_that_the_event_names_passes() -> None:
    assert check(OFF, WEEKLY, command(instance_id="i1")) is None


@pytest.mark.parametrize(
    ("policy", "facts", "reason", "message"),
    [
        (STRICT, {"type": "auto"}, "not_manual", "the backup is of type auto, not manual"),
        (STRICT, {"type": "Manual"}, "not_manual", "the backup is of type Manual, not manual"),
        (STRICT, {"type": "auto", "status": "BUILDING"}, "not_manual", "the backup is of type auto, not manual"),
        (
            Policy(min_age=10 * DAY),
            {"begin_time": NOW - 10 * DAY + SECOND},
            "too_young",
            "the backup is 9.9 days old; the least is 10 days",
        ),
        (
            Policy(min_age=7 * DAY),
            {"begin_time": NOW - 12 * HOUR},
            "too_young",
            "the backup is 0.5 days old; the least is 7 days",
        ),
        (Policy(min_age=DAY), {"begin_time": NOW}, "too_young", "the backup is 0.0 days old; the least is 1 days"),
        (
            Policy(hold_words=("legal",)),
            {"name": "LEGAL-2026"},
            "on_hold",
            "the backup's name or description holds the word legal",
        ),
        (
            Policy(hold_words=("keep", "stra\u00dfe".casefold())),
            {"description": "STRASSE"},
            "on_hold",
            "the backup's name or description holds the word strasse",
        ),
    ],
)
def test_a_backup_outside_the_policy_is_refused(
    policy: Policy, facts: dict[str, Any], reason: Reason, message: str
) -> None:
    assert check(policy, backup(**facts)) == Skipped(reason=reason, message=message)


def test_a_backup_of_another_instance_is_refused() -> None:
    refusal = check(OFF, WEEKLY, command(instance_id="i2"))

    message = "the backup belongs to instance i1, the event names i2"
    assert refusal == Skipped(reason="wrong_instance", message=message)


@pytest.mark.parametrize(
    ("policy", "facts", "message"),
    [
        (STRICT, {"type": None}, "the API does not say the backup's type, or says it unreadably"),
        (STRICT, {"status": None}, "the backup's status is None"),
        (STRICT, {"status": "BUILDING"}, "the backup's status is BUILDING"),
        (STRICT, {"status": "completed"}, "the backup's status is completed"),
        (Policy(keep_last=1), {"status": "BUILDING"}, "the backup's status is BUILDING"),
        (
            Policy(min_age=DAY),
            {"begin_time": None},
            "the API does not say the backup's begin_time, or says it unreadably",
        ),
        (
            Policy(min_age=DAY),
            {"begin_time": None},
            "the API does not say the backup's begin_time, or says it unreadably",
        ),
        (Policy(hold_words=("x",)), {"name": None}, "the API does not say the backup's name, or says it unreadably"),
        (
            Policy(hold_words=("x",)),
            {"description": None},
            "the API does not say the backup's description, or says it unreadably",
        ),
    ],
)
def test_missing_data_is_not_permission(policy: Policy, facts: dict[str, Any], message: str) -> None:
    with pytest.raises(UndecidedError) as raised:
        check(policy, backup(**facts))

    assert (raised.value.error_code, raised.value.error_msg) == ("UNCLEAR_BACKUP", message)


def test_an_instance_that_the_api_does_not_say_is_not_the_one_that_the_event_names() -> None:
    with pytest.raises(UndecidedError) as raised:
        check(OFF, backup(instance_id=None), command(instance_id="i1"))

    message = "the API does not say the backup's instance_id, or says it unreadably"
    assert (raised.value.error_code, raised.value.error_msg) == ("UNCLEAR_BACKUP", message)


def test_a_backup_that_is_being_deleted_is_not_final_though_the_api_locks_it() -> None:
    with pytest.raises(UndecidedError, match="the backup's status is DELETING"):
        check(STRICT, backup(status="DELETING", in_use=True))


def test_a_backup_that_the_api_locks_is_in_use() -> None:
    message = "the API says that the backup must not be deleted now: it is locked, or a restore is using it"
    assert check(STRICT, backup(in_use=True)) == Skipped(reason="in_use", message=message)


# By rank.


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"status": "BUILDING"}, "the backup's status is BUILDING"),
        ({"instance_id": None}, "the API does not say the backup's instance_id, or says it unreadably"),
        ({"begin_time": None}, "the API does not say the backup's begin_time, or says it unreadably"),
    ],
)
def test_a_backup_of_unknown_rank_is_undecided(facts: dict[str, Any], message: str) -> None:
    with pytest.raises(UndecidedError) as raised:
        check(Policy(keep_last=1), backup(**facts), siblings=[sibling(1)])

    assert (raised.value.error_code, raised.value.error_msg) == ("UNCLEAR_BACKUP", message)


def test_a_failed_backup_protects_nothing_and_needs_no_rank() -> None:
    assert check(Policy(keep_last=9), backup(status="FAILED", instance_id=None, begin_time=None)) is None


@pytest.mark.parametrize("policy", [Policy(min_age=DAY), Policy(keep_last=1)])
def test_a_backup_that_begins_ahead_of_our_clock_is_undecided(policy: Policy) -> None:
    ahead = backup(begin_time=NOW + 5 * MINUTE + SECOND)

    with pytest.raises(
        UndecidedError, match=r"^CLOCK_AHEAD: the backup's begin_time 2026-03-01T12:05:01\+00:00 is ahead"
    ):
        check(policy, ahead, siblings=[sibling(1)])


def sibling(number: int, **facts: Any) -> Backup:
    """A backup that is newer than ours by so many hours."""
    return backup(**{"id": f"s{number}", "begin_time": NOW - 10 * DAY + number * HOUR, **facts})


@pytest.mark.parametrize(
    ("siblings", "newer"),
    [
        ([], 0),
        ([sibling(0)], 0),
        ([sibling(-1), sibling(-2)], 0),
        ([sibling(1)], 1),
        ([sibling(1, status="AVAILABLE")], 1),
        ([sibling(1, status="FAILED")], 0),
        ([sibling(1, status="BUILDING", begin_time=None)], 0),
        ([sibling(1, status="DELETING")], 0),
        ([sibling(1, is_partial=True)], 0),
        ([sibling(1, begin_time=(NOW - 10 * DAY + SECOND).astimezone(timezone(8 * HOUR)))], 1),
        ([sibling(1), sibling(-1), sibling(2)], 2),
        ([sibling(1, name=None, description=None)], 1),
    ],
)
def test_the_last_n_that_are_strictly_newer_must_be_there(siblings: list[Backup], newer: int) -> None:
    for keep_last in range(1, 4):
        refusal = check(Policy(keep_last=keep_last), siblings=siblings)

        message = f"{newer} completed manual backups of the instance are newer; the last {keep_last} are kept"
        assert refusal == (None if newer >= keep_last else Skipped(reason="keep_last", message=message))


@pytest.mark.parametrize(
    ("siblings", "code", "message"),
    [
        (
            [sibling(1, instance_id="i2")],
            "UNCLEAR_LIST",
            "asked for one instance's manual backups, the API listed others",
        ),
        (
            [sibling(1, instance_id=None)],
            "UNCLEAR_LIST",
            "asked for one instance's manual backups, the API listed others",
        ),
        (
            [sibling(1, type="auto")],
            "UNCLEAR_LIST",
            "asked for one instance's manual backups, the API listed others",
        ),
        (
            [sibling(-1, type=None)],
            "UNCLEAR_LIST",
            "asked for one instance's manual backups, the API listed others",
        ),
        (
            [sibling(1), sibling(2), sibling(3), sibling(4, status="UNHEARD OF")],
            "UNCLEAR_BACKUP",
            "the backup's status is UNHEARD OF",
        ),
        ([sibling(1, status=None)], "UNCLEAR_BACKUP", "the backup's status is None"),
        (
            [sibling(1, begin_time=None)],
            "UNCLEAR_BACKUP",
            "the API does not say the backup's begin_time, or says it unreadably",
        ),
        (
            [sibling(1, begin_time=NOW + HOUR)],
            "CLOCK_AHEAD",
            "the backup's begin_time 2026-03-01T13:00:00+00:00 is ahead of our clock, 2026-03-01T12:00:00+00:00;"
            " set the clocks, or retry later",
        ),
    ],
)
def test_a_list_in_which_something_is_unclear_ranks_nothing(siblings: list[Backup], code: str, message: str) -> None:
    with pytest.raises(UndecidedError) as raised:
        check(Policy(keep_last=1), siblings=siblings)

    assert (raised.value.error_code, raised.value.error_msg) == (code, message)


@pytest.mark.parametrize(
    "later",
    [
        {"description": "on hold"},
        {"name": "weekly-legal"},
        {"status": "BUILDING"},
        {"begin_time": NOW - DAY},
        {"begin_time": None},
        {"instance_id": "i2"},
        {"type": "auto"},
    ],
)
def test_two_reads_of_a_backup_that_do_not_agree_are_undecided(later: dict[str, Any]) -> None:
    """The list of the instance is the later read: what it says of our own backup counts."""
    listed = [backup(**later), sibling(1)]
    facts = Facts(backup=WEEKLY, clock=CLOCK, siblings=lambda instance_id: listed)

    with pytest.raises(UndecidedError, match=r"^UNCLEAR_BACKUP: two reads of the backup do not agree"):
        [each(facts) for each in backup_checks(COMMAND, Policy(keep_last=1))]


@pytest.mark.parametrize(("backup_type", "agrees"), [("manual", False), (None, False), ("auto", True)])
def test_a_manual_backup_must_be_in_the_list_of_its_instance(backup_type: str | None, agrees: bool) -> None:
    facts = Facts(backup=backup(type=backup_type), clock=CLOCK, siblings=lambda instance_id: [sibling(1)])
    checks = backup_checks(COMMAND, Policy(keep_last=1))

    if agrees:
        assert not any(each(facts) for each in checks)
    else:
        with pytest.raises(UndecidedError, match="two reads of the backup do not agree"):
            [each(facts) for each in checks]


@given(st.lists(st.integers(0, 6), min_size=1, max_size=8), st.integers(1, 4), st.data())
def test_whatever_is_deleted_in_whatever_order_the_newest_n_stay(
    hours: list[int], keep_last: int, data: st.DataObject
) -> None:
    everything = [sibling(hour, id=f"s{number}") for number, hour in enumerate(hours)]
    newest = sorted(everything, key=lambda each: each.begin_time or NOW)[-keep_last:]
    policy, there = Policy(keep_last=keep_last), {each.id: each for each in everything}

    for each in data.draw(st.permutations(everything)):
        others = [other for other in there.values() if other is not each]
        if check(policy, each, siblings=others) is None:
            del there[each.id]

    left = sorted((each.begin_time or NOW for each in there.values()), reverse=True)
    assert left[:keep_last] == sorted((each.begin_time or NOW for each in newest), reverse=True)


@given(st.lists(st.integers(0, 6), min_size=1, max_size=8), st.integers(1, 4))
def test_all_deliveries_at_once_delete_no_more_than_one_after_the_other(hours: list[int], keep_last: int) -> None:
    """Each judges by what was there before any of them: a rank does not change when an older backup goes."""
    everything = [sibling(hour, id=f"s{number}") for number, hour in enumerate(hours)]
    policy = Policy(keep_last=keep_last)

    kept = [
        each
        for each in everything
        if check(policy, each, siblings=[other for other in everything if other is not each])
    ]

    assert len(kept) >= min(keep_last, len(everything))
