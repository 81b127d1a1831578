"""Bulk data parts as pixel data, and what the metadata may say beside them (PS3.18 §10.5.2, STOW-06, -07, -08)."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from made_parts import bulk, collect, workshop

from dicomgate import errors
from dicomgate.composition import description, pictures
from dicomgate.composition.content import Octets, PixelData, Unfit
from dicomgate.dicom import picture
from dicomgate.dicom.outcomes import Reason
from dicomgate.pixels.processes import Workers

GREY = np.arange(2400, dtype=np.uint8).reshape(40, 60)
COLOUR = np.stack([GREY, GREY[::-1], GREY[:, ::-1]], axis=2).copy()
OCTETS = "application/octet-stream"
JLS = imagecodecs.jpegls_encode(GREY)
JPEG = imagecodecs.jpeg_encode(COLOUR)
PNG = imagecodecs.png_encode(COLOUR)
RLE = struct.pack("<16I", 1, 64, *[0] * 14) + b"\x81\0" * 20
DESCRIBED = {"280002": 1, "280010": 40, "280011": 60, "280100": 8, "280101": 8, "280102": 7, "280103": 0}


def say(**numbers: Any) -> dict[str, Any]:
    """A data set of numbers and words by their tags."""
    return {
        "00" + tag.removeprefix("x"): {"vr": "CS" if isinstance(value, str) else "US", "Value": [value]}
        for tag, value in numbers.items()
    }


def described(**more: Any) -> dict[str, Any]:
    return say(**{f"x{tag}": value for tag, value in DESCRIBED.items()}, x280004="MONOCHROME2") | say(**more)


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    with Workers() as running:
        yield running


@pytest.fixture
def read(tmp_path: Path, workers: Workers):
    with ExitStack() as held:

        def read_parts(attributes: dict[str, Any], *parts: tuple[bytes, str]) -> PixelData:
            made = collect(tmp_path, *(bulk("x", content, content_type) for content, content_type in parts))
            return pictures.read(made.find("x"), made, attributes, workshop(tmp_path, workers), held)

        yield read_parts


def joined(octets: Octets | None) -> bytes:
    assert octets is not None
    return b"".join(octets.chunks())


@pytest.mark.parametrize(
    ("content", "content_type", "transfer_syntax"),
    [
        (JLS, "image/jls", "1.2.840.10008.1.2.4.80"),
        (JLS, "image/x-jls; transfer-syntax=1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.80"),
        (JLS, f"{OCTETS}; transfer-syntax=1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.80"),
        (JPEG, "image/jpg", "1.2.840.10008.1.2.4.50"),
        (JPEG, "image/jpeg", "1.2.840.10008.1.2.4.50"),
    ],
)
def test_codestreams_stay_as_they_are(read, content: bytes, content_type: str, transfer_syntax: str) -> None:
    found = read({}, (content, content_type))
    assert found.transfer_syntax == transfer_syntax
    assert [joined(frame) for frame in found.frames] == [content]
    assert found.derived["00280010"]["Value"] == [40]


def test_file_format_around_a_codestream_stays_out(read) -> None:
    file = imagecodecs.jpeg2k_encode(GREY, codecformat="JP2", reversible=True)
    (frame,) = read({}, (file, "image/jp2")).frames
    assert file.startswith(b"\0\0\0\x0cjP  ")
    assert joined(frame).startswith(b"\xff\x4f\xff\x51")
    assert joined(frame) in file


def test_frames_in_a_named_syntax_are_taken_unread_where_they_are_described(read) -> None:
    found = read(described(), (b"anything", f"{OCTETS}; transfer-syntax=1.2.840.10008.1.2.4.90"))
    assert (found.transfer_syntax, found.derived, found.picture) == ("1.2.840.10008.1.2.4.90", {}, None)
    with pytest.raises(errors.Malformed):
        read({}, (b"anything", f"{OCTETS}; transfer-syntax=1.2.840.10008.1.2.4.90"))


def test_frames_that_cannot_describe_themselves_need_the_metadata(read) -> None:
    for content_type in ("image/dicom-rle", f"{OCTETS}; transfer-syntax=1.2.840.10008.1.2.8.1"):
        with pytest.raises(Unfit) as caught:
            read({}, (RLE, content_type))
        assert caught.value.reason is Reason.DOES_NOT_MATCH_CLASS
        assert read(described(), (RLE, content_type)).frames


@pytest.mark.parametrize("named", ["1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99", "1.2.3", "nonsense"])
def test_syntaxes_that_no_frame_has_are_refused(read, named: str) -> None:
    with pytest.raises(Unfit) as caught:
        read(described(), (b"xx", f"{OCTETS}; transfer-syntax={named}"))
    assert caught.value.reason is Reason.SYNTAX_NOT_SUPPORTED


def test_frames_are_of_one_kind_and_a_video_is_one_part(read) -> None:
    with pytest.raises(Unfit):
        read({}, (JLS, "image/jls"), (JPEG, "image/jpeg"))
    with pytest.raises(errors.Malformed):
        read({}, (JLS, "image/jls"), (imagecodecs.jpegls_encode(GREY[:10].copy()), "image/jls"))


def test_several_pngs_are_native_frames(read) -> None:
    found = read({}, (PNG, "image/png"), (PNG, "image/png"))
    assert joined(found.native) == COLOUR.tobytes() * 2
    assert found.derived["00280008"]["Value"] == [2]


def test_any_number_of_pngs_needs_few_descriptors(tmp_path: Path, workers: Workers) -> None:
    made = collect(tmp_path, *[bulk("x", PNG, "image/png")] * 40)
    shop = workshop(tmp_path, workers)
    with ExitStack() as held:
        pictures.read(collect(tmp_path, bulk("x", PNG, "image/png")).find("x"), made, {}, shop, held)
        one = len(os.listdir("/proc/self/fd"))
        found = pictures.read(made.find("x"), made, {}, shop, held)
        assert len(os.listdir("/proc/self/fd")) <= one + 1
        assert joined(found.native) == COLOUR.tobytes() * 40


def test_decoded_frames_are_bounded_together_T3(read, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each picture has bounds of its own, and a request may bring thousands."""
    monkeypatch.setattr(picture, "LONGEST_FRAGMENT", 3 * COLOUR.size)
    assert joined(read({}, *[(PNG, "image/png")] * 3).native) == COLOUR.tobytes() * 3
    with pytest.raises(errors.TooLarge):
        read({}, *[(PNG, "image/png")] * 4)


