"""FunctionGraph's requests and answers, its agency's keys, and EventGrid's channel; pure."""

import gc
import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from function.backups import DeleteBackup
from function.cloud.agency import AgencyKeys, read_verdict
from function.cloud.lockout import Verdict
from function.delivery import AgencyKey, Delivery
from function.errors import ApiDeniedError, ApiUnavailableError, NotAnEventError, SinkError
from function.events.binding import Event
from function.events.contract import EXPIRED, read_command
from function.events.eventgrid import ENDPOINTS, EventGrid
from function.events.planning import DUE, read_tick
from function.exchange import Answer, Request
from function.functiongraph import FunctionGraph
from function.reply import Reply
from function.tally import MAX_REPORTED, Tally, report_facts
from simulator.eventgrid import handed_on
from simulator.functiongraph import timer_event
from tests.facts.account import PROJECT
from tests.facts.planning import AS_OF, DAY, made, plan, policy, policy_file

NOW: Final = datetime(2026, 11, 27, 2, 0, tzinfo=UTC)
KEY: Final = AgencyKey(access_key="AK", secret_key="SK", security_token="ST")
HEADERS: Final = {
    "x-cff-security-access-key": "AK",
    "x-cff-security-secret-key": "SK",
    "x-cff-security-token": "ST",
    "x-cff-project-id": PROJECT,
    "x-cff-request-id": "11ad5f8c-6d6b-4d5d-8f6c-1b1f0a5c7e11",
    "x-cff-func-name": "0@default@backup-reaper-planner",
}
EVENT: Final = {"specversion": "1.0", "id": "1", "source": "backup-reaper-requests", "type": "t", "data": {"a": 1}}


def delivery(**known: Any) -> Delivery:
    return Delivery(
        **{"now": NOW, "until": time.monotonic() + 10, "agency_key": KEY, "home_project_id": PROJECT, **known}
    )


def read(body: object, headers: Mapping[str, str] = HEADERS) -> Event:
    return FunctionGraph().read_event(headers, json.dumps(body).encode(), delivery())


def deletion(extensions: object) -> object:
    """What an event orders that has these extensions in its data."""
    data = {"project_id": PROJECT, "backup_id": "b", "extensions": extensions}
    return read_command(read({**EVENT, "type": EXPIRED, "data": data}), {EXPIRED}, {"taurusdb": False})


class TestHeaders:
    def test_the_delivery_gets_the_key_the_project_and_the_name_of_the_run(self) -> None:
        mine = Delivery(now=NOW, until=0)

        FunctionGraph().read_event(HEADERS, json.dumps(EVENT).encode(), mine)

        assert mine.agency_key == KEY
        assert mine.home_project_id == PROJECT
        assert mine.about["faas.invocation_id"] == HEADERS["x-cff-request-id"]

    @pytest.mark.parametrize("value", [None, "", "null"])
    @pytest.mark.parametrize("part", ["access_key", "secret_key", "security_token"])
    def test_absent_empty_and_null_mean_that_there_is_none(self, part: str, value: str | None) -> None:
        name = {"access_key": "access-key", "secret_key": "secret-key", "security_token": "token"}[part]
        headers = {**HEADERS, f"x-cff-security-{name}": value}
        mine = Delivery(now=NOW, until=0)

        given = {header: text for header, text in headers.items() if text is not None}
        FunctionGraph().read_event(given, json.dumps(EVENT).encode(), mine)

        assert getattr(mine.agency_key, part) is None
        assert [mine.agency_key.access_key, mine.agency_key.secret_key, mine.agency_key.security_token].count(None) == 1

    @pytest.mark.parametrize("project_id", ["", "null", "../" + PROJECT, PROJECT + "\n", "é" * 32])
    def test_a_project_that_is_none_is_not_taken(self, project_id: str) -> None:
        mine = Delivery(now=NOW, until=0)

        FunctionGraph().read_event({**HEADERS, "x-cff-project-id": project_id}, json.dumps(EVENT).encode(), mine)

        assert mine.home_project_id is None

    def test_a_name_of_the_run_that_could_spoil_the_log_is_not_taken(self) -> None:
        mine = Delivery(now=NOW, until=0)

        FunctionGraph().read_event({**HEADERS, "x-cff-request-id": "a b"}, json.dumps(EVENT).encode(), mine)

        assert "faas.invocation_id" not in mine.about

    def test_a_key_does_not_show(self) -> None:
        assert "AK" not in repr(KEY)
        assert "SK" not in repr(delivery())
        assert "ST" not in repr(delivery())


