"""`dicomgate admin index`: attributes of one's own choice, searched as quickly as those built in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dicomgate.cli import main, options

if TYPE_CHECKING:
    from dicomgate.dicom.matching import AttributePath
    from dicomgate.index.base import Index, Promoted

_CREATOR = click.option("--creator", default="", metavar="NAME", help="whose the private attributes of the path are")
_TENTHS = 10


@click.group()
def index() -> None:
    """Promote attributes, so that searches for them are quick; list and remove them.

    Every attribute can be searched without this, but one that is neither built in nor promoted is looked for in the
    stored data sets themselves, which is bounded: too broad a search is refused. DATA is a data folder, or a folder
    that is served in place. A server may run; it needs no restart.

    For example,

    \b
    dicomgate admin index add InstitutionName ./archive
    dicomgate admin index add ProcedureCodeSequence.CodeValue ./archive
    dicomgate admin index add 00191004 --creator "ACME 1.1" ./archive
    """  # noqa: D301 (the backspace is click's sign for lines to be kept)


@index.command()
@click.argument("attribute")
@click.argument("data", type=options.FOLDER, default=".")
@_CREATOR
@options.reading
def add(attribute: str, data: Path, creator: str, config_file: Path | None) -> int:
    """Promote ATTRIBUTE: a keyword, a tag, or a path of them with dots, in DATA.

    New instances are indexed at once, those stored before while this runs. When it is stopped, do it again: it goes
    on where it was.

    For example,

    \b
    dicomgate admin index add InstitutionName ./archive
    """  # noqa: D301 (the backspace is click's sign for lines to be kept)
    from dicomgate import assembly
    from dicomgate.cli import output
    from dicomgate.dicom import attributes

    path = _parse(attribute)
    name = attributes.format_path(path)
    with assembly.open_index(data, options.settings(config_file)) as opened:
        if not opened.promote(path, creator) and not _waits(opened.promoted(), path, creator):
            output.message(f"{name} is in the index already")
            return main.DONE
        _fill(opened, f"Indexing {name}", {"attribute": name})
    output.message(f"{name} is searched with the index from now on")
    return main.DONE


@index.command("list")
@click.argument("data", type=options.FOLDER, default=".")
@options.reading
def list_(data: Path, config_file: Path | None) -> int:
    """List the promoted attributes of DATA, and how far each is.

    For example,

    \b
    dicomgate admin index list ./archive
    """  # noqa: D301 (the backspace is click's sign for lines to be kept)
    from dicomgate import assembly
    from dicomgate.cli import output
    from dicomgate.dicom import attributes

    with assembly.open_index(data, options.settings(config_file)) as opened:
        promoted = opened.promoted()
    facts = [
        {
            "attribute": attributes.format_path(one.path),
            "creator": one.creator,
            "level": one.level.name.lower(),
            "state": one.state.value,
        }
        for one in promoted
    ]
    if output.is_terminal() and facts:
        output.table([name.upper() for name in facts[0]], (list(each.values()) for each in facts))
    elif not output.is_terminal():
        for each in facts:
            output.line(each)
    output.message(output.count(len(facts), "promoted attribute", "promoted attributes"))
    return main.DONE


@index.command()
@click.argument("attribute")
@click.argument("data", type=options.FOLDER, default=".")
@_CREATOR
@options.reading
def remove(attribute: str, data: Path, creator: str, config_file: Path | None) -> int:
    """Take the promoted ATTRIBUTE out of the index of DATA. It can still be searched, more slowly.

    For example,

    \b
    dicomgate admin index remove InstitutionName ./archive
    """  # noqa: D301 (the backspace is click's sign for lines to be kept)
    from dicomgate import assembly
    from dicomgate.cli import output
    from dicomgate.dicom import attributes

    path = _parse(attribute)
    name = attributes.format_path(path)
    with assembly.open_index(data, options.settings(config_file)) as opened:
        opened.demote(path, creator)
        _fill(opened, f"Removing {name}", {"attribute": name})
    output.message(f"{name} is no longer in the index")
    return main.DONE


def _parse(attribute: str) -> AttributePath:
    from dicomgate import errors
    from dicomgate.dicom import attributes

    path = attributes.parse_path(attribute)
    if path is None:
        raise errors.Malformed(
            "no such attribute; expected a keyword of PS3.6, 8 hex digits, or a path of them with dots"
        )
    return path


def _waits(promoted: list[Promoted], path: AttributePath, creator: str) -> bool:
    """True when somebody promoted it, but it is not filled yet."""
    from dicomgate.index import columns
    from dicomgate.index.base import ColumnState

    asked = (columns.without_blocks(path), creator)
    return any((one.path, one.creator) == asked and one.state is ColumnState.BUILDING for one in promoted)


def _fill(opened: Index, what: str, facts: dict[str, str]) -> None:
    """Do all that is to be done: a bar on a terminal, ten lines into a pipe."""
    from dicomgate.cli import output

    done = told = 0
    with output.progress(what, None) as bar:
        for step in opened.fill():
            done += step.done
            bar(step.done, total=done + step.left)
            tenth = _TENTHS * done // max(1, done + step.left)
            if not output.is_terminal() and tenth > told:
                told = tenth
                output.line({**facts, "done": done, "left": step.left})
