"""A page of answers to a query, all of one moment (PS3.18 §8.3.4, §10.6)."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from dicomgate.dicom.matching import Query
from dicomgate.index import compile, conditions, connections, datasets, order, places, registered, scan, zones  # noqa: A004
from dicomgate.index.base import Found
from dicomgate.index.compile import Plan, Search
from dicomgate.index.datasets import Ids
from dicomgate.index.order import Key
from dicomgate.index.scan import Scan
from dicomgate.index.sql import SQL

COUNTED = 500
"""Matches after a page are counted exactly up to here, and beyond it if a moment is enough."""

_MOMENT = 0.1
_COUNTING = 2.0
_PROBING = 0.05
_FURTHER = 1000
"""Data sets that are looked at behind a full page at least, to tell whether something follows."""
_FURTHEST = 1 << 40


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
    search = compile.prepare(query, asking.asked, order.terms(query, matched))
    place = places.unseal(_secret(connection), query, query.after) if query.after is not None else None
    limit = bounds.most if query.limit is None else min(query.limit, bounds.most)
    if search.is_empty:
        return Found(datasets=[], remaining=0, total=0 if query.is_counted else None)
    plan = compile.choose(search, [_probe(connection, probe) for probe in compile.probes(search)])
    asked = _Asked(connection, query, search, plan, place, limit, min(query.offset, _FURTHEST))
    if asking.rest:
        return asked.scanned(lambda: scan.Scan(connection, query, asking.rest, matched, bounds.scan))
    total = asked.total() if query.is_counted else None
    if not limit:
        return Found(datasets=[], remaining=0, total=total)
    return asked.page(total)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question with its plan, in one moment of the index."""

    connection: sqlite3.Connection
    query: Query
    search: Search
    plan: Plan
    place: tuple[Key, ...] | None
    limit: int
    offset: int

    def total(self) -> int | None:
        """All that match, wherever the page begins; None when counting takes too long."""
        kept = compile.kept_count(self.search)
        if kept is not None:
            return _number(self.connection, kept)
        sql = compile.count(self.search, self.plan)
        return connections.hurry(self.connection, _COUNTING, lambda: _number(self.connection, sql))

    def page(self, total: int | None) -> Found:
        """The rows, and what follows them."""
        known = self._known_total(total)
        rows = self._rows(self.limit + (1 if known is not None else COUNTED))
        remaining = max(0, len(rows) - self.limit)
        if remaining and known is not None:
            remaining = known - self.offset - self.limit
        elif remaining == COUNTED:
            remaining = self._counted_further()
        rows = rows[: self.limit]
        return Found(
            datasets=datasets.read(self.connection, self.query, rows),
            remaining=remaining,
            total=total,
            next=self._sealed(rows[-1]) if remaining else None,
        )

    # Where the data sets themselves are looked at.

    def scanned(self, make: Callable[[], Scan]) -> Found:
        """The page, of rows that are looked at one by one."""
        total = self._scanned_total(make()) if self.query.is_counted and self.place is not None else None
        looking = make()
        matching = looking.matching(self._stream(self.place))
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
            datasets=datasets.read(self.connection, self.query, rows),
            remaining=remaining,
            total=total,
            next=self._sealed(rows[-1]) if rows and remaining != 0 else None,
        )

    def _scanned_rows(self, matching: Iterator[Ids]) -> tuple[int, list[Ids]]:
        """How many matches the offset skips, and the page."""
        skipped = sum(1 for _ in itertools.islice(matching, self.offset))
        return skipped, list(itertools.islice(matching, self.limit))

    def _scanned_total(self, looking: Scan) -> int | None:
        matching = looking.matching(self._stream(None))
        total = connections.hurry(self.connection, looking.seconds_left, lambda: _length(matching))
        return None if looking.is_cut_short else total

    def _look_further(self, looking: Scan, matching: Iterator[Ids]) -> int | None:
        """How many follow the page: all where they are to be counted, else as far as the page took to find."""
        if self.query.is_counted and self.place is None:
            return connections.hurry(self.connection, looking.seconds_left, lambda: _length(matching))
        looking.allow(max(_FURTHER, looking.looked_at))
        some = itertools.islice(matching, COUNTED)
        return connections.hurry(self.connection, looking.seconds_left, lambda: _length(some))

    def _stream(self, place: tuple[Key, ...] | None) -> Iterator[Ids]:
        """Every row that fulfils what the index can tell, in the order of the answer."""
        for stretch in compile.stretches(self.search, self.plan, place):
            sql = compile.page(self.search, self.plan, stretch)
            yield from self.connection.execute(sql.text, sql.parameters)

    # Where the index alone can tell.

    def _known_total(self, total: int | None) -> int | None:
        """The number of matches where it costs nothing, if the page is counted from the first of them."""
        if self.place is not None:
            return None
        if total is not None:
            return total
        kept = compile.kept_count(self.search)
        if kept is not None:
            return _number(self.connection, kept)
        if compile.is_counted_quickly(self.search, self.plan):
            most = self.offset + self.limit + COUNTED
            found = _number(self.connection, compile.count(self.search, self.plan, most=most))
            return found if found < most else self.offset + self.limit + self._counted_further()
        return None

    def _counted_further(self) -> int:
        """What remains beyond COUNTED, as far as a moment suffices to count it."""
        sql = compile.count(self.search, self.plan, self.place)
        found = connections.hurry(self.connection, _MOMENT, lambda: _number(self.connection, sql))
        return COUNTED if found is None else found - self.offset - self.limit

    def _rows(self, limit: int) -> list[Ids]:
        found: list[Ids] = []
        offset = self.offset
        for stretch in compile.stretches(self.search, self.plan, self.place):
            sql = compile.page(self.search, self.plan, stretch, limit - len(found), offset)
            rows = _rows(self.connection, sql)
            if not rows and offset:
                offset -= _number(self.connection, compile.count_stretch(self.search, self.plan, stretch))
            elif rows:
                offset = 0
            found += rows
            if len(found) == limit:
                break
        return found

    def _sealed(self, row: Ids) -> str:
        keys = _rows(self.connection, compile.keys(self.search, row[-1]))[0]
        return places.seal(_secret(self.connection), self.query, keys)


def _length(rows: Iterator[Ids]) -> int:
    return sum(1 for _ in rows)


def _probe(connection: sqlite3.Connection, sql: SQL) -> int:
    """What a condition names, up to a bound; many when counting it takes longer than is worth it."""
    found = connections.hurry(connection, _PROBING, lambda: _number(connection, sql))
    return compile.FEW + 1 if found is None else found


def _secret(connection: sqlite3.Connection) -> bytes:
    secret: bytes = connection.execute("SELECT content FROM place_secret").fetchone()[0]
    return secret


def _rows(connection: sqlite3.Connection, sql: SQL) -> list[Any]:
    return connection.execute(sql.text, sql.parameters).fetchall()


def _number(connection: sqlite3.Connection, sql: SQL) -> int:
    return int(connection.execute(sql.text, sql.parameters).fetchone()[0])
