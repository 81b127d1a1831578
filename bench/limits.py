"""Raw limits that are loops of our own: the least that must be done, and nothing else."""

from __future__ import annotations

import hashlib
import itertools
import mmap
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.measure import Cost, Stopwatch

_STEP = 1 << 20


class Writing:
    """SHA-256, write aside, fsync, rename, for one content after the other."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self._numbers = itertools.count()

    def write_all(self, contents: Sequence[bytes], threads: int) -> Cost:
        """Keep all contents, by so many threads side by side."""
        watch = Stopwatch()
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(self._warm_up, range(threads)))
            with watch.running():
                if threads == 1:
                    for content in contents:
                        self.write([content])
                else:
                    list(pool.map(self.write, ([content] for content in contents)))
        return watch.cost

    def write_file(self, path: Path) -> Cost:
        """Keep the content of a large file, in steps."""
        watch = Stopwatch()
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            view = memoryview(content)
            with watch.running():
                self.write(view[start : start + _STEP] for start in range(0, len(view), _STEP))
            view.release()
        return watch.cost

    def write(self, pieces: Iterable[bytes | memoryview]) -> str:
        """One content."""
        place = self._folder / f"{next(self._numbers):08d}"
        aside = place.with_suffix(".part")
        digest = hashlib.sha256()
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        try:
            for piece in pieces:
                digest.update(piece)
                os.write(descriptor, piece)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        aside.rename(place)
        return digest.hexdigest()

    @staticmethod
    def _warm_up(number: int) -> None:
        del number
