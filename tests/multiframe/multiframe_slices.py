"""Small CT, MR and PET slices made in code, and whole series of files, as sources of conversions."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from dicomgate.dicom import values
from dicomgate.dicom.source import BytesSource
from dicomgate.multiframe import classic, enhanced, gather, writing
from dicomgate.multiframe.classes import KINDS, Kind
from dicomgate.multiframe.classic import Classic
from dicomgate.multiframe.enhanced import Enhanced
from dicomgate.testing import instances

DATA = Path(__file__).parents[2] / "../shared/data"
CT, MR, PET = KINDS
IMPLICIT, BIG_ENDIAN = "1.2.840.10008.1.2", "1.2.840.10008.1.2.2"
STUDY, SERIES, SPACE = (generate_uid(entropy_srcs=[name]) for name in ("study", "series", "space"))


class Memory:
    """An instance in memory."""

    def __init__(self, content: bytes) -> None:
        self.bytes = content

    def open(self) -> Any:
        import contextlib

        return contextlib.nullcontext(BytesSource(self.bytes))


def slice_of(kind: Kind = CT, number: int = 1, *, syntax: str = "1.2.840.10008.1.2.1", **attributes: Any) -> bytes:
    """One slice of a series, as a file; keywords set attributes, None removes one."""
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.SOPClassUID, dataset.SOPInstanceUID = kind.classic, generate_uid(entropy_srcs=[kind.name, str(number)])
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.FrameOfReferenceUID = STUDY, SERIES, SPACE
    dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate, dataset.PatientSex = "Müller^Eva", "7", "", "F"
    dataset.StudyDate, dataset.StudyTime, dataset.StudyID, dataset.AccessionNumber = "20240102", "101500", "1", ""
    dataset.ReferringPhysicianName = ""
    dataset.SeriesDate, dataset.SeriesTime, dataset.SeriesNumber = "20240102", "101600", 3
    dataset.SeriesDescription = "Thorax 5.0"
    dataset.AcquisitionDate, dataset.AcquisitionTime = "20240102", f"10{17 + number // 60}{number % 60:02d}"
    dataset.ContentDate, dataset.ContentTime = "20240102", f"10{18 + number // 60}{number % 60:02d}"
    dataset.Modality, dataset.Manufacturer, dataset.BodyPartExamined = kind.modality, "ACME", "CHEST"
    dataset.ImageType, dataset.InstanceNumber, dataset.AcquisitionNumber = ["ORIGINAL", "PRIMARY", "AXIAL"], number, 1
    dataset.PatientPosition, dataset.PositionReferenceIndicator = "HFS", ""
    dataset.ImagePositionPatient = [-10, -10, 5 * number]
    dataset.ImageOrientationPatient, dataset.PixelSpacing = [1, 0, 0, 0, 1, 0], [0.5, 0.5]
    dataset.SliceThickness, dataset.SliceLocation, dataset.KVP = 5, 5.0 * number, 120
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.Rows, dataset.Columns = 1, "MONOCHROME2", 8, 8
    bits = 16 if kind is PET else 12
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, bits, bits - 1, 0
    dataset.RescaleSlope, dataset.RescaleIntercept = 1, -1024
    dataset.WindowCenter, dataset.WindowWidth = 40, 400
    if kind is PET:
        dataset.Units = "BQML"
    dataset.PixelData = b"".join(((number * 64 + at) % 4096).to_bytes(2, "little") for at in range(64))
    dataset["PixelData"].VR = "OW"
    for name, value in attributes.items():
        if value is None:
            delattr(dataset, name)
        elif callable(value):
            value(dataset)
        else:
            setattr(dataset, name, value)
    if syntax == BIG_ENDIAN:
        dataset.PixelData = values.swap(dataset.PixelData, 2)
    return instances.write(dataset, syntax)


def edited(content: bytes, change: Callable[[Dataset], object]) -> bytes:
    """A file after a change by hand."""
    dataset = pydicom.dcmread(io.BytesIO(content))
    change(dataset)
    file = io.BytesIO()
    dataset.save_as(file)
    return file.getvalue()


def sources_of(contents: Iterable[bytes]) -> list[Classic]:
    """Files in memory, as sources."""
    pool = classic.Pool()
    return [classic.read(Memory(content), name=str(n), pool=pool) for n, content in enumerate(contents)]


def described(contents: Iterable[bytes]) -> list[Enhanced]:
    """The objects that files become."""
    settled = enhanced.settle(gather.gather(sources_of(contents)).sets)
    return [enhanced.describe(one) for one in settled]


def written(contents: Iterable[bytes], **how: Any) -> bytes:
    """The one object that files become, as a file."""
    (made,) = described(contents)
    return b"".join(writing.write(made, **how))


def read(content: bytes) -> Dataset:
    """A file as pydicom reads it."""
    return pydicom.dcmread(io.BytesIO(content))


def series_of(folder: str) -> list[Classic]:
    """The readable files of a folder of the shared data, below it, too."""
    pool = classic.Pool()
    paths = [path for path in sorted((DATA / folder).rglob("*")) if path.is_file()]
    return [classic.read(classic.File(path), name=str(path), pool=pool) for path in paths]


CLASSIC_SERIES: Sequence[str] = (
    "series/ct-ibsi-noise",
    "series/ct-ibsi-orientation",
    "series/ct-liver-51",
    "series/mr-ge-dynamic",
    "series/mr-head-100",
    "series/mr-philips-pairs/1901-classic",
    "series/mr-philips-pairs/2001-classic",
    "series/mr-siemens-mosaic",
    "series/mr-siemens-multiecho",
    "series/pet-phantom-89",
    "series/sup157-tiny/image",
    "series/vendors/failing/gantrytilting/001",
    "series/vendors/failing/notavolume/001",
    "series/vendors/failing/slicecount/001",
    "series/vendors/failing/sliceincrement/001",
    "series/vendors/failing/sliceincrement/002",
    "series/vendors/failing/sliceorientation/001",
    "series/vendors/ge/anatomical/001",
    "series/vendors/ge/dti/001",
    "series/vendors/ge/fmri/001",
    "series/vendors/generic/anatomical/001",
    "series/vendors/generic/anatomical/002_non_isotropic",
    "series/vendors/generic/compressed_j2k/001",
    "series/vendors/generic/compressed_jpeg/001",
    "series/vendors/generic/compressed_jpegls/001",
    "series/vendors/generic/compressed_rle/001",
    "series/vendors/hitachi/anatomical/001",
    "series/vendors/philips/anatomical/001",
    "series/vendors/philips/dti/001",
    "series/vendors/philips/fmri/001",
    "series/vendors/siemens/anatomical/001",
    "series/vendors/siemens/dti_classic/001",
    "series/vendors/siemens/fmri/001",
    "studies/IDS-DEPT011-a/images",
    "studies/IDS-DEPT024-a/images",
    "studies/IDS-DEPT041-a/images",
    "studies/IDS-DEPT042-a/images",
    "studies/sts-010/CT",
    "studies/sts-010/MR_T1",
    "studies/sts-010/PET",
)
