"""GeminiDB, with the interfaces of Cassandra, MongoDB, InfluxDB and Redis.

Sources: GeminiDB API Reference, "Deleting a Manual Backup", "Querying the Backup List" (v4) and "Error Codes". A backup
that is being deleted has no status of its own, and the deletion can fail later. Not documented, chosen here: the code
for an automated backup, and how long a deletion takes.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final
from uuid import uuid4

from ..account import Backup
from ..errors import Errors
from ..exchange import Answer, Json
from ..service import Leaving, Service
from .taurusdb import read_time

_ERRORS: Final[Errors] = {
    "DBS.200001": (400, "Parameter error.", "参数错误。"),
    "DBS.200010": (400, "Authentication failed: the tenant and the instance do not match.", "认证失败。"),
    "DBS.200019": (403, "Another operation is being performed on the DB instance.", "实例正在执行其他操作。"),
    "DBS.201204": (400, "The backup file does not exist.", "备份文件不存在。"),
    "DBS.201214": (400, "The backup file does not exist.", "备份文件不存在。"),
    "DBS.201319": (400, "The backup cannot be deleted: it is being restored.", "备份正在用于恢复。"),
    "DBS.280001": (400, "Parameter error.", "参数错误。"),
    "DBS.280214": (400, "Invalid retention period.", "保留天数无效。"),
}


def _belongs(backup: Backup, query: Mapping[str, str]) -> bool:
    """Whether a backup is of the type asked for: of an instance, if nothing else is said, or of some tables."""
    kind = "Instance" if backup.database_tables is None else "DatabaseTable"
    return query.get("type", "Instance") == kind


def _item(backup: Backup) -> Json:
    """Write an item: times are UTC, sizes are in KB."""
    own = backup.fields("id", "name", "description", "status", "datastore", "instance_id", "instance_name")
    own |= backup.fields("database_tables")
    times = {name: _written(time) for name, time in backup.fields("begin_time", "end_time").items()}
    size = None if backup.size is None else backup.size * 1024
    return own | times | {"type": GEMINIDB.types[backup.type], "size": size}


def _written(time: str | None) -> str | None:
    try:
        return datetime.fromisoformat(time).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S%z") if time else None
    except ValueError:  # a test's own
        return time


GEMINIDB: Final = Service(
    engine="geminidb",
    datastores=("cassandra", "mongodb", "influxdb", "redis"),
    list_path=r"/v4/([^/]+)/backups",
    types={"auto": "Auto", "manual": "Manual"},
    belongs=_belongs,
    read_time=read_time,
    item=_item,
    deleted=lambda _: Answer(202, {"job_id": str(uuid4())}),
    leaving=Leaving("COMPLETED", 5.0),
    refusals={
        "absent": "DBS.201214",
        "building": "DBS.200019",
        "automated": "DBS.200001",
        "in_use": "DBS.201319",
        "parameter": "DBS.280001",
        "project": "DBS.200010",
    },
    errors=_ERRORS,
)
