"""Metadata in every form: JSON and XML, as it is and compressed, made once and ready the next time (MT-18, RET-10)."""

from __future__ import annotations

import gzip
import json
import zlib
from xml.etree import ElementTree as ET

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from standard_service import Service, parts_of, path_of

from dicomgate import config
from dicomgate.dicom import xmlreader
from dicomgate.dicom.uids import Target
from dicomgate.server import codings
from dicomgate.testing import instances
from dicomgate.testing.serving import Reply

XML = 'multipart/related; type="application/dicom+xml"'
NATIVE = "{http://dicom.nema.org/PS3.19/models/NativeDICOM}NativeDicomModel"
EXPAND = {
    None: bytes,
    "gzip": gzip.decompress,
    "zstd": lambda body: zstandard.ZstdDecompressor().decompressobj().decompress(body),
}


def expanded(reply: Reply) -> bytes:
    return EXPAND[reply.headers.get("content-encoding")](reply.body)


def levels(target: Target) -> list[str]:
    return [f"/studies/{target.study}", f"/studies/{target.study}/series/{target.series}", path_of(target)]


def test_xml_is_one_document_for_each_instance_MT_18_XML_01(service: Service, study) -> None:
    for path, count in zip(levels(study), (3, 2, 1), strict=True):
        datasets = json.loads(service.studies(f"{path}/metadata").body)
        reply = service.studies(f"{path}/metadata", XML)
        assert reply.headers["content-type"].startswith('multipart/related; type="application/dicom+xml"')
        parts = parts_of(reply)
        assert len(parts) == len(datasets) == count
        for part, dataset in zip(parts, datasets, strict=True):
            assert part["Content-Type"] == "application/dicom+xml"
            assert ET.fromstring(part.body).tag == NATIVE
            assert json.loads(service.get(part["Content-Location"]).body) == [dataset]
            assert xmlreader.parse(part.body).keys() == dataset.keys()


def test_xml_is_chosen_by_accept_alone_MT_18(service: Service, study) -> None:
    path = f"/studies/{study.study}/metadata"
    json_first = service.studies(path, f"{XML};q=0.5, application/dicom+json")
    assert json_first.headers["content-type"] == "application/dicom+json"
    xml_first = service.studies(path, f"{XML}, application/dicom+json;q=0.5")
    assert xml_first.headers["content-type"].startswith("multipart/related")
    assert service.studies(path, "application/dicom+xml").status == 406  # several documents are never one (MT-18)
    alone = service.studies(path_of(study) + "/metadata", "application/dicom+xml")
    assert (alone.status, alone.headers["content-type"]) == (200, "application/dicom+xml")
    assert ET.fromstring(alone.body).tag == NATIVE


@pytest.mark.parametrize("charset", ["utf-8", "UTF-8", "ISO-8859-1"])
def test_other_charsets_are_not_looked_at_for_metadata_GEN_13(service: Service, study, charset: str) -> None:
    path = f"/studies/{study.study}/metadata"
    assert service.studies(path, f"application/dicom+json; charset={charset}").status == 200
    assert service.studies(path, f"{XML}; charset={charset}").status == 200


def test_poison_in_a_value_breaks_neither_form_T8(service: Service) -> None:
    target = instances.new_target()
    service.store(instances.make(target, attributes={"PatientComments": 'a\x01b</Value><x y="&amp;">\ud7ff'}))
    reply = service.studies(path_of(target) + "/metadata", XML)
    (part,) = parts_of(reply)
    ET.fromstring(part.body)
    assert len(json.loads(service.studies(path_of(target) + "/metadata").body)) == 1


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
@pytest.mark.parametrize("accept", ["application/dicom+json", XML])
@pytest.mark.parametrize("level", [0, 1, 2])
def test_compressed_is_the_same(service: Service, study, level: int, accept: str, coding: str) -> None:
    path = levels(study)[level] + "/metadata"
    plain = service.studies(path, accept, Accept_Encoding="identity")
    for _ in range(3):  # made, and ready
        reply = service.studies(path, accept, Accept_Encoding=coding)
        assert reply.headers["content-encoding"] == coding
        assert reply.headers["vary"].startswith("Accept, Accept-Encoding")
        assert reply.headers["etag"] != plain.headers["etag"]
        if accept != XML:  # its boundary follows from the tag
            assert expanded(reply) == plain.body
        else:
            assert len(expanded(reply)) == len(plain.body)
        assert service.studies(path, accept, Accept_Encoding=coding, If_None_Match=reply.headers["etag"]).status == 304


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip, deflate, br", "gzip"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("zstd;q=0.1, gzip", "gzip"),
        ("x-gzip", "gzip"),
        ("*", "zstd"),
        ("*;q=0.5, zstd;q=0", "gzip"),
        ("identity", None),
        ("gzip;q=0", None),
        ("gzip;q=0.5, identity", None),
        ("br", None),
        ("gzip;q=x", None),
        ("", None),
    ],
)
def test_the_coding_is_the_callers_choice(service: Service, study, accepted: str, coding: str | None) -> None:
    reply = service.studies(f"/studies/{study.study}/metadata", Accept_Encoding=accepted)
    assert reply.headers.get("content-encoding") == coding
    assert len(json.loads(expanded(reply))) == 3


