"""TaurusDB, formerly GaussDB(for MySQL).

Sources: TaurusDB API Reference, "Deleting a Manual Backup", "Deleting Backups in Batches", "Querying Full Backups" and
"Error Codes". The Chinese messages are ours: only the codes matter.
"""

from datetime import datetime
from typing import Final

from ..account import Account, Backup
from ..errors import ApiError, Errors
from ..exchange import Answer, Json, Request
from ..operations import delete
from ..service import Service

MAX_BATCH: Final = 50  # "Deleting Backups in Batches"

_ERRORS: Final[Errors] = {
    "DBS.200010": (
        403,
        "The DB instance ID or user ID may be null, or the operation is not authorized.",
        "实例ID或用户ID为空或操作未授权。",
    ),
    "DBS.200044": (403, "Resource not found or permission denied.", "资源不存在或无权限。"),
    "DBS.201010": (404, "The backup information does not exist.", "备份信息不存在。"),
    "DBS.201203": (400, "The backup file does not exist.", "备份文件不存在。"),
    "DBS.201205": (409, "Backup is in progress, please wait.", "正在备份。"),
    "DBS.201208": (400, "The operation is not allowed by the backup status.", "备份状态不允许该操作。"),
    "DBS.280001": (400, "Parameter error.", "参数错误。"),
    "DBS.280214": (400, "The backup does not exist.", "备份不存在。"),
}


def _item(backup: Backup) -> Json:
    item = backup.to_json()
    del item["project_id"]
    return item


def read_time(text: str) -> float:
    """Read `2020-07-06T10:41:14+0800`."""
    # The + of an offset is a blank in a query unless it is percent-encoded; the example in the reference leaves it raw.
    return datetime.strptime(text.replace(" ", "+"), "%Y-%m-%dT%H:%M:%S%z").timestamp()


def _deleted(backup: Backup) -> Answer:
    return Answer(200, {"backup_id": backup.id, "backup_name": backup.name})


def _delete_batch(account: Account, service: Service, request: Request, project_id: str) -> Answer:
    """Delete up to 50 manual backups; 200 even if each of them failed."""
    try:
        body = request.json()
    except ValueError:
        body = None
    match body:
        case {"backup_ids": [_, *_] as backup_ids} if len(backup_ids) <= MAX_BATCH:
            pass
        case _:
            raise service.refusal("parameter")
    failed = []
    for backup_id in backup_ids:
        try:
            delete(account, service, request, project_id, str(backup_id))
        except ApiError as error:
            failed.append({"backup_id": backup_id} | error.answer(request).body)
    succeeded = len(backup_ids) - len(failed)
    return Answer(200, {"success_count": succeeded, "failed_count": len(failed), "failed_results": failed})


TAURUSDB: Final = Service(
    engine="taurusdb",
    datastores=("gaussdb-mysql",),
    list_path=r"/v3/([^/]+)/backups",
    types={"auto": "auto", "manual": "manual"},
    read_time=read_time,
    item=_item,
    deleted=_deleted,
    refusals={
        "absent": "DBS.201203",  # which code it is, is not documented: `Account.absent` can name another
        "building": "DBS.201205",
        "automated": "DBS.201208",  # no code is documented for it: this is the nearest
        "in_use": "DBS.201208",
        "parameter": "DBS.280001",
        "project": "DBS.200010",  # no code is documented for a token of another project: the one for "not authorized"
    },
    errors=_ERRORS,
    # A single deletion with an empty backup id comes here: "…/backups/", whose final slash may make no difference.
    more=(("DELETE", r"/v3/([^/]+)/backups/?", _delete_batch),),
)
