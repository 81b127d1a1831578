"""Metadata of studies, series and instances: prepared at arrival, joined here, never parsed (PS3.18 §10.4.1.1.2).

Only for XML the prepared JSON is read again: one document for each instance, as parts (MT-18, PS3.19 §A.1).
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from typing import Final

import orjson

from dicomgate.dicom import xmlmodel
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.uids import Level, Target
from dicomgate.dicomweb import media_types, multipart, negotiation, offers, resources
from dicomgate.dicomweb.negotiation import Offer
from dicomgate.dicomweb.resources import Resource
from dicomgate.origin import ROOT_PLACEHOLDER
from dicomgate.server import caching, codings, ready
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
    tag, headers = _headers(request, resource, offer, version, coding)
    known = _represented(request, headers, version, tag).again(request)
    if known is not None:
        return known
    if texts is None:
        version, texts = _read(request, resource.target)
        tag, headers = _headers(request, resource, offer, version, coding)
    made = codings.compress(_write(texts, request.root, offer, tag), coding)
    chunks = request.door.ready.keeping(version, tag, made)
    return Answer(headers=headers, chunks=chunks, of=_represented(request, headers, version, tag))


def _represented(request: Request, headers: list[Header], version: str, tag: str) -> Representation:
    """What is kept of it: its fields, and where its body is if that is ready."""
    find = functools.partial(request.door.ready.find, version, tag)
    return Representation(headers=headers, tag=tag, is_lasting=True, find=find)


def _read(request: Request, target: Target) -> tuple[str, Iterator[bytes]]:
    """The version and the texts; what changes while they are read counts as a later change."""
    retrieve = request.door.origin.retrieve
    change, _ = retrieve.changed(target.study, ready.NO_CHANGE)
    version, texts = retrieve.metadata(target)
    request.door.ready.note(target, change, version)
    return version, texts


def _headers(request: Request, resource: Resource, offer: Offer, version: str, coding: str) -> tuple[str, list[Header]]:
    form = "parts" if offer.is_multipart else "alone"
    tag = caching.format_tag(version, f"{offer.content_type} {form} {request.root} {coding}")
    kind = multipart.content_type(_boundary(tag), offer.media_type) if offer.is_multipart else offer.content_type
    headers = [
        field("content-type", kind),
        field("content-location", resources.format_resource(request.root, resource)),
        field("etag", tag),
        caching.CHANGING,
        caching.VARY_CODED,
        *codings.headers(coding),
    ]
    return tag, headers


def _boundary(tag: str) -> str:
    return multipart.stable_boundary(tag)


def _write(texts: Iterable[bytes], root: str, offer: Offer, tag: str) -> Iterator[bytes]:
    if offer.media_type == media_types.DICOM_JSON:
        return _write_array(texts, root)
    datasets = map(orjson.loads, _linked(texts, root))
    if offer.is_multipart:
        return _write_parts(datasets, root, _boundary(tag))
    return map(xmlmodel.format_dataset, datasets)


def _write_array(texts: Iterable[bytes], root: str) -> Iterator[bytes]:
    """The texts joined in batches; each is searched once, and each batch copied once."""
    batch: list[bytes] = []
    size, start = 0, b"["
    for text in _linked(texts, root):
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
        yield link.join(text.split(ROOT_PLACEHOLDER))


def _write_parts(datasets: Iterable[JSONDataset], root: str, boundary: str) -> Iterator[bytes]:
    for number, dataset in enumerate(datasets):
        lines = [("Content-Type", media_types.DICOM_XML), ("Content-Location", _location(dataset, root))]
        yield multipart.part_head(boundary, lines, first=number == 0) + xmlmodel.format_dataset(dataset)
    yield multipart.closing(boundary)


def _location(dataset: JSONDataset, root: str) -> str:
    """Where this instance's metadata is (GEN-08); every stored data set has the UIDs that name it."""
    study, series, instance = (dataset[tag]["Value"][0] for tag in _UIDS)
    return f"{resources.link(root, Target(study, series, instance))}/metadata"
