"""One data set in every encoding and every disguise reads the same (T2, GEN-09, STOW-20)."""

import struct

import dicom_encoder as encoder
import pytest
from dicom_encoder import BIG, DEFLATED, EXPLICIT, IMPLICIT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dicomgate import errors
from dicomgate.dicom import header
from dicomgate.dicom.source import BytesSource

# Attributes that PS3.6 knows, so that the implicit encoding says the same as the others.
TEXTS = [
    ("00100010", "PN"),
    ("00100020", "LO"),
    ("00102160", "SH"),
    ("00104000", "LT"),
    ("00080060", "CS"),
    ("00081190", "UR"),
]
NUMBERS = [
    ("00280010", "US"),
    ("00186018", "UL"),
    ("00186020", "SL"),
    ("00189219", "SS"),
    ("00720083", "UV"),
    ("00720082", "SV"),
]
FLOATS = [("00089459", "FL"), ("00186028", "FD")]
RAW = [
    ("00420011", "OB"),
    ("00281201", "OW"),
    ("00660016", "OF"),
    ("00701A07", "OD"),
    ("00660040", "OL"),
    ("7FE00001", "OV"),
]
RANGES = {
    "US": (0, 65535),
    "SS": (-32768, 32767),
    "UL": (0, (1 << 32) - 1),
    "SL": (-(1 << 31), (1 << 31) - 1),
    "UV": (0, (1 << 64) - 1),
    "SV": (-(1 << 63), (1 << 63) - 1),
}

text = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)
leaf = st.one_of(
    st.tuples(st.sampled_from(TEXTS), text),
    st.sampled_from(NUMBERS).flatmap(
        lambda one: st.tuples(st.just(one), st.lists(st.integers(*RANGES[one[1]]), min_size=1, max_size=4))
    ),
    st.tuples(st.sampled_from(FLOATS), st.lists(st.floats(width=32), min_size=1, max_size=4)),
    st.tuples(st.sampled_from(RAW), st.binary(max_size=10).map(lambda raw: raw * 8)),
).map(lambda pair: (*pair[0], pair[1]))


def unique(elements):
    return sorted({one[0]: one for one in elements}.values(), key=lambda one: one[0])


def sequences(children):
    return st.tuples(
        st.sampled_from(["00081140", "00400275", "52009230", "00091010"]).map(
            lambda tag: tag if tag[3] != "9" else "00409096"
        ),
        st.just("SQ"),
        st.lists(st.lists(children, max_size=4).map(unique), max_size=3),
    )


datasets = st.lists(st.recursive(leaf, sequences, max_leaves=12), max_size=8).map(unique)


def read(content, *, window=None, **limits):
    options = {} if window is None else {"window": window}
    return header.read(BytesSource(content), header.Limits(**limits), **options)


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=60, deadline=None)
@given(datasets, st.booleans())
def test_the_same_in_all_four_encodings(elements, undefined):
    found = [
        read(encoder.file(elements, syntax, undefined=undefined)) for syntax in (EXPLICIT, IMPLICIT, BIG, DEFLATED)
    ]
    for other in found[1:]:
        assert other.attributes == found[0].attributes
    assert read(encoder.file(elements, undefined=not undefined)).attributes == found[0].attributes


@settings(max_examples=60, deadline=None)
@given(datasets, st.integers(min_value=1, max_value=200), st.sampled_from([EXPLICIT, IMPLICIT, BIG, DEFLATED]))
@pytest.mark.slow
def test_the_size_of_the_window_changes_nothing(elements, window, syntax):
    content = encoder.file(elements, syntax, undefined=True)
    assert read(content, window=window, inline=16) == read(content, inline=16)


def test_windows_over_large_values_and_many_items():
    items = [[("00081150", "UI", f"1.2.{number}"), ("00420011", "OB", bytes(3000))] for number in range(40)]
    for syntax in (EXPLICIT, IMPLICIT, BIG, DEFLATED):
        content = encoder.file([("00081140", "SQ", items), ("00104000", "LT", "x" * 1000)], syntax)
        found = read(content)
        assert read(content, window=2200) == found
        assert len(found.bulk) == 40


# Beginnings (T2)

ELEMENTS = [("00080060", "CS", "CT"), ("00100020", "LO", "A")]
EXPECTED = read(encoder.file(ELEMENTS)).attributes


