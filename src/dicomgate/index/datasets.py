"""From rows to the data sets of an answer: what each level returns, and what a query wants beyond it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from typing import Any

import orjson

from dicomgate.dicom.matching import Query
from dicomgate.dicom.uids import Level, Target
from dicomgate.index import answers
from dicomgate.index.base import JSONDataset
from dicomgate.index.metadata import Packer
from dicomgate.index.sql import json_list

_STUDIES = """
SELECT id, answer, modalities, number_of_series, number_of_instances, more
FROM study WHERE id IN (SELECT value FROM json_each(?))
"""
_SERIES = """
SELECT id, answer, number_of_instances, more FROM series WHERE id IN (SELECT value FROM json_each(?))
"""
_INSTANCES = """
SELECT i.id, i.answer, i.sop_class, i.transfer_syntax, s.uid, e.uid, i.uid
FROM instance i JOIN series e ON e.id = i.series JOIN study s ON s.id = e.study
WHERE i.id IN (SELECT value FROM json_each(?))
"""
_METADATA = """
SELECT d.instance, i.series, d.metadata FROM description d JOIN instance i ON i.id = d.instance
WHERE d.instance IN (SELECT value FROM json_each(?)) ORDER BY i.series
"""

Ids = tuple[int, ...]
"""Identities of a study, and of the series and instance below, as deep as the query's level."""
Parts = dict[int, JSONDataset]


def read(connection: sqlite3.Connection, query: Query, rows: list[Ids]) -> list[JSONDataset]:
    """The data sets of rows, in their order."""
    wanted = answers.wanted(query)
    readers: dict[Level, Callable[[sqlite3.Connection, set[int], answers.Wanted], Parts]]
    readers = {Level.STUDY: _studies, Level.SERIES: _series, Level.INSTANCE: _instances}
    levels = [level for level in Level if level is query.level or (level < query.level and wanted.needs(level))]
    parts = {level: readers[level](connection, {row[level - 1] for row in rows}, wanted) for level in levels}
    if len(levels) == 1 and not wanted.needs_more(query.level):
        return [parts[query.level][row[-1]] for row in rows]
    return [answers.merged(parts[level][row[level - 1]] for level in levels) for row in rows]


def _studies(connection: sqlite3.Connection, ids: set[int], wanted: answers.Wanted) -> Parts:
    found = {}
    for id_, answer, modalities, series, instances, more in _rows(connection, _STUDIES, ids):
        found[id_] = _with_more(answers.study(answer, modalities, series, instances), more, Level.STUDY, wanted)
    return found


def _series(connection: sqlite3.Connection, ids: set[int], wanted: answers.Wanted) -> Parts:
    found = {}
    for id_, answer, instances, more in _rows(connection, _SERIES, ids):
        found[id_] = _with_more(answers.series(answer, instances), more, Level.SERIES, wanted)
    return found


def _with_more(dataset: JSONDataset, more: str, level: Level, wanted: answers.Wanted) -> JSONDataset:
    """All that is returned unasked where the level is the query's or comes along, and what is asked for of it."""
    others = wanted.pick(level, orjson.loads(more)) if wanted.needs_more(level) else {}
    if level is wanted.level or level in wanted.parents:
        return {**dataset, **others} if others else dataset
    return others | {tag: dataset[tag] for tag in wanted.tags[level] & dataset.keys()}


def _instances(connection: sqlite3.Connection, ids: set[int], wanted: answers.Wanted) -> Parts:
    others = _from_metadata(connection, ids, wanted) if wanted.needs_more(Level.INSTANCE) else {}
    found = {}
    for id_, answer, sop_class, syntax, *uids in _rows(connection, _INSTANCES, ids):
        dataset = answers.instance(answer, sop_class, syntax, Target(*uids))
        found[id_] = {**others.get(id_, {}), **dataset}
    return found


def _from_metadata(connection: sqlite3.Connection, ids: Iterable[int], wanted: answers.Wanted) -> Parts:
    found = {}
    packers: dict[int, Packer] = {}
    for id_, series, packed in _rows(connection, _METADATA, ids):
        if series not in packers:
            row = connection.execute("SELECT content FROM dictionary WHERE series = ?", (series,)).fetchone()
            packers = {series: Packer(row[0])}
        dataset = orjson.loads(packers[series].unpack(packed))
        found[id_] = wanted.pick(Level.INSTANCE, dataset)
    return found


def _rows(connection: sqlite3.Connection, sql: str, ids: Iterable[int]) -> list[Any]:
    return connection.execute(sql, (json_list(ids),)).fetchall()
