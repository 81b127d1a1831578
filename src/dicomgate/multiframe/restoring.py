"""The files that an object was made of, byte for byte, from what it keeps of them (PS3.17 KKK.8, LC-31, LC-32)."""

from __future__ import annotations

from binascii import a2b_base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from dicomgate import errors
from dicomgate.dicom import header
from dicomgate.dicom.frames import FragmentFrames, NativeFrames
from dicomgate.dicom.header import Header
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.source import BytesSource, Source
from dicomgate.multiframe import classes, classic, remainder

_IDENTITY: Final = ("00100020", "00100010", "0020000D")


@dataclass(frozen=True, slots=True)
class Restored:
    """One file as it was before the conversion."""

    instance: str
    chunks: tuple[bytes, ...]


def can_restore(found: Header) -> bool:
    """True when the object keeps what its sources were made of; only objects made here do."""
    return bool(remainder.find_blocks(found.attributes))


def restore(source: Source, found: Header) -> Iterator[Restored]:
    """Every source of the object, in the order of its frames, each proven by its digest before it is given.

    NotAcceptable when the object keeps no originals, Conflict when patient or study were changed since, so that the
    files would say something else than the object, Malformed when frames or record are damaged.
    """
    blocks = remainder.find_blocks(found.attributes)
    if not blocks:
        raise errors.NotAcceptable("the object does not keep what it was made of: its sources cannot be restored")
    origins = conversion_sources(found.attributes)
    number = 0
    for first, count, size, path in blocks:
        if first != number + 1:
            raise errors.Malformed("the record of the originals is not in order")
        for original in remainder.read_block(_content(source, found, path), count, size):
            number += 1
            parts = remainder.join(original, read_frame(source, found, number))
            yield _checked(parts, found.attributes, origins[number - 1] if number <= len(origins) else "")
    if number != len(origins):
        raise errors.Malformed(f"originals of {number} frames are kept, the object has {len(origins)}")


def _content(source: Source, found: Header, path: str) -> bytes:
    """The compressed bytes of a block, which stand in the data set when they are few."""
    place = found.bulk.get(path)
    if place is not None:
        return source.read_at(place.offset, place.length)
    return a2b_base64(classic.find(found.attributes, path).get("InlineBinary", ""))


def conversion_sources(attributes: JSONDataset) -> list[str]:
    """The SOP Instance UID of what each frame was made of; nothing where it does not say."""
    frames = classic.items(attributes, classes.PER_FRAME)
    origins = (next(iter(classic.items(frame, classes.CONVERSION_SOURCE)), {}) for frame in frames)
    return [classic.text(origin, "00081155") for origin in origins]


def read_frame(source: Source, found: Header, number: int) -> bytes:
    """One frame's bytes, from 1: its samples as they lie there, or its codestream. Malformed when it is not there."""
    match found.frames:
        case NativeFrames():
            place = found.frames.find(number)
            if place is not None and place[1] == 0 and place[2] % 8 == 0:
                return source.read_at(place[0].start, len(place[0]))
        case FragmentFrames():
            spans = found.frames.find(number)
            if spans is not None:
                return b"".join(source.read_at(span.start, len(span)) for span in spans)
    raise errors.Malformed(f"frame {number} cannot be found in the pixel data")


def _checked(parts: list[bytes], attributes: JSONDataset, origin: str) -> Restored:
    joined = header.read(BytesSource(b"".join(parts)))
    for tag in _IDENTITY:
        if classic.values(joined.attributes, tag) != classic.values(attributes, tag):
            raise errors.Conflict("patient or study of the object were changed since it was converted")
    instance = classic.text(joined.attributes, "00080018")
    if instance != origin:
        raise errors.Conflict("a restored file has another UID than the object says")
    return Restored(instance, tuple(parts))
