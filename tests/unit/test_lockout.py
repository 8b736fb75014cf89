"""When a secret may be used: the cloud locks a key or a user after about five refusals in a row."""

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from function.cloud.lockout import (
    MAX_FAILURES,
    MAX_SECRETS,
    REFUSED_SECONDS,
    UNANSWERED_SECONDS,
    WINDOW_SECONDS,
    LockoutGuard,
    Use,
    Verdict,
)
from function.delivery import Delivery
from function.errors import ApiDeniedError, ApiUnavailableError, NotFinalError

ACCEPTED, REFUSED, UNANSWERED, UNKNOWN = Verdict


class Clock:
    """A monotonic clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def guard(clock: Clock) -> LockoutGuard:
    return LockoutGuard(clock=clock)


@pytest.fixture
def password_guard(clock: Clock) -> LockoutGuard:
    return LockoutGuard(one_at_a_time=True, clock=clock)


def delivery(seconds: float = 30.0) -> Delivery:
    """A delivery that may take so long."""
    return Delivery(now=datetime(2026, 3, 1, 12, tzinfo=UTC), until=time.monotonic() + seconds)


def begin(guard: LockoutGuard, secret: str = "secret", scope: str = "", *, seconds: float = 30.0) -> Use:
    return guard.begin([secret], delivery(seconds), scope)


def tried(guard: LockoutGuard, verdict: Verdict, secret: str = "secret", scope: str = "") -> str:
    """The verdict's name if a secret was tried; else the code of what was raised instead."""
    try:
        use = begin(guard, secret, scope)
    except NotFinalError as error:
        return error.error_code
    guard.settle(use, verdict)
    return verdict.name


def is_held(guard: LockoutGuard, secret: str = "secret") -> bool:
    """Whether a secret that is under way keeps another delivery waiting, past its deadline here."""
    try:
        guard.settle(begin(guard, secret, seconds=0.02), UNKNOWN)
    except ApiUnavailableError as error:
        assert str(error) == "CREDENTIAL_UNPROVEN: the first use of the credential is still without an answer"
        return True
    return False


