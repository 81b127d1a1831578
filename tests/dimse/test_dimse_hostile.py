"""What strangers may try at the DIMSE door: silence, slowness, lies, bombs; who leaves, who does not read (T20, T21)."""

from __future__ import annotations

import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import pytest
from door_opened import caller, images, opened, store
from hypothesis import given, settings
from hypothesis import strategies as st
from pynetdicom.sop_class import SecondaryCaptureImageStorage as Image  # type: ignore[attr-defined]
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from dicomgate import errors
from dicomgate.dicom import syntaxes
from dicomgate.dimse import associations, contexts, datasets, upper_layer
from dicomgate.dimse.associations import Association, Peer
from dicomgate.dimse.command_sets import Command, Field, Kind
from dicomgate.dimse.connection import Closed, Pauses
from dicomgate.dimse.contexts import Offer, Root
from dicomgate.dimse.dataflow import Reader
from dicomgate.dimse.encryption import Encryption

PATIENCE = 60.0
SLOW = Pauses(opening=PATIENCE, stall=PATIENCE, idle=PATIENCE)
OPENSSL = shutil.which("openssl")


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def says(lines: list[bytes], words: bytes) -> Callable[[], bool]:
    return lambda: any(words in line for line in list(lines))


@contextmanager
def ending() -> Iterator[None]:
    """What is inside is ended by the other side."""
    with pytest.raises((errors.UpstreamFailed, OSError)):
        yield


def echoes(port: int) -> None:
    association = caller(Verification).associate("127.0.0.1", port, ae_title="DICOMGATE")
    assert association.send_c_echo().Status == 0
    association.release()


def called(port: int, *offers: Offer) -> AbstractContextManager[Association]:
    peer = Peer(title="DICOMGATE", host="127.0.0.1", port=port, own_title="TEST", answer_seconds=PATIENCE)
    return associations.opened(peer, offers)


ECHOING = Offer(contexts.VERIFICATION, contexts.MESSAGE_SYNTAXES)
FINDING = Offer(Root.STUDY.find, (syntaxes.IMPLICIT_LITTLE,))
GETTING = (
    Offer(Root.STUDY.get, contexts.MESSAGE_SYNTAXES),
    Offer(Image, (syntaxes.EXPLICIT_LITTLE,), is_received=True),
)


@pytest.mark.slow
def test_who_says_nothing_or_drips_is_let_go_and_holds_up_nobody_T20(tmp_path: Path) -> None:
    pauses = Pauses(opening=3.0, stall=20.0, idle=20.0)
    with opened(tmp_path / "data", pauses=pauses) as (port, _, lines):
        silent = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        drips = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        echoes(port)
        drips.sendall(struct.pack(">BxI", 1, 200))
        until(says(lines, b"said nothing"))
        with ending():
            for _ in range(600):  # ARTIM does not begin anew with each byte
                drips.sendall(b"\0")
                time.sleep(0.1)
        assert silent.recv(1) == b""
        silent.close()
        drips.close()


def test_half_open_connections_keep_nobody_out_T20(tmp_path: Path) -> None:
    with ExitStack() as stack, opened(tmp_path / "data", half_open=4, pauses=SLOW) as (port, _, _):
        lines = [
            stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)) for _ in range(30)
        ]
        assert [line.recv(1) for line in lines[:26]] == [b""] * 26, "the oldest made room"
        echoes(port)


