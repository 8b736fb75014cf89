"""template.yaml is what Kubernetes and Knative accept, agrees with itself, and agrees with the code."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import kubernetes_validate
import pytest
import yaml
from jsonschema import Draft202012Validator

from function.cloud.credentials import KeySettings, TokenSettings, UserSettings
from function.cloud.engines import ENGINES
from function.config import Config
from function.errors import ConfigError
from function.events.contract import EXPIRED, FAILED, RESULT_TYPES
from function.events.planning import PLANNED
from function.planner_settings import PlannerSettings
from function.run import MAX_TICK_AGE
from simulator.processes import ROOT
from tests.doubles.asked import Asked
from tests.doubles.issuer import Key, caller_settings
from tests.doubles.mounted import MountedSecret
from tests.facts.account import PROJECT
from tests.facts.manifest import (
    CONTAINER,
    DELIVERY,
    DOCUMENTS,
    ENV,
    FILL_IN,
    FILLED_IN,
    KEY,
    POD,
    REVISION,
    SECRETS,
    SERVICE,
    TEXT,
    document,
    seconds,
    slots,
)

SCHEMAS: Final = ROOT.parent / "shared" / "schemas" / "knative"
CRDS: Final = {"Service": "serving-service", "Broker": "eventing-broker", "Trigger": "eventing-trigger"}
# Of the KafkaSink there is no CRD here: these are its fields in eventing-kafka-broker's 100-kafka-sink.yaml.
KAFKA_SINK: Final = {
    "type": "object",
    "required": ["spec"],
    "properties": {
        "spec": {
            "type": "object",
            "required": ["topic", "bootstrapServers"],
            "properties": {
                "topic": {"type": "string"},
                "bootstrapServers": {"type": "array", "minItems": 1, "items": {"type": "string"}},
                "numPartitions": {"type": "integer"},
                "replicationFactor": {"type": "integer"},
                "contentMode": {"enum": ["binary", "structured"]},
            },
        }
    },
}
# Nor of the EventType: these are its fields in eventing's config/core/resources/eventtype.yaml.
EVENT_TYPE: Final = {
    "type": "object",
    "required": ["spec"],
    "properties": {
        "spec": {
            "type": "object",
            "required": ["type"],
            "properties": {
                **{name: {"type": "string"} for name in ("type", "source", "schema", "schemaData", "description")},
                "reference": {
                    "type": "object",
                    "required": ["apiVersion", "kind", "name"],
                    "properties": {name: {"type": "string"} for name in ("apiVersion", "kind", "name", "namespace")},
                },
            },
        }
    },
}
EVENT_TYPES: Final = [each for each in DOCUMENTS if each["kind"] == "EventType"]
CALLERS_PAGE: Final = (ROOT / "docs" / "callers.md").read_text()
TRIGGERS: Final = [each for each in DOCUMENTS if each["kind"] == "Trigger"]
# What stands in a comment for those who want it: `# - {name: …, value: …}`.
ALTERNATIVES: Final[dict[str, str]] = {
    each["name"]: each["value"].replace("…", "acme")
    for each in map(yaml.safe_load, re.findall(r"^ *# - (\{name: \w+, value: .*?\})", TEXT, re.MULTILINE))
}
VOLUMES: Final = {each["name"]: each for each in POD["volumes"]}
MOUNTS: Final = {each["name"]: each for each in CONTAINER["volumeMounts"]}


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """The template's environment, filled in, with the Secret's files where this test can have them."""
    MountedSecret(tmp_path / "secret", {**KEY, "password": "correct horse", "token": "demo-token"})
    return {name: at(tmp_path, value) for name, value in {**ENV, **FILLED_IN}.items()}


def at(tmp_path: Path, value: str) -> str:
    return value.replace(SECRETS, str(tmp_path / "secret"))


def names(documents: list[dict[str, Any]]) -> list[str]:
    return [f"{each['kind']} {each['metadata']['name']}" for each in documents]


def closed(schema: Any) -> Any:
    """The schema, every object of which may have the properties it names and no others."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    more = {"additionalProperties": False} if "properties" in schema else {}
    return {name: closed(each) for name, each in schema.items()} | more


def faults(schema: Mapping[str, Any], instance: Mapping[str, Any]) -> list[str]:
    named = {"apiVersion": {}, "kind": {}, "metadata": {"type": "object"}}
    strict = closed({**schema, "properties": {**named, **schema["properties"]}})
    return [f"{error.json_path}: {error.message}" for error in Draft202012Validator(strict).iter_errors(instance)]


