"""Whether classic CT images say all that an Enhanced CT object must: then they become one (PS3.3 A.38, LC-10).

Only original images can: of a derived one nobody knows how, in the words that the class demands. MR and PET images
say in no attribute what their classes ask of them (pulse sequence flags, pharmaceutical codes for each frame), so
they become converted objects.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from dicomgate.dicom import attributes as dictionary
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.multiframe import classes, classic, image_types
from dicomgate.multiframe.classes import tag
from dicomgate.multiframe.gather import FrameSet, moment

_TOP: Final = (
    tag("ContentQualification"),
    tag("BurnedInAnnotation"),
    tag("LossyImageCompression"),
    tag("AcquisitionDuration"),
    tag("Manufacturer"),
    tag("ManufacturerModelName"),
    tag("DeviceSerialNumber"),
    tag("SoftwareVersions"),
)
_GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    tag(group): tuple(map(tag, needed.split()))
    for group, needed in {
        "CTAcquisitionTypeSequence": "AcquisitionType ConstantVolumeFlag FluoroscopyFlag",
        "CTAcquisitionDetailsSequence": "RotationDirection RevolutionTime SingleCollimationWidth "
        "TotalCollimationWidth TableHeight GantryDetectorTilt DataCollectionDiameter",
        "CTTableDynamicsSequence": "TableSpeed TableFeedPerRotation SpiralPitchFactor",
        "CTPositionSequence": "TablePosition DataCollectionCenterPatient ReconstructionTargetCenterPatient",
        "CTGeometrySequence": "DistanceSourceToDetector DistanceSourceToDataCollectionCenter",
        "CTReconstructionSequence": "ReconstructionAlgorithm ConvolutionKernel ConvolutionKernelGroup "
        "ReconstructionDiameter ReconstructionPixelSpacing ReconstructionAngle ImageFilter",
        "CTExposureSequence": "ExposureTimeInms XRayTubeCurrentInmA ExposureInmAs ExposureModulationType CTDIvol",
        "CTXRayDetailsSequence": "KVP FocalSpots FilterType FilterMaterial",
    }.items()
}
_OF_SPIRAL: Final = frozenset(map(tag, ("TableSpeed", "TableFeedPerRotation", "SpiralPitchFactor")))
_TYPES: Final = frozenset({"SEQUENCED", "SPIRAL"})
"""Of other acquisitions more would have to be known."""
_FROM_CLASSIC: Final = {
    tag("ExposureTimeInms"): tag("ExposureTime"),
    tag("XRayTubeCurrentInmA"): tag("XRayTubeCurrent"),
    tag("ExposureInmAs"): tag("Exposure"),
}
_REFERENCE, _EVENT, _REGION, _PART = map(
    tag, ("FrameReferenceDateTime", "IrradiationEventUID", "AnatomicRegionSequence", "BodyPartExamined")
)


def missing(frame_set: FrameSet) -> list[str]:
    """What the images of a set do not say, so that they become no Enhanced object; empty: they say all."""
    if frame_set.kind is not classes.CT:
        return ["what only scanners of the class say"]
    return sorted({name for source in frame_set.sources for name in _missing(source.attributes, frame_set)})


def _missing(attributes: JSONDataset, frame_set: FrameSet) -> Iterator[str]:
    if image_types.parts(attributes)[:1] != ["ORIGINAL"] or image_types.is_localizer(attributes):
        yield "ImageType"
    if not frame_set.is_sound:
        yield "VolumetricProperties"
    first = frame_set.sources[0].attributes
    for name in _TOP:
        if classic.is_empty(attributes.get(name)) or attributes[name] != first.get(name):
            yield _name(name)
    if classic.text(attributes, tag("BurnedInAnnotation")) != "NO":
        yield "BurnedInAnnotation"
    if classic.text(attributes, tag("AcquisitionType")) not in _TYPES:
        yield "AcquisitionType"
    if len(moment(attributes)) <= 8:
        yield "AcquisitionDateTime"
    for name in (_REFERENCE, _EVENT):
        if classic.is_empty(attributes.get(name)):
            yield _name(name)
    if classic.is_empty(attributes.get(_REGION)) and not classic.text(attributes, _PART):
        yield _name(_REGION)
    for needed in _GROUPS.values():
        yield from (_name(name) for name in needed if _lacks(attributes, name))


def _lacks(attributes: JSONDataset, name: str) -> bool:
    if name in _OF_SPIRAL and classic.text(attributes, tag("AcquisitionType")) != "SPIRAL":
        return False
    return _value(attributes, name) is None


def _value(attributes: JSONDataset, name: str) -> dict[str, Any] | None:
    """The element itself, or made of what classic images have instead."""
    element: dict[str, Any] | None = attributes.get(name)
    if not classic.is_empty(element):
        return element
    number = classic.number(attributes, _FROM_CLASSIC.get(name, name))
    return {"vr": dictionary.vr(name), "Value": [number]} if number is not None and name in _FROM_CLASSIC else None


def _name(name: str) -> str:
    return dictionary.find_keyword(name) or name


def groups(attributes: JSONDataset) -> dict[str, list[JSONDataset]]:
    """The functional groups of an Enhanced CT that tell how a frame was acquired."""
    return {
        group: [{name: element for name in needed if (element := _value(attributes, name)) is not None}]
        for group, needed in _GROUPS.items()
    }


def frame_content(attributes: JSONDataset) -> JSONDataset:
    """What its Frame Content has beside that of a converted one."""
    return {_REFERENCE: attributes[_REFERENCE]}
