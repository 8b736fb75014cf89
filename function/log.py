"""Log lines: one JSON object each, on standard output, without secrets and without the text of exceptions."""

import json
import logging
import sys
import traceback
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Final

_STANDARD: Final = vars(logging.makeLogRecord({})).keys()  # what is not among these came as `extra`


class _Formatter(logging.Formatter):
    def __init__(self, secrets: Collection[str]) -> None:
        super().__init__()
        self._secrets = secrets
        self._written = [json.dumps(secret)[1:-1] for secret in secrets]

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        fields: dict[str, object] = {"message": record.getMessage(), "severity": record.levelname}
        fields |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info and (kind := record.exc_info[0]):  # frames only: its text can hold what it failed on
            fields["exc_info"] = "".join((*traceback.format_tb(record.exc_info[2]), kind.__name__))
        fields["time"] = datetime.fromtimestamp(record.created, UTC).isoformat()
        line = json.dumps(fields, default=_plain)
        if any(secret in line for secret in self._written):
            return json.dumps(self._redacted(json.loads(line)))  # each value: a short secret must not break the line
        return line

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


def _plain(value: object) -> object:
    return sorted(value) if isinstance(value, frozenset) else str(value)


def start_logging(level: str, secrets: Collection[str]) -> None:
    """Write all log lines from now on."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_Formatter(secrets))
    logging.basicConfig(level=level, handlers=[handler], force=True)
