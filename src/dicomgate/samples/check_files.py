"""A few small instances of many kinds, with UIDs of their own each time, to probe a server with (PS3.3 Annex A)."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from pydicom import uid as uids
from pydicom.dataset import Dataset, FileDataset
from pydicom.encaps import encapsulate

from dicomgate.dicom import syntaxes
from dicomgate.samples import modules
from dicomgate.samples.modules import Patient, Series, Study

COLUMNS, ROWS = 40, 20
FRAMES = 5
_SPARE = 14
_CREATOR = "DICOMGATE CHECK"


def make(seed: str) -> Iterator[tuple[str, bytes]]:
    """Files with the kind of each; other UIDs for another seed.

    One study: `image` (three slices of one series), `movie`, `compressed`, `report`, `document`. Then `spare`, each in
    a study of its own, and `implicit`, which is one more in Implicit VR Little Endian.
    """
    study = _study(seed, 0)
    yield from _images(study)
    yield "movie", modules.write(_movie(study))
    yield "compressed", _compressed(study)
    yield "report", modules.write(_report(study))
    yield "document", modules.write(_document(study))
    for number in range(1, _SPARE + 1):
        yield "spare", modules.write(_slice(_series(_study(seed, number), 1), 1))
    yield "implicit", _implicit(_slice(_series(_study(seed, _SPARE + 1), 1), 1))


def _study(seed: str, number: int) -> Study:
    patient = Patient(
        name="Prüfung^Zoé", number=f"CHECK-{seed}", charset="ISO_IR 100", born="19700102", sex="O", age="055Y"
    )
    return Study(
        patient=patient,
        key=f"check {seed} {number}",
        date="20240215",
        time="101500",
        description="Check of a server",
        accession=f"C{seed}{number}",
    )


def _series(study: Study, number: int, modality: str = "CT") -> Series:
    return Series(study=study, number=number, modality=modality, description="Small pictures", body_part="HEAD")


def _images(study: Study) -> Iterator[tuple[str, bytes]]:
    for number in (1, 2, 3):
        yield "image", modules.write(_slice(_series(study, 1), number))


def _slice(series: Series, number: int) -> FileDataset:
    """A picture of a slope in 12 bits, with a private block, a sequence to search in, and an empty item."""
    dataset = modules.instance(series, uids.CTImageStorage, number)
    dataset.ImageType = ["DERIVED", "PRIMARY", "AXIAL"]
    modules.add_frame_of_reference(dataset, series.study.key)
    modules.add_plane(dataset, (-20.0, -10.0, 2.5 * number), 1.0, 2.5)
    modules.add_pixels(dataset, _slope(number), COLUMNS, ROWS, stored=12)
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = -1024, 1, "HU"
    dataset.WindowCenter, dataset.WindowWidth = 0, 2000
    dataset.KVP, dataset.AcquisitionNumber = 120, 1
    request = Dataset()
    request.ScheduledProcedureStepID, request.RequestedProcedureID = "STEP-1", "PROCEDURE-1"
    dataset.RequestAttributesSequence = modules.sequence(request)
    dataset.AnatomicRegionSequence = modules.sequence(Dataset())
    block = dataset.private_block(0x0019, _CREATOR, create=True)
    block.add_new(0x01, "LO", "Nobody's picture")
    return dataset


def _slope(number: int) -> bytes:
    return struct.pack(
        f"<{ROWS * COLUMNS}H",
        *(100 * number + 40 * column + 10 * row for row in range(ROWS) for column in range(COLUMNS)),
    )


def _movie(study: Study) -> FileDataset:
    """Five grey frames, each a little brighter than the one before."""
    series = _series(study, 2, "OT")
    dataset = modules.instance(series, uids.MultiFrameGrayscaleByteSecondaryCaptureImageStorage, 1)
    dataset.ConversionType = "SYN"
    pixels = b"".join(bytes([40 * frame + column for column in range(COLUMNS)]) * ROWS for frame in range(FRAMES))
    modules.add_pixels(dataset, pixels, COLUMNS, ROWS)
    dataset.NumberOfFrames = FRAMES
    dataset.FrameIncrementPointer = 0x00181063
    dataset.FrameTime = 40
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = 0, 1, "US"
    dataset.PresentationLUTShape = "IDENTITY"
    return dataset


def _compressed(study: Study) -> bytes:
    """A slice in RLE, which every decoder knows."""
    dataset = _slice(_series(study, 3), 1)
    dataset.file_meta.TransferSyntaxUID = uids.RLELossless
    dataset.add_new("PixelData", "OB", encapsulate([_packed(dataset.PixelData)]))
    dataset["PixelData"].is_undefined_length = True
    return modules.write(dataset)


def _packed(words: bytes) -> bytes:
    """RLE of 16-bit words: a segment of upper bytes and one of lower ones, in runs of literals (PS3.5 §G.3)."""
    segments = [_literals(words[1::2]), _literals(words[::2])]
    offsets = (64, 64 + len(segments[0]))
    return struct.pack("<16I", 2, *offsets, *[0] * 13) + b"".join(segments)


def _literals(plane: bytes) -> bytes:
    """Row after row, for no run goes past the end of one."""
    rows = (plane[start : start + COLUMNS] for start in range(0, len(plane), COLUMNS))
    segment = b"".join(bytes([len(row) - 1]) + row for row in rows)
    return segment + b"\0" * (len(segment) % 2)


def _report(study: Study) -> FileDataset:
    dataset = modules.instance(_series(study, 4, "SR"), uids.BasicTextSRStorage, 1)
    dataset.CompletionFlag, dataset.VerificationFlag = "COMPLETE", "UNVERIFIED"
    dataset.ValueType, dataset.ContinuityOfContent = "CONTAINER", "SEPARATE"
    dataset.ConceptNameCodeSequence = modules.sequence(modules.coded("18748-4", "LN", "Diagnostic imaging report"))
    dataset.PerformedProcedureCodeSequence = modules.sequence()
    dataset.ReferencedPerformedProcedureStepSequence = modules.sequence()
    finding = Dataset()
    finding.RelationshipType, finding.ValueType = "CONTAINS", "TEXT"
    finding.ConceptNameCodeSequence = modules.sequence(modules.coded("121071", "DCM", "Finding"))
    finding.TextValue = "A slope from dark to bright"
    dataset.ContentSequence = modules.sequence(finding)
    return dataset


def _document(study: Study) -> FileDataset:
    dataset = modules.instance(_series(study, 5, "DOC"), uids.EncapsulatedPDFStorage, 1)
    dataset.ConversionType, dataset.DocumentTitle, dataset.BurnedInAnnotation = "SYN", "Check", "NO"
    dataset.ConceptNameCodeSequence = modules.sequence()
    dataset.MIMETypeOfEncapsulatedDocument = "application/pdf"
    pdf = _pdf()
    dataset.EncapsulatedDocumentLength = len(pdf)
    dataset.EncapsulatedDocument = pdf + b"\0" * (len(pdf) % 2)
    return dataset


def _pdf() -> bytes:
    """One empty page, and so much of a comment that it is no value to stand in metadata."""
    objects = (
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 100]>>",
    )
    body, offsets = b"%PDF-1.4\n" + b"%" + b"-" * 2000 + b"\n", []
    for number, content in enumerate(objects, 1):
        offsets.append(len(body))
        body += b"%d 0 obj%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    start = len(body)
    body += b"xref\n0 4\n0000000000 65535 f \n" + table
    return body + b"trailer<</Size 4/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % start


def _implicit(dataset: FileDataset) -> bytes:
    dataset.file_meta.TransferSyntaxUID = uids.UID(syntaxes.IMPLICIT_LITTLE)
    return modules.write(dataset)
