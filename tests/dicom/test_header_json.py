"""Headers as DICOM JSON: JSON-02 to JSON-13, JSON-15, RET-05, RET-06, and what other codecs do wrong (TOOL-04)."""

import base64
import json
import struct

import dicom_encoder as encoder
import pytest
from dicom_encoder import BIG, DEFLATED, EXPLICIT, IMPLICIT
from hypothesis import given
from hypothesis import strategies as st

from dicomgate.dicom import header, jsonmodel, values
from dicomgate.dicom.source import BytesSource

ALL = [EXPLICIT, IMPLICIT, BIG, DEFLATED]


def read(content, **limits):
    return header.read(BytesSource(content), header.Limits(**limits))


def attributes(elements, syntax=EXPLICIT, **options):
    found = read(encoder.file(elements, syntax, **options)).attributes
    assert json.loads(jsonmodel.format_dataset(found), parse_constant=pytest.fail) == found
    return found


def one(tag, vr, value, syntax=EXPLICIT):
    return attributes([(tag, vr, value)], syntax)[tag]


# JSON-02, RET-05


def test_keys_are_upper_case_and_ascend_whatever_the_order_of_the_file_JSON_02():
    content = encoder.dataset(
        [*encoder.IDENTITY, ("00100020", "LO", "B"), ("0009101A", "LO", "X"), ("00090010", "LO", "P")]
    )
    found = read(encoder.wrap(content)).attributes
    assert list(found) == sorted(found)
    assert "0009101A" in found


def test_group_lengths_and_padding_are_left_out_JSON_02():
    elements = [("00080000", "UL", 4), ("00100000", "UL", 4), ("FFFCFFFC", "OB", b"\0\0")]
    assert set(attributes(elements)) == {tag for tag, _, _ in encoder.IDENTITY}


def test_group_lengths_in_items_are_left_out_JSON_02():
    found = attributes([("00081140", "SQ", [[("00080000", "UL", 4), ("00081150", "UI", "1.2")]])])
    assert found["00081140"]["Value"] == [{"00081150": {"vr": "UI", "Value": ["1.2"]}}]


def test_file_meta_information_is_no_part_RET_05():
    found = read(encoder.wrap(encoder.dataset([("00020010", "UI", "1.2"), *encoder.IDENTITY])))
    assert not any(tag.startswith("0002") for tag in found.attributes)
    assert found.meta["00020010"] == {"vr": "UI", "Value": [EXPLICIT]}
    assert "00020000" not in found.meta


def test_the_first_of_two_elements_with_one_tag_counts():
    content = encoder.dataset([*encoder.IDENTITY, ("00100020", "LO", "FIRST "), ("00100020", "LO", "SECOND")])
    assert read(encoder.wrap(content)).attributes["00100020"]["Value"] == ["FIRST"]


def test_the_first_of_two_sequences_with_one_tag_counts():
    inner = [("00400275", "SQ", [[("00400009", "SH", "A")]]), ("00400275", "SQ", [[("00400009", "SH", "B")], []])]
    found = read(encoder.wrap(encoder.dataset([*encoder.IDENTITY, *inner]))).attributes
    assert found["00400275"]["Value"] == [{"00400009": {"vr": "SH", "Value": ["A"]}}]


# JSON-03, JSON-04


@pytest.mark.parametrize("syntax", ALL)
@pytest.mark.parametrize("undefined", [False, True])
def test_empty_things_JSON_04(syntax, undefined):
    elements = [
        ("00100020", "LO", ""),
        ("00081110", "SQ", []),
        ("00081115", "SQ", [[]]),
        ("00081199", "SQ", [[], [("00081150", "UI", "1.2")], []]),
    ]
    found = attributes(elements, syntax, undefined=undefined)
    assert found["00100020"] == {"vr": "LO"}
    assert found["00081110"] == {"vr": "SQ"}
    assert found["00081115"] == {"vr": "SQ", "Value": [{}]}
    assert found["00081199"]["Value"] == [{}, {"00081150": {"vr": "UI", "Value": ["1.2"]}}, {}]


