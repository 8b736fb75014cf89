"""The plan: a verdict on every backup, by instance, and whether what has expired there is within the limits.

Pure: a plan follows from the backups, the policy file and the moment that it is made for.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import Any, Final, Literal

from ..backups import Backup
from ..guards import COMPLETED
from .policy import ANY, PolicyFile
from .verdicts import Readable, Verdict, judge, keep_all

_ID: Final = re.compile("[A-Za-z0-9-]{1,64}")  # no dot, no slash: both would change the path of a deletion
# A time in 1970 comes from a clock that was never set, or from a missing time that was read as zero.
FIRST: Final = datetime(1971, 1, 1, tzinfo=UTC)
_NOT_USABLE: Final = frozenset({"unreadable", "future", "partial"})

Outcome = Literal[
    "planned", "nothing_to_do", "refused: over_max_expired", "refused: over_max_percent", "refused: keeps_nothing"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The backups of one project and engine, in any order; a backup may be there twice."""

    engine: str
    project_id: str
    backups: Sequence[Backup]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The manual backups of one instance.

    Args:
        instance_id: None where the list does not say it, or says it unreadably.
        policy: the policy's name; None if no policy names the instance.
        remedy: for a refusal, what to set in the policy file to allow it.
        verdicts: newest first.
    """

    engine: str
    project_id: str
    instance_id: str | None
    policy: str | None
    outcome: Outcome
    remedy: str | None
    verdicts: tuple[Verdict, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is kept and what has expired.

    Args:
        not_manual: how many of the listed backups are automated; those are not evaluated.
        absent: engine, project and instance that a policy names, but that have no manual backup in the lists.
    """

    as_of: datetime
    file: PolicyFile
    groups: tuple[Group, ...]
    not_manual: int
    absent: tuple[tuple[str, str, str], ...]

    def expired(self) -> list[tuple[Group, Verdict]]:
        """What has expired and is within the limits, oldest first."""
        planned = [group for group in self.groups if group.outcome == "planned"]
        found = [(group, verdict) for group in planned for verdict in group.verdicts if verdict.expired]
        return sorted(found, key=lambda each: (each[1].backup.begin_time, each[1].backup.id))

    def counts(self) -> dict[str, int]:
        """How many backups are listed, and what becomes of them: the other counts add up to `listed`."""
        evaluated = sum(len(group.verdicts) for group in self.groups)
        by_rules = sum(verdict.expired for group in self.groups for verdict in group.verdicts)
        expired = len(self.expired())
        return {
            "listed": evaluated + self.not_manual,
            "not_manual": self.not_manual,
            "kept": evaluated - by_rules,
            "expired": expired,
            "refused": by_rules - expired,
        }


@dataclass(frozen=True, slots=True)
class _Instance:
    """The manual backups of one instance, in the order of the list."""

    readable: list[Readable] = field(default_factory=list)
    unreadable: list[Backup] = field(default_factory=list)


def make_plan(listings: Iterable[Listing], file: PolicyFile, as_of: datetime) -> Plan:
    """Evaluate all backups by a policy file as of a moment."""
    as_of = as_of.astimezone(UTC)
    projects: dict[tuple[str, str], list[Backup]] = defaultdict(list)
    for listing in listings:
        projects[listing.engine, listing.project_id].extend(listing.backups)
    instances: dict[tuple[str, str, str], _Instance] = defaultdict(_Instance)
    not_manual = 0
    for (engine, project_id), listed in projects.items():
        entries, unclear = _merge(listed)
        for backup in entries:
            if backup.type not in ("manual", None):
                not_manual += 1
                continue
            instance_id = _valid(backup.instance_id)
            instance = instances[engine, project_id, instance_id or ""]
            begin = _begin(backup) if instance_id and backup.id not in unclear else None
            if begin:
                instance.readable.append(Readable(begin, backup))
            else:
                instance.unreadable.append(backup)
    return Plan(
        as_of=as_of,
        file=file,
        groups=tuple(_evaluate(key, instance, file, as_of) for key, instance in sorted(instances.items())),
        not_manual=not_manual,
        absent=tuple(sorted(_named(file, projects) - instances.keys())),
    )


