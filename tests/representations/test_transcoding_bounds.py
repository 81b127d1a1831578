"""Two thousand frames cost no more than some: they are made as they are asked for (T4, T21)."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from dicomgate import assembly, config
from dicomgate.dicom.outcomes import Stored
from dicomgate.pixels.processes import Workers
from dicomgate.representations import transcoding
from dicomgate.representations.maker import Maker
from dicomgate.testing import instances

JPEG_LS = "1.2.840.10008.1.2.4.80"
COUNT, SIDE = 2000, 64


class Counted:
    """An instance that counts the frames that are read of it."""

    def __init__(self, instance: Any) -> None:
        self._instance = instance
        self.read = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._instance, name)

    def frame(self, number: int, *, span: range | None = None) -> Any:
        self.read += 1
        return self._instance.frame(number, span=span)


@pytest.mark.slow
def test_who_stops_reading_stops_the_making_T21(tmp_path: Path) -> None:
    noise = random.Random(8)
    frame = bytes(byte & 0x0F if at % 2 else byte for at, byte in enumerate(noise.randbytes(2 * SIDE * SIDE)))
    content = instances.make(rows=SIDE, columns=SIDE, frames=[frame] * COUNT)
    with assembly.open_archive(tmp_path / "data", config.Settings()) as archive, Workers() as workers:
        arrival = archive.spool.arrival()
        arrival.write(content)
        assert archive.origin.store is not None
        outcome = archive.origin.store.accept(arrival)
        arrival.discard()
        assert isinstance(outcome, Stored)
        with archive.origin.retrieve.retrieve(outcome.target) as found:
            counted: Any = Counted(next(found))
            made = transcoding.make_file(Maker(workers=workers), counted, JPEG_LS)
            assert counted.read == 1, "the first frame tells how the pixels are encoded"
            for _ in range(3):
                assert 0 < len(next(made.chunks)) <= 1 << 20
            assert counted.read <= 3 * 64 + 8
            made.chunks.close()  # type: ignore[attr-defined]
            assert counted.read < COUNT
