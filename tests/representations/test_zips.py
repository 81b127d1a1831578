"""The writer of ZIP archives, against zipfile and unzip."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
import tracemalloc
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomgate import errors
from dicomgate.representations import zip_records, zips
from dicomgate.representations.zip_records import Bounds
from dicomgate.representations.zips import Checksums, MadeMember, Member, StoredArchive

pytestmark = pytest.mark.slow  # the fast loop stays under a minute

MODIFIED = 1_700_000_001.0  # 2023-11-14T22:13:21Z
FORMAT = Bounds()
TINY = Bounds(size=100, count=3)


def member(name: str, content: bytes, *, identity: str = "", step: int = 7) -> Member:
    def read(span: range | None) -> Iterator[bytes]:
        wanted = span or range(len(content))
        return (content[at : min(at + step, wanted.stop)] for at in range(wanted.start, wanted.stop, step))

    return Member(name=name, modified=MODIFIED, size=len(content), read=read, identity=identity)


def made(name: str, content: bytes, *, most: int | None = None) -> MadeMember:
    return MadeMember(name=name, modified=0.0, most=most, chunks=iter([content[:10], content[10:]]))


def read_back(archive: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        assert opened.testzip() is None
        return {info.filename: opened.read(info) for info in opened.infolist()}


def drain(chunks: Iterator[bytes], got: bytearray) -> None:
    for chunk in chunks:
        got += chunk


contents = st.lists(st.binary(max_size=300), max_size=6)
bounds = st.sampled_from([FORMAT, TINY])


@given(contents, bounds)
def test_what_is_stored_comes_out_as_it_went_in_and_its_length_is_known(given_contents, limits) -> None:
    listed = {f"A/{number:04d}": content for number, content in enumerate(given_contents)}
    members = [member(name, content) for name, content in listed.items()]
    archive = StoredArchive(members, Checksums(), limits)
    whole = b"".join(archive.read())
    assert len(whole) == archive.size
    assert read_back(whole) == listed
    assert b"".join(zips.stream(members, Checksums(), limits)) == whole


@given(contents, bounds, st.data())
def test_any_span_is_what_the_whole_has_there(given_contents, limits, data) -> None:
    members = [member(f"{n}", content, identity=f"{n}") for n, content in enumerate(given_contents)]
    checksums = Checksums(data.draw(st.sampled_from([1, 100])))
    archive = StoredArchive(members, checksums, limits)
    whole = b"".join(StoredArchive(members, Checksums(), limits).read())
    start = data.draw(st.integers(0, len(whole)))
    stop = data.draw(st.integers(start, len(whole)))
    assert b"".join(archive.read(range(start, stop))) == whole[start:stop]


@given(contents, bounds, st.booleans())
def test_what_is_made_comes_out_as_it_was_made(given_contents, limits, is_known) -> None:
    listed = {f"{number}": content for number, content in enumerate(given_contents)}
    members = [made(name, content, most=len(content) if is_known else None) for name, content in listed.items()]
    assert read_back(b"".join(zips.stream(members, Checksums(), limits))) == listed


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e9, max_value=1e11))
def test_every_moment_has_a_date_that_can_be_read(modified: float) -> None:
    each = Member(name="x", modified=modified, size=0, read=lambda span: iter(()))
    with zipfile.ZipFile(io.BytesIO(b"".join(zips.stream([each], Checksums())))) as opened:
        year, month, day, *_ = opened.infolist()[0].date_time
    assert 1980 <= year <= 2107
    assert 1 <= month <= 12
    assert 1 <= day <= 31


def test_dates_are_those_of_the_data() -> None:
    with zipfile.ZipFile(io.BytesIO(b"".join(StoredArchive([member("x", b"1")], Checksums()).read()))) as opened:
        assert opened.infolist()[0].date_time == (2023, 11, 14, 22, 13, 20)


def test_unzip_agrees_also_with_the_forms_of_zip64(tmp_path: Path) -> None:
    unzip = shutil.which("unzip")
    if unzip is None:
        pytest.skip("unzip is not installed here")
    for limits in (FORMAT, TINY):
        members = [member("S/1", b"a" * 200), made("S/2", b"b" * 200), member("S/3", b""), made("S/4", b"c", most=1)]
        file = tmp_path / "x.zip"
        file.write_bytes(b"".join(zips.stream(members, Checksums(), limits)))
        subprocess.run([unzip, "-tq", file], check=True, capture_output=True)
        subprocess.run([unzip, "-oq", file, "-d", tmp_path], check=True, capture_output=True)
        assert (tmp_path / "S/2").read_bytes() == b"b" * 200
        assert (tmp_path / "S/1").stat().st_mode & 0o777 == 0o644


def test_zip64_only_where_it_is_needed() -> None:
    small = b"".join(StoredArchive([member("x", b"1")], Checksums()).read())
    assert struct.unpack_from("<H", small, 4) == (20,)
    assert b"PK\6\6" not in small
    large = b"".join(StoredArchive([member("x", b"1" * 100)], Checksums(), TINY).read())
    assert struct.unpack_from("<H", large, 4) == (45,)
    assert b"PK\6\6" in large


def test_a_file_beyond_4_gib_and_more_than_65535_of_them_are_told_truly() -> None:
    """Not made here: an archive's end is checked by reading its directory alone."""
    record = zip_records.Record(
        name="x", modified=0, method=0, is_large=True, is_followed=False, stored_size=5 << 30, size=5 << 30
    )
    line = zip_records.write_central(record, 6 << 30)
    extra = line[-28:]
    assert struct.unpack("<HHQQQ", extra) == (1, 24, 5 << 30, 5 << 30, 6 << 30)
    many = [member(f"{number}", b"") for number in range(70_000)]
    with zipfile.ZipFile(io.BytesIO(b"".join(StoredArchive(many, Checksums()).read()))) as opened:
        assert len(opened.infolist()) == 70_000


