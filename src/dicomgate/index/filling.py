"""Columns that came later are filled, and those that leave are emptied, in steps so small that nobody waits for them.

Each step is part of a transaction and records how far it came, so that whoever goes on, goes on from there (D8). A row
that is written meanwhile brings its values along: the steps need only visit what was there before.
"""

# ruff: noqa: S608 (all that is put together here are our own words; every outside value is a parameter)

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass

import orjson

from dicomgate import errors
from dicomgate.dicom import attributes
from dicomgate.dicom.matching import AttributePath
from dicomgate.dicom.uids import Level
from dicomgate.index import registered, taken
from dicomgate.index.base import ColumnState, JSONDataset, Step
from dicomgate.index.changes import Changes
from dicomgate.index.columns import Column
from dicomgate.index.metadata import Packer
from dicomgate.index.valued import ValueTables

SECONDS = 0.02
"""What one step may take of the time of those who want to write."""

_OWN = """
CROSS JOIN instance i ON i.key = o.source CROSS JOIN description d ON d.instance = i.id
WHERE o.id > ? ORDER BY o.id
"""
_ROWS: dict[Level, str] = {
    Level.STUDY: f"SELECT o.id, o.moment, i.series, d.metadata FROM study o {_OWN}",
    Level.SERIES: f"""
        SELECT o.id, (SELECT moment FROM study WHERE id = o.study), i.series, d.metadata FROM series o {_OWN}
    """,
    Level.INSTANCE: """
        SELECT o.id, s.moment, o.series, d.metadata FROM instance o CROSS JOIN series e ON e.id = o.series
        CROSS JOIN study s ON s.id = e.study CROSS JOIN description d ON d.instance = o.id
        WHERE o.id > ? ORDER BY o.id
    """,
}
"""An owner of values, its study's moment, and the metadata of the instance whose attributes are its own."""
_LAST = {level: f"SELECT coalesce(max(id), 0) FROM {level.name.lower()}" for level in Level}
_FIRST = "SELECT number, filled FROM registered_column WHERE state = ? ORDER BY level, filled, number"
_FILLED = "UPDATE registered_column SET filled = ? WHERE number = ?"
_READY = "UPDATE registered_column SET state = ? WHERE number = ?"


@dataclass(frozen=True, slots=True)
class _Work:
    """Columns of one level that are equally far."""

    level: Level
    filled: int
    together: tuple[Column, ...]


def promote(changes: Changes, path: AttributePath, creator: str) -> bool:
    """Register the attribute; False when it can be searched with the index already, or will be."""
    changes.finish()
    is_new = registered.promote(changes.connection, path, creator)
    changes.read_columns()
    return is_new


def demote(changes: Changes, path: AttributePath, creator: str) -> None:
    """Let it leave. Raises NotFound when it was not promoted."""
    changes.finish()
    if not registered.demote(changes.connection, path, creator):
        raise errors.NotFound(f"{attributes.format_path(path)} was not promoted")
    changes.read_columns()


def step(changes: Changes) -> Step | None:
    """Do a little of what is to be done; None when nothing is. The transaction is the caller's."""
    changes.finish()
    connection = changes.connection
    deadline = time.monotonic() + SECONDS
    done: Step | None = None
    if (work := _find_work(connection)) is not None:
        done = _fill(connection, work, deadline)
    elif (leaving := connection.execute(_FIRST, (ColumnState.LEAVING.value,)).fetchone()) is not None:
        done = _empty(connection, leaving[0], deadline)
    changes.read_columns()
    return done


def is_needed(connection: sqlite3.Connection) -> bool:
    """True when there is something to be filled or taken away."""
    return any(state is not ColumnState.READY for _, state in registered.read(connection).registered)


def _find_work(connection: sqlite3.Connection) -> _Work | None:
    rows = connection.execute(_FIRST, (ColumnState.BUILDING.value,)).fetchall()
    if not rows:
        return None
    known = {column.number: column for column, _ in registered.read(connection).registered}
    first, filled = known[rows[0][0]], rows[0][1]
    together = [known[number] for number, place in rows if place == filled and known[number].level is first.level]
    return _Work(first.level, filled, tuple(together))


def _fill(connection: sqlite3.Connection, work: _Work, deadline: float) -> Step:
    values = ValueTables(connection, registered.read(connection))
    unpacking = _Unpacking(connection)
    done, last, is_all = 0, work.filled, True
    with closing(connection.execute(_ROWS[work.level], (work.filled,))) as rows:
        for owner, moment, series, packed in rows:
            if time.monotonic() > deadline and done:
                is_all = False
                break
            values.add(work.level, owner, moment, taken.values_of(work.together, unpacking.dataset(series, packed)))
            done, last = done + 1, owner
    numbers = [column.number for column in work.together]
    connection.executemany(_FILLED, [(last, number) for number in numbers])
    if is_all:
        connection.executemany(_READY, [(ColumnState.READY.value, number) for number in numbers])
    return Step(done, max(0, connection.execute(_LAST[work.level]).fetchone()[0] - last))


def _empty(connection: sqlite3.Connection, number: int, deadline: float) -> Step:
    known = registered.read(connection)
    (level,) = {column.level for column, _ in known.registered if column.number == number}
    values = ValueTables(connection, known)
    done = 0
    while time.monotonic() < deadline or not done:
        taken_away = values.take_away(level, number)
        if not taken_away:
            registered.forget(connection, number)
            break
        done += taken_away
    return Step(done, 0)


class _Unpacking:
    """Metadata as data sets; most rows are of the same series as the one before."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._packers: dict[int, Packer] = {}

    def dataset(self, series: int, packed: bytes) -> JSONDataset:
        if series not in self._packers:
            row = self._connection.execute("SELECT content FROM dictionary WHERE series = ?", (series,)).fetchone()
            self._packers = {series: Packer(row[0])}
        dataset: JSONDataset = orjson.loads(self._packers[series].unpack(packed))
        return dataset
