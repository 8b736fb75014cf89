"""template.yaml as data, and what a cluster's operator and Kubernetes add to it."""

import re
from typing import Any, Final

import yaml

from simulator.processes import ROOT
from tests.facts.account import PROJECT

TEXT: Final = (ROOT / "template.yaml").read_text()
DOCUMENTS: Final[list[dict[str, Any]]] = list(yaml.safe_load_all(TEXT))
FILL_IN: Final = "FILL-IN"


def document(kind: str, name: str) -> dict[str, Any]:
    [found] = [each for each in DOCUMENTS if each["kind"] == kind and each["metadata"]["name"] == name]
    return found


SERVICE: Final = document("Service", "backup-reaper")
REVISION: Final = SERVICE["spec"]["template"]
POD: Final = REVISION["spec"]
CONTAINER: Final = POD["containers"][0]
ENV: Final[dict[str, str]] = {each["name"]: each["value"] for each in CONTAINER["env"]}
DELIVERY: Final = document("Trigger", "backup-reaper-expired")["spec"]["delivery"]
SECRETS: Final = next(each["mountPath"] for each in CONTAINER["volumeMounts"] if each["name"] == "credentials")

# What the operator fills in, and the key the Secret is made of: the simulator's.
FILLED_IN: Final = {
    "HW_REGION_NAME": "cn-north-4",
    "REAPER_ALLOWED_PROJECT_IDS": PROJECT,
    "REAPER_MIN_AGE_DAYS": "180",
}
# What Knative and Kubernetes add to the environment, the port excepted.
ADDED: Final = {
    "K_SERVICE": "backup-reaper",
    "K_CONFIGURATION": "backup-reaper",
    "K_REVISION": "backup-reaper-00001",
    "HOSTNAME": "backup-reaper-00001-deployment-5d8f7c9b6-x2x4z",
    "KUBERNETES_SERVICE_HOST": "10.247.0.1",
    "KUBERNETES_SERVICE_PORT": "443",
}
KEY: Final = {"access-key": "DEMOACCESSKEY0000001", "secret-key": "demo-secret-key-of-no-worth-0000000000001"}


def slots() -> int:
    """How many deliveries one revision runs at once, at most."""
    return int(REVISION["metadata"]["annotations"]["autoscaling.knative.dev/maxScale"]) * int(
        POD["containerConcurrency"]
    )


def seconds(duration: str) -> int:
    """An ISO 8601 duration of seconds alone."""
    matched = re.fullmatch(r"PT([0-9]+)S", duration)
    assert matched, duration
    return int(matched[1])
