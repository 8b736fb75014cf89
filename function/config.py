"""The configuration: read once, all faults reported in one message."""

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlsplit

from .cloud.credentials import PASSWORD, TOKEN, Secret, User, read_together
from .cloud.endpoints import ENDPOINTS
from .errors import ApiDeniedError, ConfigError
from .events.binding import URI_REFERENCE, read_extensions
from .events.contract import EXPIRED, PROJECT_ID, RESULT_TYPES
from .exchange import is_loopback, read_json
from .guards import DAY, Policy, folded

T = TypeVar("T")
SECOND: Final = timedelta(seconds=1)
_HOST: Final = r"https?://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?"


@dataclass(frozen=True, slots=True)
class Config:
    """What is in force.

    Args:
        endpoint: scheme, host and port of the API.
        credential: one secret is a token, several are the parts of a key.
        threads: how many deliveries the framework runs at once.
        ca_bundle: None for the certificates of `requests`.
        sink: where results are published; None if they are replies.
        extensions: what every published result carries besides.
    """

    endpoint: str
    credential: Secret | tuple[Secret, ...] | User
    policy: Policy
    language: str
    deadline_seconds: float
    event_source: str
    accepted_types: frozenset[str]
    max_event_bytes: int
    paused: bool
    log_level: str
    threads: int
    ca_bundle: str | None
    sink: str | None
    extensions: Mapping[str, str]

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> "Config":
        """Read the environment.

        Raises:
            ConfigError: naming every variable that is missing or wrong, and what to change.
        """
        reader = _Reader(env)
        config = cls(
            endpoint=_endpoint(reader),
            credential=_credential(reader),
            policy=_policy(reader),
            language=reader.optional("REAPER_API_LANGUAGE", _one_of("en-us", "zh-cn"), "en-us"),
            deadline_seconds=reader.optional("REAPER_DEADLINE_SECONDS", _seconds, 20.0),
            event_source=reader.optional("REAPER_EVENT_SOURCE", _uri_reference, "/backup-reaper"),
            accepted_types=reader.optional("REAPER_ACCEPTED_EVENT_TYPES", _event_types, frozenset({EXPIRED})),
            max_event_bytes=reader.optional("REAPER_MAX_EVENT_BYTES", _count, 65536),
            paused=reader.optional("REAPER_PAUSED", _boolean, False),
            log_level=reader.optional("REAPER_LOG_LEVEL", _one_of("DEBUG", "INFO", "WARNING", "ERROR"), "INFO"),
            threads=reader.optional("THREADS", _count, (os.cpu_count() or 1) * 4),  # the framework's own default
            ca_bundle=reader.optional("REQUESTS_CA_BUNDLE", _existing_path, None),
            sink=reader.optional("K_SINK", _sink, None),
            extensions=reader.optional("K_CE_OVERRIDES", _extensions, {}),
        )
        if isinstance(config.credential, User) and config.policy.allowed_projects is None:
            reader.faults.append("REAPER_ALLOWED_PROJECT_IDS is not set; with HW_USER_NAME it must be")
        reader.refuse_unknown("REAPER")
        if reader.has("DEBUG"):
            reader.faults.append("DEBUG must not be set: the framework's debugger would show secrets to every caller")
        if reader.faults:
            raise ConfigError("; ".join(reader.faults))
        return config

    def in_force(self) -> dict[str, object]:
        """Every setting by its name, for a log line; of the credential, the variables it came from."""
        return {**asdict(self), "credential": [secret.variable for secret in self._secrets()]}

    @property
    def origins(self) -> list[str]:
        """The URLs of all that will be asked."""
        iam = self.credential.auth_url if isinstance(self.credential, User) else None
        return [url for url in (self.endpoint, iam, self.sink) if url]

    @property
    def secrets(self) -> list[str]:
        """The secrets that were configured by value; a sink's query can be one."""
        return [
            secret
            for secret in (*(known.value for known in self._secrets()), urlsplit(self.sink or "").query)
            if secret
        ]

    def _secrets(self) -> tuple[Secret, ...]:
        match self.credential:
            case User(password=password):
                return (password,)
            case Secret() as token:
                return (token,)
            case key:
                return key


