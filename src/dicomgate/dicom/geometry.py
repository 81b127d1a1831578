"""Frames as stacks of parallel slices: their order, spacing, gaps and tilt, and the affine of all (PS3.3 §C.7.6.2)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from dicomgate.dicom import planes
from dicomgate.dicom.planes import Plane, Vector

Affine = tuple[tuple[float, float, float, float], ...]
"""Four rows of four; its last row is 0 0 0 1."""

Irregularity = Literal["missing slices", "several slices at one position", "unequal spacing", "tilted", "scattered"]

SAME_DIRECTION = 1e-3
"""How far each component of two parallel directions may differ: half a pixel at the border of 512."""
SAME_SPACING = 1e-3
"""How far two equal pixel spacings may differ, as a part of them."""
SAME_POSITION = 0.01
"""How far apart slices at one position may be: this part of a pixel, and never more than so many millimetres."""
EVEN = 0.1
"""How far beside its place in an equal stack a slice may be, as a part of the spacing: positions come rounded."""
STRAIGHT = 0.5
"""How far beside the line through the stack a slice may be, and how far that line may lean, as a part of a pixel."""
MOST_MISSING = 4
"""For each slice that is there so many may be missing; a stack with more holes than that is one of unequal spacing."""

_MOST_COMPARED = 64
_WEIGHTS = (1.0, 0.7548776662, 0.5698402910, 0.4301597090, 0.3247179572, 0.2451223338)
_WIDTH = SAME_DIRECTION * sum(_WEIGHTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """Parallel slices of one size and spacing, in the order of their distance along the normal.

    `places`: for each position at which there are slices, which ones: their numbers in what the stack was found in,
    in that order. `numbers`: for each place its number in the even stack, from 0; what is left out there is missing.
    `distances`: millimetres from the first place to each, along the normal. `step`: millimetres from one number to the
    next; the mean when the spacing is unequal, None when there is one place only.
    """

    plane: Plane
    places: tuple[tuple[int, ...], ...]
    numbers: tuple[int, ...]
    distances: tuple[float, ...]
    positions: tuple[Vector, ...]
    step: float | None
    lean: Vector
    is_even: bool
    is_straight: bool

    @property
    def count(self) -> int:
        """How many slices the stack has, the missing ones with them."""
        return self.numbers[-1] + 1

    @property
    def passes(self) -> int:
        """How many slices are at the position that has most: points in time, echoes, directions of diffusion."""
        return max(map(len, self.places))

    @property
    def missing(self) -> tuple[int, ...]:
        """The numbers of the slices that would have to be there."""
        return tuple(n for before, after in pairwise(self.numbers) for n in range(before + 1, after))

    @property
    def is_tilted(self) -> bool:
        """The line through the first pixels leans: the gantry was tilted, and an array of the slices is sheared."""
        extent = self.distances[-1] * math.sqrt(planes.dot(self.lean, self.lean))
        return extent > STRAIGHT * self.plane.finest

    @property
    def irregularities(self) -> tuple[Irregularity, ...]:
        """Everything that keeps the stack from being one regular block."""
        found: dict[Irregularity, bool] = {
            "missing slices": bool(self.missing),
            "several slices at one position": self.passes > 1,
            "unequal spacing": not self.is_even,
            "tilted": self.is_straight and self.is_tilted,
            "scattered": not self.is_straight,
        }
        return tuple(name for name, is_so in found.items() if is_so)

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Millimetres from slice to slice along the normal, from row to row, from column to column.

        One slice alone is as thick as its object says, or one millimetre.
        """
        return (self.step or self.plane.thickness or 1.0, self.plane.row_spacing, self.plane.column_spacing)

    def position(self, number: int) -> Vector:
        """Where the first pixel of a slice of the even stack is, also that of a missing one."""
        return planes.moved(self.plane.position, self._towards(), number * self.spacing[0])

    def affine(self, *, is_ras: bool = False) -> Affine:
        """From (column, row, slice, 1) to millimetres: left, back, head (LPS), or right, front, head when `is_ras`.

        A stack that is tilted has its shear in it. Of one that is uneven or scattered it is as near as one can be.
        """
        thickness, row_spacing, column_spacing = self.spacing
        towards = self._towards()
        rows = [
            (across * column_spacing, down * row_spacing, step * thickness, origin)
            for across, down, step, origin in zip(
                self.plane.across, self.plane.down, towards, self.plane.position, strict=True
            )
        ]
        signs = (-1.0, -1.0, 1.0) if is_ras else (1.0, 1.0, 1.0)
        turned = [(a * s, b * s, c * s, d * s) for (a, b, c, d), s in zip(rows, signs, strict=True)]
        return (*turned, (0.0, 0.0, 0.0, 1.0))

    def _towards(self) -> Vector:
        return planes.moved(self.plane.normal, self.lean, 1.0)


def find_stacks(found: Iterable[Plane | None]) -> list[Stack]:
    """The planes as stacks, in the order of their first planes; those without a place (None) are in no stack.

    Planes are of one stack when they share frame of reference, rows and columns, and their directions and pixel
    spacings are the same within the tolerances above. Time grows with n log n, whatever the values.
    """
    every = list(found)
    return [_stacked(every, numbers) for numbers in _gathered(every)]


