"""The list of columns that came after an index was made, kept in the index itself: every process sees the same."""

from __future__ import annotations

import functools
import sqlite3

from dicomgate.dicom.uids import Level
from dicomgate.index import columns
from dicomgate.index.columns import Column, Columns, Kind, State

_LIST = "SELECT number, level, path, creator, kind, state FROM registered_column ORDER BY number"
_INSERT = """
INSERT OR IGNORE INTO registered_column
SELECT ?, ?, ?, ?, ?, CASE WHEN EXISTS (SELECT 1 FROM study) THEN ? ELSE ? END, 0
"""
_Row = tuple[int, int, str, str, str, str]


def read(connection: sqlite3.Connection) -> Columns:
    """What can be matched in the moment that the connection's transaction sees."""
    return _columns(tuple(connection.execute(_LIST).fetchall()))


@functools.lru_cache(maxsize=8)
def _columns(rows: tuple[_Row, ...]) -> Columns:
    """Made once for each list: it changes hardly ever."""
    return Columns([(_column(row), State(row[-1])) for row in rows])


def _column(row: _Row) -> Column:
    number, level, path, creator, kind, _ = row
    known = columns.LATER.get(number)
    return known or Column(tuple(path.split(".")), Level(level), Kind(kind), number, creator=creator)


def add(connection: sqlite3.Connection, column: Column) -> None:
    """Register a column: ready at once where nothing is stored, else to be filled."""
    path = ".".join(column.path)
    states = (State.BUILDING.value, State.READY.value)
    row = (column.number, column.level, path, column.creator, column.kind.value, *states)
    connection.execute(_INSERT, row)


def add_built_in(connection: sqlite3.Connection) -> None:
    """Register what is built in since this index was made."""
    for column in columns.LATER.values():
        add(connection, column)
