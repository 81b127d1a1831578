"""Whether there is room for more: the reserve for a full disk, the least that stays free, the archive's quota (D3)."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from dicomgate import errors
from dicomgate.archive.reserve import Reserve

_FRESH: Final = 1.0
"""Seconds for which a sum over the index is believed: what other processes store is seen a moment later."""


class Room:
    """What may still be stored. Safe for threads; every process counts for itself and looks at the index again."""

    def __init__(self, reserve: Reserve, used: Callable[[], int], *, quota: int = 0, least_free: int = 0) -> None:
        """`used` gives the bytes that the index knows of. 0 is no bound."""
        self.reserve = reserve
        self._used = used
        self._quota = quota
        self._least_free = least_free
        self._lock = threading.Lock()
        self._measured = 0
        self._until = 0.0
        self._since = 0  # stored here after the measuring began
        self._under_way = 0

    def require(self, size: int = 0) -> None:
        """See that so many bytes may be stored.

        Raises OutOfSpace when the disk is full, Unavailable when the quota or the least free room forbids it.
        """
        self._require_disk(size)
        with self._lock:
            self._require_quota(size)

    @contextmanager
    def claim(self, size: int) -> Iterator[None]:
        """Have so many bytes counted while they are stored, and afterwards if that went well. Raises as `require`."""
        self._require_disk(size)
        with self._lock:
            self._require_quota(size)
            self._under_way += size
        try:
            yield
            with self._lock:
                self._since += size
        finally:
            with self._lock:
                self._under_way -= size

    def require_whole(self, size: int) -> None:
        """See that so many bytes fit on the disk before the first is written. Raises as `require`."""
        self.require(size)
        status = os.statvfs(self.reserve.path.parent)
        if status.f_bavail * status.f_frsize < size:
            raise errors.OutOfSpace(f"{size} bytes are needed on the disk, there is less")

    def count_again(self) -> None:
        """Something went: measure before the next answer."""
        with self._lock:
            self._until = 0.0

    def _require_disk(self, size: int) -> None:
        self.reserve.require()
        if not self._least_free:
            return
        status = os.statvfs(self.reserve.path.parent)
        if status.f_bavail * status.f_frsize - size < self._least_free:
            raise errors.Unavailable("little room is left on the disk; nothing is stored until there is more")

    def _require_quota(self, size: int) -> None:
        if not self._quota:
            return
        if time.monotonic() >= self._until:
            self._since = 0
            self._measured = self._used()
            self._until = time.monotonic() + _FRESH
        used = self._measured + self._since + self._under_way
        if used + size > self._quota or used >= self._quota:
            raise errors.Unavailable("the quota of this archive is used up; nothing is stored until something goes")
