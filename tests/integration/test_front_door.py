"""The front door: what any bytes come to, how much of them is taken in, and what answers before the function does."""

import http.client
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from typing import Final
from urllib.parse import unquote, urlsplit

import pytest
from cloudevents.http import from_http
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from simulator import Fault, Simulator
from simulator.processes import Running
from tests.conftest import MEASURED, TOKEN, RunFunction
from tests.facts.account import PROJECT
from tests.facts.cloudevents_spec import CASES, broken_rules
from tests.facts.strategies import any_bytes, attribute_texts, json_values, near_ids, uri_references, valid_attributes
from tests.wire.deliverer import DELETED, EXPIRED, FAILED, STRUCTURED, Mode, encode
from tests.wire.front_door import (
    AT_THE_FUNCTION,
    BEFORE_THE_FUNCTION,
    CANARY,
    CORE,
    DATA,
    VALID,
    Row,
    binary,
    check_answer,
    chunks,
    converse,
    envelope,
    leaks,
    request,
    structured,
)
from tests.wire.memory import growth

MANY: Final = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
MB: Final = 1 << 20


@pytest.fixture(scope="module")
def door_settings(lasting_simulator: Simulator) -> dict[str, str]:
    return {"REAPER_API_ENDPOINT": lasting_simulator.url, "HW_AUTH_TOKEN": TOKEN, "THREADS": "16", **MEASURED}


@pytest.fixture(scope="module")
def door(run: RunFunction, door_settings: Mapping[str, str]) -> Running:
    """The function as it is without any option."""
    return run(door_settings)


# The tables of docs/events.md, row by row.


@pytest.mark.parametrize("row", AT_THE_FUNCTION, ids=lambda row: row.what)
def test_what_reaches_the_function_is_answered_as_the_readme_says(door: Running, row: Row) -> None:
    answer = converse(door.url, row.request, half_close=True)

    check_answer(answer)
    assert answer.status == row.status
    if row.status >= 400:
        assert answer.problem["error_msg"].startswith(row.answer)
    else:
        assert (answer.event["type"] if answer.body else "") == row.answer


@pytest.mark.parametrize("row", BEFORE_THE_FUNCTION, ids=lambda row: row.what)
def test_what_gunicorn_and_the_framework_answer_is_as_the_readme_says(
    door: Running, lasting_simulator: Simulator, row: Row
) -> None:
    before = len(lasting_simulator.calls)

    answer = converse(door.url, row.request, half_close=True)

    assert answer.status == row.status
    assert answer.headers["content-type"].startswith("text/html")
    assert row.answer in answer.body.decode("latin-1")
    assert leaks(answer) == []
    assert lasting_simulator.calls[before:] == []


def test_a_malformed_header_is_shown_by_gunicorn_itself(door: Running) -> None:
    """gunicorn shows the line, and it may hold a secret: a reason for a proxy in front."""
    answer = converse(door.url, request("X-Auth-Token meant as a header"))

    assert (answer.status, "X-Auth-Token meant as a header" in answer.body.decode()) == (400, True)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("target", ["/health", "/health?verbose", "http://other.example/health"])
def test_a_probe_is_answered_without_a_word(
    door: Running, lasting_simulator: Simulator, method: str, target: str
) -> None:
    before, log = len(lasting_simulator.calls), door.output

    answer = converse(door.url, request(method=method, target=target, body=b"x" * 9))

    assert (answer.status, answer.body) == (200, b"")
    assert (lasting_simulator.calls[before:], door.output) == ([], log)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "QUERY"])
def test_another_method_is_told_the_right_one(door: Running, method: str) -> None:
    answer = converse(door.url, request(method=method, target="host:80" if method == "CONNECT" else "/"))

    assert (answer.status, answer.headers["allow"]) == (405, "POST")
    assert method == "HEAD" or answer.problem["error_code"] == "METHOD_NOT_ALLOWED"


@pytest.mark.parametrize("target", ["/", "/a/b", "//a//b", "/../..", "/%2e%2e/%00%ff?q=%", "/robots.txt/", "/health"])
def test_events_are_accepted_on_any_path(door: Running, target: str) -> None:
    answer = converse(door.url, binary().replace(b"POST / ", f"POST {target} ".encode()))

    assert answer.event["type"] == DELETED


