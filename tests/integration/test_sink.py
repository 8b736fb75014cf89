"""Results that are published to a sink: arrived or not final, and never told to anybody else.

The sink is a second simulator, which answers what its faults say and remembers what it was sent.
"""

import json
import re
import ssl
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import pytest

from function.version import VERSION
from simulator import AccessKey, Call, Fault, Simulator
from simulator.processes import Running, run_function
from tests.conftest import TOKEN, RunFunction
from tests.doubles.certificates import Authority
from tests.doubles.listening import Connection, Listener
from tests.facts.account import BACKUP, PROJECT
from tests.integration.conftest import ACCEPT
from tests.wire.deliverer import DELETED, FAILED, SKIPPED, STRUCTURED, Envelope, Mode, Reply, deliver, expired_event

AUTOMATED: Final = "c0c9f155c7b7423a9d30f0175998b63bbr07"
BOTH_MODES = pytest.mark.parametrize("mode", ["binary", "structured"])


@pytest.fixture
def to_sink(sink: Simulator, settings: Mapping[str, str]) -> dict[str, str]:
    return {**settings, "K_SINK": f"{sink.url}/sink", "REAPER_DEADLINE_SECONDS": "2"}


@pytest.fixture
def function(run: RunFunction, to_sink: Mapping[str, str]) -> Running:
    """The function that publishes to the sink."""
    return run(to_sink)


@pytest.fixture
def others(simulator: Simulator) -> set[str]:
    """All backups but the one that goes."""
    return simulator.backup_ids(PROJECT) - {BACKUP}


def published(sink: Simulator) -> list[Envelope]:
    """The events the sink was sent, accepted or not, after a look at how they were sent."""
    for call in sink.calls:
        assert call.method == "POST"
        assert call.headers["Content-Type"] == STRUCTURED
        assert not [name for name in call.headers if name.lower().startswith("ce-")]
    return [json.loads(call.body) for call in sink.calls]


def arrived(reply: Reply) -> bool:
    """Whether the sender was told that the result is published, and nothing else."""
    assert not [name for name in reply.headers if name.startswith("ce-")]
    return (reply.status, reply.body) == (204, b"")


