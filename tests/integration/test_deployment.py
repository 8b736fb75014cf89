"""The image that the Dockerfile makes, run with what template.yaml gives it; its end, and its retries."""

import re
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest

from function.events.planning import PLANNED
from simulator import Fault, Simulator
from simulator.functiongraph import FunctionGraph, key_headers, timer_event
from simulator.processes import ROOT, Running, run_function
from tests.conftest import TOKEN
from tests.doubles.container import Image, Mount, build, drop_privileges, run_image, why_not
from tests.doubles.mounted import MountedSecret
from tests.doubles.retry_clock import WAITS, Api, dead_letters
from tests.facts.account import BACKUP, PROJECT
from tests.facts.manifest import (
    ADDED,
    CONTAINER,
    DELIVERY,
    ENV,
    FILLED_IN,
    KEY,
    POD,
    SECRETS,
    seconds,
    slots,
)
from tests.wire.deliverer import DELETED, deliver, expired_event, send

OTHER_BACKUP: Final = "b1182ccdda034f2b9535f3dca5c47e71br07"
HOUR: Final = 3600.0
[TMP] = [each["emptyDir"] for each in POD["volumes"] if "emptyDir" in each]
inside = pytest.mark.skipif(bool(why_not()), reason=why_not() or "")


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """What the Dockerfile makes in an empty directory: its RUN lines are run, with the package index."""
    return build(tmp_path_factory.mktemp("image"))


@pytest.fixture
def secret(tmp_path: Path) -> MountedSecret:
    """The Secret's volume."""
    return MountedSecret(tmp_path / "secret", KEY)


def run_pod(
    image: Image, scratch: Path, secret: MountedSecret, env: Mapping[str, str]
) -> AbstractContextManager[Running]:
    """The image as template.yaml has it run; only the port is a free one."""
    size = re.sub("Mi$", "m", TMP["sizeLimit"])
    return run_image(
        image,
        scratch,
        env={**ADDED, **env},
        mounts=[Mount(secret.directory, SECRETS), Mount(f"size={size},mode=1777", "/tmp", "tmpfs")],
        privileges=drop_privileges(CONTAINER["securityContext"]),
    )


@pytest.fixture
def pod(image: Image, tmp_path: Path, secret: MountedSecret, simulator: Simulator) -> Iterator[Running]:
    """The function in its pod, filled in, with the simulator for the cloud."""
    with run_pod(image, tmp_path, secret, {**ENV, **FILLED_IN, "REAPER_API_ENDPOINT": simulator.url}) as running:
        yield running


