"""`dicomgate store TARGET FILES…`: files and folders into a data folder or onto a DICOMweb server."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dicomgate.cli import completion, main, options

if TYPE_CHECKING:
    from dicomgate.cli.receipts import Receipts
    from dicomgate.client.caller import Caller
    from dicomgate.client.ledger import Ledger
    from dicomgate.client.offers import Offer, Receipt
    from dicomgate.config import Remote, Settings


@click.command()
@click.argument("target", shell_complete=completion.complete_where)
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--jobs", default=4, type=click.IntRange(1, 64), show_default=True, help="requests at a time, to a server"
)
@click.option("--again", is_flag=True, help="send everything, also what the server is known to have")
@options.running
@options.calling
@options.reading
def store(
    target: str,
    files: tuple[Path, ...],
    *,
    jobs: int,
    again: bool,
    progress: str,
    dry_run: bool,
    token_file: Path | None,
    config_file: Path | None,
) -> int:
    """Store FILES, and all below folders, in TARGET: a data folder, a server's address, or a remote's name.

    On a terminal the outcome is a table, in a pipe one JSON line for each file. Run it again after it was
    stopped: what is stored already is not sent again. Exit code 3 when some files could not be stored, 4 when there
    was nothing to store.

    For example,

    \b
    dicomgate store ./archive ./scans
    dicomgate store https://pacs.example.org/dicomweb ./scans more.dcm --jobs 8
    """  # noqa: D301 (the backspace is click's sign for lines to be kept)
    from dicomgate.cli import places
    from dicomgate.cli.receipts import Receipts, Teller
    from dicomgate.client import offers

    settings = options.settings(config_file)
    paths = list(offers.walk(files))
    receipts = Receipts(is_silent=dry_run)
    remote = places.find_remote(target, settings, token_file)
    settled: Generator[Receipt, None, None]
    if dry_run:
        settled = _look(remote, paths, again=again)
    elif remote is not None:
        settled = _to_server(remote, paths, jobs=jobs, again=again)
    else:
        settled = _to_folder(Path(target), paths, settings)
    teller = Teller(is_json=progress == "json")
    try:
        with teller.shown("Storing", len(paths)), contextlib.closing(settled):
            for receipt in settled:
                receipts.add(receipt)
                teller.add(receipt)
    finally:
        if not teller.is_json:
            receipts.finish()
    code = _exit_code(receipts)
    teller.end(receipts, code)
    return code


def _look(remote: Remote | None, paths: list[Path], *, again: bool) -> Generator[Receipt, None, None]:
    """What each file is, and whether the server is known to have it; nothing is sent."""
    from dicomgate.cli import places
    from dicomgate.client import ledger, offers
    from dicomgate.client.offers import Became, Receipt

    with contextlib.ExitStack() as stack:
        known = None
        if remote is not None and not again:
            caller = stack.enter_context(places.calling(remote))
            known = stack.enter_context(ledger.Ledger(caller, ledger.directory()))
        for path in paths:
            found = (known.find(path) if known else None) or offers.read(path)
            if isinstance(found, Receipt):
                yield found
            else:
                yield Receipt(path=path, became=Became.OFFERED, target=found.target, size=found.size)


def _exit_code(receipts: Receipts) -> int:
    if any(became.is_failure for became in receipts.counts):
        return main.PARTLY
    is_something = any(not became.is_failure and became.value != "foreign" for became in receipts.counts)
    return main.DONE if is_something else main.NOTHING


def _to_folder(data: Path, paths: list[Path], settings: Settings) -> Generator[Receipt, None, None]:
    from dicomgate import assembly
    from dicomgate.cli import local

    with assembly.open_archive(data, settings) as archive, contextlib.closing(local.keep_all(archive, paths)) as kept:
        yield from kept


def _to_server(remote: Remote, paths: list[Path], *, jobs: int, again: bool) -> Generator[Receipt, None, None]:
    from dicomgate.cli import places
    from dicomgate.client import ledger

    with places.calling(remote) as caller, ledger.Ledger(caller, ledger.directory()) as known:
        yield from _send(caller, None if again else known, known, paths, jobs)


def _send(
    caller: Caller, known: Ledger | None, notes: Ledger, paths: Iterable[Path], jobs: int
) -> Generator[Receipt, None, None]:
    """Receipts of files that make no offer come with those of files that were sent, as the files come."""
    from dicomgate.client import store
    from dicomgate.client.offers import Became, Receipt, read

    aside: list[Receipt] = []

    def offered() -> Iterator[Offer]:
        for path in paths:
            found = (known.find(path) if known else None) or read(path)
            if isinstance(found, Receipt):
                aside.append(found)
            else:
                yield found

    with contextlib.closing(store.store(caller, offered(), store.Pace(requests=jobs))) as sent:
        for receipt in sent:
            if receipt.became is Became.STORED:
                notes.note(receipt)
            yield receipt
            while aside:
                yield aside.pop()
    yield from aside
