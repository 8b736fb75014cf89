"""Every MUST of CloudEvents 1.0.2 that concerns who receives or sends events, over HTTP, at the real framework."""

import json
import re
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import cycle
from typing import Final

import pytest
from cloudevents.conversion import to_binary, to_structured
from cloudevents.http import CloudEvent, from_http
from hypothesis import HealthCheck, example, given, settings
from jsonschema import Draft7Validator

from simulator import Call, Simulator
from simulator.processes import ROOT, Running
from tests.conftest import TOKEN, RunFunction
from tests.facts import json_texts
from tests.facts.account import PROJECT
from tests.facts.cloudevents_spec import (
    CASES,
    NO_TIMES,
    NO_URI_REFERENCES,
    RECEIVING,
    TIMES,
    URI_REFERENCES,
    Accepted,
    Expected,
    Refused,
    Unfit,
    broken_rules,
    validate_rfc3339,
    validate_rfc3986,
)
from tests.facts.strategies import valid_attributes
from tests.wire.deliverer import EXPIRED, FAILED, Mode, encode
from tests.wire.front_door import ABSENT, CORE, DATA, VALID, Answer, binary, check_answer, converse, envelope, request

MANY: Final = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
SCHEMA: Final = ROOT.parent / "shared" / "schemas" / "cloudevents.json"


@pytest.fixture(scope="module")
def door(lasting_simulator: Simulator, run: RunFunction) -> Running:
    """The function as it is without any option, with a simulator that nobody has told to fail."""
    return run({"REAPER_API_ENDPOINT": lasting_simulator.url, "HW_AUTH_TOKEN": TOKEN, "THREADS": "16"})


def kept(answer: Answer, name: str) -> object:
    """What of a request is in the reply, in one place or another."""
    event = answer.event
    if name in event["data"]["request"]:
        return event["data"]["request"][name]
    return event["data"][name] if name in DATA else event.get(name)


def outcome(answer: Answer, calls: Sequence[Call], expected: Expected) -> Expected | str:
    """What came of a request, in the terms of what was expected."""
    if answer.status >= 400:
        return Refused(answer.status, beginning(answer.problem["error_msg"], expected))
    if answer.event["type"] == FAILED:
        return Unfit(beginning(answer.event["data"]["error_msg"], expected))
    if [(call.method, call.path) for call in calls] != [("DELETE", f"/v3/{PROJECT}/backups/{ABSENT}")]:
        return f"not exactly the one deletion: {calls}"
    names = expected.members if isinstance(expected, Accepted) else ()
    return Accepted({name: kept(answer, name) for name in names})


def beginning(message: str, expected: Expected) -> str:
    """As much of a message as was expected, or all of it."""
    wanted = "" if isinstance(expected, Accepted) else expected.error_msg
    return wanted if wanted and message.startswith(wanted) else message


@pytest.mark.parametrize("requirement", sorted({case.cites[0] for case in CASES}))
def test_a_receiver_does_as_the_specification_says(
    door: Running, lasting_simulator: Simulator, requirement: str
) -> None:
    for case in CASES:
        if case.cites[0] != requirement:
            continue
        before = len(lasting_simulator.calls)

        answer = converse(door.url, case.request)

        calls = lasting_simulator.calls[before:]
        assert (case.name, outcome(answer, calls, case.expected)) == (case.name, case.expected)
        assert bool(calls) == isinstance(case.expected, Accepted), case.name
        check_answer(answer)
        assert answer.status != 200 or broken_rules(answer) == [], case.name


def test_every_requirement_of_a_receiver_is_cited_by_a_case() -> None:
    cited = {cite for case in CASES for cite in case.cites}

    assert sorted({*RECEIVING} - cited) == []
    assert sorted(cited - {*RECEIVING}) == []


HARD: Final = 'Euro \u20ac \U0001f600 "100%" \\ \u00e9'


def hard(mode: Mode) -> bytes:
    """An event with all that a result takes over, in characters that are hard to write."""
    trace = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01", "tracestate": "a=1,b=x y"}
    event = {**CORE, **trace, "id": HARD, "correlationid": HARD, "source": "/%C3%BC?a=b"}
    if mode == "structured":
        return envelope(json.dumps({**event, "data": DATA}).encode())
    return binary({name: "".join(f"%{byte:02x}" for byte in value.encode()) for name, value in event.items()})


@pytest.mark.parametrize("mode", ["binary", "structured"])
def test_a_sender_does_as_the_specification_says(door: Running, mode: Mode) -> None:
    """`SENDING` has a rule for each requirement; all cases above are held to them as well, this one is the hardest."""
    answer = converse(door.url, hard(mode))

    assert broken_rules(answer) == []
    assert answer.event["correlationid"] == answer.event["causationid"] == HARD
    assert answer.event["tracestate"] == "a=1,b=x y"


# Senders that encode the values of headers, as http §3.1.3.2 says, and senders that do not.

