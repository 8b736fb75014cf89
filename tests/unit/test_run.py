"""One run of the planner in mode sweep: what becomes of a result that cannot be published."""

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from function.cloud.client import BackupClient
from function.cloud.credentials import Secret, Token, TokenSettings
from function.cloud.engines import ENGINES
from function.delivery import Delivery
from function.errors import ApiDeniedError, NotFinalError, SinkError
from function.events.contract import EXPIRED
from function.events.planning import DUE, Tick
from function.exchange import Answer, Request
from function.guards import Policy
from function.reaper import Reaper
from function.record import Record
from function.retention.policy import read_policy_file
from function.run import Planner

PROJECT = "054e292c9880d4992f02c0196d3ea468"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
POLICY = f'version = 1\n[policy.a]\nprojects = ["{PROJECT}"]\ninstances = ["*"]\nkeep_last = 1\n'


class Cloud:
    """Three backups of one instance; what is deleted is gone."""

    def __init__(self) -> None:
        self.backups = {f"b{age}": self.item(f"b{age}", age) for age in (30, 20, 10)}

    def item(self, name: str, age: int) -> dict[str, object]:
        begun = (NOW - timedelta(days=age)).isoformat()
        facts = {"type": "manual", "status": "COMPLETED", "begin_time": begun}
        return {"id": name, "name": name, "instance_id": "i1", **facts}

    def exchange(self, request: Request, delivery: Delivery) -> Answer:
        url = urlsplit(request.url)
        query = parse_qs(url.query)
        if request.method == "DELETE":
            name = url.path.rpartition("/")[2]
            del self.backups[name]
            return Answer(200, {}, json.dumps({"backup_id": name}).encode())
        named = query.get("backup_id", list(self.backups))
        found = [self.backups[name] for name in named if name in self.backups]
        page = found[int(query.get("offset", ["0"])[0]) :]
        return Answer(200, {}, json.dumps({"backups": page, "total_count": len(found)}).encode())


@pytest.mark.parametrize(
    "refusal", [SinkError("SINK_REFUSED", "the sink answered 500"), ApiDeniedError("PROXY_REFUSED", "407")]
)
def test_a_result_that_cannot_be_published_ends_the_sweep_and_is_counted(refusal: NotFinalError) -> None:
    cloud, records = Cloud(), list[Record]()
    token = Token(TokenSettings(Secret("HW_AUTH_TOKEN", "token-of-a-test")))
    client = BackupClient(ENGINES["taurusdb"], "https://api.example", "en-us", token, cloud.exchange)

    def publish(attributes: Mapping[str, str], data: object, delivery: Delivery) -> None:
        raise refusal

    planner = Planner(
        file=read_policy_file(POLICY.encode(), engines=ENGINES),
        clients={"taurusdb": client},
        reaper=Reaper(engines={"taurusdb": client}, policy=Policy(), accepted_types={EXPIRED}, source="/reaper"),
        publish=publish,
        mode="sweep",
        tick_types={DUE},
        source="/planner",
        call_seconds=1.0,
        observe=records.append,
    )
    tick = Tick(source="/timer", id="1", type=DUE, time=NOW, dry_run=False)

    planned, _, data = planner.carry_out(tick, Delivery(now=NOW, until=time.monotonic() + 2.9))

    assert set(cloud.backups) == {"b20", "b10"}  # no second one is deleted without a result
    assert (planned.counts["deleted"], planned.counts["unpublished"], planned.counts["left"]) == (1, 1, 1)
    assert data["stopped"] == str(refusal)
    assert [record.error for record in records] == [refusal]
