"""The front door: an HTTP request becomes a delivery, and what it ends in becomes the HTTP answer."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Protocol

import flask

from .backups import Outcome, Planned
from .body import read_body, send_and_discard
from .delivery import Delivery, EventName
from .errors import UndecidedError
from .events.binding import Event, read_event, write_event
from .events.grammar import read_time
from .events.trace import read_trace
from .record import Record, log_record
from .reply import Reply, explain, problem

MAX_BODY_SECONDS: Final = 10.0

Settle = Callable[[Event, Delivery], tuple[Outcome | Planned, Mapping[str, str], Mapping[str, object]]]
CheckCaller = Callable[[Mapping[str, str], Delivery], None]
Publish = Callable[[Mapping[str, str], object, Delivery], None]


class Platform(Protocol):
    """How requests come in and answers go out.

    Attributes:
        probes: methods and paths that are answered 200 and nothing else.
    """

    probes: frozenset[tuple[str, str]]

    def read_event(self, headers: Mapping[str, str], body: bytes, delivery: Delivery) -> Event:
        """The event in a request; the delivery may learn more from the headers, whose names are in lower case."""
        ...

    def reply(self, reply: Reply) -> Reply:
        """The answer to a delivery in the platform's form."""
        ...


class Http:
    """CloudEvents over HTTP, as brokers deliver them."""

    probes = frozenset({("GET", "/health"), ("HEAD", "/health")})

    def read_event(self, headers: Mapping[str, str], body: bytes, delivery: Delivery) -> Event:
        """The event in a request."""
        return read_event(headers, body)

    def reply(self, reply: Reply) -> Reply:
        """The answer as it is."""
        return reply


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Answers probes and deliveries.

    Args:
        settle: carries an event out, and returns the outcome and the result event's attributes and data.
        publish: delivers result events elsewhere; None to reply with them.
        deadline_seconds: for everything a delivery does with the outside.
        paused: whether every event is to be sent again later.
        platform: what calls.
        check_caller: raises unless the headers, by their lower-case names, say that the caller may deliver; None to
            let anyone.
        observe: called once with each delivery's record.
    """

    settle: Settle
    publish: Publish | None
    deadline_seconds: float
    max_event_bytes: int
    paused: bool
    platform: Platform = field(default_factory=Http)
    check_caller: CheckCaller | None = None
    observe: Callable[[Record], None] = log_record

    def answer(self, request: flask.Request) -> flask.Response:
        """Answer one HTTP request: a delivery of an event, or a probe."""
        if (request.method, request.path) in self.platform.probes:
            return _respond(Reply(200))
        if request.method != "POST":
            return _respond(problem(405, "METHOD_NOT_ALLOWED", "events are delivered with POST", {"Allow": "POST"}))
        began = time.monotonic()
        now = datetime.now(UTC)  # noqa: TID251  # the wall clock enters here
        delivery = Delivery(now=now, until=began + self.deadline_seconds)
        outcome: Outcome | Planned | None = None
        error: Exception | None = None
        try:
            event = self._read(request, delivery)
            outcome, attributes, data = self.settle(event, delivery)
            reply = self._tell(event, attributes, data, delivery)
        except Exception as caught:
            reply = explain(caught, delivery)
            error = caught.with_traceback(None)  # it holds every frame, and what is in them
        seconds = time.monotonic() - began
        self.observe(Record(delivery=delivery, outcome=outcome, error=error, status=reply.status, seconds=seconds))
        return _respond(self.platform.reply(reply))

    def _read(self, request: flask.Request, delivery: Delivery) -> Event:
        """The event of a request; the delivery learns what it is about."""
        if self.paused:
            raise UndecidedError("PAUSED", "REAPER_PAUSED is true: events wait with the broker")
        headers = {name.lower(): value for name, value in request.headers.items()}
        if self.check_caller:
            self.check_caller(headers, delivery)
        for_body = min(MAX_BODY_SECONDS, self.deadline_seconds / 2)  # the rest is for what the event asks for
        body = read_body(request.environ, self.max_event_bytes, delivery.until - self.deadline_seconds + for_body)
        event = self.platform.read_event(headers, body, delivery)
        trace = read_trace(headers, event.attributes)
        delivery.traceparent, delivery.tracestate = trace.get("traceparent"), trace.get("tracestate")
        event_id, source, event_type = (str(event.attributes[name]) for name in ("id", "source", "type"))
        time_of_event = event.text("time")
        delivery.event = EventName(
            id=event_id, source=source, type=event_type, time=read_time(time_of_event) if time_of_event else None
        )
        return event

    def _tell(self, event: Event, attributes: Mapping[str, str], data: object, delivery: Delivery) -> Reply:
        """Publish the result, or reply with it in the mode of the request."""
        if self.publish:
            self.publish(attributes, data, delivery)
            return Reply(204)
        return Reply(200, *write_event(attributes, data, event.mode))


def _respond(reply: Reply) -> flask.Response:
    """Stream it: before a response that is not streamed, the framework reads the rest of the request into memory."""
    response = flask.Response(send_and_discard(reply.body, flask.request.environ), reply.status, reply.headers)
    response.content_length = len(reply.body)
    return response
