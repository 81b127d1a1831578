"""Transfer syntaxes: how each encodes a data set and its pixel data (PS3.5 §10, PS3.6 Annex A); one table."""

from __future__ import annotations

import enum
from dataclasses import dataclass

IMPLICIT_LITTLE = "1.2.840.10008.1.2"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
DEFLATED_LITTLE = "1.2.840.10008.1.2.1.99"
EXPLICIT_BIG = "1.2.840.10008.1.2.2"
ENCAPSULATED_LITTLE = "1.2.840.10008.1.2.1.98"


class Loss(enum.Enum):
    """Whether pictures in a syntax have lost something."""

    NEVER = "never"
    ALWAYS = "always"
    MAYBE = "maybe"  # the data set's Lossy Image Compression (0028,2110) tells


@dataclass(frozen=True, slots=True)
class Syntax:
    """One transfer syntax. `media_type` is that of one frame's codestream as bulk data (PS3.18 Table 8.7.3-5).

    `can_decode`: pictures in it become pixels here; `can_encode`: pixels become pictures in it. What pixels each can
    hold, `pixel_formats.can_hold` tells.
    """

    uid: str
    name: str
    is_implicit: bool = False
    is_big_endian: bool = False
    is_deflated: bool = False
    is_encapsulated: bool = False
    is_video: bool = False
    is_referenced: bool = False
    loss: Loss = Loss.NEVER
    media_type: str = "application/octet-stream"

    @property
    def can_decode(self) -> bool:
        """Whether its frames can be decoded here."""
        return self.uid in _DECODED

    @property
    def can_encode(self) -> bool:
        """Whether frames can be encoded in it here."""
        return self.uid in _ENCODED


def _compressed(uid: str, name: str, media_type: str, loss: Loss = Loss.NEVER, *, video: bool = False) -> Syntax:
    return Syntax(uid, name, is_encapsulated=True, is_video=video, loss=loss, media_type=media_type)


def _referenced(uid: str, name: str, *, is_deflated: bool = False) -> Syntax:
    """The pixels are elsewhere, at an address in the data set (PS3.5 §A.6)."""
    return Syntax(uid, name, is_encapsulated=True, is_deflated=is_deflated, is_referenced=True, loss=Loss.MAYBE)


_BASE = "1.2.840.10008.1.2"

_ENCODED = frozenset(
    {
        EXPLICIT_LITTLE,
        ENCAPSULATED_LITTLE,
        *(f"{_BASE}.4.{number}" for number in (50, 51, 57, 70, 80, 81, 90, 91, 201, 202, 203, 110, 112)),
        f"{_BASE}.5",
        f"{_BASE}.8.1",
    }
)
_DECODED = _ENCODED | {
    IMPLICIT_LITTLE,
    DEFLATED_LITTLE,
    EXPLICIT_BIG,
    *(f"{_BASE}.4.{number}" for number in (53, 55, 92, 93, 111)),
}
"""What is written, and beside it what is only read: retired, multi-component, or of use as it came alone."""

