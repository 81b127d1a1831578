"""The tables of values that can be matched: what study, series and instance has which, each distinct text kept once."""

# ruff: noqa: S608 (all that is put together here are our own words; every outside value is a parameter)

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import suppress

from dicomgate.dicom.uids import Level
from dicomgate.index.columns import Columns
from dicomgate.index.taken import Value

_TABLES: dict[Level, tuple[str, str]] = {
    Level.STUDY: ("study_value", "study"),
    Level.SERIES: ("series_value", "series"),
    Level.INSTANCE: ("instance_value", "instance"),
}
_OF = {
    level: f"SELECT v.id, v.tag, v.text, f.item FROM {table} f JOIN value v ON v.id = f.value WHERE f.{owner} = ?"
    for level, (table, owner) in _TABLES.items()
}
_INSERT = {
    level: f"INSERT OR IGNORE INTO {table} VALUES (:value, :moment, :owner, :item)"
    for level, (table, _) in _TABLES.items()
}
_DELETE = {
    level: f"DELETE FROM {table} WHERE value = :value AND moment = :moment AND {owner} = :owner AND item = :item"
    for level, (table, owner) in _TABLES.items()
}
_WITH = {
    level: f"SELECT value, moment, {owner}, item FROM {table} WHERE value = :value LIMIT :most"
    for level, (table, owner) in _TABLES.items()
}
_BATCH = 200
_FORGET = "DELETE FROM value WHERE id = :id" + "".join(
    f" AND NOT EXISTS (SELECT 1 FROM {table} WHERE value = :id)" for table, _ in _TABLES.values()
)
_MOVE = (
    "UPDATE study_value SET moment = :moment WHERE study = :study",
    "UPDATE series_value SET moment = :moment WHERE series IN (SELECT id FROM series WHERE study = :study)",
)
_MOVE_INSTANCES = """
UPDATE instance_value SET moment = :moment WHERE instance IN
(SELECT i.id FROM series e CROSS JOIN instance i ON i.series = e.id WHERE e.study = :study)
"""


class ValueTables:
    """Within one transaction. A text that nobody has any more is forgotten: it may be a patient's name."""

    def __init__(self, connection: sqlite3.Connection, columns: Columns) -> None:
        self._connection = connection
        self._execute = connection.execute
        self._columns = columns
        self._ids: dict[tuple[int, str], int] = {}

    def add(self, level: Level, owner: int, moment: int, wanted: Iterable[Value]) -> None:
        """The study (series, instance) has these values too."""
        rows = [
            {"value": self._id(one), "moment": moment, "owner": owner, "item": one.item}
            for one in sorted(wanted, key=lambda one: (one.column, one.text, one.item))
        ]
        self._connection.executemany(_INSERT[level], rows)

    def replace(self, level: Level, owner: int, moment: int, wanted: Iterable[Value]) -> None:
        """The study (series, instance) has these values and no others."""
        stored = {
            Value(tag, text, item): id_ for id_, tag, text, item in self._execute(_OF[level], (owner,)).fetchall()
        }
        wanted = set(wanted)
        gone = stored.keys() - wanted
        rows = [{"value": stored[one], "moment": moment, "owner": owner, "item": one.item} for one in gone]
        self._connection.executemany(_DELETE[level], rows)
        for one in gone:
            self._forget(stored[one], one)
        self.add(level, owner, moment, wanted - stored.keys())

    def take_away(self, level: Level, column: int) -> int:
        """Take a column's values away, a few rows of one text; how many, 0 when nothing is left."""
        found = self._execute("SELECT id, text FROM value WHERE tag = ? LIMIT 1", (column,)).fetchone()
        if found is None:
            return 0
        rows = self._execute(_WITH[level], {"value": found[0], "most": _BATCH}).fetchall()
        names = ("value", "moment", "owner", "item")
        self._connection.executemany(_DELETE[level], [dict(zip(names, row, strict=True)) for row in rows])
        if len(rows) < _BATCH:
            self._forget(found[0], Value(column, found[1]))
        return max(1, len(rows))

    def move(self, study: int, moment: int) -> None:
        """The study's date or time changed."""
        for sql in (*_MOVE, *([_MOVE_INSTANCES] if self._columns.has_instance_values else [])):
            self._execute(sql, {"moment": moment, "study": study})

    def texts(self, level: Level, owner: int, column: int) -> set[str]:
        """A study's (series') values in one column."""
        return {text for _, tag, text, _ in self._execute(_OF[level], (owner,)) if tag == column}

    def _id(self, value: Value) -> int:
        known = self._ids.get((value.column, value.text))
        if known is None:
            known = self._ids[value.column, value.text] = self._find(value) or self._insert(value)
        return known

    def _find(self, value: Value) -> int | None:
        row = self._execute("SELECT id FROM value WHERE tag = ? AND text = ?", (value.column, value.text)).fetchone()
        return row[0] if row else None

    def _insert(self, value: Value) -> int:
        number = self._execute("INSERT INTO value VALUES (NULL, ?, ?)", (value.column, value.text)).lastrowid
        assert number is not None
        if self._columns.has_trigrams(value.column):
            self._execute("INSERT INTO value_trigram (rowid, text) VALUES (?, ?)", (number, value.text))
        return number

    def _forget(self, number: int, value: Value) -> None:
        if not self._execute(_FORGET, {"id": number}).rowcount:
            return
        with suppress(KeyError):
            del self._ids[value.column, value.text]
        if self._columns.has_trigrams(value.column):
            sql = "INSERT INTO value_trigram (value_trigram, rowid, text) VALUES ('delete', ?, ?)"
            self._execute(sql, (number, value.text))
