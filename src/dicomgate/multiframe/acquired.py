"""Whether images say all that an Enhanced object must: then they become one (PS3.3 A.36, A.38, A.56, LC-10).

Only original images can: of a derived one nobody knows how, in the words that the class demands. Images of sequences or
scanners of which more would have to be known than a plain one asks become converted objects.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from dicomgate.dicom import attributes as dictionary
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.multiframe import classes, classic, image_types
from dicomgate.multiframe.classes import tag
from dicomgate.multiframe.gather import FrameSet, moment

Groups = dict[str, list[JSONDataset]]


def _tags(words: str) -> tuple[str, ...]:
    return tuple(map(tag, words.split()))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Needs:
    """What images must say to become an object of the class."""

    alike: tuple[str, ...]
    """At the top of a converted object, too, and the same in all images."""
    top: tuple[str, ...] = ()
    """At the top of this class alone, the same in all images."""
    groups: Mapping[str, tuple[str, ...]]
    of_each: tuple[str, ...]
    """Of each image, elsewhere."""
    only: Mapping[str, frozenset[str]]
    """The values beyond which more would have to be known."""
    older: Mapping[str, str] = field(default_factory=dict)
    """What classic images have instead of it."""
    when: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """What is asked for only where another attribute has a value."""
    within: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What each item of a sequence must say."""


_EVERY: Final = _tags(
    "ContentQualification BurnedInAnnotation LossyImageCompression AcquisitionDuration Manufacturer "
    "ManufacturerModelName DeviceSerialNumber SoftwareVersions"
)
_REFERENCE, _EVENT, _REGION, _PART = _tags(
    "FrameReferenceDateTime IrradiationEventUID AnatomicRegionSequence BodyPartExamined"
)


