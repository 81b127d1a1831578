"""STOW-RS beside a loop of SHA-256, write, fsync and rename over the same bytes."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import data, measure, processes
from bench.caller import Requests
from bench.limits import Writing
from bench.measure import NO_TARGET, Amount, Cost, Figure, Target
from bench.processes import Server
from bench.scale import Bench

BOUNDARY = "bench-boundary"
CONTENT_TYPE = f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'
BEFORE = b"--bench-boundary\r\nContent-Type: application/dicom\r\n\r\n"
AFTER = b"\r\n--bench-boundary--\r\n"
LOOP = "SHA-256, write, fsync, rename"

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Manner:
    """How instances are sent."""

    each: int  # instances of a request
    requests: int
    connections: int
    target: Target = NO_TARGET

    @property
    def operation(self) -> str:
        """In words."""
        return f"{self.each} CT in each of {self.requests} requests, {self.connections} at a time"


class Batch:
    """Instances nobody has stored yet, for us and for the loop."""

    def __init__(self, manner: Manner, file: Path) -> None:
        self.manner = manner
        self.contents: list[bytes] = []
        self._file = file
        self._spans: list[tuple[int, int]] = []

    def renew(self) -> None:
        """Make the next ones, and the requests' bodies in a file that the load generator sends from."""
        study = next(_numbers)
        count = self.manner.each * self.manner.requests
        self.contents = [data.ct().instance(study, study, next(_numbers)) for _ in range(count)]
        self._spans = []
        with self._file.open("r+b" if self._file.exists() else "wb") as file:
            for first in range(0, count, self.manner.each):
                start = file.tell()
                file.writelines(body(self.contents[first : first + self.manner.each]))
                self._spans.append((start, file.tell() - start))
            file.flush()
            os.fsync(file.fileno())

    def requests(self) -> Requests:
        """The requests that store them."""
        return post(self._file, self._spans)


def post(file: Path, spans: Sequence[tuple[int, int]]) -> Requests:
    """Requests that store what lies in spans of a file."""
    return Requests(
        paths=["/studies"],
        accept="application/dicom+json",
        method="POST",
        content_type=CONTENT_TYPE,
        file=file,
        bodies=spans,
    )


def body(contents: Sequence[bytes]) -> Iterator[bytes]:
    """The pieces of a request that stores these files."""
    for number, content in enumerate(contents):
        yield (b"\r\n" if number else b"") + BEFORE
        yield content
    yield AFTER


def figures(bench: Bench) -> Iterator[Figure]:
    """All of them."""
    manners = (
        Manner(1, bench.scale.requests(100), 1),
        Manner(1, bench.scale.requests(200), 8),
        Manner(bench.scale.stored, 1, 1, Target(cpu=3.5, wall=1.5)),
        Manner(bench.scale.stored // 8, 8, 8),
    )
    loop = Writing(bench.scratch / "raw")
    with processes.dicomgate(bench.scratch / "stored") as server:
        for number, manner in enumerate(manners):
            yield _many(bench, server, loop, Batch(manner, bench.scratch / f"bodies{number}"))
    yield from _large(bench, loop)


def _many(bench: Bench, server: Server, loop: Writing, batch: Batch) -> Figure:
    manner = batch.manner
    count = manner.each * manner.requests

    def ours() -> Cost:
        batch.renew()
        return bench.caller.call(server, batch.requests(), manner.requests, manner.connections) / count

    def raw() -> Cost:
        return loop.write_all(batch.contents, manner.connections) / count

    return measure.compare(
        ours,
        raw,
        turns=bench.scale.turns,
        group="store",
        operation=manner.operation,
        limit=LOOP,
        target=manner.target,
    )


def _large(bench: Bench, loop: Writing) -> Iterator[Figure]:
    file = data.write_large(bench.scratch / "large", bench.scale.large, BEFORE, AFTER)
    size = file.path.stat().st_size
    words = f"one instance of {bench.scale.large / 1e6:.0f} MB"
    with processes.dicomgate(bench.scratch / "stored-large") as server:
        bench.caller.call(server, Requests(paths=["/studies"], expected=204), 1, 1)
        idle = server.memory()

        def ours() -> Cost:
            file.renumber(next(_numbers))
            return bench.caller.call(server, post(file.path, [(0, size)]), 1, 1)

        yield measure.compare(
            ours,
            lambda: loop.write_file(file.path),
            turns=bench.scale.turns,
            group="store",
            operation=words,
            limit=LOOP,
            target=Target(cpu=2.5),
        )
        yield Amount(
            group="memory",
            operation=f"most while storing {words}, over idle",
            unit="MB",
            ours=server.most_memory() - idle,
            most=64,
            target="< 64 MB over idle",
        )
