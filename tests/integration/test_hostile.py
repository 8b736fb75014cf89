"""Whatever the upstream does, a delivery is answered in time and in truth, and the next one is unharmed.

tests/doubles/hostile.py has the behaviours, and what has to come of each. Every function here is also told to use a
proxy, which must see nothing: the upstream is on loopback.
"""

import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

from simulator.processes import Running, run_function
from tests.conftest import RunFunction
from tests.doubles import handshakes
from tests.doubles.certificates import DAY, Authority
from tests.doubles.hostile import BEHAVIOURS, Upstream
from tests.doubles.listening import Connection, Listener
from tests.doubles.proxy import Proxy
from tests.wire.deliverer import DELETED, FAILED, Envelope, Reply, deliver, expired_event
from tests.wire.memory import growth

TOKEN: Final = "a-token-for-the-configured-host-alone"
DEADLINE: Final = 1.0
SLACK: Final = 1.0
MAX_GROWTH: Final = 20 << 20
MAX_IDLE: Final = 6.0  # the function does not use a connection again that was idle for 5 seconds

# Allowed is either, an answer or none.
HUGE: Final = [name for name, behaviour in BEHAVIOURS.items() if behaviour.outcome == "either"]
# They take until the deadline, and nothing but time: they are met all at once.
SLOW: Final = [
    name
    for name in BEHAVIOURS
    if name.startswith(("silence", "drip", "late"))
    or name in ("acceptance-that-takes-most-of-the-time", "list-silent", "list-dripped")
]
# The connection stays open, and something else than the next answer is still to come over it, or has come already.
LATER: Final = ("early-hints-and-later-the-answer", "switching-protocols", "leftover-line-and-later-an-answer")
KEPT: Final = [name for name in BEHAVIOURS if name.startswith("leftover") or name in (*LATER, "reset-after-the-answer")]
QUICK: Final = [name for name in BEHAVIOURS if name not in (*SLOW, *KEPT, *HUGE, "forgotten-connection")]

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Place:
    """A hostile upstream, the function that has it for its API, and what must never be asked."""

    upstream: Upstream
    function: Running
    elsewhere: Listener

    def deliver(self, behaviour: str) -> tuple[str, Reply]:
        """Deliver an event about a backup that meets this behaviour; the backup's id and the reply."""
        backup_id = f"{behaviour}-{next(_numbers)}"
        return backup_id, deliver(self.function.url, expired_event(backup_id=backup_id))

    def check_next(self, after: str = "") -> None:
        """Another event gets an answer, and its own; once all is done about the backup `after`, if given."""
        assert not after or self.upstream.done(after)
        backup_id, reply = self.deliver("well")
        assert reply.event["data"]["request_id"] == backup_id, reply
        assert reply.event["data"]["response"]["backup_id"] == backup_id

    def check(self, backup_id: str, reply: Reply) -> None:
        """What came of it is what this behaviour has to lead to."""
        name = backup_id.rpartition("-")[0]
        outcome = BEHAVIOURS[name].outcome
        assert reply.seconds < DEADLINE + SLACK
        if outcome in ("deleted", "failed"):
            check_result(reply, backup_id, {"deleted": DELETED, "failed": FAILED}[outcome])
        else:
            assert reply.status == (429 if name == "folded-retry-after" else 503)
            assert reply.problem["error_code"].startswith(tuple(outcome.split(" or ")))
            assert 0 <= reply.retry_after <= 300
        self.check_token(backup_id, reply)

    def check_token(self, backup_id: str, reply: Reply) -> None:
        """The token went to the configured host alone, with one DELETE and at most one read-back."""
        seen = self.upstream.seen(backup_id)
        assert [request.method for request in seen] in (["DELETE"], ["DELETE", "GET"])
        for request in seen:
            assert f"X-Auth-Token: {TOKEN}\r\n".encode() in request.head
            assert b"\r\nCookie:" not in request.head
        assert self.elsewhere.received == b""
        assert not self.elsewhere.connections
        assert TOKEN.encode() not in reply.body
        assert TOKEN not in str(reply.headers)


