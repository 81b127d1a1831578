"""`dicomgate find`: studies, series and instances of a folder or a server (PS3.18 §10.6)."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dicomgate.cli import completion, main, options

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dicomgate.cli.asking import Asked
    from dicomgate.cli.places import Place
    from dicomgate.origin import JSONDataset

_MOST_ROWS = 10_000
_SHOWN = 100
"""Rows of a table, unless more are asked for."""


@click.command()
@click.argument("where", shell_complete=completion.complete_where)
@click.argument("what", nargs=-1, metavar="[LEVEL] [KEYWORD=VALUE]...", shell_complete=completion.complete_what)
@click.option("--limit", type=click.IntRange(1), help=f"at most so many  [table: {_SHOWN}; pipe: all]")
@click.option("--order-by", metavar="LIST", help="sort by these attributes, descending with - before one")
@click.option(
    "--fields", metavar="LIST", shell_complete=completion.complete_fields, help="these attributes and no others"
)
@click.option("--json", "form", flag_value="json", help="JSON Lines with keywords, as in a pipe")
@click.option("--dicom-json", "form", flag_value="dicom-json", help="lines of the DICOM JSON model (PS3.18 Annex F)")
@click.option("--table", "form", flag_value="table", help="the table also in a pipe")
@options.calling
@options.reading
def find(
    where: str,
    what: tuple[str, ...],
    *,
    limit: int | None,
    order_by: str | None,
    fields: str | None,
    form: str | None,
    token_file: Path | None,
    config_file: Path | None,
) -> int:
    """Find what is in WHERE: a folder, the address of a server, or the name of a remote.

    LEVEL is studies, series or instances. Values may have wildcards (* and ?), several with commas between them, and
    dates ranges: StudyDate=2024-, 2023-2024, 202403, 2024-03-31. Without a LEVEL it is the lowest one that the keys are
    of. On a terminal the answer is a table, in a pipe a line of JSON for each. Exit code 4 when nothing matches.

    For example,

    \b
    dicomgate find ./scans series Modality=MR StudyDate=2023- SeriesDescription='*flair*'
    dicomgate find pacs PatientName='doe*' fuzzymatching=true
    dicomgate find https://pacs.example.org/dicomweb series Modality=CT | jq -r .SeriesInstanceUID
    """  # noqa: D301 (the backspace is click's sign for lines to be kept)
    from dicomgate.cli import asking, output, places

    asked = asking.parse(what)
    wanted = asking.parse_fields(fields)
    form = form or ("table" if output.is_terminal() else "json")
    settings = options.settings(config_file)
    with places.opened(where, settings, token_file) as place:
        found = _search(place, asked, wanted, order_by, _limit(limit, form))
        count = _show_table(asked, found, wanted, limit) if form == "table" else _print(found, wanted, form)
    if not count:
        output.message("nothing matches")
    return main.DONE if count else main.NOTHING


def _limit(limit: int | None, form: str) -> int | None:
    """One more than a table shows, to know whether there are more."""
    return _SHOWN + 1 if limit is None and form == "table" else limit


def _search(
    place: Place, asked: Asked, wanted: tuple[tuple[str, ...], ...], order_by: str | None, limit: int | None
) -> Iterable[JSONDataset]:
    from dicomgate.cli import asking, found_table
    from dicomgate.dicom import attributes

    fields = [attributes.format_path(path) for path in wanted] or [
        attributes.format_path((tag,)) for tag in found_table.FIELDS[asked.level]
    ]
    pairs = [*asked.pairs, ("includefield", ",".join(fields))]
    if not order_by:
        return place.search(asked.path, pairs, limit)
    order = [(word.startswith("-"), asking.parse_attribute(word.removeprefix("-"))) for word in order_by.split(",")]
    named = ",".join("-" * descends + attributes.format_path(path) for descends, path in order)
    return _sorted(place.search(asked.path, [*pairs, ("orderby", named)], limit), order)


def _sorted(found: Iterable[JSONDataset], order: list[tuple[bool, tuple[str, ...]]]) -> list[JSONDataset]:
    """As it was asked for, also of a server that knows no order; what has no value comes last."""
    from dicomgate.dicom import elements

    rows = list(found)
    for descends, path in reversed(order):
        values = [elements.texts(row.get(path[0], {}))[:1] for row in rows]
        numbers = [elements.parse_number(value[0]) if value else None for value in values]
        is_numeric = all(number is not None for number, value in zip(numbers, values, strict=True) if value)
        keyed = [
            (not value, (number or 0, "") if is_numeric else (0, value[0] if value else ""), row)
            for value, number, row in zip(values, numbers, rows, strict=True)
        ]
        there = sorted((one for one in keyed if not one[0]), key=lambda one: one[1], reverse=descends)
        rows = [one[2] for one in [*there, *(one for one in keyed if one[0])]]
    return rows


def _print(found: Iterable[JSONDataset], wanted: tuple[tuple[str, ...], ...], form: str) -> int:
    from dicomgate.cli import dataset_keywords, output

    count = 0
    for dataset in found:
        count += 1
        kept = {path[0]: dataset[path[0]] for path in wanted if path[0] in dataset} if wanted else dataset
        output.line(kept if form == "dicom-json" else dataset_keywords.describe(kept))
    return count


def _show_table(
    asked: Asked, found: Iterable[JSONDataset], wanted: tuple[tuple[str, ...], ...], limit: int | None
) -> int:
    from dicomgate.cli import found_table, output

    rows = list(islice(found, _MOST_ROWS))
    shown = rows[:_SHOWN] if limit is None else rows
    if shown:
        found_table.show(found_table.columns_of(wanted) or found_table.COLUMNS[asked.level], shown)
    if len(shown) < len(rows):
        output.message(f"there are more than {_SHOWN}: say --limit, or read all of them from a pipe")
    return len(rows)