class TestASecretThatWasRefused:
    @pytest.mark.parametrize(("after", "ago", "left"), [(0.0, 0, 300), (1.0, 1, 299), (299.4, 299, 1)])
    def test_is_not_tried_again_for_five_minutes(
        self, guard: LockoutGuard, clock: Clock, after: float, ago: int, left: int
    ) -> None:
        assert tried(guard, REFUSED) == "REFUSED"

        clock.now += after
        with pytest.raises(ApiDeniedError) as refusal:
            begin(guard)

        assert refusal.value.error_code == "CREDENTIAL_REFUSED"
        assert refusal.value.error_msg == (
            f"the cloud refused the credential {ago} s ago: correct the credential."
            f" The next try is in {left} s: more tries would lock the credential"
        )
        assert refusal.value.retry_after == str(left)

    def test_says_what_to_do_about_it(self, guard: LockoutGuard) -> None:
        guard.settle(begin(guard), REFUSED, "set the clock")

        with pytest.raises(ApiDeniedError, match=r"0 s ago: set the clock\. The next try"):
            begin(guard)

    def test_is_tried_again_after_five_minutes_by_one_delivery(self, guard: LockoutGuard, clock: Clock) -> None:
        assert tried(guard, REFUSED) == "REFUSED"

        clock.now += REFUSED_SECONDS
        use = begin(guard)
        assert is_held(guard)
        guard.settle(use, REFUSED)

        assert tried(guard, ACCEPTED) == "CREDENTIAL_REFUSED"

    def test_is_forgiven_when_it_is_accepted_at_last(self, guard: LockoutGuard, clock: Clock) -> None:
        assert tried(guard, REFUSED) == "REFUSED"

        clock.now += REFUSED_SECONDS
        assert tried(guard, ACCEPTED) == "ACCEPTED"

        clock.now -= 1  # so that the old refusal alone would forbid it
        one, other = begin(guard), begin(guard)
        assert not one.is_trial
        assert not other.is_trial

    def test_keeps_no_other_secret_from_being_tried(self, guard: LockoutGuard) -> None:
        assert tried(guard, REFUSED, "wrong") == "REFUSED"

        assert tried(guard, ACCEPTED, "right") == "ACCEPTED"
        assert tried(guard, ACCEPTED, "wrong") == "CREDENTIAL_REFUSED"

    def test_is_another_if_its_parts_are_cut_otherwise(self, guard: LockoutGuard) -> None:
        guard.settle(guard.begin(["a", "bc"], delivery()), REFUSED)

        guard.settle(guard.begin(["ab", "c"], delivery()), ACCEPTED)

    def test_though_it_was_proven_is_not_tried_again(self, guard: LockoutGuard) -> None:
        assert [tried(guard, verdict) for verdict in (ACCEPTED, REFUSED, ACCEPTED)] == [
            "ACCEPTED",
            "REFUSED",
            "CREDENTIAL_REFUSED",
        ]

    def test_stays_refused_though_an_older_use_is_accepted_late(self, guard: LockoutGuard, clock: Clock) -> None:
        assert tried(guard, ACCEPTED) == "ACCEPTED"
        late, other = begin(guard), begin(guard)
        guard.settle(other, REFUSED)
        guard.settle(late, ACCEPTED)

        assert tried(guard, ACCEPTED) == "CREDENTIAL_REFUSED"
        clock.now += REFUSED_SECONDS
        assert begin(guard).is_trial

    def test_stays_refused_though_its_trial_is_accepted_if_a_slow_use_was_refused_meanwhile(
        self, guard: LockoutGuard, clock: Clock
    ) -> None:
        assert tried(guard, ACCEPTED) == "ACCEPTED"
        slow, other = begin(guard), begin(guard)
        guard.settle(other, REFUSED)
        clock.now += REFUSED_SECONDS
        trial = begin(guard)
        guard.settle(slow, REFUSED)
        guard.settle(trial, ACCEPTED)

        assert tried(guard, ACCEPTED) == "CREDENTIAL_REFUSED"

    def test_in_many_uses_at_once_that_were_under_way_is_refused_no_longer_than_in_one(
        self, guard: LockoutGuard, clock: Clock
    ) -> None:
        assert tried(guard, ACCEPTED) == "ACCEPTED"
        for use in [begin(guard) for _ in range(2 * MAX_FAILURES)]:
            guard.settle(use, REFUSED)

        clock.now += REFUSED_SECONDS
        assert tried(guard, ACCEPTED) == "ACCEPTED"


