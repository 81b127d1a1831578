"""PS3.18 §8.7.3: every stored file in every transfer syntax that can be made, read by other people's programs (MT-07..12)."""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import standard_pixels
from standard_pixels import DATA
from standard_service import Service, parts_of, path_of

from dicomgate import config, errors
from dicomgate.dicom import header, pixel_description, syntaxes
from dicomgate.dicom.header import Header
from dicomgate.dicom.source import BytesSource
from dicomgate.dicomweb import offers
from dicomgate.testing import instances

pytestmark = pytest.mark.slow  # thousands of pictures are encoded

EXPLICIT = syntaxes.EXPLICIT_LITTLE
_LARGE = 600_000
"""Bytes of pixels that are not encoded in every syntax: it would take minutes."""
HARMLESS = 3.0
"""Mean difference of lossy pictures from what they are made of, and of two decoders of one, in values of eight bits."""
NO_RGB = {"1.2.826.0.1.3680043.2.1143.6844246171068686447348170864099716226"}
"""Says RGB of JPEG in YCbCr, which other decoders show as if it were."""


def _read(path: Path) -> Header | None:
    try:
        seen = header.read(BytesSource(path.read_bytes()))
    except errors.Fault:
        return None
    return seen if seen.target is not None and seen.frames is not None else None


FILES = (
    [path for path in sorted(DATA.rglob("*")) if path.is_file() and _read(path) is not None] if DATA.exists() else []
)


def _one_of_each_kind(files: list[Path]) -> list[Path]:
    """The smallest file of every way in which pixels are described."""
    kinds: dict[Any, Path] = {}
    for path in sorted(files, key=lambda each: each.stat().st_size):
        seen = _read(path)
        assert seen is not None
        with contextlib.suppress(errors.Fault):
            described = pixel_description.describe(seen.attributes, seen.transfer_syntax)
            kind = dataclasses.replace(described, rows=1, columns=1, frame_count=min(described.frame_count, 2))
            if described.frame_bytes * described.frame_count <= _LARGE:
                kinds.setdefault(kind, path)
    return sorted(kinds.values())


@pytest.fixture(scope="module")
def service(open_service) -> Service:
    return open_service(store=config.Store(duplicates="replace"))


every_file = pytest.mark.parametrize("stored", FILES, ids=lambda path: path.name, indirect=True)
every_kind = pytest.mark.parametrize("stored", _one_of_each_kind(FILES), ids=lambda path: path.name, indirect=True)


@pytest.fixture
def stored(request: pytest.FixtureRequest, service: Service) -> tuple[str, bytes]:
    """A real file, stored: its address and its content."""
    content = request.param.read_bytes()
    seen = _read(request.param)
    assert seen is not None
    service.store(content)
    return path_of(seen.target), content


def ask(service: Service, path: str, syntax: str) -> Any:
    return service.studies(path, f"application/dicom; transfer-syntax={syntax}")


def depth(content: bytes) -> float:
    """The range of the values, in steps of eight bits."""
    return float(2 ** max(int(standard_pixels.dataset(content).BitsStored) - 8, 0))


@every_file
def test_as_explicit_little_endian_MT_07(service: Service, stored) -> None:
    """Row 14, for every syntax there is: lossless ones exactly, lossy ones as near as decoders are to each other."""
    path, content = stored
    reply = ask(service, path, EXPLICIT)
    assert reply.status == 200, reply.body
    assert reply.headers["content-type"] == f"application/dicom; transfer-syntax={EXPLICIT}"
    assert int(reply.headers["content-length"]) == len(reply.body)
    dataset = standard_pixels.dataset(reply.body)
    assert dataset.file_meta.TransferSyntaxUID == EXPLICIT
    was = standard_pixels.dataset(content)
    assert dataset.SOPInstanceUID == was.SOPInstanceUID
    lossy = syntaxes.TABLE[was.file_meta.TransferSyntaxUID].loss
    if lossy is syntaxes.Loss.ALWAYS:
        assert dataset.LossyImageCompression == "01"
    reference = standard_pixels.read(content)
    if reference is None:
        return
    pixels = standard_pixels.read(reply.body)
    assert pixels.shape == reference.shape
    if lossy is syntaxes.Loss.NEVER:
        assert np.array_equal(pixels, reference)
    elif was.PhotometricInterpretation == "RGB" and was.SOPInstanceUID in NO_RGB:
        assert dataset.PhotometricInterpretation == "RGB"
    elif dataset.PhotometricInterpretation == was.PhotometricInterpretation or dataset.SamplesPerPixel == 1:
        assert standard_pixels.mean_difference(pixels, reference) <= HARMLESS * depth(content)


