"""Backups that a policy is applied to: of two instances, some days old."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from simulator import Backup, Simulator
from tests.facts.account import INSTANCE, PROJECT

DAY: Final = timedelta(days=1)
OTHER_INSTANCE: Final = "d2f8a6c04b1e4937a5c3e0b7f9d18264in07"
POLICY: Final = f"""
version = 1
[policy.standard]
projects = ["{PROJECT}"]
instances = ["*"]
keep_last = 2
"""


def now() -> datetime:
    return datetime.now(UTC)


def backup(name: str, age: float, **facts: Any) -> Backup:
    """A backup so many days old."""
    begun = (now() - age * DAY).strftime("%Y-%m-%dT%H:%M:%S+0000")
    usual = {"project_id": PROJECT, "instance_id": INSTANCE, "name": name, "begin_time": begun}
    return Backup(id=name, **{**usual, **facts})


def fill(simulator: Simulator) -> Simulator:
    """Four backups of one instance, of which two expire by POLICY, and two of another."""
    simulator.account.backups.clear()
    for age in (40, 30, 20, 10):
        simulator.add(backup(f"b{age}", age))
    for age in (90, 80):
        simulator.add(backup(f"o{age}", age, instance_id=OTHER_INSTANCE))
    return simulator
