"""Questions with every matching, retrievals that are cancelled or need several associations (PS3.4 §C.2.2.2, §C.4)."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from door_opened import ask, caller, images, opened, store
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pynetdicom import AE, evt
from pynetdicom.pdu_primitives import SOPClassExtendedNegotiation
from pynetdicom.sop_class import PatientRootQueryRetrieveInformationModelFind as PatientFind  # type: ignore[attr-defined]
from pynetdicom.sop_class import SecondaryCaptureImageStorage as Image  # type: ignore[attr-defined]
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind as Find  # type: ignore[attr-defined]
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelMove as Move  # type: ignore[attr-defined]

from dicomgate.dicom import syntaxes
from dicomgate.dicom.uids import Target
from dicomgate.dimse import associations, datasets, peers
from dicomgate.dimse.associations import Incoming, Peer
from dicomgate.dimse.contexts import MESSAGE_SYNTAXES, Offer, Root
from dicomgate.testing import instances

pytestmark = pytest.mark.slow
PATIENTS = (
    ("A1", "Müller^Änne", "20240101", "101500", "CT", "M"),
    ("A2", "Smith^John", "20240102", "235900", "MR", "F"),
    ("B1", "Smithson^Ann", "20240103", "000100", "CT", "O"),
)


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A door over three studies."""
    with opened(tmp_path_factory.mktemp("services") / "data") as (port, _, _):
        for patient, name, date, time, modality, sex in PATIENTS:
            dataset = images(1)[0]
            dataset.PatientID, dataset.PatientName, dataset.PatientSex = patient, name, sex
            dataset.StudyDate, dataset.StudyTime, dataset.Modality = date, time, modality
            item = Dataset()
            item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = f"P-{patient}", "DCM", "Thorax"
            dataset.ProcedureCodeSequence = Sequence([item])
            dataset.TimezoneOffsetFromUTC = "+0000"
            assert store(port, [dataset]) == [0]
        yield port


def negotiated(information: bytes) -> list[SOPClassExtendedNegotiation]:
    item = SOPClassExtendedNegotiation()
    item.sop_class_uid, item.service_class_application_information = Find, information
    return [item]


def code(value: str) -> list[Dataset]:
    item = Dataset()
    item.CodeValue = value
    return [item]


@pytest.mark.parametrize(
    ("keys", "information", "found"),
    [
        ({"PatientID": "A1"}, b"", "A1"),
        ({"PatientID": "A*"}, b"", "A1 A2"),
        ({"PatientID": "?1"}, b"", "A1 B1"),
        ({"PatientName": "smith^john"}, b"", "A2"),
        ({"PatientName": "SMITH*"}, b"", "A2 B1"),
        ({"PatientName": "Müller*"}, b"", "A1"),
        ({"StudyDate": "20240102-"}, b"", "A2 B1"),
        ({"StudyDate": "-20240102"}, b"", "A1 A2"),
        ({"StudyDate": "20240101-20240103", "StudyTime": "100000-110000"}, b"", "A1"),
        ({"StudyDate": "20240102-20240103", "StudyTime": "230000-0030"}, b"\0\1", "A2 B1"),
        ({"ModalitiesInStudy": "CT"}, b"", "A1 B1"),
        ({"ProcedureCodeSequence": code("P-A2")}, b"", "A2"),
        ({"PatientSex": "F"}, b"", "A2"),
        ({"PatientName": "ann smi"}, b"\0\0\1", "B1"),
        ({"AccessionNumber": '""'}, b"\0\0\0\0\0\1", ""),
        ({"ModalitiesInStudy": "CT\\MR"}, b"\0\0\0\0\0\0\1", ""),
        ({}, b"", "A1 A2 B1"),
    ],
)
def test_a_question_matches_as_over_the_web(port: int, keys: dict[str, object], information: bytes, found: str) -> None:
    """PS3.4 §C.2.2.2: single value, wildcard, range, combined, sequence, fuzzy, empty and multiple values."""
    asked = Dataset()
    asked.SpecificCharacterSet = "ISO_IR 100"
    asked.QueryRetrieveLevel, asked.PatientID, asked.StudyInstanceUID = "STUDY", "", ""
    for keyword, value in keys.items():
        setattr(asked, keyword, value)
    wishes = negotiated(information) if information else []
    association = caller(Find).associate("127.0.0.1", port, ae_title="DICOMGATE", ext_neg=wishes)
    answers = list(association.send_c_find(asked, Find))
    association.release()
    assert answers[-1][0].Status == 0
    assert sorted(match.PatientID for _, match in answers[:-1]) == found.split()


