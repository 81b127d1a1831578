"""Encapsulated documents (PS3.3 §A.45, §A.85; PS3.18 §10.5.1.4)."""

import struct
from pathlib import Path

import pytest
from pydicom import uid

from dicomgate import errors
from dicomgate.dicom import documents, header
from dicomgate.dicom.source import BytesSource

DATA = Path(__file__).parents[3] / "shared/data"
STL = bytes(80) + struct.pack("<I", 2) + bytes(100)
GOOD = {
    "application/pdf": [b"%PDF-1.7\n", b"\xef\xbb\xbf%PDF-1.4"],
    "text/xml": [b"<ClinicalDocument/>", b"\xef\xbb\xbf<?xml version='1.0'?><a/>", b"\n <a/>", "<a/>".encode("utf-16")],
    "model/stl": [STL],
    "model/obj": [b"# made by hand\n\nv 0 0 0\n", b"mtllib a.mtl\r\n", b"o thing"],
    "model/mtl": [b"#\nnewmtl skin\nKd 1 1 1\n"],
}


@pytest.mark.parametrize(
    ("media_type", "content"), [(name, content) for name, contents in GOOD.items() for content in contents]
)
def test_documents_that_begin_as_they_should(media_type, content):
    kind = documents.find(media_type)
    documents.check(BytesSource(content), kind)
    derived = documents.derive(kind, len(content))
    assert derived["00420012"]["Value"][0].lower() == media_type
    assert derived["00420015"] == {"vr": "UL", "Value": [len(content)]}
    for other in set(GOOD) - {media_type}:
        with pytest.raises(errors.Malformed):
            documents.check(BytesSource(content), documents.find(other))


@pytest.mark.parametrize("media_type", GOOD)
@pytest.mark.parametrize("content", [b"", b"\0", b"GIF89a", b"solid a\nendsolid a\n", STL[:-1], STL + b"\0", bytes(84)])
def test_documents_that_are_something_else(media_type, content):
    with pytest.raises(errors.Malformed):
        documents.check(BytesSource(content), documents.find(media_type))


def test_each_kind_has_the_sop_class_of_the_dictionary():
    names = {kind.name: kind.sop_class for kind in documents.KINDS}
    assert {name: uid.UID(sop_class).name for name, sop_class in names.items()} == {
        name: f"{name} Storage" for name in names
    }
    assert all(documents.find_by_class(kind.sop_class) is kind for kind in documents.KINDS)


@pytest.mark.parametrize(
    ("media_type", "name"),
    [
        ("TEXT/XML", "Encapsulated CDA"),
        ("application/hl7-v3+xml", "Encapsulated CDA"),
        ("application/sla", "Encapsulated STL"),
        ("application/pdf", "Encapsulated PDF"),
    ],
)
def test_other_names_of_media_types(media_type, name):
    assert documents.find(media_type).name == name


@pytest.mark.parametrize("media_type", ["application/zip", "text/html", "", "application/octet-stream"])
def test_what_is_no_document(media_type):
    assert documents.find(media_type) is None


def test_a_real_document():
    path = DATA / "objects/pdf/doc_evle.dcm"
    if not path.exists():
        pytest.skip("needs the shared data")
    content = path.read_bytes()
    head = header.read(BytesSource(content))
    place = head.bulk["00420011"]
    document = BytesSource(content[place.offset : place.offset + place.length])
    kind = documents.find_by_class(head.sop_class)
    documents.check(document, kind)
    assert documents.contradictions(head.attributes, kind, document.size) == ()


def test_contradictions_name_the_tags():
    kind = documents.find("model/stl")
    given = {
        "00080016": {"vr": "UI", "Value": ["1.2.840.10008.5.1.4.1.1.104.1"]},
        "00080060": {"vr": "CS", "Value": ["DOC"]},
        "00420012": {"vr": "LO", "Value": ["application/pdf"]},
        "00420015": {"vr": "UL", "Value": [5]},
    }
    assert documents.contradictions(given, kind, 184) == ("00080016", "00080060", "00420012", "00420015")
    assert documents.contradictions({"00420012": {"vr": "LO", "Value": ["Model/STL"]}}, kind, 184) == ()
