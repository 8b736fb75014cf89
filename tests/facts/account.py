"""What many tests know: an account's identifiers, a day to stand on, a backup and the command to delete it."""

from datetime import UTC, datetime, timedelta
from typing import Final

from function.backups import Backup, DeleteBackup

PROJECT: Final = "054e292c9880d4992f02c0196d3ea468"  # the API page's own example, and in the simulator's account
INSTANCE: Final = "6ab7e0f13c5d4e2f8a90b1c2d3e4f506in07"
BACKUP: Final = "1fe4feaab48f11e6654hfa163eba87e4b66"
NOW: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)

COMMAND: Final = DeleteBackup(project_id="p" * 32, backup_id="b1")
WEEKLY: Final = Backup(
    id="b1",
    name="weekly",
    instance_id="i1",
    type="manual",
    status="COMPLETED",
    begin_time=NOW - timedelta(days=10),
    description="",
)
