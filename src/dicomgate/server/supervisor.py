"""Several processes on one socket: started, replaced when they die, and stopped together."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing import connection as pipes
from multiprocessing import resource_tracker
from multiprocessing.context import SpawnProcess
from types import FrameType
from typing import Any, Final

from dicomgate import errors
from dicomgate.server.logs import Log
from dicomgate.server.worker import STOPPING, MakeApplication, Manner, Server

_QUICK_DEATH: Final = 5.0
_MOST_QUICK_DEATHS: Final = 5


class WorkersFailed(errors.Unavailable):
    """Worker processes die as soon as they start."""


@contextlib.contextmanager
def interrupts_blocked() -> Iterator[None]:
    """A process that is started meanwhile is deaf to Ctrl-C from its first moment: its parent tells it when to stop."""
    resource_tracker.ensure_running()  # else starting it, with the first process, would end our block
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


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

    def tell_ready() -> None:
        with contextlib.suppress(OSError):  # told to stop meanwhile
            parent.send_bytes(b"ready")

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    server = Server(make_application(), manner, tell_ready, stop_on=(signal.SIGTERM,))
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


class Supervisor:
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
        before = {number: signal.signal(number, self._note_signal) for number in STOPPING}
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
        with interrupts_blocked():
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
            is_quick = not worker.is_ready or time.monotonic() - worker.began < _QUICK_DEATH
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
