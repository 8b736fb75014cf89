"""One run of the planner in mode sweep: a result that cannot be published, a tick that is old."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Final
from urllib.parse import parse_qs, urlsplit

import pytest

from function.backups import Mode, Planned
from function.cloud.client import BackupClient
from function.cloud.credentials import Secret, Token, TokenSettings
from function.cloud.engines import ENGINES
from function.delivery import Delivery
from function.door import Publish
from function.errors import ApiDeniedError, ApiUnavailableError, NotFinalError, SinkError, UndecidedError
from function.events.contract import EXPIRED
from function.events.planning import DUE, Tick
from function.exchange import Answer, Request
from function.guards import Policy
from function.reaper import Reaper
from function.record import Record, log_record
from function.retention.policy import read_policy_file
from function.run import Planner
from tests.facts.account import NOW, PROJECT

POLICY = f'version = 1\n[policy.a]\nprojects = ["{PROJECT}"]\ninstances = ["*"]\nkeep_last = 1\n'


class Cloud:
    """Three backups of one instance; what is deleted is gone.

    Args:
        later: what has changed of a backup when it is looked up.
        unlisted: how many more the list counts.
    """

    def __init__(
        self,
        *,
        clock: datetime = NOW,
        answers: bool = True,
        later: Mapping[str, Mapping[str, str]] | None = None,
        unlisted: int = 0,
    ) -> None:
        self.clock, self.answers, self.later, self.unlisted = clock, answers, later or {}, unlisted
        self.lists = list[dict[str, list[str]]]()
        self.backups = {f"b{age}": self.item(f"b{age}", age) for age in (30, 20, 10)}

    def item(self, name: str, age: int) -> dict[str, object]:
        begun = (NOW - timedelta(days=age)).isoformat()
        facts = {"type": "manual", "status": "COMPLETED", "begin_time": begun}
        return {"id": name, "name": name, "instance_id": "i1", **facts}

    def exchange(self, request: Request, delivery: Delivery) -> Answer:
        if not self.answers:
            raise ApiUnavailableError("NO_ANSWER", "no answer")
        url, headers = urlsplit(request.url), {"date": format_datetime(self.clock, usegmt=True)}
        query = parse_qs(url.query)
        if request.method == "DELETE":
            name = url.path.rpartition("/")[2]
            del self.backups[name]
            return Answer(200, headers, json.dumps({"backup_id": name}).encode())
        self.lists.append(query)
        named = query.get("backup_id", list(self.backups))
        changed = self.later if "backup_id" in query else {}
        found = [{**self.backups[name], **changed.get(name, {})} for name in named if name in self.backups]
        page = found[int(query.get("offset", ["0"])[0]) :]
        count = len(found) + (0 if "backup_id" in query else self.unlisted)
        return Answer(200, headers, json.dumps({"backups": page, "total_count": count}).encode())


def a_planner(cloud: Cloud, publish: Publish | None = None, observe: Callable[[Record], None] = log_record) -> Planner:
    token = Token(TokenSettings(Secret("HW_AUTH_TOKEN", "token-of-a-test")))
    client = BackupClient(ENGINES["taurusdb"], "https://api.example", "en-us", token, cloud.exchange)
    return Planner(
        file=read_policy_file(POLICY.encode(), engines=ENGINES),
        clients={"taurusdb": client},
        reaper=Reaper(engines={"taurusdb": client}, policy=Policy(), accepted_types={EXPIRED}, source="/reaper"),
        publish=publish,
        mode="sweep",
        tick_types={DUE},
        source="/planner",
        call_seconds=1.0,
        observe=observe,
    )


def a_tick(time: datetime | None = NOW, expires: datetime | None = None) -> Tick:
    return Tick(source="/timer", id="1", type=DUE, time=time, expires=expires, dry_run=False)


@pytest.mark.parametrize(
    "refusal", [SinkError("SINK_REFUSED", "the sink answered 500"), ApiDeniedError("PROXY_REFUSED", "407")]
)
def test_a_result_that_cannot_be_published_ends_the_sweep_and_is_counted(refusal: NotFinalError) -> None:
    cloud, records = Cloud(), list[Record]()

    def publish(attributes: Mapping[str, str], data: object, delivery: Delivery) -> None:
        raise refusal

    planner = a_planner(cloud, publish, records.append)

    planned, _, data = planner.carry_out(a_tick(), Delivery(now=NOW, until=time.monotonic() + 2.9))

    assert set(cloud.backups) == {"b20", "b10"}  # no second one is deleted without a result
    assert (planned.counts["deleted"], planned.counts["unpublished"], planned.counts["left"]) == (1, 1, 1)
    assert data["stopped"] == str(refusal)
    assert [record.error for record in records] == [refusal]


@pytest.mark.parametrize(
    "change",
    [{"name": "LEGAL-HOLD-case-7"}, {"description": "keep"}, {"begin_time": NOW.isoformat()}, {"type": "auto"}],
)
def test_a_backup_that_changed_since_it_was_planned_is_left_to_the_next_run(change: dict[str, str]) -> None:
    """By what is said of it now, the policy might keep it."""
    cloud, records = Cloud(later={"b30": change}), list[Record]()
    planner = a_planner(cloud, observe=records.append)

    planned, _, _ = planner.carry_out(a_tick(), Delivery(now=NOW, until=time.monotonic() + 10))

    assert set(cloud.backups) == {"b30", "b10"}
    assert (planned.counts["deleted"], planned.counts["left"]) == (1, 1)
    assert str(records[0].error) == (
        "UNCLEAR_BACKUP: the backup changed since the plan was made: the next run plans anew"
    )


def test_a_sweep_goes_through_the_guards() -> None:
    cloud, records = Cloud(), list[Record]()
    planner = a_planner(cloud, observe=records.append)
    planner = replace(planner, reaper=replace(planner.reaper, policy=Policy(keep_last=2)))

    planner.carry_out(a_tick(), Delivery(now=NOW, until=time.monotonic() + 10))

    assert set(cloud.backups) == {"b20", "b10"}
    assert [getattr(record.outcome, "reason", "deleted") for record in records] == ["deleted", "keep_last"]
    assert cloud.lists[-1] == {"instance_id": ["i1"], "backup_type": ["manual"], "offset": ["0"], "limit": ["100"]}


class TestAListThatIsShorterThanItsCount:
    @pytest.mark.parametrize("mode", ["publish", "sweep"])
    def test_ends_a_run_that_acts(self, mode: Mode) -> None:
        cloud, published = Cloud(unlisted=1), list[object]()

        def publish(attributes: Mapping[str, str], data: object, delivery: Delivery) -> None:
            published.append(data)

        planner = replace(a_planner(cloud, publish), mode=mode)

        with pytest.raises(UndecidedError, match=f"UNCLEAR_LIST: the list of taurusdb in project {PROJECT} is shorter"):
            planner.carry_out(a_tick(), Delivery(now=NOW, until=time.monotonic() + 10))
        assert (len(cloud.backups), published) == (3, [])

    @pytest.mark.parametrize("mode", ["report", "sweep"])
    def test_is_flagged_in_a_report(self, mode: Mode) -> None:
        planner = replace(a_planner(Cloud(unlisted=1)), mode=mode)

        _, _, data = planner.carry_out(
            replace(a_tick(), dry_run=mode == "sweep"), Delivery(now=NOW, until=time.monotonic() + 10)
        )

        assert (data["mode"], data["list_moved"]) == ("report", True)


class TestAnOldTick:
    OLD: Final = [{"time": NOW - timedelta(hours=2)}, {"time": NOW, "expires": NOW}]

    def settled(self, cloud: Cloud, facts: Mapping[str, datetime]) -> tuple[Planned, dict[str, object]]:
        tick, delivery = a_tick(facts["time"], facts.get("expires")), Delivery(now=NOW, until=time.monotonic() + 10)
        planned, _, data = a_planner(cloud).carry_out(tick, delivery)
        return planned, data

    @pytest.mark.parametrize(
        ("facts", "says"),
        [(OLD[0], "7200 s old; the most is 3600 s"), (OLD[1], "expired at 2026-")],
        ids=["old", "expired"],
    )
    def test_is_stale_where_the_api_confirms_our_clock(self, facts: Mapping[str, datetime], says: str) -> None:
        cloud = Cloud(clock=NOW)

        planned, data = self.settled(cloud, facts)

        assert (planned.skipped, data["skipped"], len(cloud.backups)) == ("stale_tick", "stale_tick", 3)
        assert says in str(data["message"])

    @pytest.mark.parametrize("facts", OLD, ids=["old", "expired"])
    def test_is_not_final_where_our_clock_is_off(self, facts: Mapping[str, datetime]) -> None:
        cloud = Cloud(clock=NOW - timedelta(hours=2))
        with pytest.raises(UndecidedError, match="our clock says"):
            self.settled(cloud, facts)
        assert len(cloud.backups) == 3

    @pytest.mark.parametrize("facts", OLD, ids=["old", "expired"])
    def test_is_not_final_where_the_api_does_not_answer(self, facts: Mapping[str, datetime]) -> None:
        with pytest.raises(ApiUnavailableError):
            self.settled(Cloud(answers=False), facts)

    def test_needs_no_call_if_it_has_no_time(self) -> None:
        delivery = Delivery(now=NOW, until=time.monotonic() + 10)
        assert a_planner(Cloud(answers=False)).carry_out(a_tick(None), delivery)[0].skipped == "stale_tick"


def test_a_tick_that_has_not_expired_is_carried_out() -> None:
    tick = a_tick(NOW, NOW + timedelta(seconds=1))

    planned, _, _ = a_planner(Cloud()).carry_out(tick, Delivery(now=NOW, until=time.monotonic() + 10))

    assert (planned.skipped, planned.counts["deleted"]) == (None, 2)
