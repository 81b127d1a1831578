"""Runs an application: binds the socket, serves on it with one process or several, stops without cutting off."""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import os
import resource
import signal
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from dataclasses import dataclass, field
from multiprocessing import connection as pipes
from multiprocessing.context import SpawnProcess
from types import FrameType
from typing import Any, Final, cast

import uvicorn

from dicomgate import errors
from dicomgate.server import logs
from dicomgate.server.connection import Census, Connection
from dicomgate.server.logs import Log
from dicomgate.server.settings import ConnectionLimits

ASGIApplication = Callable[
    [
        MutableMapping[str, Any],
        Callable[[], Awaitable[MutableMapping[str, Any]]],
        Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ],
    Awaitable[None],
]
MakeApplication = Callable[[], ASGIApplication]

_BACKLOG: Final = 2048
_MOST_FILES: Final = 1 << 16
_QUICK_DEATH: Final = 5.0
_MOST_QUICK_DEATHS: Final = 5
_STOPPING: Final = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a worker serves; goes to every worker process."""

    limits: ConnectionLimits = field(default_factory=ConnectionLimits)
    stop_seconds: float = 30.0


class CannotListen(errors.Unavailable):
    """The address cannot be listened on."""


class WorkersFailed(errors.Unavailable):
    """Worker processes die as soon as they start."""


def serve(
    make_application: MakeApplication,
    *,
    host: str = "127.0.0.1",
    port: int = 8104,
    workers: int = 1,
    manner: Manner | None = None,
    on_ready: Callable[[str, int], None] | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM, then finish what is in flight and return.

    `make_application` is called once in every process that serves; with several workers it is sent to them, so it
    must be picklable. `on_ready` hears the real host and port when every worker accepts connections. A second SIGINT
    cuts short. Raises CannotListen, WorkersFailed.
    """
    manner = manner or Manner()
    _allow_many_files()
    listening = listen(host, port)
    address = listening.getsockname()

    def ready() -> None:
        if on_ready is not None:
            on_ready(address[0], address[1])

    with listening:
        if workers == 1:
            Server(make_application(), manner, ready).run_on(listening)
        else:
            _Supervisor(make_application, listening, workers, manner, ready).run()


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises CannotListen."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
    except OSError as fault:
        raise CannotListen(f"cannot listen on {host}: {fault.strerror}") from fault
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(_BACKLOG)
        listening.setblocking(False)
    except OSError as fault:
        listening.close()
        raise CannotListen(f"cannot listen on {host}, port {port}: {fault.strerror}") from fault
    return listening


def configuration(application: ASGIApplication, manner: Manner, log: Log) -> uvicorn.Config:
    """uvicorn, told to use our connections and to leave logs, addresses and signals to us."""
    protocol = functools.partial(Connection, limits=manner.limits, census=Census(manner.limits), log=log)
    return uvicorn.Config(
        cast(Any, application),
        loop="uvloop" if _has_uvloop() else "asyncio",
        http=cast(Any, protocol),
        ws="none",
        lifespan="on",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=cast(Any, manner.limits.idle_seconds),
        timeout_graceful_shutdown=cast(Any, manner.stop_seconds),
        backlog=_BACKLOG,
    )


