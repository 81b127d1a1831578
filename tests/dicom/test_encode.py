"""Data sets of the JSON model as Explicit VR Little Endian: the reader of headers finds them again (PS3.5, Annex F)."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
from dicom_strategies import datasets
from hypothesis import given
from hypothesis import strategies as st

from dicomgate import errors
from dicomgate.dicom import attributes as dictionary
from dicomgate.dicom import encode, header, part10, syntaxes
from dicomgate.dicom.encode import BulkValue, Frames
from dicomgate.dicom.frames import FragmentFrames
from dicomgate.dicom.header import Header
from dicomgate.dicom.source import BytesSource

DATA = Path(__file__).parents[2] / "../shared/data"
UIDS = {
    "00080016": {"vr": "UI", "Value": ["1.2.840.10008.5.1.4.1.1.7"]},
    "00080018": {"vr": "UI", "Value": ["1.2.3.1"]},
    "0020000D": {"vr": "UI", "Value": ["1.2.3.2"]},
    "0020000E": {"vr": "UI", "Value": ["1.2.3.3"]},
}


def write_file(attributes: dict[str, Any], find_bulk: encode.FindBulk = encode.no_bulk, syntax: str = "") -> bytes:
    beginning = part10.write_beginning(
        sop_class=attributes.get("00080016", {}).get("Value", [None])[0],
        instance=attributes.get("00080018", {}).get("Value", [None])[0],
        transfer_syntax=syntax or syntaxes.EXPLICIT_LITTLE,
    )
    return beginning + b"".join(encode.write_dataset(attributes, find_bulk))


def read(content: bytes) -> Header:
    return header.read(BytesSource(content))


def codestreams(content: bytes, frames: FragmentFrames) -> list[bytes]:
    """Each frame's bytes; empty where the fragments cannot be told apart."""
    found = (frames.find(number) or () for number in range(1, frames.count + 1))
    return [b"".join(content[part.start : part.stop] for part in parts) for parts in found]


def bulk_of(content: bytes, seen: Header) -> encode.FindBulk:
    """The bulk data of a little endian file again."""

    def find(path: str, element: dict[str, Any]) -> BulkValue | Frames:
        if path == encode.PIXEL_DATA and isinstance(seen.frames, FragmentFrames):
            frames = codestreams(content, seen.frames)
            return Frames([len(frame) for frame in frames], [[frame] for frame in frames])
        place = seen.bulk[path]
        return BulkValue(place.length, [content[place.offset : place.offset + place.length]])

    return find


@given(datasets())
def test_what_is_written_is_read_again(dataset: dict[str, Any]) -> None:
    seen = read(write_file({**dataset, **UIDS}))
    expected = {**dataset, **UIDS}
    if not encode.is_ascii(expected):
        expected[encode.CHARSET] = {"vr": "CS", "Value": [encode.UNICODE]}
    assert seen.attributes == dict(sorted(expected.items()))


@given(datasets())
@pytest.mark.slow
def test_pydicom_reads_it(dataset: dict[str, Any]) -> None:
    read_again = pydicom.dcmread(io.BytesIO(write_file({**dataset, **UIDS})))
    assert {f"{tag:08X}" for tag in read_again.keys()} >= dataset.keys()  # noqa: SIM118
    for tag in dataset:
        assert dataset[tag]["vr"] == read_again[int(tag, 16)].VR


def files() -> Iterator[Path]:
    for folder in ("objects", "charsets", "syntaxes"):
        yield from sorted(path for path in (DATA / folder).rglob("*") if path.is_file())


@pytest.mark.skipif(not DATA.is_dir(), reason="the shared test data is not here")
@pytest.mark.slow
def test_every_real_header_survives() -> None:
    checked = 0
    differing = []
    for path in files():
        content = path.read_bytes()
        try:
            seen = read(content)
        except errors.Fault:
            continue
        syntax = syntaxes.find(seen.transfer_syntax)
        if (
            seen.is_deflated
            or not seen.encoding.is_little
            or syntax is None
            or any(p.pieces for p in seen.bulk.values())
        ):
            continue
        kept = seen.transfer_syntax if syntax.is_encapsulated else syntaxes.EXPLICIT_LITTLE
        again = read(write_file(seen.attributes, bulk_of(content, seen), kept))
        if again.attributes != _expected(seen.attributes, is_compressed=isinstance(seen.frames, FragmentFrames)):
            differing.append(path.name)
        checked += 1
    assert not differing
    assert checked > 200