@pytest.mark.parametrize(
    ("tag", "vr", "value", "expected"),
    [
        ("00080008", "CS", "A\\\\C", ["A", None, "C"]),
        ("00080008", "CS", "\\", [None, None]),
        ("00081070", "PN", "A^B\\\\C^D", [{"Alphabetic": "A^B"}, None, {"Alphabetic": "C^D"}]),
        ("00181319", "DS", "1\\\\2.5", [1, None, 2.5]),
        ("00201206", "IS", "\\7", [None, 7]),
    ],
)
def test_an_empty_value_among_several_is_null_JSON_04(tag, vr, value, expected):
    assert one(tag, vr, value)["Value"] == expected


@pytest.mark.parametrize(
    ("vr", "value"),
    [("LO", "  "), ("CS", " "), ("PN", "  "), ("PN", "=="), ("DS", "  "), ("IS", " "), ("UI", "\0"), ("LT", "  ")],
)
def test_nothing_but_padding_is_empty_JSON_04(vr, value):
    assert one("00091001", vr, value) == {"vr": vr}


# JSON-05, JSON-15, JSON-12


@pytest.mark.parametrize("syntax", ALL)
@pytest.mark.parametrize(
    ("tag", "vr", "value", "expected"),
    [
        ("00280010", "US", 512, [512]),
        ("00281101", "US", (256, 0, 16), [256, 0, 16]),
        ("00189219", "SS", -5, [-5]),
        ("00186020", "SL", (-1, 1), [-1, 1]),
        ("00720052", "AT", ["00100010", "0020000D"], ["00100010", "0020000D"]),
        ("00089459", "FL", 0.5, [0.5]),
        ("00186028", "FD", (1.5, -2.25), [1.5, -2.25]),
        ("00186018", "UL", 4_000_000_000, [4_000_000_000]),
        ("00720082", "SV", -(1 << 53), [-(1 << 53)]),
        ("00720082", "SV", -(1 << 53) - 1, [str(-(1 << 53) - 1)]),
        ("00720083", "UV", (1, (1 << 64) - 1), [1, str((1 << 64) - 1)]),
        ("00080060", "CS", " CT ", ["CT"]),
        ("00080020", "DA", "20200101", ["20200101"]),
        ("00080016", "UI", "1.2.3", ["1.2.3"]),
        ("00081190", "UR", "http://x/?a\\b ", ["http://x/?a\\b"]),
        ("00102160", "SH", " a b ", ["a b"]),
        ("00104000", "LT", " a\\b\r\nc  ", [" a\\b\r\nc"]),
    ],
)
def test_values_by_representation_JSON_05(tag, vr, value, expected, syntax):
    assert one(tag, vr, value, syntax) == {"vr": vr, "Value": expected}


@pytest.mark.parametrize(("vr", "letter"), [("FL", "f"), ("FD", "d")])
@pytest.mark.parametrize("order", [EXPLICIT, BIG])
def test_what_is_no_number_goes_by_its_name_JSON_12(vr, letter, order):
    numbers = [float("nan"), float("inf"), float("-inf"), 1.0]
    assert one("00091001", vr, numbers, order)["Value"] == ["NaN", "Infinity", "-Infinity", 1.0]
    assert one("00091001", vr, float("nan"), order)["Value"] == ["NaN"]


@pytest.mark.parametrize(
    ("vr", "text", "expected"),
    [
        ("IS", "12", 12),
        ("IS", " -7 ", -7),
        ("IS", "+007", 7),
        ("IS", "1.5", 1.5),
        ("IS", "12a", "12a"),
        ("IS", "1_000", "1_000"),
        ("IS", "9007199254740993", "9007199254740993"),
        ("IS", "1" * 60, "1" * 60),
        ("DS", "1.50", 1.5),
        ("DS", "-1e-3", -0.001),
        ("DS", "5", 5.0),
        ("DS", "1_0.5", "1_0.5"),
        ("DS", "nan", "nan"),
        ("DS", "inf", "inf"),
        ("DS", "-Infinity", "-Infinity"),
        ("DS", "1e400", "1e400"),
        ("DS", "9999999999999999", "9999999999999999"),
        ("DS", "0.12345678901234567890", 0.12345678901234568),
        ("DS", "1,5", "1,5"),
        ("DS", "0x10", "0x10"),
        ("DS", "1.5\0", 1.5),
    ],
)
def test_one_bad_number_does_not_fail_the_data_set(vr, text, expected):
    found = one("00091001", vr, text)["Value"]
    assert found == [expected]
    assert one("00091001", vr, f"{text}\\3")["Value"] == [expected, 3]


