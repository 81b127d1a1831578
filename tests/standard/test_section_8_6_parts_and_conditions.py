"""A part of an answer, and an answer only if it changed: GEN-12, V13, RET-10 and RFC 9110 §13, §14."""

from __future__ import annotations

import json
import time
from email.utils import parsedate_to_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standard_service import FRAMES, J2K, Service, path_of

from dicomgate import config
from dicomgate.dicom.uids import Target
from dicomgate.server import ranges
from dicomgate.testing import instances
from dicomgate.testing.serving import Reply

OCTETS = "application/octet-stream; transfer-syntax=*"
SEVERAL = 'multipart/related; type="application/octet-stream"; transfer-syntax=*'
FILES = 'multipart/related; type="application/dicom"; transfer-syntax=*'


def kinds(native: Target, compressed: Target, study: Target) -> dict[str, tuple[str, str]]:
    return {
        "instance": (path_of(native), "application/dicom"),
        "instance, multipart": (path_of(native), FILES),
        "frame": (f"{path_of(native)}/frames/1", OCTETS),
        "frames": (f"{path_of(compressed)}/frames/1,3,9", SEVERAL),
        "value": (f"{path_of(native)}/bulkdata/7FE00010", OCTETS),
        "value, one part a frame": (f"{path_of(compressed)}/bulkdata/7FE00010", SEVERAL),
        "study": (f"/studies/{study.study}", FILES),
    }


KINDS = ["instance", "instance, multipart", "frame", "frames", "value", "value, one part a frame", "study"]


@pytest.fixture
def asked(service: Service, native, compressed, study, request) -> tuple[str, str, Reply]:
    path, accept = kinds(native[0], compressed[0], study)[request.param]
    reply = service.studies(path, accept)
    assert reply.status == 200, reply.body
    return path, accept, reply


def every_kind(test):
    return pytest.mark.parametrize("asked", KINDS, indirect=True)(test)


@every_kind
def test_the_same_request_gives_the_same_bytes_and_a_strong_tag_GEN_12(service: Service, asked) -> None:
    path, accept, reply = asked
    again = service.studies(path, accept)
    assert again.body == reply.body
    assert again.headers["etag"] == reply.headers["etag"]
    assert reply.headers["etag"].startswith('"')
    assert reply.headers["accept-ranges"] == "bytes"


