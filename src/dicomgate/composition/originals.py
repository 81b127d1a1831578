"""What was changed on the way in is kept in the data set: the Original Attributes Sequence (PS3.3 §C.12.1.1.9)."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from typing import Final

import orjson

from dicomgate.composition.content import Octets, PixelData
from dicomgate.composition.writing import Values
from dicomgate.dicom.jsonmodel import JSONDataset

SEQUENCE: Final = "04000561"
_CORRECTED: Final = "CORRECT"


def describe(replaced: JSONDataset, *, system: str) -> JSONDataset:
    """The item that tells which values were corrected here, and when."""
    now = dt.datetime.now(dt.UTC).strftime("%Y%m%d%H%M%S.%f+0000")
    return {
        "04000550": {"vr": "SQ", "Value": [dict(sorted(replaced.items()))]},
        "04000562": {"vr": "DT", "Value": [now]},
        "04000563": {"vr": "LO", "Value": [system]},
        "04000564": {"vr": "LO"},
        "04000565": {"vr": "CS", "Value": [_CORRECTED]},
    }


def add(attributes: JSONDataset, items: Sequence[JSONDataset]) -> None:
    """Put items after those that are there."""
    before = attributes.get(SEQUENCE, {}).get("Value", [])
    attributes[SEQUENCE] = {"vr": "SQ", "Value": [*before, *items]}


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
