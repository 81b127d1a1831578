"""What pydicom reads in a file against what it reads in our metadata of it: differences in words."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset, FileDataset
from pydicom.filewriter import correct_ambiguous_vr
from pydicom.tag import BaseTag, Tag
from pydicom.uid import UID
from pydicom.values import convert_value

Fetch = Callable[[str], bytes]

PIXEL_DATA = 0x7FE00010
CHARACTER_SET = 0x00080005
AVAILABLE_SYNTAXES = 0x00083002
TRAILING_PADDING = 0xFFFCFFFC
WORDS = {"OW": 2, "US": 2, "SS": 2, "OL": 4, "OF": 4, "OD": 8, "OV": 8}
BYTES = {"OB", "OW", "OD", "OF", "OL", "OV", "UN"}


def read_metadata(tree: dict[str, Any], fetch: Fetch) -> Dataset:
    """pydicom's reading of one JSON data set; every BulkDataURI is dereferenced, compressed pixel data aside."""

    def dereference(tag: str, vr: str, uri: str) -> Any:
        if int(tag, 16) == PIXEL_DATA:
            return uri
        content = fetch(uri)
        if vr in BYTES:
            return content
        raw = RawDataElement(Tag(tag), vr, len(content), content, 0, False, True)
        return convert_value(vr, raw, ["utf-8"])

    return Dataset.from_json(tree, bulk_data_uri_handler=dereference)


def differences(file: FileDataset, metadata: Dataset) -> Iterator[str]:
    """Every place where the metadata says something else than the file."""
    syntax = UID(file.file_meta.get("TransferSyntaxUID", "1.2.840.10008.1.2"))
    is_big = syntax == "1.2.840.10008.1.2.2"
    correct_ambiguous_vr(file, not is_big)
    if CHARACTER_SET in file and metadata[CHARACTER_SET].value != "ISO_IR 192":
        yield f"the character set is said to be {metadata[CHARACTER_SET].value}, but JSON is UTF-8"
    if AVAILABLE_SYNTAXES not in metadata:
        yield "no Available Transfer Syntax UID"
    yield from _compare(file, metadata, "", is_big=is_big, is_top=True)


def _is_expected(tag: BaseTag, *, is_top: bool) -> bool:
    """Group lengths, group 2 and trailing padding have no place in metadata (JSON-02)."""
    if is_top and tag in {CHARACTER_SET, AVAILABLE_SYNTAXES}:
        return False
    return tag.element != 0 and tag.group != 2 and tag != TRAILING_PADDING and tag != CHARACTER_SET


def _compare(file: Dataset, metadata: Dataset, path: str, *, is_big: bool, is_top: bool = False) -> Iterator[str]:
    wanted = {tag for tag in file.keys() if _is_expected(tag, is_top=is_top)}  # noqa: SIM118 - values are not read yet
    got = {tag for tag in metadata.keys() if _is_expected(tag, is_top=is_top)}  # noqa: SIM118
    yield from (f"{path}{tag} is missing" for tag in sorted(wanted - got))
    yield from (f"{path}{tag} was invented" for tag in sorted(got - wanted))
    for tag in sorted(wanted & got):
        if tag.is_private and metadata[tag].VR == "UN":
            # Without a VR in the file only a dictionary of private elements could tell it: the bytes must be the same.
            stored = file.get_item(tag, keep_deferred=True).value or b""
            if stored != (metadata[tag].value or b""):
                yield f"{path}{tag} is other bytes"
        else:
            yield from _compare_element(file[tag], metadata[tag], f"{path}{tag}", is_big=is_big)


def _compare_element(file: DataElement, got: DataElement, path: str, *, is_big: bool) -> Iterator[str]:
    if file.tag == PIXEL_DATA:
        return
    if file.VR == "SQ" and got.VR == "SQ":
        if len(file.value) != len(got.value):
            yield f"{path} has {len(got.value)} items instead of {len(file.value)}"
            return
        for number, (one, other) in enumerate(zip(file.value, got.value, strict=True), 1):
            yield from _compare(one, other, f"{path}[{number}].", is_big=is_big)
        return
    if file.VR != got.VR:
        yield f"{path} is {got.VR} instead of {file.VR}"
        return
    one, other = _plain(file, is_big=is_big), _plain(got, is_big=False)
    if not _is_equal(one, other):
        yield f"{path} {file.VR} is {str(other)[:60]!r} instead of {str(one)[:60]!r}"


def _plain(element: DataElement, *, is_big: bool) -> Any:
    """The value as plain Python, so that two ways to it can be compared."""
    value = element.value
    if value is None or (isinstance(value, str | bytes | list) and len(value) == 0):
        return []
    if isinstance(value, bytes):
        word = WORDS.get(element.VR, 1) if is_big else 1
        content = _swapped(value, word)
        return [content[:-1] if len(content) % 2 == 0 and element.VR == "OB" and not content[-1] else content]
    values = list(value) if element.VM > 1 else [value]
    return [_scalar(element.VR, one) for one in values]


def _scalar(vr: str, value: Any) -> Any:
    if value is None or value == "":
        return ""
    match vr:
        case "DS" | "FL" | "FD":
            return float(value)
        case "IS":
            return int(value)
        case "PN":
            return tuple(str(component).rstrip("^ ") for component in value.components)
        case "AT":
            return int(value)
        case _:
            return value.strip(" \0") if isinstance(value, str) else value


def _swapped(content: bytes, word: int) -> bytes:
    if word == 1:
        return content
    return b"".join(content[at : at + word][::-1] for at in range(0, len(content), word))


def _is_equal(one: Any, other: Any) -> bool:
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(_is_equal(*pair) for pair in zip(one, other, strict=True))
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-12) or (math.isnan(one) and math.isnan(other))
    return bool(one == other)
