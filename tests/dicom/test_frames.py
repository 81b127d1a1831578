"""Where frames lie: native, by tables that tell the truth or lie, by fragments (FRM-01 to FRM-04, MT-11, MT-13)."""

import itertools
import os
import struct
import warnings

import dicom_encoder as encoder
import dicom_reference as reference
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.encaps import generate_frames

from dicomgate import errors
from dicomgate.dicom import frames, header, syntaxes
from dicomgate.dicom.frames import FragmentFrames, FragmentSummary, Kind, NativeFrames
from dicomgate.dicom.source import BytesSource, FileSource

JPEG, J2K, RLE, MPEG = (f"1.2.840.10008.1.2.{tail}" for tail in ("4.50", "4.90", "5", "4.102"))


def read(content):
    return header.read(BytesSource(content))


def image(rows=4, columns=4, bits=8, count=None, samples=1, interpretation="MONOCHROME2"):
    elements = [
        ("00280002", "US", samples),
        ("00280004", "CS", interpretation),
        ("00280010", "US", rows),
        ("00280011", "US", columns),
        ("00280100", "US", bits),
    ]
    return elements if count is None else [*elements, ("00280008", "IS", str(count))]


def native(raw, syntax=encoder.EXPLICIT, vr="OW", **shape):
    content = encoder.file([*image(**shape), ("7FE00010", vr, raw)], syntax)
    return content, read(content).frames


def cut(content, table, number):
    span, first, bits = table.find(number)
    words = frames.swap_words([content[span.start : span.stop]], table.swap_word)
    return b"".join(frames.cut_bits(words, first, bits))


def compressed(fragments, table=b"", syntax=JPEG, extended=(), **shape):
    elements = sorted([*encoder.IDENTITY, *image(**shape), *extended])
    pixels = encoder.head("7FE00010", "OB", encoder.UNDEFINED) + encoder.encapsulated(fragments, table)
    content = encoder.wrap(encoder.dataset(elements) + pixels, syntax)
    return content, read(content).frames


def join(content, ranges):
    return b"".join(content[part.start : part.stop] for part in ranges)


def offsets(fragments, firsts, letter="I"):
    at, starts = 0, []
    for fragment in fragments:
        starts.append(at)
        at += 8 + len(fragment)
    return struct.pack(f"<{len(firsts)}{letter}", *(starts[first] for first in firsts))


# Native


def test_native_frames_one_after_the_other_FRM_02():
    raw = bytes(range(96))
    content, table = native(raw, rows=4, columns=4, bits=16, count=3)
    assert (table.count, table.frame_bits, table.swap_word) == (3, 256, 1)
    assert [cut(content, table, number) for number in (1, 2, 3)] == [raw[:32], raw[32:64], raw[64:]]
    assert table.find(0) is None
    assert table.find(4) is None


def test_frames_that_are_not_wholly_there_do_not_exist():
    assert native(bytes(40), count=3)[1].count == 2
    assert native(bytes(14), count=1)[1].count == 0
    assert native(bytes(400), count=3)[1].count == 3


@pytest.mark.parametrize("count", ["0", "-3", "x", "", "1.5"])
def test_a_number_of_frames_that_is_none_means_one(count):
    assert native(bytes(64), count=count)[1].count == 1


def test_dimensions_count_only_as_numbers_T3():
    content = encoder.file(
        [("00280010", "LO", "4 "), ("00280011", "US", 4), ("00280100", "US", 8), ("7FE00010", "OB", bytes(16))]
    )
    assert read(content).frames.count == 0
    content = encoder.file([("7FE00010", "OB", bytes(16))])
    assert read(content).frames.count == 0


def test_a_frame_beyond_the_limit_is_refused_T3():
    with pytest.raises(errors.TooLarge, match="frame"):
        native(bytes(16), rows=65535, columns=65535, bits=64, samples=65535)


