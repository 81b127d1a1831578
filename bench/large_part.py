"""`python -m bench.large_part [GB]`: one part of a multipart answer, far larger than the memory that reads it.

Nothing of it lies on a disk: it is made as it is sent, over the loopback, full of what is nearly a boundary.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Final

_HEAD: Final = b"--x\r\nContent-Type: application/dicom\r\n\r\n"
_TAIL: Final = b"\r\n--x--\r\n"
_NEARLY: Final = (b"\r\n--y" + bytes(range(250))) * 4096
_MEGABYTE: Final = 1_000_000


def main() -> None:
    """Read it in a process of its own, and print what that took."""
    parser = argparse.ArgumentParser(prog="python -m bench.large_part", description=__doc__)
    parser.add_argument("gigabytes", nargs="?", type=float, default=10.0)
    parser.add_argument("--read", metavar="ADDRESS", help=argparse.SUPPRESS)
    said = parser.parse_args()
    if said.read:
        print(json.dumps(asyncio.run(_read(said.read))))
        return
    size = int(said.gigabytes * 1_000_000_000)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=_serve, args=(listening, size), daemon=True).start()
        address = f"http://127.0.0.1:{listening.getsockname()[1]}/dicomweb"
        words = [sys.executable, "-m", "bench.large_part", "--read", address]
        done = subprocess.run(words, stdout=subprocess.PIPE, check=True)
    told = json.loads(done.stdout)
    if told["bytes"] != size or told["files"] != 1:
        raise SystemExit(f"expected one file of {size} bytes, saw {told['files']} and {told['bytes']} bytes")
    rate = size / told["seconds"] / _MEGABYTE
    print(
        f"{size / 1e9:g} GB in one part: {told['seconds']:.1f} s, {rate:.0f} MB/s, "
        f"at most {told['most'] / _MEGABYTE:.0f} MB of memory, {told['before'] / _MEGABYTE:.0f} MB before it began"
    )


def _serve(listening: socket.socket, size: int) -> None:
    """One answer with one part."""
    line, _ = listening.accept()
    with line:
        asked = b""
        while b"\r\n\r\n" not in asked:
            asked += line.recv(65536)
        kind = b'multipart/related; type="application/dicom"; boundary=x'
        length = len(_HEAD) + size + len(_TAIL)
        line.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n" % (kind, length))
        line.sendall(_HEAD)
        left = size
        while left:
            piece = memoryview(_NEARLY)[:left]
            line.sendall(piece)
            left -= len(piece)
        line.sendall(_TAIL)


class _Counted:
    """Where the part goes."""

    size = 0

    def write(self, data: bytes | memoryview) -> None:
        """Look at it, no more."""
        self.size += len(data)

    def finish(self) -> None:
        """It is whole."""

    def discard(self) -> None:
        """Nothing is kept of it."""


async def _read(address: str) -> dict[str, float]:
    """What it took."""
    from dicomgate.client import fetch  # the reading process alone needs them
    from dicomgate.client.async_caller import AsyncCaller
    from dicomgate.dicom.uids import Target

    sink = _Counted()
    async with AsyncCaller(address) as calls:
        before = _most_memory()
        began = time.perf_counter()
        files = await fetch.files(calls, Target("1.2"), fetch.ANY, lambda: sink)
        seconds = time.perf_counter() - began
    return {"files": files, "bytes": sink.size, "seconds": seconds, "before": before, "most": _most_memory()}


def _most_memory() -> int:
    """The most that this process ever held, in bytes (Linux's VmHWM: not its parent's, which `getrusage` may tell)."""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM:"))


if __name__ == "__main__":
    main()
