"""What `dicomgate convert classic` makes: the files that objects were made of, or new images (LC-06, LC-30 to 32)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from typing import Any

from dicomgate import errors
from dicomgate.cli.converting import Converted, Report, Writer
from dicomgate.multiframe import conversion, references, reissuing, restoring, splitting
from dicomgate.multiframe.classic import Classic
from dicomgate.multiframe.references import Images, Now, Renaming


def take_apart(
    objects: Sequence[Classic],
    others: Sequence[Classic],
    writer: Writer,
    report: Report,
    *,
    new_uids: bool,
    salt: str,
) -> None:
    """All of a patient. Parts of a concatenation count on; what cannot be taken apart is reported.

    What refers to an object refers to its images afterwards (LC-06).
    """
    parts = list(_parts(objects, report))
    naming = splitting.Naming.NEW if new_uids else splitting.Naming.SOURCES
    images = {part.instance: found for part, first in parts if (found := _find_images(part, naming, first, salt))}
    restored = {one.name for one in (*objects, *others) if not new_uids and restoring.can_restore(one)}
    back = {one.instance for one in objects if one.name in restored}
    gone = {one.name for one in others if conversion.is_of_overlays(one) and _is_drawn_again(one, images, back)}
    following = [one for one in others if one.name not in restored | gone]
    followed = reissuing.close(following, images, salt=f"{salt} classic")
    renaming: Renaming = {**images, **followed}
    for part, first in parts:
        is_restored = part.name in restored
        _add(part, _restored(part) if is_restored else _split(part, naming, renaming, first, salt), writer, report)
    for one in others:
        if one.name not in gone:
            _add(one, _other(one, followed, renaming, is_restored=one.name in restored), writer, report)


def _add(one: Classic, made: Iterator[Converted], writer: Writer, report: Report) -> None:
    try:
        for image in made:
            writer.add(image)
    except (errors.Malformed, errors.Conflict, errors.NotAcceptable, errors.TooLarge) as fault:
        report.add(one.name, fault.message)


def _parts(objects: Iterable[Classic], report: Report) -> Iterator[tuple[Classic, int]]:
    for group in _concatenations(objects):
        try:
            yield from splitting.in_order(group)
        except errors.Fault as fault:
            for one in group:
                report.add(one.name, fault.message)


def _concatenations(objects: Iterable[Classic]) -> list[list[Classic]]:
    found: dict[str, list[Classic]] = {}
    for one in objects:
        found.setdefault(one.text("00209161") or one.instance, []).append(one)
    return list(found.values())


def _find_images(part: Classic, naming: splitting.Naming, first: int, salt: str) -> Images:
    try:
        return splitting.renaming(part, naming, first=first, salt=salt)
    except errors.Fault:
        return ()  # why is said when it is split


def _is_drawn_again(state: Classic, images: Mapping[str, Images], back: AbstractSet[str]) -> bool:
    """Whether a presentation state of overlays is about files that come back with them."""
    about = {uid for uid, _ in references.found(state.attributes)} & images.keys()
    return bool(about) and about <= back


def _split(part: Classic, naming: splitting.Naming, renaming: Renaming, first: int, salt: str) -> Iterator[Converted]:
    study, is_fixed = part.text("0020000D"), not references.refers(part.attributes, renaming)
    for image in splitting.split(part, naming, renaming=renaming, first=first, salt=salt):
        write = partial(splitting.write, image)
        yield Converted(study, image.series, image.instance, "made anew", 1, write, name=part.name, is_fixed=is_fixed)


def _restored(one: Classic) -> Iterator[Converted]:
    study = one.text("0020000D")
    for file in restoring.restore(one):
        yield Converted(study, file.series, file.instance, "restored", 1, partial(iter, file.chunks), one.name)


def _other(one: Classic, followed: Mapping[str, Now], renaming: Renaming, *, is_restored: bool) -> Iterator[Converted]:
    """What is no object with many frames: as it was, with new references, or unchanged."""
    if is_restored:
        yield from _restored(one)
        return
    study, now = one.text("0020000D"), followed.get(one.instance)
    if now is None:
        copy = partial(conversion.copy, one)
        yield Converted(study, one.series, one.instance, "unchanged", 1, copy, one.name)
        return
    made = conversion.reissue(one, now, renaming)
    became = conversion.Became.REISSUED.value
    yield Converted(study, now.series, now.instance, became, 1, made.write, one.name, is_fixed=False)


def explain(objects: Iterable[Classic], *, new_uids: bool) -> list[dict[str, Any]]:
    """What would become of each object."""
    return [_outlook(one, new_uids=new_uids) for one in objects]


def _outlook(one: Classic, *, new_uids: bool) -> dict[str, Any]:
    facts: dict[str, Any] = {"file": one.name, "SOPInstanceUID": one.instance, "images": None, "becomes": ""}
    try:
        facts["images"] = splitting.frame_count(one)
        restores = not new_uids and restoring.can_restore(one)
        facts["becomes"] = "the files it was made of" if restores else "images made anew"
    except errors.Fault as fault:
        facts["becomes"] = f"refused: {fault.message}"
    return facts
