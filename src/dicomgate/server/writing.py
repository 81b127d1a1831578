"""Bytes of a part on their way to where they gather: in big steps, by a thread, one step at a time (T4)."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final, Protocol

from dicomgate.server.budget import Arriving
from dicomgate.server.threads import Threads

_STEP: Final = 2 << 20
"""Bytes gathered before a thread takes them."""
_SHORT_STEP: Final = 64 << 10
"""The same while too much is in memory."""
_SMALL: Final = 16 << 10
"""Pieces below this are copied together: each would cost as much again for itself."""
MOST_HELD: Final = 8 << 20
"""Bytes of one part that may be in memory: what the spool holds, and steps on their way to it."""

Piece = bytes | memoryview


class Sink(Protocol):
    """Where bytes gather: an arrival, a pile."""

    @property
    def waiting(self) -> int:
        """How many bytes it holds in memory."""
        ...

    def write(self, chunk: Piece) -> None:
        """Take the next bytes. OSError when the disk is full or broken."""
        ...

    def spill(self) -> None:
        """Hold as little as possible in memory. OSError when the disk is full or broken."""
        ...


class Writing:
    """Bytes gather here, and a thread takes them to where they go."""

    def __init__(self, sink: Sink, threads: Threads, arriving: Arriving) -> None:
        self._sink = sink
        self._threads = threads
        self._arriving = arriving
        self._counted = 0  # what `arriving` knows of
        self._is_counted = True
        self._gathered: list[Piece] = []
        self._small = bytearray()  # what comes after that
        self._size = 0  # of both
        self._step: asyncio.Future[int] | None = None

    async def write(self, data: Piece) -> None:
        """Take the next bytes; wait when the thread is still busy with those before. OSError of an earlier step."""
        if len(data) < _SMALL or _holds_much_more(data):
            self._small += data
        else:
            self._join_small()
            self._gathered.append(data)
        self._size += len(data)
        self._count(self._counted + len(data))
        is_short = self._arriving.is_too_much
        if self._size >= (_SHORT_STEP if is_short else _STEP):
            gathered = await self.rest()
            self._step = self._threads.do(_do_step, self._sink, gathered, is_short)

    async def rest(self) -> list[Piece]:
        """What no thread has taken yet, once the step under way is done. OSError of that step."""
        if self._step is not None:
            self._count(self._size + await self._finish_step(self._step))
        self._join_small()
        gathered, self._gathered = self._gathered, []
        self._size = 0
        return gathered

    async def _finish_step(self, step: asyncio.Future[int]) -> int:
        """What it gives. Who is cancelled here leaves it under way: the thread goes on, and must be waited for."""
        try:
            return await asyncio.shield(step)
        finally:
            if step.done():
                self._step = None

    async def abandon(self) -> None:
        """Write nothing more."""
        with contextlib.suppress(OSError):
            await self.rest()
        self.release()

    def release(self) -> None:
        """What is in memory is counted elsewhere from now on."""
        self._count(0)
        self._is_counted = False

    def _join_small(self) -> None:
        if self._small:
            self._gathered.append(memoryview(self._small))
            self._small = bytearray()

    def _count(self, size: int) -> None:
        if self._is_counted:
            self._arriving.held += size - self._counted
            self._counted = size


def write_all(sink: Sink, gathered: list[Piece]) -> None:
    """Write pieces one after the other."""
    for data in gathered:
        sink.write(data)


def _do_step(sink: Sink, gathered: list[Piece], is_short: bool) -> int:
    """Write, and say how much is in memory afterwards."""
    write_all(sink, gathered)
    if is_short:
        sink.spill()
    return sink.waiting


def _holds_much_more(data: Piece) -> bool:
    """True for a slice that keeps more than as much again from being let go."""
    return isinstance(data, memoryview) and memoryview(data.obj).nbytes > 2 * len(data)
