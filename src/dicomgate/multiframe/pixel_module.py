"""One Image Pixel module for all frames, and what that asks of each (PS3.3 C.7.6.3, C.8.15.2, LC-11, LC-19)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from dicomgate.dicom import values
from dicomgate.dicom.frames import NativeFrames
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.multiframe import classes, classic, samples
from dicomgate.multiframe.classic import Classic
from dicomgate.multiframe.gather import FrameSet
from dicomgate.multiframe.samples import Alteration

_PADDING, _LIMIT = "00280120", "00280121"
OVERLAY_BIT: Final = "0102"
"""Overlay Bit Position, the element number in each overlay group; an overlay with own data says 0 there."""


@dataclass(frozen=True, slots=True)
class Pixels:
    """The module's elements, and for each frame how it is altered; None: it is copied."""

    elements: JSONDataset
    alterations: tuple[Alteration | None, ...]


def unite(frame_set: FrameSet) -> Pixels:
    """The form that all frames get. Compressed ones have it already, or they would not be of one set."""
    sources = frame_set.sources
    first = sources[0]
    is_signed = _whole(first, "00280103") == 1
    stored = [_whole(source, "00280101") for source in sources]
    if frame_set.is_compressed:
        room, bits, padding = _whole(first, "00280100"), stored[0], None
        alterations: tuple[Alteration | None, ...] = (None,) * len(sources)
    else:
        bits = min(number for number in _STORED[frame_set.kind.name] if number >= max(stored))
        allocated = max(_whole(source, "00280100") for source in sources)
        room = min(number for number in frame_set.kind.allocated if number >= max(allocated, bits))
        padding = _padding(sources, room, bits)
        alterations = tuple(_alteration(source, room, bits, padding) for source in sources)
    return Pixels(_elements(first, room, bits, is_signed=is_signed) | _padded(sources, padding), alterations)


_STORED: Final = {kind.name: sorted(kind.stored) for kind in classes.KINDS}


def _elements(first: Classic, room: int, bits: int, *, is_signed: bool) -> JSONDataset:
    numbers = {
        "00280002": 1,
        "00280010": _whole(first, "00280010"),
        "00280011": _whole(first, "00280011"),
        "00280100": room,
        "00280101": bits,
        "00280102": bits - 1,
        "00280103": int(is_signed),
    }
    found: JSONDataset = {tag: {"vr": "US", "Value": [number]} for tag, number in numbers.items()}
    found["00280004"] = {"vr": "CS", "Value": ["MONOCHROME2"]}
    found["7FE00010"] = {"vr": "OB" if room == 8 else "OW", "BulkDataURI": "frames"}
    return found


def _alteration(source: Classic, room: int, bits: int, padding: int | None) -> Alteration | None:
    allocated, stored, high = (_whole(source, tag) for tag in ("00280100", "00280101", "00280102"))
    own = _own_padding(source)
    exchanged = (own, padding) if padding is not None and own is not None and own != padding else None
    is_same = allocated == room and stored == bits and high == stored - 1
    if is_same and exchanged is None and not has_high_overlay(source):
        return None
    return Alteration(
        allocated=allocated,
        room=room,
        stored=stored,
        shift=high + 1 - stored,
        is_signed=_whole(source, "00280103") == 1,
        padding=exchanged,
    )


def has_high_overlay(source: Classic) -> bool:
    """True when bits of the samples that are no part of their value are an overlay (PS3.5 §8.1.2, retired)."""
    bits = [tag for tag in source.attributes if tag[:2] == "60" and tag[4:] == OVERLAY_BIT]
    return any(classes.is_overlay(tag) and classic.number(source.attributes, tag) for tag in bits)


# Padding.


def _own_padding(source: Classic) -> int | None:
    number = classic.number(source.attributes, _PADDING)
    return int(number) if number is not None else None


def _padding(sources: Sequence[Classic], room: int, bits: int) -> int | None:
    """The one value that padding gets where the sources have several, if it is no sample's value where it comes to.

    Without such a value, and where padding is a range, each frame keeps its own, which its unassigned attributes tell.
    """
    own = {value for source in sources if (value := _own_padding(source)) is not None}
    if len(own) < 2 or any(_LIMIT in source.attributes for source in sources):
        return None
    return next((value for value in sorted(own) if _is_free(value, sources, room, bits)), None)


def _is_free(value: int, sources: Sequence[Classic], room: int, bits: int) -> bool:
    for source in sources:
        if _own_padding(source) == value:
            continue
        how = _alteration(source, room, bits, value)
        if how is None or source.content is None or not isinstance(source.frames, NativeFrames):
            return False
        plain = replace(how, padding=None)
        if samples.count(samples.alter(read_native(source), plain), value, plain):
            return False
    return True


def read_native(source: Classic) -> bytes:
    """The one frame of an image, little endian."""
    assert isinstance(source.frames, NativeFrames), "compressed frames are copied"
    place = source.frames.find(1)
    assert place is not None, "an image of a set has one frame"
    with source.opened() as (_, dataset):
        return values.swap(dataset.read_at(place[0].start, len(place[0])), source.frames.swap_word)


def _padded(sources: Sequence[Classic], padding: int | None) -> JSONDataset:
    if padding is None:
        return {}
    element = sources[0].attributes[_PADDING]
    return {_PADDING: {**element, "Value": [padding]}}


def _whole(source: Classic, tag: str) -> int:
    return int(classic.number(source.attributes, tag) or 0)
