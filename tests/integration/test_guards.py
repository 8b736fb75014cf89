"""Guards, over HTTP at both ends: each passes, refuses, or cannot be decided."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

import pytest

from function.config import Config
from function.errors import ConfigError
from simulator import Backup, Fault, Simulator
from simulator.processes import Running, run_function
from tests.conftest import RunFunction
from tests.facts.account import PROJECT
from tests.wire.crowd import deliver_all
from tests.wire.deliverer import DELETED, FAILED, SKIPPED, Envelope, deliver, expired_event, send

OTHER_PROJECT: Final = "9c3b1f7a52d84e06a1f0c7d2b85e6a13"  # both are in the simulator's account
TARGET, INSTANCE, OTHER_INSTANCE = (
    "target",
    "6ab7e0f13c5d4e2f8a90b1c2d3e4f506in07",
    "d2f8a6c04b1e4937a5c3e0b7f9d18264in07",
)
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
SHANGHAI: Final = timezone(8 * HOUR)

# One process each.
NONE: Final[Mapping[str, str]] = {}
OF_EVENTS: Final = {"REAPER_ALLOWED_PROJECT_IDS": PROJECT, "REAPER_MAX_EVENT_AGE_SECONDS": "3600"}
STRICT: Final = {"REAPER_GUARDS": "strict", "REAPER_ALLOWED_PROJECT_IDS": PROJECT}
OF_BACKUPS: Final = {"REAPER_MIN_AGE_DAYS": "30", "REAPER_HOLD_WORDS": "keep, Legal Hold,stra\u00dfe"}
RANK: Final = {"REAPER_KEEP_LAST": "2"}
DRY: Final = {"REAPER_DRY_RUN": "true"}
ALL: Final = {**STRICT, **OF_EVENTS, **OF_BACKUPS, **RANK}
PAUSED: Final = {**ALL, "REAPER_PAUSED": "true"}


def ago(age: timedelta) -> str:
    """A time as the list writes it."""
    return (datetime.now(UTC) - age).astimezone(SHANGHAI).strftime("%Y-%m-%dT%H:%M:%S%z")


def iso(age: timedelta) -> str:
    """A time as an event says it."""
    return (datetime.now(UTC) - age).isoformat()


OLD: Final = ago(100 * DAY)  # one text: two reads of a backup must agree


def backup(id: str = TARGET, age: timedelta | None = None, **facts: Any) -> Backup:
    begin_time = OLD if age is None else ago(age)
    usual = {"project_id": PROJECT, "instance_id": INSTANCE, "name": "weekly", "begin_time": begin_time}
    return Backup(id=id, **{**usual, **facts})


def newer(count: int, **facts: Any) -> list[Backup]:
    """Backups of the same instance, each newer than the target."""
    return [backup(f"newer-{number}", (60 - number / 1000) * DAY, **facts) for number in range(count)]


def item(of: Backup | None = None, /, **members: object) -> dict[str, object]:
    """An item of the list, with other members; one that is ... is left out."""
    shown = {**(of or backup()).to_json(), **members}
    return {name: value for name, value in shown.items() if value is not ... and name != "project_id"}


FIND, PAGE, NEXT_PAGE, DELETE = "GET one", "GET 0", "GET 100", "DELETE"
FIRST_PAGE_PATH, NEXT_PAGE_PATH = "offset=0&", "offset=100&"


def listed(*items: object, count: object = ..., path: str = "backup_id=", **more: Any) -> Fault:
    """The list that is asked for answers so."""
    body = {"backups": list(items), "total_count": len(items) if count is ... else count}
    return Fault(method="GET", path=path, status=200, body=body, **more)


def unlisted(status: int, body: object = None, path: str = "backup_id=") -> Fault:
    """The list that is asked for is refused."""
    return Fault(method="GET", path=path, status=status, body=body)


@dataclass(frozen=True, kw_only=True)
class Case:
    """What the account holds, what goes wrong, what is delivered, and what must become of it.

    Args:
        policy: environment variables.
        backups: made when the test runs, since they have an age.
        event: attributes of the event; how long ago, where one is a time.
        members: of its data.
        reason: of the refusal; None where the guard passes or cannot be decided.
        says: a regular expression for the whole message.
        error: the code of a 503; None where there is an outcome.
        calls: what the API was asked.
    """

    policy: Mapping[str, str]
    backups: Callable[[], Sequence[Backup]] = lambda: [backup()]
    faults: Callable[[], Sequence[Fault]] = tuple
    event: Mapping[str, object] = field(default_factory=dict)
    members: Mapping[str, object] = field(default_factory=dict)
    reason: str | None = None
    says: str = ".*"
    error: str | None = None
    calls: Sequence[str] = ()


def passes(policy: Mapping[str, str], calls: Sequence[str], **more: Any) -> Case:
    return Case(policy=policy, calls=calls, **more)


def refuses(policy: Mapping[str, str], calls: Sequence[str], reason: str, says: str, **more: Any) -> Case:
    return Case(policy=policy, calls=calls, reason=reason, says=says, **more)


def is_undecided(policy: Mapping[str, str], calls: Sequence[str], error: str, says: str, **more: Any) -> Case:
    return Case(policy=policy, calls=calls, error=error, says=says, **more)


def unclear(fact: str) -> str:
    return f"the API does not say the backup's {fact}, or says it unreadably"


STALE: Final = r"the event is {} s old; the most is {} s"
SOMETHING_ELSE: Final = "asked for one backup, the API listed something else"
NO_FORM: Final = "the API's list is not of the documented form"
OTHERS: Final = "asked for one instance's manual backups, the API listed others"
CHANGED: Final = "the list of backups changed while it was read"
RANKED: Final = "{} completed manual backups of the instance are newer; the last 2 are kept"

CLAIMS: Final = "still|remain|exist|not deleted"  # that the backup is there: an earlier delivery may have deleted it

PROJECT_NOT_ALLOWED: Final = {
    "passes": passes(OF_EVENTS, [DELETE]),
    "refuses another project": refuses(
        OF_EVENTS,
        [],
        "project_not_allowed",
        "the project is not one of those that this function may touch",
        members={"project_id": OTHER_PROJECT},
    ),
    "refuses the same letters in another case": refuses(
        OF_EVENTS, [], "project_not_allowed", ".*", members={"project_id": PROJECT.upper()}
    ),
    "refuses in strict": refuses(STRICT, [], "project_not_allowed", ".*", members={"project_id": OTHER_PROJECT}),
}
STALE_EVENT: Final = {
    "passes a fresh event": passes(OF_EVENTS, [DELETE], event={"time": timedelta()}),
    "passes an event shortly before its end": passes(OF_EVENTS, [DELETE], event={"time": 45 * MINUTE}),
    "passes a clock that is a little ahead": passes(OF_EVENTS, [DELETE], event={"time": -4 * MINUTE}),
    "passes before the expiry": passes(OF_EVENTS, [DELETE], event={"expirytime": -5 * MINUTE}),
    "refuses an old event": refuses(
        OF_EVENTS, [FIND], "stale_event", STALE.format(r"36[67]\d", 3600), event={"time": 61 * MINUTE}
    ),
    "refuses an old event however its offset is written": refuses(
        OF_EVENTS,
        [FIND],
        "stale_event",
        STALE.format(r"\d{5}", 3600),
        event={"time": datetime.now(UTC).replace(tzinfo=timezone(8 * HOUR)).isoformat()},
    ),
    "is undecided of an event from the future": is_undecided(
        OF_EVENTS,
        [],
        "CLOCK_AHEAD",
        r"the event's time \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00 is ahead of our clock, .*",
        event={"time": -HOUR},
    ),
    "is undecided of an event six minutes ahead in strict": is_undecided(
        STRICT, [], "CLOCK_AHEAD", ".*", event={"time": -6 * MINUTE}
    ),
    "refuses an event without time": refuses(
        OF_EVENTS, [FIND], "stale_event", "the event has no time, so its age is unknown", event={"time": None}
    ),
    "refuses after the expiry": refuses(
        OF_EVENTS, [FIND], "stale_event", r"the event expired at .*\+00:00", event={"expirytime": MINUTE}
    ),
    "refuses after the expiry without any guard": refuses(
        NONE, [FIND], "stale_event", r"the event expired at .*\+00:00", event={"expirytime": MINUTE}
    ),
    "passes 23 hours in strict": passes(STRICT, [FIND, DELETE], event={"time": 23 * HOUR}),
    "refuses 25 hours in strict": refuses(
        STRICT, [FIND], "stale_event", STALE.format(r"900\d\d", 86400), event={"time": 25 * HOUR}
    ),
}
NOT_MANUAL: Final = {
    **{
        f"passes {status}": passes(STRICT, [FIND, DELETE], backups=lambda status=status: [backup(status=status)])
        for status in ("COMPLETED", "AVAILABLE", "FAILED")
    },
    "refuses an automated backup": refuses(
        STRICT,
        [FIND],
        "not_manual",
        "the backup is of type auto, not manual",
        backups=lambda: [backup(type="auto")],
    ),
    "refuses a type it does not know": refuses(
        STRICT,
        [FIND],
        "not_manual",
        "the backup is of type incremental, not manual",
        faults=lambda: [listed(item(type="incremental"))],
    ),
    **{
        f"is undecided of the type {kind!r}": is_undecided(
            STRICT,
            [FIND],
            "UNCLEAR_BACKUP",
            unclear("type"),
            faults=lambda kind=kind: [listed(item(type=kind))],
        )
        for kind in (..., None, 1)
    },
}
# Whichever guard asks for the backup, one that is being made or of an unknown status waits.
UNREADY: Final = {
    f"{name}: is undecided of the status {status!r}": is_undecided(
        policy,
        [FIND],
        "UNCLEAR_BACKUP",
        f"the backup's status is {re.escape(status) if isinstance(status, str) and status else None}",
        members=members,
        faults=lambda status=status: [listed(item(status=status))],
    )
    for name, policy, members in (
        ("strict", STRICT, {}),
        ("age and hold", OF_BACKUPS, {}),
        ("rank", RANK, {}),
        ("an event that names an instance", NONE, {"instance_id": INSTANCE}),
        ("dry run", DRY, {}),
    )
    for status in ("BUILDING", "DELETING", "completed", "", ..., None, 1)
}
# Whichever guard asks for the backup, a read that is not exactly it decides nothing .
UNREAD: Final[Mapping[str, tuple[Callable[[], Fault], str, str]]] = {
    "an error": (lambda: unlisted(500), "NO_ERROR_CODE", "the API answered 500 without an error code"),
    "no permission": (
        lambda: unlisted(403, {"error_code": "DBS.200010", "error_msg": "not authorized"}),
        "DBS.200010",
        "not authorized",
    ),
    "a list that is not there": (lambda: unlisted(404), "NO_ERROR_CODE", "the API answered 404 without an error code"),
    "a bad request": (
        lambda: unlisted(400, {"error_code": "DBS.280001", "error_msg": "Parameter error."}),
        "DBS.280001",
        "Parameter error.",
    ),
    "a connection that is closed": (lambda: Fault(method="GET", drop=True), "NO_ANSWER", "no answer to GET .*"),
    "a filter that is ignored": (lambda: listed(item(), item(backup("b"))), "UNCLEAR_LIST", SOMETHING_ELSE),
    "another backup": (lambda: listed(item(id="TARGET")), "UNCLEAR_LIST", SOMETHING_ELSE),
    "the backup twice": (lambda: listed(item(), item()), "UNCLEAR_LIST", SOMETHING_ELSE),
    "an empty page of a longer list": (lambda: listed(count=1), "UNCLEAR_LIST", SOMETHING_ELSE),
    "an empty list without its count": (lambda: listed(count=None), "UNCLEAR_LIST", NO_FORM),
    "a count that is no number": (lambda: listed(count="0"), "UNCLEAR_LIST", NO_FORM),
    "an item without id": (
        lambda: listed(item(id=...)),
        "UNCLEAR_LIST",
        "the API listed something without an id",
    ),
    "a page of a proxy": (lambda: unlisted(200, "<html>"), "UNCLEAR_LIST", NO_FORM),
    "nothing": (lambda: unlisted(204), "NO_ERROR_CODE", "the API answered 204 without an error code"),
}
UNREAD_BACKUP: Final = {
    f"{name}: is undecided by {what}": is_undecided(
        policy, [FIND], code, says, members=members, faults=lambda fault=fault: [fault()]
    )
    for name, policy, members in (
        ("strict", STRICT, {}),
        ("age and hold", OF_BACKUPS, {}),
        ("rank", RANK, {}),
        ("an event that names an instance", NONE, {"instance_id": INSTANCE}),
        ("dry run", DRY, {}),
    )
    for what, (fault, code, says) in UNREAD.items()
}
WRONG_INSTANCE: Final = {
    "passes": passes(NONE, [FIND, DELETE], members={"instance_id": INSTANCE}),
    "refuses another instance": refuses(
        NONE,
        [FIND],
        "wrong_instance",
        f"the backup belongs to instance {INSTANCE}, the event names {OTHER_INSTANCE}",
        members={"instance_id": OTHER_INSTANCE},
    ),
    **{
        f"is undecided of the instance {instance!r}": is_undecided(
            NONE,
            [FIND],
            "UNCLEAR_BACKUP",
            unclear("instance_id"),
            members={"instance_id": INSTANCE},
            faults=lambda instance=instance: [listed(item(instance_id=instance))],
        )
        for instance in (..., None, 1)
    },
}
TOO_YOUNG: Final = {
    "passes the age": passes(OF_BACKUPS, [FIND, DELETE], backups=lambda: [backup(age=30 * DAY + MINUTE)]),
    "refuses a minute before it": refuses(
        OF_BACKUPS,
        [FIND],
        "too_young",
        "the backup is 29.9 days old; the least is 30 days",
        backups=lambda: [backup(age=30 * DAY - MINUTE)],
    ),
    "refuses a new one": refuses(
        OF_BACKUPS,
        [FIND],
        "too_young",
        "the backup is 0.0 days old; the least is 30 days",
        backups=lambda: [backup(age=MINUTE)],
    ),
    "is undecided of a time in the future": is_undecided(
        OF_BACKUPS,
        [FIND],
        "CLOCK_AHEAD",
        r"the backup's begin_time \d{4}-.*\+08:00 is ahead of our clock, .*",
        backups=lambda: [backup(age=-HOUR)],
    ),
    **{
        f"is undecided of the time {time!r}": is_undecided(
            OF_BACKUPS,
            [FIND],
            "UNCLEAR_BACKUP",
            unclear("begin_time"),
            faults=lambda time=time: [listed(item(begin_time=time))],
        )
        for time in (..., None, "", "yesterday", "2020-07-06T10:41:14", "2020-13-06T10:41:14+0800", 1594003274)
    },
}
ON_HOLD: Final = {
    "passes": passes(OF_BACKUPS, [FIND, DELETE], backups=lambda: [backup(description="weekly, le gal held")]),
    "passes without a description": passes(OF_BACKUPS, [FIND, DELETE], faults=lambda: [listed(item(description=...))]),
    "passes with a description that is null": passes(
        OF_BACKUPS, [FIND, DELETE], faults=lambda: [listed(item(description=None))]
    ),
    **{
        f"refuses {facts}": refuses(
            OF_BACKUPS,
            [FIND],
            "on_hold",
            f"the backup's name or description holds the word {word}",
            backups=lambda facts=facts: [backup(**facts)],
        )
        for facts, word in (
            ({"name": "ledger-2024-keep"}, "keep"),
            ({"name": "KEEPER"}, "keep"),
            ({"description": "a LEGAL hold, case 2291"}, "legalhold"),
            ({"description": "STRASSE"}, "strasse"),  # as casefold has it
            ({"name": "\uff2b\uff25\uff25\uff30"}, "keep"),  # in full-width letters
        )
    },
    **{
        f"is undecided of {members}": is_undecided(
            OF_BACKUPS,
            [FIND],
            "UNCLEAR_BACKUP",
            unclear(name),
            faults=lambda members=members: [listed(item(**members))],
        )
        for name, members in (
            ("name", {"name": ...}),
            ("name", {"name": None}),
            ("name", {"name": 7}),
            ("description", {"description": 7}),
            ("description", {"description": ["keep"]}),
        )
    },
}


def rank_refused(count: int, *others: Backup) -> Case:
    return refuses(
        RANK,
        [FIND, PAGE],
        "keep_last",
        RANKED.format(count),
        backups=lambda: [backup(), *newer(count), *others],
    )


def rank_undecided(code: str, says: str, *faults: Fault, calls: Sequence[str] = (FIND, PAGE), **more: Any) -> Case:
    return is_undecided(RANK, calls, code, says, faults=lambda: faults, **more)


def pages(count: int = 150) -> list[Backup]:
    return [backup(), *newer(count - 1)]


def shifted(says: str, *items: object, count: int) -> Case:
    """The account's 150 backups are two pages, and meanwhile the second becomes these."""
    return rank_undecided(
        "UNCLEAR_LIST",
        says,
        listed(*items, count=count, path=NEXT_PAGE_PATH),
        calls=(FIND, PAGE, NEXT_PAGE),
        backups=pages,
    )


