"""Is this set-up going to work? One finding for each thing that must; nothing is deleted, and no event is sent."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from .cloud.client import BackupClient
from .cloud.listing import list_project
from .config import Config
from .delivery import Delivery
from .errors import ApiDeniedError, ConfigError, NotFinalError
from .exchange import Request
from .guards import MAX_SKEW
from .parts import Exchange, make_parts
from .planner_settings import PlannerSettings
from .retention.plan import Listing, make_plan
from .retention.policy import PolicyFile

MAX_SECONDS: Final = 600.0


@dataclass(frozen=True, slots=True)
class Finding:
    """Whether one thing works; if not, the text says what to do."""

    ok: bool
    text: str


def examine(env: Mapping[str, str], now: datetime) -> Iterator[Finding]:
    """All findings, in the order in which things are needed."""
    try:
        config, file = _read(env)
        parts = make_parts(config)
    except ConfigError as error:
        yield Finding(False, f"configuration: {error}")
        return
    yield Finding(True, f"configuration: {', '.join(config.endpoints)}; {_named(config)}")
    whole = Delivery(now=now, until=time.monotonic() + MAX_SECONDS)
    listings: list[Listing] = []
    projects = {engine: sorted(_projects(config, file, engine)) for engine in parts.clients}
    if not any(projects.values()):
        yield Finding(False, "projects: none to check. Set REAPER_ALLOWED_PROJECT_IDS, or REAPER_POLICY_FILE")
    for engine, client in parts.clients.items():
        for project_id in projects[engine]:
            yield from _list(client, project_id, config, whole, listings)
    if file and len(listings) == sum(map(len, projects.values())):  # else backups would seem not to be there
        yield from _policy(file, listings, now)
    if config.sink:
        yield _sink(config.sink.url, parts.exchange, whole.part(config.deadline_seconds))


def _read(env: Mapping[str, str]) -> tuple[Config, PolicyFile | None]:
    if "REAPER_POLICY_FILE" not in env:
        return Config.from_env(env), None
    config, settings = PlannerSettings.from_env(env)
    return config, settings.file


def _named(config: Config) -> str:
    return "credential from " + ", ".join(secret.variable for secret in config.credential.secrets)


def _projects(config: Config, file: PolicyFile | None, engine: str) -> set[str]:
    policies = [policy for policy in file.policies if policy.engine == engine] if file else []
    return {project for policy in policies for project in policy.projects} | set(config.policy.allowed_projects or ())


def _list(
    client: BackupClient, project_id: str, config: Config, whole: Delivery, listings: list[Listing]
) -> Iterator[Finding]:
    """Reading the list needs the network, TLS, the proxy, the clock, the credential and the list permission."""
    what = f"{client.engine.name} in project {project_id}"
    parts: list[Delivery] = []

    def begin() -> Delivery:
        parts.append(whole.part(config.deadline_seconds))
        return parts[-1]

    try:
        listed = list_project(client, project_id, begin, whole=True)
    except NotFinalError as error:
        yield from _clock(parts[-1])
        yield Finding(False, f"{what}: {error}. {_advice(error)}")
        return
    yield from _clock(parts[-1])
    moved = "; it changed while it was read, so some may be missing" if listed.moved else ""
    yield Finding(True, f"{what}: the list can be read, {len(listed.backups)} manual backups{moved}")
    listings.append(Listing(engine=client.engine.name, project_id=project_id, backups=listed.backups))


def _clock(part: Delivery) -> Iterator[Finding]:
    if part.api_time is None:
        return
    off = (part.now - part.api_time).total_seconds()
    if abs(off) <= MAX_SKEW.total_seconds():
        yield Finding(True, f"clock: {abs(off):.0f} s off the API's")
        return
    where = "ahead of" if off > 0 else "behind"
    message = (
        f"clock: ours is {abs(off) / 60:.0f} minutes {where} the API's. Set this machine's clock, with NTP if you can"
    )
    yield Finding(False, message)


def _advice(error: NotFinalError) -> str:
    if error.error_code in ("NO_ANSWER", "PROXY_REFUSED"):
        return "Check HW_REGION_NAME or REAPER_API_ENDPOINT, the network, and HTTPS_PROXY and NO_PROXY"
    if error.http_status == 401 or error.error_code.startswith("CREDENTIAL"):
        return "Correct the credential: it is not accepted"
    if isinstance(error, ApiDeniedError):
        return "Give the credential the permission to list the backups of the whole project (see policies/)"
    if error.http_status == 404:
        return "Correct HW_REGION_NAME or REAPER_API_ENDPOINT: this API is not there"
    return "Try again later; if it stays so, ask the vendor with the request id"


def _policy(file: PolicyFile, listings: list[Listing], now: datetime) -> Iterator[Finding]:
    plan = make_plan(listings, file, now)
    for engine, project_id, instance_id in plan.absent:
        text = (
            f"policy: it names instance {instance_id}, but {engine} in project {project_id} has no manual backup of it"
        )
        yield Finding(False, f"{text}. Correct the id in the policy file, or remove it")
    for group in plan.groups:
        if group.policy is None:
            yield Finding(True, f"policy: no policy names instance {group.instance_id}: all its backups stay")
        if group.remedy:
            yield Finding(
                False, f"policy: instance {group.instance_id} is over a limit. To allow it, set {group.remedy}"
            )
    counts = plan.counts()
    yield Finding(True, f"policy: {counts['expired']} of {counts['listed']} backups would expire now")


def _sink(url: str, exchange: Exchange, part: Delivery) -> Finding:
    """Whether the sink answers anything at all: it gets no event."""
    scheme, host, *_ = urlsplit(url)
    try:
        answer = exchange(Request("OPTIONS", url, {}), part)
    except NotFinalError as error:
        why = error.error_msg.replace(url, f"{scheme}://{host}")  # its path can be what entitles to use it
        return Finding(False, f"sink: {why}. Check K_SINK, and whether what it names is up")
    return Finding(True, f"sink: {scheme}://{host} answers ({answer.status} to OPTIONS; no event was sent)")
