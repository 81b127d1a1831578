"""From stored values to 8 bits of grey: modality, VOI and presentation in one table (PS3.3 §C.11, PS3.4 §N.2).

Values of up to 16 bits go through a table of all of them, which is kept for the next frame with the same window; wider
ones are computed, a band of rows at a time.
"""

from __future__ import annotations

import functools
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from dicomgate.dicom.presentation import Window, WindowFunction
from dicomgate.pixels import lookup_tables
from dicomgate.pixels.recipe import Grey, LookupTable

Pixels = NDArray[Any]
Tables = tuple[bytes, ...]
"""The bytes of the modality's table, of the VOI's and of the presentation's; empty where there is none."""

_BAND: Final = 1 << 16
"""Pixels looked up at once: they and their indices stay near the processor."""


def levels(pixels: Pixels, grey: Grey, tables: Tables, limits: tuple[float, float] | None) -> NDArray[np.uint8]:
    """The pixels in 8 bits of grey; `limits`: stored values that are black and white where there is no VOI."""
    if pixels.dtype.itemsize > 2 or pixels.dtype.kind == "f":
        return _compute(pixels, grey, tables, limits)
    index = pixels.view(f"u{pixels.dtype.itemsize}")
    return look_up(_table(pixels.dtype.str, grey, tables, limits), index)


def look_up(table: NDArray[np.uint8], index: Pixels) -> NDArray[np.uint8]:
    """The entries of a table, of one or three columns, for each pixel."""
    flat = np.ascontiguousarray(index).reshape(-1)
    out = np.empty((flat.size, *table.shape[1:]), np.uint8)
    for first in range(0, flat.size, _BAND):
        # "clip" skips a check that these indices cannot fail
        np.take(table, flat[first : first + _BAND], axis=0, mode="clip", out=out[first : first + _BAND])
    return out.reshape(*index.shape, *table.shape[1:])


def modality(pixels: Pixels, grey: Grey, content: bytes) -> NDArray[np.float32]:
    """The values after the modality's transformation alone."""
    return _modality(pixels.astype(np.float64), grey, content).astype(np.float32)


def find_limits(pixels: Pixels, grey: Grey, bits_stored: int) -> tuple[float, float]:
    """The stored values that are black and white where nothing says so (REN-07).

    Up to 8 bits: all values there could be. Beyond: those that there are in this frame, without padding.
    """
    if pixels.dtype.kind != "f" and bits_stored <= 8:
        least = -(1 << bits_stored - 1) if pixels.dtype.kind == "i" else 0
        return float(least), float(least + (1 << bits_stored) - 1)
    found = pixels if pixels.dtype.kind != "f" else pixels[np.isfinite(pixels)]
    if grey.padding is not None and found.size:
        low, high = grey.padding
        if low <= found.min() <= high or low <= found.max() <= high:
            found = found[(found < low) | (found > high)]
    return (float(found.min()), float(found.max())) if found.size else (0.0, 0.0)


@functools.lru_cache(maxsize=64)
def _table(kind: str, grey: Grey, tables: Tables, limits: tuple[float, float] | None) -> NDArray[np.uint8]:
    """Grey for every value that pixels of this kind can have, in the order of their bits."""
    dtype = np.dtype(kind)
    bits = dtype.itemsize * 8
    every = np.arange(1 << bits, dtype=f"u{dtype.itemsize}").view(dtype)
    return _convert(every.astype(np.float64), grey, tables, limits)


