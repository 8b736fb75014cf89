"""The reaper: an event of an expired backup becomes a command, an outcome, a result event."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from .backups import Backup, DeleteBackup, Deleted, Failed, Outcome
from .cloud.engines import ENGINES
from .delivery import Delivery
from .errors import UndecidedError
from .events.binding import Event
from .events.contract import read_command, write_result
from .guards import Policy
from .handler import Backups, handle

KNOWN: Final = {engine.name: engine.needs_instance for engine in ENGINES.values()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaper:
    """Settles events of expired backups.

    Args:
        engines: the engines that are served, by name.
        accepted_types: of events.
        source: of result events.
    """

    engines: Mapping[str, Backups]
    policy: Policy
    accepted_types: Collection[str]
    source: str

    def settle(self, event: Event, delivery: Delivery) -> tuple[Outcome, dict[str, str], dict[str, object]]:
        """Carry out what an event asks for.

        Returns:
            The outcome, and the attributes and the data of the result event.

        Raises:
            NotAnEventError: its type is not accepted.
            NotFinalError: there is no final outcome yet.
        """
        command = read_command(event, self.accepted_types, KNOWN)
        if isinstance(command, Failed):
            outcome: Outcome = command
        else:
            delivery.project_id, delivery.backup_id = command.project_id, command.backup_id
            outcome = handle(command, self.policy, self.engines, delivery)
        result = write_result(event, outcome, KNOWN, source=self.source, now=delivery.now, trace=delivery.trace)
        return outcome, *result


@dataclass(frozen=True, slots=True)
class AsPlanned:
    """The backups of one engine for whoever deletes by a plan: a backup that changed since is unclear.

    Args:
        planned: the backup as the plan saw it. By what is said of it now, the policy might keep it.
    """

    backups: Backups
    planned: Backup

    def find(self, command: DeleteBackup, delivery: Delivery) -> Backup | None:
        """The backup, if it is as it was planned; None if it is shown to be absent."""
        found = self.backups.find(command, delivery)
        if found and found != self.planned:
            raise UndecidedError(
                "UNCLEAR_BACKUP", "the backup changed since the plan was made: the next run plans anew"
            )
        return found

    def manual_backups(self, project_id: str, instance_id: str, delivery: Delivery) -> Sequence[Backup]:
        """All manual backups of an instance."""
        return self.backups.manual_backups(project_id, instance_id, delivery)

    def delete(self, command: DeleteBackup, delivery: Delivery) -> Deleted | Failed:
        """Delete the backup."""
        return self.backups.delete(command, delivery)
