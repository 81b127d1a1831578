"""Pictures from ellipsoids: rows of slices through them, and projections, without any array library."""

from __future__ import annotations

import functools
import math
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

ENDLESS = 1e9
_NOISE_LENGTH = 4096


@dataclass(frozen=True, slots=True)
class Ellipsoid:
    """A body in patient coordinates (mm: x to the left, y to the back, z to the head), drawn over what lies before.

    `value` is what it is made of, `around` what surrounds it; `angle` turns it about z, in degrees.
    """

    centre: tuple[float, float, float]
    half: tuple[float, float, float]
    value: int
    around: int = 0
    angle: float = 0.0

    def slice(self, z: float) -> Outline | None:
        """Its outline in the plane at z."""
        rest = 1.0 - ((z - self.centre[2]) / self.half[2]) ** 2
        return Outline(self, rest) if rest > 0 else None


class Outline:
    """An ellipse in a plane, ready to be asked row by row: A dx² + 2 B dx dy + C dy² = rest."""

    __slots__ = ("_a", "_b", "_c", "_rest", "_x", "_y", "value")

    def __init__(self, body: Ellipsoid, rest: float) -> None:
        cosine, sine = math.cos(math.radians(body.angle)), math.sin(math.radians(body.angle))
        along, across = 1 / body.half[0] ** 2, 1 / body.half[1] ** 2
        self._a = cosine * cosine * along + sine * sine * across
        self._b = cosine * sine * (along - across)
        self._c = sine * sine * along + cosine * cosine * across
        self._rest = rest
        self._x, self._y, _ = body.centre
        self.value = body.value

    def span(self, y: float) -> tuple[float, float] | None:
        """Where the row at y enters and leaves it."""
        dy = y - self._y
        square = (self._b * dy) ** 2 - self._a * (self._c * dy * dy - self._rest)
        if square <= 0:
            return None
        middle, reach = self._x - self._b * dy / self._a, math.sqrt(square) / self._a
        return middle - reach, middle + reach


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """The picture elements of one plane, its centre at the origin: size in elements, spacing in mm."""

    columns: int
    rows: int
    spacing: float

    def y(self, row: int) -> float:
        """The position of a row."""
        return (row - (self.rows - 1) / 2) * self.spacing

    def x(self, column: int) -> float:
        """The position of a column."""
        return (column - (self.columns - 1) / 2) * self.spacing

    def columns_between(self, low: float, high: float) -> tuple[int, int]:
        """The half-open run of columns whose centres lie between two positions."""
        middle = (self.columns - 1) / 2
        first = min(max(math.ceil(low / self.spacing + middle), 0), self.columns)
        last = math.floor(high / self.spacing + middle) + 1
        return first, min(max(last, first), self.columns)


@functools.lru_cache(maxsize=256)
def noise(value: int, spread: int, seed: int = 1, typecode: str = "H") -> array[int]:
    """A run of values around `value`, twice as long as its period, so that any run of a row is one slice of it."""
    state = (seed * 2_654_435_761 + value * 40_503 + spread) & 0xFFFF_FFFF
    run = array(typecode)
    for _ in range(_NOISE_LENGTH):
        total = 0
        for _ in range(3):  # three uniform throws make a fair bell
            state = (state * 1_664_525 + 1_013_904_223) & 0xFFFF_FFFF
            total += state >> 16
        run.append(max(0, value + round((total / 98_304 - 1) * spread)))
    return run + run


def draw_slice(
    bodies: Iterable[Ellipsoid], z: float, grid: Grid, *, background: int, spread: int, typecode: str = "H"
) -> bytes:
    """One slice, row by row; later bodies lie over earlier ones."""
    outlines = [outline for body in bodies if (outline := body.slice(z)) is not None]
    runs = [(outline, noise(outline.value, spread, 1, typecode)) for outline in outlines]
    empty = noise(background, spread, 2, typecode)
    picture = bytearray()
    place = int(abs(z) * 977) % _NOISE_LENGTH
    for number in range(grid.rows):
        y = grid.y(number)
        place = (place + 1_879) % (_NOISE_LENGTH - grid.columns)
        row = empty[place : place + grid.columns]
        for outline, run in runs:
            span = outline.span(y)
            if span is not None:
                first, last = grid.columns_between(*span)
                row[first:last] = run[place + first : place + last]
        picture += row.tobytes()
    return bytes(picture)


def project(bodies: Sequence[Ellipsoid], grid: Grid) -> Iterator[array[float]]:
    """Rows, head first, of how much lies between a tube in front and a detector behind: density times length in mm.

    Values are taken as Hounsfield units; a body counts by how its density differs from what is around it.
    """
    for number in range(grid.rows):
        z = -grid.y(number)
        row = array("d", bytes(8 * grid.columns))
        for body in bodies:
            _add_chords(row, body, z, grid)
        yield row


def _add_chords(row: array[float], body: Ellipsoid, z: float, grid: Grid) -> None:
    rest = 1.0 - ((z - body.centre[2]) / body.half[2]) ** 2
    if rest <= 0:
        return
    reach = body.half[0] * math.sqrt(rest)
    first, last = grid.columns_between(body.centre[0] - reach, body.centre[0] + reach)
    thickness = 2 * body.half[1] * (body.value - body.around) / 1000
    for column in range(first, last):
        left = rest - ((grid.x(column) - body.centre[0]) / body.half[0]) ** 2
        if left > 0:
            row[column] += thickness * math.sqrt(left)
