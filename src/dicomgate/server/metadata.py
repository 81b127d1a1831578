"""Metadata of studies, series and instances: prepared at arrival, joined here, never parsed (PS3.18 §10.4.1.1.2).

Only for XML the prepared JSON is read again: one document for each instance, as parts (MT-18, PS3.19 §A.1).
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from typing import Final

import orjson

from dicomgate import origin
from dicomgate.dicom import xmlmodel
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.uids import Level, Target
from dicomgate.dicomweb import media_types, multipart, negotiation, offers, resources
from dicomgate.dicomweb.negotiation import Offer
from dicomgate.dicomweb.resources import Resource
from dicomgate.origin import PAUSE, ROOT_PLACEHOLDER, Underway
from dicomgate.server import caching, codings, ready
from dicomgate.server import retrieve as retrieving
from dicomgate.server.answers import Answer, Header
from dicomgate.server.exchange import field
from dicomgate.server.representation import Representation
from dicomgate.server.requests import Request

_BATCH: Final = 128 << 10
_LINK: Final = ROOT_PLACEHOLDER.removesuffix(b"/")
_UIDS: Final = ("0020000D", "0020000E", "00080018")


def retrieve(request: Request, resource: Resource) -> Answer:
    """Every instance's metadata, with absolute links: a JSON array, or XML documents."""
    assert resource.target is not None, "metadata has a target"
    many = resource.target.level is not Level.INSTANCE
    offer = negotiation.choose(request.wishes(), offers.METADATA if many else offers.METADATA_OF_INSTANCE)
    coding = codings.choose(request.header(b"accept-encoding"))
    version = request.door.ready.version(request.door.origin.retrieve, resource.target)
    texts = None
    if version is None:
        version, texts = _read(request, resource.target)
    if isinstance(texts, Underway):
        return _underway(request, resource, texts, offer, coding)
    tag, headers = _headers(request, resource, offer, version, coding)
    known = _represented(request, headers, version, tag).again(request)
    if known is not None:
        return known
    if texts is None:
        version, texts = _read(request, resource.target)
        if isinstance(texts, Underway):  # the last of it went in this very moment
            return _underway(request, resource, texts, offer, coding)
        tag, headers = _headers(request, resource, offer, version, coding)
    made = codings.compress(_write(texts, request.root, offer, multipart.stable_boundary(tag)), coding)
    chunks = request.door.ready.keeping(version, tag, made)
    return Answer(headers=headers, chunks=chunks, of=_represented(request, headers, version, tag))


def _underway(request: Request, resource: Resource, texts: Underway[bytes], offer: Offer, coding: str) -> Answer:
    """What is still coming, or will never be whole: sent as it comes, and nothing is kept of it.

    Its status is 200 also where instances are lacking, which a Warning tells: viewers take an answer in part to a
    question for metadata for no answer at all (dicomweb-client), and would show nothing of the series.
    """
    boundary = multipart.new_boundary()
    warnings = [retrieving.lacking(request, texts.lacking)] if texts.lacking else []
    chunks = codings.compress(_write(origin.with_pauses(texts), request.root, offer, boundary), coding)
    answer = Answer(headers=[*_fields(request, resource, offer, boundary, coding), *warnings], chunks=chunks)
    answer.resources.callback(texts.close)
    return answer


def _represented(request: Request, headers: list[Header], version: str, tag: str) -> Representation:
    """What is kept of it: its fields, and where its body is if that is ready."""
    find = functools.partial(request.door.ready.find, version, tag)
    return Representation(headers=headers, tag=tag, is_lasting=True, find=find)


def _read(request: Request, target: Target) -> tuple[str, Iterator[bytes]]:
    """The version and the texts; what changes while they are read counts as a later change."""
    retrieve = request.door.origin.retrieve
    change, _ = retrieve.changed(target.study, ready.NO_CHANGE)
    version, texts = retrieve.metadata(target)
    if version:
        request.door.ready.note(target, change, version)
    return version, texts


def _headers(request: Request, resource: Resource, offer: Offer, version: str, coding: str) -> tuple[str, list[Header]]:
    form = "parts" if offer.is_multipart else "alone"
    tag = caching.format_tag(version, f"{offer.content_type} {form} {request.root} {coding}")
    return tag, [*_fields(request, resource, offer, multipart.stable_boundary(tag), coding), field("etag", tag)]


def _fields(request: Request, resource: Resource, offer: Offer, boundary: str, coding: str) -> list[Header]:
    kind = multipart.content_type(boundary, offer.media_type) if offer.is_multipart else offer.content_type
    return [
        field("content-type", kind),
        field("content-location", resources.format_resource(request.root, resource)),
        caching.CHANGING,
        caching.VARY_CODED,
        *codings.headers(coding),
    ]


def _write(texts: Iterable[bytes], root: str, offer: Offer, boundary: str) -> Iterator[bytes]:
    if offer.media_type == media_types.DICOM_JSON:
        return _write_array(texts, root)
    if offer.is_multipart:
        return _write_parts(_linked(texts, root), root, boundary)
    return map(xmlmodel.format_dataset, map(orjson.loads, _linked(texts, root)))


def _write_array(texts: Iterable[bytes], root: str) -> Iterator[bytes]:
    """The texts joined in batches; each is searched once, and each batch copied once. A pause ends a batch."""
    batch: list[bytes] = []
    size, start = 0, b"["
    for text in _linked(texts, root):
        if text is PAUSE:
            yield b"".join(batch)
            yield PAUSE
            batch, size = [], 0
            continue
        batch += (start, text)
        start = b","
        size += len(text)
        if size >= _BATCH:
            yield b"".join(batch)
            batch, size = [], 0
    yield b"".join((*batch, b"]"))


def _linked(texts: Iterable[bytes], root: str) -> Iterator[bytes]:
    link = _LINK + orjson.dumps(root)[1:-1] + b"/"
    for text in texts:
        yield PAUSE if text is PAUSE else link.join(text.split(ROOT_PLACEHOLDER))


def _write_parts(texts: Iterable[bytes], root: str, boundary: str) -> Iterator[bytes]:
    is_first = True
    for text in texts:
        if text is PAUSE:
            yield PAUSE
            continue
        dataset: JSONDataset = orjson.loads(text)
        lines = [("Content-Type", media_types.DICOM_XML), ("Content-Location", _location(dataset, root))]
        yield multipart.part_head(boundary, lines, first=is_first) + xmlmodel.format_dataset(dataset)
        is_first = False
    yield multipart.closing(boundary)


def _location(dataset: JSONDataset, root: str) -> str:
    """Where this instance's metadata is (GEN-08); every stored data set has the UIDs that name it."""
    study, series, instance = (dataset[tag]["Value"][0] for tag in _UIDS)
    return f"{resources.link(root, Target(study, series, instance))}/metadata"
