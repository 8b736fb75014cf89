"""The record of one answered delivery, and the canonical log line that is written from it."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never

from .backups import Deleted, Failed, Outcome, Planned, Skipped
from .delivery import Delivery
from .errors import NotAllowedError, NotAnEventError, NotFinalError
from .exchange import MAX_NAME_CHARS, bounded

log = logging.getLogger("backup-reaper")


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One delivery that has been answered.

    Args:
        outcome: the final outcome, if there is one.
        error: why the delivery was refused or must be repeated. Beside an outcome: why its result was not published.
        status: of the HTTP answer; None where there is none, in a sweep.
        seconds: that the delivery took.
    """

    delivery: Delivery
    outcome: Outcome | Planned | None
    error: Exception | None
    status: int | None
    seconds: float


def log_record(record: Record) -> None:
    """Write the canonical log line: one for each delivery."""
    delivery, error = record.delivery, record.error
    facts = dict(_about_outcome(record.outcome)) if record.outcome else {}
    if error:
        settled_as = {"settled_as": facts["outcome"]} if facts else {}
        facts |= {**settled_as, **_about_error(error)}
    calls = [
        {
            "http.request.method": call.method,
            "url.full": call.url,
            "http.response.status_code": call.status,
            "duration_seconds": round(call.seconds, 6),
        }
        for call in delivery.calls
    ]
    fields = {
        **delivery.about,
        **_age(delivery),
        **facts,
        "calls": calls,
        "token_renewals": int(delivery.renewed),
        "duration_seconds": round(record.seconds, 6),
        **({"http.response.status_code": record.status} if record.status else {}),
    }
    log.log(_level(record), "delivery settled: %s", facts["outcome"], extra=fields)


def _age(delivery: Delivery) -> Mapping[str, float]:
    """How old the event was when it was delivered, if it says when it was made."""
    made = delivery.event and delivery.event.time
    return {"event_age_seconds": round((delivery.now - made).total_seconds(), 3)} if made else {}


def _about_outcome(outcome: Outcome | Planned) -> Mapping[str, object]:
    match outcome:
        case Deleted():
            return {"outcome": "deleted", "absence": outcome.absence, "request_id": _name(outcome.request_id)}
        case Failed():
            return {"outcome": "failed", **_what_was_said(outcome), "request_id": _name(outcome.request_id)}
        case Skipped():
            return {"outcome": "skipped", "reason": outcome.reason}
        case Planned():
            skipped = {"reason": outcome.skipped} if outcome.skipped else {}
            return {"outcome": "planned", "mode": outcome.mode, **skipped, "counts": dict(outcome.counts)}
        case _:
            assert_never(outcome)


def _about_error(error: Exception) -> Mapping[str, object]:
    match error:
        case NotAnEventError():
            return {"outcome": "not_an_event", "error_code": "NOT_AN_EVENT", "error_msg": bounded(str(error))}
        case NotAllowedError():
            return {"outcome": "not_allowed", "error_code": error.error_code, "error_msg": error.error_msg}
        case NotFinalError():
            request_id = {"request_id": _name(error.request_id)} if error.request_id else {}
            return {"outcome": "not_final", "error.type": type(error).__name__, **_what_was_said(error), **request_id}
        case _:
            return {"outcome": "crashed", "error_code": "INTERNAL_ERROR"}


def _what_was_said(refusal: Failed | NotFinalError) -> Mapping[str, object]:
    return {"error_code": _name(refusal.error_code), "error_msg": bounded(refusal.error_msg)}


def _name(text: str | None) -> str | None:
    return text and bounded(text, MAX_NAME_CHARS)


def _level(record: Record) -> int:
    match record.error:
        case None:
            return logging.WARNING if isinstance(record.outcome, Failed) else logging.INFO
        case NotAnEventError():
            return logging.WARNING
        case NotAllowedError() as error:  # any pod can cause a 401; a 403 has the right issuer's signature
            return logging.ERROR if error.status == 403 else logging.WARNING
        case NotFinalError() as error:
            return logging.ERROR if error.needs_operator else logging.WARNING
        case _:
            return logging.ERROR
