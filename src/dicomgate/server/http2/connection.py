"""One connection of HTTP/2: every promise that is kept over HTTP/1.1 holds for its streams (RFC 9113; T13, T21).

Bounded are the streams, what each of them holds, how long a caller may keep them waiting, and what he may have done
that is no request.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import unquote

from h2 import events
from h2.errors import ErrorCodes
from uvicorn.config import Config
from uvicorn.protocols.utils import get_local_addr, get_remote_addr, is_ssl
from uvicorn.server import ServerState

from dicomgate.server import eager
from dicomgate.server.census import Census
from dicomgate.server.cors import Policy
from dicomgate.server.http2 import fields
from dicomgate.server.http2.gate import Abuse
from dicomgate.server.http2.stream import Message, Stream, Surroundings
from dicomgate.server.http2.turns import Turns
from dicomgate.server.http2.wire import STREAM_WINDOW, STREAMS, Wire
from dicomgate.server.logs import Log
from dicomgate.server.reader import Reader
from dicomgate.server.refusals import Refusal
from dicomgate.server.sending import Sending
from dicomgate.server.settings import ConnectionLimits

_REFUSED_COST: Final = 10
_ANSWERED: Final = 2  # who takes an answer may say twice that his window is open again


class Connection(asyncio.Protocol):
    """A caller who speaks HTTP/2."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        loop: asyncio.AbstractEventLoop,
        *,
        limits: ConnectionLimits,
        census: Census,
        places: Census,
        log: Log,
        policy: Policy,
    ) -> None:
        """`census` counts connections; `places` counts requests under way, beyond the first of each connection."""
        self._config = config
        self._state = server_state
        self._app_state = app_state
        self._loop = loop
        self._limits = limits
        self._census = census
        self._places = places
        self._log = log
        self._policy = policy
        self._streams: dict[int, Stream] = {}
        self._waiting: deque[tuple[Stream, Message, bool]] = deque()  # for a place
        self._running = 0
        self._is_starting = False
        self._is_admitted = False
        self._is_leaving = False
        self._is_deaf = False
        self._spare = 0  # bytes that may still come for requests that are over
        self._idle_timer: asyncio.TimerHandle | None = None
        self._header_timer: asyncio.TimerHandle | None = None
        self._sending: Sending
        self._wire: Wire
        self._turns: Turns
        self._reader: Reader
        self._around: Surroundings

    # ---- the transport's side

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Count the caller in, say what is taken here, and give him a time to begin."""
        self._state.connections.add(self)  # type: ignore[arg-type]
        self._server, self._client = get_local_addr(transport), get_remote_addr(transport)
        self._scheme = "https" if is_ssl(transport) else "http"
        self._sending = Sending(transport, self._loop, lambda: True, self._fall_deaf)
        self._reader = Reader(self._loop, self._sending, self._limits, self._reader_stalled)
        self._wire = Wire(
            self._sending,
            self._loop.time,
            header_bytes=self._limits.header_bytes,
            header_fields=self._limits.header_fields,
        )
        self._turns = Turns(self._wire)
        self._around = Surroundings(
            loop=self._loop,
            wire=self._wire,
            turns=self._turns,
            limits=self._limits,
            log=self._log,
            policy=self._policy,
            peer=self._peer,
            every_answer=lambda: self._state.default_headers,
            settled=self._settle,
        )
        self._wire.flush()
        self._is_admitted = self._census.admit(self._peer)
        if self._is_admitted:
            self._header_timer = self._wait(self._limits.header_seconds, self._header_is_late)
        else:
            self._end(Abuse(ErrorCodes.ENHANCE_YOUR_CALM, "too many connections are open; try again later"))

    def connection_lost(self, exc: Exception | None) -> None:
        """Count the caller out; whoever still works for him hears of it."""
        del exc
        self._state.connections.discard(self)
        self._is_deaf = True
        if self._is_admitted:
            self._census.leave(self._peer)
            self._is_admitted = False
        self._stop_waiting()
        self._reader.close()
        self._sending.forget()
        self._leave_all()

    def data_received(self, data: bytes) -> None:
        """Hear what came; end the connection of who breaks the protocol or a bound."""
        if self._is_deaf:
            self._sending.drop(len(data))
            return
        try:
            newest = self._wire.last_stream
            happened = self._wire.receive(data)
            self._count_strays(newest)
            for event in happened:
                self._hear(event)
        except Abuse as abuse:
            self._end(abuse)
            return
        self._start_waiting()
        self._turns.run()
        self._look_at_header()
        self._rest()

    def pause_writing(self) -> None:
        """The transport has enough."""
        self._wire.is_paused = True
        self._reader.pause()

    def resume_writing(self) -> None:
        """It takes more."""
        self._wire.is_paused = False
        self._reader.resume()
        self._turns.run()

    def shutdown(self) -> None:
        """Take no new request; finish those under way, and then close (§6.8)."""
        if self._is_deaf or self._is_leaving:
            return
        self._is_leaving = True
        self._wire.say_farewell(ErrorCodes.NO_ERROR)
        self._rest()

    # ---- what happens

    def _hear(self, event: events.Event) -> None:
        match event:
            case events.RequestReceived():
                self._begin(event)
            case events.DataReceived(stream_id=number):
                self._take(number, event.data or b"", event.flow_controlled_length or 0)
            case events.StreamEnded(stream_id=number):
                if number in self._streams:
                    self._streams[number].end()
            case events.StreamReset(stream_id=number):
                if not event.remote_reset:  # by the library, for what the caller did (CVE-2025-8671)
                    self._wire.allowance.spend(_REFUSED_COST)
                if number in self._streams:
                    self._streams[number].leave()
            case events.WindowUpdated(stream_id=number):
                self._turns.wake(number or 0)
            case events.RemoteSettingsChanged():
                self._wire.heed(event)
                self._turns.wake(0)

    def _begin(self, event: events.RequestReceived) -> None:
        number, said = event.stream_id or 0, event.headers or []
        if self._is_leaving or len(self._streams) >= STREAMS:
            self._wire.allowance.spend(1)
            self._wire.reset(number, ErrorCodes.REFUSED_STREAM)
            self._spare += STREAM_WINDOW
            return
        self._is_busy()
        is_head = (b":method", b"HEAD") in said
        stream = Stream(number, self._around, origin=fields.origin_of(said), is_head=is_head)
        self._streams[number] = stream
        try:
            asked = fields.parse(said, self._limits)
        except Refusal as refusal:
            self._wire.allowance.spend(_REFUSED_COST)
            stream.refuse(refusal.status, refusal.sentence)
        else:
            self._waiting.append((stream, self._scope(asked), asked.expects_continue))

    def _take(self, number: int, data: bytes, size: int) -> None:
        stream = self._streams.get(number)
        if stream is None:
            self._wire.give_back(number, size)
        else:
            stream.take(data, size)

    def _count_strays(self, newest: int) -> None:
        """Who was told that a request is over, or has said it himself, sends what was on its way and no more.

        Before what came is heard: what it ends was not over.
        """
        self._spare = min(self._spare, STREAMS * STREAM_WINDOW)
        for number, size in self._wire.gate.data.items():
            if number not in self._streams and number <= newest:
                self._spare -= size
        self._wire.gate.data.clear()
        if self._spare < 0:
            raise Abuse(ErrorCodes.STREAM_CLOSED, "more and more content of requests that are over")

    def _scope(self, asked: fields.Asked) -> Message:
        return {
            "type": "http",
            "asgi": {"version": self._config.asgi_version, "spec_version": "2.3"},
            "http_version": "2",
            "server": self._server,
            "client": self._client,
            "scheme": self._scheme,
            "root_path": self._config.root_path,
            "headers": asked.headers,
            "state": self._app_state.copy(),
            "method": asked.method,
            "raw_path": asked.path,
            "path": unquote(asked.path.decode("ascii")),
            "query_string": asked.query,
        }

    def _start_waiting(self) -> None:
        """Whoever has a place begins: one of each connection in any case, more while there are some (T13)."""
        if self._is_starting:
            return  # one who has begun has ended at once; it goes on below
        self._is_starting = True
        while self._waiting:
            stream, scope, expects_continue = self._waiting[0]
            if not stream.is_closed and not self._give_place(stream):
                break
            self._waiting.popleft()
            if not stream.is_closed:
                run = stream.run(self._config.loaded_app, scope, expects_continue=expects_continue)
                eager.begin(run, self._loop, self._state.tasks)
        self._is_starting = False

    def _give_place(self, stream: Stream) -> bool:
        is_first = self._running == 0
        if not is_first and not self._places.admit(self._peer):
            return False
        stream.has_place = not is_first
        stream.was_run = stream.is_running = True
        self._running += 1
        return True

    def _settle(self, stream: Stream) -> None:
        """Forget a stream that is over: neither does its application run nor does anything wait to be sent."""
        if stream.is_running or not stream.is_closed or self._streams.pop(stream.number, None) is None:
            return
        self._state.total_requests += 1
        if not stream.is_asked:
            self._spare += STREAM_WINDOW
        if stream.is_answered:
            self._wire.allowance.earn(_ANSWERED)
        if stream.was_run:
            self._running -= 1
        if stream.has_place:
            self._places.leave(self._peer)
        if not self._is_deaf:
            self._start_waiting()
            self._rest()

    # ---- time

    def _rest(self) -> None:
        """Nobody asks anything: for a while, or for good."""
        if self._streams or self._is_deaf or self._sending.is_closing():
            return
        if self._is_leaving or self._wire.gate.is_leaving:
            self._wire.flush()
            self._fall_deaf()
            self._sending.close()
        elif self._idle_timer is None:
            self._idle_timer = self._wait(self._limits.idle_seconds, self.shutdown)

    def _look_at_header(self) -> None:
        """A head that has begun must end in time, and so must all frames but those of a body."""
        if not self._wire.gate.is_waiting:
            self._header_is_whole()
        elif self._header_timer is None:
            self._header_timer = self._wait(self._limits.header_seconds, self._header_is_late)

    def _header_is_late(self) -> None:
        seconds = self._limits.header_seconds
        self._end(Abuse(ErrorCodes.ENHANCE_YOUR_CALM, f"no whole header within {seconds:g} seconds"))

    def _wait(self, seconds: float, then: Callable[[], None]) -> asyncio.TimerHandle:
        return self._loop.call_later(seconds, then)

    def _stop_waiting(self) -> None:
        self._is_busy()
        self._header_is_whole()

    def _is_busy(self) -> None:
        if self._idle_timer is not None:
            self._idle_timer.cancel()
            self._idle_timer = None

    def _header_is_whole(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _reader_stalled(self) -> None:
        self._log.event("reader stalled", peer=self._peer)
        self._sending.abort()

    # ---- the end

    @property
    def _peer(self) -> str:
        return self._client[0] if self._client else ""

    def _end(self, abuse: Abuse) -> None:
        """Say why and close; nothing more is heard or done for this caller."""
        self._log.event("connection ended", code=abuse.code.name, reason=abuse.sentence, peer=self._peer)
        self._wire.say_farewell(abuse.code)
        self._fall_deaf()
        self._leave_all()
        self._sending.close()

    def _fall_deaf(self) -> None:
        self._is_deaf = True
        self._stop_waiting()

    def _leave_all(self) -> None:
        self._waiting.clear()
        for stream in list(self._streams.values()):
            stream.leave()
