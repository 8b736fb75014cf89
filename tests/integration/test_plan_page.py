"""The page of a plan in a real browser: on a phone, on a screen, in the dark, and printed."""

import json
import re
import shutil
import subprocess
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest

from function.retention.durations import Duration
from function.retention.page import COLOURS, to_page
from function.retention.plan import Plan
from function.retention.rules import KeepRules
from tests.facts.account import INSTANCE
from tests.facts.planning import AS_OF, DAY, HOUR, made, plan, policy, policy_file

CHROMIUM: Final = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PDFTOTEXT: Final = shutil.which("pdftotext")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: apt-get install chromium")
# It must reach nothing but the page, and needs no sandbox for a page that has no script.
OPTIONS: Final = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--disable-extensions", "--hide-scrollbars"),
    *("--allow-file-access-from-files", "--virtual-time-budget=5000", "--host-resolver-rules=MAP * ~NOTFOUND"),
)
HOSTILE: Final = "</th><script>parent.obeyed = true</script><img src=x onerror='parent.obeyed = true'>\x1b[31m\u202e"

# Measures the page in a frame as wide as a screen: headless Chromium has no window narrower than 500 pixels.
FRAME: Final = """<!doctype html><body><iframe src="page.html" style="width:{width}px;height:2000px;border:0"></iframe>
<script>
document.querySelector("iframe").onload = event => {{
  const page = event.target.contentDocument, style = element => event.target.contentWindow.getComputedStyle(element)
  const boxes = selector => [...page.querySelectorAll(selector)].map(element => element.getBoundingClientRect())
    .map(box => [box.left, box.top, box.right, box.bottom])
  const found = {{
    width: page.documentElement.clientWidth, content: page.documentElement.scrollWidth,
    lines: boxes(".line"), marks: boxes(".line circle"), labels: boxes(".line text:not(.lane)"),
    cells: boxes("#i0 .backups tbody tr:first-child > *"), rows: boxes(".backups tbody tr").length,
    names: [...page.querySelectorAll(".backups tbody th")].map(element => element.innerText),
    background: style(page.body).backgroundColor, text: style(page.body).color,
    kept: style(page.querySelector(".line circle.monthly")).fill,
    hollow: style(page.querySelector(".line circle.expired")).fill,
    edge: style(page.querySelector(".line circle.expired")).stroke,
    signature: style(page.querySelector(".sign")).display,
    scripts: page.scripts.length, images: page.images.length, obeyed: window.obeyed === true,
  }}
  document.body.innerHTML = "<pre></pre>"
  document.querySelector("pre").textContent = JSON.stringify(found)
}}
</script>"""


def some_plan() -> Plan:
    rules = KeepRules(
        last=3, periods={"daily": 7, "weekly": 5, "monthly": 12, "yearly": 3}, within=Duration.parse("P14D")
    )
    backups = [made(AS_OF - days * DAY, name=f"nightly-{days}", size_mb=2803.0) for days in range(2, 425)]
    backups += [
        made(AS_OF - 5 * DAY, id="hostile", name=HOSTILE),
        made(
            AS_OF - 6 * DAY,
            id="chinese",
            name="\u8ba2\u5355\u5e93\u5347\u7ea7\u524d\u7684\u624b\u52a8\u5907\u4efd\uff08\u8bf7\u52ff\u5220\u9664\uff09",
        ),
        made(AS_OF - 7 * DAY, id="long", name="x" * 300),
        made(AS_OF - HOUR, id="young"),
        made(AS_OF - 50 * DAY, id="other", instance_id="2stock00000000000000000000000000in07", name="other"),
    ]
    return plan(backups, policy_file(policy(rules), timezone=ZoneInfo("Asia/Shanghai"), max_expired=500))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    (folder / "page.html").write_text("".join(to_page(some_plan())), encoding="utf-8")
    return folder


def browse(folder: Path, *arguments: str) -> str:
    assert CHROMIUM is not None
    command = [CHROMIUM, *OPTIONS, f"--user-data-dir={folder / 'profile'}", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=100).stdout


@cache
def measured(folder: Path, width: int, dark: bool = False) -> dict[str, Any]:
    (folder / "frame.html").write_text(FRAME.format(width=width), encoding="utf-8")
    theme = f"--blink-settings=preferredColorScheme={0 if dark else 1}"
    shown = browse(folder, theme, "--window-size=1400,2200", "--dump-dom", (folder / "frame.html").as_uri())
    found = re.search(r"<pre>(.*)</pre>", shown, re.DOTALL)
    assert found, shown
    measures = json.loads(found[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
    assert isinstance(measures, dict)
    return measures


def _rgb(colour: str) -> str:
    return f"rgb({', '.join(str(int(colour[at : at + 2], 16)) for at in (1, 3, 5))})"


@pytest.mark.parametrize("width", [320, 390, 768, 1280], ids=["small phone", "phone", "tablet", "desktop"])
def test_the_page_fits_the_screen(folder: Path, width: int) -> None:
    found = measured(folder, width)

    assert found["width"] <= width
    assert found["content"] <= found["width"]  # nothing to scroll sideways
    assert found["rows"] == 428
    for left, _, right, _ in found["marks"] + found["cells"]:
        assert left >= 0
        assert right <= found["width"]
    # Labels of the axis don't lie on each other, and don't leave the page.
    labels = sorted(label for label in found["labels"] if label[1] < found["lines"][0][3])
    assert len(labels) >= 3
    assert labels[-1][2] <= found["width"]
    for one, other in pairwise(labels):
        assert one[2] < other[0]


def test_on_a_phone_a_backup_is_a_block_and_on_a_desktop_a_row(folder: Path) -> None:
    time, name, size, why = measured(folder, 390)["cells"]
    assert time[1] == size[1]
    assert time[3] <= name[1] < name[3] <= why[1]

    tops = {top for _, top, _, _ in measured(folder, 1280)["cells"]}
    assert len(tops) == 1


def test_no_name_is_obeyed(folder: Path) -> None:
    found = measured(folder, 1280)

    assert (found["scripts"], found["images"], found["obeyed"]) == (0, 0, False)
    assert any("<script>parent.obeyed = true</script>" in name for name in found["names"])
    assert any("\u8ba2\u5355\u5e93\u5347\u7ea7" in name for name in found["names"])


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_page_is_light_or_dark_as_its_reader_prefers(folder: Path, dark: bool) -> None:
    found = measured(folder, 1280, dark)

    expected = {name: _rgb(COLOURS[name][dark]) for name in ("background", "text", "monthly", "expired")}
    assert found["background"] == found["hollow"] == expected["background"]
    assert (found["text"], found["kept"], found["edge"]) == (expected["text"], expected["monthly"], expected["expired"])
    assert found["signature"] == "none"


def test_the_page_can_be_printed_and_signed(folder: Path) -> None:
    browse(folder, "--no-pdf-header-footer", f"--print-to-pdf={folder / 'page.pdf'}", (folder / "page.html").as_uri())

    assert (folder / "page.pdf").read_bytes().startswith(b"%PDF-")
    if PDFTOTEXT is None:
        pytest.skip("no pdftotext here: apt-get install poppler-utils")
    text = subprocess.run(
        [PDFTOTEXT, "-layout", str(folder / "page.pdf"), "-"], check=True, capture_output=True, text=True, timeout=60
    ).stdout
    assert INSTANCE in text
    assert len(set(re.findall(r"nightly-\d+", text))) == 423
    assert text.count("Approved by") == 1
    assert text.count("Made") > 5  # the table's head is on each of its pages
    assert len(re.findall(r"(?m)^\s*Kept +\d", text)) == 2  # and each sum is there once
