"""Boxes: the frame that JP2, JPH, JPEG XL and MP4 files share (ISO/IEC 15444-1 Annex I, 14496-12 §4.2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dicomgate import errors
from dicomgate.dicom.codestreams_reading import exactly, numbers
from dicomgate.dicom.source import Source, Truncated

MOST_BOXES = 100_000


@dataclass(slots=True)
class Allowance:
    """How many boxes may still be read of one file, at all depths together."""

    boxes: int = MOST_BOXES


@dataclass(frozen=True, slots=True)
class Box:
    """One box: its type and where its content lies."""

    type: bytes
    content: range


def read_boxes(source: Source, span: range, allowance: Allowance) -> Iterator[Box]:
    """The boxes that fill a span, one after the other, never their content; a pad of zeros may follow them.

    Truncated when one does not fit, Malformed when one is shorter than its own head, TooLarge beyond the allowance.
    """
    at = span.start
    while at < span.stop:
        allowance.boxes -= 1
        if allowance.boxes < 0:
            raise errors.TooLarge(f"more than {MOST_BOXES} boxes in a file")
        if span.stop - at < 8 and not source.read_at(at, span.stop - at).strip(b"\0"):
            return
        head = exactly(source, at, 8, span.stop)
        (length,) = numbers("I", head)
        start = at + 8
        if length == 1:
            (length,) = numbers("Q", exactly(source, start, 8, span.stop))
            start += 8
        end = at + length if length else span.stop
        if end < start:
            raise errors.Malformed(f"byte {at}: a box of {length} bytes")
        if end > span.stop:
            raise Truncated(f"byte {at}: a box of {length} bytes where {span.stop - at} are left")
        yield Box(head[4:], range(start, end))
        at = end
