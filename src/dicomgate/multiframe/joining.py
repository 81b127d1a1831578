"""The parts of a concatenation as the one object that they are parts of (PS3.3 C.7.6.16, C.7.6.16.2.2.4).

Nothing is converted: the parts say of the whole all that it says of itself, its UID included. What makes it impossible
is a reason that somebody can read, and the parts stay as they are.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from dicomgate import errors
from dicomgate.dicom import encode, part10, syntaxes, uids
from dicomgate.dicom.encode import BulkValue, Encapsulated, Frames
from dicomgate.dicom.frames import FragmentFrames
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.multiframe import classes, classic, enhanced, gather, reissuing, splitting
from dicomgate.multiframe.classes import tag, tags
from dicomgate.multiframe.classic import Classic, Element
from dicomgate.multiframe.references import Now, Renaming

_CONCATENATION, _WHOLE = tag("ConcatenationUID"), tag("SOPInstanceUIDOfConcatenationSource")
_NUMBER, _TOTAL = tag("InConcatenationNumber"), tag("InConcatenationTotalNumber")
_OFFSET, _COUNT = tag("ConcatenationFrameOffsetNumber"), tag("NumberOfFrames")
_OF_A_PART: Final = tags("InstanceCreationDate InstanceCreationTime SOPInstanceUID") | {
    *(_NUMBER, _TOTAL, _OFFSET, _COUNT, classes.PER_FRAME)
}
"""What may differ from part to part (C.7.6.16.2.2.4); some parts may leave out how many they are."""
_OF_PARTS: Final = frozenset({_CONCATENATION, _WHOLE, _NUMBER, _TOTAL, _OFFSET})


class Refusal(enum.StrEnum):
    """Why the parts of a concatenation are not joined."""

    MISSING = "parts of its concatenation are missing, or are there twice"
    DIFFERENT = "the parts of its concatenation do not say the same of the whole"
    NAMELESS = "its concatenation does not say of which object it is a part"
    FRAMES = "a part of its concatenation has not the frames that it says"
    THERE = "the object that its concatenation makes is there already"
    LONG = "the parts of its concatenation are too long for one object"


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """The object that parts make, without being written; `parts` in their order."""

    parts: tuple[Classic, ...]
    attributes: JSONDataset

    @property
    def instance(self) -> str:
        """SOP Instance UID, which all parts name."""
        return classic.text(self.attributes, "00080018")

    @property
    def as_source(self) -> Classic:
        """The object as one that refers to others."""
        return Classic(attributes=self.attributes, transfer_syntax=self.transfer_syntax, name=self.parts[0].name)

    @property
    def transfer_syntax(self) -> str:
        """That of compressed parts."""
        return self.parts[0].transfer_syntax if _is_compressed(self.parts[0]) else syntaxes.EXPLICIT_LITTLE

    def renaming(self) -> dict[str, Now]:
        """What each part has become: so many frames of the object, from one on."""
        found: dict[str, Now] = {}
        before = 0
        for part in self.parts:
            count = splitting.frame_count(part)
            found[part.instance] = Now(
                study=part.text("0020000D"),
                series=part.series,
                instance=self.instance,
                sop_class=part.sop_class,
                frames=range(before + 1, before + count + 1),
            )
            before += count
        return found


@dataclass(frozen=True, slots=True)
class Joining:
    """What becomes of the parts of concatenations."""

    joined: tuple[Joined, ...]
    refused: tuple[tuple[Classic, Refusal], ...]


def join(sources: Iterable[Classic]) -> Joining:
    """Put together what belongs together; what is no part of a concatenation of frames is not looked at."""
    groups: dict[tuple[str, ...], list[Classic]] = {}
    there: set[str] = set()
    for source in sources:
        if is_part(source):
            groups.setdefault((source.text("0020000D"), source.series, source.text(_CONCATENATION)), []).append(source)
        else:
            there.add(source.instance)
    joined: list[Joined] = []
    refused: list[tuple[Classic, Refusal]] = []
    for group in groups.values():
        found = _join(group)
        if isinstance(found, Joined) and found.instance not in there:
            there.add(found.instance)
            joined.append(found)
        else:
            why = Refusal.THERE if isinstance(found, Joined) else found
            refused += [(part, why) for part in group]
    return Joining(tuple(joined), tuple(refused))


def is_part(source: Classic) -> bool:
    """True for a part of a concatenated CT, MR or PET object."""
    return bool(source.text(_CONCATENATION)) and classes.find_enhanced(source.sop_class) is not None


def _join(group: list[Classic]) -> Joined | Refusal:
    try:
        parts = [part for part, _ in splitting.in_order(group)]
    except errors.Conflict:
        return Refusal.MISSING
    except (errors.Malformed, errors.NotAcceptable):
        return Refusal.FRAMES
    first = parts[0]
    if not uids.is_uid(first.text(_WHOLE)):
        return Refusal.NAMELESS
    if not all(_is_alike(first, part) for part in parts) or not _do_count_on(parts):
        return Refusal.DIFFERENT
    count = sum(map(splitting.frame_count, parts))
    if count > splitting.MOST or (not _is_compressed(first) and count * _frame_size(first) > gather.LARGEST):
        return Refusal.LONG
    return Joined(parts=tuple(parts), attributes=_whole(parts))


def _is_alike(first: Classic, part: Classic) -> bool:
    """Whether two parts say the same of the whole; native pixel data may be encoded in any way."""
    is_same = part.transfer_syntax == first.transfer_syntax
    names = (first.attributes.keys() | part.attributes.keys()) - _OF_A_PART
    return (is_same or not (_is_compressed(first) or _is_compressed(part))) and all(
        first.attributes.get(name) == part.attributes.get(name) for name in names
    )


def _do_count_on(parts: list[Classic]) -> bool:
    """Whether each part begins where that before it ends, if they say."""
    before = 0
    for part in parts:
        if classic.number(part.attributes, _OFFSET) not in {None, before}:
            return False
        before += splitting.frame_count(part)
    return True


def _is_compressed(part: Classic) -> bool:
    syntax = syntaxes.find(part.transfer_syntax)
    return syntax is not None and syntax.is_encapsulated


def _frame_size(part: Classic) -> int:
    rows, columns, allocated = (
        int(classic.number(part.attributes, name) or 0) for name in ("00280010", "00280011", "00280100")
    )
    return rows * columns * allocated * int(classic.number(part.attributes, "00280002") or 1) // 8


def _length(parts: Sequence[Classic]) -> int:
    return sum(splitting.frame_count(part) for part in parts) * _frame_size(parts[0])


def _whole(parts: list[Classic]) -> JSONDataset:
    first = parts[0]
    found = {name: element for name, element in first.attributes.items() if name not in _OF_PARTS}
    frames = [item for part in parts for item in classic.items(part.attributes, classes.PER_FRAME)]
    found |= {
        "00080018": {"vr": "UI", "Value": [first.text(_WHOLE)]},
        _COUNT: {"vr": "IS", "Value": [len(frames)]},
        classes.PER_FRAME: {"vr": "SQ", "Value": frames},
        "7FE00010": {"vr": splitting.pixel_vr(first.attributes), "BulkDataURI": enhanced.FRAMES_URI},
    }
    return {name: found[name] for name in sorted(found)}


def write(joined: Joined, now: Now | None = None, renaming: Renaming | None = None) -> Iterator[bytes]:
    """The object as a file. Malformed for what is not there any more; OSError when a part cannot be read.

    `now`: what it is where something it refers to was converted, so that it refers to that instead (LC-06).
    """
    attributes = joined.attributes
    if now is not None:
        changed = reissuing.changes(joined.as_source, now, renaming or {})
        attributes = attributes | {name: element for name, element in changed.items() if element is not None}
    yield part10.write_beginning(
        sop_class=classic.text(attributes, "00080016"),
        instance=classic.text(attributes, "00080018"),
        transfer_syntax=joined.transfer_syntax,
    )
    yield from encode.write_dataset(
        {name: attributes[name] for name in sorted(attributes)}, partial(_find_bulk, joined)
    )


def _find_bulk(joined: Joined, path: str, element: Element) -> BulkValue | Frames | Encapsulated:
    uri = element["BulkDataURI"]
    if uri == enhanced.FRAMES_URI and path == encode.PIXEL_DATA:
        if _is_compressed(joined.parts[0]):
            return Frames([size for part in joined.parts for size in _sizes(part)], ((one,) for one in _frames(joined)))
        return BulkValue(_length(joined.parts), _frames(joined))
    for part in joined.parts:
        if uri in part.places:
            with part.opened() as (_, dataset):
                value = classic.value(part.places[uri], dataset)
                if isinstance(value, Encapsulated):
                    return Encapsulated(list(value.chunks))
                return BulkValue(value.size, list(value.chunks))
    return encode.no_bulk(path, element)


def _frames(joined: Joined) -> Iterator[bytes]:
    for part in joined.parts:
        with part.opened() as (_, dataset):
            for number in range(1, splitting.frame_count(part) + 1):
                yield splitting.read_frame(part, dataset, number)


def _sizes(part: Classic) -> list[int]:
    assert isinstance(part.frames, FragmentFrames), "compressed frames lie in fragments"
    found = (part.frames.find(number) for number in range(1, splitting.frame_count(part) + 1))
    return [sum(map(len, spans or ())) for spans in found]
