"""The broker double does what the code and documentation of the three brokers say."""

import base64
import json
from collections.abc import Mapping
from typing import Final

import pytest

from tests.doubles.broker import (
    CHANNEL,
    INGRESS,
    KAFKA,
    PROFILES,
    RABBITMQ,
    ROWS,
    SILENCE,
    Body,
    Broker,
    Fate,
    Profile,
    Subscriber,
    Trigger,
)
from tests.wire.deliverer import STRUCTURED, Envelope, Reply, expired_event

each_profile = pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
EVENT: Final = expired_event(type="asked")
ANSWERED: Final = {"specversion": "1.0", "id": "1", "source": "/s", "type": "answered"}


def reply(status: int, body: bytes | Envelope = b"", headers: Mapping[str, str] | None = None) -> Reply:
    if isinstance(body, bytes):
        return Reply(status, headers or {}, body, 0.0)
    return Reply(status, {"content-type": STRUCTURED}, json.dumps(body).encode(), 0.0)


class Scripted:
    """Gives one answer after the other, the last for ever; None is silence."""

    def __init__(self, *answers: Reply | None) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[Envelope, Mapping[str, str]]] = []

    def __call__(self, event: Envelope, headers: Mapping[str, str], timeout: float) -> Reply:
        self.asked.append((event, headers))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer is None:
            raise TimeoutError
        return answer


def ran(profile: Profile, subscriber: Subscriber, event: Envelope = EVENT, **options: float) -> Broker:
    """A broker after it has delivered one event."""
    trigger = Trigger(name="one", subscriber=subscriber, filter={"type": event["type"]}, retry=3, **options)
    broker = Broker(profile, [trigger])
    broker.publish(event)
    broker.run()
    return broker


def test_an_answer_is_in_one_row_of_the_table_at_most() -> None:
    answers = [(status, body) for status in (SILENCE, *range(200, 600)) for body in Body]

    assert [
        (status, body)
        for status, body in answers
        if sum(status in row.statuses and body in row.bodies for row in ROWS) > 1
    ] == []


# The columns: channel, Kafka, RabbitMQ. Each line is a row of the double's table.
R, D, T, X, L = Fate.ROUTED, Fate.DONE, Fate.RETRIED, Fate.DEAD, Fate.DROPPED


@pytest.mark.parametrize(
    ("answer", "fates"),
    [
        (reply(200, ANSWERED), (R, R, R)),
        (reply(200, b"{}", {f"ce-{name}": value for name, value in ANSWERED.items()}), (R, R, R)),
        *[(reply(status), (D, D, D)) for status in (200, 202, 204)],
        *[(reply(200, body, {"content-type": "text/html"}), (T, X, D)) for body in (b"OK", b'{"ok":true}')],
        (reply(200, {**ANSWERED, "type": ""}), (X, X, X)),
        (reply(200, b"{", {"content-type": STRUCTURED}), (X, X, X)),
        (reply(302), (X, X, L)),
        *[(reply(status), (X, X, L)) for status in (400, 401, 403, 405, 410, 413, 415, 422, 431, 451)],
        *[(reply(status), (T, T, T)) for status in (404, 408, 409, 429)],
        *[(reply(status), (T, T, T)) for status in (500, 501, 502, 503, 504)],
        (None, (T, T, T)),
        (reply(400, ANSWERED), (X, X, R)),
    ],
    ids=str,
)
def test_an_answer_has_the_fate_of_its_row(answer: Reply | None, fates: tuple[Fate, ...]) -> None:
    assert tuple(profile.fate(answer) for profile in PROFILES) == fates


@pytest.mark.parametrize("answer", [reply(202, ANSWERED), reply(201), reply(100)], ids=str)
def test_an_answer_whose_fate_nobody_knows_is_an_error(answer: Reply) -> None:
    with pytest.raises(AssertionError):
        RABBITMQ.fate(answer)


@pytest.mark.parametrize(
    ("profile", "moments"),
    [(CHANNEL, [0, 0.5, 1.5, 3.5]), (KAFKA, [0, 1, 3, 7]), (RABBITMQ, [0, 1, 3, 7])],
    ids=lambda value: getattr(value, "name", ""),
)
def test_retries_are_spread_as_each_broker_spreads_them(profile: Profile, moments: list[float]) -> None:
    """The waits for PT0.5S."""
    broker = ran(profile, Scripted(reply(503)), backoff=0.5)

    assert [attempt.at for attempt in broker.attempts] == moments


