"""The public keys of the issuer of callers' tokens: how they are read, and when they are read again."""

import logging
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from .delivery import Delivery
from .errors import NotFinalError, UncheckedCallerError
from .exchange import Answer, Request
from .strict_json import read_json

ALGORITHMS: Final = {  # by type and curve of the key: RFC 7518 §3.1
    ("RSA", None): "RS256",
    ("EC", "P-256"): "ES256",
    ("EC", "P-384"): "ES384",
    ("EC", "P-521"): "ES512",
}
MIN_RSA_BITS: Final = 2048  # RFC 7518 §3.3
MAX_BYTES: Final = 1 << 18
RENEW_AFTER_SECONDS: Final = 3600
KEEP_SECONDS: Final = 86_400  # how long keys are used while they cannot be read again
FETCH_EVERY_SECONDS: Final = 60
MAX_FETCH_SECONDS: Final = 5.0
SHARE_OF_TIME: Final = 4  # a fetch takes at most one part of so many: the rest is for what the event asks for

Exchange = Callable[[Request, Delivery], Answer]

log = logging.getLogger("backup-reaper")


@dataclass(frozen=True, slots=True)
class Caller:
    """What a token says that the issuer has signed for us; times in seconds since 1970."""

    subject: str
    not_before: float
    expires: float


@dataclass(frozen=True, slots=True)
class KeySet:
    """Keys by id and algorithm, and the tokens that they have been found to sign.

    Args:
        verified: by the digest of the token. They go with the keys: a key that is withdrawn takes its tokens along.
    """

    keys: dict[tuple[str, str], jwt.PyJWK] = field(default_factory=dict)
    verified: dict[bytes, Caller] = field(default_factory=dict)

    def has(self, key_id: str) -> bool:
        """Whether there is a key of that id, for any algorithm."""
        return any(known == key_id for known, _ in self.keys)


def read_key_set(text: bytes) -> KeySet:
    """The keys in a JWK set (RFC 7517 §5); what cannot verify our tokens is skipped.

    Raises:
        ValueError: there are none.
    """
    try:
        document = read_json(text)
    except ValueError as error:
        raise ValueError(f"it is not JSON: {error}") from None
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise ValueError('it is no JWK set: {"keys": […]}')
    found = {(key.key_id or "", key.algorithm_name): key for jwk in listed if (key := _read_key(jwk))}
    if not found:
        raise ValueError("it holds no public key with an id for RS256, ES256, ES384 or ES512")
    return KeySet(found)


def _read_key(jwk: object) -> jwt.PyJWK | None:
    """A key that can verify a signature; None where it is of another kind, too short, or a private key."""
    if not isinstance(jwk, dict) or jwk.get("use", "sig") != "sig" or "d" in jwk or not isinstance(jwk.get("kid"), str):
        return None
    type_and_curve = (str(jwk.get("kty")), str(jwk["crv"]) if "crv" in jwk else None)
    algorithm = ALGORITHMS.get(type_and_curve)
    if algorithm is None or jwk.get("alg", algorithm) != algorithm:
        return None
    try:
        key = jwt.PyJWK(jwk, algorithm)
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError, KeyError):  # what a member of a wrong type leads to
        return None
    too_short = isinstance(key.key, RSAPublicKey) and key.key.key_size < MIN_RSA_BITS
    return None if too_short else key


class Source(Protocol):
    """Where a JWK set is."""

    def is_due(self, now: float, *, age: float, lacks_key: bool) -> bool:
        """Whether to read it again.

        Args:
            now: on the clock of the keys, in seconds.
            age: seconds since it was read; infinite before the first time.
            lacks_key: a token names a key that it does not have.
        """
        ...

    def read(self, now: float, delivery: Delivery) -> bytes:
        """The JWK set as it is now.

        Raises:
            NotFinalError, ValueError: what is wrong, without a secret.
        """
        ...


