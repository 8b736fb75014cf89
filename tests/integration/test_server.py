"""gunicorn as the function sets it: what proxies add is let through, and no client holds a thread or the main loop."""

import http.client
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
from gunicorn.config import Config as Settings

from function.body import send_and_discard
from function.version import VERSION
from simulator import Simulator
from simulator.processes import FOREIGN, ROOT, Running, run_function
from tests.conftest import MEASURED, TOKEN, RunFunction
from tests.wire.deliverer import DELETED, STRUCTURED, send
from tests.wire.front_door import CANARY, VALID, binary, check_answer, chunks, converse, request

TWO_THREADS: Final = 2
HELD_SECONDS: Final = 5.0  # at most, by a client: four for what it still sends, one to close


@pytest.fixture(scope="module")
def small_settings(lasting_simulator: Simulator) -> dict[str, str]:
    return {
        "REAPER_API_ENDPOINT": lasting_simulator.url,
        "HW_AUTH_TOKEN": TOKEN,
        "THREADS": str(TWO_THREADS),
        **MEASURED,
    }


@pytest.fixture(scope="module")
def small(small_settings: Mapping[str, str]) -> Iterator[Running]:
    """A function with two threads, for clients that hold them."""
    with run_function(small_settings) as running:
        yield running


@pytest.fixture(scope="module")
def door(run: RunFunction, small_settings: Mapping[str, str]) -> Running:
    return run({**small_settings, "THREADS": "16"})


def connect(url: str) -> socket.socket:
    address = urlsplit(url)
    return socket.create_connection((address.hostname or "", address.port or 80), timeout=30)


def lines(running: Running) -> list[dict[str, Any]]:
    return [json.loads(line) for line in running.output.splitlines()]


# What proxies add. These come from loopback, as those of a side car in the same pod do.

ADDED: Final = {
    "scheme headers that contradict each other": ["X-Forwarded-Proto: https", "X-Forwarded-Ssl: off"],
    "a scheme from each of two proxies": ["X-Forwarded-Proto: https", "X-Forwarded-Proto: http"],
    "two schemes in one header": ["X-Forwarded-Proto: https, http", "X-Forwarded-Protocol: ssl"],
    "names that gunicorn takes for settings": ["SCRIPT_NAME: /prefix", "PATH_INFO: /health"],
    "what Envoy adds": [
        "X-Forwarded-For: 10.0.0.1, 10.0.0.2",
        "X-Envoy-Attempt-Count: 1",
        f"X-Forwarded-Client-Cert: Chain={'%2B' * 5000}",
    ],
    "an expectation in another case": ["Expect: 100-Continue"],
    "a cookie": ["Cookie: session=1; other"],
    "a trace of Google's": [
        "X-Cloud-Trace-Context: 105445aa7843bc8bf206b12000100000/1;o=1",
        "Function-Execution-Id: x",
    ],
}


@pytest.mark.parametrize("what", ADDED)
def test_what_a_proxy_adds_keeps_no_delivery_out(door: Running, what: str) -> None:
    assert converse(door.url, binary(None, *ADDED[what])).event["type"] == DELETED


def test_a_client_that_would_rather_speak_http_2_is_answered_in_http_1(door: Running) -> None:
    """As Java's HttpClient asks on its first request."""
    asked = binary(None, "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA")

    answer = converse(door.url, asked.replace(b"Connection: close", b"Connection: Upgrade, HTTP2-Settings"))

    assert answer.event["type"] == DELETED


@pytest.mark.parametrize("host", ["", "Host:", "Host: reaper_1.svc:8080", "Host: [::1]:8080", "Host: a b/c"])
def test_no_host_keeps_a_delivery_out(door: Running, host: str) -> None:
    sent = binary().replace(b"Host: function.example\r\n", f"{host}\r\n".encode() if host else b"")

    assert converse(door.url, sent).event["type"] == DELETED


