"""The policy file: what is accepted, what is refused and how that is said, and that its schema says the same."""

import hashlib
import json
import re
import time
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from function.errors import ConfigError
from function.retention.durations import ELAPSED, PATTERN, Duration
from function.retention.policy import PolicyFile, RetentionPolicy, read_policy_file
from function.retention.rules import KeepRules
from tests.facts.account import INSTANCE, PROJECT
from tests.facts.planning import many

ROOT: Final = Path(__file__).parents[2]
SCHEMA: Final = json.loads((ROOT / "schemas" / "retention-policy.v1.json").read_text())
ENGINES: Final = ("taurusdb", "rds", "gaussdb", "dds", "geminidb")
OTHER: Final = "9c3b1f7a52d84e06a1f0c7d2b85e6a13"

POLICY: Final = f"""
[policy.standard]
projects = ["{PROJECT}"]
instances = ["*"]
keep_last = 3
"""


def read(text: str, allowed_projects: set[str] | None = None, engines: tuple[str, ...] = ENGINES) -> PolicyFile:
    return read_policy_file(text.encode(), engines=engines, allowed_projects=allowed_projects)


def faults(
    text: str | bytes, allowed_projects: set[str] | None = None, engines: tuple[str, ...] = ENGINES
) -> list[str]:
    content = text.encode() if isinstance(text, str) else text
    with pytest.raises(ConfigError) as raised:
        read_policy_file(content, engines=engines, allowed_projects=allowed_projects)
    return str(raised.value).split("; ")


# What is accepted.


def test_a_short_file_has_the_defaults() -> None:
    file = read(POLICY)

    assert file == PolicyFile(
        timezone=ZoneInfo("UTC"),
        event_valid_for=timedelta(hours=12),
        max_expired=20,
        max_expired_percent=None,
        policies=(
            RetentionPolicy(
                name="standard",
                engine="taurusdb",
                projects=(PROJECT,),
                instances=("*",),
                rules=KeepRules(last=3),
                min_age=Duration.parse("P1D"),
                expire_failed_after=None,
                hold_words=(),
            ),
        ),
        sha256=hashlib.sha256(POLICY.encode()).hexdigest(),
    )


def test_a_file_can_say_everything() -> None:
    file = read(f"""
        version = 1
        timezone = "Asia/Shanghai"
        event_valid_for = "P2D"
        [limits]
        max_expired = 100000
        max_expired_percent = 100
        [policy.before-upgrades_2]
        engine = "rds"
        projects = ["{PROJECT}", "{OTHER}"]
        instances = ["{INSTANCE}", "i-2"]
        keep_last = 1
        keep_hourly = 2
        keep_daily = 3
        keep_weekly = 4
        keep_monthly = 5
        keep_yearly = 1000
        keep_within = "P1Y6M"
        min_age = "PT1H"
        expire_failed_after = "P2W"
        hold_words = ["Do not delete", "HOLD", "hold", "\u4fdd\u7559"]
    """)

    assert (file.timezone, file.event_valid_for) == (ZoneInfo("Asia/Shanghai"), timedelta(days=2))
    assert (file.max_expired, file.max_expired_percent) == (100_000, 100)
    assert file.policies == (
        RetentionPolicy(
            name="before-upgrades_2",
            engine="rds",
            projects=(PROJECT, OTHER),
            instances=(INSTANCE, "i-2"),
            rules=KeepRules(
                last=1,
                periods={"hourly": 2, "daily": 3, "weekly": 4, "monthly": 5, "yearly": 1000},
                within=Duration.parse("P1Y6M"),
            ),
            min_age=Duration.parse("PT1H"),
            expire_failed_after=Duration.parse("P2W"),
            hold_words=("donotdelete", "hold", "hold", "\u4fdd\u7559"),
        ),
    )


@pytest.mark.parametrize(("written", "hours"), [("PT6H", 6), ("P1W", 168), ("P3D", 72)])
def test_an_event_is_valid_for_hours_days_or_weeks(written: str, hours: int) -> None:
    assert read(f'event_valid_for = "{written}"\n{POLICY}').event_valid_for == timedelta(hours=hours)


