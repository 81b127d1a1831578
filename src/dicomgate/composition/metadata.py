"""Metadata parts as data sets, each with what could not be read or kept of it (PS3.18 §10.5.1.4, PS3.19 §A.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dicomgate import errors
from dicomgate.dicom import jsonmodel, normal, xmlreader
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.limits import Limits
from dicomgate.dicom.normal import Normal
from dicomgate.dicom.source import Source
from dicomgate.dicomweb import media_types


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A data set that cannot be read, and those of its own names that can."""

    fault: errors.Fault
    names: JSONDataset


def read(source: Source, media_type: str, limits: Limits) -> Sequence[Normal | Unreadable]:
    """The data sets of a part: one of XML, any number of JSON. Malformed or TooLarge when it has none at all."""
    text = source.read_at(0, source.size)
    if media_type == media_types.DICOM_XML:
        return [_normalise(xmlreader.parse(text, limits), limits)]
    return [_normalise(dataset, limits) for dataset in jsonmodel.parse(text, limits)]


def _normalise(dataset: Any, limits: Limits) -> Normal | Unreadable:
    try:
        return normal.normalise(dataset, limits)
    except errors.Fault as fault:
        return Unreadable(fault, _names(dataset, limits))


def _names(dataset: Any, limits: Limits) -> JSONDataset:
    """The UIDs alone, where they can be read."""
    names: JSONDataset = {}
    for tag in ("00080016", "00080018", "0020000D", "0020000E"):
        if isinstance(dataset, dict) and tag in dataset:
            try:
                names |= normal.normalise({tag: dataset[tag]}, limits).attributes
            except errors.Fault:
                continue
    return names
