"""DICOMDIR records of objects as they come: without numbers, with odd values, of every kind (PS3.3 §F.3 to §F.5)."""

from __future__ import annotations

import io
import tracemalloc
from contextlib import closing
from typing import Any

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomgate.dicom import directory_records
from dicomgate.dicom.uids import Target
from dicomgate.origin import Facts
from dicomgate.representations.directories import Directory

pytestmark = pytest.mark.slow  # the fast loop stays under a minute

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"


def facts(series: int, instance: int, sop_class: str = CT) -> Facts:
    return Facts(
        target=Target("1.2", f"1.2.{series}", f"1.2.{series}.{instance}"),
        sop_class=sop_class,
        transfer_syntax=EXPLICIT,
        size=1,
        digest="d",
        version="d",
        is_lossy=False,
        frame_count=1,
    )


def filled(counts: list[int], attributes: dict[str, Any]) -> Directory:
    directory = Directory()
    for series, count in enumerate(counts, 1):
        for instance in range(1, count + 1):
            directory.add(("DICOM", f"S{series}", f"I{instance}"), facts(series, instance), EXPLICIT, attributes)
    return directory


def records_of(content: bytes) -> list[Any]:
    """Read by offsets, as they are meant: depth first."""
    dataset = pydicom.dcmread(io.BytesIO(content), force=False)
    by_offset = {record.seq_item_tell: record for record in dataset.DirectoryRecordSequence}
    assert dataset.OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity in by_offset
    found: list[Any] = []
    waiting = [dataset.OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity]
    while waiting:
        at = waiting.pop()
        if at:
            record = by_offset[at]
            found.append(record)
            waiting += [record.OffsetOfTheNextDirectoryRecord, record.OffsetOfReferencedLowerLevelDirectoryEntity]
    assert len(found) == len(by_offset)
    return found


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.data())
def test_every_record_is_reached_and_any_span_is_what_the_whole_has_there(counts: list[int], data: Any) -> None:
    name = {"00100010": {"vr": "PN", "Value": [{"Alphabetic": "Müller"}]}}
    with closing(filled(counts, name)) as directory:
        size = directory.finish()
        whole = b"".join(directory.read())
        assert len(whole) == size
        types = [record.DirectoryRecordType for record in records_of(whole)]
        expected = [kind for count in counts for kind in ("SERIES", *["IMAGE"] * count)]
        assert types == ["PATIENT", "STUDY", *expected]
        start = data.draw(st.integers(0, size))
        stop = data.draw(st.integers(start, size))
        assert b"".join(directory.read(range(start, stop))) == whole[start:stop]


def test_numbers_that_are_missing_are_counted_and_nothing_else_is_made_up() -> None:
    directory = filled([2], {})
    directory.finish()
    patient, study, series, first, second = records_of(b"".join(directory.read()))
    directory.close()
    assert (patient.PatientID, study.StudyDate) == ("", "")
    assert (study.StudyInstanceUID, series.SeriesNumber) == ("1.2", 1)
    assert (first.InstanceNumber, second.InstanceNumber) == (1, 2)
    assert list(first.ReferencedFileID) == ["DICOM", "S1", "I1"]
    assert first.ReferencedSOPInstanceUIDInFile == "1.2.1.1"


@pytest.mark.parametrize(
    "element",
    [
        {"vr": "LO", "BulkDataURI": "/x"},
        {"vr": "US", "Value": [5]},
        {"vr": "LO", "Value": [{"Alphabetic": "x"}]},
        {"vr": "LO"},
    ],
)
def test_a_value_that_cannot_stand_in_a_record_is_left_empty(element: dict[str, Any]) -> None:
    directory = filled([1], {"00100020": element})
    directory.finish()
    assert records_of(b"".join(directory.read()))[0].PatientID == ""
    directory.close()


def test_the_same_files_have_the_same_directory_and_others_another() -> None:
    contents = []
    for counts in ([2, 1], [2, 1], [1, 2]):
        directory = filled(counts, {})
        directory.finish()
        contents.append(b"".join(directory.read()))
        directory.close()
    assert contents[0] == contents[1]
    uids = [str(pydicom.dcmread(io.BytesIO(each)).file_meta.MediaStorageSOPInstanceUID) for each in contents]
    assert uids[0] != uids[2]
    assert all(len(uid) == 44 for uid in uids)


@pytest.mark.parametrize(
    ("number", "has_frames", "kind"),
    [
        ("2", True, "IMAGE"),
        ("481.1", True, "IMAGE"),
        ("66.4", True, "IMAGE"),
        ("88.34", False, "SR DOCUMENT"),
        ("88.59", False, "KEY OBJECT DOC"),
        ("11.12", False, "PRESENTATION"),
        ("104.3", False, "ENCAP DOC"),
        ("9.1.1", False, "WAVEFORM"),
        ("66", False, "RAW DATA"),
        ("999", False, "PRIVATE"),
    ],
)
def test_the_type_of_a_record_follows_from_the_class(number: str, has_frames: bool, kind: str) -> None:
    assert directory_records.kind(f"1.2.840.10008.5.1.4.1.1.{number}", has_frames=has_frames) == kind
    assert kind in directory_records.KEYS


def test_another_number_tells_nothing() -> None:
    assert directory_records.kind("88.11", has_frames=False) == "PRIVATE"


def test_memory_does_not_grow_with_the_number_of_files() -> None:
    peaks = []
    for count in (5_000, 10_000):
        tracemalloc.start()
        directory = filled([count], {"00200013": {"vr": "IS", "Value": [7]}})
        directory.finish()
        for _ in directory.read():
            pass
        directory.close()
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + (1 << 19)
