"""Headers that lie, break off or grow: always a Fault, always soon (T1, T3, T4, T8)."""

import struct
import time
import tracemalloc

import dicom_encoder as encoder
import dicom_reference as reference
import pytest
from dicom_encoder import BIG, EXPLICIT, IMPLICIT
from hypothesis import given, settings
from hypothesis import strategies as st

from dicomgate import errors
from dicomgate.dicom import forms, header, jsonmodel
from dicomgate.dicom.source import BytesSource

pytestmark = pytest.mark.slow  # the fast loop stays under a minute

QUICK = header.Limits(seconds=5.0)


def read(content, limits=QUICK):
    return header.read(BytesSource(content), limits)


def attempt(content):
    """A header or a Fault; anything else fails the test."""
    try:
        found = read(content)
    except errors.Fault as fault:
        return fault
    jsonmodel.format_dataset(found.attributes)
    return found


def nested(depth, *, undefined=True):
    if undefined:
        opening = (
            encoder.head("00081140", "SQ", encoder.UNDEFINED) + encoder.tag_bytes("FFFEE000") + b"\xff\xff\xff\xff"
        )
        closing = encoder.tag_bytes("FFFEE00D") + bytes(4) + encoder.tag_bytes("FFFEE0DD") + bytes(4)
        return opening * depth + closing * depth
    content = b""
    for _ in range(depth):
        content = encoder.item(content)
        content = encoder.head("00081140", "SQ", len(content)) + content
    return content


@pytest.mark.parametrize("undefined", [True, False])
@pytest.mark.parametrize("depth", [65, 1000, 20_000])
def test_deep_sequences_are_refused_T1(depth, undefined):
    if depth > 1000 and not undefined:
        return  # encoding it here takes longer than reading it
    with pytest.raises(errors.TooLarge, match="deep"):
        read(encoder.wrap(nested(depth, undefined=undefined)))


@pytest.mark.parametrize("undefined", [True, False])
def test_sequences_up_to_the_limit_are_read(undefined):
    assert read(encoder.wrap(nested(64, undefined=undefined))).attributes


def test_empty_items_are_bounded_T1():
    items = encoder.item(b"") * 200_000
    started = time.process_time()
    with pytest.raises(errors.TooLarge, match="items"):
        read(encoder.wrap(encoder.head("00081140", "SQ", len(items)) + items))
    assert time.process_time() - started < 5


def test_elements_are_bounded_T1():
    content = b"".join(
        encoder.tag_bytes(f"{group:04X}{number:04X}") + b"US\0\0"
        for group in (0x11, 0x13)
        for number in range(0x1000, 0xFFFF)
    )
    with pytest.raises(errors.TooLarge, match="elements"):
        read(encoder.wrap(content))
    with pytest.raises(errors.TooLarge, match="100 elements"):
        read(encoder.wrap(content), header.Limits(elements=100))


def test_functional_groups_have_their_own_bound_T1():
    item = encoder.item(encoder.element("00209157", "UL", (1, 2)) * 3)
    items = item * 40
    content = encoder.wrap(
        encoder.dataset(encoder.IDENTITY)
        + encoder.head("52009230", "SQ", len(items))
        + items
        + encoder.element("52009999", "LO", "after ")
    )
    assert read(content, header.Limits(elements=6, items=1)).target is not None
    with pytest.raises(errors.TooLarge, match="150 elements"):
        read(content, header.Limits(enhanced_elements=150))
    with pytest.raises(errors.TooLarge, match="5 elements"):
        read(content, header.Limits(elements=5))


def test_functional_groups_count_only_where_they_belong_T1():
    groups = [("52009230", "SQ", [[("00209157", "UL", 1)]] * 40)]
    with pytest.raises(errors.TooLarge, match="20 elements"):
        read(encoder.file([("00081140", "SQ", [groups])]), header.Limits(elements=20))


def test_time_is_bounded_T1():
    with pytest.raises(errors.TooLarge, match="seconds"):
        read(encoder.file([]), header.Limits(seconds=-1.0))


