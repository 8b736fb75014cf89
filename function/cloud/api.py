"""The backup API's wire format, pure: requests to build, answers to read, and the table of codes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum, auto
from typing import Final, assert_never
from urllib.parse import quote

from ..backups import Backup, DeleteBackup, Deleted, Failed
from ..errors import ApiDeniedError, ApiUnavailableError, NotFinalError, UndecidedError
from ..exchange import Answer, Request
from ..strict_json import read_json

PAGE_SIZE: Final = 100  # the most the API gives


class Meaning(Enum):
    """What an error answer to a DELETE says of the backup."""

    GONE = auto()  # stated by the API: the backup is not there
    MAYBE_GONE = auto()  # not there, or something else is wrong: only a list can tell
    MAYBE_DENIED = auto()  # the same, where the something else is a missing permission
    DENIED = auto()  # credential, permission, account: an operator must act
    TOKEN = auto()  # the credential was refused: worth one renewal, then the same as DENIED
    UNAVAILABLE = auto()  # throttled, busy, broken: later
    FINAL = auto()  # asking again would not change it


# The tables that reference these codes: TaurusDB's error codes; the gateway's, APIGW and APIG with the same numbers;
# IAM's; and what the Terraform provider takes for busy, only together with a 409.
_TAURUSDB: Final = "opentelekomcloud-docs/taurusdb api-ref/source/appendix/error_codes.rst"
_TERRAFORM: Final = "terraform-provider-huaweicloud huaweicloud/services/taurusdb/common.go"
_GATEWAY: Final = "devg-apisign/api-sign-errorcode.html; opentelekomcloud-docs/api-gateway umn error_codes.rst"
_IAM: Final = "opentelekomcloud-docs/identity-access-management api-ref error_codes.rst"

ROWS: Final = (
    (Meaning.GONE, 400, "DBS.201203", _TAURUSDB),  # the backup file does not exist
    (Meaning.GONE, 404, "DBS.201010", _TAURUSDB),  # the backup information does not exist
    # "The backup does not exist" here, but "invalid retention period" in three siblings on the same URI.
    (Meaning.MAYBE_GONE, 400, "DBS.280214", _TAURUSDB),
    (Meaning.MAYBE_GONE, 404, "DBS.290013", _TAURUSDB),  # resource not found
    # The instance is gone; its manual backups may have survived it.
    (Meaning.MAYBE_GONE, 404, "DBS.200002 DBS.200045 DBS.200408 DBS.200602", _TAURUSDB),
    (Meaning.MAYBE_GONE, 404, "DBS.201028 DBS.290005 DBS.290011", _TAURUSDB),
    (Meaning.MAYBE_DENIED, 403, "DBS.200044 DBS.201003 DBS.280015", _TAURUSDB),  # not found or no permission
    (Meaning.DENIED, 403, "DBS.200010 DBS.200604", _TAURUSDB),  # not authorised
    (Meaning.DENIED, 400, "DBS.280449", _TAURUSDB),  # frozen: the account is in arrears
    (Meaning.TOKEN, 403, "DBS.280056", _TAURUSDB),  # invalid token
    (Meaning.UNAVAILABLE, 409, "DBS.201205", _TAURUSDB),  # the backup is being created
    # Another operation holds the instance.
    (Meaning.UNAVAILABLE, 409, "DBS.200011 DBS.200019 DBS.200047", _TAURUSDB),
    (Meaning.UNAVAILABLE, 409, "DBS.201202 DBS.212006 DBS.280406", _TAURUSDB),
    (Meaning.UNAVAILABLE, 409, "DBS.201014 DBS.201015 DBS.05000084 DBS.212033", _TERRAFORM),
    (Meaning.UNAVAILABLE, 500, "DBS.108000 DBS.108002 DBS.108005 DBS.200005", _TAURUSDB),
    (Meaning.UNAVAILABLE, 500, "DBS.200208 DBS.213002 DBS.213004 DBS.290006", _TAURUSDB),
    (Meaning.UNAVAILABLE, 500, "DBS.290015 DBS.05000000", _TAURUSDB),
    (Meaning.FINAL, 400, "DBS.201208", _TAURUSDB),  # the backup's status does not allow it
    (Meaning.FINAL, 400, "DBS.200086 DBS.201014", _TAURUSDB),  # the instance's status does not allow it
    # Parameters.
    (Meaning.FINAL, 400, "DBS.200001 DBS.200004 DBS.280001 DBS.290000", _TAURUSDB),
    (Meaning.FINAL, 400, "DBS.280204 DBS.290001 DBS.280404", _TAURUSDB),
    (Meaning.UNAVAILABLE, 404, "APIGW.0101", _GATEWAY),  # no such API at this host: never a backup that is gone
    (Meaning.FINAL, 400, "APIGW.0201", _GATEWAY),
    (Meaning.FINAL, 413, "APIGW.0201", _GATEWAY),
    (Meaning.FINAL, 414, "APIGW.0201", _GATEWAY),
    (Meaning.FINAL, 494, "APIGW.0201", _GATEWAY),
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
    (Meaning.FINAL, 400, "IAM.0011", _IAM),
    (Meaning.UNAVAILABLE, 429, "IAM.0012", _IAM),
    (Meaning.UNAVAILABLE, 500, "IAM.0006", _IAM),
)

_MEANINGS: Final[Mapping[tuple[int, str], Meaning]] = {
    (status, code): meaning for meaning, status, codes, _ in ROWS for code in codes.split()
}
_BY_STATUS: Final[Mapping[int, Meaning]] = {
    401: Meaning.TOKEN,
    403: Meaning.DENIED,
    404: Meaning.MAYBE_GONE,
    407: Meaning.DENIED,  # the proxy wants a password
    408: Meaning.UNAVAILABLE,
    425: Meaning.UNAVAILABLE,
    429: Meaning.UNAVAILABLE,
}


@dataclass(frozen=True, slots=True)
class Unproven:
    """An answer to the DELETE that only a list can settle.

    Args:
        absent: the outcome if the backup is not listed.
        present: what it means if the backup is listed, or the list is unclear.
    """

    absent: Deleted
    present: NotFinalError


def delete_request(endpoint: str, language: str, command: DeleteBackup) -> Request:
    """The one irreversible request (API page "Deleting a Manual Backup")."""
    path = f"/v3/{command.project_id}/backups/{command.backup_id}"
    return Request("DELETE", endpoint + path, {"X-Language": language})


def find_request(endpoint: str, language: str, command: DeleteBackup) -> Request:
    """Asks for this one backup (API page "Querying Backups")."""
    path = f"/v3/{command.project_id}/backups?backup_id={command.backup_id}"
    return Request("GET", endpoint + path, {"X-Language": language})


def page_request(endpoint: str, language: str, command: DeleteBackup, instance_id: str, offset: int) -> Request:
    """Asks for a page of an instance's manual backups."""
    query = f"instance_id={quote(instance_id, safe='')}&backup_type=manual&offset={offset}&limit={PAGE_SIZE}"
    return Request("GET", f"{endpoint}/v3/{command.project_id}/backups?{query}", {"X-Language": language})


