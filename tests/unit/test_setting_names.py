"""Names in an environment: ours are read, misspelt ones are faults, those of other programs are left alone."""

import string
from collections.abc import Iterator
from typing import Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from function.setting_names import NAMES, name_faults
from simulator.processes import ROOT

OURS: Final = sorted(name for name in NAMES if name.startswith("REAPER_"))
SHARED: Final = sorted(name for name in NAMES if name.startswith("HW_"))
CHARACTERS: Final = st.sampled_from(string.ascii_letters + string.digits + "_-. ") | st.characters(codec="utf-8")


def faults(*names: str) -> list[str]:
    return list(name_faults(dict.fromkeys(names, "1")))


def test_the_settings_themselves_are_no_faults() -> None:
    assert faults(*NAMES) == []


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        ("REAPER_KEEP_LATEST", "REAPER_KEEP_LAST"),
        ("REAPER_KEEPLAST", "REAPER_KEEP_LAST"),
        ("REAPER_DRYRUN", "REAPER_DRY_RUN"),
        ("REAPER_dry_run", "REAPER_DRY_RUN"),
        ("reaper_dry_run", "REAPER_DRY_RUN"),
        ("Reaper_Guards", "REAPER_GUARDS"),
        ("REAPERDRY_RUN", "REAPER_DRY_RUN"),
        ("REAPER_MIN_AGE", "REAPER_MIN_AGE_DAYS"),
        ("REAPER_KEEP_LAST_FILE", "REAPER_KEEP_LAST"),
        ("REAPER_THREADS", "THREADS"),
        ("REAPER_K_SINK", "K_SINK"),
        ("REAPER_AUTH_TOKEN", "HW_AUTH_TOKEN"),
        ("REAPER_HW_AUTH_TOKEN", "HW_AUTH_TOKEN"),
        ("REAPER_PORT", "PORT"),
    ],
)
def test_an_unknown_name_with_our_prefix_is_a_fault_that_says_what_was_meant(name: str, setting: str) -> None:
    assert faults(name) == [f"{name} is not a setting of this function. Did you mean {setting}?"]


@pytest.mark.parametrize(
    ("name", "shown"),
    [("REAPER_", "REAPER_"), ("REAPER", "REAPER"), ("REAPER_X", "REAPER_X"), ("REAPER_\u00dc", "REAPER_\\xdc")],
)
def test_an_unknown_name_with_our_prefix_is_a_fault_also_if_nothing_is_like_it(name: str, shown: str) -> None:
    assert faults(name) == [f"{shown} is not a setting of this function"]


@pytest.mark.parametrize(
    ("name", "shown", "setting"),
    [
        ("REAPR_DRY_RUN", "REAPR_DRY_RUN", "REAPER_DRY_RUN"),
        ("REPAER_KEEP_LAST", "REPAER_KEEP_LAST", "REAPER_KEEP_LAST"),
        ("XREAPER_DRY_RUN", "XREAPER_DRY_RUN", "REAPER_DRY_RUN"),
        ("EAPER_KEEP_LATS", "EAPER_KEEP_LATS", "REAPER_KEEP_LAST"),
        ("R\u0415APER_DRY_RUN", "R\\u0415APER_DRY_RUN", "REAPER_DRY_RUN"),
        (
            "\u0420\u0415\u0410\u0420\u0415\u0420_DRY_RUN",  # all of the prefix in Cyrillic
            "\\u0420\\u0415\\u0410\\u0420\\u0415\\u0420_DRY_RUN",
            "REAPER_DRY_RUN",
        ),
        ("\uff32\uff25APER_PAUSED", "\\uff32\\uff25APER_PAUSED", "REAPER_PAUSED"),
        ("BACKUP_REAPER_PAUSED", "BACKUP_REAPER_PAUSED", "REAPER_PAUSED"),
        ("KEEP_LAST", "KEEP_LAST", "REAPER_KEEP_LAST"),
        ("DRY_RUN", "DRY_RUN", "REAPER_DRY_RUN"),
        ("dry-run", "dry-run", "REAPER_DRY_RUN"),
        ("dryRun", "dryRun", "REAPER_DRY_RUN"),
        ("PAUSED", "PAUSED", "REAPER_PAUSED"),
        ("ALLOWED_PROJECT_IDS", "ALLOWED_PROJECT_IDS", "REAPER_ALLOWED_PROJECT_IDS"),
        ("HW_AUTH_TOKN", "HW_AUTH_TOKN", "HW_AUTH_TOKEN"),
        ("HW_SECURITY_TOKNE", "HW_SECURITY_TOKNE", "HW_SECURITY_TOKEN"),
        ("HWC_AUTH_URL", "HWC_AUTH_URL", "HW_AUTH_URL"),
        ("hw_region_name", "hw_region_name", "HW_REGION_NAME"),
        ("HW_ACCESS_KEY_ID", "HW_ACCESS_KEY_ID", "HW_ACCESS_KEY"),
        ("HW_USER_NAME_FILE", "HW_USER_NAME_FILE", "HW_USER_NAME"),
        ("\u041dW_SECRET_KEY", "\\u041dW_SECRET_KEY", "HW_SECRET_KEY"),
        ("K_CE_OVERIDES", "K_CE_OVERIDES", "K_CE_OVERRIDES"),
        ("REQUEST_CA_BUNDLE", "REQUEST_CA_BUNDLE", "REQUESTS_CA_BUNDLE"),
    ],
)
def test_a_name_that_looks_like_a_setting_is_a_fault_that_says_which(name: str, shown: str, setting: str) -> None:
    assert faults(name) == [f"{shown} looks like {setting}: correct it, or if another program needs it, unset it here"]


