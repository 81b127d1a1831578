"""Which images a presentation state is about, and in which order they are shown (PS3.3 C.11.11, PS3.18 §8.3.5.1.6)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.uids import is_uid

_SERIES: Final = "00081115"
_IMAGES: Final = "00081140"
_BLENDING: Final = "00700402"
_BLENDING_POSITION: Final = "00700405"
_PER_FRAME: Final = "52009230"
_MOST: Final = 10_000
"""Images of one state that are looked for; no display shows more."""

Place = tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]


@dataclass(frozen=True, slots=True)
class Reference:
    """An image of a state. No `frames`: all of them."""

    series: str
    instance: str
    frames: tuple[int, ...] = ()


def find_underneath(state: JSONDataset) -> JSONDataset | None:
    """Of a blending, what it says of the images that lie underneath (PS3.3 §C.11.14.1.1)."""
    blended = _items(state, _BLENDING)
    return next((item for item in blended if _text(item, _BLENDING_POSITION) == "UNDERLYING"), None)


def references(state: JSONDataset) -> list[Reference]:
    """The images in the order of the state; of a blending only those that lie underneath."""
    underneath = find_underneath(state)
    found: list[Reference] = []
    for series in _items(state if underneath is None else underneath, _SERIES):
        found.extend(_of_series(series))
    return list(dict.fromkeys(found[:_MOST]))


def _of_series(series: JSONDataset) -> Iterator[Reference]:
    uid = _text(series, "0020000E")
    for image in _items(series, _IMAGES):
        instance = _text(image, "00081155")
        frames = tuple(number for number in _values(image, "00081160") if isinstance(number, int) and number > 0)
        if is_uid(uid) and is_uid(instance):
            yield Reference(uid, instance, frames)


def items_about(state: JSONDataset, sequence: str, image: JSONDataset, frame: int) -> Iterator[JSONDataset]:
    """Items of a sequence of the state that are about a frame; those that name no image are about all of the state."""
    instance = _text(image, "00080018")
    for item in _items(state, sequence):
        named = _items(item, _IMAGES)
        if not named or any(_names(one, instance, frame) for one in named):
            yield item


def _names(reference: JSONDataset, instance: str, frame: int) -> bool:
    return _text(reference, "00081155") == instance and frame in (_values(reference, "00081160") or [frame])


def place(dataset: JSONDataset, frame: int) -> Place:
    """What frames are ordered by: Dimension Index Values, Image Position (Patient), Image Position (Volume)."""
    per_frame = _items(dataset, _PER_FRAME)
    groups = per_frame[frame - 1] if 0 < frame <= len(per_frame) else {}
    position = _inside(groups, "00209113", "00200032") or _numbers(dataset, "00200032")
    return (_inside(groups, "00209111", "00209157"), position, _inside(groups, "0020930E", "00209301"))


def _inside(groups: JSONDataset, sequence: str, tag: str) -> tuple[float, ...]:
    return next((_numbers(item, tag) for item in _items(groups, sequence)), ())


def _numbers(dataset: JSONDataset, tag: str) -> tuple[float, ...]:
    found = _values(dataset, tag)
    is_sound = all(isinstance(value, int | float) and math.isfinite(value) for value in found)
    return tuple(found) if is_sound else ()


def _items(dataset: JSONDataset, tag: str) -> list[JSONDataset]:
    return [item if isinstance(item, dict) else {} for item in _values(dataset, tag)]


def _values(dataset: JSONDataset, tag: str) -> list[Any]:
    return dataset.get(tag, {}).get("Value") or []


def _text(dataset: JSONDataset, tag: str) -> str:
    return str(next(iter(_values(dataset, tag)), ""))
