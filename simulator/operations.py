"""The operations on backups that all database services have, each in its own way."""

import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Final

from .account import Account
from .exchange import Answer, Request
from .service import Service

# Parameter of the list → the field that it must equal. `name` may match loosely in the cloud: it is not documented.
_FILTERS: Final = {
    "backup_id": "id",
    "instance_id": "instance_id",
    "name": "name",
    "instance_name": "instance_name",
}


def delete(account: Account, service: Service, _: Request, project_id: str, backup_id: str) -> Answer:
    """Delete one manual backup, or begin to, or raise ApiError."""
    backup = account.find(project_id, backup_id)
    if backup is None or not service.has(backup):
        raise service.error(account.absent or service.refusals["absent"])
    if backup.status == "BUILDING":
        raise service.refusal("building")
    if backup.type != "manual":
        raise service.refusal("automated")
    if backup.is_instance_restoring:
        raise service.refusal("in_use")
    if service.leaving is None:
        account.remove(backup_id)
    else:
        account.remove(backup_id, meanwhile=service.leaving.status, seconds=service.leaving.seconds)
    return service.deleted(backup)


def list_backups(account: Account, service: Service, request: Request, project_id: str) -> Answer:
    """List the backups that fit every parameter given, newest first; an empty parameter counts as not given."""
    query = {name: value for name, value in request.query if value}
    offset = _whole(service, query.get("offset", "0"), 0, 10**9)
    limit = _whole(service, query.get("limit", "100"), 1, 100)
    kinds = {word: kind for kind, word in service.types.items()}
    if not (query.keys() >= set(service.demanded) and query.get("backup_type") in (None, *kinds)):
        raise service.refusal("parameter")
    wanted = {field: query[name] for name, field in _FILTERS.items() if name in query}
    if "backup_type" in query:
        wanted["type"] = kinds[query["backup_type"]]
    since, until = _period(service, query)
    found = [
        backup
        for backup in account.backups_of(project_id)
        if service.has(backup)
        and service.belongs(backup, query)
        and since <= backup.began_at <= until
        and all(getattr(backup, field) == wanted[field] for field in wanted)
    ]
    page = [service.item(backup) for backup in found[offset : offset + limit]]
    return Answer(200, {"backups": page, "total_count": len(found)})


def list_instances(account: Account, service: Service, request: Request, project_id: str) -> Answer:
    """List the instances that there are, or the one with this `id`; a backup's instance may be gone."""
    query = {name: value for name, value in request.query if value}
    offset = _whole(service, query.get("offset", "0"), 0, 10**9)
    limit = _whole(service, query.get("limit", "100"), 1, 100)
    found = [
        {"id": instance.id, "name": instance.name, "status": "ACTIVE", "datastore": asdict(instance.datastore)}
        for instance in account.instances.values()
        if instance.project_id == project_id
        and instance.datastore.type in service.datastores
        and query.get("id") in (None, instance.id)
    ]
    return Answer(200, {"instances": found[offset : offset + limit], "total_count": len(found)})


def _whole(service: Service, text: str, least: int, most: int) -> int:
    if not (re.fullmatch("[0-9]{1,9}", text) and least <= int(text) <= most):
        raise service.refusal("parameter")
    return int(text)


def _period(service: Service, query: Mapping[str, str]) -> tuple[float, float]:
    if service.whole_period and ("begin_time" in query) != ("end_time" in query):
        raise service.refusal("parameter")
    try:
        since = service.read_time(query["begin_time"]) if "begin_time" in query else float("-inf")
        until = service.read_time(query["end_time"]) if "end_time" in query else float("inf")
    except ValueError:
        raise service.refusal("parameter") from None
    if since >= until:
        raise service.refusal("parameter")
    return since, until
