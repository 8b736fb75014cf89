"""Every kind of answer the function gives, through every kind of broker: nothing is lost, and nothing loops.

The brokers are the double in `tests/doubles/broker.py`; they deliver over HTTP to the real function.
405 is missing: a broker delivers with POST.
"""

import base64
import json
import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pytest

from simulator import Backup, Fault, Simulator
from tests.conftest import RunFunction
from tests.doubles.broker import PROFILES, RABBITMQ, SILENCE, Broker, Profile, Subscriber, Trigger, over_http
from tests.facts.account import BACKUP, PROJECT
from tests.wire.deliverer import DELETED, EXPIRED, FAILED, SKIPPED, Envelope, Mode, Reply, deliver, expired_event

AUTOMATED: Final = "c0c9f155c7b7423a9d30f0175998b63bbr07"
UNKNOWN: Final = "00000000000000000000000000000000br07"
OTHER_INSTANCE: Final = "d2f8a6c04b1e4937a5c3e0b7f9d18264in07"
NOWHERE: Final = "http://127.0.0.1:9"  # discard: nobody listens
RETRY: Final = 2

each_profile = pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What leads to one kind of answer.

    Args:
        answer: the status of the function's first answer.
        event: in place of the usual arguments of `expired_event`.
        faults: of the cloud and of the sink, while the trouble lasts.
        settings: of the function, while the trouble lasts.
        absent: the cloud's code for a backup that is not there.
        result: the type of result it ends in, once there is no trouble.
        code: the `error_code` of an answer that is a problem.
    """

    name: str
    answer: int
    event: Mapping[str, Any] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    absent: str = "DBS.201203"
    result: str = DELETED
    code: str | None = None


def deletion(status: int, code: str | None = None, **more: Any) -> Fault:
    """The DELETE is answered so."""
    body = {"error_code": code, "error_msg": "as the API says"} if code else None
    return Fault(method="DELETE", times=None, status=status, body=body, **more)


def to_the_sink(**what: Any) -> Fault:
    return Fault(method="POST", path="^/sink$", times=None, **what)


SINK: Final = {"K_SINK": "{simulator}/sink"}
SHORT: Final = {"REAPER_DEADLINE_SECONDS": "0.3"}

# Answer, "final outcome: deleted, failed, skipped" and "an event of ours whose data does not fit".
FINAL: Final = (
    Case(name="deleted", answer=200),
    Case(name="already absent, stated", answer=200, event={"backup_id": UNKNOWN}),
    Case(name="already absent, not listed", answer=200, event={"backup_id": UNKNOWN}, absent="DBS.280214"),
    Case(name="accepted, then not listed", answer=200, faults=(deletion(202, takes_effect=True),)),
    Case(name="failed", answer=200, event={"backup_id": AUTOMATED}, result=FAILED),
    Case(name="skipped", answer=200, event={"members": {"dry_run": True}}, result=SKIPPED),
    Case(
        name="skipped for its instance", answer=200, event={"members": {"instance_id": OTHER_INSTANCE}}, result=SKIPPED
    ),
    Case(name="stale", answer=200, event={"expirytime": "2020-01-01T00:00:00Z"}, result=SKIPPED),
    Case(name="data that does not fit", answer=200, event={"backup_id": "../backups"}, result=FAILED),
    Case(name="data that is no JSON", answer=200, event={"data": b'{"project_id": '}, result=FAILED),
    Case(name="no data", answer=200, event={"data": None, "datacontenttype": None}, result=FAILED),
    Case(name="deleted, to the sink", answer=204, settings=SINK),
    Case(name="failed, to the sink", answer=204, settings=SINK, event={"backup_id": AUTOMATED}, result=FAILED),
    Case(name="skipped, to the sink", answer=204, settings=SINK, event={"members": {"dry_run": True}}, result=SKIPPED),
)

# No final outcome yet, and a bug.
NOT_FINAL: Final = (
    Case(name="throttled", answer=429, faults=(deletion(429, "APIGW.0308"),), code="APIGW.0308"),
    Case(name="busy", answer=503, faults=(deletion(409, "DBS.201205"),), code="DBS.201205"),
    Case(name="the cloud is broken", answer=503, faults=(deletion(500, "DBS.200005"),), code="DBS.200005"),
    Case(name="broken after it deleted", answer=503, faults=(deletion(502, takes_effect=True),), code="NO_ERROR_CODE"),
    Case(name="a proxy's page", answer=503, faults=(deletion(200),), code="NOT_PROVEN"),
    Case(name="hangs", answer=503, settings=SHORT, faults=(Fault(times=None, hang=True),), code="NO_ANSWER"),
    Case(
        name="hangs after it deleted",
        answer=503,
        settings=SHORT,
        faults=(Fault(times=None, hang=True, takes_effect=True),),
        code="NO_ANSWER",
    ),
    Case(name="drops", answer=503, faults=(Fault(times=None, drop=True),), code="NO_ANSWER"),
    Case(
        name="drops after it deleted",
        answer=503,
        faults=(Fault(times=None, drop=True, takes_effect=True),),
        code="NO_ANSWER",
    ),
    Case(name="no network", answer=503, settings={"REAPER_API_ENDPOINT": NOWHERE}, code="NO_ANSWER"),
    Case(name="a token that is refused", answer=503, settings={"HW_AUTH_TOKEN": "old"}, code="APIGW.0301"),
    Case(name="no permission", answer=503, faults=(deletion(403, "DBS.200010"),), code="DBS.200010"),
    Case(name="a frozen account", answer=503, faults=(deletion(400, "DBS.280449"),), code="DBS.280449"),
    Case(name="wrong host", answer=503, faults=(deletion(404, "APIGW.0101"),), code="APIGW.0101"),
    Case(
        name="read-back impossible",
        answer=503,
        faults=(deletion(404, "DBS.290013"), Fault(method="GET", times=None, status=500)),
        code="DBS.290013",
    ),
    Case(
        name="a guard that cannot be decided",
        answer=503,
        event={"members": {"dry_run": True}},
        faults=(Fault(method="GET", times=None, status=200, body={"backups": []}),),
        result=SKIPPED,
        code="UNCLEAR_LIST",
    ),
    Case(name="paused", answer=503, settings={"REAPER_PAUSED": "true"}, code="PAUSED"),
    Case(name="no sink", answer=503, settings={"K_SINK": f"{NOWHERE}/sink"}, code="SINK_UNREACHABLE"),
    Case(name="a sink that refuses", answer=503, settings=SINK, faults=(to_the_sink(status=400),), code="SINK_REFUSED"),
)
# No function answers; in its place what a crash would answer, and what a dying process does.
NO_FUNCTION: Final = (
    Case(name="a bug", answer=500, faults=(Fault(times=None, status=500, body={"error_code": "INTERNAL_ERROR"}),)),
    Case(name="a function that dies", answer=SILENCE, faults=(Fault(times=None, drop=True),)),
    Case(name="an activator without a pod", answer=502, faults=(Fault(times=None, status=502, body="<html>"),)),
)

# Answer, "not a well-formed CloudEvent, or a type not accepted", "other media type", "too large": what was never an
# event of ours. The last is gunicorn's own answer: it never reaches the function.
NOT_OURS: Final = (
    Case(name="another type", answer=400, event={"type": "com.example.instance.created"}, code="NOT_AN_EVENT"),
    Case(name="a result", answer=400, event={"type": DELETED}, code="NOT_AN_EVENT"),
    Case(name="a broken attribute", answer=400, event={"time": "yesterday"}, code="NOT_AN_EVENT"),
    Case(name="data of another kind", answer=415, event={"datacontenttype": "text/xml"}, code="NOT_AN_EVENT"),
    Case(name="too large", answer=413, event={"members": {"note": "x" * 65536}}, code="NOT_AN_EVENT"),
    Case(name="too large an attribute", answer=431, event={"note": "x" * 16384}),
)

each_final = pytest.mark.parametrize("case", FINAL, ids=lambda case: case.name)
each_not_final = pytest.mark.parametrize("case", [*NOT_FINAL, *NO_FUNCTION], ids=lambda case: case.name)
each_not_ours = pytest.mark.parametrize("case", NOT_OURS, ids=lambda case: case.name)


class World:
    """A broker, the function behind one of its triggers, the cloud behind the function.

    Attributes:
        results: all that got through, by way of the broker or of the sink.
    """

    def __init__(
        self, profile: Profile, simulator: Simulator, run: RunFunction, settings: Mapping[str, str], crash: Simulator
    ) -> None:
        self._simulator = simulator
        self._crash = crash
        self._replied: list[Envelope] = []
        self._run = run
        self._settings = settings
        self.profile = profile
        self.reaper = Trigger(name="reaper", subscriber=self.function(), filter={"type": EXPIRED}, retry=RETRY)
        inbox = [
            Trigger(name=kind, subscriber=self._take, filter={"type": kind}) for kind in (DELETED, FAILED, SKIPPED)
        ]
        self.broker = Broker(profile, [self.reaper, *inbox], on_wait=simulator.advance)

    @property
    def results(self) -> list[Envelope]:
        published = [call for call in self._simulator.calls if call.path == "/sink" and call.status == 202]
        return [*self._replied, *(json.loads(call.body) for call in published)]

    @property
    def answers(self) -> list[int]:
        """What the function has answered to each delivery."""
        return [attempt.status for attempt in self.broker.attempts if attempt.trigger == "reaper"]

    def function(self, more: Mapping[str, str] | None = None, mode: Mode = "binary") -> Subscriber:
        """The function with more settings, as a subscriber."""
        return over_http(self._run({**self._settings, **(more or {})}).url, mode)

    def trouble(self, case: Case) -> None:
        """Let there be what leads to the case's answer."""
        if case in NO_FUNCTION:
            self._crash.fault(*case.faults)
            self.reaper.subscriber = over_http(self._crash.url)
            return
        self._simulator.account.absent = case.absent
        self._simulator.fault(*case.faults, to_the_sink(status=202))
        self.reaper.subscriber = self.function(
            {name: value.replace("{simulator}", self._simulator.url) for name, value in case.settings.items()}
        )

    def mend(self) -> None:
        """Let there be no trouble any more; the function gets a new revision."""
        self._simulator.faults.replace([to_the_sink(status=202)])
        self.reaper.subscriber = self.function()

    def mend_after(self, attempts: int) -> None:
        """Mend it when there have been so many deliveries."""

        def look(event: Envelope, headers: Mapping[str, str], timeout: float) -> Reply:
            if len(self.answers) == attempts:
                self.mend()
                return self.reaper.subscriber(event, headers, timeout)
            return troubled(event, headers, timeout)

        troubled, self.reaper.subscriber = self.reaper.subscriber, look

    def deliver(self, *events: Envelope) -> None:
        self.broker.publish(*events)
        self.broker.run()

    def reply_to(self, event: Envelope) -> Envelope:
        """The result for whoever asks past the broker."""
        return deliver(self._run(self._settings).url, event).event

    def _take(self, event: Envelope, headers: Mapping[str, str], timeout: float) -> Reply:
        self._replied.append(event)
        return Reply(202, {}, b"", 0.0)