@given(st.integers(min_value=-(1 << 70), max_value=1 << 70))
def test_integers_keep_their_value_or_their_text_JSON_15(number):
    found = values.parse_integer(f" {number}")
    assert found == (number if abs(number) <= 1 << 53 else str(number))


@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_decimals_keep_their_value(number):
    text = f"{number:.8g}"
    assert values.parse_decimal(text) == (float(text) if abs(float(text)) <= 1 << 53 else text)


@given(
    st.binary(max_size=40), st.sampled_from(["DS", "IS", "PN", "LO", "UI", "AT", "FD", "UV", "OW", "LT", "AS", "US"])
)
def test_any_bytes_make_legal_json_T8(raw, vr):
    if raw:
        element = values.decoders(is_lenient=True)[vr](raw)
        text = jsonmodel.format_dataset({"00091001": element})
        assert json.loads(text, parse_constant=pytest.fail) == {"00091001": element}


@pytest.mark.parametrize("vr", ["US", "SS", "UL", "SL", "FL", "FD", "AT", "SV", "UV"])
def test_a_number_of_the_wrong_size_is_shown_as_bytes(vr):
    assert one("00091001", vr, b"\1\2\3") == {"vr": "UN", "InlineBinary": base64.b64encode(b"\1\2\3").decode()}


def test_control_characters_and_quotes_are_legal_json_T8():
    assert one("00100020", "LO", b'a"\x01\x7f\0b\\"')["Value"] == ['a"\x01\x7f\0b', '"']


# JSON-06


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Doe^John ", {"Alphabetic": "Doe^John"}),
        ("A=B=C", {"Alphabetic": "A", "Ideographic": "B", "Phonetic": "C"}),
        ("A==C", {"Alphabetic": "A", "Phonetic": "C"}),
        ("=B", {"Ideographic": "B"}),
        ("A=", {"Alphabetic": "A"}),
        ("A^^^^", {"Alphabetic": "A^^^^"}),
    ],
)
def test_person_names_hold_only_the_groups_that_are_there_JSON_06(text, expected):
    assert one("00100010", "PN", text) == {"vr": "PN", "Value": [expected]}


# JSON-07


@pytest.mark.parametrize("syntax", ALL)
@pytest.mark.parametrize(
    ("vr", "tag"), [("OW", "00281201"), ("OB", "00420011"), ("OF", "00640009"), ("OD", "00701A07"), ("OL", "00091001")]
)
def test_inline_binary_is_little_endian_JSON_07(vr, tag, syntax):
    if syntax == IMPLICIT and vr == "OL":
        return  # a private element has no VR there
    raw = bytes(range(16))
    assert one(tag, vr, raw, syntax) == {"vr": vr, "InlineBinary": base64.b64encode(raw).decode()}


# JSON-08, JSON-13, RET-06


@pytest.mark.parametrize(
    "vr",
    sorted(
        [
            "DS",
            "FL",
            "FD",
            "IS",
            "LT",
            "OB",
            "OD",
            "OF",
            "OL",
            "OV",
            "OW",
            "SL",
            "SS",
            "ST",
            "SV",
            "UC",
            "UL",
            "UN",
            "US",
            "UT",
            "UV",
        ]
    ),
)
def test_long_values_of_these_are_bulk_JSON_08(vr):
    raw = b"1\\" * 40
    found = read(encoder.file([("00091001", vr, raw)]), inline=64)
    uri = f"/studies/{encoder.STUDY}/series/{encoder.SERIES}/instances/{encoder.INSTANCE}/bulkdata/00091001"
    assert found.attributes["00091001"] == {"vr": vr, "BulkDataURI": uri}
    place = found.bulk["00091001"]
    assert (place.vr, place.length) == (vr, 80)


@pytest.mark.parametrize("vr", sorted(["AE", "AS", "CS", "DA", "DT", "LO", "PN", "SH", "TM", "UI", "UR", "AT"]))
def test_long_values_of_these_stay_RET_06(vr):
    found = read(encoder.file([("00091001", vr, b"1\\23" * 20)]), inline=64)
    assert "Value" in found.attributes["00091001"]
    assert not found.bulk


def test_a_value_at_the_limit_stays_inline():
    found = read(encoder.file([("00091001", "OB", bytes(64)), ("00091003", "OB", bytes(66))]), inline=64)
    assert "InlineBinary" in found.attributes["00091001"]
    assert list(found.bulk) == ["00091003"]


