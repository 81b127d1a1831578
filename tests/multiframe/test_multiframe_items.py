"""What the standard asks of a converted object item by item, where no other test of this room does (LC-01 to LC-24)."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from multiframe_slices import CT, MR, PET, SERIES, described, read, slice_of, sources_of, written
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import generate_uid

from dicomgate.dicom import attributes
from dicomgate.multiframe import check, classes, conversion, gather, image_types, splitting
from dicomgate.multiframe.classes import Kind
from dicomgate.multiframe.splitting import Naming

JSONDataset = dict[str, Any]


def code(value: str) -> Sequence:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "SCT", "Something"
    return Sequence([item])


def names(item: Dataset) -> set[str]:
    return set(item.dir())


# The object as a whole.

SYNCHRONIZED = {
    "SynchronizationFrameOfReferenceUID": "1.2.3.4",
    "SynchronizationTrigger": "SOURCE",
    "AcquisitionTimeSynchronized": "Y",
}


def test_synchronization_stays_and_all_objects_of_a_series_share_a_new_one_LC_01() -> None:
    lying = {"ImageOrientationPatient": [1, 0, 0, 0, 0, -1]}
    made = described(
        [
            *(slice_of(CT, n, **SYNCHRONIZED) for n in (1, 2)),
            *(slice_of(CT, n, **lying, **SYNCHRONIZED) for n in (3, 4)),
        ]
    )
    first, second = (one.attributes for one in made)
    assert first["0020000E"] == second["0020000E"] != {"vr": "UI", "Value": [SERIES]}
    assert first["00080018"] != second["00080018"]
    assert first["00200052"] == second["00200052"]
    for name, value in SYNCHRONIZED.items():
        assert first[attributes.find_tag(name)]["Value"] == [value]


def test_a_series_without_a_date_gets_none_LC_03() -> None:
    made = read(written(slice_of(CT, n, SeriesDate=None, SeriesTime=None) for n in (1, 2)))
    assert not {"SeriesDate", "SeriesTime"} & names(made)


def test_requests_that_no_source_has_are_not_invented_LC_04() -> None:
    assert "RequestAttributesSequence" not in read(written([slice_of(CT, 1)]))


def test_of_smaller_images_none_is_made_larger_LC_11() -> None:
    small = {"Rows": 4, "Columns": 4, "PixelData": bytes(32)}
    made = described([slice_of(CT, 1), slice_of(CT, 2), slice_of(CT, 3, **small)])
    assert sorted(one.attributes["00280010"]["Value"][0] for one in made) == [4, 8]


# Modules.


@pytest.fixture(scope="module")
def whole() -> tuple[JSONDataset, list[JSONDataset]]:
    contents = [slice_of(CT, n, WindowCenter=40 + n) for n in (1, 2, 3)]
    (again,) = sources_of([written(contents)])
    return again.attributes, [source.attributes for source in sources_of(contents)]


NEEDED = sorted(check.TYPE_1 | check.TYPE_2)


@pytest.mark.parametrize("tag", NEEDED, ids=[attributes.find_keyword(tag) or tag for tag in NEEDED])
def test_whatever_must_be_there_is_missed_LC_12(tag: str, whole: tuple[JSONDataset, list[JSONDataset]]) -> None:
    dataset = copy.deepcopy(whole[0])
    del dataset[tag]
    assert {one.rule for one in check.check(dataset)} & ({"LC-10"} if tag in {"00080016", "00080060"} else {"LC-12"})


OPTIONAL: dict[str, tuple[Kind, dict[str, Any]]] = {
    "Clinical Trial Subject": (CT, {"ClinicalTrialSponsorName": "S", "ClinicalTrialProtocolID": "P"}),
    "Clinical Trial Study": (CT, {"ClinicalTrialTimePointID": "T"}),
    "Clinical Trial Series": (CT, {"ClinicalTrialSeriesID": "T"}),
    "Patient Study": (MR, {"PatientAge": "030Y", "PatientWeight": 70}),
    "Synchronization": (PET, SYNCHRONIZED),
    "Enhanced General Equipment": (PET, {"ManufacturerModelName": "One", "DeviceSerialNumber": "1"}),
    "Contrast/Bolus of CT": (CT, {"ContrastBolusAgent": "Something", "ContrastBolusVolume": 100}),
    "Contrast/Bolus of MR": (MR, {"ContrastBolusAgent": "Something"}),
    "Intervention": (PET, {"InterventionSequence": code("1")}),
    "Cardiac Synchronization": (MR, {"CardiacSynchronizationTechnique": "PROSPECTIVE", "CardiacSignalSource": "ECG"}),
    "Respiratory Synchronization": (CT, {"RespiratoryMotionCompensationTechnique": "GATING"}),
    "Bulk Motion Synchronization": (MR, {"BulkMotionCompensationTechnique": "GATING"}),
    "Device": (CT, {"DeviceSequence": code("1")}),
    "Specimen": (MR, {"ContainerIdentifier": "C", "SpecimenDescriptionSequence": code("1")}),
}


@pytest.mark.parametrize("module", OPTIONAL)
def test_a_module_that_the_sources_can_fill_is_filled_LC_12_LC_14(module: str) -> None:
    kind, said = OPTIONAL[module]
    source = slice_of(kind, 1, **said)
    made, given = read(written([source, slice_of(kind, 2, **said)])), read(source)
    assert all(made[name] == given[name] for name in said)


# Functional groups.

OF_EVERY = [
    "PixelMeasuresSequence",
    "PlanePositionSequence",
    "PlaneOrientationSequence",
    "FrameContentSequence",
    "FrameAnatomySequence",
    "ConversionSourceAttributesSequence",
    "UnassignedSharedConvertedAttributesSequence",
    "UnassignedPerFrameConvertedAttributesSequence",
]
OF_KIND = {
    "CT": ["CTImageFrameTypeSequence", "FrameVOILUTSequence", "PixelValueTransformationSequence"],
    "MR": ["MRImageFrameTypeSequence"],
    "PET": ["PETFrameTypeSequence", "FrameVOILUTSequence", "PixelValueTransformationSequence"],
}
ALONE = {
    "FrameContentSequence",
    "ConversionSourceAttributesSequence",
    "UnassignedPerFrameConvertedAttributesSequence",
}
BARE = {"RescaleSlope": None, "RescaleIntercept": None, "WindowCenter": None, "WindowWidth": None}


@pytest.mark.parametrize("kind", [CT, MR, PET], ids=OF_KIND)
def test_each_group_is_there_once_where_it_belongs_LC_13(kind: Kind) -> None:
    made = read(written(slice_of(kind, n, **BARE) for n in (1, 2)))
    shared, frames = names(made.SharedFunctionalGroupsSequence[0]), made.PerFrameFunctionalGroupsSequence
    own = [names(frame) for frame in frames]
    for group in (*OF_EVERY, *OF_KIND[kind.name]):
        count = sum(group in frame for frame in own)
        assert (group in shared, count) in {(True, 0), (False, len(frames))}, group
        assert not (group in ALONE and group in shared)
    assert kind is not MR or "FrameVOILUTSequence" not in shared | own[0]
    assert "UnassignedSharedConvertedAttributesSequence" in shared


HEART = {"TriggerTime": 20, "NominalInterval": 800, "HeartRate": 75}
MAPPED = {"RealWorldValueMappingSequence": code("1")}


@pytest.mark.parametrize(
    ("kind", "said", "group", "inner"),
    [
        (MR, HEART, "CardiacSynchronizationSequence", "NominalCardiacTriggerDelayTime"),
        (MR, MAPPED, "RealWorldValueMappingSequence", "CodeValue"),
        (PET, MAPPED, "RealWorldValueMappingSequence", "CodeValue"),
        (CT, {"IrradiationEventUID": "1.2.3"}, "IrradiationEventIdentificationSequence", "IrradiationEventUID"),
        (PET, {"IrradiationEventUID": "1.2.3"}, "IrradiationEventIdentificationSequence", "IrradiationEventUID"),
        (CT, {"AnatomicRegionSequence": code("1")}, "FrameAnatomySequence", "AnatomicRegionSequence"),
    ],
)
def test_a_group_that_a_source_can_fill_is_filled_LC_14(
    kind: Kind, said: dict[str, Any], group: str, inner: str
) -> None:
    made = read(written(slice_of(kind, n, **said) for n in (1, 2)))
    assert inner in made.SharedFunctionalGroupsSequence[0][group].value[0]


def test_points_in_time_of_a_positron_emission_are_told_LC_14() -> None:
    contents = [
        slice_of(PET, 10 * t + n, ImagePositionPatient=[0, 0, n], FrameReferenceTime=1000 * t)
        for n in (1, 2)
        for t in (1, 2)
    ]
    made = read(written(contents))
    frames = made.PerFrameFunctionalGroupsSequence
    assert [one.TemporalPositionSequence[0].TemporalPositionTimeOffset for one in frames] == [1, 1, 2, 2]


def test_what_an_image_was_derived_from_is_told_LC_14() -> None:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = CT.classic, read(slice_of(CT, 1)).SOPInstanceUID
    derived = {
        "SeriesInstanceUID": "1.2.9",
        "ImageType": ["DERIVED", "PRIMARY", "AXIAL"],
        "SourceImageSequence": Sequence([item]),
        "DerivationDescription": "smoothed",
    }
    contents = [slice_of(CT, 1), slice_of(CT, 2), slice_of(CT, 11, **derived)]
    plan = conversion.plan(sources_of(contents))
    (number,) = (n for n, one in enumerate(plan.settled) if one.frame_set.sources[0].series == "1.2.9")
    whole = plan.describe(number).attributes
    (group,) = whole[classes.SHARED]["Value"][0][classes.DERIVATION_IMAGE]["Value"]
    assert group["00082111"]["Value"] == ["smoothed"]
    assert group["00082112"]["Value"][0]["00081160"]["Value"] == [1]
    assert "00089154" in whole  # Source Image Evidence


# What is left over.


def test_one_value_that_is_lost_or_changed_is_noticed_LC_15(whole: tuple[JSONDataset, list[JSONDataset]]) -> None:
    for number, frame in list(enumerate(whole[0][classes.PER_FRAME]["Value"]))[1:]:  # the first has times of the top
        for tag in frame[classes.UNASSIGNED_PER_FRAME]["Value"][0]:
            dataset = copy.deepcopy(whole[0])
            kept = dataset[classes.PER_FRAME]["Value"][number][classes.UNASSIGNED_PER_FRAME]["Value"][0]
            kept[tag] = {"vr": kept[tag]["vr"], "Value": ["another"]}
            assert "LC-15" in {one.rule for one in check.check(dataset, whole[1])}, tag


def test_items_in_another_order_are_another_value_LC_15() -> None:
    def procedure(*values: str) -> Sequence:
        return Sequence([code(value)[0] for value in values])

    made = read(
        written(
            [
                slice_of(CT, 1, ScheduledProtocolCodeSequence=procedure("A", "B")),
                slice_of(CT, 2, ScheduledProtocolCodeSequence=procedure("B", "A")),
            ]
        )
    )
    kept = [f.UnassignedPerFrameConvertedAttributesSequence[0] for f in made.PerFrameFunctionalGroupsSequence]
    assert [[one.CodeValue for one in item.ScheduledProtocolCodeSequence] for item in kept] == [["A", "B"], ["B", "A"]]


def test_number_and_dates_of_the_sources_are_kept_as_they_were_LC_16() -> None:
    made = read(written([slice_of(CT, 1, SeriesNumber=3), slice_of(CT, 2, SeriesNumber=4)]))
    kept = [f.UnassignedPerFrameConvertedAttributesSequence[0] for f in made.PerFrameFunctionalGroupsSequence]
    assert [item.SeriesNumber for item in kept] == [3, 4]
    assert [item.InstanceNumber for item in kept] == [1, 2]
    assert [item.ContentTime for item in kept] == ["101801", "101802"]
    assert made.ContentTime == "101801"
    every = [made.SharedFunctionalGroupsSequence[0].UnassignedSharedConvertedAttributesSequence[0], *kept]
    assert not any({"SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "SOPClassUID"} & names(i) for i in every)


# Values.


@pytest.mark.parametrize(
    ("said", "how", "values", "properties", "technique"),
    [
        ("ORIGINAL PRIMARY AXIAL", "RS", ("ORIGINAL", "PRIMARY", "VOLUME", "NONE"), "VOLUME", "NONE"),
        ("ORIGINAL PRIMARY AXIAL", "", ("ORIGINAL", "PRIMARY", "PARALLEL", "NONE"), "MIXED", "NONE"),
        ("ORIGINAL SECONDARY AXIAL", "RS", ("ORIGINAL", "PRIMARY", "VOLUME", "NONE"), "VOLUME", "NONE"),
        ("ORIGINAL PRIMARY LOCALIZER", "RS", ("ORIGINAL", "PRIMARY", "LOCALIZER", "NONE"), "MIXED", "NONE"),
        ("ORIGINAL PRIMARY M", "RST", ("ORIGINAL", "PRIMARY", "DYNAMIC", "NONE"), "VOLUME", "NONE"),
        ("DERIVED PRIMARY AXIAL", "RS", ("DERIVED", "PRIMARY", "VOLUME", None), "MIXED", "MIXED"),
        ("DERIVED SECONDARY MPR", "RS", ("DERIVED", "PRIMARY", "VOLUME", None), "VOLUME", "MPR"),
        ("DERIVED SECONDARY CURVED_MPR", "", ("DERIVED", "PRIMARY", "PARALLEL", None), "DISTORTED", "CURVED_MPR"),
        ("DERIVED SECONDARY MIP", "RS", ("DERIVED", "PRIMARY", "VOLUME", None), "SAMPLED", "MAX_IP"),
        ("", "S", ("DERIVED", "PRIMARY", "PARALLEL", None), "MIXED", "MIXED"),
    ],
)
def test_image_type_in_the_words_of_enhanced_objects_LC_20(
    said: str, how: str, values: tuple[str | None, ...], properties: str, technique: str
) -> None:
    """R: slices in order, S: sound, T: several points in time."""
    found = image_types.convert(
        {"00080008": {"vr": "CS", "Value": said.split()}},
        is_regular="R" in how,
        is_sound="S" in how,
        has_times="T" in how,
    )
    assert (found.values, found.volumetric_properties, found.technique) == (values, properties, technique)


def test_number_date_and_count_of_frames_LC_22(whole: tuple[JSONDataset, list[JSONDataset]]) -> None:
    made = read(written(slice_of(CT, n) for n in (1, 2, 3)))
    assert (made.InstanceNumber, made.ContentDate, made.ContentTime) == (1, "20240102", "101801")
    assert made.NumberOfFrames == len(made.PerFrameFunctionalGroupsSequence) == 3
    undated = {"ContentDate": None, "AcquisitionDate": None, "SeriesDate": None, "StudyDate": ""}
    assert read(written([slice_of(CT, 1, **undated)])).ContentDate == "19000101"
    for change in ({"vr": "IS", "Value": [4]}, {"vr": "IS"}):
        dataset = {**whole[0], "00280008": change}
        assert "LC-22" in {one.rule for one in check.check(dataset)}


# Dimensions.


def repeated(**but: Any) -> list[bytes]:
    return [
        slice_of(MR, 10 * t + n, ImagePositionPatient=[0, 0, 5 * n], TemporalPositionIdentifier=t, **but)
        for n in (1, 2, 3)
        for t in (1, 2)
    ]


def test_a_repeated_volume_has_time_as_a_dimension_LC_23() -> None:
    made = read(written(repeated()))
    assert made.DimensionOrganizationType == "3D_TEMPORAL"
    pointers = [item.DimensionIndexPointer for item in made.DimensionIndexSequence]
    assert pointers == [0x00209056, 0x00209128, 0x00209057]
    assert {item.FunctionalGroupPointer for item in made.DimensionIndexSequence} == {0x00209111}
    (organization,) = made.DimensionOrganizationSequence
    assert {item.DimensionOrganizationUID for item in made.DimensionIndexSequence} == {
        organization.DimensionOrganizationUID
    }
    contents = [frame.FrameContentSequence[0] for frame in made.PerFrameFunctionalGroupsSequence]
    assert [list(one.DimensionIndexValues) for one in contents] == [[1, t, n] for t in (1, 2) for n in (1, 2, 3)]
    assert [one.InStackPositionNumber for one in contents] == [1, 2, 3] * 2
    assert [one.TemporalPositionIndex for one in contents] == [1, 1, 1, 2, 2, 2]
    assert {one.StackID for one in contents} == {"1"}


def test_thin_and_thick_slices_at_one_place_are_two_stacks_LC_23() -> None:
    contents = [
        slice_of(CT, 10 * thick + n, ImagePositionPatient=[0, 0, 5 * n], SliceThickness=thick)
        for n in (1, 2, 3)
        for thick in (1, 5)
    ]
    found = gather.gather(sources_of(contents))
    assert [(len(one.sources), set(one.times), one.is_regular) for one in found.sets] == [(3, {1}, True)] * 2
    told = [one["apart_by"] for one in found.explain()["objects"]]
    assert told == [{"slice thickness": "1 mm"}, {"slice thickness": "5 mm"}]


def test_frames_of_another_thickness_at_one_position_are_noticed_LC_23() -> None:
    (again,) = sources_of([written(repeated())])
    dataset = copy.deepcopy(again.attributes)
    measures = dataset[classes.SHARED]["Value"][0].pop(classes.PIXEL_MEASURES)
    for frame in dataset[classes.PER_FRAME]["Value"]:
        frame[classes.PIXEL_MEASURES] = copy.deepcopy(measures)
    assert check.check(dataset) == []
    dataset[classes.PER_FRAME]["Value"][0][classes.PIXEL_MEASURES]["Value"][0]["00180050"]["Value"] = [1]
    assert {one.rule for one in check.check(dataset)} == {"LC-23"}


# References.


def test_sources_in_another_study_are_told_as_such_LC_24() -> None:
    item, other = Dataset(), generate_uid(entropy_srcs=["another study"])
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = CT.classic, read(slice_of(CT, 1)).SOPInstanceUID
    there = {"StudyInstanceUID": other, "SeriesInstanceUID": "1.2.9", "ReferencedImageSequence": Sequence([item])}
    plan = conversion.plan(sources_of([slice_of(CT, 1), slice_of(CT, 2), slice_of(CT, 11, **there)]))
    made = [plan.describe(number).attributes for number in range(2)]
    (referring,) = (one for one in made if one["0020000D"]["Value"] == [other])
    (target,) = (one for one in made if one is not referring)
    (study,) = referring["00081200"]["Value"]
    assert study["0020000D"] == target["0020000D"]
    (series,) = study["00081115"]["Value"]
    assert series["0020000E"] == target["0020000E"]
    assert series["0008114A"]["Value"][0]["00081155"] == target["00080018"]
    assert check.check(referring) == []
    del referring["00081200"]
    assert "LC-24" in {one.rule for one in check.check(referring)}


def test_the_view_of_an_object_is_no_attribute_of_its_images_LC_33() -> None:
    (source,) = sources_of([written([slice_of(CT, 1)], keeps_originals=False)])
    source.attributes[classes.VIEW] = {"vr": "CS", "Value": ["ENHANCED"]}
    (image,) = splitting.split(source, Naming.NEW)
    assert classes.VIEW not in image.attributes
