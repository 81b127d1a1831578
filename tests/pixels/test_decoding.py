"""Frames of every transfer syntax become the pixels that other people's decoders make of them (MT-07, FRM-02, T3)."""

import io
import struct
import warnings
import zlib
from dataclasses import replace

import imagecodecs
import numpy as np
import pydicom
import pytest
import stored_frames as stored
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dicomgate import errors
from dicomgate.dicom import syntaxes
from dicomgate.pixels import colours, decoding, encoding

BASE = "1.2.840.10008.1.2."
BROKEN = {"JPEG2000-embedded-sequence-delimiter.dcm"}
"""Its header was written over, to try readers of fragments."""
FILES = tuple(path for path in stored.pixel_files() if path.name not in BROKEN)
SYNTAXES = {stored.read(path)[0].transfer_syntax for path in FILES}


def decode(path, number=1):
    return decoding.decode_frame(*stored.frame(path, number))


def named(name):
    return next(path for path in FILES if path.name == name)


def test_the_files_are_of_almost_every_syntax_that_is_decoded():
    decoded = {uid for uid, syntax in syntaxes.TABLE.items() if syntax.can_decode}
    made = {f"{BASE}{end}" for end in ("1.98", "8.1", "4.92", "4.93", "4.110", "4.112")}
    assert decoded - SYNTAXES <= made
    assert len(FILES) > 150


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_file_is_decoded_to_what_it_says_it_has_MT_07(path):
    content, description = stored.frame(path)
    found = decoding.decode_frame(content, description)
    shape = (description.rows, description.columns, description.samples_per_pixel)
    assert found.pixels.shape == (shape if description.is_colour else shape[:2])
    if found.pixels.dtype.kind != "f":
        bits = description.bits_stored
        low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if description.is_signed else (0, (1 << bits) - 1)
        assert low <= int(found.pixels.min()) <= int(found.pixels.max()) <= high
    assert not found.photometric_interpretation.startswith(("YBR_RCT", "YBR_ICT", "YBR_FULL_422", "XYB"))


