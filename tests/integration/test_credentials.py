"""Credentials as Huawei Cloud users have them, over HTTP at both ends."""

import json
import logging
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import pytest

from function.config import Config
from function.errors import ConfigError
from simulator import AccessKey, Account, Backup, Fault, Simulator, Token, User
from simulator.exchange import Request
from simulator.processes import Running, run_function
from tests.conftest import MEASURED, RunFunction
from tests.doubles.echoing import MARK, QUOTINGS, STYLES, Echo
from tests.doubles.mounted import MountedSecret
from tests.facts.account import INSTANCE, PROJECT
from tests.wire.crowd import deliver_all
from tests.wire.deliverer import DELETED, Envelope, Reply, deliver, expired_event

# Every secret of these tests holds the word 5ecret: no output may.
TOKEN: Final = "MIIq5ecret/by+value=="
FILED_TOKEN, NEXT_TOKEN = "MIIq5ecret/in+a+file==", "MIIq5ecret/rotated=="
PASSWORD, FILED_PASSWORD = 'by value "5ecret\\horse', "in a file 5ecret/horse="
KEY: Final = AccessKey("5ecretACCESSKEY0001", "5ecret/secret+key/by/value=")
FILED_KEY: Final = AccessKey("5ecretACCESSKEY0002", "5ecret/secret+key/filed=", "5ecret/security+token==")
NEXT_KEY: Final = AccessKey("5ecretACCESSKEY0003", "5ecret/secret+key/rotated=", "5ecret/security+token/rotated==")
PROJECTS: Final = [PROJECT, *(f"{number:032d}" for number in range(20))]
MANY_PROJECTS: Final = [f"{number:032d}" for number in range(100, 170)]


@pytest.fixture(scope="module")
def lasting_cloud() -> Iterator[Simulator]:
    account = Account(
        projects=dict.fromkeys([*PROJECTS, *MANY_PROJECTS], "cn-north-4"),
        users=[User("by-value", PASSWORD, "acme"), User("in-a-file", FILED_PASSWORD, "acme")],
        tokens=[Token(TOKEN), Token(FILED_TOKEN), Token(NEXT_TOKEN)],
        access_keys=[KEY, FILED_KEY, NEXT_KEY],
    )
    with Simulator(account) as running:
        yield running


@pytest.fixture
def cloud(lasting_cloud: Simulator) -> Simulator:
    """An account without backups; its projects are told apart by what the function knows of each."""
    lasting_cloud.reset()
    return lasting_cloud


FILES: Final = {
    "token": f"{FILED_TOKEN}\n",
    "password": f"{FILED_PASSWORD}\n",
    "access-key": FILED_KEY.access,
    "secret-key": FILED_KEY.secret,
    "security-token": str(FILED_KEY.security_token),
}


@pytest.fixture(scope="module")
def lasting_mount(tmp_path_factory: pytest.TempPathFactory) -> MountedSecret:
    return MountedSecret(tmp_path_factory.mktemp("secrets") / "mounted", FILES)


@pytest.fixture
def mount(lasting_mount: MountedSecret) -> Iterator[MountedSecret]:
    """A mounted secret with the files that are right."""
    yield lasting_mount
    lasting_mount.rotate(FILES)


def key_files(key: AccessKey) -> dict[str, str]:
    return {
        **FILES,
        "access-key": key.access,
        "secret-key": key.secret,
        "security-token": str(key.security_token),
    }


KINDS: Final = {
    "a token": {"HW_AUTH_TOKEN": TOKEN, "REAPER_DEADLINE_SECONDS": "1"},
    "a token in a file": {"HW_AUTH_TOKEN_FILE": "{mount}/token"},
    "a user": {"HW_USER_NAME": "by-value", "HW_USER_PASSWORD": PASSWORD, "HW_DOMAIN_NAME": "acme"},
    "a user with a file": {
        "HW_USER_NAME": "in-a-file",
        "HW_USER_PASSWORD_FILE": "{mount}/password",
        "HW_DOMAIN_NAME": "acme",
        "REAPER_GUARDS": "strict",
    },
    "a key": {"HW_ACCESS_KEY": KEY.access, "HW_SECRET_KEY": KEY.secret},
    "a temporary key in files": {
        "HW_ACCESS_KEY_FILE": "{mount}/access-key",
        "HW_SECRET_KEY_FILE": "{mount}/secret-key",
        "HW_SECURITY_TOKEN_FILE": "{mount}/security-token",
    },
}
# A process of its own: it does not wait for long, and at last its password is refused, which it remembers.
FAILING: Final = {"REAPER_DEADLINE_SECONDS": "3", "REAPER_EVENT_SOURCE": "/failing"}
Start = Callable[..., Running]


@pytest.fixture
def start(run: RunFunction, cloud: Simulator, mount: MountedSecret) -> Start:
    """The function with a kind of credential, and other settings besides."""

    def start_kind(kind: str, **more: str) -> Running:
        credential = {name: text.replace("{mount}", str(mount.directory)) for name, text in KINDS[kind].items()}
        others = {
            "REAPER_API_ENDPOINT": cloud.url,
            "HW_AUTH_URL": f"{cloud.url}/v3",
            "REAPER_ALLOWED_PROJECT_IDS": ",".join(PROJECTS),
            "THREADS": "32",
            **MEASURED,
        }
        return run({**others, **credential, **more})

    return start_kind


