"""The planner over real sockets: a tick in, the lists of the account, what the mode asks for, a report out."""

import json
import random
import zlib
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from function.events.contract import DELETED, EXPIRED
from function.events.planning import DUE, PING, PLANNED
from function.tally import MAX_REPORTED
from simulator import Fault, Simulator
from simulator.processes import Running
from tests.conftest import MEASURED, RunFunction
from tests.facts.account import INSTANCE, PROJECT
from tests.facts.event_schemas import schema_faults
from tests.facts.retained import OTHER_INSTANCE, POLICY, backup, fill, now
from tests.integration.conftest import ACCEPT
from tests.wire.deliverer import Envelope, deliver, send

TROUBLES: Final[list[dict[str, Any]]] = [
    {"drop": True},
    {"drop": True, "takes_effect": True},
    {"status": 500},
    {"status": 500, "takes_effect": True},
    {"status": 429},
    {"status": 503},
    {"status": 404, "body": "<html>"},
]


def tick(**attributes: object) -> Envelope:
    """A tick as the small deployment sends it."""
    envelope = {"specversion": "1.0", "type": DUE, "source": "/timers/daily", "id": "t1", "time": now().isoformat()}
    return {name: value for name, value in {**envelope, **attributes}.items() if value is not None}


@pytest.fixture
def account(simulator: Simulator) -> Simulator:
    """Four backups of one instance, of which two expire, and two of another."""
    return fill(simulator)


Plan = Callable[..., Running]


@pytest.fixture(scope="session")
def policies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a file for each policy, so that tests of one policy can share a planner."""
    return tmp_path_factory.mktemp("policies")


@pytest.fixture
def planner(run: RunFunction, policies: Path, settings: Mapping[str, str]) -> Plan:
    """Runs the planner with more settings, and a policy."""

    def run_planner(policy: str = POLICY, **more: str) -> Running:
        file = policies / f"{zlib.crc32(policy.encode())}.toml"
        file.write_text(policy)
        return run({**settings, **MEASURED, "REAPER_POLICY_FILE": str(file), **more}, target="plan_retention")

    return run_planner


def published(sink: Simulator) -> list[Envelope]:
    return [json.loads(call.body) for call in sink.calls]


def settle(running: Running, event: Envelope) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Deliver a tick: what its report holds, and the canonical lines that it made."""
    before = len(running.output)
    data = deliver(running.url, event).event["data"]
    return data, [json.loads(line) for line in running.output[before:].splitlines() if "delivery settled" in line]


