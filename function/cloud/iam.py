"""IAM's wire format, pure, and the tokens of an IAM user (huawei-api.md §5)."""

import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Final

from ..delivery import Delivery
from ..errors import ApiDeniedError, ApiUnavailableError
from ..exchange import Answer, Request
from ..strict_json import read_json
from .credentials import TOKEN, Attempt, Trial, User
from .refusals import Refusal

MAX_PROJECTS: Final = 64
MARGIN: Final = timedelta(minutes=5)  # a token must outlast the delivery it is used for, and a clock that is a bit off


def token_request(user: User, password: str, project_id: str) -> Request:
    """Asks for a token of one project."""
    identity = {"name": user.name, "password": password, "domain": {"name": user.domain}}
    auth = {
        "identity": {"methods": ["password"], "password": {"user": identity}},
        "scope": {"project": {"id": project_id}},
    }
    headers = {"Content-Type": "application/json"}
    return Request("POST", f"{user.auth_url}/auth/tokens?nocatalog=true", headers, json.dumps({"auth": auth}).encode())


def read_token(answer: Answer, now: datetime) -> tuple[str, datetime]:
    """A token, and until when to use it.

    Raises:
        ApiDeniedError: an operator must mend the user, its password, its rights or the project.
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
    return token, until


def _life(body: Any, now: datetime) -> timedelta:
    """How long a token lives, by IAM's own clock where it says so: ours need not agree with it."""
    token = body["token"]
    issued_at = datetime.fromisoformat(token["issued_at"]) if "issued_at" in token else now
    return datetime.fromisoformat(token["expires_at"]) - issued_at


class UserTokens:
    """Tokens of an IAM user, one a project, fetched when they are needed."""

    def __init__(self, user: User, exchange: Callable[[Request, Delivery], Answer]) -> None:
        self._user = user
        self._exchange = exchange
        self._trial = Trial()
        self._lock = threading.Lock()
        self._tokens: OrderedDict[str, Future[tuple[str, datetime]]] = OrderedDict()

    @contextmanager
    def attempt(self, request: Request, project_id: str, delivery: Delivery) -> Iterator[Attempt]:
        """The request with a token of the project."""
        token = self._token(project_id, delivery)
        yield Attempt(request.with_headers({"X-Auth-Token": token}), [token])

    def renew(self, refused: Request, project_id: str) -> bool:
        """Always: whoever asks next fetches a new token, unless another delivery has."""
        with self._lock:
            known = self._tokens.get(project_id)
            if known and known.done() and known.result()[0] == refused.headers["X-Auth-Token"]:
                del self._tokens[project_id]
        return True

    def _token(self, project_id: str, delivery: Delivery) -> str:
        """The project's token; one delivery fetches it, the others wait for what becomes of that."""
        with self._lock:
            token = self._tokens.get(project_id)
            fetches = token is None or (token.done() and token.result()[1] <= delivery.now)
            if token is None or fetches:
                token = self._tokens[project_id] = Future()
            self._tokens.move_to_end(project_id)
            if len(self._tokens) > MAX_PROJECTS:
                self._tokens.popitem(last=False)
        if fetches:
            self._fetch(token, project_id, delivery)
        try:
            return token.result(timeout=max(0.0, delivery.left()))[0]
        except TimeoutError:
            raise ApiUnavailableError("NO_TOKEN", "IAM has not answered yet") from None

    def _fetch(self, token: Future[tuple[str, datetime]], project_id: str, delivery: Delivery) -> None:
        try:
            password = self._user.password.read()
            request = token_request(self._user, password, project_id)
            with self._trial.of(request, [password], delivery) as attempt:
                answer = attempt.without_secrets(self._exchange(attempt.request, delivery))
                # Never proven, so one request at a time: after a change of the password every project asks at once.
                attempt.accepted = False if answer.status == 401 else None
            token.set_result(read_token(answer, delivery.now))
        except BaseException as error:  # whatever it is, the others must not wait for it
            with self._lock:
                if self._tokens.get(project_id) is token:
                    del self._tokens[project_id]
            token.set_exception(error)
