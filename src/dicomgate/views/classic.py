"""A study as if every object with many frames were split (PS3.4 C.3.5, LC-30, LC-33): nothing twice, nothing lost."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from dicomgate import errors
from dicomgate.dicom.frames import FragmentFrames
from dicomgate.dicom.uids import Target
from dicomgate.multiframe import classes, classic, conversion, restoring, splitting
from dicomgate.multiframe.classic import Classic
from dicomgate.multiframe.splitting import Image, Naming
from dicomgate.views import originals
from dicomgate.views.pictures import Picture
from dicomgate.views.shown import OfPicture, Recipe, Shown, as_it_is, find_bulk
from dicomgate.views.sources import Held

VIEW = "CLASSIC"


def show(held: Held) -> Iterator[Shown]:
    """Every instance of the view. What cannot be split is shown as it is."""
    stored = held.instances.keys()
    kept = {one.name: originals.find(held, one) for one in held.sources if restoring.can_restore(one)}
    objects = {one.name: one for one in held.sources if classes.find_enhanced(one.sop_class) is not None}
    seen = set(stored) - objects.keys() - kept.keys()
    followed = {origin for one in objects.values() for origin in restoring.conversion_sources(one.attributes)}
    shown = set()
    for name, found in kept.items():
        if found is not None:
            shown.add(name)
            yield from (one for one in found if one.target.instance not in seen)
            seen |= {one.target.instance or "" for one in found}
    for group in _concatenations({name: one for name, one in objects.items() if name not in shown}):
        for one, first in _in_order(group):
            images = _split(one, first)
            if images is not None:
                shown.add(one.name)
                yield from (_image(held, image) for image in images if image.instance not in seen)
                seen |= {image.instance for image in images}
    for one in held.sources:
        if one.name not in objects and conversion.is_of_overlays(one) and _was_made_of(one, followed):
            shown.add(one.name)  # the images have these overlays again
    yield from (as_it_is(instance) for name, instance in held.instances.items() if name not in shown)


def _was_made_of(state: Classic, origins: set[str]) -> bool:
    made = restoring.conversion_sources(state.attributes)
    return bool(made) and origins.issuperset(made)


def _concatenations(objects: dict[str, Classic]) -> list[list[Classic]]:
    found: dict[str, list[Classic]] = {}
    for one in objects.values():
        found.setdefault(one.text("00209161") or one.instance, []).append(one)
    return list(found.values())


def _in_order(group: list[Classic]) -> list[tuple[Classic, int]]:
    """None of a concatenation that is not whole."""
    try:
        return splitting.in_order(group)
    except errors.Fault:
        return []


def _split(one: Classic, first: int) -> list[Image] | None:
    try:
        return list(splitting.split(one, Naming.SOURCES, first=first))
    except errors.Fault:
        return None


def _image(held: Held, image: Image) -> Shown:
    of = held.instances[image.of.name]
    facts = of.facts
    return Shown(
        target=Target(facts.target.study, image.series, image.instance),
        sop_class=classic.text(image.attributes, "00080016"),
        transfer_syntax=image.transfer_syntax,
        recipe=Recipe(frames=((facts.target.series or "", facts.target.instance or "", image.frame),)),
        sources=(of,),
        made=OfPicture(partial(_picture, image)),
    )


def _picture(image: Image) -> Picture:
    def read(number: int) -> bytes:
        assert number == 1, "a classic image has one frame"
        with image.of.opened() as (_, dataset):
            return splitting.read_frame(image.of, dataset, image.frame)

    return Picture(
        attributes=dict(sorted({**image.attributes, **classes.in_view(VIEW)}.items())),
        transfer_syntax=image.transfer_syntax,
        sizes=[_size(image)],
        read=read,
        find=partial(find_bulk, image.of),
    )


def _size(image: Image) -> int:
    match image.of.frames:
        case FragmentFrames():
            return sum(map(len, image.of.frames.find(image.frame) or ()))
    rows, columns, allocated = (
        int(classic.number(image.attributes, tag) or 0) for tag in ("00280010", "00280011", "00280100")
    )
    return rows * columns * allocated // 8
