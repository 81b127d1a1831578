"""Connections that read as much as there is: hundreds of megabytes do not come 64 KiB at a time.

The HTTP library's own waits anew, and tells the kernel so, for every piece; that cost more than all else it does.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections import deque
from collections.abc import Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import httpcore2
import httpx2

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_PIECE: Final = 1 << 19
_MOST: Final = 4 * _PIECE
"""Bytes that wait to be read before the sender has to wait."""
_BOTH: Final = 0.25
"""Seconds until the other family of addresses is tried beside the first (RFC 8305)."""


def read_largely(client: httpx2.AsyncClient) -> None:
    """Have a client's connections, but those to proxies, be ours.

    The library offers no way to say so: where a later one keeps its parts elsewhere, it goes on as it does by itself.
    """
    pool = getattr(client._transport, "_pool", None)  # noqa: SLF001 - see above
    if type(pool) is httpcore2.AsyncConnectionPool and hasattr(pool, "_network_backend"):
        pool._network_backend = Network()  # noqa: SLF001 - see above


class Network(httpcore2.AsyncNetworkBackend):
    """Connects on asyncio's event loop."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """A connection, to whichever of the host's addresses answers first. ConnectError, ConnectTimeout."""
        loop = asyncio.get_running_loop()
        own = None if local_address is None else (local_address, 0)
        async with _within(timeout, httpcore2.ConnectTimeout, httpcore2.ConnectError):
            _, line = await loop.create_connection(Line, host, port, local_addr=own, happy_eyeballs_delay=_BOTH)
        for option in socket_options or ():
            line.transport.get_extra_info("socket").setsockopt(*option)
        return Stream(line)

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""
        await asyncio.sleep(seconds)


class Line(asyncio.BufferedProtocol):
    """What has come and was not read yet; it is bounded."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self._buffer = memoryview(bytearray(_PIECE))
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self._is_over = False
        self._is_paused = False
        self._fault: Exception | None = None
        self._changed = asyncio.Event()
        self._may_write = asyncio.Event()
        self._may_write.set()
        self.lost = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It begins."""
        assert isinstance(transport, asyncio.Transport), "a stream of bytes"
        self.transport = transport

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's word
        """Where the next bytes are put."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """They are there."""
        self._pieces.append(bytes(self._buffer[:nbytes]))
        self._size += nbytes
        if self._size >= _MOST and not self._is_paused:
            self._is_paused = True
            self.transport.pause_reading()
        self._changed.set()

    def eof_received(self) -> None:
        """Nothing more will come."""
        self._is_over = True
        self._changed.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """It has ended, maybe by a fault."""
        self._is_over, self._fault = True, exc
        self._changed.set()
        self._may_write.set()
        self.lost.set()

    def pause_writing(self) -> None:
        """As much waits to be sent as should."""
        self._may_write.clear()

    def resume_writing(self) -> None:
        """It is sent."""
        self._may_write.set()

    @property
    def has_pieces(self) -> bool:
        """True where reading does not wait."""
        return bool(self._pieces)

    @property
    def has_more(self) -> bool:
        """True where something was said, or the end, that nobody asked for yet."""
        return self._is_over or bool(self._pieces)

    async def read(self) -> bytes:
        """What has come; empty at the end. The fault that ended it."""
        while not self._pieces:
            if self._fault is not None:
                raise self._fault
            if self._is_over:
                return b""
            self._changed.clear()
            await self._changed.wait()
        piece = self._pieces.popleft()
        self._size -= len(piece)
        if self._is_paused and self._size < _MOST // 2:
            self._is_paused = False
            self.transport.resume_reading()
        return piece

    async def write(self, data: bytes) -> None:
        """Send it, or have it sent. The fault that ended it."""
        if self._fault is not None:
            raise self._fault
        if self.lost.is_set():
            raise ConnectionResetError("the connection has ended")
        self.transport.write(data)
        await self._may_write.wait()


class Stream(httpcore2.AsyncNetworkStream):
    """A line as the HTTP library uses it."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002 - the library's word
        """What is there, also when it is more than was asked for: it is all taken. ReadError, ReadTimeout."""
        if self._line.has_pieces:
            return await self._line.read()
        async with _within(timeout, httpcore2.ReadTimeout, httpcore2.ReadError):
            return await self._line.read()

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all of it. WriteError, WriteTimeout."""
        if buffer:
            async with _within(timeout, httpcore2.WriteTimeout, httpcore2.WriteError):
                await self._line.write(buffer)

    async def aclose(self) -> None:
        """End it; what was not sent yet is not."""
        self._line.transport.abort()
        await self._line.lost.wait()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """The same line, encrypted. ConnectError, ConnectTimeout."""
        line = self._line
        loop = asyncio.get_running_loop()
        try:
            async with _within(timeout, httpcore2.ConnectTimeout, httpcore2.ConnectError):
                try:
                    made = await loop.start_tls(line.transport, line, ssl_context, server_hostname=server_hostname)
                except ssl.SSLError as fault:
                    raise httpcore2.ConnectError(str(fault)) from fault
        except BaseException:
            line.transport.abort()
            raise
        assert made is not None, "the line was open"
        line.transport = made
        return self

    def get_extra_info(self, info: str) -> Any:
        """What the library wants to know of a connection."""
        if info == "is_readable":
            return self._line.has_more
        return self._line.transport.get_extra_info(_NAMES.get(info, info))


_NAMES: Final = {"client_addr": "sockname", "server_addr": "peername"}


@asynccontextmanager
async def _within(seconds: float | None, late: type[Exception], fault: type[Exception]) -> AsyncIterator[None]:
    """What asyncio says, in the library's words. A fault of the encryption stays one: it says who refused whom."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as found:
        raise late(str(found)) from found
    except ssl.SSLError:
        raise
    except OSError as found:
        raise fault(_words(found)) from found


def _words(fault: OSError) -> str:
    """What the system says, without numbers and addresses: those are said once, by who asked."""
    if isinstance(fault, socket.gaierror):
        return "nobody knows its name"
    return os.strerror(fault.errno) if fault.errno else "none of its addresses answers"
