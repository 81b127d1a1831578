"""One object of many images, made without being written: its data set, and where each of its frames lies.

PS3.3 A.70 to A.72, PS3.4 C.3.5. Whoever has one can write it to a file (`writing`), answer for it as if it were
stored, or read one frame of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from dicomgate.dicom import attributes as dictionary
from dicomgate.dicom import encode, syntaxes
from dicomgate.dicom.bulk import Place
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.multiframe import (
    acquired,
    anatomy,
    classes,
    classic,
    dimensions,
    gather,
    groups,
    identity,
    image_types,
    loss,
    pixel_module,
    references,
    unassigned,
)
from dicomgate.multiframe.classic import Classic
from dicomgate.multiframe.gather import FrameSet
from dicomgate.multiframe.groups import Frame, Groups
from dicomgate.multiframe.references import Now, Renaming
from dicomgate.multiframe.samples import Alteration

Element = dict[str, Any]

PURPOSE: Final = ("109106", "DCM", "Enhanced Multi-frame Conversion Equipment")
FROM_CLASSIC: Final = "Legacy Enhanced Image created from Classic Images"
FROM_ENHANCED: Final = "Classic Image created from Enhanced Image"
NEW_REFERENCES: Final = "Updated UID references during Legacy Enhanced Classic conversion"
EQUIPMENT: Final = "0018A001"
_CONTRIBUTED: Final = "0018A002"
PIXEL_DATA: Final = encode.PIXEL_DATA
FRAMES_URI: Final = "frames"
_NEVER_DATED: Final = ("19000101", "000000")
"""Content Date and Time must be there; sources that name no day at all get a day on which there were no scanners."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Enhanced:
    """An object with many frames. `attributes` is its whole data set; large values and the pixels stand there by URI.

    Frame n is the pixel data of `sources[n - 1]`, brought into another form where `alterations` has one for it.
    `places` tells for each URI whose value it is and where that lies.
    """

    frame_set: FrameSet
    attributes: JSONDataset
    transfer_syntax: str
    alterations: Sequence[Alteration | None]
    places: Mapping[str, tuple[Classic, Place]]

    @property
    def sources(self) -> Sequence[Classic]:
        """The images, in the order of the frames."""
        return self.frame_set.sources

    @property
    def instance(self) -> str:
        """SOP Instance UID."""
        return classic.text(self.attributes, "00080018")

    @property
    def is_compressed(self) -> bool:
        """Frames are encapsulated."""
        syntax = syntaxes.find(self.transfer_syntax)
        return syntax is not None and syntax.is_encapsulated


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What is decided about a set before any object is described, so that objects can refer to each other."""

    frame_set: FrameSet
    series: str
    instance: str
    number: int
    salt: str
    lacks: tuple[str, ...]
    """What keeps it from being an object as a scanner makes it (LC-10)."""

    @property
    def sop_class(self) -> str:
        """True Enhanced where the sources say all that it must, else Legacy Converted."""
        return self.frame_set.kind.legacy if self.lacks else self.frame_set.kind.enhanced

    def renaming(self) -> dict[str, Now]:
        """What each source has become."""
        return {
            source.instance: Now(
                study=source.text("0020000D"),
                series=self.series,
                instance=self.instance,
                sop_class=self.sop_class,
                frame=number,
            )
            for number, source in enumerate(self.frame_set.sources, 1)
        }


def settle(sets: Iterable[FrameSet], *, salt: str = "") -> list[Settled]:
    """UIDs and numbers of the objects: those of one series again share one (LC-01, LC-02)."""
    counts: dict[str, int] = {}
    settled = []
    for one in sets:
        series = one.sources[0].series
        counts[series] = counts.get(series, 0) + 1
        settled.append(
            Settled(
                frame_set=one,
                series=identity.derive("series of enhanced", [series], salt=salt),
                instance=identity.derive("enhanced", [source.instance for source in one.sources], salt=salt),
                number=counts[series],
                salt=salt,
                lacks=tuple(acquired.missing(one)),
            )
        )
    return settled


def describe(
    settled: Settled,
    renaming: Renaming | None = None,
    *,
    known: Mapping[str, tuple[str, str]] | None = None,
    states: Sequence[str] = (),
) -> Enhanced:
    """The object that a set becomes.

    `renaming`: what else is converted, for references to it; `known`: study and series of instances that are not;
    `states`: UIDs of the presentation states that its overlays became.
    """
    frame_set = settled.frame_set
    places = _Places.of(renaming or {}, known or {})
    datasets = [references.update(source.attributes, renaming or {}) for source in frame_set.sources]
    present = frozenset().union(*(dataset.keys() for dataset in datasets))
    frames = [
        Frame(source, dataset, frame_set, order, places)
        for order, (source, dataset) in enumerate(zip(frame_set.sources, datasets, strict=True))
    ]
    built = [groups.build(frame, present) for frame in frames]
    contents = [groups.frame_content(frame) for frame in frames]
    if not settled.lacks:
        for dataset, found, content in zip(datasets, built, contents, strict=True):
            found.update(acquired.groups(frame_set, dataset, found))
            content.update(acquired.frame_content(dataset))
    split = groups.split(built)
    pixels = pixel_module.unite(frame_set)
    top = _top(settled, datasets, pixels.elements) | ({} if settled.lacks else acquired.top(frame_set))
    if classes.FRAME_ANATOMY not in split.shared and classes.FRAME_ANATOMY not in split.per_frame[0]:
        top.setdefault("00200060", {"vr": "CS"})
    agreed = {tag: element for tag, element in top.items() if all(one.get(tag) == element for one in datasets)}
    left = unassigned.collect(datasets, [agreed, *_items(split.shared)], [_items(own) for own in split.per_frame])
    top[classes.SHARED] = _sequence([_groups(split.shared, classes.UNASSIGNED_SHARED, left.shared)])
    top[classes.PER_FRAME] = _sequence(
        [
            _groups(
                {
                    classes.FRAME_CONTENT: [content],
                    classes.CONVERSION_SOURCE: [_conversion_source(source)],
                    **own,
                },
                classes.UNASSIGNED_PER_FRAME,
                rest,
            )
            for source, content, own, rest in zip(
                frame_set.sources, contents, split.per_frame, left.per_frame, strict=True
            )
        ]
    )
    top |= _states(states)
    top |= _evidence(split, places)
    top |= instance_references(top, [_whereabouts(source) for source in frame_set.sources], places)
    return Enhanced(
        frame_set=frame_set,
        attributes={tag: top[tag] for tag in sorted(top)},
        transfer_syntax=frame_set.sources[0].transfer_syntax if frame_set.is_compressed else syntaxes.EXPLICIT_LITTLE,
        alterations=pixels.alterations,
        places=_places(frame_set.sources),
    )


def _places(sources: Iterable[Classic]) -> dict[str, tuple[Classic, Place]]:
    return {uri: (source, place) for source in sources for uri, place in source.places.items()}


# The top of the data set.


def _top(settled: Settled, datasets: Sequence[JSONDataset], pixels: JSONDataset) -> JSONDataset:
    frame_set = settled.frame_set
    allowed = classes.top(frame_set.kind)
    first, *others = datasets
    top: JSONDataset = {tag: {"vr": dictionary.vr(tag)} for tag in classes.EMPTY_AT_TOP}
    top |= {
        tag: element
        for tag, element in first.items()
        if tag in allowed
        and not classic.is_empty(element)
        and element["vr"] in dictionary.choice(tag).split(" or ")
        and all(one.get(tag) == element for one in others)
    }
    top |= _requests(datasets)
    top |= _frame_type(frame_set)
    top |= _moments(datasets)
    top |= loss.describe(frame_set)
    top |= pixels
    top |= dimensions.describe(frame_set, identity.derive("dimensions", [settled.instance], salt=settled.salt))
    top |= {
        "00080016": _uid(settled.sop_class),
        "00080018": _uid(settled.instance),
        "0020000E": _uid(settled.series),
        "00200013": {"vr": "IS", "Value": [settled.number]},
        "00280008": {"vr": "IS", "Value": [len(frame_set.sources)]},
        EQUIPMENT: _sequence(equipment(datasets, FROM_CLASSIC)),
    }
    if "00200052" not in top:
        series = [source.series for source in frame_set.sources]
        top["00200052"] = _uid(identity.derive("frame of reference", set(series), salt=settled.salt))
    _qualify(top, datasets, frame_set)
    return top


_NUCLEI: Final = {
    said: nucleus
    for nucleus, other in zip(
        ("1H", "3HE", "7LI", "13C", "19F", "23NA", "31P"),
        ("H1", "HE3", "LI7", "C13", "F19", "NA23", "P31"),
        strict=True,
    )
    for said in (nucleus, other)
}
"""Imaged Nucleus as scanners write it, and Resonant Nucleus (C.8.13.1)."""


def _qualify(top: JSONDataset, datasets: Sequence[JSONDataset], frame_set: FrameSet) -> None:
    """What only certain values may stand for."""
    if all(classic.text(dataset, "00280301") == "NO" for dataset in datasets):
        top["00280301"] = {"vr": "CS", "Value": ["NO"]}
    nuclei = {classic.text(dataset, "00180085").upper() for dataset in datasets}
    nucleus = _NUCLEI.get(nuclei.pop()) if len(nuclei) == 1 else None
    if frame_set.kind is classes.MR and nucleus is not None:
        top.setdefault("00189100", {"vr": "CS", "Value": [nucleus]})
    if frame_set.kind is classes.PET:
        top.setdefault("00189004", {"vr": "CS", "Value": ["PRODUCT"]})


def _requests(datasets: Sequence[JSONDataset]) -> JSONDataset:
    """Request Attributes Sequence: the items of all sources, each once, if any has it (LC-04)."""
    items: list[JSONDataset] = []
    for dataset in datasets:
        items += [item for item in classic.items(dataset, "00400275") if item not in items]
    return {"00400275": _sequence(items)} if items else {}


def _frame_type(frame_set: FrameSet) -> JSONDataset:
    found = image_types.convert(
        frame_set.sources[0].attributes,
        is_regular=frame_set.is_regular,
        is_sound=frame_set.is_sound,
        has_times=frame_set.has_times,
    )
    elements = found.elements
    elements["00080008"] = elements.pop("00089007")
    elements["20500020"] = {"vr": "CS", "Value": ["IDENTITY"]}
    return elements


_CONTENT_MOMENTS: Final = (
    ("00080023", "00080033"),
    ("00080022", "00080032"),
    ("00080021", "00080031"),
    ("00080020", "00080030"),
)


def _moments(datasets: Sequence[JSONDataset]) -> JSONDataset:
    """The earliest of the sources' moments, never the time of conversion (LC-03)."""
    top: JSONDataset = {}
    series = earliest(datasets, "00080021", "00080031")
    if series is not None:
        top |= _day("00080021", "00080031", series)
    contents = (earliest(datasets, *tags) for tags in _CONTENT_MOMENTS)
    top |= _day("00080023", "00080033", next((found for found in contents if found is not None), _NEVER_DATED))
    acquired = [text for dataset in datasets if (text := gather.moment(dataset))]
    if acquired:
        top["0008002A"] = {"vr": "DT", "Value": [min(acquired)]}
    return top


