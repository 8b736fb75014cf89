"""The target `plan_retention`: environment → configuration → objects → one registered function.

Run by the functions framework: `functions-framework --source function/planner.py --target plan_retention`.
"""

import gc
import os

import flask
import functions_framework

from . import server
from .door import Door
from .errors import ConfigError
from .log import start_logging
from .parts import make_parts
from .planner_settings import PlannerSettings
from .run import COLLECT_AFTER, Planner

try:
    config, settings = PlannerSettings.from_env(os.environ)  # noqa: TID251  # read here and nowhere else
    start_logging(config.log_level, config.secrets)
    parts = make_parts(config)
except ConfigError as error:
    raise SystemExit(f"backup-reaper cannot start: {error}") from None
door = Door(
    settle=Planner.of(config, settings, parts).settle,
    publish=parts.publish,
    platform=parts.platform,
    check_caller=parts.check_caller,
    deadline_seconds=settings.deadline_seconds,
    max_event_bytes=config.max_event_bytes,
    paused=config.paused,
)
server.configure({**config.in_force(), **settings.in_force()}, graceful_timeout=int(settings.deadline_seconds) + 5)
gc.freeze()  # as in main
gc.set_threshold(COLLECT_AFTER)


@functions_framework.http
def plan_retention(request: flask.Request) -> flask.Response:
    """Answer one HTTP request."""
    return door.answer(request)