@given(st.text(max_size=60))
def test_any_accept_encoding_is_survived(text: str) -> None:
    assert codings.choose(text) in {"", "gzip", "zstd"}


@given(st.lists(st.binary(max_size=2000), max_size=8))
def test_what_is_compressed_expands_to_what_it_was(chunks: list[bytes]) -> None:
    whole = b"".join(chunks)
    assert zlib.decompress(b"".join(codings.compress(chunks, "gzip")), 31) == whole
    assert zstandard.ZstdDecompressor().decompressobj().decompress(b"".join(codings.compress(chunks, "zstd"))) == whole
    assert b"".join(codings.compress(chunks, "")) == whole


def test_a_search_is_compressed_and_known_again_RET_09(service: Service, native, study) -> None:
    for accept in ("application/dicom+json", XML):
        first = service.studies("/studies?includefield=all", accept)
        again = service.studies("/studies?includefield=all", accept)
        assert again.headers["etag"] == first.headers["etag"]
        assert again.body == first.body
        assert service.studies("/studies?includefield=all", accept, If_None_Match=first.headers["etag"]).status == 304
        packed = service.studies("/studies?includefield=all", accept, Accept_Encoding="gzip")
        assert expanded(packed) == first.body
        assert packed.headers["etag"] != first.headers["etag"]
    service.store(instances.make(instances.new_target()))
    assert service.studies("/studies?includefield=all", If_None_Match=first.headers["etag"]).status == 200


# Ready, and never of yesterday


@pytest.mark.parametrize("memory", [0, 64 << 20])
def test_what_is_ready_is_of_now_RET_10(open_service, memory: int) -> None:
    settings = config.Store(allow_delete=True, duplicates="replace")
    service = open_service(store=settings, cache=config.Cache(memory_bytes=memory))
    first = instances.new_target()
    others = [instances.new_target(first.study, first.series) for _ in range(2)]
    path = levels(first)[1] + "/metadata"

    def seen() -> list[tuple[str, int]]:
        replies = [service.studies(path, Accept_Encoding=coding) for coding in ("identity", "gzip", "zstd")] * 2
        found = [json.loads(expanded(reply)) for reply in replies]
        assert all(one == found[0] for one in found)
        return sorted((one["00080018"]["Value"][0], one["00280011"]["Value"][0]) for one in found[0])

    service.store(instances.make(first))
    assert seen() == [(first.instance, 8)]
    service.store(instances.make(others[0]))
    assert len(seen()) == 2
    service.store(instances.make(instances.new_target()))  # of another study
    assert len(seen()) == 2
    service.store(instances.make(first, columns=16))
    assert dict(seen())[str(first.instance)] == 16
    tag = service.studies(path).headers["etag"]
    assert service.get(f"/dicomweb{path_of(first)}", method="DELETE").status in {200, 204}
    assert seen() == [(others[0].instance, 8)]
    assert service.studies(path, If_None_Match=tag).status == 200
    assert service.get(f"/dicomweb/studies/{first.study}", method="DELETE").status in {200, 204}
    assert service.studies(path).status == 410
    assert service.studies(path, If_None_Match=tag).status == 410
    service.store(instances.make(others[1]))
    assert seen() == [(others[1].instance, 8)]


def test_links_are_of_the_address_that_was_asked_V12(open_service) -> None:
    service = open_service(server=config.Server(trusted_proxies=("127.0.0.1",)))
    target = instances.new_target()
    service.store(instances.make(target, columns=64, rows=64))
    path = path_of(target) + "/metadata"
    for name in ("one.example", "two.example", "one.example"):
        reply = service.studies(path, Forwarded=f"proto=https;host={name}")
        link = json.loads(reply.body)[0]["7FE00010"]["BulkDataURI"]
        assert link.startswith(f"https://{name}/dicomweb/studies/")
        assert reply.headers["content-location"] == f"https://{name}/dicomweb{path}"
