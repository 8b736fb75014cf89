"""The five engines over HTTP: each deletes with proof of its own, and none takes another's words for "gone"."""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from function.cloud.engines import ENGINES
from simulator import Backup, Fault, Simulator
from simulator.account import Datastore
from simulator.processes import Running, run_function
from simulator.services import SERVICES
from tests.conftest import TOKEN
from tests.facts.account import PROJECT
from tests.wire.deliverer import DELETED, FAILED, SKIPPED, Envelope, Reply, deliver, expired_event

OTHER_INSTANCE: Final = "d2f8a6c04b1e4937a5c3e0b7f9d18264in01"
DATASTORES: Final = {name: Datastore(sorted(SERVICES[name].datastores)[0], "1") for name in ENGINES}
ASYNCHRONOUS: Final = ["rds", "dds", "geminidb"]
every_engine = pytest.mark.parametrize("engine", list(ENGINES))
DAY: Final = timedelta(days=1)


@pytest.fixture(scope="module")
def lasting_cloud() -> Iterator[Simulator]:
    with Simulator(services=list(SERVICES.values())) as running:
        yield running


@pytest.fixture
def cloud(lasting_cloud: Simulator) -> Simulator:
    """All five services, with one backup each."""
    lasting_cloud.reset()
    lasting_cloud.account.backups.clear()
    for engine in ENGINES:
        lasting_cloud.add(backup(engine))
    return lasting_cloud


def backup(engine: str, name: str = "", age: float = 100, **facts: Any) -> Backup:
    begun = (datetime.now(UTC) - age * DAY).strftime("%Y-%m-%dT%H:%M:%S+0000")
    usual = {"project_id": PROJECT, "instance_id": f"{engine}in01", "name": "weekly", "begin_time": begun}
    return Backup(id=name or f"{engine}-1", datastore=DATASTORES[engine], **{**usual, **facts})


def settings(cloud: Simulator) -> dict[str, str]:
    endpoints = {f"REAPER_API_ENDPOINT_{name.upper()}": url for name, url in cloud.urls.items()}
    return {"REAPER_ENGINES": ",".join(ENGINES), "HW_AUTH_TOKEN": TOKEN, "THREADS": "8", **endpoints}


@pytest.fixture(scope="module")
def function(lasting_cloud: Simulator) -> Iterator[Running]:
    """The function that serves all five."""
    with run_function(settings(lasting_cloud)) as running:
        yield running


@pytest.fixture(scope="module")
def strict_function(lasting_cloud: Simulator) -> Iterator[Running]:
    """The same with guards that read."""
    guards = {"REAPER_GUARDS": "strict", "REAPER_ALLOWED_PROJECT_IDS": PROJECT, "REAPER_KEEP_LAST": "1"}
    with run_function({**settings(lasting_cloud), **guards}) as running:
        yield running


def event(name: str, **members: Any) -> Envelope:
    usual = {"backup_id": f"{name}-1", "engine": name, "instance_id": f"{name}in01"}
    return expired_event(members={name: value for name, value in {**usual, **members}.items() if value is not None})


def ids(cloud: Simulator) -> set[str]:
    return cloud.backup_ids(PROJECT)


def until_settled(function: Running, cloud: Simulator, sent: Envelope) -> Reply:
    """As a broker: again, until there is an outcome; the cloud's time passes meanwhile."""
    for _ in range(20):
        reply = deliver(function.url, sent)
        if reply.status == 200:
            return reply
        assert reply.status == 503
        cloud.advance(1)
        time.sleep(0.3)
    raise AssertionError("no outcome")


@every_engine
def test_a_backup_is_deleted_with_proof(cloud: Simulator, function: Running, engine: str) -> None:
    before = ids(cloud)

    result = until_settled(function, cloud, event(engine)).event

    assert result["type"] == DELETED
    assert result["data"].get("engine") == (None if engine == "taurusdb" else engine)
    assert ids(cloud) == before - {f"{engine}-1"}


@pytest.mark.parametrize("engine", ASYNCHRONOUS)
def test_an_accepted_deletion_is_not_final_while_the_backup_is_listed(
    cloud: Simulator, function: Running, engine: str
) -> None:
    """Trap: DELETING and DISABLED are neither present nor gone, and 202 or a job's id proves nothing."""
    reply = deliver(function.url, event(engine))

    assert (reply.status, reply.problem["error_code"]) == (503, "NOT_PROVEN")
    assert until_settled(function, cloud, event(engine)).event["type"] == DELETED


