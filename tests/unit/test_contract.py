"""Our events: what makes a command of an event, and an event of an outcome. The tables are those of docs/events.md."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, get_args
from uuid import UUID

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from function.backups import Backup, DeleteBackup, Deleted, Failed, Outcome, Skipped
from function.errors import NotAnEventError
from function.events.binding import Event, Unreadable
from function.events.contract import (
    DELETED,
    EXPIRED,
    FAILED,
    MEMBERS,
    OTHER_WORDS,
    RESULT_TYPES,
    SCHEMAS,
    SKIPPED,
    read_command,
    write_result,
)
from tests.facts.account import BACKUP, NOW, PROJECT
from tests.facts.strategies import (
    ID_LETTERS,
    attribute_texts,
    backup_ids,
    json_scalars,
    json_values,
    near_ids,
    project_ids,
)

ENGINES: Final = {"taurusdb": False, "rds": True, "dds": False}
IDS: Final[dict[str, Any]] = {"project_id": PROJECT, "backup_id": BACKUP}
ENVELOPE: Final = {"specversion": "1.0", "id": "42", "source": "/policies/weekly", "type": EXPIRED}
WEEKLY: Final = Backup(
    id=BACKUP,
    name="weekly",
    instance_id="i1",
    type="manual",
    status="COMPLETED",
    begin_time=datetime(2020, 7, 6, 10, 41, 14, tzinfo=UTC),
    description="before the upgrade",
)
ALL_OUTCOMES: Final[list[Outcome]] = [
    Deleted(),
    Failed(error_code="DBS.201208", error_msg="not allowed"),
    Skipped(reason="dry_run", message="it was only asked for"),
]


def event(data: object, **attributes: str | bool | int) -> Event:
    return Event({**ENVELOPE, **attributes}, data, "binary")


def command(data: object, **attributes: str | bool | int) -> DeleteBackup | Failed:
    return read_command(event(data, **attributes), {EXPIRED}, ENGINES)


def faults(data: object, **attributes: str | bool | int) -> str:
    """The message that is in the result event if the data does not fit."""
    failed = command(data, **attributes)
    assert isinstance(failed, Failed)
    assert failed == Failed(error_code="INVALID_EVENT", error_msg=failed.error_msg)
    return failed.error_msg


def result(
    outcome: Outcome,
    data: object = IDS,
    *,
    now: datetime = NOW,
    trace: Mapping[str, str] | None = None,
    **attributes: str | bool | int,
) -> tuple[dict[str, str], dict[str, object]]:
    return write_result(
        event(data, **attributes), outcome, ENGINES, source="/backup-reaper", now=now, trace=trace or {}
    )


# Event in.


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, DeleteBackup(**IDS)),
        ({"dry_run": True}, DeleteBackup(**IDS, dry_run=True)),
        ({"dry_run": False}, DeleteBackup(**IDS)),
        ({"instance_id": "6ab7in07"}, DeleteBackup(**IDS, instance_id="6ab7in07")),
        (
            {"backup_id": "2f4ddb93-b901-4b08-93d8-1d2e472f30fe"},
            DeleteBackup(project_id=PROJECT, backup_id="2f4ddb93-b901-4b08-93d8-1d2e472f30fe"),
        ),
        ({"endpoint": "https://evil.example", "region": "x", "token": "x", "path": "/v3"}, DeleteBackup(**IDS)),
        ({"retention": {"days": 7}, "": None, "id": 1}, DeleteBackup(**IDS)),
    ],
)
def test_a_command_takes_the_known_members_and_ignores_the_others(more: dict[str, Any], expected: Any) -> None:
    assert command(IDS | more) == expected


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"engine": "taurusdb"}, DeleteBackup(**IDS)),
        ({"engine": "dds"}, DeleteBackup(**IDS, engine="dds")),
        ({"engine": "rds", "instance_id": "i1"}, DeleteBackup(**IDS, engine="rds", instance_id="i1")),
    ],
)
def test_a_command_is_for_one_engine(more: dict[str, Any], expected: DeleteBackup) -> None:
    assert command(IDS | more) == expected


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ({"engine": "oracle"}, "data.engine must be one of taurusdb, rds, dds"),
        ({"engine": "RDS"}, "data.engine must be one of taurusdb, rds, dds"),
        ({"engine": None}, "data.engine must be one of taurusdb, rds, dds"),
        ({"engine": ["rds"]}, "data.engine must be one of taurusdb, rds, dds"),
        ({"Engine": "rds"}, "unknown member data.Engine; did you mean engine?"),
        ({"engine": "rds"}, "data.instance_id must be there with the engine rds: its backups are listed by instance"),
    ],
)
def test_an_engine_that_does_not_fit_is_named(more: dict[str, Any], fault: str) -> None:
    assert faults(IDS | more) == fault


@pytest.mark.parametrize("outcome", ALL_OUTCOMES, ids=lambda outcome: type(outcome).__name__)
def test_the_default_engine_changes_nothing_in_a_result_and_any_other_changes_its_id(outcome: Outcome) -> None:
    before, data = result(outcome)

    assert result(outcome, IDS | {"engine": "taurusdb"}) == (before, data)
    attributes, dds_data = result(outcome, IDS | {"engine": "dds"})
    assert attributes["id"] != before["id"]
    assert dds_data == {**data, "engine": "dds"}
    assert result(outcome, IDS | {"engine": "oracle"}) == (before, data)


@pytest.mark.parametrize("length", [1, 64])
def test_an_id_has_1_to_64_characters(length: int) -> None:
    data = {"project_id": PROJECT, "backup_id": "b" * length, "instance_id": "i" * length}

    assert command(data) == DeleteBackup(project_id=PROJECT, backup_id="b" * length, instance_id="i" * length)


@pytest.mark.parametrize("time", ["2026-03-01T13:00:00+01:00", "2026-03-01T12:00:00Z", "2026-03-01t12:00:00.000z"])
def test_a_command_is_judged_and_expires_when_its_event_says(time: str) -> None:
    """`time`, and the documented extension `expirytime`."""
    assert command(IDS, expirytime=time) == DeleteBackup(**IDS, expires=NOW)
    assert command(IDS, time=time) == DeleteBackup(**IDS, judged=NOW)


@pytest.mark.parametrize("subject", [BACKUP, "another", "../backups"])
def test_the_subject_of_a_request_is_ignored(subject: str) -> None:
    assert command(IDS, subject=subject) == DeleteBackup(**IDS)


PROJECT_FAULT: Final = "data.project_id must be a string of 32 ASCII letters and digits"
BACKUP_FAULT: Final = "data.backup_id must be a string of 1 to 64 ASCII letters, digits and hyphens"
INSTANCE_FAULT: Final = "data.instance_id must be a string of 1 to 64 ASCII letters, digits and hyphens"
DRY_RUN_FAULT: Final = "data.dry_run must be true or false"
BAD_TYPES: Final = [None, 1, 1.0, True, [], {}, [BACKUP], {"id": BACKUP}]
# What a client, a gateway or a server could take for another path.
DANGEROUS: Final = ["", ".", "..", "../backups", "a/b", "/", "a.b", "%2e%2e", "%2F", "a?b", "a#b", "a;b", "a\\b"]
FOREIGN: Final = ["\u0661", "\uff11", "\u00e9", "a_b", "a b", " a", "a ", "a\n", "\na", "a\x00", "a\r\n", "a,b", "*"]


@pytest.mark.parametrize("value", [*BAD_TYPES, *DANGEROUS, *FOREIGN, "b" * 65], ids=ascii)
@pytest.mark.parametrize(("member", "fault"), [("backup_id", BACKUP_FAULT), ("instance_id", INSTANCE_FAULT)])
def test_an_id_outside_its_alphabet_never_reaches_a_path(member: str, fault: str, value: object) -> None:
    assert faults(IDS | {member: value}) == fault


@pytest.mark.parametrize(
    "value",
    [*BAD_TYPES, *DANGEROUS, PROJECT[1:], PROJECT + "0", PROJECT + "\n", *(PROJECT[1:] + end for end in "-._\n\u0661")],
    ids=ascii,
)
def test_a_project_id_is_exactly_32_letters_and_digits(value: object) -> None:
    assert faults(IDS | {"project_id": value}) == PROJECT_FAULT


@pytest.mark.parametrize("value", [None, 0, 1, "true", "false", "", [], {}, [True]], ids=repr)
def test_dry_run_is_a_boolean(value: object) -> None:
    assert faults(IDS | {"dry_run": value}) == DRY_RUN_FAULT


def test_of_very_many_faults_the_message_names_ten() -> None:
    """Every byte of the data is the sender's, and the message goes into results and logs."""
    spellings = {"_" * count + "dry_run": True for count in range(1, 2000)}

    told = faults(IDS | spellings)

    assert told.count("unknown member") == 10
    assert told.endswith("; and 1989 more")


