"""A thousand events through a real broker, while everything around them dies and comes back."""

import asyncio
import json
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import pytest

from simulator import Account, Backup, Fault, Simulator, Token
from simulator.processes import START_SECONDS, Running, run_function
from tests.conftest import TOKEN
from tests.doubles.jetstream import DEAD_LETTERS, EVENTS, RESULTS, Glue, Server, connect, read_all
from tests.facts.account import PROJECT
from tests.wire.deliverer import DELETED, FAILED, Envelope, expired_event

SEED: Final = 8
EXPIRED_BACKUPS: Final = 1000
FUNCTIONS: Final = 2
KILLS: Final = 5  # of each function
PUMPS: Final = 16
PATIENCE_SECONDS: Final = 200.0  # it takes 25 on two cores that do much else besides
OUT_OF_REACH: Final = "0" * 32

# What goes wrong with a deletion, each with a probability; what is left takes a while, as deletions do.
FAULTS: Final = (
    Fault(method="DELETE", times=3, rate=0.02, hang=True),
    *[
        Fault(method="DELETE", times=None, rate=0.02, **what)
        for what in (
            {"drop": True},
            {"drop": True, "takes_effect": True},
            {"status": 429, "body": {"error_code": "APIGW.0308"}, "headers": {"Retry-After": "1"}},
            {"status": 500, "body": {"error_code": "DBS.200005"}},
            {"status": 502, "body": "<html>", "takes_effect": True},
            {"status": 202},
        )
    ],
    Fault(method="DELETE", times=None, rate=0.5, delay=0.05, takes_effect=True),
    Fault(method="DELETE", times=None, delay=0.05),
)


