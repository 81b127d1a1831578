"""From plain calls to the event loop on which the caller works, and back: no second copy of anything (PS3.18 §8)."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Generator
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

from dicomgate import errors

_Item = TypeVar("_Item")
AHEAD = 16
_HEARS_SECONDS = 0.25
"""A signal that comes in the moment before a lock is waited for wakes nobody: who waits looks up now and then."""


class Bridge:
    """An event loop in a thread of its own, begun when it is first needed; or one that runs already.

    Any number of threads may use it at once, but never the thread of the loop itself.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._loop = loop
        self._thread: threading.Thread | None = None
        self._lock = threading.RLock()  # a generator that ends while we hold it comes back in the same thread
        self._is_closed = False
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop, running."""
        with self._lock:
            if self._is_closed:
                raise errors.Unavailable("it was closed before")
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name="dicomgate client", daemon=True)
                self._thread.start()
            return self._loop

    def run(self, work: Coroutine[Any, Any, _Item]) -> _Item:
        """What it gives, or raises. Whoever is interrupted while waiting ends it."""
        try:
            future = self._begin(work)
        except BaseException:
            work.close()
            raise
        try:
            while not future.done():
                with contextlib.suppress(TimeoutError):
                    future.exception(_HEARS_SECONDS)  # what the work raised is given here, not raised
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def _begin(self, work: Coroutine[Any, Any, _Item]) -> Future[_Item]:
        """Hand it to the loop, which is not ended meanwhile: nobody would ever hear of it."""
        with self._lock:
            loop = self.loop
            assert _running_loop() is not loop, "the loop would wait for itself"
            return asyncio.run_coroutine_threadsafe(self._noted(work), loop)

    async def _noted(self, work: Coroutine[Any, Any, _Item]) -> _Item:
        task = asyncio.current_task()
        assert task is not None, "it was handed to the loop as one"
        self._tasks.add(task)
        try:
            return await work
        finally:
            self._tasks.discard(task)

    def end(self) -> None:
        """On the loop, that of somebody else: cancel what was handed to it, and take no more.

        Whoever waits for it hears so (CancelledError, Unavailable) when it has let go of everything.
        """
        with self._lock:
            self._is_closed = True
        for task in tuple(self._tasks):
            task.cancel()

    def iterate(self, items: AsyncIterator[_Item], ahead: int = AHEAD) -> Generator[_Item, None, None]:
        """The items, of which at most `ahead` wait to be taken. Whoever stops taking them ends what makes them."""
        pump = _Pump(items, ahead)
        try:
            while (found := self.run(pump.take())) is not None:
                yield from found
        finally:
            with contextlib.suppress(errors.Unavailable):  # the loop has ended before us, and all on it
                self.run(pump.stop())

    def step(self, items: AsyncGenerator[_Item, None]) -> Generator[_Item, None, None]:
        """The items, none of them made before the one before it is done with: what is lent, or very large."""
        try:
            while True:
                try:
                    item = self.run(_next(items))
                except StopAsyncIteration:
                    return
                yield item
        finally:
            with contextlib.suppress(errors.Unavailable):  # the loop has ended before us, and all on it
                self.run(_close(items))

    def close(self, last: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """End what is under way on the loop, do the last thing there, and end the loop; only if it is our own."""
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
            self._is_closed = True
        if loop is None or thread is None:
            return
        asyncio.run_coroutine_threadsafe(_end_all(last), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


async def _next(items: AsyncGenerator[_Item, None]) -> _Item:
    return await anext(items)


async def _close(items: AsyncGenerator[_Item, None]) -> None:
    await items.aclose()


async def _end_all(last: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Cancel what is under way and wait for it."""
    own = asyncio.current_task()
    tasks = [task for task in asyncio.all_tasks() if task is not own]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    loop = asyncio.get_running_loop()
    await loop.shutdown_asyncgens()
    await last()
    await loop.shutdown_default_executor()


class _Pump(Generic[_Item]):
    """Takes items ahead of who wants them; all of it happens on the loop."""

    def __init__(self, items: AsyncIterator[_Item], ahead: int) -> None:
        self._items = items
        self._ahead = max(1, ahead)
        self._waiting: list[_Item] = []
        self._filled, self._emptied = asyncio.Event(), asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._is_done = False

    async def take(self) -> list[_Item] | None:
        """All that waits, at least one; None at the end. What making them raised comes after those before it."""
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        try:
            while not self._waiting and not self._is_done:
                self._filled.clear()
                await self._filled.wait()
        except asyncio.CancelledError:
            self._task.cancel()
            raise
        found, self._waiting = self._waiting, []
        self._emptied.set()
        if found:
            return found
        await self._task
        return None

    async def _run(self) -> None:
        try:
            async for item in self._items:
                while len(self._waiting) >= self._ahead:
                    self._emptied.clear()
                    await self._emptied.wait()
                self._waiting.append(item)
                self._filled.set()
        finally:
            self._is_done = True
            self._filled.set()

    async def stop(self) -> None:
        """End the making, and wait until it has let go of everything."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        close = getattr(self._items, "aclose", None)
        if close is not None:
            await close()
