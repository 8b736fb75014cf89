"""The transport in this process, seen from the other end of its connections."""

import gc
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest
import requests

from function.connection import MAX_ANSWER_BYTES, MAX_IDLE_SECONDS, TlsConnection, connect
from function.delivery import Delivery
from function.errors import ApiDeniedError, ApiUnavailableError, NotFinalError
from function.exchange import Answer, Request
from function.transport import Transport, plain
from function.trust import tls_context
from tests.doubles import handshakes
from tests.doubles.certificates import Authority
from tests.doubles.handshakes import shake_hands
from tests.doubles.listening import Connection, LeftError, Listener
from tests.doubles.proxy import Proxy

ACCEPTED: Final = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
CLOSING: Final = ACCEPTED.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
FILLING: Final = ACCEPTED.replace(b"Accepted", b"x" * (8192 - len(ACCEPTED) + len(b"Accepted")))  # a reader's buffer
HINT: Final = b"HTTP/1.1 103 Early Hints\r\n\r\n"
SHORT, PAUSE, LONG = 0.4, 0.8, 20.0
DEADLINE, SLACK = 1.0, 1.0
BODY: Final = bytes(16 << 20)  # more than any buffer between us takes
SECRET: Final = "5ecret"

Serve = Callable[[Connection], None]
Open = Callable[..., Transport]


def delivery(seconds: float) -> Delivery:
    return Delivery(now=datetime.now(UTC), until=time.monotonic() + seconds)


def ask(transport: Transport, url: str, seconds: float = LONG, body: bytes | None = None) -> Answer:
    return transport.exchange(Request("POST", url, {"X-Auth-Token": SECRET}, body), delivery(seconds))


@pytest.fixture
def opened() -> Iterator[Open]:
    """Makes transports, and closes them."""
    with ExitStack() as stack:

        def open_one(
            url: str,
            *,
            pool_size: int = 1,
            ca_bundle: Path | None = None,
            environment: Mapping[str, str] | None = None,
            **options: Mapping[str, str],
        ) -> Transport:
            bundle = str(ca_bundle) if ca_bundle else None
            transport = Transport(
                [url], pool_size=pool_size, ca_bundle=bundle, environment=environment or {}, **options
            )
            stack.callback(transport.close)
            return transport

        yield open_one


@pytest.fixture
def served() -> Iterator[Callable[[Serve], Listener]]:
    """Serves connections on a port of its own."""
    with ExitStack() as stack:
        yield lambda serve: stack.enter_context(Listener(serve))


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"), "authority")


def accept(connection: Connection) -> None:
    """Take requests, and say so."""
    while True:
        connection.receive_head()
        connection.send(ACCEPTED)


def over_tls(vouching: Authority | Path, serve: Serve = accept, *, shake: handshakes.Shake = shake_hands) -> Serve:
    """The same over TLS, with a certificate or one that an authority issues."""
    certificate = vouching.issue("127.0.0.1") if isinstance(vouching, Authority) else vouching

    def converse(connection: Connection) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        shake(connection, context)
        serve(connection)

    return converse


def plain_url(listener: Listener) -> str:
    return f"http://127.0.0.1:{listener.port}"


def tls_url(listener: Listener) -> str:
    return f"https://127.0.0.1:{listener.port}"


Served = Callable[[Serve], Listener]


