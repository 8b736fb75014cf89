"""Tokens of an IAM user, as "Obtaining a User Token Through Password Authentication" documents them."""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from function.cloud.credentials import MAX_SECRET_CHARS, PASSWORD, Secret, UserSettings
from function.cloud.iam import MARGIN, IssuedToken, UserTokens, read_token, read_verdict, token_request
from function.cloud.lockout import MAX_FAILURES, REFUSED_SECONDS, UNANSWERED_SECONDS, LockoutGuard, Verdict
from function.delivery import Delivery
from function.errors import ApiDeniedError, ApiUnavailableError, NotFinalError
from function.exchange import Answer, Request
from function.redaction import MAX_SEARCHED_CHARS
from tests.facts.account import NOW
from tests.facts.strategies import answer_headers, answers, as_json, instants, json_scalars

DAY: Final = timedelta(days=1)
MINUTE: Final = timedelta(minutes=1)
SECOND: Final = timedelta(seconds=1)
PROJECT: Final = "p" * 32
REQUEST: Final = Request("DELETE", "https://api.example/v3/p/backups/b", {})


def user(password: Secret | None = None) -> UserSettings:
    password = password or Secret("HW_USER_PASSWORD", "correct horse", form=PASSWORD)
    return UserSettings("reaper", password, "acme", "https://iam.example/v3")


def tokens_of(
    iam: "Iam", password: Secret | None = None, *, max_projects: int = 100, guard: LockoutGuard | None = None
) -> UserTokens:
    return UserTokens(user(password), iam, max_projects=max_projects, guard=guard)


def delivery(after: timedelta = timedelta(), *, seconds: float = 30.0) -> Delivery:
    return Delivery(now=NOW + after, until=time.monotonic() + seconds)


