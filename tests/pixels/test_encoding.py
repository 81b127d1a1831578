"""Pixels go into every transfer syntax and come back: bit by bit where nothing may be lost (MT-10, MT-12)."""

from dataclasses import replace

import imagecodecs
import numpy as np
import pytest
import stored_frames as stored
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as shapes

from dicomgate import errors
from dicomgate.dicom import codestream_headers, codestreams, pixel_formats, syntaxes
from dicomgate.dicom.source import BytesSource
from dicomgate.pixels import decoding, encoding

BASE = "1.2.840.10008.1.2."
EXPLICIT = syntaxes.EXPLICIT_LITTLE
LOSSLESS = [
    EXPLICIT,
    syntaxes.ENCAPSULATED_LITTLE,
    *(f"{BASE}{end}" for end in ("8.1", "5", "4.57", "4.70", "4.80", "4.90", "4.201", "4.202", "4.110")),
]
LOSSY = [f"{BASE}{end}" for end in ("4.50", "4.51", "4.81", "4.91", "4.203", "4.112")]


def test_each_syntax_that_is_encoded_is_tried_and_has_a_format():
    encoded = {uid for uid, syntax in syntaxes.TABLE.items() if syntax.can_encode}
    assert set(LOSSLESS + LOSSY) == encoded == set(pixel_formats.TABLE)


@st.composite
def pictures(draw):
    """Any pixels, of any bits, sign and colours, in words of 8 or 16 bits, and how they are described."""
    samples = draw(st.sampled_from([1, 1, 3]))
    is_signed = samples == 1 and draw(st.booleans())
    bits = draw(st.integers(2, 16))
    size = 1 if bits <= 8 and draw(st.booleans()) else 2
    rows, columns = draw(st.tuples(st.integers(1, 40), st.integers(1, 40)))
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if is_signed else (0, (1 << bits) - 1)
    shape = (rows, columns) if samples == 1 else (rows, columns, 3)
    kind = f"{'i' if is_signed else 'u'}{size}"
    pixels = draw(shapes.arrays(kind, shape, elements=st.integers(low, high)))
    grey = draw(st.sampled_from(["MONOCHROME1", "MONOCHROME2"] + ["PALETTE COLOR"] * (not is_signed)))
    photometric = grey if samples == 1 else draw(st.sampled_from(["RGB", "YBR_FULL"]))
    return pixels, stored.described(pixels, stored=bits, photometric_interpretation=photometric)


@pytest.mark.parametrize("uid", LOSSLESS)
@settings(max_examples=60)
@given(pictures())
def test_any_pixels_come_back_as_they_were_MT_12(uid, picture):
    pixels, description = picture
    if not pixel_formats.can_hold(description, uid):
        with pytest.raises(errors.NotAcceptable):
            encoding.encode_frame(pixels, description, uid)
        return
    made = encoding.transcode_frame(stored.native(pixels), description, uid)
    assert made.description.transfer_syntax == uid
    assert not made.description.is_lossy
    assert (made.description.bits_stored, made.description.is_signed) == (
        description.bits_stored,
        description.is_signed,
    )
    back = encoding.transcode_frame(made.codestream, made.description, EXPLICIT)
    assert back.codestream == stored.native(pixels)
    expected = replace(description, transfer_syntax=EXPLICIT)
    assert replace(back.description, frame_count=1) == expected


@pytest.mark.parametrize("uid", [EXPLICIT, syntaxes.ENCAPSULATED_LITTLE, f"{BASE}8.1", f"{BASE}5"])
@settings(max_examples=30)
@given(
    shapes.arrays(
        st.sampled_from(["u1", "u2", "i2", "u4", "i4", "u8"]), st.tuples(st.integers(1, 30), st.integers(1, 30))
    ),
    st.integers(1, 8),
)
def test_whole_words_keep_every_bit_beside_the_values(uid, pixels, bits):
    description = stored.described(pixels, stored=bits)
    made = encoding.transcode_frame(stored.native(pixels), description, uid)
    back = encoding.transcode_frame(made.codestream, made.description, EXPLICIT)
    assert back.codestream == stored.native(pixels)


@pytest.mark.parametrize("uid", [EXPLICIT, syntaxes.ENCAPSULATED_LITTLE, f"{BASE}8.1", f"{BASE}4.90"])
@given(shapes.arrays("u1", st.tuples(st.integers(1, 30), st.integers(1, 30)), elements=st.integers(0, 1)))
@pytest.mark.slow
def test_single_bits_keep_their_places_MT_11(uid, bits):
    description = replace(stored.described(bits), bits_allocated=1, bits_stored=1, high_bit=0)
    packed = np.packbits(bits, axis=None, bitorder="little").tobytes()
    made = encoding.transcode_frame(packed, description, uid)
    back = encoding.transcode_frame(made.codestream, made.description, EXPLICIT)
    assert back.codestream == packed


