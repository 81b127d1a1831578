"""References follow what was converted, over all that refers to it, in turn (LC-06, LC-07)."""

from __future__ import annotations

from typing import Any

from multiframe_slices import CT, SERIES, STUDY, read, slice_of, sources_of
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import generate_uid

from dicomgate.multiframe import conversion, references, reissuing
from dicomgate.multiframe.classic import Classic
from dicomgate.multiframe.conversion import Became
from dicomgate.testing import instances

KEY_OBJECT = "1.2.840.10008.5.1.4.1.1.88.59"


def reference(number: int) -> Dataset:
    item, source = Dataset(), read(slice_of(CT, number))
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = source.SOPClassUID, source.SOPInstanceUID
    return item


def evidence(numbers: tuple[int, ...], series: str = SERIES) -> Sequence:
    study, inner = Dataset(), Dataset()
    inner.SeriesInstanceUID, inner.ReferencedSOPSequence = series, Sequence([reference(n) for n in numbers])
    study.StudyInstanceUID, study.ReferencedSeriesSequence = STUDY, Sequence([inner])
    return Sequence([study])


def other(name: str, **attributes: Any) -> bytes:
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = KEY_OBJECT, generate_uid(entropy_srcs=[name])
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = STUDY, generate_uid(entropy_srcs=["series", name])
    dataset.PatientID, dataset.PatientName, dataset.Modality = "7", "Doe^Jane", "KO"
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return instances.write(dataset, "1.2.840.10008.1.2.1")


def products(*contents: bytes) -> dict[Became, list[Dataset]]:
    found: dict[Became, list[Dataset]] = {}
    for one in conversion.plan(sources_of(contents)).products():
        found.setdefault(one.became, []).append(read(b"".join(one.write())))
    return found


def test_a_key_object_follows_its_images_LC_06() -> None:
    content = Dataset()
    content.ValueType, content.ReferencedSOPSequence = "IMAGE", Sequence([reference(2)])
    key = other("ko", CurrentRequestedProcedureEvidenceSequence=evidence((1, 2)), ContentSequence=Sequence([content]))
    made = products(slice_of(CT, 1), slice_of(CT, 2), key)
    (image,), (reissued,) = made[Became.ENHANCED], made[Became.REISSUED]
    (inner,) = reissued.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
    assert inner.SeriesInstanceUID == image.SeriesInstanceUID
    (told,) = inner.ReferencedSOPSequence
    assert (told.ReferencedSOPClassUID, told.ReferencedSOPInstanceUID) == (image.SOPClassUID, image.SOPInstanceUID)
    assert "ReferencedFrameNumber" not in told
    shown = reissued.ContentSequence[0].ReferencedSOPSequence[0]
    assert (shown.ReferencedSOPInstanceUID, shown.ReferencedFrameNumber) == (image.SOPInstanceUID, 2)
    assert reissued.SOPInstanceUID != read(key).SOPInstanceUID
    assert reissued.SeriesInstanceUID != read(key).SeriesInstanceUID
    assert reissued.SOPClassUID == KEY_OBJECT
    assert reissued.ConversionSourceAttributesSequence[0].ReferencedSOPInstanceUID == read(key).SOPInstanceUID
    text = "Updated UID references during Legacy Enhanced Classic conversion"
    assert reissued.ContributingEquipmentSequence[-1].ContributionDescription == text


def test_who_refers_to_what_was_issued_anew_is_issued_anew_LC_06() -> None:
    key = other("ko", CurrentRequestedProcedureEvidenceSequence=evidence((1,)))
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = KEY_OBJECT, read(key).SOPInstanceUID
    report = other("sr", ReferencedInstanceSequence=Sequence([item]))
    untouched = other("apart")
    made = products(report, slice_of(CT, 1), untouched, key)
    assert len(made[Became.REISSUED]) == 2
    (kept,) = made[Became.UNCHANGED]
    assert kept.SOPInstanceUID == read(untouched).SOPInstanceUID
    new = {
        str(one.ConversionSourceAttributesSequence[0].ReferencedSOPInstanceUID): one for one in made[Became.REISSUED]
    }
    again = new[read(report).SOPInstanceUID].ReferencedInstanceSequence[0].ReferencedSOPInstanceUID
    assert again == new[read(key).SOPInstanceUID].SOPInstanceUID


