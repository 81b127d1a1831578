"""Associations that we ask for: opened, spoken on, ended, every step within its time (PS3.7 §9, §D; PS3.8 §7, §9)."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from dicomgate import errors
from dicomgate.dicom import names
from dicomgate.dimse import commands, pdus
from dicomgate.dimse.commands import Command, number, text
from dicomgate.dimse.pdus import Acceptance, Context, Proposal
from dicomgate.dimse.wire import LARGEST_UNIT, Broken, Silent, Wire

VERIFICATION: Final = "1.2.840.10008.1.1"
IMPLICIT: Final = "1.2.840.10008.1.2"
EXPLICIT: Final = "1.2.840.10008.1.2.1"

SUCCESS, CANCELLED = 0x0000, 0xFE00
PENDING: Final = frozenset({0xFF00, 0xFF01})
WARNINGS: Final = 0xB000

_LARGEST_IDENTIFIER: Final = 16 << 20
_MOST_AFTER_CANCEL: Final = 10_000
"""Answers that may be under way when we ask to stop; of a peer that goes on after them we take leave."""
_MEDIUM: Final = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Somebody who accepts associations: where, under which title, and how long we wait for him."""

    title: str
    host: str
    port: int
    own_title: str
    connect_seconds: float = 10.0
    answer_seconds: float = 60.0
    tls: ssl.SSLContext | None = None

    def __str__(self) -> str:
        return f"{self.title}@{self.host}:{self.port}"


class Rejected(errors.UpstreamFailed):
    """The peer refuses the association for good; `source` and `reason` are those of PS3.8 Table 9-21."""

    def __init__(self, message: str, source: int, reason: int) -> None:
        super().__init__(message)
        self.source, self.reason = source, reason


class Busy(errors.Unavailable):
    """The peer takes no further association now."""


class Unopened(errors.UpstreamFailed):
    """The association did not come about: the peer went away, said what no DICOM is, or TLS failed.

    `is_tls`: over the encryption.
    """

    def __init__(self, message: str, *, is_tls: bool = False) -> None:
        super().__init__(message)
        self.is_tls = is_tls


class Mute(errors.UpstreamSilent):
    """The connection stands, and the peer says nothing on it."""


class NotAccepted(errors.UpstreamFailed):
    """The peer does not do what would be asked on this association, or not in an encoding that was offered."""


@dataclass(frozen=True, slots=True)
class Matches:
    """The identifiers that a C-FIND gave; `is_cut`: there were more."""

    identifiers: list[bytes]
    is_cut: bool


@dataclass(frozen=True, slots=True)
class Incoming:
    """An instance on its way in. `fragments` are good one at a time."""

    sop_class: str
    instance: str
    transfer_syntax: str
    fragments: Iterator[memoryview]


