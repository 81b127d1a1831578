"""What a search found, as a body: a JSON array, or one XML document per match (PS3.18 §10.6.3.3, §10.6.4, QIDO-19)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Final

from dicomgate.dicom import jsonmodel, xmlmodel
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.prepared import RETRIEVE_URL, Prepared
from dicomgate.dicom.uids import Level, Target
from dicomgate.dicomweb import media_types, multipart, resources
from dicomgate.dicomweb.negotiation import Offer
from dicomgate.dicomweb.resources import Resource

_STUDY: Final = "0020000D"
_SERIES: Final = "0020000E"
_INSTANCE: Final = "00080018"


def write(page: Iterable[JSONDataset], resource: Resource, root: str, offer: Offer) -> tuple[str, Iterator[bytes]]:
    """The body's Content-Type, and the body in pieces, each match with the address to retrieve it."""
    if isinstance(page, Prepared) and not offer.is_multipart:
        return offer.content_type, _write_array(page.linked(lambda target: resources.link(root, target)))
    linked = (_linked(dataset, resource, root) for dataset in page)
    if not offer.is_multipart:
        return offer.content_type, _write_array(map(jsonmodel.format_dataset, linked))
    documents = [xmlmodel.format_dataset(dataset) for dataset in linked]
    boundary = multipart.stable_boundary(hashlib.sha256(b"".join(documents)).hexdigest())
    return multipart.content_type(boundary, offer.media_type), _write_parts(documents, boundary)


def _write_array(texts: Iterable[bytes]) -> Iterator[bytes]:
    start = b"["
    for text in texts:
        yield start + text
        start = b","
    yield b"]"


def _write_parts(documents: Iterable[bytes], boundary: str) -> Iterator[bytes]:
    for number, document in enumerate(documents):
        yield multipart.part_head(boundary, [("Content-Type", media_types.DICOM_XML)], first=number == 0)
        yield document
    yield multipart.closing(boundary)


def _linked(dataset: JSONDataset, resource: Resource, root: str) -> JSONDataset:
    """The match with its address, among the others in the order of tags (JSON-02)."""
    target = _target(dataset, resource)
    if target is None:
        return dataset
    link = {"vr": "UR", "Value": [resources.link(root, target)]}
    return dict(sorted((*dataset.items(), (RETRIEVE_URL, link))))


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
