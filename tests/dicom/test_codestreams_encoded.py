"""Pictures as today's encoders write them: what is read of their headers is what went in, and the spans decode."""

import functools

import imagecodecs
import numpy as np
import pytest

from dicomgate import errors
from dicomgate.dicom import codestreams
from dicomgate.dicom.source import BytesSource

SHAPES = {"grey": (37, 53), "colour": (37, 53, 3)}


@functools.cache
def pixels(shape, kind):
    """Neither noise nor flat, so that lossy encoders have something to lose."""
    size = SHAPES[shape]
    rows, columns = np.mgrid[: size[0], : size[1]]
    grey = (rows * 5 + columns * 3 + np.random.default_rng(7).integers(0, 9, (37, 53))) % 251
    found = grey if len(size) == 2 else np.stack([grey, grey * 2 % 251, 250 - grey], axis=2)
    scale = 1 if np.dtype(kind).itemsize == 1 else 257
    return np.ascontiguousarray((found * scale).astype(kind))


def read(content, media_type):
    return codestreams.read(BytesSource(content), media_type)


def taken(content, found):
    """The bytes that would go into the data set."""
    return b"".join(content[span.start : span.stop] for span in found.spans)


def numbers(found):
    return [uid.rsplit(".", 1)[1] for uid in found.syntaxes]


CASES = [
    # encoder, its settings, media type, colour when there are three samples, transfer syntaxes
    ("jpegxl", {"lossless": True}, "image/jxl", "RGB", ["110", "112"]),
    ("jpegxl", {"lossless": True, "usecontainer": True}, "image/jxl", "RGB", ["110", "112"]),
    ("jpegxl", {"lossless": False, "distance": 1.5}, "image/jxl", "XYB", ["112"]),
    ("jpeg2k", {"codecformat": "j2k", "reversible": True}, "image/jp2", "YBR_RCT", ["90", "91"]),
    ("jpeg2k", {"codecformat": "jp2", "reversible": True}, "image/jp2", "YBR_RCT", ["90", "91"]),
    ("jpeg2k", {"codecformat": "jp2", "reversible": True, "mct": False}, "image/jpx", "RGB", ["90", "91"]),
    ("jpeg2k", {"codecformat": "j2k", "reversible": False, "level": 40}, "image/jp2", "YBR_ICT", ["91"]),
    ("htj2k", {}, "image/jphc", "YBR_RCT", ["201", "203"]),
    ("htj2k", {"reversible": False}, "image/jphc", "YBR_ICT", ["203"]),
    ("jpegls", {}, "image/jls", "RGB", ["80", "81"]),
    ("jpegls", {"level": 2}, "image/jls", "RGB", ["81"]),
]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", ["u1", "u2"])
@pytest.mark.parametrize(
    ("encoder", "options", "media_type", "colour", "uids"), CASES, ids=lambda value: str(value).replace(" ", "")
)
def test_what_was_encoded_is_read(encoder, options, media_type, colour, uids, kind, shape):
    given = pixels(shape, kind)
    content = getattr(imagecodecs, f"{encoder}_encode")(given, **options)
    found = read(content, media_type)
    assert (found.rows, found.columns, found.samples) == (37, 53, 3 if shape == "colour" else 1)
    assert found.bits == given.dtype.itemsize * 8
    assert found.photometric == (colour if shape == "colour" else "MONOCHROME2")
    assert numbers(found) == uids
    assert found.is_lossy == (len(uids) == 1)
    decoded = getattr(imagecodecs, f"{encoder}_decode")(taken(content, found))
    assert decoded.shape == given.shape
    if not found.is_lossy:
        assert np.array_equal(decoded, given)
    is_bare = content.startswith(b"\xff\x0a")  # then nothing but the last coded group tells where it ends
    for length in range(6) if is_bare else [*range(60), len(content) // 2]:
        with pytest.raises(errors.Malformed):
            read(content[:length], media_type)


@pytest.mark.parametrize(
    ("options", "kind", "colour", "uids"),
    [
        ({"level": 90}, "u1", "YBR_FULL_422", ["50", "51"]),
        ({"level": 90, "subsampling": "444"}, "u1", "YBR_FULL_422", ["50", "51"]),
        ({"level": 90, "colorspace": "RGB", "outcolorspace": "RGB"}, "u1", "RGB", ["50", "51"]),
        ({"lossless": True, "predictor": 1}, "u1", "RGB", ["70", "57"]),
        ({"lossless": True, "predictor": 6}, "u1", "RGB", ["57"]),
    ],
)
def test_jpeg(options, kind, colour, uids):
    content = imagecodecs.jpeg8_encode(pixels("colour", kind), **options)
    found = read(content, "image/jpeg")
    assert (found.rows, found.columns, found.samples, found.bits) == (37, 53, 3, 8)
    assert (found.photometric, numbers(found)) == (colour, uids)


def test_jpeg_of_12_bits():
    found = read(imagecodecs.jpeg8_encode(pixels("grey", "u2") >> 4, level=90, bitspersample=12), "image/jpeg")
    assert (found.bits, found.bits_allocated, numbers(found)) == (12, 16, ["51"])


def test_jpeg_2000_tells_signs():
    found = read(
        imagecodecs.jpeg2k_encode(pixels("grey", "u2").view("i2"), codecformat="j2k", reversible=True), "image/jp2"
    )
    assert found.is_signed


@pytest.mark.parametrize(("shape", "colour"), [("grey", "MONOCHROME2"), ("colour", "YBR_FULL_422")])
def test_a_jpeg_within_jpeg_xl_is_kept_whole_so_that_it_can_be_given_back(shape, colour):
    jpeg = imagecodecs.jpeg8_encode(pixels(shape, "u1"), level=90)
    content = imagecodecs.jpegxl_encode_jpeg(jpeg, usecontainer=True)
    found = read(content, "image/jxl")
    assert (found.photometric, found.is_lossy, numbers(found)) == (colour, True, ["111", "112"])
    assert taken(content, found) == content
    assert imagecodecs.jpegxl_decode_jpeg(taken(content, found)) == jpeg


def test_a_jpeg_xl_picture_with_an_alpha_channel_fits_no_transfer_syntax():
    given = np.dstack([pixels("colour", "u1"), pixels("grey", "u1")])
    with pytest.raises(errors.UnsupportedMedia):
        read(imagecodecs.jpegxl_encode(given, lossless=True), "image/jxl")


def test_jpeg_xl_of_12_bits():
    found = read(imagecodecs.jpegxl_encode(pixels("grey", "u2") >> 4, lossless=True, bitspersample=12), "image/jxl")
    assert (found.bits, found.bits_allocated) == (12, 16)


@pytest.mark.slow
@pytest.mark.parametrize("options", [{"lossless": True}, {"lossless": False}, {"lossless": True, "usecontainer": True}])
def test_each_byte_of_a_jpeg_xl_header_changed_gives_a_picture_or_a_fault(options):
    content = imagecodecs.jpegxl_encode(pixels("colour", "u2"), **options)
    for place in range(100):
        for other in range(0, 256, 5):
            try:
                found = read(content[:place] + bytes([other]) + content[place + 1 :], "image/jxl")
            except errors.Fault:
                continue
            assert all(0 <= span.start <= span.stop <= len(content) for span in found.spans)
