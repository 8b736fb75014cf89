"""SDK-HMAC-SHA256, the gateway's signature, pure (huawei-api.md §6)."""

import hashlib
import hmac
from datetime import datetime
from typing import Final
from urllib.parse import parse_qsl, quote, urlsplit

from ..exchange import Request

_ALGORITHM: Final = "SDK-HMAC-SHA256"


def sign(request: Request, access_key: str, secret_key: str, now: datetime) -> Request:
    """The request with `Host`, `X-Sdk-Date` and `Authorization`; all headers it has are signed.

    Args:
        now: in UTC; the gateway refuses what is more than 15 minutes off.
    """
    date = now.strftime("%Y%m%dT%H%M%SZ")
    dated = request.with_headers({"Host": urlsplit(request.url).netloc, "X-Sdk-Date": date})
    headers = {name.lower(): value.strip() for name, value in sorted(dated.headers.items(), key=_lower_name)}
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
        url.path.removesuffix("/") + "/",  # only here: the path on the wire has no slash at its end
        "&".join(f"{name}={value}" for name, value in query),
        *(f"{name}:{value}" for name, value in headers.items()),
        "",
        signed,
        _sha256(request.body or b""),
    ]
    return "\n".join(lines)


def _encoded(text: str) -> str:
    return quote(text, safe="-_.~")


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _lower_name(header: tuple[str, str]) -> str:
    return header[0].lower()