def check_result(reply: Reply, backup_id: str, result_type: str) -> None:
    event: Envelope = reply.event
    assert event["type"] == result_type
    assert event["subject"] == backup_id
    assert reply.judged["id"] == event["id"]
    if result_type == DELETED:
        assert event["data"]["already_absent"] is False
    else:
        assert event["data"]["http_status"] == 400
        assert isinstance(event["data"]["error_code"], str)
        assert isinstance(event["data"]["error_msg"], str)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"), "authority")


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Listener]:
    """A server, and a proxy, that nobody has a reason to ask."""
    with Listener(Connection.wait_until_left) as listener:
        yield listener


@pytest.fixture(scope="module")
def open_place(run: RunFunction, authority: Authority, elsewhere: Listener) -> Iterator[Callable[..., Place]]:
    """Opens a place; for TLS, it takes the names that the certificate is for, the first being the endpoint's host."""
    with ExitStack() as stack:

        def open_one(*hosts: str, deadline: float = DEADLINE) -> Place:
            leading = f"http://127.0.0.1:{elsewhere.port}"
            certificate = authority.issue(*hosts) if hosts else None
            upstream = Upstream(leading, certificate, *hosts[:1])
            stack.enter_context(upstream.listener)
            own = {**settings(upstream.url, leading, authority), "REAPER_DEADLINE_SECONDS": str(deadline)}
            return Place(upstream, run(own), elsewhere)

        yield open_one


def settings(endpoint: str, proxy: str, authority: Authority) -> dict[str, str]:
    return {
        "REAPER_API_ENDPOINT": endpoint,
        "HW_AUTH_TOKEN": TOKEN,
        "REAPER_DEADLINE_SECONDS": str(DEADLINE),
        "REQUESTS_CA_BUNDLE": str(authority.bundle),
        "HTTP_PROXY": proxy,
        "HTTPS_PROXY": proxy,
        "ALL_PROXY": proxy,
        "THREADS": "24",
    }


@pytest.fixture(scope="module")
def places(open_place: Callable[..., Place]) -> dict[str, Place]:
    """The upstream in plain HTTP and over TLS."""
    opened = {"http": open_place(), "https": open_place("127.0.0.1")}
    for place in opened.values():  # so that what a function needs once is not taken for growth
        with ThreadPoolExecutor(20) as pool:
            list(pool.map(place.deliver, ["well"] * 40))
    return opened


@pytest.fixture(scope="module", autouse=True)
def idle_place(open_place: Callable[..., Place]) -> tuple[Place, str, Reply, float]:
    """A place whose one connection has been forgotten; since when. As early as can be: a test has to wait for it."""
    place = open_place()
    backup_id, reply = place.deliver("forgotten-connection")
    return place, backup_id, reply, time.monotonic()


@pytest.fixture(scope="module")
def slow(places: Mapping[str, Place]) -> dict[tuple[str, str], tuple[str, Reply]]:
    """The slow behaviours, met all at once."""
    keys = [(scheme, name) for name in SLOW for scheme in places]

    def meet(key: tuple[str, str]) -> tuple[str, Reply]:
        scheme, name = key
        return places[scheme].deliver(name)

    with ThreadPoolExecutor(16) as pool:
        return dict(zip(keys, pool.map(meet, keys), strict=True))


BOTH_SCHEMES = pytest.mark.parametrize("scheme", ["http", "https"])


