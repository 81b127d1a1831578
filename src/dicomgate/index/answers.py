"""What a search returns of each level: kept ready as JSON, completed by counting (PS3.18 Tables 10.6.3-3 to -5)."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from dicomgate.dicom import attributes, prepared, syntaxes
from dicomgate.dicom.prepared import RETRIEVE_URL, Halves
from dicomgate.dicom.uids import Level, Target
from dicomgate.index import columns, wanted
from dicomgate.index.base import JSONDataset

REQUIRED: dict[Level, tuple[str, ...]] = {
    Level.STUDY: (
        columns.STUDY_DATE,
        columns.STUDY_TIME,
        "00080050",
        columns.MODALITIES,
        "00080090",
        "00100010",
        columns.PATIENT_ID,
        "00100030",
        "00100040",
        columns.STUDY_UID,
        "00200010",
        columns.STUDY_SERIES,
        columns.STUDY_INSTANCES,
    ),
    Level.SERIES: (columns.MODALITY, columns.SERIES_UID, columns.SERIES_NUMBER, columns.SERIES_INSTANCES),
    Level.INSTANCE: (columns.SOP_CLASS, columns.INSTANCE_UID, columns.INSTANCE_NUMBER),
}
"""Present even without a value (type R of the tables)."""

_PLACES = {level: sorted((*counted, RETRIEVE_URL)) for level, counted in wanted.COUNTED.items()}
_NULL = ":null"
_NONE = "[]"
_UID_TAGS = (columns.STUDY_UID, columns.SERIES_UID, columns.INSTANCE_UID)
_NUMBERLESS = {"vr": "IS"}
_ONLINE = {"vr": "CS", "Value": ["ONLINE"]}


@dataclass(frozen=True, slots=True)
class LevelTexts:
    """A study's or series' attributes as JSON: those returned unasked, and the others."""

    answer: str
    more: str


def level_texts(target: Target, dataset: JSONDataset) -> LevelTexts:
    """Take the attributes of a study or series out of an instance's.

    Places are left for what is counted and for Retrieve URL: a null is nothing else.
    """
    level = target.level
    own = {tag: element for tag, element in dataset.items() if wanted.belongs(tag, level)}
    unasked: JSONDataset = {tag: own.pop(tag) for tag in attributes.RETURNED[level] if tag in own}
    unasked |= {tag: _empty(tag) for tag in REQUIRED[level] if tag not in unasked}
    unasked |= {**_uids(target), columns.AVAILABILITY: _ONLINE}
    unasked |= dict.fromkeys(_PLACES[level])
    more = {
        tag: bare for tag, element in own.items() if (bare := wanted.without_bulk(element)) and wanted.is_small(bare)
    }
    return LevelTexts(_text(unasked), _text(more))


def study(answer: str, modalities: str, number_of_series: int, number_of_instances: int) -> JSONDataset:
    """A study's attributes, in tag order."""
    dataset = _parsed(answer)
    _put_modalities(dataset, modalities)
    dataset[columns.STUDY_SERIES] = {"vr": "IS", "Value": [number_of_series]}
    dataset[columns.STUDY_INSTANCES] = {"vr": "IS", "Value": [number_of_instances]}
    return dataset


def series(answer: str, number_of_instances: int) -> JSONDataset:
    """A series' attributes, in tag order."""
    dataset = _parsed(answer)
    dataset[columns.SERIES_INSTANCES] = {"vr": "IS", "Value": [number_of_instances]}
    return dataset


def study_text(answer: str, modalities: str, number_of_series: int, number_of_instances: int) -> Halves:
    """The same as `study`, as text that is put together from what the row holds."""
    parts = answer.split(_NULL)
    if not _are_places(parts, Level.STUDY) or modalities == _NONE:
        return prepared.halves(study(answer, modalities, number_of_series, number_of_instances))
    first, second, third, fourth, last = parts
    return (
        f'{first}:{{"vr":"CS","Value":{modalities}}}{second}',
        f'{third}:{{"vr":"IS","Value":[{number_of_series}]}}{fourth}:{{"vr":"IS","Value":[{number_of_instances}]}}{last}',
    )


def series_text(answer: str, number_of_instances: int) -> Halves:
    """The same as `series`, as text."""
    parts = answer.split(_NULL)
    if not _are_places(parts, Level.SERIES):
        return prepared.halves(series(answer, number_of_instances))
    first, second, last = parts
    return first, f'{second}:{{"vr":"IS","Value":[{number_of_instances}]}}{last}'


