"""Texts of a presentation state written into a picture, in their box or beside their point (PS3.3 §C.10.5.1.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image, ImageDraw

from dicomgate.pixels import marking, polygons, writing_text
from dicomgate.pixels.canvas import Canvas
from dicomgate.pixels.placing import Placing
from dicomgate.pixels.polygons import Alpha, Points
from dicomgate.pixels.pose import Label, Place, Shadow

_SMALLEST, _LARGEST = 9, 48
_PART: Final = 30
"""Lines of text that a picture's height has room for, where no box says how large they are."""
_LEADING: Final = 1.25
_GAP: Final = 6
"""Pixels between a point and its text."""
_FARTHEST: Final = 100_000.0
_BOLD: Final = 14
"""Of how many pixels of a letter's height one makes it bold."""
_BRIGHT: Final = 96
_EDGE: Final = 0.6
"""How much of what is below an edge hides."""
_SHARES: Final = {"LEFT": 0.0, "TOP": 0.0, "CENTER": 0.5, "RIGHT": 1.0, "BOTTOM": 1.0}


def draw(canvas: Canvas, label: Label, placing: Placing) -> None:
    """One text, its shadow and the line to its point, unless nothing of it would be seen."""
    box = None if label.box is None else _place(label.box, placing, is_display=label.is_box_display)
    point = None if label.anchor is None else _place(label.anchor, placing, is_display=label.is_anchor_display)
    if not label.lines or not (_is_seen(box, canvas.size) or _is_seen(point, canvas.size)):
        return
    lines = [writing_text.choose((line,)) for line in label.lines]
    quarters = 0 if box is None else _quarters(box, placing)
    writer = _Writer(label, quarters, lines, _fit(lines, box, quarters, canvas.size))
    block = writer.write()
    left, top = writer.corner(block.shape, box, point, canvas.size)
    if label.is_anchor_visible and point is not None:
        _lead(canvas, label, (left, top, left + block.shape[1], top + block.shape[0]), point)
    if label.shadow is not None:
        is_display = label.is_box_display if point is None else label.is_anchor_display
        offset = marking.offset_of(label.shadow.offset, placing, is_display=is_display)
        _throw(canvas, writer, label.shadow, offset, (left, top))
    else:
        _edge(canvas, writer, (left, top))
    canvas.budget.take(pixels=block.size)
    canvas.lay(block, left, top, label.colour)


def _place(said: tuple[float, ...], placing: Placing, *, is_display: bool) -> Points:
    points = np.array(said, np.float64).reshape(-1, 2)
    found = placing.from_area(points) if is_display else placing.from_image(points)
    return np.asarray(np.clip(found, -_FARTHEST, _FARTHEST), np.float64)


def _is_seen(corners: Points | None, size: tuple[int, int]) -> bool:
    if corners is None:
        return False
    least, most = corners.min(axis=0), corners.max(axis=0)
    return bool(most[0] >= 0 and most[1] >= 0 and least[0] <= size[0] and least[1] <= size[1])


def _quarters(box: Points, placing: Placing) -> int:
    """How the text is turned, so that it goes from the first corner to the last; one that is mirrored alone is not."""
    goes_left, goes_up = (bool(step < 0) for step in box[1] - box[0])
    if placing.pose.quarters % 2:
        return 3 if goes_up else int(goes_left)
    return 2 if goes_left and goes_up else 0


def _fit(lines: list[tuple[str, str]], box: Points | None, quarters: int, size: tuple[int, int]) -> int:
    """How high letters are: as the box has room for, within what can be read and what is not too much."""
    usual = min(max(size[1] // _PART, _SMALLEST), _LARGEST)
    if box is None:
        return usual
    width, height = np.abs(box[1] - box[0])[:: -1 if quarters % 2 else 1]
    longest = max(writing_text.open_font(path, _LARGEST).getlength(text) for text, path in lines)
    fitting = min(float(height) / (len(lines) * _LEADING), _LARGEST * float(width) / max(longest, 1.0))
    return int(min(max(fitting, _SMALLEST), usual * 2, _LARGEST))


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes the lines of a label, each with the font that can write it, turned clockwise by so many quarters."""

    label: Label
    quarters: int
    lines: list[tuple[str, str]]
    size: int

    def write(self, around: int = 0) -> Alpha:
        """What the letters cover, with so many pixels around each."""
        size = self.size
        fonts = [writing_text.open_font(path, size) for _, path in self.lines]
        widths = [font.getlength(text) for (text, _), font in zip(self.lines, fonts, strict=True)]
        stroke = around + (max(size // _BOLD, 1) if self.label.is_bold else 0)
        step = max(round(size * _LEADING), size + 1)
        image = Image.new("L", (int(max(widths)) + 2 * stroke + 2, step * len(self.lines) + 2 * stroke))
        pencil = ImageDraw.Draw(image)
        share = _SHARES.get(self.label.horizontal, 0.0)
        for number, ((text, _), font, width) in enumerate(zip(self.lines, fonts, widths, strict=True)):
            left, top = stroke + 1 + (max(widths) - width) * share, stroke + number * step
            pencil.text((left, top), text, 255, font, stroke_width=stroke)
            if self.label.is_underlined:
                thick = max(size // _BOLD, 1)
                pencil.rectangle((left, top + size + thick, left + width, top + size + 2 * thick - 1), 255)
        return np.ascontiguousarray(np.rot90(np.asarray(image), -self.quarters))

    def corner(
        self, shape: tuple[int, ...], box: Points | None, point: Points | None, size: tuple[int, int]
    ) -> tuple[int, int]:
        """Where the upper left corner of what is written goes: into its box, or beside its point, in the picture."""
        height, width = shape[:2]
        if box is not None:
            across, down = _SHARES.get(self.label.horizontal, 0.0), _SHARES.get(self.label.vertical, 0.0)
            for _ in range(self.quarters):
                across, down = 1 - down, across
            room = np.abs(box[1] - box[0]) - (width, height)
            left, top = box.min(axis=0) + room * (across, down)
        else:
            assert point is not None, "a text has a box or a point"
            left, top = point[0] + (_GAP, -_GAP - height)
        return round(max(min(float(left), size[0] - width), 0)), round(max(min(float(top), size[1] - height), 0))


def _lead(canvas: Canvas, label: Label, block: tuple[int, int, int, int], point: Points) -> None:
    """A line from the text to its point, which is marked."""
    nearest = np.clip(point, block[:2], block[2:])
    width = marking.thin(canvas.size)
    shapes = [*polygons.stroke(np.concatenate([nearest, point]), width), polygons.discs(point, width * 2)]
    marking.lay(canvas, shapes, label.colour)


def _edge(canvas: Canvas, writer: _Writer, corner: tuple[int, int]) -> None:
    """A thin edge, so that letters can be read on what is as bright as they are."""
    around = max(writer.size // _BOLD, 1)
    edge = (0, 0, 0) if max(writer.label.colour) >= _BRIGHT else (255, 255, 255)
    block = writer.write(around)
    canvas.budget.take(pixels=block.size)
    canvas.lay(block, corner[0] - around, corner[1] - around, edge, _EDGE)


def _throw(canvas: Canvas, writer: _Writer, shadow: Shadow, offset: Place, corner: tuple[int, int]) -> None:
    around = min(round(float(np.hypot(*offset))), writer.size // 2) if shadow.is_outline else 0
    left, top = (-around, -around) if shadow.is_outline else (round(offset[0]), round(offset[1]))
    block = writer.write(around)
    canvas.budget.take(pixels=block.size)
    canvas.lay(block, corner[0] + left, corner[1] + top, shadow.colour, shadow.opacity)
