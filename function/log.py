"""Log lines: one JSON object each, on standard output, without secrets and without the text of exceptions."""

import logging
import sys
import traceback
from collections.abc import Iterable
from typing import Any

from pythonjsonlogger.json import JsonFormatter


class _Formatter(JsonFormatter):
    def __init__(self, secrets: Iterable[str]) -> None:
        super().__init__("%(message)s %(levelname)s", rename_fields={"levelname": "severity"}, timestamp="time")
        self._secrets = tuple(secrets)

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        """The library's hook for the fields of a line."""
        return {name: self._redacted(value) for name, value in log_data.items()}

    def formatException(self, ei: Any) -> str:
        """Frames only: an exception's text can hold what it failed on."""
        return "".join((*traceback.format_tb(ei[2]), str(ei[0].__name__)))

    def _redacted(self, value: object) -> object:
        match value:
            case str():
                for secret in self._secrets:
                    value = value.replace(secret, "[redacted]")
                return value
            case dict():
                return {name: self._redacted(inner) for name, inner in value.items()}
            case list():
                return [self._redacted(inner) for inner in value]
            case _:
                return value


def start_logging(level: str, secrets: Iterable[str]) -> None:
    """Write all log lines from now on."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_Formatter(secrets))
    logging.basicConfig(level=level, handlers=[handler], force=True)