def _expected(attributes: dict[str, Any], *, is_compressed: bool) -> dict[str, Any]:
    """Nothing differs but the character set, where texts now need one, and what compressed pixel data must be."""
    if is_compressed:
        attributes = {**attributes, encode.PIXEL_DATA: {**attributes[encode.PIXEL_DATA], "vr": "OB"}}
    if encode.is_ascii(attributes):
        return attributes
    return dict(sorted({**attributes, encode.CHARSET: {"vr": "CS", "Value": [encode.UNICODE]}}.items()))


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1, "1"),
        (1.0, "1"),
        (-0.5, "-0.5"),
        (1e-7, "1e-7"),
        (-1.2345678901e-5, "-1.2345678901e-5"),
        (0.1234567890123456789, "0.12345678901235"),
        (-1 / 3, "-0.3333333333333"),
        (123456789.123456789, "123456789.123457"),
        (-1.2345678901234567e-105, "-1.23456789e-105"),
        (-5701009682398557.0, "-5.7010096824e15"),
        (9007199254740991.0, "9007199254740991"),
    ],
)
def test_numbers_fit_into_sixteen_characters_as_exactly_as_they_can(number: float, text: str) -> None:
    assert encode.format_number(number) == text


@given(st.floats(allow_nan=False, allow_infinity=False, max_value=1e300, min_value=-1e300))
def test_any_number_fits_into_sixteen_characters(number: float) -> None:
    text = encode.format_number(number)
    assert len(text) <= 16
    assert float(text) == pytest.approx(number, rel=1e-8, abs=1e-320)
    assert encode.format_number(float(text)) == text or float(encode.format_number(float(text))) == float(text)


@pytest.mark.parametrize(
    "element",
    [
        {"vr": "US", "Value": [70000]},
        {"vr": "US", "Value": [1.5]},
        {"vr": "US", "Value": ["x"]},
        {"vr": "AT", "Value": ["xyz"]},
        {"vr": "AT", "Value": [5]},
        {"vr": "LO", "Value": [5]},
        {"vr": "LT", "Value": ["a", "b"]},
        {"vr": "DS", "Value": [float("nan")]},
        {"vr": "OB", "InlineBinary": "%%"},
        {"vr": "ZZ", "Value": ["a"]},
        {"vr": "DA", "Value": ["\u00e4"]},
        {"vr": "OB", "BulkDataURI": "x"},
    ],
)
def test_what_no_vr_can_hold_is_malformed(element: dict[str, Any]) -> None:
    dataset = {"00400555": {"vr": "SQ", "Value": [{"00091001": element}]}}
    with pytest.raises(errors.Malformed, match="00400555/1/00091001"):
        b"".join(encode.write_dataset(dataset))


def test_a_long_value_of_a_short_vr_becomes_un_GEN_09() -> None:
    content = write_file({**UIDS, "00200020": {"vr": "LO", "Value": ["x" * 70000]}})
    assert pydicom.dcmread(io.BytesIO(content), defer_size=0).get_item(0x00200020).VR in {"UN", "LO"}
    assert b"\x20\x00\x20\x00UN\0\0" in content


def test_many_frames_have_a_table_of_offsets() -> None:
    frames = [b"\xff\xd8abc", b"\xff\xd8defg", b"\xff\xd8"]
    attributes = {**UIDS, "00280008": {"vr": "IS", "Value": [3]}, "7FE00010": {"vr": "OB", "BulkDataURI": "x"}}
    content = write_file(
        attributes,
        lambda path, element: Frames([len(f) for f in frames], [[f] for f in frames]),
        "1.2.840.10008.1.2.4.50",
    )
    seen = read(content)
    assert isinstance(seen.frames, FragmentFrames)
    found = codestreams(content, seen.frames)
    assert [frame[: len(one)] for frame, one in zip(found, frames, strict=True)] == frames
    assert all(len(frame) - len(one) in {0, 1} for frame, one in zip(found, frames, strict=True))


def test_a_value_has_the_vr_of_the_dictionary_where_none_is_given() -> None:
    assert (
        encode.write_element("00100010", {"Value": [{"Alphabetic": "A^B"}]})[4:6] == dictionary.vr("00100010").encode()
    )
