"""Correction of patient and study attributes over HTTP: our own resource (RET-09)."""

from __future__ import annotations

import io
import json

import pydicom
import pytest
from standard_service import Service, found, parts_of, path_of, values

from dicomgate import config
from dicomgate.dicom.uids import Target
from dicomgate.testing import instances

pytestmark = pytest.mark.slow  # the fast loop stays under a minute

TYPE = "application/dicom+json"


@pytest.fixture(scope="module")
def correcting(open_service) -> Service:
    return open_service(store=config.Store(allow_update=True, allow_delete=True))


def patch(service: Service, path: str, body: object, content_type: str = TYPE):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return service.served.ask("PATCH", "/dicomweb" + path, {"Content-Type": content_type}, raw)


def element(vr: str, *given: object) -> dict[str, object]:
    return {"vr": vr, "Value": list(given)} if given else {"vr": vr}


def store_study(service: Service, patient: str, count: int = 2) -> Target:
    first = instances.new_target()
    targets = [first, *(instances.new_target(first.study) for _ in range(count - 1))]
    service.store(*(instances.make(target, attributes={"PatientID": patient}) for target in targets))
    return first


NAME = element("PN", {"Alphabetic": "Right^Name"})


def test_a_study_is_corrected_and_all_agree_RET_09(correcting: Service) -> None:
    target = store_study(correcting, "WRONG-1")
    path = f"/studies/{target.study}"
    tag = correcting.studies(path + "/metadata").headers["etag"]
    reply = patch(correcting, path, {"00100020": element("LO", "RIGHT-1"), "00100010": NAME, "00080050": {"vr": "SH"}})
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    assert json.loads(reply.body) == {
        "corrected": 2,
        "unchanged": 0,
        "studies": [{"StudyInstanceUID": target.study, "corrected": 2, "unchanged": 0}],
    }
    again = correcting.studies(path + "/metadata", If_None_Match=tag)
    assert {values(one, "00100020")[0] for one in found(again)} == {"RIGHT-1"}
    (study,) = found(correcting.studies("/studies?PatientID=RIGHT-1"))
    assert values(study, "00100010") == [{"Alphabetic": "Right^Name"}]
    assert correcting.studies("/studies?PatientID=WRONG-1").status == 204
    for part in parts_of(correcting.studies(path)):
        instance = pydicom.dcmread(io.BytesIO(part.body))
        assert (instance.PatientID, instance.AccessionNumber) == ("RIGHT-1", "")
        assert instance.OriginalAttributesSequence[0].ModifiedAttributesSequence[0].PatientID == "WRONG-1"
    listed = json.loads(correcting.studies(path_of(target) + "/versions").body)
    assert [one["why"] for one in listed] == ["corrected", None]


def test_what_says_who_the_patient_is_is_asked_for_again_RET_10(correcting: Service) -> None:
    target = store_study(correcting, "CACHED", 1)
    for path in (path_of(target), path_of(target) + "/metadata", f"/studies/{target.study}"):
        assert correcting.studies(path).headers["cache-control"] == "private, no-cache"


def test_patients_are_merged_by_a_search_RET_09(correcting: Service) -> None:
    studies = [store_study(correcting, "MERGE-OLD", 1).study for _ in range(3)]
    other = store_study(correcting, "MERGE-OTHER", 1).study
    reply = patch(correcting, "/studies?PatientID=MERGE-OLD", {"00100020": element("LO", "MERGE-NEW")})
    assert reply.status == 200, reply.body
    assert {one["StudyInstanceUID"] for one in json.loads(reply.body)["studies"]} == set(studies)
    merged = found(correcting.studies("/studies?PatientID=MERGE-NEW"))
    assert {values(one, "0020000D")[0] for one in merged} == set(studies)
    assert values(found(correcting.studies(f"/studies?StudyInstanceUID={other}"))[0], "00100020") == ["MERGE-OTHER"]
    assert patch(correcting, "/studies?PatientID=MERGE-OLD", {"00100020": element("LO", "X")}).status == 404