def accept(connection: Connection) -> None:
    """Take a request, and say so."""
    connection.receive_head()
    connection.send(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
    connection.wait_until_left()


class TestAResultForASink:
    def test_is_sent_where_a_secret_is_part_of_the_url_without_telling_the_log(
        self, run: RunFunction, to_sink: Mapping[str, str], sink: Simulator
    ) -> None:
        function = run({**to_sink, "K_SINK": f'{sink.url}/sink?key=p"w^5ecret', "REAPER_LOG_LEVEL": "DEBUG"})

        assert arrived(deliver(function.url, expired_event()))

        assert "5ecret" not in function.output

    def test_behind_a_proxy_is_sent_to_the_proxy_with_the_whole_url(
        self, simulator: Simulator, settings: Mapping[str, str]
    ) -> None:
        """RFC 9112 §3.2.2."""
        with Listener(accept) as proxy:
            addresses = {"K_SINK": "http://broker.example/events?of=a", "HTTP_PROXY": f"http://127.0.0.1:{proxy.port}"}
            with run_function({**settings, **addresses}) as function:
                assert arrived(deliver(function.url, expired_event()))

        assert proxy.received.startswith(b"POST http://broker.example/events?of=a HTTP/1.1\r\n")
        assert proxy.received.count(b"\r\nHost: broker.example\r\n") == 1

    @BOTH_MODES
    @pytest.mark.parametrize(
        ("arguments", "result_type"),
        [
            ({}, DELETED),
            ({"backup_id": AUTOMATED}, FAILED),
            ({"backup_id": "../backups"}, FAILED),
            ({"members": {"dry_run": True}}, SKIPPED),
        ],
        ids=["deleted", "failed", "data that does not fit", "skipped"],
    )
    def test_is_published_in_structured_mode_and_answered_204_without_a_body(
        self, function: Running, sink: Simulator, arguments: dict[str, Any], result_type: str, mode: Mode
    ) -> None:
        event = expired_event(**arguments)

        reply = deliver(function.url, event, mode)

        assert arrived(reply)
        (result,) = published(sink)
        assert result["type"] == result_type
        assert result["data"]["request"] == {name: event[name] for name in ("source", "id", "type")}
        assert result["datacontenttype"] == "application/json"

    @BOTH_MODES
    def test_is_the_event_that_would_have_been_the_reply(
        self, run: RunFunction, settings: Mapping[str, str], function: Running, sink: Simulator, mode: Mode
    ) -> None:
        event = expired_event(members={"dry_run": True}, correlationid="retention run 7, Zürich")

        replied = deliver(run(settings).url, event, mode).event
        deliver(function.url, event, mode)

        (result,) = published(sink)
        assert {**result, "time": ""} == {**replied, "time": ""}

    def test_has_the_extensions_of_the_binding_besides(
        self, run: RunFunction, to_sink: Mapping[str, str], sink: Simulator
    ) -> None:
        overrides = {"extensions": {"team": "databases, Zürich", "causationid": "not of the request"}}
        function = run({**to_sink, "K_CE_OVERRIDES": json.dumps(overrides)})
        event = expired_event()

        assert arrived(deliver(function.url, event))

        (result,) = published(sink)
        assert result["team"] == "databases, Zürich"
        assert result["causationid"] == event["id"]

    @pytest.mark.parametrize("status", [200, 201, 202, 204])
    def test_has_arrived_with_any_2xx(self, function: Running, sink: Simulator, status: int) -> None:
        sink.faults.replace([Fault(status=status, body={"ok": True} if status != 204 else None)])

        assert arrived(deliver(function.url, expired_event()))

    @pytest.mark.parametrize(
        ("written", "target"),
        [
            ("/sink?key=a%20b&key=/c?&x=%E4%B8%AD", "/sink?key=a%20b&key=/c?&x=%E4%B8%AD"),
            ("/sink/default/my-broker", "/sink/default/my-broker"),
            ("/sink/a.b;c=d/~e/%2Ff/", "/sink/a.b;c=d/~e/%2Ff/"),
            ("/", "/"),
            ("", "/"),
            ("?to=sink", "/?to=sink"),
        ],
    )
    def test_goes_to_exactly_the_url_that_is_configured(
        self, run: RunFunction, to_sink: Mapping[str, str], sink: Simulator, written: str, target: str
    ) -> None:
        sink.faults.replace([Fault(times=None, status=202)])
        function = run({**to_sink, "K_SINK": sink.url + written})

        assert arrived(deliver(function.url, expired_event()))

        assert [call.path for call in sink.calls] == [target]

    def test_is_not_there_where_there_is_no_outcome(
        self, simulator: Simulator, function: Running, sink: Simulator
    ) -> None:
        simulator.fault(Fault(method="DELETE", status=429), Fault(method="DELETE", status=500))

        answers = [
            deliver(function.url, event).status
            for event in (expired_event(), expired_event(), expired_event(type="another"), expired_event(type=DELETED))
        ]

        assert answers == [429, 503, 400, 400]
        assert published(sink) == []


@dataclass(frozen=True, slots=True)
class Trouble:
    """What the sink does wrong, and the `error_code` of the answer to the sender."""

    name: str
    fault: Fault | None
    code: str = "SINK_REFUSED"


def redirect(status: int) -> Trouble:
    return Trouble(f"redirecting with {status}", Fault(status=status, headers={"Location": "/sink/elsewhere"}))


TROUBLES: Final = (
    Trouble("down", None, "SINK_UNREACHABLE"),
    Trouble("silent", Fault(hang=True), "SINK_UNREACHABLE"),
    Trouble("too slow", Fault(delay=3.0, status=202), "SINK_UNREACHABLE"),
    Trouble("ending the connection", Fault(drop=True), "SINK_UNREACHABLE"),
    Trouble(
        "ending within the answer", Fault(status=202, body="x", headers={"Content-Length": "99"}), "SINK_UNREACHABLE"
    ),
    *[Trouble(f"refusing with {status}", Fault(status=status)) for status in (400, 401, 403, 404, 410, 413, 415)],
    Trouble("throttling", Fault(status=429, headers={"Retry-After": "7"})),
    *[Trouble(f"broken with {status}", Fault(status=status, body="<html>")) for status in (500, 502, 503, 504)],
    *[redirect(status) for status in (300, 301, 302, 303, 307, 308)],
    *[
        Trouble(
            f"answering {status} with a login page",
            Fault(status=status, body="<!DOCTYPE html><form>", headers={"Content-Type": "text/html"}),
        )
        for status in (200, 202)
    ],
)
each_trouble = pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.name)


