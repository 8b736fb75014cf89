"""An HTTP answer, and the problem details of a delivery that has no result."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

from .delivery import Delivery
from .errors import NotAllowedError, NotAnEventError, NotFinalError
from .exchange import read_retry_after

MAX_PROBLEM_BYTES: Final = 700  # what a dead letter keeps of a refusal
MAX_CODE_CHARS: Final = 48
RETRY_AFTER_SECONDS: Final = 30
MAX_RETRY_AFTER_SECONDS: Final = 300

log = logging.getLogger("backup-reaper")


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer to a request."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


def explain(error: Exception, delivery: Delivery) -> Reply:
    """The answer to a delivery that has no result. An exception that nobody handled is logged."""
    match error:
        case NotAnEventError():
            return problem(error.status, "NOT_AN_EVENT", str(error))
        case NotAllowedError():
            challenge = {"WWW-Authenticate": error.challenge} if error.challenge else {}
            return problem(error.status, error.error_code, error.error_msg, challenge)
        case NotFinalError():
            asked = read_retry_after(error.retry_after, delivery.now)
            seconds = RETRY_AFTER_SECONDS if asked is None else min(asked, MAX_RETRY_AFTER_SECONDS)
            status = 429 if error.http_status == 429 else 503
            return problem(status, error.error_code, error.error_msg, {"Retry-After": str(seconds)})
        case _:
            log.error("unhandled exception", exc_info=error, extra=delivery.about)
            return problem(500, "INTERNAL_ERROR", "unhandled exception: the log says where")


def problem(status: int, error_code: str, error_msg: str, headers: Mapping[str, str] | None = None) -> Reply:
    """Problem details (RFC 9457), short enough for a dead letter to keep all of them."""
    fields = {"title": HTTPStatus(status).phrase, "status": status, "error_code": error_code[:MAX_CODE_CHARS]}
    error_msg = error_msg[:MAX_PROBLEM_BYTES]
    while len(body := json.dumps({**fields, "error_msg": error_msg}).encode()) > MAX_PROBLEM_BYTES:
        error_msg = _shortened(error_msg, len(body) - MAX_PROBLEM_BYTES)
    return Reply(status, {"Content-Type": "application/problem+json", **(headers or {})}, body)


def _shortened(text: str, excess: int) -> str:
    """A text without some characters at its end: as many as surely take no more than the excess of bytes in JSON."""
    return text[: -(excess // 12 + 1)]  # an escaped surrogate pair takes twelve
