"""A completed data set and its bulk data as a PS3.10 file, chunk by chunk (PS3.10 §7.1, PS3.18 §10.5.2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from dicomgate.composition import description
from dicomgate.composition.content import Octets, PixelData, Unfit
from dicomgate.dicom import encode, part10, syntaxes
from dicomgate.dicom.encode import BulkValue, Encapsulated, Frames
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.outcomes import Reason

PIXEL_DATA: Final = "7FE00010"
_ITEM: Final = b"\xfe\xff\x00\xe0"
_OF_ANSWERS: Final = "00083002"
"""Available Transfer Syntax UID: told of what is stored, never stored itself (PS3.18 §10.6.3.3)."""


@dataclass(frozen=True, slots=True)
class Nested:
    """Pixel data inside a sequence, such as an icon's, that is compressed: one frame and its transfer syntax."""

    frame: Octets
    transfer_syntax: str


Values = Mapping[str, Octets | Nested]
"""Every value but the data set's own pixel data that its metadata leaves to parts, by its path."""


def write(
    attributes: JSONDataset, pixels: PixelData | None, values: Values, *, sop_class: str | None, instance: str | None
) -> Iterator[bytes]:
    """The file. Unfit when it needs two transfer syntaxes, Malformed for a value that its VR cannot hold."""
    transfer_syntax = _transfer_syntax(pixels, values)
    attributes.pop(_OF_ANSWERS, None)
    if pixels is not None:
        attributes[PIXEL_DATA] = {**attributes[PIXEL_DATA], "vr": _vr(attributes, pixels)}

    def find(path: str, element: dict[str, Any]) -> BulkValue | Frames | Encapsulated:  # noqa: ARG001 (a FindBulk)
        if pixels is not None and path == PIXEL_DATA:
            return _of_pixels(pixels)
        value = values[path]
        if isinstance(value, Nested):
            return Encapsulated(_items(value.frame))
        return BulkValue(value.size, value.chunks())

    yield part10.write_beginning(sop_class=sop_class, instance=instance, transfer_syntax=transfer_syntax)
    yield from encode.write_dataset(attributes, find)


def _of_pixels(pixels: PixelData) -> BulkValue | Frames:
    if pixels.native is not None:
        return BulkValue(pixels.native.size, pixels.native.chunks())
    return Frames([frame.size for frame in pixels.frames], (frame.chunks() for frame in pixels.frames))


def _items(frame: Octets) -> Iterator[bytes]:
    """An empty offset table, and the one fragment (PS3.5 §A.4)."""
    yield _ITEM + bytes(4) + _ITEM + (frame.size + frame.size % 2).to_bytes(4, "little")
    yield from frame.chunks()
    yield bytes(frame.size % 2)


def _vr(attributes: JSONDataset, pixels: PixelData) -> str:
    """PS3.5 §8.2, §A.2, §A.4."""
    if pixels.native is None:
        return "OB"
    if description.number(attributes, description.BITS_ALLOCATED) > 8:
        return "OW"
    return "OB" if attributes[PIXEL_DATA].get("vr") == "OB" else "OW"


def _transfer_syntax(pixels: PixelData | None, values: Values) -> str:
    """That of all the pixel data in the file."""
    nested = {value.transfer_syntax for value in values.values() if isinstance(value, Nested)}
    found = nested | ({pixels.transfer_syntax} if pixels is not None else set())
    if len(found) > 1:
        raise Unfit(Reason.SYNTAX_NOT_SUPPORTED, "its pixel data comes in several transfer syntaxes, a file has one")
    return found.pop() if found else syntaxes.EXPLICIT_LITTLE
