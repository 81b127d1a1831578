"""The boxes of MP4 files: which video they hold, how many frames, at what rate (ISO/IEC 14496-12, -15)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from dicomgate import errors
from dicomgate.dicom import codestreams_video
from dicomgate.dicom.codestreams_boxes import Allowance, Box, read_boxes
from dicomgate.dicom.codestreams_reading import exactly, numbers
from dicomgate.dicom.codestreams_video import AVC, HEVC, Parameters
from dicomgate.dicom.picture import Picture
from dicomgate.dicom.source import Source, Truncated

MOST_PARAMETERS = 64 << 10
"""Bytes of a video's description."""
_FIXED = 78
"""Bytes of a visual sample entry before its own boxes."""
_AVC_ENTRIES = frozenset({b"avc1", b"avc3", b"mvc1"})
_HEVC_ENTRIES = frozenset({b"hvc1", b"hev1"})
_HEVC_SEQUENCE = 33


@dataclass(frozen=True, slots=True)
class _File:
    """A file, of which only so many boxes are read."""

    source: Source
    allowance: Allowance

    def boxes(self, span: range) -> Iterator[Box]:
        """The boxes that fill a span."""
        return read_boxes(self.source, span, self.allowance)

    def bytes(self, box: Box, offset: int, length: int) -> bytes:
        """Some of a box's content."""
        return exactly(self.source, box.content.start + offset, length, box.content.stop)


@dataclass(slots=True)
class _Track:
    """A track as its boxes tell it."""

    number: int = 0
    is_video: bool = False
    scale: int = 0
    duration: int = 0
    samples: int = 0
    parameters: Parameters | None = None


def is_file(head: bytes) -> bool:
    """Whether a file that begins so is of this family."""
    return head[4:8] == b"ftyp"


def read(source: Source, codecs: frozenset[str]) -> Picture:
    """The first video. Malformed or Truncated when there is none, UnsupportedMedia when no transfer syntax takes it."""
    file = _File(source, Allowance())
    tracks: list[_Track] = []
    fragments: list[Box] = []
    for box in file.boxes(range(source.size)):
        if box.type == b"moov":
            tracks += [_read_track(file, inner) for inner in file.boxes(box.content) if inner.type == b"trak"]
        elif box.type == b"moof":
            fragments.append(box)
    track = next((track for track in tracks if track.is_video), None)
    if track is None:
        raise Truncated("an MP4 file without a video")
    if track.parameters is None:
        raise errors.UnsupportedMedia("an MP4 file whose video is neither H.264 nor H.265", see=(AVC, HEVC))
    if track.parameters.codec not in codecs:
        raise errors.Malformed(f"expected {' or '.join(sorted(codecs))} video, saw {track.parameters.codec}")
    frames = track.samples + sum(_count_fragment(file, box, track.number) for box in fragments)
    is_timed = track.samples and track.scale and track.duration
    time = Fraction(track.duration * 1000, track.scale * track.samples) if is_timed else None
    return codestreams_video.describe(track.parameters, source.size, frames, time)


def _read_track(file: _File, track: Box) -> _Track:
    found = _Track()
    waiting = [track]
    while waiting:
        for box in file.boxes(waiting.pop().content):
            if box.type in (b"mdia", b"minf", b"stbl"):
                waiting.append(box)
            else:
                _take(file, box, found)
    return found


def _take(file: _File, box: Box, found: _Track) -> None:
    if box.type == b"tkhd":
        is_long = file.bytes(box, 0, 1)[0] == 1
        (found.number,) = numbers("I", file.bytes(box, 20 if is_long else 12, 4))
    elif box.type == b"mdhd":
        is_long = file.bytes(box, 0, 1)[0] == 1
        content = file.bytes(box, 20, 12) if is_long else file.bytes(box, 12, 8)
        found.scale, found.duration = numbers("IQ" if is_long else "II", content)
    elif box.type == b"hdlr":
        found.is_video = file.bytes(box, 8, 4) == b"vide"
    elif box.type in (b"stsz", b"stz2"):
        (found.samples,) = numbers("I", file.bytes(box, 8, 4))
    elif box.type == b"stsd":
        found.parameters = _read_entries(file, box)


def _read_entries(file: _File, box: Box) -> Parameters | None:
    """The parameters of the first entry that is a video we know."""
    for entry in file.boxes(box.content[8:]):
        if entry.type not in _AVC_ENTRIES | _HEVC_ENTRIES or len(entry.content) < _FIXED:
            continue
        inner = {item.type: item for item in file.boxes(entry.content[_FIXED:])}
        if entry.type in _AVC_ENTRIES and b"avcC" in inner:
            is_stereo = entry.type == b"mvc1" or b"mvcC" in inner
            return _read_avc(_content(file, inner[b"avcC"]), is_stereo=is_stereo)
        if entry.type in _HEVC_ENTRIES and b"hvcC" in inner:
            return _read_hevc(_content(file, inner[b"hvcC"]))
    return None


def _content(file: _File, box: Box) -> bytes:
    if len(box.content) > MOST_PARAMETERS:
        raise errors.TooLarge(f"a description of a video of {len(box.content)} bytes")
    return file.bytes(box, 0, len(box.content))


def _read_avc(record: bytes, *, is_stereo: bool) -> Parameters:
    """The first sequence parameter set of an AVC configuration record."""
    count, length = numbers("BH", record, 5)
    if not count & 0x1F:
        raise errors.Malformed("an H.264 configuration without a parameter set")
    return codestreams_video.read_avc(record[8 : 8 + length], is_stereo=is_stereo)


def _read_hevc(record: bytes) -> Parameters:
    """The first sequence parameter set of an HEVC configuration record."""
    (arrays,) = numbers("B", record, 22)
    at = 23
    for _ in range(arrays):
        kind, units = numbers("BH", record, at)
        at += 3
        for _ in range(units):
            (length,) = numbers("H", record, at)
            if kind & 0x3F == _HEVC_SEQUENCE:
                return codestreams_video.read_hevc(record[at + 2 : at + 2 + length])
            at += 2 + length
    raise errors.Malformed("an H.265 configuration without a parameter set")


def _count_fragment(file: _File, fragment: Box, track: int) -> int:
    """The samples that one movie fragment adds to a track."""
    total = 0
    for part in file.boxes(fragment.content):
        if part.type != b"traf":
            continue
        inner = list(file.boxes(part.content))
        heads = [numbers("I", file.bytes(box, 4, 4))[0] for box in inner if box.type == b"tfhd"]
        if heads[:1] == [track]:
            total += sum(numbers("I", file.bytes(box, 4, 4))[0] for box in inner if box.type == b"trun")
    return total
