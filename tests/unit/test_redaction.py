"""Secrets in text from outside: found in every spelling that programs use, and nothing else touched."""

import base64
import html
import json
import re
import textwrap
import time
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from function.redaction import (
    FRAGMENT,
    MAX_LAYERS,
    MAX_SEARCHED_CHARS,
    REDACTED,
    SHORT,
    Redactor,
    redactor_of,
)
from tests.doubles.echoing import STYLES
from tests.facts.strategies import json_values

TOKEN: Final = "MIIq5ecret/by+value&more=="
PASSWORD: Final = 'a 5ecret "horse" & <cart>\\100%41'
SECRETS: Final = [TOKEN, PASSWORD]

Spelling = Callable[[str], str]


def _json(text: str) -> str:
    return json.dumps(text)[1:-1]


def _in_json(text: str) -> str:
    return json.dumps({"auth": {"password": text}})


SPELLINGS: Final[dict[str, Spelling]] = {
    "as it is": str,
    "in JSON": _in_json,
    "in JSON in JSON in JSON": lambda text: _json(_json(_in_json(text))),
    **{f"in JSON {style}": spell for style, spell in STYLES.items()},
    "all escaped twice": lambda text: STYLES["all escaped"](STYLES["all escaped"](text)),
    "in upper-case JSON escapes": lambda text: "".join(f"\\u{ord(one):04X}" for one in text),
    "in JavaScript": lambda text: "".join(f"\\x{ord(one):02x}" for one in text),
    "for HTML": html.escape,
    "for HTML, without quotes": lambda text: html.escape(text, quote=False),
    "for XML": lambda text: html.escape(text).replace("&#x27;", "&apos;"),
    "for HTML, in decimal": lambda text: "".join(f"&#{ord(one)};" for one in text),
    "for HTML, in decimal with zeros": lambda text: "".join(f"&#{ord(one):05};" for one in text),
    "for HTML, in hexadecimal": lambda text: "".join(f"&#x{ord(one):x};" for one in text),
    "for HTML, in hexadecimal with zeros": lambda text: "".join(f"&#X{ord(one):04X};" for one in text),
    "for HTML twice": lambda text: html.escape(html.escape(text)),
    "for a URL": lambda text: quote(text, safe=""),
    "for a URL, in lower case": lambda text: "".join(f"%{ord(one):02x}" for one in text),
    "for a form": quote_plus,
    "for a URL twice": lambda text: quote(quote(text)),
    "for a URL in JSON in HTML": lambda text: html.escape(_in_json(quote(text))),
}
LINES: Final[dict[str, Spelling]] = {
    "in lines": lambda text: "\n".join(text[start : start + 5] for start in range(0, len(text), 5)),
    "in indented lines": lambda text: "\r\n\t ".join(text[start : start + 3] for start in range(0, len(text), 3)),
    "in lines in JSON": lambda text: _json("\n".join(text[start : start + 5] for start in range(0, len(text), 5))),
}
ENCODINGS: Final[Mapping[str, Spelling]] = {
    "in base64": lambda text: base64.b64encode(text.encode()).decode(),
    "in base64 for a URL": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "in base64 in lines": lambda text: base64.encodebytes(text.encode()).decode(),
    "in base64 in JSON": lambda text: json.dumps(base64.b64encode(text.encode()).decode()).replace("/", "\\/"),
}
printable = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="\\%&"), min_size=SHORT, max_size=60
)
# Characters that make escapes, so that a secret looks like one.
escapes = st.text("\\%&;#xu0412367nqtampl\"'/<>= +", max_size=20)
confusing = st.builds("{}5ecret{}OfHorses{}".format, escapes, escapes, escapes)


# Two thirds of a secret are a part of it, but no fewer than 9 characters, and no more than 12.
LEAST: Final = {8: 8, 9: 9, 10: 9, 11: 9, 12: 9, 13: 9, 14: 10, 15: 10, 16: 11, 17: 12, 18: 12, 19: 12}


def least(secret: str) -> int:
    return LEAST.get(len(secret), FRAGMENT)


def parts_of(secret: str, length: int = FRAGMENT) -> set[str]:
    return {secret[start : start + length] for start in range(len(secret) - length + 1)}


