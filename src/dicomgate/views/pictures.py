"""Objects that are put together of what lies elsewhere: their size, and any span of their file (PS3.10 §7).

What no caller asked for is not read: while the length is counted, frames are zeros.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from dicomgate import errors
from dicomgate.dicom import bulk, encode, part10, spans, syntaxes
from dicomgate.dicom.encode import BulkValue, Encapsulated, FindBulk, Frames
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.uids import Target
from dicomgate.multiframe import classic
from dicomgate.origin import Piece

_HEAD: Final = 64
"""Bytes around a frame that may be asked for with it: the heads of fragments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """An object, not written. `sizes` are those of its frames, none for what has no pixels; `read` gives one, from 1.

    `find` gives the bytes of the other large values of `attributes`.
    """

    attributes: JSONDataset
    transfer_syntax: str
    sizes: Sequence[int]
    read: Callable[[int], bytes]
    find: FindBulk

    @property
    def is_compressed(self) -> bool:
        """Its frames are encapsulated."""
        syntax = syntaxes.find(self.transfer_syntax)
        return syntax is not None and syntax.is_encapsulated


def measure(picture: Picture) -> int:
    """How many bytes the file has."""
    return sum(map(len, _stream(picture, range(0))))


def write(picture: Picture, span: range) -> Iterator[bytes]:
    """A span of the file; only frames that it touches are read."""
    return spans.cut(_stream(picture, span), span)


def _stream(picture: Picture, wanted: range) -> Iterator[bytes]:
    position = 0

    def frames() -> Iterator[bytes]:
        for number, size in enumerate(picture.sizes, 1):
            is_wanted = position - _HEAD < wanted.stop and wanted.start < position + size + _HEAD
            yield picture.read(number) if is_wanted else bytes(size)

    def find(path: str, element: dict[str, Any]) -> BulkValue | Frames | Encapsulated:
        if path != encode.PIXEL_DATA or not picture.sizes:
            return picture.find(path, element)
        if picture.is_compressed:
            return Frames(picture.sizes, ((frame,) for frame in frames()))
        return BulkValue(sum(picture.sizes), frames())

    for piece in _pieces(picture, find):
        position += len(piece)
        yield piece


def said(picture: Picture) -> JSONDataset:
    """The data set as the file says it: in which repertoire, and of compressed pixels as what."""
    found = picture.attributes
    if not encode.is_ascii(found):
        found = {**found, encode.CHARSET: {"vr": "CS", "Value": [encode.UNICODE]}}
    if picture.is_compressed and encode.PIXEL_DATA in found:
        found = {**found, encode.PIXEL_DATA: {**found[encode.PIXEL_DATA], "vr": "OB"}}
    return {tag: found[tag] for tag in sorted(found)}


def _pieces(picture: Picture, find: FindBulk) -> Iterator[bytes]:
    attributes = said(picture)
    codec = "ascii" if encode.is_ascii(attributes) else "utf_8"
    yield part10.write_beginning(
        sop_class=classic.text(attributes, "00080016"),
        instance=classic.text(attributes, "00080018"),
        transfer_syntax=picture.transfer_syntax,
    )
    yield from encode.write_elements(attributes, find, codec=codec)


# Values.


def link(attributes: JSONDataset, target: Target) -> JSONDataset:
    """The same data set with the links that lead to its large values here."""
    return _linked(attributes, target, ())


def _linked(attributes: JSONDataset, target: Target, steps: encode.Steps) -> JSONDataset:
    """Parts without large values, nearly all of them, are not copied."""
    changed = {}
    for tag, element in attributes.items():
        if "BulkDataURI" in element:
            changed[tag] = {**element, "BulkDataURI": bulk.format_uri(target, bulk.format_path(steps, tag))}
        elif element.get("vr") == "SQ" and element.get("Value"):
            items = [item or {} for item in element["Value"]]
            values = [_linked(item, target, (*steps, (tag, number))) for number, item in enumerate(items, 1)]
            if any(new is not item for new, item in zip(values, items, strict=True)):
                changed[tag] = {**element, "Value": values}
    return {tag: changed.get(tag, element) for tag, element in attributes.items()} if changed else attributes


def paths(attributes: JSONDataset, steps: encode.Steps = ()) -> Iterator[str]:
    """Every large value, in the order of the data set."""
    for tag, element in attributes.items():
        if "BulkDataURI" in element:
            yield bulk.format_path(steps, tag)
        elif element.get("vr") == "SQ":
            for number, item in enumerate(element.get("Value") or (), 1):
                yield from paths(item or {}, (*steps, (tag, number)))


def value(picture: Picture, path: str, span: range | None) -> Piece:
    """A large value but for the pixels. NotFound for a path that names none."""
    if path not in set(paths(picture.attributes)):
        raise errors.NotFound("no such bulk data in this instance")
    element = classic.find(picture.attributes, path)
    found = picture.find(path, element)
    if not isinstance(found, BulkValue):
        raise errors.NotAcceptable("a compressed value is sent with its instance only")
    wanted = range(found.size) if span is None else span
    return Piece(
        transfer_syntax=syntaxes.EXPLICIT_LITTLE,
        vr=str(element["vr"]),
        size=len(wanted),
        chunks=spans.cut(found.chunks, wanted),
    )
