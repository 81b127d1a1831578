"""The headers of JPEG and JPEG-LS pictures (ISO/IEC 10918-1 Annex B, 14495-1 Annex C; PS3.5 §8.2.1, §8.2.3)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from dicomgate import errors
from dicomgate.dicom import picture
from dicomgate.dicom.codestreams_reading import CHUNK, exactly, numbers
from dicomgate.dicom.picture import MONOCHROME2, RGB, Picture
from dicomgate.dicom.source import Source, Truncated

START = b"\xff\xd8\xff"
MOST_SEGMENTS = 10_000
_UID = "1.2.840.10008.1.2.4."
_EOI, _SOS, _SOF_LS = 0xD9, 0xDA, 0xF7
_APP0, _APP8, _APP14 = 0xE0, 0xE8, 0xEE
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})
_FRAMES = frozenset({*range(0xC0, 0xD0), _SOF_LS}) - {0xC4, 0xC8, 0xCC}
_HIERARCHICAL = frozenset({0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF})
_LOSSLESS = frozenset({0xC3, 0xCB})
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""In coded data a marker is what is neither a stuffed byte nor a restart."""
_MARKER_LS = re.compile(rb"\xff[\x80-\xcf\xd8-\xfe]")
"""JPEG-LS stuffs a bit, not a byte: only a second byte with its top bit set makes a marker."""

_SYNTAXES: dict[int, tuple[str, ...]] = {
    # By the start-of-frame marker; a baseline stream also is an extended one, not the other way round.
    0xC0: ("50", "51"),
    0xC1: ("51",),
    0xC2: ("55",),
    0xC3: ("57",),
    0xC9: ("52",),
    0xCA: ("56",),
    0xCB: ("58",),
}
_SPECTRAL_SELECTION = {0xC2: ("53",), 0xCA: ("54",)}
_DEPTHS: dict[int, range] = {0xC0: range(8, 9), 0xC3: range(2, 17), 0xCB: range(2, 17), _SOF_LS: range(2, 17)}
_SPIFF_YBR = frozenset({1, 3, 4})


@dataclass(slots=True)
class _Found:
    """What the segments say, as they are met."""

    frame: int = 0
    bits: int = 0
    rows: int = 0
    columns: int = 0
    components: list[int] = field(default_factory=list)
    selection: int = 0
    near: int = 0
    is_jfif: bool = False
    adobe: int | None = None
    spiff: int | None = None
    refines: bool = False
    scans: int = 0


def read(source: Source, *, is_ls: bool) -> Picture:
    """The first picture: whatever follows its end, a second picture or padding, does not belong to it.

    Malformed or Truncated when it is no such picture or has no end, UnsupportedMedia when no transfer syntax takes it.
    """
    if source.read_at(0, 3) != START:
        raise errors.Malformed("expected a JPEG picture, saw other first bytes")
    found = _Found()
    end = _read_segments(source, found, is_ls=is_ls)
    return picture.checked(_describe(found, range(end)))


def _read_segments(source: Source, found: _Found, *, is_ls: bool) -> int:
    """Walk all segments; where the picture ends. Every step consumes bytes."""
    at = 2
    for _ in range(MOST_SEGMENTS):
        while (head := exactly(source, at, 2)) == b"\xff\xff":
            at = _skip_fill(source, at)
        if head[0] != 0xFF:
            raise errors.Malformed(f"byte {at}: expected a JPEG marker, saw something else")
        marker = head[1]
        at += 2
        if marker == _EOI:
            if not found.scans:
                raise errors.Malformed("a JPEG picture without a scan")
            return at
        if marker in _ALONE:
            continue
        (length,) = numbers("H", exactly(source, at, 2))
        if length < 2:
            raise errors.Malformed(f"byte {at}: a JPEG segment of {length} bytes")
        _take(found, marker, exactly(source, at + 2, length - 2), is_ls=is_ls)
        at += length
        if marker == _SOS:
            at = _skip_coded(source, at, _MARKER_LS if is_ls else _MARKER)
    raise errors.TooLarge(f"more than {MOST_SEGMENTS} segments in a JPEG picture")


def _skip_fill(source: Source, at: int) -> int:
    """Past fill bytes: any number of them may stand before a marker."""
    while chunk := source.read_at(at, CHUNK):
        rest = chunk.lstrip(b"\xff")
        if rest:
            return at + len(chunk) - len(rest) - 1
        at += len(chunk)
    raise Truncated(f"byte {at}: the picture ends where a marker was expected")


