"""`dicomgate convert`: series of single frames to enhanced multi-frame objects and back (Supplement 157)."""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from dicomgate import errors
from dicomgate.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from dicomgate.multiframe.classic import Classic

_SOURCE = click.argument("source", metavar="SRC", type=click.Path(exists=True, path_type=Path))
_DESTINATION = click.argument(
    "destination", metavar="DST", required=False, type=click.Path(file_okay=False, path_type=Path)
)


@click.group()
def convert() -> None:
    """Convert series between one image per file and one object for all images (Supplement 157).

    For example,

    \b
    dicomgate convert enhanced ./scans ./enhanced
    dicomgate convert classic ./enhanced ./classic
    """  # noqa: D301 (the backspace is click's sign for lines to be kept)


@convert.command()
@_SOURCE
@_DESTINATION
@click.option("--explain", is_flag=True, help="only show what would share an object, and why; write nothing")
@click.option("--only-converted", is_flag=True, help="leave out what stays as it is")
@click.option("--drop-originals", is_flag=True, help="keep no record to restore the files from; objects get smaller")
@click.option("--salt", default="", help="a secret of yours that goes into all new UIDs")
def enhanced(  # noqa: PLR0917 - click's signature
    source: Path, destination: Path | None, explain: bool, only_converted: bool, drop_originals: bool, salt: str
) -> int:
    """Make one object of each stack of CT, MR or PET images in the folder SRC, below the folder DST.

    Whatever refers to the images is written with new references; all else is copied, so that DST holds all that SRC
    does. The same files always give the same bytes and UIDs. Exit code 3 when an image could not be converted or a
    file not be read, 4 when there is nothing to convert.

    For example,

    \b
    dicomgate convert enhanced --explain ./scans
    dicomgate convert enhanced ./scans ./enhanced
    """  # noqa: D301 (the backspace is click's sign for lines to be kept)
    from dicomgate.multiframe import conversion

    sources, troubles = _read(source)
    plan = conversion.plan(sources, salt=salt, keeps_originals=not drop_originals)
    if not plan.settled:
        raise errors.NotFound("no CT, MR or PET images with one frame")
    if explain:
        _show(plan.explain())
        return main.DONE
    writer = _Writer(_required(destination), troubles)
    for one in plan.products():
        if not only_converted or one.became is not conversion.Became.UNCHANGED:
            writer.add(_Product(one.study, one.series, one.instance, one.became.value, len(one.sources), one.write))
    writer.finish()
    for left in plan.failures:
        _tell(left.source.name, left.reason.value)
    return main.PARTLY if writer.troubles or plan.failures else main.DONE


@convert.command()
@_SOURCE
@_DESTINATION
@click.option("--explain", is_flag=True, help="only show what would become of each object; write nothing")
@click.option("--new-uids", is_flag=True, help="images of their own, not the original ones")
@click.option("--salt", default="", help="a secret of yours that goes into all new UIDs")
def classic(source: Path, destination: Path | None, explain: bool, new_uids: bool, salt: str) -> int:
    """Make one image of each frame of the enhanced CT, MR and PET objects in the folder SRC, below the folder DST.

    Objects that dicomgate made give back the very files they were made of, each proven by its digest. Converted objects
    of other makers give images with the UIDs of the originals, all others images with new ones. Exit code 3 when an
    object could not be taken apart or a file not be read, 4 when there is none.

    For example,

    \b
    dicomgate convert classic ./enhanced ./classic
    dicomgate convert classic --new-uids ./enhanced ./images
    """  # noqa: D301 (the backspace is click's sign for lines to be kept)
    from dicomgate.multiframe import classes

    sources, troubles = _read(source)
    objects = [one for one in sources if classes.find_enhanced(one.sop_class) is not None]
    if not objects:
        raise errors.NotFound("no CT, MR or PET objects with many frames")
    if explain:
        _show({"objects": [_outlook(one, new_uids=new_uids) for one in objects]})
        return main.DONE
    writer = _Writer(_required(destination), troubles)
    for group in _concatenations(objects):
        _split(writer, group, new_uids=new_uids, salt=salt)
    if not new_uids:
        _restore_others(writer, [one for one in sources if classes.find_enhanced(one.sop_class) is None])
    writer.finish()
    return main.PARTLY if writer.troubles else main.DONE


def _restore_others(writer: _Writer, others: Iterable[Classic]) -> None:
    """What got new references comes back as it was; what was made of overlays goes, for the images have them again."""
    from dicomgate.multiframe import conversion, restoring

    for one in others:
        try:
            if conversion.is_of_overlays(one):
                continue
            if restoring.can_restore(one):
                for image in _restored(one):
                    writer.add(image)
                continue
            copy = partial(conversion.copy, one)
            writer.add(_Product(one.text("0020000D"), one.series, one.instance, "unchanged", 1, copy))
        except errors.Fault as fault:
            writer.refuse(one.name, fault.message)


def _restored(one: Classic) -> Iterator[_Product]:
    from dicomgate.multiframe import restoring

    for file in restoring.restore(one):
        study = one.text("0020000D")
        yield _Product(study, file.series, file.instance, "restored", 1, partial(iter, file.chunks))


