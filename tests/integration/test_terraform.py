"""deploy/functiongraph is what Terraform and the provider accept, agrees with itself, and agrees with the code."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from function.config import Config
from function.events.contract import EXPIRED
from function.events.eventgrid import ENDPOINTS
from function.planner_settings import PlannerSettings
from simulator.processes import ROOT
from tests.doubles.container import read_dockerfile
from tests.facts.account import PROJECT
from tests.terraform.harness import MODULE, Terraform, why_not

FILLED_IN: Final[dict[str, Any]] = {
    "region": "cn-north-4",
    "image": "swr.cn-north-4.myhuaweicloud.com/acme/backup-reaper:7",
    "projects": {"cn-north-4": PROJECT},
    "alert_email": "dba@example.com",
}
ENGINES: Final = ["taurusdb", "rds", "gaussdb", "dds", "geminidb"]
PROJECTS: Final = {f"cn-north-4_{number}": f"{PROJECT[:30]}{number:02}" for number in range(30)}
FILES: Final = {path.name: path.read_text() for path in MODULE.iterdir() if path.is_file()}
FUNCTION: Final = "huaweicloud_fgs_function"
installed = pytest.mark.skipif(bool(why_not()), reason=why_not() or "")


def actions(state: dict[str, Any], role: str) -> set[str]:
    """The actions that a role allows."""
    [statement] = json.loads(state[f"huaweicloud_identity_role.{role}"]["policy"])["Statement"]
    assert statement["Effect"] == "Allow"
    return set(statement["Action"])


def functions(state: dict[str, Any]) -> list[dict[str, Any]]:
    return [values for address, values in state.items() if address.startswith(f"{FUNCTION}.")]


def environment(function: dict[str, Any]) -> dict[str, str]:
    variables: dict[str, str] = json.loads(function["user_data"])
    return variables


def applied(scratch: Path, **variables: Any) -> dict[str, Any]:
    terraform = Terraform(scratch, {**FILLED_IN, **variables})
    ran = terraform.run("apply", "-auto-approve", "-no-color")
    assert ran.code == 0, ran.output
    return terraform.state()


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the small deployment makes, switched on."""
    return applied(tmp_path_factory.mktemp("small"), delete_backups=True)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the large deployment makes, switched on."""
    return applied(tmp_path_factory.mktemp("large"), deployment="large", delete_backups=True)


@pytest.fixture(scope="module")
def small_off(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the small deployment makes for every engine, not switched on."""
    return applied(tmp_path_factory.mktemp("small_off"), engines=ENGINES)


