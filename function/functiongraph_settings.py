"""The settings that only FunctionGraph has."""

from dataclasses import dataclass

from .cloud.credentials import AgencySettings
from .events.eventgrid import ENDPOINTS
from .setting_names import EVENTGRID
from .variables import Reader, matching, origin

_STORED = ("HW_AUTH_TOKEN", "HW_USER_NAME", "HW_USER_PASSWORD", "HW_ACCESS_KEY", "HW_SECRET_KEY", "HW_SECURITY_TOKEN")


@dataclass(frozen=True, slots=True, kw_only=True)
class EventGridSettings:
    """The EventGrid channel where results are published instead of being replies.

    Args:
        url: scheme, host and port.
        source: the channel's custom source that they come from.
    """

    url: str
    channel_id: str
    source: str


def read_agency(reader: Reader) -> AgencySettings:
    """The credential; a stored one besides would only be a risk."""
    if stored := reader.any_of(_STORED):
        reader.faults.append(f"{' and '.join(stored)} must not be set: on FunctionGraph the agency's keys are used")
    return AgencySettings()


def read_eventgrid(reader: Reader) -> EventGridSettings | None:
    """Where results are published; None if they are replies."""
    names = reader.any_of(EVENTGRID)
    if not names:
        return None
    if reader.has("K_SINK"):
        reader.faults.append(f"K_SINK must not be set with {names[0]}: results are published in one place")
    return EventGridSettings(
        url=_url(reader),
        channel_id=reader.required("REAPER_EVENTGRID_CHANNEL_ID", matching("[A-Za-z0-9-]{1,64}", "the id"), ""),
        source=reader.required(
            "REAPER_EVENTGRID_SOURCE", matching("[a-z0-9_-]{1,128}", "the name of a custom source"), ""
        ),
    )


def _url(reader: Reader) -> str:
    region = reader.optional("HW_REGION_NAME", str, "")
    if region in ENDPOINTS and not reader.has("REAPER_EVENTGRID_ENDPOINT"):
        return ENDPOINTS[region]
    return reader.required("REAPER_EVENTGRID_ENDPOINT", origin, "")
