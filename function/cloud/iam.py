"""IAM's wire format, pure, and the tokens of an IAM user.

Source: Huawei Cloud, "IAM: API Reference, Obtaining a User Token Through Password Authentication".
"""

import json
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from ..delivery import Delivery
from ..errors import ApiDeniedError, ApiUnavailableError
from ..exchange import Answer, Request
from ..redaction import redactor_of
from ..strict_json import read_json
from .authorized import AuthorizedRequest
from .credentials import TOKEN, UserSettings
from .lockout import LockoutGuard, Use, Verdict
from .refusals import Refusal

MARGIN: Final = timedelta(minutes=5)  # a token must outlast the delivery it is used for, and a clock that is a bit off


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A token of one project, and until when to use it."""

    value: str = field(repr=False)
    until: datetime


def token_request(user: UserSettings, password: str, project_id: str) -> Request:
    """Asks for a token of one project."""
    identity = {"name": user.name, "password": password, "domain": {"name": user.domain}}
    auth = {
        "identity": {"methods": ["password"], "password": {"user": identity}},
        "scope": {"project": {"id": project_id}},
    }
    headers = {"Content-Type": "application/json"}
    return Request("POST", f"{user.auth_url}/auth/tokens?nocatalog=true", headers, json.dumps({"auth": auth}).encode())


def read_token(answer: Answer, now: datetime) -> IssuedToken:
    """The token in IAM's answer.

    Raises:
        ApiDeniedError: an operator must correct the user, its password, its rights or the project.
        ApiUnavailableError: throttled, broken, or no token that a header could carry.
    """
    if answer.status != 201:
        refusal = Refusal.read(answer)
        denied = answer.status in (400, 401, 403, 404)
        raise refusal.to_error(ApiDeniedError if denied else ApiUnavailableError, "IAM gives no token: ")
    token = answer.headers.get("x-subject-token", "")
    try:
        life = _life(read_json(answer.body), now)
        until = now + life - min(MARGIN, life / 2)
    except (ValueError, TypeError, KeyError, OverflowError):
        until = None
    if until is None or not TOKEN.fullmatch(token):
        raise ApiUnavailableError("BROKEN_ANSWER", "IAM's 201 holds no usable token", http_status=201)
    return IssuedToken(token, until)


def read_verdict(answer: Answer) -> Verdict:
    """What IAM's answer says about the password."""
    match answer.status:
        case 201:
            return Verdict.ACCEPTED
        case 401:
            return Verdict.REFUSED
        case _:
            return Verdict.UNKNOWN


def _life(body: Any, now: datetime) -> timedelta:
    """How long a token lives, by IAM's own clock where it says so: ours need not agree with it."""
    token = body["token"]
    issued_at = datetime.fromisoformat(token["issued_at"]) if "issued_at" in token else now
    return datetime.fromisoformat(token["expires_at"]) - issued_at


class UserTokens:
    """Tokens of an IAM user, one for each project, fetched when they are needed.

    Args:
        max_projects: how many tokens are kept; the least recently used goes first.
    """

    def __init__(
        self,
        user: UserSettings,
        exchange: Callable[[Request, Delivery], Answer],
        *,
        max_projects: int,
        guard: LockoutGuard | None = None,
    ) -> None:
        self._user = user
        self._exchange = exchange
        self._max_projects = max_projects
        self._guard = guard or LockoutGuard(one_at_a_time=True)
        self._lock = threading.Lock()
        self._tokens: OrderedDict[str, Future[IssuedToken]] = OrderedDict()  # what is done in it is a token, no error

    def authorize(self, request: Request, project_id: str, delivery: Delivery) -> AuthorizedRequest:
        """The request with a token of the project."""
        token = self._token(project_id, delivery).value
        return AuthorizedRequest(request.with_headers({"X-Auth-Token": token}), [redactor_of(token)])

    def renew(self, refused: Request, project_id: str) -> bool:
        """Always: whoever asks next fetches a new token, unless another delivery has."""
        with self._lock:
            known = self._tokens.get(project_id)
            if known and known.done() and known.result().value == refused.headers["X-Auth-Token"]:
                del self._tokens[project_id]
        return True

    def _token(self, project_id: str, delivery: Delivery) -> IssuedToken:
        """The project's token; one delivery fetches it, the others wait for the result."""
        expected, is_ours = self._expect(project_id, delivery.now)
        if is_ours:
            self._fetch(expected, project_id, delivery)
        try:
            return expected.result(timeout=max(0.0, delivery.left()))
        except TimeoutError:
            raise ApiUnavailableError("NO_TOKEN", "IAM has not answered yet") from None

    def _expect(self, project_id: str, now: datetime) -> tuple[Future[IssuedToken], bool]:
        """The project's token, which may be under way, and whether it is ours to fetch."""
        with self._lock:
            known = self._tokens.get(project_id)
            if known and not (known.done() and known.result().until <= now):
                self._tokens.move_to_end(project_id)
                return known, False
            expected: Future[IssuedToken] = Future()
            self._tokens.pop(project_id, None)
            self._tokens[project_id] = expected
            if len(self._tokens) > self._max_projects:
                self._tokens.popitem(last=False)
            return expected, True

    def _fetch(self, expected: Future[IssuedToken], project_id: str, delivery: Delivery) -> None:
        """Ask IAM; whatever comes of it, those who wait for the token learn it."""
        try:
            answer = self._ask(project_id, delivery)
            expected.set_result(read_token(answer, delivery.now))
        except Exception as error:
            with self._lock:
                if self._tokens.get(project_id) is expected:  # not what another delivery expects by now
                    del self._tokens[project_id]
            expected.set_exception(error)

    def _ask(self, project_id: str, delivery: Delivery) -> Answer:
        password = self._user.password.read()
        request = token_request(self._user, password, project_id)
        use = self._guard.begin([password], delivery, project_id)
        authorized = AuthorizedRequest(request, [redactor_of(password)], partial(self._settle, use))
        answer, _ = authorized.send(delivery, exchange=self._exchange, read_verdict=read_verdict)
        return answer

    def _settle(self, use: Use, verdict: Verdict, _: str | None) -> None:
        self._guard.settle(use, verdict, "correct the password, or the user's role in the project")
