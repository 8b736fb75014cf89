"""The README quotes the last benchmark to the letter."""

import json

import pytest

from bench.report import print_report
from simulator.processes import ROOT


def test_the_readme_quotes_the_table_that_was_measured(capsys: pytest.CaptureFixture[str]) -> None:
    print_report(json.loads((ROOT / "bench" / "results.json").read_text()))

    assert capsys.readouterr().out in (ROOT / "README.md").read_text()
