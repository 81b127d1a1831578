"""Query -> SQL and parameters, each with a plan of its own: where to begin, and in which order to walk.

An answer's order is fixed, so there are two ways to find a page: walk in that order and test each row until the page is
full, which is quick when many match, or begin with the few rows that a condition names (`beginnings`). `probes` count,
up to a bound, what each condition names; `choose` takes the smaller road. The order of joins is written out (CROSS
JOIN), nothing is left to guessing.
"""

# ruff: noqa: S608 (all that is put together here are our own words; every outside value is a parameter)

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from dicomgate.dicom.matching import Query
from dicomgate.dicom.uids import Level, Target
from dicomgate.index import filters, order
from dicomgate.index.asked import Asked, Either, Moments, Never, Rows, Uids, Valued
from dicomgate.index.filters import ALIAS, TABLE, VALUE_ID, VALUES
from dicomgate.index.order import Key, Term
from dicomgate.index.sql import NOTHING, SQL, every, joined

FEW = 2000
"""So many rows are sorted in less time than it takes to notice."""

_UID_RANK = {Level.INSTANCE: 0, Level.STUDY: 1, Level.SERIES: 2}  # a series' UID is unique only within its study
_UP = {Level.SERIES: "s.id = e.study", Level.INSTANCE: "e.id = i.series"}
_IDENTITIES = {Level.STUDY: "s.id", Level.SERIES: "s.id, e.id", Level.INSTANCE: "s.id, e.id, i.id"}
ALL = -1  # as SQLite's LIMIT has it


@dataclass(frozen=True, slots=True)
class Plan:
    """Where to begin: at what one condition names (None: at the order's first row).

    `in_order`: rows come in the order of the answer; else they are sorted, all of them.
    """

    begin: Asked | None = None
    in_order: bool = True


@dataclass(frozen=True, slots=True)
class Search:
    """A query made ready: its conditions, its order and the level of what it finds."""

    level: Level
    asked: tuple[Asked, ...]
    terms: tuple[Term, ...]
    scope: Target | None = None
    open_ended: tuple[Asked, ...] = field(default=())  # conditions whose size must be looked at before choosing

    @property
    def is_empty(self) -> bool:
        """True when nothing can match."""
        return any(isinstance(asked, Never) for asked in self.asked)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of the answer that one statement finds: the whole of it, or those with a value and then those without.

    `terms` sort within it. `place`: only what comes behind these keys, or unless `is_open` has them. `walked`: the
    column whose values are walked.
    """

    terms: tuple[Term, ...]
    place: tuple[Key, ...] | None = None
    walked: Term | None = None
    where: SQL = NOTHING
    is_open: bool = True


def prepare(query: Query, asked: tuple[Asked, ...], terms: tuple[Term, ...]) -> Search:
    """Sort out which conditions can be a beginning."""
    return Search(query.level, asked, terms, query.scope, _open_ended(query.level, asked, terms))


def _open_ended(level: Level, asked: Sequence[Asked], terms: Sequence[Term]) -> tuple[Asked, ...]:
    beginnings = []
    for one in asked:
        if isinstance(one, Uids):
            return ()
        if filters.level_of(one) is not None:
            beginnings.append(one)
    if terms == order.standing(level) and all(map(_is_ordered, beginnings)):
        besides_dates = [one for one in beginnings if not isinstance(one, Moments)]
        if len(besides_dates) < 2:
            return ()  # a value's rows hold the date too: one walk fulfils both
    return tuple(beginnings)


def probes(search: Search) -> list[SQL]:
    """For each open-ended condition a count of what it names, up to FEW + 1."""
    return [
        SQL("SELECT count(*) FROM (") + filters.named(asked) + SQL(" LIMIT ?)", (FEW + 1,))
        for asked in search.open_ended
    ]


def choose(search: Search, sizes: Sequence[int] = ()) -> Plan:
    """The cheapest beginning, given the probes' counts."""
    uids = [asked for asked in search.asked if isinstance(asked, Uids)]
    if uids:
        return Plan(min(uids, key=lambda one: (len(one.uids), _UID_RANK[one.level])), in_order=False)
    if sizes and min(sizes) <= FEW:
        return Plan(search.open_ended[sizes.index(min(sizes))], in_order=False)
    walkable = sorted(filter(_is_ordered, search.asked), key=lambda one: isinstance(one, Moments))
    begin = next(iter(walkable), None)
    first = search.terms[0]
    if first.is_moment:
        return Plan(begin)
    return Plan() if first.column is not None else Plan(begin, in_order=False)


