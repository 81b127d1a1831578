"""Values of a data set in the DICOM JSON model, as far as they can be used; what cannot is as if it were not there."""

from __future__ import annotations

import math
import struct
from base64 import b64decode
from binascii import Error
from typing import Any, Final

from dicomgate import errors
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.origin import Instance

_LARGEST: Final = 1 << 32


def values(dataset: JSONDataset, tag: str) -> list[Any]:
    """Those that are there."""
    found = dataset.get(tag, {}).get("Value") or []
    return [value for value in found if value is not None]


def items(dataset: JSONDataset, tag: str) -> list[JSONDataset]:
    """The items of a sequence."""
    return [item for item in values(dataset, tag) if isinstance(item, dict)]


def first_item(dataset: JSONDataset, tag: str) -> JSONDataset:
    """The first item of a sequence; without one, none of its attributes is there."""
    return next(iter(items(dataset, tag)), {})


def text(dataset: JSONDataset, tag: str) -> str:
    """The first value as text."""
    found = next(iter(values(dataset, tag)), "")
    return str(found).strip() if isinstance(found, str | int | float) else ""


def numbers(dataset: JSONDataset, tag: str) -> list[float]:
    """The values that are finite numbers, also those written as text."""
    found = []
    for value in values(dataset, tag):
        try:
            number = float(value)
        except (TypeError, ValueError):
            continue
        if math.isfinite(number):
            found.append(number)
    return found


def number(dataset: JSONDataset, tag: str) -> float | None:
    """The first of them."""
    return next(iter(numbers(dataset, tag)), None)


def whole(dataset: JSONDataset, tag: str, default: int = 0) -> int:
    """The first of them as a whole number."""
    return next(iter(wholes(dataset, tag)), default)


def wholes(dataset: JSONDataset, tag: str) -> list[int]:
    """All of them as whole numbers, of which no attribute has larger ones than these."""
    return [int(min(max(found, -_LARGEST), _LARGEST)) for found in numbers(dataset, tag)]


def content(instance: Instance, dataset: JSONDataset, tag: str, longest: int) -> bytes | None:
    """The bytes of a value, little endian, wherever they are; None without any.

    TooLarge beyond so many. The value may be inline, a list of 16-bit numbers, or bulk data.
    """
    element = dataset.get(tag, {})
    if "InlineBinary" in element:
        try:
            return b64decode(element["InlineBinary"])
        except (Error, ValueError, TypeError):
            return None
    if "BulkDataURI" in element:
        piece = instance.bulk(str(element["BulkDataURI"]).rpartition("bulkdata/")[2])
        if piece.size > longest:
            raise errors.TooLarge(f"attribute {tag}: {piece.size} bytes, at most {longest} are taken")
        return b"".join(piece.chunks)
    found = [int(value) & 0xFFFF for value in numbers(dataset, tag)[: longest // 2]]
    return struct.pack(f"<{len(found)}H", *found) or None
