"""Log lines: one JSON object each, on standard output, without secrets and without the text of exceptions."""

import json
import logging
import sys
import traceback
from collections.abc import Iterable
from typing import Any

from pythonjsonlogger.json import JsonFormatter


class _Formatter(JsonFormatter):
    def __init__(self, secrets: Iterable[str]) -> None:
        super().__init__("%(message)s %(levelname)s", rename_fields={"levelname": "severity"}, timestamp="time")
        self._secrets = [json.dumps(secret)[1:-1] for secret in secrets]

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        for secret in self._secrets:
            line = line.replace(secret, "[redacted]")
        return line

    def formatException(self, ei: Any) -> str:  # logging's name
        """Frames only: an exception's text can hold what it failed on."""
        return "".join((*traceback.format_tb(ei[2]), str(ei[0].__name__)))


def start_logging(level: str, secrets: Iterable[str]) -> None:
    """Write all log lines from now on."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_Formatter(secrets))
    logging.basicConfig(level=level, handlers=[handler], force=True)
