"""The demo shows what the README says it shows; `make serve` does as it is told; neither leaves anything behind."""

import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from pathlib import Path
from typing import Any, Final

import pytest

from function.backups import Backup
from function.cloud.engines import ENGINES
from function.retention.plan import Listing, make_plan
from function.retention.policy import PolicyFile, read_policy_file
from simulator.history import PROJECT, TAURUSDB, write_history
from simulator.plan import POLICY
from simulator.processes import FOREIGN, ROOT
from tests.facts.docs import blocks, section

EVENTS: Final = ROOT / "events"
FIRST: Final = EVENTS / "01-expired.deleted.json"
# As from a terminal of 80 columns, without anything that configures the function.
ENV: Final = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)} | {"COLUMNS": "80"}
SECONDS: Final = 60

needs_curl = pytest.mark.skipif(not shutil.which("curl"), reason="the printed lines are run, and there is no curl")


def demo(*events: str | Path, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "simulator.demo", *events],
        cwd=ROOT,
        env={**ENV, **settings},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )


@contextmanager
def serve(*events: str | Path, **settings: str) -> Iterator[str]:
    """What is printed until Ctrl-C can be pressed; then it is, and must end it."""
    command = [sys.executable, "-m", "simulator.serve", *events]
    env = {**ENV, **settings}
    with subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as own:
        assert own.stdout
        output = "".join(takewhile(lambda line: "Ctrl-C" not in line, own.stdout))
        try:
            yield output
        finally:
            own.send_signal(signal.SIGINT)
            rest, errors = own.communicate(timeout=SECONDS)
    assert (own.returncode, errors, rest) == (0, "", "\nBoth have stopped.\n"), output


def refused(**settings: str) -> str:
    """What is said where it does not start."""
    command = [sys.executable, "-m", "simulator.serve"]
    env = {**ENV, **settings}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=SECONDS)
    assert (done.returncode, done.stdout) == (1, "")
    return done.stderr


def free_port() -> str:
    """A free port, with five free ones behind it. The system gives other tests ports from 32768 on."""
    while True:
        port = random.SystemRandom().randrange(15_000, 30_000)
        with ExitStack() as probes, suppress(OSError):
            for number in range(port, port + 6):
                probes.enter_context(socket.socket()).bind(("127.0.0.1", number))
            return str(port)


def printed(output: str, title: str) -> str:
    """The command below a title."""
    return re.sub(r"\\\n\s+", "", output.partition(title)[2].partition(":\n")[2]).splitlines()[0]


def run(command: str) -> Any:
    """The JSON that a printed command's answer holds."""
    done = subprocess.run(["sh", "-c", command], cwd=ROOT, env=ENV, capture_output=True, text=True, timeout=SECONDS)
    return json.loads(done.stdout[done.stdout.index("\n{") if "-i" in command.split() else 0 :])


def undated(text: str) -> str:
    """The text without what depends on the day: dates, and how many backups fall into the months that are kept."""
    return re.sub(r"\d{4}-\d\d-\d\d|-\d+…|[\d,.]+ GB|\d+(?= of| backups| are)", "#", text)


def children(pid: int) -> list[str]:
    """The command lines of a process's children."""
    listed = subprocess.run(["ps", "-A", "-o", "ppid=,args="], capture_output=True, text=True, check=True).stdout
    return [
        args for parent, _, args in (line.strip().partition(" ") for line in listed.splitlines()) if parent == str(pid)
    ]


@pytest.fixture(scope="module")
def whole() -> str:
    """What `make demo` prints."""
    done = demo()
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    return done.stdout


