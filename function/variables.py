"""How one variable of the environment is read, and how a fault in it is told."""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlsplit

from .cloud.credentials import TOKEN, Secret
from .errors import ApiDeniedError
from .events.binding import URI_REFERENCE
from .exchange import is_loopback

T = TypeVar("T")
_HOST: Final = r"https?://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?"


class Reader:
    """Reads variables by name, remembers the names, and collects the faults."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self._known: set[str] = set()
        self.faults: list[str] = []

    def has(self, name: str) -> bool:
        """Whether a variable is set; from now on its name is known."""
        self._known.add(name)
        return name in self._env

    def any_of(self, names: Iterable[str]) -> list[str]:
        """Which of some secrets are there, by value or in a file."""
        return [spelt for name in names for spelt in (name, f"{name}_FILE") if self.has(spelt)]

    def optional(self, name: str, read: Callable[[str], T], default: T) -> T:
        """The value of a variable, or the default where it is not set.

        Args:
            read: raises ValueError with what the text must be; the message follows the variable's name.
        """
        if not self.has(name):
            return default
        try:
            return read(self._env[name])
        except ValueError as fault:
            self.faults.append(f"{name} {fault}")
            return default

    def required(self, name: str, read: Callable[[str], T], default: T) -> T:
        """The value of a variable that must be set."""
        if not self.has(name):
            self.faults.append(f"{name} is not set")
        return self.optional(name, read, default)

    def secret(self, name: str, form: re.Pattern[str] = TOKEN) -> Secret:
        """A secret by value, or in the file that `…_FILE` names; it must be readable now."""
        path = self.optional(f"{name}_FILE", Path, None)
        if self.has(name) == (path is not None):
            self.faults.append(f"either {name} or {name}_FILE must be set")
        secret = (
            Secret(f"{name}_FILE", path=path, form=form) if path else Secret(name, self._env.get(name, ""), form=form)
        )
        self.check(secret.read)
        return secret

    def check(self, read: Callable[[], object]) -> None:
        """Read secrets once, so that one that cannot be read is a fault of the start."""
        try:
            read()
        except ApiDeniedError as fault:
            self.faults.append(fault.error_msg)

    def refuse_unknown(self, prefix: str) -> None:
        """A typing error must not leave a guard off."""
        for name in sorted(name for name in self._env if name.upper().startswith(prefix)):
            if name not in self._known:
                self.faults.append(f"{ascii(name)[1:-1]} is no setting of this function: the README lists them")


def origin(text: str) -> str:
    """The scheme, host and port of an API: https, or http on loopback."""
    if not re.fullmatch(_HOST, text) or not _has_port(text):
        raise ValueError("must be https://host or https://host:port, without user, path or query")
    return _safe(text)


def versioned_url(text: str) -> str:
    """The URL of IAM, with the version in its path."""
    if not re.fullmatch(rf"{_HOST}(/[A-Za-z0-9._~-]+)*/?", text) or not _has_port(text):
        raise ValueError("must be like https://iam.cn-north-4.myhuaweicloud.com/v3, without user or query")
    return _safe(text).rstrip("/")


def sink_url(text: str) -> str:
    """The URL of a sink."""
    if not re.fullmatch(rf"{_HOST}([/?][!-~]*)?", text) or "#" in text or not _has_port(text):
        raise ValueError("must be an http or https URL without user")
    return text


def _has_port(url: str) -> bool:
    """Whether a URL has an address that can be spoken to, as far as its spelling tells."""
    try:
        return urlsplit(url).port != 0
    except ValueError:  # a port above 65535, or brackets around what is no address
        return False


def _safe(url: str) -> str:
    if url.startswith("http:") and not is_loopback(url):
        raise ValueError("must begin with https://; http:// is for loopback addresses and localhost")
    return url


def line(text: str) -> str:
    """Printable characters."""
    if not text.strip() or not text.isprintable() or text != text.strip():
        raise ValueError("must be printable characters without white space around")
    return text


def one_of(*words: str) -> Callable[[str], str]:
    """A reader of one of some words."""

    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"must be one of {', '.join(words)}")
        return text

    return read


def boolean(text: str) -> bool:
    """`true` or `false`."""
    return one_of("true", "false")(text) == "true"


def seconds(text: str) -> float:
    """A number of seconds, above 0 and up to 600."""
    if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,3})?", text) or not 0 < float(text) <= 600:
        raise ValueError("must be a number of seconds above 0 and up to 600")
    return float(text)


def count(text: str) -> int:
    """A whole number from 1 on."""
    if not re.fullmatch("[1-9][0-9]{0,8}", text):
        raise ValueError("must be a whole number from 1 to 999999999")
    return int(text)


def duration(unit: timedelta) -> Callable[[str], timedelta]:
    """A reader of a whole number of units of time."""
    return lambda text: count(text) * unit


def uri_reference(text: str) -> str:
    """A URI, or a relative reference."""
    if not text or not URI_REFERENCE.fullmatch(text):
        raise ValueError("must be a URI or a path, such as /backup-reaper")
    return text


def existing_path(text: str) -> str:
    """The path of a file or directory that exists."""
    try:
        if text and Path(text).exists():
            return text
    except (OSError, ValueError):  # too long for the file system, or with a NUL
        pass
    raise ValueError("must be an existing file or directory of certificates")
