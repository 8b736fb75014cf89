"""What the property tests draw from; each strategy says which rule it follows."""

import json
import string
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from hypothesis import strategies as st

from function.exchange import Answer

ID_LETTERS: Final = string.ascii_letters + string.digits

# What docs/events.md says of an event's data.
project_ids = st.text(ID_LETTERS, min_size=32, max_size=32)
backup_ids = st.text(ID_LETTERS + "-", min_size=1, max_size=64)

# Near enough to an id to slip through a careless check, and dangerous in a path.
_DANGEROUS: Final = ["", ".", "..", "/", "../backups", "%2e%2e", "x?y", "x#y", "x\n", "\u0661", "\uff11", "a" * 65]
near_ids = (
    st.sampled_from(_DANGEROUS)
    | project_ids
    | backup_ids
    | st.builds("{}{}".format, backup_ids, st.sampled_from(["\n", "\r", "\x00", "/", ".", "%2f", "\u00e9", " "]))
    | st.text(max_size=70)
)

# RFC 8259; numbers within the bounds of `read_json`, no lone surrogates (RFC 7493 §2.1).
json_texts = st.text(st.characters(codec="utf-8"), max_size=12)
json_scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | json_texts
json_values = st.recursive(
    json_scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(json_texts, inner, max_size=4),
    max_leaves=8,
)
json_objects = st.dictionaries(json_texts, json_values, max_size=4)

# Bytes that begin, end or go on like JSON, and bytes that don't.
json_like = st.text('{}[]":,.\\ \n0123456789eE+-nulltruefasNIiy\u00fc\ud7ff', max_size=30).map(str.encode)
any_bytes = st.binary(max_size=60) | json_like | json_values.map(json.dumps).map(str.encode)

# CloudEvents 1.0.2 "Type System", String: no controls, no noncharacters, no lone surrogates.
_PLANE_ENDS: Final = [plane << 16 | low for plane in range(17) for low in (0xFFFE, 0xFFFF)]
_NONCHARACTERS: Final = "".join(map(chr, [*range(0xFDD0, 0xFDF0), *_PLANE_ENDS]))
attribute_characters = st.characters(exclude_categories=["Cc", "Cs"], exclude_characters=_NONCHARACTERS)
attribute_texts = st.text(attribute_characters, max_size=20)

# Extension attributes: spec "Naming Conventions"; short enough for every encoder.
RESERVED: Final = frozenset(
    [
        "specversion",
        "id",
        "source",
        "type",
        "subject",
        "time",
        "datacontenttype",
        "dataschema",
        "data",
        "extensions",  # the SDK takes it for its own bag of them
    ]
)
extension_names = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=20).filter(
    lambda name: name not in RESERVED
)

# RFC 3986 §4.1, in forms that need no judgement.
_PATH: Final = st.text(string.ascii_letters + string.digits + "-._~:@!$&'()*+,;=/", max_size=20)
uri_references = st.builds(
    "{}{}{}".format,
    st.sampled_from(["/x/", "./", "//host/", "https://host:8443/", "urn:x:", "?", "#", "%C3%BC/"]),
    _PATH,
    st.sampled_from(["", "?a=b", "%20"]),
)

instants = st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30), timezones=st.just(UTC))


def valid_attributes() -> st.SearchStrategy[dict[str, str]]:
    """The attributes of an event as we write them: those that it must have, some others, some extensions."""
    required = {
        "specversion": st.just("1.0"),
        "id": attribute_texts.filter(bool),
        "source": uri_references,
        "type": attribute_texts.filter(bool),
        "time": instants.map(lambda time: time.isoformat()),  # the SDK would make one up
    }
    optional = {
        "subject": attribute_texts.filter(bool),
        "dataschema": uri_references.map("urn:x/".__add__),
    }
    extensions = st.dictionaries(extension_names, attribute_texts, max_size=3)
    return st.builds(
        lambda core, more: {**more, **core}, st.fixed_dictionaries(required, optional=optional), extensions
    )


# Answers of the API: what it documents, what its siblings send, and what anything between it and us could send.
ERROR_CODES: Final = [
    *("DBS.201203", "DBS.201010", "DBS.280214", "DBS.290013", "DBS.200002", "DBS.200044", "DBS.200010", "DBS.280056"),
    *("DBS.201205", "DBS.201208", "DBS.108000", "APIGW.0101", "APIG.0101", "APIGW.0301", "APIGW.0308", "APIG.0201"),
    *("IAM.0004", "BackupService.6201", "", "404", "NO_ERROR_CODE"),
]
_codes = st.sampled_from(ERROR_CODES) | json_scalars
_errors = st.builds(lambda code, text: {"error_code": code, "error_msg": text}, _codes, json_scalars) | st.builds(
    lambda code, text: {"errCode": code, "externalMessage": text}, _codes, json_scalars
)
_nested_errors = st.builds(
    lambda level, code, text: {level: {"code": code, "message": text}},
    st.sampled_from(["error", "itemNotFound"]),
    _codes,
    json_scalars,
)
_successes = st.builds(
    lambda backup_id, more: {"backup_id": backup_id, **more},
    json_scalars | backup_ids,
    st.just({}) | _errors | _nested_errors | st.just({"backup_name": "weekly"}),
)
_bodies = (
    st.just(b"")
    | any_bytes
    | (_errors | _nested_errors | _successes | json_objects).map(json.dumps).map(str.encode)
    | st.just(b"<html>it works</html>")
)
answer_headers = st.dictionaries(st.sampled_from(["x-request-id", "retry-after", "location"]), json_texts)
answers = st.builds(
    Answer, st.integers(100, 599) | st.sampled_from([200, 202, 204, 400, 404, 409]), answer_headers, _bodies
)


def list_bodies(backup_id: str) -> st.SearchStrategy[object]:
    """Bodies for the list call, from exactly the backup asked for to anything at all."""
    ours = st.just({"id": backup_id, "name": "weekly", "type": "manual", "status": "COMPLETED"})
    items = st.lists(ours | st.fixed_dictionaries({"id": json_scalars | backup_ids}) | json_values, max_size=3)
    counts = st.integers(-1, 3) | json_scalars
    return st.builds(lambda backups, count: {"backups": backups, "total_count": count}, items, counts) | json_values


def secrets() -> st.SearchStrategy[str]:
    """Texts that no message holds by chance."""
    return st.text(string.ascii_letters + string.digits, min_size=8, max_size=20).map("5ecret-{}".format)


def as_json(body: object, headers: Mapping[str, str] | None = None, status: int = 200) -> Answer:
    """An answer with a JSON body."""
    return Answer(status, headers or {}, json.dumps(body).encode())
