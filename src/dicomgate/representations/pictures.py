"""Frames as pictures that any program shows (PS3.18 §8.3.5.1, §10.4.3.3.3; REN-01 to REN-08, REN-12).

What the object says is read here, what is done with pixels happens in processes of their own (T5). A picture is the
same for the same version of an instance, frame, presentation and type.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import orjson

from dicomgate import errors
from dicomgate.dicom import pixel_description, syntaxes
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.pixel_description import PixelDescription
from dicomgate.dicom.presentation import AS_IT_IS, Presentation, Profile
from dicomgate.origin import Instance
from dicomgate.pixels import memory_files, recipe, transcoding
from dicomgate.pixels.recipe import Grey, LookupTable, Recipe, Span
from dicomgate.representations import annotation_text, dataset_values, overlay_planes, picture_size, shown_values
from dicomgate.representations.maker import Maker
from dicomgate.representations.shown_values import FrameAttributes

MEDIA_TYPES: Final = recipe.MEDIA_TYPES
"""What pictures can be made as, the default first."""

_LONGEST: Final = 8 << 20
"""Bytes of one table, overlay or profile that are taken."""
_KEPT: Final = 4 << 20
"""Bytes of metadata whose data sets are kept for the next frame."""
_PROGRAM: Final = 128 << 20
"""Bytes for what a picture needs beside its pixels: tables, fonts, profiles."""
_PER_PIXEL: Final = 32
"""Bytes for a pixel of the picture, all steps together."""
_PROFILE, _OPTICAL_PATHS = "00282000", "00480105"


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture as a file. `limits`: stored values that became black and white where nothing said which."""

    content: bytes
    media_type: str
    width: int
    height: int
    limits: tuple[float, float] | None = None


def render(
    maker: Maker,
    instance: Instance,
    frame: int = 1,
    wanted: Presentation = AS_IT_IS,
    media_type: str = "image/jpeg",
    *,
    limits: tuple[float, float] | None = None,
    with_overlays: bool = True,
) -> Picture:
    """One frame, from 1, as a picture; `limits` go from black to white where the object does not say.

    NotFound past the last frame, Malformed for a presentation that this frame cannot have, NotAcceptable when no
    picture can be made of what is stored, Unavailable when no process is free.
    """
    _check(wanted, media_type)
    asked = f"picture {frame} {wanted!r} {media_type} {limits} {with_overlays} {maker.edition}"

    def make() -> tuple[bytes, bytes]:
        made = _render(
            maker,
            instance,
            frame,
            wanted=wanted,
            media_type=media_type,
            limits=limits,
            with_overlays=with_overlays,
        )
        return orjson.dumps([made.width, made.height, made.limits]), made.content

    said, content = maker.kept.get(instance.facts, asked, make)
    width, height, found = orjson.loads(said)
    return Picture(content=content, media_type=media_type, width=width, height=height, limits=_limits(found))


def _render(
    maker: Maker,
    instance: Instance,
    frame: int,
    *,
    wanted: Presentation,
    media_type: str,
    limits: tuple[float, float] | None,
    with_overlays: bool,
) -> Picture:
    dataset = read_dataset(instance)
    description = _describe(instance, dataset)
    extent = picture_size.measure(description, wanted, shown_values.pixel_size(FrameAttributes(dataset, frame)))
    work = _Work(instance, FrameAttributes(dataset, frame), description, wanted)
    try:
        made = work.recipe(extent, media_type, limits, with_overlays=with_overlays)
        return _run(maker, made, work.pieces)
    except (errors.Malformed, errors.TooLarge, errors.UnsupportedMedia) as fault:
        raise errors.NotAcceptable(f"no picture can be made of frame {frame}: {fault.message}") from fault


def render_several(
    maker: Maker, instance: Instance, frames: Sequence[int], wanted: Presentation, media_type: str
) -> Iterator[Picture]:
    """Frame after frame, each when it is asked for; all with what the first one has between black and white."""
    limits = None
    for frame in frames:
        made = render(maker, instance, frame, wanted, media_type, limits=limits)
        limits = limits or made.limits
        yield made


def read_dataset(instance: Instance) -> JSONDataset:
    """What the object says, read once for many frames."""
    facts = instance.facts
    key = (facts.target, facts.version)
    found = _datasets.find(key)
    if found is None:
        text = instance.metadata()
        found = orjson.loads(text)
        _datasets.keep(key, found, len(text))
    assert found is not None, "metadata is an object"
    return found


def _run(maker: Maker, made: Recipe, pieces: list[bytes]) -> Picture:
    arguments = {"said": recipe.format_recipe(made)}
    bounds = transcoding.bounds_for(made.description, sum(map(len, pieces)))
    bounds = replace(bounds, memory=bounds.memory + _PROGRAM + _PER_PIXEL * made.size[0] * made.size[1])
    with memory_files.opened(pieces) as source, memory_files.opened() as result:
        answer = maker.workers.run("render", arguments, (source, result), bounds)
        return Picture(
            content=memory_files.read(result, 0, os.fstat(result).st_size),
            media_type=made.media_type,
            width=int(answer["width"]),
            height=int(answer["height"]),
            limits=_limits(answer["limits"]),
        )


