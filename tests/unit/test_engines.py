"""The engines: each proves a deletion in its own way, and no engine's codes mean anything to another."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from function.backups import Backup, Deleted, Failed
from function.cloud.api import Unproven, find_paths, pages_of, read_backups, read_deletion
from function.cloud.engines import ENGINES, dds, gaussdb, geminidb, rds, taurusdb
from function.cloud.engines.engine import Engine
from function.cloud.refusals import Meaning
from function.errors import ApiDeniedError, ApiUnavailableError, NotFinalError
from function.exchange import Answer
from tests.facts.strategies import answers, as_json

ROWS: Final = {module.__name__.rpartition(".")[2]: module.ROWS for module in (taurusdb, rds, gaussdb, dds, geminidb)}
every_engine = pytest.mark.parametrize("engine", ENGINES.values(), ids=list(ENGINES))


def meaning(answer: Answer, engine: Engine) -> Meaning | None:
    """What an answer to the DELETE means; None for a success."""
    try:
        outcome = read_deletion(answer, engine)
    except ApiDeniedError:
        return Meaning.DENIED
    except ApiUnavailableError:
        return Meaning.UNAVAILABLE
    match outcome:
        case Deleted(absence="stated"):
            return Meaning.GONE
        case Unproven(Deleted(absence="not_listed"), ApiDeniedError()):
            return Meaning.MAYBE_DENIED
        case Unproven(Deleted(absence="not_listed")):
            return Meaning.MAYBE_GONE
        case Failed():
            return Meaning.FINAL
    return None


# Codes.


@pytest.mark.parametrize(
    ("engine", "row"),
    [(ENGINES[name], row) for name, rows in ROWS.items() for row in rows],
    ids=lambda value: value.name if isinstance(value, Engine) else f"{value[1]}-{value[2].split()[0]}",
)
def test_every_row_of_a_table_has_its_meaning(engine: Engine, row: tuple[Meaning, int, str, str]) -> None:
    expected, status, codes, source = row
    for code in codes.split():
        answer = as_json({"error_code": code, "error_msg": "text"}, status=status)
        assert meaning(answer, engine) is (Meaning.DENIED if expected is Meaning.TOKEN else expected)
    assert source


@pytest.mark.parametrize("name", ROWS)
def test_no_code_stands_twice_in_a_table(name: str) -> None:
    pairs = [(status, code) for _, status, codes, _ in ROWS[name] for code in codes.split()]

    assert len(pairs) == len(set(pairs))


GONE: Final = {
    "taurusdb": {(400, "DBS.201203"), (404, "DBS.201010")},
    "rds": {(400, "DBS.201203"), (404, "DBS.201010")},
    "gaussdb": {(400, "DBS.201203"), (404, "DBS.201010")},
    "dds": {(400, "DBS.201214")},
    "geminidb": {(400, "DBS.201214")},
}
CODES: Final = sorted({code for rows in ROWS.values() for _, _, codes, _ in rows for code in codes.split()})


@every_engine
@given(status=st.integers(400, 599) | st.sampled_from([400, 403, 404, 409]), code=st.sampled_from(CODES))
@example(status=400, code="DBS.280214")  # "the backup does not exist" for two, "invalid retention period" for three
@example(status=404, code="DBS.200408")  # the instance is gone, or has no normal node
@example(status=404, code="DBS.212013")  # the object is gone, or speaks of a parameter template
@example(status=404, code="DBS.200013")  # the instance is gone, or a node does not exist
@example(status=403, code="DBS.201028")  # the instance is gone, by another status
@example(status=400, code="DBS.201214")
@example(status=400, code="DBS.201203")
def test_no_other_engine_s_code_says_gone(engine: Engine, status: int, code: str) -> None:
    said = meaning(as_json({"error_code": code, "error_msg": "text"}, status=status), engine)

    assert (said is Meaning.GONE) == ((status, code) in GONE[engine.name])


@pytest.mark.parametrize(
    ("code", "status", "by_engine"),
    [
        ("DBS.280214", 400, "MAYBE_GONE MAYBE_GONE FINAL FINAL FINAL"),
        ("DBS.200408", 404, "MAYBE_GONE MAYBE_GONE UNAVAILABLE MAYBE_GONE MAYBE_GONE"),
        ("DBS.200013", 404, "MAYBE_GONE MAYBE_GONE MAYBE_GONE UNAVAILABLE UNAVAILABLE"),
        ("DBS.201028", 403, "DENIED DENIED DENIED MAYBE_GONE MAYBE_GONE"),
        ("DBS.280056", 401, "DENIED DENIED DENIED DENIED DENIED"),
        ("DBS.280015", 403, "MAYBE_DENIED MAYBE_DENIED MAYBE_DENIED DENIED DENIED"),
        ("DBS.280015", 400, "FINAL FINAL FINAL DENIED DENIED"),
        ("DBS.200019", 403, "DENIED DENIED DENIED UNAVAILABLE UNAVAILABLE"),
        ("DBS.200019", 409, "UNAVAILABLE UNAVAILABLE UNAVAILABLE UNAVAILABLE UNAVAILABLE"),
        ("DBS.280064", 401, "DENIED DENIED DENIED UNAVAILABLE DENIED"),
        ("DBS.201319", 400, "FINAL FINAL FINAL UNAVAILABLE UNAVAILABLE"),
        ("DBS.301024", 400, "FINAL FINAL FINAL FINAL FINAL"),
    ],
)
def test_a_code_means_what_its_engine_says(code: str, status: int, by_engine: str) -> None:
    answer = as_json({"error_code": code, "error_msg": "text"}, status=status)

    assert [meaning(answer, engine) for engine in ENGINES.values()] == [Meaning[word] for word in by_engine.split()]


# Success by proof.

NAMED: Final = {"backup_id": "b1", "backup_name": "weekly"}


@pytest.mark.parametrize(
    ("status", "body", "proves"),
    [
        (200, NAMED, "taurusdb gaussdb"),
        (200, None, ""),  # RDS
        (200, {"job_id": "j1"}, ""),  # DDS
        (202, {"job_id": "j1"}, ""),  # GeminiDB
        (202, {}, ""),  # GaussDB
        (202, NAMED, ""),
        (204, None, ""),
    ],
    ids=str,
)
def test_an_acceptance_proves_a_deletion_only_where_the_engine_documents_it(
    status: int, body: object, proves: str
) -> None:
    answer = Answer(status, {}, b"") if body is None else as_json(body, status=status)
    for engine in ENGINES.values():
        outcome = read_deletion(answer, engine)
        assert isinstance(outcome, Deleted if engine.name in proves.split() else Unproven)


@every_engine
@given(answer=answers)
def test_whatever_an_engine_answers_only_its_own_proof_makes_it_deleted(engine: Engine, answer: Answer) -> None:
    try:
        outcome = read_deletion(answer, engine)
    except NotFinalError:
        return
    if isinstance(outcome, Deleted):
        if outcome.absence is None:
            assert engine.proves_by_id
            assert answer.status == 200
        else:
            assert answer.status in {status for status, _ in GONE[engine.name]}


# Lists.

TAURUSDB, RDS, GAUSSDB, DDS, GEMINIDB = ENGINES.values()


@pytest.mark.parametrize(
    ("engine", "find", "pages"),
    [
        (TAURUSDB, ["/v3/P/backups?backup_id=b1"], ["/v3/P/backups?instance_id=i1&backup_type=manual"]),
        (RDS, ["/v3/P/backups?backup_id=b1&instance_id=i1"], ["/v3/P/backups?instance_id=i1&backup_type=manual"]),
        (GAUSSDB, ["/v3.1/P/backups?backup_id=b1"], ["/v3.1/P/backups?instance_id=i1&backup_type=manual"]),
        (DDS, ["/v3/P/backups?backup_id=b1"], ["/v3/P/backups?instance_id=i1&backup_type=Manual"]),
        (
            GEMINIDB,
            ["/v4/P/backups?type=Instance&backup_id=b1", "/v4/P/backups?type=DatabaseTable&backup_id=b1"],
            [
                "/v4/P/backups?type=Instance&instance_id=i1&backup_type=Manual",
                "/v4/P/backups?type=DatabaseTable&instance_id=i1&backup_type=Manual",
            ],
        ),
    ],
    ids=list(ENGINES),
)
def test_each_engine_has_its_own_list(engine: Engine, find: list[str], pages: list[str]) -> None:
    assert find_paths(engine, "P", "b1", "i1") == find
    assert pages_of(engine, "P", "i1") == pages


ITEM: Final = {
    "id": "b1",
    "name": "weekly",
    "instance_id": "i1",
    "type": "manual",
    "status": "COMPLETED",
    "begin_time": "2020-07-06T10:41:14+0800",
    "description": "before the upgrade",
}
READ: Final = Backup(
    id="b1",
    name="weekly",
    instance_id="i1",
    type="manual",
    status="COMPLETED",
    begin_time=datetime(2020, 7, 6, 10, 41, 14, tzinfo=timezone(timedelta(hours=8))),
    description="before the upgrade",
)


def read(engine: Engine, **members: Any) -> Backup:
    (backup,), _ = read_backups(as_json({"backups": [{**ITEM, **members}], "total_count": 1}), engine)
    return backup


@every_engine
def test_an_item_is_read(engine: Engine) -> None:
    assert read(engine) == READ


@pytest.mark.parametrize(
    ("engine", "members", "facts"),
    [
        (RDS, {"status": "DELETING"}, {"status": "DELETING"}),
        (RDS, {"type": "fragment"}, {"type": "fragment"}),
        (RDS, {"begin_time": "2020-07-06 T 10:41:14 +0800"}, {"begin_time": None}),  # unreadable, not old
        (DDS, {"status": "DISABLED"}, {"status": "DELETING"}),
        (DDS, {"type": "Manual"}, {"type": "manual"}),
        (DDS, {"type": "Incremental"}, {"type": "incremental"}),
        (DDS, {"begin_time": "2020-07-06 02:41:14"}, {"begin_time": datetime(2020, 7, 6, 2, 41, 14, tzinfo=UTC)}),
        (DDS, {"deletable": False}, {"in_use": True}),
        (DDS, {"is_instance_restoring": True}, {"in_use": True}),
        (DDS, {"deletable": True, "is_instance_restoring": False}, {}),
        (DDS, {"deletable": 0, "is_instance_restoring": 1}, {}),  # neither says it
        (GEMINIDB, {"type": "Manual", "status": "Completed"}, {}),
        (GEMINIDB, {"begin_time": "2020-07-06 02:41:14"}, {"begin_time": None}),
        (GEMINIDB, {"database_tables": [{"database_name": "shop", "table_names": ["orders"]}]}, {"is_partial": True}),
        (GEMINIDB, {"database_tables": []}, {}),
        (GEMINIDB, {"database_tables": None}, {}),
        (RDS, {"databases": [{"name": "carts"}]}, {"is_partial": True}),
        (RDS, {"databases": []}, {}),
        (TAURUSDB, {"databases": [{"name": "carts"}]}, {}),
        (TAURUSDB, {"type": "Manual"}, {"type": "Manual"}),
        (TAURUSDB, {"status": "DISABLED", "deletable": False}, {"status": "DISABLED"}),
        (TAURUSDB, {"begin_time": "2020-07-06 02:41:14"}, {"begin_time": None}),
    ],
    ids=str,
)
def test_an_engine_s_own_words_are_understood(engine: Engine, members: dict[str, Any], facts: dict[str, Any]) -> None:
    assert read(engine, **members) == replace(READ, **facts)


# Hosts.


def test_no_host_belongs_to_two_engines() -> None:
    """Both would answer the same URIs: the tables of the official SDK's region files are disjoint."""
    hosts = [urlsplit(endpoint).hostname for engine in ENGINES.values() for endpoint in engine.endpoints.values()]

    assert len(hosts) == len(set(hosts))


@pytest.mark.parametrize(
    ("engine", "count", "example"),
    [
        (TAURUSDB, 20, "https://gaussdb.cn-north-4.myhuaweicloud.com"),
        (RDS, 30, "https://rds.cn-north-4.myhuaweicloud.com"),
        (RDS, 30, "https://rds.eu-west-101.myhuaweicloud.eu"),
        (GAUSSDB, 25, "https://gaussdb-opengauss.cn-north-4.myhuaweicloud.com"),
        (GAUSSDB, 25, "https://gaussdb.cn-east-5.myhuaweicloud.com"),
        (DDS, 30, "https://dds.cn-north-4.myhuaweicloud.com"),
        (GEMINIDB, 26, "https://gaussdb-nosql.cn-north-4.myhuaweicloud.com"),
    ],
)
def test_a_region_has_the_engine_s_host(engine: Engine, count: int, example: str) -> None:
    assert len(engine.endpoints) == count
    assert example in engine.endpoints.values()
