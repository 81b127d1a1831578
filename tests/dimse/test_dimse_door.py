"""The DIMSE door over a real archive and real sockets, with pynetdicom as the one who asks (PS3.4 §A, §B, §C)."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, build_role, evt
from pynetdicom.sop_class import SecondaryCaptureImageStorage as Image  # type: ignore[attr-defined]
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind as Find  # type: ignore[attr-defined]
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelGet as Get  # type: ignore[attr-defined]
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelMove as Move  # type: ignore[attr-defined]
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from dicomgate import assembly, config
from dicomgate.dicom import syntaxes
from dicomgate.dicom.uids import Target
from dicomgate.dimse import peers
from dicomgate.dimse.connection import Pauses
from dicomgate.dimse.door import Door
from dicomgate.dimse.session import House
from dicomgate.dimse.settings import DoorSettings
from dicomgate.origin import Origin
from dicomgate.server.logs import Log
from dicomgate.testing import instances

QUICK = Pauses(opening=5.0, stall=5.0, idle=20.0)


@contextmanager
def opened(data: Path, **settings: object) -> Iterator[tuple[int, Origin, list[bytes]]]:
    lines: list[bytes] = []
    with assembly.open_archive(data, config.Settings()) as archive:
        listening = socket.create_server(("127.0.0.1", 0))
        door_settings = DoorSettings(**{"pauses": QUICK, **settings})  # type: ignore[arg-type]
        house = House(origin=archive.origin, spool=archive.spool, log=Log(lines.append), settings=door_settings)
        door = Door(house)
        thread = threading.Thread(target=door.run_on, args=(listening,))
        thread.start()
        try:
            yield listening.getsockname()[1], archive.origin, lines
        finally:
            door.stop()
            thread.join(20)
            listening.close()
            assert not thread.is_alive()


def ask(word: str, **keys: str) -> Dataset:
    dataset = Dataset()
    dataset.QueryRetrieveLevel = word
    for keyword, value in keys.items():
        setattr(dataset, keyword, value)
    return dataset


def images(count: int) -> list[Dataset]:
    first = instances.new_target()
    targets = [first, *(instances.new_target(first.study, first.series) for _ in range(count - 1))]
    return [pydicom.dcmread(BytesIO(instances.make(target))) for target in targets]


def caller(*classes: str) -> AE:
    entity = AE("TEST")
    for uid in classes:
        entity.add_requested_context(uid, syntaxes.EXPLICIT_LITTLE)
    return entity


def store(port: int, datasets: list[Dataset]) -> list[int]:
    association = caller(Image).associate("127.0.0.1", port, ae_title="DICOMGATE")
    assert association.is_established
    statuses = [int(association.send_c_store(dataset).Status) for dataset in datasets]
    association.release()
    return statuses


def test_who_asks_by_the_right_name_is_answered_and_by_a_wrong_one_rejected_T20(tmp_path: Path) -> None:
    with opened(tmp_path / "data") as (port, _, lines):
        association = caller(Verification).associate("127.0.0.1", port, ae_title="DICOMGATE")
        assert association.send_c_echo().Status == 0
        association.release()
        assert caller(Verification).associate("127.0.0.1", port, ae_title="OTHER").is_rejected
    assert any(b"called AE title" in line for line in lines)


def test_a_caller_that_is_not_named_is_rejected_T20(tmp_path: Path) -> None:
    callers = (peers.parse_caller("OTHER"), peers.parse_caller("TEST@10.0.0.0/8"))
    with opened(tmp_path / "data", callers=callers) as (port, _, _):
        assert caller(Verification).associate("127.0.0.1", port, ae_title="DICOMGATE").is_rejected
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
        peer = peers.parse_peer(f"THERE@127.0.0.1:{target}")
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
        assert caller(Verification).associate("127.0.0.1", port, ae_title="DICOMGATE").is_rejected
        assert first.send_c_echo().Status == 0
        first.release()