class TestASecretThatIsNotProven:
    def test_is_tried_by_one_delivery_and_nobody_waits_past_the_deadline(self, guard: LockoutGuard) -> None:
        use = begin(guard)
        began = time.monotonic()
        assert is_held(guard)
        for seconds in (0, -1, -1):
            with pytest.raises(ApiUnavailableError, match="CREDENTIAL_UNPROVEN"):
                begin(guard, seconds=seconds)
        assert time.monotonic() - began < 3

        guard.settle(use, UNKNOWN)
        assert not is_held(guard)

    def test_is_not_tried_by_a_delivery_without_any_time_left(self, guard: LockoutGuard) -> None:
        """It could not even send the request."""

        class AtTheDeadline(Delivery):
            def left(self) -> float:
                return 0.0

        late = AtTheDeadline(now=datetime(2026, 3, 1, 12, tzinfo=UTC), until=0)
        with pytest.raises(ApiUnavailableError, match="CREDENTIAL_UNPROVEN"):
            guard.begin(["secret"], late)
        assert tried(guard, ACCEPTED) == "ACCEPTED"

    def test_holds_up_no_other_secret(self, guard: LockoutGuard) -> None:
        begin(guard, "old")

        assert tried(guard, ACCEPTED, "new") == "ACCEPTED"

    def test_is_tried_again_at_once_if_the_answer_said_nothing_about_it(self, guard: LockoutGuard) -> None:
        assert [tried(guard, UNKNOWN) for _ in range(9)] == ["UNKNOWN"] * 9
        assert begin(guard).is_trial

    @pytest.mark.parametrize(
        ("verdict", "expected"),
        [
            (REFUSED, ["CREDENTIAL_REFUSED"] * 7),
            (UNANSWERED, ["CREDENTIAL_UNPROVEN"] * 7),
            (ACCEPTED, ["used"] * 7),
        ],
    )
    def test_is_waited_for_by_all_others_who_then_know(
        self, guard: LockoutGuard, verdict: Verdict, expected: list[str]
    ) -> None:
        def use_too(_: int) -> str:
            waiting.release()
            try:
                use = begin(guard)
            except NotFinalError as error:
                return error.error_code
            assert not use.is_trial
            together.wait(10)  # if it was accepted they go on at once, not one after the other
            guard.settle(use, ACCEPTED)
            return "used"

        waiting, together = threading.Semaphore(0), threading.Barrier(7)
        use = begin(guard)
        with ThreadPoolExecutor(7) as pool:
            others = [pool.submit(use_too, number) for number in range(7)]
            for _ in others:
                assert waiting.acquire(timeout=10)
            assert not any(other.done() for other in others)
            guard.settle(use, verdict)
            began = time.monotonic()

            assert [other.result() for other in others] == expected
            assert time.monotonic() - began < 10

    def test_is_tried_by_the_next_who_waits_if_the_answer_said_nothing(self, guard: LockoutGuard) -> None:
        def use_too(_: int) -> bool:
            waiting.release()
            use = begin(guard)
            guard.settle(use, UNKNOWN)
            return use.is_trial

        waiting, use = threading.Semaphore(0), begin(guard)
        with ThreadPoolExecutor(3) as pool:
            others: list[Future[bool]] = [pool.submit(use_too, number) for number in range(3)]
            for _ in others:
                assert waiting.acquire(timeout=10)
            guard.settle(use, UNKNOWN)
            assert [other.result() for other in others] == [True] * 3


