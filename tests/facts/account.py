"""What many tests know: an account's identifiers, and a day to stand on."""

from datetime import UTC, datetime
from typing import Final

PROJECT: Final = "054e292c9880d4992f02c0196d3ea468"  # the API page's own example, and in the simulator's account
INSTANCE: Final = "6ab7e0f13c5d4e2f8a90b1c2d3e4f506in07"
BACKUP: Final = "1fe4feaab48f11e6654hfa163eba87e4b66"
NOW: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
