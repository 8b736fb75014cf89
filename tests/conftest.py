"""The harness: the simulator in this process on a real socket, the real function as processes of its own."""

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Final, Protocol

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from simulator import Simulator
from simulator.processes import Running, run_function

# The proxies and certificates of whoever runs the tests are not what is tested.
for _name in list(os.environ):
    if _name.lower() in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "requests_ca_bundle", "curl_ca_bundle"):
        del os.environ[_name]

# Tests send Ctrl-C. What a shell starts in the background ignores it, and so would all processes that tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Coverage traces the processes that have this in their environment. To trace all would take a sixth of the time of
# `make test`, and the unit tests reach most of the lines: it is given to the processes that run the others.
MEASURED: Final = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_PROCESS")}
if "PYTEST_XDIST_WORKER" in os.environ:  # the process that starts the workers has to hand it on
    for _name in MEASURED:
        del os.environ[_name]

# What `make test` asks for: the properties of retention in thousands of cases (tests/facts/planning.py).
hypothesis_settings.register_profile(
    "whole", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow]
)

TOKEN: Final = "demo-token"  # of the simulator's account


class RunFunction(Protocol):
    def __call__(self, settings: Mapping[str, str], /, target: str = "delete_backup") -> Running: ...


@pytest.fixture(scope="session")
def run() -> Iterator[RunFunction]:
    """Runs the function with the settings given: one process for all tests that ask for the same."""
    running: dict[tuple[str, frozenset[tuple[str, str]]], Running] = {}
    with ExitStack() as stack:

        def run_once(settings: Mapping[str, str], /, target: str = "delete_backup") -> Running:
            key = target, frozenset(settings.items())
            if key not in running:
                running[key] = stack.enter_context(run_function(settings, target=target))
            return running[key]

        yield run_once
        for process in running.values():
            process.process.terminate()  # all at once; the stack waits for each


@pytest.fixture(scope="session")
def lasting_simulator() -> Iterator[Simulator]:
    """A simulator whose URL lasts. A test that changes anything of it wants `simulator`."""
    with Simulator() as running:
        yield running


@pytest.fixture
def simulator(lasting_simulator: Simulator) -> Iterator[Simulator]:
    """The simulator with the account as in `simulator/account.json`; what a test changes of it ends with the test."""
    lasting_simulator.reset()
    yield lasting_simulator
    lasting_simulator.reset()  # the next test may want no more than the lasting one


@pytest.fixture
def settings(simulator: Simulator) -> dict[str, str]:
    """What the function needs to work with the simulator."""
    return {"REAPER_API_ENDPOINT": simulator.url, "HW_AUTH_TOKEN": TOKEN, "THREADS": "16"}


@pytest.fixture
def function(run: RunFunction, settings: Mapping[str, str]) -> Running:
    """The function as it is without any option."""
    return run(settings)


@pytest.fixture
def hasty_function(run: RunFunction, settings: Mapping[str, str]) -> Running:
    """The function with a deadline of one second."""
    return run({**settings, "REAPER_DEADLINE_SECONDS": "1"})