@pytest.fixture(scope="module")
def lasting_crash() -> Iterator[Simulator]:
    with Simulator() as running:
        yield running


@pytest.fixture
def world(
    profile: Profile, simulator: Simulator, run: RunFunction, settings: Mapping[str, str], lasting_crash: Simulator
) -> World:
    lasting_crash.reset()
    return World(profile, simulator, run, settings, lasting_crash)


def is_about(event: Envelope) -> Callable[[Envelope], bool]:
    return lambda result: result["data"]["request"] == {name: event[name] for name in ("source", "id", "type")}


def without_errors(letter: Envelope) -> Envelope:
    """A dead letter as it was before it was one."""
    return {name: value for name, value in letter.items() if not name.startswith("knativeerror")}


def nothing_loops_and_nothing_is_dropped(broker: Broker) -> bool:
    return not (broker.looped or broker.dropped or broker.unwanted)


@each_profile
@each_final
def test_what_is_final_ends_in_one_result_after_one_delivery(world: World, case: Case) -> None:
    world.trouble(case)
    event = expired_event(**case.event)

    world.deliver(event)

    assert world.answers == [case.answer]
    (result,) = world.results
    assert result["type"] == case.result
    assert is_about(event)(result)
    assert world.broker.dead_letters == []
    assert nothing_loops_and_nothing_is_dropped(world.broker)


