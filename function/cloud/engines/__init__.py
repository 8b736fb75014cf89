"""The database services that answer `DELETE /v3/{project_id}/backups/{backup_id}`: a file and a value each."""

from collections.abc import Mapping
from typing import Final

from .dds import DDS
from .engine import Engine
from .gaussdb import GAUSSDB
from .geminidb import GEMINIDB
from .rds import RDS
from .taurusdb import TAURUSDB

ENGINES: Final[Mapping[str, Engine]] = {engine.name: engine for engine in (TAURUSDB, RDS, GAUSSDB, DDS, GEMINIDB)}
