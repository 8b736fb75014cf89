"""A bug: 500 with a fixed text, and a log that has its frames and nothing it failed on."""

import json
import os
import subprocess
import sys
from typing import Final

from simulator.processes import FOREIGN, ROOT

# Nobody can order a bug over HTTP. A server that breaks WSGI's promise is one: PEP 3333 has header values be strings.
BROKEN_SERVER: Final = """
import io
import functions_framework

app = functions_framework.create_app("delete_backup", "function/main.py", "http")
environ = {
    "REQUEST_METHOD": "POST", "PATH_INFO": "/", "SERVER_NAME": "f", "SERVER_PORT": "80", "wsgi.url_scheme": "http",
    "wsgi.input": io.BytesIO(b"{}"), "CONTENT_LENGTH": "2", "CONTENT_TYPE": "application/json", "HTTP_CE_ID": b"s3cret",
}
status = []
body = b"".join(app(environ, lambda line, headers, exc_info=None: status.append(line)))
print(status[0])
print(body.decode())
"""


def clean() -> dict[str, str]:
    """The environment of the tests, without settings of the function."""
    return {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}


def test_what_nobody_foresaw_is_a_500_that_says_nothing_and_a_log_line_with_frames() -> None:
    """DESIGN §1: "a bug"."""
    env = {"REAPER_API_ENDPOINT": "http://localhost:1", "HW_AUTH_TOKEN": "t0ken", "FUNCTION_SIGNATURE_TYPE": "http"}
    run = subprocess.run(
        [sys.executable, "-c", BROKEN_SERVER], cwd=ROOT, env=clean() | env, capture_output=True, text=True, check=True
    )

    *lines, status, body = run.stdout.splitlines()
    assert status.startswith("500")
    assert json.loads(body) == {
        "title": "Internal Server Error",
        "status": 500,
        "error_code": "INTERNAL_ERROR",
        "error_msg": "nobody foresaw this; the log says where",
    }
    _, bug, canonical = map(json.loads, lines)
    assert "function/main.py" in bug["exc_info"]
    assert (canonical["outcome"], canonical["severity"]) == ("crashed", "ERROR")
    assert "s3cret" not in run.stdout + run.stderr


def test_certificates_that_cannot_be_read_stop_the_start_with_one_message() -> None:
    env = {"REAPER_API_ENDPOINT": "https://localhost:1", "HW_AUTH_TOKEN": "t0ken", "REQUESTS_CA_BUNDLE": __file__}
    run = subprocess.run(
        [sys.executable, "-c", BROKEN_SERVER], cwd=ROOT, env=clean() | env, capture_output=True, text=True, check=False
    )

    assert run.returncode == 1
    assert run.stderr == "backup-reaper cannot start: REQUESTS_CA_BUNDLE holds no certificates that can be read\n"