def test_a_connection_stays_open_for_the_next_delivery(door: Running) -> None:
    """A proxy that sends on a connection that was just closed gets no answer, and its broker delivers again."""
    with closing(http.client.HTTPConnection(urlsplit(door.url).netloc, timeout=30)) as connection:
        connection.connect()
        only = connection.sock
        for pause in (0.0, 2.5):  # gunicorn's own patience ends after two seconds
            time.sleep(pause)
            connection.request("GET", "/health")
            assert connection.getresponse().read() == b""
            assert connection.sock is only


def test_all_that_is_chosen_are_settings_of_this_gunicorn(door: Running) -> None:
    """A name that no setting has would choose nothing."""
    text = (ROOT / "function" / "server.py").read_text()
    chosen = re.findall(r'^        "([a-z_]+)":', text, re.MULTILINE)

    assert len(chosen) > 8
    assert set(chosen) <= Settings().settings.keys()


def test_a_target_chooses_how_long_its_deliveries_have_to_end() -> None:
    """In a process of its own: what is chosen is chosen for all of gunicorn."""
    check = (
        "from function import server; from gunicorn.config import Config; "
        "server.configure({}, graceful_timeout=305); print(Config().graceful_timeout)"
    )
    run = subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, check=True)

    assert run.stdout == "305\n"


# What gunicorn says.


def test_a_request_that_gunicorn_refuses_is_one_warning_without_what_it_said(small: Running) -> None:
    before = len(lines(small))

    answer = converse(small.url, binary(None, f"{CANARY} meant as a header"))

    assert answer.status == 400
    (line,) = lines(small)[before:]
    assert (line["severity"], line["message"]) == (
        "WARNING",
        "Invalid request from ip=127.0.0.1: Invalid HTTP Header",
    )


def test_the_first_line_says_where_it_listens_and_what_is_in_force(small: Running) -> None:
    first = lines(small)[0]

    assert first["message"] == f"listening on {small.url}"
    assert first["version"] == VERSION
    assert first["config"]["threads"] == TWO_THREADS


def test_a_port_that_is_taken_ends_the_start_with_one_line(small: Running, small_settings: Mapping[str, str]) -> None:
    port = urlsplit(small.url).port
    framework = Path(sys.executable).with_name("functions-framework")
    command: list[str | Path] = [framework, "--source", ROOT / "function" / "main.py", "--target", "delete_backup"]
    env = {**clean(), **small_settings, "HOST": "127.0.0.1", "PORT": str(port)}

    run = subprocess.run(command, env=env, capture_output=True, text=True, timeout=30, check=False)

    assert run.returncode == 1
    assert run.stdout == ""
    assert run.stderr == f"backup-reaper cannot start: cannot listen on 127.0.0.1:{port}: Address already in use\n"


def clean() -> dict[str, str]:
    """The environment of the tests, without settings of the function."""
    return {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}


# Slow clients. Each test has at least as many as there are threads.


def probe_seconds(running: Running) -> float:
    """How long a probe waits for its 200."""
    reply = send(running.url, method="GET", path="/health", timeout=60)
    assert reply.status == 200
    return reply.seconds


def trickle(connections: list[socket.socket], seconds: float, pause: float = 0.3) -> None:
    """Send a byte on each connection again and again, until nobody listens or the time is over."""
    until = time.monotonic() + seconds
    while connections and time.monotonic() < until:
        for connection in connections[:]:
            try:
                connection.sendall(b"x")
            except OSError:
                connections.remove(connection)
        time.sleep(pause)


