"""The gateway's request signature, SDK-HMAC-SHA256; pure.

Source: Huawei Cloud, "API Gateway: API Request Signing Guide", signing algorithm.
"""

import hashlib
import hmac
from datetime import datetime
from typing import Final
from urllib.parse import parse_qsl, quote, urlsplit

from ..exchange import Request

_ALGORITHM: Final = "SDK-HMAC-SHA256"
# Every hop may rewrite these (W3C Trace Context, "Mutating the traceparent Field"): a signature over them would break.
_UNSIGNED: Final = frozenset({"traceparent", "tracestate"})


def sign(request: Request, access_key: str, secret_key: str, now: datetime) -> Request:
    """The request with `Host`, `X-Sdk-Date` and `Authorization`; its headers are signed, except trace context.

    Args:
        now: in UTC; the gateway refuses a date that is more than 15 minutes off.
    """
    date = now.strftime("%Y%m%dT%H%M%SZ")
    dated = request.with_headers({"Host": urlsplit(request.url).netloc, "X-Sdk-Date": date})
    lower = {name.lower(): value.strip() for name, value in dated.headers.items()}
    headers = {name: value for name, value in sorted(lower.items()) if name not in _UNSIGNED}
    signed = ";".join(headers)
    to_sign = f"{_ALGORITHM}\n{date}\n{_sha256(_canonical(dated, headers, signed).encode())}"
    signature = hmac.new(secret_key.encode(), to_sign.encode(), hashlib.sha256).hexdigest()
    authorization = f"{_ALGORITHM} Access={access_key}, SignedHeaders={signed}, Signature={signature}"
    return dated.with_headers({"Authorization": authorization})


def _canonical(request: Request, headers: dict[str, str], signed: str) -> str:
    url = urlsplit(request.url)
    query = sorted((_encoded(name), _encoded(value)) for name, value in parse_qsl(url.query, keep_blank_values=True))
    lines = [
        request.method,
        url.path.removesuffix("/") + "/",  # the slash at the end is in the canonical form only, not in the request
        "&".join(f"{name}={value}" for name, value in query),
        *(f"{name}:{value}" for name, value in headers.items()),
        "",
        signed,
        _sha256(request.body or b""),
    ]
    return "\n".join(lines)


def _encoded(text: str) -> str:
    return quote(text, safe="")


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
