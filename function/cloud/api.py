"""The backup API's wire format, pure: what to ask for, and what the answers mean."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, assert_never
from urllib.parse import quote

from ..backups import Backup, Deleted, Failed
from ..errors import ApiDeniedError, ApiUnavailableError, NotFinalError, UndecidedError
from ..exchange import Answer
from .engines.engine import Engine
from .lockout import Verdict
from .refusals import MAX_CODE_CHARS, Meaning, Refusal, has_error, read_object, read_request_id, read_text

PAGE_SIZE: Final = 100  # the most the API gives
INSTANCES_PAGE_SIZE: Final = 50  # an instance has many more members than a backup: a page must fit what we read
MAX_RESPONSE_BYTES: Final = 16384  # a larger body is not copied into the result; the documented one has 100


@dataclass(frozen=True, slots=True)
class Unproven:
    """An answer to the DELETE that only a list can settle.

    Args:
        if_absent: the outcome if the backup is not listed.
        otherwise: what to raise if the backup is listed, or the list is unclear.
    """

    if_absent: Deleted
    otherwise: NotFinalError


def delete_path(project_id: str, backup_id: str) -> str:
    """The one irreversible request's path (API page "Deleting a Manual Backup")."""
    return f"/v3/{project_id}/backups/{backup_id}"


def find_paths(engine: Engine, project_id: str, backup_id: str, instance_id: str | None) -> list[str]:
    """The lists of this one backup (API page "Querying Backups"); it is absent if none has it.

    Args:
        instance_id: needed where the engine's list is per instance.
    """
    query = {"backup_id": backup_id, **({"instance_id": instance_id or ""} if engine.needs_instance else {})}
    return [_with_query(path.format(project_id=project_id), query) for path in engine.list_paths]


def pages_of(engine: Engine, project_id: str, instance_id: str | None) -> list[str]:
    """The lists of all manual backups of a project, or of one instance; `at_offset` makes them pages."""
    query = {"instance_id": instance_id} if instance_id else {}
    return [
        _with_query(path.format(project_id=project_id), {**query, "backup_type": engine.manual})
        for path in engine.list_paths
    ]


def at_offset(path: str, offset: int, limit: int = PAGE_SIZE) -> str:
    """The page of a list that begins behind so many items."""
    return _with_query(path, {"offset": str(offset), "limit": str(limit)})


def instances_path(project_id: str, instance_id: str | None = None) -> str:
    """The list of a project's instances, or of this one (RDS API page "Querying DB Instances")."""
    return _with_query(f"/v3/{project_id}/instances", {"id": instance_id} if instance_id else {})


def _with_query(path: str, query: Mapping[str, str]) -> str:
    encoded = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
    return f"{path}{'&' if '?' in path else '?'}{encoded}" if encoded else path


def read_verdict(answer: Answer, engine: Engine) -> Verdict:
    """What the answer says about the credential. A page with a 2xx is a proxy's: it accepts nothing."""
    if 200 <= answer.status < 300:
        return Verdict.ACCEPTED if answer.body.lstrip()[:1] in (b"", b"{") else Verdict.UNKNOWN
    refusal = Refusal.read(answer)
    if refusal.meaning(engine.codes) is Meaning.TOKEN:
        return Verdict.REFUSED
    # A code of the database service: the gateway let the request through.
    return Verdict.ACCEPTED if refusal.error_code.startswith("DBS.") else Verdict.UNKNOWN


def read_deletion(answer: Answer, engine: Engine) -> Deleted | Failed | Unproven:
    """What the API says to the DELETE.

    Raises:
        ApiUnavailableError: throttled, busy, broken, or not this API at all.
        ApiDeniedError: an operator must act.
    """
    if 200 <= answer.status < 300:
        return _read_acceptance(answer, engine)
    refusal = Refusal.read(answer)
    gone = Deleted(absence="not_listed", response=_kept(answer, refusal.body), request_id=refusal.request_id)
    match meaning := refusal.meaning(engine.codes):
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


def _read_acceptance(answer: Answer, engine: Engine) -> Deleted | Unproven:
    body = read_object(answer.body or b"{}")
    request_id = read_request_id(answer, body)
    if body is None:
        message = f"the body of this {answer.status} is not this API's"
        raise ApiUnavailableError("BROKEN_ANSWER", message, http_status=answer.status, request_id=request_id)
    name = read_text(body, "backup_name")
    deleted = Deleted(
        backup_name=name and name[:MAX_CODE_CHARS], response=_kept(answer, body or None), request_id=request_id
    )
    if engine.proves_by_id and answer.status == 200 and read_text(body, "backup_id") and not has_error(body):
        return deleted
    # Engines answer 202, 204, a job, or nothing, too: accepted is not yet deleted.
    message = f"the API accepted the deletion with {answer.status}, but its list does not prove it"
    return Unproven(
        deleted, ApiUnavailableError("NOT_PROVEN", message, http_status=answer.status, request_id=request_id)
    )


