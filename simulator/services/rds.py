"""RDS for MySQL, PostgreSQL, SQL Server and MariaDB.

Sources: RDS API Reference, "Deleting a Manual Backup", "Obtaining Details About Backups", "Querying DB Instances" and
"Error Codes". Not documented, chosen here: what a list for an instance that is not there answers (nothing is listed),
the code for an automated backup, and how long a deletion takes.
"""

from typing import Final

from ..account import Backup
from ..errors import Errors
from ..exchange import Answer, Json
from ..operations import list_instances
from ..service import Leaving, Service
from .taurusdb import read_time

_ERRORS: Final[Errors] = {
    "DBS.200010": (
        403,
        "The DB instance ID or user ID may be null, or the operation is not authorized.",
        "操作未授权。",
    ),
    "DBS.201010": (404, "The backup information does not exist.", "备份信息不存在。"),
    "DBS.201203": (400, "The backup file does not exist.", "备份文件不存在。"),
    "DBS.201205": (409, "Backup is in progress, please wait.", "正在备份。"),
    "DBS.201208": (400, "The operation is not allowed by the backup status.", "备份状态不允许该操作。"),
    "DBS.280001": (400, "Parameter error.", "参数错误。"),
    "DBS.280214": (400, "The backup does not exist.", "备份不存在。"),
}


def _item(backup: Backup) -> Json:
    """Write an item: sizes are in KB, and there is no description."""
    fields = backup.fields("id", "name", "type", "status", "begin_time", "end_time", "datastore", "instance_id")
    return fields | {"size": None if backup.size is None else backup.size * 1024}


RDS: Final = Service(
    engine="rds",
    datastores=("MySQL", "PostgreSQL", "SQLServer", "MariaDB"),
    list_path=r"/v3/([^/]+)/backups",
    demanded=("instance_id",),
    whole_period=True,
    types={"auto": "auto", "manual": "manual"},
    read_time=read_time,
    item=_item,
    deleted=lambda _: Answer(200),
    leaving=Leaving("DELETING", 5.0),
    refusals={
        "absent": "DBS.201203",
        "building": "DBS.201205",
        "automated": "DBS.201208",
        "in_use": "DBS.201208",
        "parameter": "DBS.280001",
        "project": "DBS.200010",
    },
    errors=_ERRORS,
    more=(("GET", r"/v3/([^/]+)/instances", list_instances),),
)
