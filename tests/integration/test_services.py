"""The function against each service as the simulator plays it: a backup goes, and is not said to be gone before."""

from collections.abc import Iterator
from typing import Any, Final

import pytest

from simulator import Account, Backup, Datastore, Simulator, Token
from simulator.processes import Running
from simulator.services import SERVICES
from tests.conftest import TOKEN, RunFunction
from tests.facts.account import PROJECT
from tests.wire.deliverer import DELETED, deliver, expired_event

SLOW: Final = [engine for engine, service in SERVICES.items() if service.leaving]
EACH: Final = pytest.mark.parametrize("engine", SERVICES)


@pytest.fixture(scope="module")
def cloud() -> Iterator[Simulator]:
    """All services, each with two completed backups."""
    backups = [
        Backup(
            id=f"{number}{engine}",
            project_id=PROJECT,
            instance_id=f"{engine}in00",
            datastore=Datastore(next(iter(service.datastores)), "1"),
        )
        for engine, service in SERVICES.items()
        for number in (1, 2)
    ]
    account = Account(projects={PROJECT: "cn-north-4"}, backups=backups, tokens=[Token(TOKEN)])
    with Simulator(account, services=list(SERVICES.values())) as running:
        yield running


@pytest.fixture
def function(cloud: Simulator, run: RunFunction) -> Running:
    """The function, serving all engines."""
    cloud.reset()
    endpoints = {f"REAPER_API_ENDPOINT_{engine.upper()}": url for engine, url in cloud.urls.items()}
    return run({**endpoints, "REAPER_ENGINES": ",".join(SERVICES), "HW_AUTH_TOKEN": TOKEN})


def event(engine: str, number: int = 1, **members: object) -> Any:
    return expired_event(
        backup_id=f"{number}{engine}", members={"engine": engine, "instance_id": f"{engine}in00", **members}
    )


@EACH
def test_a_backup_is_deleted_and_the_repeat_finds_it_gone(engine: str, cloud: Simulator, function: Running) -> None:
    first = event(engine)
    replies = [deliver(function.url, first)]
    if engine in SLOW:
        assert (replies[0].status, f"1{engine}" in cloud.backup_ids(PROJECT)) == (503, True)
        cloud.advance(60)
        replies = [deliver(function.url, first)]
    replies.append(deliver(function.url, first))
    assert [reply.event["type"] for reply in replies] == [DELETED] * 2
    assert replies[1].event["data"]["already_absent"] is True
    everything = {f"{number}{name}" for name in SERVICES for number in (1, 2)}
    assert cloud.backup_ids(PROJECT) == everything - {f"1{engine}"}


@EACH
def test_a_dry_run_reads_the_service_s_list(engine: str, cloud: Simulator, function: Running) -> None:
    reply = deliver(function.url, event(engine, dry_run=True))
    assert reply.event["data"]["reason"] == "dry_run"
    assert [call.method for call in cloud.calls if call.method != "GET"] == []


@pytest.mark.parametrize("engine", SLOW)
def test_a_deletion_that_fails_later_is_never_said_to_have_happened(
    engine: str, cloud: Simulator, function: Running
) -> None:
    backup = next(backup for backup in cloud.backups(PROJECT) if backup.id == f"1{engine}")
    cloud.add(Backup(**{name: getattr(backup, name) for name in backup.__slots__} | {"deletion_fails": True}))
    statuses = []
    for _ in range(3):
        statuses.append(deliver(function.url, event(engine)).status)
        cloud.advance(60)
    assert statuses == [503] * 3
    assert f"1{engine}" in cloud.backup_ids(PROJECT)
