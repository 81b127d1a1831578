"""Threads that do what the event loop must not wait for, at half the cost of the standard library's executor.

A visit to a thread is most of what a small answer costs, so everything between asking and answering is left out that
can be: one queue made in C, one future, one wake-up of the loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_Task = tuple[asyncio.AbstractEventLoop, asyncio.Future[Any], Callable[..., Any], tuple[Any, ...]]
_END: Final = None


class Threads:
    """A bounded number of threads, begun as they are needed. Used by one event loop at a time."""

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._name = name
        self._queue: SimpleQueue[_Task | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._under_way = 0  # changed in the event loop only
        self._is_closed = False

    def do(self, deed: Callable[P, T], *about: P.args, **named: P.kwargs) -> asyncio.Future[T]:
        """Begin a deed, from the event loop that awaits its future. Cancelled, it is done all the same."""
        assert not named, "deeds are asked by position"
        assert not self._is_closed, "nothing is begun after the end"
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()
        self._under_way += 1
        if self._under_way > len(self._threads) < self._most:
            self._begin_thread()
        self._queue.put((loop, answer, deed, about))
        return answer

    def close(self) -> None:
        """Wait until all that was begun is done. Blocks: not for the event loop. May be called twice."""
        self._is_closed = True
        for _ in self._threads:
            self._queue.put(_END)
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def _begin_thread(self) -> None:
        number = len(self._threads) + 1
        thread = threading.Thread(target=self._work, name=f"{self._name} {number}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _work(self) -> None:
        next_task = self._queue.get
        while (task := next_task()) is not _END:
            loop, answer, deed, about = task
            try:
                result, fault = deed(*about), None
            except BaseException as error:  # noqa: BLE001 - carried over to the one who asked
                result, fault = None, error
            with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits any more
                loop.call_soon_threadsafe(self._settle, answer, result, fault)
            del task, answer, deed, about, result, fault  # nothing is held while waiting

    def _settle(self, answer: asyncio.Future[Any], result: Any, fault: BaseException | None) -> None:
        self._under_way -= 1
        if answer.cancelled():
            return
        if fault is None:
            answer.set_result(result)
        else:
            answer.set_exception(fault)
