"""Fragments of encapsulated pixel data: where each lies, found by item headers alone (PS3.5 §A.4)."""

from __future__ import annotations

import struct
import time
from array import array
from dataclasses import dataclass, field

from dicomgate import errors
from dicomgate.dicom.limits import Limits
from dicomgate.dicom.source import Source, Truncated

_ITEM = 0xFFFEE000
_END = 0xFFFEE0DD
_UNDEFINED = 0xFFFFFFFF
_STEP = 4096
"""Read at once while fragments are small; large ones are jumped over."""
_SMALL = 1024


@dataclass(slots=True, eq=False)
class Fragments:
    """The fragments of one value in order, in flat tables: there may be a million."""

    table: range = range(0)
    """Where the Basic Offset Table lies; empty when there is none."""
    starts: array[int] = field(default_factory=lambda: array("Q"))
    lengths: array[int] = field(default_factory=lambda: array("Q"))
    end: int = 0
    """The first byte after the delimiter."""

    def __len__(self) -> int:
        return len(self.starts)

    def ranges(self, first: int = 0, after: int | None = None) -> tuple[range, ...]:
        """Some fragments as spans of bytes."""
        spans = zip(self.starts[first:after], self.lengths[first:after], strict=True)
        return tuple(range(start, start + length) for start, length in spans)


def read_fragments(source: Source, offset: int, end: int, *, order: str, limits: Limits, deadline: float) -> Fragments:
    """Walk the items from `offset`, which must end before `end`.

    Malformed for what is no item or does not fit, Truncated where the file ends first, TooLarge beyond the limits.
    """
    found = Fragments()
    head = struct.Struct(order + "HHI")
    window, base = b"", offset
    at = offset
    is_table = True
    while True:
        if at + 8 > end:
            raise Truncated(f"byte {at}: the items of a compressed value end without a delimiter")
        if at + 8 > base + len(window):
            base = at
            step = _STEP if not found.lengths or found.lengths[-1] < _SMALL else 8
            window = source.read_at(at, max(8, min(step, end - at)))
            if len(window) < 8:
                raise Truncated(f"byte {at}: the bytes end inside an item header")
            if time.monotonic() > deadline:
                raise errors.TooLarge(f"reading the header took more than {limits.seconds:g} seconds")
        group, element, length = head.unpack_from(window, at - base)
        tag = group << 16 | element
        at += 8
        if tag == _END:
            found.end = at
            return found
        if tag != _ITEM or length == _UNDEFINED:
            raise errors.Malformed(f"byte {at - 8}: expected an item of a compressed value, saw something else")
        if length > end - at:
            raise Truncated(f"byte {at - 8}: an item of {length} bytes where {end - at} are left")
        if is_table:
            found.table = range(at, at + length)
            is_table = False
        else:
            found.starts.append(at)
            found.lengths.append(length)
            if len(found.starts) > limits.enhanced_elements:
                raise errors.TooLarge(f"more than {limits.enhanced_elements} fragments")
        at += length
