"""Images that say all that an Enhanced CT must become one (LC-10)."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from multiframe_slices import CT, MR, PET, slice_of, sources_of, written
from multiframe_slices import read as read_file
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from dicomgate.multiframe import check, conversion, splitting
from dicomgate.multiframe.classes import Kind
from dicomgate.multiframe.splitting import Naming

WHOLE: dict[str, Any] = {
    "ContentQualification": "PRODUCT",
    "BurnedInAnnotation": "NO",
    "LossyImageCompression": "00",
    "AcquisitionDuration": 2.5,
    "ManufacturerModelName": "One",
    "DeviceSerialNumber": "1",
    "SoftwareVersions": "1",
    "FrameReferenceDateTime": "20240102101801",
    "IrradiationEventUID": "1.2.3",
    "AcquisitionType": "SPIRAL",
    "ConstantVolumeFlag": "NO",
    "FluoroscopyFlag": "NO",
    "RotationDirection": "CW",
    "RevolutionTime": 0.5,
    "SingleCollimationWidth": 0.6,
    "TotalCollimationWidth": 38.4,
    "TableHeight": 150,
    "GantryDetectorTilt": 0,
    "DataCollectionDiameter": 500,
    "TableSpeed": 40.0,
    "TableFeedPerRotation": 20.0,
    "SpiralPitchFactor": 0.9,
    "TablePosition": 100.0,
    "DataCollectionCenterPatient": [0.0, 0.0, 5.0],
    "ReconstructionTargetCenterPatient": [0.0, 0.0, 5.0],
    "DistanceSourceToDetector": 1000,
    "DistanceSourceToDataCollectionCenter": 550.0,
    "ReconstructionAlgorithm": "FILTER_BACK_PROJ",
    "ConvolutionKernel": "B30f",
    "ConvolutionKernelGroup": "SOFT_TISSUE",
    "ReconstructionDiameter": 400,
    "ReconstructionPixelSpacing": [0.5, 0.5],
    "ReconstructionAngle": 360.0,
    "ImageFilter": "NONE",
    "ExposureTime": 500,
    "XRayTubeCurrent": 200,
    "Exposure": 100,
    "ExposureModulationType": "NONE",
    "CTDIvol": 5.0,
    "FocalSpots": 1.2,
    "FilterType": "WEDGE",
    "FilterMaterial": "ALUMINUM",
}


def whole(**but: Any) -> list[bytes]:
    return [slice_of(CT, n, **{**WHOLE, **but}) for n in (1, 2, 3)]


def test_sources_that_say_all_become_an_enhanced_object_LC_10() -> None:
    made = read_file(written(whole()))
    assert made.SOPClassUID == CT.enhanced
    shared = made.SharedFunctionalGroupsSequence[0]
    assert shared.CTAcquisitionTypeSequence[0].AcquisitionType == "SPIRAL"
    assert shared.CTExposureSequence[0].ExposureTimeInms == 500
    assert shared.CTReconstructionSequence[0].ConvolutionKernel == "B30f"
    content = made.PerFrameFunctionalGroupsSequence[0].FrameContentSequence[0]
    assert content.FrameReferenceDateTime == "20240102101801"
    assert content.FrameAcquisitionDuration == 2500


def test_nothing_is_lost_or_wrong_in_an_enhanced_object_LC_15() -> None:
    sources = sources_of(whole())
    (again,) = sources_of([written(whole())])
    assert check.check(again.attributes, [source.attributes for source in sources]) == []


@pytest.mark.parametrize("name", sorted(WHOLE.keys() - {"ExposureTime", "XRayTubeCurrent", "Exposure"}))
def test_whatever_lacks_is_told_and_makes_it_a_converted_one_LC_10(name: str) -> None:
    plan = conversion.plan(sources_of(slice_of(CT, n, **{k: v for k, v in WHOLE.items() if k != name}) for n in (1, 2)))
    (told,) = plan.explain()["objects"]
    assert told["becomes"] == "Legacy Converted Enhanced CT"
    assert name in told["lacks"]


@pytest.mark.parametrize(
    ("change", "lacking"),
    [
        ({"ImageType": ["DERIVED", "PRIMARY", "AXIAL"]}, "ImageType"),
        ({"BurnedInAnnotation": "YES"}, "BurnedInAnnotation"),
        ({"AcquisitionType": "STATIONARY"}, "AcquisitionType"),
        ({"BodyPartExamined": None}, "AnatomicRegionSequence"),
    ],
)
def test_values_that_the_class_does_not_allow_LC_10(change: dict[str, Any], lacking: str) -> None:
    (told,) = conversion.plan(sources_of(whole(**change))).explain()["objects"]
    assert told["lacks"] == [lacking]


def test_a_gap_makes_it_a_converted_one_LC_10() -> None:
    contents = [slice_of(CT, n, **WHOLE) for n in (1, 2, 5)]
    assert conversion.plan(sources_of(contents)).explain()["objects"][0]["lacks"] == ["VolumetricProperties"]


def _sar(dataset: Dataset) -> None:
    rate, mode = Dataset(), Dataset()
    rate.SpecificAbsorptionRateDefinition, rate.SpecificAbsorptionRateValue = "IEC_HEAD", 1.0
    mode.OperatingModeType, mode.OperatingMode = "RF", "IEC_NORMAL"
    dataset.SpecificAbsorptionRateSequence = Sequence([rate])
    dataset.OperatingModeSequence = Sequence([mode])


MAGNETIC: dict[str, Any] = {
    "KVP": None,
    "ContentQualification": "PRODUCT",
    "BurnedInAnnotation": "NO",
    "LossyImageCompression": "00",
    "AcquisitionDuration": 2.5,
    "ManufacturerModelName": "One",
    "DeviceSerialNumber": "1",
    "SoftwareVersions": "1",
    "FrameReferenceDateTime": "20240102101801",
    "MagneticFieldStrength": 1.5,
    "ResonantNucleus": "1H",
    "KSpaceFiltering": "NONE",
    "ApplicableSafetyStandardAgency": "IEC",
    "PulseSequenceName": "se",
    "MRAcquisitionType": "2D",
    "EchoPulseSequence": "SPIN",
    "MultipleSpinEcho": "NO",
    "MultiPlanarExcitation": "NO",
    "PhaseContrast": "NO",
    "TimeOfFlightContrast": "NO",
    "SteadyStatePulseSequence": "NONE",
    "EchoPlanarPulseSequence": "NO",
    "SaturationRecovery": "NO",
    "SpectrallySelectedSuppression": "NONE",
    "OversamplingPhase": "NONE",
    "GeometryOfKSpaceTraversal": "RECTILINEAR",
    "RectilinearPhaseEncodeReordering": "LINEAR",
    "SegmentedKSpaceTraversal": "SINGLE",
    "NumberOfKSpaceTrajectories": 1,
    "ComplexImageComponent": "MAGNITUDE",
    "AcquisitionContrast": "T1",
    "RepetitionTime": 500,
    "FlipAngle": 90,
    "EchoTrainLength": 1,
    "RFEchoTrainLength": 1,
    "GradientEchoTrainLength": 0,
    "GradientOutputType": "DB_DT",
    "GradientOutput": 1.0,
    "InPlanePhaseEncodingDirection": "COL",
    "MRAcquisitionFrequencyEncodingSteps": 8,
    "MRAcquisitionPhaseEncodingStepsInPlane": 8,
    "PercentSampling": 100,
    "PercentPhaseFieldOfView": 100,
    "EchoTime": 15,
    "InversionRecovery": "NO",
    "FlowCompensation": "NONE",
    "Spoiling": "NONE",
    "T2Preparation": "NO",
    "SpectrallySelectedExcitation": "NONE",
    "SpatialPresaturation": "NONE",
    "PartialFourier": "NO",
    "ParallelAcquisition": "NO",
    "MagnetizationTransfer": "NONE",
    "BloodSignalNulling": "NO",
    "Tagging": "NONE",
    "TransmitterFrequency": 63.8,
    "PixelBandwidth": 100,
    "ReceiveCoilName": "HEAD",
    "ReceiveCoilManufacturerName": "ACME",
    "ReceiveCoilType": "VOLUME",
    "QuadratureReceiveCoil": "YES",
    "TransmitCoilName": "BODY",
    "TransmitCoilManufacturerName": "ACME",
    "TransmitCoilType": "BODY",
    "NumberOfAverages": 1,
    "change": _sar,
}


def magnetic(**but: Any) -> list[bytes]:
    return [slice_of(MR, n, **{**MAGNETIC, **but}) for n in (1, 2, 3)]


def test_magnetic_resonance_that_says_all_becomes_an_enhanced_object_LC_10() -> None:
    made = read_file(written(magnetic()))
    assert made.SOPClassUID == MR.enhanced
    assert (made.EchoPulseSequence, made.AcquisitionContrast) == ("SPIN", "T1")
    shared = made.SharedFunctionalGroupsSequence[0]
    assert shared.MREchoSequence[0].EffectiveEchoTime == 15
    assert shared.MRFOVGeometrySequence[0].InPlanePhaseEncodingDirection == "COLUMN"
    (kind,) = shared.MRImageFrameTypeSequence
    assert (kind.ComplexImageComponent, kind.PixelPresentation) == ("MAGNITUDE", "MONOCHROME")
    sources = sources_of(magnetic())
    (again,) = sources_of([written(magnetic())])
    assert check.check(again.attributes, [source.attributes for source in sources]) == []


@pytest.mark.parametrize("name", sorted(MAGNETIC.keys() - {"KVP", "EchoTime", "change"}))
def test_whatever_magnetic_resonance_lacks_makes_it_a_converted_one_LC_10(name: str) -> None:
    less = {key: value for key, value in MAGNETIC.items() if key != name}
    (told,) = conversion.plan(sources_of(slice_of(MR, n, **less) for n in (1, 2))).explain()["objects"]
    assert told["becomes"] == "Legacy Converted Enhanced MR"
    assert name in told["lacks"]


@pytest.mark.parametrize(
    ("name", "value"), [("InversionRecovery", "YES"), ("MRAcquisitionType", "3D"), ("AcquisitionContrast", "DIFFUSION")]
)
def test_a_sequence_of_which_more_must_be_known_makes_it_a_converted_one_LC_10(name: str, value: str) -> None:
    (told,) = conversion.plan(sources_of(magnetic(**{name: value}))).explain()["objects"]
    assert told["lacks"] == [name]


def _code(value: str) -> Sequence:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "SCT", "Something"
    return Sequence([item])


PHARMACEUTICAL: dict[str, Any] = {
    "RadiopharmaceuticalAgentNumber": 1,
    "RadionuclideCodeSequence": _code("77004003"),
    "AdministrationRouteCodeSequence": _code("47625008"),
    "RadiopharmaceuticalStartDateTime": "20240102093000",
    "RadionuclideTotalDose": 370000000,
    "RadionuclideHalfLife": 6586.2,
    "RadionuclidePositronFraction": 0.97,
    "RadiopharmaceuticalCodeSequence": _code("35321007"),
}


def _pharmaceutical(without: str = "") -> Sequence:
    item = Dataset()
    for name, value in PHARMACEUTICAL.items():
        if name != without:
            setattr(item, name, value)
    return Sequence([item])


def _windows(dataset: Dataset) -> None:
    item = Dataset()
    item.EnergyWindowLowerLimit, item.EnergyWindowUpperLimit = 425, 650
    dataset.EnergyWindowRangeSequence = Sequence([item])


POSITRON: dict[str, Any] = {
    "KVP": None,
    "ContentQualification": "PRODUCT",
    "BurnedInAnnotation": "NO",
    "LossyImageCompression": "00",
    "AcquisitionDuration": 180.0,
    "ManufacturerModelName": "One",
    "DeviceSerialNumber": "1",
    "SoftwareVersions": "1",
    "FrameReferenceDateTime": "20240102101801",
    "RadiopharmaceuticalInformationSequence": _pharmaceutical(),
    "AcquisitionStartCondition": "MANUAL",
    "AcquisitionTerminationCondition": "TIME",
    "TerminationTimeThreshold": 180000.0,
    "TableMotion": "STATIC",
    "CollimatorType": "NONE",
    "DetectorGeometry": "CYLINDRICAL_RING",
    "TransverseDetectorSeparation": 880.0,
    "AxialDetectorDimension": 250.0,
    "TimeOfFlightInformationUsed": "TRUE",
    "TypeOfDetectorMotion": "STATIONARY",
    "ViewCodeSequence": _code("62824007"),
    "CoincidenceWindowWidth": 4.0,
    "DecayCorrected": "YES",
    "DecayCorrectionDateTime": "20240102101700",
    "AttenuationCorrected": "YES",
    "AttenuationCorrectionSource": "CT",
    "AttenuationCorrectionTemporalRelationship": "SEPARATE",
    "ScatterCorrected": "YES",
    "ScatterCorrectionMethod": "Model based",
    "DeadTimeCorrected": "YES",
    "GantryMotionCorrected": "NO",
    "PatientMotionCorrected": "NO",
    "CountLossNormalizationCorrected": "NO",
    "RandomsCorrected": "YES",
    "RandomsCorrectionMethod": "DLYD",
    "NonUniformRadialSamplingCorrected": "NO",
    "SensitivityCalibrated": "YES",
    "DetectorNormalizationCorrection": "YES",
    "CountsSource": "EMISSION",
    "TableHeight": 150,
    "GantryDetectorTilt": 0,
    "GantryDetectorSlew": 0,
    "DataCollectionDiameter": 700,
    "TablePosition": 100.0,
    "DataCollectionCenterPatient": [0.0, 0.0, 5.0],
    "ReconstructionTargetCenterPatient": [0.0, 0.0, 5.0],
    "PrimaryPromptsCountsAccumulated": 1000000,
    "SliceSensitivityFactor": 1.0,
    "DecayFactor": 1.1,
    "ScatterFractionFactor": 0.3,
    "DeadTimeFactor": 1.0,
    "ReconstructionAlgorithm": "ITERATIVE",
    "ReconstructionType": "3D",
    "ReconstructionDiameter": 500,
    "IterativeReconstructionMethod": "YES",
    "NumberOfIterations": 3,
    "NumberOfSubsets": 21,
    "RadiopharmaceuticalAgentNumber": 1,
    "change": _windows,
}


def positron(**but: Any) -> list[bytes]:
    said = {name: value for name, value in {**POSITRON, **but}.items() if name == "KVP" or value is not None}
    return [slice_of(PET, n, **said) for n in (1, 2, 3)]


def test_positron_emission_that_says_all_becomes_an_enhanced_object_LC_10() -> None:
    made = read_file(written(positron()))
    assert made.SOPClassUID == PET.enhanced
    assert made.RadiopharmaceuticalInformationSequence[0].RadiopharmaceuticalAgentNumber == 1
    assert (made.DecayCorrected, made.TypeOfDetectorMotion) == ("YES", "STATIONARY")
    shared = made.SharedFunctionalGroupsSequence[0]
    assert shared.RadiopharmaceuticalUsageSequence[0].RadiopharmaceuticalAgentNumber == 1
    assert shared.PETReconstructionSequence[0].NumberOfSubsets == 21
    assert shared.PETFrameCorrectionFactorsSequence[0].DecayFactor == 1.1
    sources = sources_of(positron())
    (again,) = sources_of([written(positron())])
    assert check.check(again.attributes, [source.attributes for source in sources]) == []


@pytest.mark.parametrize("name", sorted(POSITRON.keys() - {"KVP", "change"}))
def test_whatever_positron_emission_lacks_makes_it_a_converted_one_LC_10(name: str) -> None:
    less = {key: value for key, value in POSITRON.items() if key != name}
    (told,) = conversion.plan(sources_of(slice_of(PET, n, **less) for n in (1, 2))).explain()["objects"]
    assert told["becomes"] == "Legacy Converted Enhanced PET"
    assert told["lacks"] == [name]


@pytest.mark.parametrize("name", sorted(PHARMACEUTICAL.keys() - {"RadionuclideTotalDose"}))
def test_what_is_not_said_of_the_pharmaceutical_is_told_LC_10(name: str) -> None:
    contents = positron(RadiopharmaceuticalInformationSequence=_pharmaceutical(without=name))
    assert conversion.plan(sources_of(contents)).explain()["objects"][0]["lacks"] == [name]


@pytest.mark.parametrize(
    ("name", "value"), [("TableMotion", "DYNAMIC"), ("TypeOfDetectorMotion", "WOBBLE"), ("BurnedInAnnotation", "YES")]
)
def test_positron_emission_of_which_more_must_be_known_becomes_a_converted_one_LC_10(name: str, value: str) -> None:
    assert conversion.plan(sources_of(positron(**{name: value}))).explain()["objects"][0]["lacks"] == [name]


def test_what_a_correction_asks_for_is_asked_only_where_it_was_done_LC_10() -> None:
    undone = {"RandomsCorrected": "NO", "RandomsCorrectionMethod": None, "IterativeReconstructionMethod": "NO"}
    made = read_file(written(positron(**undone, NumberOfIterations=None, NumberOfSubsets=None)))
    assert made.SOPClassUID == PET.enhanced
    assert "RandomsCorrectionMethod" not in made


def test_usual_positron_emission_says_what_it_lacks_LC_10() -> None:
    (told,) = conversion.plan(sources_of([slice_of(PET, 1)])).explain()["objects"]
    assert told["becomes"] == "Legacy Converted Enhanced PET"
    assert {"RadiopharmaceuticalAgentNumber", "TypeOfDetectorMotion", "FrameReferenceDateTime"} <= set(told["lacks"])


@pytest.mark.parametrize(("contents", "kind"), [(whole, CT), (magnetic, MR), (positron, PET)], ids=["CT", "MR", "PET"])
def test_an_enhanced_object_that_was_split_becomes_one_again_LC_10(
    contents: Callable[[], list[bytes]], kind: Kind
) -> None:
    (source,) = sources_of([written(contents(), keeps_originals=False)])
    images = [b"".join(splitting.write(image)) for image in splitting.split(source, Naming.NEW)]
    assert read_file(written(images)).SOPClassUID == kind.enhanced


@pytest.mark.interop
@pytest.mark.parametrize(
    ("sources", "name"), [(whole, "EnhancedCTImage"), (magnetic, "EnhancedMRImage"), (positron, "EnhancedPETImage")]
)
def test_other_checkers_find_no_fault_with_it_LC_10(
    sources: Callable[[], list[bytes]], name: str, tmp_path: Path
) -> None:
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy is not installed (Debian package dicom3tools)")
    path = tmp_path / "enhanced.dcm"
    path.write_bytes(written(sources(), keeps_originals=False))
    told = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False)
    lines = (told.stdout + told.stderr).splitlines()
    assert name in lines
    known = "ReferencedSeriesSequence present but Instance does not reference Instances"  # see test_multiframe_dciodvfy
    assert [line for line in lines if line.startswith("Error") and known not in line] == []


def test_the_table_names_attributes_of_the_standard() -> None:
    dataset = Dataset()
    for name, value in WHOLE.items():
        setattr(dataset, name, value)
    assert len(dataset) == len(WHOLE)
