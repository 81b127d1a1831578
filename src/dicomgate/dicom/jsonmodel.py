"""Data sets as DICOM JSON text, written and read (PS3.18 Annex F)."""

from __future__ import annotations

from typing import Any

import orjson

from dicomgate import errors
from dicomgate.dicom.limits import DEFAULT, Limits

JSONDataset = dict[str, Any]
"""One data set in the DICOM JSON model: tags in upper-case hex, in order, to elements (F.2.2)."""


_BRACKETS_OF_ONE = 3
"""An element is an object, holds an array, and of a name or sequence objects in that."""


def format_dataset(attributes: JSONDataset) -> bytes:
    """The JSON text of a data set whose numbers are finite, as a reader of headers makes it."""
    return orjson.dumps(attributes)


def parse(text: bytes, limits: Limits = DEFAULT) -> list[Any]:
    """The data sets of a JSON text, an array or one alone, in the form that `normal.normalise` takes (JSON-14).

    Malformed for what is no JSON, or no data set; TooLarge for more data sets than `limits.items`, or more objects and
    arrays than one data set could have, which is seen before any is made. Nesting beyond 1024
    and numbers beyond a double are no JSON here; of a key that comes twice the last counts (T6).
    """
    most = _BRACKETS_OF_ONE * (limits.elements + limits.items + limits.enhanced_elements)
    if text.count(b"{") + text.count(b"[") > most:
        raise errors.TooLarge(f"more than {most} objects and arrays")
    try:
        tree = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise errors.Malformed(f"expected JSON in UTF-8, saw something else at character {error.pos}") from None
    found = tree if isinstance(tree, list) else [tree]
    if len(found) > limits.items:
        raise errors.TooLarge(f"{len(found)} data sets; at most {limits.items} are taken at once")
    for number, dataset in enumerate(found, 1):
        if not isinstance(dataset, dict):
            raise errors.Malformed(f"data set {number}: expected an object")
    return found
