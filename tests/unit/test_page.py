"""The page that a database team signs: complete, the same as the plan, and nothing that a name says is obeyed."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from function.backups import Backup
from function.retention.durations import Duration
from function.retention.page import COLOURS, SAID, to_page
from function.retention.plan import Plan
from function.retention.report import clean
from function.retention.rules import KeepRules
from function.retention.timeline import LANES, lane_of
from function.retention.verdicts import Verdict
from tests.facts.planning import AS_OF, DAY, HOUR, made, plan, policy, policy_file

RULES: Final = KeepRules(
    last=2, periods=dict.fromkeys(("hourly", "daily", "weekly", "monthly", "yearly"), 2), within=Duration.parse("P5D")
)
FILE: Final = policy_file(
    policy(RULES, instances=("*", "gone"), hold_words=("hold",), expire_failed_after=Duration.parse("P9D")),
    timezone=ZoneInfo("Asia/Shanghai"),
)
VOID: Final = {"meta", "br"}
GOLDEN: Final = Path(__file__).with_name("plan-page.html")
HOSTILE: Final = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'\" onmouseover='alert(1)",
    "</title></svg><script>alert(1)</script>",
    "<!--",
    "]]>&amp;&lt;",
    "</style><style>*{display:none}",
    "javascript:alert(1)",
    "\u202egnp.exe",
    "\x00\x1b[2J",
]


class Page(HTMLParser):
    """A page as its elements, each with its path and attributes; texts by the path that they stand in."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.path: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)
        self.close()
        assert self.path == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.path.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.path.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append(("/".join(self.path), data))

    def text(self, ending: str) -> list[str]:
        return [text for path, text in self.texts if path.endswith(ending)]


def page(plan: Plan) -> str:
    return "".join(to_page(plan))


def drawings(text: str) -> list[ET.Element]:
    """The time lines, as XML."""
    return [ET.fromstring(each) for each in re.findall(r'<svg class="line".*?</svg>', text, re.DOTALL)]


def some_plan(max_expired: int = 100) -> Plan:
    backups = [made(AS_OF - hours * HOUR, id=f"h{hours}", size_mb=1024.0) for hours in range(30, 60)]
    backups += [made(AS_OF - days * DAY, id=f"d{days}", size_mb=1024.0) for days in range(3, 90)]
    backups += [
        made(AS_OF - HOUR, id="young", size_mb=None),
        made(AS_OF - 30 * DAY, id="held", name="on hold"),
        made(AS_OF - 30 * DAY, id="failed", status="FAILED"),
        made(AS_OF - 30 * DAY, id="running", status="BUILDING"),
        made(AS_OF + 5000 * DAY, id="future"),
        made(AS_OF, id="unreadable", begin_time=None),
        made(AS_OF - 40 * DAY, id="alone", instance_id="other-1"),
    ]
    return plan(backups, replace(FILE, max_expired=max_expired))


def golden_plan() -> Plan:
    """One instance within its limits and one over them, one that is absent, and one that is not known."""
    usual = [made(AS_OF - days * DAY, id=f"d{days}", size_mb=1024.0 * days) for days in (2, 3, 5, 8, 13, 21, 34, 55)]
    close = [made(AS_OF - 13 * DAY - seconds * HOUR / 3600, id=f"close{seconds}") for seconds in (1, 2)]
    special = [
        made(AS_OF - 4 * DAY, id="b-1", name=HOSTILE[0], size_mb=3000.0),
        made(AS_OF - HOUR, id="b-2", name="\u8ba2\u5355\u5e93", status="BUILDING"),
        made(AS_OF - 6 * DAY, id="b-3", name=None, size_mb=3000.0, instance_id=None),
        made(AS_OF, id="auto", type="auto"),
    ]
    other = [made(AS_OF - days * DAY, id=f"o{days}", instance_id="other", size_mb=512.0) for days in range(20, 40, 3)]
    return plan([*usual, *close, *special, *other], replace(FILE, max_expired=4))


