"""Searching by attributes that no column holds: the rows that the other conditions name are looked at, one by one.

Rows come in the order of the answer, so a page that is full early costs little. What is looked at is bounded in rows
and in time. A study or series that does not match is looked at once, and nothing below it. Values that the index leaves
to the metadata (bulk data; of studies and series attributes longer than 64 KiB) are not compared.
"""

from __future__ import annotations

import itertools
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from dicomgate import errors
from dicomgate.dicom import attributes, matcher, syntaxes
from dicomgate.dicom.matching import AttributePath, Empty, Match, Query
from dicomgate.dicom.uids import Level
from dicomgate.index import answers, classes, columns, conditions
from dicomgate.index.base import JSONDataset
from dicomgate.index.columns import Columns
from dicomgate.index.datasets import Ids
from dicomgate.index.metadata import Packer
from dicomgate.index.sql import json_list

_FIRST_BATCH = 32
_BATCH = 512
_REMEMBERED = 20_000

_STUDIES = """
SELECT id, answer, more, modalities, number_of_series, number_of_instances
FROM study WHERE id IN (SELECT value FROM json_each(?))
"""
_SERIES = """
SELECT id, answer, more, number_of_instances FROM series WHERE id IN (SELECT value FROM json_each(?))
"""
_INSTANCES = """
SELECT i.id, i.series, i.transfer_syntax, d.metadata FROM instance i CROSS JOIN description d ON d.instance = i.id
WHERE i.id IN (SELECT value FROM json_each(?)) ORDER BY i.series
"""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much one search may look at."""

    rows: int
    seconds: float


class Scan:
    """Looks at rows until it has had enough.

    `looked_at` counts the data sets that were read; `is_cut_short` tells that rows were left unseen.
    """

    def __init__(
        self, connection: sqlite3.Connection, query: Query, rest: Sequence[Match], matched: Columns, bounds: Bounds
    ) -> None:
        self._deadline = time.monotonic() + bounds.seconds
        self._rest = rest
        self._matched = matched
        self._creators = query.creators
        self.looked_at = 0
        self._most = bounds.rows
        self.is_cut_short = False
        readers = {Level.STUDY: _studies, Level.SERIES: _series, Level.INSTANCE: _instances}
        self._steps = [
            _Step(level, keys, query, readers[level], connection)
            for level in Level
            if (keys := [match for match in rest if conditions.level(match.path[0]) is level])
        ]

    @property
    def level(self) -> Level:
        """The lowest level whose data sets must be looked at."""
        return self._steps[-1].level

    @property
    def seconds_left(self) -> float:
        """How long it may still take."""
        return max(0.0, self._deadline - time.monotonic())

    def allow(self, rows: int) -> None:
        """Look at so many more, if the bounds allow as many."""
        self._most = min(self._most, self.looked_at + rows)

    def matching(self, rows: Iterable[Ids]) -> Iterator[Ids]:
        """Those that match, in their order. Ends early, and says so, when no more may be looked at."""
        source = iter(rows)
        size = min(_FIRST_BATCH, self._most)
        while batch := list(itertools.islice(source, size)):
            for step in self._steps:
                batch = step.passing(batch)
                self.looked_at += step.read
            yield from batch
            if self.looked_at >= self._most or not self.seconds_left:
                self.is_cut_short = next(source, None) is not None
                return
            size = min(2 * size, _BATCH, self._most - self.looked_at)

    def too_large(self) -> errors.TooLarge:
        """Says how much was looked at, and what would help."""
        unindexed = [path for path in self._paths() if self._matched.find(path, self._creators) is None]
        names = [attributes.format_path(path) for path in (unindexed or self._paths())]
        text = (
            f"the search is too broad: {self.looked_at} data sets were looked at for {', '.join(names)}. "
            "Narrow it: ask within one study, or add a date range, a PatientID or another attribute that is indexed"
        )
        if unindexed:
            text += f"; or have it indexed: dicomgate admin index add {names[0]}"
        return errors.TooLarge(text)

    def _paths(self) -> list[AttributePath]:
        return list(dict.fromkeys(match.path for match in self._rest))


_Read = Callable[[sqlite3.Connection, Iterable[int], "_Step"], Iterator[tuple[int, JSONDataset | None]]]


class _Step:
    """What one level's data sets must fulfil; each is looked at once."""

    def __init__(
        self, level: Level, keys: Sequence[Match], query: Query, read: _Read, connection: sqlite3.Connection
    ) -> None:
        self.level = level
        self._holds = matcher.prepare(keys, creators=query.creators, timezone=query.timezone)
        self._read = read
        self._connection = connection
        self._known: dict[int, bool] = {}
        self.read = 0
        needed = {key.path[0] for key in keys if not isinstance(key.condition, Empty)}
        self.tags = frozenset(key.path[0] for key in keys)
        self._mentions = tuple(f'"{tag}"' for tag in sorted(needed) if not attributes.is_private(tag))

    def passing(self, rows: Sequence[Ids]) -> list[Ids]:
        """Those of the rows whose data set at this level fulfils the keys."""
        place = self.level - 1
        if len(self._known) > _REMEMBERED:
            self._known.clear()
        fresh = {row[place] for row in rows} - self._known.keys()
        self.read = len(fresh)
        if fresh:
            for id_, dataset in self._read(self._connection, fresh, self):
                self._known[id_] = dataset is not None and self._holds(dataset)
        return [row for row in rows if self._known.get(row[place], False)]

    def may_hold(self, *texts: str) -> bool:
        """False when an attribute that must have a value is nowhere in the JSON texts: they need not be read."""
        return all(any(mention in text for text in texts) for mention in self._mentions)

    def may_hold_bytes(self, text: bytes, given: str) -> bool:
        """The same of an instance's metadata, beside what its row gives."""
        return all(mention.encode() in text or mention == given for mention in self._mentions)


def _studies(connection: sqlite3.Connection, ids: Iterable[int], step: _Step) -> Iterator[tuple[int, Any]]:
    wanted = list(ids)
    counted = classes.of_studies(connection, wanted) if classes.TAG in step.tags else {}
    for id_, answer, more, modalities, *counts in connection.execute(_STUDIES, (json_list(wanted),)).fetchall():
        is_read = step.may_hold(answer, more, f'"{classes.TAG}"')
        dataset = answers.whole_study(answer, more, modalities, *counts) if is_read else None
        yield id_, (None if dataset is None else dataset | counted.get(id_, {}))


def _series(connection: sqlite3.Connection, ids: Iterable[int], step: _Step) -> Iterator[tuple[int, Any]]:
    for id_, answer, more, count in connection.execute(_SERIES, (json_list(ids),)).fetchall():
        yield id_, (answers.whole_series(answer, more, count) if step.may_hold(answer, more) else None)


def _instances(connection: sqlite3.Connection, ids: Iterable[int], step: _Step) -> Iterator[tuple[int, Any]]:
    last, packer = None, None
    given = f'"{columns.TRANSFER_SYNTAX}"'
    for id_, series, syntax, packed in connection.execute(_INSTANCES, (json_list(ids),)):
        if packer is None or series != last:
            row = connection.execute("SELECT content FROM dictionary WHERE series = ?", (series,)).fetchone()
            last, packer = series, Packer(row[0])
        text = packer.unpack(packed)
        if step.may_hold_bytes(text, given):
            dataset: JSONDataset = orjson.loads(text)
            dataset[columns.TRANSFER_SYNTAX] = {"vr": "UI", "Value": [syntaxes.available(syntax)]}
            yield id_, dataset
        else:
            yield id_, None
