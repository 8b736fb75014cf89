"""What a request is authorized with: a ready token, or a key that signs it. IAM's tokens are in `iam`."""

import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

from ..delivery import Delivery
from ..errors import ApiDeniedError
from ..exchange import Request, read_date
from ..redaction import Redactor, redactor_of
from .authorized import AuthorizedRequest
from .lockout import LockoutGuard, Use, Verdict
from .signing import sign

log = logging.getLogger(__name__)

MAX_SECRET_CHARS: Final = 32768  # the gateway refuses a longer header
MAX_SKEW: Final = timedelta(minutes=15)  # "API Gateway: API Request Signing Guide", X-Sdk-Date

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
            raise ApiDeniedError("CREDENTIAL_UNREADABLE", self._cannot_read(error)) from None
        if path:
            text = text.removesuffix("\n").removesuffix("\r")
        if not self.form.fullmatch(text):
            message = f"{self.variable} must hold printable ASCII characters without white space around (not shown)"
            raise ApiDeniedError("CREDENTIAL_UNREADABLE", message)
        return text

    def _cannot_read(self, error: Exception) -> str:
        # Who puts the secret itself where its file's path belongs must not find it in the log.
        path = self.path if self.path and self.path.is_absolute() else "the file (no absolute path, so it is not shown)"
        cause = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        return f"{self.variable}: cannot read {path}: {cause}"


@dataclass(frozen=True, slots=True)
class TokenSettings:
    """A ready token."""

    token: Secret

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """What must not be shown."""
        return (self.token,)


@dataclass(frozen=True, slots=True)
class KeySettings:
    """An access key; its parts that are in files are in one directory.

    Args:
        security_token: of a temporary key.
    """

    access_key: Secret
    secret_key: Secret
    security_token: Secret | None = None

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """What must not be shown: access key, secret key and, if there is one, security token."""
        return (self.access_key, self.secret_key, *((self.security_token,) if self.security_token else ()))


@dataclass(frozen=True, slots=True)
class UserSettings:
    """An IAM user, and the IAM that knows it.

    Args:
        domain: the name of the account.
        auth_url: with its version, such as `https://iam.cn-north-4.myhuaweicloud.com/v3`.
    """

    name: str
    password: Secret
    domain: str
    auth_url: str

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """What must not be shown."""
        return (self.password,)


@dataclass(frozen=True, slots=True)
class AgencySettings:
    """No secret at all: FunctionGraph sends a temporary key of the function's agency with each request."""

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """What must not be shown."""
        return ()


CredentialSettings: TypeAlias = TokenSettings | KeySettings | UserSettings | AgencySettings


class Token:
    """A ready token: by value, which cannot be renewed, or in a file, which is read anew for every request."""

    def __init__(self, settings: TokenSettings) -> None:
        self._secret = settings.token

    def authorize(self, request: Request, project_id: str, delivery: Delivery) -> AuthorizedRequest:
        """The request with the token."""
        token = self._secret.read()
        return AuthorizedRequest(request.with_headers({"X-Auth-Token": token}), [redactor_of(token)])

    def renew(self, refused: Request, project_id: str) -> bool:
        """Whether the file holds another token by now."""
        return self._secret.read() != refused.headers["X-Auth-Token"]


class KeyPair:
    """An access key and its secret key, which sign every request; with a security token if they are temporary.

    Args:
        guard: one for all the keys that follow one another, where each delivery brings its own.
        make_redactor: makes a redactor of the secrets; the usual one keeps what it made, and the secrets in it.
    """

    def __init__(
        self,
        settings: KeySettings,
        guard: LockoutGuard | None = None,
        make_redactor: Callable[..., Redactor] = redactor_of,
    ) -> None:
        self._secrets = settings.secrets
        self._guard = guard or LockoutGuard()
        self._make_redactor = make_redactor

    def authorize(self, request: Request, project_id: str, delivery: Delivery) -> AuthorizedRequest:
        """The request, signed."""
        secrets = read_together(self._secrets)
        access_key, secret_key, *security_token = secrets
        headers = {"X-Project-Id": project_id, **({"X-Security-Token": security_token[0]} if security_token else {})}
        signed = sign(request.with_headers(headers), access_key, secret_key, delivery.now)
        # The signature is a secret too: for 15 minutes, whoever has it can send the same request again.
        signature = Redactor([signed.headers["Authorization"][-64:]], parts=False)
        use = self._guard.begin(secrets, delivery)
        redactors = [self._make_redactor(*secrets), signature]
        return AuthorizedRequest(signed, redactors, partial(self._settle, use, delivery.now))

    def renew(self, refused: Request, project_id: str) -> bool:
        """Never: a refused key that is tried again is soon locked; corrected files serve the next event."""
        return False

    def _settle(self, use: Use, now: datetime, verdict: Verdict, date: str | None) -> None:
        """Tell the guard; a refusal that our clock explains is blamed on the clock."""
        clock = _clock_fault(now, read_date(date)) if verdict is Verdict.REFUSED else None
        if clock:
            log.error("the cloud refused a signature: %s", clock)
        self._guard.settle(use, verdict, clock or "correct the credential")


def read_together(secrets: Sequence[Secret]) -> list[str]:
    """Secrets that belong together, never some from before and some from after a rotation of their files.

    Raises:
        ApiDeniedError: one cannot be read, or the rotation is happening now.
    """
    # Kubernetes swaps one symlink for all files of a secret: what resolves into one directory was written together.
    paths = [secret.path and secret.path.resolve() for secret in secrets]
    if len({path.parent for path in paths if path}) > 1:
        raise ApiDeniedError("CREDENTIAL_UNREADABLE", "the files of the key are not in one directory: being rotated?")
    return [*map(Secret.read_from, secrets, paths)]


def _clock_fault(ours: datetime, theirs: datetime | None) -> str | None:
    """What is wrong with our clock, if the gateway refuses signatures of such a time."""
    if theirs is None or abs(ours - theirs) <= MAX_SKEW:
        return None
    seconds = abs(ours - theirs).total_seconds()
    return f"our clock is {seconds:.0f} s {'ahead of' if ours > theirs else 'behind'} the cloud's; set it"
