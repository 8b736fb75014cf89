"""`make bench`: measures, prints a table, and writes bench/results.json and bench/results.svg."""

import argparse
import json
import os
import platform
import random
import socket
import statistics
import string
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from .certificate import write_certificate
from .load import events_per_second, request_bytes
from .report import print_report, ratios, write_plot

HERE: Final = Path(__file__).parent
EVENT: Final = (HERE.parent / "events" / "01-expired.deleted.json").read_bytes()
CONTESTANTS: Final = {
    "ours": HERE.parent / "function" / "main.py",
    "empty": HERE / "peers" / "empty.py",
    "plain": HERE / "peers" / "plain.py",
    "sdk": HERE / "peers" / "sdk.py",
}
# As long as a token of IAM is, and as random: a short word is found in log lines, and redacting them costs time.
TOKEN: Final = "MII" + "".join(random.Random(1).choices(string.ascii_letters + string.digits, k=2045))
START_ROUNDS: Final = 25
ROUNDS: Final = 11


@dataclass(frozen=True, slots=True)
class Contestant:
    """One function, running: its port, and the process at the root of its tree."""

    port: int
    pid: int

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}/"


@contextmanager
def running(name: str, endpoint: str, *, threads: int = 16, ca: Path | None = None) -> Iterator[Contestant]:
    """A contestant as the framework's process, once it has answered its first event."""
    port = free_port()
    env = {
        "PATH": os.environ["PATH"],
        "HOME": tempfile.gettempdir(),
        "PORT": str(port),
        "HOST": "127.0.0.1",
        "THREADS": str(threads),
        "HW_AUTH_TOKEN": TOKEN,
        "REAPER_API_ENDPOINT": endpoint,
        **({"REQUESTS_CA_BUNDLE": str(ca)} if ca else {}),
    }
    framework = Path(sys.executable).with_name("functions-framework")
    process = subprocess.Popen(
        [framework, "--source", CONTESTANTS[name], "--target", "delete_backup"], env=env, stdout=subprocess.DEVNULL
    )
    try:
        wait_for(port, process)
        yield Contestant(port, process.pid)
    finally:
        process.terminate()
        process.wait()


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Until a contestant has answered an event with success."""
    while process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port)) as connection:
                deliver(connection)
                return
        except ConnectionError:
            time.sleep(0.001)
    raise RuntimeError(f"exit {process.returncode} at start")


def deliver(connection: socket.socket) -> None:
    """One event over a kept connection; anything but success ends the benchmark."""
    connection.sendall(request_bytes(EVENT))
    answer = b""
    while b"\r\n\r\n" not in answer:
        if not (piece := connection.recv(65536)):
            raise ConnectionResetError
        answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 20"):
        raise RuntimeError(answer.decode("latin-1"))
    lengths = [int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    left = (lengths or [0])[0] - len(body)
    while left > 0:
        left -= len(connection.recv(65536))


@contextmanager
def api(delay: float = 0.0, certificate: Path | None = None) -> Iterator[str]:
    """The stand-in for the API; the URL it answers at."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.api", str(port), str(delay), *([str(certificate)] if certificate else [])]
    )
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except ConnectionError:
                time.sleep(0.01)
        yield f"{'https' if certificate else 'http'}://localhost:{port}"
    finally:
        process.terminate()
        process.wait()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def tree(pid: int) -> list[int]:
    """A process and its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(descendant for child in children for descendant in tree(int(child)))]


def cpu_seconds(pid: int) -> float:
    """User and system time of a process tree, by the scheduler's own account."""
    return sum(int(Path(f"/proc/{process}/schedstat").read_text().split()[0]) for process in threads_of(pid)) / 1e9


def threads_of(pid: int) -> list[str]:
    """Every thread of a process tree, as a path below /proc."""
    return [f"{process}/task/{task.name}" for process in tree(pid) for task in Path(f"/proc/{process}/task").iterdir()]


def pss_megabytes(pid: int) -> float:
    """What a process tree holds in memory, shared pages divided among those that share them."""
    rollups = (Path(f"/proc/{process}/smaps_rollup").read_text() for process in tree(pid))
    return sum(int(rollup.split("Pss:")[1].split()[0]) for rollup in rollups) / 1024


def measure_start(name: str, endpoint: str) -> dict[str, float]:
    """Cold start: spawn to the first answered event."""
    began = time.perf_counter()
    with running(name, endpoint):
        return {"cold_start_s": time.perf_counter() - began}