def test_a_byte_order_mark_and_windows_line_ends_are_no_fault() -> None:
    content = b"\xef\xbb\xbf" + POLICY.replace("\n", "\r\n").encode()

    file = read_policy_file(content, engines=ENGINES)

    assert file.policies == read(POLICY).policies
    assert file.sha256 == hashlib.sha256(content).hexdigest()


def test_the_examples_are_accepted_without_their_projects_being_known() -> None:
    example = (ROOT / "examples" / "retention.toml").read_text()

    (policy,) = read(example).policies

    assert policy.rules == KeepRules(last=1, periods={"monthly": 12}, within=Duration.parse("P30D"))


def test_everything_that_the_example_shows_in_comments_is_accepted_too() -> None:
    example = (ROOT / "examples" / "retention.toml").read_text()

    file = read(re.sub(r"(?m)^# (?=[a-z_]+ = |\[policy)", "", example))

    assert [policy.name for policy in file.policies] == ["standard", "orders"]
    assert file.policies[0].rules.periods == {"hourly": 24, "daily": 7, "weekly": 4, "monthly": 12, "yearly": 3}


# Which policy an instance has.


def test_the_policy_that_names_an_instance_goes_before_the_one_for_every_instance() -> None:
    file = read(f"""
        [policy.everything]
        projects = ["{PROJECT}", "{OTHER}"]
        instances = ["*"]
        keep_last = 1
        [policy.rds]
        engine = "rds"
        projects = ["{PROJECT}"]
        instances = ["*"]
        keep_last = 1
        [policy.orders]
        projects = ["{PROJECT}"]
        instances = ["orders", "customers"]
        keep_last = 1
        [policy.other]
        engine = "dds"
        projects = ["{PROJECT}"]
        instances = ["orders"]
        keep_last = 1
    """)

    def found(engine: str, project_id: str, instance_id: str) -> str | None:
        policy = file.find(engine, project_id, instance_id)
        return policy.name if policy else None

    assert found("taurusdb", PROJECT, "orders") == "orders"
    assert found("taurusdb", PROJECT, "customers") == "orders"
    assert found("taurusdb", PROJECT, "stock") == "everything"
    assert found("taurusdb", OTHER, "orders") == "everything"
    assert found("rds", PROJECT, "orders") == "rds"
    assert found("rds", OTHER, "orders") is None
    assert found("dds", PROJECT, "orders") == "other"
    assert found("dds", PROJECT, "stock") is None
    assert found("taurusdb", "p" * 32, "orders") is None


# What is refused.