@pytest.mark.parametrize("framing", ["Content-Length: 50000", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize("closing_after", [False, True], ids=["kept open", "to be closed"])
def test_clients_that_go_on_after_their_answer_hold_no_thread_for_long(
    small: Running, framing: str, closing_after: bool
) -> None:
    sent = request("Content-Type: text/plain", framing=framing, method="PUT")
    if not closing_after:
        sent = sent.replace(b"Connection: close\r\n", b"")
    if "chunked" in framing:
        sent += b"ffff\r\n"
    with ExitStack() as stack:
        slow = [stack.enter_context(closing(connect(small.url))) for _ in range(TWO_THREADS)]
        for connection in slow:
            connection.sendall(sent)
            assert connection.recv(99).startswith(b"HTTP/1.1 405 ")
        began = time.monotonic()

        trickle(slow, HELD_SECONDS + 1)

        assert slow == []
        assert time.monotonic() - began < HELD_SECONDS + 1
        assert probe_seconds(small) < 1


def test_clients_that_do_not_close_hold_up_nobody_else(small: Running) -> None:
    """gunicorn's main loop would wait for each of them, one after the other, and accept nobody."""
    with ExitStack() as stack:
        for sent in [request(method="GET", target="/health"), b"malformed\r\n\r\n", binary()] * 5:
            connection = stack.enter_context(closing(connect(small.url)))
            connection.sendall(sent)
            assert connection.recv(99).startswith(b"HTTP/1.1 ")

            assert probe_seconds(small) < 1


def test_a_head_that_trickles_in_holds_a_thread_for_ten_seconds(small: Running) -> None:
    with ExitStack() as stack:
        slow = [stack.enter_context(closing(connect(small.url))) for _ in range(TWO_THREADS)]
        for connection in slow:
            connection.sendall(b"POST / HTTP/1.1\r\nX: ")
        before = len(lines(small))
        began = time.monotonic()

        trickle(slow, 13)

        assert slow == []
        assert 9 < time.monotonic() - began < 12
        assert probe_seconds(small) < 1
    said = [(line["severity"], line["message"]) for line in lines(small)[before:]]
    assert said == [("WARNING", "a client was too slow: its connection is closed")] * TWO_THREADS


@pytest.mark.parametrize("framing", ["Content-Length: 50000", "Transfer-Encoding: chunked"])
def test_a_body_that_comes_late_is_told_so_and_nothing_is_done(
    run: RunFunction, small_settings: Mapping[str, str], lasting_simulator: Simulator, framing: str
) -> None:
    hasty = run({**small_settings, "REAPER_DEADLINE_SECONDS": "1.5"})
    before, written = len(lasting_simulator.calls), len(lines(hasty))
    head = request(f"Content-Type: {STRUCTURED}", framing=framing)
    with closing(connect(hasty.url)) as connection:
        began = time.monotonic()
        connection.sendall(head + (b"ffff\r\n" if "chunked" in framing else b""))
        trickle([connection], 0.6, 0.1)
        response = http.client.HTTPResponse(connection)
        response.begin()
        seconds, problem = time.monotonic() - began, json.loads(response.read())

    assert (response.status, problem["error_code"], response.headers["Retry-After"]) == (503, "LATE_BODY", "30")
    assert 0.7 < seconds < 1.5
    assert lasting_simulator.calls[before:] == []
    (line,) = lines(hasty)[written:]
    assert (line["outcome"], line["error_code"], line["calls"]) == ("not_final", "LATE_BODY", [])


def test_a_body_in_pieces_that_is_there_in_time_is_an_event(door: Running) -> None:
    with closing(connect(door.url)) as connection:
        sent = binary(body=b"").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked") + chunks(VALID)
        for start in range(0, len(sent), 100):
            connection.sendall(sent[start : start + 100])
            time.sleep(0.02)

        assert connection.recv(99).startswith(b"HTTP/1.1 200 ")


def test_a_client_that_does_not_take_its_answer_holds_no_thread_for_long() -> None:
    """Between two sockets with little room: the kernel's usual room takes any answer at once."""
    client, server = socket.socketpair()
    with client, server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            for piece in send_and_discard(b"x" * 1_000_000, {"gunicorn.socket": server}):
                server.sendall(piece)

        assert time.monotonic() - began < HELD_SECONDS


def test_answers_to_a_client_that_closes_its_half_are_whole(door: Running) -> None:
    answer = converse(door.url, request(method="PUT", body=b"x" * 60_000), half_close=True)

    check_answer(answer)
    assert answer.status == 405
