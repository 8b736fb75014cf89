"""Many deliveries at once, as a broker with several partitions makes them."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count

from tests.wire.deliverer import Envelope, Reply, deliver


def deliver_all(
    url: str, events: Sequence[Envelope], *, threads: int = 32, halfway: Callable[[], None] | None = None
) -> list[Reply]:
    """Deliver each event once; the replies, in the order of the events.

    Args:
        halfway: is called once, while the others go on, when half of the events have been delivered.
    """
    delivered = count(1)

    def deliver_one(event: Envelope) -> Reply:
        reply = deliver(url, event)
        if next(delivered) == len(events) // 2 and halfway:  # `next` is one step to every thread
            halfway()
        return reply

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(deliver_one, events))
