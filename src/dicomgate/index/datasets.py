"""From rows to the data sets of an answer: what each level returns, and what a query wants beyond it."""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from dicomgate.dicom.matching import AttributePath, Query
from dicomgate.dicom.prepared import Prepared
from dicomgate.dicom.uids import Level
from dicomgate.index import answers, classes
from dicomgate.index import wanted as wants
from dicomgate.index.base import JSONDataset
from dicomgate.index.filters import ALIAS
from dicomgate.index.metadata import Packer
from dicomgate.index.sql import json_list
from dicomgate.index.wanted import Wanted

_UIDS = ("s.uid", "e.uid", "i.uid")
_COLUMNS = {
    Level.STUDY: ("s.answer", "s.modalities", "s.number_of_series", "s.number_of_instances"),
    Level.SERIES: ("e.answer", "e.number_of_instances"),
    Level.INSTANCE: ("i.answer", "i.sop_class", "i.transfer_syntax", *_UIDS),
}
_MAKE: dict[Level, Callable[..., JSONDataset]] = {
    Level.STUDY: answers.study,
    Level.SERIES: answers.series,
    Level.INSTANCE: answers.instance,
}
_METADATA = """
SELECT d.instance, i.series, d.metadata FROM description d JOIN instance i ON i.id = d.instance
WHERE d.instance IN (SELECT value FROM json_each(?)) ORDER BY i.series
"""
_FORMS = 64
"""Kinds of questions whose forms are kept: what is asked for is bounded, but may be long."""

Ids = tuple[int, ...]
"""Identities of a study, and of the series and instance below, as deep as the query's level."""
Parts = dict[int, JSONDataset]


@dataclass(frozen=True, slots=True)
class _Part:
    """Where a row holds what is known of one level: its identity, what is returned unasked, the others."""

    level: Level
    identity: int
    columns: slice
    more: int | None


class Form:
    """What the answers to one kind of question are made from: these columns of each row, behind its identities."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._parts: list[_Part] = []
        columns: list[str] = []
        for level in Level:
            if level is wanted.level or (level < wanted.level and wanted.needs(level)):
                begin = wanted.level + len(columns)
                columns += _COLUMNS[level]
                end = wanted.level + len(columns)
                has_more = wanted.needs_more(level) and level is not Level.INSTANCE
                columns += [f"{ALIAS[level]}.more"] if has_more else []
                self._parts.append(_Part(level, level - 1, slice(begin, end), end if has_more else None))
        self._is_plain = len(self._parts) == 1 and not wanted.needs_more(wanted.level)
        self._uids = slice(wanted.level + len(columns), wanted.level + len(columns) + wanted.level)
        if self._is_plain and wanted.level is not Level.INSTANCE:
            columns += _UIDS[: wanted.level]
        self.columns = ", ".join(columns)

    def read(self, connection: sqlite3.Connection, rows: Sequence[Any]) -> Sequence[JSONDataset]:
        """The data sets of rows, in their order."""
        if self._is_plain:
            return self._plain(rows)
        levels = [(part.identity, self._of_level(connection, part, rows)) for part in self._parts]
        return [answers.merged(found[row[identity]] for identity, found in levels) for row in rows]

    def _plain(self, rows: Sequence[Any]) -> Sequence[JSONDataset]:
        """All that is returned unasked and nothing else: of studies and series the text is at hand."""
        level, columns, uids = self._wanted.level, self._parts[0].columns, self._uids
        if level is Level.INSTANCE:
            return [answers.instance(*row[columns]) for row in rows]
        text = answers.study_text if level is Level.STUDY else answers.series_text
        return Prepared([text(*row[columns]) for row in rows], [row[uids] for row in rows])

    def _of_level(self, connection: sqlite3.Connection, part: _Part, rows: Sequence[Any]) -> Parts:
        """Each study (series, instance) of the rows, made once."""
        found: Parts = {}
        if part.level is Level.INSTANCE and self._wanted.needs_more(part.level):
            found = _from_metadata(connection, [row[part.identity] for row in rows], self._wanted)
            return {row[part.identity]: found[row[part.identity]] | self._dataset(part, row) for row in rows}
        for row in rows:
            if row[part.identity] not in found:
                found[row[part.identity]] = self._dataset(part, row)
        if part.level is Level.STUDY and self._wanted.has_classes:
            counted = classes.of_studies(connection, found)
            return {id_: answers.merged([dataset, counted.get(id_, {})]) for id_, dataset in found.items()}
        return found

    def _dataset(self, part: _Part, row: Any) -> JSONDataset:
        """All that is returned unasked where the level is the query's or comes along, and what is asked for of it."""
        level, wanted = part.level, self._wanted
        dataset = _MAKE[level](*row[part.columns])
        others = {} if part.more is None else wanted.pick(level, orjson.loads(row[part.more]))
        if level is wanted.level or level in wanted.parents:
            return {**dataset, **others} if others else dataset
        return others | {tag: dataset[tag] for tag in wanted.tags[level] & dataset.keys()}


def form(query: Query) -> Form:
    """What the answers to a query are made from."""
    top = query.scope.level if query.scope else 0
    paths = tuple(match.path for match in query.matches)
    return _form(query.level, top, (*query.include, *paths), query.include_all, query.creators)


@functools.lru_cache(maxsize=_FORMS)
def _form(
    level: Level,
    top: int,
    paths: tuple[AttributePath, ...],
    every: bool,
    creators: tuple[tuple[AttributePath, str], ...],
) -> Form:
    return Form(wants.make(level, top, paths, creators, every=every))


def _from_metadata(connection: sqlite3.Connection, ids: Iterable[int], wanted: Wanted) -> Parts:
    found = {}
    packers: dict[int, Packer] = {}
    for id_, series, packed in connection.execute(_METADATA, (json_list(ids),)).fetchall():
        if series not in packers:
            row = connection.execute("SELECT content FROM dictionary WHERE series = ?", (series,)).fetchone()
            packers = {series: Packer(row[0])}
        dataset = orjson.loads(packers[series].unpack(packed))
        found[id_] = wanted.pick(Level.INSTANCE, dataset)
    return found
