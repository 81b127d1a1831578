"""An index full of studies whose bytes nobody ever stored: straight through the index, as the archive would call it."""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from bench import data
from dicomgate import assembly, config
from dicomgate.archive import describe, policy
from dicomgate.archive.policy import Duplicates
from dicomgate.dicom import header, jsonmodel
from dicomgate.dicom.source import BytesSource
from dicomgate.dicom.uids import Target
from dicomgate.index.base import Entry, Index

SERIES_OF_STUDY = 2
INSTANCES_OF_SERIES = 10
LONG_SERIES = 500
"""Instances of the one series whose metadata is asked for."""
LONG_STUDY = 1
MODALITIES = ("CT", "MR", "CT", "US", "CR", "PT")
FIRST_DAY = date(2015, 1, 1)
DAYS = 3650
GROUP = 50
JUDGE = policy.judge_by(Duplicates.REFUSE)

_FAMILIES = ("Archer", "Baker", "Carter", "Dyer", "Fisher", "Glover", "Hunter", "Mason", "Potter", "Weaver", "Núñez")
_GIVEN = ("Ada", "Ben", "Cleo", "Dora", "Emil", "Finn", "Gwen", "Hugo", "Ida", "Jon", "Kim", "Lea", "Max")
_RUN = "b" * 18


def make(folder: Path, instances: int) -> None:
    """A data folder with an index of so many instances, and a long series besides."""
    with assembly.open_archive(folder, config.read(environment={}, directory=folder)) as archive:
        fill(archive.index, entries(instances))
        fill(archive.index, long_series())


def fill(index: Index, offered: Iterator[Entry]) -> None:
    """Add all, in groups."""
    group: list[Entry] = []
    for entry in offered:
        group.append(entry)
        if len(group) == GROUP:
            index.add_many(group, JUDGE)
            group = []
    if group:
        index.add_many(group, JUDGE)


def entries(count: int, of_series: int = INSTANCES_OF_SERIES, first_study: int = 1000) -> Iterator[Entry]:
    """So many instances, study by study."""
    of_study = SERIES_OF_STUDY * of_series
    base = _attributes()
    for number in range(count):
        place = number // of_study
        study = first_study + place
        series = study * SERIES_OF_STUDY + number % of_study // of_series
        target = Target(data.study_uid(study), data.series_uid(series), data.instance_uid(first_study * 100 + number))
        yield _entry(base | _study(study) | _uids(target, number % of_series), target, number)


def long_series() -> Iterator[Entry]:
    """The instances of one long series."""
    base = _attributes()
    for number in range(LONG_SERIES):
        target = Target(data.study_uid(LONG_STUDY), data.series_uid(LONG_STUDY), data.instance_uid(number + 1))
        yield _entry(base | _uids(target, number + 1), target, number)


def long_target() -> Target:
    """Where it is."""
    return Target(data.study_uid(LONG_STUDY), data.series_uid(LONG_STUDY))


def _attributes() -> dict[str, Any]:
    return _first().attributes


def _study(number: int) -> dict[str, Any]:
    """What differs from study to study; numbers that share no factor, so that all mixtures occur."""
    family, given = _FAMILIES[number % len(_FAMILIES)], _GIVEN[number // 7 % len(_GIVEN)]
    modality = MODALITIES[number % len(MODALITIES)]
    day = FIRST_DAY + timedelta(days=number * 7919 % DAYS)
    return {
        "00080020": {"vr": "DA", "Value": [day.strftime("%Y%m%d")]},
        "00080030": {"vr": "TM", "Value": [f"{number % 24:02d}{number % 60:02d}00"]},
        "00080050": {"vr": "SH", "Value": [f"ACC{number:08d}"]},
        "00080060": {"vr": "CS", "Value": [modality]},
        "00081030": {"vr": "LO", "Value": [f"{modality} examination {number % 97}"]},
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": f"{family}^{given}"}]},
        "00100020": {"vr": "LO", "Value": [f"PAT{number // 3:07d}"]},
    }


def _uids(target: Target, number: int) -> dict[str, Any]:
    return {
        "00080018": {"vr": "UI", "Value": [target.instance]},
        "0020000D": {"vr": "UI", "Value": [target.study]},
        "0020000E": {"vr": "UI", "Value": [target.series]},
        "00200013": {"vr": "IS", "Value": [number]},
    }


def _entry(attributes: dict[str, Any], target: Target, number: int) -> Entry:
    return dataclasses.replace(
        _first(),
        target=target,
        digest=f"{number:064x}",
        key=f"{time.time_ns():016x}-{_RUN}",
        attributes=attributes,
        metadata=jsonmodel.format_dataset(attributes),
    )


@functools.cache
def _first() -> Entry:
    """What the archive says of a slice that arrives."""
    content = data.ct().instance(1, 1, 1)
    seen = header.read(BytesSource(content))
    return describe.describe(seen, key="", size=len(content), digest="0" * 64, checksum="0" * 32)
