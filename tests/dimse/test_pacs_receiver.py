"""The port for C-MOVE takes what is expected, from whom it is expected, and nothing else (T14, T20)."""

from __future__ import annotations

import io
import socket
from collections.abc import Iterator

import pydicom
import pytest
from door_opened import rejection
from pynetdicom import AE
from pynetdicom.sop_class import SecondaryCaptureImageStorage, Verification

from dicomgate.dimse.associations import Incoming
from dicomgate.dimse.pacs import senders
from dicomgate.dimse.receiver import Receiver, Reception
from dicomgate.dimse.statuses import Status
from dicomgate.testing import instances

pytestmark = pytest.mark.slow


def receiving(*, host: str = "127.0.0.1", networks: tuple[str, ...] = ()) -> Receiver:
    return Receiver(Reception(title="GATEWAY", host="127.0.0.1", is_allowed=senders(host, "PACS", networks)))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = receiving()
    yield made
    made.close()


def entity(title: str = "PACS") -> AE:
    ae = AE(title)
    ae.add_requested_context(SecondaryCaptureImageStorage)
    ae.add_requested_context(Verification)
    return ae


def calling(port: int):
    return entity().associate("127.0.0.1", port, ae_title="GATEWAY")


def drain(incoming: Incoming) -> int:
    for _ in incoming.fragments:
        pass
    return Status.SUCCESS


def test_what_is_expected_is_taken_and_nothing_else(receiver):
    wanted, other = (pydicom.dcmread(io.BytesIO(instances.make())) for _ in range(2))
    with receiver.expecting([wanted.SOPInstanceUID], drain) as came:
        association = calling(receiver.port)
        assert association.send_c_echo().Status == 0
        assert association.send_c_store(wanted).Status == 0
        assert association.send_c_store(other).Status == 0x0124
        assert came() == 1
    assert association.send_c_store(wanted).Status == 0x0124, "nobody waits for it any more"
    association.release()


@pytest.mark.parametrize(("who", "whom", "reason"), [("PACS", "OTHER", 7), ("STRANGER", "GATEWAY", 3)])
def test_who_calls_another_or_is_another_is_rejected(receiver, who, whom, reason):
    assert rejection(entity(who), receiver.port, whom) == (1, 1, reason)


def test_the_pacs_s_title_from_elsewhere_is_rejected_unless_its_network_is_named():
    for networks, is_let_in in (((), False), (("127.0.0.0/8",), True), (("10.0.0.0/8",), False)):
        receiver = receiving(host="192.0.2.7", networks=networks)
        association = calling(receiver.port)
        assert association.is_established is is_let_in
        if is_let_in:
            association.release()
        receiver.close()


def test_what_does_not_speak_dicom_or_lies_of_its_length_is_left(receiver):
    for said in (b"GET / HTTP/1.1\r\n\r\n", b"\x01\0\xff\xff\xff\xff" + bytes(64), b"\x04\0\0\0\0\x06" + bytes(6)):
        with socket.create_connection(("127.0.0.1", receiver.port)) as line:
            line.settimeout(30)
            line.sendall(said)
            try:
                assert line.recv(100) == b""
            except ConnectionResetError:
                continue
    association = calling(receiver.port)
    assert association.is_established
    association.release()
