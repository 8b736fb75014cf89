"""Publishes result events where Knative's sink binding says, instead of replying with them."""

from collections.abc import Callable, Mapping

from ..delivery import Delivery
from ..errors import NotFinalError, SinkError
from ..exchange import Answer, Request
from .binding import write_event


class Sink:
    """One addressee of results.

    Args:
        url: http or https, without userinfo.
        extensions: added to every event (`K_CE_OVERRIDES`).
        exchange: sends one request and returns the whole answer, or raises ApiUnavailableError.
    """

    def __init__(
        self, url: str, extensions: Mapping[str, str], exchange: Callable[[Request, Delivery], Answer]
    ) -> None:
        self._url = url
        self._extensions = extensions
        self._exchange = exchange

    def publish(self, attributes: Mapping[str, str], data: object, delivery: Delivery) -> None:
        """Deliver an event.

        Raises:
            SinkError: anything but a 2xx; the redelivery publishes the same result id.
        """
        # The extensions come first: they add, and replace nothing that is the result's own, such as causationid.
        headers, body = write_event({**self._extensions, **attributes}, data, "structured")
        try:
            answer = self._exchange(Request("POST", self._url, headers, body), delivery)
        except NotFinalError:
            raise SinkError("SINK_UNREACHABLE", "the sink did not answer in time, or not whole") from None
        if not 200 <= answer.status < 300:
            raise SinkError("SINK_REFUSED", f"the sink answered {answer.status}")