@every_engine
def test_a_backup_that_is_gone_is_already_absent(cloud: Simulator, function: Running, engine: str) -> None:
    cloud.account.backups.pop(f"{engine}-1")
    if engine == "rds":  # its instance must still be there, or the empty list proves nothing
        cloud.add(backup("rds", "rds-2"))

    data = deliver(function.url, event(engine)).event["data"]

    assert data["already_absent"] is True


@every_engine
def test_the_guards_read_each_engine_s_words(cloud: Simulator, strict_function: Running, engine: str) -> None:
    cloud.add(backup(engine, f"{engine}-auto", type="auto"))
    for number in range(2):
        cloud.add(backup(engine, f"{engine}-newer-{number}", 10 + number))

    refused = deliver(strict_function.url, event(engine, backup_id=f"{engine}-auto")).event
    kept = deliver(strict_function.url, event(engine, backup_id=f"{engine}-newer-0")).event
    gone = until_settled(strict_function, cloud, event(engine)).event

    assert (refused["type"], refused["data"]["reason"]) == (SKIPPED, "not_manual")
    assert (kept["type"], kept["data"]["reason"]) == (SKIPPED, "keep_last")
    assert gone["type"] == DELETED


def test_an_engine_that_is_not_served_is_not_allowed(cloud: Simulator) -> None:
    with run_function({"REAPER_API_ENDPOINT": cloud.url, "HW_AUTH_TOKEN": TOKEN}) as only_taurusdb:
        data = deliver(only_taurusdb.url, event("dds")).event["data"]

    assert data["reason"] == "engine_not_allowed"
    assert cloud.calls == []


@pytest.mark.parametrize("engine", ["oracle", "RDS", 5])
def test_an_unknown_engine_is_an_invalid_event(cloud: Simulator, function: Running, engine: object) -> None:
    result = deliver(function.url, event("dds", engine=engine)).event

    assert (result["type"], result["data"]["error_code"]) == (FAILED, "INVALID_EVENT")
    assert cloud.calls == []


class TestRds:
    def test_needs_an_instance_in_the_event(self, cloud: Simulator, function: Running) -> None:
        result = deliver(function.url, event("rds", instance_id=None)).event

        assert (result["type"], result["data"]["error_code"]) == (FAILED, "INVALID_EVENT")
        assert "data.instance_id must be there with the engine rds" in result["data"]["error_msg"]
        assert cloud.calls == []

    def test_waits_while_the_backup_is_listed_as_deleting(self, cloud: Simulator, function: Running) -> None:
        deliver(function.url, event("rds"))

        reply = deliver(function.url, event("rds"))

        assert (reply.status, reply.problem["error_code"]) == (503, "UNCLEAR_BACKUP")
        assert "DELETING" in reply.problem["error_msg"]
        assert cloud.count("DELETE") == 1

    @pytest.mark.parametrize("instance_id", [OTHER_INSTANCE, "rdsin02"])
    def test_with_a_mistyped_instance_never_deletes_and_never_says_so(
        self, cloud: Simulator, function: Running, instance_id: str
    ) -> None:
        """Trap: with a mistyped instance the list is empty, too."""
        reply = deliver(function.url, event("rds", instance_id=instance_id))

        assert (reply.status, reply.problem["error_code"]) == (503, "UNCLEAR_LIST")
        assert cloud.count("DELETE") == 0

    def test_with_another_instance_that_is_there_finds_nothing_and_sends_no_delete(
        self, cloud: Simulator, function: Running
    ) -> None:
        """What remains, and what the documentation says."""
        cloud.add(backup("rds", "rds-2", instance_id=OTHER_INSTANCE))

        data = deliver(function.url, event("rds", instance_id=OTHER_INSTANCE)).event["data"]

        assert (data["already_absent"], data["absence"]) == (True, "not_listed")
        assert cloud.count("DELETE") == 0
        assert "rds-1" in ids(cloud)


