"""The safety checks: a policy, and pure functions by command and by backup. The first refusal wins."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Final, TypeVar

from .backups import Backup, DeleteBackup, Skipped
from .errors import UndecidedError

COMPLETED: Final = frozenset({"COMPLETED", "AVAILABLE"})
MAX_AHEAD: Final = timedelta(minutes=5)
DAY: Final = timedelta(days=1)
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The guards in force; each is off unless set.

    Args:
        max_event_age: what was judged longer ago is stale.
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


def refuse_command(command: DeleteBackup, policy: Policy, now: datetime) -> Skipped | None:
    """What can be refused before anything is asked of the cloud."""
    if policy.allowed_projects is not None and command.project_id not in policy.allowed_projects:
        return Skipped(
            reason="project_not_allowed", message="the project is not one of those that this function may touch"
        )
    if command.expires and command.expires <= now:
        return _stale(f"the event expired at {_shown(command.expires)}")
    if policy.max_event_age is None:
        return None
    if command.judged is None:
        return _stale("the event has no time, and so no age")
    if command.judged - now > MAX_AHEAD:
        return _stale(f"the event's time {_shown(command.judged)} is ahead of ours")
    if now - command.judged > policy.max_event_age:
        age = ceil((now - command.judged).total_seconds())
        return _stale(f"the event is {age} s old; the most is {round(policy.max_event_age.total_seconds())} s")
    return None


def is_dry_run(command: DeleteBackup, policy: Policy) -> bool:
    """Either can make a run safer, neither less safe."""
    return policy.dry_run or command.dry_run


def needs_backup(command: DeleteBackup, policy: Policy) -> bool:
    """Whether the backup must be read before it may go."""
    asked = policy.manual_only or policy.min_age or policy.keep_last or policy.hold_words
    return bool(asked) or is_dry_run(command, policy) or command.instance_id is not None


def refuse_backup(backup: Backup, command: DeleteBackup, policy: Policy, now: datetime) -> Skipped | None:
    """What the backup's own facts refuse.

    Raises:
        UndecidedError: a fact that a guard needs is missing or unreadable; missing data is not permission.
    """
    if policy.manual_only and _known(backup.type, "type") != "manual":
        return Skipped(reason="not_manual", message=f"the backup is of type {backup.type}, not manual")
    if command.instance_id is not None and _known(backup.instance_id, "instance_id") != command.instance_id:
        message = f"the backup belongs to instance {backup.instance_id}, the event names {command.instance_id}"
        return Skipped(reason="wrong_instance", message=message)
    if policy.min_age is not None:
        age = now - _begun(backup, now)
        if age < policy.min_age:
            message = f"the backup is {age // (DAY / 10) / 10} days old; the least is {policy.min_age / DAY:.0f} days"
            return Skipped(reason="too_young", message=message)
    if policy.hold_words:
        text = folded(f"{_known(backup.name, 'name')}\n{_known(backup.description, 'description')}")
        if word := next((word for word in policy.hold_words if word in text), None):
            return Skipped(reason="on_hold", message=f"the backup's name or description holds the word {word}")
    _is_completed(backup)  # one that is being built, or of a status unknown to us, is not final
    return None


def ranked_in(backup: Backup, policy: Policy) -> str | None:
    """The instance among whose backups this one is ranked; None where no rank is asked for.

    A failed backup protects nothing, so it needs no newer ones.
    """
    if policy.keep_last is None or not _is_completed(backup):
        return None
    return _known(backup.instance_id, "instance_id")


def refuse_rank(backup: Backup, siblings: Sequence[Backup], policy: Policy, now: datetime) -> Skipped | None:
    """Whether fewer than the last N would be strictly newer than this backup.

    A rank, not a count: of two deliveries at once each finds the same N newer ones, so both may go on.

    Raises:
        UndecidedError: the list is not that of the instance's manual backups, or a fact in it is missing.
    """
    begun, keep_last = _begun(backup, now), policy.keep_last or 0
    newer = sum(_begun(sibling, now) > begun for sibling in siblings if _counts(sibling, backup))
    if newer >= keep_last:
        return None
    message = f"{newer} completed manual backups of the instance are newer; the last {keep_last} are kept"
    return Skipped(reason="keep_last", message=message)


def folded(text: str) -> str:
    """A text as hold words are compared: whatever its case, and however its accents are composed."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def _counts(sibling: Backup, backup: Backup) -> bool:
    if (sibling.instance_id, sibling.type) != (_known(backup.instance_id, "instance_id"), "manual"):
        raise UndecidedError("UNCLEAR_LIST", "asked for one instance's manual backups, the API listed others")
    if sibling.id == backup.id or sibling.status == "BUILDING":
        return False
    return _is_completed(sibling)


def _is_completed(backup: Backup) -> bool:
    if backup.status in COMPLETED:
        return True
    if backup.status == "FAILED":
        return False
    raise UndecidedError("UNCLEAR_BACKUP", f"the backup's status is {backup.status}")


def _begun(backup: Backup, now: datetime) -> datetime:
    begun = _known(backup.begin_time, "begin_time")
    if begun > now:
        raise UndecidedError("UNCLEAR_BACKUP", f"the backup's begin_time {_shown(begun)} is ahead of our clock")
    return begun


def _known(fact: T | None, name: str) -> T:
    if fact is None:
        raise UndecidedError("UNCLEAR_BACKUP", f"the API does not say the backup's {name}, or says it unreadably")
    return fact


def _stale(message: str) -> Skipped:
    return Skipped(reason="stale_event", message=message)


def _shown(time: datetime) -> str:
    return time.isoformat(timespec="seconds")