def test_the_page_is_the_one_that_was_looked_at() -> None:
    """After a change: `python -m tests.unit.test_page`, then look at the page on a screen, a phone and paper."""
    assert page(golden_plan()) == GOLDEN.read_text(encoding="utf-8")


def test_every_backup_is_in_a_table_with_its_verdict() -> None:
    found = some_plan()

    rows = re.findall(r'<tr><td class="time">.*?</tr>', page(found))

    verdicts = [verdict for group in found.groups for verdict in group.verdicts]
    assert len(rows) == len(verdicts) == 124
    for row, verdict in zip(rows, verdicts, strict=True):
        words = "".join(Page(row).text(""))
        assert verdict.backup.id in words
        assert ("expired" in words) == verdict.expired
        assert ("keep" in words.split("no rule")[0]) != verdict.expired
        assert all(SAID.get(reason, reason) in words for reason in verdict.reasons)
        assert f'class="{lane_of(verdict)}"' in row


def test_the_sums_are_those_of_the_plan() -> None:
    backups = [made(AS_OF - days * DAY, id=f"d{days}", size_mb=1024.0 * days) for days in (2, 3, 4, 40, 41)]
    parsed = Page(page(plan(backups, policy_file(policy(KeepRules(last=3))))))

    assert parsed.text("tfoot/tr/th") == ["Expired", "Kept"]
    assert parsed.text("tfoot/tr/td") == ["2 (81.0 GB)", "3 (9.0 GB)"]
    assert [text for path, text in parsed.texts if "tbody/tr/td" in path][:3] == [
        "planned",
        "2 (81.0 GB)",
        "3 (9.0 GB)",
    ]
    assert "5 backups in 1 instance: 2 expired (81.0 GB of 90.0 GB), 3 kept." in parsed.text("body/p")


def test_the_page_says_what_it_is_a_plan_of() -> None:
    text = page(some_plan())
    parsed = Page(text)

    assert parsed.text("head/title") == parsed.text("h1") == ["Retention plan as of 2026-11-27 20:00"]
    assert "Times in Asia/Shanghai. Policy file " in parsed.text("p")
    assert "0" * 64 in parsed.text("p/code")
    assert parsed.text("h2") == [
        "Instance 6ab7e0f13c5d4e2f8a90b1c2d3e4f506in07",
        "Instance other-1",
    ]
    assert "taurusdb, project 054e292c9880d4992f02c0196d3ea468, policy standard" in parsed.text("section/p")
    assert "gone" in parsed.text("body/p/code")
    assert parsed.text("p/span") == ["Approved by", "Date"]
    for tag, attributes in parsed.elements:
        if tag == "a":
            assert f'id="{str(attributes["href"])[1:]}"' in text


def test_a_group_over_its_limit_stands_out() -> None:
    text = page(some_plan(max_expired=3))
    parsed = Page(text)

    assert text.count('class="refused"') == 1
    assert parsed.text("tfoot/tr/th") == ["Expired, but over a limit", "Kept", "Expired", "Kept"]
    assert any("none of them may go; to allow it, set max_expired = " in each for each in parsed.text("section/p"))
    assert 'class="refused"' not in page(some_plan())


def test_a_backup_without_an_instance_or_name_is_shown_too() -> None:
    parsed = Page(page(plan([made(AS_OF - 3 * DAY, id="b1", name=None, instance_id=None)], FILE)))

    assert parsed.text("h2") == ["Instance not known"]
    assert parsed.text("tbody/tr/th/a") == ["not known"]
    assert parsed.text("tbody/tr/th") == ["b1"]
    assert "taurusdb, project 054e292c9880d4992f02c0196d3ea468, policy none" in parsed.text("section/p")


def test_a_plan_of_nothing_is_a_page_too() -> None:
    assert "0 backups in 0 instances: 0 expired (0.0 GB of 0.0 GB), 0 kept." in Page(page(plan([], FILE))).text("p")


# Nothing that a name says is obeyed.


