"""Which frames a presentation state subtracts from which (PS3.3 §C.7.6.10, §C.11.13; PS3.4 §N.2.1.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from dicomgate.dicom import state_references
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.representations.dataset_values import items, numbers, text, whole, wholes

_SEQUENCE: Final = "00286100"
_MODE: Final = "00281090"
_RANGE, _FRAMES, _AVERAGED = "00286102", "00286110", "00286112"
_OPERATION, _SHIFT, _OFFSET = "00286101", "00286114", "00286120"
_NOT_MADE: Final = ("00289422", "00289501")
"""Tables to logarithms, and shifts by region."""
_MOST: Final = 32
"""Frames that are averaged."""
_LARGEST_SHIFT: Final = 65_535.0


@dataclass(frozen=True, slots=True)
class Subtraction:
    """Frames, from 1, that are averaged, the mask's taken from the others. `shift`: of the mask, down and left."""

    contrast: tuple[int, ...]
    mask: tuple[int, ...]
    shift: tuple[float, float] = (0.0, 0.0)


def find(state: JSONDataset, image: JSONDataset, frame: int) -> Subtraction | None:
    """What is subtracted from a frame; None where nothing is, or what is cannot be made here."""
    if not is_made(state) or text(state, _MODE) not in {"", "SUB"}:
        return None
    count = whole(image, "00280008", 1)
    for item in state_references.items_about(state, _SEQUENCE, image, frame):
        found = _of_item(item, frame)
        if found is not None and all(1 <= one <= count for one in (*found.contrast, *found.mask)):
            return found
    return None


def is_made(state: JSONDataset) -> bool:
    """False for a state of which a subtraction is not shown."""
    said = items(state, _SEQUENCE)
    return not any(tag in item for item in said for tag in _NOT_MADE) and not any(
        len(wholes(item, _FRAMES)) > _MOST or whole(item, _AVERAGED) > _MOST for item in said
    )


def _of_item(item: JSONDataset, frame: int) -> Subtraction | None:
    ends = wholes(item, _RANGE)
    ranges = list(zip(ends[::2], ends[1::2], strict=False))
    if ranges and not any(first <= frame <= last for first, last in ranges):
        return None
    shift = numbers(item, _SHIFT)
    down, left = (max(min(one, _LARGEST_SHIFT), -_LARGEST_SHIFT) for one in (shift if len(shift) == 2 else (0.0, 0.0)))
    contrast = tuple(range(frame, frame + max(whole(item, _AVERAGED, 1), 1)))
    offset = whole(item, _OFFSET, 1)
    match text(item, _OPERATION):
        case "AVG_SUB":
            mask = tuple(wholes(item, _FRAMES))
            return Subtraction(contrast, mask, (down, left)) if mask else None
        case "TID":
            return Subtraction((frame,), (frame - offset,), (down, left))
        case "REV_TID" if ranges:
            first = ranges[0][0]
            return Subtraction((frame,), (first - offset - (frame - first),), (down, left))
    return None
