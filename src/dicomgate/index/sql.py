"""Pieces of SQL with their parameters, put together without ever writing a value into the text (T17)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson


@dataclass(slots=True, eq=False)
class SQL:
    """A piece of SQL with its parameters, in the order of its question marks. Nobody changes it.

    Made by the dozen for each question: one that is frozen takes more than twice as long to make.
    """

    text: str
    parameters: tuple[Any, ...] = ()

    def __add__(self, other: SQL) -> SQL:
        return SQL(f"{self.text}{other.text}", self.parameters + other.parameters)


NOTHING = SQL("")


def joined(pieces: Iterable[SQL], between: str) -> SQL:
    """Pieces one after the other."""
    texts: list[str] = []
    parameters: tuple[Any, ...] = ()
    for piece in pieces:
        texts.append(piece.text)
        parameters += piece.parameters
    return SQL(between.join(texts), parameters)


def every(pieces: Iterable[SQL]) -> SQL:
    """All of them hold."""
    return joined(pieces, " AND ")


def either(pieces: Iterable[SQL]) -> SQL:
    """At least one of them holds."""
    pieces = list(pieces)
    return pieces[0] if len(pieces) == 1 else SQL("(") + joined(pieces, " OR ") + SQL(")")


def is_one_of(column: str, wanted: Sequence[str | int]) -> SQL:
    """The column has one of these values."""
    if len(wanted) == 1:
        return SQL(f"{column} = ?", (wanted[0],))
    return SQL(f"{column} IN (SELECT value FROM json_each(?))", (json_list(wanted),))  # noqa: S608 (our own word)


def json_list(items: Iterable[str | int]) -> str:
    """What json_each takes apart again."""
    return orjson.dumps(list(items)).decode()
