"""W3C Trace Context: what is well-formed is passed on, what is not is dropped."""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from function.events.trace import read_trace

PARENT: Final = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"  # the specification's example
OTHER: Final = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"


def test_a_trace_comes_as_headers() -> None:
    headers = {"traceparent": PARENT, "tracestate": "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"}

    assert read_trace(headers, {}) == headers


def test_a_trace_comes_as_an_extension() -> None:
    """CloudEvents, "Distributed Tracing extension"."""
    attributes = {"traceparent": PARENT, "tracestate": "rojo=1"}

    assert read_trace({"traceparent": "broken", "tracestate": "congo=2"}, attributes) == attributes


def test_headers_win_over_the_extension() -> None:
    assert read_trace({"traceparent": PARENT}, {"traceparent": OTHER, "tracestate": "rojo=1"}) == {
        "traceparent": PARENT
    }


@pytest.mark.parametrize(
    "parent",
    [  # "traceparent Header Field Values"
        "",
        "None",
        PARENT.upper(),
        PARENT[:-1],
        PARENT + "0",
        PARENT + "\n",
        "01" + PARENT[2:],
        "ff" + PARENT[2:],
        PARENT + "-what-the-future-will-be-like",
        f"00-{'0' * 32}-b7ad6b7169203331-01",
        f"00-0af7651916cd43dd8448eb211c80319c-{'0' * 16}-01",
        PARENT.replace("a", "g"),
        PARENT.replace("-", "_"),
        " " + PARENT,
    ],
)
def test_a_malformed_parent_is_dropped_with_its_state(parent: str) -> None:
    assert read_trace({"traceparent": parent, "tracestate": "rojo=1"}, {}) == {}


def test_an_all_zero_start_is_no_all_zero_id() -> None:
    parent = f"00-{'0' * 31}1-{'0' * 15}1-00"

    assert read_trace({"traceparent": parent}, {}) == {"traceparent": parent}


@pytest.mark.parametrize("value", [1, True, False])
def test_an_extension_that_is_no_text_is_no_trace(value: int) -> None:
    assert read_trace({}, {"traceparent": value}) == {}
    assert read_trace({}, {"traceparent": PARENT, "tracestate": value}) == {"traceparent": PARENT}


@pytest.mark.parametrize(
    "state",
    [  # "tracestate Header Field Values"
        "rojo=1",
        "rojo=1,congo=2",
        "rojo=1 , congo=2",
        "fw529a3039@dt=FfD@0x",
        "a_-*/1=!#~ +",
        "0=" + "v" * 256,
        "k" * 256 + "=v",
        ",".join(f"k{number}=1" for number in range(32)),
        "k=" + "v" * 254 + ",l=" + "v" * (512 - 259),
    ],
    ids=lambda state: f"{state[:20]} {len(state)}",
)
def test_a_well_formed_state_is_kept(state: str) -> None:
    assert read_trace({"traceparent": PARENT, "tracestate": state}, {}) == {"traceparent": PARENT, "tracestate": state}


@pytest.mark.parametrize(
    "state",
    [
        "",
        "rojo",
        "rojo=",
        "=1",
        "ROJO=1",
        "_a=1",
        "rojo=1,,congo=2",
        "rojo=a=b",
        "rojo=1,",
        "rojo=1\r\nX-Auth-Token: x",
        "rojo=\u00fc",
        "rojo=1 ",
        "0=" + "v" * 257,
        "k" * 257 + "=v",
        ",".join(f"k{number}=1" for number in range(33)),
        "k=" + "v" * 254 + ",l=" + "v" * (512 - 258),
    ],
    ids=lambda state: f"{state[:20]!a} {len(state)}",
)
def test_a_malformed_state_is_dropped_and_the_parent_kept(state: str) -> None:
    assert read_trace({"traceparent": PARENT, "tracestate": state}, {}) == {"traceparent": PARENT}


@given(st.dictionaries(st.sampled_from(["traceparent", "tracestate"]), st.text() | st.just(PARENT)))
def test_nothing_that_could_end_a_header_is_passed_on(headers: dict[str, str]) -> None:
    trace = read_trace(headers, headers)

    assert all(32 <= ord(character) < 127 or character == "\t" for value in trace.values() for character in value)