class Url:
    """A JWK set that the issuer publishes: fetched again after an hour or for an unknown key, at most once a minute."""

    def __init__(self, url: str, exchange: Exchange) -> None:
        self._url, self._exchange = url, exchange
        self._fetched = -math.inf

    def is_due(self, now: float, *, age: float, lacks_key: bool) -> bool:
        """Whether to fetch it."""
        return (lacks_key or age > RENEW_AFTER_SECONDS) and now >= self._fetched + FETCH_EVERY_SECONDS

    def read(self, now: float, delivery: Delivery) -> bytes:
        """Fetch it."""
        self._fetched = now
        part = delivery.part(_patience(delivery))
        try:
            answer = self._exchange(Request("GET", self._url, {"accept": "application/json"}), part)
        finally:
            delivery.calls.extend(part.calls)
        if answer.status != 200:
            raise ValueError(f"the issuer answered {answer.status}")
        return answer.body


class File:
    """A JWK set in a file: read again when the file changes, and after an hour."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._mark: tuple[int, ...] | None = None

    def is_due(self, now: float, *, age: float, lacks_key: bool) -> bool:
        """Whether the file is another one."""
        return age > RENEW_AFTER_SECONDS or self._mark is None or self._mark != self._mark_now()

    def read(self, now: float, delivery: Delivery) -> bytes:
        """What the file holds."""
        mark, text = self._mark_now(), read_file(self._path)
        self._mark = mark
        return text

    def _mark_now(self) -> tuple[int, ...] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino


def read_file(path: Path) -> bytes:
    """What a file with a JWK set holds.

    Raises:
        ValueError: it cannot be read, or is too large.
    """
    try:
        with path.open("rb") as opened:
            text = opened.read(MAX_BYTES + 1)
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    if len(text) > MAX_BYTES:
        raise ValueError(f"{path} is larger than {MAX_BYTES} bytes")
    return text


class CallerKeys:
    """The keys in force, in one process.

    Args:
        clock: monotonic, in seconds.

    Attributes:
        held: the last that could be read, however old.
    """

    def __init__(self, source: Source, clock: Callable[[], float] = time.monotonic) -> None:
        self._source, self._clock = source, clock
        self._turn = threading.Lock()
        self._read_at = -math.inf
        self._fault = "they have not been read yet"
        self.held = KeySet()

    def current(self, delivery: Delivery, key_id: str | None = None) -> KeySet:
        """The keys, read again if it is time to. One delivery reads them; the others use what is there.

        Args:
            key_id: of the key that is needed, if one is.

        Raises:
            UncheckedCallerError: there are none, or only such as could not be read again for a day.
        """
        if self._is_due(key_id) or self._age() > KEEP_SECONDS:  # without keys, another delivery's fetch is waited for
            self._renew(delivery, key_id)
        if self._age() > KEEP_SECONDS:
            raise UncheckedCallerError("CALLER_KEYS", f"the keys of the callers' issuer cannot be read: {self._fault}")
        return self.held

    def _age(self) -> float:
        return self._clock() - self._read_at

    def _is_due(self, key_id: str | None) -> bool:
        lacks_key = key_id is not None and not self.held.has(key_id)
        return self._source.is_due(self._clock(), age=self._age(), lacks_key=lacks_key)

    def _renew(self, delivery: Delivery, key_id: str | None) -> None:
        wait = _patience(delivery) if self._age() > KEEP_SECONDS else 0
        if not self._turn.acquire(timeout=wait):
            return
        try:
            if self._is_due(key_id):  # another delivery may have read them in the meantime
                self.held = read_key_set(self._source.read(self._clock(), delivery))
                self._read_at = self._clock()
        except (NotFinalError, ValueError) as error:
            self._fault = error.error_msg if isinstance(error, NotFinalError) else str(error)
            log.error("the keys of the callers' issuer could not be read: %s", self._fault, extra=delivery.about)
        finally:
            self._turn.release()


def _patience(delivery: Delivery) -> float:
    """The seconds that a delivery has for keys."""
    return max(0.0, min(MAX_FETCH_SECONDS, delivery.left() / SHARE_OF_TIME))
