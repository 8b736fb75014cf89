"""Which engines are served, and where the API of each is."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from .cloud.engines import ENGINES
from .cloud.engines.engine import Engine
from .variables import Reader, listed, origin

_OWNERS: Final[Mapping[str | None, str]] = {
    urlsplit(endpoint).hostname: engine.name for engine in ENGINES.values() for endpoint in engine.endpoints.values()
}

_IAM: Final[Mapping[str, str]] = {
    region: f"https://iam.{urlsplit(endpoint).netloc.partition('.')[2]}/v3"
    for engine in ENGINES.values()
    for region, endpoint in engine.endpoints.items()
}


def iam_url(region: str) -> str:
    """Where IAM is in a region.

    Raises:
        ValueError: the region is unknown.
    """
    if region not in _IAM:
        raise ValueError("must be a known region, or HW_AUTH_URL must be set")
    return _IAM[region]


def read_endpoints(reader: Reader) -> dict[str, str]:
    """Scheme, host and port by the name of each engine that is served."""
    default: tuple[str, ...] = ("taurusdb",)
    names = reader.optional("REAPER_ENGINES", _engine_names, default)
    for name in ENGINES:
        if name not in names and reader.has(own_variable(name)):
            reader.faults.append(f"{own_variable(name)} is set, but REAPER_ENGINES does not list {name}")
    if len(names) > 1 and reader.has("REAPER_API_ENDPOINT"):
        reader.faults.append(
            f"REAPER_API_ENDPOINT is for one engine; set {' and '.join(map(own_variable, names))} instead"
        )
    return {name: _read_endpoint(reader, ENGINES[name], alone=len(names) == 1) for name in names}


def own_variable(engine: str) -> str:
    """The variable for one engine's endpoint."""
    return f"REAPER_API_ENDPOINT_{engine.upper()}"


def _read_endpoint(reader: Reader, engine: Engine, *, alone: bool) -> str:
    variables = [own_variable(engine.name), *(["REAPER_API_ENDPOINT"] if alone else [])]
    given = [name for name in variables if reader.has(name)]
    if len(given) > 1:
        reader.faults.append(f"either {' or '.join(given)} must be set, not both")
    if given:
        return reader.optional(given[0], lambda text: _own(origin(text), engine), "")
    if reader.has("HW_REGION_NAME"):
        return engine.endpoints.get(
            reader.optional("HW_REGION_NAME", lambda text: _region(text, engine, variables[-1]), ""), ""
        )
    reader.faults.append(f"HW_REGION_NAME must be set, or {variables[-1]} instead")
    return ""


def _own(endpoint: str, engine: Engine) -> str:
    owner = _OWNERS.get(urlsplit(endpoint).hostname, engine.name)
    if owner != engine.name:
        raise ValueError(f"must be an address of {engine.name}: this one is {owner}'s, which answers the same paths")
    return endpoint


def _region(text: str, engine: Engine, variable: str) -> str:
    if text not in engine.endpoints:
        raise ValueError(
            f"must be a region known to have {engine.name}: {', '.join(sorted(engine.endpoints))}. For another region"
            f" set {variable}, and HW_AUTH_URL for an IAM user"
        )
    return text


def _engine_names(text: str) -> tuple[str, ...]:
    known = f"engines of {', '.join(ENGINES)}"
    return tuple(dict.fromkeys(listed(known, ENGINES.__contains__)(text)))
