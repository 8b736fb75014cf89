"""TOML tables, read strictly: every key that is missing, unknown or wrong is a fault, named by its path."""

import re
import tomllib
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from ..errors import ConfigError
from ..near_names import near

MAX_BYTES: Final = 65536
MAX_DOTS: Final = 200  # in one line: tomllib takes quadratic time for a dotted key
MAX_SHOWN: Final = 40  # characters of a key that the file gives
T = TypeVar("T")
D = TypeVar("D")


def read_toml(content: bytes) -> dict[str, object]:
    """The value of a TOML file.

    Raises:
        ConfigError: it is too large, not UTF-8, or not TOML.
    """
    if len(content) > MAX_BYTES:
        raise ConfigError(f"the file is larger than {MAX_BYTES} bytes")
    try:
        text = content.decode("utf-8-sig")  # editors on Windows put a byte order mark first
        for number, line in enumerate(text.split("\n"), 1):
            if line.count(".") > MAX_DOTS:
                raise ConfigError(f"line {number} of the file has more than {MAX_DOTS} dots")
        return tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise ConfigError(f"the file is not UTF-8: byte {error.start} is wrong") from None
    except RecursionError:
        raise ConfigError("the file's arrays or inline tables are nested too deep") from None
    except ValueError as error:  # not TOML, or a number with thousands of digits
        raise ConfigError(f"the file is not TOML: {ascii(str(error))[1:-1][:200]}") from None


class Table:
    """Reads the keys of one table, remembers which, and collects what is wrong with them.

    Args:
        path: the table's own, with a dot at its end.
        faults: shared by all tables of a file.
    """

    def __init__(self, values: Mapping[str, object], path: str = "", faults: list[str] | None = None) -> None:
        self.faults: list[str] = [] if faults is None else faults
        self._values = values
        self._path = path
        self._known: set[str] = set()

    def optional(self, key: str, read: Callable[[object], T], default: D) -> T | D:
        """The key's value; the default if it is absent or wrong."""
        self._known.add(key)
        return self.required(key, read, default) if key in self._values else default

    def required(self, key: str, read: Callable[[object], T], stand_in: D) -> T | D:
        """The key's value; if it is absent or wrong, something to go on with until the faults are raised."""
        self._known.add(key)
        try:
            return read(self._values.get(key))  # TOML has no null, so None is an absent key
        except ValueError as error:
            absent = "" if key in self._values else " is missing: it"
            self.faults.append(f"{self._path}{key}{absent}{error}")
            return stand_in

    def table(self, key: str) -> "Table":
        """The table of a key; an empty one if it is absent or wrong."""
        return Table(self.optional(key, _table, {}), f"{self._path}{key}.", self.faults)

    def tables(self, key: str, names: re.Pattern[str]) -> dict[str, "Table"]:
        """The tables in a key's table, by their names; at least one is required."""
        values = self.required(key, _tables, {})
        for name in values:
            if not names.fullmatch(name):
                self.faults.append(f"{self._path}{key}.{_shown(name)} must have a name of the form {names.pattern}")
        inner = Table(values, f"{self._path}{key}.", self.faults)
        return {name: inner.table(name) for name in values if names.fullmatch(name)}

    def refuse_unknown(self) -> None:
        """Make a fault of each key that nobody has asked for, with the one that was probably meant."""
        for key in self._values:
            if key not in self._known:
                known = near(key, self._known)
                hint = f"; did you mean {known}?" if known else ""
                self.faults.append(f"{self._path}{_shown(key)} is an unknown key{hint}")


def _table(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise ValueError(" must be a table")
    return value


def _tables(value: object) -> dict[str, object]:
    if not isinstance(value, dict) or not value:
        raise ValueError(" must hold a table for each policy, such as [policy.standard]")
    return value


def _shown(key: str) -> str:
    return ascii(key)[1:-1][:MAX_SHOWN]