@every_kind
def test_any_part_of_any_answer_GEN_12(service: Service, asked) -> None:
    path, accept, whole = asked
    size = len(whole.body)
    for first, last in ((0, 0), (0, size - 1), (1, 99), (size // 2, size // 2 + 50), (size - 1, size - 1)):
        reply = service.studies(path, accept, Range=f"bytes={first}-{last}")
        assert (reply.status, reply.body) == (206, whole.body[first : last + 1])
        assert reply.headers["content-range"] == f"bytes {first}-{last}/{size}"
        assert reply.headers["content-type"] == whole.headers["content-type"]
        assert reply.headers["etag"] == whole.headers["etag"]
    assert service.studies(path, accept, Range=f"bytes={size - 7}-").body == whole.body[-7:]
    assert service.studies(path, accept, Range="bytes=-7").body == whole.body[-7:]
    assert service.studies(path, accept, Range=f"bytes=5-{size * 3}").body == whole.body[5:]


@every_kind
def test_a_broken_download_is_resumed_GEN_12(service: Service, asked) -> None:
    path, accept, whole = asked
    got, tag = b"", whole.headers["etag"]
    while len(got) < len(whole.body):
        last = min(len(got) + 301, len(whole.body)) - 1
        reply = service.studies(path, accept, Range=f"bytes={len(got)}-{last}", If_Range=tag)
        assert reply.status == 206
        got += reply.body
    assert got == whole.body


@every_kind
def test_several_ranges_come_as_parts_GEN_12(service: Service, asked) -> None:
    path, accept, whole = asked
    size = len(whole.body)
    far = size - 5
    reply = service.studies(path, accept, Range=f"bytes={far}-,0-4")
    if far < 5 + 200:
        assert (reply.status, reply.body) == (206, whole.body)
        return
    assert reply.status == 206
    assert int(reply.headers["content-length"]) == len(reply.body)
    kind, _, boundary = reply.headers["content-type"].partition("; boundary=")
    assert kind == "multipart/byteranges"
    body = reply.body.removesuffix(f"\r\n--{boundary}--\r\n".encode())
    told = []
    for piece in body.removeprefix(f"--{boundary}\r\n".encode()).split(f"\r\n--{boundary}\r\n".encode()):
        head, _, content = piece.partition(b"\r\n\r\n")
        lines = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        assert lines["Content-Type"] == whole.headers["content-type"]
        told.append((lines["Content-Range"], content))
    assert told == [
        (f"bytes {far}-{size - 1}/{size}", whole.body[far:]),
        (f"bytes 0-4/{size}", whole.body[:5]),
    ]


@every_kind
def test_past_the_end_is_416_with_a_report_GEN_11_GEN_06(service: Service, asked) -> None:
    path, accept, whole = asked
    for text in (f"bytes={len(whole.body)}-", "bytes=-0", f"bytes={len(whole.body) + 5}-{len(whole.body) + 9}"):
        reply = service.studies(path, accept, Range=text)
        assert reply.status == 416
        assert reply.headers["content-range"] == f"bytes */{len(whole.body)}"
        assert json.loads(reply.body)["status"] == 416


@pytest.mark.parametrize("text", ["bytes=", "bytes=5-2", "bytes=-", "lines=1-2", "bytes=a-b", "bytes=0-1,x", "0-5"])
def test_a_range_that_is_none_is_not_looked_at(service: Service, native, text: str) -> None:
    reply = service.studies(path_of(native[0]), "application/dicom", Range=text)
    assert (reply.status, reply.body) == (200, native[1])


def test_a_part_of_another_version_is_the_whole(service: Service, native) -> None:
    path = path_of(native[0])
    for other in ('"other"', "Mon, 23 Nov 1998 00:00:00 GMT", 'W/"x"'):
        reply = service.studies(path, "application/dicom", Range="bytes=0-3", If_Range=other)
        assert (reply.status, reply.body) == (200, native[1])


def test_head_tells_what_get_tells_and_knows_no_ranges(service: Service, native) -> None:
    path = f"/dicomweb{path_of(native[0])}"
    get = service.get(path, "application/dicom")
    head = service.get(path, "application/dicom", "HEAD", Range="bytes=0-3")
    assert (head.status, head.body) == (200, b"")
    assert {**head.headers, "date": ""} == {**get.headers, "date": ""}


def test_unmeasured_answers_say_that_they_have_no_ranges(service: Service, native) -> None:
    for path, accept in (
        (f"{path_of(native[0])}/bulkdata", SEVERAL),
        (f"/studies/{native[0].study}/pixeldata", SEVERAL),
    ):
        reply = service.studies(path, accept, Range="bytes=0-3")
        assert (reply.status, reply.headers["accept-ranges"]) == (200, "none")


@every_kind
def test_what_is_known_is_not_sent_again_RET_10(service: Service, asked) -> None:
    path, accept, whole = asked
    tag = whole.headers["etag"]
    for known in (tag, f'"other", {tag}', f"W/{tag}", "*"):
        reply = service.studies(path, accept, If_None_Match=known)
        assert (reply.status, reply.body) == (304, b"")
        for name in ("etag", "cache-control", "vary"):
            assert reply.headers[name] == whole.headers[name]
    head = service.get("/dicomweb" + path, accept, "HEAD", If_None_Match=tag)
    assert head.status == 304


@every_kind
def test_only_this_version_or_412(service: Service, asked) -> None:
    path, accept, whole = asked
    tag = whole.headers["etag"]
    assert service.studies(path, accept, If_Match=tag).status == 200
    assert service.studies(path, accept, If_Match="*").status == 200
    for other in ('"other"', f"W/{tag}"):
        reply = service.studies(path, accept, If_Match=other)
        assert (reply.status, json.loads(reply.body)["status"]) == (412, 412)


@pytest.mark.slow
def test_dates_tell_versions_apart_where_a_second_holds_but_one(open_service) -> None:
    service = open_service(store=config.Store(duplicates="replace"))
    target = instances.new_target()
    service.store(instances.make(target))
    path = path_of(target)
    young = service.studies(path, "application/dicom")
    assert "last-modified" not in young.headers  # another version could come within this second
    deadline = time.monotonic() + 60
    while "last-modified" not in (reply := service.studies(path, "application/dicom")).headers:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    said = reply.headers["last-modified"]
    assert parsedate_to_datetime(said).timestamp() <= time.time()
    assert service.studies(path, "application/dicom", If_Modified_Since=said).status == 304
    assert service.studies(path, "application/dicom", If_Modified_Since=said, If_None_Match='"x"').status == 200
    assert service.studies(path, "application/dicom", If_Unmodified_Since=said).status == 200
    assert service.studies(path, "application/dicom", Range="bytes=0-9", If_Range=said).status == 206
    service.store(instances.make(target, columns=16))
    assert service.studies(path, "application/dicom", If_Modified_Since=said).status == 200
    assert service.studies(path, "application/dicom", If_Unmodified_Since=said).status == 412


@given(st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 3000)), min_size=1, max_size=8), st.integers(1, 2500))
def test_what_is_sent_covers_what_was_asked_and_never_overlaps(asked, size: int) -> None:
    text = "bytes=" + ",".join(f"{first}-{first + more}" for first, more in asked)
    spans = ranges.parse(text, size)
    assert spans is not None
    wanted = {place for first, more in asked for place in range(first, min(first + more + 1, size))}
    merged = ranges.merged(spans) if spans else []
    sent = [place for span in merged for place in span]
    assert len(sent) == len(set(sent))
    assert wanted <= set(sent)
    assert all(place < size for place in sent)


