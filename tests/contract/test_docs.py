"""The README is short, sentences are too, links lead somewhere, and each table of docs/ is held to the code."""

import json
import re
import tomllib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final, get_args

import pytest

from function.backups import Backup, Mode
from function.cloud.api import read_backups
from function.cloud.engines import ENGINES
from function.cloud.engines.engine import Engine
from function.events.contract import EXPIRED, RESULT_TYPES
from function.events.planning import DUE, PING, PLANNED
from function.exchange import Answer
from function.retention.page import COLOURS
from function.retention.plan import Listing, Plan, make_plan
from function.retention.policy import read_policy_file
from function.retention.timeline import time_line
from simulator.processes import ROOT
from tests.facts.docs import DOCS, FILES, README, anchors, blocks, links, page, section, sentences, tables

MAX_LINES: Final = 180
MAX_WORDS: Final = 1300
MAX_SENTENCE_WORDS: Final = 35
SCHEMA: Final = json.loads((ROOT / "schemas" / "retention-policy.v1.json").read_text())
AS_OF: Final = datetime.fromisoformat("2026-11-27T00:00:00Z")


def name_of(file: Path) -> str:
    return str(file.relative_to(ROOT))


def test_the_readme_is_read_in_five_minutes() -> None:
    assert len(README.splitlines()) <= MAX_LINES
    assert len(README.split()) <= MAX_WORDS


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_no_sentence_is_long(file: Path) -> None:
    """Every reader's second language is English."""
    found = sentences(file.read_text())
    assert found
    assert [sentence for sentence in found if len(sentence.split()) > MAX_SENTENCE_WORDS] == []


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_every_link_leads_somewhere(file: Path) -> None:
    dead = [(path, anchor) for path, anchor in links(file) if not path.exists()]
    lost = [(path, anchor) for path, anchor in links(file) if anchor and anchor not in anchors(path)]
    assert (dead, lost) == ([], [])


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, following = set[Path](), [ROOT / "README.md"]
    while following:
        file = following.pop()
        reached.add(file)
        following += [path for path, _ in links(file) if path.suffix == ".md" and path not in reached]
    assert {*DOCS.glob("*.md"), *FILES} - reached == set(), "link these"


def test_every_picture_is_described() -> None:
    pictures = [alt for file in FILES for alt in re.findall(r"!\[(.*?)\]", file.read_text(), re.DOTALL)]
    assert pictures
    assert all(len(alt) > 20 for alt in pictures)


def keys() -> Iterator[tuple[str, str, bool]]:
    """The keys of a policy file by the schema: path, default as the page writes it, and whether it is required."""

    def written(schema: dict[str, Any]) -> str:
        return f"`{schema['default']}`" if "default" in schema else ""

    for name, schema in SCHEMA["properties"].items():
        if name == "limits":
            yield from ((f"limits.{key}", written(limit), False) for key, limit in schema["properties"].items())
        elif name == "policy":
            policy = SCHEMA["$defs"]["policy"]
            for key, value in policy["properties"].items():
                yield f"policy.….{key}", written(value), key in policy["required"]
        else:
            yield name, written(schema), False


def test_the_keys_of_a_policy_file_are_those_of_the_schema() -> None:
    rows = tables(section("Every key", page("retention")))[0]
    assert [(key.strip("`"), default, "required" in meaning) for key, meaning, default in rows] == list(keys())


@pytest.mark.parametrize("rule", blocks("toml", page("retention")) + blocks("toml", README))
def test_a_rule_that_is_shown_is_one(rule: str) -> None:
    text = rule if "version" in rule else f"version = 1\n{rule}"
    read_policy_file(text.encode(), engines=ENGINES)


def test_the_planner_has_the_modes_of_the_page() -> None:
    rows = tables(section("See the plan first", page("retention")))[0]
    assert [row[0].strip("`") for row in rows] == list(get_args(Mode))


def test_the_regions_are_those_that_are_known() -> None:
    rows = tables(section("Regions", page("configuration")))[0]
    listed = {engine.strip("`"): re.findall(r"`([\w-]+)`", regions) for engine, regions in rows}
    assert listed == {engine.name: sorted(engine.endpoints) for engine in ENGINES.values()}


def differences(engine: Engine) -> list[str]:
    """An engine's row on the page for maintainers."""
    in_use = [f"`{member}` is {str(value).lower()}" for member, value in engine.in_use.items()]
    return [
        f"`{engine.name}`",
        "yes" if engine.proves_by_id else "no: the list does",
        ", ".join(f"`{path}`" for path in engine.list_paths),
        "yes" if engine.needs_instance else "no",
        ", ".join(f"`{word}`" for word in sorted(engine.leaving)) or "none",
        ", ".join(in_use) or "none",
        f"`{engine.partial_in}` is not empty" if engine.partial_in else "never",
        {1: "MB", 1024: "KB"}[engine.units_per_mb],
    ]


