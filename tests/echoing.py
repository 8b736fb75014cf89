"""A fault that answers with all that was asked: what a careless API, gateway or proxy shows of a request."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from simulator import Fault
from simulator.exchange import Answer, Json, Request

Style = Literal["plain", "with escaped slashes", "as Gson", "all escaped"]


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
MARK: Final = "@@"


@dataclass(frozen=True, slots=True, kw_only=True)
class Echo(Fault):
    """Wherever `body` and `headers` hold `MARK`, the answer holds the request's headers and body.

    Args:
        style: how the body, which is JSON, writes strings; a body of text is what it is.
    """

    status: int | None = 400
    headers: Mapping[str, str] = field(default_factory=lambda: {"X-Request-Id": MARK, "Retry-After": MARK})
    body: Json = field(default_factory=lambda: {"error_code": "ECHO.0001", "error_msg": MARK})
    style: Style = "plain"

    def answer(self, request: Request) -> Answer | None:
        """The answer to this request."""
        lines = [f"{name}: {value}" for name, value in request.headers.items()]
        body = request.body.decode("latin-1")
        if isinstance(self.body, str):
            echoed = self.body.replace(MARK, "\n".join([*lines, body])).encode()
        else:
            echoed = json.dumps(self.body).replace(MARK, STYLES[self.style]("\n".join([*lines, body]))).encode()
        headers = {name: value.replace(MARK, "; ".join(lines)) for name, value in self.headers.items()}
        return Answer(self.status or 0, echoed, {**headers, "Content-Type": "application/json"})