class TestAHostileUpstream:
    @BOTH_SCHEMES
    @pytest.mark.parametrize("name", QUICK)
    def test_is_answered_in_time_and_in_truth_and_harms_nobody(
        self, places: Mapping[str, Place], scheme: str, name: str
    ) -> None:
        place = places[scheme]

        with growth(place.function.process.pid) as grown:
            backup_id, reply = place.deliver(name)

        place.check(backup_id, reply)
        assert grown.bytes < MAX_GROWTH
        place.check_next(backup_id)

    @BOTH_SCHEMES
    @pytest.mark.parametrize("name", KEPT)
    def test_cannot_pass_an_answer_off_as_that_to_the_next_event(
        self, places: Mapping[str, Place], scheme: str, name: str
    ) -> None:
        place = places[scheme]
        place.check_next()  # so that there is a connection

        backup_id, reply = place.deliver(name)
        place.check(backup_id, reply)
        if name in LATER:
            place.check_next()  # at once: what belongs to no event, or to the last, is still to come

        for _ in range(3):
            place.check_next(backup_id)

    @BOTH_SCHEMES
    @pytest.mark.parametrize("name", SLOW)
    def test_does_not_hold_a_delivery_past_its_deadline(
        self, places: Mapping[str, Place], slow: Mapping[tuple[str, str], tuple[str, Reply]], scheme: str, name: str
    ) -> None:
        backup_id, reply = slow[scheme, name]

        places[scheme].check(backup_id, reply)
        places[scheme].check_next(backup_id)

    def test_gets_no_more_time_for_a_silence_after_a_drip(self, open_place: Callable[..., Place]) -> None:
        # Each read may take only what those before it left: the drip takes 1.4 s.
        place = open_place(deadline=2.0)

        _, reply = place.deliver("drip-headers-and-then-silence")

        assert reply.status == 503
        assert reply.seconds < 2.0 + SLACK

    @BOTH_SCHEMES
    @pytest.mark.parametrize("name", HUGE)
    def test_takes_little_memory_for_a_huge_answer(self, places: Mapping[str, Place], scheme: str, name: str) -> None:
        place = places[scheme]

        with growth(place.function.process.pid) as grown:
            backup_id, reply = place.deliver(name)

        assert grown.bytes < MAX_GROWTH
        assert reply.seconds < DEADLINE + SLACK
        place.check_token(backup_id, reply)
        if reply.status == 200:
            check_result(reply, backup_id, DELETED)
        else:
            assert reply.problem["error_code"] == "NO_ANSWER"
        place.check_next(backup_id)

    @BOTH_SCHEMES
    def test_is_asked_again_over_the_same_connection_while_it_behaves(
        self, places: Mapping[str, Place], scheme: str
    ) -> None:
        place = places[scheme]

        asked = [place.deliver("well")[0] for _ in range(3)]

        assert len({request.connection for backup_id in asked for request in place.upstream.seen(backup_id)}) == 1

    @BOTH_SCHEMES
    def test_is_not_asked_again_over_a_connection_that_it_calls_closed(
        self, places: Mapping[str, Place], scheme: str
    ) -> None:
        place = places[scheme]

        asked = [place.deliver(name)[0] for name in ("closing-in-words-alone", "well")]

        assert len({request.connection for backup_id in asked for request in place.upstream.seen(backup_id)}) == 2

    def test_is_not_asked_over_a_connection_that_has_been_idle_for_long(
        self, idle_place: tuple[Place, str, Reply, float]
    ) -> None:
        place, backup_id, reply, since = idle_place
        place.check(backup_id, reply)

        time.sleep(max(0.0, since + MAX_IDLE - time.monotonic()))

        place.check_next()

    @pytest.mark.parametrize(
        "name", ["header-without-colon", "header-with-space-before-the-colon", "cookies-that-are-none", "drip-header"]
    )
    def test_does_not_get_its_headers_into_the_log(self, places: Mapping[str, Place], name: str) -> None:
        # IAM's token is in one.
        place = places["http"]
        before = len(place.function.output)

        place.deliver(name)

        written = place.function.output[before:]
        assert "Traceback" not in written
        assert "X-Request-Id" not in written
        assert "Connection: close" not in written


def fresh(place: Place) -> tuple[str, Reply]:
    """Deliver an event that needs a connection of its own, and leaves none behind."""
    return place.deliver("body-until-the-end")


@pytest.fixture(scope="module")
def localhost(open_place: Callable[..., Place]) -> Place:
    return open_place("localhost")


MISMATCH: Final = "Hostname mismatch, certificate is not valid for 'localhost'."  # OpenSSL's own words
NO_ISSUER: Final = "unable to get local issuer certificate"


Issue = Callable[[Authority, Authority], Path]


