"""PS3.18 §9: retrieval by query."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import imagecodecs
import pytest
from pydicom import dcmread
from pydicom.filebase import DicomBytesIO
from standard_service import EXPLICIT, J2K, Service, path_of

from dicomgate.dicom.uids import Target
from dicomgate.testing import instances, states
from dicomgate.testing.serving import Reply


def address(target: Target, **more: str) -> str:
    pairs = {
        "requestType": "WADO",
        "studyUID": target.study,
        "seriesUID": target.series,
        "objectUID": target.instance,
        **more,
    }
    return "/wado?" + urlencode({name: value for name, value in pairs.items() if value})


def test_instance_as_file_URI_01_URI_05(service: Service, native) -> None:
    target, content = native
    reply = service.get(address(target, contentType="application/dicom"))
    assert (reply.status, reply.body) == (200, content)
    assert reply.headers["content-type"] == f"application/dicom; transfer-syntax={EXPLICIT}"
    assert reply.headers["content-location"] == f"{service.root}{path_of(target)}"


def test_compressed_instance_in_its_own_syntax_URI_08(service: Service, compressed) -> None:
    target, content = compressed
    reply = service.get(address(target, contentType="application/dicom", transferSyntax=J2K))
    assert reply.status == 200
    assert reply.body[132:] == content[132:]
    refused = service.get(address(target, contentType="application/dicom", transferSyntax="1.2.840.10008.1.2.4.80"))
    assert refused.status == 406
    assert J2K in json.loads(refused.body)["detail"]


@pytest.mark.parametrize("missing", ["requestType", "studyUID", "seriesUID", "objectUID"])
def test_missing_parameter_is_400_URI_01(service: Service, native, missing: str) -> None:
    assert service.get(address(native[0], contentType="application/dicom", **{missing: ""})).status == 400


def test_parameters_of_dicom_are_400_URI_03(service: Service, native) -> None:
    kind = f"application/dicom;transfer-syntax={EXPLICIT}"
    assert service.get(address(native[0], contentType=kind)).status == 400
    assert service.get(address(native[0], contentType="application/dicom,image/jpeg")).status == 400


def test_unknown_is_404_and_deleted_410_URI_02(service: Service) -> None:
    target = instances.new_target()
    assert service.get(address(target, contentType="application/dicom")).status == 404
    service.store(instances.make(target))
    assert service.get(f"/dicomweb{path_of(target)}", method="DELETE").status == 204
    assert service.get(address(target, contentType="application/dicom")).status == 410


CT = "1.2.840.10008.5.1.4.1.1.2"


def test_de_identified_copy_row_50_URI_07(service: Service) -> None:
    target = instances.new_target()
    said = {"SOPClassUID": CT, "PatientName": "VERYSECRET^Jane", "InstitutionName": "VERYSECRET"}
    service.store(instances.make(target, attributes=said))
    for kind in ("application/dicom", ""):
        reply = service.get(address(target, contentType=kind, anonymize="yes"))
        assert reply.status == 200
        assert reply.headers["content-type"] == f"application/dicom; transfer-syntax={EXPLICIT}"
        assert b"VERYSECRET" not in reply.body
        seen = dcmread(DicomBytesIO(reply.body))
        assert not {seen.SOPInstanceUID, seen.StudyInstanceUID, seen.SeriesInstanceUID} & {
            target.study,
            target.series,
            target.instance,
        }
        assert seen.PatientIdentityRemoved == "YES"
        assert seen.PixelData == instances.counting(64)
        assert not {"content-location"} & set(reply.headers), "nothing leads back to whom it was"
    tag = reply.headers["etag"]
    assert service.get(address(target, anonymize="yes"), if_none_match=tag).status == 304
    assert service.get(address(target, contentType="application/dicom", anonymize="no")).status == 400
    assert service.get(address(target, contentType="image/jpeg", anonymize="yes")).status == 400


def test_what_cannot_be_de_identified_surely_is_refused_URI_07(service: Service, native, compressed) -> None:
    for target, reason in ((native[0], "Burned In Annotation"), (compressed[0], "de-identified")):
        reply = service.get(address(target, contentType="application/dicom", anonymize="yes"))
        assert reply.status == 403
        assert reason in json.loads(reply.body)["detail"]


@pytest.mark.parametrize(
    "more",
    [
        {"windowCenter": "40"},
        {"windowCenter": "a", "windowWidth": "5"},
        {"region": "0.5,0,0.5,1"},
        {"frameNumber": "0"},
        {"rows": "0"},
        {"columns": "x"},
        {"imageQuality": "101"},
        {"annotation": "a b"},
        {"presentationUID": "1.2"},
        {"presentationUID": "1.2", "presentationSeriesUID": "1.3", "frameNumber": "1"},
    ],
)
def test_parameters_of_pictures_are_checked_row_48_URI_09_to_15(service: Service, native, more: dict[str, str]) -> None:
    assert service.get(address(native[0], contentType="image/jpeg", **more)).status == 400


def test_syntax_that_is_known_but_not_made_row_49_URI_08(service: Service, native) -> None:
    asked = address(native[0], contentType="application/dicom", transferSyntax="1.2.840.10008.1.2.4.100")
    reply = service.get(asked)
    assert reply.status == 406
    assert EXPLICIT in json.loads(reply.body)["detail"]
    assert service.get(asked.replace("1.2.840.10008.1.2.4.100", "nonsense")).status == 400


def shape(reply: Reply) -> tuple[int, int]:
    """Width and height."""
    assert reply.status == 200, reply.body
    return imagecodecs.imread(reply.body).shape[1::-1]


@pytest.fixture(scope="module")
def cine(service: Service) -> Target:
    target = instances.new_target()
    said = {"SOPClassUID": CT, "WindowCenter": 100, "WindowWidth": 200}
    frames = [bytes([grey, 0]) * (40 * 80) for grey in (50, 100, 150)]
    service.store(instances.make(target, rows=40, columns=80, frames=frames, attributes=said))
    return target


@pytest.mark.slow
def test_pictures_by_query_URI_04_URI_09_URI_17_URI_18(service: Service, cine: Target, native) -> None:
    default = service.get(address(cine), "*/*")
    assert default.headers["content-type"] == "image/jpeg"
    assert default.headers["content-location"] == f"{service.root}{path_of(cine)}/frames/1", "AMB-08"
    second = service.get(address(cine, contentType="image/png", frameNumber="2"))
    assert second.body == service.studies(f"{path_of(cine)}/frames/2/rendered", "image/png").body
    assert service.get(address(cine, frameNumber="4")).status == 400
    assert service.get(address(native[0], frameNumber="1")).status == 400, "there is one frame"
    assert service.get(address(cine, contentType="image/webp,image/png;q=0.2,image/gif;q=0.3")).status == 200
    file = service.get(address(cine, contentType="application/dicom"), "image/png")
    assert file.headers["content-type"].startswith("application/dicom")


def test_sizes_and_regions_URI_10_URI_11(service: Service, cine: Target) -> None:
    png = {"contentType": "image/png"}
    assert shape(service.get(address(cine, **png))) == (80, 40)
    assert shape(service.get(address(cine, **png, rows="20"))) == (40, 20)
    assert shape(service.get(address(cine, **png, columns="20"))) == (20, 10)
    assert shape(service.get(address(cine, **png, rows="20", columns="20"))) == (20, 10)
    assert shape(service.get(address(cine, **png, region="0.25,0,0.75,0.5"))) == (40, 20)
    assert shape(service.get(address(cine, **png, region="0,0,0.5,1", rows="10"))) == (10, 10)


def test_windows_quality_annotation_URI_12_to_14(service: Service, cine: Target) -> None:
    plain = service.get(address(cine)).body
    assert service.get(address(cine, windowCenter="50", windowWidth="10")).body != plain
    assert service.get(address(cine, imageQuality="3")).body != plain
    warned = service.get(address(cine, imageAnnotation="patient,foo"))
    assert "not supported: foo" in warned.headers["warning"]
    assert warned.body != plain


def test_presentation_states_by_query_URI_15(service: Service, cine: Target) -> None:
    """As the object, or applied to one; what is not shown of it is told either way."""
    target = instances.new_target(cine.study)
    slide = states.annotation(states.graphic("POINT", 1, 1, units="MATRIX"))
    said = {"GraphicAnnotationSequence": [slide], "ImageRotation": 90}
    service.store(states.make(target, [cine], image_class=CT, attributes=said))
    applied = {"presentationUID": target.instance, "presentationSeriesUID": target.series}
    for asked in (address(target, contentType="image/png"), address(cine, contentType="image/png", **applied)):
        reply = service.get(asked)
        assert shape(reply) == (40, 80)
        assert "annotations in the matrix of a slide" in reply.headers["warning"]
    half = service.get(address(cine, contentType="image/png", region="0,0,1,0.5", **applied))
    assert shape(half) == (40, 40)
    window = {"windowCenter": "40", "windowWidth": "400"}
    assert service.get(address(target, contentType="image/png", **window)).status == 400
    assert service.get(address(cine, contentType="image/png", **applied, **window)).status == 400
