"""What the transport does between two exchanges, seen from the other end of its connection."""

import gc
import time
from datetime import UTC, datetime

from function.delivery import Delivery
from function.exchange import Answer, Request
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


def test_an_answer_is_not_kept_with_its_connection() -> None:
    """IAM's answer has a token in it."""

    def answer(connection: Connection) -> None:
        connection.receive_head()
        connection.send(b"HTTP/1.1 201 Created\r\nX-Subject-Token: 5ecret\r\nContent-Length: 0\r\n\r\n")
        connection.wait_until_left()

    with Listener(answer) as listener:
        url = f"http://127.0.0.1:{listener.port}"
        transport = Transport([url], pool_size=1)

        assert transport.exchange(Request("POST", url, {}), delivery(LONG)).headers["x-subject-token"] == "5ecret"

        assert not [kept for kept in gc.get_objects() if isinstance(kept, Answer) and "5ecret" in kept.headers.values()]