@pytest.fixture(scope="module")
def large_off(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the large deployment makes for every engine and as many projects as there may be, not switched on."""
    return applied(tmp_path_factory.mktemp("large_off"), deployment="large", engines=ENGINES, projects=PROJECTS)


@pytest.fixture(scope="module", params=["small", "large"])
def either(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What a deployment makes, switched on."""
    made: dict[str, Any] = request.getfixturevalue(request.param)
    return made


@installed
class TestTerraform:
    def test_the_module_is_valid(self, tmp_path: Path) -> None:
        assert Terraform(tmp_path, FILLED_IN).run("validate", "-no-color").code == 0

    def test_the_files_have_terraform_s_own_form(self, tmp_path: Path) -> None:
        ran = Terraform(tmp_path, FILLED_IN).run("fmt", "-check", "-diff")

        assert (ran.code, ran.output) == (0, "")

    def test_a_wrong_argument_is_refused_with_its_line(self, tmp_path: Path) -> None:
        terraform = Terraform(tmp_path, FILLED_IN)
        main = terraform.module / "main.tf"
        main.write_text(main.read_text().replace("enable_auth_in_header", "enable_auth_in_heder"))
        line = next(number for number, text in enumerate(main.read_text().splitlines(), 1) if "in_heder" in text)

        ran = terraform.run("validate", "-no-color")

        assert ran.code == 1
        assert "Unsupported argument" in ran.output
        assert f"on main.tf line {line}" in ran.output

    def test_an_argument_that_is_missing_is_refused(self, tmp_path: Path) -> None:
        terraform = Terraform(tmp_path, FILLED_IN)
        main = terraform.module / "main.tf"
        main.write_text(re.sub(r"\n *handler .*", "", main.read_text()))

        ran = terraform.run("validate", "-no-color")

        assert ran.code == 1
        assert 'The argument "handler" is required' in ran.output

    @pytest.mark.parametrize("deployment", ["small", "large"])
    def test_a_second_apply_changes_nothing_and_destroy_leaves_nothing(self, tmp_path: Path, deployment: str) -> None:
        terraform = Terraform(tmp_path, {**FILLED_IN, "deployment": deployment})
        made = terraform.run("apply", "-auto-approve")
        again = terraform.run("plan", "-detailed-exitcode")
        destroyed = terraform.run("destroy", "-auto-approve")

        assert [made.code, again.code, destroyed.code] == [0, 0, 0]  # 2: there are changes
        assert "destroyed." in destroyed.output
        assert terraform.run("state", "list").output == ""

    def test_the_small_deployment_can_be_made_a_large_one_without_replacing_anything(self, tmp_path: Path) -> None:
        terraform = Terraform(tmp_path, FILLED_IN)
        assert terraform.run("apply", "-auto-approve").code == 0

        ran = terraform.run("plan", "-no-color", "-var=deployment=large")

        assert re.search(r"Plan: \d+ to add, \d+ to change, 0 to destroy", ran.output)

    def test_the_example_of_the_variables_can_be_used_as_it_is(self, tmp_path: Path) -> None:
        terraform = Terraform(tmp_path, {})
        (terraform.module / "terraform.tfvars").write_text(FILES["terraform.tfvars.example"])

        ran = terraform.run("plan", "-no-color")

        assert ran.code == 0, ran.output
        assert "undeclared" not in ran.output

    def test_what_the_example_has_in_comments_can_be_used_too(self, tmp_path: Path) -> None:
        terraform = Terraform(tmp_path, {})
        uncommented = re.sub(r"^# (\w+ +=)", r"\1", FILES["terraform.tfvars.example"], flags=re.MULTILINE)
        (terraform.module / "terraform.tfvars").write_text(uncommented)

        ran = terraform.run("plan", "-no-color")

        assert ran.code == 0, ran.output
        assert "undeclared" not in ran.output


# In rounds, as Terraform names every variable that is wrong at once.
WRONG: Final[list[dict[str, Any]]] = [
    {
        "region": "Beijing",
        "name": "Backup Reaper",
        "image": "backup-reaper:7",
        "projects": {},
        "engines": [],
        "schedule": "0 2 * * *",  # as Unix writes it: here it would run every hour
        "min_age_days": 0,
        "keep_last": 0,
        "retries": 4,
        "alert_email": "dba",
        "memory_mb": 100,
        "log_days": 0,
    },
    {
        "region": "cn-north",
        "name": "a" * 41,
        "image": "swr.cn-north-4.myhuaweicloud.com/acme/backup-reaper",
        "projects": {**PROJECTS, "cn-north-4_30": PROJECT},
        "engines": ["taurusdb", "mysql"],
        "schedule": "3m",
        "min_age_days": 1.5,
        "keep_last": 2.5,
        "retries": -1,
        "log_days": 366,
    },
    {
        "deployment": "medium",
        "image": "swr.cn-north-4.myhuaweicloud.com/acme/backup-reaper:latest",
        "projects": {"cn-north-4": "cn-north-4"},
        "retries": 0.5,
        "log_days": 1.5,
    },
]


@installed
class TestValidation:
    @pytest.mark.parametrize("values", WRONG, ids=["first", "second", "third"])
    def test_refuses_what_the_cloud_would_refuse_later(self, tmp_path: Path, values: dict[str, Any]) -> None:
        ran = Terraform(tmp_path, {**FILLED_IN, **values}).run("plan", "-no-color")

        assert ran.code == 1
        assert sorted(re.findall(r"^(\w+) must ", ran.output, re.MULTILINE)) == sorted(values)
        assert ran.output.count("Error: ") == ran.output.count("validation rule at variables.tf:") == len(values)

    def test_refuses_the_large_deployment_where_there_is_no_eventgrid(self, tmp_path: Path) -> None:
        terraform = Terraform(tmp_path, {**FILLED_IN, "region": "af-south-1"})

        assert terraform.run("plan").code == 0
        assert "it has no EventGrid" in terraform.run("plan", "-no-color", "-var=deployment=large").output

    @pytest.mark.parametrize("schedule", ["0 30 */6 * * MON-FRI", "@every 1h30m", "CRON_TZ=Asia/Shanghai 0 0 2 ? * *"])
    def test_takes_the_forms_of_a_schedule_that_functiongraph_has(self, tmp_path: Path, schedule: str) -> None:
        assert Terraform(tmp_path, {**FILLED_IN, "schedule": schedule}).run("plan").code == 0


def test_every_validation_has_a_value_that_it_refuses() -> None:
    rules = re.findall(r'error_message = "(\w+) must', FILES["variables.tf"])

    assert len(rules) == FILES["variables.tf"].count("validation {")
    assert set(rules) == {variable for values in WRONG for variable in values}
    # Two rules for one variable: the second of `deployment` has a test of its own, the two of `projects` three values.
    assert sorted({rule for rule in rules if rules.count(rule) > 1}) == ["deployment", "projects"]


def test_every_variable_and_every_output_is_described() -> None:
    blocks = re.findall(
        r'^(?:variable|output) "\w+" \{\n(.*)', FILES["variables.tf"] + FILES["outputs.tf"], re.MULTILINE
    )

    assert len(blocks) > 15
    assert [line for line in blocks if not re.fullmatch(r'  description = ".{20,}"', line)] == []


@installed
class TestFunctions:
    def test_the_small_deployment_is_one_function_and_one_timer(self, small: dict[str, Any]) -> None:
        kinds = [address.split(".")[0] for address in small]

        assert kinds.count(FUNCTION) == 1
        assert not [kind for kind in kinds if kind.startswith("huaweicloud_eg_")]

    def test_a_run_gets_the_keys_of_an_agency_that_only_touches_backups(self, either: dict[str, Any]) -> None:
        for function in functions(either):
            assert function["enable_auth_in_header"] is True
            assert function["app_agency"] != function["agency"]
            execution = next(
                each
                for each in either.values()
                if "delegated_domain_name" in each and each["name"] == function["app_agency"]
            )
            assert execution["delegated_domain_name"] == "op_svc_cff"
            roles = {role for grant in execution["project_role"] for role in grant["roles"]}
            assert roles == {function["app_agency"]}  # its own role, and none of the cloud's

    def test_no_secret_is_configured(self, either: dict[str, Any]) -> None:
        for function in functions(either):
            assert function["encrypted_user_data"] is None
            assert not [name for name in environment(function) if re.search("KEY|TOKEN|PASSWORD|SECRET", name)]

    def test_the_server_is_started_with_paths_that_are_in_the_image(self, either: dict[str, Any]) -> None:
        workdirs = [
            value
            for stage in read_dockerfile((ROOT / "Dockerfile").read_text())
            for word, value in stage
            if word == "WORKDIR"
        ]
        for function in functions(either):
            [image] = function["custom_image"]
            source = image["args"].split(",")[1]
            assert image["command"] == f"{workdirs[-1]}/.venv/bin/functions-framework"
            assert source in (f"{workdirs[-1]}/function/main.py", f"{workdirs[-1]}/function/planner.py")

    def test_the_variables_fit_into_what_functiongraph_allows(self, large_off: dict[str, Any]) -> None:
        for function in functions(large_off):
            assert len(environment(function)) <= 20
            assert len(function["user_data"]) <= 2048

    @pytest.mark.parametrize("deployment", ["small", "large", "small_off", "large_off"])
    def test_the_functions_start_with_their_variables(
        self, request: pytest.FixtureRequest, tmp_path: Path, deployment: str
    ) -> None:
        policy = tmp_path / "policy.toml"
        example = (ROOT / "examples" / "retention.toml").read_text()
        made = request.getfixturevalue(deployment)
        for function in functions(made):
            env = {**environment(function), "REAPER_POLICY_FILE": str(policy)}
            allowed = env["REAPER_ALLOWED_PROJECT_IDS"].split(",")
            policy.write_text(example.replace(PROJECT, allowed[0]))
            config, settings = PlannerSettings.from_env(env)

            assert config == Config.from_env(env)  # one environment serves both
            assert config.platform == "functiongraph"
            assert settings.mode == env["REAPER_PLANNER_MODE"]
            assert (config.sink is not None) is deployment.startswith("large")

    def test_the_function_ends_before_the_platform_ends_it(self, large: dict[str, Any]) -> None:
        planner, reaper = large[f"{FUNCTION}.planner"], large[f"{FUNCTION}.reaper[0]"]

        assert int(environment(planner)["REAPER_PLAN_DEADLINE_SECONDS"]) < planner["timeout"]
        assert reaper["timeout"] > 20
        assert (planner["concurrency_num"], planner["max_instance_num"]) == (1, "1")

    @pytest.mark.parametrize(
        ("deployment", "mode"),
        [("small_off", "report"), ("large_off", "report"), ("small", "sweep"), ("large", "publish")],
    )
    def test_the_mode_follows_from_two_switches(
        self, request: pytest.FixtureRequest, deployment: str, mode: str
    ) -> None:
        made = request.getfixturevalue(deployment)

        assert environment(made[f"{FUNCTION}.planner"])["REAPER_PLANNER_MODE"] == mode

    def test_a_run_that_failed_for_good_is_told_to_a_person(self, either: dict[str, Any]) -> None:
        topic = either["huaweicloud_smn_topic.failed"]["topic_urn"]
        settings = {each["function_urn"]: each for each in either.values() if "max_async_retry_attempts" in each}

        assert either["huaweicloud_smn_subscription.failed"]["topic_urn"] == topic
        for function in functions(either):
            [destination] = settings[function["urn"]]["on_failure"]
            assert destination["destination"] == "SMN"
            assert json.loads(destination["param"]) == {"topic_urn": topic}
        assert "smn:topic:publish" in actions(either, "platform")

    def test_each_function_logs_into_a_stream_of_the_group(self, either: dict[str, Any]) -> None:
        group = either["huaweicloud_lts_group.log"]["id"]
        streams = {each["id"]: each["group_id"] for each in either.values() if "stream_name" in each}

        assert {function["log_group_id"] for function in functions(either)} == {group}
        assert {streams[function["log_stream_id"]] for function in functions(either)} == {group}


@installed
class TestPermissions:
    def test_the_small_deployment_may_do_what_the_policy_of_the_readme_allows(self, small: dict[str, Any]) -> None:
        [statement] = json.loads((ROOT / "policies" / "policy.delete-and-list.json").read_text())["Statement"]

        assert actions(small, "planner") == set(statement["Action"])

    def test_of_the_large_deployment_only_the_reaper_may_delete(self, large: dict[str, Any]) -> None:
        assert actions(large, "planner") == {"gaussdb:backup:list", "eg:channels:putEvents"}
        assert actions(large, "reaper[0]") == {"gaussdb:backup:list", "gaussdb:backup:delete", "eg:channels:putEvents"}

    @pytest.mark.parametrize("deployment", ["small_off", "large_off"])
    def test_until_deletion_is_switched_on_nothing_may_delete(
        self, request: pytest.FixtureRequest, deployment: str
    ) -> None:
        made = request.getfixturevalue(deployment)
        roles = [address.split(".", 1)[1] for address in made if address.startswith("huaweicloud_identity_role.")]

        allowed = {action for role in roles for action in actions(made, role)}

        assert {"gaussdb:backup:list", "rds:instance:list", "dds:backup:list", "nosql:backup:list"} < allowed
        assert [action for action in allowed if "delete" in action.lower()] == []

    def test_they_follow_from_the_engines_and_hold_in_each_project(self, tmp_path: Path) -> None:
        projects = {"cn-north-4": PROJECT, "cn-north-4_test": PROJECT[::-1]}
        made = applied(tmp_path, projects=projects, engines=["rds", "geminidb"], delete_backups=True)
        variables = environment(made[f"{FUNCTION}.planner"])
        granted = {grant["project"] for grant in made["huaweicloud_identity_agency.planner"]["project_role"]}

        assert actions(made, "planner") == {
            "rds:backup:list", "rds:instance:list", "rds:backup:delete", "nosql:backup:list", "nosql:backup:delete",
        }  # fmt: skip
        assert variables["REAPER_ENGINES"] == "geminidb,rds"
        assert granted == set(projects)
        assert sorted(variables["REAPER_ALLOWED_PROJECT_IDS"].split(",")) == sorted(projects.values())

    def test_eventgrid_may_call_the_reaper_and_nothing_else(self, large: dict[str, Any]) -> None:
        [statement] = json.loads(large["huaweicloud_identity_role.eventgrid[0]"]["policy"])["Statement"]
        agency = large["huaweicloud_identity_agency.eventgrid[0]"]

        assert statement["Action"] == ["functiongraph:function:invokeAsync"]
        assert statement["Resource"] == ["FunctionGraph:*:*:function:default/backup-reaper-reaper"]
        assert large[f"{FUNCTION}.reaper[0]"]["name"] == "backup-reaper-reaper"
        assert agency["delegated_domain_name"] == "op_svc_EG"


@installed
class TestEventGrid:
    def test_the_reaper_is_called_for_expired_backups_and_never_for_a_result(self, large: dict[str, Any]) -> None:
        subscription = large["huaweicloud_eg_event_subscription.expired[0]"]
        [source], [target] = subscription["sources"], subscription["targets"]
        rule = json.loads(source["filter_rule"])
        planner, reaper = large[f"{FUNCTION}.planner"], large[f"{FUNCTION}.reaper[0]"]

        assert rule["type"] == [{"op": "StringIn", "values": [EXPIRED]}]
        assert rule["source"][0]["values"] == [environment(planner)["REAPER_EVENTGRID_SOURCE"]] == [source["name"]]
        assert environment(reaper)["REAPER_EVENTGRID_SOURCE"] not in rule["source"][0]["values"]
        assert json.loads(target["transform"])["type"] == "ORIGINAL"
        assert json.loads(target["detail"]) == {
            "urn": reaper["urn"],
            "invoke_type": "ASYNC",
            "agency_name": large["huaweicloud_identity_agency.eventgrid[0]"]["name"],
        }

    def test_both_publish_to_the_channel_with_a_source_that_it_has(self, large: dict[str, Any]) -> None:
        channel = large["huaweicloud_eg_custom_event_channel.events[0]"]["id"]
        sources = {
            values["name"]
            for address, values in large.items()
            if address.startswith("huaweicloud_eg_custom_event_source.") and values["channel_id"] == channel
        }

        for function in functions(large):
            assert environment(function)["REAPER_EVENTGRID_CHANNEL_ID"] == channel
            assert environment(function)["REAPER_EVENTGRID_SOURCE"] in sources

    def test_the_regions_are_those_of_the_code(self) -> None:
        [listed] = re.findall(r"eventgrid_regions = \[(.*?)\]", FILES["main.tf"], re.DOTALL)

        assert set(re.findall(r'"(.*?)"', listed)) == set(ENDPOINTS)

    def test_the_limits_of_eventgrid_s_fields_are_kept(self, large: dict[str, Any]) -> None:
        subscription = large["huaweicloud_eg_event_subscription.expired[0]"]
        [source], [target] = subscription["sources"], subscription["targets"]

        assert len(source["filter_rule"]) <= 2048
        assert len(target["detail"]) <= 1024


class TestImage:
    def test_the_linter_finds_nothing(self) -> None:
        hadolint = Path(sys.executable).with_name("hadolint")

        linted = subprocess.run([hadolint, "--no-color", MODULE / "Dockerfile"], capture_output=True, text=True)

        assert (linted.returncode, linted.stdout, linted.stderr) == (0, "", "")

    def test_the_policy_is_where_the_functions_read_it_and_they_may(self) -> None:
        [copied] = [value for stage in read_dockerfile(FILES["Dockerfile"]) for word, value in stage if word == "COPY"]
        [named] = re.findall(r'REAPER_POLICY_FILE += "(.*)"', FILES["main.tf"])

        assert copied == f"--chmod=0444 policy.toml {named}"


class TestReadme:
    def test_names_what_there_is(self) -> None:
        variables = re.findall(r'^variable "(\w+)"', FILES["variables.tf"], re.MULTILINE)
        assigned = set(re.findall(r"`([a-z_]+) = ", FILES["README.md"]))

        assert assigned == {"deployment", "delete_backups", "paused"}
        assert assigned < set(variables)

    def test_says_where_each_value_that_must_be_given_comes_from(self) -> None:
        blocks = re.findall(r'^variable "(\w+)" \{\n(.*?)^\}', FILES["variables.tf"], re.MULTILINE | re.DOTALL)
        mandatory = [name for name, block in blocks if not re.search("^  default ", block, re.MULTILINE)]

        assert sorted(mandatory) == sorted(name for name in FILLED_IN)
        assert [name for name in mandatory if f"`{name}`" not in FILES["README.md"]] == []

    def test_the_files_that_it_names_are_there(self) -> None:
        named = re.findall(r"(?:cp|Copy) `?(\S+?)`? (?:to )?`?(?:policy.toml|terraform.tfvars)", FILES["README.md"])

        assert named == ["../../examples/retention.toml", "terraform.tfvars.example"]
        assert [name for name in named if not (MODULE / name).is_file()] == []

    def test_names_the_agencies_that_are_made(self) -> None:
        made = re.findall(r'^resource "huaweicloud_identity_agency" "(\w+)"', "\n".join(FILES.values()), re.MULTILINE)

        assert sorted(re.findall(r"^\| `…-(\w+)`", FILES["README.md"], re.MULTILINE)) == sorted(made)
