"""A data set in Explicit VR Little Endian again in Implicit VR Little Endian, as a stream (PS3.5 §7.1.3, §A.1).

Values go out byte for byte, also text in its own character set. What has a length in front that would change, items and
sequences, gets delimiters instead. For data sets that the scanner has read, without compressed pixels.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from dicomgate import errors
from dicomgate.dicom import encode, forms
from dicomgate.dicom.source import Source, Truncated

_WINDOW: Final = 64 << 10
_STEP: Final = 1 << 20
_TAG: Final = struct.Struct("<HH")
_LONG: Final = struct.Struct("<I")
_SHORT: Final = struct.Struct("<H")
_ITEM, _ITEM_END, _SEQUENCE_END = (0xFFFE, 0xE000), (0xFFFE, 0xE00D), (0xFFFE, 0xE0DD)


@dataclass(slots=True)
class _Window:
    """Reads heads without a visit to the source for each."""

    source: Source
    start: int = 0
    content: bytes = b""

    def read(self, at: int, length: int) -> bytes:
        offset = at - self.start
        if offset < 0 or offset + length > len(self.content):
            self.start, offset = at, 0
            self.content = self.source.read_at(at, _WINDOW)
        return self.content[offset : offset + length]


@dataclass(slots=True)
class _Place:
    """A sequence or an item that is being written: where it ends, if it told, and what then ends it."""

    end: int | None
    closing: bytes


@dataclass(slots=True)
class _Writer:
    window: _Window
    span: range
    places: list[_Place] = field(default_factory=list)

    def pieces(self) -> Iterator[bytes]:
        at = self.span.start
        while True:
            while self.places and self.places[-1].end is not None and at >= (self.places[-1].end or 0):
                yield self.places.pop().closing
            if at >= self.span.stop:
                return
            head = self.window.read(at, 12)
            if len(head) < 8:
                raise Truncated(f"byte {at}: the data set ends within an element")
            tag = _TAG.unpack_from(head)
            if tag[0] == _ITEM[0]:
                yield self._delimiter(tag, _LONG.unpack_from(head, 4)[0], at)
                at += 8
                continue
            vr, value, length = _element(head, at)
            if vr == b"SQ":
                yield head[:4] + _LONG.pack(forms.UNDEFINED)
                self._enter(length, value, encode.SEQUENCE_END)
                at = value
                continue
            if length == forms.UNDEFINED:
                raise errors.NotAcceptable("a value of undefined length cannot be written in Implicit VR")
            if tag[1]:  # a group length would be wrong now
                yield head[:4] + _LONG.pack(length)
                yield from self._value(value, length)
            at = value + length

    def _delimiter(self, tag: tuple[int, int], length: int, at: int) -> bytes:
        if tag == _ITEM:
            self._enter(length, at + 8, encode.ITEM_END)
            return encode.ITEM
        if tag in (_ITEM_END, _SEQUENCE_END) and self.places:
            return self.places.pop().closing
        raise errors.Malformed(f"byte {at}: a delimiter where none can be")

    def _enter(self, length: int, at: int, closing: bytes) -> None:
        self.places.append(_Place(None if length == forms.UNDEFINED else at + length, closing))

    def _value(self, at: int, length: int) -> Iterator[bytes]:
        if length <= _WINDOW // 4:
            yield self.window.read(at, length)
            return
        for offset in range(at, at + length, _STEP):
            yield self.window.source.read_at(offset, min(_STEP, at + length - offset))


def _element(head: bytes, at: int) -> tuple[bytes, int, int]:
    """VR, where the value begins, its length."""
    vr = head[4:6]
    if vr.decode("latin-1") not in forms.LONG_VRS:
        return vr, at + 8, int(_SHORT.unpack_from(head, 6)[0])
    if len(head) < 12:
        raise Truncated(f"byte {at}: the data set ends within an element")
    return vr, at + 12, int(_LONG.unpack_from(head, 8)[0])


def write_implicit(source: Source, span: range) -> Iterator[bytes]:
    """The data set that lies there, in chunks of at most 1 MiB.

    NotAcceptable for a value of undefined length that is no sequence; Malformed or Truncated for what is no data set.
    """
    return encode.batched(_Writer(_Window(source), span).pieces())
