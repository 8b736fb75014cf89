"""What the README and the pages of docs/ show and list is so."""

import re
import subprocess
import sys
import time
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest

from function.cloud.engines import ENGINES
from function.config import Config
from function.errors import ConfigError
from function.planner_settings import PlannerSettings
from function.setting_names import NAMES
from simulator import Fault, Simulator
from simulator.processes import ROOT
from tests.conftest import RunFunction
from tests.doubles.asked import Asked
from tests.doubles.issuer import Key, caller_settings
from tests.facts.docs import FILES, blocks, page, section, tables
from tests.wire.deliverer import STRUCTURED, Reply, send

NEEDED: Final = {"REAPER_API_ENDPOINT": "https://api.example", "HW_AUTH_TOKEN": "token"}
PROXIES: Final = {"http_proxy", "https_proxy", "all_proxy"}  # they are not ours: a paragraph below the table is theirs
# Which variables are read depends on the kind of credential.
KINDS: Final = (
    NEEDED,
    {"HW_USER_NAME": "reaper"},
    {"HW_ACCESS_KEY": "key"},
    {"HW_SECURITY_TOKEN": "token"},
    {"REAPER_CALLER_ISSUER": "https://issuer.example"},
    {"REAPER_PLATFORM": "functiongraph", "REAPER_EVENTGRID_SOURCE": "results"},
)


SETTINGS: Final = {
    tuple(re.findall(r"`(\w+)`", names)): default
    for group in tables(page("configuration"))
    for names, *rest in group
    if names.strip("`") not in ENGINES
    for default in rest[1:]
}
DEFAULTS: Final = {names[0]: default[1:-1] for names, default in SETTINGS.items() if default.startswith("`")}
ANSWERS: Final = {int(status): rest for status, *rest in tables(section("The answer to the sender", page("events")))[0]}
ISSUER_KEY: Final = Key("key-1")
THROTTLED: Final = Fault(status=429, body={"error_code": "APIGW.0308", "error_msg": "too many requests"})


def deliver(url: str, sample: str, headers: Mapping[str, str] | None = None) -> Reply:
    content = {"Content-Type": STRUCTURED, **(headers or {})}
    return send(url, (ROOT / "events" / f"{sample}.json").read_bytes(), headers=content)


def provoke(status: int, url: str, simulator: Simulator) -> Reply:
    """Make the function give this answer."""
    match status:
        case 200 | 204:
            return deliver(url, "04-dry-run.skipped.dry_run")
        case 400:
            return deliver(url, "10-other-type.400.NOT_AN_EVENT")
        case 401:
            return deliver(url, "01-expired.deleted")
        case 403:
            token = ISSUER_KEY.token(at=time.time(), sub="somebody")
            return deliver(url, "01-expired.deleted", {"Authorization": f"Bearer {token}"})
        case 405:
            return send(url, method="GET")
        case 413:
            return send(url, b" " * 65_537, headers={"Content-Type": STRUCTURED})
        case 415:
            return send(url, b"{}", headers={"Content-Type": "text/plain"})
        case 429:
            simulator.fault(THROTTLED)
            return deliver(url, "01-expired.deleted")
        case 503:
            return deliver(url, "12-still-building.503.DBS.201205")
    raise NotImplementedError(status)


def test_the_event_in_and_the_event_out_are_the_files_of_the_first_sample() -> None:
    event = (ROOT / "events" / "01-expired.deleted.json").read_text()
    result = (ROOT / "events" / "results" / "01-expired.deleted.json").read_text()
    assert blocks("json") == [event]
    assert blocks("json", page("events")) == [event, result]


