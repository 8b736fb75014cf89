"""FunctionGraph, Huawei Cloud's own serverless: how it calls a container image, and what it wants for an answer.

Sources: FunctionGraph User Guide, "Creating a Function with an Image" and "Using a Timer Trigger"; the samples of Open
Telekom Cloud's Python runtime for the headers. The form of EventGrid's events is that of a published dump.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final
from urllib.parse import quote
from uuid import NAMESPACE_URL, uuid5

from .delivery import AgencyKey, Delivery
from .errors import NotAnEventError
from .events.binding import Event, decode_envelope, read_envelope
from .events.contract import PROJECT_ID
from .events.grammar import STRINGS
from .events.planning import DUE
from .near_names import near
from .reply import Reply
from .strict_json import read_json

_INVOCATION_ID: Final = re.compile("[A-Za-z0-9-]{1,64}")
_PLAIN_NAME: Final = re.compile(r"[\w -]*")
_EXTENSIONS: Final = ("expirytime", "causationid", "correlationid", "partitionkey", "traceparent", "tracestate")


class FunctionGraph:
    """The platform's side of the door. Only with REAPER_PLATFORM=functiongraph: its headers choose the credential."""

    probes = frozenset({("GET", "/health"), ("HEAD", "/health"), ("POST", "/init")})

    def read_event(self, headers: Mapping[str, str], body: bytes, delivery: Delivery) -> Event:
        """The event in the body of a request; the delivery gets what the headers say.

        Raises:
            NotAnEventError: there is none.
        """
        delivery.agency_key = AgencyKey(
            access_key=_given(headers, "x-cff-security-access-key"),
            secret_key=_given(headers, "x-cff-security-secret-key"),
            security_token=_given(headers, "x-cff-security-token"),
        )
        delivery.home_project_id = _matching(PROJECT_ID, headers.get("x-cff-project-id"))
        delivery.invocation_id = _matching(_INVOCATION_ID, headers.get("x-cff-request-id"))
        envelope = decode_envelope(body)
        if envelope.get("trigger_type") == "TIMER" and "specversion" not in envelope:
            return read_envelope(_tick(envelope, headers.get("x-cff-func-name", "")))
        return _without_quirks(envelope)

    def reply(self, reply: Reply) -> Reply:
        """An answer in FunctionGraph's form, with the same status in both places.

        What the platform counts as a failed run is not documented: a final outcome is 200 here, never 204.
        """
        status = 200 if reply.status == 204 else reply.status
        payload = {
            "statusCode": status,
            "isBase64Encoded": False,
            "headers": dict(reply.headers),
            "body": reply.body.decode(),
        }
        return Reply(status, {"Content-Type": "application/json"}, json.dumps(payload).encode())


def _given(headers: Mapping[str, str], name: str) -> str | None:
    """A header's value; without an agency or the switch it is absent, empty or the word null."""
    value = headers.get(name, "")
    return None if value in ("", "null") else value


def _matching(form: re.Pattern[str], text: str | None) -> str | None:
    return text if text and form.fullmatch(text) else None


def _without_quirks(envelope: Mapping[str, object]) -> Event:
    """An event of EventGrid as CloudEvents has it.

    It adds an empty `dataschema`, which CloudEvents forbids, and perhaps an empty `subject`. It may not keep extension
    attributes, so our own events have them in the data.
    """
    kept = {name: value for name, value in envelope.items() if name not in ("dataschema", "subject") or value != ""}
    data = kept.get("data")
    extensions = data.get("extensions") if isinstance(data, dict) else None
    if not isinstance(extensions, dict):
        return read_envelope(kept)
    event = read_envelope({**{name: extensions[name] for name in _EXTENSIONS if name in extensions}, **kept})
    # The others are there in name alone, so that one that looks like a known name is refused, as at the top.
    others = {name: "" for name, value in extensions.items() if name not in STRINGS and value is not None}
    return replace(event, attributes={**others, **event.attributes})


def _tick(body: Mapping[str, object], function: str) -> dict[str, object]:
    """A TIMER trigger's body as a tick. A run that is repeated has the same id."""
    if "dry_run" in body or any(near(name, ("dry_run", "user_event")) for name in body):  # it can be typed by hand
        raise NotAnEventError(
            400, 'a member looks like dry_run or user_event: a dry run is {"dry_run": true} as user_event'
        )
    trigger, time = str(body.get("trigger_name")), body.get("time")
    return {
        "specversion": "1.0",
        "id": str(uuid5(NAMESPACE_URL, json.dumps([function, trigger, time]))),
        "source": f"/functiongraph/{quote(function, safe='@')}/{quote(trigger, safe='')}",
        "type": DUE,
        "time": time,
        "data": _user_event(body.get("user_event")),
    }


def _user_event(said: object) -> object:
    """What the timer was configured to say: an object, also one in a text; a plain name says nothing.

    Raises:
        NotAnEventError: it may have been meant to be a dry run.
    """
    if said is None or isinstance(said, dict):
        return said
    text = str(said).strip()
    if text.startswith("{"):
        try:
            return read_json(text.encode())
        except ValueError as error:
            raise NotAnEventError(400, f"user_event of the timer begins like JSON, but is not: {error}") from None
    looks_dry = "dry" in text.lower() or any(near(part, ("dry_run",)) for part in (text, *text.split()))
    if looks_dry or not _PLAIN_NAME.fullmatch(text):
        raise NotAnEventError(
            400, 'user_event of the timer must be a plain name that has nothing of a dry run, or {"dry_run": true}'
        )
    return None
