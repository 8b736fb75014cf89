"""NATS JetStream as a durable broker: its server as a process, and glue that lets it deliver CloudEvents over HTTP.

The glue is ours: JetStream knows neither CloudEvents nor HTTP. What an answer means is the Kafka column of the broker
double's table; what makes it durable is JetStream's: a message that is not acknowledged comes again.
"""

import asyncio
import http.client
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, StorageType

from tests.doubles.broker import KAFKA, Fate, over_http, read_reply
from tests.wire.deliverer import Envelope, Reply

EVENTS, RESULTS, DEAD_LETTERS = "events", "results", "dead-letters"
START_SECONDS: Final = 30.0


class Server:
    """A NATS server with JetStream in a directory, on one port, which it keeps when it is restarted."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port: int = probe.getsockname()[1]
        self.url = f"nats://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        program = Path(sys.executable).with_name("nats-server")
        options = ["-js", "-sd", str(self._directory), "-a", "127.0.0.1", "-p", str(self._port)]
        options += ["-l", str(self._directory / "log")]
        self._process = subprocess.Popen([program, *options], start_new_session=True)
        try:
            self._wait()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def kill(self) -> None:
        """End it in the middle of whatever it does."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def restart(self) -> None:
        """Kill it, and let it find what it has stored."""
        self.kill()
        self.__enter__()

    def _wait(self) -> None:
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and self._process.poll() is None:
            try:
                with socket.create_connection(("127.0.0.1", self._port), 1) as connection:
                    if connection.recv(4) == b"INFO":
                        return
            except OSError:
                time.sleep(0.01)
        raise RuntimeError(f"the NATS server is not up:\n{(self._directory / 'log').read_text()}")


async def connect(server: Server) -> Client:
    """A client that outlasts restarts of the server."""

    async def keep_quiet(error: Exception) -> None:
        pass

    return await nats.connect(server.url, max_reconnect_attempts=-1, reconnect_time_wait=0.05, error_cb=keep_quiet)


@dataclass(slots=True, kw_only=True)
class Glue:
    """Delivers the stream of events to a subscriber, and its answers to the streams of results and dead letters.

    Args:
        pick: the URL of a subscriber that is up; waits until there is one.
        retry: how often after the first time.
        backoff: seconds; exponential.
        timeout: seconds for one delivery.

    Attributes:
        deliveries: how many there have been; unanswered: how many of them met silence.
        settled: how many times a message was acknowledged.
    """

    jetstream: JetStreamContext
    pick: Callable[[], str]
    threads: ThreadPoolExecutor
    retry: int
    backoff: float
    timeout: float
    deliveries: int = 0
    unanswered: int = 0
    settled: int = 0
    pumps: list[asyncio.Task[None]] = field(default_factory=list)

    async def start(self, pumps: int) -> None:
        """Make the streams, and competing pumps on one durable consumer."""
        for name in (EVENTS, RESULTS, DEAD_LETTERS):
            await self.jetstream.add_stream(name=name, subjects=[name], storage=StorageType.FILE)
        consumer = ConsumerConfig(
            durable_name="reaper", ack_policy=AckPolicy.EXPLICIT, ack_wait=self.timeout + 1, max_ack_pending=-1
        )
        await self.jetstream.add_consumer(EVENTS, consumer)
        self.pumps = [asyncio.create_task(self._pump()) for _ in range(pumps)]

    async def stop(self) -> None:
        """Stop the pumps."""
        for pump in self.pumps:
            pump.cancel()
        await asyncio.gather(*self.pumps, return_exceptions=True)

    async def is_idle(self) -> bool:
        """Whether every message has been delivered and acknowledged."""
        try:
            consumer = await self.jetstream.consumer_info(EVENTS, "reaper")
        except (nats.errors.Error, OSError):  # the server is restarting
            return False
        return not consumer.num_pending and not consumer.num_ack_pending

    async def _pump(self) -> None:
        subscription = await self.jetstream.pull_subscribe_bind("reaper", EVENTS)
        while True:
            try:
                for message in await subscription.fetch(1, timeout=1):
                    await self._settle(message)
            except (nats.errors.Error, OSError):  # nothing to do, or no server: what is not acknowledged comes again
                await asyncio.sleep(0.01)

    async def _settle(self, message: Msg) -> None:
        event = json.loads(message.data)
        reply = await asyncio.get_running_loop().run_in_executor(self.threads, self._push, event)
        failures = message.metadata.num_delivered - 1
        match KAFKA.fate(reply):
            case Fate.ROUTED if reply:
                await self.jetstream.publish(RESULTS, json.dumps(read_reply(reply)).encode())
            case Fate.RETRIED if failures < self.retry:
                await message.nak(delay=self.backoff * 2**failures)
                return
            case Fate.RETRIED | Fate.DEAD:
                letter = KAFKA.dead_letter(event, "reaper", reply)
                await self.jetstream.publish(DEAD_LETTERS, json.dumps(letter).encode())
        await message.ack_sync()  # not before the outcome is stored
        self.settled += 1

    def _push(self, event: Envelope) -> Reply | None:
        self.deliveries += 1
        try:
            return over_http(self.pick())(event, KAFKA.headers, self.timeout)
        except (OSError, http.client.HTTPException):
            self.unanswered += 1
            return None


async def read_all(jetstream: JetStreamContext, name: str) -> list[Envelope]:
    """All events of a stream."""
    count = (await jetstream.stream_info(name)).state.messages
    return [json.loads((await jetstream.get_msg(name, number + 1)).data or b"") for number in range(count)]
