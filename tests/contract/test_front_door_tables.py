"""docs/events.md says of the front door what its cases are; tests/integration sends them."""

from typing import Final

import pytest

from tests.facts.docs import page, section, tables
from tests.wire.front_door import AT_THE_FUNCTION, BEFORE_THE_FUNCTION, Row

SECTION: Final = section("The front door", page("events"))


@pytest.mark.parametrize(
    ("number", "rows"), [(0, AT_THE_FUNCTION), (1, BEFORE_THE_FUNCTION)], ids=["at the function", "before the function"]
)
def test_the_page_has_each_case_and_no_other(number: int, rows: tuple[Row, ...]) -> None:
    written = tables(SECTION)

    assert len(written) == 2
    assert written[number] == [row.cells for row in rows]
