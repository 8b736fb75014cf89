"""One exchange, whole, before its deadline: a `requests` transport adapter on plain sockets.

It is our own because this is where the promises about time, size and what counts as an answer are kept. The adapter of
`requests` limits the time of each read, so a server that drips is never late for it.
"""

import io
import os
import socket
import ssl
import threading
import time
from collections.abc import Collection, Mapping
from functools import partial
from typing import Any, Final
from urllib.parse import quote, urlsplit

import requests
from requests.adapters import BaseAdapter
from requests.exceptions import InvalidURL, ProxyError
from requests.structures import CaseInsensitiveDict

from .connection import Connection, TlsConnection, connect
from .delivery import Call, Delivery
from .errors import ApiDeniedError, ApiUnavailableError
from .exchange import Answer, Request
from .http1 import NoAnswerError, read_answer, read_head, write_head
from .proxies import Proxy, find_proxy
from .trust import tls_context
from .version import VERSION

_SAFE_IN_A_TARGET: Final = "!#$%&'()*+,/:;=?@[]~"  # RFC 3986 §2; a sink's URL may hold more


class NotSentError(requests.ConnectionError):
    """Nothing of the request was sent; the message says why, and holds no secret."""


class ProxyDeniedError(NoAnswerError):
    """The proxy wants another user or password."""


class Route:
    """The way to one origin, and the connections that are kept.

    Args:
        url: of the origin; only scheme, host and port count.
        context: for an https origin.
        pool_size: how many connections are kept.
    """

    def __init__(self, url: str, *, context: ssl.SSLContext | None, proxy: Proxy | None, pool_size: int) -> None:
        parts = urlsplit(url)
        self.netloc = parts.netloc
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self._host, self._port = parts.hostname or "", parts.port or (443 if context else 80)
        self._context, self._proxy, self._pool_size = context, proxy, pool_size
        self._lock = threading.Lock()
        self._kept: list[Connection] = []

    @property
    def forwarder(self) -> Proxy | None:
        """The proxy that reads our requests and forwards them; it cannot read what goes through its tunnel."""
        return None if self._context else self._proxy

    def take(self, until: float) -> Connection:
        """A kept connection, or a new one.

        Raises:
            ProxyError: the proxy wants another user or password.
            NotSentError: any other failure to connect.
        """
        while connection := self._take_kept():
            if connection.is_usable():
                return connection
            connection.close()
        try:
            return self._open(until)
        except (OSError, ValueError) as error:
            kind = ProxyError if isinstance(error, ProxyDeniedError) else NotSentError
            through = f" through the proxy {self._proxy.host}:{self._proxy.port}" if self._proxy else ""
            raise kind(f"could not connect to {self.origin}{through}: {plain(error)}") from None

    def keep(self, connection: Connection) -> None:
        """Take a connection back for the next exchange; the oldest are closed if they are too many, or not needed."""
        with self._lock:
            self._kept.append(connection)
            while self._kept and (len(self._kept) > self._pool_size or self._kept[0].is_stale()):
                self._kept.pop(0).close()

    def close(self) -> None:
        """Close the connections that are kept."""
        while connection := self._take_kept():
            connection.close()

    def _take_kept(self) -> Connection | None:
        with self._lock:
            return self._kept.pop() if self._kept else None

    def _open(self, until: float) -> Connection:
        host, port = (self._proxy.host, self._proxy.port) if self._proxy else (self._host, self._port)
        sock = connect(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM), until)
        try:
            if not self._context:
                return Connection(sock, until)
            if self._proxy:
                self._tunnel(Connection(sock, until), self._proxy)
            return TlsConnection(sock, until, self._context, self._host.rstrip("."))  # no certificate has the dot
        except BaseException:
            sock.close()
            raise

    def _tunnel(self, connection: Connection, proxy: Proxy) -> None:
        """Have the proxy connect us with the origin: RFC 9110 §9.3.6."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        connection.send(
            write_head("CONNECT", f"{host}:{self._port}", {"Host": f"{host}:{self._port}", **proxy.headers()})
        )
        (status, _), more = connection.read(read_head)
        if status == 407:
            raise ProxyDeniedError(f"it answered CONNECT with 407: correct the user and password in {proxy.variable}")
        if not 200 <= status < 300 or more:
            raise NoAnswerError(f"it answered CONNECT with {status}{' and more than a head' if more else ''}")


class Transport(BaseAdapter):
    """A transport adapter of `requests` for a few origins; it asks nobody else.

    Args:
        origins: the URLs of all hosts that will be asked.
        pool_size: how many connections to a host are kept: as many as there are threads.
        ca_bundle: a file or directory of trusted certificates; None for those of `requests`.
        extra_certificates: PEM texts by URL: certificates that are trusted for this origin besides.
        environment: where the proxies are looked up, once, here.

    Raises:
        ConfigError: certificates that cannot be read, or a proxy that can never work.
    """

    def __init__(
        self,
        origins: Collection[str],
        *,
        pool_size: int,
        ca_bundle: str | None = None,
        extra_certificates: Mapping[str, str] | None = None,
        environment: Mapping[str, str] = os.environ,  # noqa: TID251  # where all programs find their proxies
    ) -> None:
        super().__init__()
        shared = tls_context(ca_bundle) if any(origin.startswith("https:") for origin in origins) else None
        extra = {_origin(url): tls_context(ca_bundle, pem) for url, pem in (extra_certificates or {}).items()}
        self._routes = {
            _origin(url): Route(
                url,
                context=extra.get(_origin(url), shared) if url.startswith("https:") else None,
                proxy=find_proxy(url, environment),
                pool_size=pool_size,
            )
            for url in origins
        }

    def exchange(self, request: Request, delivery: Delivery) -> Answer:
        """Send a request and read the whole answer; redirects are answers.

        Raises:
            ApiDeniedError: the proxy wants another user or password.
            ApiUnavailableError: no answer, or none that is whole, of bounded size and in time.
        """
        began = time.monotonic()
        try:
            response = self.send(_prepared(request), timeout=delivery.until - began)
        except ProxyError as error:
            raise ApiDeniedError("PROXY_REFUSED", str(error), sent=False) from None
        except NotSentError as error:
            raise ApiUnavailableError("NO_ANSWER", str(error), sent=False) from None
        except requests.ConnectionError as error:
            delivery.calls.append(_call(request, 0, began))
            raise ApiUnavailableError("NO_ANSWER", str(error)) from None
        delivery.calls.append(_call(request, response.status_code, began))
        return Answer(response.status_code, dict(response.headers.lower_items()), response.content)

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> requests.Response:
        """What `requests` asks of an adapter; a redirect is an answer.

        Args:
            timeout: the seconds for the whole exchange, name resolution excepted.
            verify: certificates are always verified; it changes nothing, nor do `cert` and `proxies`.

        Raises:
            ProxyError: the proxy wants another user or password.
            NotSentError: there was no connection, or no time.
            requests.ConnectionError: no answer, or none that is whole, of bounded size and in time.
        """
        if (route := self._routes.get(_origin(request.url or ""))) is None:
            raise InvalidURL("this transport was not made for that origin")
        if timeout <= 0:
            raise NotSentError(f"nothing was sent to {route.origin}: no time was left")
        until = time.monotonic() + timeout
        try:
            data = _written(request, route)
        except ValueError as error:
            raise NotSentError(f"nothing was sent to {route.origin}: {error}") from None
        connection, reusable = route.take(until), False
        try:
            connection.begin(until)
            connection.send(data)
            (answer, follows), more = connection.read(partial(read_answer, to_head=request.method == "HEAD"))
            reusable = follows and not more
        except (OSError, NoAnswerError) as error:
            raise requests.ConnectionError(
                f"no answer to {request.method} from {route.origin}: {plain(error)}"
            ) from None
        finally:
            if reusable:
                route.keep(connection)
            else:
                connection.close()
        return _response(request, answer)

    def close(self) -> None:
        """Close the connections that are kept."""
        for route in self._routes.values():
            route.close()


def plain(error: OSError | ValueError) -> str:
    """What went wrong, in words that hold no secret: the text of a library's exception can hold anything."""
    match error:
        case NoAnswerError():
            return str(error)
        case ssl.SSLCertVerificationError():
            return f"the certificate is refused: {error.verify_message}"
        case ssl.SSLError():
            reason: str = getattr(error, "reason", None) or type(error).__name__  # not every one has it
            return f"TLS failed: {reason.replace('_', ' ').lower()}"
        case socket.gaierror() | ValueError():  # a name that is none is a ValueError
            return "the host name does not resolve"
        case TimeoutError():
            return "timed out"
    return (error.strerror or type(error).__name__).lower()


