"""Simulator and function stay up until Ctrl-C, to send events to: `python -m simulator.serve [EVENT]`.

The function gets the settings of the environment (`REAPER_…`, `HW_…`, `K_…`, `THREADS`) and listens on `PORT`, by
default 8080; the simulator on the next port, and on one more for each further engine of `REAPER_ENGINES`. EVENT is the
file that the curl line sends.
"""

import argparse
import json
import os
import re
import shlex
import socket
import sys
import time
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Final

from .account import Account
from .accounts import demo_account
from .client import backups
from .demo import read_samples
from .display import account_table, curl, say
from .functiongraph import key_headers
from .processes import Running, note_signals, run_function, run_simulator, settings_of
from .services import SERVICES

PORT: Final = 8080
# With these the function would call another API than the simulator: the real one, with real backups.
ELSEWHERE: Final = ("REAPER_API_ENDPOINT", "REAPER_EVENTGRID_ENDPOINT", "HW_REGION_NAME", "HW_AUTH_URL")
CREDENTIAL: Final = re.compile("HW_(AUTH_TOKEN|ACCESS_KEY|USER_NAME)(_FILE)?")
SECRET: Final = re.compile("TOKEN|PASSWORD|SECRET|SINK")
STARTED: Final = """\
function    {function}
simulator   {simulators}
settings    {settings}
guards on   {guards}

The simulator's credentials; the function uses the token unless you set another:
{credentials}

The simulator's backups:
{backups}

Send an event, this one or another file of events/:
  {curl}
Send it with the present time, as REAPER_GUARDS=strict demands:
  {stamped}
See the account, and what the function asked of the API:
  curl -s {simulator}/_simulator/state | python3 -m json.tool
  curl -s {simulator}/_simulator/calls | python3 -m json.tool
Reset the account:
  curl -s -X POST {simulator}/_simulator/reset
Follow the function's log:
  tail -f {log}

Ctrl-C stops both.
"""


def main() -> int | str:
    """Run until told to end; return the exit status, or what is wrong."""
    parser = argparse.ArgumentParser(prog="python -m simulator.serve", description=__doc__)
    parser.add_argument("event", nargs="?", type=Path, metavar="EVENT")
    asked = parser.parse_args()
    ends = note_signals()
    try:
        [sample] = read_samples([asked.event]) if asked.event else read_samples([])[:1]
        given = settings_of(os.environ)
        port = _port(os.environ.get("PORT"))
        engines = _engines(given)
        first = _first_free(port + 1, len(engines))
        urls = {engine: f"http://127.0.0.1:{number}" for number, engine in enumerate(engines, first)}
        with (
            run_simulator("--engines", ",".join(engines), port=first) as simulator,
            run_function(_settings(given, urls), port=port) as function,
        ):
            say(_started(simulator, function, given, urls, sample.path), end="")
            fault = _wait(simulator, function, ends)
    except (OSError, RuntimeError) as error:
        return str(error)
    say("\nBoth have stopped.")
    return fault


def _port(asked: str | None) -> int:
    """Return the port for the function: the one asked for, which must be free, or the first free one."""
    if asked is None:
        return _first_free(PORT)
    if not (asked.isdecimal() and 0 < int(asked) < 65535):
        raise RuntimeError(f"PORT must be a number from 1 to 65534, not {asked}")
    if _taken(int(asked)):
        raise RuntimeError(f"PORT={asked} is taken by another process; set another, or none to get a free one")
    return int(asked)


def _engines(given: Mapping[str, str]) -> list[str]:
    """Return the engines that the function is to serve, so far as they are known: it refuses the others itself."""
    asked = given.get("REAPER_ENGINES", "").split(",")
    return [engine for engine in SERVICES if engine in asked] or ["taurusdb"]


def _first_free(port: int, count: int = 1) -> int:
    """Return the first port from which so many in a row are free."""
    starts = range(port, 65536 - count)
    return next(start for start in starts if not any(map(_taken, range(start, start + count))))


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: not taken by closed connections
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
        return False