def test_a_member_that_breaks_ends_the_archive_before_its_directory() -> None:
    def read(span: range | None) -> Iterator[bytes]:
        yield b"12345"
        raise errors.Unavailable("the stored bytes are damaged")

    for size in (10, zips.HELD + 1):
        broken = Member(name="b", modified=0, size=size, read=read)
        for archive in (
            StoredArchive([member("a", b"1"), broken, member("c", b"3")], Checksums()).read(),
            zips.stream([member("a", b"1"), broken, member("c", b"3")], Checksums()),
        ):
            got = bytearray()
            with pytest.raises(errors.Unavailable):
                drain(archive, got)
            assert not zipfile.is_zipfile(io.BytesIO(bytes(got)))


def test_a_file_of_another_size_than_was_told_ends_the_archive() -> None:
    for content in (b"123", b"12345"):
        each = Member(name="x", modified=0, size=4, read=lambda span, content=content: iter([content]))
        with pytest.raises(errors.Unavailable):
            list(StoredArchive([each], Checksums()).read())


def test_a_file_that_changes_between_its_checksum_and_its_leaving_ends_the_archive(monkeypatch) -> None:
    monkeypatch.setattr(zips, "HELD", 0)
    versions = iter([b"first", b"other"])
    each = Member(name="x", modified=0, size=5, read=lambda span: iter([next(versions)]))
    with pytest.raises(errors.Unavailable):
        list(StoredArchive([each], Checksums()).read())


def test_what_grows_beyond_its_bound_ends_the_archive() -> None:
    with pytest.raises(errors.Unavailable):
        list(zips.stream([made("x", b"x" * 2000, most=10)], Checksums(), Bounds(size=1100)))


def test_a_checksum_is_made_once_for_bytes_that_are_known() -> None:
    reads = []

    def read(span: range | None) -> Iterator[bytes]:
        reads.append(span)
        return iter([b"12345"[span.start : span.stop] if span else b"12345"])

    each = Member(name="x", modified=0, size=5, read=read, identity="x")
    checksums = Checksums()
    archive = StoredArchive([each], checksums)
    whole = b"".join(archive.read())
    assert checksums.find("x") == zlib.crc32(b"12345")
    assert reads == [None]
    assert b"".join(archive.read(range(archive.size - 60, archive.size))) == whole[-60:]
    assert reads == [None]


def test_memory_does_not_grow_with_the_archive() -> None:
    chunk = bytes(1 << 19)

    def many(count: int) -> Iterator[Member]:
        for number in range(count):
            size = (1 << 19) * (20 if number % 10 == 0 else 2)
            yield Member(
                name=f"S/{number:05d}",
                modified=0,
                size=size,
                read=lambda span, size=size: (chunk for _ in range(size // len(chunk))),
            )

    peaks = []
    for count in (20, 200):
        tracemalloc.start()
        for _ in zips.stream(many(count), Checksums()):
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + (1 << 20)
