"""The database services of Huawei Cloud that keep backups: one file each, by the name of the function's engine."""

from typing import Final

from .dds import DDS
from .gaussdb import GAUSSDB
from .geminidb import GEMINIDB
from .rds import RDS
from .taurusdb import TAURUSDB

SERVICES: Final = {service.engine: service for service in (TAURUSDB, RDS, GAUSSDB, DDS, GEMINIDB)}

__all__ = ["DDS", "GAUSSDB", "GEMINIDB", "RDS", "SERVICES", "TAURUSDB"]