class TestATick:
    def test_of_knative_s_ping_source_asks_for_a_plan(self, account: Simulator, planner: Plan) -> None:
        report = deliver(planner().url, tick(type=PING, source="/apis/v1/namespaces/n/pingsources/p")).event

        assert report["type"] == PLANNED
        assert report["data"]["request"]["type"] == PING

    @pytest.mark.parametrize("event_type", ["com.example.other", EXPIRED, PLANNED, DELETED])
    def test_of_another_type_is_refused(self, account: Simulator, planner: Plan, event_type: str) -> None:
        reply = deliver(planner().url, tick(type=event_type))

        assert (reply.status, reply.problem["error_code"]) == (400, "NOT_AN_EVENT")
        assert account.calls == []

    @pytest.mark.parametrize("age", [None, timedelta(minutes=61)])
    def test_that_is_old_or_has_no_time_plans_nothing(
        self, account: Simulator, planner: Plan, age: timedelta | None
    ) -> None:
        time = age and (now() - age).isoformat()

        report = deliver(planner(REAPER_PLANNER_MODE="sweep").url, tick(time=time)).event

        assert (report["data"]["skipped"], report["data"]["mode"]) == ("stale_tick", "sweep")
        assert account.count("DELETE") == 0

    def test_that_has_expired_plans_nothing(self, account: Simulator, planner: Plan) -> None:
        running = planner(REAPER_PLANNER_MODE="sweep")

        report = deliver(running.url, tick(expirytime=(now() - timedelta(seconds=1)).isoformat())).event

        assert (report["data"]["skipped"], account.count("DELETE")) == ("stale_tick", 0)
        assert schema_faults(report) == []

    @pytest.mark.parametrize("expiry", ["tomorrow", "", 5, True])
    def test_with_an_expiry_that_cannot_be_read_is_refused(
        self, account: Simulator, planner: Plan, expiry: object
    ) -> None:
        reply = deliver(planner(REAPER_PLANNER_MODE="sweep").url, tick(expirytime=expiry))

        assert (reply.status, reply.problem["error_code"]) == (400, "NOT_AN_EVENT")
        assert reply.problem["error_msg"] == "expirytime is not an RFC 3339 timestamp"
        assert account.calls == []

    def test_that_is_old_only_by_our_clock_is_not_final(self, account: Simulator, planner: Plan) -> None:
        account.advance(-7200)

        reply = deliver(planner(REAPER_PLANNER_MODE="sweep").url, tick(time=(now() - timedelta(hours=2)).isoformat()))

        assert (reply.status, reply.problem["error_code"]) == (503, "CLOCK_OFF")
        assert account.count("DELETE") == 0

    def test_that_is_ahead_of_our_clock_is_not_final(self, account: Simulator, planner: Plan) -> None:
        ahead = (now() + timedelta(minutes=6)).isoformat()

        reply = deliver(planner(REAPER_PLANNER_MODE="sweep").url, tick(time=ahead))

        assert (reply.status, reply.problem["error_code"]) == (503, "CLOCK_AHEAD")
        assert account.calls == []

    def test_is_not_carried_out_with_a_clock_that_is_off(self, account: Simulator, planner: Plan) -> None:
        account.advance(600)

        reply = deliver(planner(REAPER_PLANNER_MODE="sweep").url, tick())

        assert (reply.status, reply.problem["error_code"]) == (503, "CLOCK_OFF")
        assert account.count("DELETE") == 0

    @pytest.mark.parametrize("data", [{"dry_run": True}, {"dry_run": True, "anything": "else"}])
    def test_can_ask_for_a_dry_run(self, account: Simulator, planner: Plan, data: object) -> None:
        report = deliver(planner(REAPER_PLANNER_MODE="sweep").url, tick(data=data)).event

        assert report["data"]["mode"] == "report"
        assert account.count("DELETE") == 0

    @pytest.mark.parametrize(
        "wrong",
        [
            {"data": {"dryRun": True}},
            {"data": {"dry_rum": True}},
            {"data": {"dry_run": "true"}},
            {"dryrun": True},
            {"dryrunn": "true"},
            {"data": '{"dry_run": true}'},
            {"data": [{"dry_run": True}]},
            {"data_base64": "eyJkcnlfcnVuIjogdHJ1ZQ=="},
        ],
        ids=str,
    )
    def test_with_a_misspelt_dry_run_deletes_nothing(
        self, account: Simulator, planner: Plan, wrong: Mapping[str, object]
    ) -> None:
        reply = deliver(planner(REAPER_PLANNER_MODE="sweep").url, tick(**wrong))

        assert reply.status == 400
        assert "dry_run" in reply.problem["error_msg"]
        assert account.calls == []

    @pytest.mark.parametrize("wrong", [{"expirytme": "2020-01-01T00:00:00Z"}, {"data": {"expiryTime": "x"}}], ids=str)
    def test_with_a_misspelt_expiry_deletes_nothing(
        self, account: Simulator, planner: Plan, wrong: Mapping[str, object]
    ) -> None:
        reply = deliver(planner(REAPER_PLANNER_MODE="sweep").url, tick(**wrong))

        assert reply.status == 400
        assert "expirytime" in reply.problem["error_msg"]
        assert account.calls == []

    def test_waits_while_the_planner_is_paused(self, account: Simulator, planner: Plan) -> None:
        reply = deliver(planner(REAPER_PLANNER_MODE="sweep", REAPER_PAUSED="true").url, tick())

        assert (reply.status, reply.problem["error_code"]) == (503, "PAUSED")
        assert account.calls == []

    def test_leaves_probes_to_be_answered(self, planner: Plan) -> None:
        assert send(planner().url, method="GET", path="/health").status == 200


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


