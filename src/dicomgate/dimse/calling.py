"""Associations that we ask for: to move instances to a peer, to report a commitment (PS3.8 §7.1)."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from dicomgate import errors
from dicomgate.dimse import upper_layer
from dicomgate.dimse.connection import LONGEST, Aborted, Closed, Connection, Pauses
from dicomgate.dimse.contexts import Agreed, Context
from dicomgate.dimse.encryption import Encryption
from dicomgate.dimse.peers import Peer
from dicomgate.dimse.upper_layer import Request, Role, Said


@dataclass(frozen=True, slots=True)
class Called:
    """An association that stands."""

    connection: Connection
    contexts: Mapping[int, Agreed]


@contextmanager
def associate(
    peer: Peer,
    offered: Sequence[Context],
    *,
    title: str,
    pauses: Pauses,
    encryption: Encryption | None = None,
    roles: Mapping[str, Role] | None = None,
) -> Iterator[Called]:
    """An association with a peer, released at the end, aborted where a fault ends it.

    Unavailable when the peer cannot be reached or rejects us, with its reason in words; Closed when it goes away.
    """
    connection = Connection(_connect(peer, pauses, encryption), pauses)
    try:
        called = _ask(connection, peer, offered, title, roles or {})
    except BaseException:
        connection.abort()
        raise
    try:
        yield called
    except BaseException:
        connection.abort()
        raise
    if connection.is_closed:
        connection.close()
    else:
        connection.release()


def _connect(peer: Peer, pauses: Pauses, encryption: Encryption | None) -> socket.socket:
    try:
        plain = socket.create_connection((peer.host, peer.port), timeout=pauses.opening)
    except OSError as fault:
        raise errors.Unavailable(f"{peer.title} cannot be reached: {fault.strerror or 'no answer in time'}") from fault
    if not peer.is_encrypted:
        return plain
    if encryption is None:
        plain.close()
        raise errors.Unavailable(f"{peer.title} is called by TLS, and we have no certificate to show")
    try:
        return encryption.calling().wrap_socket(plain, server_hostname=peer.host)
    except OSError as fault:
        plain.close()
        raise errors.Unavailable(f"{peer.title}: TLS could not be agreed on") from fault


def _ask(
    connection: Connection, peer: Peer, offered: Sequence[Context], title: str, roles: Mapping[str, Role]
) -> Called:
    said = Said(longest=LONGEST, roles=roles)
    request = Request(called=peer.title, calling=title, contexts=tuple(offered), said=said)
    try:
        connection.send(upper_layer.write_request(request))
        answer = connection.read_opening((upper_layer.ACCEPT, upper_layer.REJECT))
    except Aborted as fault:
        raise errors.Unavailable(f"{peer.title} aborted the association") from fault
    except Closed as fault:
        raise errors.Unavailable(f"{peer.title}: {fault.message}") from fault
    if answer.kind == upper_layer.REJECT:
        why = upper_layer.REJECTIONS[upper_layer.read_rejection(answer.body)]
        raise errors.Unavailable(f"{peer.title} rejected the association: {why}")
    acceptance = upper_layer.read_acceptance(answer.body)
    connection.longest = acceptance.said.longest
    return Called(connection, upper_layer.agreed(request, acceptance))