def core_faults(instance: Mapping[str, Any]) -> str | None:
    try:
        kubernetes_validate.validate(instance, kubernetes_validate.latest_version(), strict=True)
    except kubernetes_validate.ValidationError as fault:
        return str(fault)
    return None


def references(node: Any) -> Iterator[tuple[str, str]]:
    """Kind and name of every `ref` in a document."""
    if isinstance(node, dict):
        if isinstance(ref := node.get("ref"), dict):
            yield ref["kind"], ref["name"]
        for each in node.values():
            yield from references(each)


class TestForm:
    @pytest.mark.skipif(not SCHEMAS.exists(), reason=f"the CRDs are not at {SCHEMAS}")
    @pytest.mark.parametrize("kind", CRDS)
    def test_knative_s_own_schemas_know_every_field(self, kind: str) -> None:
        crd = yaml.safe_load((SCHEMAS / f"{CRDS[kind]}.yaml").read_text())
        [version] = crd["spec"]["versions"]
        schema = version["schema"]["openAPIV3Schema"]
        if kind == "Trigger":
            # The CRD lets unknown fields through for its sake: the feature delivery-timeout, on by default.
            schema["properties"]["spec"]["properties"]["delivery"]["properties"]["timeout"] = {"type": "string"}

        found = [each for each in DOCUMENTS if each["kind"] == kind]

        assert {each["apiVersion"] for each in found} == {f"{crd['spec']['group']}/{version['name']}"}
        assert [faults(schema, each) for each in found] == [[] for _ in found]

    def test_the_kafka_sink_has_the_fields_that_one_has(self) -> None:
        sink = document("KafkaSink", "backup-reaper-attention")

        assert sink["apiVersion"] == "eventing.knative.dev/v1alpha1"
        assert faults(KAFKA_SINK, sink) == []

    def test_an_event_type_has_the_fields_that_one_has(self) -> None:
        assert {each["apiVersion"] for each in EVENT_TYPES} == {"eventing.knative.dev/v1beta2"}
        assert [faults(EVENT_TYPE, each) for each in EVENT_TYPES] == [[] for _ in EVENT_TYPES]

    def test_kubernetes_knows_every_field_of_the_core_kinds(self) -> None:
        core = [each for each in DOCUMENTS if each["apiVersion"] == "v1"]

        assert names(core) == ["ServiceAccount backup-reaper", "ConfigMap backup-retention"]
        assert [core_faults(each) for each in core] == [None, None]

    def test_kubernetes_knows_every_field_of_the_pod_that_knative_makes_of_it(self) -> None:
        spec = {name: each for name, each in POD.items() if name not in ("containerConcurrency", "timeoutSeconds")}
        probes = {
            name: {**each, "httpGet": {**each["httpGet"], "port": 8080}}
            for name, each in CONTAINER.items()
            if name.endswith("Probe")
        }
        spec["containers"] = [{**CONTAINER, "name": "user-container", **probes}]

        assert core_faults({"apiVersion": "v1", "kind": "Pod", "metadata": {}, "spec": spec}) is None

    @pytest.mark.parametrize("each", [*DOCUMENTS, REVISION], ids=[*names(DOCUMENTS), "revision"])
    def test_metadata_is_metadata(self, each: Mapping[str, Any]) -> None:
        stand_in = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": each.get("metadata")}

        assert core_faults(stand_in) is None

    def test_only_annotations_and_labels_that_are_known_are_used(self) -> None:
        # A misspelt one is refused by nobody.
        used = {
            key
            for each in (*DOCUMENTS, REVISION)
            for group in ("annotations", "labels")
            for key in each["metadata"].get(group, ())
        }

        assert used == {
            "autoscaling.knative.dev/maxScale",
            "eventing.knative.dev/broker.class",
            "networking.knative.dev/visibility",
        }
        assert SERVICE["metadata"]["labels"]["networking.knative.dev/visibility"] == "cluster-local"
        assert document("Broker", "backup-reaper")["metadata"]["annotations"] == {
            "eventing.knative.dev/broker.class": "Kafka"
        }


