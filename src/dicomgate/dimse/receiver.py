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
from dicomgate.dimse import encryption, negotiation, upper_layer
from dicomgate.dimse.associations import Incoming, Take
from dicomgate.dimse.command_sets import Field, Kind
from dicomgate.dimse.connection import LONGEST, Broken, Connection, Pauses
from dicomgate.dimse.contexts import VERIFICATION, Agreed, Service
from dicomgate.dimse.statuses import Status
from dicomgate.dimse.upper_layer import Rejection, Request

_NEGOTIATION_SECONDS: Final = 10.0
"""ARTIM: how long a peer may take to say who it is (PS3.8 §9.1.4)."""
_MOST: Final = 16
_SERVICES: Final = frozenset({Service.VERIFICATION, Service.STORAGE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reception:
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

    def __init__(self, reception: Reception) -> None:
        """Unavailable when the port cannot be listened on."""
        self._reception = reception
        self._lock = threading.Lock()
        self._expected: list[_Expectation] = []
        self._open: set[socket.socket] = set()
        self._listener = _listen(reception)
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, name="move receiver", daemon=True)
        self._thread.start()

    @property
    def title(self) -> str:
        """Ours: what a PACS knows as move destination."""
        return self._reception.title

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
            for sock in self._open:
                _cut(sock)
        self._thread.join(timeout=5)

    def _accept(self) -> None:
        while True:
            try:
                sock, address = self._listener.accept()
            except OSError:
                return  # closed
            with self._lock:
                is_full = len(self._open) >= _MOST
                if not is_full:
                    self._open.add(sock)
            if is_full:
                sock.close()
                continue
            threading.Thread(
                target=self._live, args=(sock, str(address[0])), name="moved instances", daemon=True
            ).start()

    def _live(self, sock: socket.socket, address: str) -> None:
        """The life of a connection."""
        if self._reception.tls is not None:
            with self._lock:
                self._open.discard(sock)
                sock = self._reception.tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
                self._open.add(sock)
        pauses = Pauses(_NEGOTIATION_SECONDS, self._reception.stall_seconds, self._reception.stall_seconds)
        try:
            if isinstance(sock, ssl.SSLSocket):
                encryption.shake_hands(sock, _NEGOTIATION_SECONDS)
            self._serve(Connection(sock, pauses, peer="the sender"), address)
        except (errors.Fault, OSError):
            return  # the sender has gone, or is none
        finally:
            with self._lock:
                self._open.discard(sock)
            _cut(sock)
            sock.close()

    def _serve(self, connection: Connection, address: str) -> None:
        opening = connection.read_opening((upper_layer.REQUEST,))
        request = upper_layer.read_request(opening.body)
        refusal = self._refusal(request, address)
        if refusal is not None:
            connection.send(upper_layer.write_rejection(refusal))
            return
        agreed, acceptance = negotiation.accept(request, LONGEST, services=_SERVICES)
        connection.longest = request.said.longest
        connection.send(upper_layer.write_acceptance(acceptance, called=request.called, calling=request.calling))
        while True:
            self._one(connection, agreed)

    def _refusal(self, request: Request, address: str) -> Rejection | None:
        if request.called != self._reception.title:
            return Rejection.CALLED_TITLE
        return None if self._reception.is_allowed(address, request.calling) else Rejection.CALLING_TITLE

    def _one(self, connection: Connection, agreed: Mapping[int, Agreed]) -> None:
        """One message and its answer."""
        message = connection.read_message()
        command, context = message.command, agreed.get(message.context)
        if command.is_response or context is None:
            connection.abort()
            raise Broken("an answer, or a context that was not agreed on, where an instance was expected")
        status: int = Status.SUCCESS
        if command.kind is not Kind.ECHO or context.abstract_syntax != VERIFICATION:
            if command.kind is not Kind.STORE or not command.has_dataset:
                connection.abort()
                raise Broken(f"{command.kind.name} where an instance was expected")
            instance = command.text(Field.AFFECTED_INSTANCE)
            fragments = connection.content(message)
            status = self._take(Incoming(context.abstract_syntax, instance, context.transfer_syntax, fragments))
        connection.write_message(message.context, command.answer(status))

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


def _listen(reception: Reception) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in reception.host else socket.AF_INET
        return socket.create_server((reception.host, reception.port), family=family, backlog=_MOST)
    except (OSError, OverflowError) as fault:
        why = os.strerror(fault.errno) if isinstance(fault, OSError) and fault.errno else "no such port"
        raise errors.Unavailable(f"port {reception.port} cannot be listened on for C-MOVE: {why}") from fault


def _cut(sock: socket.socket) -> None:
    """End it under who waits on it."""
    with suppress(OSError):
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
