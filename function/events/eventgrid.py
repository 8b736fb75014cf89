"""Publishes result events on a channel of EventGrid, instead of replying with them.

Sources: EventGrid API Reference, "PutEvents"; EventGrid User Guide, "Limitations"; for the hosts the region file of the
official SDK 3.1.219.
"""

import json
from collections.abc import Callable, Mapping
from typing import Final

from ..delivery import Delivery
from ..errors import ApiUnavailableError, SinkError
from ..exchange import Answer, Request
from ..strict_json import read_json

_REGIONS: Final = (
    "cn-north-4 cn-north-9 cn-north-11 cn-east-2 cn-east-3 cn-south-1 ap-southeast-3 sa-brazil-1 na-mexico-1"
)
ENDPOINTS: Final[Mapping[str, str]] = {
    **{region: f"https://eg.{region}.myhuaweicloud.com" for region in _REGIONS.split()},
    "eu-west-101": "https://eg.eu-west-101.myhuaweicloud.eu",
}
# What PutEvents documents of an event. Whether it keeps or refuses other attributes is not documented.
_ATTRIBUTES: Final = frozenset({"id", "specversion", "type", "dataschema", "time", "subject"})


class EventGrid:
    """One channel.

    Args:
        endpoint: scheme, host and port of EventGrid.
        source: the custom source of the channel that the events come from: EventGrid takes no other `source`.
        send: sends one request to a project, signed, and returns the whole answer, or raises NotFinalError.
    """

    def __init__(
        self, endpoint: str, *, channel_id: str, source: str, send: Callable[[Request, str, Delivery], Answer]
    ) -> None:
        self._endpoint = endpoint
        self._channel_id = channel_id
        self._source = source
        self._send = send

    def publish(self, attributes: Mapping[str, str], data: object, delivery: Delivery) -> None:
        """Deliver one event. A call may have 20 and 256 KB; with one in each, a refusal is about that one.

        Raises:
            SinkError: EventGrid did not take it; the next delivery publishes the same id.
            ApiDeniedError: FunctionGraph sent no key to sign with.
        """
        project_id = delivery.home_project_id
        if project_id is None:
            raise SinkError("SINK_UNREACHABLE", "FunctionGraph sent no X-CFF-Project-Id, in which the channel is")
        url = f"{self._endpoint}/v1/{project_id}/channels/{self._channel_id}/events"
        body = json.dumps({"events": [self._event(attributes, data)]}).encode()
        try:
            answer = self._send(Request("POST", url, {"Content-Type": "application/json"}, body), project_id, delivery)
        except ApiUnavailableError as error:
            raise SinkError("SINK_UNREACHABLE", f"the result was not published: {error.error_msg}") from None
        if fault := _fault(answer):
            raise SinkError("SINK_REFUSED", f"EventGrid {fault}")

    def _event(self, attributes: Mapping[str, str], data: object) -> dict[str, object]:
        """An event as PutEvents has it: its extension attributes are a member of the data."""
        extensions = {name: value for name, value in attributes.items() if name not in {*_ATTRIBUTES, "source"}}
        event: dict[str, object] = {
            **{name: value for name, value in attributes.items() if name in _ATTRIBUTES},
            "source": self._source,
            "time": f"{attributes['time'][:19]}Z",  # in whole seconds, as the documentation shows it
            "datacontenttype": "application/json",
            "data": data,
        }
        if extensions and isinstance(data, dict):
            event["data"] = {**data, "extensions": extensions}
        return event


def _fault(answer: Answer) -> str | None:
    """Why an answer does not show that the event was taken; a 200 alone does not."""
    try:
        said = read_json(answer.body)
    except ValueError:
        said = None
    facts = said if isinstance(said, dict) else {}
    failed = facts.get("failed_count")
    if answer.status == 200 and failed == 0 and isinstance(failed, int) and not isinstance(failed, bool):
        return None
    events = facts.get("events")
    first = events[0] if isinstance(events, list) and events and isinstance(events[0], dict) else facts
    told = [str(first[name])[:200] for name in ("error_code", "error_msg") if first.get(name)]
    took = " and took nothing" if answer.status == 200 else ""
    return f"answered {answer.status}{took}{': ' if told else ''}{', '.join(told)}"
