"""What a server is probed with: instances stored for that, or found there (PS3.18 §10.5, §10.6)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from dicomgate import errors
from dicomgate.client.probing import DICOM, JSON, Ask, Asker, Lacking, Reply, Unexpected
from dicomgate.dicom import elements, header, syntaxes, uids
from dicomgate.dicom.source import BytesSource
from dicomgate.dicomweb import multipart

_STUDIES, _SERIES = 20, 40
_SR: Final = "1.2.840.10008.5.1.4.1.1.88."
_DOCUMENTS: Final = "1.2.840.10008.5.1.4.1.1.104."
_PART: Final = (("Content-Type", "application/dicom"),)
_TEXTS: Final = {"patient": "00100020", "accession": "00080050", "date": "00080020", "modality": "00080060"}
_KINDS: Final = {
    "image": "no image",
    "movie": "no image of several frames",
    "compressed": "no compressed image",
    "report": "no structured report",
    "document": "no document",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """One instance. `attributes`: of its header or of the server's metadata; `content`: its file, where it is ours.

    `has_others`: others are in its series.
    """

    study: str
    series: str
    instance: str
    attributes: Mapping[str, Any]
    content: bytes | None = None
    has_others: bool = False

    @property
    def path(self) -> str:
        """Below the service root."""
        return f"/studies/{self.study}/series/{self.series}/instances/{self.instance}"

    def number(self, tag: str, default: int = 1) -> int:
        """A whole number of it."""
        found = elements.numbers(self.attributes.get(tag, {}))
        return int(found[0]) if found else default

    @property
    def frame_size(self) -> int:
        """Bytes of a frame, uncompressed."""
        bits = self.number("00280010", 0) * self.number("00280011", 0) * self.number("00280100", 8)
        return bits * self.number("00280002") // 8


@dataclass(slots=True, kw_only=True)
class Subject:
    """A server with what is on it. `things`: one instance of each kind there is; `images`: of the series of `image`.

    `spare`: files to store, each of a study of its own, used up one by one; `stored`: studies to delete again.
    """

    asker: Asker
    things: dict[str, Thing] = field(default_factory=dict)
    images: list[str] = field(default_factory=list)
    study_instances: list[str] = field(default_factory=list)
    study_series: list[str] = field(default_factory=list)
    spare: list[bytes] = field(default_factory=list)
    implicit: bytes | None = None
    stored: list[str] = field(default_factory=list)
    wado: str = ""
    nowhere: str = field(default_factory=uids.mint)

    @property
    def is_own(self) -> bool:
        """Its instances were stored for the check."""
        return bool(self.stored)

    def ask(self, ask: Ask) -> Reply:
        """Ask with the words of this subject in place. Lacking when it has none for one of them."""
        return self.asker.ask(replace(ask, path=ask.path.format_map(_Words(self))))

    def thing(self, kind: str) -> Thing:
        """The instance of a kind. Lacking when there is none."""
        if kind not in self.things:
            raise Lacking(f"{_KINDS[kind]} on the server")
        return self.things[kind]

    def take_spare(self) -> Thing:
        """A file that is not stored yet. Lacking without leave to store."""
        if not self.spare:
            raise Lacking("only done with --store")
        thing = read_thing(self.spare.pop())
        self.stored.append(thing.study)
        return thing

    def word(self, name: str) -> str:
        """What stands for a word in braces."""
        if name in _KINDS:
            return self.thing(name).path
        if name in _TEXTS:
            return self._text(_TEXTS[name])
        image = self.thing("image")
        found = {
            "study": image.study,
            "series": image.series,
            "instance": image.instance,
            "nowhere": self.nowhere,
            "wado": self.wado or self.asker.root,
            "root": self.asker.root,
            "second": self._second(),
        }
        return found[name]

    def _text(self, tag: str) -> str:
        found = elements.texts(self.thing("image").attributes.get(tag, {}))
        if not found or not found[0].isascii() or not found[0].replace("-", "").replace(".", "").isalnum():
            raise Lacking("no image with a plain value to search for")
        return found[0]

    def _second(self) -> str:
        return self.images[1] if len(self.images) > 1 else ""


class _Words(dict[str, str]):
    def __init__(self, subject: Subject) -> None:
        super().__init__()
        self._subject = subject

    def __missing__(self, name: str) -> str:
        return self._subject.word(name)


def read_thing(content: bytes) -> Thing:
    """What a file of ours is."""
    found = header.read(BytesSource(content))
    target = found.target
    assert target is not None, "samples say who they are"
    assert target.series is not None
    assert target.instance is not None
    return Thing(
        study=target.study,
        series=target.series,
        instance=target.instance,
        attributes=found.attributes,
        content=content,
    )


def store(asker: Asker, files: Iterable[tuple[str, bytes]]) -> Subject:
    """Store files by their kinds and probe with them. UpstreamFailed when the server does not take them."""
    subject = Subject(asker=asker)
    sent: list[Thing] = []
    for kind, content in files:
        if kind == "spare":
            subject.spare.append(content)
        elif kind == "implicit":
            subject.implicit = content
        else:
            thing = read_thing(content)
            sent.append(thing)
            subject.things.setdefault(kind, thing)
    image = subject.things["image"]
    subject.stored.append(image.study)
    subject.images = [thing.instance for thing in sent if thing.series == image.series]
    subject.study_instances = [thing.instance for thing in sent]
    subject.study_series = list(dict.fromkeys(thing.series for thing in sent))
    try:
        reply = asker.ask(store_request(thing.content or b"" for thing in sent))
    except Unexpected as unexpected:
        raise errors.UpstreamFailed(f"nothing could be stored: {unexpected}") from unexpected
    if reply.status not in (200, 202):
        raise (errors.Forbidden if reply.status in (401, 403) else errors.UpstreamFailed)(
            f"nothing could be stored: the server answers {reply.status}"
        )
    return subject


def store_request(contents: Iterable[bytes], *, study: str = "", accept: str = JSON) -> Ask:
    """A request that stores files."""
    boundary = multipart.new_boundary()
    pieces = [
        multipart.part_head(boundary, _PART, first=number == 0) + content for number, content in enumerate(contents)
    ]
    return Ask(
        path=f"/studies/{study}" if study else "/studies",
        method="POST",
        accept=accept,
        headers={"Content-Type": multipart.content_type(boundary, "application/dicom")},
        body=b"".join(pieces) + multipart.closing(boundary),
    )


def find(asker: Asker) -> Subject:
    """What is on the server, as far as a few searches show it. NotFound when it has no images to probe with."""
    subject = Subject(asker=asker)
    try:
        for study, series, has_others in _series(asker):
            _add_first(subject, study, series, has_others=has_others)
            if len(subject.things) == len(_KINDS) and subject.things["image"].has_others:
                break
        if "image" not in subject.things:
            raise errors.NotFound("no image on the server to probe with; with --store a few are put there")
        _look_around(subject, subject.things["image"])
    except Unexpected as unexpected:
        raise errors.UpstreamFailed(f"a search was answered with {unexpected}") from unexpected
    return subject


def _look_around(subject: Subject, image: Thing) -> None:
    """What else is in its study."""
    reply = subject.asker.ask(Ask(path=f"/studies/{image.study}/instances?limit=1000"))
    found = reply.datasets() if reply.status == 200 else []
    subject.study_instances = [_uid(dataset, "00080018") for dataset in found]
    subject.images = [_uid(one, "00080018") for one in found if _uid(one, "0020000E") in (image.series, "")]
    subject.study_series = sorted({_uid(dataset, "0020000E") for dataset in found})


def _series(asker: Asker) -> Iterator[tuple[str, str, bool]]:
    """Study and series, and whether it has several instances."""
    left = _SERIES
    reply = asker.ask(Ask(path=f"/studies?limit={_STUDIES}"))
    if reply.status in (401, 403):
        raise errors.Forbidden(f"the server does not let you search ({reply.status})")
    for study in reply.datasets():
        uid = _uid(study, "0020000D")
        for series in asker.ask(Ask(path=f"/studies/{uid}/series?limit={left}")).datasets():
            said = elements.numbers(series.get("00201209", {}))
            yield uid, _uid(series, "0020000E"), bool(said) and said[0] > 1
            left -= 1
        if left <= 0:
            return


def _add_first(subject: Subject, study: str, series: str, *, has_others: bool) -> None:
    """The first instance of a series, if its kind was not seen yet, or was seen only alone in its series."""
    found = subject.asker.ask(Ask(path=f"/studies/{study}/series/{series}/instances?limit=1")).datasets()
    for instance in (_uid(dataset, "00080018") for dataset in found[:1]):
        bare = Thing(study=study, series=series, instance=instance, attributes={}, has_others=has_others)
        metadata = subject.asker.ask(Ask(path=f"{bare.path}/metadata"))
        described = metadata.datasets() if metadata.status == 200 else []
        for thing in (replace(bare, attributes=dataset) for dataset in described[:1]):
            for kind in _kinds(subject, thing):
                known = subject.things.get(kind)
                if known is None or (has_others and not known.has_others):
                    subject.things[kind] = thing


def _kinds(subject: Subject, thing: Thing) -> Iterator[str]:
    sop_class = _uid(thing.attributes, "00080016")
    if sop_class.startswith(_SR):
        yield "report"
    elif sop_class.startswith(_DOCUMENTS):
        yield "document"
    elif thing.frame_size and thing.number("00280008") > 1:
        yield "movie"
    elif thing.frame_size and "7FE00010" in thing.attributes:
        yield "compressed" if _is_compressed(subject, thing) else "image"


def _is_compressed(subject: Subject, thing: Thing) -> bool:
    """What the first part says of itself when the stored syntax is asked for."""
    try:
        parts = subject.asker.ask(Ask(path=thing.path, accept=DICOM)).parts()
        syntax = header.read(BytesSource(parts[0].body)).transfer_syntax if parts else ""
    except (Unexpected, errors.Fault):
        return False
    return syntax not in (syntaxes.EXPLICIT_LITTLE, syntaxes.IMPLICIT_LITTLE, "")


def _uid(dataset: Mapping[str, Any], tag: str) -> str:
    found = elements.texts(dataset.get(tag, {}))
    return found[0] if found and uids.is_uid(found[0]) else ""
