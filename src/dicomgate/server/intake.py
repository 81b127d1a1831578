"""The way of instances from the wire into the origin: several are judged and written while the next are read (STOW-19).

Memory is bounded by not reading: a caller waits while too many of his instances, or of everybody's, are under way.
"""

from __future__ import annotations

import asyncio
import errno
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from dicomgate import errors
from dicomgate.dicom.header import Header, Limits
from dicomgate.dicom.outcomes import Outcome, Reason, Refused
from dicomgate.server.budget import Arriving, Budget
from dicomgate.server.logs import Log
from dicomgate.server.order import Order
from dicomgate.server.threads import Threads
from dicomgate.server.writing import MOST_HELD, Piece, Writing, write_all
from dicomgate.spool import Arrival, Spool

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

Accept = Callable[[Arrival], Outcome]


class Content(Protocol):
    """The bytes of one instance, before they are in an arrival; asked in a thread."""

    def fill(self, arrival: Arrival) -> Refused | None:
        """Write them, or say why they cannot be made. OSError when the disk is full or broken."""
        ...

    def conclude(self, outcome: Outcome) -> Outcome:
        """The outcome with what is to be said of how the bytes were made."""
        ...


class Intake:
    """The instances of one request, in the order of its parts."""

    def __init__(
        self,
        accept: Accept,
        spool: Spool,
        threads: Threads,
        budget: Budget,
        arriving: Arriving,
        *,
        window: int,
        instance_bytes: int,
        limits: Limits,
    ) -> None:
        self._accept = accept
        self._spool = spool
        self._threads = threads
        self._budget = budget
        self._arriving = arriving
        self._window = window
        self._instance_bytes = instance_bytes
        self._limits = limits
        self._order = Order()
        self._count = 0
        self._entered: asyncio.Future[None] | None = None  # done when the newest instance has come to its thread
        self._under_way: deque[asyncio.Task[Outcome]] = deque()
        self._outcomes: list[Outcome] = []
        self._part: _Part | None = None

    def begin(self, refusal: Refused | None = None) -> None:
        """A part starts; with a refusal its bytes are passed over."""
        assert self._part is None, "one part at a time"
        self._part = _Part(self._spool.arrival(), self._threads, self._arriving, refusal)

    async def write(self, data: bytes | memoryview) -> None:
        """The next bytes of the part."""
        part = self._part
        assert part is not None, "a part has begun"
        if part.size + len(data) > self._instance_bytes:
            await part.refuse(Refused(Reason.LIMIT_PASSED, f"more than {self._instance_bytes} bytes"))
        await part.write(data)

    async def end(self) -> None:
        """The part is complete: it is judged while the caller sends on."""
        part = self._part
        assert part is not None, "a part has begun"
        await self._make_way()
        await self._budget.take(part.held)
        part.release()
        self._part = None
        self._start(part)

    async def add(self, content: Content | Refused) -> None:
        """An instance that is made here is judged too; what it holds in memory was taken from the budget before."""
        await self._make_way()
        self._start(_Made(self._spool.arrival(), content))

    async def outcomes(self) -> Sequence[Outcome]:
        """What became of every complete part, in order, once all are settled."""
        while self._under_way:
            await self._finish_oldest()
        return self._outcomes

    async def abandon(self) -> None:
        """The part that is not complete leaves nothing behind."""
        part, self._part = self._part, None
        if part is not None:
            await part.discard()

    async def _make_way(self) -> None:
        while len(self._under_way) >= self._window:
            await self._finish_oldest()

    async def _finish_oldest(self) -> None:
        """Who is cancelled here leaves it under way: the thread goes on with what it reads from."""
        outcome = await asyncio.shield(self._under_way[0])
        self._under_way.popleft()
        self._outcomes.append(outcome)

    def _start(self, offered: _Part | _Made) -> None:
        loop = asyncio.get_running_loop()
        before, self._entered = self._entered, loop.create_future()
        self._under_way.append(loop.create_task(self._settle(offered, self._count, before, self._entered)))
        self._count += 1

    async def _settle(
        self,
        offered: _Part | _Made,
        number: int,
        before: asyncio.Future[None] | None,
        entered: asyncio.Future[None],
    ) -> Outcome:
        """Judge in a thread, entered in the order of the parts (see Order)."""
        held = offered.held
        try:
            content = await offered.content()
            if before is not None:
                await before
            judging = self._threads.do(self._judge, number, offered.arrival, content)
            entered.set_result(None)
            return await judging
        finally:
            if not entered.done():
                entered.set_result(None)
            self._order.leave(number)
            self._budget.give_back(held)

    def _judge(self, number: int, arrival: Arrival, content: Content | Refused) -> Outcome:
        try:
            refusal = content if isinstance(content, Refused) else content.fill(arrival)
            if isinstance(content, Refused) or refusal is not None:
                assert refusal is not None, "either way it is refused"
                return refusal
            self._order.enter(number, _find_header(arrival, self._limits))
            return content.conclude(self._accept(arrival))
        except OSError as fault:
            return _refusal_of(fault)
        except errors.Unavailable as fault:
            return Refused(Reason.OUT_OF_RESOURCES, fault.message, is_full=isinstance(fault, errors.OutOfSpace))
        except Exception as bug:  # noqa: BLE001 - one poisoned instance must not spoil the others of its request
            Log().bug(bug, kind="store")
            return Refused(Reason.PROCESSING_FAILURE)
        finally:
            self._order.leave(number)
            arrival.discard()


