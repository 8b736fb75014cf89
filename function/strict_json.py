"""JSON from outside, read strictly."""

import json
import math
import re
import threading
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, Final

MAX_NUMBER_CHARS: Final = 400  # a double needs fewer, and int() takes quadratic time
MAX_SEPARATORS: Final = 20_000  # the longest page, 100 backups with some 25 members each, needs less than half
LARGE_BYTES: Final = 1 << 14
MAX_DEPTH: Final = 100  # deeper values could be read, but not written again further down the stack


def read_json(text: bytes) -> object:
    """Read JSON as RFC 8259 defines it.

    Where the RFC leaves behaviour open (duplicate names, huge numbers, lone surrogates), refuse, as I-JSON (RFC 7493)
    does.

    Raises:
        ValueError: its message says what is wrong, and never shows what was read.
    """
    if len(text) > MAX_SEPARATORS and sum(map(text.count, (b",", b":", b"[", b"{"))) > MAX_SEPARATORS:
        raise ValueError(f"it holds too much: more than {MAX_SEPARATORS} commas, colons and brackets")
    with _TURN if len(text) > LARGE_BYTES else nullcontext():
        return _read(text)


def _read(text: bytes) -> object:
    try:
        decoded = text.decode()
        if decoded.startswith("\ufeff"):
            raise ValueError("it begins with a byte order mark (BOM)")
        value: object = _DECODER.decode(decoded)
        if decoded.count("[") + decoded.count("{") > MAX_DEPTH:  # otherwise it cannot be that deep
            _refuse_depth(value)
        if _SURROGATE.search(decoded):  # only an escape can hold half of a surrogate pair
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8: byte {error.start} is wrong") from None
    except UnicodeEncodeError:
        raise ValueError("half of a surrogate pair in a string") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return value


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("an object names a member twice")
    return members


def _refuse_depth(value: object) -> None:
    level: list[Any] = [[value]]
    for _ in range(MAX_DEPTH + 1):
        insides = [outer.values() if isinstance(outer, dict) else outer for outer in level]
        level = [inner for inside in insides for inner in inside if isinstance(inner, dict | list)]
        if not level:
            return
    raise ValueError("nested too deeply")


def _refuse_constant(_: str) -> object:
    raise ValueError("NaN and Infinity are not JSON")


def _number(convert: Callable[[str], float]) -> Callable[[str], float]:
    def read(digits: str) -> float:
        if len(digits) > MAX_NUMBER_CHARS or abs(number := convert(digits)) == math.inf:
            raise ValueError("a number is too long or too large")
        return number

    return read


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_int=_number(int), parse_float=_number(float)
)
_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")
_TURN: Final = threading.Lock()  # large texts are read one after the other: many at once fill the memory
