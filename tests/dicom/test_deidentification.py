"""Data sets without who the patient is: PS3.15 §E.1.1, §E.2; URI-07."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.datadict import DicomDictionary

from dicomgate import errors
from dicomgate.dicom import attributes, confidentiality, deidentification, encode, uids, visible_identity
from dicomgate.dicom.confidentiality import Action
from dicomgate.dicom.deidentification import Pseudonyms
from dicomgate.dicom.visible_identity import Sight

CT = "1.2.840.10008.5.1.4.1.1.2"
SECRET = "SECRETWORD"
OURS = Pseudonyms(b"one secret")


def element(keyword: str, *values: Any, vr: str = "") -> dict[str, Any]:
    tag = attributes.find_tag(keyword)
    assert tag is not None, keyword
    return {tag: {"vr": vr or attributes.vr(tag), **({"Value": list(values)} if values else {})}}


def ct(**others: Any) -> dict[str, Any]:
    made = {
        **element("SOPClassUID", CT),
        **element("SOPInstanceUID", "1.2.3.3"),
        **element("StudyInstanceUID", "1.2.3.1"),
        **element("SeriesInstanceUID", "1.2.3.2"),
        **element("PatientName", {"Alphabetic": SECRET}),
        **element("PatientID", SECRET),
        **element("KVP", 120),
    }
    for keyword, value in others.items():
        made.update(element(keyword, *(value if isinstance(value, list) else [value])))
    return made


def test_identity_is_gone_and_the_picture_stays() -> None:
    made = deidentification.deidentify(ct(StudyDate="20240102", InstitutionName=SECRET, OperatorsName=SECRET), OURS)
    assert SECRET not in json.dumps(made)
    assert made["00180060"]["Value"] == [120]
    assert made["00100010"] == {"vr": "PN"}
    assert made["00080020"] == {"vr": "DA"}
    assert made["00080080"]["Value"] == ["REMOVED"]
    assert list(made) == sorted(made)


def test_says_what_was_done_E_1_1_6() -> None:
    earlier = {"00080100": {"vr": "SH", "Value": ["113108"]}, "00080104": {"vr": "LO", "Value": ["Dates"]}}
    made = deidentification.deidentify(ct(DeidentificationMethodCodeSequence=[earlier]), OURS)
    assert made["00120062"]["Value"] == ["YES"]
    codes = [item["00080100"]["Value"][0] for item in made["00120064"]["Value"]]
    assert codes == ["113108", "113100", "113101"]
    again = deidentification.deidentify(made, OURS)
    assert [item["00080100"]["Value"][0] for item in again["00120064"]["Value"]] == codes


def test_uids_are_renamed_alike_everywhere_and_by_nobody_else() -> None:
    reference = {**element("ReferencedSOPClassUID", CT), **element("ReferencedSOPInstanceUID", "1.2.3.3")}
    made = deidentification.deidentify(ct(ReferencedImageSequence=[reference]), OURS)
    uid = made["00080018"]["Value"][0]
    assert uids.is_uid(uid)
    assert uid != "1.2.3.3"
    assert made["00081140"]["Value"][0]["00081155"]["Value"] == [uid]
    assert made["00081140"]["Value"][0]["00081150"]["Value"] == [CT]
    assert Pseudonyms(b"one secret").uid("1.2.3.3") == uid
    assert Pseudonyms(b"another").uid("1.2.3.3") != uid
    assert OURS.uid("1.2.840.10008.1.4.1.1") == "1.2.840.10008.1.4.1.1", "the standard's own stay"


def test_one_patient_is_one_and_two_are_two() -> None:
    first, again, other = (
        deidentification.deidentify(ct(PatientID=one, IssuerOfPatientID=issuer), OURS)["00100020"]["Value"]
        for one, issuer in (("A", "X"), ("A", "X"), ("A", "Y"))
    )
    assert first == again != other


def test_the_patient_in_what_people_wrote_elsewhere() -> None:
    given = ct(
        SequenceName="SE for secretword", ManufacturerModelName="Model 5", PatientName={"Alphabetic": "Bo^SecretWord"}
    )
    given.update(element("PatientID", "A"))
    made = deidentification.deidentify(given, OURS)
    assert made["00180024"]["Value"] == ["REMOVED"]
    assert made["00081090"]["Value"] == ["Model 5"], "a short identifier is no word"


def test_private_unknown_and_drawn_are_removed_at_every_depth() -> None:
    inner = {"00091001": {"vr": "LO", "Value": [SECRET]}, **element("PatientComments", SECRET), **element("KVP", 1)}
    made = deidentification.deidentify(
        {
            **ct(SharedFunctionalGroupsSequence=[inner]),
            "00090010": {"vr": "LO", "Value": [SECRET]},
            "60003000": {"vr": "OW", "BulkDataURI": "x"},
            "60000010": {"vr": "US", "Value": [8]},
            "00089999": {"vr": "UN", "InlineBinary": "QUJD"},
        },
        OURS,
    )
    assert SECRET not in json.dumps(made)
    assert made["52009229"]["Value"] == [element("KVP", 1)]
    assert not {"60003000", "60000010", "00089999"} & set(made)


@pytest.mark.parametrize(
    "dataset",
    [
        element("SOPClassUID", "1.2.840.10008.5.1.4.1.1.88.11"),
        element("SOPClassUID", "1.2.840.10008.5.1.4.1.1.104.1"),
        element("SOPClassUID", "1.2.840.10008.5.1.4.1.1.66"),
        element("SOPClassUID", "1.2.840.10008.5.1.4.1.1.9.4.1"),
        element("SOPClassUID", "1.2.3.4"),
        {},
        {**ct(), **element("GraphicAnnotationSequence", element("KVP", 1))},
        {**ct(), **element("ContentSequence", element("KVP", 1))},
        {**ct(), "00420011": {"vr": "OB", "InlineBinary": "QUJD"}},
    ],
)
def test_what_cannot_be_cleaned_surely_is_refused(dataset: dict[str, Any]) -> None:
    with pytest.raises(errors.Forbidden):
        deidentification.deidentify(dataset, OURS)


def test_segmentations_are_no_raw_data() -> None:
    made = deidentification.deidentify(element("SOPClassUID", "1.2.840.10008.5.1.4.1.1.66.4"), OURS)
    assert made["00120062"]["Value"] == ["YES"]


FREE = sorted(f"{tag:08X}" for tag, entry in DicomDictionary.items() if entry[0] in deidentification._DUMMY)


@given(
    st.dictionaries(st.sampled_from(FREE), st.just(None), min_size=1, max_size=40),
    st.text("ABCXYZ", min_size=5, max_size=10),
)
def test_nothing_that_the_table_protects_keeps_its_value(tags: dict[str, None], text: str) -> None:
    """Every attribute of the table, whatever its kind: the value is gone, and what stands there can be written."""
    protected = {tag for tag in tags if confidentiality.action(tag) is not Action.KEEP}
    given_values = {tag: {"vr": attributes.vr(tag), "Value": [text + "~" + tag]} for tag in tags}
    made = deidentification.deidentify({**given_values, **element("SOPClassUID", CT)}, OURS)
    said = {"00120062", "00120063", "00120064", "00280303"}
    for tag in protected - said:
        assert text not in json.dumps(made.get(tag, {}))
        if tag in made:
            assert encode.write_element(tag, made[tag])


def test_table_is_whole() -> None:
    counts = {code: len(words.split()) for code, words in confidentiality._PROFILE.items()}
    assert counts["X"] == 380, "and curves, overlays (2) and private ones, which are no keywords"
    assert sum(counts.values()) == 617
    assert confidentiality.action("00100010") is Action.EMPTY
    assert confidentiality.action("00081115") is Action.KEEP


@pytest.mark.parametrize(
    ("others", "syntax", "seen"),
    [
        ({}, "1.2.840.10008.1.2.1", Sight.NOTHING),
        ({"BurnedInAnnotation": "YES"}, "1.2.840.10008.1.2.1", Sight.IDENTITY),
        ({"ImageType": ["DERIVED", "SECONDARY", "AXIAL"]}, "1.2.840.10008.1.2.1", Sight.UNKNOWN),
        ({"ImageType": ["DERIVED", "SECONDARY"], "BurnedInAnnotation": "NO"}, "1.2.840.10008.1.2.1", Sight.NOTHING),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LABEL"]}, "1.2.840.10008.1.2.1", Sight.IDENTITY),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.6.1"}, "1.2.840.10008.1.2.1", Sight.UNKNOWN),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, "1.2.840.10008.1.2.1", Sight.UNKNOWN),
        ({"BurnedInAnnotation": "NO"}, "1.2.840.10008.1.2.4.102", Sight.UNKNOWN),
    ],
)
def test_what_pixels_show(others: dict[str, Any], syntax: str, seen: Sight) -> None:
    dataset = {**ct(**others), "7FE00010": {"vr": "OW", "BulkDataURI": "x"}}
    assert visible_identity.look(dataset, syntax) is seen
    del dataset["7FE00010"]
    assert visible_identity.look(dataset, syntax) is Sight.NOTHING


def test_overlays_in_the_pixels_and_faces() -> None:
    assert visible_identity.hides_overlay({"60000102": {"vr": "US", "Value": [12]}})
    assert not visible_identity.hides_overlay({"60000102": {"vr": "US", "Value": [0]}, "60000010": {"vr": "US"}})
    assert visible_identity.shows_face(ct(RecognizableVisualFeatures="YES"))
    assert not visible_identity.shows_face(ct())
