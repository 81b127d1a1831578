"""A page of answers to a query, all of one moment (PS3.18 §8.3.4, §10.6)."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from dicomgate.dicom.matching import Query
from dicomgate.index import (
    beginnings,
    compile,  # noqa: A004
    conditions,
    connections,
    datasets,
    narrowing,
    order,
    places,
    registered,
    scan,
    zones,
)
from dicomgate.index.base import Found, JSONDataset
from dicomgate.index.beginnings import Beginning, Part
from dicomgate.index.compile import Search, Stretch
from dicomgate.index.datasets import Ids
from dicomgate.index.order import Key
from dicomgate.index.places import Place
from dicomgate.index.scan import Scan
from dicomgate.index.sql import SQL

COUNTED = 500
"""Matches after a page are counted up to here where counting them all would be work for more than a moment."""

_MOMENT = 240_000
"""Steps of SQLite: a few milliseconds."""
_MANY = 10_000
"""Matches that are counted behind a place, each time that something was stored since the page before it."""
_COUNTING = 2.0
"""Seconds, where the number of all matches was asked for."""
_FURTHER = 1000
"""Data sets that are looked at behind a full page at least, to tell whether something follows."""
_FURTHEST = 1 << 40
_BATCH = 256
"""Rows that are looked at first."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much one search may take: answers of a page, and what it may look at where no column helps."""

    most: int
    scan: scan.Bounds


def find(connection: sqlite3.Connection, query: Query, bounds: Bounds) -> Found:
    """One page, within an open transaction.

    Raises Malformed for matching, orders and places that cannot be, TooLarge for what takes too long.
    """
    matched = registered.read(connection)
    asking = conditions.conditions(query, matched, zones.spreads(connection, query.timezone, matched))
    asked = narrowing.narrowed(connection, asking.asked)
    search = compile.prepare(query, asked, order.terms(query, matched))
    place = places.unseal(_secret(connection), query, query.after) if query.after is not None else None
    limit = bounds.most if query.limit is None else min(query.limit, bounds.most)
    if search.is_empty:
        return Found(datasets=[], remaining=0, total=0 if query.is_counted else None)
    beginning = beginnings.choose(connection, search)
    question = _Question(connection, query, search, beginning, place, limit, min(query.offset, _FURTHEST))
    if asking.rest:
        return question.scanned(lambda: scan.Scan(connection, query, asking.rest, matched, bounds.scan))
    total = question.total() if query.is_counted else None
    if not limit:
        return Found(datasets=[], remaining=0, total=total)
    return question.page(total)


