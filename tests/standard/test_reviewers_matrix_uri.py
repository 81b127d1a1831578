"""The reviewer's matrix, rows 46 to 52: WADO-URI and capabilities, written from the standard's text (§9, §8.9).

Each test names its row.
"""

from __future__ import annotations

import io
import json
import xml.etree.ElementTree as ET
from typing import Any
from urllib.parse import urlencode

import pydicom
import pytest
from standard_service import EXPLICIT, Service, path_of

from dicomgate.dicom.uids import Target
from dicomgate.testing import instances
from dicomgate.testing.serving import Reply

CT = "1.2.840.10008.5.1.4.1.1.2"
WADL = "application/vnd.sun.wadl+xml"
NAMESPACE = "{http://wadl.dev.java.net/2009/02}"


@pytest.fixture(scope="module")
def stored(service: Service) -> tuple[Target, bytes]:
    target = instances.new_target()
    said = {
        "SOPClassUID": CT, "Modality": "CT", "PatientName": "Vanderbilt^Cornelia", "PatientID": "MRN-0815",
        "InstitutionName": "St. Nowhere", "ReferringPhysicianName": "Knowall^Hugo", "AccessionNumber": "ACC-4711",
        "StudyDescription": "Cornelia, head", "OtherPatientIDs": "OTHER-77", "PatientAddress": "1 Fifth Avenue",
        "StudyID": "STUDY-99", "OperatorsName": "Hands^Able", "DeviceSerialNumber": "SERIAL-5",
    }  # fmt: skip
    content = instances.make(target, attributes=said)
    service.store(content)
    return target, content


def ask(service: Service, target: Target, accept: str | None = None, without: str = "", **more: str) -> Reply:
    pairs = {"requestType": "WADO", "studyUID": target.study, "seriesUID": target.series, "objectUID": target.instance}
    chosen = {name: value for name, value in (pairs | more).items() if name != without}
    return service.get("/wado?" + urlencode(chosen), accept)


@pytest.mark.slow
@pytest.mark.parametrize("missing", ["objectUID", "seriesUID", "studyUID", "requestType"])
def test_row_46_a_required_parameter_is_missing(service: Service, stored, missing: str) -> None:
    """URI-01: whatever is wanted of it, in any order."""
    target = stored[0]
    for more in ({}, {"contentType": "application/dicom"}, {"contentType": "image/jpeg"}):
        assert ask(service, target, without=missing, **more).status == 400
    assert ask(service, target, **{missing: ""}).status == 400
    backwards = f"/wado?objectUID={target.instance}&seriesUID={target.series}&studyUID={target.study}&requestType=WADO"
    assert service.get(backwards, "*/*").status == 200
    for other in ("wado", "WADOX", "DELETE"):
        assert ask(service, target, requestType=other).status == 400


@pytest.mark.parametrize(
    "kind",
    [f"application/dicom;transfer-syntax={EXPLICIT}", f"application/dicom; transfer-syntax={EXPLICIT}", "application/dicom;charset=UTF-8",
     "application/dicom;transfer-syntax=*", "application/dicom,image/jpeg", "image/jpeg,application/dicom;q=0.5"],
)  # fmt: skip
def test_row_47_a_dicom_type_takes_no_parameters_and_no_company(service: Service, stored, kind: str) -> None:
    """URI-03."""
    assert ask(service, stored[0], contentType=kind).status == 400
    assert ask(service, stored[0], "*/*", contentType=kind).status == 400


@pytest.mark.parametrize(
    "more",
    [{"windowCenter": "40"}, {"windowWidth": "400"}, {"windowCenter": "x", "windowWidth": "400"},
     {"region": "0.5,0,0.5,1"}, {"region": "0.6,0,0.5,1"}, {"region": "0,0,1"}, {"region": "0,0,1,1.1"}, {"region": "-0.1,0,1,1"},
     {"region": "0,0.7,1,0.2"}, {"region": "a,b,c,d"}, {"frameNumber": "0"}, {"frameNumber": "-1"}, {"frameNumber": "x"},
     {"frameNumber": "1.0"}, {"frameNumber": "2"}],
)  # fmt: skip
def test_row_48_parameters_that_cannot_be_are_400(service: Service, stored, more: dict[str, str]) -> None:
    """URI-09, URI-11, URI-12."""
    assert ask(service, stored[0], contentType="image/jpeg", **more).status == 400
    assert ask(service, stored[0], "*/*", **more).status == 400


@pytest.mark.parametrize(
    "syntax", ["1.2.840.10008.1.2.4.100", "1.2.840.10008.1.2.4.107", "1.2.840.10008.1.2", "1.2.3.4"]
)
def test_row_49_a_syntax_that_is_not_made_is_406_with_those_that_are(service: Service, stored, syntax: str) -> None:
    """URI-08: a UID, known or not; what is no UID, and several, are 400."""
    target, content = stored
    reply = ask(service, target, contentType="application/dicom", transferSyntax=syntax)
    assert reply.status == 406
    listed = json.loads(reply.body)["see"]
    assert any(EXPLICIT in each for each in listed)
    for each in listed:
        kind, _, offered = each.partition("&transferSyntax=")
        if kind == "contentType=application/dicom":
            assert ask(service, target, contentType="application/dicom", transferSyntax=offered).status == 200, each
    for none in ("nonsense", "1..2", f"{EXPLICIT},{EXPLICIT}", "*"):
        assert ask(service, target, contentType="application/dicom", transferSyntax=none).status == 400
    assert ask(service, target, contentType="application/dicom", transferSyntax=EXPLICIT).body == content


