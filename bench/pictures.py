"""Pictures of stored frames, beside the decoder and the encoder alone on the same bytes."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import imagecodecs
import numpy as np
from PIL import Image

from bench import measure
from bench.measure import Amount, Cost, Deed, Figure, Target
from bench.processes import Server
from bench.scale import Bench
from dicomgate import assembly, config
from dicomgate.archive.archive import Archive
from dicomgate.dicom.outcomes import Stored
from dicomgate.origin import Instance
from dicomgate.pixels.limits import cores
from dicomgate.pixels.processes import Workers
from dicomgate.representations import pictures
from dicomgate.representations.maker import Maker
from dicomgate.testing import instances

GROUP = "rendered pictures"
_CT = "1.2.840.10008.5.1.4.1.1.2"
_HTJ2K, _JPEG_LS = "1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.80"
_CASES: tuple[tuple[int, str, str, float, int], ...] = (
    # Side, transfer syntax, its name, what is promised, how many at a turn.
    (512, _HTJ2K, "HTJ2K", 1.5, 100),
    (512, _JPEG_LS, "JPEG-LS", 1.5, 60),
    (2048, _HTJ2K, "HTJ2K", 1.2, 12),
    (2048, _JPEG_LS, "JPEG-LS", 1.2, 6),
)


def figures(bench: Bench) -> Iterator[Figure]:
    """All of them."""
    folder = bench.scratch / "pictures"
    with Workers() as workers, assembly.open_archive(folder, config.Settings()) as archive:
        maker = Maker(workers=workers)
        for side, syntax, name, promised, most in _CASES:
            codestream = _encode(_pixels(side), syntax)
            instance = _store(archive, side, syntax, codestream)
            shown = np.asarray(Image.open(io.BytesIO(pictures.render(maker, instance).content)))
            count = bench.scale.requests(most)
            yield measure.compare(
                _turn(lambda instance=instance: pictures.render(maker, instance), count),  # type: ignore[misc]
                _turn(lambda codestream=codestream, syntax=syntax, shown=shown: _raw(codestream, syntax, shown), count),  # type: ignore[misc]
                turns=bench.scale.turns,
                group=GROUP,
                operation=f"JPEG of a {side} x {side} frame stored as {name}",
                limit="decoder and encoder alone, in this process",
                target=Target(cpu=promised),
            )
            if side == 512 and syntax == _HTJ2K:
                yield _side_by_side(maker, instance, count)


def _side_by_side(maker: Maker, instance: Instance, count: int) -> Figure:
    """As many a second as processors do, beside one after the other."""

    def rate(threads: int) -> float:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda _: pictures.render(maker, instance), range(threads * 2)))
            began = time.perf_counter()
            list(pool.map(lambda _: pictures.render(maker, instance), range(count)))
            return count / (time.perf_counter() - began)

    alone, together = rate(1), rate(2 * cores())
    return Amount(
        group=GROUP,
        operation=f"JPEGs of 512 x 512 a second, {cores()} processors",
        unit="/s",
        ours=together,
        limit="one after the other",
        raw=alone,
    )


def _pixels(side: int) -> np.ndarray:
    """A soft round body with structures and noise, of 12 bits."""
    rows, columns = np.mgrid[:side, :side]
    body = 1000 * np.exp(-((columns - side / 2) ** 2 + (rows - side / 2) ** 2) / (side * side / 8))
    noise = np.random.default_rng(1).normal(0, 15, (side, side))
    return np.asarray(np.clip(1000 + body + 200 * np.sin(columns / 9) + noise, 0, 4095), np.uint16)


def _encode(pixels: np.ndarray, syntax: str) -> bytes:
    made = imagecodecs.htj2k_encode(pixels, reversible=True) if syntax == _HTJ2K else imagecodecs.jpegls_encode(pixels)
    return bytes(made)


def _raw(codestream: bytes, syntax: str, shown: np.ndarray) -> None:
    if syntax == _HTJ2K:
        imagecodecs.htj2k_decode(codestream)
    else:
        imagecodecs.jpegls_decode(codestream)
    imagecodecs.jpeg8_encode(shown, level=90)


def _store(archive: Archive, side: int, syntax: str, codestream: bytes) -> Instance:
    target = instances.new_target()
    said = {
        "SOPClassUID": _CT,
        "Rows": side,
        "Columns": side,
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": 16,
        "BitsStored": 12,
        "HighBit": 11,
        "PixelRepresentation": 0,
        "WindowCenter": "1500",
        "WindowWidth": "2000",
    }
    arrival = archive.spool.arrival()
    arrival.write(instances.make(target, syntax=syntax, frames=[codestream], attributes=said))
    assert archive.origin.store is not None
    assert isinstance(archive.origin.store.accept(arrival), Stored)
    with archive.origin.retrieve.retrieve(target) as found:
        return next(found)


def _turn(deed: Callable[[], object], count: int) -> Deed:
    """So many in this process and its workers; the cost is that of one."""
    here = Server(process=os.getpid(), host="", port=0)

    def turn() -> Cost:
        cpu, wall = here.cpu(), time.perf_counter()
        for _ in range(count):
            deed()
        return Cost(here.cpu() - cpu, time.perf_counter() - wall) / count

    return turn
