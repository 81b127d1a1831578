"""Where instances arrive that a PACS sends on associations of its own: C-MOVE to ourselves (PS3.4 §C.4.2).

A storage SCP that takes what is expected at the moment, from whom it is expected, and nothing else (T20).
"""

from __future__ import annotations

import os
import socket
import ssl
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

from dicomgate import errors
from dicomgate.dicom import sop_classes, syntaxes
from dicomgate.dimse import commands, pdus
from dicomgate.dimse.associations import SUCCESS, VERIFICATION, Incoming, Take, store_response
from dicomgate.dimse.commands import number, text
from dicomgate.dimse.pdus import Answered, Context, Proposal
from dicomgate.dimse.statuses import Status
from dicomgate.dimse.wire import LARGEST_UNIT, Wire

_NEGOTIATION_SECONDS: Final = 10.0
"""ARTIM: how long a peer may take to say who it is (PS3.8 §9.1.4)."""
_MOST: Final = 16
_PERMANENT: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Where the receiver listens, under which title, and from whom it takes."""

    title: str
    host: str = ""
    port: int = 0
    is_allowed: Callable[[str, str], bool] = lambda address, calling: True  # noqa: ARG005 (both are told)
    stall_seconds: float = 60.0
    tls: ssl.SSLContext | None = None


@dataclass(frozen=True, slots=True)
class _Expectation:
    instances: frozenset[str]
    take: Take
    came: list[str] = field(default_factory=list)


class Receiver:
    """Listens from its making until `close`."""

    def __init__(self, door: Door) -> None:
        """Unavailable when the port cannot be listened on."""
        self._door = door
        self._lock = threading.Lock()
        self._expected: list[_Expectation] = []
        self._wires: set[Wire] = set()
        self._listener = _listen(door)
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, name="move receiver", daemon=True)
        self._thread.start()

    @property
    def title(self) -> str:
        """Ours: what a PACS knows as move destination."""
        return self._door.title

    @contextmanager
    def expecting(self, instances: Collection[str], take: Take) -> Iterator[Callable[[], int]]:
        """While inside, these instances are taken; how many came, to be asked at any moment."""
        expectation = _Expectation(frozenset(instances), take)
        with self._lock:
            self._expected.append(expectation)
        try:
            yield lambda: len(expectation.came)
        finally:
            with self._lock:
                self._expected.remove(expectation)

    def close(self) -> None:
        """Stop listening, end what is open."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            wires = list(self._wires)
        for wire in wires:
            wire.close()
        self._thread.join(timeout=5)

    def _accept(self) -> None:
        while True:
            try:
                connection, address = self._listener.accept()
            except OSError:
                return  # closed
            with self._lock:
                is_full = len(self._wires) >= _MOST
            if is_full:
                connection.close()
                continue
            wire = Wire(connection, seconds=_NEGOTIATION_SECONDS, peer="the sender")
            with self._lock:
                self._wires.add(wire)
            threading.Thread(
                target=self._serve, args=(wire, connection, str(address[0])), name="moved instances", daemon=True
            ).start()

    def _serve(self, wire: Wire, connection: socket.socket, address: str) -> None:
        try:
            if self._door.tls is not None:
                connection.settimeout(_NEGOTIATION_SECONDS)
                wire.replace_socket(self._door.tls.wrap_socket(connection, server_side=True))
            agreed = self._negotiate(wire, address)
            if agreed:
                wire.wait_at_most(self._door.stall_seconds)
                while True:
                    self._one(wire, agreed)
        except (errors.Fault, OSError):
            return  # the sender has gone, or is none
        finally:
            wire.close()
            with self._lock:
                self._wires.discard(wire)

    def _negotiate(self, wire: Wire, address: str) -> Mapping[int, tuple[str, str]]:
        """Class and transfer syntax by the number of the context; none when the association is refused."""
        kind, body = wire.receive()
        if kind != pdus.REQUEST:
            return {}
        proposal = pdus.read_proposal(bytes(body))
        refusal = self._refusal(proposal, address)
        if refusal is not None:
            wire.send(refusal)
            return {}
        answers = {number: _answer(one) for number, one in zip(proposal.numbers, proposal.contexts, strict=True)}
        wire.send(pdus.write_acceptance(proposal, answers, LARGEST_UNIT))
        wire.largest = proposal.largest
        return {
            number: (one.abstract_syntax, answers[number].transfer_syntax)
            for number, one in zip(proposal.numbers, proposal.contexts, strict=True)
            if answers[number].result == pdus.ACCEPTED
        }

    def _refusal(self, proposal: Proposal, address: str) -> bytes | None:
        if proposal.called != self._door.title:
            return pdus.write_rejection(_PERMANENT, 1, 7)
        if not self._door.is_allowed(address, proposal.calling):
            return pdus.write_rejection(_PERMANENT, 1, 3)
        return None

    def _one(self, wire: Wire, agreed: Mapping[int, tuple[str, str]]) -> None:
        """One message and its answer."""
        where, command = wire.receive_command()
        sop_class, syntax = agreed.get(where, ("", ""))
        asked = number(command, "CommandField")
        if asked == commands.ECHO and sop_class == VERIFICATION:
            wire.send_message(where, _echoed(command))
            return
        if asked != commands.STORE or not sop_class or not commands.has_dataset(command):
            wire.send(pdus.write_abort())
            raise errors.Malformed(f"command {asked:04X} where an instance was expected")
        instance = text(command, "AffectedSOPInstanceUID")
        incoming = Incoming(sop_class, instance, syntax, wire.receive_dataset())
        wire.send_message(where, store_response(command, self._take(incoming)))

    def _take(self, incoming: Incoming) -> int:
        with self._lock:
            expectation = next((one for one in self._expected if incoming.instance in one.instances), None)
        if expectation is None:
            for _ in incoming.fragments:
                pass
            return Status.NOT_AUTHORIZED
        status = expectation.take(incoming)
        expectation.came.append(incoming.instance)
        return status


def _listen(door: Door) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in door.host else socket.AF_INET
        return socket.create_server((door.host, door.port), family=family, backlog=_MOST)
    except (OSError, OverflowError) as fault:
        why = os.strerror(fault.errno) if isinstance(fault, OSError) and fault.errno else "no such port"
        raise errors.Unavailable(f"port {door.port} cannot be listened on for C-MOVE: {why}") from fault


def _answer(context: Context) -> Answered:
    """The first transfer syntax that is known, in the order of who asks."""
    abstract = context.abstract_syntax
    if abstract != VERIFICATION and not sop_classes.is_storable(abstract):
        return Answered(pdus.CLASS_UNKNOWN, syntaxes.IMPLICIT_LITTLE)
    for syntax in context.transfer_syntaxes:
        if syntaxes.find(syntax) is not None:
            return Answered(pdus.ACCEPTED, syntax)
    return Answered(pdus.SYNTAXES_UNKNOWN, syntaxes.IMPLICIT_LITTLE)


def _echoed(command: Mapping[str, str | int]) -> dict[str, str | int]:
    return {
        "AffectedSOPClassUID": VERIFICATION,
        "CommandField": commands.ECHOED,
        "MessageIDBeingRespondedTo": number(command, "MessageID"),
        "CommandDataSetType": commands.NO_DATASET,
        "Status": SUCCESS,
    }
