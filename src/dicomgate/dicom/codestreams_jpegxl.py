"""The headers of JPEG XL pictures, bare or in a file (ISO/IEC 18181-1 §5 and Annexes, 18181-2; PS3.5 §8.2.15)."""

from __future__ import annotations

from dataclasses import dataclass

from dicomgate import errors
from dicomgate.dicom import picture
from dicomgate.dicom.codestreams_boxes import Allowance, read_boxes
from dicomgate.dicom.codestreams_reading import Bits
from dicomgate.dicom.picture import MONOCHROME2, RGB, Picture
from dicomgate.dicom.source import Source, Truncated

START = b"\xff\x0a"
FILE_START = b"\0\0\0\x0cJXL \r\n\x87\n"
_UID = "1.2.840.10008.1.2.4."
_HEADER = 4096
"""Bytes of the codestream in which the headers must lie; a colour profile, which is coded, ends the reading."""
_GREY = 1

_Choice = tuple[int, int]
"""How many bits follow, and what is added to them."""
_SIDE: tuple[_Choice, ...] = ((9, 1), (13, 1), (18, 1), (30, 1))
_RATIOS = ((0, 1), (1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
_ENUM: tuple[_Choice, ...] = ((0, 0), (0, 1), (4, 2), (6, 18))
_WHOLE: tuple[_Choice, ...] = ((0, 8), (0, 10), (0, 12), (6, 1))
_REAL: tuple[_Choice, ...] = ((0, 32), (0, 16), (0, 24), (6, 1))
_XY: tuple[_Choice, ...] = ((19, 0), (19, 524_288), (20, 1_048_576), (21, 2_097_152))
_PREVIEW_BY_8: tuple[_Choice, ...] = ((0, 16), (0, 32), (5, 1), (9, 33))
_PREVIEW: tuple[_Choice, ...] = ((6, 1), (8, 65), (10, 321), (12, 1345))
_EXTRA_COUNT: tuple[_Choice, ...] = ((0, 0), (0, 1), (4, 2), (12, 1))


@dataclass(slots=True)
class _Found:
    """What the headers say. `is_modular` and `is_ybr` are None where a coded colour profile hides the frame header."""

    rows: int = 0
    columns: int = 0
    bits: int = 8
    is_xyb: bool = True
    is_grey: bool = False
    is_turned: bool = False
    has_profile: bool = False
    is_modular: bool | None = None
    is_ybr: bool | None = None


def read(source: Source) -> Picture:
    """The picture. Malformed or Truncated when it is none, UnsupportedMedia when no transfer syntax takes it.

    A file that can give back the JPEG it was made from is kept whole; of any other only the codestream.
    """
    spans: tuple[range, ...] = (range(source.size),)
    is_recompressed = False
    if source.read_at(0, len(FILE_START)) == FILE_START:
        spans, is_recompressed = _find_codestream(source)
    head = _head(source, spans)
    if not head.startswith(START):
        raise errors.Malformed("expected a JPEG XL picture, saw other first bytes")
    found = _read_header(Bits(head[2:], least_first=True))
    if is_recompressed:
        spans = (range(source.size),)
    return picture.checked(_describe(found, spans, is_recompressed=is_recompressed))


def _find_codestream(source: Source) -> tuple[tuple[range, ...], bool]:
    """The codestream's parts, and whether the file also tells how to rebuild a JPEG from it."""
    parts: list[range] = []
    is_recompressed = False
    for box in read_boxes(source, range(source.size), Allowance()):
        if box.type == b"jxlc":
            parts.append(box.content)
        elif box.type == b"jxlp":
            parts.append(box.content[4:])
        elif box.type == b"jbrd":
            is_recompressed = True
    if not parts:
        raise Truncated("a JPEG XL file without a codestream")
    return tuple(parts), is_recompressed


def _head(source: Source, spans: tuple[range, ...]) -> bytes:
    head = b""
    for span in spans:
        head += source.read_at(span.start, min(len(span), _HEADER - len(head)))
        if len(head) >= _HEADER:
            break
    return head


def _read_header(bits: Bits) -> _Found:
    found = _Found()
    found.columns, found.rows = _size(bits)
    if not bits.flag():
        _read_metadata(bits, found)
    if found.is_turned:
        found.rows, found.columns = found.columns, found.rows
    if not found.has_profile:
        bits.at += -bits.at % 8
        _read_frame(bits, found)
    return found


def _choose(bits: Bits, choices: tuple[_Choice, ...]) -> int:
    count, base = choices[bits.read(2)]
    return base + bits.read(count)


def _size(bits: Bits) -> tuple[int, int]:
    is_small = bits.flag()
    height = (bits.read(5) + 1) * 8 if is_small else _choose(bits, _SIDE)
    across, down = _RATIOS[bits.read(3)]
    if across:
        return height * across // down, height
    return (bits.read(5) + 1) * 8 if is_small else _choose(bits, _SIDE), height


def _read_metadata(bits: Bits, found: _Found) -> None:
    has_more = bits.flag()
    if has_more:
        found.is_turned = bits.read(3) >= 4
        if bits.flag():
            _size(bits)
        if bits.flag():
            _skip_preview(bits)
        if bits.flag():
            raise errors.UnsupportedMedia("an animated JPEG XL picture: send each frame by itself")
    found.bits = _depth(bits)
    bits.flag()
    extra = _choose(bits, _EXTRA_COUNT)
    if extra:
        raise errors.UnsupportedMedia(f"a JPEG XL picture with {extra} channels beside its colours")
    found.is_xyb = bits.flag()
    _read_colours(bits, found)
    if has_more and not bits.flag():
        bits.read(16 + 16 + 1 + 16)  # tone mapping
    _skip_extensions(bits)
    if not bits.flag():
        _skip_transforms(bits, found)


def _skip_preview(bits: Bits) -> None:
    choices = _PREVIEW_BY_8 if bits.flag() else _PREVIEW
    _choose(bits, choices)
    if not bits.read(3):
        _choose(bits, choices)


def _depth(bits: Bits) -> int:
    if bits.flag():
        raise errors.UnsupportedMedia("a JPEG XL picture of floating point samples")
    return _choose(bits, _WHOLE)


def _read_colours(bits: Bits, found: _Found) -> None:
    if bits.flag():
        return  # sRGB
    found.has_profile = bits.flag()
    space = _choose(bits, _ENUM)
    found.is_grey = space == _GREY
    if found.has_profile or space == 2:
        return
    if _choose(bits, _ENUM) == 2:
        _skip_xy(bits, 1)
    if not found.is_grey and _choose(bits, _ENUM) == 2:
        _skip_xy(bits, 3)
    if bits.flag():
        bits.read(24)
    else:
        _choose(bits, _ENUM)
    _choose(bits, _ENUM)


def _skip_xy(bits: Bits, points: int) -> None:
    for _ in range(2 * points):
        _choose(bits, _XY)


def _wide(bits: Bits) -> int:
    """A number of up to 64 bits."""
    match bits.read(2):
        case 0:
            return 0
        case 1:
            return 1 + bits.read(4)
        case 2:
            return 17 + bits.read(8)
    number, shift = bits.read(12), 12
    while shift < 60 and bits.flag():
        number |= bits.read(8) << shift
        shift += 8
    if shift == 60 and bits.flag():
        number |= bits.read(4) << shift
    return number


def _skip_extensions(bits: Bits) -> None:
    extensions = _wide(bits)
    total = sum(_wide(bits) for _ in range(extensions.bit_count()))
    bits.read(total)


def _skip_transforms(bits: Bits, found: _Found) -> None:
    if found.is_xyb and not bits.flag():
        bits.read(16 * 16)  # inverse opsin matrix and biases
    weights = bits.read(3)
    for index, count in enumerate((15, 55, 210)):
        if weights >> index & 1:
            bits.read(16 * count)


def _read_frame(bits: Bits, found: _Found) -> None:
    """The beginning of the first frame's header: how it is coded."""
    found.is_modular, found.is_ybr = False, False
    if bits.flag():
        return
    bits.read(2)
    found.is_modular = bits.flag()
    _wide(bits)
    if not found.is_xyb:
        found.is_ybr = bits.flag()


def _describe(found: _Found, spans: tuple[range, ...], *, is_recompressed: bool) -> Picture:
    if found.bits > 16:
        raise errors.UnsupportedMedia(f"a JPEG XL picture of {found.bits} bits a sample: at most 16 are taken")
    is_lossless = not is_recompressed and not found.is_xyb and found.is_modular is True
    return Picture(
        rows=found.rows,
        columns=found.columns,
        samples=1 if found.is_grey else 3,
        bits=found.bits,
        photometric=_colour(found, is_recompressed=is_recompressed),
        syntaxes=tuple(_UID + number for number in _syntaxes(is_lossless=is_lossless, is_recompressed=is_recompressed)),
        spans=spans,
        is_lossy=not is_lossless,
    )


def _syntaxes(*, is_lossless: bool, is_recompressed: bool) -> tuple[str, ...]:
    if is_recompressed:
        return ("111", "112")
    return ("110", "112") if is_lossless else ("112",)


def _colour(found: _Found, *, is_recompressed: bool) -> str:
    if found.is_grey:
        return MONOCHROME2
    if found.is_xyb:
        return "XYB"
    hidden_ybr = found.is_ybr is None and is_recompressed
    return "YBR_FULL_422" if found.is_ybr or hidden_ybr else RGB
