"""What a search found, as a table that fits the terminal: the columns that matter at each level."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from dicomgate.cli import dataset_text
from dicomgate.dicom import attributes, elements, names
from dicomgate.dicom.uids import Level
from dicomgate.origin import JSONDataset

Column = tuple[str, str, Callable[[str], str]]
"""Its head, the attribute, and how a value is shown."""

_BETWEEN: Final = 2
_LEAST: Final = 8
"""Cells of a column that gives way, at least."""
_LEAST_UID: Final = 12


def _same(text: str) -> str:
    return text


def _date(text: str) -> str:
    return f"{text[:4]}-{text[4:6]}-{text[6:]}" if len(text) == 8 and text.isdigit() else text


def _name(text: str) -> str:
    """The first group of a person name as it is said."""
    family, _, rest = text.partition("=")[0].partition("^")
    given = " ".join(part for part in rest.split("^") if part)
    return f"{family}, {given}" if given else family


def _kind(text: str) -> str:
    return names.find_uid(text).removesuffix(" Storage") or text


_PATIENT: Final[tuple[Column, ...]] = (("PATIENT", "00100020", _same), ("NAME", "00100010", _name))
COLUMNS: Final[dict[Level, tuple[Column, ...]]] = {
    Level.STUDY: (
        *_PATIENT,
        ("STUDY DATE", "00080020", _date),
        ("KIND", "00080061", _same),
        ("DESCRIPTION", "00081030", _same),
        ("SERIES", "00201206", _same),
        ("IMAGES", "00201208", _same),
        ("STUDY UID", "0020000D", _same),
    ),
    Level.SERIES: (
        _PATIENT[0],
        ("STUDY DATE", "00080020", _date),
        ("KIND", "00080060", _same),
        ("DESCRIPTION", "0008103E", _same),
        ("IMAGES", "00201209", _same),
        ("SERIES UID", "0020000E", _same),
    ),
    Level.INSTANCE: (
        ("NUMBER", "00200013", _same),
        ("OBJECT", "00080016", _kind),
        ("ROWS", "00280010", _same),
        ("COLUMNS", "00280011", _same),
        ("FRAMES", "00280008", _same),
        ("INSTANCE UID", "00080018", _same),
    ),
}
FIELDS: Final = {level: tuple(tag for _, tag, _ in columns) for level, columns in COLUMNS.items()}
"""What to ask for, so that the table can be filled."""

_NEVER_LESS: Final = frozenset({"STUDY DATE", "SERIES", "IMAGES", "NUMBER", "ROWS", "COLUMNS", "FRAMES"})
_NUMBERS: Final = frozenset({"SERIES", "IMAGES", "NUMBER", "ROWS", "COLUMNS", "FRAMES"})
_GIVES_WAY: Final = ("DESCRIPTION", "NAME", "OBJECT", "PATIENT")
"""Which columns become narrower, the first first; the UIDs before all of them."""


def columns_of(fields: Iterable[tuple[str, ...]]) -> tuple[Column, ...]:
    """A column for each attribute that was named."""
    return tuple((attributes.format_path(path), path[0], _same) for path in fields)


def show(columns: Sequence[Column], found: Sequence[JSONDataset]) -> None:
    """The table, on standard output."""
    console = Console(markup=False, highlight=False, emoji=False)
    rows = [[_cell(dataset, column) for column in columns] for dataset in found]
    heads = [head for head, _, _ in columns]
    widths = fit(heads, [[cell_len(cell) for cell in row] for row in [heads, *rows]], console.width)
    console.print(Text(_line(heads, heads, widths), "bold"), soft_wrap=True)
    for row in rows:
        console.print(Text(_line(heads, row, widths)), soft_wrap=True)


def fit(heads: Sequence[str], cells: Sequence[Sequence[int]], width: int) -> list[int]:
    """How wide each column becomes: as its widest cell, less where there is no room, down to a least width."""
    widths = [max(column) for column in zip(*cells, strict=True)]
    excess = sum(widths) + _BETWEEN * (len(widths) - 1) - width
    order = [place for place, head in enumerate(heads) if _is_uid(head)]
    order += [heads.index(name) for name in _GIVES_WAY if name in heads]
    order += [place for place in range(len(heads)) if place not in order and heads[place] not in _NEVER_LESS]
    for place in order:
        least = _LEAST_UID if _is_uid(heads[place]) else _LEAST
        less = max(0, min(excess, widths[place] - least))
        widths[place] -= less
        excess -= less
    return widths


def _is_uid(head: str) -> bool:
    return head.endswith("UID")


def _cell(dataset: JSONDataset, column: Column) -> str:
    _, tag, shown = column
    texts = elements.texts(dataset.get(tag, {}))
    return dataset_text.plain(", ".join(shown(text) for text in texts))


def _line(heads: Sequence[str], row: Sequence[Any], widths: Sequence[int]) -> str:
    cells = []
    for head, cell, width in zip(heads, row, widths, strict=True):
        text = shorten_uid(cell, width) if _is_uid(head) else dataset_text.shorten(cell, width)
        blanks = " " * (width - cell_len(text))
        cells.append(blanks + text if head in _NUMBERS else text + blanks)
    return (" " * _BETWEEN).join(cells).rstrip()


def shorten_uid(text: str, width: int) -> str:
    """A UID with its middle left out: its end tells it from others."""
    if len(text) <= width:
        return text
    tail = max(1, (width - 1) // 2)
    return f"{text[: width - 1 - tail]}…{text[-tail:]}"
