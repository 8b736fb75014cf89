"""The use case: which guards, reads and deletion one command leads to, and in which order."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from function.backups import Backup, DeleteBackup, Deleted, Failed, Outcome, Skipped
from function.delivery import Delivery
from function.errors import ApiDeniedError, ApiUnavailableError, NotFinalError, UndecidedError
from function.guards import Policy
from function.handler import handle
from tests.facts.account import COMMAND, NOW, WEEKLY

DAY: Final = timedelta(days=1)
OFF: Final = Policy()
NEWER: Final = replace(WEEKLY, id="b2", begin_time=NOW - DAY)


class Account:
    """Backups in a list, and the calls that were made.

    Args:
        api_times: the `Date` of each answer; none after the last.
    """

    def __init__(self, *backups: Backup, api_times: Sequence[datetime | None] = ()) -> None:
        self.api_times = list(api_times)
        self.backups = {backup.id: backup for backup in backups}
        self.calls: list[str] = []
        self.deliveries: list[Delivery] = []

    def find(self, command: DeleteBackup, delivery: Delivery) -> Backup | None:
        self._called("find", delivery)
        return self.backups.get(command.backup_id)

    def manual_backups(self, project_id: str, instance_id: str, delivery: Delivery) -> Sequence[Backup]:
        self._called(f"manual_backups {project_id[0]} {instance_id}", delivery)
        return [backup for backup in self.backups.values() if backup.type == "manual"]

    def delete(self, command: DeleteBackup, delivery: Delivery) -> Deleted | Failed:
        self._called("delete", delivery)
        gone = self.backups.pop(command.backup_id, None)
        return Deleted() if gone else Deleted(absence="stated")

    def _called(self, call: str, delivery: Delivery) -> None:
        self.calls.append(call)
        self.deliveries.append(delivery)
        if self.api_times:
            delivery.api_time = self.api_times.pop(0) or delivery.api_time


class Broken:
    """Backups that nobody can reach."""

    def find(self, command: DeleteBackup, delivery: Delivery) -> Backup | None:
        raise ApiUnavailableError("NO_ANSWER", "no answer")

    def manual_backups(self, project_id: str, instance_id: str, delivery: Delivery) -> Sequence[Backup]:
        raise AssertionError("nothing is ranked before it is found")

    def delete(self, command: DeleteBackup, delivery: Delivery) -> Deleted | Failed:
        return Failed(error_code="DBS.201208", error_msg="not allowed")


def carry_out(account: Account, policy: Policy = OFF, **facts: Any) -> Outcome:
    delivery = Delivery(now=NOW, until=0)
    outcome = handle(replace(COMMAND, **facts), policy, {"taurusdb": account}, delivery)
    assert all(each is delivery for each in account.deliveries)
    return outcome


def test_without_a_guard_a_deletion_is_one_call() -> None:
    account = Account(WEEKLY, NEWER)

    outcome = carry_out(account)

    assert outcome == Deleted()
    assert account.calls == ["delete"]
    assert account.backups == {"b2": NEWER}


def test_what_the_api_says_to_the_deletion_is_the_outcome() -> None:
    outcome = handle(COMMAND, OFF, {"taurusdb": Broken()}, Delivery(now=NOW, until=0))

    assert outcome == Failed(error_code="DBS.201208", error_msg="not allowed")


STRICT: Final = Policy(manual_only=True, allowed_projects=frozenset({"p" * 32}), max_event_age=DAY)


def test_strict_is_one_read_and_one_deletion() -> None:
    account = Account(WEEKLY, NEWER)

    outcome = carry_out(account, STRICT, judged=NOW)

    assert outcome == Deleted()
    assert account.calls == ["find", "delete"]
    assert account.backups == {"b2": NEWER}


def test_a_rank_is_one_more_read_and_one_deletion() -> None:
    account = Account(WEEKLY, NEWER)

    outcome = carry_out(account, Policy(keep_last=1))

    assert outcome == Deleted()
    assert account.calls == ["find", "manual_backups p i1", "delete"]


@pytest.mark.parametrize(
    ("policy", "facts"),
    [
        (STRICT, {"judged": NOW}),
        (OFF, {"instance_id": "i1"}),
        (Policy(keep_last=1), {}),
        (OFF, {"expires": NOW - DAY}),
        (Policy(max_event_age=DAY), {"judged": NOW - 2 * DAY}),
        (Policy(max_event_age=DAY), {}),
    ],
)
def test_a_backup_that_is_not_found_is_deleted_already(policy: Policy, facts: dict[str, Any]) -> None:
    account = Account(NEWER)

    assert carry_out(account, policy, **facts) == Deleted(absence="not_listed")
    assert account.calls == ["find"]


@pytest.mark.parametrize(
    ("policy", "facts", "reason", "calls"),
    [  # cheap guards first
        (OFF, {"expires": NOW}, "stale_event", ["find"]),  # it may be gone, and then that is the outcome
        (OFF, {"expires": NOW, "dry_run": True, "instance_id": "i2"}, "stale_event", ["find"]),
        (Policy(allowed_projects=frozenset()), {"dry_run": True}, "project_not_allowed", []),
        (Policy(max_event_age=DAY), {}, "stale_event", ["find"]),
        (OFF, {"instance_id": "i2"}, "wrong_instance", ["find"]),
        (OFF, {"instance_id": "i2", "dry_run": True}, "wrong_instance", ["find"]),
        (Policy(min_age=11 * DAY, keep_last=1), {}, "too_young", ["find"]),
        (Policy(keep_last=2), {}, "keep_last", ["find", "manual_backups p i1"]),
        (Policy(keep_last=2, dry_run=True), {}, "keep_last", ["find", "manual_backups p i1"]),
    ],
)
def test_a_refusal_ends_it_and_the_backup_stays(
    policy: Policy, facts: dict[str, Any], reason: str, calls: list[str]
) -> None:
    account = Account(WEEKLY, NEWER)

    outcome = carry_out(account, policy, **facts)

    assert isinstance(outcome, Skipped)
    assert (outcome.reason, outcome.would_delete) == (reason, None)
    assert account.calls == calls
    assert account.backups == {"b1": WEEKLY, "b2": NEWER}


@pytest.mark.parametrize(
    ("policy", "facts"),
    [
        (OFF, {"expires": NOW}),
        (OFF, {"instance_id": "i2"}),
        (Policy(hold_words=("weekly",)), {}),
        (Policy(manual_only=True, min_age=100 * DAY), {"dry_run": True}),
    ],
)
def test_a_deletion_under_way_is_not_final_whatever_a_guard_says(policy: Policy, facts: dict[str, Any]) -> None:
    """An engine that deletes asynchronously had an earlier delivery's DELETE: the repeat finds the backup gone."""
    with pytest.raises(UndecidedError, match="the backup's status is DELETING"):
        carry_out(Account(replace(WEEKLY, status="DELETING")), policy, **facts)