class TestAConnection:
    def test_that_is_kept_has_its_own_time_for_the_next_request(self, opened: Open, served: Served) -> None:
        def take_slowly(connection: Connection) -> None:
            connection.receive_head()
            connection.send(ACCEPTED)
            connection.pause(PAUSE)
            while len(connection.received) < len(BODY):
                connection.receive()
            connection.send(ACCEPTED)
            connection.wait_until_left()

        listener = served(take_slowly)
        url = plain_url(listener)
        transport = opened(url)

        statuses = [ask(transport, url, seconds, body).status for body, seconds in ((b"", SHORT), (BODY, LONG))]

        assert statuses == [202, 202]
        assert len(listener.connections) == 1

    def test_that_is_kept_does_not_keep_the_answer(self, opened: Open, served: Served) -> None:
        """IAM's answer has a token in it."""

        def answer(connection: Connection) -> None:
            connection.receive_head()
            connection.send(b"HTTP/1.1 201 Created\r\nX-Subject-Token: 5ecret\r\nContent-Length: 0\r\n\r\n")
            connection.wait_until_left()

        url = plain_url(served(answer))

        assert ask(opened(url), url).headers["x-subject-token"] == SECRET

        assert not [kept for kept in gc.get_objects() if isinstance(kept, Answer) and SECRET in kept.headers.values()]

    @pytest.mark.parametrize("scheme", ["http", "https"])
    @pytest.mark.parametrize(("pool_size", "connections"), [(1, 5), (2, 4), (3, 3)])
    def test_is_kept_if_there_are_not_as_many_as_the_pool_takes(
        self, opened: Open, served: Served, authority: Authority, scheme: str, pool_size: int, connections: int
    ) -> None:
        """Three requests at once, and three at once again."""
        together = threading.Barrier(3)

        def accept_together(connection: Connection) -> None:
            while True:
                connection.receive_head()
                together.wait(10)
                connection.send(ACCEPTED)

        listener = served(over_tls(authority, accept_together) if scheme == "https" else accept_together)
        url = f"{scheme}://127.0.0.1:{listener.port}"
        transport = opened(url, pool_size=pool_size, ca_bundle=authority.bundle)

        with ThreadPoolExecutor(3) as pool:
            for _ in range(2):
                assert [answer.status for answer in pool.map(lambda _: ask(transport, url), range(3))] == [202] * 3

        assert len(listener.connections) == connections

    @pytest.mark.parametrize("scheme", ["http", "https"])
    @pytest.mark.parametrize(
        ("pieces", "kept"),
        [
            ((ACCEPTED,), True),
            ((ACCEPTED + ACCEPTED,), False),
            ((ACCEPTED, ACCEPTED), False),
            ((FILLING + ACCEPTED,), False),
            ((FILLING, ACCEPTED), False),
            ((CLOSING,), False),
        ],
        ids=[
            "nothing",
            "another answer in one piece",
            "another answer",
            "another one where a buffer ends",
            "another one in one piece where a buffer ends",
            "a last answer",
        ],
    )
    def test_is_kept_if_nothing_is_behind_the_answer(
        self, opened: Open, served: Served, authority: Authority, scheme: str, pieces: tuple[bytes, ...], kept: bool
    ) -> None:
        """Over TLS each piece is a record; all are sent at once."""

        def answer(connection: Connection) -> None:
            while True:
                connection.receive()
                connection.send(b"".join(pieces))

        def answer_over_tls(connection: Connection, context: ssl.SSLContext) -> None:
            shaken = handshakes.Shaken(connection, context)
            seal = handshakes.Sealer(shaken.secret)
            while shaken.receive():
                connection.send(b"".join(seal(piece, handshakes.DATA) for piece in pieces))

        listener = served(over_tls(authority, shake=answer_over_tls) if scheme == "https" else answer)
        url = f"{scheme}://127.0.0.1:{listener.port}"
        transport = opened(url, ca_bundle=authority.bundle)

        assert [ask(transport, url).status for _ in range(3)] == [202] * 3

        assert len(listener.connections) == (1 if kept else 3)

    def test_that_nobody_has_needed_for_long_is_closed_while_others_are_used(
        self, opened: Open, served: Served
    ) -> None:
        """After a burst, a function that is asked now and then does not hold all of its connections."""
        together, ended = threading.Barrier(2), threading.Event()

        def answer(connection: Connection) -> None:
            connection.receive_head()
            together.wait(10)
            connection.send(ACCEPTED)
            try:
                accept(connection)
            finally:
                ended.set()

        listener = served(answer)
        url = plain_url(listener)
        transport = opened(url, pool_size=2)
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda _: ask(transport, url), range(2)))

        until = time.monotonic() + 2 * MAX_IDLE_SECONDS
        while not ended.wait(1) and time.monotonic() < until:
            ask(transport, url)

        assert ended.is_set()
        assert len(listener.connections) == 2

    @pytest.mark.parametrize(
        "interfere",
        [
            lambda connection: connection.send(ACCEPTED),
            lambda connection: connection.send(b"x"),
            lambda connection: connection.socket.shutdown(socket.SHUT_WR),
            Connection.reset,
        ],
        ids=["an answer", "a byte", "its end", "a reset"],
    )
    def test_over_which_something_comes_when_nothing_was_asked_is_not_used_again(
        self, opened: Open, served: Served, interfere: Serve
    ) -> None:
        answered, interfered = threading.Event(), threading.Event()

        def answer(connection: Connection) -> None:
            connection.receive_head()
            connection.send(ACCEPTED)
            if connection.number == 0:
                assert answered.wait(10)
                interfere(connection)
                interfered.set()
            connection.wait_until_left()

        listener = served(answer)
        url = plain_url(listener)
        transport = opened(url)
        ask(transport, url)
        answered.set()
        assert interfered.wait(10)

        assert ask(transport, url).status == 202

        assert len(listener.connections) == 2

    def test_over_which_an_answer_is_late_is_not_used_again(self, opened: Open, served: Served) -> None:
        """Else it would be taken for the answer to the next request."""

        def answer_late(connection: Connection) -> None:
            connection.receive_head()
            if connection.number == 0:
                connection.receive_head()
                connection.send(ACCEPTED.replace(b"202", b"200"))
            connection.send(ACCEPTED)
            connection.wait_until_left()

        listener = served(answer_late)
        url = plain_url(listener)
        transport = opened(url)
        with pytest.raises(ApiUnavailableError, match=r"timed out$"):
            ask(transport, url, SHORT)

        assert ask(transport, url).status == 202

        assert len(listener.connections) == 2

    def test_that_takes_nothing_is_left_by_the_deadline(self, opened: Open, served: Served) -> None:
        def take_nothing(connection: Connection) -> None:
            connection.pause(LONG)

        url = plain_url(served(take_nothing))
        began = time.monotonic()

        with pytest.raises(ApiUnavailableError, match=r"timed out$"):
            ask(opened(url), url, DEADLINE, BODY)

        assert time.monotonic() - began < DEADLINE + SLACK

    @pytest.mark.parametrize("scheme", ["http", "https"])
    def test_lets_no_more_than_a_megabyte_through(
        self, opened: Open, served: Served, authority: Authority, scheme: str
    ) -> None:
        """For each answer."""

        def flood(connection: Connection) -> None:
            connection.receive_head()
            connection.send(ACCEPTED)
            connection.receive_head()
            while True:
                connection.send(HINT * 1000)

        url = f"{scheme}://127.0.0.1:{served(over_tls(authority, flood) if scheme == 'https' else flood).port}"
        transport = opened(url, ca_bundle=authority.bundle)

        assert ask(transport, url).status == 202
        with pytest.raises(ApiUnavailableError, match=r"more than 1048576 bytes came$"):
            ask(transport, url)

    @pytest.mark.parametrize(("more", "whole"), [(0, True), (1, False)])
    def test_lets_a_megabyte_through(self, opened: Open, served: Served, more: int, whole: bool) -> None:
        hints, rest = divmod(MAX_ANSWER_BYTES - len(ACCEPTED) + more, len(HINT))
        answer = HINT * hints + ACCEPTED.replace(b"Accepted", b"Accepted" + b"x" * rest)
        assert len(answer) == MAX_ANSWER_BYTES + more

        def send(connection: Connection) -> None:
            connection.receive_head()
            connection.send(answer)
            connection.wait_until_left()

        url = plain_url(served(send))

        if whole:
            assert ask(opened(url), url).status == 202
        else:
            with pytest.raises(ApiUnavailableError, match=r"more than 1048576 bytes came$"):
                ask(opened(url), url)

    def test_is_closed_with_the_transport(self, opened: Open, served: Served) -> None:
        left = threading.Event()

        def wait(connection: Connection) -> None:
            try:
                accept(connection)
            finally:
                left.set()

        url = plain_url(served(wait))
        transport = opened(url)
        ask(transport, url)
        assert not left.is_set()

        transport.close()

        assert left.wait(10)

    def test_whose_peer_takes_its_time_with_tls_takes_it_from_the_answer_alone(
        self, opened: Open, served: Served, authority: Authority
    ) -> None:
        """A busy machine needs a while for a handshake; a fourth of the time is for each address, and not for that."""

        def shake_slowly(connection: Connection, context: ssl.SSLContext) -> None:
            connection.pause(0.5)
            shake_hands(connection, context)

        url = tls_url(served(over_tls(authority, shake=shake_slowly)))

        assert ask(opened(url, ca_bundle=authority.bundle), url, seconds=1.5).status == 202


