"""Finds secrets in text from outside, as programs spell what they were sent, and redacts them.

A secret is found in JSON inside JSON, escaped for HTML, percent-encoded, in base64, wrapped into lines, or cut short.
"""

import base64
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import compress
from typing import Any, Final

REDACTED: Final = "[redacted]"
SHORT: Final = 8  # a secret of fewer characters is found only as it is: any more would be found in ordinary words
FRAGMENT: Final = 12  # so many characters of a secret in a row are a part of it, and no coincidence
MAX_SEARCHED_CHARS: Final = 1 << 14  # a longer text that shows a secret is redacted as a whole: searching takes time
MAX_LAYERS: Final = 8  # of escapes around escapes
MAX_ESCAPES: Final = 20_000  # in a layer: decoding takes time
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
        self._least = FRAGMENT if parts else MAX_SEARCHED_CHARS
        self._short = [needle for needle in folded if len(needle) < SHORT]
        self._needles = [needle for needle in folded if len(needle) >= SHORT]
        self._encoded = [needle for literal in literals for needle in _in_base64(literal)] if parts else []
        self._literals = [literal for literal in literals if len(literal) >= SHORT]
        found = [*self._needles, *self._encoded]
        self._whole = [needle for needle in found if len(needle) < self._least]
        long = [needle for needle in found if len(needle) >= self._least]
        self._shingles = {shingle for needle in long for shingle in _shingles(needle, step=1)}

    def suspects(self, text: bytes) -> bool:
        """Whether it is worth the time to redact a text; quick where it is not."""
        return self.finds(text) or any(needle in _fold(text) for needle in self._short)

    def finds(self, text: bytes) -> bool:
        """Whether a text shows a secret that is not short, or a part of one."""
        if not self._secrets:
            return False
        folded = _fold(text)
        return (
            any(literal in text for literal in self._literals)
            or any(needle in folded for needle in self._whole)
            or self._shows_part(folded)
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

    def _shows_part(self, folded: bytes) -> bool:
        if not self._shingles or self._shingles.isdisjoint(_shingles(folded, step=4)):
            return False
        return len(folded) > MAX_SEARCHED_CHARS or any(self._marks(folded))

    def _marks(self, folded: bytes) -> Iterator[_Span]:
        """Where a folded text shows a secret or a part of one; the spans may overlap."""
        for needle in self._needles:
            yield from _common(folded, needle, min(self._least, len(needle)))
        for needle in self._encoded:
            for start, end in _common(folded, needle, min(self._least, len(needle))):
                while end < len(folded) and folded[end] in _BASE64:
                    end += 1
                yield start, end


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
    for _ in range(MAX_LAYERS):
        text = text.translate(None, _SPACE)  # before decoding: a line may end within an escape
        if not (b"\\" in text or b"%" in text or b"&" in text):
            break
        text, count = _ESCAPE.subn(_character, text, MAX_ESCAPES)
        if not count:
            break
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


def _shingles(folded: bytes, *, step: int) -> list[int]:
    """Eight characters each, as numbers, every few characters: with 4 one lies in every FRAGMENT."""
    view, shingles = memoryview(folded), list[int]()
    for start in range(0, 8, step):
        end = len(folded) - (len(folded) - start) % 8
        shingles += view[start:end].cast("Q").tolist()
    return shingles


def _common(folded: bytes, needle: bytes, least: int) -> Iterator[_Span]:
    """Where a text holds so many characters in a row of a needle."""
    parts = {needle[start : start + least] for start in range(len(needle) - least + 1)}
    for start in range(len(folded)):
        if folded[start : start + least] in parts:
            yield start, start + least


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
