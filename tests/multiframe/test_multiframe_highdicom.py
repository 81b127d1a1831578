"""Agreement with another converter, attribute by attribute; the differences are explained in the documentation."""

from __future__ import annotations

import functools
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
from multiframe_slices import CLASSIC_SERIES, read, series_of
from pydicom.dataset import Dataset

from dicomgate.multiframe import classic, conversion, writing

legacy = pytest.importorskip("highdicom.legacy", reason="highdicom is not installed")
pytestmark = [pytest.mark.interop, pytest.mark.slow]

PAGE = Path(__file__).parents[2] / "docs/explanation/supplement-157.md"
CLASSES = {
    "CT": legacy.LegacyConvertedEnhancedCTImage,
    "MR": legacy.LegacyConvertedEnhancedMRImage,
    "PET": legacy.LegacyConvertedEnhancedPETImage,
}
REFUSED = ("MONOCHROME1", "frame boundaries")


def groups(dataset: Dataset, number: int) -> dict[str, Any]:
    holders = (dataset.SharedFunctionalGroupsSequence[0], dataset.PerFrameFunctionalGroupsSequence[number])
    return {element.keyword: element.value for holder in holders for element in holder}


def by_source(dataset: Dataset) -> dict[str, int]:
    frames = enumerate(dataset.PerFrameFunctionalGroupsSequence)
    return {frame.ConversionSourceAttributesSequence[0].ReferencedSOPInstanceUID: n for n, frame in frames}


def is_same(one: Any, other: Any) -> bool:
    if one in (None, "") and other in (None, ""):
        return True
    try:
        return [float(value) for value in _several(one)] == pytest.approx([float(value) for value in _several(other)])
    except (TypeError, ValueError):
        return str(one) == str(other)


def _several(value: Any) -> list[Any]:
    return [value] if isinstance(value, str | int | float) else list(value)


def differences(ours: Dataset, theirs: Dataset) -> Iterator[str]:
    for element in theirs:
        is_value = element.VR != "SQ" and element.keyword != "PixelData" and element.value not in (None, "")
        if is_value and (element.tag not in ours or not is_same(ours[element.tag].value, element.value)):
            yield element.keyword
    places = by_source(theirs)
    for source, number in by_source(ours).items():
        mine, other = groups(ours, number), groups(theirs, places[source])
        for name in other:
            if name not in mine:
                yield name
            elif not name.startswith("Unassigned") and len(other[name]):
                yield from _of_group(name, mine[name], other[name][0])


def _of_group(name: str, mine: Any, theirs: Dataset) -> Iterator[str]:
    for element in theirs:
        if element.VR == "SQ" and len(element.value) == 0:
            continue
        if not len(mine):
            yield name
            continue
        is_value = element.VR != "SQ" and element.value not in (None, "")
        if is_value and (element.tag not in mine[0] or not is_same(mine[0][element.tag].value, element.value)):
            yield f"{name}.{element.keyword}"


def explained() -> set[str]:
    """The first column of the table in the documentation."""
    table = PAGE.read_text("utf-8").partition("## What another converter makes")[2]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    return {name.strip(" `") for row in rows for name in row.split(",")}


@functools.cache
def differing(folder: str) -> frozenset[str]:
    """What differs in a series, whichever of the two has it; the pixels never do."""
    plan = conversion.plan(series_of(folder))
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return frozenset().union(*(_compare(plan, number, one) for number, one in enumerate(plan.settled)))
    finally:
        logging.disable(logging.NOTSET)


@pytest.mark.parametrize("folder", CLASSIC_SERIES)
def test_what_differs_is_explained(folder: str) -> None:
    assert differing(folder) <= explained()


def test_what_is_explained_differs_in_some_series() -> None:
    assert explained() <= frozenset().union(*map(differing, CLASSIC_SERIES))


def _compare(plan: conversion.Plan, number: int, settled: Any) -> set[str]:
    originals = [_original(source) for source in settled.frame_set.sources]
    try:
        theirs = CLASSES[settled.frame_set.kind.name](
            originals, series_instance_uid="1.2.3", series_number=1, sop_instance_uid="1.2.4", instance_number=1
        )
    except ValueError as refusal:
        if any(word in str(refusal) for word in REFUSED):
            return set()
        raise
    ours = read(b"".join(writing.write(plan.describe(number), keeps_originals=False)))
    if ours.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1":
        size = ours.Rows * ours.Columns * ours.BitsAllocated // 8
        places = by_source(theirs)
        for source, here in by_source(ours).items():
            there = places[source]
            mine = ours.PixelData[here * size : (here + 1) * size]
            assert mine == theirs.PixelData[there * size : (there + 1) * size]
    return {*differences(ours, theirs), *differences(theirs, ours)}


def _original(source: classic.Classic) -> Dataset:
    assert isinstance(source.content, classic.File)
    return pydicom.dcmread(source.content.path)