def test_a_sender_that_waits_for_it_is_told_to_go_on_at_once(door: Running) -> None:
    """By gunicorn, whatever is announced: RFC 9110 §10.1.1."""
    with closing(connect(door.url)) as connection:
        connection.sendall(binary(None, "Expect: 100-continue")[: -len(VALID)])

        assert connection.recv(99) == b"HTTP/1.1 100 Continue\r\n\r\n"

        connection.sendall(VALID)
        assert connection.recv(99).startswith(b"HTTP/1.1 200 ")


def test_a_body_longer_than_its_length_is_taken_for_the_next_request(door: Running) -> None:
    with closing(connect(door.url)) as connection:
        first = binary().replace(b"Connection: close\r\n", b"")
        connection.sendall(first + b"and more\r\n\r\n")

        text = b"".join(iter(lambda: connection.recv(65536), b"")).decode()

    assert re.findall(r"HTTP/1.1 (\d+)", text) == ["200", "400"]


SWITCHES: Final[Sequence[tuple[Mapping[str, object], Mapping[str, object], str]]] = (
    ({"dry run": True}, {}, "did you mean dry_run?"),
    ({"dry_run ": True}, {}, "did you mean dry_run?"),
    ({"dry.run": True}, {}, "did you mean dry_run?"),
    ({"\uff44\uff52\uff59_run": True}, {}, "did you mean dry_run?"),
    ({"dry_rum": True}, {}, "did you mean dry_run?"),
    ({"instnce_id": "i1"}, {}, "did you mean instance_id?"),
    ({"expirytime": "2026-03-01T12:00:00Z"}, {}, "did you mean the attribute expirytime?"),
    ({}, {"dryrun": "true"}, "did you mean data.dry_run?"),
    ({}, {"instanceid": "i1"}, "did you mean data.instance_id?"),
    ({}, {"expirytme": "2026-03-01T12:00:00Z"}, "did you mean expirytime?"),
)


@pytest.mark.parametrize("mode", ["binary", "structured"])
@pytest.mark.parametrize(("members", "attributes", "meant"), SWITCHES, ids=str)
def test_a_safety_switch_that_is_misspelt_or_in_the_wrong_place_deletes_nothing(
    door: Running,
    lasting_simulator: Simulator,
    members: Mapping[str, object],
    attributes: Mapping[str, object],
    meant: str,
    mode: Mode,
) -> None:
    before = len(lasting_simulator.calls)
    headers, body = encode({**CORE, **attributes, "data": {**DATA, **members}}, mode)

    answer = converse(door.url, request(*(f"{name}: {value}" for name, value in headers.items()), body=body))

    check_answer(answer)
    assert answer.event["data"]["error_code"] == "INVALID_EVENT"
    assert answer.event["data"]["error_msg"].endswith(meant)
    assert lasting_simulator.calls[before:] == []


AS_HEADERS: Final = {
    "ce-dry_run: true": "data.dry_run",
    "ce_dryrun: true": "data.dry_run",
    "CE_Dry_Run: true": "data.dry_run",
    "ce-expiry_tim: 2020-01-01T00:00:00Z": "expirytime",
    "ce-instance_id: x": "data.instance_id",
}


@pytest.mark.parametrize("line", AS_HEADERS)
def test_an_underscore_in_a_header_hides_no_safety_switch(
    door: Running, lasting_simulator: Simulator, line: str
) -> None:
    """gunicorn itself drops such a header."""
    before = len(lasting_simulator.calls)

    answer = converse(door.url, binary(None, line))

    check_answer(answer)
    assert answer.event["data"]["error_code"] == "INVALID_EVENT"
    assert answer.event["data"]["error_msg"].endswith(f"; did you mean {AS_HEADERS[line]}?")
    assert lasting_simulator.calls[before:] == []