Take = Callable[[Incoming], int]
"""Keeps an instance and gives the status to answer; takes its fragments to the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suboperations:
    """How a C-GET or C-MOVE ended, and what the peer says of its parts (PS3.4 §C.4.2.1.4 to .1.9)."""

    status: int
    completed: int
    failed: int
    warned: int
    comment: str = ""
    identifier: bytes = b""


class Association:
    """One association of ours. Used by one thread at a time; `abort` may come from any."""

    def __init__(self, wire: Wire, peer: Peer, contexts: Sequence[Context], acceptance: Acceptance) -> None:
        self._wire = wire
        self._message = 0
        self.peer = peer
        self.implementation = acceptance.implementation
        self._syntaxes: dict[int, tuple[str, str]] = {}
        self._known: set[str] = set()
        for at, context in enumerate(contexts):
            answer = acceptance.contexts.get(2 * at + 1)
            if answer is not None and answer.result == pdus.ACCEPTED:
                self._syntaxes[2 * at + 1] = (context.abstract_syntax, answer.transfer_syntax)
            if answer is not None and answer.result in (pdus.ACCEPTED, pdus.SYNTAXES_UNKNOWN):
                self._known.add(context.abstract_syntax)
        self.extended = acceptance.extended

    @property
    def is_open(self) -> bool:
        """False when it was ended here."""
        return not self._wire.is_closed

    def syntaxes(self, abstract_syntax: str) -> tuple[str, ...]:
        """The transfer syntaxes in which the peer speaks of this."""
        return tuple(syntax for abstract, syntax in self._syntaxes.values() if abstract == abstract_syntax)

    def knows(self, abstract_syntax: str) -> bool:
        """Whether the peer would do this, if not in a transfer syntax that was offered (PS3.8 Table 9-18)."""
        return abstract_syntax in self._known

    def context(self, abstract_syntax: str, transfer_syntax: str | None = None) -> tuple[int, str]:
        """The context of this, and its transfer syntax. NotAccepted where there is none."""
        for found, (abstract, syntax) in self._syntaxes.items():
            if abstract == abstract_syntax and transfer_syntax in (None, syntax):
                return found, syntax
        raise NotAccepted(f"{self.peer.title} does not accept {names.find_uid(abstract_syntax) or abstract_syntax}")

    def echo(self) -> None:
        """C-ECHO (PS3.7 §9.1.5). UpstreamFailed unless it succeeds."""
        context, _ = self.context(VERIFICATION)
        self._ask(context, VERIFICATION, commands.ECHO)
        status = number(self._answer(commands.ECHOED), "Status")
        if status != SUCCESS:
            raise errors.UpstreamFailed(f"{self.peer.title} answered C-ECHO with status {status:04X}")

    def find(self, model: str, identifier: Callable[[str], bytes], most: int) -> tuple[str, Matches, Command]:
        """C-FIND (PS3.7 §9.1.2): the transfer syntax of the identifiers, at most so many, and the last answer.

        `identifier` writes what is asked in a transfer syntax. Beyond `most` answers the peer is asked to stop.
        """
        context, syntax = self.context(model)
        message = self._ask(context, model, commands.FIND, dataset=identifier(syntax))
        found: list[bytes] = []
        beyond = 0
        while True:
            answer = self._answer(commands.FOUND)
            body = self._identifier(answer)
            if number(answer, "Status") not in PENDING:
                return syntax, Matches(found, beyond > 0), answer
            if len(found) < most:
                found.append(body)
                continue
            beyond += 1
            if beyond == 1:
                self._cancel(context, message)
            elif beyond > _MOST_AFTER_CANCEL:
                self.abort()
                return syntax, Matches(found, is_cut=True), {**answer, "Status": CANCELLED}

    def get(
        self, model: str, identifier: Callable[[str], bytes], take: Take, is_wanted: Callable[[], bool]
    ) -> Suboperations:
        """C-GET (PS3.7 §9.1.3): instances come back on this association, each to `take`.

        When it is no longer wanted the peer is asked to stop.
        """
        context, syntax = self.context(model)
        message = self._ask(context, model, commands.GET, dataset=identifier(syntax))
        is_cancelled = False
        while True:
            where, command = self._wire.receive_command()
            if number(command, "CommandField") == commands.STORE:
                self._take(where, command, take)
                if not is_cancelled and not is_wanted():
                    self._cancel(context, message)
                    is_cancelled = True
                continue
            self._expect(command, commands.GOTTEN)
            body = self._identifier(command)
            if number(command, "Status") not in PENDING:
                return _suboperations(command, body)

    def move(
        self,
        model: str,
        identifier: Callable[[str], bytes],
        destination: str,
        is_wanted: Callable[[], bool],
        is_coming: Callable[[], bool] = lambda: False,
    ) -> Suboperations:
        """C-MOVE (PS3.7 §9.1.4): instances go to an application entity that the peer knows.

        Some peers say nothing until the last has gone: while `is_coming` tells that some came, we wait on.
        """
        context, syntax = self.context(model)
        self._wire.is_excused = is_coming
        further = {"MoveDestination": destination}
        message = self._ask(context, model, commands.MOVE, dataset=identifier(syntax), further=further)
        is_cancelled = False
        while True:
            answer = self._answer(commands.MOVED)
            body = self._identifier(answer)
            if number(answer, "Status") not in PENDING:
                return _suboperations(answer, body)
            if not is_cancelled and not is_wanted():
                self._cancel(context, message)
                is_cancelled = True

    def store(self, sop_class: str, instance: str, transfer_syntax: str, dataset: Iterable[bytes]) -> Command:
        """C-STORE (PS3.7 §9.1.1): what the peer answers. NotAccepted without a context for it."""
        context, _ = self.context(sop_class, transfer_syntax)
        further = {"AffectedSOPInstanceUID": instance}
        self._ask(context, sop_class, commands.STORE, dataset=dataset, further=further)
        answer = self._answer(commands.STORED)
        self._identifier(answer)
        return answer

    def release(self) -> None:
        """End in order; a peer that does not answer is left."""
        if self._wire.is_closed:
            return
        with contextlib.suppress(errors.Fault):
            self._wire.send(pdus.write_release())
            while self._wire.receive()[0] not in (pdus.RELEASED, pdus.ABORT):
                pass
        self._wire.close()

    def abort(self) -> None:
        """End at once."""
        if not self._wire.is_closed:
            with contextlib.suppress(errors.Fault):
                self._wire.send(pdus.write_abort())
            self._wire.close()

    def cut(self) -> None:
        """End at once, from another thread than the one that speaks."""
        self._wire.close()

    def _ask(
        self,
        context: int,
        sop_class: str,
        command: int,
        *,
        dataset: bytes | Iterable[bytes] | None = None,
        further: Command | None = None,
    ) -> int:
        self._message = self._message % 0xFFFF + 1
        asked = {
            "AffectedSOPClassUID": sop_class,
            "CommandField": command,
            "MessageID": self._message,
            "CommandDataSetType": commands.NO_DATASET if dataset is None else 1,
            **({} if command == commands.ECHO else {"Priority": _MEDIUM}),
            **(further or {}),
        }
        chunks = (dataset,) if isinstance(dataset, bytes) else dataset or ()
        self._wire.send_message(context, asked, chunks)
        return self._message

    def _cancel(self, context: int, message: int) -> None:
        asked = {
            "CommandField": commands.CANCEL,
            "MessageIDBeingRespondedTo": message,
            "CommandDataSetType": commands.NO_DATASET,
        }
        self._wire.send_message(context, asked)

    def _answer(self, expected: int) -> dict[str, str | int]:
        _, command = self._wire.receive_command()
        self._expect(command, expected)
        return command

    def _expect(self, command: Command, expected: int) -> None:
        field = number(command, "CommandField")
        if field != expected or number(command, "MessageIDBeingRespondedTo", -1) != self._message:
            self.abort()
            raise Broken(f"{self.peer.title} answered something else than was asked (command {field:04X})")

    def _identifier(self, command: Command) -> bytes:
        if not commands.has_dataset(command):
            return b""
        pieces: list[bytes] = []
        size = 0
        for fragment in self._wire.receive_dataset():
            size += len(fragment)
            if size > _LARGEST_IDENTIFIER:
                self.abort()
                raise Broken(f"{self.peer.title} sent an identifier of more than {_LARGEST_IDENTIFIER} bytes")
            pieces.append(bytes(fragment))
        return b"".join(pieces)

    def _take(self, where: int, command: Command, take: Take) -> None:
        sop_class, syntax = self._syntaxes.get(where, ("", ""))
        if not syntax or not commands.has_dataset(command):
            self.abort()
            raise Broken(f"{self.peer.title} sent an instance on a context that was not agreed upon, or without data")
        instance = text(command, "AffectedSOPInstanceUID")
        told = text(command, "AffectedSOPClassUID") or sop_class
        status = take(Incoming(told, instance, syntax, self._wire.receive_dataset()))
        self._wire.send_message(where, store_response(command, status))


def store_response(command: Command, status: int) -> dict[str, str | int]:
    """What is answered to a C-STORE (PS3.7 §9.3.1.2)."""
    return {
        "AffectedSOPClassUID": text(command, "AffectedSOPClassUID"),
        "CommandField": commands.STORED,
        "MessageIDBeingRespondedTo": number(command, "MessageID"),
        "CommandDataSetType": commands.NO_DATASET,
        "Status": status,
        "AffectedSOPInstanceUID": text(command, "AffectedSOPInstanceUID"),
    }


def connect(peer: Peer, contexts: Sequence[Context]) -> Association:
    """Ask for an association.

    Unavailable where nobody listens, UpstreamSilent where nobody answers, Rejected and Busy where it is refused.
    """
    wire = Wire(_socket(peer), seconds=peer.connect_seconds, peer=peer.title)
    try:
        acceptance = _negotiate(wire, peer, contexts)
    except BaseException:
        wire.close()
        raise
    wire.largest = acceptance.largest
    wire.wait_at_most(peer.answer_seconds)
    return Association(wire, peer, contexts, acceptance)


def _negotiate(wire: Wire, peer: Peer, contexts: Sequence[Context]) -> Acceptance:
    proposal = Proposal(called=peer.title, calling=peer.own_title, contexts=tuple(contexts), largest=LARGEST_UNIT)
    try:
        wire.send(pdus.write_proposal(proposal))
        return _read_answer(peer, *wire.receive())
    except Silent as fault:
        raise Mute(f"{fault.message} on an open connection") from None
    except Broken as fault:
        if peer.tls is not None:  # TLS 1.3 refuses a certificate when all seems well
            raise Unopened(f"{fault.message}; does it believe our certificate?", is_tls=True) from None
        raise Unopened(fault.message) from None


def _read_answer(peer: Peer, kind: int, body: memoryview) -> Acceptance:
    if kind != pdus.ACCEPT:
        raise _refusal(peer, kind, bytes(body))
    try:
        return pdus.read_acceptance(bytes(body))
    except (errors.Malformed, errors.TooLarge) as fault:
        raise Broken(f"{peer.title} does not speak DICOM: {fault.message}") from fault


def _socket(peer: Peer) -> socket.socket:
    try:
        plain = socket.create_connection((peer.host, peer.port), timeout=peer.connect_seconds)
    except TimeoutError:
        raise errors.UpstreamSilent(
            f"no connection to {peer} within {peer.connect_seconds:g} seconds; is a firewall between us?"
        ) from None
    except (OSError, UnicodeError) as fault:
        why = fault.strerror if isinstance(fault, OSError) and fault.strerror else "no such host"
        raise errors.Unavailable(
            f"no connection to {peer}: {why}; is the PACS running, and host and port right?"
        ) from None
    if peer.tls is None:
        return plain
    try:
        return peer.tls.wrap_socket(plain, server_hostname=peer.host)
    except TimeoutError:
        plain.close()
        raise errors.UpstreamSilent(f"{peer} does not speak TLS within {peer.connect_seconds:g} seconds") from None
    except (OSError, ValueError) as fault:
        plain.close()
        raise Unopened(f"TLS with {peer} failed: {_tls_words(fault)}", is_tls=True) from None


def _tls_words(fault: Exception) -> str:
    if isinstance(fault, ssl.SSLCertVerificationError):
        return f"its certificate is not believed ({fault.verify_message})"
    if isinstance(fault, ssl.SSLError) and fault.reason:
        return _TLS_WORDS.get(fault.reason, fault.reason)
    return type(fault).__name__


_TLS_WORDS: Final = {
    "WRONG_VERSION_NUMBER": "it does not speak TLS on this port",
    "UNEXPECTED_EOF_WHILE_READING": "it closed the connection",
}


_USER, _ASSOCIATION, _PRESENTATION = 1, 2, 3
CALLING_UNKNOWN: Final = (_USER, 3)
CALLED_UNKNOWN: Final = (_USER, 7)
_REASONS: Final = {
    (_USER, 1): "it gives no reason",
    (_USER, 2): "it does not know the application context of DICOM",
    CALLING_UNKNOWN: "it does not know our title {own}; its administrator adds that",
    CALLED_UNKNOWN: "it does not answer to the title {title}; the setting pacs.title must be its own",
    (_ASSOCIATION, 1): "it gives no reason",
    (_ASSOCIATION, 2): "it speaks another version of the protocol",
    (_PRESENTATION, 1): "it has too much to do",
    (_PRESENTATION, 2): "as many associations are open as it allows",
}
_TRANSIENT: Final = 2


def _refusal(peer: Peer, kind: int, body: bytes) -> errors.Fault:
    if kind == pdus.ABORT:
        return Broken(f"{peer.title} aborted the association before it was open")
    if kind != pdus.REJECT or len(body) < 4:
        return Broken(f"{peer.title} does not speak DICOM: a unit of kind {kind} where an answer was expected")
    result, source, reason = body[1:4]
    why = _REASONS.get((source, reason), f"source {source}, reason {reason}")
    sentence = f"{peer.title} refuses the association: {why.format(own=peer.own_title, title=peer.title)}"
    if source == _PRESENTATION or (result == _TRANSIENT and (source, reason) not in (CALLING_UNKNOWN, CALLED_UNKNOWN)):
        return Busy(sentence)
    return Rejected(sentence, source, reason)


def _suboperations(command: Command, identifier: bytes) -> Suboperations:
    return Suboperations(
        status=number(command, "Status"),
        completed=number(command, "NumberOfCompletedSuboperations"),
        failed=number(command, "NumberOfFailedSuboperations"),
        warned=number(command, "NumberOfWarningSuboperations"),
        comment=text(command, "ErrorComment"),
        identifier=identifier,
    )
