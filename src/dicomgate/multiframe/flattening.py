"""One frame of an enhanced object as the attributes of a classic image (PS3.4 C.3.5, LC-30).

Attributes of a functional group that a classic image has, too, keep their tag. Those that only an enhanced object has
are told in the older words as well, by the tables below.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from dicomgate.dicom import attributes as dictionary
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.multiframe import classes, classic, remainder
from dicomgate.multiframe.classes import Kind, tag, tags

Element = dict[str, Any]

_NOT_OF_A_FRAME: Final = tags(
    "SharedFunctionalGroupsSequence PerFrameFunctionalGroupsSequence NumberOfFrames DimensionOrganizationSequence "
    "DimensionIndexSequence DimensionOrganizationType ConcatenationUID SOPInstanceUIDOfConcatenationSource "
    "InConcatenationNumber InConcatenationTotalNumber ConcatenationFrameOffsetNumber RepresentativeFrameNumber "
    "ReferencedSeriesSequence StudiesContainingOtherReferencedInstancesSequence ReferencedImageEvidenceSequence "
    "SourceImageEvidenceSequence ReferencedPresentationStateSequence ImageType PixelPresentation "
    "VolumetricProperties VolumeBasedCalculationTechnique StereoPairsPresent SOPClassUID SOPInstanceUID "
    "SeriesInstanceUID InstanceNumber ConversionSourceAttributesSequence EncapsulatedPixelDataValueTotalLength "
    "FrameIncrementPointer SliceProgressionDirection PresentationLUTShape ContributingEquipmentSequence "
    "QueryRetrieveView"
) | frozenset({remainder.RESERVATION, remainder.SEQUENCE})
"""What the top of an enhanced object says of all frames together."""

_GROUPS_KEPT: Final = frozenset({classes.REFERENCED_IMAGE, classes.REAL_WORLD_VALUES})
"""Groups that are sequences of a classic image as they are."""
_LAID_ASIDE: Final = frozenset({classes.UNASSIGNED_SHARED, classes.UNASSIGNED_PER_FRAME, classes.CONVERSION_SOURCE})

_RENAMED: Final = {
    tag(new): tag(old)
    for new, old in {
        "FrameComments": "ImageComments",
        "FrameAcquisitionNumber": "AcquisitionNumber",
        "TemporalPositionIndex": "TemporalPositionIdentifier",
        "EffectiveEchoTime": "EchoTime",
        "NominalCardiacTriggerDelayTime": "TriggerTime",
        "RRIntervalTimeNominal": "NominalInterval",
        "ExposureTimeInms": "ExposureTime",
        "XRayTubeCurrentInmA": "XRayTubeCurrent",
        "ExposureInmAs": "Exposure",
    }.items()
}
_SEQUENCES: Final = {"SPIN": ("SE",), "GRADIENT": ("GR",), "BOTH": ("SE", "GR")}


@dataclass(frozen=True, slots=True)
class Parts:
    """An enhanced data set, taken apart once for all its frames."""

    kind: Kind
    top: JSONDataset
    """What holds for each frame as it stands there."""
    shared: JSONDataset
    frames: list[JSONDataset]
    positions: int
    """At how many positions there are frames."""


def take_apart(enhanced: JSONDataset, kind: Kind) -> Parts:
    """The parts of an enhanced data set."""
    top = {
        name: element
        for name, element in enhanced.items()
        if name not in _NOT_OF_A_FRAME and not classes.is_of_pixels(name)
    }
    frames = classic.items(enhanced, classes.PER_FRAME)
    places = {
        str(classic.values(item, "00200032"))
        for frame in frames
        for item in classic.items(frame, classes.PLANE_POSITION)
    }
    shared = next(iter(classic.items(enhanced, classes.SHARED)), {})
    return Parts(kind, top, shared, frames, max(len(places), 1))


def flatten(parts: Parts, frame: int) -> JSONDataset:
    """The attributes of frame `frame`, from 1, without UIDs and pixel data.

    What was kept of a classic source goes before what was made of it.
    """
    shared, own = parts.shared, parts.frames[frame - 1]
    found = dict(parts.top)
    for groups in (shared, own):
        found |= _laid_flat(groups)
    made = {name: element for name, element in _in_older_words(found, parts.kind) if name not in parts.top}
    found = {**made, **{name: element for name, element in found.items() if name not in _NEWER}}
    kept = _kept(shared, classes.UNASSIGNED_SHARED) | _kept(own, classes.UNASSIGNED_PER_FRAME)
    found |= {name: element for name, element in kept.items() if not _would_empty(found.get(name), element)}
    if classic.text(found, _DIRECTION) == "COLUMN":
        found[_DIRECTION] = {"vr": "CS", "Value": ["COL"]}
    for name in classes.EMPTY_AT_TOP - found.keys():
        found[name] = {"vr": dictionary.vr(name)}
    for name, make in _NEEDED[parts.kind.name].items():
        if name not in found:
            found[name] = make(parts, found)
    if classic.text(found, _INVERTED) == "NO" and tag("InversionTime") not in kept:
        found.pop(tag("InversionTime"), None)
    if all(classic.is_empty(found.get(name)) for name in (_BODY_PART, tag("ImageLaterality"))):
        found.setdefault(tag("Laterality"), {"vr": "CS"})
    return found


def _would_empty(present: Element | None, kept: Element) -> bool:
    return classic.is_empty(kept) and not classic.is_empty(present)


def _kept(groups: JSONDataset, name: str) -> JSONDataset:
    return next(iter(classic.items(groups, name)), {})


def _laid_flat(groups: JSONDataset) -> JSONDataset:
    found: JSONDataset = {}
    for name, element in groups.items():
        if name in _LAID_ASIDE:
            continue
        if name in _GROUPS_KEPT or element.get("vr") != "SQ":
            found[name] = element
            continue
        for item in classic.items(groups, name)[:1]:
            found |= _derivation(item) if name == classes.DERIVATION_IMAGE else item
    return found


def _derivation(item: JSONDataset) -> JSONDataset:
    return {name: element for name, element in item.items() if name in {"00082111", "00082112", "00089215"}}


_ACQUIRED, _LATERALITY = tag("FrameAcquisitionDateTime"), tag("FrameLaterality")
_PULSES, _INVERTED = tag("EchoPulseSequence"), tag("InversionRecovery")
_DIRECTION: Final = tag("InPlanePhaseEncodingDirection")
_BODY_PART: Final = tag("BodyPartExamined")
_NEWER: Final = frozenset(
    {
        *tags("FrameType PixelPresentation VolumetricProperties VolumeBasedCalculationTechnique"),
        *tags("DimensionIndexValues StackID InStackPositionNumber TemporalPositionIndex FrameAcquisitionNumber"),
        *tags("FrameAcquisitionDateTime FrameComments FrameLaterality"),
    }
)
"""What has no place in a classic image and is told there in other words, or not at all."""


def _in_older_words(found: JSONDataset, kind: Kind) -> Iterator[tuple[str, Element]]:
    for name, element in found.items():
        older = _RENAMED.get(name)
        if older is not None and not classic.is_empty(element):
            yield older, _as_vr(older, element)
    if tag("FrameType") in found:
        yield tag("ImageType"), _image_type(classic.values(found, tag("FrameType")), kind)
    if classic.text(found, _INVERTED) == "YES" and tag("InversionTimes") in found:
        yield tag("InversionTime"), _as_vr(tag("InversionTime"), found[tag("InversionTimes")])
    moment = classic.text(found, _ACQUIRED)
    if len(moment) >= 8:
        yield tag("AcquisitionDate"), {"vr": "DA", "Value": [moment[:8]]}
        clock = moment[8:].partition("+")[0].partition("-")[0]
        if clock:
            yield tag("AcquisitionTime"), {"vr": "TM", "Value": [clock]}
    side = classic.text(found, _LATERALITY)
    if side in {"R", "L", "U", "B"}:
        yield tag("ImageLaterality"), {"vr": "CS", "Value": [side]}


_THIRD: Final = {"CT": "AXIAL", "MR": "OTHER"}
"""The third value of Image Type where nothing better is said (C.8.2.1.1.1, C.8.3.1.1.1)."""


def _image_type(frame_type: list[Any], kind: Kind) -> Element:
    values = [str(value or "") for value in frame_type[:2]] or ["DERIVED", "PRIMARY"]
    third = "LOCALIZER" if "LOCALIZER" in frame_type else _THIRD.get(kind.name)
    return {"vr": "CS", "Value": [*values, *([third] if third else [])]}


_WHOLE: Final = tags(
    "ExposureTime XRayTubeCurrent Exposure NominalInterval AcquisitionNumber TemporalPositionIdentifier"
)
_REAL: Final = tags("EchoTime InversionTime TriggerTime")


def _as_vr(older: str, element: Element) -> Element:
    values = element.get("Value") or []
    if older in _WHOLE:
        return {
            "vr": "IS",
            "Value": [round(value) if isinstance(value, int | float) else value for value in values][:1],
        }
    if older in _REAL:
        return {"vr": "DS", "Value": values[:1]}
    return element


# What a classic image must have, and an enhanced object says in another way, or nowhere.

_Make = Callable[[Parts, JSONDataset], Element]


def _empty(vr: str) -> _Make:
    return lambda _, __: {"vr": vr}


def _constant(vr: str, *values: Any) -> _Make:
    return lambda _, __: {"vr": vr, "Value": list(values)}


def _pulses(_: Parts, found: JSONDataset) -> Element:
    inverted = ("IR",) if tag("InversionTime") in found else ()
    return {"vr": "CS", "Value": [*_SEQUENCES.get(classic.text(found, _PULSES), ("RM",)), *inverted]}


def _units(_: Parts, found: JSONDataset) -> Element:
    said = classic.text(found, tag("RescaleType"))
    return {"vr": "CS", "Value": [said if said and said != "US" else "NONE"]}


def _slices(parts: Parts, _: JSONDataset) -> Element:
    return {"vr": "US", "Value": [min(parts.positions, 0xFFFF)]}


def _decay(_: Parts, found: JSONDataset) -> Element:
    is_corrected = classic.text(found, tag("DecayCorrected")) == "YES"
    return {"vr": "CS", "Value": ["START" if is_corrected else "NONE"]}


_COMMON: Final[dict[str, _Make]] = {
    tag("SliceThickness"): _empty("DS"),
    tag("PatientPosition"): _empty("CS"),
    tag("AcquisitionNumber"): _empty("IS"),
}
_NEEDED: Final[dict[str, dict[str, _Make]]] = {
    "CT": {
        **_COMMON,
        tag("ImageType"): _constant("CS", "DERIVED", "PRIMARY", "AXIAL"),
        tag("KVP"): _empty("DS"),
        tag("RescaleIntercept"): _constant("DS", 0),
        tag("RescaleSlope"): _constant("DS", 1),
    },
    "MR": {
        **_COMMON,
        tag("ImageType"): _constant("CS", "DERIVED", "PRIMARY", "OTHER"),
        tag("ScanningSequence"): _pulses,
        tag("SequenceVariant"): _constant("CS", "NONE"),
        tag("ScanOptions"): _empty("CS"),
        tag("MRAcquisitionType"): _empty("CS"),
        tag("EchoTime"): _empty("DS"),
        tag("EchoTrainLength"): _empty("IS"),
        tag("RepetitionTime"): _empty("DS"),
    },
    "PET": {
        **_COMMON,
        tag("ImageType"): _constant("CS", "DERIVED", "PRIMARY"),
        tag("Units"): _units,
        tag("CountsSource"): _constant("CS", "EMISSION"),
        tag("SeriesType"): _constant("CS", "STATIC", "IMAGE"),
        tag("NumberOfSlices"): _slices,
        tag("CorrectedImage"): _empty("CS"),
        tag("DecayCorrection"): _decay,
        tag("CollimatorType"): _empty("CS"),
        tag("RadiopharmaceuticalInformationSequence"): _empty("SQ"),
        tag("FrameReferenceTime"): _constant("DS", 0),
        tag("RescaleIntercept"): _constant("DS", 0),
        tag("RescaleSlope"): _constant("DS", 1),
    },
}
