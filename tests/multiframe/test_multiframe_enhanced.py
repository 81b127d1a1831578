"""Objects with many frames: what stands where (LC-01 to LC-24), and the gaps that other converters have (TOOL-01)."""

from __future__ import annotations

import hashlib
import random
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multiframe_slices import CT, IMPLICIT, MR, PET, SERIES, Memory, described, read, series_of, slice_of, written
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from dicomgate import errors
from dicomgate.multiframe import classic, writing

TEXT = "Legacy Enhanced Image created from Classic Images"


def equipment(purpose: str, **more: str) -> Dataset:
    item, code = Dataset(), Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = purpose, "DCM", "Something"
    item.Manufacturer, item.PurposeOfReferenceCodeSequence = "ACME", Sequence([code])
    for name, value in more.items():
        setattr(item, name, value)
    return item


def test_new_series_and_instance_but_same_study_and_space_LC_01() -> None:
    made, source = read(written(slice_of(CT, n) for n in (1, 2))), read(slice_of(CT, 1))
    assert made.StudyInstanceUID == source.StudyInstanceUID
    assert made.FrameOfReferenceUID == source.FrameOfReferenceUID
    assert made.SeriesInstanceUID != source.SeriesInstanceUID
    assert made.SOPClassUID == CT.legacy
    assert made.PatientName == "Müller^Eva"
    assert made.NumberOfFrames == 2


STACK = [slice_of(CT, number) for number in range(1, 5)]


@given(st.randoms(use_true_random=False))
def test_converting_twice_gives_identical_bytes_LC_02(order: random.Random) -> None:
    contents = list(STACK)
    first = written(contents)
    order.shuffle(contents)
    assert written(contents) == first


def test_other_sources_have_other_uids_LC_02() -> None:
    one, two = (read(written(slice_of(CT, n) for n in numbers)) for numbers in ((1, 2), (1, 2, 3)))
    assert one.SOPInstanceUID != two.SOPInstanceUID
    assert one.SeriesInstanceUID == two.SeriesInstanceUID
    assert one.SOPInstanceUID.startswith("2.25.")


def test_series_date_is_the_earliest_LC_03_TOOL_01b() -> None:
    made = read(
        written([slice_of(CT, 1, SeriesDate="20240103", SeriesTime="0901"), slice_of(CT, 2, SeriesTime="235900")])
    )
    assert (made.SeriesDate, made.SeriesTime) == ("20240102", "235900")


def test_requests_of_all_sources_LC_04() -> None:
    def request(number: str) -> Sequence:
        item = Dataset()
        item.RequestedProcedureID = number
        return Sequence([item])

    made = read(
        written(
            [
                slice_of(CT, 1, RequestAttributesSequence=request("A")),
                slice_of(CT, 2, RequestAttributesSequence=request("B")),
                slice_of(CT, 3),
            ]
        )
    )
    assert [item.RequestedProcedureID for item in made.RequestAttributesSequence] == ["A", "B"]


def test_contributing_equipment_is_appended_where_sources_agree_LC_05_TOOL_01a() -> None:
    contents = [
        slice_of(
            CT, n, ContributingEquipmentSequence=Sequence([equipment("109101", ContributionDateTime=f"2024010{n}")])
        )
        for n in (1, 2)
    ]
    earlier, own = read(written(contents)).ContributingEquipmentSequence
    assert earlier.PurposeOfReferenceCodeSequence[0].CodeValue == "109101"
    assert own.PurposeOfReferenceCodeSequence[0].CodeValue == "109106"
    assert own.ContributionDescription == TEXT


def test_contributing_equipment_is_new_where_sources_do_not_agree_LC_05() -> None:
    contents = [
        slice_of(CT, 1, ContributingEquipmentSequence=Sequence([equipment("109101")])),
        slice_of(CT, 2, ContributingEquipmentSequence=Sequence([equipment("109102")])),
    ]
    made = read(written(contents))
    (own,) = made.ContributingEquipmentSequence
    assert own.ContributionDescription == TEXT
    kept = [
        frame.UnassignedPerFrameConvertedAttributesSequence[0].ContributingEquipmentSequence[0]
        for frame in made.PerFrameFunctionalGroupsSequence
    ]
    assert [item.PurposeOfReferenceCodeSequence[0].CodeValue for item in kept] == ["109101", "109102"]


def test_no_attribute_of_a_concatenation_LC_08() -> None:
    made = read(written([slice_of(CT, 1, ConcatenationUID="1.2.3", InConcatenationNumber=1)]))
    assert "ConcatenationUID" not in made
    shared = made.SharedFunctionalGroupsSequence[0].UnassignedSharedConvertedAttributesSequence[0]
    assert shared.ConcatenationUID == "1.2.3"


