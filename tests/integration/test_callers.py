"""Who may deliver, with a real issuer: a process with keys, tokens and a JWK set over HTTP."""

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, Final

import pytest

from function.caller_keys import CallerKeys, Url
from function.callers import Callers, CallerSettings
from function.delivery import Delivery
from function.errors import ReaperError, UncheckedCallerError
from function.transport import Transport
from simulator import Simulator
from simulator.processes import ROOT, run_function
from tests.conftest import MEASURED, RunFunction
from tests.doubles.issuer import AUDIENCE, ISSUER, SUBJECT, IssuerProcess, run_issuer
from tests.facts.account import BACKUP, PROJECT
from tests.wire.deliverer import DELETED, Reply, deliver, expired_event

HOUR: Final = 3600


@pytest.fixture(scope="module")
def issuing() -> Iterator[IssuerProcess]:
    with run_issuer() as running:
        yield running


@pytest.fixture
def issuer(issuing: IssuerProcess) -> IssuerProcess:
    issuing.behave("well")
    return issuing


@pytest.fixture
def checked(settings: Mapping[str, str], issuer: IssuerProcess) -> dict[str, str]:
    """The function's settings with the check on."""
    return {
        **settings,
        **MEASURED,
        "REAPER_CALLER_ISSUER": ISSUER,
        "REAPER_CALLER_AUDIENCE": AUDIENCE,
        "REAPER_CALLER_SUBJECTS": SUBJECT,
        "REAPER_CALLER_JWKS_URL": issuer.url,
    }


def bearing(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def code(reply: Reply) -> tuple[int, str]:
    return reply.status, reply.problem["error_code"]


class TestFunction:
    def test_who_may_deliver_is_served_and_named_in_the_log_and_the_token_is_not(
        self, run: RunFunction, checked: dict[str, str], issuer: IssuerProcess, simulator: Simulator
    ) -> None:
        function, token = run(checked), issuer.token()

        reply = deliver(function.url, expired_event(), headers=bearing(token))

        assert reply.event["type"] == DELETED
        assert BACKUP not in simulator.backup_ids(PROJECT)
        assert f'"caller.subject": "{SUBJECT}"' in function.output
        assert not [part for part in token.split(".")[1:] if part in function.output]

    @pytest.mark.parametrize(
        ("claims", "status", "error_code"),
        [
            ({"aud": "other"}, 401, "CALLER_UNKNOWN"),
            ({"iss": "other"}, 401, "CALLER_UNKNOWN"),
            ({"sub": "other"}, 403, "CALLER_NOT_ALLOWED"),
            ({"exp": 1}, 503, "CALLER_TOKEN_TIME"),
        ],
    )
    def test_who_may_not_is_refused_and_the_api_is_not_asked(
        self,
        run: RunFunction,
        checked: dict[str, str],
        issuer: IssuerProcess,
        simulator: Simulator,
        claims: dict[str, Any],
        status: int,
        error_code: str,
    ) -> None:
        reply = deliver(run(checked).url, expired_event(), headers=bearing(issuer.token(**claims)))

        assert code(reply) == (status, error_code)
        assert BACKUP in simulator.backup_ids(PROJECT)

    def test_nobody_is_refused(self, run: RunFunction, checked: dict[str, str]) -> None:
        reply = deliver(run(checked).url, expired_event())

        assert code(reply) == (401, "CALLER_UNKNOWN")
        assert reply.headers["www-authenticate"] == "Bearer"

    def test_a_flood_of_unknown_keys_is_one_request_to_the_issuer(
        self, checked: dict[str, str], issuer: IssuerProcess
    ) -> None:
        tokens = [issuer.token({"kid": f"made-up-{number}"}) for number in range(60)]
        with run_function(checked) as function, ThreadPoolExecutor(8) as pool:
            replies = list(
                pool.map(lambda token: deliver(function.url, expired_event(), headers=bearing(token)), tokens)
            )
            good = deliver(function.url, expired_event(), headers=bearing(issuer.token()))

        assert {code(reply) for reply in replies} == {(503, "CALLER_KEY_UNKNOWN")}
        assert good.event["type"] == DELETED
        assert issuer.fetches == 1

    @pytest.mark.parametrize("how", ["500", "html", "silent", "drip"])
    def test_an_outage_at_the_first_delivery_is_503_in_time(
        self, checked: dict[str, str], issuer: IssuerProcess, how: str
    ) -> None:
        token = issuer.token()
        issuer.behave(how)
        with run_function({**checked, "REAPER_DEADLINE_SECONDS": "2"}) as function:
            replies = [deliver(function.url, expired_event(), headers=bearing(token)) for _ in range(3)]

        assert [code(reply) for reply in replies] == [(503, "CALLER_KEYS")] * 3
        assert [reply for reply in replies if reply.seconds > 2] == []
        assert issuer.fetches == 1

    def test_the_planner_checks_callers_too(self, checked: dict[str, str], issuer: IssuerProcess) -> None:
        policy = {"REAPER_POLICY_FILE": str(ROOT / "examples" / "retention.toml")}
        tick = expired_event(type="dev.backup-reaper.retention.due.v1", data={})
        with run_function({**checked, **policy}, target="plan_retention") as planner:
            replies = [deliver(planner.url, tick, headers=headers) for headers in ({}, bearing(issuer.token()))]

        assert [reply.status for reply in replies] == [401, 200]


class Clock:
    """A clock that a test sets, for the keys and for the deliveries."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.began = time.time()

    def __call__(self) -> float:
        return self.seconds

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self.began + self.seconds, UTC)


def test_a_day_with_rotations_and_outages(issuer: IssuerProcess) -> None:
    """Four deliveries an hour by the clock of the day: two rotations, and the issuer away for hours in three ways."""
    clock, transport = Clock(), Transport([issuer.url], pool_size=2)
    settings = CallerSettings(issuer=ISSUER, audience=AUDIENCE, subjects=frozenset({SUBJECT}), jwks=issuer.url)
    callers = Callers(settings, CallerKeys(Url(issuer.url, transport.exchange), clock))
    refused: list[tuple[float, type[ReaperError]]] = []
    fetched = 0
    for quarter in range(24 * 4):
        clock.seconds = quarter * HOUR / 4
        match quarter / 4:
            case 6 | 18:
                issuer.rotate()
            case 8 | 11 | 14 as hour:
                fetched += issuer.fetches
                issuer.behave({8.0: "500", 11.0: "html"}.get(hour, "silent"))
            case 10 | 13 | 16:
                fetched += issuer.fetches
                issuer.behave("well")
        now = clock.now.timestamp()
        token = issuer.token(exp=now + HOUR, nbf=now)
        delivery = Delivery(now=clock.now, until=time.monotonic() + 1.0)
        try:
            callers.check(bearing_header(token), delivery)
        except UncheckedCallerError as error:
            refused.append((quarter / 4, type(error)))
        assert delivery.left() > 0
    fetched += issuer.fetches

    assert refused == []  # a rotation is seen at once: the last fetch is more than a minute ago
    assert 24 <= fetched <= 24 + 3 * 8
    transport.close()


def bearing_header(token: str) -> dict[str, str]:
    """The header as the door hands it on."""
    return {"authorization": f"Bearer {token}"}
