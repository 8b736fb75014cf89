"""A server of blocking sockets and threads: it does with each connection what `hostile` or `proxy` tell it to."""

import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

PATIENCE_SECONDS: Final = 30.0  # longer than any deadline in the tests


class LeftError(Exception):
    """The client has left, or the listener stops."""


class Connection:
    """One accepted connection; whatever it can no longer do raises LeftError."""

    def __init__(self, number: int, sock: socket.socket, stopping: threading.Event) -> None:
        self.number = number
        self.socket = sock
        self.stopping = stopping
        self.received = bytearray()

    def receive(self) -> bytes:
        """Some bytes, which are also kept in `received`."""
        try:
            data = self.socket.recv(1 << 16)
        except (OSError, ValueError):
            data = b""
        if not data or self.stopping.is_set():
            raise LeftError
        self.received += data
        return data

    def receive_head(self) -> bytes:
        """The head of an HTTP request; what follows it is lost."""
        head = bytearray()
        while b"\r\n\r\n" not in head:
            head += self.receive()
        return bytes(head)

    def send(self, data: bytes) -> None:
        """Send all of it."""
        if self.stopping.is_set():
            raise LeftError
        try:
            self.socket.sendall(data)
        except (OSError, ValueError):
            raise LeftError from None

    def drip(self, data: bytes, pause: float) -> None:
        """Send it byte by byte."""
        for byte in data:
            self.send(bytes([byte]))
            self.pause(pause)

    def pause(self, seconds: float) -> None:
        """Do nothing for a while."""
        if self.stopping.wait(seconds):
            raise LeftError

    def wait_until_left(self) -> None:
        """Take what comes and say nothing."""
        while True:
            self.receive()

    def reset(self) -> None:
        """End the connection with a RST."""
        with suppress(OSError):
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        """End it, so that a thread that reads from it wakes up."""
        with suppress(OSError):
            self.socket.close()


class Listener:
    """Accepts connections on a free loopback port while it runs, each in a thread of its own.

    Args:
        serve: called with every connection, which is closed when it returns.

    Attributes:
        connections: all there have been.
    """

    def __init__(self, serve: Callable[[Connection], None]) -> None:
        self._serve = serve
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self.connections: list[Connection] = []
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._socket.settimeout(0.05)
        self.port: int = self._socket.getsockname()[1]

    @property
    def received(self) -> bytes:
        """All that anybody has sent, before any TLS."""
        return b"".join(bytes(connection.received) for connection in self.connections)

    def __enter__(self) -> Self:
        thread = threading.Thread(target=self._accept, daemon=True)
        thread.start()
        self._threads.append(thread)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        for connection in self.connections:
            with suppress(OSError):
                connection.socket.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._socket.close()

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                accepted, _ = self._socket.accept()
            except TimeoutError:
                continue
            accepted.settimeout(PATIENCE_SECONDS)
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(len(self.connections), accepted, self._stopping)
            self.connections.append(connection)
            thread = threading.Thread(target=self._run, args=(connection,), daemon=True)
            thread.start()
            self._threads.append(thread)

    def _run(self, connection: Connection) -> None:
        try:
            with suppress(LeftError):
                self._serve(connection)
        finally:
            connection.close()