def test_different_depths_become_one_pixel_module_LC_11() -> None:
    deep = slice_of(CT, 2, BitsStored=16, HighBit=15)
    dirty = slice_of(CT, 1, PixelData=b"\x34\xf2" * 64, PixelRepresentation=0)
    made = read(written([dirty, deep]))
    assert (made.BitsAllocated, made.BitsStored, made.HighBit) == (16, 16, 15)
    assert made.PixelData[:128] == b"\x34\x02" * 64
    assert made.PixelData[128:] == read(deep).PixelData


def test_a_sign_is_extended_LC_11() -> None:
    low = slice_of(CT, 1, PixelRepresentation=1, PixelData=b"\xff\x0f\x01\x00" * 32)
    deep = slice_of(CT, 2, PixelRepresentation=1, BitsStored=16, HighBit=15)
    made = read(written([low, deep]))
    assert made.PixelData[:4] == b"\xff\xff\x01\x00"


def test_eight_bits_get_room_LC_19() -> None:
    small = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "PixelData": bytes(range(64))}
    made = read(written([slice_of(CT, 1, **small)]))
    assert (made.BitsAllocated, made.BitsStored) == (16, 12)
    assert made.PixelData == bytes(byte for value in range(64) for byte in (value, 0))


def test_padding_of_several_values_becomes_one_LC_11() -> None:
    pixels = {"PixelRepresentation": 1, "BitsStored": 16, "HighBit": 15}
    first = slice_of(CT, 1, PixelPaddingValue=-2000, PixelData=b"\x30\xf8\x07\x00" * 32, **pixels)
    second = slice_of(CT, 2, PixelPaddingValue=-1024, PixelData=b"\x00\xfc\x08\x00" * 32, **pixels)
    made = read(written([first, second]))
    assert made.PixelPaddingValue == -2000
    assert made.PixelData == b"\x30\xf8\x07\x00" * 32 + b"\x30\xf8\x08\x00" * 32


def test_padding_stays_as_it_is_where_any_value_of_it_is_a_sample_elsewhere_LC_11() -> None:
    pixels = {"PixelRepresentation": 1, "BitsStored": 16, "HighBit": 15, "PixelData": b"\x30\xf8\x00\xfc" * 32}
    made = read(
        written(
            [slice_of(CT, 1, PixelPaddingValue=-2000, **pixels), slice_of(CT, 2, PixelPaddingValue=-1024, **pixels)]
        )
    )
    assert "PixelPaddingValue" not in made
    assert made.PixelData == b"\x30\xf8\x00\xfc" * 64
    kept = [f.UnassignedPerFrameConvertedAttributesSequence[0] for f in made.PerFrameFunctionalGroupsSequence]
    assert [item.PixelPaddingValue for item in kept] == [-2000, -1024]


def test_groups_are_shared_where_they_are_the_same_LC_13() -> None:
    made = read(written([slice_of(CT, 1), slice_of(CT, 2, WindowCenter=50)]))
    shared = made.SharedFunctionalGroupsSequence[0]
    assert shared.PixelMeasuresSequence[0].PixelSpacing == [0.5, 0.5]
    assert shared.PixelMeasuresSequence[0].SpacingBetweenSlices == 5
    assert shared.CTImageFrameTypeSequence[0].FrameType == ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    assert shared.PixelValueTransformationSequence[0].RescaleType == "HU"
    assert shared.FrameAnatomySequence[0].AnatomicRegionSequence[0].CodeMeaning == "Chest"
    frames = made.PerFrameFunctionalGroupsSequence
    assert [frame.FrameVOILUTSequence[0].WindowCenter for frame in frames] == [40, 50]
    assert [frame.PlanePositionSequence[0].ImagePositionPatient[2] for frame in frames] == [5, 10]
    assert "FrameVOILUTSequence" not in shared


def test_frame_content_tells_when_and_where_LC_23() -> None:
    made = read(written([slice_of(CT, n) for n in (3, 1, 2)]))
    contents = [frame.FrameContentSequence[0] for frame in made.PerFrameFunctionalGroupsSequence]
    assert [content.DimensionIndexValues for content in contents] == [[1, 1], [1, 2], [1, 3]]
    assert [content.FrameAcquisitionDateTime for content in contents] == [f"20240102{1017}{n:02d}" for n in (1, 2, 3)]
    assert made.AcquisitionDateTime == "20240102101701"
    assert made.DimensionOrganizationType == "3D"
    assert made.VolumetricProperties == "VOLUME"


def test_a_gap_is_told_honestly_LC_23() -> None:
    made = read(written([slice_of(CT, n) for n in (1, 2, 5)]))
    assert "DimensionOrganizationType" not in made
    assert made.VolumetricProperties == "MIXED"
    assert made.ImageType == ["ORIGINAL", "PRIMARY", "PARALLEL", "NONE"]
    assert "SpacingBetweenSlices" not in made.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]


