"""Deflated data sets: as a stream, bounded in ratio and size (T3)."""

import struct
import zlib

import dicom_encoder as encoder
import pytest
from dicom_encoder import DEFLATED
from hypothesis import given
from hypothesis import strategies as st

from dicomgate import errors
from dicomgate.dicom import header, inflate
from dicomgate.dicom.limits import Limits
from dicomgate.dicom.source import BytesSource

BIG = bytes(range(256)) * 100_000  # larger than what stays in memory


def test_places_are_in_the_inflated_data_set():
    raw = bytes(range(256)) * 300
    content = encoder.file([("00420011", "OB", raw)], DEFLATED)
    found = header.read(BytesSource(content))
    place = found.bulk["00420011"]
    span = range(place.offset, place.offset + place.length)
    assert b"".join(inflate.read_range(BytesSource(content), found.dataset_offset, span)) == raw
    assert found.is_deflated
    assert found.dataset_size > len(content)


@given(st.integers(0, 100), st.integers(0, 3000))
def test_any_range(start, length):
    content = bytes(range(256)) * 8
    source = BytesSource(b"head" + encoder.deflate(content))
    span = range(start, start + length)
    assert b"".join(inflate.read_range(source, 4, span)) == content[start : start + length]


def test_as_a_source_forwards_and_backwards():
    source = inflate.InflatedSource(BytesSource(encoder.deflate(BIG)), 0)
    assert source.size == len(BIG)
    for offset in (0, 9_000_000, 9_000_100, 20_000_000, 8_388_000, 100, len(BIG) - 3, len(BIG)):
        assert source.read_at(offset, 1000) == BIG[offset : offset + 1000]
    assert source.read_at(8_000_000, 5_000_000) == BIG[8_000_000:13_000_000]


def test_a_pad_byte_after_the_stream_is_left_alone():
    content = encoder.file([("00100020", "LO", "A ")], DEFLATED)
    assert header.read(BytesSource(content + b"\0")).attributes == header.read(BytesSource(content)).attributes


def test_a_stream_that_looks_like_file_meta_information():
    """Its first bytes are those of group 0002: an empty block, then a stored one. Only the group length tells."""
    inside = encoder.dataset(sorted([*encoder.IDENTITY, ("00100020", "LO", "A ")]))
    stored = struct.pack("<HH", len(inside), 0xFFFF - len(inside)) + inside
    stream = b"\x02\x00" + stored + b"\x01\x00\x00\xff\xff"
    content = encoder.wrap(b"", DEFLATED)[:-2] + stream
    assert header.read(BytesSource(content)).attributes["00100020"]["Value"] == ["A"]


def test_a_stream_that_ends_early():
    content = encoder.file([("00420011", "OB", BIG[:100_000])], DEFLATED)
    with pytest.raises(header.Truncated):
        header.read(BytesSource(content[:-10]))


@pytest.mark.parametrize("junk", [b"\xff" * 50, b"not deflated at all", b"\x78\x9c\xff\xff"])
def test_a_stream_that_is_none(junk):
    with pytest.raises(errors.Malformed):
        header.read(BytesSource(encoder.wrap(b"", DEFLATED)[:-2] + junk))


def test_growth_is_bounded_T3():
    bomb = encoder.deflate(bytes(30_000_000))
    with pytest.raises(errors.TooLarge, match="grows"):
        list(inflate.inflate(BytesSource(bomb), 0, Limits(inflated=1_000_000)))
    with pytest.raises(errors.TooLarge, match="grows"):
        list(inflate.inflate(BytesSource(bomb), 0, Limits(inflate_ratio=100)))
    assert sum(map(len, inflate.inflate(BytesSource(zlib.compress(bytes(1000))[2:]), 0))) == 1000


def test_no_step_is_large_T4():
    assert max(map(len, inflate.inflate(BytesSource(encoder.deflate(BIG)), 0))) <= 256 << 10


def test_time_is_bounded_T1():
    """Also where the content stays within ratio and size: a few gigabytes take long to inflate."""
    content = encoder.file([("00420011", "OB", BIG)], DEFLATED)
    with pytest.raises(errors.TooLarge, match="took more than 0 seconds"):
        header.read(BytesSource(content), Limits(seconds=0))
