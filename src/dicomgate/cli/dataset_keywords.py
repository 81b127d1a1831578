"""A data set as an object of keywords and plain values, for pipes: `jq -r .StudyDate` (PS3.18 Annex F, PS3.6)."""

from __future__ import annotations

from typing import Any

from dicomgate.dicom import attributes, elements
from dicomgate.origin import JSONDataset


def describe(dataset: JSONDataset) -> dict[str, Any]:
    """Keywords to values; tags in hex where there is no keyword.

    One value is itself where PS3.6 allows but one or the attribute is private, in a list elsewhere; no value is null
    or an empty list. A person name is its text with `=` between its groups, a sequence a list of objects; what is
    binary or lies elsewhere stays as the JSON model has it, in an object of its own.
    """
    return {attributes.find_keyword(tag) or tag: _value(tag, element) for tag, element in dataset.items()}


def _value(tag: str, element: dict[str, Any]) -> Any:
    for place in ("InlineBinary", "BulkDataURI"):
        if place in element:
            return {place: element[place]}
    if element.get("vr") == "SQ":
        return [describe(item) for item in elements.items([element])]
    values = [_plain(value) for value in element.get("Value") or ()]
    if len(values) < 2 and (attributes.is_single(tag) or attributes.is_private(tag)):
        return values[0] if values else None
    return values


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return next(iter(elements.texts({"Value": [value]})), None)
    return value
