"""Which files a correction is writing, noted before the first: a rebuild must not take half of one for the whole (D8).

A note stays until the index has all the new files or none is left. While it stays the old files are all there, so a
rebuild without the old index leaves out what a note names.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import orjson

from dicomgate import spool


class Note:
    """One note on the disk, locked by the process that wrote it."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor
        self._is_over = False

    def keep(self) -> None:
        """Nobody knows what became of the files: the note stays until this process has ended and a sweep has looked."""
        self._is_over = True  # the lock, which ends with the process, keeps a sweep away until then

    def close(self) -> None:
        """Take the note away, durably, unless it is to be kept. May be called twice."""
        if self._is_over:
            return
        self._is_over = True
        self._path.unlink(missing_ok=True)
        _sync(self._path.parent)
        os.close(self._descriptor)


@dataclass(frozen=True, slots=True)
class Intents:
    """The notes of one archive."""

    directory: Path

    @contextmanager
    def noted(self, keys: Sequence[str]) -> Iterator[Note]:
        """While inside, the keys are noted on stable storage. OutOfSpace or Unavailable when they cannot be."""
        try:
            note = self._write(keys)
        except OSError as fault:
            raise spool.fault(fault, "a correction cannot be noted") from fault
        try:
            yield note
        finally:
            note.close()

    def keys(self) -> set[str]:
        """Every key that is noted. For a rebuild, which has the archive alone."""
        found: set[str] = set()
        for path in self._notes():
            with suppress(FileNotFoundError, orjson.JSONDecodeError):  # one that is half written: no file is yet
                found.update(orjson.loads(path.read_bytes()))
        return found

    @contextmanager
    def swept(self) -> Iterator[int]:
        """Hold the notes of dead processes while the files that only they knew of are judged; then they go.

        A process that dies meanwhile keeps its note. Gives how many there are.
        """
        with ExitStack() as held:
            dead = [path for path in self._notes() if held.enter_context(_seized(path))]
            yield len(dead)
            for path in dead:
                path.unlink(missing_ok=True)

    def _notes(self) -> list[Path]:
        return sorted(self.directory.iterdir()) if self.directory.is_dir() else []

    def _write(self, keys: Sequence[str]) -> Note:
        if not self.directory.is_dir():
            self.directory.mkdir(mode=0o700, exist_ok=True)
            _sync(self.directory.parent)
        path, descriptor = spool.make_locked(self.directory)
        try:
            rest = memoryview(orjson.dumps(list(keys)))
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            os.fsync(descriptor)
            _sync(self.directory)
        except OSError:
            path.unlink(missing_ok=True)
            os.close(descriptor)
            raise
        return Note(path, descriptor)


@contextmanager
def _seized(path: Path) -> Iterator[bool]:
    """True when the note's process is dead; its lock is held meanwhile."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield False
        return
    try:
        yield _is_free(descriptor)
    finally:
        os.close(descriptor)


def _is_free(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
