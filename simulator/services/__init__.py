"""The database services of Huawei Cloud that keep backups: one file each, by the name of the function's engine."""

from typing import Final

from .taurusdb import TAURUSDB

SERVICES: Final = {service.engine: service for service in (TAURUSDB,)}

__all__ = ["SERVICES", "TAURUSDB"]