@each_profile
@each_not_final
def test_trouble_that_passes_ends_in_one_result(world: World, case: Case) -> None:
    world.trouble(case)
    world.mend_after(RETRY)
    event = expired_event(**case.event)

    world.deliver(event)

    assert world.answers == [case.answer] * RETRY + [200]
    (result,) = world.results
    assert result["type"] == case.result
    assert result["id"] == world.reply_to(event)["id"]
    assert world.broker.dead_letters == []
    assert nothing_loops_and_nothing_is_dropped(world.broker)


@each_profile
@each_not_final
def test_trouble_that_lasts_ends_whole_in_the_dead_letters_and_can_be_delivered_anew(world: World, case: Case) -> None:
    world.trouble(case)
    event = expired_event(**case.event)

    world.deliver(event)

    assert world.answers == [case.answer] * (1 + RETRY)
    assert world.results == []
    (letter,) = world.broker.dead_letters
    assert without_errors(letter) == event
    assert letter.get("knativeerrorcode") == (case.answer or None)
    if case.code and world.profile is not RABBITMQ:  # RabbitMQ sends no data
        assert json.loads(base64.b64decode(letter["knativeerrordata"]))["error_code"] == case.code
    assert nothing_loops_and_nothing_is_dropped(world.broker)

    world.mend()
    world.deliver(letter)

    (result,) = world.results
    assert result["type"] == case.result
    assert result["id"] == world.reply_to(event)["id"]
    assert world.broker.dead_letters == [letter]