@pytest.mark.parametrize("syntax", ALL)
def test_bulk_places_hold_the_bytes_and_nested_ones_have_a_path(syntax):
    deep = ("00281201", "OW", bytes(range(200)))
    elements = [("00480200", "SQ", [[], [("00480105", "SQ", [[deep]])], [deep]]), ("00282000", "OB", b"icc!" * 300)]
    found = read(encoder.file(elements, syntax))
    found_small = read(encoder.file(elements, syntax), inline=100)
    assert list(found.bulk) == ["00282000"]
    paths = ["00282000", "00480200/2/00480105/1/00281201", "00480200/3/00281201"]
    assert list(found_small.bulk) == paths
    nested = found_small.attributes["00480200"]["Value"][1]["00480105"]["Value"][0]["00281201"]
    assert nested["BulkDataURI"].endswith("/bulkdata/00480200/2/00480105/1/00281201")
    content = (
        encoder.dataset(sorted(elements + encoder.IDENTITY), syntax)
        if syntax == DEFLATED
        else encoder.file(elements, syntax)
    )
    for path in paths:
        place = found_small.bulk[path]
        raw = content[place.offset : place.offset + place.length]
        expected = b"icc!" * 300 if path == "00282000" else bytes(range(200))
        assert values.swap(raw, place.word) == expected


@pytest.mark.parametrize("raw", [b"\1\2", bytes(4000)])
@pytest.mark.parametrize("tag", ["7FE00010", "7FE00008", "7FE00009"])
def test_pixel_data_is_always_bulk_JSON_13(tag, raw):
    vr = {"7FE00010": "OW", "7FE00008": "OF", "7FE00009": "OD"}[tag]
    found = read(encoder.file([(tag, vr, raw)]))
    assert set(found.attributes[tag]) == {"vr", "BulkDataURI"}
    assert found.bulk[tag].length == len(raw)


def test_compressed_pixel_data_is_bulk_however_short_JSON_13():
    raw = encoder.encapsulated([b"\xff\xd8"])
    content = encoder.dataset(encoder.IDENTITY) + encoder.head("7FE00010", "OB", encoder.UNDEFINED) + raw
    found = read(encoder.wrap(content, "1.2.840.10008.1.2.4.50"))
    assert set(found.attributes["7FE00010"]) == {"vr", "BulkDataURI"}
    place = found.bulk["7FE00010"]
    assert place.length == len(raw) - 8
    assert found.frames.find(1) == (range(place.offset + 16, place.offset + 18),)


def test_empty_pixel_data_is_empty():
    found = read(encoder.file([("7FE00010", "OW", b"")]))
    assert found.attributes["7FE00010"] == {"vr": "OW"}
    assert found.frames is None


def test_a_compressed_icon_has_its_fragments():
    raw = encoder.encapsulated([b"\xff\xd8ab", b"cd"])
    icon = encoder.head("7FE00010", "OB", encoder.UNDEFINED) + raw
    content = encoder.dataset(encoder.IDENTITY) + encoder.head("00880200", "SQ", len(icon) + 8) + encoder.item(icon)
    whole = encoder.wrap(content, "1.2.840.10008.1.2.4.50")
    found = read(whole)
    place = found.bulk["00880200/1/7FE00010"]
    assert b"".join(whole[piece.start : piece.stop] for piece in place.pieces) == b"\xff\xd8abcd"
    assert found.frames is None


def test_without_uids_links_stay_relative_and_there_is_no_target():
    found = read(encoder.file([("7FE00010", "OW", b"\0\0"), ("00080016", "UI", "1.2")], identity=False))
    assert found.target is None
    assert found.attributes["7FE00010"]["BulkDataURI"] == "bulkdata/7FE00010"


@pytest.mark.parametrize("uid", ["1.2/../../etc", "1..2", "1.2.", "a", "1" * 65, "1.2\\1.3"])
def test_a_malformed_uid_is_no_target_T9(uid):
    assert read(encoder.file([("0020000D", "UI", uid)])).target is None
    assert read(encoder.file([("00080016", "UI", uid)])).sop_class is None


# JSON-11


@pytest.mark.parametrize("syntax", ALL)
def test_private_elements_come_with_their_creator_JSON_11(syntax):
    found = attributes([("00090010", "LO", "ACME 1.0"), ("00091001", "UN", b"abc1")], syntax)
    assert found["00090010"] == {"vr": "LO", "Value": ["ACME 1.0"]}
    assert found["00091001"] == {"vr": "UN", "InlineBinary": "YWJjMQ=="}


