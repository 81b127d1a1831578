"""References that follow what was converted: UIDs, classes, series and frame numbers (PS3.4 C.3.5, KKK.6, LC-06)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.multiframe import classes, classic

_CLASS, _INSTANCE, _FRAME, _SERIES = "00081150", "00081155", "00081160", "0020000E"
_OF_HIERARCHY: Final = ("00081115", "00081199")
"""A hierarchical reference names instances, never frames (PS3.3 C.17.2.1)."""
_NEVER: Final = frozenset({classes.CONVERSION_SOURCE})
"""What tells where an object comes from stays (PS3.4 C.3.5)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    """What an instance has become. `frame`: its number in the new one; None: all of it.

    `frames`: those of the new one that are its own, where it was one of several parts of that.
    """

    study: str
    series: str
    instance: str
    sop_class: str
    frame: int | None = None
    frames: range | None = None


Images = tuple[Now, ...]
"""What each frame of an object has become that was taken apart, in their order."""
Renaming = Mapping[str, Now | Images]
"""By SOP Instance UID of what was converted."""


def update(dataset: JSONDataset, renaming: Renaming) -> JSONDataset:
    """The data set with all its references brought up to date; itself if it has none that changed."""
    return _updated(dataset, renaming, ()) if renaming else dataset


def refers(dataset: JSONDataset, renaming: Renaming) -> bool:
    """True when something in the data set refers to what was converted."""
    return update(dataset, renaming) is not dataset


def found(dataset: JSONDataset) -> Iterator[tuple[str, str]]:
    """SOP Instance UID and class of everything that a data set refers to, but for where it comes from."""
    for tag, element in dataset.items():
        if element.get("vr") != "SQ" or tag in _NEVER:
            continue
        for item in classic.items(dataset, tag):
            if _INSTANCE in item:
                yield classic.text(item, _INSTANCE), classic.text(item, _CLASS)
            yield from found(item)


def _updated(dataset: JSONDataset, renaming: Renaming, path: tuple[str, ...]) -> JSONDataset:
    changed: JSONDataset = {}
    for tag, element in dataset.items():
        if element.get("vr") != "SQ" or tag in _NEVER or not element.get("Value"):
            continue
        items = [item or {} for item in element["Value"]]
        new = _merged([one for item in items for one in _renamed(item, renaming, (*path, tag))])
        if new != items:
            changed[tag] = {**element, "Value": new}
    return {**dataset, **changed} if changed else dataset


def _renamed(item: JSONDataset, renaming: Renaming, path: tuple[str, ...]) -> list[JSONDataset]:
    """The item up to date; several when what it holds under one series now lies in several."""
    now = renaming.get(classic.text(item, _INSTANCE)) if _INSTANCE in item else None
    if isinstance(now, tuple):
        return [_updated(_pointed(item, one, has_frames=True), renaming, path) for one in _meant(item, now)]
    if now is not None:
        item = _pointed(item, now, has_frames=path[-2:] != _OF_HIERARCHY)
    parts = _by_series(item, renaming) if _SERIES in item else [item]
    return [_updated(part, renaming, path) for part in parts]


def _meant(item: JSONDataset, images: Images) -> Images:
    """The images of the frames that a reference names; of all where it names none."""
    numbers = [int(number) for number in classic.numbers(item, _FRAME)]
    return tuple(images[number - 1] for number in numbers if 1 <= number <= len(images)) or images


def _pointed(item: JSONDataset, now: Now, *, has_frames: bool) -> JSONDataset:
    new = {
        **item,
        _CLASS: {"vr": "UI", "Value": [now.sop_class]},
        _INSTANCE: {"vr": "UI", "Value": [now.instance]},
    }
    if has_frames and now.frames is not None:
        numbers = map(int, classic.numbers(item, _FRAME)) if _FRAME in item else range(1, len(now.frames) + 1)
        new[_FRAME] = {"vr": "IS", "Value": [now.frames.start + number - 1 for number in numbers]}
    elif now.frame is None or not has_frames:
        new.pop(_FRAME, None)
    else:
        new[_FRAME] = {"vr": "IS", "Value": [now.frame]}
    return new


def _by_series(item: JSONDataset, renaming: Renaming) -> list[JSONDataset]:
    """An item about a series, once for each series in which the instances named directly below it now are."""
    held = [tag for tag in item if any(_INSTANCE in one for one in classic.items(item, tag))]
    series: dict[str, dict[str, list[JSONDataset]]] = {}
    for tag in held:
        for one in classic.items(item, tag):
            now = renaming.get(classic.text(one, _INSTANCE))
            if isinstance(now, tuple):
                for image in _meant(one, now):
                    new = _pointed(one, image, has_frames=True)
                    series.setdefault(image.series, {}).setdefault(tag, []).append(new)
                continue
            name = now.series if now is not None else classic.text(item, _SERIES)
            series.setdefault(name, {}).setdefault(tag, []).append(one)
    if not held or list(series) == [classic.text(item, _SERIES)]:
        return [item]
    rest = {tag: element for tag, element in item.items() if tag not in held}
    return [
        {
            **rest,
            _SERIES: {"vr": "UI", "Value": [name]},
            **{tag: {"vr": "SQ", "Value": ones} for tag, ones in parts.items()},
        }
        for name, parts in series.items()
    ]


def _merged(items: list[JSONDataset]) -> list[JSONDataset]:
    """References to one instance, alike but for the frames, become one with all frames, where the first stood."""
    kept: list[JSONDataset] = []
    places: dict[Any, int] = {}
    for item in items:
        if _INSTANCE not in item or not set(item) <= {_CLASS, _INSTANCE, _FRAME}:
            kept.append(item)
            continue
        key = classic.text(item, _INSTANCE)
        if key not in places:
            places[key] = len(kept)
            kept.append(item)
            continue
        kept[places[key]] = _joined(kept[places[key]], item)
    return kept


def _joined(left: JSONDataset, right: JSONDataset) -> JSONDataset:
    if _FRAME not in left or _FRAME not in right:
        return {tag: element for tag, element in left.items() if tag != _FRAME}
    numbers = {*map(int, classic.numbers(left, _FRAME)), *map(int, classic.numbers(right, _FRAME))}
    return {**left, _FRAME: {"vr": "IS", "Value": sorted(numbers)}}
