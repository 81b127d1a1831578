"""What is stored and read while measuring: made in code, the same at every run, nobody's data.

Everything an instance is told apart by has a fixed width, so a new instance is a template with some bytes replaced:
making two hundred of them costs less than storing one.
"""

from __future__ import annotations

import copy
import functools
import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset, FileDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID

from dicomgate.dicom import syntaxes
from dicomgate.samples import modules
from dicomgate.samples.modules import Patient, Series, Study

CT = "1.2.840.10008.5.1.4.1.1.2"
COMPREHENSIVE_SR = "1.2.840.10008.5.1.4.1.1.88.33"
MULTIFRAME_WORD_CAPTURE = "1.2.840.10008.5.1.4.1.1.7.3"

ROWS = COLUMNS = 512
FRAME_SIZE = ROWS * COLUMNS * 2
CT_ELEMENTS = 261
SR_ELEMENTS = 30_000
_CHUNK = 1 << 20
_PRIVATE_VALUES: tuple[tuple[str, object], ...] = (
    ("LO", "PROTOCOL 1.4"),
    ("DS", ["12.5", "-3.25", "0.5"]),
    ("IS", 1284),
    ("SL", 70000),
    ("FD", 0.9765625),
    ("SH", "FAST"),
    ("US", 512),
    ("CS", "PRIMARY"),
    ("UN", b"\x01\x02\x03\x04\x05\x06"),
    ("TM", "101500.125"),
)
PATIENT = Patient(name="Bench^Mark", number="BENCH1", charset="ISO_IR 192", born="19700101", sex="O", age="054Y")


def study_uid(number: int) -> str:
    """The UID of study `number`; always as long as any other."""
    return _uid(1, number)


def series_uid(number: int) -> str:
    """The UID of series `number`."""
    return _uid(2, number)


def instance_uid(number: int) -> str:
    """The UID of instance `number`."""
    return _uid(3, number)


def _uid(kind: int, number: int) -> str:
    return f"2.25.{kind * 10**37 + number}"


@dataclass(frozen=True)
class Template:
    """A PS3.10 file that becomes any number of instances."""

    header: bytes
    rest: bytes  # holds no UID

    def instance(self, study: int, series: int, number: int) -> bytes:
        """The file of one instance."""
        return self.start(study, series, number) + self.rest

    def start(self, study: int, series: int, number: int) -> bytes:
        """The part of the file that differs."""
        changed = self.header
        for old, new in (
            (_uid(1, 0), _uid(1, study)),
            (_uid(2, 0), _uid(2, series)),
            (_uid(3, 0), _uid(3, number)),
        ):
            changed = changed.replace(old.encode(), new.encode())
        return changed.replace(b"IS\x06\x00000000", b"IS\x06\x00%06d" % (number % 1_000_000))

    @property
    def size(self) -> int:
        """How long every instance is."""
        return len(self.header) + len(self.rest)


@functools.cache
def ct() -> Template:
    """A CT slice: 512 x 512 x 16 bit, as many elements as a scanner writes."""
    dataset = _start(CT, "CT")
    _add_acquisition(dataset)
    _add_request(dataset)
    _fill(dataset, CT_ELEMENTS - 1)
    modules.add_pixels(dataset, noise(FRAME_SIZE), COLUMNS, ROWS, stored=16)
    return _template(dataset)


@functools.cache
def small_ct(patient: Patient, accession: str) -> Template:
    """A CT slice of 64 x 64, with fewer elements."""
    dataset = _start(CT, "CT", patient, accession)
    _add_acquisition(dataset)
    _add_request(dataset)
    modules.add_pixels(dataset, noise(8192), 64, 64, stored=16)
    return _template(dataset, 8192)