class _Reader:
    """Reads variables by name, remembers which, and collects what is wrong with them."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self._known: set[str] = set()
        self.faults: list[str] = []

    def has(self, name: str) -> bool:
        self._known.add(name)
        return name in self._env

    def any_of(self, names: Iterable[str]) -> list[str]:
        """Which of some secrets are there, by value or in a file."""
        return [spelt for name in names for spelt in (name, f"{name}_FILE") if self.has(spelt)]

    def optional(self, name: str, read: Callable[[str], T], default: T) -> T:
        if not self.has(name):
            return default
        try:
            return read(self._env[name])
        except ValueError as fault:
            self.faults.append(f"{name} {fault}")
            return default

    def required(self, name: str, read: Callable[[str], T], default: T) -> T:
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
        try:
            read()
        except ApiDeniedError as fault:
            self.faults.append(fault.error_msg)

    def refuse_unknown(self, prefix: str) -> None:
        """A typing error must not leave a guard off."""
        for name in sorted(name for name in self._env if name.upper().startswith(prefix)):
            if name not in self._known:
                self.faults.append(f"{ascii(name)[1:-1]} is no setting of this function: the README lists them")


def _endpoint(reader: _Reader) -> str:
    if reader.has("REAPER_API_ENDPOINT"):
        return reader.optional("REAPER_API_ENDPOINT", _origin, "")
    if reader.has("HW_REGION_NAME"):
        return ENDPOINTS.get(reader.optional("HW_REGION_NAME", _region, ""), "")
    reader.faults.append("REAPER_API_ENDPOINT is not set, nor HW_REGION_NAME to derive it from")
    return ""


def _credential(reader: _Reader) -> Secret | tuple[Secret, ...] | User:
    kinds = {
        "a token": ("HW_AUTH_TOKEN",),
        "an IAM user": ("HW_USER_NAME", "HW_USER_PASSWORD", "HW_DOMAIN_NAME"),
        "an access key": ("HW_ACCESS_KEY", "HW_SECRET_KEY", "HW_SECURITY_TOKEN"),
    }
    found = {kind: names for kind, variables in kinds.items() if (names := reader.any_of(variables))}
    match list(found):
        case ["a token"]:
            return reader.secret("HW_AUTH_TOKEN")
        case ["an IAM user"]:
            return User(
                name=reader.required("HW_USER_NAME", _line, ""),
                password=reader.secret("HW_USER_PASSWORD", PASSWORD),
                domain=reader.required("HW_DOMAIN_NAME", _line, ""),
                auth_url=_auth_url(reader),
            )
        case ["an access key"]:
            return _key(reader, temporary=any("TOKEN" in name for name in found["an access key"]))
    listed = "; ".join(f"{kind} ({', '.join(names)})" for kind, names in found.items())
    none = "none, of HW_AUTH_TOKEN, HW_USER_NAME and HW_ACCESS_KEY with what belongs to each"
    reader.faults.append(f"exactly one kind of credential must be set; found: {listed or none}")
    return ()


def _key(reader: _Reader, *, temporary: bool) -> tuple[Secret, ...]:
    names = ("HW_ACCESS_KEY", "HW_SECRET_KEY", *(("HW_SECURITY_TOKEN",) if temporary else ()))
    key = tuple(reader.secret(name) for name in names)
    reader.check(lambda: read_together(key))
    return key


def _auth_url(reader: _Reader) -> str:
    if reader.has("HW_AUTH_URL") or not reader.has("HW_REGION_NAME"):
        return reader.required("HW_AUTH_URL", _auth, "")
    return f"https://iam.{reader.optional('HW_REGION_NAME', _region, '')}.myhuaweicloud.com/v3"


def _policy(reader: _Reader) -> Policy:
    strict = reader.optional("REAPER_GUARDS", _one_of("strict", "off"), "off") == "strict"
    max_age = reader.optional("REAPER_MAX_EVENT_AGE_SECONDS", _duration(SECOND), DAY if strict else None)
    if strict and max_age and max_age > DAY:
        reader.faults.append("REAPER_MAX_EVENT_AGE_SECONDS must be at most 86400 with REAPER_GUARDS=strict")
    allowed = reader.optional("REAPER_ALLOWED_PROJECT_IDS", _project_ids, None)
    if strict and not reader.has("REAPER_ALLOWED_PROJECT_IDS"):
        reader.faults.append("REAPER_ALLOWED_PROJECT_IDS is not set; with REAPER_GUARDS=strict it must be")
    return Policy(
        dry_run=reader.optional("REAPER_DRY_RUN", _boolean, False),
        allowed_projects=allowed,
        max_event_age=max_age,
        manual_only=strict,
        min_age=reader.optional("REAPER_MIN_AGE_DAYS", _duration(DAY), None),
        keep_last=reader.optional("REAPER_KEEP_LAST", _count, None),
        hold_words=reader.optional("REAPER_HOLD_WORDS", _words, ()),
    )


def _origin(text: str) -> str:
    if not re.fullmatch(_HOST, text) or not _has_port(text):
        raise ValueError("must be https://host or https://host:port, without user, path or query")
    return _safe(text)


def _auth(text: str) -> str:
    if not re.fullmatch(rf"{_HOST}(/[A-Za-z0-9._~-]+)*/?", text) or not _has_port(text):
        raise ValueError("must be like https://iam.cn-north-4.myhuaweicloud.com/v3, without user or query")
    return _safe(text).rstrip("/")


def _sink(text: str) -> str:
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


def _region(text: str) -> str:
    if text not in ENDPOINTS:
        raise ValueError("is no region known to have TaurusDB: mend it, or set REAPER_API_ENDPOINT (and HW_AUTH_URL)")
    return text


def _line(text: str) -> str:
    if not text.strip() or not text.isprintable() or text != text.strip():
        raise ValueError("must be printable characters without white space around")
    return text


def _one_of(*words: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"must be one of {', '.join(words)}")
        return text

    return read


def _boolean(text: str) -> bool:
    return _one_of("true", "false")(text) == "true"


def _seconds(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,3})?", text) or not 0 < float(text) <= 600:
        raise ValueError("must be a number of seconds above 0 and up to 600")
    return float(text)


def _count(text: str) -> int:
    if not re.fullmatch("[1-9][0-9]{0,8}", text):
        raise ValueError("must be a whole number from 1 to 999999999")
    return int(text)


def _duration(unit: timedelta) -> Callable[[str], timedelta]:
    return lambda text: _count(text) * unit


def _words(text: str) -> tuple[str, ...]:
    words = tuple(folded(word.strip()) for word in text.split(","))
    if not all(words):
        raise ValueError("must be words with commas between them")
    return words


def _project_ids(text: str) -> frozenset[str]:
    projects = frozenset(project.strip() for project in text.split(","))
    if not all(map(PROJECT_ID.fullmatch, projects)):
        raise ValueError("must be project ids of 32 letters and digits, with commas between them")
    return projects


def _event_types(text: str) -> frozenset[str]:
    types = frozenset(part.strip() for part in text.split(","))
    if "" in types:
        raise ValueError("must be event types with commas between them")
    if types & RESULT_TYPES:
        raise ValueError("must not hold a type of our own results: they would come back for ever")
    return types


def _extensions(text: str) -> dict[str, str]:
    try:
        return read_extensions(read_json(text.encode())) if text else {}  # Knative sets it empty where there are none
    except ValueError as fault:
        raise ValueError(f'must be like {{"extensions": {{"name": "value"}}}}: {fault}') from None


def _uri_reference(text: str) -> str:
    if not text or not URI_REFERENCE.fullmatch(text):
        raise ValueError("must be a URI or a path, such as /backup-reaper")
    return text


def _existing_path(text: str) -> str:
    try:
        if text and Path(text).exists():
            return text
    except (OSError, ValueError):  # too long for the file system, or with a NUL
        pass
    raise ValueError("must be an existing file or directory of certificates")
