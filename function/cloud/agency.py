"""The credential on FunctionGraph: a temporary key of the function's agency, which comes with each delivery.

Sources: FunctionGraph User Guide, "Configuring Agency Permissions"; its API Reference, "Modifying the Metadata
of a Function", `enable_auth_in_header`.
"""

from collections.abc import Callable

from ..delivery import Delivery
from ..errors import ApiDeniedError
from ..exchange import Answer, Request
from ..redaction import Redactor
from .authorized import AuthorizedRequest, Credential, send_authorized
from .credentials import KeyPair, KeySettings, Secret
from .lockout import LockoutGuard, Verdict


class AgencyKeys:
    """Signs each request with the key of its own delivery; between deliveries only digests of keys are kept."""

    def __init__(self) -> None:
        self._guard = LockoutGuard()

    def authorize(self, request: Request, project_id: str, delivery: Delivery) -> AuthorizedRequest:
        """The request, signed."""
        key = delivery.agency_key
        parts = {
            "X-CFF-Security-Access-Key": key.access_key,
            "X-CFF-Security-Secret-Key": key.secret_key,
            "X-CFF-Security-Token": key.security_token,
        }
        if missing := [name for name, value in parts.items() if value is None]:
            raise ApiDeniedError(
                "AGENCY_KEY_MISSING",
                f"FunctionGraph sent no {', '.join(missing)}: set enable_auth_in_header to true for this function, and"
                " give it an agency (app_agency or agency) that may list and delete backups",
            )
        secrets = [Secret(name, value or "") for name, value in parts.items()]
        key_pair = KeyPair(KeySettings(*secrets), self._guard, lambda *parts: Redactor(parts))
        return key_pair.authorize(request, project_id, delivery)

    def renew(self, refused: Request, project_id: str) -> bool:
        """Never: there is no other key in this delivery."""
        return False


def send_signed(
    request: Request,
    project_id: str,
    delivery: Delivery,
    *,
    credential: Credential,
    exchange: Callable[[Request, Delivery], Answer],
) -> Answer:
    """Send a request to another service than the database's.

    Raises:
        NotFinalError: it cannot be signed, or there is no answer.
    """
    _, answer, _ = send_authorized(
        request, project_id, delivery, credential=credential, exchange=exchange, read_verdict=read_verdict
    )
    return answer


def read_verdict(answer: Answer) -> Verdict:
    """What an answer of another service than the database's says about the credential."""
    if answer.status == 401:
        return Verdict.REFUSED
    return Verdict.ACCEPTED if 200 <= answer.status < 300 else Verdict.UNKNOWN