@given(st.text() | st.sampled_from(HOSTILE), st.text(max_size=40) | st.sampled_from(HOSTILE))
def test_a_name_is_shown_and_never_obeyed(name: str, id: str) -> None:
    usual, other = (
        Page(page(plan([made(AS_OF - 3 * DAY, id=an_id, name=a_name)], FILE)))
        for a_name, an_id in (("nightly", ""), (name, id))
    )

    tags = [tag for tag, _ in other.elements]
    assert [tag for tag in tags if tag != "code"] == [tag for tag, _ in usual.elements if tag != "code"]
    assert {key for _, attributes in other.elements for key in attributes} == {
        key for _, attributes in usual.elements for key in attributes
    }
    shown = "".join(other.text("tbody/tr/th") + other.text("tbody/tr/th/code"))
    assert clean(name or id).strip() in shown
    assert not re.search(
        "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]",
        "".join(to_page(plan([made(AS_OF, name=name)], FILE))),
    )


def test_the_page_fetches_and_runs_nothing() -> None:
    text = page(some_plan())
    parsed = Page(text)

    attributes = {(tag, key) for tag, attributes in parsed.elements for key in attributes}
    assert not {key for _, key in attributes} & {"src", "style", "srcset", "action", "formaction", "background"}
    assert not any(key.startswith("on") for _, key in attributes)
    assert {tag for tag, key in attributes if key == "href"} == {"a"}
    assert not {"script", "link", "iframe", "object", "embed", "img", "form"} & {tag for tag, _ in parsed.elements}
    assert "url(" not in text
    assert "@import" not in text
    policy = next(each for tag, each in parsed.elements if tag == "meta" and each.get("http-equiv"))
    assert policy == {
        "http-equiv": "Content-Security-Policy",
        "content": "default-src 'none'; style-src 'unsafe-inline'",
    }


# The time line.


def verdict(*reasons: str, expired: bool = False) -> Verdict:
    return Verdict(Backup(id="x"), expired, reasons)


@pytest.mark.parametrize(
    ("reasons", "lane"),
    [
        (["last #1", "hourly #1", "daily #1", "weekly #1", "monthly #1", "yearly #1", "within P1D"], "yearly"),
        (["last #1", "daily #1", "oldest yearly"], "yearly"),
        (["last #1", "hourly #1", "daily #1", "weekly #1", "monthly #12", "within P1D"], "monthly"),
        (["weekly #1", "daily #1", "within P1D"], "weekly"),
        (["daily #1", "hourly #1", "last #1", "within P1D"], "daily"),
        (["hourly #1", "last #1", "within P1D"], "hourly"),
        (["last #1", "within P1D"], "within"),
        (["last #1"], "last"),
        (["min_age", "hold"], "hold"),
        (["min_age"], "other"),
        (["in_progress"], "other"),
        (["unreadable"], "other"),
        (["future"], "other"),
        (["failed"], "other"),
        (["no_policy"], "other"),
    ],
)
def test_a_kept_backup_is_in_the_lane_of_what_keeps_it_longest(reasons: list[str], lane: str) -> None:
    assert lane_of(verdict(*reasons)) == lane


def test_an_expired_backup_is_in_a_lane_of_its_own() -> None:
    assert lane_of(verdict("no_rule", expired=True)) == lane_of(verdict("failed", expired=True)) == "expired"


def marks(drawing: ET.Element) -> Iterator[tuple[str, float, str]]:
    for mark in drawing.iter("circle"):
        yield mark.attrib["class"], float(mark.attrib["cx"].removesuffix("%")), mark.findtext("title") or ""


def test_a_backup_stands_at_its_time_in_its_lane() -> None:
    rules = KeepRules(last=1, periods={"monthly": 2})
    ages = {"new": 2, "gone": 27, "old": 52, "first": 102}
    file = policy_file(policy(rules), timezone=ZoneInfo("Asia/Shanghai"))
    found = plan([made(AS_OF - age * DAY, id=id, name=id) for id, age in ages.items()], file)

    (drawing,) = drawings(page(found))

    # 102 days from the first backup to the moment of the plan.
    assert sorted(marks(drawing), key=lambda mark: mark[1]) == [
        ("expired", 0.0, "2026-08-17 20:00 first: no_rule"),
        ("expired", 49.0, "2026-10-06 20:00 old: no_rule"),
        ("monthly", 73.5, "2026-10-31 20:00 gone: monthly #2"),
        ("monthly", 98.0, "2026-11-25 20:00 new: last #1, monthly #1"),
    ]
    assert [each.text for each in drawing.iter("text") if each.get("class") == "lane"] == [
        "monthly \u00b7 2",
        "expired \u00b7 2",
    ]
    heights = {mark.attrib["class"]: mark.attrib["cy"] for mark in drawing.iter("circle")}
    assert float(heights["monthly"]) < float(heights["expired"]) < float(drawing.attrib["height"])


