"""The simulator and the real function as processes on loopback ports: for the demo, the tests and people."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

ROOT: Final = Path(__file__).parent.parent
SOURCES: Final = {"delete_backup": "main.py", "plan_retention": "planner.py"}
START_SECONDS: Final = 30.0
SETTINGS: Final = ("HW_", "REAPER_", "K_", "THREADS")  # variables of the function, by their beginnings
# The function is started with exactly the settings given: these are not inherited from whoever starts it.
FOREIGN: Final = (*SETTINGS, "DEBUG", "FUNCTION_", "PORT", "HOST", "WORKERS")
PROXIES: Final = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "requests_ca_bundle", "curl_ca_bundle")


@dataclass(frozen=True, slots=True)
class Running:
    """A process that answers at a URL; `log` is the file with its output and errors."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def output(self) -> str:
        """What it has written so far."""
        return self.log.read_text(errors="replace")


def settings_of(env: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of an environment that configure the function."""
    return {name: value for name, value in sorted(env.items()) if name.startswith(SETTINGS)}


def clean_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment with exactly these settings for the function, and no proxy."""
    own = os.environ.items()
    kept = {name: value for name, value in own if not name.startswith(FOREIGN) and name.lower() not in PROXIES}
    return {**kept, **settings}


def note_signals() -> list[int]:
    """Return a list that grows by each signal to end: what is being started or stopped then is not left behind."""
    ends: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: ends.append(number))
    return ends


@contextmanager
def run_function(
    env: Mapping[str, str], *, port: int = 0, log: Path | None = None, target: str = "delete_backup"
) -> Iterator[Running]:
    """A function under its framework, with exactly these settings, until the block ends.

    Args:
        port: 0 for a free one.
        target: `delete_backup` or `plan_retention`.

    Raises:
        RuntimeError: it did not start; the message holds its output.
    """
    framework, source = Path(sys.executable).with_name("functions-framework"), ROOT / "function" / SOURCES[target]
    command: list[str | Path] = [framework, "--source", source, "--target", target]
    port = port or _free_port()
    settings = {"HOST": "127.0.0.1", "PORT": str(port), "PYTHONUNBUFFERED": "1", **env}
    with _run(command, port, "/health", settings, log) as running:
        yield running


@contextmanager
def run_simulator(*options: str, port: int = 0, log: Path | None = None) -> Iterator[Running]:
    """The simulator, with options as on its command line, until the block ends; port 0: a free one."""
    port = port or _free_port()
    command = [sys.executable, "-m", "simulator", "--port", str(port), *options]
    with _run(command, port, "/_simulator/state", {}, log) as running:
        yield running


@contextmanager
def _run(
    command: Sequence[str | Path], port: int, probe: str, settings: Mapping[str, str], log: Path | None
) -> Iterator[Running]:
    env = clean_environment(settings)
    with tempfile.TemporaryDirectory() as scratch:
        path = log or Path(scratch) / "log"
        with path.open("ab") as output:
            process = _start(command, env, output)
        try:
            running = Running(f"http://127.0.0.1:{port}", process, path)
            _wait(running, port, probe)
            yield running
        finally:
            _stop(process)


def _start(command: Sequence[str | Path], env: Mapping[str, str], output: IO[bytes]) -> subprocess.Popen[bytes]:
    # A session of its own: Ctrl-C reaches only this process, which then stops the ones it started.
    return subprocess.Popen(command, cwd=ROOT, env=env, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)


def _wait(running: Running, port: int, probe: str) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if running.process.poll() is not None:
            raise RuntimeError(f"exit {running.process.returncode} at start:\n{running.output}")
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
            connection.request("GET", probe)
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.02)
        finally:
            connection.close()
    raise RuntimeError(f"not up after {START_SECONDS} s:\n{running.output}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
