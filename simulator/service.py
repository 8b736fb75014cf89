"""What makes a database service different from the others, as one value."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from .account import Backup
from .errors import ApiError, Errors
from .exchange import Answer, Json

Refusal = Literal["absent", "building", "automated", "in_use", "parameter", "project"]
Route: TypeAlias = tuple[str, str, Callable[..., Answer]]
"""A method, a regular expression for the path, and the operation: it gets account, service, request and the groups."""


@dataclass(frozen=True, slots=True)
class Leaving:
    """What a backup's status is while it is being deleted, and for how many seconds."""

    status: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """How one service answers.

    Args:
        engine: the name of the function's engine for it.
        datastores: the datastore types of its backups; the backups of others are not there.
        list_path: a regular expression for the list's path, with the project as its group.
        demanded: the parameters that the list cannot do without.
        whole_period: whether the list takes `begin_time` and `end_time` only together.
        types: its words for `auto` and `manual`, by which a list can be filtered.
        belongs: whether a backup is in the list with this query, as far as only this service knows.
        read_time: reads a time of a query in Unix seconds, or raises ValueError.
        item: writes a backup as an item of the list.
        deleted: answers a deletion that is accepted.
        leaving: how a backup looks meanwhile; None: it is gone when the deletion is answered.
        refusals: the code for each reason to refuse.
        errors: its codes; no code means anything without its service.
        more: operations that not every service has.
    """

    engine: str
    datastores: Collection[str]
    list_path: str
    demanded: Collection[str] = ()
    whole_period: bool = False
    types: Mapping[str, str]
    read_time: Callable[[str], float]
    belongs: Callable[[Backup, Mapping[str, str]], bool] = lambda _, query: True
    item: Callable[[Backup], Json]
    deleted: Callable[[Backup], Answer]
    leaving: Leaving | None = None
    refusals: Mapping[Refusal, str]
    errors: Errors
    more: tuple[Route, ...] = ()

    def has(self, backup: Backup) -> bool:
        """Whether this is a backup of this service."""
        return backup.datastore.type in self.datastores

    def refusal(self, reason: Refusal) -> ApiError:
        """Return the error for this reason, to be raised."""
        return self.error(self.refusals[reason])

    def error(self, code: str) -> ApiError:
        """Return the error with this code, to be raised."""
        return ApiError(code, errors=self.errors)