@pytest.mark.parametrize(
    ("name", "shown", "member"),
    [
        ("dryRun", ".dryRun", "dry_run"),
        ("DRY_RUN", ".DRY_RUN", "dry_run"),
        ("dry-run", ".dry-run", "dry_run"),
        ("dryrun", ".dryrun", "dry_run"),
        ("__d-r_y-run__", ".__d-r_y-run__", "dry_run"),
        ("dry run", "['dry run']", "dry_run"),
        ("dry_run ", "['dry_run ']", "dry_run"),
        ("dry.run", "['dry.run']", "dry_run"),
        ("dry_run\n", "['dry_run\\n']", "dry_run"),
        ("\uff44\uff52\uff59_run", "['\\uff44\\uff52\\uff59_run']", "dry_run"),
        ("d\u0433\u0443_run", "['d\\u0433\\u0443_run']", "dry_run"),
        ("dry" + "_" * 90 + "run", "['dry_________________']", "dry_run"),
        ("dry_rum", ".dry_rum", "dry_run"),
        ("dryrn", ".dryrn", "dry_run"),
        ("projectId", ".projectId", "project_id"),
        ("backupID", ".backupID", "backup_id"),
        ("backup_ids", ".backup_ids", "backup_id"),
        ("bac\u212aup_id", "['bac\\u212aup_id']", "backup_id"),  # the Kelvin sign
        ("instance-id", ".instance-id", "instance_id"),
        ("INSTANCEID", ".INSTANCEID", "instance_id"),
        ("instnce_id", ".instnce_id", "instance_id"),
        ("instance", ".instance", "instance_id"),
        ("in\u017ftance_id", "['in\\u017ftance_id']", "instance_id"),  # a long s
    ],
    ids=ascii,
)
def test_a_member_that_was_meant_to_be_another_is_a_mistake_that_could_delete(
    name: str, shown: str, member: str
) -> None:
    assert faults(IDS | {name: True}) == f"unknown member data{shown}; did you mean {member}?"