COUNT: Final = "must be a whole number from 1 to 1000"
DURATION: Final = "must be a duration above zero, such as P30D, P12M, P2W or PT12H"


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        *((f"keep_last = {wrong}", f"keep_last {COUNT}") for wrong in ("0", "-1", "1001", "1.0", '"3"', "true", "[3]")),
        ("keep_last = 1979-05-27", f"keep_last {COUNT}"),
        ("keep_last = inf", f"keep_last {COUNT}"),
        (f"keep_last = {'9' * 4000}", f"keep_last {COUNT}"),
        *((f"keep_{name} = 0", f"keep_{name} {COUNT}") for name in ("hourly", "daily", "weekly", "monthly", "yearly")),
        ("keep_daily = -1", f"keep_daily {COUNT}"),
        ('keep_within = "30d"', f"keep_within {DURATION}"),
        ('keep_within = "P0D"', f"keep_within {DURATION}"),
        ("keep_within = 30", f"keep_within {DURATION}"),
        ('min_age = "PT0H"', f"min_age {DURATION}"),
        ('min_age = "P1DT12H"', f"min_age {DURATION}"),
        ('expire_failed_after = ""', f"expire_failed_after {DURATION}"),
        ('engine = "mysql"', "engine must be one of: dds, gaussdb, geminidb, rds, taurusdb"),
        ('engine = "TaurusDB"', "engine must be one of: dds, gaussdb, geminidb, rds, taurusdb"),
        ("engine = 5", "engine must be one of: dds, gaussdb, geminidb, rds, taurusdb"),
        ("projects = []", "projects must be a list with at least one item"),
        (f'projects = "{PROJECT}"', "projects must be a list with at least one item"),
        ("projects = {}", "projects must be a list with at least one item"),
        ('projects = ["*"]', "projects[0] must be a project ID: 32 ASCII letters and digits"),
        ("projects = [[]]", "projects[0] must be a project ID: 32 ASCII letters and digits"),
        (f'projects = ["{OTHER}", "{PROJECT}x"]', "projects[1] must be a project ID: 32 ASCII letters and digits"),
        (f'projects = ["{PROJECT}", "{PROJECT}"]', "projects[1] is in the list twice"),
        ("instances = []", "instances must be a list with at least one item"),
        *(
            (
                f"instances = [{json.dumps(wrong)}]",
                'instances[0] must be an instance ID of 1 to 64 ASCII letters, digits and hyphens, or "*"',
            )
            for wrong in ("", "**", "a*", "../x", "a b", "x" * 65, "\u0661", 5)
        ),
        ('instances = ["a", "*", "a"]', "instances[2] is in the list twice"),
        ("hold_words = []", "hold_words must be a list with at least one item"),
        *(
            (f"hold_words = [{json.dumps(wrong)}]", "hold_words[0] must be a word of at least 2 letters and digits")
            for wrong in ("", "x", "  ", "--", "k-", 5)
        ),
        ('hold_words = ["hold", "hold"]', "hold_words[1] is in the list twice"),
        ("keep_dayly = 7", "keep_dayly is an unknown key; did you mean keep_daily?"),
        ("keepLast = 7", "keepLast is an unknown key; did you mean keep_last?"),
        ("keep_within_daily = 7", "keep_within_daily is an unknown key"),
        ("force = true", "force is an unknown key"),
        ("name = 'x'", "name is an unknown key"),
        (f"{'k' * 5000} = 7", f"{'k' * 40} is an unknown key"),
        ('"a\\u001b[31m\\n; b" = 7', "a\\x1b[31m\\n; b is an unknown key"),
    ],
)
def test_a_wrong_line_of_a_policy_is_named_by_its_path(line: str, fault: str) -> None:
    key = line.split(" = ")[0]
    others = "\n".join(each for each in POLICY.splitlines() if not each.startswith(f"{key} ="))

    assert "; ".join(faults(f"{others}\n{line}")) == f"policy.standard.{fault}"


@pytest.mark.parametrize(
    ("top", "fault"),
    [
        ("version = 2", "version must be 1"),
        ('version = "1"', "version must be 1"),
        ("version = true", "version must be 1"),
        ("version = 1.0", "version must be 1"),
        ("timezone = 8", "timezone must be the name of a time zone, such as UTC or Asia/Shanghai"),
        ('timezone = ""', "timezone must be the name of a time zone, such as UTC or Asia/Shanghai"),
        ('timezone = "CST"', "timezone must be the name of a time zone, such as UTC or Asia/Shanghai"),
        ('timezone = "+08:00"', "timezone must be the name of a time zone, such as UTC or Asia/Shanghai"),
        # Files that a machine has beside the zones, or that anybody could have put there.
        ('timezone = "localtime"', "timezone must be the name of a time zone, such as UTC or Asia/Shanghai"),
        ('timezone = "posixrules"', "timezone must be the name of a time zone, such as UTC or Asia/Shanghai"),
        ('timezone = "right/UTC"', "timezone must be the name of a time zone, such as UTC or Asia/Shanghai"),
        ('timezone = "../../etc/passwd"', "timezone must be the name of a time zone, such as UTC or Asia/Shanghai"),
        ('timezone = "/etc/localtime"', "timezone must be the name of a time zone, such as UTC or Asia/Shanghai"),
        (
            'timezone = "Asia/Shanghai\\u0000"',
            "timezone must be the name of a time zone, such as UTC or Asia/Shanghai; did you mean Asia/Shanghai?",
        ),
        (
            'timezone = "Asia/Shangai"',
            "timezone must be the name of a time zone, such as UTC or Asia/Shanghai; did you mean Asia/Shanghai?",
        ),
        *(
            (
                f"event_valid_for = {wrong}",
                "event_valid_for must be a duration of hours, days or weeks above zero, such as PT12H",
            )
            for wrong in ('"P1M"', '"P1Y"', '"PT0H"', '"12h"', "12", '"P1D\\n"')
        ),
        ("limits = 20", "limits must be a table"),
        ("limits = []", "limits must be a table"),
        *((f"limits.max_expired = {wrong}", "limits.max_expired must be a whole number from 1 to 100000")
          for wrong in ("0", "100001", "true", "20.0", '"20"')),
        *((f"limits.max_expired_percent = {wrong}", "limits.max_expired_percent must be a whole number from 1 to 100")
          for wrong in ("0", "101", "50.0", '"50%"')),
        ("limits.max_expire = 5", "limits.max_expire is an unknown key; did you mean max_expired?"),
        ("polices = 5", "polices is an unknown key; did you mean policy?"),
        ("keep_last = 3", "keep_last is an unknown key"),
    ],
)  # fmt: skip
def test_a_wrong_line_at_the_top_is_named_by_its_path(top: str, fault: str) -> None:
    assert "; ".join(faults(f"{top}\n{POLICY}")) == fault


