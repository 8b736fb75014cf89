"""RDS for MySQL, PostgreSQL, SQL Server and MariaDB.

A deletion is accepted with an empty 200 and done later; meanwhile the backup is listed as DELETING. The list is per
instance (API page "Obtaining Details About Backups": `instance_id` is mandatory), and its items have no description.
"""

from typing import Final

from ..refusals import Meaning, Row, read_codes
from .engine import Engine, by_region

_DOCS: Final = "opentelekomcloud-docs/relational-database-service api-ref error_codes.rst"
_DOCS_2020: Final = "huaweicloudDocs/rds 2020-03, error codes"  # no longer in the newer table, nor withdrawn
_DOCS_NEW: Final = "support.huaweicloud.com api-rds error codes, 2026"
_V1: Final = "opentelekomcloud-docs/relational-database-service api-ref, error codes of the v1 API"

ROWS: Final[tuple[Row, ...]] = (
    (Meaning.GONE, 400, "DBS.201203", _DOCS),  # the backup file does not exist
    (Meaning.GONE, 404, "DBS.201010", _DOCS),  # the backup information does not exist
    (Meaning.MAYBE_GONE, 400, "DBS.280214", _DOCS),  # the backup does not exist
    (Meaning.MAYBE_GONE, 404, "DBS.290013 DBS.212013", _DOCS),  # resource or object not found
    (Meaning.MAYBE_GONE, 404, "DBS.200002 DBS.200013 DBS.200045 DBS.200408 DBS.200602", _DOCS),  # the instance is gone
    (Meaning.MAYBE_GONE, 404, "DBS.201028 DBS.290005 DBS.290011", _DOCS),
    (Meaning.MAYBE_GONE, 404, "RDS.0002 RDS.0022 RDS.1103", _V1),
    (Meaning.MAYBE_GONE, 400, "RDS.3026", _V1),
    (Meaning.MAYBE_DENIED, 403, "DBS.200044 DBS.201003 DBS.280015", _DOCS),  # not found or no permission
    (Meaning.DENIED, 403, "DBS.200010 DBS.200604", _DOCS),
    (Meaning.DENIED, 403, "RDS.0015", _V1),
    (Meaning.DENIED, 400, "DBS.280449", _DOCS),  # frozen: the account is in arrears
    (Meaning.TOKEN, 403, "DBS.280056", _DOCS),
    (Meaning.UNAVAILABLE, 409, "DBS.200011 DBS.200019 DBS.200047 DBS.201202 DBS.201205 DBS.212006", _DOCS),  # busy
    (Meaning.UNAVAILABLE, 409, "DBS.200316", _DOCS),  # the storage is full
    (Meaning.UNAVAILABLE, 409, "DBS.280406", _DOCS_2020),
    (Meaning.UNAVAILABLE, 400, "DBS.200076", _DOCS_NEW),  # another operation
    (Meaning.UNAVAILABLE, 400, "RDS.3016", _V1),  # the backup is being deleted
    (Meaning.UNAVAILABLE, 409, "RDS.0011 RDS.0056 RDS.3004", _V1),
    (Meaning.UNAVAILABLE, 500, "RDS.0005", _V1),
    (Meaning.UNAVAILABLE, 500, "DBS.108000 DBS.108002 DBS.108005 DBS.200005 DBS.213004 DBS.290006 DBS.290015", _DOCS),
    (Meaning.UNAVAILABLE, 500, "DBS.200208 DBS.213002", _DOCS_2020),
    (Meaning.FINAL, 400, "DBS.201208", _DOCS_2020),  # the backup's status does not allow it
    (Meaning.FINAL, 400, "DBS.200086 DBS.201014", _DOCS),  # the instance's status does not allow it
    # Parameters.
    (Meaning.FINAL, 400, "DBS.200001 DBS.200004 DBS.200405 DBS.280001 DBS.280204 DBS.290000 DBS.290001", _DOCS),
    (Meaning.FINAL, 422, "DBS.212019", _DOCS),
)

_REGIONS: Final = (
    "af-north-1 af-south-1 ap-southeast-1 ap-southeast-2 ap-southeast-3 ap-southeast-4 ap-southeast-5 cn-east-2"
    " cn-east-3 cn-east-4 cn-east-5 cn-north-1 cn-north-2 cn-north-4 cn-north-9 cn-north-11 cn-north-12 cn-south-1"
    " cn-south-2 cn-south-4 cn-southwest-2 cn-southwest-3 la-north-2 la-south-2 me-east-1 na-mexico-1 ru-northwest-2"
    " sa-brazil-1 tr-west-1"
)

RDS: Final = Engine(
    name="rds",
    # The region file of the official SDK 3.1.219, without the regions of partners, which have domains of their own.
    endpoints=by_region({"rds": _REGIONS}) | by_region({"rds": "eu-west-101"}, "myhuaweicloud.eu"),
    codes=read_codes(ROWS),
    needs_instance=True,
    leaving=frozenset({"DELETING"}),
    partial_in="databases",  # API page "Obtaining Details About Backups": partial backups of SQL Server
    units_per_mb=1024,
)
