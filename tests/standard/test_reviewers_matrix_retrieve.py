"""The reviewer's matrix, rows 14 to 28: retrieval, written from the standard's text and not from the code (§8.7, §10.4).

Each test names its row.
"""

from __future__ import annotations

import io
import itertools

import imagecodecs
import numpy as np
import pydicom
import pytest
from standard_matrix import DICOM, JSON, first, results
from standard_service import EXPLICIT, IMPLICIT, J2K, Part, Service, bulk_links, parts_of, path_of

from dicomgate import config
from dicomgate.dicom.uids import Target
from dicomgate.testing import instances

HTJ2K = "1.2.840.10008.1.2.4.201"
FILES = 'multipart/related; type="application/dicom"'
OCTETS = 'multipart/related; type="application/octet-stream"'
ROWS, COLUMNS = 24, 40


@pytest.fixture(scope="module")
def archive(open_service) -> Service:
    """Nothing in it but what these tests store."""
    return open_service(store=config.Store(allow_delete=True))


def pictures(count: int) -> np.ndarray:
    """Frames of 12 bits that differ, and are no flat surface."""
    values = np.arange(count * ROWS * COLUMNS, dtype=np.uint32) * 37 % 4096
    return values.astype("<u2").reshape(count, ROWS, COLUMNS)


def stored(archive: Service, count: int, syntax: str = J2K) -> tuple[Target, bytes, np.ndarray]:
    """Frames that are really compressed, stored."""
    target, frames = instances.new_target(), pictures(count)
    codestreams = [
        imagecodecs.jpeg2k_encode(frame, level=0, codecformat="j2k", reversible=True, bitspersample=12)
        for frame in frames
    ]
    content = instances.make(target, syntax=syntax, rows=ROWS, columns=COLUMNS, frames=codestreams)
    archive.store(content)
    return target, content, frames


@pytest.fixture(scope="module")
def compressed(archive: Service) -> tuple[Target, bytes, np.ndarray]:
    return stored(archive, 1)


@pytest.fixture(scope="module")
def cine(archive: Service) -> tuple[Target, bytes, np.ndarray]:
    return stored(archive, 10)


def read(content: bytes) -> pydicom.Dataset:
    return pydicom.dcmread(io.BytesIO(content))


def only_part(archive: Service, target: Target, accept: str) -> Part:
    reply = archive.studies(path_of(target), accept)
    assert reply.status == 200, reply.body
    (part,) = parts_of(reply)
    return part


def test_row_14_a_compressed_object_comes_as_explicit_little_endian(archive: Service, compressed) -> None:
    """MT-07: nothing said of a transfer syntax means Explicit VR Little Endian; the pixels are those that were coded."""
    target, content, frames = compressed
    part = only_part(archive, target, FILES)
    assert part["Content-Type"] == f"application/dicom; transfer-syntax={EXPLICIT}"
    found, was = read(part.body), read(content)
    assert found.file_meta.TransferSyntaxUID == EXPLICIT
    assert found.PixelData == frames.tobytes()
    assert found.SOPInstanceUID == target.instance, "lossless: it is the same instance"
    for element in was:
        assert element.tag == 0x7FE00010 or found[element.tag] == element
    assert {element.tag for element in found} == {element.tag for element in was}


def test_row_15_any_syntax_is_the_stored_one_byte_for_byte(archive: Service, compressed) -> None:
    """MT-06: nothing of the data set, and nothing of the file, is touched."""
    target, content, _ = compressed
    part = only_part(archive, target, f"{FILES}; transfer-syntax=*")
    assert part["Content-Type"] == f"application/dicom; transfer-syntax={J2K}"
    assert part.body == content


