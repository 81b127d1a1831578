"""`dicomgate convert`: series of single frames to enhanced multi-frame objects and back (Supplement 157)."""

from __future__ import annotations

import functools
import itertools
import tempfile
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from dicomgate.cli import completion, main, options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from dicomgate.cli.convert_sources import Looked, Sources
    from dicomgate.cli.converting import Converted, Report, Teller, Writer
    from dicomgate.cli.syncing import Destination
    from dicomgate.config import Settings
    from dicomgate.multiframe.classic import Classic

_AHEAD: Final = 4
_SIDE_BY_SIDE: Final = 4


@click.group()
def convert() -> None:
    """Convert series between one image per file and one object for all images (Supplement 157).

    For example,

    \b
    dicomgate convert enhanced ./scans ./enhanced
    dicomgate convert classic ./enhanced ./classic
    dicomgate convert frames ./enhanced ./few --frames 1-10
    """  # noqa: D301 (the backspace is click's sign for lines to be kept)


def _shared(command: Callable[..., int]) -> Callable[..., int]:
    """What both ways take."""
    for decorate in (
        options.reading,
        click.option("--token-file", type=options.FILE, help="a file with a bearer token for DST"),
        click.option("--source-token-file", type=options.FILE, help="a file with a bearer token for SRC"),
        click.option(
            "--progress",
            type=click.Choice(["bar", "json"]),
            default="bar",
            help="tell a program of it: JSON Lines on standard error",
        ),
        click.option("--report", type=options.FILE, help="write what was left over to this file, as JSON Lines"),
        click.option("--again", is_flag=True, help="make everything anew, also what DST has"),
        click.option("--salt", default="", help="a secret of yours that goes into all new UIDs"),
        click.option("--explain", is_flag=True, help="only show what would become of what, and why; write nothing"),
        click.argument("words", nargs=-1, metavar="[DST] [KEYWORD=VALUE]...", shell_complete=completion.complete_where),
        click.argument("source", metavar="SRC", shell_complete=completion.complete_where),
    ):
        command = decorate(command)
    return command


@convert.command()
@_shared
@click.option("--only-converted", is_flag=True, help="leave out what stays as it is")
@click.option("--picture", type=options.FILE, help="with --explain: also draw it, as SVG, into this file")
@click.option("--drop-originals", is_flag=True, help="keep no record to restore the files from; objects get smaller")
def enhanced(*, only_converted: bool, drop_originals: bool, picture: Path | None, **said: Any) -> int:
    """Make one object of each stack of CT, MR or PET images in SRC, and bring it to DST.

    SRC is a folder of files, a data folder, an address or a remote's name; DST any of these, too. KEYWORD=VALUE says
    which of SRC are meant. Whatever refers to the images is written with new references; all else is copied, so that
    DST holds all that SRC does. The same files always give the same bytes and UIDs, so it may be run as often as you
    like: what DST has is not made again. What could not be converted stands in DST/dicomgate-report.jsonl; then the
    exit code is 3. It is 4 when there is nothing to convert.

    For example,

    \b
    dicomgate convert enhanced --explain ./scans
    dicomgate convert enhanced ./scans ./enhanced
    dicomgate convert enhanced pacs ./archive StudyDate=2024- Modality=CT
    """  # noqa: D301 (the backspace is click's sign for lines to be kept)
    from dicomgate.multiframe import conversion
    from dicomgate.multiframe.picture import Drawing

    run = _Run(**said)
    if picture is not None and not run.explain:
        raise click.UsageError("--picture draws what --explain tells: say both")
    settled, drawing = 0, Drawing()

    def convert_patient(sources: list[Classic], writer: Writer, report: Report) -> None:
        nonlocal settled
        plan = conversion.plan(sources, salt=run.salt, keeps_originals=not drop_originals, ahead=_AHEAD, joins=True)
        settled += len(plan.settled) + len(plan.joining.joined)
        for product in plan.products():
            if not only_converted or product.became is not conversion.Became.UNCHANGED:
                writer.add(_converted(product))
        for source, reason in plan.failures:
            report.add(source.name, reason.value)

    def explain_patient(sources: list[Classic]) -> dict[str, Any]:
        nonlocal settled
        plan = conversion.plan(sources, salt=run.salt, joins=True)
        settled += len(plan.settled) + len(plan.joining.joined)
        drawing.add(plan)
        return plan.explain()

    code = run.explain_all(explain_patient) if run.explain else run.convert_all(convert_patient)
    if picture is not None:
        picture.write_text(drawing.svg(), "utf-8")
    if not settled and code != main.PARTLY:
        return run.end_with_nothing("no CT, MR or PET images with one frame")
    return code


