"""Headers of compressed pictures: real codestreams cut out of DICOM files, and broken ones."""

import struct
from pathlib import Path

import pytest

from dicomgate import errors
from dicomgate.dicom import codestreams, codestreams_rle, header, picture, syntaxes
from dicomgate.dicom.source import BytesSource

DATA = Path(__file__).parents[3] / "shared/data"
LIKE_GREY = {"MONOCHROME1", "MONOCHROME2", "PALETTE COLOR"}
REVERSIBLE_BUT_CUT = {
    "CTImage.dcm_JPEG2000TransferSyntax_1.2.840.10008.1.2.4.91.dcm",
    "SC_rgb_gdcm_KY.dcm",
    "jpeg2000-multiframe-multifragments.dcm",
}
MISLABELLED = {"sample-op.dcm"}  # says lossless, holds a baseline stream


def cut(path, number=1):
    """The codestream of a frame, its media type, and the data set it belongs to; None for what is not compressed."""
    content = path.read_bytes()
    try:
        head = header.read(BytesSource(content))
    except errors.Fault:
        return None
    media_type = codestreams.find_media_type(head.transfer_syntax)
    spans = head.frames.find(number) if media_type and head.frames else None
    if not spans:
        return None
    return b"".join(content[span.start : span.stop] for span in spans), media_type, head


def files():
    if not DATA.exists():
        return []
    found = [path for path in sorted((DATA / "syntaxes").rglob("*")) if path.is_file()]
    return [*found, DATA / "objects/photo/image1.dcm", DATA / "objects/op-sr/sample-op.dcm"]


FILES = [path for path in files() if cut(path)]


def read(content, media_type):
    return codestreams.read(BytesSource(content), media_type)


