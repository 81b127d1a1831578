"""QIDO-RS: what is stored, as a page of matches (PS3.18 §10.6, §8.3.4)."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Final

import orjson

from dicomgate.dicom.uids import Level, Target
from dicomgate.dicomweb import media_types, negotiation, offers, query, resources, warning
from dicomgate.dicomweb.resources import Resource
from dicomgate.origin import JSONDataset
from dicomgate.server import caching
from dicomgate.server.answers import Answer, Header
from dicomgate.server.exchange import field
from dicomgate.server.requests import Request

_RETRIEVE_URL: Final = "00081190"
_STUDY: Final = "0020000D"
_SERIES: Final = "0020000E"
_INSTANCE: Final = "00080018"
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
    """The match with the address to retrieve it, among the others in the order of tags (JSON-02)."""
    target = _target(dataset, resource)
    if target is None:
        return dataset
    link = {"vr": "UR", "Value": [resources.link(root, target)]}
    return dict(sorted((*dataset.items(), (_RETRIEVE_URL, link))))


def _target(dataset: JSONDataset, resource: Resource) -> Target | None:
    """What was matched: the UIDs of the match, or those that the address fixes. None if one is missing."""
    fixed, level = resource.target, resource.level
    study = _uid(dataset, _STUDY) or (fixed.study if fixed else None)
    if study is None or level is Level.STUDY:
        return Target(study) if study else None
    series = _uid(dataset, _SERIES) or (fixed.series if fixed else None)
    instance = _uid(dataset, _INSTANCE) if level is Level.INSTANCE else None
    is_whole = series and (instance or level is Level.SERIES)
    return Target(study, series, instance) if is_whole else None


def _uid(dataset: JSONDataset, tag: str) -> str | None:
    element = dataset.get(tag)
    values = element.get("Value") if element else None
    return values[0] if values else None
