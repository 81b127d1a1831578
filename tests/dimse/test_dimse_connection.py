"""Connections as bytes: messages under any cutting, silence, lies, and others' programs that read what we write (T20)."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ

from dicomgate.dimse import associations, connection, contexts, negotiation, upper_layer
from dicomgate.dimse.associations import Peer
from dicomgate.dimse.command_sets import Command, Field, Kind
from dicomgate.dimse.connection import Connection, Pauses
from dicomgate.dimse.contexts import Offer
from dicomgate.dimse.upper_layer import Request, Role, Said

SLOW = Pauses(opening=60.0, stall=60.0, idle=60.0)
ECHOING = Offer(contexts.VERIFICATION, contexts.MESSAGE_SYNTAXES)


@pytest.fixture
def pair() -> Iterator[tuple[Connection, socket.socket]]:
    here, there = socket.socketpair()
    with here, there:
        yield Connection(here, SLOW), there


def test_pynetdicom_reads_what_we_write() -> None:
    offers = [ECHOING, Offer("1.2.3", ("1.2.840.10008.1.2",), is_received=True)]
    said = Said(longest=4096, roles={"1.2.3": Role(scu=False, scp=True)})
    request = Request(called="PACS", calling="GATEWAY", contexts=tuple(contexts.number_contexts(offers)), said=said)
    asked = A_ASSOCIATE_RQ()
    asked.decode(upper_layer.write_request(request))
    assert [one.abstract_syntax for one in asked.presentation_context] == [contexts.VERIFICATION, "1.2.3"]
    assert [role.sop_class_uid for role in asked.user_information.role_selection.values()] == ["1.2.3"]
    agreed, acceptance = negotiation.accept(request, 8192)
    accepted = A_ASSOCIATE_AC()
    accepted.decode(upper_layer.write_acceptance(acceptance, called="PACS", calling="GATEWAY"))
    assert accepted.user_information.maximum_length == 8192
    assert [one.result for one in accepted.presentation_context] == [0, 0]
    assert [one.we_send for one in agreed.values()] == [False, True]


@given(st.lists(st.binary(max_size=300), max_size=8), st.integers(1024, 4096))
def test_a_message_arrives_as_it_was_sent_in_units_that_the_peer_takes(chunks: list[bytes], longest: int) -> None:
    here, there = socket.socketpair()
    with here, there:
        sender, taker = Connection(here, SLOW), Connection(there, SLOW)
        sender.longest = longest
        command = Command(Kind.STORE, {Field.MESSAGE_ID: 7}, has_dataset=True)
        sender.write_message(3, command, chunks)
        came = taker.read_message()
        assert (came.context, came.command) == (3, command)
        pieces = [bytes(one) for one in taker.content(came)]
    assert b"".join(pieces) == b"".join(chunks)
    assert all(len(one) <= longest - 6 for one in pieces)
    assert all(len(one) % 2 == 0 for one in pieces[:-1])


@pytest.mark.parametrize(
    "sent",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        struct.pack(">BxI", upper_layer.DATA, 0xFFFFFFFF),  # a lying length costs nothing (T20)
        struct.pack(">BxI", upper_layer.DATA, 6) + struct.pack(">IBB", 100, 1, 3),
        struct.pack(">BxI", upper_layer.DATA, 4) + bytes(4),
        struct.pack(">BxI", upper_layer.DATA, 10) + struct.pack(">IBB", 6, 1, 3) + b"\1\0\0\0",
        struct.pack(">BxI", 9, 4) + bytes(4),
    ],
)
def test_what_is_no_message_is_told_and_not_waited_for(pair: tuple[Connection, socket.socket], sent: bytes) -> None:
    here, there = pair
    there.sendall(sent)
    with pytest.raises(connection.Broken, match="does not speak DICOM"):
        here.read_message()


def test_who_says_nothing_is_left_and_who_goes_is_noticed() -> None:
    here, there = socket.socketpair()
    with here, there:
        one = Connection(here, Pauses(opening=0.05, stall=0.05, idle=0.05), peer="PACS")
        with pytest.raises(connection.Silent, match="PACS said nothing for 0"):
            one.read_message()
        there.close()
        with pytest.raises(connection.Closed, match="PACS closed the connection"):
            one.read_message()


def test_silence_is_borne_while_there_is_a_sign_of_life_elsewhere() -> None:
    here, there = socket.socketpair()
    with here, there:
        one = Connection(here, Pauses(opening=5.0, stall=0.05, idle=0.05))
        signs = [True, True]
        one.is_excused = lambda: bool(signs) and signs.pop()
        with pytest.raises(connection.Silent):
            one.read_message()
        assert not signs


def test_a_peer_that_cannot_be_reached_is_told_so_with_its_place() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    peer = Peer(title="PACS", host="127.0.0.1", port=port, own_title="US")
    with pytest.raises(associations.errors.Unavailable, match=f"PACS@127.0.0.1:{port}: Connection refused"):
        associations.connect(peer, [ECHOING])
