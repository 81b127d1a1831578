"""The exchanges of one tunnel, without any I/O: who may send how much, what came, what breaks the rules.

Credit is counted in bytes of body, for each exchange and each direction by itself: whoever takes bytes slowly holds up
his own exchange, and no more of it waits here than was allowed. Heads and credits are small and always taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from dicomgate import errors
from dicomgate.tunnel import frames
from dicomgate.tunnel.frames import Answered, Asked, Frame, Kind

WINDOW: Final = 512 << 10
"""Bytes of one body that may be under way, or wait for who takes them."""
MOST: Final = 64
"""Exchanges at once."""


@dataclass(slots=True)
class _Exchange:
    """`credit`: what may still be sent. `allowed`: what may still come. `taken`: what was taken and not yet told."""

    credit: int = WINDOW
    allowed: int = WINDOW
    taken: int = 0
    is_begun: bool = False  # the answer's head came, or went
    ours_ended: bool = False
    theirs_ended: bool = False


class Exchanges:
    """One side of a tunnel. Every `send_` method gives the message to send next.

    After a fault of the other side, Malformed or TooLarge, the tunnel is of no use any more.
    """

    def __init__(self, *, is_hub: bool) -> None:
        self._is_hub = is_hub
        self._open: dict[int, _Exchange] = {}
        self._last = 0

    def __len__(self) -> int:
        return len(self._open)

    def __contains__(self, number: int) -> bool:
        return number in self._open

    def open(self, asked: Asked) -> tuple[int, bytes]:
        """Begin one: its number, and the message. Unavailable when there are too many, TooLarge for a long head."""
        assert self._is_hub, "sites answer"
        if len(self._open) >= MOST:
            raise errors.Unavailable(f"{MOST} requests to this site are under way; try again later")
        if self._last == frames.LAST_NUMBER:
            raise errors.Unavailable("this tunnel has served its time; the site dials anew")
        content = frames.format_asked(asked)
        self._last += 1
        self._open[self._last] = _Exchange()
        return self._last, _message(Kind.OPEN, self._last, content)

    def send_head(self, number: int, answered: Answered) -> bytes:
        """The answer's head. TooLarge for one that no frame can hold."""
        exchange = self._open[number]
        assert not self._is_hub, "a site answers"
        assert not exchange.is_begun, "it answers once"
        content = frames.format_answered(answered)
        exchange.is_begun = True
        return _message(Kind.HEAD, number, content)

    def room(self, number: int) -> int:
        """How many bytes may be sent at once now."""
        return min(self._open[number].credit, frames.LONGEST_DATA)

    def send_data(self, number: int, piece: bytes) -> bytes:
        """A piece of the body, no longer than there is room."""
        exchange = self._open[number]
        assert 0 < len(piece) <= self.room(number), "there is room for it"
        assert not exchange.ours_ended, "an ended body has no more pieces"
        exchange.credit -= len(piece)
        return _message(Kind.DATA, number, piece)

    def send_end(self, number: int) -> bytes:
        """The body is whole."""
        exchange = self._open[number]
        assert not exchange.ours_ended, "a body ends once"
        exchange.ours_ended = True
        self._forget_ended(number)
        return _message(Kind.END, number)

    def send_reset(self, number: int) -> bytes:
        """Have no more of it; nothing when it is over already."""
        return _message(Kind.RESET, number) if self._open.pop(number, None) is not None else b""

    def take(self, number: int, size: int) -> bytes:
        """So much of what came was taken: the credit to send, or nothing yet."""
        exchange = self._open.get(number)
        if exchange is None or exchange.theirs_ended:
            return b""
        exchange.taken += size
        if exchange.taken < WINDOW // 4:
            return b""
        given, exchange.taken = exchange.taken, 0
        exchange.allowed += given
        return _message(Kind.CREDIT, number, frames.format_credit(given))

    def receive(self, message: bytes) -> Frame | None:
        """The frame in a message, when it is for an exchange that is not over; a credit is kept here.

        Malformed or TooLarge when the other side breaks the rules.
        """
        frame = frames.read_frame(message)
        if frame.kind is Kind.OPEN:
            self._accept(frame.number)
            return frame
        exchange = self._open.get(frame.number)
        if exchange is None:
            if frame.number > self._last:
                raise errors.Malformed("a frame of an exchange that was never opened")
            return None  # sent before the other side heard that it is over
        self._note(frame, exchange)
        return None if frame.kind is Kind.CREDIT else frame

    def _accept(self, number: int) -> None:
        if self._is_hub or number <= self._last:
            raise errors.Malformed("an exchange opened by the wrong side, or out of turn")
        if len(self._open) >= MOST:
            raise errors.Malformed(f"more than {MOST} exchanges at once")
        self._last = number
        self._open[number] = _Exchange()

    def _note(self, frame: Frame, exchange: _Exchange) -> None:
        match frame.kind:
            case Kind.HEAD:
                if not self._is_hub or exchange.is_begun:
                    raise errors.Malformed("an answer from the wrong side, or a second one")
                exchange.is_begun = True
            case Kind.DATA:
                self._note_data(len(frame.content), exchange)
            case Kind.END:
                self._note_end(frame.number, exchange)
            case Kind.CREDIT:
                exchange.credit += frames.parse_credit(frame.content)
                if exchange.credit > WINDOW:
                    raise errors.Malformed("more credit than there can be")
            case _:
                del self._open[frame.number]

    def _note_data(self, size: int, exchange: _Exchange) -> None:
        if exchange.theirs_ended or (self._is_hub and not exchange.is_begun):
            raise errors.Malformed("a body before its head, or after its end")
        if not size:
            raise errors.Malformed("a piece of no bytes")
        exchange.allowed -= size
        if exchange.allowed < 0:
            raise errors.TooLarge("more of a body than was allowed")

    def _note_end(self, number: int, exchange: _Exchange) -> None:
        if exchange.theirs_ended or (self._is_hub and not exchange.is_begun):
            raise errors.Malformed("an end before the beginning, or a second one")
        exchange.theirs_ended = True
        self._forget_ended(number)

    def _forget_ended(self, number: int) -> None:
        exchange = self._open[number]
        if exchange.ours_ended and exchange.theirs_ended:
            del self._open[number]


def _message(kind: Kind, number: int, content: bytes = b"") -> bytes:
    return frames.write_frame(Frame(kind, number, content))