def test_each_answer_s_time_counts_for_the_rank() -> None:
    account = Account(WEEKLY, NEWER, api_times=[None, NOW - DAY])

    with pytest.raises(UndecidedError, match="CLOCK_OFF"):
        carry_out(account, Policy(keep_last=1))

    assert account.calls == ["find", "manual_backups p i1"]


@pytest.mark.parametrize(
    ("policy", "facts", "calls"),
    [
        (OFF, {"dry_run": True}, ["find"]),
        (Policy(dry_run=True), {}, ["find"]),
        (Policy(dry_run=True, keep_last=1), {}, ["find", "manual_backups p i1"]),
    ],
)
def test_a_dry_run_does_everything_but_the_deletion(policy: Policy, facts: dict[str, Any], calls: list[str]) -> None:
    account = Account(WEEKLY, NEWER)

    outcome = carry_out(account, policy, **facts)

    message = "dry run: a DELETE of this backup would have been sent"
    assert outcome == Skipped(reason="dry_run", message=message, would_delete=WEEKLY)
    assert account.calls == calls
    assert account.backups == {"b1": WEEKLY, "b2": NEWER}


@pytest.mark.parametrize("facts", [{}, {"expires": NOW}])
@pytest.mark.parametrize(("of_policy", "of_event"), [(True, False), (False, True)])
def test_a_dry_run_never_says_that_it_deleted(facts: dict[str, Any], of_policy: bool, of_event: bool) -> None:
    account = Account(NEWER)

    outcome = carry_out(account, Policy(dry_run=of_policy), dry_run=of_event, **facts)

    message = "dry run: the API does not list this backup, so there is nothing to delete"
    assert outcome == Skipped(reason="dry_run", message=message)