class TestDemo:
    def test_does_what_the_readme_shows(self, whole: str) -> None:
        shown = undated(blocks("text", section("See it work"))[0])
        assert re.search(".*".join(map(re.escape, shown.split("…\n"))), undated(whole), re.DOTALL), whole

    def test_fits_a_terminal_of_80_columns_and_paints_nothing_where_there_is_none(self, whole: str) -> None:
        assert [line for line in whole.splitlines() if len(line) > 80] == []
        assert "\33" not in whole

    def test_deletes_what_the_plan_says_and_the_next_tick_nothing(self, whole: str) -> None:
        [(listed, expired, size, kept)] = re.findall(
            r"^(\d+) backups in 3 instances: (\d+) expired \((\S+ GB) of \S+ GB\), (\d+) kept$", whole, re.MULTILINE
        )
        reports = re.findall(r"^ +(\d+) listed, (\d+) expired, (\d+) deleted, 0 left$", whole, re.MULTILINE)
        assert reports == [(listed, expired, expired), (kept, "0", "0")]
        assert f"\n{expired} backups are gone, {size}: exactly those of the plan.\n{kept} are left, " in whole

    def test_abridges_the_plan_without_hiding_how_much(self, whole: str) -> None:
        plan = whole.partition("Plan as of")[2].partition("A tick")[0]
        rows = re.findall(r"^\d{4}-\d\d-\d\d .* (?:keep|expired): (.*)$", plan, re.MULTILINE)
        omitted = sum(map(int, re.findall(r"^  … (\d+) more$", plan, re.MULTILINE)))
        assert f"{len(rows) + omitted} backups in 3 instances" in plan
        assert {"hold", "failed", "no_rule", "within P30D", "last #1, monthly #1,"} <= set(rows)
        assert len(rows) < 25

    def test_ends_at_ctrl_c_while_it_plans_without_a_sweep_or_a_traceback(self) -> None:
        command = [sys.executable, "-m", "simulator.demo"]
        with subprocess.Popen(
            command,
            cwd=ROOT,
            env=ENV,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # the signal goes to the whole group, as a terminal sends it
        ) as own:
            until = time.monotonic() + SECONDS
            while sum("function plan" in child for child in children(own.pid)) < 2:  # its table and its JSON
                assert time.monotonic() < until
            os.killpg(own.pid, signal.SIGINT)
            rest, errors = own.communicate(timeout=SECONDS)
        assert (own.returncode, errors) == (130, "")
        assert "backups in 3 instances" in rest  # the plan is shown to its end
        assert "A tick" not in rest

    def test_names_every_backup_in_full_on_a_terminal_of_80_columns(self) -> None:
        table = demo(FIRST).stdout.partition("\n\n")[0].splitlines()
        account = json.loads((ROOT / "simulator" / "account.json").read_text())
        shown = {word for line in table for word in line.split()}
        assert {backup["id"] for backup in account["backups"]} <= shown
        assert {backup["project_id"] for backup in account["backups"]} <= shown
        assert {backup["instance_id"] for backup in account["backups"]} <= shown
        assert max(map(len, table)) <= 80

    def test_fails_if_an_answer_is_not_what_the_name_says(self, tmp_path: Path) -> None:
        lie = tmp_path / "01-a-lie.deleted.json"
        shutil.copy(EVENTS / "08-dry-run-misspelt.failed.INVALID_EVENT.json", lie)
        done = demo(lie)
        assert done.returncode == 1
        assert "NOT  deleted, but failed.INVALID_EVENT" in done.stdout

    def test_sends_an_event_of_ones_own_without_judging_the_answer(self, tmp_path: Path) -> None:
        shutil.copy(FIRST, tmp_path / "mine.json")
        done = demo(tmp_path / "mine.json")
        assert done.returncode == 0
        assert "dev.backup-reaper.backup.deleted.v1" in done.stdout

    def test_says_that_a_file_is_not_there(self) -> None:
        done = demo("no-such-event.json")
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == "[Errno 2] No such file or directory: 'no-such-event.json'\n"

    def test_says_which_settings_it_does_not_use(self) -> None:
        done = demo(FIRST, REAPER_DRY_RUN="true", HW_REGION_NAME="cn-north-4")
        assert "Not used: HW_REGION_NAME, REAPER_DRY_RUN" in done.stdout.partition("\n")[0]
        assert "  OK\n" in done.stdout


def plan(*options: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "simulator.plan", *options]
    return subprocess.run(command, cwd=ROOT, env=ENV, capture_output=True, text=True, timeout=SECONDS)


def planned(file: PolicyFile, as_of: datetime) -> list[str]:
    """The outcomes for the simulator's instances at a moment."""
    backups = [
        Backup(
            id=made.id,
            name=made.name,
            instance_id=made.instance_id,
            type=made.type,
            status=made.status,
            begin_time=datetime.fromisoformat(made.begin_time or ""),
            description=made.description or "",
        )
        for made in write_history(as_of.timestamp())
        if made.datastore == TAURUSDB
    ]
    listing = Listing(engine="taurusdb", project_id=PROJECT, backups=backups)
    return [group.outcome for group in make_plan([listing], file, as_of).groups]


