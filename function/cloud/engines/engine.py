"""What distinguishes one database service from the others on the same URI."""

from collections.abc import Mapping
from dataclasses import dataclass

from ..refusals import Codes


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """One database service.

    Args:
        name: its word in events and settings.
        endpoints: scheme and host by region.
        codes: what its error codes mean. A code belongs to its service: the same one means something else elsewhere.
    """

    name: str
    endpoints: Mapping[str, str]
    codes: Codes


def by_region(regions: Mapping[str, str]) -> Mapping[str, str]:
    """Endpoints by region, from regions by the first label of the host."""
    return {
        region: f"https://{label}.{region}.myhuaweicloud.com"
        for label, listed in regions.items()
        for region in listed.split()
    }
