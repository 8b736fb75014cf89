"""The command line as a process: plan, sweep and doctor against the simulator."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from function.events.planning import PLANNED
from simulator import Fault, Simulator
from simulator.processes import ROOT
from tests.conftest import MEASURED
from tests.facts.account import INSTANCE, PROJECT
from tests.facts.retained import OTHER_INSTANCE, POLICY, backup, fill


@pytest.fixture
def account(simulator: Simulator) -> Simulator:
    """Four backups of one instance, of which two expire, and two of another."""
    return fill(simulator)


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """The policy file."""
    file = tmp_path / "retention.toml"
    file.write_text(POLICY)
    return file


def command(*arguments: str | Path, env: Mapping[str, str], timeout: float = 60) -> subprocess.CompletedProcess[str]:
    """The command line, with exactly this environment."""
    return subprocess.run(
        [sys.executable, "-m", "function", *map(str, arguments)],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", **MEASURED, **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )


def shell(*arguments: str | Path, end: str, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """The command line, with an end such as `| true`."""
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", f'"$@" {end}', "-", sys.executable, "-m", "function", *map(str, arguments)],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", **MEASURED, **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def move_the_list(account: Simulator) -> None:
    """The first page counts fewer backups than the others, each time that the list is read."""
    item = {name: value for name, value in backup("b20", 20).to_json().items() if name != "project_id"}
    fault = Fault(method="GET", path="offset=0&", status=200, body={"backups": [item], "total_count": 5})
    account.fault(fault, fault)


class TestPlan:
    def test_shows_what_is_kept_and_what_has_expired_and_changes_nothing(
        self, account: Simulator, settings: Mapping[str, str], policy: Path
    ) -> None:
        before = account.backup_ids(PROJECT)

        done = command("plan", "--policy", policy, env=settings)

        assert (done.returncode, done.stderr) == (0, "")
        assert max(map(len, done.stdout.splitlines())) <= 80
        assert [line.split()[2] for line in done.stdout.splitlines() if line.endswith("expired: no_rule")] == [
            "b30",
            "b40",
        ]
        assert "\x1b" not in done.stdout
        assert account.backup_ids(PROJECT) == before

    def test_is_written_for_programs(self, account: Simulator, settings: Mapping[str, str], policy: Path) -> None:
        plan = json.loads(command("plan", "--json", env={**settings, "REAPER_POLICY_FILE": str(policy)}).stdout)

        verdicts = {each["backup_id"]: each["verdict"] for group in plan["groups"] for each in group["backups"]}
        assert verdicts == {"b40": "expired", "b30": "expired"} | dict.fromkeys(["b20", "b10", "o90", "o80"], "keep")
        assert plan["counts"]["expired"] == 2

    def test_of_a_saved_list_needs_no_credential(self, policy: Path, tmp_path: Path) -> None:
        items = [{**backup(f"b{age}", age).to_json(), "type": "manual"} for age in (40, 30, 20)]
        saved = tmp_path / "list.json"
        saved.write_text(json.dumps({"backups": items, "total_count": 3}))

        plan = command("plan", "--policy", policy, "--backups", saved, "--json", env={})
        later = command(
            "plan", "--policy", policy, "--backups", saved, "--as-of", "2020-01-01T00:00:00Z", "--json", env={}
        )

        assert (plan.returncode, plan.stderr) == (0, "")
        assert json.loads(plan.stdout)["counts"]["expired"] == 1
        assert json.loads(later.stdout)["counts"]["expired"] == 0  # all of them are in its future

    @pytest.mark.parametrize("count", [61, -1])
    def test_of_a_saved_list_that_lacks_pages_is_refused(self, policy: Path, tmp_path: Path, count: int) -> None:
        saved = tmp_path / "list.json"
        saved.write_text(json.dumps({"backups": [backup("b1", 40).to_json()], "total_count": count}))

        done = command("plan", "--policy", policy, "--backups", saved, env={})

        assert (done.returncode, done.stdout) == (2, "")
        assert f"these are 1 of {count} backups: save every page of the list" in done.stderr

    @pytest.mark.parametrize(
        ("content", "says"),
        [
            (b'\xef\xbb\xbf{"backups": [], "total_count": 0}', "it begins with a byte order mark (BOM)"),
            (b"[" + b"0," * 20_000 + b"0]", "it holds too much: more than 20000 commas, colons and brackets"),
            (b'{"backups": []}', "the API's list is not of the documented form"),
        ],
        ids=["BOM", "too much", "no count"],
    )
    def test_of_a_file_that_is_no_saved_list_says_what_is_wrong_with_it(
        self, policy: Path, tmp_path: Path, content: bytes, says: str
    ) -> None:
        saved = tmp_path / "list.json"
        saved.write_bytes(content)

        done = command("plan", "--policy", policy, "--backups", saved, env={})

        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == f"plan: {saved} is not a saved answer of the list API: {says}\n"

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (["--project", "mistyped"], f"no policy of taurusdb names the project mistyped; there is: {PROJECT}"),
            (
                ["--project", PROJECT, "--engine", "rds"],
                f"no policy of rds names the project {PROJECT}; there is: none",
            ),
        ],
        ids=["project", "engine"],
    )
    def test_of_a_project_that_no_policy_names_is_refused(
        self, policy: Path, tmp_path: Path, arguments: list[str], says: str
    ) -> None:
        saved = tmp_path / "list.json"
        saved.write_text(json.dumps({"backups": [], "total_count": 0}))

        done = command("plan", "--policy", policy, "--backups", saved, *arguments, env={})

        assert (done.returncode, done.stdout, done.stderr) == (2, "", f"plan: {says}\n")

    def test_of_a_project_that_is_named_is_made(self, policy: Path, tmp_path: Path) -> None:
        saved = tmp_path / "list.json"
        saved.write_text(json.dumps({"backups": [], "total_count": 0}))

        assert command("plan", "--policy", policy, "--backups", saved, "--project", PROJECT, env={}).returncode == 0

    def test_is_a_page(self, account: Simulator, settings: Mapping[str, str], policy: Path, tmp_path: Path) -> None:
        page = tmp_path / "plan.html"

        done = command("plan", "--policy", policy, "--html", page, env=settings)

        assert (done.returncode, done.stdout, done.stderr) == (0, "", f"The plan is in {page}\n")
        assert page.read_text().startswith("<!doctype html>")

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (["plan"], "REAPER_POLICY_FILE must be set"),
            (["plan", "--policy", "nowhere.toml"], "REAPER_POLICY_FILE nowhere.toml cannot be read: No such file"),
            (["plan", "--policy", "POLICY", "--as-of", "tomorrow"], "--as-of is not an RFC 3339 timestamp"),
            (["plan", "--policy", "POLICY", "--as-of", ""], "--as-of must not be empty"),
            (["plan", "--policy", ""], "--policy must not be empty"),
            (["sweep", "--confirm", "--policy", ""], "--policy must not be empty"),
            (["plan", "--policy", "POLICY", "--html", ""], "--html must not be empty"),
            (["plan", "--policy", "POLICY", "--project", ""], "--project must not be empty"),
            (["plan", "--policy", "POLICY", "--as", "2026-12-24T00:00:00Z"], "unrecognized arguments: --as"),
            (["sweep", "--policy", "POLICY", "--c"], "unrecognized arguments: --c"),
            (["plan", "--policy", "POLICY", "--backups", "nowhere.json"], "nowhere.json cannot be read: No such file"),
            (["plan", "--policy", "POLICY", "--backups", "POLICY"], "is not a saved answer of the list API: "),
            (["plan", "--backups", "POLICY"], "name the policy file with --policy"),
            (["plan", "--policy", "POLICY", "--html", "/nowhere/x.html"], "/nowhere/x.html cannot be written: No such"),
            (
                ["plan", "--policy", "POLICY", "--backups", "POLICY", "--engine", "rds"],
                "the policy names 0 projects of rds",
            ),
        ],
        ids=lambda value: " ".join(value) if isinstance(value, list) else "",
    )
    def test_says_what_to_change_and_ends_with_2(
        self, account: Simulator, settings: Mapping[str, str], policy: Path, arguments: list[str], says: str
    ) -> None:
        env = {**settings, "REAPER_POLICY_FILE": str(policy)} if "" in arguments else settings

        done = command(*(str(policy) if each == "POLICY" else each for each in arguments), env=env)

        assert done.returncode == 2
        assert says in done.stderr
        assert "Traceback" not in done.stderr
        assert done.stdout == ""
        assert account.count("DELETE") == 0

    def test_of_a_list_that_is_unclear_is_a_fault(
        self, account: Simulator, settings: Mapping[str, str], policy: Path
    ) -> None:
        account.fault(Fault(method="GET", status=200, body={"backups": []}))

        done = command("plan", "--policy", policy, env=settings)

        assert (done.returncode, done.stdout) == (2, "")
        assert "UNCLEAR_LIST" in done.stderr

    def test_counts_the_pages_on_a_terminal(
        self, account: Simulator, settings: Mapping[str, str], policy: Path
    ) -> None:
        ours, theirs = os.openpty()
        subprocess.run(
            [sys.executable, "-m", "function", "plan", "--policy", str(policy)],
            cwd=ROOT,
            env={"PATH": "/usr/bin:/bin", **MEASURED, **settings},
            stdout=subprocess.DEVNULL,
            stderr=theirs,
            check=True,
            timeout=60,
        )

        assert b"reading page 2" in os.read(ours, 4096)
        os.close(theirs)
        os.close(ours)

    def test_says_that_the_list_changed_while_it_was_read(
        self, account: Simulator, settings: Mapping[str, str], policy: Path
    ) -> None:
        move_the_list(account)

        done = command("plan", "--policy", policy, env=settings)

        assert done.stderr == "The list changed while it was read: backups may be missing here\n"

    def test_stops_quietly_at_ctrl_c_and_where_nobody_reads(
        self, account: Simulator, settings: Mapping[str, str], policy: Path
    ) -> None:
        account.fault(Fault(method="GET", hang=True))
        env = {"PATH": "/usr/bin:/bin", **MEASURED, **settings}
        arguments = [sys.executable, "-m", "function", "plan", "--policy", str(policy)]
        with subprocess.Popen(arguments, cwd=ROOT, env=env, stderr=subprocess.PIPE, text=True) as running:
            while not account.calls:
                assert running.poll() is None
            running.send_signal(signal.SIGINT)
            _, errors = running.communicate(timeout=30)

        stopped = "\nStopped. What was already deleted is gone; run plan to see what is left.\n"
        assert (errors, running.returncode) == (stopped, 1)

    @pytest.mark.parametrize("time", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "1970-12-31T23:59:59Z"])
    def test_of_a_moment_that_no_backup_knows_is_refused(
        self, settings: Mapping[str, str], policy: Path, time: str
    ) -> None:
        done = command("plan", "--policy", policy, "--as-of", time, env=settings)

        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == "plan: --as-of must be in the years 1971 to 9000\n"

    @pytest.mark.parametrize("time", ["9000-12-31T23:59:59Z", "1971-01-01T00:00:00Z"])
    def test_of_the_first_and_of_the_last_moment_is_made(
        self, account: Simulator, settings: Mapping[str, str], policy: Path, time: str
    ) -> None:
        policy.write_text(
            POLICY.replace("[policy", 'timezone = "Pacific/Kiritimati"\n[policy') + 'min_age = "P99999Y"\n'
        )

        done = command("plan", "--policy", policy, "--as-of", time, env=settings)

        assert (done.returncode, done.stderr) == (0, "")

    @pytest.mark.parametrize("shape", [[], ["--json"]], ids=str)
    def test_is_shown_where_the_output_knows_only_ascii(
        self, account: Simulator, settings: Mapping[str, str], policy: Path, shape: list[str]
    ) -> None:
        account.add(backup("每日备份", 15))

        done = command("plan", "--policy", policy, *shape, env={**settings, "PYTHONIOENCODING": "ascii"})

        assert (done.returncode, done.stderr) == (0, "")
        if shape:
            groups = json.loads(done.stdout)["groups"]
            assert "每日备份" in {each["backup_id"] for group in groups for each in group["backups"]}
        else:
            assert "????" in done.stdout

    @pytest.mark.parametrize("words", [["plan"], ["plan", "--json"], ["sweep"], ["doctor"]], ids=" ".join)
    def test_that_cannot_be_written_is_a_fault(
        self, account: Simulator, settings: Mapping[str, str], policy: Path, words: list[str]
    ) -> None:
        done = shell(*words, end=">/dev/full", env={**settings, "REAPER_POLICY_FILE": str(policy)})

        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == f"{words[0]}: the output cannot be written: No space left on device\n"

    @pytest.mark.parametrize("end", [">&-", "| true"])
    @pytest.mark.parametrize("words", [["plan"], ["plan", "--json"], ["doctor"]], ids=" ".join)
    def test_that_nobody_reads_is_no_fault(
        self, account: Simulator, settings: Mapping[str, str], policy: Path, words: list[str], end: str
    ) -> None:
        done = shell(*words, end=end, env={**settings, "REAPER_POLICY_FILE": str(policy)})

        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

    @pytest.mark.parametrize(("end", "code"), [("2>&-", 0), ("2>/dev/full", 2)])
    def test_goes_on_where_nobody_reads_messages(
        self, account: Simulator, settings: Mapping[str, str], policy: Path, tmp_path: Path, end: str, code: int
    ) -> None:
        page = tmp_path / "plan.html"

        done = shell("plan", "--html", page, end=end, env={**settings, "REAPER_POLICY_FILE": str(policy)})

        assert (done.returncode, done.stdout, done.stderr) == (code, "", "")
        assert page.exists()


class TestSweep:
    def test_without_confirm_is_plan(self, account: Simulator, settings: Mapping[str, str], policy: Path) -> None:
        before = account.backup_ids(PROJECT)

        done = command("sweep", "--policy", policy, env=settings)

        assert done.returncode == 0
        assert "expired: no_rule" in done.stdout
        assert done.stderr == "Nothing was deleted. To delete what has expired, add --confirm\n"
        assert account.backup_ids(PROJECT) == before

    def test_deletes_what_has_expired(self, account: Simulator, settings: Mapping[str, str], policy: Path) -> None:
        done = command("sweep", "--policy", policy, "--confirm", env=settings)

        assert done.returncode == 0
        assert done.stdout == "6 backups, 2 expired: 2 deleted, 0 skipped, 0 failed, 0 left\n"
        assert account.backup_ids(PROJECT) == {"b20", "b10", "o90", "o80"}
        lines = [json.loads(line) for line in done.stderr.splitlines()]
        assert [line["backup.id"] for line in lines if line.get("outcome") == "deleted"] == ["b40", "b30"]

    def test_obeys_the_reaper_s_guards(self, account: Simulator, settings: Mapping[str, str], policy: Path) -> None:
        before = account.backup_ids(PROJECT)

        done = command("sweep", "--policy", policy, "--confirm", env={**settings, "REAPER_MIN_AGE_DAYS": "35"})

        assert done.stdout == "6 backups, 2 expired: 1 deleted, 1 skipped, 0 failed, 0 left\n"
        assert account.backup_ids(PROJECT) == before - {"b40"}

    @pytest.mark.parametrize(
        ("setting", "code", "says"),
        [
            ({"REAPER_DRY_RUN": "true"}, 0, "Nothing was deleted: REAPER_DRY_RUN is true"),
            ({"REAPER_PAUSED": "true"}, 2, "REAPER_PAUSED is true: nothing is deleted"),
        ],
        ids=str,
    )
    def test_deletes_nothing_where_the_settings_forbid_it(
        self,
        account: Simulator,
        settings: Mapping[str, str],
        policy: Path,
        setting: Mapping[str, str],
        code: int,
        says: str,
    ) -> None:
        done = command("sweep", "--policy", policy, "--confirm", env={**settings, **setting})

        assert done.returncode == code
        assert says in done.stdout + done.stderr
        assert account.count("DELETE") == 0

    def test_says_what_is_over_a_limit_and_why_it_ended_early(
        self, account: Simulator, settings: Mapping[str, str], policy: Path
    ) -> None:
        account.add(backup("o99", 99, instance_id=OTHER_INSTANCE))
        policy.write_text(POLICY + "[limits]\nmax_expired = 1\n")
        account.fault(Fault(method="DELETE", status=403, body={"error_code": "DBS.200010", "error_msg": "denied"}))

        done = command("sweep", "--policy", policy, "--confirm", env=settings)

        assert done.returncode == 1
        assert done.stdout.splitlines() == [
            "7 backups, 1 expired: 0 deleted, 0 skipped, 0 failed, 1 left",
            "2 more would expire, but their instances are over a limit: see plan",
            "Ended early: DBS.200010: denied",
            "What is left has no final outcome yet: run sweep again",
        ]

    def test_sends_its_results_and_its_report_to_the_sink(
        self, account: Simulator, settings: Mapping[str, str], policy: Path
    ) -> None:
        account.fault(Fault(method="POST", path="^/sink", status=202, times=None))

        done = command("sweep", "--policy", policy, "--confirm", env={**settings, "K_SINK": f"{account.url}/sink"})

        assert done.returncode == 0
        sent = [
            json.loads(call.body)["type"].rpartition("dev.backup-reaper.")[2] for call in account.calls if call.body
        ]
        assert sent == ["backup.deleted.v1", "backup.deleted.v1", "retention.planned.v1"]

    @pytest.mark.parametrize(("end", "code"), [(">/dev/full", 2), ("| true", 0), (">&-", 0)])
    def test_sends_its_report_to_the_sink_even_if_nothing_can_be_printed(
        self, account: Simulator, settings: Mapping[str, str], policy: Path, end: str, code: int
    ) -> None:
        account.fault(Fault(method="POST", path="^/sink", status=202, times=None))
        env = {**settings, "REAPER_POLICY_FILE": str(policy), "K_SINK": f"{account.url}/sink"}

        done = shell("sweep", "--confirm", end=end, env=env)

        assert done.returncode == code
        assert "Traceback" not in done.stderr
        *_, report = [json.loads(call.body) for call in account.calls if call.body]
        assert (report["type"], report["data"]["counts"]["deleted"]) == (PLANNED, 2)

    def test_says_what_it_deleted_even_if_its_report_is_refused(
        self, account: Simulator, settings: Mapping[str, str], policy: Path
    ) -> None:
        taken = Fault(method="POST", path="^/sink", status=202, times=2)
        account.fault(taken, Fault(method="POST", path="^/sink", status=500))

        done = command("sweep", "--policy", policy, "--confirm", env={**settings, "K_SINK": f"{account.url}/sink"})

        assert done.returncode == 2
        assert done.stdout == "6 backups, 2 expired: 2 deleted, 0 skipped, 0 failed, 0 left\n"
        assert done.stderr.endswith("sweep: SINK_REFUSED: the sink answered 500\n")

    def test_says_that_the_list_changed_while_it_was_read(
        self, account: Simulator, settings: Mapping[str, str], policy: Path
    ) -> None:
        move_the_list(account)

        done = command("sweep", "--policy", policy, "--confirm", env=settings)

        assert done.stdout.splitlines()[1] == "The list changed while it was read: backups may be missing here"

    def test_of_a_list_that_is_shorter_than_its_count_deletes_nothing(
        self, account: Simulator, settings: Mapping[str, str], policy: Path
    ) -> None:
        body = {"backups": [], "total_count": 6}
        account.fault(Fault(method="GET", path="offset=0&", status=200, body=body, times=None))

        done = command("sweep", "--policy", policy, "--confirm", env=settings)

        assert (done.returncode, done.stdout, account.count("DELETE")) == (2, "", 0)
        assert done.stderr.endswith(f"the list of taurusdb in project {PROJECT} is shorter than its count\n")

    def test_says_what_it_left_and_ends_with_1(
        self, account: Simulator, settings: Mapping[str, str], policy: Path
    ) -> None:
        account.fault(Fault(method="DELETE", path="b30", status=429))

        done = command("sweep", "--policy", policy, "--confirm", env=settings)

        assert done.returncode == 1
        assert done.stdout.splitlines() == [
            "6 backups, 2 expired: 1 deleted, 0 skipped, 0 failed, 1 left",
            "What is left has no final outcome yet: run sweep again",
        ]


class TestDoctor:
    def test_of_a_good_set_up_says_ok_to_each_thing(
        self, account: Simulator, settings: Mapping[str, str], policy: Path
    ) -> None:
        before = account.backup_ids(PROJECT)

        done = command("doctor", env={**settings, "REAPER_POLICY_FILE": str(policy)})

        assert (done.returncode, done.stderr) == (0, "")
        assert [line[:4] for line in done.stdout.splitlines()] == ["ok  "] * 4
        assert "the list can be read, 6 manual backups" in done.stdout
        assert account.backup_ids(PROJECT) == before
        assert account.count("DELETE") == 0

    def fails(self, env: Mapping[str, str]) -> list[str]:
        """The findings that are not ok."""
        done = command("doctor", env=env)
        assert (done.returncode, done.stderr) == (1, "")
        return [line for line in done.stdout.splitlines() if line.startswith("FAIL")]

    def test_names_each_fault_of_the_configuration(self, settings: Mapping[str, str]) -> None:
        (failure,) = self.fails({**settings, "REAPER_KEEP_LATEST": "3"})

        assert failure.endswith("REAPER_KEEP_LATEST is not a setting of this function. Did you mean REAPER_KEEP_LAST?")

    @pytest.mark.parametrize(
        ("wrong", "says"),
        [
            ({"REAPER_API_ENDPOINT": "http://127.0.0.1:9"}, "Check HW_REGION_NAME or REAPER_API_ENDPOINT, the network"),
            ({"HW_AUTH_TOKEN": "wrong"}, "Correct the credential: it is not accepted"),
        ],
        ids=str,
    )
    def test_says_what_to_correct(
        self, account: Simulator, settings: Mapping[str, str], policy: Path, wrong: Mapping[str, str], says: str
    ) -> None:
        (failure, *_) = self.fails({**settings, "REAPER_POLICY_FILE": str(policy), **wrong})

        assert says in failure

    def test_says_to_try_later_where_nothing_else_helps(
        self, account: Simulator, settings: Mapping[str, str], policy: Path
    ) -> None:
        account.fault(
            Fault(method="GET", status=500, body={"error_code": "DBS.108000", "error_msg": "Server failure."})
        )

        (failure, *_) = self.fails({**settings, "REAPER_POLICY_FILE": str(policy)})

        assert "Try again later" in failure

    def test_does_not_evaluate_the_policy_where_a_list_could_not_be_read(
        self, account: Simulator, settings: Mapping[str, str], policy: Path
    ) -> None:
        other = "0" * 32
        account.fault(Fault(method="GET", path=f"{other}/backups", status=404, times=None))
        policy.write_text(POLICY.replace(f'"{PROJECT}"', f'"{other}", "{PROJECT}"'))

        done = command("doctor", env={**settings, "REAPER_POLICY_FILE": str(policy)})

        assert done.returncode == 1
        assert f"FAIL  taurusdb in project {other}: " in done.stdout
        assert f"project {PROJECT}: the list can be read, 6 manual backups" in done.stdout
        assert "policy:" not in done.stdout

    def test_says_that_a_list_changed_while_it_was_read(
        self, account: Simulator, settings: Mapping[str, str], policy: Path
    ) -> None:
        move_the_list(account)

        done = command("doctor", env={**settings, "REAPER_POLICY_FILE": str(policy)})

        assert done.returncode == 0
        assert "5 manual backups; it changed while it was read, so some may be missing" in done.stdout

    def test_says_that_a_list_is_shorter_than_its_count(
        self, account: Simulator, settings: Mapping[str, str], policy: Path
    ) -> None:
        body = {"backups": [], "total_count": 6}
        account.fault(Fault(method="GET", path="offset=0&", status=200, body=body, times=None))

        (failure,) = self.fails({**settings, "REAPER_POLICY_FILE": str(policy)})

        assert "is shorter than its count. Try again later" in failure

    def test_says_which_permission_is_missing(
        self, account: Simulator, settings: Mapping[str, str], policy: Path
    ) -> None:
        denied = {"error_code": "DBS.200010", "error_msg": "not authorized"}
        account.fault(Fault(method="GET", status=403, body=denied))

        (failure, *_) = self.fails({**settings, "REAPER_POLICY_FILE": str(policy)})

        assert "Give the credential the permission to list the backups of the whole project" in failure

    def test_says_that_the_host_is_wrong(self, account: Simulator, settings: Mapping[str, str], policy: Path) -> None:
        account.fault(Fault(method="GET", status=404, body={"error_code": "APIGW.0101", "error_msg": "no such API"}))

        (failure, *_) = self.fails({**settings, "REAPER_POLICY_FILE": str(policy)})

        assert "Correct HW_REGION_NAME or REAPER_API_ENDPOINT: this API is not there" in failure

    @pytest.mark.parametrize(("minutes", "where"), [(20, "behind"), (-20, "ahead of")])
    def test_says_how_far_the_clock_is_off(
        self, account: Simulator, settings: Mapping[str, str], policy: Path, minutes: int, where: str
    ) -> None:
        account.advance(minutes * 60)

        failures = self.fails({**settings, "REAPER_POLICY_FILE": str(policy)})

        assert f"clock: ours is 20 minutes {where} the API's. Set this machine's clock" in failures[0]

    def test_says_which_instance_is_not_there(
        self, account: Simulator, settings: Mapping[str, str], policy: Path
    ) -> None:
        policy.write_text(POLICY.replace('"*"', f'"{INSTANCE}", "{INSTANCE[:-1]}8"'))

        (failure,) = self.fails({**settings, "REAPER_POLICY_FILE": str(policy)})

        assert f"it names instance {INSTANCE[:-1]}8, but taurusdb in project {PROJECT} has no manual backup" in failure

    def test_says_which_limit_to_raise(self, account: Simulator, settings: Mapping[str, str], policy: Path) -> None:
        policy.write_text(POLICY + "[limits]\nmax_expired = 1\n")

        (failure,) = self.fails({**settings, "REAPER_POLICY_FILE": str(policy)})

        assert failure == f"FAIL  policy: instance {INSTANCE} is over a limit. To allow it, set max_expired = 2"

    def test_says_that_there_is_no_project_to_check(self, settings: Mapping[str, str]) -> None:
        (failure,) = self.fails(settings)

        assert failure == "FAIL  projects: none to check. Set REAPER_ALLOWED_PROJECT_IDS, or REAPER_POLICY_FILE"

    def test_says_that_the_sink_does_not_answer(
        self, account: Simulator, settings: Mapping[str, str], policy: Path
    ) -> None:
        sink = "http://127.0.0.1:9/the-path-is-a-secret"

        (failure,) = self.fails({**settings, "REAPER_POLICY_FILE": str(policy), "K_SINK": sink})

        assert "Check K_SINK, and whether what it names is up" in failure
        assert "the-path-is-a-secret" not in failure

    def test_sends_no_event_to_a_sink_that_answers(
        self, account: Simulator, settings: Mapping[str, str], policy: Path
    ) -> None:
        done = command(
            "doctor", env={**settings, "REAPER_POLICY_FILE": str(policy), "K_SINK": f"{account.url}/x?key=1"}
        )

        assert f"ok    sink: {account.url} answers" in done.stdout
        assert "POST" not in {call.method for call in account.calls}
