"""A file with some attributes changed: those differ, all others are byte for byte the same (STOW-09, RET-09)."""

from __future__ import annotations

import io
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dicom_encoder as encoder
import dicom_reference as reference
import pydicom
import pytest
from dicom_encoder import BIG, DEFLATED, EXPLICIT, IMPLICIT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_header_encodings import datasets
from test_header_hostile import SEEDS

from dicomgate import errors
from dicomgate.dicom import amend, encode, explicit, header, original_attributes, values
from dicomgate.dicom.frames import FragmentFrames
from dicomgate.dicom.header import Header
from dicomgate.dicom.outline import Outline
from dicomgate.dicom.source import BytesSource

pytestmark = pytest.mark.slow  # the fast loop stays under a minute

NAME = {"vr": "PN", "Value": [{"Alphabetic": "New^Name"}]}
STRANGE = {"vr": "PN", "Value": [{"Alphabetic": "Ωmega^Ж", "Ideographic": "山田^太郎"}]}
RECORD = "04000561"
MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
CHARSET = "00080005"


def read(content: bytes) -> Header:
    return header.read(BytesSource(content))


def write(content: bytes, changes: dict[str, Any], record: dict[str, Any] | None = None) -> bytes:
    source = BytesSource(content)
    chunks = list(amend.amend(source, header.read(source), changes, record))
    assert all(0 < len(chunk) <= 1 << 20 for chunk in chunks)
    return b"".join(chunks)


def bulk_values(content: bytes) -> dict[str, bytes]:
    source = BytesSource(content)
    seen = header.read(source)
    inside, _ = explicit.find_dataset(source, seen)
    return {
        path: even(values.swap(inside.read_at(place.offset, place.length), place.word), place.vr)
        for path, place in seen.bulk.items()
    }


def even(value: bytes, vr: str) -> bytes:
    """With the pad byte that some files lack."""
    return encode.padded(value, vr)


def elements(content: bytes) -> list[tuple[str, bytes]]:
    """Each element of the data set itself, with all its bytes."""
    source = BytesSource(content)
    seen = header.read(source)
    inside, span = explicit.find_dataset(source, seen)
    extents = Outline(inside, span, seen).extents()
    return [(one.tag, inside.read_at(one.span.start, len(one.span))) for one in extents]


def others(dataset: dict[str, Any], *changed: str) -> dict[str, Any]:
    return {tag: element for tag, element in dataset.items() if tag not in {*changed, CHARSET, RECORD}}