def earliest(datasets: Iterable[JSONDataset], day: str, time: str) -> tuple[str, str] | None:
    """The earliest day with its earliest time, which may be unknown; None when none of them names a day."""
    found = [gather.day_and_time(dataset, day, time) for dataset in datasets]
    return min((one for one in found if one[0]), default=None)


def _day(day: str, time: str, found: tuple[str, str]) -> JSONDataset:
    known = {"vr": "TM", "Value": [found[1]]} if found[1] else {"vr": "TM", "Value": ["000000"]}
    return {day: {"vr": "DA", "Value": [found[0]]}} | ({time: known} if found[1] or day == "00080023" else {})


def equipment(datasets: Sequence[JSONDataset], contribution: str) -> list[JSONDataset]:
    """Contributing Equipment Sequence: what the sources agree on, and the one item that tells of us (LC-05)."""
    given = [classic.items(dataset, EQUIPMENT) for dataset in datasets]
    bare = [[_undated(item) for item in items] for items in given]
    earlier = given[0] if all(items == bare[0] for items in bare) else []
    purpose = anatomy.code_item(*PURPOSE)
    own: JSONDataset = {
        "00080070": {"vr": "LO", "Value": ["dicomgate"]},
        "0018A003": {"vr": "ST", "Value": [contribution]},
        "0040A170": _sequence([purpose]),
    }
    return [*earlier, own]


