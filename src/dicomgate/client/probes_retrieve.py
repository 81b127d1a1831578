"""Probes of instances, metadata, frames and bulk data (PS3.18 §10.4, Annex F)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from dicomgate.client.expectations import (
    asking,
    asking_each,
    count,
    has_header,
    media_type,
    part_count,
    parts_are,
    require,
    some,
    status,
    value,
)
from dicomgate.client.probing import DICOM, OCTETS, Ask, Lacking, Part, Probe, Reply, Severity
from dicomgate.client.subjects import Subject
from dicomgate.dicom import header
from dicomgate.dicom.source import BytesSource

MUST, SHOULD, MAY = Severity.MUST, Severity.SHOULD, Severity.MAY
_PIXELS: Final = "7FE00010"
_BULK_VRS: Final = frozenset(
    {"DS", "FL", "FD", "IS", "LT", "OB", "OD", "OF", "OL", "OV", "OW", "SL", "SS", "ST", "SV", "UC", "UL", "UN", "US"}
    | {"UT", "UV"}
)
_NATIVE: Final = 'multipart/related; type="application/octet-stream"'
_SINGLE: Final = "application/octet-stream; transfer-syntax=*"
_UNQUOTED: Final = "multipart/related; type=application/octet-stream; transfer-syntax=*"


def _whole(name: str, path: str, known: str) -> Probe:
    """Every instance once, each a file that says who it is."""

    def run(subject: Subject) -> None:
        expected = set(getattr(subject, known)) if known else {subject.word("instance")}
        if not expected or len(expected) > 100:
            raise Lacking("no study small enough to be retrieved whole")
        parts = subject.ask(Ask(path=path, accept=DICOM)).parts()
        targets = [header.read(BytesSource(part.body)).target for part in parts]
        seen = {target.instance for target in targets if target is not None}
        require(len(parts) == len(expected), f"{len(parts)} parts for {len(expected)} instances")
        require(seen == expected, "other instances")

    return Probe(item="RET-01", severity=MUST, asks=f"{name} in parts", expects="every instance once", run=run)


def _metadata(name: str, path: str, known: str) -> Probe:
    def run(subject: Subject) -> None:
        expected = len(getattr(subject, known)) if known else 1
        if not expected:
            raise Lacking("not known how many instances there are")
        asking(Ask(path=path), count(expected))(subject)

    return Probe(
        item="JSON-01", severity=MUST, asks=f"the metadata of {name}", expects="an array of data sets", run=run
    )


def _each(dataset: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every attribute, also in items, as far as they are objects."""
    waiting = [dataset]
    while waiting:
        for tag, element in waiting.pop().items():
            if isinstance(element, dict):
                yield tag, element
                if element.get("vr") == "SQ":
                    waiting += [item for item in element.get("Value") or () if isinstance(item, dict)]


def _tags(reply: Reply) -> None:
    """Eight upper-case hexadecimal digits, ascending; no group lengths and nothing of group 2."""
    for dataset in reply.datasets():
        tags = list(dataset)
        require(all(len(tag) == 8 and set(tag) <= set("0123456789ABCDEF") for tag in tags), "other keys than tags")
        require(tags == sorted(tags), "tags out of order")
        require(not any(tag.startswith("0002") for tag in tags), "attributes of group 0002")
        require(not any(tag.endswith("0000") for tag in tags), "group lengths")


def _shapes(reply: Reply) -> None:
    for dataset in reply.datasets():
        for tag, element in _each(dataset):
            held = [name for name in ("Value", "BulkDataURI", "InlineBinary") if name in element]
            require("vr" in element, f"{tag} without vr")
            require(len(held) <= 1, f"{tag} with {' and '.join(held)}")
            is_bulk = "BulkDataURI" not in element or element["vr"] in _BULK_VRS
            require(is_bulk, f"{tag} of VR {str(element.get('vr'))[:4]} as bulk data")


def _empties(reply: Reply) -> None:
    """What is empty has no Value; an empty item is an object."""
    for dataset in reply.datasets():
        for tag, element in _each(dataset):
            values = element.get("Value")
            require(values is None or values != [], f"{tag} with an empty Value")
            if element.get("vr") == "SQ":
                require(all(isinstance(item, dict) for item in values or ()), f"{tag} with an item that is no object")


def _numbers(reply: Reply) -> None:
    for dataset in reply.datasets():
        for tag, element in _each(dataset):
            if element.get("vr") in ("IS", "DS"):
                values = [value for value in element.get("Value") or () if value is not None]
                require(all(isinstance(value, int | float) for value in values), f"{tag} as text")


