"""One exchange, whole, before its deadline: the only module that opens a socket.

`requests` times out per read, so a server that drips is never late. Here a raw reader under `http.client` gives each
read what the reads before it left of the time-out; status line, headers, chunks and trailers all pass through it.
"""

import http.client
import io
import logging
import re
import socket
import ssl
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from requests.utils import DEFAULT_CA_BUNDLE_PATH, get_environ_proxies
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from .delivery import Call, Delivery
from .errors import ApiUnavailableError
from .exchange import Answer, Request, is_loopback

MAX_ANSWER_BYTES: Final = 1 << 19  # as JSON in memory it can grow thirtyfold
MAX_WIRE_BYTES: Final = 1 << 20  # the same with status lines, headers, chunk sizes, trailers and 1xx answers
MAX_IDLE_SECONDS: Final = 5.0  # a NAT drops idle connections silently; urllib3 notices only a clean close


class _Shrinking(io.RawIOBase):
    """A socket's raw reader whose reads share one size and one time-out, the one in force when it was made.

    When it is `spent` it reads no more. It has `ended` when the peer has.
    """

    spent = False
    ended = False

    def __init__(self, raw: io.RawIOBase, sock: Any) -> None:
        self._raw, self._sock = raw, sock
        self._end = time.monotonic() + sock.gettimeout()
        self._size_left = MAX_WIRE_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self.spent:
            return 0
        if (left := self._end - time.monotonic()) <= 0:
            raise TimeoutError
        self._sock.settimeout(left)
        count = self._raw.readinto(buffer) or 0
        self.ended = not count
        self._size_left -= count
        if self._size_left < 0:
            raise http.client.HTTPException("too large")
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Reader(io.BufferedReader):
    """Closes the connection with itself if there is more than was asked for: the next answer must not begin with it."""

    def __init__(self, raw: _Shrinking, sock: Any) -> None:
        super().__init__(raw)
        self._shrinking, self._sock = raw, sock

    def close(self) -> None:
        self._shrinking.spent = True
        if not self.closed and (self.peek() or getattr(self._sock, "pending", int)()):  # TLS may hold what it decrypted
            with suppress(OSError):  # the peer was faster
                self._sock.shutdown(socket.SHUT_RDWR)
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self._raw = _Shrinking(self.fp.detach(), sock)
        self.fp = _Reader(self._raw, sock)

    def begin(self) -> None:
        """Read the head of the final answer, and refuse what http.client would take for one."""
        super().begin()
        while 101 < self.status < 200:  # RFC 9110 §15.2: http.client skips 100 alone
            self.headers = self.msg = None  # type: ignore[assignment]  # as it was before
            super().begin()
        if self.status == 101 or self._raw.ended:  # RFC 9112 §8: http.client takes the end for that of the headers
            raise http.client.HTTPException("no answer in HTTP")
        for length in self.headers.get_all("Content-Length", []):  # RFC 9112 §6.3; urllib3 sees those that differ
            if not re.fullmatch(r"[0-9]{1,9}([ \t]*,[ \t]*[0-9]{1,9})*", length.strip()):
                raise http.client.HTTPException("no length")
        del self.headers["Set-Cookie"], self.headers["Set-Cookie2"]  # requests would parse them, and warn of its bugs


class _Fresh:
    """A connection that counts as dropped once it has been idle for long."""

    response_class: type[Any] = _Response
    _used = 0.0

    def getresponse(self) -> Any:
        self._used = time.monotonic()
        return super().getresponse()  # type: ignore[misc]  # a mix-in for urllib3's connections

    @property
    def is_connected(self) -> bool:
        return time.monotonic() - self._used < MAX_IDLE_SECONDS and super().is_connected  # type: ignore[misc]


class _Connection(_Fresh, HTTPConnection):
    pass