def test_the_time_line_says_in_words_what_it_shows() -> None:
    drawing, other = drawings(page(some_plan()))

    assert drawing.attrib["role"] == "img"
    title, description = (drawing.find(f"*[@id='{id}']") for id in drawing.attrib["aria-labelledby"].split())
    assert title is not None
    assert title.text == "Time line of instance 6ab7e0f13c5d4e2f8a90b1c2d3e4f506in07"
    assert description is not None
    assert description.text == (
        "From 2026-08-30 20:00 to 2026-11-27 20:00, by the strongest rule: 2 yearly, 1 monthly, 1 weekly, 1 daily,"
        " 1 hourly, 30 within, 1 hold, 2 other, 82 expired. The table below has them all."
    )
    assert drawing.attrib["id"] != other.attrib["id"]


def test_backups_without_a_time_or_in_the_future_are_not_on_the_line() -> None:
    """One of 2042 would press all others against the edge."""
    special = [
        made(AS_OF + DAY, id="future"),
        made(AS_OF, id="none", begin_time=None),
        made(AS_OF, id="naive", begin_time=datetime(2026, 11, 1)),
        made(datetime(1970, 1, 1, tzinfo=UTC), id="zero"),
    ]
    (drawing,) = drawings(page(plan([*special, made(AS_OF - 10 * DAY, id="usual", name="usual")], FILE)))

    assert [title.split()[2] for _, _, title in marks(drawing)] == ["usual:"]
    assert drawings(page(plan(special, FILE))) == []


def test_a_backup_a_little_ahead_of_our_clock_is_on_the_line() -> None:
    (drawing,) = drawings(page(plan([made(AS_OF - HOUR), made(AS_OF + timedelta(minutes=5))], FILE)))

    assert [round(at) for _, at, _ in marks(drawing)] == [0, 100]


def test_a_single_backup_made_at_the_moment_of_the_plan_has_a_place() -> None:
    (drawing,) = drawings(page(plan([made(AS_OF)], FILE)))

    assert [at for _, at, _ in marks(drawing)] == [0.0]


def test_backups_that_would_lie_on_each_other_share_a_mark() -> None:
    backups = [
        made(AS_OF - 400 * DAY, id="first"),
        *(made(AS_OF - 9 * DAY - n * HOUR / 60, id=f"n{n}") for n in range(5)),
    ]
    (drawing,) = drawings(page(plan(backups, policy_file(policy()))))

    assert [title.partition(": ")[2] for _, _, title in marks(drawing)] == ["last #1", "no_rule", "no_rule and 3 more"]


def test_a_line_of_a_hundred_thousand_backups_has_a_thousand_places() -> None:
    backups = [made(AS_OF - DAY - n * HOUR / 30, id=f"n{n}") for n in range(20_000)]
    (drawing,) = drawings(page(plan(backups, policy_file(policy()))))

    assert len(list(marks(drawing))) <= 1002


