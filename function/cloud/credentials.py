"""What a request is authorised with: a ready token, or a key that signs it."""

import hashlib
import json
import logging
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Protocol

from ..delivery import Delivery
from ..errors import ApiDeniedError, ApiUnavailableError
from ..exchange import Answer, Request, read_date
from ..strict_json import read_json
from .signing import sign

log = logging.getLogger(__name__)

MAX_SECRET_CHARS: Final = 32768  # the gateway refuses a longer header
MAX_SKEW: Final = timedelta(minutes=15)
REFUSED_FOR: Final = timedelta(minutes=5)  # five refusals in a row lock a key or a user for about as long


@dataclass(slots=True)
class Attempt:
    """One use of a credential.

    Args:
        request: authorised.
        secrets: that went into it.
        accepted: whether the answer accepted or refused the credential; None where it tells neither.
        date: the answer's `Date`.
    """

    request: Request
    secrets: Sequence[str] = field(repr=False)
    accepted: bool | None = None
    date: str | None = None

    def without_secrets(self, answer: Answer) -> Answer:
        """The answer, should it echo a secret: its words go into results and logs."""
        # Also as our own JSON wrote them, in an answer that quotes our request.
        secrets = [spelt for secret in self.secrets for spelt in (json.dumps(secret)[1:-1], secret)]
        headers = _redacted(answer.headers, secrets)
        body = _redacted(answer.body.decode("latin-1"), secrets).encode("latin-1")
        if b"\\" in answer.body:  # JSON can write any character as an escape: `=` is \u003d to Gson
            with suppress(ValueError):
                said = read_json(answer.body)
                redacted = _redacted(said, secrets)
                body = answer.body if redacted == said else json.dumps(redacted).encode()
        return Answer(answer.status, headers, body)


def _redacted(said: Any, secrets: Sequence[str]) -> Any:
    if isinstance(said, str):
        for secret in secrets:
            said = said.replace(secret, "[redacted]")
    elif isinstance(said, Mapping):
        said = {_redacted(name, secrets): _redacted(inner, secrets) for name, inner in said.items()}
    elif isinstance(said, list):
        said = [_redacted(inner, secrets) for inner in said]
    return said


class Credential(Protocol):
    """Authorises requests to one project."""

    def attempt(self, request: Request, project_id: str, delivery: Delivery) -> AbstractContextManager[Attempt]:
        """The request with what the gateway asks for; the block tells what became of it.

        Raises:
            NotFinalError: there is nothing to authorise it with.
        """
        ...

    def renew(self, refused: Request, project_id: str) -> bool:
        """Whether there is something newer than what was refused, so that asking once more makes sense."""
        ...