class TestASecretInAText:
    @pytest.mark.parametrize("spelling", [*SPELLINGS, *LINES])
    @pytest.mark.parametrize("secret", SECRETS)
    def test_is_redacted_in_every_spelling(self, secret: str, spelling: str) -> None:
        spelt = (SPELLINGS | LINES)[spelling](secret)

        redacted = Redactor([secret]).redact_text(f"you sent {spelt}.")

        around = '[{}a-z&;%0-9: \\\\"]*'  # of the body that was quoted
        assert re.fullmatch(rf"you sent {around}\[redacted\]{around}\.", redacted)
        assert parts_of(secret, 5).isdisjoint(parts_of(redacted, 5))

    def test_is_redacted_though_characters_of_no_secret_stand_in_it(self) -> None:
        text = f"{TOKEN[:7]}&#128;{TOKEN[7:14]}&#999;{TOKEN[14:21]}&#200;{TOKEN[21:]}"

        assert Redactor([TOKEN]).redact_text(f"&#255; {text}, sorry") == f"&#255; {REDACTED}, sorry"

    def test_is_redacted_in_base64_also_at_the_end_of_a_text(self) -> None:
        assert Redactor([TOKEN]).redact_text(ENCODINGS["in base64"](TOKEN)) == REDACTED

    @pytest.mark.parametrize("before", ["", "x", "xy", "xyz"])
    @pytest.mark.parametrize("encoding", ENCODINGS)
    @pytest.mark.parametrize("secret", [*SECRETS, "8 chars!", "long enough " * 20])
    def test_is_redacted_in_base64_to_its_end(self, secret: str, encoding: str, before: str) -> None:
        spelt = ENCODINGS[encoding](f"{before}{secret}")

        redacted = Redactor([secret]).redact_text(f"you sent {spelt}; sorry")

        assert redacted.startswith("you sent ")
        assert REDACTED in redacted
        assert redacted.endswith("; sorry")
        assert len(redacted) < len(f"you sent {REDACTED}; sorry") + 9

    def test_is_redacted_as_often_as_it_is_cut_short(self) -> None:
        redactor = Redactor(["Tr0ub4dor&3"])

        assert redactor.redact_text("Tr0ub4dor, Tr0ub4dor&Tr0ub4dor") == f"{REDACTED}, {REDACTED}{REDACTED}"

    def test_is_redacted_in_the_base64_of_urls_where_that_is_another(self) -> None:
        secret = "~?>~?>~?>~?>~?>"

        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            assert Redactor([secret]).redact_text(encode(secret.encode()).decode()) == REDACTED

    @pytest.mark.parametrize(
        "text", [TOKEN[:FRAGMENT], TOKEN[-FRAGMENT:], TOKEN[5 : 5 + FRAGMENT], f"{TOKEN[:20]}…", TOKEN[3:]]
    )
    def test_is_redacted_also_if_it_is_cut_short(self, text: str) -> None:
        redacted = Redactor([TOKEN]).redact_text(f"got {text}, sorry")

        assert redacted in (f"got {REDACTED}, sorry", f"got {REDACTED}…, sorry")

    def test_is_redacted_also_if_it_is_a_password_that_is_cut_short(self) -> None:
        redactor = Redactor(["Tr0ub4dor&3", "5ecret/of+horse"])

        assert redactor.redact_text("wrong password Tr0ub4dor&...") == f"wrong password {REDACTED}..."
        assert redactor.redact_text("...ub4dor&3 is wrong") == "...ub4dor&3 is wrong"  # it could be a word
        assert redactor.redact_text("...0ub4dor&3 or ...t/of+horse") == f"...{REDACTED} or ...{REDACTED}"
        assert redactor.suspects(b"5ecret/of+")

    @pytest.mark.parametrize("length", LEAST)
    def test_is_redacted_from_two_thirds_of_its_length_on(self, length: int) -> None:
        secret = "5ecret/Of+Horses&Cows"[:length]
        redactor = Redactor([secret])

        for size in range(1, length + 1):
            shown = size < LEAST[length]
            for part in parts_of(secret, size):
                assert redactor.redact_text(f"got: {part}...") == f"got: {part if shown else REDACTED}..."
                assert redactor.suspects(f"got: {quote(part, safe='')}...".encode()) != shown

    @pytest.mark.parametrize("encoding", ENCODINGS)
    @pytest.mark.parametrize("secret", ["9 chars!!", "Tr0ub4dor&3", "5ecret/of+horse"])
    def test_is_redacted_also_if_its_base64_is_cut_short(self, secret: str, encoding: str) -> None:
        spelt = ENCODINGS[encoding](secret)

        assert Redactor([secret]).redact_text(f"got {spelt[: len(spelt) * 3 // 4]}...").endswith(f"{REDACTED}...")

    def test_is_redacted_each_time_and_what_is_between_stays(self) -> None:
        assert Redactor(SECRETS).redact_text(f"{TOKEN} und \u4f60 {quote(TOKEN)}{PASSWORD}") == (
            f"{REDACTED} und \u4f60 {REDACTED}{REDACTED}"
        )

    def test_is_redacted_whole_where_one_secret_begins_with_another(self) -> None:
        assert Redactor(["5ecret12", "5ecret12and-more"]).redact_text("a 5ecret12and-more b") == f"a {REDACTED} b"

    @pytest.mark.parametrize(
        ("secret", "text"),
        [
            ("41bcdefg", "50%41bcdefg"),  # together with what is before it looks like an escape
            ("n5ecret9", "C:\\n5ecret9"),
            ("amp;5ecret", "&amp;5ecret"),
        ],
    )
    def test_is_redacted_where_it_stands_as_it_is_whatever_is_before(self, secret: str, text: str) -> None:
        assert Redactor([secret]).finds(text.encode())
        assert Redactor([secret]).redact_text(text) == text.replace(secret, REDACTED)

    def test_is_found_under_many_layers_of_escapes(self) -> None:
        text = TOKEN
        for _ in range(MAX_LAYERS):
            text = quote(text, safe="")

        assert Redactor([TOKEN]).redact_text(text) == REDACTED

    @given(
        printable | confusing,
        st.lists(st.sampled_from(sorted(SPELLINGS)), max_size=3),
        st.sampled_from([None, *sorted(LINES)]),
    )
    @example("%41&lt;\\u0042\\\\x435ecretOfHorses", ["for a URL", "for HTML", "in JSON"], None)
    @example("5ecret/of=horses", ["all escaped twice"], "in indented lines")
    def test_is_redacted_in_any_spelling_of_any_spelling(
        self, secret: str, spellings: list[str], lines: str | None
    ) -> None:
        assume(secret.strip("\\ +") == secret)  # at its ends they may stay, and tell nothing
        spelt = secret
        for spelling in spellings:
            spelt = SPELLINGS[spelling](spelt)
        assume(lines != "in lines in JSON" or spelt == secret.replace("\\", ""))  # a cut escape is not escaped again
        spelt = LINES[lines](spelt) if lines else spelt
        assume(len(spelt) < MAX_SEARCHED_CHARS // 2)
        redactor = Redactor([secret])

        redacted = redactor.redact_text(f"it was {spelt}.")

        assert redactor.finds(f"it was {spelt}.".encode())
        assert REDACTED in redacted
        assert not redactor.finds(redacted.replace(REDACTED, "\0").encode())

    @given(printable, st.data())
    def test_is_redacted_from_the_first_character_of_a_part_to_its_last(self, secret: str, data: st.DataObject) -> None:
        start = data.draw(st.integers(0, len(secret) - least(secret)))
        end = data.draw(st.integers(start + least(secret), len(secret)))

        redacted = Redactor([secret]).redact_text(f"\u00fc\u4f60 {secret[start:end]} \u00fc\u4f60")

        assert redacted == f"\u00fc\u4f60 {REDACTED} \u00fc\u4f60"


class TestAnythingElse:
    def test_is_untouched(self) -> None:
        text = '{"a": "%41 \\u00fc &amp; \\\\", "b": "weekly\n backup"}'

        redactor = Redactor([*SECRETS, "my weekly back-up of 2026"])
        assert not redactor.suspects(text.encode())
        assert redactor.redact_text(text) == text

    @given(printable, st.data())
    def test_is_untouched_also_if_it_has_short_pieces_of_a_secret(self, secret: str, data: st.DataObject) -> None:
        assume("|" not in secret)
        pieces = data.draw(st.lists(st.integers(0, len(secret)).map(lambda start: secret[start:][: least(secret) - 1])))
        text = "|".join(pieces)
        redactor = Redactor([secret])

        assert redactor.redact_text(text) == text
        assert not redactor.suspects(text.encode())

    @given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=SHORT - 1), json_values)
    @example("a", {"a": ["a", 1, None]})
    @example("%41", {"A": "%41A"})
    def test_is_untouched_though_it_spells_a_short_secret_otherwise(self, secret: str, value: Any) -> None:
        def replaced(value: Any) -> Any:
            if isinstance(value, str):
                return value.replace(secret, REDACTED)
            if isinstance(value, dict):
                return {replaced(name): replaced(inner) for name, inner in value.items()}
            return [replaced(inner) for inner in value] if isinstance(value, list) else value

        assert Redactor([secret]).redact(value) == replaced(value)

    @given(st.text('ab"\\/ ', min_size=1, max_size=SHORT - 1), json_values)
    def test_is_not_overlooked_where_json_spells_a_short_secret(self, secret: str, value: Any) -> None:
        for encode in (json.dumps, lambda value: STYLES["all escaped"](value)):
            text = encode(f"it is {secret}")
            assert Redactor([secret]).suspects(text.encode())

    def test_is_untouched_though_a_password_begins_with_one_of_its_words(self) -> None:
        redactor = Redactor(["Password123!", "database1", "my-instance-2"])
        text = "Password of the database instance: Password12"

        assert redactor.redact_text(text) == f"Password of the database instance: {REDACTED}"

    def test_is_untouched_by_no_secret(self) -> None:
        for redactor in (Redactor([]), Redactor([""])):
            assert not redactor.suspects(b"")
            assert redactor.redact({"": ["", 1]}) == {"": ["", 1]}

    @pytest.mark.parametrize("text", [b"", b"x", b"12345", b"1234567", b"12345678", b"123456789012"])
    def test_may_be_of_any_length(self, text: bytes) -> None:
        assert not Redactor([TOKEN]).suspects(text)


