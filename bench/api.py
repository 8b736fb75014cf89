"""A stand-in for the API that costs next to nothing: `python -m bench.api PORT DELAY_SECONDS [CERTIFICATE]`."""

import asyncio
import json
import ssl
import sys
from typing import Final

BODY: Final = json.dumps({"backup_id": "1fe4feaab48f11e6654hfa163eba87e4b66", "backup_name": "backup-f3c1"}).encode()


class _Connection(asyncio.Protocol):
    def __init__(self, delay: float, *, closes: bool) -> None:
        self._delay, self._closes = delay, closes
        self._received = b""
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(BODY)}\r\n"
        self._answer = (head + ("Connection: close\r\n" if closes else "") + "\r\n").encode() + BODY

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while b"\r\n\r\n" in self._received:  # a DELETE has no body
            _, _, self._received = self._received.partition(b"\r\n\r\n")
            if self._delay:
                asyncio.get_running_loop().call_later(self._delay, self._send)
            else:
                self._send()

    def _send(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(self._answer)
            if self._closes:
                self._transport.close()


async def serve(port: int, delay: float, certificate: str | None) -> None:
    """Answer every request after a delay; over TLS, each on a connection of its own."""
    tls = None
    if certificate:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: _Connection(delay, closes=tls is not None), "127.0.0.1", port, ssl=tls, backlog=1024
    )
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3] if sys.argv[3:] else None))
