"""An image's data set as a presentation state wants it shown (PS3.4 N.2, PS3.3 C.10.4, C.10.6, C.11.8, C.11.15)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from dicomgate import errors
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.presentation import Viewport

_MODALITY: Final = ("00281052", "00281053", "00281054", "00283000")
_VOI: Final = ("00281050", "00281051", "00281055", "00281056", "00283010")
_SHAPE: Final = "20500020"
_PHOTOMETRIC: Final = "00280004"
_SHARED: Final = "52009229"
_PER_FRAME: Final = "52009230"
_OF_FRAMES: Final = ("00289132", "00289145")  # Frame VOI LUT, Pixel Value Transformation
_SOFTCOPY_VOI: Final = "00283110"
_IMAGES: Final = "00081140"
_PROFILE: Final = "00282000"
_AREAS: Final = "0070005A"
_ACTIVATION: Final = "1001"
_DATA: Final = "3000"
_LARGEST: Final = 8192  # pixels of a side of a picture
_TABLES: Final = frozenset({_SOFTCOPY_VOI, "00283000"})
"""Where tables lie that only the state can have brought: the image's own are left out."""
_NOT_DRAWN: Final = {"00700001": "graphic annotations", "00181600": "shutters", "20500010": "presentation tables"}


@dataclass(frozen=True, slots=True)
class Shown:
    """The data set to be shown and, of the picture, which part, how large and flipped.

    `of_state`: tags below which bulk data is the state's.
    """

    dataset: JSONDataset
    viewport: Viewport | None
    of_state: frozenset[str]

    @property
    def has_profile(self) -> bool:
        """True when the state says in which colours it is to be shown (§8.3.5.1.6)."""
        return _PROFILE in self.of_state


def left_out(state: JSONDataset) -> tuple[str, ...]:
    """What a state says and is not drawn here."""
    return tuple(name for tag, name in _NOT_DRAWN.items() if _values(state, tag))


def apply(image: JSONDataset, state: JSONDataset, frame: int, wanted: Viewport | None) -> Shown:
    """One frame of an image under a state. NotAcceptable for a quarter turn, which is not made here."""
    made = {tag: element for tag, element in image.items() if tag[:2] != "60"}
    for tag in (*_MODALITY, *_VOI, _SHAPE):
        made.pop(tag, None)
    for tag in (_SHARED, _PER_FRAME):
        if tag in made:
            made[tag] = {**made[tag], "Value": [_without_values(item or {}) for item in _values(made, tag)]}
    made.update({tag: state[tag] for tag in _MODALITY if tag in state})
    made.update(_voi(image, state, frame))
    if _text(made, _PHOTOMETRIC).startswith("MONOCHROME"):
        is_inverse = _text(state, _SHAPE) == "INVERSE"
        made[_PHOTOMETRIC] = {"vr": "CS", "Value": ["MONOCHROME1" if is_inverse else "MONOCHROME2"]}
    added = dict(_overlays(image, state))
    if _PROFILE in state:
        added[_PROFILE] = state[_PROFILE]
    made.update(added)
    return Shown(
        dataset=dict(sorted(made.items())),
        viewport=_viewport(image, state, frame, wanted),
        of_state=frozenset(tag for tag in added if tag in state) | _TABLES,
    )


def _without_values(groups: JSONDataset) -> JSONDataset:
    return {tag: element for tag, element in groups.items() if tag not in _OF_FRAMES}


def _voi(image: JSONDataset, state: JSONDataset, frame: int) -> JSONDataset:
    for item in _items(state, _SOFTCOPY_VOI):
        if _is_about(item, image, frame):
            return {tag: item[tag] for tag in _VOI if tag in item}
    return {}


def _is_about(item: JSONDataset, image: JSONDataset, frame: int) -> bool:
    """Without references an item is about every image of the state."""
    named = _items(item, _IMAGES)
    if not named:
        return True
    instance = _text(image, "00080018")
    return any(_text(one, "00081155") == instance and frame in (_values(one, "00081160") or [frame]) for one in named)


def _overlays(image: JSONDataset, state: JSONDataset) -> Iterator[tuple[str, Any]]:
    """The state's own, and those of the image that it activates (C.11.7)."""
    for group in sorted({tag[:4] for tag in state if tag[:2] == "60"}):
        source = state if group + _DATA in state else image if group + _ACTIVATION in state else {}
        yield from ((tag, element) for tag, element in source.items() if tag[:4] == group)


def _viewport(image: JSONDataset, state: JSONDataset, frame: int, wanted: Viewport | None) -> Viewport | None:
    """The displayed area; as large as it is, magnified where the state says so, or as fits what is wanted."""
    rows, columns = _number(image, "00280010"), _number(image, "00280011")
    flips = _flips(state)
    area = next((item for item in _items(state, _AREAS) if _is_about(item, image, frame)), None)
    corners = [] if area is None else _values(area, "00700052") + _values(area, "00700053")
    left, top, right, bottom = 0, 0, columns, rows
    if len(corners) == 4 and all(isinstance(corner, int) for corner in corners):
        (left, right), (top, bottom) = sorted(corners[::2]), sorted(corners[1::2])
        left, top, right, bottom = max(0, left - 1), max(0, top - 1), min(columns, right), min(rows, bottom)
    if left >= right or top >= bottom:
        raise errors.NotAcceptable("the displayed area of the presentation state is outside the image")
    width, height = right - left, bottom - top
    ratio = 1.0 if area is None else _magnification(area)
    if area is not None and ratio != 1 and wanted is not None:
        width, height = min(width, max(1, int(wanted.width / ratio))), min(height, max(1, int(wanted.height / ratio)))
    size = (wanted.width, wanted.height) if wanted is not None and ratio == 1 else (width * ratio, height * ratio)
    source = (-width if flips[0] else width, -height if flips[1] else height)
    across, down = (max(1, min(_LARGEST, round(side))) for side in size)
    return Viewport(across, down, left, top, *source)


def _flips(state: JSONDataset) -> tuple[bool, bool]:
    """Horizontally, vertically: first it is turned, then flipped (C.10.6)."""
    turn = _number(state, "00700042") % 360
    if turn not in (0, 180):
        raise errors.NotAcceptable(f"the presentation state turns the image by {turn} degrees, which is not made here")
    is_turned = turn == 180
    return (_text(state, "00700041") == "Y") != is_turned, is_turned


def _magnification(area: JSONDataset) -> float:
    ratio = next(iter(_values(area, "00700103")), 1.0)
    is_magnified = _text(area, "00700100") == "MAGNIFY" and isinstance(ratio, int | float) and 0.01 <= ratio <= 100
    return float(ratio) if is_magnified else 1.0


def _items(dataset: JSONDataset, tag: str) -> list[JSONDataset]:
    return [item if isinstance(item, dict) else {} for item in _values(dataset, tag)]


def _values(dataset: JSONDataset, tag: str) -> list[Any]:
    return dataset.get(tag, {}).get("Value") or []


def _number(dataset: JSONDataset, tag: str) -> int:
    value = next(iter(_values(dataset, tag)), 0)
    return value if isinstance(value, int) else 0


def _text(dataset: JSONDataset, tag: str) -> str:
    return str(next(iter(_values(dataset, tag)), ""))
