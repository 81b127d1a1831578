"""PNG and GIF become native pixels (PS3.18 Table 10.5.2-1)."""

import gc
import os
import struct

import imagecodecs
import made_pictures as made
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicomgate import errors
from dicomgate.dicom import picture
from dicomgate.pixels.limits import Limits
from dicomgate.pixels.pictures import Decoder
from dicomgate.pixels.processes import Workers


@pytest.fixture(scope="module")
def decoder():
    with Workers(Limits(processes=1)) as workers:
        yield Decoder(workers)


@pytest.fixture
def decode(decoder, tmp_path):
    def decode(content, media_type="image/png"):
        into = tmp_path / "pixels"
        found = decoder.decode(content, media_type, into)
        pixels = into.read_bytes()
        into.unlink()
        return found, pixels

    return decode


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(("depth", "scale"), [(1, 255), (2, 85), (4, 17), (8, 1), (16, 1)])
def test_grey_png_STOW_07(decode, depth, scale, interlaced):
    rows = [[((7 * x + 13 * y) % (1 << depth),) for x in range(11)] for y in range(9)]
    found, pixels = decode(made.png(rows, depth, interlaced=interlaced))
    assert (found.rows, found.columns, found.samples, found.photometric) == (9, 11, 1, "MONOCHROME2")
    assert found.bits == (16 if depth == 16 else 8)
    layout = "<99H" if depth == 16 else "99B"
    assert list(struct.unpack(layout, pixels)) == [sample * scale for row in rows for (sample,) in row]


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize(("colour", "channels"), [(2, 3), (4, 2), (6, 4)])
def test_coloured_png_and_alpha_dropped_STOW_07(decode, colour, channels, depth):
    most = (1 << depth) - 1
    rows = [
        [tuple((x * 31 + y * 17 + c * 91) % (most + 1) for c in range(channels)) for x in range(5)] for y in range(4)
    ]
    found, pixels = decode(made.png(rows, depth, colour))
    kept = 3 if channels > 2 else 1
    assert (found.samples, found.photometric) == (kept, "RGB" if kept == 3 else "MONOCHROME2")
    samples = [sample for row in rows for pixel in row for sample in pixel[:kept]]
    assert list(struct.unpack(f"<{len(samples)}{'H' if depth == 16 else 'B'}", pixels)) == samples


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
@pytest.mark.parametrize("transparent", [b"", made.chunk(b"tRNS", b"\0")])
def test_palette_png_becomes_rgb_STOW_07(decode, depth, transparent):
    rows = [[((x + y) % 2,) for x in range(3)] for y in range(3)]
    extra = made.chunk(b"PLTE", b"\x01\x02\x03\xfa\xfb\xfc") + transparent
    found, pixels = decode(made.png(rows, depth, 3, extra))
    assert found.photometric == "RGB"
    assert pixels == made.coloured([[pixel for (pixel,) in row] for row in rows], b"\x01\x02\x03\xfa\xfb\xfc")


@pytest.mark.parametrize("depth", [8, 16])
def test_a_transparent_colour_stays_a_colour(decode, depth):
    rows = [[(3,), (4,)]]
    found, pixels = decode(made.png(rows, depth, 0, made.chunk(b"tRNS", b"\0\x03")))
    assert found.samples == 1
    assert pixels == (b"\3\4" if depth == 8 else b"\3\0\4\0")


def test_gamma_and_profiles_change_no_pixel(decode):
    extra = made.chunk(b"gAMA", struct.pack(">I", 100_000)) + made.chunk(b"cHRM", bytes(32))
    assert decode(made.png([[(1, 128, 255)]], 8, 2, extra))[1] == b"\x01\x80\xff"


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 20).flatmap(
        lambda width: st.lists(
            st.lists(st.tuples(st.integers(0, 65535)), min_size=width, max_size=width), min_size=1, max_size=20
        )
    )
)
def test_any_16_bit_png_keeps_every_pixel(decoder, tmp_path_factory, rows):
    into = tmp_path_factory.mktemp("any") / "pixels"
    decoder.decode(made.png(rows, 16, interlaced=len(rows) % 2 == 0), "image/png", into)
    assert into.read_bytes() == b"".join(struct.pack("<H", sample) for row in rows for (sample,) in row)


def test_a_file_of_the_codec_itself(decode, tmp_path):
    pixels = np.random.default_rng(5).integers(0, 256, (300, 200, 3), dtype=np.uint8)
    path = tmp_path / "picture.png"
    path.write_bytes(imagecodecs.png_encode(pixels))
    assert decode(path)[1] == pixels.tobytes()
    frames = np.random.default_rng(6).integers(0, 256, (7, 30, 20), dtype=np.uint8)
    found, content = decode(imagecodecs.gif_encode(frames), "image/gif")
    assert (found.frames, found.rows, found.columns, found.photometric) == (7, 30, 20, "RGB")
    assert content == np.repeat(frames[..., None], 3, axis=3).tobytes()


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("own", [b"", bytes(range(100, 148))])
def test_gif(decode, interlaced, own):
    rows = [[(x + 3 * y) % 16 for x in range(13)] for y in range(17)]
    found, pixels = decode(made.gif(13, 17, made.image(rows, palette=own, interlaced=interlaced)), "image/gif")
    assert (found.rows, found.columns, found.frames) == (17, 13, 1)
    assert found.frame_times == ()
    assert pixels == made.coloured(rows, own or made.PALETTE)