@pytest.mark.parametrize(
    ("missing", "needed"),
    [
        ("projects", "must be a list with at least one item"),
        ("instances", "must be a list with at least one item"),
        ("keep_last", COUNT),
    ],
)
def test_what_a_policy_must_have_is_missed(missing: str, needed: str) -> None:
    without = "\n".join(line for line in POLICY.splitlines() if not line.startswith(missing))

    assert faults(without) == [f"policy.standard.{missing} is missing: it {needed}"]


@pytest.mark.parametrize(
    "text",
    ["policy = {}", "policy = 5", "policy = []", "[[policy]]\nkeep_last = 3", "[policy]", 'policy = "standard"'],
)
def test_a_file_that_has_no_policy_is_refused(text: str) -> None:
    assert faults(text) == ["policy must hold a table for each policy, such as [policy.standard]"]


@pytest.mark.parametrize("text", ["", "# nothing", "version = 1", "[limits]"])
def test_a_file_without_the_word_policy_is_refused(text: str) -> None:
    assert faults(text) == ["policy is missing: it must hold a table for each policy, such as [policy.standard]"]


@pytest.mark.parametrize(
    ("name", "shown"),
    [("a.b", "a.b"), ("", ""), ("x" * 65, "x" * 40), ("n\u00e9", "n\\xe9"), ("<b>", "<b>"), ("a\\nb", "a\\nb")],
)
def test_a_policy_has_a_plain_name(name: str, shown: str) -> None:
    assert faults(POLICY.replace("standard", f'"{name}"')) == [
        f"policy.{shown} must have a name of the form [A-Za-z0-9_-]{{1,64}}"
    ]


def test_a_policy_that_is_no_table_is_refused() -> None:
    assert faults("policy.standard = 5") == [
        "policy.standard must be a table",
        f"policy.standard.keep_last is missing: it {COUNT}",
        "policy.standard.projects is missing: it must be a list with at least one item",
        "policy.standard.instances is missing: it must be a list with at least one item",
    ]


def test_all_faults_are_told_at_once() -> None:
    found = faults("""
        version = 3
        timezone = "Mars/Olympus"
        colour = "red"
        [limits]
        max_expired = 0
        [policy.a]
        keep_last = 0
        keep_dayly = 7
        [policy.b]
        projects = ["x"]
        instances = ["*"]
        keep_within = "a month"
    """)

    assert sorted(found) == [
        "colour is an unknown key",
        "did you mean keep_daily?",
        "limits.max_expired must be a whole number from 1 to 100000",
        "policy.a.instances is missing: it must be a list with at least one item",
        "policy.a.keep_dayly is an unknown key",
        f"policy.a.keep_last {COUNT}",
        "policy.a.projects is missing: it must be a list with at least one item",
        f"policy.b.keep_last is missing: it {COUNT}",
        f"policy.b.keep_within {DURATION}",
        "policy.b.projects[0] must be a project ID: 32 ASCII letters and digits",
        "timezone must be the name of a time zone, such as UTC or Asia/Shanghai",
        "version must be 1",
    ]