@pytest.mark.parametrize("length", [0x7FFFFFFF, 0xFFFFFFFE, 100_000])
@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG])
@pytest.mark.parametrize("vr", ["OB", "SQ", "UT", "UN"])
def test_a_lying_length_takes_no_memory_T4(length, syntax, vr):
    tag = {"OB": "00420011", "SQ": "00081140", "UT": "0040A160", "UN": "00091001"}[vr]
    content = encoder.wrap(
        encoder.dataset(encoder.IDENTITY[:1], syntax) + encoder.head(tag, vr, length, syntax) + bytes(50), syntax
    )
    tracemalloc.start()
    try:
        with pytest.raises(header.Truncated):
            read(content)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("lie", [-4, 1, 8, 1000, 0x70000000])
def test_an_item_that_lies_about_its_length(lie):
    inside = encoder.dataset([("00081150", "UI", "1.2.3.4"), ("00081155", "UI", "1.2.3.4.5")])
    item = encoder.tag_bytes("FFFEE000") + struct.pack("<I", len(inside) + lie) + inside
    content = encoder.dataset(encoder.IDENTITY[:2]) + encoder.head("00081140", "SQ", len(item)) + item
    with pytest.raises(errors.Malformed):
        read(encoder.wrap(content + encoder.dataset(encoder.IDENTITY[2:])))


def test_an_element_longer_than_its_item():
    item = encoder.item(encoder.head("00081150", "UI", 100) + b"1.2.")
    content = encoder.dataset(encoder.IDENTITY[:2]) + encoder.head("00081140", "SQ", len(item)) + item
    with pytest.raises(errors.Malformed, match="100 bytes where 4 are left"):
        read(encoder.wrap(content + encoder.dataset(encoder.IDENTITY[2:]) + bytes(200)))


def test_a_long_name_in_implicit_form_is_bounded():
    content = encoder.wrap(encoder.dataset([("00100010", "PN", "x" * 2_000_000)], IMPLICIT), IMPLICIT)
    with pytest.raises(errors.TooLarge, match="text"):
        read(content)


def test_an_undefined_length_where_none_can_be():
    with pytest.raises(errors.Malformed, match="undefined"):
        read(encoder.wrap(encoder.head("00100010", "PN", encoder.UNDEFINED, IMPLICIT) + bytes(100), IMPLICIT))


def test_messages_hold_no_values():
    content = encoder.file([("00100010", "PN", "SECRET^NAME "), ("00100020", "LO", "SECRETID")])
    for size in range(0, len(content), 3):
        fault = attempt(content[:size])
        if isinstance(fault, errors.Fault):
            assert "SECRET" not in str(fault)


# Broken on purpose, by hand and by chance

BROKEN = (
    sorted(path for path in (reference.DATA / "broken").rglob("*") if path.is_file()) if reference.DATA.is_dir() else []
)


@pytest.mark.skipif(not BROKEN, reason="needs ../shared/data")
def test_every_broken_file_ends_in_a_header_or_a_fault():
    started = time.process_time()
    outcomes = [attempt(path.read_bytes()) for path in BROKEN]
    assert {type(outcome).__name__ for outcome in outcomes} == {"Header", "Malformed", "Truncated", "TooLarge"}
    assert time.process_time() - started < 20


@pytest.mark.skipif(not BROKEN, reason="needs ../shared/data")
@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("pydicom/MR_truncated.dcm", header.Truncated),
        ("pydicom/rtplan_truncated.dcm", header.Truncated),
        ("pydicom/emri_small_jpeg_2k_lossless_too_short.dcm", header.Truncated),
        ("dcm4che/3gb-bulk-data-truncated", header.Truncated),
        ("fuzz/cat03_sequence_nesting/TC0265_depth_100.dcm", errors.TooLarge),
        ("fuzz/cat06_private_tags/TC0357_stray_item_tag.dcm", errors.Malformed),
        ("dcm4che/no_preamble_dicm_in_data", None),
        ("pydicom/ExplVR_BigEndNoMeta.dcm", None),
        ("pydicom/no_meta_group_length.dcm", None),
        ("pydicom/UN_sequence.dcm", None),
        ("pydicom/JPEG2000-embedded-sequence-delimiter.dcm", None),
    ],
)
def test_broken_files_with_a_known_end(name, fault):
    outcome = attempt((reference.DATA / "broken" / name).read_bytes())
    assert isinstance(outcome, fault or header.Header), outcome


