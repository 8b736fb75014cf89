"""The configuration: which variables there are, and what is in force. Read once, at start."""

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from .cloud.credentials import CredentialSettings, UserSettings
from .credential_settings import read_credential
from .endpoints import read_endpoints
from .events.binding import read_extensions
from .events.contract import EXPIRED, PROJECT_ID, RESULT_TYPES
from .guards import DAY, Policy, folded
from .setting_names import CALLERS, EVENTGRID
from .strict_json import read_json
from .variables import (
    PEM_BEGIN,
    Reader,
    boolean,
    count,
    duration,
    existing_path,
    listed,
    one_of,
    pem,
    seconds,
    sink_url,
    token_file,
    uri_reference,
)

if TYPE_CHECKING:  # what is not configured is not imported
    from .callers import CallerSettings
    from .functiongraph_settings import EventGridSettings

FUNCTIONGRAPH: Final = "functiongraph"
SECOND: Final = timedelta(seconds=1)
# Seconds. After SIGTERM the server ends a worker, and the delivery in it, when its graceful_timeout of 30 s is over.
MAX_DEADLINE: Final = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkSettings:
    """Where results are published instead of being replies.

    Args:
        extensions: added to each result.
        token_file: holds a bearer token for the sink; None for the one that Knative mounts.
        certificates: in PEM; trusted for the sink besides.
    """

    url: str
    extensions: Mapping[str, str]
    token_file: Path | None = None
    certificates: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What is in force.

    Args:
        endpoints: scheme, host and port of the API of each engine that is served, by its name.
        threads: how many deliveries the framework runs at once.
        ca_bundle: None for the certificates of `requests`.
        callers: who may deliver; None for anyone.
    """

    endpoints: Mapping[str, str]
    credential: CredentialSettings
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
    platform: str
    sink: "SinkSettings | EventGridSettings | None"
    callers: "CallerSettings | None"

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> "Config":
        """Read the environment.

        Raises:
            ConfigError: one line for each fault, with the variable's name and what to change.
        """
        reader = Reader(env)
        config = cls.read(reader)
        reader.refuse_faults()
        return config

    @classmethod
    def read(cls, reader: Reader) -> "Config":
        """What is in force, if the reader has found no faults."""
        platform = reader.optional("REAPER_PLATFORM", one_of("http", FUNCTIONGRAPH), "http")
        credential, eventgrid = _functiongraph(reader) if platform == FUNCTIONGRAPH else (read_credential(reader), None)
        config = cls(
            endpoints=read_endpoints(reader),
            credential=credential,
            policy=_policy(reader, user=isinstance(credential, UserSettings)),
            language=reader.optional("REAPER_API_LANGUAGE", one_of("en-us", "zh-cn"), "en-us"),
            deadline_seconds=reader.optional("REAPER_DEADLINE_SECONDS", seconds(MAX_DEADLINE), 20.0),
            event_source=reader.optional("REAPER_EVENT_SOURCE", uri_reference, "/backup-reaper"),
            accepted_types=reader.optional("REAPER_ACCEPTED_EVENT_TYPES", _event_types, frozenset({EXPIRED})),
            max_event_bytes=reader.optional("REAPER_MAX_EVENT_BYTES", count, 65536),
            paused=reader.optional("REAPER_PAUSED", boolean, False),
            log_level=reader.optional("REAPER_LOG_LEVEL", one_of("DEBUG", "INFO", "WARNING", "ERROR"), "INFO"),
            threads=reader.optional("THREADS", count, (os.cpu_count() or 1) * 4),  # the framework's own default
            ca_bundle=reader.optional("REQUESTS_CA_BUNDLE", existing_path, None),
            platform=platform,
            sink=eventgrid or _sink(reader),
            callers=_callers(reader, platform),
        )
        if platform != FUNCTIONGRAPH and (names := reader.any_of(EVENTGRID)):
            reader.faults.append(f"{names[0]} needs REAPER_PLATFORM=functiongraph: its keys sign what is published")
        if reader.has("DEBUG"):
            reader.faults.append("DEBUG must not be set: the framework's debugger would show secrets to every caller")
        reader.check_proxies(config.origins)
        return config

    def in_force(self) -> dict[str, object]:
        """Every setting by its name, for the log; secrets by the variables they came from, the sink by its host."""
        shown = asdict(self) | {"credential": [secret.variable for secret in self.credential.secrets]}
        shown["callers"] = shown["callers"] or "anyone"
        if self.sink:
            shown["sink"] = asdict(self.sink) | {"url": _host(self.sink.url)}
        if isinstance(self.sink, SinkSettings):
            shown["sink"]["certificates"] = (self.sink.certificates or "").count(PEM_BEGIN)
        return shown

    @property
    def origins(self) -> list[str]:
        """The URLs of all that will be asked."""
        iam = self.credential.auth_url if isinstance(self.credential, UserSettings) else None
        jwks = self.callers.jwks if self.callers and isinstance(self.callers.jwks, str) else None
        return [url for url in (*self.endpoints.values(), iam, jwks, self.sink and self.sink.url) if url]

    @property
    def extra_certificates(self) -> dict[str, str]:
        """Certificates in PEM by the URL that they are trusted for."""
        sink = self.sink
        return {sink.url: sink.certificates} if isinstance(sink, SinkSettings) and sink.certificates else {}

    @property
    def secrets(self) -> list[str]:
        """The secrets that were configured by value; a sink's query can be one."""
        return [
            secret
            for secret in (
                *(known.value for known in self.credential.secrets),
                urlsplit(self.sink.url if self.sink else "").query,
            )
            if secret
        ]