@pytest.mark.parametrize("name", ["expirytime", "expiryTime", "expiry_time", "expiry-time", "EXPIRYTIME", "expirytme"])
def test_an_expiry_in_the_data_is_not_disregarded(name: str) -> None:
    fault = f"unknown member data.{name}; did you mean the attribute expirytime?"

    assert faults(IDS | {name: "2026-03-01T12:00:00Z"}) == fault


@pytest.mark.parametrize(
    "name",
    [
        *sorted(OTHER_WORDS),
        *("dry", "run", "id", "\u0131", "", "policy", "reason", "region", "retention"),
        *("name", "type", "status", "begin_time", "description", "size", "tags", "account", "rule", "created_at"),
        # A policy engine may tell when the backup's time was over.
        *(
            "expiry",
            "expires",
            "expires_at",
            "expiry_date",
            "expiration_time",
            "expired_at",
            "entry_time",
            "expire_after",
        ),
    ],
)
def test_a_member_of_another_name_is_ignored(name: str) -> None:
    assert command(IDS | {name: True}) == DeleteBackup(**IDS)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("dryrun", "data.dry_run"),
        ("dryrn", "data.dry_run"),
        ("dryrum", "data.dry_run"),
        ("instanceid", "data.instance_id"),
        ("instnceid", "data.instance_id"),
        ("projectid", "data.project_id"),
        ("backupid", "data.backup_id"),
        ("expirytme", "expirytime"),
        ("expirtime", "expirytime"),
        ("expirydtime", "expirytime"),
        ("epxirytime", "expirytime"),
    ],
)
@pytest.mark.parametrize("value", [True, "true", 1, ""])
def test_an_extension_that_was_meant_to_be_another_or_to_be_data_is_a_mistake_that_could_delete(
    name: str, meant: str, value: str | bool | int
) -> None:
    """CloudEvents allows an attribute no other spelling of `dry_run` than `dryrun`."""
    assert faults(IDS, **{name: value}) == f"unknown attribute {name}; did you mean {meant}?"