def seeds():
    group = [("00081150", "UI", "1.2"), ("0040A160", "UT", "text"), ("00283006", "US", (1, 2))]
    elements = [
        ("00080005", "CS", "ISO_IR 100"),
        ("00081140", "SQ", [group, group]),
        ("00100010", "PN", "A^B=C"),
        ("00091010", "UN", encoder.item(encoder.dataset(group, IMPLICIT))),
        ("00280008", "IS", "2 "),
        ("00280010", "US", 4),
        ("00280011", "US", 4),
        ("00280100", "US", 8),
        ("00420011", "OB", bytes(2000)),
        ("52009230", "SQ", [group] * 3),
        ("7FE00010", "OW", bytes(32)),
    ]
    elements = sorted(elements + encoder.IDENTITY)
    plain = [
        encoder.file(elements, syntax, undefined=undefined)
        for syntax in (EXPLICIT, IMPLICIT, BIG)
        for undefined in (True, False)
    ]
    pixels = encoder.encapsulated([b"\xff\xd8\xff\xe0"] * 2, struct.pack("<II", 0, 12))
    compressed = encoder.dataset(elements[:-1]) + encoder.head("7FE00010", "OB", encoder.UNDEFINED) + pixels
    return [*plain, encoder.file(elements, encoder.DEFLATED), encoder.wrap(compressed, "1.2.840.10008.1.2.4.50")]


SEEDS = seeds()


def test_seeds_are_readable():
    assert all(isinstance(attempt(seed), header.Header) for seed in SEEDS)


@pytest.mark.parametrize("seed", range(len(SEEDS)))
def test_every_truncation_is_noticed_T1(seed):
    content = SEEDS[seed]
    whole = attempt(content).attributes
    for size in range(0, len(content), 7 if len(content) > 1000 else 1):
        outcome = attempt(content[:size])
        if isinstance(outcome, header.Header):  # cut between two elements: a shorter file, but a whole one
            tags = list(outcome.attributes)
            assert tags == list(whole)[: len(tags)]
            assert outcome.dataset_offset + outcome.dataset_size == size
        else:
            assert isinstance(outcome, errors.Malformed)


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(SEEDS),
    st.lists(
        st.tuples(st.integers(0, 5000), st.one_of(st.binary(min_size=1, max_size=4), st.just(b"\xff\xff\xff\xff"))),
        min_size=1,
        max_size=5,
    ),
)
def test_any_damage_ends_in_a_header_or_a_fault_T1(seed, damage):
    content = bytearray(seed)
    for at, raw in damage:
        place = 132 + at % (len(content) - 132)
        content[place : place + len(raw)] = raw
    attempt(bytes(content))


@settings(max_examples=200, deadline=None)
@given(
    st.binary(max_size=300), st.sampled_from([EXPLICIT, IMPLICIT, BIG, encoder.DEFLATED, "1.2.840.10008.1.2.4.50", "9"])
)
def test_any_bytes_as_a_data_set_T1(raw, syntax):
    attempt(encoder.wrap(raw, syntax))
    attempt(bytes(128) + b"DICM" + encoder.meta(syntax) + raw)
    attempt(raw)


def test_what_is_learnt_from_files_is_bounded_T4():
    for group in range(0x11, 0x31, 2):
        tags = (encoder.tag_bytes(f"{group:04X}{number:04X}") for number in range(0x10, 0x2000))
        read(encoder.wrap(b"".join(tag + b"US\0\0" for tag in tags)))
    assert len(forms.EXPLICIT_LITTLE.known) <= 20_000 + 10_000  # and what PS3.6 has
    assert read(encoder.file([("00331001", "US", 7)])).attributes["00331001"]["Value"] == [7]
