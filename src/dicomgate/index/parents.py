"""Studies and series within one transaction: found or made, counted, written once at its end.

A study's (series') attributes are those of the instance with the smallest key. While instances come in order of
arrival that is the first; when that one goes, or an earlier one comes later, `finish` finds it again (D6).
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field

import orjson

from dicomgate.dicom.uids import Level, Target
from dicomgate.index import answers, columns, taken, values
from dicomgate.index.base import Entry, JSONDataset
from dicomgate.index.columns import Columns
from dicomgate.index.metadata import PACKERS, Packer, make_dictionary
from dicomgate.index.taken import Value
from dicomgate.index.valued import ValueTables

_CLASS = int(columns.SOP_CLASS, 16)
_MODALITIES = int(columns.MODALITIES, 16)

_STUDY = """
SELECT id, moment, source, patient, modalities, number_of_series, number_of_instances, size
FROM study WHERE uid = ?
"""
_SERIES = "SELECT id, source, modality, number_of_instances FROM series WHERE uid = ? AND study = ?"
_SERIES_STUDY = "SELECT s.uid FROM series e JOIN study s ON s.id = e.study WHERE e.uid = ? LIMIT 1"
_INSERT_STUDY = "INSERT INTO study VALUES (NULL, ?, ?, ?, ?, '[]', 0, 0, 0, ?, ?)"
_INSERT_SERIES = "INSERT INTO series VALUES (NULL, ?, ?, ?, ?, ?, 0, ?, ?)"
_TAKE_STUDY = "UPDATE study SET moment = ?, source = ?, patient = ?, answer = ?, more = ? WHERE id = ?"
_TAKE_SERIES = "UPDATE series SET number = ?, source = ?, modality = ?, answer = ?, more = ? WHERE id = ?"
_COUNT_STUDY = """
UPDATE study SET modalities = ?, number_of_series = ?, number_of_instances = ?, size = ? WHERE id = ?
"""
_COUNT_SERIES = "UPDATE series SET number_of_instances = ? WHERE id = ?"
_METADATA = """
SELECT d.metadata, c.content FROM instance i
JOIN description d ON d.instance = i.id JOIN dictionary c ON c.series = i.series WHERE i.key = ?
"""


@dataclass(slots=True)
class Study:
    """A study's row, and what becomes of it."""

    id: int
    uid: str
    moment: int
    source: str
    patient: str
    modalities: set[str]
    series: int = 0
    instances: int = 0
    size: int = 0
    is_changed: bool = False
    needs_settling: bool = False


@dataclass(slots=True)
class Series:
    """A series' row, and what becomes of it. `classes`: the SOP classes of its instances."""

    id: int
    uid: str
    study: Study
    source: str
    modality: str
    instances: int = 0
    classes: set[str] = field(default_factory=set)
    packer: Packer | None = None
    is_changed: bool = False
    needs_settling: bool = False


