"""What a search returns of each level: kept ready as JSON, completed by counting (PS3.18 Tables 10.6.3-3 to -5)."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from dicomgate.dicom import attributes, prepared, syntaxes
from dicomgate.dicom.matching import AttributePath
from dicomgate.dicom.prepared import RETRIEVE_URL, Halves
from dicomgate.dicom.uids import Level, Target
from dicomgate.index import columns
from dicomgate.index.base import JSONDataset

_LARGEST = 1 << 16
"""Longer attributes of a study or series are not returned by searches; the metadata has them."""

_COUNTED: dict[Level, tuple[str, ...]] = {
    Level.STUDY: (columns.MODALITIES, columns.STUDY_SERIES, columns.STUDY_INSTANCES),
    Level.SERIES: (columns.SERIES_INSTANCES,),
    Level.INSTANCE: (),
}
_ELSEWHERE = frozenset({RETRIEVE_URL, columns.AVAILABILITY, columns.TRANSFER_SYNTAX}).union(*_COUNTED.values())

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

_PLACES = {level: sorted((*counted, RETRIEVE_URL)) for level, counted in _COUNTED.items()}
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
    own = {tag: element for tag, element in dataset.items() if _belongs(tag, level)}
    unasked: JSONDataset = {tag: own.pop(tag) for tag in attributes.RETURNED[level] if tag in own}
    unasked |= {tag: _empty(tag) for tag in REQUIRED[level] if tag not in unasked}
    unasked |= {**_uids(target), columns.AVAILABILITY: _ONLINE}
    unasked |= dict.fromkeys(_PLACES[level])
    more = {tag: bare for tag, element in own.items() if (bare := without_bulk(element)) and _is_small(bare)}
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


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a query wants beyond what is returned unasked. `parents`: levels whose attributes come along."""

    level: Level
    parents: frozenset[Level]
    tags: dict[Level, frozenset[str]]
    every: bool
    private: tuple[tuple[str, str], ...] = ()
    """Private attributes with their creator, of instances: in whichever block it has reserved."""

    def needs(self, level: Level) -> bool:
        """True when rows of this level must be read."""
        return level in self.parents or bool(self.tags[level])

    def needs_more(self, level: Level) -> bool:
        """True when attributes are wanted that are not returned unasked."""
        return self.every or bool(self.tags[level]) or (level is Level.INSTANCE and bool(self.private))

    def pick(self, level: Level, dataset: JSONDataset) -> JSONDataset:
        """Of a data set the attributes of this level that are wanted, without bulk data."""
        names = {tag for tag in dataset if _belongs(tag, level)} if self.every else self.tags[level] & dataset.keys()
        if level is Level.INSTANCE:
            names |= {place for tag, creator in self.private for place in _places(dataset, tag, creator)}
        return {tag: bare for tag in names if (bare := without_bulk(dataset[tag])) and _is_small(bare)}


def wanted(
    level: Level,
    top: int,
    paths: Iterable[AttributePath],
    creators: Iterable[tuple[AttributePath, str]] = (),
    *,
    every: bool = False,
) -> Wanted:
    """What answers at a level hold, below what is fixed: of what is matched and asked for (`paths`), or `every` one.

    Attributes of lower levels are never returned (QIDO-10).
    """
    parents = frozenset(one for one in Level if top < one < level)
    tags = {path[0] for path in paths}
    owners = dict(creators)
    private = tuple((tag, creator) for tag in sorted(tags) if (creator := _creator(tag, owners)))
    tags -= {tag for tag, _ in private}
    tags |= {f"{tag[:4]}00{tag[4:6]}" for tag in tags if attributes.is_private(tag)}  # with its creator (QIDO-15)
    by_level = {
        one: frozenset(tag for tag in tags - _ELSEWHERE if attributes.level(tag) is one and one <= level)
        - frozenset(attributes.RETURNED[one] if one is level or one in parents else ())
        for one in Level
    }
    return Wanted(level, parents, by_level, every, private if level is Level.INSTANCE else ())


def _creator(tag: str, creators: dict[AttributePath, str]) -> str | None:
    """Whose a private attribute is, or the block that it reserves, where the query says so."""
    if not attributes.is_private(tag):
        return None
    return creators.get((tag,)) or creators.get((f"{tag[:4]}00{tag[4:6]}",))


def _places(dataset: JSONDataset, tag: str, creator: str) -> Iterator[str]:
    """The tags that a private attribute has here, and of what reserves their blocks (PS3.5 §7.8)."""
    for reserving, element in dataset.items():
        if reserving.startswith(f"{tag[:4]}00") and element.get("Value") == [creator]:
            yield reserving
            if tag[4:6] != "00" and (place := f"{tag[:4]}{reserving[6:]}{tag[6:]}") in dataset:
                yield place


def without_bulk(element: Any) -> Any:
    """The element without values that are kept as bulk data, at any depth; None if nothing is left of it."""
    if "BulkDataURI" in element:
        return None
    if element.get("vr") != "SQ":
        return element
    items = [_item_without_bulk(item) for item in element.get("Value") or ()]
    return {"vr": "SQ", "Value": items} if items else {"vr": "SQ"}


def _item_without_bulk(item: JSONDataset | None) -> JSONDataset:
    return {tag: bare for tag, element in (item or {}).items() if (bare := without_bulk(element))}


def merged(datasets: Iterable[JSONDataset]) -> JSONDataset:
    """One data set in tag order; where two know an attribute the later counts."""
    together: JSONDataset = {}
    for dataset in datasets:
        together |= dataset
    return {tag: together[tag] for tag in sorted(together)}


def _uids(target: Target) -> JSONDataset:
    uids = (target.study, target.series, target.instance)
    return {tag: {"vr": "UI", "Value": [uid]} for tag, uid in zip(_UID_TAGS, uids, strict=True) if uid is not None}


def _belongs(tag: str, level: Level) -> bool:
    return (attributes.level(tag) is level or tag in attributes.EVERY_LEVEL) and tag not in _ELSEWHERE


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


def _is_small(element: Any) -> bool:
    return len(orjson.dumps(element)) <= _LARGEST


def _text(dataset: JSONDataset) -> str:
    return orjson.dumps({tag: dataset[tag] for tag in sorted(dataset)}).decode()
