"""Which engines are served, and where: from the region's table, or as said."""

from typing import Final

import pytest

from function.cloud.engines import ENGINES
from function.config import Config
from function.errors import ConfigError

TOKEN: Final = {"HW_AUTH_TOKEN": "token"}
TAURUSDB: Final = ENGINES["taurusdb"]


def endpoints(**env: str) -> dict[str, str]:
    return dict(Config.from_env({**TOKEN, **env}).endpoints)


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


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({"HW_REGION_NAME": "cn-north-4"}, {"taurusdb": "https://gaussdb.cn-north-4.myhuaweicloud.com"}),
        (
            {"HW_REGION_NAME": "cn-north-4", "REAPER_ENGINES": "rds, dds,rds"},
            {"rds": "https://rds.cn-north-4.myhuaweicloud.com", "dds": "https://dds.cn-north-4.myhuaweicloud.com"},
        ),
        ({"REAPER_API_ENDPOINT": "https://a", "REAPER_ENGINES": "geminidb"}, {"geminidb": "https://a"}),
        ({"REAPER_API_ENDPOINT_DDS": "https://a", "REAPER_ENGINES": "dds"}, {"dds": "https://a"}),
        (
            {
                "HW_REGION_NAME": "cn-north-4",
                "REAPER_ENGINES": "taurusdb,gaussdb",
                "REAPER_API_ENDPOINT_GAUSSDB": "https://a",
            },
            {"taurusdb": "https://gaussdb.cn-north-4.myhuaweicloud.com", "gaussdb": "https://a"},
        ),
        (  # the label says nothing: here `gaussdb.` is GaussDB
            {"HW_REGION_NAME": "cn-east-5", "REAPER_ENGINES": "gaussdb,taurusdb"},
            {
                "gaussdb": "https://gaussdb.cn-east-5.myhuaweicloud.com",
                "taurusdb": "https://gaussdb-mysql.cn-east-5.myhuaweicloud.com",
            },
        ),
        (
            {"REAPER_API_ENDPOINT": "https://gaussdb.cn-north-4.myhuaweicloud.com:443"},
            {"taurusdb": "https://gaussdb.cn-north-4.myhuaweicloud.com:443"},
        ),
    ],
    ids=str,
)
def test_each_engine_that_is_served_has_an_endpoint(env: dict[str, str], expected: dict[str, str]) -> None:
    assert endpoints(**env) == expected


FOREIGN: Final = "must be an address of taurusdb: this one is {}'s, which answers the same paths"
NAMES: Final = "engines of taurusdb, rds, gaussdb, dds, geminidb"


@pytest.mark.parametrize(
    ("env", "fault"),
    [
        ({}, "HW_REGION_NAME must be set, or REAPER_API_ENDPOINT instead"),
        ({"REAPER_ENGINES": "rds,dds", "REAPER_API_ENDPOINT_RDS": "https://a"}, "HW_REGION_NAME must be set, or"),
        ({"REAPER_ENGINES": "oracle"}, f"REAPER_ENGINES must be {NAMES}, with commas between them"),
        ({"REAPER_ENGINES": ""}, f"REAPER_ENGINES must be {NAMES}, with commas between them: it is set, but empty"),
        (
            {"REAPER_ENGINES": "rds,dds", "REAPER_API_ENDPOINT": "https://a"},
            "REAPER_API_ENDPOINT is for one engine; set REAPER_API_ENDPOINT_RDS and REAPER_API_ENDPOINT_DDS instead",
        ),
        (
            {"REAPER_API_ENDPOINT": "https://a", "REAPER_API_ENDPOINT_TAURUSDB": "https://b"},
            "either REAPER_API_ENDPOINT_TAURUSDB or REAPER_API_ENDPOINT must be set, not both",
        ),
        (
            {"HW_REGION_NAME": "cn-north-4", "REAPER_API_ENDPOINT_RDS": "https://a"},
            "REAPER_API_ENDPOINT_RDS is set, but REAPER_ENGINES does not list rds",
        ),
        (
            {"REAPER_API_ENDPOINT": "https://rds.cn-north-4.myhuaweicloud.com"},
            f"REAPER_API_ENDPOINT {FOREIGN.format('rds')}",
        ),
        (
            {"REAPER_API_ENDPOINT": "https://gaussdb.cn-east-5.myhuaweicloud.com:8443"},
            f"REAPER_API_ENDPOINT {FOREIGN.format('gaussdb')}",
        ),
        (
            {"REAPER_ENGINES": "rds", "HW_REGION_NAME": "eu-west-0"},
            "HW_REGION_NAME must be a region known to have rds: ",
        ),
    ],
    ids=str,
)
def test_an_endpoint_that_cannot_work_stops_the_start(env: dict[str, str], fault: str) -> None:
    with pytest.raises(ConfigError) as raised:
        Config.from_env({**TOKEN, **env})

    assert fault in str(raised.value)


@pytest.mark.parametrize(
    ("region", "url"),
    [
        ("cn-north-4", "https://iam.cn-north-4.myhuaweicloud.com/v3"),
        ("eu-west-101", "https://iam.eu-west-101.myhuaweicloud.eu/v3"),
    ],
)
def test_iam_is_where_the_region_is(region: str, url: str) -> None:
    user = {"HW_USER_NAME": "u", "HW_USER_PASSWORD": "pw pw pw", "HW_DOMAIN_NAME": "d"}
    env = {"REAPER_ALLOWED_PROJECT_IDS": "a" * 32, "REAPER_ENGINES": "rds", "HW_REGION_NAME": region}

    assert url in Config.from_env({**user, **env}).origins
