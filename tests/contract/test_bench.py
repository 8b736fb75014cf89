"""docs/benchmarks.md quotes the last benchmark to the letter."""

import json
from pathlib import Path
from typing import Any

import pytest

from bench.report import TARGETS, is_met, print_report, write_plot
from simulator.processes import ROOT
from tests.facts.docs import page

PAGE = page("benchmarks")


@pytest.fixture
def results() -> Any:
    return json.loads((ROOT / "bench" / "results.json").read_text())


def test_the_page_quotes_the_table_that_was_measured(results: Any, capsys: pytest.CaptureFixture[str]) -> None:
    print_report(results)

    assert capsys.readouterr().out in PAGE


def test_the_page_counts_the_targets_that_were_met(results: Any) -> None:
    met = [verdict for row in results["ratios"] if (verdict := is_met(row)) is not None]

    assert len(met) == len(TARGETS)
    assert f"of {len(met)} targets {met.count(True)} are met, {met.count(False)} missed" in " ".join(PAGE.split())


@pytest.mark.parametrize(
    ("figure", "low", "high", "met"),
    [
        ("cpu_per_event_ms", 0.5, 0.55, True),
        ("cpu_per_event_ms", 0.5, 0.56, False),
        ("events_per_s_16", 1.6, 1.7, True),
        ("events_per_s_16", 1.59, 1.7, False),
        ("p99_ms", 0.1, 0.2, None),
    ],
)
def test_a_target_is_met_only_if_the_worse_end_of_the_interval_meets_it(
    figure: str, low: float, high: float, met: bool | None
) -> None:
    assert is_met({"figure": figure, "peer": "sdk", "low": low, "high": high}) is met


def test_the_picture_shows_what_was_measured(results: Any, tmp_path: Path) -> None:
    write_plot(results, tmp_path / "results.svg")

    assert (tmp_path / "results.svg").read_text() == (ROOT / "bench" / "results.svg").read_text()
