"""Credentials, and what keeps them out of every output. IAM's tokens are in test_iam.py, locks in test_lockout.py."""

import logging
import threading
import time
from contextlib import suppress
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any, Final

import pytest

from function.cloud.authorized import AuthorizedRequest, Credential
from function.cloud.credentials import (
    MAX_SECRET_CHARS,
    PASSWORD,
    TOKEN,
    KeyPair,
    KeySettings,
    Secret,
    Token,
    TokenSettings,
    UserSettings,
    read_together,
)
from function.cloud.lockout import LockoutGuard, Verdict
from function.delivery import Delivery
from function.errors import ApiDeniedError
from function.exchange import Answer, Request
from function.redaction import redactor_of
from tests.doubles.mounted import MountedSecret
from tests.facts.account import NOW

SECOND: Final = timedelta(seconds=1)
PROJECT: Final = "p" * 32
REQUEST: Final = Request("DELETE", f"https://api.example/v3/{PROJECT}/backups/b1", {"X-Language": "en-us"})
HOLDER: Final = Secret("HW_X", "5ecret")
DELIVERY: Final = Delivery(now=NOW, until=time.monotonic() + 3600)


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

    @pytest.mark.parametrize(
        ("name", "cause"),
        [("none", "No such file or directory"), ("", "Is a directory"), ("a\0b", "ValueError")],
        ids=["no file", "a directory", "no path"],
    )
    def test_in_no_file_is_refused_with_its_variable_and_path(self, tmp_path: Path, name: str, cause: str) -> None:
        path = tmp_path / name

        with pytest.raises(ApiDeniedError) as refusal:
            Secret("HW_X_FILE", path=path).read()

        assert str(refusal.value) == f"CREDENTIAL_UNREADABLE: HW_X_FILE: cannot read {path}: {cause}"

    def test_that_stands_where_its_path_belongs_is_not_shown(self) -> None:
        with pytest.raises(ApiDeniedError) as refusal:
            Secret("HW_X_FILE", path=Path("MII5ecret")).read()

        assert str(refusal.value) == (
            "CREDENTIAL_UNREADABLE: HW_X_FILE: cannot read the file (no absolute path, so it is not shown):"
            " No such file or directory"
        )

    @pytest.mark.parametrize(
        "holder",
        [
            HOLDER,
            TokenSettings(HOLDER),
            KeySettings(HOLDER, HOLDER, HOLDER),
            UserSettings("reaper", HOLDER, "acme", "https://iam.example/v3"),
            Token(TokenSettings(HOLDER)),
            KeyPair(KeySettings(HOLDER, HOLDER)),
            AuthorizedRequest(REQUEST.with_headers({"X-Auth-Token": "5ecret"}), [redactor_of("5ecret")]),
            KeyPair(KeySettings(HOLDER, HOLDER)).authorize(REQUEST, PROJECT, DELIVERY),
        ],
    )
    def test_is_in_no_repr(self, holder: object) -> None:
        assert "5ecret" not in repr(holder)
        assert "5ecret" not in str(holder)


def sent(credential: Credential, delivery: Delivery = DELIVERY) -> Request:
    """A request as it is sent with a credential, which is accepted."""
    authorized = credential.authorize(REQUEST, PROJECT, delivery)
    authorized.settle(Verdict.ACCEPTED, None)
    return authorized.request


