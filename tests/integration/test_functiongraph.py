"""The reaper on FunctionGraph: the real function, called by the platform's double, against the simulator."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest

from function.events.planning import PLANNED
from simulator import AccessKey, Backup, Fault, Simulator
from simulator.eventgrid import handed_on, nothing_taken
from simulator.functiongraph import FunctionGraph, Run, key_headers, timer_event
from simulator.processes import Running, run_function
from tests.conftest import MEASURED, TOKEN, RunFunction
from tests.facts.account import BACKUP, INSTANCE, PROJECT
from tests.facts.event_schemas import schema_faults
from tests.wire.deliverer import DELETED, EXPIRED, FAILED, SKIPPED, expired_event, send

KEY: Final = "DEMOAGENCYKEY0000001"
CHANNEL: Final = "7f1e5c1e-8f0a-4c43-9a55-0d8b5a4c9e01"
RESULTS: Final = "backup-reaper-results"


@pytest.fixture
def settings(simulator: Simulator) -> dict[str, str]:
    """What the function is configured with: no credential."""
    return {"REAPER_PLATFORM": "functiongraph", "REAPER_API_ENDPOINT": simulator.url, "THREADS": "3", **MEASURED}


def with_channel(simulator: Simulator) -> dict[str, str]:
    """Besides, where results go."""
    return {
        "REAPER_EVENTGRID_ENDPOINT": simulator.url,
        "REAPER_EVENTGRID_CHANNEL_ID": CHANNEL,
        "REAPER_EVENTGRID_SOURCE": RESULTS,
    }


@pytest.fixture
def platform(function: Running, simulator: Simulator) -> FunctionGraph:
    """The platform, with the agency's keys in its requests."""
    return on_platform(function, simulator)


def on_platform(function: Running, simulator: Simulator) -> FunctionGraph:
    return FunctionGraph(
        url=function.url, keys=lambda: key_headers(simulator.account.access_keys[KEY]), project_id=PROJECT
    )


def delivered(**known: Any) -> dict[str, Any]:
    """An event that asks for a deletion, as EventGrid hands it on."""
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return handed_on({**expired_event(source="backup-reaper-requests", time=now), **known})


def events(simulator: Simulator) -> list[Mapping[str, Any]]:
    return simulator.account.channels[CHANNEL].events


def whole(event: Mapping[str, Any]) -> dict[str, Any]:
    """An event with its extension attributes, which EventGrid may not keep."""
    return {**event["data"].get("extensions", {}), **event}


def problem(run: Run) -> dict[str, Any]:
    """What a failed run says."""
    body = json.loads(run.payload["body"])
    assert isinstance(body, dict)
    assert run.payload["headers"]["Content-Type"] == "application/problem+json"
    return body


