"""Publishing: a result has arrived only where the sink says so."""

import json
from datetime import UTC, datetime
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from function.delivery import Delivery
from function.errors import ApiUnavailableError, NotFinalError, SinkError
from function.events.sink import Sink
from function.exchange import Answer, Request

URL: Final = "http://broker-ingress.knative-eventing.svc/default/default"
ATTRIBUTES: Final = {
    "specversion": "1.0",
    "id": "42",
    "source": "/backup-reaper",
    "type": "deleted",
    "time": "2026-03-01T12:00:00Z",
}


def delivery() -> Delivery:
    return Delivery(now=datetime(2026, 3, 1, 12, tzinfo=UTC), until=0)


def test_a_result_is_posted_in_structured_mode_with_the_extensions_of_the_binding() -> None:
    """Knative SinkBinding: `K_SINK`, `K_CE_OVERRIDES`."""
    sent: list[tuple[Request, Delivery]] = []

    def exchange(request: Request, delivery: Delivery) -> Answer:
        sent.append((request, delivery))
        return Answer(202, {}, b"")

    mine = delivery()
    Sink(URL, {"team": "db"}, exchange).publish(ATTRIBUTES, {"a": 1}, mine)

    [(request, theirs)] = sent
    assert (request.method, request.url) == ("POST", URL)
    assert request.headers == {"content-type": "application/cloudevents+json"}
    assert json.loads(request.body or b"") == {
        **ATTRIBUTES,
        "team": "db",
        "datacontenttype": "application/json",
        "data": {"a": 1},
    }
    assert theirs is mine


def test_an_extension_of_the_binding_replaces_nothing_of_the_result() -> None:
    sent: list[Request] = []

    def exchange(request: Request, delivery: Delivery) -> Answer:
        sent.append(request)
        return Answer(202, {}, b"")

    result = {**ATTRIBUTES, "causationid": "the request's"}
    Sink(URL, {"causationid": "another", "team": "db"}, exchange).publish(result, {}, delivery())

    published = json.loads(sent[0].body or b"")
    assert (published["causationid"], published["team"]) == ("the request's", "db")


@given(st.integers(100, 599), st.binary(max_size=20))
def test_only_a_2xx_means_that_a_result_has_arrived(status: int, body: bytes) -> None:
    sink = Sink(URL, {}, lambda request, delivery: Answer(status, {}, body))

    if 200 <= status < 300:
        sink.publish(ATTRIBUTES, {}, delivery())
    else:
        with pytest.raises(SinkError) as raised:
            sink.publish(ATTRIBUTES, {}, delivery())

        assert (raised.value.error_code, raised.value.error_msg) == ("SINK_REFUSED", f"the sink answered {status}")


@pytest.mark.parametrize("status", [199, 300])
def test_a_status_beside_2xx_is_a_refusal(status: int) -> None:
    with pytest.raises(SinkError):
        Sink(URL, {}, lambda request, delivery: Answer(status, {}, b"")).publish(ATTRIBUTES, {}, delivery())


@pytest.mark.parametrize("status", [200, 202, 204, 299])
def test_any_2xx_is_enough(status: int) -> None:
    Sink(URL, {}, lambda request, delivery: Answer(status, {}, b"")).publish(ATTRIBUTES, {}, delivery())


def test_a_sink_that_does_not_answer_leaves_the_delivery_open() -> None:
    def exchange(request: Request, delivery: Delivery) -> Answer:
        raise ApiUnavailableError("NO_ANSWER", "no answer: TimeoutError")

    with pytest.raises(SinkError) as raised:
        Sink(URL, {}, exchange).publish(ATTRIBUTES, {}, delivery())

    assert isinstance(raised.value, NotFinalError)
    assert (raised.value.error_code, raised.value.error_msg) == (
        "SINK_UNREACHABLE",
        "the sink did not answer in time, or not whole",
    )