class TestEvent:
    def test_an_event_of_eventgrid_is_read_although_its_dataschema_is_empty(self) -> None:
        event = read(handed_on({**EVENT, "time": "2026-09-30T03:24:43Z"}))

        assert "dataschema" not in event.attributes
        assert "subject" not in event.attributes
        assert event.attributes["ttl"] == "4000"
        assert event.attributes["time"] == "2026-09-30T03:24:43.167931174Z"
        assert event.data == {"a": 1}

    @pytest.mark.parametrize("attribute", ["id", "source", "type", "datacontenttype"])
    def test_any_other_empty_attribute_is_refused_as_elsewhere(self, attribute: str) -> None:
        with pytest.raises(NotAnEventError, match=attribute):
            read({**EVENT, attribute: ""})

    def test_the_extensions_in_the_data_of_our_own_events_are_attributes(self) -> None:
        event = read({**EVENT, "data": {"extensions": {"expirytime": "2026-11-27T14:00:00Z", "causationid": "9"}}})

        assert event.attributes["expirytime"] == "2026-11-27T14:00:00Z"
        assert event.attributes["causationid"] == "9"

    def test_an_attribute_is_taken_before_its_copy_in_the_data(self) -> None:
        event = read({**EVENT, "expirytime": "2026-11-27T14:00:00Z", "data": {"extensions": {"expirytime": "later"}}})

        assert event.attributes["expirytime"] == "2026-11-27T14:00:00Z"

    @pytest.mark.parametrize(
        ("name", "meant"),
        [
            ("dryrun", "data.dry_run"),
            ("dry_run", "data.dry_run"),
            ("DryRun", "data.dry_run"),
            ("instanceid", "data.instance_id"),
            ("instance_id", "data.instance_id"),
            ("expirytme", "expirytime"),
            ("expiryTime", "expirytime"),
        ],
    )
    def test_a_misspelt_extension_in_the_data_is_refused_as_at_the_top(self, name: str, meant: str) -> None:
        command = deletion({"expirytime": "2026-11-27T14:00:00Z", name: {}})

        assert getattr(command, "error_code", None) == "INVALID_EVENT"
        assert str(getattr(command, "error_msg", None)).endswith(f"; did you mean {meant}?")

    @pytest.mark.parametrize("name", ["dryrun", "dry_run", "dryRun"])
    def test_a_dry_run_among_the_extensions_of_a_tick_does_not_become_a_sweep(self, name: str) -> None:
        tick = read({**EVENT, "type": DUE, "data": {"extensions": {name: True}}})

        with pytest.raises(NotAnEventError, match="looks like dry_run"):
            read_tick(tick, {DUE})

    @pytest.mark.parametrize(
        "extensions",
        [
            None,
            [],
            "expirytime",
            {"Id": 1, "data": {}, "time": "", "id": {}, "subject": 1, "team": "db", "dryrun": None},
        ],
    )
    def test_anything_else_among_the_extensions_changes_nothing(self, extensions: object) -> None:
        assert deletion(extensions) == DeleteBackup(project_id=PROJECT, backup_id="b")

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"{",
            b"[]",
            b'"text"',
            b'{"a": 1}',
            b'{"events": [{"id": "1"}]}',
            b'{"trigger_type": "SMN", "record": []}',
        ],
    )
    def test_what_is_no_event_is_refused(self, body: bytes) -> None:
        with pytest.raises(NotAnEventError):
            FunctionGraph().read_event(HEADERS, body, delivery())


