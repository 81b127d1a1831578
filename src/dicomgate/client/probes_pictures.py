"""Probes of rendered resources, thumbnails and WADO-URI (PS3.18 §8.3.5, §10.4.3.3.3, §9)."""

from __future__ import annotations

from typing import Final

from dicomgate.client.expectations import (
    asking,
    asking_each,
    filled,
    has_header,
    is_file,
    is_picture,
    media_type,
    picture_size,
    require,
    status,
    warns,
)
from dicomgate.client.probing import Ask, Lacking, Probe, Reply, Severity
from dicomgate.client.subjects import Subject

MUST, SHOULD, MAY = Severity.MUST, Severity.SHOULD, Severity.MAY
_SHOWN: Final = "{image}/rendered"
_JPEG, _PNG, _GIF = "image/jpeg", "image/png", "image/gif"
_OBJECT: Final = "{wado}?requestType=WADO&studyUID={study}&seriesUID={series}&objectUID={instance}"


def _rendered(query: str, accept: str = _JPEG) -> Ask:
    return Ask(path=f"{_SHOWN}?{query}" if query else _SHOWN, accept=accept)


def _wrong(item: str, asks: str, *queries: str, accept: str = _JPEG) -> Probe:
    """Values of a parameter that are refused."""
    return Probe(
        item=item,
        severity=MUST,
        asks=asks,
        expects="400",
        run=asking_each([_rendered(query, accept) for query in queries], status(400)),
    )


def _within(subject: Subject) -> None:
    """As large as it can be inside the viewport, with its aspect."""
    thing = subject.thing("image")
    rows, columns = thing.number("00280010"), thing.number("00280011")
    reply = subject.ask(_rendered("viewport=30,30", _PNG))
    require(reply.status == 200, f"{reply.status}")
    wide, high = picture_size(reply.body)
    scale = min(30 / columns, 30 / rows)
    expected = (columns * scale, rows * scale)
    is_so = abs(wide - expected[0]) <= 1 and abs(high - expected[1]) <= 1
    require(is_so, f"{wide} x {high} where {expected[0]:.0f} x {expected[1]:.0f} was expected")


def _original(subject: Subject) -> None:
    thing = subject.thing("image")
    reply = subject.ask(_rendered("", _PNG))
    require(reply.status == 200, f"{reply.status}")
    size = picture_size(reply.body)
    require(size == (thing.number("00280011"), thing.number("00280010")), f"{size[0]} x {size[1]}")


def _windows(subject: Subject) -> None:
    """Another window makes another picture."""
    shown = [subject.ask(_rendered(f"window={window},linear", _PNG)) for window in ("100,200", "3000,100")]
    require(all(reply.status == 200 for reply in shown), f"{shown[0].status}, {shown[1].status}")
    require(shown[0].body != shown[1].body, "the same picture with another window")


def _small(reply: Reply) -> None:
    media_type(_JPEG)(reply)
    is_picture(reply)


def _thumbnails(subject: Subject) -> None:
    paths = ("/studies/{study}", "/studies/{study}/series/{series}", "{image}", "{image}/frames/1")
    asking_each([Ask(path=f"{path}/thumbnail", accept=_JPEG) for path in paths], _small)(subject)


def _text(type_: str, severity: Severity = MUST) -> Probe:
    return Probe(
        item="REN-01",
        severity=severity,
        asks=f"a report rendered as {type_}",
        expects="a text",
        run=asking(Ask(path="{report}/rendered", accept=type_), media_type(type_), filled),
    )


def _picture(type_: str, severity: Severity = MUST) -> Probe:
    return Probe(
        item="MT-15",
        severity=severity,
        asks=f"an image rendered as {type_}",
        expects="a picture",
        run=asking(_rendered("", type_), media_type(type_), is_picture),
    )


def _wado(item: str, severity: Severity, asks: str, expects: str, query: str, *expectations: object) -> Probe:
    """WADO-URI is a service of its own: where it is not offered, nothing of it is probed."""

    def run(subject: Subject) -> None:
        if subject.ask(Ask(path=f"{_OBJECT}&contentType=application/dicom", accept="*/*")).status != 200:
            raise Lacking("no WADO-URI at this address; --wado says where it is")
        asking(Ask(path=query, accept="*/*"), *expectations)(subject)  # type: ignore[arg-type]

    return Probe(item=item, severity=severity, asks=f"WADO-URI: {asks}", expects=expects, run=run)


