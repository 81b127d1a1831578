"""Deflated data sets, inflated as a stream within bounds (PS3.5 §A.5, T3)."""

from __future__ import annotations

import math
import time
import zlib
from collections.abc import Iterator

from dicomgate import errors
from dicomgate.dicom.limits import DEFAULT, Limits
from dicomgate.dicom.source import Source, Truncated

_READ = 64 << 10
_STEP = 256 << 10
_KEPT = 8 << 20
"""So much of the beginning stays in memory: nearly always all of it but the pixel data."""


def inflate(source: Source, offset: int, limits: Limits = DEFAULT) -> Iterator[bytes]:
    """The inflated bytes of what begins at `offset`, in steps.

    Malformed when the stream is broken, Truncated when it ends early, TooLarge when it grows beyond the limits.
    """
    engine = zlib.decompressobj(-zlib.MAX_WBITS)
    made = 0
    at = offset
    waiting = b""
    while not engine.eof:
        if not waiting:
            waiting = source.read_at(at, _READ)
            at += len(waiting)
            if not waiting:
                raise Truncated(f"byte {at}: the deflated data set does not end")
        try:
            piece = engine.decompress(waiting, _STEP)
        except zlib.error as error:
            raise errors.Malformed(f"before byte {at}: the deflated data set is broken") from error
        waiting = engine.unconsumed_tail
        made += len(piece)
        if made > limits.inflated or made > limits.inflate_ratio * (at - offset) + _STEP:
            raise errors.TooLarge(f"byte {at}: the deflated data set grows to more than {made - len(piece)} bytes")
        if piece:
            yield piece


def read_range(source: Source, offset: int, span: range, limits: Limits = DEFAULT) -> Iterator[bytes]:
    """A span of the inflated data set. Raises as `inflate` does."""
    at = 0
    for piece in inflate(source, offset, limits):
        if at + len(piece) > span.start:
            yield piece[max(0, span.start - at) : span.stop - at]
        at += len(piece)
        if at >= span.stop:
            return


class InflatedSource:
    """A deflated data set as a source of its inflated bytes, read forwards; going back costs inflating again."""

    def __init__(self, source: Source, offset: int, limits: Limits = DEFAULT, *, seconds: float = math.inf) -> None:
        """Measures the inflated data set, so it raises as `inflate` does, and TooLarge when that takes too long."""
        deadline = time.monotonic() + seconds
        self._source = source
        self._offset = offset
        self._limits = limits
        kept = bytearray()
        self.size = 0
        for piece in inflate(source, offset, limits):
            if self.size < _KEPT:
                kept += piece
            self.size += len(piece)
            if time.monotonic() > deadline:
                raise errors.TooLarge(f"inflating the data set took more than {seconds:g} seconds")
        self._kept = bytes(kept)
        self._rewind()

    def _rewind(self) -> None:
        self._pieces = inflate(self._source, self._offset, self._limits)
        self._at = 0
        self._piece = b""

    def read_at(self, offset: int, length: int) -> bytes:
        """The bytes there; fewer than asked only at the end."""
        if offset + length <= len(self._kept) or len(self._kept) == self.size:
            return self._kept[offset : offset + length]
        if offset < self._at:
            self._rewind()
        return b"".join(self._forward(offset, offset + length))

    def _forward(self, start: int, stop: int) -> Iterator[bytes]:
        """The bytes from start to stop; the piece that holds stop stays for the next read."""
        while True:
            after = self._at + len(self._piece)
            if after > start:
                yield self._piece[max(0, start - self._at) : stop - self._at]
            if after >= stop:
                return
            self._at = after
            self._piece = next(self._pieces, b"")
            if not self._piece:
                return
