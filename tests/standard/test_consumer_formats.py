"""Pictures, videos and documents stored with metadata that says nothing of their pixels, and fetched again (STOW-05 to -08)."""

from __future__ import annotations

import json
import runpy
import struct
import zlib
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from standard_service import EXPLICIT, Service, parts_of, path_of, values

from dicomgate import config
from dicomgate.dicom.uids import Target
from dicomgate.testing import instances
from dicomgate.testing.serving import Reply

VIDEOS = runpy.run_path(str(Path(__file__).parents[1] / "dicom/made_videos.py"))["VIDEOS"]
GREY = (np.mgrid[:30, :40].sum(axis=0) * 3).astype("u1")
COLOUR = np.stack([GREY, GREY[::-1], 255 - GREY], axis=2)
DEEP = GREY.astype("u2") * 257
CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
MANY = {True: "1.2.840.10008.5.1.4.1.1.7.4", False: "1.2.840.10008.5.1.4.1.1.7.2"}
VIDEO = "1.2.840.10008.5.1.4.1.1.77.1.4.1"
JXL_JPEG = imagecodecs.jpegxl_encode_jpeg(imagecodecs.jpeg8_encode(COLOUR, level=90), usecontainer=True)


@pytest.fixture(scope="module")
def taking(open_service) -> Service:
    return open_service(store=config.Store())


def metadata(target: Target, sop_class: str, **more: Any) -> dict[str, Any]:
    given = {
        "00080016": ("UI", sop_class),
        "00080018": ("UI", target.instance),
        "0020000D": ("UI", target.study),
        "0020000E": ("UI", target.series),
        "00100020": ("LO", "CONSUMER"),
        "00080060": ("CS", "OT"),
    }
    dataset: dict[str, Any] = {tag: {"vr": vr, "Value": [value]} for tag, (vr, value) in given.items()}
    return {**dataset, **more}


def pixels(vr: str = "OB") -> dict[str, Any]:
    return {"7FE00010": {"vr": vr, "BulkDataURI": "bulk/1"}}


def post(service: Service, dataset: dict[str, Any], *parts: tuple[str, bytes], uri: str = "bulk/1") -> Reply:
    root = "application/dicom+json"
    pieces = [(f"Content-Type: {root}\r\n", json.dumps([dataset]).encode())]
    pieces += [(f"Content-Type: {kind}\r\nContent-Location: {uri}\r\n", content) for kind, content in parts]
    body = b"".join(b"--consumer\r\n" + head.encode() + b"\r\n" + content + b"\r\n" for head, content in pieces)
    fields = {"Content-Type": f'multipart/related; type="{root}"; boundary=consumer', "Accept": root}
    return service.served.ask("POST", "/dicomweb/studies", fields, body + b"--consumer--\r\n")


def stored(service: Service, target: Target) -> dict[str, Any]:
    reply = service.studies(path_of(target) + "/metadata", "application/dicom+json")
    assert reply.status == 200, reply.body
    (dataset,) = json.loads(reply.body)
    return dataset


def frame(service: Service, target: Target, number: int = 1) -> tuple[str, bytes]:
    accept = 'multipart/related; type="*/*"; transfer-syntax=*'
    (part,) = parts_of(service.studies(f"{path_of(target)}/frames/{number}", accept))
    return dict(part.headers)["Content-Type"], part.body


def unchanged(content: bytes) -> bytes:
    return content


def codestream(content: bytes) -> bytes:
    return content[content.index(b"\xff\x4f\xff\x51") :]


PICTURES = [
    # media type, bytes, what goes in, transfer syntax, colour
    ("image/jpeg", imagecodecs.jpeg8_encode(COLOUR, level=90), unchanged, "50", "YBR_FULL_422"),
    (
        "image/jpeg",
        imagecodecs.jpeg8_encode(GREY, level=90) + b"and then some",
        lambda it: it[:-13],
        "50",
        "MONOCHROME2",
    ),
    ("image/jpeg", imagecodecs.jpeg8_encode(COLOUR, lossless=True, predictor=1), unchanged, "70", "RGB"),
    ("image/jpeg", imagecodecs.jpeg8_encode(GREY, lossless=True, predictor=5), unchanged, "57", "MONOCHROME2"),
    ("image/jls", imagecodecs.jpegls_encode(DEEP), unchanged, "80", "MONOCHROME2"),
    ("image/jls", imagecodecs.jpegls_encode(COLOUR, level=3), unchanged, "81", "RGB"),
    ("image/jp2", imagecodecs.jpeg2k_encode(COLOUR, codecformat="jp2", reversible=True), codestream, "90", "YBR_RCT"),
    ("image/jp2", imagecodecs.jpeg2k_encode(COLOUR, codecformat="j2k", level=40), unchanged, "91", "YBR_ICT"),
    ("image/jphc", imagecodecs.htj2k_encode(DEEP), unchanged, "201", "MONOCHROME2"),
    ("image/jph", imagecodecs.htj2k_encode(COLOUR, reversible=False), unchanged, "203", "YBR_ICT"),
    ("image/jxl", imagecodecs.jpegxl_encode(COLOUR, lossless=True), unchanged, "110", "RGB"),
    ("image/jxl", JXL_JPEG, unchanged, "111", "YBR_FULL_422"),
    ("image/jxl", imagecodecs.jpegxl_encode(COLOUR, lossless=False), unchanged, "112", "XYB"),
]


