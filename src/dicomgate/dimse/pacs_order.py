"""The order of what a PACS found: as asked, then newest study first, series and instances by number (PRX-03)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from dicomgate.dicom import elements, matcher
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.matching import AttributePath, Query
from dicomgate.dicom.uids import Level

_Key = tuple[int, float, str]
_STANDING: Final[dict[Level, tuple[tuple[AttributePath, bool], ...]]] = {
    Level.STUDY: ((("00080020",), True), (("00080030",), True), (("0020000D",), False)),
    Level.SERIES: ((("00200011",), False), (("0020000E",), False)),
    Level.INSTANCE: ((("00200013",), False), (("00080018",), False)),
}
"""Paths, and whether they descend."""


def sort(datasets: list[JSONDataset], query: Query) -> None:
    """Sort in place. What has no value comes last either way."""
    terms = [(order.path, order.descending) for order in query.order]
    terms += (term for level in Level if level <= query.level for term in _STANDING[level])
    for path, descending in reversed(terms):
        datasets.sort(key=_key(path, query, descending=descending), reverse=descending)


def _key(path: AttributePath, query: Query, *, descending: bool) -> Callable[[JSONDataset], _Key]:
    """Numbers as numbers, texts as texts."""
    last = (0, 0.0, "") if descending else (2, 0.0, "")

    def key(dataset: JSONDataset) -> _Key:
        element = next(matcher.find_elements(dataset, path, query.creators), None)
        text = next(iter(elements.texts(element)), "") if element else ""
        if not text:
            return last
        number = elements.parse_number(text) if element and element.get("vr") in {"IS", "DS", "US", "UL"} else None
        return (1, float(number), "") if number is not None else (1, 0.0, text)

    return key
