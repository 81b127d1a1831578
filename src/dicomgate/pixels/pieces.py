"""What a task was sent in one open file, read piece by piece."""

from __future__ import annotations

from dicomgate import errors
from dicomgate.pixels import memory_files
from dicomgate.pixels.recipe import Span


class Pieces:
    """The pieces of an open file, each by where it lies."""

    def __init__(self, file: int) -> None:
        self._file = file

    def read(self, span: Span) -> bytes:
        """The bytes of one. Malformed when the file ends before them."""
        offset, length = span
        found = memory_files.read(self._file, offset, length)
        if len(found) < length:
            raise errors.Malformed(f"expected {length} bytes, saw {len(found)}")
        return found
