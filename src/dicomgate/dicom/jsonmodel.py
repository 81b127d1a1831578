"""Data sets as DICOM JSON text (PS3.18 Annex F)."""

from __future__ import annotations

from typing import Any

import orjson

JSONDataset = dict[str, Any]
"""One data set in the DICOM JSON model: tags in upper-case hex, in order, to elements (F.2.2)."""


def format_dataset(attributes: JSONDataset) -> bytes:
    """The JSON text of a data set whose numbers are finite, as a reader of headers makes it."""
    return orjson.dumps(attributes)