@pytest.mark.skipif(not FILES, reason="needs the shared data")
def test_there_are_files_of_every_family():
    seen = {cut(path)[2].transfer_syntax.rsplit(".", 1)[1] for path in FILES}
    assert seen >= {"50", "51", "53", "55", "57", "70", "80", "81", "90", "91", "201", "202", "203", "111"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_derived_attributes_are_those_of_the_data_set_STOW_06(path):
    content, media_type, head = cut(path)
    found = read(content, media_type)
    given = {tag: element["Value"][0] for tag, element in head.attributes.items() if element.get("Value")}
    derived = {tag: element["Value"][0] for tag, element in picture.derive(found).items()}
    for tag in ("00280010", "00280011", "00280002", "00280100"):
        assert derived[tag] == given[tag], tag
    assert derived["00280101"] >= given["00280101"]
    assert derived["00280102"] == derived["00280101"] - 1
    assert_same_colour(found, given["00280004"])
    if media_type in ("image/jp2", "image/jphc"):
        assert derived["00280103"] == given["00280103"]
    assert ("00280006" in derived) == (found.samples == 3)
    single = {tag: element for tag, element in head.attributes.items() if tag != "00280008"}
    assert picture.contradictions(single, found) == ()


def assert_same_colour(found, given):
    if given in LIKE_GREY:
        assert found.photometric == "MONOCHROME2"
    elif found.photometric == "YBR_FULL_422":  # the standard's one name, where files say what they like (Table 8.2.1-1)
        assert given in {"YBR_FULL", "YBR_FULL_422", "RGB"}
    elif found.photometric in {"YBR_RCT", "YBR_ICT"}:
        assert given in {found.photometric, "RGB"}
    else:
        assert found.photometric == given


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_transfer_syntax_is_that_of_the_file_STOW_07(path):
    content, media_type, head = cut(path)
    found = read(content, media_type)
    if path.name in MISLABELLED:
        with pytest.raises(errors.Malformed):
            codestreams.choose_syntax(found, head.transfer_syntax)
        return
    assert codestreams.choose_syntax(found, head.transfer_syntax) == head.transfer_syntax
    if path.name in REVERSIBLE_BUT_CUT:
        assert codestreams.choose_syntax(found, is_lossy=True) == head.transfer_syntax
    else:
        assert found.transfer_syntax == head.transfer_syntax
    loss = syntaxes.TABLE[found.transfer_syntax].loss
    assert found.is_lossy == (loss is not syntaxes.Loss.NEVER)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_bytes_under_another_name_are_malformed(path):
    content, media_type, _ = cut(path)
    same = {"image/jp2": {"image/jpx"}, "image/jphc": {"image/jph"}}.get(media_type, set()) | {media_type}
    for other in set(codestreams.READERS) - same:
        with pytest.raises(errors.Malformed):
            read(content, other)


def test_what_is_no_picture_type_is_unsupported():
    with pytest.raises(errors.UnsupportedMedia):
        read(b"", "text/plain")


@pytest.mark.parametrize("media_type", codestreams.READERS)
def test_nothing_is_no_picture(media_type):
    with pytest.raises(errors.Malformed):
        read(b"", media_type)


SMALL = [path for path in FILES if len(cut(path)[0]) < 3000]


@pytest.mark.parametrize("path", SMALL, ids=lambda path: path.name)
def test_truncated_at_every_byte(path):
    content, media_type, _ = cut(path)
    whole = read(content, media_type)
    for length in range(whole.spans[-1].stop):
        with pytest.raises(errors.Fault):
            read(content[:length], media_type)


@pytest.mark.parametrize("path", SMALL, ids=lambda path: path.name)
def test_each_header_byte_changed_gives_a_picture_or_a_fault(path):
    content, media_type, _ = cut(path)
    for place in range(min(len(content), 700)):
        for other in (0x00, 0x01, 0x7F, 0xFF, content[place] ^ 0x80):
            try:
                found = read(content[:place] + bytes([other]) + content[place + 1 :], media_type)
            except errors.Fault:
                continue
            assert found.frame_bytes <= picture.LARGEST_FRAME
            assert all(0 <= span.start <= span.stop <= len(content) for span in found.spans)


def jpeg(*segments, frame=0xC0, bits=8, rows=8, columns=8, ids=(1, 2, 3)):
    sof = struct.pack(">BHHB", bits, rows, columns, len(ids)) + b"".join(bytes([i, 0x11, 0]) for i in ids)
    sos = bytes([len(ids)]) + b"".join(bytes([i, 0]) for i in ids) + b"\0\x3f\0"
    parts = [*segments, (frame, sof), (0xDA, sos)]
    body = b"".join(b"\xff" + bytes([marker]) + struct.pack(">H", len(data) + 2) + data for marker, data in parts)
    return b"\xff\xd8" + body + b"\x12\xff\x00\x34\xff\xd0\x56\xff\xd9"


ADOBE = b"Adobe\0\x64\0\0\0\0"
JFIF = (0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0")


@pytest.mark.parametrize(
    ("content", "colour"),
    [
        (jpeg(), "YBR_FULL_422"),
        (jpeg(ids=(82, 71, 66)), "RGB"),
        (jpeg(JFIF), "YBR_FULL_422"),
        (jpeg((0xEE, ADOBE + b"\0")), "RGB"),
        (jpeg((0xEE, ADOBE + b"\1")), "YBR_FULL_422"),
        (jpeg(JFIF, (0xEE, ADOBE + b"\0")), "RGB"),
        (jpeg(ids=(1,)), "MONOCHROME2"),
        (jpeg(frame=0xC3), "RGB"),
        (jpeg((0xEE, ADOBE + b"\1"), frame=0xC3), "YBR_FULL"),
    ],
)
def test_colour_of_a_jpeg_is_told_by_its_markers(content, colour):
    assert read(content, "image/jpeg").photometric == colour


@pytest.mark.parametrize("junk", [b"", b"\0", b"\xff\xd8\xff\xe0second picture", bytes(5000)])
def test_what_follows_the_end_of_a_jpeg_is_left_out(junk):
    content = jpeg()
    assert read(content + junk, "image/jpeg").spans == (range(len(content)),)


def test_fill_bytes_before_a_marker_are_skipped_in_one_go():
    content = jpeg()
    padded = content[:2] + b"\xff" * 3_000_000 + content[2:]
    assert read(padded, "image/jpeg").rows == 8
    with pytest.raises(errors.Malformed):
        read(content[:2] + b"\xff" * 3_000_000, "image/jpeg")


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (jpeg(ids=(1, 2)), errors.UnsupportedMedia),
        (jpeg(ids=(1, 2, 3, 4)), errors.UnsupportedMedia),
        (jpeg(rows=0), errors.UnsupportedMedia),
        (jpeg(columns=0), errors.Malformed),
        (jpeg(bits=9), errors.Malformed),
        (jpeg(frame=0xC5), errors.UnsupportedMedia),
        (jpeg(rows=65535, columns=65535), errors.TooLarge),
        (b"\xff\xd8" + b"\xff\xe1\0\2" * 20_000, errors.TooLarge),
    ],
)
def test_jpegs_that_no_image_can_be(content, fault):
    with pytest.raises(fault):
        read(content, "image/jpeg")


