"""The list of a whole project, for the planner: page by page, while deletions may be going on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Final, TypeVar

from ..backups import Backup
from ..delivery import Delivery
from ..errors import UndecidedError
from ..exchange import Answer
from . import api
from .client import BackupClient
from .engines.engine import Engine

T = TypeVar("T")
MAX_SURPLUS: Final = 1000  # items that are added while a list is read
_ID: Final = attrgetter("id")
Begin = Callable[[], Delivery]  # a delivery for one call, with a deadline of its own


@dataclass(frozen=True, slots=True)
class ProjectList:
    """The manual backups of one project.

    Args:
        backups: one that was listed twice is in it twice, if what was said of it differs.
        moved: the list changed while it was read, twice in a row. Entries can be missing, or old.
        short: it brought fewer backups than every one of its pages counts, so that some are missing for certain.
    """

    backups: Sequence[Backup]
    moved: bool
    short: bool


def list_project(client: BackupClient, project_id: str, begin: Begin, *, whole: bool = False) -> ProjectList:
    """Read the list; if it changes meanwhile, read it once more, and then take it as it is.

    Args:
        whole: refuse a list that is short: what is missing makes no other backup expire, but no limit counts it.

    Raises:
        NotFinalError: a page is not of the documented form, or there is none, or the list is short.
    """
    listed = _read_project(client, project_id, begin)
    if listed.moved:
        listed = _read_project(client, project_id, begin)
    if whole and listed.short:
        message = f"the list of {client.engine.name} in project {project_id} is shorter than its count"
        raise UndecidedError("UNCLEAR_LIST", message)
    return listed


def ask_time(client: BackupClient, project_id: str, delivery: Delivery) -> None:
    """Make one call: the `Date` of its answer is then the delivery's `api_time`, whatever else the answer says.

    Raises:
        NotFinalError: there is no answer.
    """
    first_page = api.at_offset(api.pages_of(client.engine, project_id, None)[0], 0, 1)
    client.get(first_page, project_id, delivery)


def _read_project(client: BackupClient, project_id: str, begin: Begin) -> ProjectList:
    paths = api.pages_of(client.engine, project_id, None)
    moved = short = False
    if client.engine.needs_instance:
        instances = api.instances_path(project_id)
        limit = api.INSTANCES_PAGE_SIZE
        ids, moved, short = _read_moving_list(
            client, instances, api.read_instances, str, project_id, begin, limit=limit
        )
        paths = [path for each in ids for path in api.pages_of(client.engine, project_id, each)]
    backups: dict[Backup, None] = {}
    for path in paths:
        found, changed, lacks = _read_moving_list(client, path, api.read_backups, _ID, project_id, begin)
        backups |= dict.fromkeys(found)
        moved |= changed
        short |= lacks
    return ProjectList(tuple(backups), moved, short)


def _read_moving_list(
    client: BackupClient,
    path: str,
    read: Callable[[Answer, Engine], tuple[list[T], int]],
    name: Callable[[T], str],
    project_id: str,
    begin: Begin,
    *,
    limit: int = api.PAGE_SIZE,
) -> tuple[list[T], bool, bool]:
    """All items of a list, until a page brings nothing new: a short page need not be the last.

    Returns:
        The items; whether the list changed meanwhile: its count did or was missed, or an item came twice; and whether
        it has fewer items than the smallest of its counts.
    """
    items: list[T] = []
    names: set[str] = set()
    counts: set[int] = set()
    while True:
        page, count = read(client.get(api.at_offset(path, len(items), limit), project_id, begin()), client.engine)
        if count < 0:
            raise UndecidedError("UNCLEAR_LIST", "the count of the API's list is not of the documented form")
        counts.add(count)
        items += page
        known = len(names)
        names.update(map(name, page))
        has_new = len(names) > known
        if page and len(items) > max(counts) + (MAX_SURPLUS if has_new else 0):
            raise UndecidedError("UNCLEAR_LIST", "the API lists more than it counts, as if it did not know offsets")
        if not has_new:
            return items, counts != {len(items)} or len(names) < len(items), len(names) < min(counts)