class TestAList:
    @pytest.mark.parametrize("mode", ["report", "publish", "sweep"])
    @pytest.mark.parametrize(
        "body",
        [
            {"backups": [], "total_count": None},
            {"backups": [], "total_count": 0, "error_code": "DBS.200010"},
            {"backups": [{"name": "without an id"}], "total_count": 1},
            "<html>",
        ],
        ids=str,
    )
    def test_that_is_not_of_the_documented_form_ends_the_run(
        self, account: Simulator, sink: Simulator, planner: Plan, mode: str, body: object
    ) -> None:
        account.fault(Fault(method="GET", path="offset=0", status=200, body=body))

        reply = deliver(planner(REAPER_PLANNER_MODE=mode, K_SINK=f"{sink.url}/sink").url, tick())

        assert (reply.status, reply.problem["error_code"]) == (503, "UNCLEAR_LIST")
        assert sink.calls == []
        assert account.count("DELETE") == 0

    def test_of_several_pages_is_read_whole(self, account: Simulator, planner: Plan) -> None:
        for number in range(250):
            account.add(backup(f"more-{number}", 100 + number, instance_id=OTHER_INSTANCE))

        report = deliver(planner(POLICY + "[limits]\nmax_expired = 300\n").url, tick()).event

        assert report["data"]["counts"]["listed"] == 256
        assert report["data"]["counts"]["expired"] == 252
        assert len(report["data"]["expired"]) == MAX_REPORTED
        assert report["data"]["truncated"] is True

    def test_that_moves_is_read_once_more_and_flagged_if_it_moves_again(
        self, account: Simulator, planner: Plan
    ) -> None:
        items = [{name: value for name, value in backup("b20", 20).to_json().items() if name != "project_id"}]
        moving = [
            Fault(method="GET", path="offset=0&", status=200, body={"backups": items, "total_count": count})
            for count in (6, 5)
        ]
        account.fault(*moving)

        data = deliver(planner(REAPER_PLANNER_MODE="sweep").url, tick()).event["data"]

        assert data["list_moved"] is True
        assert {each["backup_id"] for each in data["expired"]} <= {"b40", "b30"}  # what is missing expires no other
        assert account.faults.left() == []

    @pytest.mark.parametrize("mode", ["publish", "sweep"])
    def test_that_is_shorter_than_its_count_ends_a_run_that_acts(
        self, account: Simulator, sink: Simulator, planner: Plan, mode: str
    ) -> None:
        """Of the 100 on the first page, 99 would expire, which the limit allows; of all 126 it would be 125."""
        account.account.backups.clear()
        for number in range(126):
            account.add(backup(f"n{number}", 10 + number))
        policy = POLICY.replace("keep_last = 2", "keep_last = 1") + "[limits]\nmax_expired = 110\n"
        empty = {"backups": [], "total_count": 126}
        account.fault(Fault(method="GET", path="offset=100&", status=200, body=empty, times=None))

        reply = deliver(planner(policy, REAPER_PLANNER_MODE=mode, K_SINK=f"{sink.url}/sink").url, tick())

        assert (reply.status, reply.problem["error_code"]) == (503, "UNCLEAR_LIST")
        assert "is shorter than its count" in reply.problem["error_msg"]
        assert sink.calls == []
        assert account.count("DELETE") == 0


