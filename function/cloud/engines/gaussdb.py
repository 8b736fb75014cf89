"""GaussDB (openGauss).

A deletion is answered 200 with the backup's id, or 202 with an empty object; the second is not yet a proof.
"""

from typing import Final

from ..refusals import Meaning, Row, read_codes
from .engine import Engine, by_region

_DOCS: Final = "opentelekomcloud-docs/gaussdb-opengauss api-ref error_codes.rst"
_TERRAFORM: Final = "terraform-provider-huaweicloud huaweicloud/services/gaussdb"

ROWS: Final[tuple[Row, ...]] = (
    (Meaning.GONE, 400, "DBS.201203", _DOCS),  # the backup file does not exist
    (Meaning.GONE, 404, "DBS.201010", _DOCS),  # the backup file does not exist
    (Meaning.MAYBE_GONE, 400, "DBS.200751", _TERRAFORM),  # taken for "gone" there, in no table
    (Meaning.MAYBE_GONE, 404, "DBS.200355 DBS.212013 DBS.290013", _DOCS),  # resource or object not found
    (Meaning.MAYBE_GONE, 404, "DBS.200002 DBS.200013 DBS.200045 DBS.200602 DBS.201028", _DOCS),  # the instance is gone
    (Meaning.MAYBE_GONE, 404, "DBS.280022 DBS.290005 DBS.290011", _DOCS),
    (Meaning.MAYBE_DENIED, 403, "DBS.200044 DBS.201003 DBS.280015", _DOCS),  # not found or no permission
    (Meaning.DENIED, 403, "DBS.200010 DBS.200174 DBS.200604 DBS.280020", _DOCS),
    (Meaning.DENIED, 400, "DBS.216003 DBS.280449", _DOCS),  # denied; frozen: the account is in arrears
    (Meaning.TOKEN, 403, "DBS.280056", _DOCS),
    (Meaning.UNAVAILABLE, 404, "DBS.200408", _DOCS),  # no normal node: a sick instance, not a missing one
    (Meaning.UNAVAILABLE, 409, "DBS.200011 DBS.200019 DBS.200047 DBS.201202 DBS.201205 DBS.212006", _DOCS),  # busy
    (Meaning.UNAVAILABLE, 409, "DBS.200316 DBS.212033 DBS.280011 DBS.280406", _DOCS),
    (Meaning.UNAVAILABLE, 409, "DBS.05000084 DBS.201014 DBS.201015 DBS.216011", _TERRAFORM),
    (Meaning.UNAVAILABLE, 400, "DBS.06020003", _DOCS),  # conflicting operation
    (Meaning.UNAVAILABLE, 500, "DBS.108000 DBS.108002 DBS.108005 DBS.200005 DBS.200208 DBS.213002 DBS.213004", _DOCS),
    (Meaning.UNAVAILABLE, 500, "DBS.290006 DBS.290015", _DOCS),
    (Meaning.FINAL, 400, "DBS.201218", _DOCS),  # the backup is not manual
    (Meaning.FINAL, 400, "DBS.201208 DBS.301024", _DOCS),  # the backup's status does not allow it
    (Meaning.FINAL, 400, "DBS.06010001 DBS.200086 DBS.201014 DBS.280800", _DOCS),  # the instance's status
    # Parameters. 280214 is "invalid retention period" here.
    (Meaning.FINAL, 400, "DBS.280124 DBS.280214 DBS.200001 DBS.200004 DBS.200405 DBS.280001 DBS.280204", _DOCS),
    (Meaning.FINAL, 400, "DBS.06010013 DBS.201004 DBS.280408 DBS.280433 DBS.280439 DBS.280440", _DOCS),
    (Meaning.FINAL, 400, "DBS.290000 DBS.290001", _DOCS),
    (Meaning.FINAL, 422, "DBS.212019", _DOCS),
)

GAUSSDB: Final = Engine(
    name="gaussdb",
    # The region file of the official SDK 3.1.219. In other regions `gaussdb.` is TaurusDB, with the same URIs.
    endpoints=by_region(
        {
            "gaussdb-opengauss": "af-south-1 ap-southeast-1 ap-southeast-2 ap-southeast-3 ap-southeast-4 cn-east-3"
            " cn-north-2 cn-north-4 cn-north-9 cn-south-1 cn-south-2 cn-south-4 cn-southwest-2 la-north-2 la-south-2"
            " ru-northwest-2 sa-brazil-1",
            "gaussdb": "af-north-1 ap-southeast-5 cn-east-2 cn-east-4 cn-east-5 cn-north-12 me-east-1 tr-west-1",
        }
    ),
    codes=read_codes(ROWS),
    list_paths=("/v3.1/{project_id}/backups",),
    proves_by_id=True,
)
