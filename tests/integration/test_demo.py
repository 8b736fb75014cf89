"""The demo shows what the README says it shows, and leaves nothing behind."""

import http.client
import re
import shlex
import shutil
import signal
import subprocess
import sys
from itertools import takewhile
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from simulator.processes import ROOT
from tests.contract.test_readme import blocks, section
from tests.deliverer import Reply, send

DEMO = [sys.executable, "-m", "simulator.demo"]


def demo(*options: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*DEMO, *options], cwd=ROOT, capture_output=True, text=True, timeout=60)


def test_the_demo_does_what_the_readme_shows() -> None:
    done = demo()
    assert (done.returncode, done.stderr) == (0, "")
    assert "\33" not in done.stdout
    output = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:8080", done.stdout)
    shown = blocks("text", section("See it work"))[0]
    assert re.search(".*".join(map(re.escape, shown.split("…\n"))), output, re.DOTALL), output


def test_an_answer_that_is_not_what_the_name_says_fails_the_demo(tmp_path: Path) -> None:
    lie = tmp_path / "01-a-lie.deleted.json"
    shutil.copy(ROOT / "events" / "08-dry-run-misspelt.failed.INVALID_EVENT.json", lie)
    done = demo(lie)
    assert done.returncode == 1
    assert "NOT  deleted, but failed.INVALID_EVENT" in done.stdout


def test_serve_prints_a_curl_line_that_works_and_ctrl_c_leaves_nothing_running() -> None:
    with subprocess.Popen([*DEMO, "--serve"], cwd=ROOT, stdout=subprocess.PIPE, text=True) as serving:
        assert serving.stdout
        try:
            output = "".join(takewhile(lambda line: "Ctrl-C" not in line, serving.stdout))
            reply = send_as_curl(output)
        finally:
            serving.send_signal(signal.SIGINT)
    assert (reply.status, serving.returncode) == (200, 0)
    for url in re.findall(r"http://127\.0\.0\.1:\d+", output):
        with pytest.raises(ConnectionRefusedError):
            http.client.HTTPConnection(urlsplit(url).netloc).connect()


def send_as_curl(output: str) -> Reply:
    """Do what the first curl command in this output does."""
    command = output[output.index("curl ") :].replace("\\\n", "").partition("\n")[0]
    _, _, url, _, header, _, file = shlex.split(command)
    return send(url, (ROOT / file.removeprefix("@")).read_bytes(), headers=dict([header.split(": ")]))