@pytest.mark.parametrize(
    "line",
    [
        *("x_foo: 1", "ce-my_ext: 1", "_: 1", "dry_run: true", "X_Auth_Token: x", "Content_Type: text/plain"),
        *("Content_Length: 1", "Content_Encoding: gzip", "Transfer_Encoding: gzip", "REMOTE_ADDR: x"),
    ],
)
def test_any_other_header_with_an_underscore_changes_nothing(door: Running, line: str) -> None:
    """WSGI would take it for the one with a hyphen."""
    assert converse(door.url, binary(None, line)).event["type"] == DELETED


# Bodies that break off.

BROKEN: Final[Mapping[str, tuple[bytes, bytes]]] = {
    "shorter than its length": (VALID, b"Content-Length: 500"),
    "not there at all": (b"", b"Content-Length: 5"),
    "a chunk without an end": (b"ff\r\n" + VALID, b"Transfer-Encoding: chunked"),
    "no last chunk": (chunks(VALID, end=b""), b"Transfer-Encoding: chunked"),
    "no size": (b"x\r\n", b"Transfer-Encoding: chunked"),
    "a negative size": (b"-1\r\n" + VALID, b"Transfer-Encoding: chunked"),
    "a chunk longer than its size": (b"1\r\n" + VALID + b"\r\n0\r\n\r\n", b"Transfer-Encoding: chunked"),
    "a forbidden trailer": (chunks(VALID, end=b"0\r\nContent-Length: 1\r\n\r\n"), b"Transfer-Encoding: chunked"),
    "a malformed trailer": (chunks(VALID, end=b"0\r\nsecret\r\n\r\n"), b"Transfer-Encoding: chunked"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_body_that_is_not_whole_deletes_nothing(door: Running, lasting_simulator: Simulator, what: str) -> None:
    body, framing = BROKEN[what]
    before = len(lasting_simulator.calls)

    answer = converse(door.url, binary(body=b"").replace(b"Content-Length: 0", framing) + body, half_close=True)

    check_answer(answer)
    assert (answer.status, answer.problem["error_code"]) == (400, "NOT_AN_EVENT")
    assert lasting_simulator.calls[before:] == []
    assert "unhandled exception" not in door.output


# Limits.


@pytest.fixture(scope="module")
def roomy_door(run: RunFunction, door_settings: Mapping[str, str]) -> Running:
    """The function with room for events of 4 MB."""
    return run({**door_settings, "REAPER_MAX_EVENT_BYTES": str(4 * MB)})


@contextmanager
def watched(door: Running) -> Iterator[None]:
    """Assert that probes and plain events succeed meanwhile, and that memory grows by less than 20 MB."""
    for _ in range(20):
        converse(door.url, binary())
    done, seen = threading.Event(), list[int]()

    def look() -> None:
        while True:
            probe = converse(door.url, request(method="GET", target="/health"))
            event = converse(door.url, binary())
            seen.extend((probe.status, event.status))
            if done.wait(0.05):
                return

    thread = threading.Thread(target=look)
    thread.start()
    with growth(door.process.pid) as grown:
        try:
            yield
        finally:
            done.set()
            thread.join()
    assert set(seen) == {200}
    assert grown.bytes < 20 * MB


IN_CHUNKS: Final = pytest.mark.parametrize("in_chunks", [False, True], ids=["with a length", "in chunks"])


@IN_CHUNKS
def test_200_megabytes_are_refused_in_time_and_without_taking_them_in(door: Running, in_chunks: bool) -> None:
    piece = chunks(b"x" * MB, end=b"") if in_chunks else b"x" * MB
    framing = "Transfer-Encoding: chunked" if in_chunks else f"Content-Length: {200 * MB}"

    def send(connection: socket.socket) -> None:
        with suppress(OSError):  # it is not listened to for ever
            for _ in range(200):
                connection.sendall(piece)
            connection.sendall(b"0\r\n\r\n" if in_chunks else b"")

    with watched(door), closing(connect(door.url)) as connection:
        began = time.monotonic()
        connection.sendall(request(f"Content-Type: {STRUCTURED}", framing=framing))
        sending = threading.Thread(target=send, args=[connection])
        sending.start()
        response = http.client.HTTPResponse(connection)
        response.begin()
        seconds, body = time.monotonic() - began, response.read()
        sending.join()

    assert (response.status, json.loads(body)["error_msg"]) == (413, "the body is larger than 65536 bytes")
    assert seconds < 5


@IN_CHUNKS
def test_a_client_that_listens_only_when_it_has_sent_all_is_answered_too(door: Running, in_chunks: bool) -> None:
    framing = {} if in_chunks else {"Content-Length": str(10 * MB)}
    with closing(http.client.HTTPConnection(urlsplit(door.url).netloc, timeout=30)) as connection:
        connection.request("POST", "/", (b"x" * MB for _ in range(10)), framing, encode_chunked=in_chunks)

        assert connection.getresponse().status == 413


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_length_that_is_a_lie_is_answered_at_once(door: Running, method: str) -> None:
    answer = converse(door.url, request(method=method, body=b"little", framing=f"Content-Length: {200 * MB}"))

    assert answer.status == (413 if method == "POST" else 405)
    assert answer.seconds < 1


HUGE: Final[Mapping[str, Callable[[], bytes]]] = {
    "100,000 attributes": lambda: structured({f"x{number}": "" for number in range(100_000)}),
    "50,000 members": lambda: structured({"data": {**DATA, **{f"x{number}": 0 for number in range(50_000)}}}),
    "10,000 levels": lambda: envelope(b"[" * 10_000 + b"]" * 10_000),
    "10,000 levels of data": lambda: binary(body=b'{"a":' * 10_000 + b"1" + b"}" * 10_000),
    "a million levels": lambda: envelope(b"[" * 1_000_000),
    "a number of a million digits": lambda: envelope(b"9" * 1_000_000),
    "a string of a million escapes": lambda: structured({"id": "\x01" * 300_000}),
    "a million blanks in a media type": lambda: structured({"datacontenttype": "a/b" + " " * 1_000_000 + "@"}),
    "a million semicolons in a media type": lambda: structured({"datacontenttype": "a/json" + ";  " * 300_000 + "@"}),
    "a million quotes in a media type": lambda: structured({"datacontenttype": 'a/json;a="' + '\\"' * 300_000}),
    "a million characters of a source": lambda: structured({"source": "//a@" + "%41" * 300_000 + "["}),
    "a million digits of a second": lambda: structured({"time": f"2026-03-01T12:00:00.{'1' * 1_000_000}"}),
    "100,000 mistakes for a name": lambda: binary(
        body=json.dumps({"dry" + "_" * number + "run": 0 for number in range(2, 1800)}).encode()
    ),
}


@pytest.mark.parametrize("what", HUGE)
def test_what_is_huge_is_answered_in_time_and_in_little_memory(door: Running, roomy_door: Running, what: str) -> None:
    sent = HUGE[what]()
    with watched(door):
        answers = [converse(door.url, sent)]
    answers.append(converse(roomy_door.url, sent))  # which has to read it

    for answer in answers:
        check_answer(answer)
        assert answer.status in (200, 400, 413)
        assert answer.seconds < 5


def test_100_000_headers_are_refused_by_gunicorn(door: Running) -> None:
    with watched(door), closing(connect(door.url)) as connection:
        lines = "".join(f"ce-x{number}: x\r\n" for number in range(100_000))
        with suppress(ConnectionError):  # it hangs up early
            connection.sendall(f"POST / HTTP/1.1\r\n{lines}\r\n".encode())
        assert connection.recv(99).startswith(b"HTTP/1.1 431 ")


def connect(url: str) -> socket.socket:
    address = urlsplit(url)
    return socket.create_connection((address.hostname or "", address.port or 80), timeout=30)


# Any bytes.

HEADER_VALUES: Final = st.text(
    st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=40
) | st.sampled_from(["application/json", STRUCTURED, "1.0", EXPIRED, "/s", '"', "%", "%FF", "text/json;;", "a" * 8000])
HEADER_NAMES: Final = (
    st.sampled_from(["Content-Type", "Content-Encoding", "traceparent", "tracestate", "ce-data", "ce-", "ce-time"])
    | st.sampled_from([f"ce-{name}" for name in CORE])
    | st.from_regex(r"\Ace-[a-zA-Z0-9_-]{1,10}\Z")
)
BODIES: Final = any_bytes | json_values.map(json.dumps).map(str.encode) | st.just(VALID)
HEADS: Final = st.lists(st.tuples(HEADER_NAMES, HEADER_VALUES), max_size=8)


@MANY
@given(HEADS, BODIES, st.booleans())
def test_any_headers_and_any_bytes_are_answered_with_an_event_or_a_refusal(
    door: Running, head: list[tuple[str, str]], body: bytes, in_chunks: bool
) -> None:
    unique = {name.lower(): (name, value.strip(" \t")) for name, value in head}
    lines = [f"{name}: {value}" for name, value in unique.values()]
    framing = {"body": chunks(body) if body else chunks(), "framing": "Transfer-Encoding: chunked"}

    answer = converse(door.url, request(*lines, **(framing if in_chunks else {"body": body})))

    assert answer.status < 500
    check_answer(answer)
    if answer.status >= 400:
        shown = [value for _, value in unique.values() if len(value) > 7 and value in answer.problem["error_msg"]]
        assert set(shown) <= {"application/json", STRUCTURED}  # the refusal's own words


ENVELOPES: Final = st.fixed_dictionaries(
    {},
    optional={
        **{name: st.just(value) | json_values | attribute_texts for name, value in CORE.items()},
        "time": st.just("2026-03-01T12:00:00Z") | attribute_texts,
        "datacontenttype": st.sampled_from(["application/json", "text/json", "a/b"]) | attribute_texts,
        "dataschema": uri_references | attribute_texts,
        "correlationid": json_values | attribute_texts,
        "data": st.just(DATA) | json_values,
        "data_base64": json_values,
    },
)


@MANY
@given(ENVELOPES)
def test_any_envelope_is_answered_with_an_event_or_a_refusal(door: Running, event: dict[str, object]) -> None:
    answer = converse(door.url, envelope(json.dumps({**CORE, **event}).encode()))

    check_answer(answer)
    assert answer.status < 500
    assert answer.status != 200 or broken_rules(answer) == []


# The SDK as an independent judge of what was accepted.


@MANY
@given(valid_attributes(), st.sampled_from(["binary", "structured"]))
@example({"id": 'a "b" 100% \u20ac\U0001f600', "source": "/s", "correlationid": " \\ "}, "binary")
def test_what_is_accepted_is_what_the_sdk_reads(door: Running, attributes: dict[str, str], mode: Mode) -> None:
    event = {**CORE, **attributes, "type": EXPIRED}
    sent = in_mode(event, mode)
    head, _, body = sent.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])

    answer = converse(door.url, sent)

    judged = from_http(headers, body)  # which leaves percent-encoding to the caller
    decode = unquote if mode == "binary" else str
    assert answer.event["data"]["request"] == {name: decode(judged[name]) for name in ("source", "id", "type")}
    assert answer.event["type"] == DELETED
    assert broken_rules(answer) == []
    own = {name: value for name, value in answer.event.items() if name != "data"}
    assert own == {name: decode(value) for name, value in answer.judged.get_attributes().items() if value is not None}


