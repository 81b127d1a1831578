"""What a view has of a study: instances that stay as they are, and those that are made when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Protocol

import orjson

from dicomgate.dicom import spans
from dicomgate.dicom.encode import BulkValue, Encapsulated, Frames, no_bulk
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.uids import Target
from dicomgate.multiframe import classic, reissuing
from dicomgate.multiframe.classic import Classic
from dicomgate.multiframe.conversion import Product
from dicomgate.multiframe.references import Now, Renaming
from dicomgate.origin import Instance, Piece
from dicomgate.views import pictures
from dicomgate.views.pictures import Picture

_PIXELS = "7FE00010"
_PIXEL_GROUP = "7FE0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Where an instance of a view comes from; kept with it, so that its frames need no plan.

    `as_is`: it is an instance of the origin. `frames`: series, instance and number of each frame's source. `altered`:
    the numbers, from 1, of frames whose samples are brought into another form.
    """

    as_is: bool = False
    frames: tuple[tuple[str, str, int], ...] = ()
    altered: frozenset[int] = frozenset()

    def format(self) -> bytes:
        """The text that is kept."""
        return orjson.dumps({"as_is": self.as_is, "frames": self.frames, "altered": sorted(self.altered)})


def parse_recipe(text: bytes) -> Recipe:
    """The recipe again."""
    said = orjson.loads(text)
    return Recipe(
        as_is=said["as_is"],
        frames=tuple((series, instance, frame) for series, instance, frame in said["frames"]),
        altered=frozenset(said["altered"]),
    )


class Making(Protocol):
    """How an instance that nobody stored is made."""

    @property
    def attributes(self) -> JSONDataset:
        """Its data set; large values stand there by URI."""
        ...

    def size(self) -> int:
        """Bytes of its file."""
        ...

    def file(self, span: range) -> Iterator[bytes]:
        """A span of its file."""
        ...

    def frame(self, number: int) -> bytes:
        """A frame that is no source's as it lies."""
        ...

    def bulk(self, path: str, span: range | None) -> Piece:
        """A large value but for the pixels."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One instance of a view. `made` None: it is `sources[0]`, as it is."""

    target: Target
    sop_class: str
    transfer_syntax: str
    recipe: Recipe
    sources: tuple[Instance, ...]
    made: Making | None = None


def as_it_is(instance: Instance) -> Shown:
    """An instance that is the same in the view."""
    facts = instance.facts
    return Shown(
        target=facts.target,
        sop_class=facts.sop_class,
        transfer_syntax=facts.transfer_syntax,
        recipe=Recipe(as_is=True),
        sources=(instance,),
    )


@dataclass
class OfPicture:
    """What is put together of frames."""

    describe: Callable[[], Picture]

    @cached_property
    def picture(self) -> Picture:
        """The object, described."""
        return self.describe()

    @property
    def attributes(self) -> JSONDataset:
        """Its data set, as its file says it."""
        return pictures.said(self.picture)

    def size(self) -> int:
        """Bytes of its file."""
        return pictures.measure(self.picture)

    def file(self, span: range) -> Iterator[bytes]:
        """A span of its file."""
        return pictures.write(self.picture, span)

    def frame(self, number: int) -> bytes:
        """A frame in the form that it has here."""
        return self.picture.read(number)

    def bulk(self, path: str, span: range | None) -> Piece:
        """A large value."""
        return pictures.value(self.picture, path, span)


@dataclass
class OfReferences:
    """What only refers to other objects now (LC-06); all else is as it was."""

    product: Product
    now: Now
    renaming: Renaming
    instance: Instance
    view: str

    @cached_property
    def attributes(self) -> JSONDataset:
        """Its data set, with the pixels that it has."""
        source = self.product.sources[0]
        found = dict(reissuing.dataset(source, self.now, self.renaming, view=self.view))
        if self.instance.facts.frame_count:
            said = orjson.loads(self.instance.metadata())
            found |= {tag: said[tag] for tag in (_PIXELS, "7FE00008", "7FE00009") if tag in said}
        return {tag: found[tag] for tag in sorted(found)}

    def size(self) -> int:
        """Bytes of its file, which is made once for that."""
        return sum(map(len, self.product.write()))

    def file(self, span: range) -> Iterator[bytes]:
        """A span of its file."""
        return spans.cut(self.product.write(), span)

    def frame(self, number: int) -> bytes:
        """Frames are those of the source."""
        return b"".join(self.instance.frame(number).chunks)

    def bulk(self, path: str, span: range | None) -> Piece:
        """A large value."""
        if path.startswith(_PIXEL_GROUP):
            return self.instance.bulk(path, span=span)
        source = self.product.sources[0]

        described = Picture(
            attributes={tag: element for tag, element in self.attributes.items() if not tag.startswith(_PIXEL_GROUP)},
            transfer_syntax=self.instance.facts.transfer_syntax,
            sizes=(),
            read=self.frame,
            find=partial(find_bulk, source),
        )
        return pictures.value(described, path, span)


def reissued(product: Product, now: Now, renaming: Renaming, instance: Instance, view: str) -> Shown:
    """What only refers to other objects in a view."""
    facts = instance.facts
    place = (facts.target.series or "", facts.target.instance or "")
    return Shown(
        target=Target(now.study, now.series, now.instance),
        sop_class=facts.sop_class,
        transfer_syntax=facts.transfer_syntax,
        recipe=Recipe(frames=tuple((*place, frame) for frame in range(1, facts.frame_count + 1))),
        sources=(instance,),
        made=OfReferences(product, now, renaming, instance, view),
    )


def find_bulk(source: Classic, path: str, element: classic.Element) -> BulkValue | Frames | Encapsulated:
    """The bytes of a value that lies in the source."""
    place = source.places.get(element["BulkDataURI"])
    if place is None:
        return no_bulk(path, element)
    with source.opened() as (_, dataset):
        value = classic.value(place, dataset)
        chunks = list(value.chunks)  # while it is open
        return BulkValue(value.size, chunks) if isinstance(value, BulkValue) else value
