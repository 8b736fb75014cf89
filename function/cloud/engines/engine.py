"""What distinguishes one database service from the others on the same URI."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..refusals import Codes


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """One database service.

    Args:
        name: its word in events and settings.
        endpoints: scheme and host by region.
        codes: what its error codes mean. A code belongs to its service: the same one means something else elsewhere.
        list_paths: the lists that together hold every backup of a project; a backup is absent only if none has it.
        manual: the word for manual backups in a query.
        proves_by_id: a 200 that names the backup proves its deletion; otherwise only the list does.
        needs_instance: the list is per instance, so an event must name one.
        any_case: its words come in more than one spelling, such as `Manual` and `manual`.
        leaving: its words for the status of a backup that is being deleted.
        utc: its times have no offset, and are UTC.
        units_per_mb: how many units of `size` are a megabyte.
        in_use: members of an item that say, by these values, that the backup must not be deleted now.
        partial_in: the member of an item that lists databases or tables, where the backup holds no others.
        takes_language: `X-Language` is documented.
    """

    name: str
    endpoints: Mapping[str, str]
    codes: Codes = field(repr=False)
    list_paths: tuple[str, ...] = ("/v3/{project_id}/backups",)
    manual: str = "manual"
    proves_by_id: bool = False
    needs_instance: bool = False
    any_case: bool = False
    leaving: frozenset[str] = frozenset()
    utc: bool = False
    units_per_mb: int = 1
    in_use: Mapping[str, bool] = field(default_factory=dict)
    partial_in: str | None = None
    takes_language: bool = True


def by_region(regions: Mapping[str, str], domain: str = "myhuaweicloud.com") -> dict[str, str]:
    """Endpoints by region, from regions by the first label of the host."""
    return {
        region: f"https://{label}.{region}.{domain}" for label, listed in regions.items() for region in listed.split()
    }