def _are_places(parts: Sequence[str], level: Level) -> bool:
    """False where a value reads like a place, and of rows of an earlier version, without room for the address."""
    places = _PLACES[level]
    return len(parts) == len(places) + 1 and parts[places.index(RETRIEVE_URL)].endswith(f'"{RETRIEVE_URL}"')


def whole_study(
    answer: str, more: str, modalities: str, number_of_series: int, number_of_instances: int
) -> JSONDataset:
    """All that is known of a study."""
    dataset: JSONDataset = _parsed(answer) | orjson.loads(more)
    _put_modalities(dataset, modalities)
    dataset[columns.STUDY_SERIES] = {"vr": "IS", "Value": [number_of_series]}
    dataset[columns.STUDY_INSTANCES] = {"vr": "IS", "Value": [number_of_instances]}
    return dataset


def whole_series(answer: str, more: str, number_of_instances: int) -> JSONDataset:
    """All that is known of a series."""
    dataset: JSONDataset = _parsed(answer) | orjson.loads(more)
    dataset[columns.SERIES_INSTANCES] = {"vr": "IS", "Value": [number_of_instances]}
    return dataset


def _parsed(answer: str) -> JSONDataset:
    dataset: JSONDataset = orjson.loads(answer)
    dataset.pop(RETRIEVE_URL, None)
    return dataset


def _put_modalities(dataset: JSONDataset, text: str) -> None:
    """Absent where no instance says its modality: of an element without values OHIF's list of studies breaks."""
    if (element := _modalities(text)) is None:
        del dataset[columns.MODALITIES]
    else:
        dataset[columns.MODALITIES] = element


@functools.lru_cache(maxsize=256)
def _modalities(text: str) -> JSONDataset | None:
    present = orjson.loads(text)
    return {"vr": "CS", "Value": present} if present else None


def pack_instance(dataset: JSONDataset) -> str:
    """The values of INSTANCE_ANSWER: null where absent, a value where there is one, else as the element stands."""
    return orjson.dumps([_pack(vr, dataset.get(tag)) for tag, vr in _PACKED]).decode()


def instance(packed: str, sop_class: str, transfer_syntax: str, *uids: str) -> JSONDataset:
    """An instance's attributes in tag order, with the UIDs that name it, of study, series and instance."""
    values = orjson.loads(packed)[:_KEPT]
    values += [None] * (_KEPT - len(values))
    if values[_NUMBER] is None:
        values[_NUMBER] = _NUMBERLESS
    values += (sop_class, syntaxes.available(transfer_syntax), _ONLINE, *uids)
    return {
        tag: value if isinstance(value, dict) else {"vr": vr, "Value": [value]}
        for tag, vr, place in _OF_INSTANCE
        if (value := values[place]) is not None
    }


def merged(datasets: Iterable[JSONDataset]) -> JSONDataset:
    """One data set in tag order; where two know an attribute the later counts."""
    together: JSONDataset = {}
    for dataset in datasets:
        together |= dataset
    return {tag: together[tag] for tag in sorted(together)}


def _uids(target: Target) -> JSONDataset:
    uids = (target.study, target.series, target.instance)
    return {tag: {"vr": "UI", "Value": [uid]} for tag, uid in zip(_UID_TAGS, uids, strict=True) if uid is not None}


_PACKED = tuple((tag, attributes.vr(tag)) for tag in columns.INSTANCE_ANSWER)
_KEPT = len(_PACKED)
_NUMBER = columns.INSTANCE_ANSWER.index(columns.INSTANCE_NUMBER)
_BESIDE = (
    columns.SOP_CLASS,
    columns.TRANSFER_SYNTAX,
    columns.AVAILABILITY,
    *_UID_TAGS,
)
"""What an instance's answer has beside the values that its row keeps together, as `instance` is given them."""
_OF_INSTANCE = tuple(
    sorted((tag, attributes.vr(tag), place) for place, tag in enumerate((*columns.INSTANCE_ANSWER, *_BESIDE)))
)


def _pack(vr: str, element: dict[str, Any] | None) -> Any:
    if element is None:
        return None
    value = element.get("Value")
    if element.get("vr") == vr and isinstance(value, list) and len(value) == 1:
        return value[0] if isinstance(value[0], (int, float, str)) else element
    return element


def _empty(tag: str) -> dict[str, str]:
    return {"vr": attributes.vr(tag)}


def _text(dataset: JSONDataset) -> str:
    return orjson.dumps({tag: dataset[tag] for tag in sorted(dataset)}).decode()
