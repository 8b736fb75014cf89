"""The gateway in front of the APIs: who may ask, how often, for what (§4)."""

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import unquote

from . import api, eventgrid, iam, signatures
from .account import AccessKey, Account, Throttle, Token
from .errors import ApiError
from .exchange import Answer, Json, Request

_ROUTES: Final[tuple[tuple[str, re.Pattern[str], Callable[..., Json]], ...]] = (
    ("GET", re.compile(r"/v3/([^/]+)/backups"), api.list_backups),
    # What a deletion with an empty backup id becomes, "give or take a final slash" (§2).
    ("DELETE", re.compile(r"/v3/([^/]+)/backups/?"), api.delete_backups),
    ("DELETE", re.compile(r"/v3/([^/]+)/backups/([^/]+)"), api.delete_backup),
    ("POST", re.compile(r"/v1/([^/]+)/channels/([^/]+)/events"), eventgrid.put_events),
)


def answer(account: Account, request: Request) -> Answer:
    """Carry `request` out, and nothing else meanwhile."""
    with account.lock:
        try:
            return _carry_out(account, request)
        except ApiError as error:
            return error.answer(request)


def _carry_out(account: Account, request: Request) -> Answer:
    if request.method == "POST" and request.path == "/v3/auth/tokens":
        return iam.issue_token(account, request)
    for method, path, operation in _ROUTES:
        match = path.fullmatch(request.path)
        if match is not None and method == request.method:
            project_id, *rest = map(unquote, match.groups())
            _admit(account, request, project_id)
            answered = operation(account, request, project_id, *rest)
            return answered if isinstance(answered, Answer) else Answer(200, answered)
    raise ApiError("APIGW.0101")


def _admit(account: Account, request: Request, project_id: str) -> None:
    caller = _caller(account, request)
    throttle = account.throttled(caller.user)
    if throttle is not None:
        wait = {} if throttle.retry_after is None else {"Retry-After": str(throttle.retry_after)}
        raise ApiError("APIGW.0308", _policy(throttle), headers=wait)
    if not account.allows(caller.projects, project_id):
        # Which code a token of another project meets is not documented: the one for "not authorized" (§1).
        raise ApiError("DBS.200010")


def _caller(account: Account, request: Request) -> AccessKey | Token:
    if request.headers.get("Authorization", "").startswith(signatures.ALGORITHM):
        return signatures.verify(account, request)
    value = request.headers.get("X-Auth-Token")
    if value is None:
        raise ApiError("APIGW.0301", "x-auth-token not found")  # HW:intl/en-us/ocr_faq/ocr_01_0063.html
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
