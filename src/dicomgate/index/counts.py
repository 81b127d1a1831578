"""How many match: by one range of one index, by looking, or as it is written down (PS3.18 §8.3.4.4)."""

# ruff: noqa: S608 (all that is put together here are our own words; every outside value is a parameter)

from __future__ import annotations

from collections.abc import Sequence

from dicomgate.dicom.uids import Level
from dicomgate.index import compile, filters  # noqa: A004
from dicomgate.index.asked import Moments, Uids, Valued
from dicomgate.index.compile import Plan, Search, Stretch
from dicomgate.index.order import Key
from dicomgate.index.sql import SQL

_TALLIED = {Level.STUDY: "studies", Level.SERIES: "series", Level.INSTANCE: "instances"}


def counting(search: Search, plan: Plan, sizes: Sequence[int]) -> Plan:
    """How the matches are counted soonest: in no order, so by one range of values, or what the narrowest names."""
    walkable = [asked for asked in search.asked if filters.is_walkable(asked)]
    if len(walkable) == 1 and is_counted_quickly(search, Plan(walkable[0])):
        return Plan(walkable[0])
    return Plan(search.open_ended[sizes.index(min(sizes))], in_order=False) if sizes else plan


def is_counted_quickly(search: Search, plan: Plan) -> bool:
    """True when one range of one index holds exactly the matches: each of its rows stands for one."""
    begin = plan.begin
    if not (plan.in_order and isinstance(begin, Valued) and search.level is begin.level):
        return False
    return all(asked is begin or isinstance(asked, Moments) for asked in search.asked)


def count(search: Search, plan: Plan, place: tuple[Key, ...] | None = None, most: int = compile.ALL) -> SQL:
    """How many rows match, from a place on, up to a bound."""
    begin = plan.begin
    is_bare = place is None and is_counted_quickly(search, plan) and isinstance(begin, Valued)
    tables = compile.begun(begin) if is_bare and isinstance(begin, Valued) else None
    body = compile.body(search, plan, Stretch(search.terms, place), tables)
    if most == compile.ALL:
        return SQL("SELECT count(*) FROM ") + body
    return SQL("SELECT count(*) FROM (SELECT 1 FROM ") + body + SQL(" LIMIT ?)", (most,))


def count_stretch(search: Search, plan: Plan, stretch: Stretch) -> SQL:
    """How many rows match in one part of the answer."""
    return SQL("SELECT count(*) FROM ") + compile.body(search, plan, stretch)


def kept_count(search: Search) -> SQL | None:
    """How many there are where that is written down: of everything, or of all of one study or series."""
    scope = search.scope
    if scope is None:
        return None if search.asked else SQL(f"SELECT {_TALLIED[search.level]} FROM tally")
    if not all(isinstance(asked, Uids) for asked in search.asked) or len(search.asked) != scope.level:
        return None
    if scope.level is Level.STUDY:
        counted = "number_of_series" if search.level is Level.SERIES else "number_of_instances"
        return SQL(f"SELECT coalesce(max({counted}), 0) FROM study WHERE uid = ?", (scope.study,))
    rows = "study s CROSS JOIN series e ON e.study = s.id AND e.uid = ?"
    counted = "SELECT coalesce(max(e.number_of_instances), 0)"
    return SQL(f"{counted} FROM {rows} WHERE s.uid = ?", (scope.series, scope.study))
