"""W3C trace context, as a header or as the CloudEvents extension of the same names; what is malformed is dropped."""

import re
from collections.abc import Mapping
from typing import Final

_TRACEPARENT: Final = re.compile("00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_MEMBER: Final = r"[a-z0-9][a-z0-9_*/@-]{0,255}=[ -+\--<>-~]{0,255}[!-+\--<>-~]"
_TRACESTATE: Final = re.compile(rf"{_MEMBER}(?:[ \t]*,[ \t]*{_MEMBER}){{0,31}}")
MAX_TRACESTATE_CHARS: Final = 512


def read_trace(headers: Mapping[str, str], attributes: Mapping[str, str | bool | int]) -> dict[str, str]:
    """The `traceparent` and, only beside one, the `tracestate` of a delivery; headers win."""
    for source in (headers, attributes):
        parent, state = str(source.get("traceparent")), str(source.get("tracestate"))
        if _TRACEPARENT.fullmatch(parent):
            usable = len(state) <= MAX_TRACESTATE_CHARS and _TRACESTATE.fullmatch(state)
            return {"traceparent": parent, **({"tracestate": state} if usable else {})}
    return {}
