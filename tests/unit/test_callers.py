"""Who may deliver: each kind of token, what it is answered, and which keys are asked for when."""

import hashlib
import hmac
import json
import logging
import math
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import flask
import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet as JoseKeySet
from werkzeug.test import TestResponse

from function.backups import Outcome
from function.caller_keys import CallerKeys, File, Url, read_key_set
from function.callers import MAX_VERIFIED, Callers, CallerSettings
from function.delivery import Delivery
from function.door import Door
from function.errors import ApiUnavailableError, NotAllowedError, NotFinalError
from function.events.binding import Event
from function.exchange import Answer, Request
from function.record import Record, log_record
from tests.doubles.issuer import AUDIENCE, ISSUER, SUBJECT, Key, encoded, key_set
from tests.facts.account import NOW

AT: Final = NOW.timestamp()
RSA, OTHER, SHORT = Key("rsa"), Key("other"), Key("short", bits=1024)
CURVES: Final = {name: Key(name.lower(), name) for name in ("ES256", "ES384", "ES512")}
PUBLISHED: Final = key_set(RSA, SHORT, *CURVES.values())
SETTINGS: Final = CallerSettings(
    issuer=ISSUER, audience=AUDIENCE, subjects=frozenset({SUBJECT, "script"}), jwks="https://issuer.example/keys"
)
UNKNOWN, NOT_ALLOWED = (401, "CALLER_UNKNOWN"), (403, "CALLER_NOT_ALLOWED")
KEY_UNKNOWN, TOKEN_TIME, KEYS = ((503, code) for code in ("CALLER_KEY_UNKNOWN", "CALLER_TOKEN_TIME", "CALLER_KEYS"))


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Issuer:
    """What answers for the issuer's keys, and how often it was asked."""

    def __init__(self, answer: bytes | Exception | Answer = PUBLISHED) -> None:
        self.answer = answer
        self.asked: list[Request] = []

    def exchange(self, request: Request, delivery: Delivery) -> Answer:
        self.asked.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer if isinstance(self.answer, Answer) else Answer(200, {}, self.answer)


class Gate:
    """The check with an issuer and a clock of the test's."""

    def __init__(self, answer: bytes | Exception | Answer = PUBLISHED) -> None:
        self.issuer, self.clock = Issuer(answer), Clock()
        self.keys = CallerKeys(Url("https://issuer.example/keys", self.issuer.exchange), self.clock)
        self.callers = Callers(SETTINGS, self.keys)
        self.error: NotAllowedError | NotFinalError | None = None
        self.delivery = delivery()

    def verdict(self, authorization: str | None, now: datetime = NOW) -> tuple[int, str]:
        """The status and code of a refusal; 200 where the delivery may pass."""
        headers = {} if authorization is None else {"authorization": authorization}
        self.delivery, self.error = delivery(now), None
        try:
            self.callers.check(headers, self.delivery)
        except NotAllowedError as error:
            self.error = error
            return error.status, error.error_code
        except NotFinalError as error:
            self.error = error
            return 503, error.error_code
        return 200, self.delivery.caller or ""


def delivery(now: datetime = NOW) -> Delivery:
    return Delivery(now=now, until=time.monotonic() + 20)


def token(header: dict[str, object] | None = None, key: Key = RSA, **claims: object) -> str:
    return f"Bearer {key.token(at=AT, header=header, **claims)}"


def with_parts(header: bytes | dict[str, object] | None = None, claims: bytes | dict[str, object] | None = None) -> str:
    """A token of RSA with these very bytes."""
    usual = {"iss": ISSUER, "aud": AUDIENCE, "sub": SUBJECT, "exp": AT + 3600}
    return f"Bearer {RSA.sign(header or {'alg': 'RS256', 'kid': 'rsa'}, claims or usual)}"


def unsigned() -> str:
    """A token of alg none, with nothing after the last dot (CVE-2015-9235)."""
    return with_parts({"alg": "none", "kid": "rsa"}).rpartition(".")[0] + "."


def signed_with_the_public_key() -> str:
    """HS256 with the public key as the secret (CVE-2022-29217, CVE-2024-33663)."""
    pem = RSA.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": SUBJECT, "exp": AT + 3600}
    text = f"{encoded({'alg': 'HS256', 'kid': 'rsa'})}.{encoded(claims)}"
    return f"Bearer {text}.{encoded(hmac.new(pem, text.encode(), hashlib.sha256).digest())}"


