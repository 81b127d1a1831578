"""A picture that is drawn on: colours over parts of it, as far as they cover its pixels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dicomgate.dicom.cielab import Colour
from dicomgate.pixels.polygons import Alpha, Budget

Picture = NDArray[np.uint8]
_ROUNDING: Final = 2


def is_grey(colour: Colour) -> bool:
    """True for black, white and what is between; roundings of CIELab are no colours."""
    return max(colour) - min(colour) <= _ROUNDING


@dataclass(slots=True)
class Canvas:
    """`adapt`: a colour of sRGB as the picture has it. Grey pictures become coloured with the first colour on them."""

    picture: Picture
    adapt: Callable[[Colour], Colour] = lambda colour: colour
    budget: Budget = field(default_factory=Budget)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.picture.shape[1], self.picture.shape[0]

    def lay(self, alpha: Alpha, left: int, top: int, colour: Colour, opacity: float = 1.0) -> None:
        """A colour where alpha, whose corner lies there, covers pixels; what lies outside is left out."""
        width, height = self.size
        first, upper = max(left, 0), max(top, 0)
        last, lower = min(left + alpha.shape[1], width), min(top + alpha.shape[0], height)
        if first >= last or upper >= lower:
            return
        if self.picture.ndim == 2 and not is_grey(colour):
            self.picture = np.repeat(self.picture[:, :, None], 3, axis=2)
        elif not self.picture.flags.writeable:
            self.picture = self.picture.copy()
        part = alpha[upper - top : lower - top, first - left : last - left]
        rows = np.flatnonzero(part.any(axis=1))
        if not len(rows):
            return
        upper, part = upper + int(rows[0]), part[rows[0] : rows[-1] + 1]
        _blend(self.picture[upper : upper + len(part), first:last], part, self._levels(colour), opacity)

    def _levels(self, colour: Colour) -> NDArray[np.int32]:
        if self.picture.ndim == 2:
            return np.array(colour[1], np.int32)
        return np.array(self.adapt(colour), np.int32)


def _blend(part: Picture, alpha: Alpha, levels: NDArray[np.int32], opacity: float) -> None:
    share = np.rint(alpha * (opacity * 256 / 255)).astype(np.int32)
    share = share[:, :, None] if part.ndim == 3 else share
    below = part.astype(np.int32)
    part[...] = below + (((levels - below) * share + 128) >> 8)
