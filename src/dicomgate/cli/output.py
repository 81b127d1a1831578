"""What verbs show: tables on a terminal, JSON Lines in a pipe, progress on standard error."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from dicomgate.client.offers import Became, Receipt

_MOST_ROWS = 40


class Step(Protocol):
    """Moves a progress bar on."""

    def __call__(self, by: int = 1, *, total: int | None = None) -> None:
        """So many more are done, of so many if that has changed."""
        ...


@contextmanager
def progress(what: str, total: int | None, *, in_bytes: bool = False) -> Iterator[Step]:
    """A bar on standard error while inside, if that is a terminal."""
    console = Console(stderr=True)
    unit = TextColumn("{task.completed:,.0f} bytes") if in_bytes else MofNCompleteColumn()
    columns = (TextColumn("{task.description}"), BarColumn(), unit, TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=total)

        def step(by: int = 1, *, total: int | None = None) -> None:
            bar.update(task, advance=by, total=total)

        yield step


def is_terminal() -> bool:
    """True when a person reads standard output."""
    return sys.stdout.isatty()


def line(facts: dict[str, Any]) -> None:
    """One JSON line on standard output, at once. When nobody reads any more, the work goes on in silence."""
    try:
        sys.stdout.write(json.dumps(facts, ensure_ascii=False) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table on standard output. Cells are plain text, whatever they hold."""
    shown = Table(*columns, box=None, header_style="bold", pad_edge=False)
    for row in rows:
        shown.add_row(*(_plain(cell) for cell in row))
    Console(markup=False, highlight=False).print(shown)


def count(number: int, one: str, several: str) -> str:
    """A number with its noun."""
    return f"{number:,} {one if number == 1 else several}"


def message(text: str) -> None:
    """A line for a person, on standard error, so that pipes stay clean."""
    sys.stderr.write(text + "\n")


class Receipts:
    """Gathers receipts: into a pipe each goes at once, on a terminal there is a table at the end."""

    def __init__(self) -> None:
        self.counts: Counter[Became] = Counter()
        self._rows: list[Receipt] = []
        self._shows_all = True

    def add(self, receipt: Receipt) -> None:
        """One more file is settled."""
        self.counts[receipt.became] += 1
        if not is_terminal():
            line(_facts(receipt))
            return
        self._rows.append(receipt)
        if self._shows_all and len(self._rows) > _MOST_ROWS:
            self._shows_all = False
        if not self._shows_all:
            self._rows = [kept for kept in self._rows if kept.became.is_failure or kept.code is not None]

    def finish(self) -> None:
        """Show what is left to show: every file, or the ones to look at when there are many."""
        if self._rows:
            rows = ((str(one.path), one.became.value, one.detail) for one in self._rows)
            table(("FILE", "OUTCOME", "WHY"), rows)
        words = {
            Became.STORED: "stored",
            Became.KNOWN: "there already",
            Became.REFUSED: "refused",
            Became.UNREADABLE: "unreadable",
            Became.FOREIGN: "not DICOM",
        }
        told = [f"{self.counts[became]:,} {word}" for became, word in words.items() if self.counts[became]]
        message(", ".join(told) or "no files")


def _facts(receipt: Receipt) -> dict[str, Any]:
    target = receipt.target
    facts = {
        "file": str(receipt.path),
        "outcome": receipt.became.value,
        "code": receipt.code,
        "why": receipt.detail or None,
        "StudyInstanceUID": target.study if target else None,
        "SeriesInstanceUID": target.series if target else None,
        "SOPInstanceUID": target.instance if target else None,
    }
    return {name: value for name, value in facts.items() if value is not None}


def _plain(text: str) -> str:
    """No control character of a file's name reaches the terminal."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