@pytest.mark.parametrize("syntax", [IMPLICIT, "1.2.840.10008.1.2.2"])
def test_row_16_implicit_little_endian_cannot_be_had(archive: Service, compressed, syntax: str) -> None:
    """GEN-09, MT-03: the member is left out, which is 406 if it was alone, and no more than left out if it was not."""
    target, content, _ = compressed
    path, alone = path_of(target), f"{FILES}; transfer-syntax={syntax}"
    assert archive.studies(path, alone).status == 406
    assert archive.studies(path, f"application/dicom; transfer-syntax={syntax}").status == 406
    for accept in (f"{alone}, {FILES}; transfer-syntax=*;q=0.1", f"{FILES}; transfer-syntax=*;q=0.1, {alone}"):
        assert only_part(archive, target, accept).body == content
    own = instances.new_target()
    archive.store(instances.make(own, syntax=syntax))
    assert archive.studies(path_of(own), alone).status == 406, "also where it is stored so"


def test_row_17_one_instance_as_a_single_part(archive: Service, compressed) -> None:
    """MT-16: optional in the standard, and offered here."""
    target, content, frames = compressed
    reply = archive.studies(path_of(target), DICOM)
    assert (reply.status, reply.headers["content-type"]) == (200, f"application/dicom; transfer-syntax={EXPLICIT}")
    assert read(reply.body).PixelData == frames.tobytes()
    assert archive.studies(path_of(target), f"{DICOM}; transfer-syntax=*").body == content
    (part,) = parts_of(archive.studies(path_of(target), FILES))
    assert part.body == reply.body


def test_row_18_a_study_as_a_single_part_is_406(archive: Service, compressed) -> None:
    """MT-17: even though it holds one instance."""
    target = compressed[0]
    for path in (f"/studies/{target.study}", f"/studies/{target.study}/series/{target.series}"):
        for accept in (DICOM, f"{DICOM}; transfer-syntax=*", "application/octet-stream"):
            assert archive.studies(path, accept).status == 406, accept
        assert archive.studies(path, f"{DICOM}, {FILES};q=0.1").status == 200


@pytest.mark.slow
def test_row_19_dicom_and_rendered_types_do_not_mix(archive: Service, open_service, compressed) -> None:
    """MT-02, AMB-02: 400 where the service is strict; else the one that the resource has is taken."""
    target = compressed[0]
    strict = open_service(search=config.Search(strict=True))
    strict.post(compressed[1], accept=JSON)
    mixed = "application/dicom+json, image/jpeg"
    for path in (f"/studies/{target.study}", f"/studies/{target.study}/metadata", f"{path_of(target)}/rendered"):
        assert strict.studies(path, mixed).status == 400, path
        assert strict.studies(path, "*/*").status == 200, path
    lenient = archive.studies(f"/studies/{target.study}/metadata", mixed)
    assert lenient.headers["content-type"] == JSON
    assert archive.studies(f"{path_of(target)}/rendered", mixed).headers["content-type"] == "image/jpeg"
    assert archive.studies(f"/studies/{target.study}", mixed).status == 406, "neither is a form of its instances"


@pytest.mark.parametrize("tail", ["", "/metadata", "/rendered", "/thumbnail", "/bulkdata", "/pixeldata"])
def test_row_20_unknown_is_404_and_deleted_is_410(archive: Service, tail: str) -> None:
    """RET-03, GEN-10: at every level and of every kind."""
    target = instances.new_target()
    levels = (f"/studies/{target.study}", f"/studies/{target.study}/series/{target.series}", path_of(target))
    assert {archive.studies(level + tail, "*/*").status for level in levels} == {404}
    archive.store(instances.make(target))
    assert archive.studies(levels[0], method="DELETE").status == 204
    assert {archive.studies(level + tail, "*/*").status for level in levels} == {410}
    frames = (f"{path_of(target)}/frames/1", f"{path_of(target)}/frames/1/rendered")
    assert {archive.studies(path, "*/*").status for path in frames} == {410}


