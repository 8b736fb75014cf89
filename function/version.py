"""The version: of the events, the variable names and the statuses, which CHANGELOG.md calls the contract."""

from typing import Final

VERSION: Final = "1.0.0"
