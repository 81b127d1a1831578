"""What of a data set can be matched, in the form in which it is compared (PS3.4 C.2.2.2)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from dicomgate.dicom import attributes, elements, person_names
from dicomgate.index import columns, decimals, values
from dicomgate.index.base import JSONDataset
from dicomgate.index.columns import Column, Kind


@dataclass(frozen=True, slots=True)
class Value:
    """One value that can be matched.

    `item` numbers a sequence's items from 1, and of words the names they belong to from 0; else it is 0.
    """

    column: int
    text: str
    item: int = 0


def values_of(wanted: Iterable[Column], dataset: JSONDataset) -> frozenset[Value]:
    """The values of a data set in these columns."""
    return frozenset(value for column in wanted for value in _column_values(column, dataset))


def _column_values(column: Column, dataset: JSONDataset) -> Iterator[Value]:
    if len(column.path) > 1:
        for number, item in enumerate(_items(column, dataset), 1):
            for text, _ in _compared(column, item):
                yield Value(column.number, text, number)  # of several names in one item, too, each word is the item's
    else:
        for text, position in _compared(column, dataset):
            yield Value(column.number, text, position)


def _items(column: Column, dataset: JSONDataset) -> list[JSONDataset]:
    """The items that may hold the innermost attribute, of every sequence on the way."""
    found = [dataset]
    for tag in column.path[:-1]:
        found = [inner for item in found for inner in elements.items(_elements(item, tag, column.creator))]
    return found


def _elements(item: JSONDataset, tag: str, creator: str) -> list[dict[str, Any]]:
    """The element of a tag; of a private one those in every block that its creator has reserved (PS3.5 §7.8)."""
    if not (creator and attributes.is_private(tag)):
        return elements.find(item, tag)
    return elements.find(item, tag, creator)


def _compared(column: Column, item: JSONDataset) -> Iterator[tuple[str, int]]:
    """The texts of one column in one data set or item; of words with the position of their name."""
    for element in _elements(item, column.path[-1], column.creator):
        if column.kind is Kind.WORDS:
            for position, name in enumerate(element.get("Value") or ()):
                groups = "=".join(values.texts({"Value": [name]}))
                yield from ((values.clean(word), position) for word in person_names.words(groups))
        else:
            for text in _plain(column, item, _texts(column, element)):
                yield text, 0


def _texts(column: Column, element: dict[str, Any]) -> list[str]:
    if element.get("vr") == "UN":  # as a private attribute has it that was sent in Implicit VR
        return [kept for text in elements.texts(element) if (kept := values.clean(text, column.longest))]
    return values.texts(element, column.longest)


def _plain(column: Column, dataset: JSONDataset, texts: list[str]) -> list[str]:
    match column.kind:
        case Kind.NAME:
            return [text for text in map(values.fold, texts) if text != values.NAMELESS]
        case Kind.TIME:
            return [text for text in map(values.earliest, texts) if text]
        case Kind.DECIMAL:
            return [text for text in map(decimals.sortable, texts) if text]
        case Kind.DATE:
            return list(_moments(texts, values.texts(dataset.get(column.time))))
        case _:
            return texts


def _moments(dates: list[str], times: list[str]) -> Iterator[str]:
    """Each date followed by the time that belongs to it: of several the one in its place."""
    known = [time for time in map(values.earliest, times) if time]
    for number, day in enumerate(filter(None, map(values.date, dates))):
        yield day + (known[min(number, len(known) - 1)] if known else "")


def study_moment(dataset: JSONDataset) -> int:
    """Study Date and Time as one number."""
    dates = [values.date(text) for text in values.texts(dataset.get(columns.STUDY_DATE))]
    times = [values.earliest(text) for text in values.texts(dataset.get(columns.STUDY_TIME))]
    return values.moment(dates[0] if dates else "", times[0] if times else "")


def first_text(dataset: JSONDataset, tag: str) -> str:
    """The first value of an attribute as text, or nothing."""
    return "".join(values.texts(dataset.get(tag))[:1])