# How long it may be kept


def test_what_cannot_change_is_used_without_asking_RET_10(open_service) -> None:
    service = open_service()
    target = instances.new_target()
    service.store(instances.make(target))
    for tail, accept in (("/frames/1", OCTETS), ("/bulkdata/7FE00010", OCTETS)):
        kept = service.studies(path_of(target) + tail, accept).headers["cache-control"]
        assert kept == "private, max-age=86400, immutable"
    for path, accept in (
        (path_of(target), "application/dicom"),
        ("/studies", None),
        (path_of(target) + "/metadata", None),
    ):
        assert service.studies(path, accept).headers["cache-control"] == "private, no-cache"


@pytest.mark.parametrize("store", [{"allow_delete": True}, {"duplicates": "replace"}, {"duplicates": "keep-versions"}])
def test_what_may_be_deleted_or_replaced_is_asked_for_RET_10(open_service, store) -> None:
    service = open_service(store=config.Store(**store))
    target = instances.new_target()
    service.store(instances.make(target))
    reply = service.studies(f"{path_of(target)}/frames/1", OCTETS)
    assert reply.headers["cache-control"] == "private, no-cache"


def test_what_is_shared_is_for_those_who_do_not_say_who_they_are_RET_10(open_service) -> None:
    service = open_service(cache=config.Cache(shared=True, seconds=60))
    target = instances.new_target()
    service.store(instances.make(target, syntax=J2K, frames=FRAMES))
    path = f"{path_of(target)}/frames/1"
    assert service.studies(path, OCTETS).headers["cache-control"] == "public, max-age=60, immutable"
    listed = service.studies("/studies")
    assert (listed.headers["cache-control"], listed.headers["x-accel-expires"]) == ("public, no-cache", "@1")
    for who in ({"Authorization": "Bearer x"}, {"Cookie": "name=x"}):
        assert service.studies(path, OCTETS, **who).headers["cache-control"] == "private, max-age=60, immutable"
        assert service.studies("/studies", None, **who).headers["cache-control"] == "private, no-cache"


def test_refusals_are_not_kept(service: Service) -> None:
    for path in ("/studies/1.2.3", "/studies?limit=x", "/nothing"):
        assert service.studies(path).headers["cache-control"] == "no-store"


def test_one_field_says_all_that_an_answer_depends_on(service: Service, native) -> None:
    reply = service.studies(f"{path_of(native[0])}/frames/1", OCTETS, Origin="http://localhost:3000")
    assert [value for name, value in reply.all if name == "vary"] == ["Accept, Origin"]


@pytest.mark.parametrize(
    ("tail", "accept"),
    [("/frames/1", OCTETS), ("", "application/dicom"), ("/bulkdata/7FE00010", OCTETS), ("/metadata", None)],
)
def test_known_again_and_again_until_it_changes_RET_10(open_service, tail: str, accept: str | None) -> None:
    service = open_service(store=config.Store(duplicates="replace", allow_delete=True))
    target = instances.new_target()
    service.store(instances.make(target))
    path = path_of(target)
    tag = service.studies(path + tail, accept).headers["etag"]

    def ask() -> Reply:
        return service.studies(path + tail, accept, If_None_Match=tag)

    first = ask()
    for _ in range(3):
        again = ask()
        assert (again.status, again.body) == (304, b"")
        assert {**again.headers, "date": ""} == {**first.headers, "date": ""}
    assert service.studies(path + tail, accept, If_None_Match='"other"').status == 200
    assert service.studies(path + tail, accept, If_None_Match=tag, If_Match='"other"').status == 412
    assert service.studies(path + tail, "image/png", If_None_Match=tag).status == 406
    service.store(instances.make())  # of another study
    assert ask().status == 304
    service.store(instances.make(target, columns=16))
    assert ask().status == 200
    service.store(instances.make(target))
    if tail != "/metadata":  # whose version also tells when the file came
        assert [ask().status for _ in range(3)] == [304] * 3  # the same bytes once more
    assert service.get("/dicomweb" + path, method="DELETE").status in {200, 204}
    assert [ask().status for _ in range(2)] == [410] * 2