def _pixels_elsewhere(reply: Reply) -> None:
    for dataset in reply.datasets():
        element = dataset.get(_PIXELS, {})
        require("InlineBinary" not in element, "Pixel Data inside the metadata")
        require("BulkDataURI" in element, "Pixel Data without a BulkDataURI")


def _private(subject: Subject) -> None:
    if not subject.is_own:
        raise Lacking("only done with --store")
    (dataset, *_) = subject.ask(Ask(path="{image}/metadata")).datasets() or [{}]
    creators = [tag for tag in dataset if tag.startswith("001900") and value(dataset, tag) == "DICOMGATE CHECK"]
    require(bool(creators), "no Private Creator")
    require(f"0019{creators[0][6:]}01" in dataset, "no private attribute beside its creator")


def _complete(subject: Subject) -> None:
    """Every attribute of the file is in the metadata."""
    if not subject.is_own:
        raise Lacking("only done with --store")
    (dataset, *_) = subject.ask(Ask(path="{image}/metadata")).datasets() or [{}]
    missing = sorted(set(subject.thing("image").attributes) - set(dataset))
    require(not missing, f"without {', '.join(missing[:5])}")


def _bulk_address(subject: Subject, kind: str, tag: str) -> str:
    thing = subject.thing(kind)
    (dataset, *_) = subject.ask(Ask(path=f"{{{kind}}}/metadata")).datasets() or [{}]
    found = dataset.get(tag, {}).get("BulkDataURI")
    if not isinstance(found, str) or not found:
        raise Lacking("no BulkDataURI in the metadata")
    base = subject.asker.address(f"{thing.path}/")
    return found if "://" in found else base + found.removeprefix("./")


def _bulk(subject: Subject) -> None:
    thing = subject.thing("image")
    reply = subject.asker.ask(Ask(path=_bulk_address(subject, "image", _PIXELS), accept=_NATIVE))
    parts = reply.parts()
    require(len(parts) == 1, f"{len(parts)} parts")
    size = len(parts[0].body)
    require(size == thing.frame_size, f"{size} bytes where the pixels have {thing.frame_size}")
    require(thing.content is None or parts[0].body in thing.content, "other bytes than were stored")


def _true_vr(subject: Subject) -> None:
    if subject.thing("image").number("00280100") != 16:
        raise Lacking("no image of 16 bits")
    for dataset in subject.ask(Ask(path="{image}/metadata")).datasets():
        seen = str(dataset.get(_PIXELS, {}).get("vr", "none"))
        require(seen == "OW", seen[:4])


def _bulk_single(subject: Subject) -> None:
    reply = subject.asker.ask(Ask(path=_bulk_address(subject, "image", _PIXELS), accept=_SINGLE))
    media_type("application/octet-stream")(reply)
    size = subject.thing("image").frame_size
    require(len(reply.body) == size, f"{len(reply.body)} bytes where the pixels have {size}")


def _bulk_absolute(subject: Subject) -> None:
    (dataset, *_) = subject.ask(Ask(path="{image}/metadata")).datasets() or [{}]
    found = str(dataset.get(_PIXELS, {}).get("BulkDataURI") or "")
    require(found.startswith(("http://", "https://")), "a relative BulkDataURI" if found else "no BulkDataURI")


def _bulk_range(subject: Subject) -> None:
    ask = Ask(path=_bulk_address(subject, "image", _PIXELS), accept=_SINGLE, headers={"Range": "bytes=4-11"})
    reply = subject.asker.ask(ask)
    require(reply.status == 206, f"{reply.status}")
    require(len(reply.body) == 8 and bool(reply.header("Content-Range")), f"206 with {len(reply.body)} bytes of 8")


def _document(subject: Subject) -> None:
    reply = subject.asker.ask(Ask(path=_bulk_address(subject, "document", "00420011"), accept="*/*"))
    require(reply.status == 200, f"{reply.status}")
    content = reply.parts()[0].body if reply.media_type.type.startswith("multipart") else reply.body
    require(content.startswith(b"%PDF"), "something that is no PDF")


def _frames(subject: Subject) -> list[Part]:
    subject.thing("movie")
    last = subject.thing("movie").number("00280008")
    parts = subject.ask(Ask(path=f"{{movie}}/frames/1,{last}", accept=OCTETS)).parts()
    require(len(parts) == 2, f"{len(parts)} parts for 2 frames")
    return parts


def _two_frames(subject: Subject) -> None:
    _frames(subject)