class TestAToken:
    def test_goes_into_the_header_of_the_api_page(self) -> None:
        credential = Token(TokenSettings(Secret("HW_AUTH_TOKEN", "MII")))

        assert sent(credential) == REQUEST.with_headers({"X-Auth-Token": "MII"})

    def test_is_not_shown(self) -> None:
        authorized = Token(TokenSettings(Secret("HW_AUTH_TOKEN", "MII"))).authorize(REQUEST, PROJECT, DELIVERY)

        assert authorized.without_secrets(Answer(400, {}, b"MII is wrong")).body == b"[redacted] is wrong"

    def test_by_value_cannot_be_renewed(self) -> None:
        credential = Token(TokenSettings(Secret("HW_AUTH_TOKEN", "MII")))

        assert not credential.renew(sent(credential), PROJECT)

    def test_in_a_file_is_read_anew_for_every_request(self, tmp_path: Path) -> None:
        path = tmp_path / "token"
        credential = Token(TokenSettings(Secret("HW_AUTH_TOKEN_FILE", path=path)))
        tokens = []
        for token in ("one", "two"):
            path.write_text(token)
            tokens.append(sent(credential).headers["X-Auth-Token"])

        assert tokens == ["one", "two"]

    def test_in_a_file_is_newer_if_it_is_another_than_was_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "token"
        path.write_text("one\n")
        credential = Token(TokenSettings(Secret("HW_AUTH_TOKEN_FILE", path=path)))
        refused = sent(credential)

        assert not credential.renew(refused, PROJECT)
        path.write_text("two\n")
        assert credential.renew(refused, PROJECT)

    def test_that_is_refused_is_used_again(self) -> None:
        """No number of wrong tokens locks anything; and its file may change."""
        credential = Token(TokenSettings(Secret("HW_AUTH_TOKEN", "MII")))
        for verdict in (Verdict.REFUSED, Verdict.UNANSWERED):
            credential.authorize(REQUEST, PROJECT, DELIVERY).settle(verdict, None)

        assert sent(credential).headers["X-Auth-Token"] == "MII"


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

    @pytest.mark.parametrize("wrong", range(2))
    def test_are_refused_if_one_has_another_form(self, wrong: int) -> None:
        secrets = [Secret("A", "AK"), Secret("B", "SK")]
        secrets[wrong] = Secret("WRONG", "5ecret with blanks")

        with pytest.raises(ApiDeniedError, match="WRONG must hold printable ASCII"):
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


ACCESS_KEY: Final = Secret("HW_ACCESS_KEY", "AK")
SECRET_KEY: Final = Secret("HW_SECRET_KEY", "SK")
SECURITY_TOKEN: Final = Secret("HW_SECURITY_TOKEN", "STS")


def settle(credential: Credential, verdict: Verdict, date: str | None = None) -> None:
    credential.authorize(REQUEST, PROJECT, DELIVERY).settle(verdict, date)


