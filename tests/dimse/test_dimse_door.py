"""The DIMSE door over a real archive and real sockets, with pynetdicom as the one who asks (PS3.4 §A, §B, §C)."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from door_opened import ask, caller, images, opened, rejection, store
from pydicom.dataset import Dataset
from pynetdicom import build_role, evt
from pynetdicom.sop_class import SecondaryCaptureImageStorage as Image  # type: ignore[attr-defined]
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind as Find  # type: ignore[attr-defined]
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelGet as Get  # type: ignore[attr-defined]
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelMove as Move  # type: ignore[attr-defined]
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from dicomgate.dicom.uids import Target
from dicomgate.dimse import peers


def test_who_asks_by_the_right_name_is_answered_and_by_a_wrong_one_rejected_T20(tmp_path: Path) -> None:
    with opened(tmp_path / "data") as (port, _, lines):
        association = caller(Verification).associate("127.0.0.1", port, ae_title="DICOMGATE")
        assert association.send_c_echo().Status == 0
        association.release()
        assert rejection(caller(Verification), port, "OTHER") == (1, 1, 7)
    assert any(b"called AE title" in line for line in lines)


def test_a_caller_that_is_not_named_is_rejected_T20(tmp_path: Path) -> None:
    callers = (peers.parse_caller("OTHER"), peers.parse_caller("TEST@10.0.0.0/8"))
    with opened(tmp_path / "data", callers=callers) as (port, _, _):
        assert rejection(caller(Verification), port) == (1, 1, 3)
    with opened(tmp_path / "data", callers=(peers.parse_caller("TEST@127.0.0.0/8"),)) as (port, _, _):
        assert caller(Verification).associate("127.0.0.1", port, ae_title="DICOMGATE").is_established


@pytest.mark.slow
def test_what_is_stored_is_found_and_comes_back(tmp_path: Path) -> None:
    sent = images(3)
    study = sent[0].StudyInstanceUID
    received: list[Dataset] = []

    def take(event: evt.Event) -> int:
        received.append(event.dataset)
        return 0

    with opened(tmp_path / "data") as (port, _, _):
        assert store(port, sent) == [0, 0, 0]
        assert store(port, sent[:1]) == [0]
        entity = caller(Find, Get, Image)
        association = entity.associate(
            "127.0.0.1",
            port,
            ae_title="DICOMGATE",
            ext_neg=[build_role(Image, scp_role=True)],
            evt_handlers=[(evt.EVT_C_STORE, take)],
        )
        asked = ask("STUDY", StudyInstanceUID="", NumberOfStudyRelatedInstances="")
        found = [(status.Status, match) for status, match in association.send_c_find(asked, Find)]
        assert [status for status, _ in found] == [0xFF00, 0]
        assert found[0][1].StudyInstanceUID == study
        assert found[0][1].NumberOfStudyRelatedInstances == 3
        assert [status.Status for status, _ in association.send_c_find(ask("SERIES", Modality=""), Find)] == [0xA900]
        got = [status for status, _ in association.send_c_get(ask("STUDY", StudyInstanceUID=study), Get)]
        assert got[-1].Status == 0
        assert got[-1].NumberOfCompletedSuboperations == 3
        association.release()
    key = "SOPInstanceUID"
    assert sorted(received, key=lambda each: str(each[key].value)) == sorted(
        sent, key=lambda each: str(each[key].value)
    )


@pytest.mark.slow
def test_instances_are_moved_to_a_peer_that_is_named_and_to_no_other_T14(tmp_path: Path) -> None:
    sent = images(2)
    with opened(tmp_path / "there", title="THERE") as (target, origin, _):
        peer = peers.parse_entity(f"THERE@127.0.0.1:{target}")
        with opened(tmp_path / "here", peers=(peer,)) as (port, _, _):
            store(port, sent)
            association = caller(Move).associate("127.0.0.1", port, ae_title="DICOMGATE")
            wanted = ask("STUDY", StudyInstanceUID=sent[0].StudyInstanceUID)
            assert [status.Status for status, _ in association.send_c_move(wanted, "ELSE", Move)] == [0xA801]
            moved = [status for status, _ in association.send_c_move(wanted, "THERE", Move)]
            assert [status.Status for status in moved] == [0xFF00, 0xFF00, 0]
            assert moved[-1].NumberOfCompletedSuboperations == 2
            association.release()
        with origin.retrieve.retrieve(Target(str(sent[0].StudyInstanceUID))) as kept:
            assert len(list(kept)) == 2


def test_garbage_ends_its_own_connection_only_T20(tmp_path: Path) -> None:
    with opened(tmp_path / "data") as (port, _, lines):
        for garbage in (b"GET / HTTP/1.1\r\n\r\n", b"\1\0\xff\xff\xff\xff", b"\4\0\0\0\0\x06" + bytes(6)):
            with socket.create_connection(("127.0.0.1", port), timeout=10) as stranger:
                stranger.sendall(garbage)
                while stranger.recv(4096):
                    pass
        with socket.create_connection(("127.0.0.1", port), timeout=10):
            association = caller(Verification).associate("127.0.0.1", port, ae_title="DICOMGATE")
            assert association.send_c_echo().Status == 0
            association.release()
    assert sum(b"broken off" in line for line in lines) == 3
    assert not any(b"GET" in line for line in lines)


def test_too_many_associations_are_told_so_T20(tmp_path: Path) -> None:
    with opened(tmp_path / "data", associations_per_address=1) as (port, _, _):
        first = caller(Verification).associate("127.0.0.1", port, ae_title="DICOMGATE")
        assert rejection(caller(Verification), port) == (2, 3, 2)
        assert first.send_c_echo().Status == 0
        first.release()
