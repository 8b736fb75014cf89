"""The reaper: an event of an expired backup becomes a command, an outcome, a result event."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from .backups import Failed, Outcome
from .cloud.engines import ENGINES
from .delivery import Delivery
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
