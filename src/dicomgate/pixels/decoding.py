"""One frame becomes pixels, whatever its transfer syntax (PS3.5 §8, Annex A.4); runs in worker processes alone."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import imagecodecs
import numpy as np

from dicomgate import errors
from dicomgate.dicom import codestream_headers, syntaxes
from dicomgate.dicom.codestream_headers import CodestreamHeader
from dicomgate.dicom.picture import RGB
from dicomgate.dicom.pixel_description import HALF_COLOUR, PixelDescription
from dicomgate.dicom.syntaxes import Loss, Syntax
from dicomgate.pixels import colours, rle, samples
from dicomgate.pixels.samples import Pixels

MOST_SCANS = 1000
"""A progressive JPEG codestream may ask for work on every pixel in each of its scans."""
MOST_BITS = 24
"""Of a sample in JPEG 2000: beyond it the decoder's arithmetic, of 32 bits, gives other values."""
_UID = "1.2.840.10008.1.2."
_END = b"\xff\xd9"
_TO_RGB = frozenset({"image/jpeg", "image/jxl"})
"""Media types whose decoders know colours."""
_LOSSLESS_JPEG = 0xC3
"""The start-of-frame marker of JPEG without loss, which knows no colours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """The pixels of a frame: rows, columns, and samples where there are several, always by pixel.

    Values as stored, with their signs; of one bit 0 and 1. `photometric_interpretation`: what they are now: colour that
    a codec transformed is RGB, halved chrominance is full.
    """

    pixels: Pixels
    photometric_interpretation: str


@dataclass(frozen=True, slots=True)
class _Words:
    """What a codec gave: `precision` bits of each sample, and the colours they are."""

    words: Pixels
    precision: int
    colours: str


def decode_frame(codestream: bytes, description: PixelDescription) -> Decoded:
    """The values of a frame's pixels.

    Malformed when the bytes are not of such pixels, NotAcceptable when they cannot be decoded here.
    """
    found = _decode(codestream, description)
    return Decoded(
        pixels=samples.values(found.words, found.precision, description), photometric_interpretation=found.colours
    )


def decode_words(codestream: bytes, description: PixelDescription) -> Decoded:
    """The words of Bits Allocated, with whatever is in the bits beside those stored, where the frame kept them.

    The faults of `decode_frame`.
    """
    found = _decode(codestream, description)
    return Decoded(
        pixels=samples.containers(found.words, found.precision, description), photometric_interpretation=found.colours
    )


def decode_only_values(codestream: bytes, description: PixelDescription) -> Decoded:
    """The values, if there is nothing beside them: NotAcceptable otherwise. The faults of `decode_frame`."""
    found = _decode(codestream, description)
    if found.precision == description.bits_allocated and found.words.dtype.kind == "u":
        samples.require_only_values(found.words, description)
    return Decoded(
        pixels=samples.values(found.words, found.precision, description), photometric_interpretation=found.colours
    )


def _decode(codestream: bytes, description: PixelDescription) -> _Words:
    syntax = syntaxes.find(description.transfer_syntax)
    if syntax is None or not syntax.can_decode:
        raise errors.NotAcceptable(f"{syntaxes.name(description.transfer_syntax)} is not decoded here")
    header = codestream_headers.read(codestream, syntax.media_type)
    if header is None:
        return _UNCOMPRESSED.get(syntax.uid, _native)(codestream, description)
    codestream_headers.check(header, description)
    try:
        words = _decompress(codestream, header, description, syntax)
    except (RuntimeError, ValueError, IndexError) as error:
        raise errors.Malformed("the codestream of a frame cannot be decoded") from error
    shape = (description.rows, description.columns, description.samples_per_pixel)
    if words.shape != (shape if description.is_colour else shape[:2]):
        raise errors.Malformed("the codestream of a frame decodes to another size than its header says")
    is_transformed = syntax.media_type in _TO_RGB and header.frame != _LOSSLESS_JPEG
    return _Words(words, header.bits, _decoded_colours(description, is_transformed=is_transformed))


def _decoded_colours(description: PixelDescription, *, is_transformed: bool) -> str:
    """Codecs that know colours give RGB; the others give what the data set says, in full and untransformed."""
    kind = description.photometric_interpretation
    if not description.is_colour:
        return kind
    if is_transformed or kind in ("YBR_RCT", "YBR_ICT", "XYB"):
        return RGB
    return "YBR_FULL" if kind == "YBR_FULL_422" else kind


# Uncompressed


def _native(content: bytes, description: PixelDescription) -> _Words:
    """Little-endian words, or bits."""
    if description.bits_allocated == 1:
        return _bits(content, description)
    size = description.bits_allocated // 8
    if size not in (1, 2, 4, 8):
        raise errors.NotAcceptable(f"pixels of {description.bits_allocated} bits allocated are not decoded here")
    kind = description.photometric_interpretation
    is_halved = kind in HALF_COLOUR and len(content) < description.frame_bytes and description.columns % 2 == 0
    wanted = description.frame_bytes * 2 // 3 if is_halved else description.frame_bytes
    words: Pixels = np.frombuffer(_exactly(content, wanted), f"<{'f' if description.is_float else 'u'}{size}")
    if is_halved:
        pixels = colours.widened(words, description.rows, description.columns)
    else:
        pixels = colours.by_pixel(
            words,
            description.rows,
            description.columns,
            description.samples_per_pixel,
            description.planar_configuration,
        )
    if kind.startswith("YBR_PARTIAL") and size <= 2:
        pixels = colours.to_rgb(pixels, kind, description.bits_stored)
    return _Words(pixels, description.bits_allocated, _native_colours(kind))


def _native_colours(kind: str) -> str:
    if kind.startswith("YBR_PARTIAL"):
        return RGB
    return "YBR_FULL" if kind == "YBR_FULL_422" else kind


def _bits(content: bytes, description: PixelDescription) -> _Words:
    packed = np.frombuffer(_exactly(content, description.frame_bytes), np.uint8)
    count = description.rows * description.columns * description.samples_per_pixel
    bits: Pixels = np.unpackbits(packed, count=count, bitorder="little")
    shape = (description.rows, description.columns, description.samples_per_pixel, description.planar_configuration)
    return _Words(colours.by_pixel(bits, *shape), 1, description.photometric_interpretation)


def _exactly(content: bytes, wanted: int) -> memoryview:
    """The bytes of a frame, without the one that makes the length of a fragment even."""
    if not wanted <= len(content) <= wanted + 1:
        raise errors.Malformed(f"a frame of {len(content)} bytes where its pixels have {wanted}")
    return memoryview(content)[:wanted]


def _inflate(content: bytes, description: PixelDescription) -> _Words:
    """A deflated frame (PS3.5 §A.4.12), never more of it than a frame may have."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        inflated = inflater.decompress(content, description.frame_bytes + 2)
    except zlib.error as error:
        raise errors.Malformed("a deflated frame cannot be inflated") from error
    return _native(inflated, description)


