"""The retention policy file: TOML, read strictly, all faults reported in one message."""

import hashlib
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from importlib.resources import files
from itertools import combinations
from typing import Final, TypeVar
from zoneinfo import ZoneInfo

from ..errors import ConfigError
from ..guards import folded
from ..near_names import near
from .durations import ELAPSED, Duration
from .rules import PERIODS, KeepRules
from .tables import Table, read_toml

T = TypeVar("T")
MAX_FAULTS: Final = 20  # in one message
MAX_KEPT: Final = 1000
MAX_LIMIT: Final = 100_000
DEFAULT_ENGINE: Final = "taurusdb"
ANY: Final = "*"  # in `instances`: every instance that no other policy of that project and engine names
_NAME: Final = re.compile("[A-Za-z0-9_-]{1,64}")  # a bare key of TOML
_PROJECT_ID: Final = re.compile("[A-Za-z0-9]{32}")
_INSTANCE: Final = re.compile(r"\*|[A-Za-z0-9-]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionPolicy:
    """What is kept of the instances that it names.

    Args:
        instances: their ids, or `*`.
        min_age: nothing younger expires.
        expire_failed_after: None if failed backups stay.
        hold_words: folded.
    """

    name: str
    engine: str
    projects: tuple[str, ...]
    instances: tuple[str, ...]
    rules: KeepRules
    min_age: Duration
    expire_failed_after: Duration | None
    hold_words: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyFile:
    """What a policy file says.

    Args:
        event_valid_for: the event of an expired backup is valid this long after the moment of the plan.
        max_expired: if more backups of one instance would expire in one run, none does.
        max_expired_percent: the same, as a share of its usable backups.
        sha256: of the file's bytes.
    """

    timezone: ZoneInfo
    event_valid_for: timedelta
    max_expired: int
    max_expired_percent: int | None
    policies: tuple[RetentionPolicy, ...]
    sha256: str

    def find(self, engine: str, project_id: str, instance_id: str) -> RetentionPolicy | None:
        """The policy that names the instance, else the one that names `*`; None if there is neither."""
        candidates = [policy for policy in self.policies if policy.engine == engine and project_id in policy.projects]
        for wanted in (instance_id, ANY):
            for policy in candidates:
                if wanted in policy.instances:
                    return policy
        return None


def read_policy_file(
    content: bytes, *, engines: Collection[str], allowed_projects: Collection[str] | None = None
) -> PolicyFile:
    """Read a policy file.

    Args:
        engines: those that are served.
        allowed_projects: None if every project may be named.

    Raises:
        ConfigError: naming every key that is missing or wrong, and what it must be.
    """
    top = Table(read_toml(content))
    limits = top.table("limits")
    top.optional("version", _version, None)
    policies = [
        _read_policy(name, table, engines, allowed_projects) for name, table in top.tables("policy", _NAME).items()
    ]
    file = PolicyFile(
        timezone=top.optional("timezone", _zone, ZoneInfo("UTC")),
        event_valid_for=top.optional("event_valid_for", _elapsed, timedelta(hours=12)),
        max_expired=limits.optional("max_expired", _whole(MAX_LIMIT), 20),
        max_expired_percent=limits.optional("max_expired_percent", _whole(100), None),
        policies=tuple(policies),
        sha256=hashlib.sha256(content).hexdigest(),
    )
    limits.refuse_unknown()
    top.refuse_unknown()
    if faults := [*top.faults, *_named_twice(policies)]:
        more = [f"and {len(faults) - MAX_FAULTS} more"] if len(faults) > MAX_FAULTS else []
        raise ConfigError("; ".join(faults[:MAX_FAULTS] + more))
    return file


def _read_policy(
    name: str, table: Table, engines: Collection[str], allowed_projects: Collection[str] | None
) -> RetentionPolicy:
    counts = {period: table.optional(f"keep_{period}", _whole(MAX_KEPT), None) for period in PERIODS}
    rules = KeepRules(
        last=table.required("keep_last", _whole(MAX_KEPT), 1),
        periods={period: count for period, count in counts.items() if count is not None},
        within=table.optional("keep_within", _duration, None),
    )
    policy = RetentionPolicy(
        name=name,
        engine=_engine(table, engines),
        projects=table.required("projects", _list_of(_project(allowed_projects)), ()),
        instances=table.required("instances", _list_of(_instance), ()),
        rules=rules,
        min_age=table.optional("min_age", _duration, Duration.parse("P1D")),
        expire_failed_after=table.optional("expire_failed_after", _duration, None),
        hold_words=table.optional("hold_words", _list_of(_hold_word), ()),
    )
    table.refuse_unknown()
    return policy


def _engine(table: Table, engines: Collection[str]) -> str:
    if DEFAULT_ENGINE in engines:
        return table.optional("engine", _one_of(engines), DEFAULT_ENGINE)
    return table.required("engine", _one_of(engines), "")


def _named_twice(policies: Sequence[RetentionPolicy]) -> list[str]:
    """Where two policies name the same instance, or both name `*`, for one project and engine."""
    return [
        f"policy.{one.name} and policy.{other.name} both name the instance {instance} of project {projects[0]}"
        for one, other in combinations(policies, 2)
        if one.engine == other.engine and (projects := sorted({*one.projects} & {*other.projects}))
        for instance in sorted({*one.instances} & {*other.instances})
    ]


# What reads one value; a ValueError's text follows the key's path.


def _version(value: object) -> int:
    if type(value) is not int or value != 1:
        raise ValueError(" must be 1")
    return value


def _zone(value: object) -> ZoneInfo:
    """An IANA time zone, by the list in the package tzdata: a machine's own also has `localtime` and the like."""
    names = files("tzdata").joinpath("zones").read_text("ascii").split()
    if not isinstance(value, str) or value not in names:
        known = near(value, [name for name in names if "/" in name]) if isinstance(value, str) else None
        hint = f"; did you mean {known}?" if known else ""
        raise ValueError(f" must be the name of a time zone, such as UTC or Asia/Shanghai{hint}")
    return ZoneInfo(value)


def _whole(most: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        if type(value) is not int or not 1 <= value <= most:  # a boolean is an int too
            raise ValueError(f" must be a whole number from 1 to {most}")
        return value

    return read


def _duration(value: object) -> Duration:
    try:
        return Duration.parse(value if isinstance(value, str) else "")
    except ValueError:
        raise ValueError(" must be a duration above zero, such as P30D, P12M, P2W or PT12H") from None


def _elapsed(value: object) -> timedelta:
    """A duration that is as long whenever it starts: an event's expiry needs no calendar."""
    duration = Duration.parse(value) if isinstance(value, str) and re.fullmatch(ELAPSED, value) else None
    if duration is None:
        raise ValueError(" must be a duration of hours, days or weeks above zero, such as PT12H")
    return timedelta(days=duration.days, hours=duration.hours)


def _one_of(words: Collection[str]) -> Callable[[object], str]:
    def read(value: object) -> str:
        if not isinstance(value, str) or value not in words:
            raise ValueError(f" must be one of: {', '.join(sorted(words))}")
        return value

    return read


def _list_of(read_item: Callable[[object], T]) -> Callable[[object], tuple[T, ...]]:
    def read(value: object) -> tuple[T, ...]:
        if not isinstance(value, list) or not value:
            raise ValueError(" must be a list with at least one item")
        items: dict[object, T] = {}
        for position, item in enumerate(value):
            try:
                read_value = read_item(item)
            except ValueError as error:
                raise ValueError(f"[{position}]{error}") from None
            if item in items:
                raise ValueError(f"[{position}] is in the list twice")
            items[item] = read_value
        return tuple(items.values())

    return read


def _project(allowed: Collection[str] | None) -> Callable[[object], str]:
    def read(value: object) -> str:
        if not isinstance(value, str) or not _PROJECT_ID.fullmatch(value):
            raise ValueError(" must be a project ID: 32 ASCII letters and digits")
        if allowed is not None and value not in allowed:
            raise ValueError(" is not one of the projects in REAPER_ALLOWED_PROJECT_IDS")
        return value

    return read


def _instance(value: object) -> str:
    if not isinstance(value, str) or not _INSTANCE.fullmatch(value):
        raise ValueError(' must be an instance ID of 1 to 64 ASCII letters, digits and hyphens, or "*"')
    return value


def _hold_word(value: object) -> str:
    """A word is found by its letters and digits alone, so one without any would hold everything."""
    if not isinstance(value, str) or len(word := folded(value)) < 2:
        raise ValueError(" must be a word of at least 2 letters and digits")
    return word
