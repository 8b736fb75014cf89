"""One exchange, whole, before its deadline: the only module that opens a socket.

`requests` times out per read, so a server that drips is never late. Here an answer is read at once, and each read is
given what the reads before it left of the time-out.
"""

import http.client
import io
import logging
import ssl
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH, get_environ_proxies, select_proxy
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from .delivery import Call, Delivery
from .errors import ApiUnavailableError, ConfigError
from .exchange import Answer, Request, is_loopback
from .http1 import NoAnswerError, read_answer

MAX_ANSWER_BYTES: Final = 1 << 20  # with status lines, headers, chunk sizes, trailers and 1xx answers
MAX_IDLE_SECONDS: Final = 5.0  # a NAT drops idle connections silently; urllib3 notices only a clean close


class _Shrinking(io.RawIOBase):
    """A socket's raw reader whose reads share one size and one time-out, the one in force when it was made.

    When it is `spent` it reads no more.
    """

    spent = False

    def __init__(self, raw: io.RawIOBase, sock: Any) -> None:
        self._raw, self._sock = raw, sock
        self._end = time.monotonic() + sock.gettimeout()
        self._size_left = MAX_ANSWER_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self.spent:
            return 0
        if (left := self._end - time.monotonic()) <= 0:
            raise TimeoutError
        self._sock.settimeout(left)
        count = self._raw.readinto(buffer) or 0
        self._size_left -= count
        if self._size_left < 0:
            raise NoAnswerError("too large")
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    """What http.client and urllib3 take for the head of an answer; the answer is whole by then."""

    version_string, length_remaining = "HTTP/1", 0  # urllib3 logs them

    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self._raw, self._sock = _Shrinking(self.fp.detach(), sock), sock
        self.fp = io.BufferedReader(self._raw)

    def begin(self) -> None:
        """Read the answer; what comes behind it, the next answer must not begin with."""
        self.answer, follows = read_answer(self.fp)
        self.status, self.headers = self.answer.status, self.answer.headers  # type: ignore[assignment]
        self._raw.spent = True
        behind = self.fp.peek() or getattr(self._sock, "pending", int)()  # TLS may hold what it decrypted
        self.will_close = bool(behind) or not follows
        self.close()


class _Connection(HTTPConnection):
    """A connection that speaks as http.client does: urllib3 adds chunked bodies, default headers and its own answer."""

    response_class = _Response
    _used = 0.0

    def request(self, method: str, url: str, body: Any = None, headers: Any = None, **options: Any) -> None:
        if self.sock is not None:
            self.sock.settimeout(self.timeout)
        self.putrequest(method, url, skip_host="Host" in headers, skip_accept_encoding=True)
        for name, value in headers.items():
            http.client.HTTPConnection.putheader(self, name, value)
        self.endheaders(body)

    def getresponse(self) -> Any:
        self._used = time.monotonic()
        self.sock.settimeout(self.timeout)
        return http.client.HTTPConnection.getresponse(self)

    @property
    def is_connected(self) -> bool:
        """Whether it can be used again."""
        return time.monotonic() - self._used < MAX_IDLE_SECONDS and super().is_connected


class _TlsConnection(_Connection, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    """A pool that has a connection back with the answer, which is whole."""

    ConnectionCls = _Connection

    def urlopen(self, *args: Any, **kwargs: Any) -> Any:
        return super().urlopen(*args, **(kwargs | {"release_conn": True}))


class _TlsPool(_Pool, HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class _Time(Timeout):
    """The time for one exchange; urllib3 would have it begin anew behind a CONNECT."""

    def __init__(self, left: float) -> None:
        super().__init__(connect=left / 4, total=left)  # four dead addresses of one name still fit
        super().start_connect()

    def clone(self) -> Timeout:
        return self

    def start_connect(self) -> float:
        return 0.0


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

    def request_url(self, request: Any, proxies: Any) -> str:
        """Where there is no proxy there is nothing to look up."""
        return super().request_url(request, proxies) if proxies else request.path_url

    def build_response(self, req: Any, resp: Any) -> Any:
        """Our answer, which http.client shall not keep: `requests` would make of it what we do not need."""
        answer, resp.answer = resp.answer, None
        return answer

    def _use_our_pools(self, manager: PoolManager) -> None:
        manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}


class Transport:
    """Exchanges requests for answers with a few origins.

    Args:
        origins: the URLs of all hosts that will be asked; their proxies are looked up once, here.
        pool_size: how many connections to a host are kept: as many as there are threads.
        ca_bundle: a file or directory of trusted certificates; None for those of `requests`.

    Raises:
        ConfigError: a proxy speaks TLS.
    """

    def __init__(self, origins: Collection[str], *, pool_size: int, ca_bundle: str | None = None) -> None:
        self._proxies = {
            urlsplit(origin).netloc: {} if is_loopback(origin) else get_environ_proxies(origin) for origin in origins
        }
        proxies = [select_proxy(origin, self._proxies[urlsplit(origin).netloc]) or "" for origin in origins]
        if any(proxy.lower().startswith("https:") for proxy in proxies):
            raise ConfigError(
                "HTTPS_PROXY and the like must begin with http://: TLS within TLS cannot be given a deadline"
            )
        logging.getLogger("urllib3").setLevel(logging.ERROR)  # URLs as it writes them hide secrets from our log
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
            answer: Answer = self._adapter.send(  # type: ignore[assignment]  # build_response has made it one
                _prepared(request),
                timeout=_Time(left),  # type: ignore[arg-type]  # documented to do
                proxies=self._proxies[urlsplit(request.url).netloc],
            )
            status = answer.status
            return answer
        except (OSError, HTTPError, ValueError) as error:  # requests' are OSErrors
            # `from None`: header values are printed in the messages.
            raise ApiUnavailableError(
                "NO_ANSWER", f"no answer to {request.method} {request.url}: {_cause(error)}"
            ) from None
        finally:
            delivery.calls.append(Call(request.method, request.url, status, time.monotonic() - began))


def _prepared(request: Request) -> requests.PreparedRequest:
    """By hand: a Session would bring cookies, redirects and .netrc, and cost twice the time."""
    prepared = requests.PreparedRequest()
    prepared.method, prepared.url, prepared.body = request.method, request.url, request.body
    length = {} if request.body is None else {"Content-Length": str(len(request.body))}
    headers = {"User-Agent": "backup-reaper", "Accept-Encoding": "identity", **request.headers, **length}
    prepared.headers = headers  # type: ignore[assignment]  # nobody asks for them in another case
    return prepared


def _tls_context(ca_bundle: str) -> ssl.SSLContext:
    if Path(ca_bundle).is_dir():
        context = ssl.create_default_context(capath=ca_bundle)
    else:
        context = ssl.create_default_context(cafile=ca_bundle)
    context.hostname_checks_common_name = False  # RFC 9110 §4.3.4
    return context


def _cause(error: BaseException) -> str:
    """The name of the innermost exception, as its text could hold a secret; ours cannot."""
    if isinstance(error, NoAnswerError):
        return str(error)
    inner = getattr(error, "reason", None) or error.__cause__ or error.__context__ or (error.args or (None,))[0]
    return _cause(inner) if isinstance(inner, BaseException) else type(error).__name__
