"""The README's section about the front door says what the front door's cases are; tests/integration sends them."""

import re
from typing import Final

import pytest

from simulator.processes import ROOT
from tests.front_door import AT_THE_FUNCTION, BEFORE_THE_FUNCTION, Row

SECTION: Final = (ROOT / "README.md").read_text().partition("\n## The front door\n")[2].partition("\n## ")[0]


def tables(section: str) -> list[list[list[str]]]:
    """The cells of each table of a section, without its head."""
    blocks = re.findall(r"(?:^\|.*\|$\n?)+", section, re.MULTILINE)
    return [[[cell.strip() for cell in line.split("|")[1:-1]] for line in block.splitlines()[2:]] for block in blocks]


@pytest.mark.parametrize(
    ("number", "rows"), [(0, AT_THE_FUNCTION), (1, BEFORE_THE_FUNCTION)], ids=["at the function", "before the function"]
)
def test_the_readme_has_each_case_and_no_other(number: int, rows: tuple[Row, ...]) -> None:
    written = tables(SECTION)

    assert len(written) == 2
    assert written[number] == [row.cells for row in rows]