class TestRun:
    def test_an_event_of_eventgrid_deletes_with_the_key_of_its_request(
        self, platform: FunctionGraph, simulator: Simulator
    ) -> None:
        event = delivered()

        run = platform.invoke(event)

        assert run.failed is None
        assert run.body["type"] == DELETED
        assert run.body["data"]["request"]["id"] == event["id"]
        assert run.payload["headers"] == {"content-type": "application/cloudevents+json"}
        assert BACKUP not in simulator.backup_ids(PROJECT)
        [call] = simulator.calls
        assert f"Access={KEY}," in call.headers["Authorization"]
        assert call.headers["X-Security-Token"] == simulator.account.access_keys[KEY].security_token

    def test_the_next_run_uses_the_next_key(self, platform: FunctionGraph, simulator: Simulator) -> None:
        platform.invoke(delivered())
        # The cloud's own rotation: the old key ends, and the platform sends another.
        del simulator.account.access_keys[KEY]
        second = AccessKey("SECONDAGENCYKEY00001", "the-second-secret", "the-second-token")
        simulator.account.access_keys[second.access] = second
        platform.keys = lambda: key_headers(second)

        run = platform.invoke(delivered())

        assert (run.failed, run.body["data"]["already_absent"]) == (None, True)
        assert f"Access={second.access}," in simulator.calls[-1].headers["Authorization"]

    def test_an_old_key_is_never_used_again(self, platform: FunctionGraph, simulator: Simulator) -> None:
        assert platform.invoke(delivered(), "a-run").failed is None
        before = simulator.count()
        platform.keys = dict

        run = platform.invoke(delivered())

        assert problem(run)["error_code"] == "AGENCY_KEY_MISSING"
        assert simulator.count() == before

    @pytest.mark.parametrize("value", [None, "", "null"])
    @pytest.mark.parametrize(
        "headers",
        [
            ["X-CFF-Security-Access-Key", "X-CFF-Security-Secret-Key", "X-CFF-Security-Token"],
            ["X-CFF-Security-Access-Key"],
            ["X-CFF-Security-Secret-Key"],
            ["X-CFF-Security-Token"],
        ],
        ids=["all", "access key", "secret key", "token"],
    )
    def test_without_a_whole_key_nothing_is_called_and_the_switch_is_named(
        self, platform: FunctionGraph, simulator: Simulator, headers: list[str], value: str | None
    ) -> None:
        given = {**key_headers(simulator.account.access_keys[KEY]), **dict.fromkeys(headers, value or "")}
        platform.keys = lambda: {name: each for name, each in given.items() if value is not None or name not in headers}

        run = platform.invoke(delivered())

        assert run.status == 503
        assert problem(run)["error_code"] == "AGENCY_KEY_MISSING"
        assert "enable_auth_in_header" in problem(run)["error_msg"]
        assert "agency" in problem(run)["error_msg"]
        assert simulator.calls == []
        assert BACKUP in simulator.backup_ids(PROJECT)

    def test_a_key_that_the_cloud_refuses_is_a_failed_run(self, platform: FunctionGraph, simulator: Simulator) -> None:
        wrong = replace(simulator.account.access_keys[KEY], secret="another")
        platform.keys = lambda: key_headers(wrong)

        run = platform.invoke(delivered())

        assert run.status == 503
        assert problem(run)["error_code"] == "APIGW.0301"
        assert platform.invoke_async(delivered())[-1].failed
        assert simulator.count() == 1  # a key that was refused rests, or it would be locked

    def test_no_key_is_written_anywhere(self, platform: FunctionGraph, function: Running, simulator: Simulator) -> None:
        headers = key_headers(simulator.account.access_keys[KEY], token="the-agency-s-iam-token")
        platform.keys = lambda: headers
        simulator.fault(Fault(status=500), Fault(method="DELETE", status=403, body={"error_code": "DBS.200010"}))

        runs = [platform.invoke(delivered()) for _ in range(3)]

        told = function.output + json.dumps([run.payload for run in runs])
        assert "faas.invocation_id" in function.output
        assert [name for name, secret in headers.items() if secret in told] == []

    def test_a_backup_that_the_api_refuses_for_good_is_a_final_outcome(self, platform: FunctionGraph) -> None:
        run = platform.invoke(delivered(data={"project_id": PROJECT, "backup_id": "../.."}))

        assert run.failed is None
        assert (run.body["type"], run.body["data"]["error_code"]) == (FAILED, "INVALID_EVENT")

    @pytest.mark.parametrize(
        ("body", "told"),
        [
            (b"{", "not JSON"),
            ({"events": [expired_event()]}, "specversion"),
            (timer_event(datetime.now(UTC)), "REAPER_ACCEPTED_EVENT_TYPES"),
        ],
        ids=["no JSON", "wrapper", "timer"],
    )
    def test_what_is_no_event_of_the_reaper_s_is_a_failed_run(
        self, platform: FunctionGraph, simulator: Simulator, body: Any, told: str
    ) -> None:
        run = platform.invoke(body)

        assert run.status == 400
        assert told in problem(run)["error_msg"]
        assert simulator.calls == []

    def test_a_throttled_run_fails_with_the_api_s_status(self, platform: FunctionGraph, simulator: Simulator) -> None:
        simulator.fault(Fault(status=429, body={"error_code": "APIGW.0308"}))

        run = platform.invoke(delivered())

        assert run.status == 429
        assert run.payload["headers"]["Retry-After"] == "30"

    def test_an_event_that_expired_deletes_nothing(self, platform: FunctionGraph, simulator: Simulator) -> None:
        an_hour_ago = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
        data = {"project_id": PROJECT, "backup_id": BACKUP, "extensions": {"expirytime": an_hour_ago}}

        run = platform.invoke(delivered(data=data))

        assert (run.body["type"], run.body["data"]["reason"]) == (SKIPPED, "stale_event")
        assert BACKUP in simulator.backup_ids(PROJECT)

    @pytest.mark.parametrize("name", ["dryrun", "dry_run", "expiryTime"])
    def test_a_misspelt_extension_in_the_data_deletes_nothing(
        self, platform: FunctionGraph, simulator: Simulator, name: str
    ) -> None:
        data = {"project_id": PROJECT, "backup_id": BACKUP, "extensions": {name: "2020-01-01T00:00:00Z"}}

        run = platform.invoke(delivered(data=data))

        assert (run.status, run.body["data"]["error_code"]) == (200, "INVALID_EVENT")
        assert simulator.calls == []

    def test_a_header_with_an_underscore_spoils_no_key(self, platform: FunctionGraph, simulator: Simulator) -> None:
        keys = platform.keys()
        platform.keys = lambda: {**keys, "X_CFF_Security_Token": "another"}

        assert platform.invoke(delivered()).body["type"] == DELETED
        assert simulator.calls[0].headers["X-Security-Token"] == keys["X-CFF-Security-Token"]

    def test_an_instance_is_initialised(self, platform: FunctionGraph) -> None:
        assert platform.init() == 200

    def test_a_probe_needs_no_key(self, function: Running) -> None:
        assert send(function.url, method="GET", path="/health").status == 200
        assert send(function.url, method="GET", path="/init").status == 405