class TestTimer:
    def test_a_timer_s_body_is_a_tick(self) -> None:
        event = read(timer_event(NOW, user_event="retention"))

        assert event.attributes["type"] == DUE
        assert event.attributes["time"] == "2026-11-27T02:00:00Z"
        assert event.attributes["source"] == "/functiongraph/0@default@backup-reaper-planner/backup-reaper-timer"
        assert event.data is None

    def test_a_run_that_is_repeated_is_the_same_tick(self) -> None:
        first, again = read(timer_event(NOW)), read(timer_event(NOW))
        others = [
            read(timer_event(NOW + timedelta(seconds=1))),
            read(timer_event(NOW, trigger_name="other")),
            read(timer_event(NOW), {**HEADERS, "x-cff-func-name": "0@default@other"}),
        ]

        assert first.attributes == again.attributes
        assert len({first.attributes["id"], *(other.attributes["id"] for other in others)}) == 4

    def test_an_offset_is_kept(self) -> None:
        body = {**timer_event(NOW), "time": "2018-06-01T08:30:00+08:00"}

        assert read(body).attributes["time"] == "2018-06-01T08:30:00+08:00"

    def test_a_name_of_a_trigger_cannot_break_the_source(self) -> None:
        event = read(timer_event(NOW, trigger_name="a b/ü?#"))

        assert str(event.attributes["source"]).endswith("/a%20b%2F%C3%BC%3F%23")

    def test_an_object_in_user_event_is_the_tick_s_data(self) -> None:
        assert read(timer_event(NOW, user_event=' {"dry_run": true}')).data == {"dry_run": True}

    def test_an_object_may_stand_there_without_quotes(self) -> None:
        assert read({**timer_event(NOW), "user_event": {"dry_run": True}}).data == {"dry_run": True}

    @pytest.mark.parametrize("user_event", ['{"dry_run": true', '{"dry_run": True}', '{"a": 1, "a": 2}'])
    def test_a_mistake_in_it_is_not_overlooked(self, user_event: str) -> None:
        with pytest.raises(NotAnEventError, match="user_event"):
            read(timer_event(NOW, user_event=user_event))

    @pytest.mark.parametrize(
        "user_event",
        [
            *("dry_run: true", '"dry_run": true', "DRY_RUN=true", '[{"dry_run":true}]', '\ufeff{"dry_run": true}'),
            *("dry_run", "dry-run", "Dry Run", "dryrun", "dy_run", "dyr-run true", "dry run please", "nightly dry-run"),
            *("d\u0433\u0443_run", "\uff44\uff52\uff59run", "'dry_run'", "--dry-run", "[1]", "true;"),
            *([], [{"dry_run": True}]),
        ],
        ids=ascii,
    )
    def test_what_could_be_meant_as_a_dry_run_does_not_become_a_sweep(self, user_event: object) -> None:
        with pytest.raises(NotAnEventError, match="user_event of the timer must be") as raised:
            read({**timer_event(NOW), "user_event": user_event})

        assert raised.value.status == 400
        assert '{"dry_run": true}' in str(raised.value)

    @pytest.mark.parametrize(
        "user_event",
        [
            None,
            7,
            "",
            " ",
            "retention",
            "every night",
            "nightly-run",
            "my_run_2",
            "daily run",
            "\u6bcf\u665a\u6e05\u7406",
        ],
    )
    def test_a_plain_name_is_only_a_name(self, user_event: object) -> None:
        assert read({**timer_event(NOW), "user_event": user_event}).data is None

    @pytest.mark.parametrize("name", ["dry_run", "dryRun", "userevent", "user-event"])
    def test_a_body_that_was_typed_by_hand_has_no_dry_run_in_another_place(self, name: str) -> None:
        with pytest.raises(NotAnEventError, match=r"looks like .*user_event"):
            read({**timer_event(NOW), name: '{"dry_run": true}'})

    @pytest.mark.parametrize("time", ["yesterday", "2026-11-27", 1764208800, ""])
    def test_a_time_that_cannot_be_read_is_refused(self, time: object) -> None:
        with pytest.raises(NotAnEventError, match="time"):
            read({**timer_event(NOW), "time": time})

    def test_an_event_that_only_names_a_timer_is_an_event(self) -> None:
        assert read({**EVENT, "trigger_type": None}).attributes["type"] == "t"


