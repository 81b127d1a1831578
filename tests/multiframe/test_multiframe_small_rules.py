"""Small rules of conversion, each of which could once be broken without any other test noticing."""

from __future__ import annotations

import dataclasses
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from multiframe_slices import CT, MR, PET, described, read, slice_of, sources_of, written
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from test_multiframe_overlays import converted
from test_multiframe_references import evidence, other, products, reference

from dicomgate.multiframe import (
    classes,
    classic,
    conversion,
    flattening,
    gather,
    identity,
    loss,
    references,
    reissuing,
    restoring,
)
from dicomgate.multiframe.conversion import Became


def rests(made: Dataset) -> list[Dataset]:
    return [frame.UnassignedPerFrameConvertedAttributesSequence[0] for frame in made.PerFrameFunctionalGroupsSequence]


def shared(made: Dataset) -> Dataset:
    return made.SharedFunctionalGroupsSequence[0]


def kept(made: Dataset) -> Dataset:
    return shared(made).UnassignedSharedConvertedAttributesSequence[0]


# Order.


def test_at_one_place_the_earlier_image_comes_first_whatever_its_number_LC_23() -> None:
    place = {"ImagePositionPatient": [0, 0, 0]}
    later = slice_of(MR, 1, AcquisitionTime="120000", **place)
    earlier = slice_of(MR, 2, AcquisitionTime="110000", **place)
    (one,) = gather.gather(sources_of([later, earlier])).sets
    assert [source.attributes["00200013"]["Value"] for source in one.sources] == [[2], [1]]


def test_the_order_of_sources_is_nothing_to_a_uid_LC_02() -> None:
    assert identity.derive("kind", ["b", "a"]) == identity.derive("kind", ["a", "b"])
    assert identity.derive("kind", ["a"]) != identity.derive("other kind", ["a"])


def test_a_second_copy_becomes_nothing_LC_07() -> None:
    content = slice_of(CT, 1)
    made = list(conversion.plan(sources_of([content, content, slice_of(CT, 2)])).products())
    assert [(one.became, len(one.sources)) for one in made] == [(Became.ENHANCED, 2)]


# Functional groups.


def test_a_window_for_the_whole_range_is_one_after_rescaling_LC_13() -> None:
    made = read(written([slice_of(PET, 1, WindowCenter=None, WindowWidth=None, RescaleSlope=0.5, RescaleIntercept=10)]))
    window = shared(made).FrameVOILUTSequence[0]
    assert (window.WindowCenter, window.WindowWidth) == (32768 * 0.5 + 10, 65536 * 0.5)


@pytest.mark.parametrize(("said", "side"), [({}, "U"), ({"ImageLaterality": "R"}, "R"), ({"Laterality": "L"}, "L")])
def test_the_side_of_a_frame_is_said_or_unknown_LC_13(said: dict[str, str], side: str) -> None:
    assert shared(read(written([slice_of(CT, 1, **said)]))).FrameAnatomySequence[0].FrameLaterality == side


def test_a_trigger_time_without_a_heart_is_none_of_a_heart_LC_14() -> None:
    made = read(written(slice_of(MR, n, TriggerTime=100) for n in (1, 2)))
    assert "CardiacSynchronizationSequence" not in shared(made)
    assert kept(made).TriggerTime == 100


def test_a_group_that_only_some_images_have_is_of_none_and_its_attribute_unassigned_LC_15() -> None:
    item = Dataset()
    item.LUTLabel = "A"
    contents = [slice_of(MR, 1, RealWorldValueMappingSequence=Sequence([item])), slice_of(MR, 2)]
    made = read(written(contents))
    assert not any(
        "RealWorldValueMappingSequence" in one for one in (shared(made), *made.PerFrameFunctionalGroupsSequence)
    )
    assert rests(made)[0].RealWorldValueMappingSequence[0].LUTLabel == "A"


