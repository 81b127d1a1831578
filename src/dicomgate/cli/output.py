"""What verbs show: tables on a terminal, JSON Lines in a pipe, progress on standard error."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table


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


def event(name: str, **facts: Any) -> None:
    """One JSON line on standard error, for the program that started this one."""
    sys.stderr.write(json.dumps({"event": name, **facts}, ensure_ascii=False) + "\n")
    sys.stderr.flush()


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table on standard output. Cells are plain text, whatever they hold."""
    shown = Table(*columns, box=None, header_style="bold", pad_edge=False)
    for row in rows:
        shown.add_row(*(plain(cell) for cell in row))
    Console(markup=False, highlight=False).print(shown)


def records(facts: Sequence[dict[str, Any]]) -> None:
    """Alike things: a table on a terminal, a JSON line each in a pipe."""
    if not is_terminal():
        for one in facts:
            line(one)
    elif facts:
        rows = (["" if value is None else str(value) for value in one.values()] for one in facts)
        table([name.upper() for name in facts[0]], rows)


def count(number: int, one: str, several: str) -> str:
    """A number with its noun."""
    return f"{number:,} {one if number == 1 else several}"


def message(text: str) -> None:
    """A line for a person, on standard error, so that pipes stay clean."""
    sys.stderr.write(text + "\n")


def plain(text: str) -> str:
    """No control character of a file's name reaches the terminal."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