class TestElsewhere:
    """Without REAPER_PLATFORM=functiongraph."""

    @pytest.fixture
    def settings(self, simulator: Simulator) -> dict[str, str]:
        return {"REAPER_API_ENDPOINT": simulator.url, "HW_AUTH_TOKEN": TOKEN, "THREADS": "3"}

    def test_the_headers_choose_nothing(self, platform: FunctionGraph, simulator: Simulator) -> None:
        run = platform.invoke(expired_event())

        assert run.status == 200
        assert "FSS.1202" in (run.failed or "")  # the answer is a plain one
        [call] = simulator.calls
        assert call.headers["X-Auth-Token"] == TOKEN
        assert "Authorization" not in call.headers

    def test_an_empty_dataschema_is_refused(self, platform: FunctionGraph, simulator: Simulator) -> None:
        assert platform.invoke(delivered()).status == 400
        assert simulator.calls == []

    def test_init_is_no_probe(self, platform: FunctionGraph) -> None:
        assert platform.init() == 400

    def test_extensions_in_the_data_are_not_attributes(self, platform: FunctionGraph, simulator: Simulator) -> None:
        past = {"extensions": {"expirytime": "2020-01-01T00:00:00Z"}}

        assert platform.invoke(expired_event(members=past)).status == 200
        assert BACKUP not in simulator.backup_ids(PROJECT)


class TestResults:
    @pytest.fixture
    def settings(self, settings: Mapping[str, str], simulator: Simulator) -> dict[str, str]:
        return {**settings, **with_channel(simulator)}

    def test_a_result_is_put_on_the_channel_with_the_key_of_the_request(
        self, platform: FunctionGraph, simulator: Simulator
    ) -> None:
        event = delivered(correlationid="order-7")

        run = platform.invoke(event)

        assert (run.failed, run.payload["body"]) == (None, "")
        [result] = events(simulator)
        assert (result["type"], result["source"], result["subject"]) == (DELETED, RESULTS, BACKUP)
        assert result["data"]["extensions"] == {"causationid": event["id"], "correlationid": "order-7"}
        assert schema_faults(whole(result)) == []
        [put] = [call for call in simulator.calls if call.method == "POST"]
        assert f"Access={KEY}," in put.headers["Authorization"]

    def test_a_200_that_took_nothing_is_a_failed_run_and_the_next_puts_the_same_id(
        self, platform: FunctionGraph, simulator: Simulator
    ) -> None:
        event = delivered()
        simulator.fault(Fault(method="POST", path="/events$", status=200, body=nothing_taken("x")))

        refused = platform.invoke(event)
        tried = json.loads(simulator.calls[-1].body)["events"][0]
        again = platform.invoke(event)

        assert refused.status == 503
        assert problem(refused)["error_code"] == "SINK_REFUSED"
        assert "EG.00015000" in problem(refused)["error_msg"]
        assert again.failed is None
        [result] = events(simulator)
        assert result["id"] == tried["id"]
        assert BACKUP not in simulator.backup_ids(PROJECT)

    @pytest.mark.parametrize(
        ("fault", "code"),
        [
            (Fault(method="POST", status=500), "SINK_REFUSED"),
            (Fault(method="POST", status=403, body={"error_code": "EG.00512000"}), "SINK_REFUSED"),
            (Fault(method="POST", drop=True), "SINK_UNREACHABLE"),
        ],
        ids=["500", "403", "dropped"],
    )
    def test_a_result_that_eventgrid_does_not_take_fails_the_run(
        self, platform: FunctionGraph, simulator: Simulator, fault: Fault, code: str
    ) -> None:
        simulator.fault(fault)

        runs = platform.invoke_async(delivered())

        assert problem(runs[0])["error_code"] == code
        assert [run.failed is None for run in runs] == [False, True]
        assert len(events(simulator)) == 1

    def test_a_skip_for_which_nothing_need_be_asked_still_needs_the_key(
        self, platform: FunctionGraph, simulator: Simulator
    ) -> None:
        platform.keys = dict

        run = platform.invoke(delivered(data={"project_id": "x", "backup_id": BACKUP}))

        assert problem(run)["error_code"] == "AGENCY_KEY_MISSING"
        assert simulator.calls == []


