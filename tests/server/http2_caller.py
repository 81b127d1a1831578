"""A caller who speaks HTTP/2 through the library of the same name, and says what it would not say as raw frames."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes

from dicomgate.testing.serving import PATIENCE

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)


def frame(kind: int, stream: int, content: bytes = b"", *, flags: int = 0, size: int | None = None) -> bytes:
    """One frame, with the size that it claims."""
    claimed = len(content) if size is None else size
    return claimed.to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + content


@dataclass
class Answer:
    """What has come on one stream so far."""

    status: int = 0
    informed: list[int] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    is_whole: bool = False
    reset: ErrorCodes | int | None = None

    @property
    def is_over(self) -> bool:
        return self.is_whole or self.reset is not None


@dataclass(frozen=True)
class Farewell:
    """What a server says before it closes."""

    error_code: ErrorCodes
    last_stream_id: int


class Caller:
    """One connection. `grants`: windows are opened again for all that comes. Who does not greet hears farewells alone."""

    def __init__(self, port: int, *, grants: bool = True, window: int = 65535, greets: bool = True) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.grants = grants
        self.replies = greets
        self.h2 = H2Connection(
            H2Configuration(client_side=True, validate_outbound_headers=False, normalize_outbound_headers=False)
        )
        self.answers: dict[int, Answer] = {}
        self.farewell: Farewell | None = None
        self.pongs = 0
        self._unread = b""
        self.is_closed = False
        if greets:
            self.h2.local_settings.initial_window_size = window
            self.h2.local_settings.acknowledge()
            self.h2.initiate_connection()
            self.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()

    def say(self, data: bytes) -> None:
        """Send bytes as they are; a server that has closed hears nothing."""
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            self.is_closed = True

    def flush(self) -> None:
        self.say(self.h2.data_to_send())

    def fields(self, method: str, path: str, more: Iterable[tuple[str, str]] = ()) -> list[tuple[bytes, bytes]]:
        said = [(":method", method), (":path", path), (":scheme", "http"), (":authority", "localhost"), *more]
        return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in said]

    def ask(
        self,
        path: str,
        *more: tuple[str, str],
        method: str = "GET",
        body: bytes | None = None,
        ends: bool = True,
    ) -> int:
        """Begin a request; a small body goes with it."""
        number = self.h2.get_next_available_stream_id()
        self.answers[number] = Answer()
        self.h2.send_headers(number, self.fields(method, path, more), end_stream=ends and body is None)
        if body is not None:
            self.h2.send_data(number, body, end_stream=ends)
        self.flush()
        return number

    def ask_raw(self, fields: list[tuple[bytes, bytes]]) -> int:
        """Begin a request with these fields, whatever they are."""
        number = self.h2.get_next_available_stream_id()
        self.answers[number] = Answer()
        self.h2.send_headers(number, fields, end_stream=True)
        self.flush()
        return number

    def hear(self, until: Callable[[], object]) -> None:
        """Read until something is so or the connection is closed."""
        while not until() and not self.is_closed:
            try:
                data = self.socket.recv(1 << 18)
            except ConnectionResetError:
                data = b""
            if not data:
                self.is_closed = True
                return
            heard = self._without_farewell(data)
            if self.replies:
                for event in self.h2.receive_data(heard):
                    self._hear(event)
                self.flush()

    def _without_farewell(self, data: bytes) -> bytes:
        """The library would hear nothing more after that."""
        data, passed = self._unread + data, []
        while len(data) >= 9 and len(data) >= (size := 9 + int.from_bytes(data[:3], "big")):
            if data[3] == GOAWAY:
                last, code = int.from_bytes(data[9:13], "big"), int.from_bytes(data[13:17], "big")
                self.farewell = self.farewell or Farewell(ErrorCodes(code), last)
            else:
                passed.append(data[:size])
            data = data[size:]
        self._unread = data
        return b"".join(passed)

    def answer(self, number: int) -> Answer:
        """The answer to a request, whole or as far as it came."""
        one = self.answers[number]
        self.hear(lambda: one.is_over)
        return one

    def get(self, path: str, *more: tuple[str, str], method: str = "GET", body: bytes | None = None) -> Answer:
        return self.answer(self.ask(path, *more, method=method, body=body))

    def last_words(self) -> Farewell | None:
        """What the server says when it closes."""
        self.hear(lambda: False)
        return self.farewell

    def upload(self, number: int, content: bytes, *, ends: bool = True) -> int:
        """Send as much of it as is granted without waiting; how much that was."""
        sent = 0
        while sent < len(content):
            room = min(self.h2.local_flow_control_window(number), 16384, len(content) - sent)
            if room <= 0:
                break
            self.h2.send_data(number, content[sent : sent + room], end_stream=ends and sent + room == len(content))
            sent += room
            self.flush()
        return sent

    def upload_all(self, number: int, content: bytes) -> None:
        """Send all of it, as it is granted."""
        sent = self.upload(number, content)
        while sent < len(content) and not self.is_closed:
            self.hear(lambda: self.h2.local_flow_control_window(number) > 0)
            sent += self.upload(number, content[sent:])

    def _hear(self, event: events.Event) -> None:
        match event:
            case events.ResponseReceived():
                answer = self.answers[event.stream_id]
                fields = {name.decode(): value.decode("latin-1") for name, value in event.headers}
                answer.status = int(fields.pop(":status"))
                answer.headers = fields
            case events.InformationalResponseReceived():
                self.answers[event.stream_id].informed.append(int(dict(event.headers)[b":status"]))
            case events.DataReceived():
                self.answers[event.stream_id].body += event.data
                if self.grants and event.flow_controlled_length:
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case events.StreamEnded():
                self.answers[event.stream_id].is_whole = True
            case events.StreamReset():
                if event.stream_id in self.answers and event.remote_reset:
                    self.answers[event.stream_id].reset = event.error_code
            case events.PingAckReceived():
                self.pongs += 1
