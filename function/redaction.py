"""Finds secrets in text from outside, as programs spell what they were sent, and redacts them.

A secret is found in JSON inside JSON, escaped for HTML, percent-encoded, in base64, wrapped into lines, or cut short.
"""

import base64
import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import compress
from operator import and_
from typing import Any, Final

REDACTED: Final = "[redacted]"
SHORT: Final = 8  # a secret of fewer characters is found only as it is: any more would be found in ordinary words
FRAGMENT: Final = 12  # so many characters of a secret in a row are a part of it, and no coincidence
MAX_SEARCHED_CHARS: Final = 1 << 14  # a longer text that shows a secret is redacted as a whole: searching takes time
MAX_LAYERS: Final = 8  # of escapes around escapes
MAX_ESCAPES: Final = 40_000  # in all layers: decoding takes time
_ENCODED_CHARS: Final = 48  # of a secret are looked for in base64; what follows them there is redacted too

# What JSON, JavaScript, HTML and URLs write for an ASCII character. Backslashes double with each layer of JSON.
_ESCAPE: Final = re.compile(
    rb"(?<!\\)\\+(?:u00([0-7][0-9A-Fa-f])|x([0-7][0-9A-Fa-f])|[bfnrt])|%([0-7][0-9A-Fa-f])"
    rb"|&(?:#[xX]0{0,4}([0-7]?[0-9A-Fa-f])|#0{0,4}([0-9]{1,3})|(amp|lt|gt|quot|apos));"
)
_NAMED: Final = {b"amp": b"&", b"lt": b"<", b"gt": b">", b"quot": b'"', b"apos": b"'"}
_SPACE: Final = b" \t\r\n\v\f"
_BASE64: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_=")
_TO_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")
_WIDE: Final = re.compile("[^\x00-\xff]")
_Span = tuple[int, int]