KEEP_LAST: Final = {
    "passes with two newer ones": passes(RANK, [FIND, PAGE, DELETE], backups=lambda: [backup(), *newer(2)]),
    "passes where the newer ones are AVAILABLE": passes(
        RANK, [FIND, PAGE, DELETE], backups=lambda: [backup(), *newer(2, status="AVAILABLE")]
    ),
    "passes through two pages": passes(RANK, [FIND, PAGE, NEXT_PAGE, DELETE], backups=pages),
    "passes a FAILED one, which protects nothing": passes(
        RANK, [FIND, DELETE], backups=lambda: [backup(status="FAILED")]
    ),
    "refuses the only one": rank_refused(0),
    "refuses the last but one": rank_refused(1),
    "counts no older ones": rank_refused(1, *(backup(f"old-{number}", 200 * DAY) for number in range(3))),
    "counts none of the same second": rank_refused(1, backup("twin")),
    "counts no automated ones": rank_refused(1, backup("auto", DAY, type="auto")),
    "counts no failed ones": rank_refused(1, backup("failed", DAY, status="FAILED")),
    "counts none that are being made": rank_refused(1, backup("building", DAY, status="BUILDING")),
    "counts none of other instances": rank_refused(1, backup("other", DAY, instance_id=OTHER_INSTANCE)),
    "is undecided of its own status": rank_undecided(
        "UNCLEAR_BACKUP", "the backup's status is RESTORING", listed(item(status="RESTORING")), calls=[FIND]
    ),
    "is undecided of its own instance": rank_undecided(
        "UNCLEAR_BACKUP", unclear("instance_id"), listed(item(instance_id=...)), calls=[FIND]
    ),
    "is undecided of its own time": rank_undecided(
        "UNCLEAR_BACKUP", unclear("begin_time"), listed(item(begin_time="?")), calls=[FIND]
    ),
    **{
        f"is undecided if one of the others has {members}": rank_undecided(
            code, says, listed(item(), *map(item, newer(3)), item(**{"id": "odd", **members}), path=FIRST_PAGE_PATH)
        )
        for members, code, says in (
            ({"status": "RESTORING"}, "UNCLEAR_BACKUP", "the backup's status is RESTORING"),
            ({"status": ...}, "UNCLEAR_BACKUP", "the backup's status is None"),
            ({"begin_time": "yesterday"}, "UNCLEAR_BACKUP", unclear("begin_time")),
            ({"begin_time": ...}, "UNCLEAR_BACKUP", unclear("begin_time")),
            ({"begin_time": "2999-01-01T00:00:00Z"}, "CLOCK_AHEAD", ".* 2999-.* is ahead of our clock, .*"),
            ({"type": "auto"}, "UNCLEAR_LIST", OTHERS),
            ({"type": ...}, "UNCLEAR_LIST", OTHERS),
            ({"instance_id": OTHER_INSTANCE}, "UNCLEAR_LIST", OTHERS),
            ({"instance_id": ...}, "UNCLEAR_LIST", OTHERS),
            ({"id": ...}, "UNCLEAR_LIST", "the API listed something without an id"),
        )
    },
    **{
        f"is undecided where the list is {what}": rank_undecided(
            code, says, replace(fault(), path=FIRST_PAGE_PATH), backups=lambda: [backup(), *newer(3)]
        )
        for what, (fault, code, says) in UNREAD.items()
        if what
        in ("an error", "no permission", "a bad request", "an empty list without its count", "a page of a proxy")
    },
    **{
        f"is undecided where the later list says of the backup itself {members}": rank_undecided(
            "UNCLEAR_BACKUP",
            "two reads of the backup do not agree: it changed meanwhile",
            listed(item(**members), *map(item, newer(3)), path=FIRST_PAGE_PATH),
        )
        for members in ({"description": "on hold"}, {"status": "BUILDING"}, {"begin_time": "2026-01-01T00:00:00+0800"})
    },
    "is undecided where the later list does not have the backup": rank_undecided(
        "UNCLEAR_BACKUP",
        "two reads of the backup do not agree: it changed meanwhile",
        listed(*map(item, newer(3)), path=FIRST_PAGE_PATH),
    ),
    "is undecided where the first page is empty and the list is not": rank_undecided(
        "UNCLEAR_LIST", CHANGED, listed(count=3, path=FIRST_PAGE_PATH)
    ),
    "is undecided where a page holds more than the list": rank_undecided(
        "UNCLEAR_LIST", CHANGED, listed(*map(item, newer(3)), count=2, path=FIRST_PAGE_PATH)
    ),
    "is undecided where a page holds one twice": rank_undecided(
        "UNCLEAR_LIST", CHANGED, listed(*map(item, [*newer(3), newer(1)[0]]), path=FIRST_PAGE_PATH)
    ),
    # One was added while the pages were read: what was the last of the first page is the first of the second.
    "is undecided where a page repeats what another held": shifted(CHANGED, *map(item, newer(51)), count=150),
    "is undecided where the count grows": shifted(CHANGED, *map(item, newer(150)[100:]), item(), count=151),
    "is undecided where the count shrinks": shifted(CHANGED, *map(item, newer(150)[101:]), count=149),
    "is undecided where the rest has gone": shifted(CHANGED, count=150),
    "is undecided where the second page fails": rank_undecided(
        "NO_ERROR_CODE",
        "the API answered 500 without an error code",
        unlisted(500, path=NEXT_PAGE_PATH),
        calls=[FIND, PAGE, NEXT_PAGE],
        backups=pages,
    ),
}
DRY_RUN: Final = {
    "refuses whatever passes": refuses(DRY, [FIND], "dry_run", "dry run: a DELETE of this backup would have been sent"),
    "refuses by the event alone": refuses(NONE, [FIND], "dry_run", "dry run: .*", members={"dry_run": True}),
    "refuses though the event would not": refuses(DRY, [FIND], "dry_run", "dry run: .*", members={"dry_run": False}),
    "is passed by an event that says false": passes(NONE, [DELETE], members={"dry_run": False}),
    "refuses after all other guards have passed": refuses(
        ALL,
        [FIND, PAGE],
        "dry_run",
        "dry run: .*",
        members={"dry_run": True},
        backups=lambda: [backup(), *newer(2)],
    ),
    "lets another guard refuse first": refuses(
        ALL, [FIND, PAGE], "keep_last", ".*", members={"dry_run": True}, backups=lambda: [backup(), *newer(1)]
    ),
}
CASES: Final = {
    f"{guard}: {name}": case
    for guard, cases in (
        ("project_not_allowed", PROJECT_NOT_ALLOWED),
        ("stale_event", STALE_EVENT),
        ("not_manual", NOT_MANUAL),
        ("unready", UNREADY),
        ("unread", UNREAD_BACKUP),
        ("wrong_instance", WRONG_INSTANCE),
        ("too_young", TOO_YOUNG),
        ("on_hold", ON_HOLD),
        ("keep_last", KEEP_LAST),
        ("dry_run", DRY_RUN),
    )
    for name, case in cases.items()
}


