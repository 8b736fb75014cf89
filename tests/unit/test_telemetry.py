"""A span for each call, and what it shows."""

import time
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from function import telemetry
from function.delivery import Delivery
from function.errors import ApiUnavailableError
from function.exchange import Answer, Request

API: Final = Request(
    "DELETE", "https://api.example:8443/v3/p/backups/b", {"traceparent": "the sender's", "x-auth": "5ecret"}
)
SINK: Final = Request("POST", "https://sink.example/a/5ecret?token=5ecret", {})


class Calls:
    """Requests in spans, and how they arrived."""

    def __init__(self, answer: Answer | Exception) -> None:
        self.answer = answer
        self.arrived: list[Request] = []
        self.exporter = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.exchange = telemetry.traced(self.upstream, SINK.url, provider)

    def upstream(self, request: Request, delivery: Delivery) -> Answer:
        self.arrived.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def send(self, request: Request) -> Answer:
        return self.exchange(request, Delivery(now=datetime.now(UTC), until=time.monotonic() + 5))

    @property
    def span(self) -> ReadableSpan:
        [span] = self.exporter.get_finished_spans()
        return span

    @property
    def attributes(self) -> dict[str, Any]:
        return dict(self.span.attributes or {})


def test_a_call_is_a_client_span_whose_context_goes_along() -> None:
    calls = Calls(Answer(200, {}, b""))

    answer = calls.send(API)
    context = calls.span.get_span_context()

    assert answer.status == 200
    assert (calls.span.name, calls.span.kind, calls.span.status.status_code) == (
        "DELETE",
        SpanKind.CLIENT,
        StatusCode.UNSET,
    )
    assert calls.attributes == {
        "http.request.method": "DELETE",
        "server.address": "api.example",
        "url.full": API.url,
        "http.response.status_code": 200,
    }
    assert context
    assert calls.arrived[0].headers == {
        "x-auth": "5ecret",
        "traceparent": f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}",
    }


@pytest.mark.parametrize("status", [404, 503])
def test_a_refusal_is_an_error_in_the_span_and_an_answer_all_the_same(status: int) -> None:
    calls = Calls(Answer(status, {}, b""))

    assert calls.send(API).status == status
    assert calls.attributes["error.type"] == str(status)
    assert calls.span.status.status_code == StatusCode.ERROR


def test_no_answer_is_an_error_with_our_code_and_nothing_more() -> None:
    calls = Calls(ApiUnavailableError("NO_ANSWER", "5ecret"))

    with pytest.raises(ApiUnavailableError):
        calls.send(API)

    assert calls.attributes["error.type"] == "NO_ANSWER"
    assert (calls.span.status.status_code, calls.span.status.description) == (StatusCode.ERROR, None)
    assert calls.span.events == ()
    assert "5ecret" not in calls.span.to_json()


def test_of_a_sink_only_the_host_is_shown() -> None:
    calls = Calls(Answer(202, {}, b""))

    calls.send(SINK)

    assert calls.arrived[0].url == SINK.url
    assert calls.attributes["url.full"] == "https://sink.example"
    assert "5ecret" not in calls.span.to_json()


def test_it_is_on_where_opentelemetry_has_been_loaded() -> None:
    assert telemetry.is_on()  # this module has