class TestWhatKnativeRefuses:
    def test_fields_of_the_pod_are_not_used(self) -> None:
        assert not {"securityContext", "terminationGracePeriodSeconds", "initContainers"} & set(POD)
        assert POD["automountServiceAccountToken"] is False
        assert len(POD["containers"]) == 1
        assert POD["timeoutSeconds"] <= 600

    def test_fields_of_the_container_are_not_used(self) -> None:
        assert "lifecycle" not in CONTAINER
        assert [each["name"] for each in CONTAINER["ports"]] == ["http1"]
        assert not {"PORT", "K_SERVICE", "K_REVISION", "K_CONFIGURATION"} & set(ENV)
        assert all(set(each) == {"name", "value"} for each in CONTAINER["env"])  # no fieldRef
        assert len(ENV) == len(CONTAINER["env"])

    def test_kinds_of_volumes_and_mounts_are_not_used(self) -> None:
        assert set(VOLUMES) == set(MOUNTS)
        assert {kind for each in VOLUMES.values() for kind in each if kind != "name"} <= {"secret", "emptyDir"}
        assert all(MOUNTS[name].get("readOnly") for name, each in VOLUMES.items() if "emptyDir" not in each)

    def test_a_readiness_probe_with_numbers_but_no_period_is_not_used(self) -> None:
        probe = CONTAINER["readinessProbe"]

        assert "periodSeconds" in probe or not {"timeoutSeconds", "failureThreshold"} & set(probe)

    @pytest.mark.parametrize("trigger", TRIGGERS, ids=names(TRIGGERS))
    def test_the_field_behind_a_flag_is_not_used(self, trigger: Mapping[str, Any]) -> None:
        assert "retryAfterMax" not in trigger["spec"]["delivery"]


class TestNames:
    @pytest.mark.parametrize("each", DOCUMENTS, ids=names(DOCUMENTS))
    def test_what_is_referred_to_is_there(self, each: Mapping[str, Any]) -> None:
        there = {(other["kind"], other["metadata"]["name"]) for other in DOCUMENTS}

        assert set(references(each)) <= there
        if each["kind"] == "Trigger":
            assert ("Broker", each["spec"]["broker"]) in there

    def test_the_revision_runs_as_the_account_without_a_token(self) -> None:
        account = document("ServiceAccount", POD["serviceAccountName"])

        assert account["automountServiceAccountToken"] is False

    def test_the_commands_at_the_top_create_the_namespace_and_the_secret_it_mounts(self) -> None:
        head = "".join(line for line in TEXT.splitlines() if line.startswith("#"))
        secret = VOLUMES["credentials"]["secret"]["secretName"]
        made = {Path(value).name for name, value in ENV.items() if name.endswith("_FILE")}

        assert f"create secret generic {secret} " in head
        assert set(re.findall(r"--from-file=(\S+?)(?=#|$|\s)", head)) == made == set(KEY)


class TestEvents:
    def test_the_registry_has_every_type_of_ours_that_the_broker_carries_with_its_schema(self) -> None:
        types = {each["spec"]["type"]: each["spec"]["schema"] for each in EVENT_TYPES}
        brokers = {("Broker", each["spec"]["reference"]["name"]) for each in EVENT_TYPES}
        files = {
            each: ROOT / "events" / "schemas" / f"{each.removeprefix('dev.backup-reaper.')}.json" for each in types
        }

        assert set(types) == {EXPIRED, PLANNED, *RESULT_TYPES}
        assert types == {each: f"{json.loads(file.read_text())['$id']}:data" for each, file in files.items()}
        assert brokers == {("Broker", document("Broker", "backup-reaper")["metadata"]["name"])}

    @pytest.mark.parametrize("trigger", TRIGGERS, ids=names(TRIGGERS))
    def test_both_filters_of_a_trigger_say_the_same(self, trigger: Mapping[str, Any]) -> None:
        spec = trigger["spec"]

        assert spec["filters"] == [{"exact": spec["filter"]["attributes"]}]
        assert set(spec["filter"]["attributes"]) == {"type"}

    def test_the_function_is_sent_what_it_accepts_and_never_a_result_of_its_own(self, env: Mapping[str, str]) -> None:
        to_reaper = [each for each in TRIGGERS if each["spec"]["subscriber"]["ref"]["name"] == "backup-reaper"]
        sent = {each["spec"]["filter"]["attributes"]["type"] for each in to_reaper}

        assert sent == {EXPIRED}
        assert sent == Config.from_env(env).accepted_types
        assert not sent & RESULT_TYPES

    def test_somebody_hears_of_failed_deletions(self) -> None:
        [trigger] = [each for each in TRIGGERS if each["spec"]["filter"]["attributes"]["type"] == FAILED]

        assert subscriber(trigger) == "KafkaSink"

    def test_dead_letters_go_where_they_are_kept(self) -> None:
        assert DELIVERY["deadLetterSink"]["ref"]["kind"] == "KafkaSink"