class Redactor:
    """Redacts some secrets.

    Args:
        secrets: of printable ASCII characters.
        parts: false for secrets that are useless in part, such as a signature.
    """

    def __init__(self, secrets: Iterable[str], *, parts: bool = True) -> None:
        self._secrets = sorted({secret for secret in secrets if secret}, key=len, reverse=True)
        literals = [secret.encode() for secret in self._secrets]
        folded = [_fold(spelt) for literal in literals for spelt in {literal, literal.replace(b" ", b"+")}]
        self._short = [needle for needle in folded if len(needle) < SHORT]
        self._literals = [literal for literal in literals if len(literal) >= SHORT]
        self._plain = _Parts((needle for needle in folded if len(needle) >= SHORT), _least if parts else len)
        self._encoded = _Parts((needle for literal in literals if parts for needle in _in_base64(literal)), _least)

    def suspects(self, text: bytes) -> bool:
        """Whether it is worth the time to redact a text; quick where it is not."""
        if self.finds(text):
            return True
        folded = _fold(text) if self._short else b""
        return any(needle in folded for needle in self._short)

    def finds(self, text: bytes) -> bool:
        """Whether a text shows a secret that is not short, or a part of one."""
        if not self._secrets:
            return False
        folded = _fold(text)
        return (
            any(literal in text for literal in self._literals)
            or any(self._plain.spans(folded))
            or any(self._encoded.spans(folded))
        )

    def redact(self, value: Any) -> Any:
        """A JSON value with each secret, and each part of one, replaced in its texts and names."""
        if isinstance(value, str):
            return self.redact_text(value)
        if isinstance(value, dict):
            return {self.redact(name): self.redact(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [self.redact(inner) for inner in value]
        return value

    def redact_text(self, text: str) -> str:
        """A text with each secret, and each part of one, replaced."""
        for secret in self._secrets:
            text = text.replace(secret, REDACTED)
        narrow = _WIDE.sub("\x80", text).encode("latin-1")  # a byte for each character
        if not self.finds(narrow):
            return text
        if len(text) > MAX_SEARCHED_CHARS:
            return REDACTED
        folded, places = _fold_with_places(narrow)
        for start, end in reversed(_merged(self._marks(folded))):
            text = text[: places[start][0]] + REDACTED + text[places[end - 1][1] :]
        return text

    def _marks(self, folded: bytes) -> Iterator[_Span]:
        """Where a folded text shows a secret or a part of one; the spans may overlap."""
        yield from self._plain.spans(folded)
        end = 0
        for start, least_end in sorted(self._encoded.spans(folded)):
            end = max(end, least_end)  # no character is passed twice, however many parts stand in one base64
            while end < len(folded) and folded[end] in _BASE64:
                end += 1
            yield start, end


class _Parts:
    """Finds the parts of some needles, which are made once: a token has tens of thousands.

    Args:
        least: of how many characters a part of a needle is.
    """

    def __init__(self, needles: Iterable[bytes], least: Callable[[bytes], int]) -> None:
        self._few = set[bytes]()
        self._shingles = set[int]()
        for needle in needles:
            size = least(needle)
            if size == FRAGMENT < len(needle):
                self._shingles.update(*(_shingles(needle, start) for start in range(8)))
            else:
                self._few |= {needle[start : start + size] for start in range(len(needle) - size + 1)}

    def spans(self, folded: bytes) -> Iterator[_Span]:
        """Where a folded text shows a part; the spans may overlap."""
        for part in self._few:
            start = folded.find(part)
            while start >= 0:
                yield start, start + len(part)
                start = folded.find(part, start + 1)
        if all(self._shingles.isdisjoint(_shingles(folded, start)) for start in (0, 4)):  # one lies in every FRAGMENT
            return
        # Twelve characters are a part if the first eight and the last eight are: looking them up needs no other set.
        known = bytearray(len(folded))
        for start in range(8):
            shingles = _shingles(folded, start)
            known[start : start + 8 * len(shingles) : 8] = bytes(map(self._shingles.__contains__, shingles))
        for start in compress(range(len(folded)), map(and_, known, known[FRAGMENT - 8 :])):
            yield start, start + FRAGMENT


@lru_cache(maxsize=32)
def redactor_of(*secrets: str) -> Redactor:
    """A redactor of secrets that are used again and again."""
    return Redactor(secrets)


def _character(escape: re.Match[bytes]) -> bytes:
    kind = escape.lastindex
    if kind is None:  # an escaped line end or the like
        return b" "
    written = escape[kind]
    if kind == 6:
        return _NAMED[written]
    code = int(written, 10 if kind == 5 else 16)
    return bytes([code]) if code < 0x80 else b" "


def _fold(text: bytes) -> bytes:
    """What all spellings of a text have in common."""
    left = MAX_ESCAPES
    for _ in range(MAX_LAYERS):
        text = text.translate(None, _SPACE)  # before decoding: a line may end within an escape
        if not (b"\\" in text or b"%" in text or b"&" in text):
            break
        text, count = _ESCAPE.subn(_character, text, left // 2)  # some are left for the layers within
        if not count:
            break
        left -= count
    return text.translate(None, _SPACE + b"\\")


def _fold_with_places(text: bytes) -> tuple[bytes, list[_Span]]:
    """A text folded, and for each of its characters the span in the text that it was made of."""
    places = [(start, start + 1) for start in range(len(text))]
    for _ in range(MAX_LAYERS):
        text, places = _without(_SPACE, text, places)
        decoded, where, done = bytearray(), list[_Span](), 0
        for escape in _ESCAPE.finditer(text):
            start, end = escape.span()
            decoded += text[done:start] + _character(escape)
            where += [*places[done:start], (places[start][0], places[end - 1][1])]
            done = end
        if not done:
            break
        text, places = bytes(decoded + text[done:]), [*where, *places[done:]]
    return _without(_SPACE + b"\\", text, places)


def _without(dropped: bytes, text: bytes, places: list[_Span]) -> tuple[bytes, list[_Span]]:
    return text.translate(None, dropped), [*compress(places, (char not in dropped for char in text))]


def _least(needle: bytes) -> int:
    """How many characters of a secret in a row are a part of it."""
    # Whoever sees two thirds of a password can guess the rest. Words of SHORT letters stand in many a password, and in
    # many an answer: "password", "database", "instance".
    return min(FRAGMENT, len(needle), max(SHORT + 1, -(-len(needle) * 2 // 3)))


def _shingles(folded: bytes, start: int) -> memoryview:
    """Eight characters each, as numbers, one after the other."""
    return memoryview(folded)[start : len(folded) - (len(folded) - start) % 8].cast("Q")


def _in_base64(secret: bytes) -> list[bytes]:
    """What is in every base64 of a text that holds a secret, wherever it stands in the text."""
    needles = set[bytes]()
    for before in range(3):
        text = bytes(before) + secret[:_ENCODED_CHARS]
        needle = base64.b64encode(text)[(before * 8 + 5) // 6 : len(text) * 8 // 6]
        needles |= {needle, needle.translate(_TO_URL_SAFE)}
    return [*needles] if len(secret) >= SHORT else []


def _merged(spans: Iterable[_Span]) -> list[_Span]:
    merged: list[_Span] = []
    for start, end in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
