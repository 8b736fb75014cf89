"""A sink for results and events."""

from collections.abc import Iterator
from typing import Final

import pytest

from simulator import Fault, Simulator

ACCEPT: Final = Fault(path="^/sink", times=None, status=202)


@pytest.fixture(scope="module")
def lasting_sink() -> Iterator[Simulator]:
    """A sink whose URL lasts; a test wants `sink`."""
    with Simulator() as running:
        yield running


@pytest.fixture
def sink(lasting_sink: Simulator) -> Simulator:
    """A sink that takes everything and remembers what it was sent."""
    lasting_sink.reset()
    lasting_sink.fault(ACCEPT)
    return lasting_sink
