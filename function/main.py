"""The target `delete_backup`: environment → configuration → objects → one registered function.

Run by the functions framework: `functions-framework --source function/main.py --target delete_backup`.
"""

import gc
import os
from typing import assert_never

import flask
import functions_framework

from . import server
from .cloud.client import BackupClient
from .cloud.credentials import Credential, KeyPair, KeySettings, Token, TokenSettings, UserSettings
from .cloud.engines import ENGINES
from .config import Config
from .door import Door
from .errors import ConfigError
from .events.sink import Sink
from .log import start_logging
from .reaper import Reaper
from .transport import Transport


def build(config: Config) -> Door:
    """The objects that a configuration asks for; raises ConfigError where it names what cannot be used."""
    transport = Transport(config.origins, pool_size=config.threads, ca_bundle=config.ca_bundle)
    credential = _credential(config, transport)
    reaper = Reaper(
        engines={
            name: BackupClient(ENGINES[name], endpoint, config.language, credential, transport.exchange)
            for name, endpoint in config.endpoints.items()
        },
        policy=config.policy,
        accepted_types=config.accepted_types,
        source=config.event_source,
    )
    sink = config.sink
    return Door(
        settle=reaper.settle,
        publish=Sink(sink.url, sink.extensions, transport.exchange, sink.token_file).publish if sink else None,
        deadline_seconds=config.deadline_seconds,
        max_event_bytes=config.max_event_bytes,
        paused=config.paused,
    )


def _credential(config: Config, transport: Transport) -> Credential:
    match config.credential:
        case TokenSettings() as settings:
            return Token(settings)
        case KeySettings() as settings:
            return KeyPair(settings)
        case UserSettings() as settings:
            from .cloud.iam import UserTokens  # the other kinds start without it

            allowed = config.policy.allowed_projects or ()
            return UserTokens(settings, transport.exchange, max_projects=len(allowed))
        case _:
            assert_never(config.credential)


try:
    config = Config.from_env(os.environ)  # noqa: TID251  # read here and nowhere else
    start_logging(config.log_level, config.secrets)
    door = build(config)
except ConfigError as error:
    raise SystemExit(f"backup-reaper cannot start: {error}") from None
server.configure(config.in_force())
# gunicorn forks its worker after this: freeze() keeps the collector from writing to these objects, so that both
# processes go on sharing their pages.
gc.freeze()


@functions_framework.http
def delete_backup(request: flask.Request) -> flask.Response:
    """Answer one HTTP request."""
    return door.answer(request)