def claims_text(**replaced: str) -> bytes:
    members = {"iss": f'"{ISSUER}"', "aud": f'"{AUDIENCE}"', "sub": f'"{SUBJECT}"', "exp": str(AT + 3600), **replaced}
    return ("{" + ",".join(f'"{name}":{value}' for name, value in members.items()) + "}").encode()


PASSES: Final = (200, SUBJECT)
TOKENS: Final[dict[str, tuple[str | None, tuple[int, str]]]] = {
    "RS256": (token(), PASSES),
    **{name: (token(key=key), PASSES) for name, key in CURVES.items()},
    "another listed subject": (token(sub="script"), (200, "script")),
    "the audience as a string": (token(aud=AUDIENCE), PASSES),
    "the audience among others": (token(aud=["other", AUDIENCE]), PASSES),
    "a scheme in small letters": (token().replace("Bearer", "bearer"), PASSES),
    "not before now": (token(nbf=AT), PASSES),
    "expired within the leeway": (token(exp=AT - 59), PASSES),
    "no Authorization": (None, UNKNOWN),
    "an empty Authorization": ("", UNKNOWN),
    "Basic": ("Basic dXNlcjpwYXNz", UNKNOWN),
    "Bearer without a token": ("Bearer ", UNKNOWN),
    "two parts": (token().rpartition(".")[0], UNKNOWN),
    "four parts": (f"{token()}.e30", UNKNOWN),
    "two tokens": (f"{token()}, {token()}", UNKNOWN),
    "padding": (f"{token()}=", UNKNOWN),
    "a token that is no JWT": ("Bearer 5ecret", UNKNOWN),
    "beyond ASCII": (token().replace(".", "é.", 1), UNKNOWN),
    "a header that is not JSON": (with_parts(b"alg"), UNKNOWN),
    "a header that is no object": (with_parts(b"[]"), UNKNOWN),
    "alg twice": (with_parts(b'{"alg":"RS256","alg":"none","kid":"rsa"}'), UNKNOWN),
    "alg none, unsigned": (unsigned(), UNKNOWN),
    "alg none": (with_parts({"alg": "none", "kid": "rsa"}), UNKNOWN),
    "no alg": (token({"alg": None}), UNKNOWN),
    "alg a list": (token({"alg": ["RS256"]}), UNKNOWN),
    "alg PS256": (token({"alg": "PS256"}), UNKNOWN),
    "HS256 with the public key": (signed_with_the_public_key(), UNKNOWN),
    "an algorithm that is not the key's": (token({"alg": "ES256"}), UNKNOWN),
    "crit": (token({"crit": ["exp"]}), UNKNOWN),
    "crit and a key that we do not know": (token({"crit": ["exp"], "kid": "new"}), UNKNOWN),
    "b64 false": (token({"b64": False}), UNKNOWN),
    "no kid": (token({"kid": None}), UNKNOWN),
    "kid a number": (token({"kid": 1}), UNKNOWN),
    "a key of its own in jwk": (token({"jwk": OTHER.jwk}, key=OTHER), KEY_UNKNOWN),
    "a key of its own under our kid": (token({"jwk": OTHER.jwk, "kid": "rsa"}, key=OTHER), UNKNOWN),
    "keys of its own at jku": (token({"jku": "https://attacker.example", "kid": "rsa"}, key=OTHER), UNKNOWN),
    "another issuer": (token(iss="https://accounts.google.com"), UNKNOWN),
    "the issuer with a slash": (token(iss=f"{ISSUER}/"), UNKNOWN),
    "the issuer in a list": (token(iss=[ISSUER]), UNKNOWN),
    "no issuer": (token(iss=None), UNKNOWN),
    "another issuer and an unknown key": (token({"kid": "new"}, iss="https://attacker.example"), UNKNOWN),
    "a signature of another key": (token({"kid": "rsa"}, key=OTHER), UNKNOWN),
    "a changed signature": (f"{token()[:-10]}AAAAAAAAAA", UNKNOWN),
    "claims of another token": (
        ".".join([token().split(".")[0], *token(sub="script").split(".")[1:2], token().split(".")[2]]),
        UNKNOWN,
    ),
    "another audience": (token(aud=["other"]), UNKNOWN),
    "an audience that only begins so": (token(aud=f"{AUDIENCE}-test"), UNKNOWN),
    "no audience": (token(aud=None), UNKNOWN),
    "no subject": (token(sub=None), UNKNOWN),
    "an empty subject": (token(sub=""), UNKNOWN),
    "a subject that is no string": (token(sub=[SUBJECT]), UNKNOWN),
    "no exp": (token(exp=None), UNKNOWN),
    "exp a string": (token(exp=str(AT + 3600)), UNKNOWN),
    "exp true": (token(exp=True), UNKNOWN),
    "exp NaN": (with_parts(claims=claims_text(exp="NaN")), UNKNOWN),
    "exp twice": (with_parts(claims=claims_text(exp='1,"exp":99999999999')), UNKNOWN),
    "nbf a string": (token(nbf="0"), UNKNOWN),
    "claims that are no object": (with_parts(claims=b'["iss"]'), UNKNOWN),
    "a key that is too short": (token(key=SHORT), KEY_UNKNOWN),
    "another subject": (token(sub="system:serviceaccount:default:other"), NOT_ALLOWED),
    "another subject, expired": (token(sub="system:serviceaccount:default:other", exp=AT - 3600), NOT_ALLOWED),
    "a subject in capital letters": (token(sub="SCRIPT"), NOT_ALLOWED),
    "a key that we do not know": (token({"kid": "new"}), KEY_UNKNOWN),
    "expired": (token(exp=AT - 60), TOKEN_TIME),
    "expired long ago": (token(exp=0), TOKEN_TIME),
    "not yet valid": (token(nbf=AT + 61), TOKEN_TIME),
}
GATE: Final = Gate()