@pytest.mark.parametrize("syntax", [encoder.EXPLICIT, encoder.BIG])
def test_one_bit_frames_have_no_padding_between_them_MT_11(syntax):
    bits = [(number * 7 + number // 5) % 3 == 0 for number in range(3 * 15)]
    raw = bytearray(6)
    for at, bit in enumerate(bits):
        raw[at // 8] |= bit << at % 8
    content, table = native(bytes(raw), syntax, rows=3, columns=5, bits=1, count=3)
    assert table.count == 3
    for number in (1, 2, 3):
        found = cut(content, table, number)
        assert len(found) == 2
        assert [found[at // 8] >> at % 8 & 1 for at in range(15)] == bits[15 * number - 15 : 15 * number]
        assert found[1] >> 7 == 0


def test_half_colour_frames_have_two_samples_a_pixel():
    _content, table = native(
        bytes(range(64)), vr="OB", rows=4, columns=4, samples=3, interpretation="YBR_FULL_422", count=2
    )
    assert (table.count, table.frame_bits) == (2, 256)
    _, table = native(bytes(96), vr="OB", rows=4, columns=4, samples=3, interpretation="YBR_FULL_422", count=2)
    assert (table.count, table.frame_bits) == (2, 384)  # says half, but all samples are there


@pytest.mark.parametrize(("tag", "vr", "size"), [("7FE00008", "OF", 4), ("7FE00009", "OD", 8)])
@pytest.mark.parametrize("syntax", [encoder.EXPLICIT, encoder.BIG])
def test_float_pixels(tag, vr, size, syntax):
    raw = struct.pack("<8" + "fd"[size // 8], *range(8))
    elements = [("00280010", "US", 2), ("00280011", "US", 2), ("00280008", "IS", "2 "), (tag, vr, raw)]
    content = encoder.file(elements, syntax)
    table = read(content).frames
    assert [cut(content, table, number) for number in (1, 2)] == [raw[: size * 4], raw[size * 4 :]]


def test_big_endian_words_over_frame_bounds():
    raw = bytes(range(1, 19))  # two frames of nine bytes in words of two
    content, table = native(raw, encoder.BIG, rows=3, columns=3, count=2)
    assert table.swap_word == 2
    assert [cut(content, table, number) for number in (1, 2)] == [raw[:9], raw[9:]]


# Compressed


FRAGMENTS = [b"\xff\xd8\xff\xe0" + bytes([number]) * (2 * number + 2) for number in range(6)]


@pytest.mark.parametrize("table", [b"", offsets(FRAGMENTS, range(6))])
def test_one_fragment_a_frame_MT_13(table):
    content, found = compressed(FRAGMENTS, table, count=6)
    assert found.count == 6
    assert [join(content, found.find(number)) for number in range(1, 7)] == FRAGMENTS
    assert found.find(0) is None
    assert found.find(7) is None


def test_several_fragments_a_frame_by_basic_table_MT_13():
    content, found = compressed(FRAGMENTS, offsets(FRAGMENTS, (0, 1, 4)), count=3)
    assert [join(content, found.find(number)) for number in (1, 2, 3)] == [
        FRAGMENTS[0],
        b"".join(FRAGMENTS[1:4]),
        b"".join(FRAGMENTS[4:]),
    ]


def test_extended_table_and_its_lengths():
    padded = [fragment + b"\0" * (len(fragment) % 2) for fragment in (b"\xff\xd8abc", b"\xff\xd8abcd", b"\xff\xd8a")]
    extended = [
        ("7FE00001", "OV", offsets(padded, range(3), "Q")),
        ("7FE00002", "OV", struct.pack("<3Q", 5, 6, 3)),
    ]
    content, found = compressed(padded, extended=extended, count=3)
    assert [join(content, found.find(number)) for number in (1, 2, 3)] == [
        b"\xff\xd8abc",
        b"\xff\xd8abcd",
        b"\xff\xd8a",
    ]


@pytest.mark.parametrize("lengths", [(50, 6, 1), (0, 0, 0), (1 << 63, 2, 3)])
def test_lengths_of_the_extended_table_that_lie_are_not_believed(lengths):
    fragments = [b"\xff\xd8abcd", b"\xff\xd8abcd", b"\xff\xd8ab"]
    extended = [("7FE00001", "OV", offsets(fragments, range(3), "Q")), ("7FE00002", "OV", struct.pack("<3Q", *lengths))]
    content, found = compressed(fragments, extended=extended, count=3)
    assert [join(content, found.find(number)) for number in (1, 2, 3)] == fragments


@pytest.mark.parametrize(
    "table",
    [
        struct.pack("<6I", *range(6)),
        struct.pack("<6I", 0, 0, 0, 0, 0, 0),
        struct.pack("<6I", *[0xFFFFFFFF] * 6),
        struct.pack("<2I", 0, 14),
        offsets(FRAGMENTS, range(6))[::-1],
        offsets(FRAGMENTS, (1, 2, 3, 4, 5, 5)),
        b"abc",
    ],
)
def test_a_table_that_lies_is_not_believed(table):
    content, found = compressed(FRAGMENTS, table, count=6)
    assert [join(content, found.find(number)) for number in range(1, 7)] == FRAGMENTS


def test_a_table_that_begins_after_the_first_fragment_is_not_believed():
    fragments = [b"ab", b"cd", b"ef"]
    assert compressed(fragments, offsets(fragments, (0, 2)), count=2)[1].kind is Kind.FRAGMENTS
    _, found = compressed(fragments, offsets(fragments, (1, 2)), count=2)
    assert found.kind is Kind.UNKNOWN


BEGINNINGS = [b"\xff\xd8\xff", b"\xff\x4f\xff\x51", b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n"]


@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_without_a_table_codestreams_tell_by_their_beginning(beginning):
    fragments = [beginning + b"1xxxxxxxx", b"rest", beginning + b"2xxxxxxxx", b"more", b"rest"]
    content, found = compressed(fragments, count=2)
    assert [join(content, found.find(number)) for number in (1, 2)] == [
        b"".join(fragments[:2]),
        b"".join(fragments[2:]),
    ]


def test_one_frame_has_all_fragments():
    content, found = compressed([b"ab", b"cd", b"ef"], count=1)
    assert join(content, found.find(1)) == b"abcdef"


def test_rle_has_one_fragment_a_frame():
    content, found = compressed([b"ab", b"cd"], syntax=RLE, count=3)
    assert found.count == 2
    assert join(content, found.find(2)) == b"cd"


def test_frames_that_were_lost_do_not_exist():
    assert compressed(FRAGMENTS[:4], count=6)[1].count == 4


def test_bounds_that_nothing_tells_are_unknown():
    _, found = compressed([b"ab", b"cd", b"ef"], count=2)
    assert (found.kind, found.count, found.find(1), found.find(2)) == (Kind.UNKNOWN, 2, None, None)
    assert found.chunks() == ()
    _, found = compressed([], count=3)
    assert found.kind is Kind.UNKNOWN
    _, found = compressed([], count=1)
    assert found.find(1) in (None, ())


def test_video_is_one_stream_MT_12():
    content, found = compressed([b"ab", b"cd"], syntax=MPEG, count=250)
    assert (found.kind, found.count) == (Kind.STREAM, 250)
    assert join(content, found.find(1)) == b"abcd"
    assert found.find(2) is None
    assert frames.parse_chunk(found.chunks()[0]) == [found.find(1)]


def test_a_count_that_lies_takes_no_memory_T4():
    _, found = compressed([b"ab", b"cd"], syntax=MPEG, count=2_000_000_000)
    assert len(found.chunks()) == 1
    _, found = compressed([b"ab", b"cd", b"ef"], count=2_000_000_000)
    assert found.chunks() == ()
    extended = [("7FE00001", "OV", bytes(16))]
    assert compressed([b"ab", b"cd", b"ef"], extended=extended, count=2_000_000_000)[1].kind is Kind.UNKNOWN


def test_the_fragments_of_large_tables_are_found():
    fragments = [bytes([number % 251]) * (number % 7 + 1) * 2 for number in range(3000)]
    content, found = compressed(fragments, count=3000)
    assert all(join(content, found.find(number + 1)) == fragments[number] for number in range(0, 3000, 61))
    large = [bytes([number]) * 5000 for number in range(5)]
    content, found = compressed(large + fragments[:5], count=10)
    assert [join(content, found.find(number)) for number in range(1, 11)] == large + fragments[:5]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        encoder.item(b""),
        encoder.item(b"") + encoder.item(b"ab"),
        encoder.item(b"") + b"\xfe\xff\x00\xe0\xff\xff\xff\xff",
        encoder.item(b"") + encoder.tag_bytes("FFFEE000") + b"\0\0\0\x7f",
        encoder.item(b"") + b"12345678",
    ],
)
def test_fragments_that_end_nowhere_are_malformed(raw):
    content = encoder.dataset(encoder.IDENTITY) + encoder.head("7FE00010", "OB", encoder.UNDEFINED) + raw
    with pytest.raises(errors.Malformed):
        read(encoder.wrap(content, JPEG))


def test_transfer_syntax_and_pixel_data_must_agree():
    with pytest.raises(errors.Malformed, match="has fragments"):
        compressed(FRAGMENTS, syntax=encoder.EXPLICIT)
    with pytest.raises(errors.Malformed, match="no fragments"):
        native(bytes(16), JPEG)
    assert compressed(FRAGMENTS, syntax="1.2.3.4", count=6)[1].count == 6


def test_fragments_are_bounded_T1():
    content = encoder.dataset(encoder.IDENTITY) + encoder.head("7FE00010", "OB", encoder.UNDEFINED)
    content = encoder.wrap(content + encoder.encapsulated([b""] * 200), JPEG)
    with pytest.raises(errors.TooLarge, match="fragments"):
        header.read(BytesSource(content), header.Limits(enhanced_elements=100))


# What the index keeps


def test_summary_and_chunks_give_the_table_again():
    fragments = [b"\xff\xd8\xff" + bytes([number % 256]) * (number % 9) for number in range(600)]
    firsts = [0, *range(2, 600)]
    _, found = compressed(fragments, offsets(fragments, firsts), count=599)
    summary = frames.from_summary(found.summary())
    assert summary == FragmentSummary(kind=Kind.FRAGMENTS, count=599)
    chunks = [frames.parse_chunk(chunk) for chunk in found.chunks()]
    assert [len(chunk) for chunk in chunks] == [256, 256, 87]
    for number in range(1, 600):
        chunk, place = summary.locate(number)
        assert chunks[chunk][place] == found.find(number)
    assert summary.locate(0) is None
    assert summary.locate(600) is None


@pytest.mark.parametrize(("kind", "first"), [(Kind.STREAM, (0, 0)), (Kind.UNKNOWN, None)])
def test_summaries_of_what_has_no_bounds(kind, first):
    summary = frames.from_summary({"kind": kind.value, "count": 9})
    assert summary.locate(1) == first
    assert summary.locate(2) is None


@given(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9), st.integers(0, 99), st.sampled_from([1, 2, 4, 8]))
def test_native_summary_is_the_table(count, offset, length, bits, word):
    table = NativeFrames(count=count, offset=offset, length=length, frame_bits=bits, swap_word=word)
    assert frames.from_summary(table.summary()) == table
    assert table.chunks() == ()


# The pure functions


def pieces(raw, cuts):
    bounds = sorted({0, len(raw), *(at % (len(raw) + 1) for at in cuts)})
    return [raw[start:stop] for start, stop in itertools.pairwise(bounds)]


@given(
    st.binary(min_size=1, max_size=40),
    st.lists(st.integers(0, 1000), max_size=6),
    st.integers(0, 400),
    st.integers(0, 400),
)
def test_bits_are_cut_right_however_the_bytes_come(raw, cuts, first, count):
    first %= 8 * len(raw)
    count = min(count, 8 * len(raw) - first)
    number = int.from_bytes(raw, "little") >> first & ((1 << count) - 1)
    expected = number.to_bytes(-(-count // 8), "little")
    assert b"".join(frames.cut_bits(pieces(raw, cuts), first, count)) == expected


@given(st.binary(max_size=40), st.lists(st.integers(0, 1000), max_size=6), st.sampled_from([1, 2, 4, 8]))
def test_words_are_swapped_right_however_the_bytes_come(raw, cuts, word):
    found = b"".join(frames.swap_words(pieces(raw, cuts), word))
    whole = len(raw) - len(raw) % word
    assert found == b"".join(raw[at : at + word][::-1] for at in range(0, whole, word)) + raw[whole:]


# Real files

FOLDERS = [reference.DATA / name for name in ("syntaxes", "objects")]
IMAGES = sorted(
    path
    for folder in FOLDERS
    if folder.is_dir()
    for path in folder.rglob("*")
    if path.is_file() and path.stat().st_size < 1_500_000
)


def their_frames(dataset, count):
    syntax = syntaxes.find(dataset.file_meta.TransferSyntaxUID)
    if dataset["PixelData"].is_undefined_length:
        extended = (dataset.get("ExtendedOffsetTable"), dataset.get("ExtendedOffsetTableLengths"))
        return list(
            generate_frames(
                dataset.PixelData, number_of_frames=count, extended_offsets=extended if all(extended) else None
            )
        )
    bits = dataset.Rows * dataset.Columns * dataset.SamplesPerPixel * dataset.BitsAllocated
    if dataset.PhotometricInterpretation == "YBR_FULL_422":
        bits = bits * 2 // 3
    raw = dataset.PixelData
    if syntax.is_big_endian and dataset["PixelData"].VR == "OW":
        raw = reference.turned(raw, max(dataset.BitsAllocated // 8, 2))
    number = int.from_bytes(raw, "little")
    size = -(-bits // 8)
    if bits % 8 == 0:
        return [raw[at * size : (at + 1) * size] for at in range(count)]
    return [(number >> at * bits & (1 << bits) - 1).to_bytes(size, "little") for at in range(count)]


@pytest.mark.slow
@pytest.mark.skipif(not IMAGES, reason="needs ../shared/data")
def test_frames_of_real_files_are_those_that_pydicom_sees():
    checked = 0
    for path in IMAGES[::2]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = pydicom.dcmread(path, force=True)
            if "PixelData" not in dataset or "TransferSyntaxUID" not in dataset.file_meta:
                continue
            content = path.read_bytes()
            found = read(content)
            if found.is_deflated or (
                isinstance(found.frames, FragmentFrames) and found.frames.kind is not Kind.FRAGMENTS
            ):
                continue
            count = int(dataset.get("NumberOfFrames") or 1)
            expected = their_frames(dataset, count)
        assert found.frames.count == count, path.name
        for number in {1, count // 2 + 1, count}:
            if isinstance(found.frames, NativeFrames):
                frame = cut(content, found.frames, number)
            else:
                frame = join(content, found.frames.find(number))
            assert frame == expected[number - 1] or frame + b"\0" == expected[number - 1], (path.name, number)
            checked += 1
    assert checked > 100


def test_pixels_stay_outside_when_a_large_file_is_read(tmp_path):
    """FRM-01, T4: a frame far inside a sparse file of 3 GB is found without reading what lies before it."""
    size = 3 << 30
    elements = sorted([*encoder.IDENTITY, *image(rows=1024, columns=1024, bits=16, count=size >> 21)])
    path = tmp_path / "large.dcm"
    with path.open("wb") as file:
        file.write(encoder.wrap(encoder.dataset(elements) + encoder.head("7FE00010", "OW", size)))
        file.truncate(file.tell() + size)
    fd = os.open(path, os.O_RDONLY)
    try:
        counted = CountingSource(fd)
        found = header.read(counted)
    finally:
        os.close(fd)
    assert found.frames.count == 1536
    assert found.frames.find(1536)[0].stop == path.stat().st_size
    assert counted.total < 1 << 17


class CountingSource(FileSource):
    total = 0

    def read_at(self, offset, length):
        found = super().read_at(offset, length)
        self.total += len(found)
        return found