def measure_one_connection(contestant: Contestant, events: int) -> dict[str, float]:
    """Latency and CPU per event, one event after the other."""
    latencies = []
    with socket.create_connection(("127.0.0.1", contestant.port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        cpu = cpu_seconds(contestant.pid)
        for _ in range(events):
            began = time.perf_counter()
            deliver(connection)
            latencies.append(time.perf_counter() - began)
        cpu = cpu_seconds(contestant.pid) - cpu
    latencies.sort()
    return {
        "cpu_per_event_ms": 1000 * cpu / events,
        "p50_ms": 1000 * statistics.median(latencies),
        "p99_ms": 1000 * latencies[int(0.99 * events)],
    }


def interleaved(
    rounds: int, names: list[str], measure: Callable[[str], Mapping[str, float]]
) -> dict[str, dict[str, list[float]]]:
    """Each contestant in each round, in a random order; figures by contestant, a value a round."""
    order = random.Random(1)
    figures: dict[str, dict[str, list[float]]] = {name: {} for name in names}
    for number in range(rounds):
        for name in order.sample(names, len(names)):
            for figure, value in measure(name).items():
                figures[name].setdefault(figure, []).append(value)
        print(f"\r  round {number + 1} of {rounds}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return figures


def merge(into: dict[str, dict[str, list[float]]], more: Mapping[str, Mapping[str, list[float]]]) -> None:
    """Add figures to those there are."""
    for name, figures in more.items():
        into.setdefault(name, {}).update(figures)


def measure_all(rounds: int, start_rounds: int) -> dict[str, dict[str, list[float]]]:
    """Every figure of every contestant."""
    names = list(CONTESTANTS)
    figures: dict[str, dict[str, list[float]]] = {}
    with api() as endpoint:
        print("cold start", file=sys.stderr)
        merge(figures, interleaved(start_rounds, names, lambda name: measure_start(name, endpoint)))
        print("one connection, then 16", file=sys.stderr)

        def one_then_many(name: str) -> dict[str, float]:
            with running(name, endpoint) as contestant:
                events_per_second(contestant.url, EVENT, 4, 1)  # warm
                one = measure_one_connection(contestant, 400)
                many = events_per_second(contestant.url, EVENT, 16, 2)
                return {**one, "events_per_s_16": many, "memory_mb": pss_megabytes(contestant.pid)}

        merge(figures, interleaved(rounds, names, one_then_many))
    with api(0.05) as endpoint:
        print("64 connections, an API of 50 ms", file=sys.stderr)

        def slow(name: str) -> dict[str, float]:
            with running(name, endpoint, threads=64) as contestant:
                events_per_second(contestant.url, EVENT, 64, 1)
                return {"events_per_s_64": events_per_second(contestant.url, EVENT, 64, 3)}

        merge(figures, interleaved(rounds, names, slow))
    with tempfile.TemporaryDirectory() as scratch:
        certificate, ca = write_certificate(Path(scratch))
        with api(certificate=certificate) as endpoint:
            print("TLS, a connection for each call", file=sys.stderr)

            def tls(name: str) -> dict[str, float]:
                with running(name, endpoint, ca=ca) as contestant:
                    return {"cpu_per_event_tls_ms": measure_one_connection(contestant, 200)["cpu_per_event_ms"]}

            merge(figures, interleaved(rounds, ["ours", "plain", "sdk"], tls))
    return figures


def soak(events: int, block: int) -> None:
    """Print memory and cost of ours, block by block."""
    with api() as endpoint, running("ours", endpoint) as contestant:
        print("events  CPU ms/event  p50 ms  PSS MB")
        for done in range(block, events + 1, block):
            one, memory = measure_one_connection(contestant, block), pss_megabytes(contestant.pid)
            print(f"{done:6}  {one['cpu_per_event_ms']:12.3f}  {one['p50_ms']:6.2f}  {memory:6.1f}")


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--start-rounds", type=int, default=START_ROUNDS)
    parser.add_argument(
        "--soak", action="store_true", help="20,000 events to ours, and what becomes of memory and cost"
    )
    options = parser.parse_args()
    if options.soak:
        soak(20_000, 2_000)
        return
    figures = measure_all(options.rounds, options.start_rounds)
    machine = f"{os.cpu_count()} cores, Linux {platform.release()}, CPython {platform.python_version()}"
    results = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": machine,
        "figures": figures,
        "ratios": ratios(figures),
    }
    (HERE / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    write_plot(results, HERE / "results.svg")
    print_report(results)


if __name__ == "__main__":
    main()