def _gathered(found: Sequence[Plane | None]) -> list[list[int]]:
    """The numbers of those that are parallel and alike.

    Who is alike is looked for among those whose weighted sum of components is near, and among so many of them at most.
    """
    groups: list[list[int]] = []
    exact: dict[tuple[object, ...], list[int]] = {}
    near: dict[tuple[object, ...], list[tuple[Plane, list[int]]]] = {}
    for number, plane in enumerate(found):
        if plane is None:
            continue
        key = (*_kind(plane), plane.across, plane.down, plane.row_spacing, plane.column_spacing)
        if key not in exact:
            exact[key] = _find_alike(near, plane) or _opened(groups, near, plane)
        exact[key].append(number)
    return groups


def _kind(plane: Plane) -> tuple[str, int, int]:
    return (plane.frame_of_reference, plane.rows, plane.columns)


def _bucket(plane: Plane) -> int:
    return math.floor(sum(w * c for w, c in zip(_WEIGHTS, (*plane.across, *plane.down), strict=True)) / _WIDTH)


def _find_alike(near: dict[tuple[object, ...], list[tuple[Plane, list[int]]]], plane: Plane) -> list[int] | None:
    bucket = _bucket(plane)
    for number in (bucket, bucket - 1, bucket + 1):
        for other, group in near.get((*_kind(plane), number), ())[:_MOST_COMPARED]:
            if _is_alike(plane, other):
                return group
    return None


def _opened(
    groups: list[list[int]], near: dict[tuple[object, ...], list[tuple[Plane, list[int]]]], plane: Plane
) -> list[int]:
    group: list[int] = []
    groups.append(group)
    near.setdefault((*_kind(plane), _bucket(plane)), []).append((plane, group))
    return group


def _is_alike(plane: Plane, other: Plane) -> bool:
    directions = zip((*plane.across, *plane.down), (*other.across, *other.down), strict=True)
    spacings = ((plane.row_spacing, other.row_spacing), (plane.column_spacing, other.column_spacing))
    return all(abs(a - b) <= SAME_DIRECTION for a, b in directions) and all(
        abs(a - b) <= SAME_SPACING * max(a, b) for a, b in spacings
    )


def _stacked(found: Sequence[Plane | None], numbers: list[int]) -> Stack:
    members = {number: plane for number in numbers if (plane := found[number]) is not None}
    normal = members[numbers[0]].normal
    along = sorted((planes.dot(plane.position, normal), number) for number, plane in members.items())
    places = list(_places(along, SAME_POSITION * min(1.0, members[numbers[0]].finest)))
    first = members[places[0][1][0]]
    distances = [at - places[0][0] for at, _ in places]
    positions = [members[here[0]].position for _, here in places]
    grid, step, is_even = _evened(distances)
    lean = _lean(first, positions[-1], distances[-1], normal)
    return Stack(
        plane=first,
        places=tuple(here for _, here in places),
        numbers=tuple(grid),
        distances=tuple(distances),
        positions=tuple(positions),
        step=step,
        lean=lean,
        is_even=is_even,
        is_straight=_is_straight(first, positions, distances, planes.moved(normal, lean, 1.0)),
    )


def _places(along: Sequence[tuple[float, int]], same: float) -> Iterator[tuple[float, tuple[int, ...]]]:
    """Each position along the normal with the numbers of the slices there, in the order in which they were given."""
    here: list[int] = []
    start = along[0][0]
    for at, number in along:
        if at - start > same:
            yield start, tuple(sorted(here))
            here, start = [], at
        here.append(number)
    yield start, tuple(sorted(here))


def _evened(distances: Sequence[float]) -> tuple[Sequence[int], float | None, bool]:
    """The number of each place in an equal stack, the step of that, and whether there is one with such places."""
    if len(distances) == 1:
        return [0], None, True
    gaps = sorted(after - before for before, after in pairwise(distances))
    for step in (gaps[len(gaps) // 2], gaps[0]):
        grid = _grid(distances, step)
        if grid is not None:
            return grid, distances[-1] / grid[-1], True
    return range(len(distances)), distances[-1] / (len(distances) - 1), False


def _grid(distances: Sequence[float], step: float) -> list[int] | None:
    """The numbers of the places with about such a step; None when one of them is between two numbers."""
    if distances[-1] / step > (MOST_MISSING + 1) * len(distances):
        return None
    grid = [0]
    for before, after in pairwise(distances):
        grid.append(grid[-1] + round((after - before) / step))
    if any(after <= before for before, after in pairwise(grid)):
        return None
    fitted = distances[-1] / grid[-1]
    is_even = all(abs(at - number * fitted) <= EVEN * fitted for at, number in zip(distances, grid, strict=True))
    return grid if is_even else None


def _lean(first: Plane, last: Vector, distance: float, normal: Vector) -> Vector:
    """How far the stack moves sidewards with each millimetre along the normal."""
    if not distance:
        return (0.0, 0.0, 0.0)
    beside = planes.moved(last, first.position, -1.0)
    x, y, z = (value / distance for value in planes.moved(beside, normal, -distance))
    return (x, y, z)


def _is_straight(first: Plane, positions: Iterable[Vector], distances: Iterable[float], towards: Vector) -> bool:
    for position, distance in zip(positions, distances, strict=True):
        expected = planes.moved(first.position, towards, distance)
        if any(abs(a - b) > STRAIGHT * first.finest for a, b in zip(position, expected, strict=True)):
            return False
    return True