class Unseen(Broken):
    """Backups that may be deleted, but not listed."""

    def __init__(self, error: NotFinalError, api_time: datetime | None = None) -> None:
        self.error, self.api_time = error, api_time

    def find(self, command: DeleteBackup, delivery: Delivery) -> Backup | None:
        delivery.api_time = self.api_time
        raise self.error


DENIED: Final = ApiDeniedError("DBS.200010", "not authorised", http_status=403)
DENIED.may_not_look = True
BLOCKED: Final = ApiDeniedError("APIGW.0802", "the address is blocked", http_status=403)
REFUSED: Final = ApiDeniedError("CREDENTIAL_REFUSED", "refused a short time ago")
UNCLEAR: Final = UndecidedError("UNCLEAR_LIST", "another list")
SILENT: Final = ApiUnavailableError("NO_ANSWER", "no answer")


@pytest.mark.parametrize("error", [DENIED, UNCLEAR])
def test_a_stale_event_that_cannot_look_says_what_it_could_not_see(error: NotFinalError) -> None:
    """Without the permission to list, a repeat would see no more."""
    outcome = handle(replace(COMMAND, expires=NOW), OFF, {"taurusdb": Unseen(error)}, Delivery(now=NOW, until=0))

    message = f"the event expired at 2026-03-01T12:00:00+00:00; the backup could not be looked up: {error}"
    assert outcome == Skipped(reason="stale_event", message=message)


@pytest.mark.parametrize(
    ("error", "api_time", "code"),
    [
        (REFUSED, None, "CREDENTIAL_REFUSED"),
        (BLOCKED, None, "APIGW.0802"),
        (SILENT, None, "NO_ANSWER"),
        (DENIED, NOW + DAY, "CLOCK_OFF"),
        (UNCLEAR, NOW - DAY, "CLOCK_OFF"),
    ],
)
def test_a_stale_event_that_may_see_more_later_is_not_final(
    error: NotFinalError, api_time: datetime | None, code: str
) -> None:
    with pytest.raises(NotFinalError) as raised:
        handle(replace(COMMAND, expires=NOW), OFF, {"taurusdb": Unseen(error, api_time)}, Delivery(now=NOW, until=0))

    assert raised.value.error_code == code


@pytest.mark.parametrize("error", [DENIED, UNCLEAR])
def test_an_event_that_is_not_stale_is_not_final_where_it_cannot_look(error: NotFinalError) -> None:
    policy = Policy(manual_only=True, max_event_age=DAY)

    with pytest.raises(type(error)):
        handle(replace(COMMAND, judged=NOW), policy, {"taurusdb": Unseen(error)}, Delivery(now=NOW, until=0))


class Dated(Account):
    """An account whose API says what time it is."""

    def __init__(self, api_time: datetime, *backups: Backup) -> None:
        super().__init__(*backups)
        self.api_time = api_time

    def find(self, command: DeleteBackup, delivery: Delivery) -> Backup | None:
        delivery.api_time = self.api_time
        return super().find(command, delivery)


@pytest.mark.parametrize("api_time", [NOW - 22 * DAY / 24, NOW + DAY / 24])
@pytest.mark.parametrize(
    ("policy", "facts"),
    [
        (Policy(min_age=DAY), {}),
        (Policy(keep_last=1), {}),
        (STRICT, {"judged": NOW}),
        (STRICT, {"judged": NOW - 2 * DAY}),
        (OFF, {"expires": NOW}),
        (Policy(manual_only=True), {"expires": NOW + DAY}),
    ],
)
def test_a_guard_is_not_decided_by_a_clock_that_is_off(
    api_time: datetime, policy: Policy, facts: dict[str, Any]
) -> None:
    account = Dated(api_time, WEEKLY, NEWER)

    with pytest.raises(UndecidedError, match=r"^CLOCK_OFF: "):
        carry_out(account, policy, **facts)

    assert account.backups == {"b1": WEEKLY, "b2": NEWER}


