"""Items of the checklist that no other test names: MT-08, MT-19, MT-20, FRM-03, RET-02, URI-06, URI-13, URI-14."""

from __future__ import annotations

import io
import re

import pydicom
import pytest
from pydicom.dataset import Dataset
from standard_service import EXPLICIT, Service, found, parts_of, path_of

from dicomgate.testing import instances

DEFLATED = "1.2.840.10008.1.2.1.99"
OCTETS = 'multipart/related; type="application/octet-stream"'


def uri(target, **more: str) -> str:
    pairs = {"requestType": "WADO", "studyUID": target.study, "seriesUID": target.series, "objectUID": target.instance}
    return "/wado?" + "&".join(f"{name}={value}" for name, value in (pairs | more).items())


@pytest.mark.parametrize("tail", ["", "/frames/1", "/bulkdata/7FE00010"])
def test_each_part_says_one_transfer_syntax_unquoted_MT_08(service: Service, native, tail: str) -> None:
    for accept in ("*/*", 'multipart/related; type="*/*"; transfer-syntax=*'):
        reply = service.studies(path_of(native[0]) + tail, accept)
        told = reply.headers["content-type"]
        if told.startswith("multipart"):
            told = parts_of(reply)[0]["Content-Type"]
        assert re.findall(r"transfer-syntax=([^;]*)", told) == [EXPLICIT]


def test_a_transfer_syntax_of_json_is_no_hindrance_MT_19(service: Service, native) -> None:
    path = f"{path_of(native[0])}/metadata"
    assert found(service.studies(path, f"application/dicom+json; transfer-syntax={EXPLICIT}"))


def test_what_is_stored_deflated_leaves_inflated_MT_20(service: Service) -> None:
    target = instances.new_target()
    service.store(instances.make(target, syntax=DEFLATED))
    reply = service.studies(path_of(target), "application/dicom", accept_encoding="deflate, gzip")
    assert "content-encoding" not in reply.headers, "which is allowed, and not done"
    seen = pydicom.dcmread(io.BytesIO(reply.body))
    assert seen.file_meta.TransferSyntaxUID == EXPLICIT
    assert seen.PixelData == instances.counting(64)


def test_pixel_data_is_that_of_the_top_alone_FRM_03(service: Service) -> None:
    target = instances.new_target()
    made = pydicom.dcmread(io.BytesIO(instances.make(target)))
    icon = Dataset()
    icon.Rows = icon.Columns = 64
    icon.SamplesPerPixel, icon.PhotometricInterpretation = 1, "MONOCHROME2"
    icon.BitsAllocated = icon.BitsStored = 8
    icon.HighBit, icon.PixelRepresentation = 7, 0
    icon.add_new(0x7FE00010, "OB", bytes(range(256)) * 16)
    made.IconImageSequence = [icon]
    content = io.BytesIO()
    made.save_as(content, enforce_file_format=True)
    service.store(content.getvalue())
    (part,) = parts_of(service.studies(f"{path_of(target)}/pixeldata", OCTETS))
    assert part.body == instances.counting(64)


@pytest.mark.slow
def test_query_parameters_of_retrieval_are_heard_RET_02(service: Service, native) -> None:
    path = path_of(native[0])
    kind = service.studies(f"{path}/metadata?accept=application/dicom%2Bjson&charset=utf-8", "*/*").headers
    assert kind["content-type"] == "application/dicom+json"
    for query in ("annotation=patient", "quality=50", "viewport=4,4", "window=1,2,linear"):
        assert service.studies(f"{path}/rendered?{query}", "image/jpeg").status == 200, query


def test_a_file_by_query_takes_its_parameters_URI_06(service: Service, native) -> None:
    target, content = native
    asked = uri(target, contentType="application/dicom", transferSyntax=EXPLICIT, charset="utf-8")
    assert service.get(asked).body == content


@pytest.mark.slow
def test_quality_by_query_URI_13(service: Service, native) -> None:
    for wrong in ("0", "101", "x", "1.5"):
        assert service.get(uri(native[0], contentType="image/jpeg", imageQuality=wrong)).status == 400
    assert service.get(uri(native[0], contentType="image/jpeg", imageQuality="1")).status == 200


def test_annotation_by_either_name_URI_14(service: Service, native) -> None:
    plain = service.get(uri(native[0], contentType="image/png", rows="200")).body
    made = [
        service.get(uri(native[0], contentType="image/png", rows="200", **{name: "patient"})).body
        for name in ("annotation", "imageAnnotation")
    ]
    assert made[0] == made[1] != plain
