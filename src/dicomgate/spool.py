"""Bytes on their way in, of one instance or of several: in memory while few, else in a file aside.

Nothing here is durable: an arrival becomes durable when the archive puts it among the blobs.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import tempfile
import uuid
from pathlib import Path
from typing import BinaryIO, cast

import xxhash

from dicomgate import errors
from dicomgate.dicom import header
from dicomgate.dicom.source import BytesSource, FileSource, Source, SpanSource

_PREAMBLE = 128
_MAGIC = b"DICM"
_BLANK = bytes(_PREAMBLE)
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class Arrival:
    """The bytes of one offered instance. Written by one thread at a time; `finish` ends the writing.

    A preamble that is neither blank nor a TIFF header is cleared, for it could make the file a program (T12);
    `original_digest` then tells what was sent. Who makes a file of something else that was sent may tell it, too.
    `caller`: the AE title of who offers it, where a door knows one.
    """

    def __init__(self, directory: Path, in_memory: int) -> None:
        self._directory = directory
        self._in_memory = in_memory
        self._chunks: list[bytes | memoryview] = []
        self._waiting = 0
        self._path: Path | None = None
        self._file: int | None = None
        self._hash = hashlib.sha256()
        self._original: hashlib._Hash | None = None
        self._checksum = xxhash.xxh3_128()
        self._header: header.Header | None = None
        self._content: bytes | None = None
        self.size = 0
        self.digest = ""
        self.original_digest = ""
        self.checksum = ""
        self.caller = ""

    def write(self, chunk: bytes | memoryview) -> None:
        """Take the next bytes. OSError when the disk is full or broken."""
        self._chunks.append(chunk)
        self._waiting += len(chunk)
        self.size += len(chunk)
        if self._waiting > self._in_memory:
            self._spill()

    @property
    def waiting(self) -> int:
        """How many bytes are in memory."""
        return self._waiting

    def spill(self) -> None:
        """What is in memory goes to a file, except a beginning too short to be judged. OSError as of `write`."""
        if self._waiting >= _PREAMBLE + len(_MAGIC) or self._file is not None:
            self._spill()

    def finish(self) -> None:
        """No more bytes come: digest and checksum are known and the content can be read. May be called again."""
        if self.digest:
            return
        if self._file is not None:
            self._spill()
        else:
            self._content = self._cleared(b"".join(self._chunks))
            self._hash.update(self._content)
            self._checksum.update(self._content)
            self._chunks.clear()
        self.digest = self._hash.hexdigest()
        self.checksum = self._checksum.hexdigest()
        if self._original is not None:
            self.original_digest = self._original.hexdigest()

    def header(self, limits: header.Limits = header.DEFAULT) -> header.Header:
        """What the header says, read once. Malformed or TooLarge when it cannot be."""
        if self._header is None:
            self._header = header.read(self.source(), limits)
        return self._header

    def source(self) -> Source:
        """The finished content for reading."""
        if self._file is not None:
            return FileSource(self._file)
        assert self._content is not None, "finish() comes first"
        return BytesSource(self._content)

    def content(self) -> bytes | Path:
        """The finished content, as a blob store takes it: the bytes, or a file that may be moved away."""
        if self._path is not None:
            return self._path
        assert self._content is not None, "finish() comes first"
        return self._content

    def discard(self) -> None:
        """Let go of memory and of the file, if it is still here. May be called more than once."""
        self._chunks.clear()
        self._content = None
        if self._file is not None:
            os.close(self._file)
            self._file = None
        if self._path is not None:
            with contextlib.suppress(FileNotFoundError):
                self._path.unlink()

    def _spill(self) -> None:
        content = b"".join(self._chunks)
        self._chunks.clear()
        self._waiting = 0
        if self._file is None:
            content = self._cleared(content)
            self._path, self._file = make_locked(self._directory)
        elif self._original:
            self._original.update(content)
        self._hash.update(content)
        self._checksum.update(content)
        _write_all(self._file, content)

    def _cleared(self, start: bytes) -> bytes:
        if start[_PREAMBLE : _PREAMBLE + 4] != _MAGIC or start.startswith((_BLANK, *_TIFF)):
            return start
        self._original = hashlib.sha256(start)
        return _BLANK + start[_PREAMBLE:]


class Pile:
    """The parts of one request that only together make instances, one after the other: in memory, then in one file.

    Written by one thread at a time; `finish` ends the writing. Nothing is hashed: this is never stored.
    """

    def __init__(self, directory: Path, in_memory: int) -> None:
        self._directory = directory
        self._in_memory = in_memory
        self._chunks: list[bytes | memoryview] = []
        self._waiting = 0
        self._path: Path | None = None
        self._file: int | None = None
        self._content: bytes | None = None

    def write(self, chunk: bytes | memoryview) -> None:
        """Take the next bytes. OSError when the disk is full or broken."""
        self._chunks.append(chunk)
        self._waiting += len(chunk)
        if self._waiting > self._in_memory:
            self._spill()

    @property
    def waiting(self) -> int:
        """How many bytes are in memory."""
        return self._waiting

    def spill(self) -> None:
        """What is in memory goes to a file. OSError as of `write`."""
        self._spill()

    def finish(self) -> None:
        """No more bytes come, and the content can be read. OSError when the disk is full or broken."""
        if self._file is not None:
            self._spill()
        else:
            self._content = b"".join(self._chunks)
            self._chunks.clear()

    def source(self, span: range) -> Source:
        """A part of the finished content for reading."""
        if self._file is not None:
            return SpanSource(FileSource(self._file), span)
        assert self._content is not None, "finish() comes first"
        return SpanSource(BytesSource(self._content), span)

    def discard(self) -> None:
        """Let go of memory and of the file. May be called more than once."""
        self._chunks.clear()
        self._content = None
        if self._file is not None:
            os.close(self._file)
            self._file = None
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def _spill(self) -> None:
        content = b"".join(self._chunks)
        self._chunks.clear()
        self._waiting = 0
        if self._file is None:
            self._path, self._file = make_locked(self._directory)
        _write_all(self._file, content)


class Spool:
    """A folder for arrivals too large for memory; on the file system of the blobs, so that they can be moved."""

    def __init__(self, directory: Path, *, in_memory: int = 4 << 20) -> None:
        self.directory = directory
        self._in_memory = in_memory
        directory.mkdir(parents=True, exist_ok=True)

    def arrival(self) -> Arrival:
        """A new, empty arrival."""
        return Arrival(self.directory, self._in_memory)

    def pile(self) -> Pile:
        """A new, empty pile."""
        return Pile(self.directory, self._in_memory)

    def scratch(self) -> BinaryIO:
        """A file without a name, for the moment; closing it removes it. OSError when the disk is full or broken."""
        return cast(BinaryIO, tempfile.TemporaryFile(dir=self.directory))

    def sweep(self) -> int:
        """Remove what processes that no longer run have left; how many files that was."""
        return sum(_remove_if_abandoned(path) for path in self.directory.iterdir())


def fault(error: OSError, what: str) -> errors.Unavailable:
    """What a failed write means for the caller: OutOfSpace, or `what` cannot be done and why."""
    if error.errno in _FULL:
        return errors.OutOfSpace("no room left on the disk")
    return errors.Unavailable(f"{what}: {error.strerror}")


def _write_all(file: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(file, view) :]


def make_locked(directory: Path) -> tuple[Path, int]:
    """A new file, locked as long as its maker lives and has it open.

    A process's number in its name would say less: it may be given again, mean another process in another container, or
    belong to one that is dead and not yet waited for.
    """
    while True:
        path = directory / uuid.uuid4().hex
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file).st_nlink:
            return path, file
        os.close(file)  # a sweep came between making and locking


def _remove_if_abandoned(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
    except (BlockingIOError, FileNotFoundError):
        return False  # at work, or gone meanwhile
    return True
