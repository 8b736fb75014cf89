"""Fourteen months of manual backups of three TaurusDB instances, and some of each other service.

They are what people leave behind, for a retention policy to evaluate: nightly and weekly ones by a script, some before
migrations, some of an instance that is gone. Ages are relative to now, so on any day the same backups expire. Their ids
never change.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Final
from uuid import NAMESPACE_URL, uuid5

from .account import Backup, Datastore

PROJECT: Final = "c7f1d2a80b5e4936ae12d0478f6b9c35"
SHOP: Final = "91c7e2f40d3b4a6f8e5d17a0b6c2f984in07"
CRM: Final = "2ad5b8f7e1904c3698f0c4d7a3b1e652in07"
BILLING: Final = "f60e9b3c7a214d85b1d8e5f2c0a7943ein07"  # retired
# Instance, name, datastore, the suffix of a backup's id; one of each other service.
OTHERS: Final = (
    ("c4a9d7e20b6f4138952ef8b1d3c7a605in03", "invoices", Datastore("PostgreSQL", "16"), "br03"),
    ("77e3b0f9c5d84a21b6e1f4a8d2c90736in14", "core", Datastore("GaussDB", "8"), "br14"),
    ("08d6f1c3e7b94a5282c4a9f0e5b7d31ain02", "catalog", Datastore("DDS-Community", "4.4"), "br02"),
    ("b95e2d7a1c0f4e83a6d8c3f7e2b1094cin12", "sessions", Datastore("redis", "6.2"), "br13"),
)

NIGHTS: Final = 45  # nightly ones are that old at most, then weekly ones are left
DAYS: Final = 425  # 14 months
MIGRATIONS: Final = (12, 40, 41, 97, 163, 230, 301, 388)  # days ago
RETIRED: Final = 200  # days ago, the instance was deleted; its manual backups stay
TAURUSDB: Final = Datastore("gaussdb-mysql", "8.0")
_ZONE: Final = timezone(timedelta(hours=8))


def write_history(now: float) -> Iterator[Backup]:
    """Yield the backups as they would be at this time, in Unix seconds."""
    yield from _shop(now)
    yield from _crm(now)
    yield from _billing(now)
    for instance_id, name, datastore, suffix in OTHERS:
        for days in range(6, DAYS, 28):
            yield _backup(now, name, instance_id, "release", days, megabytes=1_900, datastore=datastore, suffix=suffix)


def _shop(now: float) -> Iterator[Backup]:
    for days in range(1, NIGHTS + 1):
        yield _backup(now, "shop", SHOP, "nightly", days, megabytes=24_000)
    for days in range(NIGHTS + 4, DAYS, 7):
        yield _backup(now, "shop", SHOP, "weekly", days, megabytes=24_000)


def _crm(now: float) -> Iterator[Backup]:
    for days in range(3, DAYS, 7):
        hold = "legal hold, case 2307" if days == 276 else ""
        yield _backup(now, "crm", CRM, "weekly", days, megabytes=6_100, description=hold)
    for days in MIGRATIONS:
        yield _backup(now, "crm", CRM, "before-migration", days, megabytes=6_100, hour=22)
    yield _backup(now, "crm", CRM, "before-upgrade", 19, megabytes=0, status="FAILED", hour=23)


def _billing(now: float) -> Iterator[Backup]:
    for days in range(RETIRED, DAYS, 30):
        yield _backup(now, "billing", BILLING, "monthly", days, megabytes=310)
    yield _backup(now, "billing", BILLING, "final", RETIRED - 1, megabytes=310, description="before it was retired")


def _backup(
    now: float,
    instance_name: str,
    instance_id: str,
    kind: str,
    days: int,
    *,
    megabytes: float,
    hour: int = 2,
    status: str = "COMPLETED",
    description: str = "",
    datastore: Datastore = TAURUSDB,
    suffix: str = "br07",
) -> Backup:
    """Write a backup of so many days ago; databases have grown by a tenth of a percent a day."""
    midnight = datetime.fromtimestamp(now, _ZONE).replace(hour=0, minute=0, second=0, microsecond=0)
    begun = midnight - timedelta(days=days) + timedelta(hours=hour)
    size = round(megabytes * 0.999**days, 1)
    minutes = 1 + int(size // 900)
    return Backup(
        id=f"{uuid5(NAMESPACE_URL, f'{instance_name}/{kind}/{days}').hex}{suffix}",
        project_id=PROJECT,
        instance_id=instance_id,
        name=f"{instance_name}-{kind}-{begun:%Y%m%d}",
        begin_time=f"{begun:%Y-%m-%dT%H:%M:%S%z}",
        end_time=f"{begun + timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%S%z}",
        status=status,
        take_up_time=minutes,
        size=size,
        datastore=datastore,
        instance_name=instance_name,
        description=description,
    )