def _converted(product: Any) -> Converted:
    from dicomgate.cli.converting import Converted
    from dicomgate.multiframe.conversion import Became
    from dicomgate.multiframe.gather import Reason

    return Converted(
        study=product.study,
        series=product.series,
        instance=product.instance,
        became=product.became.value,
        sources=len(product.sources),
        write=product.write,
        name=product.sources[0].name,
        why=product.reason.value if product.reason not in {None, Reason.CLASS} else "",
        is_fixed=product.became in {Became.ENHANCED, Became.UNCHANGED},
    )


@convert.command()
@_shared
@click.option("--new-uids", is_flag=True, help="images of their own, not the original ones")
def classic(*, new_uids: bool, **said: Any) -> int:
    """Make one image of each frame of the enhanced CT, MR and PET objects in SRC, and bring it to DST.

    SRC is a folder of files, a data folder, an address or a remote's name; DST any of these, too. KEYWORD=VALUE says
    which of SRC are meant. Objects that dicomgate made give back the very files they were made of, each proven by its
    digest. Converted objects of other makers give images with the UIDs of the originals where they name these, all
    others images with new ones. What could not be taken apart stands in DST/dicomgate-report.jsonl; then the exit code
    is 3. It is 4 when there is nothing to take apart.

    For example,

    \b
    dicomgate convert classic ./enhanced ./classic
    dicomgate convert classic --new-uids ./enhanced ./images
    """  # noqa: D301 (the backspace is click's sign for lines to be kept)
    from dicomgate.cli import taking_apart
    from dicomgate.multiframe import classes

    run = _Run(**said)
    count = 0

    def objects(sources: Iterable[Classic]) -> list[Classic]:
        nonlocal count
        found = [one for one in sources if classes.find_enhanced(one.sop_class) is not None]
        count += len(found)
        return found

    def convert_patient(sources: list[Classic], writer: Writer, report: Report) -> None:
        found = objects(sources)
        names = {one.name for one in found}
        others = [one for one in sources if one.name not in names]
        taking_apart.take_apart(found, others, writer, report, new_uids=new_uids, salt=run.salt)

    def explain_patient(sources: list[Classic]) -> dict[str, Any]:
        return {"objects": taking_apart.explain(objects(sources), new_uids=new_uids)}

    code = run.explain_all(explain_patient) if run.explain else run.convert_all(convert_patient)
    if not count and code != main.PARTLY:
        return run.end_with_nothing("no CT, MR or PET objects with many frames")
    return code


@convert.command()
@_shared
@click.option("--frames", "wanted", required=True, metavar="LIST", help="which, from 1: 1-10,25")
def frames(*, wanted: str, **said: Any) -> int:
    """Make of each enhanced CT, MR and PET object in SRC one with some of its frames, and bring it to DST.

    SRC is a folder of files, a data folder, an address or a remote's name; DST any of these, too. KEYWORD=VALUE says
    which of SRC are meant. The new object is of the same class and series, and says which frames of which object it
    has; the same frames always give the same UID. Frames are copied as they are. What has no such frames stands in
    DST/dicomgate-report.jsonl; then the exit code is 3. It is 4 when there is no such object.

    For example,

    \b
    dicomgate convert frames ./enhanced ./few --frames 100-120
    dicomgate convert frames pacs ./few SeriesInstanceUID=1.2.3 --frames 1-10,25
    """  # noqa: D301 (the backspace is click's sign for lines to be kept)
    from dicomgate import errors
    from dicomgate.cli.converting import Converted
    from dicomgate.multiframe import classes, extracting

    numbers, run, count = _parse_frames(wanted), _Run(**said), 0

    def extract(one: Classic) -> Any:
        nonlocal count
        count += 1
        return extracting.extract(one, numbers, salt=run.salt)

    def convert_patient(sources: list[Classic], writer: Writer, report: Report) -> None:
        for one in sources:
            if classes.find_enhanced(one.sop_class) is None:
                continue
            try:
                made = extract(one)
                write = functools.partial(extracting.write, made)
                study = one.text("0020000D")
                writer.add(Converted(study, one.series, made.instance, "extracted", 1, write, one.name))
            except errors.Fault as fault:
                report.add(one.name, fault.message)

    def explain_patient(sources: list[Classic]) -> dict[str, Any]:
        objects = [one for one in sources if classes.find_enhanced(one.sop_class) is not None]
        return {"objects": [_extract_outlook(one, extract) for one in objects]}

    code = run.explain_all(explain_patient) if run.explain else run.convert_all(convert_patient)
    if not count and code != main.PARTLY:
        return run.end_with_nothing("no CT, MR or PET objects with many frames")
    return code