def test_images_of_one_series_that_are_now_in_several_are_told_apart_LC_06() -> None:
    localizer = slice_of(CT, 3, SOPClassUID="1.2.840.10008.5.1.4.1.1.7")
    item = reference(3)
    item.ReferencedSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    told = evidence((1, 2))
    told[0].ReferencedSeriesSequence[0].ReferencedSOPSequence.append(item)
    made = products(slice_of(CT, 1), slice_of(CT, 2), localizer, other("ko", ReferencedStudySequence=told))
    (reissued,), (image,) = made[Became.REISSUED], made[Became.ENHANCED]
    series = [one.SeriesInstanceUID for one in reissued.ReferencedStudySequence[0].ReferencedSeriesSequence]
    assert series == [image.SeriesInstanceUID, SERIES]


def test_frames_of_one_image_are_named_together_LC_06() -> None:
    inner = Dataset()
    inner.SeriesInstanceUID, inner.ReferencedImageSequence = SERIES, Sequence([reference(n) for n in (2, 1)])
    made = products(
        slice_of(CT, 1), slice_of(CT, 2), slice_of(CT, 3), other("gsps", ReferencedSeriesSequence=Sequence([inner]))
    )
    (told,) = made[Became.REISSUED][0].ReferencedSeriesSequence[0].ReferencedImageSequence
    assert told.ReferencedFrameNumber == [1, 2]


def test_images_refer_to_converted_images_by_frame_LC_06_LC_14() -> None:
    series = generate_uid(entropy_srcs=["another"])
    contents = [
        slice_of(CT, 1),
        slice_of(CT, 2),
        *(
            slice_of(CT, n, SeriesInstanceUID=series, ReferencedImageSequence=Sequence([reference(2)]))
            for n in (11, 12)
        ),
    ]
    made = products(*contents)
    first, second = sorted(made[Became.ENHANCED], key=lambda one: "ReferencedImageEvidenceSequence" in one)
    shared = second.SharedFunctionalGroupsSequence[0].ReferencedImageSequence[0]
    assert (shared.ReferencedSOPInstanceUID, shared.ReferencedFrameNumber) == (first.SOPInstanceUID, 2)
    told = second.ReferencedImageEvidenceSequence[0].ReferencedSeriesSequence[0]
    assert told.SeriesInstanceUID == first.SeriesInstanceUID
    assert {one.SeriesInstanceUID for one in second.ReferencedSeriesSequence} == {first.SeriesInstanceUID, series}


def test_a_reference_whose_series_nobody_knows_stays_unassigned_LC_16() -> None:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = CT.classic, "1.2.3.4"
    (image,) = products(slice_of(CT, 1, ReferencedImageSequence=Sequence([item])))[Became.ENHANCED]
    shared = image.SharedFunctionalGroupsSequence[0]
    assert len(shared.ReferencedImageSequence) == 0
    kept = shared.UnassignedSharedConvertedAttributesSequence[0].ReferencedImageSequence
    assert kept[0].ReferencedSOPInstanceUID == "1.2.3.4"


def test_nothing_is_changed_where_nothing_refers() -> None:
    dataset = {"00080018": {"vr": "UI", "Value": ["1"]}, "00081140": {"vr": "SQ", "Value": [{}]}}
    now = references.Now(study="1", series="2", instance="3", sop_class="4")
    assert references.update(dataset, {"9": now}) is dataset


def test_a_long_chain_of_references_is_followed_from_its_end_LC_06() -> None:
    def link(number: int) -> Classic:
        item = {"00081155": {"vr": "UI", "Value": [f"1.2.{number - 1}"]}}
        attributes: dict[str, Any] = {
            "00080018": {"vr": "UI", "Value": [f"1.2.{number}"]},
            "0020000E": {"vr": "UI", "Value": ["1.3"]},
            "00081140": {"vr": "SQ", "Value": [item]},
        }
        return Classic(attributes=attributes, transfer_syntax="")

    start = references.Now(study="1", series="2", instance="3", sop_class="4", frame=1)
    chain = [link(number) for number in range(5000, 0, -1)]
    found = reissuing.close([*chain, link(9000)], {"1.2.0": start})
    assert set(found) == {f"1.2.{number}" for number in range(1, 5001)}