@pytest.mark.parametrize(
    ("uid", "colours", "named"),
    [
        (f"{BASE}4.50", "RGB", "YBR_FULL_422"),
        (f"{BASE}4.50", "YBR_FULL", "YBR_FULL_422"),
        (f"{BASE}4.70", "RGB", "RGB"),
        (f"{BASE}4.80", "YBR_FULL", "YBR_FULL"),
        (f"{BASE}4.90", "RGB", "YBR_RCT"),
        (f"{BASE}4.90", "YBR_FULL", "YBR_FULL"),
        (f"{BASE}4.91", "RGB", "YBR_ICT"),
        (f"{BASE}4.201", "RGB", "YBR_RCT"),
        (f"{BASE}4.203", "RGB", "YBR_ICT"),
        (f"{BASE}4.110", "RGB", "RGB"),
        (f"{BASE}4.112", "RGB", "XYB"),
        (f"{BASE}5", "YBR_FULL", "YBR_FULL"),
    ],
)
def test_colours_are_called_what_the_codestream_has_FRM_02(uid, colours, named):
    pixels = stored.smooth(samples=3)
    given = stored.described(pixels, photometric_interpretation=colours, planar_configuration=1)
    made = encoding.encode_frame(pixels, given, uid)
    assert made.description.photometric_interpretation == named
    assert made.description.planar_configuration == 0
    media_type = codestreams.find_media_type(uid)
    if media_type is not None:
        seen = codestreams.read(BytesSource(made.codestream), media_type)
        assert seen.photometric == named or "YBR_FULL" in (named, colours)


def error(made, pixels):
    back = encoding.transcode_frame(made.codestream, made.description, EXPLICIT)
    found = np.frombuffer(back.codestream, pixels.dtype.newbyteorder("<")).reshape(pixels.shape)
    return float(np.sqrt(np.mean((found.astype(float) - pixels) ** 2)))


@pytest.mark.parametrize("uid", LOSSY)
@pytest.mark.parametrize(("bits", "is_signed", "samples"), [(8, 0, 1), (8, 0, 3), (12, 0, 1), (12, 1, 1), (16, 1, 1)])
def test_lossy_ones_lose_little_say_so_and_follow_the_quality(uid, bits, is_signed, samples):
    pixels = stored.smooth(200, 220, bits=bits, samples=samples, is_signed=is_signed)
    description = stored.described(pixels, stored=bits)
    if not pixel_formats.can_hold(description, uid):
        pytest.skip("holds no such pixels")
    good, poor = (encoding.transcode_frame(stored.native(pixels), description, uid, measure) for measure in (90, 30))
    assert good.description.is_lossy
    assert len(poor.codestream) < len(good.codestream) < description.frame_bytes / (3 if bits < 16 else 1.5)
    assert error(good, pixels) < error(poor, pixels)
    assert error(good, pixels) < (1 << bits) / 80


@pytest.mark.parametrize("uid", [f"{BASE}4.81", f"{BASE}4.91", f"{BASE}4.203"])
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_the_ends_of_the_range_stay_at_their_ends_when_something_is_lost(uid, bits):
    low, high = -(1 << bits - 1), (1 << bits - 1) - 1
    pixels = np.array([[low, high] * 16, [high, low] * 16, [0, -1] * 16] * 8, "i1" if bits == 8 else "i2")
    made = encoding.transcode_frame(stored.native(pixels), stored.described(pixels, stored=bits), uid, 100)
    found = decoding.decode_frame(made.codestream, made.description).pixels
    assert np.abs(found.astype(int) - pixels).max() < (1 << bits) / 8


@pytest.mark.parametrize("uid", [f"{BASE}4.201", f"{BASE}4.202"])
@pytest.mark.parametrize(("bits", "is_signed"), [(7, 0), (8, 0), (10, 0), (12, 0), (12, 1), (16, 0), (16, 1)])
@pytest.mark.parametrize("samples", [1, 3])
def test_openjpeg_reads_high_throughput_codestreams_with_their_true_depth(uid, bits, is_signed, samples):
    """The encoder is OpenJPH; the other decoder is OpenJPEG."""
    if samples == 3 and is_signed:
        return
    pixels = stored.smooth(300, 170, bits=bits, samples=samples, is_signed=is_signed)
    made = encoding.encode_frame(pixels, stored.described(pixels, stored=bits), uid)
    np.testing.assert_array_equal(imagecodecs.jpeg2k_decode(made.codestream), pixels)
    header = codestream_headers.read(made.codestream, "image/jphc")
    assert (header.bits, header.is_signed) == (bits, bool(is_signed))
    seen = codestreams.read(BytesSource(made.codestream), "image/jphc")
    assert f"{BASE}4.202" in seen.syntaxes  # by resolution, with the lengths of its tile-parts


