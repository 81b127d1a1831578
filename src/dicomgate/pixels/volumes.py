"""Frames as arrays of what was measured, and many of them as one block (PS3.3 §C.7.6.3, §C.11.1).

Of which type the values are is said before the first frame is decoded: 16-bit integers where all of them are exact,
32-bit floating point otherwise; colours, and values as they are stored, keep the type that they are stored in.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
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
    """What the stored values of a frame stand for, written into an array of the same shape.

    NotAcceptable when the array is of integers that do not hold them.
    """
    if mapping == IDENTITY:
        _write(stored, into)
        return
    table = None if mapping.entries is None else np.array(mapping.entries)
    rows = max(_BAND // max(stored[:1].size, 1), 1)
    for first in range(0, len(stored), rows):
        band = stored[first : first + rows]
        if table is None:
            found = band * np.float64(mapping.slope) + np.float64(mapping.intercept)
        else:
            found = table[np.clip(band.astype(np.int64) - mapping.first, 0, len(table) - 1)]
        _write(found, into[first : first + rows])


def _write(found: Pixels, into: Pixels) -> None:
    if into.dtype.kind in "iu" and not np.can_cast(found.dtype, into.dtype):
        kept = np.iinfo(into.dtype)
        low, high = found.min(), found.max()
        if not (kept.min <= low and high <= kept.max):
            raise errors.NotAcceptable(f"values from {low:g} to {high:g} do not fit into {into.dtype}")
        found = np.rint(found) if found.dtype.kind == "f" else found
    np.copyto(into, found, casting="unsafe")


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


def common_type(frames: Iterable[tuple[PixelDescription, ValueMapping]]) -> np.dtype[Any]:
    """One type for the stored values of all of these frames."""
    return np.result_type(*{stored_type(description) for description, _ in frames})


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """A block of slices as an array, and where it is in the patient.

    `array`: (slices, rows, columns), or (slices, rows, columns, samples) of colour; counted along the normal of the
    slices, which is `cross(direction of rows, direction of columns)`. `affine`: (4, 4), from (column, row, slice, 1) to
    millimetres towards left, back, head; None when frames do not say where they are. `spacing`: millimetres from slice
    to slice, row to row, column to column. `positions`: of the first pixel of each slice, as its object says it, also
    computed for the missing ones. `missing`: the numbers of slices that are not there and hold one value in `array`.
    `instances`: for each slice SOP Instance UID and number of the frame, None for a missing one. `irregularities`: what
    keeps it from being one regular block, in words. `units`: of the values, as far as the objects say them.
    """

    array: Pixels
    affine: NDArray[np.float64] | None
    spacing: tuple[float, float, float] | None
    positions: tuple[tuple[float, float, float], ...]
    missing: tuple[int, ...]
    instances: tuple[tuple[str, int] | None, ...]
    irregularities: tuple[str, ...] = ()
    units: str = ""

    @property
    def shape(self) -> tuple[int, ...]:
        """That of the array."""
        return self.array.shape

    @property
    def affine_ras(self) -> NDArray[np.float64] | None:
        """The affine to millimetres towards right, front, head, as NIfTI and most of its readers count."""
        return None if self.affine is None else np.diag([-1.0, -1.0, 1.0, 1.0]) @ self.affine

    def __len__(self) -> int:
        """How many slices there are."""
        return len(self.array)

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> Pixels:
        """The array itself, for numpy and all that takes its arrays."""
        return np.array(self.array, dtype=dtype, copy=copy)


def matrix(rows: Iterable[Iterable[float]]) -> NDArray[np.float64]:
    """Rows of numbers as a matrix."""
    return np.array([list(row) for row in rows], np.float64)


def empty(like: Pixels, dtype: DTypeLike) -> Pixels:
    """Room of the same shape for values of another type."""
    return np.empty(like.shape, dtype)
