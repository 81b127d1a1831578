"""An application on a real socket, and a plain caller who can say anything on it: for tests of what is on the wire."""

from __future__ import annotations

import http.client
import io
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Self, cast

from dicomgate.server.run import listen
from dicomgate.server.settings import ConnectionLimits
from dicomgate.server.worker import ASGIApplication, Manner, Server

PATIENCE = 100.0


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: status, fields by lower-case name (the last one wins, `all` has every one), body."""

    status: int
    headers: dict[str, str]
    all: tuple[tuple[str, str], ...]
    body: bytes


class _Reader(io.BufferedReader):
    def close(self) -> None:
        """Stay open: the parser of one answer closes what the next is read from."""


class Line:
    """One TCP connection."""

    def __init__(self, port: int, *, receive_buffer: int | None = None) -> None:
        self.socket = socket.socket()
        self.socket.settimeout(PATIENCE)
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        try:
            self.socket.connect(("127.0.0.1", port))
        except OSError:
            self.socket.close()
            raise
        self._reader = _Reader(socket.SocketIO(self.socket, "r"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()

    def say(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.socket.sendall(data)

    def hear(self, method: str = "GET") -> Reply:
        """Read one whole answer."""
        response = http.client.HTTPResponse(cast(socket.socket, self), method=method)
        response.begin()
        body = response.read()
        fields = tuple((name.lower(), value) for name, value in response.getheaders())
        return Reply(response.status, dict(fields), fields, body)

    def is_closed(self) -> bool:
        """True when the other side has closed, waiting for it to say something or to close."""
        try:
            return self._reader.read(1) == b""
        except ConnectionResetError:
            return True

    def makefile(self, mode: str) -> io.BufferedReader:
        """What the standard library's parser reads from: bytes of a next answer stay in it."""
        del mode
        return self._reader


@dataclass(frozen=True, slots=True)
class Served:
    """Where the application answers."""

    port: int

    @property
    def url(self) -> str:
        """The address of its top."""
        return f"http://127.0.0.1:{self.port}"

    def line(self, *, receive_buffer: int | None = None) -> Line:
        """A new connection."""
        return Line(self.port, receive_buffer=receive_buffer)

    def ask(self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes | None = None) -> Reply:
        """One request on a connection of its own."""
        with self.line() as line:
            line.say(format_request(method, path, headers, body))
            return line.hear(method)


def format_request(
    method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes | None = None
) -> bytes:
    """A request as bytes; Host and Content-Length are added where they are not given."""
    fields = {"Host": "localhost", **(headers or {})}
    if body is not None and not {"content-length", "transfer-encoding"} & {name.lower() for name in fields}:
        fields["Content-Length"] = str(len(body))
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + (body or b"")


@contextmanager
def serving(
    application: ASGIApplication,
    limits: ConnectionLimits | None = None,
    *,
    stop_seconds: float = 5.0,
    http2: bool = False,
) -> Iterator[Served]:
    """Serve in a thread of this process for as long as the block lasts."""
    ready = threading.Event()
    manner = Manner(limits=limits or ConnectionLimits(), stop_seconds=stop_seconds, http2=http2)
    server = Server(application, manner, ready.set)
    with listen("127.0.0.1", 0) as listening:
        port = listening.getsockname()[1]
        thread = threading.Thread(target=server.run_on, args=(listening,), name="serving")
        thread.start()
        try:
            assert ready.wait(PATIENCE), "the server did not start"
            yield Served(port)
        finally:
            server.should_exit = True
            thread.join(PATIENCE)