class TestTls:
    """It is always verified, and its handshake has the same deadline."""

    @pytest.fixture
    def place(self, localhost: Place) -> Iterator[Place]:
        """The upstream as localhost; a test may change its certificate, and how it begins TLS."""
        upstream = localhost.upstream
        good = upstream.certificate
        yield localhost
        upstream.certificate, upstream.shake = good, handshakes.shake_hands
        backup_id, reply = fresh(localhost)
        check_result(reply, backup_id, DELETED)

    def test_is_spoken_with_whom_the_configured_authority_vouches_for(self, place: Place) -> None:
        backup_id, reply = fresh(place)

        place.check(backup_id, reply)

    @pytest.mark.parametrize(
        ("issue", "why"),
        [
            pytest.param(lambda own, _: own.issue("elsewhere.example"), MISMATCH, id="for another name"),
            pytest.param(lambda own, _: own.issue("127.0.0.1"), MISMATCH, id="for its address alone"),
            pytest.param(lambda own, _: own.issue("*.localhost"), MISMATCH, id="for names below it"),
            pytest.param(lambda own, _: own.issue(common_name="localhost"), MISMATCH, id="for a common name alone"),
            pytest.param(
                lambda own, _: own.issue("localhost", ends=timedelta(minutes=-1)),
                "certificate has expired",
                id="expired",
            ),
            pytest.param(
                lambda own, _: own.issue("localhost", starts=DAY / 2),
                "certificate is not yet valid",
                id="not yet valid",
            ),
            pytest.param(
                lambda own, _: own.issue("localhost", self_signed=True), "self-signed certificate", id="self-signed"
            ),
            pytest.param(lambda _, other: other.issue("localhost"), NO_ISSUER, id="of an unknown authority"),
            pytest.param(
                lambda own, other: Authority(other.bundle.parent, "between", own).issue("localhost"),
                NO_ISSUER,
                id="without the one between",
            ),
        ],
    )
    def test_is_not_spoken_with_a_certificate_and_says_why(
        self,
        place: Place,
        authority: Authority,
        tmp_path: Path,
        issue: Callable[[Authority, Authority], Path],
        why: str,
    ) -> None:
        place.upstream.certificate = issue(authority, Authority(tmp_path, "other"))

        backup_id, reply = fresh(place)

        assert (reply.status, reply.problem["error_code"]) == (503, "NO_ANSWER")
        # The reason is OpenSSL's own text, and newer versions have longer ones.
        assert reply.problem["error_msg"].startswith(
            f"could not connect to {place.upstream.url}: the certificate is refused: {why}"
        )
        assert place.upstream.seen(backup_id) == []
        assert reply.seconds < DEADLINE + SLACK

    def test_is_spoken_with_a_certificate_that_comes_with_the_one_between(
        self, place: Place, authority: Authority, tmp_path: Path
    ) -> None:
        between = Authority(tmp_path, "between", authority)
        certificate = between.issue("localhost")
        certificate.write_bytes(certificate.read_bytes() + between.bundle.read_bytes())
        place.upstream.certificate = certificate

        place.check(*fresh(place))

    def test_may_have_its_authorities_in_a_directory(
        self, place: Place, authority: Authority, run: RunFunction, tmp_path: Path
    ) -> None:
        trusted = {**settings(place.upstream.url, "", authority), "REQUESTS_CA_BUNDLE": str(authority.fill(tmp_path))}

        place = Place(place.upstream, run(trusted), place.elsewhere)

        place.check(*fresh(place))

    def test_is_not_spoken_with_our_authority_unless_it_is_configured(
        self, place: Place, authority: Authority, run: RunFunction
    ) -> None:
        trusted = settings(place.upstream.url, "", authority)
        function = run({name: value for name, value in trusted.items() if name != "REQUESTS_CA_BUNDLE"})

        backup_id, reply = fresh(Place(place.upstream, function, place.elsewhere))

        assert (reply.status, reply.problem["error_code"]) == (503, "NO_ANSWER")
        assert place.upstream.seen(backup_id) == []

    @pytest.mark.parametrize(
        "shake",
        [
            handshakes.drip_the_handshake,
            handshakes.drip_a_record,
            handshakes.flood_the_handshake,
            handshakes.say_nothing,
            handshakes.answer_in_clear,
            handshakes.answer_at_once_in_clear,
            handshakes.end_within_the_handshake,
            handshakes.reset_within_the_handshake,
            handshakes.flood_hello_requests,
            handshakes.drip_hello_requests,
            handshakes.flood_tickets,
            handshakes.flood_key_updates,
        ],
    )
    def test_that_goes_wrong_ends_by_the_deadline(self, place: Place, shake: handshakes.Shake) -> None:
        place.upstream.shake = shake
        before = len(place.upstream.listener.connections)

        with growth(place.function.process.pid) as grown:
            _, reply = fresh(place)

        assert (reply.status, reply.problem["error_code"]) == (503, "NO_ANSWER")
        assert reply.seconds < DEADLINE + SLACK
        assert grown.bytes < MAX_GROWTH
        (connection,) = place.upstream.listener.connections[before:]
        assert TOKEN.encode() not in connection.received