@pytest.mark.parametrize(
    "name",
    [  # documented extensions of CloudEvents; what Knative's brokers add; what others call theirs
        *("authclaims", "authid", "authtype", "causationid", "correlationid", "dataref", "partitionkey"),
        *("recordedtime", "sampledrate", "sequence", "sequencetype", "severitynumber", "severitytext", "traceparent"),
        *("tracestate", "knativearrivaltime", "knativebrokerttl", "knativeerrorcode", "knativeerrordata"),
        *("knativeerrordest", "ttl", "traceid", "tenant", "team", *OTHER_WORDS, "cluster", "namespace"),
        *("expiry", "time0", "policyid"),
    ],
)
def test_an_extension_of_another_name_is_ignored(name: str) -> None:
    assert command(IDS, **{name: "1"}) == DeleteBackup(**IDS)


typing_errors = st.tuples(
    st.sampled_from(["missing", "added", "wrong", "swapped"]), st.integers(0, 20), st.sampled_from(ID_LETTERS.lower())
)


def typed(name: str, error: tuple[str, int, str]) -> str:
    """A name with a typing error."""
    kind, at, character = error
    at %= len(name)
    before, here, after = name[:at], name[at], name[at + 1 :]
    wrong = {"missing": "", "added": character + here, "wrong": character, "swapped": after[:1] + here}
    return before + wrong[kind] + (after[1:] if kind == "swapped" else after)


@given(st.sampled_from([*sorted(MEMBERS), "dryrun", "instanceid", "expirytime"]), st.integers(1, 5), st.data())
def test_no_misspelling_by_one_or_two_characters_passes_in_silence(name: str, middle: int, data: st.DataObject) -> None:
    """In the data or among the attributes; two typing errors are in different places."""
    left, right = name[:middle], name[middle:]
    wrong = typed(left, data.draw(typing_errors)) + data.draw(st.just(right) | typing_errors.map(partial(typed, right)))
    assume(wrong not in {*MEMBERS, "expirytime", *OTHER_WORDS})

    if name in MEMBERS or name == "expirytime":
        assert "; did you mean " in faults(IDS | {wrong: True})
    if name not in MEMBERS:
        assert "; did you mean " in faults(IDS, **{wrong: True})


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (None, "data must be a JSON object"),
        ([], "data must be a JSON object"),
        ([IDS], "data must be a JSON object"),
        ("text", "data must be a JSON object"),
        (42, "data must be a JSON object"),
        (Unreadable("not UTF-8: byte 0 is wrong"), "data is not JSON: not UTF-8: byte 0 is wrong"),
        ({}, f"{PROJECT_FAULT}; {BACKUP_FAULT}"),
    ],
)
def test_data_of_another_form_is_an_event_of_ours_that_does_not_fit(data: object, fault: str) -> None:
    assert faults(data) == fault


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("tomorrow", "is not an RFC 3339 timestamp"),
        ("", "is not an RFC 3339 timestamp"),
        ("2026-03-01", "is not an RFC 3339 timestamp"),
        ("2026-02-30T00:00:00Z", "is not a timestamp between the years 1 and 9999"),
        (1772366400, "is not an RFC 3339 timestamp"),
        (0, "is not an RFC 3339 timestamp"),
        (True, "is not an RFC 3339 timestamp"),
        (False, "is not an RFC 3339 timestamp"),
    ],
)
def test_an_expiry_that_cannot_be_read_is_not_disregarded(value: str | int, why: str) -> None:
    assert faults(IDS, expirytime=value) == f"expirytime {why}"