def _undated(item: JSONDataset) -> JSONDataset:
    return {tag: element for tag, element in item.items() if tag != _CONTRIBUTED}


# Functional groups and references.


def _items(found: Groups) -> list[JSONDataset]:
    """The first items, and the groups as the attributes that some of them are in a classic image, too."""
    return [*(items[0] for items in found.values() if items), {tag: _sequence(items) for tag, items in found.items()}]


def _groups(found: Groups, name: str, rest: JSONDataset) -> JSONDataset:
    item = {tag: _sequence(items) for tag, items in found.items()}
    if rest:
        item[name] = _sequence([rest])
    return {tag: item[tag] for tag in sorted(item)}


def _conversion_source(source: Classic) -> JSONDataset:
    return {"00081150": _uid(source.sop_class), "00081155": _uid(source.instance)}


PRESENTATION_STATE: Final = "1.2.840.10008.5.1.4.1.1.11.1"


def _states(states: Sequence[str]) -> JSONDataset:
    """Referenced Presentation State Sequence (LC-18)."""
    items = [{"00081150": _uid(PRESENTATION_STATE), "00081155": _uid(state)} for state in states]
    return {"00089237": _sequence(items)} if items else {}


Whereabouts = tuple[str, str, str, str]
"""Study, series, instance and class."""


