"""Small true instances, made in code: PS3.10 files in whatever syntax a test needs."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.uid import UID

from dicomgate.dicom import syntaxes, uids
from dicomgate.dicom.uids import Target

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"


def new_target(study: str | None = None, series: str | None = None) -> Target:
    """A target with new UIDs where none are given."""
    return Target(study or uids.mint(), series or uids.mint(), uids.mint())


def make(
    target: Target | None = None,
    *,
    syntax: str = syntaxes.EXPLICIT_LITTLE,
    rows: int = 8,
    columns: int = 8,
    frames: Sequence[bytes] | None = None,
    has_offset_table: bool = True,
    is_extended: bool = False,
    attributes: Mapping[str, Any] | None = None,
) -> bytes:
    """A secondary capture image as a PS3.10 file.

    `frames` are the frames' bytes: native ones of rows*columns 16-bit words, or codestreams when the syntax is
    encapsulated; without them there is one frame that counts up. `attributes` are set by keyword, last.
    """
    dataset = _describe(target or new_target(), rows, columns)
    content = list(frames) if frames is not None else [counting(rows * columns)]
    if len(content) > 1:
        dataset.NumberOfFrames = len(content)
    _set_pixels(dataset, content, syntax, has_offset_table=has_offset_table, is_extended=is_extended)
    for keyword, value in (attributes or {}).items():
        setattr(dataset, keyword, value)
    return write(dataset, syntax)


def write(dataset: Dataset, syntax: str) -> bytes:
    """The data set as a PS3.10 file."""
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    facts = syntaxes.TABLE[syntax]
    file = io.BytesIO()
    dataset.save_as(
        file, implicit_vr=facts.is_implicit, little_endian=not facts.is_big_endian, enforce_file_format=True
    )
    return file.getvalue()


def counting(words: int) -> bytes:
    """So many 16-bit words that count up, little endian."""
    return b"".join((number % 4096).to_bytes(2, "little") for number in range(words))


def _describe(target: Target, rows: int, columns: int) -> Dataset:
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID = SECONDARY_CAPTURE
    dataset.StudyInstanceUID = target.study
    dataset.SeriesInstanceUID = target.series
    dataset.SOPInstanceUID = target.instance
    dataset.PatientName, dataset.PatientID = "Doe^Jane", "P1"
    dataset.PatientBirthDate, dataset.PatientSex = "19700101", "F"
    dataset.StudyDate, dataset.StudyTime, dataset.AccessionNumber = "20240102", "101500", "A1"
    dataset.ReferringPhysicianName, dataset.StudyID = "Roe^Richard", "1"
    dataset.Modality, dataset.SeriesNumber, dataset.InstanceNumber = "OT", 1, 1
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns = rows, columns
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    return dataset


def _set_pixels(
    dataset: Dataset, frames: list[bytes], syntax: str, *, has_offset_table: bool, is_extended: bool
) -> None:
    facts = syntaxes.TABLE[syntax]
    if not facts.is_encapsulated:
        dataset.PixelData = b"".join(_swap(frame) if facts.is_big_endian else frame for frame in frames)
        dataset["PixelData"].VR = "OW"
        return
    if is_extended:
        value, offsets, lengths = encapsulate_extended(frames)
        dataset.ExtendedOffsetTable, dataset.ExtendedOffsetTableLengths = offsets, lengths
    else:
        value = encapsulate(frames, has_bot=has_offset_table)
    dataset.PixelData = value
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True


def _swap(words: bytes) -> bytes:
    swapped = bytearray(words)
    swapped[0::2], swapped[1::2] = words[1::2], words[0::2]
    return bytes(swapped)
