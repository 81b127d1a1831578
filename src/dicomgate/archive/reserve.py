"""Room kept on the disk for the time when it is full: so that the index still opens, and a delete can make room (D3).

Both need some room themselves: SQLite writes its log before it changes anything. So nothing is stored while the room is
not there, and it is given up for these two alone.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from dicomgate import errors

T = TypeVar("T")

_SIZE: Final = 16 << 20
_SMALL_DISK: Final = 32
"""At most this fraction of the disk."""


@dataclass(frozen=True, slots=True)
class Reserve:
    """A file that only takes room. Any number of processes may share it."""

    path: Path
    size: int = _SIZE

    def require(self) -> None:
        """See that the room is there; OutOfSpace when it cannot be taken."""
        if self.path.exists():
            return
        status = os.statvfs(self.path.parent)
        size = min(self.size, status.f_blocks * status.f_frsize // _SMALL_DISK)
        if status.f_bavail * status.f_frsize < 2 * size:
            raise errors.OutOfSpace("no room left on the disk")
        self._take(size)

    def give_up(self) -> None:
        """Let the room be used."""
        self.path.unlink(missing_ok=True)

    def help_out(self, deed: Callable[[], T]) -> T:
        """Do what must be possible on a full disk too; OutOfSpace when the room was not enough."""
        try:
            return deed()
        except errors.OutOfSpace:
            self.give_up()
            return deed()

    def _take(self, size: int) -> None:
        """Make the file aside, one thread of one process at a time; the others find it made."""
        aside = self.path.with_name(f"{self.path.name}.part")
        try:
            while not self.path.exists():
                with _locked(aside) as descriptor:
                    if os.fstat(descriptor).st_nlink and not self.path.exists():
                        _allocate(descriptor, size)
                        with suppress(FileNotFoundError):  # taken by another and given up while we waited: again
                            aside.replace(self.path)
        except OSError as fault:
            raise errors.OutOfSpace("no room left on the disk") from fault


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    except OSError:
        os.ftruncate(descriptor, 0)  # half a room is of no use
        raise
    finally:
        os.close(descriptor)


def _allocate(descriptor: int, size: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)
        return
    for start in range(0, size, 1 << 20):
        os.pwrite(descriptor, os.urandom(min(1 << 20, size - start)), start)
