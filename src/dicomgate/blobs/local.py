"""Blobs as files on a local disk: written aside, synced, renamed, and their directory synced, before put returns (D1).

    <directory>/open/<run>       locked by the process that writes into <run>
    <directory>/<run>/<moment>   a blob; its key is "<moment>-<run>", so keys sort by arrival and tell their place

A run is a directory that one process writes into; after some files it begins the next. So threads that store at the
same time share one sync of one directory, and no directory grows large.
"""

from __future__ import annotations

import errno
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from dicomgate import errors
from dicomgate.blobs import runs
from dicomgate.blobs.disk import Disk
from dicomgate.blobs.file import FileBlob

_KEY = re.compile(r"([0-9a-f]{16})-([0-9a-f]{18})")
_RUN = re.compile(r"[0-9a-f]{18}")
_MOMENT = re.compile(r"[0-9a-f]{16}")
_ASIDE = ".part"
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_BROKEN = frozenset({errno.EIO, errno.EROFS})
_BATCH = 500


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
        for path in (directory, directory / runs.MARKERS):
            self._make_durable_directory(path)

    def new_key(self) -> str:
        """A key nobody else has. Raises OutOfSpace and Unavailable."""
        self._refuse_if_broken()
        with self._lock:
            try:
                run = self._run_to_write()
            except OSError as error:
                raise self._fault(error) from error
            self._moment = max(self._moment + 1, time.time_ns())
            run.made += 1
            return f"{self._moment:016x}-{run.name}"

    def put(self, key: str, content: bytes | Path) -> None:
        """Store under a new key, durably; it is under way until it is settled or deleted, or until this raises.

        Raises OutOfSpace, and Unavailable: after a failed sync, for good (D3).
        """
        path = self._path(key)
        aside = path.with_name(path.name + _ASIDE)
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
        run_name = self._path(key).parent.name
        with self._lock:
            run = self._runs.get(run_name)
            if run is not None:
                run.settle(key)
                self._leave_if_over(run)

    def open(self, key: str) -> FileBlob:
        """Open for reading. Raises NotFound, and Unavailable when the disk fails."""
        try:
            return FileBlob(os.open(self._path(key), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW))
        except FileNotFoundError:
            raise errors.NotFound("no bytes are stored under this key") from None
        except OSError as error:
            raise errors.Unavailable(f"a stored file cannot be opened: {error.strerror}") from error

    def delete(self, *keys: str) -> None:
        """Remove durably; one sync for each directory touched. Raises Unavailable."""
        touched = set()
        for key in keys:
            path = self._path(key)
            try:
                self._disk.unlink(path)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise self._fault(error) from error
            if path.parent.name not in self._runs:  # ours is synced when it is left, and is marked until then
                touched.add(path.parent)
        for directory in touched:
            self._settle_directory(directory)
        for key in keys:
            self.settle(key)

    def keys(self) -> Iterator[str]:
        """Every key, run by run."""
        for run in sorted(path.name for path in self._root.iterdir() if _RUN.fullmatch(path.name)):
            for name in self._names(self._root / run):
                if _MOMENT.fullmatch(name):
                    yield f"{name}-{run}"

    def sweep(self, known: Callable[[list[str]], set[str]]) -> int:
        """Remove what dead processes left half done; looks only into their last directories (D5)."""
        swept = 0
        for marker in sorted((self._root / runs.MARKERS).iterdir()):
            with runs.seized(marker) as is_ours:
                if is_ours:
                    swept += self._sweep_run(marker, known)
        return swept

    def close(self) -> None:
        """Let go of the runs; what is still under way is left to a sweep."""
        with self._lock:
            self._is_closed = True
            self._current = None
            for run in self._runs.values():
                run.leave()
            self._runs.clear()

    # Where a key lies.

    def _path(self, key: str) -> Path:
        found = _KEY.fullmatch(key)
        if found is None:
            raise errors.NotFound("this is no key of a stored file")
        moment, run = found.groups()
        return self._root / run / moment

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
        for path in paths:
            try:
                self._disk.unlink(path)
            except FileNotFoundError:
                continue
            except OSError:
                return  # stays under way, so that a sweep after a restart finds it
        if not self._broken:
            self.settle(key)

    # Runs.

    def _run_to_write(self) -> runs.Run:
        run = self._current
        if run is None or run.made >= self._files_per_run:
            fresh = runs.Run(self._disk, self._root)
            self._runs[fresh.name] = self._current = fresh
            if run is not None:
                run.is_full = True
                self._leave_if_over(run)
        return self._current  # type: ignore[return-value]  # set in the branch above, or before

    def _begin(self, key: str) -> runs.Run:
        self._refuse_if_broken()
        name = self._path(key).parent.name
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

    # Sweeping.

    def _sweep_run(self, marker: Path, known: Callable[[list[str]], set[str]]) -> int:
        directory = self._root / marker.name
        if _RUN.fullmatch(marker.name) is None:
            return 0  # not made by us
        names = self._names(directory)
        keys = [f"{name}-{marker.name}" for name in names if _MOMENT.fullmatch(name)]
        wanted = {key.partition("-")[0] for key in _known(keys, known)}
        orphans = [name for name in names if name not in wanted and _is_ours(name)]
        try:
            for name in orphans:
                self._disk.unlink(directory / name)
            if directory.is_dir():
                self._settle_directory(directory, is_marked=True)
            self._disk.unlink(marker)
        except OSError as error:
            raise self._fault(error) from error
        return len(orphans)

    def _settle_directory(self, directory: Path, *, is_marked: bool = False) -> None:
        """Make deletions durable, and let an empty directory go that nobody writes into."""
        try:
            self._disk.sync_directory(directory)
            if not is_marked and (self._root / runs.MARKERS / directory.name).exists():
                return
            self._disk.remove_directory(directory)
        except FileNotFoundError:
            return  # another process was quicker
        except OSError as error:
            if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
                raise self._fault(error) from error

    def _names(self, directory: Path) -> list[str]:
        try:
            return sorted(path.name for path in directory.iterdir())
        except FileNotFoundError:
            return []

    # Faults.

    def _refuse_if_broken(self) -> None:
        if self._is_closed:
            raise errors.Unavailable("the store was closed")
        if self._broken:
            raise errors.Unavailable(f"nothing is stored until a restart: {self._broken}")

    def _break(self, error: OSError) -> None:
        self._broken = self._broken or f"the disk failed ({error.strerror})"

    def _fault(self, error: OSError) -> errors.Unavailable:
        if error.errno in _FULL:
            return errors.OutOfSpace("no room left on the disk")
        if error.errno in _BROKEN:
            self._break(error)
        return errors.Unavailable(f"storing a file failed: {error.strerror}")

    def _make_durable_directory(self, path: Path) -> None:
        if path.is_dir():
            return
        if not path.parent.is_dir():
            self._make_durable_directory(path.parent)
        try:
            self._disk.make_directory(path)
        except FileExistsError:
            pass  # another process was quicker
        except OSError as error:
            raise self._fault(error) from error
        self._disk.sync_directory(path.parent)


def _is_ours(name: str) -> bool:
    return _MOMENT.fullmatch(name.removesuffix(_ASIDE)) is not None


def _known(keys: list[str], known: Callable[[list[str]], set[str]]) -> set[str]:
    wanted: set[str] = set()
    for start in range(0, len(keys), _BATCH):
        wanted |= known(keys[start : start + _BATCH])
    return wanted
