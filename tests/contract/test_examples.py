"""The examples work: the policy is read, and what the schedules run is a command with settings that are read."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import kubernetes_validate
import yaml

from function.__main__ import make_parser
from function.cloud.engines import ENGINES
from function.planner_settings import PlannerSettings
from function.retention.policy import read_policy_file
from simulator.processes import ROOT
from tests.facts.account import PROJECT
from tests.facts.manifest import FILL_IN, KEY

EXAMPLES: Final = ROOT / "examples"
CRON_JOB: Final[Mapping[str, Any]] = yaml.safe_load((EXAMPLES / "cronjob.yaml").read_text())
POD: Final = CRON_JOB["spec"]["jobTemplate"]["spec"]["template"]["spec"]


def test_the_policy_is_the_rule_that_it_says() -> None:
    file = read_policy_file((EXAMPLES / "retention.toml").read_bytes(), engines=ENGINES)

    (policy,) = file.policies
    assert (policy.rules.last, dict(policy.rules.periods)) == (1, {"monthly": 12})
    assert policy.instances == ("*",)


def test_the_cron_job_is_one_that_kubernetes_knows() -> None:
    kubernetes_validate.validate(dict(CRON_JOB), "1.31", strict=True)


def test_the_cron_job_sweeps_with_settings_that_are_read(tmp_path: Path) -> None:
    (container,) = POD["containers"]
    (tmp_path / "retention.toml").write_bytes((EXAMPLES / "retention.toml").read_bytes())
    for name, text in KEY.items():
        (tmp_path / name).write_text(text)
    filled = {"HW_REGION_NAME": "cn-north-4", "REAPER_ALLOWED_PROJECT_IDS": PROJECT}
    env = {each["name"]: each["value"] for each in container["env"]}
    assert {name for name, value in env.items() if FILL_IN in value} == set(filled)
    files = {name: str(tmp_path / Path(value).name) for name, value in env.items() if name.endswith("_FILE")}

    config, _ = PlannerSettings.from_env({**env, **filled, **files})

    assert (config.policy.manual_only, config.policy.keep_last) == (True, 1)
    assert container["command"][:3] == ["python", "-m", "function"]
    assert make_parser().parse_args(container["command"][3:]).confirm is True


def test_the_crontab_runs_a_sweep() -> None:
    lines = [line for line in (EXAMPLES / "crontab").read_text().splitlines() if not line.startswith("#")]

    (line,) = lines
    arguments = line.split(" python -m function ")[1].split()
    assert make_parser().parse_args(arguments).confirm is True
