"""What was made is kept on disk to be sent again: bounded, shared by processes, and gone with what it was made of.

<directory>/<xx>/<instance>.<series>.<study>.<key>   one thing that was made; every name is the beginning of a digest
<directory>/of-several/<names of all of them>.<key>   what was made of several instances, as an image under a state
<directory>/account                                  bytes and files that are held, changed under a lock

Names lead from an instance to all that was made of it, so that it can be forgotten at once. Keys hold the version, so
that nothing old is ever found. A fault of this store is nobody's fault: then it is made anew.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from dicomgate.dicom.uids import Target
from dicomgate.origin import Facts
from dicomgate.representations import kept_files

_SHARDS: Final = 256
_BLOCK: Final = 4096
"""A file takes whole blocks of the disk, so that many small ones count as what they take."""
_MOST_FILES: Final = 100_000
_LEFT: Final = 0.8
"""When there is no room, the oldest go until this part of the bound is left: so few looks at everything are needed."""
_LARGEST: Final = 8
"""One thing takes at most this part of the bound."""
_PATIENCE: Final = 0.25
"""Seconds to wait for another process; then this one thing is not kept."""
_MOST_WAITED: Final = 30.0
"""Seconds to wait for another thread that makes the same; then it is made twice."""
_ACCOUNT: Final = "account"
_OF_SEVERAL: Final = "of-several"

Made = tuple[bytes, bytes]
"""What is said of it, and its bytes."""


class Kept:
    """A store for what was made; safe for threads, and several processes may share the directory.

    `is_current` tells whether an instance is still served in this version: what was deleted while something was made
    of it is not kept. Without a directory, or room, nothing is.
    """

    def __init__(
        self,
        directory: Path | None = None,
        size: int = 0,
        is_current: Callable[[Facts], bool] = lambda _: True,
        *,
        most_files: int = _MOST_FILES,
        aside: Callable[[], contextlib.AbstractContextManager[None]] = contextlib.nullcontext,
    ) -> None:
        """`aside`: what a thread enters while it waits for another that makes the same."""
        self._directory = directory if size > 0 else None
        self._size, self._most_files = size, most_files
        self._is_current = is_current
        self._aside = aside
        self._lock = threading.Lock()
        self._making: dict[Path, threading.Event] = {}

    def get(self, facts: Facts, asked: str, make: Callable[[], Made], others: Sequence[Facts] = ()) -> Made:
        """What was kept, else what is made now; other threads that want the same wait for it. Faults as of `make`.

        `others`: further instances that it is made of, with any of which it goes.
        """
        if self._directory is None:
            return make()
        path = self._path(self._directory, facts, asked, others)
        found = kept_files.find(path)
        if found is not None:
            return found
        with self._lock:
            other = self._making.get(path)
            if other is None:
                mine = self._making[path] = threading.Event()
        if other is not None:
            with self._aside():
                other.wait(_MOST_WAITED)
            return kept_files.find(path) or make()
        try:
            found = kept_files.find(path)  # another thread may have made it since the first look
            if found is not None:
                return found
            made = make()
            self._keep(path, (facts, *others), made)
            return made
        finally:
            with self._lock:
                del self._making[path]
            mine.set()

    def find(self, facts: Facts, asked: str) -> Made | None:
        """What was kept."""
        return None if self._directory is None else kept_files.find(self._path(self._directory, facts, asked))

    def keep(self, facts: Facts, asked: str, made: Made) -> None:
        """Keep what was made, if that can be done; nobody hears of it when it cannot."""
        if self._directory is not None:
            self._keep(self._path(self._directory, facts, asked), (facts,), made)

    def forget(self, target: Target | None) -> None:
        """Let go of all that was made of what the target holds, of everything for None. Faults are passed over."""
        if self._directory is None:
            return
        wanted = _digests(target) if target is not None else ()
        shards = [wanted[-1][:2]] if len(wanted) == 3 else _shards()
        freed: list[int] = []
        for shard in (*shards, _OF_SEVERAL):
            for entry in _entries(self._directory / shard):
                if set(wanted) <= set(entry.name.split(".")):
                    freed += _remove(entry)
        with contextlib.suppress(OSError):
            self._give_back(freed)

    # Keeping.

    def _keep(self, path: Path, of: Sequence[Facts], made: Made) -> None:
        size = kept_files.size_of(made)
        if size * _LARGEST > self._size:
            return
        try:
            if all(map(self._is_current, of)):
                self._write(path, made, _blocks(size))
                if not all(map(self._is_current, of)):  # who deletes forgets after that: one of the two sees the other
                    self._unlink(path)
        except OSError:
            with contextlib.suppress(OSError):
                self._unlink(path)

    def _write(self, path: Path, made: Made, size: int) -> None:
        with self._account() as account:
            if account is None:
                return
            held, files = self._with_room(account, size)
            kept_files.write_account(account, held + size, files + 1)  # first: killed here, it counts too much
            path.parent.mkdir(mode=0o700, exist_ok=True)
            replaced = _size_of(path)
            kept_files.write(path, made)
            if replaced is not None:
                kept_files.write_account(account, held + size - _blocks(replaced), files)

    def _with_room(self, account: int, size: int) -> tuple[int, int]:
        """What is held, so that this fits beside it."""
        held = kept_files.read_account(account)
        if held is None or held[0] + size > self._size or held[1] >= self._most_files:
            held = self._make_room(size)
        return held

    def _make_room(self, size: int) -> tuple[int, int]:
        """Look at everything and let the oldest go, and what was left half written; what is held now."""
        assert self._directory is not None, "something is kept"
        found: list[tuple[int, int, str]] = []
        for shard in (*_shards(), _OF_SEVERAL):
            for entry in _entries(self._directory / shard):
                if kept_files.is_aside(entry.name):  # nobody writes one without the lock
                    _remove(entry)
                    continue
                with contextlib.suppress(OSError):
                    seen = entry.stat(follow_symlinks=False)
                    found.append((seen.st_mtime_ns, _blocks(seen.st_size), entry.path))
        found.sort()
        held, files = sum(one[1] for one in found), len(found)
        least = min(int(self._size * _LEFT), self._size - size)
        is_over = held + size > self._size or files >= self._most_files
        for _, taken, path in found if is_over else ():
            if held <= least and files <= self._most_files * _LEFT:
                break
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)  # noqa: PTH108 - of a hundred thousand
            held, files = held - taken, files - 1
        return held, files

    def _unlink(self, path: Path) -> None:
        size = _size_of(path)
        if size is not None:
            path.unlink(missing_ok=True)
            self._give_back([size])

    def _give_back(self, sizes: list[int]) -> None:
        """Files went; without the lock the account counts too much, which the next look at everything puts right."""
        if not sizes:
            return
        with self._account() as account:
            held = kept_files.read_account(account) if account is not None else None
            if account is not None and held is not None:
                freed = sum(map(_blocks, sizes))
                kept_files.write_account(account, max(held[0] - freed, 0), max(held[1] - len(sizes), 0))

    @contextlib.contextmanager
    def _account(self) -> Iterator[int | None]:
        """The account under its lock, None when others have it for too long. OSError as the disk says."""
        assert self._directory is not None, "something is kept"
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._directory / _ACCOUNT, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            yield descriptor if _lock(descriptor) else None
        finally:
            os.close(descriptor)

    @staticmethod
    def _path(directory: Path, facts: Facts, asked: str, others: Sequence[Facts] = ()) -> Path:
        study, series, instance = _digests(facts.target)
        versions = " ".join(f"{len(one.version)} {one.version}" for one in (facts, *others))
        key = hashlib.sha256(f"{versions} {asked}".encode()).hexdigest()[:32]
        if not others:
            return directory / instance[:2] / f"{instance}.{series}.{study}.{key}"
        names = dict.fromkeys([instance, series, study, *(name for one in others for name in _digests(one.target))])
        return directory / _OF_SEVERAL / f"{'.'.join(names)}.{key}"


def _shards() -> list[str]:
    return [f"{number:02x}" for number in range(_SHARDS)]


def _digests(target: Target) -> tuple[str, ...]:
    """Beginnings of digests, which have other beginnings for each level: a UID of two levels is two things."""
    levels = (target.study, target.series, target.instance)
    said = (f"{place} {uid}" for place, uid in enumerate(levels) if uid is not None)
    return tuple(hashlib.sha256(text.encode()).hexdigest()[:24] for text in said)


def _lock(descriptor: int) -> bool:
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= until:
                return False
            time.sleep(0.002)


def _blocks(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK


def _entries(directory: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as entries:
            return list(entries)
    except OSError:
        return []


def _size_of(path: Path) -> int | None:
    try:
        return path.stat(follow_symlinks=False).st_size
    except OSError:
        return None


def _remove(entry: os.DirEntry[str]) -> list[int]:
    """The size of what went, if it was there."""
    try:
        size = entry.stat(follow_symlinks=False).st_size
        os.unlink(entry.path)  # noqa: PTH108 - of a hundred thousand
    except OSError:
        return []
    return [size]
