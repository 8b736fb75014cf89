"""Accounts from files, and the account of the demo and the tests."""

import json
import time
from collections.abc import Iterable
from pathlib import Path

from .account import AccessKey, Account, Backup, Channel, Throttle, Token, User
from .history import BILLING, write_history


def load_account(path: str | Path) -> Account:
    """Read an account from a JSON file, which has the arguments of `Account` as members."""
    return _read(path)


def demo_account() -> Account:
    """Return the account of `account.json`, whose backups the samples name, with 14 months of backups besides."""
    return _read(Path(__file__).with_name("account.json"), *write_history(time.time()), retired=(BILLING,))


def _read(path: str | Path, *more: Backup, retired: Iterable[str] = ()) -> Account:
    data = json.loads(Path(path).read_text())
    throttle = data.get("throttle")
    made = {
        "backups": [*(Backup.from_json(item) for item in data.get("backups", [])), *more],
        "users": [User(**item) for item in data.get("users", [])],
        "tokens": [Token(**item) for item in data.get("tokens", [])],
        "access_keys": [AccessKey(**item) for item in data.get("access_keys", [])],
        "channels": [Channel(**item) for item in data.get("channels", [])],
        "throttle": throttle and Throttle(**throttle),
    }
    return Account(**{"retired": retired, **data, **made})