def _kept(answer: Answer, body: object) -> object:
    """What of an answer goes into the result: all of it, unless it is far larger than the API's answers are."""
    return body if len(answer.body) <= MAX_RESPONSE_BYTES else None


def read_found(answer: Answer, backup_id: str, engine: Engine) -> Backup | None:
    """The backup; None where a clean empty list proves that it is not in this list.

    Raises:
        NotFinalError: the list is neither empty nor exactly this backup, or there is no list.
    """
    backups, total_count = read_backups(answer, engine)
    if not backups and total_count == 0:
        return None
    if len(backups) == 1 and backups[0].id == backup_id:
        return backups[0]
    raise UndecidedError("UNCLEAR_LIST", "asked for one backup, the API listed something else")


def read_backups(answer: Answer, engine: Engine) -> tuple[list[Backup], int]:
    """One page of the list, and the count of backups on all pages.

    Raises:
        NotFinalError: there is no page of the documented form.
    """
    items, total_count = _read_list(answer, engine, "backups")
    return [_read_backup(item, engine) for item in items], total_count


def read_instances(answer: Answer, engine: Engine) -> tuple[list[str], int]:
    """One page of the list of instances: their ids, and the count of instances on all pages.

    Raises:
        NotFinalError: there is no page of the documented form.
    """
    items, total_count = _read_list(answer, engine, "instances")
    return [_read_id(item) for item in items], total_count


def _read_list(answer: Answer, engine: Engine, name: str) -> tuple[list[object], int]:
    if answer.status != 200:
        refusal = Refusal.read(answer)
        unclear = UndecidedError if refusal.documented else ApiUnavailableError
        error = refusal.to_error(_LIST_ERRORS.get(refusal.meaning(engine.codes), unclear))
        error.may_not_look = refusal.denies_permission(engine.codes)
        raise error
    body = read_object(answer.body)
    items, total_count = (body or {}).get(name), (body or {}).get("total_count")
    if body is None or not isinstance(items, list) or type(total_count) is not int or has_error(body):
        kind = ApiUnavailableError if body is None else UndecidedError  # a page is a proxy's: the API has said nothing
        raise kind("UNCLEAR_LIST", "the API's list is not of the documented form")
    return items, total_count


def _read_id(item: object) -> str:
    if not isinstance(item, dict) or (item_id := read_text(item, "id")) is None:
        raise UndecidedError("UNCLEAR_LIST", "the API listed something without an id")
    return item_id


def _read_backup(item: object, engine: Engine) -> Backup:
    item_id = _read_id(item)
    facts: Mapping[str, object] = item if isinstance(item, dict) else {}
    kind, status = read_text(facts, "type"), read_text(facts, "status")
    if engine.any_case:
        kind, status = kind and kind.lower(), status and status.upper()
    return Backup(
        id=item_id,
        name=read_text(facts, "name"),
        instance_id=read_text(facts, "instance_id"),
        type=kind,
        status="DELETING" if status in engine.leaving else status,
        begin_time=_read_begin(read_text(facts, "begin_time"), engine),
        description=_read_description(facts.get("description")),
        size_mb=_read_size(facts.get("size"), engine),
        is_partial=bool(engine.partial_in and facts.get(engine.partial_in)),
        in_use=any(facts.get(name) is value for name, value in engine.in_use.items()),
    )


def _read_description(value: object) -> str | None:
    """An absent description is an empty one."""
    if value is None:
        return ""
    return value if isinstance(value, str) else None


def _read_size(value: object, engine: Engine) -> float | None:
    """A size in MB; None if there is none, or it is no size."""
    if isinstance(value, int | float) and type(value) is not bool and 0 <= value < 1e12 * engine.units_per_mb:
        return float(value) / engine.units_per_mb
    return None


def _read_begin(text: str | None, engine: Engine) -> datetime | None:
    """A time such as `2020-07-06T10:41:14+0800`; None if it is unreadable, or has no offset where it must have one."""
    try:
        begin = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    if engine.utc and not begin.tzinfo:
        return begin.replace(tzinfo=UTC)
    return begin if begin.tzinfo else None


_LIST_ERRORS: Final[Mapping[Meaning, type[NotFinalError]]] = {
    Meaning.DENIED: ApiDeniedError,
    Meaning.MAYBE_DENIED: ApiDeniedError,
    Meaning.TOKEN: ApiDeniedError,
    Meaning.UNAVAILABLE: ApiUnavailableError,
}
