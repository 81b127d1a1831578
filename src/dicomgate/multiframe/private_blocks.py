"""Private attributes of several data sets in one numbering of their blocks (PS3.5 §7.8.1, C.7.6.16.2.25)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from dicomgate.dicom import attributes as dictionary
from dicomgate.dicom import elements
from dicomgate.dicom.jsonmodel import JSONDataset

_Owner = tuple[str, str, int]
"""Group, creator, and which of the creator's blocks in the data set; an orphaned block belongs to its number."""


def align(datasets: Sequence[JSONDataset]) -> list[JSONDataset]:
    """The same data sets, where a private tag means the same attribute in all of them."""
    given: dict[_Owner, str] = {}
    taken: set[tuple[str, str]] = set()
    aligned = []
    for dataset in datasets:
        moves = {}
        for block, owner in _owners(dataset).items():
            if owner not in given:
                given[owner] = _free(block, taken)
                taken.add((owner[0], given[owner]))
            if given[owner] != block[1]:
                moves[block] = given[owner]
        aligned.append(_moved(dataset, moves) if moves else dataset)
    return aligned


Layout = tuple[frozenset[str], tuple[tuple[str, Any], ...]]


def layout(dataset: JSONDataset) -> Layout:
    """How the private blocks of a data set are numbered: equal for two where `align` renumbers neither."""
    private = [tag for tag in dataset if tag[3] in "13579BDF"]
    creators = tuple((tag, dataset[tag].get("Value")) for tag in private if tag[4:6] == "00")
    return frozenset([tag[:6] for tag in private]), creators


def with_creators(item: JSONDataset, source: JSONDataset) -> JSONDataset:
    """The item with the creator of each block that it has attributes of."""
    blocks = {(tag[:4], tag[4:6]) for tag in item if _is_in_block(tag)}
    creators = (f"{group}00{block}" for group, block in blocks)
    return {**item, **{tag: source[tag] for tag in creators if tag in source}}


def _is_in_block(tag: str) -> bool:
    return dictionary.is_private(tag) and tag[4:6] >= "10"


def _owners(dataset: JSONDataset) -> dict[tuple[str, str], _Owner]:
    """Who owns each block: (group, block) to owner."""
    found: dict[tuple[str, str], _Owner] = {}
    counts: dict[tuple[str, str], int] = {}
    for tag in dataset:
        if not dictionary.is_private(tag) or tag[4:6] != "00" or tag[6] == "0":
            continue
        creator = next(iter(elements.texts(dataset[tag])), "")
        key = (tag[:4], creator)
        counts[key] = counts.get(key, 0) + 1
        found[tag[:4], tag[6:]] = (tag[:4], creator, counts[key])
    for group, block in _used(dataset):
        found.setdefault((group, block), (group, f"\0{block}", 0))
    return found


def _used(dataset: JSONDataset) -> Iterable[tuple[str, str]]:
    return ((tag[:4], tag[4:6]) for tag in dataset if _is_in_block(tag))


def _free(block: tuple[str, str], taken: set[tuple[str, str]]) -> str:
    """The block's own number, or the first that nobody has."""
    if block not in taken:
        return block[1]
    group = block[0]
    numbers = (f"{number:02X}" for number in range(0x10, 0x100))
    return next((number for number in numbers if (group, number) not in taken), block[1])


def _moved(dataset: JSONDataset, moves: dict[tuple[str, str], str]) -> JSONDataset:
    """Blocks under other numbers. `moves`: (group, block) to the new block."""
    new = {}
    for tag, element in dataset.items():
        if dictionary.is_private(tag) and tag[4:6] == "00" and (tag[:4], tag[6:]) in moves:
            new[f"{tag[:6]}{moves[tag[:4], tag[6:]]}"] = element
        elif _is_in_block(tag) and (tag[:4], tag[4:6]) in moves:
            new[f"{tag[:4]}{moves[tag[:4], tag[4:6]]}{tag[6:]}"] = element
        else:
            new[tag] = element
    return new
