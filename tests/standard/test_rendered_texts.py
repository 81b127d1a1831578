"""PS3.18 §10.4.3.3.3 of what shows no picture: reports, documents, everything else (REN-01, REN-11, GEN-13, URI-16)."""

from __future__ import annotations

import html.parser
import xml.etree.ElementTree as ET

import pytest
from pydicom.dataset import Dataset
from standard_service import Service, parts_of, path_of

from dicomgate.dicom.uids import Target
from dicomgate.testing import instances

REPORT, PDF, PLAN = "1.2.840.10008.5.1.4.1.1.88.11", "1.2.840.10008.5.1.4.1.1.104.1", "1.2.840.10008.5.1.4.1.1.481.5"
HOSTILE = "<script>alert(1)</script>"
CONTENT = b"%PDF-1.4\nhello\n%%EOF\n"


def code(meaning: str) -> Dataset:
    made = Dataset()
    made.CodeValue, made.CodingSchemeDesignator, made.CodeMeaning = "1", "99TEST", meaning
    return made


def item(kind: str, concept: str) -> Dataset:
    made = Dataset()
    made.RelationshipType, made.ValueType, made.ConceptNameCodeSequence = "CONTAINS", kind, [code(concept)]
    return made


def bare(target: Target, sop_class: str, modality: str) -> Dataset:
    made = Dataset()
    made.SpecificCharacterSet = "ISO_IR 192"
    made.SOPClassUID, made.SOPInstanceUID, made.Modality = sop_class, target.instance, modality
    made.StudyInstanceUID, made.SeriesInstanceUID = target.study, target.series
    made.PatientName, made.PatientID = f"Doe^{HOSTILE}=山田^太郎", "P1"
    return made


def report(target: Target) -> bytes:
    made = bare(target, REPORT, "SR")
    finding, size = item("TEXT", "Finding"), item("NUM", "Size")
    finding.TextValue = HOSTILE
    measured = Dataset()
    measured.NumericValue, measured.MeasurementUnitsCodeSequence = "42.5", [code("millimeter")]
    measured.MeasurementUnitsCodeSequence[0].CodeValue = "mm"
    size.MeasuredValueSequence = [measured]
    section = item("CONTAINER", "Findings")
    section.ContentSequence = [finding, size]
    made.ValueType, made.ConceptNameCodeSequence = "CONTAINER", [code("Imaging Report")]
    made.CompletionFlag, made.VerificationFlag, made.ContentSequence = "COMPLETE", "UNVERIFIED", [section]
    return instances.write(made, "1.2.840.10008.1.2.1")


def document(target: Target) -> bytes:
    made = bare(target, PDF, "DOC")
    made.MIMETypeOfEncapsulatedDocument, made.EncapsulatedDocument = "application/pdf", CONTENT + b"\0"
    made.EncapsulatedDocumentLength = len(CONTENT)
    return instances.write(made, "1.2.840.10008.1.2.1")


@pytest.fixture(scope="module")
def stored(service: Service) -> dict[str, Target]:
    study = instances.new_target().study
    targets = {name: instances.new_target(study) for name in ("report", "document", "plan")}
    plan = bare(targets["plan"], PLAN, "RTPLAN")
    plan.RTPlanLabel = "boost"
    service.store(
        report(targets["report"]), document(targets["document"]), instances.write(plan, "1.2.840.10008.1.2.1")
    )
    return targets


