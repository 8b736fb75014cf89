"""Faults on demand: what goes wrong, for which requests, and how often."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from random import Random
from threading import Lock

from .exchange import Answer, Json, Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What happens to a matching request: after the delay an answer of its own, no answer, or a closed connection.

    A fault with none of the three only delays the usual answer.

    Args:
        method: the method it matches; None: any.
        path: a regular expression searched for in the undecoded path and query; None: any.
        times: how many requests it happens to; None: all.
        rate: the probability with which it happens to a matching request.
        status: the status of the answer, which also has `headers` and `body`: a JSON value, text, bytes or nothing.
            A Content-Length in `headers` that is larger than the body makes a truncated answer.
        delay: seconds.
        hang: no answer until the client leaves or the simulator stops.
        drop: the connection is closed without an answer.
        takes_effect: the request is carried out first, before the delay; otherwise it is carried out only if it gets
            the usual answer.
    """

    method: str | None = None
    path: str | None = None
    times: int | None = 1
    rate: float = 1.0
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Json = None
    delay: float = 0.0
    hang: bool = False
    drop: bool = False
    takes_effect: bool = False

    def __post_init__(self) -> None:
        if (self.status is not None) + self.hang + self.drop > 1:
            raise ValueError("a fault is one of status, hang and drop")
        if self.status is None and (self.headers or self.body is not None):
            raise ValueError("headers and body need a status")
        if self.times is not None and self.times < 1:
            raise ValueError("times is None or at least 1")
        try:
            re.compile(self.path or "")
        except re.error as error:
            raise ValueError(f"path is no regular expression: {error}") from None

    @classmethod
    def from_json(cls, value: Json) -> "list[Fault]":
        """Read one fault or a list of them, or raise ValueError."""
        try:
            return [cls(**item) for item in (value if isinstance(value, list) else [value])]
        except TypeError as error:
            raise ValueError(str(error)) from None

    def to_json(self) -> Json:
        """Return the fault as `from_json` reads it, except that a body of bytes is shown as text."""
        return {**asdict(self), "body": str(self.body) if isinstance(self.body, bytes) else self.body}

    def matches(self, request: Request) -> bool:
        """Whether method and path are those of `request`."""
        return self.method in (None, request.method) and re.search(self.path or "", request.target) is not None

    def answer(self, request: Request) -> Answer | None:
        """Return the fault's own answer, if it has one; a subclass can derive it from the request."""
        return None if self.status is None else Answer(self.status, self.body, self.headers)


class Faults:
    """The faults that no request has met yet, in the order they were added; threads can share it."""

    def __init__(self, faults: Iterable[Fault] = (), *, seed: int = 0) -> None:
        self._lock = Lock()
        self._random = Random(seed)
        self._left = list(faults)

    def left(self) -> list[Fault]:
        """Return the faults that are left, `times` being how often."""
        with self._lock:
            return list(self._left)

    def add(self, *faults: Fault) -> None:
        """Add faults, behind those that are there."""
        with self._lock:
            self._left += faults

    def replace(self, faults: Iterable[Fault] = ()) -> None:
        """Replace the faults that are there."""
        with self._lock:
            self._left = list(faults)

    def meet(self, request: Request) -> Fault | None:
        """Return the first fault that `request` meets, and count it."""
        with self._lock:
            for index, fault in enumerate(self._left):
                if fault.matches(request) and self._random.random() < fault.rate:
                    if fault.times is not None:
                        self._left[index : index + 1] = (
                            [replace(fault, times=fault.times - 1)] if fault.times > 1 else []
                        )
                    return fault
        return None
