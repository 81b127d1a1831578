"""What answers are sorted by: the standing order, and what a query asks before it (PS3.18 §8.3.4.4.1).

The standing order is total: newest study first, those without a date last; series and instances by number; UIDs break
ties. An attribute sorts by its smallest value as it is compared (names without case), a date together with the time of
the same event; those that have none come last either way.
"""

# ruff: noqa: S608 (all that is put together here are our own words; every outside value is a parameter)

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dicomgate import errors
from dicomgate.dicom import attributes
from dicomgate.dicom.matching import Order, Query
from dicomgate.dicom.uids import Level
from dicomgate.index import columns
from dicomgate.index.base import ColumnState
from dicomgate.index.columns import Column, Columns, Kind
from dicomgate.index.filters import ALIAS, VALUES
from dicomgate.index.sql import SQL, either, every
from dicomgate.index.values import LONGEST, NUMBERLESS

MOST = 4
"""Attributes that one answer is sorted by, beside the standing order."""

_COUNTS = {
    columns.STUDY_SERIES: (Level.STUDY, "s.number_of_series"),
    columns.STUDY_INSTANCES: (Level.STUDY, "s.number_of_instances"),
    columns.SERIES_INSTANCES: (Level.SERIES, "e.number_of_instances"),
}

Key = str | int | None
"""What a row is sorted by: None where it has no value."""


@dataclass(frozen=True, slots=True)
class Term:
    """One thing that rows are sorted by.

    `sql` is NULL for rows without a value, if there can be such (`can_lack`); in it {m} is the study's moment. `column`
    numbers the column of values of which it is the smallest.
    """

    level: Level
    sql: str
    descending: bool = False
    can_lack: bool = False
    column: int | None = None

    @property
    def is_moment(self) -> bool:
        """True for the study's date and time."""
        return self.sql in (_MOMENT, _DATED)


_MOMENT = "{m}"
_DATED = "nullif({m}, 0)"
NEWEST = Term(Level.STUDY, _MOMENT, descending=True)
_STANDING = (
    NEWEST,
    Term(Level.STUDY, "s.uid"),
    Term(Level.SERIES, "e.number"),
    Term(Level.SERIES, "e.uid"),
    Term(Level.INSTANCE, "i.number"),
    Term(Level.INSTANCE, "i.uid"),
)


@functools.cache
def standing(level: Level, above: int = 0) -> tuple[Term, ...]:
    """The order of what is found at a level; what is the same for all below a level `above` is left out."""
    return tuple(term for term in _STANDING if above < term.level <= level)


def terms(query: Query, matched: Columns) -> tuple[Term, ...]:
    """All that a query's answers are sorted by, in order.

    Raises Malformed for an attribute that nothing can be sorted by, TooLarge for too many.
    """
    if len(query.order) > MOST:
        raise errors.TooLarge(f"order by {len(query.order)} attributes: at most {MOST} are taken")
    above = query.scope.level if query.scope else 0
    if not query.order:
        return standing(query.level, above)
    found: dict[str, Term] = {}
    for term in (*(_term(order, query, matched) for order in query.order), *standing(query.level, above)):
        if term.level > above:
            found.setdefault(term.sql.replace(_DATED, _MOMENT), term)
    return tuple(found.values())


def _term(order: Order, query: Query, matched: Columns) -> Term:
    path, descending = order.path, order.descending
    if path[0] in _COUNTS and len(path) == 1:
        level, sql = _COUNTS[path[0]]
        term = Term(level, sql, descending)
    else:
        column = matched.find(path, query.creators)
        if column is None or not _sorts(column):
            raise _unsorted(query.level, matched)
        term = _column_term(column, descending=descending)
    if term.level > query.level:
        raise _unsorted(query.level, matched)
    return term


def _sorts(column: Column) -> bool:
    """Not by what is in items, nor by long texts: a place would have to name them."""
    return len(column.path) == 1 and column.longest <= LONGEST


def _column_term(column: Column, *, descending: bool) -> Term:
    level, alias = column.level, ALIAS[column.level]
    match column.kind:
        case Kind.UID:
            return Term(level, f"{alias}.uid", descending)
        case Kind.CLASS:
            return Term(level, "i.sop_class", descending)
        case Kind.MOMENT:
            return NEWEST if descending else Term(level, _DATED, can_lack=True)
        case Kind.NUMBER if descending:
            return Term(level, f"nullif({alias}.number, {NUMBERLESS})", descending, can_lack=True)
        case Kind.NUMBER:
            return Term(level, f"{alias}.number")
        case _:
            table, owner = VALUES[level]
            rows = f"{table} k CROSS JOIN value n ON n.id = k.value"
            sql = f"(SELECT min(n.text) FROM {rows} WHERE k.{owner} = {alias}.id AND n.tag = {column.number})"
            return Term(level, sql, descending, can_lack=True, column=column.number)


def _unsorted(level: Level, matched: Columns) -> errors.Malformed:
    """Says what answers of a level can be sorted by."""
    counts = [(tag,) for tag, (own, _) in _COUNTS.items() if own <= level]
    ready = [column for column, state in matched.registered if state is ColumnState.READY]
    known = [column for column in (*columns.COLUMNS.values(), *ready) if column.level <= level and _sorts(column)]
    paths = [*counts, *(column.path for column in known)]
    names = tuple(sorted(dict.fromkeys(map(attributes.format_path, paths))))
    return errors.Malformed(f"order: expected one of {', '.join(names)}", see=names)


# As SQL.


def by(terms: Sequence[Term], moment: str) -> str:
    """ORDER BY."""
    return ", ".join(_direction(term, moment) for term in terms)


def _direction(term: Term, moment: str) -> str:
    sql = term.sql.format(m=moment)
    if term.descending:
        return f"{sql} DESC"
    return f"{sql} NULLS LAST" if term.can_lack else sql


def after(terms: Sequence[Term], keys: Sequence[Key], moment: str, *, is_open: bool = True) -> SQL:
    """True for the rows behind these keys, and unless `is_open` for the one that has them.

    What bounds the first term stands alone, for an index to use.
    """
    assert len(terms) == len(keys), "a place is bound to its order"
    rest: SQL | None = None if is_open else SQL("1")
    for term, key in zip(reversed(terms), reversed(keys), strict=True):
        later, same = _later(term, key, moment), _same(term, key, moment)
        rest = later if rest is None else either([later, SQL("(") + every([same, rest]) + SQL(")")])
    assert rest is not None, "there is always a last UID to break ties"
    return every([*_bounds(terms, keys, moment), rest])


def _bounds(terms: Sequence[Term], keys: Sequence[Key], moment: str) -> list[SQL]:
    first, key = terms[0], keys[0]
    if first.can_lack or key is None:
        return []
    return [SQL(f"{first.sql.format(m=moment)} {'<=' if first.descending else '>='} ?", (key,))]


def _later(term: Term, key: Any, moment: str) -> SQL:
    if key is None:
        return SQL("0")
    sql = term.sql.format(m=moment)
    behind = SQL(f"{sql} {'<' if term.descending else '>'} ?", (key,))
    return either([behind, SQL(f"{sql} IS NULL")]) if term.can_lack else behind


def _same(term: Term, key: Any, moment: str) -> SQL:
    sql = term.sql.format(m=moment)
    return SQL(f"{sql} IS NULL") if key is None else SQL(f"{sql} = ?", (key,))
