"""A file again in another transfer syntax, its pixel data from elsewhere (PS3.5 §A, PS3.10 §7).

What is written is Explicit VR Little Endian, with native or with encapsulated pixel data: elements that are stored so
go out byte for byte, all others are rewritten with the same values. Nothing is held whole.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain, repeat
from typing import Final

from dicomgate import errors
from dicomgate.dicom import encode, forms
from dicomgate.dicom.amend import Amendment
from dicomgate.dicom.encode import BulkValue, Encapsulated, Frames
from dicomgate.dicom.header import Header
from dicomgate.dicom.original_attributes import Changes
from dicomgate.dicom.source import Source
from dicomgate.dicom.values import Element

LONGEST: Final = 0xFFFFFFFE
"""Bytes of the longest value, and of the longest fragment, that a length of 32 bits can tell."""
_ITEM: Final = b"\xfe\xff\x00\xe0"
_BLANK: Final = bytes(1 << 20)


Made = Mapping[str, BulkValue | Frames | Encapsulated]
"""The bytes of values, by their paths."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the new file is to be: its transfer syntax, what changes, and the bytes of values that do.

    `changes`: elements by tag, None for one that goes; a value that is named by BulkDataURI is found in `made` by its
    path, else in the file at that path. `made` holds values that are not those of the file. Extended offset tables go
    with the pixel data that they tell of.
    """

    transfer_syntax: str
    changes: Changes
    made: Made


def recode(source: Source, header: Header, wanted: Wanted) -> Iterator[bytes]:
    """The whole file in chunks of at most 1 MiB. Malformed and TooLarge as `amend.amend`."""
    return encode.batched(_Recoding(source, header, wanted).pieces())


def measure(source: Source, header: Header, wanted: Wanted) -> int | None:
    """How many bytes `recode` will give; None when that is not known before: the values that are made are not read.

    It reads all others, so it costs what those do.
    """
    blank: dict[str, BulkValue | Frames] = {}
    for path, value in wanted.made.items():
        if isinstance(value, Encapsulated):
            return None
        blank[path] = _blank(value)
    return sum(map(len, _Recoding(source, header, replace(wanted, made=blank)).pieces()))


def encapsulate(frames: Iterable[bytes]) -> Iterator[bytes]:
    """The items of encapsulated pixel data: an empty Basic Offset Table, each frame a fragment (PS3.5 §A.4).

    TooLarge for a frame that no fragment holds.
    """
    yield _ITEM + bytes(4)
    for frame in frames:
        length = len(frame) + len(frame) % 2
        if length > LONGEST:
            raise errors.TooLarge(f"a compressed frame of {len(frame)} bytes; a fragment holds at most {LONGEST}")
        yield _ITEM + struct.pack("<I", length)
        yield frame
        if len(frame) % 2:
            yield b"\0"


def _blank(value: BulkValue | Frames) -> BulkValue | Frames:
    """As much of nothing."""
    if isinstance(value, Frames):
        return Frames(value.sizes, (_zeros(size) for size in value.sizes))
    return BulkValue(value.size, _zeros(value.size))


def _zeros(size: int) -> Iterator[bytes]:
    whole, rest = divmod(size, len(_BLANK))
    return chain(repeat(_BLANK, whole), iter([bytes(rest)] if rest else []))


class _Recoding(Amendment):
    """One file that is written in another syntax."""

    def __init__(self, source: Source, header: Header, wanted: Wanted) -> None:
        self._wanted = wanted
        tables = dict.fromkeys((encode.OFFSETS, encode.LENGTHS)) if encode.PIXEL_DATA in wanted.changes else {}
        super().__init__(source, header, {**tables, **wanted.changes}, [])

    def _can_be_copied(self) -> bool:
        return self._header.encoding is forms.EXPLICIT_LITTLE

    def _transfer_syntax(self) -> str:
        return self._wanted.transfer_syntax

    def _find_bulk(self, path: str, element: Element) -> BulkValue | Frames | Encapsulated:
        made = self._wanted.made.get(path)
        return made if made is not None else super()._find_bulk(path, element)
