"""Compressed pixel data inside sequences, such as icons, made native (PS3.5 §A.4).

Which transfer syntax they are compressed in only the file's own tells. Another one would make them lie; native they may
be in all of them.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from typing import Any

from dicomgate import errors
from dicomgate.dicom import encode, explicit, pixel_description, syntaxes
from dicomgate.dicom.encode import BulkValue
from dicomgate.dicom.header import Header
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.source import Source
from dicomgate.representations import changed_attributes, frame_making
from dicomgate.representations.changed_attributes import Changes, Encoded
from dicomgate.representations.maker import Maker


def decode(maker: Maker, source: Source, header: Header) -> tuple[Changes, dict[str, BulkValue]]:
    """The sequences of the data set itself that hold such pixel data, with items that tell of it as it is now.

    NotAcceptable when one cannot be decoded.
    """
    changes: Changes = {}
    made: dict[str, BulkValue] = {}
    content = explicit.find_dataset(source, header)[0]
    for path, place in header.bulk.items():
        steps = path.split("/")
        if not place.pieces or len(steps) == 1 or steps[-1] != encode.PIXEL_DATA:
            continue
        changes.setdefault(steps[0], copy.deepcopy(header.attributes[steps[0]]))
        item = _find_item(changes, steps)
        made[path] = _decode(maker, item, header.transfer_syntax, _read(content, place.pieces))
    return changes, made


def _decode(maker: Maker, item: JSONDataset, transfer_syntax: str, chunks: Iterator[bytes]) -> BulkValue:
    """One picture, of which its item then tells the truth."""
    try:
        description = pixel_description.describe(item, transfer_syntax)
    except (errors.Malformed, errors.TooLarge) as fault:
        raise errors.NotAcceptable(f"a picture inside a sequence cannot be decoded: {fault.message}") from fault
    (frame,) = frame_making.make(maker, description, syntaxes.EXPLICIT_LITTLE, [b"".join(chunks)])
    encoded = Encoded(transfer_syntax=syntaxes.EXPLICIT_LITTLE, description=frame.description)
    for tag, element in changed_attributes.described_pixels(item, encoded).items():
        assert element is not None, "nothing goes"
        item[tag] = element
    return BulkValue(len(frame.codestream), [frame.codestream])


def _find_item(changes: Changes, steps: list[str]) -> JSONDataset:
    """The item that a path leads to: tags and item numbers, from 1, in turn."""
    items: Any = changes
    for tag, number in zip(steps[:-1:2], steps[1::2], strict=True):
        items = items[tag]["Value"][int(number) - 1]
    found: JSONDataset = items
    return found


def _read(source: Source, pieces: Iterable[range]) -> Iterator[bytes]:
    for piece in pieces:
        yield source.read_at(piece.start, len(piece))