def accepts_credential(answer: Answer) -> bool | None:
    """Whether the answer accepts or refuses the credential; None where it tells neither."""
    if 200 <= answer.status < 300:
        return True
    refusal = Refusal.read(answer)
    if refusal.meaning is Meaning.TOKEN:
        return False
    return True if refusal.error_code.startswith("DBS.") else None  # the database service: the gateway let us through


def read_deletion(answer: Answer) -> Deleted | Failed | Unproven:
    """What the API says to the DELETE.

    Raises:
        ApiUnavailableError: throttled, busy, broken, or not this API at all.
        ApiDeniedError: an operator must act.
    """
    if 200 <= answer.status < 300:
        return _read_acceptance(answer)
    refusal = Refusal.read(answer)
    gone = Deleted(absence="not_listed", response=refusal.body, request_id=refusal.request_id)
    match meaning := refusal.meaning:
        case Meaning.GONE:
            return replace(gone, absence="stated")
        case Meaning.MAYBE_GONE:
            return Unproven(gone, refusal.to_error(ApiUnavailableError))
        case Meaning.MAYBE_DENIED:
            return Unproven(gone, refusal.to_error(ApiDeniedError))
        case Meaning.DENIED | Meaning.TOKEN:
            raise refusal.to_error(ApiDeniedError)
        case Meaning.UNAVAILABLE:
            raise refusal.to_error(ApiUnavailableError)
        case Meaning.FINAL:
            return Failed(
                error_code=refusal.error_code,
                error_msg=refusal.error_msg,
                http_status=refusal.status,
                request_id=refusal.request_id,
            )
        case _:
            assert_never(meaning)


def _read_acceptance(answer: Answer) -> Deleted | Unproven:
    body, request_id = _read_object(answer.body or b"{}"), answer.headers.get("x-request-id")
    if body is None:
        message = f"the body of this {answer.status} is not this API's"
        raise ApiUnavailableError("BROKEN_ANSWER", message, http_status=answer.status, request_id=request_id)
    deleted = Deleted(backup_name=_text(body, "backup_name"), response=body or None, request_id=request_id)
    if answer.status == 200 and _text(body, "backup_id") is not None and not _ERROR_MEMBERS & body.keys():
        return deleted
    # Siblings on the same URI answer 202, 204, a job, or nothing: accepted is not yet deleted.
    message = f"the API accepted the deletion with {answer.status}, but its list does not prove it"
    return Unproven(
        deleted, ApiUnavailableError("NOT_PROVEN", message, http_status=answer.status, request_id=request_id)
    )