def test_the_rule_is_twelve_lines_and_gives_the_plan_that_is_shown(tmp_path: Path) -> None:
    below = section("Your retention rule")
    rule, command, shown = blocks("toml", below)[0], blocks("sh", below)[0].split(), blocks("text", below)[0]
    assert len(rule.splitlines()) == 12
    (tmp_path / "retention.toml").write_text(rule)
    arguments = [str(tmp_path / word) if word == "retention.toml" else word for word in command[1:]]
    env = {"COLUMNS": "80", "PATH": "/usr/bin:/bin"}

    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, env=env, capture_output=True, text=True, timeout=60)

    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(".*".join(map(re.escape, shown.split("…\n"))), done.stdout, re.DOTALL), done.stdout


def test_the_settings_that_matter_are_settings() -> None:
    listed = {
        by_value(name)
        for row in tables(section("The settings that matter"))[0]
        for name in re.findall(r"`([A-Z_]+)`", row[0])
    }
    assert len(tables(section("The settings that matter"))[0]) == 5
    assert listed <= {name for names in SETTINGS for name in names}


def test_the_commands_are_those_of_the_makefile() -> None:
    contributing = (ROOT / "CONTRIBUTING.md").read_text()
    makefile = re.findall(r"^([a-z-]+):.*## (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert re.findall(r"^make (\S+) +(.*)$", blocks("text", contributing)[0], re.MULTILINE) == makefile
    mentioned = {name for file in FILES for name in re.findall(r"(?:`|^)make ([a-z]+)", file.read_text(), re.MULTILINE)}
    assert mentioned <= {name for name, _ in makefile}


def test_the_map_has_the_layers_that_are_checked() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (layers,) = (each["layers"] for each in contracts if each["id"] == "downhill")
    assert blocks("text", (ROOT / "CONTRIBUTING.md").read_text())[2].splitlines() == layers, (
        "CONTRIBUTING.md has a copy"
    )


def by_value(name: str) -> str:
    """The table says once that each secret of the cloud can be in a file."""
    return name.removesuffix("_FILE") if name.startswith("HW_") else name


def test_the_configuration_table_has_every_variable_that_is_read_and_no_other() -> None:
    read: set[str] = set()
    for variables in KINDS:
        env = Asked(variables)
        with suppress(ConfigError):
            PlannerSettings.from_env(env)  # reads what the reaper reads, and more
        read |= set(map(by_value, env.names))
    assert {name for names in SETTINGS for name in names} == read - PROXIES == set(map(by_value, NAMES))


@pytest.mark.parametrize(("name", "default"), DEFAULTS.items())
def test_a_default_in_the_table_is_the_one_in_force(name: str, default: str) -> None:
    assert Config.from_env({**NEEDED, name: default}) == Config.from_env(NEEDED)


def test_every_reason_for_skipping_is_explained() -> None:
    code = "".join(path.read_text() for path in (ROOT / "function").rglob("*.py"))
    reasons = set(re.findall(r'reason="(\w+)"', code))
    assert reasons
    listed = {row[0].strip("`") for row in tables(page("guards"))[0]}
    assert reasons == listed


def test_the_answer_table_has_every_status_in_its_order() -> None:
    assert list(ANSWERS) == [200, 204, 400, 401, 403, 405, 413, 415, 429, 500, 503]


@pytest.mark.parametrize("status", [status for status in ANSWERS if status != 500])  # nobody can order a bug
def test_an_answer_has_the_body_and_the_delay_of_the_table(
    status: int, run: RunFunction, simulator: Simulator, settings: Mapping[str, str], tmp_path: Path
) -> None:
    meaning, body = ANSWERS[status]
    callers = caller_settings(tmp_path, ISSUER_KEY) if "caller" in meaning else {}
    sink = {"K_SINK": f"{simulator.url}/sink"} if "the sink" in meaning and status < 300 else {}
    simulator.fault(*([Fault(path="^/sink$", status=202)] if sink else []))
    reply = provoke(status, run({**settings, **sink, **callers}).url, simulator)
    assert reply.status == status
    assert ("Retry-After" in meaning) == ("retry-after" in reply.headers)
    match body:
        case "the result event":
            assert reply.event
        case "problem details":
            assert reply.problem
        case _:
            assert reply.body == b""
