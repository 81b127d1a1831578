"""An overlay plane as the maker of a picture is told of it: plain values (PS3.3 §C.9.2)."""

from __future__ import annotations

from dataclasses import dataclass

from dicomgate.pixels.pieces import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlay:
    """Bits laid over the picture (PS3.3 §C.9.2): in the file from bit `first_bit`, or in bit `pixel_bit` of the pixels.

    `is_region`: a region of interest, whose outline is shown.
    """

    rows: int
    columns: int
    top: int = 0
    left: int = 0
    span: Span | None = None
    first_bit: int = 0
    pixel_bit: int = 0
    is_region: bool = False
