"""The configuration: what is in force, and one message for all that is wrong."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import timedelta
from inspect import signature
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from function.cloud.credentials import PASSWORD, AgencySettings, KeySettings, Secret, TokenSettings, UserSettings
from function.cloud.engines.taurusdb import TAURUSDB
from function.config import MAX_DEADLINE, Config, SinkSettings
from function.errors import ConfigError
from function.events.contract import EXPIRED, RESULT_TYPES
from function.functiongraph_settings import EventGridSettings
from function.guards import Policy
from function.server import configure
from function.variables import Reader
from tests.facts.account import PROJECT
from tests.facts.strategies import ID_LETTERS, secrets

OTHER: Final = "9c3b1f7a52d84e06a1f0c7d2b85e6a13"
MINIMUM: Final = {"HW_REGION_NAME": "cn-north-4", "HW_AUTH_TOKEN": "t1"}
USER: Final = {
    "HW_REGION_NAME": "cn-north-4",
    "HW_USER_NAME": "reaper",
    "HW_USER_PASSWORD": "correct horse",
    "HW_DOMAIN_NAME": "acme",
    "REAPER_ALLOWED_PROJECT_IDS": PROJECT,
}
KEY: Final = {"HW_REGION_NAME": "cn-north-4", "HW_ACCESS_KEY": "KEY", "HW_SECRET_KEY": "s1"}
DAY: Final = timedelta(days=1)


def config(env: Mapping[str, str] = MINIMUM, /, **more: str) -> Config:
    return Config.from_env({**env, **more})


def faults(env: Mapping[str, str] = MINIMUM, /, **more: str) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        config(env, **more)
    return told(str(raised.value))


def told(message: str) -> list[str]:
    """The faults in a message: one alone is the message, several have a line each."""
    first, *lines = message.split("\n")
    if not lines:
        return [first]
    assert first == f"{len(lines)} faults in the environment:"
    assert all(line.startswith("  ") for line in lines)
    return [line.removeprefix("  ") for line in lines]


def test_a_region_and_a_token_are_enough() -> None:
    assert config() == Config(
        endpoints={"taurusdb": "https://gaussdb.cn-north-4.myhuaweicloud.com"},
        credential=TokenSettings(Secret("HW_AUTH_TOKEN", "t1")),
        policy=Policy(),
        language="en-us",
        deadline_seconds=20.0,
        event_source="/backup-reaper",
        accepted_types=frozenset({EXPIRED}),
        max_event_bytes=65536,
        paused=False,
        log_level="INFO",
        threads=(os.cpu_count() or 1) * 4,  # the framework's own default
        ca_bundle=None,
        platform="http",
        sink=None,
        callers=None,
    )


def test_an_endpoint_is_taken_before_a_region() -> None:
    assert config(REAPER_API_ENDPOINT="https://api.example:8443").endpoints["taurusdb"] == "https://api.example:8443"
    assert config({"HW_AUTH_TOKEN": "t1"}, REAPER_API_ENDPOINT="https://a").endpoints["taurusdb"] == "https://a"


@pytest.mark.parametrize("region", sorted(TAURUSDB.endpoints))
def test_a_known_region_has_an_endpoint(region: str) -> None:
    assert config(HW_REGION_NAME=region).endpoints["taurusdb"] == TAURUSDB.endpoints[region]


@pytest.mark.parametrize(
    ("name", "text", "attribute", "value"),
    [
        ("REAPER_API_ENDPOINT", "https://[2001:db8::1]:443", "endpoints", {"taurusdb": "https://[2001:db8::1]:443"}),
        ("REAPER_API_ENDPOINT", "http://127.0.0.1:8080", "endpoints", {"taurusdb": "http://127.0.0.1:8080"}),
        ("REAPER_API_ENDPOINT", "http://[::1]:8080", "endpoints", {"taurusdb": "http://[::1]:8080"}),
        ("REAPER_API_ENDPOINT", "http://localhost", "endpoints", {"taurusdb": "http://localhost"}),
        ("REAPER_API_LANGUAGE", "zh-cn", "language", "zh-cn"),
        ("REAPER_DEADLINE_SECONDS", "0.001", "deadline_seconds", 0.001),
        ("REAPER_DEADLINE_SECONDS", "25", "deadline_seconds", 25.0),
        ("REAPER_EVENT_SOURCE", "https://acme.example/reaper?a#b", "event_source", "https://acme.example/reaper?a#b"),
        ("REAPER_EVENT_SOURCE", "urn:acme", "event_source", "urn:acme"),
        ("REAPER_ACCEPTED_EVENT_TYPES", "a, b.c ,a", "accepted_types", frozenset({"a", "b.c"})),
        ("REAPER_MAX_EVENT_BYTES", "1", "max_event_bytes", 1),
        ("REAPER_MAX_EVENT_BYTES", "999999999", "max_event_bytes", 999999999),
        ("REAPER_PAUSED", "true", "paused", True),
        ("REAPER_PAUSED", "false", "paused", False),
        ("REAPER_LOG_LEVEL", "DEBUG", "log_level", "DEBUG"),
        ("REAPER_LOG_LEVEL", "WARNING", "log_level", "WARNING"),
        ("REAPER_LOG_LEVEL", "ERROR", "log_level", "ERROR"),
        ("THREADS", "8", "threads", 8),
        ("REQUESTS_CA_BUNDLE", "/", "ca_bundle", "/"),
        (
            "K_SINK",
            "http://broker-ingress.knative-eventing.svc/a/b",
            "sink",
            SinkSettings(url="http://broker-ingress.knative-eventing.svc/a/b", extensions={}),
        ),
        (
            "K_SINK",
            "https://sink.example:8443?a=b",
            "sink",
            SinkSettings(url="https://sink.example:8443?a=b", extensions={}),
        ),
        ("REAPER_GUARDS", "off", "policy", Policy()),
        ("REAPER_DRY_RUN", "true", "policy", Policy(dry_run=True)),
        ("REAPER_DRY_RUN", "false", "policy", Policy()),
        ("REAPER_MIN_AGE_DAYS", "7", "policy", Policy(min_age=7 * DAY)),
        ("REAPER_KEEP_LAST", "3", "policy", Policy(keep_last=3)),
        (
            "REAPER_HOLD_WORDS",
            "Legal, KEEP me,stra\u00dfe",
            "policy",
            Policy(hold_words=("legal", "keepme", "strasse")),
        ),
        ("REAPER_MAX_EVENT_AGE_SECONDS", "90", "policy", Policy(max_event_age=timedelta(seconds=90))),
        (
            "REAPER_ALLOWED_PROJECT_IDS",
            f"{PROJECT}, {OTHER}",
            "policy",
            Policy(allowed_projects=frozenset({PROJECT, OTHER})),
        ),
    ],
)
def test_a_setting_is_in_force(name: str, text: str, attribute: str, value: object) -> None:
    made = config(**{name: text})

    assert getattr(made, attribute) == value
    others = [field.name for field in fields(Config) if field.name != attribute]
    assert [getattr(made, other) for other in others] == [getattr(config(), other) for other in others]


@pytest.mark.parametrize(
    ("overrides", "extensions"), [('{"extensions": {"team": "db"}}', {"team": "db"}), ("{}", {}), ("", {})]
)
def test_a_sink_has_its_overrides(overrides: str, extensions: dict[str, str]) -> None:
    made = config(K_SINK="http://broker/a", K_CE_OVERRIDES=overrides)

    assert made.sink == SinkSettings(url="http://broker/a", extensions=extensions)


def test_a_sink_may_have_a_token_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("eyJhbGciOi.5ecret\n")

    made = config(K_SINK="http://broker/a", REAPER_SINK_TOKEN_FILE=str(file))

    assert made.sink == SinkSettings(url="http://broker/a", extensions={}, token_file=file)
    assert "5ecret" not in f"{made} {made.in_force()}"


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (None, "names {}, which does not exist"),
        ("", "names {}, which does not hold a bearer token"),
        ("5ecret 5ecret", "names {}, which does not hold a bearer token"),
    ],
)
def test_a_token_file_without_a_token_stops_the_start(tmp_path: Path, content: str | None, fault: str) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_text(content)

    assert faults(REAPER_SINK_TOKEN_FILE=str(file)) == [f"REAPER_SINK_TOKEN_FILE {fault.format(file)}"]


PEM: Final = "-----BEGIN CERTIFICATE-----\nMII=\n-----END CERTIFICATE-----\n"


@pytest.mark.parametrize(("text", "certificates"), [(PEM, PEM), (PEM * 2, PEM * 2), ("", None)])
def test_a_sink_may_have_certificates_of_its_own(text: str, certificates: str | None) -> None:
    """Knative sets the variable to nothing where there are none."""
    made = config(K_SINK="https://broker/a", K_CA_CERTS=text)

    assert made.sink == SinkSettings(url="https://broker/a", extensions={}, certificates=certificates)
    assert made.extra_certificates == ({"https://broker/a": certificates} if certificates else {})
    assert "MII=" not in str(made.in_force())


def test_certificates_without_a_sink_are_trusted_for_nobody() -> None:
    assert config(K_CA_CERTS=PEM).extra_certificates == {}


def test_certificates_that_are_not_in_pem_stop_the_start() -> None:
    assert faults(K_CA_CERTS="MII=") == ["K_CA_CERTS must hold certificates in PEM"]


@pytest.mark.parametrize("text", ["eyJhbGciOi.5ecret", "./5ecret"])
def test_a_token_in_the_place_of_its_files_path_is_not_shown(text: str) -> None:
    assert faults(REAPER_SINK_TOKEN_FILE=text) == [
        "REAPER_SINK_TOKEN_FILE must be the absolute path of a file with a bearer token"
    ]


def test_the_longest_deadline_ends_before_the_server_ends_a_worker() -> None:
    graceful_timeout = signature(configure).parameters["graceful_timeout"].default

    assert graceful_timeout - MAX_DEADLINE >= 5  # for the answer, and for what its client still sends


def test_strict_is_the_list_of_projects_a_manual_backup_and_a_day() -> None:
    strict = config(REAPER_GUARDS="strict", REAPER_ALLOWED_PROJECT_IDS=PROJECT).policy

    assert strict == Policy(allowed_projects=frozenset({PROJECT}), manual_only=True, max_event_age=DAY)


def test_strict_leaves_an_age_that_is_set_as_it_is() -> None:
    more = {"REAPER_GUARDS": "strict", "REAPER_ALLOWED_PROJECT_IDS": PROJECT, "REAPER_MAX_EVENT_AGE_SECONDS": "60"}

    assert config(**more).policy.max_event_age == timedelta(seconds=60)


ORIGIN: Final = "must be https://host or https://host:port and nothing more: no user, path, query or final slash"
IAM: Final = "must be like https://iam.cn-north-4.myhuaweicloud.com/v3, without user and query"
PLAIN_HTTP: Final = "must begin with https://: http:// is only for localhost and loopback addresses"
REGION: Final = (
    f"must be a region known to have taurusdb: {', '.join(sorted(TAURUSDB.endpoints))}."
    " For another region set REAPER_API_ENDPOINT, and HW_AUTH_URL for an IAM user"
)
NUMBER: Final = "must be a whole number from 1 to 999999999"
SECONDS: Final = "must be a number of seconds above 0 and up to 25, such as 20 or 2.5"
BOOLEAN: Final = "must be true or false"
TYPES: Final = "must be event types, with commas between them"
LOOP: Final = "must not name a type of our own results: each result would come back as an event, for ever"
SOURCE: Final = "must be a URI or a path, such as /backup-reaper"
PROJECTS: Final = "must be project ids of 32 letters and digits, with commas between them"
WORDS: Final = "must be words of at least two letters or digits, with commas between them"
SINK: Final = "must be an http or https URL, without user and fragment"
PATH: Final = "must be the path of a file or directory of certificates that exists"
EMPTY: Final = ": it is set, but empty"
OVERRIDES: Final = 'must be like {"extensions": {"name": "value"}}: '


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        *[("REAPER_API_ENDPOINT", text, ORIGIN) for text in ("", "api.example", "ftp://a", "https://", "https:// a")],
        *[
            ("REAPER_API_ENDPOINT", f"https://a{rest}", ORIGIN)
            for rest in ("/", "/v3", "?a", "#a", ":", ":x", "\n", "_")
        ],
        *[
            ("REAPER_API_ENDPOINT", text, ORIGIN)
            for text in ("https://u@a", "https://u:p@a", "https://a:123456", "HTTPS://a")
        ],
        *[
            ("REAPER_API_ENDPOINT", f"http://{host}", PLAIN_HTTP)
            for host in ("a", "10.0.0.1", "localhost.a", "0.0.0.0")
        ],
        *[("HW_REGION_NAME", text, REGION) for text in ("", "cn-north-1", "CN-NORTH-4", "cn-north-4 ", "eu-west-101")],
        *[("REAPER_API_LANGUAGE", text, "must be en-us or zh-cn") for text in ("", "en", "EN-US", "de-de")],
        *[
            ("REAPER_DEADLINE_SECONDS", text, SECONDS)
            for text in ("", "0", "-1", "26", "25.001", "60", "1e1", "nan", "\u0661")
        ],
        *[("REAPER_DEADLINE_SECONDS", text, SECONDS) for text in (" 1", "1 ", "1,5", ".5", "1.", "0.0", "inf", "1s")],
        *[("REAPER_EVENT_SOURCE", text, SOURCE) for text in ("", "a b", "\u00fc", "%", "a\n")],
        *[("REAPER_ACCEPTED_EVENT_TYPES", text, TYPES) for text in ("", ",", "a,", "a,,b", " ")],
        *[("REAPER_ACCEPTED_EVENT_TYPES", f"a, {text}", LOOP) for text in sorted(RESULT_TYPES)],
        *[
            ("REAPER_MAX_EVENT_BYTES", text, NUMBER)
            for text in ("", "0", "-1", "1.0", "1e3", "01", "1000000000", "\u0661")
        ],
        *[("REAPER_PAUSED", text, BOOLEAN) for text in ("", "1", "on", "True", "yes", "true ")],
        *[("REAPER_LOG_LEVEL", text, "must be DEBUG, INFO, WARNING or ERROR") for text in ("", "info", "TRACE")],
        *[("THREADS", text, NUMBER) for text in ("", "0", "many")],
        *[("REQUESTS_CA_BUNDLE", text, PATH) for text in ("", "/nonexistent", "x" * 5000)],
        *[("K_SINK", text, SINK) for text in ("", "broker", "ftp://a", "http://u@a", "http://u:p@a/b", "http://a/b#c")],
        *[("K_SINK", text, SINK) for text in ("http://a/b c", "http://a/\u00fc", "http://a\n")],
        *[("K_SINK", text, SINK) for text in ("http://a:99999/", "http://a:0/", "http://[1:2]/")],
        *[("REAPER_API_ENDPOINT", text, ORIGIN) for text in ("https://a:65536", "https://[1:2]", "https://a:0")],
        *[("REAPER_GUARDS", text, "must be strict or off") for text in ("", "on", "Strict", "true")],
        *[("REAPER_DRY_RUN", text, BOOLEAN) for text in ("", "on", "0", "TRUE")],
        *[("REAPER_MIN_AGE_DAYS", text, NUMBER) for text in ("", "0", "-1", "1.5", "7d")],
        *[("REAPER_KEEP_LAST", text, NUMBER) for text in ("", "0", "-1", "three")],
        *[
            ("REAPER_HOLD_WORDS", text, WORDS)
            for text in ("", " ", ",", "ab,", "ab,,cd", "-", "keep,\u2026", "keep, a")
        ],
        *[("REAPER_MAX_EVENT_AGE_SECONDS", text, NUMBER) for text in ("", "0", "1h")],
        *[
            ("REAPER_ALLOWED_PROJECT_IDS", text, PROJECTS)
            for text in ("", PROJECT + ",", PROJECT[1:], PROJECT + "x", "*")
        ],
        ("K_CE_OVERRIDES", "[", OVERRIDES + "Expecting value: line 1 column 2 (char 1)"),
        ("K_CE_OVERRIDES", "[]", OVERRIDES + "extensions must be an object"),
        ("K_CE_OVERRIDES", '{"extensions": []}', OVERRIDES + "extensions must be an object"),
        (
            "K_CE_OVERRIDES",
            '{"extensions": {"a": 1}}',
            OVERRIDES + "a is not an extension attribute with a string value",
        ),
        (
            "K_CE_OVERRIDES",
            '{"extensions": {"source": "x"}}',
            OVERRIDES + "source is not an extension attribute with a string value",
        ),
        (
            "K_CE_OVERRIDES",
            '{"extensions": {"extensions": "x"}}',
            OVERRIDES + "extensions is not an extension attribute with a string value",
        ),
        (
            "K_CE_OVERRIDES",
            '{"extensions": {"A": "x"}}',
            OVERRIDES + "'A' is not an extension attribute with a string value",
        ),
        (
            "K_CE_OVERRIDES",
            '{"extensions": {"a": "\\u0000"}}',
            OVERRIDES + "a is not an extension attribute with a string value",
        ),
        (
            "K_CE_OVERRIDES",
            '{"extensions": {"data": "x"}}',
            OVERRIDES + "data is not an extension attribute with a string value",
        ),
        ("K_CE_OVERRIDES", '{"extensions": {"a": "x", "a": "y"}}', OVERRIDES + "an object names a member twice"),
    ],
    ids=lambda value: ascii(value)[:40].replace("\\", "/"),  # mutmut does not find a test by an escaped name
)
def test_a_setting_that_is_wrong_stops_the_start(name: str, text: str, fault: str) -> None:
    assert faults(**{name: text}) == [f"{name} {fault}{'' if text else EMPTY}"]


@pytest.mark.parametrize(
    "name", ["id", "source", "type", "subject", "time", "specversion", "datacontenttype", "dataschema", "extensions"]
)
def test_overrides_may_only_add_extensions(name: str) -> None:
    overrides = json.dumps({"extensions": {"team": "db", name: "1.0"}})

    assert faults(K_CE_OVERRIDES=overrides) == [
        f"K_CE_OVERRIDES {OVERRIDES}{name} is not an extension attribute with a string value"
    ]


def test_the_framework_s_debugger_is_never_on() -> None:
    message = "DEBUG must not be set: the framework's debugger would show secrets to every caller"
    for value in ("", "0", "false", "1"):
        assert faults(DEBUG=value) == [message]


def test_nothing_configured_names_what_is_needed() -> None:
    assert faults({}) == [
        "exactly one kind of credential must be set; found: none, of HW_AUTH_TOKEN, HW_USER_NAME and HW_ACCESS_KEY"
        " with what belongs to each",
        "HW_REGION_NAME must be set, or REAPER_API_ENDPOINT instead",
    ]


def test_all_faults_are_told_at_once_each_in_its_line() -> None:
    env = {"HW_AUTH_TOKEN": "t t", "REAPER_PAUSED": "on", "REAPER_GUARDS": "strict", "REAPER_X": "1", "DRY_RUN": "true"}
    with pytest.raises(ConfigError) as raised:
        Config.from_env(env)

    assert str(raised.value) == (
        "6 faults in the environment:\n"
        "  HW_AUTH_TOKEN must hold printable ASCII characters without white space around (not shown)\n"
        "  HW_REGION_NAME must be set, or REAPER_API_ENDPOINT instead\n"
        "  REAPER_ALLOWED_PROJECT_IDS must be set with REAPER_GUARDS=strict\n"
        "  REAPER_PAUSED must be true or false\n"
        "  REAPER_X is not a setting of this function\n"
        "  DRY_RUN looks like REAPER_DRY_RUN: correct it, or if another program needs it, unset it here"
    )


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
@pytest.mark.parametrize(
    "url",
    [
        *("socks5h://proxy:1080", "https://proxy:3128", "http://u:p#w@proxy:3128", "u:p@proxy:3128"),
        *("http://proxy:0", "http://proxy:99999", "http://proxy:3128\n", "proxy:3128/path"),
    ],
)
def test_a_proxy_that_can_never_work_is_told_beside_the_other_faults(name: str, url: str) -> None:
    found = faults({**MINIMUM, name: url}, K_SINK="https://broker/a", REAPER_PAUSED="on")

    assert [fault.split(" ")[0] for fault in found] == ["REAPER_PAUSED", name]
    assert "SOCKS" in found[1]
    assert "p#w" not in found[1]


def test_a_proxy_counts_only_for_the_hosts_that_are_asked_through_it() -> None:
    socks = "socks5h://proxy:1080"

    assert config(HTTPS_PROXY=socks, NO_PROXY=".myhuaweicloud.com") == config()
    assert config(HTTP_PROXY=socks) == config()
    assert config(HTTPS_PROXY="http://user:password@proxy:3128") == config()


def test_a_variable_that_the_search_for_misspelt_names_does_not_know_cannot_be_read() -> None:
    with pytest.raises(LookupError, match="REAPER_NEW"):
        Reader({}).optional("REAPER_NEW", str, "")


# Credentials.


def test_an_iam_user_is_known_to_the_region_s_iam() -> None:
    made = config(USER)

    password = Secret("HW_USER_PASSWORD", "correct horse", form=PASSWORD)
    assert made.credential == UserSettings("reaper", password, "acme", "https://iam.cn-north-4.myhuaweicloud.com/v3")
    assert made.origins == [made.endpoints["taurusdb"], "https://iam.cn-north-4.myhuaweicloud.com/v3"]
    assert made.secrets == ["correct horse"]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://iam.example/v3", "https://iam.example/v3"),
        ("https://iam.example/v3/", "https://iam.example/v3"),
        ("https://iam.example", "https://iam.example"),
        ("http://127.0.0.1:5000/v3", "http://127.0.0.1:5000/v3"),
    ],
)
def test_another_iam_can_be_set(url: str, expected: str) -> None:
    credential = config(USER, HW_AUTH_URL=url).credential

    assert isinstance(credential, UserSettings)
    assert credential.auth_url == expected


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        *[(url, IAM) for url in ("", "https://u@iam", "https://iam/v3?a", "https://iam//v3", "https://iam:0/v3")],
        ("http://iam.example/v3", PLAIN_HTTP),
    ],
)
def test_a_password_goes_only_where_it_is_safe(url: str, fault: str) -> None:
    assert faults(USER, HW_AUTH_URL=url) == [f"HW_AUTH_URL {fault}{'' if url else EMPTY}"]


def test_without_a_region_iam_must_be_named() -> None:
    env = {**USER, "REAPER_API_ENDPOINT": "https://api.example"}
    del env["HW_REGION_NAME"]

    assert faults(env) == ["HW_AUTH_URL must be set"]


def test_an_iam_user_needs_a_list_of_projects() -> None:
    env = {name: value for name, value in USER.items() if name != "REAPER_ALLOWED_PROJECT_IDS"}

    assert faults(env) == ["REAPER_ALLOWED_PROJECT_IDS must be set with HW_USER_NAME"]
    assert faults(env, REAPER_GUARDS="strict") == [
        "REAPER_ALLOWED_PROJECT_IDS must be set with REAPER_GUARDS=strict and HW_USER_NAME"
    ]


@pytest.mark.parametrize("name", ["HW_USER_NAME", "HW_DOMAIN_NAME"])
@pytest.mark.parametrize("value", ["", " ", " a", "a ", "a\nb", "a\x00", "\u2028"])
def test_a_name_that_is_no_line_is_a_fault(name: str, value: str) -> None:
    fault = f"{name} must be printable characters, without white space at either end"
    assert faults(USER, **{name: value}) == [fault + ("" if value else EMPTY)]


def test_a_key_may_have_a_security_token() -> None:
    made, temporary = config(KEY), config(KEY, HW_SECURITY_TOKEN="st")

    access, secret, security = (
        Secret("HW_ACCESS_KEY", "KEY"),
        Secret("HW_SECRET_KEY", "s1"),
        Secret("HW_SECURITY_TOKEN", "st"),
    )
    assert made.credential == KeySettings(access, secret)
    assert temporary.credential == KeySettings(access, secret, security)
    assert (made.secrets, temporary.secrets) == (["KEY", "s1"], ["KEY", "s1", "st"])


@pytest.mark.parametrize(
    ("env", "missing"),
    [
        ({**KEY, "HW_ACCESS_KEY": None}, "HW_ACCESS_KEY"),
        ({**KEY, "HW_SECRET_KEY": None}, "HW_SECRET_KEY"),
        ({**USER, "HW_USER_PASSWORD": None}, "HW_USER_PASSWORD"),
    ],
)
def test_half_a_credential_is_none(env: dict[str, str | None], missing: str) -> None:
    told = faults({name: value for name, value in env.items() if value is not None})

    assert told == [f"either {missing} or {missing}_FILE must be set"]


@pytest.mark.parametrize("name", ["HW_USER_NAME", "HW_DOMAIN_NAME"])
def test_a_user_without_a_name_is_none(name: str) -> None:
    assert faults({key: value for key, value in USER.items() if key != name}) == [f"{name} must be set"]


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ({"HW_USER_NAME": "reaper"}, "a token (HW_AUTH_TOKEN); an IAM user (HW_USER_NAME)"),
        ({"HW_SECURITY_TOKEN": "x"}, "a token (HW_AUTH_TOKEN); an access key (HW_SECURITY_TOKEN)"),
        (
            {"HW_ACCESS_KEY_FILE": "x", "HW_SECRET_KEY": "x", "HW_USER_PASSWORD": "x"},
            "a token (HW_AUTH_TOKEN); an IAM user (HW_USER_PASSWORD);"
            " an access key (HW_ACCESS_KEY_FILE, HW_SECRET_KEY)",
        ),
    ],
)
def test_two_kinds_of_credential_are_one_too_many(more: dict[str, str], found: str) -> None:
    assert faults(**more) == [f"exactly one kind of credential must be set; found: {found}"]


@pytest.mark.parametrize(
    ("env", "name"),
    [
        (MINIMUM, "HW_AUTH_TOKEN"),
        (USER, "HW_USER_PASSWORD"),
        (KEY, "HW_ACCESS_KEY"),
        (KEY, "HW_SECRET_KEY"),
        ({**KEY, "HW_SECURITY_TOKEN": "x"}, "HW_SECURITY_TOKEN"),
    ],
)
def test_each_secret_can_be_in_a_file(tmp_path: Path, env: dict[str, str], name: str) -> None:
    path = tmp_path / "secret"
    path.write_text("from-the-file\n")
    rest = {key: value for key, value in env.items() if key != name}

    made = config(rest, **{f"{name}_FILE": str(path)})

    assert f"{name}_FILE" in repr(made.credential)
    assert env[name] not in made.secrets
    assert faults(env, **{f"{name}_FILE": str(path)}) == [f"either {name} or {name}_FILE must be set"]
    absent = tmp_path / "absent"
    assert faults(rest, **{f"{name}_FILE": str(absent)}) == [
        f"{name}_FILE: cannot read {absent}: No such file or directory"
    ]


def test_the_files_of_a_key_lie_together(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("x")
    env = {
        "HW_REGION_NAME": "cn-north-4",
        "HW_ACCESS_KEY_FILE": str(tmp_path / "a" / "file"),
        "HW_SECRET_KEY_FILE": str(tmp_path / "b" / "file"),
    }

    assert faults(env) == ["the files of the key are not in one directory: being rotated?"]


@pytest.mark.parametrize("value", ["", " ", "t t", "t\n", "\u00fc", "t\x00", "t" * 32769], ids=ascii)
@pytest.mark.parametrize("name", ["HW_AUTH_TOKEN", "HW_SECRET_KEY", "HW_ACCESS_KEY", "HW_SECURITY_TOKEN"])
def test_a_secret_that_is_broken_is_a_fault_that_does_not_show_it(name: str, value: str) -> None:
    env = MINIMUM if name in MINIMUM else KEY
    fault = f"{name} must hold printable ASCII characters without white space around (not shown)"

    assert {*faults(env, **{name: value})} == {fault}


def test_the_origins_are_all_that_will_be_asked() -> None:
    made = config(USER, K_SINK="http://broker/a", HW_AUTH_URL="https://iam.example/v3")

    assert made.origins == [made.endpoints["taurusdb"], "https://iam.example/v3", "http://broker/a"]
    assert config().origins == [config().endpoints["taurusdb"]]


def test_a_token_by_value_is_a_secret_of_ours() -> None:
    assert config().secrets == ["t1"]


# All of it.

SECRETS: Final = ["HW_AUTH_TOKEN", "HW_USER_PASSWORD", "HW_ACCESS_KEY", "HW_SECRET_KEY", "HW_SECURITY_TOKEN"]
VALUES: Final[dict[str, tuple[list[str], list[str]]]] = {
    "REAPER_API_ENDPOINT": (["https://a", "http://localhost:1"], ["", "http://a", "https://a/b"]),
    "HW_REGION_NAME": (["cn-north-4"], []),  # wrong only matters without an endpoint
    "REAPER_ALLOWED_PROJECT_IDS": ([PROJECT], ["", "x"]),
    "REAPER_API_LANGUAGE": (["zh-cn"], ["", "de"]),
    "REAPER_DEADLINE_SECONDS": (["5"], ["", "0", "1000"]),
    "REAPER_EVENT_SOURCE": (["/x"], ["", " "]),
    "REAPER_ACCEPTED_EVENT_TYPES": (["a"], ["", *RESULT_TYPES]),
    "REAPER_MAX_EVENT_BYTES": (["1"], ["", "0"]),
    "REAPER_PAUSED": (["true", "false"], ["", "on"]),
    "REAPER_DRY_RUN": (["true", "false"], ["", "on"]),
    "REAPER_GUARDS": (["strict", "off"], ["", "on"]),
    "REAPER_MIN_AGE_DAYS": (["1"], ["", "0"]),
    "REAPER_KEEP_LAST": (["1"], ["", "-1"]),
    "REAPER_HOLD_WORDS": (["ab,c d"], ["", ",", "x"]),
    "REAPER_MAX_EVENT_AGE_SECONDS": (["1"], ["", "1s"]),
    "REAPER_LOG_LEVEL": (["DEBUG"], ["", "debug"]),
    "THREADS": (["1"], ["", "0"]),
    "REQUESTS_CA_BUNDLE": (["/"], ["/nonexistent"]),
    "K_SINK": (["http://a/b"], ["", "x"]),
    "K_CE_OVERRIDES": (["{}", ""], ["{"]),
    "DEBUG": ([], ["", "1"]),
    "REAPER_UNHEARD_OF": ([], ["", "1"]),
}


def settings() -> st.SearchStrategy[dict[str, tuple[str, bool]]]:
    """Some variables, each with its value and whether that is right."""

    def value(right: list[str], wrong: list[str]) -> st.SearchStrategy[tuple[str, bool]]:
        return st.sampled_from([*((text, True) for text in right), *((text, False) for text in wrong)])

    return st.fixed_dictionaries({}, optional={name: value(*values) for name, values in VALUES.items()})


@given(settings(), st.sampled_from([MINIMUM, USER, KEY, {}]))
def test_every_fault_is_named_and_nothing_else(chosen: dict[str, tuple[str, bool]], credential: dict[str, str]) -> None:
    env = {**credential, **{name: value for name, (value, _) in chosen.items()}}
    wrong = {name for name, (_, right) in chosen.items() if not right}
    if not credential:
        wrong |= {"credential"} | ({"HW_REGION_NAME"} - env.keys() if "REAPER_API_ENDPOINT" not in env else set())
    if env.get("REAPER_GUARDS") == "strict" and "REAPER_ALLOWED_PROJECT_IDS" not in env:
        wrong.add("REAPER_ALLOWED_PROJECT_IDS")
    try:
        Config.from_env(env)
    except ConfigError as error:
        assert {"credential" if "credential" in part else part.split(" ")[0] for part in told(str(error))} == wrong
    else:
        assert not wrong


@given(
    st.dictionaries(
        st.sampled_from([*VALUES, "HW_USER_NAME", "HW_DOMAIN_NAME", "HW_AUTH_URL", "HW_AUTH_TOKEN_FILE"])
        | st.text(ID_LETTERS + "_", max_size=10).map("REAPER_".__add__)
        | st.text(max_size=5),
        st.text(max_size=20)
        | st.sampled_from([value for right, wrong in VALUES.values() for value in [*right, *wrong]]),
    ),
    st.dictionaries(st.sampled_from(SECRETS), secrets()),
    st.sampled_from(["", " ", "\n", "\u00fc", "x" * 32768]),
)
@example({"HW_REGION_NAME": "cn-north-4"}, {"HW_AUTH_TOKEN": "5ecret-token"}, "")
@example({"REQUESTS_CA_BUNDLE": "x" * 5000}, {}, "")
@example({"HW_AUTH_TOKEN_FILE": "x" * 5000}, {}, "")
@example({"K_CE_OVERRIDES": "\udcff"}, {}, "")
def test_any_environment_is_a_configuration_or_one_error_without_a_secret(
    env: dict[str, str], secret: dict[str, str], end: str
) -> None:
    assume(not any(value.startswith("5ecret") for value in env.values()))
    env = {**env, **{name: value + end for name, value in secret.items()}}
    try:
        shown = repr(Config.from_env(env))
    except ConfigError as error:
        shown = str(error)

    assert not any(value in shown for value in secret.values())


@pytest.mark.parametrize("env", [MINIMUM, USER, {**KEY, "HW_SECURITY_TOKEN": "st"}])
def test_a_configuration_shows_no_secret(env: dict[str, Any]) -> None:
    marked = {name: f"5ecret-{name}" if name in SECRETS else value for name, value in env.items()}

    assert "5ecret" not in f"{config(marked)} {config(marked)!r}"
    assert "5ecret" in repr(config(marked).secrets)


def test_strict_bounds_the_age_of_an_event_and_a_setting_can_only_tighten_it() -> None:
    strict = {"REAPER_GUARDS": "strict", "REAPER_ALLOWED_PROJECT_IDS": PROJECT}

    assert config(**strict, REAPER_MAX_EVENT_AGE_SECONDS="3600").policy.max_event_age == timedelta(hours=1)
    assert faults(**strict, REAPER_MAX_EVENT_AGE_SECONDS="86401") == [
        "REAPER_MAX_EVENT_AGE_SECONDS must be at most 86400 with REAPER_GUARDS=strict"
    ]


def test_what_is_in_force_names_every_setting_and_of_a_credential_only_the_variables() -> None:
    in_force = config(USER, REAPER_DRY_RUN="true").in_force()

    assert in_force.keys() == {field.name for field in fields(Config)}
    assert in_force["credential"] == ["HW_USER_PASSWORD"]
    assert in_force["policy"] == asdict(Policy(dry_run=True, allowed_projects=frozenset({PROJECT})))
    assert USER["HW_USER_PASSWORD"] not in str(in_force)


def test_of_a_sink_only_the_host_is_logged_since_its_path_can_be_a_secret() -> None:
    in_force = config(
        K_SINK="http://broker.example:8080/5ecret?a=b", K_CE_OVERRIDES='{"extensions": {"a": "b"}}'
    ).in_force()

    assert in_force["sink"] == {
        "url": "http://broker.example:8080",
        "extensions": {"a": "b"},
        "token_file": None,
        "certificates": 0,
    }


FUNCTIONGRAPH: Final = {"REAPER_PLATFORM": "functiongraph", "HW_REGION_NAME": "cn-north-4"}
CHANNEL: Final = {"REAPER_EVENTGRID_CHANNEL_ID": "7f1e5c1e-8f0a", "REAPER_EVENTGRID_SOURCE": "backup-reaper-results"}


class TestFunctionGraph:
    def test_no_credential_is_configured(self) -> None:
        found = config(FUNCTIONGRAPH)

        assert found.platform == "functiongraph"
        assert found.credential == AgencySettings()
        assert found.sink is None
        assert found.secrets == []
        assert found.in_force()["credential"] == []

    @pytest.mark.parametrize("name", ["HW_AUTH_TOKEN", "HW_USER_NAME", "HW_ACCESS_KEY", "HW_SECURITY_TOKEN_FILE"])
    def test_one_that_is_configured_all_the_same_is_a_fault(self, name: str) -> None:
        [fault] = faults(FUNCTIONGRAPH, **{name: "x"})

        assert fault == f"{name} must not be set: on FunctionGraph the agency's keys are used"

    def test_a_channel_is_where_results_go(self) -> None:
        found = config({**FUNCTIONGRAPH, **CHANNEL})

        assert found.sink == EventGridSettings(
            url="https://eg.cn-north-4.myhuaweicloud.com", channel_id="7f1e5c1e-8f0a", source="backup-reaper-results"
        )
        assert "https://eg.cn-north-4.myhuaweicloud.com" in found.origins

    def test_its_endpoint_can_be_another(self) -> None:
        found = config({**FUNCTIONGRAPH, **CHANNEL}, REAPER_EVENTGRID_ENDPOINT="https://eg.example:8443")

        assert found.sink
        assert found.sink.url == "https://eg.example:8443"

    def test_where_there_is_no_eventgrid_it_must_be_given(self) -> None:
        assert faults({**FUNCTIONGRAPH, **CHANNEL}, HW_REGION_NAME="af-south-1") == [
            "REAPER_EVENTGRID_ENDPOINT must be set"
        ]

    @pytest.mark.parametrize("name", CHANNEL)
    def test_one_half_of_a_channel_is_a_fault(self, name: str) -> None:
        half = {other: value for other, value in CHANNEL.items() if other != name}

        assert faults({**FUNCTIONGRAPH, **half}) == [f"{name} must be set"]

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("REAPER_EVENTGRID_CHANNEL_ID", "a/b"),
            ("REAPER_EVENTGRID_SOURCE", "/backup-reaper"),
            ("REAPER_EVENTGRID_ENDPOINT", "http://eg.example"),
            ("REAPER_PLATFORM", "lambda"),
        ],
    )
    def test_a_value_that_can_never_work_is_a_fault(self, name: str, value: str) -> None:
        assert faults({**FUNCTIONGRAPH, **CHANNEL, name: value})[0].startswith(f"{name} must be")

    def test_two_places_for_results_are_a_fault(self) -> None:
        [fault] = faults({**FUNCTIONGRAPH, **CHANNEL}, K_SINK="http://sink.example")

        assert fault.startswith("K_SINK must not be set with REAPER_EVENTGRID_CHANNEL_ID")

    @pytest.mark.parametrize("name", [*CHANNEL, "REAPER_EVENTGRID_ENDPOINT"])
    def test_elsewhere_a_channel_is_a_fault(self, name: str) -> None:
        [fault] = faults(**{name: "https://x"})

        assert fault.startswith(f"{name} needs REAPER_PLATFORM=functiongraph")