def _check(wanted: Presentation, media_type: str) -> None:
    if media_type not in MEDIA_TYPES:
        raise errors.NotAcceptable("pictures are not made as that type", see=MEDIA_TYPES)
    if wanted.profile not in (None, Profile.NO) and media_type not in recipe.WITH_PROFILE:
        raise errors.Malformed(f"a picture as {media_type} holds no ICC profile")


def _describe(instance: Instance, dataset: JSONDataset) -> PixelDescription:
    syntax = syntaxes.find(instance.facts.transfer_syntax)
    if syntax is None or not syntax.can_decode:
        raise errors.NotAcceptable(f"frames stored as {syntax.name if syntax else 'that'} are not decoded here")
    try:
        return pixel_description.describe(dataset, instance.facts.transfer_syntax)
    except (errors.Malformed, errors.TooLarge) as fault:
        raise errors.NotAcceptable(f"no picture can be made of it: {fault.message}") from fault


def _limits(said: Any) -> tuple[float, float] | None:
    return (float(said[0]), float(said[1])) if said else None


@dataclass(slots=True)
class _Work:
    """A recipe being written, and the bytes that it needs, one after the other."""

    instance: Instance
    frame: FrameAttributes
    description: PixelDescription
    wanted: Presentation
    pieces: list[bytes] = field(default_factory=list)
    _size: int = 0

    def add(self, chunks: Iterable[bytes]) -> Span:
        """Put bytes behind the others; where they lie."""
        first = self._size
        for chunk in chunks:
            self.pieces.append(chunk)
            self._size += len(chunk)
        return first, self._size - first

    def recipe(
        self, extent: picture_size.Extent, media_type: str, limits: tuple[float, float] | None, *, with_overlays: bool
    ) -> Recipe:
        """The whole of it."""
        dataset, number = self.frame.dataset, self.frame.number
        piece = self.instance.frame(number)
        description = replace(self.description, transfer_syntax=piece.transfer_syntax)
        frame = self.add(piece.chunks)  # first, so that it can be mapped
        grey = self._grey(limits)
        palette = self._palette()
        annotations = self.wanted.annotations
        return Recipe(
            description=description,
            frame=frame,
            grey=grey,
            box=extent.box,
            size=extent.size,
            palette=palette,
            is_supplemental=palette is not None and shown_values.is_supplemental(self.frame),
            overlays=overlay_planes.read(dataset, number, description, self._fetch) if with_overlays else (),
            flips=extent.flips,
            texts=annotation_text.write(dataset, number, description.frame_count, annotations, grey)
            if annotations
            else (),
            media_type=media_type,
            quality=self.wanted.quality,
            profile=self.wanted.profile,
            own_profile=self._profile(media_type),
        )

    def _grey(self, limits: tuple[float, float] | None) -> Grey:
        if self.description.is_colour:
            return Grey()
        found = shown_values.read_grey(self.frame, self.description, self.wanted, self._fetch)
        return found if limits is None or found.limits else replace(found, limits=limits)

    def _palette(self) -> tuple[LookupTable, LookupTable, LookupTable] | None:
        labels = shown_values.segment_colours(self.frame.dataset)
        if labels is None:
            return shown_values.read_palette(self.frame, self.description, self._fetch)
        red, green, blue = (LookupTable(len(plane), 0, 8, self.add([plane])) for plane in labels)
        return red, green, blue

    def _profile(self, media_type: str) -> Span | None:
        if self.wanted.profile is Profile.NO or media_type not in recipe.WITH_PROFILE:
            return None
        dataset = self.frame.dataset
        path = dataset_values.first_item(dataset, _OPTICAL_PATHS)
        return self._fetch(path, _PROFILE) or self._fetch(dataset, _PROFILE)

    def _fetch(self, dataset: JSONDataset, tag: str) -> Span | None:
        content = dataset_values.content(self.instance, dataset, tag, _LONGEST)
        return self.add([content]) if content else None


class _Datasets:
    """Data sets that were read a moment ago, the oldest given up first; any number of threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: OrderedDict[Any, tuple[JSONDataset, int]] = OrderedDict()
        self._size = 0

    def find(self, key: Any) -> JSONDataset | None:
        with self._lock:
            found = self._held.get(key)
            if found is None:
                return None
            self._held.move_to_end(key)
            return found[0]

    def keep(self, key: Any, dataset: JSONDataset, size: int) -> None:
        with self._lock:
            self._size += size - self._held.pop(key, ({}, 0))[1]
            self._held[key] = (dataset, size)
            while self._size > _KEPT and len(self._held) > 1:
                self._size -= self._held.popitem(last=False)[1][1]


_datasets: Final = _Datasets()
