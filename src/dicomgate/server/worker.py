"""One process that serves: uvicorn with our connections, our log and our way of stopping."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import signal
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

import uvicorn

from dicomgate.server import encryption, logs, memory
from dicomgate.server.census import Census
from dicomgate.server.connection import Connection
from dicomgate.server.cors import Policy
from dicomgate.server.encryption import Certificate
from dicomgate.server.http2 import connection as http2
from dicomgate.server.logs import Log
from dicomgate.server.opening import ALPN, Opening
from dicomgate.server.settings import ConnectionLimits
from dicomgate.tunnel import frames

ASGIApplication = Callable[
    [
        MutableMapping[str, Any],
        Callable[[], Awaitable[MutableMapping[str, Any]]],
        Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ],
    Awaitable[None],
]
MakeApplication = Callable[[], ASGIApplication]

STOPPING: Final = (signal.SIGINT, signal.SIGTERM)
BACKLOG: Final = 2048
_LOOK_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a worker serves; goes to every worker process."""

    limits: ConnectionLimits = field(default_factory=ConnectionLimits)
    stop_seconds: float = 30.0
    cors_origins: tuple[str, ...] = ("loopback",)
    """Web origins whose pages may read what is refused before a request is understood."""
    certificate: Certificate | None = None  # None: plain HTTP
    tunnels: bool = False
    """Sites may dial in: WebSockets at their addresses."""
    http2: bool = False
    """HTTP/2 beside HTTP/1.1, on the same port."""


def configuration(application: ASGIApplication, manner: Manner, log: Log) -> uvicorn.Config:
    """uvicorn, told to use our connections and to leave logs, addresses and signals to us."""
    speaks = functools.partial(Opening, places=Census(manner.limits)) if manner.http2 else Connection
    protocol = functools.partial(
        speaks,
        limits=manner.limits,
        census=Census(manner.limits),
        log=log,
        policy=Policy(manner.cors_origins),
    )
    certificate = manner.certificate
    spoken = ALPN if manner.http2 else encryption.ALPN
    return uvicorn.Config(
        cast(Any, application),
        loop="uvloop" if _has_uvloop() else "asyncio",
        http=cast(Any, protocol),
        ws="websockets-sansio" if manner.tunnels else "none",
        ws_max_size=frames.LONGEST_FRAME,
        ws_per_message_deflate=False,
        lifespan="on",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=cast(Any, manner.limits.idle_seconds),
        timeout_graceful_shutdown=cast(Any, manner.stop_seconds),
        backlog=BACKLOG,
        ssl_context_factory=None
        if certificate is None
        else lambda *_: encryption.renewing_context(certificate, spoken),
    )


class Server(uvicorn.Server):
    """uvicorn's server; tells when it listens, and ends quietly when it is told to."""

    def __init__(
        self,
        application: ASGIApplication,
        manner: Manner,
        on_ready: Callable[[], None],
        *,
        stop_on: tuple[signal.Signals, ...] = STOPPING,
    ) -> None:
        self._log = Log()
        self._stop_on = stop_on
        logs.take_over_library_logs(self._log)
        super().__init__(configuration(application, manner, self._log))
        self._on_ready = on_ready
        self._manner = manner

    def run_on(self, listening: socket.socket) -> None:
        """Serve on a socket that listens already."""
        memory.keep()
        self.run(sockets=[listening])

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then tell that it does."""
        await super().startup(sockets)
        self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take nobody in, let what is under way end, and only then cut the tunnels through which it may come."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._manner.stop_seconds
        callers = (Connection, http2.Connection)
        tunnels = {one for one in self.server_state.connections if not isinstance(one, callers)}
        if tunnels:
            for listening in (*self.servers, *(sockets or ())):
                listening.close()
            for caller in self.server_state.connections - tunnels:
                caller.shutdown()
            while self.server_state.connections - tunnels and loop.time() < deadline and not self.force_exit:
                await asyncio.sleep(_LOOK_SECONDS)
            self.config.timeout_graceful_shutdown = cast(Any, max(deadline - loop.time(), _LOOK_SECONDS))
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Unlike uvicorn's own, do not raise the signal again at the end: being asked to stop is no failure."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in self._stop_on}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _has_uvloop() -> bool:
    try:
        import uvloop  # noqa: F401, PLC0415
    except ImportError:
        return False
    return True
