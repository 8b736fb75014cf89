"""What belongs to one delivery of one event, and travels with it through every call."""

import time
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Call:
    """One exchange with the outside; status 0 where no answer came."""

    method: str
    url: str
    status: int
    seconds: float


@dataclass(slots=True, kw_only=True)
class Delivery:
    """One delivery.

    Args:
        now: when it began, on the wall clock.
        until: the deadline for everything it does with the outside, on the monotonic clock, in seconds.
        traceparent: W3C trace context for the calls, if the deliverer sent one.
        renewed: whether the one renewal of the credential has been spent.
        about: what log lines say of it, by field name; it grows as more is known.
    """

    now: datetime
    until: float
    traceparent: str | None = None
    renewed: bool = False
    calls: list[Call] = field(default_factory=list)
    about: dict[str, object] = field(default_factory=dict)

    def left(self) -> float:
        """The seconds until the deadline; negative after it."""
        return self.until - time.monotonic()
