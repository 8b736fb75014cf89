"""GeminiDB, with the interfaces of Cassandra, MongoDB, InfluxDB and Redis.

A deletion is accepted with a job's id and done later; it can fail then, and the backup stays. The v4 list shows one
type of backup at a time. In the v3 list `offset` is the number of a page, and it needs another permission: not used.
"""

from typing import Final

from ..refusals import Meaning, Row, read_codes
from .engine import Engine, by_region

_DOCS: Final = "opentelekomcloud-docs/geminidb api-ref error_codes.rst"
_TERRAFORM: Final = "terraform-provider-huaweicloud huaweicloud/services/geminidb"

ROWS: Final[tuple[Row, ...]] = (
    (Meaning.GONE, 400, "DBS.201214", _DOCS),  # the backup file does not exist
    (Meaning.MAYBE_GONE, 400, "DBS.201204", _DOCS),  # the text speaks of a state, the description of a missing file
    (Meaning.MAYBE_GONE, 400, "DBS.280016", _DOCS),  # resource not found
    # The instance is gone.
    (Meaning.MAYBE_GONE, 404, "DBS.200002", _DOCS),
    (Meaning.MAYBE_GONE, 403, "DBS.201028", _DOCS),
    (Meaning.MAYBE_GONE, 400, "DBS.201501 DBS.201502 DBS.216016 DBS.280110", _DOCS),
    (Meaning.DENIED, 400, "DBS.200010 DBS.200604 DBS.280015 DBS.280063", _DOCS),  # another tenant's; permission denied
    (Meaning.DENIED, 403, "DBS.280032", _DOCS),
    (Meaning.TOKEN, 403, "DBS.280056", _DOCS),
    (Meaning.UNAVAILABLE, 500, "DBS.280064", _DOCS),  # permissions could not be checked
    (Meaning.UNAVAILABLE, 404, "DBS.200013", _DOCS),  # a node does not exist: says nothing of the backup
    (Meaning.UNAVAILABLE, 400, "DBS.201319", _DOCS),  # a restore is using the backup
    # Busy.
    (Meaning.UNAVAILABLE, 403, "DBS.200011 DBS.200018 DBS.200019 DBS.200076 DBS.201000 DBS.201014 DBS.201015", _DOCS),
    (Meaning.UNAVAILABLE, 400, "DBS.200047 DBS.201202", _DOCS),
    (Meaning.UNAVAILABLE, 403, "DBS.280005", _TERRAFORM),
    (Meaning.UNAVAILABLE, 409, "DBS.200019 DBS.201015 DBS.280005", _TERRAFORM),
    (Meaning.UNAVAILABLE, 400, "DBS.200019 DBS.201015 DBS.280005", _TERRAFORM),
    (Meaning.UNAVAILABLE, 429, "DBS.280443", _DOCS),
    (Meaning.UNAVAILABLE, 500, "DBS.111205", _TERRAFORM),  # time-out: wait
    # Parameters. 280214 is "invalid retention period" here, 212006 and 212013 speak of parameter templates.
    (Meaning.FINAL, 400, "DBS.200001 DBS.200095 DBS.201006 DBS.201212 DBS.212006 DBS.212013 DBS.212019", _DOCS),
    (Meaning.FINAL, 400, "DBS.280001 DBS.280042 DBS.280124 DBS.280214 DBS.280408 DBS.280439 DBS.280440", _DOCS),
    (Meaning.FINAL, 400, "DBS.290000 DBS.301024", _DOCS),
    (Meaning.DENIED, 403, "DBS.280406 DBS.280433", _DOCS),
)

_REGIONS: Final = (
    "af-south-1 ap-southeast-1 ap-southeast-2 ap-southeast-3 ap-southeast-4 ap-southeast-5 cn-east-2 cn-east-3"
    " cn-east-4 cn-north-1 cn-north-2 cn-north-4 cn-north-9 cn-north-11 cn-south-1 cn-south-2 cn-south-4"
    " cn-southwest-2 cn-southwest-3 la-north-2 la-south-2 me-east-1 ru-northwest-2 sa-brazil-1 tr-west-1"
)

GEMINIDB: Final = Engine(
    name="geminidb",
    # The region file of the official SDK 3.1.219, without the regions of partners, which have domains of their own.
    endpoints=by_region({"gaussdb-nosql": _REGIONS}) | by_region({"gaussdb-nosql": "eu-west-101"}, "myhuaweicloud.eu"),
    codes=read_codes(ROWS),
    list_paths=("/v4/{project_id}/backups?type=Instance", "/v4/{project_id}/backups?type=DatabaseTable"),
    manual="Manual",
    any_case=True,
    units_per_mb=1024,
    partial_in="database_tables",  # API page "Querying Backups": empty for a backup of the instance
    takes_language=False,
)