def test_names_come_in_a_character_set_that_the_question_has(port: int) -> None:
    association = caller(PatientFind).associate("127.0.0.1", port, ae_title="DICOMGATE")
    asked = Dataset()
    asked.SpecificCharacterSet = "ISO_IR 100"
    asked.QueryRetrieveLevel, asked.PatientID, asked.PatientName = "PATIENT", "A1", ""
    asked.NumberOfPatientRelatedInstances = ""
    (_, match), (last, _) = association.send_c_find(asked, PatientFind)
    association.release()
    assert (match.SpecificCharacterSet, str(match.PatientName)) == ("ISO_IR 100", "Müller^Änne")
    assert (match.NumberOfPatientRelatedInstances, last.Status) == (1, 0)


def test_a_retrieval_that_is_cancelled_says_how_much_was_left(tmp_path: Path) -> None:
    sent = images(20)
    study = str(sent[0].StudyInstanceUID)
    asked = {"00080052": {"vr": "CS", "Value": ["STUDY"]}, "0020000D": {"vr": "UI", "Value": [study]}}
    came: list[str] = []

    def take(incoming: Incoming) -> int:
        came.append(incoming.instance)
        for _ in incoming.fragments:
            pass
        return 0

    with opened(tmp_path / "data") as (port, _, _):
        store(port, sent)
        peer = Peer(title="DICOMGATE", host="127.0.0.1", port=port, own_title="TEST")
        offers = [
            Offer(Root.STUDY.get, MESSAGE_SYNTAXES),
            Offer(Image, (syntaxes.EXPLICIT_LITTLE,), is_received=True),
        ]
        with associations.opened(peer, offers) as association:
            done = association.get(
                Root.STUDY.get, lambda syntax: datasets.write_dataset(asked, syntax), take, lambda: len(came) < 3
            )
            assert done.status == 0xFE00
            assert len(came) == done.completed < len(sent)
            association_goes_on = association.get(
                Root.STUDY.get, lambda syntax: datasets.write_dataset(asked, syntax), take, lambda: True
            )
            assert (association_goes_on.status, association_goes_on.completed) == (0, len(sent))


def test_more_classes_than_one_association_has_contexts_for_are_moved_all(tmp_path: Path) -> None:
    count = 70
    first = instances.new_target()
    private = [f"1.2.826.0.1.3680043.10.1.{number}" for number in range(count)]
    with opened(tmp_path / "there", title="THERE") as (target, there, lines):
        peer = peers.parse_entity(f"THERE@127.0.0.1:{target}")
        with opened(tmp_path / "here", peers=(peer,)) as (port, _, _):
            entity = AE("TEST")
            for uid in private:
                entity.add_requested_context(uid, syntaxes.EXPLICIT_LITTLE)
            association = entity.associate("127.0.0.1", port, ae_title="DICOMGATE")
            for uid in private:
                one = instances.new_target(first.study, first.series)
                dataset = pydicom.dcmread(BytesIO(instances.make(one, attributes={"SOPClassUID": uid})))
                assert association.send_c_store(dataset).Status == 0
            association.release()
            association = caller(Move).associate("127.0.0.1", port, ae_title="DICOMGATE")
            wanted = Dataset()
            wanted.QueryRetrieveLevel, wanted.StudyInstanceUID = "STUDY", first.study
            final = [status for status, _ in association.send_c_move(wanted, "THERE", Move)][-1]
            assert (final.Status, final.NumberOfCompletedSuboperations) == (0, count)
            association.release()
        with there.retrieve.retrieve(Target(first.study)) as kept:
            assert len(list(kept)) == count
    assert not lines


@pytest.mark.parametrize("breaks_after", [None, 20], ids=["all is taken", "the destination goes away"])
def test_a_move_takes_one_association_and_calls_nobody_again_who_went(tmp_path: Path, breaks_after: int | None) -> None:
    count, opened_there, came = 50, [], []

    def take(event: evt.Event) -> int:
        came.append(event.request.AffectedSOPInstanceUID)
        if len(came) == breaks_after:
            event.assoc.abort()
        return 0

    there = AE("THERE")
    there.add_supported_context(Image)
    handlers = [(evt.EVT_C_STORE, take), (evt.EVT_ACCEPTED, opened_there.append)]
    listening = there.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    try:
        peer = peers.parse_entity(f"THERE@127.0.0.1:{listening.server_address[1]}")
        with opened(tmp_path / "here", peers=(peer,)) as (port, _, _):
            sent = images(count)
            assert set(store(port, sent)) == {0}
            association = caller(Move).associate("127.0.0.1", port, ae_title="DICOMGATE")
            wanted = ask("STUDY", StudyInstanceUID=str(sent[0].StudyInstanceUID))
            *_, (final, told) = association.send_c_move(wanted, "THERE", Move)
            association.release()
    finally:
        listening.shutdown()
    assert len(opened_there) == 1
    if breaks_after is None:
        assert (final.Status, final.NumberOfCompletedSuboperations, len(set(came))) == (0, count, count)
    else:
        done, failed = final.NumberOfCompletedSuboperations, final.NumberOfFailedSuboperations
        assert (final.Status, done + failed) == (0xB000, count)
        assert breaks_after - 1 <= done <= breaks_after
        assert len(told.FailedSOPInstanceUIDList) == failed
