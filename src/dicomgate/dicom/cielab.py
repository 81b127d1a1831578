"""Recommended colours, CIELab in 16 bits, as red, green and blue of sRGB (PS3.3 §C.10.7.1.1)."""

from __future__ import annotations

from collections.abc import Sequence

Colour = tuple[int, int, int]


def to_rgb(said: Sequence[float]) -> Colour:
    """The nearest colour that sRGB has; L, a* and b* as they are encoded, from 0 to 65535."""
    light, a, b = said[0] / 65_535 * 100, said[1] / 257 - 128, said[2] / 257 - 128
    height = (light + 16) / 116
    x, y, z = (_cube(height + a / 500) * 0.9642, _cube(height), _cube(height - b / 200) * 0.8249)
    red = 3.1339 * x - 1.6169 * y - 0.4906 * z
    green = -0.9788 * x + 1.9161 * y + 0.0335 * z
    blue = 0.0719 * x - 0.2290 * y + 1.4052 * z
    return _gamma(red), _gamma(green), _gamma(blue)


def _cube(value: float) -> float:
    return value**3 if value > 6 / 29 else 3 * (6 / 29) ** 2 * (value - 4 / 29)


def _gamma(value: float) -> int:
    value = min(max(value, 0.0), 1.0)
    return round(255 * (12.92 * value if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055))
