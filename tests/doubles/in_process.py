"""The simulator without a socket, and deliveries that take turns: thousands of them in seconds, each time the same."""

import threading
from collections.abc import Callable, Iterable, Sequence
from http.client import HTTPMessage
from typing import TypeVar
from urllib.parse import urlsplit

from function.delivery import Delivery
from function.errors import ApiUnavailableError
from function.exchange import Answer, Request
from simulator import Account, Fault, gateway
from simulator.exchange import Request as Asked
from simulator.faults import Faults

T = TypeVar("T")


class Upstream:
    """An account behind its gateway; `exchange` is what `Transport.exchange` would be.

    Attributes:
        faults: what is still to go wrong; no delay and no silence.
        turns: if set, each exchange waits for its turn.
    """

    def __init__(self, account: Account) -> None:
        self.account = account
        self.faults = Faults()
        self.turns: Turns | None = None

    def exchange(self, request: Request, delivery: Delivery) -> Answer:
        """Carry a request out as the simulator's server does."""
        if self.turns:
            self.turns.pause()
        headers = HTTPMessage()
        for name, value in request.headers.items():
            headers[name] = value
        url = urlsplit(request.url)
        asked = Asked("request-id", request.method, url._replace(scheme="", netloc="").geturl(), headers, b"")
        fault = self.faults.meet(asked) or Fault()
        carried_out = gateway.answer(self.account, asked) if fault.takes_effect else None
        if fault.drop:
            raise ApiUnavailableError("NO_ANSWER", "the connection was closed")
        answer = fault.answer(asked) or carried_out or gateway.answer(self.account, asked)
        return Answer(
            answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.content()[1]
        )


class Turns:
    """Threads of which one runs at a time: where one pauses, it is chosen which goes on.

    Args:
        choose: one of the numbers it is given.
    """

    def __init__(self, choose: Callable[[Sequence[int]], int]) -> None:
        self._choose = choose
        self._go: dict[int, threading.Semaphore] = {}
        self._stopped = threading.Semaphore(0)
        self._own = threading.local()

    def pause(self) -> None:
        """Let another one go on, perhaps."""
        self._stopped.release()
        self._go[self._own.number].acquire()

    def take(self, tasks: Iterable[Callable[[], T]]) -> list[T]:
        """Carry the tasks out in as many threads; their results, in order."""
        results: dict[int, T] = {}
        alive: dict[int, threading.Thread] = {}
        for number, task in enumerate(tasks):
            self._go[number] = threading.Semaphore(0)
            alive[number] = threading.Thread(target=self._run, args=(number, task, results), daemon=True)
            alive[number].start()
        count = len(alive)
        while alive:
            chosen = self._choose(sorted(alive))
            self._go[chosen].release()
            assert self._stopped.acquire(timeout=30)
            if chosen in results:
                alive.pop(chosen).join()
        return [results[number] for number in range(count)]

    def _run(self, number: int, task: Callable[[], T], results: dict[int, T]) -> None:
        self._own.number = number
        self._go[number].acquire()
        results[number] = task()
        self._stopped.release()
