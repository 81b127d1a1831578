"""PS3.18 §10.6: every required key and any other attribute, one by one, over a real archive."""

from __future__ import annotations

import io

import pydicom
import pytest
from pydicom.dataset import Dataset
from standard_service import EXPLICIT, Service, found

from dicomgate.dicom import attributes
from dicomgate.dicom.uids import Target
from dicomgate.testing import instances

# One series with everything that a key may ask for.

EVERYTHING = {
    "PatientID": "EVERY-1",
    "PatientName": "Every^Thing=\u5c71\u7530^\u592a\u90ce=\u3084\u307e\u3060^\u305f\u308d\u3046",
    "StudyDate": "20210203",
    "StudyTime": "040506.700000",
    "AccessionNumber": "ACC-7",
    "StudyDescription": "Head 100%",
    "Modality": "MR",
    "SeriesNumber": 42,
    "SeriesDescription": "T1_TSE",
    "SeriesDate": "20210203",
    "SeriesTime": "0410",
    "BodyPartExamined": "HEAD",
    "PerformedProcedureStepStartDate": "20210203",
    "PerformedProcedureStepStartTime": "0405",
    "InstanceNumber": 7,
    "ImageType": ["ORIGINAL", "PRIMARY", "M"],
    "SliceThickness": "1.50",
    "StationName": "MR-STATION",
    "AcquisitionDateTime": "20210203040506+0100",
    "OtherPatientNames": ["Other^One", "Else^Two"],
    "PatientComments": "comes by bicycle",
}


@pytest.fixture(scope="module")
def service(open_service) -> Service:
    """One of our own: what others store would be found as well."""
    return open_service()


@pytest.fixture(scope="module")
def everything(service: Service) -> Target:
    """An instance with nested and private attributes, and beside it others that differ in all of them."""
    target = instances.new_target()
    steps = [_step("S-1", "R-1"), _step("S-2", "")]
    content = instances.make(target, attributes={**EVERYTHING, "RequestAttributesSequence": steps})
    service.store(_with_private(content, "ACME", "ours"))
    other = {"PatientID": "EVERY-2", "PatientName": "Someone^Else", "InstanceNumber": 8, "SeriesNumber": 43}
    beside = {**other, "Modality": "CT", "StudyDate": "", "StudyTime": "", "AccessionNumber": "", "StudyID": "other"}
    service.store(_with_private(instances.make(attributes={**beside, "PatientSex": "M"}), "OTHER", "ours"))
    return target


def _step(scheduled: str, requested: str) -> Dataset:
    step = Dataset()
    step.ScheduledProcedureStepID, step.RequestedProcedureID = scheduled, requested
    return step


def _with_private(content: bytes, creator: str, text: str) -> bytes:
    dataset = pydicom.dcmread(io.BytesIO(content))
    dataset.private_block(0x0009, "FILLER", create=True).add_new(0x01, "LO", "filled")
    dataset.private_block(0x0009, creator, create=True).add_new(0x01, "LO", text)
    return instances.write(dataset, EXPLICIT)


def uids_of(service: Service, path: str, query: str) -> list[str]:
    reply = service.studies(f"{path}?{query}")
    tag = {"/studies": "0020000D", "/series": "0020000E"}.get(path, "00080018")
    return [] if reply.status == 204 else [row[tag]["Value"][0] for row in found(reply)]


@pytest.mark.parametrize(
    ("path", "query"),
    [
        *(("/studies", f"{name}={EVERYTHING[name]}") for name in ("StudyDate", "StudyTime", "AccessionNumber")),
        ("/studies", "PatientID=EVERY-1"),
        ("/studies", "ModalitiesInStudy=MR&PatientID=EVERY*"),
        ("/studies", "PatientSex=F&PatientID=EVERY*"),
        ("/studies", "StudyDescription=Head%20100%25"),
        ("/studies", "PatientName=every%5Ething"),
        ("/studies", "PatientName=%E5%B1%B1%E7%94%B0*"),
        ("/studies", "PatientName=*%E3%81%9F%E3%82%8D%E3%81%86"),
        ("/studies", "StudyDate=20210203-&StudyTime=0405-&PatientID=EVERY*"),
        ("/studies", "PatientComments=*bicycle&PatientID=EVERY*"),
        ("/studies", "OtherPatientNames=else%5E*&PatientID=EVERY*"),
        ("/series", "Modality=MR&PatientID=EVERY*"),
        ("/series", "SeriesNumber=042&PatientID=EVERY*"),
        ("/series", "SeriesDescription=T1%5FTSE&PatientID=EVERY*"),
        ("/series", "PerformedProcedureStepStartDate=20210203&PerformedProcedureStepStartTime=04"),
        ("/series", "RequestAttributesSequence.ScheduledProcedureStepID=S-1&PatientID=EVERY*"),
        ("/series", "StationName=MR-*&PatientID=EVERY*"),
        ("/instances", "InstanceNumber=7&PatientID=EVERY*"),
        ("/instances", "SOPClassUID=1.2.840.10008.5.1.4.1.1.7&PatientID=EVERY-1"),
        ("/instances", "ImageType=PRIMARY&PatientID=EVERY*"),
        ("/instances", "SliceThickness=1.5&PatientID=EVERY*"),
        ("/instances", "AcquisitionDateTime=20210203030506%2B0000&PatientID=EVERY*"),
        ("/instances", "00090010=ACME&00091001=ours&PatientID=EVERY*"),
    ],
)
def test_every_required_key_and_any_other_is_matched_QIDO_03_QIDO_06(
    service: Service, everything: Target, path: str, query: str
) -> None:
    expected = {"/studies": everything.study, "/series": everything.series}.get(path, everything.instance)
    assert uids_of(service, path, query) == [expected]


