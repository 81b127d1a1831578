"""What matching keys mean, on one data set in the DICOM JSON model (PS3.4 C.2.2.2).

This is the definition that every index and every origin agrees with. Pure; time grows with keys times values only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from dicomgate.dicom import attributes, elements, moments, value_tests
from dicomgate.dicom.elements import Element, Item
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.matching import AnyOf, AttributePath, Condition, Empty, Match, MomentBetween, Universal

Creators = Sequence[tuple[AttributePath, str]]
Matcher = Callable[[JSONDataset], bool]

_ZONE = "00080201"
_NO_ITEM: Item = {}


def matches(
    dataset: JSONDataset, keys: Sequence[Match], *, creators: Creators = (), timezone: str | None = None
) -> bool:
    """True when every key holds. For many data sets `prepare` once."""
    return prepare(keys, creators=creators, timezone=timezone)(dataset)


def prepare(keys: Iterable[Match], *, creators: Creators = (), timezone: str | None = None) -> Matcher:
    """A test of data sets; `creators` and `timezone` as a query has them.

    Dates and times are compared in the zone of the question when it names one and the data set says its own; where
    either is silent they are taken to be of one zone (PS3.4 C.2.2.2.1.3).
    """
    root = _Node()
    for key in keys:
        root.add(key.path, key.condition)
    for path, creator in creators:
        root.name_creator(path, creator)
    asked = None if timezone is None else moments.parse_zone(timezone)

    def test(dataset: JSONDataset) -> bool:
        stored = _stored_zone(dataset)
        return root.holds(dataset, value_tests.Zones(asked, stored))

    return test


def find_elements(dataset: JSONDataset, path: AttributePath, creators: Creators = ()) -> Iterator[Element]:
    """Every element that a path means, of every item on the way, in the order of the data set."""
    named = dict(creators)
    yield from _find(dataset, path, (), named)


def _find(
    item: Item, path: AttributePath, above: AttributePath, creators: dict[AttributePath, str]
) -> Iterator[Element]:
    tag = path[0]
    block = attributes.find_creator(tag)
    found = elements.find(item, tag, creators.get((*above, block)) if block else None)
    if len(path) == 1:
        yield from found
        return
    for below in elements.items(found):
        yield from _find(below, path[1:], (*above, tag), creators)


def _stored_zone(dataset: JSONDataset) -> int | None:
    element = dataset.get(_ZONE)
    texts = elements.texts(element) if element else []
    return moments.parse_zone(texts[0]) if texts else None


@dataclass(slots=True)
class _Node:
    """The keys on the attributes of one data set or item."""

    tests: list[tuple[str, value_tests.Test]] = field(default_factory=list)
    below: dict[str, _Node] = field(default_factory=dict)
    creators: dict[str, str] = field(default_factory=dict)  # Private Creator element -> its value

    def add(self, path: AttributePath, condition: Condition) -> None:
        tag, *rest = path
        if rest:
            self.below.setdefault(tag, _Node()).add(tuple(rest), condition)
        elif not isinstance(condition, Universal):
            self.tests.append((tag, _test(tag, condition)))

    def name_creator(self, path: AttributePath, creator: str) -> None:
        tag, *rest = path
        if not rest:
            self.creators[tag] = creator
        elif tag in self.below:
            self.below[tag].name_creator(tuple(rest), creator)

    def holds(self, item: Item, zones: value_tests.Zones) -> bool:
        return all(test(value_tests.Seen(item, self._find(item, tag), zones)) for tag, test in self.tests) and all(
            any(node.holds(below, zones) for below in self._items(item, tag)) for tag, node in self.below.items()
        )

    def _items(self, item: Item, tag: str) -> list[Item]:
        """The items of a sequence; without any, one in which everything is absent."""
        return list(elements.items(self._find(item, tag))) or [_NO_ITEM]

    def _find(self, item: Item, tag: str) -> list[Element]:
        block = attributes.find_creator(tag)
        if block in self.creators:
            return elements.find(item, tag, self.creators[block])
        if tag in self.creators:
            return elements.find_reservations(item, tag, self.creators[tag])
        return elements.find(item, tag)


def _test(tag: str, condition: Condition) -> value_tests.Test:
    match condition:
        case Empty():
            return lambda seen: not any(map(elements.has_value, seen.elements))
        case MomentBetween():
            return value_tests.moment_between(condition)
        case AnyOf(conditions):
            tests = [_test(tag, each) for each in conditions]
            return lambda seen: any(test(seen) for test in tests)
        case _:
            return value_tests.prepare(tag, condition)
