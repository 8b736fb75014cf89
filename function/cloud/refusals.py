"""Answers that are no success: the shapes they come in, and what a status and a code mean together."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from ..errors import NotFinalError
from ..exchange import Answer
from ..strict_json import read_json

MAX_CODE_CHARS: Final = 128  # codes and request ids; the longest that is documented has 36
MAX_TEXT_CHARS: Final = 2000


class Meaning(Enum):
    """What an error answer to a DELETE says of the backup."""

    GONE = auto()  # the API states that the backup is not there
    MAYBE_GONE = auto()  # the backup is not there, or something else is wrong: only a list can tell
    MAYBE_DENIED = auto()  # the same, where the something else is a missing permission
    DENIED = auto()  # credential, permission, account: an operator must act
    TOKEN = auto()  # the credential was refused: worth one renewal, then the same as DENIED
    UNAVAILABLE = auto()  # throttled, busy, broken, or no answer of the API at all: retry later
    FINAL = auto()  # asking again would not change it


Row = tuple[Meaning, int, str, str]  # meaning, status, codes with blanks between them, source
Codes = Mapping[tuple[int, str], Meaning]

# APIGW and APIG are two prefixes of the same numbers. The gateway refuses requests, never backups: nothing is final.
_GATEWAY: Final = "devg-apisign/api-sign-errorcode.html; opentelekomcloud-docs/api-gateway umn error_codes.rst"
_IAM: Final = "opentelekomcloud-docs/identity-access-management api-ref error_codes.rst"
SHARED_ROWS: Final[tuple[Row, ...]] = (
    (Meaning.UNAVAILABLE, 404, "APIGW.0101", _GATEWAY),  # no such API at this host: never a backup that is gone
    (Meaning.UNAVAILABLE, 400, "APIGW.0201", _GATEWAY),
    (Meaning.UNAVAILABLE, 413, "APIGW.0201", _GATEWAY),
    (Meaning.UNAVAILABLE, 414, "APIGW.0201", _GATEWAY),
    (Meaning.UNAVAILABLE, 494, "APIGW.0201", _GATEWAY),
    (Meaning.UNAVAILABLE, 502, "APIGW.0201 APIGW.0202 APIGW.0203", _GATEWAY),
    (Meaning.UNAVAILABLE, 504, "APIGW.0201 APIGW.0202 APIGW.0203", _GATEWAY),
    (Meaning.TOKEN, 401, "APIGW.0301 APIGW.0305 APIGW.0307", _GATEWAY),
    (Meaning.DENIED, 403, "APIGW.0302 APIGW.0306 APIGW.0310 APIGW.0402 APIGW.0802", _GATEWAY),
    (Meaning.UNAVAILABLE, 429, "APIGW.0308", _GATEWAY),
    (Meaning.UNAVAILABLE, 500, "APIGW.0601", _GATEWAY),
    (Meaning.UNAVAILABLE, 503, "APIGW.0613", _GATEWAY),
    (Meaning.TOKEN, 401, "IAM.0001 IAM.0061 IAM.0062 IAM.0066 IAM.0067", _IAM),
    (Meaning.DENIED, 403, "IAM.0002 IAM.0003 IAM.0081 IAM.0082", _IAM),
    (Meaning.UNAVAILABLE, 404, "IAM.0004", _IAM),  # IAM found no user, project or endpoint: it says nothing of a backup
    (Meaning.UNAVAILABLE, 400, "IAM.0011", _IAM),
    (Meaning.UNAVAILABLE, 429, "IAM.0012", _IAM),
    (Meaning.UNAVAILABLE, 500, "IAM.0006", _IAM),
)
_NOT_THE_SERVICE: Final = ("APIG", "IAM", "PAP5")  # the gateway, IAM and its policies, however they write it
_BY_STATUS: Final[Mapping[int, Meaning]] = {
    401: Meaning.TOKEN,
    403: Meaning.DENIED,
    404: Meaning.MAYBE_GONE,
    407: Meaning.DENIED,  # the proxy wants a password
}

# Where the services of this cloud put a code and a text: the v3 database services and the gateway; RDS of old and some
# v3 calls; what an SDK before us also met. Keystone and Trove nest theirs one level down.
_SHAPES: Final = (("error_code", "error_msg"), ("errCode", "externalMessage"), ("code", "message"))
ERROR_MEMBERS: Final = frozenset(
    {"error_code", "error_msg", "errCode", "externalMessage", "error", "itemNotFound", "code", "message"}
)


def read_codes(rows: Iterable[Row]) -> Codes:
    """A service's table of codes, the gateway's and IAM's included."""
    return {(status, code): meaning for meaning, status, codes, _ in (*SHARED_ROWS, *rows) for code in codes.split()}


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that is no success, in whatever shape it came; its texts are cut to a bounded length.

    Args:
        documented: it has the shape that the API documents, an object with a string `error_code`.
    """

    status: int
    body: object
    error_code: str
    error_msg: str
    request_id: str | None
    retry_after: str | None
    documented: bool

    @classmethod
    def read(cls, answer: Answer) -> "Refusal":
        """Whatever code and text the answer has; a fixed word where it has none."""
        body = read_object(answer.body)
        code, message = _read_error(body or {})
        return cls(
            status=answer.status,
            body=body,
            error_code=code or "NO_ERROR_CODE",
            error_msg=message or f"the API answered {answer.status} without an error code",
            request_id=read_request_id(answer, body),
            retry_after=answer.headers.get("retry-after"),
            documented=bool(read_text(body or {}, "error_code")),
        )

    def meaning(self, codes: Codes) -> Meaning:
        """By status and code as a pair, never by text: `X-Language` changes the text."""
        code = self.error_code
        if code.startswith("APIG."):
            code = code.replace("APIG.", "APIGW.", 1)
        if known := codes.get((self.status, code)):
            return known
        foreign = code.upper().startswith(_NOT_THE_SERVICE)
        if self.status in (400, 422) and self.documented and not foreign:
            return Meaning.FINAL
        if foreign and self.status == 404:
            return Meaning.UNAVAILABLE
        # Redirects, the server's own trouble, and every 4xx that a firewall, a proxy or another program can send.
        return _BY_STATUS.get(self.status, Meaning.UNAVAILABLE)

    def denies_permission(self, codes: Codes) -> bool:
        """Whether the service or IAM misses a permission; the gateway and proxies answer 403 for other reasons, too."""
        is_own = self.error_code != "NO_ERROR_CODE" and not self.error_code.upper().startswith("APIG")
        return self.status == 403 and is_own and self.meaning(codes) in (Meaning.DENIED, Meaning.MAYBE_DENIED)

    def to_error(self, kind: type[NotFinalError], introduction: str = "") -> NotFinalError:
        """The refusal as an error of a kind."""
        return kind(
            self.error_code,
            introduction + self.error_msg,
            http_status=self.status,
            retry_after=self.retry_after,
            request_id=self.request_id,
        )


def read_object(text: bytes) -> dict[str, object] | None:
    """A JSON object; None where the text is none."""
    try:
        value = read_json(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def read_text(body: Mapping[str, object], name: str) -> str | None:
    """A member that is a string and not empty; None where there is none."""
    return value if isinstance(value := body.get(name), str) and value else None


def read_request_id(answer: Answer, body: Mapping[str, object] | None) -> str | None:
    """What the vendor's support asks for: `X-Request-Id`, else the gateway's member of the body."""
    request_id = answer.headers.get("x-request-id") or read_text(body or {}, "request_id")
    return request_id[:MAX_CODE_CHARS] if request_id else None


def has_error(body: Collection[str]) -> bool:
    """Whether a body has a member that only errors have."""
    return not ERROR_MEMBERS.isdisjoint(body)


def _read_error(body: Mapping[str, object]) -> tuple[str | None, str | None]:
    """An error's code and text, in any shape a service of this cloud uses."""
    for level in (body, body.get("error"), body.get("itemNotFound")):
        if isinstance(level, Mapping):
            for code, message in _SHAPES:
                if isinstance(value := level.get(code), str | int):
                    text = read_text(level, message)
                    return str(value)[:MAX_CODE_CHARS], text and text[:MAX_TEXT_CHARS]
    return None, None
