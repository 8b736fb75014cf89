"""How a TLS server can begin: one way that is right, and many that are not.

OpenSSL reads on and on over records that say nothing, such as tickets, so the floods of these test whether a deadline
holds inside TLS.
"""

import ssl
import struct
import tempfile
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from tests.doubles.listening import Connection, LeftError

PAUSE: Final = 0.03

Shake = Callable[[Connection, ssl.SSLContext], None]

ANSWER: Final = b'HTTP/1.1 200 OK\r\nContent-Length: 23\r\n\r\n{"backup_id": "forged"}'
HELLO_REQUEST: Final = b"\x16\x03\x03\x00\x04" + bytes(4)  # RFC 5246 §7.4.1.1: ignored within a handshake
TICKET: Final = b"\x04" + struct.pack(">I", 14)[1:] + struct.pack(">IIBHBH", 60, 0, 0, 1, 7, 0)  # RFC 8446 §4.6.1


def shake_hands(connection: Connection, context: ssl.SSLContext) -> None:
    """Begin TLS as it should be."""
    try:
        connection.socket = context.wrap_socket(connection.socket, server_side=True)
    except (OSError, ValueError):
        raise LeftError from None


def drip_the_handshake(connection: Connection, context: ssl.SSLContext) -> None:
    """Begin TLS, byte by byte: RFC 8446 §5.1 sets no bound."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_side=True)
    while True:
        with suppress(ssl.SSLWantReadError):
            tls.do_handshake()
        if outgoing.pending:
            connection.drip(outgoing.read(), PAUSE)
        incoming.write(connection.receive())


def drip_a_record(connection: Connection, context: ssl.SSLContext) -> None:
    """Begin TLS as it should be, and answer whatever is asked with one record, byte by byte."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_side=True)
    request = b""
    while not request:
        try:
            request = tls.read(1 << 16)
        except ssl.SSLWantReadError:
            connection.send(outgoing.read())
            incoming.write(connection.receive())
    tls.write(ANSWER)
    connection.drip(outgoing.read(), PAUSE)


def flood_the_handshake(connection: Connection, context: ssl.SSLContext) -> None:
    """Records without end that hold nothing but the beginning of a long handshake message."""
    connection.receive()
    while True:
        connection.send((b"\x16\x03\x03\x40\x00" + b"\x02\xff\xff\xff" + bytes(16380)) * 4)


def say_nothing(connection: Connection, context: ssl.SSLContext) -> None:
    """Take what comes."""
    connection.wait_until_left()


def answer_in_clear(connection: Connection, context: ssl.SSLContext) -> None:
    """Plain HTTP where TLS was asked for."""
    connection.receive()
    connection.send(ANSWER)
    connection.wait_until_left()


def answer_at_once_in_clear(connection: Connection, context: ssl.SSLContext) -> None:
    """Plain HTTP before anything was asked."""
    connection.send(ANSWER)
    connection.wait_until_left()


def end_within_the_handshake(connection: Connection, context: ssl.SSLContext) -> None:
    """A part of a record, and the end."""
    connection.receive()
    connection.send(b"\x16\x03\x03\x40\x00\x02")
    raise LeftError


def reset_within_the_handshake(connection: Connection, context: ssl.SSLContext) -> None:
    """A RST for an answer."""
    connection.receive()
    connection.reset()
    raise LeftError


def flood_hello_requests(connection: Connection, context: ssl.SSLContext) -> None:
    """HelloRequests in the place of an answer to the ClientHello; it needs no key."""
    connection.receive()
    while True:
        connection.send(HELLO_REQUEST * 4096)


def drip_hello_requests(connection: Connection, context: ssl.SSLContext) -> None:
    """The same, one by one."""
    connection.receive()
    while True:
        connection.send(HELLO_REQUEST)
        connection.pause(PAUSE)


def flood_tickets(connection: Connection, context: ssl.SSLContext) -> None:
    """A handshake as it should be, and then session tickets, many in each record."""
    seal = Sealer(Shaken(connection, context).secret)
    while True:
        connection.send(seal(TICKET * 900))


def flood_key_updates(connection: Connection, context: ssl.SSLContext) -> None:
    """A handshake as it should be, and then key updates that want to be answered: RFC 8446 §4.6.3."""
    secret = Shaken(connection, context).secret
    while True:
        connection.send(Sealer(secret)(b"\x18\x00\x00\x01\x01"))
        secret = expanded(secret, b"traffic upd", 48)


class Shaken:
    """A handshake as it should be, after which our records are made by hand.

    Attributes:
        secret: what they are sealed with.
    """

    def __init__(self, connection: Connection, context: ssl.SSLContext) -> None:
        context.num_tickets = 0  # they would be the first records
        self._connection = connection
        self._incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        with tempfile.NamedTemporaryFile("r") as keys:
            context.keylog_filename = keys.name
            self._tls = context.wrap_bio(self._incoming, outgoing, server_side=True)
            shaking = True
            while shaking:
                with suppress(ssl.SSLWantReadError):
                    self._tls.do_handshake()
                    shaking = False
                connection.send(outgoing.read())
                if shaking:
                    self._incoming.write(connection.receive())
            self.secret = bytes.fromhex(keys.read().partition("SERVER_TRAFFIC_SECRET_0 ")[2].split()[1])

    def receive(self) -> bytes:
        """What the client says."""
        while True:
            try:
                return self._tls.read(1 << 16)
            except ssl.SSLWantReadError:
                self._incoming.write(self._connection.receive())


HANDSHAKE: Final = b"\x16"  # RFC 8446 §5.1
DATA: Final = b"\x17"


class Sealer:
    """Makes records of TLS_AES_256_GCM_SHA384, of handshake messages or of data: RFC 8446 §5.2 and §5.3."""

    def __init__(self, secret: bytes) -> None:
        self._cipher = AESGCM(expanded(secret, b"key", 32))
        self._iv = int.from_bytes(expanded(secret, b"iv", 12))
        self._number = 0

    def __call__(self, content: bytes, kind: bytes = HANDSHAKE) -> bytes:
        header = b"\x17\x03\x03" + struct.pack(">H", len(content) + 17)
        nonce = (self._iv ^ self._number).to_bytes(12)
        self._number += 1
        return header + self._cipher.encrypt(nonce, content + kind, header)


def expanded(secret: bytes, label: bytes, length: int) -> bytes:
    """HKDF-Expand-Label without a context: RFC 8446 §7.1."""
    full = b"tls13 " + label
    return HKDFExpand(SHA384(), length, struct.pack(">HB", length, len(full)) + full + b"\0").derive(secret)
