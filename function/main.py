"""Entry point and composition root: environment, configuration, objects; HTTP request, delivery, HTTP answer.

Run by the functions framework: `functions-framework --source function/main.py --target delete_backup`.
"""

import gc
import json
import logging
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final, assert_never

import flask
import functions_framework

from .backups import DeleteBackup, Deleted, Failed, Outcome, Skipped
from .cloud.client import BackupClient
from .cloud.credentials import Credential, KeyPair, Secret, Token, User
from .config import Config
from .delivery import Delivery
from .errors import ApiDeniedError, ConfigError, NotAnEventError, NotFinalError, UndecidedError
from .events.binding import Event, read_event, write_event
from .events.contract import read_command, write_result
from .events.sink import Sink
from .events.trace import read_trace
from .exchange import read_retry_after
from .handler import handle
from .log import start_logging
from .transport import Transport

MAX_PROBLEM_BYTES: Final = 700  # what a dead letter keeps of a refusal
RETRY_AFTER_SECONDS: Final = 30
MAX_RETRY_AFTER_SECONDS: Final = 300
MAX_DISCARD_SECONDS: Final = 4.0
LEVELS: Final = {"deleted": logging.INFO, "skipped": logging.INFO}  # what else happens to a delivery is a warning

log = logging.getLogger("backup-reaper")

try:
    config = Config.from_env(os.environ)  # noqa: TID251  # the one place that reads the environment
except ConfigError as error:
    raise SystemExit(f"backup-reaper cannot start: {error}") from None

start_logging(config.log_level, config.secrets)
log.info("starting", extra={"config": config.in_force()})
try:
    transport = Transport(config.origins, pool_size=config.threads, ca_bundle=config.ca_bundle)
except ConfigError as error:
    raise SystemExit(f"backup-reaper cannot start: {error}") from None
except OSError:
    raise SystemExit("backup-reaper cannot start: REQUESTS_CA_BUNDLE holds no certificates that can be read") from None
sink = Sink(config.sink, config.extensions, transport.exchange) if config.sink else None


def _credential() -> Credential:
    match config.credential:
        case Secret() as token:
            return Token(token)
        case User() as user:
            from .cloud.iam import UserTokens  # the other kinds start without it

            return UserTokens(user, transport.exchange)
        case key:
            return KeyPair(key)


backups = BackupClient(config.endpoint, config.language, _credential(), transport.exchange)
gc.freeze()  # what is here stays; unless collections leave it alone, the server and its worker soon share no page of it


@functions_framework.http
def delete_backup(request: flask.Request) -> flask.Response:
    """Answer one HTTP request: a delivery of an event, or a probe."""
    if request.method in ("GET", "HEAD") and request.path == "/health":
        return _respond(200, {}, b"")
    if request.method != "POST":
        return _problem(405, "METHOD_NOT_ALLOWED", "events are delivered with POST", {"Allow": "POST"})
    began = time.monotonic()
    delivery = Delivery(now=_now(), until=began + config.deadline_seconds)
    try:
        response = _deliver(request, delivery)
    except NotAnEventError as error:
        response = _refuse(error, delivery)
    except NotFinalError as error:
        response = _postpone(error, delivery)
    except Exception:  # a bug
        log.exception("nobody foresaw this", extra=delivery.about)
        delivery.about |= {"outcome": "crashed", "error_code": "INTERNAL_ERROR"}
        response = _problem(500, "INTERNAL_ERROR", "nobody foresaw this; the log says where")
    _log_delivery(delivery, response.status_code, time.monotonic() - began)
    return response


def _deliver(request: flask.Request, delivery: Delivery) -> flask.Response:
    """Settle a delivery: the result event, as reply or to the sink."""
    if config.paused:
        raise UndecidedError("PAUSED", "REAPER_PAUSED is true: events wait with the broker")
    headers = {name.lower(): value for name, value in request.headers.items()}
    event = read_event(headers, _read_body(request))
    trace = read_trace(headers, event.attributes)
    delivery.traceparent = trace.get("traceparent")
    delivery.about |= _about_event(event, trace)
    command = read_command(event, config.accepted_types)
    outcome = command if isinstance(command, Failed) else _carry_out(command, delivery)
    delivery.about |= _about_outcome(outcome)
    attributes, data = write_result(event, outcome, source=config.event_source, now=delivery.now, trace=trace)
    if sink:
        sink.publish(attributes, data, delivery)
        return _respond(204, {}, b"")
    return _respond(200, *write_event(attributes, data, event.mode))


def _carry_out(command: DeleteBackup, delivery: Delivery) -> Outcome:
    delivery.about |= {"backup.id": command.backup_id, "project.id": command.project_id}
    return handle(command, config.policy, backups, delivery)


