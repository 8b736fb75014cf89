"""The domain: the command to delete one manual backup, the backup, and the outcomes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

Mode = Literal["report", "publish", "sweep"]
Absence = Literal["stated", "not_listed"]
Reason = Literal[
    "dry_run",
    "project_not_allowed",
    "engine_not_allowed",
    "stale_event",
    "not_manual",
    "wrong_instance",
    "too_young",
    "on_hold",
    "in_use",
    "keep_last",
]
"""The words of `Deleted` and `Skipped`. The published schemas list them, and a test holds the two together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteBackup:
    """Delete this one manual backup.

    Args:
        project_id: 32 ASCII letters and digits.
        backup_id: 1 to 64 ASCII letters, digits and hyphens.
        engine: the word of the service that holds the backup.
        instance_id: if given, the backup must belong to it.
        dry_run: do everything but the deletion.
        judged: when the policy judged.
        expires: after it the command is stale.
    """

    project_id: str
    backup_id: str
    engine: str = "taurusdb"
    instance_id: str | None = None
    dry_run: bool = False
    judged: datetime | None = None
    expires: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """A backup as the list shows it; None where the list doesn't say, or says it unreadably.

    Args:
        type: `auto` or `manual`.
        status: `BUILDING`, `COMPLETED`, `FAILED`, `AVAILABLE` or `DELETING`.
        begin_time: with its offset.
        description: empty if there is none.
        in_use: the API says that it must not be deleted now.
        is_partial: it holds only some databases or tables of its instance, so it stands for no full one.
        size_mb: in MB.
    """

    id: str
    name: str | None = None
    instance_id: str | None = None
    type: str | None = None
    status: str | None = None
    begin_time: datetime | None = None
    description: str | None = None
    in_use: bool = False
    is_partial: bool = False
    size_mb: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """The backup is gone.

    Args:
        absence: None if the API deleted it now; else it was gone already, and either the API stated so or a list
            showed nothing.
        response: the JSON of the API's answer to the DELETE, if one was sent and had a body.
    """

    absence: Absence | None = None
    backup_name: str | None = None
    response: object = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A final refusal that lies in the event or the backup: asking again would not change it."""

    error_code: str
    error_msg: str
    http_status: int | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """No DELETE was sent by this delivery, and why.

    Args:
        message: a sentence for people.
        would_delete: for a dry run, the backup that would have been deleted.
    """

    reason: Reason
    message: str
    would_delete: Backup | None = None


Outcome = Deleted | Failed | Skipped


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A retention policy was evaluated, and what the mode asks for was done.

    Args:
        skipped: why nothing was evaluated, if so.
        counts: of backups.
    """

    mode: Mode
    skipped: Literal["stale_tick"] | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
