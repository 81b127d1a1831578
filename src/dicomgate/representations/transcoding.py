"""An instance as a PS3.10 file in another transfer syntax, some frames at a time (PS3.18 §8.7.3, MT-07 to MT-10).

Everything but the pixel data goes out as it is, and so does pixel data that is native already. The first frame is made
before the first byte leaves: what cannot be decoded is refused and not broken off, and the data set is told how the
colours were decoded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Final

from dicomgate import errors
from dicomgate.dicom import encode, frames, header, pixel_description, recode, syntaxes
from dicomgate.dicom.encode import BulkValue, Encapsulated, Frames
from dicomgate.dicom.header import Header
from dicomgate.dicom.recode import Made, Wanted
from dicomgate.origin import Instance, Piece
from dicomgate.pixels.transcoding import Transcoded
from dicomgate.representations import changed_attributes, nested_pixels
from dicomgate.representations.changed_attributes import Changes, Encoded
from dicomgate.representations.frame_making import FrameMaker
from dicomgate.representations.instance_source import InstanceSource
from dicomgate.representations.maker import Maker

_MOST_MEASURED: Final = 16 << 20
"""Bytes of other values that are read once more for the length; of more it is not told ahead."""


@dataclass(frozen=True, slots=True)
class MadeFile:
    """A file that was not stored so. `size` None: not known before it is made; `chunks` may be asked for once."""

    size: int | None
    chunks: Iterator[bytes]


def make_file(maker: Maker, instance: Instance, transfer_syntax: str) -> MadeFile:
    """The instance's file in a transfer syntax; it may be the stored one, where the file begins unsoundly.

    NotAcceptable when its pixel data cannot be decoded, does not go into that syntax, or is too long for it (MT-09).
    """
    source = InstanceSource(instance)
    seen = header.read(source, maker.limits)
    changes, made = nested_pixels.decode(maker, source, seen)
    pixel_changes, pixels = _pixels(maker, instance, seen, transfer_syntax)
    wanted = Wanted(transfer_syntax=transfer_syntax, changes={**changes, **pixel_changes}, made={**made, **pixels})
    others = seen.dataset_size - sum(place.length for path, place in seen.bulk.items() if path in wanted.made)
    size = recode.measure(source, seen, wanted) if others <= _MOST_MEASURED else None
    return MadeFile(size, recode.recode(source, seen, wanted))


def native_value(making: FrameMaker) -> Piece:
    """All frames of an instance without compression as one value; made while it is read."""
    count = making.instance.facts.frame_count
    size = -(-making.description.frame_bits * count // 8)
    vr = "OW" if making.description.bits_allocated > 8 else "OB"
    chunks = _joined(making.frames(range(1, count + 1)), making.description.frame_bits)
    return Piece(transfer_syntax=making.transfer_syntax, vr=vr, size=size, chunks=chunks)


def _pixels(maker: Maker, instance: Instance, seen: Header, transfer_syntax: str) -> tuple[Changes, Made]:
    """The pixel data of the data set itself, and what must be said of it."""
    place = seen.bulk.get(encode.PIXEL_DATA)
    if place is None or seen.frames is None or not seen.frames.count:
        return {}, {}  # none, or floating point numbers, which are always native
    if not any(syntaxes.TABLE[uid].is_encapsulated for uid in (seen.transfer_syntax, transfer_syntax)):
        value = BulkValue(place.length, instance.bulk(encode.PIXEL_DATA).chunks)
        return {encode.PIXEL_DATA: seen.attributes[encode.PIXEL_DATA]}, {encode.PIXEL_DATA: value}
    making = FrameMaker(maker=maker, instance=instance, description=_describe(seen), transfer_syntax=transfer_syntax)
    count = seen.frames.count
    if making.is_native and count * making.description.frame_bits > 8 * recode.LONGEST:
        raise errors.NotAcceptable(
            f"{count} frames are too long for one value without compression: ask for transfer-syntax=*"
        )
    made = making.frames(range(1, count + 1))
    first = next(made)
    identity = f"{instance.facts.target.instance} {instance.facts.version} {transfer_syntax}"
    encoded = Encoded(
        transfer_syntax=transfer_syntax,
        description=first.description,
        ratio=_ratio(making, first, count) if making.adds_loss else None,
    )
    changes = changed_attributes.describe(seen.attributes, seen.transfer_syntax, encoded, identity)
    return changes, {encode.PIXEL_DATA: _value(making, first, made, count)}


def _describe(seen: Header) -> pixel_description.PixelDescription:
    try:
        return pixel_description.describe(seen.attributes, seen.transfer_syntax)
    except (errors.Malformed, errors.TooLarge) as fault:
        raise errors.NotAcceptable(f"the pixels cannot be read: {fault.message}; ask for transfer-syntax=*") from fault


def _value(
    making: FrameMaker, first: Transcoded, rest: Iterator[Transcoded], count: int
) -> BulkValue | Frames | Encapsulated:
    """Native frames one after the other; of compressed ones a single one has a size that can be told ahead."""
    if making.is_native:
        bits = making.description.frame_bits
        return BulkValue(-(-bits * count // 8), _joined(_following(first, rest), bits))
    if count == 1:
        return Frames([len(first.codestream)], [[first.codestream]])
    return Encapsulated(recode.encapsulate(frame.codestream for frame in _following(first, rest)))


def _following(first: Transcoded, rest: Iterator[Transcoded]) -> Iterator[Transcoded]:
    """Every frame; the first is let go before the others are made."""
    waiting = [first]
    del first
    yield waiting.pop()
    yield from rest


def _joined(made: Iterable[Transcoded], frame_bits: int) -> Iterator[bytes]:
    """Frames one after the other, bit by bit (PS3.5 §8.1.1)."""
    contents = (frame.codestream for frame in made)
    return contents if frame_bits % 8 == 0 else frames.join_bits(contents, frame_bits)


def _ratio(making: FrameMaker, first: Transcoded, count: int) -> float:
    """About how much smaller lossy compression makes the frames: by the first, the middle and the last."""
    numbers = sorted({(count + 1) // 2, count} - {1})
    sizes = [len(frame.codestream) for frame in chain([first], making.frames(numbers))]
    return making.description.frame_bits * len(sizes) / (8 * sum(sizes))
