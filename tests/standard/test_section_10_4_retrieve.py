"""PS3.18 §10.4: WADO-RS."""

from __future__ import annotations

import json

import pytest
from standard_service import EXPLICIT, FRAMES, IMPLICIT, J2K, JPEG, Service, bulk_links, found, parts_of, path_of

from dicomgate.dicom import header
from dicomgate.dicom.source import BytesSource
from dicomgate.server import retrieve
from dicomgate.testing import instances

DICOM = 'multipart/related; type="application/dicom"'
STORED = f"{DICOM}; transfer-syntax=*"
HIERARCHICAL = "1.2.840.10008.1.2.4.65"
"""Lossless, and not decoded here."""
OCTETS = 'multipart/related; type="application/octet-stream"'


def test_study_series_instance_RET_01(service: Service, study) -> None:
    for path, count in (
        (f"/studies/{study.study}", 3),
        (f"/studies/{study.study}/series/{study.series}", 2),
        (path_of(study), 1),
    ):
        parts = parts_of(service.studies(path, DICOM))
        assert len(parts) == count
        assert len({part["Content-Location"] for part in parts}) == count
        for part in parts:
            alone = service.get(part["Content-Location"], "application/dicom")
            assert alone.body == part.body


@pytest.mark.parametrize("accept", [DICOM, STORED, OCTETS])
def test_more_instances_than_are_counted_ahead(
    service: Service, study, accept: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a very large study the length is not told, but it is all there."""
    monkeypatch.setattr(retrieve, "_MOST_COUNTED", 2)
    reply = service.studies(f"/studies/{study.study}", f"{accept}; q=0.9")  # asked as nobody did before
    assert len(parts_of(reply)) == 3
    assert "etag" not in reply.headers


def test_unknown_is_404_and_deleted_is_410_RET_03(service: Service) -> None:
    target = instances.new_target()
    paths = (path_of(target), f"/studies/{target.study}", f"/studies/{target.study}/metadata")
    paths += (f"{path_of(target)}/frames/1", f"{path_of(target)}/bulkdata/7FE00010")
    assert {service.studies(path).status for path in paths} == {404}
    service.store(instances.make(target))
    assert service.get(f"/dicomweb/studies/{target.study}", method="DELETE").status == 204
    assert {service.studies(path).status for path in paths} == {410}
    assert service.get(f"/dicomweb/studies/{target.study}", method="DELETE").status == 410


def test_stored_bytes_come_back_MT_06_V2(service: Service, compressed) -> None:
    target, content = compressed
    (part,) = parts_of(service.studies(path_of(target), STORED))
    assert part.body[132:] == content[132:]


@pytest.mark.parametrize("syntax", [IMPLICIT, "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"])
def test_uncompressed_goes_as_explicit_little_endian_GEN_09_MT_07(service: Service, syntax: str) -> None:
    target = instances.new_target()
    content = instances.make(target, syntax=syntax)
    service.store(content)
    (part,) = parts_of(service.studies(path_of(target), DICOM))
    assert part["Content-Type"] == f"application/dicom; transfer-syntax={EXPLICIT}"
    sent, stored = (header.read(BytesSource(each)) for each in (part.body, content))
    assert sent.transfer_syntax == EXPLICIT
    assert sent.attributes == stored.attributes
    frame = service.studies(f"{path_of(target)}/frames/1", "application/octet-stream")
    assert frame.headers["content-type"] == f"application/octet-stream; transfer-syntax={EXPLICIT}"
    assert frame.body == instances.counting(64)


def test_each_instance_its_own_syntax_RET_04(service: Service) -> None:
    first = instances.new_target()
    second = instances.new_target(first.study, first.series)
    service.store(instances.make(first), instances.make(second, syntax=JPEG, frames=[b"\xff\xd8lossy\xff\xd9"]))
    parts = parts_of(service.studies(f"/studies/{first.study}", STORED))
    assert {part["Content-Type"].partition("=")[2] for part in parts} == {EXPLICIT, JPEG}
    parts = parts_of(service.studies(f"/studies/{first.study}", DICOM))
    assert len(parts) == 2, "what is stored lossily is its own default (MT-07)"


def test_study_of_which_one_instance_cannot_be_sent_is_406_not_a_part_of_it(service: Service) -> None:
    first = instances.new_target()
    second = instances.new_target(first.study, first.series)
    service.store(instances.make(first), instances.make(second, syntax=HIERARCHICAL, frames=[b"\xff\xd8x"]))
    reply = service.studies(f"/studies/{first.study}", DICOM)
    assert reply.status == 406
    assert "of 1 among 2 instances" in json.loads(reply.body)["detail"]


# Metadata


def test_metadata_at_every_level_JSON_01_JSON_02(service: Service, study) -> None:
    for path, count in (
        (f"/studies/{study.study}", 3),
        (f"/studies/{study.study}/series/{study.series}", 2),
        (path_of(study), 1),
    ):
        datasets = found(service.studies(f"{path}/metadata", "application/dicom+json"))
        assert len(datasets) == count
        for dataset in datasets:
            tags = list(dataset)
            assert tags == sorted(tags)
            assert all(tag == tag.upper() and len(tag) == 8 for tag in tags)
            assert not any(tag.startswith("0002") or tag.endswith("0000") for tag in tags)


@pytest.mark.slow
def test_metadata_of_many_instances_is_whole(service: Service) -> None:
    target = instances.new_target()
    many = [instances.new_target(target.study, target.series) for _ in range(200)]
    notes = dict.fromkeys(("ImageComments", "PatientComments", "AdditionalPatientHistory"), "x" * 1000)
    notes |= dict.fromkeys(("RequestedProcedureComments", "ImagingServiceRequestComments"), "y" * 1000)
    service.store(*(instances.make(each, attributes=notes) for each in many))
    reply = service.studies(f"/studies/{target.study}/metadata")
    assert len(reply.body) > 1 << 20
    datasets = found(reply)
    assert {dataset["00080018"]["Value"][0] for dataset in datasets} == {each.instance for each in many}


def test_every_link_in_metadata_gives_the_value_RET_07(service: Service, native, compressed) -> None:
    links = []
    for target, _ in (native, compressed):
        (dataset,) = found(service.studies(f"{path_of(target)}/metadata"))
        links += bulk_links(dataset)
    assert len(links) == 2
    assert all(link.startswith(f"{service.root}/studies/") for link in links)
    pixels = service.get(links[0], "application/octet-stream")
    assert (pixels.status, pixels.body) == (200, instances.counting(64))
    assert pixels.headers["content-location"] == links[0]
    parts = parts_of(service.get(links[1], f"{OCTETS}; transfer-syntax=*"))
    assert [part.body[4:] for part in parts] == FRAMES
    assert {part["Content-Location"] for part in parts} == {links[1]}


def test_a_value_that_looks_like_a_link_is_not_changed(service: Service) -> None:
    target = instances.new_target()
    text = '"BulkDataURI":"/studies/1'
    service.store(instances.make(target, attributes={"ImageComments": text}))
    (dataset,) = found(service.studies(f"{path_of(target)}/metadata"))
    assert dataset["00204000"]["Value"] == [text]


# Frames


def test_frames_in_order_with_their_addresses_FRM_01(service: Service, compressed) -> None:
    target, _ = compressed
    reply = service.studies(f"{path_of(target)}/frames/1,3", f"{OCTETS}; transfer-syntax=*")
    parts = parts_of(reply)
    assert [part.body[4:] for part in parts] == [FRAMES[0], FRAMES[2]]
    assert [part["Content-Location"] for part in parts] == [
        f"{service.root}{path_of(target)}/frames/{number}" for number in (1, 3)
    ]
    assert int(reply.headers["content-length"]) == len(reply.body)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("multipart/related; type=application/octet-stream; transfer-syntax=*", "application/octet-stream"),
        ('multipart/related; type="*/*"', "image/jp2"),
        ('multipart/related; type="image/jp2"', "image/jp2"),
        (f'multipart/related; type="image/jp2"; transfer-syntax={J2K}', "image/jp2"),
        ('multipart/related; type="image/jls"; transfer-syntax="1.2.840.10008.1.2.4.80"; transfer-syntax="*"', None),
        ("*/*", "image/jp2"),
        (None, "image/jp2"),
        ("image/jp2", "image/jp2"),
        ("application/octet-stream; transfer-syntax=*", "application/octet-stream"),
    ],
)
def test_compressed_frame_names_its_syntax_V3_CLI_01(
    service: Service, compressed, accept: str | None, expected: str | None
) -> None:
    reply = service.studies(f"{path_of(compressed[0])}/frames/2", accept)
    assert reply.status == 200
    if reply.headers["content-type"].startswith("multipart"):
        (part,) = parts_of(reply)
        content_type, body = part["Content-Type"], part.body
    else:
        content_type, body = reply.headers["content-type"], reply.body
    assert body[4:] == FRAMES[1]
    assert content_type.endswith(f"; transfer-syntax={J2K}")
    assert expected is None or content_type.startswith(expected + ";")


def test_compressed_frame_asked_uncompressed_is_406_MT_12(service: Service, compressed) -> None:
    path = f"{path_of(compressed[0])}/frames/1"
    for accept in (OCTETS, 'multipart/related; type="image/jphc"; transfer-syntax=1.2.840.10008.1.2.4.201'):
        assert service.studies(path, accept).status == 406


@pytest.mark.parametrize(("frames", "status"), [("0", 400), ("a", 400), ("3,1", 400), ("1,,2", 400), ("999", 404)])
def test_frames_that_are_none_FRM_01_AMB_10(service: Service, compressed, frames: str, status: int) -> None:
    assert service.studies(f"{path_of(compressed[0])}/frames/{frames}", "*/*").status == status


def test_native_frames_are_exact_FRM_02(service: Service, multiframe) -> None:
    parts = parts_of(service.studies(f"{path_of(multiframe[0])}/frames/1,2,3", OCTETS))
    assert [part.body for part in parts] == [bytes([number, 0]) * 64 for number in range(3)]


def test_several_frames_as_a_single_part_are_406_MT_17(service: Service, multiframe) -> None:
    assert service.studies(f"{path_of(multiframe[0])}/frames/1,2", "application/octet-stream").status == 406


# Bulk data


def test_all_bulk_data_FRM_04_FRM_05(service: Service, study, compressed) -> None:
    for path, count in ((f"/studies/{study.study}", 3), (path_of(study), 1)):
        for tail in ("", "/bulkdata", "/pixeldata"):
            parts = parts_of(service.studies(path + tail, OCTETS))
            assert [part.body for part in parts] == [instances.counting(64)] * count
            assert all(part["Content-Location"].endswith("/bulkdata/7FE00010") for part in parts)
    parts = parts_of(service.studies(f"{path_of(compressed[0])}/bulkdata", f"{OCTETS}; transfer-syntax=*"))
    assert [part.body[4:] for part in parts] == FRAMES


def test_no_bulk_data_is_404_MP_06(service: Service, native) -> None:
    assert service.studies(f"{path_of(native[0])}/bulkdata/00100010").status == 404
    assert service.studies(f"{path_of(native[0])}/bulkdata/../../..").status == 404


# Delete, an extension


def test_delete_at_every_level_AMB_21(service: Service) -> None:
    uid = instances.new_target().study
    first, second = instances.new_target(uid), instances.new_target(uid)
    third = instances.new_target(uid, first.series)
    service.store(*(instances.make(target) for target in (first, second, third)))

    def delete(path: str) -> int:
        return service.get(f"/dicomweb{path}", method="DELETE").status

    assert delete(path_of(first)) == 204
    assert service.studies(path_of(first)).status == 410
    assert len(found(service.studies(f"/studies/{uid}/instances"))) == 2
    assert delete(f"/studies/{uid}/series/{second.series}") == 204
    assert len(found(service.studies(f"/studies/{uid}/series"))) == 1
    assert delete(f"/studies/{uid}") == 204
    assert service.studies(f"/studies?StudyInstanceUID={uid}").status == 204
    assert delete(f"/studies/{uid}") == 410


def test_delete_is_off_unless_it_is_switched_on(strict: Service) -> None:
    reply = strict.get("/dicomweb/studies/1.2", method="DELETE")
    assert (reply.status, reply.headers["allow"]) == (405, "GET, HEAD, POST, OPTIONS")
