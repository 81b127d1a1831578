"""A real server over small series made in code, asked as a client asks."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import generate_uid

from dicomgate.testing import instances
from dicomgate.testing.serving import Reply, Served

CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"
LEGACY_CT = "1.2.840.10008.5.1.4.1.1.2.2"
STATE, KEY_OBJECTS = "1.2.840.10008.5.1.4.1.1.11.1", "1.2.840.10008.5.1.4.1.1.88.59"
EXPLICIT = "1.2.840.10008.1.2.1"
_RELATED = 'multipart/related; type="application/dicom"; boundary=views-boundary'


def uid(*names: object) -> str:
    return str(generate_uid(entropy_srcs=["views", *map(str, names)]))


def slice_of(study: str, number: int = 1, *, series: str = "1", syntax: str = EXPLICIT, **attributes: Any) -> bytes:
    """One CT slice, as a file; keywords set attributes."""
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = CT, uid(study, series, number)
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = uid(study), uid(study, series)
    dataset.FrameOfReferenceUID = uid(study, "space")
    dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate, dataset.PatientSex = f"{study}^Eva", study, "", ""
    dataset.StudyDate, dataset.StudyTime, dataset.StudyID, dataset.AccessionNumber = "20240102", "101500", "1", ""
    dataset.SeriesNumber, dataset.SeriesDescription, dataset.Modality = int(series), "Thorax", "CT"
    dataset.Manufacturer, dataset.ReferringPhysicianName, dataset.BodyPartExamined = "ACME", "", "CHEST"
    dataset.ImageType, dataset.InstanceNumber, dataset.AcquisitionNumber = ["ORIGINAL", "PRIMARY", "AXIAL"], number, 1
    dataset.AcquisitionDate, dataset.AcquisitionTime = "20240102", f"10{number // 60 % 60:02d}{number % 60:02d}"
    dataset.ImagePositionPatient = [-10, -10, 5 * number]
    dataset.ImageOrientationPatient, dataset.PixelSpacing = [1, 0, 0, 0, 1, 0], [0.5, 0.5]
    dataset.SliceThickness, dataset.KVP, dataset.PositionReferenceIndicator = 5, 120, ""
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.Rows, dataset.Columns = 1, "MONOCHROME2", 8, 8
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    dataset.RescaleSlope, dataset.RescaleIntercept, dataset.WindowCenter, dataset.WindowWidth = 1, -1024, 40, 400
    dataset.PixelData = pixels(number)
    dataset["PixelData"].VR = "OW"
    for name, value in attributes.items():
        if callable(value):
            value(dataset)
        else:
            setattr(dataset, name, value)
    return instances.write(dataset, syntax)


def pixels(number: int) -> bytes:
    return b"".join(((number * 64 + at) % 4096).to_bytes(2, "little") for at in range(64))


def key_object(study: str, *numbers: int) -> bytes:
    """A key object selection that refers to slices."""
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = KEY_OBJECTS, uid(study, "keys")
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = uid(study), uid(study, "9")
    dataset.PatientName, dataset.PatientID, dataset.Modality, dataset.SeriesNumber = f"{study}^Eva", study, "KO", 9
    images = Sequence()
    for number in numbers:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = CT, uid(study, "1", number)
        images.append(item)
    series, whole = Dataset(), Dataset()
    series.SeriesInstanceUID, series.ReferencedSOPSequence = uid(study, "1"), images
    whole.StudyInstanceUID, whole.ReferencedSeriesSequence = uid(study), Sequence([series])
    dataset.CurrentRequestedProcedureEvidenceSequence = Sequence([whole])
    return instances.write(dataset, EXPLICIT)


@dataclass(frozen=True)
class Service:
    served: Served

    def get(self, path: str, accept: str | None = None, method: str = "GET", **headers: str) -> Reply:
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        if accept is not None:
            fields["Accept"] = accept
        return self.served.ask(method, path.removeprefix(self.served.url), fields)

    def json(self, path: str) -> list[dict[str, Any]]:
        reply = self.get(path, "application/dicom+json")
        assert reply.status in (200, 204), reply.body
        found: list[dict[str, Any]] = json.loads(reply.body) if reply.status == 200 else []
        return found

    def store(self, *contents: bytes) -> None:
        head = b"--views-boundary\r\nContent-Type: application/dicom\r\n\r\n"
        body = b"".join(head + content + b"\r\n" for content in contents) + b"--views-boundary--\r\n"
        reply = self.served.ask("POST", "/dicomweb/studies", {"Content-Type": _RELATED}, body)
        assert reply.status == 200, reply.body

    def file(self, path: str) -> bytes:
        reply = self.get(path, "application/dicom; transfer-syntax=*")
        assert reply.status == 200, reply.body
        return reply.body


def value(dataset: dict[str, Any], tag: str) -> Any:
    return dataset.get(tag, {}).get("Value", [None])[0]


def address(dataset: dict[str, Any]) -> str:
    study, series, instance = (value(dataset, tag) for tag in ("0020000D", "0020000E", "00080018"))
    return f"/studies/{study}/series/{series}/instances/{instance}"
