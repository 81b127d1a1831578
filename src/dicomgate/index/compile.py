"""Query -> SQL and parameters, each with a plan of its own: where to begin, and in which order to walk.

An answer's order is fixed (newest study first; series and instances by number; UIDs break ties), so there are two ways
to find a page: walk in that order and test each row until the page is full, which is quick when many match, or begin
with the few rows that a condition names and sort them. `probes` count, up to a bound, what each condition names;
`choose` takes the smaller road. The order of joins is written out (CROSS JOIN), nothing is left to guessing.
"""

# ruff: noqa: S608 (all that is put together here are our own words; every outside value is a parameter)

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from dicomgate.dicom.uids import Level
from dicomgate.index.conditions import Asked, Classes, Moments, Never, Numbers, Test, Uids, Valued

FEW = 2000
"""So many rows are sorted in less time than it takes to notice."""

_ALIAS = {Level.STUDY: "s", Level.SERIES: "e", Level.INSTANCE: "i"}
_TABLE = {Level.STUDY: "study", Level.SERIES: "series", Level.INSTANCE: "instance"}
_UID_RANK = {Level.INSTANCE: 0, Level.STUDY: 1, Level.SERIES: 2}  # a series' UID is unique only within its study
_VALUES = {Level.STUDY: ("study_value", "study"), Level.SERIES: ("series_value", "series")}
_UP = {Level.SERIES: "s.id = e.study", Level.INSTANCE: "e.id = i.series"}
_ALL = -1  # as SQLite's LIMIT has it
_VALUE_ID = "(SELECT id FROM value WHERE tag = ? AND text = ?)"


@dataclass(frozen=True, slots=True)
class SQL:
    """A piece of SQL with its parameters, in the order of its question marks."""

    text: str
    parameters: tuple[Any, ...] = ()

    def __add__(self, other: SQL) -> SQL:
        return SQL(f"{self.text}{other.text}", self.parameters + other.parameters)


def joined(pieces: Iterable[SQL], between: str) -> SQL:
    """Pieces one after the other."""
    pieces = list(pieces)
    parameters = tuple(value for piece in pieces for value in piece.parameters)
    return SQL(between.join(piece.text for piece in pieces), parameters)


@dataclass(frozen=True, slots=True)
class Plan:
    """Where to begin: at what one condition names (None: at the newest study).

    `in_order`: the condition's rows are walked in the order of the answer; else they are few, and sorted.
    """

    begin: Asked | None = None
    in_order: bool = True


@dataclass(frozen=True, slots=True)
class Search:
    """A query made ready: its conditions and the level of what it finds."""

    level: Level
    asked: tuple[Asked, ...]
    open_ended: tuple[Asked, ...] = field(default=())  # conditions whose size must be looked at before choosing

    @property
    def is_empty(self) -> bool:
        """True when nothing can match."""
        return any(isinstance(asked, Never) for asked in self.asked)


def prepare(level: Level, asked: Sequence[Asked]) -> Search:
    """Sort out which conditions can be a beginning."""
    if any(isinstance(one, Uids) for one in asked):
        return Search(level, tuple(asked))
    beginnings = tuple(one for one in asked if isinstance(one, (Moments, Valued, Numbers)))
    besides_dates = [one for one in beginnings if not isinstance(one, Moments)]
    if all(_is_ordered(one) for one in beginnings) and len(besides_dates) < 2:
        return Search(level, tuple(asked))  # a value's rows hold the date too: one walk fulfils both
    return Search(level, tuple(asked), beginnings)


def probes(search: Search) -> list[SQL]:
    """For each open-ended condition a count of what it names, up to FEW + 1."""
    return [SQL("SELECT count(*) FROM (") + _named(asked) + SQL(" LIMIT ?)", (FEW + 1,)) for asked in search.open_ended]