@pytest.mark.parametrize("length", [0, 1, 5000, 0xFFFFFFFF])
def test_group_length_of_file_meta_information_may_be_wrong(length):
    content = encoder.file(ELEMENTS)
    assert read(content[:140] + struct.pack("<I", length) + content[144:]).attributes == EXPECTED


def test_group_length_of_file_meta_information_may_be_missing():
    content = encoder.file(ELEMENTS)
    found = read(content[:132] + content[144:])
    assert (found.attributes, found.transfer_syntax) == (EXPECTED, EXPLICIT)


def test_no_preamble():
    content = encoder.file(ELEMENTS)
    assert read(content[128:]).attributes == EXPECTED
    assert read(content[132:]).attributes == EXPECTED


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG])
def test_no_file_meta_information_at_all(syntax):
    content = encoder.dataset(sorted(ELEMENTS + encoder.IDENTITY), syntax)
    found = read(content)
    assert (found.attributes, found.transfer_syntax, found.meta) == (EXPECTED, syntax, {})
    assert found.dataset_offset == 0


def test_the_letters_dicm_in_a_value_are_no_beginning():
    elements = sorted([("00080005", "CS", "ISO_IR 100"), ("00080008", "CS", "A" * 96 + "DICM"), *encoder.IDENTITY])
    content = encoder.dataset(elements)
    at = content.index(b"DICM")
    shifted = encoder.dataset([("00080000", "UL", 4)]) + content
    shift = 128 - at - 12
    assert shift < 0
    elements[1] = ("00080008", "CS", "A" * (96 + shift) + "DICM")
    content = encoder.dataset([("00080000", "UL", 4), *elements])
    assert content[128:132] == b"DICM"
    assert read(content).attributes["00080008"]["Value"] == ["A" * (96 + shift) + "DICM"]
    assert shifted


@pytest.mark.parametrize(
    "content",
    [b"", b"DICM", b"x", bytes(132), bytes(128) + b"DICM", b"\x89PNG\r\n\x1a\n" + bytes(300), b"%PDF-1.4 " * 40],
)
def test_what_is_no_dicom_is_malformed(content):
    with pytest.raises(errors.Malformed):
        read(content)


@pytest.mark.parametrize(("said", "actual"), [(IMPLICIT, EXPLICIT), (EXPLICIT, IMPLICIT), (BIG, EXPLICIT)])
def test_the_data_set_tells_when_the_transfer_syntax_is_wrong(said, actual):
    content = encoder.wrap(encoder.dataset(sorted(ELEMENTS + encoder.IDENTITY), actual), said)
    found = read(content)
    assert (found.attributes, found.transfer_syntax) == (EXPECTED, actual)
    assert found.meta["00020010"]["Value"] == [said]


def test_an_unknown_transfer_syntax_is_believed_and_the_data_set_looked_at():
    found = read(encoder.wrap(encoder.dataset(sorted(ELEMENTS + encoder.IDENTITY)), "1.2.3.4.99"))
    assert (found.attributes, found.transfer_syntax) == (EXPECTED, "1.2.3.4.99")


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 9, 100, 300_000])
@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG])
def test_zeros_after_the_data_set_are_padding(size, syntax):
    assert read(encoder.file(ELEMENTS, syntax) + bytes(size)).attributes == EXPECTED


@pytest.mark.parametrize(
    "tail", [b"\r\n", b"garbage", b"more garbage after the end", bytes(100) + b"x", bytes(300_000) + b"x"]
)
def test_anything_else_after_the_data_set_is_not(tail):
    with pytest.raises(errors.Malformed):
        read(encoder.file(ELEMENTS) + tail)


# Elements that are encoded in another way than the data set


def test_single_elements_in_implicit_form():
    odd = encoder.element("00101010", "AS", "030Y", IMPLICIT) + encoder.element("00101020", "DS", "1.5 ", IMPLICIT)
    found = read(encoder.wrap(encoder.dataset(sorted(ELEMENTS + encoder.IDENTITY)[:-2]) + odd))
    assert found.attributes["00101010"] == {"vr": "AS", "Value": ["030Y"]}
    assert found.attributes["00101020"] == {"vr": "DS", "Value": [1.5]}


@pytest.mark.parametrize("vr", [b"??", b"  ", b"\xff\xff", b"lo", b"XX", b"ZZ"])
def test_single_elements_with_no_vr_that_is_known(vr):
    content = encoder.file([("00100020", "LO", "ABCD")])
    at = content.index(b"\x10\x00\x20\x00LO")
    found = read(content[: at + 4] + vr + content[at + 6 :])
    assert found.attributes["00100020"] == {"vr": "LO", "Value": ["ABCD"]}


