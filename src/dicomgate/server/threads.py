"""Threads that do what the event loop must not wait for, at half the cost of the standard library's executor.

A visit to a thread is most of what a small answer costs, so everything between asking and answering is left out that
can be: one queue made in C, one future, one wake-up of the loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import Any, Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_Task = tuple[asyncio.AbstractEventLoop, asyncio.Future[Any], Callable[..., Any], tuple[Any, ...]]
_END: Final = None
_MOST_ASIDE: Final = 256
"""Threads that may wait aside; beyond them who waits holds up others."""
_here: Final = threading.local()


def aside() -> contextlib.AbstractContextManager[None]:
    """While inside, the thread that waits here counts as none: another may do what comes next.

    For waiting that is long and costs nothing, such as for a decoder that may hang (T5).
    """
    pool: Threads | None = getattr(_here, "pool", None)
    return contextlib.nullcontext() if pool is None else pool.waiting_aside()


class Threads:
    """A bounded number of threads, begun as they are needed. Used by one event loop at a time."""

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._name = name
        self._queue: SimpleQueue[_Task | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._under_way = 0  # changed in the event loop only
        self._is_closed = False
        self._lock = threading.Lock()
        self._aside = 0

    def do(self, deed: Callable[P, T], *about: P.args, **named: P.kwargs) -> asyncio.Future[T]:
        """Begin a deed, from the event loop that awaits its future. Cancelled, it is done all the same."""
        assert not named, "deeds are asked by position"
        assert not self._is_closed, "nothing is begun after the end"
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()
        self._under_way += 1
        if self._under_way > len(self._threads) < self._most + self._aside:
            with self._lock:
                self._begin_thread()
        self._queue.put((loop, answer, deed, about))
        return answer

    def close(self) -> None:
        """Wait until all that was begun is done. Blocks: not for the event loop. May be called twice."""
        with self._lock:
            self._is_closed = True
            threads = list(self._threads)
        for _ in threads:
            self._queue.put(_END)
        for thread in threads:
            thread.join()
        self._threads.clear()

    @contextlib.contextmanager
    def waiting_aside(self) -> Iterator[None]:
        """See `aside`; for a thread of this pool."""
        with self._lock:
            is_counted = self._aside < _MOST_ASIDE
            self._aside += is_counted
            if not self._queue.empty() and not self._is_closed and len(self._threads) < self._most + self._aside:
                self._begin_thread()
        try:
            yield
        finally:
            with self._lock:
                self._aside -= is_counted

    def _begin_thread(self) -> None:
        number = len(self._threads) + 1
        thread = threading.Thread(target=self._work, name=f"{self._name} {number}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _is_one_too_many(self) -> bool:
        """True, once, for a thread that was begun while others waited aside, which are back."""
        if len(self._threads) <= self._most:
            return False
        with self._lock:
            is_so = not self._is_closed and len(self._threads) > self._most + self._aside
            if is_so:
                self._threads.remove(threading.current_thread())
            return is_so

    def _work(self) -> None:
        _here.pool = self
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
            if self._is_one_too_many():
                return

    def _settle(self, answer: asyncio.Future[Any], result: Any, fault: BaseException | None) -> None:
        self._under_way -= 1
        if answer.cancelled():
            return
        if fault is None:
            answer.set_result(result)
        else:
            answer.set_exception(fault)