def test_of_references_whose_series_is_not_always_known_all_stay_unassigned_LC_16() -> None:
    stranger = Dataset()
    stranger.ReferencedSOPClassUID, stranger.ReferencedSOPInstanceUID = CT.classic, "1.2.3.4"
    both = Sequence([reference(1), stranger])
    made = products(slice_of(CT, 1), slice_of(CT, 11, SeriesInstanceUID="1.2.9", ReferencedImageSequence=both))
    (image,) = (one for one in made[Became.ENHANCED] if "ReferencedImageSequence" in shared(one))
    assert len(shared(image).ReferencedImageSequence) == 0
    assert len(kept(image).ReferencedImageSequence) == 2


def test_what_is_derived_and_says_no_unit_has_none_LC_13() -> None:
    derived = {"ImageType": ["DERIVED", "PRIMARY", "AXIAL"], "RescaleSlope": None, "RescaleIntercept": None}
    values = shared(read(written([slice_of(CT, 1, **derived)]))).PixelValueTransformationSequence[0]
    assert (values.RescaleSlope, values.RescaleIntercept, values.RescaleType) == (1, 0, "US")
    assert shared(read(written([slice_of(CT, 1)]))).PixelValueTransformationSequence[0].RescaleType == "HU"


# The top.


def test_objects_of_a_series_without_a_frame_of_reference_share_a_new_one_LC_01() -> None:
    turned = {"ImageOrientationPatient": [1, 0, 0, 0, 0, -1]}
    spaces = [
        one.attributes["00200052"]["Value"]
        for one in described(
            slice_of(CT, n, FrameOfReferenceUID=None, **(turned if n > 2 else {})) for n in range(1, 5)
        )
    ]
    assert len(spaces) == 2
    assert spaces[0] == spaces[1]


def test_evidence_of_references_names_their_instances_LC_14() -> None:
    again = {"SeriesInstanceUID": "1.2.9", "ReferencedImageSequence": Sequence([reference(1)])}
    made = products(slice_of(CT, 1), slice_of(CT, 11, **again))
    (image,) = (one for one in made[Became.ENHANCED] if "ReferencedImageEvidenceSequence" in one)
    (target,) = (one for one in made[Became.ENHANCED] if one is not image)
    (series,) = image.ReferencedImageEvidenceSequence[0].ReferencedSeriesSequence
    assert [one.ReferencedSOPInstanceUID for one in series.ReferencedSOPSequence] == [target.SOPInstanceUID]


def test_what_has_another_representation_than_the_standard_says_stays_as_it_is_LC_15() -> None:
    made = read(written(slice_of(CT, n, change=lambda one: one.add_new(0x00181000, "SH", "7")) for n in (1, 2)))
    assert "DeviceSerialNumber" not in made
    assert kept(made).DeviceSerialNumber == "7"


# What is left over.


def test_a_reserved_block_of_which_nothing_is_used_is_kept_LC_15() -> None:
    made = read(written(slice_of(CT, n, change=lambda one: one.add_new(0x00290010, "LO", "ACME")) for n in (1, 2)))
    assert kept(made)[0x00290010].value == "ACME"


def test_blocks_of_one_number_and_two_creators_are_two_LC_15() -> None:
    def of(creator: str) -> Callable[[Dataset], None]:
        def change(dataset: Dataset) -> None:
            dataset.add_new(0x00290010, "LO", creator)
            dataset.add_new(0x00291001, "LO", "same")

        return change

    made = read(written([slice_of(CT, 1, change=of("A")), slice_of(CT, 2, change=of("B"))]))
    assert 0x00290010 not in kept(made)
    assert [one.private_block(0x29, name)[1].value for one, name in zip(rests(made), "AB", strict=True)] == ["same"] * 2


