"""Secrets, and what keeps them in and the cloud's locks off; issue 5. IAM's tokens are in test_iam.py."""

import json
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from function.cloud.credentials import (
    MAX_SECRET_CHARS,
    PASSWORD,
    REFUSED_FOR,
    TOKEN,
    Attempt,
    KeyPair,
    Secret,
    Token,
    Trial,
    User,
    read_together,
)
from function.cloud.refusals import Refusal
from function.delivery import Delivery
from function.errors import ApiDeniedError, ApiUnavailableError
from function.exchange import Answer, Request
from tests.echoing import STYLES, Style
from tests.mounted import MountedSecret

NOW: Final = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
SECOND: Final = timedelta(seconds=1)
PROJECT: Final = "p" * 32
REQUEST: Final = Request("DELETE", f"https://api.example/v3/{PROJECT}/backups/b1", {"X-Language": "en-us"})
HOLDER: Final = Secret("HW_X", "5ecret")


def delivery(after: timedelta = timedelta(), *, seconds: float = 30.0) -> Delivery:
    """A delivery that began some time after NOW and may take so long."""
    return Delivery(now=NOW + after, until=time.monotonic() + seconds)


class TestASecret:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / "secret"

    @pytest.mark.parametrize(
        ("content", "form", "secret"),
        [
            (b"MIIq+/=~!", TOKEN, "MIIq+/=~!"),
            (b"MII\n", TOKEN, "MII"),
            (b"MII\r\n", TOKEN, "MII"),
            (b"x" * MAX_SECRET_CHARS + b"\n", TOKEN, "x" * MAX_SECRET_CHARS),
            (b"correct horse\n", PASSWORD, "correct horse"),
            (b"x", PASSWORD, "x"),
        ],
    )
    def test_in_a_file_is_what_the_file_holds_but_for_a_newline_at_its_end(
        self, path: Path, content: bytes, form: Any, secret: str
    ) -> None:
        path.write_bytes(content)

        assert Secret("HW_X_FILE", path=path, form=form).read() == secret

    def test_by_value_is_the_value(self) -> None:
        assert Secret("HW_X", "MII").read() == "MII"

    @pytest.mark.parametrize(
        ("content", "form"),
        [
            (b"", TOKEN),
            (b"\n", TOKEN),
            (b"5ecret\n\n", TOKEN),
            (b" 5ecret", TOKEN),
            (b"5ecret ", TOKEN),
            (b"5ec ret", TOKEN),
            (b"5ec\tret", TOKEN),
            (b"5ec\nret", TOKEN),
            (b"5ec\rret", TOKEN),
            (b"5ec\x00ret", TOKEN),
            (b"5ecret\x7f", TOKEN),
            ("5ecret\u00fc".encode(), TOKEN),
            (b"5ecret\xff", TOKEN),
            (b"\xef\xbb\xbf5ecret", TOKEN),  # a byte order mark
            (b"5" * (MAX_SECRET_CHARS + 1), TOKEN),
            (b"5ecret word ", PASSWORD),
            (b" 5ecret word", PASSWORD),
            (b"5ecret\tword", PASSWORD),
        ],
        ids=repr,
    )
    @pytest.mark.parametrize("in_file", [False, True], ids=["by value", "in a file"])
    def test_of_another_form_is_refused_and_not_shown(
        self, path: Path, content: bytes, form: Any, in_file: bool
    ) -> None:
        path.write_bytes(content)
        secret = Secret("HW_X", "" if in_file else content.decode("latin-1"), path if in_file else None, form)

        with pytest.raises(ApiDeniedError) as refusal:
            secret.read()

        assert refusal.value.error_code == "CREDENTIAL_UNREADABLE"
        assert refusal.value.error_msg == (
            "HW_X must hold printable ASCII characters without white space around (not shown)"
        )

    def test_in_no_file_is_refused_with_its_variable(self, tmp_path: Path) -> None:
        with pytest.raises(ApiDeniedError, match=r"^CREDENTIAL_UNREADABLE: HW_X_FILE: FileNotFoundError$"):
            Secret("HW_X_FILE", path=tmp_path / "none").read()

    def test_in_a_directory_is_refused_with_its_variable(self, tmp_path: Path) -> None:
        with pytest.raises(ApiDeniedError, match=r"^CREDENTIAL_UNREADABLE: HW_X_FILE: IsADirectoryError$"):
            Secret("HW_X_FILE", path=tmp_path).read()

    @pytest.mark.parametrize(
        "holder",
        [
            HOLDER,
            (HOLDER, HOLDER),
            User("reaper", HOLDER, "acme", "https://iam.example/v3"),
            Token(HOLDER),
            KeyPair([HOLDER, HOLDER]),
            Attempt(REQUEST.with_headers({"X-Auth-Token": "5ecret"}), ["5ecret"]),
        ],
        ids=lambda holder: type(holder).__name__,
    )
    def test_is_in_no_repr(self, holder: object) -> None:
        assert "5ecret" not in repr(holder)
        assert "5ecret" not in str(holder)


