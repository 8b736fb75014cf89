"""GaussDB, formerly GaussDB(for openGauss).

Sources: GaussDB API Reference, "Deleting a Manual Backup", "Querying Backups" and "Error Codes". A deletion is answered
202 with an empty object as Open Telekom Cloud documents it; Huawei Cloud's page shows a body like TaurusDB's.
"""

from typing import Final

from ..account import Backup
from ..errors import Errors
from ..exchange import Answer, Json
from ..service import Service
from .taurusdb import read_time

_ERRORS: Final[Errors] = {
    "DBS.200010": (
        403,
        "The DB instance ID or user ID may be null, or the operation is not authorized.",
        "操作未授权。",
    ),
    "DBS.201010": (404, "The backup file does not exist.", "备份文件不存在。"),
    "DBS.201203": (400, "The backup file does not exist.", "备份文件不存在。"),
    "DBS.201205": (409, "Backup is in progress, please wait.", "正在备份。"),
    "DBS.201208": (400, "The operation is not allowed by the backup status.", "备份状态不允许该操作。"),
    "DBS.201218": (400, "The backup file is not manual.", "备份文件不是手动备份。"),
    "DBS.280001": (400, "Parameter error.", "参数错误。"),
    "DBS.280214": (400, "Invalid retention period.", "保留天数无效。"),
}


def _item(backup: Backup) -> Json:
    names = (
        "id",
        "name",
        "description",
        "type",
        "status",
        "begin_time",
        "end_time",
        "size",
        "datastore",
        "instance_id",
    )
    return backup.fields(*names)


GAUSSDB: Final = Service(
    engine="gaussdb",
    datastores=("GaussDB",),
    list_path=r"/v3\.1/([^/]+)/backups",
    types={"auto": "auto", "manual": "manual"},
    read_time=read_time,
    item=_item,
    deleted=lambda _: Answer(202, {}),
    refusals={
        "absent": "DBS.201010",
        "building": "DBS.201205",
        "automated": "DBS.201218",
        "in_use": "DBS.201208",
        "parameter": "DBS.280001",
        "project": "DBS.200010",
    },
    errors=_ERRORS,
)