@pytest.mark.parametrize("named", ["1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.80"])
def test_frame_without_a_byte_is_refused(read, named: str) -> None:
    """It would have a place in the offset table and no fragment."""
    content_type = f"{OCTETS}; transfer-syntax={named}"
    with pytest.raises(Unfit):
        read(described(x280008=2), (JLS, content_type), (b"", content_type))


def test_rle_frame_of_no_segments_is_malformed(read) -> None:
    for samples in (0, 20):
        with pytest.raises(errors.Malformed):
            read(described(x280002=samples), (struct.pack("<16I", samples, *[0] * 15), "image/dicom-rle"))


class TestDescription:
    """What metadata and bytes say together."""

    def test_everything_absent_is_added(self, read) -> None:
        attributes: dict[str, Any] = {}
        assert description.describe(attributes, read(attributes, (JPEG, "image/jpeg"))) == {}
        assert attributes["00280011"]["Value"] == [60]
        assert attributes["00282114"]["Value"] == ["ISO_10918_1"]

    def test_empty_is_absent(self, read) -> None:
        attributes: dict[str, Any] = {"00280010": {"vr": "US"}}
        assert description.describe(attributes, read(attributes, (JLS, "image/jls"))) == {}
        assert attributes["00280010"]["Value"] == [40]

    @pytest.mark.parametrize("given", [{"x280004": "MONOCHROME1"}, {"x280103": 1}, {"x280101": 7, "x280102": 6}])
    def test_what_the_bytes_cannot_tell_is_believed(self, read, given: dict[str, Any]) -> None:
        attributes = described(**given)
        before = dict(attributes)
        assert description.describe(attributes, read(attributes, (JLS, "image/jls"))) == {}
        assert {tag: attributes[tag] for tag in before} == before

    @pytest.mark.parametrize(
        ("given", "tag", "becomes"),
        [
            ({"x280004": "RGB"}, "00280004", "MONOCHROME2"),
            ({"x280100": 1, "x280101": 1, "x280102": 0}, "00280100", 8),
        ],
    )
    def test_what_cannot_be_is_corrected(self, read, given: dict[str, Any], tag: str, becomes: Any) -> None:
        attributes = described(**given)
        before = attributes[tag]
        replaced = description.describe(attributes, read(attributes, (JLS, "image/jls")))
        assert replaced[tag] == before
        assert attributes[tag]["Value"] == [becomes]
        assert {"00" + name.removeprefix("x") for name in given} == set(replaced)

    def test_decoded_pixels_are_known_to_the_bit(self, read) -> None:
        attributes = described(x280002=3, x280004="YBR_FULL", x280006=1, x280100=16, x280101=12, x280102=11, x280103=1)
        replaced = description.describe(attributes, read(attributes, (PNG, "image/png")))
        assert set(replaced) == {"00280004", "00280006", "00280100", "00280101", "00280102", "00280103"}
        assert [attributes[tag]["Value"][0] for tag in sorted(replaced)] == ["RGB", 0, 8, 8, 7, 0]

    @pytest.mark.parametrize("tag", ["x280002", "x280008", "x280010", "x280011"])
    @pytest.mark.parametrize("number", [0, 7, 65_535, "many"])
    def test_another_shape_is_another_picture(self, read, tag: str, number: Any) -> None:
        attributes = described(**{tag: number})
        with pytest.raises(Unfit) as caught:
            description.describe(attributes, read(attributes, (JLS, "image/jls")))
        assert caught.value.reason is Reason.DOES_NOT_MATCH_CLASS

    @pytest.mark.parametrize("said", [1, 2, 4, 0, -3])
    def test_frames_that_are_not_read_are_counted(self, read, said: int) -> None:
        attributes = described(x280008=said)
        frames = read(attributes, *[(RLE, "image/dicom-rle")] * 3)
        with pytest.raises(Unfit) as caught:
            description.describe(attributes, frames)
        assert caught.value.reason is Reason.DOES_NOT_MATCH_CLASS

    def test_number_of_frames_is_told_by_their_parts(self, read) -> None:
        attributes = described()
        description.describe(attributes, read(attributes, *[(RLE, "image/dicom-rle")] * 3))
        assert attributes["00280008"] == {"vr": "IS", "Value": [3]}

    def test_video_that_is_not_read_has_any_number_of_frames_in_one_part(self, read) -> None:
        attributes = described(x280008=77)
        content_type = f"{OCTETS}; transfer-syntax=1.2.840.10008.1.2.4.102"
        assert description.describe(attributes, read(attributes, (b"stream", content_type))) == {}
        with pytest.raises(Unfit):
            read(attributes, (b"stream", content_type), (b"stream", content_type))

    @pytest.mark.parametrize("given", [{"x280008": -1}, {"x280008": 0}, {"x280002": 0}])
    def test_native_pixels_of_less_than_one_frame_are_refused(self, read, given: dict[str, Any]) -> None:
        attributes = described(**given)
        with pytest.raises(Unfit) as caught:
            description.describe(attributes, read(attributes, (b"x", OCTETS)))
        assert caught.value.reason is Reason.DOES_NOT_MATCH_CLASS

    @pytest.mark.parametrize(
        ("size", "given"),
        [
            (2400, {}),
            (2401, {}),
            (7200, {"x280008": 3}),
            (300, {"x280100": 1}),
            (4800, {"x280002": 3, "x280004": "YBR_FULL_422"}),
        ],
    )
    def test_native_pixels_that_are_enough(self, read, size: int, given: dict[str, Any]) -> None:
        attributes = described(**given)
        assert description.describe(attributes, read(attributes, (bytes(size), OCTETS))) == {}
        with pytest.raises(Unfit) as caught:
            description.describe(attributes, read(attributes, (bytes(size // 2), OCTETS)))
        assert caught.value.reason is Reason.DOES_NOT_MATCH_CLASS