class TestARequest:
    @pytest.fixture
    def sent(self, served: Served) -> Iterator[tuple[str, list[bytes]]]:
        """Where to send it, and what came."""
        heads: list[bytes] = []

        def note(connection: Connection) -> None:
            while True:
                heads.append(connection.receive())
                connection.send(ACCEPTED)

        yield f"127.0.0.1:{served(note).port}", heads

    @pytest.mark.parametrize(
        ("body", "length"), [(None, b""), (b"", b"Content-Length: 0\r\n"), (b"{}", b"Content-Length: 2\r\n")]
    )
    def test_goes_out_as_it_is(
        self, opened: Open, sent: tuple[str, list[bytes]], body: bytes | None, length: bytes
    ) -> None:
        host, heads = sent
        url = f"http://{host}"
        asked = delivery(LONG)

        answer = opened(url).exchange(Request("DELETE", f"{url}/v3/p?a=b", {"X-Auth-Token": SECRET}, body), asked)

        assert heads == [
            b"DELETE /v3/p?a=b HTTP/1.1\r\nHost: %b\r\nUser-Agent: backup-reaper/1.0.0\r\nAccept-Encoding: identity\r\n"
            b"X-Auth-Token: 5ecret\r\n%b\r\n%b" % (host.encode(), length, body or b"")
        ]
        assert answer == Answer(202, {"content-length": "0"}, b"")
        ((method, asked_url, status, seconds),) = [(c.method, c.url, c.status, c.seconds) for c in asked.calls]
        assert (method, asked_url, status) == ("DELETE", f"{url}/v3/p?a=b", 202)
        assert 0 < seconds < LONG

    def test_that_is_signed_keeps_the_host_and_the_other_headers_that_were_signed(
        self, opened: Open, sent: tuple[str, list[bytes]]
    ) -> None:
        host, heads = sent
        url = f"http://{host}"

        opened(url).exchange(Request("GET", url, {"host": "signed.example", "user-agent": "other"}), delivery(LONG))

        assert heads == [
            b"GET / HTTP/1.1\r\nuser-agent: other\r\nAccept-Encoding: identity\r\nhost: signed.example\r\n\r\n"
        ]

    def test_for_a_proxy_that_forwards_it_has_the_whole_url_and_the_proxy_s_password(
        self, opened: Open, sent: tuple[str, list[bytes]]
    ) -> None:
        """RFC 9112 §3.2.2. What a URL cannot hold is percent-encoded (RFC 3986 §2), and nothing else is changed."""
        host, heads = sent
        url = 'http://broker.example/a%2Fb;c=~?k=p"w^5&x=%E4'

        answer = opened(url, environment={"HTTP_PROXY": f"http://user:word@{host}"}).exchange(
            Request("GET", url, {}), delivery(LONG)
        )

        assert answer.status == 202
        assert heads == [
            b"GET http://broker.example/a%2Fb;c=~?k=p%22w%5E5&x=%E4 HTTP/1.1\r\nHost: broker.example\r\n"
            b"Proxy-Authorization: Basic dXNlcjp3b3Jk\r\nUser-Agent: backup-reaper/1.0.0\r\n"
            b"Accept-Encoding: identity\r\n\r\n"
        ]

    @pytest.mark.parametrize(
        ("host", "target"),
        [
            ("gaussdb.region.example", b"gaussdb.region.example:443"),
            ("gaussdb.region.example:8443", b"gaussdb.region.example:8443"),
            ("gaussdb.region.example.", b"gaussdb.region.example.:443"),
            ("[fd00::1]", b"[fd00::1]:443"),
        ],
    )
    def test_goes_through_a_tunnel_that_the_proxy_makes(
        self, opened: Open, served: Served, authority: Authority, host: str, target: bytes
    ) -> None:
        url = f"https://{host}"
        name = "fd00::1" if "[" in host else "gaussdb.region.example"
        upstream = served(over_tls(authority.issue(name)))
        proxy = Proxy(upstream.port)
        environment = {"HTTPS_PROXY": proxy.url.replace("//", "//user:word@")}
        transport = opened(url, ca_bundle=authority.bundle, environment=environment)

        with proxy.listener:
            assert [ask(transport, url).status for _ in range(2)] == [202, 202]
            transport.close()

        (connection,) = proxy.listener.connections
        assert connection.received.partition(b"\r\n\r\n")[0] == (
            b"CONNECT %b HTTP/1.1\r\nHost: %b\r\nProxy-Authorization: Basic dXNlcjp3b3Jk" % (target, target)
        )
        assert SECRET.encode() not in proxy.listener.received