class TestPlan:
    def test_shows_a_verdict_for_every_backup(self) -> None:
        done = plan()
        assert (done.returncode, done.stderr) == (0, "")
        [listed] = re.findall(r"^(\d+) backups in 3 instances: ", done.stdout, re.MULTILINE)
        verdicts = re.findall(r"^\d{4}-\d\d-\d\d .* (?:keep|expired): ", done.stdout, re.MULTILINE)
        assert len(verdicts) == int(listed)

    def test_goes_by_a_policy_of_ones_own_and_writes_a_page(self, tmp_path: Path) -> None:
        page = tmp_path / "plan.html"
        done = plan("--policy", "examples/retention.toml", "--html", page)
        assert (done.returncode, done.stdout) == (0, "")
        assert done.stderr == f"The plan is in {page}\n"
        assert "6ab7e0f13c5d4e2f8a90b1c2d3e4f506in07" in page.read_text()

    def test_ends_with_the_exit_code_of_the_command(self) -> None:
        done = plan("--policy", "no-such-file.toml")
        assert (done.returncode, done.stdout) == (2, "")
        assert "no-such-file.toml" in done.stderr

    def test_has_the_rule_of_the_example(self) -> None:
        own, example = (tomllib.loads(path.read_text()) for path in (POLICY, ROOT / "examples" / "retention.toml"))
        assert own["timezone"] == example["timezone"]
        mine, theirs = own["policy"]["standard"], example["policy"]["standard"]
        assert {name: mine.get(name) for name in theirs if name != "projects"} == {
            name: value for name, value in theirs.items() if name != "projects"
        }

    def test_expires_something_and_less_than_its_limit_on_any_day_of_the_year(self) -> None:
        file = read_policy_file(POLICY.read_bytes(), engines=ENGINES)
        for day in range(0, 366, 3):
            as_of = datetime(2027, 1, 1, tzinfo=UTC) + timedelta(days=day)
            crm, shop, billing = planned(file, as_of)
            assert (crm, shop) == ("planned", "planned"), as_of
            assert billing in ("planned", "nothing_to_do"), as_of


