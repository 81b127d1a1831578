"""Pictures of 8 bits as files that any program shows (PS3.18 Table 8.7.4-1)."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any, Final

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Picture = NDArray[np.uint8]

QUALITY: Final = 90
"""Of what is compressed with loss, where nobody says."""
_APP2_PIECE: Final = 65_519


def encode(picture: Picture, media_type: str, quality: int | None, profile: bytes | None) -> bytes:
    """The picture as a file of that type; a profile goes where the type has a place for it."""
    return _ENCODERS[media_type](np.ascontiguousarray(picture), QUALITY if quality is None else quality, profile)


def _jpeg(picture: Picture, quality: int, profile: bytes | None) -> bytes:
    """Baseline. Colours keep their full resolution where quality is asked for."""
    subsampling = "420" if quality < 80 else "444"
    if picture.ndim == 2:
        made = imagecodecs.jpeg8_encode(picture, level=quality)
    else:
        made = imagecodecs.jpeg8_encode(picture, level=quality, subsampling=subsampling)
    if profile is None:
        return bytes(made)
    at = 4 + int.from_bytes(made[4:6], "big") if made[2:4] == b"\xff\xe0" else 2
    return bytes(made[:at]) + b"".join(_app2(profile)) + bytes(made[at:])


def _app2(profile: bytes) -> Iterator[bytes]:
    """The segments that hold a profile (ICC.1 §B.4)."""
    pieces = [profile[at : at + _APP2_PIECE] for at in range(0, len(profile), _APP2_PIECE)]
    for number, piece in enumerate(pieces, 1):
        yield b"\xff\xe2" + struct.pack(">H", len(piece) + 16) + b"ICC_PROFILE\0" + bytes((number, len(pieces))) + piece


def _png(picture: Picture, quality: int, profile: bytes | None) -> bytes:  # noqa: ARG001 (an encoder)
    # Quick settings: a quarter of the time for a few per cent of size.
    made = imagecodecs.png_encode(picture, level=1, strategy=3, filter=16)
    if profile is None:
        return bytes(made)
    content = b"icc\0\0" + zlib.compress(profile)
    chunk = struct.pack(">I", len(content)) + b"iCCP" + content + struct.pack(">I", zlib.crc32(b"iCCP" + content))
    return bytes(made[:33]) + chunk + bytes(made[33:])


def _gif(picture: Picture, quality: int, profile: bytes | None) -> bytes:  # noqa: ARG001 (an encoder)
    image = Image.fromarray(picture)
    if picture.ndim == 3:
        image = image.quantize(256, method=Image.Quantize.FASTOCTREE)
    out = io.BytesIO()
    image.save(out, "GIF", optimize=False)
    return out.getvalue()


def _webp(picture: Picture, quality: int, profile: bytes | None) -> bytes:  # noqa: ARG001 (an encoder)
    rgb = picture if picture.ndim == 3 else np.repeat(picture[:, :, None], 3, axis=2)
    return bytes(imagecodecs.webp_encode(rgb, level=quality, lossless=quality == 100))


def _jp2(picture: Picture, quality: int, profile: bytes | None) -> bytes:  # noqa: ARG001 (an encoder)
    lossless = quality == 100
    level = None if lossless else 25 + quality // 4
    return bytes(imagecodecs.jpeg2k_encode(picture, level=level, codecformat="jp2", reversible=lossless))


def _jph(picture: Picture, quality: int, profile: bytes | None) -> bytes:  # noqa: ARG001 (an encoder)
    """The codestream in the boxes of a file (ISO 15444-15 Annex D)."""
    level = None if quality == 100 else (101 - quality) / 2000
    stream = bytes(imagecodecs.htj2k_encode(picture, level=level, reversible=quality == 100))
    channels = picture.shape[2] if picture.ndim == 3 else 1
    header = struct.pack(">IIHBBBB", *picture.shape[:2], channels, 7, 7, 0, 0)
    colour = struct.pack(">BBBI", 1, 0, 0, 16 if channels == 3 else 17)
    return b"".join(
        (
            _box(b"jP  ", b"\r\n\x87\n"),
            _box(b"ftyp", b"jph \0\0\0\0jph "),
            _box(b"jp2h", _box(b"ihdr", header) + _box(b"colr", colour)),
            _box(b"jp2c", stream),
        )
    )


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content) + 8) + kind + content


def _jxl(picture: Picture, quality: int, profile: bytes | None) -> bytes:  # noqa: ARG001 (an encoder)
    return bytes(imagecodecs.jpegxl_encode(picture, level=quality, lossless=quality == 100, effort=3, numthreads=1))


_Encoder = Callable[[Any, int, bytes | None], bytes]
_ENCODERS: Final[dict[str, _Encoder]] = {
    "image/jpeg": _jpeg,
    "image/png": _png,
    "image/gif": _gif,
    "image/webp": _webp,
    "image/jp2": _jp2,
    "image/jph": _jph,
    "image/jxl": _jxl,
}