@functools.cache
def report() -> bytes:
    """A structured report of `SR_ELEMENTS` elements: measurements in groups, with sequences of undefined length."""
    dataset = _start(COMPREHENSIVE_SR, "SR")
    wanted = SR_ELEMENTS - count(dataset) - 1
    dataset.ContentSequence = Sequence([_group(number) for number in range(wanted // 201)])
    _undefine_lengths(dataset)
    return _write(dataset)


@functools.cache
def enhanced() -> bytes:
    """The header of an enhanced image of `SR_ELEMENTS` elements: many frames' items, flat, of defined length."""
    dataset = _start(COMPREHENSIVE_SR, "CT")
    item = Dataset()
    _add_acquisition(item)
    each = count(item)
    items = Sequence([copy.deepcopy(item) for _ in range((SR_ELEMENTS - count(dataset)) // each)])
    dataset.PerFrameFunctionalGroupsSequence = items
    dataset["PerFrameFunctionalGroupsSequence"].is_undefined_length = True
    return _write(dataset)


@dataclass(frozen=True, slots=True)
class LargeFile:
    """A multi-frame instance in a file; renumbering writes only the bytes that differ."""

    path: Path
    template: Template
    offset: int  # of the instance in the file

    def renumber(self, number: int) -> None:
        """Make it instance `number`, of a study and a series of its own."""
        with self.path.open("r+b") as file:
            file.seek(self.offset)
            file.write(self.template.start(number, number, number))


def write_large(path: Path, size: int, before: bytes = b"", after: bytes = b"") -> LargeFile:
    """Write a multi-frame instance of about `size` bytes into a file, with what a request puts around it."""
    frames = size // FRAME_SIZE
    dataset = _start(MULTIFRAME_WORD_CAPTURE, "OT")
    dataset.NumberOfFrames = frames
    modules.add_pixels(dataset, b"", COLUMNS, ROWS, stored=16)
    dataset["PixelData"].VR = "OW"
    header = _write(dataset)[:-4] + (frames * FRAME_SIZE).to_bytes(4, "little")
    frame = noise(FRAME_SIZE)
    with path.open("wb") as file:
        file.write(before + header)
        for _ in range(frames):
            file.write(frame)
        file.write(after)
    return LargeFile(path, Template(header, b""), len(before))


@functools.cache
def noise(size: int) -> bytes:
    """Bytes that no compression and no cache makes smaller."""
    return hashlib.shake_128(b"dicomgate bench").digest(size)


def count(dataset: Dataset) -> int:
    """How many elements, at all depths."""
    return sum(1 for _ in _walk(dataset))


def _walk(dataset: Dataset) -> Iterator[None]:
    for element in dataset:
        yield None
        if element.VR == "SQ":
            for item in element.value:
                yield from _walk(item)


def _start(sop_class: str, modality: str, patient: Patient = PATIENT, accession: str = "BENCH0001") -> FileDataset:
    study = Study(
        patient=patient, key="bench", date="20240102", time="101500", description="Bench", accession=accession
    )
    series = Series(study=study, number=1, modality=modality, description="Thin slices", body_part="CHEST")
    dataset = modules.instance(series, sop_class, 1)
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = _uid(1, 0), _uid(2, 0)
    dataset.SOPInstanceUID = _uid(3, 0)
    dataset.file_meta.MediaStorageSOPInstanceUID = UID(dataset.SOPInstanceUID)
    dataset.InstanceNumber = "000000"
    return dataset


def _add_acquisition(dataset: Dataset) -> None:
    modules.add_frame_of_reference(dataset, "bench")
    modules.add_plane(dataset, (-180.5, -180.5, 42.25), 0.703125, 1.25)
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.AcquisitionNumber = 1
    dataset.AcquisitionDate, dataset.AcquisitionTime = "20240102", "101733.25"
    dataset.ScanOptions, dataset.KVP, dataset.DataCollectionDiameter = "HELICAL MODE", "120", "500"
    dataset.ReconstructionDiameter, dataset.GantryDetectorTilt, dataset.TableHeight = "360", "0", "152.5"
    dataset.RotationDirection, dataset.ExposureTime, dataset.XRayTubeCurrent, dataset.Exposure = "CW", 500, 320, 160
    dataset.FilterType, dataset.GeneratorPower, dataset.FocalSpots = "BODY", 38400, "1.2"
    dataset.ConvolutionKernel, dataset.ProtocolName = "STANDARD", "CHEST ROUTINE"
    dataset.RevolutionTime, dataset.SingleCollimationWidth, dataset.TotalCollimationWidth = 0.5, 0.625, 40.0
    dataset.SpiralPitchFactor, dataset.CTDIvol = 0.984375, 11.25
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = "-1024", "1", "HU"
    dataset.WindowCenter, dataset.WindowWidth = ["40", "-600"], ["400", "1500"]


def _add_request(dataset: Dataset) -> None:
    dataset.ProcedureCodeSequence = modules.sequence(modules.coded("24627-2", "LN", "Chest CT"))
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = CT, modules.uid("bench", "localizer")
    dataset.ReferencedImageSequence = modules.sequence(reference)
    request = Dataset()
    request.RequestedProcedureID, request.ScheduledProcedureStepID = "RP1", "SPS1"
    request.RequestedProcedureDescription = "CT of the chest"
    request.ScheduledProtocolCodeSequence = modules.sequence(modules.coded("CHEST1", "99BENCH", "Chest routine"))
    dataset.RequestAttributesSequence = modules.sequence(request)


def _fill(dataset: Dataset, wanted: int) -> None:
    """Private elements until there are so many, as scanners have them; the image pixel module is yet to come."""
    pixels = Dataset()
    modules.add_pixels(pixels, b"", COLUMNS, ROWS, stored=16)
    wanted -= count(pixels) - 1
    missing = wanted - count(dataset)
    for group in range(0x0009, 0x0099, 2):
        block = dataset.private_block(group, "BENCH", create=True)
        missing -= 1
        for number in range(min(missing, 40)):
            vr, value = _PRIVATE_VALUES[number % len(_PRIVATE_VALUES)]
            block.add_new(number, vr, value)
        missing -= min(missing, 40)
        if missing <= 0:
            return


def _group(number: int) -> Dataset:
    """A container of 200 elements."""
    item = _content("CONTAINER", modules.coded("125007", "DCM", f"Measurement group {number}"))
    item.ContinuityOfContent = "SEPARATE"
    item.ContentSequence = Sequence([_measurement(number, place) for place in range(16)])
    return item


def _measurement(group: int, place: int) -> Dataset:
    item = _content("NUM", modules.coded("410668003", "SCT", "Length"))
    value = Dataset()
    value.NumericValue = f"{group}.{place}"
    value.MeasurementUnitsCodeSequence = modules.sequence(modules.coded("mm", "UCUM", "millimeter"))
    item.MeasuredValueSequence = modules.sequence(value)
    return item


def _content(value_type: str, concept: Dataset) -> Dataset:
    item = Dataset()
    item.RelationshipType, item.ValueType = "CONTAINS", value_type
    item.ConceptNameCodeSequence = modules.sequence(concept)
    return item


def _undefine_lengths(dataset: Dataset) -> None:
    for element in dataset:
        if element.VR == "SQ":
            element.is_undefined_length = True
            for item in element.value:
                item.is_undefined_length_sequence_item = True
                _undefine_lengths(item)


def _template(dataset: FileDataset, pixels: int = FRAME_SIZE) -> Template:
    content = _write(dataset)
    return Template(content[:-pixels], content[-pixels:])


def _write(dataset: FileDataset) -> bytes:
    content = io.BytesIO()
    pydicom.dcmwrite(content, dataset, enforce_file_format=True)
    assert dataset.file_meta.TransferSyntaxUID == syntaxes.EXPLICIT_LITTLE
    return content.getvalue()
