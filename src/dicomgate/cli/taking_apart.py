"""What `dicomgate convert classic` makes of each object: the files it was made of, or new images (LC-30 to LC-32)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

from dicomgate import errors
from dicomgate.cli.converting import Converted, Report, Writer
from dicomgate.multiframe import conversion, restoring, splitting
from dicomgate.multiframe.classic import Classic


def take_apart(objects: Iterable[Classic], writer: Writer, report: Report, *, new_uids: bool, salt: str) -> None:
    """Every object; parts of a concatenation count on. What cannot be taken apart is reported."""
    for group in _concatenations(objects):
        try:
            parts = splitting.in_order(group)
        except errors.Fault as fault:
            for one in group:
                report.add(one.name, fault.message)
            continue
        for part, first in parts:
            try:
                for image in _images(part, first, new_uids=new_uids, salt=salt):
                    writer.add(image)
            except (errors.Malformed, errors.Conflict, errors.NotAcceptable, errors.TooLarge) as fault:
                report.add(part.name, fault.message)


def _concatenations(objects: Iterable[Classic]) -> list[list[Classic]]:
    found: dict[str, list[Classic]] = {}
    for one in objects:
        found.setdefault(one.text("00209161") or one.instance, []).append(one)
    return list(found.values())


def _images(part: Classic, first: int, *, new_uids: bool, salt: str) -> Iterator[Converted]:
    study = part.text("0020000D")
    if not new_uids and restoring.can_restore(part):
        yield from _restored(part)
        return
    naming = splitting.Naming.NEW if new_uids else splitting.Naming.SOURCES
    for image in splitting.split(part, naming, first=first, salt=salt):
        yield Converted(study, image.series, image.instance, "made anew", 1, partial(splitting.write, image), part.name)


def _restored(one: Classic) -> Iterator[Converted]:
    study = one.text("0020000D")
    for file in restoring.restore(one):
        yield Converted(study, file.series, file.instance, "restored", 1, partial(iter, file.chunks), one.name)


def restore_others(others: Iterable[Classic], writer: Writer, report: Report) -> None:
    """What got new references comes back as it was; what was made of overlays goes, for the images have them again."""
    for one in others:
        try:
            if conversion.is_of_overlays(one):
                continue
            if restoring.can_restore(one):
                for image in _restored(one):
                    writer.add(image)
                continue
            study = one.text("0020000D")
            copy = partial(conversion.copy, one)
            writer.add(Converted(study, one.series, one.instance, "unchanged", 1, copy, one.name))
        except (errors.Malformed, errors.Conflict, errors.NotAcceptable, errors.TooLarge) as fault:
            report.add(one.name, fault.message)


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