def subscriber(trigger: Mapping[str, Any]) -> str:
    return str(trigger["spec"]["subscriber"]["ref"]["kind"])


class TestTheEnvironment:
    def test_every_name_is_one_that_is_read(self, env: Mapping[str, str]) -> None:
        asked = Asked(env)
        Config.from_env(asked)

        assert set(ENV) <= asked.names

    def test_is_strict_and_keeps_the_last_backup(self, env: Mapping[str, str]) -> None:
        policy = Config.from_env(env).policy

        assert policy.manual_only
        assert policy.keep_last == 1
        assert policy.allowed_projects == frozenset({FILLED_IN["REAPER_ALLOWED_PROJECT_IDS"]})
        assert policy.min_age
        assert policy.max_event_age

    def test_the_credential_is_read_from_the_secret_s_files(self, env: Mapping[str, str]) -> None:
        credential = Config.from_env(env).credential

        assert isinstance(credential, KeySettings)
        assert [secret.read() for secret in credential.secrets] == list(KEY.values())

    def test_the_credentials_in_comments_work_as_well(self, env: dict[str, str], tmp_path: Path) -> None:
        without = {
            name: value for name, value in env.items() if name not in ("HW_ACCESS_KEY_FILE", "HW_SECRET_KEY_FILE")
        }
        token = {name: at(tmp_path, value) for name, value in ALTERNATIVES.items() if name == "HW_AUTH_TOKEN_FILE"}
        user = {name: at(tmp_path, value) for name, value in ALTERNATIVES.items() if re.match("HW_(USER|DOMAIN)", name)}

        assert isinstance(Config.from_env({**without, **token}).credential, TokenSettings)
        assert isinstance(Config.from_env({**without, **user}).credential, UserSettings)
        callers = {name for name in ALTERNATIVES if name.startswith("REAPER_CALLER_")}
        assert set(ALTERNATIVES) == {*token, *user, *callers, "REAPER_DRY_RUN"}
        assert Config.from_env({**env, "REAPER_DRY_RUN": ALTERNATIVES["REAPER_DRY_RUN"]}).policy.dry_run

    def test_callers_are_checked_with_the_block_that_is_commented_out(
        self, env: dict[str, str], tmp_path: Path
    ) -> None:
        lines = r"^( *)# (- \{name: (?:REAPER_CALLER_|caller-keys))"
        documents = list(yaml.safe_load_all(re.sub(lines, r"\1\2", TEXT, flags=re.MULTILINE)))
        service, *_ = [each for each in documents if each["kind"] == "Service"]
        pod = service["spec"]["template"]["spec"]
        block = {each["name"]: each["value"] for each in pod["containers"][0]["env"]}
        callers = {name: value for name, value in block.items() if name.startswith("REAPER_CALLER_")}
        [mount] = [each for each in pod["containers"][0]["volumeMounts"] if each["name"] == "caller-keys"]
        [volume] = [each for each in pod["volumes"] if each["name"] == "caller-keys"]
        [trigger] = [each for each in TRIGGERS if each["metadata"]["name"] == "backup-reaper-expired"]
        path = Path(callers["REAPER_CALLER_JWKS_FILE"])

        settings = Config.from_env({**env, **callers, **caller_settings(tmp_path, Key("k"))}).callers

        assert settings
        assert callers.keys() == caller_settings(tmp_path, Key("k")).keys()
        assert path.parent == Path(mount["mountPath"])
        assert f"create configmap {volume['configMap']['name']} --from-file={path.name}" in CALLERS_PAGE
        assert callers["REAPER_CALLER_AUDIENCE"] == trigger["spec"]["subscriber"]["audience"]
        name = f"{trigger['metadata']['name']}-oidc-eventing.knative.dev-trigger"
        assert callers["REAPER_CALLER_SUBJECTS"] == f"system:serviceaccount:backup-reaper:{name}"
        spec = {"containers": [{"name": "c", "image": "i", "volumeMounts": [mount]}], "volumes": [volume]}
        assert core_faults({"apiVersion": "v1", "kind": "Pod", "metadata": {}, "spec": spec}) is None

    def test_what_is_to_be_filled_in_is_marked(self) -> None:
        assert {name for name, value in ENV.items() if FILL_IN in value} == set(FILLED_IN)

    @pytest.mark.parametrize("name", FILLED_IN)
    def test_a_start_with_something_not_filled_in_ends_with_its_name(self, env: dict[str, str], name: str) -> None:
        with pytest.raises(ConfigError, match=f"^{name} (must|is) [^;]*$"):
            Config.from_env({**env, name: ENV[name]})

    def test_an_image_that_is_not_filled_in_is_no_image(self) -> None:
        # go-containerregistry, which Knative's webhook asks, knows repositories in lower case only.
        repository, _, digest = CONTAINER["image"].partition("@")

        assert FILL_IN in repository
        assert FILL_IN in digest
        assert not re.fullmatch("[a-z0-9_./-]+", repository)

    def test_a_kafka_that_is_not_filled_in_is_no_host(self) -> None:
        assert document("KafkaSink", "backup-reaper-attention")["spec"]["bootstrapServers"] == [f"{FILL_IN}:9092"]