class TestReply:
    def test_the_status_stands_in_both_places(self) -> None:
        reply = FunctionGraph().reply(Reply(503, {"Retry-After": "30"}, b'{"error_code": "PAUSED"}'))

        assert reply.status == 503
        assert reply.headers == {"Content-Type": "application/json"}
        assert json.loads(reply.body) == {
            "statusCode": 503,
            "isBase64Encoded": False,
            "headers": {"Retry-After": "30"},
            "body": '{"error_code": "PAUSED"}',
        }

    def test_a_result_that_was_published_is_a_200(self) -> None:
        reply = FunctionGraph().reply(Reply(204))

        assert (reply.status, json.loads(reply.body)["statusCode"], json.loads(reply.body)["body"]) == (200, 200, "")


class TestAgencyKeys:
    request: Final = Request("GET", "https://gaussdb.cn-north-4.myhuaweicloud.com/v3/p/backups", {})

    def test_a_request_is_signed_with_the_key_of_its_own_delivery(self) -> None:
        keys = AgencyKeys()
        other = AgencyKey(access_key="AK2", secret_key="SK2", security_token="ST2")

        first = keys.authorize(self.request, PROJECT, delivery())
        first.settle(Verdict.ACCEPTED, None)
        second = keys.authorize(self.request, PROJECT, delivery(agency_key=other))

        assert "Access=AK," in first.request.headers["Authorization"]
        assert first.request.headers["X-Security-Token"] == "ST"
        assert "Access=AK2," in second.request.headers["Authorization"]
        assert second.request.headers["X-Security-Token"] == "ST2"
        assert second.without_secrets(Answer(400, {}, b"AK2 SK2 ST2")).body == b"[redacted] [redacted] [redacted]"

    @pytest.mark.parametrize(
        ("key", "missing"),
        [
            (AgencyKey(), "X-CFF-Security-Access-Key, X-CFF-Security-Secret-Key, X-CFF-Security-Token"),
            (AgencyKey(access_key="AK", secret_key="SK"), "no X-CFF-Security-Token:"),
            (AgencyKey(secret_key="SK", security_token="ST"), "no X-CFF-Security-Access-Key:"),
        ],
    )
    def test_a_key_that_is_not_there_is_told_with_the_switch_and_the_agency(self, key: AgencyKey, missing: str) -> None:
        with pytest.raises(ApiDeniedError) as raised:
            AgencyKeys().authorize(self.request, PROJECT, delivery(agency_key=key))

        assert raised.value.error_code == "AGENCY_KEY_MISSING"
        assert missing in raised.value.error_msg
        assert "enable_auth_in_header" in raised.value.error_msg
        assert "app_agency" in raised.value.error_msg

    def test_a_part_that_no_header_could_carry_is_refused_without_showing_it(self) -> None:
        key = AgencyKey(access_key="AK", secret_key="two words", security_token="ST")

        with pytest.raises(ApiDeniedError, match="X-CFF-Security-Secret-Key") as raised:
            AgencyKeys().authorize(self.request, PROJECT, delivery(agency_key=key))

        assert "two words" not in raised.value.error_msg

    def test_a_refused_key_rests_and_another_one_is_used_at_once(self) -> None:
        keys = AgencyKeys()
        keys.authorize(self.request, PROJECT, delivery()).settle(Verdict.REFUSED, None)

        with pytest.raises(ApiDeniedError, match="refused"):
            keys.authorize(self.request, PROJECT, delivery())
        other = AgencyKey(access_key="AK2", secret_key="SK2", security_token="ST2")
        assert keys.authorize(self.request, PROJECT, delivery(agency_key=other)).request.headers["Authorization"]

    def test_no_object_holds_a_key_when_its_delivery_is_over(self) -> None:
        keys, backwards = AgencyKeys(), "terces-eno-ylno-siht"

        def deliver() -> None:
            key = AgencyKey(access_key="AK", secret_key=backwards[::-1], security_token=f"token-of-{backwards[::-1]}")
            authorized = keys.authorize(self.request, PROJECT, delivery(agency_key=key))
            authorized.without_secrets(Answer(200, {}, b"{}"))
            authorized.settle(Verdict.ACCEPTED, None)

        deliver()
        gc.collect()

        held = [
            text
            for container in gc.get_objects()
            if isinstance(container, dict | list | tuple | set)
            for text in (container.values() if isinstance(container, dict) else container)
            if isinstance(text, str) and backwards[::-1] in text
        ]
        assert held == []

    def test_there_is_nothing_newer_in_a_delivery(self) -> None:
        assert AgencyKeys().renew(self.request, PROJECT) is False

    @pytest.mark.parametrize(
        ("status", "verdict"),
        [(200, Verdict.ACCEPTED), (401, Verdict.REFUSED), (403, Verdict.UNKNOWN), (500, Verdict.UNKNOWN)],
    )
    def test_what_an_answer_of_another_service_says_of_the_key(self, status: int, verdict: Verdict) -> None:
        assert read_verdict(Answer(status, {}, b"")) is verdict