def record_of(before: Header, wanted: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    changes = original_attributes.changed(before.attributes, wanted)
    reason = original_attributes.Reason.CORRECT
    record = original_attributes.item(
        before.attributes, changes, moment=MOMENT, system="HERE", reason=reason, with_bulk=True
    )
    return changes, record


def check(content: bytes, wanted: dict[str, Any]) -> bytes:
    """The changed file, after comparing it in every way with the one it was."""
    before = read(content)
    changes, record = record_of(before, wanted)
    result = write(content, changes, record)
    after = read(result)
    for tag, element in changes.items():
        assert after.attributes.get(tag) == element
    assert others(after.attributes, *changes) == others(before.attributes, *changes)
    earlier = before.attributes.get(RECORD, {}).get("Value", [])
    assert after.attributes[RECORD]["Value"][: len(earlier)] == earlier
    assert len(after.attributes[RECORD]["Value"]) == len(earlier) + 1
    last = after.attributes[RECORD]["Value"][-1]
    known = {tag: element for tag, element in last.items() if tag != "04000550"}
    assert known == {tag: element for tag, element in record.items() if tag != "04000550"}
    kept = {path: value for path, value in bulk_values(content).items() if path[:8] not in changes}
    assert {path: value for path, value in bulk_values(result).items() if path[:8] not in {*changes, RECORD}} == {
        path: value for path, value in kept.items() if path[:8] != RECORD
    }
    assert type(after.frames) is type(before.frames)
    if isinstance(before.frames, FragmentFrames) and isinstance(after.frames, FragmentFrames):
        assert after.frames.summary() == before.frames.summary()
        assert after.frames.lengths == before.frames.lengths
    assert after.is_sound
    assert after.target == before.target
    return result


def unchanged_bytes(before: bytes, after: bytes, *changed: str) -> None:
    left = [one for one in elements(before) if one[0] not in {*changed, RECORD} and not one[0].endswith("0000")]
    right = [one for one in elements(after) if one[0] not in {*changed, RECORD} and not one[0].endswith("0000")]
    assert left == right


PLAIN = [
    ("00080020", "DA", "20200101"),
    ("00081030", "LO", "Study "),
    ("00081140", "SQ", [[("00081150", "UI", "1.1"), ("00081155", "UI", "1.2")]]),
    ("00091001", "UN", b"abcd"),
    ("00100010", "PN", "Old^Name"),
    ("00100020", "LO", "ID"),
    ("00280010", "US", 3),
    ("7FE00010", "OW", bytes(range(256)) * 9),
]


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG, DEFLATED])
@pytest.mark.parametrize("undefined", [True, False])
def test_replaced_added_and_removed(syntax: str, undefined: bool) -> None:
    content = encoder.file(PLAIN, syntax, undefined=undefined)
    wanted = {
        "00080050": {"vr": "SH", "Value": ["ADDED"]},
        "00081030": None,
        "00100010": NAME,
        "00100040": {"vr": "CS"},
        "00101002": {"vr": "SQ", "Value": [{"00100020": {"vr": "LO", "Value": ["OTHER"]}}, {}]},
        "00104000": {"vr": "LT", "Value": ["last of the group"]},
    }
    result = check(content, wanted)
    assert read(result).transfer_syntax == {IMPLICIT: IMPLICIT}.get(syntax, EXPLICIT)
    if syntax != BIG:
        unchanged_bytes(content, result, *wanted)
    parsed = pydicom.dcmread(io.BytesIO(result))
    assert parsed.PatientName == "New^Name"
    assert parsed.OtherPatientIDsSequence[0].PatientID == "OTHER"
    assert "StudyDescription" not in parsed
    modified = parsed.OriginalAttributesSequence[0].ModifiedAttributesSequence[0]
    assert modified.PatientName == "Old^Name"
    assert modified.StudyDescription == "Study"
    assert modified.AccessionNumber == ""
    assert parsed.PixelData == bytes(range(256)) * 9


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=40, deadline=None)
@given(datasets, st.sampled_from([EXPLICIT, IMPLICIT, BIG, DEFLATED]), st.booleans())
def test_any_data_set(given_elements: list[Any], syntax: str, undefined: bool) -> None:
    kept = [one for one in given_elements if one[0] not in {CHARSET, RECORD}]
    content = encoder.file(kept, syntax, undefined=undefined)
    result = check(content, {"00100010": NAME, "00081030": None, "00100020": {"vr": "LO", "Value": ["ID"]}})
    if syntax != BIG:
        unchanged_bytes(content, result, "00100010", "00081030", "00100020", CHARSET)


@pytest.mark.parametrize("seed", range(len(SEEDS)))
@pytest.mark.parametrize("name", [NAME, STRANGE])
def test_awkward_files(seed: int, name: dict[str, Any]) -> None:
    check(SEEDS[seed], {"00100010": name, "00081030": None, "00101002": {"vr": "SQ", "Value": [{}]}})


def test_no_change_at_all_is_the_same_data_set() -> None:
    content = encoder.file(PLAIN)
    assert elements(write(content, {})) == elements(content)


def test_items_that_were_recorded_before_stay_in_front() -> None:
    for syntax in (EXPLICIT, IMPLICIT, BIG, DEFLATED):
        for undefined in (True, False):
            earlier = ("04000561", "SQ", [[("04000563", "LO", "EARLIER ")], [("04000563", "LO", "LATER ")]])
            result = check(encoder.file([*PLAIN, earlier], syntax, undefined=undefined), {"00100010": NAME})
            result = check(result, {"00100010": STRANGE})
            systems = [item["04000563"]["Value"] for item in read(result).attributes[RECORD]["Value"]]
            assert systems == [["EARLIER"], ["LATER"], ["HERE"], ["HERE"]]


def test_earlier_items_hidden_in_un() -> None:
    inside = encoder.item(encoder.dataset([("04000563", "LO", "EARLIER ")], IMPLICIT))
    result = check(encoder.file([*PLAIN, ("04000561", "UN", inside)]), {"00100010": NAME})
    assert pydicom.dcmread(io.BytesIO(result)).OriginalAttributesSequence[0].ModifyingSystem == "EARLIER"