class Parents:
    """The studies and series that one transaction touches."""

    def __init__(self, connection: sqlite3.Connection, matched: Columns) -> None:
        self._connection = connection
        self._execute = connection.execute
        self.write_columns(matched)
        self._studies: dict[str, Study] = {}
        self._series: dict[tuple[int, str], Series] = {}

    def write_columns(self, matched: Columns) -> None:
        """From now on the values of these columns are written."""
        self._matched = matched
        self._values = ValueTables(self._connection, matched)

    # Finding.

    def find_study(self, uid: str) -> Study | None:
        """The study, if anything of it is stored."""
        study = self._studies.get(uid)
        if study is None and (row := self._execute(_STUDY, (uid,)).fetchone()):
            id_, moment, source, patient, modalities, *counts = row
            study = Study(id_, uid, moment, source, patient, set(orjson.loads(modalities)), *counts)
            self._studies[uid] = study
        return study

    def find_series(self, target: Target) -> Series | None:
        """The series of that study, if anything of it is stored."""
        study, uid = self.find_study(target.study), str(target.series)
        if study is None:
            return None
        series = self._series.get((study.id, uid))
        if series is None and (row := self._execute(_SERIES, (uid, study.id)).fetchone()):
            id_, source, modality, instances = row
            series = Series(id_, uid, study, source, modality, instances)
            series.classes = self._values.texts(Level.SERIES, series.id, _CLASS)
            self._series[study.id, uid] = series
        return series

    def find_study_of_series(self, target: Target) -> str | None:
        """The study that holds the series' UID: this one, if it does."""
        if self.find_series(target) is not None:
            return target.study
        row = self._execute(_SERIES_STUDY, (target.series,)).fetchone()
        return row[0] if row else None

    def emptied(self) -> list[Target]:
        """Series and studies of which nothing is left."""
        series = [Target(one.study.uid, one.uid) for one in self._series.values() if not one.instances]
        return series + [Target(one.uid) for one in self._studies.values() if not one.instances]

    # Gaining and losing an instance.

    def gain(self, entry: Entry) -> Series:
        """The series that takes the entry in, made if it is new."""
        study = self.find_study(entry.target.study) or self._insert_study(entry)
        series = self.find_series(entry.target) or self._insert_series(entry, study)
        if entry.key < study.source:
            self._take_study(study, entry.key, entry.attributes)
        if entry.key < series.source:
            self._take_series(series, entry.key, entry.attributes)
        if entry.sop_class not in series.classes:
            series.classes.add(entry.sop_class)
            self._values.add(Level.SERIES, series.id, study.moment, [Value(_CLASS, entry.sop_class)])
        series.instances += 1
        study.instances += 1
        study.size += entry.size
        series.is_changed = study.is_changed = True
        return series

    def lose(self, target: Target, key: str, size: int) -> None:
        """An instance of the series is no more."""
        series = self.find_series(target)
        assert series is not None
        study = series.study
        series.instances -= 1
        study.instances -= 1
        study.size -= size
        series.is_changed = study.is_changed = True
        series.needs_settling |= key == series.source or len(series.classes) > 1
        study.needs_settling |= key == study.source

    def add_values(self, series: Series, instance: int, dataset: JSONDataset) -> None:
        """What of an instance can be matched: of promoted attributes alone."""
        if self._matched.of_level(Level.INSTANCE):
            wanted = self._level_values(Level.INSTANCE, dataset)
            self._values.add(Level.INSTANCE, instance, series.study.moment, wanted)

    def drop_values(self, study: str, instance: int) -> None:
        """Before an instance goes."""
        if self._matched.has_instance_values:
            found = self.find_study(study)
            assert found is not None
            self._values.replace(Level.INSTANCE, instance, found.moment, ())

    def pack(self, series: Series, metadata: bytes) -> bytes:
        """An instance's metadata as the series keeps it."""
        if series.packer is None:
            row = self._execute("SELECT content FROM dictionary WHERE series = ?", (series.id,)).fetchone()
            series.packer = PACKERS.get(row[0])
        return series.packer.pack(metadata)

    def _insert_study(self, entry: Entry) -> Study:
        uid, dataset = entry.target.study, entry.attributes
        texts = answers.level_texts(Target(uid), dataset)
        moment, patient = taken.study_moment(dataset), taken.first_text(dataset, columns.PATIENT_ID)
        row = self._execute(_INSERT_STUDY, (uid, moment, entry.key, patient, texts.answer, texts.more))
        study = self._studies[uid] = Study(row_id(row), uid, moment, entry.key, patient, set())
        self._values.add(Level.STUDY, study.id, moment, self._level_values(Level.STUDY, dataset))
        return study

    def _insert_series(self, entry: Entry, study: Study) -> Series:
        uid, dataset = str(entry.target.series), entry.attributes
        texts = answers.level_texts(Target(study.uid, uid), dataset)
        modality = taken.first_text(dataset, columns.MODALITY)
        number = values.number(dataset.get(columns.SERIES_NUMBER))
        parameters = (uid, study.id, number, entry.key, modality, texts.answer, texts.more)
        series = Series(row_id(self._execute(_INSERT_SERIES, parameters)), uid, study, entry.key, modality)
        self._series[study.id, uid] = series
        self._execute("INSERT INTO dictionary VALUES (?, ?)", (series.id, make_dictionary(entry.metadata)))
        self._values.add(Level.SERIES, series.id, study.moment, self._level_values(Level.SERIES, dataset))
        study.series += 1
        if modality and modality not in study.modalities:
            study.modalities.add(modality)
            self._values.add(Level.STUDY, study.id, study.moment, [Value(_MODALITIES, modality)])
        return series

    # Attributes from another instance.

    def _take_study(self, study: Study, key: str, dataset: JSONDataset) -> None:
        texts = answers.level_texts(Target(study.uid), dataset)
        moment = taken.study_moment(dataset)
        study.source, study.patient = key, taken.first_text(dataset, columns.PATIENT_ID)
        self._execute(_TAKE_STUDY, (moment, key, study.patient, texts.answer, texts.more, study.id))
        if moment != study.moment:
            study.moment = moment
            self._values.move(study.id, moment)
        keep = {Value(_MODALITIES, modality) for modality in study.modalities}
        self._values.replace(Level.STUDY, study.id, moment, self._level_values(Level.STUDY, dataset) | keep)

    def _take_series(self, series: Series, key: str, dataset: JSONDataset) -> None:
        texts = answers.level_texts(Target(series.study.uid, series.uid), dataset)
        modality = taken.first_text(dataset, columns.MODALITY)
        number = values.number(dataset.get(columns.SERIES_NUMBER))
        self._execute(_TAKE_SERIES, (number, key, modality, texts.answer, texts.more, series.id))
        keep = {Value(_CLASS, uid) for uid in series.classes}
        wanted = self._level_values(Level.SERIES, dataset) | keep
        self._values.replace(Level.SERIES, series.id, series.study.moment, wanted)
        if modality != series.modality:
            series.study.needs_settling = True
        series.source, series.modality = key, modality

    def _level_values(self, level: Level, dataset: JSONDataset) -> frozenset[Value]:
        return taken.values_of(self._matched.of_level(level), dataset)

    def attributes_of(self, key: str) -> JSONDataset:
        """The data set of the instance with this key."""
        packed, dictionary = self._execute(_METADATA, (key,)).fetchone()
        dataset: JSONDataset = orjson.loads(Packer(dictionary).unpack(packed))
        return dataset

    # Writing what was gathered.

    def finish(self) -> None:
        """Write counts, and attributes that come from another instance now; let go of what is empty."""
        for series in self._series.values():
            if series.is_changed:
                self._finish_series(series)
        for study in self._studies.values():
            if study.is_changed:
                self._finish_study(study)
        self._series.clear()
        self._studies.clear()

    def _finish_series(self, series: Series) -> None:
        if not series.instances:
            self._delete_series(series)
            return
        if series.needs_settling:
            self._settle_series(series)
        self._execute(_COUNT_SERIES, (series.instances, series.id))

    def _delete_series(self, series: Series) -> None:
        self._values.replace(Level.SERIES, series.id, series.study.moment, ())
        self._execute("DELETE FROM dictionary WHERE series = ?", (series.id,))
        self._execute("DELETE FROM series WHERE id = ?", (series.id,))
        series.study.series -= 1
        series.study.needs_settling = True

    def _settle_series(self, series: Series) -> None:
        rows = self._execute("SELECT key, sop_class FROM instance WHERE series = ?", (series.id,)).fetchall()
        series.classes = {sop_class for _, sop_class in rows}
        source = min(key for key, _ in rows)
        self._take_series(series, source, self.attributes_of(source))

    def _finish_study(self, study: Study) -> None:
        if not study.instances:
            self._values.replace(Level.STUDY, study.id, study.moment, ())
            self._execute("DELETE FROM study WHERE id = ?", (study.id,))
            return
        if study.needs_settling:
            self._settle_study(study)
        modalities = orjson.dumps(sorted(study.modalities)).decode()
        self._execute(_COUNT_STUDY, (modalities, study.series, study.instances, study.size, study.id))

    def _settle_study(self, study: Study) -> None:
        rows = self._execute("SELECT source, modality FROM series WHERE study = ?", (study.id,)).fetchall()
        study.modalities = {modality for _, modality in rows if modality}
        source = min(key for key, _ in rows)
        self._take_study(study, source, self.attributes_of(source))


def row_id(cursor: sqlite3.Cursor) -> int:
    """The identity of the row just inserted."""
    assert cursor.lastrowid is not None
    return cursor.lastrowid