def test_that_a_backup_is_gone_is_true_whatever_our_clock_says() -> None:
    assert carry_out(Dated(NOW + DAY), OFF, expires=NOW) == Deleted(absence="not_listed")


@pytest.mark.parametrize("policy", [STRICT, Policy(keep_last=1), Policy(dry_run=True)])
def test_nothing_is_deleted_that_could_not_be_read(policy: Policy) -> None:
    with pytest.raises(ApiUnavailableError):
        handle(replace(COMMAND, judged=NOW), policy, {"taurusdb": Broken()}, Delivery(now=NOW, until=0))


@pytest.mark.parametrize(
    ("policy", "backup"),
    [
        (Policy(min_age=DAY), replace(WEEKLY, begin_time=NOW + DAY)),
        (Policy(manual_only=True), replace(WEEKLY, type=None)),
        (Policy(keep_last=1), replace(WEEKLY, instance_id=None)),
    ],
)
def test_what_cannot_be_decided_stays(policy: Policy, backup: Backup) -> None:
    account = Account(backup, NEWER)

    with pytest.raises(UndecidedError):
        carry_out(account, policy)

    assert account.backups == {"b1": backup, "b2": NEWER}


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


moments = st.integers(-3, 30).map(lambda days: NOW - days * DAY)
backups = st.builds(
    Backup,
    id=st.sampled_from(["b1", "b2", "b3", "b4"]),
    name=maybe(st.sampled_from(["weekly", "LEGAL hold"])),
    instance_id=maybe(st.sampled_from(["i1", "i2"])),
    type=maybe(st.sampled_from(["manual", "auto"])),
    status=maybe(st.sampled_from(["COMPLETED", "AVAILABLE", "FAILED", "BUILDING", "NEW"])),
    begin_time=maybe(moments),
    description=maybe(st.sampled_from(["", "for legal reasons"])),
)
policies = st.builds(
    Policy,
    dry_run=st.booleans(),
    allowed_projects=maybe(st.sampled_from([frozenset({"p" * 32}), frozenset({"q" * 32})])),
    max_event_age=maybe(st.just(DAY)),
    manual_only=st.booleans(),
    min_age=maybe(st.integers(1, 9).map(lambda days: days * DAY)),
    keep_last=maybe(st.integers(1, 3)),
    hold_words=st.sampled_from([(), ("legal",)]),
)
commands = st.builds(
    DeleteBackup,
    project_id=st.just("p" * 32),
    backup_id=st.sampled_from(["b1", "b2", "b3"]),
    instance_id=maybe(st.sampled_from(["i1", "i2"])),
    dry_run=st.booleans(),
    judged=maybe(moments),
    expires=maybe(moments),
)


@given(st.lists(backups, max_size=5), policies, commands)
def test_whatever_the_account_holds_only_what_every_guard_lets_pass_is_deleted(
    held: list[Backup], policy: Policy, command: DeleteBackup
) -> None:
    account = Account(*held)
    before = dict(account.backups)
    try:
        outcome = handle(command, policy, {"taurusdb": account}, Delivery(now=NOW, until=0))
    except NotFinalError:
        assert account.backups == before
        return
    gone = [backup for backup_id, backup in before.items() if backup_id not in account.backups]
    if not isinstance(outcome, Deleted):
        assert not gone
        return

    assert [backup.id for backup in gone] == [command.backup_id] * (command.backup_id in before)
    for backup in gone:
        assert not (policy.dry_run or command.dry_run)
        assert command.expires is None or command.expires > NOW
        assert command.project_id in (policy.allowed_projects or {command.project_id})
        assert policy.max_event_age is None or command.judged is not None
        assert command.instance_id in (None, backup.instance_id)
        if policy.manual_only:
            assert (backup.type, backup.status in ("COMPLETED", "AVAILABLE", "FAILED")) == ("manual", True)
        if policy.min_age:
            assert backup.begin_time is not None
            assert NOW - backup.begin_time >= policy.min_age
        if policy.hold_words:
            assert "legal" not in f"{backup.name} {backup.description}".casefold()
        if policy.keep_last and backup.status != "FAILED":
            newer = [
                each for each in before.values() if each.begin_time and each.begin_time > (backup.begin_time or NOW)
            ]
            assert len(newer) >= policy.keep_last
