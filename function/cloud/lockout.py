"""Keeps a secret from being refused so often that the cloud locks the key or the user.

Sources: Huawei Cloud, "API Gateway: Error Codes" (more than five wrong signatures in a row lock an access key for five
minutes); "IAM: Login Authentication Policy" (five wrong passwords in 15 minutes lock a user for 15 minutes).
"""

import hashlib
import json
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from ..delivery import Delivery
from ..errors import ApiDeniedError, ApiUnavailableError

REFUSED_SECONDS: Final = 300.0  # how long a refused secret is not tried again
# How long a secret rests after a first trial without an answer. It is short, because mostly the network broke and not
# the secret. After the next such trial it rests as long as a refused one: together that is four trials in 15 minutes.
UNANSWERED_SECONDS: Final = 30.0
WINDOW_SECONDS: Final = 900.0
MAX_FAILURES: Final = 4  # trials in a window that failed one after the other: one less than what locks a user
MAX_SECRETS: Final = 16  # a rotation needs two


class Verdict(Enum):
    """What became of one use of a secret."""

    ACCEPTED = auto()
    REFUSED = auto()
    UNANSWERED = auto()  # the request was sent: the cloud may still refuse it, and count that
    UNKNOWN = auto()  # an answer that says nothing about the secret, or a request that was never sent


@dataclass(frozen=True, slots=True)
class _Refusal:
    at: float
    advice: str


@dataclass(slots=True)
class _Record:
    """What is known of one secret.

    Args:
        proven: an answer accepted it, and no later one was missing or a refusal.
        tried: its one trial is under way.
        acceptances, refusals: how many there were, to tell what came after a use began.
        failures: when trials failed since the last acceptance: refused, or without an answer.
        rests_until: no trial before, because the one before had no answer.
        refused: the latest refusal of each scope.
    """

    proven: bool = False
    tried: bool = False
    acceptances: int = 0
    refusals: int = 0
    failures: list[float] = field(default_factory=list)
    rests_until: float = 0.0
    refused: dict[str, _Refusal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Use:
    """One use of a secret, from `begin` to `settle`."""

    record: _Record
    scope: str
    is_trial: bool
    acceptances: int
    refusals: int


class LockoutGuard:
    """Decides when a secret may be used; remembers only digests.

    A secret that no answer has accepted yet is used by one delivery at a time. One that was refused, or that got no
    answer to such a trial, is not tried again for a while. Any other secret is free to be tried at once.

    Args:
        one_at_a_time: also where the secret is proven. After a change of a password every project asks at once.
        clock: monotonic, in seconds.
    """

    def __init__(self, *, one_at_a_time: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        self._one_at_a_time = one_at_a_time
        self._clock = clock
        self._changed = threading.Condition()
        self._records: OrderedDict[bytes, _Record] = OrderedDict()

    def begin(self, secrets: Sequence[str], delivery: Delivery, scope: str = "") -> Use:
        """Wait until secrets that belong together may be used. Whoever began must settle.

        Args:
            scope: what a refusal is about, such as one project; "" for the secret itself.

        Raises:
            ApiDeniedError: they were refused a short time ago.
            ApiUnavailableError: another delivery's trial is still without an answer, or was a short time ago.
        """
        digest = hashlib.sha256(json.dumps(secrets).encode()).digest()
        with self._changed:
            record = self._record(digest)
            while True:
                self._refuse(record, scope)
                if record.proven and not self._one_at_a_time:
                    return Use(record, scope, False, record.acceptances, record.refusals)
                left = delivery.left()
                if left > 0 and not record.tried:
                    record.tried = True
                    return Use(record, scope, True, record.acceptances, record.refusals)
                if not self._changed.wait(max(0.0, left)):
                    message = "the first use of the credential is still without an answer"
                    raise ApiUnavailableError("CREDENTIAL_UNPROVEN", message)

    def settle(self, use: Use, verdict: Verdict, advice: str = "correct the credential") -> None:
        """Remember what became of a use, and let those who wait go on.

        Args:
            advice: what an operator should do about a refusal.
        """
        record, now = use.record, self._clock()
        with self._changed:
            if use.is_trial:
                record.tried = False
            if verdict is Verdict.ACCEPTED and use.refusals == record.refusals:
                # Unless it was refused since this use began: then the acceptance is older news.
                record.proven, record.rests_until = True, 0.0
                record.acceptances += 1
                record.failures.clear()
                record.refused.pop(use.scope, None)
            elif verdict is Verdict.REFUSED:
                if use.is_trial or record.proven:  # those that were under way when it went bad count as one
                    record.failures.append(now)
                record.proven = False
                record.refusals += 1
                record.refused[use.scope] = _Refusal(now, advice)
            elif verdict is Verdict.UNANSWERED and use.acceptances == record.acceptances:
                self._rest(record, use, now)
            self._changed.notify_all()

    def _rest(self, record: _Record, use: Use, now: float) -> None:
        """A proven secret must be proven again, by one trial; an unproven one rests before its next trial."""
        record.proven = False
        if use.is_trial:
            first = not self._recent(record, now)
            record.rests_until = now + (UNANSWERED_SECONDS if first else REFUSED_SECONDS)
            record.failures.append(now)

    def _record(self, digest: bytes) -> _Record:
        record = self._records.setdefault(digest, _Record())
        self._records.move_to_end(digest)
        if len(self._records) > MAX_SECRETS:
            self._records.popitem(last=False)
        return record

    def _refuse(self, record: _Record, scope: str) -> None:
        """Raise if now is too early for another use."""
        now = self._clock()
        refusal = record.refused.get(scope)
        if refusal and (left := refusal.at + REFUSED_SECONDS - now) > 0:
            raise _denied(now - refusal.at, refusal.advice, left)
        recent = self._recent(record, now)
        if record.refused and len(recent) >= MAX_FAILURES:
            latest = max(record.refused.values(), key=lambda refusal: refusal.at)
            raise _denied(now - latest.at, latest.advice, recent[-MAX_FAILURES] + WINDOW_SECONDS - now)
        if (left := record.rests_until - now) > 0:
            message = f"the cloud did not answer the last use of the credential; the next try is in {left:.0f} s"
            raise ApiUnavailableError("CREDENTIAL_UNPROVEN", message, retry_after=str(math.ceil(left)))

    @staticmethod
    def _recent(record: _Record, now: float) -> list[float]:
        return [failure for failure in record.failures if now - failure < WINDOW_SECONDS]


def _denied(ago: float, advice: str, left: float) -> ApiDeniedError:
    return ApiDeniedError(
        "CREDENTIAL_REFUSED",
        f"the cloud refused the credential {ago:.0f} s ago: {advice}. The next try is in {left:.0f} s:"
        " more tries would lock the credential",
        retry_after=str(math.ceil(left)),
    )
