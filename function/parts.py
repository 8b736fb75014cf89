"""The objects that both functions are made of, from one configuration."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import assert_never

from . import telemetry
from .cloud.authorized import Credential
from .cloud.client import BackupClient
from .cloud.credentials import (
    AgencySettings,
    KeyPair,
    KeySettings,
    Token,
    TokenSettings,
    UserSettings,
)
from .cloud.engines import ENGINES
from .config import FUNCTIONGRAPH, Config, SinkSettings
from .delivery import Delivery
from .door import CheckCaller, Http, Platform, Publish
from .events.sink import Sink
from .exchange import Answer, Request
from .reaper import Reaper
from .transport import Transport

Exchange = Callable[[Request, Delivery], Answer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What speaks to the outside, and the reaper.

    Args:
        clients: of the engines that are served, by name.
        publish: delivers events elsewhere; None to reply with them.
        check_caller: raises unless the caller may deliver; None to let anyone.
    """

    exchange: Exchange
    clients: Mapping[str, BackupClient]
    publish: Publish | None
    platform: Platform
    check_caller: CheckCaller | None
    reaper: Reaper


def make_parts(config: Config) -> Parts:
    """The objects that a configuration asks for; raises ConfigError where it names what cannot be used."""
    transport = Transport(
        config.origins,
        pool_size=config.threads,
        ca_bundle=config.ca_bundle,
        extra_certificates=config.extra_certificates,
    )
    exchange = _observed(transport.exchange, config)
    credential = _make_credential(config, exchange)
    clients = {
        name: BackupClient(ENGINES[name], endpoint, config.language, credential, exchange)
        for name, endpoint in config.endpoints.items()
    }
    return Parts(
        exchange=exchange,
        clients=clients,
        publish=_make_publish(config, credential, exchange),
        platform=_make_platform(config),
        check_caller=_make_caller_check(config, exchange),
        reaper=Reaper(
            engines=clients,
            policy=config.policy,
            accepted_types=config.accepted_types,
            source=config.event_source,
        ),
    )


def _observed(exchange: Exchange, config: Config) -> Exchange:
    if telemetry.is_on():
        return telemetry.traced(exchange, hidden=config.sink.url if config.sink else None)
    return exchange


def _make_credential(config: Config, exchange: Exchange) -> Credential:
    match config.credential:
        case TokenSettings() as settings:
            return Token(settings)
        case KeySettings() as settings:
            return KeyPair(settings)
        case UserSettings() as settings:
            from .cloud.iam import UserTokens  # the other kinds start without it

            allowed = config.policy.allowed_projects or ()
            return UserTokens(settings, exchange, max_projects=len(allowed))
        case AgencySettings():
            from .cloud.agency import AgencyKeys

            return AgencyKeys()
        case _:
            assert_never(config.credential)


def _make_platform(config: Config) -> Platform:
    if config.platform == FUNCTIONGRAPH:
        from .functiongraph import FunctionGraph

        return FunctionGraph()
    return Http()


def _make_caller_check(config: Config, exchange: Exchange) -> CheckCaller | None:
    if config.callers:
        from .callers import Callers

        return Callers.of(config.callers, exchange).check
    return None


def _make_publish(config: Config, credential: Credential, exchange: Exchange) -> Publish | None:
    match config.sink:
        case None:
            return None
        case SinkSettings() as sink:
            return Sink(sink.url, sink.extensions, exchange, sink.token_file).publish
        case channel:
            from .cloud.agency import send_signed
            from .events.eventgrid import EventGrid

            send = partial(send_signed, credential=credential, exchange=exchange)
            return EventGrid(channel.url, channel_id=channel.channel_id, source=channel.source, send=send).publish