@pytest.fixture
def silent() -> Iterator[tuple[str, int]]:
    """An address that answers no attempt to connect: its queue is full (listen(2))."""
    with ExitStack() as stack:
        full = stack.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address: tuple[str, int] = full.getsockname()
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(address)
        yield address


class TestConnecting:
    @pytest.mark.parametrize("silent_ones", [0, 1, 3])
    def test_leaves_time_for_another_address(self, served: Served, silent: tuple[str, int], silent_ones: int) -> None:
        listener = served(accept)
        addresses = [silent] * silent_ones + [("127.0.0.1", listener.port)]
        began = time.monotonic()

        sock = connect([(socket.AF_INET, socket.SOCK_STREAM, 0, "", address) for address in addresses], began + 1)

        with sock:
            assert sock.getpeername() == ("127.0.0.1", listener.port)
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert time.monotonic() - began < 1

    def test_goes_on_to_the_next_address_at_once_where_one_refuses(self, served: Served) -> None:
        addresses = [("127.0.0.1", unused_port()), ("127.0.0.1", served(accept).port)]

        connect(
            [(socket.AF_INET, socket.SOCK_STREAM, 0, "", address) for address in addresses], time.monotonic() + LONG
        ).close()

    def test_ends_by_the_deadline_however_many_addresses_there_are(self, silent: tuple[str, int]) -> None:
        began = time.monotonic()

        with pytest.raises(TimeoutError):
            connect([(socket.AF_INET, socket.SOCK_STREAM, 0, "", silent)] * 40, began + DEADLINE)

        assert time.monotonic() - began < DEADLINE + SLACK

    def test_has_failed_where_there_is_no_address(self) -> None:
        with pytest.raises(TimeoutError):
            connect([], time.monotonic() + LONG)

    def test_says_what_the_last_address_failed_with(self) -> None:
        address = ("127.0.0.1", unused_port())

        with pytest.raises(ConnectionRefusedError):
            connect([(socket.AF_INET, socket.SOCK_STREAM, 0, "", address)], time.monotonic() + LONG)


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