def read_found(answer: Answer, backup_id: str) -> Backup | None:
    """The backup; None where a clean empty list proves that it is not there.

    Raises:
        NotFinalError: the list is neither empty nor exactly this backup, or there is no list.
    """
    backups, total_count = read_backups(answer)
    if not backups and total_count == 0:
        return None
    if len(backups) == 1 and backups[0].id == backup_id:
        return backups[0]
    raise UndecidedError("UNCLEAR_LIST", "asked for one backup, the API listed something else")


def read_backups(answer: Answer) -> tuple[list[Backup], int]:
    """One page of the list, and the count of backups on all pages.

    Raises:
        NotFinalError: there is no page of the documented form.
    """
    if answer.status != 200:
        refusal = Refusal.read(answer)
        raise refusal.to_error(_LIST_ERRORS.get(refusal.meaning, UndecidedError))
    body = _read_object(answer.body) or {}
    items, total_count = body.get("backups"), body.get("total_count")
    if not isinstance(items, list) or type(total_count) is not int:
        raise UndecidedError("UNCLEAR_LIST", "the API's list is not of the documented form")
    return [_read_backup(item) for item in items], total_count


def _read_backup(item: object) -> Backup:
    if not isinstance(item, dict) or (backup_id := _text(item, "id")) is None:
        raise UndecidedError("UNCLEAR_LIST", "the API listed something without an id")
    return Backup(
        id=backup_id,
        name=_text(item, "name"),
        instance_id=_text(item, "instance_id"),
        type=_text(item, "type"),
        status=_text(item, "status"),
        begin_time=_read_begin(_text(item, "begin_time")),
        description="" if item.get("description") is None else _text(item, "description"),
    )


def _read_begin(text: str | None) -> datetime | None:
    """A time such as `2020-07-06T10:41:14+0800`; None if it is unreadable or without an offset."""
    try:
        begin = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return begin if begin.tzinfo else None


_LIST_ERRORS: Final[Mapping[Meaning, type[NotFinalError]]] = {
    Meaning.DENIED: ApiDeniedError,
    Meaning.MAYBE_DENIED: ApiDeniedError,
    Meaning.TOKEN: ApiDeniedError,
    Meaning.UNAVAILABLE: ApiUnavailableError,
}

# Where the services of this cloud put a code and a text: the v3 database services and the gateway; RDS of old and some
# v3 calls; what an SDK before us also met. Keystone and Trove nest theirs one level down.
_SHAPES: Final = (("error_code", "error_msg"), ("errCode", "externalMessage"), ("code", "message"))
_ERROR_MEMBERS: Final = frozenset({"error_code", "error_msg", "errCode", "externalMessage", "error", "itemNotFound"})


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that is no success, in whatever shape it came."""

    status: int
    body: object
    error_code: str
    error_msg: str
    request_id: str | None
    retry_after: str | None

    @classmethod
    def read(cls, answer: Answer) -> "Refusal":
        """Whatever code and text the answer has; a fixed word where it has none."""
        body = _read_object(answer.body)
        code, message = _read_error(body or {})
        return cls(
            status=answer.status,
            body=body,
            error_code=code or "NO_ERROR_CODE",
            error_msg=message or f"the API answered {answer.status} without an error code",
            request_id=answer.headers.get("x-request-id") or _text(body or {}, "request_id"),
            retry_after=answer.headers.get("retry-after"),
        )

    @property
    def meaning(self) -> Meaning:
        """By status and code as a pair, never by text: `X-Language` changes the text."""
        known = _MEANINGS.get((self.status, re.sub(r"^APIG\.", "APIGW.", self.error_code)))
        if known:
            return known
        if not 400 <= self.status < 500:  # a redirect, which is never followed, or the server's own trouble
            return Meaning.UNAVAILABLE
        return _BY_STATUS.get(self.status, Meaning.FINAL)

    def to_error(self, kind: type[NotFinalError], introduction: str = "") -> NotFinalError:
        """The refusal as an error of a kind."""
        return kind(
            self.error_code,
            introduction + self.error_msg,
            http_status=self.status,
            retry_after=self.retry_after,
            request_id=self.request_id,
        )


def _read_error(body: Mapping[str, object]) -> tuple[str | None, str | None]:
    """An error's code and text, in any shape a service of this cloud uses."""
    for level in (body, body.get("error"), body.get("itemNotFound")):
        if isinstance(level, Mapping):
            for code, message in _SHAPES:
                if isinstance(value := level.get(code), str | int):
                    return str(value), _text(level, message)
    return None, None


def _read_object(text: bytes) -> dict[str, object] | None:
    try:
        value = read_json(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _text(body: Mapping[str, object], name: str) -> str | None:
    return value if isinstance(value := body.get(name), str) else None
