"""One instance of a view: what is known of it is kept, its frames are its sources', its file is made (PS3.18 §10.4)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from dicomgate import errors
from dicomgate.dicom import spans, syntaxes
from dicomgate.dicom.uids import Target
from dicomgate.index.base import Index, Row
from dicomgate.origin import Facts, Instance, Piece, Retrieve
from dicomgate.views import pictures, shown
from dicomgate.views.shown import Making, Recipe

_PIXELS = "7FE00010"

FindMaking = Callable[[Target], Making]
"""How an instance is made; Changed when its study was changed meanwhile."""


def _one(retrieve: Retrieve, target: Target) -> Instance:
    with retrieve.retrieve(target) as found:
        return next(found)


@dataclass
class ViewInstance:
    """An instance that nobody stored."""

    row: Row
    index: Index
    origin: Retrieve
    recipe: Recipe
    find_making: FindMaking

    @property
    def target(self) -> Target:
        """Which one."""
        return self.row.target

    @property
    def facts(self) -> Facts:
        """What is known without making it."""
        row = self.row
        return Facts(
            target=row.target,
            sop_class=row.sop_class,
            transfer_syntax=row.transfer_syntax,
            size=row.size,
            digest="",
            version=row.digest,
            is_lossy=row.is_lossy,
            frame_count=row.frame_count,
            modified=row.received,
        )

    @property
    def is_sound(self) -> bool:
        """What is made here begins as PS3.10 says."""
        return True

    def metadata(self) -> bytes:
        """The DICOM JSON text, as it was prepared."""
        return self.index.instance_metadata(self.row)

    @cached_property
    def _making(self) -> Making:
        return self.find_making(self.row.target)

    def file(self, span: range | None = None) -> Iterator[bytes]:
        """The file, or a span of it, made now; of frames only those in the span are read."""
        return self._making.file(range(self.row.size) if span is None else span)

    def frame(self, number: int, *, span: range | None = None) -> Piece:
        """A frame: as it lies in its source, unless it is brought into another form."""
        if not 1 <= number <= len(self.recipe.frames):
            raise errors.NotFound(f"frame {number} does not exist; the instance has {len(self.recipe.frames)}")
        if number in self.recipe.altered:
            made = self._making.frame(number)
            wanted = range(len(made)) if span is None else span
            content = made[wanted.start : wanted.stop]
            return Piece(transfer_syntax=syntaxes.EXPLICIT_LITTLE, vr="OW", size=len(content), chunks=iter((content,)))
        series, instance, frame = self.recipe.frames[number - 1]
        return self._source(series, instance).frame(frame, span=span)

    def _source(self, series: str, instance: str) -> Instance:
        try:
            return _one(self.origin, Target(self.row.target.study, series, instance))
        except (errors.NotFound, errors.Gone):
            raise errors.Changed("what this is made of was changed meanwhile; ask again") from None

    def bulk(self, path: str, *, span: range | None = None) -> Piece:
        """A large value; of the pixels as of stored ones."""
        if path != _PIXELS:
            return self._making.bulk(path, span)
        count = len(self.recipe.frames)
        if not count:
            raise errors.NotFound("no such bulk data in this instance")
        if count == 1:
            return self.frame(1, span=span)
        if syntaxes.TABLE[self.row.transfer_syntax].is_encapsulated:
            raise errors.NotAcceptable("compressed pixel data of several frames is sent one part a frame")
        return self._native(count, span)

    def _native(self, count: int, span: range | None) -> Piece:
        first = self.frame(1)
        wanted = range(first.size * count) if span is None else span
        numbers = range(wanted.start // first.size, min(count, -(-wanted.stop // first.size)))
        inside = range(wanted.start - numbers.start * first.size, wanted.stop - numbers.start * first.size)
        chunks = (chunk for number in numbers for chunk in self.frame(number + 1).chunks)
        return Piece(
            transfer_syntax=first.transfer_syntax, vr=first.vr, size=len(wanted), chunks=spans.cut(chunks, inside)
        )

    def bulk_paths(self) -> Sequence[str]:
        """Every value that metadata names, in the order of the data set."""
        return tuple(pictures.paths(self._making.attributes))


def find(row: Row, index: Index, origin: Retrieve, find_making: FindMaking) -> Instance | None:
    """The instance of a row: the origin's own where it is shown as it is. None when it is gone."""
    try:
        recipe = shown.parse_recipe(index.layout(row))
        if recipe.as_is:
            return _one(origin, row.target)
    except (errors.NotFound, errors.Gone):
        return None
    return ViewInstance(row, index, origin, recipe, find_making)
