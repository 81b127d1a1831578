"""Overlay planes: bits that are laid over a picture in white, of their own or within the pixels (PS3.3 §C.9.2)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dicomgate.dicom import syntaxes
from dicomgate.pixels.overlay_plane import Overlay
from dicomgate.pixels.pieces import Pieces
from dicomgate.pixels.recipe import Recipe

Mask = NDArray[np.bool_]


def draw(picture: NDArray[np.uint8], recipe: Recipe, content: Pieces) -> None:
    """Lay the overlays over the part of the picture that is shown."""
    for overlay in recipe.overlays:
        found = _find(overlay, recipe, content)
        if found is not None:
            seen, rows, columns = found
            picture[rows, columns][seen] = 255


def read(overlay: Overlay, recipe: Recipe, content: Pieces) -> Mask:
    """Where an overlay is set, of the part of the image that is shown."""
    left, top, right, bottom = recipe.box
    mask = np.zeros((bottom - top, right - left), np.bool_)
    found = _find(overlay, recipe, content)
    if found is not None:
        seen, rows, columns = found
        mask[rows, columns] = seen
    return mask


def _find(overlay: Overlay, recipe: Recipe, content: Pieces) -> tuple[Mask, slice, slice] | None:
    """What of an overlay lies in the part that is shown, and in which of its rows and columns."""
    left, top, right, bottom = recipe.box
    mask = _own(overlay, content) if overlay.span else _embedded(overlay, recipe, content)
    if mask is None:
        return None
    if overlay.is_region:
        mask = _outline(mask)
    # The same rectangle, seen from the overlay and from the part that is shown.
    rows = range(max(top, overlay.top), min(bottom, overlay.top + mask.shape[0]))
    columns = range(max(left, overlay.left), min(right, overlay.left + mask.shape[1]))
    if not rows or not columns:
        return None
    return mask[_slice(rows, overlay.top), _slice(columns, overlay.left)], _slice(rows, top), _slice(columns, left)


def _slice(span: range, origin: int) -> slice:
    return slice(span.start - origin, span.stop - origin)


def _own(overlay: Overlay, content: Pieces) -> Mask | None:
    """An overlay's own bits; rows that its bytes do not hold are not there."""
    assert overlay.span is not None, "an overlay that lies elsewhere"
    offset, length = overlay.span
    first = min(overlay.first_bit // 8, length)
    data = np.frombuffer(content.read((offset + first, length - first)), np.uint8)
    skipped = overlay.first_bit % 8
    rows = min(overlay.rows, max(data.size * 8 - skipped, 0) // max(overlay.columns, 1))
    if rows == 0:
        return None
    bits = np.unpackbits(data, count=skipped + rows * overlay.columns, bitorder="little")[skipped:]
    return bits.reshape(rows, overlay.columns).astype(np.bool_)


def _embedded(overlay: Overlay, recipe: Recipe, content: Pieces) -> Mask | None:
    """An overlay in a bit that the pixels do not use (PS3.5 §8.1.2); lost where they were compressed."""
    description = recipe.description
    syntax = syntaxes.find(description.transfer_syntax)
    used = range(description.high_bit + 1 - description.bits_stored, description.high_bit + 1)
    is_there = 0 <= overlay.pixel_bit < description.bits_allocated and overlay.pixel_bit not in used
    if syntax is None or syntax.is_encapsulated or description.bits_allocated not in (8, 16) or not is_there:
        return None
    kind = np.dtype(f"<u{description.bits_allocated // 8}")
    count = description.rows * description.columns
    if description.samples_per_pixel != 1 or recipe.frame[1] < count * kind.itemsize:
        return None
    values: NDArray[Any] = np.frombuffer(content.read(recipe.frame), kind, count)
    bits = (values >> overlay.pixel_bit) & 1
    return bits.reshape(description.rows, description.columns).astype(np.bool_)


def _outline(mask: Mask) -> Mask:
    """Those that have one beside them that is not set."""
    inner = mask.copy()
    inner[1:] &= mask[:-1]
    inner[:-1] &= mask[1:]
    inner[:, 1:] &= mask[:, :-1]
    inner[:, :-1] &= mask[:, 1:]
    return mask & ~inner