def _whereabouts(source: Classic) -> Whereabouts:
    return (source.text("0020000D"), source.series, source.instance, source.sop_class)


class _Places(dict[str, tuple[str, str]]):
    """Study and series by instance: where what is converted is now, and where the others are."""

    @classmethod
    def of(cls, renaming: Renaming, known: Mapping[str, tuple[str, str]]) -> _Places:
        """Both; what is converted has gone from its old place."""
        left = {instance: place for instance, place in known.items() if instance not in renaming}
        settled = (now for now in renaming.values() if isinstance(now, Now))
        return cls(left | {now.instance: (now.study, now.series) for now in settled})


_EVIDENCE: Final = (
    (classes.REFERENCED_IMAGE, classes.REFERENCED_IMAGE, "00089092"),
    (classes.DERIVATION_IMAGE, "00082112", "00089154"),
)


def _evidence(split: groups.Split, places: Mapping[str, tuple[str, str]]) -> JSONDataset:
    """Referenced and Source Image Evidence Sequence: what the groups refer to, by study and series (C.8.15.2)."""
    top: JSONDataset = {}
    for group, tag, evidence in _EVIDENCE:
        wanted: dict[Whereabouts, None] = {}
        for found in (split.shared, *split.per_frame):
            for item in found.get(group, ()):
                inner = {tag: _sequence([item])} if group == tag else {tag: item.get(tag, {})}
                for instance, sop_class in references.found(inner):
                    wanted[*places[instance], instance, sop_class] = None
        items = [
            {"0020000D": _uid(study), "00081115": _series(series, "00081199")}
            for study, series in _by_study(wanted).items()
        ]
        if items:
            top[evidence] = _sequence(items)
    return top


def instance_references(
    dataset: JSONDataset, sources: Iterable[Whereabouts], places: Mapping[str, tuple[str, str]]
) -> JSONDataset:
    """Common Instance Reference: all that the object refers to, by study and series (C.12.2, LC-24).

    What somebody else has, so that its series is not known here, cannot be named there.
    """
    own = classic.text(dataset, "0020000D")
    wanted = dict.fromkeys(sources)
    for instance, sop_class in references.found(dataset):
        if instance in places:
            wanted[*places[instance], instance, sop_class] = None
    studies = _by_study(wanted)
    found: JSONDataset = {}
    if own in studies:
        found["00081115"] = _series(studies.pop(own))
    if studies:
        items = [{"0020000D": _uid(study), "00081115": _series(series)} for study, series in studies.items()]
        found["00081200"] = _sequence(items)
    return found


def _by_study(wanted: Iterable[Whereabouts]) -> dict[str, dict[str, list[JSONDataset]]]:
    studies: dict[str, dict[str, list[JSONDataset]]] = {}
    for study, series, instance, sop_class in wanted:
        item = {"00081150": _uid(sop_class), "00081155": _uid(instance)}
        studies.setdefault(study, {}).setdefault(series, []).append(item)
    return studies


def _series(series: Mapping[str, list[JSONDataset]], tag: str = "0008114A") -> Element:
    items = [{"0020000E": _uid(name), tag: _sequence(instances)} for name, instances in series.items()]
    return _sequence(items)


def _uid(uid: str) -> Element:
    return {"vr": "UI", "Value": [uid]}


def _sequence(items: Sequence[JSONDataset]) -> Element:
    return {"vr": "SQ", "Value": list(items)} if items else {"vr": "SQ"}
