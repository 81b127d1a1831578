"""The reviewer's matrix, rows 44 and 45: metadata with pictures, written from the standard's text (§10.5.1.4, §10.5.2)."""

from __future__ import annotations

import json
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.filebase import DicomBytesIO
from standard_matrix import FAILED, JSON, NATIVE, STORED, XML, first, post, results, retrieved, uids
from standard_service import Service, parts_of

from dicomgate.dicom.uids import Target
from dicomgate.testing import instances


@pytest.fixture(scope="module")
def archive(open_service) -> Service:
    return open_service()


def described(target: Target, link: str, **others: Any) -> dict[str, Any]:
    """A secondary capture's metadata, without a word on its pixels but where they are."""
    return {
        "00080005": {"vr": "CS", "Value": ["ISO_IR 192"]},
        "00080016": {"vr": "UI", "Value": ["1.2.840.10008.5.1.4.1.1.7"]},
        "00080018": {"vr": "UI", "Value": [target.instance]},
        "00080020": {"vr": "DA", "Value": ["20240102"]},
        "00080060": {"vr": "CS", "Value": ["OT"]},
        "00080064": {"vr": "CS", "Value": ["WSD"]},
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Doe^Jane", "Ideographic": "山田^太郎"}]},
        "00100020": {"vr": "LO", "Value": ["MATRIX"]},
        "0020000D": {"vr": "UI", "Value": [target.study]},
        "0020000E": {"vr": "UI", "Value": [target.series]},
        "00200013": {"vr": "IS", "Value": [1]},
        "7FE00010": {"vr": "OB", "BulkDataURI": link},
        **others,
    }


def jpeg(process: str, *, rows: int, columns: int, samples: int, precision: int = 8) -> bytes:
    """The frame of a JPEG (ITU-T T.81 Annex B): headers, an empty scan, an end. Nothing here decodes it."""
    marker = {"baseline": 0xC0, "extended": 0xC1, "lossless": 0xC3, "lossless SV1": 0xC3}[process]
    components = b"".join(bytes([number, 0x11, 0]) for number in range(1, samples + 1))
    frame = bytes([precision, *rows.to_bytes(2), *columns.to_bytes(2), samples]) + components
    selection = 1 if process == "lossless SV1" else 6
    spectral = bytes([selection, 0, 0]) if process.startswith("lossless") else bytes([0, 63, 0])
    scan = bytes([samples]) + b"".join(bytes([number, 0]) for number in range(1, samples + 1)) + spectral
    tables = b"\xff\xc4" + (19).to_bytes(2) + b"\0" + bytes(16)
    return (
        b"\xff\xd8\xff" + bytes([marker]) + (len(frame) + 2).to_bytes(2) + frame
        + tables
        + b"\xff\xda" + (len(scan) + 2).to_bytes(2) + scan
        + b"\x12\x34\x56"
        + b"\xff\xd9"
    )  # fmt: skip


PICTURES = {
    "baseline": ("1.2.840.10008.1.2.4.50", 3, 8),
    "extended": ("1.2.840.10008.1.2.4.51", 1, 12),
    "lossless": ("1.2.840.10008.1.2.4.57", 1, 16),
    "lossless SV1": ("1.2.840.10008.1.2.4.70", 3, 8),
}