class Server(uvicorn.Server):
    """uvicorn's server; tells when it listens, and ends quietly when it is told to."""

    def __init__(
        self,
        application: ASGIApplication,
        manner: Manner,
        on_ready: Callable[[], None],
        *,
        stop_on: tuple[signal.Signals, ...] = _STOPPING,
    ) -> None:
        self._log = Log()
        self._stop_on = stop_on
        logs.take_over_library_logs(self._log)
        super().__init__(configuration(application, manner, self._log))
        self._on_ready = on_ready

    def run_on(self, listening: socket.socket) -> None:
        """Serve on a socket that listens already."""
        self.run(sockets=[listening])

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then tell that it does."""
        await super().startup(sockets)
        self._on_ready()

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


def _work(
    make_application: MakeApplication, listening: socket.socket, manner: Manner, parent: pipes.Connection
) -> None:
    """The life of a worker process. Ctrl-C reaches the whole group; the supervisor decides what it means."""
    server: Server | None = None
    is_over = threading.Event()

    def stop_with_parent() -> None:
        with contextlib.suppress(EOFError, OSError):
            parent.recv_bytes()
        is_over.set()
        if server is not None:
            server.should_exit = True

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    server = Server(
        make_application(), manner, functools.partial(parent.send_bytes, b"ready"), stop_on=(signal.SIGTERM,)
    )
    threading.Thread(target=stop_with_parent, name="parent watcher", daemon=True).start()
    with listening:
        if not is_over.is_set():
            server.run_on(listening)


@dataclass(slots=True)
class _Worker:
    process: SpawnProcess
    pipe: pipes.Connection
    began: float
    is_ready: bool = False


class _Supervisor:
    """Keeps a number of worker processes alive on one socket."""

    def __init__(
        self,
        make_application: MakeApplication,
        listening: socket.socket,
        count: int,
        manner: Manner,
        on_ready: Callable[[], None],
    ) -> None:
        self._make_application = make_application
        self._listening = listening
        self._count = count
        self._manner = manner
        self._on_ready: Callable[[], None] | None = on_ready
        self._log = Log()
        self._workers: list[_Worker] = []
        self._quick_deaths = 0
        self._stops = 0
        self._wake_up, self._wake = os.pipe()  # not pipe2, which macOS lacks
        os.set_blocking(self._wake, False)

    def run(self) -> None:
        """Until a signal says stop. WorkersFailed when workers die again and again."""
        before = {number: signal.signal(number, self._note_signal) for number in _STOPPING}
        try:
            self._workers = [self._start() for _ in range(self._count)]
            while not self._stops and self._quick_deaths < _MOST_QUICK_DEATHS:
                self._wait()
                self._replace_dead()
        finally:
            self._stop_all()
            for number, handler in before.items():
                signal.signal(number, handler)
        if not self._stops:
            raise WorkersFailed("worker processes end as soon as they start; the log says why")

    def _note_signal(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._stops += 1
        os.write(self._wake, b"!")

    def _start(self) -> _Worker:
        spawn = multiprocessing.get_context("spawn")
        ours, theirs = spawn.Pipe()
        arguments = (self._make_application, self._listening, self._manner, theirs)
        process = spawn.Process(target=_work, args=arguments, name="dicomgate worker")
        process.start()
        theirs.close()
        return _Worker(process, ours, time.monotonic())

    def _wait(self) -> None:
        waiting: list[Any] = [self._wake_up, *(worker.process.sentinel for worker in self._workers)]
        waiting += [worker.pipe for worker in self._workers if not worker.is_ready]
        told = pipes.wait(waiting)
        for worker in self._workers:
            if worker.pipe in told:
                with contextlib.suppress(EOFError, OSError):
                    worker.is_ready = worker.pipe.recv_bytes() == b"ready"
        if self._on_ready is not None and all(worker.is_ready for worker in self._workers):
            self._on_ready()
            self._on_ready = None

    def _replace_dead(self) -> None:
        for place, worker in enumerate(self._workers):
            if worker.process.is_alive() or self._stops:
                continue
            self._log.event("worker died", code=worker.process.exitcode or 0)
            is_quick = time.monotonic() - worker.began < _QUICK_DEATH
            self._quick_deaths = self._quick_deaths + 1 if is_quick else 0
            worker.pipe.close()
            if self._quick_deaths < _MOST_QUICK_DEATHS:
                self._workers[place] = self._start()

    def _stop_all(self) -> None:
        for worker in self._workers:
            worker.pipe.close()  # its watcher sees the end of the pipe: also when this process is killed
        deadline = time.monotonic() + self._manner.stop_seconds + 5
        while any(worker.process.is_alive() for worker in self._workers):
            left = deadline - time.monotonic()
            if left <= 0 or self._stops > 1:
                break
            pipes.wait(
                [worker.process.sentinel for worker in self._workers if worker.process.is_alive()], min(left, 0.5)
            )
        for worker in self._workers:
            if worker.process.is_alive():
                worker.process.kill()
            worker.process.join()
        os.close(self._wake)
        os.close(self._wake_up)


def _allow_many_files() -> None:
    """The usual soft limit of 1024 open files would be reached before our own bound on connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _has_uvloop() -> bool:
    try:
        import uvloop  # noqa: F401, PLC0415
    except ImportError:
        return False
    return True
