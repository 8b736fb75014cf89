"""DDS, Document Database Service.

Sources: DDS API Reference, "Deleting a Manual Backup", "Querying the Backup List" and "Error Codes"; the official SDK
for `deletable` and `is_instance_restoring`. Not documented, chosen here: the code for an automated backup, and how long
a deletion takes.
"""

from datetime import UTC, datetime
from typing import Final
from uuid import uuid4

from ..account import Backup
from ..errors import Errors
from ..exchange import Answer, Json
from ..service import Leaving, Service

_TIME: Final = "%Y-%m-%d %H:%M:%S"  # UTC, without an offset

_ERRORS: Final[Errors] = {
    "DBS.200004": (400, "Illegal operation.", "非法操作。"),
    "DBS.200010": (400, "Authentication failed: the tenant and the instance do not match.", "认证失败。"),
    "DBS.200019": (403, "Another operation is being performed on the DB instance.", "实例正在执行其他操作。"),
    "DBS.201204": (400, "The backup file does not exist.", "备份文件不存在。"),
    "DBS.201214": (400, "The backup file does not exist.", "备份文件不存在。"),
    "DBS.201319": (400, "The backup cannot be deleted: it is being restored.", "备份正在用于恢复。"),
    "DBS.280001": (400, "Parameter error.", "参数错误。"),
    "DBS.280214": (400, "Invalid retention period.", "保留天数无效。"),
}


def _item(backup: Backup) -> Json:
    """Write an item: sizes are in KB."""
    names = ("id", "name", "description", "status", "datastore", "instance_id", "instance_name")
    own = backup.fields(*names, "deletable", "is_instance_restoring")
    own = {name: value for name, value in own.items() if value is not None}
    times = {name: _written(time) for name, time in backup.fields("begin_time", "end_time").items()}
    size = None if backup.size is None else backup.size * 1024
    return own | times | {"type": DDS.types[backup.type], "size": size}


def _written(time: str | None) -> str | None:
    try:
        return datetime.fromisoformat(time).astimezone(UTC).strftime(_TIME) if time else None
    except ValueError:  # a test's own
        return time


DDS: Final = Service(
    engine="dds",
    datastores=("DDS-Community",),
    list_path=r"/v3/([^/]+)/backups",
    whole_period=True,
    types={"auto": "Auto", "manual": "Manual"},
    read_time=lambda text: datetime.strptime(text, _TIME).replace(tzinfo=UTC).timestamp(),
    item=_item,
    deleted=lambda _: Answer(200, {"job_id": str(uuid4())}),
    leaving=Leaving("DISABLED", 5.0),
    refusals={
        "absent": "DBS.201214",
        "building": "DBS.200019",
        "automated": "DBS.200004",
        "in_use": "DBS.201319",
        "parameter": "DBS.280001",
        "project": "DBS.200010",
    },
    errors=_ERRORS,
)
