"""The names of all settings, and the names in an environment that look like a misspelt one.

A misspelt name must not be ignored: the safety check that it was meant to switch on would stay off.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from .near_names import near

_SECRETS: Final = ("HW_AUTH_TOKEN", "HW_USER_PASSWORD", "HW_ACCESS_KEY", "HW_SECRET_KEY", "HW_SECURITY_TOKEN")
_HW: Final = frozenset(
    {
        *("HW_REGION_NAME", "HW_AUTH_URL", "HW_USER_NAME", "HW_DOMAIN_NAME"),
        *_SECRETS,
        *(f"{name}_FILE" for name in _SECRETS),
    }
)
EVENTGRID: Final = ("REAPER_EVENTGRID_CHANNEL_ID", "REAPER_EVENTGRID_SOURCE", "REAPER_EVENTGRID_ENDPOINT")
CALLERS: Final = (
    *("REAPER_CALLER_ISSUER", "REAPER_CALLER_AUDIENCE", "REAPER_CALLER_SUBJECTS"),
    *("REAPER_CALLER_JWKS_URL", "REAPER_CALLER_JWKS_FILE"),
)
_REAPER: Final = frozenset(
    {
        *("REAPER_ENGINES", "REAPER_API_ENDPOINT", "REAPER_API_LANGUAGE", "REAPER_DEADLINE_SECONDS"),
        *("REAPER_API_ENDPOINT_TAURUSDB", "REAPER_API_ENDPOINT_RDS", "REAPER_API_ENDPOINT_GAUSSDB"),
        *("REAPER_API_ENDPOINT_DDS", "REAPER_API_ENDPOINT_GEMINIDB"),
        *("REAPER_ALLOWED_PROJECT_IDS", "REAPER_DRY_RUN", "REAPER_GUARDS", "REAPER_HOLD_WORDS", "REAPER_KEEP_LAST"),
        *("REAPER_MAX_EVENT_AGE_SECONDS", "REAPER_MIN_AGE_DAYS", "REAPER_PAUSED"),
        *("REAPER_PLATFORM", *EVENTGRID, *CALLERS),
        *("REAPER_POLICY_FILE", "REAPER_PLANNER_MODE", "REAPER_ACCEPTED_TICK_TYPES", "REAPER_PLAN_DEADLINE_SECONDS"),
        *("REAPER_ACCEPTED_EVENT_TYPES", "REAPER_EVENT_SOURCE", "REAPER_MAX_EVENT_BYTES", "REAPER_LOG_LEVEL"),
        "REAPER_SINK_TOKEN_FILE",
    }
)
_KNATIVE: Final = frozenset({"K_SINK", "K_CE_OVERRIDES", "K_CA_CERTS"})
_REQUESTS: Final = frozenset({"REQUESTS_CA_BUNDLE"})
_FRAMEWORK: Final = frozenset({"THREADS", "DEBUG"})
NAMES: Final = _HW | _REAPER | _KNATIVE | _REQUESTS | _FRAMEWORK

# Without REAPER_ these are names that other programs read; the others are a setting of ours without its prefix.
_ORDINARY: Final = frozenset({"API_ENDPOINT", "API_LANGUAGE", "EVENT_SOURCE", "LOG_LEVEL"})
_BARE: Final = {
    bare.replace("_", ""): name for name in _REAPER if (bare := name.removeprefix("REAPER_")) not in _ORDINARY
}
_GUESSES: Final = {
    **{name.removeprefix("REAPER_"): name for name in _REAPER},
    **{name: name for name in (*_HW, *_KNATIVE, *_REQUESTS, "HOST", "PORT", "THREADS")},
}
# https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
_SERVICE_LINK: Final = re.compile(r"REAPER\w*_(SERVICE_HOST|SERVICE_PORT\w*|PORT_[0-9]+_(TCP|UDP|SCTP)\w*)", re.ASCII)


def name_faults(env: Mapping[str, str]) -> Iterator[str]:
    """What is wrong with the names in an environment, a sentence for each."""
    unknown = sorted(env.keys() - NAMES)
    ours = [name for name in unknown if name.upper().startswith("REAPER")]
    links = [name for name in ours if _is_service_link(name, env[name])]
    if links:
        yield (
            f"{' and '.join(links[:2])} come from Kubernetes, which sets such variables for a Service whose name begins"
            " with reaper: set enableServiceLinks: false in the pod's spec, or rename the Service"
        )
    for name in ours:
        if name not in links:
            guess = _guess(name)
            yield f"{_shown(name)} is not a setting of this function{f'. Did you mean {guess}?' if guess else ''}"
    for name in unknown:
        if name not in ours and (setting := _looks_like(name)):
            yield f"{_shown(name)} looks like {setting}: correct it, or if another program needs it, unset it here"


def _shown(name: str) -> str:
    return ascii(name)[1:-1]  # in Cyrillic or Greek a letter can look like the right one


def _is_service_link(name: str, value: str) -> bool:
    return bool(_SERVICE_LINK.fullmatch(name)) or (name.endswith("_PORT") and "://" in value)


def _guess(name: str) -> str | None:
    """The setting that is most like a name with our prefix."""
    from difflib import get_close_matches  # most starts need no guess

    rest = name.upper().removeprefix("REAPER").strip("_")
    return next((_GUESSES[match] for match in get_close_matches(rest, _GUESSES, n=1)), None)


def _looks_like(name: str) -> str | None:
    """The setting that a name without our prefix was probably meant to be; None if it is an ordinary name."""
    if setting := _BARE.get("".join(filter(str.isalnum, name.upper()))):
        return setting
    for whole in (name.removeprefix("BACKUP_"), name.removesuffix("_FILE")):
        if whole in _REAPER | _HW:
            return whole
    return near(name, _candidates(name))


def _candidates(name: str) -> frozenset[str]:
    """The settings that a name can be a misspelling of, by how it begins.

    OS_AUTH_URL and AWS_ACCESS_KEY are two characters off HW_AUTH_URL and HW_ACCESS_KEY, but other programs read them.
    """
    upper, known = name.upper(), frozenset[str]()
    # Four letters of REAPER are left after any two typing errors. Most names end here: a cluster can set thousands.
    if sum(letter in "REAP" for letter in upper[:8]) >= 4 or not name.isascii():
        known = _REAPER
    for prefix, family in (("HW", _HW), ("K_", _KNATIVE), ("REQ", _REQUESTS)):
        if upper.startswith(prefix) or not name.isascii():
            known |= family
    return known
