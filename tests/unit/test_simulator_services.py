"""Each service in the simulator has the list, the words and the codes of its own documentation."""

from collections.abc import Iterator
from typing import Any, Final

import pytest
import requests

from simulator import Account, Backup, Datastore, Simulator, Token
from simulator.services import SERVICES
from tests.facts.account import PROJECT

LISTS: Final = {
    "taurusdb": f"/v3/{PROJECT}/backups",
    "rds": f"/v3/{PROJECT}/backups?instance_id=i",
    "gaussdb": f"/v3.1/{PROJECT}/backups",
    "dds": f"/v3/{PROJECT}/backups",
    "geminidb": f"/v4/{PROJECT}/backups",
}
EACH: Final = pytest.mark.parametrize("engine", SERVICES)


def backup(engine: str, id: str, **fields: Any) -> Backup:
    kind = Datastore(next(iter(SERVICES[engine].datastores)), "1")
    usual: dict[str, Any] = {"instance_id": "i", "description": "text", "datastore": kind, "size": 3.0}
    return Backup(id=id, project_id=PROJECT, **usual | fields)


@pytest.fixture
def sim() -> Iterator[Simulator]:
    """All services, each with a manual and an automated backup, and one that is being built."""
    backups = [
        backup(engine, f"{engine}-{id}", **fields)
        for engine in SERVICES
        for id, fields in {"m": {}, "a": {"type": "auto"}, "b": {"status": "BUILDING"}}.items()
    ]
    account = Account(projects={PROJECT: "p"}, backups=backups, tokens=[Token("t")])
    with Simulator(account, services=list(SERVICES.values())) as running:
        yield running


def ask(sim: Simulator, engine: str, method: str, path: str) -> requests.Response:
    return requests.request(method, sim.urls[engine] + path, headers={"X-Auth-Token": "t"}, timeout=10)


def items(sim: Simulator, engine: str, query: str = "") -> dict[str, Any]:
    path = LISTS[engine]
    answer = ask(sim, engine, "GET", f"{path}{'&' if '?' in path else '?'}{query}")
    assert answer.status_code == 200, answer.text
    return {item["id"]: item for item in answer.json()["backups"]}


def refused(sim: Simulator, engine: str, method: str, path: str) -> tuple[int, str]:
    answer = ask(sim, engine, method, path)
    return answer.status_code, answer.json()["error_code"].removeprefix("DBS.")


@EACH
def test_a_service_lists_its_own_backups_only(sim: Simulator, engine: str) -> None:
    assert set(items(sim, engine)) == {f"{engine}-{id}" for id in "mab"}


@pytest.mark.parametrize(
    ("engine", "status", "body", "meanwhile"),
    [
        ("taurusdb", 200, {"backup_id": "taurusdb-m", "backup_name": "backup-f3c1"}, None),
        ("rds", 200, None, "DELETING"),
        ("gaussdb", 202, {}, None),
        ("dds", 200, ["job_id"], "DISABLED"),
        ("geminidb", 202, ["job_id"], "COMPLETED"),
    ],
)
def test_a_deletion_is_answered_and_carried_out_in_the_service_s_own_way(
    sim: Simulator, engine: str, status: int, body: Any, meanwhile: str | None
) -> None:
    answer = ask(sim, engine, "DELETE", f"/v3/{PROJECT}/backups/{engine}-m")
    assert answer.status_code == status
    shown: Any = answer.json() if answer.content else None
    assert (list(shown) if body == ["job_id"] else shown) == body
    listed = items(sim, engine).get(f"{engine}-m", {})
    assert listed.get("status") == meanwhile
    sim.advance(60)
    assert f"{engine}-m" not in items(sim, engine)


@pytest.mark.parametrize(
    ("engine", "absent", "building", "automated"),
    [
        ("taurusdb", (400, "201203"), (409, "201205"), (400, "201208")),
        ("rds", (400, "201203"), (409, "201205"), (400, "201208")),
        ("gaussdb", (404, "201010"), (409, "201205"), (400, "201218")),
        ("dds", (400, "201214"), (403, "200019"), (400, "200004")),
        ("geminidb", (400, "201214"), (403, "200019"), (400, "200001")),
    ],
)
def test_a_service_refuses_with_its_own_codes(
    sim: Simulator, engine: str, absent: tuple[int, str], building: tuple[int, str], automated: tuple[int, str]
) -> None:
    path = f"/v3/{PROJECT}/backups"
    refusals = [refused(sim, engine, "DELETE", f"{path}/{id}") for id in ("x", f"{engine}-b", f"{engine}-a")]
    assert refusals == [absent, building, automated]
    another = next(name for name in SERVICES if name != engine)
    assert refused(sim, engine, "DELETE", f"{path}/{another}-m") == absent


@EACH
def test_types_are_filtered_by_the_service_s_own_words(sim: Simulator, engine: str) -> None:
    words = SERVICES[engine].types
    assert set(items(sim, engine, f"backup_type={words['auto']}")) == {f"{engine}-a"}
    assert items(sim, engine)[f"{engine}-m"]["type"] == words["manual"]
    other = "manual" if words["manual"] == "Manual" else "Manual"
    path = LISTS[engine]
    assert ask(sim, engine, "GET", f"{path}{'&' if '?' in path else '?'}backup_type={other}").status_code == 400


