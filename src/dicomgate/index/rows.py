"""Stored instances as rows, and what is kept of each beyond its row (PS3.18 §10.4).

Read in batches, each of one moment, so that no client however slow holds the index's past open.
"""

# ruff: noqa: S608 (all that is put together here are our own words; every outside value is a parameter)

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

import orjson

from dicomgate import errors
from dicomgate.dicom.uids import Level, Target
from dicomgate.index.base import Counts, JSONDataset, Row, Sent
from dicomgate.index.connections import Readers
from dicomgate.index.metadata import PACKERS, Packer

_BATCH = 256
_ENOUGH = 4 << 20
"""Bytes of metadata that one batch may hold before it is handed out."""
_SMALL = 1 << 16
"""Bytes of packed metadata that are read while listing; longer ones wait until they are sent."""

_FROM = "FROM instance i JOIN series e ON e.id = i.series JOIN study s ON s.id = e.study"
_ROW = f"""
SELECT i.id, i.key, s.uid, e.uid, i.uid, i.sop_class, i.transfer_syntax, i.size, i.digest, i.original_digest,
       i.received, i.is_lossy, i.frame_count {_FROM}
"""
_ROWS = f"{_ROW} WHERE i.id IN (SELECT value FROM json_each(?))"
_LISTS: dict[Level, str] = {
    Level.STUDY: """
        FROM study s CROSS JOIN series e ON e.study = s.id CROSS JOIN instance i ON i.series = e.id WHERE s.uid = ?
    """,
    Level.SERIES: """
        FROM study s CROSS JOIN series e ON e.study = s.id AND e.uid = ? CROSS JOIN instance i ON i.series = e.id
        WHERE s.uid = ?
    """,
    Level.INSTANCE: """
        FROM instance i CROSS JOIN series e ON e.id = i.series CROSS JOIN study s ON s.id = e.study
        WHERE i.uid = ? AND e.uid = ? AND s.uid = ?
    """,
}
"""Level -> where its instances are; the parameters are the target's UIDs, innermost first."""

_BESIDE_LISTS = {
    level: text.replace("WHERE", "CROSS JOIN description d ON d.instance = i.id WHERE")
    for level, text in _LISTS.items()
}
_LISTED = f"""
SELECT i.id, i.key, i.size, i.received, i.digest, i.series,
       CASE WHEN length(d.metadata) <= {_SMALL} THEN d.metadata END
"""
_ORDER = "ORDER BY e.number, e.uid, i.number, i.uid"
_METADATA = """
SELECT n.key, i.key, i.series, d.metadata FROM json_each(?) n
CROSS JOIN instance i ON i.id = n.value CROSS JOIN description d ON d.instance = i.id
"""
"""In the order of the array: CROSS JOIN walks it from the outside in."""
_TEXT = """
SELECT d.metadata, t.content FROM instance i JOIN description d ON d.instance = i.id
JOIN dictionary t ON t.series = i.series WHERE i.id = ? AND i.key = ?
"""
_KNOWN_KEYS = """
SELECT key FROM instance WHERE key IN (SELECT value FROM json_each(?))
UNION ALL SELECT key FROM version WHERE key IN (SELECT value FROM json_each(?))
"""
_KEYS = """
SELECT key, digest, size FROM instance WHERE key > ?
UNION ALL SELECT key, digest, size FROM version WHERE key > ? ORDER BY key LIMIT 1000
"""
_SENT = """
SELECT key, digest, original_digest FROM (
    SELECT key, digest, original_digest FROM instance UNION ALL SELECT key, digest, original_digest FROM version
) WHERE key IN (SELECT value FROM json_each(?)) AND original_digest != x''
"""
_REMOVED = """
SELECT study, series, instance FROM tombstone WHERE (study, series, instance) > (?, ?, ?)
ORDER BY study, series, instance LIMIT 500
"""
_COUNTS = """
SELECT count(*), coalesce(sum(number_of_series), 0), coalesce(sum(number_of_instances), 0), coalesce(sum(size), 0),
       (SELECT count(*) FROM version), (SELECT coalesce(sum(size), 0) FROM version) FROM study
"""
_STUDY_ATTRIBUTES = """
SELECT i.series, d.metadata FROM study s JOIN instance i ON i.key = s.source JOIN description d ON d.instance = i.id
WHERE s.uid = ?
"""
_BESIDE = "JOIN instance i ON i.id = d.instance WHERE d.instance = ? AND i.key = ?"


