"""The functional groups of one frame, from the attributes of a classic image (PS3.3 C.7.6.16.2, LC-13, LC-14)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.multiframe import anatomy, classes, classic, image_types
from dicomgate.multiframe.classes import Kind
from dicomgate.multiframe.classic import Classic
from dicomgate.multiframe.gather import FrameSet, moment

Element = dict[str, Any]
Groups = dict[str, list[JSONDataset]]
"""Functional groups by the tag of their sequence: its items."""

_MEASURES: Final = ("00280030", "00180050")
_BETWEEN: Final = "00180088"
_SAME_STEP: Final = 0.01
"""How far, as a part of it, what an image says of the spacing may be from what the positions say."""
_WINDOW: Final = ("00281050", "00281051", "00281055", "00281056")
_RESCALE: Final = ("00281052", "00281053", "00281054")


@dataclass(frozen=True, slots=True)
class Frame:
    """One image of a set, and where it stands there; `order` is its number among the frames, from 0."""

    source: Classic
    attributes: JSONDataset
    """Its data set, with references that are up to date."""
    of: FrameSet
    order: int
    known: Collection[str] = frozenset()
    """The instances of which it is known what study and series they are of."""


def build(frame: Frame, present: frozenset[str]) -> Groups:
    """All groups of a frame. `present`: the tags that any image of the set has, for what then must be everywhere."""
    made = {tag: make(frame, present) for tag, make in _MAKERS.items()}
    made[frame.of.kind.frame_type] = [_frame_type(frame)]
    return {tag: items for tag, items in made.items() if items is not None}


def frame_content(frame: Frame) -> JSONDataset:
    """Frame Content, which is of each frame alone, with its dimension index values (C.7.6.16.2.2)."""
    stack, place, time = 1, frame.of.places[frame.order], frame.of.times[frame.order]
    values = [stack, time, place] if frame.of.has_times else [stack, place]
    item: JSONDataset = {
        "00209056": {"vr": "SH", "Value": [str(stack)]},
        "00209057": {"vr": "UL", "Value": [place]},
        "00209128": {"vr": "UL", "Value": [time]},
        "00209157": {"vr": "UL", "Value": values},
    }
    acquired = moment(frame.attributes)
    if acquired:
        item["00189074"] = {"vr": "DT", "Value": [acquired]}
    number = classic.number(frame.attributes, "00200012")
    if number is not None and 0 <= number <= 0xFFFF:
        item["00209156"] = {"vr": "US", "Value": [int(number)]}
    duration = classic.number(frame.attributes, "00189073")
    milliseconds = 1000 * duration if duration is not None else classic.number(frame.attributes, "00181242")
    if milliseconds is not None:
        item["00189220"] = {"vr": "FD", "Value": [milliseconds]}
    comments = frame.attributes.get("00204000")
    if not classic.is_empty(comments):
        item["00209158"] = {"vr": "LT", "Value": list(classic.values(frame.attributes, "00204000"))}
    return item


# Groups that may be shared. None: this frame has no such group.


def _taken(attributes: JSONDataset, tags: Iterable[str]) -> JSONDataset:
    """The attributes that have a value."""
    return {tag: attributes[tag] for tag in tags if not classic.is_empty(attributes.get(tag))}


def _pixel_measures(frame: Frame, present: frozenset[str]) -> list[JSONDataset]:  # noqa: ARG001 (a maker)
    item = _taken(frame.attributes, _MEASURES)
    between = classic.number(frame.attributes, _BETWEEN)
    step = frame.of.stack.step if frame.of.is_regular else None
    if between is not None and between >= 0 and (step is None or abs(between - step) <= _SAME_STEP * step):
        item[_BETWEEN] = frame.attributes[_BETWEEN]
    elif step is not None:
        item[_BETWEEN] = {"vr": "DS", "Value": [round(step, 6)]}
    if "00180050" not in item and step is not None:
        item["00180050"] = {"vr": "DS", "Value": [round(step, 6)]}
    return [item]


def _one(tag: str) -> Callable[[Frame, frozenset[str]], list[JSONDataset] | None]:
    """A group of a single attribute that is always there."""

    def make(frame: Frame, present: frozenset[str]) -> list[JSONDataset] | None:  # noqa: ARG001 (a maker)
        item = _taken(frame.attributes, (tag,))
        return [item] if item else None

    return make


def _frame_type(frame: Frame) -> JSONDataset:
    found = image_types.convert(
        frame.attributes,
        is_regular=frame.of.is_regular,
        is_sound=frame.of.is_sound,
        has_times=frame.of.has_times,
    )
    return found.elements


def _frame_voi(frame: Frame, present: frozenset[str]) -> list[JSONDataset] | None:
    """The windows; where an image of the set has none, its whole range, for the group is of all frames or none."""
    centers, widths = (classic.numbers(frame.attributes, tag) for tag in _WINDOW[:2])
    if centers and len(centers) == len(widths) and min(widths) > 0:
        item = _taken(frame.attributes, _WINDOW)
        if len(classic.values(frame.attributes, _WINDOW[2])) not in {0, len(centers)}:
            del item[_WINDOW[2]]
        return [item]
    if not frame.of.kind.needs_values and "00281050" not in present:
        return None
    center, width = _whole_range(frame.attributes)
    return [{"00281050": {"vr": "DS", "Value": [center]}, "00281051": {"vr": "DS", "Value": [width]}}]


def _whole_range(attributes: JSONDataset) -> tuple[float, float]:
    stored = int(classic.number(attributes, "00280101") or 16)
    is_signed = classic.number(attributes, "00280103") == 1
    low = -(1 << stored - 1) if is_signed else 0
    slope, intercept = classic.number(attributes, "00281053") or 1.0, classic.number(attributes, "00281052") or 0.0
    width = max(abs(slope) * (1 << stored), 1.0)
    return _decimal((low + (1 << stored - 1)) * slope + intercept), _decimal(width)


def _decimal(number: float) -> float:
    return float(f"{number:.9g}")


def _pixel_values(frame: Frame, present: frozenset[str]) -> list[JSONDataset] | None:
    """Rescale slope and intercept, with a unit, which classic images may leave out (C.7.6.16.2.9, C.8.15.3.10)."""
    attributes = frame.attributes
    if not frame.of.kind.needs_values and not {"00281052", "00281053"} & present:
        return None
    item = _taken(attributes, _RESCALE)
    item.setdefault("00281052", {"vr": "DS", "Value": [0]})
    item.setdefault("00281053", {"vr": "DS", "Value": [1]})
    item.setdefault("00281054", {"vr": "LO", "Value": [_unit(frame)]})
    return [item]


def _unit(frame: Frame) -> str:
    if frame.of.kind is classes.PET:
        return classic.text(frame.attributes, "00541001") or "US"
    if frame.of.kind is not classes.CT or image_types.is_localizer(frame.attributes):
        return "US"
    is_original = image_types.parts(frame.attributes)[:1] == ["ORIGINAL"]
    return "HU" if is_original or "00281053" in frame.attributes else "US"


def _frame_anatomy(frame: Frame, present: frozenset[str]) -> list[JSONDataset] | None:  # noqa: ARG001 (a maker)
    attributes = frame.attributes
    region = anatomy.find(classic.text(attributes, "00180015"))
    item = _taken(attributes, ("00082218", "00082228"))
    if "00082218" not in item:
        if region is None:
            return None
        item["00082218"] = {"vr": "SQ", "Value": [region.item]}
    side = classic.text(attributes, "00200062") or classic.text(attributes, "00200060")
    item["00209072"] = {"vr": "CS", "Value": [side if side in {"R", "L", "U", "B"} else "U"]}
    return [item]


def _referenced_image(frame: Frame, present: frozenset[str]) -> list[JSONDataset] | None:
    if classes.REFERENCED_IMAGE not in present:
        return None
    return _resolved(frame, classes.REFERENCED_IMAGE)


def _resolved(frame: Frame, tag: str) -> list[JSONDataset]:
    """The references whose series is known, which the object must name; all of them stay unassigned otherwise."""
    items = classic.items(frame.attributes, tag)
    return items if all(classic.text(item, "00081155") in frame.known for item in items) else []


def _derivation_image(frame: Frame, present: frozenset[str]) -> list[JSONDataset] | None:
    if "00082112" not in present:
        return None
    attributes = frame.attributes
    images = _resolved(frame, "00082112")
    if not images:
        return []
    item = _taken(attributes, ("00082111", "00089215"))
    item["00082112"] = {"vr": "SQ", "Value": images}
    return [item]


def _real_world_values(frame: Frame, present: frozenset[str]) -> list[JSONDataset] | None:  # noqa: ARG001 (a maker)
    if frame.of.kind is classes.CT:
        return None
    return classic.items(frame.attributes, classes.REAL_WORLD_VALUES) or None


def _irradiation_event(frame: Frame, present: frozenset[str]) -> list[JSONDataset] | None:  # noqa: ARG001 (a maker)
    item = _taken(frame.attributes, ("00083010",))
    return [item] if item and frame.of.kind is not classes.MR else None


_CARDIAC: Final = {
    "00181060": ("00209153", 1.0),  # Trigger Time -> Nominal Cardiac Trigger Delay Time
    "00181062": ("00209251", 1.0),  # Nominal Interval -> R-R Interval Time Nominal
    "00181081": ("00181081", 1.0),
    "00181082": ("00181082", 1.0),
    "00181083": ("00181083", 1.0),
    "00181084": ("00181084", 1.0),
    "00181088": ("00181088", 1.0),
}
_FLOATS: Final = frozenset({"00209153", "00209251"})
_OF_THE_HEART: Final = ("00181062", "00181081", "00181082", "00181088")


def _cardiac(frame: Frame, present: frozenset[str]) -> list[JSONDataset] | None:  # noqa: ARG001 (a maker)
    """Only where a heart rate is spoken of: scanners write Trigger Time of other series, too."""
    attributes = frame.attributes
    if classic.number(attributes, "00181060") is None or not _taken(attributes, _OF_THE_HEART):
        return None
    item: JSONDataset = {}
    for tag, (name, _) in _CARDIAC.items():
        number = classic.number(attributes, tag)
        if number is not None:
            item[name] = {"vr": "FD", "Value": [number]} if name in _FLOATS else attributes[tag]
    return [item]


def _temporal_position(frame: Frame, present: frozenset[str]) -> list[JSONDataset] | None:
    """The offset in seconds, where the images of a repeated volume say when in the series they are."""
    time = classic.number(frame.attributes, "00541300")
    if "00541300" not in present or time is None or not frame.of.has_times:
        return None
    return [{"0020930D": {"vr": "FD", "Value": [time / 1000]}}]


_Maker = Callable[[Frame, frozenset[str]], list[JSONDataset] | None]
_MAKERS: Final[dict[str, _Maker]] = {
    classes.PIXEL_MEASURES: _pixel_measures,
    classes.PLANE_POSITION: _one("00200032"),
    classes.PLANE_ORIENTATION: _one("00200037"),
    classes.FRAME_VOI: _frame_voi,
    classes.PIXEL_VALUES: _pixel_values,
    classes.FRAME_ANATOMY: _frame_anatomy,
    classes.REFERENCED_IMAGE: _referenced_image,
    classes.DERIVATION_IMAGE: _derivation_image,
    classes.IRRADIATION_EVENT: _irradiation_event,
    classes.REAL_WORLD_VALUES: _real_world_values,
    classes.CARDIAC: _cardiac,
    classes.TEMPORAL_POSITION: _temporal_position,
}

_OPTIONAL: Final = frozenset(
    {classes.REAL_WORLD_VALUES, classes.CARDIAC, classes.TEMPORAL_POSITION, classes.FRAME_ANATOMY}
)


@dataclass(frozen=True, slots=True)
class Split:
    """Groups that all frames share, and those that are of each one."""

    shared: Groups
    per_frame: tuple[Groups, ...]


def split(every: Sequence[Groups]) -> Split:
    """What is the same in all frames is shared. A group that a frame lacks and may lack, no frame has."""
    names = set().union(*every)
    for name in names & _OPTIONAL:
        if not all(name in groups for groups in every):
            for groups in every:
                groups.pop(name, None)
    shared: Groups = {}
    first = every[0]
    for name in list(first):
        if all(groups.get(name) == first[name] for groups in every):
            shared[name] = first[name]
    kept = tuple({name: items for name, items in groups.items() if name not in shared} for groups in every)
    return Split(shared, kept)


def kinds_of_group(kind: Kind) -> frozenset[str]:
    """The groups that must be there in an object of this modality (A.70.4 to A.72.4)."""
    values = {classes.FRAME_VOI, classes.PIXEL_VALUES} if kind.needs_values else set()
    places = {classes.PIXEL_MEASURES, classes.PLANE_POSITION, classes.PLANE_ORIENTATION}
    return frozenset({*places, classes.FRAME_CONTENT, kind.frame_type, *values})