# VR of what does not say it, or says UN


def test_ambiguous_elements_follow_the_pixels():
    signed = [("00280103", "US", 1), ("00280106", "SS", -3), ("00281101", "SS", (1, -2, 16))]
    found = attributes(signed, IMPLICIT)
    assert found["00280106"] == {"vr": "SS", "Value": [-3]}
    assert found["00281101"]["Value"] == [1, -2, 16]
    assert attributes([("00280103", "US", 0), ("00280106", "US", 65533)], IMPLICIT)["00280106"]["vr"] == "US"
    assert attributes([("00280106", "US", 65533)], IMPLICIT)["00280106"] == {"vr": "US", "Value": [65533]}


def test_ambiguous_elements_in_items_follow_the_nearest_pixels():
    inner = [("00283000", "SQ", [[("00283002", "SS", (1, -2, 16)), ("00283006", "OW", bytes(6))]])]
    found = attributes([("00280103", "US", 1), *inner], IMPLICIT)["00283000"]["Value"][0]
    assert found["00283002"] == {"vr": "SS", "Value": [1, -2, 16]}
    assert found["00283006"]["vr"] == "OW"
    own = [("00280103", "US", 0), ("00280120", "US", 65535)]
    found = attributes([("00280103", "US", 1), ("00880200", "SQ", [own])], IMPLICIT)
    assert found["00880200"]["Value"][0]["00280120"]["Value"] == [65535]


def test_a_public_element_as_un_has_its_own_vr():
    found = attributes(
        [("00080060", "UN", b"CT"), ("00280010", "UN", struct.pack("<H", 5)), ("00280120", "UN", b"\1\0")]
    )
    assert found["00080060"] == {"vr": "CS", "Value": ["CT"]}
    assert found["00280010"] == {"vr": "US", "Value": [5]}
    assert found["00280120"] == {"vr": "US", "Value": [1]}


def test_un_in_a_big_endian_file_is_little_endian():
    assert attributes([("00280010", "UN", struct.pack("<H", 5))], BIG)["00280010"] == {"vr": "US", "Value": [5]}


def test_a_sequence_as_un_is_read_as_implicit():
    inner = [("00400009", "SH", "A"), ("00400008", "SQ", [[("00080100", "SH", "B")]])]
    inside = encoder.item(encoder.dataset(sorted(inner), IMPLICIT))
    for tag in ("00400275", "00091010"):
        head = encoder.head(tag, "UN", encoder.UNDEFINED)
        end = encoder.tag_bytes("FFFEE0DD") + bytes(4)
        content = encoder.dataset(encoder.IDENTITY) + head + inside + end + encoder.element("00400280", "ST", "after")
        found = read(encoder.wrap(content)).attributes
        assert found[tag]["Value"][0]["00400009"]["Value"] == ["A"]
        assert found[tag]["Value"][0]["00400008"]["Value"][0]["00080100"]["Value"] == ["B"]
        assert found["00400280"]["Value"] == ["after"]
    content = encoder.dataset([*encoder.IDENTITY, ("00400275", "UN", inside)])
    assert read(encoder.wrap(content)).attributes["00400275"]["vr"] == "SQ"


def test_what_only_looks_like_a_sequence_in_un_stays_bytes():
    raw = encoder.tag_bytes("FFFEE000") + b"\xf0\xf0\0\0" + b"no sequence."
    found = attributes([("00400275", "UN", raw), ("00400280", "ST", "after ")])
    assert found["00400275"] == {"vr": "UN", "InlineBinary": base64.b64encode(raw).decode()}
    assert found["00400280"]["Value"] == ["after"]


def test_unknown_public_elements_stay_un():
    assert attributes([("00081FFF", "UN", b"ab")], IMPLICIT)["00081FFF"]["vr"] == "UN"
    assert attributes([("00081FFF", "LO", "ab")])["00081FFF"] == {"vr": "LO", "Value": ["ab"]}


def test_depth_of_64_is_legal_json_too():
    value = [("00080060", "CS", "CT")]
    for _ in range(64):
        value = [("00081140", "SQ", [value])]
    found = attributes(value)
    for _ in range(64):
        found = found["00081140"]["Value"][0]
    assert found["00080060"]["Value"] == ["CT"]
