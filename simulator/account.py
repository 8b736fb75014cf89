"""An account of the cloud: its projects, backups, credentials and clock, and how they change."""

import time
from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from threading import RLock

from .exchange import Json


@dataclass(frozen=True, slots=True)
class Datastore:
    """The database engine a backup was made of."""

    type: str = "gaussdb-mysql"
    version: str = "8.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """A backup with the fields that a list shows; what is None is not shown.

    Times are written as `2020-07-06T10:41:14+0800`, the duration in minutes, the size in megabytes. A deletion that
    takes its time fails in the end where `deletion_fails`: the backup is again what it was.
    """

    id: str
    project_id: str
    instance_id: str
    name: str = "backup-f3c1"
    begin_time: str | None = "2025-03-02T02:00:00+0800"
    end_time: str | None = "2025-03-02T02:06:00+0800"
    status: str = "COMPLETED"
    type: str = "manual"
    take_up_time: int | None = 6
    size: float | None = 2803.0
    datastore: Datastore = field(default_factory=Datastore)
    instance_name: str | None = None
    description: str | None = None
    backup_level: str | None = None
    backup_mode: str | None = None
    deletable: bool | None = None
    is_instance_restoring: bool | None = None
    database_tables: tuple[str, ...] | None = None
    deletion_fails: bool | None = None

    @classmethod
    def from_json(cls, item: Mapping[str, Json]) -> "Backup":
        """Read what `to_json` wrote."""
        return cls(**{**item, "datastore": Datastore(**item.get("datastore", {}))})

    def to_json(self) -> dict[str, Json]:
        """Return the backup as the list shows it, and its project_id."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def fields(self, *names: str) -> dict[str, Json]:
        """Return these fields, those that are None as null."""
        return {name: value for name, value in asdict(self).items() if name in names}

    @property
    def began_at(self) -> float:
        """When the backup was begun, in Unix seconds; 0 if the text cannot be read (tests use such texts)."""
        try:
            return datetime.fromisoformat(self.begin_time or "").timestamp()
        except ValueError:
            return 0.0


@dataclass(frozen=True, slots=True)
class Instance:
    """A database instance; its manual backups outlive it."""

    id: str
    project_id: str
    name: str | None
    datastore: Datastore


@dataclass(frozen=True, slots=True)
class User:
    """An IAM user, and the projects it has rights in (None: every one)."""

    name: str
    password: str
    domain: str
    projects: Collection[str] | None = None


@dataclass(frozen=True, slots=True)
class Token:
    """A token of `user`, good for `projects` (None: every one) until `expires_at` in Unix seconds (None: for ever)."""

    value: str
    user: str = "reaper"
    projects: Collection[str] | None = None
    expires_at: float | None = None


@dataclass(frozen=True, slots=True)
class AccessKey:
    """An AK/SK of `user`, good for `projects` (None: every one); a temporary one goes with a security token."""

    access: str
    secret: str
    security_token: str | None = None
    user: str = "reaper"
    projects: Collection[str] | None = None