@pytest.mark.parametrize(
    ("days", "labels"),
    [
        (1, ["11-27"]),
        (5, ["11-23", "11-24", "11-25", "11-26", "11-27"]),
        (11, ["11-17", "11-19", "11-21", "11-23", "11-25", "11-27"]),
        (30, ["11-02", "11-09", "11-16", "11-23"]),
        (80, ["09-14", "09-28", "10-12", "10-26", "11-09", "11-23"]),
        (100, ["2026-09", "2026-10", "2026-11"]),
        (300, ["2026-03", "2026-05", "2026-07", "2026-09", "2026-11"]),
        (425, ["2025-10", "2026-01", "2026-04", "2026-07", "2026-10"]),
        (1000, ["2024-07", "2025-01", "2025-07", "2026-01", "2026-07"]),
        (3000, ["2020-01", "2022-01", "2024-01", "2026-01"]),
        (18000, ["1980-01", "1990-01", "2000-01", "2010-01", "2020-01"]),
    ],
)
def test_the_axis_has_a_few_days_mondays_months_or_years(days: int, labels: list[str]) -> None:
    (drawing,) = drawings(page(plan([made(AS_OF - days * DAY)], FILE)))

    ticks = [each for each in drawing.iter("line") if each.attrib["x1"] == each.attrib["x2"]]
    shown = [each.text for each in drawing.iter("text") if each.get("class") is None]
    assert len(ticks) == len(labels)
    assert shown == labels[: len(shown)]
    assert len(shown) >= len(labels) - 2


def test_a_tick_stands_at_the_midnight_of_the_policys_clock() -> None:
    """The plan is for 20:00 in Shanghai; 48 hours before it the line starts, and 28 hours later it is midnight."""
    (drawing,) = drawings(page(plan([made(AS_OF - 2 * DAY)], FILE)))

    ticks = [each.attrib["x1"] for each in drawing.iter("line") if each.attrib["x1"] == each.attrib["x2"]]
    assert ticks == [f"{hours / 48 * 100:.1f}%" for hours in (4, 28)]


def test_a_tick_of_a_month_stands_at_the_first_midnight_of_it() -> None:
    first = AS_OF - 100 * DAY
    (drawing,) = drawings(page(plan([made(first)], FILE)))

    ticks = [each.attrib["x1"] for each in drawing.iter("line") if each.attrib["x1"] == each.attrib["x2"]]
    midnights = [datetime(2026, month, 1, tzinfo=ZoneInfo("Asia/Shanghai")) for month in (9, 10, 11)]
    assert ticks == [f"{(midnight - first) / (100 * DAY) * 100:.1f}%" for midnight in midnights]


def test_the_line_begins_and_ends_on_the_days_of_the_policys_clock() -> None:
    """At 20:00 UTC it is 4:00 of the next day in Shanghai: the first midnight on the line is a day later."""
    as_of = datetime(2026, 11, 27, 20, tzinfo=UTC)
    (drawing,) = drawings(page(plan([made(as_of - 2 * DAY)], FILE, as_of)))

    ticks = [each.attrib["x1"] for each in drawing.iter("line") if each.attrib["x1"] == each.attrib["x2"]]
    assert ticks == [f"{hours / 48 * 100:.1f}%" for hours in (20, 44)]


def test_two_backups_at_one_place_are_one_mark_for_both() -> None:
    backups = [made(AS_OF - 400 * DAY), made(AS_OF - 8 * DAY), made(AS_OF - 8 * DAY - HOUR / 60), made(AS_OF - DAY)]
    (drawing,) = drawings(page(plan(backups, policy_file(policy()))))

    assert [title.partition(": ")[2] for _, _, title in marks(drawing)] == ["last #1", "no_rule", "no_rule and 1 more"]


# Colours.


def _luminance(colour: str) -> float:
    """WCAG 2.2, "relative luminance"."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("side", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("behind", ["background", "stripe"])
def test_marks_and_texts_can_be_told_from_what_is_behind_them(side: int, behind: str) -> None:
    """WCAG 2.2: 3:1 for marks (1.4.11), 4.5:1 for texts (1.4.3)."""
    for name in (*LANES, "text", "quiet"):
        least = 4.5 if name in ("text", "quiet") else 3
        assert _contrast(COLOURS[name][side], COLOURS[behind][side]) >= least, name


def test_every_lane_has_a_colour_of_its_own() -> None:
    text = page(some_plan())

    for side in (0, 1):
        assert len({COLOURS[lane][side] for lane in LANES}) == len(LANES)
    for lane in LANES:
        assert f"circle.{lane} {{ " in text


if __name__ == "__main__":
    GOLDEN.write_text(page(golden_plan()), encoding="utf-8")
