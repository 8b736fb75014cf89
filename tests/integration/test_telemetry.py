"""Traces without code: the documented command, and what an OTLP receiver gets."""

import re
import socket
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from simulator import Simulator
from simulator.processes import ROOT, Running, _free_port, _run
from tests.conftest import MEASURED
from tests.wire.deliverer import DELETED, deliver, expired_event

PAGE: Final = (ROOT / "docs" / "monitoring.md").read_text()
TRACE: Final = "4bf92f3577b34da6a3ce929d0e0e4736"
SENDER: Final = "00f067aa0ba902b7"
KEY: Final = {"HW_ACCESS_KEY": "DEMOACCESSKEY0000001", "HW_SECRET_KEY": "demo-secret-key-of-no-worth-0000000000001"}
WAIT_SECONDS: Final = 20.0


class Collector:
    """An OTLP receiver over HTTP, and the spans it has got."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self._more = threading.Condition()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                collector._take(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def _take(self, body: bytes) -> None:
        request = ExportTraceServiceRequest.FromString(body)
        with self._more:
            for resource in request.resource_spans:
                for scope in resource.scope_spans:
                    self.spans.extend(scope.spans)
            self._more.notify_all()

    def wait_for(self, count: int) -> list[Span]:
        """So many spans, or an AssertionError."""
        with self._more:
            assert self._more.wait_for(lambda: len(self.spans) >= count, WAIT_SECONDS), self.spans
            return list(self.spans)


@pytest.fixture
def collector() -> Iterator[Collector]:
    running = Collector()
    thread = threading.Thread(target=running.server.serve_forever, args=(0.05,))
    thread.start()
    yield running
    running.server.shutdown()
    running.server.server_close()
    thread.join()


def documented() -> tuple[dict[str, str], list[str]]:
    """The variables and the command of the page."""
    text = PAGE.partition("\n## Traces\n")[2]
    block = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)[0]
    variables = dict(re.findall(r"^export (\w+)=(\S+)", block, re.MULTILINE))
    command = block[block.index("opentelemetry-instrument") :].split("\n")[0].split()
    return variables, command


@contextmanager
def run_traced(endpoint: str, settings: Mapping[str, str], **more: str) -> Iterator[Running]:
    """The function, started by the documented command."""
    variables, command = documented()
    bin_directory, port = Path(sys.executable).parent, _free_port()
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in variables
    env = {
        **settings,
        **variables,
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "PATH": str(bin_directory),
        **MEASURED,
        **more,
    }
    with _run([bin_directory / command[0], *command[1:]], port, "/health", env, None) as running:
        yield running


def attributes(span: Span) -> dict[str, Any]:
    return {each.key: each.value.string_value or each.value.int_value for each in span.attributes}


@pytest.mark.parametrize("credential", [{"HW_AUTH_TOKEN": "demo-token"}, KEY], ids=["token", "access key"])
def test_a_delivery_is_a_span_in_the_senders_trace_and_each_call_a_span_in_it(
    collector: Collector, simulator: Simulator, credential: dict[str, str]
) -> None:
    settings = {"REAPER_API_ENDPOINT": simulator.url, "THREADS": "4", **credential}
    traceparent = {"traceparent": f"00-{TRACE}-{SENDER}-01"}
    with run_traced(collector.url, settings, OTEL_BSP_SCHEDULE_DELAY="100") as function:
        reply = deliver(function.url, expired_event(), headers=traceparent)
        spans = collector.wait_for(2)

    [server] = [span for span in spans if span.kind == Span.SPAN_KIND_SERVER]
    [client] = [span for span in spans if span.kind == Span.SPAN_KIND_CLIENT]
    assert reply.event["type"] == DELETED
    assert (server.trace_id.hex(), server.parent_span_id.hex()) == (TRACE, SENDER)
    assert (client.trace_id.hex(), client.parent_span_id) == (TRACE, server.span_id)
    assert client.name == "DELETE"
    assert attributes(client)["http.response.status_code"] == 200
    assert attributes(client)["url.full"].startswith(f"{simulator.url}/v3/")
    assert credential.get("HW_AUTH_TOKEN", "demo-secret") not in str(spans)


@pytest.mark.parametrize("kind", ["refused", "silent"])
def test_a_dead_collector_delays_no_delivery_and_the_exit_by_no_more_than_the_page_says(
    simulator: Simulator, kind: str
) -> None:
    settings = {"REAPER_API_ENDPOINT": simulator.url, "THREADS": "4", "HW_AUTH_TOKEN": "demo-token"}
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1] if kind == "silent" else _free_port()
        with run_traced(f"http://127.0.0.1:{port}", settings, OTEL_BSP_SCHEDULE_DELAY="100") as function:
            replies = [deliver(function.url, expired_event()) for _ in range(5)]
            began = time.monotonic()
            function.process.terminate()
            function.process.wait(30)
            seconds = time.monotonic() - began

    assert [reply.status for reply in replies] == [200] * 5
    assert [reply for reply in replies if reply.seconds > 2] == []
    assert seconds < 10