class _Made:
    """An instance whose bytes are made when it is judged."""

    held: Final = 0

    def __init__(self, arrival: Arrival, content: Content | Refused) -> None:
        self.arrival = arrival
        self._content = content

    async def content(self) -> Content | Refused:
        """Nothing is to be waited for."""
        return self._content


class _Gathered:
    """What is left to be written of a part."""

    def __init__(self, pieces: list[Piece]) -> None:
        self._pieces = pieces

    def fill(self, arrival: Arrival) -> Refused | None:
        """Write it."""
        write_all(arrival, self._pieces)
        return None

    def conclude(self, outcome: Outcome) -> Outcome:
        """Nothing is to be added."""
        return outcome


class _Part:
    """An arrival that fills as its part comes, with a refusal where one is known."""

    def __init__(self, arrival: Arrival, threads: Threads, arriving: Arriving, refusal: Refused | None) -> None:
        self.size = 0
        self.arrival = arrival
        self._refusal = refusal
        self._writing = Writing(arrival, threads, arriving)

    @property
    def held(self) -> int:
        """Bytes it keeps in memory, at most."""
        return min(self.size, MOST_HELD)

    async def write(self, data: bytes | memoryview) -> None:
        """Take the next bytes; wait when the thread is still busy with those before."""
        self.size += len(data)
        if self._refusal is None:
            try:
                await self._writing.write(data)
            except OSError as fault:
                await self.refuse(_refusal_of(fault))

    async def refuse(self, refusal: Refused) -> None:
        """Keep nothing of it, neither what came nor what will."""
        if self._refusal is None:
            self._refusal = refusal
            await self.discard()

    def release(self) -> None:
        """What it holds was taken from the budget."""
        self._writing.release()

    async def content(self) -> Content | Refused:
        """What is left to be written, once what came before is."""
        try:
            left = await self._writing.rest()
        except OSError as fault:
            self._refusal = self._refusal or _refusal_of(fault)
        return self._refusal or _Gathered(left)

    async def discard(self) -> None:
        """Leave nothing of it."""
        await self._writing.abandon()
        self.arrival.discard()


def _find_header(arrival: Arrival, limits: Limits) -> Header | None:
    """What an arrival says of itself; None where it cannot be read, of which the judgement will tell."""
    try:
        arrival.finish()
        return arrival.header(limits)
    except errors.Fault:
        return None


def _refusal_of(fault: OSError) -> Refused:
    """Whatever is wrong with the disk, the sender is not at fault and may try again: never 409 (D3)."""
    is_full = fault.errno in _FULL
    detail = "no space is left" if is_full else "it could not be written"
    return Refused(Reason.OUT_OF_RESOURCES, detail, is_full=is_full)