@pytest.fixture
def account(simulator: Simulator) -> Simulator:
    """The simulator without any backup."""
    simulator.account.backups.clear()
    return simulator


Guarded = Callable[[Mapping[str, str]], Running]


@pytest.fixture
def guarded(run: RunFunction, settings: Mapping[str, str]) -> Guarded:
    """The function under a policy."""
    return lambda policy: run({**settings, **policy})


def order(case: Case) -> Envelope:
    members = {"project_id": PROJECT, "backup_id": TARGET, **case.members}
    attributes = {name: iso(value) if isinstance(value, timedelta) else value for name, value in case.event.items()}
    return expired_event(members=members, **attributes)


def kinds(simulator: Simulator) -> list[str]:
    """The calls there were, by kind."""
    found = []
    for call in simulator.calls:
        offset = re.search(r"[?&]offset=(\d+)", call.path)
        found.append("DELETE" if call.method == "DELETE" else f"{call.method} {offset[1] if offset else 'one'}")
    return found


@pytest.mark.parametrize("name", CASES)
def test_a_guard_passes_refuses_or_cannot_be_decided(account: Simulator, guarded: Guarded, name: str) -> None:
    case = CASES[name]
    for one in case.backups():
        account.add(one)
    before = account.backup_ids(PROJECT)
    account.fault(*case.faults())

    reply = deliver(guarded(case.policy).url, order(case))

    if case.error:
        assert (reply.status, reply.problem["error_code"]) == (503, case.error)
        assert re.fullmatch(case.says, reply.problem["error_msg"])
        assert reply.retry_after
        assert account.backup_ids(PROJECT) == before
    elif case.reason:
        result = reply.event
        assert (result["type"], result["data"]["reason"]) == (SKIPPED, case.reason)
        assert re.fullmatch(case.says, result["data"]["message"])
        assert not re.search(CLAIMS, result["data"]["message"])
        assert account.backup_ids(PROJECT) == before
    else:
        assert reply.event["type"] == DELETED
        assert reply.event["data"]["already_absent"] is False
        assert account.backup_ids(PROJECT) == before - {TARGET}
    assert kinds(account) == list(case.calls)
    assert account.faults.left() == []


