"""How many bytes may leave for one destination in a second, over all requests to it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Final

_SLICES: Final = 20
"""Pieces of a second's bytes: what leaves is even, and never long silent."""
_LEAST: Final = 256


class Throttle:
    """Lets bytes pass at a rate; of one event loop. Time that nobody used is not made up for."""

    def __init__(self, bytes_per_second: int) -> None:
        self._rate = bytes_per_second
        self._slice = max(bytes_per_second // _SLICES, _LEAST)
        self._free_at = 0.0

    async def slowed(self, piece: bytes) -> AsyncIterator[bytes]:
        """The same bytes, in smaller pieces, each when it may leave."""
        view = memoryview(piece)
        for start in range(0, len(view), self._slice):
            part = view[start : start + self._slice]
            now = time.monotonic()
            begins = max(now, self._free_at)
            self._free_at = begins + len(part) / self._rate
            await asyncio.sleep(begins - now)
            yield bytes(part)
