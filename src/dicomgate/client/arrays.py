"""Frames and whole series as arrays, fetched side by side and decoded in threads (PS3.18 §10.4.1.1.6).

What decodes is loaded when the first array is asked for: the client itself needs neither numpy nor codecs.
"""

from __future__ import annotations

import importlib
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

from dicomgate import errors, extras
from dicomgate.dicom import blocks, elements, pixel_description
from dicomgate.dicom.blocks import Block, Frame
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.pixel_description import PixelDescription
from dicomgate.dicom.uids import Target
from dicomgate.dicom.value_mappings import IDENTITY, Mappings, ValueMapping

Values = Literal["rescaled", "stored", "real world"]
"""What an array holds: values as they were measured (Modality LUT, rescale), as stored, or Real World Values."""

AHEAD = 32
_REQUEST_BYTES, _REQUEST_FRAMES = 4 << 20, 16
_REQUESTS = 8
_Done = TypeVar("_Done")


class Reader(Protocol):
    """Where frames come from: a server, or a folder. May be called by several threads at once."""

    def metadata(self, target: Target) -> list[JSONDataset]:
        """The data sets of the instances there, in the DICOM JSON model. NotFound when there are none."""
        ...

    def frames(self, target: Target, numbers: Sequence[int]) -> list[tuple[bytes, str]]:
        """The frames with these numbers as they are stored, in their order, each with its transfer syntax."""
        ...

    def bulk(self, target: Target, uri: str) -> bytes:
        """The value behind a BulkDataURI that the metadata of an instance names."""
        ...


