"""Blobs as files on a local disk: written aside, synced, renamed, and their directory synced, before put returns (D1).

    <directory>/open/<run>       locked by the process that writes into <run>
    <directory>/<run>/<moment>   a blob; its key is "<moment>-<run>", so keys sort by arrival and tell their place

A run is a directory that one process writes into; after some files it begins the next. So threads that store at the
same time share one sync of one directory, and no directory grows large.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from dicomgate import errors
from dicomgate.blobs import places, runs, sweep
from dicomgate.blobs.disk import Disk
from dicomgate.blobs.file import FileBlob

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_BROKEN = frozenset({errno.EIO, errno.EROFS})


class LocalBlobs:
    """A BlobStore on a local file system. Safe for threads; several processes may share the directory.

    Make it after forking: the locks that tell a living process from a dead one are inherited by a fork.
    """

    def __init__(self, directory: Path, *, files_per_run: int = 1000, disk: Disk | None = None) -> None:
        self._root = directory
        self._files_per_run = files_per_run
        self._disk = disk or Disk()
        self._lock = threading.Lock()
        self._runs: dict[str, runs.Run] = {}
        self._current: runs.Run | None = None
        self._moment = 0
        self._broken = ""
        self._is_closed = False
        self._make_directories()

    def new_key(self, after: str = "") -> str:
        """A key nobody else has, later than `after` whatever the clock says. Raises OutOfSpace and Unavailable."""
        self.require_sound()
        least = places.moment(after) + 1 if after else 0
        with self._lock:
            try:
                run = self._run_to_write()
            except OSError as error:
                raise self._fault(error) from error
            self._moment = max(self._moment + 1, time.time_ns(), least)
            run.made += 1
            return places.format_key(self._moment, run.name)

    def require_sound(self) -> None:
        """Unavailable when the store was closed, or for good when a sync has failed (D3)."""
        if self._is_closed:
            raise errors.Unavailable("the store was closed")
        if self._broken:
            raise errors.Unavailable(f"nothing is stored until a restart: {self._broken}")

    def put(self, key: str, content: bytes | Path) -> None:
        """Store under a new key, durably; it is under way until it is settled or deleted, or until this raises.

        Raises OutOfSpace, and Unavailable: after a failed sync, for good (D3).
        """
        path = places.path(self._root, key)
        aside = path.with_name(path.name + places.ASIDE)
        run = self._begin(key)
        try:
            if isinstance(content, Path):
                self._sync_file(content)
                self._disk.rename(content, path)
            else:
                self._write_aside(aside, content)
                self._disk.rename(aside, path)
            self._sync_run(run)
        except OSError as error:
            self._abandon(key, aside, path)
            raise self._fault(error) from error

    def settle(self, key: str) -> None:
        """The index points at the key now. A key of another process, or settled before, is no fault."""
        run_name = places.path(self._root, key).parent.name
        with self._lock:
            run = self._runs.get(run_name)
            if run is not None:
                run.settle(key)
                self._leave_if_over(run)

    def open(self, key: str) -> FileBlob:
        """Open for reading. Raises NotFound, and Unavailable when the disk fails."""
        try:
            return FileBlob(os.open(places.path(self._root, key), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW))
        except FileNotFoundError:
            raise errors.NotFound("no bytes are stored under this key") from None
        except OSError as error:
            raise errors.Unavailable(f"a stored file cannot be opened: {error.strerror}") from error

    def delete(self, *keys: str) -> None:
        """Remove durably; one sync for each directory. Raises Unavailable: after a failed sync, for good (D3).

        Also the directories of files that are gone already: whoever took their names away may not have synced yet.
        """
        self.require_sound()
        paths = [places.path(self._root, key) for key in keys]
        try:
            for path in paths:
                self._unlink(path)
            for directory in {path.parent for path in paths}:
                sweep.tidy(self._disk, self._root, directory)
        except OSError as error:
            raise self._fault(error) from error
        for key in keys:
            self.settle(key)

    def keys(self) -> Iterator[str]:
        """Every key, run by run."""
        for run in filter(places.is_run, places.names(self._root)):
            yield from places.keys(self._root, run)

    def sweep(self, known: sweep.Known) -> int:
        """Remove what dead processes left half done; looks only into their last directories (D5)."""
        try:
            return sweep.sweep_dead(self._disk, self._root, known)
        except OSError as error:
            raise self._fault(error) from error

    def close(self) -> None:
        """Let go of the runs; what is still under way is left to a sweep."""
        with self._lock:
            self._is_closed = True
            self._current = None
            for run in self._runs.values():
                run.leave()
            self._runs.clear()

    # Writing.

    def _write_aside(self, aside: Path, content: bytes) -> None:
        descriptor = self._disk.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        try:
            rest = memoryview(content)
            while rest:
                rest = rest[self._disk.write(descriptor, rest) :]
            self._sync(descriptor)
        finally:
            os.close(descriptor)

    def _sync_file(self, path: Path) -> None:
        descriptor = self._disk.open(path, os.O_RDONLY)
        try:
            self._sync(descriptor)
        finally:
            os.close(descriptor)

    def _sync(self, descriptor: int) -> None:
        try:
            self._disk.sync(descriptor)
        except OSError as error:
            if error.errno not in _FULL:  # a full disk is told late by some file systems; the file goes, all is well
                self._break(error)
            raise

    def _sync_run(self, run: runs.Run) -> None:
        try:
            run.sync()
        except OSError as error:
            self._break(error)  # which of the names are safe cannot be known any more
            raise

    def _abandon(self, key: str, *paths: Path) -> None:
        try:
            for path in paths:
                self._unlink(path)
        except OSError:
            return  # stays under way, so that a sweep after a restart finds it
        if not self._broken:
            self.settle(key)

    def _unlink(self, path: Path) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._disk.unlink(path)

    # Runs.

    def _run_to_write(self) -> runs.Run:
        run = self._current
        if run is None or run.made >= self._files_per_run:
            full, run = run, runs.Run(self._disk, self._root)
            self._runs[run.name] = self._current = run
            if full is not None:
                full.is_full = True
                self._leave_if_over(full)
        return run

    def _begin(self, key: str) -> runs.Run:
        self.require_sound()
        name = places.path(self._root, key).parent.name
        with self._lock:
            run = self._runs.get(name)
            if run is None:
                run = self._runs[name] = self._resumed(name)
            run.begin(key)
            return run

    def _resumed(self, name: str) -> runs.Run:
        """A run again that was left while nothing was under way in it."""
        try:
            run = runs.Run(self._disk, self._root, name)
        except OSError as error:
            raise self._fault(error) from error
        run.is_full = True
        return run

    def _leave_if_over(self, run: runs.Run) -> None:
        if run.is_over:
            del self._runs[run.name]
            run.leave()

    # Faults.

    def _break(self, error: OSError) -> None:
        self._broken = self._broken or f"the disk failed ({error.strerror})"

    def _fault(self, error: OSError) -> errors.Unavailable:
        if error.errno in _FULL:
            return errors.OutOfSpace("no room left on the disk")
        if error.errno in _BROKEN:
            self._break(error)
        return errors.Unavailable(f"storing a file failed: {error.strerror}")

    def _make_directories(self) -> None:
        """Make what is missing, durably: also the folders above, which others may have made just now."""
        try:
            if not self._root.is_dir():
                self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
                for folder in self._root.absolute().parents:
                    with contextlib.suppress(PermissionError):
                        self._disk.sync_directory(folder)
            with contextlib.suppress(FileExistsError):
                self._disk.make_directory(self._root / runs.MARKERS)
                self._disk.sync_directory(self._root)
        except OSError as error:
            raise self._fault(error) from error