PROBES: Final[tuple[Probe, ...]] = (
    _picture(_JPEG),
    _picture(_PNG),
    _picture(_GIF),
    Probe(
        item="MT-15",
        severity=MUST,
        asks="an image rendered, Accept: */*",
        expects="a JPEG picture",
        run=asking(_rendered("", "*/*"), _small),
    ),
    Probe(
        item="RET-01",
        severity=MUST,
        asks="a frame rendered",
        expects="a picture",
        run=asking(Ask(path="{movie}/frames/2/rendered", accept=_PNG), media_type(_PNG), is_picture),
    ),
    Probe(
        item="RET-01",
        severity=MUST,
        asks="a series rendered, in parts",
        expects="pictures",
        run=asking(
            Ask(path="/studies/{study}/series/{series}/rendered", accept='multipart/related; type="image/jpeg"'),
            media_type("multipart/related"),
            lambda reply: require(bool(reply.parts()), "no parts"),
        ),
    ),
    Probe(
        item="MT-17",
        severity=MUST,
        asks="a study rendered as one picture",
        expects="406",
        run=asking(Ask(path="/studies/{study}/rendered", accept=_JPEG), status(406)),
    ),
    Probe(
        item="REN-01",
        severity=MUST,
        asks="a compressed image rendered",
        expects="a picture",
        run=asking(Ask(path="{compressed}/rendered", accept=_JPEG), _small),
    ),
    _text("text/html"),
    _text("text/plain"),
    _text("text/xml"),
    Probe(
        item="V14",
        severity=SHOULD,
        asks="a PDF document rendered",
        expects="the PDF",
        run=asking(Ask(path="{document}/rendered", accept="application/pdf"), media_type("application/pdf"), filled),
    ),
    Probe(
        item="GEN-08",
        severity=SHOULD,
        asks="where a rendered picture is from",
        expects="Content-Location",
        run=asking(_rendered(""), status(200), has_header("Content-Location")),
    ),
    Probe(
        item="REN-03",
        severity=MUST,
        asks="annotation=patient,technique",
        expects="a picture",
        run=asking(_rendered("annotation=patient,technique"), _small),
    ),
    _wrong("REN-03", "annotation without a value", "annotation="),
    Probe(
        item="REN-03",
        severity=MUST,
        asks="annotation=nonsense",
        expects="a picture, with a Warning",
        run=asking(_rendered("annotation=nonsense"), _small, warns),
    ),
    Probe(
        item="REN-04",
        severity=MUST,
        asks="quality=50",
        expects="a picture",
        run=asking(_rendered("quality=50"), _small),
    ),
    _wrong("REN-04", "quality 0, 101 and none", "quality=0", "quality=101", "quality="),
    Probe(
        item="REN-05",
        severity=MUST,
        asks="viewport=30,30",
        expects="as large as fits in it, not distorted",
        run=_within,
    ),
    Probe(item="REN-05", severity=MUST, asks="no viewport", expects="the size of the image", run=_original),
    _wrong("REN-05", "viewport=512, =0,5 and =10,10,", "viewport=512", "viewport=0,5", "viewport=10,10,"),
    Probe(
        item="REN-06", severity=MUST, asks="two different windows", expects="two different pictures", run=_windows
    ),
    _wrong("REN-06", "window=40,400 and =40,400,nonsense", "window=40,400", "window=40,400,nonsense"),
    Probe(
        item="REN-08",
        severity=MAY,
        asks="iccprofile=yes",
        expects="a picture",
        run=asking(_rendered("iccprofile=yes"), _small),
    ),
    Probe(
        item="THM-01",
        severity=MAY,
        asks="thumbnails of a study, series, instance and frame",
        expects="a JPEG picture each",
        run=_thumbnails,
    ),
    Probe(
        item="THM-02",
        severity=MUST,
        asks="a thumbnail of a part of the image: viewport=64,64,0,0,1,1",
        expects="400, or 404 where there are no thumbnails",
        run=asking(Ask(path="{image}/thumbnail?viewport=64,64,0,0,1,1", accept=_JPEG), status(400, 404)),
    ),
    Probe(
        item="V14",
        severity=SHOULD,
        asks="OHIF's thumbnail: viewport=256,256 of a series",
        expects="a JPEG picture",
        run=asking(
            Ask(path="/studies/{study}/series/{series}/thumbnail?viewport=256,256", accept=_JPEG), _small
        ),
    ),
    Probe(
        item="V14",
        severity=SHOULD,
        asks="a thumbnail with ?accept=image/jpeg and Accept: */*",
        expects="a JPEG picture",
        run=asking(Ask(path="{image}/thumbnail?accept=image/jpeg", accept="*/*"), _small),
    ),
    _wado(
        "URI-05", MUST, "a DICOM file", "it", f"{_OBJECT}&contentType=application/dicom",
        media_type("application/dicom"), is_file,
    ),
    _wado("URI-04", MUST, "an image without contentType", "a JPEG picture", _OBJECT, _small),
    _wado(
        "URI-01", MUST, "no objectUID", "400", "{wado}?requestType=WADO&studyUID={study}&seriesUID={series}",
        status(400),
    ),
    _wado(
        "URI-02", MUST, "an object that does not exist", "404",
        "{wado}?requestType=WADO&studyUID={study}&seriesUID={series}&objectUID={nowhere}", status(404),
    ),
    _wado(
        "URI-03", MUST, "a parameter inside contentType", "400",
        f"{_OBJECT}&contentType=application/dicom%3Btransfer-syntax%3D1.2.840.10008.1.2.1", status(400),
    ),
    _wado("URI-10", MAY, "rows=20", "a picture", f"{_OBJECT}&rows=20", is_picture),
    _wado("URI-12", MAY, "windowCenter alone", "400", f"{_OBJECT}&windowCenter=40", status(400)),
    _wado("URI-11", MAY, "an empty region", "400", f"{_OBJECT}&region=0.5,0,0.5,1", status(400)),
)  # fmt: skip