class Fleet:
    """Function processes that are killed and started anew.

    Attributes:
        kills: how many there have been.
    """

    def __init__(self, settings: Mapping[str, str], size: int) -> None:
        self._settings = settings
        self._size = size
        self._stacks = [ExitStack() for _ in range(size)]
        self._up: dict[int, Running] = {}
        self._turn = 0
        self._changed = threading.Condition()
        self.kills = 0

    def __enter__(self) -> Self:
        try:
            with ThreadPoolExecutor(self._size) as threads:
                list(threads.map(self._start, range(self._size)))
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for stack in self._stacks:
            stack.close()

    def pick(self) -> str:
        """The URL of one that is up, in turns; waits until there is one."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._up, START_SECONDS)
            self._turn += 1
            return list(self._up.values())[self._turn % len(self._up)].url

    def kill(self, index: int) -> None:
        """SIGKILL for one and for its worker, in the middle of whatever they do; return when another is up."""
        with self._changed:
            victim = self._up.pop(index)
            os.killpg(victim.process.pid, signal.SIGKILL)
            self.kills += 1
        self._stacks[index].close()
        self._start(index)

    def _start(self, index: int) -> None:
        running = self._stacks[index].enter_context(run_function(self._settings))
        with self._changed:
            self._up[index] = running
            self._changed.notify_all()


@dataclass(frozen=True, slots=True)
class Work:
    """What is published, and what each event deserves."""

    deleted: list[Envelope]
    failed: list[Envelope]
    dead: list[Envelope]
    backups: list[Backup]

    @classmethod
    def prepare(cls) -> "Work":
        """A thousand backups that have expired, others that have not, and some events that nobody can carry out."""
        expired = [f"expired-{number}" for number in range(EXPIRED_BACKUPS)]
        kept = [_backup(f"kept-{number}") for number in range(200)]
        automated = [_backup(f"automated-{number}", type="auto") for number in range(5)]
        building = [_backup(f"building-{number}", status="BUILDING") for number in range(5)]
        return cls(
            deleted=[expired_event(backup_id=backup_id) for backup_id in expired],
            failed=[
                *[expired_event(backup_id=backup.id) for backup in automated],
                *[expired_event(backup_id=f"../kept-{number}") for number in range(5)],
            ],
            dead=[
                *[expired_event(backup_id=backup.id) for backup in building],  # busy for ever
                *[expired_event(backup_id=f"kept-{number}", project_id=OUT_OF_REACH) for number in range(5)],
                *[expired_event(backup_id=f"kept-{number}", type="com.example.created") for number in range(5)],
            ],
            backups=[*map(_backup, expired), *kept, *automated, *building],
        )

    @property
    def to_keep(self) -> set[str]:
        """The backups that must still be there at the end."""
        named = {event["data"]["backup_id"] for event in self.deleted}
        return {backup.id for backup in self.backups} - named


def _backup(backup_id: str, **more: Any) -> Backup:
    return Backup(id=backup_id, project_id=PROJECT, instance_id="an-instance", **more)


async def at_moments(moments: list[int], glue: Glue, act: Callable[[], None]) -> None:
    """Act whenever so many messages have been settled."""
    end = time.monotonic() + PATIENCE_SECONDS
    for moment in sorted(moments):
        while glue.settled < moment:
            assert time.monotonic() < end
            await asyncio.sleep(0.005)
        await asyncio.to_thread(act)


def restart(simulator: Simulator) -> None:
    """End every connection, and begin anew with the same backups."""
    simulator.stop()
    simulator.start()


@dataclass(frozen=True, slots=True)
class Run:
    """What a run has left behind."""

    glue: Glue
    seconds: float
    results: list[Envelope]
    letters: list[Envelope]


async def run_through(server: Server, fleet: Fleet, simulator: Simulator, events: list[Envelope]) -> Run:
    """Publish all events, and return when all are settled and all that was to die has died."""
    dice = random.Random(SEED)
    client = await connect(server)
    with ThreadPoolExecutor(PUMPS) as threads:
        jetstream = client.jetstream(timeout=2)
        glue = Glue(jetstream=jetstream, pick=fleet.pick, threads=threads, retry=8, backoff=0.03, timeout=5.0)
        try:
            began = time.monotonic()
            await glue.start(PUMPS)
            await asyncio.gather(*[jetstream.publish(EVENTS, json.dumps(event).encode()) for event in events])
            ends: list[tuple[list[int], Callable[[], None]]] = [
                *[(dice.sample(range(20, 900), KILLS), partial(fleet.kill, index)) for index in range(FUNCTIONS)],
                ([dice.randrange(100, 400)], partial(restart, simulator)),
                ([dice.randrange(500, 800)], server.restart),
            ]
            await asyncio.gather(*[at_moments(moments, glue, act) for moments, act in ends])
            while not await glue.is_idle():
                assert time.monotonic() < began + PATIENCE_SECONDS, (client.is_connected, glue)
                await asyncio.sleep(0.05)
            seconds = time.monotonic() - began
            return Run(glue, seconds, await read_all(jetstream, RESULTS), await read_all(jetstream, DEAD_LETTERS))
        finally:
            await glue.stop()
            with suppress(Exception):
                await client.close()


@pytest.mark.timeout(300)
def test_nothing_is_lost_while_functions_are_killed_and_cloud_and_broker_restart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    work = Work.prepare()
    events = [*work.deleted, *work.failed, *work.dead, *work.deleted[:20]]  # some are published twice
    random.Random(SEED).shuffle(events)
    account = Account(projects={PROJECT: "here"}, tokens=[Token(TOKEN)], backups=work.backups)
    with Simulator(account, faults=FAULTS, seed=SEED) as simulator, Server(tmp_path) as server:
        settings = {
            "REAPER_API_ENDPOINT": simulator.url,
            "HW_AUTH_TOKEN": TOKEN,
            "THREADS": str(PUMPS),
            "REAPER_DEADLINE_SECONDS": "2",
        }
        with Fleet(settings, FUNCTIONS) as fleet:
            run = asyncio.run(run_through(server, fleet, simulator, events))

        assert simulator.backup_ids(PROJECT) == work.to_keep

    ids: dict[str, set[str]] = {}
    for result in run.results:
        ids.setdefault(result["data"]["request"]["id"], set()).add(result["id"])
    assert ids.keys() == {event["id"] for event in (*work.deleted, *work.failed)}
    assert {len(of_one_event) for of_one_event in ids.values()} == {1}
    assert len(set.union(*ids.values())) == len(ids)
    types = {result["data"]["request"]["id"]: result["type"] for result in run.results}
    assert {types[event["id"]] for event in work.deleted} == {DELETED}
    assert {types[event["id"]] for event in work.failed} == {FAILED}
    letters = {letter["id"]: letter for letter in run.letters}
    assert letters.keys() == {event["id"] for event in work.dead}
    for event in work.dead:
        letter = letters[event["id"]]
        assert {name: value for name, value in letter.items() if not name.startswith("knativeerror")} == event
    assert fleet.kills == FUNCTIONS * KILLS
    assert run.glue.unanswered >= fleet.kills  # it is in the middle of deliveries that they died
    with capsys.disabled():
        print(
            f"\n{len(events)} events on NATS JetStream: {run.glue.deliveries} deliveries, of which"
            f" {run.glue.deliveries - len(events)} redeliveries and {run.glue.unanswered} without an answer;"
            f" {fleet.kills} kills, 2 restarts; {len(run.results)} results with {len(ids)} ids,"
            f" {len(letters)} events in the dead letters; {run.seconds:.1f} s"
        )
