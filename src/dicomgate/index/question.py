"""A question with its plans, in one moment of the index: a page, what it leaves, all that match (PS3.18 §8.3.4)."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dicomgate.dicom.matching import Query
from dicomgate.index import compile, connections, counts, datasets, places  # noqa: A004
from dicomgate.index.base import Found
from dicomgate.index.beginnings import Beginning, Part
from dicomgate.index.compile import Search
from dicomgate.index.order import Key
from dicomgate.index.places import Place
from dicomgate.index.sql import SQL

COUNTED = 500
"""Matches after a page that are told at least, where there are so many and they are not all counted."""

_MOMENT = 240_000
"""Steps of SQLite: a few milliseconds."""
_MANY = 2000
"""Matches after a page are counted up to here, if it is not known how many there are: a tenth of a millisecond."""
_COUNTING = 2.0
"""Seconds, where the number of all matches was asked for."""


Left = tuple[int, bool]
"""How many matches follow, and whether these are all."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question with its plans, to find and to count, in one moment of the index."""

    connection: sqlite3.Connection
    query: Query
    search: Search
    beginning: Beginning
    place: Place | None
    limit: int
    offset: int

    @property
    def keys(self) -> tuple[Key, ...] | None:
        """Behind what the page begins; None at the very beginning."""
        return self.place.keys if self.place else None

    def total(self) -> int | None:
        """All that match, wherever the page begins; None when counting takes too long."""
        known = self._known_total()
        if known is not None:
            return known
        return connections.hurry(self.connection, _COUNTING, lambda: _number(self.connection, self._count()))

    def page(self, total: int | None) -> Found:
        """The rows, and what follows them."""
        form, keys = datasets.form(self.query), compile.keys(self.search)
        rows = self._rows(self.limit + 1, f"{form.columns}, {keys}")
        is_last = len(rows) <= self.limit
        rows = rows[: self.limit]
        place = None if is_last else self._place(rows[-1][-len(self.search.terms) :], len(rows), total)
        return Found(
            datasets=form.read(self.connection, rows),
            remaining=0 if place is None else place.remaining,
            total=total,
            next=self.sealed(place) if place else None,
        )

    def _place(self, keys: tuple[Key, ...], count: int, total: int | None) -> Place:
        """Where a page of so many rows ends, with what follows it."""
        state = places.state(self.connection, self.query)
        remaining, is_exact = self._left(keys, count, total, state)
        return Place(keys, max(1, remaining), is_exact, state)

    def _left(self, keys: tuple[Key, ...], count: int, total: int | None, state: bytes) -> Left:
        """What follows, from what is known of the place where the page begins, else counted up to a bound."""
        skipped = self.offset + count
        if self.place is None:
            return self._left_of_all(keys, skipped, self._known_total() if total is None else total)
        left = self.place.remaining - skipped
        is_known = self.place.state == state and (self.place.is_exact or left >= COUNTED)
        return (left, self.place.is_exact) if is_known else self._further(keys)

    def _left_of_all(self, keys: tuple[Key, ...], skipped: int, total: int | None) -> Left:
        if total is not None:
            return total - skipped, True
        found = self._counted(self._count(most=skipped + _MANY + 1))
        if found is None:
            return self._further(keys)
        return (found - skipped, True) if found <= skipped + _MANY else (_MANY, False)

    def _further(self, keys: tuple[Key, ...]) -> Left:
        found = self._counted(self._count(keys, _MANY + 1))
        if found is None:
            return 1, False
        return (found, True) if found <= _MANY else (_MANY, False)

    def _known_total(self) -> int | None:
        """The number of matches where it costs next to nothing."""
        few = self.beginning.few
        if few is not None and few.is_all:
            return len(few.rows)
        kept = counts.kept_count(self.search)
        return None if kept is None else _number(self.connection, kept)

    def _count(self, keys: tuple[Key, ...] | None = None, most: int = compile.ALL) -> SQL:
        """Counts the matches, from a place on, up to a bound."""
        few = self.beginning.few
        if few is not None:
            return counts.count(*few.whole(keys), keys, most)
        plan = self.beginning.plan if keys is not None else self.beginning.counting
        return counts.count(self.search, plan, keys, most)

    def _counted(self, sql: SQL) -> int | None:
        """As far as a moment suffices."""
        return connections.within(self.connection, _MOMENT, lambda: _number(self.connection, sql))

    def sealed(self, place: Place) -> str:
        """A place as an answer names it."""
        return places.seal(secret(self.connection), self.query, place)

    def parts(self, place: tuple[Key, ...] | None, most: int) -> Iterator[Part]:
        """The answer from a place on, part by part."""
        beginning = self.beginning
        if beginning.few is not None:
            return beginning.few.parts(place, most)
        stretches = compile.stretches(self.search, beginning.plan, place)
        return ((self.search, beginning.plan, stretch) for stretch in stretches)

    def _rows(self, limit: int, columns: str) -> list[Any]:
        """Up to so many rows with these columns behind their identities."""
        found: list[Any] = []
        offset = self.offset
        for part in self.parts(self.keys, limit + offset):
            rows = read(self.connection, compile.page(*part, limit - len(found), offset, columns=columns))
            if not rows and offset:
                offset -= _number(self.connection, counts.count_stretch(*part))
            elif rows:
                offset = 0
            found += rows
            if len(found) == limit:
                break
        return found


def secret(connection: sqlite3.Connection) -> bytes:
    """What seals the places that this index gives."""
    content: bytes = connection.execute("SELECT content FROM place_secret").fetchone()[0]
    return content


def read(connection: sqlite3.Connection, sql: SQL) -> list[Any]:
    """All rows of a statement."""
    return connection.execute(sql.text, sql.parameters).fetchall()


def _number(connection: sqlite3.Connection, sql: SQL) -> int:
    return int(connection.execute(sql.text, sql.parameters).fetchone()[0])
