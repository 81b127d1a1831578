"""One request of HTTP/2 and its answer, as the application speaks with a server (RFC 9113 §5, §8; ASGI)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from h2.errors import ErrorCodes

from dicomgate.server import refusals
from dicomgate.server.answers import Header
from dicomgate.server.cors import Policy
from dicomgate.server.http2 import fields
from dicomgate.server.http2.turns import Turns
from dicomgate.server.http2.wire import Wire
from dicomgate.server.logs import Log
from dicomgate.server.settings import ConnectionLimits

if TYPE_CHECKING:
    from dicomgate.server.worker import ASGIApplication

Message = MutableMapping[str, Any]

_LINGER_SECONDS: Final = 1.0
_NO_BODY: Final = frozenset({204, 304})
_CONTINUE: Final[list[Header]] = [(b":status", b"100")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the streams of one connection have in common."""

    loop: asyncio.AbstractEventLoop
    wire: Wire
    turns: Turns
    limits: ConnectionLimits
    log: Log
    policy: Policy
    peer: str
    every_answer: Callable[[], Sequence[Header]]  # fields that the server adds to each, such as Date
    settled: Callable[[Stream], None]


class Stream:
    """A request under way; over when its application has ended, and its answer has left or nobody waits for it."""

    def __init__(self, number: int, around: Surroundings, *, origin: str | None, is_head: bool) -> None:
        self.number = number
        self._origin = origin
        self.has_place = False  # counted among those of all connections
        self.was_run = False  # an application has heard of it
        self.is_running = False
        self.is_asked = False  # the request is whole
        self.is_answered = False  # the answer has left whole
        self.is_closed = False  # nothing more leaves
        self._around = around
        self._wire = around.wire
        self._is_gone = False  # so the application hears: nobody waits for what it says
        self._awaits_continue = False
        self._news = asyncio.Event()
        self._chunks: list[bytes] = []
        self._held = 0  # bytes that came and that the application has not taken
        self._grown = 0  # bytes of body since the last look
        self._is_told_whole = False
        self._is_bare = is_head  # nothing follows the head of its answer
        self._is_begun = False
        self._is_complete = False
        self._pending: memoryview | bytes = b""
        self._sent = 0
        self._drained = asyncio.Event()
        self._body_timer: asyncio.TimerHandle | None = None
        self._reader_timer: asyncio.TimerHandle | None = None

    # ---- what the connection tells

    async def run(self, application: ASGIApplication, scope: Message, *, expects_continue: bool) -> None:
        """Let the application answer. What it leaves unfinished is broken off on this stream alone."""
        self._awaits_continue = expects_continue
        if not self.is_asked:
            self._watch_body()
        try:
            await application(scope, self._receive, self._send)
        except Exception as bug:  # noqa: BLE001 - the boundary: a bug costs its own request only
            self._around.log.bug(bug, kind="unknown")
        finally:
            self.is_running = False
            if not self._is_complete:
                self.close(ErrorCodes.INTERNAL_ERROR)
            self._around.settled(self)

    def take(self, data: bytes, size: int) -> None:
        """Part of the body; `size` with what pads it."""
        if self._is_gone or self._is_complete:
            self._wire.give_back(self.number, size)
            return
        padding = size - len(data)
        if padding:
            self._wire.give_back(self.number, padding)
        if data:
            self._chunks.append(data)
            self._held += len(data)
            self._grown += len(data)
            self._news.set()

    def end(self) -> None:
        """The request is whole."""
        self.is_asked = True
        self._stop(self._body_timer)
        self._news.set()
        if self.is_answered and not self.is_closed:
            self._finish()

    def leave(self) -> None:
        """The caller waits no more, or the connection is gone."""
        self.is_closed = True
        self._pending = b""
        self._forget_caller()
        self._stop(self._reader_timer)
        self._around.turns.leave(self.number)
        self._around.settled(self)

    def close(self, code: ErrorCodes) -> None:
        """End it here and now, also for the caller."""
        if not self.is_closed:
            self._wire.reset(self.number, code)
            self.leave()
            self._wire.flush()

    def refuse(self, status: int, sentence: str) -> None:
        """Answer outside the application, which hears that the caller has gone."""
        self._around.log.event("refused", status=status, reason=sentence, peer=self._around.peer)
        self._forget_caller()
        if self._is_begun:
            self.close(ErrorCodes.CANCEL)
            return
        headers, body = refusals.make(status, sentence, self._around.policy.headers(self._origin))
        if self._begin(status, headers) and not self.is_closed:
            self._queue(body, more=False)

    # ---- what the application says

    async def _receive(self) -> Message:
        if self._awaits_continue and not self._is_gone:
            self._awaits_continue = False
            self._wire.send_head(self.number, _CONTINUE, ends=False)
            self._wire.flush()
        while not (self._is_gone or self._is_complete):
            if self._chunks or (self.is_asked and not self._is_told_whole):
                return self._next_chunk()
            self._news.clear()
            await self._news.wait()
        return {"type": "http.disconnect"}

    def _next_chunk(self) -> Message:
        body = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._give_back()
        self._is_told_whole = self.is_asked
        return {"type": "http.request", "body": body, "more_body": not self.is_asked}

    def _give_back(self) -> None:
        self._chunks.clear()
        if self._held:
            self._wire.give_back(self.number, self._held)
            self._held = 0
            self._wire.flush()

    async def _send(self, message: Message) -> None:
        """Take the next event from the application; waits while the one before has not left."""
        while self._pending and not self._is_gone:
            self._drained.clear()
            await self._drained.wait()
        if self._is_gone:
            return
        if message["type"] == "http.response.body":
            assert self._is_begun, "the head goes before the body"
            assert not self._is_complete, "an answer ends once"
            self._queue(message.get("body", b""), more=message.get("more_body", False))
        else:
            self._begin(message["status"], message.get("headers", ()))

    # ---- what leaves

    @property
    def has_more(self) -> bool:
        """True while something is left to be sent."""
        return not (self.is_answered or self.is_closed) and (bool(self._pending) or self._is_complete)

    def send_some(self) -> bool:
        """Send one frame. False when the caller grants none."""
        room = self._wire.room(self.number) if self._pending else 0
        if self._pending and room <= 0:
            self._watch_reader()
            return False
        piece, rest = self._pending[:room], self._pending[room:]
        ends = self._is_complete and not rest
        if not self._wire.send_data(self.number, piece, ends=ends):
            self.leave()
            return True
        self._sent += len(piece)
        self._pending = rest
        if not rest:
            self._stop(self._reader_timer)
            self._reader_timer = None
            self._drained.set()
        if ends:
            self._has_left()
        return True

    def _begin(self, status: int, headers: Sequence[Header]) -> bool:
        """Send the head, with the end where no body can follow. False when nobody waits for it."""
        assert not self._is_begun, "an answer begins once"
        self._is_begun = True
        self._awaits_continue = False
        self._is_bare = self._is_bare or status in _NO_BODY
        said = fields.of_answer(status, (*self._around.every_answer(), *headers))
        assert all(b"\n" not in value for _, value in said), "a value ends no line"
        if not self._wire.send_head(self.number, said, ends=self._is_bare):
            self.leave()
            return False
        if self._is_bare:
            self._has_left()
        self._wire.flush()
        return True

    def _queue(self, body: bytes | memoryview, *, more: bool) -> None:
        self._is_complete = not more
        if not more:
            self._news.set()
        if self._is_bare:
            return
        self._pending = memoryview(body)
        if self.has_more:
            self._around.turns.join(self)

    def _has_left(self) -> None:
        """All is said. What of the request is still to come is dropped for a moment, and then need not come (§8.1).

        Told so at once, some callers forget the answer that they have just been given.
        """
        self.is_answered = True
        self._forget_unread()
        if self.is_asked:
            self._finish()
        else:
            self._body_timer = self._around.loop.call_later(_LINGER_SECONDS, self._finish)

    def _finish(self) -> None:
        if not self.is_asked:
            self._wire.reset(self.number, ErrorCodes.NO_ERROR)
            self._wire.flush()
        self.is_closed = True
        self._around.settled(self)

    def _forget_caller(self) -> None:
        self._is_gone = True
        self._forget_unread()
        self._news.set()
        self._drained.set()

    def _forget_unread(self) -> None:
        self._stop(self._body_timer)
        self._give_back()

    # ---- who keeps us waiting

    def _watch_body(self) -> None:
        self._grown = 0
        self._body_timer = self._around.loop.call_later(self._around.limits.stall_seconds, self._look_at_body)

    def _look_at_body(self) -> None:
        if self.is_asked or self._is_begun or self._is_gone:
            return
        if self._grown < self._around.limits.progress_bytes and not self._held:
            self.refuse(408, f"the body did not grow for {self._around.limits.stall_seconds:g} seconds")
        else:
            self._watch_body()

    def _watch_reader(self) -> None:
        if self._reader_timer is None:
            seconds = self._around.limits.stall_seconds
            self._reader_timer = self._around.loop.call_later(seconds, self._look_at_reader, self._sent)

    def _look_at_reader(self, seen: int) -> None:
        self._reader_timer = None
        if self.is_closed or not self._pending:
            return
        if self._sent - seen < self._around.limits.progress_bytes and not self._wire.is_paused:
            self._around.log.event("reader stalled", peer=self._around.peer)
            self.close(ErrorCodes.CANCEL)
        else:
            self._watch_reader()

    @staticmethod
    def _stop(timer: asyncio.TimerHandle | None) -> None:
        if timer is not None:
            timer.cancel()