def test_a_vr_of_a_future_edition_has_a_long_length():
    raw = encoder.tag_bytes("00091001") + b"ZZ\0\0" + struct.pack("<I", 4) + b"abcd"
    content = (
        encoder.dataset([*encoder.IDENTITY[:2], ("00090010", "LO", "A ")]) + raw + encoder.dataset(encoder.IDENTITY[2:])
    )
    assert read(encoder.wrap(content)).attributes["00091001"] == {"vr": "UN", "InlineBinary": "YWJjZA=="}


def test_items_in_implicit_form_inside_an_explicit_data_set():
    inside = encoder.item(
        encoder.dataset([("00400008", "SQ", [[("00080100", "SH", "B")]]), ("00400009", "SH", "A")], IMPLICIT)
    )
    content = encoder.dataset(encoder.IDENTITY) + encoder.head("00400275", "SQ", len(inside)) + inside
    found = read(encoder.wrap(content)).attributes["00400275"]["Value"][0]
    assert found["00400009"]["Value"] == ["A"]
    assert found["00400008"]["Value"][0]["00080100"]["Value"] == ["B"]


# Delimiters that are missing, or too many


ITEM_END = encoder.tag_bytes("FFFEE00D") + bytes(4)
SEQUENCE_END = encoder.tag_bytes("FFFEE0DD") + bytes(4)
OPEN_ITEM = encoder.tag_bytes("FFFEE000") + b"\xff\xff\xff\xff"


def sequence(inside, *, tail=b"", defined=False):
    head = encoder.head("00081140", "SQ", len(inside) if defined else encoder.UNDEFINED)
    content = encoder.dataset(encoder.IDENTITY[:2]) + head + inside + tail + encoder.dataset(encoder.IDENTITY[2:])
    found = read(encoder.wrap(content))
    assert found.target is not None
    return [item["00081150"]["Value"][0] for item in found.attributes["00081140"]["Value"]]


ONE, TWO = (encoder.element("00081150", "UI", uid) for uid in ("1.1", "1.2"))


def test_an_item_without_its_delimiter():
    assert sequence(OPEN_ITEM + ONE + OPEN_ITEM + TWO + SEQUENCE_END) == ["1.1", "1.2"]


def test_a_sequence_of_known_length_needs_no_delimiter():
    assert sequence(OPEN_ITEM + ONE + ITEM_END + OPEN_ITEM + TWO, defined=True) == ["1.1", "1.2"]


def test_delimiters_too_many():
    inside = encoder.item(ONE) + ITEM_END + OPEN_ITEM + TWO + ITEM_END + ITEM_END
    assert sequence(inside, tail=SEQUENCE_END + ITEM_END + SEQUENCE_END) == ["1.1", "1.2"]
    assert sequence(encoder.item(ONE) + SEQUENCE_END + encoder.item(TWO), defined=True) == ["1.1", "1.2"]


def test_a_delimiter_with_a_length():
    end = encoder.tag_bytes("FFFEE00D") + b"\4\0\0\0"
    assert sequence(OPEN_ITEM + ONE + end + OPEN_ITEM + TWO + ITEM_END, tail=SEQUENCE_END) == ["1.1", "1.2"]


def test_a_sequence_of_known_length_ends_the_file():
    inside = OPEN_ITEM + ONE
    content = encoder.dataset(encoder.IDENTITY) + encoder.head("00400275", "SQ", len(inside)) + inside
    assert len(read(encoder.wrap(content)).attributes["00400275"]["Value"]) == 1


@pytest.mark.parametrize("inside", [OPEN_ITEM + ONE, OPEN_ITEM + ONE + ITEM_END, b""])
def test_the_end_of_the_file_is_no_delimiter(inside):
    content = encoder.dataset(encoder.IDENTITY) + encoder.head("00400275", "SQ", encoder.UNDEFINED) + inside
    with pytest.raises(header.Truncated):
        read(encoder.wrap(content))


def test_an_item_outside_of_a_sequence_is_malformed():
    with pytest.raises(errors.Malformed, match="outside"):
        read(encoder.wrap(encoder.dataset(encoder.IDENTITY) + encoder.item(ONE)))


def test_something_else_between_items_is_malformed():
    with pytest.raises(errors.Malformed, match="expected an item"):
        sequence(encoder.item(ONE) + TWO, tail=SEQUENCE_END)
