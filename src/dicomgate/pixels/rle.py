"""RLE frames (PS3.5 Annex G): a segment for each byte of each sample, the most significant first."""

from __future__ import annotations

import struct

import imagecodecs
import numpy as np

from dicomgate import errors
from dicomgate.dicom import codestreams_rle
from dicomgate.dicom.pixel_description import PixelDescription
from dicomgate.dicom.source import BytesSource
from dicomgate.pixels.samples import Pixels

_HEADER = struct.Struct("<16I")


def decode(content: bytes, description: PixelDescription) -> Pixels:
    """Words of Bits Allocated. Malformed when the segments are not where the header says or of another length."""
    samples, size = description.samples_per_pixel, description.bits_allocated // 8
    codestreams_rle.check(BytesSource(content), samples=samples, bits_allocated=description.bits_allocated)
    count, *offsets = _HEADER.unpack_from(content)
    bounds = [*offsets[:count], len(content)]
    rows, columns = description.rows, description.columns
    planes: Pixels = np.empty((rows, columns, samples, size), np.uint8)
    plane = bytearray(rows * columns)
    for number in range(count):
        _unpack(content[bounds[number] : bounds[number + 1]], plane)
        sample, place = divmod(number, size)
        planes[:, :, sample, size - 1 - place] = np.frombuffer(plane, np.uint8).reshape(rows, columns)
    words: Pixels = planes.reshape(rows, columns, samples * size).view(f"<u{size}")
    return words[:, :, 0] if samples == 1 else words


def decode_bits(content: bytes, description: PixelDescription) -> bytes:
    """Bits as they are packed uncompressed: one segment, each frame padded to whole bytes. The faults of `decode`."""
    codestreams_rle.check(BytesSource(content), samples=1, bits_allocated=1)
    packed = bytearray(description.frame_bytes)
    _unpack(content[_HEADER.size :], packed)
    return bytes(packed)


def _unpack(segment: bytes, plane: bytearray) -> None:
    """Fill the plane. Beyond the last pixel stands at most the pad byte, which looks like the beginning of a run."""
    for packed in (segment, segment[:-1]):
        try:
            found = len(imagecodecs.packbits_decode(packed, out=plane))
        except (RuntimeError, ValueError):
            continue
        if found == len(plane):
            return
    raise errors.Malformed(f"an RLE segment that is not of {len(plane)} pixels")


def encode(words: Pixels) -> bytes:
    """A frame of words, each row by itself (§G.3.1)."""
    pixels = words if words.ndim == 3 else words[:, :, None]
    samples, size = pixels.shape[2], words.dtype.itemsize
    planes = np.ascontiguousarray(pixels).view(np.uint8).reshape(*pixels.shape[:2], samples, size)
    segments = []
    for number in range(samples * size):
        sample, place = divmod(number, size)
        packed = imagecodecs.packbits_encode(planes[:, :, sample, size - 1 - place].copy())
        segments.append(packed + b"\0" * (len(packed) % 2))
    offsets, at = [], _HEADER.size
    for segment in segments:
        offsets.append(at)
        at += len(segment)
    return b"".join((_HEADER.pack(len(segments), *offsets, *[0] * (15 - len(segments))), *segments))