class TestAToken:
    def test_goes_into_the_header_of_the_api_page(self) -> None:
        with Token(Secret("HW_AUTH_TOKEN", "MII")).attempt(REQUEST, PROJECT, delivery()) as attempt:
            assert attempt.request == REQUEST.with_headers({"X-Auth-Token": "MII"})

    def test_by_value_cannot_be_renewed(self) -> None:
        credential = Token(Secret("HW_AUTH_TOKEN", "MII"))

        assert not credential.renew(REQUEST.with_headers({"X-Auth-Token": "MII"}), PROJECT)

    def test_in_a_file_is_read_anew_for_every_request(self, tmp_path: Path) -> None:
        path = tmp_path / "token"
        credential = Token(Secret("HW_AUTH_TOKEN_FILE", path=path))
        sent = []
        for token in ("one", "two"):
            path.write_text(token)
            with credential.attempt(REQUEST, PROJECT, delivery()) as attempt:
                sent.append(attempt.request.headers["X-Auth-Token"])

        assert sent == ["one", "two"]

    def test_in_a_file_is_newer_if_it_is_another_than_was_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "token"
        path.write_text("one\n")
        credential, refused = (
            Token(Secret("HW_AUTH_TOKEN_FILE", path=path)),
            REQUEST.with_headers({"X-Auth-Token": "one"}),
        )

        assert not credential.renew(refused, PROJECT)
        path.write_text("two\n")
        assert credential.renew(refused, PROJECT)


class TestSecretsThatBelongTogether:
    def test_are_read_from_one_directory_or_are_values(self, tmp_path: Path) -> None:
        mounted = MountedSecret(tmp_path / "key", {"ak": "AK\n", "sk": "SK\n"})

        assert read_together([Secret("A", path=mounted / "ak"), Secret("B", path=mounted / "sk")]) == ["AK", "SK"]
        assert read_together([Secret("A", "AK"), Secret("B", path=mounted / "sk")]) == ["AK", "SK"]
        assert read_together([Secret("A", "AK"), Secret("B", "SK")]) == ["AK", "SK"]

    def test_in_two_directories_are_refused(self, tmp_path: Path) -> None:
        secrets = []
        for name in ("old", "new"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "key").write_text(name)
            (tmp_path / name / "link").symlink_to(tmp_path / name / "key")
            secrets.append(Secret("HW_X_FILE", path=tmp_path / name / "link"))

        with pytest.raises(
            ApiDeniedError, match="CREDENTIAL_UNREADABLE: the files of the key are not in one directory"
        ):
            read_together(secrets)

    def test_never_mix_while_they_are_rotated(self, tmp_path: Path) -> None:
        mounted = MountedSecret(tmp_path / "key", {"ak": "0", "sk": "0"})
        secrets = [Secret("A", path=mounted / "ak"), Secret("B", path=mounted / "sk")]
        read: list[list[str]] = []

        def rotate() -> None:
            for version in range(1, 150):
                mounted.rotate({"ak": str(version), "sk": str(version)})

        rotation = threading.Thread(target=rotate)
        rotation.start()
        while rotation.is_alive():
            with suppress(ApiDeniedError):  # in the middle of it: the event comes again
                read.append(read_together(secrets))
        rotation.join()

        assert all(ak == sk for ak, sk in read)
        assert read_together(secrets) == ["149", "149"]


def tried(trial: Trial, secret: str, accepted: bool | None, during: Delivery | None = None) -> bool:
    """Whether a secret is tried; it is answered so."""
    with suppress(ApiDeniedError), trial.of(REQUEST, [secret], during or delivery()) as attempt:
        attempt.accepted = accepted
        return True
    return False


