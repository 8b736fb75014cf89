"""One connection, in clear or over TLS: all it does has one deadline, and one limit of bytes."""

import io
import socket
import ssl
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, BinaryIO, Final, TypeVar

from .http1 import NoAnswerError

T = TypeVar("T")
Address = tuple[int, int, int, str, Any]  # as getaddrinfo gives it

MAX_ANSWER_BYTES: Final = 1 << 20  # with headers, chunk sizes, 1xx answers, and what TLS adds
MAX_IDLE_SECONDS: Final = 5.0  # a NAT can drop an idle connection without a word
CONNECT_SHARES: Final = 4  # so many addresses that do not answer leave time for the next one
PIECE_BYTES: Final = 1 << 14


def left(until: float) -> float:
    """The seconds until a deadline.

    Raises:
        TimeoutError: there are none.
    """
    if (seconds := until - time.monotonic()) <= 0:
        raise TimeoutError
    return seconds


def connect(addresses: Iterable[Address], until: float) -> socket.socket:
    """Connects to the first address that answers.

    Raises:
        OSError: none did; the last one's failure.
    """
    share = left(until) / CONNECT_SHARES
    failure: OSError = TimeoutError()
    for family, kind, protocol, _, address in addresses:
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(min(share, left(until)))
            sock.connect(address)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return sock
        except OSError as error:
            sock.close()
            failure = error
    raise failure


class Connection:
    """A connection in clear."""

    def __init__(self, sock: socket.socket, until: float) -> None:
        self._socket = sock
        self._used = 0.0
        self.begin(until)

    def begin(self, until: float) -> None:
        """Begin something new, with a deadline and a limit of bytes of its own."""
        self._until, self._bytes_left = until, MAX_ANSWER_BYTES

    def send(self, data: bytes) -> None:
        """Send all of it."""
        self._socket.settimeout(left(self._until))
        self._socket.sendall(data)

    def receive_into(self, buffer: Any) -> int:
        """Receive some bytes; 0 at the end.

        Raises:
            NoAnswerError: more came than the limit allows.
        """
        self._socket.settimeout(left(self._until))
        count = self._socket.recv_into(buffer)
        self._bytes_left -= count
        if self._bytes_left < 0:
            raise NoAnswerError(f"more than {MAX_ANSWER_BYTES} bytes came")
        return count

    def read(self, read: Callable[[BinaryIO], T]) -> tuple[T, bool]:
        """What `read` makes of what comes, and whether more has come than it took."""
        source = _Source(self)
        stream = io.BufferedReader(source)
        result = read(stream)
        source.over = True
        self._used = time.monotonic()
        return result, bool(stream.peek()) or self._holds_more()

    def is_stale(self) -> bool:
        """Whether it was idle for so long that a NAT can have dropped it."""
        return time.monotonic() - self._used > MAX_IDLE_SECONDS

    def is_usable(self) -> bool:
        """Whether it can be used again: it is not stale, and nothing has come since, its end included."""
        if self.is_stale():
            return False
        try:
            self._socket.settimeout(0)
            self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            pass
        return False

    def close(self) -> None:
        """End it."""
        self._socket.close()

    def _holds_more(self) -> bool:
        return False


class TlsConnection(Connection):
    """A connection over TLS.

    OpenSSL returns only with something to say. Fed by a socket, it would go on for as long as a peer sends records
    that say nothing (RFC 8446 §4.6: tickets, key updates; RFC 5246 §7.4.1.1: HelloRequests). So it is fed by hand: each
    piece is small, in time, and within the limit.

    Raises:
        OSError: the handshake failed; ssl.SSLCertVerificationError where the certificate is the reason.
    """

    def __init__(self, sock: socket.socket, until: float, context: ssl.SSLContext, host: str) -> None:
        super().__init__(sock, until)
        self._piece = memoryview(bytearray(PIECE_BYTES))
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self._finish(self._tls.do_handshake)

    def send(self, data: bytes) -> None:
        """Send all of it."""
        unsent = memoryview(data)
        while unsent:
            unsent = unsent[self._finish(self._tls.write, unsent) :]

    def receive_into(self, buffer: Any) -> int:
        """Receive some bytes; 0 at the end, whether TLS was closed or just the connection."""
        try:
            count: int = self._finish(self._tls.read, len(buffer), buffer)
            return count
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return 0

    def _finish(self, step: Callable[..., Any], *args: Any) -> Any:
        """Do one step of TLS, and feed it what it needs."""
        while True:
            try:
                done = step(*args)
            except ssl.SSLWantReadError:
                self._flush()
                self._feed()
            except ssl.SSLError:
                with suppress(OSError):
                    self._flush()  # an alert tells the peer why
                raise
            else:
                self._flush()
                return done

    def _flush(self) -> None:
        if self._outgoing.pending:
            super().send(self._outgoing.read())

    def _feed(self) -> None:
        if count := super().receive_into(self._piece):
            self._incoming.write(self._piece[:count])
        else:
            self._incoming.write_eof()

    def _holds_more(self) -> bool:
        return bool(self._tls.pending() or self._incoming.pending)


class _Source(io.RawIOBase):
    """What a reader takes from a connection; once `over`, nothing more."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.over = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return 0 if self.over else self._connection.receive_into(buffer)
