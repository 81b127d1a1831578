"""Colour as it is stored: by pixel or by plane, with halved chrominance, in RGB or YCbCr (PS3.3 §C.7.6.3.1.2)."""

from __future__ import annotations

import numpy as np

from dicomgate.dicom.picture import RGB
from dicomgate.pixels.samples import Pixels

_BAND = 1 << 18
"""Pixels converted at once, so that what is between needs little memory."""

_FROM_FULL = np.array([[1, 0, 1.402], [1, -0.344136, -0.714136], [1, 1.772, 0]], np.float32)
_FROM_PARTIAL = np.array(
    [[1.164384, 0, 1.596027], [1.164384, -0.391762, -0.812968], [1.164384, 2.017232, 0]], np.float32
)
_TABLES = {"YBR_FULL": (_FROM_FULL, 0), "YBR_PARTIAL": (_FROM_PARTIAL, 16)}
"""To RGB from YCbCr of ITU-R BT.601, and what is below black."""


def by_pixel(words: Pixels, rows: int, columns: int, samples: int, planar_configuration: int) -> Pixels:
    """Flat words as rows, columns and samples."""
    if samples == 1:
        return words.reshape(rows, columns)
    if planar_configuration == 0:
        return words.reshape(rows, columns, samples)
    return np.ascontiguousarray(words.reshape(samples, rows, columns).transpose(1, 2, 0))


def widened(words: Pixels, rows: int, columns: int) -> Pixels:
    """Two luminances, then the two chrominances that both pixels share, as three samples for each pixel."""
    pairs = words.reshape(rows, columns // 2, 4)
    pixels: Pixels = np.empty((rows, columns // 2, 2, 3), words.dtype)
    pixels[..., 0] = pairs[..., :2]
    pixels[..., 1:] = pairs[:, :, None, 2:]
    return pixels.reshape(rows, columns, 3)


def to_rgb(pixels: Pixels, photometric_interpretation: str, bits: int = 8) -> Pixels:
    """RGB from what is YCbCr by its photometric interpretation; anything else as it is."""
    name = photometric_interpretation.removesuffix("_422").removesuffix("_420")
    if photometric_interpretation == RGB or name not in _TABLES:
        return pixels
    matrix, black = _TABLES[name]
    scale, most = 1 << (bits - 8), (1 << bits) - 1
    offset = np.array([black * scale, 128 * scale, 128 * scale], np.float32)
    flat, rgb = pixels.reshape(-1, 3), np.empty(pixels.shape, pixels.dtype)
    into = rgb.reshape(-1, 3)
    for first in range(0, len(flat), _BAND):
        band = (flat[first : first + _BAND] - offset) @ matrix.T
        np.clip(np.rint(band, out=band), 0, most, out=band)
        into[first : first + _BAND] = band
    return rgb
