"""The five settings of who may deliver."""

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from function.callers import CallerSettings
from function.config import Config
from function.errors import ConfigError
from function.planner_settings import PlannerSettings
from simulator.processes import ROOT
from tests.doubles.issuer import Key, key_set

MINIMUM: Final = {"HW_REGION_NAME": "cn-north-4", "HW_AUTH_TOKEN": "t1"}
CALLERS: Final = {
    "REAPER_CALLER_ISSUER": "https://kubernetes.default.svc.cluster.local",
    "REAPER_CALLER_AUDIENCE": "backup-reaper",
    "REAPER_CALLER_SUBJECTS": "system:serviceaccount:a:b, script",
    "REAPER_CALLER_JWKS_URL": "https://issuer.example/keys?p=1",
}


def fault(**more: str | None) -> str:
    env = {name: value for name, value in {**MINIMUM, **CALLERS, **more}.items() if value is not None}
    with pytest.raises(ConfigError) as raised:
        Config.from_env(env)
    return str(raised.value)


def test_four_of_them_switch_the_check_on() -> None:
    config = Config.from_env({**MINIMUM, **CALLERS})

    assert config.callers == CallerSettings(
        issuer="https://kubernetes.default.svc.cluster.local",
        audience="backup-reaper",
        subjects=frozenset({"system:serviceaccount:a:b", "script"}),
        jwks="https://issuer.example/keys?p=1",
    )
    assert config.callers.jwks in config.origins


def test_the_keys_can_be_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_bytes(key_set(Key("k")))
    env = {**MINIMUM, **CALLERS, "REAPER_CALLER_JWKS_FILE": str(path)}
    del env["REAPER_CALLER_JWKS_URL"]

    config = Config.from_env(env)

    assert config.callers and config.callers.jwks == path
    assert config.origins == list(config.endpoints.values())


def test_keys_come_over_http_from_this_machine_only() -> None:
    url = "http://127.0.0.1:8200/keys"

    assert Config.from_env({**MINIMUM, **CALLERS, "REAPER_CALLER_JWKS_URL": url}).callers
    assert "https://" in fault(REAPER_CALLER_JWKS_URL="http://issuer.example/keys")


@pytest.mark.parametrize("name", ["REAPER_CALLER_ISSUER", "REAPER_CALLER_AUDIENCE", "REAPER_CALLER_SUBJECTS"])
def test_each_is_needed_with_the_others(name: str) -> None:
    assert fault(**{name: None}) == f"{name} must be set"
    assert fault(**{name: ""}).startswith(name)


def test_one_alone_switches_nothing_on() -> None:
    assert "REAPER_CALLER_ISSUER must be set" in fault(
        **{**dict.fromkeys(CALLERS), "REAPER_CALLER_AUDIENCE": "backup-reaper"}
    )


def test_the_keys_come_from_one_place(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_bytes(key_set(Key("k")))
    one = "either REAPER_CALLER_JWKS_URL or REAPER_CALLER_JWKS_FILE must be set"

    assert fault(REAPER_CALLER_JWKS_URL=None) == one
    assert fault(REAPER_CALLER_JWKS_FILE=str(path)) == one


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "No such file"),
        (b"<html>", "not JSON"),
        (b'{"keys": []}', "no public key"),
        (b" " * (1 << 18) + b"{}", "larger than"),
    ],
)
def test_a_file_that_cannot_be_used_is_a_fault_at_start(tmp_path: Path, content: bytes | None, why: str) -> None:
    path = tmp_path / "keys.json"
    if content is not None:
        path.write_bytes(content)

    told = fault(REAPER_CALLER_JWKS_URL=None, REAPER_CALLER_JWKS_FILE=str(path))

    assert told.startswith("REAPER_CALLER_JWKS_FILE cannot be used: ")
    assert why.lower() in told.lower()


def test_a_path_that_is_none_is_a_fault_at_start() -> None:
    assert fault(REAPER_CALLER_JWKS_URL=None, REAPER_CALLER_JWKS_FILE="\0").startswith("REAPER_CALLER_JWKS_FILE")


def test_on_functiongraph_the_platform_is_the_caller() -> None:
    told = fault(REAPER_PLATFORM="functiongraph", HW_AUTH_TOKEN=None)

    assert told == (
        "REAPER_CALLER_ISSUER must not be set: with REAPER_PLATFORM=functiongraph the platform is the caller"
    )


def test_the_first_line_says_who_may_deliver() -> None:
    assert Config.from_env(MINIMUM).in_force()["callers"] == "anyone"
    shown = Config.from_env({**MINIMUM, **CALLERS}).in_force()["callers"]
    assert isinstance(shown, dict)
    assert shown["issuer"] == "https://kubernetes.default.svc.cluster.local"


def test_the_planner_has_them_too(tmp_path: Path) -> None:
    policy = {"REAPER_POLICY_FILE": str(ROOT / "examples" / "retention.toml")}

    config, _ = PlannerSettings.from_env({**MINIMUM, **CALLERS, **policy})

    assert config.callers


@pytest.mark.parametrize(("callers", "imported"), [({}, False), (CALLERS, True)], ids=["anyone", "checked"])
def test_nothing_is_imported_for_it_unless_it_is_configured(callers: dict[str, str], imported: bool) -> None:
    script = (
        "import sys; from function import main; "
        "print(*sorted({'jwt', 'cryptography', 'function.callers', 'function.caller_keys', 'function.caller_settings'}"
        " & sys.modules.keys()))"
    )
    env = {**MINIMUM, **callers}
    run = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=env, capture_output=True, text=True, check=True)

    assert bool(run.stdout.splitlines()[-1].strip()) == imported
