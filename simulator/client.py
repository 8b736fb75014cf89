"""What is asked of the simulator and the function while they run."""

import http.client
import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from typing import Final
from urllib.parse import urlsplit

from .exchange import Json
from .processes import Running
from .services import SERVICES

ANSWER_SECONDS: Final = 30.0  # the reaper's own deadline is 20


def exchange(
    running: Running, method: str, path: str, event: bytes | None = None, *, seconds: float = ANSWER_SECONDS
) -> tuple[int, str | None, bytes]:
    """Send a request, an event as `curl --json` sends it; return the status, `Retry-After` and the body."""
    connection = http.client.HTTPConnection(urlsplit(running.url).netloc, timeout=seconds)
    with closing(connection):
        connection.request(method, path, event, {"Content-Type": "application/json"} if event else {})
        response = connection.getresponse()
        return response.status, response.getheader("Retry-After"), response.read()


def backups(simulator: Running, engines: Iterable[str] = ("taurusdb",)) -> list[Mapping[str, Json]]:
    """Return the backups of these engines in the simulator's account."""
    datastores = {kind for engine in engines for kind in SERVICES[engine].datastores}
    found = json.loads(exchange(simulator, "GET", "/_simulator/state")[2])["backups"]
    return [backup for backup in found if backup["datastore"]["type"] in datastores]


def take_calls(simulator: Running) -> Sequence[Mapping[str, Json]]:
    """Return what the API was asked since the last time."""
    calls: Sequence[Mapping[str, Json]] = json.loads(exchange(simulator, "GET", "/_simulator/calls")[2])
    exchange(simulator, "DELETE", "/_simulator/calls")
    return calls
