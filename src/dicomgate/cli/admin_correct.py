"""`dicomgate admin correct`: patient and study attributes put right, patients merged (RET-09)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dicomgate import errors
from dicomgate.cli import main, options

if TYPE_CHECKING:
    from dicomgate.archive.archive import Archive
    from dicomgate.origin import JSONDataset

_MOST = 10_000
_SHOWN = (
    ("StudyInstanceUID", "0020000D"),
    ("PatientID", "00100020"),
    ("PatientName", "00100010"),
    ("StudyDate", "00080020"),
    ("instances", "00201208"),
)


@click.command()
@click.argument("data", type=options.FOLDER)
@click.argument("where", nargs=-1, required=True, metavar="KEY=VALUE...")
@click.option("--set", "assigned", multiple=True, required=True, metavar="KEYWORD=VALUE", help="what it becomes")
@click.option("--dry-run", is_flag=True, help="only show which studies are meant")
@click.option("--yes", is_flag=True, help="do not ask")
@options.reading
def correct(  # noqa: PLR0917 - click's signature
    data: Path, where: tuple[str, ...], assigned: tuple[str, ...], dry_run: bool, yes: bool, config_file: Path | None
) -> int:
    """Correct attributes of the patient or the study in every instance of the studies of DATA that match.

    PatientID=OLD --set PatientID=NEW merges a patient into another. Keys match as in a search; nothing after the
    sign of --set empties an attribute. What was stored stays as a version of each instance, unless
    store.keep_originals is off. May run beside a server. Exit code 4 when no study matches.

    For example,

    \b
    dicomgate admin correct ./archive PatientID=4711 --set PatientName=Doe^Jane
    dicomgate admin correct ./archive StudyInstanceUID=1.2.3 --set AccessionNumber= --yes
    """  # noqa: D301 (the backspace is click's sign for lines to be kept)
    from dicomgate import assembly
    from dicomgate.cli import output
    from dicomgate.dicom import assignments

    wanted = {one.tag: one.element for one in assignments.parse_assignments(assigned)}
    assignments.check_study_level(wanted)
    with assembly.open_archive(data, options.settings(config_file), create=False) as archive:
        found = _find(archive, where)
        _show(found)
        if dry_run:
            output.message(f"{output.count(len(found), 'study', 'studies')} would be corrected")
            return main.DONE
        if not yes:
            _ask(len(found))
        return _correct(archive, found, wanted)


def _find(archive: Archive, where: tuple[str, ...]) -> list[JSONDataset]:
    """The studies that are meant. NotFound when there is none."""
    from dicomgate.dicomweb import selection

    pairs = []
    for text in where:
        name, sign, value = text.partition("=")
        if not sign:
            raise errors.Malformed("expected KEY=VALUE, such as PatientID=4711")
        pairs.append((name, value))
    found = list(archive.search(selection.parse(pairs, most=_MOST)).datasets)
    if not found:
        raise errors.NotFound("no study matches")
    if len(found) > _MOST:
        raise errors.TooLarge(f"more than {_MOST:,} studies match; give more keys")
    return found


def _correct(archive: Archive, found: list[JSONDataset], wanted: JSONDataset) -> int:
    from dicomgate.cli import output

    corrected = unchanged = 0
    with output.progress("Correcting", len(found)) as step:
        for dataset in found:
            done = archive.corrector.update(dataset["0020000D"]["Value"][0], wanted)
            corrected += done.corrected
            unchanged += done.unchanged
            step()
    instances = output.count(corrected, "instance", "instances")
    studies = output.count(len(found), "study", "studies")
    output.message(f"{instances} of {studies} corrected, {unchanged:,} needed it not")
    return main.DONE


def _ask(count: int) -> None:
    import sys

    if not sys.stdin.isatty():
        raise click.UsageError("nobody to ask: say --yes to correct, or --dry-run to look")
    click.confirm(f"Correct {count:,} studies?", abort=True, err=True)


def _show(found: list[JSONDataset]) -> None:
    from dicomgate.cli import output

    facts = [{name: _text(dataset.get(tag, {})) for name, tag in _SHOWN} for dataset in found]
    if output.is_terminal():
        output.table([name for name, _ in _SHOWN], ([str(value or "") for value in one.values()] for one in facts))
        return
    for one in facts:
        output.line(one)


def _text(element: dict[str, Any]) -> Any:
    from dicomgate.dicom import elements

    return ", ".join(elements.texts(element)) or None
