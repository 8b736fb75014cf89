"""The list of a whole project, page by page."""

import json
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest

from function.backups import Backup, DeleteBackup
from function.cloud.client import BackupClient
from function.cloud.credentials import Secret, Token, TokenSettings
from function.cloud.engines import ENGINES
from function.cloud.listing import MAX_SURPLUS, list_project
from function.delivery import Delivery
from function.errors import UndecidedError
from function.exchange import Answer, Request
from tests.facts.account import PROJECT


def delivery() -> Delivery:
    return Delivery(now=datetime(2026, 3, 1, tzinfo=UTC), until=float("inf"))


class Lists:
    """Answers every list with the same items, whatever the offset."""

    def __init__(self, engine: str, *ids: str, count: int) -> None:
        self.body = {"backups": [{"id": each} for each in ids], "total_count": count}
        self.asked = 0
        token = Token(TokenSettings(Secret("HW_AUTH_TOKEN", "token-of-a-test")))
        self.client = BackupClient(ENGINES[engine], "https://api.example", "en-us", token, self.exchange)

    def exchange(self, request: Request, delivery: Delivery) -> Answer:
        self.asked += 1
        query = parse_qs(urlsplit(request.url).query)
        over = "offset" in query and int(query["offset"][0]) >= self.body["total_count"]  # type: ignore[operator]
        body = {**self.body, "backups": []} if over else self.body
        return Answer(200, {}, json.dumps(body).encode())


def test_a_list_is_read_until_a_page_is_empty() -> None:
    listed = list_project(Lists("taurusdb", "b1", "b2", count=2).client, PROJECT, delivery)

    assert listed.backups == (Backup(id="b1", description=""), Backup(id="b2", description=""))
    assert not listed.moved


def test_an_api_that_does_not_know_offsets_is_not_asked_for_ever() -> None:
    lists = Lists("taurusdb", *(f"b{number}" for number in range(100)), count=10**9)
    lists.body["total_count"] = 50
    endless = dict(lists.body)
    lists.exchange = lambda request, delivery: Answer(200, {}, json.dumps(endless).encode())  # type: ignore[method-assign]
    lists.client._exchange = lists.exchange

    with pytest.raises(UndecidedError, match="the API lists more than it counts"):
        list_project(lists.client, PROJECT, delivery)
    assert MAX_SURPLUS == 1000


def test_a_backup_that_two_lists_hold_is_unclear() -> None:
    lists = Lists("geminidb", "b1", count=1)

    with pytest.raises(UndecidedError, match="two lists hold the same backup"):
        lists.client.find(DeleteBackup(project_id=PROJECT, backup_id="b1", engine="geminidb"), delivery())
    with pytest.raises(UndecidedError, match="two lists hold the same backup"):
        lists.client.manual_backups(PROJECT, "i1", delivery())
