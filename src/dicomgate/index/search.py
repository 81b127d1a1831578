"""A page of answers to a query, all of one moment (PS3.18 §8.3.4, §10.6)."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

import orjson

from dicomgate.dicom.matching import Query
from dicomgate.dicom.uids import Level, Target
from dicomgate.index import answers, compile, conditions, connections  # noqa: A004
from dicomgate.index.base import Found, JSONDataset
from dicomgate.index.metadata import Packer

COUNTED = 500
"""Matches after a page are counted exactly up to here, and beyond it if a moment is enough."""

_MOMENT = 0.1
_FURTHEST = 1 << 40

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


def find(connection: sqlite3.Connection, query: Query, *, most: int) -> Found:
    """One page, within an open transaction; never more than `most` answers."""
    search = compile.prepare(query.level, conditions.conditions(query))
    limit = most if query.limit is None else min(query.limit, most)
    offset = min(query.offset, _FURTHEST)
    if search.is_empty or not limit:
        return Found(datasets=[], remaining=0)
    plan = compile.choose(search, [_number(connection, probe) for probe in compile.probes(search)])
    is_quick = compile.is_counted_quickly(search, plan)
    rows = _rows(connection, compile.page(search, plan, limit + (1 if is_quick else COUNTED), offset))
    remaining = max(0, len(rows) - limit)
    if remaining and is_quick:
        remaining = _number(connection, compile.count(search, plan, offset + limit + COUNTED)) - offset - limit
    if remaining == COUNTED:
        with connections.hurry(connection, _MOMENT):
            remaining = _number(connection, compile.count(search, plan)) - offset - limit
    return Found(datasets=_datasets(connection, query, rows[:limit]), remaining=remaining)


def _rows(connection: sqlite3.Connection, sql: compile.SQL) -> list[Any]:
    return connection.execute(sql.text, sql.parameters).fetchall()


def _number(connection: sqlite3.Connection, sql: compile.SQL) -> int:
    return int(connection.execute(sql.text, sql.parameters).fetchone()[0])


# From identities to data sets.


def _datasets(connection: sqlite3.Connection, query: Query, rows: list[Ids]) -> list[JSONDataset]:
    wanted = answers.wanted(query)
    readers = {Level.STUDY: _studies, Level.SERIES: _series, Level.INSTANCE: _instances}
    levels = [level for level in Level if level is query.level or (level < query.level and wanted.needs(level))]
    parts = {level: readers[level](connection, {row[level - 1] for row in rows}, wanted) for level in levels}
    if len(levels) == 1 and not wanted.needs_more(query.level):
        return [parts[query.level][row[-1]] for row in rows]
    return [answers.merged(parts[level][row[level - 1]] for level in levels) for row in rows]


Parts = dict[int, JSONDataset]


def _studies(connection: sqlite3.Connection, ids: set[int], wanted: answers.Wanted) -> Parts:
    found = {}
    for id_, answer, modalities, series, instances, more in connection.execute(_STUDIES, (_json(ids),)):
        found[id_] = _with_more(answers.study(answer, modalities, series, instances), more, Level.STUDY, wanted)
    return found


def _series(connection: sqlite3.Connection, ids: set[int], wanted: answers.Wanted) -> Parts:
    found = {}
    for id_, answer, instances, more in connection.execute(_SERIES, (_json(ids),)):
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
    for id_, answer, sop_class, syntax, *uids in connection.execute(_INSTANCES, (_json(ids),)):
        dataset = answers.instance(answer, sop_class, syntax, Target(*uids))
        found[id_] = {**others.get(id_, {}), **dataset}
    return found


def _from_metadata(connection: sqlite3.Connection, ids: set[int], wanted: answers.Wanted) -> Parts:
    found = {}
    packers: dict[int, Packer] = {}
    for id_, series, packed in connection.execute(_METADATA, (_json(ids),)):
        if series not in packers:
            row = connection.execute("SELECT content FROM dictionary WHERE series = ?", (series,)).fetchone()
            packers = {series: Packer(row[0])}
        dataset = orjson.loads(packers[series].unpack(packed))
        found[id_] = wanted.pick(Level.INSTANCE, dataset)
    return found


def _json(ids: Sequence[int] | set[int]) -> str:
    return orjson.dumps(list(ids)).decode()