POLICY: Final = f"""
version = 1
event_valid_for = "PT12H"
[limits]
max_expired = 1000
[policy.standard]
projects = ["{PROJECT}"]
instances = ["*"]
keep_last = 2
"""
REQUESTS: Final = "backup-reaper-requests"


@pytest.fixture
def account(simulator: Simulator) -> Simulator:
    """Five backups of one instance, of which three expire."""
    simulator.account.backups.clear()
    for age in (50, 40, 30, 20, 10):
        add(simulator, f"b{age}", age)
    return simulator


def add(simulator: Simulator, name: str, age: int, instance_id: str = INSTANCE) -> None:
    begun = (datetime.now(UTC) - timedelta(days=age)).strftime("%Y-%m-%dT%H:%M:%S+0000")
    simulator.add(Backup(id=name, project_id=PROJECT, instance_id=instance_id, name=name, begin_time=begun))


@pytest.fixture
def planning(settings: Mapping[str, str], tmp_path: Path) -> dict[str, str]:
    """What the planner is configured with, guards as in the Terraform."""
    file = tmp_path / "policy.toml"
    file.write_text(POLICY)
    guards = {"REAPER_GUARDS": "strict", "REAPER_MIN_AGE_DAYS": "1", "REAPER_KEEP_LAST": "1"}
    return {**settings, **guards, "REAPER_ALLOWED_PROJECT_IDS": PROJECT, "REAPER_POLICY_FILE": str(file)}


@contextmanager
def running_planner(env: Mapping[str, str], simulator: Simulator) -> Iterator[tuple[FunctionGraph, Running]]:
    with run_function(env, target="plan_retention") as running:
        yield replace(on_platform(running, simulator), name="backup-reaper-planner"), running