def test_a_text_that_the_character_set_has_leaves_the_others_alone() -> None:
    latin = [(CHARSET, "CS", "ISO_IR 100"), ("00081030", "LO", "Größe ".encode("latin-1")), *PLAIN[4:]]
    content = encoder.file(latin)
    result = check(content, {"00100010": {"vr": "PN", "Value": [{"Alphabetic": "Müller"}]}})
    unchanged_bytes(content, result, "00100010")
    assert "Müller".encode("latin-1") in result


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG, DEFLATED])
def test_a_text_that_the_character_set_lacks_turns_all_into_utf_8(syntax: str) -> None:
    inside = [(CHARSET, "CS", "ISO_IR 144"), ("00080104", "LO", "Журнал".encode("iso8859_5"))]
    latin = [
        (CHARSET, "CS", "ISO_IR 100"),
        ("00081030", "LO", "Größe ".encode("latin-1")),
        ("00081140", "SQ", [[("00080104", "LO", "Maß ".encode("latin-1"))], inside]),
        *PLAIN[4:],
    ]
    result = check(encoder.file(latin, syntax), {"00100010": STRANGE})
    parsed = pydicom.dcmread(io.BytesIO(result))
    assert parsed.SpecificCharacterSet == "ISO_IR 192"
    assert parsed.StudyDescription == "Größe"
    assert [item.CodeMeaning for item in parsed.ReferencedImageSequence] == ["Maß", "Журнал"]
    assert str(parsed.PatientName) == "Ωmega^Ж=山田^太郎"


def test_escape_sequences_turn_into_utf_8_only_when_they_must() -> None:
    japanese = [
        (CHARSET, "CS", "\\ISO 2022 IR 87 "),
        ("00081030", "LO", "研究".encode("iso2022_jp")),
        *PLAIN[4:],
    ]
    content = encoder.file(japanese)
    unchanged_bytes(content, check(content, {"00100010": NAME}), "00100010")
    result = check(content, {"00100010": STRANGE})
    assert pydicom.dcmread(io.BytesIO(result)).StudyDescription == "研究"


def test_items_are_read_in_the_character_set_around_them() -> None:
    cyrillic = "Журнал".encode("iso8859_5")
    inside = [("00080104", "LO", cyrillic), ("00081140", "SQ", [[("00080104", "LO", cyrillic)]])]
    content = encoder.file([(CHARSET, "CS", "ISO_IR 144"), ("00081140", "SQ", [inside]), *PLAIN[4:]])
    result = check(content, {"00100010": STRANGE})
    assert result.count("Журнал".encode()) == 2
    assert [tag for tag, _ in elements(result)].count(CHARSET) == 1


def test_a_letter_that_is_another_in_the_character_set_turns_all_into_utf_8() -> None:
    content = encoder.file([(CHARSET, "CS", "ISO_IR 13"), ("00081030", "LO", "ﾔﾏﾀﾞ".encode("shift_jis")), *PLAIN[4:]])
    result = check(content, {"00100010": {"vr": "PN", "Value": [{"Alphabetic": "A~B"}]}})
    parsed = pydicom.dcmread(io.BytesIO(result))
    assert parsed.SpecificCharacterSet == "ISO_IR 192"
    assert parsed.StudyDescription == "ﾔﾏﾀﾞ"


def test_undeclared_letters_are_read_as_before() -> None:
    content = encoder.file([("00081030", "LO", "Größe ".encode("latin-1")), *PLAIN[4:]])
    unchanged_bytes(content, check(content, {"00100010": NAME}), "00100010")
    assert "Größe ".encode() in check(content, {"00100010": STRANGE})


def test_lengths_of_changed_groups_go_and_others_stay() -> None:
    content = encoder.file([("00080000", "UL", 4), ("00100000", "UL", 10), *PLAIN, ("00280000", "UL", 10)])
    result = write(content, {"00100010": NAME})
    tags = [tag for tag, _ in elements(result)]
    assert "00080000" in tags
    assert "00280000" in tags
    assert "00100000" not in tags


def test_both_of_two_elements_are_replaced() -> None:
    twice = encoder.dataset([*encoder.IDENTITY[:2], PLAIN[4], ("00100010", "PN", "Second "), *encoder.IDENTITY[2:]])
    result = write(encoder.wrap(twice), {"00100010": NAME})
    assert [tag for tag, _ in elements(result)].count("00100010") == 1
    assert b"Second" not in result


def test_compressed_pixel_data_is_untouched() -> None:
    jpeg = encoder.head("7FE00010", "OB", encoder.UNDEFINED) + encoder.encapsulated([b"\xff\xd8ab", b"cd"], bytes(4))
    data = encoder.dataset([("00080005", "CS", "ISO_IR 101"), *encoder.IDENTITY, ("00280008", "IS", "1 ")])
    content = encoder.wrap(data + jpeg, "1.2.840.10008.1.2.4.50")
    for name in (NAME, STRANGE):
        result = check(content, {"00100010": name})
        assert read(result).transfer_syntax == "1.2.840.10008.1.2.4.50"
        assert result.endswith(jpeg)