def in_mode(event: Mapping[str, str], mode: Mode) -> bytes:
    headers, body = encode({**event, "data": DATA}, mode)
    return request(*(f"{name}: {value}" for name, value in headers.items()), body=body)


# The one path.

ONE_PATH: Final = re.compile("/v3/[A-Za-z0-9]{32}/backups/[A-Za-z0-9-]{1,64}")
DELIMITERS: Final = [
    *":/?#[]@!$&'()*+,;=%\\ \t\n\r\x00.~_\"<>^`{|}\x7f",
    *(
        "..",
        "/..",
        "../",
        "/../x",
        "./",
        "//",
        "%2e",
        "%2E%2E",
        "%2f",
        "%252f",
        "%252e%252e",
        "%00",
        "%0d%0a",
        "\r\nX: y",
    ),
    *(
        "\u0661",
        "\uff11",
        "\u00b2",
        "\u2460",
        "\u0130",
        "\u017f",
        "\u212a",
        "\u2044",
        "\uff0f",
        "\u2024",
        "\u00ad",
        "\u200b",
    ),
]
CRAFTED: Final = st.builds(
    lambda left, middle, right: left + middle + right,
    st.sampled_from(["", "a", DATA["backup_id"], PROJECT]),
    st.sampled_from(DELIMITERS),
    st.sampled_from(["", "b", "/v3/x", "?force=true"]),
)