def _extract_outlook(one: Classic, extract: Callable[[Classic], Any]) -> dict[str, Any]:
    from dicomgate import errors

    facts: dict[str, Any] = {"file": one.name, "SOPInstanceUID": one.instance, "images": None, "becomes": ""}
    try:
        made = extract(one)
        facts |= {"images": len(made.frames), "becomes": f"an object with {len(made.frames)} frames"}
    except errors.Fault as fault:
        facts["becomes"] = f"refused: {fault.message}"
    return facts


def _parse_frames(text: str) -> list[int]:
    """`1-10,25`. Usage error for anything else, or numbers that do not rise."""
    found: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not (first.isdecimal() and (last.isdecimal() if dash else True)) or max(len(first), len(last)) > 6:
            raise click.UsageError("--frames: expected numbers and ranges of them, as 1-10,25")
        found += range(int(first), int(last or first) + 1)
    if not found or any(after <= before for before, after in zip((0, *found), found, strict=False)):
        raise click.UsageError("--frames: expected numbers from 1, each greater than the one before")
    return found


class _Run:
    """One run of either way: where from, where to, and what is told."""

    def __init__(
        self,
        *,
        source: str,
        words: tuple[str, ...],
        explain: bool,
        salt: str,
        again: bool,
        report: Path | None,
        progress: str,
        source_token_file: Path | None,
        token_file: Path | None,
        config_file: Path | None,
    ) -> None:
        from dicomgate.cli import asking
        from dicomgate.cli.converting import Teller

        self.source, self.explain, self.salt, self.again, self.report = source, explain, salt, again, report
        has_destination = bool(words) and "=" not in words[0] and words[0] not in asking.LEVELS
        self.destination = words[0] if has_destination else None
        self.what = words[1:] if has_destination else words
        self.tokens = source_token_file, token_file
        self.settings: Settings = options.settings(config_file)
        self.teller: Teller = Teller(is_json=progress == "json")
        if self.destination is None and not explain:
            raise click.UsageError("say where to write: dicomgate convert ... SRC DST, or --explain")

    def explain_all(self, explain: Callable[[list[Classic]], dict[str, Any]]) -> int:
        """Show what would become of each patient's instances."""
        from dicomgate.cli.converting import Report

        with ExitStack() as stack:
            report = Report(self.report, self.teller)
            sources = self._sources(stack)
            for one in self._patients(sources, report):
                _show(explain(one))
            report.finish()
            return main.DONE if report.is_empty else main.PARTLY

    def convert_all(self, convert: Callable[[list[Classic], Writer, Report], None]) -> int:
        """Convert each patient's instances; the exit code."""
        from dicomgate.cli.converting import REPORT, Report, Writer

        assert self.destination is not None, "it was asked for"
        _refuse_same(self.source, self.destination)
        with ExitStack() as stack:
            sources = self._sources(stack)
            to = self._open_destination(stack)
            is_folder = to.keep is None
            path = self.report or (to.staged.folder / REPORT if is_folder else None)
            report = Report(path, self.teller)
            writer = Writer(to, self.teller, report, again=self.again)
            to.staged.folder.mkdir(parents=True, exist_ok=True)
            with to.staged.held():
                for one in self._patients(sources, report):
                    with self.teller.shown("Writing", len(one)):
                        convert(one, writer, report)
                        writer.flush()
            report.finish()
            writer.finish()
            code = main.DONE if report.is_empty else main.PARTLY
            self.teller.end(code)
            return code

    def end_with_nothing(self, why: str) -> int:
        """Say that there was nothing to do."""
        from dicomgate.cli import output

        if not self.teller.is_json:
            output.message(why)
        return main.NOTHING

    def _patients(self, sources: Sources, report: Report) -> Iterator[list[Classic]]:
        from dicomgate.cli.convert_sources import Looked

        looked = Looked(self.teller.add_read)
        patients = sources.patients(looked)
        for turn in itertools.count():
            is_told = turn == 0 or not self.teller.is_json
            with self.teller.shown("Reading", sources.count()) if is_told else nullcontext():
                found = next(patients, None)
            _tell(looked, report)
            if found is None:
                return
            yield found

    def _sources(self, stack: ExitStack) -> Sources:
        """A folder of files as it lies, unless only some of it are meant; all else as a place that is searched."""
        from dicomgate import assembly
        from dicomgate.cli import asking, convert_sources, places
        from dicomgate.client import landing

        path = Path(self.source)
        remote = places.find_remote(self.source, self.settings, self.tokens[0])
        if remote is None and (path.is_file() or (path.is_dir() and not assembly.is_archive(path) and not self.what)):
            return convert_sources.Files(path)
        asked = asking.parse(self.what)
        limits = self.settings.limits.bounds()
        place = stack.enter_context(places.opened(self.source, self.settings, self.tokens[0]))
        if self.explain:
            return convert_sources.Described(place, asked, limits)
        here = convert_sources.of_place(place, asked, limits)
        if here is not None:
            return here
        aside = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dicomgate-convert-")))
        staged = landing.LandingPlace(aside, limits)
        stack.enter_context(staged.held())
        return convert_sources.Fetched(place, asked, limits, staged, _SIDE_BY_SIDE, self.teller.add_bytes)

    def _open_destination(self, stack: ExitStack) -> Destination:
        from dicomgate import assembly
        from dicomgate.cli import places, syncing
        from dicomgate.client import landing

        assert self.destination is not None, "it was asked for"
        limits = self.settings.limits.bounds()
        remote = places.find_remote(self.destination, self.settings, self.tokens[1])
        folder = Path(self.destination)
        if remote is None and not assembly.is_archive(folder):
            return syncing.folder(landing.LandingPlace(folder, limits), None)
        aside = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dicomgate-convert-")))
        staged = landing.LandingPlace(aside, limits)
        if remote is not None:
            caller = stack.enter_context(places.calling(remote))
            return syncing.server(caller, places.Remote(caller), staged, side_by_side=_SIDE_BY_SIDE)
        return syncing.archive(stack.enter_context(assembly.open_archive(folder, self.settings, create=False)), staged)


