"""Names that were meant to be others: what counts as a typing error, and what is a name of its own."""

import string
import unicodedata
from itertools import product

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from function.near_names import near

MEMBERS = ("project_id", "backup_id", "instance_id", "dry_run")
ATTRIBUTES = ("projectid", "backupid", "instanceid", "dryrun", "expirytime")
VARIABLES = ("REAPER_DRY_RUN", "REAPER_KEEP_LAST", "HW_AUTH_TOKEN", "REAPER_GUARDS")


@pytest.mark.parametrize("known", [MEMBERS, ATTRIBUTES, VARIABLES, frozenset(MEMBERS)])
def test_a_known_name_was_meant_as_it_is(known: tuple[str, ...]) -> None:
    assert [near(name, known) for name in known] == [None] * len(known)


@pytest.mark.parametrize(
    "name",
    [
        *("dryRun", "DryRun", "DRY_RUN", "dry-run", "dryrun", "dry run", "dry_run ", " dry_run", "dry.run", "dry/run"),
        *("__d-r_y-run__", "dry\nrun", "dry\u2013run", "dry\u00a0run", "d\u00adry_run", "dry\u200b_run", "dry_run\x00"),
        *(
            "\uff44\uff52\uff59\uff3f\uff52\uff55\uff4e",
            "\U0001d41dry_run",
            "dry_ru\u0144",
            "dr\u00fd_run",
            "\u24b9ry_run",
        ),
        *("dr\u0443_run", "d\u0433\u0443_run", "\u0501r\u0443_r\u03c5n"),  # Cyrillic, Greek
        *("dry_rum", "dryrn", "dr_run", "dry_rnu", "rdy_run", "rdy_rnu", "dry_runs", "drry_runn", "d_run", "ry_ru"),
        *("rxdy_run", "yr_run", "dry_uxrn", "dry_nr", "dry_rnxu"),  # two changed places, one came or went between them
        "dry_ru\ufdfa",  # one character that spells eighteen
    ],
    ids=ascii,
)
def test_another_spelling_and_a_misspelling_are_near(name: str) -> None:
    assert near(name, MEMBERS) == "dry_run"


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("R\u0415APER_DRY_RUN", "REAPER_DRY_RUN"),  # a Cyrillic letter
        ("\u0420\u0415\u0410\u0420\u0415\u0420_DRY_RUN", "REAPER_DRY_RUN"),  # five of them
        ("REAPR_DRY_RUN", "REAPER_DRY_RUN"),
        ("REPAER_KEEP_LAST", "REAPER_KEEP_LAST"),
        ("REAPER_KEEP_LATEST", "REAPER_KEEP_LAST"),
        ("reaper_guards", "REAPER_GUARDS"),
        ("HW_AUTHTOKEN", "HW_AUTH_TOKEN"),
        ("KEEP_LAST", None),
    ],
    ids=ascii,
)
def test_names_of_variables_are_near_in_the_same_way(name: str, meant: str | None) -> None:
    assert near(name, VARIABLES) == meant


@pytest.mark.parametrize(
    "name",
    [
        *("", "_", "id", "dry", "run", "dry_dock", "reason", "policy", "engine", "region", "name", "retention", "type"),
        *("correlationid", "causationid", "partitionkey", "sequence", "sequencetype", "sampledrate", "traceparent"),
        *(
            "tracestate",
            "dataref",
            "recordedtime",
            "severitytext",
            "severitynumber",
            "authtype",
            "authid",
            "authclaims",
        ),
        *("knativearrivaltime", "knativebrokerttl", "knativeerrorcode", "knativeerrordata", "knativeerrordest"),
        *("subject", "time", "ttl", "traceid", "bam", "time_zone", "description", "databases", "begin_time", "status"),
    ],
)
def test_another_word_is_a_name_of_its_own(name: str) -> None:
    """Among them the extensions that CloudEvents documents, and those that Knative's brokers add."""
    assert near(name, MEMBERS + ATTRIBUTES) is None


