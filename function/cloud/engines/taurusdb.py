"""TaurusDB, formerly GaussDB(for MySQL)."""

from typing import Final

from ..refusals import Meaning, Row, read_codes
from .engine import Engine, by_region

_DOCS: Final = "opentelekomcloud-docs/taurusdb api-ref/source/appendix/error_codes.rst"
_TERRAFORM: Final = "terraform-provider-huaweicloud huaweicloud/services/taurusdb/common.go"  # busy, only with a 409

ROWS: Final[tuple[Row, ...]] = (
    (Meaning.GONE, 400, "DBS.201203", _DOCS),  # the backup file does not exist
    (Meaning.GONE, 404, "DBS.201010", _DOCS),  # the backup information does not exist
    # "The backup does not exist" here, but "invalid retention period" in three siblings on the same URI.
    (Meaning.MAYBE_GONE, 400, "DBS.280214", _DOCS),
    (Meaning.MAYBE_GONE, 404, "DBS.290013", _DOCS),  # resource not found
    # The instance is gone; its manual backups may have survived it.
    (Meaning.MAYBE_GONE, 404, "DBS.200002 DBS.200045 DBS.200408 DBS.200602", _DOCS),
    (Meaning.MAYBE_GONE, 404, "DBS.201028 DBS.290005 DBS.290011", _DOCS),
    (Meaning.MAYBE_DENIED, 403, "DBS.200044 DBS.201003 DBS.280015", _DOCS),  # not found or no permission
    (Meaning.DENIED, 403, "DBS.200010 DBS.200604", _DOCS),  # not authorised
    (Meaning.DENIED, 400, "DBS.280449", _DOCS),  # frozen: the account is in arrears
    (Meaning.TOKEN, 403, "DBS.280056", _DOCS),  # invalid token
    (Meaning.UNAVAILABLE, 409, "DBS.201205", _DOCS),  # the backup is being created
    # Another operation holds the instance.
    (Meaning.UNAVAILABLE, 409, "DBS.200011 DBS.200019 DBS.200047", _DOCS),
    (Meaning.UNAVAILABLE, 409, "DBS.201202 DBS.212006 DBS.280406", _DOCS),
    (Meaning.UNAVAILABLE, 409, "DBS.201014 DBS.201015 DBS.05000084 DBS.212033", _TERRAFORM),
    (Meaning.UNAVAILABLE, 500, "DBS.108000 DBS.108002 DBS.108005 DBS.200005", _DOCS),
    (Meaning.UNAVAILABLE, 500, "DBS.200208 DBS.213002 DBS.213004 DBS.290006", _DOCS),
    (Meaning.UNAVAILABLE, 500, "DBS.290015 DBS.05000000", _DOCS),
    (Meaning.FINAL, 400, "DBS.201208", _DOCS),  # the backup's status does not allow it
    (Meaning.FINAL, 400, "DBS.200086 DBS.201014", _DOCS),  # the instance's status does not allow it
    # Parameters.
    (Meaning.FINAL, 400, "DBS.200001 DBS.200004 DBS.280001 DBS.290000", _DOCS),
    (Meaning.FINAL, 400, "DBS.280204 DBS.290001 DBS.280404", _DOCS),
)

TAURUSDB: Final = Engine(
    name="taurusdb",
    # The region file of the official SDK 3.1.219. The host's name is not uniform, and a wrong guess is dangerous: in
    # cn-east-5, me-east-1 and tr-west-1 `gaussdb.` is another product with the same URIs.
    endpoints=by_region(
        {
            "gaussdb": "cn-north-2 cn-north-4 cn-north-9 cn-east-3 cn-south-1 cn-south-4 cn-southwest-2"
            " ap-southeast-3 ap-southeast-4 sa-brazil-1 ru-northwest-2",
            "gaussdbformysql": "tr-west-1 ap-southeast-1 ap-southeast-2 cn-north-11 me-east-1",
            "gaussdb-mysql": "af-south-1 cn-east-5 la-north-2 cn-southwest-3",
        }
    ),
    codes=read_codes(ROWS),
    proves_by_id=True,
)
