"""Matches whose text is ready leave as those that are written for the answer (PS3.18 §10.6.3.3, Annex F)."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomgate.dicom import prepared
from dicomgate.dicom.prepared import Prepared
from dicomgate.dicom.uids import Target
from dicomgate.dicomweb import matches, offers, resources
from dicomgate.index import answers

TEXTS = st.text(max_size=12) | st.sampled_from([":null", '"00081190":null', '\\":null', '"":null,', "山田"])
TAGS = st.sampled_from(["00080005", "00080050", "00081030", "00081195", "00100010", "00200010", "7FE00001"])
DATASETS = st.dictionaries(TAGS, TEXTS.map(lambda text: {"vr": "LO", "Value": [text]}), max_size=6)
ROOT = 'http://host:1/a"b'
STUDY, SERIES = Target("1.2"), Target("1.2", "1.2.3")


def sent(page, target, offer=offers.SEARCH[0]):
    fixed = None if target.series is None else STUDY
    resource = resources.Resource(kind=resources.Kind.SEARCH, level=target.level, target=fixed)
    return b"".join(matches.write(page, resource, ROOT, offer)[1])


def uid_of(target):
    tag, uid = ("0020000D", target.study) if target.series is None else ("0020000E", target.series)
    return {tag: {"vr": "UI", "Value": [uid]}}


def in_order(dataset):
    return {tag: dataset[tag] for tag in sorted(dataset)}


@given(st.lists(DATASETS, min_size=1, max_size=3), st.sampled_from([STUDY, SERIES]))
def test_text_and_data_sets_are_the_same_answer_JSON_02(datasets, target):
    named = [in_order(one | uid_of(target)) for one in datasets]
    uids = (target.study,) if target.series is None else (target.study, target.series)
    page = Prepared([prepared.halves(one) for one in named], [uids] * len(named))
    assert sent(page, target) == sent(named, target)
    assert list(page) == named
    assert page == named
    assert page[:2] == named[:2]
    found = orjson.loads(sent(page, target))
    assert all(list(one) == sorted(one) for one in found)
    assert all(one["00081190"]["Value"] == [resources.link(ROOT, target)] for one in found)


@given(DATASETS, st.sampled_from(["[]", '["CT"]', '["CT","MR"]']), st.integers(0, 1 << 40))
def test_a_row_is_the_same_answer_as_text_and_as_data_set(held, modalities, count):
    for target, counts in ((STUDY, (modalities, 2, count)), (SERIES, (count,))):
        answer = answers.level_texts(target, in_order(held)).answer
        make, text = (
            (answers.study, answers.study_text) if target.series is None else (answers.series, answers.series_text)
        )
        expected = make(answer, *counts)
        page = Prepared([text(answer, *counts)], [("1.2",)])
        assert page[0] == expected
        assert list(page[0]) == sorted(page[0])
        assert list(orjson.loads(next(page.linked(lambda _: "x")))) == sorted([*expected, "00081190"])


@pytest.mark.parametrize("target", [STUDY, SERIES])
def test_a_row_without_room_for_the_address_is_given_it(target):
    """As an earlier version wrote it."""
    held = {"00080050": {"vr": "SH", "Value": [":null"]}}
    answer = answers.level_texts(target, held).answer.replace(',"00081190":null', "")
    assert "00081190" not in answer
    counts = ('["CT"]', 1, 2) if target.series is None else (2,)
    text = (answers.study_text if target.series is None else answers.series_text)(answer, *counts)
    (sent_text,) = Prepared([text], [("1.2",)]).linked(lambda _: "x")
    found = orjson.loads(sent_text)
    assert list(found) == sorted(found)
    assert found.pop("00081190") == {"vr": "UR", "Value": ["x"]}
    assert found == (answers.study if target.series is None else answers.series)(answer, *counts)


def test_as_xml_they_are_read():
    named = in_order({"00100010": {"vr": "PN", "Value": [{"Alphabetic": "A^B"}]}} | uid_of(STUDY))
    page = Prepared([prepared.halves(named)], [("1.2",)])
    body = sent(page, STUDY, offers.SEARCH[1])
    assert b"A" in body
    assert b"RetrieveURL" in body
