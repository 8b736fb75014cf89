"""gunicorn, as the framework runs it: the settings that the framework leaves alone, and what they need.

The framework reads no configuration file and no command line of gunicorn's, so defaults are replaced before it makes
its server. Each of gunicorn's settings was looked at: https://docs.gunicorn.org/en/stable/settings.html.
"""

import logging
import socket
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from gunicorn.config import KNOWN_SETTINGS
from gunicorn.glogging import Logger
from gunicorn.workers.gthread import ThreadWorker

from .body import ClientSocket
from .version import VERSION

MAX_REQUEST_LINE_BYTES: Final = 8190
MAX_HEADER_BYTES: Final = (
    16384  # what load balancers let through in one header; side cars forward certificates in theirs
)
KEEP_ALIVE_SECONDS: Final = 95  # proxies in Go let go of an idle connection after 90: they must be the first
MAX_HEAD_SECONDS: Final = 10.0
MAX_LINGER_SECONDS: Final = 1.0
SILENCE_SECONDS: Final = 0.1

log = logging.getLogger("backup-reaper")


def configure(in_force: Mapping[str, object], *, graceful_timeout: int = 30) -> None:
    """Choose gunicorn's settings, before the framework makes a server.

    Args:
        in_force: the function's own settings, for the log line that says where it listens.
        graceful_timeout: the seconds that deliveries have to end after SIGTERM.
    """

    def when_ready(arbiter: Any) -> None:
        addresses = ", ".join(map(str, arbiter.LISTENERS))
        log.info("listening on %s", addresses, extra={"version": VERSION, "config": in_force})

    chosen: Mapping[str, object] = {
        # Nothing here depends on the scheme. Proxies contradict each other about it, and would be answered 400.
        "secure_scheme_headers": {},
        # Headers with an underscore are not dropped unseen: a safety switch could be among them.
        "header_map": "dangerous",
        "pre_request": staticmethod(_drop_underscores),
        "limit_request_field_size": MAX_HEADER_BYTES,
        "keepalive": KEEP_ALIVE_SECONDS,
        "graceful_timeout": graceful_timeout,
        "control_socket_disable": True,  # it would be a file under HOME, which may be read-only
        "worker_class": Worker,
        "logger_class": JsonLogger,
        "on_starting": staticmethod(_on_starting),
        "when_ready": staticmethod(when_ready),
    }
    for setting in KNOWN_SETTINGS:
        if setting.name in chosen:
            setting.default = chosen[setting.name]


def _on_starting(arbiter: Any) -> None:
    # The framework sets this one itself: to 0, which lets a request line grow without end.
    arbiter.cfg.set("limit_request_line", MAX_REQUEST_LINE_BYTES)
    for address in arbiter.cfg.address:
        _refuse_taken(address)


def _drop_underscores(_worker: Any, request: Any) -> None:
    """Drop the headers whose names have an underscore, as gunicorn would; of an attribute's header only the underscore.

    `ce-dry_run` becomes `ce-dryrun`, which is refused: it may have been meant to be a safety switch.
    """
    # WSGI does not tell `_` from `-`. So no other header that is read can be replaced or spoilt: not X-CFF-…, not
    # Content-Encoding. SCRIPT_NAME would be taken for a setting, and answered 500. The body has its reader already,
    # chosen by the exact names. Beside ce-id, ce_id is like a second ce-id.
    request.headers = [
        (f"CE-{name[3:].replace('_', '').replace('-', '')}" if "_" in name else name, value)
        for name, value in request.headers
        if "_" not in name or name.startswith(("CE-", "CE_"))
    ]


def _refuse_taken(address: tuple[str, int]) -> None:
    """End the start with one message where an address cannot be had: gunicorn would try five times, in ten lines."""
    host, port = address
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as gunicorn does
        try:
            probe.bind(address)
        except OSError as error:
            raise SystemExit(f"backup-reaper cannot start: cannot listen on {host}:{port}: {error.strerror}") from None


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """A worker that no client can hold by being slow, neither one of its threads nor the main loop.

    gunicorn's main loop waits up to two seconds for each client to close its connection, and accepts none meanwhile.
    """

    def enqueue_req(self, conn: Any) -> None:
        """Hand a connection to a thread."""
        if not isinstance(conn.sock, ClientSocket):
            family, kind, protocol = conn.sock.family, conn.sock.type, conn.sock.proto
            conn.sock = ClientSocket(family, kind, protocol, conn.sock.detach())
        super().enqueue_req(conn)

    def handle(self, conn: Any) -> Any:
        """Serve one request; false if the connection must be closed after it."""
        conn.sock.until = time.monotonic() + MAX_HEAD_SECONDS
        kept = super().handle(conn)
        if kept is False:
            _say_goodbye(conn.sock)
        return kept


def _say_goodbye(client: ClientSocket) -> None:
    """Let a client finish sending: closed with bytes left unread, it might never see its answer (RFC 9112 §9.6)."""
    until, received = time.monotonic() + MAX_LINGER_SECONDS, b" "
    with suppress(OSError):
        client.shutdown(socket.SHUT_WR)
        while received:
            client.until = min(until, time.monotonic() + SILENCE_SECONDS)
            received = client.recv(1 << 16)
    with suppress(OSError):
        client.shutdown(socket.SHUT_RD)


class JsonLogger(Logger):  # type: ignore[misc]  # gunicorn has no types
    """What gunicorn has to say becomes lines of the function's log, warnings included."""

    def setup(self, cfg: Any) -> None:
        """Send everything where the function's own lines go."""
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True
        self.error_log.setLevel(min(self.error_log.level, logging.WARNING))

    def warning(self, msg: str, *args: object, **kwargs: Any) -> None:
        """Log a warning: of a malformed request the kind of fault, as the rest quotes the request."""
        if msg.startswith("Invalid request from "):
            msg = ": ".join(msg.split(": ")[:2])
        super().warning(msg, *args, **kwargs)

    def exception(self, msg: str, *args: object, **kwargs: Any) -> None:
        """Log an exception that is being handled; a slow client is not a fault of ours."""
        if isinstance(sys.exc_info()[1], TimeoutError):
            super().warning("a client was too slow: its connection is closed")
        else:
            super().exception(msg, *args, **kwargs)
