"""The headers of JPEG 2000 and HTJ2K pictures, bare or in a JP2, JPX or JPH file.

ISO/IEC 15444-1 Annexes A and I, 15444-2, 15444-15; PS3.5 §8.2.4, §8.2.14, §10.18. A data set holds the bare
codestream: the boxes around it stay out.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from dicomgate import errors
from dicomgate.dicom import picture
from dicomgate.dicom.codestreams_boxes import Allowance, Box, read_boxes
from dicomgate.dicom.codestreams_reading import exactly, numbers
from dicomgate.dicom.picture import MONOCHROME2, RGB, Picture
from dicomgate.dicom.source import Source, Truncated

START = b"\xff\x4f\xff\x51"
FILE_START = b"\0\0\0\x0cjP  \r\n\x87\n"
MOST_SEGMENTS = 10_000
MOST_TILE_PARTS = 100_000
_UID = "1.2.840.10008.1.2.4."
_SIZ, _COD, _COC, _CAP, _TLM, _SOT, _EOC = 0xFF51, 0xFF52, 0xFF53, 0xFF50, 0xFF55, 0xFF90, b"\xff\xd9"
_PART_2 = 0x8000
_PART_15 = 1 << 17
"""Of the capabilities, the bit of ISO/IEC 15444-15."""
_RPCL = 2
_THUMBNAIL = 64
_COLOURS = {16: RGB, 17: MONOCHROME2, 18: "YBR_FULL"}
"""Enumerated colour spaces of a file: sRGB, greyscale, sYCC."""


@dataclass(slots=True)
class _Found:
    """What the segments of the main header say."""

    capabilities: int = 0
    rows: int = 0
    columns: int = 0
    depths: list[int] = field(default_factory=list)
    steps: list[tuple[int, int]] = field(default_factory=list)
    is_high_throughput: bool = False
    has_tile_lengths: bool = False
    order: int = 0
    levels: int = 0
    mixes: int = -1
    reversible: list[bool] = field(default_factory=list)


def read(source: Source, *, is_high_throughput: bool) -> Picture:
    """The picture. Malformed or Truncated when it is none, UnsupportedMedia when no transfer syntax takes it."""
    colour: int | None = None
    span = range(source.size)
    if source.read_at(0, len(FILE_START)) == FILE_START:
        span, colour = _find_codestream(source)
    if source.read_at(span.start, len(START)) != START:
        raise errors.Malformed("expected a JPEG 2000 picture, saw other first bytes")
    found = _Found()
    at = _read_header(source, span, found)
    if found.is_high_throughput != is_high_throughput:
        raise errors.Malformed(f"expected {'HTJ2K' if is_high_throughput else 'JPEG 2000'}, saw the other")
    end = _skip_tiles(source, at, span.stop)
    return picture.checked(_describe(found, range(span.start, end), colour))


def _find_codestream(source: Source) -> tuple[range, int | None]:
    """Where the codestream lies in a file, and its enumerated colour space."""
    colour: int | None = None
    allowance = Allowance()
    for box in read_boxes(source, range(source.size), allowance):
        if box.type == b"jp2h":
            colour = _read_file_header(source, box, allowance)
        elif box.type == b"jp2c":
            return box.content, colour
    raise Truncated("a JPEG 2000 file without a codestream")


def _read_file_header(source: Source, header: Box, allowance: Allowance) -> int | None:
    colour: int | None = None
    for box in read_boxes(source, header.content, allowance):
        if box.type == b"pclr":
            raise errors.UnsupportedMedia("a JPEG 2000 file with a palette: a data set has no room for it")
        if box.type == b"colr" and colour is None and len(box.content) >= 7:
            method, _, _, space = numbers("BBBI", exactly(source, box.content.start, 7))
            colour = space if method == 1 else None
    return colour


def _read_header(source: Source, span: range, found: _Found) -> int:
    """The segments of the main header, up to the first tile-part."""
    at = span.start + 2
    for _ in range(MOST_SEGMENTS):
        marker, length = numbers("HH", exactly(source, at, 4, span.stop))
        if marker == _SOT:
            return at
        if marker < 0xFF01 or length < 2:
            raise errors.Malformed(f"byte {at}: expected a JPEG 2000 segment, saw something else")
        _take(found, marker, exactly(source, at + 4, length - 2, span.stop))
        at += 2 + length
    raise errors.TooLarge(f"more than {MOST_SEGMENTS} segments in the header of a JPEG 2000 picture")


def _take(found: _Found, marker: int, content: bytes) -> None:
    if marker == _SIZ:
        _take_size(found, content)
    elif marker == _CAP:
        found.is_high_throughput = bool(numbers("I", content)[0] & _PART_15)
    elif marker == _TLM:
        found.has_tile_lengths = True
    elif marker == _COD:
        _, found.order, _, found.mixes, found.levels, _, _, _, transform = numbers("BBHBBBBBB", content)
        found.reversible.append(transform == 1)
    elif marker == _COC:
        wide = 2 if len(found.depths) > 256 else 1
        found.reversible.append(numbers("B", content, wide + 5)[0] == 1)


def _take_size(found: _Found, content: bytes) -> None:
    found.capabilities, right, bottom, left, top, *_, count = numbers("HIIIIIIIIH", content)
    if not count or len(content) != 36 + 3 * count:
        raise errors.Malformed(f"a JPEG 2000 size segment of {len(content)} bytes for {count} components")
    found.columns, found.rows = max(right - left, 0), max(bottom - top, 0)
    found.depths = list(content[36::3])
    found.steps = list(zip(content[37::3], content[38::3], strict=True))


def _skip_tiles(source: Source, at: int, end: int) -> int:
    """Past all tile-parts, to the end of the codestream."""
    for _ in range(MOST_TILE_PARTS):
        head = exactly(source, at, 2, end)
        if head == _EOC:
            return at + 2
        if head != b"\xff\x90":
            raise errors.Malformed(f"byte {at}: expected a tile-part of a JPEG 2000 picture, saw something else")
        _, size, _, length = numbers("HHHI", exactly(source, at, 10, end))
        if not length:
            return _find_end(source, at, end)
        if size != 10 or length < 14:
            raise errors.Malformed(f"byte {at}: a JPEG 2000 tile-part of {length} bytes")
        at += length
    raise errors.TooLarge(f"more than {MOST_TILE_PARTS} tile-parts in a JPEG 2000 picture")


def _find_end(source: Source, at: int, end: int) -> int:
    """The last tile-part may leave its length unsaid; then the end marker closes the bytes, but for padding."""
    tail = source.read_at(max(at, end - 64), min(64, end - at))
    place = tail.rfind(_EOC)
    if place < 0 or tail[place + 2 :].strip(b"\0"):
        raise Truncated("a JPEG 2000 picture without its end marker")
    return end - len(tail) + place + 2


def _describe(found: _Found, span: range, colour: int | None) -> Picture:
    samples = len(found.depths)
    if samples not in (1, 3):
        raise errors.UnsupportedMedia(f"a JPEG 2000 picture of {samples} components: an image has 1 or 3")
    if len(set(found.depths)) != 1 or set(found.steps) != {(1, 1)}:
        raise errors.UnsupportedMedia("a JPEG 2000 picture whose components differ in depth or size")
    if not found.reversible:
        raise errors.Malformed("a JPEG 2000 picture without coding style")
    is_lossy = not all(found.reversible)
    return Picture(
        rows=found.rows,
        columns=found.columns,
        samples=samples,
        bits=(found.depths[0] & 0x7F) + 1,
        is_signed=bool(found.depths[0] & 0x80),
        photometric=_colour(found, samples, colour, is_lossy=is_lossy),
        syntaxes=tuple(_UID + number for number in _syntaxes(found, is_lossy=is_lossy)),
        spans=(span,),
        is_lossy=is_lossy,
    )


def _colour(found: _Found, samples: int, colour: int | None, *, is_lossy: bool) -> str:
    """Named after the transform that the codestream applies, else after the file's colour space (PS3.5 §8.2.4)."""
    if samples == 1:
        return MONOCHROME2
    if found.mixes == 1:
        return "YBR_ICT" if is_lossy else "YBR_RCT"
    return _COLOURS.get(colour or 16, RGB)


def _syntaxes(found: _Found, *, is_lossy: bool) -> tuple[str, ...]:
    if found.is_high_throughput:
        if is_lossy:
            return ("203",)
        return ("202", "201", "203") if _is_progressive(found) else ("201", "203")
    if found.capabilities & _PART_2:
        return ("93",) if is_lossy else ("92", "93")
    return ("91",) if is_lossy else ("90", "91")


def _is_progressive(found: _Found) -> bool:
    """What the RPCL syntax asks for: the order, a thumbnail as the lowest resolution, tile lengths (PS3.5 §10.18)."""
    smallest = min(found.rows, found.columns) >> found.levels
    return found.order == _RPCL and found.has_tile_lengths and smallest <= _THUMBNAIL
