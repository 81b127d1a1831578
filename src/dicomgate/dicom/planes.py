"""Where the frames of an image lie in the patient: position, orientation, spacing (PS3.3 §C.7.6.2, §C.7.6.16.2).

Coordinates are millimetres towards the patient's left, back and head (LPS). Read alike from classic objects, from the
functional groups of enhanced ones, from the grid of a dose (§C.8.8.3) and from nuclear medicine (§C.8.4.8).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from dicomgate.dicom import elements
from dicomgate.dicom.jsonmodel import JSONDataset

Vector = tuple[float, float, float]

FARTHEST = 1_000_000.0
"""Millimetres. What lies farther away, or is spaced wider, is not believed."""
FINEST = 1e-9
"""Millimetres from one pixel to the next, at least."""
UNIT = 0.05
"""How far the length of a direction may be from one; it is made one."""
SQUARE = 0.01
"""How far the cosine between rows and columns may be from zero."""

_FRAMES, _ROWS, _COLUMNS, _FRAME_OF_REFERENCE = "00280008", "00280010", "00280011", "00200052"
_SHARED, _PER_FRAME = "52009229", "52009230"
_SPACING, _THICKNESS, _BETWEEN = "00280030", "00180050", "00180088"
_POSITIONS = (("00209113", "00200032"), ("0020930E", "00209301"))
"""Plane Position (Patient, Volume): the sequence in functional groups, the attribute in its item."""
_ORIENTATIONS = (("00209116", "00200037"), ("0020930F", "00209302"))
_MEASURES = "00289110"
_DOSE_OFFSETS, _DETECTORS, _SLICE_VECTOR = "3004000C", "00540022", "00540080"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plane:
    """One frame in space. `position`: the centre of its first pixel.

    `across`: the direction of a row, towards higher columns; `down`: that of a column, towards higher rows; of length
    one both. `row_spacing`: millimetres from row to row; `column_spacing`: from column to column. `thickness`: what
    the object says of the distance to the next slice, else of the slice itself.
    """

    position: Vector
    across: Vector
    down: Vector
    row_spacing: float
    column_spacing: float
    rows: int
    columns: int
    frame_of_reference: str = ""
    thickness: float | None = None

    @property
    def normal(self) -> Vector:
        """What rows and columns turn around, right-handed: the direction in which slices are counted."""
        return unit(cross(self.across, self.down))

    @property
    def finest(self) -> float:
        """The smaller one of both spacings."""
        return min(self.row_spacing, self.column_spacing)


def dot(left: Vector, right: Vector) -> float:
    """The scalar product."""
    return left[0] * right[0] + left[1] * right[1] + left[2] * right[2]


def cross(left: Vector, right: Vector) -> Vector:
    """The vector product."""
    (a, b, c), (d, e, f) = left, right
    return (b * f - c * e, c * d - a * f, a * e - b * d)


def unit(vector: Vector) -> Vector:
    """The same direction with length one; the vector is not zero."""
    length = math.sqrt(dot(vector, vector))
    return (vector[0] / length, vector[1] / length, vector[2] / length)


def moved(point: Vector, direction: Vector, distance: float) -> Vector:
    """The point so far in a direction."""
    x, y, z = (at + towards * distance for at, towards in zip(point, direction, strict=True))
    return (x, y, z)


def find_planes(dataset: JSONDataset) -> list[Plane | None]:
    """The plane of each frame, in their order; None for a frame that does not say where it lies.

    The list ends with the last frame of which something is said: an object of one plane for all frames, or without
    any, has one entry. Time and memory are proportional to what the data set holds, whatever its number of frames says.
    """
    if _SHARED in dataset or _PER_FRAME in dataset:
        return _find_grouped(dataset)
    plane = find_plane(dataset)
    if plane is not None and _DOSE_OFFSETS in dataset:
        return list(_dose(plane, _numbers(dataset, _DOSE_OFFSETS)))
    if plane is None and _DETECTORS in dataset:
        return _find_detected(dataset)
    return [plane]


def find_plane(dataset: JSONDataset) -> Plane | None:
    """The plane that the attributes of a classic object say, of its first frame; None when they do not say it."""
    position = _find_vector(dataset, _POSITIONS[0][1])
    directions = _find_directions(dataset, _ORIENTATIONS[0][1])
    return _made(dataset, position, directions, dataset)


def _made(
    dataset: JSONDataset, position: Vector | None, directions: tuple[Vector, Vector] | None, measures: JSONDataset
) -> Plane | None:
    spacing = _numbers(measures, _SPACING)
    rows, columns = _whole(dataset, _ROWS), _whole(dataset, _COLUMNS)
    if position is None or directions is None or len(spacing) != 2 or min(spacing) < FINEST:
        return None
    if not 1 <= rows <= 0xFFFFFFFF or not 1 <= columns <= 0xFFFFFFFF:
        return None
    stated = [abs(value) for tag in (_BETWEEN, _THICKNESS) for value in _numbers(measures, tag)[:1]]
    return Plane(
        position=position,
        across=directions[0],
        down=directions[1],
        row_spacing=spacing[0],
        column_spacing=spacing[1],
        rows=rows,
        columns=columns,
        frame_of_reference=next(iter(elements.texts(dataset.get(_FRAME_OF_REFERENCE, {}))), ""),
        thickness=next((value for value in stated if value >= FINEST), None),
    )


def _find_grouped(dataset: JSONDataset) -> list[Plane | None]:
    shared = next(elements.items(elements.find(dataset, _SHARED)), {})
    frames = elements.items(elements.find(dataset, _PER_FRAME))
    return [_find_of_groups(dataset, group, shared) for group in frames] or [_find_of_groups(dataset, {}, shared)]


def _find_of_groups(dataset: JSONDataset, group: JSONDataset, shared: JSONDataset) -> Plane | None:
    positions = (_find_vector(_item(group, shared, sequence), tag) for sequence, tag in _POSITIONS)
    orientations = (_find_directions(_item(group, shared, sequence), tag) for sequence, tag in _ORIENTATIONS)
    position = next((found for found in positions if found is not None), None)
    directions = next((found for found in orientations if found is not None), None)
    return _made(dataset, position, directions, _item(group, shared, _MEASURES))


def _item(group: JSONDataset, shared: JSONDataset, sequence: str) -> JSONDataset:
    """The functional group macro of this frame, else the one that all frames share (PS3.3 §C.7.6.16.1.1)."""
    holder = group if sequence in group else shared
    return next(elements.items(elements.find(holder, sequence)), {})


def _dose(first: Plane, offsets: list[float]) -> Iterator[Plane]:
    """Planes of a dose grid: offsets from the first one, or z coordinates where the first offset is not zero."""
    is_absolute = bool(offsets) and offsets[0] != 0
    towards: Vector = (0.0, 0.0, 1.0) if is_absolute else first.normal
    for offset in offsets:
        yield replace(first, position=moved(first.position, towards, offset - offsets[0]))
    if not offsets:
        yield first


def _find_detected(dataset: JSONDataset) -> list[Plane | None]:
    """Planes of reconstructed nuclear medicine: the first one's, and for each frame the number of its slice."""
    detector = next(elements.items(elements.find(dataset, _DETECTORS)), {})
    position = _find_vector(detector, _POSITIONS[0][1])
    first = _made(dataset, position, _find_directions(detector, _ORIENTATIONS[0][1]), dataset)
    between = next(iter(_numbers(dataset, _BETWEEN)), None)
    numbers = _numbers(dataset, _SLICE_VECTOR)
    if first is None or between is None or not numbers:
        return [first]
    return [replace(first, position=moved(first.position, first.normal, between * (n - 1))) for n in numbers]


def _find_vector(item: JSONDataset, tag: str) -> Vector | None:
    found = _numbers(item, tag)
    return (found[0], found[1], found[2]) if len(found) == 3 else None


def _find_directions(item: JSONDataset, tag: str) -> tuple[Vector, Vector] | None:
    """Across and down; None when one has no length, or they are not square to each other."""
    found = _numbers(item, tag)
    if len(found) != 6:
        return None
    across, down = (found[0], found[1], found[2]), (found[3], found[4], found[5])
    if any(abs(math.sqrt(dot(vector, vector)) - 1) > UNIT for vector in (across, down)):
        return None
    across, down = unit(across), unit(down)
    return None if abs(dot(across, down)) > SQUARE else (across, down)


def _numbers(item: JSONDataset, tag: str) -> list[float]:
    """The values of an attribute; none at all when one of them is no number or beyond belief."""
    element = item.get(tag)
    if not isinstance(element, dict):
        return []
    found = elements.numbers(element)
    is_sound = len(found) == len(element.get("Value") or ()) and all(-FARTHEST <= n <= FARTHEST for n in found)
    return [float(n) for n in found] if is_sound else []


def _whole(item: JSONDataset, tag: str) -> int:
    return int(next(iter(_numbers(item, tag)), 0))
