"""Processes of their own that serve DIMSE on one socket: associations are threads, and threads share one processor."""

from __future__ import annotations

import contextlib
import gc
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from multiprocessing import connection as pipes
from multiprocessing import get_context
from multiprocessing.context import SpawnProcess
from typing import Final

from dicomgate import errors
from dicomgate.dimse.door import Door
from dicomgate.dimse.session import House
from dicomgate.server import memory
from dicomgate.server.logs import Log

OpenHouse = Callable[[], AbstractContextManager[House]]
"""Called once in every process, to which it is sent: it must be picklable."""

_PAUSE_SECONDS: Final = 1.0
_KILLED_AFTER: Final = 5.0
_GARBAGE: Final = 20_000
"""Objects that may come before those in circles are looked for: one instance has some thousands, and no circles."""


@dataclass(slots=True)
class _Worker:
    process: SpawnProcess
    pipe: pipes.Connection
    is_ready: bool = False


@contextmanager
def serving(open_house: OpenHouse, listening: socket.socket, count: int, *, stop_seconds: float) -> Iterator[None]:
    """While inside, `count` processes serve what a house shows; one that dies is replaced, and the log says so.

    At the end each has `stop_seconds` to say what it is saying. Unavailable when they end as soon as they start.
    """
    workers = [_start(open_house, listening, shares=count > 1) for _ in range(count)]
    is_over, is_over_told = get_context("spawn").Pipe(duplex=False)
    watcher = threading.Thread(
        target=_replace_dead, args=(workers, open_house, listening, is_over), name="DIMSE watcher", daemon=True
    )
    try:
        for worker in workers:
            _wait_until_ready(worker)
        watcher.start()
        yield
    finally:
        is_over_told.close()
        if watcher.ident is not None:
            watcher.join()
        is_over.close()
        _stop(workers, stop_seconds)


def _start(open_house: OpenHouse, listening: socket.socket, *, shares: bool) -> _Worker:
    from dicomgate.server import supervisor  # noqa: PLC0415 - what is only read needs no server

    spawn = get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_work, args=(open_house, listening, theirs, shares), name="dicomgate DIMSE")
    with supervisor.interrupts_blocked():
        process.start()
    theirs.close()
    return _Worker(process, ours)


def _wait_until_ready(worker: _Worker) -> None:
    try:
        worker.is_ready = worker.pipe.recv_bytes() == b"ready"
    except (EOFError, OSError):
        raise errors.Unavailable("the DIMSE door's processes end as soon as they start; the log says why") from None


def _replace_dead(
    workers: list[_Worker], open_house: OpenHouse, listening: socket.socket, is_over: pipes.Connection
) -> None:
    """Until it is over. One that dies before it was ready is replaced after a pause, not at once."""
    while is_over not in pipes.wait([is_over, *(worker.process.sentinel for worker in workers)]):
        for place, worker in enumerate(workers):
            if worker.process.is_alive():
                continue
            Log().event("worker died", code=worker.process.exitcode or 0, door="DIMSE")
            worker.pipe.close()
            if is_over.poll(_PAUSE_SECONDS):
                return
            workers[place] = _start(open_house, listening, shares=len(workers) > 1)


def _stop(workers: list[_Worker], seconds: float) -> None:
    for worker in workers:
        worker.pipe.close()  # its watcher sees the end of the pipe: also when this process is killed
    for worker in workers:
        worker.process.join(seconds + _KILLED_AFTER)
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()


def _work(open_house: OpenHouse, listening: socket.socket, parent: pipes.Connection, shares: bool) -> None:
    """The life of a process: it ends when its parent closes the pipe, or is gone, or it is told to by a signal."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    memory.keep()
    with open_house() as house, listening:
        door = Door(house, is_shared=shares)
        signal.signal(signal.SIGTERM, lambda *_: door.stop())

        def stop_with_parent() -> None:
            with contextlib.suppress(EOFError, OSError):
                parent.recv_bytes()
            door.stop()

        threading.Thread(target=stop_with_parent, name="parent watcher", daemon=True).start()
        with contextlib.suppress(OSError):  # told to stop meanwhile
            parent.send_bytes(b"ready")
        gc.freeze()  # modules and tables stay: looking through them was a tenth of what an instance costs
        gc.set_threshold(_GARBAGE)
        door.run_on(listening)
