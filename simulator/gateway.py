"""The gateway in front of the APIs: who may ask, how often, for what.

Sources: API Gateway User Guide, "Error Codes"; API Request Signing Guide, "Error Codes".
"""

import re
from collections.abc import Iterator
from urllib.parse import unquote

from . import eventgrid, iam, operations, signatures
from .account import AccessKey, Account, Throttle, Token
from .errors import ApiError
from .exchange import Answer, Request
from .service import Route, Service
from .services import TAURUSDB


def answer(account: Account, request: Request, service: Service = TAURUSDB) -> Answer:
    """Carry `request` out, and nothing else meanwhile; `service` is what is behind this gateway."""
    with account.lock:
        try:
            return _carry_out(account, request, service)
        except ApiError as error:
            return error.answer(request)


def _carry_out(account: Account, request: Request, service: Service) -> Answer:
    if request.method == "POST" and request.path == "/v3/auth/tokens":
        return iam.issue_token(account, request)
    for method, path, operation in _routes(service):
        match = re.fullmatch(path, request.path)
        if match is not None and method == request.method:
            project_id, *rest = map(unquote, match.groups())
            _admit(account, request, service, project_id)
            return operation(account, service, request, project_id, *rest)
    raise ApiError("APIGW.0101")


def _routes(service: Service) -> Iterator[Route]:
    yield "GET", service.list_path, operations.list_backups
    yield "DELETE", r"/v3/([^/]+)/backups/([^/]+)", operations.delete
    yield from service.more
    yield "POST", r"/v1/([^/]+)/channels/([^/]+)/events", _put_events


def _put_events(account: Account, _: Service, request: Request, project_id: str, channel_id: str) -> Answer:
    return eventgrid.put_events(account, request, project_id, channel_id)


def _admit(account: Account, request: Request, service: Service, project_id: str) -> None:
    caller = _caller(account, request)
    throttle = account.throttled(caller.user)
    if throttle is not None:
        wait = {} if throttle.retry_after is None else {"Retry-After": str(throttle.retry_after)}
        raise ApiError("APIGW.0308", _policy(throttle), headers=wait)
    if not account.allows(caller.projects, project_id):
        raise service.refusal("project")


def _caller(account: Account, request: Request) -> AccessKey | Token:
    if request.headers.get("Authorization", "").startswith(signatures.ALGORITHM):
        return signatures.verify(account, request)
    value = request.headers.get("X-Auth-Token")
    if value is None:
        raise ApiError(
            "APIGW.0301", "x-auth-token not found"
        )  # support.huaweicloud.com/intl/en-us/ocr_faq/ocr_01_0063.html
    token = account.tokens.get(value)
    if token is None:
        raise ApiError("APIGW.0301", "decrypt token fail")
    if token.expires_at is not None and token.expires_at <= account.now():
        raise ApiError("APIGW.0307")
    return token


def _policy(throttle: Throttle) -> str:
    minutes, rest = divmod(throttle.seconds, 60)
    time = f"{throttle.seconds:g} second" if rest else f"{minutes:g} minute"
    return f"policy user over ratelimit,limit:{throttle.limit},time:{time}"