def _prepared(request: Request) -> requests.PreparedRequest:
    """By hand: a Session would bring cookies, redirects and .netrc, and cost twice the time."""
    prepared = requests.PreparedRequest()
    prepared.method, prepared.url, prepared.body = request.method, request.url, request.body
    length = {} if request.body is None else {"Content-Length": str(len(request.body))}
    headers = {"User-Agent": f"backup-reaper/{VERSION}", "Accept-Encoding": "identity", **request.headers, **length}
    prepared.headers = CaseInsensitiveDict(headers)
    return prepared


def _written(request: requests.PreparedRequest, route: Route) -> bytes:
    """A request as it goes over the wire."""
    target = quote(request.path_url, safe=_SAFE_IN_A_TARGET)
    headers = {} if "Host" in request.headers else {"Host": route.netloc}
    if proxy := route.forwarder:
        target = f"{route.origin}{target}"  # RFC 9112 §3.2.2
        headers |= proxy.headers()
    headers |= dict(request.headers.items())
    body = request.body or b""
    return write_head(request.method or "", target, headers) + (body.encode() if isinstance(body, str) else body)


def _response(request: requests.PreparedRequest, answer: Answer) -> requests.Response:
    response = requests.Response()
    response.status_code, response.headers = answer.status, CaseInsensitiveDict(answer.headers)
    response.raw, response.request, response.url = io.BytesIO(answer.body), request, request.url or ""
    return response


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def _call(request: Request, status: int, began: float) -> Call:
    return Call(request.method, request.url, status, time.monotonic() - began)
