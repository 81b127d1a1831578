"""How much of each pixel polygons cover: exactly along a row, by four lines down a pixel.

Work is counted before it is done: polygons come from strangers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dicomgate import errors

Points = NDArray[np.float64]
"""Points, columns and rows; of several polygons of as many corners each in a third dimension before these."""
Alpha = NDArray[np.uint8]

_LINES: Final = 4
_AT_ONCE: Final = 1 << 20
_MOST: Final = 1 << 25
_CORNER: Final = 60
"""Of 255: a pixel that has a right-angled corner in its middle is covered by a quarter."""
_SIDES: Final = 10
"""Of what stands for a round end."""


@dataclass(slots=True)
class Budget:
    """What may still be done: `crossings` of an edge and a line, and `pixels` looked at."""

    crossings: int = _MOST
    pixels: int = 1 << 28

    def take(self, *, crossings: int = 0, pixels: int = 0) -> None:
        """TooLarge when that is more than is left."""
        self.crossings -= crossings
        self.pixels -= pixels
        if self.crossings < 0 or self.pixels < 0:
            raise errors.TooLarge("graphics of more and longer lines than are drawn")


def inside(polygon: Points, size: tuple[int, int], budget: Budget | None = None) -> NDArray[np.bool_]:
    """The pixels within a polygon whose corners are the middles of pixels, and those on its border."""
    return np.asarray(cover([polygon[None]], size, budget or Budget(), is_even_odd=True) >= _CORNER, np.bool_)


def cover(polygons: Sequence[Points], size: tuple[int, int], budget: Budget, *, is_even_odd: bool = False) -> Alpha:
    """From 0 to 255, how much of each pixel of an area of this width and height lies within.

    All polygons together; by even and odd, or, of polygons that go the same way around, within any. The faults of
    `Budget.take`.
    """
    width, height = size
    budget.take(pixels=width * height)
    edges = np.concatenate([_edges(one) for one in polygons]) if polygons else np.empty((0, 4))
    edges = edges[edges[:, 1] != edges[:, 3]]
    count = int(_lines(edges, 0, height)[1].sum())
    budget.take(crossings=count)
    out: Alpha = np.zeros((height, width), np.uint8)
    step = max(min(height * _AT_ONCE // max(count, 1), _AT_ONCE // width), 1)
    for first in range(0, height, step):
        last = min(first + step, height)
        out[first:last] = _band(edges, width, first, last, is_even_odd=is_even_odd)
    return out


def stroke(line: Points, width: float, *, is_round: bool = True) -> list[Points]:
    """The polygons that are a line of some width, all the same way around."""
    first, last = line[:-1], line[1:]
    steps = last - first
    lengths = np.hypot(steps[:, 0], steps[:, 1])
    is_long = lengths > 0
    first, last, steps, lengths = first[is_long], last[is_long], steps[is_long], lengths[is_long]
    aside = np.stack([-steps[:, 1], steps[:, 0]], axis=1) / lengths[:, None] * (width / 2)
    quads = np.stack([first + aside, last + aside, last - aside, first - aside], axis=1)
    return [quads, *([discs(line, width / 2)] if is_round else [])]


def discs(centres: Points, radius: float, sides: int = _SIDES) -> Points:
    """What is round about each point."""
    angles = np.arange(sides) * (2 * np.pi / sides)
    around = np.stack([np.cos(angles), -np.sin(angles)], axis=1) * radius
    return np.asarray(centres[:, None, :] + around[None], np.float64)


def _edges(polygons: Points) -> NDArray[np.float64]:
    return np.concatenate([polygons, np.roll(polygons, -1, axis=1)], axis=2).reshape(-1, 4)


def _lines(edges: NDArray[np.float64], first: int, last: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The first line between two rows that each edge crosses, and how many."""
    upper = np.ceil(np.minimum(edges[:, 1], edges[:, 3]) * _LINES - 0.5)
    lower = np.ceil(np.maximum(edges[:, 1], edges[:, 3]) * _LINES - 0.5)
    begins = np.clip(upper, first * _LINES, last * _LINES).astype(np.int64)
    ends = np.clip(lower, first * _LINES, last * _LINES).astype(np.int64)
    return begins, ends - begins


def _band(edges: NDArray[np.float64], width: int, first: int, last: int, *, is_even_odd: bool) -> Alpha:
    begins, counts = _lines(edges, first, last)
    which = np.repeat(np.arange(len(edges)), counts)
    lines = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(begins, counts)
    crossed = edges[which]
    slopes = (crossed[:, 2] - crossed[:, 0]) / (crossed[:, 3] - crossed[:, 1])
    places = np.clip(crossed[:, 0] + ((lines + 0.5) / _LINES - crossed[:, 1]) * slopes, 0, width)
    ways = np.where(crossed[:, 3] > crossed[:, 1], 1, -1)
    order = np.lexsort((places, lines))
    lines, places, ways = lines[order], places[order], ways[order]
    within = np.arange(1, len(lines) + 1) % 2 != 0 if is_even_odd else np.cumsum(ways) != 0
    begins_span = within[:-1] & (lines[:-1] == lines[1:])
    rows = lines[:-1][begins_span] // _LINES - first
    shares = _step(rows, places[:-1][begins_span], width, last - first)
    shares -= _step(rows, places[1:][begins_span], width, last - first)
    covered = np.cumsum(shares.reshape(last - first, width + 2), axis=1)[:, :width]
    return np.asarray(np.clip(covered * (255 / _LINES) + 0.5, 0, 255), np.uint8)


def _step(rows: NDArray[np.int64], places: NDArray[np.float64], width: int, height: int) -> NDArray[np.float64]:
    """What, summed along the rows, is 1 from each place on."""
    whole = places.astype(np.int64)
    part = places - whole
    at = rows * (width + 2) + whole
    size = height * (width + 2)
    return np.asarray(np.bincount(at, 1 - part, size) + np.bincount(at + 1, part, size), np.float64)