class Rows:
    """Reading what is stored under a target. Rows are named by number and key, for SQLite may use a number again."""

    def __init__(self, readers: Readers) -> None:
        self._readers = readers

    def locate(self, target: Target) -> Iterator[Row]:
        """The instances in order; which they are is fixed at the first step."""
        if target.level is Level.INSTANCE:
            row = self.find(target)
            if row is not None:
                yield row
            return
        with self._readers.snapshot() as connection:
            named = _list(connection, target, "i.id, i.key")
        for batch in _batches(named):
            with self._readers.snapshot() as connection:
                found = [_row(each) for each in connection.execute(_ROWS, (_json(id_ for id_, _ in batch),))]
            by_name = {(row.number, row.key): row for row in found}
            yield from (by_name[name] for name in batch if name in by_name)

    def find(self, target: Target) -> Row | None:
        """The row of one instance."""
        assert target.instance is not None, "one instance is asked for"
        rows = self._readers.rows(f"{_ROW} WHERE i.uid = ? AND e.uid = ? AND s.uid = ?", _uids(target))
        return _row(rows[0]) if rows else None

    def layout(self, row: Row) -> bytes:
        """NotFound when the row is gone."""
        return self._beside(f"SELECT d.layout FROM description d {_BESIDE}", (row.number, row.key))

    def frame_chunk(self, row: Row, number: int) -> bytes:
        """NotFound when there is none."""
        sql = f"SELECT d.content FROM frame_chunk d {_BESIDE} AND d.number = ?"
        return self._beside(sql, (row.number, row.key, number))

    def instance_metadata(self, row: Row) -> bytes:
        """NotFound when the row is gone."""
        rows = self._readers.rows(_TEXT, (row.number, row.key))
        if not rows:
            raise errors.NotFound("the instance was removed")
        packed, dictionary = rows[0]
        return PACKERS.get(dictionary).unpack(packed)

    def metadata(self, target: Target) -> tuple[str, Iterator[bytes]]:
        """A version that changes with the answer, and the texts in order; both of one moment, unless they are many.

        One pass lists everything, for the version, and takes the first texts along.
        """
        texts = _Texts()
        names: list[tuple[int, str]] = []
        identity: list[tuple[str, int, float]] = []
        digests: list[bytes] = []
        with self._readers.snapshot() as connection:
            listed = connection.execute(f"{_LISTED} {_BESIDE_LISTS[target.level]} {_ORDER}", _uids(target))
            for id_, key, size, received, digest, series, packed in listed:
                if len(texts.ready) == len(names) and packed is not None and not texts.are_enough:
                    texts.take(connection, series, packed)
                names.append((id_, key))
                identity.append((key, size, received))
                digests.append(digest)
        version = hashlib.sha256(orjson.dumps(identity) + b"".join(digests)).hexdigest()[:32] if names else ""
        return version, chain(texts.ready, self._further_texts(names, len(texts.ready)))

    def study_attributes(self, study: str) -> JSONDataset | None:
        """The data set that gives the study its attributes."""
        texts = _Texts()
        with self._readers.snapshot() as connection:
            for series, packed in connection.execute(_STUDY_ATTRIBUTES, (study,)):
                texts.take(connection, series, packed)
        return orjson.loads(texts.ready[0]) if texts.ready else None

    def _further_texts(self, names: list[tuple[int, str]], position: int) -> Iterator[bytes]:
        while position < len(names):
            with self._readers.snapshot() as connection:
                texts, position = _next_texts(connection, names, position)
            yield from texts

    def known_keys(self, keys: Iterable[str]) -> set[str]:
        """Those of the keys that a row points at."""
        wanted = _json(keys)
        return {key for (key,) in self._readers.rows(_KNOWN_KEYS, (wanted, wanted))}

    def keys(self) -> Iterator[tuple[str, str, int]]:
        """Key, digest and size of all, by key, in batches."""
        last = ""
        while batch := self._readers.rows(_KEYS, (last, last)):
            for key, digest, size in batch:
                yield key, digest.hex(), size
            last = batch[-1][0]

    def counts(self) -> Counts:
        """How much is stored."""
        return Counts(*self._readers.rows(_COUNTS)[0])

    def was_deleted(self, target: Target) -> bool:
        """True when a tombstone stands here."""
        sql = "SELECT 1 FROM tombstone WHERE study = ? AND series = ? AND instance = ?"
        return bool(self._readers.rows(sql, (target.study, target.series or "", target.instance or "")))

    def removed(self) -> Iterator[Target]:
        """Every tombstone, in batches."""
        last = ("", "", "")
        while batch := self._readers.rows(_REMOVED, last):
            for study, series, instance in batch:
                yield Target(study, series or None, instance or None)
            last = batch[-1]

    def sent(self, keys: Iterable[str]) -> dict[str, Sent]:
        """What was sent, where it is not what is stored."""
        rows = self._readers.rows(_SENT, (_json(keys),))
        return {key: Sent(digest.hex(), original.hex()) for key, digest, original in rows}

    def _beside(self, sql: str, parameters: tuple[int | str, ...]) -> bytes:
        rows = self._readers.rows(sql, parameters)
        if not rows:
            raise errors.NotFound("the instance was removed, or has no such part")
        content: bytes = rows[0][0]
        return content