def test_animated_gif_becomes_whole_frames_STOW_07(decode):
    base = [[1] * 4 for _ in range(3)]
    blocks = [
        made.control(10) + made.image(base),
        made.control(10, disposal=2, transparent=5) + made.image([[5, 2], [2, 5]], 1, 1),
        made.control(10, disposal=3) + made.image([[7]], 0, 0),
        made.control(10) + made.image([[8, 8, 8]], 3, 2),
    ]
    found, pixels = decode(made.gif(4, 3, *blocks), "image/gif")
    second = [[1, 1, 1, 1], [1, 1, 2, 1], [1, 2, 1, 1]]
    cleared = [[1, 1, 1, 1], [1, None, None, 1], [1, None, None, 1]]
    third = [[7, 1, 1, 1], *cleared[1:]]
    fourth = [*cleared[:2], [1, None, None, 8]]
    assert pixels == b"".join(map(made.coloured, (base, second, third, fourth)))
    derived = picture.derive(found)
    assert derived["00280008"] == {"vr": "IS", "Value": [4]}
    assert derived["00280009"] == {"vr": "AT", "Value": ["00181063"]}
    assert derived["00181063"] == {"vr": "DS", "Value": [100]}
    assert derived["00180040"] == {"vr": "IS", "Value": [10]}


def test_gif_frames_of_unlike_lengths_have_a_vector_of_times(decode):
    blocks = [made.control(delay) + made.image([[1]]) for delay in (10, 25, 5)]
    derived = picture.derive(decode(made.gif(1, 1, *blocks), "image/gif")[0])
    assert derived["00280009"]["Value"] == ["00181065"]
    assert derived["00181065"] == {"vr": "DS", "Value": [0, 100, 250]}


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (made.png([[(1,), (2,)], [(3,), (4,)]]), "image/png"),
        (made.gif(2, 2, made.control(3) + made.image([[1, 2], [3, 4]])), "image/gif"),
    ],
)
def test_truncated_at_every_byte(decode, content, media_type):
    decode(content, media_type)
    for length in range(len(content)):
        with pytest.raises(errors.Malformed):
            decode(content[:length], media_type)


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (made.png([[(1,), (2,)], [(3,), (4,)]]), "image/png"),
        (made.gif(2, 2, made.control(3) + made.image([[1, 2], [3, 4]])), "image/gif"),
    ],
)
def test_each_byte_changed_gives_pixels_or_a_fault(decode, content, media_type):
    for place in range(len(content)):
        for other in (0x00, 0xFF, content[place] ^ 0x11):
            try:
                found, pixels = decode(content[:place] + bytes([other]) + content[place + 1 :], media_type)
            except errors.Fault:
                continue
            assert found.frame_bytes * found.frames == len(pixels)


@pytest.mark.parametrize(
    ("content", "media_type", "fault"),
    [
        (made.png([[(1,)]]), "image/gif", errors.Malformed),
        (made.gif(1, 1, made.image([[1]])), "image/png", errors.Malformed),
        (made.gif(1, 1), "image/gif", errors.Malformed),
        (made.gif(65535, 65535, made.image([[1]])), "image/gif", errors.TooLarge),
        (made.gif(20000, 10000, *[made.image([[1]])] * 20), "image/gif", errors.TooLarge),
        (made.png([[(1,)]]), "image/jpeg", errors.UnsupportedMedia),
    ],
)
def test_what_is_not_decoded(decode, tmp_path, content, media_type, fault):
    with pytest.raises(fault):
        decode(content, media_type)
    assert not (tmp_path / "pixels").exists()


def lying(width, height):
    content = bytearray(made.png([[(1,)]]))
    content[16:24] = struct.pack(">II", width, height)
    content[29:33] = struct.pack(">I", made.zlib.crc32(bytes(content[12:29])))
    return bytes(content)


@pytest.mark.parametrize(
    ("size", "fault"),
    [
        ((30_000, 30_000), errors.Malformed),
        ((60_000, 60_000), errors.TooLarge),
        ((0x7FFFFFFF, 0x7FFFFFFF), errors.TooLarge),
        ((0, 5), errors.Malformed),
        ((70_000, 2), errors.Malformed),
    ],
)
def test_a_header_that_lies_about_its_size_T3(decode, size, fault):
    with pytest.raises(fault):
        decode(lying(*size))


def test_a_picture_wider_than_rows_and_columns_can_say(decode):
    with pytest.raises(errors.TooLarge):
        decode(made.large_png(1, 70_000))


def test_an_existing_file_is_not_written_over(decoder, tmp_path):
    into = tmp_path / "pixels"
    into.write_bytes(b"kept")
    with pytest.raises(FileExistsError):
        decoder.decode(made.png([[(1,)]]), "image/png", into)
    assert into.read_bytes() == b"kept"


@pytest.mark.slow
def test_no_files_stay_open(decode):
    decode(made.png([[(1,)]]))
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        decode(made.png([[(1,)]]))
        with pytest.raises(errors.Malformed):
            decode(b"nothing")
    assert len(os.listdir("/proc/self/fd")) <= before