def test_a_file_with_hundreds_of_faults_tells_twenty() -> None:
    text = "\n".join(f"keep_dail{number} = 1" for number in range(300))

    found = faults(f"{POLICY}\n{text}")

    assert len([part for part in found if part.startswith("policy.")]) == 20
    assert found[-1] == "and 280 more"


def test_twenty_faults_are_all_told() -> None:
    text = "\n".join(f"unheard{number} = 1" for number in range(20))

    assert len(faults(f"{POLICY}\n{text}")) == 20


# What the policies say together, and what the function may touch.


def both(one: str, other: str) -> list[str]:
    return faults(f"[policy.one]\nkeep_last = 1\n{one}\n[policy.other]\nkeep_last = 1\n{other}")


def test_an_instance_in_two_policies_is_refused() -> None:
    found = both(
        f'projects = ["{OTHER}", "{PROJECT}"]\ninstances = ["a", "b", "c"]',
        f'projects = ["{PROJECT}"]\ninstances = ["c", "d", "b"]',
    )

    assert found == [
        f"policy.one and policy.other both name the instance b of project {PROJECT}",
        f"policy.one and policy.other both name the instance c of project {PROJECT}",
    ]


def test_what_two_policies_lack_is_told_of_both() -> None:
    assert both("", "") == [
        f"policy.{name}.{key} is missing: it must be a list with at least one item"
        for name in ("one", "other")
        for key in ("projects", "instances")
    ]
    assert both(f'projects = ["{PROJECT}"]', f'projects = ["{PROJECT}"]') == [
        f"policy.{name}.instances is missing: it must be a list with at least one item" for name in ("one", "other")
    ]


def test_two_policies_for_every_instance_are_refused() -> None:
    everything = f'projects = ["{PROJECT}"]\ninstances = ["*"]'

    assert both(everything, everything) == [
        f"policy.one and policy.other both name the instance * of project {PROJECT}"
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (f'projects = ["{PROJECT}"]\ninstances = ["*"]', f'projects = ["{OTHER}"]\ninstances = ["*"]'),
        (f'projects = ["{PROJECT}"]\ninstances = ["*"]', f'projects = ["{PROJECT}"]\ninstances = ["a"]'),
        (
            f'projects = ["{PROJECT}"]\ninstances = ["a", "*"]',
            f'engine = "rds"\nprojects = ["{PROJECT}"]\ninstances = ["a", "*"]',
        ),
    ],
)
def test_policies_for_other_projects_instances_or_engines_go_together(one: str, other: str) -> None:
    file = read(f"[policy.one]\nkeep_last = 1\n{one}\n[policy.other]\nkeep_last = 1\n{other}")

    assert [policy.name for policy in file.policies] == ["one", "other"]


def test_a_project_that_the_function_may_not_touch_is_refused() -> None:
    assert faults(POLICY, {OTHER}) == [
        "policy.standard.projects[0] is not one of the projects in REAPER_ALLOWED_PROJECT_IDS"
    ]
    assert read(POLICY, {OTHER, PROJECT}).policies


def test_an_engine_that_is_not_served_is_refused() -> None:
    assert faults(f'{POLICY}\nengine = "rds"', engines=("taurusdb",)) == [
        "policy.standard.engine must be one of: taurusdb"
    ]


def test_the_default_engine_must_be_served_too() -> None:
    assert faults(POLICY, engines=("rds",)) == ["policy.standard.engine is missing: it must be one of: rds"]
    assert read(f'{POLICY}\nengine = "rds"', engines=("rds",)).policies[0].engine == "rds"