class Rewriter(Fault):
    """Rewrites the trace context of a request on its way, as instrumentation and proxies do."""

    def answer(self, request: Request) -> None:
        for name in ("traceparent", "tracestate"):
            del request.headers[name]
            request.headers[name] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@dataclass(frozen=True, slots=True, kw_only=True)
class IamRefusal(Fault):
    """Is met by requests for a token of one project."""

    project: str

    def matches(self, request: Request) -> bool:
        return Fault.matches(self, request) and self.project in request.body.decode()


def give(cloud: Simulator, backups: int, project_id: str = PROJECT) -> list[Envelope]:
    """Adds backups to the account; an event for each."""
    made = [
        Backup(id=f"{project_id[-4:]}-{number}", project_id=project_id, instance_id=INSTANCE)
        for number in range(backups)
    ]
    for backup in made:
        cloud.add(backup)
    return [expired_event(project_id=project_id, backup_id=backup.id) for backup in made]


def delete_one(cloud: Simulator, function: Running, project_id: str = PROJECT) -> Reply:
    """Deliver an event for a backup that is there."""
    (event,) = give(cloud, 1, project_id)
    return deliver(function.url, event)


def fresh_key(cloud: Simulator) -> AccessKey:
    """A key that no process has ever been refused with."""
    key = replace(NEXT_KEY, access=f"5ecret{time.monotonic_ns()}")
    cloud.account.access_keys[key.access] = key
    return key


def asked(cloud: Simulator) -> list[tuple[str, int | None]]:
    """The calls there were, without the projects."""
    return [(call.method, call.status) for call in cloud.calls]


def last_line(function: Running) -> dict[str, Any]:
    line = json.loads(function.output.splitlines()[-1])
    assert isinstance(line, dict)
    return line


def wait_until(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.002)


class TestEachKind:
    @pytest.mark.parametrize("kind", KINDS)
    def test_deletes_a_backup(self, cloud: Simulator, start: Start, kind: str) -> None:
        reply = delete_one(cloud, start(kind))

        assert reply.event["type"] == DELETED
        assert reply.event["data"]["already_absent"] is False
        assert cloud.backups(PROJECT) == []

    @pytest.mark.parametrize("kind", KINDS)
    def test_reads_a_backup_where_the_event_names_its_instance(self, cloud: Simulator, start: Start, kind: str) -> None:
        give(cloud, 2)
        event = expired_event(backup_id=f"{PROJECT[-4:]}-1", members={"instance_id": INSTANCE})

        assert deliver(start(kind).url, event).event["type"] == DELETED
        assert [call for call in asked(cloud) if call[1] == 200] == [("GET", 200), ("DELETE", 200)]
        assert len(cloud.backups(PROJECT)) == 1

    @pytest.mark.parametrize("kind", KINDS)
    def test_sends_no_other_credential_than_its_own(self, cloud: Simulator, start: Start, kind: str) -> None:
        delete_one(cloud, start(kind))

        call = cloud.calls[-1]
        own = {"x-auth-token", "authorization", "x-security-token"} & {name.lower() for name in call.headers}
        assert own == {
            "a key": {"authorization"},
            "a temporary key in files": {"authorization", "x-security-token"},
        }.get(kind, {"x-auth-token"})
        assert call.method == "DELETE"
        assert call.body == b""
        assert [name.lower() for name in call.headers].count("host") == 1

    @pytest.mark.parametrize("kind", ["a key", "a temporary key in files"])
    def test_is_accepted_though_the_trace_context_is_rewritten_on_the_way(
        self, cloud: Simulator, start: Start, kind: str
    ) -> None:
        (event,) = give(cloud, 1)
        cloud.fault(Rewriter(method="DELETE"))
        traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

        reply = deliver(start(kind).url, event, headers={"traceparent": traceparent})

        assert reply.event["type"] == DELETED
        assert cloud.calls[-1].headers["traceparent"] != traceparent
        assert "traceparent" not in cloud.calls[-1].headers["Authorization"]


TOKEN_VALUE: Final = {"HW_AUTH_TOKEN": "5ecret"}
USER_VALUE: Final = {"HW_USER_NAME": "reaper", "HW_USER_PASSWORD": "5ecret", "HW_DOMAIN_NAME": "acme"}
KEY_VALUE: Final = {"HW_ACCESS_KEY": "5ecret", "HW_SECRET_KEY": "5ecret"}


OTHERS: Final = {
    "REAPER_API_ENDPOINT": "https://api.example",
    "REAPER_ALLOWED_PROJECT_IDS": PROJECT,
    "HW_AUTH_URL": "https://iam.example/v3",
}


