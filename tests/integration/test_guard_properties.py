"""Whatever an account holds and whatever is delivered, what the guards protect is there afterwards.

The function's own reading of events, handler, guards and client, against the simulator's gateway: without sockets, so
that policies, accounts and the order of every single call can be drawn. The same over HTTP is in test_guards.py.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from function.backups import Deleted, Failed, Outcome, Skipped
from function.cloud.client import BackupClient
from function.cloud.credentials import Secret, Token, TokenSettings
from function.cloud.engines.taurusdb import TAURUSDB
from function.delivery import Delivery
from function.errors import NotFinalError
from function.events.binding import STRUCTURED, read_event
from function.events.contract import EXPIRED, read_command
from function.guards import Policy
from function.handler import handle
from function.reaper import KNOWN
from simulator import Account, Backup, Fault
from simulator import Token as IssuedToken
from tests.doubles.in_process import Turns, Upstream
from tests.facts.account import NOW
from tests.wire.deliverer import Envelope, expired_event

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
ALLOWED, FOREIGN = "a" * 32, "f" * 32
INSTANCES: Final = ["i1", "i2"]
HOLD_WORDS: Final = ("keep", "legalhold")
COMPLETED: Final = ("COMPLETED", "AVAILABLE")


PLAIN_ORDER: Final = {"project_id": None, "instance_id": None, "dry_run": None, "time": timedelta(), "expirytime": None}
PLAIN_BACKUP: Final = {
    "project_id": ALLOWED,
    "type": "manual",
    "status": "COMPLETED",
    "name": "weekly",
    "description": None,
}


def odd_at_most_once(
    plain: Mapping[str, object], oddities: Mapping[str, Sequence[object]], **always: st.SearchStrategy[object]
) -> st.SearchStrategy[dict[str, Any]]:
    """Facts that are plain but for one at most: of many at once only the first would count."""
    changes = [{name: value} for name, values in oddities.items() for value in values]
    change = st.sampled_from([*[{}] * len(changes), *changes])
    return st.builds(lambda drawn, changed: {**plain, **drawn, **changed}, st.fixed_dictionaries(always), change)


policies = st.builds(
    Policy,
    dry_run=st.sampled_from([False] * 9 + [True]),
    allowed_projects=st.none() | st.just(frozenset({ALLOWED})),
    max_event_age=st.none() | st.just(HOUR),
    manual_only=st.booleans(),
    min_age=st.sampled_from([None, None, 2 * DAY, 5 * DAY]),
    keep_last=st.sampled_from([None, 1, 2, 3]),
    hold_words=st.just(()) | st.just(HOLD_WORDS),
)
AGES: Final = {
    "instance_id": st.sampled_from(INSTANCES),
    "begin_time": st.integers(0, 9).map(lambda age: (NOW - age * DAY).isoformat()),
}
clear_facts = odd_at_most_once(
    PLAIN_BACKUP,
    {
        "project_id": [FOREIGN],
        "type": ["auto"],
        "status": ["AVAILABLE", "FAILED", "BUILDING"],
        "name": ["KEEP-2024"],
        "description": ["", "a Legal Hold"],
    },
    **AGES,
)
# One of these in an instance, and no rank in it is clear any more.
UNCLEAR: Final[Sequence[Mapping[str, Any]]] = [
    {"status": "?"},
    {"begin_time": None},
    {"begin_time": "yesterday"},
    {"begin_time": (NOW + DAY).isoformat()},
]
unclear_facts = st.builds(lambda facts, unclear: {**facts, **unclear}, clear_facts, st.sampled_from(UNCLEAR))
# `which` counts, round and round, through all backups that there have been and one that never was. A project of None
# is the backup's own.
orders = odd_at_most_once(
    PLAIN_ORDER,
    {
        "project_id": [ALLOWED, FOREIGN],
        "instance_id": INSTANCES,
        "dry_run": [False, True],
        "time": [None, -2 * HOUR, HOUR],
        "expirytime": [MINUTE, -MINUTE],
    },
    which=st.integers(0, 100),
)
# Of lies only those by which too little is listed: no guard can see through an invented backup.
mishaps = st.sampled_from(
    [
        Fault(method="GET", status=500),
        Fault(method="GET", status=429),
        Fault(method="GET", status=404),
        Fault(method="GET", drop=True),
        Fault(method="GET", path="backup_id=", status=200, body={"backups": [], "total_count": 0}),
        Fault(method="GET", path="offset=", status=200, body={"backups": [], "total_count": 0}),
        Fault(method="GET", status=200, body={"backups": []}),
        Fault(status=401),
        Fault(method="DELETE", status=500),
        Fault(method="DELETE", status=500, takes_effect=True),
        Fault(method="DELETE", drop=True, takes_effect=True),
        Fault(method="DELETE", status=202),
        Fault(method="DELETE", status=202, takes_effect=True),
        Fault(method="DELETE", status=404),
    ]
)


@dataclass(frozen=True)
class Order:
    """An event, and what it says as far as a guard is concerned."""

    envelope: Envelope
    backup_id: str
    project_id: str
    instance_id: str | None
    dry_run: bool
    judged: timedelta | None
    expired: bool


class GuardedAccount(RuleBasedStateMachine):
    """An account, and the function under a policy."""

    def __init__(self) -> None:
        super().__init__()
        self.account = Account(projects={ALLOWED: "a", FOREIGN: "f"}, tokens=[IssuedToken("token")])
        self.upstream = Upstream(self.account)
        credential = Token(TokenSettings(Secret("HW_AUTH_TOKEN", "token")))
        self.client = BackupClient(TAURUSDB, "https://api.example", "en-us", credential, self.upstream.exchange)
        self.policy = Policy()
        self.known: dict[str, Backup] = {}  # as they are, or last were
        self.asked: set[tuple[str, str]] = set()  # whose deletion was ordered in earnest, by project and id

    @initialize(
        policy=policies, held=st.lists(clear_facts, min_size=3, max_size=12), odd=st.lists(unclear_facts, max_size=1)
    )
    def begin(self, policy: Policy, held: Sequence[dict[str, Any]], odd: Sequence[dict[str, Any]]) -> None:
        self.policy = policy
        for one in [*held, *odd]:
            self.add(one)

    @rule(one=clear_facts | clear_facts | unclear_facts)
    def add(self, one: dict[str, Any]) -> None:
        """A backup is made, or appears."""
        backup = Backup(id=f"b{len(self.known)}", **one)
        self.known[backup.id] = backup
        self.account.add(backup)

    @rule(status=st.sampled_from(["COMPLETED", "FAILED"]))
    def settle(self, status: str) -> None:
        """What was being made is there, and what was unclear is clear."""
        for backup in list(self.account.backups.values()):
            if backup.status in ("BUILDING", "?") or _time(backup) is None:
                self.known[backup.id] = replace(backup, status=status, begin_time=NOW.isoformat())
                self.account.add(self.known[backup.id])

    @rule(drawn=st.lists(orders, min_size=1, max_size=4))
    def deliver_one_after_the_other(self, drawn: Sequence[dict[str, Any]]) -> None:
        """Without mishaps the outcome is exactly what the policy says."""
        for order in map(self.order, drawn):
            goes, before = self.may_go(order), set(self.account.backups)
            outcome = self.deliver(order)
            assert before - set(self.account.backups) == ({order.backup_id} if goes else set())
            assert not goes or isinstance(outcome, Deleted)

    @rule(drawn=orders, mishap=mishaps)
    def deliver_through_a_mishap(self, drawn: dict[str, Any], mishap: Fault) -> None:
        """Whatever it is, and then once more as the broker does."""
        order = self.order(drawn)
        self.upstream.faults.add(mishap)
        if isinstance(self.deliver(order), NotFinalError):
            self.deliver(order)
        self.upstream.faults.replace()

    @rule(drawn=st.lists(orders, min_size=2, max_size=5), more=st.lists(clear_facts, max_size=2), data=st.data())
    def deliver_several_at_once(
        self, drawn: Sequence[dict[str, Any]], more: Sequence[dict[str, Any]], data: st.DataObject
    ) -> None:
        """In any order of their single calls, while backups are added."""
        tasks: list[Callable[[], object]] = [partial(self.deliver, self.order(one)) for one in drawn]
        tasks += [partial(self.add, one) for one in more]
        turns = Turns(lambda waiting: data.draw(st.sampled_from(waiting), label="goes on"))
        self.upstream.turns = turns
        turns.take(tasks)
        self.upstream.turns = None

    @precondition(lambda self: self.policy.keep_last)
    @rule(data=st.data(), instance=st.sampled_from(INSTANCES))
    def deliver_for_a_whole_instance_at_once(self, data: st.DataObject, instance: str) -> None:
        """A policy engine that has gone mad."""
        mine = [name for name, one in enumerate(self.known.values()) if one.instance_id == instance]
        turns = Turns(lambda waiting: data.draw(st.sampled_from(waiting), label="goes on"))
        self.upstream.turns = turns
        turns.take([partial(self.deliver, self.order({"which": which, **PLAIN_ORDER})) for which in mine[-6:]])
        self.upstream.turns = None

    def order(self, drawn: dict[str, Any]) -> Order:
        """What was drawn as an event about this account."""
        backup_id = f"b{drawn['which'] % (len(self.known) + 1)}"
        backup = self.known.get(backup_id)
        project_id = drawn["project_id"] or (backup.project_id if backup else ALLOWED)
        members = {name: drawn[name] for name in ("instance_id", "dry_run") if drawn[name] is not None}
        judged, expirytime = drawn["time"], drawn["expirytime"]
        return Order(
            expired_event(
                project_id=project_id,
                backup_id=backup_id,
                members=members,
                time=None if judged is None else (NOW + judged).isoformat(),
                expirytime=None if expirytime is None else (NOW + expirytime).isoformat(),
            ),
            backup_id,
            project_id,
            drawn["instance_id"],
            bool(drawn["dry_run"]),
            judged,
            expirytime is not None and expirytime < timedelta(),
        )

    def deliver(self, order: Order) -> Outcome | NotFinalError:
        """As `main` does: read the event, carry the command out."""
        if not order.dry_run:
            self.asked.add((order.project_id, order.backup_id))
        delivery = Delivery(now=NOW, until=time.monotonic() + 60)
        command = read_command(
            read_event({"content-type": STRUCTURED}, json.dumps(order.envelope).encode()), {EXPIRED}, KNOWN
        )
        assert not isinstance(command, Failed)
        try:
            return handle(command, self.policy, {"taurusdb": self.client}, delivery)
        except NotFinalError as error:
            return error

    def may_go(self, order: Order) -> bool:
        """What the policy says, written a second time, and as one condition."""
        policy, backup = self.policy, self.account.backups.get(order.backup_id)
        if backup is None or backup.project_id != order.project_id:
            return False
        begun, completed = _time(backup), backup.status in COMPLETED
        words = f"{backup.name} {backup.description}".lower().replace(" ", "")
        reads = policy.manual_only or policy.min_age or policy.keep_last or policy.hold_words or order.instance_id
        return (
            (policy.allowed_projects is None or order.project_id == ALLOWED)
            and not order.expired
            and (policy.max_event_age is None or order.judged == timedelta())
            and not (policy.dry_run or order.dry_run)
            and order.instance_id in (None, backup.instance_id)
            and (policy.min_age is None or (begun is not None and NOW - begun >= policy.min_age))
            and not any(word in words for word in policy.hold_words)
            and (not reads or completed or backup.status == "FAILED")
            and (not policy.keep_last or not completed or self.rank(backup) >= policy.keep_last)
            and backup.type == "manual"
            and backup.status != "BUILDING"  # the API's own refusals
        )

    def rank(self, backup: Backup) -> float:
        """How many are newer; less than any N if that is not clear."""
        siblings = [
            one
            for one in self.account.backups.values()
            if (one.project_id, one.instance_id, one.type) == (backup.project_id, backup.instance_id, "manual")
        ]
        times = [_time(one) for one in siblings if one.status in COMPLETED]
        begun = _time(backup)
        if begun is None or None in times or any(one.status == "?" for one in siblings):
            return -1
        return sum(time is not None and time > begun for time in times)

    @property
    def gone(self) -> list[Backup]:
        return [backup for backup in self.known.values() if backup.id not in self.account.backups]

    @invariant()
    def the_newest_completed_manual_backups_of_each_instance_are_there(self) -> None:
        if self.policy.keep_last:
            completed = [one for one in self.known.values() if one.type == "manual" and one.status in COMPLETED]
            for project_id, instance_id in {(one.project_id, one.instance_id) for one in completed}:
                times = {
                    one.id: time
                    for one in completed
                    if (one.project_id, one.instance_id) == (project_id, instance_id) and (time := _time(one))
                }
                newest = sorted(times.values(), reverse=True)[: self.policy.keep_last]
                kept = [backup_id for backup_id, time in times.items() if time >= newest[-1]]
                assert set(kept) <= self.account.backups.keys()

    @invariant()
    def no_automated_backup_is_gone(self) -> None:
        assert not [one for one in self.gone if one.type != "manual"]

    @invariant()
    def nothing_younger_than_the_minimum_age_is_gone(self) -> None:
        if self.policy.min_age:
            assert not [one for one in self.gone if (time := _time(one)) is None or NOW - time < self.policy.min_age]

    @invariant()
    def nothing_on_hold_is_gone(self) -> None:
        if self.policy.hold_words:
            assert not [one for one in self.gone if "KEEP" in one.name or "Legal Hold" in (one.description or "")]

    @invariant()
    def nothing_outside_the_allow_list_is_gone(self) -> None:
        if self.policy.allowed_projects:
            assert not [one for one in self.gone if one.project_id == FOREIGN]

    @invariant()
    def nothing_is_gone_that_was_not_asked_for_or_in_a_dry_run(self) -> None:
        assert {(one.project_id, one.id) for one in self.gone} <= self.asked
        assert not (self.policy.dry_run and self.gone)


def _time(backup: Backup) -> datetime | None:
    """When it began; None where that is unknown or cannot be."""
    try:
        begun = datetime.fromisoformat(backup.begin_time or "")
    except ValueError:
        return None
    return begun if begun <= NOW else None


def test_whatever_happens_what_the_guards_protect_is_there() -> None:
    run_state_machine_as_test(
        GuardedAccount,
        settings=settings(
            max_examples=80,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.explicit, Phase.reuse, Phase.generate],  # to shrink takes longer than a test may
        ),
    )


@pytest.mark.parametrize("outcome", [Deleted, Skipped])
def test_the_machine_sees_deletions_and_refusals(outcome: type[Outcome]) -> None:
    """That nothing is gone would be easy to hold of a function that deletes nothing."""
    machine = GuardedAccount()
    machine.begin(
        Policy(keep_last=2, hold_words=HOLD_WORDS),
        [
            {"project_id": ALLOWED, "instance_id": "i1", "begin_time": (NOW - age * DAY).isoformat()}
            for age in (9, 8, 7)
        ],
        [],
    )
    which = 0 if outcome is Deleted else 1
    assert isinstance(machine.deliver(machine.order({"which": which, **PLAIN_ORDER})), outcome)
    assert len(machine.gone) == (outcome is Deleted)
