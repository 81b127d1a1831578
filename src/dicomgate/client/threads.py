"""Threads for what the event loop must not wait for: files, decoding, and plain code that asks us in turn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_Done = TypeVar("_Done")
_Item = TypeVar("_Item")


async def in_thread(work: Callable[..., _Done], *given: object) -> _Done:
    """What a thread does that waits for nobody.

    When we are cancelled it is still waited for: nobody else touches what it holds.
    """
    return await _settled(asyncio.ensure_future(asyncio.to_thread(work, *given)))


async def beside(
    work: Callable[[list[bytes]], _Done],
    chunks: AsyncIterator[bytes],
    least: int,
    most: int,
    last: Callable[[list[bytes]], _Done] | None = None,
) -> AsyncGenerator[_Done, None]:
    """What a thread does with the chunks that have come while it was busy with those before them.

    `least` bytes at a time, so that it is not woken up for nothing; `most` wait for it. It is idle while what it did is
    looked at. `last` is done with what is left at the end, be it nothing: one thread is woken up for both. Where we are
    ended, it is waited for: nobody else touches what it holds.
    """
    under_way: asyncio.Future[_Done] | None = None
    waiting: list[bytes] = []
    size = 0
    try:
        async for chunk in chunks:
            waiting.append(chunk)
            size += len(chunk)
            is_free = under_way is None or under_way.done()
            if size >= most or (is_free and size >= least):
                if under_way is not None:
                    yield await asyncio.shield(under_way)
                under_way = asyncio.ensure_future(asyncio.to_thread(work, waiting))
                waiting, size = [], 0
        if under_way is not None:
            yield await asyncio.shield(under_way)
            under_way = None
        if waiting or last is not None:
            yield await in_thread(last or work, waiting)
    finally:
        if under_way is not None:
            await asyncio.wait([under_way])
            if not under_way.cancelled():
                under_way.exception()


async def in_own_thread(work: Callable[..., _Done], *given: object, told: Callable[[], object] | None = None) -> _Done:
    """The same for what may wait long, or for us: it takes nobody's thread. `told` is called when we are cancelled."""
    pool = ThreadPoolExecutor(1, thread_name_prefix="dicomgate apart")
    try:
        return await _settled(asyncio.get_running_loop().run_in_executor(pool, work, *given), told)
    finally:
        pool.shutdown(wait=False)


async def taken(items: Iterator[_Item], told: Callable[[], object] | None = None) -> AsyncGenerator[_Item, None]:
    """What a plain iterator gives, all of it taken in one thread of its own, which closes it at the end.

    `told` is called when we are cancelled.
    """
    pool = ThreadPoolExecutor(1, thread_name_prefix="dicomgate apart")
    loop = asyncio.get_running_loop()
    end = object()
    try:
        while (item := await _settled(loop.run_in_executor(pool, next, items, end), told)) is not end:
            yield item  # type: ignore[misc]  # all but the end are items
    finally:
        if isinstance(items, Generator):
            await _settled(loop.run_in_executor(pool, items.close))
        pool.shutdown(wait=False)


async def _settled(done: asyncio.Future[_Done], told: Callable[[], object] | None = None) -> _Done:
    try:
        return await asyncio.shield(done)
    except asyncio.CancelledError:
        if told is not None:
            told()
        await asyncio.wait([done])
        if not done.cancelled():
            done.exception()  # nobody wants it any more
        raise
