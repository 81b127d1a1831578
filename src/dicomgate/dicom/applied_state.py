"""An image's data set with its values as a presentation state wants them shown (PS3.4 N.2, PS3.3 C.11.6, C.11.8)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from dicomgate.dicom import state_references
from dicomgate.dicom.jsonmodel import JSONDataset

_MODALITY: Final = ("00281052", "00281053", "00281054", "00283000")
_VARIABLE_MODALITY: Final = "00283001"
_VOI: Final = ("00281050", "00281051", "00281055", "00281056", "00283010")
_SHAPE, _PRESENTATION_LUT = "20500020", "20500010"
_PHOTOMETRIC: Final = "00280004"
_SHARED: Final = "52009229"
_PER_FRAME: Final = "52009230"
_OF_FRAMES: Final = ("00289132", "00289145")  # Frame VOI LUT, Pixel Value Transformation
_SOFTCOPY_VOI: Final = "00283110"
_PROFILE: Final = "00282000"
_PALETTE: Final = tuple(f"0028{element}" for element in ("1101", "1102", "1103", "1201", "1202", "1203")) + tuple(
    f"002812{number}" for number in (21, 22, 23)
)
_TABLES: Final = frozenset({_SOFTCOPY_VOI, _VARIABLE_MODALITY, "00283000", _PRESENTATION_LUT, "00700402"})
"""Where tables lie that only the state can have brought: the image's own are left out."""


@dataclass(frozen=True, slots=True)
class Shown:
    """The data set to be shown. `of_state`: tags below which bulk data is the state's.

    `is_pseudo_colour`: grey becomes colours of the state's palette, after its VOI transformation (PS3.4 N.2.3).
    """

    dataset: JSONDataset
    of_state: frozenset[str]
    is_pseudo_colour: bool = False

    @property
    def has_profile(self) -> bool:
        """True when the state says in which colours it is to be shown (§8.3.5.1.6)."""
        return _PROFILE in self.of_state


def apply(image: JSONDataset, state: JSONDataset, frame: int) -> Shown:
    """One frame of an image under a state. Overlays are no part of it: the state draws them.

    Of a blending it is an image that lies underneath, with the values that are said of those.
    """
    made = {tag: element for tag, element in image.items() if tag[:2] != "60"}
    for tag in (*_MODALITY, *_VOI, _SHAPE):
        made.pop(tag, None)
    for tag in (_SHARED, _PER_FRAME):
        if tag in made:
            made[tag] = {**made[tag], "Value": [_without_values(item or {}) for item in _values(made, tag)]}
    underneath = state_references.find_underneath(state)
    said = state if underneath is None else underneath
    added = _modality(image, said, frame)
    added.update(_voi(image, said, frame))
    is_grey = _text(made, _PHOTOMETRIC).startswith("MONOCHROME")
    if is_grey:
        is_inverse = _text(state, _SHAPE) == "INVERSE"
        made[_PHOTOMETRIC] = {"vr": "CS", "Value": ["MONOCHROME1" if is_inverse else "MONOCHROME2"]}
    is_pseudo_colour = underneath is None and is_grey and _PALETTE[0] in state
    taken = (_PRESENTATION_LUT, _PROFILE, *(_PALETTE if is_pseudo_colour else ()))
    if is_pseudo_colour:
        made = {tag: element for tag, element in made.items() if tag not in _PALETTE}
    added.update({tag: state[tag] for tag in taken if tag in state})
    made.update(added)
    return Shown(
        dataset=dict(sorted(made.items())),
        of_state=frozenset(tag for tag in added if tag in state) | _TABLES,
        is_pseudo_colour=is_pseudo_colour,
    )


def _modality(image: JSONDataset, state: JSONDataset, frame: int) -> JSONDataset:
    """What the state says of it, for all images or for this one; without a word of it, nothing is changed."""
    varied = state_references.items_about(state, _VARIABLE_MODALITY, image, frame)
    said = next(varied, state)
    return {tag: said[tag] for tag in _MODALITY if tag in said}


def _without_values(groups: JSONDataset) -> JSONDataset:
    return {tag: element for tag, element in groups.items() if tag not in _OF_FRAMES}


def _voi(image: JSONDataset, state: JSONDataset, frame: int) -> JSONDataset:
    item = next(state_references.items_about(state, _SOFTCOPY_VOI, image, frame), {})
    return {tag: item[tag] for tag in _VOI if tag in item}


def _values(dataset: JSONDataset, tag: str) -> list[Any]:
    return dataset.get(tag, {}).get("Value") or []


def _text(dataset: JSONDataset, tag: str) -> str:
    return str(next(iter(_values(dataset, tag)), ""))