ATTRIBUTES: Final = {
    "specversion": "1.0",
    "id": "42",
    "source": "/backup-reaper",
    "type": "deleted",
    "dataschema": "urn:backup-reaper:x",
    "subject": "backup",
    "time": "2026-03-01T12:00:00.123456Z",
    "causationid": "7",
}
TAKEN: Final = {"failed_count": 0, "events": [{"event_id": "42", "error_code": None, "error_msg": None}]}


def published(answer: Callable[[Request], Answer], data: object = None, **known: Any) -> list[tuple[Request, str]]:
    """Publish one event; what was sent, and for which project."""
    sent: list[tuple[Request, str]] = []

    def send(request: Request, project_id: str, _: Delivery) -> Answer:
        sent.append((request, project_id))
        return answer(request)

    grid = EventGrid("https://eg.example", channel_id="c1", source="backup-reaper-results", send=send)
    grid.publish(ATTRIBUTES, {"a": 1} if data is None else data, delivery(**known))
    return sent


def says(body: object, status: int = 200) -> Callable[[Request], Answer]:
    return lambda _: Answer(status, {}, body if isinstance(body, bytes) else json.dumps(body).encode())


class TestEventGrid:
    def test_an_event_is_put_on_the_channel_of_the_function_s_own_project(self) -> None:
        [(request, project_id)] = published(says(TAKEN))

        assert (request.method, request.url) == ("POST", f"https://eg.example/v1/{PROJECT}/channels/c1/events")
        assert request.headers == {"Content-Type": "application/json"}
        assert project_id == PROJECT
        assert json.loads(request.body or b"") == {
            "events": [
                {
                    "specversion": "1.0",
                    "id": "42",
                    "source": "backup-reaper-results",
                    "type": "deleted",
                    "dataschema": "urn:backup-reaper:x",
                    "subject": "backup",
                    "time": "2026-03-01T12:00:00Z",
                    "datacontenttype": "application/json",
                    "data": {"a": 1, "extensions": {"causationid": "7"}},
                }
            ]
        }

    def test_data_that_is_no_object_stays_as_it_is(self) -> None:
        [(request, _)] = published(says(TAKEN), data="text")

        assert json.loads(request.body or b"")["events"][0]["data"] == "text"

    @pytest.mark.parametrize(
        "body",
        [
            {"failed_count": 1, "events": []},
            {"failed_count": 2, "events": []},
            {"failed_count": 1, "events": ["text"]},
            {"failed_count": False},
            {"failed_count": "0"},
            {"failed_count": 0.0},
            {},
            [],
            b"<html>",
            b"",
        ],
    )
    def test_a_200_that_does_not_count_0_failures_took_nothing(self, body: object) -> None:
        with pytest.raises(SinkError) as raised:
            published(says(body))

        assert raised.value.error_code == "SINK_REFUSED"
        assert raised.value.error_msg == "EventGrid answered 200 and took nothing"

    @pytest.mark.parametrize(
        ("status", "body", "told"),
        [
            (200, {"failed_count": 1, "events": [{"error_code": "1", "error_msg": "m"}]}, "200 and took nothing: 1, m"),
            (202, TAKEN, "202"),
            (302, TAKEN, "302"),
            (400, {"failed_count": 1, "events": [{"error_code": "00533012"}]}, "400: 00533012"),
            (403, {"error_code": "EG.00512000", "error_msg": "no permission"}, "403: EG.00512000, no permission"),
        ],
        ids=lambda part: str(part)[:20],
    )
    def test_a_refusal_is_told_in_eventgrid_s_words(self, status: int, body: object, told: str) -> None:
        with pytest.raises(SinkError) as raised:
            published(says(body, status))

        assert raised.value.error_code == "SINK_REFUSED"
        assert raised.value.error_msg == f"EventGrid answered {told}"

    def test_a_long_message_is_cut(self) -> None:
        with pytest.raises(SinkError) as raised:
            published(says({"error_code": "c", "error_msg": "m" * 5000}, 400))

        assert len(raised.value.error_msg) < 300

    def test_no_answer_says_what_was_in_the_way(self) -> None:
        def fail(_: Request) -> Answer:
            raise ApiUnavailableError("NO_ANSWER", "the connection was closed")

        with pytest.raises(SinkError, match="not published: the connection was closed") as raised:
            published(fail)

        assert raised.value.error_code == "SINK_UNREACHABLE"

    def test_without_a_key_it_is_the_key_that_is_missing(self) -> None:
        def fail(_: Request) -> Answer:
            raise ApiDeniedError("AGENCY_KEY_MISSING", "no key")

        with pytest.raises(ApiDeniedError):
            published(fail)

    def test_without_a_project_there_is_no_channel(self) -> None:
        with pytest.raises(SinkError, match="X-CFF-Project-Id"):
            published(says(TAKEN), home_project_id=None)

    def test_the_largest_report_fits_into_an_event(self) -> None:
        many = range(2 * MAX_REPORTED)
        backups = [
            made(AS_OF - (3 + age) * DAY, id=f"{number:03}{age:029}br07", instance_id=f"{number:032}in07")
            for number in many
            for age in range(3)
        ]
        absent = policy(name="q" * 64, instances=tuple(f"{number:032}in99" for number in many))
        planned = plan(backups, policy_file(policy(name="p" * 64), absent))
        tally = Tally(left=list(planned.expired()), stopped="x" * 1000)

        facts = report_facts(planned, False, tally, planned.counts())
        [(request, _)] = published(says(TAKEN), data=facts)

        assert [len(facts[name]) for name in ("groups", "expired", "left", "absent_instances")] == [MAX_REPORTED] * 4  # type: ignore[arg-type]
        assert len(request.body or b"") < 60_000

    def test_every_region_with_eventgrid_has_its_host(self) -> None:
        assert len(ENDPOINTS) == 10
        assert ENDPOINTS["cn-north-4"] == "https://eg.cn-north-4.myhuaweicloud.com"
        assert ENDPOINTS["eu-west-101"] == "https://eg.eu-west-101.myhuaweicloud.eu"