@pytest.mark.parametrize(
    ("engine", "begun", "size", "described"),
    [
        ("taurusdb", "2025-03-02T02:00:00+0800", 3, True),
        ("rds", "2025-03-02T02:00:00+0800", 3072, False),
        ("gaussdb", "2025-03-02T02:00:00+0800", 3, True),
        ("dds", "2025-03-01 18:00:00", 3072, True),
        ("geminidb", "2025-03-01T18:00:00+0000", 3072, True),
    ],
)
def test_an_item_is_written_as_the_service_writes_it(
    sim: Simulator, engine: str, begun: str, size: int, described: bool
) -> None:
    item = items(sim, engine)[f"{engine}-m"]
    assert (item["begin_time"], item["size"], "description" in item) == (begun, size, described)
    sim.add(backup(engine, "odd", begin_time="some day", end_time=None, size=None))
    assert (items(sim, engine)["odd"]["begin_time"], items(sim, engine)["odd"].get("size")) == ("some day", None)


@pytest.mark.parametrize(
    ("engine", "since", "until"),
    [
        ("rds", "2025-03-02T02:00:00%2B0800", "2025-03-02T02:00:01%2B0800"),
        ("dds", "2025-03-01%2018:00:00", "2025-03-01%2018:00:01"),
    ],
)
def test_a_period_is_taken_whole_or_not_at_all(sim: Simulator, engine: str, since: str, until: str) -> None:
    assert f"{engine}-m" in items(sim, engine, f"begin_time={since}&end_time={until}")
    path = LISTS[engine] + ("&" if "?" in LISTS[engine] else "?")
    assert refused(sim, engine, "GET", f"{path}begin_time={since}") == (400, "280001")


def test_rds_lists_by_instance_and_knows_which_instances_there_are() -> None:
    gone = [backup("rds", "r", instance_id="gone"), backup("rds", "s"), backup("dds", "d", instance_id="other")]
    account = Account(projects={PROJECT: "p"}, backups=gone, tokens=[Token("t")], retired=["gone"])
    with Simulator(account, services=[SERVICES["rds"]]) as sim:
        assert refused(sim, "rds", "GET", f"/v3/{PROJECT}/backups") == (400, "280001")
        assert ask(sim, "rds", "GET", f"/v3/{PROJECT}/backups?instance_id=mistyped").json()["total_count"] == 0
        assert ask(sim, "rds", "GET", f"/v3/{PROJECT}/backups?instance_id=gone").json()["total_count"] == 1
        ids = {
            query: [item["id"] for item in answer.json()["instances"]]
            for query in ("", "?id=i", "?id=gone", "?id=other", "?offset=1")
            for answer in [ask(sim, "rds", "GET", f"/v3/{PROJECT}/instances{query}")]
        }
        assert ids == {"": ["i"], "?id=i": ["i"], "?id=gone": [], "?id=other": [], "?offset=1": []}
        ask(sim, "rds", "DELETE", f"/v3/{PROJECT}/backups/s")
        sim.advance(60)
        assert ask(sim, "rds", "GET", f"/v3/{PROJECT}/instances?id=i").json()["total_count"] == 1


def test_geminidb_lists_backups_of_tables_apart(sim: Simulator) -> None:
    sim.add(backup("geminidb", "tables", database_tables=("orders",)))
    assert "tables" not in items(sim, "geminidb")
    assert set(items(sim, "geminidb", "type=DatabaseTable")) == {"tables"}


def test_dds_says_what_must_not_be_deleted_and_refuses_it(sim: Simulator) -> None:
    sim.add(backup("dds", "restoring", is_instance_restoring=True, deletable=False))
    item = items(sim, "dds")["restoring"]
    assert (item["is_instance_restoring"], item["deletable"]) == (True, False)
    assert "deletable" not in items(sim, "dds")["dds-m"]
    assert refused(sim, "dds", "DELETE", f"/v3/{PROJECT}/backups/restoring") == (400, "201319")


def test_only_taurusdb_deletes_in_batches_under_that_path(sim: Simulator) -> None:
    codes = {engine: refused(sim, engine, "DELETE", f"/v3/{PROJECT}/backups")[1] for engine in SERVICES}
    assert codes == {engine: "280001" if engine == "taurusdb" else "APIGW.0101" for engine in SERVICES}


def test_a_deletion_can_fail_later(sim: Simulator) -> None:
    sim.add(backup("geminidb", "stays", deletion_fails=True))
    assert ask(sim, "geminidb", "DELETE", f"/v3/{PROJECT}/backups/stays").status_code == 202
    sim.advance(60)
    assert items(sim, "geminidb")["stays"]["status"] == "COMPLETED"


def test_ports_are_kept_and_a_taken_one_is_an_error(sim: Simulator) -> None:
    urls = sim.urls
    assert len(set(urls.values())) == len(SERVICES)
    sim.stop()
    sim.start()
    assert sim.urls == urls
    first = int(sim.url.rpartition(":")[2])
    with pytest.raises(OSError, match="in use"):
        Simulator(services=[SERVICES["rds"], SERVICES["dds"]], port=first - 1).start()