def test_all_faults_of_an_event_are_told_at_once() -> None:
    data = {"dryRun": True, "project_id": 1, "backup_id": "..", "instance_id": None, "dry_run": "no"}

    assert faults(data, expirytime="never", dryrun=True).split("; ") == [
        "unknown member data.dryRun",
        "did you mean dry_run?",
        PROJECT_FAULT,
        BACKUP_FAULT,
        INSTANCE_FAULT,
        DRY_RUN_FAULT,
        "expirytime is not an RFC 3339 timestamp",
        "unknown attribute dryrun",
        "did you mean data.dry_run?",
    ]


@pytest.mark.parametrize("of_type", [*sorted(RESULT_TYPES), EXPIRED + ".", EXPIRED.upper(), "x"])
def test_an_event_of_another_type_is_refused_whatever_its_data(of_type: str) -> None:
    for data in (IDS, None, Unreadable("x")):
        with pytest.raises(
            NotAnEventError, match=r"^events of this type are not accepted: REAPER_ACCEPTED_EVENT_TYPES says which are$"
        ) as refusal:
            command(data, type=of_type)

        assert refusal.value.status == 400


def test_other_types_can_be_accepted() -> None:
    other = event(IDS, type="com.example.retention.due")

    assert read_command(other, {EXPIRED, "com.example.retention.due"}, ENGINES) == DeleteBackup(**IDS)


known_members = st.fixed_dictionaries(
    {},
    optional={
        "project_id": near_ids | json_scalars,
        "backup_id": near_ids | json_scalars,
        "instance_id": near_ids | json_scalars,
        "dry_run": st.booleans() | json_scalars,
    },
)
near_data = st.builds(
    lambda known, more: {**more, **known}, known_members, st.dictionaries(st.text(max_size=8), json_values, max_size=2)
)


@given(near_data | json_values, attribute_texts | st.none())
@example({**IDS, "backup_id": "x\n"}, None)
@example({**IDS, "project_id": "\u0661" * 32}, None)
def test_whatever_the_data_is_a_command_has_only_ids_of_their_alphabets(data: object, expirytime: str | None) -> None:
    answer = command(data, **({} if expirytime is None else {"expirytime": expirytime}))

    if isinstance(answer, Failed):
        assert answer.error_code == "INVALID_EVENT"
        assert answer.error_msg.isascii()
    else:
        assert len(answer.project_id) == 32
        assert set(answer.project_id) <= set(ID_LETTERS)
        for name in (answer.backup_id, answer.instance_id or "none"):
            assert 1 <= len(name) <= 64
            assert set(name) <= {*ID_LETTERS, "-"}


@given(project_ids, backup_ids, backup_ids | st.none(), st.booleans())
def test_every_valid_command_is_read(project: str, backup: str, instance: str | None, dry_run: bool) -> None:
    data = {"project_id": project, "backup_id": backup, "dry_run": dry_run}
    data |= {} if instance is None else {"instance_id": instance}

    assert command(data) == DeleteBackup(project_id=project, backup_id=backup, instance_id=instance, dry_run=dry_run)


# Event out.