class TestServe:
    @needs_curl
    def test_prints_lines_that_work_and_leaves_nothing_running(self) -> None:
        with serve(PORT=free_port()) as output:
            replies = [run(printed(output, title)) for title in ("Send an event", "Send it with")]
            state = run(printed(output, "See the account"))
        assert [reply["data"]["already_absent"] for reply in replies] == [False, True]
        assert replies[0]["data"]["backup_id"] not in {backup["id"] for backup in state["backups"]}
        for host, port in re.findall(r"http://([\d.]+):(\d+)", output):
            with pytest.raises(ConnectionRefusedError):
                http.client.HTTPConnection(host, port).connect()

    @needs_curl
    def test_honours_the_guards_that_are_set_shows_them_and_its_event_is_refused_by_them(self) -> None:
        with serve(PORT=free_port(), REAPER_KEEP_LAST="3", REAPER_MIN_AGE_DAYS="30") as output:
            reply = run(printed(output, "Send an event"))
            state = run(printed(output, "See the account"))
        assert "settings    REAPER_KEEP_LAST=3 REAPER_MIN_AGE_DAYS=30\n" in output
        assert re.search("^guards on .*30 days.*keep_last=3$", output, re.MULTILINE)
        assert (reply["type"].split(".")[-2], reply["data"]["reason"]) == ("deletion-skipped", "keep_last")
        assert reply["data"]["backup_id"] in {backup["id"] for backup in state["backups"]}

    @needs_curl
    def test_the_line_that_stamps_the_time_passes_strict(self) -> None:
        strict = {"REAPER_GUARDS": "strict", "REAPER_ALLOWED_PROJECT_IDS": "054e292c9880d4992f02c0196d3ea468"}
        with serve(PORT=free_port(), **strict) as output:
            stale, fresh = (run(printed(output, title)) for title in ("Send an event", "Send it with"))
        assert stale["data"]["reason"] == "stale_event"
        assert fresh["type"] == "dev.backup-reaper.backup.deleted.v1"

    @needs_curl
    def test_prints_credentials_that_the_simulator_accepts(self) -> None:
        with serve(PORT=free_port()) as output:
            pass
        listed = output.partition("credentials;")[2].partition("\n\n")[0].replace("\\\n", "")
        kinds = [re.findall(r"(HW_\w+)=('[^']+'|\S+)", line) for line in listed.splitlines()[1:]]
        assert {kind[0][0] for kind in kinds} == {"HW_AUTH_TOKEN", "HW_ACCESS_KEY", "HW_USER_NAME"}
        for kind in kinds:
            settings = {name: value.strip("'") for name, value in kind}
            allowed = "054e292c9880d4992f02c0196d3ea468"
            with serve(PORT=free_port(), REAPER_ALLOWED_PROJECT_IDS=allowed, **settings) as output:
                assert run(printed(output, "Send an event")).get("type") == "dev.backup-reaper.backup.deleted.v1"

    @needs_curl
    @pytest.mark.parametrize("grid", [False, True], ids=["reply", "EventGrid"])
    def test_plays_functiongraph_if_that_is_the_platform(self, grid: bool) -> None:
        channel = "7f1e5c1e-8f0a-4c43-9a55-0d8b5a4c9e01"
        results = {"REAPER_EVENTGRID_CHANNEL_ID": channel, "REAPER_EVENTGRID_SOURCE": "backup-reaper-results"}
        with serve(PORT=free_port(), REAPER_PLATFORM="functiongraph", **(results if grid else {})) as output:
            replies = [run(printed(output, title)) for title in ("Send an event", "Send it with")]
            calls = run(printed(output, "See the account").replace("/state", "/calls"))
        assert [reply["statusCode"] for reply in replies] == [200, 200]
        assert [bool(reply["body"]) for reply in replies] == [not grid] * 2
        assert [call["status"] for call in calls if call["method"] == "POST"] == [200] * (2 if grid else 0)
        assert all("DEMOAGENCYKEY" in call["headers"]["Authorization"] for call in calls)

    def test_shows_no_secret_of_yours(self) -> None:
        secrets = {"HW_ACCESS_KEY": "mine", "HW_SECRET_KEY": "s3cret", "K_SINK": "http://127.0.0.1:9/s3cret"}
        with serve(PORT=free_port(), **secrets) as output:
            assert "settings    HW_ACCESS_KEY=mine HW_SECRET_KEY=… K_SINK=…\n" in output
            assert "s3cret" not in output

    def test_listens_on_8080_and_8081_or_says_why_not(self) -> None:
        with serve() as output:
            function, simulator = map(int, re.findall(r"^(?:function|simulator) +http://127.0.0.1:(\d+)", output, re.M))
            assert function >= 8080
            assert simulator > function
            assert (function == 8080) is ("(8080 is taken)" not in output)
            with serve() as another:  # now 8080 is taken in any case
                assert f"function    http://127.0.0.1:{function}\n" not in another
                assert "(8080 is taken)" in another

    def test_refuses_a_port_that_is_taken_or_none(self) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = str(taken.getsockname()[1])
            assert refused(PORT=port).startswith(f"PORT={port} is taken")
        assert refused(PORT="http").startswith("PORT must be a number")

    @pytest.mark.parametrize(
        "name", ["HW_REGION_NAME", "REAPER_API_ENDPOINT", "REAPER_API_ENDPOINT_RDS", "REAPER_EVENTGRID_ENDPOINT"]
    )
    def test_never_calls_anything_but_its_simulator(self, name: str) -> None:
        assert f"never the real cloud; unset {name} " in refused(PORT=free_port(), **{name: "cn-north-4"})

    @pytest.mark.parametrize("name", ["REAPER_KEEP_LATEST", "REAPER_MIN_AGE_DAYS"])
    def test_a_setting_that_the_function_refuses_ends_it(self, name: str) -> None:
        assert f"backup-reaper cannot start: {name}" in refused(PORT=free_port(), **{name: "three"})

    def test_sends_the_event_that_is_named(self) -> None:
        with serve("events/04-dry-run.skipped.dry_run.json", PORT=free_port()) as output:
            assert "@events/04-dry-run.skipped.dry_run.json" in printed(output, "Send an event")

    def test_says_so_if_the_log_does_not_tell_the_guards(self) -> None:
        with serve(PORT=free_port(), REAPER_LOG_LEVEL="ERROR") as output:
            assert "guards on   not logged at this REAPER_LOG_LEVEL\n" in output
