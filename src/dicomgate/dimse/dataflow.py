"""P-DATA: the bytes of a connection -> events of messages, and messages -> bytes (PS3.8 §9.3.1, Annex E).

This is the road of every stored byte, so it is written for speed: values are handed on as views of what was received,
whatever the PDUs were cut into, and no PDU is ever put together. Sans I/O; memory is what the caller feeds.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from dicomgate import errors
from dicomgate.dimse import upper_layer

_HEAD: Final = 6
_VALUE_HEAD: Final = 6  # length, context, control
_COMMAND, _LAST = 1, 2
_VALUE: Final = struct.Struct(">IBB")
_WRITE: Final = struct.Struct(">BxIIBB")
_LONGEST_OTHER: Final = 64
_MOST_WRITTEN: Final = 128 << 10
"""Bytes of a PDU of ours, also where a peer takes any: DCMTK's largest."""


@dataclass(frozen=True, slots=True)
class Value:
    """A piece of a message: in which context, of the command set or the data set, and whether it is the last."""

    context: int
    is_command: bool
    is_last: bool
    content: memoryview


@dataclass(frozen=True, slots=True)
class Whole:
    """A PDU that is no P-DATA, its type and body."""

    kind: int
    body: bytes


Event = Value | Whole


class Reader:
    """Turns what was received into events. `longest`: the longest P-DATA PDU that we said we take.

    `count` is that of the PDUs that were begun.
    """

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self.count = 0
        self._waiting = b""  # a head or a small PDU whose rest has not come
        self._pdu_left = 0
        self._value_left = 0
        self._context = 0
        self._control = 0

    @property
    def is_between(self) -> bool:
        """True when no PDU is half read."""
        return not self._waiting and not self._pdu_left

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """What the next bytes say; to be taken before the next are fed. Malformed for what is no PDU of ours.

        TooLarge for PDUs that are longer than was agreed on.
        """
        if self._waiting:
            chunk = self._waiting + chunk
            self._waiting = b""
        view = memoryview(chunk)
        at, end = 0, len(chunk)
        while at < end:
            if self._value_left:
                stop = min(end, at + self._value_left)
                self._value_left -= stop - at
                self._pdu_left -= stop - at
                is_last = bool(self._control & _LAST) and not self._value_left
                yield Value(self._context, bool(self._control & _COMMAND), is_last, view[at:stop])
                at = stop
                continue
            if self._pdu_left:
                if end - at < _VALUE_HEAD:
                    break
                at = self._begin_value(chunk, at)
                if self._is_empty_end():
                    yield Value(self._context, bool(self._control & _COMMAND), True, view[at:at])
                continue
            if end - at < _HEAD:
                break
            kind, length = upper_layer.HEAD.unpack_from(chunk, at)
            self.count += 1
            if kind == upper_layer.DATA:
                self._begin_data(length)
                at += _HEAD
                continue
            self._check_other(kind, length)
            if end - at < _HEAD + length:
                break
            yield Whole(kind, chunk[at + _HEAD : at + _HEAD + length])
            at += _HEAD + length
        self._waiting = chunk[at:] if at < end else b""

    def _begin_data(self, length: int) -> None:
        if length > self._longest:
            raise errors.TooLarge(f"a P-DATA PDU of {length} bytes, at most {self._longest} were agreed on")
        if length < _VALUE_HEAD:
            raise errors.Malformed(f"a P-DATA PDU of {length} bytes, which holds nothing")
        self._pdu_left = length

    def _begin_value(self, chunk: bytes, at: int) -> int:
        length, self._context, self._control = _VALUE.unpack_from(chunk, at)
        if length < 2 or length + 4 > self._pdu_left:
            raise errors.Malformed(f"a presentation data value of {length} bytes where {self._pdu_left} are left")
        self._pdu_left -= _VALUE_HEAD
        self._value_left = length - 2
        if 0 < self._pdu_left - self._value_left < _VALUE_HEAD:
            raise errors.Malformed("a P-DATA PDU with bytes of no value")
        return at + _VALUE_HEAD

    def _is_empty_end(self) -> bool:
        return not self._value_left and bool(self._control & _LAST)

    def _check_other(self, kind: int, length: int) -> None:
        if kind in (upper_layer.REQUEST, upper_layer.ACCEPT):
            most = upper_layer.LONGEST_REQUEST
        elif upper_layer.REQUEST < kind <= upper_layer.ABORT:
            most = _LONGEST_OTHER
        else:
            raise errors.Malformed("expected a PDU of DICOM's upper layer, saw other bytes")
        if length > most:
            raise errors.TooLarge(f"a PDU of type {kind} of {length} bytes, at most {most} are taken")


def write_message(
    context: int, content: Iterable[bytes], longest: int, *, is_command: bool, batch: int = 256 << 10
) -> Iterator[bytes]:
    """A command set or data set as P-DATA PDUs no longer than the peer takes, several PDUs at a time.

    Whatever the peer takes, no more than a PDU and a batch is in memory. No value but the last has an odd length
    (PS3.8 §E.2).
    """
    most = (min(longest, _MOST_WRITTEN) - _VALUE_HEAD) & ~1
    control = _COMMAND if is_command else 0
    pieces: list[bytes | memoryview] = []
    size = 0
    for part, is_last in _marked(_cut(content, most)):
        length = len(part)
        pieces += (
            _WRITE.pack(upper_layer.DATA, length + 6, length + 2, context, control | (_LAST if is_last else 0)),
            part,
        )
        size += length
        if size >= batch:
            yield b"".join(pieces)
            pieces.clear()
            size = 0
    if pieces:
        yield b"".join(pieces)


def _cut(chunks: Iterable[bytes], room: int) -> Iterator[bytes | memoryview]:
    """The same bytes in pieces of so many, small chunks joined; the last may be shorter."""
    waiting: list[bytes | memoryview] = []
    size = 0
    for chunk in chunks:
        view = memoryview(chunk)
        while size + len(view) >= room:
            taken = room - size
            yield b"".join((*waiting, view[:taken])) if waiting else view[:taken]
            waiting, size, view = [], 0, view[taken:]
        if view:
            waiting.append(view)
            size += len(view)
    if waiting:
        yield b"".join(waiting)


def _marked(parts: Iterable[bytes | memoryview]) -> Iterator[tuple[bytes | memoryview, bool]]:
    """Each with whether it is the last; one empty part where there is none."""
    held: bytes | memoryview | None = None
    for part in parts:
        if held is not None:
            yield held, False
        held = part
    yield held if held is not None else b"", True
