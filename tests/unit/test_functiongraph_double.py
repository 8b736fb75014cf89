"""The double of FunctionGraph calls as the documentation says, and reads an answer as the platform is known to."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email import message_from_bytes

import pytest

from simulator import AccessKey, Fault, Simulator
from simulator.eventgrid import handed_on, nothing_taken
from simulator.exchange import Json
from simulator.functiongraph import FunctionGraph, key_headers, timer_event
from tests.doubles.listening import Connection, Listener
from tests.facts.account import PROJECT
from tests.wire.deliverer import Reply, send

CHANNEL = "7f1e5c1e-8f0a-4c43-9a55-0d8b5a4c9e01"
TOKEN = {"X-Auth-Token": "demo-token"}


def returned(status: int = 200, *, code: object = None, body: object = "{}", **more: object) -> bytes:
    """An answer in FunctionGraph's form."""
    payload = {"statusCode": code or status, "isBase64Encoded": False, "headers": {}, "body": body, **more}
    return answered(status, json.dumps(payload).encode())


def answered(status: int, body: bytes) -> bytes:
    return b"HTTP/1.1 %d Any\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


@contextmanager
def listening(answer: Callable[[int], bytes]) -> Iterator[tuple[Listener, FunctionGraph]]:
    """A function that reads one request and gives the answer for a connection of this number."""

    def serve(connection: Connection) -> None:
        while b"\r\n\r\n" not in connection.received:
            connection.receive()
        head = bytes(connection.received).partition(b"\r\n\r\n")[0]
        length = int(message_from_bytes(head.partition(b"\r\n")[2])["Content-Length"])
        while len(connection.received) < len(head) + 4 + length:
            connection.receive()
        connection.send(answer(connection.number))

    with Listener(serve) as listener:
        yield listener, FunctionGraph(url=f"http://127.0.0.1:{listener.port}", timeout=5)


class TestRequest:
    def test_an_event_is_posted_to_invoke_with_the_context_in_headers(self) -> None:
        with listening(lambda _: returned()) as (listener, platform):
            platform.invoke({"a": 1}, "request-1")

        line, _, rest = listener.received.partition(b"\r\n")
        headers = message_from_bytes(rest)
        assert line == b"POST /invoke HTTP/1.1"
        assert headers.get_payload() == '{"a": 1}'
        assert headers["Content-Type"] == "application/json"
        assert headers["X-CFF-Request-Id"] == "request-1"
        assert headers["X-CFF-Func-Name"] == "0@default@backup-reaper-reaper"
        assert headers["X-CFF-Project-Id"] == PROJECT
        assert headers["X-CFF-Region"] == "cn"

    def test_an_instance_is_initialised_with_an_empty_object(self) -> None:
        with listening(lambda _: answered(200, b"")) as (listener, platform):
            assert platform.init() == 200

        assert listener.received.startswith(b"POST /init HTTP/1.1\r\n")
        assert listener.received.endswith(b"\r\n\r\n{}")

    def test_no_connection_is_used_twice(self) -> None:
        with listening(lambda _: returned()) as (listener, platform):
            platform.invoke({})
            platform.invoke({})

        assert len(listener.connections) == 2
        assert b"Connection: close" in listener.received

    def test_keys_are_those_of_the_moment_and_absent_unless_switched_on(self) -> None:
        keys = iter([{}, key_headers(AccessKey("AK1", "SK1", "ST1")), key_headers(AccessKey("AK2", "SK2", "ST2"))])
        with listening(lambda _: returned()) as (listener, platform):
            platform.keys = lambda: next(keys)
            for _ in range(3):
                platform.invoke({})

        sent = [message_from_bytes(bytes(each.received).partition(b"\r\n")[2]) for each in listener.connections]
        assert [each["X-CFF-Security-Access-Key"] for each in sent] == [None, "AK1", "AK2"]
        assert [each["X-CFF-Security-Secret-Key"] for each in sent] == [None, "SK1", "SK2"]
        assert [each["X-CFF-Security-Token"] for each in sent] == [None, "ST1", "ST2"]