def test_what_was_corrected_before_a_fault_is_told_with_it_RET_09(correcting: Service) -> None:
    """Of three studies the one in the middle, by UID and by arrival, has a text too long to be written in UTF-8."""
    long_text = {"SpecificCharacterSet": "ISO_IR 100", "TextValue": "\xe9" * (17 << 20)}
    targets = sorted((instances.new_target() for _ in range(3)), key=lambda target: target.study)
    for number, target in enumerate(targets):
        more = long_text if number == 1 else {}
        correcting.store(instances.make(target, attributes={"PatientID": "HALF", **more}))
    change = {"00100010": element("PN", {"Alphabetic": "Łukasz"})}
    reply = patch(correcting, "/studies?PatientID=HALF", change)
    assert reply.status == 413, reply.body
    corrected = found(correcting.studies("/studies?PatientID=HALF&PatientName=%C5%81ukasz"))
    assert len(corrected) == 1
    assert "studies corrected before this one: 1" in json.loads(reply.body)["detail"]


@pytest.mark.parametrize(
    "keys", ["", "?PatientID=", "?PatientID=*", "?fuzzymatching=true", "?PatientID=A&limit=1", "?NoSuchKey=1"]
)
def test_the_whole_archive_is_never_meant(correcting: Service, keys: str) -> None:
    store_study(correcting, "A", 1)
    reply = patch(correcting, f"/studies{keys}", {"00100020": element("LO", "B")})
    assert reply.status == 400, reply.body
    assert correcting.studies("/studies?PatientID=B").status == 204


@pytest.mark.parametrize(
    ("body", "status", "named"),
    [
        ({"0020000D": element("UI", "1.2.3")}, 400, "StudyInstanceUID"),
        ({"0008103E": element("LO", "x"), "00280010": element("US", 1)}, 400, "SeriesDescription, Rows"),
        ({"00080061": element("CS", "CT")}, 400, "ModalitiesInStudy"),
        ({"00100020": element("SH", "x")}, 400, "PatientID"),
        ({"00100020": {"vr": "LO", "BulkDataURI": "http://127.0.0.1:1/"}}, 400, ""),
        ({"00100020": element("LO", "x" * 100_000)}, 400, ""),
        ({}, 400, ""),
        ([{}, {}], 400, ""),
        (b"{", 400, ""),
        (b"\xff", 400, ""),
        (b" " * (2 << 20), 413, ""),
    ],
)
def test_what_cannot_be_corrected_is_refused_and_named(correcting: Service, body, status: int, named: str) -> None:
    target = store_study(correcting, "KEPT", 1)
    reply = patch(correcting, f"/studies/{target.study}", body)
    assert reply.status == status, reply.body
    assert named in reply.body.decode()
    (metadata,) = found(correcting.studies(path_of(target) + "/metadata"))
    assert values(metadata, "00100020") == ["KEPT"]


def test_only_the_JSON_model_is_taken(correcting: Service) -> None:
    target = store_study(correcting, "TYPE", 1)
    assert patch(correcting, f"/studies/{target.study}", {}, "application/json").status == 415
    assert patch(correcting, f"/studies/{instances.new_target().study}", {"00100020": element("LO", "x")}).status == 404


def test_it_is_offered_only_where_it_is_switched_on_GEN_10(service: Service, correcting: Service) -> None:
    target = store_study(service, "OFF", 1)
    reply = patch(service, f"/studies/{target.study}", {"00100020": element("LO", "x")})
    assert reply.status == 405
    assert "PATCH" not in reply.headers["allow"]
    assert b"not switched on" in reply.body
    assert "PATCH" in correcting.studies("/studies", method="OPTIONS").headers["allow"]
    assert patch(correcting, "/studies/1.2/series/1.3", {}).status == 405
    assert patch(correcting, "/series?PatientID=1", {}).status == 405