class TestATrial:
    """Five refusals in a row lock a key or a user for minutes: huawei-api.md §4, §5."""

    @pytest.mark.parametrize("after", [SECOND, 299 * SECOND])
    def test_of_what_was_refused_is_not_repeated_for_five_minutes(self, after: timedelta) -> None:
        trial = Trial()
        assert tried(trial, "wrong", False)

        with pytest.raises(ApiDeniedError) as refusal, trial.of(REQUEST, ["wrong"], delivery(after)):
            pytest.fail("it is tried again")

        waited, left = after.seconds, 300 - after.seconds
        assert refusal.value.error_code == "CREDENTIAL_REFUSED"
        assert refusal.value.error_msg.startswith(f"the cloud refused the credential {waited} s ago; correct it, or")
        assert refusal.value.retry_after == str(left)

    def test_of_what_was_refused_is_not_repeated_by_a_delivery_that_began_before(self) -> None:
        trial = Trial()
        assert tried(trial, "wrong", False)

        assert not tried(trial, "wrong", False, delivery(-SECOND))

    @pytest.mark.parametrize("after", [REFUSED_FOR, timedelta(days=1), -timedelta(days=1)], ids=str)
    def test_is_made_again_when_time_has_passed_or_the_clock_was_set_back_far(self, after: timedelta) -> None:
        trial = Trial()
        assert tried(trial, "secret", False)

        assert tried(trial, "secret", True, delivery(after))
        assert tried(trial, "secret", True, delivery(after))

    def test_of_another_secret_is_made_at_once(self) -> None:
        trial = Trial()
        assert tried(trial, "wrong", False)

        assert tried(trial, "right", True)

    def test_of_what_neither_was_accepted_nor_refused_is_repeated(self) -> None:
        trial = Trial()

        assert [tried(trial, "secret", None) for _ in range(3)] == [True] * 3

    def test_that_fails_lets_the_next_one_have_its_turn(self) -> None:
        trial = Trial()
        with pytest.raises(ApiUnavailableError), trial.of(REQUEST, ["secret"], delivery()):
            raise ApiUnavailableError("NO_ANSWER", "")

        assert tried(trial, "secret", True, delivery(seconds=0))

    def test_of_what_is_not_proven_is_one_at_a_time_and_nobody_waits_past_the_deadline(self) -> None:
        trial = Trial()
        with trial.of(REQUEST, ["secret"], delivery()):
            began = time.monotonic()
            with pytest.raises(ApiUnavailableError, match="CREDENTIAL_UNPROVEN"):
                tried(trial, "secret", True, delivery(seconds=0.05))
            with pytest.raises(ApiUnavailableError, match="CREDENTIAL_UNPROVEN"):
                tried(trial, "secret", True, delivery(seconds=-1))
        assert time.monotonic() - began < 5

    def test_that_succeeds_late_proves_nothing_of_what_was_refused_meanwhile(self) -> None:
        trial = Trial()
        assert tried(trial, "secret", True)
        with trial.of(REQUEST, ["secret"], delivery()) as late:
            assert tried(trial, "secret", False)
            late.accepted = True

        assert not tried(trial, "secret", True)
        with (
            trial.of(REQUEST, ["secret"], delivery(REFUSED_FOR)),
            pytest.raises(ApiUnavailableError, match="CREDENTIAL_UNPROVEN"),
        ):
            tried(trial, "secret", True, delivery(REFUSED_FOR, seconds=0.05))

    def test_of_what_is_proven_waits_for_nobody(self) -> None:
        trial = Trial()
        assert tried(trial, "secret", True)

        with trial.of(REQUEST, ["secret"], delivery()):
            assert tried(trial, "secret", True, delivery(seconds=0))

    def test_of_what_was_proven_and_is_refused_is_the_last(self) -> None:
        trial = Trial()
        assert [tried(trial, "secret", accepted) for accepted in (True, False, True)] == [True, True, False]

    def test_that_was_still_accepted_proves_nothing_that_was_refused_meanwhile(self) -> None:
        trial = Trial()
        assert tried(trial, "secret", True)

        with trial.of(REQUEST, ["secret"], delivery()) as slow:
            assert tried(trial, "secret", False)
            slow.accepted = True

        assert not tried(trial, "secret", True)

    @pytest.mark.parametrize(("accepted", "tries"), [(False, 1), (True, 8)], ids=["refused", "accepted"])
    def test_is_waited_for_by_all_others_who_then_know(self, accepted: bool, tries: int) -> None:
        trial, here = Trial(), threading.Barrier(8)

        class Waiting(Delivery):
            def left(self) -> float:
                here.wait(10)  # it has found the secret neither proven nor refused, and is about to wait for its turn
                return super().left()

        def try_too(number: int) -> bool:
            # Each began a little earlier: in which order deliveries reach a turn is nobody's choice.
            return tried(trial, "secret", accepted, Waiting(now=NOW - number * SECOND, until=time.monotonic() + 30))

        with ThreadPoolExecutor(7) as pool:
            with trial.of(REQUEST, ["secret"], delivery()) as attempt:
                others = [pool.submit(try_too, number) for number in range(7)]
                here.wait(10)
                assert not any(other.done() for other in others)
                attempt.accepted = accepted

            assert 1 + sum(other.result() for other in others) == tries

    def test_remembers_no_secret(self) -> None:
        trial = Trial()
        tried(trial, "5ecret", True)
        tried(trial, "5ecret-too", False)

        assert "5ecret" not in repr(vars(trial))

    @given(
        st.lists(
            st.tuples(st.sampled_from("ab"), st.integers(-20, 400).map(lambda s: s * SECOND), st.booleans()),
            max_size=12,
        )
    )
    @example([("a", timedelta(), False), ("a", -SECOND, False)])
    def test_whatever_happens_no_secret_is_tried_twice_in_five_minutes_after_a_refusal_and_with_no_other_between(
        self, steps: list[tuple[str, timedelta, bool]]
    ) -> None:
        trial, now = Trial(), timedelta()
        tries: list[tuple[str, timedelta, bool]] = []
        for secret, passed, accepted in steps:
            now += passed
            if tried(trial, secret, accepted, delivery(now)):
                tries.append((secret, now, accepted))

        for (one, before, was_accepted), (other, after, _) in pairwise(tries):
            assert was_accepted or one != other or abs(after - before) >= REFUSED_FOR


