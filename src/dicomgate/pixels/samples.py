"""Words of Bits Allocated and the values in them: shifted, masked, with their signs (PS3.5 §8.1.1)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dicomgate import errors
from dicomgate.dicom import syntaxes
from dicomgate.dicom.pixel_description import PixelDescription

Pixels = NDArray[Any]


def values(words: Pixels, precision: int, description: PixelDescription) -> Pixels:
    """The stored values in what a codec gave, `precision` bits of each sample.

    A codec's sign and the data set's may differ: the bits are what was stored, the data set says what they mean.
    """
    if description.is_float or description.bits_allocated == 1:
        return words
    if words.dtype.kind == "i":
        if description.is_signed:
            return _clipped(words, precision, description)
        return _unsigned(words, min(precision, description.bits_stored))
    stored, shift = _place(precision, description)
    if description.is_signed:
        return _signed(words, stored, shift)
    if shift:
        words = np.right_shift(words, words.dtype.type(shift))
    if stored + shift >= precision:
        return words
    if _may_overshoot(description):
        clipped: Pixels = np.minimum(words, words.dtype.type((1 << stored) - 1))  # white, not black
        return clipped
    return _unsigned(words, stored)


def _may_overshoot(description: PixelDescription) -> bool:
    """Codecs that lose something go past the range of the values where they have more bits than these."""
    syntax = syntaxes.find(description.transfer_syntax)
    return syntax is not None and syntax.loss is not syntaxes.Loss.NEVER


def _clipped(words: Pixels, precision: int, description: PixelDescription) -> Pixels:
    if precision <= description.bits_stored or not _may_overshoot(description):
        return words
    most = 1 << (description.bits_stored - 1)
    clipped: Pixels = np.clip(words, -most, most - 1)
    return clipped


def _place(precision: int, description: PixelDescription) -> tuple[int, int]:
    """How many bits a value has, and how many are below it: a codestream of whole words holds them as they lay."""
    if precision <= description.bits_stored:
        return precision, 0
    shift = description.high_bit + 1 - description.bits_stored
    return description.bits_stored, shift if precision > description.high_bit else 0


def _unsigned(words: Pixels, bits: int) -> Pixels:
    unsigned: Pixels = words.view(f"u{words.dtype.itemsize}")
    width = words.dtype.itemsize * 8
    if bits >= width:
        return unsigned
    masked: Pixels = unsigned & unsigned.dtype.type((1 << bits) - 1)
    return masked


def _signed(words: Pixels, bits: int, shift: int) -> Pixels:
    width = words.dtype.itemsize * 8
    kind = np.dtype(f"i{words.dtype.itemsize}")
    signed: Pixels = words.view(kind)
    if bits == width:
        return signed
    raised: Pixels = signed << kind.type(width - bits - shift)
    lowered: Pixels = raised >> kind.type(width - bits)
    return lowered


def containers(words: Pixels, precision: int, description: PixelDescription) -> Pixels:
    """Words of Bits Allocated: those that a codec kept whole as they are, else made of the values (High Bit)."""
    if description.is_float or description.bits_allocated == 1:
        return words
    size = description.bits_allocated // 8
    if precision > description.bits_stored and words.dtype.kind == "u":
        return words.astype(f"u{size}", copy=False)
    found = values(words, precision, description)
    found = found.astype(f"{found.dtype.kind}{size}", copy=False)
    shift = description.high_bit + 1 - description.bits_stored
    if not shift:
        return found
    raised: Pixels = found << found.dtype.type(shift)
    return raised


def require_only_values(words: Pixels, description: PixelDescription) -> None:
    """NotAcceptable when words of Bits Allocated hold more than their values, which only whole words keep."""
    if description.bits_stored == description.bits_allocated or description.is_float:
        return
    found = values(words, description.bits_allocated, description)
    shift = description.high_bit + 1 - description.bits_stored
    there = words.view(f"u{words.dtype.itemsize}")
    extended = (found << found.dtype.type(shift)).view(there.dtype)
    if np.array_equal(there, extended):
        return
    if description.is_signed and np.array_equal(there, _unsigned(extended, description.high_bit + 1)):
        return
    raise errors.NotAcceptable("the pixels have more in their words than the bits stored: only whole words keep it")
