"""A broker double: the table of what three Knative brokers do with an answer, and a small broker that does it.

It delivers over real HTTP, one delivery after the other, on a clock of its own: backoff takes no time. The
profiles follow knative/eventing and knative-extensions' eventing-kafka-broker and eventing-rabbitmq, as their code and
documentation stood in 2026. `Retry-After` is in no profile: no broker heeds it unless an alpha flag is on.
"""

import base64
import heapq
import http.client
import itertools
import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum, auto
from operator import attrgetter
from typing import Final, TypeAlias
from urllib.parse import unquote

from tests.wire.deliverer import STRUCTURED, Envelope, Mode, Reply, encode, send

TTL: Final = 255  # knativebrokerttl, against loops: less one for every reply
INGRESS: Final = "http://broker-ingress.knative-eventing.svc.cluster.local/default/default"
REQUIRED: Final = ("specversion", "id", "source", "type")


class Fate(Enum):
    """What becomes of an event after an answer to its delivery."""

    DONE = auto()  # settled; if there is a reply it goes nowhere
    ROUTED = auto()  # settled, and the reply goes through the triggers
    RETRIED = auto()  # and when the retries are used up, dead-lettered
    DEAD = auto()  # dead-lettered at once
    DROPPED = auto()  # settled, although nobody took it
    UNKNOWN = auto()  # nobody has tried


class Body(Enum):
    """What the body of an answer is to a broker."""

    EMPTY = auto()
    EVENT = auto()
    BROKEN = auto()  # said to be a CloudEvent, but it isn't
    OTHER = auto()


@dataclass(frozen=True, slots=True)
class Row:
    """A row: which answers, and their fate with each broker."""

    statuses: Collection[int]
    bodies: Collection[Body]
    channel: Fate
    kafka: Fate
    rabbitmq: Fate


SILENCE: Final = 0  # no connection, no whole answer, time-out
_RETRIABLE: Final = frozenset({404, 408, 409, 429})
_OTHER_4XX: Final = frozenset(range(400, 500)) - _RETRIABLE
_ANY: Final = frozenset(Body)
_NO_EVENT: Final = _ANY - {Body.EVENT}