def find_target(result: JSONDataset) -> Target:
    """The series, or the instance, that a result of a search or a data set is. Malformed when it does not say so."""
    uids = [_uid(result, tag) for tag in ("0020000D", "0020000E", "00080018")]
    if not (uids[0] and uids[1]):
        raise errors.Malformed("expected a result with the UIDs of its study and its series")
    return Target(uids[0], uids[1], uids[2] or None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chunk:
    """Frames of one instance that are asked for at once, and what each is to become."""

    target: Target
    dataset: JSONDataset
    numbers: tuple[int, ...]
    mappings: tuple[ValueMapping, ...]


def frames(
    reader: Reader,
    target: Target,
    numbers: Iterable[int] | None = None,
    *,
    ahead: int = AHEAD,
    values: Values = "stored",
) -> Generator[tuple[int, Any], None, None]:
    """Frames of one instance as (number, array), in the order of `numbers`, from 1; all of them without any.

    An array is (rows, columns), or (rows, columns, samples) of colour, which is RGB. At most `ahead` frames are fetched
    and decoded beyond the one that was handed out. NotFound for an instance or a frame that is not there, Malformed or
    NotAcceptable for one that cannot be decoded, Unavailable when the extra for arrays is not installed.
    """
    pixels = _pixels()
    (dataset, *_) = reader.metadata(target)
    wanted = range(1, _count(dataset) + 1) if numbers is None else list(numbers)
    if any(not 1 <= number <= _count(dataset) for number in wanted):
        raise errors.NotFound(f"frames are numbered from 1 to {_count(dataset)}")
    mapping = _mapper(reader, target, dataset, values)
    size = max(1, min(_chunk_size(dataset), ahead // 4))
    chunks = (
        _Chunk(target=target, dataset=dataset, numbers=part, mappings=tuple(map(mapping, part)))
        for part in _parts(wanted, size)
    )
    jobs: Iterator[Callable[[], list[tuple[int, Any]]]] = (_job(_read, pixels, reader, chunk) for chunk in chunks)
    for found in _in_order(jobs, most=max(1, (ahead - size + 1) // size)):
        yield from found


def arrange(reader: Reader, target: Target) -> tuple[list[JSONDataset], blocks.Arrangement]:
    """The metadata of a series or instance, and what its frames make. NotFound when it has no frames."""
    datasets = reader.metadata(target)
    arrangement = blocks.arrange(datasets)
    if not arrangement.blocks:
        raise errors.NotFound("no images in this series")
    return datasets, arrangement


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """How a block is to be. `dtype`: of its values; without it int16 where all are exact in it, else float32.

    Stored values and colours keep their own type. `fill`: what missing slices hold; without it the lowest value of the
    others. `largest`: bytes that the array may have; without it 32 GiB.
    """

    values: Values = "rescaled"
    dtype: str | None = None
    fill: float | None = None
    largest: int | None = None


_USUAL = Wishes()


def volume(reader: Reader, target: Target, number: int | None = None, wishes: Wishes = _USUAL) -> Any:
    """A series, or an instance of several frames, as one block (`pixels.volumes.Volume`).

    `number`: which block, from 0, of a series that makes several (points in time, echoes, orientations); without it
    such a series is a Conflict that tells how many. Raises what `frames` raises, and TooLarge.
    """
    pixels = _pixels()
    datasets, arrangement = arrange(reader, target)
    found = arrangement.blocks
    if number is None and len(found) > 1:
        raise errors.Conflict(f"a series of {len(found)} blocks: say which, by its number from 0")
    if not 0 <= (number or 0) < len(found):
        raise errors.NotFound(f"blocks are numbered from 0 to {len(found) - 1}")
    return _Filling(pixels, reader, datasets, wishes).block(found[number or 0])


def volumes(reader: Reader, target: Target, wishes: Wishes = _USUAL) -> Iterator[Any]:
    """All blocks of a series one after the other, the largest first. The faults of `volume`."""
    pixels = _pixels()
    datasets, arrangement = arrange(reader, target)
    filling = _Filling(pixels, reader, datasets, wishes)
    for block in arrangement.blocks:
        yield filling.block(block)


def _pixels() -> Any:
    """The room that knows arrays. NotInstalled without the extra "pixels"."""
    with extras.needed():
        return importlib.import_module("dicomgate.pixels.volumes")


class _Filling:
    """Makes blocks of the frames of some data sets."""

    def __init__(self, pixels: Any, reader: Reader, datasets: Sequence[JSONDataset], wishes: Wishes) -> None:
        self._pixels = pixels
        self._reader = reader
        self._datasets = datasets
        self._wishes = wishes

    def block(self, block: Block) -> Any:
        """A block with its frames in it."""
        chunks = list(_chunks(self._reader, self._datasets, block, self._wishes.values))
        described = [(_describe(chunk.dataset), mapping) for _, chunk in chunks for mapping in chunk.mappings]
        room = self._room(len(block.frames), described)
        jobs = (_job(_put, self._pixels, self._reader, chunk, [room[n] for n in places]) for places, chunk in chunks)
        for _ in _in_order(jobs, most=2 * _REQUESTS):
            pass
        missing = tuple(place for place, frame in enumerate(block.frames) if frame is None)
        self._pixels.fill(room, missing, self._wishes.fill)
        units = next((mapping.units for _, mapping in described if mapping.units), "")
        return self._pixels.Volume(array=room, missing=missing, units=units, **self._place(block))

    def _room(self, count: int, described: Sequence[tuple[PixelDescription, ValueMapping]]) -> Any:
        pixels, wishes = self._pixels, self._wishes
        first = described[0][0]
        if any(_shape(one) != _shape(first) for one, _ in described):
            raise errors.Conflict("frames of different size in one block")
        is_stored = wishes.values == "stored" or first.is_colour
        kind = wishes.dtype or (pixels.common_type(described) if is_stored else pixels.exact_type(described))
        return pixels.allocate(count, first, kind, wishes.largest or pixels.LARGEST_BLOCK)

    def _place(self, block: Block) -> dict[str, Any]:
        """Where it is, and what it is made of."""
        stack = block.stack
        said = dict(zip(stack.numbers, stack.positions, strict=True)) if stack else {}
        return {
            "affine": self._pixels.matrix(stack.affine()) if stack else None,
            "spacing": stack.spacing if stack else None,
            "positions": tuple(said.get(n) or stack.position(n) for n in range(stack.count)) if stack else (),
            "instances": tuple(frame and self._name(frame) for frame in block.frames),
            "irregularities": block.irregularities,
        }

    def _name(self, frame: Frame) -> tuple[str, int]:
        return _uid(self._datasets[frame.dataset], "00080018"), frame.number


def _chunks(
    reader: Reader, datasets: Sequence[JSONDataset], block: Block, values: Values
) -> Iterator[tuple[list[int], _Chunk]]:
    """The frames that are there, put together by what is asked for at once, with their places in the block."""
    by_dataset: dict[int, list[tuple[int, Frame]]] = {}
    for place, frame in enumerate(block.frames):
        if frame is not None:
            by_dataset.setdefault(frame.dataset, []).append((place, frame))
    for number, held in by_dataset.items():
        dataset = datasets[number]
        target = Target(*(_uid(dataset, tag) for tag in ("0020000D", "0020000E", "00080018")))
        mapping = _mapper(reader, target, dataset, values)
        held.sort(key=lambda one: one[1].number)
        for part in _parts(held, _chunk_size(dataset)):
            numbers = tuple(frame.number for _, frame in part)
            chunk = _Chunk(
                target=target, dataset=dataset, numbers=numbers, mappings=tuple(mapping(one) for one in numbers)
            )
            yield [place for place, _ in part], chunk


def _mapper(reader: Reader, target: Target, dataset: JSONDataset, values: Values) -> Callable[[int], ValueMapping]:
    """What the values of each frame stand for."""
    if values == "stored" or _describe(dataset).is_colour:
        return lambda _: IDENTITY
    mappings = Mappings(dataset, lambda uri: reader.bulk(target, uri))
    return mappings.real_world if values == "real world" else mappings.modality


def _read(pixels: Any, reader: Reader, chunk: _Chunk) -> list[tuple[int, Any]]:
    """The frames of a chunk, each in the type that holds its values."""
    found = []
    for number, stored, mapping in _decoded(pixels, reader, chunk):
        if mapping == IDENTITY:
            found.append((number, stored))
            continue
        kind = pixels.exact_type([(_describe(chunk.dataset), mapping)])
        into = pixels.empty(stored, kind)
        pixels.map_values(stored, mapping, into)
        found.append((number, into))
    return found


def _put(pixels: Any, reader: Reader, chunk: _Chunk, places: Sequence[Any]) -> None:
    for (_, stored, mapping), place in zip(_decoded(pixels, reader, chunk), places, strict=True):
        pixels.map_values(stored, mapping, place)


def _decoded(pixels: Any, reader: Reader, chunk: _Chunk) -> Iterator[tuple[int, Any, ValueMapping]]:
    fetched = reader.frames(chunk.target, chunk.numbers)
    if len(fetched) != len(chunk.numbers):
        raise errors.UpstreamFailed(f"{len(fetched)} frames came where {len(chunk.numbers)} were asked for")
    for number, mapping in zip(chunk.numbers, chunk.mappings, strict=True):
        content, syntax = fetched.pop(0)  # so that no frame is kept longer than it is needed
        yield number, pixels.decode(content, _describe(chunk.dataset, syntax)), mapping


def _job(work: Callable[..., _Done], *given: Any) -> Callable[[], _Done]:
    return lambda: work(*given)


def _in_order(jobs: Iterator[Callable[[], _Done]], most: int) -> Generator[_Done, None, None]:
    """What jobs give, in their order; so many at most are under way or done and not taken yet."""
    pool = ThreadPoolExecutor(min(most, max(_REQUESTS, os.cpu_count() or 1)), thread_name_prefix="frames")
    under_way: deque[Future[_Done]] = deque()
    try:
        for job in jobs:
            under_way.append(pool.submit(job))
            if len(under_way) > most:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_Item = TypeVar("_Item")


def _parts(every: Sequence[_Item], size: int) -> Iterator[tuple[_Item, ...]]:
    return (tuple(every[start : start + size]) for start in range(0, len(every), size))


def _describe(dataset: JSONDataset, transfer_syntax: str = "") -> PixelDescription:
    return pixel_description.describe(dataset, transfer_syntax)


def _shape(description: PixelDescription) -> tuple[int, int, int]:
    return description.rows, description.columns, description.samples_per_pixel


def _chunk_size(dataset: JSONDataset) -> int:
    return max(1, min(_REQUEST_BYTES // _describe(dataset).frame_bytes, _REQUEST_FRAMES))


def _count(dataset: JSONDataset) -> int:
    return _describe(dataset).frame_count


def _uid(dataset: JSONDataset, tag: str) -> str:
    return next(iter(elements.texts(dataset.get(tag, {}))), "")
