"""The list of a whole project, page by page."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final
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


def paged(*pages: tuple[Iterable[int], int]) -> Lists:
    """Answers with these pages, each of them the numbers of its items and the count."""
    lists, left = Lists("taurusdb", count=0), iter(pages)

    def exchange(request: Request, delivery: Delivery) -> Answer:
        numbers, count = next(left)
        body = {"backups": [{"id": f"b{number}"} for number in numbers], "total_count": count}
        return Answer(200, {}, json.dumps(body).encode())

    lists.client._exchange = exchange
    return lists


def test_a_list_that_brings_ever_more_than_it_counts_is_not_read_for_ever() -> None:
    lists = paged(*((range(start, start + 100), 50) for start in range(0, 10**6, 100)))

    with pytest.raises(UndecidedError, match="the API lists more than it counts"):
        list_project(lists.client, PROJECT, delivery)


def test_a_list_that_brings_the_same_items_for_ever_is_read_until_none_is_new() -> None:
    lists = paged(*[(range(100), 10**9)] * 4)

    listed = list_project(lists.client, PROJECT, delivery)

    assert len(listed.backups) == 100
    assert listed.moved


class TestAListThatIsShorterThanItsCount:
    PAGES: Final = [(range(100), 126), ((), 126)] * 2

    def test_is_flagged_where_it_is_only_shown(self) -> None:
        listed = list_project(paged(*self.PAGES).client, PROJECT, delivery)

        assert len(listed.backups) == 100
        assert listed.moved

    def test_is_unclear_where_it_is_acted_on(self) -> None:
        with pytest.raises(UndecidedError, match=f"taurusdb in project {PROJECT} is shorter than its count"):
            list_project(paged(*self.PAGES).client, PROJECT, delivery, whole=True)

    def test_is_unclear_too_where_the_same_backup_fills_it_up(self) -> None:
        pages = [(range(100), 126), (range(74, 100), 126)] * 2

        with pytest.raises(UndecidedError, match="shorter than its count"):
            list_project(paged(*pages).client, PROJECT, delivery, whole=True)

    def test_is_read_once_more(self) -> None:
        pages = [*self.PAGES[:2], (range(100), 126), (range(100, 126), 126), ((), 126)]

        listed = list_project(paged(*pages).client, PROJECT, delivery, whole=True)

        assert len(listed.backups) == 126
        assert not listed.moved

    def test_is_unclear_too_where_it_names_the_instances(self) -> None:
        lists = Lists("rds", count=0)
        body = json.dumps({"instances": [{"id": "i1"}], "backups": [], "total_count": 2}).encode()
        lists.client._exchange = lambda request, delivery: Answer(200, {}, body)

        with pytest.raises(UndecidedError, match="the list of rds in project"):
            list_project(lists.client, PROJECT, delivery, whole=True)


@pytest.mark.parametrize(
    "reading",
    [
        [(range(100), 126), (range(101, 126), 125), ((), 125)],  # one was deleted
        [(range(100), 126), (range(99, 126), 127), ((), 127)],  # one was added
        [(range(100), 100), (range(100), 200)],  # more were added than a page holds
    ],
    ids=["deleted", "added", "a page added"],
)
def test_a_list_that_moves_goes_on_with_a_flag(reading: list[tuple[range, int]]) -> None:
    listed = list_project(paged(*reading * 2).client, PROJECT, delivery, whole=True)

    assert len(listed.backups) >= 100
    assert listed.moved


def test_a_count_below_zero_is_no_list() -> None:
    with pytest.raises(UndecidedError, match="not of the documented form"):
        list_project(paged(((), -1)).client, PROJECT, delivery)


def test_a_backup_that_two_lists_hold_is_unclear() -> None:
    lists = Lists("geminidb", "b1", count=1)

    with pytest.raises(UndecidedError, match="two lists hold the same backup"):
        lists.client.find(DeleteBackup(project_id=PROJECT, backup_id="b1", engine="geminidb"), delivery())
    with pytest.raises(UndecidedError, match="two lists hold the same backup"):
        lists.client.manual_backups(PROJECT, "i1", delivery())
