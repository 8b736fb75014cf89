"""Which known name a misspelt one was probably meant to be: a typing error must not switch a safety check off."""

import unicodedata
from collections.abc import Collection
from functools import cache
from typing import Final

SHORT: Final = 6  # a name of fewer letters and digits has too many neighbours at two typing errors


def near(name: str, known: Collection[str]) -> str | None:
    """The known name that `name` was probably meant to be; None if there is none, or if `name` is known itself.

    Only letters and digits are compared, whatever their case, width, accents and alphabet. They may differ by two
    typing errors, or by one where the known name is short. A typing error is a character that is missing, added or
    wrong, or two neighbours that changed places.
    """
    if name in known:
        return None
    # The second form is for a wrong character that the first one writes as several, such as a ligature.
    forms = {_letters(name), "".join(filter(str.isalnum, name.lower()))}
    distances = [
        (distance, candidate)
        for candidate in known
        for form in forms
        if (distance := _distance(form, candidate)) is not None
    ]
    return min(distances)[1] if distances else None


def _letters(name: str) -> str:
    """The letters and digits of a name in small letters, in Latin where they look Latin, without accents."""
    text = unicodedata.normalize("NFKC", name).translate(_LATIN).casefold()
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKD", text)))


_letters_of_known = cache(_letters)


def _distance(form: str, known: str) -> int | None:
    """How many typing errors there are in a form of a known name; None if there are too many for it."""
    letters = _letters_of_known(known)
    most = 2 if len(letters) >= SHORT else 1
    # A typing error takes away one letter at most. That settles nearly every name, and fast: each delivery comes here.
    if abs(len(form) - len(letters)) > most or len({*letters}.difference(form)) > most:
        return None
    return next((errors for errors in range(most + 1) if _differ_by_at_most(errors, form, letters)), None)


def _differ_by_at_most(errors: int, one: str, other: str) -> bool:
    """Whether so many typing errors, or fewer, turn one text into the other."""
    if abs(len(one) - len(other)) > errors:
        return False
    first = next((at for at, (left, right) in enumerate(zip(one, other, strict=False)) if left != right), None)
    if first is None:
        return True  # one of them ends where the other goes on
    if errors == 0:
        return False
    one, other = one[first:], other[first:]
    rests = [(one[1:], other[1:]), (one[1:], other), (one, other[1:])]
    if one[:2] == other[1::-1]:
        rests.append((one[2:], other[2:]))
    # Two that changed places, with a character that was added between them, or is missing there.
    around = [(one[3:], other[2:])] if one[:3:2] == other[1::-1] else []
    around += [(one[2:], other[3:])] if other[:3:2] == one[1::-1] else []
    if errors == 2 and any(left == right for left, right in around):
        return True
    return any(_differ_by_at_most(errors - 1, *rest) for rest in rests)


# Each Latin letter, then the Cyrillic and Greek ones that look like it: Unicode Technical Standard 39, confusables.txt.
_LOOKALIKES: Final = (
    "A\u0410\u0391 B\u0412\u0392 C\u0421 E\u0415\u0395 H\u041d\u0397 I\u0406\u0399 J\u0408 K\u041a\u039a M\u041c\u039c"
    " N\u039d O\u041e\u039f P\u0420\u03a1 S\u0405 T\u0422\u03a4 X\u0425\u03a7 Y\u0423\u03a5 Z\u0396 a\u0430\u03b1"
    " c\u0441 d\u0501 e\u0435 h\u04bb i\u0456\u03b9\u0131 j\u0458 o\u043e\u03bf p\u0440\u03c1 q\u051b"
    " s\u0455 u\u03c5 v\u03bd w\u051d x\u0445 y\u0443\u03b3"
)
_LATIN: Final = str.maketrans({like: group[0] for group in _LOOKALIKES.split() for like in group[1:]})
