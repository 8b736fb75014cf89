"""The region table: which host serves TaurusDB where.

The name of the service is not uniform, and a wrong guess is dangerous: in cn-east-5, me-east-1 and tr-west-1 the host
`gaussdb.` is another product with the same URIs. Source: the region file of the official SDK 3.1.219.
"""

from collections.abc import Mapping
from typing import Final

_REGIONS: Final = {
    "gaussdb": "cn-north-2 cn-north-4 cn-north-9 cn-east-3 cn-south-1 cn-south-4 cn-southwest-2"
    " ap-southeast-3 ap-southeast-4 sa-brazil-1 ru-northwest-2",
    "gaussdbformysql": "tr-west-1 ap-southeast-1 ap-southeast-2 cn-north-11 me-east-1",
    "gaussdb-mysql": "af-south-1 cn-east-5 la-north-2 cn-southwest-3",
}

ENDPOINTS: Final[Mapping[str, str]] = {
    region: f"https://{service}.{region}.myhuaweicloud.com"
    for service, regions in _REGIONS.items()
    for region in regions.split()
}