def _required(destination: Path | None) -> Path:
    if destination is None:
        raise click.UsageError("say where to write: dicomgate convert ... SRC DST, or --explain")
    return destination


# Reading.


def _read(source: Path) -> tuple[list[Classic], int]:
    """Every DICOM file of a folder, and how many could not be read; what is no DICOM is passed over."""
    from dicomgate.cli import output
    from dicomgate.client import offers
    from dicomgate.multiframe import classic as classics

    paths = [source] if source.is_file() else sorted(path for path in source.rglob("*") if path.is_file())
    found: list[Classic] = []
    pool = classics.Pool()
    troubles = 0
    with output.progress("Reading", len(paths)) as step:
        for path in paths:
            step()
            try:
                one = classics.read(classics.File(path), name=str(path), pool=pool)
            except (errors.Fault, OSError) as fault:
                seen = offers.read(path)
                if isinstance(seen, offers.Receipt) and seen.became is offers.Became.FOREIGN:
                    continue
                troubles += 1
                _tell(str(path), fault.message if isinstance(fault, errors.Fault) else fault.strerror or "unreadable")
                continue
            if one.sop_class:
                found.append(one)
    return found, troubles


def _concatenations(objects: Iterable[Classic]) -> list[list[Classic]]:
    found: dict[str, list[Classic]] = {}
    for one in objects:
        found.setdefault(one.text("00209161") or one.instance, []).append(one)
    return list(found.values())


# Taking apart.


def _split(writer: _Writer, group: list[Classic], *, new_uids: bool, salt: str) -> None:
    """The images of an object, or of the parts of one."""
    from dicomgate.multiframe import splitting

    try:
        parts = splitting.in_order(group)
    except errors.Fault as fault:
        for one in group:
            writer.refuse(one.name, fault.message)
        return
    for part, first in parts:
        try:
            for image in _images(part, first, new_uids=new_uids, salt=salt):
                writer.add(image)
        except errors.Fault as fault:
            writer.refuse(part.name, fault.message)


def _images(part: Classic, first: int, *, new_uids: bool, salt: str) -> Iterator[_Product]:
    from dicomgate.multiframe import restoring, splitting

    study = part.text("0020000D")
    if not new_uids and restoring.can_restore(part):
        yield from _restored(part)
        return
    naming = splitting.Naming.NEW if new_uids else splitting.Naming.SOURCES
    for image in splitting.split(part, naming, first=first, salt=salt):
        yield _Product(study, image.series, image.instance, "made anew", 1, partial(splitting.write, image))


def _outlook(one: Classic, *, new_uids: bool) -> dict[str, Any]:
    from dicomgate.multiframe import restoring, splitting

    facts: dict[str, Any] = {"file": one.name, "SOPInstanceUID": one.instance}
    try:
        facts["images"] = splitting.frame_count(one)
        restores = not new_uids and restoring.can_restore(one)
        facts["becomes"] = "the files it was made of" if restores else "images made anew"
    except errors.Fault as fault:
        facts["refused"] = fault.message
    return facts


# Writing and telling.


class _Product(NamedTuple):
    """One file to be written."""

    study: str
    series: str
    instance: str
    became: str
    sources: int
    write: Callable[[], Iterator[bytes]]


class _Writer:
    """Writes files below a folder and tells of each; counts what could not be written, or read before."""

    def __init__(self, folder: Path, troubles: int) -> None:
        self._folder = folder
        self._counts: Counter[str] = Counter()
        self.troubles = troubles

    def add(self, product: _Product) -> None:
        """Write a file. OSError when the disk does not take it."""
        from dicomgate.cli import output

        path = self._folder / product.study / product.series / f"{product.instance}.dcm"
        try:
            _write(path, product.write())
        except errors.Fault as fault:
            self.refuse(product.instance, fault.message)
            return
        self._counts[product.became] += 1
        if not output.is_terminal():
            facts = {"file": str(path), "became": product.became, "sources": product.sources}
            output.line({**facts, "SOPInstanceUID": product.instance})

    def refuse(self, name: str, why: str) -> None:
        """Something that could not be written."""
        self.troubles += 1
        _tell(name, why)

    def finish(self) -> None:
        """Say how much was written."""
        from dicomgate.cli import output

        told = [f"{count:,} {became}" for became, count in self._counts.items()]
        output.message(", ".join(told) or "nothing written")


def _write(path: Path, chunks: Iterable[bytes]) -> None:
    """A file that is whole or not there."""
    from dicomgate.dicom import uids

    for name in (path.parent.parent.name, path.parent.name, path.stem):
        uids.parse_uid(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_suffix(".part")
    try:
        with aside.open("wb") as file:
            for chunk in chunks:
                file.write(chunk)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def _tell(name: str, why: str) -> None:
    from dicomgate.cli import output

    output.message(f"{name}: {why}")


def _show(facts: dict[str, Any]) -> None:
    from dicomgate.cli import output

    for one in facts["objects"]:
        output.line(one)
    for one in facts.get("leftovers", ()):
        output.line(one)