def test_frames_of_one_image_must_be_alike():
    one, other = read(jpeg(), "image/jpeg"), read(jpeg(rows=9), "image/jpeg")
    both = picture.joined(one, one)
    assert both.frames == 2
    assert picture.derive(both)["00280008"] == {"vr": "IS", "Value": [2]}
    assert "00280008" not in picture.derive(one)
    with pytest.raises(errors.Malformed):
        picture.joined(both, other)
    with pytest.raises(errors.Malformed):
        picture.joined(one, read(jpeg(frame=0xC2), "image/jpeg"))


def test_loss_is_recorded_with_method_and_ratio():
    derived = picture.derive(read(jpeg(), "image/jpeg"), size=96)
    assert derived["00282110"] == {"vr": "CS", "Value": ["01"]}
    assert derived["00282112"] == {"vr": "DS", "Value": [2]}
    assert derived["00282114"] == {"vr": "CS", "Value": ["ISO_10918_1"]}
    assert list(derived) == sorted(derived)


def test_contradictions_name_the_tags():
    found = read(jpeg(), "image/jpeg")
    given = {"00280010": {"vr": "US", "Value": [9]}, "00280008": {"vr": "IS", "Value": [2]}}
    assert picture.contradictions(given, found) == ("00280008", "00280010")
    assert picture.contradictions({"00280010": {"vr": "US"}, "00280100": {"vr": "US", "Value": [4]}}, found) == (
        "00280100",
    )


def boxed(content, brand=b"jp2 ", colour=16, extra=b""):
    def box(kind, inside):
        return struct.pack(">I", len(inside) + 8) + kind + inside

    colr = box(b"colr", b"\1\0\0" + struct.pack(">I", colour))
    head = box(b"jP  ", b"\r\n\x87\n") + box(b"ftyp", brand + bytes(4) + brand)
    return head + box(b"jp2h", box(b"ihdr", bytes(14)) + colr + extra) + box(b"jp2c", content)


def j2k(*, rows=8, columns=8, depths=(7,), mct=0, transform=1, capabilities=0, steps=1, extra=b"", order=0, levels=0):
    count = len(depths)
    siz = struct.pack(">H8IH", capabilities, columns, rows, 0, 0, columns, rows, 0, 0, count)
    siz += b"".join(bytes([depth, steps, steps]) for depth in depths)
    cod = struct.pack(">BBHBBBBBB", 0, order, 1, mct, levels, 4, 4, 0, transform)
    parts = b"".join(
        struct.pack(">HH", marker, len(data) + 2) + data for marker, data in ((0xFF51, siz), (0xFF52, cod))
    )
    return b"\xff\x4f" + parts + extra + struct.pack(">HHHIBB", 0xFF90, 10, 0, 16, 0, 1) + b"\xff\x93ab" + b"\xff\xd9"


HT = struct.pack(">HHIH", 0xFF50, 8, 1 << 17, 0)
TLM = struct.pack(">HHBBI", 0xFF55, 8, 0, 0x40, 0)