def _compute(pixels: Pixels, grey: Grey, tables: Tables, limits: tuple[float, float] | None) -> NDArray[np.uint8]:
    out = np.empty(pixels.shape, np.uint8)
    rows = max((_BAND * 4) // max(pixels.shape[1], 1), 1)
    for first in range(0, len(pixels), rows):
        out[first : first + rows] = _convert(pixels[first : first + rows].astype(np.float64), grey, tables, limits)
    return out


def _convert(
    stored: NDArray[np.float64], grey: Grey, tables: Tables, limits: tuple[float, float] | None
) -> NDArray[np.uint8]:
    with np.errstate(all="ignore"):
        shown = shares(stored, grey, tables, limits)
        result: NDArray[np.uint8] = np.nan_to_num(shown * 255.0 + 0.5, nan=0.0).astype(np.uint8)
        if grey.is_inverted:
            np.subtract(255, result, out=result)
        result[background(stored, grey)] = 0
    return result


def shares(
    stored: NDArray[np.float64], grey: Grey, tables: Tables, limits: tuple[float, float] | None
) -> NDArray[np.float64]:
    """How much of the way from black to white each value is, from 0 to 1, before it may be inverted."""
    values = _modality(stored, grey, tables[0])
    if grey.voi_table is not None:
        shown = _voi_table(values, grey.voi_table, tables[1])
    elif grey.window is not None:
        shown = _window(values, grey.window)
    else:
        ends = np.array(grey.ends) if grey.ends else _modality(np.array(limits or (0.0, 0.0)), grey, tables[0])
        shown = _stretch(values, ends)
    shown = np.clip(shown, 0.0, 1.0)
    return shown if grey.presentation_table is None else _presentation(shown, grey.presentation_table, tables[2])


def _presentation(shown: NDArray[np.float64], table: LookupTable, content: bytes) -> NDArray[np.float64]:
    """What comes from VOI is stretched over the table, whatever its range was (PS3.3 §C.11.6.1.1)."""
    entries, most = lookup_tables.scale(content, table)
    index = np.nan_to_num(np.rint(shown * (len(entries) - 1)))
    return np.asarray(entries[index.astype(np.int64)] / float(most), np.float64)


def background(stored: NDArray[np.float64], grey: Grey) -> NDArray[np.bool_]:
    """What is no picture: padding (PS3.3 §C.7.5.1.1.2), and what is no number."""
    nothing = np.isnan(stored)
    if grey.padding is not None:
        low, high = grey.padding
        nothing |= (stored >= low) & (stored <= high)
    return nothing


def _modality(stored: NDArray[np.float64], grey: Grey, content: bytes) -> NDArray[np.float64]:
    if grey.modality_table is None:
        return stored * grey.slope + grey.intercept
    entries = lookup_tables.read(content, grey.modality_table)
    return entries[_index(stored, grey.modality_table)].astype(np.float64)


def _voi_table(values: NDArray[np.float64], table: LookupTable, content: bytes) -> NDArray[np.float64]:
    entries, most = lookup_tables.scale(content, table)
    return entries[_index(values, table)] / float(most)


def _index(values: NDArray[np.float64], table: LookupTable) -> NDArray[np.int64]:
    """Which entry a value takes: the first below the table, the last above it."""
    found = np.clip(np.rint(values) - table.first, 0, table.entries - 1)
    return np.asarray(np.nan_to_num(found), np.int64)


def _window(values: NDArray[np.float64], window: Window) -> NDArray[np.float64]:
    """From 0 to 1 (PS3.3 §C.11.2.1.2, §C.11.2.1.3); what is outside is cut later."""
    center, width = window.center, window.width
    match window.function:
        case WindowFunction.SIGMOID:
            return 1.0 / (1.0 + np.exp(-4.0 * (values - center) / width))
        case WindowFunction.LINEAR_EXACT:
            return (values - center) / width + 0.5
        case WindowFunction.LINEAR:
            if width <= 1.0:
                return (values > center - 0.5).astype(np.float64)
            return (values - (center - 0.5)) / (width - 1.0) + 0.5


def _stretch(values: NDArray[np.float64], ends: NDArray[np.float64]) -> NDArray[np.float64]:
    """From the least to the largest; all black where they are one."""
    low, high = float(ends.min()), float(ends.max())
    return (values - low) / (high - low) if high > low else np.zeros_like(values)
