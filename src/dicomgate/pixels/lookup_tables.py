"""Lookup tables as data sets have them: of 8 or 16 bits, packed or not, in segments (PS3.3 §C.7.6.3.1.5, §C.7.9.2).

What a table says of its length is believed only as far as its bytes bear it out: a short one ends with its last entry.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from dicomgate import errors
from dicomgate.pixels.recipe import LookupTable

LARGEST: Final = 65_536
_MOST_SEGMENTS: Final = 200_000
_DISCRETE, _LINEAR, _INDIRECT = 0, 1, 2


def read(content: bytes, table: LookupTable) -> NDArray[Any]:
    """The entries, as many as the table says. Malformed when there are none, or its segments make no sense."""
    if not 1 <= table.entries <= LARGEST:
        raise errors.Malformed(f"a lookup table of {table.entries} entries: expected 1 to {LARGEST}")
    if table.is_segmented:
        found = np.array(_expand(_words(content, table.bits > 8), table), np.int64)
    else:
        found = _words(content, is_wide=table.bits > 8 or len(content) >= 2 * table.entries)
    if not len(found):
        raise errors.Malformed("a lookup table without entries")
    found = found[: table.entries].astype(np.uint16)
    return np.pad(found, (0, table.entries - len(found)), mode="edge") if len(found) < table.entries else found


def read_bytes(content: bytes, table: LookupTable) -> NDArray[np.uint8]:
    """The entries as 8 bits: the upper ones of wide entries, whatever the table says of them."""
    found = read(content, table)
    most = int(found.max())
    return (found >> 8 if most > 255 else found).astype(np.uint8)


def scale(content: bytes, table: LookupTable) -> tuple[NDArray[Any], int]:
    """The entries, and the largest that their number of bits allows."""
    found = read(content, table)
    bits = min(max(table.bits, 1), 16)
    return found, max((1 << bits) - 1, int(found.max()))


def _words(content: bytes, is_wide: bool) -> NDArray[Any]:
    kind = np.dtype("<u2") if is_wide else np.dtype(np.uint8)
    return np.frombuffer(content, kind, len(content) // kind.itemsize)


def _expand(words: NDArray[Any], table: LookupTable) -> list[int]:
    """The entries of a segmented table (PS3.3 §C.7.9.2)."""
    said: list[int] = words.tolist()
    entries: list[int] = []
    at, left = 0, _MOST_SEGMENTS
    width = 2 if table.bits > 8 else 1
    while at + 1 < len(said) and len(entries) < table.entries:
        opcode, count = said[at], said[at + 1]
        if opcode == _INDIRECT:
            step = 4 if width == 2 else 6
            pieces = said[at + 2 : at + step]
            target = sum(piece << 8 * width * place for place, piece in enumerate(pieces)) // width
            left = _copy(said, range(target, target + count), entries, table.entries, left)
            at += step
        else:
            at = _segment(said, at, entries)
        left -= 1
        if left <= 0:
            raise errors.Malformed(f"a lookup table of more than {_MOST_SEGMENTS} segments")
    return entries


def _copy(said: list[int], place: range, entries: list[int], most: int, left: int) -> int:
    """So many segments once more, from elsewhere in the table; how many more there may be."""
    at = place.start
    for _ in place:
        if at + 1 >= len(said) or len(entries) >= most or left <= 0:
            break
        at = _segment(said, at, entries)
        left -= 1
    return left


def _segment(said: list[int], at: int, entries: list[int]) -> int:
    """Add a segment's entries; where the next one begins."""
    opcode, count = said[at], said[at + 1]
    if opcode == _DISCRETE:
        entries += said[at + 2 : at + 2 + count]
        return at + 2 + count
    if opcode != _LINEAR or not entries or at + 2 >= len(said):
        raise errors.Malformed(
            f"segment of kind {opcode} at word {at} of a lookup table: expected one that can be there"
        )
    first, last = entries[-1], said[at + 2]
    entries += [round(first + (last - first) * step / count) for step in range(1, count + 1)] if count else []
    return at + 3