class TestNumbers:
    def test_threads_are_left_for_the_probes(self) -> None:
        assert int(ENV["THREADS"]) == POD["containerConcurrency"] + 2

    def test_at_most_four_deletions_run_at_once(self) -> None:
        assert slots() <= 4

    def test_time_outs_nest(self, env: Mapping[str, str]) -> None:
        assert Config.from_env(env).deadline_seconds < POD["timeoutSeconds"] < seconds(DELIVERY["timeout"])

    def test_the_last_retry_comes_before_the_event_is_too_old(self, env: Mapping[str, str]) -> None:
        oldest = Config.from_env(env).policy.max_event_age
        assert oldest

        assert waits() == 24_600  # "6 h 50 min in all"
        assert waits() + (DELIVERY["retry"] + 1) * seconds(DELIVERY["timeout"]) < oldest.total_seconds()

    def test_kafka_can_wait_as_long(self) -> None:
        # Its dispatcher sets max.poll.interval.ms, an int, to twice all waits and time-outs and 30 s for each retry.
        each = seconds(DELIVERY["timeout"]) + 30

        assert 2 * (waits() + DELIVERY["retry"] * each) * 1000 < 2**31

    def test_probes_ask_for_health(self) -> None:
        probes = [CONTAINER[name] for name in ("readinessProbe", "livenessProbe")]

        assert [probe["httpGet"]["path"] for probe in probes] == ["/health", "/health"]

    def test_memory_and_cpu_are_bounded(self) -> None:
        assert set(CONTAINER["resources"]) == {"requests", "limits"}
        assert all(set(each) == {"cpu", "memory"} for each in CONTAINER["resources"].values())


def waits() -> int:
    """All waits between retries, in seconds."""
    assert DELIVERY["backoffPolicy"] == "linear"
    return sum(seconds(DELIVERY["backoffDelay"]) * number for number in range(1, DELIVERY["retry"] + 1))


def test_the_container_can_do_nothing_but_its_work() -> None:
    context = CONTAINER["securityContext"]

    assert context["runAsNonRoot"]
    assert context["runAsUser"] >= 1000
    assert context["readOnlyRootFilesystem"]
    assert context["allowPrivilegeEscalation"] is False
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}


@pytest.mark.parametrize(
    ("form", "version", "service"), [("policy", "1.1", "gaussdb"), ("identity-policy", "5.0", "gaussdbformysql")]
)
def test_the_policies_allow_what_the_function_asks_for_and_nothing_else(form: str, version: str, service: str) -> None:
    allowed = {}
    for reach in ("delete", "list", "delete-and-list"):
        policy = json.loads((ROOT / "policies" / f"{form}.{reach}.json").read_text())
        [statement] = policy["Statement"]
        assert policy["Version"] == version
        assert statement["Effect"] == "Allow"
        allowed[reach] = statement["Action"]

    assert allowed == {
        "delete": [f"{service}:backup:delete"],
        "list": [f"{service}:backup:list"],
        "delete-and-list": [f"{service}:backup:delete", f"{service}:backup:list"],
    }


