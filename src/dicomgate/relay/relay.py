"""The relay: a queue, its bytes and its destinations, put together; doors store into `intake` (decision 17)."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from dicomgate import errors
from dicomgate.archive.room import Room
from dicomgate.blobs.base import BlobStore
from dicomgate.dicom import header
from dicomgate.dicom.header import Limits
from dicomgate.index.errands import Held
from dicomgate.index.waiting import Waiting
from dicomgate.relay.destination import Destination
from dicomgate.relay.forwarding import Forwarder, Log
from dicomgate.relay.held_bytes import Preparing
from dicomgate.relay.intake import Intake
from dicomgate.representations.maker import Maker
from dicomgate.spool import Spool


@dataclass(slots=True, kw_only=True)
class Relay:
    """Holds what its intake is given until each destination has it. One process forwards, any number may take in."""

    waiting: Waiting
    blobs: BlobStore
    spool: Spool
    room: Room
    destinations: Sequence[Destination]
    log: Log
    maker: Maker | None = None
    limits: Limits = header.DEFAULT
    _loop: asyncio.AbstractEventLoop | None = None
    _forwarders: list[Forwarder] = field(default_factory=list)

    @property
    def intake(self) -> Intake:
        """The way in, for doors of this process."""
        return Intake(
            blobs=self.blobs,
            waiting=self.waiting,
            room=self.room,
            destinations=self.destinations,
            limits=self.limits,
            told=self._wake,
        )

    def sweep(self) -> int:
        """Clear what dead processes have left: spool files, bytes that no row knows, bytes that are given up (D5)."""
        return self.spool.sweep() + self.blobs.sweep(self.waiting.known_keys) + clear_garbage(self.waiting, self.blobs)

    @contextlib.contextmanager
    def forwarding(self) -> Iterator[None]:
        """While inside, a thread sends what waits to every destination."""
        is_begun: Future[asyncio.Task[None]] = Future()
        thread = threading.Thread(target=asyncio.run, args=(self._forward(is_begun),), name="forwarding")
        thread.start()
        task = is_begun.result()
        try:
            yield
        finally:
            loop, self._loop = self._loop, None
            assert loop is not None, "it has begun"
            with contextlib.suppress(RuntimeError):  # it has ended by itself
                loop.call_soon_threadsafe(task.cancel)
            thread.join()

    async def _forward(self, is_begun: Future[asyncio.Task[None]]) -> None:
        task = asyncio.current_task()
        assert task is not None, "a coroutine that runs is a task"
        self._loop = asyncio.get_running_loop()
        self._forwarders = [self._forwarder(destination) for destination in self.destinations]
        is_begun.set_result(task)
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*(each.run() for each in self._forwarders))

    def _forwarder(self, destination: Destination) -> Forwarder:
        return Forwarder(
            destination=destination,
            waiting=self.waiting,
            preparing=Preparing(blobs=self.blobs, spool=self.spool, maker=self.maker, limits=self.limits),
            arrived=self._arrived,
            log=self.log,
        )

    def _arrived(self, destination: str, done: Sequence[Held]) -> None:
        """Also on a full disk: what has arrived makes room."""
        keys = self.room.reserve.help_out(lambda: self.waiting.deliver(destination, done))
        with contextlib.suppress(errors.Unavailable):  # what cannot go now, the sweep of the next start lets go
            self.blobs.delete(*keys)
            self.waiting.forget_garbage(keys)

    def _wake(self) -> None:
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # it ends just now
                loop.call_soon_threadsafe(self._look)

    def _look(self) -> None:
        for forwarder in self._forwarders:
            forwarder.look()


def clear_garbage(waiting: Waiting, blobs: BlobStore) -> int:
    """Let go of bytes that nobody waits for any more. How many instances. Unavailable."""
    count = 0
    while keys := waiting.garbage():
        blobs.delete(*keys)
        waiting.forget_garbage(keys)
        count += len(keys)
    return count
