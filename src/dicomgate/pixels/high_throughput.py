"""Codestreams of HTJ2K as their transfer syntaxes want them (PS3.5 §8.2.14, §10.18; ISO/IEC 15444-15, 15444-1 Annex A).

They are all written by resolution, with the lengths of tile-parts and a lowest resolution of at most 64 pixels, so that
a viewer may read the beginning alone.
"""

from __future__ import annotations

import struct

import imagecodecs
import numpy as np

from dicomgate.pixels.samples import Pixels

_THUMBNAIL = 64
_LEVELS = 5
_COUNT = 40
"""Where the codestream, whose first segment is that of the size, says how many components there are; they follow."""
_SIGN = 0x80


def encode(pixels: Pixels, bits: int, *, has_rgb: bool) -> bytes:
    """Without loss. The encoder knows words of 8 and 16 bits alone.

    Fewer bits are therefore coded as signed words around zero, which is what a codestream holds of unsigned ones too;
    then the header is told how many they are.
    """
    if bits == pixels.dtype.itemsize * 8:
        return _encode(pixels, has_rgb=has_rgb, step=None)
    is_signed = pixels.dtype.kind == "i"
    words = pixels if is_signed else _centred(pixels, bits)
    return _with_depth(_encode(words, has_rgb=has_rgb, step=None), bits, is_signed=is_signed)


def encode_lossy(pixels: Pixels, step: float, *, has_rgb: bool) -> bytes:
    """With loss. `step`: of the quantiser, as a part of the range of a word."""
    return _encode(pixels, has_rgb=has_rgb, step=step)


def _centred(pixels: Pixels, bits: int) -> Pixels:
    kind = np.dtype(f"i{pixels.dtype.itemsize}")
    centred: Pixels = pixels.astype(kind) - kind.type(1 << (bits - 1))
    return centred


def _encode(pixels: Pixels, *, has_rgb: bool, step: float | None) -> bytes:
    smallest = min(pixels.shape[:2])
    levels = _LEVELS
    while smallest >> levels > _THUMBNAIL:
        levels += 1
    return bytes(
        imagecodecs.htj2k_encode(
            np.ascontiguousarray(pixels),
            step,
            reversible=step is None,
            rgb=has_rgb,
            planar=False,
            tlm=True,
            resolutions=levels,
        )
    )


def _with_depth(codestream: bytes, bits: int, *, is_signed: bool) -> bytes:
    """The codestream whose size segment says how many bits its samples have (Ssiz)."""
    changed = bytearray(codestream)
    (count,) = struct.unpack_from(">H", changed, _COUNT)
    for component in range(count):
        changed[_COUNT + 2 + 3 * component] = (bits - 1) | (_SIGN if is_signed else 0)
    return bytes(changed)
