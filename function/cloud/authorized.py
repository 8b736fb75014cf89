"""A request that is authorized: sent once, its answer freed of our secrets, and what became of it told."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ..delivery import Delivery
from ..errors import NotFinalError
from ..exchange import Answer, Request
from ..redaction import MAX_SEARCHED_CHARS, REDACTED, Redactor
from ..strict_json import read_json
from .lockout import Verdict


def _learn_nothing(verdict: Verdict, date: str | None) -> None:
    """No number of wrong tokens locks anything."""


@dataclass(frozen=True, slots=True)
class AuthorizedRequest:
    """A request with what the gateway asks for. Whoever has it must send it: others may wait for what becomes of it.

    Args:
        redactors: of what must not be shown of it.
        settle: takes what became of it, and the `Date` of the answer.
    """

    request: Request
    redactors: Sequence[Redactor] = field(repr=False)
    settle: Callable[[Verdict, str | None], None] = field(default=_learn_nothing, repr=False)

    def send(
        self,
        delivery: Delivery,
        *,
        exchange: Callable[[Request, Delivery], Answer],
        read_verdict: Callable[[Answer], Verdict],
    ) -> tuple[Answer, Verdict]:
        """Send it once; the answer without our secrets, and what it says about the credential.

        Raises:
            NotFinalError: there is no answer.
        """
        verdict, date = Verdict.UNANSWERED, None
        try:
            answer = self.without_secrets(exchange(self.request, delivery))
            verdict, date = read_verdict(answer), answer.headers.get("date")
        except NotFinalError as error:
            if not error.sent:
                verdict = Verdict.UNKNOWN
            raise
        finally:
            self.settle(verdict, date)
        return answer, verdict

    def without_secrets(self, answer: Answer) -> Answer:
        """The answer, should it echo a secret: its words go into results and logs."""
        for redactor in self.redactors:
            answer = without_secrets(answer, redactor)
        return answer


def without_secrets(answer: Answer, redactor: Redactor) -> Answer:
    """The answer; unchanged if it echoes no secret."""
    headers, body = _redacted_headers(answer.headers, redactor), _redacted_body(answer.body, redactor)
    if (headers, body) == (answer.headers, answer.body):
        return answer
    return Answer(answer.status, headers, body)


def _redacted_headers(headers: Mapping[str, str], redactor: Redactor) -> Mapping[str, str]:
    head = "\0".join((*headers, *headers.values())).encode("latin-1", "replace")
    if len(head) > MAX_SEARCHED_CHARS:  # each of them may be short enough to be searched: together they take too long
        return {} if redactor.finds(head) else headers
    return redactor.redact(dict(headers)) if redactor.suspects(head) else headers


def _redacted_body(body: bytes, redactor: Redactor) -> bytes:
    if len(body) > MAX_SEARCHED_CHARS:
        return REDACTED.encode() if redactor.finds(body) else body
    if not redactor.suspects(body):
        return body
    try:
        said = read_json(body)
    except ValueError:
        return redactor.redact_text(body.decode("latin-1")).encode("latin-1")
    redacted = redactor.redact(said)
    if redacted != said:
        body = json.dumps(redacted).encode()
    # What is still found is no text: a number, or a part of the JSON itself.
    return REDACTED.encode() if redactor.finds(body) else body


class Credential(Protocol):
    """Authorizes requests to one project."""

    def authorize(self, request: Request, project_id: str, delivery: Delivery) -> AuthorizedRequest:
        """The request with what the gateway asks for.

        Raises:
            NotFinalError: there is nothing to authorize it with, or it must not be used now.
        """
        ...

    def renew(self, refused: Request, project_id: str) -> bool:
        """Whether there is something newer than what was refused, so that asking once more makes sense."""
        ...


def send_authorized(
    request: Request,
    project_id: str,
    delivery: Delivery,
    *,
    credential: Credential,
    exchange: Callable[[Request, Delivery], Answer],
    read_verdict: Callable[[Answer], Verdict],
) -> tuple[Request, Answer, Verdict]:
    """Send one request.

    Returns:
        What was sent, the answer, and what it says about the credential.

    Raises:
        NotFinalError: the credential must not be used now, or there is no answer.
    """
    authorized = credential.authorize(request, project_id, delivery)
    answer, verdict = authorized.send(delivery, exchange=exchange, read_verdict=read_verdict)
    return authorized.request, answer, verdict