def _named(file: PolicyFile, projects: Collection[tuple[str, str]]) -> set[tuple[str, str, str]]:
    """The instances that the policies name, in the projects that were listed."""
    return {
        (policy.engine, project_id, instance_id)
        for policy in file.policies
        for project_id in policy.projects
        if (policy.engine, project_id) in projects
        for instance_id in policy.instances
        if instance_id != ANY
    }


def _merge(backups: Iterable[Backup]) -> tuple[list[Backup], set[str]]:
    """One entry for each id; and the ids that are unclear: no ids, or there again with other content.

    An unclear entry cannot be evaluated. That is safe, since an entry that does not count never makes another expire.
    """
    merged: dict[str, Backup] = {}
    nameless: list[Backup] = []
    unclear: set[str] = set()
    for backup in backups:
        if not _valid(backup.id):
            nameless.append(backup)
            unclear.add(backup.id)
            continue
        known = merged.setdefault(backup.id, backup)
        if known is not backup and known != backup:
            unclear.add(backup.id)
            merged[backup.id] = _common(known, backup)
    return [*merged.values(), *nameless], unclear


def _common(one: Backup, other: Backup) -> Backup:
    """What both say; None where they differ, so that it does not matter which one came first."""
    names = [each.name for each in fields(Backup)]
    differing: dict[str, Any] = {name: None for name in names if getattr(one, name) != getattr(other, name)}
    return replace(one, **differing)


def _begin(backup: Backup) -> datetime | None:
    """When the backup was made, in UTC; None if that or its type is missing or unreadable."""
    begin = backup.begin_time
    if backup.type is None or begin is None or begin.utcoffset() is None:
        return None
    try:
        begin = begin.astimezone(UTC)
    except OverflowError:  # in the first or last hours that there are: far in the past or future in any zone
        begin = begin.replace(tzinfo=UTC)
    return begin if begin >= FIRST else None


def _valid(identifier: str | None) -> str | None:
    return identifier if identifier and _ID.fullmatch(identifier) else None


def _evaluate(key: tuple[str, str, str], instance: _Instance, file: PolicyFile, as_of: datetime) -> Group:
    """The verdicts on the backups of one instance, and whether they are within the limits."""
    engine, project_id, instance_id = key
    policy = file.find(engine, project_id, instance_id) if instance_id else None
    readable = sorted(instance.readable, key=lambda each: (each.begin, each.backup.id), reverse=True)
    verdicts = [
        *(
            judge(readable, policy, file.timezone, as_of)
            if policy
            else keep_all((each.backup for each in readable), "no_policy")
        ),
        *keep_all(sorted(instance.unreadable, key=lambda each: each.id), "unreadable"),
    ]
    outcome, remedy = find_outcome(verdicts, file)
    return Group(
        engine=engine,
        project_id=project_id,
        instance_id=instance_id or None,
        policy=policy.name if policy else None,
        outcome=outcome,
        remedy=remedy,
        verdicts=tuple(verdicts),
    )


def find_outcome(verdicts: Sequence[Verdict], file: PolicyFile) -> tuple[Outcome, str | None]:
    """Whether what has expired in one instance is within the limits; if not, what to set in the policy file."""
    expired = sum(verdict.expired for verdict in verdicts)
    usable = [
        each for each in verdicts if each.backup.status in COMPLETED and not _NOT_USABLE.intersection(each.reasons)
    ]
    lost = sum(verdict.expired for verdict in usable)
    if not expired:
        return "nothing_to_do", None
    if lost == len(usable):
        return "refused: keeps_nothing", None  # no rule allows it; if it happens, the fault is ours
    remedies: dict[Outcome, str] = {}
    if expired > file.max_expired:
        remedies["refused: over_max_expired"] = f"max_expired = {expired}"
    if file.max_expired_percent and lost * 100 > file.max_expired_percent * len(usable):
        remedies["refused: over_max_percent"] = f"max_expired_percent = {-(-lost * 100 // len(usable))}"
    if not remedies:
        return "planned", None
    return next(iter(remedies)), ", ".join(remedies.values())
