"""Bodies that come compressed: any cut, several members, broken ones, bombs (RFC 9110 §8.4.1, RFC 1952, T3)."""

from __future__ import annotations

import gzip
import os
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomgate import errors
from dicomgate.server import expansion
from dicomgate.server.expansion import Bounds, Expansion

WIDE = Bounds(ratio=100, free=1 << 20)


def expand(body: bytes, coding: str = "gzip", *, step: int = 1 << 16, bounds: Bounds = WIDE) -> bytes:
    expanding = Expansion(coding, bounds)
    pieces = []
    for start in range(0, len(body), step):
        expanding.feed(body[start : start + step])
        while not expanding.is_hungry:
            pieces.append(expanding.step())
            assert len(pieces[-1]) <= 1 << 20
    expanding.finish()
    return b"".join(pieces)


@given(contents=st.lists(st.binary(max_size=2000), min_size=1, max_size=4), step=st.integers(1, 70))
def test_members_at_any_cut(contents: list[bytes], step: int) -> None:
    assert expand(b"".join(map(gzip.compress, contents)), step=step) == b"".join(contents)


@pytest.mark.parametrize("size", [(1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20])
@pytest.mark.parametrize("make", [bytes, os.urandom])
def test_sizes_around_a_step(size: int, make) -> None:
    content = make(size)
    bounds = Bounds(ratio=2000, free=1 << 20)
    assert expand(gzip.compress(content), bounds=bounds) == content
    assert expand(zlib.compress(content), "deflate", bounds=bounds) == content


@pytest.mark.parametrize("cut", [1, 5, 9, 20, -9, -1])
@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_truncated_is_malformed(coding: str, cut: int) -> None:
    content = os.urandom(1000)
    body = gzip.compress(content) if coding == "gzip" else zlib.compress(content)
    with pytest.raises(errors.Malformed, match="ends before"):
        expand(body[:cut], coding)


def test_nothing_at_all_is_malformed() -> None:
    with pytest.raises(errors.Malformed):
        expand(b"")


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(b"abc") + b"garbage"),
        ("gzip", gzip.compress(b"abc") + bytes(100)),
        ("gzip", b"not gzip at all"),
        ("gzip", zlib.compress(b"abc")),
        ("gzip", gzip.compress(b"abc" * 100)[:-6] + b"\0\0\0\0\0\0"),
        ("deflate", zlib.compress(b"abc") + zlib.compress(b"abc")),
        ("deflate", gzip.compress(b"abc")),
    ],
    ids=range(7),  # the bytes hold the time, and every process must find the same tests
)
def test_what_is_not_so_compressed_is_malformed(coding: str, body: bytes) -> None:
    with pytest.raises(errors.Malformed, match="Content-Encoding"):
        expand(body, coding)


def test_what_came_before_a_fault_is_given_first() -> None:
    expanding = Expansion("gzip", WIDE)
    expanding.feed(gzip.compress(b"abc") + b"garbage")
    assert expanding.step() == b"abc"
    assert not expanding.is_hungry
    with pytest.raises(errors.Malformed):
        expanding.step()


def test_bomb_is_too_large_before_it_is_large_T3() -> None:
    """Ten gigabytes of zeros in ten megabytes: stopped soon after what any body may become."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, 31)
    head = b"".join(compressor.compress(bytes(1 << 20)) for _ in range(8))
    expanding = Expansion("gzip", WIDE)
    expanding.feed(head)
    assert len(expanding.step()) == 1 << 20
    with pytest.raises(errors.TooLarge):
        expanding.step()


def test_legal_ratio_passes_beyond_what_is_free() -> None:
    content = os.urandom(1 << 16) * 32  # no further apart than deflate looks back, so about 1:1
    assert expand(gzip.compress(content), bounds=Bounds(ratio=2, free=1000)) == content


def test_members_without_content_are_bounded() -> None:
    with pytest.raises(errors.Malformed, match="members"):
        expand(gzip.compress(b"") * 2000)
    assert expand(gzip.compress(b"x" * 2000) * 2000) == b"x" * 4_000_000


@pytest.mark.parametrize(
    ("field", "coding"),
    [
        (None, None),
        ("", None),
        ("Identity", None),
        ("gzip", "gzip"),
        ("X-GZIP", "x-gzip"),
        ("identity, gzip", "gzip"),
        ("deflate", "deflate"),
    ],
)
def test_codings_by_name(field: str | None, coding: str | None) -> None:
    assert expansion.find_coding(field) == coding


@pytest.mark.parametrize("field", ["br", "zstd", "compress", "gzip, gzip", "gzip, br", "gzip;q=1"])
def test_other_codings_are_refused_and_told_which_are_taken(field: str) -> None:
    with pytest.raises(errors.UnsupportedCoding) as caught:
        expansion.find_coding(field)
    assert caught.value.see == ("gzip", "deflate")
