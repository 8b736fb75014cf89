"""Which proxy stands before an origin, from the same variables as `requests` reads."""

import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote, urlsplit

from requests.utils import should_bypass_proxies

from .errors import ConfigError
from .exchange import is_loopback

# RFC 3986 §3.2, more lenient with the password: many are set without percent-encoding. A user needs the scheme,
# without which `requests` takes the user for one.
_PROXY: Final = re.compile(
    r"(?:(?i:http)://(?:(?P<user>[^\s/?#\\:]*)(?::(?P<password>[^\s/?#\\]*))?@)?)?"
    r"(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?/?"
)


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy.

    Args:
        authorization: the value of `Proxy-Authorization`, if it wants a password.
        variable: the name of the variable that it was set by.
    """

    host: str
    port: int
    authorization: str | None = field(repr=False)
    variable: str

    def headers(self) -> dict[str, str]:
        """What a request that the proxy reads has besides."""
        return {"Proxy-Authorization": self.authorization} if self.authorization else {}


def find_proxy(origin: str, environment: Mapping[str, str]) -> Proxy | None:
    """The proxy before an origin; None where there is none.

    Raises:
        ConfigError: there is one that can never work.
    """
    no_proxy = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    variable = _variable(urlsplit(origin).scheme, environment)
    if not variable or is_loopback(origin) or should_bypass_proxies(origin, no_proxy):
        return None
    match = _PROXY.fullmatch(environment[variable])
    if not match or not 0 < (port := int(match["port"] or 80)) < 1 << 16:
        raise ConfigError(
            f"{variable} must be like http://proxy.example:3128 or http://user:password@proxy.example:3128, special "
            "characters of the password percent-encoded; proxies that speak SOCKS or TLS cannot be used"
        )
    return Proxy(match["host"].strip("[]"), port, _authorization(match["user"], match["password"]), variable)


def _variable(scheme: str, environment: Mapping[str, str]) -> str | None:
    """The variable that counts: lower case before upper case, and an empty one counts as none."""
    for name in (f"{scheme}_proxy", "all_proxy"):
        spelt = name if name in environment else name.upper()
        if environment.get(spelt):
            return spelt
    return None


def _authorization(user: str | None, password: str | None) -> str | None:
    """RFC 7617; in Latin-1 as `requests` sends it, or else in UTF-8."""
    if not user:
        return None
    pair = f"{unquote(user)}:{unquote(password or '')}"
    coding = "latin-1" if max(pair) <= "\xff" else "utf-8"
    return f"Basic {b64encode(pair.encode(coding)).decode()}"