# Files that are no policy files.


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"#" * 65537, "the file is larger than 65536 bytes"),
        (POLICY.encode("utf-16"), "the file is not UTF-8: byte 0 is wrong"),
        (POLICY.encode() + b"\xff", f"the file is not UTF-8: byte {len(POLICY)} is wrong"),
        (b"a = " + b"[" * 30000, "the file's arrays or inline tables are nested too deep"),
        (b"a = " + b"{a=" * 20000, "the file's arrays or inline tables are nested too deep"),
        (f"{POLICY}\nkeep_last = 4".encode(), "the file is not TOML: Cannot overwrite a value (at end of document)"),
        (b"[policy.standard", "the file is not TOML: Expected ']' at the end of a table declaration"),
        (b"<html>", "the file is not TOML: Invalid statement (at line 1, column 1)"),
        (b'{"policy": {}}', "the file is not TOML: Invalid statement (at line 1, column 1)"),
        (b"a" + b".a" * 201 + b" = 1", "line 1 of the file has more than 200 dots"),
        (b"\n\n'\xe2\x80\xa8'" + b".a" * 201 + b" = 1", "line 3 of the file has more than 200 dots"),
        (b"a = 1\x00" + b"x" * 300, "the file is not TOML: "),
        (b"keep_last = " + b"9" * 5000, "the file is not TOML: Exceeds the limit (4300 digits)"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_in_one_sentence(content: bytes, fault: str) -> None:
    found = "; ".join(faults(content))

    assert found.startswith(fault)
    assert len(found) <= len("the file is not TOML: ") + 200


def test_a_file_of_the_largest_size_is_read() -> None:
    assert read(f"{POLICY}#".ljust(65536, "x")).policies


def test_a_line_of_200_dots_is_read() -> None:
    assert read(f"{POLICY}# {'.' * 200}").policies


def test_a_long_complaint_about_the_toml_is_cut() -> None:
    """It can quote a key of the file."""
    (found,) = faults(b"a = {" + b"k" * 500 + b" = 1, " + b"k" * 500 + b" = 2}")

    assert (
        found
        == f"the file is not TOML: Duplicate inline table key '{'k' * 500}'"[: len("the file is not TOML: ") + 200]
    )


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(f"x{number:04} = 1" for number in range(6000)),
        "\n".join(f"{'.'.join(['a'] * 200)}.b{number} = 1" for number in range(150)),
        "\n".join(f"[{'.'.join(['a'] * 200)}.b{number}]" for number in range(150)),
        f"[policy.a]\ninstances = [{', '.join(f'{chr(34)}{number}{chr(34)}' for number in range(7000))}]",
        "\n".join(f'[policy.p{number}]\nprojects=["{PROJECT}"]\ninstances=["*"]\nkeep_last=1' for number in range(600)),
        f'timezone = "{"A" * 65000}"',
    ],
    ids=["keys", "dotted keys", "tables", "list", "policies", "zone"],
)
def test_a_file_that_is_made_to_be_slow_is_refused_in_seconds(text: str) -> None:
    before = time.process_time()

    assert faults(text)
    assert time.process_time() - before < 5


# The schema.

VALIDATOR: Final = Draft202012Validator(SCHEMA)


def test_the_schema_is_a_schema_and_names_itself() -> None:
    Draft202012Validator.check_schema(SCHEMA)

    assert SCHEMA["$id"] == "urn:backup-reaper:retention-policy.v1"


def test_the_schema_has_the_forms_of_the_code() -> None:
    assert SCHEMA["$defs"]["duration"]["pattern"] == f"^{PATTERN}$"
    assert SCHEMA["properties"]["event_valid_for"]["pattern"] == f"^{ELAPSED}$"
    assert sorted(SCHEMA["$defs"]["policy"]["properties"]["engine"]["enum"]) == sorted(ENGINES)


def test_the_defaults_that_the_schema_tells_are_those_of_the_code() -> None:
    file = read(POLICY)
    (policy,) = file.policies
    top, of_policy = SCHEMA["properties"], SCHEMA["$defs"]["policy"]["properties"]

    assert file.timezone.key == top["timezone"]["default"]
    assert (
        file.event_valid_for == read(f'event_valid_for = "{top["event_valid_for"]["default"]}"{POLICY}').event_valid_for
    )
    assert file.max_expired == top["limits"]["properties"]["max_expired"]["default"]
    assert policy.engine == of_policy["engine"]["default"]
    assert policy.min_age.text == of_policy["min_age"]["default"]
    told = [key for key, value in {**top, **top["limits"]["properties"], **of_policy}.items() if "default" in value]
    assert sorted(told) == ["engine", "event_valid_for", "max_expired", "min_age", "timezone"]