class TestTls:
    def test_is_spoken_as_http_1_1_and_with_a_host_s_own_certificate_alone(
        self, opened: Open, served: Served, authority: Authority
    ) -> None:
        spoken = []

        def shake(connection: Connection, context: ssl.SSLContext) -> None:
            context.set_alpn_protocols(["h2", "http/1.1"])
            shake_hands(connection, context)
            assert isinstance(connection.socket, ssl.SSLSocket)
            spoken.append(connection.socket.selected_alpn_protocol())

        ours, other = served(over_tls(authority, shake=shake)), served(over_tls(authority.issue("127.0.0.2")))

        assert ask(opened(tls_url(ours), ca_bundle=authority.bundle), tls_url(ours)).status == 202
        assert spoken == ["http/1.1"]
        with pytest.raises(
            ApiUnavailableError, match=r"IP address mismatch, certificate is not valid for '127\.0\.0\.1'"
        ):
            ask(opened(tls_url(other), ca_bundle=authority.bundle), tls_url(other))

    def test_tells_a_server_why_its_certificate_is_refused(
        self, opened: Open, served: Served, authority: Authority
    ) -> None:
        """RFC 8446 §6.2."""
        told: list[str | None] = []
        done = threading.Event()

        def shake(connection: Connection, context: ssl.SSLContext) -> None:
            try:
                context.wrap_socket(connection.socket, server_side=True)
            except ssl.SSLError as error:
                told.append(error.reason)
            done.set()
            raise LeftError

        url = tls_url(served(over_tls(authority, shake=shake)))

        with pytest.raises(ApiUnavailableError, match=r"unable to get local issuer certificate$"):
            ask(opened(url), url)

        assert done.wait(10)
        assert told == ["TLSV1_ALERT_UNKNOWN_CA"]


