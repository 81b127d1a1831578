"""Graphics drawn into a picture: points, lines, curves, circles and ellipses (PS3.3 §C.10.5.1.2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dicomgate.dicom.cielab import Colour
from dicomgate.pixels import polygons
from dicomgate.pixels.canvas import Canvas
from dicomgate.pixels.placing import Placing
from dicomgate.pixels.polygons import Alpha, Points
from dicomgate.pixels.pose import Mark, Place

_PART: Final = 400
"""Thin lines that a picture's shorter side has room for."""
_THICKEST: Final = 256.0
_POINT: Final = 2.5
"""How many lines wide a point is."""
_FARTHEST: Final = 100_000.0
"""Pixels from the picture beyond which nobody sees where something lies."""
_CURVE: Final = 24
"""Steps of a curve from point to point."""
_ROUND: Final = (24, 720)
_MOST_DASHES: Final = 20_000
_BITS: Final = 32
_TILE: Final = 256
_MOST_PIECES: Final = 50_000


Box = tuple[int, int, int, int]


def draw(canvas: Canvas, mark: Mark, placing: Placing) -> None:
    """One graphic: its shadow, what it is filled with, its line. TooLarge when the canvas has no patience for it."""
    line = outline(mark, placing)
    if not len(line):
        return
    width = _thickness(mark, placing)
    if mark.shadow is not None:
        across, down = offset_of(mark.shadow.offset, placing, is_display=mark.is_display)
        spread = 2 * float(np.hypot(across, down)) if mark.shadow.is_outline else 0.0
        moved = line if mark.shadow.is_outline else line + np.array([across, down])
        lay(canvas, _shapes(mark, moved, min(width + spread, _THICKEST)), mark.shadow.colour, mark.shadow.opacity)
    if mark.is_filled and mark.kind != "POINT":
        _fill(canvas, mark, line)
    if mark.dashes is None or mark.kind == "POINT":
        lay(canvas, _shapes(mark, line, width), mark.colour, mark.opacity)
        return
    on, off = _dashed(line, mark.dashes, width)
    if mark.gap is not None:
        lay(canvas, _pieces(off, width), mark.gap, mark.gap_opacity)
    lay(canvas, _pieces(on, width), mark.colour, mark.opacity)