def test_a_compressed_icon_and_large_values_are_remembered() -> None:
    icon = encoder.head("7FE00010", "OB", encoder.UNDEFINED) + encoder.encapsulated([b"\xff\xd8ab", b"cd"])
    table = encoder.element("00281201", "OW", bytes(range(250)) * 20)
    for syntax in (EXPLICIT, "1.2.840.10008.1.2.4.50"):
        content = encoder.dataset(encoder.IDENTITY) + table
        content += encoder.head("00880200", "SQ", len(icon) + 8) + encoder.item(icon)
        result = check(encoder.wrap(content, syntax), {"00281201": None, "00880200": None})
        found = bulk_values(result)
        assert found["04000561/1/04000550/1/00281201"] == bytes(range(250)) * 20
        icon_path = "04000561/1/04000550/1/00880200/1/7FE00010"
        assert b"\xff\xd8ab" in found[icon_path]
        assert [len(piece) for piece in read(result).bulk[icon_path].pieces] == [4, 2]


def test_large_values_turn_with_a_big_endian_file() -> None:
    raw = bytes(range(250)) * 20
    content = encoder.file([("00281201", "OW", raw)], BIG)
    assert bulk_values(check(content, {"00281201": None}))["04000561/1/04000550/1/00281201"] == raw


def test_a_large_value_that_the_file_does_not_have() -> None:
    with pytest.raises(errors.Malformed, match="00281201"):
        write(encoder.file(PLAIN), {"00281201": {"vr": "OW", "BulkDataURI": "x"}})


def test_file_meta_information_says_who_wrote_it_and_keeps_the_rest() -> None:
    group = encoder.element("00020002", "UI", "1.2.840.10008.5.1.4.1.1.7") + encoder.element("00020003", "UI", "9.9 ")
    group += encoder.element("00020010", "UI", IMPLICIT) + encoder.element("00020012", "UI", "1.9 ")
    group += encoder.element("00020016", "AE", "SENDER")
    meta = encoder.element("00020000", "UL", len(group)) + group
    everything = sorted([*PLAIN, *encoder.IDENTITY])
    content = bytes(128) + b"DICM" + meta + encoder.dataset(everything, IMPLICIT)
    seen = read(write(content, {"00080018": {"vr": "UI", "Value": ["1.2.3.9"]}}))
    assert seen.meta["00020003"]["Value"] == ["1.2.3.9"]
    assert seen.meta["00020010"]["Value"] == [IMPLICIT]
    assert seen.meta["00020016"]["Value"] == ["SENDER"]
    assert seen.meta["00020012"]["Value"] != ["1.9"]
    assert seen.is_sound


def test_a_file_without_file_meta_information_gets_one() -> None:
    content = encoder.dataset(sorted([*PLAIN, *encoder.IDENTITY]), IMPLICIT)
    result = check(content, {"00100010": NAME})
    unchanged_bytes(content, result, "00100010")


def test_a_specific_character_set_cannot_be_changed() -> None:
    content = encoder.file([(CHARSET, "CS", "ISO_IR 100"), *PLAIN])
    result = write(content, {CHARSET: {"vr": "CS", "Value": ["ISO_IR 144"]}})
    assert elements(result) == elements(content)


def test_values_that_break_their_vr_are_set_aside() -> None:
    broken = [("00080060", "CS", "Größe ".encode("latin-1")), ("00081140", "SQ", [[("00080060", "CS", "ß".encode())]])]
    before = read(encoder.file(broken))
    changes, record = record_of(before, {"00080060": {"vr": "CS", "Value": ["CT"]}, "00081140": None})
    result = read(write(encoder.file(broken), changes, record)).attributes[RECORD]["Value"][0]
    assert result["04000550"]["Value"][0]["00080060"] == {"vr": "CS"}
    first, second = result["04000551"]["Value"]
    assert first["00720026"]["Value"] == ["00080060"]
    assert first["04000552"]["InlineBinary"] == "R3LDtsOfZQA="
    assert second["00720052"]["Value"] == ["00081140"]
    assert second["00741057"]["Value"] == [1]


