"""Sees that a caller takes what waits to be sent to him (T21)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from dicomgate.server.sending import Sending
from dicomgate.server.settings import ConnectionLimits


class Reader:
    """The caller as the reader of a connection. Who takes next to nothing for the set time is let go."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, sending: Sending, limits: ConnectionLimits, stalled: Callable[[], None]
    ) -> None:
        self._loop = loop
        self._sending = sending
        self._limits = limits
        self._stalled = stalled
        self._is_slow = False
        self._pauses = 0
        self._timer: asyncio.TimerHandle | None = None

    def pause(self) -> None:
        """More waits to be sent than he takes."""
        self._is_slow = True
        self._pauses += 1
        if self._timer is None:
            self._watch()

    def resume(self) -> None:
        """He has taken most of it."""
        self._is_slow = False

    def close(self) -> None:
        """He has gone."""
        if self._timer is not None:
            self._timer.cancel()

    def _watch(self) -> None:
        seen = (self._pauses, self._sending.get_write_buffer_size())
        self._timer = self._loop.call_later(self._limits.stall_seconds, self._look, seen)

    def _look(self, seen: tuple[int, int]) -> None:
        self._timer = None
        if not self._is_slow or self._sending.is_closing():
            return
        pauses, waiting = seen
        if self._pauses == pauses and self._sending.get_write_buffer_size() > waiting - self._limits.progress_bytes:
            self._stalled()
        else:
            self._watch()
