"""The planner over real sockets: a tick in, the lists of the account, what the mode asks for, a report out."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from function.events.planning import DUE, PLANNED
from simulator import Backup, Simulator
from simulator.processes import Running, run_function
from tests.deliverer import PROJECT, Envelope, deliver

INSTANCE, OTHER_INSTANCE = "6ab7e0f13c5d4e2f8a90b1c2d3e4f506in07", "d2f8a6c04b1e4937a5c3e0b7f9d18264in07"
DAY: Final = timedelta(days=1)
POLICY: Final = f"""
version = 1
[policy.standard]
projects = ["{PROJECT}"]
instances = ["*"]
keep_last = 2
"""


def now() -> datetime:
    return datetime.now(UTC)


def tick(**attributes: object) -> Envelope:
    """A tick as the small deployment sends it."""
    envelope = {"specversion": "1.0", "type": DUE, "source": "/timers/daily", "id": "t1", "time": now().isoformat()}
    return {name: value for name, value in {**envelope, **attributes}.items() if value is not None}


def backup(name: str, age: float, **facts: Any) -> Backup:
    begun = (now() - age * DAY).strftime("%Y-%m-%dT%H:%M:%S+0000")
    usual = {"project_id": PROJECT, "instance_id": INSTANCE, "name": name, "begin_time": begun}
    return Backup(id=name, **{**usual, **facts})


@pytest.fixture
def account(simulator: Simulator) -> Simulator:
    """Four backups of one instance, of which two expire, and two of another."""
    simulator.account.backups.clear()
    for age in (40, 30, 20, 10):
        simulator.add(backup(f"b{age}", age))
    for age in (90, 80):
        simulator.add(backup(f"o{age}", age, instance_id=OTHER_INSTANCE))
    return simulator


Plan = Callable[..., Running]


@pytest.fixture
def planner(tmp_path: Path, settings: Mapping[str, str]) -> Iterator[Plan]:
    """Starts the planner with more settings, and a policy."""
    with ExitStack() as stack:

        def start(policy: str = POLICY, **more: str) -> Running:
            file = tmp_path / "retention.toml"
            file.write_text(policy)
            env = {**settings, "REAPER_POLICY_FILE": str(file), **more}
            return stack.enter_context(run_function(env, target="plan_retention"))

        yield start


def test_a_report_tells_what_would_expire_and_changes_nothing(account: Simulator, planner: Plan) -> None:
    before = account.backup_ids(PROJECT)

    report = deliver(planner().url, tick()).event

    assert report["type"] == PLANNED
    assert report["data"]["mode"] == "report"
    assert [each["backup_id"] for each in report["data"]["expired"]] == ["b40", "b30"]
    counts = report["data"]["counts"]
    assert counts == {"listed": 6, "not_manual": 0, "kept": 4, "expired": 2, "refused": 0, "left": 0}
    assert account.backup_ids(PROJECT) == before
    assert account.count("DELETE") == 0


def test_a_sweep_deletes_what_has_expired_and_nothing_else(account: Simulator, planner: Plan) -> None:
    running = planner(REAPER_PLANNER_MODE="sweep")

    report = deliver(running.url, tick()).event

    assert account.backup_ids(PROJECT) == {"b20", "b10", "o90", "o80"}
    assert report["data"]["counts"]["deleted"] == 2
    lines = [json.loads(line) for line in running.output.splitlines() if "delivery settled" in line]
    assert [line.get("backup.id") for line in lines] == ["b40", "b30", None]
    again = deliver(running.url, tick(id="t2")).event
    assert again["data"]["expired"] == []