class TestATlsPeerThatTalksAndSaysNothing:
    @pytest.mark.parametrize(
        "flood",
        [
            handshakes.flood_hello_requests,
            handshakes.drip_hello_requests,
            handshakes.flood_tickets,
            handshakes.flood_key_updates,
        ],
    )
    def test_is_left_by_the_deadline(
        self, opened: Open, served: Served, authority: Authority, flood: handshakes.Shake
    ) -> None:
        url = tls_url(served(over_tls(authority, shake=flood)))
        transport = opened(url, ca_bundle=authority.bundle)
        began, worked = time.monotonic(), time.thread_time()

        with pytest.raises(ApiUnavailableError):
            ask(transport, url, DEADLINE)

        assert time.monotonic() - began < DEADLINE + SLACK
        assert time.thread_time() - worked < DEADLINE


def reset(connection: Connection) -> None:
    connection.receive_head()
    connection.reset()


def end(connection: Connection) -> None:
    connection.receive_head()


def end_within_the_body(connection: Connection) -> None:
    connection.receive_head()
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}")


def end_within_the_handshake(connection: Connection) -> None:
    connection.receive()


def in_clear(connection: Connection) -> None:
    connection.receive()
    connection.send(ACCEPTED)
    connection.wait_until_left()


class TestTheMessage:
    """It says whether something was sent, and in plain words what went wrong; the text of no library is in it."""

    def failure(self, transport: Transport, url: str, seconds: float = DEADLINE) -> tuple[NotFinalError, Delivery]:
        asked = delivery(seconds)
        with pytest.raises(NotFinalError) as raised:
            transport.exchange(Request("POST", f"{url}/a?b", {"X-Auth-Token": SECRET}), asked)
        error = raised.value
        assert (error.__cause__, error.__suppress_context__) == (None, True)
        inner = error.__context__
        assert inner
        assert (inner.__cause__, inner.__suppress_context__) == (None, True)
        assert SECRET not in f"{error} {inner}"
        return error, asked

    @pytest.mark.parametrize(
        ("serve", "words"),
        [
            (reset, "connection reset by peer"),
            (end, "it ends early"),
            (end_within_the_body, "it ends early"),
            (Connection.wait_until_left, "timed out"),
        ],
    )
    @pytest.mark.parametrize("scheme", ["http", "https"])
    def test_of_a_request_that_was_sent(
        self, opened: Open, served: Served, authority: Authority, scheme: str, serve: Serve, words: str
    ) -> None:
        url = f"{scheme}://127.0.0.1:{served(over_tls(authority, serve) if scheme == 'https' else serve).port}"

        error, asked = self.failure(opened(url, ca_bundle=authority.bundle), url)

        assert (error.error_code, error.error_msg) == ("NO_ANSWER", f"no answer to POST from {url}: {words}")
        assert error.sent
        ((method, asked_url, status, seconds),) = [(c.method, c.url, c.status, c.seconds) for c in asked.calls]
        assert (method, asked_url, status) == ("POST", f"{url}/a?b", 0)
        assert 0 < seconds < DEADLINE + SLACK

    @pytest.mark.parametrize(
        ("host", "words"),
        [
            ("127.0.0.1:1", "connection refused"),  # tcpmux, which nobody serves
            ("gaussdb.region.invalid", "the host name does not resolve"),
            (f"{'x' * 64}.example", "the host name does not resolve"),
            (".example", "the host name does not resolve"),
        ],
    )
    @pytest.mark.parametrize("scheme", ["http", "https"])
    def test_of_a_request_that_was_not_sent(self, opened: Open, scheme: str, host: str, words: str) -> None:
        url = f"{scheme}://{host}"

        error, asked = self.failure(opened(url), url)

        assert (error.error_code, error.error_msg) == ("NO_ANSWER", f"could not connect to {url}: {words}")
        assert not error.sent
        assert asked.calls == []

    @pytest.mark.parametrize(
        ("serve", "words"),
        [
            (in_clear, "TLS failed: wrong version number"),
            (end_within_the_handshake, "TLS failed: unexpected eof while reading"),
            (Connection.wait_until_left, "timed out"),
            (Connection.reset, "connection reset by peer"),
        ],
    )
    def test_of_tls_that_fails(self, opened: Open, served: Served, serve: Serve, words: str) -> None:
        url = tls_url(served(serve))

        error, asked = self.failure(opened(url), url)

        assert (error.error_code, error.error_msg) == ("NO_ANSWER", f"could not connect to {url}: {words}")
        assert not error.sent
        assert asked.calls == []

    def test_of_a_proxy_that_is_not_there(self, opened: Open) -> None:
        proxy = f"127.0.0.1:{unused_port()}"
        url = "https://gaussdb.region.example"

        error, _ = self.failure(opened(url, environment={"HTTPS_PROXY": f"http://user:{SECRET}@{proxy}"}), url)

        assert error.error_msg == f"could not connect to {url} through the proxy {proxy}: connection refused"

    @pytest.mark.parametrize(
        ("manner", "words"),
        [
            (Proxy.refuse(403), "it answered CONNECT with 403"),
            (Proxy.refuse(300), "it answered CONNECT with 300"),
            (Proxy.answer_itself, "it answered CONNECT with 200 and more than a head"),
        ],
    )
    def test_of_a_proxy_that_makes_no_tunnel(
        self, opened: Open, manner: Callable[[Proxy, Connection], None], words: str
    ) -> None:
        refusing, url = Proxy(0, manner), "https://gaussdb.region.example"
        transport = opened(url, environment={"HTTPS_PROXY": refusing.url})

        with refusing.listener:
            error, _ = self.failure(transport, url)

        proxy = refusing.url.removeprefix("http://")
        assert error.error_msg == f"could not connect to {url} through the proxy {proxy}: {words}"

    def test_of_a_proxy_that_refuses_our_password_is_for_an_operator(self, opened: Open) -> None:
        refusing = Proxy(0, Proxy.refuse(407))
        proxy, url = f"127.0.0.1:{refusing.listener.port}", "https://gaussdb.region.example"
        transport = opened(url, environment={"all_proxy": f"http://user:{SECRET}@{proxy}"})

        with refusing.listener:
            error, asked = self.failure(transport, url)

        assert isinstance(error, ApiDeniedError)
        assert (error.error_code, error.error_msg) == (
            "PROXY_REFUSED",
            f"could not connect to {url} through the proxy {proxy}: it answered CONNECT with 407: correct the user and "
            "password in all_proxy",
        )
        assert not error.sent
        assert asked.calls == []


