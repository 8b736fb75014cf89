"""The region table."""

import pytest

from function.cloud.engines.taurusdb import TAURUSDB


@pytest.mark.parametrize(
    ("service", "regions"),
    [
        ("gaussdb", "cn-north-2 cn-north-4 cn-north-9 cn-east-3 cn-south-1 cn-south-4 cn-southwest-2"),
        ("gaussdb", "ap-southeast-3 ap-southeast-4 sa-brazil-1 ru-northwest-2"),
        ("gaussdbformysql", "tr-west-1 ap-southeast-1 ap-southeast-2 cn-north-11 me-east-1"),
        ("gaussdb-mysql", "af-south-1 cn-east-5 la-north-2 cn-southwest-3"),
    ],
)
def test_a_region_has_the_host_that_serves_taurusdb_there(service: str, regions: str) -> None:
    for region in regions.split():
        assert TAURUSDB.endpoints[region] == f"https://{service}.{region}.myhuaweicloud.com"


def test_no_other_region_is_guessed() -> None:
    assert len(TAURUSDB.endpoints) == 20


@pytest.mark.parametrize("region", ["cn-east-5", "me-east-1", "tr-west-1"])
def test_where_gaussdb_is_another_product_its_host_is_not_taken(region: str) -> None:
    """Both products answer the same URIs."""
    assert not TAURUSDB.endpoints[region].startswith("https://gaussdb.")
