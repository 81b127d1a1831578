"""Which part of an image a presentation state shows, how it lies and how large it is (PS3.3 §C.10.4, §C.10.6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from dicomgate import errors
from dicomgate.dicom import state_references
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.presentation import Region, Viewport

LARGEST_SIDE: Final = 8192
"""Pixels of a side of a picture."""
LARGEST: Final = 1 << 25
"""Pixels of a picture that is larger than its image."""

_ROTATION, _FLIP = "00700042", "00700041"
_AREAS, _FIRST, _LAST = "0070005A", "00700052", "00700053"
_MODE, _RATIO = "00700100", "00700103"
_SPACING, _ASPECT = "00700101", "00700102"
_ORIGIN: Final = "00480301"
_FARTHEST: Final = (1 << 31) - 1
_MOST_UNLIKE: Final = 50
"""How many times one side of a pixel may be longer than the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Width and height of all of an area, where the picture begins in it, and width and height of the picture."""

    whole: tuple[int, int]
    origin: tuple[int, int]
    size: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class DisplayedArea:
    """A part of an image as it is shown.

    `box`: left, top, right and bottom edge in pixels of the image from 0, which may lie beyond the image. It is turned
    clockwise by so many quarters, then flipped from left to right. `pixel`: height and width of a pixel of the image,
    of which the proportion counts. `magnification`: how many pixels of the picture the shorter side of a pixel becomes.
    """

    box: tuple[int, int, int, int]
    quarters: int = 0
    is_flipped: bool = False
    pixel: tuple[float, float] = (1.0, 1.0)
    magnification: float | None = None

    def measure(self, viewport: Viewport | None, region: Region | None = None) -> Measured:
        """How large it is shown (PS3.18 §8.3.5.1.6), and of a region of it how large that is (§9.5.1.2.5).

        An area fits into the viewport, or where there is none no pixel of it becomes smaller; one that is magnified is
        cut by the viewport instead. Pictures are never larger than LARGEST_SIDE and LARGEST allow.
        """
        part = region or Region(0, 0, 1, 1)
        width, height = self._shown()
        inner = width * (part.right - part.left), height * (part.bottom - part.top)
        most = (LARGEST_SIDE, LARGEST_SIDE) if viewport is None else (viewport.width, viewport.height)
        if self.magnification is None:
            scale = min(most[0] / inner[0], most[1] / inner[1], (LARGEST / (inner[0] * inner[1])) ** 0.5)
            scale = min(scale, 1.0) if viewport is None else scale
            size = _rounded(inner[0] * scale, inner[1] * scale)
        else:
            scale = self.magnification
            size = _rounded(min(inner[0] * scale, most[0]), min(inner[1] * scale, most[1]))
            size = size[0], max(min(size[1], LARGEST // size[0]), 1)
        return Measured(
            whole=_rounded(width * scale, height * scale),
            origin=(round(part.left * width * scale), round(part.top * height * scale)),
            size=size,
        )

    def inside(self, image: JSONDataset) -> tuple[int, int, int, int]:
        """The part of it that lies in the image."""
        left, top, right, bottom = self.box
        return max(left, 0), max(top, 0), min(right, _whole(image, "00280011")), min(bottom, _whole(image, "00280010"))

    def _shown(self) -> tuple[float, float]:
        """Width and height after it was turned, in pixels as long as the shorter side of one of the image."""
        unit = min(self.pixel)
        width = (self.box[2] - self.box[0]) * self.pixel[1] / unit
        height = (self.box[3] - self.box[1]) * self.pixel[0] / unit
        return (height, width) if self.quarters % 2 else (width, height)


def read(image: JSONDataset, state: JSONDataset, frame: int, pixel: tuple[float, float]) -> DisplayedArea:
    """What a state shows of a frame; `pixel`: height and width of the image's pixels, where the state does not say.

    NotAcceptable for a turn that is no quarter, and where nothing of the image would be seen.
    """
    turn = _whole(state, _ROTATION) % 360
    if turn % 90:
        raise errors.NotAcceptable(f"the presentation state turns the image by {turn} degrees, which is no quarter")
    rows, columns = _whole(image, "00280010"), _whole(image, "00280011")
    items = state_references.items_about(state, _AREAS, image, frame)
    area: JSONDataset = next(items, {})
    box = _box(area, rows, columns)
    if box[0] >= columns or box[1] >= rows or box[2] <= 0 or box[3] <= 0:
        raise errors.NotAcceptable("the displayed area of the presentation state is outside the image")
    return DisplayedArea(
        box=box,
        quarters=turn // 90,
        is_flipped=_text(state, _FLIP) == "Y",
        pixel=_pixel(area) or pixel,
        magnification=_magnification(area),
    )


def _box(area: JSONDataset, rows: int, columns: int) -> tuple[int, int, int, int]:
    """The corners are those after it was turned, so that the first may lie to the right of the last, or below it."""
    said = _values(area, _FIRST) + _values(area, _LAST)
    is_frame = _text(area, _ORIGIN) != "VOLUME"
    if not is_frame or len(said) != 4 or not all(isinstance(corner, int) for corner in said):
        return 0, 0, columns, rows
    bounded = [min(max(corner, -_FARTHEST), _FARTHEST) for corner in said]
    (left, right), (top, bottom) = sorted(bounded[::2]), sorted(bounded[1::2])
    return left - 1, top - 1, right, bottom


def is_of_matrix(area: JSONDataset) -> bool:
    """True for corners in the matrix of all tiles of a slide, which says nothing of one frame."""
    return _text(area, _ORIGIN) == "VOLUME"


def _pixel(area: JSONDataset) -> tuple[float, float] | None:
    for tag in (_SPACING, _ASPECT):
        said = _values(area, tag)
        if len(said) == 2 and all(isinstance(side, int | float) and side > 0 for side in said):
            height, width = float(said[0]), float(said[1])
            return (height, width) if 1 / _MOST_UNLIKE <= height / width <= _MOST_UNLIKE else None
    return None


def _magnification(area: JSONDataset) -> float | None:
    ratio = next(iter(_values(area, _RATIO)), 1.0)
    is_sound = isinstance(ratio, int | float) and 0.01 <= ratio <= 100
    return (float(ratio) if is_sound else 1.0) if _text(area, _MODE) == "MAGNIFY" else None


def _rounded(width: float, height: float) -> tuple[int, int]:
    return max(round(width), 1), max(round(height), 1)


def _values(dataset: JSONDataset, tag: str) -> list[Any]:
    return dataset.get(tag, {}).get("Value") or []


def _whole(dataset: JSONDataset, tag: str) -> int:
    value = next(iter(_values(dataset, tag)), 0)
    return value if isinstance(value, int) else 0


def _text(dataset: JSONDataset, tag: str) -> str:
    return str(next(iter(_values(dataset, tag)), ""))
