"""QIDO-RS: what is stored, as a page of matches (PS3.18 §10.6, §8.3.4)."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Final

import orjson

from dicomgate.dicom.uids import Target
from dicomgate.dicomweb import media_types, negotiation, offers, query, resources, warning
from dicomgate.dicomweb.resources import Resource
from dicomgate.origin import JSONDataset
from dicomgate.server import caching
from dicomgate.server.answers import Answer, Header
from dicomgate.server.exchange import field
from dicomgate.server.requests import Request

_RETRIEVE_URL: Final = "00081190"
_UIDS: Final = ("0020000D", "0020000E", "00080018")
_JSON: Final[Header] = field("content-type", media_types.DICOM_JSON)


def search(request: Request, resource: Resource) -> Answer:
    """One page of matches; 204 when there is none (QIDO-16)."""
    negotiation.choose(request.wishes(), offers.SEARCH)
    settings = request.door.settings
    asked = query.parse(
        resource, request.pairs, strict=settings.strict, default_limit=settings.most, most=settings.most
    )
    found = request.door.origin.search.search(asked.query)
    texts = list(asked.warnings)
    if found.remaining:
        texts.append(warning.remaining_results(found.remaining))
    headers = [caching.CHANGING, caching.VARY, *(_warning(request, text) for text in texts)]
    datasets = iter(found.datasets)
    first = next(datasets, None)
    if first is None:
        return Answer(status=204, headers=headers, size=0)
    headers.append(_JSON)
    return Answer(headers=headers, chunks=_write_array(itertools.chain([first], datasets), resource, request.root))


def _warning(request: Request, text: str) -> Header:
    return field("warning", warning.format_warning(request.root, text))


def _write_array(datasets: Iterable[JSONDataset], resource: Resource, root: str) -> Iterator[bytes]:
    start = b"["
    for dataset in datasets:
        yield start + orjson.dumps(_linked(dataset, resource, root))
        start = b","
    yield b"]"


def _linked(dataset: JSONDataset, resource: Resource, root: str) -> JSONDataset:
    """The match with its link among the others, in the order of tags (JSON-02)."""
    link = _link(dataset, resource, root)
    if link is None:
        return dataset
    return dict(sorted({**dataset, _RETRIEVE_URL: {"vr": "UR", "Value": [link]}}.items()))


def _link(dataset: JSONDataset, resource: Resource, root: str) -> str | None:
    """Where the match can be retrieved; None if a UID of it is missing."""
    fixed = (resource.target.study, resource.target.series) if resource.target else ()
    uids = [_uid(dataset, tag) for tag in _UIDS[: resource.level]]
    uids = [uid or known for uid, known in itertools.zip_longest(uids, fixed)][: resource.level]
    if not all(uids):
        return None
    study, series, instance = (*uids, None, None)[:3]
    assert study is not None, "looked at above"
    return resources.link(root, Target(study, series, instance))


def _uid(dataset: JSONDataset, tag: str) -> str | None:
    values = dataset.get(tag, {}).get("Value")
    return values[0] if values else None