def test_two_blocks_of_one_creator_stay_two_LC_15() -> None:
    def change(dataset: Dataset) -> None:
        for block, value in ((0x10, "first"), (0x11, "second")):
            dataset.add_new(0x00290000 | block, "LO", "ACME")
            dataset.add_new(0x00290001 | block << 8, "LO", f"{value} {dataset.InstanceNumber}")

    made = read(written(slice_of(CT, n, change=change) for n in (1, 2)))
    for number, one in enumerate(rests(made), 1):
        assert sorted(one[tag].value for tag in (0x00291001, 0x00291101)) == [f"first {number}", f"second {number}"]


def test_signatures_are_not_kept_for_they_are_broken() -> None:
    def change(dataset: Dataset) -> None:
        dataset.add_new(0x4FFE0001, "SQ", [Dataset()])
        dataset.add_new(0xFFFAFFFA, "SQ", [Dataset()])

    made = read(written(slice_of(CT, n, change=change) for n in (1, 2)))
    assert not any(element.tag.group in {0x4FFE, 0xFFFA} for element in made.iterall())


# Pixels.


def test_samples_that_stand_high_are_brought_down_LC_11() -> None:
    made = read(written([slice_of(CT, 1, HighBit=15, PixelData=b"\x30\x12" * 64)]))
    assert (made.BitsStored, made.HighBit) == (12, 11)
    assert made.PixelData == b"\x23\x01" * 64


def test_padding_that_is_a_range_stays_that_of_each_frame_LC_11() -> None:
    pixels = {"PixelRepresentation": 1, "BitsStored": 16, "HighBit": 15, "PixelData": b"\x07\x00" * 64}
    ranges = [{"PixelPaddingValue": low, "PixelPaddingRangeLimit": low + 5, **pixels} for low in (-2000, -1024)]
    made = read(written(slice_of(CT, n, **one) for n, one in enumerate(ranges, 1)))
    assert not {"PixelPaddingValue", "PixelPaddingRangeLimit"} & set(made.dir())
    assert [(one.PixelPaddingValue, one.PixelPaddingRangeLimit) for one in rests(made)] == [
        (-2000, -1995),
        (-1024, -1019),
    ]


def hiding(position: int) -> Callable[[Dataset], None]:
    def change(dataset: Dataset) -> None:
        for name, vr, value in ((0x0010, "US", 8), (0x0011, "US", 8), (0x0040, "CS", "G"), (0x0050, "SS", [1, 1])):
            dataset.add_new((0x6000, name), vr, value)
        dataset.add_new((0x6000, 0x0100), "US", 16)
        dataset.add_new((0x6000, 0x0102), "US", position)

    return change


@pytest.mark.parametrize(("position", "count"), [(5, 0), (11, 0), (12, 1), (15, 1), (16, 0)])
def test_only_bits_that_are_no_part_of_the_value_hide_an_overlay_LC_18(position: int, count: int) -> None:
    _, states = converted(slice_of(CT, 1, change=hiding(position)))
    assert len(states) == count


def test_overlays_of_an_image_that_is_shown_inverted_are_shown_over_it_inverted_LC_18() -> None:
    for shape, sense in (("INVERSE", "MONOCHROME1"), ("IDENTITY", "MONOCHROME2")):
        _, (state,) = converted(slice_of(CT, 1, change=hiding(15), PhotometricInterpretation=sense))
        assert state.PresentationLUTShape == shape


def lossy(**said: Any) -> dict[str, Any]:
    return {"LossyImageCompression": "01", "LossyImageCompressionMethod": "ISO_10918_1", **said}


def test_the_loss_of_the_worst_frame_is_that_of_the_object_LC_21() -> None:
    contents = [slice_of(CT, n, **lossy(LossyImageCompressionRatio=ratio)) for n, ratio in ((1, 5), (2, 20), (3, 10))]
    made = read(written([*contents, slice_of(CT, 4)]))
    assert (made.LossyImageCompression, made.LossyImageCompressionRatio) == ("01", 20)


