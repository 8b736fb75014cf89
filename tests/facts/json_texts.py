"""JSON texts by the categories of JSONTestSuite: y must be read, n must be refused, i may be either (and says which).

RFC 8259 rules; where it leaves freedom, `read_json` leaves none to the sender. The texts are our own, most of them made
by rule: every control character, every letter after a backslash, every place where a document can break off.
"""

import string
from typing import Final

WHOLE: Final = rb'{"a": [1, -2.5e+3, "x\n\u00fc", {}, [], true, false, null], "": {"b": "c"}}'


def _texts(texts: bytes) -> list[bytes]:
    """Texts that have no blank in them."""
    return texts.split()


Y: Final[dict[str, list[bytes]]] = {
    "numbers": [
        *_texts(b"0 -0 123 -1 0.1 -0.1 1e2 1E2 1e+2 1E-2 0e0 0e+1 1.5e-10 1e308 123456789012345678901234567890"),
        *(b"0." + b"0" * 78 + b"1", b"9" * 400, b"-" + b"9" * 399),
    ],
    "strings": [
        *(b'"%b"' % bytes([code]) for code in range(0x20, 0x7F) if code not in b'"\\'),
        *(b'"\\%b"' % letter.encode() for letter in '"\\/bfnrt'),
        *_texts(rb'"" "\u0000" "\u001F" "\u00e9\u00E9" "\uD83D\uDE00" "\ud83d\ude00" "\\u0000" "\uFFFF"'),
        *(f'"{text}"'.encode() for text in ("\u00e9", "\u20ac", "\U0001f600", "\u2028\u2029\ufeff\uffff\x7f")),
    ],
    "literals": _texts(b"true false null"),
    "structures": [
        *_texts(rb'[] {} [[[]]] {"":0} {"\u0061":1,"b":1} {"a":{"a":{"a":1}}} [true,"true"] {"a":1,"A":1}'),
        *(b" \t\r\n[ \t\r\n1 \t\r\n, \t\r\n2 \t\r\n] \t\r\n", b"[" * 90 + b"]" * 90, WHOLE),
    ],
}

_NO_ESCAPES: Final = sorted(set(string.printable) - set('"\\/bfnrtu'))
_SPACES: Final = "\x00\x0b\x0c\x1a\x85\xa0\u1680\u2003\u2028\u2060\u3000\ufeff"

N: Final[dict[str, list[bytes]]] = {
    "broken off": [WHOLE[:length] for length in range(len(WHOLE))],
    "numbers": [
        *_texts(b"+1 01 -01 00 -00.0 1. .1 -.1 1.e1 1e 1E+ 1e- 0e 1eE2 1.2.3 - --1 1-1 1+1 0x1 0b1 0o7 1_000 1,000"),
        *_texts(b"1n 1f 1e1.5 1/2 NaN -NaN nan Infinity -Infinity +Infinity inf -inf"),
        *_texts("\uff11 \u0661 1\u0661 \u00bd".encode()),
        *(b"- 1", b"1 000"),
    ],
    "strings": [
        *(b'"%b"' % bytes([code]) for code in range(0x20)),
        *(b'"\\%b"' % letter.encode() for letter in _NO_ESCAPES),
        *_texts(rb""" "\u" "\u1" "\u12" "\u123" "\u123g" "\u-123" "\U0061" "\x61" 'a' `a` a "a a" "a\ "a""b" """),
        *_texts('"\\\U0001f600" "\\u\uff11234"'.encode()),
        *(rb'"\u 123"', b'"a" "b"'),
    ],
    "literals": _texts(b"True FALSE Null None nul nulll tru truee undefined void yes"),
    "structures": [
        *_texts(b'[1,] [,1] [1,,2] [,] [1:2] [1} {] ] } [1]] {"a":1}} [1][2] [1], ["a":1] (1) <1> &1 * {1} [1];'),
        *_texts(b'{"a"} {"a":} {"a":1,} {,"a":1} {"a"::1} {"a":1,,"b":2} {"a","b"} {"a"=1} {}{}'),
        *_texts(b"{a:1} {'a':1} {1:1} {null:1} {[]:1} [1/**/] [1]# /*1*/1 \\n [\\n]"),
        *(b"[1 2]", b'{"a" 1}', b'{"a":1 "b":2}', b"1 2", b"[1//\n]", b"[1#\n]"),
    ],
    "spaces": [f"[{space}1]".encode() for space in _SPACES],
    "bytes that are no UTF-8": [
        b'"%b"' % text
        for text in (
            *(
                b"\x80",
                b"\xbf",
                b"\xc3",
                b"\xc3(",
                b"\xe2\x82",
                b"\xe2(\xa1",
                b"\xf0\x9f\x98",
                b"\xf0(\x8c\xbc",
                b"\xe9",
            ),
            *(b"\xc0\x80", b"\xc0\xaf", b"\xc1\xbf", b"\xe0\x80\xaf", b"\xf0\x80\x80\xaf", b"\xfc\x80\x80\x80\x80\xaf"),
            *(
                b"\xed\xa0\x80",
                b"\xed\xbf\xbf",
                b"\xed\xa0\xbd\xed\xb8\x80",
                b"\xf4\x90\x80\x80",
                b"\xf8\x88\x80\x80\x80",
            ),
            *(b"\xff", b"\xfe"),
        )
    ],
}

# What RFC 8259 leaves to the reader, and is refused here: what another reader might take for something else.
I_REFUSED: Final[dict[str, list[bytes]]] = {
    "numbers": [*_texts(b"1e309 -1e309 0.4e0066999999999999999999"), b"9" * 401, b"9" * 5000, b"0." + b"1" * 400],
    "strings": _texts(rb'"\uD800" "\uDFAA" "\uDD1E\uD834" "\uD800\uD800" "\uD800\u0041" "\uD800\n" "a\uDEAD"'),
    "members": _texts(rb'{"a":1,"a":2} {"a":1,"a":1} {"a":1,"\u0061":2} {"":0,"":0} [{"b":{"a":1,"a":1}}]'),
    "structures": [
        *(b"[" * 500 + b"]" * 500, b'{"a":' * 500 + b"1" + b"}" * 500, b"[" * 10_000 + b"]" * 10_000, b"[" * 30_000),
    ],
    "a byte order mark": [b"\xef\xbb\xbf{}", b"\xef\xbb\xbf"],
    "UTF-16 and UTF-32": ['{"a": 1}'.encode(code) for code in ("utf-16", "utf-16-le", "utf-16-be", "utf-32-le")],
}
I_READ: Final[dict[str, list[bytes]]] = {
    "numbers": [*_texts(b"123.456e-789 -1e-9999 1e-400 -0.0"), b"0." + b"1" * 398],
    "noncharacters in data": [*_texts(rb'"\uDBFF\uDFFF\uFFFE"'), '"\ufdd0\U0010ffff"'.encode()],
}