def test_the_sequence_with_one_item_more_is_the_same_as_the_item() -> None:
    earlier = ("04000561", "SQ", [[(CHARSET, "CS", "ISO_IR 100"), ("04000563", "LO", "FRÜHER".encode("latin-1"))]])
    content = encoder.file([*PLAIN, earlier])
    before = read(content)
    changes, record = record_of(before, {"00100010": NAME})
    sequence = original_attributes.recorded(before.attributes, record)
    result = write(content, {**changes, RECORD: sequence})
    assert result == write(content, changes, record)
    assert "FRÜHER".encode("latin-1") in result
    other = {"vr": "SQ", "Value": [{"04000563": {"vr": "LO", "Value": ["OTHER"]}}]}
    assert read(write(content, {RECORD: other})).attributes[RECORD] == other
    assert RECORD not in read(write(content, {RECORD: None})).attributes


def test_patient_id_is_recorded_with_its_issuer() -> None:
    before = read(encoder.file([*PLAIN[:6], ("00100021", "LO", "ISSUER")]))
    _, record = record_of(before, {"00100020": {"vr": "LO", "Value": ["OTHER"]}})
    assert list(record["04000550"]["Value"][0]) == ["00100020", "00100021"]


class _Endless:
    """A file of which only the beginning is there: 10 GB of pixel data that nobody has written."""

    def __init__(self, content: bytes, rest: int) -> None:
        self._content = content
        self.size = len(content) + rest

    def read_at(self, offset: int, length: int) -> bytes:
        length = max(0, min(length, self.size - offset))
        return self._content[offset : offset + length].ljust(length, b"\0")


def test_large_objects_stream() -> None:
    rest = 300 << 20
    data = encoder.dataset([*PLAIN[:-1][:3], *encoder.IDENTITY[:0]])
    content = encoder.wrap(data + encoder.head("7FE00010", "OW", rest))
    source = _Endless(content, rest)
    chunks = amend.amend(source, header.read(source), {"00100010": NAME})
    first = next(chunks)
    assert len(first) <= 1 << 20
    assert sum(map(len, chunks)) + len(first) > rest


def files(*folders: str, most: int) -> list[Path]:
    found = [path for folder in folders for path in sorted((reference.DATA / folder).rglob("*")) if path.is_file()]
    return [path for path in found if path.suffix not in {".md", ".tsv", ".txt"} and path.stat().st_size < most]


def check_files(paths: list[Path]) -> int:
    count = 0
    for path in paths:
        content = path.read_bytes()
        try:
            before = read(content)
        except errors.Fault:
            continue
        if before.target is None:
            continue
        for name in (NAME, STRANGE):
            wanted = {"00100010": name, "00100020": {"vr": "LO", "Value": ["X"]}, "00081030": None}
            result = check(content, wanted)
            assert str(agree(content, result, wanted).PatientName).startswith(name["Value"][0]["Alphabetic"])
        if before.encoding.is_little:
            unchanged_bytes(content, check(content, {"00100020": wanted["00100020"]}), "00100020")
        count += 1
    return count


def agree(before: bytes, after: bytes, wanted: dict[str, Any]) -> pydicom.Dataset:
    """What pydicom makes of the changed file, after comparing its pixel data and the tags."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        left, right = (pydicom.dcmread(io.BytesIO(one), force=True) for one in (before, after))
        ignored = {*wanted, CHARSET, RECORD, "FFFCFFFC"}
        missing = {f"{int(tag):08X}" for tag in set(left.keys()) - set(right.keys())} - ignored
        assert all(tag.endswith("0000") for tag in missing)
        if read(before).encoding.is_little:
            pixels = [reference.raw(one, 0x7FE00010) or b"" for one in (left, right)]
            assert pixels[1].removeprefix(pixels[0]) in {b"", b"\0", b" "}
    return right


FILES = files("objects", "charsets", "syntaxes", most=400_000) if reference.DATA.is_dir() else []


@pytest.mark.skipif(not FILES, reason="needs ../shared/data")
def test_real_files() -> None:
    charsets = [path for path in FILES if "charsets" in path.parts]
    assert check_files([*charsets, *[path for path in FILES if "charsets" not in path.parts][::6]]) > 40


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(not FILES, reason="needs ../shared/data")
def test_every_real_file() -> None:
    assert check_files(files("objects", "charsets", "syntaxes", most=30_000_000)) > 150


def test_the_written_values_are_those_of_encode() -> None:
    """The same element in a new file and in a changed one."""
    result = write(encoder.file(PLAIN), {"00100010": NAME})
    assert encode.write_element("00100010", NAME) in result
