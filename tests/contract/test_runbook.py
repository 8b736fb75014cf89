"""The runbook names every word that the code can emit, and none that it cannot."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ERRORS = (
    "ApiUnavailableError",
    "ApiDeniedError",
    "UndecidedError",
    "SinkError",
    "NotAllowedError",
    "UncheckedCallerError",
)


def words_in_code(keyword: str, callees: dict[str, int]) -> set[str]:
    """String constants given as a keyword argument, or at a position of certain calls; `or` alternatives too."""
    return {
        constant.value
        for path in (ROOT / "function").rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call)
        for argument in arguments(call, keyword, callees)
        for constant in ast.walk(argument)
        if isinstance(constant, ast.Constant) and isinstance(constant.value, str)
    }


def arguments(call: ast.Call, keyword: str, callees: dict[str, int]) -> Iterator[ast.expr]:
    yield from (given.value for given in call.keywords if given.arg == keyword)
    position = callees.get(call.func.id) if isinstance(call.func, ast.Name) else None
    if position is not None and len(call.args) > position:
        yield call.args[position]


def words_in_runbook(heading: str) -> set[str]:
    section = (ROOT / "RUNBOOK.md").read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return set(re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE))


@pytest.mark.parametrize(
    ("heading", "keyword", "callees"),
    [
        pytest.param("Words of `deletion-skipped`", "reason", {}, id="reasons"),
        pytest.param("Codes of ours", "error_code", {**dict.fromkeys(ERRORS, 0), "problem": 1}, id="codes"),
    ],
)
def test_the_runbook_has_every_word_that_the_code_emits_and_no_other(
    heading: str, keyword: str, callees: dict[str, int]
) -> None:
    assert words_in_runbook(heading) - {keyword} == words_in_code(keyword, callees)