def _rle(content: bytes, description: PixelDescription) -> _Words:
    kind = description.photometric_interpretation
    if description.bits_allocated == 1 and not description.is_colour:
        return _bits(rle.decode_bits(content, description), description)
    if description.bits_allocated not in (8, 16, 32, 64):
        raise errors.Malformed(f"an RLE frame of {description.bits_allocated} bits allocated")
    return _Words(rle.decode(content, description), description.bits_allocated, _native_colours(kind))


_UNCOMPRESSED: dict[str, Callable[[bytes, PixelDescription], _Words]] = {
    f"{_UID}5": _rle,
    f"{_UID}8.1": _inflate,
}

# Compressed


def _decompress(content: bytes, header: CodestreamHeader, description: PixelDescription, syntax: Syntax) -> Pixels:
    media_type = syntax.media_type
    codestream = content[header.start : header.stop]
    if media_type == "image/jpeg":
        return _decompress_jpeg(codestream, header, description)
    if media_type == "image/jls":
        return imagecodecs.jpegls_decode(_ended(codestream))
    if media_type == "image/jphc" and syntax.loss is Loss.NEVER:
        # Of what lost something, this decoder turns white that is overshot to black; the one below does not.
        return imagecodecs.htj2k_decode(codestream, planar=False)
    if media_type == "image/jxl":
        return imagecodecs.jpegxl_decode(codestream, numthreads=1)
    if header.bits > MOST_BITS:
        raise errors.NotAcceptable(f"JPEG 2000 of {header.bits} bits a sample: at most {MOST_BITS} are decoded exactly")
    return imagecodecs.jpeg2k_decode(codestream, planar=False, numthreads=1)


def _ended(codestream: bytes) -> bytes:
    """With its end marker: CharLS looks for the end of a codestream that was cut off for ever."""
    return codestream if codestream.rstrip(b"\0").endswith(_END) else codestream + _END


def _decompress_jpeg(codestream: bytes, header: CodestreamHeader, description: PixelDescription) -> Pixels:
    """Colours become RGB where they are YCbCr; JPEG without loss knows no colours and leaves them as they are."""
    if codestream.count(b"\xff\xda") > MOST_SCANS:
        raise errors.TooLarge(f"more than {MOST_SCANS} scans in a JPEG codestream")
    if header.samples != 3:
        return imagecodecs.jpeg8_decode(codestream)
    is_rgb = header.frame == _LOSSLESS_JPEG or _is_rgb(header, description)
    return imagecodecs.jpeg8_decode(codestream, colorspace="RGB" if is_rgb else "YCBCR", outcolorspace="RGB")


def _is_rgb(header: CodestreamHeader, description: PixelDescription) -> bool:
    """Whether the components are red, green and blue: what the codestream says counts before the data set.

    Red, green and blue are never sampled unlike: who writes so and says RGB has forgotten to say what the codec did.
    """
    if header.adobe is not None:
        return header.adobe == 0
    if header.is_jfif or header.is_subsampled:
        return False
    return header.components == b"RGB" or description.photometric_interpretation == RGB
