"""PS3.18 §10.5 and Annex I: STOW-RS."""

from __future__ import annotations

import dataclasses
import json
import threading

import pytest
from standard_service import IMPLICIT, RELATED, Service, found, path_of

from dicomgate.dicom.outcomes import Reason
from dicomgate.testing import instances
from dicomgate.testing.serving import Reply


def report(reply: Reply) -> dict:
    assert reply.headers["content-type"] == "application/dicom+json"
    return json.loads(reply.body)


def items(reply: Reply, tag: str) -> list[dict]:
    return report(reply).get(tag, {}).get("Value", [])


def failures(reply: Reply) -> list[int]:
    return [item["00081197"]["Value"][0] for tag in ("00081198", "0008119A") for item in items(reply, tag)]


def test_two_good_parts_STOW_10_STOW_12(service: Service) -> None:
    first, second = instances.new_target(), instances.new_target()
    reply = service.post(instances.make(first), instances.make(second))
    assert reply.status == 200
    assert [item["00081155"]["Value"] for item in items(reply, "00081199")] == [[first.instance], [second.instance]]
    for item in items(reply, "00081199"):
        assert service.get(item["00081190"]["Value"][0], "application/dicom").status == 200
    assert report(reply).keys() == {"00081190", "00081199"}, "only the sequences that have items (V17)"


def test_stored_is_searchable_and_retrievable_at_once_STOW_19(service: Service) -> None:
    target = instances.new_target()
    content = instances.make(target)
    service.store(content)
    assert len(found(service.studies(f"/instances?SOPInstanceUID={target.instance}"))) == 1
    assert service.studies(path_of(target), "application/dicom").body == content


def test_good_and_garbage_STOW_12(service: Service) -> None:
    reply = service.post(instances.make(), b"garbage")
    assert reply.status == 202
    assert len(items(reply, "00081199")) == 1
    assert len(items(reply, "0008119A")) == 1
    assert "warning" in reply.headers


def test_garbage_alone_is_400_AMB_04(service: Service) -> None:
    reply = service.post(b"garbage")
    assert reply.status == 400
    assert failures(reply) == [Reason.CANNOT_UNDERSTAND]


def test_truncated_is_refused_T1(service: Service) -> None:
    reply = service.post(instances.make()[:-10])
    assert reply.status == 400
    assert failures(reply) == [Reason.TRUNCATED]


def test_wrong_study_STOW_15(service: Service) -> None:
    right, wrong = instances.new_target(), instances.new_target()
    alone = service.post(instances.make(wrong), study=right.study)
    assert (alone.status, failures(alone)) == (409, [Reason.WRONG_STUDY])
    mixed = service.post(instances.make(right), instances.make(wrong), study=right.study)
    assert (mixed.status, failures(mixed)) == (202, [Reason.WRONG_STUDY])
    assert service.studies(path_of(wrong)).status == 404


def test_unknown_transfer_syntax_STOW_14(service: Service) -> None:
    content = instances.make().replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.9.9.1\0")
    reply = service.post(content)
    assert (reply.status, failures(reply)) == (409, [Reason.SYNTAX_NOT_SUPPORTED])


def test_same_again_is_success_STOW_18_V17(service: Service) -> None:
    content = instances.make()
    assert [service.post(content).status for _ in range(3)] == [200] * 3
    assert service.post(content, content).status == 200


def test_same_name_other_content_is_refused_T10(service: Service) -> None:
    target = instances.new_target()
    first = instances.make(target)
    service.store(first)
    reply = service.post(instances.make(target, attributes={"ImageComments": "other"}))
    assert (reply.status, failures(reply)) == (409, [Reason.OTHER_CONTENT])
    assert service.studies(path_of(target), "application/dicom").body == first


def test_known_instance_in_another_study_or_of_another_patient_is_refused_T10(service: Service) -> None:
    target = instances.new_target()
    service.store(instances.make(target))
    elsewhere = dataclasses.replace(instances.new_target(), instance=target.instance)
    reply = service.post(instances.make(elsewhere))
    assert (reply.status, failures(reply)) == (409, [Reason.OTHER_PARENT])
    other = instances.new_target(target.study)
    reply = service.post(instances.make(other, attributes={"PatientID": "P2"}))
    assert (reply.status, failures(reply)) == (409, [Reason.OTHER_PATIENT])


@pytest.mark.parametrize("content_type", ["text/plain", 'multipart/related; type="text/plain"; boundary=x'])
def test_other_types_are_415_STOW_10(service: Service, content_type: str) -> None:
    assert service.served.ask("POST", "/dicomweb/studies", {"Content-Type": content_type}, b"abc").status == 415


def test_no_closing_delimiter_and_no_boundary_are_400_MP_07(service: Service) -> None:
    target = instances.new_target()
    body = b"--standard-boundary\r\nContent-Type: application/dicom\r\n\r\n" + instances.make(target)
    assert service.served.ask("POST", "/dicomweb/studies", {"Content-Type": RELATED}, body).status == 400
    assert service.studies(path_of(target)).status == 404, "nothing half stored"
    bare = {"Content-Type": 'multipart/related; type="application/dicom"'}
    assert service.served.ask("POST", "/dicomweb/studies", bare, body).status == 400


def test_single_part_body_STOW_04(service: Service) -> None:
    target = instances.new_target()
    reply = service.served.ask(
        "POST", f"/dicomweb/studies/{target.study}", {"Content-Type": "application/dicom"}, instances.make(target)
    )
    assert reply.status == 200
    assert reply.headers["location"] == f"{service.root}/studies/{target.study}"
    assert reply.headers["content-location"] == reply.headers["location"]


def test_implicit_little_endian_is_taken_STOW_20_AMB_11(service: Service) -> None:
    assert service.post(instances.make(syntax=IMPLICIT)).status == 200


def test_report_as_xml_V6(service: Service) -> None:
    reply = service.post(instances.make(), Accept="application/dicom+xml")
    assert (reply.status, reply.headers["content-type"]) == (200, "application/dicom+xml")
    assert b'keyword="ReferencedSOPSequence"' in reply.body


def test_uid_with_path_characters_is_refused_T9(service: Service) -> None:
    target = instances.new_target()
    content = instances.make(target).replace(target.instance.encode()[:12], b"../../../etc")
    reply = service.post(content)
    assert reply.status in {400, 409}
    assert failures(reply) == [Reason.MALFORMED_UID]


def test_sixteen_callers_with_the_same_at_once_T11(service: Service) -> None:
    target = instances.new_target()
    contents = [instances.make(instances.new_target(target.study)) for _ in range(3)]
    replies: list[Reply] = []
    callers = [threading.Thread(target=lambda: replies.append(service.post(*contents))) for _ in range(16)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert [reply.status for reply in replies] == [200] * 16
    (row,) = found(service.studies(f"/studies?StudyInstanceUID={target.study}"))
    assert (row["00201206"]["Value"], row["00201208"]["Value"]) == ([3], [3])
