"""A study as if every object with many frames were split (PS3.4 C.3.5; LC-06, LC-30, LC-33): nothing twice or lost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from dicomgate import errors
from dicomgate.dicom.frames import FragmentFrames
from dicomgate.dicom.uids import Target
from dicomgate.multiframe import classes, classic, conversion, references, reissuing, restoring, splitting
from dicomgate.multiframe.classic import Classic
from dicomgate.multiframe.references import Images, Now, Renaming
from dicomgate.multiframe.splitting import Image, Naming
from dicomgate.views import originals
from dicomgate.views.pictures import Picture
from dicomgate.views.shown import OfPicture, Recipe, Shown, as_it_is, find_bulk, reissued
from dicomgate.views.sources import Held

VIEW = "CLASSIC"
SALT = "classic view"


def show(held: Held) -> Iterator[Shown]:
    """Every instance of the view. What cannot be split is shown as it is; what refers to what was, to its images."""
    stored = held.instances.keys()
    restored = {
        one.name: found
        for one in held.sources
        if restoring.can_restore(one) and (found := originals.find(held, one)) is not None
    }
    objects = {one.name: one for one in held.sources if classes.find_enhanced(one.sop_class) is not None}
    parts = [
        pair
        for group in _concatenations({name: one for name, one in objects.items() if name not in restored})
        for pair in _in_order(group)
    ]
    renaming = {name: _images(found) for name, found in restored.items() if name in objects}
    renaming |= {one.instance: images for one, first in parts if (images := _find_images(one, first))}
    seen = set(stored) - objects.keys() - restored.keys()
    shown = set(restored)
    for found in restored.values():
        yield from (one for one in found if one.target.instance not in seen)
        seen |= {one.target.instance or "" for one in found}
    others = [one for one in held.sources if one.name not in objects and one.name not in shown]
    gone = {one.name for one in others if conversion.is_of_overlays(one) and _is_drawn_again(one, restored, objects)}
    shown |= gone  # the images have these overlays again
    followed = reissuing.close([one for one in others if one.name not in gone], renaming, salt=SALT)
    every: Renaming = {**renaming, **followed}
    for one, first in parts:
        made = _split(one, first, every)
        if made is not None:
            shown.add(one.name)
            yield from (_image(held, image) for image in made if image.instance not in seen)
            seen |= {image.instance for image in made}
    for one in others:
        now = followed.get(one.instance)
        if now is not None and one.name not in gone:
            shown.add(one.name)
            product = conversion.reissue(one, now, every, keeps_originals=False, view=VIEW)
            yield reissued(product, now, every, held.instances[one.name], VIEW)
    yield from (as_it_is(instance) for name, instance in held.instances.items() if name not in shown)


def _images(found: list[Shown]) -> Images:
    return tuple(
        Now(
            study=one.target.study,
            series=one.target.series or "",
            instance=one.target.instance or "",
            sop_class=one.sop_class,
        )
        for one in found
    )


def _find_images(one: Classic, first: int) -> Images:
    try:
        return splitting.renaming(one, Naming.SOURCES, first=first)
    except errors.Fault:
        return ()


def _is_drawn_again(state: Classic, restored: Mapping[str, object], objects: Mapping[str, Classic]) -> bool:
    """Whether all that a presentation state of overlays is about came back as it was."""
    about = [uid for uid, _ in references.found(state.attributes) if uid in objects]
    return bool(about) and all(uid in restored for uid in about)


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


def _split(one: Classic, first: int, renaming: Renaming) -> list[Image] | None:
    try:
        return list(splitting.split(one, Naming.SOURCES, renaming=renaming, first=first))
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
