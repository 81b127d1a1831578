"""JSON and XML that others write become the data sets that our own reader makes (PS3.18 F, PS3.19 A.1, T6)."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from dicom_strategies import datasets
from hypothesis import given
from hypothesis import strategies as st

from dicomgate import errors
from dicomgate.dicom import encode, header, jsonmodel, normal, part10, syntaxes, xmlmodel, xmlreader
from dicomgate.dicom.limits import Limits
from dicomgate.dicom.source import BytesSource


def read(tree: Any, limits: Limits = normal.DEFAULT) -> dict[str, Any]:
    (found,) = jsonmodel.parse(json.dumps(tree).encode(), limits)
    return normal.normalise(found, limits).attributes


@given(datasets())
@pytest.mark.slow
def test_what_we_write_as_json_is_read_again_JSON_01(dataset: dict[str, Any]) -> None:
    (found,) = jsonmodel.parse(b"[" + jsonmodel.format_dataset(dataset) + b"]")
    assert normal.normalise(found).attributes == dataset


def _without_numbers_as_text(dataset: dict[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps(dataset))  # type: ignore[no-any-return]


@given(datasets())
def test_what_we_write_as_xml_is_read_again_XML_01(dataset: dict[str, Any]) -> None:
    found = xmlreader.parse(xmlmodel.format_dataset(dataset))
    assert normal.normalise(found).attributes == _without_numbers_as_text(dataset)


def test_tolerance_JSON_14() -> None:
    assert read(
        {
            "0020000d": {"Value": ["1.2"]},
            "00100010": {"vr": "PN", "Value": ["A^B=\u5c71\u7530"]},
            "00200013": {"vr": "IS", "Value": "7"},
            "00180050": {"vr": "DS", "Value": [1, "2.5", None, ""]},
            "00280010": {"vr": "US", "Value": ["512"]},
            "00080005": {"vr": "CS", "Value": []},
            "00081030": {"vr": "LO", "Value": [""]},
            "00400275": {"vr": "SQ", "Value": {"00400009": {"vr": "SH", "Value": ["x"]}}},
            "00081140": {"vr": "SQ", "Value": [None]},
            "00081032": {"vr": "SQ", "Value": []},
            "00080008": {"vr": "CS", "Value": ["ORIGINAL\\PRIMARY"]},
            "00189073": {"vr": "FD", "Value": ["NaN", None, "-inf"]},
            "00280009": {"vr": "AT", "Value": ["00181063"]},
            "00020010": {"vr": "UI", "Value": ["1.2.840.10008.1.2"]},
            "00080000": {"vr": "UL", "Value": [5]},
        }
    ) == {
        "00080005": {"vr": "CS"},
        "00080008": {"vr": "CS", "Value": ["ORIGINAL", "PRIMARY"]},
        "00081030": {"vr": "LO"},
        "00081032": {"vr": "SQ"},
        "00081140": {"vr": "SQ", "Value": [{}]},
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "A^B", "Ideographic": "\u5c71\u7530"}]},
        "00180050": {"vr": "DS", "Value": [1, 2.5, None, None]},
        "00189073": {"vr": "FD", "Value": ["NaN", "NaN", "-Infinity"]},
        "0020000D": {"vr": "UI", "Value": ["1.2"]},
        "00200013": {"vr": "IS", "Value": [7]},
        "00280009": {"vr": "AT", "Value": ["00181063"]},
        "00280010": {"vr": "US", "Value": [512]},
        "00400275": {"vr": "SQ", "Value": [{"00400009": {"vr": "SH", "Value": ["x"]}}]},
    }


@pytest.mark.parametrize("vr", ["US", "AT", "DS", "IS", "PN", "LO", "LT", "SV"])
@pytest.mark.parametrize("given", [[None], [""], [], "", None])
def test_one_empty_value_is_none_JSON_04(vr: str, given: Any) -> None:
    assert read({"00091001": {"vr": vr, "Value": given}}) == {"00091001": {"vr": vr}}


def test_an_array_without_values_does_not_count_beside_bulk_data_JSON_14() -> None:
    element = {"vr": "OB", "Value": [], "BulkDataURI": "x"}
    assert read({"00091001": element}) == {"00091001": {"vr": "OB", "BulkDataURI": "x"}}


@pytest.mark.parametrize(
    ("vr", "given", "expected"),
    [
        ("DS", 1 << 60, "1.15292150461e18"),
        ("DS", 1e300, "1e300"),
        ("DS", "1152921504606846976", "1152921504606846976"),
        ("IS", 1 << 60, "1152921504606846976"),
        ("IS", 2.0, 2),
        ("SV", 1 << 60, "1152921504606846976"),
        ("UV", "18446744073709551615", "18446744073709551615"),
        ("FL", 0.1, 0.10000000149011612),
        ("FL", -1.7976931348623157e308, "-Infinity"),
        ("FD", 0.1, 0.1),
    ],
)
def test_numbers_have_the_form_that_reading_a_file_gives_them_JSON_12_JSON_15(
    vr: str, given: Any, expected: Any
) -> None:
    dataset = read({"00090010": {"vr": "LO", "Value": ["TEST"]}, "00091001": {"vr": vr, "Value": [given]}})
    assert dataset["00091001"] == {"vr": vr, "Value": [expected]}
    content = part10.write_beginning(sop_class="1.2", instance="1.3", transfer_syntax=syntaxes.EXPLICIT_LITTLE)
    content += b"".join(encode.write_dataset(dataset))
    assert header.read(BytesSource(content)).attributes == dataset


@given(datasets())
def test_normal_form_is_what_a_file_gives_back(dataset: dict[str, Any]) -> None:
    content = part10.write_beginning(sop_class="1.2", instance="1.3", transfer_syntax=syntaxes.EXPLICIT_LITTLE)
    found = normal.normalise(dataset).attributes
    content += b"".join(encode.write_dataset(found))
    back = header.read(BytesSource(content)).attributes
    assert {tag: back[tag] for tag in found} == found


def test_what_is_no_part_of_the_model_is_named_B006() -> None:
    found = normal.normalise({"00020010": {"vr": "UI"}, "00080000": {"vr": "UL"}, "00100010": {"vr": "PN"}})
    assert found.discarded == ("00020010", "00080000")


@pytest.mark.parametrize(
    "element",
    [
        5,
        "x",
        {"vr": "XX"},
        {"vr": 5},
        {"vr": "US", "Value": [70000]},
        {"vr": "US", "Value": [1.5]},
        {"vr": "US", "Value": [True]},
        {"vr": "IS", "Value": ["twelve"]},
        {"vr": "DS", "Value": ["1e999"]},
        {"vr": "FL", "Value": [1e300]},
        {"vr": "FD", "Value": ["x"]},
        {"vr": "AT", "Value": ["0018"]},
        {"vr": "LO", "Value": [{}]},
        {"vr": "LO", "Value": ["a\0b"]},
        {"vr": "LT", "Value": ["a", "b"]},
        {"vr": "PN", "Value": [5.5, {}, []]},
        {"vr": "PN", "Value": [{"alphabetic": "A"}]},
        {"vr": "PN", "Value": [{"Alphabetic": "A=B"}]},
        {"vr": "US", "Value": [1, None]},
        {"vr": "SQ", "Value": ["x"]},
        {"vr": "SQ", "BulkDataURI": "http://x"},
        {"vr": "OB", "Value": [1]},
        {"vr": "OB", "InlineBinary": "??"},
        {"vr": "LO", "InlineBinary": "AAAA"},
        {"vr": "OB", "InlineBinary": "AAAA", "BulkDataURI": "x"},
        {"vr": "OB", "BulkDataURI": ""},
        {"vr": "OB", "BulkDataURI": "x" * 5000},
    ],
)
def test_what_cannot_be_understood_is_named_by_its_path_and_not_shown(element: Any) -> None:
    with pytest.raises(errors.Malformed, match="00400275/1/00091001"):
        read({"00400275": {"vr": "SQ", "Value": [{"00091001": element}]}})


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[1]", b"null", b"NaN", b"[" * 10_000, b'{"a":1e999}', b"\xff\xfe", b'"x"']
)
def test_no_json_T6(text: bytes) -> None:
    with pytest.raises(errors.Malformed):
        [normal.normalise(found) for found in jsonmodel.parse(text)]


def test_of_a_key_that_comes_twice_the_last_counts_T6() -> None:
    (found,) = jsonmodel.parse(b'{"00100020":{"vr":"LO","Value":["a"]},"00100020":{"vr":"LO","Value":["b"]}}')
    assert normal.normalise(found).attributes == {"00100020": {"vr": "LO", "Value": ["b"]}}
    with pytest.raises(errors.Malformed, match="came again"):
        read({"0020000d": {"vr": "UI"}, "0020000D": {"vr": "UI"}})


def test_bounds_T6() -> None:
    deep: Any = {}
    for _ in range(100):
        deep = {"00400275": {"vr": "SQ", "Value": [deep]}}
    with pytest.raises(errors.TooLarge, match="nest deeper"):
        read(deep)
    limits = Limits(elements=10, items=10)
    with pytest.raises(errors.TooLarge, match="elements"):
        read({f"0009{number:04X}": {"vr": "LO"} for number in range(0x1001, 0x1010)}, limits)
    with pytest.raises(errors.TooLarge, match="items"):
        read({"00400275": {"vr": "SQ", "Value": [{}] * 11}}, limits)
    with pytest.raises(errors.TooLarge, match="items"):
        read({"00400275": {"vr": "SQ", "Value": [{"00081140": {"vr": "SQ", "Value": [{}] * 6}}] * 2}}, limits)
    enhanced = {"52009230": {"vr": "SQ", "Value": [{"00081140": {"vr": "SQ", "Value": [{}] * 4}}] * 3}}
    beside = {"54000100": {"vr": "SQ", "Value": [{}] * 4}}
    assert read({**enhanced, **beside}, limits)
    with pytest.raises(errors.TooLarge):
        read(enhanced, Limits(enhanced_elements=10))
    with pytest.raises(errors.TooLarge, match="seconds"):
        read({f"0009{number:04X}": {"vr": "LO"} for number in range(0x1001, 0x3000)}, Limits(seconds=-1))
    with pytest.raises(errors.TooLarge, match="objects and arrays"):
        jsonmodel.parse(b"[" + b"[]," * 4_000_000 + b"[]]")
    with pytest.raises(errors.TooLarge, match="data sets"):
        jsonmodel.parse(b"[" + b",".join([b"{}"] * 11) + b"]", limits)


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_no_bytes_make_the_readers_fail_T6(text: bytes) -> None:
    for parse in (jsonmodel.parse, xmlreader.parse):
        try:
            parse(text)  # type: ignore[operator]
        except errors.Fault:
            continue


# XML.

HEAD = '<?xml version="1.0" encoding="UTF-8"?>'


def read_xml(body: str, limits: Limits = normal.DEFAULT) -> dict[str, Any]:
    text = f"{HEAD}<NativeDicomModel>{body}</NativeDicomModel>".encode()
    return normal.normalise(xmlreader.parse(text, limits)).attributes


def test_names_and_items_XML_04() -> None:
    assert read_xml(
        '<DicomAttribute tag="00100010" vr="PN" keyword="PatientName"><PersonName number="1"><Alphabetic>'
        "<FamilyName>Doe</FamilyName><NameSuffix>III</NameSuffix></Alphabetic></PersonName></DicomAttribute>"
        '<DicomAttribute Tag="00400275" VR="SQ"><Item number="1"><DicomAttribute tag="00400009" vr="SH">'
        '<Value number="2">b</Value></DicomAttribute></Item></DicomAttribute>'
        '<DicomAttribute keyword="Rows"><Value>512</Value></DicomAttribute>'
        '<DicomAttribute tag="7FE00010" vr="OW"><BulkData uri="x/1"/></DicomAttribute>'
    ) == {
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Doe^^^^III"}]},
        "00280010": {"vr": "US", "Value": [512]},
        "00400275": {"vr": "SQ", "Value": [{"00400009": {"vr": "SH", "Value": [None, "b"]}}]},
        "7FE00010": {"vr": "OW", "BulkDataURI": "x/1"},
    }


def test_private_creators_get_blocks_without_collision_JSON_11() -> None:
    attribute = '<DicomAttribute tag="00090001" vr="LO" privateCreator="{}"><Value>{}</Value></DicomAttribute>'
    assert read_xml(
        '<DicomAttribute tag="00090010" vr="LO"><Value>A</Value></DicomAttribute>'
        + attribute.format("B", "b")
        + attribute.format("A", "a")
    ) == {
        "00090010": {"vr": "LO", "Value": ["A"]},
        "00090011": {"vr": "LO", "Value": ["B"]},
        "00091001": {"vr": "LO", "Value": ["a"]},
        "00091101": {"vr": "LO", "Value": ["b"]},
    }


BOMB = (
    '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9))
    + "]><NativeDicomModel>&j;</NativeDicomModel>"
)


@pytest.mark.parametrize(
    "text",
    [
        BOMB,
        '<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x"><NativeDicomModel/>',
        '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><NativeDicomModel>&e;</NativeDicomModel>',
        "<NativeDicomModel>&undefined;</NativeDicomModel>",
        "<NativeDicomModel>text</NativeDicomModel>",
        "<Other/>",
        "<NativeDicomModel><Value/></NativeDicomModel>",
        '<NativeDicomModel><DicomAttribute vr="LO"/></NativeDicomModel>',
        '<NativeDicomModel><DicomAttribute tag="00100020" vr="LO"/><DicomAttribute tag="00100020" vr="LO"/></NativeDicomModel>',
        '<NativeDicomModel><DicomAttribute tag="00100020" vr="LO"><Value number="0"/></DicomAttribute></NativeDicomModel>',
        '<NativeDicomModel><DicomAttribute tag="00100020" vr="LO"><Value number="999999"/></DicomAttribute></NativeDicomModel>',
        '<NativeDicomModel><DicomAttribute tag="00100020" vr="LO"><Value number="9999999999"/></DicomAttribute></NativeDicomModel>',
        '<NativeDicomModel><DicomAttribute tag="00100020" privateCreator="x" vr="LO"/></NativeDicomModel>',
        '<?xml version="1.0" encoding="EBCDIC"?><NativeDicomModel/>',
        '<?xml version="1.0" encoding="unicode_escape"?><NativeDicomModel/>',
        '<?xml version="1.0" encoding="cp500"?><NativeDicomModel/>',
        '<?xml version="1.0" encoding="utf-7"?><NativeDicomModel/>',
        '<NativeDicomModel><DicomAttribute tag="00100020" vr="LO"><Value number="1">a</Value><Value number="1">b</Value></DicomAttribute></NativeDicomModel>',
        "<NativeDicomModel>",
        "\0",
        "",
    ],
)
def test_no_native_model_T6(text: str) -> None:
    with pytest.raises(errors.Malformed):
        normal.normalise(xmlreader.parse(text.encode()))


def test_depth_of_xml_is_bounded_T6() -> None:
    body = '<DicomAttribute tag="00400275" vr="SQ"><Item number="1">' * 10_000
    with pytest.raises(errors.TooLarge, match="nest deeper"):
        xmlreader.parse(f"<NativeDicomModel>{body}".encode())
    with pytest.raises(errors.TooLarge, match="elements"):
        xmlreader.parse(
            b"<NativeDicomModel>" + b"".join(b'<DicomAttribute tag="0009%04X"/>' % n for n in range(400)),
            Limits(elements=10, enhanced_elements=10),
        )


def test_utf_16_is_read_too() -> None:
    text = '<?xml version="1.0" encoding="UTF-16"?><NativeDicomModel><DicomAttribute tag="00100020" vr="LO"/></NativeDicomModel>'
    assert normal.normalise(xmlreader.parse(text.encode("utf-16"))).attributes == {"00100020": {"vr": "LO"}}


@pytest.mark.parametrize("vr", ["DS", "IS", "FL", "FD", "US", "SV", "UV"])
@pytest.mark.parametrize("number", [10**400, -(10**400), math.inf, -math.inf])
def test_a_number_beyond_a_double_is_malformed_and_no_bug_T6(vr: str, number: float) -> None:
    with pytest.raises(errors.Malformed):
        normal.normalise({"00101030": {"vr": vr, "Value": [number]}})