ROWS: Final = (
    # 200 + CloudEvent
    Row({200}, {Body.EVENT}, Fate.ROUTED, Fate.ROUTED, Fate.ROUTED),
    # 200/202/204, empty body
    Row({200, 202, 204}, {Body.EMPTY}, Fate.DONE, Fate.DONE, Fate.DONE),
    # 202 + CloudEvent
    Row({202}, {Body.EVENT}, Fate.ROUTED, Fate.ROUTED, Fate.UNKNOWN),
    # 2xx + other body
    Row(range(200, 300), {Body.OTHER}, Fate.RETRIED, Fate.DEAD, Fate.DONE),
    # 2xx + broken CloudEvent
    Row(range(200, 300), {Body.BROKEN}, Fate.DEAD, Fate.DEAD, Fate.DEAD),
    # 3xx
    Row(range(300, 400), _ANY, Fate.DEAD, Fate.DEAD, Fate.DROPPED),
    # other 4xx; the same with a CloudEvent
    Row(_OTHER_4XX, _NO_EVENT, Fate.DEAD, Fate.DEAD, Fate.DROPPED),
    Row(_OTHER_4XX, {Body.EVENT}, Fate.DEAD, Fate.DEAD, Fate.ROUTED),
    # 404 408 409 429; the same with a CloudEvent
    Row(_RETRIABLE, _NO_EVENT, Fate.RETRIED, Fate.RETRIED, Fate.RETRIED),
    Row(_RETRIABLE, {Body.EVENT}, Fate.RETRIED, Fate.RETRIED, Fate.ROUTED),
    # any 5xx, no connection, timeout
    Row({SILENCE, *range(500, 600)}, _ANY, Fate.RETRIED, Fate.RETRIED, Fate.RETRIED),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What one broker does differently.

    Args:
        cell: of a row.
        first_power: of two, by which the delay before the first retry is multiplied.
        error_data: what becomes of the last answer's body; None: it is left out.
        headers: on every delivery.
        stamps: attributes with the time of arrival, on events that don't have them.
    """

    name: str
    cell: Callable[[Row], Fate]
    first_power: int
    error_data: Callable[[bytes], bytes] | None
    headers: Mapping[str, str] = field(default_factory=dict)
    stamps: Collection[str] = ()

    def fate(self, reply: Reply | None) -> Fate:
        """What becomes of an event; an AssertionError where nobody knows."""
        status, body = (reply.status, body_of(reply)) if reply else (SILENCE, Body.EMPTY)
        fates = [self.cell(row) for row in ROWS if status in row.statuses and body in row.bodies]
        assert len(fates) == 1, f"no row for {status} with a body that is {body}"
        assert fates[0] is not Fate.UNKNOWN, f"nobody has tried {status} with a body that is {body} on {self.name}"
        return fates[0]

    def dead_letter(self, event: Envelope, destination: str, reply: Reply | None) -> Envelope:
        """The event, whole, with what is told of its last delivery.

        Of silence the sheet tells no code, so none is given.
        """
        errors: dict[str, object] = {"knativeerrordest": destination}
        if reply:
            errors["knativeerrorcode"] = reply.status
        if reply and reply.body and self.error_data:
            errors["knativeerrordata"] = self.error_data(reply.body).decode()
        if self is CHANNEL and reply and 200 <= reply.status < 300:  # only a body that should not be there leads here
            broken = body_of(reply) is Body.BROKEN
            errors = {"knativeerrordest": INGRESS, "knativeerrorcode": 400} if broken else {}
        return {**event, **errors}


CHANNEL: Final = Profile(
    name="channel",
    cell=attrgetter("channel"),
    first_power=0,
    error_data=lambda body: base64.b64encode(body)[:1024],
    headers={
        "Prefer": "reply",
        "Kn-Namespace": "default",
        "Traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
    },
    stamps=["knativearrivaltime"],
)
# Its deliveries were not looked at on the wire: what it may add to them is in the other two profiles.
KAFKA: Final = Profile(
    name="kafka", cell=attrgetter("kafka"), first_power=1, error_data=lambda body: base64.b64encode(body[:1024])
)
RABBITMQ: Final = Profile(name="rabbitmq", cell=attrgetter("rabbitmq"), first_power=1, error_data=None, stamps=["time"])
PROFILES: Final = (CHANNEL, KAFKA, RABBITMQ)

Subscriber: TypeAlias = Callable[[Envelope, Mapping[str, str], float], Reply]
"""Takes an event, headers and a time-out in seconds; an OSError or HTTPException is silence."""


def over_http(url: str, mode: Mode = "binary") -> Subscriber:
    """Whoever listens there; binary, unless the trigger says `format: json`."""

    def deliver(event: Envelope, headers: Mapping[str, str], timeout: float) -> Reply:
        return _post(url, event, mode, headers, timeout)

    return deliver


def _post(url: str, event: Envelope, mode: Mode, headers: Mapping[str, str], timeout: float) -> Reply:
    """Deliver once; data that is bytes goes as it is, for a policy engine may write anything."""
    own, body = encode(event if not isinstance(event.get("data"), bytes) else {**event, "data": None}, mode)
    raw = event.get("data")
    return send(url, raw if isinstance(raw, bytes) else body, headers={**headers, **own}, timeout=timeout)


@dataclass(slots=True, kw_only=True)
class Trigger:
    """A subscription (attributes that are equal are all that three brokers know).

    Args:
        retry: how often after the first time.
        backoff: seconds; exponential.
        timeout: seconds of real time for one delivery.
    """

    name: str
    subscriber: Subscriber
    filter: Mapping[str, str] = field(default_factory=dict)
    retry: int = 8
    backoff: float = 2.0
    timeout: float = 10.0

    @property
    def url(self) -> str:
        """What dead letters call the subscriber; the double delivers elsewhere."""
        return f"http://{self.name}.default.svc.cluster.local"

    def wants(self, event: Envelope) -> bool:
        """Whether the event passes the filter."""
        return all(event.get(name) == value for name, value in self.filter.items())


@dataclass(frozen=True, slots=True)
class Attempt:
    """One delivery, and when it began on the broker's clock."""

    at: float
    trigger: str
    event: Envelope
    status: int
    fate: Fate


@dataclass(frozen=True, slots=True, order=True)
class _Due:
    at: float
    order: int
    event: Envelope = field(compare=False)
    trigger: Trigger = field(compare=False)
    ttl: int = field(compare=False)
    failures: int = field(default=0, compare=False)


class Broker:
    """A broker with its triggers; everything that passes through leaves a trace.

    Args:
        on_wait: called with the seconds for which there is nothing to do, whenever that is so.

    Attributes:
        now: seconds since the beginning.
        dead_letters: each whole, with what the profile tells of its last delivery.
        dropped: nobody took it, and it is gone all the same.
        looped: a reply that came of too many replies.
        unwanted: it passed no trigger's filter.
    """

    def __init__(
        self,
        profile: Profile,
        triggers: Iterable[Trigger],
        *,
        on_wait: Callable[[float], object] = lambda seconds: None,
    ) -> None:
        self.profile = profile
        self.triggers = list(triggers)
        self._on_wait = on_wait
        self._order = itertools.count()
        self._due: list[_Due] = []
        self.now = 0.0
        self.attempts: list[Attempt] = []
        self.dead_letters: list[Envelope] = []
        self.dropped: list[Envelope] = []
        self.looped: list[Envelope] = []
        self.unwanted: list[Envelope] = []

    def publish(self, *events: Envelope, ttl: int = TTL) -> None:
        """Take events in; they are delivered by `run`."""
        for event in events:
            wanting = [trigger for trigger in self.triggers if trigger.wants(event)]
            for trigger in wanting:
                heapq.heappush(self._due, _Due(self.now, next(self._order), event, trigger, ttl))
            if not wanting:
                self.unwanted.append(event)

    def run(self) -> None:
        """Deliver, until there is nothing left to deliver."""
        while self._due:
            due = heapq.heappop(self._due)
            if due.at > self.now:
                self._on_wait(due.at - self.now)
                self.now = due.at
            self._settle(due, self._deliver(due))

    def _deliver(self, due: _Due) -> Reply | None:
        began = self.now
        event = {**dict.fromkeys(self.profile.stamps, datetime.now(UTC).isoformat()), **due.event}
        try:
            reply = due.trigger.subscriber(event, self.profile.headers, due.trigger.timeout)
        except TimeoutError:
            reply = None
            self.now += due.trigger.timeout
        except (OSError, http.client.HTTPException):
            reply = None
        status = reply.status if reply else SILENCE
        self.attempts.append(Attempt(began, due.trigger.name, due.event, status, self.profile.fate(reply)))
        return reply

    def _settle(self, due: _Due, reply: Reply | None) -> None:
        match self.attempts[-1].fate:
            case Fate.ROUTED if reply:
                self._route(read_reply(reply), due.ttl - 1)
            case Fate.DROPPED:
                self.dropped.append(due.event)
            case Fate.RETRIED if due.failures < due.trigger.retry:
                wait = due.trigger.backoff * 2 ** (self.profile.first_power + due.failures)
                again = _Due(
                    self.now + wait, next(self._order), due.event, due.trigger, due.ttl, failures=due.failures + 1
                )
                heapq.heappush(self._due, again)
            case Fate.RETRIED | Fate.DEAD:
                self.dead_letters.append(self.profile.dead_letter(due.event, due.trigger.url, reply))

    def _route(self, event: Envelope, ttl: int) -> None:
        if ttl > 0:
            self.publish(event, ttl=ttl)
        else:
            self.looped.append(event)


def body_of(reply: Reply) -> Body:
    """What the body of an answer is to a broker."""
    claims = reply.headers.get("content-type") == STRUCTURED or any(name.startswith("ce-") for name in reply.headers)
    if not claims:
        return Body.OTHER if reply.body else Body.EMPTY
    try:
        event = read_reply(reply)
    except ValueError:
        return Body.BROKEN
    return Body.EVENT if all(event.get(name) for name in REQUIRED) else Body.BROKEN


def read_reply(reply: Reply) -> Envelope:
    """The event in an answer of any status, well-formed or not; ValueError if there is none to see."""
    if reply.headers.get("content-type") != STRUCTURED:
        event: Envelope = {name[3:]: unquote(value) for name, value in reply.headers.items() if name.startswith("ce-")}
        if reply.body:
            event |= {"datacontenttype": reply.headers.get("content-type"), "data": json.loads(reply.body)}
        return event
    envelope = json.loads(reply.body)
    if not isinstance(envelope, dict):
        raise ValueError("no object")
    return envelope
