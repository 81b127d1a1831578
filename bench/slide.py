"""A list of 2,000 frames of a slide of 4 GB, beside reading the same ranges of the file; and callers who stop reading.

The slide is a sparse file in a folder that is served where it lies, so it takes no room and no time to make.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from bench import measure, processes
from bench.caller import Requests
from bench.measure import Amount, Deed, Figure, Target
from bench.processes import Server
from bench.scale import Bench
from dicomgate.dicom.uids import Target as Place
from dicomgate.testing import instances

GROUP = "slide"
_SIDE = 512
_FRAME = _SIDE * _SIDE * 3
_STEP = 1 << 19
_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"
_ACCEPT = 'multipart/related; type="application/octet-stream"'


def figures(bench: Bench) -> Iterator[Figure]:
    """All of them."""
    folder = bench.scratch / "slides"
    folder.mkdir()
    slide = folder / "slide.dcm"
    place, first, count = make(slide, bench.scale.slide)
    numbers = [1 + number * count // bench.scale.frames for number in range(bench.scale.frames)]
    with processes.dicomgate_folder(folder) as server:
        path = f"/studies/{place.study}/series/{place.series}/instances/{place.instance}/frames/"
        requests = Requests(paths=[path + ",".join(map(str, numbers))], accept=_ACCEPT)
        wait_until_read(server, f"{path}1")
        idle = server.memory()
        server.forget_most_memory()
        words = f"{len(numbers):,} frames of a slide of {slide.stat().st_size / 1e9:.1f} GB"
        yield measure.compare(
            bench.caller.turn(server, requests, 1, 1),
            _reading(slide, first, numbers),
            turns=bench.scale.turns,
            group=GROUP,
            operation=words,
            limit="reading these ranges",
            target=Target(wall=2),
        )
        yield Amount(
            group="memory",
            operation=f"most while {words} were sent, over idle",
            unit="MB",
            ours=server.most_memory() - idle,
        )
        begun, whole = _first_byte(server, requests)
        yield Amount(
            group=GROUP,
            operation=f"{words}: until the first byte",
            unit="ms",
            ours=begun * 1e3,
            limit="until the last",
            raw=whole * 1e3,
        )
        yield _stalled(bench, server, requests, words)


def make(path: Path, size: int) -> tuple[Place, int, int]:
    """A slide of about so many bytes, all black; what it is called, where its frames begin, how many it has."""
    count = size // _FRAME
    target = instances.new_target()
    said = {
        "SOPClassUID": _SLIDE,
        "Rows": _SIDE,
        "Columns": _SIDE,
        "SamplesPerPixel": 3,
        "PhotometricInterpretation": "RGB",
        "PlanarConfiguration": 0,
        "BitsAllocated": 8,
        "BitsStored": 8,
        "HighBit": 7,
        "PixelRepresentation": 0,
        "NumberOfFrames": count,
    }
    beginning = instances.make(target, frames=[b""], attributes=said, rows=_SIDE, columns=_SIDE)
    head = beginning[: beginning.rindex(b"\xe0\x7f\x10\x00")] + b"\xe0\x7f\x10\x00OW\0\0"
    with path.open("wb") as file:
        file.write(head + (count * _FRAME).to_bytes(4, "little"))
        first = file.tell()
        file.truncate(first + count * _FRAME)
    return target, first, count


def _reading(slide: Path, first: int, numbers: list[int]) -> Deed:
    """The least: the kernel copies every range once."""
    buffer = memoryview(bytearray(_STEP))

    def read() -> None:
        descriptor = os.open(slide, os.O_RDONLY)
        for number in numbers:
            start = first + (number - 1) * _FRAME
            for offset in range(start, start + _FRAME, _STEP):
                os.preadv(descriptor, [buffer[: min(_STEP, start + _FRAME - offset)]], offset)
        os.close(descriptor)

    return measure.timed(read)


def wait_until_read(server: Server, path: str) -> None:
    """The folder is looked through while it is served already."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with socket.create_connection((server.host, server.port)) as line:
            line.sendall(Requests(paths=[path]).heads(server)[0].encode())
            if line.recv(100).startswith(b"HTTP/1.1 200"):
                return
        time.sleep(0.1)
    raise SystemExit("the slide was not found in its folder")


def _first_byte(server: Server, requests: Requests) -> tuple[float, float]:
    """Seconds until the first frame begins, and until all is there."""
    buffer = bytearray(1 << 20)
    with socket.create_connection((server.host, server.port)) as line:
        before = time.perf_counter()
        line.sendall(requests.heads(server)[0].replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n").encode())
        taken = line.recv_into(buffer)
        begun = time.perf_counter() - before
        while taken:
            taken = line.recv_into(buffer)
        return begun, time.perf_counter() - before


def _stalled(bench: Bench, server: Server, requests: Requests, words: str) -> Figure:
    before = server.memory()
    with ExitStack() as stack:
        for _ in range(3):
            line = stack.enter_context(socket.create_connection((server.host, server.port)))
            line.sendall(requests.heads(server)[0].encode())
        time.sleep(bench.scale.stalled)
        after = server.memory()
    return Amount(
        group="memory",
        operation=f"3 stalled downloads of {words}, over idle",
        unit="MB",
        ours=after - before,
        most=16,
        target="< 16 MB over idle",
    )