class TestAClockThatIsOff:
    """The API's `Date` tells; the function's own clock cannot be moved here, so the API's is."""

    @pytest.mark.parametrize("off", [HOUR, -22 * HOUR])
    @pytest.mark.parametrize(
        ("policy", "event"),
        [
            (OF_BACKUPS, {}),
            (RANK, {}),
            (STRICT, {}),
            (STRICT, {"time": 25 * HOUR}),
            (NONE, {"expirytime": MINUTE}),
        ],
        ids=str,
    )
    def test_decides_nothing(
        self,
        account: Simulator,
        guarded: Guarded,
        policy: Mapping[str, str],
        event: Mapping[str, timedelta],
        off: timedelta,
    ) -> None:
        for one in (backup(), *newer(3)):
            account.add(one)
        account.advance(off.total_seconds())

        reply = deliver(guarded(policy).url, order(Case(policy=policy, event=event)))

        assert (reply.status, reply.problem["error_code"]) == (503, "CLOCK_OFF")
        assert re.match(r"our clock says \d{4}-.*, the API's \d{4}-", reply.problem["error_msg"])
        assert TARGET in account.backup_ids(PROJECT)

    def test_keeps_nobody_from_seeing_that_the_backup_is_gone(self, account: Simulator, guarded: Guarded) -> None:
        account.advance(HOUR.total_seconds())

        event = deliver(guarded(STRICT).url, order(Case(policy=STRICT, event={"time": 25 * HOUR}))).event

        assert (event["type"], event["data"]["absence"]) == (DELETED, "not_listed")


