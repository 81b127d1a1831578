"""The overlay planes of a frame, of the groups 6000 to 601E (PS3.3 §C.9.2, §C.9.3)."""

from __future__ import annotations

from typing import Final

from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.pixel_description import PixelDescription
from dicomgate.pixels.overlay_plane import Overlay
from dicomgate.representations.dataset_values import text, whole, wholes
from dicomgate.representations.shown_values import Fetch

_GROUPS: Final = tuple(f"60{number:02X}" for number in range(0, 32, 2))
_LARGEST_SIDE: Final = 65_535


def read(dataset: JSONDataset, frame: int, description: PixelDescription, fetch: Fetch) -> tuple[Overlay, ...]:
    """Those that lie over a frame."""
    found = (read_group(dataset, group, frame, description, fetch) for group in _GROUPS if f"{group}0010" in dataset)
    return tuple(one for one in found if one is not None)


def read_group(
    dataset: JSONDataset, group: str, frame: int, description: PixelDescription, fetch: Fetch
) -> Overlay | None:
    """The one of a group, as `6002`, if it lies over the frame."""
    rows, columns = (whole(dataset, f"{group}{element}") for element in ("0010", "0011"))
    if not (1 <= rows <= _LARGEST_SIDE and 1 <= columns <= _LARGEST_SIDE):
        return None
    origin = wholes(dataset, f"{group}0050")
    top, left = (origin[0] - 1, origin[1] - 1) if len(origin) == 2 else (0, 0)
    is_region = text(dataset, f"{group}0040") == "R"
    if f"{group}3000" in dataset:
        place = _place(dataset, group, frame)
        span = None if place is None else fetch(dataset, f"{group}3000")
        if span is None or place is None:
            return None
        bit = place * rows * columns
        return Overlay(rows=rows, columns=columns, top=top, left=left, span=span, first_bit=bit, is_region=is_region)
    if f"{group}0102" not in dataset:
        return None
    return Overlay(
        rows=description.rows,
        columns=description.columns,
        top=top,
        left=left,
        pixel_bit=whole(dataset, f"{group}0102"),
        is_region=is_region,
    )


def _place(dataset: JSONDataset, group: str, frame: int) -> int | None:
    """Which of the overlay's frames lies over a frame of the image, from 0; one alone lies over all."""
    if f"{group}0015" not in dataset:
        return 0
    place = frame - max(whole(dataset, f"{group}0051", 1), 1)
    return place if 0 <= place < max(whole(dataset, f"{group}0015", 1), 1) else None