class TestASinkInTrouble:
    @each_trouble
    def test_is_not_final_and_the_redelivery_publishes_the_same_id(
        self,
        simulator: Simulator,
        sink: Simulator,
        function: Running,
        run: RunFunction,
        settings: Mapping[str, str],
        others: set[str],
        trouble: Trouble,
    ) -> None:
        event = expired_event()
        if trouble.fault:
            sink.faults.replace([trouble.fault, ACCEPT])
        else:
            sink.stop()
        try:
            reply = deliver(function.url, event)
        finally:
            if not trouble.fault:
                sink.start()

        assert (reply.status, reply.problem["error_code"]) == (503, trouble.code)
        assert reply.retry_after > 0
        assert simulator.backup_ids(PROJECT) == others
        tried = published(sink)
        assert len(tried) == (1 if trouble.fault else 0)

        assert arrived(deliver(function.url, event))

        *_, result = published(sink)
        assert (result["type"], result["subject"], result["data"]["already_absent"]) == (DELETED, BACKUP, True)
        assert [earlier["id"] for earlier in tried] == [result["id"]] * len(tried)
        assert result["id"] == deliver(run(settings).url, event).event["id"]
        assert {call.path for call in sink.calls} == {"/sink"}  # no redirect was followed
        assert simulator.backup_ids(PROJECT) == others

    @pytest.mark.parametrize(
        ("address", "cause"),
        [
            ("http://127.0.0.1:1", "refused"),
            ("http://no-such-host.invalid", "resolve|gaierror"),
        ],
    )
    def test_is_told_by_its_cause_and_without_its_path(
        self, settings: Mapping[str, str], address: str, cause: str
    ) -> None:
        """The path of a sink's URL can be what entitles to use it."""
        with run_function({**settings, "K_SINK": f"{address}/5ecret/path?key=5ecret"}) as function:
            reply = deliver(function.url, expired_event())

            assert reply.problem["error_code"] == "SINK_UNREACHABLE"
            assert re.search(cause, reply.problem["error_msg"], re.IGNORECASE)
            assert address in reply.problem["error_msg"]
            lines = [json.loads(line) for line in function.output.splitlines() if line.startswith("{")]
            assert [call["url.full"] for line in lines for call in line.get("calls", [])][1:] in ([address], [])
            assert "5ecret" not in f"{reply.body!r} {function.output}"

    def test_that_comes_back_in_time_is_none(self, function: Running, sink: Simulator) -> None:
        sink.faults.replace([Fault(status=202, delay=0.3)])

        assert arrived(deliver(function.url, expired_event()))

    @pytest.mark.parametrize("kind", [FAILED, SKIPPED])
    def test_keeps_a_result_of_any_kind_open(self, function: Running, sink: Simulator, kind: str) -> None:
        sink.faults.replace([Fault(status=503), ACCEPT])
        event = expired_event(backup_id=AUTOMATED, members={"dry_run": True} if kind == SKIPPED else {})

        assert deliver(function.url, event).status == 503
        assert arrived(deliver(function.url, event))

        first, second = published(sink)
        assert first["type"] == second["type"] == kind
        assert first["id"] == second["id"]

    def test_shares_the_deadline_with_the_api(self, simulator: Simulator, function: Running, sink: Simulator) -> None:
        """One deadline covers everything that a delivery does with the outside: two seconds here, not four."""
        simulator.fault(Fault(method="DELETE", delay=1.5))
        sink.faults.replace([Fault(hang=True)])

        reply = deliver(function.url, expired_event())

        assert reply.problem["error_code"] == "SINK_UNREACHABLE"
        assert 1.9 < reply.seconds < 3.0

    def test_is_not_asked_when_the_api_has_taken_all_the_time(
        self, simulator: Simulator, function: Running, sink: Simulator
    ) -> None:
        simulator.fault(Fault(method="DELETE", hang=True))

        assert deliver(function.url, expired_event()).problem["error_code"] == "NO_ANSWER"
        assert sink.calls == []