@each_profile
@each_not_ours
def test_only_what_was_never_an_event_of_ours_is_refused_and_rabbitmq_drops_it(
    world: World, simulator: Simulator, case: Case
) -> None:
    before = simulator.backups(PROJECT)
    world.reaper.filter = {}
    world.broker.triggers = [world.reaper]
    event = expired_event(**case.event)

    world.deliver(event)

    assert world.answers == [case.answer]
    assert simulator.backups(PROJECT) == before
    assert simulator.calls == []
    if world.profile is RABBITMQ:
        assert (world.broker.dropped, world.broker.dead_letters) == ([event], [])
    else:
        (letter,) = world.broker.dead_letters
        assert (without_errors(letter), world.broker.dropped) == (event, [])
        problem = base64.b64decode(letter["knativeerrordata"])
        assert case.code is None or json.loads(problem)["error_code"] == case.code


def test_the_cases_are_all_answers_that_a_broker_can_be_given() -> None:
    assert {case.answer for case in (*FINAL, *NOT_FINAL, *NO_FUNCTION, *NOT_OURS)} == {
        *{200, 204, 400, 413, 415, 429, 500, 503},  # Answer
        *{431, 502, SILENCE},  # of what stands before the function, or in its place
    }


@each_profile
def test_a_trigger_without_a_filter_does_not_make_results_go_round(world: World) -> None:
    """A reply that its own trigger wants recurs; ours is answered 400, without an event."""
    world.reaper.filter = {}
    event = expired_event()

    world.deliver(event)

    assert world.answers == [200, 400]
    (result,) = world.results
    assert is_about(event)(result)
    assert world.broker.looped == []
    refused = [*world.broker.dropped, *map(without_errors, world.broker.dead_letters)]
    assert [event["id"] for event in refused] == [result["id"]]


@each_profile
@pytest.mark.parametrize("mode", ["binary", "structured"])
def test_an_event_that_is_published_twice_has_one_result_id(world: World, mode: Mode) -> None:
    world.reaper.subscriber = world.function(mode=mode)
    event = expired_event()

    world.deliver(event, event)

    first, second = world.results
    assert first["id"] == second["id"]
    assert [result["data"]["already_absent"] for result in (first, second)] == [False, True]


