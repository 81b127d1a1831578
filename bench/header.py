"""From bytes to the DICOM JSON model as text, beside hashing the file or reading it lazily by pydicom."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator

import pydicom

from bench import data, measure
from bench.measure import Figure, Target, timed
from bench.scale import Bench
from dicomgate.dicom import header, jsonmodel
from dicomgate.dicom.source import BytesSource


def figures(bench: Bench) -> Iterator[Figure]:
    """All of them."""
    slice_ = data.ct().instance(1, 1, 1)
    count = bench.scale.requests(200)
    yield measure.compare(
        timed(lambda: _to_json(slice_), count),
        timed(lambda: hashlib.sha256(slice_).digest(), count),
        turns=bench.scale.turns,
        group="header to JSON",
        operation=f"one CT, {data.CT_ELEMENTS} elements",
        limit="SHA-256 of the file",
        target=Target(cpu=1),
    )
    for shape, content in (("a report, deeply nested", data.report()), ("an enhanced image, flat", data.enhanced())):
        yield _large(bench, shape, content)


def _large(bench: Bench, shape: str, content: bytes) -> Figure:
    return measure.compare(
        timed(lambda: _to_json(content)),
        timed(lambda: pydicom.dcmread(io.BytesIO(content))),
        turns=bench.scale.turns,
        group="header to JSON",
        operation=f"{data.SR_ELEMENTS:,} elements: {shape}",
        limit="pydicom dcmread, lazy",
        target=Target(cpu=3),
    )


def _to_json(content: bytes) -> bytes:
    return jsonmodel.format_dataset(header.read(BytesSource(content)).attributes)
