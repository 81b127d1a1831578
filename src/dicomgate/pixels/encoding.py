"""Pixels become one frame of a transfer syntax (PS3.5 §8.2, Annex A.4); runs in worker processes alone."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import imagecodecs
import numpy as np

from dicomgate import errors
from dicomgate.dicom import pixel_formats, syntaxes
from dicomgate.dicom.picture import RGB
from dicomgate.dicom.pixel_description import PixelDescription
from dicomgate.pixels import colours, decoding, high_throughput, quality, rle
from dicomgate.pixels.samples import Pixels

_UID = "1.2.840.10008.1.2."
_LUMINANCE = "YBR_FULL"
_Bytes = bytes | bytearray


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """A frame's codestream, and what its pixels are now: `description` names the syntax, colours and their order."""

    codestream: bytes
    description: PixelDescription


def transcode_frame(
    codestream: bytes, description: PixelDescription, transfer_syntax: str, measure: int = quality.DEFAULT
) -> Encoded:
    """Decode a frame and encode it in another transfer syntax; without loss of a bit where that syntax has none.

    The faults of `decoding.decode_frame`; NotAcceptable where the syntax cannot hold such pixels.
    """
    pixel_formats.require_hold(description, transfer_syntax)
    is_whole = pixel_formats.TABLE[transfer_syntax].containers
    decode = decoding.decode_words if is_whole else decoding.decode_only_values
    decoded = decode(codestream, description)
    given = replace(description, photometric_interpretation=decoded.photometric_interpretation)
    return encode_frame(decoded.pixels, given, transfer_syntax, measure)


def encode_frame(
    pixels: Pixels, description: PixelDescription, transfer_syntax: str, measure: int = quality.DEFAULT
) -> Encoded:
    """Encode pixels, by pixel, which the description tells the bits, sign and colours of.

    `measure`: quality from 1 to 100, for a transfer syntax that loses something. NotAcceptable where the syntax cannot
    hold such pixels.
    """
    pixel_formats.require_hold(description, transfer_syntax)
    kind = _ENCODED_COLOURS.get(transfer_syntax, _as_given)(description.photometric_interpretation)
    is_whole = pixel_formats.TABLE[transfer_syntax].containers
    is_lossy = transfer_syntax in _LOSSY
    try:
        if is_lossy:
            codestream = _LOSSY[transfer_syntax](pixels, description, measure)
        else:
            codestream = _LOSSLESS[transfer_syntax](pixels, description)
    except (RuntimeError, ValueError) as error:
        raise errors.NotAcceptable(f"{syntaxes.name(transfer_syntax)} cannot hold these pixels") from error
    return Encoded(
        codestream=bytes(codestream),
        description=replace(
            description,
            transfer_syntax=transfer_syntax,
            photometric_interpretation=kind,
            planar_configuration=0,
            high_bit=description.high_bit if is_whole else description.bits_stored - 1,
            is_lossy=description.is_lossy or is_lossy,
        ),
    )


def _as_given(kind: str) -> str:
    return kind


_ENCODED_COLOURS: dict[str, Callable[[str], str]] = {
    # What colours are called once encoded (PS3.5 §8.2.1, §8.2.4, §8.2.15).
    **{f"{_UID}4.{number}": lambda kind: "YBR_FULL_422" if kind in (RGB, _LUMINANCE) else kind for number in (50, 51)},
    **{f"{_UID}4.{number}": lambda kind: "YBR_RCT" if kind == RGB else kind for number in (90, 201, 202)},
    **{f"{_UID}4.{number}": lambda kind: "YBR_ICT" if kind == RGB else kind for number in (91, 203)},
    f"{_UID}4.112": lambda kind: "XYB" if kind in (RGB, _LUMINANCE) else kind,
}

# Whole words


def _native(pixels: Pixels, description: PixelDescription) -> _Bytes:
    if description.bits_allocated == 1:
        return np.packbits(pixels, axis=None, bitorder="little").tobytes()
    kind = "f" if description.is_float else pixels.dtype.kind
    return pixels.astype(f"<{kind}{description.bits_allocated // 8}", copy=False).tobytes()


def _deflate(pixels: Pixels, description: PixelDescription) -> _Bytes:
    packer = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(_native(pixels, description)) + packer.flush()


def _rle(pixels: Pixels, description: PixelDescription) -> _Bytes:
    return rle.encode(pixels.astype(f"<{pixels.dtype.kind}{description.bits_allocated // 8}", copy=False))


# Values


def _unsigned(pixels: Pixels, bits: int) -> Pixels:
    """Two's complement in so many bits, as codecs without signs hold it."""
    width = pixels.dtype.itemsize * 8
    words: Pixels = pixels.view(f"u{pixels.dtype.itemsize}")
    if pixels.dtype.kind == "u" or bits == width:
        return words
    masked: Pixels = words & words.dtype.type((1 << bits) - 1)
    return masked


