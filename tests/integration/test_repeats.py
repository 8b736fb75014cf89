"""Events that come more than once, at once, to an API that drops, throttles and breaks."""

import random
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Final

import pytest

from simulator import Fault, Simulator
from simulator.processes import Running
from tests.facts.account import BACKUP, PROJECT
from tests.wire.deliverer import DELETED, Reply, deliver, expired_event

EVENTS: Final = 200
TRIES: Final = 40
RETRIED: Final = (429, 500, 503)  # of what a broker retries, the function answers these


def deliver_until_final(url: str, event: Mapping[str, Any], pause: random.Random) -> Reply:
    """As a broker does: again after anything that is not final, with a short back-off."""
    for _ in range(TRIES):
        reply = deliver(url, dict(event))
        if reply.status not in RETRIED:
            return reply
        time.sleep(pause.uniform(0.001, 0.02))
    raise AssertionError(f"not final after {TRIES} tries: {reply}")


def test_of_events_delivered_twice_at_once_through_a_storm_each_ends_as_deleted_with_one_id(
    simulator: Simulator, function: Running
) -> None:
    named = [f"storm-{number}" for number in range(EVENTS)]
    (page_example,) = (backup for backup in simulator.backups(PROJECT) if backup.id == BACKUP)
    for backup_id in named:
        simulator.add(replace(page_example, id=backup_id))
    others = simulator.backup_ids(PROJECT) - set(named)
    for fault in (
        Fault(method="DELETE", times=None, rate=0.1, drop=True),
        Fault(method="DELETE", times=None, rate=0.1, drop=True, takes_effect=True),
        Fault(method="DELETE", times=None, rate=0.1, status=429, headers={"Retry-After": "0"}, body={}),
        Fault(method="DELETE", times=None, rate=0.1, status=500, body={"error_code": "DBS.200005", "error_msg": "…"}),
        Fault(method="GET", times=None, rate=0.2, status=503, body="<html>"),
    ):
        simulator.fault(fault)
    events = [expired_event(backup_id=backup_id) for backup_id in named]
    deliveries = [event for event in events for _ in range(2)]
    random.Random(1).shuffle(deliveries)

    with ThreadPoolExecutor(16) as pool:
        pauses = [random.Random(number) for number in range(len(deliveries))]
        replies = list(
            pool.map(lambda pair: deliver_until_final(function.url, *pair), zip(deliveries, pauses, strict=True))
        )

    assert simulator.backup_ids(PROJECT) == others
    results: dict[str, set[tuple[str, str]]] = {}
    for event, reply in zip(deliveries, replies, strict=True):
        results.setdefault(event["id"], set()).add((reply.event["type"], reply.event["id"]))
    assert {len(pairs) for pairs in results.values()} == {1}
    assert {result_type for pairs in results.values() for result_type, _ in pairs} == {DELETED}
    assert len({pairs.pop()[1] for pairs in results.values()}) == EVENTS


@pytest.mark.parametrize("copies", [2, 8])
def test_a_duplicate_that_runs_at_the_same_time_is_harmless(
    simulator: Simulator, function: Running, copies: int
) -> None:
    event = expired_event()
    others = simulator.backup_ids(PROJECT) - {BACKUP}
    together = threading.Barrier(copies)

    def deliver_together(_: int) -> Reply:
        together.wait()
        return deliver(function.url, event)

    with ThreadPoolExecutor(copies) as pool:
        replies = list(pool.map(deliver_together, range(copies)))

    assert simulator.backup_ids(PROJECT) == others
    assert {reply.event["id"] for reply in replies} == {replies[0].event["id"]}
    assert sum(not reply.event["data"]["already_absent"] for reply in replies) == 1