def _groups(words: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    return {tag(group): _tags(needed) for group, needed in words.items()}


def _only(values: Mapping[str, str]) -> dict[str, frozenset[str]]:
    return {tag(name): frozenset(allowed.split()) for name, allowed in values.items()}


def _when(words: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Of `Attribute=VALUE`: the attributes that are asked for then."""
    found: dict[str, tuple[str, str]] = {}
    for condition, names in words.items():
        name, _, value = condition.partition("=")
        found |= dict.fromkeys(_tags(names), (tag(name), value))
    return found


_CT: Final = _Needs(
    alike=_EVERY,
    of_each=(_REFERENCE, _EVENT),
    only=_only({"BurnedInAnnotation": "NO", "AcquisitionType": "SEQUENCED SPIRAL"}),
    older={
        tag("ExposureTimeInms"): tag("ExposureTime"),
        tag("XRayTubeCurrentInmA"): tag("XRayTubeCurrent"),
        tag("ExposureInmAs"): tag("Exposure"),
    },
    when=_when({"AcquisitionType=SPIRAL": "TableSpeed TableFeedPerRotation SpiralPitchFactor"}),
    groups=_groups(
        {
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
        }
    ),
)
_MR: Final = _Needs(
    alike=(
        *_EVERY,
        *_tags("MagneticFieldStrength ResonantNucleus KSpaceFiltering ApplicableSafetyStandardAgency"),
    ),
    top=_tags(
        "PulseSequenceName MRAcquisitionType EchoPulseSequence MultipleSpinEcho MultiPlanarExcitation PhaseContrast "
        "TimeOfFlightContrast SteadyStatePulseSequence EchoPlanarPulseSequence "
        "SaturationRecovery SpectrallySelectedSuppression OversamplingPhase GeometryOfKSpaceTraversal "
        "RectilinearPhaseEncodeReordering SegmentedKSpaceTraversal NumberOfKSpaceTrajectories ComplexImageComponent "
        "AcquisitionContrast"
    ),
    of_each=(_REFERENCE,),
    only=_only(
        {
            "BurnedInAnnotation": "NO",
            "MRAcquisitionType": "2D",
            "GeometryOfKSpaceTraversal": "RECTILINEAR",
            "PhaseContrast": "NO",
            "InversionRecovery": "NO",
            "FlowCompensation": "NONE",
            "SpatialPresaturation": "NONE",
            "PartialFourier": "NO",
            "ParallelAcquisition": "NO",
            "Tagging": "NONE",
            "ReceiveCoilType": "BODY VOLUME SURFACE",
            "InPlanePhaseEncodingDirection": "ROW COL COLUMN",
            "AcquisitionContrast": "PROTON_DENSITY T1 T2 T2_STAR FLAIR STIR TAGGING TOF FLOW_ENCODED UNKNOWN",
        }
    ),
    older={tag("EffectiveEchoTime"): tag("EchoTime")},
    groups=_groups(
        {
            "MRImageFrameTypeSequence": "ComplexImageComponent AcquisitionContrast",
            "MRTimingAndRelatedParametersSequence": "RepetitionTime FlipAngle EchoTrainLength RFEchoTrainLength "
            "GradientEchoTrainLength SpecificAbsorptionRateSequence GradientOutputType GradientOutput "
            "OperatingModeSequence",
            "MRFOVGeometrySequence": "InPlanePhaseEncodingDirection MRAcquisitionFrequencyEncodingSteps "
            "MRAcquisitionPhaseEncodingStepsInPlane PercentSampling PercentPhaseFieldOfView",
            "MREchoSequence": "EffectiveEchoTime",
            "MRModifierSequence": "InversionRecovery FlowCompensation Spoiling T2Preparation "
            "SpectrallySelectedExcitation SpatialPresaturation PartialFourier ParallelAcquisition",
            "MRImagingModifierSequence": "MagnetizationTransfer BloodSignalNulling Tagging TransmitterFrequency "
            "PixelBandwidth",
            "MRReceiveCoilSequence": "ReceiveCoilName ReceiveCoilManufacturerName ReceiveCoilType "
            "QuadratureReceiveCoil",
            "MRTransmitCoilSequence": "TransmitCoilName TransmitCoilManufacturerName TransmitCoilType",
            "MRAveragesSequence": "NumberOfAverages",
        }
    ),
)
_PET: Final = _Needs(
    alike=_EVERY,
    top=_tags(
        "RadiopharmaceuticalInformationSequence AcquisitionStartCondition AcquisitionTerminationCondition "
        "TerminationTimeThreshold TableMotion CollimatorType DetectorGeometry TransverseDetectorSeparation "
        "AxialDetectorDimension TimeOfFlightInformationUsed "
        "EnergyWindowRangeSequence TypeOfDetectorMotion ViewCodeSequence CoincidenceWindowWidth DecayCorrected "
        "DecayCorrectionDateTime AttenuationCorrected AttenuationCorrectionSource "
        "AttenuationCorrectionTemporalRelationship ScatterCorrected ScatterCorrectionMethod DeadTimeCorrected "
        "GantryMotionCorrected PatientMotionCorrected CountLossNormalizationCorrected RandomsCorrected "
        "RandomsCorrectionMethod NonUniformRadialSamplingCorrected SensitivityCalibrated "
        "DetectorNormalizationCorrection CountsSource"
    ),
    of_each=(_REFERENCE,),
    only=_only(
        {
            "BurnedInAnnotation": "NO",
            "AcquisitionStartCondition": "MANUAL",
            "AcquisitionTerminationCondition": "MANUAL TIME",
            "TableMotion": "STATIC",
            "TypeOfDetectorMotion": "STATIONARY",
            "DetectorGeometry": "CYLINDRICAL_RING CYL_RING_PARTIAL",
        }
    ),
    when=_when(
        {
            "AcquisitionTerminationCondition=TIME": "TerminationTimeThreshold",
            "DecayCorrected=YES": "DecayCorrectionDateTime",
            "AttenuationCorrected=YES": "AttenuationCorrectionSource AttenuationCorrectionTemporalRelationship",
            "ScatterCorrected=YES": "ScatterCorrectionMethod",
            "RandomsCorrected=YES": "RandomsCorrectionMethod",
            "IterativeReconstructionMethod=YES": "NumberOfIterations NumberOfSubsets",
        }
    ),
    within=_groups(
        {
            "RadiopharmaceuticalInformationSequence": "RadiopharmaceuticalAgentNumber RadionuclideCodeSequence "
            "AdministrationRouteCodeSequence RadiopharmaceuticalStartDateTime RadionuclideHalfLife "
            "RadionuclidePositronFraction RadiopharmaceuticalCodeSequence",
        }
    ),
    groups=_groups(
        {
            "PETFrameAcquisitionSequence": "TableHeight GantryDetectorTilt GantryDetectorSlew DataCollectionDiameter",
            "PETPositionSequence": "TablePosition DataCollectionCenterPatient ReconstructionTargetCenterPatient",
            "PETFrameCorrectionFactorsSequence": "PrimaryPromptsCountsAccumulated SliceSensitivityFactor DecayFactor "
            "ScatterFractionFactor DeadTimeFactor",
            "PETReconstructionSequence": "ReconstructionAlgorithm ReconstructionType ReconstructionDiameter "
            "IterativeReconstructionMethod NumberOfIterations NumberOfSubsets",
            "RadiopharmaceuticalUsageSequence": "RadiopharmaceuticalAgentNumber",
        }
    ),
)
_NEEDS: Final = {classes.CT.name: _CT, classes.MR.name: _MR, classes.PET.name: _PET}
_DIRECTION: Final = tag("InPlanePhaseEncodingDirection")


def missing(frame_set: FrameSet) -> list[str]:
    """What the images of a set do not say, so that they become no Enhanced object; empty: they say all."""
    needs = _NEEDS[frame_set.kind.name]
    return sorted({name for source in frame_set.sources for name in _missing(source.attributes, frame_set, needs)})


def _missing(attributes: JSONDataset, frame_set: FrameSet, needs: _Needs) -> Iterator[str]:
    if image_types.parts(attributes)[:1] != ["ORIGINAL"] or image_types.is_localizer(attributes):
        yield "ImageType"
    if not frame_set.is_sound:
        yield "VolumetricProperties"
    yield from map(_name, _missing_at_top(attributes, frame_set.sources[0].attributes, needs))
    if len(moment(attributes)) <= 8:
        yield "AcquisitionDateTime"
    for name in needs.of_each:
        if classic.is_empty(attributes.get(name)):
            yield _name(name)
    if classic.is_empty(attributes.get(_REGION)) and not classic.text(attributes, _PART):
        yield _name(_REGION)
    for sequence, needed in needs.within.items():
        for item in classic.items(attributes, sequence):
            yield from (_name(name) for name in needed if classic.is_empty(item.get(name)))
    for needed in needs.groups.values():
        yield from (_name(name) for name in needed if _lacks(attributes, name, needs))


def _missing_at_top(attributes: JSONDataset, first: JSONDataset, needs: _Needs) -> Iterator[str]:
    for name in (*needs.alike, *needs.top):
        is_lacking = classic.is_empty(attributes.get(name)) and _is_asked(attributes, name, needs)
        if is_lacking or attributes.get(name) != first.get(name):
            yield name
    for name, allowed in needs.only.items():
        if classic.text(attributes, name) not in allowed:
            yield name


def _lacks(attributes: JSONDataset, name: str, needs: _Needs) -> bool:
    return _is_asked(attributes, name, needs) and _value(attributes, name, needs) is None


def _is_asked(attributes: JSONDataset, name: str, needs: _Needs) -> bool:
    condition = needs.when.get(name)
    return condition is None or classic.text(attributes, condition[0]) == condition[1]


def _value(attributes: JSONDataset, name: str, needs: _Needs) -> dict[str, Any] | None:
    """The element itself, or made of what classic images have instead."""
    element: dict[str, Any] | None = attributes.get(name)
    if name == _DIRECTION and classic.text(attributes, name) == "COL":
        return {"vr": "CS", "Value": ["COLUMN"]}
    if not classic.is_empty(element):
        return element
    number = classic.number(attributes, needs.older.get(name, name))
    return {"vr": dictionary.vr(name), "Value": [number]} if number is not None and name in needs.older else None


def _name(name: str) -> str:
    return dictionary.find_keyword(name) or name


def top(frame_set: FrameSet) -> JSONDataset:
    """What the object says of all frames together, beside what a converted one does."""
    attributes = frame_set.sources[0].attributes
    return {name: attributes[name] for name in _NEEDS[frame_set.kind.name].top if name in attributes}


def groups(frame_set: FrameSet, attributes: JSONDataset, made: Mapping[str, Sequence[JSONDataset]]) -> Groups:
    """The functional groups of an Enhanced object that tell how a frame was acquired; `made`: those it has already."""
    needs = _NEEDS[frame_set.kind.name]
    found: Groups = {}
    for group, needed in needs.groups.items():
        item = {name: element for name in needed if (element := _value(attributes, name, needs)) is not None}
        before = made.get(group)
        found[group] = [{**before[0], **item} if before else item]
    return found


def frame_content(attributes: JSONDataset) -> JSONDataset:
    """What its Frame Content has beside that of a converted one."""
    return {_REFERENCE: attributes[_REFERENCE]}