class TestTheHappyPath:
    @pytest.mark.parametrize(
        ("policy", "calls"),
        [
            (NONE, [DELETE]),
            (OF_EVENTS, [DELETE]),
            (STRICT, [FIND, DELETE]),
            (OF_BACKUPS, [FIND, DELETE]),
            (RANK, [FIND, PAGE, DELETE]),
            (ALL, [FIND, PAGE, DELETE]),
        ],
        ids=["no guard", "guards of events", "strict", "guards of backups", "rank", "all"],
    )
    def test_costs_no_more_calls_than_its_guards_need(
        self, account: Simulator, guarded: Guarded, policy: Mapping[str, str], calls: list[str]
    ) -> None:
        for one in (backup(), *newer(2)):
            account.add(one)

        assert deliver(guarded(policy).url, expired_event(backup_id=TARGET)).event["type"] == DELETED
        assert kinds(account) == calls

    @pytest.mark.parametrize("policy", [STRICT, OF_BACKUPS, RANK, ALL], ids=list)
    def test_of_a_backup_that_is_not_there_ends_after_one_read(
        self, account: Simulator, guarded: Guarded, policy: Mapping[str, str]
    ) -> None:
        data = deliver(guarded(policy).url, expired_event(backup_id=TARGET)).event["data"]

        assert (data["already_absent"], data["absence"]) == (True, "not_listed")
        assert kinds(account) == [FIND]