def stretches(search: Search, plan: Plan, place: tuple[Key, ...] | None = None) -> Iterator[Stretch]:
    """The parts of the answer, one after the other, from a place on."""
    first, *rest = search.terms
    if not plan.in_order or not first.can_lack:
        yield Stretch(search.terms, place)
        return
    moment = _moment(plan)
    if place is None or place[0] is not None:
        bare = dataclasses.replace(first, sql="{m}" if first.is_moment else "o.text", can_lack=False)
        where = SQL(f"{moment} > 0") if first.is_moment else NOTHING
        yield Stretch((bare, *rest), place, walked=None if first.is_moment else first, where=where)
    further = place[1:] if place is not None and place[0] is None else None
    lacking = f"{moment} = 0" if first.is_moment else f"{first.sql} IS NULL"
    yield Stretch(tuple(rest), further, where=SQL(lacking))


def page(search: Search, plan: Plan, stretch: Stretch, limit: int = ALL, offset: int = 0, *, columns: str = "") -> SQL:
    """The identities of rows in order, of study, series and instance as deep as the level goes; then these columns."""
    by = order.by(stretch.terms, _moment(plan, stretch))
    rows = body(search, plan, stretch)
    text = f"SELECT {_selected(search.level, columns)} FROM {rows.text} ORDER BY {by} LIMIT ? OFFSET ?"
    return SQL(text, (*rows.parameters, limit, offset))


def rows(level: Level, ids: Iterable[int], columns: str) -> SQL:
    """The same of rows whose identities are known, in no order."""
    where = filters.holds(Rows(level, tuple(ids)), "s.moment")
    return SQL(f"SELECT {_selected(level, columns)} FROM {_chain(level, level)} WHERE ") + where


def _selected(level: Level, columns: str) -> str:
    return _IDENTITIES[level] + (f", {columns}" if columns else "")


def without(search: Search, begin: Asked) -> Search:
    """What remains to be asked of rows that a beginning names."""
    rest = tuple(asked for asked in search.asked if not _is_fulfilled(asked, Plan(begin)))
    return dataclasses.replace(search, asked=rest, open_ended=())


def keys(search: Search) -> str:
    """The columns of what a row is sorted by."""
    return ", ".join(term.sql.format(m="s.moment") for term in search.terms)


def above(search: Search, plan: Plan, level: Level) -> Search | None:
    """The studies (series) that hold matches, by what is asked of them alone; None unless they are walked in order."""
    terms = tuple(term for term in search.terms if term.level <= level)
    is_in_order = plan.in_order and terms == search.terms[: len(terms)]
    if level >= search.level or not is_in_order or not terms or terms[0].can_lack:
        return None
    asked = tuple(one for one in search.asked if (own := filters.level_of(one)) is not None and own <= level)
    return dataclasses.replace(search, level=level, asked=asked, terms=terms, open_ended=())


def below(search: Search, level: Level, identity: int, place: tuple[Key, ...] | None) -> SQL:
    """The matches within one study (series), in order."""
    rows = Rows(level, (identity,))
    held = dataclasses.replace(search, asked=(rows, *search.asked))
    return page(held, Plan(rows, in_order=False), Stretch(search.terms, place))


def _is_ordered(asked: Asked) -> bool:
    """True when the rows that the condition names can be walked newest first."""
    return isinstance(asked, Moments) or filters.is_walkable(asked)


