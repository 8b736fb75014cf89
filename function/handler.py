"""The use case: one command, the guards, the deletion, the outcome."""

from collections.abc import Sequence
from typing import Protocol

from . import guards
from .backups import Backup, DeleteBackup, Deleted, Failed, Outcome, Skipped
from .delivery import Delivery
from .guards import Policy


class Backups(Protocol):
    """The cloud's backups, as far as the use case needs them; each method raises NotFinalError."""

    def find(self, command: DeleteBackup, delivery: Delivery) -> Backup | None:
        """The backup, or None if it is shown to be absent."""
        ...

    def manual_backups(self, command: DeleteBackup, instance_id: str, delivery: Delivery) -> Sequence[Backup]:
        """All manual backups of an instance."""
        ...

    def delete(self, command: DeleteBackup, delivery: Delivery) -> Deleted | Failed:
        """Delete the backup."""
        ...


def handle(command: DeleteBackup, policy: Policy, backups: Backups, delivery: Delivery) -> Outcome:
    """Carry out one command.

    Raises:
        NotFinalError: there is no final outcome yet.
    """
    if refusal := guards.refuse_command(command, policy, delivery.now):
        return refusal
    if not guards.needs_backup(command, policy):
        return backups.delete(command, delivery)
    backup = backups.find(command, delivery)
    if backup is None:
        return Deleted(absence="not_listed")
    if refusal := guards.refuse_backup(backup, command, policy, delivery.now):
        return refusal
    if (instance_id := guards.ranked_in(backup, policy)) is not None:
        siblings = backups.manual_backups(command, instance_id, delivery)
        if refusal := guards.refuse_rank(backup, siblings, policy, delivery.now):
            return refusal
    if guards.is_dry_run(command, policy):
        return Skipped(
            reason="dry_run", message="dry run: a DELETE of this backup would have been sent", would_delete=backup
        )
    return backups.delete(command, delivery)