def test_the_first_guard_that_refuses_wins(account: Simulator, guarded: Guarded) -> None:
    """Each step mends what the step before was refused for; the cheap guards come first."""
    wrong = backup(type="auto", age=DAY, name="keep", instance_id=INSTANCE)
    event: dict[str, Any] = {"time": iso(2 * HOUR), "project_id": OTHER_PROJECT, "instance_id": OTHER_INSTANCE}
    account.add(wrong)
    steps: list[tuple[dict[str, Any], dict[str, Any], str, list[str]]] = [
        ({}, {}, "project_not_allowed", []),
        ({"project_id": PROJECT}, {}, "stale_event", [FIND]),
        ({"time": iso(timedelta())}, {}, "not_manual", [FIND]),
        ({}, {"type": "manual"}, "wrong_instance", [FIND]),
        ({"instance_id": INSTANCE}, {}, "too_young", [FIND]),
        ({}, {"begin_time": ago(100 * DAY)}, "on_hold", [FIND]),
        ({}, {"name": "weekly"}, "keep_last", [FIND, PAGE]),
    ]
    for of_event, of_backup, reason, calls in steps:
        event, wrong = {**event, **of_event}, replace(wrong, **of_backup)
        account.add(wrong)
        account.calls.clear()

        members = {"instance_id": event["instance_id"]}
        order = expired_event(project_id=event["project_id"], backup_id=TARGET, members=members, time=event["time"])
        assert deliver(guarded(ALL).url, order).event["data"]["reason"] == reason
        assert kinds(account) == calls
    assert account.backup_ids(PROJECT) == {TARGET}


