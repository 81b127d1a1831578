"""Small steps through the headers of compressed pictures, each checked against the end (T3, T4)."""

from __future__ import annotations

import struct
import time

from dicomgate import errors
from dicomgate.dicom.source import Source, Truncated

CHUNK = 1 << 20
SECONDS = 120.0
"""How long counting the pictures of a stream may take: gigabytes are some seconds each."""


class Deadline:
    """The end of patience with one stream."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._at = time.monotonic() + seconds

    def check(self) -> None:
        """TooLarge when it has passed."""
        if time.monotonic() > self._at:
            raise errors.TooLarge(f"reading the stream took more than {self._seconds:g} seconds")


def exactly(source: Source, offset: int, length: int, end: int | None = None) -> bytes:
    """So many bytes there, before `end`. Truncated when there are fewer."""
    end = source.size if end is None else min(end, source.size)
    if offset + length > end:
        raise Truncated(f"byte {offset}: the picture ends inside its header")
    content = source.read_at(offset, length)
    if len(content) != length:
        raise Truncated(f"byte {offset}: the picture ends inside its header")
    return content


def numbers(layout: str, content: bytes, offset: int = 0) -> tuple[int, ...]:
    """Big-endian integers. Malformed when the bytes end before them."""
    try:
        return struct.unpack_from(">" + layout, content, offset)
    except struct.error:
        raise errors.Malformed("a segment of the picture's header is shorter than its contents") from None


class Bits:
    """Bits of a short header, most significant first, or least significant first as JPEG XL has them."""

    def __init__(self, content: bytes, *, least_first: bool = False) -> None:
        self._least_first = least_first
        self._number = int.from_bytes(content, "little" if least_first else "big")
        self._length = len(content) * 8
        self.at = 0

    def read(self, count: int) -> int:
        """An unsigned number of so many bits. Truncated when there are fewer."""
        if self.at + count > self._length:
            raise Truncated("the picture ends inside its header")
        shift = self.at if self._least_first else self._length - self.at - count
        self.at += count
        return self._number >> shift & ((1 << count) - 1)

    def flag(self) -> bool:
        """One bit."""
        return bool(self.read(1))

    def unsigned(self) -> int:
        """An Exp-Golomb number as H.264 and H.265 write them. Malformed beyond 32 bits."""
        zeros = 0
        while not self.flag():
            zeros += 1
            if zeros > 32:
                raise errors.Malformed("a number of more than 32 bits in the picture's header")
        return (1 << zeros) - 1 + self.read(zeros)

    def signed(self) -> int:
        """A signed Exp-Golomb number."""
        number = self.unsigned()
        return (number + 1) // 2 if number % 2 else -(number // 2)