class TestACertificateThatAStrictContextRefuses:
    """Python 3.13 is strict by default (ssl.create_default_context)."""

    def test_is_named(self, served: Served, authority: Authority) -> None:
        lax = authority.issue("127.0.0.1", names_its_issuer=False)
        context = tls_context(str(authority.bundle))
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        listener = served(over_tls(lax))
        with (
            socket.create_connection(("127.0.0.1", listener.port)) as sock,
            pytest.raises(ssl.SSLCertVerificationError) as raised,
        ):
            TlsConnection(sock, time.monotonic() + LONG, context, "127.0.0.1")

        assert plain(raised.value) == "the certificate is refused: Missing Authority Key Identifier"


class TestExtraCertificates:
    """Knative's K_CA_CERTS are for its sink, and for nobody else."""

    def test_are_trusted_for_their_origin_besides_the_others(
        self, served: Served, authority: Authority, tmp_path: Path
    ) -> None:
        """And an origin without TLS is none of theirs."""
        other = Authority(tmp_path, "other")
        urls = [
            tls_url(served(over_tls(authority))),
            tls_url(served(over_tls(authority))),
            f"{tls_url(served(over_tls(other)))}/sink?a=b",
            plain_url(served(accept)),
        ]
        transport = Transport(
            urls,
            pool_size=1,
            ca_bundle=str(authority.bundle),
            extra_certificates=dict.fromkeys(urls[1:], other.bundle.read_text()),
            environment={},
        )

        try:
            assert [ask(transport, url).status for url in urls] == [202] * 4
        finally:
            transport.close()

    def test_are_not_trusted_for_another_origin(
        self, opened: Open, served: Served, authority: Authority, tmp_path: Path
    ) -> None:
        url = tls_url(served(over_tls(Authority(tmp_path, "other"))))
        extra = {f"https://127.0.0.1:{unused_port()}": Authority(tmp_path, "other").bundle.read_text()}

        with pytest.raises(ApiUnavailableError, match="the certificate is refused: "):
            ask(opened(url, ca_bundle=authority.bundle, extra_certificates=extra), url)