@pytest.mark.slow
@pytest.mark.skipif(OPENSSL is None, reason="no openssl here to make certificates")
def test_who_drips_at_the_door_for_tls_is_let_go_T20(tmp_path: Path) -> None:
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    words = [str(OPENSSL), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=door"]
    subprocess.run([*words, "-keyout", key, "-out", chain], check=True, capture_output=True)
    pauses = Pauses(opening=0.5, stall=20.0, idle=20.0)
    encryption = Encryption(chain=chain, key=key)
    with opened(tmp_path / "data", pauses=pauses, encryption=encryption) as (port, _, _):
        drips = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        drips.sendall(b"\x16\x03\x01\x02\x00")
        with ending():
            for _ in range(600):
                drips.sendall(b"\0")
                time.sleep(0.1)
        drips.close()


@pytest.mark.slow
def test_an_idle_association_ends_T20(tmp_path: Path) -> None:
    pauses = Pauses(opening=20.0, stall=20.0, idle=0.3)
    with opened(tmp_path / "data", pauses=pauses) as (port, _, lines):
        with ending(), called(port, ECHOING) as found:
            found.connection.read_message()
        assert says(lines, b"said nothing")()


@pytest.mark.slow
def test_a_message_that_stalls_ends_however_often_a_byte_comes_T20(tmp_path: Path) -> None:
    pauses = Pauses(opening=20.0, stall=0.5, idle=20.0)
    with opened(tmp_path / "data", pauses=pauses) as (port, _, lines), ending(), called(port, ECHOING) as found:
        found.connection.send(struct.pack(">BxIIBB", 4, 4006, 4002, 1, 3))
        while not says(lines, b"said nothing")():
            found.connection.send(b"\0")
            time.sleep(0.02)
        found.connection.read_message()


def request(fields: dict[Field, object], kind: Kind = Kind.STORE) -> Command:
    return Command(kind, {Field.MESSAGE_ID: 1, Field.PRIORITY: 0, **fields}, has_dataset=True)


def test_what_is_longer_than_is_taken_is_refused_and_the_association_goes_on_T20(tmp_path: Path) -> None:
    dataset = images(1)[0]
    with opened(tmp_path / "data", instance_bytes=20_000) as (port, _, _):
        dataset.PixelData = bytes(64 * 64 * 2)
        with called(port, Offer(Image, (syntaxes.EXPLICIT_LITTLE,))) as found:
            fields = {Field.AFFECTED_CLASS: Image, Field.AFFECTED_INSTANCE: str(dataset.SOPInstanceUID)}
            for _ in range(2):
                found.connection.write_message(1, request(fields), (bytes(10_000) for _ in range(50)))
                assert found.connection.read_message().command.status >> 8 in (0xA7, 0xC0, 0xC4)


@pytest.mark.slow
def test_an_identifier_without_end_or_bottom_ends_its_association_only_T20(tmp_path: Path) -> None:
    deep = struct.pack("<HHI", 0x0008, 0x1140, 0xFFFFFFFF) + struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    fields: dict[Field, object] = {Field.AFFECTED_CLASS: Root.STUDY.find}
    with opened(tmp_path / "data") as (port, _, lines):
        with called(port, FINDING) as found:
            found.connection.write_message(1, request(fields, Kind.FIND), [deep * 100_000])
            assert found.connection.read_message().command.status >= 0xA700
        with ending(), called(port, FINDING) as found:
            endless = (bytes(1 << 20) for _ in range(64))
            found.connection.write_message(1, request(fields, Kind.FIND), endless)
            found.connection.read_message()
        until(says(lines, b"broken off"))
        echoes(port)


def test_a_message_in_a_context_that_was_not_agreed_on_ends_its_association_only_T20(tmp_path: Path) -> None:
    with opened(tmp_path / "data") as (port, _, lines):
        with ending(), called(port, ECHOING) as found:
            found.connection.write_message(99, Command(Kind.ECHO, {Field.MESSAGE_ID: 1}))
            found.connection.read_message()
        assert says(lines, b"not agreed on")()
        echoes(port)


@pytest.mark.slow
def test_who_leaves_in_the_midst_stops_what_is_done_for_him_T21(tmp_path: Path) -> None:
    sent = images(30)
    asked = {
        "00080052": {"vr": "CS", "Value": ["STUDY"]},
        "0020000D": {"vr": "UI", "Value": [str(sent[0].StudyInstanceUID)]},
    }
    with opened(tmp_path / "data") as (port, _, lines):
        store(port, sent)
        with ending(), called(port, *GETTING) as found:
            connection = found.connection
            raw = datasets.write_dataset(asked, found.contexts[1].transfer_syntax)
            connection.write_message(1, request({Field.AFFECTED_CLASS: Root.STUDY.get}, Kind.GET), [raw])
            came = connection.read_message()
            assert came.command.kind is Kind.STORE
            connection.close()
            connection.read_message()
        until(says(lines, b"association ended"))
        echoes(port)


@pytest.mark.slow
def test_who_does_not_read_is_let_go_T21(tmp_path: Path) -> None:
    sent = images(1)
    sent[0].Rows, sent[0].Columns, sent[0].PixelData = 4000, 4000, bytes(32_000_000)
    asked = {
        "00080052": {"vr": "CS", "Value": ["STUDY"]},
        "0020000D": {"vr": "UI", "Value": [str(sent[0].StudyInstanceUID)]},
    }
    with opened(tmp_path / "data") as (port, _, _):
        assert store(port, sent) == [0]
    with opened(tmp_path / "data", pauses=Pauses(opening=20.0, stall=2.0, idle=20.0)) as (port, _, lines):
        with ending(), called(port, *GETTING) as found:
            raw = datasets.write_dataset(asked, found.contexts[1].transfer_syntax)
            found.connection.write_message(1, request({Field.AFFECTED_CLASS: Root.STUDY.get}, Kind.GET), [raw])
            until(says(lines, b"took nothing"))
            raise Closed("enough")
        echoes(port)


@pytest.mark.slow
def test_a_question_that_is_cancelled_says_so(tmp_path: Path) -> None:
    with opened(tmp_path / "data") as (port, _, _):
        for one in images(1), images(1), images(1):
            store(port, one)
        asked = {"00080052": {"vr": "CS", "Value": ["STUDY"]}, "0020000D": {"vr": "UI"}}
        with called(port, FINDING) as found:
            raw = datasets.write_dataset(asked, found.contexts[1].transfer_syntax)
            connection = found.connection
            pieces = []
            connection.send, plain = pieces.append, connection.send  # type: ignore[method-assign, assignment]
            connection.write_message(1, request({Field.AFFECTED_CLASS: Root.STUDY.find}, Kind.FIND), [raw])
            connection.write_message(1, Command(Kind.CANCEL, {Field.RESPONDED_ID: 1}))
            connection.send = plain  # type: ignore[method-assign]
            connection.send(b"".join(pieces))
            assert connection.read_message().command.status == 0xFE00


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=2000), st.integers(1, 50))
def test_any_bytes_are_read_or_refused_in_any_pieces_T20(raw: bytes, step: int) -> None:
    reader = Reader(4096)
    try:
        for at in range(0, len(raw), step):
            for _ in reader.feed(raw[at : at + step]):
                pass
    except (errors.Malformed, errors.TooLarge):
        return


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_any_request_is_read_or_refused_T20(raw: bytes) -> None:
    try:
        upper_layer.read_request(b"\0\1\0\0" + b"A".ljust(16) + b"B".ljust(16) + bytes(32) + raw)
    except (errors.Malformed, errors.TooLarge):
        return