NAMES: Final = (
    {"id": "50%", "source": "/policies/keep%20180"},
    {"id": "a b", "source": "/B%C3%BCcher"},
    {"id": "B\u00fccher \u20ac \U0001f600", "source": "urn:x:%22a%22"},
    {"id": "voil\u00e0", "source": "//[2001:db8::7]/?a=%7B%7D"},
)


def send_as_written(url: str, headers: Mapping[str, str], body: bytes) -> Answer:
    """What an SDK wrote, with characters beyond ASCII as UTF-8."""
    return converse(url, request(*(f"{n}: {v}".encode().decode("latin-1") for n, v in headers.items()), body=body))


def named(answer: Answer) -> dict[str, str]:
    return {name: answer.event["data"]["request"][name] for name in ("id", "source")}


@pytest.mark.parametrize("names", NAMES, ids=str)
def test_the_official_python_sdk_is_understood_though_it_does_not_encode(
    door: Running, names: Mapping[str, str]
) -> None:
    event = CloudEvent({**CORE, **names, "datacontenttype": "application/json"}, DATA)
    headers, _ = to_binary(event)
    assert headers["ce-source"] == names["source"]

    answers = [send_as_written(door.url, *to_binary(event)), send_as_written(door.url, *to_structured(event))]

    assert [named(answer) for answer in answers] == [names, names]
    assert answers[0].event["id"] == answers[1].event["id"]


@pytest.mark.parametrize("names", NAMES, ids=str)
def test_the_official_javascript_sdk_is_understood_though_it_does_not_encode(
    door: Running,
    javascript_sdk: Callable[[Mapping[str, object], Mode], tuple[dict[str, str], bytes]],
    names: Mapping[str, str],
) -> None:
    event = {**CORE, **names, "datacontenttype": "application/json", "data": DATA}

    answers = [send_as_written(door.url, *javascript_sdk(event, mode)) for mode in ("binary", "structured")]

    assert [named(answer) for answer in answers] == [names, names]
    assert answers[0].event["id"] == answers[1].event["id"]


@pytest.fixture(scope="module")
def javascript_sdk() -> Callable[[Mapping[str, object], Mode], tuple[dict[str, str], bytes]]:
    """Writes an event with npm's `cloudevents`, from `node_modules` here or where NODE_PATH says."""
    script = """
        const {CloudEvent, HTTP} = require("cloudevents")
        const [event, mode] = JSON.parse(process.argv[1])
        const {headers, body} = HTTP[mode](new CloudEvent(event))
        console.log(JSON.stringify([headers, body]))
    """

    def write(event: Mapping[str, object], mode: Mode) -> tuple[dict[str, str], bytes]:
        written = subprocess.run(
            ["node", "-e", script, json.dumps([event, mode])], cwd=ROOT, capture_output=True, text=True, check=True
        )
        headers, body = json.loads(written.stdout)
        return headers, body.encode()

    try:
        write({**CORE, "data": {}}, "binary")
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no npm package: `npm install --no-save cloudevents` gets it")
    return write


@MANY
@given(valid_attributes())
@example({"id": "a b", "source": "/s"})
@example({"id": "50%", "source": "/policies/keep%20180"})
@example({"id": "%41 %2541", "source": "/%2541"})
@example({"id": 'B\u00fccher "\\', "source": "/B%C3%BCcher"})
def test_an_event_has_one_result_id_in_both_modes_from_a_sender_that_encodes(
    door: Running, attributes: dict[str, str]
) -> None:
    event = {**CORE, **attributes, "type": EXPIRED, "data": DATA}
    answers = [
        converse(door.url, request(*(f"{name}: {value}" for name, value in headers.items()), body=body))
        for headers, body in (encode(event, "binary"), encode(event, "structured"))
    ]

    assert [named(answer) for answer in answers] == [{"id": event["id"], "source": event["source"]}] * 2
    assert answers[0].event["id"] == answers[1].event["id"]


@pytest.mark.parametrize("escaped", [True, False])
@pytest.mark.parametrize("octets", [b"\xc0\xaf", b"\xe0\x80\xaf", b"\xed\xa0\x80", b"\xff", b"\xc3"], ids=repr)
def test_overlong_and_broken_utf_8_is_refused_from_any_sender(door: Running, octets: bytes, escaped: bool) -> None:
    value = "".join(f"%{octet:02x}" for octet in octets) if escaped else octets.decode("latin-1")

    answer = converse(door.url, binary({"id": f"a{value}b"}))

    assert said(answer) == "400 the header of attribute id is not UTF-8"


def test_a_result_names_one_event_and_no_other(door: Running) -> None:
    """Spec "id": source and id together are unique for each distinct event; a repeat may have the same."""
    ids = [converse(door.url, binary({"id": value})).event["id"] for value in ("1", "1", "2", "1,2", "12")]

    assert ids[0] == ids[1]
    assert len(set(ids)) == 4