@pytest.fixture(scope="module")
def distant(authority: Authority, elsewhere: Listener) -> Iterator[Upstream]:
    """The upstream under a name that only a proxy can resolve."""
    certificate = authority.issue("gaussdb.region.example", "0.0.0.0")
    upstream = Upstream(f"http://127.0.0.1:{elsewhere.port}", certificate, "gaussdb.region.example")
    with upstream.listener:
        yield upstream


@pytest.fixture(scope="module")
def lasting_proxy(distant: Upstream) -> Iterator[Proxy]:
    proxy = Proxy(distant.listener.port)
    with proxy.listener:
        yield proxy


def with_password(proxy: Proxy) -> str:
    return proxy.url.replace("//", "//reaper:a-proxy-s-password@")


class TestAProxy:
    """As the environment says."""

    @pytest.fixture
    def proxy(self, lasting_proxy: Proxy) -> Iterator[Proxy]:
        """The only way to the upstream; a test may change its manner."""
        yield lasting_proxy
        lasting_proxy.manner = Proxy.tunnel

    @pytest.fixture
    def place(
        self, run: RunFunction, distant: Upstream, proxy: Proxy, authority: Authority, elsewhere: Listener
    ) -> Place:
        return Place(distant, run(settings(distant.url, with_password(proxy), authority)), elsewhere)

    def test_sees_where_we_go_and_its_own_password_and_nothing_else(self, place: Place, proxy: Proxy) -> None:
        backup_id, reply = fresh(place)

        place.check(backup_id, reply)
        heads = [bytes(connection.received).partition(b"\r\n\r\n")[0] for connection in proxy.listener.connections]
        assert heads
        for head in heads:
            port = place.upstream.listener.port
            assert head.startswith(f"CONNECT gaussdb.region.example:{port} HTTP/1.".encode())
            assert b"Proxy-Authorization: Basic " in head
        assert TOKEN.encode() not in proxy.listener.received
        assert b"/v3/" not in proxy.listener.received
        (request,) = place.upstream.seen(backup_id)
        assert b"proxy-authorization" not in request.head.lower()
        assert "a-proxy-s-password" not in place.function.output

    @pytest.mark.parametrize(
        "name",
        [
            "drip-body",
            "drip-headers",
            "flood-body",
            "flood-continues",
            "gzip-bomb",
            "reset-within-the-body",
            "redirect-307",
            "challenge-of-a-proxy",
            "leftover-along-with-the-answer",
            "leftover-list-behind-an-acceptance",
        ],
    )
    def test_makes_no_difference_to_a_hostile_upstream(self, place: Place, name: str) -> None:
        with growth(place.function.process.pid) as grown:
            backup_id, reply = place.deliver(name)

        place.check(backup_id, reply)
        assert grown.bytes < MAX_GROWTH
        # Through a tunnel the end of a connection comes late: the next event may meet it, and come again.
        assert place.upstream.done(backup_id)
        place.deliver("well")
        place.check_next()

    @pytest.mark.parametrize(
        ("manner", "code", "words"),
        [
            (Proxy.say_nothing, "NO_ANSWER", "timed out"),
            (Proxy.drip, "NO_ANSWER", "timed out"),
            (Proxy.flood, "NO_ANSWER", "too many fields"),
            (Proxy.refuse(407), "PROXY_REFUSED", "it answered CONNECT with 407: correct the user and password in "),
            (Proxy.refuse(403), "NO_ANSWER", "it answered CONNECT with 403"),
            (Proxy.refuse(503), "NO_ANSWER", "it answered CONNECT with 503"),
            (Proxy.refuse(302), "NO_ANSWER", "it answered CONNECT with 302"),
            (Proxy.refuse(101), "NO_ANSWER", "another protocol"),
            (Proxy.answer_itself, "NO_ANSWER", "it answered CONNECT with 200 and more than a head"),
        ],
    )
    def test_that_goes_wrong_ends_by_the_deadline_and_is_named(
        self, place: Place, proxy: Proxy, manner: Callable[[Proxy, Connection], None], code: str, words: str
    ) -> None:
        fresh(place)
        proxy.manner = manner

        with growth(place.function.process.pid) as grown:
            # Not over a connection that another test has left.
            for _ in range(3):
                backup_id, reply = fresh(place)
                if reply.status != 200:
                    break

        assert (reply.status, reply.problem["error_code"]) == (503, code)
        way = f"could not connect to {place.upstream.url} through the proxy {proxy.url.removeprefix('http://')}"
        assert reply.problem["error_msg"].startswith(f"{way}: {words}")
        assert reply.seconds < DEADLINE + SLACK
        assert place.upstream.seen(backup_id) == []
        assert grown.bytes < MAX_GROWTH
        assert TOKEN.encode() not in proxy.listener.received
        assert "a-proxy-s-password" not in place.function.output + str(reply)
        proxy.manner = Proxy.tunnel
        place.check_next()

    def test_that_takes_its_time_takes_it_from_the_upstream(
        self, run: RunFunction, distant: Upstream, proxy: Proxy, authority: Authority, elsewhere: Listener
    ) -> None:
        # The tunnel is there after 0.4 s, and the answer after 2.2 s.
        proxy.manner = Proxy.tunnel_late
        function = run({**settings(distant.url, with_password(proxy), authority), "REAPER_DEADLINE_SECONDS": "2"})

        _, reply = Place(distant, function, elsewhere).deliver("late")

        assert (reply.status, reply.problem["error_code"]) == (503, "NO_ANSWER")

    @pytest.mark.parametrize(
        ("variable", "value"),
        [
            ("https_proxy", "https://127.0.0.1:3128"),
            ("ALL_PROXY", "socks5h://127.0.0.1:1080"),
            ("HTTPS_PROXY", "http://user:5ec#ret@127.0.0.1:3128"),
            ("HTTPS_PROXY", "http://127.0.0.1:3128\n"),
        ],
    )
    def test_that_can_never_work_stops_the_start(
        self, distant: Upstream, authority: Authority, variable: str, value: str
    ) -> None:
        environment = settings(distant.url, "", authority) | {"ALL_PROXY": "", "HTTPS_PROXY": ""} | {variable: value}

        with (
            pytest.raises(RuntimeError, match=f"cannot start: {variable} must be like http://") as raised,
            run_function(environment),
        ):
            pass

        assert "5ec" not in str(raised.value)

    def test_does_not_spare_the_upstream_its_certificate(
        self, place: Place, proxy: Proxy, authority: Authority
    ) -> None:
        good = place.upstream.certificate
        place.upstream.certificate = authority.issue("127.0.0.1")
        try:
            for _ in range(3):
                backup_id, reply = fresh(place)
                if reply.status != 200:
                    break
        finally:
            place.upstream.certificate = good

        assert (reply.status, reply.problem["error_code"]) == (503, "NO_ANSWER")
        assert place.upstream.seen(backup_id) == []
        assert TOKEN.encode() not in proxy.listener.received

    def test_is_left_out_for_a_host_in_no_proxy(
        self, run: RunFunction, distant: Upstream, authority: Authority, elsewhere: Listener
    ) -> None:
        # An address that is not loopback, and yet is here.
        endpoint, proxy = f"https://0.0.0.0:{distant.listener.port}", f"http://127.0.0.1:{elsewhere.port}"
        function = run({**settings(endpoint, proxy, authority), "NO_PROXY": "elsewhere.example,0.0.0.0"})
        place = Place(distant, function, elsewhere)

        place.check(*fresh(place))
