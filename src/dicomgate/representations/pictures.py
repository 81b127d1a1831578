"""Frames as pictures that any program shows (PS3.18 §8.3.5.1, §10.4.3.3.3; REN-01 to REN-08, REN-12).

What the object says is read here, what is done with pixels happens in processes of their own (T5). A picture is the
same for the same version of an instance, frame, presentation and type.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

from dicomgate import errors
from dicomgate.dicom import pixel_description, syntaxes
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.pixel_description import PixelDescription
from dicomgate.dicom.presentation import AS_IT_IS, Presentation, Profile
from dicomgate.origin import Instance
from dicomgate.pixels import memory_files, recipe, transcoding
from dicomgate.pixels.recipe import Recipe
from dicomgate.representations import picture_recipes, picture_size, shown_values
from dicomgate.representations.maker import Maker
from dicomgate.representations.shown_values import FrameAttributes
from dicomgate.representations.state_pose import State

MEDIA_TYPES: Final = recipe.MEDIA_TYPES
"""What pictures can be made as, the default first."""

_KEPT: Final = 4 << 20
"""Bytes of metadata whose data sets are kept for the next frame."""
_PROGRAM: Final = 128 << 20
"""Bytes for what a picture needs beside its pixels: tables, fonts, profiles."""
_PER_PIXEL: Final = 32
"""Bytes for a pixel of the picture, all steps together."""


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
    state: State | None = None,
    limits: tuple[float, float] | None = None,
    with_overlays: bool = True,
) -> Picture:
    """One frame, from 1, as a picture; `limits` go from black to white where the object does not say.

    `state`: a presentation state that is applied to it, which has windows and parts of the picture of its own: of the
    viewport its size counts (REN-10). NotFound past the last frame, Malformed for a presentation that this frame cannot
    have, NotAcceptable when no picture can be made of what is stored, Unavailable when no process is free.
    """
    _check(wanted, media_type)
    asked = f"picture {frame} {wanted!r} {media_type} {limits} {with_overlays} {maker.edition}"

    def make() -> tuple[bytes, bytes]:
        made = _render(
            maker,
            instance,
            frame,
            state=state,
            wanted=wanted,
            media_type=media_type,
            limits=limits,
            with_overlays=with_overlays,
        )
        return orjson.dumps([made.width, made.height, made.limits]), made.content

    others = () if state is None else (state.instance.facts,)
    said, content = maker.kept.get(instance.facts, asked, make, others)
    width, height, found = orjson.loads(said)
    return Picture(content=content, media_type=media_type, width=width, height=height, limits=_limits(found))


def _render(
    maker: Maker,
    instance: Instance,
    frame: int,
    *,
    state: State | None,
    wanted: Presentation,
    media_type: str,
    limits: tuple[float, float] | None,
    with_overlays: bool,
) -> Picture:
    dataset = read_dataset(instance)
    work = picture_recipes.RecipeWork(instance, FrameAttributes(dataset, frame), _describe(instance, dataset), wanted)
    extent = None
    if state is None:
        extent = picture_size.measure(work.description, wanted, shown_values.pixel_size(work.frame))
    try:
        if state is not None:
            made = picture_recipes.pose(work, state, media_type)
        else:
            assert extent is not None, "measured above"
            made = work.recipe(extent, media_type, limits, with_overlays=with_overlays)
        return _run(maker, made, work.pieces.held)
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
    frames = 1 if made.subtraction is None else len(made.subtraction.contrast) + len(made.subtraction.mask)
    bounds = transcoding.bounds_for(made.description, sum(map(len, pieces)), frames)
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