@pytest.mark.parametrize(
    ("media_type", "content", "inside", "number", "colour"), PICTURES, ids=lambda value: str(value)[:12]
)
def test_a_compressed_picture_keeps_its_bytes_STOW_06_07_row_44(taking, media_type, content, inside, number, colour):
    target = instances.new_target()
    reply = post(taking, metadata(target, CAPTURE, **pixels()), (media_type, content))
    assert reply.status == 200, reply.body
    dataset = stored(taking, target)
    assert values(dataset, "00280004") == [colour]
    assert values(dataset, "00280010") + values(dataset, "00280011") == [30, 40]
    samples = 1 if colour == "MONOCHROME2" else 3
    assert values(dataset, "00280002") == [samples]
    assert ("00280006" in dataset) == (samples == 3)
    kind, body = frame(taking, target)
    assert f"transfer-syntax=1.2.840.10008.1.2.4.{number}" in kind
    assert body.rstrip(b"\0") == inside(content).rstrip(b"\0")
    assert (values(dataset, "00282110") if "00282110" in dataset else []) == (
        ["01"] if number in {"50", "81", "91", "203", "111", "112"} else []
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "given", [GREY, DEEP, COLOUR, COLOUR.astype("u2") * 257], ids=["grey", "deep", "colour", "deep-colour"]
)
def test_a_png_becomes_native_pixels_STOW_07(taking, given):
    target = instances.new_target()
    vr = "OB" if given.dtype.itemsize == 1 else "OW"
    reply = post(taking, metadata(target, CAPTURE, **pixels(vr)), ("image/png", imagecodecs.png_encode(given)))
    assert reply.status == 200, reply.body
    kind, body = frame(taking, target)
    assert EXPLICIT in kind
    assert body == given.astype(given.dtype.newbyteorder("<")).tobytes()


def test_frames_of_a_multi_frame_image_come_one_by_one_STOW_05(taking):
    target = instances.new_target()
    frames = [imagecodecs.jpegls_encode(np.roll(GREY, turn, axis=1)) for turn in range(4)]
    reply = post(taking, metadata(target, MANY[False], **pixels()), *[("image/jls", one) for one in frames])
    assert reply.status == 200, reply.body
    assert values(stored(taking, target), "00280008") == [4]
    for number, content in enumerate(frames, 1):
        assert frame(taking, target, number)[1].rstrip(b"\0") == content.rstrip(b"\0")


def test_an_animated_gif_becomes_frames_STOW_07(taking):
    target = instances.new_target()
    turns = np.stack([np.roll(GREY, turn, axis=1) for turn in range(3)])
    reply = post(taking, metadata(target, MANY[True], **pixels()), ("image/gif", imagecodecs.gif_encode(turns)))
    assert reply.status == 200, reply.body
    assert values(stored(taking, target), "00280008") == [3]
    for number in range(3):
        assert frame(taking, target, number + 1)[1] == np.repeat(turns[number][..., None], 3, axis=2).tobytes()


@pytest.mark.parametrize(
    ("name", "media_type", "number"),
    [("avc.mp4", "video/mp4", "102"), ("hevc.mp4", "video/H265", "107"), ("mpeg2.ts", "video/mpeg", "100")],
)
def test_a_video_keeps_its_bytes_STOW_07(taking, name, media_type, number):
    target = instances.new_target()
    reply = post(taking, metadata(target, VIDEO, **pixels()), (media_type, VIDEOS[name]))
    assert reply.status == 200, reply.body
    dataset = stored(taking, target)
    assert values(dataset, "00280008") == [3]
    assert values(dataset, "00181063") == [40]
    link = dataset["7FE00010"]["BulkDataURI"]
    (part,) = parts_of(taking.get(link, 'multipart/related; type="*/*"; transfer-syntax=*'))
    assert f"1.2.840.10008.1.2.4.{number}" in dict(part.headers)["Content-Type"]
    assert part.body.rstrip(b"\0") == VIDEOS[name].rstrip(b"\0")


