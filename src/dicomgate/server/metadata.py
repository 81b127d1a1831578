"""Metadata of studies, series and instances: prepared at arrival, joined here, never parsed (PS3.18 §10.4.1.1.2)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import orjson

from dicomgate.dicomweb import media_types, negotiation, offers
from dicomgate.dicomweb.resources import Resource
from dicomgate.origin import ROOT_PLACEHOLDER
from dicomgate.server import caching
from dicomgate.server.answers import Answer
from dicomgate.server.exchange import field
from dicomgate.server.requests import Request

_BATCH: Final = 128 << 10
_LINK: Final = ROOT_PLACEHOLDER.removesuffix(b"/")


def retrieve(request: Request, resource: Resource) -> Answer:
    """A JSON array of every instance's metadata, with absolute links."""
    assert resource.target is not None, "metadata has a target"
    offer = negotiation.choose(request.wishes(), offers.METADATA)
    version, texts = request.door.origin.retrieve.metadata(resource.target)
    tag = caching.format_tag(version, f"{offer.content_type} {request.root}")
    headers = [
        field("content-type", media_types.DICOM_JSON),
        field("etag", tag),
        caching.CHANGING,
        caching.VARY,
    ]
    if caching.is_known(request, tag):
        return caching.not_modified(headers)
    return Answer(headers=headers, chunks=_write_array(texts, request.root))


def _write_array(texts: Iterable[bytes], root: str) -> Iterator[bytes]:
    """The texts joined in batches; each is searched once, and each batch copied once."""
    link = _LINK + orjson.dumps(root)[1:-1] + b"/"
    batch: list[bytes] = []
    size, start = 0, b"["
    for text in texts:
        batch += (start, link.join(text.split(ROOT_PLACEHOLDER)))
        start = b","
        size += len(text)
        if size >= _BATCH:
            yield b"".join(batch)
            batch, size = [], 0
    yield b"".join((*batch, b"]"))