class _TlsConnection(_Fresh, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class _Adapter(HTTPAdapter):
    """Connections with one deadline and one TLS context, which alone decides whom to trust."""

    def __init__(self, tls: ssl.SSLContext | None, pool_size: int) -> None:
        self._tls = tls
        self._pools: dict[tuple[str, str], Any] = {}
        super().__init__(pool_maxsize=pool_size)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._tls, **kwargs)
        self._use_our_pools(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, ssl_context=self._tls, **kwargs)
        self._use_our_pools(manager)
        return manager

    def get_connection_with_tls_context(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """The origin's pool, found by the origin alone: our origins are few, and their settings never change."""
        url = urlsplit(request.url)
        origin = (url.scheme, url.netloc)
        if origin not in self._pools:
            self._pools[origin] = super().get_connection_with_tls_context(request, *args, **kwargs)
        return self._pools[origin]

    def cert_verify(self, *args: Any) -> None:
        """Nothing: `requests` would load the CA bundle anew for every connection."""

    def _use_our_pools(self, manager: PoolManager) -> None:
        manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}


class Transport:
    """Exchanges requests for answers with a few origins.

    Args:
        origins: the URLs of all hosts that will be asked; their proxies are looked up once, here.
        pool_size: how many connections to a host are kept: as many as there are threads.
        ca_bundle: a file or directory of trusted certificates; None for those of `requests`.
    """

    def __init__(self, origins: Collection[str], *, pool_size: int, ca_bundle: str | None = None) -> None:
        self._proxies = {
            urlsplit(origin).netloc: {} if is_loopback(origin) else get_environ_proxies(origin) for origin in origins
        }
        logging.getLogger("urllib3").setLevel(logging.ERROR)  # its warnings show headers
        uses_tls = any(origin.startswith("https:") for origin in origins)
        tls = _tls_context(ca_bundle or DEFAULT_CA_BUNDLE_PATH) if uses_tls else None
        self._adapter = _Adapter(tls, pool_size)

    def exchange(self, request: Request, delivery: Delivery) -> Answer:
        """Send a request and read the whole answer; redirects are answers.

        Raises:
            ApiUnavailableError: no answer, or none that is whole, of bounded size and in time.
        """
        began, status = time.monotonic(), 0
        try:
            if (left := delivery.until - began) <= 0:
                raise TimeoutError
            answer = self._answer(request, left)
            status = answer.status
        except (requests.RequestException, HTTPError, http.client.HTTPException, OSError, ValueError) as error:
            # ValueError: a negative chunk size. `from None`: header values are printed in the messages.
            raise ApiUnavailableError(
                "NO_ANSWER", f"no answer to {request.method} {request.url}: {_cause(error)}"
            ) from None
        finally:
            delivery.calls.append(Call(request.method, request.url, status, time.monotonic() - began))
        return answer

    def _answer(self, request: Request, left: float) -> Answer:
        response = self._adapter.send(
            _prepared(request),
            stream=True,
            # Four dead addresses of one name still fit.
            timeout=Timeout(connect=left / 4, total=left),  # type: ignore[arg-type]  # a Timeout is documented to do
            proxies=self._proxies[urlsplit(request.url).netloc],
        )
        try:
            body = bytearray()
            for chunk in response.iter_content(1 << 16):
                body += chunk
                if len(body) > MAX_ANSWER_BYTES:
                    raise http.client.HTTPException("too large")
            return Answer(response.status_code, _lower(response.headers), bytes(body))
        finally:
            response.close()


def _prepared(request: Request) -> requests.PreparedRequest:
    """By hand: a Session would bring cookies, redirects and .netrc, and cost twice the time."""
    prepared = requests.PreparedRequest()
    prepared.method, prepared.url, prepared.body = request.method, request.url, request.body
    # identity: whatever comes compressed all the same is not unpacked beyond its bound.
    prepared.headers = CaseInsensitiveDict({"User-Agent": "backup-reaper", "Accept-Encoding": "identity"})
    prepared.headers.update(request.headers)
    if request.body is not None:
        prepared.headers["Content-Length"] = str(len(request.body))
    return prepared


def _tls_context(ca_bundle: str) -> ssl.SSLContext:
    if Path(ca_bundle).is_dir():
        context = ssl.create_default_context(capath=ca_bundle)
    else:
        context = ssl.create_default_context(cafile=ca_bundle)
    context.hostname_checks_common_name = False  # RFC 9110 §4.3.4
    return context


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _cause(error: BaseException) -> str:
    """The name of the innermost exception: its text could hold a secret."""
    inner = getattr(error, "reason", None) or error.__cause__ or error.__context__ or (error.args or (None,))[0]
    return _cause(inner) if isinstance(inner, BaseException) else type(error).__name__