def described(samples: int) -> dict[str, Any]:
    given = {
        "00280002": samples,
        "00280010": 1,
        "00280011": 4,
        "00280100": 8,
        "00280101": 8,
        "00280102": 7,
        "00280103": 0,
    }
    return {
        **{tag: {"vr": "US", "Value": [number]} for tag, number in given.items()},
        "00280004": {"vr": "CS", "Value": ["MONOCHROME2"]},
    }


RLE = struct.pack("<16I", 1, 64, *[0] * 14) + b"\3abcd\x80"


def test_an_rle_frame_is_held_to_what_the_metadata_says_of_it(taking):
    target = instances.new_target()
    reply = post(taking, metadata(target, CAPTURE, **described(1), **pixels()), ("image/dicom-rle", RLE))
    assert reply.status == 200, reply.body
    kind, body = frame(taking, target)
    assert "transfer-syntax=1.2.840.10008.1.2.5" in kind
    assert body == RLE
    for more in ({}, described(3)):
        other = metadata(instances.new_target(), CAPTURE, **more, **pixels())
        assert 400 <= post(taking, other, ("image/dicom-rle", RLE)).status < 500


DOCUMENTS = [
    ("application/pdf", b"%PDF-1.4\n%%EOF\n", "1"),
    ("text/xml", b"<?xml version='1.0'?><ClinicalDocument/>", "2"),
    ("model/stl", bytes(80) + struct.pack("<I", 1) + bytes(50), "3"),
    ("model/obj", b"v 0 0 0\n", "4"),
    ("model/mtl", b"newmtl skin\n", "5"),
]


@pytest.mark.parametrize(("media_type", "content", "number"), DOCUMENTS, ids=lambda value: str(value)[:12])
def test_a_document_comes_back_with_its_length_STOW_05(taking, media_type, content, number):
    target = instances.new_target()
    modality = {"00080060": {"vr": "CS", "Value": ["DOC" if number < "3" else "M3D"]}}
    document = {"00420011": {"vr": "OB", "BulkDataURI": "bulk/1"}}
    dataset = metadata(target, f"1.2.840.10008.5.1.4.1.1.104.{number}", **document, **modality)
    reply = post(taking, dataset, (media_type, content))
    assert reply.status == 200, reply.body
    found = stored(taking, target)
    assert values(found, "00420012")[0].lower() == media_type
    assert values(found, "00420015") == [len(content)]


def lying_png() -> bytes:
    content = bytearray(imagecodecs.png_encode(GREY))
    content[16:24] = struct.pack(">II", 30_000, 30_000)
    content[29:33] = struct.pack(">I", zlib.crc32(bytes(content[12:29])))
    return bytes(content)


@pytest.mark.parametrize(
    ("media_type", "content"),
    [
        ("image/jpeg", imagecodecs.png_encode(GREY)),
        ("image/png", imagecodecs.jpeg8_encode(GREY)),
        ("image/jp2", imagecodecs.htj2k_encode(GREY)),
        ("image/jpeg", imagecodecs.jpeg8_encode(GREY)[:-10]),
        ("image/png", lying_png()),
        ("image/jxl", imagecodecs.jpegxl_encode(np.dstack([COLOUR, GREY]), lossless=True)),
        ("video/mp4", VIDEOS["avc.mp4"][:-100]),
    ],
    ids=str,
)
def test_what_is_not_what_it_says_fails_its_instance_T3(taking, media_type, content):
    target = instances.new_target()
    reply = post(taking, metadata(target, CAPTURE, **pixels()), (media_type, content))
    assert 400 <= reply.status < 500, reply.body
    assert taking.studies(path_of(target) + "/metadata", "application/dicom+json").status == 404


def test_metadata_about_other_pixels_fails_its_instance(taking):
    target = instances.new_target()
    rows = {"00280010": {"vr": "US", "Value": [31]}}
    reply = post(taking, metadata(target, CAPTURE, **rows, **pixels()), ("image/jls", imagecodecs.jpegls_encode(GREY)))
    assert reply.status == 409, reply.body