class TestTheStart:
    """A few as processes; the others as the message alone, which such a process ends with."""

    @pytest.mark.parametrize(
        ("credential", "says"),
        [
            pytest.param({}, "exactly one kind of credential must be set; found: none", id="no kind"),
            pytest.param(
                {**TOKEN_VALUE, **USER_VALUE},
                "exactly one kind of credential must be set; found: a token (HW_AUTH_TOKEN); "
                "an IAM user (HW_USER_NAME, HW_USER_PASSWORD, HW_DOMAIN_NAME)",
                id="two kinds",
            ),
            pytest.param(
                {"HW_ACCESS_KEY": "5ecret with a space", "HW_SECRET_KEY_FILE": "{}/spaced"},
                "HW_ACCESS_KEY must hold printable ASCII characters without white space around (not shown)\n  "
                "HW_SECRET_KEY_FILE must hold printable ASCII characters without white space around (not shown)",
                id="white space in a key",
            ),
        ],
    )
    def test_without_exactly_one_whole_credential_is_none_and_says_what_was_found(
        self, tmp_path: Path, credential: Mapping[str, str], says: str
    ) -> None:
        (tmp_path / "spaced").write_text(" 5ecret")
        settings = {name: text.replace("{}", str(tmp_path)) for name, text in credential.items()}
        with pytest.raises(RuntimeError) as end, run_function({**OTHERS, **settings}):
            pytest.fail("it started")

        assert str(end.value).startswith("exit 1 at start:\nbackup-reaper cannot start: ")
        assert says in str(end.value)
        assert "5ecret" not in str(end.value)
        assert "Traceback" not in str(end.value)

    @pytest.mark.parametrize(
        ("credential", "says"),
        [
            (
                {"HW_AUTH_TOKEN_FILE": "/x", "HW_USER_NAME": "reaper", "HW_SECRET_KEY_FILE": "/y"},
                "found: a token (HW_AUTH_TOKEN_FILE); an IAM user (HW_USER_NAME); an access key (HW_SECRET_KEY_FILE)",
            ),
            (TOKEN_VALUE | KEY_VALUE, "found: a token (HW_AUTH_TOKEN); an access key (HW_ACCESS_KEY, HW_SECRET_KEY)"),
            ({**TOKEN_VALUE, "HW_AUTH_TOKEN_FILE": "/x"}, "either HW_AUTH_TOKEN or HW_AUTH_TOKEN_FILE must be set"),
            ({"HW_USER_NAME": "reaper"}, "either HW_USER_PASSWORD or HW_USER_PASSWORD_FILE must be set"),
            ({"HW_USER_NAME": "reaper"}, "HW_DOMAIN_NAME must be set"),
            ({"HW_USER_PASSWORD": "5ecret"}, "HW_USER_NAME must be set"),
            ({**USER_VALUE, "HW_AUTH_URL": None}, "HW_AUTH_URL must be set"),
            ({**USER_VALUE, "REAPER_ALLOWED_PROJECT_IDS": None}, "REAPER_ALLOWED_PROJECT_IDS must be set"),
            ({"HW_ACCESS_KEY": "5ecret"}, "either HW_SECRET_KEY or HW_SECRET_KEY_FILE must be set"),
            ({"HW_SECRET_KEY": "5ecret"}, "either HW_ACCESS_KEY or HW_ACCESS_KEY_FILE must be set"),
            ({"HW_SECURITY_TOKEN": "5ecret"}, "either HW_SECRET_KEY or HW_SECRET_KEY_FILE must be set"),
            ({"HW_AUTH_TOKEN": ""}, "HW_AUTH_TOKEN must hold printable ASCII"),
            ({"HW_AUTH_TOKEN": "5ecret\n"}, "HW_AUTH_TOKEN must hold printable ASCII"),
            (
                {"HW_AUTH_TOKEN_FILE": ""},
                "HW_AUTH_TOKEN_FILE: cannot read the file (no absolute path, so it is not shown): Is a",
            ),
            ({"HW_AUTH_TOKEN_FILE": "/no/such"}, "HW_AUTH_TOKEN_FILE: cannot read /no/such: No such file or directory"),
            ({"HW_AUTH_TOKEN_FILE": "5ecret"}, "HW_AUTH_TOKEN_FILE: cannot read the file (no absolute path, so it is"),
            ({**USER_VALUE, "HW_USER_PASSWORD": " 5ecret"}, "HW_USER_PASSWORD must hold printable ASCII"),
            ({**KEY_VALUE, "HW_SECURITY_TOKEN": "5ecret\u00fc"}, "HW_SECURITY_TOKEN must hold printable ASCII"),
        ],
        ids=str,
    )
    def test_with_half_a_credential_or_a_broken_one_names_what_is_missing_or_wrong(
        self, credential: Mapping[str, str | None], says: str
    ) -> None:
        settings = {name: text for name, text in {**OTHERS, **credential}.items() if text is not None}

        with pytest.raises(ConfigError) as refusal:
            Config.from_env(settings)

        assert says in str(refusal.value)
        assert "5ecret" not in str(refusal.value)


