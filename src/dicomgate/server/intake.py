"""The way of instances from the wire into the origin: several are judged and written while the next are read (STOW-19).

Memory is bounded by not reading: a caller waits while too many of his instances, or of everybody's, are under way.
"""

from __future__ import annotations

import asyncio
import errno
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from dicomgate import errors
from dicomgate.dicom.outcomes import Outcome, Reason, Refused
from dicomgate.server.logs import Log
from dicomgate.server.threads import Threads
from dicomgate.spool import Arrival, Spool

_STEP: Final = 2 << 20
"""Bytes gathered before a thread takes them."""
_MOST_HELD: Final = 8 << 20
"""Bytes of one part that may be in memory: what the spool holds, and steps on their way to it."""
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

Accept = Callable[[Arrival], Outcome]


class Budget:
    """Memory that all requests together may have under way; one is always let through."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken = 0
        self._freed = asyncio.Condition()

    async def take(self, size: int) -> None:
        """Wait until there is room."""
        async with self._freed:
            await self._freed.wait_for(lambda: not self._taken or self._taken + size <= self._limit)
            self._taken += size

    async def give_back(self, size: int) -> None:
        """Make room."""
        async with self._freed:
            self._taken -= size
            self._freed.notify_all()


class Intake:
    """The instances of one request, in the order of its parts."""

    def __init__(
        self, accept: Accept, spool: Spool, threads: Threads, budget: Budget, *, window: int, instance_bytes: int
    ) -> None:
        self._accept = accept
        self._spool = spool
        self._threads = threads
        self._budget = budget
        self._window = window
        self._instance_bytes = instance_bytes
        self._under_way: deque[asyncio.Task[Outcome]] = deque()
        self._outcomes: list[Outcome] = []
        self._part: _Part | None = None

    def begin(self, refusal: Refused | None = None) -> None:
        """A part starts; with a refusal its bytes are passed over."""
        assert self._part is None, "one part at a time"
        self._part = _Part(self._spool.arrival(), self._threads, refusal)

    async def write(self, data: bytes | memoryview) -> None:
        """The next bytes of the part."""
        part = self._part
        assert part is not None, "a part has begun"
        if part.size + len(data) > self._instance_bytes:
            await part.refuse(
                Refused(Reason.LIMIT_PASSED, f"more than {self._instance_bytes} bytes", syntax_fault=True)
            )
        await part.write(data)

    async def end(self) -> None:
        """The part is complete: it is judged while the caller sends on."""
        part, self._part = self._part, None
        assert part is not None, "a part has begun"
        while len(self._under_way) >= self._window:
            self._outcomes.append(await self._under_way.popleft())
        await self._budget.take(part.held)
        self._under_way.append(asyncio.get_running_loop().create_task(self._settle(part)))

    async def outcomes(self) -> Sequence[Outcome]:
        """What became of every complete part, in order, once all are settled."""
        while self._under_way:
            self._outcomes.append(await self._under_way.popleft())
        return self._outcomes

    async def abandon(self) -> None:
        """The part that is not complete leaves nothing behind."""
        part, self._part = self._part, None
        if part is not None:
            await part.discard()

    async def _settle(self, part: _Part) -> Outcome:
        held = part.held
        try:
            return await part.settle(self._accept)
        finally:
            await self._budget.give_back(held)


class _Part:
    """One arrival: bytes gather here, and a thread takes them in big steps, one step at a time."""

    def __init__(self, arrival: Arrival, threads: Threads, refusal: Refused | None) -> None:
        self.size = 0
        self._refusal = refusal
        self._arrival = arrival
        self._threads = threads
        self._gathered: list[bytes | memoryview] = []
        self._gathered_size = 0
        self._writing: asyncio.Future[None] | None = None

    @property
    def held(self) -> int:
        """Bytes it keeps in memory, at most."""
        return min(self.size, _MOST_HELD)

    async def write(self, data: bytes | memoryview) -> None:
        """Take the next bytes; wait when the thread is still busy with those before."""
        self.size += len(data)
        if self._refusal is not None:
            return
        self._gathered.append(data)
        self._gathered_size += len(data)
        if self._gathered_size >= _STEP:
            await self._rest()
            gathered, self._gathered, self._gathered_size = self._gathered, [], 0
            if self._refusal is None:
                self._writing = self._hop(_write, self._arrival, gathered)

    async def refuse(self, refusal: Refused) -> None:
        """Keep nothing of it, neither what came nor what will."""
        if self._refusal is None:
            self._refusal = refusal
            await self._rest()
            self._gathered = []
            self._arrival.discard()

    async def settle(self, accept: Accept) -> Outcome:
        """Write what is left, let the origin judge, and let go of the arrival in every case."""
        await self._rest()
        if self._refusal is not None:
            self._arrival.discard()
            return self._refusal
        return await self._threads.do(_judge, self._arrival, self._gathered, accept)

    async def discard(self) -> None:
        """Leave nothing of it."""
        await self._rest()
        self._arrival.discard()

    async def _rest(self) -> None:
        """Wait for the step that a thread still writes."""
        writing, self._writing = self._writing, None
        if writing is not None:
            try:
                await writing
            except OSError as fault:
                self._refusal = self._refusal or _refusal_of(fault)

    def _hop(
        self,
        deed: Callable[[Arrival, list[bytes | memoryview]], None],
        arrival: Arrival,
        data: list[bytes | memoryview],
    ) -> asyncio.Future[None]:
        return self._threads.do(deed, arrival, data)


def _write(arrival: Arrival, gathered: list[bytes | memoryview]) -> None:
    for data in gathered:
        arrival.write(data)


def _judge(arrival: Arrival, gathered: list[bytes | memoryview], accept: Accept) -> Outcome:
    try:
        _write(arrival, gathered)
        return accept(arrival)
    except OSError as fault:
        return _refusal_of(fault)
    except errors.Unavailable as fault:
        return Refused(Reason.OUT_OF_RESOURCES, fault.message)
    except Exception as bug:  # noqa: BLE001 - one poisoned instance must not spoil the others of its request
        Log().bug(bug, kind="store")
        return Refused(Reason.PROCESSING_FAILURE)
    finally:
        arrival.discard()


def _refusal_of(fault: OSError) -> Refused:
    """Whatever is wrong with the disk, the sender is not at fault and may try again: never 409 (D3)."""
    detail = "no space is left" if fault.errno in _FULL else "it could not be written"
    return Refused(Reason.OUT_OF_RESOURCES, detail)