@every_kind
def test_in_every_syntax_that_can_hold_it_MT_10(service: Service, stored) -> None:
    """Without loss the pixels are those of Explicit VR Little Endian; with loss near them, flagged, under a new UID."""
    path, content = stored
    native = ask(service, path, EXPLICIT).body
    expected, was = standard_pixels.read(native), standard_pixels.dataset(native)
    told = set()
    for syntax in offers.ENCODINGS:
        reply = ask(service, path, syntax)
        told.add(reply.status)
        if reply.status == 406 or syntax == standard_pixels.dataset(content).file_meta.TransferSyntaxUID:
            continue
        assert reply.status == 200, (syntax, reply.body)
        dataset = standard_pixels.dataset(reply.body)
        assert dataset.file_meta.TransferSyntaxUID == syntax
        is_lossy = syntaxes.TABLE[syntax].loss is not syntaxes.Loss.NEVER
        assert (dataset.SOPInstanceUID != was.SOPInstanceUID) == is_lossy
        if is_lossy:
            assert dataset.LossyImageCompression == "01"
            assert dataset.ImageType[0] == "DERIVED"
        pixels = standard_pixels.read(reply.body)
        if pixels is None:
            continue
        assert pixels.shape == expected.shape, syntax
        if is_lossy:
            assert standard_pixels.mean_difference(pixels, expected) <= HARMLESS * depth(native), syntax
        elif dataset.PhotometricInterpretation == was.PhotometricInterpretation:
            assert np.array_equal(pixels, expected), syntax
    assert told <= {200, 406}


@every_file
def test_frames_and_pixel_data_decompressed_FRM_02(service: Service, stored) -> None:
    path, _ = stored
    native = standard_pixels.dataset(ask(service, path, EXPLICIT).body)
    count, value = int(native.get("NumberOfFrames", 1) or 1), bytes(native[_pixel_tag(native)].value)
    octets = f"application/octet-stream; transfer-syntax={EXPLICIT}"
    frames = [service.studies(f"{path}/frames/{number}", octets) for number in range(1, min(count, 3) + 1)]
    if native.BitsAllocated == 1:
        return
    assert b"".join(frame.body for frame in frames) == value[: sum(len(frame.body) for frame in frames)]
    assert all(frame.headers["content-type"] == octets for frame in frames)
    (part,) = parts_of(service.studies(f"{path}/pixeldata", f"multipart/related; type={octets}"))
    assert value.startswith(part.body)
    assert len(value) - len(part.body) <= 1


def _pixel_tag(dataset: Any) -> str:
    return next(name for name in ("PixelData", "FloatPixelData", "DoubleFloatPixelData") if name in dataset)


@pytest.mark.parametrize("columns", [4, 3], ids=["even", "odd"])
def test_encapsulated_frames_that_are_not_compressed_are_native_without_a_pad_byte_FRM_02(
    open_service, columns: int
) -> None:
    """Of an even size they leave as they lie."""
    service = open_service()
    target = instances.new_target()
    frames = [bytes(range(number, number + 3 * columns)) for number in (1, 100)]
    padded = [frame + b"\0" * (len(frame) % 2) for frame in frames]
    described = {"Rows": 3, "Columns": columns, "BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}
    described |= {"PixelRepresentation": 0, "SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2"}
    described |= {"NumberOfFrames": 2}
    service.store(instances.make(target, syntax="1.2.840.10008.1.2.1.98", frames=padded, attributes=described))
    for number, frame in enumerate(frames, 1):
        reply = service.studies(f"{path_of(target)}/frames/{number}", "application/octet-stream")
        assert (reply.status, reply.body) == (200, frame)
        assert reply.headers["content-type"] == "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1"