@pytest.mark.parametrize("uid", [*LOSSLESS[3:], *LOSSY])
def test_what_is_written_reads_as_its_own_transfer_syntax_MT_12(uid):
    pixels = stored.smooth(70, 90)
    made = encoding.encode_frame(pixels, stored.described(pixels), uid)
    media_type = codestreams.find_media_type(uid)
    if media_type is None:
        return
    seen = codestreams.read(BytesSource(made.codestream), media_type)
    assert uid in seen.syntaxes
    assert (seen.rows, seen.columns, seen.bits) == (70, 90, 8)


@pytest.mark.parametrize(
    ("description", "uid"),
    [
        ({"bits_allocated": 32, "bits_stored": 32, "high_bit": 31}, f"{BASE}4.70"),
        ({"bits_allocated": 32, "bits_stored": 32, "high_bit": 31}, f"{BASE}4.90"),
        ({"bits_allocated": 1, "bits_stored": 1, "high_bit": 0}, f"{BASE}4.80"),
        ({"bits_allocated": 1, "bits_stored": 1, "high_bit": 0}, f"{BASE}5"),
        ({"bits_allocated": 32, "bits_stored": 32, "high_bit": 31, "is_float": True}, f"{BASE}5"),
        ({"bits_allocated": 16, "bits_stored": 16, "high_bit": 15}, f"{BASE}4.50"),
        ({"bits_allocated": 16, "bits_stored": 10, "high_bit": 9}, f"{BASE}4.51"),
        ({"is_signed": True}, f"{BASE}4.50"),
        ({"is_signed": True}, f"{BASE}4.110"),
        ({"photometric_interpretation": "PALETTE COLOR"}, f"{BASE}4.91"),
        ({"samples_per_pixel": 3, "photometric_interpretation": "YBR_FULL"}, f"{BASE}4.110"),
        ({"samples_per_pixel": 4, "photometric_interpretation": "CMYK"}, f"{BASE}4.90"),
        ({}, f"{BASE}4.100"),
        ({}, f"{BASE}2"),
        ({}, "1.2.3"),
    ],
)
def test_what_cannot_be_held_is_known_ahead_and_refused_with_a_sentence(description, uid):
    given = replace(stored.described(np.zeros((4, 4), "u1")), **description)
    assert not pixel_formats.can_hold(given, uid)
    with pytest.raises(errors.NotAcceptable) as raised:
        encoding.transcode_frame(bytes(given.frame_bytes), given, uid)
    assert raised.value.message[0].isalpha()


def test_nothing_can_be_held_of_what_is_not_decoded():
    given = replace(stored.described(np.zeros((4, 4), "u1")), transfer_syntax=f"{BASE}4.102")
    assert not pixel_formats.can_hold(given, EXPLICIT)


@pytest.mark.parametrize("uid", [uid for uid in LOSSLESS + LOSSY if not pixel_formats.TABLE[uid].containers])
def test_an_overlay_in_the_words_is_not_lost_in_silence(uid):
    words = stored.smooth(bits=12).astype("u2")
    description = stored.described(words, stored=12)
    if not pixel_formats.can_hold(description, uid):
        return
    words[3, 4] |= 0x8000
    with pytest.raises(errors.NotAcceptable, match="more in their words"):
        encoding.transcode_frame(stored.native(words), description, uid)


@pytest.mark.parametrize("extended", [False, True])
def test_signs_need_not_be_repeated_in_the_word(extended):
    values = np.array([[-2048, -1], [5, 2047]], "i2")
    words = values if extended else values & 0xFFF
    description = stored.described(values, stored=12)
    made = encoding.transcode_frame(stored.native(words), description, f"{BASE}4.90")
    np.testing.assert_array_equal(decoding.decode_frame(made.codestream, made.description).pixels, values)


def test_rows_of_rle_are_packed_each_by_itself():
    """PS3.5 §G.3.1; a segment has an even length, the segments follow each other (§G.2)."""
    pixels = np.array([[7] * 5, [7] * 5, [1, 2, 3, 4, 5]], "u1")
    made = encoding.encode_frame(pixels, stored.described(pixels), f"{BASE}5").codestream
    assert made[:64] == b"\1\0\0\0\x40\0\0\0" + bytes(56)
    assert made[64:] == b"\xfc\7\xfc\7\4\1\2\3\4\5"
    words = np.array([[0x0102, 0x0102]], "u2")
    made = encoding.encode_frame(words, stored.described(words), f"{BASE}5").codestream
    assert made[64:] == b"\xff\1\xff\2"