@pytest.mark.parametrize(
    ("outcome", "of_type", "facts"),
    [
        (
            Deleted(backup_name="weekly", response={"backup_id": "other"}, request_id="r1"),
            "dev.backup-reaper.backup.deleted.v1",
            {
                "already_absent": False,
                "backup_name": "weekly",
                "response": {"backup_id": "other"},
                "request_id": "r1",
            },
        ),
        (Deleted(), "dev.backup-reaper.backup.deleted.v1", {"already_absent": False}),
        (
            Deleted(absence="stated", response={"error_code": "DBS.201010"}),
            "dev.backup-reaper.backup.deleted.v1",
            {"already_absent": True, "absence": "stated", "response": {"error_code": "DBS.201010"}},
        ),
        (
            Deleted(absence="not_listed"),
            "dev.backup-reaper.backup.deleted.v1",
            {"already_absent": True, "absence": "not_listed"},
        ),
        (
            Failed(error_code="DBS.201208", error_msg="not allowed", http_status=400, request_id="r1"),
            "dev.backup-reaper.backup.deletion-failed.v1",
            {"error_code": "DBS.201208", "error_msg": "not allowed", "http_status": 400, "request_id": "r1"},
        ),
        (
            Failed(error_code="INVALID_EVENT", error_msg="data must be a JSON object"),
            "dev.backup-reaper.backup.deletion-failed.v1",
            {"error_code": "INVALID_EVENT", "error_msg": "data must be a JSON object"},
        ),
        (
            Skipped(reason="stale_event", message="the event expired"),
            "dev.backup-reaper.backup.deletion-skipped.v1",
            {"reason": "stale_event", "message": "the event expired"},
        ),
        (
            Skipped(reason="dry_run", message="dry", would_delete=WEEKLY),
            "dev.backup-reaper.backup.deletion-skipped.v1",
            {
                "reason": "dry_run",
                "message": "dry",
                "would_delete": {
                    "backup_name": "weekly",
                    "instance_id": "i1",
                    "type": "manual",
                    "status": "COMPLETED",
                    "begin_time": "2020-07-06T10:41:14+00:00",
                },
            },
        ),
        (
            Skipped(reason="dry_run", message="dry", would_delete=Backup(id=BACKUP)),
            "dev.backup-reaper.backup.deletion-skipped.v1",
            {"reason": "dry_run", "message": "dry", "would_delete": {}},
        ),
    ],
)
def test_a_result_says_what_became_of_the_request(outcome: Outcome, of_type: str, facts: dict[str, object]) -> None:
    attributes, data = result(outcome)

    assert attributes == {
        "specversion": "1.0",
        "id": attributes["id"],
        "source": "/backup-reaper",
        "type": of_type,
        "dataschema": attributes["dataschema"],
        "time": "2026-03-01T12:00:00Z",
        "subject": BACKUP,
        "causationid": "42",
    }
    assert data == {**IDS, "request": {"source": "/policies/weekly", "id": "42", "type": EXPIRED}, **facts}


@pytest.mark.parametrize("outcome", ALL_OUTCOMES, ids=lambda outcome: type(outcome).__name__)
def test_a_result_carries_correlation_and_trace_over_and_nothing_else(outcome: Outcome) -> None:
    trace = {"traceparent": "00-1-2-01", "tracestate": "a=b"}
    theirs: dict[str, Any] = {
        "subject": "theirs",
        "time": "2026-01-01T00:00:00Z",
        "partitionkey": "p",
        "traceparent": "theirs",
    }

    attributes, _ = result(outcome, trace=trace, correlationid="c1", **theirs)

    assert {name: attributes.get(name) for name in (*theirs, "tracestate", "correlationid")} == {
        **trace,
        "correlationid": "c1",
        "subject": BACKUP,
        "time": "2026-03-01T12:00:00Z",
        "partitionkey": None,
    }


@pytest.mark.parametrize("correlationid", [7, True, False])
def test_a_correlation_that_is_no_text_is_not_carried_over(correlationid: int) -> None:
    attributes, _ = result(Deleted(), correlationid=correlationid)

    assert "correlationid" not in attributes


@pytest.mark.parametrize(
    ("data", "project_id", "backup_id"),
    [
        ({"project_id": PROJECT, "backup_id": ".."}, PROJECT, None),
        ({"project_id": PROJECT, "backup_id": ""}, PROJECT, None),
        ({"project_id": "x", "backup_id": BACKUP}, None, BACKUP),
        ({"project_id": 1, "backup_id": [BACKUP]}, None, None),
        ([], None, None),
        (None, None, None),
        (Unreadable("x"), None, None),
    ],
)
def test_a_result_names_only_valid_ids(data: object, project_id: str | None, backup_id: str | None) -> None:
    attributes, facts = result(Failed(error_code="INVALID_EVENT", error_msg="x"), data)

    assert (facts["project_id"], facts["backup_id"], attributes.get("subject")) == (project_id, backup_id, backup_id)


