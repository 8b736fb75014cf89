"""What belongs to one delivery of one event, and travels with it through every call."""

import time
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Call:
    """One exchange with the outside; status 0 where no answer came."""

    method: str
    url: str
    status: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EventName:
    """The event that is delivered: `source` and `id` together name it."""

    id: str
    source: str
    type: str
    time: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgencyKey:
    """The temporary key of an agency that FunctionGraph sends with a request; a part that it did not send is None."""

    access_key: str | None = field(default=None, repr=False)
    secret_key: str | None = field(default=None, repr=False)
    security_token: str | None = field(default=None, repr=False)


@dataclass(slots=True, kw_only=True)
class Delivery:
    """One delivery.

    Args:
        now: when it began, on the wall clock.
        until: the deadline for everything it does with the outside, on the monotonic clock, in seconds.
        traceparent: W3C trace context for the calls, if the sender gave one.
        tracestate: the rest of it, for the result.
        api_time: the `Date` of the API's latest answer, by which our own clock is checked.
        renewed: whether the one renewal of the credential has been spent.
        agency_key: on FunctionGraph, for this delivery alone.
        home_project_id: the project that the function itself is in, on FunctionGraph.
        invocation_id: FunctionGraph's name for the request.
        began: when it began, on the monotonic clock, in seconds.
        caller: the subject of the caller's token, where callers are checked.
        event, project_id, backup_id: what it is about, as far as it has been read; for log lines.
    """

    now: datetime
    until: float
    traceparent: str | None = None
    tracestate: str | None = None
    api_time: datetime | None = None
    renewed: bool = False
    calls: list[Call] = field(default_factory=list)
    agency_key: AgencyKey = AgencyKey()
    home_project_id: str | None = None
    invocation_id: str | None = None
    caller: str | None = None
    event: EventName | None = None
    project_id: str | None = None
    backup_id: str | None = None
    began: float = field(default_factory=time.monotonic)

    def part(self, seconds: float) -> "Delivery":
        """A delivery within this one, for one call or one deletion: with a deadline of its own, but no later one."""
        began = time.monotonic()
        return replace(
            self,
            now=self.now + timedelta(seconds=began - self.began),
            until=min(began + seconds, self.until),
            began=began,
            api_time=None,
            renewed=False,
            calls=[],
        )

    def left(self) -> float:
        """The seconds until the deadline; negative after it."""
        return self.until - time.monotonic()

    @property
    def trace(self) -> dict[str, str]:
        """The trace context as headers and extension attributes have it; empty without one."""
        fields = {"traceparent": self.traceparent, "tracestate": self.tracestate}
        return {name: value for name, value in fields.items() if value}

    @property
    def about(self) -> dict[str, object]:
        """The fields that every log line about this delivery carries."""
        fields: dict[str, object] = {}
        if event := self.event:
            fields["cloudevents.event_id"] = event.id
            fields["cloudevents.event_source"] = event.source
            fields["cloudevents.event_type"] = event.type
        if self.invocation_id:
            fields["faas.invocation_id"] = self.invocation_id
        if self.caller:
            fields["caller.subject"] = self.caller
        if self.traceparent:
            _, fields["trace_id"], fields["span_id"], _ = self.traceparent.split("-")
        if self.backup_id:
            fields["backup.id"], fields["project.id"] = self.backup_id, self.project_id
        return fields
