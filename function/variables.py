"""How one variable of the environment is read, and how its faults are collected."""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlsplit

from .cloud.credentials import TOKEN, Secret
from .errors import ApiDeniedError, ConfigError
from .events.grammar import is_uri_reference
from .events.sink import read_token
from .exchange import is_loopback
from .proxies import find_proxy
from .setting_names import NAMES, name_faults

PEM_BEGIN: Final = "-----BEGIN CERTIFICATE-----"
T = TypeVar("T")
_HOST: Final = r"https?://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?"


class Reader:
    """Reads variables by name and collects the faults, so that one message can tell them all.

    Args:
        faults: sentences without a full stop, each of which begins with the variable's name.
    """

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self.faults: list[str] = []

    def refuse_faults(self) -> None:
        """End the reading.

        Raises:
            ConfigError: what was read is wrong, or a name in the environment looks like a misspelt setting.
        """
        faults = list(dict.fromkeys((*self.faults, *name_faults(self._env))))
        if len(faults) > 1:
            raise ConfigError("\n  ".join((f"{len(faults)} faults in the environment:", *faults)))
        if faults:
            raise ConfigError(faults[0])

    def has(self, name: str) -> bool:
        """Whether a variable is set.

        Raises:
            LookupError: NAMES lacks it, so a misspelling of it would not be found.
        """
        if name not in NAMES:
            raise LookupError(name)
        return name in self._env

    def any_of(self, names: Iterable[str]) -> list[str]:
        """Which of some variables are set, by value or as the name of a file."""
        return [spelt for name in names for spelt in (name, f"{name}_FILE") if spelt in NAMES and self.has(spelt)]

    def optional(self, name: str, read: Callable[[str], T], default: T) -> T:
        """The value of a variable, or the default where it is not set.

        Args:
            read: raises ValueError with what the text must be. It never quotes the text, which could be a secret.
        """
        if not self.has(name):
            return default
        text = self._env[name]
        try:
            return read(text)
        except ValueError as fault:
            self.faults.append(f"{name} {fault}{'' if text else ': it is set, but empty'}")
            return default

    def required(self, name: str, read: Callable[[str], T], default: T) -> T:
        """The value of a variable that must be set."""
        if not self.has(name):
            self.faults.append(f"{name} must be set")
        return self.optional(name, read, default)

    def secret(self, name: str, form: re.Pattern[str] = TOKEN) -> Secret:
        """A secret by value, or in the file that `…_FILE` names; it must be readable now."""
        by_value, in_file = self.has(name), self.has(f"{name}_FILE")
        if in_file:
            secret = Secret(f"{name}_FILE", path=Path(self._env[f"{name}_FILE"]), form=form)
        else:
            secret = Secret(name, self._env.get(name, ""), form=form)
        if by_value == in_file:
            self.faults.append(f"either {name} or {name}_FILE must be set")
        else:
            self.check(secret.read)
        return secret

    def check(self, read: Callable[[], object]) -> None:
        """Read secrets once: one that cannot be read is a fault now, not at the first event."""
        try:
            read()
        except ApiDeniedError as fault:
            self.faults.append(fault.error_msg)

    def check_proxies(self, origins: Iterable[str]) -> None:
        """Find the proxies once: one that can never work is a fault now, beside the others."""
        for url in origins:
            try:
                find_proxy(url, self._env)
            except ConfigError as fault:
                self.faults.append(str(fault))


def origin(text: str) -> str:
    """The scheme, host and port of an API: https, or http on loopback."""
    if not re.fullmatch(_HOST, text) or not _has_port(text):
        raise ValueError(
            "must be https://host or https://host:port and nothing more: no user, path, query or final slash"
        )
    return _encrypted(text)


