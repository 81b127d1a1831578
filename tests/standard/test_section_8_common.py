"""PS3.18 §8: media types and how they are chosen, multipart, links, conditions and ranges, on the wire."""

from __future__ import annotations

import json

import pytest
from standard_service import EXPLICIT, FRAMES, J2K, Service, found, parts_of, path_of

DICOM = 'multipart/related; type="application/dicom"'

# V1: every way of writing the same wish


@pytest.mark.parametrize(
    "accept",
    [
        'multipart/related; type="application/dicom"; transfer-syntax="*"',
        "multipart/related; type=application/dicom; transfer-syntax=*",
        "multipart/related;type=application/dicom;transfer-syntax=*",
        "multipart/related; transfer-syntax=*; type=application/dicom",
        "Multipart/Related ; Type = application/dicom ; Transfer-Syntax = *",
        'image/png, nonsense, multipart/related; type="application/dicom"; transfer-syntax=*',
        'multipart/related; type="*/*"; transfer-syntax=*',
        f'multipart/related; type="application/dicom"; transfer-syntax={J2K}',
        f'multipart/related; type="application/dicom"; transfer-syntax="{J2K}"; transfer-syntax="*"',
        'multipart/related; type="application/dicom"; transfer-syntax="1.2.840.10008.1.2.4.80"; transfer-syntax="*"',
    ],
)
def test_every_way_of_writing_a_wish_V1_CLI_02(service: Service, compressed, accept: str) -> None:
    target, content = compressed
    reply = service.studies(path_of(target), accept)
    assert reply.status == 200
    (part,) = parts_of(reply)
    assert part.body[132:] == content[132:]
    assert part["Content-Type"] == f"application/dicom; transfer-syntax={J2K}"


def test_accept_in_the_address_wins_V1(service: Service, native) -> None:
    target, content = native
    reply = service.studies(f"{path_of(target)}?accept=application/dicom", DICOM)
    assert reply.headers["content-type"] == f"application/dicom; transfer-syntax={EXPLICIT}"
    assert reply.body == content


@pytest.mark.parametrize("accept", [None, "*/*"])
def test_no_wish_gets_the_default_AMB_01(service: Service, native, accept: str | None) -> None:
    target, content = native
    reply = service.studies(path_of(target), accept)
    assert reply.status == 200
    assert content[132:] in reply.body


def test_no_accept_header_is_406_when_strict_GEN_07(strict: Service) -> None:
    assert strict.studies("/studies").status == 406
    assert strict.studies("/studies", "*/*").status == 204


def test_dicom_and_rendered_types_mixed_are_400_when_strict_MT_02(strict: Service) -> None:
    assert strict.studies("/studies/1.2", "application/dicom+json, image/jpeg").status == 400


def test_nothing_that_can_be_sent_is_406_and_says_what_could_MT_04(service: Service, native) -> None:
    target, _ = native
    for path in (path_of(target), f"{path_of(target)}/metadata", f"{path_of(target)}/frames/1", "/studies"):
        reply = service.studies(path, "image/png")
        assert reply.status == 406
        assert json.loads(reply.body)["see"]


def test_compressed_asked_uncompressed_is_406_and_says_why_MT_07(service: Service, compressed) -> None:
    """Not a wrong answer: nothing is decompressed here yet."""
    reply = service.studies(path_of(compressed[0]), DICOM)
    assert reply.status == 406
    assert "transfer-syntax=*" in json.loads(reply.body)["detail"]


def test_implicit_little_endian_cannot_be_asked_for_GEN_09(service: Service, native) -> None:
    assert service.studies(path_of(native[0]), f"{DICOM}; transfer-syntax=1.2.840.10008.1.2").status == 406


def test_collection_as_single_part_is_406_MT_17(service: Service, study) -> None:
    for path in (f"/studies/{study.study}", f"/studies/{study.study}/series/{study.series}"):
        assert service.studies(path, "application/dicom").status == 406


def test_asked_for_one_answer_one_asked_for_parts_answer_parts_V5(service: Service, native) -> None:
    path = path_of(native[0])
    assert service.studies(path, "application/dicom").headers["content-type"].startswith("application/dicom;")
    assert len(parts_of(service.studies(path, DICOM))) == 1
    single = service.studies(f"{path}/frames/1", "application/octet-stream")
    assert single.headers["content-type"] == f"application/octet-stream; transfer-syntax={EXPLICIT}"
    several = service.studies(f"{path}/frames/1", 'multipart/related; type="application/octet-stream"')
    assert parts_of(several)[0].body == single.body


def test_json_is_json_and_nothing_after_it_V6(service: Service, native) -> None:
    for accept in ("application/dicom+json", "application/json", "*/*", "application/dicom+json, application/json"):
        for path in ("/studies", f"{path_of(native[0])}/metadata"):
            assert service.studies(path, accept).headers["content-type"] == "application/dicom+json"


# Messages


