"""Videos: what their containers and parameter sets tell (PS3.18 Table 10.5.2-1, PS3.5 §8.2.5 to §8.2.11)."""

import struct
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_videos import VIDEOS

from dicomgate import errors
from dicomgate.dicom import codestreams, codestreams_video, picture
from dicomgate.dicom.source import BytesSource


def read(content, media_type):
    return codestreams.read(BytesSource(content), media_type)


NTSC = Fraction(1001, 30)


@pytest.mark.parametrize(
    ("name", "media_type", "frames", "time", "uid"),
    [
        ("avc.mp4", "video/mp4", 3, 40, "102"),
        ("avc-fragments.mp4", "video/mp4", 3, 40, "102"),
        ("avc.ts", "video/mp4", 3, NTSC, "102"),
        ("avc.264", "video/mp4", 3, 40, "102"),
        ("avc-4.2.264", "video/mp4", 1, 40, "104"),
        ("hevc.mp4", "video/mp4", 3, 40, "107"),
        ("hevc.mp4", "video/H265", 3, 40, "107"),
        ("hevc.ts", "video/H265", 3, 40, "107"),
        ("hevc.265", "video/H265", 3, None, "107"),
        ("hevc-10-bit.mp4", "video/H265", 1, 40, "108"),
        ("mpeg2.mpg", "video/mpeg", 3, 40, "100"),
        ("mpeg2.ts", "video/mpeg", 3, 40, "100"),
        ("mpeg2.m2v", "video/mpeg", 3, NTSC, "100"),
    ],
)
def test_videos_STOW_06_07(name, media_type, frames, time, uid):
    content = VIDEOS[name]
    found = read(content, media_type)
    assert (found.rows, found.columns, found.frames) == (18, 34, frames)
    assert found.frame_times == (() if time is None else (time,))
    assert found.transfer_syntax == f"1.2.840.10008.1.2.4.{uid}"
    assert found.spans == (range(len(content)),)
    assert found.is_video
    assert found.is_lossy
    derived = picture.derive(found)
    bits = 10 if "10-bit" in name else 8
    assert [derived[tag]["Value"] for tag in ("00280002", "00280004", "00280006", "00280103")] == [
        [3],
        ["YBR_PARTIAL_420"],
        [0],
        [0],
    ]
    assert [derived[tag]["Value"] for tag in ("00280100", "00280101", "00280102")] == [
        [-(-bits // 8) * 8],
        [bits],
        [bits - 1],
    ]
    assert derived["00280008"] == {"vr": "IS", "Value": [frames]}
    assert ("00181063" in derived) == (time is not None)
    if time == 40:
        assert derived["00180040"]["Value"] == [25]
    assert derived["00282114"]["Value"][0] in {"ISO_13818_2", "ISO_14496_10", "ISO_23008_2"}


def test_a_pixel_that_is_not_square_is_told_for_mpeg_2():
    derived = picture.derive(read(VIDEOS["mpeg2-wide.m2v"], "video/mpeg"))
    assert derived["00280034"] == {"vr": "IS", "Value": [5, 6]}  # 640 x 576 shown as 4:3: a pixel is 6 wide, 5 high


@pytest.mark.parametrize(
    ("name", "media_type", "fault"),
    [
        ("avc.mp4", "video/mpeg", errors.Malformed),
        ("avc.mp4", "video/h265", errors.Malformed),
        ("avc.264", "video/mpeg", errors.Malformed),
        ("hevc.265", "video/mpeg", errors.Malformed),
        ("mpeg2.m2v", "video/mp4", errors.Malformed),
        ("mpeg2.ts", "video/h265", errors.Malformed),
        ("avc.mp4", "image/jp2", errors.Malformed),
        ("avc.mp4", "image/jxl", errors.Malformed),
        ("avc-5.264", "video/mp4", errors.UnsupportedMedia),
        ("avc-10-bit.264", "video/mp4", errors.UnsupportedMedia),
        ("mpeg1.mpg", "video/mpeg", errors.UnsupportedMedia),
    ],
)
def test_videos_that_no_transfer_syntax_takes(name, media_type, fault):
    with pytest.raises(fault):
        read(VIDEOS[name], media_type)


@pytest.mark.parametrize("name", ["avc.mp4", "hevc.mp4", "mpeg2.ts", "avc.ts"])
def test_truncated_at_every_byte(name):
    media_type = "video/mpeg" if name.startswith("mpeg") else "video/mp4"
    content = VIDEOS[name]
    read(content, media_type)
    packets = name.endswith(".ts")  # whole packets missing at the end make a shorter video
    for length in range(len(content)):
        if packets and length % 188 == 0:
            continue
        with pytest.raises(errors.Malformed):
            read(content[:length], media_type)


@pytest.mark.slow
@pytest.mark.parametrize("name", VIDEOS)
def test_each_byte_changed_gives_a_video_or_a_fault(name):
    media_type = "video/mpeg" if name.startswith("mpeg") else "video/mp4"
    content = VIDEOS[name]
    for place in range(min(len(content), 1300)):
        for other in (0xFF, content[place] ^ 0x08):
            try:
                found = read(content[:place] + bytes([other]) + content[place + 1 :], media_type)
            except errors.Fault:
                continue
            assert found.frame_bytes <= picture.LARGEST_FRAME
            assert 0 < found.frames <= picture.MOST_FRAMES


@pytest.mark.parametrize("name", ["avc.ts", "hevc.ts", "mpeg2.ts"])
@pytest.mark.parametrize(("before", "after"), [(b"time", b""), (b"", bytes(16))], ids=["192", "204"])
def test_transport_packets_may_have_bytes_around_them(name, before, after):
    content = VIDEOS[name]
    media_type = "video/mpeg" if name.startswith("mpeg") else "video/mp4"
    wide = b"".join(before + content[at : at + 188] + after for at in range(0, len(content), 188))
    found, plain = read(wide, media_type), read(content, media_type)
    assert (found.rows, found.frames, found.frame_times) == (plain.rows, plain.frames, plain.frame_times)


def test_stereo_video_says_so():
    stereo = b"\0\0\0\1" + avc(profile=128, level=42) + slice_of(field=0)
    derived = picture.derive(read(stereo, "video/mp4"))
    assert derived["00220028"] == {"vr": "CS", "Value": ["YES"]}
    assert list(derived) == sorted(derived)
    plain = read(VIDEOS["avc.mp4"], "video/mp4")
    assert "00220028" not in picture.derive(plain)
    assert "00220028" in picture.derive(plain, transfer_syntax="1.2.840.10008.1.2.4.105")


@pytest.mark.parametrize("name", ["avc.264", "mpeg2.m2v", "hevc.265"])
@pytest.mark.parametrize("times", [2, 5000])
def test_frames_are_counted_across_pieces(name, times):
    content = VIDEOS[name]
    media_type = {"avc": "video/mp4", "mpe": "video/mpeg", "hev": "video/h265"}[name[:3]]
    filler = b"\0\0\1\x0c" + b"\xff" * 997 if name.startswith("avc") else b""
    assert read((content + filler) * times, media_type).frames == 3 * times


def box(kind, *inside):
    content = b"".join(inside)
    return struct.pack(">I4s", len(content) + 8, kind) + content


@pytest.mark.slow
def test_too_many_boxes_are_refused_at_any_depth():
    empty = box(b"free")
    inner = box(b"trak", empty * 300_000)
    for content in (empty * 300_000, box(b"moov", inner)):
        with pytest.raises(errors.TooLarge):
            read(box(b"ftyp", b"isom") + content, "video/mp4")


def test_an_mp4_file_without_video():
    for content in (b"", box(b"moov"), box(b"moov", box(b"trak", box(b"mdia", box(b"hdlr", bytes(8), b"soun"))))):
        with pytest.raises(errors.Malformed):
            read(box(b"ftyp", b"isom") + content, "video/mp4")


def test_an_mp4_file_of_another_codec():
    entry = box(b"mp4v", bytes(78))
    stbl = box(b"stbl", box(b"stsd", bytes(8), entry))
    track = box(b"trak", box(b"mdia", box(b"hdlr", bytes(8), b"vide"), box(b"minf", stbl)))
    with pytest.raises(errors.UnsupportedMedia):
        read(box(b"ftyp", b"isom") + box(b"moov", track), "video/mp4")


# ---- parameter sets written here


class Writer:
    def __init__(self):
        self.text = ""

    def bits(self, number, count):
        self.text += f"{number:0{count}b}" if count else ""

    def unsigned(self, *numbers):
        for number in numbers:
            binary = f"{number + 1:b}"
            self.text += "0" * (len(binary) - 1) + binary

    def unit(self, head):
        text = self.text + "1"
        text += "0" * (-len(text) % 8)
        content = int(text, 2).to_bytes(len(text) // 8)
        out, zeros = bytearray(head), 0
        for byte in content:
            if zeros >= 2 and byte <= 3:
                out.append(3)
                zeros = 0
            out.append(byte)
            zeros = zeros + 1 if byte == 0 else 0
        return bytes(out)


def avc(
    *,
    profile=100,
    constraints=0,
    level=41,
    across=20,
    down=15,
    crop=(0, 0, 0, 0),
    fields=False,
    chroma=1,
    depth=0,
    timing=None,
    aspect=None,
):
    writer = Writer()
    writer.bits(profile << 16 | constraints << 8 | level, 24)
    writer.unsigned(0)
    if profile in (100, 110, 122, 128):
        writer.unsigned(chroma, depth, depth)
        writer.bits(0, 2)
    writer.unsigned(0, 0, 0, 1)
    writer.bits(0, 1)
    writer.unsigned(across - 1, down - 1)
    writer.bits(not fields, 1)
    if fields:
        writer.bits(0, 1)
    writer.bits(0, 1)
    writer.bits(any(crop), 1)
    if any(crop):
        writer.unsigned(*crop)
    writer.bits(bool(timing or aspect), 1)
    if timing or aspect:
        writer.bits(bool(aspect), 1)
        if aspect:
            writer.bits(255 << 32 | aspect[0] << 16 | aspect[1], 40)
        writer.bits(0, 3)
        writer.bits(bool(timing), 1)
        if timing:
            writer.bits(timing[0] << 32 | timing[1], 64)
    return writer.unit(b"\x67")


@given(
    st.integers(1, 255),
    st.integers(1, 255),
    st.tuples(*[st.integers(0, 3)] * 4),
    st.booleans(),
    st.none() | st.tuples(st.integers(1, 1 << 31), st.integers(1, 1 << 31)),
)
def test_any_h264_parameter_set(across, down, crop, fields, timing):
    found = codestreams_video.read_avc(avc(across=across, down=down, crop=crop, fields=fields, timing=timing))
    assert found.columns == max(16 * across - 2 * (crop[0] + crop[1]), 0)
    step = 2 if fields else 1
    assert found.rows == max(16 * down * step - 2 * step * (crop[2] + crop[3]), 0)
    assert found.rate == (Fraction(timing[1], 2 * timing[0]) if timing else None)
    assert found.is_field_coded == fields


@pytest.mark.parametrize(
    ("given", "syntaxes"),
    [
        ({}, ("102", "104", "105")),
        ({"level": 42}, ("104", "105")),
        ({"profile": 77}, ("102", "104", "105")),
        ({"profile": 66, "constraints": 0x40}, ("102", "104", "105")),
        ({"profile": 128, "level": 42}, ("106",)),
        ({"across": 80, "down": 45, "timing": (1, 100)}, ("102", "103", "104", "105")),
    ],
)
def test_h264_profiles_and_levels(given, syntaxes):
    assert codestreams_video.read_avc(avc(**given)).syntaxes == syntaxes


@pytest.mark.parametrize(
    "given",
    [
        {"level": 50},
        {"profile": 66},
        {"profile": 88},
        {"profile": 110, "depth": 2},
        {"profile": 122, "chroma": 2},
        {"aspect": (4, 3)},
    ],
)
def test_h264_that_no_transfer_syntax_takes(given):
    with pytest.raises(errors.UnsupportedMedia):
        codestreams_video.read_avc(avc(**given))


def slice_of(*, field, first=0):
    writer = Writer()
    writer.unsigned(first, 7, 0)
    writer.bits(3, 4)
    writer.bits(field, 1)
    writer.bits(0x5A5A, 16)
    return b"\0\0\1" + writer.unit(b"\x65")


def test_two_fields_are_one_frame():
    start = b"\0\0\0\1" + avc(fields=True, timing=(1, 50))
    fields = slice_of(field=1) + slice_of(field=1, first=5)
    assert read(start + fields * 6 + slice_of(field=0), "video/mp4").frames == 4
    assert read(start + fields * 6 + slice_of(field=0), "video/mp4").frame_times == (40,)


def test_a_video_too_long_for_one_fragment_takes_the_fragmentable_syntax():
    parameters = codestreams_video.read_avc(avc())
    found = codestreams_video.describe(parameters, (1 << 32) - 1, 5, None)
    assert found.transfer_syntax == "1.2.840.10008.1.2.4.102.1"
    assert all(uid.endswith(".1") for uid in found.syntaxes)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"\0\0\0\1" + avc(across=1 << 20, down=1 << 20) + slice_of(field=0), errors.TooLarge),
        (b"\0\0\1\xb3" + bytes(8), errors.Malformed),
        (b"\0\0\1\xba" + b"\x44" + bytes(9) + b"\0\0\1\xe0\xff\xff", errors.Malformed),
        (b"\0\0\1" * 1000, errors.Malformed),
        (b"G" * 188 * 5, errors.Malformed),
        (bytes(1000), errors.Malformed),
    ],
)
def test_hostile_streams(content, fault):
    for media_type in ("video/mpeg", "video/mp4", "video/h265"):
        with pytest.raises(errors.Fault):
            read(content, media_type)
    with pytest.raises(fault):
        read(content, "video/mp4" if fault is errors.TooLarge else "video/mpeg")


@pytest.mark.parametrize("kind", [b"\xbe", b"\xe0"])
def test_a_program_stream_of_nothing_but_heads_is_refused_early(kind):
    class Counting(BytesSource):
        reads = 0

        def read_at(self, offset, length):
            self.reads += 1
            return super().read_at(offset, length)

    source = Counting(b"\0\0\1\xba\x44" + bytes(9) + (b"\0\0\1" + kind + b"\0\0") * 1_000_000)
    with pytest.raises(errors.Malformed):
        codestreams.read(source, "video/mpeg")
    assert source.reads < 10_000