KEY: Final = [Secret("HW_ACCESS_KEY", "AK"), Secret("HW_SECRET_KEY", "SK")]


def attempt_with(credential: KeyPair, accepted: bool | None, date: str | None = None) -> Request:
    with credential.attempt(REQUEST, PROJECT, delivery()) as attempt:
        attempt.accepted, attempt.date = accepted, date
    return attempt.request


class TestAKeyPair:
    def test_signs_the_project_as_the_official_sdk_does_and_sends_no_token(self) -> None:
        headers = attempt_with(KeyPair(KEY), None).headers

        assert headers["X-Project-Id"] == PROJECT
        assert headers["X-Sdk-Date"] == "20260301T120000Z"
        assert " Access=AK, SignedHeaders=host;x-language;x-project-id;x-sdk-date, " in headers["Authorization"]
        assert "X-Auth-Token" not in headers
        assert "X-Security-Token" not in headers

    def test_that_is_temporary_signs_its_security_token(self) -> None:
        headers = attempt_with(KeyPair([*KEY, Secret("HW_SECURITY_TOKEN", "STS")]), None).headers

        assert headers["X-Security-Token"] == "STS"
        assert ";x-sdk-date;x-security-token, " in headers["Authorization"]

    def test_is_never_renewed(self) -> None:
        credential = KeyPair(KEY)

        assert not credential.renew(attempt_with(credential, False), PROJECT)

    def test_that_was_refused_is_not_tried_again(self) -> None:
        credential = KeyPair(KEY)
        attempt_with(credential, False)

        with pytest.raises(ApiDeniedError, match="CREDENTIAL_REFUSED"):
            attempt_with(credential, None)

    @pytest.mark.parametrize("changed", range(3))
    def test_is_another_if_any_part_of_it_is(self, tmp_path: Path, changed: int) -> None:
        files = ["AK", "SK", "STS"]
        mounted = MountedSecret(tmp_path / "key", dict(zip("abc", files, strict=True)))
        credential = KeyPair([Secret(name, path=mounted / name) for name in "abc"])
        attempt_with(credential, False)

        files[changed] += "2"
        mounted.rotate(dict(zip("abc", files, strict=True)))

        attempt_with(credential, True)

    @pytest.mark.parametrize(
        ("accepted", "off", "blamed"),
        [
            (False, timedelta(minutes=16), "our clock is -960 s off the gateway's"),
            (False, -timedelta(hours=1), "our clock is 3600 s off the gateway's"),
            (False, timedelta(minutes=14), None),
            (False, None, None),
            (True, timedelta(hours=1), None),
            (None, timedelta(hours=1), None),
        ],
    )
    def test_that_is_refused_because_of_our_clock_blames_the_clock(
        self, caplog: pytest.LogCaptureFixture, accepted: bool | None, off: timedelta | None, blamed: str | None
    ) -> None:
        """More than 15 minutes off are refused: huawei-api.md §6."""
        attempt_with(KeyPair(KEY), accepted, None if off is None else format_datetime(NOW + off, usegmt=True))

        lines = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
        assert [line.startswith(blamed or "?") for line in lines] == ([True] if blamed else [])