def test_length_is_told_or_the_body_is_chunked_never_both_GEN_02(service: Service, study, native) -> None:
    for path in ("/studies", f"/studies/{study.study}", f"{path_of(native[0])}/metadata", "/studies/1.9.9", "/x"):
        names = [name for name, _ in service.studies(path).all]
        assert ("content-length" in names) != ("transfer-encoding" in names)


def test_length_of_a_multipart_answer_is_told_when_it_is_known(service: Service, study) -> None:
    reply = service.studies(f"/studies/{study.study}", DICOM)
    assert int(reply.headers["content-length"]) == len(reply.body)


def test_head_is_get_without_the_body(service: Service, native) -> None:
    path = f"/dicomweb{path_of(native[0])}"
    for accept in ("application/dicom", "application/dicom+json"):
        tail = "/metadata" if "json" in accept else ""
        get, head = (service.get(path + tail, accept, method) for method in ("GET", "HEAD"))
        assert (head.status, head.body) == (200, b"")
        for name in ("content-type", "etag", "cache-control"):
            assert head.headers[name] == get.headers[name]


def test_links_are_absolute_and_resolve_V12_RET_08(service: Service, native) -> None:
    target, _ = native
    reply = service.studies(path_of(target), "application/dicom")
    link = reply.headers["content-location"]
    assert link == f"{service.root}{path_of(target)}"
    assert service.get(link, "application/dicom").body == reply.body


@pytest.mark.parametrize("tail", ["", "/frames/1", "/metadata", "/bulkdata/7FE00010"])
def test_what_is_known_is_304_RET_10(service: Service, native, tail: str) -> None:
    path = path_of(native[0]) + tail
    accept = (
        "application/octet-stream"
        if "frames" in tail or "bulk" in tail
        else "application/dicom, application/dicom+json"
    )
    reply = service.studies(path, accept)
    assert reply.status == 200
    assert "Accept" in reply.headers["vary"]
    assert reply.headers["cache-control"].startswith("private")
    again = service.studies(path, accept, If_None_Match=reply.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    assert again.headers["etag"] == reply.headers["etag"]
    assert service.studies(path, accept, If_None_Match='"other"').status == 200


def test_other_representations_have_other_tags_RET_10(service: Service, native) -> None:
    path = path_of(native[0])
    tags = {
        service.studies(path + tail, accept).headers["etag"]
        for tail, accept in (
            ("", "application/dicom"),
            ("", DICOM),
            ("/frames/1", "application/octet-stream"),
            ("/frames/1", 'multipart/related; type="application/octet-stream"'),
            ("/metadata", "application/dicom+json"),
        )
    }
    assert len(tags) == 5


def test_collection_has_a_tag_that_changes_with_it_RET_10(service: Service) -> None:
    from dicomgate.testing import instances

    first = instances.new_target()
    service.store(instances.make(first))
    path = f"/studies/{first.study}"
    for tail, accept in (("", DICOM), ("/metadata", "application/dicom+json")):
        reply = service.studies(path + tail, accept)
        assert service.studies(path + tail, accept, If_None_Match=reply.headers["etag"]).status == 304
    metadata = service.studies(path + "/metadata")
    service.store(instances.make(instances.new_target(first.study)))
    later = service.studies(path + "/metadata", If_None_Match=metadata.headers["etag"])
    assert later.status == 200
    assert len(found(later)) == 2


@pytest.mark.parametrize("tail", ["", "/frames/2", "/bulkdata/7FE00010"])
def test_ranges_of_a_single_part_V13_GEN_12_CLI_09(service: Service, multiframe, tail: str) -> None:
    path = path_of(multiframe[0]) + tail
    accept = "application/octet-stream" if tail else "application/dicom"
    whole = service.studies(path, accept)
    assert whole.headers["accept-ranges"] == "bytes"
    size = len(whole.body)
    for asked, span in (("0-9", range(10)), ("5-", range(5, size)), ("-7", range(size - 7, size))):
        reply = service.studies(path, accept, Range=f"bytes={asked}")
        assert (reply.status, reply.body) == (206, whole.body[span.start : span.stop])
        assert reply.headers["content-range"] == f"bytes {span.start}-{span.stop - 1}/{size}"
        assert reply.headers["content-length"] == str(len(span))
        assert reply.headers["content-type"] == whole.headers["content-type"]
    past = service.studies(path, accept, Range=f"bytes={size}-")
    assert (past.status, past.headers["content-range"]) == (416, f"bytes */{size}")
    stale = service.studies(path, accept, Range="bytes=0-1", If_Range='"other"')
    assert (stale.status, stale.body) == (200, whole.body)
    fresh = service.studies(path, accept, Range="bytes=0-1", If_Range=whole.headers["etag"])
    assert fresh.status == 206


def test_range_of_a_compressed_frame_CLI_09(service: Service, compressed) -> None:
    reply = service.studies(f"{path_of(compressed[0])}/frames/3", "image/jp2", Range="bytes=4-8")
    assert (reply.status, reply.body) == (206, FRAMES[2][:5])