class TestPublish:
    def publisher(self, planner: Plan, sink: Simulator) -> Running:
        return planner(REAPER_PLANNER_MODE="publish", K_SINK=f"{sink.url}/sink")

    def test_hands_over_one_event_for_each_expired_backup_oldest_first(
        self, account: Simulator, sink: Simulator, planner: Plan
    ) -> None:
        time = now()

        reply = deliver(self.publisher(planner, sink).url, tick(time=time.isoformat()))

        assert (reply.status, reply.body) == (204, b"")
        *events, report = published(sink)
        assert [event["subject"] for event in events] == ["b40", "b30"]
        assert (report["type"], report["data"]["counts"]["published"]) == (PLANNED, 2)
        event = events[0]
        assert schema_faults(event) == []
        assert event["type"] == EXPIRED
        assert event["source"] == "/backup-reaper/planner"
        assert event["causationid"] == "t1"
        assert event["partitionkey"] == INSTANCE
        assert datetime.fromisoformat(event["time"]) == time
        assert datetime.fromisoformat(event["expirytime"]) == time + timedelta(hours=12)
        assert event["data"] == {
            "project_id": PROJECT,
            "instance_id": INSTANCE,
            "backup_id": "b40",
            "policy": "standard",
            "reason": "no_rule",
        }
        assert account.count("DELETE") == 0

    def test_of_the_same_tick_again_has_the_same_ids_and_of_another_others(
        self, account: Simulator, sink: Simulator, planner: Plan
    ) -> None:
        url, first = self.publisher(planner, sink).url, tick()

        for each in (first, first, {**first, "id": "t2"}):
            assert deliver(url, each).status == 204

        ids = [event["id"] for event in published(sink)]
        assert ids[:3] == ids[3:6]
        assert not set(ids[:3]) & set(ids[6:])

    def test_that_is_refused_in_the_middle_comes_again_with_the_same_ids(
        self, account: Simulator, sink: Simulator, planner: Plan
    ) -> None:
        sink.faults.replace([Fault(path="^/sink", status=202), Fault(path="^/sink", status=500), ACCEPT])
        url, event = self.publisher(planner, sink).url, tick()

        reply = deliver(url, event)
        assert (reply.status, reply.problem["error_code"]) == (503, "SINK_REFUSED")
        assert deliver(url, event).status == 204

        ids = [event["id"] for event in published(sink)]
        assert len(ids) == 5
        assert ids[:2] == ids[2:4]

    def test_closes_the_loop_with_the_reaper(
        self, account: Simulator, sink: Simulator, planner: Plan, function: Running
    ) -> None:
        url = self.publisher(planner, sink).url
        deliver(url, tick())

        results = [deliver(function.url, event).event for event in published(sink)[:-1]]

        assert [result["type"] for result in results] == [DELETED, DELETED]
        assert account.backup_ids(PROJECT) == {"b20", "b10", "o90", "o80"}
        deliver(url, tick(id="t2"))
        assert published(sink)[-1]["data"]["expired"] == []

    def test_without_a_sink_does_not_start(self, planner: Plan) -> None:
        with pytest.raises(RuntimeError, match="REAPER_PLANNER_MODE=publish needs K_SINK"):
            planner(REAPER_PLANNER_MODE="publish")