def test_the_names_that_kubernetes_makes_for_a_service_are_told_in_one_sentence() -> None:
    links = {
        "REAPER_SERVICE_HOST": "10.0.0.11",
        "REAPER_SERVICE_PORT": "80",
        "REAPER_SERVICE_PORT_HTTP": "80",
        "REAPER_PORT": "tcp://10.0.0.11:80",
        "REAPER_PORT_80_TCP": "tcp://10.0.0.11:80",
        "REAPER_PORT_80_TCP_PROTO": "tcp",
        "REAPER_PORT_80_TCP_PORT": "80",
        "REAPER_PORT_80_TCP_ADDR": "10.0.0.11",
    }
    what = (
        "come from Kubernetes, which sets such variables for a Service whose name begins with reaper: set"
        " enableServiceLinks: false in the pod's spec, or rename the Service"
    )

    assert list(name_faults(links)) == [f"REAPER_PORT and REAPER_PORT_80_TCP {what}"]
    assert list(name_faults({name.replace("REAPER", "REAPER_PLANNER"): links[name] for name in links})) == [
        f"REAPER_PLANNER_PORT and REAPER_PLANNER_PORT_80_TCP {what}"
    ]
    assert list(name_faults({name.replace("REAPER", "BACKUP_REAPER"): links[name] for name in links})) == []


# What surrounds a process: Linux, Python images, Kubernetes, Knative, serverless platforms, build systems, the tools
# of this cloud and of others. Many are two characters off a name of ours.
ORDINARY: Final = (ROOT / "tests" / "facts" / "ordinary_names.txt").read_text().split()


def test_the_names_of_other_programs_are_left_alone() -> None:
    assert faults(*ORDINARY) == []


def misspelt(name: str) -> Iterator[str]:
    """A name with each typing error: a character that is missing, added or wrong, or two that changed places."""
    for at in range(len(name) + 1):
        before, after = name[:at], name[at:]
        yield from (f"{before}{more}{after}" for more in "AX0_-")
        if after:
            yield before + after[1:]
            yield from (f"{before}{other}{after[1:]}" for other in "AX0_-")
        if after[1:]:
            yield f"{before}{after[1]}{after[0]}{after[2:]}"


@pytest.mark.parametrize("name", OURS)
def test_one_typing_error_in_a_name_of_ours_is_a_fault(name: str) -> None:
    assert [each for each in misspelt(name) if each not in NAMES and not faults(each)] == []


@pytest.mark.parametrize("name", SHARED)
def test_one_typing_error_after_hw_is_a_fault(name: str) -> None:
    assert [f"HW{each}" for each in misspelt(name[2:]) if f"HW{each}" not in NAMES and not faults(f"HW{each}")] == []


@st.composite
def with_typing_errors(draw: st.DrawFn, names: list[str], start: int, most: int) -> str:
    text = draw(st.sampled_from(names))
    for _ in range(draw(st.integers(1, most))):
        at = draw(st.integers(start, len(text)))
        before, after = text[:at], text[at:]
        change = draw(st.sampled_from(["missing", "added", "wrong", "swapped"]))
        match change:
            case "missing":
                text = before + after[1:]
            case "added":
                text = before + draw(CHARACTERS) + after
            case "wrong":
                text = before + draw(CHARACTERS) + after[1:]
            case "swapped":
                text = before + after[1:2] + after[:1] + after[2:]
    return text


@given(with_typing_errors(OURS, 0, 2))
@example("XXREAPER_DRY_RUN")
@example("K_REAPER_DRY_RUN")
@example("APER_DRY_RUN")
@example("REXXER_DRY_RUN")
@example("RE_A_PER_PAUSED")
@example("\ufb03EAPER_PAUSED")
def test_two_typing_errors_in_a_name_of_ours_are_a_fault_in_any_alphabet(name: str) -> None:
    assert name in NAMES or faults(name)


@given(with_typing_errors(SHARED, 2, 2))
def test_two_typing_errors_after_hw_are_a_fault_in_any_alphabet(name: str) -> None:
    assert name in NAMES or faults(name)


@given(st.dictionaries(st.text(), st.text()))
def test_any_environment_has_its_faults_told(env: dict[str, str]) -> None:
    assert all(isinstance(fault, str) for fault in name_faults(env))
