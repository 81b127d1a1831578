"""Units, command sets and connections as bytes: read as written, and nothing believed (PS3.8 §9.3, PS3.7 §E, T20)."""

from __future__ import annotations

import contextlib
import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ

from dicomgate import errors
from dicomgate.dimse import commands, pdus, wire
from dicomgate.dimse.pdus import Answered, Context, Proposal

UIDS = st.from_regex(r"[1-9](\.[1-9][0-9]{0,4}){1,8}", fullmatch=True)
TITLES = st.from_regex(r"[A-Z][A-Z0-9_]{0,15}", fullmatch=True)
CONTEXTS = st.lists(
    st.builds(Context, UIDS, st.lists(UIDS, min_size=1, max_size=4).map(tuple)), min_size=1, max_size=128
)


@pytest.mark.slow
@given(TITLES, TITLES, CONTEXTS, st.integers(0, 1 << 31))
def test_a_proposal_is_read_as_it_was_written(called, calling, contexts, largest):
    written = pdus.write_proposal(Proposal(called=called, calling=calling, contexts=tuple(contexts), largest=largest))
    read = pdus.read_proposal(written[6:])
    assert (read.called, read.calling, read.largest) == (called, calling, largest)
    assert read.contexts == tuple(contexts)
    assert read.numbers == tuple(range(1, 2 * len(contexts), 2))


def test_pynetdicom_reads_what_we_write():
    contexts = (Context("1.2.840.10008.1.1", ("1.2.840.10008.1.2",)), Context("1.2.3", ("1.2.4", "1.2.5"), True))
    proposal = Proposal(called="PACS", calling="GATEWAY", contexts=contexts, largest=4096)
    asked = A_ASSOCIATE_RQ()
    asked.decode(pdus.write_proposal(proposal))
    assert [one.abstract_syntax for one in asked.presentation_context] == ["1.2.840.10008.1.1", "1.2.3"]
    assert [role.sop_class_uid for role in asked.user_information.role_selection.values()] == ["1.2.3"]
    accepted = A_ASSOCIATE_AC()
    accepted.decode(pdus.write_acceptance(proposal, {1: Answered(0, "1.2.840.10008.1.2")}, 8192))
    assert accepted.user_information.maximum_length == 8192


@given(st.binary(max_size=400))
def test_any_bytes_are_a_negotiation_or_malformed(data):
    for read in (pdus.read_proposal, pdus.read_acceptance):
        try:
            read(data)
        except (errors.Malformed, errors.TooLarge):
            continue


@pytest.mark.slow
@given(st.fixed_dictionaries({"CommandField": st.integers(0, 0xFFFF), "MessageID": st.integers(0, 0xFFFF)}), UIDS)
def test_a_command_is_read_as_it_was_written(numbers, uid):
    command = {**numbers, "AffectedSOPClassUID": uid, "CommandDataSetType": commands.NO_DATASET}
    assert commands.read_command(commands.write_command(command)) == command


@given(st.binary(max_size=200))
def test_any_bytes_are_a_command_or_malformed(data):
    with contextlib.suppress(errors.Malformed):
        assert isinstance(commands.read_command(data)["CommandField"], int)


@pytest.fixture
def pair():
    here, there = socket.socketpair()
    yield wire.Wire(here, seconds=5), there
    here.close()
    there.close()


@given(st.lists(st.binary(max_size=300), max_size=8), st.integers(1024, 4096))
def test_a_message_arrives_as_it_was_sent_in_units_that_the_peer_takes(chunks, largest):
    here, there = socket.socketpair()
    with here, there:
        sender, taker = wire.Wire(here, seconds=5), wire.Wire(there, seconds=5)
        sender.largest = largest
        command = {"CommandField": commands.STORE, "CommandDataSetType": 1}
        sender.send_message(3, command, chunks)
        assert taker.receive_command() == (3, command)
        fragments = [bytes(one) for one in taker.receive_dataset()]
    assert b"".join(fragments) == b"".join(chunks)
    assert all(len(one) <= largest - 6 for one in fragments)


@pytest.mark.parametrize(
    "sent",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        struct.pack(">BxI", pdus.DATA, 0xFFFFFFFF),  # a lying length costs nothing (T20)
        struct.pack(">BxI", pdus.DATA, 6) + struct.pack(">IBB", 100, 1, 3),
        struct.pack(">BxI", pdus.DATA, 4) + bytes(4),
        struct.pack(">BxI", pdus.DATA, 10) + struct.pack(">IBB", 6, 1, 3) + b"\1\0\0\0",
        struct.pack(">BxI", 9, 4) + bytes(4),
    ],
)
def test_what_is_no_message_is_told_and_not_waited_for(pair, sent):
    here, there = pair
    there.sendall(sent)
    with pytest.raises(wire.Broken, match="does not speak DICOM"):
        here.receive_command()


def test_who_says_nothing_is_left_and_who_goes_is_noticed(pair):
    here, there = pair
    here.wait_at_most(0.05)
    with pytest.raises(errors.UpstreamSilent):
        here.receive()
    there.close()
    with pytest.raises(wire.Broken, match="closed the connection"):
        here.receive()