@pytest.mark.parametrize(
    ("content", "media_type", "colour", "uids"),
    [
        (j2k(), "image/jp2", "MONOCHROME2", ["90", "91"]),
        (j2k(transform=0), "image/jp2", "MONOCHROME2", ["91"]),
        (j2k(depths=(7, 7, 7)), "image/jp2", "RGB", ["90", "91"]),
        (j2k(depths=(7, 7, 7), mct=1), "image/jp2", "YBR_RCT", ["90", "91"]),
        (j2k(depths=(7, 7, 7), mct=1, transform=0), "image/jp2", "YBR_ICT", ["91"]),
        (boxed(j2k(depths=(7, 7, 7)), colour=18), "image/jp2", "YBR_FULL", ["90", "91"]),
        (boxed(j2k(depths=(7, 7, 7), mct=1), colour=16), "image/jp2", "YBR_RCT", ["90", "91"]),
        (boxed(j2k(capabilities=0x8000), brand=b"jpx "), "image/jpx", "MONOCHROME2", ["92", "93"]),
        (boxed(j2k(extra=HT), brand=b"jph "), "image/jph", "MONOCHROME2", ["201", "203"]),
        (j2k(extra=HT + TLM, order=2), "image/jphc", "MONOCHROME2", ["202", "201", "203"]),
        (j2k(extra=HT + TLM, order=2, rows=512, columns=512, levels=2), "image/jphc", "MONOCHROME2", ["201", "203"]),
        (j2k(extra=HT, transform=0), "image/jphc", "MONOCHROME2", ["203"]),
    ],
)
def test_jpeg_2000_and_its_files(content, media_type, colour, uids):
    found = read(content, media_type)
    assert found.photometric == colour
    assert [uid.rsplit(".", 1)[1] for uid in found.syntaxes] == uids
    (span,) = found.spans
    assert content[span.start : span.stop].startswith(b"\xff\x4f\xff\x51")
    assert content[span.start : span.stop].endswith(b"\xff\xd9")


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (j2k(depths=(7, 7)), errors.UnsupportedMedia),
        (j2k(depths=(7, 7, 7, 7)), errors.UnsupportedMedia),
        (j2k(depths=(7, 8, 7)), errors.UnsupportedMedia),
        (j2k(depths=(7, 7, 7), steps=2), errors.UnsupportedMedia),
        (j2k(rows=1 << 31, columns=1 << 31), errors.TooLarge),
        (j2k(rows=40_000, columns=40_000), errors.TooLarge),
        (j2k(rows=0), errors.Malformed),
        (boxed(j2k(), extra=struct.pack(">I4s", 8, b"pclr")), errors.UnsupportedMedia),
        (boxed(b""), errors.Malformed),
        (j2k()[:-2] + b"\xff\x90\0\x0a\0\0\0\0\0\0\0\1", errors.Malformed),
    ],
)
def test_jpeg_2000_that_no_image_can_be(content, fault):
    with pytest.raises(fault):
        read(content, "image/jp2")


def rle_files():
    found = sorted((DATA / "syntaxes").rglob("*rle*")) + sorted((DATA / "syntaxes").rglob("*RLE*"))
    return [path for path in found if b"1.2.840.10008.1.2.5\0" in path.read_bytes()[:1000]]


def rle_frame(path):
    content = path.read_bytes()
    head = header.read(BytesSource(content))
    frame = b"".join(content[span.start : span.stop] for span in head.frames.find(1))
    samples, allocated = (head.attributes[tag]["Value"][0] for tag in ("00280002", "00280100"))
    return frame, samples, allocated


@pytest.mark.parametrize("path", rle_files(), ids=lambda path: path.name)
def test_rle_frames_have_a_segment_for_each_byte_of_a_pixel(path):
    frame, samples, allocated = rle_frame(path)
    codestreams_rle.check(BytesSource(frame), samples=samples, bits_allocated=allocated)
    for other in (samples + 1, samples + 2):
        with pytest.raises(errors.Malformed):
            codestreams_rle.check(BytesSource(frame), samples=other, bits_allocated=allocated)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        bytes(63),
        bytes(64),
        struct.pack("<16I", 1, *[0] * 15) + b"ab",
        struct.pack("<16I", 1, 64, *[0] * 14),
        struct.pack("<16I", 1, 64, 66, *[0] * 13) + b"abcd",
        struct.pack("<16I", 0xFFFFFFFF, *[64] * 15),
        b"\xff\xd8\xff" + bytes(100),
    ],
)
def test_what_is_no_rle_frame(content):
    with pytest.raises(errors.Malformed):
        codestreams_rle.check(BytesSource(content), samples=1, bits_allocated=8)


def test_rle_segments_that_do_not_follow_each_other():
    for offsets in ([64, 64], [64, 63], [65, 66], [64, 4000]):
        content = struct.pack("<16I", 2, *offsets, *[0] * 13) + b"abcdef"
        with pytest.raises(errors.Malformed):
            codestreams_rle.check(BytesSource(content), samples=1, bits_allocated=16)