def test_what_changed_is_kept_as_it_was_LC_16_TOOL_01d() -> None:
    contents = [slice_of(MR, n, ImageType=["DERIVED", "SECONDARY", "M"], ImagesInAcquisition=2) for n in (1, 2)]
    made = read(written(contents))
    shared = made.SharedFunctionalGroupsSequence[0].UnassignedSharedConvertedAttributesSequence[0]
    assert shared.ImageType == ["DERIVED", "SECONDARY", "M"]
    assert shared.ImagesInAcquisition == 2
    assert shared.AcquisitionDate == "20240102"
    rests = [frame.UnassignedPerFrameConvertedAttributesSequence[0] for frame in made.PerFrameFunctionalGroupsSequence]
    assert [rest.InstanceNumber for rest in rests] == [1, 2]
    assert [rest.AcquisitionTime for rest in rests] == ["101701", "101702"]
    assert made.SeriesDescription == "Thorax 5.0"
    assert made.AcquisitionNumber == 1


def private(dataset: Dataset, creator: str, block: int, value: str) -> None:
    dataset.add_new((0x0029, block), "LO", creator)
    dataset.add_new((0x0029, block << 8 | 1), "LO", value)


def test_private_attributes_keep_their_creator_in_each_item_LC_15() -> None:
    contents = [
        slice_of(CT, 1, change=lambda one: (private(one, "A", 0x10, "same"), private(one, "B", 0x11, "first"))),
        slice_of(CT, 2, change=lambda one: (private(one, "B", 0x10, "second"), private(one, "A", 0x11, "same"))),
    ]
    made = read(written(contents))
    shared = made.SharedFunctionalGroupsSequence[0].UnassignedSharedConvertedAttributesSequence[0]
    assert shared.private_block(0x29, "A")[1].value == "same"
    rests = [frame.UnassignedPerFrameConvertedAttributesSequence[0] for frame in made.PerFrameFunctionalGroupsSequence]
    assert [rest.private_block(0x29, "B")[1].value for rest in rests] == ["first", "second"]


def test_absent_is_the_same_as_empty_LC_15() -> None:
    made = read(written([slice_of(CT, 1, FilterType=""), slice_of(CT, 2)]))
    shared = made.SharedFunctionalGroupsSequence[0].UnassignedSharedConvertedAttributesSequence[0]
    assert shared.FilterType == ""
    rests = [frame.UnassignedPerFrameConvertedAttributesSequence[0] for frame in made.PerFrameFunctionalGroupsSequence]
    assert not any("FilterType" in rest for rest in rests)


def test_each_frame_names_its_source_and_the_series_is_told_LC_17_LC_24() -> None:
    made = read(written([slice_of(CT, n) for n in (1, 2)]))
    origins = [frame.ConversionSourceAttributesSequence[0] for frame in made.PerFrameFunctionalGroupsSequence]
    assert [one.ReferencedSOPInstanceUID for one in origins] == [read(slice_of(CT, n)).SOPInstanceUID for n in (1, 2)]
    (told,) = made.ReferencedSeriesSequence
    assert told.SeriesInstanceUID == SERIES
    assert len(told.ReferencedInstanceSequence) == 2


def test_positron_emission_has_its_own_words_LC_19() -> None:
    made = read(written([slice_of(PET, n) for n in (1, 2)]))
    assert made.SOPClassUID == PET.legacy
    assert made.ContentQualification == "PRODUCT"
    assert made.SharedFunctionalGroupsSequence[0].PixelValueTransformationSequence[0].RescaleType == "BQML"


def test_shown_inverted_is_remembered_and_no_sample_changes_LC_19() -> None:
    content = slice_of(PET, 1, PhotometricInterpretation="MONOCHROME1")
    made = read(written([content]))
    assert made.PhotometricInterpretation == "MONOCHROME2"
    assert made.PixelData == read(content).PixelData
    shared = made.SharedFunctionalGroupsSequence[0].UnassignedSharedConvertedAttributesSequence[0]
    assert shared.PhotometricInterpretation == "MONOCHROME1"


@pytest.mark.parametrize("syntax", [IMPLICIT, "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"])
def test_any_native_encoding_becomes_explicit_little_endian(syntax: str) -> None:
    made = read(written([slice_of(CT, n, syntax=syntax) for n in (1, 2)]))
    assert made.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
    assert made.PixelData == b"".join(read(slice_of(CT, n)).PixelData for n in (1, 2))


def test_mixed_native_encodings_are_one_object_TOOL_01e() -> None:
    contents = [slice_of(CT, 1, SoftwareVersions="1"), slice_of(CT, 2, syntax=IMPLICIT, SoftwareVersions="2")]
    made = read(written(contents))
    assert made.NumberOfFrames == 2
    assert "SoftwareVersions" not in made


