"""What `make` sets up: enough for the demo and no more, in the Python that was asked for."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from simulator.processes import ROOT


def make(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run make as a person would: not as a part of the make that runs the tests."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE") and name != "PYTHON"}
    return subprocess.run(
        ["make", *map(str, arguments)], cwd=ROOT, env=env, capture_output=True, text=True, timeout=110
    )


@pytest.fixture(scope="module")
def venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that `make demo` has set up."""
    path = tmp_path_factory.mktemp("made") / "venv"
    done = make(f"VENV={path}", f"PYTHON={sys.executable}", "demo")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith(f"Installing the {len(locked())} locked packages that the function needs into ")
    return path


def test_the_demo_needs_no_more_than_the_locked_packages_of_the_function(venv: Path) -> None:
    assert installed(venv) == locked()


def test_an_environment_is_added_to_and_never_set_up_anew(venv: Path) -> None:
    (venv / "of-mine").touch()
    subprocess.run([venv / "bin" / "pip", "uninstall", "--quiet", "--yes", "requests"], check=True)
    (venv / "runtime").unlink()  # what says that the packages are there

    done = make(f"VENV={venv}", f"PYTHON={sys.executable}", "install")

    assert done.returncode == 0, done.stdout + done.stderr
    assert (venv / "of-mine").exists()
    assert installed(venv) == locked()


@pytest.mark.parametrize(
    ("version", "message"),
    [
        ("exit 127", "does not run here. Name another Python: make PYTHON=python3.12"),
        (f'exec {sys.executable} -c "import sys; sys.version_info = (3, 9); $2"', "is Python 3.9; 3.11 is the oldest"),
    ],
)
def test_a_python_that_will_not_do_is_refused_in_one_line(tmp_path: Path, version: str, message: str) -> None:
    python = tmp_path / "python3.99"
    python.write_text(f"#!/bin/sh\n{version}\n")
    python.chmod(0o755)

    done = make(f"PYTHON={python}", f"VENV={tmp_path / 'venv'}", "install")

    assert (done.returncode, done.stdout) == (2, "")
    assert f"{python} {message}" in done.stderr
    assert not (tmp_path / "venv").exists()


def test_a_python_that_is_named_gets_an_environment_of_its_own() -> None:
    assert ".venv-python3.99/bin/pytest" in make("--dry-run", "PYTHON=python3.99", "quick").stdout
    assert ".venv/bin/pytest" in make("--dry-run", "quick").stdout


def locked() -> set[str]:
    return set(re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements" / "runtime.txt").read_text(), re.MULTILINE))


def installed(venv: Path) -> set[str]:
    listed = subprocess.run(
        [venv / "bin" / "python", "-m", "pip", "list", "--format=freeze"], capture_output=True, text=True, check=True
    ).stdout
    return {line.partition("==")[0].lower().replace("_", "-") for line in listed.splitlines()} - {"pip", "setuptools"}