class TestASecretWithoutAnAnswer:
    """The cloud may refuse it after we have left, and counts that."""

    def test_rests_before_its_next_trial(self, guard: LockoutGuard, clock: Clock) -> None:
        assert tried(guard, UNANSWERED) == "UNANSWERED"

        clock.now += UNANSWERED_SECONDS - 0.6
        with pytest.raises(ApiUnavailableError) as rest:
            begin(guard)
        assert str(rest.value) == (
            "CREDENTIAL_UNPROVEN: the cloud did not answer the last use of the credential; the next try is in 1 s"
        )
        assert rest.value.retry_after == "1"

        clock.now += 0.6
        assert tried(guard, ACCEPTED) == "ACCEPTED"
        assert not begin(guard).is_trial

    def test_again_and_again_rests_as_long_as_one_that_was_refused(self, guard: LockoutGuard, clock: Clock) -> None:
        began, tries = clock.now, []
        for _ in range(2000):
            if tried(guard, UNANSWERED) == "UNANSWERED":
                tries.append(clock.now - began)
            clock.now += 1

        assert tries == [0, 30, 330, 630, 930, 1230, 1530, 1830]

    def test_rests_shortly_again_after_it_was_accepted(self, guard: LockoutGuard, clock: Clock) -> None:
        assert tried(guard, UNANSWERED) == "UNANSWERED"
        clock.now += UNANSWERED_SECONDS
        assert tried(guard, ACCEPTED) == "ACCEPTED"
        assert tried(guard, UNANSWERED) == "UNANSWERED"  # not a trial: from here on it is unproven

        assert tried(guard, UNANSWERED) == "UNANSWERED"
        clock.now += UNANSWERED_SECONDS
        assert tried(guard, ACCEPTED) == "ACCEPTED"

    def test_rests_shortly_again_when_the_failure_before_is_long_ago(self, guard: LockoutGuard, clock: Clock) -> None:
        assert tried(guard, UNANSWERED) == "UNANSWERED"
        clock.now += WINDOW_SECONDS
        assert tried(guard, UNANSWERED) == "UNANSWERED"
        clock.now += UNANSWERED_SECONDS
        assert tried(guard, UNANSWERED) == "UNANSWERED"
        clock.now += UNANSWERED_SECONDS
        assert tried(guard, ACCEPTED) == "CREDENTIAL_UNPROVEN"

    def test_that_was_proven_must_be_proven_again_by_one_delivery(self, guard: LockoutGuard) -> None:
        assert tried(guard, ACCEPTED) == "ACCEPTED"
        in_flight = [begin(guard) for _ in range(3)]
        for use in in_flight:
            guard.settle(use, UNANSWERED)

        use = begin(guard)
        assert use.is_trial
        assert is_held(guard)
        guard.settle(use, ACCEPTED)
        assert not begin(guard).is_trial

    def test_stays_proven_if_another_use_was_accepted_meanwhile(self, guard: LockoutGuard) -> None:
        assert tried(guard, ACCEPTED) == "ACCEPTED"
        slow, quick = begin(guard), begin(guard)
        guard.settle(quick, ACCEPTED)
        guard.settle(slow, UNANSWERED)

        assert not begin(guard).is_trial

    def test_does_not_rest_if_another_use_was_accepted_during_its_trial(self, guard: LockoutGuard) -> None:
        assert tried(guard, ACCEPTED) == "ACCEPTED"
        slow, lost = begin(guard), begin(guard)
        guard.settle(lost, UNANSWERED)
        trial = begin(guard)
        guard.settle(slow, ACCEPTED)
        guard.settle(trial, UNANSWERED)

        assert not begin(guard).is_trial


class TestAPassword:
    """One secret for many projects."""

    def test_is_used_by_one_delivery_at_a_time_also_when_it_is_proven(self, password_guard: LockoutGuard) -> None:
        assert tried(password_guard, ACCEPTED) == "ACCEPTED"

        use = begin(password_guard, scope="a")
        assert is_held(password_guard)
        password_guard.settle(use, ACCEPTED)
        assert not is_held(password_guard)

    def test_that_is_refused_for_one_project_is_tried_for_the_others(
        self, password_guard: LockoutGuard, clock: Clock
    ) -> None:
        """IAM refuses it also for a project in which the user has no role."""
        assert tried(password_guard, REFUSED, scope="no role") == "REFUSED"

        for _ in range(9):
            assert tried(password_guard, ACCEPTED, scope="a") == "ACCEPTED"
            assert tried(password_guard, ACCEPTED, scope="no role") == "CREDENTIAL_REFUSED"
        clock.now += REFUSED_SECONDS
        assert tried(password_guard, ACCEPTED, scope="no role") == "ACCEPTED"

    def test_that_is_refused_for_all_projects_is_refused_four_times_in_15_minutes(
        self, password_guard: LockoutGuard, clock: Clock
    ) -> None:
        began, tries = clock.now, []
        for second in range(1900):
            if tried(password_guard, REFUSED, scope=f"project {second % 20}") == "REFUSED":
                tries.append(clock.now - began)
            clock.now += 1

        assert tries == [0, 1, 2, 3, 900, 901, 902, 903, 1800, 1801, 1802, 1803]

    def test_that_is_refused_for_many_projects_says_when_it_is_tried_again(
        self, password_guard: LockoutGuard, clock: Clock
    ) -> None:
        for scope in ("a", "b", "c", "d"):
            password_guard.settle(begin(password_guard, scope=scope), REFUSED, f"correct {scope}")
            clock.now += 10

        with pytest.raises(ApiDeniedError) as refusal:
            begin(password_guard, scope="e")

        assert refusal.value.error_msg.startswith(
            "the cloud refused the credential 10 s ago: correct d. The next try is in 860 s"
        )
        assert refusal.value.retry_after == "860"

    def test_counts_refusals_anew_after_it_was_accepted(self, password_guard: LockoutGuard) -> None:
        scopes = iter(range(99))
        for _ in range(3):
            for _ in range(MAX_FAILURES - 1):
                assert tried(password_guard, REFUSED, scope=str(next(scopes))) == "REFUSED"
            assert tried(password_guard, ACCEPTED, scope=str(next(scopes))) == "ACCEPTED"


