"""Attributes by name: GEN-05, QIDO-03, QIDO-12 to -15."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.datadict import DicomDictionary, keyword_dict

from dicomgate.dicom import attributes
from dicomgate.dicom.uids import Level

KEYWORDS = sorted(keyword for keyword in keyword_dict if keyword)


@given(st.sampled_from(KEYWORDS))
def test_keyword_and_tag_agree_with_the_dictionary(keyword):
    entry = DicomDictionary[keyword_dict[keyword]]
    tag = attributes.find_tag(keyword)
    if entry[0] == "NONE":
        assert tag is None
    else:
        assert attributes.find_keyword(tag) == keyword
        assert attributes.find_tag(tag.lower()) == tag
        assert attributes.vr(tag) == entry[0][:2]


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("PatientName", ("00100010",)),
        ("0020000d", ("0020000D",)),
        ("00101002.PatientID", ("00101002", "00100020")),
        ("RequestAttributesSequence.00400009", ("00400275", "00400009")),
        ("00091001", ("00091001",)),
        ("00091001.PatientID", ("00091001", "00100020")),
        ("60003000", ("60003000",)),
        ("patientname", None),
        ("NoSuchKeyword", None),
        ("00081234", None),
        ("PatientName.PatientID", None),
        ("PatientName.", None),
        ("", None),
        ("FFFEE000", None),
        ("Item", None),
        ("0010 0010", None),
        (".".join(["00101002"] * 65), None),
        ("00101002." * 1_000_000, None),
    ],
)
def test_paths_mix_tags_and_keywords_GEN_05(text, path):
    assert attributes.parse_path(text) == path


@given(st.lists(st.sampled_from(["00101002", "00400275", "00091010"]), max_size=5), st.sampled_from(KEYWORDS))
def test_format_and_parse_are_inverse(sequences, keyword):
    last = attributes.find_tag(keyword)
    if last is not None:
        path = (*sequences, last)
        assert attributes.parse_path(attributes.format_path(path)) == path


@pytest.mark.parametrize(
    ("tag", "vr"),
    [
        ("60023000", "OB"),
        ("00280106", "US"),
        ("00290010", "LO"),
        ("00291010", "UN"),
        ("00081234", "UN"),
        ("0020310A", "CS"),
    ],
)
def test_vr_of_repeating_private_and_unknown(tag, vr):
    assert attributes.vr(tag) == vr


@pytest.mark.parametrize(
    ("keyword", "level"),
    [
        ("PatientName", Level.STUDY),
        ("PatientAge", Level.STUDY),
        ("ClinicalTrialSubjectID", Level.STUDY),
        ("StudyDescription", Level.STUDY),
        ("Modality", Level.SERIES),
        ("Manufacturer", Level.SERIES),
        ("FrameOfReferenceUID", Level.SERIES),
        ("RequestAttributesSequence", Level.SERIES),
        ("SOPInstanceUID", Level.INSTANCE),
        ("Rows", Level.INSTANCE),
        ("PixelPaddingValue", Level.INSTANCE),
    ],
)
def test_level_of_an_attribute(keyword, level):
    assert attributes.level(attributes.find_tag(keyword)) == level


def test_what_is_matched_is_returned_QIDO_15():
    for level, keys in attributes.MATCHING_KEYS.items():
        assert {path[0] for path in keys} <= set(attributes.RETURNED[level])
        assert list(attributes.RETURNED[level]) == sorted(attributes.RETURNED[level])
        assert all(attributes.level(path[0]) == level for path in keys)