class TestARefusal:
    def test_has_the_same_id_when_the_event_comes_again(self, account: Simulator, guarded: Guarded) -> None:
        account.add(backup(name="keep"))
        event = expired_event(backup_id=TARGET)

        first, second = (deliver(guarded(OF_BACKUPS).url, event).event for _ in range(2))

        assert first["id"] == second["id"]

    def test_by_a_dry_run_says_what_would_have_been_deleted(self, account: Simulator, guarded: Guarded) -> None:
        account.add(backup(description="before the upgrade"))

        would_delete = deliver(guarded(DRY).url, expired_event(backup_id=TARGET)).event["data"]["would_delete"]

        assert would_delete["backup_name"] == "weekly"
        assert would_delete["instance_id"] == INSTANCE


class TestAMisspeltGuard:
    @pytest.mark.parametrize("name", ["dryRun", "DRY_RUN", "dry-run", "instanceId", "Instance_ID"])
    def test_in_an_event_is_an_invalid_event_not_one_without_it(
        self, account: Simulator, guarded: Guarded, name: str
    ) -> None:
        account.add(backup())

        result = deliver(guarded(NONE).url, expired_event(backup_id=TARGET, members={name: True})).event

        assert (result["type"], result["data"]["error_code"]) == (FAILED, "INVALID_EVENT")
        assert f"data.{name};" in result["data"]["error_msg"]
        assert account.calls == []

    def test_in_the_configuration_stops_the_start_and_is_named(self) -> None:
        mistakes = {
            "REAPER_KEEPLAST": "3",
            "REAPER_DRY_RUN": "on",
            "REAPER_KEEP_LAST": "",
            "REAPER_PAUSED": "1",
            "REAPER_GUARDS": "strict",
        }
        with (
            pytest.raises(RuntimeError, match="exit 1 at start") as end,
            run_function({"REAPER_API_ENDPOINT": "https://api.example", "HW_AUTH_TOKEN": "token", **mistakes}),
        ):
            pytest.fail("it started")

        named = set(re.findall(r"REAPER_\w+(?= must| is not a setting)", str(end.value)))
        assert named == {"REAPER_ALLOWED_PROJECT_IDS", *mistakes} - {"REAPER_GUARDS"}
        assert "Traceback" not in str(end.value)

    @pytest.mark.parametrize(
        ("mistake", "says"),
        [
            (
                {"REAPER_KEEPLAST": "3"},
                "REAPER_KEEPLAST is not a setting of this function. Did you mean REAPER_KEEP_LAST?",
            ),
            (
                {"KEEP_LAST": "3"},
                "KEEP_LAST looks like REAPER_KEEP_LAST: correct it, or if another program needs it, unset it here",
            ),
            ({"REAPER_DRY_RUN": "on"}, "REAPER_DRY_RUN must be true or false"),
            (
                {"REAPER_KEEP_LAST": ""},
                "REAPER_KEEP_LAST must be a whole number from 1 to 999999999: it is set, but empty",
            ),
            ({"REAPER_GUARDS": "strict"}, "REAPER_ALLOWED_PROJECT_IDS must be set with REAPER_GUARDS=strict"),
        ],
        ids=str,
    )
    def test_in_the_configuration_is_enough_alone(self, mistake: Mapping[str, str], says: str) -> None:
        with pytest.raises(ConfigError) as refusal:
            Config.from_env({"REAPER_API_ENDPOINT": "https://api.example", "HW_AUTH_TOKEN": "token", **mistake})

        assert str(refusal.value) == says


