"""Frames of real files, found by our own reader of headers, and descriptions of made ones."""

from functools import cache
from pathlib import Path

import numpy as np
import pydicom

from dicomgate.dicom import frames, header, limits, syntaxes
from dicomgate.dicom.inflate import InflatedSource
from dicomgate.dicom.pixel_description import PixelDescription, describe
from dicomgate.dicom.source import BytesSource

ROOT = Path(__file__).parents[2].parent / "shared" / "data" / "syntaxes"
EXPLICIT = syntaxes.EXPLICIT_LITTLE


def pixel_files():
    """Every file of the shared data, and every packaged one of pydicom, that has frames."""
    packaged = Path(pydicom.__file__).parent / "data" / "test_files"
    return tuple(path for root in (ROOT, packaged) for path in sorted(root.rglob("*")) if has_frames(path))


@cache
def read(path):
    """The header of a file, and where the bytes that its frames' places count in lie."""
    source = BytesSource(path.read_bytes())
    found = header.read(source)
    if found.is_deflated:
        return found, InflatedSource(source, found.dataset_offset, limits.DEFAULT, seconds=60)
    return found, source


def has_frames(path):
    if not path.is_file():
        return False
    try:
        found, _ = read(path)
        describe(found.attributes, found.transfer_syntax)
    except Exception:
        return False
    return found.frames is not None and found.frames.find(1) is not None and is_decoded(found.transfer_syntax)


def is_decoded(uid):
    return syntaxes.TABLE[uid].can_decode


def frame(path, number=1):
    """One frame as `Instance.frame` gives it, and the description of its pixels."""
    found, source = read(path)
    place = found.frames.find(number)
    if isinstance(found.frames, frames.NativeFrames):
        span, first_bit, bits = place
        words = frames.swap_words([source.read_at(span.start, len(span))], found.frames.swap_word)
        content = b"".join(frames.cut_bits(words, first_bit, bits))
    else:
        content = b"".join(source.read_at(span.start, len(span)) for span in place)
    return content, describe(found.attributes, found.transfer_syntax)


def described(pixels, *, stored=None, syntax=EXPLICIT, **given):
    """What a native frame of these pixels is described as."""
    allocated = pixels.dtype.itemsize * 8
    stored = stored or allocated
    samples = pixels.shape[2] if pixels.ndim == 3 else 1
    return PixelDescription(
        **{
            "transfer_syntax": syntax,
            "rows": pixels.shape[0],
            "columns": pixels.shape[1],
            "samples_per_pixel": samples,
            "photometric_interpretation": "MONOCHROME2" if samples == 1 else "RGB",
            "bits_allocated": allocated,
            "bits_stored": stored,
            "high_bit": stored - 1,
            "is_signed": pixels.dtype.kind == "i",
            "is_float": pixels.dtype.kind == "f",
            **given,
        }
    )


def native(pixels):
    return pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()


def smooth(rows=61, columns=83, bits=8, *, samples=1, is_signed=False):
    """A picture with slopes, edges and some noise, over the whole range of its bits."""
    y, x = np.mgrid[:rows, :columns]
    grey = (np.sin(x / 19) * np.cos(y / 13) + 1) / 2 * 0.9 + (x > y) * 0.05
    grey += np.random.default_rng(bits).random((rows, columns)) * 0.01
    values = np.round(grey * ((1 << bits) - 1)).astype(np.int64)
    if samples == 3:
        values = np.stack([values, values[::-1], values[:, ::-1]], axis=-1)
    if is_signed:
        values -= 1 << (bits - 1)
    return values.astype(f"{'i' if is_signed else 'u'}{1 if bits <= 8 else 2}")