def choose(search: Search, sizes: Sequence[int] = ()) -> Plan:
    """The cheapest beginning, given the probes' counts."""
    uids = [asked for asked in search.asked if isinstance(asked, Uids)]
    if uids:
        return Plan(min(uids, key=lambda one: (len(one.uids), _UID_RANK[one.level])), in_order=False)
    if sizes and min(sizes) <= FEW:
        return Plan(search.open_ended[sizes.index(min(sizes))], in_order=False)
    walkable = sorted(filter(_is_ordered, search.asked), key=lambda one: isinstance(one, Moments))
    return Plan(next(iter(walkable), None), in_order=True)


def page(search: Search, plan: Plan, limit: int, offset: int) -> SQL:
    """The identities of the rows of one page, in order: of study, series and instance as deep as the level goes."""
    ids = ", ".join(f"{_ALIAS[level]}.id" for level in Level if level <= search.level)
    order = [f"{_moment(plan)} DESC", "s.uid", "e.number", "e.uid", "i.number", "i.uid"][: 2 * search.level]
    tail = SQL(f" ORDER BY {', '.join(order)} LIMIT ? OFFSET ?", (limit, offset))
    return SQL(f"SELECT {ids} FROM ") + _body(search, plan) + tail


def is_counted_quickly(search: Search, plan: Plan) -> bool:
    """True when one range of one index holds exactly the matches: each of its rows stands for one."""
    if not (plan.in_order and isinstance(plan.begin, Valued) and search.level is plan.begin.level):
        return False
    return all(asked is plan.begin or isinstance(asked, Moments) for asked in search.asked)


def count(search: Search, plan: Plan, most: int = _ALL) -> SQL:
    """How many rows match, up to a bound."""
    tables = _begun(plan.begin) if is_counted_quickly(search, plan) and isinstance(plan.begin, Valued) else None
    return SQL("SELECT count(*) FROM (SELECT 1 FROM ") + _body(search, plan, tables) + SQL(" LIMIT ?)", (most,))


def _is_ordered(asked: Asked) -> bool:
    """True when the rows that the condition names can be walked in the order of the answer."""
    if isinstance(asked, Moments):
        return True
    return isinstance(asked, Valued) and not asked.in_sequence and asked.tests[0].exact is not None


def _body(search: Search, plan: Plan, tables: tuple[SQL, SQL] | None = None) -> SQL:
    joins, tie = tables or _tables(search, plan)
    moment = _moment(plan)
    tests = [_filter(asked, moment) for asked in search.asked if asked is not plan.begin]
    where = [tie, *tests] if tie.text else tests
    return joins + (SQL(" WHERE ") + joined(where, " AND ") if where else SQL(""))


def _tables(search: Search, plan: Plan) -> tuple[SQL, SQL]:
    """The joins, and what ties the first of them down, by which the plan's beginning is fulfilled."""
    begin = plan.begin
    if isinstance(begin, Valued) and plan.in_order:
        first, tie = _begun(begin)
        _, owner = _VALUES[begin.level]
        own = f"{_TABLE[begin.level]} {_ALIAS[begin.level]} ON {_ALIAS[begin.level]}.id = d.{owner}"
        return first + SQL("".join(f" CROSS JOIN {one}" for one in (own, *_rest(begin.level, search.level)))), tie
    level = begin.level if isinstance(begin, (Uids, Valued, Numbers)) else Level.STUDY
    chain = SQL(" CROSS JOIN ".join([f"{_TABLE[level]} {_ALIAS[level]}", *_rest(level, search.level)]))
    if not isinstance(begin, Valued):
        return chain, _filter(begin, _moment(plan)) if begin else SQL("")
    return chain, SQL(f"{_ALIAS[level]}.id IN (") + _named(begin) + SQL(")")


def _begun(begin: Valued) -> tuple[SQL, SQL]:
    """The table of values alone, and what ties it to one."""
    test = begin.tests[0]
    return SQL(f"{_VALUES[begin.level][0]} d"), SQL(f"d.value = {_VALUE_ID}", (test.column, test.exact))


def _moment(plan: Plan) -> str:
    """The study's moment: beside each value too, so that value and date are one range of an index."""
    return "d.moment" if plan.in_order and isinstance(plan.begin, Valued) else "s.moment"