@pytest.mark.skipif(not SCHEMA.exists(), reason=f"{SCHEMA} is not there")
def test_results_are_valid_by_the_schema_of_cloudevents(door: Running) -> None:
    validator = Draft7Validator(json.loads(SCHEMA.read_text()), format_checker=Draft7Validator.FORMAT_CHECKER)
    requests = [hard("binary"), hard("structured"), binary(body=b"{"), binary(body=b"[]"), envelope(VALID)]

    events = [answer.event for answer in (converse(door.url, sent) for sent in requests) if answer.status == 200]

    assert len(events) == 4
    assert [fault.message for event in events for fault in validator.iter_errors(event)] == []


def test_the_cases_agree_with_validators_of_uris_and_of_times() -> None:
    """Two validators check the cases themselves; the one for times knows neither leap seconds nor small letters."""
    assert [uri for uri in URI_REFERENCES if not validate_rfc3986(uri, "URI_reference")] == []
    lenient = "//[::ffff:192.168.0.01]/p"  # RFC 3986 §3.2.2, dec-octet: no leading zero
    assert [uri for uri in NO_URI_REFERENCES if validate_rfc3986(uri, "URI_reference")] == [lenient]
    assert [time for time in TIMES if not validate_rfc3339(time.upper().replace(":60", ":59"))] == []
    assert [time for time in NO_TIMES if time.isascii() and validate_rfc3339(time)] == ["2018-04-05T18:31:00Z\n"]


# JSON, in the three places where it comes: alone as an envelope, in an envelope's data, and as a body in binary mode.


def alone(text: bytes) -> bytes:
    return envelope(text)


def in_envelope(text: bytes) -> bytes:
    return envelope(json.dumps({**CORE, "data": {**DATA, "more": "@"}}).encode().replace(b'"@"', text))


def in_body(text: bytes) -> bytes:
    return binary(body=json.dumps({**DATA, "more": "@"}).encode().replace(b'"@"', text))


PLACES: Final = (alone, in_envelope, in_body)
NO_JSON: Final = re.compile("(400 the body is not JSON|data is not JSON): [ -~]{1,100}")
READ: Final = re.compile(
    "read|400 the body is (JSON, but not an object|a JSON array, .*)|400 the attribute specversion is missing"
)


def said(answer: Answer) -> str:
    check_answer(answer)
    if answer.status == 200:
        return str(answer.event["data"].get("error_msg", "read"))
    return f"{answer.status} {answer.problem['error_msg']}"


def surprises(door: Running, texts: Iterable[bytes], expected: re.Pattern[str]) -> list[tuple[str, bytes, str]]:
    """The texts with which it went otherwise; they take turns in the three places."""
    answers = ((place, text, said(converse(door.url, place(text)))) for place, text in zip(cycle(PLACES), texts))
    return [(place.__name__, text[:99], message) for place, text, message in answers if not expected.fullmatch(message)]


@pytest.mark.parametrize("category", json_texts.Y)
def test_json_is_read(door: Running, category: str) -> None:
    assert surprises(door, json_texts.Y[category], READ) == []


@pytest.mark.parametrize("category", json_texts.N)
def test_what_is_no_json_is_refused(door: Running, category: str) -> None:
    assert surprises(door, json_texts.N[category], NO_JSON) == []


@pytest.mark.parametrize("category", json_texts.I_READ)
def test_json_that_a_reader_may_refuse_is_read(door: Running, category: str) -> None:
    assert surprises(door, json_texts.I_READ[category], READ) == []


@pytest.mark.parametrize("category", json_texts.I_REFUSED)
@pytest.mark.parametrize("place", PLACES)
def test_json_that_a_reader_may_read_is_refused_wherever_it_is(
    door: Running, place: Callable[[bytes], bytes], category: str
) -> None:
    answers = {text[:99]: said(converse(door.url, place(text))) for text in json_texts.I_REFUSED[category]}

    assert {text: message for text, message in answers.items() if not NO_JSON.fullmatch(message)} == {}


def test_a_byte_order_mark_is_called_by_its_name(door: Running) -> None:
    messages = [
        said(converse(door.url, place(b"\xef\xbb\xbf" + VALID))) for place in (envelope, lambda text: binary(body=text))
    ]

    why = "not JSON: it begins with a byte order mark (BOM)"
    assert messages == [f"400 the body is {why}", f"data is {why}"]


@pytest.mark.parametrize("name", ["id", "data", "backup_id"])
@pytest.mark.parametrize("first", [True, False])
def test_the_sdk_would_have_taken_the_last_of_two_members(door: Running, name: str, first: bool) -> None:
    """Why JSON is read strictly: which of two backups it is, is not for a reader to choose."""
    member = f'"{name}": {json.dumps({**CORE, **DATA, "data": DATA}[name])}'
    twice = f'{member}, "{name}": null' if first else f'"{name}": null, {member}'
    text = json.dumps({**CORE, "data": DATA}).replace(member, twice).encode()
    assert text.count(f'"{name}":'.encode()) == 2
    if name == "id" and not first:
        assert from_http({"content-type": "application/cloudevents+json"}, text)["id"] == CORE["id"]

    answer = converse(door.url, envelope(text))

    assert said(answer) == "400 the body is not JSON: an object names a member twice"