def _skip_coded(source: Source, at: int, marker: re.Pattern[bytes]) -> int:
    """Past the coded data of a scan, to the next marker."""
    step = 4096  # scans may be short and many
    while len(chunk := source.read_at(at, step)) >= 2:
        if hit := marker.search(chunk):
            return at + hit.start()
        at += len(chunk) - 1
        step = min(2 * step, CHUNK)
    raise Truncated(f"byte {at}: the picture ends inside its coded data")


def _take(found: _Found, marker: int, content: bytes, *, is_ls: bool) -> None:
    if marker in _FRAMES:
        _take_frame(found, marker, content, is_ls=is_ls)
    elif marker == _SOS:
        _take_scan(found, content)
    elif marker == _APP0 and content.startswith(b"JFIF\0"):
        found.is_jfif = True
    elif marker == _APP14 and content.startswith(b"Adobe") and len(content) >= 12:
        found.adobe = content[11]
    elif marker == _APP8 and content.startswith(b"SPIFF\0") and len(content) >= 20:
        found.spiff = content[18]
    elif marker == 0xF8 and is_ls and content[:1] in (b"\x02", b"\x03"):
        raise errors.UnsupportedMedia("a JPEG-LS picture with a mapping table: send it as PNG or without a palette")


def _take_frame(found: _Found, marker: int, content: bytes, *, is_ls: bool) -> None:
    if found.frame:
        raise errors.Malformed("a JPEG picture with two frame headers")
    if (marker == _SOF_LS) != is_ls:
        raise errors.Malformed(f"expected {'JPEG-LS' if is_ls else 'JPEG'}, saw the other")
    if marker in _HIERARCHICAL:
        raise errors.UnsupportedMedia("a hierarchical JPEG picture: no transfer syntax in use takes it")
    found.frame = marker
    found.bits, found.rows, found.columns, count = numbers("BHHB", content)
    if len(content) != 6 + 3 * count:
        raise errors.Malformed(f"a JPEG frame header of {len(content)} bytes for {count} components")
    if found.bits not in _DEPTHS.get(marker, (8, 12)):
        raise errors.Malformed(f"a JPEG frame header with {found.bits} bits a sample")
    found.components = list(content[6::3])


def _take_scan(found: _Found, content: bytes) -> None:
    if not found.frame:
        raise errors.Malformed("a JPEG scan before the frame header")
    (count,) = numbers("B", content)
    if not 1 <= count <= 4 or len(content) != 4 + 2 * count:
        raise errors.Malformed(f"a JPEG scan header of {len(content)} bytes for {count} components")
    first, _, approximation = content[-3:]
    if not found.scans:
        found.selection = first
    found.near = max(found.near, first)
    found.refines = found.refines or bool(approximation)
    found.scans += 1


def _describe(found: _Found, span: range) -> Picture:
    samples = len(found.components)
    if samples not in (1, 3):
        raise errors.UnsupportedMedia(f"a JPEG picture of {samples} components: an image has 1 or 3")
    if not found.rows:
        raise errors.UnsupportedMedia("a JPEG picture whose header does not say how many rows it has")
    is_ls = found.frame == _SOF_LS
    numbers_ = _ls_syntaxes(found) if is_ls else _syntaxes(found)
    return Picture(
        rows=found.rows,
        columns=found.columns,
        samples=samples,
        bits=found.bits,
        photometric=MONOCHROME2 if samples == 1 else _colour(found),
        syntaxes=tuple(_UID + number for number in numbers_),
        spans=(span,),
        is_lossy=bool(found.near) if is_ls else found.frame not in _LOSSLESS,
    )


def _syntaxes(found: _Found) -> tuple[str, ...]:
    if found.frame == 0xC3 and found.selection == 1:
        return ("70", "57")
    if found.frame in _SPECTRAL_SELECTION and not found.refines:
        return _SPECTRAL_SELECTION[found.frame]
    return _SYNTAXES[found.frame]


def _ls_syntaxes(found: _Found) -> tuple[str, ...]:
    return ("81",) if found.near else ("80", "81")


def _colour(found: _Found) -> str:
    """The colour space of three components, as decoders tell it: by markers, else by habit (PS3.5 §8.2.1 note 3)."""
    if found.frame == _SOF_LS:
        return "YBR_FULL" if found.spiff in _SPIFF_YBR else RGB
    is_lossless = found.frame in _LOSSLESS
    if found.adobe is not None:
        is_rgb = found.adobe == 0
    elif found.is_jfif:
        is_rgb = False
    else:
        is_rgb = is_lossless or bytes(found.components) == b"RGB"
    # Lossy streams are YBR_FULL_422 whatever their subsampling: the table has no other (PS3.5 Table 8.2.1-1).
    return RGB if is_rgb else "YBR_FULL" if is_lossless else "YBR_FULL_422"
