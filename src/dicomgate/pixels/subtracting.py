"""Frames from which others are subtracted, after the modality's transformation (PS3.4 §N.2.1.2, PS3.3 §C.7.6.10)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dicomgate import errors
from dicomgate.pixels import decoding, grey
from dicomgate.pixels.decoding import Decoded
from dicomgate.pixels.pieces import Pieces, Span
from dicomgate.pixels.recipe import Recipe

Values = NDArray[np.float32]


def subtract(wanted: Recipe, content: Pieces, table: bytes) -> Decoded:
    """The average of some frames less that of others. The faults of decoding."""
    subtraction = wanted.subtraction
    assert subtraction is not None, "something is subtracted"
    values = _average(subtraction.contrast, wanted, content, table)
    mask = _average(subtraction.mask, wanted, content, table)
    values -= _shifted(mask, *subtraction.shift)
    return Decoded(pixels=values, photometric_interpretation="MONOCHROME2")


def _average(spans: Sequence[Span], wanted: Recipe, content: Pieces, table: bytes) -> Values:
    if wanted.description.is_colour or not spans:
        raise errors.Malformed("only grey frames are subtracted")
    total: Values | None = None
    for span in spans:
        pixels = decoding.decode_frame(content.read(span), wanted.description).pixels
        values = grey.modality(pixels, wanted.modality or wanted.grey, table)
        total = values if total is None else total + values
    assert total is not None, "there is a frame"
    return total / np.float32(len(spans))


def _shifted(mask: Values, down: float, left: float) -> Values:
    """Moved by parts of pixels; its edges go on where nothing is left."""
    return _moved(_moved(mask, down, 0), -left, 1) if down or left else mask


def _moved(mask: Values, by: float, axis: int) -> Values:
    length = mask.shape[axis]
    places = np.clip(np.arange(length) - by, 0, length - 1)
    first = np.floor(places).astype(np.int64)
    share = (places - first).astype(np.float32)
    share = share[:, None] if axis == 0 else share[None, :]
    after = np.take(mask, np.minimum(first + 1, length - 1), axis=axis)
    return np.asarray(np.take(mask, first, axis=axis) * (1 - share) + after * share, np.float32)
