"""Probes of what holds for every service: statuses, media types, capabilities, pages of other origins (PS3.18 §8)."""

from __future__ import annotations

from typing import Final

from dicomgate.client.expectations import (
    asking,
    asking_each,
    content_type,
    empty,
    filled,
    has_header,
    header_names,
    is_file,
    media_type,
    part_count,
    parts_are,
    require,
    some,
    status,
)
from dicomgate.client.probing import DICOM, JSON, XML, Ask, Lacking, Probe, Reply, Severity, Unexpected
from dicomgate.client.subjects import Subject
from dicomgate.dicom import elements, header, syntaxes
from dicomgate.dicom.source import BytesSource

MUST, SHOULD, MAY = Severity.MUST, Severity.SHOULD, Severity.MAY
_ORIGIN: Final = {"Origin": "http://localhost:3000"}
_PREFLIGHT: Final = {
    **_ORIGIN,
    "Access-Control-Request-Method": "GET",
    "Access-Control-Request-Headers": "authorization, accept, range",
}
_STUDY: Final = "/studies?StudyInstanceUID={study}"
_WADL: Final = "application/vnd.sun.wadl+xml"


def _framed(reply: Reply) -> None:
    """A content has a type, and one of the two ways to tell its end."""
    require(reply.status == 200, f"{reply.status}")
    ways = [name for name in ("Content-Length", "Transfer-Encoding") if reply.header(name)]
    require(bool(reply.header("Content-Type")), "no Content-Type")
    # HTTP/2 needs neither, and a connection that closes tells the end of HTTP/1.0
    require(len(ways) == 1, f"{' and '.join(ways) or 'neither Content-Length nor Transfer-Encoding'}")


def _allow_with_405(reply: Reply) -> None:
    require(400 <= reply.status < 600, f"{reply.status}")
    require(reply.status != 405 or bool(reply.header("Allow")), "405 without Allow")


def _challenged(subject: Subject) -> None:
    reply = subject.ask(Ask(path="/studies?limit=1", is_anonymous=True))
    require(reply.status != 401 or bool(reply.header("WWW-Authenticate")), "401 without WWW-Authenticate")


def _encoded(subject: Subject) -> None:
    letters = "".join(f"%{letter:02X}" for letter in subject.word("patient").encode())
    some(subject.ask(Ask(path=f"{_STUDY}&PatientID={letters}")))


def _not_implicit(subject: Subject) -> None:
    accept = 'multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2'
    reply = subject.ask(Ask(path="{image}", accept=accept))
    if reply.status == 200:
        seen = {header.read(BytesSource(part.body)).transfer_syntax for part in reply.parts()}
        require(syntaxes.IMPLICIT_LITTLE not in seen, "a file in Implicit VR Little Endian")
    else:
        require(reply.status == 406, f"{reply.status}")


def _decompressed(subject: Subject) -> None:
    reply = subject.ask(Ask(path="{compressed}", accept='multipart/related; type="application/dicom"'))
    (part,) = reply.parts() or (None,)
    syntax = header.read(BytesSource(part.body)).transfer_syntax if part else ""
    found = syntaxes.find(syntax)
    if found is not None and found.loss is not syntaxes.Loss.NEVER:
        raise Lacking("no image that was compressed without loss")  # what has lost something stays as it is
    require(syntax == syntaxes.EXPLICIT_LITTLE, f"a file in {syntaxes.name(syntax)}")


def _as_stored(subject: Subject) -> None:
    """The pixels as they were stored: in the same syntax, and byte for byte where the file is ours."""
    thing = subject.thing("compressed")
    parts = subject.ask(Ask(path="{compressed}", accept=DICOM)).parts()
    require(len(parts) == 1, f"{len(parts)} parts")
    found = header.read(BytesSource(parts[0].body))
    require(found.transfer_syntax != syntaxes.EXPLICIT_LITTLE, "a file that was decompressed")
    if thing.content is not None:
        tail = thing.content[-2000:]
        require(tail in parts[0].body, "pixel data that differs from what was stored")


def _declared(subject: Subject) -> None:
    parts = subject.ask(Ask(path="{compressed}", accept=DICOM)).parts()
    for part in parts:
        said = part.media_type.get("transfer-syntax")
        true = header.read(BytesSource(part.body)).transfer_syntax
        require(said == true, f"a part that says {'nothing' if said is None else 'another syntax'}")


def _boundaries(reply: Reply) -> None:
    """As the narrowest clients read it: the first line, short part headers in that very casing, the end."""
    boundary = (reply.media_type.get("boundary") or "").encode()
    require(0 < len(boundary) <= 70, f"a boundary of {len(boundary)} characters")
    require(reply.body.startswith(b"--" + boundary + b"\r\n"), "something before the first boundary")
    require(reply.body.rstrip(b"\r\n").endswith(b"--" + boundary + b"--"), "no boundary at the end")
    head = reply.body.partition(b"\r\n\r\n")[0]
    require(len(head) < 1000, f"part headers of {len(head)} bytes")
    require(b"\r\nContent-Type:" in head, "no part header spelled Content-Type")
    require(len(boundary) >= 16, f"a boundary of {len(boundary)} characters, which data may hold")


