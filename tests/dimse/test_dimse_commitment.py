"""Storage commitment: reported over the association that asked, or to the peer of the settings (PS3.4 §J.3, D1)."""

from __future__ import annotations

import queue
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE, evt
from pynetdicom.sop_class import SecondaryCaptureImageStorage as Image  # type: ignore[attr-defined]
from pynetdicom.sop_class import StorageCommitmentPushModel as Commitment  # type: ignore[attr-defined]

from dicomgate import assembly, config
from dicomgate.dicom import syntaxes
from dicomgate.dimse import door, peers
from dicomgate.dimse.connection import Pauses
from dicomgate.dimse.session import House
from dicomgate.dimse.settings import DoorSettings
from dicomgate.server.logs import Log
from dicomgate.testing import instances

INSTANCE = "1.2.840.10008.1.20.1.1"
PATIENCE = 60


@contextmanager
def opened(data: Path, *called: peers.Entity) -> Iterator[int]:
    with assembly.open_archive(data, config.Settings()) as archive:
        settings = DoorSettings(pauses=Pauses(opening=60.0, stall=60.0, idle=60.0), peers=called)
        house = House(origin=archive.origin, spool=archive.spool, log=Log(lambda line: None), settings=settings)
        listening = door.listen("127.0.0.1", 0)
        with door.opened(house, listening):
            yield listening.getsockname()[1]


def action(*references: tuple[str, str]) -> Dataset:
    asked = Dataset()
    asked.TransactionUID = generate_uid()
    asked.ReferencedSOPSequence = [Dataset() for _ in references]
    for item, (sop_class, instance) in zip(asked.ReferencedSOPSequence, references, strict=True):
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, instance
    return asked


def requester() -> AE:
    entity = AE("TEST")
    entity.add_requested_context(Image, syntaxes.EXPLICIT_LITTLE)
    entity.add_requested_context(Commitment)
    return entity


def image() -> Dataset:
    return pydicom.dcmread(BytesIO(instances.make(instances.new_target())))


def hear(told: queue.Queue[tuple[int, Dataset]], event: evt.Event) -> tuple[int, None]:
    told.put((event.event_type, event.event_information))
    return 0x0000, None


@pytest.mark.slow
def test_what_is_stored_is_committed_and_what_is_not_fails_with_a_reason(tmp_path: Path) -> None:
    told: queue.Queue[tuple[int, Dataset]] = queue.Queue()
    sent = image()
    with opened(tmp_path / "data") as port:
        association = requester().associate(
            "127.0.0.1", port, ae_title="DICOMGATE", evt_handlers=[(evt.EVT_N_EVENT_REPORT, lambda e: hear(told, e))]
        )
        assert association.send_c_store(sent).Status == 0
        whole = action((Image, sent.SOPInstanceUID))
        assert association.send_n_action(whole, 1, Commitment, INSTANCE)[0].Status == 0
        kind, report = told.get(timeout=PATIENCE)
        assert (kind, report.TransactionUID) == (1, whole.TransactionUID)
        assert [item.ReferencedSOPInstanceUID for item in report.ReferencedSOPSequence] == [sent.SOPInstanceUID]

        missing = generate_uid()
        partly = action(
            (Image, sent.SOPInstanceUID), (Image, missing), ("1.2.840.10008.5.1.4.1.1.2", sent.SOPInstanceUID)
        )
        assert association.send_n_action(partly, 1, Commitment, INSTANCE)[0].Status == 0
        kind, report = told.get(timeout=PATIENCE)
        assert (kind, len(report.ReferencedSOPSequence)) == (2, 1)
        reasons = {item.ReferencedSOPInstanceUID: item.FailureReason for item in report.FailedSOPSequence}
        assert reasons == {missing: 0x0112, sent.SOPInstanceUID: 0x0119}
        assert association.send_n_action(partly, 2, Commitment, INSTANCE)[0].Status == 0x0123
        del partly.ReferencedSOPSequence
        assert association.send_n_action(partly, 1, Commitment, INSTANCE)[0].Status == 0x0115
        assert association.send_c_store(image()).Status == 0
        association.release()


@pytest.mark.slow
def test_a_peer_of_the_settings_hears_of_it_on_an_association_of_its_own(tmp_path: Path) -> None:
    told: queue.Queue[tuple[int, Dataset]] = queue.Queue()
    listener = AE("TEST")
    listener.add_supported_context(Commitment, scu_role=False, scp_role=True)
    with ExitStack() as stack:
        with closing(socket.create_server(("127.0.0.1", 0))) as free:
            port = free.getsockname()[1]
        server = listener.start_server(
            ("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, lambda e: hear(told, e))]
        )
        stack.callback(server.shutdown)
        sent = image()
        with opened(tmp_path / "data", peers.parse_entity(f"TEST@127.0.0.1:{port}")) as ours:
            association = requester().associate("127.0.0.1", ours, ae_title="DICOMGATE")
            assert association.send_c_store(sent).Status == 0
            whole = action((Image, sent.SOPInstanceUID))
            assert association.send_n_action(whole, 1, Commitment, INSTANCE)[0].Status == 0
            association.release()
            kind, report = told.get(timeout=PATIENCE)
            assert (kind, report.TransactionUID) == (1, whole.TransactionUID)
