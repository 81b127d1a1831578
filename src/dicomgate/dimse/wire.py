"""One connection of the DICOM upper layer: units in and out, each within its time and its bounds (PS3.8 §9.3, T20).

Synchronous: who calls waits, never longer than was said. Data passes in fragments, so that an object of any size takes
the memory of one unit. Another thread may `close` at any moment; whoever waits then hears of it.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from dicomgate import errors
from dicomgate.dimse import commands, pdus
from dicomgate.dimse.commands import Command

LARGEST_UNIT: Final = 128 << 10
"""Bytes of a P-DATA unit that we take; DCMTK's largest."""
_LARGEST: Final = {
    pdus.REQUEST: pdus.LARGEST_NEGOTIATION,
    pdus.ACCEPT: pdus.LARGEST_NEGOTIATION,
    pdus.REJECT: 64,
    pdus.RELEASE: 64,
    pdus.RELEASED: 64,
    pdus.ABORT: 64,
}
_HEAD = struct.Struct(">BxI")
_PDV = struct.Struct(">IBB")
_COMMAND, _LAST = 1, 2
_LEAST_UNIT: Final = 1024
_READ: Final = 256 << 10
_AT_ONCE: Final[int | None] = getattr(socket, "TCP_QUICKACK", None)
"""Where the system has it: what comes is acknowledged now. Many peers (DCMTK, pynetdicom) hold the data set back until
the command before it was acknowledged, which would cost 40 ms for every instance."""


class Broken(errors.UpstreamFailed):
    """The peer has gone, aborted, or does not speak DICOM."""


class Silent(errors.UpstreamSilent):
    """The peer did not say or take what was expected in time."""


