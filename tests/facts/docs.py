"""The README and the pages of docs/, as the tests read them."""

import re
from pathlib import Path
from typing import Final

from simulator.processes import ROOT

DOCS: Final = ROOT / "docs"
README: Final = (ROOT / "README.md").read_text()
FILES: Final = (
    *(ROOT / name for name in ("README.md", "RUNBOOK.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")),
    *sorted(DOCS.glob("*.md")),
    ROOT / "deploy" / "functiongraph" / "README.md",
)
Table = list[list[str]]


def page(name: str) -> str:
    """The text of a page of docs/."""
    return (DOCS / f"{name}.md").read_text()


def section(title: str, text: str = README) -> str:
    """What stands below a heading of the second level; `text` must have it."""
    below = text.partition(f"\n## {title}\n")[2]
    assert below, f"there is no section {title}"
    return below.partition("\n## ")[0]


def tables(text: str) -> list[Table]:
    """The cells of each table, without its head."""
    found = re.findall(r"(?:^\|.*\|$\n?)+", text, re.MULTILINE)
    return [[[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:]] for table in found]


def blocks(language: str, text: str = README) -> list[str]:
    """The code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def prose(text: str) -> str:
    """What a person reads as sentences: no code blocks, tables, headings, comments or pictures."""
    text = re.sub(r"^( *)```.*?^\1```$", "", text, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"<!--.*?-->|!\[.*?\]\(.*?\)", "", text, flags=re.DOTALL)
    return re.sub(r"^(\||#).*$", "", text, flags=re.MULTILINE)


def sentences(text: str) -> list[str]:
    """Sentences, and items of lists, each on one line. A link counts as its text."""
    plain = re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", prose(text))
    items = re.split(r"\n\s*\n|^\s*(?:[-*]|\d+\.)\s", plain, flags=re.MULTILINE)
    joined = [" ".join(item.split()) for item in items]
    return [sentence for item in joined for sentence in re.split(r"(?<=[.?!])\**\s+(?=\W*[\w`])", item) if sentence]


def links(file: Path) -> list[tuple[Path, str]]:
    """The files and the anchors that a file links to."""
    found = re.findall(
        r"\]\(([^)\s]+)\)", re.sub(r"^```.*?^```$", "", file.read_text(), flags=re.DOTALL | re.MULTILINE)
    )
    parts = [link.partition("#") for link in found if "://" not in link]
    return [((file.parent / path).resolve() if path else file, anchor) for path, _, anchor in parts]


def anchors(file: Path) -> set[str]:
    """The anchors of a file's headings, as they are made on the usual sites."""
    headings = re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
