"""A link as long as a city: whatever passes arrives so many seconds later, as much at a time as is sent.

python -m bench.link PORT SECONDS
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from bench.processes import Server

_PIECE = 1 << 18


@contextmanager
def to(server: Server, seconds: float) -> Iterator[Server]:
    """The same server, at the other end of such a link; a round trip takes twice so long."""
    command = [sys.executable, "-m", "bench.link", str(server.port), str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield replace(server, port=int(process.stdout.readline()))
        finally:
            process.kill()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(256)

    async def arrive() -> None:
        while True:
            when, piece = await under_way.get()
            await asyncio.sleep(max(0.0, when - loop.time()))
            if not piece:
                break
            writer.write(piece)
            await writer.drain()

    arriving = asyncio.create_task(arrive())
    with contextlib.suppress(OSError):
        while piece := await reader.read(_PIECE):
            await under_way.put((loop.time() + seconds, piece))
        await under_way.put((loop.time() + seconds, b""))
        await arriving
    arriving.cancel()
    writer.close()


async def _serve(port: int, seconds: float) -> None:
    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", port)
        for end in (writer, there_writer):
            end.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.gather(
            _carry(reader, there_writer, seconds), _carry(there_reader, writer, seconds), return_exceptions=True
        )

    server = await asyncio.start_server(carry, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), float(sys.argv[2])))