def _jpeg(pixels: Pixels, description: PixelDescription, measure: int) -> _Bytes:
    """Chrominance at half the columns, as YBR_FULL_422 says."""
    bits = description.bits_stored
    words = pixels.astype(np.uint8 if bits <= 8 else np.uint16, copy=False)
    if not description.is_colour:
        return imagecodecs.jpeg8_encode(words, measure, bitspersample=bits)
    given = "YCBCR" if description.photometric_interpretation == _LUMINANCE else "RGB"
    return imagecodecs.jpeg8_encode(words, measure, colorspace=given, outcolorspace="YCBCR", subsampling="422")


def _lossless_jpeg(pixels: Pixels, description: PixelDescription) -> _Bytes:
    """Selection value 1, its components as they are."""
    bits = description.bits_stored
    words = _unsigned(pixels, bits).astype(np.uint8 if bits <= 8 else np.uint16, copy=False)
    if not description.is_colour:
        return imagecodecs.jpeg8_encode(words, lossless=True, predictor=1, bitspersample=bits)
    return imagecodecs.jpeg8_encode(
        words, lossless=True, predictor=1, bitspersample=bits, colorspace="RGB", outcolorspace="RGB"
    )


def _jpeg_ls(pixels: Pixels) -> _Bytes:
    """Signed values with their signs repeated: the codestream has 8 or 16 bits, whatever is stored in them."""
    return imagecodecs.jpegls_encode(pixels.view(f"u{pixels.dtype.itemsize}"))


def _near_jpeg_ls(pixels: Pixels, description: PixelDescription, measure: int) -> _Bytes:
    """Signed values keep away from the ends of their range: an error there would turn the sign."""
    bits = description.bits_stored
    near = quality.nearness(measure, bits)
    if pixels.dtype.kind == "i":
        most = 1 << (bits - 1)
        pixels = np.clip(pixels, near - most, most - 1 - near)
    return imagecodecs.jpegls_encode(pixels.view(f"u{pixels.dtype.itemsize}"), near)


def _jpeg_2000(pixels: Pixels, description: PixelDescription) -> _Bytes:
    return _openjpeg(pixels, description, level=0, reversible=True)


def _lossy_jpeg_2000(pixels: Pixels, description: PixelDescription, measure: int) -> _Bytes:
    return _openjpeg(
        pixels, description, level=round(quality.decibels(measure, description.bits_stored)), reversible=False
    )


def _openjpeg(pixels: Pixels, description: PixelDescription, *, level: int, reversible: bool) -> _Bytes:
    return imagecodecs.jpeg2k_encode(
        pixels,
        level=level,
        codecformat="J2K",
        bitspersample=description.bits_stored,
        reversible=reversible,
        mct=description.photometric_interpretation == RGB,
        numthreads=1,
    )


def _high_throughput(pixels: Pixels, description: PixelDescription) -> _Bytes:
    return high_throughput.encode(
        pixels, description.bits_stored, has_rgb=description.photometric_interpretation == RGB
    )


def _lossy_high_throughput(pixels: Pixels, description: PixelDescription, measure: int) -> _Bytes:
    step = quality.step(measure, description.bits_stored, pixels.dtype.itemsize * 8)
    return high_throughput.encode_lossy(pixels, step, has_rgb=description.photometric_interpretation == RGB)


def _jpeg_xl(pixels: Pixels, description: PixelDescription) -> _Bytes:
    return _libjxl(pixels, description.bits_stored, lossless=True, effort=1)


def _lossy_jpeg_xl(pixels: Pixels, description: PixelDescription, measure: int) -> _Bytes:
    bits = description.bits_stored
    rgb = colours.to_rgb(pixels, description.photometric_interpretation, bits)
    return _libjxl(rgb, bits, lossless=False, distance=quality.distance(measure, bits))


def _libjxl(pixels: Pixels, bits: int, **choices: Any) -> _Bytes:
    """Words as narrow as the bits, which the encoder insists on."""
    words = pixels.astype(np.uint8 if bits <= 8 else np.uint16, copy=False)
    return imagecodecs.jpegxl_encode(words, bitspersample=bits, usecontainer=False, numthreads=1, **choices)


_LOSSLESS: dict[str, Callable[[Pixels, PixelDescription], _Bytes]] = {
    syntaxes.EXPLICIT_LITTLE: _native,
    syntaxes.ENCAPSULATED_LITTLE: _native,
    f"{_UID}8.1": _deflate,
    f"{_UID}5": _rle,
    f"{_UID}4.57": _lossless_jpeg,
    f"{_UID}4.70": _lossless_jpeg,
    f"{_UID}4.80": lambda pixels, _: _jpeg_ls(pixels),
    f"{_UID}4.90": _jpeg_2000,
    f"{_UID}4.201": _high_throughput,
    f"{_UID}4.202": _high_throughput,
    f"{_UID}4.110": _jpeg_xl,
}
_LOSSY: dict[str, Callable[[Pixels, PixelDescription, int], _Bytes]] = {
    f"{_UID}4.50": _jpeg,
    f"{_UID}4.51": _jpeg,
    f"{_UID}4.81": _near_jpeg_ls,
    f"{_UID}4.91": _lossy_jpeg_2000,
    f"{_UID}4.203": _lossy_high_throughput,
    f"{_UID}4.112": _lossy_jpeg_xl,
}
