"""`dicomgate get`: studies, series and instances as files in a folder, resumable (PS3.18 §10.4)."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dicomgate.cli import completion, main, options

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dicomgate.cli.telling import Teller
    from dicomgate.client.getting import Failure, Outcome

REPORT = "dicomgate-report.jsonl"


@click.command()
@click.argument("where", shell_complete=completion.complete_where)
@click.argument("what", nargs=-1, metavar="[LEVEL] [KEYWORD=VALUE]...", shell_complete=completion.complete_what)
@click.option(
    "--out", type=options.NEW_FOLDER, required=True, help="the folder to fill, which is made if it is missing"
)
@click.option("--jobs", default=4, type=click.IntRange(1, 64), show_default=True, help="series at a time")
@click.option(
    "--as",
    "form",
    default="files",
    type=click.Choice(["files", "zip", "metadata"]),
    show_default=True,
    help="a file for each instance, a ZIP file for each series, or DICOM JSON for each series without pixels",
)
@click.option(
    "--transfer-syntax", default="*", metavar="UID", help="have it in this transfer syntax; * as it is stored  [*]"
)
@options.running
@options.calling
@options.reading
def get(
    where: str,
    what: tuple[str, ...],
    *,
    out: Path,
    jobs: int,
    form: str,
    transfer_syntax: str,
    progress: str,
    dry_run: bool,
    token_file: Path | None,
    config_file: Path | None,
) -> int:
    """Get what matches in WHERE (a folder, an address, a remote's name) as files STUDY/SERIES/INSTANCE.dcm.

    Everything is written aside, checked and then renamed: stop it whenever you like, and run it again. What is
    complete is not asked for again. What could not be had stands in dicomgate-report.jsonl, with the reason; then the
    exit code is 3.

    For example,

    \b
    dicomgate get pacs series Modality=CT StudyDate=2024- --out ct --jobs 8
    dicomgate get pacs PatientID=4711 --out 4711 --as zip
    dicomgate get ./scans instances SOPInstanceUID=1.2.3 --out one --transfer-syntax 1.2.840.10008.1.2.1
    """  # noqa: D301 (the backspace is click's sign for lines to be kept)
    from dicomgate.cli import asking, places
    from dicomgate.cli.telling import Teller
    from dicomgate.client import getting, landing

    asked = asking.parse(what)
    settings = options.settings(config_file)
    wish = getting.Wish(form=form, transfer_syntax=places.parse_syntax(transfer_syntax), only_looks=dry_run)
    teller = Teller(is_json=progress == "json")
    into = landing.LandingPlace(out, settings.limits.bounds())
    stopped = threading.Event()
    with places.opened(where, settings, token_file, teller.warn) as source:
        wanted = list(getting.plan(source, asked))
        if not wanted:
            return end(teller, main.NOTHING)
        getter = getting.Getter(source=source, into=into, wish=wish, tell=teller.add_bytes, stopped=stopped)
        with teller.shown("Looking" if dry_run else "Getting", len(wanted)):
            if dry_run:
                return end(
                    teller,
                    follow(
                        getting.run(wanted, getter.get, side_by_side=jobs, stopped=stopped), teller, None, only=True
                    ),
                )
            out.mkdir(parents=True, exist_ok=True)
            with into.held():
                outcomes = getting.run(wanted, getter.get, side_by_side=jobs, stopped=stopped)
                return end(teller, follow(outcomes, teller, out / REPORT, only=False))


def end(teller: Teller, code: int) -> int:
    """Tell that all is done; the exit code itself."""
    from dicomgate.cli import output

    if code == main.NOTHING and not teller.is_json:
        output.message("nothing matches")
    teller.end(code)
    return code


def follow(outcomes: Iterable[Outcome], teller: Teller, report: Path | None, *, only: bool) -> int:
    """Tell of each series as it is done, and of all; the exit code."""
    from dicomgate.cli import output

    failed: list[Outcome] = []
    try:
        for outcome in outcomes:
            facts = {"StudyInstanceUID": outcome.series.study, "SeriesInstanceUID": outcome.series.series}
            counts = {"there": outcome.there, "fetched": outcome.fetched, "failed": len(outcome.failures)}
            teller.add_series(facts, **counts)
            if not output.is_terminal():
                output.line({**facts, **counts})
            if outcome.failures:
                failed.append(outcome)
    finally:
        if report is not None:
            _write_report(report, failed)
    if not teller.is_json:
        _tell_all(teller, failed, report, only=only)
    return main.PARTLY if failed else main.DONE


def _write_report(path: Path, failed: list[Outcome]) -> None:
    """A line for each thing that could not be had; no report where all could."""
    if not failed:
        path.unlink(missing_ok=True)
        return
    lines = [_describe(failure) for outcome in failed for failure in outcome.failures]
    aside = path.with_name(f".{path.name}")
    aside.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    aside.replace(path)


def _describe(failure: Failure) -> str:
    target = failure.target
    facts = {
        "StudyInstanceUID": target.study,
        "SeriesInstanceUID": target.series,
        "SOPInstanceUID": target.instance,
        "why": failure.why,
    }
    return json.dumps({name: value for name, value in facts.items() if value is not None}, ensure_ascii=False)


def _tell_all(teller: Teller, failed: list[Outcome], report: Path | None, *, only: bool) -> None:
    from dicomgate.cli import output
    from dicomgate.cli.telling import format_bytes

    whole = output.count(teller.series - len(failed), "series is", "series are")
    if only:
        output.message(
            f"{output.count(teller.series, 'series', 'series')}: {teller.there:,} there, {teller.instances:,} to get"
        )
        return
    size = f", {format_bytes(teller.bytes)} in {teller.seconds:.0f} s" if teller.bytes else ""
    output.message(f"{whole} complete: {teller.there:,} there before, {teller.instances:,} new{size}")
    if failed:
        output.message(f"{output.count(len(failed), 'series is', 'series are')} incomplete: {report}")
