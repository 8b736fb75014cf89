"""The Dockerfile is clean, and makes an image of the function alone; integration/test_deployment.py carries it out."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from simulator.processes import ROOT
from tests.doubles.container import STAGES, Instruction, context, ignored
from tests.facts.manifest import CONTAINER

HEAD, BUILD, FINAL = STAGES


def values(stage: list[Instruction], keyword: str) -> list[str]:
    return [value for word, value in stage if word == keyword]


def test_the_linter_finds_nothing() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")

    linted = subprocess.run([hadolint, "--no-color", "Dockerfile"], cwd=ROOT, capture_output=True, text=True)

    assert (linted.returncode, linted.stdout, linted.stderr) == (0, "", "")


def test_the_base_is_an_argument_and_the_same_in_both_stages() -> None:
    # The virtual environment of the first stage links to the Python of the second.
    assert [value.partition("=")[0] for value in values(HEAD, "ARG")] == ["BASE"]
    assert values(BUILD, "FROM") == ["${BASE} AS build"]
    assert values(FINAL, "FROM") == ["${BASE}"]


def test_the_default_base_is_a_python_that_ci_tests() -> None:
    [base] = [value for value in values(HEAD, "ARG") if value.startswith("BASE=")]
    listed = re.search(r"for minor in ([0-9 ]+);", (ROOT / ".ci" / "run").read_text())

    assert listed
    assert re.fullmatch(r"BASE=python:3\.(\d+)-slim", base)[1] in listed[1].split()  # type: ignore[index]


def test_only_what_is_locked_with_its_hash_is_installed() -> None:
    [install] = [value for value in values(BUILD, "RUN") if " install " in value]

    assert {"--require-hashes", "--only-binary", ":all:"} <= set(install.split())
    assert values(BUILD, "COPY")[0] == "requirements/runtime.txt requirements.txt"


def test_what_is_shipped_is_the_function_and_its_environment_alone() -> None:
    assert values(FINAL, "COPY") == ["--from=build /app/.venv .venv", "--from=build /app/function function"]
    assert values(FINAL, "RUN") == []


def test_it_runs_as_the_user_that_template_yaml_names() -> None:
    # By number: Kubernetes cannot tell whether a name is root's.
    security = CONTAINER["securityContext"]

    assert values(FINAL, "USER") == [f"{security['runAsUser']}:{security['runAsGroup']}"]
    assert security["runAsUser"] >= 1000


def test_sigterm_reaches_the_server_and_not_a_shell() -> None:
    [command] = values(FINAL, "CMD")

    assert json.loads(command) == ["functions-framework", "--source", "function/main.py", "--target", "delete_backup"]
    assert "ENTRYPOINT" not in {word for word, _ in FINAL}


def test_the_engine_is_given_the_function_and_the_locked_dependencies_and_nothing_else() -> None:
    sources = sorted(
        path.relative_to(ROOT) for path in (ROOT / "function").rglob("*") if path.is_file() and path.suffix != ".pyc"
    )

    assert context() == [*sources, Path("requirements/runtime.txt")]


@pytest.mark.parametrize(
    "path", ["function/__pycache__/main.cpython-313.pyc", ".git/config", ".venv/pyvenv.cfg", ".env"]
)
def test_the_engine_is_not_given_what_may_lie_about(path: str) -> None:
    assert ignored(Path(path))
