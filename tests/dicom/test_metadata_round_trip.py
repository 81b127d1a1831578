"""The data set of every real file as JSON and as XML, read again, written as a file, read again: the same (JSON, XML)."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import dicom_reference as reference
import pydicom
import pytest

from dicomgate import errors
from dicomgate.dicom import (
    encode,
    explicit,
    frames,
    header,
    jsonmodel,
    normal,
    part10,
    syntaxes,
    values,
    xmlmodel,
    xmlreader,
)
from dicomgate.dicom.encode import BulkValue, Encapsulated
from dicomgate.dicom.frames import FragmentFrames
from dicomgate.dicom.header import Header
from dicomgate.dicom.source import BytesSource

pytestmark = pytest.mark.slow  # the fast loop stays under a minute

FOLDERS = ("objects", "charsets", "syntaxes")


def files(most: int) -> list[Path]:
    found = [path for folder in FOLDERS for path in sorted((reference.DATA / folder).rglob("*")) if path.is_file()]
    return [path for path in found if path.suffix not in {".md", ".tsv", ".txt"} and path.stat().st_size < most]


def bulk_of(source: BytesSource, seen: Header) -> encode.FindBulk:
    inside, _ = explicit.find_dataset(source, seen)

    def find(path: str, element: dict[str, Any]) -> BulkValue | Encapsulated:
        place = seen.bulk[path]
        chunks = [inside.read_at(place.offset, place.length)]
        if place.pieces or (path == encode.PIXEL_DATA and isinstance(seen.frames, FragmentFrames)):
            return Encapsulated(chunks)
        return BulkValue(place.length, frames.swap_words(chunks, place.word))

    return find


def write(attributes: dict[str, Any], find_bulk: encode.FindBulk, syntax: str) -> bytes:
    uids = [attributes.get(tag, {}).get("Value", [None])[0] for tag in ("00080016", "00080018")]
    beginning = part10.write_beginning(sop_class=uids[0], instance=uids[1], transfer_syntax=syntax)
    return beginning + b"".join(encode.write_dataset(attributes, find_bulk))


def without_charset(dataset: dict[str, Any]) -> dict[str, Any]:
    """Which set the texts were written in is the one thing that may differ."""
    return {
        tag: {**element, "Value": [without_charset(item) for item in element["Value"]]}
        if element["vr"] == "SQ" and "Value" in element
        else element
        for tag, element in dataset.items()
        if tag != encode.CHARSET
    }


def compare(left: Any, right: Any) -> None:
    """The same but for the last digits of numbers that files write longer than they may."""
    if isinstance(left, dict):
        assert left.keys() == right.keys()
        for key in left:
            compare(left[key], right[key])
    elif isinstance(left, list):
        assert len(left) == len(right)
        for one, other in zip(left, right, strict=True):
            compare(one, other)
    elif isinstance(left, float):
        assert right == pytest.approx(left, rel=1e-8)
    else:
        assert left == right


def check(path: Path) -> bool:
    content = path.read_bytes()
    source = BytesSource(content)
    try:
        seen = header.read(source)
    except errors.Fault:
        return False
    (parsed,) = jsonmodel.parse(b"[" + jsonmodel.format_dataset(seen.attributes) + b"]")
    assert normal.normalise(parsed).attributes == normal.normalise(seen.attributes).attributes
    compare(seen.attributes, normal.normalise(parsed).attributes)
    known = syntaxes.find(seen.transfer_syntax)
    is_kept = known is None or known.is_encapsulated
    syntax = seen.transfer_syntax if is_kept else syntaxes.EXPLICIT_LITTLE
    result = write(normal.normalise(parsed).attributes, bulk_of(source, seen), syntax)
    again = header.read(BytesSource(result))
    compare(without_charset(seen.attributes), without_charset(again.attributes))
    assert again.target == seen.target
    bulk_is_same(source, seen, BytesSource(result), again)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert len(list(pydicom.dcmread(io.BytesIO(result)).iterall())) >= len(again.attributes)
    compare_xml(seen.attributes)
    return True


def bulk_is_same(source: BytesSource, seen: Header, result: BytesSource, again: Header) -> None:
    assert again.bulk.keys() == seen.bulk.keys()
    inside, _ = explicit.find_dataset(source, seen)
    for path, place in seen.bulk.items():
        before = values.swap(inside.read_at(place.offset, place.length), place.word)
        after = result.read_at(again.bulk[path].offset, again.bulk[path].length)
        assert after.removeprefix(before) in {b"", b"\0", b" "}


def compare_xml(attributes: dict[str, Any]) -> None:
    """XML gives private blocks anew and knows no control characters: two passes agree where one may not."""
    once = normal.normalise(xmlreader.parse(xmlmodel.format_dataset(attributes))).attributes
    twice = normal.normalise(xmlreader.parse(xmlmodel.format_dataset(once))).attributes
    assert twice == once
    public = {tag for tag in attributes if tag[3] in "02468ACE"}
    assert {tag for tag in once if tag[3] in "02468ACE"} == public
    for tag in public - {encode.PIXEL_DATA}:
        if attributes[tag]["vr"] in {"UI", "CS", "US", "FD", "AT", "DA", "TM", "IS", "OB", "OW"}:
            compare(normal.normalise({tag: attributes[tag]}).attributes[tag], once[tag])


FILES = files(400_000) if reference.DATA.is_dir() else []


@pytest.mark.skipif(not FILES, reason="needs ../shared/data")
def test_real_files_survive_being_metadata() -> None:
    assert sum(check(path) for path in FILES[::5]) > 35


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(not FILES, reason="needs ../shared/data")
def test_every_real_file_survives_being_metadata() -> None:
    assert sum(check(path) for path in files(30_000_000)) > 150