def test_every_parameter_of_the_standard_is_taken_QIDO_02(service: Service, everything: Target) -> None:
    query = (
        "PatientID=EVERY-1&fuzzymatching=true&includefield=PatientComments&limit=5&offset=0"
        "&emptyvaluematching=true&multiplevaluematching=true"
    )
    assert "warning" not in service.studies(f"/studies?{query}").headers


def test_row_9_nested_keys_match_within_one_item_QIDO_06(service: Service, everything: Target) -> None:
    nested = "PatientID=EVERY*&RequestAttributesSequence.ScheduledProcedureStepID={}&00400275.RequestedProcedureID={}"
    assert uids_of(service, "/series", nested.format("S-1", "R-1")) == [everything.series]
    assert uids_of(service, "/series", nested.format("S-2", "R-1")) == []


def test_empty_value_matching_QIDO_09(service: Service, everything: Target) -> None:
    empty = "emptyvaluematching=true&PatientID=EVERY*"
    assert everything.study not in uids_of(service, "/studies", f"{empty}&StudyDate=%22%22")
    assert len(uids_of(service, "/studies", f"{empty}&StudyDate=%22%22")) == 1
    assert len(uids_of(service, "/studies", f"{empty}&AccessionNumber=%22%22")) == 1
    item = f"{empty}&RequestAttributesSequence.RequestedProcedureID=%22%22"
    assert len(uids_of(service, "/series", item)) == 2
    assert uids_of(service, "/series", f"{item}&RequestAttributesSequence.ScheduledProcedureStepID=S-1") == []
    assert service.studies("/studies?emptyvaluematching=maybe").status == 400


def test_the_zone_of_the_question_QIDO_07(service: Service) -> None:
    target = instances.new_target()
    stored = {"PatientID": "ZONED", "StudyDate": "20200101", "StudyTime": "2330", "TimezoneOffsetFromUTC": "-0500"}
    service.store(instances.make(target, attributes=stored))
    asked = "PatientID=ZONED&StudyDate=20200102&StudyTime=0400-0500"
    assert uids_of(service, "/studies", f"{asked}&TimezoneOffsetFromUTC=%2B0000") == [target.study]
    assert uids_of(service, "/studies", asked) == []
    assert service.studies("/studies?TimezoneOffsetFromUTC=noon").status == 400


def test_matched_and_wanted_attributes_are_returned_QIDO_10_QIDO_15(service: Service, everything: Target) -> None:
    query = "PatientID=EVERY-1&StationName=MR*&includefield=PatientComments&includefield=00180015,PatientWeight"
    (row,) = found(service.studies(f"/series?{query}"))
    assert row["00081010"]["Value"] == ["MR-STATION"]
    assert row["00104000"]["Value"] == ["comes by bicycle"]
    assert row["00180015"]["Value"] == ["HEAD"]
    (instance,) = found(service.studies("/instances?PatientID=EVERY-1&00090010=ACME&includefield=00091001"))
    private = [element["Value"] for tag, element in instance.items() if tag.startswith("0009")]
    assert ["ours"] in private
    assert ["ACME"] in private
    assert ["filled"] not in private


def test_all_fields_of_the_level_QIDO_11(service: Service, everything: Target) -> None:
    (study,) = found(service.studies("/studies?PatientID=EVERY-1&includefield=all"))
    assert study["00104000"]["Value"] == ["comes by bicycle"]
    assert "00080060" not in study
    (instance,) = found(service.studies("/instances?PatientID=EVERY-1&includefield=all"))
    assert instance["00080008"]["Value"] == ["ORIGINAL", "PRIMARY", "M"]


def test_what_each_level_always_returns_QIDO_12_QIDO_13_QIDO_14(service: Service, everything: Target) -> None:
    ((study,), (series,), (instance,)) = (
        found(service.studies(f"/{level}?PatientID=EVERY-1")) for level in ("studies", "series", "instances")
    )
    for row, keywords in (
        (study, "StudyDate StudyTime AccessionNumber ModalitiesInStudy ReferringPhysicianName PatientName PatientID"),
        (study, "PatientBirthDate PatientSex StudyID NumberOfStudyRelatedSeries NumberOfStudyRelatedInstances"),
        (series, "Modality SeriesNumber NumberOfSeriesRelatedInstances RetrieveURL SeriesDescription PatientName"),
        (series, "PerformedProcedureStepStartDate PerformedProcedureStepStartTime RequestAttributesSequence"),
        (instance, "SOPClassUID InstanceNumber Rows Columns BitsAllocated RetrieveURL SeriesNumber StudyDate"),
    ):
        assert [name for name in keywords.split() if attributes.find_tag(name) not in row] == []


@pytest.mark.parametrize("pattern", ["*" * 900, "*a" * 450 + "*", "?" * 900, "*?*a" * 200, "a*" * 500, "(a%2B)%2B$"])
def test_no_pattern_is_too_much_T17(service: Service, everything: Target, pattern: str) -> None:
    for parameters in ("", "fuzzymatching=true&", "multiplevaluematching=true&"):
        assert service.studies(f"/studies?{parameters}PatientName={pattern}").status in (200, 204, 400, 413)
        assert service.studies(f"/instances?{parameters}OtherPatientNames={pattern}&PatientID=EVERY*").status in (
            200,
            204,
            400,
            413,
        )
