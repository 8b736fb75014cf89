"""Whom to trust: TLS contexts, made once at start."""

import re
import ssl
from pathlib import Path
from typing import Final

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from .errors import ConfigError

_HASHED: Final = re.compile(r"[0-9a-f]{8}\.[0-9]+")  # openssl-rehash(1)


def tls_context(ca_bundle: str | None, more: str | None = None) -> ssl.SSLContext:
    """A context that verifies certificates and host names.

    Args:
        ca_bundle: a file or directory of trusted certificates; None for those of `requests`.
        more: certificates in PEM that are trusted besides.

    Raises:
        ConfigError: there are no certificates in one of them.
    """
    path = Path(ca_bundle or DEFAULT_CA_BUNDLE_PATH)
    try:
        if path.is_dir():
            _refuse_unhashed(path)
            context = ssl.create_default_context(capath=path)
        else:
            context = ssl.create_default_context(cafile=path)
    except OSError:
        raise ConfigError("REQUESTS_CA_BUNDLE holds no certificates that can be read") from None
    if more is not None:
        try:
            context.load_verify_locations(cadata=more.encode("ascii", "ignore").decode())  # comments may hold more
        except (OSError, ValueError):
            raise ConfigError("K_CA_CERTS holds no certificates that can be read") from None
    context.hostname_checks_common_name = False  # RFC 9110 §4.3.4
    context.set_alpn_protocols(["http/1.1"])
    return context


def _refuse_unhashed(directory: Path) -> None:
    """OpenSSL finds a certificate in a directory by the hash of its subject, and says nothing where it finds none."""
    if not any(_HASHED.fullmatch(path.name) for path in directory.iterdir()):
        raise ConfigError(
            "REQUESTS_CA_BUNDLE is a directory without certificates under hashed names: run `openssl rehash` on it, "
            "or name a file"
        )
