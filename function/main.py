"""The target `delete_backup`: environment → configuration → objects → one registered function.

Run by the functions framework: `functions-framework --source function/main.py --target delete_backup`.
"""

import gc
import os

import flask
import functions_framework

from . import server
from .config import Config
from .door import Door
from .errors import ConfigError
from .log import start_logging
from .parts import make_parts

try:
    config = Config.from_env(os.environ)  # noqa: TID251  # read here and nowhere else
    start_logging(config.log_level, config.secrets)
    parts = make_parts(config)
except ConfigError as error:
    raise SystemExit(f"backup-reaper cannot start: {error}") from None
door = Door(
    settle=parts.reaper.settle,
    publish=parts.publish,
    platform=parts.platform,
    check_caller=parts.check_caller,
    deadline_seconds=config.deadline_seconds,
    max_event_bytes=config.max_event_bytes,
    paused=config.paused,
)
server.configure(config.in_force())
# gunicorn forks its worker after this: freeze() keeps the collector from writing to these objects, so that both
# processes go on sharing their pages.
gc.freeze()


@functions_framework.http
def delete_backup(request: flask.Request) -> flask.Response:
    """Answer one HTTP request."""
    return door.answer(request)
