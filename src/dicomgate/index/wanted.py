"""What a query wants of each level: what is returned unasked, and what it asks for (PS3.18 §10.6.3.3, QIDO-10, -15)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from dicomgate.dicom import attributes
from dicomgate.dicom.matching import AttributePath
from dicomgate.dicom.prepared import RETRIEVE_URL
from dicomgate.dicom.uids import Level
from dicomgate.index import columns
from dicomgate.index.base import JSONDataset

_LARGEST = 1 << 16
"""Longer attributes of a study or series are not returned by searches; the metadata has them."""

COUNTED: dict[Level, tuple[str, ...]] = {
    Level.STUDY: (columns.MODALITIES, columns.STUDY_SERIES, columns.STUDY_INSTANCES),
    Level.SERIES: (columns.SERIES_INSTANCES,),
    Level.INSTANCE: (),
}
_ELSEWHERE = frozenset({RETRIEVE_URL, columns.AVAILABILITY, columns.TRANSFER_SYNTAX}).union(*COUNTED.values())


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a query wants beyond what is returned unasked. `parents`: levels whose attributes come along."""

    level: Level
    parents: frozenset[Level]
    tags: dict[Level, frozenset[str]]
    every: bool
    private: tuple[tuple[str, str], ...] = ()
    """Private attributes with their creator, of instances: in whichever block it has reserved."""

    @property
    def has_classes(self) -> bool:
        """True when the SOP classes of a study are wanted, which are counted."""
        return columns.STUDY_CLASSES in self.tags[Level.STUDY] or (
            self.every and (self.level is Level.STUDY or Level.STUDY in self.parents)
        )

    def needs(self, level: Level) -> bool:
        """True when rows of this level must be read."""
        return level in self.parents or bool(self.tags[level])

    def needs_more(self, level: Level) -> bool:
        """True when attributes are wanted that are not returned unasked."""
        return self.every or bool(self.tags[level]) or (level is Level.INSTANCE and bool(self.private))

    def pick(self, level: Level, dataset: JSONDataset) -> JSONDataset:
        """Of a data set the attributes of this level that are wanted, without bulk data."""
        names = {tag for tag in dataset if belongs(tag, level)} if self.every else self.tags[level] & dataset.keys()
        if level is Level.INSTANCE:
            names |= {place for tag, creator in self.private for place in _places(dataset, tag, creator)}
        return {tag: bare for tag in names if (bare := without_bulk(dataset[tag])) and is_small(bare)}


def make(
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


def belongs(tag: str, level: Level) -> bool:
    """True for attributes that a level's answers hold, unless they come from elsewhere than its data set."""
    return (attributes.level(tag) is level or tag in attributes.EVERY_LEVEL) and tag not in _ELSEWHERE


def is_small(element: Any) -> bool:
    """True for what a study or series keeps of its attributes."""
    return len(orjson.dumps(element)) <= _LARGEST
