"""PNG and GIF become native pixels (PS3.18 Table 10.5.2-1); runs in worker processes alone.

Alpha and transparency are dropped, palettes become RGB, grey of 1, 2 and 4 bits is widened to 8, 16 bits stay.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Callable
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from dicomgate import errors
from dicomgate.dicom.source import Truncated
from dicomgate.pixels import gif

Pixels = NDArray[Any]

_BAND = 4 << 20
"""Bytes written at once."""
_PNG = b"\x89PNG\r\n\x1a\n"
_MOST_CHUNKS = 1_000_000
_CHANNELS = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}
"""By a PNG's colour type; an alpha channel may come on top."""


def decode(source: int, into: int, *, media_type: str, largest: int, most: int) -> dict[str, Any]:
    """Decode one file into another as native little-endian pixels, by pixel, frame after frame.

    `largest`: bytes a frame may have, `most`: bytes all may have. Malformed, TooLarge or UnsupportedMedia when it
    cannot be done, OutOfSpace when the disk is full.
    """
    size = os.fstat(source).st_size
    if not size:
        raise Truncated("an empty picture")
    with mmap.mmap(source, size, access=mmap.ACCESS_READ) as content:
        try:
            return _DECODERS[media_type](content, into, largest, most)
        except OSError as error:
            raise errors.OutOfSpace("no room for the decoded picture") from error


def _decode_png(content: mmap.mmap, into: int, largest: int, most: int) -> dict[str, Any]:
    rows, columns, channels, depth = _read_png(content)
    _check(rows, columns, channels * (2 if depth == 16 else 1), min(largest, most))
    try:
        pixels = imagecodecs.png_decode(content)
    except (RuntimeError, ValueError) as error:
        raise errors.Malformed("the PNG picture cannot be decoded") from error
    if pixels.ndim == 3:
        pixels = pixels[:, :, : 3 if pixels.shape[2] >= 3 else 1]
    _write(pixels, into)
    return _answer(pixels, frames=1)


def _read_png(content: mmap.mmap) -> tuple[int, int, int, int]:
    """Rows, columns, channels as decoded and bits; every chunk is there, up to the last."""
    if content[:8] != _PNG or content[12:16] != b"IHDR" or len(content) < 33:
        raise errors.Malformed("expected a PNG picture, saw other first bytes")
    columns, rows, depth, colour = struct.unpack_from(">IIBB", content, 16)
    if colour not in _CHANNELS or depth not in (1, 2, 4, 8, 16):
        raise errors.Malformed(f"a PNG picture of colour type {colour} with {depth} bits")
    at, channels = 8, _CHANNELS[colour]
    for _ in range(_MOST_CHUNKS):
        if at + 12 > len(content):
            raise Truncated(f"byte {at}: the PNG picture ends early")
        length, kind = struct.unpack_from(">I4s", content, at)
        at += 12 + length
        if kind == b"IEND" and at <= len(content):
            return rows, columns, channels, depth
        if kind == b"tRNS":
            channels = _CHANNELS[colour] + 1
    raise errors.TooLarge(f"more than {_MOST_CHUNKS} chunks in a PNG picture")


def _decode_gif(content: mmap.mmap, into: int, largest: int, most: int) -> dict[str, Any]:
    screen = gif.read_screen(content)
    images = list(gif.read_images(content, screen))
    if not images:
        raise errors.Malformed("a GIF file without a picture")
    rows = screen.height or images[0].height
    columns = screen.width or images[0].width
    _check(rows, columns, 3, min(largest, most // len(images)))
    canvas: Pixels = np.zeros((rows, columns, 3), np.uint8)
    for image in images:
        _check(image.height, image.width, 3, largest)
        before = canvas.copy() if image.disposal == 3 else canvas
        region = _lay(canvas, image, content)
        _write(canvas, into)
        if image.disposal == 2:
            region[:] = 0
        canvas = before
    return _answer(canvas, frames=len(images), delays=[image.delay * 10 for image in images])


def _lay(canvas: Pixels, image: gif.Image, content: mmap.mmap) -> Pixels:
    """Lay a picture over the canvas; the part of the canvas that it covers."""
    region: Pixels = canvas[image.top : image.top + image.height, image.left : image.left + image.width]
    indices = _decode_indices(image, content)[: region.shape[0], : region.shape[1]]
    palette: Pixels = np.zeros((256, 3), np.uint8)
    colours = np.frombuffer(content[image.palette.start : image.palette.stop], np.uint8).reshape(-1, 3)
    palette[: len(colours)] = colours
    if image.transparent is None:
        region[:] = palette[indices]
    else:
        covers = indices != image.transparent
        region[covers] = palette[indices[covers]]
    return region


def _decode_indices(image: gif.Image, content: mmap.mmap) -> Pixels:
    """The picture's palette indices, decoded as a file of its own: the decoder would read all of them for each."""
    size = struct.pack("<HH", image.width, image.height)
    flags = bytes([0x40 if image.is_interlaced else 0])
    head = b"GIF89a" + size + b"\xf7\0\0" + bytes(768) + b"\x2c\0\0\0\0" + size + flags
    try:
        pixels = imagecodecs.gif_decode(head + content[image.data.start : image.data.stop] + b"\x3b", asrgb=False)
    except (RuntimeError, ValueError) as error:
        raise errors.Malformed("the GIF picture cannot be decoded") from error
    if pixels.shape != (image.height, image.width):
        raise errors.Malformed("the GIF picture decodes to another size than it says")
    return pixels


def _check(rows: int, columns: int, pixel: int, largest: int) -> None:
    if not rows or not columns:
        raise errors.Malformed("the picture's header says that it has no pixels")
    if rows * columns * pixel > largest:
        raise errors.TooLarge(f"{rows} rows of {columns} pixels: a picture has at most {largest} bytes when decoded")


def _write(pixels: Pixels, into: int) -> None:
    """The pixels, row by row, little endian; never a second copy of all."""
    row = max(pixels[:1].nbytes, 1)
    step = max(_BAND // row, 1)
    kind = pixels.dtype.newbyteorder("<")
    for first in range(0, len(pixels), step):
        view = memoryview(pixels[first : first + step].astype(kind, copy=False).tobytes())
        while view:
            view = view[os.write(into, view) :]


def _answer(pixels: Pixels, *, frames: int, delays: list[int] | None = None) -> dict[str, Any]:
    return {
        "rows": pixels.shape[0],
        "columns": pixels.shape[1],
        "samples": pixels.shape[2] if pixels.ndim == 3 else 1,
        "bits": pixels.dtype.itemsize * 8,
        "frames": frames,
        "delays": delays or [],
    }


_Decoder = Callable[[mmap.mmap, int, int, int], dict[str, Any]]
_DECODERS: dict[str, _Decoder] = {"image/png": _decode_png, "image/gif": _decode_gif}