TABLE: dict[str, Syntax] = {
    syntax.uid: syntax
    for syntax in (
        Syntax(IMPLICIT_LITTLE, "Implicit VR Little Endian", is_implicit=True),
        Syntax(EXPLICIT_LITTLE, "Explicit VR Little Endian"),
        Syntax(ENCAPSULATED_LITTLE, "Encapsulated Uncompressed Explicit VR Little Endian", is_encapsulated=True),
        Syntax(DEFLATED_LITTLE, "Deflated Explicit VR Little Endian", is_deflated=True),
        Syntax(EXPLICIT_BIG, "Explicit VR Big Endian", is_big_endian=True),
        _compressed(f"{_BASE}.4.50", "JPEG Baseline (Process 1)", "image/jpeg", Loss.ALWAYS),
        _compressed(f"{_BASE}.4.51", "JPEG Extended (Process 2 and 4)", "image/jpeg", Loss.ALWAYS),
        *(
            _compressed(f"{_BASE}.4.{number}", f"JPEG {name}, retired", "image/jpeg", Loss.ALWAYS)
            for number, name in (
                (52, "Extended (Process 3 and 5)"),
                (53, "Spectral Selection (Process 6 and 8)"),
                (54, "Spectral Selection (Process 7 and 9)"),
                (55, "Full Progression (Process 10 and 12)"),
                (56, "Full Progression (Process 11 and 13)"),
                (59, "Extended, Hierarchical (Process 16 and 18)"),
                (60, "Extended, Hierarchical (Process 17 and 19)"),
                (61, "Spectral Selection, Hierarchical (Process 20 and 22)"),
                (62, "Spectral Selection, Hierarchical (Process 21 and 23)"),
                (63, "Full Progression, Hierarchical (Process 24 and 26)"),
                (64, "Full Progression, Hierarchical (Process 25 and 27)"),
            )
        ),
        _compressed(f"{_BASE}.4.57", "JPEG Lossless (Process 14)", "image/jpeg"),
        _compressed(f"{_BASE}.4.58", "JPEG Lossless (Process 15), retired", "image/jpeg"),
        _compressed(f"{_BASE}.4.65", "JPEG Lossless, Hierarchical (Process 28), retired", "image/jpeg"),
        _compressed(f"{_BASE}.4.66", "JPEG Lossless, Hierarchical (Process 29), retired", "image/jpeg"),
        _compressed(f"{_BASE}.4.70", "JPEG Lossless (Process 14, Selection Value 1)", "image/jpeg"),
        _compressed(f"{_BASE}.4.80", "JPEG-LS Lossless", "image/jls"),
        _compressed(f"{_BASE}.4.81", "JPEG-LS Near-Lossless", "image/jls", Loss.ALWAYS),
        _compressed(f"{_BASE}.4.90", "JPEG 2000 Lossless", "image/jp2"),
        _compressed(f"{_BASE}.4.91", "JPEG 2000", "image/jp2", Loss.MAYBE),
        _compressed(f"{_BASE}.4.92", "JPEG 2000 Multi-component Lossless", "image/jpx"),
        _compressed(f"{_BASE}.4.93", "JPEG 2000 Multi-component", "image/jpx", Loss.MAYBE),
        _referenced(f"{_BASE}.4.94", "JPIP Referenced"),
        _referenced(f"{_BASE}.4.95", "JPIP Referenced Deflate", is_deflated=True),
        _referenced(f"{_BASE}.4.204", "JPIP HTJ2K Referenced"),
        _referenced(f"{_BASE}.4.205", "JPIP HTJ2K Referenced Deflate", is_deflated=True),
        _compressed(f"{_BASE}.4.201", "HTJ2K Lossless", "image/jphc"),
        _compressed(f"{_BASE}.4.202", "HTJ2K Lossless RPCL", "image/jphc"),
        _compressed(f"{_BASE}.4.203", "HTJ2K", "image/jphc", Loss.MAYBE),
        _compressed(f"{_BASE}.4.110", "JPEG XL Lossless", "image/jxl"),
        _compressed(f"{_BASE}.4.111", "JPEG XL JPEG Recompression", "image/jxl", Loss.ALWAYS),
        _compressed(f"{_BASE}.4.112", "JPEG XL", "image/jxl", Loss.MAYBE),
        _compressed(f"{_BASE}.5", "RLE Lossless", "image/dicom-rle"),
        _compressed(f"{_BASE}.8.1", "Deflated Image Frame Compression", "application/octet-stream"),
        *(
            _compressed(f"{_BASE}.4.{number}{suffix}", name + tail, media_type, Loss.ALWAYS, video=True)
            for number, name, media_type in (
                (100, "MPEG2 Main Profile / Main Level", "video/mpeg"),
                (101, "MPEG2 Main Profile / High Level", "video/mpeg"),
                (102, "MPEG-4 AVC/H.264 High Profile / Level 4.1", "video/mp4"),
                (103, "MPEG-4 AVC/H.264 BD-compatible High Profile / Level 4.1", "video/mp4"),
                (104, "MPEG-4 AVC/H.264 High Profile / Level 4.2 For 2D Video", "video/mp4"),
                (105, "MPEG-4 AVC/H.264 High Profile / Level 4.2 For 3D Video", "video/mp4"),
                (106, "MPEG-4 AVC/H.264 Stereo High Profile / Level 4.2", "video/mp4"),
                (107, "HEVC/H.265 Main Profile / Level 5.1", "video/H265"),
                (108, "HEVC/H.265 Main 10 Profile / Level 5.1", "video/H265"),
            )
            for suffix, tail in (("", ""), (".1", " (fragmentable)"))
            if not (suffix and number >= 107)
        ),
    )
}


def available(uid: str) -> str:
    """In which syntax an instance stored so is offered: Explicit VR Little Endian unless encapsulated (§8.7.3)."""
    syntax = TABLE.get(uid)
    return uid if syntax is None or syntax.is_encapsulated else EXPLICIT_LITTLE


def find(uid: str) -> Syntax | None:
    """The syntax, if it is one we know."""
    return TABLE.get(uid)


def name(uid: str) -> str:
    """What to call it in a sentence."""
    syntax = TABLE.get(uid)
    return "an unknown transfer syntax" if syntax is None else syntax.name