def test_compressed_frames_pass_bit_identical() -> None:
    sources = series_of("series/vendors/generic/compressed_jpegls/001")
    from dicomgate.multiframe import enhanced, gather

    (settled,) = enhanced.settle(gather.gather(sources).sets)
    made = enhanced.describe(settled)
    dataset = read(b"".join(writing.write(made)))
    assert dataset.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.80"
    from pydicom.encaps import generate_frames

    frames = list(generate_frames(dataset.PixelData, number_of_frames=4))
    for number, (source, frame) in enumerate(zip(made.sources, frames, strict=True), 1):
        assert isinstance(source.content, classic.File)
        original = read(source.content.path.read_bytes())
        (expected,) = generate_frames(original.PixelData, number_of_frames=1)
        assert frame == expected
        assert writing.read_frame(made, number) == expected


def test_frames_can_be_had_without_writing_the_object() -> None:
    contents = [slice_of(CT, n) for n in (1, 2, 3)]
    (made,) = described(contents)
    assert [writing.read_frame(made, n) for n in (1, 2, 3)] == [read(content).PixelData for content in contents]
    assert made.attributes["00280008"]["Value"] == [3]


def test_large_private_values_stay_whole_and_shared_ones_are_written_once() -> None:
    def change(same: bytes, own: bytes) -> Any:
        def add(dataset: Dataset) -> None:
            dataset.add_new((0x0029, 0x0010), "LO", "ACME")
            dataset.add_new((0x0029, 0x1001), "OB", same)
            dataset.add_new((0x0029, 0x1002), "OB", own)

        return add

    contents = [slice_of(CT, n, change=change(b"x" * 9000, bytes([n]) * 5000)) for n in (1, 2)]
    made = read(written(contents, keeps_originals=False))
    shared = made.SharedFunctionalGroupsSequence[0].UnassignedSharedConvertedAttributesSequence[0]
    assert hashlib.sha256(shared.private_block(0x29, "ACME")[1].value).digest() == hashlib.sha256(b"x" * 9000).digest()
    rests = [frame.UnassignedPerFrameConvertedAttributesSequence[0] for frame in made.PerFrameFunctionalGroupsSequence]
    assert [rest.private_block(0x29, "ACME")[2].value for rest in rests] == [b"\x01" * 5000, b"\x02" * 5000]


def test_frames_read_ahead_make_the_same_file_and_leave_no_thread() -> None:
    large = {"Rows": 256, "Columns": 256, "PixelData": bytes(1 << 17)}
    (made,) = described(slice_of(CT, n, **large) for n in range(1, 9))
    assert b"".join(writing.write(made, ahead=3)) == b"".join(writing.write(made))
    some = writing.write(made, ahead=3)
    next(chunk for chunk in some if len(chunk) == 1 << 17)
    assert _reading()
    some.close()  # type: ignore[attr-defined]
    assert not _reading()


def _reading() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("frames")]


def test_a_source_that_fails_while_it_is_read_ahead_is_told() -> None:
    (made,) = described(slice_of(CT, n) for n in range(1, 5))
    broken = made.sources[2].content
    assert isinstance(broken, Memory)
    broken.bytes = broken.bytes[:600]
    with pytest.raises(errors.Malformed):
        b"".join(writing.write(made, ahead=2))


def test_what_a_converted_object_may_leave_out_is_said_where_it_is_known_LC_21() -> None:
    known = {
        "MagneticFieldStrength": 1.5,
        "ImagedNucleus": "1H",
        "BurnedInAnnotation": "NO",
        "AcquisitionDuration": 3.0,
    }
    made = read(written(slice_of(MR, n, KVP=None, LossyImageCompression="00", **known) for n in (1, 2)))
    assert made.AcquisitionDateTime == "20240102101701"
    assert (made.MagneticFieldStrength, made.ResonantNucleus) == (1.5, "1H")
    assert (made.LossyImageCompression, made.BurnedInAnnotation, made.AcquisitionDuration) == ("00", "NO", 3.0)
    content = made.PerFrameFunctionalGroupsSequence[1].FrameContentSequence[0]
    assert content.FrameAcquisitionDateTime == "20240102101702"
    assert content.FrameAcquisitionDuration == 3000
    bare = read(written(slice_of(MR, n, KVP=None, AcquisitionDate=None, AcquisitionTime=None) for n in (1, 2)))
    assert not {"AcquisitionDateTime", "MagneticFieldStrength", "BurnedInAnnotation"} & set(bare.dir())


def test_how_long_a_frame_of_a_positron_emission_took_is_said_LC_14() -> None:
    made = read(written(slice_of(PET, n, KVP=None, ActualFrameDuration=180000) for n in (1, 2)))
    durations = [
        frame.FrameContentSequence[0].FrameAcquisitionDuration for frame in made.PerFrameFunctionalGroupsSequence
    ]
    assert durations == [180000, 180000]
