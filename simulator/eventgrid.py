"""EventGrid: custom channels, the PutEvents operation, and the form in which a subscription hands an event on.

Source: EventGrid API Reference, "PutEvents", and User Guide, "Limitations". Which error code meets an unknown source is
not documented: the one for parameters.
"""

import json
import re
from collections.abc import Mapping
from typing import Final

from .account import Account, Channel
from .errors import ApiError
from .exchange import Answer, Json, Request

MAX_EVENTS: Final = 20
MAX_EVENT_BYTES: Final = 64 << 10
MAX_CALL_BYTES: Final = 256 << 10
_MANDATORY: Final = ("id", "source", "specversion", "type")
_MEMBERS: Final = {*_MANDATORY, "datacontenttype", "dataschema", "data", "time", "subject"}
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def put_events(account: Account, request: Request, _: str, channel_id: str) -> Answer:
    """Take up to 20 events, all or none."""
    channel = account.channels.get(channel_id)
    if channel is None:
        raise ApiError("EG.00513005")
    if len(request.body) > MAX_CALL_BYTES:
        raise ApiError("EG.00533007")
    events = _read(request)
    if len(events) > MAX_EVENTS:
        return _refusal(400, events, "00533013", "too many events")
    if any(len(json.dumps(event)) > MAX_EVENT_BYTES for event in events):
        return _refusal(400, events, "00533012", "event too large")
    for event in events:
        if fault := _fault(event, channel):
            raise ApiError("EG.00513000", fault)
    # Which extension attributes are kept is not documented: none here, so that whoever relies on them notices.
    channel.events.extend({name: event[name] for name in event if name in _MEMBERS} for event in events)
    taken = [{"event_id": event["id"], "error_code": None, "error_msg": None} for event in events]
    return Answer(200, {"failed_count": 0, "events": taken})


def nothing_taken(*event_ids: str) -> Json:
    """The body of a 200 that took no event."""
    failed = {"error_code": "EG.00015000", "error_msg": "the event could not be stored"}
    return {"failed_count": len(event_ids), "events": [{"event_id": event_id, **failed} for event_id in event_ids]}


def handed_on(event: Mapping[str, Json]) -> dict[str, Json]:
    """An event as a subscription without a transform delivers it.

    Seen with events of OBS: nine digits of seconds, an extension `ttl`, and an empty `dataschema`, which CloudEvents
    forbids. Whether a custom event gets the same is not documented.
    """
    time = re.sub(r"(\.\d+)?Z$", ".167931174Z", str(event.get("time", "2026-09-30T03:24:43Z")))
    return {"dataschema": "", "subject": "", **event, "time": time, "ttl": "4000"}


def _read(request: Request) -> list[dict[str, Json]]:
    try:
        events = request.json()["events"]
        if events and all(isinstance(event, dict) for event in events):
            return list(events)
    except (ValueError, LookupError, TypeError):
        pass
    raise ApiError("EG.00513000", "events must be a list of objects")


def _fault(event: Mapping[str, Json], channel: Channel) -> str | None:
    for name in _MANDATORY:
        if not isinstance(event.get(name), str) or not event[name]:
            return f"{name} is mandatory"
    if event["source"] not in channel.sources:
        return "the source is none of the channel's"
    if event.get("datacontenttype", "application/json") != "application/json":
        return "datacontenttype must be application/json"
    if not isinstance(event.get("data", {}), dict):
        return "data must be an object"
    if "time" in event and not _TIME.fullmatch(str(event["time"])):
        return "time must be like 2018-04-05T17:31:00Z"
    return None


def _refusal(status: int, events: list[dict[str, Json]], code: str, message: str) -> Answer:
    failed = [{"event_id": event.get("id"), "error_code": code, "error_msg": message} for event in events]
    return Answer(status, {"failed_count": len(events), "events": failed})
