"""What it costs to convert a series to one object, beside copying its files."""

from __future__ import annotations

import contextlib
import io
import itertools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

from bench import data, measure
from bench.measure import Amount, Figure, Target, timed
from bench.scale import Bench
from dicomgate.cli import main

_STEP = 1 << 20
_MOST = 500.0
_HALF = Target(wall=2)
_MEMORY = """
import resource, sys
from dicomgate.cli import main
code = main.run(["convert", "enhanced", *sys.argv[1:]])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
sys.exit(code)
"""


def figures(bench: Bench) -> Iterator[Figure]:
    """Rate and memory."""
    count = 2 * bench.scale.slices
    source = bench.scratch / "series"
    _write_series(source, count)
    turns = itertools.count()

    def convert() -> None:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            code = main.run(["convert", "enhanced", str(source), str(bench.scratch / f"made{next(turns)}")])
        assert code == main.DONE, "a whole series is converted"

    def copy(*, is_each_synced: bool) -> None:
        _copy(source, bench.scratch / f"copied{next(turns)}", is_each_synced=is_each_synced)

    def copy_into_one() -> None:
        _join(source, bench.scratch / f"joined{next(turns)}")

    operation = f"{count} slices of 512 KB to one object, restorable"
    compare = partial(measure.compare, turns=bench.scale.turns, group="convert")
    yield compare(
        timed(convert),
        timed(lambda: copy(is_each_synced=True)),
        operation=operation,
        limit="copy its files: read, write, fsync",
        target=_HALF,
    )
    yield compare(
        _from_disk(source, convert),
        _from_disk(source, copy_into_one),
        operation=f"{operation}; sources read from the disk",
        limit="copy them from the disk into one file, fsync it",
        target=_HALF,
    )
    yield compare(
        timed(convert),
        timed(lambda: copy(is_each_synced=False)),
        operation=f"{operation}; all in memory, nothing waited for",
        limit="copy its files from page cache to page cache, no fsync",
    )
    yield _memory(bench, source, count)


def _from_disk(source: Path, deed: Callable[[], None]) -> measure.Deed:
    """A turn before which the kernel has forgotten the sources."""
    measured = timed(deed)

    def turn() -> measure.Cost:
        for path in source.iterdir():
            with path.open("rb") as file:
                os.fsync(file.fileno())  # only what is on the disk can be forgotten
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return measured()

    return turn


def _write_series(folder: Path, count: int) -> None:
    """A stack: the template's slices, each at its place."""
    folder.mkdir()
    template = data.ct()
    place = b"-180.5\\-180.5\\42.25"
    for number in range(count):
        start = template.start(1, 1, number + 1)
        assert start.count(place) == 1, "the template says where it lies"
        start = start.replace(place, b"-180.5\\-180.5\\%05d" % number)
        (folder / f"{number}.dcm").write_bytes(start + template.rest)


def _copy(source: Path, to: Path, *, is_each_synced: bool) -> None:
    to.mkdir()
    for path in sorted(source.iterdir()):
        with (to / path.name).open("wb") as made:
            _append(path, made)
            if is_each_synced:
                _sync(made)


def _join(source: Path, to: Path) -> None:
    with to.open("wb") as made:
        for path in sorted(source.iterdir()):
            _append(path, made)
        _sync(made)


def _append(path: Path, made: BinaryIO) -> None:
    with path.open("rb") as file:
        while chunk := file.read(_STEP):
            made.write(chunk)


def _sync(made: BinaryIO) -> None:
    made.flush()
    os.fsync(made.fileno())


def _memory(bench: Bench, source: Path, count: int) -> Figure:
    run = subprocess.run(
        [sys.executable, "-c", _MEMORY, str(source), str(bench.scratch / "made-apart")],
        check=True,
        capture_output=True,
        text=True,
    )
    return Amount(
        group="memory",
        operation=f"most while converting {count} slices",
        unit="MB",
        ours=int(run.stderr.split()[-1]) / 1024,
        most=_MOST,
        target="< 500 MB for 3,000",
    )