def seen(calls: list[Call]) -> str:
    """All that a server was sent."""
    return "\n".join(f"{call.path}\n{call.headers}\n{call.body.decode()}" for call in calls)


class TestTheCredential:
    """The API's token goes to the API alone, and the sink's to the sink."""

    @pytest.mark.parametrize("status", [202, 307, 401, 407])
    def test_never_goes_to_the_sink(
        self, simulator: Simulator, function: Running, sink: Simulator, status: int
    ) -> None:
        sink.faults.replace(
            [Fault(status=status, headers={"Location": "/sink/elsewhere", "WWW-Authenticate": "Basic"}), ACCEPT]
        )
        simulator.fault(Fault(method="DELETE", status=400, body={"error_code": "A", "error_msg": f"bad token {TOKEN}"}))

        for _ in range(2):
            deliver(function.url, expired_event(), headers={"Authorization": "Bearer of-the-deliverer"})

        assert TOKEN in seen(simulator.calls)
        assert len(sink.calls) == 2
        assert TOKEN not in seen(sink.calls)
        assert "of-the-deliverer" not in seen(sink.calls)
        headers = {"content-type", "content-length", "host", "user-agent", "accept-encoding", "connection"}
        assert {name.lower() for call in sink.calls for name in call.headers} <= headers
        agents = {call.headers["User-Agent"] for call in [*sink.calls, *simulator.calls]}
        assert agents == {f"backup-reaper/{VERSION}"}

    def test_of_the_sink_goes_to_the_sink_alone_and_is_read_anew_for_every_result(
        self, simulator: Simulator, to_sink: Mapping[str, str], sink: Simulator, tmp_path: Path
    ) -> None:
        """Kubernetes replaces the file before the token expires."""
        file = tmp_path / "token"
        file.write_text("eyJhbGciOi.5ecret-first")
        with run_function({**to_sink, "REAPER_SINK_TOKEN_FILE": str(file), "REAPER_LOG_LEVEL": "DEBUG"}) as function:
            assert arrived(deliver(function.url, expired_event()))
            file.write_text("eyJhbGciOi.5ecret-second\n")
            assert arrived(deliver(function.url, expired_event()))
            file.unlink()
            gone = deliver(function.url, expired_event())
            file.write_text("eyJhbGciOi.5ecret-third\n")
            sink.faults.replace([Fault(status=401, body="eyJhbGciOi.5ecret-third")])
            refused = deliver(function.url, expired_event())

            assert "5ecret" not in f"{function.output} {gone.body!r} {refused.body!r}"

        assert [call.headers["Authorization"] for call in sink.calls] == [
            f"Bearer eyJhbGciOi.5ecret-{number}" for number in ("first", "second", "third")
        ]
        assert gone.problem["error_msg"] == f"the sink's token file {file} does not exist"
        assert (gone.problem["error_code"], refused.problem["error_code"]) == ("SINK_TOKEN_UNREADABLE", "SINK_REFUSED")
        assert "5ecret" not in seen(simulator.calls)

    def test_that_signs_does_not_sign_for_the_sink(
        self, simulator: Simulator, run: RunFunction, to_sink: Mapping[str, str], sink: Simulator
    ) -> None:
        key: AccessKey = next(iter(simulator.account.access_keys.values()))
        keyed = {name: value for name, value in to_sink.items() if name != "HW_AUTH_TOKEN"}
        function = run({**keyed, "HW_ACCESS_KEY": key.access, "HW_SECRET_KEY": key.secret})

        assert arrived(deliver(function.url, expired_event()))

        assert key.access in seen(simulator.calls)
        assert key.access not in seen(sink.calls)
        assert "Authorization" not in seen(sink.calls)


