"""A start that fails: one message, exit 1, no traceback."""

import os
import subprocess
import sys
from typing import Final

from simulator.processes import FOREIGN, ROOT
from tests.conftest import MEASURED

START: Final = 'import functions_framework; functions_framework.create_app("delete_backup", "function/main.py", "http")'


def clean() -> dict[str, str]:
    """The environment of the tests, without settings of the function."""
    return {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}


def test_certificates_that_cannot_be_read_stop_the_start_with_one_message() -> None:
    env = {"REAPER_API_ENDPOINT": "https://localhost:1", "HW_AUTH_TOKEN": "t0ken", "REQUESTS_CA_BUNDLE": __file__}
    run = subprocess.run(
        [sys.executable, "-c", START],
        cwd=ROOT,
        env=clean() | env | MEASURED,
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 1
    assert run.stderr == "backup-reaper cannot start: REQUESTS_CA_BUNDLE holds no certificates that can be read\n"
