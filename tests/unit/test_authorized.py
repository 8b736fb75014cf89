"""A request that is authorized: what becomes of it is told once, and its answer shows none of our secrets."""

import json
from datetime import UTC, datetime
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from function.cloud.authorized import AuthorizedRequest, without_secrets
from function.cloud.lockout import Verdict
from function.cloud.refusals import Refusal
from function.delivery import Delivery
from function.errors import ApiDeniedError, ApiUnavailableError
from function.exchange import Answer, Request
from function.redaction import MAX_SEARCHED_CHARS, Redactor, redactor_of
from tests.doubles.echoing import STYLES, Style

REQUEST: Final = Request("DELETE", "https://api.example/v3/p/backups/b1", {"X-Auth-Token": "5ecret-token"})
DELIVERY: Final = Delivery(now=datetime(2026, 3, 1, 12, tzinfo=UTC), until=0)


class Settled:
    """A request, what it was settled with, and what was sent."""

    def __init__(self) -> None:
        self.verdicts: list[tuple[Verdict, str | None]] = []
        self.sent: list[tuple[Request, Delivery]] = []
        self.request = AuthorizedRequest(
            REQUEST, [redactor_of("5ecret-token")], lambda verdict, date: self.verdicts.append((verdict, date))
        )

    def send(
        self, answer: Answer | Exception, verdict: Verdict | Exception = Verdict.ACCEPTED
    ) -> tuple[Answer, Verdict]:
        def exchange(request: Request, delivery: Delivery) -> Answer:
            self.sent.append((request, delivery))
            if isinstance(answer, Exception):
                raise answer
            return answer

        def read_verdict(answer: Answer) -> Verdict:
            assert b"5ecret" not in answer.body
            if isinstance(verdict, Exception):
                raise verdict
            return verdict

        return self.request.send(DELIVERY, exchange=exchange, read_verdict=read_verdict)


class TestSending:
    @pytest.mark.parametrize("verdict", Verdict)
    def test_settles_with_what_the_answer_says(self, verdict: Verdict) -> None:
        settled, answer = Settled(), Answer(200, {"date": "today"}, b"{}")

        assert settled.send(answer, verdict) == (answer, verdict)

        assert settled.verdicts == [(verdict, "today")]
        assert settled.sent == [(REQUEST, DELIVERY)]

    def test_returns_the_answer_without_secrets(self) -> None:
        answer, _ = Settled().send(Answer(400, {}, b"5ecret-token is wrong"))

        assert answer.body == b"[redacted] is wrong"

    @pytest.mark.parametrize(
        ("failure", "verdict"),
        [
            (ApiUnavailableError("NO_ANSWER", ""), Verdict.UNANSWERED),
            (ApiUnavailableError("NO_ANSWER", "", sent=False), Verdict.UNKNOWN),
            (ApiDeniedError("PROXY_REFUSED", "", sent=False), Verdict.UNKNOWN),
            (RuntimeError("a bug"), Verdict.UNANSWERED),
        ],
        ids=repr,
    )
    def test_without_an_answer_settles_with_whether_it_was_sent(self, failure: Exception, verdict: Verdict) -> None:
        settled = Settled()

        with pytest.raises(type(failure)) as raised:
            settled.send(failure)

        assert raised.value is failure
        assert settled.verdicts == [(verdict, None)]

    def test_settles_also_if_the_answer_cannot_be_read(self) -> None:
        settled = Settled()

        with pytest.raises(ZeroDivisionError):
            settled.send(Answer(200, {"date": "today"}, b""), ZeroDivisionError())

        assert settled.verdicts == [(Verdict.UNANSWERED, None)]


def echoed(secrets: list[str], answer: Answer) -> Answer:
    return without_secrets(answer, Redactor(secrets))


printable = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=4, max_size=40)


class TestAnAnswerThatEchoesASecret:
    def test_is_as_it_came_where_it_echoes_none(self) -> None:
        answer = Answer(200, {"x-request-id": "r"}, b'{"a": 1.50, "b": "\\u00fc\\/",\n "a": 1}')

        assert echoed(["5ecret"], answer) is answer
        assert echoed(["another secret"], answer) is answer

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

    def test_is_as_it_came_where_its_words_only_look_like_a_secret(self) -> None:
        answer = Answer(200, {"x": "a\nb"}, b'{"a":  ["a\\u0062", "TaurusDB-in-production"]}')

        assert echoed(["ab cd", "TaurusDB-instance-42"], answer) == answer
        assert echoed(['a"b', "TaurusDB"], Answer(200, {}, b'{"a":  "a\\u0022c"}')).body == b'{"a":  "a\\u0022c"}'

    @pytest.mark.parametrize(
        "body", [b'{"a": 1234567890123}', b'{"a": [12345678, 9]}'], ids=["in a number", "of JSON itself"]
    )
    def test_is_lost_where_it_echoes_it_in_no_text(self, body: bytes) -> None:
        assert echoed(["234567890123", "12345678,9", "[12345678, 9]"], Answer(200, {}, body)).body == b"[redacted]"

    @pytest.mark.parametrize("more", [0, 1])
    def test_is_lost_as_a_whole_where_it_is_long_and_echoes_one(self, more: int) -> None:
        secret = "5ecret/of/horses"
        body = b'{"a": "' + b"x" * (MAX_SEARCHED_CHARS - 9 - len(secret) + more) + secret.encode() + b'"}'
        assert len(body) == MAX_SEARCHED_CHARS + more

        redacted = echoed([secret], Answer(400, {}, body)).body

        assert redacted == (b"[redacted]" if more else body.replace(secret.encode(), b"[redacted]"))
        assert echoed(["another secret", "x2"], Answer(400, {}, body * 2)).body == body * 2
        if more:  # a short one is not looked for in a long body: it could be a part of any word
            assert echoed(["x5"], Answer(400, {}, body)).body == body

    def test_loses_it_also_where_it_is_cut_short_wrapped_or_spelt_for_a_page(self) -> None:
        secret = 'a "5ecret" of horses'
        page = '<p>a &quot;5ecret&quot; of ho...<br>\u4f60 a%20%225ecret%22%20of%20horses\na "5ecret"\n  of horses'

        redacted = echoed([secret], Answer(502, {"x-request-id": "a+%225ecret%22+of"}, page.encode()))

        assert redacted.body.decode() == "<p>[redacted]...<br>\u4f60 [redacted]\n[redacted]"
        assert redacted.headers == {"x-request-id": "[redacted]"}

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