@pytest.mark.parametrize("kind", TOKENS)
def test_a_token_gets_its_status_and_code_the_second_time_too(kind: str) -> None:
    authorization, expected = TOKENS[kind]

    assert [GATE.verdict(authorization), GATE.verdict(authorization)] == [expected, expected]


@pytest.mark.parametrize("kind", TOKENS)
def test_a_refusal_shows_nothing_of_the_token(kind: str) -> None:
    authorization, _ = TOKENS[kind]
    GATE.verdict(authorization)

    parts = [part for part in (authorization or "").removeprefix("Bearer ").split(".") if len(part) > 5]
    assert not [part for part in parts if part in str(GATE.error)]


@pytest.mark.parametrize(
    ("kind", "challenge"),
    [
        ("no Authorization", "Bearer"),
        ("Basic", "Bearer"),
        ("another issuer", 'Bearer error="invalid_token"'),
        ("a changed signature", 'Bearer error="invalid_token"'),
        ("another subject", None),
    ],
)
def test_the_challenge_says_whether_a_token_came(kind: str, challenge: str | None) -> None:
    GATE.verdict(TOKENS[kind][0])

    assert isinstance(GATE.error, NotAllowedError)
    assert GATE.error.challenge == challenge


def test_who_is_known_but_may_not_deliver_is_named_for_the_log() -> None:
    GATE.verdict(token(sub="somebody"))

    assert GATE.delivery.about["caller.subject"] == "somebody"


def test_who_is_unknown_is_not_named() -> None:
    GATE.verdict(TOKENS["a signature of another key"][0])

    assert "caller.subject" not in GATE.delivery.about