def test_the_engines_differ_as_the_page_says() -> None:
    rows = tables(section("One call, five services", page("huawei-cloud-api")))[0]
    assert rows == [differences(engine) for engine in ENGINES.values()]


def actions(file: str) -> str:
    """The actions that a file of policies/ allows, as the page lists them."""
    (statement,) = json.loads((ROOT / "policies" / file).read_text())["Statement"]
    return ", ".join(f"`{action}`" for action in statement["Action"])


def test_the_permissions_are_those_of_the_policies() -> None:
    rows = tables(section("The least it needs", page("credentials")))[0]
    assert [engine.strip("`") for engine, *_ in rows] == list(ENGINES)
    for engine, identity, role in rows:
        infix = "" if engine == "`taurusdb`" else f"{engine.strip('`')}."
        assert identity == actions(f"identity-policy.{infix}delete-and-list.json")
        assert role == actions(f"policy.{infix}delete-and-list.json")


def test_the_types_of_events_are_those_of_the_code() -> None:
    rows = [
        row for title in ("The event out", "The planner's events") for row in tables(section(title, page("events")))[0]
    ]
    assert {row[0].strip("`") for row in rows} == {EXPIRED, PING, DUE, PLANNED, *RESULT_TYPES}


def test_the_tested_pythons_are_those_of_the_metadata() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (tested,) = re.findall(r"^for minor in ([\d ]+); do", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)
    classified = re.findall(r"3\.(\d+)", " ".join(project["classifiers"]))
    assert classified == tested.split()


def example_plan() -> Plan:
    (rule,) = blocks("toml", README)
    file = read_policy_file(rule.encode(), engines=ENGINES)
    engine = ENGINES["taurusdb"]
    answer = Answer(200, {}, (ROOT / "examples" / "backups.json").read_bytes())
    backups: list[Backup] = list(read_backups(answer, engine)[0])
    listing = Listing(engine=engine.name, project_id=file.policies[0].projects[0], backups=backups)
    return make_plan([listing], file, AS_OF)


def picture() -> str:
    """The time line of the README's plan as `plan --html` draws it, as a file of its own with its colours."""
    (group,) = (plan := example_plan()).groups
    line = "".join(time_line(group, plan, "example"))
    (height,) = re.findall(r'width="100%" height="(\d+)"', line)
    line = line.replace("<svg ", '<svg x="16" y="8" overflow="visible" ', 1).replace('width="100%"', 'width="860"', 1)
    colours = [";".join(f"--{name}:{pair[side]}" for name, pair in COLOURS.items()) for side in (0, 1)]
    lanes = "".join(f"circle.{name}{{fill:var(--{name})}}" for name in ("monthly", "within", "last", "other"))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 900 {int(height) + 16}" width="900">\n<style>'
        f":root{{{colours[0]}}}@media (prefers-color-scheme:dark){{:root{{{colours[1]}}}}}"
        "text{font:12px system-ui,sans-serif;fill:var(--quiet)}line{stroke:var(--rule)}"
        "circle{stroke:var(--background)}"
        f"{lanes}circle.expired{{fill:var(--background);stroke:var(--expired);stroke-width:1.5}}"
        '</style>\n<rect width="100%" height="100%" fill="var(--background)"/>\n'
        f"{line}</svg>\n"
    )


def test_the_picture_of_the_plan_is_what_the_page_draws() -> None:
    """To renew it: python -c 'from tests.contract.test_docs import *; (DOCS / "plan.svg").write_text(picture())'."""
    assert (DOCS / "plan.svg").read_text() == picture()


def test_the_picture_says_what_its_description_says() -> None:
    (group,) = example_plan().groups
    verdicts = list(group.verdicts)
    kept = [verdict for verdict in verdicts if not verdict.expired]
    monthly = [verdict for verdict in kept if any(reason.startswith("monthly") for reason in verdict.reasons)]
    failed = [verdict for verdict in kept if "failed" in verdict.reasons]
    others = len(kept) - len(monthly) - len(failed)
    said = f"{len(monthly)} monthly backups, {others} others of the last 30 days and a failed one stay; "
    assert len(failed) == 1
    assert f"{said}{len(verdicts) - len(kept)} weekly ones have expired" in README