def test_what_a_transfer_syntax_loses_is_said_though_no_image_says_it_LC_21() -> None:
    (source,) = sources_of([slice_of(CT, 1)])
    compressed = dataclasses.replace(source, transfer_syntax="1.2.840.10008.1.2.4.51", frames=None, content=None)
    (one,) = gather.gather([compressed]).sets
    told = loss.describe(one)
    assert (told["00282110"]["Value"], told["00282114"]["Value"]) == (["01"], ["ISO_10918_1"])


# References.


def test_where_something_comes_from_is_no_reference_LC_06() -> None:
    made = products(slice_of(CT, 1), other("ko", ConversionSourceAttributesSequence=Sequence([reference(1)])))
    assert Became.REISSUED not in made
    (kept_as_it_is,) = made[Became.UNCHANGED]
    assert kept_as_it_is.ConversionSourceAttributesSequence[0] == reference(1)


def test_of_an_image_that_is_meant_whole_no_frames_are_named_LC_06() -> None:
    def item(*frames: int) -> dict[str, Any]:
        numbered = {"00081160": {"vr": "IS", "Value": list(frames)}} if frames else {}
        return {"00081150": {"vr": "UI", "Value": ["1"]}, "00081155": {"vr": "UI", "Value": ["1.2"]}, **numbered}

    now = references.Now(study="1", series="2", instance="3", sop_class="4")
    for items, expected in (([item(2), item()], [item()]), ([item(2), item(1, 2)], [item(1, 2)])):
        updated = references.update({"00081140": {"vr": "SQ", "Value": items}}, {"9": now})
        assert updated["00081140"]["Value"] == expected


def test_new_objects_of_one_series_are_in_one_new_series_LC_06() -> None:
    keys = [other(name, SeriesInstanceUID="1.2.7", ReferencedStudySequence=evidence((1,))) for name in ("a", "b")]
    first, second = products(slice_of(CT, 1), *keys)[Became.REISSUED]
    assert first.SeriesInstanceUID == second.SeriesInstanceUID != "1.2.7"
    assert first.SOPInstanceUID != second.SOPInstanceUID


def test_of_very_large_objects_with_new_references_no_original_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    contents = [slice_of(CT, 1), other("ko", ReferencedStudySequence=evidence((1,)))]

    def can_restore() -> bool:
        every = conversion.plan(sources_of(contents)).products()
        (reissued,) = (b"".join(one.write()) for one in every if one.became is Became.REISSUED)
        return restoring.can_restore(sources_of([reissued])[0])

    assert can_restore()
    monkeypatch.setattr(reissuing, "LARGEST_KEPT", 100)
    assert not can_restore()


# Back.


def test_a_direction_has_its_older_word_in_a_classic_image_LC_30() -> None:
    (source,) = sources_of([written([slice_of(MR, 1)], keeps_originals=False)])
    held = source.attributes[classes.SHARED]["Value"][0]
    held["00189125"] = {"vr": "SQ", "Value": [{"00181312": {"vr": "CS", "Value": ["COLUMN"]}}]}
    found = flattening.flatten(flattening.take_apart(source.attributes, MR), 1)
    assert found["00181312"]["Value"] == ["COL"]


def test_what_was_kept_empty_empties_nothing_LC_30() -> None:
    (source,) = sources_of([written([slice_of(CT, 1)], keeps_originals=False)])
    kept_empty = source.attributes[classes.SHARED]["Value"][0][classes.UNASSIGNED_SHARED]["Value"][0]
    kept_empty["00180015"] = {"vr": "CS"}
    found = flattening.flatten(flattening.take_apart(source.attributes, CT), 1)
    assert found["00180015"]["Value"] == ["CHEST"]


def test_what_differs_from_slice_to_slice_takes_little_room_in_a_pool() -> None:
    """Twenty thousand slices that differ in thirty values are 600,000 elements."""
    pool, count = classic.Pool(), 3000
    pool.share({"00080005": {"vr": "CS", "Value": ["ISO_IR 192"]}})
    tracemalloc.start()
    try:
        for number in range(count):
            pool.share({"00200013": {"vr": "IS", "Value": [number]}})
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken / count < 1024
