"""What the client reads from sockets: in large pieces, no more than is bounded, and faults in the library's words."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator

import httpcore2
import httpx2
import pytest

from dicomgate.client import network
from dicomgate.client.async_caller import AsyncCaller

SIZE = 64 << 20


@contextlib.contextmanager
def speaking(say: Callable[[socket.socket], object]) -> Iterator[int]:
    """A server of one connection."""

    def serve() -> None:
        with contextlib.suppress(OSError):
            line, _ = listening.accept()
            with line:
                say(line)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            thread.join(60)


def send_much(line: socket.socket) -> None:
    with contextlib.suppress(OSError):
        for _ in range(SIZE >> 20):
            line.sendall(bytes(1 << 20))


async def connect(port: int) -> httpcore2.AsyncNetworkStream:
    return await network.Network().connect_tcp("127.0.0.1", port, timeout=60)


def test_the_callers_connections_are_these() -> None:
    """The library keeps its parts where we think it does; an upgrade that moves them shows here."""

    async def look() -> object:
        async with AsyncCaller("http://127.0.0.1:1/") as calls:
            return calls._known._transport._pool._network_backend

    assert isinstance(asyncio.run(look()), network.Network)


def test_what_there_is_comes_in_large_pieces() -> None:
    async def read(port: int) -> tuple[int, int]:
        stream = await connect(port)
        size = count = 0
        while piece := await stream.read(1, timeout=60):
            size, count = size + len(piece), count + 1
        await stream.aclose()
        return size, count

    with speaking(send_much) as port:
        size, count = asyncio.run(read(port))
    assert size == SIZE
    assert size / count > 100_000


def test_a_sender_waits_for_who_does_not_read() -> None:
    async def wait(port: int) -> int:
        stream = await connect(port)
        assert isinstance(stream, network.Stream)
        line = stream._line
        while not line._is_paused:
            await asyncio.sleep(0.01)
        held = line._size
        while await stream.read(1, timeout=60):
            held = max(held, line._size)
        await stream.aclose()
        return held

    with speaking(send_much) as port:
        assert asyncio.run(wait(port)) < 8 << 20


def test_silence_and_ends_are_told_as_the_library_does() -> None:
    gone = threading.Event()

    def be_silent_and_break_off(line: socket.socket) -> None:
        gone.wait(60)
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # closing resets

    async def wait(port: int) -> None:
        stream = await connect(port)
        with pytest.raises(httpcore2.ReadTimeout):
            await stream.read(1, timeout=0.05)
        assert not stream.get_extra_info("is_readable")
        gone.set()
        with pytest.raises(httpcore2.ReadError):
            await stream.read(1, timeout=60)
        assert stream.get_extra_info("is_readable")
        with pytest.raises(httpcore2.WriteError):
            await stream.write(b"x", timeout=60)
        await stream.aclose()

    with speaking(be_silent_and_break_off) as port:
        asyncio.run(wait(port))


def test_nobody_there_and_no_encryption_there() -> None:
    async def call(port: int, scheme: str) -> None:
        async with httpx2.AsyncClient(trust_env=False) as client:
            network.read_largely(client)
            await client.get(f"{scheme}://127.0.0.1:{port}/")

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(httpx2.ConnectError, match=r"^Connection refused$"):
        asyncio.run(call(port, "http"))
    with (
        speaking(lambda line: line.sendall(b"no TLS at all, no TLS at all")) as port,
        pytest.raises(httpx2.ConnectError),
    ):
        asyncio.run(call(port, "https"))


def test_who_sends_waits_for_who_does_not_read() -> None:
    ended = threading.Event()

    async def write(port: int) -> int:
        stream = await connect(port)
        written = 0
        with contextlib.suppress(httpcore2.WriteTimeout):
            while written < 64:
                await stream.write(bytes(1 << 20), timeout=0.5)
                written += 1
        await stream.aclose()
        ended.set()
        return written

    with speaking(lambda _: ended.wait(60)) as port:
        assert asyncio.run(write(port)) < 32