class Page(html.parser.HTMLParser):
    """What a browser would see: the elements, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.said = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.said += data


def test_report_as_page_is_inert_REN_01_REN_11(service: Service, stored: dict[str, Target]) -> None:
    reply = service.studies(f"{path_of(stored['report'])}/rendered", "text/html")
    assert (reply.status, reply.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert reply.headers["content-location"].endswith(path_of(stored["report"]))
    assert "sandbox" in reply.headers["content-security-policy"]
    page = Page(reply.body.decode())
    assert not {"script", "img", "a", "link", "iframe"} & set(page.tags)
    assert HOSTILE in page.said, "as text"
    assert "42.5 mm" in page.said
    assert "山田 太郎" in page.said
    assert page.tags.count("ul") == 2


def test_report_as_text_and_xml_MT_15(service: Service, stored: dict[str, Target]) -> None:
    path = f"{path_of(stored['report'])}/rendered"
    plain = service.studies(path, "text/plain").body.decode()
    assert f"  Findings\n    Finding: {HOSTILE}\n    Size: 42.5 mm\n" in plain
    tree = ET.fromstring(service.studies(path, "text/xml").body)
    assert tree.tag.endswith("NativeDicomModel")
    assert service.studies(path, "*/*").headers["content-type"] == "text/html; charset=utf-8"
    assert service.studies(path, "image/jpeg").status == 406


def test_charsets_GEN_13_URI_16(service: Service, stored: dict[str, Target]) -> None:
    path = f"{path_of(stored['report'])}/rendered"
    asked = service.studies(f"{path}?charset=GB18030", "text/plain")
    assert asked.headers["content-type"] == "text/plain; charset=gb18030"
    assert "山田 太郎" in asked.body.decode("gb18030")
    own = service.studies(f"{path}?charset=UTF-8", "text/plain;charset=iso-2022-jp", accept_charset="utf-8")
    assert own.headers["content-type"] == "text/plain; charset=iso-2022-jp"
    assert own.headers["vary"].startswith("Accept, Accept-Charset")
    assert service.studies(f"{path}?charset=klingon", "text/html").headers["content-type"].endswith("utf-8")
    assert service.studies(path, "text/plain", accept_charset="ISO-8859-1").status == 406


def test_documents_go_as_they_are_V14(service: Service, stored: dict[str, Target]) -> None:
    path = f"{path_of(stored['document'])}/rendered"
    for accept in ("application/pdf", "*/*"):
        reply = service.studies(path, accept)
        assert reply.headers["content-type"] == "application/pdf"
        assert reply.body == CONTENT
    part = service.studies(path, "application/pdf", range="bytes=0-4")
    assert (part.status, part.body) == (206, b"%PDF-")
    assert "Doe" in service.studies(path, "text/html").body.decode()


def test_anything_else_is_listed(service: Service, stored: dict[str, Target]) -> None:
    reply = service.studies(f"{path_of(stored['plan'])}/rendered", "text/plain")
    assert "  RTPlanLabel: boost\n" in reply.body.decode()


def test_study_of_several_REN_09(service: Service, stored: dict[str, Target]) -> None:
    path = f"/studies/{stored['report'].study}/rendered"
    reply = service.studies(path, 'multipart/related; type="text/plain"')
    assert reply.status == 200
    made = parts_of(reply)
    assert {part["Content-Type"] for part in made} == {"text/plain; charset=utf-8"}
    assert {part["Content-Location"] for part in made} == {
        f"{service.root}{path_of(target)}" for target in stored.values()
    }
    assert service.studies(path, "text/plain").status == 406
    some = service.studies(path, 'multipart/related; type="application/pdf"')
    assert some.status == 206
    assert len(parts_of(some)) == 1
    assert "299" in some.headers["warning"]


def test_conditional_and_head(service: Service, stored: dict[str, Target]) -> None:
    path = f"{path_of(stored['report'])}/rendered"
    tag = service.studies(path, "text/html").headers["etag"]
    assert tag.startswith('"')
    again = service.studies(path, "text/html", if_none_match=tag)
    assert (again.status, again.body) == (304, b"")
    other = service.studies(path, "text/plain", if_none_match=tag)
    assert other.status == 200, "another representation"
    head = service.studies(path, "text/html", method="HEAD")
    assert (head.status, head.body, head.headers["etag"]) == (200, b"", tag)


def test_wado_uri_sends_the_same_URI_18(service: Service, stored: dict[str, Target]) -> None:
    target = stored["report"]
    query = f"requestType=WADO&studyUID={target.study}&seriesUID={target.series}&objectUID={target.instance}"
    restful = service.studies(f"{path_of(target)}/rendered", "text/html")
    assert service.get(f"/wado?{query}").body == restful.body
    plain = service.get(f"/wado?{query}&contentType=text/plain&charset=gb18030")
    assert plain.headers["content-type"] == "text/plain; charset=gb18030"
    assert service.get(f"/wado?{query}&contentType=image/jpeg").status == 406