def _typed(reply: Reply) -> None:
    parts = reply.parts()
    said = (reply.media_type.get("type") or "").lower()
    require(bool(parts), "no parts")
    require(said == parts[0].media_type.type, f"type={said[:60] or 'nothing'}")


def _utf8(subject: Subject) -> None:
    """A name with accents, stored in Latin-1, comes in UTF-8."""
    thing = subject.thing("image")
    if not subject.is_own:
        return
    expected = elements.texts(thing.attributes["00100010"])
    for dataset in subject.ask(Ask(path=_STUDY)).datasets():
        seen = elements.texts(dataset.get("00100010", {}))
        if seen != expected:
            raise Unexpected("a name with other letters")


def _xml(reply: Reply) -> None:
    for part in reply.parts():
        require(b"<NativeDicomModel" in part.body, "a part that is no NativeDicomModel")


_ACCEPTS: Final = (
    ("quoted type", 'multipart/related; type="application/dicom"'),
    ("bare type", "multipart/related; type=application/dicom"),
    ("transfer-syntax=*", "multipart/related; type=application/dicom; transfer-syntax=*"),
    ('transfer-syntax="*" first', 'multipart/related; transfer-syntax="*"; type="application/dicom"'),
    ("no spaces", 'multipart/related;type="application/dicom";transfer-syntax=*'),
    ("one usable of two", "image/x-nothing, multipart/related; type=application/dicom"),
    (
        "two transfer syntaxes",
        'multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.1; transfer-syntax="*"',
    ),
)


def _spelled(name: str, accept: str) -> Probe:
    """An Accept header as somebody spells it."""
    return Probe(
        item="CLI-02" if name.startswith("two") else "V1",
        severity=SHOULD if name.startswith("two") else MUST,
        asks=f"an instance, Accept with {name}",
        expects="a file in one part",
        run=asking(Ask(path="{image}", accept=accept), part_count(1), parts_are("application/dicom")),
    )