class TestSmallDeployment:
    """One function, one timer, mode sweep."""

    def test_a_timer_s_run_deletes_what_has_expired_with_the_key_of_its_request(
        self, account: Simulator, planning: Mapping[str, str]
    ) -> None:
        with running_planner({**planning, "REAPER_PLANNER_MODE": "sweep"}, account) as (platform, _):
            run = platform.invoke(timer_event(datetime.now(UTC), user_event="retention"))

        assert run.failed is None
        assert (run.body["type"], run.body["data"]["mode"]) == (PLANNED, "sweep")
        assert [each["backup_id"] for each in run.body["data"]["expired"]] == ["b50", "b40", "b30"]
        assert run.body["data"]["counts"]["deleted"] == 3
        assert account.backup_ids(PROJECT) == {"b20", "b10"}
        assert {call.headers["X-Security-Token"] for call in account.calls} == {
            account.account.access_keys[KEY].security_token
        }
        assert all(f"Access={KEY}," in call.headers["Authorization"] for call in account.calls)

    def test_a_key_that_is_rotated_between_two_runs_is_used_at_once_and_none_is_kept(
        self, account: Simulator, planning: Mapping[str, str]
    ) -> None:
        first = account.account.access_keys[KEY]
        second = AccessKey("SECONDAGENCYKEY00001", "the-second-secret", "the-second-token")
        with running_planner({**planning, "REAPER_PLANNER_MODE": "sweep"}, account) as (platform, function):
            runs = [platform.invoke(timer_event(datetime.now(UTC)))]
            account.account.access_keys = {second.access: second}
            add(account, "b60", 60)
            before = account.count()
            platform.keys = lambda: key_headers(second)
            runs.append(platform.invoke(timer_event(datetime.now(UTC) + timedelta(seconds=1))))
            told = function.output + json.dumps([run.payload for run in runs])

        assert [run.failed for run in runs] == [None, None]
        assert account.backup_ids(PROJECT) == {"b20", "b10"}
        assert all(f"Access={second.access}," in call.headers["Authorization"] for call in account.calls[before:])
        secrets = [*key_headers(first).values(), *key_headers(second).values()]
        assert [secret for secret in secrets if secret in told] == []

    @pytest.mark.parametrize("user_event", ["dry_run: true", "dry-run", '\ufeff{"dry_run": true}'])
    def test_a_timer_that_may_have_been_meant_as_a_dry_run_deletes_nothing(
        self, account: Simulator, planning: Mapping[str, str], user_event: str
    ) -> None:
        with running_planner({**planning, "REAPER_PLANNER_MODE": "sweep"}, account) as (platform, _):
            run = platform.invoke(timer_event(datetime.now(UTC), user_event=user_event))

        assert run.status == 400
        assert '{"dry_run": true}' in problem(run)["error_msg"]
        assert account.calls == []

    def test_until_it_is_switched_on_a_run_only_reports(self, account: Simulator, planning: Mapping[str, str]) -> None:
        with running_planner(planning, account) as (platform, _):
            run = platform.invoke(timer_event(datetime.now(UTC)))

        assert run.body["data"]["mode"] == "report"
        assert len(run.body["data"]["expired"]) == 3
        assert account.count("DELETE") == 0

    @pytest.mark.parametrize("missing", ["X-CFF-Security-Access-Key", "X-CFF-Security-Token"])
    def test_without_a_whole_key_nothing_is_called(
        self, account: Simulator, planning: Mapping[str, str], missing: str
    ) -> None:
        with running_planner({**planning, "REAPER_PLANNER_MODE": "sweep"}, account) as (platform, _):
            platform.keys = lambda: {**key_headers(account.account.access_keys[KEY]), missing: "null"}
            run = platform.invoke(timer_event(datetime.now(UTC)))

        assert run.status == 503
        assert problem(run)["error_code"] == "AGENCY_KEY_MISSING"
        assert account.calls == []

    def test_a_run_that_is_repeated_is_one_plan(self, account: Simulator, planning: Mapping[str, str]) -> None:
        account.fault(Fault(method="GET", status=500))
        with running_planner({**planning, "REAPER_PLANNER_MODE": "sweep"}, account) as (platform, _):
            body = timer_event(datetime.now(UTC))
            runs = platform.invoke_async(body)
            again = platform.invoke(body)

        assert [run.failed is None for run in runs] == [False, True]
        assert again.body["id"] == runs[-1].body["id"]
        assert again.body["data"]["expired"] == []
        assert account.backup_ids(PROJECT) == {"b20", "b10"}

    def test_a_run_that_comes_hours_late_deletes_nothing(self, account: Simulator, planning: Mapping[str, str]) -> None:
        with running_planner({**planning, "REAPER_PLANNER_MODE": "sweep"}, account) as (platform, _):
            run = platform.invoke(timer_event(datetime.now(UTC) - timedelta(hours=2)))

        assert run.failed is None
        assert run.body["data"]["skipped"] == "stale_tick"
        assert account.count("DELETE") == 0