@given(data=st.data())
def test_no_mutation_of_a_token_passes(data: st.DataObject) -> None:
    good = token(key=data.draw(st.sampled_from([RSA, *CURVES.values()]))).removeprefix("Bearer ")
    at = data.draw(st.integers(0, len(good) - 1))
    kind = data.draw(st.sampled_from(["replace", "insert", "delete", "swap"]))
    letter = data.draw(st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ \t%"))
    mutated = {
        "replace": good[:at] + letter + good[at + 1 :],
        "insert": good[:at] + letter + good[at:],
        "delete": good[:at] + good[at + 1 :],
        "swap": good[:at] + good[at + 1 : at + 2] + good[at : at + 1] + good[at + 2 :],
    }[kind]
    if mutated.strip(" ") == good:
        return

    assert GATE.verdict(f"Bearer {mutated}")[0] in (401, 503)


# Two libraries that know nothing of each other, asked for what the settings say. What we let pass, both must let pass.
# What they let pass and we do not is here, with who does: PyJWT, joserfc.
MORE_LENIENT: Final = {
    "an empty subject": [True, True],
    "exp a string": [True, False],
    "exp true": [True, True],
    "exp NaN": [True, False],
    "exp twice": [True, True],
    "nbf a string": [True, True],
}


def accepted_by_pyjwt(text: str) -> bool:
    keys = {jwk["kid"]: jwt.PyJWK(jwk) for jwk in json.loads(PUBLISHED)["keys"] if jwk["kid"] != "short"}
    try:
        key = keys[jwt.get_unverified_header(text)["kid"]]
        times = dict.fromkeys(("verify_exp", "verify_nbf", "verify_iat"), False)
        options = {**times, "require": ["exp", "iss", "aud", "sub"]}
        jwt.decode(text, key, [key.algorithm_name], options, audience=AUDIENCE, issuer=ISSUER)  # type: ignore[arg-type]
    except (jwt.PyJWTError, KeyError):
        return False
    return True


def accepted_by_joserfc(text: str) -> bool:
    keys = JoseKeySet.import_key_set({"keys": [jwk for jwk in json.loads(PUBLISHED)["keys"] if jwk["kid"] != "short"]})
    try:
        signed = jws.deserialize_compact(text, keys, algorithms=["RS256", "ES256", "ES384", "ES512"])
        claims = json.loads(signed.payload)
        audience = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
        known = isinstance(claims["sub"], str) and isinstance(claims["exp"], int | float)
        return known and claims["iss"] == ISSUER and AUDIENCE in audience and math.isfinite(claims["exp"])
    except (JoseError, ValueError, KeyError, TypeError):
        return False


@pytest.mark.parametrize("kind", [kind for kind, (text, _) in TOKENS.items() if text and text.startswith("Bearer ")])
def test_two_libraries_agree_with_each_other_and_with_us(kind: str) -> None:
    authorization, expected = TOKENS[kind]
    text = (authorization or "").removeprefix("Bearer ")
    authentic = expected[0] in (200, 403) or expected == TOKEN_TIME

    judges = [accepted_by_pyjwt(text), accepted_by_joserfc(text)]

    assert judges == MORE_LENIENT.get(kind, [authentic, authentic])
    assert not (authentic and kind in MORE_LENIENT)


class TestKeys:
    def test_nothing_is_fetched_before_a_token_needs_it(self) -> None:
        gate = Gate()

        gate.verdict(None)
        gate.verdict(token(iss="https://attacker.example"))

        assert gate.issuer.asked == []

    def test_one_token_is_fetched_for_and_verified_once(self) -> None:
        gate = Gate()

        for _ in range(100):
            assert gate.verdict(token())[0] == 200

        assert [(request.method, request.url) for request in gate.issuer.asked] == [("GET", SETTINGS.jwks)]
        assert [caller.subject for caller in gate.keys.held.verified.values()] == [SUBJECT]

    def test_a_token_that_was_verified_costs_less_than_a_twentieth_of_an_event(self) -> None:
        gate, headers = Gate(), {"authorization": token()}
        each = delivery()
        rounds = []

        for _ in range(20):
            before = time.thread_time()
            for _ in range(200):
                gate.callers.check(headers, each)
            rounds.append(time.thread_time() - before)

        assert min(rounds) / 200 < 35e-6  # an event takes 0.7 ms of CPU time

    def test_a_verified_token_ends_with_its_time(self) -> None:
        gate = Gate()
        text = token(exp=AT + 100)

        assert gate.verdict(text) == PASSES
        assert gate.verdict(text, datetime.fromtimestamp(AT + 161, UTC)) == TOKEN_TIME

    def test_no_more_than_so_many_verified_tokens_are_kept(self) -> None:
        gate = Gate()

        for number in range(MAX_VERIFIED + 1):
            gate.verdict(token(jti=number))

        assert len(gate.keys.held.verified) == 1

    def test_a_flood_of_unknown_keys_is_one_fetch_a_minute(self) -> None:
        gate = Gate()
        gate.verdict(token())

        for number in range(600):
            gate.clock.now += 0.2
            assert gate.verdict(token({"kid": str(number)})) == KEY_UNKNOWN
            assert gate.verdict(token()) == PASSES

        assert len(gate.issuer.asked) <= 3

    def test_a_new_key_is_fetched_and_a_withdrawn_one_takes_its_tokens_along(self) -> None:
        gate = Gate()
        assert gate.verdict(token()) == PASSES
        gate.issuer.answer = key_set(OTHER)
        gate.clock.now += 61

        assert gate.verdict(token(key=OTHER)) == PASSES
        assert gate.verdict(token()) == KEY_UNKNOWN

    def test_a_rotation_within_the_minute_is_to_be_sent_again(self) -> None:
        gate = Gate()
        gate.verdict(token())
        gate.issuer.answer = key_set(OTHER)
        gate.clock.now += 59

        assert gate.verdict(token(key=OTHER)) == KEY_UNKNOWN
        gate.clock.now += 1
        assert gate.verdict(token(key=OTHER)) == PASSES

    def test_keys_are_fetched_again_after_an_hour(self) -> None:
        gate = Gate()
        gate.verdict(token())
        gate.issuer.answer = key_set(OTHER)
        gate.clock.now += 3601

        assert gate.verdict(token()) == KEY_UNKNOWN

    OUTAGES: Final[dict[str, tuple[bytes | Exception | Answer, str]]] = {
        "no answer": (ApiUnavailableError("NO_ANSWER", "no answer to GET: timed out"), "timed out"),
        "an error": (Answer(500, {}, PUBLISHED), "the issuer answered 500"),
        "a redirect": (Answer(302, {}, b""), "the issuer answered 302"),
        "a page": (b"<html>", "not JSON"),
        "another document": (b'{"issuer": "x"}', "no JWK set"),
        "an array": (b"[]", "no JWK set"),
        "no keys": (b'{"keys": []}', "no public key"),
    }

    @pytest.mark.parametrize("outage", OUTAGES)
    def test_an_outage_before_the_first_fetch_is_to_be_sent_again(self, outage: str) -> None:
        answer, why = self.OUTAGES[outage]
        gate = Gate(answer)

        assert [gate.verdict(token()) for _ in range(3)] == [KEYS] * 3
        assert why.lower() in str(gate.error).lower()
        assert len(gate.issuer.asked) == 1
        gate.issuer.answer = PUBLISHED
        gate.clock.now += 60
        assert gate.verdict(token()) == PASSES

    @pytest.mark.parametrize("outage", OUTAGES)
    def test_an_outage_later_is_outlived_for_a_day(self, outage: str) -> None:
        gate = Gate()
        gate.verdict(token())
        gate.issuer.answer = self.OUTAGES[outage][0]

        for hours in (2, 12, 23.9):
            gate.clock.now = 1000 + hours * 3600
            assert gate.verdict(token()) == PASSES
        gate.clock.now = 1000 + 86_401
        assert gate.verdict(token()) == KEYS


class TestKeySet:
    def test_keys_are_read_by_id_and_algorithm(self) -> None:
        assert read_key_set(PUBLISHED).keys.keys() == {
            ("rsa", "RS256"),
            ("es256", "ES256"),
            ("es384", "ES384"),
            ("es512", "ES512"),
        }

    @pytest.mark.parametrize("left_out", ["alg", "use"])
    def test_what_may_be_left_out_may(self, left_out: str) -> None:
        keys = [{name: value for name, value in key.jwk.items() if name != left_out} for key in (RSA, *CURVES.values())]

        assert len(read_key_set(json.dumps({"keys": keys}).encode()).keys) == 4

    SKIPPED: Final[dict[str, object]] = {
        "no object": "key",
        "for encryption": {**RSA.jwk, "use": "enc"},
        "a private key": {**CURVES["ES256"].jwk, "d": CURVES["ES256"].secret},
        "a secret": {"kty": "oct", "kid": "rsa", "k": "c2VjcmV0", "alg": "HS256"},
        "no id": {name: value for name, value in RSA.jwk.items() if name != "kid"},
        "an id that is no string": {**RSA.jwk, "kid": 1},
        "a curve in a list": {**CURVES["ES256"].jwk, "crv": ["P-256"]},
        "another algorithm": {**RSA.jwk, "alg": "RS512"},
        "an algorithm in a list": {**RSA.jwk, "alg": ["RS256"]},
        "an algorithm of another type": {**RSA.jwk, "alg": "ES256"},
        "an algorithm of another curve": {**CURVES["ES256"].jwk, "alg": "ES384"},
        "another curve": {**CURVES["ES256"].jwk, "crv": "secp256k1", "alg": None},
        "too short": SHORT.jwk,
        "a modulus that is no string": {**RSA.jwk, "n": 5},
        "no modulus": {name: value for name, value in RSA.jwk.items() if name != "n"},
        "a point that is not on the curve": {**CURVES["ES256"].jwk, "x": "AAAA"},
        "a type that nobody knows": {**RSA.jwk, "kty": "new", "alg": None},
        "Ed25519": {"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
    }

    @pytest.mark.parametrize("kind", SKIPPED)
    def test_a_key_that_cannot_be_used_is_skipped(self, kind: str) -> None:
        keys = read_key_set(json.dumps({"keys": [self.SKIPPED[kind], OTHER.jwk]}).encode()).keys

        assert keys.keys() == {("other", "RS256")}


class TestFile:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        path = tmp_path / "keys.json"
        path.write_bytes(PUBLISHED)
        return path

    @pytest.fixture
    def gate(self, path: Path) -> Gate:
        gate = Gate()
        gate.keys = CallerKeys(File(path), gate.clock)
        gate.callers = Callers(SETTINGS, gate.keys)
        return gate

    def test_it_is_read_again_when_it_changes(self, gate: Gate, path: Path) -> None:
        assert gate.verdict(token()) == PASSES
        # As Kubernetes does it with a ConfigMap: another file takes the name.
        (path.parent / "new").write_bytes(key_set(OTHER))
        (path.parent / "new").rename(path)

        assert gate.verdict(token()) == KEY_UNKNOWN
        assert gate.verdict(token(key=OTHER)) == PASSES

    def test_it_is_not_read_again_while_it_does_not(self, gate: Gate, path: Path) -> None:
        gate.verdict(token())
        before = gate.keys.held

        gate.verdict(token({"kid": "new"}))

        assert gate.keys.held is before

    @pytest.mark.parametrize("content", [None, b"", b"<html>", key_set(SHORT), b" " * (1 << 18) + PUBLISHED])
    def test_what_cannot_be_read_leaves_the_old_keys_for_a_day(
        self, gate: Gate, path: Path, content: bytes | None
    ) -> None:
        gate.verdict(token())
        path.unlink()
        if content is not None:
            path.write_bytes(content)

        assert gate.verdict(token()) == PASSES
        gate.clock.now += 86_401
        assert gate.verdict(token()) == KEYS
        path.write_bytes(PUBLISHED)
        assert gate.verdict(token()) == PASSES

    def test_a_file_that_stays_is_not_too_old_after_a_day(self, gate: Gate) -> None:
        gate.verdict(token())
        gate.clock.now += 2 * 86_400

        assert gate.verdict(token()) == PASSES


class TestConcurrency:
    def test_deliveries_that_come_before_the_first_keys_wait_for_one_fetch(self) -> None:
        gate, answered = Gate(), threading.Event()
        publish = gate.issuer.exchange
        started = threading.Barrier(9)

        def slow(request: Request, of: Delivery) -> Answer:
            assert answered.wait(10)
            return publish(request, of)

        keys = CallerKeys(Url("https://issuer.example/keys", slow), gate.clock)
        callers, subjects = Callers(SETTINGS, keys), []

        def deliver() -> None:
            each = delivery()
            started.wait(10)
            callers.check({"authorization": token()}, each)
            subjects.append(each.caller)

        threads = [threading.Thread(target=deliver) for _ in range(8)]
        for thread in threads:
            thread.start()
        started.wait(10)
        answered.set()
        for thread in threads:
            thread.join()

        assert (subjects, len(gate.issuer.asked)) == ([SUBJECT] * 8, 1)

    def test_while_one_delivery_fetches_the_others_go_on_with_what_is_there(self) -> None:
        gate, asked, answered = Gate(), threading.Event(), threading.Event()
        answered.set()
        publish = gate.issuer.exchange

        def slow(request: Request, of: Delivery) -> Answer:
            asked.set()
            assert answered.wait(10)
            return publish(request, of)

        callers = Callers(SETTINGS, CallerKeys(Url("https://issuer.example/keys", slow), gate.clock))
        callers.check({"authorization": token()}, delivery())
        gate.clock.now += 3601
        asked.clear()
        answered.clear()
        first = threading.Thread(target=callers.check, args=({"authorization": token()}, delivery()))
        first.start()
        assert asked.wait(10)

        callers.check({"authorization": token()}, delivery())  # comes back although nothing is answered

        answered.set()
        first.join()
        assert len(gate.issuer.asked) == 2

    def test_a_delivery_whose_wait_is_over_is_to_be_sent_again(self) -> None:
        gate, asked, answered = Gate(), threading.Event(), threading.Event()

        def silent(request: Request, of: Delivery) -> Answer:
            asked.set()
            assert answered.wait(10)
            raise ApiUnavailableError("NO_ANSWER", "timed out")

        callers = Callers(SETTINGS, CallerKeys(Url("https://issuer.example/keys", silent), gate.clock))
        hasty = Delivery(now=NOW, until=time.monotonic() + 0.4)

        def first() -> None:
            with pytest.raises(NotFinalError):
                callers.check({"authorization": token()}, delivery())

        thread = threading.Thread(target=first)
        thread.start()
        assert asked.wait(10)
        with pytest.raises(NotFinalError) as raised:
            callers.check({"authorization": token()}, hasty)
        answered.set()
        thread.join()

        assert raised.value.error_code == "CALLER_KEYS"
        assert 0 < hasty.left() <= 0.3


class TestAtTheDoor:
    """The door with the check: when it is asked, and what is answered and logged."""

    @pytest.fixture
    def gate(self) -> Gate:
        return Gate()

    def visit(
        self, gate: Gate, authorization: str | None, method: str = "POST", path: str = "/", *, paused: bool = False
    ) -> tuple[TestResponse, list[Record]]:
        records: list[Record] = []
        door = Door(
            settle=refuse,
            publish=None,
            deadline_seconds=20.0,
            max_event_bytes=10,
            paused=paused,
            check_caller=gate.callers.check,
            observe=records.append,
        )
        app = flask.Flask("door")
        methods = ["GET", "POST"]
        app.add_url_rule("/", "events", lambda: door.answer(flask.request), methods=methods)
        app.add_url_rule("/health", "health", lambda: door.answer(flask.request), methods=methods)
        headers = {"Authorization": authorization} if authorization else {}
        return app.test_client().open(path, method=method, headers=headers, data=b" " * 11), records

    def test_a_body_is_read_only_of_who_may_deliver(self, gate: Gate) -> None:
        now = time.time()

        assert self.visit(gate, f"Bearer {RSA.token(at=now)}")[0].status_code == 413
        assert self.visit(gate, None)[0].status_code == 401

    def test_the_method_comes_first(self, gate: Gate) -> None:
        assert self.visit(gate, None, "GET")[0].status_code == 405

    def test_a_pause_comes_first_and_asks_nobody(self, gate: Gate) -> None:
        answer, _ = self.visit(gate, token({"kid": "new"}), paused=True)

        assert (answer.status_code, answer.json and answer.json["error_code"]) == (503, "PAUSED")
        assert gate.issuer.asked == []

    def test_a_probe_needs_no_token(self, gate: Gate) -> None:
        assert self.visit(gate, None, "GET", "/health")[0].status_code == 200

    @pytest.mark.parametrize(
        ("claims", "status", "challenge", "level", "subject"),
        [
            ({"iss": "other"}, 401, 'Bearer error="invalid_token"', logging.WARNING, None),
            ({"sub": "somebody"}, 403, None, logging.ERROR, "somebody"),
        ],
    )
    def test_a_refusal_is_problem_details_and_one_line(
        self,
        gate: Gate,
        claims: dict[str, Any],
        status: int,
        challenge: str | None,
        level: int,
        subject: str | None,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        answer, records = self.visit(gate, f"Bearer {RSA.token(at=time.time(), **claims)}")
        with caplog.at_level(logging.INFO):
            log_record(records[0])
        [line] = caplog.records

        assert (answer.status_code, answer.content_type) == (status, "application/problem+json")
        assert answer.headers.get("WWW-Authenticate") == challenge
        assert (line.levelno, vars(line)["outcome"]) == (level, "not_allowed")
        assert vars(line).get("caller.subject") == subject

    def test_what_a_rotation_explains_is_sent_again_and_an_operator_must_look(
        self, gate: Gate, caplog: pytest.LogCaptureFixture
    ) -> None:
        answer, records = self.visit(gate, token({"kid": "new"}))
        with caplog.at_level(logging.INFO):
            log_record(records[0])

        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
        assert caplog.records[-1].levelno == logging.ERROR


def refuse(event: Event, delivery: Delivery) -> tuple[Outcome, dict[str, str], dict[str, object]]:
    raise AssertionError
