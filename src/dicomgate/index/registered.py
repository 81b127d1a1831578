"""The list of columns that came after an index was made, kept in the index itself: every process sees the same."""

from __future__ import annotations

import functools
import sqlite3

from dicomgate.dicom.matching import AttributePath
from dicomgate.dicom.uids import Level
from dicomgate.index import columns, promotion
from dicomgate.index.base import ColumnState, Promoted
from dicomgate.index.columns import Column, Columns, Kind

_LIST = "SELECT number, level, path, creator, kind, state FROM registered_column ORDER BY number"
_INSERT = """
INSERT OR IGNORE INTO registered_column
SELECT ?, ?, ?, ?, ?, CASE WHEN EXISTS (SELECT 1 FROM study) THEN ? ELSE ? END, 0
"""
_NEXT_NUMBER = "SELECT max(?, coalesce(max(number) + 1, 0)) FROM registered_column"
_LEAVE = """
UPDATE registered_column SET state = ?, filled = 0 WHERE state <> ? AND path = ? AND creator = ? AND number >= ?
"""
_Row = tuple[int, int, str, str, str, str]


def read(connection: sqlite3.Connection) -> Columns:
    """What can be matched in the moment that the connection's transaction sees."""
    return _columns(tuple(connection.execute(_LIST).fetchall()))


@functools.lru_cache(maxsize=8)
def _columns(rows: tuple[_Row, ...]) -> Columns:
    """Made once for each list: it changes hardly ever."""
    return Columns([(_column(row), ColumnState(row[-1])) for row in rows])


def _column(row: _Row) -> Column:
    number, level, path, creator, kind, _ = row
    known = columns.LATER.get(number)
    return known or columns.registered(tuple(path.split(".")), Level(level), Kind(kind), number, creator)


def add(connection: sqlite3.Connection, column: Column) -> None:
    """Register a column: ready at once where nothing is stored, else to be filled."""
    path = ".".join(column.path)
    states = (ColumnState.BUILDING.value, ColumnState.READY.value)
    row = (column.number, column.level, path, column.creator, column.kind.value, *states)
    connection.execute(_INSERT, row)


def add_built_in(connection: sqlite3.Connection) -> None:
    """Register what is built in since this index was made."""
    for column in columns.LATER.values():
        add(connection, column)


def forget(connection: sqlite3.Connection, number: int) -> None:
    """The column has left."""
    connection.execute("DELETE FROM registered_column WHERE number = ?", (number,))


def promote(connection: sqlite3.Connection, path: AttributePath, creator: str) -> bool:
    """Register an attribute; False when it is there already. Malformed when it cannot be promoted."""
    bare = columns.without_blocks(path)
    known = [column for column, state in read(connection).registered if state is not ColumnState.LEAVING]
    if bare in columns.COLUMNS or any((column.path, column.creator) == (bare, creator) for column in known):
        return False
    (first,) = connection.execute(_NEXT_NUMBER, (columns.PROMOTED,)).fetchone()
    for column in promotion.new_columns(path, creator, first):
        add(connection, column)
    return True


def demote(connection: sqlite3.Connection, path: AttributePath, creator: str) -> int:
    """Let a promoted attribute's columns leave. How many there were."""
    name = (
        ColumnState.LEAVING.value,
        ColumnState.LEAVING.value,
        ".".join(columns.without_blocks(path)),
        creator,
        columns.PROMOTED,
    )
    return connection.execute(_LEAVE, name).rowcount


def promoted(connection: sqlite3.Connection) -> list[Promoted]:
    """Every promoted attribute, and how far it is; of a name's two columns the one that is less far."""
    found: dict[tuple[AttributePath, str], Promoted] = {}
    for column, state in read(connection).registered:
        name = (column.path, column.creator)
        if column.number < columns.PROMOTED:
            continue
        if name not in found or state is not ColumnState.READY:
            found[name] = Promoted(path=column.path, creator=column.creator, level=column.level, state=state)
    return list(found.values())
