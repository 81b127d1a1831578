"""Native DICOM Model XML: XML-01..05, XML-07, JSON-15, T6, T8."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomgate import errors
from dicomgate.dicom import xmlmodel

NS = f"{{{xmlmodel.NAMESPACE}}}"


def read(dataset: dict[str, Any]) -> ET.Element:
    root = ET.fromstring(xmlmodel.format_dataset(dataset))
    assert root.tag == f"{NS}NativeDicomModel"
    return root


def test_each_kind_of_content_XML03_XML04_XML05() -> None:
    root = read(
        {
            "00080016": {"vr": "UI", "Value": ["1.2.840"]},
            "00080060": {"vr": "CS"},
            "00081199": {"vr": "SQ", "Value": [{"00081155": {"vr": "UI", "Value": ["1"]}}, {}]},
            "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Doe^John^^Dr", "Ideographic": "土井^"}, None]},
            "00280010": {"vr": "US", "Value": [512]},
            "00189073": {"vr": "FD", "Value": [0.1, None, "NaN"]},
            "00281101": {"vr": "OW", "InlineBinary": "AAEC"},
            "7FE00010": {"vr": "OW", "BulkDataURI": "https://h/x?a=1&b"},
        }
    )
    said = {attribute.attrib["tag"]: attribute for attribute in root}
    assert said["00080016"].attrib == {"tag": "00080016", "vr": "UI", "keyword": "SOPClassUID"}
    assert [value.text for value in said["00080016"]] == ["1.2.840"]
    assert len(said["00080060"]) == 0
    items = list(said["00081199"])
    assert [(item.tag, item.attrib["number"], len(item)) for item in items] == [
        (f"{NS}Item", "1", 1),
        (f"{NS}Item", "2", 0),
    ]
    names = list(said["00100010"])
    assert [(part.tag, part.text) for part in names[0][0]] == [
        (f"{NS}FamilyName", "Doe"),
        (f"{NS}GivenName", "John"),
        (f"{NS}NamePrefix", "Dr"),
    ]
    assert names[0][1].tag == f"{NS}Ideographic"
    assert len(names[1]) == 0
    assert [value.text for value in said["00280010"]] == ["512"]
    assert [value.text for value in said["00189073"]] == ["0.1", None, "NaN"]
    assert said["00281101"][0].text == "AAEC"
    assert said["7FE00010"][0].attrib == {"uri": "https://h/x?a=1&b"}


def test_private_attributes_name_their_creator_in_place_of_the_block_XML02() -> None:
    root = read(
        {
            "00080000": {"vr": "UL", "Value": [1]},
            "00290010": {"vr": "LO", "Value": ['ACME "1"']},
            "00291008": {"vr": "CS", "Value": ["X"]},
            "00291108": {"vr": "UN", "InlineBinary": ""},
        }
    )
    assert [attribute.attrib for attribute in root] == [
        {"tag": "00290008", "vr": "CS", "privateCreator": 'ACME "1"'},
        {"tag": "00291108", "vr": "UN"},
    ]


def test_characters_that_xml_cannot_carry_are_replaced_XML07_T8() -> None:
    text = "a\0b\x1bc\ud800d\ufffee\tf\r\ng<&>]]>\U0001f600"
    root = read({"00104000": {"vr": "LT", "Value": [text]}})
    assert root[0][0].text == "a\ufffdb\ufffdc\ufffdd\ufffde\tf\r\ng<&>]]>\U0001f600"


@pytest.mark.slow
def test_depth_is_bounded_T6() -> None:
    def nest(depth: int) -> dict[str, Any]:
        dataset: dict[str, Any] = {}
        for _ in range(depth):
            dataset = {"00081199": {"vr": "SQ", "Value": [dataset]}}
        return dataset

    read(nest(64))
    with pytest.raises(errors.TooLarge):
        xmlmodel.format_dataset(nest(100_000))


TAGS = st.from_regex(r"[0-9A-F]{8}", fullmatch=True).filter(lambda tag: not tag.endswith("0000"))
SCALARS = st.none() | st.text(max_size=12) | st.integers() | st.floats()
GROUPS = st.dictionaries(st.sampled_from(["Alphabetic", "Ideographic", "Phonetic"]), st.text(max_size=12), max_size=3)
PLAIN = st.builds(
    lambda vr, values: {"vr": vr, "Value": values},
    st.sampled_from(["LO", "US", "FD", "UN", "ST"]),
    st.lists(SCALARS, max_size=4),
)
NAMES = st.lists(st.none() | st.text(max_size=9) | GROUPS, max_size=3).map(lambda values: {"vr": "PN", "Value": values})
OTHERS = st.text(max_size=9).map(lambda text: {"vr": "OB", "InlineBinary": text}) | st.text(max_size=9).map(
    lambda uri: {"vr": "OB", "BulkDataURI": uri}
)
DATASETS = st.recursive(
    st.dictionaries(TAGS, PLAIN | NAMES | OTHERS, max_size=4),
    lambda inner: st.dictionaries(
        TAGS, st.lists(inner | st.none(), max_size=3).map(lambda items: {"vr": "SQ", "Value": items}), max_size=3
    ),
    max_leaves=8,
)


@given(DATASETS)
@pytest.mark.slow
def test_any_data_set_is_well_formed_T8(dataset: dict[str, Any]) -> None:
    read(dataset)


@given(
    st.lists(
        st.text(st.characters(blacklist_categories=("Cc", "Cs"), blacklist_characters="\ufffe\uffff")),
        min_size=1,
        max_size=5,
    )
)
def test_text_survives_exactly_XML03(values: list[str]) -> None:
    root = read({"00081030": {"vr": "LO", "Value": values}})
    assert [value.text or "" for value in root[0]] == values
    assert [value.attrib["number"] for value in root[0]] == [str(n) for n in range(1, len(values) + 1)]
