"""One measure of quality, 1 to 100, in each codec's own terms; 90 is what nobody sees a loss in at usual windows.

More bits a sample are looked at through narrower windows: the error that is allowed grows more slowly than the range.
"""

from __future__ import annotations

import math

DEFAULT = 90
_NARROWING = 0.75
"""Of each bit beyond eight, how much goes into precision instead of into a larger error."""


def decibels(quality: int, bits: int) -> float:
    """Peak signal-to-noise ratio: about what JPEG of this quality has at eight bits, more with more bits."""
    return 30 + quality / 5 + 20 * math.log10(2) * _NARROWING * max(bits - 8, 0)


def step(quality: int, bits: int, coded_bits: int) -> float:
    """The step of a uniform quantiser that gives `decibels`, as a part of the range that is coded."""
    error = 10 ** (-decibels(quality, bits) / 20) * math.sqrt(12)
    return min(error / (1 << (coded_bits - bits)), 0.5)


def distance(quality: int, bits: int) -> float:
    """The distance of JPEG XL."""
    return max((0.1 + (100 - quality) * 0.09) / 2 ** (_NARROWING * max(bits - 8, 0)), 0.01)


def nearness(quality: int, bits: int) -> int:
    """The largest error of JPEG-LS near-lossless, at least 1."""
    return min(max(round((100 - quality) / 5 * 2 ** ((1 - _NARROWING) * max(bits - 8, 0))), 1), 255)