class TestSweep:
    def test_sends_a_result_for_each_deletion_and_the_report(
        self, account: Simulator, sink: Simulator, planner: Plan
    ) -> None:
        running = planner(REAPER_PLANNER_MODE="sweep", K_SINK=f"{sink.url}/sink")

        assert deliver(running.url, tick()).status == 204

        *results, report = published(sink)
        assert [(result["type"], result["subject"]) for result in results] == [(DELETED, "b40"), (DELETED, "b30")]
        assert all(schema_faults(event) == [] for event in published(sink))
        assert report["data"]["counts"]["deleted"] == 2

    def test_obeys_the_reaper_s_guards(self, account: Simulator, planner: Plan) -> None:
        """A plan that has become old, or a policy that is too short, still deletes nothing wrong."""
        running = planner(REAPER_PLANNER_MODE="sweep", REAPER_KEEP_LAST="3", REAPER_HOLD_WORDS="b40")

        data, lines = settle(running, tick())

        assert data["counts"]["skipped"] == 2
        assert account.backup_ids(PROJECT) == {"b40", "b30", "b20", "b10", "o90", "o80"}
        assert [line.get("reason") for line in lines] == ["on_hold", "keep_last", None]

    def test_looks_again_for_what_got_no_answer(self, account: Simulator, planner: Plan) -> None:
        account.fault(Fault(method="DELETE", path="b40", drop=True, takes_effect=True))

        data, lines = settle(planner(REAPER_PLANNER_MODE="sweep"), tick())

        assert (data["counts"]["deleted"], data["counts"]["left"], data["left"]) == (2, 0, [])
        assert [line.get("backup.id") for line in lines] == ["b40", "b30", "b40", None]

    def test_leaves_to_the_next_tick_what_has_no_outcome(self, account: Simulator, planner: Plan) -> None:
        account.fault(Fault(method="DELETE", path="b40", status=429))
        running = planner(REAPER_PLANNER_MODE="sweep")

        data = deliver(running.url, tick()).event["data"]

        assert (data["counts"]["deleted"], data["counts"]["left"]) == (1, 1)
        assert [each["backup_id"] for each in data["left"]] == ["b40"]
        assert deliver(running.url, tick(id="t2")).event["data"]["counts"]["deleted"] == 1
        assert account.backup_ids(PROJECT) == {"b20", "b10", "o90", "o80"}

    def test_ends_where_an_operator_must_act(self, account: Simulator, planner: Plan) -> None:
        account.fault(Fault(method="DELETE", times=None, status=403, body={"error_code": "DBS.200010"}))
        running = planner(REAPER_PLANNER_MODE="sweep")

        data = deliver(running.url, tick()).event["data"]

        assert (data["counts"]["left"], account.count("DELETE")) == (2, 1)
        assert data["stopped"].startswith("DBS.200010")

    def test_ends_where_the_sink_does_not_take_results(
        self, account: Simulator, sink: Simulator, planner: Plan
    ) -> None:
        sink.faults.replace([Fault(path="^/sink", status=500, times=None)])
        short = {"REAPER_DEADLINE_SECONDS": "1", "REAPER_PLAN_DEADLINE_SECONDS": "4"}
        running = planner(REAPER_PLANNER_MODE="sweep", K_SINK=f"{sink.url}/sink", **short)

        reply = deliver(running.url, tick())

        assert (reply.status, reply.problem["error_code"]) == (503, "SINK_REFUSED")
        assert account.backup_ids(PROJECT) == {"b30", "b20", "b10", "o90", "o80"}  # no second one without a result

    def test_stops_in_time_and_says_what_it_left(self, account: Simulator, planner: Plan) -> None:
        for number in range(6):
            account.add(backup(f"older-{number}", 100 + number))
        account.fault(Fault(method="DELETE", times=None, delay=1.0))
        running = planner(REAPER_PLANNER_MODE="sweep", REAPER_PLAN_DEADLINE_SECONDS="7", REAPER_DEADLINE_SECONDS="2")

        reply = deliver(running.url, tick())

        assert reply.seconds < 9
        data = reply.event["data"]
        assert 0 < data["counts"]["deleted"] < 8
        assert data["counts"]["deleted"] + data["counts"]["left"] == 8
        assert data["stopped"] == "the time for this run is over"


