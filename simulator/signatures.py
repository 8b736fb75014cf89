"""Requests signed with an access key by SDK-HMAC-SHA256: how the gateway verifies them.

Source: Huawei Cloud, "API Gateway: API Request Signing Guide", signing algorithm and error codes.
"""

import hashlib
import hmac
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote, unquote

from .account import AccessKey, Account
from .errors import ApiError
from .exchange import Request

ALGORITHM: Final = "SDK-HMAC-SHA256"
_AUTHORIZATION: Final = re.compile(rf"{ALGORITHM} Access=([^,]+), SignedHeaders=([^,]+), Signature=([0-9a-f]{{64}})")
_SKEW: Final = 900.0  # seconds


def verify(account: Account, request: Request) -> AccessKey:
    """Return the key `request` is signed with, or raise ApiError; failures in a row lock the key."""
    parts = _AUTHORIZATION.fullmatch(request.headers.get("Authorization", ""))
    if parts is None:
        raise ApiError("APIGW.0301", "verify aksk signature fail")
    access, signed, given = parts.groups()
    key, now = account.access_keys.get(access), account.now()
    if key is None:
        raise ApiError("APIGW.0301", f"Get secretKey failed,ak:{access},err:ak not exist")
    if account.key_lockout.locked(access, now):
        raise ApiError("APIGW.0301", "AK access failed to reach the limit,forbidden.")
    fault = _fault(key, request, signed.split(";"), given, now)
    if fault is not None:
        account.key_lockout.failed(access, now)
        raise ApiError("APIGW.0301", fault)
    account.key_lockout.succeeded(access)
    return key


def canonical_request(request: Request, signed: Sequence[str]) -> str:
    """Return the text that is hashed; `signed` are the names of the signed headers."""
    signed = sorted(signed)
    uri = "/".join(quote(unquote(segment), safe="") for segment in request.path.split("/"))
    query = sorted((quote(name, safe=""), quote(value, safe="")) for name, value in request.query)
    headers = "".join(f"{name}:{request.headers.get(name, '').strip()}\n" for name in signed)
    return "\n".join(
        [
            request.method,
            uri if uri.endswith("/") else uri + "/",
            "&".join(f"{name}={value}" for name, value in query),
            headers,
            ";".join(signed),
            hashlib.sha256(request.body).hexdigest(),
        ]
    )


def signature(secret: str, date: str, canonical: str) -> str:
    """Return the signature of a canonical request sent at `date`, written as in X-Sdk-Date."""
    text = f"{ALGORITHM}\n{date}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def _fault(key: AccessKey, request: Request, signed: Sequence[str], given: str, now: float) -> str | None:
    date = request.headers.get("X-Sdk-Date", "")
    try:
        sent_at = datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return "verify aksk signature fail"
    if abs(now - sent_at) > _SKEW:
        return "calc ak sk signature fail:signature expired"
    if key.security_token is not None and (
        "x-security-token" not in signed or request.headers.get("X-Security-Token") != key.security_token
    ):
        # Documented is only that the token must be signed with the rest, not what is said if it is not.
        return "verify aksk signature fail"
    canonical = canonical_request(request, signed)
    right = hmac.compare_digest(signature(key.secret, date, canonical), given)
    if right and "x-sdk-date" in signed:
        return None
    # The gateway shows what it computed, so that one can compare.
    return "verify aksk signature fail,canonicalRequest:" + canonical.replace("\n", "|")