PROBES: Final[tuple[Probe, ...]] = (
    Probe(
        item="GEN-02",
        severity=MUST,
        asks="an answer with content",
        expects="Content-Type, and Content-Length or Transfer-Encoding",
        run=asking(Ask(path=_STUDY), _framed),
    ),
    Probe(
        item="GEN-03",
        severity=MUST,
        asks="a search with a parameter nobody knows",
        expects="the parameter is ignored",
        run=asking(Ask(path=_STUDY + "&NoSuchParameter=1"), status(200), some),
    ),
    Probe(
        item="GEN-04",
        severity=MUST,
        asks="a search whose value is percent-encoded, letter by letter",
        expects="the same study",
        run=_encoded,
    ),
    Probe(
        item="GEN-06",
        severity=SHOULD,
        asks="a study that does not exist",
        expects="a short report with its type",
        run=asking(Ask(path="/studies/{nowhere}/metadata"), status(404, 410, 400), filled, has_header("Content-Type")),
    ),
    Probe(
        item="GEN-09",
        severity=MUST,
        asks="an instance in Implicit VR Little Endian",
        expects="406, or a file in another syntax",
        run=_not_implicit,
    ),
    Probe(
        item="GEN-10",
        severity=MUST,
        asks="a method that studies do not have",
        expects="405 with Allow, or another refusal",
        run=asking(Ask(path="/studies", method="PUT", body=b""), _allow_with_405),
    ),
    Probe(
        item="V18",
        severity=MUST,
        asks="a search without a token",
        expects="when it is 401, WWW-Authenticate with it",
        run=_challenged,
    ),
    Probe(
        item="MT-03",
        severity=MUST,
        asks="metadata, Accept with an unknown type beside a known one",
        expects="the unknown one is ignored",
        run=asking(Ask(path="{image}/metadata", accept=f"application/x-nothing, {JSON}"), media_type(JSON)),
    ),
    Probe(
        item="MT-04",
        severity=MUST,
        asks="a search as a picture",
        expects="406",
        run=asking(Ask(path=_STUDY, accept="image/png"), status(406)),
    ),
    Probe(
        item="MT-05",
        severity=MUST,
        asks="metadata with accept= in the address",
        expects="it counts",
        run=asking(Ask(path="{image}/metadata?accept=application/dicom%2Bjson", accept="*/*"), media_type(JSON)),
    ),
    Probe(
        item="MT-17",
        severity=MUST,
        asks="a whole study as a single file",
        expects="406",
        run=asking(Ask(path="/studies/{study}", accept="application/dicom"), status(406)),
    ),
    Probe(
        item="MT-18",
        severity=MUST,
        asks="metadata as XML",
        expects="one document in each part",
        run=asking(Ask(path="{image}/metadata", accept=XML), parts_are("application/dicom+xml"), _xml),
    ),
    Probe(
        item="V1",
        severity=SHOULD,
        asks="an instance with Accept: */*",
        expects="a file",
        run=asking(Ask(path="{image}", accept="*/*"), media_type("multipart/related", "application/dicom")),
    ),
    Probe(
        item="V1",
        severity=SHOULD,
        asks="metadata without an Accept header",
        expects="JSON, as if it were */*",
        run=asking(Ask(path="{image}/metadata", accept=None), media_type(JSON)),
    ),
    *(_spelled(name, accept) for name, accept in _ACCEPTS),
    Probe(
        item="V2",
        severity=MUST,
        asks="a compressed instance with transfer-syntax=*",
        expects="the stored bytes",
        run=_as_stored,
    ),
    Probe(
        item="MT-07",
        severity=MUST,
        asks="a compressed instance without naming a syntax",
        expects="Explicit VR Little Endian, native pixels",
        run=_decompressed,
    ),
    Probe(
        item="MT-08",
        severity=MUST,
        asks="the Content-Type of a part with a compressed file",
        expects="its true transfer syntax",
        run=_declared,
    ),
    Probe(
        item="V4",
        severity=SHOULD,
        asks="the bytes of an answer in parts",
        expects="nothing before the first boundary, short headers, a boundary at the end",
        run=asking(Ask(path="{image}", accept=DICOM), status(200), _boundaries),
    ),
    Probe(
        item="MP-01",
        severity=MUST,
        asks="the Content-Type of an answer in parts",
        expects="the type of its first part",
        run=asking(Ask(path="{image}", accept=DICOM), _typed),
    ),
    Probe(
        item="V5",
        severity=SHOULD,
        asks="an instance as a single file",
        expects="a file that is no part",
        run=asking(Ask(path="{image}", accept="application/dicom"), media_type("application/dicom"), is_file),
    ),
    Probe(
        item="V6",
        severity=SHOULD,
        asks="the Content-Type of JSON",
        expects="application/dicom+json and nothing after it",
        run=asking_each((Ask(path=_STUDY), Ask(path="{image}/metadata")), content_type(JSON)),
    ),
    Probe(
        item="JSON-10",
        severity=MUST,
        asks="a name that is stored in Latin-1",
        expects="the same letters in UTF-8",
        run=_utf8,
    ),
    Probe(
        item="RET-10",
        severity=SHOULD,
        asks="an answer that depends on Accept",
        expects="Vary: Accept",
        run=asking(Ask(path="{image}/metadata"), header_names("Vary", "Accept")),
    ),
    Probe(
        item="CAP-01",
        severity=MUST,
        asks="OPTIONS on the service root, as XML",
        expects="a description of the service",
        run=asking(Ask(path="/", method="OPTIONS", accept=_WADL), media_type(_WADL), filled),
    ),
    Probe(
        item="CAP-02",
        severity=SHOULD,
        asks="OPTIONS on the service root, as JSON",
        expects="a description of the service",
        run=asking(Ask(path="/", method="OPTIONS", accept="application/json"), media_type("application/json"), filled),
    ),
    Probe(
        item="CAP-05",
        severity=SHOULD,
        asks="OPTIONS on /studies",
        expects="the description of that resource",
        run=asking(Ask(path="/studies", method="OPTIONS", accept=_WADL), media_type(_WADL), filled),
    ),
    Probe(
        item="V15",
        severity=SHOULD,
        asks="a search from a page of another origin",
        expects="Access-Control-Allow-Origin",
        run=asking(Ask(path=_STUDY, headers=_ORIGIN), has_header("Access-Control-Allow-Origin")),
    ),
    Probe(
        item="V15",
        severity=SHOULD,
        asks="something that does not exist, from a page of another origin",
        expects="404 that the page may read",
        run=asking(Ask(path="/studies/{nowhere}/metadata", headers=_ORIGIN), has_header("Access-Control-Allow-Origin")),
    ),
    Probe(
        item="V15",
        severity=SHOULD,
        asks="the preflight of a request with Authorization, Accept and Range",
        expects="they are allowed by name",
        run=asking(
            Ask(path="/studies", method="OPTIONS", headers=_PREFLIGHT, accept=None, is_anonymous=True),
            status(200, 204),
            has_header("Access-Control-Allow-Origin", "Access-Control-Allow-Methods"),
            header_names("Access-Control-Allow-Headers", "Authorization", "Accept", "Range"),
        ),
    ),
    Probe(
        item="CAP-05",
        severity=SHOULD,
        asks="the same preflight",
        expects="no description of the service in it",
        run=asking(
            Ask(path="/studies", method="OPTIONS", headers=_PREFLIGHT, accept=None, is_anonymous=True),
            status(200, 204),
            empty,
        ),
    ),
    Probe(
        item="V15",
        severity=SHOULD,
        asks="which fields a page of another origin may read",
        expects="Content-Location, ETag, Warning and others",
        run=asking(
            Ask(path=_STUDY, headers=_ORIGIN),
            header_names("Access-Control-Expose-Headers", "Content-Range", "Content-Location", "ETag", "Warning"),
        ),
    ),
)