def _read_body(request: flask.Request) -> bytes:
    """The request's body, whole, unless it is too large: `Content-Length` can lie, and chunks have none."""
    length, body = request.content_length, b""
    if (length or 0) <= config.max_event_bytes:
        try:
            while chunk := request.stream.read(config.max_event_bytes + 1 - len(body)):
                body += chunk
        except Exception:  # of many kinds, all of gunicorn's making
            raise NotAnEventError(400, "the body is broken off, or is not in chunks as HTTP has them") from None
        if len(body) < (length or 0):
            raise NotAnEventError(400, "the body is shorter than Content-Length says")
        if len(body) <= config.max_event_bytes:
            return body
    raise NotAnEventError(413, f"the body is larger than {config.max_event_bytes} bytes")


def _refuse(error: NotAnEventError, delivery: Delivery) -> flask.Response:
    delivery.about |= {"outcome": "not_an_event", "error_code": "NOT_AN_EVENT", "error_msg": str(error)}
    return _problem(error.status, "NOT_AN_EVENT", str(error))


def _postpone(error: NotFinalError, delivery: Delivery) -> flask.Response:
    """Nothing is final: the deliverer shall come again."""
    if "outcome" in delivery.about:  # the sink did not take the result
        delivery.about["settled_as"] = delivery.about["outcome"]
    delivery.about |= {
        "outcome": "not_final",
        "error.type": type(error).__name__,
        "error_code": error.error_code,
        "error_msg": error.error_msg,
        **({"request_id": error.request_id} if error.request_id else {}),
    }
    seconds = read_retry_after(error.retry_after, delivery.now)
    seconds = RETRY_AFTER_SECONDS if seconds is None else min(seconds, MAX_RETRY_AFTER_SECONDS)
    status = 429 if error.http_status == 429 else 503
    return _problem(status, error.error_code, error.error_msg, {"Retry-After": str(seconds)})


def _problem(status: int, error_code: str, error_msg: str, headers: Mapping[str, str] | None = None) -> flask.Response:
    """Problem details (RFC 9457), short enough to survive whole in a dead letter."""
    error_msg = error_msg[:MAX_PROBLEM_BYTES]
    problem = {"title": HTTPStatus(status).phrase, "status": status, "error_code": error_code[:48]}
    while len(body := json.dumps({**problem, "error_msg": error_msg}).encode()) > MAX_PROBLEM_BYTES:
        error_msg = error_msg[: -((len(body) - MAX_PROBLEM_BYTES) // 12 + 1)]  # a character takes twelve bytes at most
    return _respond(status, {"Content-Type": "application/problem+json", **(headers or {})}, body)


def _respond(status: int, headers: Mapping[str, str], body: bytes) -> flask.Response:
    """A streamed response: before any other the framework would read what is left of the request into memory."""
    response = flask.Response(_stream(body, flask.request.environ), status, headers)
    response.content_length = len(body)
    return response


def _stream(body: bytes, environ: Mapping[str, Any]) -> Iterator[bytes]:
    """The body; after it what is left of the request is thrown away, as many clients listen only when all is sent."""
    yield body
    with suppress(Exception):  # the answer is given
        environ["gunicorn.socket"].settimeout(MAX_DISCARD_SECONDS)
        until = time.monotonic() + MAX_DISCARD_SECONDS
        while environ["wsgi.input"].read(1 << 18) and time.monotonic() < until:
            pass


def _about_event(event: Event, trace: Mapping[str, str]) -> dict[str, object]:
    about: dict[str, object] = {
        f"cloudevents.event_{name}": event.attributes[name] for name in ("id", "source", "type")
    }
    if trace:
        _, about["trace_id"], about["span_id"], _ = trace["traceparent"].split("-")
    return about


def _about_outcome(outcome: Outcome) -> dict[str, object]:
    match outcome:
        case Deleted():
            return {"outcome": "deleted", "absence": outcome.absence, "request_id": outcome.request_id}
        case Failed():
            facts = {"error_code": outcome.error_code, "error_msg": outcome.error_msg, "request_id": outcome.request_id}
            return {"outcome": "failed", **facts}
        case Skipped():
            return {"outcome": "skipped", "reason": outcome.reason}
        case _:
            assert_never(outcome)


def _log_delivery(delivery: Delivery, status: int, seconds: float) -> None:
    """The canonical line: one for each delivery, when it is settled."""
    calls = [
        {
            "http.request.method": call.method,
            "url.full": call.url,
            "http.response.status_code": call.status,
            "duration_seconds": round(call.seconds, 6),
        }
        for call in delivery.calls
    ]
    about = {
        **delivery.about,
        "calls": calls,
        "token_renewals": int(delivery.renewed),
        "duration_seconds": round(seconds, 6),
        "http.response.status_code": status,
    }
    acts = about["outcome"] == "crashed" or about.get("error.type") == ApiDeniedError.__name__  # an operator must
    level = logging.ERROR if acts else LEVELS.get(str(about["outcome"]), logging.WARNING)
    log.log(level, "delivery settled: %s", about["outcome"], extra=about)


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251  # the wall clock enters here
