"""Who may deliver events: the bearer of a JWT that the configured issuer has signed, for us, about a listed subject.

RFC 6750 (bearer tokens), 7515 (JWS), 7517 (JWK), 7519 (JWT), and 8725, the best practice for verifying one. 401 and 403
end an event for good with a broker. So they are given only for what no rotation, outage or clock explains.
"""

import re
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

import jwt

from .caller_keys import ALGORITHMS, Caller, CallerKeys, File, KeySet, Url
from .delivery import Delivery
from .errors import NotAllowedError, UncheckedCallerError
from .exchange import Answer, Request
from .strict_json import read_json

LEEWAY_SECONDS: Final = 60
MAX_VERIFIED: Final = 64
_BEARER: Final = re.compile("bearer +(.+)", re.IGNORECASE)
_TOKEN: Final = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]+")
_SIGNATURES: Final = jwt.PyJWS(options={"enforce_minimum_key_length": True})


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerSettings:
    """Whose tokens are accepted, and for whom.

    Args:
        issuer: `iss`, byte for byte.
        audience: what `aud` is or holds.
        subjects: one of which `sub` is.
        jwks: the URL of the issuer's keys, or the file that holds them.
    """

    issuer: str
    audience: str
    subjects: frozenset[str]
    jwks: str | Path


@dataclass(frozen=True, slots=True)
class _Unsigned:
    """A token of which nothing is proven."""

    token: str
    key_id: str
    algorithm: str
    claims: Mapping[str, object]


class Callers:
    """Checks who delivers."""

    def __init__(self, settings: CallerSettings, keys: CallerKeys) -> None:
        self._settings, self._keys = settings, keys

    @classmethod
    def of(cls, settings: CallerSettings, exchange: Callable[[Request, Delivery], Answer]) -> "Callers":
        """A check with the keys of the issuer that is configured."""
        jwks = settings.jwks
        return cls(settings, CallerKeys(File(jwks) if isinstance(jwks, Path) else Url(jwks, exchange)))

    def check(self, headers: Mapping[str, str], delivery: Delivery) -> None:
        """Let a delivery pass, which learns the caller's subject, or raise.

        Args:
            headers: by their lower-case names.

        Raises:
            NotAllowedError: the caller is unknown, or not one that may deliver.
            UncheckedCallerError: a rotation, an outage or a clock can be why.
        """
        caller = self._authenticate(_bearer_token(headers.get("authorization", "")), delivery)
        delivery.caller = caller.subject
        if caller.subject not in self._settings.subjects:
            message = "the caller is known, but not in REAPER_CALLER_SUBJECTS; the log has its name as caller.subject"
            raise NotAllowedError("CALLER_NOT_ALLOWED", message, status=403)
        now = delivery.now.timestamp()
        if not caller.not_before - LEEWAY_SECONDS <= now < caller.expires + LEEWAY_SECONDS:
            which = "has expired" if now > caller.not_before else "is not valid yet"
            message = f"the caller's token {which}: it waited too long on its way, or a clock is off"
            raise UncheckedCallerError("CALLER_TOKEN_TIME", message)

    def _authenticate(self, token: str, delivery: Delivery) -> Caller:
        """Who the issuer says that the caller is; what is verified once stays so as long as its key."""
        digest = sha256(token.encode()).digest()
        # A token that cannot be right must not cause a request to the issuer. So it is read before there are keys.
        unsigned = None if digest in self._keys.held.verified else self._read(token)
        keys = self._keys.current(delivery, unsigned.key_id if unsigned else None)
        if caller := keys.verified.get(digest):
            return caller
        caller = self._verify(unsigned or self._read(token), keys)
        if len(keys.verified) >= MAX_VERIFIED:
            keys.verified.clear()
        keys.verified[digest] = caller
        return caller

    def _read(self, token: str) -> _Unsigned:
        """What a token says; raises NotAllowedError where no key could make it right."""
        header, claims = (_read_part(part) for part in token.split(".")[:2])
        algorithm, key_id = header.get("alg"), header.get("kid")
        if not isinstance(algorithm, str) or algorithm not in ALGORITHMS.values():
            raise _unknown("it is not signed with RS256, ES256, ES384 or ES512")
        if "crit" in header:
            raise _unknown("its header has crit, an extension that must be understood")
        if not isinstance(key_id, str):
            raise _unknown("its header does not name a key (kid)")
        if claims.get("iss") != self._settings.issuer:
            raise _unknown("its issuer is not REAPER_CALLER_ISSUER")
        return _Unsigned(token, key_id, algorithm, claims)

    def _verify(self, unsigned: _Unsigned, keys: KeySet) -> Caller:
        """The caller, if the signature is right and the token is for us."""
        if not keys.has(unsigned.key_id):
            message = "the caller's token names a key that the issuer's keys do not have, perhaps not yet"
            raise UncheckedCallerError("CALLER_KEY_UNKNOWN", message)
        key = keys.keys.get((unsigned.key_id, unsigned.algorithm))
        if key is None:
            raise _unknown("its key is for another algorithm")
        try:
            _SIGNATURES.decode(unsigned.token, key, algorithms=[key.algorithm_name])
        except jwt.PyJWTError:
            raise _unknown("its signature is wrong") from None
        return self._read_caller(unsigned.claims)

    def _read_caller(self, claims: Mapping[str, object]) -> Caller:
        audience, subject = claims.get("aud"), claims.get("sub")
        if self._settings.audience not in (audience if isinstance(audience, list) else [audience]):
            raise _unknown("its audience is not REAPER_CALLER_AUDIENCE")
        if not isinstance(subject, str) or not subject:
            raise _unknown("it has no subject (sub)")
        return Caller(subject, _read_time(claims, "nbf", default=0), _read_time(claims, "exp"))


def _bearer_token(authorization: str) -> str:
    """The token in the header, which must look like a JWT."""
    if not authorization:
        raise _unknown("a bearer token is needed in Authorization", challenge="Bearer")
    bearer = _BEARER.fullmatch(authorization.strip(" "))
    if not bearer:
        raise _unknown("Authorization must hold a bearer token", challenge="Bearer")
    if not _TOKEN.fullmatch(bearer[1]):
        raise _unknown("it is not a JWT of three parts")
    return bearer[1]


def _read_part(part: str) -> dict[str, object]:
    """A part of a JWT, as an object of JSON; twins of a name or NaN could be read in two ways."""
    try:
        value = read_json(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise _unknown("a part of it is not an object of JSON in base64url")
    return value


def _read_time(claims: Mapping[str, object], name: str, default: float | None = None) -> float:
    value = claims.get(name, default)
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise _unknown(f"{name} is not a number")
    return value


def _unknown(why: str, challenge: str = 'Bearer error="invalid_token"') -> NotAllowedError:
    return NotAllowedError("CALLER_UNKNOWN", f"the caller's token is refused: {why}", status=401, challenge=challenge)
