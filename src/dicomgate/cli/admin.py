"""`dicomgate admin`: look after a data folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dicomgate.cli import main, options
from dicomgate.cli.admin_correct import correct
from dicomgate.cli.admin_index import index

if TYPE_CHECKING:
    from dicomgate.archive.verify import Damage


@click.group()
def admin() -> None:
    """Look after a data folder: verify, reindex, problems, index, correct.

    For example,

    \b
    dicomgate admin verify ./archive
    dicomgate admin correct ./archive PatientID=4711 --set PatientName=Doe^Jane
    """  # noqa: D301 (the backspace is click's sign for lines to be kept)


admin.add_command(index)
admin.add_command(correct)


@admin.command()
@click.argument("data", type=options.FOLDER)
@options.reading
def verify(data: Path, config_file: Path | None) -> int:
    """Read every stored file of DATA and compare it with what was stored.

    May run beside a server. Exit code 3 when something is damaged.

    For example,

    \b
    dicomgate admin verify ./archive
    """  # noqa: D301 (the backspace is click's sign for lines to be kept)
    from dicomgate import assembly

    with assembly.open_archive(data, options.settings(config_file), create=False) as archive:
        return _show("Verifying", archive.counts().all_bytes, archive.verify, "every stored file is as it was stored")


@admin.command()
@click.argument("data", type=options.FOLDER)
@options.reading
def reindex(data: Path, config_file: Path | None) -> int:
    """Build the index of DATA again from the stored files alone.

    Servers on this folder must be stopped. Exit code 3 when a file could not be indexed.

    For example,

    \b
    dicomgate admin reindex ./archive
    """  # noqa: D301 (the backspace is click's sign for lines to be kept)
    from dicomgate import assembly

    settings = options.settings(config_file)
    return _show(
        "Indexing",
        None,
        lambda step: assembly.rebuild(data, settings, step),
        "the index is built from every stored file",
    )


@admin.command()
@click.argument("data", type=options.FOLDER)
@options.reading
def problems(data: Path, config_file: Path | None) -> int:
    """List what was refused because it contradicts what is stored in DATA; copies lie in DATA/aside.

    For example,

    \b
    dicomgate admin problems ./archive
    """  # noqa: D301 (the backspace is click's sign for lines to be kept)
    from dicomgate import assembly
    from dicomgate.cli import output

    with assembly.open_archive(data, options.settings(config_file), create=False) as archive:
        notes = list(archive.notes())
    if output.is_terminal() and notes:
        output.table(list(notes[0]), ([str(value) for value in note.values()] for note in notes))
    elif not output.is_terminal():
        for note in notes:
            output.line(note)
    output.message(f"{len(notes):,} refused and kept aside")
    return main.DONE


@admin.command()
@click.argument("directory", type=options.NEW_FOLDER)
def man(directory: Path) -> int:
    """Write the manual pages of every verb into DIRECTORY.

    For example,

    \b
    dicomgate admin man ~/.local/share/man/man1
    man dicomgate-serve
    """  # noqa: D301 (the backspace is click's sign for lines to be kept)
    from dicomgate.cli import manual, output

    directory.mkdir(parents=True, exist_ok=True)
    pages = list(manual.make())
    for name, text in pages:
        (directory / name).write_text(text, "utf-8")
    output.message(f"{directory}: {output.count(len(pages), 'manual page', 'manual pages')}")
    return main.DONE


def _show(
    what: str, total: int | None, work: Callable[[Callable[[int], None]], Iterator[Damage]], all_is_well: str
) -> int:
    """Do it with a progress bar and list the damage."""
    from dicomgate.cli import output

    with output.progress(what, total, in_bytes=True) as step:
        damages = list(work(step))
    if output.is_terminal() and damages:
        output.table(("FILE", "PROBLEM"), ((damage.key, damage.problem) for damage in damages))
    elif damages:
        for damage in damages:
            output.line({"file": damage.key, "problem": damage.problem})
    output.message(output.count(len(damages), "problem", "problems") if damages else all_is_well)
    return main.PARTLY if damages else main.DONE