# Whatever a header can carry unchanged; a password may have spaces within.
TOKEN: Final = re.compile(f"[!-~]{{1,{MAX_SECRET_CHARS}}}")
PASSWORD: Final = re.compile("[!-~]([ -~]{0,254}[!-~])?")


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret by value, or in a file that may change while we run.

    Args:
        variable: what it was configured with, for messages.
        form: what it may look like.
    """

    variable: str
    value: str = field(default="", repr=False)
    path: Path | None = None
    form: re.Pattern[str] = field(default=TOKEN, repr=False)

    def read(self) -> str:
        """The secret as it is now; a newline at the end of the file is no part of it.

        Raises:
            ApiDeniedError: the file cannot be read, or the secret does not have its form.
        """
        return self.read_from(self.path)

    def read_from(self, path: Path | None) -> str:
        """The secret in a file, or its value where there is none."""
        try:
            text = path.read_text(encoding="ascii", errors="replace") if path else self.value
        except (OSError, ValueError) as error:  # a path can hold a NUL
            raise ApiDeniedError("CREDENTIAL_UNREADABLE", f"{self.variable}: {type(error).__name__}") from None
        if path:
            text = text.removesuffix("\n").removesuffix("\r")
        if not self.form.fullmatch(text):
            message = f"{self.variable} must hold printable ASCII characters without white space around (not shown)"
            raise ApiDeniedError("CREDENTIAL_UNREADABLE", message)
        return text


@dataclass(frozen=True, slots=True)
class User:
    """An IAM user, and the IAM that knows it.

    Args:
        auth_url: with its version, such as `https://iam.cn-north-4.myhuaweicloud.com/v3`.
    """

    name: str
    password: Secret
    domain: str
    auth_url: str


class Token:
    """A ready token: by value, which cannot be renewed, or in a file, which is read anew for every request."""

    def __init__(self, secret: Secret) -> None:
        self._secret = secret

    @contextmanager
    def attempt(self, request: Request, project_id: str, delivery: Delivery) -> Iterator[Attempt]:
        """The request with the token."""
        token = self._secret.read()
        yield Attempt(request.with_headers({"X-Auth-Token": token}), [token])

    def renew(self, refused: Request, project_id: str) -> bool:
        """Whether the file holds another token by now."""
        return self._secret.read() != refused.headers["X-Auth-Token"]


class Trial:
    """Keeps a secret from being refused so often that the cloud locks it.

    What no answer has accepted yet is tried by one delivery at a time; what was refused is not tried again for
    `REFUSED_FOR`, or until it is another secret. Only digests are remembered.
    """

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._proven = b""
        self._refused = b""
        self._refused_at = datetime.min.replace(tzinfo=UTC)

    @contextmanager
    def of(self, request: Request, secrets: Sequence[str], delivery: Delivery) -> Iterator[Attempt]:
        """One use of secrets that belong together.

        Raises:
            ApiDeniedError: it was refused a short time ago.
            ApiUnavailableError: another delivery's trial took longer than this one may wait.
        """
        digest = hashlib.sha256(json.dumps(secrets).encode()).digest()
        trying = self._takes_turn(digest, delivery)
        attempt = Attempt(request, secrets)
        try:
            yield attempt
        finally:
            if attempt.accepted and (trying or digest != self._refused):  # not what was refused while we waited
                self._proven, self._refused = digest, b""
            elif attempt.accepted is False:
                self._proven, self._refused, self._refused_at = b"", digest, delivery.now
            if trying:
                self._turn.release()

    def _takes_turn(self, digest: bytes, delivery: Delivery) -> bool:
        """Whether this is the one trial of a secret that is not proven; waits for another's."""
        self._refuse_again(digest, delivery.now)
        if digest == self._proven:
            return False
        if not self._turn.acquire(timeout=max(0.0, delivery.left())):
            raise ApiUnavailableError("CREDENTIAL_UNPROVEN", "the first use of the credential is still without answer")
        try:
            self._refuse_again(digest, delivery.now)
        except ApiDeniedError:
            self._turn.release()
            raise
        if digest == self._proven:
            self._turn.release()
            return False
        return True

    def _refuse_again(self, digest: bytes, now: datetime) -> None:
        waited = abs(now - self._refused_at)  # of two deliveries the one that began first may be refused last
        if digest == self._refused and waited < REFUSED_FOR:
            left = (REFUSED_FOR - waited).total_seconds()
            raise ApiDeniedError(
                "CREDENTIAL_REFUSED",
                f"the cloud refused the credential {waited.total_seconds():.0f} s ago; correct it, or it is tried again"
                f" in {left:.0f} s: asking more often would lock it",
                retry_after=f"{left:.0f}",
            )


class KeyPair:
    """An access key and its secret key, which sign every request; with a security token if they are temporary.

    Args:
        secrets: access key, secret key and, if there is one, security token. Those in files are in one directory.
    """

    def __init__(self, secrets: Sequence[Secret]) -> None:
        self._secrets = secrets
        self._trial = Trial()

    @contextmanager
    def attempt(self, request: Request, project_id: str, delivery: Delivery) -> Iterator[Attempt]:
        """The request, signed."""
        secrets = read_together(self._secrets)
        access_key, secret_key, *security_token = secrets
        named = request.with_headers({"X-Project-Id": project_id})
        if security_token:
            named = named.with_headers({"X-Security-Token": security_token[0]})
        signed = sign(named, access_key, secret_key, delivery.now)
        with self._trial.of(signed, secrets, delivery) as attempt:
            attempt.secrets = [*secrets, signed.headers["Authorization"][-64:]]  # whoever has it can ask this again
            yield attempt
        if attempt.accepted is False:
            _blame_clock(attempt.date, delivery.now)

    def renew(self, refused: Request, project_id: str) -> bool:
        """Never: a refused key that is tried again is soon locked; corrected files serve the next event."""
        return False


def read_together(secrets: Sequence[Secret]) -> list[str]:
    """Secrets that belong together, never some from before and some from after a rotation of their files.

    Raises:
        ApiDeniedError: one cannot be read, or the rotation is happening now.
    """
    # Kubernetes swaps one symlink for all files of a secret: what resolves into one directory was written together.
    paths = [secret.path and secret.path.resolve() for secret in secrets]
    if len({path.parent for path in paths if path}) > 1:
        raise ApiDeniedError("CREDENTIAL_UNREADABLE", "the files of the key are not in one directory: being rotated?")
    return [secret.read_from(path) if path else secret.value for secret, path in zip(secrets, paths, strict=True)]


def _blame_clock(date: str | None, now: datetime) -> None:
    theirs = read_date(date)
    if theirs and abs(now - theirs) > MAX_SKEW:
        log.error("our clock is %d s off the gateway's, which refuses such signatures", (now - theirs).total_seconds())