class TestATokenThatIsRevoked:
    @pytest.mark.parametrize(
        ("kind", "first"), [("a user", "DELETE"), ("a user with a file", "GET")], ids=["without guards", "in strict"]
    )
    def test_in_the_middle_of_500_events_costs_one_renewal_and_no_event(
        self, cloud: Simulator, start: Start, kind: str, first: str
    ) -> None:
        function = start(kind)
        assert delete_one(cloud, function).event["type"] == DELETED  # it has a token now
        events = give(cloud, 500)
        cloud.calls.clear()

        def revoke() -> None:
            with cloud.account.lock:  # the gateway has requests, and has not looked at their tokens yet
                wait_until(lambda: any((call.method, call.status) == (first, None) for call in cloud.calls))
                cloud.revoke_tokens()

        replies = deliver_all(function.url, events, halfway=revoke)

        results = Counter((reply.event["type"], reply.event["data"]["already_absent"]) for reply in replies)
        assert results == {(DELETED, False): 500}
        assert cloud.backups(PROJECT) == []
        calls = Counter(asked(cloud))
        assert calls["POST", 201] == cloud.count("POST") == 1
        assert calls["DELETE", 200] == 500
        assert calls[first, 401] >= 1

    def test_and_cannot_be_renewed_costs_no_event(self, cloud: Simulator, start: Start) -> None:
        function = start("a token")
        events = give(cloud, 1)
        cloud.revoke_tokens()

        reply = deliver(function.url, events[0])

        assert (reply.status, reply.problem["error_code"]) == (503, "APIGW.0307")
        assert asked(cloud) == [("DELETE", 401)]
        assert last_line(function)["severity"] == "ERROR"


# Meanwhile every other thread comes and would ask as well.
SLOW_REFUSAL: Final = Fault(method="POST", delay=0.3, times=None)


class TestASecretThatIsRefused:
    def test_as_a_password_is_tried_once_by_500_events_and_again_when_its_file_is_corrected(
        self, cloud: Simulator, start: Start, mount: MountedSecret
    ) -> None:
        project = PROJECTS[1]  # one that this process has no token of
        function, events = start("a user with a file"), give(cloud, 500, project)
        mount.rotate({**FILES, "password": "the wrong 5ecret"})
        cloud.fault(SLOW_REFUSAL)

        replies = deliver_all(function.url, events)

        assert {reply.status for reply in replies} == {503}
        assert {reply.problem["error_code"] for reply in replies} <= {"401", "CREDENTIAL_REFUSED"}
        assert all(0 < reply.retry_after <= 300 for reply in replies)
        assert asked(cloud) == [("POST", 401)]
        assert not cloud.account.user_lockout.locked("acme/in-a-file", cloud.account.now())
        assert len(cloud.backups(project)) == 500

        cloud.faults.replace()
        mount.rotate(FILES)
        replies = deliver_all(function.url, events[:60])

        assert {reply.event["type"] for reply in replies} == {DELETED}
        assert len(cloud.backups(project)) == 440
        assert cloud.count("POST") == 2

    def test_as_a_key_is_tried_at_most_twice_by_500_events_and_again_when_its_files_are_corrected(
        self, cloud: Simulator, start: Start, mount: MountedSecret
    ) -> None:
        function, events = start("a temporary key in files"), give(cloud, 500)
        mount.rotate(key_files(replace(FILED_KEY, secret="the-wrong-5ecret")))
        cloud.fault(replace(SLOW_REFUSAL, method="DELETE"))

        replies = deliver_all(function.url, events)

        assert {reply.status for reply in replies} == {503}
        assert {reply.problem["error_code"] for reply in replies} <= {"APIGW.0301", "CREDENTIAL_REFUSED"}
        assert asked(cloud) == [("DELETE", 401)]
        assert not cloud.account.key_lockout.locked(FILED_KEY.access, cloud.account.now())
        assert len(cloud.backups(PROJECT)) == 500

        cloud.faults.replace()
        mount.rotate(FILES)
        replies = deliver_all(function.url, events[:60])

        assert {reply.event["type"] for reply in replies} == {DELETED}
        assert len(cloud.backups(PROJECT)) == 440

    def test_though_it_was_right_once_locks_nothing_when_the_events_of_many_projects_need_it(
        self, cloud: Simulator, start: Start, mount: MountedSecret
    ) -> None:
        """The password is changed in IAM, which revokes every token; the file still has the old one."""
        # Remembered as refused, which no other test should meet.
        function = start("a user with a file", REAPER_EVENT_SOURCE="/right-once")
        projects = PROJECTS[2:10]
        for project in projects:
            assert delete_one(cloud, function, project).event["type"] == DELETED
        events = [event for project in projects for event in give(cloud, 4, project)]
        cloud.account.users["acme", "in-a-file"] = User("in-a-file", "the new 5ecret", "acme")
        cloud.revoke_tokens()
        cloud.calls.clear()
        cloud.fault(SLOW_REFUSAL)

        replies = deliver_all(function.url, events)

        assert {reply.status for reply in replies} == {503}
        assert cloud.count("POST") <= 4
        assert not cloud.account.user_lockout.locked("acme/in-a-file", cloud.account.now())

        cloud.faults.replace()
        mount.rotate({**FILES, "password": "the new 5ecret"})
        assert {reply.event["type"] for reply in deliver_all(function.url, events)} == {DELETED}


HASTY: Final = {"REAPER_DEADLINE_SECONDS": "2"}  # three calls take less, on a busy machine, too


def wait_for_all_answers(cloud: Simulator) -> None:
    """Also those that nobody waits for any more: by then the cloud has counted them."""
    wait_until(lambda: all(call.status for call in cloud.calls))


