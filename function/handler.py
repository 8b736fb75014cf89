"""The use case: one command, the guards, the deletion, the outcome."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from . import guards
from .backups import Backup, DeleteBackup, Deleted, Failed, Outcome, Skipped
from .delivery import Delivery
from .errors import NotFinalError, UndecidedError
from .guards import Check, Clock, Facts, Policy


class Backups(Protocol):
    """The backups of one engine, as far as the use case needs them; each method raises NotFinalError."""

    def find(self, command: DeleteBackup, delivery: Delivery) -> Backup | None:
        """The backup, or None if it is shown to be absent."""
        ...

    def manual_backups(self, project_id: str, instance_id: str, delivery: Delivery) -> Sequence[Backup]:
        """All manual backups of an instance."""
        ...

    def delete(self, command: DeleteBackup, delivery: Delivery) -> Deleted | Failed:
        """Delete the backup."""
        ...


def handle(command: DeleteBackup, policy: Policy, engines: Mapping[str, Backups], delivery: Delivery) -> Outcome:
    """Carry out one command.

    Args:
        engines: the engines that are served, by name.

    Raises:
        NotFinalError: there is no final outcome yet.
    """
    if refusal := guards.refuse_command(command, policy, engines):
        return refusal
    backups = engines[command.engine]
    stale = guards.refuse_stale(command, policy, Clock(ours=delivery.now))
    checks = guards.backup_checks(command, policy)
    if (stale or checks) and (settled := _look(command, policy, checks, backups, delivery)):
        return settled
    return backups.delete(command, delivery)


def _look(
    command: DeleteBackup, policy: Policy, checks: Sequence[Check], backups: Backups, delivery: Delivery
) -> Outcome | None:
    """Read the backup and run the checks on it; None where the backup may go."""
    try:
        backup = backups.find(command, delivery)
    except NotFinalError as error:
        if _is_blind(error) and (stale := guards.refuse_stale(command, policy, _clock(delivery))):
            return replace(stale, message=f"{stale.message}; the backup could not be looked up: {error}")
        raise
    if backup is None:
        return _absent(command, policy)
    guards.refuse_leaving(backup)
    clock = _clock(delivery)
    if stale := guards.refuse_stale(command, policy, clock):  # once more, with a clock that the API's time has checked
        return stale

    def siblings(instance_id: str) -> Sequence[Backup]:
        found = backups.manual_backups(command.project_id, instance_id, delivery)
        _clock(delivery).now()  # by which they are ranked, checked against this answer's time, too
        return found

    facts = Facts(backup=backup, clock=clock, siblings=siblings)
    return next((refusal for check in checks if (refusal := check(facts))), None)


def _clock(delivery: Delivery) -> Clock:
    return Clock(ours=delivery.now, api=delivery.api_time)


def _absent(command: DeleteBackup, policy: Policy) -> Outcome:
    """A repeat that comes late must still tell that the backup is gone; a dry run must never say that it deleted."""
    if guards.is_dry_run(command, policy):
        return Skipped(
            reason="dry_run", message="dry run: the API does not list this backup, so there is nothing to delete"
        )
    return Deleted(absence="not_listed")


def _is_blind(error: NotFinalError) -> bool:
    """Whether looking again would see no more: no permission to list, or a list that is unclear."""
    return isinstance(error, UndecidedError) or error.may_not_look
