"""The attributes that every sample shares, by module (PS3.3 C.7), and the file around them (PS3.10 §7)."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass

import pydicom
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID

from dicomgate.dicom import syntaxes

EDITION = "1"
"""In every UID: raise it when a sample changes, so that old data folders meet new instances, not changed ones."""

_IS_OLD = int(pydicom.__version__.partition(".")[0]) < 3
"""Then the encoding is an attribute of the data set, which pydicom 3 gives up."""

IMPLEMENTATION_CLASS = "2.25.167424861092273120310266150219843297021"


def uid(*names: object) -> str:
    """The same UID for the same names, everywhere and always (PS3.5 B.2)."""
    text = "/".join(("dicomgate samples", EDITION, *map(str, names)))
    digest = bytearray(hashlib.sha256(text.encode()).digest()[:16])
    digest[6], digest[8] = digest[6] & 0x0F | 0x80, digest[8] & 0x3F | 0x80  # UUID version 8, RFC 9562
    return f"2.25.{int.from_bytes(digest, 'big')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """An invented person; `charset` is the Specific Character Set that the name is written in."""

    name: str
    number: str
    charset: str | list[str]
    born: str
    sex: str
    age: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """One visit."""

    patient: Patient
    key: str
    date: str
    time: str
    description: str
    accession: str

    @property
    def uid(self) -> str:
        """Its Study Instance UID."""
        return uid(self.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One series of a study."""

    study: Study
    number: int
    modality: str
    description: str
    body_part: str = ""

    @property
    def uid(self) -> str:
        """Its Series Instance UID."""
        return uid(self.study.key, self.number)


def instance(series: Series, sop_class: str, number: int) -> FileDataset:
    """A data set with patient, study, series, equipment, general image and SOP common modules filled in."""
    sop_instance = uid(series.study.key, series.number, number)
    dataset = FileDataset("", {}, file_meta=_meta(sop_class, sop_instance), preamble=bytes(128))
    _add_patient_and_study(dataset, series.study)
    _add_series_and_equipment(dataset, series)
    dataset.SOPClassUID = sop_class
    dataset.SOPInstanceUID = sop_instance
    dataset.InstanceNumber = number
    dataset.ContentDate, dataset.ContentTime = series.study.date, series.study.time
    dataset.InstanceCreationDate, dataset.InstanceCreationTime = series.study.date, series.study.time
    dataset.TimezoneOffsetFromUTC = "+0000"
    dataset.ImageComments = "Made from formulas; nobody's picture"
    return dataset


def _meta(sop_class: str, sop_instance: str) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(sop_class)
    meta.MediaStorageSOPInstanceUID = UID(sop_instance)
    meta.TransferSyntaxUID = UID(syntaxes.EXPLICIT_LITTLE)
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS)
    meta.ImplementationVersionName = "DICOMGATE"
    return meta


def _add_patient_and_study(dataset: Dataset, study: Study) -> None:
    person = study.patient
    dataset.SpecificCharacterSet = person.charset
    dataset.PatientName = person.name
    dataset.PatientID = person.number
    dataset.PatientBirthDate = person.born
    dataset.PatientSex = person.sex
    dataset.PatientAge = person.age
    dataset.PatientWeight = dataset.PatientSize = None
    dataset.PatientIdentityRemoved = "YES"
    dataset.DeidentificationMethod = "Invented"
    dataset.StudyInstanceUID = study.uid
    dataset.StudyDate, dataset.StudyTime = study.date, study.time
    dataset.StudyDescription = study.description
    dataset.StudyID = study.accession[-4:]
    dataset.AccessionNumber = study.accession
    dataset.ReferringPhysicianName = "Example^Ada"


def _add_series_and_equipment(dataset: Dataset, series: Series) -> None:
    dataset.Modality = series.modality
    dataset.SeriesInstanceUID = series.uid
    dataset.SeriesNumber = series.number
    dataset.SeriesDate, dataset.SeriesTime = series.study.date, series.study.time
    dataset.SeriesDescription = series.description
    dataset.BodyPartExamined = series.body_part
    dataset.Manufacturer = "dicomgate"
    dataset.ManufacturerModelName = "Phantom"
    dataset.DeviceSerialNumber = "1"
    dataset.SoftwareVersions = EDITION
    dataset.InstitutionName = "Example Hospital"
    dataset.StationName = "FORMULA"


def add_frame_of_reference(dataset: Dataset, *names: object) -> None:
    """Frame of Reference module (C.7.4.1)."""
    dataset.FrameOfReferenceUID = uid("frame of reference", *names)
    dataset.PositionReferenceIndicator = ""


def add_plane(dataset: Dataset, corner: tuple[float, float, float], spacing: float, thickness: float) -> None:
    """Image Plane module of an axial slice of somebody on the back, head first (C.7.6.2)."""
    dataset.PatientPosition = "HFS"
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dataset.ImagePositionPatient = [round(value, 4) for value in corner]
    dataset.PixelSpacing = [spacing, spacing]
    dataset.SliceThickness = dataset.SpacingBetweenSlices = thickness
    dataset.SliceLocation = round(corner[2], 4)


def add_pixels(
    dataset: Dataset, pixels: bytes, columns: int, rows: int, *, stored: int = 8, photometric: str = "MONOCHROME2"
) -> None:
    """Image Pixel module, native and unsigned, colour by pixel (C.7.6.3)."""
    samples = 3 if photometric == "RGB" else 1
    allocated = 8 if stored <= 8 else 16
    dataset.SamplesPerPixel = samples
    if samples == 3:
        dataset.PlanarConfiguration = 0
    dataset.PhotometricInterpretation = photometric
    dataset.Rows, dataset.Columns = rows, columns
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = allocated, stored, stored - 1
    dataset.PixelRepresentation = 0
    dataset.LossyImageCompression = "00"
    dataset.BurnedInAnnotation = "NO"
    dataset.add_new("PixelData", "OW" if allocated == 16 else "OB", pixels)


def coded(value: str, scheme: str, meaning: str) -> Dataset:
    """A code sequence item (8.8)."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def sequence(*items: Dataset) -> Sequence:
    """A sequence of items."""
    return Sequence(items)


def write(dataset: FileDataset) -> bytes:
    """The PS3.10 file."""
    content = io.BytesIO()
    if _IS_OLD:
        syntax = dataset.file_meta.TransferSyntaxUID
        dataset.is_little_endian, dataset.is_implicit_VR = syntax.is_little_endian, syntax.is_implicit_VR
        pydicom.dcmwrite(content, dataset, write_like_original=False)
    else:
        pydicom.dcmwrite(content, dataset, enforce_file_format=True)
    return content.getvalue()
