"""Publishing: a result has arrived only where the sink says so."""

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from function.delivery import Call, Delivery
from function.errors import ApiDeniedError, ApiUnavailableError, NotFinalError, SinkError
from function.events.sink import Sink
from function.exchange import Answer, Request

URL: Final = "http://broker-ingress.knative-eventing.svc/default/default"
ATTRIBUTES: Final = {
    "specversion": "1.0",
    "id": "42",
    "source": "/backup-reaper",
    "type": "deleted",
    "time": "2026-03-01T12:00:00Z",
}


def delivery() -> Delivery:
    return Delivery(now=datetime(2026, 3, 1, 12, tzinfo=UTC), until=0)


def test_a_result_is_posted_in_structured_mode_with_the_extensions_of_the_binding() -> None:
    """Knative SinkBinding: `K_SINK`, `K_CE_OVERRIDES`."""
    sent: list[tuple[Request, Delivery]] = []

    def exchange(request: Request, delivery: Delivery) -> Answer:
        sent.append((request, delivery))
        return Answer(202, {}, b"")

    mine = delivery()
    Sink(URL, {"team": "db"}, exchange).publish(ATTRIBUTES, {"a": 1}, mine)

    [(request, theirs)] = sent
    assert (request.method, request.url) == ("POST", URL)
    assert request.headers == {"content-type": "application/cloudevents+json"}
    assert json.loads(request.body or b"") == {
        **ATTRIBUTES,
        "team": "db",
        "datacontenttype": "application/json",
        "data": {"a": 1},
    }
    assert theirs is mine


def test_an_extension_of_the_binding_replaces_nothing_of_the_result() -> None:
    sent: list[Request] = []

    def exchange(request: Request, delivery: Delivery) -> Answer:
        sent.append(request)
        return Answer(202, {}, b"")

    result = {**ATTRIBUTES, "causationid": "the request's"}
    Sink(URL, {"causationid": "another", "team": "db"}, exchange).publish(result, {}, delivery())

    published = json.loads(sent[0].body or b"")
    assert (published["causationid"], published["team"]) == ("the request's", "db")


def refusal(answer: Answer) -> str:
    """What is said of an answer of the sink; empty if the result has arrived."""
    try:
        Sink(URL, {}, lambda request, delivery: answer).publish(ATTRIBUTES, {}, delivery())
    except SinkError as error:
        assert error.error_code == "SINK_REFUSED"
        return error.error_msg
    return ""


@given(st.integers(100, 599), st.binary(max_size=20).filter(lambda body: b"<" not in body))
def test_only_a_2xx_means_that_a_result_has_arrived(status: int, body: bytes) -> None:
    said = refusal(Answer(status, {}, body))

    assert said == ("" if 200 <= status < 300 else f"the sink answered {status}")


HTML: Final = "text/html; charset=utf-8"


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (HTML, b"<!DOCTYPE html><title>Log in</title>"),
        (HTML, b"Please <a href=/login>log in</a>"),
        ("Application/XHTML+xml", b"<?xml version='1.0'?><html/>"),
        ("", b"<!doctype html>"),
        ("text/plain", b"\xef\xbb\xbf \r\n<HTML lang=en>"),
        ("application/json", b"<html><body>It works!</body></html>"),
        ("", b"<!-- (c) the gateway --><html/>"),
        ("text/plain", b"\xef\xbb\xbf<?xml version='1.0'?><!DOCTYPE html><HTML/>"),
        ("application/xml", b"<?xml version='1.0'?><!DOCTYPE html><HTML/>"),
        ("application/json", b"\n<head><title>Log in</title></head>"),
    ],
)
@pytest.mark.parametrize("status", [200, 202])
def test_a_sink_that_answers_a_page_has_taken_nothing(status: int, content_type: str, body: bytes) -> None:
    """As a login page in front of it does, or a proxy."""
    said = refusal(Answer(status, {"content-type": content_type} if content_type else {}, body))

    assert said == f"the sink answered {status} with an HTML page, such as a login page: it has taken nothing"


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("", b""),
        (HTML, b""),
        (HTML, b"OK"),  # the functions framework's own answer for @cloud_event
        ("text/plain", b"OK"),
        ("", b"accepted"),
        ("application/json", b'{"ok": true}'),
        ("application/json", b'"<html>"'),
        ("application/xml", b"<MessageResponse/>"),
        ("application/cloudevents+json", b'{"specversion": "1.0"}'),
        ("application/octet-stream", b"\x00\xff<"),
    ],
)
def test_a_sink_may_answer_nothing_a_word_or_an_event(content_type: str, body: bytes) -> None:
    assert refusal(Answer(200, {"content-type": content_type} if content_type else {}, body)) == ""


@pytest.mark.parametrize("status", [199, 300])
def test_a_status_beside_2xx_is_a_refusal(status: int) -> None:
    with pytest.raises(SinkError):
        Sink(URL, {}, lambda request, delivery: Answer(status, {}, b"")).publish(ATTRIBUTES, {}, delivery())


