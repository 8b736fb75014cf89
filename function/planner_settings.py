"""The settings that only the planner needs."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast, get_args

from .backups import Mode
from .config import Config
from .errors import ConfigError
from .events.contract import EXPIRED, RESULT_TYPES
from .events.planning import DUE, PING, PLANNED
from .retention.policy import PolicyFile, read_policy_file
from .retention.tables import MAX_BYTES
from .variables import Reader, listed, one_of, seconds, uri_reference

MAX_PLAN_SECONDS: Final = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannerSettings:
    """What the planner does, and by which policy.

    Args:
        tick_types: of the events that ask for a plan.
        deadline_seconds: for a whole run.
        source: of the events of expired backups and the reports.
    """

    file: PolicyFile
    mode: Mode
    tick_types: frozenset[str]
    deadline_seconds: float
    source: str

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> tuple[Config, "PlannerSettings"]:
        """Read the environment.

        Raises:
            ConfigError: one line for each fault, with the variable's name and what to change.
        """
        reader = Reader(env)
        config = Config.read(reader)
        settings = _read(reader, config)
        reader.refuse_faults()
        return config, cast("PlannerSettings", settings)  # it is None only where there was a fault

    def in_force(self) -> dict[str, object]:
        """Every setting by its name, for the log."""
        return {
            "policy_sha256": self.file.sha256,
            "policies": [policy.name for policy in self.file.policies],
            "planner_mode": self.mode,
            "accepted_tick_types": sorted(self.tick_types),
            "plan_deadline_seconds": self.deadline_seconds,
            "event_source": self.source,
        }


def _read(reader: Reader, config: Config) -> PlannerSettings | None:
    """The planner's settings; None if the policy file cannot be used, which the reader has noted as a fault."""
    mode = reader.optional("REAPER_PLANNER_MODE", one_of(*get_args(Mode)), "report")
    if mode == "publish" and not config.sink:
        reader.faults.append("REAPER_PLANNER_MODE=publish needs K_SINK, the URL where events go")
    types = reader.optional("REAPER_ACCEPTED_TICK_TYPES", _tick_types, frozenset({PING, DUE}))
    deadline = reader.optional("REAPER_PLAN_DEADLINE_SECONDS", seconds(MAX_PLAN_SECONDS), 300.0)
    if deadline <= 2 * config.deadline_seconds:
        reader.faults.append("REAPER_PLAN_DEADLINE_SECONDS must be more than twice REAPER_DEADLINE_SECONDS")
    source = reader.optional("REAPER_EVENT_SOURCE", uri_reference, "/backup-reaper/planner")
    path = reader.required("REAPER_POLICY_FILE", Path, None)
    file = path and _read_file(reader, path, config)
    if not file:
        return None
    return PlannerSettings(
        file=file, mode=cast("Mode", mode), tick_types=types, deadline_seconds=deadline, source=source
    )


def _read_file(reader: Reader, path: Path, config: Config) -> PolicyFile | None:
    try:
        with path.open("rb") as opened:
            content = opened.read(MAX_BYTES + 1)
        return read_policy_file(content, engines=config.endpoints, allowed_projects=config.policy.allowed_projects)
    except (OSError, ValueError) as error:  # a path can hold a NUL
        why = error.strerror if isinstance(error, OSError) else "is no path"
        reader.faults.append(f"REAPER_POLICY_FILE {path} cannot be read: {why}")
    except ConfigError as error:
        reader.faults.append(f"REAPER_POLICY_FILE {path}: {error}")
    return None


def _tick_types(text: str) -> frozenset[str]:
    types = frozenset(listed("event types", bool)(text))
    if types & {EXPIRED, PLANNED, *RESULT_TYPES}:
        raise ValueError("must not name a type of our own events: each would come back as a tick, for ever")
    return types
