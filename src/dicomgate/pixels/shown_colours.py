"""From decoded samples to 8 bits of red, green and blue (PS3.3 §C.7.6.3.1.2)."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dicomgate.pixels import colours, grey, lookup_tables
from dicomgate.pixels.grey import Tables
from dicomgate.pixels.recipe import Grey, LookupTable

Pixels = NDArray[Any]
Picture = NDArray[np.uint8]
Palette = tuple[LookupTable, LookupTable, LookupTable]

_ROWS = 64


def to_rgb(pixels: Pixels, photometric: str, bits_stored: int) -> Picture:
    """Colour pixels, whatever their model, as RGB of 8 bits."""
    narrow = _narrow(pixels, bits_stored)
    if photometric.startswith("YBR_"):
        return colours.to_rgb(narrow, photometric)
    if narrow.shape[2] == 3:
        return narrow
    if photometric == "CMYK":
        inverse = 255 - narrow.astype(np.uint16)
        return (inverse[:, :, :3] * inverse[:, :, 3:] // 255).astype(np.uint8)
    return narrow[:, :, 1:] if photometric == "ARGB" else narrow[:, :, :3]


def apply_palette(pixels: Pixels, palette: Palette, contents: tuple[bytes, bytes, bytes]) -> Picture:
    """Each pixel's colour (PS3.3 §C.7.9)."""
    width = min(pixels.dtype.itemsize, 2)
    index = pixels.astype(np.uint16) if pixels.dtype.itemsize > 2 else pixels.view(f"u{width}")
    return grey.look_up(_palette(palette, contents, pixels.dtype.kind == "i", width), index)


def apply_supplement(pixels: Pixels, shown: Picture, palette: Palette, contents: tuple[bytes, bytes, bytes]) -> Picture:
    """Colours for values from the first of the palette on, grey for the others (PS3.3 §C.7.6.19)."""
    coloured = apply_palette(pixels, palette, contents)
    is_grey = pixels < palette[0].first
    coloured[is_grey] = shown[is_grey][:, None]
    return coloured


def apply_pseudo_colour(
    pixels: Pixels,
    tone: Grey,
    tables: Tables,
    limits: tuple[float, float] | None,
    colouring: tuple[Palette, tuple[bytes, bytes, bytes]],
) -> Picture:
    """Colours for grey after VOI, which is stretched over the palette (PS3.4 §N.2.3)."""
    if pixels.dtype.kind == "f" or pixels.dtype.itemsize > 2:
        out = np.empty((*pixels.shape, 3), np.uint8)
        for first in range(0, len(pixels), _ROWS):
            stored = pixels[first : first + _ROWS].astype(np.float64)
            out[first : first + _ROWS] = _pseudo_colours(stored, tone, tables, limits, colouring)
        return out
    width = pixels.dtype.itemsize
    every = np.arange(1 << 8 * width, dtype=f"u{width}").view(pixels.dtype).astype(np.float64)
    return grey.look_up(_pseudo_colours(every, tone, tables, limits, colouring), pixels.view(f"u{width}"))


def _pseudo_colours(
    stored: NDArray[np.float64],
    tone: Grey,
    tables: Tables,
    limits: tuple[float, float] | None,
    colouring: tuple[Palette, tuple[bytes, bytes, bytes]],
) -> Picture:
    with np.errstate(all="ignore"):
        shown = np.nan_to_num(grey.shares(stored, tone, tables, limits), nan=0.0)
    planes = [lookup_tables.read_bytes(content, table) for table, content in zip(*colouring, strict=True)]
    colours = np.stack([plane[np.rint(shown * (len(plane) - 1)).astype(np.int64)] for plane in planes], axis=-1)
    colours[grey.background(stored, tone)] = 0
    return np.ascontiguousarray(colours)


@functools.lru_cache(maxsize=16)
def _palette(
    palette: Palette,
    contents: tuple[bytes, bytes, bytes],
    is_signed: bool,
    width: int,
) -> Picture:
    """Red, green and blue for every value that the pixels can have, in the order of their bits."""
    kind = np.dtype(f"{'i' if is_signed else 'u'}{width}")
    every = np.arange(1 << 8 * width, dtype=f"u{width}").view(kind).astype(np.int64)
    planes = []
    for table, content in zip(palette, contents, strict=True):
        entries = lookup_tables.read_bytes(content, table)
        planes.append(entries[np.clip(every - table.first, 0, table.entries - 1)])
    return np.ascontiguousarray(np.stack(planes, axis=1))


def _narrow(pixels: Pixels, bits_stored: int) -> Picture:
    """The upper 8 bits."""
    if pixels.dtype == np.uint8 and bits_stored >= 8:
        return pixels
    if pixels.dtype.kind == "f":
        shares: Pixels = np.clip(np.nan_to_num(pixels), 0, 1)
        return np.asarray(shares * 255 + 0.5).astype(np.uint8)
    unsigned = pixels.astype(np.int64) + (1 << bits_stored - 1) if pixels.dtype.kind == "i" else pixels
    if bits_stored < 8:
        return (unsigned.astype(np.uint16) * 255 // ((1 << bits_stored) - 1)).astype(np.uint8)
    return (unsigned >> (bits_stored - 8)).astype(np.uint8)