def test_row_50_a_de_identified_copy_has_new_uids_and_no_identifiers(service: Service, stored) -> None:
    """URI-07, PS3.15 Annex E: nothing of what says who it is is anywhere in the bytes."""
    target, content = stored
    reply = ask(service, target, contentType="application/dicom", anonymize="yes")
    assert reply.status == 200, reply.body
    said = pydicom.dcmread(io.BytesIO(content))
    copy = pydicom.dcmread(io.BytesIO(reply.body))
    for keyword in ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID"):
        assert copy[keyword].value != said[keyword].value
        assert str(said[keyword].value).encode() not in reply.body
    assert copy.file_meta.MediaStorageSOPInstanceUID == copy.SOPInstanceUID
    for words in (b"Vanderbilt", b"Cornelia", b"MRN-0815", b"Nowhere", b"Knowall", b"4711", b"OTHER-77", b"Fifth", b"STUDY-99",
                  b"Able", b"SERIAL-5"):  # fmt: skip
        assert words not in reply.body, words
    assert copy.PatientIdentityRemoved == "YES"
    codes = {item.CodeValue for item in copy.DeidentificationMethodCodeSequence}
    assert {"113100", "113101"} <= codes, "the profile, and its option for the pixels"
    assert copy.PixelData == said.PixelData
    for wrong in ("no", "YES", "", "yes,yes"):
        assert ask(service, target, contentType="application/dicom", anonymize=wrong).status == 400
    again = ask(service, target, contentType="application/dicom", anonymize="yes")
    assert pydicom.dcmread(io.BytesIO(again.body)).SOPInstanceUID == copy.SOPInstanceUID


def resources_of(node: dict[str, Any], above: str = "") -> dict[str, set[str]]:
    """Every address in the tree, with the methods that it tells."""
    found: dict[str, set[str]] = {}
    for step in node.get("resource", []):
        path = f"{above}/{step['@path']}"
        found[path] = {method["@name"] for method in step.get("method", [])}
        found |= resources_of(step, path)
    return found


@pytest.mark.slow
def test_row_51_the_tree_is_what_the_router_does(service: Service, stored) -> None:
    """CAP-01 to CAP-03: each address that is told takes each method that is told, and says so; nothing else is there."""
    base = service.studies("/", "application/json", method="OPTIONS")
    assert (base.status, base.headers["content-type"]) == (200, "application/json")
    told = json.loads(base.body)["application"]["resources"]
    assert told["@base"] == service.root
    tree = {path: methods for path, methods in resources_of(told).items() if methods}
    assert len(tree) >= 30
    target = stored[0]
    named = {"{study}": target.study, "{series}": target.series, "{instance}": target.instance, "{frames}": "1",
             "{bulkdata}": "7FE00010", "{version}": "1"}  # fmt: skip
    for path, methods in tree.items():
        address = path
        for name, value in named.items():
            address = address.replace(name, value)
        allowed = set(service.studies(address, method="OPTIONS").headers["allow"].split(", "))
        assert allowed == methods | {"HEAD", "OPTIONS"}, path
        assert service.studies(address, "*/*").status in {200, 204, 404}, path
    assert service.studies("/nothing/of/this", "*/*", method="OPTIONS").status == 404
    wadl = service.studies("/", WADL, method="OPTIONS")
    assert (wadl.status, wadl.headers["content-type"]) == (200, WADL)
    root = ET.fromstring(wadl.body)
    assert root.tag == f"{NAMESPACE}application"
    methods = [method.get("id") for method in root.iter(f"{NAMESPACE}method")]
    assert len(methods) == sum(map(len, tree.values()))
    assert {"RetrieveStudy", "SearchForStudies", "StoreInstances", "RetrieveFrames"} <= set(methods)


@pytest.mark.parametrize("path", ["/", "", "/studies", "/studies/1.2.3/metadata", "/studies/1.2.3/series/4.5"])
@pytest.mark.parametrize("accept", ["*/*", WADL, "application/json"])
def test_row_52_a_preflight_is_answered_as_cors(service: Service, path: str, accept: str) -> None:
    """CAP-05, V15: 204 and no WADL, whatever is accepted; without the field it is a question for capabilities."""
    asked = {"Origin": "http://localhost:3000", "Access_Control_Request_Method": "GET"}
    reply = service.studies(path, accept, method="OPTIONS", **asked)
    assert (reply.status, reply.body) == (204, b"")
    assert reply.headers["access-control-allow-origin"] == "http://localhost:3000"
    assert "GET" in reply.headers["access-control-allow-methods"]
    assert "content-type" not in reply.headers
    plain = service.studies(path, accept, method="OPTIONS", Origin="http://localhost:3000")
    assert plain.status == 200
    assert plain.headers["content-type"] == ("application/json" if accept == "application/json" else WADL)


def test_row_50_links_of_the_copy_lead_nowhere(service: Service, stored) -> None:
    """URI-07: its header says nothing that names the stored one."""
    reply = ask(service, stored[0], contentType="application/dicom", anonymize="yes")
    told = "\n".join(f"{name}: {value}" for name, value in reply.all)
    assert stored[0].instance not in told
    assert path_of(stored[0]) not in told