def _settings(given: Mapping[str, str], urls: Mapping[str, str]) -> Mapping[str, str]:
    """Return what was given, with the simulator as the cloud, and its token if no credential was given."""
    elsewhere = [name for name in given if name.startswith(ELSEWHERE)]
    if elsewhere:
        raise RuntimeError(
            f"make serve calls its simulator alone, never the real cloud; unset {', '.join(elsewhere)} and try again"
        )
    mine = {f"REAPER_API_ENDPOINT_{engine.upper()}": url for engine, url in urls.items()}
    if "HW_USER_NAME" in given:
        mine["HW_AUTH_URL"] = f"{next(iter(urls.values()))}/v3"
    if "REAPER_EVENTGRID_CHANNEL_ID" in given:
        mine["REAPER_EVENTGRID_ENDPOINT"] = next(iter(urls.values()))
    if given.get("REAPER_PLATFORM") != "functiongraph" and not any(map(CREDENTIAL.fullmatch, given)):
        mine["HW_AUTH_TOKEN"] = next(iter(demo_account().tokens))
    return {**given, **mine}


def _started(
    simulator: Running, function: Running, given: Mapping[str, str], urls: Mapping[str, str], event: Path
) -> str:
    shown = [f"{name}={'…' if SECRET.search(name) else value}" for name, value in sorted(given.items())]
    moved = "" if function.url.endswith(f":{PORT}") or "PORT" in os.environ else f"  ({PORT} is taken)"
    return STARTED.format(
        function=function.url + moved,
        simulator=simulator.url,
        simulators="\n            ".join(f"{url}  (plays Huawei Cloud: {engine})" for engine, url in urls.items()),
        settings=" ".join(shown) or "none of yours; to set some: REAPER_KEEP_LAST=3 make serve",
        guards=_guards(function),
        credentials="\n".join(_credentials(demo_account())),
        backups="\n".join(account_table(backups(simulator, urls))),
        curl=curl(function.url, os.path.relpath(event), _headers(given)),
        stamped=_stamped(curl(function.url, "-", _headers(given)), event),
        log=function.log,
    )


def _guards(function: Running) -> str:
    """Return what the function itself says at its start about its guards."""
    for line in function.output.splitlines():
        match json.loads(line) if line.startswith("{") else None:
            case {"config": {"policy": dict(policy)}}:
                on = [f"{name}={value}" for name, value in policy.items() if value]
                return "; ".join(on) or "none: an event deletes the backup that it names"
    return "not logged at this REAPER_LOG_LEVEL"


def _credentials(account: Account) -> Iterator[str]:
    for token in account.tokens.values():
        yield f"  HW_AUTH_TOKEN={token.value}"
    for key in account.access_keys.values():
        third = f" \\\n    HW_SECURITY_TOKEN={key.security_token}" if key.security_token else ""
        yield f"  HW_ACCESS_KEY={key.access} \\\n    HW_SECRET_KEY={key.secret}{third}"
    for user in account.users.values():
        yield f"  HW_USER_NAME={user.name} HW_USER_PASSWORD={shlex.quote(user.password)} HW_DOMAIN_NAME={user.domain}"


def _headers(given: Mapping[str, str]) -> Mapping[str, str]:
    """Return what FunctionGraph sends with a request, if that is the platform: the agency's key of this moment."""
    if given.get("REAPER_PLATFORM") != "functiongraph":
        return {}
    [key] = [key for key in demo_account().access_keys.values() if key.security_token]
    return {**key_headers(key), "X-CFF-Project-Id": next(iter(demo_account().projects))}


def _stamped(send: str, event: Path) -> str:
    command = """sed 's/"time": "[^"]*"/"time": "'$(date -u +%FT%TZ)'"/'"""
    return f"{command} \\\n      {shlex.quote(os.path.relpath(event))} | {send}"


def _wait(simulator: Running, function: Running, ends: Collection[int]) -> int | str:
    while not ends:
        for running in (simulator, function):
            if running.process.poll() is not None:
                return f"{running.url} has ended:\n{running.output}"
        time.sleep(0.1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