def _frame_places(subject: Subject) -> None:
    last = subject.thing("movie").number("00280008")
    places = [part.headers.get("content-location", "") for part in _frames(subject)]
    is_so = all(place.endswith(f"/frames/{n}") for place, n in zip(places, (1, last), strict=True))
    require(is_so, "parts without the Content-Location of their frame")


def _frame_bytes(subject: Subject) -> None:
    thing = subject.thing("movie")
    parts = subject.ask(Ask(path="{movie}/frames/1,2", accept=_NATIVE)).parts()
    sizes = [len(part.body) for part in parts]
    require(sizes == [thing.frame_size] * 2, f"{sizes[:1]} bytes where a frame has {thing.frame_size}")
    if thing.content is not None:
        require(parts[0].body + parts[1].body in thing.content, "other bytes than were stored")


def _frame_syntax(subject: Subject) -> None:
    parts = subject.ask(Ask(path="{compressed}/frames/1", accept=_UNQUOTED)).parts()
    require(len(parts) == 1, f"{len(parts)} parts")
    said = parts[0].media_type.get("transfer-syntax")
    require(said not in (None, "*"), f"a part that says {'nothing' if said is None else '*'}")


def _past_the_end(subject: Subject) -> None:
    last = subject.thing("movie").number("00280008")
    asking(Ask(path=f"{{movie}}/frames/{last + 1000}", accept=OCTETS), status(404, 400))(subject)


def _placed(reply: Reply) -> None:
    places = [part.headers.get("content-location") for part in reply.parts()]
    require(bool(places) and all(places), "parts without Content-Location")


def _same_again(subject: Subject) -> None:
    first = subject.ask(Ask(path="{image}", accept=DICOM))
    tag = first.header("ETag")
    require(bool(tag), "no ETag")
    again = subject.ask(Ask(path="{image}", accept=DICOM, headers={"If-None-Match": tag or ""}))
    require(again.status == 304, f"{again.status} for what has not changed")


def _ranged(subject: Subject) -> None:
    reply = subject.ask(Ask(path="{image}", accept="application/dicom", headers={"Range": "bytes=128-131"}))
    require(reply.status == 206 and reply.body == b"DICM", f"{reply.status} with {len(reply.body)} bytes of 4")