def written(time: datetime) -> str:
    """As IAM writes a time: "UTC, microseconds, trailing Z"."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def issued(token: str = "MII", *, at: datetime | None = NOW, life: timedelta = DAY, **more: Any) -> Answer:
    times = {"expires_at": written((at or NOW) + life)} | ({"issued_at": written(at)} if at else {})
    return as_json({"token": times | more}, {"x-subject-token": token}, 201)


def test_a_token_is_asked_for_as_iam_documents_it() -> None:
    request = token_request(user(), "correct horse", PROJECT)

    assert (request.method, request.url) == ("POST", "https://iam.example/v3/auth/tokens?nocatalog=true")
    assert request.headers == {"Content-Type": "application/json"}
    identity = {"user": {"name": "reaper", "password": "correct horse", "domain": {"name": "acme"}}}
    assert json.loads(request.body or b"") == {
        "auth": {
            "identity": {"methods": ["password"], "password": identity},
            "scope": {"project": {"id": PROJECT}},
        }
    }


class TestATokenInAnAnswer:
    @pytest.mark.parametrize(
        ("answer", "good_for"),
        [
            (issued(), DAY - MARGIN),
            (issued(at=None), DAY - MARGIN),
            (issued(life=11 * MINUTE), 6 * MINUTE),
            (issued(life=8 * MINUTE), 4 * MINUTE),
            # A clock that is off, ours or IAM's, makes no token look dead or immortal.
            (issued(at=NOW - 2 * DAY), DAY - MARGIN),
            (issued(at=NOW + 2 * DAY), DAY - MARGIN),
            (issued(expires_at="2026-03-02T20:00:00.000000+08:00"), DAY - MARGIN),
        ],
    )
    def test_is_used_until_shortly_before_it_expires(self, answer: Answer, good_for: timedelta) -> None:
        assert read_token(answer, NOW) == IssuedToken("MII", NOW + good_for)

    @pytest.mark.parametrize("token", ["M", "MII+/=-_", "x" * MAX_SECRET_CHARS])
    def test_is_what_a_header_can_carry(self, token: str) -> None:
        assert read_token(issued(token), NOW).value == token

    @pytest.mark.parametrize(
        "token",
        ["", "M II", "MII\r\nX-Project-Id: another", "MII\n", "\u00fc", "MII\x00", "x" * (MAX_SECRET_CHARS + 1)],
    )
    def test_is_not_what_a_header_cannot_carry(self, token: str) -> None:
        with pytest.raises(ApiUnavailableError) as refusal:
            read_token(issued(token), NOW)

        assert str(refusal.value) == "BROKEN_ANSWER: IAM's 201 holds no usable token"
        assert refusal.value.http_status == 201

    def test_is_none_without_its_header(self) -> None:
        with pytest.raises(ApiUnavailableError, match=r"^BROKEN_ANSWER: "):
            read_token(Answer(201, {}, issued().body), NOW)

    @pytest.mark.parametrize(
        "body",
        [
            None,
            [],
            {},
            {"token": None},
            {"token": "expires_at"},
            {"token": {}},
            {"token": {"expires_at": None}},
            {"token": {"expires_at": 1}},
            {"token": {"expires_at": "tomorrow"}},
            {"token": {"expires_at": "2026-03-02T12:00:00"}},
            {"token": {"expires_at": "2026-03-02T12:00:00Z", "issued_at": "2026-03-01T12:00:00"}},
            {"token": {"expires_at": "2026-03-02T12:00:00Z", "issued_at": "today"}},
            {"token": {"expires_at": "9999-12-31T23:59:59Z", "issued_at": "0001-01-01T00:00:00Z"}},
        ],
        ids=json.dumps,
    )
    def test_is_not_used_without_knowing_how_long(self, body: object) -> None:
        with pytest.raises(ApiUnavailableError, match=r"^BROKEN_ANSWER: "):
            read_token(as_json(body, {"x-subject-token": "MII"}, 201), NOW)

    @pytest.mark.parametrize("body", [b"", b"<html>", b"\xff"])
    def test_is_not_used_if_the_rest_is_no_json(self, body: bytes) -> None:
        with pytest.raises(ApiUnavailableError, match=r"^BROKEN_ANSWER: "):
            read_token(Answer(201, {"x-subject-token": "MII"}, body), NOW)

    @pytest.mark.parametrize(
        ("status", "body", "kind", "code", "message"),
        [
            # In both shapes that IAM uses.
            (401, {"error": {"code": 401, "message": "Wrong."}}, ApiDeniedError, "401", "Wrong."),
            (401, {"error_code": "IAM.0061", "error_msg": "Locked."}, ApiDeniedError, "IAM.0061", "Locked."),
            (403, {"error_code": "IAM.0081", "error_msg": "Console."}, ApiDeniedError, "IAM.0081", "Console."),
            (404, {"error_code": "IAM.0004", "error_msg": "No project."}, ApiDeniedError, "IAM.0004", "No project."),
            (400, {"error_code": "IAM.0011", "error_msg": "Invalid."}, ApiDeniedError, "IAM.0011", "Invalid."),
            (429, {"error_code": "IAM.0012", "error_msg": "Often."}, ApiUnavailableError, "IAM.0012", "Often."),
            (500, {"error_code": "IAM.0006", "error_msg": "Failed."}, ApiUnavailableError, "IAM.0006", "Failed."),
            (503, {"message": "x"}, ApiUnavailableError, "NO_ERROR_CODE", "the API answered 503 without an error code"),
            (302, None, ApiUnavailableError, "NO_ERROR_CODE", "the API answered 302 without an error code"),
            (200, {"token": {}}, ApiUnavailableError, "NO_ERROR_CODE", "the API answered 200 without an error code"),
        ],
    )
    def test_that_is_refused_keeps_what_iam_said(
        self, status: int, body: object, kind: type[NotFinalError], code: str, message: str
    ) -> None:
        with pytest.raises(NotFinalError) as refusal:
            read_token(as_json(body, {"retry-after": "7", "x-request-id": "r"}, status), NOW)

        error = refusal.value
        assert type(error) is kind
        assert (error.error_code, error.error_msg) == (code, f"IAM gives no token: {message}")
        assert (error.http_status, error.retry_after, error.request_id) == (status, "7", "r")

    @given(
        answers
        | st.builds(
            lambda expires, issued_at, headers, token: as_json(
                {"token": {"expires_at": expires, "issued_at": issued_at}}, {**headers, "x-subject-token": token}, 201
            ),
            json_scalars | instants.map(written) | instants.map(lambda time: time.replace(tzinfo=None).isoformat()),
            json_scalars | instants.map(written),
            answer_headers,
            st.text(max_size=5),
        )
    )
    def test_is_usable_or_not_final_whatever_comes(self, answer: Answer) -> None:
        try:
            token = read_token(answer, NOW)
        except NotFinalError:
            return
        assert answer.status == 201
        assert token.value.isascii()
        assert token.value.isprintable()
        assert " " not in token.value
        assert token.until.tzinfo


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (201, Verdict.ACCEPTED),
        (401, Verdict.REFUSED),
        *((status, Verdict.UNKNOWN) for status in (200, 302, 400, 403, 404, 407, 429, 500, 503)),
    ],
)
def test_a_password_is_accepted_or_refused_by_nothing_but_iam_s_own_word(status: int, verdict: Verdict) -> None:
    assert read_verdict(Answer(status, {}, b"")) is verdict


class Waiting(Delivery):
    """Tells when it asks how long it may wait: it has found the token expected, or the password in use, by another."""

    def __init__(self, **facts: Any) -> None:
        super().__init__(**facts)
        self.asked = threading.Event()

    def left(self) -> float:
        self.asked.set()
        return super().left()


class Iam:
    """Issues tokens by number, unless told what to answer."""

    def __init__(self, answer: Callable[[Request], Answer] | None = None) -> None:
        self.asked: list[Request] = []
        self.deliveries: list[Delivery] = []
        self.answer = answer or (lambda _: issued(f"token-{len(self.asked)}"))

    def __call__(self, request: Request, delivery: Delivery) -> Answer:
        self.asked.append(request)
        self.deliveries.append(delivery)
        return self.answer(request)

    @property
    def projects(self) -> list[str]:
        """The projects that tokens were asked for."""
        return [json.loads(request.body or b"")["auth"]["scope"]["project"]["id"] for request in self.asked]


def token(tokens: UserTokens, project_id: str = PROJECT, during: Delivery | None = None) -> str:
    """The token that a request gets."""
    authorized = tokens.authorize(REQUEST, project_id, during or delivery())
    authorized.settle(Verdict.ACCEPTED, None)
    sent = authorized.request.headers["X-Auth-Token"]
    assert authorized.without_secrets(Answer(400, {}, sent.encode())).body == b"[redacted]"
    return sent


def refused(tokens: UserTokens, sent: str, project_id: str = PROJECT) -> None:
    """The API refused a token."""
    assert tokens.renew(REQUEST.with_headers({"X-Auth-Token": sent}), project_id)


class TestTheTokensOfAUser:
    def test_are_fetched_when_they_are_needed_and_kept_until_they_nearly_expire(self) -> None:
        iam = Iam()
        tokens = tokens_of(iam)
        assert iam.asked == []
        mine = delivery()
        token(tokens, "another project", mine)
        assert iam.deliveries == [mine]
        iam.asked.clear()

        moments = [timedelta(), DAY - MARGIN - SECOND, DAY - MARGIN, DAY]
        assert [token(tokens, during=delivery(after)) for after in moments] == [
            "token-1",
            "token-1",
            "token-2",
            "token-2",
        ]

    def test_are_one_a_project(self) -> None:
        iam = Iam()
        tokens = tokens_of(iam)

        assert [token(tokens, project) for project in "abab"] == ["token-1", "token-2", "token-1", "token-2"]
        assert iam.projects == ["a", "b"]

    def test_are_kept_for_as_many_projects_as_are_allowed_the_least_used_goes_first(self) -> None:
        iam = Iam()
        tokens = tokens_of(iam, max_projects=200)
        for number in range(200):
            token(tokens, f"project-{number}")
        for number in range(200):
            token(tokens, f"project-{number}")
        assert len(iam.asked) == 200

        token(tokens, "project-0")
        token(tokens, "one-more")
        token(tokens, "project-0")
        assert len(iam.asked) == 201
        token(tokens, "project-1")
        assert len(iam.asked) == 202

    def test_that_expire_are_replaced_and_push_no_other_out(self) -> None:
        iam = Iam()
        tokens = tokens_of(iam, max_projects=2)
        token(tokens, "a")
        token(tokens, "b", delivery(MINUTE))
        token(tokens, "a", delivery(DAY - MARGIN))  # expired first: now the last that was used
        token(tokens, "c", delivery(DAY - MARGIN))
        assert iam.projects == ["a", "b", "a", "c"]

        token(tokens, "a", delivery(DAY - MARGIN))
        assert len(iam.asked) == 4

    def test_are_renewed_once_however_many_were_refused_the_same_one(self) -> None:
        iam = Iam()
        tokens = tokens_of(iam)
        old = token(tokens)

        for _ in range(3):
            refused(tokens, old)
            assert token(tokens) == "token-2"
        assert len(iam.asked) == 2

    def test_of_another_project_stay_when_one_is_refused(self) -> None:
        tokens = tokens_of(Iam())
        kept, old = token(tokens, "a"), token(tokens, "b")

        refused(tokens, old, "b")

        assert token(tokens, "a") == kept

    @pytest.mark.parametrize("answer", [issued(), as_json({"error_code": "IAM.0012"}, status=429)], ids=["201", "429"])
    def test_are_asked_for_once_by_all_who_wait_and_shared_success_or_failure(self, answer: Answer) -> None:
        open_ = threading.Event()

        def answer_slowly(_: Request) -> Answer:
            open_.wait(10)
            return answer

        iam = Iam(answer_slowly)
        tokens = tokens_of(iam)
        deliveries = [Waiting(now=NOW, until=time.monotonic() + 30) for _ in range(32)]

        def ask(during: Delivery) -> str:
            try:
                return token(tokens, during=during)
            except NotFinalError as error:
                return error.error_code

        with ThreadPoolExecutor(32) as pool:
            outcomes = pool.map(ask, deliveries)
            for each in deliveries:
                assert each.asked.wait(10)  # it is about to wait, or to ask
            open_.set()
            assert Counter(outcomes) == {"MII" if answer.status == 201 else "IAM.0012": 32}
        assert len(iam.asked) == 1

    def test_are_waited_for_no_longer_than_ones_own_deadline(self) -> None:
        asked, open_ = threading.Event(), threading.Event()

        def answer_slowly(_: Request) -> Answer:
            asked.set()
            open_.wait(10)
            return issued()

        tokens = tokens_of(Iam(answer_slowly))
        with ThreadPoolExecutor(1) as pool:
            patient = pool.submit(token, tokens)
            assert asked.wait(10)
            began = time.monotonic()
            for seconds in (0.05, 0, -1):
                with pytest.raises(ApiUnavailableError, match=r"^NO_TOKEN: IAM has not answered yet$"):
                    token(tokens, during=delivery(seconds=seconds))
            waited = time.monotonic() - began
            assert not patient.done()
            open_.set()
            assert patient.result() == "MII"
        assert 0.05 <= waited < 2.5

    @pytest.mark.parametrize("failure", [ApiUnavailableError("NO_ANSWER", ""), RuntimeError("a bug")], ids=repr)
    def test_that_could_not_be_fetched_are_asked_for_again_when_the_password_has_rested(
        self, failure: Exception
    ) -> None:
        def fail_once(_: Request) -> Answer:
            if len(iam.asked) == 1:
                raise failure
            return issued()

        passed = [0.0]
        iam = Iam(fail_once)
        tokens = tokens_of(iam, guard=LockoutGuard(one_at_a_time=True, clock=lambda: passed[0]))

        with pytest.raises(type(failure)):
            token(tokens)
        with pytest.raises(ApiUnavailableError, match=r"^CREDENTIAL_UNPROVEN: the cloud did not answer "):
            token(tokens, "another")
        passed[0] = UNANSWERED_SECONDS
        assert token(tokens) == "MII"
        assert len(iam.asked) == 2

    def test_that_could_not_be_fetched_leave_what_another_delivery_expects_by_now(self) -> None:
        """One project's entry is pushed out while IAM is asked for it, and another delivery asks anew."""
        asked, go_on = threading.Event(), threading.Event()

        def answer(_: Request) -> Answer:
            if len(iam.asked) == 1:
                asked.set()
                go_on.wait(10)
                return Answer(500, {}, b"")
            return issued(f"token-{len(iam.asked)}")

        iam = Iam(answer)
        tokens = tokens_of(iam, max_projects=1)
        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(token, tokens, "slow")
            assert asked.wait(10)
            with pytest.raises(ApiUnavailableError, match="CREDENTIAL_UNPROVEN"):
                token(tokens, "another", delivery(seconds=0.01))  # takes the place of the slow one
            waiting = Waiting(now=NOW, until=time.monotonic() + 30)
            second = pool.submit(token, tokens, "slow", waiting)
            assert waiting.asked.wait(10)
            go_on.set()
            assert isinstance(first.exception(), ApiUnavailableError)
            assert second.result() == "token-2"

        assert token(tokens, "slow") == "token-2"
        assert len(iam.asked) == 2

    @pytest.mark.parametrize("status", [400, 403, 404, 429, 500, 503])
    def test_are_asked_for_again_after_a_refusal_that_locks_nothing(self, status: int) -> None:
        iam = Iam(lambda _: Answer(status, {}, b"") if len(iam.asked) == 1 else issued())
        tokens = tokens_of(iam)

        with pytest.raises(NotFinalError):
            token(tokens)
        assert token(tokens) == "MII"

    def test_that_do_not_exist_are_not_asked_for_with_a_password_that_was_refused_until_it_is_another(
        self, tmp_path: Path
    ) -> None:
        path = tmp_path / "password"
        path.write_text("wrong horse\n")
        iam = Iam(lambda request: issued() if b"correct" in (request.body or b"") else Answer(401, {}, b""))
        tokens = tokens_of(iam, Secret("HW_USER_PASSWORD_FILE", path=path, form=PASSWORD))

        codes = []
        for project in "abcdaefg":
            with pytest.raises(ApiDeniedError) as refusal:
                token(tokens, project)
            codes.append(refusal.value.error_code)
        assert codes == ["NO_ERROR_CODE"] * MAX_FAILURES + ["CREDENTIAL_REFUSED"] * 4
        assert len(iam.asked) == MAX_FAILURES

        path.write_text("correct horse\n")
        assert token(tokens) == "MII"

    def test_are_asked_for_a_few_times_where_a_password_that_was_right_has_been_changed(self) -> None:
        """A change of the password revokes every token: then many projects need a new one at the same moment."""
        changed, at_once = threading.Event(), threading.Barrier(8)

        def answer(_: Request) -> Answer:
            if not changed.is_set():
                return issued()
            with suppress(threading.BrokenBarrierError):
                at_once.wait(0.1)  # for the others that would ask as well
            return Answer(401, {}, b"")

        iam = Iam(answer)
        tokens = tokens_of(iam)
        token(tokens, "before")
        changed.set()

        def ask(number: int) -> str:
            with pytest.raises(ApiDeniedError) as refusal:
                token(tokens, f"project-{number}")
            return refusal.value.error_code

        with ThreadPoolExecutor(20) as pool:
            codes = Counter(pool.map(ask, range(20)))
        assert codes == {"NO_ERROR_CODE": MAX_FAILURES, "CREDENTIAL_REFUSED": 20 - MAX_FAILURES}
        assert len(iam.asked) == 1 + MAX_FAILURES

    def test_of_other_projects_are_fetched_where_iam_refuses_one_for_want_of_a_role(self) -> None:
        iam = Iam(lambda _: Answer(401, {}, b"") if iam.projects[-1] == "no role" else issued(iam.projects[-1]))
        passed = [0.0]
        tokens = tokens_of(iam, guard=LockoutGuard(one_at_a_time=True, clock=lambda: passed[0]))

        with pytest.raises(ApiDeniedError, match=r"^NO_ERROR_CODE: IAM gives no token: "):
            token(tokens, "no role")
        for project in "abcdef":
            assert token(tokens, project) == project
            with pytest.raises(ApiDeniedError) as refusal:
                token(tokens, "no role")
            advice = "correct the password, or the user's role in the project"
            assert f" 0 s ago: {advice}. The next try " in refusal.value.error_msg
        assert iam.projects == ["no role", *"abcdef"]

        passed[0] = REFUSED_SECONDS
        with pytest.raises(ApiDeniedError, match="NO_ERROR_CODE"):
            token(tokens, "no role")

    def test_cannot_be_asked_for_without_a_password(self, tmp_path: Path) -> None:
        iam = Iam()

        with pytest.raises(ApiDeniedError, match=r"CREDENTIAL_UNREADABLE: HW_USER_PASSWORD_FILE"):
            token(tokens_of(iam, Secret("HW_USER_PASSWORD_FILE", path=tmp_path / "none")))
        assert iam.asked == []

    def test_are_refused_without_showing_the_password_that_iam_echoes(self) -> None:
        password = Secret("HW_USER_PASSWORD", 'a "5ecret\\ horse', form=PASSWORD)
        echo = Iam(
            lambda request: as_json({"error_code": "IAM.0011", "error_msg": (request.body or b"").decode()}, {}, 400)
        )

        with pytest.raises(ApiDeniedError) as refusal:
            token(tokens_of(echo, password))

        assert "[redacted]" in refusal.value.error_msg
        assert "5ecret" not in refusal.value.error_msg

    def test_are_refused_without_showing_the_password_that_iam_cuts_short(self) -> None:
        password = Secret("HW_USER_PASSWORD", "Tr0ub4dor&3", form=PASSWORD)
        echo = Iam(lambda _: as_json({"error_code": "IAM.0011", "error_msg": "wrong password Tr0ub4dor&..."}, {}, 400))

        with pytest.raises(ApiDeniedError) as refusal:
            token(tokens_of(echo, password))

        assert refusal.value.error_msg == "IAM gives no token: wrong password [redacted]..."

    @pytest.mark.parametrize(
        ("echoed", "chars", "kept"),
        [
            ("Tr0ub4dor&3", 1, ("[redacted]", "7")),
            ("Tr0ub4dor&3", MAX_SEARCHED_CHARS, (None, None)),  # as a whole: to search so much takes time
            ("r", MAX_SEARCHED_CHARS, ("r", "7")),
        ],
    )
    def test_are_refused_without_showing_the_password_that_iam_echoes_in_headers(
        self, echoed: str, chars: int, kept: tuple[str | None, str | None]
    ) -> None:
        headers = {"x-request-id": echoed, "retry-after": "7", "x-more": "x" * chars}
        password = Secret("HW_USER_PASSWORD", "Tr0ub4dor&3", form=PASSWORD)
        echo = Iam(lambda _: as_json({"error_code": "IAM.0011", "error_msg": "Tr0ub4dor&3"}, headers, 400))

        with pytest.raises(ApiDeniedError) as refusal:
            token(tokens_of(echo, password))

        assert refusal.value.error_msg == "IAM gives no token: [redacted]"
        assert (refusal.value.request_id, refusal.value.retry_after) == kept
