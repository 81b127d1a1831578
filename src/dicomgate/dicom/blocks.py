"""Which frames of a series make one block: each stack of parallel slices, and each pass through it (PS3.3 §C.7.6.2)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from dicomgate import errors
from dicomgate.dicom import elements, geometry, pixel_description, planes
from dicomgate.dicom.geometry import Irregularity, Stack
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.planes import Plane

MOST_SLICES = 1_000_000
"""Of a series, with those that are missing."""
_PIXELS = (
    pixel_description.PIXEL_DATA,
    pixel_description.FLOAT_PIXEL_DATA,
    pixel_description.DOUBLE_PIXEL_DATA,
)


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame: the place of its data set among those that were given, and its number in that, from 1."""

    dataset: int
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Frames that belong into one array, slice by slice; None where a slice is missing.

    `stack`: where they are; None when the frames do not say it, and stand in the order of their instances. `passes`: in
    how many blocks this stack is, one for each point in time, echo or direction; `number`: which of them this one is.
    """

    frames: tuple[Frame | None, ...]
    stack: Stack | None
    number: int = 0
    passes: int = 1

    @property
    def irregularities(self) -> tuple[Irregularity, ...]:
        """What keeps it from being one regular block; that there are several passes is none any more."""
        found = self.stack.irregularities if self.stack else ()
        missing: tuple[Irregularity, ...] = ("missing slices",) if None in self.frames else ()
        others = (name for name in found if name not in ("several slices at one position", "missing slices"))
        return (*missing, *others)


@dataclass(frozen=True, slots=True)
class Arrangement:
    """The blocks of a series, the largest first. `left_out`: frames that do not say where they are, while others do."""

    blocks: tuple[Block, ...]
    left_out: tuple[Frame, ...]


def arrange(datasets: Sequence[JSONDataset]) -> Arrangement:
    """What the frames of a series make; data sets without pixels are left out.

    Of several frames at one position the first ones, by Instance Number, are the first block, and so on. Without any
    position, frames of one size are a block, in their order. TooLarge for more slices than are looked at.
    """
    frames = [Frame(place, number) for place in _ordered(datasets) for number in _numbers(datasets[place])]
    where = list(_planes(datasets, frames))
    placed = [(frame, plane) for frame, plane in zip(frames, where, strict=True) if plane is not None]
    if not placed:
        return Arrangement(tuple(_unplaced(datasets, frames)), ())
    left_out = tuple(frame for frame, plane in zip(frames, where, strict=True) if plane is None)
    stacks = geometry.find_stacks(plane for _, plane in placed)
    if sum(stack.count * stack.passes for stack in stacks) > MOST_SLICES:
        raise errors.TooLarge(f"stacks of more than {MOST_SLICES} slices, with those that are missing")
    found = [block for stack in stacks for block in _passes(stack, [frame for frame, _ in placed])]
    found.sort(key=lambda block: -sum(frame is not None for frame in block.frames))
    return Arrangement(tuple(found), left_out)


def _ordered(datasets: Sequence[JSONDataset]) -> list[int]:
    """Those with pixels, by Instance Number; what has none comes last, by its UID."""

    def key(place: int) -> tuple[float, str]:
        number = elements.numbers(datasets[place].get("00200013", {}))
        is_sound = bool(number) and -(1 << 31) <= number[0] < 1 << 31
        uid = elements.texts(datasets[place].get("00080018", {}))
        return float(number[0]) if is_sound else float(1 << 31), uid[0] if uid else ""

    return sorted((place for place, one in enumerate(datasets) if any(tag in one for tag in _PIXELS)), key=key)


def _numbers(dataset: JSONDataset) -> range:
    """The numbers of its frames, from 1; what it says of more than are looked at is not believed."""
    said = elements.numbers(dataset.get("00280008", {}))
    count = said[0] if said and 1 <= said[0] <= MOST_SLICES else 1
    return range(1, int(count) + 1)


def _planes(datasets: Sequence[JSONDataset], frames: Iterable[Frame]) -> Iterator[Plane | None]:
    """The plane of each; frames of one data set follow each other."""
    for place, group in groupby(frames, key=lambda frame: frame.dataset):
        found = planes.find_planes(datasets[place])
        for frame in group:
            yield found[frame.number - 1] if frame.number <= len(found) else None


def _passes(stack: Stack, frames: Sequence[Frame]) -> Iterator[Block]:
    for turn in range(stack.passes):
        slices: list[Frame | None] = [None] * stack.count
        for number, here in zip(stack.numbers, stack.places, strict=True):
            slices[number] = frames[here[turn]] if turn < len(here) else None
        yield Block(frames=tuple(slices), stack=stack, number=turn, passes=stack.passes)


def _unplaced(datasets: Sequence[JSONDataset], frames: Iterable[Frame]) -> Iterator[Block]:
    """Frames of one size and one number of samples, in their order, where none of them says where it is."""
    groups: dict[tuple[tuple[float, ...], ...], list[Frame]] = {}
    for frame in frames:
        dataset = datasets[frame.dataset]
        size = tuple(tuple(elements.numbers(dataset.get(tag, {}))[:1]) for tag in ("00280010", "00280011", "00280002"))
        groups.setdefault(size, []).append(frame)
    for group in sorted(groups.values(), key=len, reverse=True):
        yield Block(frames=tuple(group), stack=None)