def test_the_start_logs_the_guards_in_force(guarded: Guarded) -> None:
    first = json.loads(guarded(ALL).output.splitlines()[0])

    assert first["message"].startswith("listening on ")
    policy = first["config"]["policy"]
    assert policy == {
        "dry_run": False,
        "allowed_projects": policy["allowed_projects"],
        "max_event_age": "1:00:00",
        "manual_only": True,
        "min_age": "30 days, 0:00:00",
        "keep_last": 2,
        "hold_words": ["keep", "legalhold", "strasse"],
    }
    assert PROJECT in policy["allowed_projects"]
    assert first["config"]["paused"] is False


class TestThePausedFunction:
    def test_lets_every_event_wait_with_the_broker_and_asks_nobody(self, account: Simulator, guarded: Guarded) -> None:
        for one in (backup(), *newer(2)):
            account.add(one)
        deliveries = [
            expired_event(backup_id=TARGET),
            expired_event(backup_id=TARGET, members={"dry_run": True}),
            expired_event(backup_id=TARGET, expirytime=iso(HOUR)),
            expired_event(backup_id=".."),
            expired_event(type="com.example.other"),
        ]

        replies = [deliver(guarded(PAUSED).url, event) for event in deliveries]
        replies.append(send(guarded(PAUSED).url, b"no event at all"))

        assert [reply.status for reply in replies] == [503] * 6
        assert {reply.problem["error_code"] for reply in replies} == {"PAUSED"}
        assert all(reply.retry_after for reply in replies)
        assert account.calls == []
        assert len(account.backups(PROJECT)) == 3

    def test_is_healthy(self, guarded: Guarded) -> None:
        assert send(guarded(PAUSED).url, method="GET", path="/health").status == 200


def test_all_events_at_once_and_each_twice_leave_the_newest(account: Simulator, guarded: Guarded) -> None:
    instances = [INSTANCE, OTHER_INSTANCE]
    for instance in instances:
        for number in range(20):
            account.add(backup(f"{instance[:4]}-{number}", (40 + number) * DAY, instance_id=instance))
    events = [expired_event(backup_id=one.id) for one in account.backups(PROJECT)]

    replies = deliver_all(guarded(ALL).url, events * 2, threads=16)
    # An event whose twin deletes the backup between its two reads is undecided: a broker delivers it again.
    undecided = [event for event, reply in zip(events * 2, replies, strict=True) if reply.status == 503]
    assert {reply.problem["error_code"] for reply in replies if reply.status == 503} <= {"UNCLEAR_BACKUP"}
    decided = [reply for reply in replies if reply.status == 200] + deliver_all(guarded(ALL).url, undecided)

    left = {
        instance: [one.id for one in account.backups(PROJECT) if one.instance_id == instance] for instance in instances
    }
    assert left == {instance: [f"{instance[:4]}-0", f"{instance[:4]}-1"] for instance in instances}
    assert {reply.event["type"] for reply in decided} == {DELETED, SKIPPED}