@pytest.mark.parametrize("delay", [0.1, 3.5], ids=["in time", "too late"])
class TestACloudThatRefuses:
    """At most five refusals in a row may be caused by deliveries that began after the first refusal."""

    def test_a_key_is_not_asked_to_refuse_it_again_and_again(
        self, cloud: Simulator, start: Start, mount: MountedSecret, delay: float
    ) -> None:
        function, key = start("a temporary key in files", **HASTY), fresh_key(cloud)
        mount.rotate(key_files(replace(key, secret="the-wrong-5ecret")))
        cloud.fault(Fault(method="DELETE", delay=delay, times=None))

        replies = deliver_all(function.url, give(cloud, 40), threads=4)
        wait_for_all_answers(cloud)

        assert {reply.status for reply in replies} == {503}
        assert set(asked(cloud)) == {("DELETE", 401)}
        assert len(cloud.calls) <= 1 + 5
        assert not cloud.account.key_lockout.locked(key.access, cloud.account.now())

        mount.rotate(key_files(key))
        cloud.faults.replace()
        assert delete_one(cloud, function, PROJECTS[1]).event["type"] == DELETED

    def test_a_key_that_it_accepted_before_is_asked_little_more_than_what_was_under_way(
        self, cloud: Simulator, start: Start, mount: MountedSecret, delay: float
    ) -> None:
        function, key = start("a temporary key in files", **HASTY), fresh_key(cloud)
        mount.rotate(key_files(key))
        assert delete_one(cloud, function, PROJECTS[1]).event["type"] == DELETED
        cloud.account.access_keys[key.access] = replace(key, secret="5ecret of another")
        cloud.calls.clear()
        cloud.fault(Fault(method="DELETE", delay=delay, times=None))

        replies = deliver_all(function.url, give(cloud, 80), threads=8)
        wait_for_all_answers(cloud)

        assert {reply.status for reply in replies} == {503}
        assert len(cloud.calls) <= 8 + 5

    @pytest.mark.parametrize("projects", [1, 20])
    def test_a_password_is_not_asked_to_refuse_it_again_and_again(
        self, cloud: Simulator, start: Start, mount: MountedSecret, delay: float, projects: int
    ) -> None:
        function = start("a user with a file", **HASTY)
        events = [event for project in PROJECTS[1 : 1 + projects] for event in give(cloud, 40 // projects, project)]
        mount.rotate({**FILES, "password": f"the wrong 5ecret {time.monotonic_ns()}"})
        cloud.fault(Fault(method="POST", delay=delay, times=None))

        replies = deliver_all(function.url, events, threads=4)
        wait_for_all_answers(cloud)

        assert {reply.status for reply in replies} == {503}
        assert set(asked(cloud)) == {("POST", 401)}
        assert len(cloud.calls) <= 1 + 4
        assert not cloud.account.user_lockout.locked("acme/in-a-file", cloud.account.now())

    def test_a_password_that_it_accepted_before_is_not_asked_to_refuse_it_again_and_again(
        self, cloud: Simulator, start: Start, mount: MountedSecret, delay: float
    ) -> None:
        function = start("a user with a file", **HASTY)
        password = f"5ecret {time.monotonic_ns()}"
        cloud.account.users["acme", "in-a-file"] = User("in-a-file", password, "acme")
        mount.rotate({**FILES, "password": password})
        assert delete_one(cloud, function, PROJECTS[0]).event["type"] == DELETED
        cloud.account.users["acme", "in-a-file"] = User("in-a-file", "5ecret of another", "acme")
        cloud.revoke_tokens()
        cloud.calls.clear()
        cloud.fault(Fault(method="POST", delay=delay, times=None))

        replies = deliver_all(function.url, [give(cloud, 1, project)[0] for project in PROJECTS[1:] * 2], threads=8)
        wait_for_all_answers(cloud)

        assert {reply.status for reply in replies} == {503}
        assert cloud.count("POST") <= 1 + 4
        assert not cloud.account.user_lockout.locked("acme/in-a-file", cloud.account.now())


class TestACloudThatDoesNotAnswer:
    def test_is_asked_for_a_token_a_few_times_by_70_events(
        self, cloud: Simulator, start: Start, mount: MountedSecret
    ) -> None:
        function = start("a user with a file", **HASTY)
        mount.rotate({**FILES, "password": f"5ecret {time.monotonic_ns()}"})
        cloud.fault(Fault(method="POST", hang=True, times=None))

        replies = deliver_all(function.url, give(cloud, 70, PROJECTS[1]), threads=8)

        assert {reply.problem["error_code"] for reply in replies} <= {"NO_ANSWER", "CREDENTIAL_UNPROVEN", "NO_TOKEN"}
        assert cloud.count("POST") == 1
        assert all(0 < reply.retry_after <= 30 for reply in replies)

    def test_because_it_cannot_be_reached_has_refused_nothing(
        self, cloud: Simulator, start: Start, mount: MountedSecret
    ) -> None:
        function = start("a temporary key in files", **HASTY)
        mount.rotate(key_files(fresh_key(cloud)))
        (event,) = give(cloud, 1)
        cloud.stop()
        try:
            assert {deliver(function.url, event).problem["error_code"] for _ in range(3)} == {"NO_ANSWER"}
        finally:
            cloud.start()

        assert deliver(function.url, event).event["type"] == DELETED


def test_a_token_is_kept_for_each_project_that_is_allowed(cloud: Simulator, start: Start) -> None:
    function = start("a user", REAPER_ALLOWED_PROJECT_IDS=",".join(MANY_PROJECTS))
    events = [event for project in MANY_PROJECTS for event in give(cloud, 2, project)]

    for half in (events[::2], events[1::2]):
        assert {reply.event["type"] for reply in deliver_all(function.url, half, threads=8)} == {DELETED}

    assert cloud.count("POST") == len(MANY_PROJECTS)


class TestIamThatRefusesOneProject:
    def test_goes_on_giving_tokens_of_the_others(self, cloud: Simulator, start: Start, mount: MountedSecret) -> None:
        """It also answers 401 for a project in which the user has no role."""
        function = start("a user with a file", REAPER_EVENT_SOURCE="/one-project")
        password = f"5ecret {time.monotonic_ns()}"
        cloud.account.users["acme", "in-a-file"] = User("in-a-file", password, "acme")
        mount.rotate({**FILES, "password": password})
        no_role = {"error_code": "IAM.0001", "error_msg": "no role in the project"}
        cloud.fault(IamRefusal(method="POST", status=401, body=no_role, times=None, project=PROJECTS[1]))

        assert delete_one(cloud, function, PROJECTS[1]).problem["error_code"] == "IAM.0001"
        for project in PROJECTS[2:]:
            assert delete_one(cloud, function, project).event["type"] == DELETED
        assert delete_one(cloud, function, PROJECTS[1]).problem["error_code"] == "CREDENTIAL_REFUSED"

        assert cloud.count("POST") == len(PROJECTS) - 1


class TestIamThatRefuses:
    """A refusal with 401 is remembered, so each of those has a password of its own."""

    @pytest.mark.parametrize(
        ("status", "body", "answered", "code", "says"),
        [
            (
                401,
                {"error_code": "IAM.0061", "error_msg": "The account is locked."},
                503,
                "IAM.0061",
                "IAM gives no token: The account is locked.",
            ),
            (
                401,
                {"error": {"code": 401, "message": "MFA is on.", "title": "Unauthorized"}},
                503,
                "401",
                "IAM gives no token: MFA is on.",
            ),
            (
                403,
                {"error_code": "IAM.0081", "error_msg": "Console access only."},
                503,
                "IAM.0081",
                "IAM gives no token: Console access only.",
            ),
            (
                429,
                {"error_code": "IAM.0012", "error_msg": "Threshold: 10 times per 60 seconds"},
                429,
                "IAM.0012",
                "IAM gives no token: Threshold: 10 times per 60 seconds",
            ),
            (500, "<html>", 503, "NO_ERROR_CODE", "IAM gives no token: the API answered 500 without an error code"),
            (201, {"token": {}}, 503, "BROKEN_ANSWER", "IAM's 201 holds no usable token"),
        ],
    )
    def test_ends_no_event_and_is_quoted_in_one_line_of_the_log(
        self,
        cloud: Simulator,
        start: Start,
        mount: MountedSecret,
        status: int,
        body: object,
        answered: int,
        code: str,
        says: str,
    ) -> None:
        function = start("a user with a file")
        (event,) = give(cloud, 1, PROJECTS[11])
        mount.rotate({**FILES, "password": f"5ecret {time.monotonic_ns()}"})
        cloud.fault(Fault(method="POST", status=status, body=body, headers={"Retry-After": "17"}))
        before = len(function.output.splitlines())

        reply = deliver(function.url, event)

        assert (reply.status, reply.problem["error_code"], reply.problem["error_msg"]) == (answered, code, says)
        assert cloud.count("DELETE") == 0
        (line,) = map(json.loads, function.output.splitlines()[before:])
        assert line["severity"] == ("ERROR" if status in (401, 403) else "WARNING")
        assert (line["error_code"], line["error_msg"]) == (code, says)

    def test_to_answer_holds_no_event_past_its_deadline(self, cloud: Simulator, start: Start) -> None:
        function = start("a user", REAPER_DEADLINE_SECONDS="1")  # and its password rests from then on
        cloud.fault(Fault(method="POST", hang=True, times=None))
        events = give(cloud, 8, PROJECTS[10])

        replies = deliver_all(function.url, events, threads=8)

        assert {reply.status for reply in replies} == {503}
        assert max(reply.seconds for reply in replies) < 5
        assert cloud.count("DELETE") == 0


class TestATokenInAFile:
    def test_is_picked_up_when_the_file_changes(self, cloud: Simulator, start: Start, mount: MountedSecret) -> None:
        function = start("a token in a file")
        delete_one(cloud, function)
        cloud.revoke_tokens()
        cloud.account.tokens[NEXT_TOKEN] = Token(NEXT_TOKEN)

        mount.rotate({**FILES, "token": NEXT_TOKEN})

        assert delete_one(cloud, function).event["type"] == DELETED
        assert [call.headers["X-Auth-Token"] for call in cloud.calls] == [FILED_TOKEN, NEXT_TOKEN]
        assert asked(cloud) == [("DELETE", 200), ("DELETE", 200)]

    def test_is_picked_up_when_the_one_before_it_is_refused(
        self, cloud: Simulator, start: Start, mount: MountedSecret
    ) -> None:
        function, events = start("a token in a file"), give(cloud, 1)
        with ThreadPoolExecutor(1) as pool:
            with cloud.account.lock:  # the gateway has the request, and has not looked at its token yet
                delivery = pool.submit(deliver, function.url, events[0])
                wait_until(lambda: bool(cloud.calls))
                cloud.account.tokens = {NEXT_TOKEN: Token(NEXT_TOKEN)}
                mount.rotate({**FILES, "token": NEXT_TOKEN})
            reply = delivery.result()

        assert reply.event["type"] == DELETED
        assert [call.headers["X-Auth-Token"] for call in cloud.calls] == [FILED_TOKEN, NEXT_TOKEN]
        assert asked(cloud) == [("DELETE", 401), ("DELETE", 200)]
        assert last_line(function)["token_renewals"] == 1

    def test_that_is_refused_and_has_not_changed_is_tried_once_an_event(self, cloud: Simulator, start: Start) -> None:
        function = start("a token in a file")
        cloud.revoke_tokens()

        reply = delete_one(cloud, function)

        assert (reply.status, reply.problem["error_code"]) == (503, "APIGW.0307")
        assert asked(cloud) == [("DELETE", 401)]

    def test_that_is_missing_or_broken_ends_no_event_and_asks_nobody(
        self, cloud: Simulator, start: Start, mount: MountedSecret
    ) -> None:
        function = start("a token in a file")
        for token in ("", "5ecret with spaces", None):
            mount.rotate({name: text for name, text in {**FILES, "token": token}.items() if text is not None})

            reply = delete_one(cloud, function)

            assert (reply.status, reply.problem["error_code"]) == (503, "CREDENTIAL_UNREADABLE")
            assert "HW_AUTH_TOKEN_FILE" in reply.problem["error_msg"]
            assert b"5ecret" not in reply.body
        assert cloud.calls == []
        mount.rotate(FILES)
        assert delete_one(cloud, function).event["type"] == DELETED


class TestAKeyInFiles:
    def test_that_is_rotated_all_the_time_is_never_mixed_of_old_and_new(
        self, cloud: Simulator, start: Start, mount: MountedSecret
    ) -> None:
        function, events, done = start("a temporary key in files"), give(cloud, 120), threading.Event()

        def rotate() -> None:
            while not done.wait(0.002):
                for key in (NEXT_KEY, FILED_KEY):
                    mount.rotate(key_files(key))

        rotation = threading.Thread(target=rotate)
        rotation.start()
        try:
            replies = deliver_all(function.url, events, threads=8)
        finally:
            done.set()
            rotation.join()

        # In the middle of a rotation there is no key to read: the event comes again.
        assert {reply.status for reply in replies} <= {200, 503}
        assert {reply.problem["error_code"] for reply in replies if reply.status == 503} <= {"CREDENTIAL_UNREADABLE"}
        assert {call.status for call in cloud.calls} == {200}
        used = {re.findall("Access=(.*?),", call.headers["Authorization"])[0] for call in cloud.calls}
        assert used == {NEXT_KEY.access, FILED_KEY.access}
        again = deliver_all(
            function.url, [event for event, reply in zip(events, replies, strict=True) if reply.status == 503]
        )
        assert {reply.event["type"] for reply in again} <= {DELETED}
        assert cloud.backups(PROJECT) == []


class TestAClockThatIsOff:
    def test_is_what_the_log_blames_for_a_signature_that_is_refused(
        self, cloud: Simulator, start: Start, mount: MountedSecret
    ) -> None:
        function = start("a temporary key in files")
        mount.rotate(key_files(fresh_key(cloud)))  # as it will be refused, and that is remembered
        cloud.advance(3600)

        reply = delete_one(cloud, function)

        assert (reply.status, reply.problem["error_code"]) == (503, "APIGW.0301")
        assert asked(cloud) == [("DELETE", 401)]
        blame = [line for line in map(json.loads, function.output.splitlines()) if "our clock is" in line["message"]]
        fault = r"our clock is (3599|3600|3601) s behind the cloud's; set it"
        assert re.fullmatch(f"the cloud refused a signature: {fault}", blame[-1]["message"])
        assert blame[-1]["severity"] == logging.getLevelName(logging.ERROR)

        again = delete_one(cloud, function)

        assert again.problem["error_code"] == "CREDENTIAL_REFUSED"
        assert re.search(rf"refused the credential \d s ago: {fault}\. The next try", again.problem["error_msg"])
        assert len(cloud.calls) == 1

    @pytest.mark.parametrize("days", [-2, 2])
    def test_makes_no_token_of_iam_look_expired_or_everlasting(self, cloud: Simulator, start: Start, days: int) -> None:
        project = PROJECTS[12 if days > 0 else 9]
        function = start("a user")
        cloud.advance(days * 86400)

        for _ in range(2):
            assert delete_one(cloud, function, project).event["type"] == DELETED
        assert cloud.count("POST") == 1


# What can go wrong with an answer of the API or of IAM, each echoing all it was sent wherever an answer has words.
LIST: Final = {"backups": [{"id": "3ea4-0".replace("3ea4", PROJECT[-4:]), "name": MARK}], "total_count": 1}
FAILURES: Final[list[Fault]] = [
    *(Echo(status=status) for status in (307, 400, 403, 404, 407, 408, 409, 422, 429, 500, 502, 503)),
    *(Echo(style=style) for style in STYLES),
    *(Echo(quoting=quoting) for quoting in QUOTINGS),
    *(Echo(status=502, body=f"<html>{MARK}</html>", quoting=quoting) for quoting in QUOTINGS),
    Echo(status=200, body={"backup_id": MARK, "backup_name": MARK, MARK: [MARK, {MARK: MARK}]}, style="as Gson"),
    Echo(status=202, body={"job_id": MARK}),
    Echo(status=200, body=f"<html>{MARK}</html>"),
    Echo(status=400, body={"error_code": MARK, "error_msg": MARK, "request_id": MARK}),
    Echo(status=400, body={"error": {"code": MARK, "message": MARK}}, style="all escaped"),
    Echo(status=400, body={"errCode": MARK, "externalMessage": MARK}, style="with escaped slashes"),
]
# The cloud may have refused the secret in these: a key must be accepted again before, and a password rests after it.
NO_ANSWERS: Final[list[Fault]] = [
    Echo(status=400, headers={"Content-Length": "99999", "X-Echo": MARK}),
    Echo(status=400, headers={"Transfer-Encoding": "chunked", "X-Echo": MARK}),
    Fault(drop=True),
]
READS: Final = [
    Echo(method="GET", status=200, body=LIST, style="as Gson"),
    Echo(method="GET", status=500),
    Echo(method="GET", status=403),
]
TOKEN_REFUSALS: Final = [
    Echo(status=403, body={"error_code": "DBS.280056", "error_msg": MARK}),
    Echo(status=401, body={"error_code": "APIGW.0301", "error_msg": MARK}),
]


class TestNoOutput:
    @pytest.mark.parametrize("kind", KINDS)
    def test_holds_a_secret_whatever_fails_and_however_it_is_echoed(
        self, cloud: Simulator, start: Start, mount: MountedSecret, kind: str
    ) -> None:
        # Refused, or unproven, at the end: a process of its own, or another secret in the file.
        function = start(kind, **({} if "file" in kind else FAILING))
        if kind == "a temporary key in files":
            mount.rotate(key_files(fresh_key(cloud)))
        (event,) = give(cloud, 1)
        dry_run = {**event, "data": {**event["data"], "dry_run": True}}
        sent, replies = [], []

        def meet(event: Envelope, *faults: Fault) -> None:
            cloud.faults.replace(faults)
            replies.append(deliver(function.url, event))
            sent.extend(cloud.calls)
            cloud.calls.clear()

        def renew_password(number: int = 0) -> None:
            cloud.revoke_tokens()
            if kind == "a user with a file":
                cloud.account.users["acme", "in-a-file"] = User("in-a-file", f"fails 5ecret {number}", "acme")
                mount.rotate({**FILES, "password": f"fails 5ecret {number}"})

        if "user" in kind:
            renew_password()
        first = "GET" if kind == "a user with a file" else "DELETE"
        for fault in FAILURES:
            meet(event, replace(fault, method=first))
        for fault in NO_ANSWERS:
            meet(dry_run)
            meet(event, replace(fault, method=first))
        for fault in READS:
            meet(dry_run, fault)
        if kind in ("a token", "a user"):
            meet(event, Fault(method="DELETE", hang=True))
        if "user" in kind:
            for fault in FAILURES:
                cloud.revoke_tokens()
                meet(event, replace(fault, method="POST"))
            cloud.revoke_tokens()
            meet(event, Echo(method="POST", status=201, headers={"X-Subject-Token": MARK}))
        for fault in TOKEN_REFUSALS:  # from here on a key is not tried any more
            meet(event, replace(fault, times=None))
        if "user" in kind:
            for number, fault in enumerate([TOKEN_REFUSALS[-1], *NO_ANSWERS]):  # a password by value meets the first
                renew_password(number)
                meet(event, replace(fault, method="POST"))

        # It has all been sent, it has all come back, and nothing of it went on.
        secrets = {"5ecret"}
        for call in sent:
            headers = [call.headers.get(name, "") for name in ("X-Auth-Token", "X-Security-Token")]
            secrets |= {secret for secret in headers if secret}
            if signature := re.search("Signature=(.*)", call.headers.get("Authorization", "")):
                secrets.add(signature[1])
        shown = [function.output, *(f"{reply.headers} {reply.body.decode()}" for reply in replies)]
        assert sum("[redacted]" in text for text in shown) > len(FAILURES) / 2
        joined = [re.sub(r"\s|\\+n", "", text) for text in shown]  # what was wrapped into lines
        assert [(secret, text) for secret in secrets for text in (*shown, *joined) if secret in text] == []
        assert "Traceback" not in function.output
        assert 500 not in {reply.status for reply in replies}
        assert len(cloud.backups(PROJECT)) == 1