def outline(mark: Mark, placing: Placing) -> Points:
    """The line of a graphic in pixels of the picture; none when it has too few points."""
    said = np.array(mark.points[: len(mark.points) // 2 * 2], np.float64).reshape(-1, 2)
    points = np.clip(placing.from_area(said) if mark.is_display else placing.from_image(said), -_FARTHEST, _FARTHEST)
    match mark.kind:
        case "POINT":
            return points[:1]
        case "CIRCLE" if len(points) >= 2:
            radius = float(np.hypot(*(points[1] - points[0])))
            return _around(points[0], np.array([radius, 0.0]), np.array([0.0, radius]))
        case "ELLIPSE" if len(points) >= 4:
            middle = points[:2].mean(axis=0)
            return _around(middle, (points[1] - points[0]) / 2, (points[3] - points[2]) / 2)
        case "INTERPOLATED" if len(points) > 2:
            return _curve(points)
        case "POLYLINE" | "INTERPOLATED" if len(points) >= 2:
            return points
    return points[:0]


def thin(size: tuple[int, int]) -> float:
    """How wide a line is of which nothing is said."""
    return max(min(size) / _PART, 1.0)


def _thickness(mark: Mark, placing: Placing) -> float:
    if mark.thickness is None:
        return thin(placing.size)
    said, _ = offset_of((mark.thickness, 0.0), placing, is_display=mark.is_display)
    return max(said, 1.0)


def offset_of(offset: Place, placing: Placing, *, is_display: bool) -> Place:
    """A distance in pixels of the picture; who counts pixels where parts of the area are meant gets pixels."""
    is_part = is_display and max(map(abs, offset)) < 1
    scales = placing.pose.size if is_part else (1.0, 1.0) if is_display else (placing.scale, placing.scale)
    most = _THICKEST / 2
    return max(min(offset[0] * scales[0], most), -most), max(min(offset[1] * scales[1], most), -most)


def _shapes(mark: Mark, line: Points, width: float) -> list[Points]:
    if mark.kind == "POINT":
        return [polygons.discs(line, max(width * _POINT, 1.5), _ROUND[0])]
    # Of what is round anyway the corners are too blunt to be seen.
    return polygons.stroke(_short(line), width, is_round=mark.kind not in {"CIRCLE", "ELLIPSE"})


def _short(line: Points) -> Points:
    """The line with more points on it, so that no piece of it is long; one of very many points as it is."""
    steps = np.diff(line, axis=0)
    counts = np.maximum(np.ceil(np.hypot(steps[:, 0], steps[:, 1]) / _TILE), 1).astype(np.int64)
    if counts.max() == 1 or counts.sum() > _MOST_PIECES:
        return line
    which = np.repeat(np.arange(len(counts)), counts)
    place = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)
    made = line[which] + steps[which] * (place / counts[which])[:, None]
    return np.concatenate([made, line[-1:]])


def _pieces(lines: list[Points], width: float) -> list[Points]:
    return [shape for line in lines for shape in polygons.stroke(line, width, is_round=False)]


def lay(canvas: Canvas, shapes: list[Points], colour: Colour, opacity: float = 1.0) -> None:
    """Shapes that go the same way around, in a colour. TooLarge when the canvas has no patience for them."""
    joined = _joined(shapes)
    found = _bounds(canvas, joined)
    if found is None:
        return
    for tile in _tiles(*found):
        touching = [_touching(shape, tile) for shape in joined]
        alpha = _cover(canvas, touching, tile, is_even_odd=False)
        if alpha is not None:
            canvas.lay(alpha, tile[0], tile[1], colour, opacity)


def _fill(canvas: Canvas, mark: Mark, line: Points) -> None:
    box = _bounds(canvas, [line[None]])
    alpha = None if box is None else _cover(canvas, [line[None]], box, is_even_odd=True)
    if alpha is None or box is None:
        return
    left, top = box[:2]
    colour = mark.fill or mark.colour
    if not mark.texture:
        canvas.lay(alpha, left, top, colour, mark.fill_opacity)
        return
    set_here = _texture(mark.texture, alpha.shape, left, top)
    if mark.fill_ground is not None:
        canvas.lay(np.where(set_here, np.uint8(0), alpha), left, top, mark.fill_ground, mark.fill_ground_opacity)
    canvas.lay(np.where(set_here, alpha, np.uint8(0)), left, top, colour, mark.fill_opacity)


def _texture(rows: Sequence[int], shape: tuple[int, ...], left: int, top: int) -> NDArray[np.bool_]:
    """A pattern of 32 rows of 32 pixels of the picture, again and again."""
    words = np.array(rows, np.int64)
    bits = (words[:, None] >> np.arange(_BITS - 1, -1, -1)) & 1
    down, across = (np.arange(shape[0]) + top) % _BITS, (np.arange(shape[1]) + left) % _BITS
    return np.asarray(bits[down[:, None], across[None, :]], np.bool_)


def _joined(shapes: list[Points]) -> list[Points]:
    """The same, those of as many corners together."""
    corners = sorted({shape.shape[1] for shape in shapes if shape.size})
    return [np.concatenate([shape for shape in shapes if shape.size and shape.shape[1] == one]) for one in corners]


def _bounds(canvas: Canvas, shapes: list[Points]) -> Box | None:
    """Left, top, right and bottom of what the shapes may cover of the picture; None where that is nothing."""
    if not any(shape.size for shape in shapes):
        return None
    least = np.min([shape.min(axis=(0, 1)) for shape in shapes], axis=0)
    most = np.max([shape.max(axis=(0, 1)) for shape in shapes], axis=0)
    left, top = (max(int(np.floor(place)), 0) for place in least)
    right, bottom = (min(int(np.ceil(place)), side) for place, side in zip(most, canvas.size, strict=True))
    return (left, top, right, bottom) if left < right and top < bottom else None


def _tiles(left: int, top: int, right: int, bottom: int) -> Iterator[Box]:
    """Large areas in pieces: of most of them a line covers nothing."""
    side = _TILE if (right - left) * (bottom - top) > _TILE * _TILE * 2 else max(right - left, bottom - top)
    for row in range(top, bottom, side):
        for column in range(left, right, side):
            yield column, row, min(column + side, right), min(row + side, bottom)


def _touching(shape: Points, tile: Box) -> Points:
    least, most = shape.min(axis=1), shape.max(axis=1)
    is_near = (most > tile[:2]).all(axis=1) & (least < tile[2:]).all(axis=1)
    return np.asarray(shape[is_near], np.float64)


def _cover(canvas: Canvas, shapes: list[Points], box: Box, *, is_even_odd: bool) -> Alpha | None:
    left, top, right, bottom = box
    moved = [shape - (left, top) for shape in shapes if shape.size]
    if not moved:
        return None
    return polygons.cover(moved, (right - left, bottom - top), canvas.budget, is_even_odd=is_even_odd)


def _around(middle: Points, first: Points, second: Points) -> Points:
    """An ellipse by its middle and two half axes, closed."""
    length = 2 * np.pi * max(float(np.hypot(*first)), float(np.hypot(*second)))
    steps = int(min(max(length / 3, _ROUND[0]), _ROUND[1]))
    angles = np.linspace(0, 2 * np.pi, steps + 1)[:, None]
    return np.asarray(middle + first * np.cos(angles) + second * np.sin(angles), np.float64)


def _curve(points: Points) -> Points:
    """A smooth line through all of the points; closed where the last is the first."""
    is_closed = bool((points[0] == points[-1]).all())
    before = points[-2] if is_closed else 2 * points[0] - points[1]
    after = points[1] if is_closed else 2 * points[-1] - points[-2]
    every = np.concatenate([before[None], points, after[None]])
    first, start, end, last = (every[place : len(every) - 3 + place, None] for place in range(4))
    longest = float(np.hypot(*np.diff(points, axis=0).T).max())
    share = np.linspace(0, 1, int(min(max(longest / 3, 2), _CURVE)) + 1)[None, :-1, None]
    made = 0.5 * (
        2 * start
        + (end - first) * share
        + (2 * first - 5 * start + 4 * end - last) * share**2
        + (3 * start - first - 3 * end + last) * share**3
    )
    return np.concatenate([made.reshape(-1, 2), points[-1:]])


def _dashed(line: Points, pattern: int, width: float) -> tuple[list[Points], list[Points]]:
    """The pieces of a line where bits of the pattern are set, and those between; a bit is a line's width long."""
    steps = np.hypot(*np.diff(line, axis=0).T)
    ends = np.concatenate([[0.0], np.cumsum(steps)])
    total = float(ends[-1])
    unit = max(width, 1.0)
    if total / unit > _MOST_DASHES or total == 0:
        return [line], []
    bits = [pattern >> (_BITS - 1 - place) & 1 for place in range(_BITS)]
    on: list[Points] = []
    off: list[Points] = []
    count = int(np.ceil(total / unit))
    begin = 0
    for place in range(1, count + 1):
        if place < count and bits[place % _BITS] == bits[begin % _BITS]:
            continue
        piece = _part(line, ends, begin * unit, min(place * unit, total))
        (on if bits[begin % _BITS] else off).append(piece)
        begin = place
    return on, off


def _part(line: Points, ends: NDArray[np.float64], begin: float, end: float) -> Points:
    inner = line[(ends > begin) & (ends < end)]
    corners = [np.array([[np.interp(at, ends, line[:, 0]), np.interp(at, ends, line[:, 1])]]) for at in (begin, end)]
    return np.concatenate([corners[0], inner, corners[1]])
