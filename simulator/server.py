"""The simulator on its sockets."""

import re
import socketserver
from collections.abc import Iterable, Sequence
from contextlib import suppress
from email.utils import formatdate
from functools import partial
from http.server import BaseHTTPRequestHandler
from socket import SHUT_RDWR, socket
from threading import Event, Thread, current_thread
from types import TracebackType
from typing import Self
from uuid import uuid4

from . import gateway
from .account import Account, Backup
from .accounts import demo_account
from .control import PREFIX, Control
from .exchange import Answer, Call, Request
from .faults import Fault, Faults
from .service import Service
from .services import TAURUSDB


class Simulator:
    """The backup APIs of some services, and IAM, for one account, on sockets while it runs.

    Args:
        account: whose state is used and changed, also across simulators; the demo's if None.
        services: whose backups are served, each on a port of its own; IAM and EventGrid are on every port.
        port: of the first service, the others have the next ones; 0 for free ones. `start` after `stop` listens on
            the same ones again.
        faults: what goes wrong from the start, and again after `reset`.
        seed: of the random numbers behind a fault's rate.

    Attributes:
        calls: every request seen, in order of arrival, except those under `/_simulator/`.
        faults: the faults that no request has met yet.
    """

    def __init__(
        self,
        account: Account | None = None,
        *,
        services: Sequence[Service] = (TAURUSDB,),
        host: str = "127.0.0.1",
        port: int = 0,
        faults: Iterable[Fault] = (),
        seed: int = 0,
    ) -> None:
        self.account = account or demo_account()
        self.services = list(services)
        self.calls: list[Call] = []
        self.faults = Faults(faults, seed=seed)
        self.control = Control(self.account, self.faults, self.calls, tuple(self.faults.left()))
        self._host = host
        self._ports = [port and port + number for number in range(len(services))]
        self._servers: list[_Server] = []

    @property
    def url(self) -> str:
        """Scheme, host and port of the first service, without a final slash."""
        return f"http://{self._host}:{self._ports[0]}"

    @property
    def urls(self) -> dict[str, str]:
        """The URL of each service, by the name of its engine."""
        return {
            service.engine: f"http://{self._host}:{port}"
            for service, port in zip(self.services, self._ports, strict=True)
        }

    def start(self) -> Self:
        """Listen, or raise OSError."""
        try:
            for number, port in enumerate(self._ports):
                self._servers.append(_Server(self, number, (self._host, port)))
        except OSError:
            for server in self._servers:
                server.server_close()
            self._servers.clear()
            raise
        self._ports = [server.socket.getsockname()[1] for server in self._servers]
        for server in self._servers:
            Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def stop(self) -> None:
        """Stop listening and close every connection, also in the middle of an answer; the state stays."""
        for server in self._servers:
            server.stop()
        self._servers.clear()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def fault(self, *faults: Fault) -> None:
        """Add faults, behind those that are there."""
        self.faults.add(*faults)

    def count(self, method: str | None = None, path: str | None = None) -> int:
        """Count the calls with this method (None: any) and a path in which the regular expression is found."""
        return sum(
            method in (None, call.method) and re.search(path or "", call.path) is not None for call in self.calls
        )

    def add(self, backup: Backup) -> None:
        """Add a backup, or raise ValueError if its project does not exist."""
        with self.account.lock:
            self.account.add(backup)

    def backups(self, project_id: str) -> list[Backup]:
        """Return the backups of a project, newest first."""
        with self.account.lock:
            return self.account.backups_of(project_id)

    def backup_ids(self, project_id: str) -> set[str]:
        """Return the ids of a project's backups."""
        return {backup.id for backup in self.backups(project_id)}

    def advance(self, seconds: float) -> None:
        """Move the clock."""
        with self.account.lock:
            self.account.advance(seconds)

    def revoke_tokens(self) -> None:
        """Revoke every token there is, ready ones included."""
        with self.account.lock:
            self.account.revoke_tokens()

    def reset(self) -> None:
        """Set account, clock, calls and faults back to what they were at the start."""
        self.control.reset()


class _Server(socketserver.ThreadingTCPServer):
    """A server that knows its connections, so that it can close them."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, simulator: Simulator, number: int, address: tuple[str, int]) -> None:
        self.simulator = simulator
        self.number = number  # of the service
        self.stopping = Event()
        self.connections: dict[socket, Thread] = {}
        super().__init__(address, _Handler)

    def stop(self) -> None:
        """Return when every connection is closed and every thread has ended."""
        self.stopping.set()
        self.shutdown()
        self.server_close()
        connections = list(self.connections.items())
        for connection, _ in connections:
            with suppress(OSError):
                connection.shutdown(SHUT_RDWR)
        for _, thread in connections:
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    """One connection, with any number of requests one after the other."""

    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def handle(self) -> None:
        """Serve the connection until either side closes it."""
        self.server.connections[self.connection] = current_thread()
        # A connection that came too late for the list that `stop` goes through sees here that the server is stopping.
        if not self.server.stopping.is_set():
            with suppress(ConnectionError):
                super().handle()
        del self.server.connections[self.connection]

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing: the calls are recorded."""

    def _serve(self) -> None:
        request = self._read()
        if request is None:
            return
        simulator = self.server.simulator
        if request.path.startswith(PREFIX):
            self._write(request, simulator.control.answer(request))
            return
        call = Call(request.method, request.target, request.headers, request.body)
        simulator.calls.append(call)
        answer = self._meet(simulator.faults.meet(request), request)
        if answer is not None:
            call.status = answer.status
            self._write(request, answer)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _serve

    def _meet(self, fault: Fault | None, request: Request) -> Answer | None:
        simulator = self.server.simulator
        carry_out = partial(gateway.answer, simulator.account, request, simulator.services[self.server.number])
        if fault is None:
            return carry_out()
        answer = carry_out() if fault.takes_effect else None
        stopped = self.server.stopping.wait(fault.delay)
        if fault.hang:
            self.rfile.read()  # the client sends nothing more, so this returns when the connection is closed
        if stopped or fault.hang or fault.drop:
            self.close_connection = True
            return None
        return fault.answer(request) or answer or carry_out()

    def _read(self) -> Request | None:
        if "Transfer-Encoding" in self.headers:
            self.send_error(411)
            return None
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal():
            self.send_error(400)
            return None
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            self.close_connection = True
            return None
        # Not `self.path`: the library removes a second slash at its beginning.
        target = self.requestline.split()[1]
        return Request(uuid4().hex, self.command, target, self.headers, body)

    def _write(self, request: Request, answer: Answer) -> None:
        kind, body = answer.content()
        headers = {"Content-Type": kind, "Content-Length": str(len(body)), "X-Request-Id": request.id}
        headers["Date"] = formatdate(self.server.simulator.account.now(), usegmt=True)
        own = {name.lower() for name in answer.headers}
        if own & {"content-length", "transfer-encoding"}:
            # A fault's length can be wrong; the client would then read the next answer as a part of this one.
            self.close_connection = True
            own.add("content-length")
        if self.close_connection:
            headers["Connection"] = "close"
        usual = {name: value for name, value in headers.items() if value and name.lower() not in own}
        phrase = self.responses.get(answer.status, ("",))[0]
        lines = [f"HTTP/1.1 {answer.status} {phrase}"]
        lines += [f"{name}: {value}" for name, value in (usual | dict(answer.headers)).items()]
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        self.wfile.write(head if request.method == "HEAD" else head + body)  # one segment
