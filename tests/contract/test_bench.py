"""The README quotes the last benchmark to the letter."""

import json
from typing import Any

import pytest

from bench.report import print_report
from simulator.processes import ROOT

README = (ROOT / "README.md").read_text()


@pytest.fixture
def results() -> Any:
    return json.loads((ROOT / "bench" / "results.json").read_text())


def test_the_readme_quotes_the_table_that_was_measured(results: Any, capsys: pytest.CaptureFixture[str]) -> None:
    print_report(results)

    assert capsys.readouterr().out in README


def test_the_readme_counts_the_targets_that_were_met(results: Any) -> None:
    met = [row["met"] for row in results["ratios"] if "met" in row]

    assert f"of {len(met)} targets {met.count(True)} are met, {met.count(False)} missed" in " ".join(README.split())