class TestAsAnAdapterOfRequests:
    def test_it_is_mounted_in_a_session(self, opened: Open, served: Served, authority: Authority) -> None:
        seen = []

        def answer(connection: Connection) -> None:
            while True:
                seen.append(connection.receive_head())
                connection.send(b'HTTP/1.1 200 OK\r\nX-A: 1\r\nX-A: 2\r\nContent-Length: 8\r\n\r\n{"a": 1}')

        listener = served(over_tls(authority, answer))
        url = tls_url(listener)
        with requests.Session() as session:
            session.mount("https://", opened(url, ca_bundle=authority.bundle))

            first = session.get(url, params={"q": "\xfc b"}, timeout=LONG)
            session.put(f"{url}/put", data="text", timeout=LONG)

        assert (first.status_code, first.json(), first.headers["x-a"], first.url) == (
            200,
            {"a": 1},
            "1, 2",
            f"{url}/?q=%C3%BC+b",
        )
        assert seen[0].startswith(b"GET /?q=%C3%BC+b HTTP/1.1\r\nHost: 127.0.0.1:")
        assert seen[1].startswith(b"PUT /put HTTP/1.1\r\n")
        assert seen[1].endswith(b"\r\n\r\ntext")
        assert len(listener.connections) == 1

    def test_a_head_is_answered_without_a_body(self, opened: Open, served: Served) -> None:
        def answer(connection: Connection) -> None:
            while True:
                connection.receive_head()
                connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n")

        listener = served(answer)
        url = plain_url(listener)
        with requests.Session() as session:
            session.mount("http://", opened(url))

            answers = [session.head(url, timeout=LONG) for _ in range(2)]

        assert [(answer.content, answer.headers["content-length"]) for answer in answers] == [(b"", "8")] * 2
        assert len(listener.connections) == 1

    def test_its_errors_are_those_of_requests(self, opened: Open) -> None:
        url = f"http://127.0.0.1:{unused_port()}"
        with requests.Session() as session:
            session.mount("http://", opened(url))

            with pytest.raises(requests.ConnectionError, match="connection refused"):
                session.get(url, timeout=LONG)