class TestLimits:
    POLICY: Final = POLICY + "[limits]\nmax_expired = 1\n"

    def test_stop_one_instance_while_the_others_go_on(self, account: Simulator, planner: Plan) -> None:
        account.add(backup("o99", 99, instance_id=OTHER_INSTANCE))

        data = deliver(planner(self.POLICY, REAPER_PLANNER_MODE="sweep").url, tick()).event["data"]

        outcomes = {group["instance_id"]: (group["outcome"], group.get("remedy")) for group in data["groups"]}
        assert outcomes == {
            INSTANCE: ("refused: over_max_expired", "max_expired = 2"),
            OTHER_INSTANCE: ("planned", None),
        }
        assert (data["counts"]["refused"], data["counts"]["deleted"]) == (2, 1)
        assert account.backup_ids(PROJECT) == {"b40", "b30", "b20", "b10", "o90", "o80"}


class TestAPolicyFile:
    @pytest.mark.parametrize(
        ("policy", "says"),
        [
            ("", "policy"),
            ("version = 1\n[policy.a]\n", "keep_last"),
            (POLICY.replace("keep_last = 2", "keep_last = 0"), "policy.standard.keep_last"),
            (POLICY + "keep_dayly = 1\n", "keep_daily"),
            ("not toml", "TOML"),
        ],
    )
    def test_that_is_wrong_stops_the_start(self, planner: Plan, policy: str, says: str) -> None:
        with pytest.raises(RuntimeError, match="exit 1 at start") as raised:
            planner(policy)

        assert says in str(raised.value)
        assert "Traceback" not in str(raised.value)

    def test_that_is_not_there_stops_the_start(self, planner: Plan) -> None:
        with pytest.raises(RuntimeError, match="REAPER_POLICY_FILE /nowhere cannot be read: No such file"):
            planner(REAPER_POLICY_FILE="/nowhere")


@pytest.mark.parametrize("seed", range(3))
def test_whatever_fails_on_the_way_ticks_sweep_what_the_plan_named_and_nothing_else(
    account: Simulator, planner: Plan, sink: Simulator, seed: int
) -> None:
    """Connections drop, the API throttles and fails; ticks are repeated until nothing expires any more."""
    for number in range(30):
        account.add(backup(f"n{number}", 50 + number, instance_id=(INSTANCE, OTHER_INSTANCE)[number % 2]))
    running = planner(
        POLICY + "[limits]\nmax_expired = 100\n",
        REAPER_PLANNER_MODE="sweep",
        REAPER_KEEP_LAST="2",
        K_SINK=f"{sink.url}/sink",
        REAPER_DEADLINE_SECONDS="2",
        REAPER_PLAN_DEADLINE_SECONDS="20",
    )
    before = account.backup_ids(PROJECT)
    named: set[str] = set()
    for number in range(40):
        trouble = random.Random(seed * 100 + number).choice(TROUBLES)
        account.faults.replace(
            [
                Fault(method="GET", rate=0.1, times=None, **trouble),
                Fault(method="DELETE", rate=0.4, times=None, **trouble),
            ]
        )
        reply = deliver(running.url, tick(id=f"t{number}"))
        assert reply.status in (204, 429, 503)
        if reply.status == 204:
            report = published(sink)[-1]["data"]
            named |= {each["backup_id"] for each in report["expired"]}
            if not report["expired"]:
                break
    else:
        pytest.fail("something expires for ever")

    left = account.backup_ids(PROJECT)
    assert before - left == named
    assert left == {"b20", "b10", "n1", "n3"}
    told = {event["subject"] for event in published(sink) if event["type"] == DELETED}
    assert told == named


def test_a_sweep_deletes_what_has_expired_and_nothing_else(account: Simulator, planner: Plan) -> None:
    running = planner(REAPER_PLANNER_MODE="sweep")

    data, lines = settle(running, tick())

    assert account.backup_ids(PROJECT) == {"b20", "b10", "o90", "o80"}
    assert data["counts"]["deleted"] == 2
    assert [line.get("backup.id") for line in lines] == ["b40", "b30", None]
    again = deliver(running.url, tick(id="t2")).event
    assert again["data"]["expired"] == []