class Wire:
    """A connected socket that speaks in units. `largest`: bytes that the peer takes in one (known once accepted)."""

    def __init__(self, connection: socket.socket, *, seconds: float, peer: str = "the PACS") -> None:
        """`seconds`: the longest wait for a unit, or for the peer to take one. `peer`: its name in sentences."""
        self._socket = connection
        self._seconds = seconds
        self._peer = peer
        self._buffer = memoryview(bytearray(_READ))
        self._start = self._end = 0
        self._unit = memoryview(b"")
        self._at = 0
        self.largest = LARGEST_UNIT
        self.is_closed = False
        self.is_excused: Callable[[], bool] = lambda: False
        """Asked when the peer has been silent for long: True when there is a sign of life elsewhere."""
        with contextlib.suppress(OSError):  # of a socket that is none of TCP
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def replace_socket(self, connection: socket.socket) -> None:
        """Go on over another socket: the same one, encrypted."""
        self._socket = connection

    def wait_at_most(self, seconds: float) -> None:
        """From now on, so long for each unit."""
        self._seconds = seconds

    # What passes as units.

    def send(self, data: bytes) -> None:
        """Send. Broken when the peer has gone, Silent when it takes nothing."""
        self._sending(lambda: self._socket.sendall(data))

    def receive(self) -> tuple[int, memoryview]:
        """The next unit: its kind, and its body, which is good until the next call. Broken, Silent."""
        deadline = time.monotonic() + self._seconds
        kind, length = _HEAD.unpack(self._take(_HEAD.size, deadline))
        if length > _LARGEST.get(kind, LARGEST_UNIT + 6) or not pdus.REQUEST <= kind <= pdus.ABORT:
            raise Broken(f"{self._peer} does not speak DICOM: a unit of kind {kind} and {length} bytes")
        return kind, self._take(length, deadline)

    def close(self) -> None:
        """End the connection, also under who waits for it. May be called twice."""
        self.is_closed = True
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            self._socket.close()

    # What passes as messages.

    def send_message(self, context: int, command: Command, dataset: Iterable[bytes] = ()) -> None:
        """A command and its data set, whose chunks may have any size."""
        self._send_fragment(context, _COMMAND | _LAST, commands.write_command(command))
        if commands.has_dataset(command):
            for fragment, is_last in _marked(_cut(dataset, self._room)):
                self._send_fragment(context, _LAST if is_last else 0, fragment)

    def receive_command(self) -> tuple[int, dict[str, str | int]]:
        """The next command and its context. Broken, Silent."""
        context, pieces, size = 0, [], 0
        while True:
            context, flags, fragment = self._fragment()
            size += len(fragment)
            if not flags & _COMMAND or size > commands.LARGEST:
                raise Broken(f"{self._peer} does not speak DICOM: saw {size} bytes, expected a command")
            pieces.append(bytes(fragment))
            if flags & _LAST:
                break
        try:
            return context, commands.read_command(b"".join(pieces))
        except errors.Malformed as fault:
            raise Broken(f"{self._peer} does not speak DICOM: {fault.message}") from fault

    def receive_dataset(self) -> Iterator[memoryview]:
        """The fragments of the data set that follows; each is good until the next. To be taken to the end."""
        while True:
            _, flags, fragment = self._fragment()
            if flags & _COMMAND:
                raise Broken(f"{self._peer} does not speak DICOM: expected data, saw a command")
            yield fragment
            if flags & _LAST:
                return

    @property
    def _room(self) -> int:
        """Bytes of a fragment that the peer takes."""
        most = self.largest or LARGEST_UNIT
        return max(min(most, LARGEST_UNIT), _LEAST_UNIT) - 6

    def _send_fragment(self, context: int, flags: int, fragment: bytes | memoryview) -> None:
        head = _HEAD.pack(pdus.DATA, len(fragment) + 6) + _PDV.pack(len(fragment) + 2, context, flags)
        self.send(head + fragment)

    def _fragment(self) -> tuple[int, int, memoryview]:
        while self._at >= len(self._unit):
            kind, body = self.receive()
            if kind != pdus.DATA:
                raise self._ended(kind, body)
            self._unit, self._at = body, 0
        if len(self._unit) - self._at < _PDV.size:
            raise Broken(f"{self._peer} does not speak DICOM: a unit ends in the midst of a value")
        length, context, flags = _PDV.unpack_from(self._unit, self._at)
        start, end = self._at + _PDV.size, self._at + 4 + length
        if length < 2 or end > len(self._unit):
            raise Broken(f"{self._peer} does not speak DICOM: a value of {length} bytes in a smaller unit")
        self._at = end
        return context, flags, self._unit[start:end]

    def _ended(self, kind: int, body: memoryview) -> Broken:
        """What it means when something else than data comes."""
        if kind == pdus.ABORT:
            by = "its program" if body[2:3].tobytes() == b"\0" else "its association layer"
            return Broken(f"{self._peer} aborted the association ({by})")
        if kind == pdus.RELEASE:
            with contextlib.suppress(errors.Fault):
                self.send(pdus.write_release(is_answer=True))
            return Released(f"{self._peer} ended the association")
        return Broken(f"{self._peer} does not speak DICOM: a unit of kind {kind} in the midst of data")

    def _sending(self, deed: Callable[[], object]) -> None:
        try:
            self._socket.settimeout(self._seconds)
            deed()
        except TimeoutError:
            raise Silent(f"{self._peer} took nothing for {self._seconds:g} seconds") from None
        except (OSError, ValueError) as fault:
            raise self._lost(fault) from fault

    def _take(self, count: int, deadline: float) -> memoryview:
        """Exactly so many bytes. They lie in the buffer until the next call."""
        if count > len(self._buffer):
            grown = memoryview(bytearray(count + _READ))
            grown[: self._end - self._start] = self._buffer[self._start : self._end]
            self._buffer, self._start, self._end = grown, 0, self._end - self._start
        elif self._start + count > len(self._buffer):
            left = bytes(self._buffer[self._start : self._end])
            self._buffer[: len(left)] = left
            self._start, self._end = 0, len(left)
        while self._end - self._start < count:
            try:
                self._end += self._read_into(self._buffer[self._end :], deadline)
            except Silent:
                if self._end > self._start or not self.is_excused():
                    raise
                deadline = time.monotonic() + self._seconds
        found = self._buffer[self._start : self._start + count]
        self._start += count
        if self._start == self._end:
            self._start = self._end = 0
        return found

    def _read_into(self, room: memoryview, deadline: float) -> int:
        left = deadline - time.monotonic()
        if left <= 0:
            raise Silent(f"{self._peer} did not say what was expected within {self._seconds:g} seconds")
        try:
            self._socket.settimeout(left)
            count = self._socket.recv_into(room)
            self._acknowledge()
        except TimeoutError:
            raise Silent(f"{self._peer} said nothing for {self._seconds:g} seconds") from None
        except (OSError, ValueError) as fault:
            raise self._lost(fault) from fault
        if not count:
            raise Broken(f"{self._peer} closed the connection")
        return count

    def _acknowledge(self) -> None:
        """Linux forgets the wish by and by, so it is told each time."""
        if _AT_ONCE is not None:
            with contextlib.suppress(OSError):  # of a socket that is none of TCP, or closed meanwhile
                self._socket.setsockopt(socket.IPPROTO_TCP, _AT_ONCE, 1)

    def _lost(self, fault: Exception) -> Broken:
        if self.is_closed:
            return Broken(f"the connection to {self._peer} was closed here")
        why = fault.strerror if isinstance(fault, OSError) and not isinstance(fault, ssl.SSLError) else None
        return Broken(f"the connection to {self._peer} broke: {why or type(fault).__name__}")


class Released(Broken):
    """The peer ended the association in order."""


def _cut(chunks: Iterable[bytes], room: int) -> Iterator[bytes | memoryview]:
    """The same bytes in fragments of at most so many, none of odd length but the last, small chunks joined."""
    waiting: list[bytes | memoryview] = []
    size = 0
    room -= room % 2
    for chunk in chunks:
        view = memoryview(chunk)
        while size + len(view) >= room:
            taken = room - size
            yield b"".join((*waiting, view[:taken])) if waiting else view[:taken]
            waiting, size, view = [], 0, view[taken:]
        if view:
            waiting.append(view)
            size += len(view)
    if waiting:
        yield b"".join(waiting)


def _marked(fragments: Iterable[bytes | memoryview]) -> Iterator[tuple[bytes | memoryview, bool]]:
    """Each with whether it is the last; one empty fragment where there is none."""
    held: bytes | memoryview | None = None
    for fragment in fragments:
        if held is not None:
            yield held, False
        held = fragment
    yield held if held is not None else b"", True
