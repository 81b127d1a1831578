"""Metadata that was corrected by what the bytes of its bulk data say: the record, and what was sent (STOW-09, -18)."""

from __future__ import annotations

import datetime as dt
import hashlib

import orjson

from dicomgate.composition.content import Octets, PixelData
from dicomgate.composition.writing import Values
from dicomgate.dicom import original_attributes
from dicomgate.dicom.jsonmodel import JSONDataset


def record(attributes: JSONDataset, replaced: JSONDataset, *, system: str) -> JSONDataset:
    """Record in the data set what stood there before; the item that tells it."""
    item = original_attributes.item(
        replaced,
        {tag: attributes[tag] for tag in replaced},
        system=system,
        reason=original_attributes.Reason.CORRECT,
        moment=dt.datetime.now(dt.UTC),
    )
    attributes[original_attributes.SEQUENCE] = original_attributes.recorded(attributes, item)
    return item


def fingerprint(attributes: JSONDataset, replaced: JSONDataset, pixels: PixelData | None, values: Values) -> str:
    """A digest of what was sent, so that it is known when it comes again: the record of a change tells another time."""
    digest = hashlib.sha256(orjson.dumps([attributes, replaced], option=orjson.OPT_SORT_KEYS))
    contents: list[Octets] = []
    if pixels is not None:
        contents += [pixels.native] if pixels.native is not None else pixels.frames
    for path in sorted(values):
        value = values[path]
        contents.append(value if isinstance(value, Octets) else value.frame)
    for content in contents:
        digest.update(content.size.to_bytes(8))
        for chunk in content.chunks():
            digest.update(chunk)
    return digest.hexdigest()
