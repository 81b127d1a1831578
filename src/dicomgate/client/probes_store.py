"""Probes of storing, done only with leave to store (PS3.18 §10.5, Annex I)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import orjson

from dicomgate.client.expectations import content_type, media_type, parts_are, require, value
from dicomgate.client.probing import JSON, XML, Ask, Lacking, Probe, Reply, Severity
from dicomgate.client.subjects import Subject, Thing, read_thing, store_request
from dicomgate.dicom import uids

MUST, SHOULD = Severity.MUST, Severity.SHOULD
_STORED, _FAILED, _OTHER = "00081199", "00081198", "0008119A"
_BOUNDARY: Final = "dicomgate-check-7c1b5a0e6f2d4c38"
_DICOM: Final = "application/dicom"


def _items(reply: Reply, tag: str) -> list[dict[str, Any]]:
    report = reply.json()
    require(isinstance(report, dict), "a report that is no data set")
    element = report.get(tag, {})
    found = element.get("Value") or [] if isinstance(element, dict) else []
    return [item for item in found if isinstance(item, dict)]


def _require_stored(reply: Reply, thing: Thing) -> None:
    require(reply.status in (200, 202), f"{reply.status}")
    stored = [value(item, "00081155") for item in _items(reply, _STORED)]
    require(stored == [thing.instance], "a report without the instance")


def _body(content: bytes, *, before: bytes = b"", part_type: str = _DICOM, after: bytes = b"\r\n--%b--\r\n") -> bytes:
    boundary = _BOUNDARY.encode()
    head = before + b"--" + boundary + b"\r\nContent-Type: " + part_type.encode() + b"\r\n\r\n"
    return head + content + after.replace(b"%b", boundary)


def _posted(body: bytes | Iterator[bytes], said: str) -> Ask:
    return Ask(path="/studies", method="POST", headers={"Content-Type": said}, body=body)


def _tolerated(asks: str, said: str, make: Callable[[bytes], bytes | Iterator[bytes]]) -> Probe:
    """A body that is written otherwise than most, and means the same."""

    def run(subject: Subject) -> None:
        thing = subject.take_spare()
        _require_stored(subject.ask(_posted(make(thing.content or b""), said)), thing)

    return Probe(item="V17", severity=SHOULD, asks=asks, expects="it is stored", run=run)


def _refused(item: str, asks: str, expects: str, said: str, body: bytes, *statuses: int) -> Probe:
    def run(subject: Subject) -> None:
        _need_leave(subject)
        reply = subject.ask(_posted(body, said))
        require(reply.status in statuses, f"{reply.status}")

    return Probe(item=item, severity=MUST, asks=asks, expects=expects, run=run)


def _need_leave(subject: Subject) -> None:
    if not subject.is_own:
        raise Lacking("only done with --store")


def _stored(subject: Subject) -> None:
    thing = subject.take_spare()
    reply = subject.ask(store_request([thing.content or b""]))
    require(reply.status == 200, f"{reply.status}")
    _require_stored(reply, thing)
    (item,) = _items(reply, _STORED)
    require(value(item, "00081150") == value(dict(thing.attributes), "00080016"), "no SOP class in the report")
    address = value(item, "00081190")
    require(isinstance(address, str) and "://" in address, "no absolute Retrieve URL in the report")
    found = subject.asker.ask(Ask(path=str(address), accept='multipart/related; type="application/dicom"'))
    require(found.status == 200, f"{found.status} at the Retrieve URL")


def _only_filled(subject: Subject) -> None:
    thing = subject.take_spare()
    report = subject.ask(store_request([thing.content or b""])).json()
    there = [tag for tag in (_FAILED, _OTHER) if isinstance(report, dict) and tag in report]
    require(not there, f"{' and '.join(there)} though nothing failed")


def _typed(subject: Subject) -> None:
    thing = subject.take_spare()
    content_type(JSON)(subject.ask(store_request([thing.content or b""])))


def _as_xml(subject: Subject) -> None:
    thing = subject.thing("image")
    _need_leave(subject)
    reply = subject.ask(store_request([thing.content or b""], accept=XML))
    if reply.media_type.type == "multipart/related":
        parts_are("application/dicom+xml")(reply)
        content = reply.parts()[0].body
    else:
        media_type("application/dicom+xml")(reply)
        content = reply.body
    require(b"<NativeDicomModel" in content, "something that is no NativeDicomModel")


def _again(subject: Subject) -> None:
    thing = subject.thing("image")
    _need_leave(subject)
    reply = subject.ask(store_request([thing.content or b""]))
    require(reply.status == 200, f"{reply.status}")
    _require_stored(reply, thing)


def _partly(subject: Subject) -> None:
    thing = subject.take_spare()
    reply = subject.ask(store_request([thing.content or b"", b"this is no DICOM file"]))
    require(reply.status == 202, f"{reply.status}")
    require(bool(_items(reply, _STORED)), "a report without what was stored")
    require(bool(_items(reply, _FAILED) or _items(reply, _OTHER)), "a report without what was not")


def _elsewhere(subject: Subject) -> None:
    thing = subject.take_spare()
    reply = subject.ask(store_request([thing.content or b""], study=uids.mint()))
    require(reply.status == 409, f"{reply.status}")


def _described(subject: Subject) -> None:
    """Metadata as JSON in one part, pixels in another."""
    thing = subject.take_spare()
    content = thing.content or b""
    dataset = {tag: element for tag, element in thing.attributes.items() if "BulkDataURI" not in element}
    dataset["7FE00010"] = {"vr": "OW", "BulkDataURI": "pixels"}
    pixels = content[-thing.frame_size :]
    boundary = f"--{_BOUNDARY}\r\n".encode()
    body = (
        boundary + b"Content-Type: application/dicom+json\r\n\r\n" + orjson.dumps([dataset]) + b"\r\n" + boundary
        + b"Content-Type: application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1\r\n"
        + b"Content-Location: pixels\r\n\r\n" + pixels + f"\r\n--{_BOUNDARY}--\r\n".encode()
    )  # fmt: skip
    said = f'multipart/related; type="application/dicom+json"; boundary={_BOUNDARY}'
    reply = subject.ask(_posted(body, said))
    require(reply.status in (200, 202), f"{reply.status}")
    _require_stored(reply, thing)


def _searchable(subject: Subject) -> None:
    thing = subject.take_spare()
    reply = subject.ask(store_request([thing.content or b""]))
    require(reply.status == 200, f"{reply.status}")
    found = subject.asker.ask(Ask(path=f"/studies?StudyInstanceUID={thing.study}")).datasets()
    require(len(found) == 1, "a study that is stored and not found")


def _implicit(subject: Subject) -> None:
    _need_leave(subject)
    assert subject.implicit is not None, "who stores has one"
    thing = read_thing(subject.implicit)
    subject.stored.append(thing.study)
    _require_stored(subject.ask(store_request([subject.implicit])), thing)


def _in_pieces(content: bytes) -> Iterator[bytes]:
    body = _body(content)
    return (body[start : start + 700] for start in range(0, len(body), 700))


def _deleted(subject: Subject) -> None:
    _need_leave(subject)
    reply = subject.ask(Ask(path="/studies/{study}", method="DELETE"))
    require(reply.status in (200, 202, 204), f"{reply.status}")


def _gone(subject: Subject) -> None:
    """Last of all, for the study is needed until then."""
    _need_leave(subject)
    reply = subject.ask(Ask(path="/studies/{study}", accept=_FILES))
    if reply.status == 200:
        raise Lacking("nothing was deleted")
    require(reply.status == 410, f"{reply.status}")


_FILES: Final = 'multipart/related; type="application/dicom"'
_QUOTED: Final = f'multipart/related; type="application/dicom"; boundary="{_BOUNDARY}"'
_BARE: Final = f"multipart/related; type=application/dicom; boundary={_BOUNDARY}"

PROBES: Final[tuple[Probe, ...]] = (
    Probe(
        item="STOW-12",
        severity=MUST,
        asks="one instance is stored",
        expects="200, named with its class and a Retrieve URL that works",
        run=_stored,
    ),
    Probe(
        item="V6",
        severity=SHOULD,
        asks="the Content-Type of a store report",
        expects="application/dicom+json and nothing after it",
        run=_typed,
    ),
    Probe(
        item="V17",
        severity=SHOULD,
        asks="a store report where nothing failed",
        expects="no empty sequences",
        run=_only_filled,
    ),
    Probe(item="STOW-11", severity=MUST, asks="a store report as XML", expects="a NativeDicomModel", run=_as_xml),
    Probe(item="STOW-18", severity=SHOULD, asks="the same bytes once more", expects="200", run=_again),
    Probe(
        item="STOW-10",
        severity=MUST,
        asks="a good part and one that is no DICOM",
        expects="202, both reported",
        run=_partly,
    ),
    _refused(
        "STOW-10", "nothing but parts that are no DICOM", "400 or 409", _BARE, _body(b"no DICOM at all"), 400, 409
    ),
    _refused("STOW-10", "a body of text/plain", "415", "text/plain", b"hello", 415),
    Probe(
        item="STOW-15",
        severity=MUST,
        asks="an instance stored into another study",
        expects="409",
        run=_elsewhere,
    ),
    _refused(
        "MP-07",
        "no boundary in Content-Type",
        "400 or 415",
        "multipart/related; type=application/dicom",
        b"x",
        400,
        415,
    ),
    _refused("MP-07", "a body that ends within a part", "400", _BARE, _body(b"x", after=b""), 400),
    _tolerated("a quoted boundary", _QUOTED, _body),
    _tolerated("a bare boundary and type", _BARE, _body),
    _tolerated("an empty line before the first boundary", _BARE, lambda content: _body(content, before=b"\r\n")),
    _tolerated(
        "transfer-syntax in the part's type",
        _BARE,
        lambda content: _body(content, part_type=f"{_DICOM}; transfer-syntax=1.2.840.10008.1.2.1"),
    ),
    _tolerated("a body in chunks, without a length", _BARE, _in_pieces),
    Probe(
        item="STOW-05",
        severity=MUST,
        asks="metadata as JSON and pixels as a part of their own",
        expects="it is stored",
        run=_described,
    ),
    Probe(
        item="STOW-19",
        severity=SHOULD,
        asks="what was stored a moment ago",
        expects="found by a search",
        run=_searchable,
    ),
    Probe(
        item="STOW-20",
        severity=SHOULD,
        asks="a file in Implicit VR Little Endian",
        expects="it is stored",
        run=_implicit,
    ),
    Probe(
        item="AMB-21",
        severity=Severity.MAY,
        asks="the study is deleted",
        expects="200 or 204, though the standard knows no deletion",
        run=_deleted,
    ),
    Probe(item="GEN-10", severity=SHOULD, asks="a study that was deleted", expects="410", run=_gone),
)
