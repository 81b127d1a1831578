"""What the codestream of one frame says of its size, read before anything is decoded (T3).

The first bytes alone: unlike `codestreams`, which judges whole pictures on their way into the store, nothing here minds
how a stored codestream ends. ISO/IEC 10918-1 Annex B, 14495-1 Annex C, 15444-1 Annex A, 18181-1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dicomgate import errors
from dicomgate.dicom import codestreams_jpegxl
from dicomgate.dicom.codestreams_boxes import Allowance, read_boxes
from dicomgate.dicom.codestreams_reading import exactly, numbers
from dicomgate.dicom.pixel_description import PixelDescription
from dicomgate.dicom.source import BytesSource

MOST_SEGMENTS = 10_000
MOST_TILES = 65_535
"""The index of a tile has 16 bits."""
_JPEG = b"\xff\xd8\xff"
_JPEG_2000 = b"\xff\x4f\xff\x51"
_JPEG_2000_FILE = b"\0\0\0\x0cjP  \r\n\x87\n"
_ALONE = frozenset({0x01, 0xFF, *range(0xD0, 0xD9)})
"""Markers without a segment, and fill bytes."""
_FRAMES = frozenset({*range(0xC0, 0xD0), 0xF7}) - {0xC4, 0xC8, 0xCC}
_DECODED = frozenset({0xC0, 0xC1, 0xC2, 0xC3, 0xF7})
"""Huffman coded and JPEG-LS: neither hierarchical nor arithmetic."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodestreamHeader:
    """One picture. `bits`: of a sample; `start`: where the codestream begins, past what a file format puts before it.

    Of JPEG: `frame` is the start-of-frame marker, `adobe` the colour transform that an Adobe segment names, None
    without one; `is_subsampled`: components differ in how many samples they have.
    """

    rows: int
    columns: int
    samples: int
    bits: int
    is_signed: bool = False
    start: int = 0
    stop: int = 0
    frame: int = 0
    adobe: int | None = None
    is_jfif: bool = False
    components: bytes = b""
    is_subsampled: bool = False


def read(content: bytes, media_type: str) -> CodestreamHeader | None:
    """The header of a frame whose codestream has this media type; None for those that say nothing of a size.

    Malformed or Truncated when it is none, NotAcceptable for a kind that is not decoded here.
    """
    reader = _READERS.get(media_type)
    return None if reader is None else reader(content)


def check(header: CodestreamHeader, description: PixelDescription) -> None:
    """Malformed when the codestream's own header contradicts the data set's, so that nothing larger is ever made."""
    said = (header.rows, header.columns, header.samples)
    if said != (description.rows, description.columns, description.samples_per_pixel):
        raise errors.Malformed(
            "a codestream of {} rows, {} columns, {} samples".format(*said)
            + f" in a data set of {description.rows}, {description.columns}, {description.samples_per_pixel}"
        )
    if header.bits > max(description.bits_allocated, 8):
        raise errors.Malformed(f"a codestream of {header.bits} bits where {description.bits_allocated} are allocated")


def _read_jpeg(content: bytes) -> CodestreamHeader:
    """Segments up to the frame header."""
    if not content.startswith(_JPEG):
        raise errors.Malformed("expected a JPEG codestream, saw other first bytes")
    source, at, adobe, is_jfif = BytesSource(content), 2, None, False
    for _ in range(MOST_SEGMENTS):
        mark, marker = exactly(source, at, 2)
        if mark != 0xFF:
            raise errors.Malformed(f"byte {at}: expected a JPEG marker, saw something else")
        if marker in _ALONE:
            at += 1 if marker == 0xFF else 2
            continue
        (length,) = numbers("H", exactly(source, at + 2, 2))
        if length < 2 or marker in (0xD9, 0xDA):
            raise errors.Malformed(f"byte {at}: expected the frame header of a JPEG codestream")
        segment = exactly(source, at + 4, length - 2)
        if marker in _FRAMES:
            return _frame(marker, segment, len(content), adobe=adobe, is_jfif=is_jfif)
        if marker == 0xEE and segment.startswith(b"Adobe") and len(segment) >= 12:
            adobe = segment[11]
        is_jfif = is_jfif or (marker == 0xE0 and segment.startswith(b"JFIF\0"))
        at += 2 + length
    raise errors.TooLarge(f"more than {MOST_SEGMENTS} segments in a JPEG codestream")


def _frame(marker: int, segment: bytes, stop: int, *, adobe: int | None, is_jfif: bool) -> CodestreamHeader:
    if marker not in _DECODED:
        raise errors.NotAcceptable("a hierarchical or arithmetically coded JPEG codestream is not decoded here")
    bits, rows, columns, samples = numbers("BHHB", segment)
    return CodestreamHeader(
        rows=rows,
        columns=columns,
        samples=samples,
        bits=bits,
        stop=stop,
        frame=marker,
        adobe=adobe,
        is_jfif=is_jfif,
        components=segment[6::3],
        is_subsampled=len(set(segment[7::3])) > 1,
    )


def _read_jpeg_2000(content: bytes) -> CodestreamHeader:
    """The size segment, which comes first; a file around the codestream, though forbidden, is seen through."""
    source, span = BytesSource(content), range(len(content))
    if content.startswith(_JPEG_2000_FILE):
        boxes = read_boxes(source, span, Allowance())
        span = next((box.content for box in boxes if box.type == b"jp2c"), range(0))
    if content[span.start : span.start + 4] != _JPEG_2000:
        raise errors.Malformed("expected a JPEG 2000 codestream, saw other first bytes")
    (length,) = numbers("H", exactly(source, span.start + 4, 2))
    segment = exactly(source, span.start + 6, max(length - 2, 0), span.stop)
    _, right, bottom, left, top, *tiles, samples = numbers("HIIIIIIIIH", segment)
    depths = segment[36::3]
    if not samples or len(segment) != 36 + 3 * samples:
        raise errors.Malformed(f"a JPEG 2000 size segment of {len(segment)} bytes for {samples} components")
    if len(set(depths)) != 1 or set(segment[37::3] + segment[38::3]) != {1}:
        raise errors.NotAcceptable("a JPEG 2000 codestream whose components are unlike is not decoded here")
    _check_tiles(right, bottom, tiles)
    return CodestreamHeader(
        rows=bottom - top,
        columns=right - left,
        samples=samples,
        bits=(depths[0] & 0x7F) + 1,
        is_signed=bool(depths[0] & 0x80),
        start=span.start,
        stop=span.stop,
    )


def _check_tiles(right: int, bottom: int, grid: list[int]) -> None:
    width, height, left, top = grid
    if not width or not height:
        raise errors.Malformed("a JPEG 2000 codestream with tiles of no size")
    tiles = -((left - right) // width) * -((top - bottom) // height)
    if tiles > MOST_TILES:
        raise errors.Malformed(f"a JPEG 2000 codestream of {tiles} tiles, at most {MOST_TILES} can be numbered")


def _read_jpeg_xl(content: bytes) -> CodestreamHeader:
    found = codestreams_jpegxl.read(BytesSource(content))
    return CodestreamHeader(
        rows=found.rows, columns=found.columns, samples=found.samples, bits=found.bits, stop=len(content)
    )


_READERS: dict[str, Callable[[bytes], CodestreamHeader]] = {
    "image/jpeg": _read_jpeg,
    "image/jls": _read_jpeg,
    "image/jp2": _read_jpeg_2000,
    "image/jpx": _read_jpeg_2000,
    "image/jphc": _read_jpeg_2000,
    "image/jxl": _read_jpeg_xl,
}
