"""The planner's settings: the policy file and the others, all faults in one message."""

from pathlib import Path

import pytest

from function.errors import ConfigError
from function.planner_settings import PlannerSettings
from tests.facts.account import PROJECT

POLICY = f'version = 1\n[policy.a]\nprojects = ["{PROJECT}"]\ninstances = ["*"]\nkeep_last = 1\n'
ENV = {"HW_REGION_NAME": "cn-north-4", "HW_AUTH_TOKEN": "token-of-a-test"}


def test_a_policy_file_is_enough(tmp_path: Path) -> None:
    file = tmp_path / "retention.toml"
    file.write_text(POLICY)

    _, settings = PlannerSettings.from_env({**ENV, "REAPER_POLICY_FILE": str(file)})

    assert (settings.mode, settings.deadline_seconds, settings.source) == ("report", 300.0, "/backup-reaper/planner")
    assert settings.in_force()["policies"] == ["a"]


def test_other_types_of_ticks_can_be_accepted(tmp_path: Path) -> None:
    file = tmp_path / "retention.toml"
    file.write_text(POLICY)

    env = {**ENV, "REAPER_POLICY_FILE": str(file), "REAPER_ACCEPTED_TICK_TYPES": "com.example.a, com.example.b"}

    assert PlannerSettings.from_env(env)[1].tick_types == {"com.example.a", "com.example.b"}


@pytest.mark.parametrize(
    ("env", "fault"),
    [
        ({}, "REAPER_POLICY_FILE must be set"),
        ({"REAPER_POLICY_FILE": "/nowhere"}, "REAPER_POLICY_FILE /nowhere cannot be read: No such file or directory"),
        ({"REAPER_POLICY_FILE": "a\0b"}, "cannot be read: is no path"),
        ({"REAPER_PLANNER_MODE": "publish"}, "REAPER_PLANNER_MODE=publish needs K_SINK"),
        ({"REAPER_PLAN_DEADLINE_SECONDS": "40"}, "must be more than twice REAPER_DEADLINE_SECONDS"),
        (
            {"REAPER_ACCEPTED_TICK_TYPES": "dev.backup-reaper.backup.expired.v1"},
            "REAPER_ACCEPTED_TICK_TYPES must not name a type of our own events",
        ),
        ({"REAPER_PLANNER_MODE": "delete"}, "REAPER_PLANNER_MODE must be report, publish or sweep"),
    ],
    ids=str,
)
def test_what_is_wrong_is_told(env: dict[str, str], fault: str) -> None:
    with pytest.raises(ConfigError) as raised:
        PlannerSettings.from_env({**ENV, **env})

    assert fault in str(raised.value)


def test_what_is_wrong_in_the_file_is_told_with_its_name(tmp_path: Path) -> None:
    file = tmp_path / "retention.toml"
    file.write_text(POLICY.replace("keep_last = 1", "keep_last = 0"))

    with pytest.raises(ConfigError, match=f"REAPER_POLICY_FILE {file}: policy.a.keep_last"):
        PlannerSettings.from_env({**ENV, "REAPER_POLICY_FILE": str(file)})


def test_a_region_without_a_known_iam_needs_its_address() -> None:
    user = {"HW_USER_NAME": "u", "HW_USER_PASSWORD": "pass word", "HW_DOMAIN_NAME": "d"}
    env = {"HW_REGION_NAME": "nowhere-1", "REAPER_API_ENDPOINT": "https://a", "REAPER_ALLOWED_PROJECT_IDS": PROJECT}

    with pytest.raises(ConfigError, match="HW_REGION_NAME must be a known region, or HW_AUTH_URL must be set"):
        PlannerSettings.from_env({**user, **env})