@dataclass(frozen=True, slots=True)
class _Question:
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
            remaining=0 if place is None else self._remaining(place),
            total=total,
            next=self._sealed(place) if place else None,
        )

    def _place(self, keys: tuple[Key, ...], count: int, total: int | None) -> Place:
        """Where a page ends, with what follows it: counted from what is known of the place where it begins."""
        state = places.state(self.connection, self.query)
        if self.place is None:
            whole = self._counted_total() if total is None else total
            left = None if whole is None else whole - self.offset - count
        elif self.place.state == state and self.place.remaining is not None:
            left = self.place.remaining - self.offset - count
        else:
            left = self._further(keys)
        return Place(keys, left, state)

    def _remaining(self, place: Place) -> int:
        """What follows a page that is not the last: exactly if that is a moment's work, else as much as is sure."""
        if place.remaining is not None:
            return place.remaining
        further = self._counted(self._count(place.keys, COUNTED))
        return 1 if further is None else max(1, further)

    def _known_total(self) -> int | None:
        """The number of matches where it costs next to nothing."""
        few = self.beginning.few
        if few is not None and few.is_all:
            return len(few.rows)
        kept = compile.kept_count(self.search)
        return None if kept is None else _number(self.connection, kept)

    def _counted_total(self) -> int | None:
        known = self._known_total()
        return self._counted(self._count()) if known is None else known

    def _further(self, keys: tuple[Key, ...]) -> int | None:
        """How many follow a place; None when these are too many to be counted for each page."""
        found = self._counted(self._count(keys, _MANY + 1))
        return None if found is None or found > _MANY else found

    def _count(self, keys: tuple[Key, ...] | None = None, most: int = compile.ALL) -> SQL:
        """Counts the matches, from a place on, up to a bound."""
        few = self.beginning.few
        if few is not None:
            return compile.count(*few.whole(keys), keys, most)
        plan = self.beginning.plan if keys is not None else self.beginning.counting
        return compile.count(self.search, plan, keys, most)

    def _counted(self, sql: SQL) -> int | None:
        """As far as a moment suffices."""
        return connections.within(self.connection, _MOMENT, lambda: _number(self.connection, sql))

    def _sealed(self, place: Place) -> str:
        return places.seal(_secret(self.connection), self.query, place)

    def _parts(self, place: tuple[Key, ...] | None, most: int) -> Iterator[Part]:
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
        for part in self._parts(self.keys, limit + offset):
            rows = _rows(self.connection, compile.page(*part, limit - len(found), offset, columns=columns))
            if not rows and offset:
                offset -= _number(self.connection, compile.count_stretch(*part))
            elif rows:
                offset = 0
            found += rows
            if len(found) == limit:
                break
        return found

    # Where the data sets themselves are looked at.

    def scanned(self, make: Callable[[], Scan]) -> Found:
        """The page, of rows that are looked at one by one."""
        total = self._scanned_total(make()) if self.query.is_counted and self.place is not None else None
        looking = make()
        matching = self._matching(looking, self.keys)
        found = connections.hurry(self.connection, looking.seconds_left, lambda: self._scanned_rows(matching))
        if found is None or (len(found[1]) < self.limit and looking.is_cut_short):
            raise looking.too_large()
        skipped, rows = found
        further = self._look_further(looking, matching)
        if self.query.is_counted and self.place is None and further is not None and not looking.is_cut_short:
            total = skipped + len(rows) + further
        if not self.limit:
            return Found(datasets=[], remaining=0, total=total)
        remaining = None if looking.is_cut_short and not further else further
        return Found(
            datasets=self._datasets(rows),
            remaining=remaining,
            total=total,
            next=self._sealed(self._scanned_place(rows[-1])) if rows and remaining != 0 else None,
        )

    def _scanned_rows(self, matching: Iterator[Ids]) -> tuple[int, list[Ids]]:
        """How many matches the offset skips, and the page."""
        skipped = sum(1 for _ in itertools.islice(matching, self.offset))
        return skipped, list(itertools.islice(matching, self.limit))

    def _datasets(self, rows: Sequence[Ids]) -> Sequence[JSONDataset]:
        form, level = datasets.form(self.query), self.search.level
        sql = compile.rows(level, (row[level - 1] for row in rows), form.columns)
        known = {row[level - 1]: row for row in _rows(self.connection, sql)}
        return form.read(self.connection, [known[row[level - 1]] for row in rows])

    def _scanned_place(self, row: Ids) -> Place:
        """Where a page of rows that are looked at ends; nobody knows how many follow."""
        sql = compile.rows(self.search.level, (row[-1],), compile.keys(self.search))
        return Place(_rows(self.connection, sql)[0][len(row) :], None, b"")

    def _scanned_total(self, looking: Scan) -> int | None:
        matching = self._matching(looking, None)
        total = connections.hurry(self.connection, looking.seconds_left, lambda: _length(matching))
        return None if looking.is_cut_short else total

    def _look_further(self, looking: Scan, matching: Iterator[Ids]) -> int | None:
        """How many follow the page: all where they are to be counted, else as far as the page took to find."""
        if self.query.is_counted and self.place is None:
            return connections.hurry(self.connection, looking.seconds_left, lambda: _length(matching))
        looking.allow(max(_FURTHER, looking.looked_at))
        some = itertools.islice(matching, COUNTED)
        return connections.hurry(self.connection, looking.seconds_left, lambda: _length(some))

    def _matching(self, looking: Scan, place: tuple[Key, ...] | None) -> Iterator[Ids]:
        """Looks at studies or series first where they decide, and at what is below those that match."""
        above = compile.above(self.search, self.beginning.plan, looking.level)
        if above is None:
            yield from looking.matching(self._stream(place))
            return
        plan = compile.choose(above, [compile.FEW + 1 for _ in compile.probes(above)])
        begin = place[: len(above.terms)] if place is not None else None
        sql = compile.page(above, plan, Stretch(above.terms, begin, is_open=False))
        for row in looking.matching(self.connection.execute(sql.text, sql.parameters)):
            within = compile.below(self.search, looking.level, row[-1], place)
            yield from self.connection.execute(within.text, within.parameters)

    def _stream(self, place: tuple[Key, ...] | None) -> Iterator[Ids]:
        """Every row that fulfils what the index can tell, in the order of the answer."""
        for part in self._parts(place, _BATCH):
            sql = compile.page(*part)
            yield from self.connection.execute(sql.text, sql.parameters)


def _length(rows: Iterator[Ids]) -> int:
    return sum(1 for _ in rows)


def _secret(connection: sqlite3.Connection) -> bytes:
    secret: bytes = connection.execute("SELECT content FROM place_secret").fetchone()[0]
    return secret


def _rows(connection: sqlite3.Connection, sql: SQL) -> list[Any]:
    return connection.execute(sql.text, sql.parameters).fetchall()


def _number(connection: sqlite3.Connection, sql: SQL) -> int:
    return int(connection.execute(sql.text, sql.parameters).fetchone()[0])