def _host(url: str) -> str:
    """A URL without its path and query: either can be what entitles to use it."""
    scheme, host, *_ = urlsplit(url)
    return f"{scheme}://{host}"


def _functiongraph(reader: Reader) -> "tuple[CredentialSettings, EventGridSettings | None]":
    from .functiongraph_settings import read_agency, read_eventgrid

    return read_agency(reader), read_eventgrid(reader)


def _callers(reader: Reader, platform: str) -> "CallerSettings | None":
    names = reader.any_of(CALLERS)
    if not names:
        return None
    if platform == FUNCTIONGRAPH:
        reader.faults.append(
            f"{names[0]} must not be set: with REAPER_PLATFORM=functiongraph the platform is the caller"
        )
    from .caller_settings import read_callers

    return read_callers(reader)


def _policy(reader: Reader, *, user: bool) -> Policy:
    strict = reader.optional("REAPER_GUARDS", one_of("strict", "off"), "off") == "strict"
    max_age = reader.optional("REAPER_MAX_EVENT_AGE_SECONDS", duration(SECOND), DAY if strict else None)
    if strict and max_age and max_age > DAY:
        reader.faults.append("REAPER_MAX_EVENT_AGE_SECONDS must be at most 86400 with REAPER_GUARDS=strict")
    needed_by = [name for name, needs in (("REAPER_GUARDS=strict", strict), ("HW_USER_NAME", user)) if needs]
    if needed_by and not reader.has("REAPER_ALLOWED_PROJECT_IDS"):
        reader.faults.append(f"REAPER_ALLOWED_PROJECT_IDS must be set with {' and '.join(needed_by)}")
    return Policy(
        dry_run=reader.optional("REAPER_DRY_RUN", boolean, False),
        allowed_projects=reader.optional("REAPER_ALLOWED_PROJECT_IDS", _project_ids, None),
        max_event_age=max_age,
        manual_only=strict,
        min_age=reader.optional("REAPER_MIN_AGE_DAYS", duration(DAY), None),
        keep_last=reader.optional("REAPER_KEEP_LAST", count, None),
        hold_words=reader.optional("REAPER_HOLD_WORDS", _hold_words, ()),
    )


def _sink(reader: Reader) -> SinkSettings | None:
    extensions: dict[str, str] = reader.optional("K_CE_OVERRIDES", _extensions, {})
    url = reader.optional("K_SINK", sink_url, None)
    token: Path | None = reader.optional("REAPER_SINK_TOKEN_FILE", token_file, None)
    certificates: str | None = reader.optional("K_CA_CERTS", pem, None)
    if not url:
        return None
    return SinkSettings(url=url, extensions=extensions, token_file=token, certificates=certificates)


def _hold_words(text: str) -> tuple[str, ...]:
    # A word without a letter or digit would hold every backup, and one character nearly every one.
    words = listed("words of at least two letters or digits", lambda word: len(folded(word)) >= 2)(text)
    return tuple(map(folded, words))


def _project_ids(text: str) -> frozenset[str]:
    return frozenset(listed("project ids of 32 letters and digits", PROJECT_ID.fullmatch)(text))


def _event_types(text: str) -> frozenset[str]:
    types = frozenset(listed("event types", bool)(text))
    if types & RESULT_TYPES:
        raise ValueError("must not name a type of our own results: each result would come back as an event, for ever")
    return types


def _extensions(text: str) -> dict[str, str]:
    try:
        return read_extensions(read_json(text.encode())) if text else {}  # Knative sets it empty where there are none
    except ValueError as fault:
        raise ValueError(f'must be like {{"extensions": {{"name": "value"}}}}: {fault}') from None