def versioned_url(text: str) -> str:
    """The URL of IAM, with the version in its path."""
    if not re.fullmatch(rf"{_HOST}(/[A-Za-z0-9._~-]+)*/?", text) or not _has_port(text):
        raise ValueError("must be like https://iam.cn-north-4.myhuaweicloud.com/v3, without user and query")
    return _encrypted(text).rstrip("/")


def sink_url(text: str) -> str:
    """The URL of a sink."""
    if not re.fullmatch(rf"{_HOST}([/?][!-~]*)?", text) or "#" in text or not _has_port(text):
        raise ValueError("must be an http or https URL, without user and fragment")
    return text


def _has_port(url: str) -> bool:
    """Whether the address in a URL can exist, as far as its spelling tells."""
    try:
        return urlsplit(url).port != 0
    except ValueError:  # a port above 65535, or no address between the brackets
        return False


def _encrypted(url: str) -> str:
    if url.startswith("http:") and not is_loopback(url):
        raise ValueError("must begin with https://: http:// is only for localhost and loopback addresses")
    return url


def line(text: str) -> str:
    """Printable characters."""
    if not text.strip() or not text.isprintable() or text != text.strip():
        raise ValueError("must be printable characters, without white space at either end")
    return text


def one_of(*words: str) -> Callable[[str], str]:
    """A reader of one of some words."""

    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"must be {', '.join(words[:-1])} or {words[-1]}")
        return text

    return read


def matching(pattern: str, what: str) -> Callable[[str], str]:
    """A reader of a text that fits a pattern."""

    def read(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(f"must be {what}, as {pattern}")
        return text

    return read


def boolean(text: str) -> bool:
    """`true` or `false`."""
    return one_of("true", "false")(text) == "true"


def seconds(most: int) -> Callable[[str], float]:
    """A reader of a number of seconds above 0."""

    def read(text: str) -> float:
        if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,3})?", text) or not 0 < float(text) <= most:
            raise ValueError(f"must be a number of seconds above 0 and up to {most}, such as 20 or 2.5")
        return float(text)

    return read


def count(text: str) -> int:
    """A whole number from 1 on."""
    if not re.fullmatch("[1-9][0-9]{0,8}", text):
        raise ValueError("must be a whole number from 1 to 999999999")
    return int(text)


def duration(unit: timedelta) -> Callable[[str], timedelta]:
    """A reader of a whole number of units of time."""
    return lambda text: count(text) * unit


def listed(what: str, is_one: Callable[[str], object]) -> Callable[[str], tuple[str, ...]]:
    """A reader of texts with commas between them, each without the blanks around it.

    Args:
        what: what the texts are, for the message.
        is_one: whether a text is one.
    """

    def read(text: str) -> tuple[str, ...]:
        parts = tuple(part.strip() for part in text.split(","))
        if not all(map(is_one, parts)):
            raise ValueError(f"must be {what}, with commas between them")
        return parts

    return read


def uri_reference(text: str) -> str:
    """A URI, or a relative reference."""
    if not text or not is_uri_reference(text):
        raise ValueError("must be a URI or a path, such as /backup-reaper")
    return text


def token_file(text: str) -> Path:
    """The path of a file with a bearer token."""
    if not text.startswith("/"):  # it could be the token itself, which must not be shown
        raise ValueError("must be the absolute path of a file with a bearer token")
    try:
        token = read_token(Path(text))
    except ValueError as fault:
        raise ValueError(f"names {text}, which {fault}") from None
    if token is None:
        raise ValueError(f"names {text}, which does not exist")
    return Path(text)


def pem(text: str) -> str | None:
    """Certificates in PEM; None for an empty text, which Knative sets where there are none."""
    if text and PEM_BEGIN not in text:
        raise ValueError("must hold certificates in PEM")
    return text or None


def existing_path(text: str) -> str:
    """The path of a file or directory that exists."""
    try:
        if text and Path(text).exists():
            return text
    except (OSError, ValueError):  # too long for the file system, or with a NUL
        pass
    raise ValueError("must be the path of a file or directory of certificates that exists")
