"""The safety checks: a policy, and the list of checks that it asks for. The first refusal wins."""

import unicodedata
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from math import ceil
from typing import Final, TypeVar

from .backups import Backup, DeleteBackup, Skipped
from .errors import UndecidedError

COMPLETED: Final = frozenset({"COMPLETED", "AVAILABLE"})
MAX_SKEW: Final = timedelta(minutes=5)
DAY: Final = timedelta(days=1)
MAX_SHOWN_CHARS: Final = 80
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The guards in force; each is off unless set.

    Args:
        max_event_age: an event whose `time` is longer ago is stale.
        manual_only: the backup is read first, and must be manual and complete or failed.
        hold_words: folded.
    """

    dry_run: bool = False
    allowed_projects: frozenset[str] | None = None
    max_event_age: timedelta | None = None
    manual_only: bool = False
    min_age: timedelta | None = None
    keep_last: int | None = None
    hold_words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """Our time, checked against the API's. A check gets the time from here alone, so none can use a clock that is off.

    Args:
        api: the `Date` of the API's latest answer; None before there is one.
    """

    ours: datetime
    api: datetime | None = None

    def now(self) -> datetime:
        """Our time.

        Raises:
            UndecidedError: it is more than 5 minutes from the API's.
        """
        if self.api and abs(self.api - self.ours) > MAX_SKEW:
            message = f"our clock says {_shown(self.ours)}, the API's {_shown(self.api)}; set the clock, then retry"
            raise UndecidedError("CLOCK_OFF", message)
        return self.ours

    def not_ahead(self, time: datetime, what: str) -> datetime:
        """The same time; some minutes ahead of our clock are allowed.

        Raises:
            UndecidedError: it is more than 5 minutes ahead of our clock, or our clock is off.
        """
        now = self.now()
        if time - now > MAX_SKEW:
            message = f"{what} {_shown(time)} is ahead of our clock, {_shown(now)}; set the clocks, or retry later"
            raise UndecidedError("CLOCK_AHEAD", message)
        return time


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a check may ask for.

    Args:
        backup: as the API's list shows it.
        siblings: reads the manual backups of an instance; called only by a check that needs them.
    """

    backup: Backup
    clock: Clock
    siblings: Callable[[str], Sequence[Backup]]


Check = Callable[[Facts], Skipped | None]  # raises UndecidedError where a fact is missing: that is not permission


def refuse_command(command: DeleteBackup, policy: Policy, engines: Collection[str]) -> Skipped | None:
    """What is refused whatever the cloud says.

    Args:
        engines: that are served.
    """
    if policy.allowed_projects is not None and command.project_id not in policy.allowed_projects:
        message = "the project is not one of those that this function may touch"
        return Skipped(reason="project_not_allowed", message=message)
    if command.engine not in engines:
        message = f"the engine {command.engine} is not one of those that REAPER_ENGINES lists"
        return Skipped(reason="engine_not_allowed", message=message)
    return None


def refuse_stale(command: DeleteBackup, policy: Policy, clock: Clock) -> Skipped | None:
    """Whether the event is past its own expiry or the maximum age.

    Raises:
        UndecidedError: the event's time is ahead of our clock, or our clock is off.
    """
    if command.expires and command.expires <= clock.now():
        return _stale(f"the event expired at {_shown(command.expires)}")
    if policy.max_event_age is None:
        return None
    if command.judged is None:
        return _stale("the event has no time, so its age is unknown")
    age = clock.now() - clock.not_ahead(command.judged, "the event's time")
    if age > policy.max_event_age:
        most = round(policy.max_event_age.total_seconds())
        return _stale(f"the event is {ceil(age.total_seconds())} s old; the most is {most} s")
    return None


def refuse_leaving(backup: Backup) -> None:
    """Raise UndecidedError where a deletion is under way: whatever a check says, the backup may be gone soon."""
    if backup.status == "DELETING":
        raise _unclear_status(backup)


def is_dry_run(command: DeleteBackup, policy: Policy) -> bool:
    """Either can make a run safer, neither less safe."""
    return policy.dry_run or command.dry_run


def backup_checks(command: DeleteBackup, policy: Policy) -> list[Check]:
    """The checks in force, in order. If there is one, the backup is read, and this very list is run on it."""
    checks: list[Check] = []
    if policy.manual_only:
        checks.append(_refuse_other_types)
    if command.instance_id is not None:
        checks.append(partial(_refuse_other_instance, command.instance_id))
    if policy.min_age is not None:
        checks.append(partial(_refuse_young, policy.min_age))
    if policy.hold_words:
        checks.append(partial(_refuse_held, policy.hold_words))
    last: list[Check] = []
    if policy.keep_last is not None:
        last.append(partial(_refuse_rank, policy.keep_last))
    if is_dry_run(command, policy):
        last.append(_refuse_dry_run)
    return [*checks, _refuse_unsettled, _refuse_in_use, *last] if checks or last else []


