"""The backup API: what its operations answer (§1, §2)."""

import re
from datetime import datetime
from typing import Final

from .account import Account, Backup
from .errors import ApiError
from .exchange import Json, Request

# Parameter of the list → the field it must equal. `name` may match loosely in the cloud; nothing is said of it.
_FILTERS: Final = {
    "backup_id": "id",
    "instance_id": "instance_id",
    "backup_type": "type",
    "name": "name",
    "instance_name": "instance_name",
}


def delete_backup(account: Account, _: Request, project_id: str, backup_id: str) -> Json:
    """Delete one manual backup."""
    backup = account.delete(project_id, backup_id)
    return {"backup_id": backup.id, "backup_name": backup.name}


def delete_backups(account: Account, request: Request, project_id: str) -> Json:
    """Delete up to 50 manual backups; 200 even if each of them failed."""
    try:
        body = request.json()
    except ValueError:
        body = None
    match body:
        case {"backup_ids": [_, *_] as backup_ids} if len(backup_ids) <= 50:
            pass
        case _:
            raise ApiError("DBS.280001")
    failed = []
    for backup_id in backup_ids:
        try:
            account.delete(project_id, str(backup_id))
        except ApiError as error:
            failed.append({"backup_id": backup_id} | error.answer(request).body)
    succeeded = len(backup_ids) - len(failed)
    return {"success_count": succeeded, "failed_count": len(failed), "failed_results": failed}


def list_backups(account: Account, request: Request, project_id: str) -> Json:
    """List the backups that fit every parameter given, newest first; a blank parameter counts as not given."""
    query = {name: value for name, value in request.query if value}
    offset = _whole(query.get("offset", "0"), 0, 10**9)
    limit = _whole(query.get("limit", "100"), 1, 100)
    if query.get("backup_type", "auto") not in ("auto", "manual"):
        raise ApiError("DBS.280001")
    wanted = {field: query[name] for name, field in _FILTERS.items() if name in query}
    since, until = _period(query.get("begin_time"), query.get("end_time"))
    found = [
        backup
        for backup in account.backups_of(project_id)
        if since <= backup.began_at <= until and all(getattr(backup, field) == wanted[field] for field in wanted)
    ]
    return {"backups": [_item(backup) for backup in found[offset : offset + limit]], "total_count": len(found)}


def _item(backup: Backup) -> Json:
    item = backup.to_json()
    del item["project_id"]
    return item


def _whole(text: str, least: int, most: int) -> int:
    if not (re.fullmatch("[0-9]{1,9}", text) and least <= int(text) <= most):
        raise ApiError("DBS.280001")
    return int(text)


def _period(begin: str | None, end: str | None) -> tuple[float, float]:
    try:
        since = _time(begin) if begin else float("-inf")
        until = _time(end) if end else float("inf")
    except ValueError:
        raise ApiError("DBS.280001") from None
    if since >= until:
        raise ApiError("DBS.280001")
    return since, until


def _time(text: str) -> float:
    # The page's own example leaves the + of an offset raw, which is a space in a query (§2).
    return datetime.strptime(text.replace(" ", "+"), "%Y-%m-%dT%H:%M:%S%z").timestamp()