def test_row_21_metadata_is_an_array_of_sorted_data_sets(archive: Service, compressed, cine) -> None:
    """JSON-01, JSON-02: no file meta information, no group lengths, eight upper-case digits in ascending order."""
    target = instances.new_target()
    made = read(instances.make(target))
    made.add_new(0x00090010, "LO", "ACME")
    made.add_new(0x000910FE, "DS", "1.5")
    made.add_new(0x00080000, "UL", 4)
    made.add_new(0x0040A730, "SQ", [])
    content = io.BytesIO()
    made.save_as(content, enforce_file_format=True)
    archive.store(content.getvalue())
    for stored_target in (target, compressed[0], cine[0]):
        (dataset,) = results(archive.studies(f"{path_of(stored_target)}/metadata", JSON))
        tags = list(dataset)
        assert tags == sorted(tags)
        for tag in tags:
            assert len(tag) == 8
            assert set(tag) <= set("0123456789ABCDEF")
            assert not tag.startswith("0002")
            assert not tag.endswith("0000")
        assert first(dataset, "00080018") == stored_target.instance
    (dataset,) = results(archive.studies(f"{path_of(target)}/metadata", JSON))
    assert "000910FE" in dataset
    assert dataset["0040A730"] == {"vr": "SQ"}


def test_row_22_each_bulk_address_gives_exactly_the_value(archive: Service) -> None:
    """RET-07, RET-08: at the top and within an item; the length is the value's own."""
    target = instances.new_target()
    made = read(instances.make(target))
    table, secret = bytes(range(256)) * 40, bytes(range(255, -1, -1)) * 37
    made.add_new(0x00281201, "OW", table)
    made.add_new(0x00091000 | 0x10, "OB", secret)
    made.add_new(0x00090010, "LO", "ACME")
    item = pydicom.Dataset()
    item.add_new(0x00281203, "OW", table[::-1])
    made.add_new(0x00283000, "SQ", [item])
    content = io.BytesIO()
    made.save_as(content, enforce_file_format=True)
    archive.store(content.getvalue())
    (dataset,) = results(archive.studies(f"{path_of(target)}/metadata", JSON))
    expected = {
        dataset["00281201"]["BulkDataURI"]: table,
        dataset["00091010"]["BulkDataURI"]: secret,
        dataset["7FE00010"]["BulkDataURI"]: made.PixelData,
        first(dataset, "00283000")["00281203"]["BulkDataURI"]: table[::-1],
    }
    assert set(bulk_links(dataset)) == set(expected)
    for link, value in expected.items():
        for accept in ("application/octet-stream", "*/*", OCTETS):
            reply = archive.get(link, accept)
            assert reply.status == 200, link
            if reply.headers["content-type"].startswith("multipart"):
                (part,) = parts_of(reply)
                assert (part.body, part["Content-Location"]) == (value, link)
            else:
                assert (reply.body, reply.headers["content-location"]) == (value, link)


def test_row_23_frames_come_in_order_each_with_its_address(archive: Service, cine) -> None:
    """FRM-01: two parts; here decompressed, for nothing is said of a transfer syntax."""
    target, _, frames = cine
    made = parts_of(archive.studies(f"{path_of(target)}/frames/1,3", OCTETS))
    root = f"{archive.root}{path_of(target)}/frames"
    assert [part["Content-Location"] for part in made] == [f"{root}/1", f"{root}/3"]
    assert [part.body for part in made] == [frames[0].tobytes(), frames[2].tobytes()]
    kept = parts_of(archive.studies(f"{path_of(target)}/frames/1,3", f"{OCTETS}; transfer-syntax=*"))
    assert [part["Content-Location"] for part in kept] == [f"{root}/1", f"{root}/3"]
    assert all(np.array_equal(imagecodecs.jpeg2k_decode(p.body), frames[n]) for p, n in zip(kept, (0, 2), strict=True))


@pytest.mark.parametrize("listed", ["0", "a", "3,1", "1,1", "1,", ",1", "1;2", "1-3", "01x", "-1", "+1", "1.0", "1,a"])
def test_row_24_a_list_of_frames_that_is_none_is_400(archive: Service, cine, compressed, listed: str) -> None:
    """FRM-01: also of an instance that has one frame, and of pictures of frames."""
    for target in (cine[0], compressed[0]):
        for tail in ("", "/rendered", "/thumbnail"):
            status = archive.studies(f"{path_of(target)}/frames/{listed}{tail}", "*/*").status
            assert status == 400, tail


