"""What keeps a delivery from a final outcome.

An outcome is a value and is final. An exception is not: the event will be delivered again.
"""

from typing import ClassVar


class ReaperError(Exception):
    """The base; never raised itself."""


class ConfigError(ReaperError):
    """The environment is unusable; the message names every fault."""


class NotAnEventError(ReaperError):
    """What was delivered is not a CloudEvent that we accept: it is answered 400, 413 or 415.

    Data that does not fit is another matter: it is a value, `Failed`.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class NotAllowedError(ReaperError):
    """The caller may not deliver events, and nothing heals that: it is answered 401 or 403.

    Args:
        challenge: the value of `WWW-Authenticate`, where the answer has one.
    """

    def __init__(self, error_code: str, error_msg: str, *, status: int, challenge: str | None = None) -> None:
        super().__init__(f"{error_code}: {error_msg}")
        self.error_code = error_code
        self.error_msg = error_msg
        self.status = status
        self.challenge = challenge


class NotFinalError(ReaperError):
    """There is no final outcome yet.

    Args:
        error_code: the API's own code, or a fixed word of ours.
        error_msg: the API's own text, or a sentence of ours; never a secret.
        http_status: the status the API answered with, if it did.
        retry_after: the API's `Retry-After`, as it came.
        request_id: the API's `X-Request-Id`.
        sent: false where it is sure that nothing of the request was sent.

    Attributes:
        needs_operator: whether it lasts until an operator does something, so that it is worth an alarm.
        may_not_look: the API itself says that the permission to list is missing.
    """

    needs_operator: ClassVar[bool] = False
    may_not_look: bool = False

    def __init__(
        self,
        error_code: str,
        error_msg: str,
        *,
        http_status: int | None = None,
        retry_after: str | None = None,
        request_id: str | None = None,
        sent: bool = True,
    ) -> None:
        super().__init__(f"{error_code}: {error_msg}")
        self.error_code = error_code
        self.error_msg = error_msg
        self.http_status = http_status
        self.retry_after = retry_after
        self.request_id = request_id
        self.sent = sent


class ApiUnavailableError(NotFinalError):
    """The API is throttled, busy or broken, or did not answer."""


class ApiDeniedError(NotFinalError):
    """The credential, a permission or the account was refused: an operator must act."""

    needs_operator: ClassVar[bool] = True


class UndecidedError(NotFinalError):
    """A guard or a read-back got no clear answer."""


class UncheckedCallerError(NotFinalError):
    """Whether the caller may deliver cannot be told now: because of a rotation, an outage or a clock."""

    needs_operator: ClassVar[bool] = True


class SinkError(NotFinalError):
    """The result could not be published."""
