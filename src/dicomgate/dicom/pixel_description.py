"""What a data set says of its pixels: all a decoder must be told beside the bytes of a frame (PS3.3 §C.7.6.3)."""

from __future__ import annotations

from dataclasses import dataclass

from dicomgate import errors
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.picture import LARGEST_FRAME, LARGEST_SIDE, MONOCHROME2, RGB

PIXEL_DATA, FLOAT_PIXEL_DATA, DOUBLE_PIXEL_DATA = "7FE00010", "7FE00008", "7FE00009"
PALETTE_COLOR = "PALETTE COLOR"
HALF_COLOUR = frozenset({"YBR_FULL_422", "YBR_PARTIAL_422"})
"""Uncompressed, two pixels share their two samples of colour (PS3.3 §C.7.6.3.1.2)."""
_FLOATS = {FLOAT_PIXEL_DATA: 32, DOUBLE_PIXEL_DATA: 64}
_WIDTHS = (1, 8, 16, 24, 32, 40, 48, 56, 64)
"""Bits Allocated is 1 or whole bytes (PS3.5 §8.1.1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelDescription:
    """The pixels of an instance, alike in all its frames. `is_float`: samples are IEEE 754, of 32 or 64 bits.

    `planar_configuration`: 0 by pixel, 1 by plane. `is_lossy`: the data set says that something was lost. All fields
    are plain values, so that `dataclasses.asdict` makes what a task in another process is told.
    """

    transfer_syntax: str
    rows: int
    columns: int
    samples_per_pixel: int = 1
    photometric_interpretation: str = MONOCHROME2
    planar_configuration: int = 0
    bits_allocated: int
    bits_stored: int
    high_bit: int
    is_signed: bool = False
    is_float: bool = False
    is_lossy: bool = False
    frame_count: int = 1

    @property
    def frame_bits(self) -> int:
        """How many bits one frame has uncompressed, all colours in full."""
        return self.rows * self.columns * self.samples_per_pixel * self.bits_allocated

    @property
    def frame_bytes(self) -> int:
        """How many bytes one frame has uncompressed, all colours in full; bits that fill no byte are padded."""
        return -(-self.frame_bits // 8)

    @property
    def is_colour(self) -> bool:
        """More than one sample a pixel."""
        return self.samples_per_pixel > 1


def describe(dataset: JSONDataset, transfer_syntax: str) -> PixelDescription:
    """What a data set in the DICOM JSON model says of its pixels (PS3.3 §C.7.6.3.1).

    Malformed when it has no pixel data, lacks what cannot be supplied, or contradicts itself; TooLarge when one frame
    is beyond what is taken.
    """
    tag = next((tag for tag in (PIXEL_DATA, *_FLOATS) if tag in dataset), None)
    if tag is None:
        raise errors.Malformed("a data set without pixel data")
    bits = _FLOATS.get(tag) or _number(dataset, "00280100")
    samples = _number(dataset, "00280002", 1)
    stored = bits if tag in _FLOATS else _number(dataset, "00280101", bits)
    return checked(
        PixelDescription(
            transfer_syntax=transfer_syntax,
            rows=_number(dataset, "00280010"),
            columns=_number(dataset, "00280011"),
            samples_per_pixel=samples,
            photometric_interpretation=_text(dataset, "00280004") or (MONOCHROME2 if samples == 1 else RGB),
            planar_configuration=_number(dataset, "00280006", 0) if samples > 1 else 0,
            bits_allocated=bits,
            bits_stored=stored,
            high_bit=stored - 1 if tag in _FLOATS else _number(dataset, "00280102", stored - 1),
            is_signed=tag not in _FLOATS and _number(dataset, "00280103", 0) == 1,
            is_float=tag in _FLOATS,
            is_lossy=_text(dataset, "00282110") == "01",
            frame_count=max(_number(dataset, "00280008", 1), 1),
        )
    )


def checked(description: PixelDescription) -> PixelDescription:
    """The same. Malformed when no pixels can be so, TooLarge when a frame is beyond what is taken (T3)."""
    if not (1 <= description.rows <= LARGEST_SIDE and 1 <= description.columns <= LARGEST_SIDE):
        raise errors.Malformed(
            f"{description.rows} rows of {description.columns}: expected 1 to {LARGEST_SIDE} of each"
        )
    if description.samples_per_pixel not in (1, 3, 4):
        raise errors.Malformed(f"{description.samples_per_pixel} samples a pixel: expected 1, 3 or 4")
    if description.planar_configuration not in (0, 1):
        raise errors.Malformed(f"planar configuration {description.planar_configuration}: expected 0 or 1")
    allocated, stored = description.bits_allocated, description.bits_stored
    if allocated not in _WIDTHS or not 1 <= stored <= description.high_bit + 1 <= allocated:
        raise errors.Malformed(f"{stored} bits stored of {allocated} allocated, the highest bit {description.high_bit}")
    if description.frame_bytes > LARGEST_FRAME:
        raise errors.TooLarge(f"a frame of {description.frame_bytes} bytes, at most {LARGEST_FRAME} are taken")
    return description


def _number(dataset: JSONDataset, tag: str, default: int | None = None) -> int:
    """The one number of an attribute; only whole numbers count, also written as a text or a float."""
    values = dataset.get(tag, {}).get("Value") or [None]
    number = values[0] if values[0] is not None else default
    try:
        if number is not None and int(number) == float(number):
            return int(number)
    except (TypeError, ValueError, OverflowError):
        pass
    raise errors.Malformed(f"attribute {tag}: expected a whole number")


def _text(dataset: JSONDataset, tag: str) -> str:
    values = dataset.get(tag, {}).get("Value") or [""]
    return values[0].strip() if isinstance(values[0], str) else ""