@dataclass(frozen=True, slots=True)
class Channel:
    """A custom channel of EventGrid.

    Args:
        sources: the names of its custom sources.
        events: what it has taken, oldest first.
    """

    id: str
    sources: Collection[str]
    events: list[Mapping[str, Json]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Throttle:
    """At most `limit` requests of one user in any `seconds`; the refusal says `Retry-After` if that is set."""

    limit: int
    seconds: float
    retry_after: int | None = None


class Lockout:
    """Locks a name for `seconds` after `limit` failures in a row."""

    def __init__(self, *, limit: int, seconds: float) -> None:
        self._limit = limit
        self._seconds = seconds
        self._failures: dict[str, int] = defaultdict(int)
        self._until: dict[str, float] = {}

    def locked(self, name: str, now: float) -> bool:
        """Whether `name` is locked."""
        return now < self._until.get(name, 0.0)

    def failed(self, name: str, now: float) -> None:
        """Count a failure."""
        self._failures[name] += 1
        if self._failures[name] >= self._limit:
            self._until[name] = now + self._seconds
            del self._failures[name]

    def succeeded(self, name: str) -> None:
        """Start counting from zero."""
        self._failures.pop(name, None)


class Account:
    """The state of one account; whoever reads or changes it while a simulator runs holds `lock`.

    Args:
        projects: the names of the projects by their ids.
        absent: the code for a backup that is not there, if it is not the service's usual one. For TaurusDB the
            reference has four that fit: DBS.201203 (400), DBS.201010 (404), DBS.280214 (400), DBS.200044 (403).
        token_life: how long a token from IAM is good, in seconds.
        retired: the ids of instances that are gone. The others of which there are backups exist.
    """

    def __init__(
        self,
        *,
        projects: Mapping[str, str],
        backups: Iterable[Backup] = (),
        users: Iterable[User] = (),
        tokens: Iterable[Token] = (),
        access_keys: Iterable[AccessKey] = (),
        channels: Iterable[Channel] = (),
        absent: str | None = None,
        token_life: float = 86_400.0,
        throttle: Throttle | None = None,
        retired: Iterable[str] = (),
    ) -> None:
        self.lock = RLock()
        self.projects = dict(projects)
        self._beginning = (tuple(backups), tuple(tokens), absent, token_life, throttle)
        self._credentials = (tuple(users), tuple(access_keys))
        self._channels = tuple(channels)
        self._retired = frozenset(retired)
        self.reset()

    def reset(self) -> None:
        """Set everything back to the start, the clock too."""
        backups, tokens, self.absent, self.token_life, self.throttle = self._beginning
        self.backups: dict[str, Backup] = {}
        self.instances: dict[str, Instance] = {}
        for backup in backups:
            self.add(backup)
        self._leaving: dict[str, tuple[float, Backup]] = {}
        self.tokens = {token.value: token for token in tokens}
        users, access_keys = self._credentials
        self.users = {(user.domain, user.name): user for user in users}
        self.access_keys = {key.access: key for key in access_keys}
        self.channels = {channel.id: replace(channel, events=[]) for channel in self._channels}
        self.user_lockout = Lockout(limit=5, seconds=900)  # IAM's default policy
        self.key_lockout = Lockout(limit=6, seconds=300)  # "more than five consecutive times"
        self._recent: dict[str, deque[float]] = defaultdict(deque)
        self._ahead = 0.0

    def now(self) -> float:
        """The account's time in Unix seconds."""
        return time.time() + self._ahead

    def advance(self, seconds: float) -> None:
        """Move the account's clock."""
        self._ahead += seconds

    def allows(self, projects: Collection[str] | None, project_id: str) -> bool:
        """Whether the project exists and is one of `projects` (None: every one)."""
        return project_id in self.projects and (projects is None or project_id in projects)

    def backups_of(self, project_id: str) -> list[Backup]:
        """Return the backups of a project, newest first."""
        self._let_go()
        backups = (backup for backup in self.backups.values() if backup.project_id == project_id)
        return sorted(backups, key=lambda backup: (backup.began_at, backup.id), reverse=True)

    def add(self, backup: Backup) -> None:
        """Add a backup, and its instance if it is not retired; raise ValueError if it belongs to no project."""
        if backup.project_id not in self.projects:
            raise ValueError(f"the account has no project {backup.project_id}")
        self.backups[backup.id] = backup
        if backup.instance_id not in self._retired:
            self.instances[backup.instance_id] = Instance(
                backup.instance_id, backup.project_id, backup.instance_name, backup.datastore
            )

    def find(self, project_id: str, backup_id: str) -> Backup | None:
        """Return a backup of a project."""
        self._let_go()
        backup = self.backups.get(backup_id)
        return backup if backup and backup.project_id == project_id else None

    def remove(self, backup_id: str, *, meanwhile: str = "", seconds: float = 0.0) -> None:
        """Remove a backup, at once or in so many seconds; its status is `meanwhile` until then."""
        backup = self.backups[backup_id]
        self.backups[backup_id] = replace(backup, status=meanwhile)
        self._leaving.setdefault(backup_id, (self.now() + seconds, backup))
        self._let_go()

    def _let_go(self) -> None:
        for backup_id, (until, backup) in list(self._leaving.items()):
            if until <= self.now():
                del self._leaving[backup_id]
                if backup.deletion_fails:
                    self.backups[backup_id] = backup
                else:
                    del self.backups[backup_id]

    def revoke_tokens(self) -> None:
        """End every token's life now; the gateway tells revoked and expired ones alike."""
        self.tokens = {value: replace(token, expires_at=self.now()) for value, token in self.tokens.items()}

    def throttled(self, user: str) -> Throttle | None:
        """Return the throttle if it refuses a request of `user` now; otherwise count the request."""
        if self.throttle is None:
            return None
        recent, now = self._recent[user], self.now()
        while recent and recent[0] <= now - self.throttle.seconds:
            recent.popleft()
        if len(recent) >= self.throttle.limit:
            return self.throttle
        recent.append(now)
        return None
