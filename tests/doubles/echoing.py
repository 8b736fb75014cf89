"""A fault that answers with all that was asked: what a careless API, gateway or proxy shows of a request."""

import html
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import quote

from simulator import Fault
from simulator.exchange import Answer, Json, Request

Style = Literal["plain", "with escaped slashes", "as Gson", "all escaped"]
Quoting = Literal["in JSON", "for a page", "for a URL", "in lines", "cut short"]


def _escaped(characters: str) -> Callable[[str], str]:
    """Writes some characters of a JSON text as escapes, which JSON allows for each."""
    return lambda text: "".join(f"\\u{ord(one):04x}" if one in characters else json.dumps(one)[1:-1] for one in text)


# How JSON writers in use write a string, RFC 8259 §7: PHP and others escape slashes; Gson what HTML gives a meaning.
STYLES: Final[Mapping[Style, Callable[[str], str]]] = {
    "plain": _escaped(""),
    "with escaped slashes": lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    "as Gson": _escaped("=<>&'"),
    "all escaped": _escaped("".join(map(chr, range(0x20, 0x7F)))),
}
# How programs quote what they were sent within what they say; this is then written as JSON.
QUOTINGS: Final[Mapping[Quoting, Callable[[str], str]]] = {
    "in JSON": json.dumps,
    "for a page": html.escape,
    "for a URL": quote,
    "in lines": lambda text: "\n".join(text[start : start + 7] for start in range(0, len(text), 7)),
    "cut short": lambda text: "\n".join(f"{line[:32]}..." for line in text.split("\n")),
}
MARK: Final = "@@"


@dataclass(frozen=True, slots=True, kw_only=True)
class Echo(Fault):
    """Wherever `body` and `headers` hold `MARK`, the answer holds the request's headers and body.

    Args:
        style: how the body, which is JSON, writes strings; a body of text is what it is.
        quoting: how it quotes the request in them.
    """

    status: int | None = 400
    headers: Mapping[str, str] = field(default_factory=lambda: {"X-Request-Id": MARK, "Retry-After": MARK})
    body: Json = field(default_factory=lambda: {"error_code": "ECHO.0001", "error_msg": MARK})
    style: Style = "plain"
    quoting: Quoting | None = None

    def answer(self, request: Request) -> Answer | None:
        """The answer to this request."""
        lines = [f"{name}: {value}" for name, value in request.headers.items()]
        body = request.body.decode("latin-1")
        said = "\n".join([*lines, body])
        said = QUOTINGS[self.quoting](said) if self.quoting else said
        if isinstance(self.body, str):
            echoed = self.body.replace(MARK, said).encode()
        else:
            echoed = json.dumps(self.body).replace(MARK, STYLES[self.style](said)).encode()
        headers = {name: value.replace(MARK, "; ".join(lines)) for name, value in self.headers.items()}
        return Answer(self.status or 0, echoed, {**headers, "Content-Type": "application/json"})