@each_profile
def test_an_event_that_is_first_skipped_and_then_carried_out_has_two_results_to_tell_apart(world: World) -> None:
    event = expired_event()
    world.reaper.subscriber = world.function({"REAPER_DRY_RUN": "true"})
    world.deliver(event)
    world.reaper.subscriber = world.function()

    world.deliver(event)

    first, second = world.results
    assert (first["type"], second["type"]) == (SKIPPED, DELETED)
    assert first["id"] != second["id"]


@each_profile
@pytest.mark.parametrize("takes_effect", [True, False], ids=["after the deletion", "before the deletion"])
def test_a_redelivery_that_overlaps_with_a_slow_first_run_is_harmless(
    world: World, simulator: Simulator, takes_effect: bool
) -> None:
    """A delivery that timed out is repeated "while the first run was still working"."""
    others = simulator.backup_ids(PROJECT) - {BACKUP}
    simulator.fault(Fault(method="DELETE", delay=1.5, takes_effect=takes_effect))
    world.reaper.timeout = 0.3
    event = expired_event()

    world.deliver(event)

    first, *_ = simulator.calls
    assert first.status is None, "the first run is over, so nothing has overlapped"
    assert world.answers == [SILENCE, 200]
    (result,) = world.results
    wait_until(lambda: first.status is not None)
    assert simulator.backup_ids(PROJECT) == others
    assert world.reply_to(event)["id"] == result["id"]
    assert world.broker.dead_letters == []
    assert nothing_loops_and_nothing_is_dropped(world.broker)


STORM: Final = (
    Fault(method="DELETE", times=None, rate=0.1, drop=True),
    Fault(method="DELETE", times=None, rate=0.1, drop=True, takes_effect=True),
    Fault(method="DELETE", times=None, rate=0.1, status=429, body={"error_code": "APIGW.0308"}),
    Fault(method="DELETE", times=None, rate=0.1, status=500, body={"error_code": "DBS.200005"}, takes_effect=True),
    Fault(method="DELETE", times=None, rate=0.1, status=202),
    Fault(method="DELETE", times=None, rate=0.1, status=404, body={"error_code": "DBS.290013"}),
    Fault(method="DELETE", times=None, rate=0.1, status=401, body={"error_code": "APIGW.0301"}),
    Fault(method="GET", times=None, rate=0.2, status=503),
)


@each_profile
@pytest.mark.parametrize("mode", ["binary", "structured"])
@pytest.mark.parametrize("retry", [1, 20], ids=["few retries", "many retries"])
def test_in_a_storm_each_event_ends_in_a_result_or_whole_in_the_dead_letters(
    world: World, simulator: Simulator, mode: Mode, retry: int
) -> None:
    kept = simulator.backup_ids(PROJECT)
    named = [f"storm-{number}" for number in range(30)]
    for backup_id in named:
        simulator.add(Backup(id=backup_id, project_id=PROJECT, instance_id=OTHER_INSTANCE))
    simulator.fault(*STORM)
    world.reaper.subscriber, world.reaper.retry = world.function(mode=mode), retry
    events = [expired_event(backup_id=backup_id) for backup_id in named]
    twice = [*events, *events]
    random.Random(8).shuffle(twice)

    world.deliver(*twice)

    letters = [without_errors(letter) for letter in world.broker.dead_letters]
    assert len(world.results) + len(letters) == len(twice)
    for event in events:
        results = [result for result in world.results if is_about(event)(result)]
        assert len(results) + letters.count(event) == 2
        assert len({result["id"] for result in results}) <= 1
    assert {result["type"] for result in world.results} == {DELETED}
    gone = {result["subject"] for result in world.results}
    assert simulator.backup_ids(PROJECT).isdisjoint(gone)
    assert simulator.backup_ids(PROJECT) >= kept
    assert nothing_loops_and_nothing_is_dropped(world.broker)
    assert bool(letters) == (retry == 1)


def wait_until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)
