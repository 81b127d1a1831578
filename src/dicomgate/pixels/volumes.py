"""Frames as arrays of what was measured, and many of them as one block (PS3.3 §C.7.6.3, §C.11.1).

Of which type the values are is said before the first frame is decoded: 16-bit integers where all of them are exact,
32-bit floating point otherwise; colours, and values as they are stored, keep the type that they are stored in.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from dicomgate import errors
from dicomgate.dicom.pixel_description import PixelDescription
from dicomgate.dicom.value_mappings import IDENTITY, ValueMapping
from dicomgate.pixels import colours, decoding

Pixels = NDArray[Any]

LARGEST_BLOCK = 32 << 30
"""Bytes of an array, unless more are allowed."""
_BAND = 1 << 18
"""Values mapped at once, so that what is between needs little memory."""
_INT16 = (-(1 << 15), (1 << 15) - 1)


def decode(codestream: bytes, description: PixelDescription) -> Pixels:
    """The stored values of a frame: (rows, columns), or (rows, columns, samples) of colour, YCbCr as RGB.

    Palette indices stay indices. The faults of `decoding.decode_frame`.
    """
    found = decoding.decode_frame(codestream, description)
    if not description.is_colour or found.pixels.dtype.itemsize > 2:
        return found.pixels
    return colours.to_rgb(found.pixels, found.photometric_interpretation, description.bits_stored)


def map_values(stored: Pixels, mapping: ValueMapping, into: Pixels) -> None:
    """What the stored values of a frame stand for, written into an array of the same shape."""
    if mapping == IDENTITY:
        np.copyto(into, stored, casting="unsafe")
        return
    table = None if mapping.entries is None else np.array(mapping.entries)
    rows = max(_BAND // max(stored[:1].size, 1), 1)
    for first in range(0, len(stored), rows):
        band = stored[first : first + rows]
        if table is None:
            found = band * np.float64(mapping.slope) + np.float64(mapping.intercept)
        else:
            found = table[np.clip(band.astype(np.int64) - mapping.first, 0, len(table) - 1)]
        np.copyto(into[first : first + rows], found, casting="unsafe")


def exact_type(frames: Iterable[tuple[PixelDescription, ValueMapping]]) -> np.dtype[Any]:
    """int16 when every value that these frames can hold is a whole number of 16 bits; float32 otherwise."""
    for description, mapping in set(frames):
        if description.is_float or not _is_whole(description, mapping):
            return np.dtype(np.float32)
    return np.dtype(np.int16)


def _is_whole(description: PixelDescription, mapping: ValueMapping) -> bool:
    low, high = stored_range(description)
    if mapping.entries is not None:
        ends = [min(mapping.entries), max(mapping.entries)]
        is_whole = all(entry.is_integer() for entry in mapping.entries)
    else:
        ends = [low * mapping.slope + mapping.intercept, high * mapping.slope + mapping.intercept]
        is_whole = float(mapping.slope).is_integer() and float(mapping.intercept).is_integer()
    return is_whole and all(_INT16[0] <= end <= _INT16[1] for end in ends)


def stored_range(description: PixelDescription) -> tuple[int, int]:
    """The least and the greatest value that so many bits hold."""
    bits = description.bits_stored
    return (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if description.is_signed else (0, (1 << bits) - 1)


def stored_type(description: PixelDescription) -> np.dtype[Any]:
    """The type in which a frame's values are stored."""
    if description.is_float:
        return np.dtype(f"f{description.bits_allocated // 8}")
    size = next(size for size in (1, 2, 4, 8) if size * 8 >= description.bits_allocated)
    return np.dtype(f"{'i' if description.is_signed else 'u'}{size}")


def allocate(count: int, description: PixelDescription, dtype: DTypeLike, largest: int = LARGEST_BLOCK) -> Pixels:
    """Room for so many frames: (count, rows, columns), or (count, rows, columns, samples) of colour.

    TooLarge when it would have more bytes than `largest`.
    """
    samples = (description.samples_per_pixel,) if description.is_colour else ()
    shape = (count, description.rows, description.columns, *samples)
    size = int(np.prod(shape, dtype=object)) * np.dtype(dtype).itemsize
    if size > largest:
        raise errors.TooLarge(f"an array of {size} bytes, at most {largest} are taken")
    try:
        return np.zeros(shape, dtype)
    except MemoryError as error:
        raise errors.OutOfSpace(f"no room in memory for an array of {size} bytes") from error


def fill(block: Pixels, numbers: Iterable[int], value: float | None) -> None:
    """Missing slices get this value everywhere, or the lowest one that the other slices have."""
    missing = sorted(set(numbers))
    if not missing:
        return
    if value is None:
        there = sorted(set(range(len(block))) - set(missing))
        value = min((block[number].min() for number in there), default=0)
    block[missing] = value
