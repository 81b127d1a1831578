"""Answers kept on disk and used only while the server says that they are still the ones (RFC 9111; RFC 9110 §13.1.2).

Nothing is ever taken from it unasked: each use is confirmed by the server (304), so that what a caller may no longer
see is not shown from here. Any number of processes may use one folder at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import os
import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import orjson

from dicomgate.client import threads

USUAL_BYTES: Final = 4 << 30
_STEP: Final = 512 << 10
_LONGEST_HEAD: Final = 16 << 10
_PARTIAL: Final = ".partial"
_STALE: Final = 24 * 3600.0
_PART: Final = 16
"""A sixteenth of the bound may come before it is looked at again."""


def directory() -> Path:
    """Where answers are kept unless another folder is named: the user's cache."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "dicomgate" / "answers"


@dataclass(slots=True)
class Entry:
    """An answer that is kept, open for reading whatever becomes of its file."""

    tag: str
    content_type: str
    path: Path
    file: BinaryIO

    async def chunks(self) -> AsyncIterator[bytes]:
        """Its body; what is used is kept longer."""
        with contextlib.suppress(OSError):
            os.utime(self.path)
        while chunk := await asyncio.to_thread(self.file.read, _STEP):
            yield chunk

    def close(self) -> None:
        """Let go of the file."""
        self.file.close()


class Cache:
    """A folder of answers, no larger than `most` bytes but for what several processes write at the same moment.

    Only the user may read it (0700). A full disk, or a folder that cannot be written to, costs what would be kept and
    nothing else.
    """

    def __init__(self, folder: Path | None = None, most: int = USUAL_BYTES) -> None:
        self.folder = folder or directory()
        self.most = most
        self._come = most  # so that the first one looks what is there

    async def find(self, key: str) -> Entry | None:
        """What is kept under a key, if it is whole."""
        return await asyncio.to_thread(self._find, key)

    def _find(self, key: str) -> Entry | None:
        path = self.folder / _name(key)
        try:
            file = path.open("rb")
        except OSError:
            return None
        try:
            head = orjson.loads(file.readline(_LONGEST_HEAD))
            if os.fstat(file.fileno()).st_size == file.tell() + head["size"]:
                return Entry(str(head["tag"]), str(head["content_type"]), path, file)
        except (OSError, ValueError, KeyError, TypeError):
            pass  # torn by a power cut
        file.close()
        return None

    async def keep(self, key: str, about: tuple[str, str], chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        """The same chunks, kept when all of them have come; what breaks off, or is too large, is not."""
        beginning = asyncio.ensure_future(asyncio.to_thread(_Filling.begin, self.folder, self.most // 4))
        try:
            filling = await asyncio.shield(beginning)
            async for chunk in chunks:
                if filling is not None:
                    await threads.in_thread(filling.write, chunk)
                yield chunk
            if filling is not None:
                await threads.in_thread(self._finish, filling, key, about)
        finally:
            await asyncio.wait([beginning])  # who is cancelled meanwhile has a file all the same
            filling = beginning.result()
            if filling is not None:
                filling.discard()

    def _finish(self, filling: _Filling, key: str, about: tuple[str, str]) -> None:
        if not filling.finish(self.folder / _name(key), *about):
            return
        self._come += filling.size
        if self._come >= self.most // _PART:
            self._come = 0
            self._shrink()

    def _shrink(self) -> None:
        """What was not used for longest goes, and what killed processes left; one process at a time looks."""
        with contextlib.suppress(OSError), (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            found = []
            with os.scandir(self.folder) as names:
                for one in names:
                    with contextlib.suppress(FileNotFoundError):
                        status = one.stat()
                        found.append((status.st_mtime, status.st_size, Path(one.path)))
            _remove([one for one in found if one[2].name != "lock"], self.most - self.most // _PART)


def _remove(found: list[tuple[float, int, Path]], most: int) -> None:
    left = sum(size for _, size, _ in found)
    for modified, size, path in sorted(found):
        is_left_over = path.name.endswith(_PARTIAL) and modified < time.time() - _STALE
        if is_left_over or (left > most and not path.name.endswith(_PARTIAL)):
            path.unlink(missing_ok=True)
            left -= size


class _Filling:
    """An answer on its way into the cache: its body first, for its head tells the size."""

    def __init__(self, path: Path, most: int) -> None:
        self.path = path
        self.size = 0
        self._most = most
        self._is_given_up = False
        self._file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")
        self._file.write(b" " * _HEAD)

    @classmethod
    def begin(cls, folder: Path, most: int) -> _Filling | None:
        """None where nothing can be written."""
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            return cls(folder / (secrets.token_hex(16) + _PARTIAL), most)
        except OSError:
            return None

    def write(self, chunk: bytes) -> None:
        """The next bytes of the body."""
        self.size += len(chunk)
        self._is_given_up = self._is_given_up or self.size > self._most
        if not self._is_given_up:
            try:
                self._file.write(chunk)
            except OSError:
                self._is_given_up = True

    def finish(self, path: Path, tag: str, content_type: str) -> bool:
        """Give it its head and its name; False when it is not kept."""
        head = orjson.dumps({"tag": tag, "content_type": content_type, "size": self.size})
        if self._is_given_up or len(head) >= _HEAD:
            return False
        try:
            self._file.seek(0)
            self._file.write(head.ljust(_HEAD - 1) + b"\n")
            self._file.close()
            self.path.replace(path)
        except OSError:
            return False
        return True

    def discard(self) -> None:
        """It is not kept, or has its name by now."""
        with contextlib.suppress(OSError):
            self._file.close()
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)


_HEAD: Final = 1024


def _name(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