def reference(path, number, photometric):
    """The frame by pydicom with Pillow, which knows JPEG, JPEG 2000, RLE and native pixels."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pydicom.pixels.pixel_array(path, index=number - 1, raw=photometric != "RGB")


OTHERS_DIFFER = {"jpeg2000-multiframe-multifragments.dcm", "SC_rgb_jpeg_lossy_gdcm.dcm"}
"""In the first the codec goes past Bits Stored: pydicom leaves it so. One of the second kind says RGB of YCbCr."""
PILLOW = {
    *(f"{BASE}{end}" for end in ("5", "1", "2", "4.50", "4.90", "4.91")),
    syntaxes.IMPLICIT_LITTLE,
}


@pytest.mark.parametrize(
    "path",
    [path for path in FILES if stored.read(path)[0].transfer_syntax in PILLOW and path.name not in OTHERS_DIFFER],
    ids=lambda path: f"{path.parent.name}/{path.name}",
)
def test_pixels_are_those_of_pydicom_and_pillow_MT_07(path):
    found = decode(path)
    try:
        expected = reference(path, 1, found.photometric_interpretation)
    except Exception as error:  # what pydicom itself cannot read is no reference
        pytest.skip(f"no reference: {type(error).__name__}")
    if stored.read(path)[0].transfer_syntax.endswith("4.50"):
        assert np.abs(expected.astype(int) - found.pixels).max() <= 2  # two roundings from YCbCr
    else:
        np.testing.assert_array_equal(found.pixels, expected)


def test_both_pictures_of_one_codestream_have_its_colours():
    """One of the two data sets says YBR_FULL, the other RGB; a third file has the same picture without loss."""
    truth = decode(named("SC_rgb_jpeg_gdcm.dcm")).pixels.astype(int)
    lossy = [path for path in FILES if path.name == "SC_rgb_jpeg_lossy_gdcm.dcm"]
    assert lossy
    for path in lossy:
        assert np.median(np.abs(decode(path).pixels - truth)) <= 1
        assert np.abs(decode(path).pixels - truth).mean() < 6


@pytest.mark.parametrize(
    ("name", "original"),
    [
        ("MR3_JPH", "MR3_UNC"),
        ("NM1_JPH", "NM1_UNC"),
        ("CTImage.dcm_JPEGProcess14SV1TransferSyntax_1.2.840.10008.1.2.4.70.dcm", "CTImage.dcm"),
        ("CTImage.dcm_JPEGProcess14TransferSyntax_1.2.840.10008.1.2.4.57.dcm", "CTImage.dcm"),
        ("CTImage.dcm_JPEGLSLosslessTransferSyntax_1.2.840.10008.1.2.4.80.dcm", "CTImage.dcm"),
        ("CTImage.dcm_JPEG2000LosslessOnlyTransferSyntax_1.2.840.10008.1.2.4.90.dcm", "CTImage.dcm"),
        ("CTImage.dcm_RLELosslessTransferSyntax_1.2.840.10008.1.2.5.dcm", "CTImage.dcm"),
        ("CTImage.dcm_BigEndianExplicitTransferSyntax_1.2.840.10008.1.2.2.dcm", "CTImage.dcm"),
        ("CTImage.dcm_DeflatedExplicitVRLittleEndianTransferSyntax_1.2.840.10008.1.2.1.99.dcm", "CTImage.dcm"),
        ("MR2_J2KR.dcm", "MR2_UNCR.dcm"),
        ("MR_small_jpeg_ls_lossless.dcm", "MR_small.dcm"),
        ("JPEG-LL.dcm", "NM1_UNC"),
        ("emri_small_jpeg_ls_lossless.dcm", "emri_small.dcm"),
        ("TestPattern_JPEG-LS-Lossless.dcm", "TestPattern_RGB.dcm"),
        ("TestPattern_JPEG-Lossless_RGB.dcm", "TestPattern_RGB.dcm"),
        ("CT1_UNC.fragmented_bot_jpeg_ls.80.dcm", "CT1_UNC.explicit_little_endian.dcm"),
        ("CT1_JPH", "CT1_UNC.explicit_little_endian.dcm"),
    ],
)
def test_what_was_compressed_without_loss_is_the_original_MT_07(name, original):
    np.testing.assert_array_equal(decode(named(name)).pixels, decode(named(original)).pixels)


@pytest.mark.parametrize(
    ("name", "original", "most"),
    [
        ("CTImage.dcm_JPEGLSLossyTransferSyntax_1.2.840.10008.1.2.4.81.dcm", "CTImage.dcm", 3),
        ("TestPattern_JPEG-LS-NearLossless.dcm", "TestPattern_RGB.dcm", 3),
        ("CT1_JLSN.dcm", "CT1_UNC.explicit_little_endian.dcm", 10),
    ],
)
def test_what_was_nearly_without_loss_is_near_the_original_MT_07(name, original, most):
    assert np.abs(decode(named(name)).pixels.astype(int) - decode(named(original)).pixels).max() <= most


@pytest.mark.parametrize("name", ["HTJ2KLossless_08_RGB.dcm", "US1_JPH", "CT1_JPH"])
def test_openjpeg_decodes_high_throughput_to_the_same(name):
    content, description = stored.frame(named(name))
    np.testing.assert_array_equal(
        decoding.decode_frame(content, description).pixels, imagecodecs.jpeg2k_decode(content)
    )


def test_a_recompressed_jpeg_is_the_jpeg_MT_12():
    content, description = stored.frame(named("will-jxl.dcm"))
    jpeg = np.asarray(Image.open(io.BytesIO(imagecodecs.jpegxl_decode_jpeg(content))).convert("RGB"))
    found = decoding.decode_frame(content, description)
    assert found.photometric_interpretation == "RGB"
    assert np.abs(jpeg.astype(int) - found.pixels).mean() < 1


@pytest.mark.parametrize(("bits", "high"), [(12, 11), (12, 15), (9, 10), (16, 15), (1, 0)])
@pytest.mark.parametrize("is_signed", [False, True])
def test_values_are_found_in_their_words(bits, high, is_signed):
    """Shifted by High Bit, masked to Bits Stored, with their sign (PS3.5 §8.1.1); the rest of a word is not theirs."""
    if bits == 1 and is_signed:
        return
    low = -(1 << bits - 1) if is_signed else 0
    values = np.linspace(low, low + (1 << bits) - 1, 35).astype(int).reshape(5, 7)
    words = ((values & ((1 << bits) - 1)) << (high + 1 - bits)).astype("<u2")
    noise = 0xFFFF & ~(((1 << bits) - 1) << (high + 1 - bits))
    description = stored.described(words, stored=bits, high_bit=high, is_signed=is_signed)
    content = (words | np.uint16(noise)).tobytes()
    np.testing.assert_array_equal(decoding.decode_frame(content, description).pixels, values)
    kept = decoding.decode_words(content, description).pixels.view("u2")
    np.testing.assert_array_equal(kept, words | np.uint16(noise))


def test_single_bits_lowest_first_MT_11():
    description = replace(stored.described(np.zeros((3, 3), "u1")), bits_allocated=1, bits_stored=1, high_bit=0)
    found = decoding.decode_frame(b"\x93\x00", description).pixels
    assert found.tolist() == [[1, 1, 0], [0, 1, 0], [0, 1, 0]]


@pytest.mark.parametrize("kind", ["<f4", "<f8"])
def test_floating_point(kind):
    pixels = np.array([[1.5, -2.25], [np.inf, 0]], kind)
    np.testing.assert_array_equal(decoding.decode_frame(pixels.tobytes(), stored.described(pixels)).pixels, pixels)


def test_planes_become_pixels():
    pixels = stored.smooth(samples=3)
    description = stored.described(pixels, planar_configuration=1)
    planes = np.ascontiguousarray(pixels.transpose(2, 0, 1)).tobytes()
    np.testing.assert_array_equal(decoding.decode_frame(planes, description).pixels, pixels)


def test_halved_chrominance_is_widened():
    description = stored.described(np.zeros((1, 4, 3), "u1"), photometric_interpretation="YBR_FULL_422")
    found = decoding.decode_frame(bytes((1, 2, 100, 200, 3, 4, 101, 201)), description)
    assert found.photometric_interpretation == "YBR_FULL"
    assert found.pixels.tolist() == [[[1, 100, 200], [2, 100, 200], [3, 101, 201], [4, 101, 201]]]


@pytest.mark.parametrize(
    ("kind", "content", "rgb"),
    [
        ("YBR_PARTIAL_422", bytes((16, 235, 128, 128)), [[0, 0, 0], [255, 255, 255]]),
        ("YBR_PARTIAL_422", bytes((81, 81, 90, 240)), [[255, 0, 0], [255, 0, 0]]),
    ],
)
def test_partial_range_becomes_rgb(kind, content, rgb):
    description = stored.described(np.zeros((1, 2, 3), "u1"), photometric_interpretation=kind)
    found = decoding.decode_frame(content, description)
    assert found.photometric_interpretation == "RGB"
    assert np.abs(found.pixels[0].astype(int) - rgb).max() <= 1


def test_ybr_full_to_rgb_is_that_of_pydicom():
    pixels = np.random.default_rng(4).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    expected = pydicom.pixels.convert_color_space(pixels, "YBR_FULL", "RGB")
    assert np.abs(colours.to_rgb(pixels, "YBR_FULL").astype(int) - expected).max() <= 1


# What lies, and what is broken


def jpeg_2000_bomb(rows=60_000, columns=60_000, tile=60_000):
    """The beginning of a codestream of a hundred bytes."""
    size = struct.pack(">HIIIIIIIIH", 0, columns, rows, 0, 0, tile, tile, 0, 0, 1) + b"\x07\x01\x01"
    style = bytes.fromhex("ff52000c00000001000504040001ff5c00134040484850484850484850484850484850")
    start = b"\xff\x4f\xff\x51" + struct.pack(">H", len(size) + 2) + size + style
    return start + bytes.fromhex("ff90000a0000000000000001ff93") + bytes(8)


@pytest.mark.parametrize("end", ["4.90", "4.91", "4.92", "4.201", "4.203"])
def test_a_bomb_that_claims_60000_rows_and_columns_T3(end):
    small = stored.described(np.zeros((512, 512), "u1"), syntax=BASE + end)
    assert len(jpeg_2000_bomb()) <= 110
    with pytest.raises(errors.Malformed, match="60000 rows"):
        decoding.decode_frame(jpeg_2000_bomb(), small)
    with pytest.raises(errors.Malformed, match="tiles"):
        decoding.decode_frame(jpeg_2000_bomb(512, 512, 1), small)


@pytest.mark.parametrize(
    ("end", "encode"),
    [
        ("4.50", lambda pixels: imagecodecs.jpeg8_encode(pixels, 90)),
        ("4.70", lambda pixels: imagecodecs.jpeg8_encode(pixels, lossless=True)),
        ("4.80", imagecodecs.jpegls_encode),
        ("4.90", lambda pixels: imagecodecs.jpeg2k_encode(pixels, codecformat="J2K")),
        ("4.201", imagecodecs.htj2k_encode),
        ("4.110", lambda pixels: imagecodecs.jpegxl_encode(pixels, lossless=True)),
        ("5", lambda pixels: encoding.encode_frame(pixels, stored.described(pixels), BASE + "5").codestream),
    ],
)
def test_a_codestream_of_another_size_is_refused_T3(end, encode):
    pixels = stored.smooth(40, 48)
    content = bytes(encode(pixels))
    description = stored.described(pixels, syntax=BASE + end)
    assert decoding.decode_frame(content, description).pixels.shape == (40, 48)
    for wrong in ({"rows": 41}, {"columns": 47}, {"rows": 48, "columns": 40}, {"samples_per_pixel": 3}):
        if end == "5" and set(wrong) == {"rows", "columns"}:
            continue  # RLE says nothing of rows: only that there are as many bytes
        with pytest.raises(errors.Malformed):
            decoding.decode_frame(content, replace(description, **wrong))


@pytest.mark.slow
def test_a_deflated_bomb_stops_at_the_frame_T3():
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    content = packer.compress(bytes(500_000_000)) + packer.flush()
    with pytest.raises(errors.Malformed):
        decoding.decode_frame(content, stored.described(np.zeros((512, 512), "u2"), syntax=BASE + "8.1"))


def test_a_jpeg_of_very_many_scans_T3():
    content = imagecodecs.jpeg8_encode(stored.smooth(), 90)
    description = stored.described(stored.smooth(), syntax=BASE + "4.50")
    start = content.index(b"\xff\xda")
    with pytest.raises(errors.TooLarge):
        decoding.decode_frame(content[:start] + content[start:-2] * 1100, description)


@given(st.integers(0, 15), st.integers(0, (1 << 32) - 1))
def test_rle_segments_that_lie_about_their_places_T3(segment, offset):
    pixels = stored.smooth(bits=16)
    description = stored.described(pixels)
    made = encoding.encode_frame(pixels, description, BASE + "5")
    changed = bytearray(made.codestream)
    struct.pack_into("<I", changed, 4 * segment, offset)
    if bytes(changed) != made.codestream:
        with pytest.raises(errors.Malformed):
            decoding.decode_frame(bytes(changed), made.description)


def test_rle_runs_past_the_end_of_the_frame_T3():
    pixels = np.zeros((20, 20), "u1")
    head = struct.pack("<16I", 1, 64, *[0] * 14)
    description = stored.described(pixels, syntax=BASE + "5")
    assert not decoding.decode_frame(head + b"\x81\0" * 3 + b"\xf1\0", description).pixels.any()
    for segment in (b"\x81\0" * 500_000, b"\x81\0", b"\x7f", b"\x80" * 50, b""):
        with pytest.raises(errors.Malformed):
            decoding.decode_frame(head + segment, description)


def test_a_broken_file_is_malformed():
    path = next(path for path in stored.pixel_files() if path.name in BROKEN)
    with pytest.raises(errors.Malformed):
        decode(path)


def test_what_is_not_decoded_is_said_to_be():
    description = stored.described(stored.smooth())
    for uid in (f"{BASE}4.102", f"{BASE}4.52", "1.2.3"):
        with pytest.raises(errors.NotAcceptable):
            decoding.decode_frame(b"", replace(description, transfer_syntax=uid))


@pytest.mark.parametrize("length", [0, 100, 5062, 5065])
def test_a_native_frame_of_another_length(length):
    with pytest.raises(errors.Malformed):
        decoding.decode_frame(bytes(length), stored.described(stored.smooth()))


@pytest.mark.parametrize("name", ["liver", "liver_nonbyte_aligned"])
def test_single_bits_in_rle_are_those_that_are_packed(name):
    """One segment of bits as they lie uncompressed, each frame padded to whole bytes."""
    place = stored.ROOT.parent / "objects" / "pydicom"
    if not place.is_dir():
        pytest.skip("no shared data here")
    for number in (1, 2, 3):
        native = decode(place / f"{name}.dcm", number).pixels
        assert 0 < native.sum() < native.size
        np.testing.assert_array_equal(decode(place / f"{name}_rle.dcm", number).pixels, native)


def test_single_bits_in_rle_are_as_many_as_there_are_pixels():
    description = replace(
        stored.described(np.zeros((3, 3), "u1")),
        bits_allocated=1,
        bits_stored=1,
        high_bit=0,
        transfer_syntax=f"{BASE}5",
    )
    header = struct.pack("<16I", 1, 64, *[0] * 14)
    assert decoding.decode_frame(header + b"\x01\x93\x00", description).pixels[0].tolist() == [1, 1, 0]
    for wrong in (header + b"\x00\x93", header + b"\x02\x93\x00\x00", struct.pack("<16I", 2, 64, 66, *[0] * 13)):
        with pytest.raises(errors.Malformed):
            decoding.decode_frame(wrong, description)


def test_colours_that_are_sampled_unlike_are_luminance_and_chrominance_whatever_is_said():
    """A data set that says RGB of such a picture forgot to say what the codec did."""
    flat = np.zeros((16, 16, 3), "u1") + np.array([250, 20, 30], "u1")
    for sampling, is_believed in (("420", False), ("444", True)):
        codestream = bytearray(imagecodecs.jpeg8_encode(flat, 95, subsampling=sampling))
        at = codestream.index(b"\xff\xe0")
        del codestream[at : at + 2 + int.from_bytes(codestream[at + 2 : at + 4], "big")]  # JFIF, which would say so
        description = stored.described(flat, transfer_syntax=f"{BASE}4.50", photometric_interpretation="RGB")
        found = decoding.decode_frame(bytes(codestream), description).pixels
        assert bool(np.abs(found.astype(int) - flat).max() > 12) is is_believed


@pytest.mark.parametrize("bits", [17, 20, 24])
def test_jpeg_2000_of_more_than_16_bits(bits):
    pixels = np.random.default_rng(bits).integers(0, 1 << bits, (33, 21), dtype=np.uint32)
    codestream = imagecodecs.jpeg2k_encode(pixels, level=0, reversible=True, codecformat="J2K", bitspersample=bits)
    description = stored.described(pixels, stored=bits, transfer_syntax=f"{BASE}4.90")
    np.testing.assert_array_equal(decoding.decode_frame(codestream, description).pixels, pixels)


def test_jpeg_2000_of_more_bits_than_are_decoded_exactly_is_refused():
    pixels = np.zeros((8, 8), np.uint32)
    codestream = imagecodecs.jpeg2k_encode(pixels, level=0, reversible=True, codecformat="J2K", bitspersample=26)
    description = stored.described(pixels, stored=26, transfer_syntax=f"{BASE}4.90")
    with pytest.raises(errors.NotAcceptable):
        decoding.decode_frame(codestream, description)
