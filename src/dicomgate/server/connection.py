"""One HTTP connection: what uvicorn leaves open is bounded here, in bytes, fields and seconds (T13, RFC 9112).

httptools parses strictly by itself: lengths, chunk sizes, blanks before colons. What it lets through is refused here.
"""

from __future__ import annotations

import asyncio
import enum
import re
from collections import deque
from typing import Any, Final
from urllib.parse import unquote

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from dicomgate.server import eager, files, refusals
from dicomgate.server.answers import Header
from dicomgate.server.census import Census
from dicomgate.server.cors import Policy
from dicomgate.server.cycle import Cycle
from dicomgate.server.logs import Log
from dicomgate.server.reader import Reader
from dicomgate.server.refusals import LONGEST_URL, Refusal
from dicomgate.server.sending import Sending
from dicomgate.server.settings import ConnectionLimits

_EXTENSIONS: Final[dict[str, dict[object, object]]] = {files.FILES: {}}
_TUNNEL: Final = re.compile(rb"/sites/[^/?]{1,64}/tunnel")
_FRAMING: Final = frozenset({b"content-length", b"transfer-encoding"})


class _Phase(enum.Enum):
    IDLE = enum.auto()
    HEADER = enum.auto()
    BODY = enum.auto()


class Connection(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 protocol with bounds."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        limits: ConnectionLimits,
        census: Census,
        log: Log,
        policy: Policy,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._limits = limits
        self._census = census
        self._log = log
        self._policy = policy
        self._is_admitted = False
        self._is_deaf = False  # what still comes is thrown away
        self._is_retold = False  # the parser is told again what it knows
        self._is_tunnel = False  # it becomes a WebSocket
        self._answering: deque[RequestResponseCycle] = deque()  # requests taken and not yet answered
        self._next: RequestResponseCycle | None = None
        self._phase = _Phase.HEADER
        self._raw = self._parsed = self._fields = 0  # size of the header so far
        self._progress = self._overhead = 0  # bytes of body since the last look; bytes since the last byte of body
        self._timer: asyncio.TimerHandle | None = None
        self._reader: Reader
        self._sending: Sending

    def _is_being_sent_to(self) -> bool:
        """True while the caller may still be sending what nobody will read."""
        return self._is_deaf or self._phase is not _Phase.IDLE

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Count the caller in, and give him a time to say what he wants."""
        sending = Sending(
            transport,
            self.loop,
            self._is_being_sent_to,
            self._fall_deaf,
            pause=self.pause_writing,
            resume=self.resume_writing,
        )
        self._reader = Reader(self.loop, sending, self._limits, self._reader_stalled)
        self._sending = sending
        super().connection_made(sending)  # type: ignore[arg-type]
        self._is_admitted = self._census.admit(self._address)
        if self._is_admitted:
            self._wait(self._limits.header_seconds, self._header_is_late)
        else:
            self._refuse(503, "too many connections are open; try again later")

    def connection_lost(self, exc: Exception | None) -> None:
        """Count the caller out."""
        if self._is_admitted:
            self._census.leave(self._address)
            self._is_admitted = False
        self._stop_waiting()
        self._reader.close()
        self._sending.forget()
        for cycle in self._answering:  # uvicorn tells only the newest
            cycle.disconnected = True
            cycle.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came; refuse what breaks the grammar or a bound."""
        if self._is_deaf:
            self._sending.drop(len(data))
            return
        began_in, progress = self._phase, self._progress
        try:
            self._parse(data)
        except httptools.HttpParserError as fault:
            cause = fault.__context__
            refused = cause if isinstance(cause, Refusal) else Refusal(400, "not a well-formed HTTP/1.1 request")
            self._refuse(refused.status, refused.sentence)
        else:
            self._look_at_phase(began_in, len(data), grew=self._progress > progress)
        if self._next is not None:
            cycle, self._next = self._next, None
            eager.begin(cycle.run_asgi(self.app), self.loop, self.tasks)

    def _parse(self, data: bytes) -> None:
        """Who offers another protocol besides is served in this one, as if he had not (RFC 9110 §7.8)."""
        while True:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as offer:
                if self._is_tunnel:
                    self._become_tunnel()
                    return
                data = data[offer.args[0] :]
                self._await_body_after_offer()
            else:
                return

    def _await_body_after_offer(self) -> None:
        """The parser takes what follows such an offer for the other protocol: tell it that a body follows."""
        field = next((field for field in self.headers if field[0] in _FRAMING), None)
        if field is None or field[1].strip(b"0") == b"":
            return
        self._is_retold = True
        try:
            self.parser.feed_data(b"POST / HTTP/1.1\r\nhost: _\r\n%s: %s\r\n\r\n" % field)
        finally:
            self._is_retold = False
        self.cycle.more_body = True
        self.cycle.message_event.clear()
        self._phase = _Phase.BODY

    def _look_at_phase(self, began_in: _Phase, size: int, *, grew: bool) -> None:
        if self._phase is _Phase.HEADER:
            self._raw += size if began_in is _Phase.HEADER else 0
            if self._raw > self._limits.header_bytes:
                self._refuse(431, f"the header is longer than {self._limits.header_bytes} bytes")
            elif self._timer is None:
                self._wait(self._limits.header_seconds, self._header_is_late)
        elif self._phase is _Phase.BODY:
            self._overhead = 0 if grew else self._overhead + size
            if self._overhead > self._limits.header_bytes:
                self._refuse(431, "the body's framing is longer than its content")
            elif self._timer is None:
                self._progress = 0
                self._wait(self._limits.stall_seconds, self._look_at_progress)

    def on_message_begin(self) -> None:
        """A request starts."""
        if self._is_retold:
            return
        self._unset_keepalive_if_required()
        self._phase = _Phase.HEADER
        self._raw = self._parsed = self._fields = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Part of the address."""
        if self._is_retold:
            return
        super().on_url(url)
        if len(self.url) > LONGEST_URL:
            raise Refusal(414, f"the address is longer than {LONGEST_URL} bytes")

    def on_header(self, name: bytes, value: bytes) -> None:
        """One field; those that follow a chunked body are counted and dropped, for they could pose as the header's."""
        if self._is_retold:
            return
        self._fields += 1
        self._parsed += len(name) + len(value)
        if self._fields > self._limits.header_fields or self._parsed > self._limits.header_bytes:
            raise Refusal(431, f"more than {self._limits.header_fields} fields or {self._limits.header_bytes} bytes")
        if self._phase is _Phase.HEADER:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The header is whole: last checks, then the application starts."""
        if self._is_retold:
            return
        self._check_header()
        self._is_tunnel = self._should_upgrade() and _TUNNEL.fullmatch(self.url) is not None and not self._answering
        if self._is_tunnel:
            return
        self._phase = _Phase.BODY
        self._overhead = 0
        self._stop_waiting()
        before: RequestResponseCycle | None = self.cycle
        self.cycle = self._new_cycle()
        self._answering.append(self.cycle)
        if before is None or before.response_complete:
            self._next = self.cycle  # begun when all that came is parsed, for it may end at once
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def _become_tunnel(self) -> None:
        """Uvicorn's WebSocket goes on from here; what guards a connection of HTTP has nothing more to say."""
        self._stop_waiting()
        self._reader.close()
        self._sending.forget()
        self._census.leave(self._address)
        self._is_admitted = False
        self._is_deaf = True  # what came behind the header was sent before it was asked for
        self._phase = _Phase.IDLE  # no header is waited for any more
        self.scope["method"] = "GET"
        self.transport = self._sending.line
        self.handle_websocket_upgrade()

    def _new_cycle(self) -> Cycle:
        """The request as the application hears of it, and the end that answers."""
        address = httptools.parse_url(self.url)
        version = self.parser.get_http_version()
        self.scope["http_version"] = version
        self.scope["method"] = self.parser.get_method().decode("ascii")
        self.scope["raw_path"] = address.path
        self.scope["path"] = unquote(address.path.decode("ascii"))
        self.scope["query_string"] = address.query or b""
        if files.CAN_SEND and self.scheme == "http":  # what is encrypted passes through us
            self.scope["extensions"] = _EXTENSIONS
        return Cycle(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=version != "1.0" and self.parser.should_keep_alive(),
            on_response=self.on_response_complete,
        )

    def _check_header(self) -> None:
        encodings = [value.strip().lower() for name, value in self.headers if name == b"transfer-encoding"]
        if encodings and encodings != [b"chunked"]:
            raise Refusal(400, "Transfer-Encoding: only chunked is understood")
        if encodings and self.parser.get_http_version() == "1.0":
            raise Refusal(400, "Transfer-Encoding: HTTP/1.0 knows none")
        hosts = sum(name == b"host" for name, _ in self.headers)
        if hosts > 1 or (hosts == 0 and self.parser.get_http_version() == "1.1"):
            raise Refusal(400, "expected one Host field")
        if self.parser.get_method() == b"CONNECT":
            raise Refusal(405, "this is no proxy")
        if len(self.pipeline) >= self._limits.pipelined:
            raise Refusal(429, "too many requests wait on this connection")

    def on_body(self, body: bytes) -> None:
        """Part of the body."""
        self._progress += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        if self._is_tunnel:
            return
        self._phase = _Phase.IDLE
        self._stop_waiting()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """The oldest request is answered."""
        self._answering.popleft()
        super().on_response_complete()
        if self._is_deaf and not self.transport.is_closing():
            self.transport.close()

    def pause_writing(self) -> None:
        """The caller takes the answer more slowly than it is made; see that he takes it at all."""
        super().pause_writing()
        self._reader.pause()

    def resume_writing(self) -> None:
        """He has taken most of what waited."""
        super().resume_writing()
        self._reader.resume()

    def _fall_deaf(self) -> None:
        """Throw away what still comes, for a moment: closing at once would cost the caller the answer."""
        self._is_deaf = True
        self._stop_waiting()
        self.flow.resume_reading()

    def _reader_stalled(self) -> None:
        self._log.event("reader stalled", peer=self._address)
        self.transport.abort()

    def _look_at_progress(self) -> None:
        self._timer = None
        if self._phase is not _Phase.BODY:
            return
        if self._progress < self._limits.progress_bytes and not self.flow.read_paused:
            self._refuse(408, f"the body did not grow for {self._limits.stall_seconds:g} seconds")
            return
        self._progress = 0
        self._wait(self._limits.stall_seconds, self._look_at_progress)

    def _header_is_late(self) -> None:
        self._timer = None
        self._refuse(408, f"no whole header within {self._limits.header_seconds:g} seconds")

    def _wait(self, seconds: float, then: Any) -> None:
        self._timer = self.loop.call_later(seconds, then)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    @property
    def _address(self) -> str:
        return self.client[0] if self.client else ""

    def _refuse(self, status: int, sentence: str) -> None:
        """Answer outside the application, and hear nothing more from this caller."""
        self._stop_waiting()
        self._is_deaf = True
        self._log.event("refused", status=status, reason=sentence, peer=self._address)
        if self._is_own_body_at_fault():
            cycle = self._answering[0]
            cycle.disconnected = True
            cycle.message_event.set()
            if cycle.response_started:
                self.transport.close()
                return
        elif self._answering:
            # Earlier requests: what is being answered goes out whole, and is the last.
            self.pipeline.clear()
            return
        self.transport.write(_format_refusal(status, sentence, self._policy.headers(self._origin)))
        self.transport.close()

    @property
    def _origin(self) -> str | None:
        """The web origin of the request under way, as far as it was read."""
        found = dict(self.headers or ()).get(b"origin")
        return None if found is None else found.decode("latin-1")

    def _is_own_body_at_fault(self) -> bool:
        return self._phase is _Phase.BODY and len(self._answering) == 1


def _format_refusal(status: int, sentence: str, cross_origin: tuple[Header, ...]) -> bytes:
    fields, body = refusals.make(status, sentence, cross_origin)
    head = b"".join(b"%b: %b\r\n" % field for field in (*fields, (b"connection", b"close")))
    return STATUS_LINE[status] + head + b"\r\n" + body
