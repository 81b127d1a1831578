"""Which pixels each transfer syntax can hold, as far as they are encoded here (PS3.5 §8.2, the tables of each)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dicomgate import errors
from dicomgate.dicom import syntaxes
from dicomgate.dicom.pixel_description import PALETTE_COLOR, PixelDescription

_UID = "1.2.840.10008.1.2."
_GREY = frozenset({"MONOCHROME1", "MONOCHROME2"})
_TRUE_COLOUR = frozenset({"RGB", "YBR_RCT", "YBR_ICT", "YBR_PARTIAL_422", "YBR_PARTIAL_420", "XYB"})
"""What is RGB once decoded."""
_LUMINANCE = frozenset({"YBR_FULL", "YBR_FULL_422"})
_COLOUR = _TRUE_COLOUR | _LUMINANCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """What a syntax holds. `stored`: Bits Stored; `kinds`: photometric interpretations, None for any.

    `containers`: whole words of Bits Allocated, whatever is in them. `most_segments`: bytes of all samples of a pixel.
    """

    stored: frozenset[int] = frozenset(range(1, 17))
    colour_stored: frozenset[int] | None = None
    kinds: frozenset[str] | None = None
    is_signed: bool = True
    containers: bool = False
    single_bits: bool = False
    floats: bool = False
    most_segments: int | None = None


_LOSSLESS_JPEG = Format(stored=frozenset(range(2, 17)), kinds=_GREY | _COLOUR | {PALETTE_COLOR})
_LOSSLESS_WAVELET = Format(kinds=_GREY | _COLOUR | {PALETTE_COLOR})
_LOSSY_WAVELET = Format(stored=frozenset(range(8, 17)), kinds=_GREY | _COLOUR)
_WHOLE = Format(containers=True, single_bits=True)

TABLE: dict[str, Format] = {
    syntaxes.EXPLICIT_LITTLE: Format(containers=True, single_bits=True, floats=True),
    syntaxes.ENCAPSULATED_LITTLE: _WHOLE,
    f"{_UID}8.1": _WHOLE,
    f"{_UID}5": Format(containers=True, most_segments=15),
    f"{_UID}4.50": Format(stored=frozenset({8}), kinds=_GREY | _COLOUR, is_signed=False),
    f"{_UID}4.51": Format(
        stored=frozenset({8, 12}), colour_stored=frozenset({8}), kinds=_GREY | _COLOUR, is_signed=False
    ),
    f"{_UID}4.57": _LOSSLESS_JPEG,
    f"{_UID}4.70": _LOSSLESS_JPEG,
    f"{_UID}4.80": _LOSSLESS_JPEG,
    f"{_UID}4.81": Format(stored=frozenset(range(8, 17)), kinds=_GREY | _COLOUR),
    f"{_UID}4.90": replace(_LOSSLESS_WAVELET, single_bits=True),
    f"{_UID}4.91": _LOSSY_WAVELET,
    f"{_UID}4.201": _LOSSLESS_WAVELET,
    f"{_UID}4.202": _LOSSLESS_WAVELET,
    f"{_UID}4.203": _LOSSY_WAVELET,
    f"{_UID}4.110": Format(kinds=_GREY | _TRUE_COLOUR | {PALETTE_COLOR}, is_signed=False),
    f"{_UID}4.112": Format(stored=frozenset(range(8, 17)), kinds=_GREY | _COLOUR, is_signed=False),
}
"""By UID, of every syntax that `syntaxes.Syntax.can_encode` names.

JPEG XL knows no signs and no YCbCr without loss; lossy pictures of palette indices would show other colours.
"""


def can_hold(description: PixelDescription, transfer_syntax: str) -> bool:
    """Whether frames of such pixels can be decoded and then encoded in a transfer syntax here.

    Pixels that keep something in the bits beside those stored (a retired kind of overlay) are found out only when they
    are encoded.
    """
    source = syntaxes.find(description.transfer_syntax)
    return source is not None and source.can_decode and find_obstacle(description, transfer_syntax) is None


def require_hold(description: PixelDescription, transfer_syntax: str) -> None:
    """NotAcceptable, with the reason, when pixels so described cannot be encoded in a transfer syntax."""
    obstacle = find_obstacle(description, transfer_syntax)
    if obstacle is not None:
        raise errors.NotAcceptable(f"{syntaxes.name(transfer_syntax)} {obstacle}")


def find_obstacle(description: PixelDescription, transfer_syntax: str) -> str | None:
    """Why a transfer syntax cannot hold such pixels, as the end of a sentence; None when it can."""
    held = TABLE.get(transfer_syntax)
    if held is None:
        return "is not written here"
    if description.is_float:
        return None if held.floats else "holds no floating point pixels"
    if description.bits_allocated == 1:
        is_held = held.single_bits and (held.containers or not description.is_colour)
        return None if is_held else "holds no pixels of one bit"
    if description.bits_allocated not in (8, 16, 32, 64):
        return f"is not written from {description.bits_allocated} bits allocated"
    return _find_whole(description, held) if held.containers else _find_valued(description, held)


def _find_whole(description: PixelDescription, held: Format) -> str | None:
    segments = description.samples_per_pixel * description.bits_allocated // 8
    if held.most_segments is not None and segments > held.most_segments:
        return f"holds at most {held.most_segments} bytes a pixel, not {segments}"
    return None


def _find_valued(description: PixelDescription, held: Format) -> str | None:
    stored = held.colour_stored if description.is_colour and held.colour_stored else held.stored
    if description.bits_allocated > 16:
        return f"holds no pixels of {description.bits_allocated} bits"
    if description.bits_stored not in stored:
        return f"holds no pixels of {description.bits_stored} bits stored"
    if description.is_signed and (description.is_colour or not held.is_signed):
        return "holds no such pixels with a sign"
    kind = description.photometric_interpretation
    if held.kinds is not None and kind not in held.kinds:
        return "holds no pixels of this photometric interpretation"
    if description.samples_per_pixel != (3 if kind in _COLOUR else 1):
        return "holds no pixels of this number of samples"
    return None
