"""Directories under writing: which process is at work where, and which keys are still under way in it.

Each directory has a marker, a file in `open/` with the directory's name that the writing process holds locked. A
marker whose lock is free belongs to a dead process: only there can bytes lie that no index knows. So a restart looks
at a few directories, whatever the archive's size (D5).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from dicomgate.blobs.disk import Disk

MARKERS = "open"


class SharedSync:
    """One sync for all threads that wait for it: each returns after a sync that began after it asked."""

    def __init__(self, sync: Callable[[], None]) -> None:
        self._sync = sync
        self._changed = threading.Condition()
        self._begun = 0
        self._done = 0
        self._is_running = False
        self._failure: OSError | None = None

    def wait(self) -> None:
        """Return when what was done before is durable. OSError if a sync fails; then for everybody, for good."""
        with self._changed:
            needed = self._begun + 1
            while self._done < needed:
                if self._failure is not None:
                    raise OSError(self._failure.errno, self._failure.strerror)
                if self._is_running:
                    self._changed.wait()
                else:
                    self._run()

    def _run(self) -> None:
        self._begun += 1
        self._is_running = True
        self._changed.release()
        is_done, failure = False, None
        try:
            self._sync()
            is_done = True
        except OSError as error:
            failure = error
        finally:  # also of an interrupt, after which nobody knows: the next one begins again
            self._changed.acquire()
            self._is_running = False
            if is_done:
                self._done = self._begun
            self._failure = failure
            self._changed.notify_all()


class Run:
    """One directory that this process writes into. Its methods are called under the store's lock, but for `sync`."""

    def __init__(self, disk: Disk, root: Path, name: str = "") -> None:
        """Mark it, make it, and make both durable, in this order: no directory is written into without a marker.

        `name`: one of ours that was left, or whose making is not known to have succeeded.
        """
        self.name = name or f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(3)}"
        self.path = root / self.name
        self.made = 0
        self.is_full = False
        self._disk = disk
        self._marker = root / MARKERS / self.name
        self._under_way: set[str] = set()
        self._lock = _lock_new_marker(disk, self._marker)
        try:
            disk.sync_directory(self._marker.parent)
            with contextlib.suppress(FileExistsError):
                disk.make_directory(self.path)
            disk.sync_directory(root)
            self._directory = disk.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        except OSError:
            self._give_up()
            raise
        self._shared = SharedSync(lambda: disk.sync(self._directory))

    def sync(self) -> None:
        """Make the names given so far durable, together with other threads."""
        self._shared.wait()

    def begin(self, key: str) -> None:
        """The key is under way from now on."""
        self._under_way.add(key)

    def settle(self, key: str) -> None:
        """The key is known to the index, or nothing is left under it."""
        self._under_way.discard(key)

    @property
    def is_over(self) -> bool:
        """True when nothing more is put here and all that was is settled."""
        return self.is_full and not self._under_way

    def _give_up(self) -> None:
        try:
            with contextlib.suppress(FileNotFoundError):
                if any(self.path.iterdir()):
                    return
                self._disk.remove_directory(self.path)
            self._disk.unlink(self._marker)
        except OSError:
            pass  # the marker stays: a sweep looks whether the directory was made
        finally:
            os.close(self._lock)

    def leave(self) -> None:
        """Let go; the marker goes too if all is settled and the settling is durable, else a sweep finds it."""
        try:
            if not self._under_way:
                self._disk.sync(self._directory)  # so that what was deleted here cannot come back without a marker
                self._disk.unlink(self._marker)
        except OSError:
            pass  # the marker stays: a sweep will look once more, which is always right
        finally:
            os.close(self._directory)
            os.close(self._lock)


def _lock_new_marker(disk: Disk, marker: Path) -> int:
    while True:
        lock = disk.open(marker, os.O_RDWR | os.O_CREAT)
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _is_still(lock, marker):
            return lock
        os.close(lock)  # a sweep came between making and locking, and took the marker for a dead process's


def _is_still(lock: int, marker: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(lock), marker.stat())
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def seized(marker: Path) -> Iterator[bool]:
    """True when the marker belongs to a dead process; it is locked meanwhile."""
    try:
        lock = os.open(marker, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        yield False
        return
    try:
        yield _is_free(lock) and _is_still(lock, marker)
    finally:
        os.close(lock)


def _is_free(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
