"""PS3.18 §9: retrieval by query."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest
from standard_service import EXPLICIT, J2K, Service, path_of

from dicomgate.dicom.uids import Target


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
    from dicomgate.testing import instances

    target = instances.new_target()
    assert service.get(address(target, contentType="application/dicom")).status == 404
    service.store(instances.make(target))
    assert service.get(f"/dicomweb{path_of(target)}", method="DELETE").status == 204
    assert service.get(address(target, contentType="application/dicom")).status == 410


def test_pictures_are_not_made_yet_and_that_is_406(service: Service, native) -> None:
    assert service.get(address(native[0])).status == 406
    assert service.get(address(native[0], contentType="image/jpeg")).status == 406


def test_de_identified_copy_is_never_the_original_URI_07(service: Service, native) -> None:
    assert service.get(address(native[0], contentType="application/dicom", anonymize="yes")).status == 406