def folded(text: str) -> str:
    """The letters and digits of a text, as hold words are compared.

    Names cannot hold blanks, and people join words in many ways: `do not delete` must hold `do-not-delete`,
    `DoNotDelete` and a line break within. More held than meant is the safe side.
    """
    text = unicodedata.normalize("NFKC", text).upper().casefold()  # upper first: the dotless i of Turkish is an i, too
    text = unicodedata.normalize("NFKC", text)
    return "".join(filter(str.isalnum, text))


def _refuse_other_types(facts: Facts) -> Skipped | None:
    backup_type = _known(facts.backup.type, "type")
    if backup_type == "manual":
        return None
    return Skipped(reason="not_manual", message=f"the backup is of type {_cut(backup_type)}, not manual")


def _refuse_other_instance(instance_id: str, facts: Facts) -> Skipped | None:
    owner = _known(facts.backup.instance_id, "instance_id")
    if owner == instance_id:
        return None
    message = f"the backup belongs to instance {_cut(owner)}, the event names {instance_id}"
    return Skipped(reason="wrong_instance", message=message)


def _refuse_young(min_age: timedelta, facts: Facts) -> Skipped | None:
    age = facts.clock.now() - _begun(facts.backup, facts.clock)
    if age >= min_age:
        return None
    message = f"the backup is {max(age // (DAY / 10), 0) / 10} days old; the least is {min_age / DAY:.0f} days"
    return Skipped(reason="too_young", message=message)


def _refuse_held(hold_words: Sequence[str], facts: Facts) -> Skipped | None:
    texts = (_known(facts.backup.name, "name"), _known(facts.backup.description, "description"))
    for text in map(folded, texts):
        for word in hold_words:
            if word in text:
                return Skipped(reason="on_hold", message=f"the backup's name or description holds the word {word}")
    return None


def _refuse_rank(keep_last: int, facts: Facts) -> Skipped | None:
    """Whether fewer than the last N are strictly newer than this backup.

    A rank, not a count: of two deliveries at once each finds the same N newer ones, so both may go on.
    """
    backup = facts.backup
    if not _is_completed(backup):
        return None  # a failed backup protects nothing, so it needs no newer ones
    begun = _begun(backup, facts.clock)
    siblings = facts.siblings(_known(backup.instance_id, "instance_id"))
    _compare_reads(backup, siblings)
    newer = sum(_begun(sibling, facts.clock) > begun for sibling in siblings if _counts(sibling, backup))
    if newer >= keep_last:
        return None
    message = f"{newer} completed manual backups of the instance are newer; the last {keep_last} are kept"
    return Skipped(reason="keep_last", message=message)


def _refuse_in_use(facts: Facts) -> Skipped | None:
    if not facts.backup.in_use:
        return None
    message = "the API says that the backup must not be deleted now: it is locked, or a restore is using it"
    return Skipped(reason="in_use", message=message)


def _refuse_unsettled(facts: Facts) -> None:
    """One that is being built or deleted, or of a status unknown to us, is not final."""
    _is_completed(facts.backup)


def _refuse_dry_run(facts: Facts) -> Skipped:
    message = "dry run: a DELETE of this backup would have been sent"
    return Skipped(reason="dry_run", message=message, would_delete=facts.backup)


def _compare_reads(backup: Backup, siblings: Sequence[Backup]) -> None:
    """The list is the later read: what it says of our own backup must be what the checks have seen."""
    again = [sibling for sibling in siblings if sibling.id == backup.id]
    if again != [backup] and (again or backup.type in ("manual", None)):
        raise UndecidedError("UNCLEAR_BACKUP", "two reads of the backup do not agree: it changed meanwhile")


def _counts(sibling: Backup, backup: Backup) -> bool:
    if (sibling.instance_id, sibling.type) != (backup.instance_id, "manual"):
        raise UndecidedError("UNCLEAR_LIST", "asked for one instance's manual backups, the API listed others")
    if sibling.id == backup.id or sibling.is_partial or sibling.status in ("BUILDING", "DELETING"):
        return False
    return _is_completed(sibling)


def _is_completed(backup: Backup) -> bool:
    if backup.status in COMPLETED:
        return True
    if backup.status == "FAILED":
        return False
    raise _unclear_status(backup)


def _unclear_status(backup: Backup) -> UndecidedError:
    return UndecidedError("UNCLEAR_BACKUP", f"the backup's status is {_cut(str(backup.status))}")


def _begun(backup: Backup, clock: Clock) -> datetime:
    return clock.not_ahead(_known(backup.begin_time, "begin_time"), "the backup's begin_time")


def _known(fact: T | None, name: str) -> T:
    if fact is None:
        raise UndecidedError("UNCLEAR_BACKUP", f"the API does not say the backup's {name}, or says it unreadably")
    return fact


def _stale(message: str) -> Skipped:
    return Skipped(reason="stale_event", message=message)


def _shown(time: datetime) -> str:
    return time.isoformat(timespec="seconds")


def _cut(text: str) -> str:
    return text[:MAX_SHOWN_CHARS]