class TestGeminiDb:
    def test_is_absent_only_if_neither_list_has_it(self, cloud: Simulator, function: Running) -> None:
        """Trap: the list shows one type of backup at a time."""
        cloud.add(replace(backup("geminidb"), database_tables=("db.table",)))
        cloud.fault(Fault(method="DELETE", status=202, body={"job_id": "j"}))

        reply = deliver(function.url, event("geminidb", instance_id=None))

        assert (reply.status, reply.problem["error_code"]) == (503, "NOT_PROVEN")
        assert [("type=DatabaseTable" in call.path) for call in cloud.calls if call.method == "GET"] == [False, True]

    def test_whose_deletion_fails_later_still_has_the_backup(self, cloud: Simulator, function: Running) -> None:
        cloud.add(replace(backup("geminidb"), deletion_fails=True))
        reply = deliver(function.url, event("geminidb"))
        cloud.advance(10)

        assert (reply.status, reply.problem["error_code"]) == (503, "NOT_PROVEN")
        assert "geminidb-1" in ids(cloud)


class TestDds:
    @pytest.mark.parametrize("facts", [{"deletable": False}, {"is_instance_restoring": True}], ids=str)
    def test_leaves_a_backup_that_is_in_use(
        self, cloud: Simulator, strict_function: Running, facts: dict[str, Any]
    ) -> None:
        cloud.add(replace(backup("dds"), **facts))

        data = deliver(strict_function.url, event("dds")).event["data"]

        assert data["reason"] == "in_use"
        assert cloud.count("DELETE") == 0

    @pytest.mark.parametrize(
        ("status", "code"),
        [
            (403, "DBS.200019"),  # trap: busy is 403 here
            (400, "DBS.201319"),  # a restore is using it
            (404, "DBS.200013"),  # trap: a node is missing, not the backup
            (401, "DBS.280056"),  # trap: the token is refused by 401 here
            (401, "DBS.280064"),  # permissions could not be checked
            (404, "APIGW.0101"),  # trap: the wrong host
        ],
    )
    def test_is_not_final_where_its_codes_say_so(
        self, cloud: Simulator, function: Running, status: int, code: str
    ) -> None:
        cloud.fault(Fault(method="DELETE", status=status, body={"error_code": code, "error_msg": "text"}))

        reply = deliver(function.url, event("dds", instance_id=None))

        assert (reply.status, reply.problem["error_code"]) == (503, code)

    def test_takes_another_engine_s_gone_for_what_it_means_here(self, cloud: Simulator, function: Running) -> None:
        """Trap: 280214 is "the backup does not exist" for two engines, and an invalid retention period here."""
        cloud.fault(Fault(method="DELETE", status=400, body={"error_code": "DBS.280214", "error_msg": "text"}))

        result = deliver(function.url, event("dds", instance_id=None)).event

        assert (result["type"], result["data"]["error_code"]) == (FAILED, "DBS.280214")


POLICY: Final = "version = 1\n" + "".join(
    f'[policy.{engine}]\nengine = "{engine}"\nprojects = ["{PROJECT}"]\ninstances = ["*"]\nkeep_last = 1\n'
    for engine in ENGINES
)


def test_the_planner_sweeps_all_five_in_one_run(cloud: Simulator, tmp_path: Path) -> None:
    for engine in ENGINES:
        for number in range(1, 4):
            cloud.add(backup(engine, f"{engine}-{number}", 100 - number))
    file = tmp_path / "retention.toml"
    file.write_text(POLICY)
    more: Mapping[str, str] = {"REAPER_POLICY_FILE": str(file), "REAPER_PLANNER_MODE": "sweep"}
    tick = {"specversion": "1.0", "type": "dev.backup-reaper.retention.due.v1", "source": "/t", "id": "1"}

    with run_function({**settings(cloud), **more}, target="plan_retention") as planner:
        report = deliver(planner.url, {**tick, "time": datetime.now(UTC).isoformat()}).event["data"]
        lines = [json.loads(line) for line in planner.output.splitlines() if "delivery settled" in line]

    assert report["counts"] == {
        "listed": 15,
        "not_manual": 0,
        "kept": 5,
        "expired": 10,
        "refused": 0,
        "deleted": 10,
        "left": 0,
    }
    assert ids(cloud) == {f"{engine}-3" for engine in ENGINES}
    assert sum(line["outcome"] == "deleted" for line in lines) == 10
