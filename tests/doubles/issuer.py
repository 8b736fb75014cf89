"""An issuer of callers' tokens: keys, tokens and a JWK set, made with nothing but `cryptography`.

As a process (`python -m tests.doubles.issuer --port N`) it serves `GET /keys`. `POST /token` makes a token of a JSON
object with `header` and `claims`, `POST /rotate` takes new keys, `POST /behave` changes what `/keys` answers: `well`,
`500`, `html`, `silent`, `drip`. `GET /fetches` counts how often `/keys` was asked for.
"""

import argparse
import json
import sys
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512

from simulator.processes import _free_port, _run

ISSUER: Final = "https://kubernetes.default.svc.cluster.local"
AUDIENCE: Final = "backup-reaper"
SUBJECT: Final = "system:serviceaccount:backup-reaper:backup-reaper-expired-oidc-eventing.knative.dev-trigger"
CURVES: Final = {
    "ES256": (ec.SECP256R1(), "P-256", SHA256()),
    "ES384": (ec.SECP384R1(), "P-384", SHA384()),
    "ES512": (ec.SECP521R1(), "P-521", SHA512()),
}
Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def encoded(data: bytes | Mapping[str, object]) -> str:
    """Base64url without padding; an object as JSON."""
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _whole(number: int, size: int) -> str:
    return encoded(number.to_bytes(size, "big"))


class Key:
    """A private key with an id and an algorithm."""

    def __init__(self, kid: str, algorithm: str = "RS256", bits: int = 2048) -> None:
        self.kid, self.algorithm = kid, algorithm
        self.private: Private = (
            rsa.generate_private_key(65537, bits)
            if algorithm == "RS256"
            else ec.generate_private_key(CURVES[algorithm][0])
        )

    @property
    def jwk(self) -> dict[str, object]:
        """The public key, as an issuer publishes it."""
        about = {"use": "sig", "kid": self.kid, "alg": self.algorithm}
        if isinstance(self.private, rsa.RSAPrivateKey):
            numbers = self.private.public_key().public_numbers()
            return {**about, "kty": "RSA", "n": _whole(numbers.n, (numbers.n.bit_length() + 7) // 8), "e": "AQAB"}
        curve, name, _ = CURVES[self.algorithm]
        point, size = self.private.public_key().public_numbers(), (curve.key_size + 7) // 8
        return {**about, "kty": "EC", "crv": name, "x": _whole(point.x, size), "y": _whole(point.y, size)}

    @property
    def secret(self) -> str:
        """The private part of a key on a curve, as a JWK has it in `d`."""
        assert isinstance(self.private, ec.EllipticCurvePrivateKey)
        return _whole(self.private.private_numbers().private_value, (self.private.key_size + 7) // 8)

    def sign(self, header: bytes | Mapping[str, object], claims: bytes | Mapping[str, object]) -> str:
        """A token of this header and these claims, whatever they say."""
        text = f"{encoded(header)}.{encoded(claims)}"
        return f"{text}.{encoded(self._signature(text.encode()))}"

    def _signature(self, data: bytes) -> bytes:
        if isinstance(self.private, rsa.RSAPrivateKey):
            return self.private.sign(data, PKCS1v15(), SHA256())
        curve, _, digest = CURVES[self.algorithm]
        size = (curve.key_size + 7) // 8
        r, s = decode_dss_signature(self.private.sign(data, ec.ECDSA(digest)))
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")

    def token(self, *, at: float, header: Mapping[str, object] | None = None, **claims: object) -> str:
        """A good token of that time, valid for an hour, but for what is given; what is None is left out.

        Args:
            at: seconds since 1970.
        """
        heads = {"alg": self.algorithm, "kid": self.kid, "typ": "JWT", **(header or {})}
        usual = {"iss": ISSUER, "aud": [AUDIENCE], "sub": SUBJECT, "iat": int(at), "exp": int(at) + 3600, **claims}
        return self.sign(
            *({name: value for name, value in part.items() if value is not None} for part in (heads, usual))
        )


def key_set(*keys: Key) -> bytes:
    """The JWK set of some keys."""
    return json.dumps({"keys": [key.jwk for key in keys]}).encode()


def caller_settings(directory: Path, *keys: Key) -> dict[str, str]:
    """Settings by which SUBJECT may deliver, with the keys in a file of this directory."""
    path = directory / "keys.json"
    path.write_bytes(key_set(*keys))
    return {
        "REAPER_CALLER_ISSUER": ISSUER,
        "REAPER_CALLER_AUDIENCE": AUDIENCE,
        "REAPER_CALLER_SUBJECTS": SUBJECT,
        "REAPER_CALLER_JWKS_FILE": str(path),
    }


class IssuerProcess:
    """The issuer in a process of its own.

    Args:
        url: where its keys are.
    """

    def __init__(self, base: str) -> None:
        self._netloc = urlsplit(base).netloc
        self.url = f"{base}/keys"

    @property
    def fetches(self) -> int:
        """How often its keys were asked for."""
        return int(self._ask("GET", "/fetches"))

    def token(self, header: Mapping[str, object] | None = None, **claims: object) -> str:
        """A token of its key, good but for what is given."""
        return self._ask("POST", "/token", {"header": header or {}, "claims": claims}).decode()

    def rotate(self) -> None:
        """Replace its key by another, with another id."""
        self._ask("POST", "/rotate")

    def behave(self, how: str) -> None:
        """From now on `/keys` does this; the count of fetches begins anew."""
        self._ask("POST", "/behave", {"how": how})

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> bytes:
        connection = HTTPConnection(self._netloc, timeout=10)
        try:
            connection.request(method, path, json.dumps(body or {}))
            answer = connection.getresponse()
            assert answer.status == 200
            return answer.read()
        finally:
            connection.close()


@contextmanager
def run_issuer() -> Iterator[IssuerProcess]:
    """An issuer process, until the block ends."""
    port = _free_port()
    with _run(
        [sys.executable, "-m", "tests.doubles.issuer", "--port", str(port)], port, "/fetches", {}, None
    ) as running:
        yield IssuerProcess(running.url)


class _Handler(BaseHTTPRequestHandler):
    key = Key("key-1")
    how = "well"
    fetches = 0
    stopping = threading.Event()

    def do_GET(self) -> None:
        if self.path == "/fetches":
            return self._answer(200, str(_Handler.fetches).encode())
        _Handler.fetches += 1
        match _Handler.how:
            case "500":
                return self._answer(500, b"")
            case "html":
                return self._answer(200, b"<html>log in</html>")
            case "silent":
                self.stopping.wait(30)
            case "drip":
                self.send_response(200)
                self.end_headers()
                while not self.stopping.wait(0.05):
                    self.wfile.write(b" ")
            case _:
                return self._answer(200, key_set(_Handler.key))
        return None

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        match self.path:
            case "/token":
                token = _Handler.key.token(at=time.time(), header=asked["header"], **asked["claims"])
                return self._answer(200, token.encode())
            case "/rotate":
                _Handler.key = Key(f"key-{int(_Handler.key.kid[4:]) + 1}")
            case "/behave":
                _Handler.how, _Handler.fetches = asked["how"], 0
        return self._answer(200, b"")

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    ThreadingHTTPServer(("127.0.0.1", parser.parse_args().port), _Handler).serve_forever()