def test_no_secret_is_remembered(guard: LockoutGuard) -> None:
    tried(guard, ACCEPTED, "5ecret")
    tried(guard, REFUSED, "5ecret-too")

    assert "5ecret" not in repr(vars(guard))


def test_a_bounded_number_of_secrets_is_remembered_and_the_longest_unused_is_forgotten(guard: LockoutGuard) -> None:
    assert tried(guard, REFUSED, "0") == "REFUSED"
    assert tried(guard, REFUSED, "1") == "REFUSED"
    for number in range(2, MAX_SECRETS):
        assert tried(guard, ACCEPTED, str(number)) == "ACCEPTED"
    assert tried(guard, REFUSED, "0") == "CREDENTIAL_REFUSED"

    assert tried(guard, ACCEPTED, "one more") == "ACCEPTED"

    assert tried(guard, REFUSED, "0") == "CREDENTIAL_REFUSED"
    assert tried(guard, REFUSED, "1") == "REFUSED"


steps = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from([0, 1, 29, 30, 299, 300, 900]), st.sampled_from(list(Verdict))),
    max_size=40,
)


@given(steps, st.booleans())
@example([("a", 0, REFUSED), ("b", 0, REFUSED), ("a", 300, REFUSED), ("b", 0, REFUSED), ("a", 300, REFUSED)], True)
def test_whatever_happens_no_five_failures_in_a_row_fall_into_15_minutes(
    steps: list[tuple[str, int, Verdict]], one_at_a_time: bool
) -> None:
    clock = Clock()
    guard = LockoutGuard(one_at_a_time=one_at_a_time, clock=clock)
    failures: list[float] = []
    proven = False
    for scope, seconds, verdict in steps:
        clock.now += seconds
        if tried(guard, verdict, scope=scope) != verdict.name:
            continue
        if verdict is ACCEPTED:
            failures, proven = [], True
        elif verdict is REFUSED or (verdict is UNANSWERED and not proven):
            failures.append(clock.now)
            assert len([failure for failure in failures if clock.now - failure < WINDOW_SECONDS]) < 5
        if verdict in (REFUSED, UNANSWERED) and not one_at_a_time:
            proven = False


@given(
    st.lists(st.tuples(st.sampled_from(["begin", *Verdict]), st.integers(0, 5), st.integers(0, 100)), max_size=30),
    st.booleans(),
)
def test_whatever_happens_an_unproven_secret_is_under_way_once(
    steps: list[tuple[str | Verdict, int, int]], one_at_a_time: bool
) -> None:
    clock = Clock()
    guard = LockoutGuard(one_at_a_time=one_at_a_time, clock=clock)
    under_way: list[Use] = []
    for step, which, seconds in steps:
        clock.now += seconds
        if isinstance(step, Verdict):
            if under_way:
                guard.settle(under_way.pop(which % len(under_way)), step)
            continue
        try:
            under_way.append(begin(guard, seconds=0.0001))
        except NotFinalError:
            continue
        assert sum(use.is_trial for use in under_way) <= 1
        if one_at_a_time:
            assert len(under_way) == 1
