"""What the README shows and lists is so."""

import re
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest

from function.config import Config
from function.errors import ConfigError
from function.planner_settings import PlannerSettings
from function.setting_names import NAMES
from simulator import Fault, Simulator
from simulator.processes import ROOT
from tests.conftest import RunFunction
from tests.deliverer import STRUCTURED, Reply, send
from tests.issuer import Key, caller_settings

README: Final = (ROOT / "README.md").read_text()
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


def section(title: str) -> str:
    return README.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def table(text: str) -> list[list[str]]:
    """The cells of a section's table, without its head."""
    rows = [re.split(r" ?\| ?", line)[1:-1] for line in text.splitlines() if line.startswith("|")]
    return rows[2:]


def blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


SETTINGS: Final = {
    tuple(re.findall(r"`(\w+)`", names)): default for names, _, default in table(section("Configuration"))
}
DEFAULTS: Final = {names[0]: default[1:-1] for names, default in SETTINGS.items() if default.startswith("`")}
ANSWERS: Final = {int(status): rest for status, *rest in table(section("The answer to whoever delivered the event"))}
ISSUER_KEY: Final = Key("key-1")
THROTTLED: Final = Fault(status=429, body={"error_code": "APIGW.0308", "error_msg": "too many requests"})


class Asked(dict[str, str]):
    """An environment that remembers what it was asked for."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        super().__init__(variables)
        self.names: set[str] = set()

    def __contains__(self, name: object) -> bool:
        self.names.add(str(name))
        return super().__contains__(name)


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
    assert blocks("json") == [
        (ROOT / "events" / "01-expired.deleted.json").read_text(),
        (ROOT / "events" / "results" / "01-expired.deleted.json").read_text(),
    ]


def test_every_file_the_readme_links_to_is_there() -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_commands_are_those_of_the_makefile() -> None:
    makefile = re.findall(r"^([a-z-]+):.*## (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    listed = re.findall(r"^make (\S+) +(.*)$", blocks("text", section("Working on it"))[0], re.MULTILINE)
    assert listed == makefile
    assert set(re.findall(r"make ([a-z]+)", README)) <= {name for name, _ in makefile}


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
    assert {reason for reason in reasons if f"`{reason}`" not in README} == set()


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