class _TlsSink(ThreadingHTTPServer):
    """A sink that takes everything, over TLS.

    Attributes:
        bodies: all it has taken.
    """

    daemon_threads = True

    def __init__(self, certificate: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Taking)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.bodies: list[bytes] = []
        self.url = f"https://127.0.0.1:{self.server_port}/sink?a=b"

    def handle_error(self, *_: object) -> None:
        """Say nothing of clients that do not trust us."""


class _Taking(BaseHTTPRequestHandler):
    server: _TlsSink

    def do_POST(self) -> None:
        self.server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(202)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "ours")


@pytest.fixture
def tls_sink(authority: Authority) -> Iterator[_TlsSink]:
    with _TlsSink(authority.issue("127.0.0.1")) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class TestASinkWithTls:
    def test_takes_results_when_its_certificate_is_trusted(
        self, settings: Mapping[str, str], tls_sink: _TlsSink, authority: Authority
    ) -> None:
        trusting = {"K_SINK": tls_sink.url, "REQUESTS_CA_BUNDLE": str(authority.bundle)}
        with run_function({**settings, **trusting}) as function:
            assert arrived(deliver(function.url, expired_event()))

        (result,) = map(json.loads, tls_sink.bodies)
        assert result["type"] == DELETED

    def test_takes_results_when_the_binding_brings_its_certificate(
        self, settings: Mapping[str, str], tls_sink: _TlsSink, authority: Authority
    ) -> None:
        """K_CA_CERTS, besides what is trusted anyway."""
        with run_function({**settings, "K_SINK": tls_sink.url, "K_CA_CERTS": authority.bundle.read_text()}) as function:
            assert arrived(deliver(function.url, expired_event()))

        assert len(tls_sink.bodies) == 1

    def test_is_sent_nothing_when_its_certificate_is_not_trusted(
        self, settings: Mapping[str, str], tls_sink: _TlsSink, simulator: Simulator, others: set[str]
    ) -> None:
        with run_function({**settings, "K_SINK": tls_sink.url}) as function:
            reply = deliver(function.url, expired_event())

        assert (reply.status, reply.problem["error_code"]) == (503, "SINK_UNREACHABLE")
        assert "the certificate is refused: unable to get local issuer" in reply.problem["error_msg"]
        assert tls_sink.bodies == []
        assert simulator.backup_ids(PROJECT) == others


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("K_SINK", "http://user:5ecret@broker.example/"),
        ("K_SINK", "ftp://broker.example/5ecret"),
        ("K_CA_CERTS", "5ecret"),
        ("K_CE_OVERRIDES", '{"extensions": {"id": "5ecret"}}'),
        ("K_CE_OVERRIDES", '{"extensions": {"data": "5ecret"}}'),
        ("K_CE_OVERRIDES", '{"extensions": ["5ecret"]}'),
    ],
)
def test_a_binding_that_is_not_usable_keeps_the_function_from_starting(
    settings: Mapping[str, str], name: str, value: str
) -> None:
    with pytest.raises(RuntimeError, match="exit 1") as ended, run_function({**settings, name: value}):
        pass

    assert f"{name} must " in str(ended.value)
    assert "Traceback" not in str(ended.value)
    assert "5ecret" not in str(ended.value)