def _list(connection: sqlite3.Connection, target: Target, wanted: str) -> list[Any]:
    return connection.execute(f"SELECT {wanted} {_LISTS[target.level]} {_ORDER}", _uids(target)).fetchall()


def _next_texts(connection: sqlite3.Connection, names: list[tuple[int, str]], position: int) -> tuple[list[bytes], int]:
    """The next texts, until there are enough, and where to go on; what was removed meanwhile is left out."""
    texts = _Texts()
    batch = names[position : position + _BATCH]
    for place, key, series, packed in connection.execute(_METADATA, (_json(id_ for id_, _ in batch),)):
        if key == batch[place][1]:
            texts.take(connection, series, packed)
        if texts.are_enough:
            return texts.ready, position + place + 1
    return texts.ready, position + len(batch)


class _Texts:
    """Metadata unpacked, until there is enough of it."""

    def __init__(self) -> None:
        self.ready: list[bytes] = []
        self.are_enough = False
        self._size = self._series = 0
        self._unpack: Callable[[bytes], bytes] | None = None

    def take(self, connection: sqlite3.Connection, series: int, packed: bytes) -> None:
        if self._unpack is None or series != self._series:
            row = connection.execute("SELECT content FROM dictionary WHERE series = ?", (series,)).fetchone()
            self._series, self._unpack = series, Packer(row[0]).unpack
        text = self._unpack(packed)
        self.ready.append(text)
        self._size += len(text)
        self.are_enough = self._size >= _ENOUGH


def _row(columns: Sequence[Any]) -> Row:
    number, key, study, series, instance, sop_class, syntax, size, *digests, received, is_lossy, frame_count = columns
    digest, original_digest = (digest.hex() for digest in digests)
    return Row(
        number=number,
        key=key,
        target=Target(study, series, instance),
        sop_class=sop_class,
        transfer_syntax=syntax,
        size=size,
        digest=digest,
        original_digest=original_digest,
        received=received,
        is_lossy=bool(is_lossy),
        frame_count=frame_count,
    )


def _uids(target: Target) -> tuple[str, ...]:
    return tuple(uid for uid in (target.instance, target.series, target.study) if uid is not None)


def _batches(names: Sequence[tuple[int, str]]) -> Iterator[Sequence[tuple[int, str]]]:
    for start in range(0, len(names), _BATCH):
        yield names[start : start + _BATCH]


def _json(items: Iterable[str | int]) -> str:
    return orjson.dumps(list(items)).decode()