@MANY
@given(st.just(PROJECT) | near_ids | CRAFTED, near_ids | CRAFTED, st.sampled_from(["binary", "structured"]))
@example(PROJECT, "", "structured")
@example(PROJECT, "x" * 65, "structured")
def test_no_ids_lead_to_another_path(
    door: Running, lasting_simulator: Simulator, project_id: str, backup_id: str, mode: Mode
) -> None:
    data = json.dumps({"project_id": project_id, "backup_id": backup_id}).encode()
    before = len(lasting_simulator.calls)

    answer = converse(door.url, binary(body=data) if mode == "binary" else structured({"data": json.loads(data)}))

    check_answer(answer)
    calls = [(call.method, call.path) for call in lasting_simulator.calls[before:]]
    if ONE_PATH.fullmatch(path := f"/v3/{project_id}/backups/{backup_id}"):
        assert calls == [("DELETE", path)]
    else:
        assert calls == []
        assert (answer.event["type"], answer.event["data"]["error_code"]) == (FAILED, "INVALID_EVENT")


# What the API says, on its way out.

NAMES: Final = st.text(st.characters(exclude_categories=["Cs"]), max_size=60) | st.sampled_from(
    ["\r\nSet-Cookie: a=b", "\u20ac" * 2000, "x" * 9000, "\x00", "\ufffe", '"', "\U0001f600"]
)


