"""Each command of the README and of docs/ is run here, or says why it is not."""

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from simulator import Simulator
from simulator.processes import ROOT
from tests.facts.docs import DOCS, README, blocks
from tests.integration.test_demo import ENV, free_port, needs_curl, serve

PAGES: Final = (ROOT / "README.md", *sorted(DOCS.glob("*.md")))
BLOCK: Final = re.compile(r"(?:^ *<!-- (?P<how>[^\n]*) -->\n)?^(?P<indent> *)```sh\n(?P<text>.*?)^ *```$", re.S | re.M)
VENV: Final = Path(sys.prefix)
SECONDS: Final = 100


@dataclass(frozen=True, slots=True)
class Commands:
    """A block of commands, and what is said about running it."""

    page: Path
    how: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.name}: {self.text.splitlines()[0][:60]}"


def commands(*how: str) -> list[Commands]:
    """The blocks of all pages that are to be run in one of these ways."""

    def found() -> Iterator[Commands]:
        for page in PAGES:
            for block in BLOCK.finditer(page.read_text()):
                lines = re.sub(f"^{block['indent']}", "", block["text"], flags=re.MULTILINE)
                yield Commands(page, block["how"] or "", lines)

    return [each for each in found() if each.how.partition(":")[0] in how or each.how in how]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The checkout, with the README's retention.toml in it."""
    for entry in ROOT.iterdir():
        if not entry.name.startswith("."):
            (tmp_path / entry.name).symlink_to(entry)
    (tmp_path / "retention.toml").write_text(blocks("toml", README)[0])
    return tmp_path


def run(text: str, checkout: Path, env: Mapping[str, str] | None = None) -> str:
    """Run a block as a person would, in the environment that the tests run in; returns what it prints."""
    text = text.replace(".venv/bin/", f"{VENV}/bin/").replace("make ", f"make VENV={VENV} -o {VENV}/runtime ")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text],
        cwd=checkout,
        env={**{name: value for name, value in ENV.items() if not name.startswith("MAKE")}, **(env or {})},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_block_says_how_it_is_run_or_why_not(page: Path) -> None:
    """In a comment above it. One without is not run: it could install packages, or ask a real cloud."""
    blocks_there = re.findall(r"^ *```(?:sh|bash|shell|console)$", page.read_text(), re.MULTILINE)
    known = [each for each in commands("run", "run with: serve", "run with: simulator", "not run") if each.page == page]

    assert len(known) == len(blocks_there)
    assert "not run" not in {each.how for each in known}  # it says why


@pytest.mark.parametrize("block", {block.text: block for block in commands("run")}.values(), ids=str)
def test_what_needs_nothing_runs(block: Commands, checkout: Path) -> None:
    assert run(block.text, checkout)


@pytest.mark.parametrize("block", commands("run with: simulator"), ids=str)
def test_what_needs_an_account_runs_with_the_simulator(
    block: Commands, checkout: Path, simulator: Simulator, settings: Mapping[str, str]
) -> None:
    assert run(block.text, checkout, {**settings, "REAPER_POLICY_FILE": "retention.toml"})


@needs_curl
def test_what_is_sent_to_make_serve_is_answered(checkout: Path) -> None:
    """In one test, on a port of its own: others start it at the same time."""
    with serve(PORT=free_port()) as output:
        urls = re.findall(r"^(?:function|simulator) +(http://\S+)", output, re.MULTILINE)
        for block in commands("run with: serve"):
            text = re.sub(r"http://127.0.0.1:808([01])", lambda url: urls[int(url[1])], block.text)
            assert run(text, checkout)


def test_the_sample_rule_is_refused_with_the_limit_to_raise(checkout: Path) -> None:
    (block,) = [each for each in commands("run") if each.page.stem == "try-it" and "function plan" in each.text]
    printed = run(block.text, checkout)
    assert "refused" in printed
    assert "max_expired" in printed
