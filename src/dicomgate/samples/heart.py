"""A beating heart as ultrasound shows it: a sector of speckle, dark chambers, colour where the blood runs."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass

from dicomgate.samples import shapes

COLUMNS, ROWS = 320, 240
_GRID = shapes.Grid(columns=COLUMNS, rows=ROWS, spacing=1.0)
_TOP = -112.0  # where the probe stands
_REACH = 222.0
_HALF_ANGLE = math.radians(38)


def draw(phase: float) -> bytes:
    """One frame in RGB; `phase` from 0 to 1 is one beat."""
    squeeze = 0.5 - 0.5 * math.cos(2 * math.pi * phase)
    flow = math.sin(2 * math.pi * phase)
    walls = _walls(squeeze)
    chambers = _chambers(squeeze)
    picture = bytearray()
    for number in range(ROWS):
        y = _GRID.y(number)
        grey, streams = _row(number, y, walls, chambers, flow)
        row = bytearray(3 * COLUMNS)
        row[0::3] = row[1::3] = row[2::3] = grey
        for stream in streams:
            start = 3 * stream.first + stream.channel
            row[start : start + 3 * len(stream.shades) : 3] = stream.shades
        picture += row
    return bytes(picture)


def _walls(squeeze: float) -> list[shapes.Outline]:
    return _outlines((((2, 24), (74 - 6 * squeeze, 84 - 5 * squeeze), 108),))


def _chambers(squeeze: float) -> list[shapes.Outline]:
    """Left and right ventricle shrink as the atria behind them fill."""
    left, fill = 1 - 0.34 * squeeze, 1 + 0.22 * squeeze
    return _outlines(
        (
            ((26, -6), (25 * left, 42 * left), 14),
            ((-28, -2), (21 * left, 36 * left), 16),
            ((28, 66), (25 * fill, 22 * fill), 14),
            ((-26, 66), (23 * fill, 20 * fill), 14),
        )
    )


def _outlines(table: tuple[tuple[tuple[float, float], tuple[float, float], int], ...]) -> list[shapes.Outline]:
    bodies = (shapes.Ellipsoid((x, y, 0), (a, b, 1), value) for (x, y), (a, b), value in table)
    return [outline for body in bodies if (outline := body.slice(0)) is not None]


@dataclass(frozen=True, slots=True)
class Stream:
    """A run of one row where blood is shown in colour: from a column, in one of the three channels."""

    first: int
    channel: int
    shades: array[int]


def _row(
    number: int, y: float, walls: list[shapes.Outline], chambers: list[shapes.Outline], flow: float
) -> tuple[array[int], list[Stream]]:
    grey = array("B", bytes(COLUMNS))
    streams: list[Stream] = []
    depth = y - _TOP
    if not 3 < depth < _REACH:
        return grey, streams
    half = min(depth * math.tan(_HALF_ANGLE), math.sqrt(_REACH**2 - depth**2))
    sector = _GRID.columns_between(-half, half)
    place = (number * 977) % 3_000
    _fill(grey, sector, 52 - int(depth / 8), 60, place)
    for outline in (*walls, *chambers):
        span = outline.span(y)
        if span is None:
            continue
        low, high = _GRID.columns_between(*span)
        first, last = max(low, sector[0]), min(high, sector[1])
        _fill(grey, (first, last), outline.value, 70 if outline in walls else 18, place)
        if outline in chambers[:1] and last - first > 8:
            streams.append(_stream(first, last, flow, place))
    return grey, streams


def _fill(row: array[int], span: tuple[int, int], value: int, spread: int, place: int) -> None:
    first, last = span
    if first < last:
        row[first:last] = shapes.noise(value, spread, 3, "B")[place + first : place + last]


def _stream(first: int, last: int, flow: float, place: int) -> Stream:
    """Blood toward the probe is red, away from it blue."""
    edge = (last - first) // 4
    shades = shapes.noise(60 + int(150 * abs(flow)), 40, 5, "B")
    return Stream(first + edge, 0 if flow > 0 else 2, shades[place + first + edge : place + last - edge])
