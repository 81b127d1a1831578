"""Which part of a frame is shown, and how large (PS3.18 §8.3.5.1.3, §9.5.1.2.5)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from dicomgate import errors
from dicomgate.dicom.pixel_description import PixelDescription
from dicomgate.dicom.presentation import Presentation, Region, Viewport

LARGEST_SIDE: Final = 8192
"""Pixels of a side of a viewport."""
LARGEST: Final = 1 << 25
"""Pixels of a picture that is made larger than it is."""


@dataclass(frozen=True, slots=True)
class Extent:
    """A part of a frame (left, top, right, bottom), whether it is flipped, and width and height of the picture."""

    box: tuple[int, int, int, int]
    flips: tuple[bool, bool]
    size: tuple[int, int]


def measure(description: PixelDescription, wanted: Presentation, pixel: tuple[float, float]) -> Extent:
    """The part and the size that are wanted; without a viewport one pixel stays one pixel.

    `pixel`: height and width of one. Malformed when the part lies outside, or the size is beyond what is made.
    """
    columns, rows = description.columns, description.rows
    box = (
        (0, 0, columns, rows)
        if wanted.region is None
        else _inside(_of_region(wanted.region, columns, rows), box_of(description))
    )
    viewport = wanted.viewport
    if viewport is None:
        return Extent(box, (False, False), (box[2] - box[0], box[3] - box[1]))
    if not (1 <= viewport.width <= LARGEST_SIDE and 1 <= viewport.height <= LARGEST_SIDE):
        raise errors.Malformed(f"a viewport has 1 to {LARGEST_SIDE} pixels a side")
    flips = ((viewport.source_width or 1) < 0, (viewport.source_height or 1) < 0)
    shown = _inside(_of_viewport(viewport, box), box)
    return Extent(shown, flips, _fit(shown, viewport, pixel))


def box_of(description: PixelDescription) -> tuple[int, int, int, int]:
    """All of it."""
    return 0, 0, description.columns, description.rows


def _of_viewport(viewport: Viewport, box: tuple[int, int, int, int]) -> tuple[float, float, float, float]:
    left, top = box[0] + viewport.x, box[1] + viewport.y
    right = box[2] if viewport.source_width is None else left + abs(viewport.source_width)
    bottom = box[3] if viewport.source_height is None else top + abs(viewport.source_height)
    return left, top, right, bottom


def _of_region(region: Region, columns: int, rows: int) -> tuple[float, float, float, float]:
    return region.left * columns, region.top * rows, region.right * columns, region.bottom * rows


def _inside(part: tuple[float, float, float, float], box: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    """The whole pixels of a part that lie within."""
    left, top = max(math.floor(part[0]), box[0]), max(math.floor(part[1]), box[1])
    right, bottom = min(math.ceil(part[2]), box[2]), min(math.ceil(part[3]), box[3])
    if left >= right or top >= bottom:
        raise errors.Malformed("the part that is asked for lies outside of the picture")
    return left, top, right, bottom


def _fit(box: tuple[int, int, int, int], viewport: Viewport, pixel: tuple[float, float]) -> tuple[int, int]:
    """As large as goes into the viewport, in the proportions of what it shows; at least one pixel of each."""
    width, height = (box[2] - box[0]) * pixel[1], (box[3] - box[1]) * pixel[0]
    scale = min(viewport.width / width, viewport.height / height)
    size = max(min(round(width * scale), viewport.width), 1), max(min(round(height * scale), viewport.height), 1)
    if size[0] * size[1] > max(LARGEST, (box[2] - box[0]) * (box[3] - box[1])):
        raise errors.Malformed(f"a picture is made larger up to {LARGEST} pixels")
    return size