def test_row_25_a_frame_past_the_last_is_404(archive: Service, cine) -> None:
    """AMB-10: of ten frames the 999th; also when others of the list are there."""
    for listed, tail in itertools.product(("999", "11", "1,999", "99999999"), ("", "/rendered", "/thumbnail")):
        assert archive.studies(f"{path_of(cine[0])}/frames/{listed}{tail}", "*/*").status == 404, listed
    assert archive.studies(f"{path_of(cine[0])}/frames/10", "*/*").status == 200


def test_row_26_frames_of_one_bit_have_no_padding_between_them(archive: Service) -> None:
    """MT-11: 25 bits a frame, so that the second begins within a byte and the value has no room for padding."""
    rows, columns, count = 5, 5, 3
    bits = np.array([(7 * place + place // 3) % 3 == 0 for place in range(rows * columns * count)], dtype=np.uint8)
    packed = np.packbits(bits, bitorder="little").tobytes()
    said = {"BitsAllocated": 1, "BitsStored": 1, "HighBit": 0, "NumberOfFrames": count}
    target = instances.new_target()
    made = read(instances.make(target, rows=rows, columns=columns, frames=[packed], attributes=said))
    made["PixelData"].VR = "OB"
    content = io.BytesIO()
    made.save_as(content, enforce_file_format=True)
    archive.store(content.getvalue())
    path, size = path_of(target), rows * columns
    for number in range(1, count + 1):
        body = archive.studies(f"{path}/frames/{number}", "application/octet-stream").body
        assert len(body) == (size + 7) // 8
        found = np.unpackbits(np.frombuffer(body, np.uint8), bitorder="little")
        assert found[:size].tolist() == bits[(number - 1) * size : number * size].tolist()
        assert not found[size:].any()
    (value,) = parts_of(archive.studies(f"{path}/pixeldata", OCTETS))
    assert value.body == packed, "of the whole value one bit follows another"


def test_row_27_frames_as_htj2k_are_codestreams_or_406(archive: Service, cine) -> None:
    """MT-12, MT-13: offered, so the codestream and nothing around it."""
    target, _, frames = cine
    accept = f'multipart/related; type="image/jphc"; transfer-syntax={HTJ2K}'
    reply = archive.studies(f"{path_of(target)}/frames/1", accept)
    assert reply.status == 200
    (part,) = parts_of(reply)
    assert part["Content-Type"] == f"image/jphc; transfer-syntax={HTJ2K}"
    assert part.body.startswith(b"\xff\x4f\xff\x51"), "a codestream: no box, no item header"
    assert np.array_equal(imagecodecs.jpeg2k_decode(part.body), frames[0])
    broken = instances.new_target()
    archive.store(instances.make(broken, syntax=J2K, frames=[b"\xff\x4f\xff\x51nonsense"]))
    assert archive.studies(f"{path_of(broken)}/frames/1", accept).status == 406


@pytest.mark.parametrize(
    "accept",
    [
        'multipart/related; type="image/jls"; transfer-syntax="1.2.840.10008.1.2.4.80"; transfer-syntax="*"',
        "multipart/related; type=image/jls; transfer-syntax=1.2.840.10008.1.2.4.80; transfer-syntax=*",
        'multipart/related; type="application/octet-stream"; transfer-syntax="1.2.3"; transfer-syntax="*"',
    ],
)
def test_row_28_a_transfer_syntax_given_twice_is_honoured_not_refused(archive: Service, cine, accept: str) -> None:
    """CLI-02: either of them will do, and the part says which it is."""
    target, _, frames = cine
    reply = archive.studies(f"{path_of(target)}/frames/2", accept)
    assert reply.status == 200
    (part,) = parts_of(reply)
    kind, _, syntax = part["Content-Type"].partition("; transfer-syntax=")
    decode = {"1.2.840.10008.1.2.4.80": imagecodecs.jpegls_decode, J2K: imagecodecs.jpeg2k_decode}[syntax]
    assert kind in {"image/jls", "image/jp2"} if "image/jls" in accept else kind == "application/octet-stream"
    assert np.array_equal(decode(part.body), frames[1])