def toml(value: object) -> str:
    """A value as TOML, tables inline."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value)


_TEXTS: Final = st.text("aZ09-_*. ", max_size=5)
_WRONG: Final = (
    st.sampled_from([0, -1, 1, 1000, 1001, 100_000, 100_001, 2.5, True, False, "", "*", [], {}, ["*"], [1], {"a": 1}])
    | _TEXTS
    | st.lists(_TEXTS, max_size=2)
)


def _or_wrong(right: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Mostly right, so that what is accepted is met too."""
    return st.one_of(right, right, right, right, right, right, right, right, _WRONG)


_DURATIONS: Final = st.sampled_from(["P30D", "P1Y2M3D", "P2W", "PT12H", "P0Y1M"]) | st.text("PT0123YMWDH", max_size=6)
_COUNTS: Final = st.sampled_from([1, 3, 1000])
_PROJECTS: Final = st.lists(st.sampled_from([PROJECT, OTHER, PROJECT[1:]]), max_size=3)
_INSTANCES: Final = st.lists(st.sampled_from(["*", INSTANCE, "a-1", "a", "x" * 64, "x" * 65]), max_size=3)
_OPTIONAL: Final = {
    "engine": _or_wrong(st.sampled_from(ENGINES)),
    **{f"keep_{name}": _or_wrong(_COUNTS) for name in ("hourly", "daily", "weekly", "monthly", "yearly")},
    **{name: _or_wrong(_DURATIONS) for name in ("keep_within", "min_age", "expire_failed_after")},
    "hold_words": _or_wrong(st.lists(st.sampled_from(["hold", "ab", "a", "HOLD"]), max_size=2)),
    "keep_quarterly": _WRONG,
}


def _some_of(strategies: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """At most two of the optional members: with more, hardly a document would be right."""
    return st.lists(st.sampled_from(sorted(strategies)), max_size=2, unique=True).flatmap(
        lambda names: st.fixed_dictionaries({name: strategies[name] for name in names})
    )


_POLICIES: Final = st.builds(
    lambda required, optional: {**required, **optional},
    st.fixed_dictionaries(
        {"keep_last": _or_wrong(_COUNTS), "projects": _or_wrong(_PROJECTS), "instances": _or_wrong(_INSTANCES)}
    )
    | st.fixed_dictionaries({"keep_last": _COUNTS, "projects": st.just([PROJECT])}),
    _some_of(_OPTIONAL),
)
_DOCUMENTS: Final = st.builds(
    lambda policy, optional: {**policy, **optional},
    st.fixed_dictionaries(
        {
            "policy": _or_wrong(
                st.dictionaries(st.sampled_from(["a", "B-_9", "a.b", ""]), _or_wrong(_POLICIES), max_size=1)
            )
        }
    ),
    _some_of(
        {
            "version": _or_wrong(st.just(1)),
            "timezone": st.sampled_from(["UTC", "Asia/Shanghai", 8, [], True]),  # that a zone exists no schema can say
            "event_valid_for": _or_wrong(_DURATIONS),
            "limits": _or_wrong(
                _some_of(
                    {
                        "max_expired": _or_wrong(st.sampled_from([1, 100_000])),
                        "max_expired_percent": _or_wrong(st.sampled_from([1, 100])),
                        "max": _WRONG,
                    }
                )
            ),
            "comment": _WRONG,
        }
    ),
)


@many
@given(_DOCUMENTS)
def test_what_the_schema_accepts_is_accepted_and_nothing_else(document: dict[str, Any]) -> None:
    """Beyond a schema: that the zone exists, that no instance is named twice, that a hold word has letters."""
    text = "\n".join(f"{key} = {toml(value)}" for key, value in document.items())

    try:
        read(text)
        is_accepted = True
    except ConfigError:
        is_accepted = False

    assert is_accepted == VALIDATOR.is_valid(document), [fault.message for fault in VALIDATOR.iter_errors(document)]


@pytest.mark.parametrize("key", sorted(SCHEMA["$defs"]["policy"]["properties"]))
def test_a_key_of_the_schema_is_a_key_of_a_policy_and_its_misspelling_is_not(key: str) -> None:
    found = "; ".join(faults(f"{POLICY}\n{key[:-1]}{key[-1] * 2} = 1"))

    assert f"did you mean {key}?" in found
