"""Where a search begins: at the few rows that one condition names, newest first, or with a walk in the answer's order.

Values are kept with the date of their study, so the newest of a few thousand matches are known before any study is
read: only as many are looked up as the page holds.
"""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from dicomgate.dicom.uids import Level
from dicomgate.index import compile, connections, counts, filters, order  # noqa: A004
from dicomgate.index.asked import Asked, Rows
from dicomgate.index.compile import Plan, Search, Stretch
from dicomgate.index.order import Key
from dicomgate.index.sql import SQL

_STEPS = 1_000_000
"""Of SQLite, for finding out what a condition names."""
_LEAST = 16
"""Rows that are looked up at once."""

Part = tuple[Search, Plan, Stretch]
"""A part of an answer: what one statement finds."""


@dataclass(frozen=True, slots=True)
class Few:
    """All rows of one level that a condition names: their study's moment and their identity, newest first.

    `rest` asks for what the others of the search's conditions ask.
    """

    level: Level
    rows: list[tuple[int, int]]
    rest: Search

    @property
    def is_all(self) -> bool:
        """True when these rows are the matches."""
        return self.level is self.rest.level and not self.rest.asked

    def whole(self, place: tuple[Key, ...] | None = None) -> tuple[Search, Plan]:
        """Asks for the matches among them, from a place on, as one statement."""
        return self._among(self._behind(place))

    def parts(self, place: tuple[Key, ...] | None, most: int) -> Iterator[Part]:
        """The answer from a place on, so that the first part likely holds `most` rows; rows of a moment together."""
        rows = self._behind(place)
        begin, size = 0, max(most, _LEAST)
        while begin < len(rows):
            end = min(begin + size, len(rows))
            while end < len(rows) and rows[end][0] == rows[end - 1][0]:
                end += 1
            search, plan = self._among(rows[begin:end])
            yield search, plan, Stretch(search.terms, place)
            begin, size = end, 2 * size

    def _behind(self, place: tuple[Key, ...] | None) -> list[tuple[int, int]]:
        moment = None if place is None else place[0]
        return self.rows if not isinstance(moment, int) else [row for row in self.rows if row[0] <= moment]

    def _among(self, rows: list[tuple[int, int]]) -> tuple[Search, Plan]:
        named = Rows(self.level, tuple(identity for _, identity in rows))
        return dataclasses.replace(self.rest, asked=(named, *self.rest.asked)), Plan(named, in_order=False)


@dataclass(frozen=True, slots=True)
class Beginning:
    """How the matches are found, and how they are counted; `few` where one condition names all that may match."""

    plan: Plan
    counting: Plan
    few: Few | None = None


def choose(connection: sqlite3.Connection, search: Search) -> Beginning:
    """The smallest beginning. What each condition names is counted, up to a bound, unless one alone can be it."""
    asked, few = search.open_ended, None
    if not asked:
        plan = compile.choose(search)
        return Beginning(plan, counts.counting(search, plan, ()))
    if len(asked) == 1 and _is_dated(search, asked[0]):
        few = _find(connection, search, asked[0])
        sizes = [compile.FEW + 1 if few is None else len(few.rows)]
    else:
        sizes = [_count(connection, probe) for probe in compile.probes(search)]
        smallest = asked[sizes.index(min(sizes))]
        if min(sizes) <= compile.FEW and _is_dated(search, smallest):
            few = _find(connection, search, smallest)
    plan = compile.choose(search, sizes)
    return Beginning(plan, counts.counting(search, plan, sizes), few)


def _is_dated(search: Search, asked: Asked) -> bool:
    return search.terms[0] == order.NEWEST and filters.is_dated(asked)


def _find(connection: sqlite3.Connection, search: Search, asked: Asked) -> Few | None:
    """What a condition names; None when that is more than a few."""
    sql = filters.dated(asked) + SQL(" LIMIT ?", (compile.FEW + 1,))
    rows = connections.within(connection, _STEPS, lambda: connection.execute(sql.text, sql.parameters).fetchall())
    level = filters.level_of(asked)
    if rows is None or level is None or len(rows) > compile.FEW:
        return None
    return Few(level, sorted(set(rows), reverse=True), compile.without(search, asked))


def _count(connection: sqlite3.Connection, sql: SQL) -> int:
    """What a condition names, up to a bound; many when counting it takes longer than is worth it."""
    found = connections.within(
        connection, _STEPS, lambda: int(connection.execute(sql.text, sql.parameters).fetchone()[0])
    )
    return compile.FEW + 1 if found is None else found
