"""What one transaction changes. Studies and series touched are remembered, and written once at its end.

A study's (series') attributes are those of the instance with the smallest key. While instances come in order of
arrival that is the first; when that one goes, or an earlier one comes later, `_settle` finds it again.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from dicomgate.dicom.outcomes import Refused
from dicomgate.dicom.uids import Level, Target
from dicomgate.index import answers, columns, values
from dicomgate.index.base import Added, ChangeKind, Entry, JSONDataset, Judge, Known, Surroundings, Verdict
from dicomgate.index.columns import Value
from dicomgate.index.metadata import Packer, make_dictionary
from dicomgate.index.valued import ValueTables

_CLASS = int(columns.SOP_CLASS, 16)
_MODALITIES = int(columns.MODALITIES, 16)
_BATCH = 500

_STUDY = """
SELECT id, uid, moment, source, patient, modalities, number_of_series, number_of_instances, size
FROM study WHERE uid = ?
"""
_SERIES = """
SELECT id, source, modality, number_of_instances FROM series WHERE uid = ? AND study = ?
"""
_SERIES_STUDY = "SELECT s.uid FROM series e JOIN study s ON s.id = e.study WHERE e.uid = ? LIMIT 1"
_KNOWN = """
SELECT i.id, i.uid, e.uid, s.uid, i.digest, i.original_digest, i.key, i.size
FROM instance i JOIN series e ON e.id = i.series JOIN study s ON s.id = e.study
"""
_INSERT_STUDY = "INSERT INTO study VALUES (NULL, ?, ?, ?, ?, '[]', 0, 0, 0, ?, ?)"
_INSERT_SERIES = "INSERT INTO series VALUES (NULL, ?, ?, ?, ?, ?, 0, ?, ?)"
_INSERT_INSTANCE = "INSERT INTO instance VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_UPDATE_STUDY = """
UPDATE study SET modalities = ?, number_of_series = ?, number_of_instances = ?, size = ? WHERE id = ?
"""
_DELETE = (
    "DELETE FROM frame_chunk WHERE instance IN (SELECT value FROM json_each(?))",
    "DELETE FROM description WHERE instance IN (SELECT value FROM json_each(?))",
    "DELETE FROM instance WHERE id IN (SELECT value FROM json_each(?))",
)
_METADATA = """
SELECT d.metadata, c.content FROM instance i
JOIN description d ON d.instance = i.id JOIN dictionary c ON c.series = i.series WHERE i.key = ?
"""


@dataclass(slots=True)
class _Study:
    id: int
    uid: str
    moment: int
    source: str
    patient: str
    modalities: set[str]
    series: int
    instances: int
    size: int
    is_changed: bool = False
    needs_settling: bool = False


@dataclass(slots=True)
class _Series:
    id: int
    uid: str
    study: _Study
    source: str
    modality: str
    instances: int
    classes: set[str] = field(default_factory=set)
    packer: Packer | None = None
    is_changed: bool = False
    needs_settling: bool = False


@dataclass(frozen=True, slots=True)
class _Stored:
    """A row as far as removing it needs to know."""

    id: int
    target: Target
    digest: str
    original_digest: str
    key: str
    size: int


class Changes:
    """The deeds of one open transaction; `finish` before it is committed. Nothing here outlives the transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._execute = connection.execute
        self._studies: dict[str, _Study] = {}
        self._series: dict[tuple[int, str], _Series] = {}
        self._values = ValueTables(connection)
        self._journal: list[tuple[float, str, str, str, str]] = []
        self._now = time.time()
        self._has_tombstones = bool(connection.execute("SELECT EXISTS (SELECT 1 FROM tombstone)").fetchone()[0])

    @property
    def connection(self) -> sqlite3.Connection:
        """The transaction's connection, for tables that stand alone."""
        return self._connection

    # Deeds.

    def add(self, entry: Entry, judge: Judge) -> Added:
        """Add one instance as the judge decides."""
        stored = self._find_stored(entry.target)
        known = Known(stored.target, stored.digest, stored.original_digest, stored.key) if stored else None
        study = self._find_study(entry.target.study)
        surroundings = Surroundings(known, self._series_study(entry.target), study.patient if study else None)
        verdict = judge(surroundings, entry)
        if isinstance(verdict, Refused) or verdict in (Verdict.SAME, Verdict.KEEP_OLD):
            return Added(verdict, known)
        assert (verdict is Verdict.REPLACE) == (stored is not None), "the judge mistook what is stored"
        kind = ChangeKind.STORED
        if stored is not None:
            kind = ChangeKind.REPLACED
            self._drop([stored], is_garbage=stored.key != entry.key)  # a file in place replaces itself
        self._insert(entry)
        self._note(kind, entry.target)
        return Added(verdict, known)

    def remove(self, target: Target) -> int:
        """Remove on request: what was here is remembered, the bytes become garbage."""
        self.finish()
        stored = self._select_stored(*_where(target))
        self._drop(stored, is_garbage=True)
        targets = [one.target for one in stored] + self._emptied()
        rows = [(one.study, one.series or "", one.instance or "") for one in targets]
        self._connection.executemany("INSERT OR IGNORE INTO tombstone VALUES (?, ?, ?)", rows)
        self._has_tombstones = self._has_tombstones or bool(rows)
        for one in stored:
            self._note(ChangeKind.REMOVED, one.target)
        self.finish()
        return len(stored)

    def forget(self, keys: Sequence[str]) -> list[str]:
        """Take out what was indexed under these keys, whose bytes are not ours. The instances' UIDs."""
        self.finish()
        stored = self._select_stored("i.key IN (SELECT value FROM json_each(?))", (_json(keys),))
        self._drop(stored, is_garbage=False)
        for one in stored:
            self._note(ChangeKind.REMOVED, one.target)
        self.finish()
        return [str(one.target.instance) for one in stored]

    def finish(self) -> None:
        """Write what was gathered: counts, attributes that come from another instance now, the journal."""
        for series in list(self._series.values()):
            self._finish_series(series)
        for study in list(self._studies.values()):
            self._finish_study(study)
        self._connection.executemany("INSERT INTO journal VALUES (NULL, ?, ?, ?, ?, ?)", self._journal)
        self._journal.clear()
        self._series.clear()
        self._studies.clear()

    # Looking up.

    def _find_stored(self, target: Target) -> _Stored | None:
        found = self._select_stored("i.uid = ?", (target.instance,))
        return found[0] if found else None

    def _select_stored(self, where: str, parameters: Sequence[Any]) -> list[_Stored]:
        rows = self._execute(f"{_KNOWN} WHERE {where}", parameters).fetchall()
        return [
            _Stored(id_, Target(study, series, uid), digest.hex(), original.hex(), key, size)
            for id_, uid, series, study, digest, original, key, size in rows
        ]

    def _find_study(self, uid: str) -> _Study | None:
        study = self._studies.get(uid)
        if study is None and (row := self._execute(_STUDY, (uid,)).fetchone()):
            id_, _, moment, source, patient, modalities, *counts = row
            study = _Study(id_, uid, moment, source, patient, set(orjson.loads(modalities)), *counts)
            self._studies[uid] = study
        return study

    def _find_series(self, target: Target) -> _Series | None:
        study, uid = self._find_study(target.study), str(target.series)
        if study is None:
            return None
        series = self._series.get((study.id, uid))
        if series is None and (row := self._execute(_SERIES, (uid, study.id)).fetchone()):
            id_, source, modality, instances = row
            series = _Series(id_, uid, study, source, modality, instances)
            series.classes = self._values.texts(Level.SERIES, series.id, _CLASS)
            self._series[study.id, uid] = series
        return series

    def _series_study(self, target: Target) -> str | None:
        if self._find_series(target) is not None:
            return target.study
        row = self._execute(_SERIES_STUDY, (target.series,)).fetchone()
        return row[0] if row else None

    def _packer(self, series: _Series) -> Packer:
        if series.packer is None:
            row = self._execute("SELECT content FROM dictionary WHERE series = ?", (series.id,)).fetchone()
            series.packer = Packer(row[0])
        return series.packer

    # Adding.

    def _insert(self, entry: Entry) -> None:
        study = self._find_study(entry.target.study) or self._insert_study(entry)
        series = self._find_series(entry.target) or self._insert_series(entry, study)
        if entry.key < study.source:
            self._take_study(study, entry.key, entry.attributes)
        if entry.key < series.source:
            self._take_series(series, entry.key, entry.attributes)
        self._insert_instance(entry, series)
        if entry.sop_class not in series.classes:
            series.classes.add(entry.sop_class)
            self._values.add(Level.SERIES, series.id, study.moment, [Value(_CLASS, entry.sop_class)])
        series.instances += 1
        study.instances += 1
        study.size += entry.size
        series.is_changed = study.is_changed = True
        if self._has_tombstones:
            self._clear_tombstones(entry.target)

    def _insert_study(self, entry: Entry) -> _Study:
        uid, dataset = entry.target.study, entry.attributes
        texts = answers.level_texts(Target(uid), dataset)
        moment, patient = columns.study_moment(dataset), columns.first_text(dataset, columns.PATIENT_ID)
        row = self._execute(_INSERT_STUDY, (uid, moment, entry.key, patient, texts.answer, texts.more))
        study = self._studies[uid] = _Study(_id(row), uid, moment, entry.key, patient, set(), 0, 0, 0)
        self._values.add(Level.STUDY, study.id, moment, columns.level_values(Level.STUDY, dataset))
        return study

    def _insert_series(self, entry: Entry, study: _Study) -> _Series:
        uid, dataset = str(entry.target.series), entry.attributes
        texts = answers.level_texts(Target(study.uid, uid), dataset)
        modality = columns.first_text(dataset, columns.MODALITY)
        number = values.number(dataset.get(columns.SERIES_NUMBER))
        parameters = (uid, study.id, number, entry.key, modality, texts.answer, texts.more)
        series = _Series(_id(self._execute(_INSERT_SERIES, parameters)), uid, study, entry.key, modality, 0)
        self._series[study.id, uid] = series
        dictionary = make_dictionary(entry.metadata)
        self._execute("INSERT INTO dictionary VALUES (?, ?)", (series.id, dictionary))
        self._values.add(Level.SERIES, series.id, study.moment, columns.level_values(Level.SERIES, dataset))
        study.series += 1
        self._add_modality(study, modality)
        return series

    def _add_modality(self, study: _Study, modality: str) -> None:
        if modality and modality not in study.modalities:
            study.modalities.add(modality)
            self._values.add(Level.STUDY, study.id, study.moment, [Value(_MODALITIES, modality)])

    def _insert_instance(self, entry: Entry, series: _Series) -> None:
        number = values.number(entry.attributes.get(columns.INSTANCE_NUMBER))
        digests = [bytes.fromhex(text) for text in (entry.digest, entry.original_digest)]
        identity = (entry.target.instance, series.id, number, entry.key)
        kind = (entry.sop_class, entry.transfer_syntax, entry.size, *digests, entry.received)
        rest = (int(entry.is_lossy), entry.frame_count, answers.pack_instance(entry.attributes))
        instance = _id(self._execute(_INSERT_INSTANCE, identity + kind + rest))
        packed = self._packer(series).pack(entry.metadata)
        self._execute("INSERT INTO description VALUES (?, ?, ?)", (instance, entry.layout, packed))
        if entry.frame_chunks:
            chunks = [(instance, number, chunk) for number, chunk in enumerate(entry.frame_chunks)]
            self._connection.executemany("INSERT INTO frame_chunk VALUES (?, ?, ?)", chunks)

    def _clear_tombstones(self, target: Target) -> None:
        rows = [
            (target.study, "", ""),
            (target.study, target.series, ""),
            (target.study, target.series, target.instance),
        ]
        self._connection.executemany("DELETE FROM tombstone WHERE study = ? AND series = ? AND instance = ?", rows)

    def _note(self, kind: ChangeKind, target: Target) -> None:
        self._journal.append((self._now, kind.value, target.study, str(target.series), str(target.instance)))

    # Attributes from another instance.

    def _take_study(self, study: _Study, key: str, dataset: JSONDataset) -> None:
        texts = answers.level_texts(Target(study.uid), dataset)
        moment = columns.study_moment(dataset)
        study.source, study.patient = key, columns.first_text(dataset, columns.PATIENT_ID)
        parameters = (moment, key, study.patient, texts.answer, texts.more, study.id)
        sql = "UPDATE study SET moment = ?, source = ?, patient = ?, answer = ?, more = ? WHERE id = ?"
        self._execute(sql, parameters)
        if moment != study.moment:
            study.moment = moment
            self._values.move(study.id, moment)
        keep = {Value(_MODALITIES, modality) for modality in study.modalities}
        self._values.replace(Level.STUDY, study.id, moment, columns.level_values(Level.STUDY, dataset) | keep)

    def _take_series(self, series: _Series, key: str, dataset: JSONDataset) -> None:
        texts = answers.level_texts(Target(series.study.uid, series.uid), dataset)
        modality = columns.first_text(dataset, columns.MODALITY)
        number = values.number(dataset.get(columns.SERIES_NUMBER))
        parameters = (number, key, modality, texts.answer, texts.more, series.id)
        sql = "UPDATE series SET number = ?, source = ?, modality = ?, answer = ?, more = ? WHERE id = ?"
        self._execute(sql, parameters)
        keep = {Value(_CLASS, uid) for uid in series.classes}
        wanted = columns.level_values(Level.SERIES, dataset) | keep
        self._values.replace(Level.SERIES, series.id, series.study.moment, wanted)
        if modality != series.modality:
            series.study.needs_settling = True
        series.source, series.modality = key, modality

    def _attributes(self, key: str) -> JSONDataset:
        packed, dictionary = self._execute(_METADATA, (key,)).fetchone()
        dataset: JSONDataset = orjson.loads(Packer(dictionary).unpack(packed))
        return dataset

    # Removing, and what follows from it.

    def _drop(self, stored: Sequence[_Stored], *, is_garbage: bool) -> None:
        for start in range(0, len(stored), _BATCH):
            ids = (_json([one.id for one in stored[start : start + _BATCH]]),)
            for sql in _DELETE:
                self._execute(sql, ids)
        if is_garbage:
            self._connection.executemany("INSERT OR IGNORE INTO garbage VALUES (?)", [(one.key,) for one in stored])
        for one in stored:
            series = self._find_series(one.target)
            assert series is not None
            study = series.study
            series.instances -= 1
            study.instances -= 1
            study.size -= one.size
            series.is_changed = study.is_changed = True
            series.needs_settling |= one.key == series.source or len(series.classes) > 1
            study.needs_settling |= one.key == study.source

    def _emptied(self) -> list[Target]:
        series = [Target(one.study.uid, one.uid) for one in self._series.values() if not one.instances]
        return series + [Target(one.uid) for one in self._studies.values() if not one.instances]

    def _finish_series(self, series: _Series) -> None:
        if not series.is_changed:
            return
        if not series.instances:
            self._delete_series(series)
            return
        if series.needs_settling:
            self._settle_series(series)
        self._execute("UPDATE series SET number_of_instances = ? WHERE id = ?", (series.instances, series.id))

    def _delete_series(self, series: _Series) -> None:
        self._values.replace(Level.SERIES, series.id, series.study.moment, ())
        self._execute("DELETE FROM dictionary WHERE series = ?", (series.id,))
        self._execute("DELETE FROM series WHERE id = ?", (series.id,))
        series.study.series -= 1
        series.study.needs_settling = True

    def _settle_series(self, series: _Series) -> None:
        rows = self._execute("SELECT key, sop_class FROM instance WHERE series = ?", (series.id,)).fetchall()
        series.classes = {sop_class for _, sop_class in rows}
        source = min(key for key, _ in rows)
        self._take_series(series, source, self._attributes(source))

    def _finish_study(self, study: _Study) -> None:
        if not study.is_changed:
            return
        if not study.instances:
            self._values.replace(Level.STUDY, study.id, study.moment, ())
            self._execute("DELETE FROM study WHERE id = ?", (study.id,))
            return
        if study.needs_settling:
            self._settle_study(study)
        modalities = orjson.dumps(sorted(study.modalities)).decode()
        self._execute(_UPDATE_STUDY, (modalities, study.series, study.instances, study.size, study.id))

    def _settle_study(self, study: _Study) -> None:
        rows = self._execute("SELECT source, modality FROM series WHERE study = ?", (study.id,)).fetchall()
        study.modalities = {modality for _, modality in rows if modality}
        source = min(key for key, _ in rows)
        self._take_study(study, source, self._attributes(source))


def _where(target: Target) -> tuple[str, list[str]]:
    given = [("s.uid", target.study), ("e.uid", target.series), ("i.uid", target.instance)]
    kept = [(column, uid) for column, uid in given if uid is not None]
    return " AND ".join(f"{column} = ?" for column, _ in kept), [uid for _, uid in kept]


def _id(cursor: sqlite3.Cursor) -> int:
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def _json(items: Iterable[str | int]) -> str:
    return orjson.dumps(list(items)).decode()
