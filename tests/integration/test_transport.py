"""What the transport does between two exchanges, seen from the other end of its connection."""

import time
from datetime import UTC, datetime

from function.delivery import Delivery
from function.exchange import Request
from function.transport import Transport
from tests.listening import Connection, Listener

ACCEPTED = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
SHORT, PAUSE, LONG = 0.4, 0.8, 20.0
BODY = bytes(16 << 20)  # more than any buffer between us takes


def delivery(seconds: float) -> Delivery:
    return Delivery(now=datetime.now(UTC), until=time.monotonic() + seconds)


def test_a_request_over_a_kept_connection_has_its_own_time_to_be_sent() -> None:
    def take_slowly(connection: Connection) -> None:
        connection.receive_head()
        connection.send(ACCEPTED)
        connection.pause(PAUSE)
        while len(connection.received) < len(BODY):
            connection.receive()
        connection.send(ACCEPTED)
        connection.wait_until_left()

    with Listener(take_slowly) as listener:
        url = f"http://127.0.0.1:{listener.port}"
        transport = Transport([url], pool_size=1)

        statuses = [
            transport.exchange(Request("POST", url, {}, body), delivery(seconds)).status
            for body, seconds in ((b"", SHORT), (BODY, LONG))
        ]

        assert statuses == [202, 202]
        assert len(listener.connections) == 1