class TestAnswer:
    def test_a_200_in_both_places_is_a_run_that_did_not_fail(self) -> None:
        with listening(lambda _: returned(body='{"deleted": true}')) as (_, platform):
            run = platform.invoke({})

        assert (run.status, run.failed, run.body) == (200, None, {"deleted": True})

    @pytest.mark.parametrize(
        ("answer", "why"),
        [
            (returned(503), "status 503, statusCode 503"),
            (returned(429), "status 429"),
            (returned(400), "status 400"),
            (returned(503, code=200), "status 503"),
            (returned(200, code=503), "statusCode 503"),
            (returned(200, code=204), "statusCode 204"),
            (answered(200, b"done"), "FSS.1202"),
            (answered(200, b""), "FSS.1202"),
            (answered(200, b"[]"), "FSS.1202"),
            (answered(200, b'{"body": "{}", "headers": {}}'), "FSS.1202"),
            (returned(body={}), "FSS.1202"),
            (returned(headers=None), "FSS.1202"),
            (returned(isBase64Encoded=True), "FSS.1202"),
            (returned(code=True), "FSS.1202"),
            (returned(code="200"), "FSS.1202"),
            (returned(body="x" * (6 << 20)), "6 MB"),
            (b"", "no answer"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", "no answer"),
        ],
    )
    def test_anything_else_is_a_failed_run(self, answer: bytes, why: str) -> None:
        with listening(lambda _: answer) as (_, platform):
            assert why in (platform.invoke({}).failed or "")

    def test_silence_is_a_failed_run_when_the_function_s_time_is_up(self) -> None:
        with Listener(Connection.wait_until_left) as listener:
            platform = FunctionGraph(url=f"http://127.0.0.1:{listener.port}", timeout=0.2)

            assert platform.invoke({}).failed == "no answer: TimeoutError"

    def test_a_run_that_is_cut_was_sent_all_the_same(self) -> None:
        with listening(lambda _: returned()) as (listener, platform):
            platform.cut = lambda: True
            run = platform.invoke({"a": 1})
            while b'{"a": 1}' not in listener.received:
                pass

        assert run.failed == "no answer: ConnectionAbortedError"


class TestRetries:
    def test_a_run_is_repeated_until_it_does_not_fail(self) -> None:
        with listening(lambda number: returned(200 if number == 2 else 503)) as (listener, platform):
            runs = platform.invoke_async({})

        assert [run.status for run in runs] == [503, 503, 200]
        assert len(listener.connections) == 3
        assert platform.dead == []

    def test_after_the_last_retry_the_whole_event_goes_to_the_destination(self) -> None:
        with listening(lambda _: returned(503, body='{"error_code": "PAUSED"}')) as (_, platform):
            platform.retries = 2
            runs = platform.invoke_async({"id": "1"})

        [message] = platform.dead
        assert len(runs) == 3
        assert message["request_payload"] == {"id": "1"}
        assert message["request_context"]["approximate_invoke_count"] == 3
        assert message["request_context"]["function_urn"].endswith(":function:default:backup-reaper-reaper:latest")
        assert message["response_context"]["status_code"] == 503
        assert json.loads(message["response_payload"]["body"]) == {"error_code": "PAUSED"}

    def test_the_repeats_have_the_same_request_id(self) -> None:
        with listening(lambda _: returned(503)) as (listener, platform):
            platform.invoke_async({})

        ids = {line for line in listener.received.split(b"\r\n") if line.startswith(b"X-CFF-Request-Id")}
        assert len(listener.connections) == 4
        assert len(ids) == 1

    def test_more_than_256_kb_cannot_be_handed_over(self) -> None:
        with pytest.raises(ValueError, match="256 KB"):
            FunctionGraph(url="http://127.0.0.1:1").invoke_async({"a": "x" * (256 << 10)})


def test_a_timer_s_body_is_what_the_documentation_shows() -> None:
    assert timer_event(datetime(2018, 6, 1, 0, 30, tzinfo=UTC), trigger_name="Timer_001", user_event="x") == {
        "version": "v1.0",
        "time": "2018-06-01T00:30:00Z",
        "trigger_type": "TIMER",
        "trigger_name": "Timer_001",
        "user_event": "x",
    }


def event(number: int = 1, **members: Json) -> dict[str, Json]:
    own = {"id": str(number), "source": "backup-reaper-results", "specversion": "1.0", "type": "t"}
    return {**own, **members}


def put(simulator: Simulator, *events: Json, channel: str = CHANNEL) -> Reply:
    path = f"/v1/{PROJECT}/channels/{channel}/events"
    return send(simulator.url, json.dumps({"events": events}).encode(), path=path, headers=TOKEN)


class TestPutEvents:
    def test_takes_events_and_says_that_none_failed(self, simulator: Simulator) -> None:
        sent = event(time="2018-04-05T17:31:00Z", datacontenttype="application/json", data={"a": 1}, subject="s")

        reply = put(simulator, sent, event(2))

        assert reply.status == 200
        assert json.loads(reply.body)["failed_count"] == 0
        assert [each["event_id"] for each in json.loads(reply.body)["events"]] == ["1", "2"]
        assert simulator.account.channels[CHANNEL].events == [sent, event(2)]

    def test_keeps_no_extension_attribute(self, simulator: Simulator) -> None:
        put(simulator, event(correlationid="c"))

        assert simulator.account.channels[CHANNEL].events == [event()]

    @pytest.mark.parametrize(
        ("events", "code"),
        [
            ([event(source="/backup-reaper")], "EG.00513000"),
            ([event(id="")], "EG.00513000"),
            ([{"id": "1", "source": "backup-reaper-results", "specversion": "1.0"}], "EG.00513000"),
            ([event(data="text")], "EG.00513000"),
            ([event(datacontenttype="text/plain")], "EG.00513000"),
            ([event(time="2018-04-05T17:31:00+00:00")], "EG.00513000"),
            ([], "EG.00513000"),
            (["text"], "EG.00513000"),
            ([event(number, data={"a": "x" * 60_000}) for number in range(5)], "EG.00533007"),
        ],
    )
    def test_refuses_all_of_a_call_that_is_not_right(self, simulator: Simulator, events: Json, code: str) -> None:
        reply = put(simulator, *events)

        assert (reply.status, json.loads(reply.body)["error_code"]) == (400, code)
        assert simulator.account.channels[CHANNEL].events == []

    @pytest.mark.parametrize(
        ("events", "code"),
        [([event(number) for number in range(21)], "00533013"), ([event(data={"a": "x" * 65536})], "00533012")],
    )
    def test_refuses_what_is_too_much_in_the_shape_of_a_success(
        self, simulator: Simulator, events: Json, code: str
    ) -> None:
        reply = put(simulator, *events)

        assert reply.status == 400
        assert json.loads(reply.body)["failed_count"] == len(events)
        assert json.loads(reply.body)["events"][0]["error_code"] == code
        assert simulator.account.channels[CHANNEL].events == []

    def test_an_unknown_channel_and_a_body_that_is_no_json_are_refused(self, simulator: Simulator) -> None:
        no_json = send(simulator.url, b"{", path=f"/v1/{PROJECT}/channels/{CHANNEL}/events", headers=TOKEN)

        assert json.loads(put(simulator, event(), channel="other").body)["error_code"] == "EG.00513005"
        assert json.loads(no_json.body)["error_code"] == "EG.00513000"

    def test_wants_a_credential(self, simulator: Simulator) -> None:
        path = f"/v1/{PROJECT}/channels/{CHANNEL}/events"

        assert send(simulator.url, b"{}", path=path).status == 401

    def test_a_200_can_mean_that_nothing_was_taken(self, simulator: Simulator) -> None:
        simulator.fault(Fault(method="POST", path="/events$", status=200, body=nothing_taken("1")))

        reply = put(simulator, event())

        assert reply.status == 200
        assert json.loads(reply.body)["failed_count"] == 1
        assert simulator.account.channels[CHANNEL].events == []

    def test_what_a_subscription_hands_on_has_the_marks_of_the_real_one(self) -> None:
        delivered = handed_on(event(time="2026-09-30T03:24:43Z"))

        assert delivered == {
            **event(time="2026-09-30T03:24:43.167931174Z"),
            "ttl": "4000",
            "dataschema": "",
            "subject": "",
        }
        assert handed_on(event(subject="s"))["subject"] == "s"
