"""What an object was made of, given back as it was: byte for byte, from the record that it keeps (LC-31, LC-32)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from dicomgate import errors
from dicomgate.dicom import frames, header
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.limits import DEFAULT
from dicomgate.dicom.source import BytesSource, Source
from dicomgate.dicom.uids import Target
from dicomgate.multiframe import classes, classic, restoring, splitting
from dicomgate.multiframe.classic import Classic
from dicomgate.multiframe.restoring import Restored
from dicomgate.origin import Piece
from dicomgate.views import pictures
from dicomgate.views.pictures import Picture
from dicomgate.views.shown import Recipe, Shown, find_bulk
from dicomgate.views.sources import Held


def find(held: Held, source: Classic) -> list[Shown] | None:
    """The instances that an object was made of. None where it does not keep them, or they cannot be proven."""
    if not restoring.can_restore(source):
        return None
    count = len(restoring.conversion_sources(source.attributes))
    try:
        found = [_shown(held, source, place, one) for place, one in enumerate(restoring.restore(source), 1)]
    except (errors.Fault, OSError):
        return None
    return found if found and len({one.target for one in found}) == count else None


def _shown(held: Held, source: Classic, number: int, restored: Restored) -> Shown:
    of = held.instances[source.name]
    facts = of.facts
    original = _Original(restored)
    is_frame = classes.PER_FRAME in source.attributes
    place = (facts.target.series or "", facts.target.instance or "", number)
    return Shown(
        target=Target(facts.target.study, restored.series, restored.instance),
        sop_class=classic.text(original.attributes, "00080016"),
        transfer_syntax=original.described.transfer_syntax,
        recipe=Recipe(
            frames=(place,) if is_frame else (),
            altered=_altered(source, number, original) if is_frame else frozenset(),
        ),
        sources=(of,),
        made=OfOriginal(source, number),
    )


def _altered(source: Classic, number: int, original: _Original) -> frozenset[int]:
    """Its frame, if that is not as it lies in the object."""
    with source.opened() as (_, dataset):
        there = splitting.read_frame(source, dataset, number)
    return frozenset() if there == original.frame() else frozenset([1])


@dataclass(frozen=True, slots=True)
class OfOriginal:
    """The source of one frame, or of an object that only got new references; nothing of its bytes is held."""

    source: Classic
    number: int

    def _find(self) -> _Original:
        return _Original(next(restoring.restore(self.source, only=self.number)))

    @property
    def attributes(self) -> JSONDataset:
        """Its data set, with the pixels that it has."""
        return self._find().attributes

    def size(self) -> int:
        """Bytes of its file."""
        return len(self._find().content)

    def file(self, span: range) -> Iterator[bytes]:
        """A span of its file."""
        yield self._find().content[span.start : span.stop]

    def frame(self, number: int) -> bytes:
        """Its samples, or codestream."""
        assert number == 1, "a classic image has one frame"
        return self._find().frame()

    def bulk(self, path: str, span: range | None) -> Piece:
        """A large value but for the pixels."""
        original = self._find()
        picture = Picture(
            attributes={tag: element for tag, element in original.attributes.items() if tag not in frames.PIXELS},
            transfer_syntax=original.described.transfer_syntax,
            sizes=(),
            read=self.frame,
            find=partial(find_bulk, original.described),
        )
        return pictures.value(picture, path, span)


class _Original:
    """One file, as it would be read."""

    def __init__(self, restored: Restored) -> None:
        self.content = b"".join(restored.chunks)
        self.described = classic.read(_InMemory(self.content))
        said = header.read(BytesSource(self.content), DEFAULT).attributes
        found = {**self.described.attributes, **{tag: said[tag] for tag in frames.PIXELS if tag in said}}
        self.attributes: JSONDataset = {tag: found[tag] for tag in sorted(found)}

    def frame(self) -> bytes:
        """Its samples, or codestream."""
        with self.described.opened() as (_, dataset):
            return splitting.read_frame(self.described, dataset, 1)


@dataclass(frozen=True, slots=True)
class _InMemory:
    content: bytes

    @contextmanager
    def open(self) -> Iterator[Source]:
        """Its bytes."""
        yield BytesSource(self.content)