def echoed(secrets: list[str], answer: Answer) -> Answer:
    return Attempt(REQUEST, secrets).without_secrets(answer)


printable = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=4, max_size=40)


class TestAnAnswerThatEchoesASecret:
    def test_is_as_it_came_where_it_echoes_none(self) -> None:
        answer = Answer(200, {"x-request-id": "r"}, b'{"a": 1.50, "b": "\\u00fc\\/",\n "a": 1}')

        assert echoed(["5ecret"], answer) == answer

    def test_loses_it_from_its_headers(self) -> None:
        answer = Answer(400, {"x-request-id": "5ecret; 5ecret", "retry-after": "1"}, b"")

        assert echoed(["5ecret"], answer).headers == {"x-request-id": "[redacted]; [redacted]", "retry-after": "1"}

    def test_loses_it_from_a_body_of_any_kind(self) -> None:
        assert echoed(["5ecret"], Answer(400, {}, b"<html>\xff5ecret</html>")).body == b"<html>\xff[redacted]</html>"

    def test_loses_every_part_of_a_key(self) -> None:
        assert echoed(["AK1", "SK1"], Answer(400, {}, b"AK1 and SK1")).body == b"[redacted] and [redacted]"

    @pytest.mark.parametrize("style", STYLES)
    @pytest.mark.parametrize("secret", ["MIIq/5ecret+/==", '5ec"ret\\', "5ec'ret<&>"])
    def test_loses_it_however_its_json_is_written(self, style: Style, secret: str) -> None:
        body = f'{{"error_code": "DBS.1", "error_msg": "you sent {STYLES[style](secret)}."}}'

        refusal = Refusal.read(echoed([secret], Answer(400, {}, body.encode())))

        assert (refusal.error_code, refusal.error_msg) == ("DBS.1", "you sent [redacted].")

    @pytest.mark.parametrize("style", STYLES)
    def test_loses_a_password_out_of_a_body_that_is_quoted_in_a_body(self, style: Style) -> None:
        password = 'correct "5ecret\\horse"'
        quoted = STYLES[style](json.dumps({"password": password}))
        body = f'{{"error": {{"code": 400, "message": "{quoted}"}}}}'

        refusal = Refusal.read(echoed([password], Answer(400, {}, body.encode())))

        assert refusal.error_msg == '{"password": "[redacted]"}'

    def test_loses_it_however_deep_it_is(self) -> None:
        body = b'{"a": [{"5\\u0065cret": ["an 5\\u0065cret", 1, null]}]}'

        answer = echoed(["5ecret"], Answer(200, {}, body))

        assert json.loads(answer.body) == {"a": [{"[redacted]": ["an [redacted]", 1, None]}]}

    @given(secret=printable, style=st.sampled_from(sorted(STYLES)), around=printable)
    def test_never_shows_it_to_whoever_reads_the_answer(self, secret: str, style: Style, around: str) -> None:
        body = f'{{"errCode": "{STYLES[style](secret)}", "externalMessage": "{STYLES[style](around + secret)}"}}'

        answer = echoed([secret], Answer(400, {"x-request-id": secret}, body.encode()))

        refusal = Refusal.read(answer)
        for shown in (refusal.error_code, refusal.error_msg, refusal.request_id):
            assert secret not in str(shown).replace("[redacted]", "\0")