@pytest.mark.parametrize("status", [200, 202, 204, 299])
def test_any_2xx_is_enough(status: int) -> None:
    Sink(URL, {}, lambda request, delivery: Answer(status, {}, b"")).publish(ATTRIBUTES, {}, delivery())


SECRET_URL: Final = "https://sink.example:8443/5ecret/path?key=5ecret"


def test_a_sink_that_does_not_answer_leaves_the_delivery_open_and_says_why() -> None:
    def exchange(request: Request, delivery: Delivery) -> Answer:
        delivery.calls.append(Call("POST", request.url, 0, 0.1))
        raise ApiUnavailableError("NO_ANSWER", f"no answer from {request.url}: the certificate is refused: expired")

    mine = delivery()
    mine.calls.append(Call("DELETE", "https://api.example/v3/p/backups/b", 200, 0.1))
    with pytest.raises(SinkError) as raised:
        Sink(SECRET_URL, {}, exchange).publish(ATTRIBUTES, {}, mine)

    assert isinstance(raised.value, NotFinalError)
    assert (raised.value.error_code, raised.value.error_msg) == (
        "SINK_UNREACHABLE",
        "the result was not published: no answer from https://sink.example:8443: the certificate is refused: expired",
    )
    assert [call.url for call in mine.calls] == ["https://api.example/v3/p/backups/b", "https://sink.example:8443"]


@pytest.mark.parametrize("status", [202, 403])
def test_the_path_of_a_sink_can_be_a_secret_and_is_not_recorded(status: int) -> None:
    def exchange(request: Request, delivery: Delivery) -> Answer:
        delivery.calls.append(Call("POST", request.url, status, 0.1))
        return Answer(status, {}, b"")

    mine = delivery()
    with suppress(SinkError):
        Sink(SECRET_URL, {}, exchange).publish(ATTRIBUTES, {}, mine)

    assert mine.calls == [Call("POST", "https://sink.example:8443", status, 0.1)]


def test_a_proxy_that_wants_another_password_is_not_the_fault_of_the_sink() -> None:
    """An operator must act: the kind of the error is kept."""

    def exchange(request: Request, delivery: Delivery) -> Answer:
        raise ApiDeniedError("PROXY_REFUSED", "it answered CONNECT with 407")

    with pytest.raises(ApiDeniedError):
        Sink(URL, {}, exchange).publish(ATTRIBUTES, {}, delivery())


class TestTheToken:
    """As Knative's SinkBinding mounts it for a sink with an audience."""

    def sent(self, **files: Path) -> Mapping[str, str]:
        """The headers of a publication."""
        requests: list[Request] = []

        def exchange(request: Request, delivery: Delivery) -> Answer:
            requests.append(request)
            return Answer(202, {}, b"")

        Sink(URL, {}, exchange, **files).publish(ATTRIBUTES, {}, delivery())
        return requests[0].headers

    @pytest.mark.parametrize("name", ["token_file", "mounted"])
    @pytest.mark.parametrize("end", ["", "\n", "\r\n"])
    def test_is_sent_as_it_is_now(self, tmp_path: Path, name: str, end: str) -> None:
        file = tmp_path / "token"
        for token in ("eyJhbGciOi.first_-~+/==", "eyJhbGciOi.second"):
            file.write_text(token + end)

            assert self.sent(**{name: file})["authorization"] == f"Bearer {token}"

    def test_that_is_configured_is_sent_instead_of_the_mounted_one(self, tmp_path: Path) -> None:
        mounted, configured = tmp_path / "mounted", tmp_path / "configured"
        mounted.write_text("of-knative")
        configured.write_text("of-the-operator")

        assert self.sent(token_file=configured, mounted=mounted)["authorization"] == "Bearer of-the-operator"

    def test_that_is_not_mounted_is_not_sent(self, tmp_path: Path) -> None:
        assert "authorization" not in self.sent(mounted=tmp_path / "token")

    def test_that_was_configured_and_is_gone_leaves_the_delivery_open(self, tmp_path: Path) -> None:
        assert self.fault(token_file=tmp_path / "token") == f"the sink's token file {tmp_path}/token does not exist"

    @pytest.mark.parametrize("name", ["token_file", "mounted"])
    @pytest.mark.parametrize("text", ["", "\n", "two words", "a\r\nX-Injected: b", "t\u00f6ken", "a\x00", '"quoted"'])
    def test_that_is_none_is_not_sent_and_not_shown(self, tmp_path: Path, name: str, text: str) -> None:
        file = tmp_path / "token"
        file.write_text(text)

        assert self.fault(**{name: file}) == f"the sink's token file {file} does not hold a bearer token"

    @pytest.mark.parametrize("name", ["token_file", "mounted"])
    def test_that_cannot_be_read_leaves_the_delivery_open(self, tmp_path: Path, name: str) -> None:
        assert self.fault(**{name: tmp_path}) == f"the sink's token file {tmp_path} cannot be read: Is a directory"

    def fault(self, **files: Path) -> str:
        with pytest.raises(SinkError) as raised:
            self.sent(**files)
        assert raised.value.error_code == "SINK_TOKEN_UNREADABLE"
        return raised.value.error_msg
