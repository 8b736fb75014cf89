"""Every file in events/ does what its name says: `<order>-<case>.<answer>.json`."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import pytest

from function.events.contract import RESULT_TYPES
from simulator import Simulator
from simulator.processes import ROOT
from tests.conftest import TOKEN, RunFunction
from tests.facts.account import BACKUP, PROJECT
from tests.wire.deliverer import DELETED, FAILED, SKIPPED, STRUCTURED, Reply, send

SAMPLES: Final = sorted((ROOT / "events").glob("*.json"))
RESULTS: Final = sorted((ROOT / "events" / "results").glob("*.json"))
NAME: Final = re.compile(
    r"\d\d-[a-z0-9-]+\.(deleted|deleted\.already_absent|skipped\.[a-z_]+|failed\.[A-Z0-9_.]+|[45]\d\d\.[A-Z0-9_.]+)\.json"
)
each_sample = pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
each_result = pytest.mark.parametrize("result", RESULTS, ids=lambda path: path.stem)


@dataclass(frozen=True, slots=True)
class Walk:
    """All samples delivered, in the order of their names."""

    replies: Mapping[str, Reply]
    gone: frozenset[str]


@pytest.fixture(scope="module")
def walk(run: RunFunction, lasting_simulator: Simulator) -> Walk:
    lasting_simulator.reset()
    function = run({"REAPER_API_ENDPOINT": lasting_simulator.url, "HW_AUTH_TOKEN": TOKEN, "THREADS": "16"})
    before = set(lasting_simulator.account.backups)
    headers = {"Content-Type": STRUCTURED}
    replies = {path.name: send(function.url, path.read_bytes(), headers=headers) for path in SAMPLES}
    return Walk(replies, frozenset(before - set(lasting_simulator.account.backups)))


def answer(sample: Path) -> str:
    return sample.stem.partition(".")[2]


@each_sample
def test_the_name_of_a_sample_says_what_is_answered(sample: Path) -> None:
    assert NAME.fullmatch(sample.name)


def test_the_samples_begin_with_the_api_pages_own_example() -> None:
    event = json.loads(SAMPLES[0].read_bytes())
    assert answer(SAMPLES[0]) == "deleted"
    assert event["data"] == {"project_id": PROJECT, "backup_id": BACKUP}


@each_sample
def test_a_sample_is_answered_as_its_name_says(sample: Path, walk: Walk) -> None:
    reply = walk.replies[sample.name]
    match answer(sample).split(".", 1):
        case ["deleted"]:
            assert (reply.event["type"], reply.event["data"]["already_absent"]) == (DELETED, False)
        case ["deleted", "already_absent"]:
            assert (reply.event["type"], reply.event["data"]["already_absent"]) == (DELETED, True)
        case ["skipped", reason]:
            assert (reply.event["type"], reply.event["data"]["reason"]) == (SKIPPED, reason)
        case ["failed", error_code]:
            assert (reply.event["type"], reply.event["data"]["error_code"]) == (FAILED, error_code)
        case [status, error_code]:
            assert (str(reply.status), reply.problem["error_code"]) == (status, error_code)


def test_only_what_a_name_calls_deleted_is_gone(walk: Walk) -> None:
    deleted = [json.loads(sample.read_bytes()) for sample in SAMPLES if answer(sample) == "deleted"]
    assert walk.gone == {event["data"]["backup_id"] for event in deleted}


def test_the_second_sample_is_the_first_again_and_yields_the_same_result_id(walk: Walk) -> None:
    first, second = SAMPLES[:2]
    assert first.read_bytes() == second.read_bytes()
    assert walk.replies[first.name].event["id"] == walk.replies[second.name].event["id"]


def test_there_is_a_result_of_each_type() -> None:
    assert {json.loads(result.read_bytes())["type"] for result in RESULTS} == RESULT_TYPES


@each_result
def test_a_result_is_what_the_function_emits_for_the_sample_of_that_name(result: Path, walk: Walk) -> None:
    shown, emitted = json.loads(result.read_bytes()), walk.replies[result.name].event
    assert datetime.fromisoformat(emitted["time"]) > datetime.fromisoformat(shown["time"])
    emitted["time"] = shown["time"]
    if "request_id" in shown["data"]:  # the API makes one up for every request
        assert emitted["data"]["request_id"]
        emitted["data"]["request_id"] = shown["data"]["request_id"]
    assert emitted == shown
