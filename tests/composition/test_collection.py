"""Which part a BulkDataURI means (STOW-05, T14)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_parts import bulk, collect

from dicomgate.composition import collection
from dicomgate.composition.content import Unfit
from dicomgate.dicom.outcomes import Reason


def content(folder: Path, location: str, uri: str) -> bytes:
    made = collect(folder, bulk("other", b"wrong"), bulk(location, b"right"), bulk("http://else/where", b"wrong"))
    (part,) = made.find(uri)
    source = made.source(part)
    return source.read_at(0, source.size)


@pytest.mark.parametrize(
    ("location", "uri"),
    [
        ("pixels", "pixels"),
        ("pixels", " pixels "),
        ("./pixels", "pixels"),
        ("bulk/../pixels", "pixels"),
        ("/dicomweb/pixels", "pixels"),
        ("http://server/dicomweb/pixels", "pixels"),
        ("http://server/dicomweb/studies/1/bulkdata/7FE00010", "/dicomweb/studies/1/bulkdata/7FE00010"),
        ("/dicomweb/studies/1/bulkdata/7FE00010", "http://server/dicomweb/studies/1/bulkdata/7FE00010"),
        ("HTTP://SERVER/x", "http://server/x"),
        ("urn:uuid:6c2e0b0c-2f4f-4b1e-8d52-3a0b9f0e4a11", "urn:uuid:6c2e0b0c-2f4f-4b1e-8d52-3a0b9f0e4a11"),
        ("cid:1@client", "cid:1@client"),
        ("file:///etc/passwd", "file:///etc/passwd"),
        ("../../../../etc/passwd", "../../../../etc/passwd"),
        ("C:\\images\\1.jpg", "C:\\images\\1.jpg"),
        ("http://[", "http://["),
        ("?offset=1&length=2", "?offset=1&length=2"),
        ("Büld/é".encode().decode("latin-1"), "Büld/é"),
        ("B\xfcld", "B\xfcld"),
        ("", ""),
    ],
)
def test_same_text_or_same_address(tmp_path: Path, location: str, uri: str) -> None:
    assert content(tmp_path, location, uri) == b"right"


@pytest.mark.parametrize("uri", ["Pixels", "pixels2", "pixels#1", "http://else/pixels", "x" * 10_000, "http://["])
def test_anything_else_is_no_answer(tmp_path: Path, uri: str) -> None:
    made = collect(tmp_path, bulk("pixels", b""))
    with pytest.raises(Unfit) as caught:
        made.find(uri)
    assert caught.value.reason is Reason.NO_BULK_DATA
    assert uri not in caught.value.detail


def test_exact_text_goes_before_the_same_address(tmp_path: Path) -> None:
    made = collect(tmp_path, bulk("/dicomweb/pixels", b"1"), bulk("pixels", b"2"), bulk("./pixels", b"3"))
    assert [part.location for part in made.find("pixels")] == ["pixels"]
    assert [part.location for part in made.find("bulk/../pixels")] == ["/dicomweb/pixels", "pixels", "./pixels"]


def test_parts_of_one_location_stay_in_order(tmp_path: Path) -> None:
    made = collect(tmp_path, bulk("a", b"1"), bulk("b", b"2"), bulk("a", b"3"), bulk("a", b"4"))
    made.note(["a", "a"])
    assert [made.source(part).read_at(0, 9) for part in made.find("a")] == [b"1", b"3", b"4"]


def test_one_part_may_serve_two_data_sets_but_frames_may_not(tmp_path: Path) -> None:
    """Two data sets that name frames by one location: whose frames they are cannot be told."""
    made = collect(tmp_path, bulk("logo", b"1"), bulk("frames", b"2"), bulk("frames", b"3"))
    for _ in range(2):
        made.note(["logo", "frames"])
    assert len(made.find("logo")) == 1
    with pytest.raises(Unfit) as caught:
        made.find("frames")
    assert caught.value.reason is Reason.NO_BULK_DATA


def test_frames_are_noted_once_however_many_data_sets_name_them(tmp_path: Path) -> None:
    """Two thousand parts and two thousand data sets of one location are not four million steps."""
    made = collect(tmp_path, *[bulk("frames", b"x")] * 2000)
    looked_at = 0

    class Counted(list[collection.Part]):
        def __iter__(self) -> Iterator[collection.Part]:
            nonlocal looked_at
            looked_at += len(self)
            return super().__iter__()

    for groups in (made._by_text, made._by_address):
        for name in groups:
            groups[name] = Counted(groups[name])
    for _ in range(2000):
        made.note(["frames", "./frames", "x/../frames"])
    assert looked_at == 0
    with pytest.raises(Unfit):
        made.find("frames")
    assert made.unasked == 0


def test_parts_that_nobody_names_are_counted(tmp_path: Path) -> None:
    made = collect(tmp_path, bulk("a", b"1"), bulk("b", b"2"), ({}, b"3"))
    assert made.unasked == 3
    made.note(["a", "c"])
    assert made.unasked == 2


def test_type_that_cannot_be_read_spoils_what_names_it(tmp_path: Path) -> None:
    made = collect(tmp_path, bulk("a", b"1", "nonsense"), bulk("b", b"2", "application/dicom"))
    for uri in "ab":
        with pytest.raises(Unfit) as caught:
            made.find(uri)
        assert caught.value.reason is Reason.WRONG_PART_TYPE


def test_part_that_is_encoded_is_not_taken_for_its_value(tmp_path: Path) -> None:
    """Its text would be stored as pixels, and nobody would know."""
    headers, content = bulk("a", b"AAAA")
    made = collect(tmp_path, (headers | {"content-transfer-encoding": "base64"}, content))
    with pytest.raises(Unfit) as caught:
        made.find("a")
    assert caught.value.reason is Reason.WRONG_PART_TYPE


@pytest.mark.parametrize(
    ("headers", "media_type"),
    [
        ({}, "application/dicom+json"),
        ({"content-location": "a"}, "application/octet-stream"),
        ({"content-type": "application/json"}, "application/dicom+json"),
        ({"content-type": "image/JPG; transfer-syntax=1.2"}, "image/jpeg"),
    ],
)
def test_type_of_a_part(headers: dict[str, str], media_type: str) -> None:
    assert collection.describe(headers, root_type="application/dicom+json").media_type == media_type


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(location=st.text(max_size=40), uri=st.text(max_size=40))
@pytest.mark.slow
def test_any_text_is_compared_and_never_fails(tmp_path: Path, location: str, uri: str) -> None:
    made = collect(tmp_path, bulk(location.encode().decode("latin-1"), b"x"))  # as a header is read
    made.note([uri])
    with contextlib.suppress(Unfit):
        assert len(made.find(uri)) == 1
    assert len(made.find(location)) == 1
