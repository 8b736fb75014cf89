"""The verdict on each backup of one instance: kept or expired, and why."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Final

from ..backups import Backup
from ..guards import COMPLETED, MAX_SKEW, folded
from .durations import window_start
from .policy import RetentionPolicy
from .rules import keep_reasons

FAILED: Final = "FAILED"
_NO_RULE: Final = ("no_rule",)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a backup has expired, and every reason for it."""

    backup: Backup
    expired: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Readable:
    """A backup that can be evaluated.

    Args:
        begin: when it was made, in UTC.
    """

    begin: datetime
    backup: Backup

    @property
    def is_usable(self) -> bool:
        """Whether it can be restored from."""
        return self.backup.status in COMPLETED


def keep_all(backups: Iterable[Backup], reason: str) -> Iterator[Verdict]:
    """The verdict on backups that are kept for one reason, without an evaluation."""
    return (Verdict(backup, False, (reason,)) for backup in backups)


def judge(readable: Sequence[Readable], policy: RetentionPolicy, zone: tzinfo, as_of: datetime) -> Iterator[Verdict]:
    """One verdict for each backup, which are newest first."""
    old = window_start(as_of, policy.min_age, zone)
    aside = {each.backup.id: why for each in readable if (why := tuple(_set_aside(each, policy, old, as_of)))}
    counted = [each.begin for each in readable if each.is_usable and each.backup.id not in aside]
    by_rules = iter(keep_reasons(counted, policy.rules, zone))
    failures = _expired_failures(readable, policy, zone, as_of)
    for each in readable:
        if each.backup.id in aside:
            yield Verdict(each.backup, False, aside[each.backup.id])
        elif each.is_usable:
            rules = next(by_rules)
            yield Verdict(each.backup, not rules, rules or _NO_RULE)
        else:
            yield Verdict(each.backup, each.backup.id in failures, ("failed",))


def _set_aside(each: Readable, policy: RetentionPolicy, old: datetime, as_of: datetime) -> Iterator[str]:
    """Why a backup is kept whatever the rules say. It does not count for them, so it takes no other backup's place."""
    backup = each.backup
    if each.begin - as_of > MAX_SKEW:
        yield "future"
    elif each.begin > old:
        yield "min_age"
    if backup.status != FAILED and not each.is_usable:
        yield "in_progress"
    if backup.is_partial:
        yield "partial"
    if not policy.hold_words:
        return
    if backup.name is None or backup.description is None:
        yield "unreadable"  # it could have a hold word
    text = folded(f"{backup.name}\n{backup.description}")
    if any(word in text for word in policy.hold_words):
        yield "hold"


def _expired_failures(readable: Sequence[Readable], policy: RetentionPolicy, zone: tzinfo, as_of: datetime) -> set[str]:
    """The failed backups that are older than the policy's figure, and older than a usable one."""
    full = (each for each in readable if each.is_usable and not each.backup.is_partial)
    newest = next((each.begin for each in full if each.begin - as_of <= MAX_SKEW), None)
    if policy.expire_failed_after is None or newest is None:
        return set()
    old = window_start(as_of, policy.expire_failed_after, zone)
    return {each.backup.id for each in readable if each.backup.status == FAILED and each.begin < min(newest, old)}