PROBES: Final[tuple[Probe, ...]] = (
    _whole("a study", "/studies/{study}", "study_instances"),
    _whole("a series", "/studies/{study}/series/{series}", "images"),
    _whole("an instance", "{image}", ""),
    Probe(
        item="RET-03",
        severity=MUST,
        asks="a study and an instance that do not exist",
        expects="404",
        run=asking_each(
            (
                Ask(path="/studies/{nowhere}", accept=DICOM),
                Ask(path="/studies/{study}/series/{series}/instances/{nowhere}", accept=DICOM),
                Ask(path="/studies/{nowhere}/metadata"),
            ),
            status(404),
        ),
    ),
    Probe(
        item="GEN-08",
        severity=MUST,
        asks="the instances of a series in parts",
        expects="Content-Location with each part",
        run=asking(Ask(path="/studies/{study}/series/{series}", accept=DICOM), _placed),
    ),
    _metadata("a study", "/studies/{study}/metadata", "study_instances"),
    _metadata("a series", "/studies/{study}/series/{series}/metadata", "images"),
    _metadata("an instance", "{image}/metadata", ""),
    Probe(
        item="JSON-02",
        severity=MUST,
        asks="the keys of metadata",
        expects="tags in upper case, in order; no group 0002, no group lengths",
        run=asking(Ask(path="{image}/metadata"), some, _tags),
    ),
    Probe(
        item="JSON-03",
        severity=MUST,
        asks="the attributes of metadata",
        expects="a vr, and one of Value, BulkDataURI, InlineBinary at most",
        run=asking(Ask(path="{image}/metadata"), some, _shapes),
    ),
    Probe(
        item="V11",
        severity=MUST,
        asks="empty attributes and items",
        expects="no empty Value; an empty item is {}",
        run=asking(Ask(path="{image}/metadata"), some, _empties),
    ),
    Probe(
        item="V11",
        severity=SHOULD,
        asks="IS and DS in metadata",
        expects="JSON numbers",
        run=asking(Ask(path="{image}/metadata"), some, _numbers),
    ),
    Probe(item="JSON-11", severity=MUST, asks="private attributes", expects="with their Private Creator", run=_private),
    Probe(
        item="JSON-13",
        severity=MUST,
        asks="Pixel Data in metadata",
        expects="a BulkDataURI",
        run=asking_each((Ask(path="{image}/metadata"), Ask(path="{compressed}/metadata")), some, _pixels_elsewhere),
    ),
    Probe(item="RET-06", severity=MUST, asks="all of a file's attributes", expects="in its metadata", run=_complete),
    Probe(item="RET-07", severity=MUST, asks="the BulkDataURI of pixels", expects="exactly their bytes", run=_bulk),
    Probe(
        item="V13",
        severity=SHOULD,
        asks="the VR of 16-bit pixels in metadata",
        expects="OW",
        run=_true_vr,
    ),
    Probe(item="V12", severity=SHOULD, asks="a BulkDataURI", expects="absolute", run=_bulk_absolute),
    Probe(
        item="V13", severity=SHOULD, asks="bulk data as a single part", expects="exactly its bytes", run=_bulk_single
    ),
    Probe(item="V13", severity=SHOULD, asks="a range of bulk data", expects="206 with those bytes", run=_bulk_range),
    Probe(item="FRM-06", severity=SHOULD, asks="the bulk data of a document", expects="the PDF", run=_document),
    Probe(
        item="FRM-01",
        severity=MUST,
        asks="the first and the last frame",
        expects="two parts",
        run=_two_frames,
    ),
    Probe(
        item="FRM-01",
        severity=MUST,
        asks="frame 1 of an image of one frame",
        expects="one part",
        run=asking(Ask(path="{image}/frames/1", accept=OCTETS), part_count(1)),
    ),
    Probe(
        item="FRM-01",
        severity=MUST,
        asks="where parts of frames are from",
        expects="Content-Location of each frame",
        run=_frame_places,
    ),
    Probe(
        item="FRM-01",
        severity=MUST,
        asks="frames 0, a, and 2,1",
        expects="400",
        run=asking_each(
            [Ask(path=f"{{movie}}/frames/{wrong}", accept=OCTETS) for wrong in ("0", "a", "2,1")], status(400)
        ),
    ),
    Probe(
        item="AMB-10",
        severity=SHOULD,
        asks="a frame past the last one",
        expects="404 or 400",
        run=_past_the_end,
    ),
    Probe(
        item="FRM-02",
        severity=MUST,
        asks="two native frames",
        expects="their exact bytes",
        run=_frame_bytes,
    ),
    Probe(
        item="FRM-05",
        severity=MUST,
        asks="an instance as application/octet-stream",
        expects="its bulk data in parts",
        run=asking(Ask(path="{image}", accept=_NATIVE), parts_are("application/octet-stream")),
    ),
    Probe(
        item="FRM-03",
        severity=MAY,
        asks="/pixeldata of an instance",
        expects="one part",
        run=asking(Ask(path="{image}/pixeldata", accept=_NATIVE), part_count(1)),
    ),
    Probe(
        item="FRM-04",
        severity=MAY,
        asks="/bulkdata of an instance",
        expects="parts",
        run=asking(Ask(path="{image}/bulkdata", accept=_NATIVE), part_count(1, 100)),
    ),
    Probe(
        item="CLI-01",
        severity=SHOULD,
        asks="a frame as OHIF and Slim ask for it, without quotes",
        expects="one part",
        run=asking(Ask(path="{movie}/frames/1", accept=_UNQUOTED), part_count(1)),
    ),
    Probe(
        item="V3",
        severity=SHOULD,
        asks="a compressed frame with transfer-syntax=*",
        expects="a part that says which",
        run=_frame_syntax,
    ),
    Probe(
        item="V5",
        severity=SHOULD,
        asks="a frame as a single part",
        expects="its bytes alone",
        run=asking(Ask(path="{movie}/frames/1", accept=_SINGLE), media_type("application/octet-stream")),
    ),
    Probe(
        item="FRM-07",
        severity=MAY,
        asks="a frame with Accept: */*",
        expects="the frame",
        run=asking(Ask(path="{movie}/frames/1", accept="*/*"), status(200)),
    ),
    Probe(
        item="RET-10",
        severity=SHOULD,
        asks="an instance that the caller has already (If-None-Match)",
        expects="304",
        run=_same_again,
    ),
    Probe(item="GEN-12", severity=MAY, asks="four bytes of a file", expects="206 with those bytes", run=_ranged),
    Probe(
        item="RET-10",
        severity=SHOULD,
        asks="how long an instance may be kept",
        expects="Cache-Control",
        run=asking(Ask(path="{image}", accept=DICOM), has_header("Cache-Control")),
    ),
)
