"""Associations that we ask for: opened, spoken on, ended, every step within its time (PS3.7 §9, §D; PS3.8 §7, §9)."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from dicomgate import errors
from dicomgate.dicom import names
from dicomgate.dimse import contexts, datasets, statuses, upper_layer
from dicomgate.dimse.command_sets import Command, Field, Kind
from dicomgate.dimse.connection import LONGEST, Aborted, Broken, Closed, Connection, Message, Pauses, Silent
from dicomgate.dimse.contexts import Agreed, Answer, Offer
from dicomgate.dimse.statuses import Status
from dicomgate.dimse.upper_layer import Acceptance, Rejection, Request, Role, Said

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
    setting: str = "pacs.title"
    """Where its title is set, for who has to correct it."""

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
    """One association of ours. Used by one thread at a time; `cut` may come from any.

    Every deed raises Closed when the peer goes away or breaks the protocol, Silent when it takes too long.
    """

    def __init__(self, connection: Connection, peer: Peer, request: Request, acceptance: Acceptance) -> None:
        """What the two have agreed on; `connection` speaks on it."""
        self.connection = connection
        self.peer = peer
        self.implementation = acceptance.said.implementation
        self.contexts: Mapping[int, Agreed] = upper_layer.agreed(request, acceptance)
        """Those that the peer accepted, by number."""
        self._message = 0
        self._known = {
            context.abstract_syntax
            for context in request.contexts
            if _is_known(acceptance.answers.get(context.number, Answer.NO_REASON))
        }

    @property
    def is_open(self) -> bool:
        """False when it has ended."""
        return not self.connection.is_closed

    def syntaxes(self, abstract_syntax: str) -> tuple[str, ...]:
        """The transfer syntaxes in which the peer speaks of this."""
        return tuple(one.transfer_syntax for one in self.contexts.values() if one.abstract_syntax == abstract_syntax)

    def knows(self, abstract_syntax: str) -> bool:
        """Whether the peer would do this, if not in a transfer syntax that was offered (PS3.8 Table 9-18)."""
        return abstract_syntax in self._known

    def context(self, abstract_syntax: str, transfer_syntax: str | None = None) -> Agreed:
        """The context of this. NotAccepted where there is none."""
        for found in self.contexts.values():
            if found.abstract_syntax == abstract_syntax and transfer_syntax in (None, found.transfer_syntax):
                return found
        raise NotAccepted(f"{self.peer.title} does not accept {names.find_uid(abstract_syntax) or abstract_syntax}")

    def echo(self) -> None:
        """C-ECHO (PS3.7 §9.1.5). UpstreamFailed unless it succeeds."""
        request = self._ask(self.context(contexts.VERIFICATION), Kind.ECHO)
        answer = self._answer(request).command
        if answer.status != Status.SUCCESS:
            raise errors.UpstreamFailed(f"{self.peer.title} answered C-ECHO with status {answer.status:04X}")

    def find(self, model: str, identifier: Callable[[str], bytes], most: int) -> tuple[str, Matches, Command]:
        """C-FIND (PS3.7 §9.1.2): the transfer syntax of the identifiers, at most so many, and the last answer.

        `identifier` writes what is asked in a transfer syntax. Beyond `most` answers the peer is asked to stop.
        """
        agreed = self.context(model)
        request = self._ask(agreed, Kind.FIND, content=[identifier(agreed.transfer_syntax)])
        found: list[bytes] = []
        beyond = 0
        while True:
            answer = self._answer(request)
            body = self._identifier(answer)
            if not _is_pending(answer.command):
                return agreed.transfer_syntax, Matches(found, beyond > 0), answer.command
            if len(found) < most:
                found.append(body)
                continue
            beyond += 1
            if beyond == 1:
                self._cancel(agreed, request)
            elif beyond > _MOST_AFTER_CANCEL:
                self.abort()
                last = Command(Kind.FIND, {Field.STATUS: int(Status.CANCELLED)}, is_response=True)
                return agreed.transfer_syntax, Matches(found, is_cut=True), last

    def get(
        self, model: str, identifier: Callable[[str], bytes], take: Take, is_wanted: Callable[[], bool]
    ) -> Suboperations:
        """C-GET (PS3.7 §9.1.3): instances come back on this association, each to `take`.

        When it is no longer wanted the peer is asked to stop.
        """
        agreed = self.context(model)
        request = self._ask(agreed, Kind.GET, content=[identifier(agreed.transfer_syntax)])
        is_cancelled = False
        while True:
            came = self.connection.read_message()
            if came.command.kind is Kind.STORE and not came.command.is_response:
                self._take(came, take)
                if not is_cancelled and not is_wanted():
                    self._cancel(agreed, request)
                    is_cancelled = True
                continue
            self._expect(came, request)
            body = self._identifier(came)
            if not _is_pending(came.command):
                return _suboperations(came.command, body)

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
        agreed = self.context(model)
        self.connection.is_excused = is_coming
        content = [identifier(agreed.transfer_syntax)]
        request = self._ask(agreed, Kind.MOVE, content=content, further={Field.DESTINATION: destination})
        is_cancelled = False
        while True:
            answer = self._answer(request)
            body = self._identifier(answer)
            if not _is_pending(answer.command):
                return _suboperations(answer.command, body)
            if not is_cancelled and not is_wanted():
                self._cancel(agreed, request)
                is_cancelled = True

    def store(self, sop_class: str, instance: str, transfer_syntax: str, dataset: Iterable[bytes]) -> int:
        """C-STORE (PS3.7 §9.1.1): the status that the peer answers. NotAccepted without a context for it."""
        agreed = self.context(sop_class, transfer_syntax)
        further = {Field.AFFECTED_INSTANCE: instance}
        answer = self._answer(self._ask(agreed, Kind.STORE, content=dataset, further=further))
        self._identifier(answer)
        return answer.command.status

    def release(self) -> None:
        """End in order; a peer that does not answer is left."""
        if self.connection.is_closed:
            self.connection.close()
        else:
            self.connection.release()

    def abort(self) -> None:
        """End at once."""
        if self.connection.is_closed:
            self.connection.close()
        else:
            self.connection.abort()

    def cut(self) -> None:
        """End at once, from another thread than the one that speaks."""
        self.connection.cut()

    def _ask(
        self,
        agreed: Agreed,
        kind: Kind,
        *,
        content: Iterable[bytes] | None = None,
        further: dict[Field, Any] | None = None,
    ) -> Command:
        self._message = self._message % 0xFFFF + 1
        fields: dict[Field, Any] = {Field.AFFECTED_CLASS: agreed.abstract_syntax, Field.MESSAGE_ID: self._message}
        if kind is not Kind.ECHO:
            fields[Field.PRIORITY] = _MEDIUM
        request = Command(kind, {**fields, **(further or {})}, has_dataset=content is not None)
        self.connection.write_message(agreed.number, request, content)
        return request

    def _cancel(self, agreed: Agreed, request: Command) -> None:
        self.connection.write_message(agreed.number, Command(Kind.CANCEL, {Field.RESPONDED_ID: request.number}))

    def _answer(self, request: Command) -> Message:
        came = self.connection.read_message()
        self._expect(came, request)
        return came

    def _expect(self, came: Message, request: Command) -> None:
        command = came.command
        if not command.is_response or command.kind is not request.kind or command.number != request.number:
            self.abort()
            raise Broken(f"{self.peer.title} answered something else than was asked ({command.kind.name})")

    def _identifier(self, came: Message) -> bytes:
        return self.connection.read_bytes(came, datasets.LONGEST) if came.command.has_dataset else b""

    def _take(self, came: Message, take: Take) -> None:
        agreed, command = self.contexts.get(came.context), came.command
        if agreed is None or not command.has_dataset:
            self.abort()
            raise Broken(f"{self.peer.title} sent an instance on a context that was not agreed upon, or without data")
        told = command.text(Field.AFFECTED_CLASS) or agreed.abstract_syntax
        instance = command.text(Field.AFFECTED_INSTANCE)
        status = take(Incoming(told, instance, agreed.transfer_syntax, self.connection.content(came)))
        self.connection.write_message(came.context, command.answer(status))


def _is_known(answer: str | Answer) -> bool:
    return not isinstance(answer, Answer) or answer is Answer.TRANSFER_SYNTAXES


def _is_pending(command: Command) -> bool:
    return statuses.kind(command.status) is statuses.Kind.PENDING


def connect(peer: Peer, offers: Sequence[Offer]) -> Association:
    """Ask for an association.

    Unavailable where nobody listens, UpstreamSilent where nobody answers, Rejected and Busy where it is refused.
    """
    pauses = Pauses(opening=peer.connect_seconds, stall=peer.answer_seconds, idle=peer.answer_seconds)
    connection = Connection(_socket(peer), pauses, peer=peer.title)
    try:
        return _negotiate(connection, peer, offers)
    except BaseException:
        connection.close()
        raise


@contextmanager
def opened(peer: Peer, offers: Sequence[Offer]) -> Iterator[Association]:
    """An association that is released at the end, or aborted where a fault ends it. Raises what `connect` does."""
    association = connect(peer, offers)
    try:
        yield association
    except BaseException:
        association.abort()
        raise
    association.release()


def _negotiate(connection: Connection, peer: Peer, offers: Sequence[Offer]) -> Association:
    roles = {one.abstract_syntax: Role(scu=False, scp=True) for one in offers if one.is_received}
    offered = tuple(contexts.number_contexts(offers))
    said = Said(longest=LONGEST, roles=roles)
    request = Request(called=peer.title, calling=peer.own_title, contexts=offered, said=said)
    try:
        connection.send(upper_layer.write_request(request))
        answer = connection.read_opening((upper_layer.ACCEPT, upper_layer.REJECT))
        if answer.kind == upper_layer.REJECT:
            raise _refusal(peer, *upper_layer.read_rejection(answer.body))
        acceptance = upper_layer.read_acceptance(answer.body)
    except (errors.Malformed, errors.TooLarge) as fault:
        raise Unopened(f"{peer.title} does not speak DICOM: {fault.message}") from fault
    except Silent as fault:
        raise Mute(f"{fault.message} on an open connection") from None
    except Closed as fault:
        if peer.tls is not None and not isinstance(fault, Aborted):  # TLS 1.3 refuses a certificate when all seems well
            raise Unopened(f"{fault.message}; does it believe our certificate?", is_tls=True) from None
        raise Unopened(fault.message) from None
    connection.longest = acceptance.said.longest
    return Association(connection, peer, request, acceptance)


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
CALLING_UNKNOWN: Final = Rejection.CALLING_TITLE.value[1:]
CALLED_UNKNOWN: Final = Rejection.CALLED_TITLE.value[1:]
_REASONS: Final = {
    (_USER, 1): "it gives no reason",
    (_USER, 2): "it does not know the application context of DICOM",
    CALLING_UNKNOWN: "it does not know our title {own}; its administrator adds that",
    CALLED_UNKNOWN: "it does not answer to the title {title}; the setting {setting} must be its own",
    (_ASSOCIATION, 1): "it gives no reason",
    (_ASSOCIATION, 2): "it speaks another version of the protocol",
    (_PRESENTATION, 1): "it has too much to do",
    (_PRESENTATION, 2): "as many associations are open as it allows",
}
_TRANSIENT: Final = 2


def _refusal(peer: Peer, result: int, source: int, reason: int) -> errors.Fault:
    """The fault that a rejection is (PS3.8 Table 9-21)."""
    why = _REASONS.get((source, reason), f"source {source}, reason {reason}")
    words = why.format(own=peer.own_title, title=peer.title, setting=peer.setting)
    sentence = f"{peer.title} refuses the association: {words}"
    if source == _PRESENTATION or (result == _TRANSIENT and (source, reason) not in (CALLING_UNKNOWN, CALLED_UNKNOWN)):
        return Busy(sentence)
    return Rejected(sentence, source, reason)


def _suboperations(command: Command, identifier: bytes) -> Suboperations:
    return Suboperations(
        status=command.status,
        completed=command.number_of(Field.COMPLETED),
        failed=command.number_of(Field.FAILED),
        warned=command.number_of(Field.WARNED),
        comment=command.text(Field.COMMENT),
        identifier=identifier,
    )