def _rest(begun: Level, wanted: Level) -> list[str]:
    """The other tables of the chain: first up to the study, then down to the level wanted."""
    up = [
        f"{_TABLE[Level(level - 1)]} {_ALIAS[Level(level - 1)]} ON {_UP[Level(level)]}" for level in range(begun, 1, -1)
    ]
    down = [f"{_TABLE[level]} {_ALIAS[level]} ON {_UP[level]}" for level in Level if begun < level <= wanted]
    return up + down


# One condition, as a test of a row.


def _filter(asked: Asked, moment: str = "s.moment") -> SQL:
    match asked:
        case Uids(level, uids):
            return _in(f"{_ALIAS[level]}.uid", uids)
        case Moments(low, high):
            return SQL(f"{moment} >= ?", (low,)) if high is None else SQL(f"{moment} BETWEEN ? AND ?", (low, high))
        case Numbers(level, numbers):
            return _in(f"{_ALIAS[level]}.number", numbers)
        case Classes(uids):
            return _in("i.sop_class", uids)
        case Valued() if not asked.in_sequence and asked.tests[0].exact is not None:
            return _filter_exact(asked)
        case Valued():
            return _filter_valued(asked)
        case Never():
            return SQL("0")


def _in(column: str, wanted: Sequence[str | int]) -> SQL:
    if len(wanted) == 1:
        return SQL(f"{column} = ?", (wanted[0],))
    return SQL(f"{column} IN (SELECT value FROM json_each(?))", (orjson.dumps(wanted).decode(),))


def _filter_exact(asked: Valued) -> SQL:
    """The whole key of the value's row is known: one step."""
    table, owner = _VALUES[asked.level]
    test = asked.tests[0]
    row = f"f.value = {_VALUE_ID} AND f.moment = s.moment AND f.{owner} = {_ALIAS[asked.level]}.id"
    return SQL(f"EXISTS (SELECT 1 FROM {table} f WHERE {row})", (test.column, test.exact))


def _filter_valued(asked: Valued) -> SQL:
    """Look at the row's few values."""
    table, owner = _VALUES[asked.level]
    pieces = [f"{table} f0 CROSS JOIN value v0 ON v0.id = f0.value", *_within_item(asked, table, owner)]
    where = [SQL(f"f0.{owner} = {_ALIAS[asked.level]}.id"), *_tests(asked.tests)]
    return SQL(f"EXISTS (SELECT 1 FROM {' CROSS JOIN '.join(pieces)} WHERE ") + joined(where, " AND ") + SQL(")")


# One condition, as a beginning.


def _named(asked: Asked) -> SQL:
    """The identities that a condition names."""
    if isinstance(asked, Moments):
        return SQL("SELECT s.id FROM study s WHERE ") + _filter(asked)
    if isinstance(asked, Numbers):
        alias = _ALIAS[asked.level]
        return SQL(f"SELECT {alias}.id FROM {_TABLE[asked.level]} {alias} WHERE ") + _filter(asked)
    assert isinstance(asked, Valued)
    table, owner = _VALUES[asked.level]
    trigrams = asked.tests[0].trigrams
    first = ["value_trigram t", "value v0 ON v0.id = t.rowid"] if trigrams else ["value v0"]
    pieces = [*first, f"{table} f0 ON f0.value = v0.id", *_within_item(asked, table, owner)]
    where = [*([SQL("t.value_trigram MATCH ?", (trigrams,))] if trigrams else ()), *_tests(asked.tests)]
    return SQL(f"SELECT f0.{owner} FROM {' CROSS JOIN '.join(pieces)} WHERE ") + joined(where, " AND ")


def _within_item(asked: Valued, table: str, owner: str) -> list[str]:
    return [
        f"{table} f{n} ON f{n}.{owner} = f0.{owner} AND f{n}.item = f0.item"
        f" CROSS JOIN value v{n} ON v{n}.id = f{n}.value"
        for n in range(1, len(asked.tests))
    ]


def _tests(tests: Sequence[Test]) -> list[SQL]:
    return [
        SQL(f"v{n}.tag = ? AND {test.sql.format(v=f'v{n}')}", (test.column, *test.parameters))
        for n, test in enumerate(tests)
    ]
