"""Where bytes are read from: an object in memory or an open file, always by offset and length, never whole (T4)."""

from __future__ import annotations

import os
from typing import IO, Protocol

from dicomgate import errors


class Truncated(errors.Malformed):
    """The bytes end before the data set does."""


class Source(Protocol):
    """Bytes that can be read at any offset."""

    @property
    def size(self) -> int:
        """How many bytes there are."""
        ...

    def read_at(self, offset: int, length: int) -> bytes:
        """The bytes there; fewer than asked only at the end."""
        ...


class BytesSource:
    """Bytes in memory."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.size = len(content)

    def read_at(self, offset: int, length: int) -> bytes:
        """The bytes there; fewer than asked only at the end."""
        return self._content[offset : offset + length]


class FileSource:
    """An open file, read without moving its position; whoever opened it closes it."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self.size = os.fstat(fd).st_size

    def read_at(self, offset: int, length: int) -> bytes:
        """The bytes there; fewer than asked only at the end. OSError when the disk fails."""
        chunk = os.pread(self._fd, length, offset)
        if len(chunk) == length or not chunk:
            return chunk
        return self._read_on(chunk, offset, length)

    def _read_on(self, chunk: bytes, offset: int, length: int) -> bytes:
        """The rest of a read that came back short, as some file systems and the 2 GiB bound of one call do."""
        pieces = [chunk]
        have = len(chunk)
        while have < length and (chunk := os.pread(self._fd, length - have, offset + have)):
            pieces.append(chunk)
            have += len(chunk)
        return b"".join(pieces)


class SpanSource:
    """A part of another source, as if it were all."""

    def __init__(self, whole: Source, span: range) -> None:
        self._whole = whole
        self._start = span.start
        self.size = len(span)

    def read_at(self, offset: int, length: int) -> bytes:
        """The bytes there; fewer than asked only at the end."""
        return self._whole.read_at(self._start + offset, max(0, min(length, self.size - offset)))


class OpenSource:
    """Whatever is open and can be sought in; its position moves."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.size = file.seek(0, 2)

    def read_at(self, offset: int, length: int) -> bytes:
        """Bytes from an offset; fewer at the end."""
        self._file.seek(offset)
        return self._file.read(length)