def test_what_a_dry_run_tells_of_a_backup_is_of_bounded_length() -> None:
    """The cloud's texts can be of any length."""
    backup = replace(WEEKLY, name="n" * 500_000, instance_id="i" * 500_000, type="t" * 999, status="s" * 999)

    _, data = result(Skipped(reason="dry_run", message="dry", would_delete=backup))

    assert len(json.dumps(data)) < 2000


def test_no_two_kinds_of_result_share_a_type() -> None:
    types = [result(outcome)[0]["type"] for outcome in ALL_OUTCOMES]

    assert types == [DELETED, FAILED, SKIPPED]
    assert {*types} == RESULT_TYPES
    assert len(types) == len(get_args(Outcome))


@pytest.mark.parametrize(
    ("outcome", "result_id", "schema"),
    [
        (Deleted(), "1c5db0fb-0bee-560e-b2f1-8d1c00a2eb0b", "backup.deleted.v1"),
        (Failed(error_code="x", error_msg="x"), "2a18ae05-2213-5a0b-bfe6-c78b66bd557a", "backup.deletion-failed.v1"),
        (Skipped(reason="dry_run", message="x"), "42cd1811-50e0-53d5-b0a5-d158944826a1", "backup.deletion-skipped.v1"),
    ],
)
def test_what_names_a_result_stays_from_release_to_release(outcome: Outcome, result_id: str, schema: str) -> None:
    """Or a redelivery across an upgrade would look like another result."""
    attributes, _ = result(outcome)

    assert attributes["id"] == result_id
    assert attributes["dataschema"] == f"{SCHEMAS}{schema}:data"


requests = st.fixed_dictionaries(
    {
        "source": st.sampled_from(["a", "b", 'a","b', "ab", ""]),
        "id": st.sampled_from(["a", "b", 'b","a', "ab", ""]),
        "project_id": st.sampled_from(["1" * 32, "2" * 32, "a" * 32, "bad"]),
        "backup_id": st.sampled_from(["a", "b", "1" * 32, "a" * 32, "no/id"]),
        "outcome": st.integers(0, len(ALL_OUTCOMES) - 1),
    }
)


def result_id(request: dict[str, Any], now: datetime) -> str:
    data = {name: request[name] for name in ("project_id", "backup_id")}
    attributes, _ = result(ALL_OUTCOMES[request["outcome"]], data, now=now, source=request["source"], id=request["id"])
    return attributes["id"]


def identity(request: dict[str, Any]) -> dict[str, Any]:
    invalid = {"bad": None, "no/id": None}
    return {name: invalid.get(value, value) for name, value in request.items()}


@given(requests, requests, st.datetimes(timezones=st.just(UTC)))
def test_result_ids_are_equal_exactly_for_equal_requests_and_types(
    one: dict[str, Any], other: dict[str, Any], later: datetime
) -> None:
    assert (result_id(one, NOW) == result_id(other, later)) == (identity(one) == identity(other))
    assert UUID(result_id(one, NOW)).version == 5


@given(st.datetimes(timezones=st.just(UTC)))
def test_the_time_of_a_result_is_now(now: datetime) -> None:
    time = result(Deleted(), now=now)[0]["time"]

    assert time.endswith("Z")
    assert datetime.fromisoformat(time) == now


@given(near_data | json_values, attribute_texts)
def test_a_result_is_json_whatever_the_request_was(data: object, correlationid: str) -> None:
    attributes, facts = result(Failed(error_code="INVALID_EVENT", error_msg="x"), data, correlationid=correlationid)

    assert json.loads(json.dumps(facts)) == facts
    assert all(isinstance(value, str) for value in attributes.values())
