"""The files that an object was made of, byte for byte, from what it keeps of them (PS3.17 KKK.8, LC-31, LC-32)."""

from __future__ import annotations

from binascii import a2b_base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from dicomgate import errors
from dicomgate.dicom import header
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.source import BytesSource, Source
from dicomgate.multiframe import classes, classic, remainder, splitting
from dicomgate.multiframe.classic import Classic

_IDENTITY: Final = ("00100020", "00100010", "0020000D")


@dataclass(frozen=True, slots=True)
class Restored:
    """One file as it was before the conversion."""

    series: str
    instance: str
    chunks: tuple[bytes, ...]


def can_restore(source: Classic) -> bool:
    """True when the object keeps what its sources were made of; only objects made here do."""
    return remainder.RESERVATION in source.attributes and bool(remainder.find_blocks(source.attributes))


def restore(source: Classic, *, only: int | None = None) -> Iterator[Restored]:
    """Every source of the object, in the order of its frames, each proven by its digest before it is given.

    Also the one source of an object that only got new references. `only`: the source of this frame alone, from 1.

    NotAcceptable when the object keeps no originals, Conflict when patient or study were changed since, so that the
    files would say something else than the object, Malformed when frames or record are damaged.
    """
    blocks = remainder.find_blocks(source.attributes)
    if not blocks:
        raise errors.NotAcceptable("the object does not keep what it was made of: its sources cannot be restored")
    origins = conversion_sources(source.attributes)
    has_frames = classes.PER_FRAME in source.attributes and classes.CONVERSION_SOURCE not in source.attributes
    number = 0
    with source.opened() as (_, dataset):
        for block in blocks:
            if block.first != number + 1:
                raise errors.Malformed("the record of the originals is not in order")
            if only is not None and not block.first <= only < block.first + block.count:
                number += block.count
                continue
            content = _content(source, dataset, block)
            for original in remainder.read_block(content, block.count, block.size):
                number += 1
                if only not in (None, number):
                    continue
                frame = splitting.read_frame(source, dataset, number) if has_frames else b""
                parts = remainder.join(original, frame)
                yield _checked(parts, source.attributes, origins[number - 1] if number <= len(origins) else "")
    if number != len(origins):
        raise errors.Malformed(f"originals of {number} frames are kept, the object has {len(origins)}")


def _content(source: Classic, dataset: Source, block: remainder.Block) -> bytes:
    """The compressed bytes of a block, which stand in the data set when they are few."""
    place = source.places.get(block.content.get("BulkDataURI", ""))
    if place is not None:
        return dataset.read_at(place.offset, place.length)
    return a2b_base64(block.content.get("InlineBinary", ""))


def conversion_sources(attributes: JSONDataset) -> list[str]:
    """The SOP Instance UID of what each frame, or the whole object, was made of; nothing where it does not say."""
    if classes.CONVERSION_SOURCE in attributes:
        return [classic.text(origin, "00081155") for origin in classic.items(attributes, classes.CONVERSION_SOURCE)]
    frames = classic.items(attributes, classes.PER_FRAME)
    origins = (next(iter(classic.items(frame, classes.CONVERSION_SOURCE)), {}) for frame in frames)
    return [classic.text(origin, "00081155") for origin in origins]


def _checked(parts: list[bytes], attributes: JSONDataset, origin: str) -> Restored:
    joined = header.read(BytesSource(b"".join(parts)))
    for tag in _IDENTITY:
        if classic.values(joined.attributes, tag) != classic.values(attributes, tag):
            raise errors.Conflict("patient or study of the object were changed since it was converted")
    instance = classic.text(joined.attributes, "00080018")
    if instance != origin:
        raise errors.Conflict("a restored file has another UID than the object says")
    return Restored(classic.text(joined.attributes, "0020000E"), instance, tuple(parts))