# API references, "Permissions and Supported Actions": the identity-based and the role-based form.
ACTIONS: Final = {
    "rds": ["rds:backup:delete", "rds:backup:list", "rds:instance:list"],
    "gaussdb": ["gaussdb:backup:deleteBackup", "gaussdb:backup:listAll"],
    "dds": ["dds:backup:delete", "dds:backup:listAll"],
    "geminidb": ["gaussdbfornosql:instance:deleteBackup", "gaussdbfornosql:backup:list"],
}
ROLE_ACTIONS: Final = {
    "rds": ["rds:backup:delete", "rds:backup:list", "rds:instance:list"],
    "gaussdb": ["gaussdb:backup:delete", "gaussdb:backup:list"],
    "dds": ["dds:backup:delete", "dds:backup:list"],
    "geminidb": ["nosql:backup:delete", "nosql:backup:list"],
}


@pytest.mark.parametrize("engine", sorted(set(ENGINES) - {"taurusdb"}))
@pytest.mark.parametrize(
    ("form", "version", "actions"), [("policy", "1.1", ROLE_ACTIONS), ("identity-policy", "5.0", ACTIONS)]
)
def test_each_engine_has_a_policy_that_allows_to_delete_and_to_list(
    engine: str, form: str, version: str, actions: Mapping[str, list[str]]
) -> None:
    policy = json.loads((ROOT / "policies" / f"{form}.{engine}.delete-and-list.json").read_text())

    assert policy == {"Version": version, "Statement": [{"Effect": "Allow", "Action": actions[engine]}]}


class TestThePlanner:
    SERVICE: Final = document("Service", "backup-planner")
    POD: Final = SERVICE["spec"]["template"]["spec"]
    CONTAINER: Final = POD["containers"][0]
    ENV: Final = {each["name"]: each["value"] for each in CONTAINER["env"]}

    @pytest.fixture
    def in_force(self, tmp_path: Path) -> tuple[Config, PlannerSettings]:
        """What is in force with the template filled in, its files where a test can write."""
        policy = document("ConfigMap", "backup-retention")["data"]["retention.toml"].replace(FILL_IN, PROJECT)
        (tmp_path / "retention.toml").write_text(policy)
        for name, text in KEY.items():
            (tmp_path / name).write_text(text)
        env = {name: FILLED_IN.get(name, value) for name, value in self.ENV.items()}
        files = {name: str(tmp_path / Path(value).name) for name, value in env.items() if name.endswith("_FILE")}
        return PlannerSettings.from_env({**env, **files})

    def test_only_reports_until_somebody_changes_that(self, in_force: tuple[Config, PlannerSettings]) -> None:
        assert in_force[1].mode == "report"

    def test_is_sent_the_ticks_that_it_accepts(self, in_force: tuple[Config, PlannerSettings]) -> None:
        trigger = document("Trigger", "backup-planner-due")["spec"]

        assert trigger["filter"]["attributes"]["type"] in in_force[1].tick_types
        assert document("PingSource", "backup-planner")["spec"]["sink"]["ref"]["kind"] == "Broker"

    def test_has_time_outs_that_nest(self, in_force: tuple[Config, PlannerSettings]) -> None:
        delivery = document("Trigger", "backup-planner-due")["spec"]["delivery"]

        assert in_force[1].deadline_seconds < self.POD["timeoutSeconds"] < seconds(delivery["timeout"])
        pauses = sum(seconds(delivery["backoffDelay"]) * number for number in range(1, delivery["retry"] + 1))
        tries = (delivery["retry"] + 1) * in_force[1].deadline_seconds
        assert pauses + tries < MAX_TICK_AGE.total_seconds()

    def test_runs_one_plan_at_a_time_and_answers_probes_meanwhile(self) -> None:
        assert self.POD["containerConcurrency"] == 1
        assert int(self.ENV["THREADS"]) == 3
        assert self.SERVICE["spec"]["template"]["metadata"]["annotations"]["autoscaling.knative.dev/maxScale"] == "1"

    def test_has_a_credential_of_its_own(self) -> None:
        secrets = {each["secret"]["secretName"] for each in self.POD["volumes"] if "secret" in each}

        assert secrets == {"backup-planner-credentials"}
        assert secrets.isdisjoint({VOLUMES["credentials"]["secret"]["secretName"]})

    def test_can_do_nothing_but_its_work(self) -> None:
        assert self.CONTAINER["securityContext"] == CONTAINER["securityContext"]
        assert self.CONTAINER["command"][-1] == "plan_retention"

    def test_has_its_events_sent_to_the_broker(self) -> None:
        binding = document("SinkBinding", "backup-planner")["spec"]

        assert (binding["subject"]["name"], binding["sink"]["ref"]["name"]) == ("backup-planner", "backup-reaper")
