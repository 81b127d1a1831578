"""A connection with a peer: messages in and out over a blocking socket, each wait bounded (PS3.8 §9.1.5, T20, T21).

The owner is one thread. Whoever wants it to end from elsewhere calls `cut`, which any thread may.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from dicomgate import errors
from dicomgate.dimse import command_sets, dataflow, upper_layer
from dicomgate.dimse.command_sets import Command
from dicomgate.dimse.dataflow import Reader, Value, Whole
from dicomgate.dimse.upper_layer import AbortReason

_RECEIVE: Final = 256 << 10
_AT_ONCE: Final[int | None] = getattr(socket, "TCP_QUICKACK", None)
"""Where the system has it: what comes is acknowledged now. Many peers (DCMTK, pynetdicom) hold the data set back until
the command before it was acknowledged, which would cost 40 ms for every instance."""
_SMALL: Final = 16 << 10
"""Who waits for an acknowledgement has sent no more than this: a command, the end of a data set."""
LONGEST: Final = 128 << 10
"""The longest P-DATA PDU that we take: longer ones make nothing quicker."""


class Closed(errors.UpstreamFailed):
    """The peer has gone, was cut off, or was silent for too long."""


class Silent(Closed, errors.UpstreamSilent):
    """The peer did not say or take what was expected in time."""


class Aborted(Closed):
    """The peer aborted the association."""


class Broken(Closed):
    """What the peer sent has no place in the protocol; the association is to be aborted."""


class Released(Closed):
    """The peer wants to end the association; it was told that it may."""


@dataclass(frozen=True, slots=True)
class Pauses:
    """Seconds: `opening` until an association stands (ARTIM), `stall` within a PDU or message, `idle` between them."""

    opening: float = 10.0
    stall: float = 60.0
    idle: float = 300.0


@dataclass(frozen=True, slots=True)
class Message:
    """A command set that came, and in which context. Its data set, if it has one, is read next."""

    context: int
    command: Command


class Connection:
    """Reads and writes PDUs and messages. Every method raises Closed when the peer has gone or waits too long."""

    def __init__(self, sock: socket.socket, pauses: Pauses, *, peer: str = "the peer") -> None:
        """`peer`: what the other side is called in sentences."""
        self._socket = sock
        self._pauses = pauses
        self._peer = peer
        self._reader = Reader(LONGEST)
        self._events: Iterator[dataflow.Event] = iter(())
        self._event: dataflow.Event | None = None
        self._ahead: deque[Message] = deque()
        self._deadline: float | None = None
        self._begun: float | None = None
        self._count = 0
        self.is_closed = False
        """Nothing more can be said to the peer."""
        self.is_excused: Callable[[], bool] = lambda: False
        """Asked when the peer has been silent for long between PDUs: True when it gives a sign of life elsewhere."""
        self.longest = upper_layer.NO_BOUND
        """The longest P-DATA PDU that the peer takes."""
        if sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    # Opening and ending.

    def read_opening(self, kinds: tuple[int, ...]) -> Whole:
        """The PDU by which a peer asks or answers. Broken for another one; all of it within `opening` seconds."""
        self._deadline = time.monotonic() + self._pauses.opening
        event = self._next(self._pauses.opening)
        self._deadline = None
        if isinstance(event, Whole) and event.kind == upper_layer.ABORT:
            self.is_closed = True
            raise Aborted(f"{self._peer} aborted the association before it was open")
        if not isinstance(event, Whole) or event.kind not in kinds:
            raise self._broken("expected an association to be asked for or answered, saw another PDU")
        return event

    def send(self, pdu: bytes) -> None:
        """Send bytes as they are."""
        try:
            self._socket.settimeout(self._pauses.stall)
            self._socket.sendall(pdu)
        except (OSError, ValueError) as fault:
            raise self._closed(fault, "took nothing", self._pauses.stall) from fault

    def release(self) -> None:
        """End an association that we asked for, and wait for the answer; never raises."""
        with contextlib.suppress(errors.Fault):
            self.send(upper_layer.write_release(answer=False))
            self._deadline = time.monotonic() + self._pauses.opening
            while not (
                isinstance(event := self._next(self._pauses.opening), Whole) and event.kind == upper_layer.RELEASED
            ):
                pass
        self.close()

    def abort(self, reason: AbortReason | None = None) -> None:
        """Break the association off; never raises."""
        with contextlib.suppress(errors.Fault):
            self._pauses = Pauses(1.0, 1.0, 1.0)
            self.send(upper_layer.write_abort(reason))
        self.close()

    def close(self) -> None:
        """Let go of the socket; never raises, and may be called twice."""
        self.is_closed = True
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            self._socket.close()

    def cut(self) -> None:
        """End whatever waits on it, from any thread."""
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    # Messages.

    def read_message(self) -> Message:
        """The next command set, waited for as long as an association may be idle.

        Released when the peer ends the association, Aborted when it breaks it off, Broken for what is no message.
        """
        if self._ahead:
            return self._ahead.popleft()
        content: list[memoryview] = []
        size, context = 0, 0
        while True:
            event = self._next(self._pauses.stall if content else self._pauses.idle)
            value = self._value(event)
            if not value.is_command or (content and value.context != context):
                raise self._broken("expected a command set, saw a data set, or another context within one")
            context = value.context
            content.append(value.content)
            size += len(value.content)
            if size > command_sets.LONGEST:
                raise self._broken(f"a command set beyond {command_sets.LONGEST} bytes")
            if value.is_last:
                return Message(context, self._read_command(b"".join(content)))

    def content(self, message: Message) -> Iterator[memoryview]:
        """The data set that follows a command, piece by piece. To be taken to the end before anything else."""
        while True:
            value = self._value(self._next(self._pauses.stall))
            if value.is_command or value.context != message.context:
                raise self._broken("expected the data set of the command before, saw another message")
            yield value.content
            if value.is_last:
                return

    def read_content(self, message: Message, take: Callable[[memoryview], object]) -> int:
        """The data set that follows a command, to its end; how many bytes it had."""
        size = 0
        for piece in self.content(message):
            size += len(piece)
            take(piece)
        return size

    def read_bytes(self, message: Message, most: int) -> bytes:
        """The data set that follows a command, whole. Broken beyond the bound."""
        pieces: list[bytes] = []
        left = most

        def take(content: memoryview) -> None:
            nonlocal left
            left -= len(content)
            if left < 0:
                raise self._broken(f"a data set beyond {most} bytes where an identifier was expected")
            pieces.append(bytes(content))

        self.read_content(message, take)
        return b"".join(pieces)

    def write_message(self, context: int, command: Command, content: Iterable[bytes] | None = None) -> None:
        """A command set, and its data set if it has one."""
        assert command.has_dataset == (content is not None), "a command says whether a data set follows"
        raw = command_sets.write_command(command)
        for part in dataflow.write_message(context, [raw], self.longest, is_command=True):
            self.send(part)
        if content is not None:
            for part in dataflow.write_message(context, content, self.longest, is_command=False):
                self.send(part)

    def came(self) -> Message | None:
        """The next command set if some of it is here already; None while the peer is silent."""
        if self._ahead:
            return self._ahead.popleft()
        if not self._has_input():
            return None
        return self.read_message()

    def put_back(self, message: Message) -> None:
        """A message without a data set that somebody else is to read."""
        self._ahead.append(message)

    def _has_input(self) -> bool:
        self._event = self._find_event()
        if self._event is not None:
            return True
        if isinstance(self._socket, ssl.SSLSocket) and self._socket.pending():
            return True
        if not self._reader.is_between:
            return True
        try:
            looking = select.poll()  # unlike select, with any number of open files
            looking.register(self._socket, select.POLLIN)
            return bool(looking.poll(0))
        except (OSError, ValueError) as fault:
            raise self._closed(fault) from fault

    def _value(self, event: dataflow.Event) -> Value:
        if isinstance(event, Value):
            return event
        self.is_closed = True
        if event.kind == upper_layer.RELEASE:
            with contextlib.suppress(Closed):
                self.send(upper_layer.write_release(answer=True))
            raise Released(f"{self._peer} ended the association")
        if event.kind == upper_layer.ABORT:
            by = "its association layer" if event.body[2:3] == b"\2" else "its program"
            raise Aborted(f"{self._peer} aborted the association ({by})")
        raise self._broken("a PDU that has no place within an association")

    def _next(self, seconds: float) -> dataflow.Event:
        while (event := self._find_event()) is None:
            self._events = self._reader.feed(self._receive(seconds))
        self._event = None
        return event

    def _find_event(self) -> dataflow.Event | None:
        """What was received and not yet looked at; it stays."""
        if self._event is not None:
            return self._event
        try:
            return next(self._events, None)
        except (errors.Malformed, errors.TooLarge) as fault:
            raise self._broken(fault.message) from fault

    def _read_command(self, raw: bytes) -> Command:
        try:
            return command_sets.read_command(raw)
        except errors.Malformed as fault:
            raise self._broken(fault.message) from fault

    def _broken(self, message: str) -> Broken:
        self.is_closed = True
        return Broken(f"{self._peer} does not speak DICOM: {message}")

    def _receive(self, seconds: float) -> bytes:
        """The next bytes. A PDU that was begun has to come whole within the stall, however often a byte comes."""
        if self._reader.is_between:
            self._begun = None
        elif self._begun is None or self._reader.count != self._count:
            self._begun, self._count = time.monotonic(), self._reader.count
        while True:
            try:
                self._socket.settimeout(self._left(seconds))
                chunk = self._socket.recv(_RECEIVE)
                break
            except TimeoutError as fault:
                if self._begun is not None or self._deadline is not None or not self.is_excused():
                    raise self._closed(fault, "said nothing", seconds) from fault
            except (OSError, ValueError) as fault:
                raise self._closed(fault) from fault
        if not chunk:
            self.is_closed = True
            raise Closed(f"{self._peer} closed the connection")
        if len(chunk) <= _SMALL:
            self._acknowledge()
        return chunk

    def _acknowledge(self) -> None:
        """Linux forgets the wish by and by, so it is told each time."""
        if _AT_ONCE is not None:
            with contextlib.suppress(OSError):  # of a socket that is none of TCP, or closed meanwhile
                self._socket.setsockopt(socket.IPPROTO_TCP, _AT_ONCE, 1)

    def _left(self, seconds: float) -> float:
        now = time.monotonic()
        ends = [now + seconds]
        if self._deadline is not None:
            ends.append(self._deadline)
        if self._begun is not None:
            ends.append(self._begun + self._pauses.stall)
        left = min(ends) - now
        if left <= 0:
            raise TimeoutError
        return left

    def _closed(self, fault: Exception, deed: str = "", seconds: float = 0.0) -> Closed:
        was_closed, self.is_closed = self.is_closed, True
        if isinstance(fault, TimeoutError):
            return Silent(f"{self._peer} {deed} for {seconds:g} seconds")
        if was_closed:
            return Closed(f"the connection to {self._peer} was closed here")
        why = fault.strerror if isinstance(fault, OSError) and not isinstance(fault, ssl.SSLError) else None
        return Closed(f"the connection to {self._peer} broke: {why or type(fault).__name__}")