@each_profile
def test_a_retry_that_is_answered_is_the_last(profile: Profile) -> None:
    broker = ran(profile, Scripted(reply(503), reply(204)))

    assert [attempt.fate for attempt in broker.attempts] == [Fate.RETRIED, Fate.DONE]
    assert broker.dead_letters == []


@each_profile
def test_a_time_out_takes_its_time_and_is_a_failure(profile: Profile) -> None:
    broker = ran(profile, Scripted(None, reply(204)), backoff=1.0, timeout=5.0)

    first, second = broker.attempts
    assert (first.status, first.fate) == (SILENCE, Fate.RETRIED)
    assert second.at == 5.0 + 2**profile.first_power


def test_what_waits_passes_on_whoever_wants_to_know() -> None:
    waits: list[float] = []
    trigger = Trigger(name="one", subscriber=Scripted(reply(503)), retry=2, backoff=1.0)
    broker = Broker(KAFKA, [trigger], on_wait=waits.append)

    broker.publish(EVENT)
    broker.run()

    assert waits == [2.0, 4.0]


@each_profile
def test_a_reply_goes_through_the_triggers_that_want_its_type(profile: Profile) -> None:
    inbox, other = Scripted(reply(202)), Scripted(reply(202))
    broker = Broker(
        profile,
        [
            Trigger(name="one", subscriber=Scripted(reply(200, ANSWERED)), filter={"type": "asked"}),
            Trigger(name="two", subscriber=inbox, filter={"type": "answered"}),
            Trigger(name="three", subscriber=other, filter={"type": "nobody's"}),
        ],
    )
    broker.publish(EVENT)
    broker.run()

    assert [event["id"] for event, _ in inbox.asked] == ["1"]
    assert other.asked == []
    assert broker.unwanted == []


@each_profile
def test_a_reply_that_no_trigger_wants_is_seen(profile: Profile) -> None:
    assert ran(profile, Scripted(reply(200, ANSWERED))).unwanted == [ANSWERED]


@each_profile
def test_a_reply_of_the_subscribed_type_goes_round_until_its_ttl_is_used_up(profile: Profile) -> None:
    """Knative Eventing: "extension `knativebrokerttl`, start 255, minus one per reply"."""
    echo = Scripted(reply(200, {**ANSWERED, "type": "asked"}))

    broker = ran(profile, echo)

    assert len(echo.asked) == 255
    assert len(broker.looped) == 1


def test_a_dead_letter_is_the_event_with_what_each_broker_tells_of_its_last_delivery() -> None:
    """Base64, of which the channel-based broker keeps 1,024; Kafka cuts the body before."""
    body = bytes(range(256)) * 8
    whole = base64.b64encode(body).decode()
    told: dict[str, object] = {"knativeerrordest": "http://one.default.svc.cluster.local", "knativeerrorcode": 503}

    (channel,), (kafka,), (rabbitmq,) = (
        ran(profile, Scripted(reply(503, body, {"content-type": "text/plain"}))).dead_letters for profile in PROFILES
    )

    assert channel == {**EVENT, **told, "knativeerrordata": whole[:1024]}
    assert kafka == {**EVENT, **told, "knativeerrordata": base64.b64encode(body[:1024]).decode()}
    assert rabbitmq == {**EVENT, **told}


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"OK", {}),  # "DLQ without error attributes"
        ({**ANSWERED, "id": ""}, {"knativeerrordest": INGRESS, "knativeerrorcode": 400}),
    ],
)
def test_the_channel_based_broker_tells_little_of_a_success_with_a_wrong_body(
    body: bytes | Envelope, told: Envelope
) -> None:
    assert ran(CHANNEL, Scripted(reply(200, body))).dead_letters == [{**EVENT, **told}]


@each_profile
def test_silence_is_dead_lettered_without_a_code(profile: Profile) -> None:
    (letter,) = ran(profile, Scripted(None)).dead_letters

    assert letter == {**EVENT, "knativeerrordest": "http://one.default.svc.cluster.local"}


def test_what_is_dropped_is_seen() -> None:
    broker = ran(RABBITMQ, Scripted(reply(400)))

    assert broker.dropped == [EVENT]
    assert broker.dead_letters == []


def test_deliveries_have_what_each_broker_puts_on_them() -> None:
    """What each broker sends besides the event."""
    bare = expired_event(type="asked", time=None)
    seen = {}
    for profile in PROFILES:
        subscriber = Scripted(reply(204))
        ran(profile, subscriber, bare)
        ((event, headers),) = subscriber.asked
        seen[profile.name] = (event.keys() - bare.keys(), "Prefer" in headers)

    assert seen == {"channel": ({"knativearrivaltime"}, True), "kafka": (set(), False), "rabbitmq": ({"time"}, False)}
