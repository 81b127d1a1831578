"""Memory that the requests of one process share: what waits to be judged, and what is still arriving (T4, T13)."""

from __future__ import annotations

import asyncio
from collections import deque


class Budget:
    """Memory that all requests together may have under way; one is always let through. Used by one event loop.

    Who asks first gets first: a large instance does not wait for ever behind small ones.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    async def take(self, size: int) -> None:
        """Wait until there is room."""
        if not self._waiting and self._has_room(size):
            self._taken += size
            return
        given: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((size, given))
        try:
            await given
        except asyncio.CancelledError:
            if given.done() and not given.cancelled():
                self.give_back(size)
            else:
                self._waiting.remove((size, given))
                self._let_in()
            raise

    def give_back(self, size: int) -> None:
        """Make room."""
        self._taken -= size
        self._let_in()

    def _has_room(self, size: int) -> bool:
        return not self._taken or self._taken + size <= self._limit

    def _let_in(self) -> None:
        while self._waiting and self._has_room(self._waiting[0][0]):
            size, given = self._waiting.popleft()
            self._taken += size
            given.set_result(None)


class Arriving:
    """Counts what is held in memory of parts that are not complete; they go to disk while it is too much.

    Nobody waits for it: whoever sends most of an instance and then falls silent would hold up the others.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.held = 0

    @property
    def is_too_much(self) -> bool:
        """True while what comes goes on to disk."""
        return self.held > self._limit
