"""`dicomgate sync`: what a folder, data folder or server has goes to another one that lacks it."""

from __future__ import annotations

import dataclasses
import sys
import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from dicomgate.cli import completion, main, options

if TYPE_CHECKING:
    from dicomgate.cli.asking import Asked
    from dicomgate.cli.places import Place
    from dicomgate.cli.syncing import Destination
    from dicomgate.cli.telling import Teller
    from dicomgate.client.getting import Getter
    from dicomgate.config import Settings
    from dicomgate.dicom.uids import Target

_SHOWN: Final = 20


@click.command()
@click.argument("source", metavar="SRC", shell_complete=completion.complete_where)
@click.argument("destination", metavar="DST", shell_complete=completion.complete_where)
@click.argument("what", nargs=-1, metavar="[LEVEL] [KEYWORD=VALUE]...", shell_complete=completion.complete_what)
@click.option("--jobs", default=4, type=click.IntRange(1, 64), show_default=True, help="series at a time")
@click.option(
    "--compare",
    default="uids",
    type=click.Choice(["uids", "metadata"]),
    show_default=True,
    help="what is there counts as the same by its UID, or only if its metadata is the same too",
)
@click.option("--delete", is_flag=True, help="remove from DST what SRC does not have, of the studies that match; asks")
@click.option("--yes", is_flag=True, help="do not ask")
@options.running
@click.option("--source-token-file", type=options.FILE, help="a file with a bearer token for SRC")
@click.option("--token-file", type=options.FILE, help="a file with a bearer token for DST")
@options.reading
def sync(
    source: str,
    destination: str,
    what: tuple[str, ...],
    *,
    jobs: int,
    compare: str,
    delete: bool,
    yes: bool,
    progress: str,
    dry_run: bool,
    source_token_file: Path | None,
    token_file: Path | None,
    config_file: Path | None,
) -> int:
    """Bring what SRC has and DST lacks to DST; each is a folder, a data folder, an address or a remote's name.

    Only what is missing travels, so that it may be run as often as you like; with --compare metadata also what is
    different, which DST takes as its own rules say. A DST that does not exist becomes a folder of files
    STUDY/SERIES/INSTANCE.dcm. Nothing is ever removed unless --delete says so. Exit code 3 when something could not be
    brought.

    For example,

    \b
    dicomgate sync ./scans https://pacs.example.org/dicomweb
    dicomgate sync pacs ./archive StudyDate=2024- --jobs 8
    dicomgate sync pacs ./copy --compare metadata --dry-run
    """  # noqa: D301 (the backspace is click's sign for lines to be kept)
    from dicomgate.cli import asking, get, places
    from dicomgate.cli.telling import Teller
    from dicomgate.client import getting

    asked = asking.parse(what)
    settings = options.settings(config_file)
    _refuse_same(source, destination)
    teller = Teller(is_json=progress == "json")
    stopped = threading.Event()
    with ExitStack() as stack:
        here = stack.enter_context(places.opened(source, settings, source_token_file, teller.warn))
        wanted = list(getting.plan(here, asked))
        if not wanted:
            return get.end(teller, main.NOTHING)
        there = _open(destination, settings, stack, jobs=jobs, deletes=delete, token_file=token_file)
        getter = _getter(here, there, compare, teller, stopped, only_looks=dry_run)
        with teller.shown("Looking" if dry_run else "Copying", len(wanted)):
            if not dry_run:
                there.staged.folder.mkdir(parents=True, exist_ok=True)
                stack.enter_context(there.staged.held())
            outcomes = getting.run(wanted, getter.get, side_by_side=jobs, stopped=stopped)
            code = get.follow(outcomes, teller, None, only=dry_run)
        if delete and code == main.DONE:
            code = _delete(here, there, asked, dry_run=dry_run, yes=yes)
        return get.end(teller, code)


def _refuse_same(source: str, destination: str) -> None:
    if source == destination or (
        Path(source).exists() and Path(destination).exists() and Path(source).samefile(destination)
    ):
        raise click.UsageError("SRC and DST are the same place")


def _getter(
    here: Place, there: Destination, compare: str, teller: Teller, stopped: threading.Event, *, only_looks: bool
) -> Getter:
    from dicomgate.cli import syncing
    from dicomgate.client import getting

    def known(series: Target, expected: set[str]) -> set[str]:
        both = there.instances(series) & expected
        if compare == "metadata" and there.there is not None:
            return both - syncing.differing(here, there.there, series, both)
        return both

    return getting.Getter(
        source=here,
        into=there.staged,
        wish=getting.Wish(only_looks=only_looks),
        tell=teller.add_bytes,
        stopped=stopped,
        known=known,
        pass_on=there.pass_on,
    )


def _open(
    where: str, settings: Settings, stack: ExitStack, *, jobs: int, deletes: bool, token_file: Path | None
) -> Destination:
    from dicomgate import assembly
    from dicomgate.cli import places, syncing
    from dicomgate.client import landing

    limits = settings.limits.bounds()
    remote = places.find_remote(where, settings, token_file)
    folder = Path(where)
    if remote is None and not assembly.is_archive(folder):
        there = stack.enter_context(places.opened(where, settings)) if folder.is_dir() else None
        return syncing.folder(landing.LandingPlace(folder, limits), there)
    aside = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dicomgate-sync-")))
    staged = landing.LandingPlace(aside, limits)
    if remote is not None:
        caller = stack.enter_context(places.calling(remote))
        return syncing.server(caller, places.Remote(caller), staged, side_by_side=jobs)
    if deletes:
        store = dataclasses.replace(settings.store, allow_delete=True)
        settings = dataclasses.replace(settings, store=store)
    opened = stack.enter_context(assembly.open_archive(folder, settings, create=False))
    return syncing.archive(opened, staged)


def _delete(here: Place, there: Destination, asked: Asked, *, dry_run: bool, yes: bool) -> int:
    """What DST has of these studies and SRC does not, removed after somebody has said that this is meant."""
    from dicomgate import errors
    from dicomgate.cli import output, syncing
    from dicomgate.client import getting

    if there.there is None:
        return main.DONE
    surplus = list(syncing.surplus(here, there.there, getting.plan(there.there, asked)))
    if not surplus:
        return main.DONE
    text = output.count(len(surplus), "instance", "instances")
    if dry_run:
        output.message(f"{text} of DST would be removed")
        return main.DONE
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError(f"nobody to ask: say --yes to remove {text} of DST")
        click.confirm(f"Remove {text} of DST that SRC does not have?", abort=True, err=True)
    failed = 0
    for target in surplus:
        try:
            there.delete(target)
        except errors.NotAllowed as fault:
            failed += 1
            if failed <= _SHOWN:
                output.message(f"{target.instance}: {fault.message}")
    output.message(f"{output.count(len(surplus) - failed, 'instance', 'instances')} of DST removed")
    return main.PARTLY if failed else main.DONE
