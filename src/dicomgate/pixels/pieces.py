"""What a task was sent in one open file, read piece by piece."""

from __future__ import annotations

import mmap
import os
from typing import Final, cast

from dicomgate import errors
from dicomgate.pixels import memory_files

Span = tuple[int, int]
"""Offset and length in the file."""

_MANY: Final = 1 << 17


class Pieces:
    """The pieces of an open file, each by where it lies."""

    def __init__(self, file: int) -> None:
        self._file = file

    def map(self, span: Span) -> bytes:
        """The bytes at the beginning of the file, without a copy where they are many; otherwise as `read`.

        What is given behaves as bytes do; the pages go with the last that looks at them.
        """
        offset, length = span
        if offset or length < _MANY or os.fstat(self._file).st_size < length:
            return self.read(span)
        return cast("bytes", mmap.mmap(self._file, length, access=mmap.ACCESS_READ))

    def read(self, span: Span) -> bytes:
        """The bytes of one. Malformed when the file ends before them."""
        offset, length = span
        found = memory_files.read(self._file, offset, length)
        if len(found) < length:
            raise errors.Malformed(f"expected {length} bytes, saw {len(found)}")
        return found
