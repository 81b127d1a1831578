"""The tables of values that can be matched: which study and which series has which, each distinct text kept once."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import suppress

from dicomgate.dicom.uids import Level
from dicomgate.index import columns
from dicomgate.index.columns import Value

_OF: dict[Level, str] = {
    Level.STUDY: """
        SELECT v.id, v.tag, v.text, 0 FROM study_value f JOIN value v ON v.id = f.value WHERE f.study = ?
    """,
    Level.SERIES: """
        SELECT v.id, v.tag, v.text, f.item FROM series_value f JOIN value v ON v.id = f.value WHERE f.series = ?
    """,
}
_INSERT: dict[Level, str] = {
    Level.STUDY: "INSERT OR IGNORE INTO study_value VALUES (:value, :moment, :owner)",
    Level.SERIES: "INSERT OR IGNORE INTO series_value VALUES (:value, :moment, :owner, :item)",
}
_DELETE: dict[Level, str] = {
    Level.STUDY: "DELETE FROM study_value WHERE value = :value AND moment = :moment AND study = :owner",
    Level.SERIES: """
        DELETE FROM series_value WHERE value = :value AND moment = :moment AND series = :owner AND item = :item
    """,
}
_FORGET = """
DELETE FROM value WHERE id = :id AND NOT EXISTS (SELECT 1 FROM study_value WHERE value = :id)
AND NOT EXISTS (SELECT 1 FROM series_value WHERE value = :id)
"""
_MOVE_SERIES = "UPDATE series_value SET moment = ? WHERE series IN (SELECT id FROM series WHERE study = ?)"


class ValueTables:
    """Within one transaction. A text that nobody has any more is forgotten: it may be a patient's name."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._execute = connection.execute
        self._ids: dict[tuple[int, str], int] = {}

    def add(self, level: Level, owner: int, moment: int, wanted: Iterable[Value]) -> None:
        """The study (series) has these values too."""
        rows = [
            {"value": self._id(one), "moment": moment, "owner": owner, "item": one.item}
            for one in sorted(wanted, key=lambda one: (one.column, one.text, one.item))
        ]
        self._connection.executemany(_INSERT[level], rows)

    def replace(self, level: Level, owner: int, moment: int, wanted: Iterable[Value]) -> None:
        """The study (series) has these values and no others."""
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

    def move(self, study: int, moment: int) -> None:
        """The study's date or time changed."""
        self._execute("UPDATE study_value SET moment = ? WHERE study = ?", (moment, study))
        self._execute(_MOVE_SERIES, (moment, study))

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
        if value.column in columns.TRIGRAMMED:
            self._execute("INSERT INTO value_trigram (rowid, text) VALUES (?, ?)", (number, value.text))
        return number

    def _forget(self, number: int, value: Value) -> None:
        if not self._execute(_FORGET, {"id": number}).rowcount:
            return
        with suppress(KeyError):
            del self._ids[value.column, value.text]
        if value.column in columns.TRIGRAMMED:
            sql = "INSERT INTO value_trigram (value_trigram, rowid, text) VALUES ('delete', ?, ?)"
            self._execute(sql, (number, value.text))
