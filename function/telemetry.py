"""A span for each of our calls, where `opentelemetry-instrument` has started the process.

OpenTelemetry's own instrumentations watch HTTP libraries, and our transport is none of those. Names and attributes:
OpenTelemetry semantic conventions, "HTTP client spans". Without OpenTelemetry nothing of this is in the way.
"""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urlsplit

from .delivery import Delivery
from .errors import NotFinalError
from .exchange import Answer, Request

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider

Exchange: TypeAlias = Callable[[Request, Delivery], Answer]


def is_on() -> bool:
    """Whether OpenTelemetry has been started in this process."""
    return "opentelemetry.sdk.trace" in sys.modules


def traced(exchange: Exchange, hidden: str | None, provider: "TracerProvider | None" = None) -> Exchange:
    """The same exchange, each in a client span, whose context goes with the request.

    Args:
        hidden: a URL whose path and query must not be shown.
        provider: of tracers; None for the one of the process.
    """
    from opentelemetry import propagate, trace
    from opentelemetry.trace import SpanKind, Status, StatusCode

    tracer = trace.get_tracer("backup-reaper", tracer_provider=provider)

    def exchange_in_a_span(request: Request, delivery: Delivery) -> Answer:
        url = urlsplit(request.url)
        attributes = {
            "http.request.method": request.method,
            "server.address": url.hostname or "",
            "url.full": f"{url.scheme}://{url.netloc}" if request.url == hidden else request.url,
        }
        with tracer.start_as_current_span(
            request.method,
            kind=SpanKind.CLIENT,
            attributes=attributes,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            context: dict[str, str] = {}
            propagate.inject(context)
            try:
                answer = exchange(request.with_headers(context), delivery)
            except NotFinalError as error:
                span.set_attribute("error.type", error.error_code)
                span.set_status(Status(StatusCode.ERROR))
                raise
            span.set_attribute("http.response.status_code", answer.status)
            if answer.status >= 400:
                span.set_attribute("error.type", str(answer.status))
                span.set_status(Status(StatusCode.ERROR))
            return answer

    return exchange_in_a_span
