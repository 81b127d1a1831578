"""Several values of one item, such as the words of a name: which values they are is looked up before any row is.

Of few values each row is one step away, and the rarest of them is where to begin: a family name that five hundred share
is not looked through for a given name that is borne by three.
"""

# ruff: noqa: S608 (all that is put together here are our own words; every outside value is a parameter)

from __future__ import annotations

import dataclasses
import sqlite3

from dicomgate.index import connections, filters
from dicomgate.index.asked import Asked, Never, Test, Uids, Valued

MOST = 32
"""Values that one test is narrowed to; more are tested as texts."""
_ENOUGH = 500
"""Rows of one value that are counted."""
_STEPS = 1_000_000


def narrowed(connection: sqlite3.Connection, asked: tuple[Asked, ...]) -> tuple[Asked, ...]:
    """The same with the tests of each item narrowed, the rarest first; not beside UIDs, which name few enough."""
    if any(isinstance(one, Uids) for one in asked):
        return asked
    return tuple(_narrowed(connection, one) if isinstance(one, Valued) and len(one.tests) > 1 else one for one in asked)


def _narrowed(connection: sqlite3.Connection, asked: Valued) -> Asked:
    found = [_looked_up(connection, asked, test) for test in asked.tests]
    if any(test.ids == () for test, _ in found):
        return Never()
    found.sort(key=lambda each: each[1])  # stable: of those that name many the first stays the first
    return dataclasses.replace(asked, tests=tuple(test for test, _ in found))


def _looked_up(connection: sqlite3.Connection, asked: Valued, test: Test) -> tuple[Test, float]:
    """The test by the values that pass it, and how many rows have these; unless they are many."""
    many = (test, float("inf"))
    if not test.is_searched:
        return many
    table, _ = filters.VALUES[asked.level]
    of_value = f"SELECT count(*) FROM (SELECT 1 FROM {table} f WHERE f.value = v.id LIMIT ?)"
    sql = f"SELECT v.id, ({of_value}) FROM value v WHERE v.tag = ? AND {test.sql.format(v='v')} LIMIT ?"
    parameters = (_ENOUGH, test.column, *test.parameters, MOST + 1)
    rows = connections.within(connection, _STEPS, lambda: connection.execute(sql, parameters).fetchall())
    if rows is None or len(rows) > MOST:
        return many
    return dataclasses.replace(test, ids=tuple(id_ for id_, _ in rows)), sum(count for _, count in rows)