def test_the_nearest_of_several_was_meant() -> None:
    assert near("instance_ids", ("instance_iid", "instance_id")) == "instance_id"
    assert near("backup_ids", {"backup_id2", "backup_idx"}) == "backup_id2"  # as near: the first by the alphabet
    assert near("keepLast", ("keep_east", "keep_last")) == "keep_last"


@pytest.mark.parametrize(
    ("name", "meant"), [("prt", "port"), ("post", "port"), ("poets", None), ("sort", "port"), ("portal", None)]
)
def test_a_short_name_allows_one_typing_error(name: str, meant: str | None) -> None:
    assert near(name, ["port"]) == meant


@pytest.mark.parametrize("name", ["expiry", "dryrunning", "drywall", "ydr_nur", "dr", "backup_identifier", "instances"])
def test_three_typing_errors_are_too_many(name: str) -> None:
    assert near(name, ("dry_run", "backup_id", "expirytime")) is None


def typed_wrong(name: str, kind: str, at: int, character: str) -> str:
    """A name with one typing error."""
    at %= len(name)
    match kind:
        case "missing":
            return name[:at] + name[at + 1 :]
        case "added":
            return name[:at] + character + name[at:]
        case "wrong":
            return name[:at] + character + name[at + 1 :]
        case _:
            return name[:at] + name[at : at + 2][::-1] + name[at + 2 :]


kinds = st.sampled_from(["missing", "added", "wrong", "swapped"])
errors = st.tuples(kinds, st.integers(0, 20), st.characters() | st.sampled_from(string.ascii_letters + string.digits))


@given(st.sampled_from(MEMBERS + ATTRIBUTES + VARIABLES), st.integers(1, 5), errors, errors | st.none())
@example("dry_run", 3, ("wrong", 0, "\ufdfa"), ("wrong", 3, "\ufb03"))
def test_no_one_or_two_typing_errors_pass_in_silence(
    name: str, middle: int, first: tuple[str, int, str], second: tuple[str, int, str] | None
) -> None:
    """Two are in different places of the name."""
    known = next(names for names in (MEMBERS, ATTRIBUTES, VARIABLES) if name in names)
    left, right = name[:middle], name[middle:]
    wrong = typed_wrong(left, *first) + typed_wrong(right, *second) if second else typed_wrong(name, *first)
    assume(wrong not in known)

    assert near(wrong, known) is not None


def spells_nothing(character: str) -> bool:
    return not any(map(str.isalnum, unicodedata.normalize("NFKD", character)))


@given(st.sampled_from(MEMBERS), st.data())
def test_no_spelling_passes_in_silence(name: str, data: st.DataObject) -> None:
    """Any case, and anything that is no letter and no digit between, before and after."""
    separators = st.text(st.characters().filter(spells_nothing), max_size=2)
    letters = [data.draw(st.sampled_from([letter, letter.upper()])) for letter in name if letter.isalpha()]
    spelt = "".join(data.draw(separators) + letter for letter in letters) + data.draw(separators)
    assume(spelt != name)

    assert near(spelt, MEMBERS) == name


def distance(one: str, other: str) -> int:
    """The optimal string alignment distance, by its textbook table."""
    table = {(i, 0): i for i in range(len(one) + 1)} | {(0, j): j for j in range(len(other) + 1)}
    for i, j in product(range(1, len(one) + 1), range(1, len(other) + 1)):
        table[i, j] = min(table[i - 1, j] + 1, table[i, j - 1] + 1, table[i - 1, j - 1] + (one[i - 1] != other[j - 1]))
        if i > 1 and j > 1 and one[i - 2 : i] == other[j - 2 : j][::-1]:
            table[i, j] = min(table[i, j], table[i - 2, j - 2] + 1)
    return table[len(one), len(other)]


@given(st.text("abc", max_size=9), st.text("abc", min_size=1, max_size=9))
def test_typing_errors_are_counted_as_the_textbook_counts_them(name: str, known: str) -> None:
    assume(name != known)

    assert (near(name, [known]) == known) == (distance(name, known) <= (2 if len(known) >= 6 else 1))
