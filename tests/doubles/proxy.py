"""A forward proxy (RFC 9110 §9.3.6): it tunnels to one place whatever is asked for, and keeps what it sees."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress

from tests.doubles.listening import Connection, LeftError, Listener

PAUSE = 0.03


class Proxy:
    """A proxy on a socket while its listener runs.

    Args:
        upstream: the port on this machine where every tunnel ends.

    Attributes:
        manner: what it does with a connection; it may be changed while it runs.
    """

    def __init__(self, upstream: int, manner: "Callable[[Proxy, Connection], None] | None" = None) -> None:
        self._upstream = upstream
        self.manner: Callable[[Proxy, Connection], None] = manner or Proxy.tunnel
        self.listener = Listener(lambda connection: self.manner(self, connection))
        self.url = f"http://127.0.0.1:{self.listener.port}"

    def tunnel(self, connection: Connection) -> None:
        """Do what CONNECT asks for; refuse anything else."""
        if not connection.receive_head().startswith(b"CONNECT "):
            connection.send(b"HTTP/1.1 501 Not Implemented\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            return
        with socket.create_connection(("127.0.0.1", self._upstream)) as upstream:
            connection.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=_pour, args=(upstream, connection), daemon=True)
            back.start()
            with suppress(LeftError, OSError):
                while True:
                    upstream.sendall(connection.receive())
            with suppress(OSError):
                upstream.shutdown(socket.SHUT_RDWR)
            back.join()

    def tunnel_late(self, connection: Connection) -> None:
        """The same, after a while."""
        connection.pause(0.4)
        self.tunnel(connection)

    def say_nothing(self, connection: Connection) -> None:
        """Take what comes."""
        connection.wait_until_left()

    def drip(self, connection: Connection) -> None:
        """Establish the tunnel so slowly that it never will be."""
        connection.receive_head()
        connection.send(b"HTTP/1.1 200 Connection established\r\n")
        while True:
            connection.drip(b"X-Endless: y\r\n", PAUSE)

    def flood(self, connection: Connection) -> None:
        """The same, but fast."""
        connection.receive_head()
        connection.send(b"HTTP/1.1 200 Connection established\r\n")
        while True:
            connection.send(b"X-Endless: y\r\n" * 4096)

    @staticmethod
    def refuse(status: int) -> "Callable[[Proxy, Connection], None]":
        """Answer CONNECT with this status."""

        def answer(_: Proxy, connection: Connection) -> None:
            connection.receive_head()
            connection.send(f"HTTP/1.1 {status} No\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n".encode())

        return answer

    def answer_itself(self, connection: Connection) -> None:
        """In the place of a tunnel, the answer one could have hoped for."""
        connection.receive_head()
        body = b'{"backup_id": "forged"}'
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        connection.wait_until_left()


def _pour(upstream: socket.socket, connection: Connection) -> None:
    with suppress(LeftError, OSError):
        while data := upstream.recv(1 << 16):
            connection.send(data)
    with suppress(OSError):
        connection.socket.shutdown(socket.SHUT_RDWR)