def body(search: Search, plan: Plan, stretch: Stretch, tables: tuple[SQL, SQL] | None = None) -> SQL:
    """What follows FROM: the joins in the order in which they are walked, and all conditions."""
    joins, tie = tables or _tables(search, plan, stretch)
    moment = _moment(plan, stretch)
    where = [tie] if tie.text else []
    if stretch.place is not None:
        where.append(order.after(stretch.terms, stretch.place, moment, is_open=stretch.is_open))
    where += [stretch.where] if stretch.where.text else []
    where += [filters.holds(asked, moment) for asked in search.asked if not _is_fulfilled(asked, plan)]
    return joined((joins, every(where)), " WHERE ") if where else joins


def _is_fulfilled(asked: Asked, plan: Plan) -> bool:
    """True for the condition that the plan begins with, unless beginning with it left some of it open."""
    if isinstance(asked, Either):
        return asked is plan.begin and all(len(each) == 1 for each in asked.alternatives)
    return asked is plan.begin


def _tables(search: Search, plan: Plan, stretch: Stretch) -> tuple[SQL, SQL]:
    """The joins, and what ties the first of them down, by which the plan's beginning is fulfilled."""
    begin = plan.begin
    if stretch.walked is not None:
        return _walk_of_values(search, stretch.walked)
    if isinstance(begin, Valued) and plan.in_order:
        first, tie = begun(begin)
        return first + _owned(begin.level, "d", search.level), tie
    level = (filters.level_of(begin) if begin else None) or Level.STUDY
    chain = SQL(_chain(level, search.level))
    if isinstance(begin, Valued | Either):
        return chain, SQL(f"{ALIAS[level]}.id IN (") + filters.named(begin) + SQL(")")
    return chain, filters.holds(begin, _moment(plan, stretch)) if begin else NOTHING


def _walk_of_values(search: Search, term: Term) -> tuple[SQL, SQL]:
    """All values of a column in order, and whose smallest each is."""
    table, owner = VALUES[term.level]
    smaller = f"{table} k CROSS JOIN value n ON n.id = k.value"
    same = f"k.{owner} = w.{owner} AND n.tag = ? AND n.text < o.text"
    tie = SQL(f"o.tag = ? AND NOT EXISTS (SELECT 1 FROM {smaller} WHERE {same})", (term.column, term.column))
    first = SQL(f"value o CROSS JOIN {table} w ON w.value = o.id")
    return first + _owned(term.level, "w", search.level), tie


@functools.cache
def _owned(level: Level, alias: str, wanted: Level) -> SQL:
    """The joins from a table of values to the rows wanted."""
    _, owner = VALUES[level]
    own = f"{TABLE[level]} {ALIAS[level]} ON {ALIAS[level]}.id = {alias}.{owner}"
    return SQL("".join(f" CROSS JOIN {one}" for one in (own, *_rest(level, wanted))))


def begun(begin: Valued) -> tuple[SQL, SQL]:
    """The table of values alone, and what ties it to one."""
    test = begin.tests[0]
    return SQL(f"{VALUES[begin.level][0]} d"), SQL(f"d.value = {VALUE_ID}", (test.column, test.exact))


def _moment(plan: Plan, stretch: Stretch | None = None) -> str:
    """The study's moment: beside each value too, so that value and date are one range of an index."""
    if stretch is not None and stretch.walked is not None:
        return "w.moment"
    return "d.moment" if plan.in_order and isinstance(plan.begin, Valued) else "s.moment"


@functools.cache
def _chain(begun: Level, wanted: Level) -> str:
    return " CROSS JOIN ".join([f"{TABLE[begun]} {ALIAS[begun]}", *_rest(begun, wanted)])


@functools.cache
def _rest(begun: Level, wanted: Level) -> list[str]:
    """The other tables of the chain: first up to the study, then down to the level wanted."""
    up = [
        f"{TABLE[Level(level - 1)]} {ALIAS[Level(level - 1)]} ON {_UP[Level(level)]}" for level in range(begun, 1, -1)
    ]
    down = [f"{TABLE[level]} {ALIAS[level]} ON {_UP[level]}" for level in Level if begun < level <= wanted]
    return up + down
