"""Objects that refer to what was converted, as new ones that refer to what it has become (PS3.4 C.3.5, LC-06).

Everything else in them goes out byte for byte: pixels, texts, private attributes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Final

from dicomgate.dicom import encode, header
from dicomgate.dicom.amend import Amendment
from dicomgate.dicom.encode import BulkValue, Encapsulated, Frames
from dicomgate.dicom.header import Header
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.original_attributes import Changes
from dicomgate.dicom.source import Source
from dicomgate.multiframe import classes, classic, enhanced, identity, references
from dicomgate.multiframe.classic import Classic, Element
from dicomgate.multiframe.references import Now, Renaming
from dicomgate.multiframe.remainder import Keeper, Literal, Original


def close(others: Iterable[Classic], renaming: Renaming, *, salt: str = "") -> dict[str, Now]:
    """What must be issued anew: whoever refers to what was converted, and whoever refers to them again."""
    found: dict[str, Now] = {}
    referring: dict[str, list[Classic]] = {}
    for other in others:
        if other.instance and other.series:
            for instance in {instance for instance, _ in references.found(other.attributes)}:
                referring.setdefault(instance, []).append(other)
    waiting = list(renaming)
    while waiting:
        for other in referring.pop(waiting.pop(), ()):
            if other.instance not in found:
                found[other.instance] = _now(other, salt)
                waiting.append(other.instance)
    return {instance: found[instance] for instance in sorted(found)}


def _now(other: Classic, salt: str) -> Now:
    return Now(
        study=other.text("0020000D"),
        series=identity.derive("series of new references", [other.series], salt=salt),
        instance=identity.derive("new references", [other.instance], salt=salt),
        sop_class=other.sop_class,
    )


def changes(other: Classic, now: Now, renaming: Renaming, *, view: str = "") -> Changes:
    """What the new object says differently."""
    updated = references.update(other.attributes, renaming)
    new: dict[str, Element | None] = {
        tag: element for tag, element in updated.items() if element is not other.attributes.get(tag)
    }
    origin = {"00081150": _uid(other.sop_class), "00081155": _uid(other.instance)}
    new["00080018"] = _uid(now.instance)
    new["0020000E"] = _uid(now.series)
    new[classes.CONVERSION_SOURCE] = {"vr": "SQ", "Value": [origin]}
    items = enhanced.equipment([other.attributes], enhanced.NEW_REFERENCES)
    new[enhanced.EQUIPMENT] = {"vr": "SQ", "Value": items}
    return new | classes.in_view(view)


def _uid(uid: str) -> Element:
    return {"vr": "UI", "Value": [uid]}


LARGEST_KEPT: Final = 256 << 20
"""Bytes of an original that its new form keeps whole; of a larger one there is only the reference to it."""


def write(
    other: Classic, now: Now, renaming: Renaming, *, keeps_originals: bool = True, view: str = ""
) -> Iterator[bytes]:
    """The new object as a file. Malformed, TooLarge as `amend.amend`; OSError when the source cannot be read."""
    with other.opened() as (file, _):
        found = header.read(file)
        new = dict(changes(other, now, renaming, view=view))
        if keeps_originals and file.size <= LARGEST_KEPT:
            new |= _record(file)
        yield from encode.batched(_Reissue(file, found, new, other).pieces())


def _record(file: Source) -> JSONDataset:
    """What the original can be restored from: all of it."""
    whole = file.read_at(0, file.size)
    keeper = Keeper()
    keeper.add(Original(hashlib.sha256(whole).digest(), (Literal(whole),)))
    return keeper.elements()


class _Reissue(Amendment):
    """One file with new references, whose large values are named by their content."""

    def __init__(self, source: Source, found: Header, new: Changes, other: Classic) -> None:
        super().__init__(source, found, new, [])
        self._other = other

    def _find_bulk(self, path: str, element: Element) -> BulkValue | Frames | Encapsulated:
        place = self._other.places.get(element.get("BulkDataURI", ""))
        return super()._find_bulk(path, element) if place is None else classic.value(place, self._content)


def dataset(other: Classic, now: Now, renaming: Renaming, *, view: str = "") -> JSONDataset:
    """The new object's data set, without being written."""
    new = {tag: element for tag, element in changes(other, now, renaming, view=view).items() if element is not None}
    joined = {**other.attributes, **new}
    return {tag: joined[tag] for tag in sorted(joined)}