def status(running: Running) -> dict[str, str]:
    """What the kernel says of the process."""
    lines = Path(f"/proc/{running.process.pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


@inside
class TestTheImage:
    def test_holds_the_function_its_dependencies_and_nothing_else(self, image: Image) -> None:
        app = image.files / "app"
        installed = {path.name for path in app.glob(".venv/lib/python*/site-packages/*")}

        assert [path.name for path in image.files.iterdir()] == ["app"]
        assert sorted(path.name for path in app.iterdir()) == [".venv", "function"]
        assert {"functions_framework", "requests"} <= installed
        assert not {"pip", "pytest", "simulator", "tests", "huaweicloudsdkcore"} & installed

    def test_is_compiled(self, image: Image) -> None:
        modules = list(image.files.rglob("*.py"))
        compiled = {(path.parent.parent, path.name.split(".")[0]) for path in image.files.rglob("*.pyc")}

        assert [path for path in modules if (path.parent, path.stem) not in compiled] == []


@inside
class TestThePod:
    def test_deletes_a_backup_with_three_calls(self, pod: Running, simulator: Simulator) -> None:
        reply = deliver(pod.url, expired_event())

        assert reply.event["type"] == DELETED
        assert BACKUP not in simulator.backup_ids(PROJECT)
        assert [call.method for call in simulator.calls] == ["GET", "GET", "DELETE"]  # CALLS

    def test_has_no_right_to_anything(self, pod: Running) -> None:
        found = status(pod)

        assert set(found["Uid"].split()) == {str(CONTAINER["securityContext"]["runAsUser"])}
        assert set(found["Gid"].split()) == {str(CONTAINER["securityContext"]["runAsGroup"])}
        assert found["Groups"].strip() == ""
        assert {int(found[name], 16) for name in ("CapEff", "CapPrm", "CapBnd", "CapInh", "CapAmb")} == {0}
        assert found["NoNewPrivs"] == "1"

    def test_can_write_to_its_volume_alone(self, pod: Running) -> None:
        lines = Path(f"/proc/{pod.process.pid}/mountinfo").read_text().splitlines()
        writable = {line.split()[4] for line in lines if "ro" not in line.split()[5].split(",")}

        assert {path for path in writable if not path.startswith(("/dev", "/proc"))} == {"/tmp"}

    def test_leaves_nothing_to_complain_about_in_its_log(self, pod: Running) -> None:
        deliver(pod.url, expired_event())

        assert not re.search("ERROR|WARNING|Traceback|Permission|Read-only", pod.output)

    def test_uses_a_key_that_is_replaced_while_it_runs(self, pod: Running, secret: MountedSecret) -> None:
        secret.rotate({**KEY, "secret-key": "not-the-secret-key"})
        refused = deliver(pod.url, expired_event())
        secret.rotate(KEY)

        assert refused.status == 503
        assert deliver(pod.url, expired_event()).event["type"] == DELETED

    def test_answers_probes_while_the_api_hangs(self, pod: Running, simulator: Simulator) -> None:
        deliver(pod.url, expired_event(members={"dry_run": True}))  # a key that no answer has accepted is tried alone
        before = simulator.count()
        simulator.fault(Fault(delay=2, times=None))
        with ThreadPoolExecutor(POD["containerConcurrency"]) as broker:
            deliveries = [broker.submit(deliver, pod.url, expired_event()) for _ in range(POD["containerConcurrency"])]
            wait_for(simulator, calls=before + POD["containerConcurrency"])
            probes = [send(pod.url, method="GET", path="/health") for _ in range(2)]
            still_hanging = [not delivery.done() for delivery in deliveries]
            simulator.reset()

        assert [probe.status for probe in probes] == [200, 200]
        assert max(probe.seconds for probe in probes) < CONTAINER["livenessProbe"]["timeoutSeconds"]
        assert all(still_hanging)

    def test_ends_at_once_when_it_is_told_to(self, pod: Running) -> None:
        pod.process.terminate()

        assert pod.process.wait(10) == 0


@inside
def test_a_pod_that_is_not_filled_in_says_what_is_missing(image: Image, tmp_path: Path, secret: MountedSecret) -> None:
    with pytest.raises(RuntimeError, match="exit 1 at start") as ended, run_pod(image, tmp_path, secret, ENV):
        pass

    _, message = str(ended.value).split("\n", 1)
    assert message.startswith("backup-reaper cannot start: ")
    assert set(re.findall(r"(?:HW|REAPER)_[A-Z_]+(?= must| is)", message)) == set(FILLED_IN)


def terraform_command(target: str) -> list[str]:
    """How the Terraform of deploy/functiongraph starts a function."""
    text = "".join(path.read_text() for path in sorted((ROOT / "deploy" / "functiongraph").glob("*.tf")))
    [server] = re.findall(r'^ +server += "(.*)"', text, re.MULTILINE)
    [args] = re.findall(rf'^ +args += "(.*,{target})"', text, re.MULTILINE)
    return [server, *args.split(",")]


@inside
class TestOnFunctionGraph:
    """The image as FunctionGraph runs it: uid and gid 1003, working directory /, nothing but /tmp to write to."""

    @contextmanager
    def running(self, image: Image, scratch: Path, simulator: Simulator, target: str) -> Iterator[Running]:
        context = {**CONTAINER["securityContext"], "runAsUser": 1003, "runAsGroup": 1003}
        settings = {"REAPER_PLATFORM": "functiongraph", "REAPER_API_ENDPOINT": simulator.url, "THREADS": "3"}
        guards = {"REAPER_GUARDS": "strict", "REAPER_ALLOWED_PROJECT_IDS": PROJECT}
        with run_image(
            replace(image, command=terraform_command(target), workdir="/"),
            scratch,
            env={**settings, **guards, "REAPER_POLICY_FILE": "/policy/retention.toml"},
            mounts=[Mount("size=1m,mode=1777", "/tmp", "tmpfs"), Mount(ROOT / "examples", "/policy")],
            privileges=drop_privileges(context),
        ) as running:
            yield running

    @pytest.mark.parametrize(
        ("target", "body", "answer"),
        [
            ("delete_backup", expired_event(), DELETED),
            ("plan_retention", timer_event(datetime.now(UTC)), PLANNED),
        ],
        ids=["reaper", "planner"],
    )
    def test_it_starts_and_does_its_work(
        self, image: Image, tmp_path: Path, simulator: Simulator, target: str, body: Any, answer: str
    ) -> None:
        [key] = [key for key in simulator.account.access_keys.values() if key.security_token]
        with self.running(image, tmp_path, simulator, target) as function:
            platform = FunctionGraph(url=function.url, keys=lambda: key_headers(key))

            assert platform.init() == 200
            assert platform.invoke(body).body["type"] == answer
            assert set(status(function)["Uid"].split()) == {"1003"}
            assert not re.search("ERROR|WARNING|Traceback|Permission|Read-only", function.output)


class TestTheEnd:
    def test_an_event_in_work_is_finished_and_answered(self, simulator: Simulator) -> None:
        simulator.fault(Fault(method="DELETE", delay=3))
        settings = {"REAPER_API_ENDPOINT": simulator.url, "HW_AUTH_TOKEN": TOKEN, "THREADS": "4"}
        with run_function(settings) as running, ThreadPoolExecutor(1) as broker:
            delivery = broker.submit(deliver, running.url, expired_event())
            wait_for(simulator, calls=1)
            running.process.terminate()
            while answers(running.url):  # a moment passes before the signal has gone from process to process
                pass
            in_work = not delivery.done()
            with pytest.raises(ConnectionError):
                deliver(running.url, expired_event(backup_id=OTHER_BACKUP))
            reply = delivery.result()
            code = running.process.wait(10)
            with pytest.raises(ConnectionRefusedError):
                deliver(running.url, expired_event(backup_id=OTHER_BACKUP))

        assert in_work
        assert reply.event["type"] == DELETED
        assert BACKUP not in simulator.backup_ids(PROJECT)
        assert OTHER_BACKUP in simulator.backup_ids(PROJECT)
        assert code == 0


def answers(url: str) -> bool:
    """Whether a new connection is served; the kernel accepts one until the end, and resets it then."""
    try:
        send(url, method="GET", path="/health", timeout=0.2)
    except OSError:
        return False
    return True


def wait_for(simulator: Simulator, *, calls: int) -> None:
    until = time.monotonic() + 10
    while simulator.count() < calls:
        assert time.monotonic() < until
        time.sleep(0.01)


CALLS: Final = 3  # for each deletion: test_deletes_a_backup_with_three_calls
DEADLINE: Final = 20.0


class TestRetries:
    """1,000 expired backups at once, and no more than 200 calls in 5 minutes."""

    @pytest.mark.parametrize("broker", ["Kafka", "MTChannelBasedBroker"])
    @pytest.mark.parametrize(
        "api",
        [
            pytest.param({}, id="the API is up"),
            pytest.param({"call_seconds": 1.0}, id="the API is slow"),
            pytest.param({"down_seconds": HOUR}, id="the API refuses for an hour"),
            pytest.param({"down_seconds": HOUR, "down_costs": DEADLINE}, id="the API hangs for an hour"),
            pytest.param({"down_seconds": 2 * HOUR}, id="the function is paused for two hours"),
        ],
    )
    def test_bring_every_event_to_an_outcome(self, broker: str, api: dict[str, Any]) -> None:
        assert given_up(api=Api(**api), broker=broker) == 0

    def test_fewer_would_not_do(self) -> None:
        assert given_up(api=Api(down_seconds=HOUR), retries=20) == 604  # as a comment in template.yaml says

    def test_the_clock_finds_the_dead_letters_that_are_known(self) -> None:
        doubling = partial(WAITS["Kafka", "exponential"], 2)

        assert given_up(api=Api(), wait=doubling, retries=8, calls=1) == 400


def given_up(*, api: Api, broker: str = "Kafka", **other: Any) -> int:
    """The dead letters with template.yaml's own numbers, or others."""
    settings: dict[str, Any] = {
        "wait": partial(WAITS[broker, DELIVERY["backoffPolicy"]], seconds(DELIVERY["backoffDelay"])),
        "retries": DELIVERY["retry"],
        "slots": slots(),
        "patience": min(POD["timeoutSeconds"], seconds(DELIVERY["timeout"])),
        "calls": CALLS,
        **other,
    }
    return dead_letters(1000, api, **settings)
