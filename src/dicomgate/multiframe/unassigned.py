"""What the object has no other place for: shared by all sources, or of each one (C.7.6.16.2.25, LC-15, LC-16)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from dicomgate.dicom import attributes as dictionary
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.multiframe import classes, classic, private_blocks

Element = dict[str, Any]

NEVER: Final = frozenset(
    {
        "00080005",  # governs the texts beside it; the object has its own
        "00080016",  # class and instance stand in Conversion Source,
        "00080018",
        "0020000D",
        "0020000E",  # the series in Common Instance Reference
        classes.VIEW,
        "00700001",  # Graphic Annotation is removed (LC-18)
        classes.CONVERSION_SOURCE,
    }
)
"""UIDs of the sources stand elsewhere; what was converted before is not told again (PS3.4 C.3.5)."""
_NEVER_GROUPS: Final = ("0002", "4FFE", "FFFA", "FFFC", "7FE0")
"""File meta information, signatures, which are broken by any change, padding, and pixels."""


@dataclass(frozen=True, slots=True)
class Unassigned:
    """The one item that all frames share, and that of each frame; empty where there is nothing."""

    shared: JSONDataset
    per_frame: tuple[JSONDataset, ...]


def collect(
    sources: Sequence[JSONDataset], placed: Sequence[JSONDataset], own: Sequence[Sequence[JSONDataset]]
) -> Unassigned:
    """What of each source is found nowhere: not in `placed`, the top of the object and shared groups, not in its `own`.

    Only an attribute of the same tag and value counts as placed. What is empty in all sources that have it is shared;
    in a comparison it is the same as what is missing. What all sources have as one and the same element, most of a
    series, is looked at once.
    """
    common = _common(sources, own)
    rests = [{tag: element for tag, element in source.items() if tag not in common} for source in sources]
    aligned = private_blocks.align([_left(source, placed, found) for source, found in zip(rests, own, strict=True)])
    common = _left(common, placed, ())
    creators = [{tag: one[tag] for tag in one if dictionary.is_private_creator(tag)} for one in aligned]
    unused = _same(_unused(creators, aligned, common))
    empty = _empty([*aligned, common], [placed, *own])
    for one, made in zip(aligned, creators, strict=True):
        for tag in [tag for tag, element in one.items() if tag in made or classic.is_empty(element)]:
            del one[tag]
    shared = _same(aligned)
    for one in aligned:
        for tag in shared:
            del one[tag]
    shared |= {tag: element for tag, element in common.items() if not classic.is_empty(element)}
    named = {tag: element for made in reversed(creators) for tag, element in made.items()}
    return Unassigned(
        _sorted(private_blocks.with_creators(shared | empty, named) | unused),
        tuple(_sorted(private_blocks.with_creators(one, made)) for one, made in zip(aligned, creators, strict=True)),
    )


def _common(sources: Sequence[JSONDataset], own: Sequence[Sequence[JSONDataset]]) -> JSONDataset:
    """The elements that all sources share and no frame has a place of its own for, but for private creators.

    Private ones only where the blocks of all sources are numbered alike, so that a tag says the same in each.
    """
    first, *others = sources
    in_frames = frozenset().union(*(item for items in own for item in items))
    found = {tag: element for tag, element in first.items() if tag not in in_frames}
    for other in others:
        found = {tag: element for tag, element in found.items() if other.get(tag) is element}
    private = [tag for tag in found if dictionary.is_private(tag)]
    layout = private_blocks.layout(first) if private else None
    is_alike = layout is not None and all(private_blocks.layout(other) == layout for other in others)
    gone = [tag for tag in private if not is_alike or dictionary.is_private_creator(tag)]
    for tag in gone:
        del found[tag]
    return found


def _left(source: JSONDataset, placed: Sequence[JSONDataset], own: Sequence[JSONDataset]) -> JSONDataset:
    found = (*placed, *own)
    return {tag: element for tag, element in source.items() if may_stay(tag) and not _is_placed(tag, element, found)}


@lru_cache(maxsize=1 << 14)
def may_stay(tag: str) -> bool:
    """Whether an attribute of a source is kept at all, somewhere in the object."""
    is_drawn = classes.is_overlay(tag) or classes.is_curve(tag)
    return tag not in NEVER and not tag.startswith(_NEVER_GROUPS) and not is_drawn


def _is_placed(tag: str, element: Element, found: Iterable[JSONDataset]) -> bool:
    for one in found:
        other = one.get(tag)
        if other is element or other == element:
            return True
    return False


def _same(datasets: Sequence[JSONDataset]) -> JSONDataset:
    """What all of them have, with the same value."""
    first, *others = datasets
    return {
        tag: element
        for tag, element in first.items()
        if all(tag in one and (one[tag] is element or one[tag] == element) for one in others)
    }


def _empty(aligned: Sequence[JSONDataset], placed: Sequence[Iterable[JSONDataset]]) -> JSONDataset:
    """What is somewhere there without a value, and nowhere with one."""
    said = {tag for one in aligned for tag, element in one.items() if not classic.is_empty(element)}
    for found in placed:
        for one in found:
            said |= one.keys()
    return {
        tag: element
        for one in reversed(aligned)
        for tag, element in one.items()
        if tag not in said and classic.is_empty(element) and not dictionary.is_private_creator(tag)
    }


def _unused(creators: Sequence[JSONDataset], aligned: Sequence[JSONDataset], common: JSONDataset) -> list[JSONDataset]:
    """Creators that reserve a block of which nothing is there."""
    used = [{f"{tag[:4]}00{tag[4:6]}" for tag in one if tag[4:6] != "00"} for one in (common, *aligned)]
    return [
        {tag: element for tag, element in made.items() if tag not in here and tag not in used[0]}
        for made, here in zip(creators, used[1:], strict=True)
    ]


def _sorted(item: JSONDataset) -> JSONDataset:
    return {tag: item[tag] for tag in sorted(item)}
