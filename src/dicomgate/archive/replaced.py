"""Files in whose place others were stored: they stay a while for those who have found them, then they go (STOW-18)."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Final

_GRACE: Final = 60.0
"""Seconds: who has asked for a file opens it within that time, or asks again."""
_MOST: Final = 500


class Replaced:
    """Keys of such files, of one process; safe for threads. The index knows them as garbage, should the process die."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[tuple[float, str]] = deque()

    def add(self, key: str) -> None:
        """One more."""
        with self._lock:
            self._waiting.append((time.monotonic() + _GRACE, key))

    def due(self) -> list[str]:
        """Those that may go now; each is given once."""
        found: list[str] = []
        with self._lock:
            while self._waiting and len(found) < _MOST and self._waiting[0][0] <= time.monotonic():
                found.append(self._waiting.popleft()[1])
        return found