class TestAJsonValue:
    def test_is_redacted_in_texts_and_names_however_deep(self) -> None:
        value = {"a": [{TOKEN: [f"an {TOKEN}", 1, None, True, 1.5]}], "b": quote(TOKEN)}

        assert Redactor([TOKEN]).redact(value) == {
            "a": [{REDACTED: [f"an {REDACTED}", 1, None, True, 1.5]}],
            "b": REDACTED,
        }


class TestASecretThatIsUselessInPart:
    """A signature, say."""

    def test_is_redacted_only_as_a_whole(self) -> None:
        signature = "0123456789abcdef" * 4
        redactor = Redactor([signature], parts=False)

        assert redactor.redact_text(f"Signature={signature[:-1]}") == f"Signature={signature[:-1]}"
        assert not redactor.suspects(signature[:-1].encode())
        for spelt in (signature, textwrap.fill(signature, 20), STYLES["all escaped"](signature)):
            assert redactor.suspects(spelt.encode())
            assert redactor.redact_text(f"Signature={spelt}") == f"Signature={REDACTED}"


class TestWhatItCosts:
    def test_a_long_text_that_shows_a_secret_is_redacted_as_a_whole(self) -> None:
        redactor, spelt = Redactor([TOKEN]), quote(TOKEN)
        filler = "x" * (MAX_SEARCHED_CHARS - len(spelt))

        assert redactor.redact_text(filler + spelt) == filler + REDACTED
        assert redactor.redact_text(f"{filler}x{spelt}") == REDACTED
        assert redactor.redact_text(f"{filler}x{TOKEN}") == f"{filler}x{REDACTED}"  # as it is, it is found at once
        assert redactor.redact_text(filler * 2) == filler * 2

    @pytest.mark.parametrize(
        "text",
        [
            "x" * (1 << 20),
            "&" + "amp;" * (1 << 18),
            "&amp;" * 200_000,
            "\\" * (1 << 20),
            "%25" * 300_000,
            "%2525252525252525|" * 60_000,
            "&#" + "0" * (1 << 20),
            "\\u00" * (1 << 18),
            (TOKEN[:11] + "|") * 80_000,
        ],
        ids=lambda text: text[:8],
    )
    def test_no_text_of_a_megabyte_takes_long(self, text: str) -> None:
        redactor = Redactor([TOKEN])
        began = time.process_time()
        redactor.suspects(text.encode())
        redactor.redact_text(text)
        redactor.redact_text(text[:MAX_SEARCHED_CHARS] + TOKEN)
        assert time.process_time() - began < 5

    def test_a_redactor_is_kept_for_secrets_that_are_used_again(self) -> None:
        assert redactor_of(TOKEN, PASSWORD) is redactor_of(TOKEN, PASSWORD)
        assert redactor_of(TOKEN).redact_text(PASSWORD) == PASSWORD