@MANY
@given(
    st.sampled_from([200, 202, 400, 404, 409, 422, 500, 503]),
    st.fixed_dictionaries({}, optional=dict.fromkeys(("backup_id", "backup_name", "error_code", "error_msg"), NAMES))
    | json_values,
    st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=40).map(str.strip),
    attribute_texts.filter(bool),
    st.sampled_from(["binary", "structured"]),
)
@example(200, {"backup_id": "x", "backup_name": "\r\nSet-Cookie: a=b"}, "", "\u20ac" * 700, "binary")
@example(503, {"error_code": "\U0001f600" * 99, "error_msg": "\U0001f600" * 999}, "", "1", "binary")
def test_whatever_the_api_says_the_answer_is_whole(
    door: Running, lasting_simulator: Simulator, status: int, body: object, request_id: str, text: str, mode: Mode
) -> None:
    lasting_simulator.faults.replace([Fault(status=status, body=body, headers={"X-Request-Id": request_id})])

    answer = converse(door.url, in_mode({**CORE, "id": text, "correlationid": text}, mode))

    lasting_simulator.faults.replace()
    check_answer(answer)
    assert answer.status in (200, 429, 503)
    assert answer.status != 200 or broken_rules(answer) == []


@pytest.mark.parametrize("depth", [50, 95, 99, 100, 101, 200, 500, 900, 970, 990, 5000])
@pytest.mark.parametrize("mode", ["binary", "structured"])
def test_an_api_that_nests_deeply_is_answered_for(door: Running, simulator: Simulator, mode: Mode, depth: int) -> None:
    """What can be read must be written again, deeper in the stack; what cannot be read is not an answer of this API."""
    body = b'{"backup_id": "x", "more": ' + b"[" * depth + b"]" * depth + b"}"
    simulator.fault(Fault(method="DELETE", status=200, body=body))

    answer = converse(door.url, in_mode(CORE, mode))

    check_answer(answer)
    assert answer.status == (200 if depth < 100 else 503)


# What is shown to the outside.


def test_no_answer_to_a_bad_case_shows_a_header_a_path_or_a_frame(door: Running) -> None:
    """Every header of every case has the canary in it somewhere."""
    shown = []
    for case in CASES[::3]:
        spoilt = re.sub(rb"\r\n(ce-\w+|Content-Type): [^\r]*", rb"\g<0>" + CANARY.encode(), case.request)
        answer = converse(door.url, spoilt)
        if answer.status >= 400:
            check_answer(answer)
            shown.append(answer)

    assert len(shown) > len(CASES) / 6
