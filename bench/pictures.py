"""Pictures of stored frames, beside the decoder and the encoder alone on the same bytes."""

from __future__ import annotations

import functools
import io
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

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
from dicomgate.pixels import limits
from dicomgate.pixels.processes import Workers
from dicomgate.representations import pictures, possible
from dicomgate.representations.frame_making import FrameMaker
from dicomgate.representations.maker import Maker
from dicomgate.testing import instances

GROUP = "rendered pictures"
_CT = "1.2.840.10008.5.1.4.1.1.2"
_EXPLICIT = "1.2.840.10008.1.2.1"
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
            if syntax == _HTJ2K or side == 512:
                yield from _transcoded(
                    bench, maker, instance, codestream, f"{side} x {side} frame stored as {name}", count
                )
            if side == 512 and syntax == _HTJ2K:
                yield _side_by_side(instance, count)


def _transcoded(
    bench: Bench, maker: Maker, instance: Instance, codestream: bytes, words: str, count: int
) -> Iterator[Figure]:
    """The same frame in other transfer syntaxes: without compression, and compressed in another way."""
    stored = instance.facts.transfer_syntax
    for wanted, name in ((_EXPLICIT, "without compression"), (_HTJ2K, "as HTJ2K"), (_JPEG_LS, "as JPEG-LS")):
        if wanted == stored:
            continue
        making = FrameMaker(
            maker=maker, instance=instance, description=possible.describe(instance), transfer_syntax=wanted
        )
        yield measure.compare(
            _turn(functools.partial(_make_frame, making), count),
            _turn(functools.partial(_recode, codestream, stored, wanted), count),
            turns=bench.scale.turns,
            group="transcoding",
            operation=f"a {words}, {name}",
            limit="decoder and encoder alone, in this process",
            target=Target(cpu=1.2),
        )


def _make_frame(making: FrameMaker) -> None:
    assert len(list(making.frames([1]))) == 1


def _recode(codestream: bytes, stored: str, wanted: str) -> None:
    pixels = imagecodecs.htj2k_decode(codestream) if stored == _HTJ2K else imagecodecs.jpegls_decode(codestream)
    if wanted == _EXPLICIT:
        pixels.tobytes()
    else:
        _encode(pixels, wanted)


def _side_by_side(instance: Instance, count: int) -> Figure:
    """What one takes when four callers ask at a time, of two processes and of one."""

    def each(processes: int) -> float:
        with Workers(replace(limits.DEFAULT, processes=processes)) as workers, ThreadPoolExecutor(4) as pool:
            maker = Maker(workers=workers)
            list(pool.map(lambda _: pictures.render(maker, instance), range(8)))
            began = time.perf_counter()
            list(pool.map(lambda _: pictures.render(maker, instance), range(count)))
            return (time.perf_counter() - began) / count * 1e3

    pairs = [(each(2), each(1)) for _ in range(3)]
    two, one = min(pairs, key=lambda pair: pair[0] / pair[1])
    return Amount(
        group=GROUP,
        operation=f"a JPEG of 512 x 512, four asked for at a time, two processes on {limits.cores()} processors",
        unit="ms",
        ours=two,
        limit="one process",
        raw=one,
        most=one / 1.5,
        target="<= 0.67 of one",
        note="the best of three",
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
