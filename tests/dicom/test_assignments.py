"""Attributes as a person gives them, and which may be set so (STOW-09, RET-09)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomgate import errors
from dicomgate.dicom import assignments, attributes
from dicomgate.dicom.modules import GENERAL_STUDY, PATIENT
from dicomgate.testing.entries import dataset


@pytest.mark.parametrize(
    ("text", "tag", "element", "if_empty"),
    [
        ("PatientID=4711", "00100020", {"vr": "LO", "Value": ["4711"]}, False),
        ("IssuerOfPatientID?=HOSPITAL", "00100021", {"vr": "LO", "Value": ["HOSPITAL"]}, True),
        ("00100020=a=b", "00100020", {"vr": "LO", "Value": ["a=b"]}, False),
        ("AccessionNumber=", "00080050", {"vr": "SH"}, False),
        ("OtherPatientNames=A^B\\C^D", "00101001", {"vr": "PN", "Value": [{"Alphabetic": "A^B"}, {"Alphabetic": "C^D"}]}, False),
        ("PatientName=Yamada^Tarou=山田^太郎", "00100010", {"vr": "PN", "Value": [{"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎"}]}, False),
        ("PatientSize=1.75", "00101020", {"vr": "DS", "Value": [1.75]}, False),
        ("PatientComments=a\\b", "00104000", {"vr": "LT", "Value": ["a\\b"]}, False),
    ],
)  # fmt: skip
def test_read(text: str, tag: str, element: dict, if_empty: bool) -> None:
    assert assignments.parse_assignment(text) == assignments.Assignment(tag, element, if_empty)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "PatientID",
        "=x",
        "NoSuchKeyword=x",
        "StudyInstanceUID=1.2.3",
        "PixelData=x",
        "Rows=3",
        "SpecificCharacterSet=ISO_IR 100",
        "OriginalAttributesSequence=x",
        "00091001=private",
        "StudyDate=yesterday",
        "PatientID=" + "x" * 65,
        "PatientID=a\nb",
        "PatientSex=f",
        "PatientAge=3",
        "PatientSize=tall",
        "TransferSyntaxUID=1.2",
    ],
)
def test_refused(text: str) -> None:
    with pytest.raises(errors.Malformed):
        assignments.parse_assignment(text)
    assert not assignments.is_assignment(text)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    assignments.is_assignment(text)
    assignments.is_assignment(f"PatientName={text}")


def test_one_attribute_is_set_once() -> None:
    with pytest.raises(errors.Malformed, match="twice"):
        assignments.parse_assignments(["PatientID=1", "00100020?=2"])


def test_what_tells_of_patient_and_study_may_be_corrected_and_nothing_else() -> None:
    computed = ["ModalitiesInStudy", "SOPClassesInStudy", "AnatomicRegionsInStudyCodeSequence"]
    for keyword in f"{PATIENT} {GENERAL_STUDY}".split():
        tag = attributes.find_tag(keyword)
        assert tag is not None
        one = {tag: {"vr": attributes.vr(tag)}}
        if keyword.startswith("NumberOf") or keyword in computed or keyword == "StudyInstanceUID":
            with pytest.raises(errors.Malformed, match=keyword):
                assignments.check_study_level(one)
        else:
            assignments.check_study_level(one)
    for keyword in ("SeriesDescription", "TimezoneOffsetFromUTC", "InstanceNumber", "PixelData"):
        with pytest.raises(errors.Malformed, match=keyword):
            assignments.check_study_level(dataset(**{keyword: None}))


def test_values_inside_sequences_are_looked_at() -> None:
    item = dataset(PatientID="x" * 65)
    with pytest.raises(errors.Malformed, match="PatientID"):
        assignments.check_study_level({"00101002": {"vr": "SQ", "Value": [item]}})
