"""Another process that keeps the index of a folder in place up to date."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

from dicomgate import config, extras
from dicomgate.archive.folder import Progress
from dicomgate.assembly import archives


@contextmanager
def following(folder: Path, settings: config.Settings, report: Callable[[Progress], None]) -> Iterator[None]:
    """While inside, another process keeps the folder's index up to date; `report` hears of it in a thread."""
    with extras.needed():
        from dicomgate.server import supervisor  # noqa: PLC0415 - what is only read needs no server
    here, there = get_context("spawn").Pipe()
    process = get_context("spawn").Process(target=_follow, args=(folder, settings, there), daemon=True)
    with supervisor.interrupts_blocked():
        process.start()
    there.close()
    listener = threading.Thread(target=_listen, args=(here, report), daemon=True)
    listener.start()
    try:
        yield
    finally:
        with suppress(OSError):  # it may have ended by itself
            here.send_bytes(b"stop")
        process.join(timeout=10)
        if process.is_alive():
            process.terminate()
        listener.join(timeout=10)  # closing what a thread reads from would make it stumble
        here.close()


def _listen(here: Connection, report: Callable[[Progress], None]) -> None:
    try:
        while True:
            report(here.recv())
    except (EOFError, OSError):
        return  # one of the two sides has ended


def _follow(folder: Path, settings: config.Settings, there: Connection) -> None:
    """The life of the process that reads a folder: it ends when its parent closes the pipe, or is gone."""
    import signal  # noqa: PLC0415 - only this process changes its signals

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with archives.open_folder(folder, settings) as opened:
        opened.index.fill_beside()
        opened.follow(
            functools.partial(_is_open, there), functools.partial(_tell, there), interval=settings.folder.watch_seconds
        )


def _is_open(there: Connection) -> bool:
    return not there.poll()  # what can be read this way is the word to stop, or the end of the parent


def _tell(there: Connection, progress: Progress) -> None:
    try:
        there.send(progress)
    except OSError:
        raise SystemExit(0) from None