class TestLargeDeployment:
    """The planner publishes, EventGrid calls the reaper, the reaper publishes results on the same channel."""

    @pytest.fixture
    def planner(self, account: Simulator, planning: Mapping[str, str]) -> Iterator[FunctionGraph]:
        env = {**planning, **with_channel(account), "REAPER_EVENTGRID_SOURCE": REQUESTS}
        with running_planner({**env, "REAPER_PLANNER_MODE": "publish"}, account) as (platform, _):
            yield platform

    @pytest.fixture
    def reaper(self, run: RunFunction, settings: Mapping[str, str], simulator: Simulator) -> FunctionGraph:
        return on_platform(run({**settings, **with_channel(simulator), "REAPER_GUARDS": "strict",
                                "REAPER_ALLOWED_PROJECT_IDS": PROJECT}), simulator)  # fmt: skip

    def test_what_has_expired_goes_from_the_planner_over_the_channel_to_the_reaper(
        self, planner: FunctionGraph, reaper: FunctionGraph, account: Simulator
    ) -> None:
        planned = planner.invoke(timer_event(datetime.now(UTC)))
        by_planner = account.count("DELETE")
        requests = subscribed(account)
        runs = [reaper.invoke(request) for request in requests]

        assert planned.failed is None
        assert by_planner == 0
        assert [request["data"]["backup_id"] for request in requests] == ["b50", "b40", "b30"]
        assert [run.failed for run in runs] == [None] * 3
        assert account.backup_ids(PROJECT) == {"b20", "b10"}
        results = [event for event in events(account) if event["source"] == RESULTS]
        assert [(event["type"], event["subject"]) for event in results] == [
            (DELETED, "b50"), (DELETED, "b40"), (DELETED, "b30")
        ]  # fmt: skip
        assert [event["type"] for event in events(account) if event["source"] == REQUESTS][-1] == PLANNED
        assert [fault for event in events(account) for fault in schema_faults(whole(event))] == []

    def test_a_request_that_expired_on_its_way_deletes_nothing(
        self, planner: FunctionGraph, reaper: FunctionGraph, account: Simulator
    ) -> None:
        planner.invoke(timer_event(datetime.now(UTC)))
        request = subscribed(account)[0]
        assert "expirytime" not in request  # EventGrid may not keep it: the data has it
        past = {"expirytime": "2020-01-01T00:00:00Z"}
        late = {**request, "data": {**request["data"], "extensions": {**request["data"]["extensions"], **past}}}

        run = reaper.invoke(late)

        assert run.failed is None
        assert events(account)[-1]["data"]["reason"] == "stale_event"
        assert request["data"]["backup_id"] in account.backup_ids(PROJECT)

    def test_a_request_that_eventgrid_does_not_take_fails_the_planner_s_run_and_comes_again(
        self, planner: FunctionGraph, account: Simulator
    ) -> None:
        account.fault(Fault(method="POST", path="/events$", status=200, body=nothing_taken("x")))

        runs = planner.invoke_async(timer_event(datetime.now(UTC)))

        assert [run.failed is None for run in runs] == [False, True]
        assert problem(runs[0])["error_code"] == "SINK_REFUSED"
        assert [each["data"]["backup_id"] for each in subscribed(account)] == ["b50", "b40", "b30"]


def subscribed(simulator: Simulator) -> list[dict[str, Any]]:
    """What the subscription of the Terraform hands on: expired backups of one source, and nothing else."""
    return [handed_on(event) for event in events(simulator) if (event["source"], event["type"]) == (REQUESTS, EXPIRED)]


class TestRedelivery:
    """200 expired backups; a fifth of the runs are cut or meet a fault; three retries at most; then the next timer."""

    @pytest.mark.parametrize("mode", ["sweep", "publish"])
    def test_loses_nothing_and_deletes_nothing_else(
        self,
        run: RunFunction,
        settings: Mapping[str, str],
        planning: Mapping[str, str],
        simulator: Simulator,
        mode: str,
    ) -> None:
        simulator.account.backups.clear()
        for number in range(210):
            add(simulator, f"b{number:03}", 2 + number, f"{number % 5}{INSTANCE[1:]}")
        kept = {f"b{number:03}" for number in range(10)}  # the newest two of each of five instances
        expired = simulator.backup_ids(PROJECT) - kept
        dice = Random(7)
        reaper = on_platform(run({**settings, **with_channel(simulator)}), simulator)
        reaper.cut = lambda: dice.random() < 0.1
        simulator.fault(
            Fault(method="DELETE", rate=0.05, times=None, status=503),
            Fault(method="DELETE", rate=0.05, times=None, drop=True, takes_effect=True),
            Fault(method="POST", rate=0.05, times=None, status=200, body=nothing_taken("x")),
        )
        source = REQUESTS if mode == "publish" else RESULTS
        env = {**planning, **with_channel(simulator), "REAPER_EVENTGRID_SOURCE": source}
        dead: set[str] = set()
        with running_planner({**env, "REAPER_PLANNER_MODE": mode}, simulator) as (planner, _):
            for tick in range(20):
                planner.invoke_async(timer_event(datetime.now(UTC) + timedelta(seconds=tick)))
                requests = subscribed(simulator)
                simulator.account.channels[CHANNEL].events[:] = [
                    event for event in events(simulator) if event["type"] != EXPIRED
                ]
                for request in requests:
                    reaper.invoke_async(request)
                dead |= {message["request_payload"]["data"]["backup_id"] for message in reaper.dead}
                if simulator.backup_ids(PROJECT) == kept:
                    break

        told = {event["data"]["backup_id"] for event in events(simulator) if event["type"] == DELETED}
        assert simulator.backup_ids(PROJECT) == kept
        if mode == "publish":
            assert expired - told <= dead  # no outcome is lost: it is told, or a dead letter
            assert told | dead == expired
