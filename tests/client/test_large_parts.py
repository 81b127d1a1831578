"""A part of any size goes by in bounded memory; by hand 10 GB took 31 s and 64 MB (Linux, two cores)."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from typing import Final

import pytest

from dicomgate.testing.processes import PATIENCE

pytestmark = pytest.mark.slow

SIZE: Final = 400 << 20
HEAD: Final = b"--x\r\nContent-Type: application/dicom\r\n\r\n"
TAIL: Final = b"\r\n--x--\r\n"
READER: Final = """
import asyncio, re, sys
from pathlib import Path
from dicomgate.client import fetch
from dicomgate.client.async_caller import AsyncCaller
from dicomgate.dicom.uids import Target

class Sink:
    size = 0
    def write(self, data): Sink.size += len(data)
    def finish(self): pass
    def discard(self): pass

async def read():
    async with AsyncCaller(sys.argv[1]) as calls:
        return await fetch.files(calls, Target("1.2"), "*", Sink)

count = asyncio.run(read())
most = re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())
print(count, Sink.size, int(most[1]) >> 10)
"""


def serve(listening: socket.socket) -> None:
    """One answer with one part, nearly the boundary in it again and again."""
    line, _ = listening.accept()
    with line:
        while b"\r\n\r\n" not in line.recv(65536, socket.MSG_PEEK):
            pass
        line.recv(65536)
        kind = b'multipart/related; type="application/dicom"; boundary=x'
        length = len(HEAD) + SIZE + len(TAIL)
        line.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n" % (kind, length))
        line.sendall(HEAD)
        block = (b"\r\n--y" + bytes(range(250))) * 4096
        left = SIZE
        while left:
            piece = block[:left]
            line.sendall(piece)
            left -= len(piece)
        line.sendall(TAIL)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the most memory is told by Linux's /proc")
def test_a_part_much_larger_than_the_memory_that_reads_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, args=(listening,))
        thread.start()
        root = f"http://127.0.0.1:{listening.getsockname()[1]}/d"
        done = subprocess.run(
            [sys.executable, "-c", READER, root], capture_output=True, text=True, timeout=PATIENCE, check=True
        )
        thread.join(PATIENCE)
    count, size, most = map(int, done.stdout.split())
    assert (count, size) == (1, SIZE)
    assert most < 100
