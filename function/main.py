"""The target `delete_backup`: environment → configuration → objects → one registered function.

Run by the functions framework: `functions-framework --source function/main.py --target delete_backup`.
"""

import gc
import os
from functools import partial
from typing import assert_never

import flask
import functions_framework

from . import server
from .cloud.client import BackupClient
from .cloud.credentials import (
    AgencySettings,
    Credential,
    KeyPair,
    KeySettings,
    Token,
    TokenSettings,
    UserSettings,
)
from .cloud.engines import ENGINES
from .config import FUNCTIONGRAPH, Config, SinkSettings
from .door import Door, Http, Platform, Publish
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
    return Door(
        settle=reaper.settle,
        publish=_publish(config, credential, transport),
        platform=_platform(config),
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
        case AgencySettings():
            from .cloud.agency import AgencyKeys

            return AgencyKeys()
        case _:
            assert_never(config.credential)


def _platform(config: Config) -> Platform:
    if config.platform == FUNCTIONGRAPH:
        from .functiongraph import FunctionGraph

        return FunctionGraph()
    return Http()


def _publish(config: Config, credential: Credential, transport: Transport) -> Publish | None:
    match config.sink:
        case None:
            return None
        case SinkSettings() as sink:
            return Sink(sink.url, sink.extensions, transport.exchange, sink.token_file).publish
        case channel:
            from .cloud.agency import send_signed
            from .events.eventgrid import EventGrid

            send = partial(send_signed, credential=credential, exchange=transport.exchange)
            return EventGrid(channel.url, channel_id=channel.channel_id, source=channel.source, send=send).publish


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