def _refuse_same(source: str, destination: str) -> None:
    here, there = Path(source), Path(destination)
    is_inside = here.is_dir() and there.resolve().is_relative_to(here.resolve())
    if source == destination or is_inside:
        raise click.UsageError("DST is SRC, or lies in it: the next run would convert what this one makes")


def _tell(looked: Looked, report: Report) -> None:
    for name, why in looked.troubles:
        report.add(name, why)
    looked.troubles.clear()


_COLUMNS: Final = ("becomes", "frames", "positions", "times", "spacing", "apart by", "irregularities")


def _show(facts: dict[str, Any]) -> None:
    """A table for a person, JSON Lines for a program."""
    from dicomgate.cli import output

    objects, leftovers = facts["objects"], facts.get("leftovers", ())
    if not output.is_terminal():
        for one in (*objects, *leftovers):
            output.line(one)
        return
    if objects and "frames" in objects[0]:
        output.table([column.upper() for column in _COLUMNS], [_row(one) for one in objects])
    elif objects:
        output.records(objects)
    for one in leftovers:
        output.message(output.plain(f"{one['name']}: {one['becomes']}: {one['reason']}"))


def _row(one: dict[str, Any]) -> list[str]:
    apart = "; ".join(f"{name} {value}" for name, value in one["apart_by"].items())
    spacing = "" if one["spacing"] is None else f"{one['spacing']:g} mm"
    counts = [str(one[name]) for name in ("frames", "positions", "times")]
    return [one["becomes"], *counts, spacing, apart, "; ".join(one["irregularities"])]