class TestAKeyPair:
    def test_signs_the_project_as_the_official_sdk_does_and_sends_no_token(self) -> None:
        headers = sent(KeyPair(KeySettings(ACCESS_KEY, SECRET_KEY))).headers

        assert headers["X-Project-Id"] == PROJECT
        assert headers["X-Sdk-Date"] == "20260301T120000Z"
        assert " Access=AK, SignedHeaders=host;x-language;x-project-id;x-sdk-date, " in headers["Authorization"]
        assert "X-Auth-Token" not in headers
        assert "X-Security-Token" not in headers

    def test_that_is_temporary_signs_its_security_token(self) -> None:
        headers = sent(KeyPair(KeySettings(ACCESS_KEY, SECRET_KEY, SECURITY_TOKEN))).headers

        assert headers["X-Security-Token"] == "STS"
        assert ";x-sdk-date;x-security-token, " in headers["Authorization"]

    def test_shows_none_of_its_parts_nor_the_signature(self) -> None:
        key = KeySettings(Secret("A", "AK5ecret1"), Secret("S", "SK5ecret2"), Secret("T", "ST5ecret3"))
        authorized = KeyPair(key).authorize(REQUEST, PROJECT, DELIVERY)
        signature = authorized.request.headers["Authorization"].rpartition("=")[2]

        answer = authorized.without_secrets(Answer(400, {}, f"AK5ecret1 SK5ecret2 ST5ecret3 {signature}.".encode()))

        assert answer.body == b"[redacted] [redacted] [redacted] [redacted]."
        part = Answer(400, {}, f"{signature[1:]} and AK5ecret".encode())  # of no use to anybody
        assert authorized.without_secrets(part) is part

    def test_is_never_renewed(self) -> None:
        credential = KeyPair(KeySettings(ACCESS_KEY, SECRET_KEY))

        assert not credential.renew(sent(credential), PROJECT)

    def test_that_was_refused_is_not_tried_again(self) -> None:
        credential = KeyPair(KeySettings(ACCESS_KEY, SECRET_KEY))
        settle(credential, Verdict.REFUSED)

        with pytest.raises(ApiDeniedError, match=r"CREDENTIAL_REFUSED: .* 0 s ago: correct the credential\. "):
            sent(credential)

    def test_that_cannot_be_read_is_no_try(self, tmp_path: Path) -> None:
        path = tmp_path / "key"
        credential = KeyPair(KeySettings(ACCESS_KEY, Secret("HW_SECRET_KEY_FILE", path=path)))
        with pytest.raises(ApiDeniedError, match="CREDENTIAL_UNREADABLE"):
            sent(credential)

        path.write_text("SK")
        sent(credential)

    def test_that_each_delivery_brings_along_shares_what_is_known_of_keys(self) -> None:
        guard = LockoutGuard()
        settle(KeyPair(KeySettings(ACCESS_KEY, SECRET_KEY), guard), Verdict.REFUSED)

        with pytest.raises(ApiDeniedError, match="CREDENTIAL_REFUSED"):
            sent(KeyPair(KeySettings(ACCESS_KEY, SECRET_KEY), guard))
        sent(KeyPair(KeySettings(ACCESS_KEY, SECRET_KEY, SECURITY_TOKEN), guard))

    @pytest.mark.parametrize("changed", range(3))
    def test_is_another_if_any_part_of_it_is(self, tmp_path: Path, changed: int) -> None:
        files = ["AK", "SK", "STS"]
        mounted = MountedSecret(tmp_path / "key", dict(zip("abc", files, strict=True)))
        credential = KeyPair(KeySettings(*(Secret(name, path=mounted / name) for name in "abc")))
        settle(credential, Verdict.REFUSED)

        files[changed] += "2"
        mounted.rotate(dict(zip("abc", files, strict=True)))

        sent(credential)

    @pytest.mark.parametrize(
        ("off", "fault"),
        [
            (timedelta(minutes=15, seconds=1), "our clock is 901 s behind the cloud's; set it"),
            (-timedelta(hours=1), "our clock is 3600 s ahead of the cloud's; set it"),
        ],
    )
    def test_that_is_refused_because_of_our_clock_blames_the_clock_each_time(
        self, caplog: pytest.LogCaptureFixture, off: timedelta, fault: str
    ) -> None:
        """More than 15 minutes off are refused: "API Request Signing Guide", X-Sdk-Date."""
        credential = KeyPair(KeySettings(ACCESS_KEY, SECRET_KEY))
        settle(credential, Verdict.REFUSED, format_datetime(NOW + off, usegmt=True))

        (line,) = (record for record in caplog.records if record.levelno == logging.ERROR)
        assert line.getMessage() == f"the cloud refused a signature: {fault}"
        with pytest.raises(ApiDeniedError) as refusal:
            sent(credential)
        assert f" 0 s ago: {fault}. The next try " in refusal.value.error_msg
        assert "correct" not in refusal.value.error_msg

    @pytest.mark.parametrize(
        ("verdict", "date"),
        [
            (Verdict.REFUSED, format_datetime(NOW + timedelta(minutes=15), usegmt=True)),
            (Verdict.REFUSED, None),
            (Verdict.REFUSED, "yesterday"),
            (Verdict.ACCEPTED, format_datetime(NOW + timedelta(hours=1), usegmt=True)),
            (Verdict.UNKNOWN, format_datetime(NOW + timedelta(hours=1), usegmt=True)),
        ],
    )
    def test_blames_no_clock_without_a_reason(
        self, caplog: pytest.LogCaptureFixture, verdict: Verdict, date: str | None
    ) -> None:
        credential = KeyPair(KeySettings(ACCESS_KEY, SECRET_KEY))
        settle(credential, verdict, date)

        assert caplog.records == []
        if verdict is Verdict.REFUSED:
            with pytest.raises(ApiDeniedError, match=r"s ago: correct the credential\."):
                sent(credential)
