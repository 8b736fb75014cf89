"""What becomes of a night's events on a simulated clock: the broker's retries against the API's throttle."""

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

# The wait before the n-th retry, from 1 on, for a delay in seconds.
WAITS: dict[tuple[str, str], Callable[[float, int], float]] = {
    ("Kafka", "linear"): lambda delay, n: delay * n,
    ("Kafka", "exponential"): lambda delay, n: delay * 2.0**n,
    ("MTChannelBasedBroker", "linear"): lambda delay, n: delay * (n - 1),
    ("MTChannelBasedBroker", "exponential"): lambda delay, n: delay * 2.0 ** (n - 1),
}


@dataclass(kw_only=True)
class Api:
    """The API: so many calls in any so many seconds, and nothing at all until it is up.

    Args:
        down_seconds: from the beginning.
        down_costs: what a delivery takes meanwhile, in seconds.
    """

    limit: int = 200
    window: float = 300.0
    call_seconds: float = 0.2
    down_seconds: float = 0.0
    down_costs: float = 0.05
    _recent: deque[float] = field(init=False, default_factory=deque)

    def carry_out(self, calls: int, start: float) -> tuple[bool, float]:
        """Whether a delivery that makes these calls one after the other reaches an outcome, and when it ends."""
        if start < self.down_seconds:
            return False, start + self.down_costs
        for number in range(1, calls + 1):
            now = start + number * self.call_seconds
            while self._recent and self._recent[0] <= now - self.window:
                self._recent.popleft()
            if len(self._recent) >= self.limit:
                return False, now
            self._recent.append(now)
        return True, now


def dead_letters(
    events: int,
    api: Api,
    *,
    wait: Callable[[int], float],
    retries: int,
    slots: int,
    patience: float,
    calls: int,
) -> int:
    """How many of the events that all come at once are given up.

    Args:
        wait: the seconds before the n-th retry.
        slots: how many deliveries run at once; the others wait in line, in the order in which they came.
        patience: the seconds, the wait in line included, after which a delivery has failed.
        calls: how many a deletion takes; one where an earlier delivery has deleted without its answer being heard.
    """
    line = [(0.0, event, 0) for event in range(events)]
    free = [0.0] * slots
    left = [calls] * events
    given_up = 0
    while line:
        came, event, tried = heapq.heappop(line)
        start = max(came, free[0])
        settled, end = False, came + patience
        if start < end:
            settled, finished = api.carry_out(left[event], start)
            heapq.heapreplace(free, finished)
            left[event] = 1 if settled else left[event]
            settled, end = settled and finished <= end, min(finished, end)
        if settled:
            continue
        if tried == retries:
            given_up += 1
        else:
            heapq.heappush(line, (end + wait(tried + 1), event, tried + 1))
    return given_up