@pytest.mark.parametrize("process", PICTURES)
@pytest.mark.parametrize("kind", [JSON, XML])
def test_row_44_jpeg_without_pixel_attributes_is_stored_with_derived_ones(
    archive: Service, process: str, kind: str
) -> None:
    """STOW-06, STOW-07: encapsulated unchanged, under the transfer syntax that its own header names."""
    syntax, samples, precision = PICTURES[process]
    picture = jpeg(process, rows=48, columns=64, samples=samples, precision=precision)
    target, link = instances.new_target(), f"{archive.root}/bulk/{uuid.uuid4().hex}"
    metadata = described(target, link)
    content = json.dumps([metadata]).encode() if kind == JSON else write_xml(metadata)
    reply = post(
        archive,
        kind,
        ({"Content-Type": kind}, content),
        ({"Content-Type": "image/jpeg", "Content-Location": link}, picture),
    )
    assert reply.status == 200, reply.body
    assert uids(reply, STORED) == [target.instance]
    stored = dcmread(DicomBytesIO(retrieved(archive, target).body))
    assert stored.file_meta.TransferSyntaxUID == syntax
    assert stored.file_meta.MediaStorageSOPInstanceUID == stored.SOPInstanceUID == target.instance
    assert stored.file_meta.MediaStorageSOPClassUID == stored.SOPClassUID
    assert (stored.Rows, stored.Columns, stored.SamplesPerPixel) == (48, 64, samples)
    assert (stored.BitsStored, stored.HighBit, stored.PixelRepresentation) == (precision, precision - 1, 0)
    assert stored.BitsAllocated == (8 if precision == 8 else 16)
    assert stored.PhotometricInterpretation == {1: "MONOCHROME2"}.get(samples, stored.PhotometricInterpretation)
    assert samples == 1 or (
        stored.PhotometricInterpretation.startswith(("YBR", "RGB")) and stored.PlanarConfiguration == 0
    )
    assert str(stored.PatientName) == "Doe^Jane=山田^太郎"
    path = f"/studies/{target.study}/series/{target.series}/instances/{target.instance}/frames/1"
    frame = archive.studies(path, 'multipart/related; type="application/octet-stream"; transfer-syntax=*')  # fmt: skip
    (part,) = parts_of(frame)
    assert part.body.rstrip(b"\0") == picture, "unchanged"
    assert part["Content-Type"].endswith(f"transfer-syntax={syntax}")
    (row,) = results(archive.studies(f"/instances?SOPInstanceUID={target.instance}", JSON))
    assert (first(row, "00280010"), first(row, "00280011")) == (48, 64)


def write_xml(dataset: Mapping[str, Any]) -> bytes:
    root = ET.Element("NativeDicomModel", {"xmlns": NATIVE.strip("{}"), "xml:space": "preserve"})
    for tag, element in dataset.items():
        attribute = ET.SubElement(root, "DicomAttribute", {"tag": tag, "vr": element["vr"]})
        if "BulkDataURI" in element:
            ET.SubElement(attribute, "BulkData", {"uri": element["BulkDataURI"]})
        for number, value in enumerate(element.get("Value", ()), 1):
            if element["vr"] == "PN":
                name = ET.SubElement(attribute, "PersonName", {"number": str(number)})
                for group, text in value.items():
                    family, _, given = text.partition("^")
                    parts = ET.SubElement(name, group)
                    ET.SubElement(parts, "FamilyName").text = family
                    ET.SubElement(parts, "GivenName").text = given
            else:
                ET.SubElement(attribute, "Value", {"number": str(number)}).text = str(value)
    return ET.tostring(root, encoding="utf-8", xml_declaration=True)


@pytest.mark.parametrize("kind", [JSON, XML])
def test_row_45_bulk_data_that_no_part_answers_fails(archive: Service, kind: str) -> None:
    """STOW-05: the instance is not stored; others of the request are."""
    alone, beside, whole = (instances.new_target() for _ in range(3))
    links = [f"{archive.root}/bulk/{uuid.uuid4().hex}" for _ in range(3)]
    picture = jpeg("baseline", rows=8, columns=8, samples=1)
    other = {"Content-Type": "image/jpeg", "Content-Location": links[2]}

    def parts(*datasets: dict[str, Any]) -> list[tuple[dict[str, str], bytes]]:
        if kind == JSON:
            return [({"Content-Type": kind}, json.dumps(datasets).encode())]
        return [({"Content-Type": kind}, write_xml(dataset)) for dataset in datasets]

    lonely = post(archive, kind, *parts(described(alone, links[0])))
    assert lonely.status in {400, 409}
    assert alone.instance not in uids(lonely, STORED)
    mixed = post(archive, kind, *parts(described(beside, links[1]), described(whole, links[2])), (other, picture))
    assert mixed.status == 202, mixed.body
    assert uids(mixed, STORED) == [whole.instance]
    assert uids(mixed, FAILED) == [beside.instance]
    assert [retrieved(archive, one).status for one in (alone, beside, whole)] == [404, 404, 200]
