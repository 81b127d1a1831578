"""What one transaction changes: instances in and out, and what must be remembered of it."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson

from dicomgate.dicom.outcomes import Refused
from dicomgate.dicom.uids import Target
from dicomgate.index import answers, columns, registered, values
from dicomgate.index.base import (
    Added,
    ChangeKind,
    Entry,
    Exchanged,
    JSONDataset,
    Judge,
    Known,
    Superseded,
    Surroundings,
    Verdict,
)
from dicomgate.index.parents import Parents, Series, row_id
from dicomgate.index.versions import VersionTable

_BATCH = 500
_WHY = {Verdict.SUPERSEDE: Superseded.REPLACED, Verdict.CORRECT: Superseded.CORRECTED}

_KNOWN = """
SELECT i.id, i.uid, e.uid, s.uid, i.digest, i.original_digest, i.key, i.size
FROM instance i JOIN series e ON e.id = i.series JOIN study s ON s.id = e.study
"""
_ANY = "SELECT 1 FROM instance i JOIN series e ON e.id = i.series JOIN study s ON s.id = e.study"
_INSERT_INSTANCE = "INSERT INTO instance VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_DELETE = (
    "DELETE FROM frame_chunk WHERE instance IN (SELECT value FROM json_each(?))",
    "DELETE FROM description WHERE instance IN (SELECT value FROM json_each(?))",
    "DELETE FROM instance WHERE id IN (SELECT value FROM json_each(?))",
)


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
        self._parents = Parents(connection, registered.read(connection))
        self._versions = VersionTable(connection)
        self._journal: list[tuple[float, str, str, str, str]] = []
        self._now = time.time()
        self._has_tombstones = bool(connection.execute("SELECT EXISTS (SELECT 1 FROM tombstone)").fetchone()[0])

    @property
    def connection(self) -> sqlite3.Connection:
        """The transaction's connection, for tables that stand alone."""
        return self._connection

    def read_columns(self) -> None:
        """Again what can be matched, after this transaction changed it."""
        self._parents.write_columns(registered.read(self._connection))

    # Deeds.

    def add(self, entry: Entry, judge: Judge) -> Added:
        """Add one instance as the judge decides."""
        stored = self._find_stored(entry.target)
        known = self._known(stored) if stored else None
        study = self._parents.find_study(entry.target.study)
        series_study = self._parents.find_study_of_series(entry.target)
        attributes = partial(self._study_attributes, entry.target.study)
        verdict = judge(Surroundings(known, series_study, study.patient if study else None, attributes), entry)
        if isinstance(verdict, Refused) or verdict in (Verdict.SAME, Verdict.KEEP_OLD):
            return Added(verdict, known)
        assert (verdict is Verdict.INSERT) == (stored is None), "the judge mistook what is stored"
        if verdict is Verdict.EARLIER:
            self._versions.insert(entry, Superseded.REPLACED)
            return Added(verdict, known)
        if stored is not None:
            self._make_way(stored, entry, verdict)
        self._insert_instance(entry, self._parents.gain(entry))
        if self._has_tombstones:
            self._clear_tombstones(entry.target)
        self._note(ChangeKind.STORED if stored is None else ChangeKind.REPLACED, entry.target)
        return Added(verdict, known)

    def _make_way(self, stored: _Stored, entry: Entry, verdict: Verdict) -> None:
        if verdict is Verdict.REPLACE:
            self._drop([stored], is_garbage=stored.key != entry.key)  # a file in place replaces itself
            self._versions.give_up([str(stored.target.instance)])
        else:
            self._versions.keep(stored.id, _WHY[verdict])
            self._drop([stored], is_garbage=False)

    def exchange(
        self, study: str, corrected: Iterable[tuple[str, Entry]], known: Collection[str], *, keep: bool
    ) -> Exchanged:
        """Put corrected files in the place of stored ones, unless the study has instances that are not among them."""
        self.finish()
        stored = {one.key: one for one in self._select_stored("s.uid = ?", (study,))}
        missing = stored.keys() - set(known)
        if missing:
            return Exchanged(missing=tuple(sorted(missing)))
        unused = []
        for key, entry in corrected:
            old = stored.pop(key, None)
            if old is None:
                unused.append(entry.key)
                continue
            if keep:
                self._versions.keep(old.id, Superseded.CORRECTED)
            self._drop([old], is_garbage=not keep)
            self._insert_instance(entry, self._parents.gain(entry))
            self._note(ChangeKind.CORRECTED, entry.target)
        count = len(self._journal)
        self.finish()
        return Exchanged(unused=tuple(unused), count=count)

    def remove(self, target: Target) -> int:
        """Remove on request: what was here is remembered, the bytes become garbage."""
        self.finish()
        stored = self._select_stored(*_where(target))
        self._drop(stored, is_garbage=True)
        self._versions.give_up([str(one.target.instance) for one in stored])
        self._write_tombstones([one.target for one in stored] + self._parents.emptied())
        self._note_removed(stored)
        return len(stored)

    def remember_removed(self, targets: Iterable[Target]) -> None:
        """What another index remembers of removed targets; what is stored here was not."""
        self.finish()
        self._write_tombstones([one for one in targets if not self._is_stored(one)])

    def forget(self, keys: Sequence[str]) -> list[str]:
        """Take out what was indexed under these keys, whose bytes are not ours. The instances' UIDs."""
        self.finish()
        stored = self._select_stored("i.key IN (SELECT value FROM json_each(?))", (_json(keys),))
        self._drop(stored, is_garbage=False)
        self._note_removed(stored)
        return [str(one.target.instance) for one in stored]

    def finish(self) -> None:
        """Write what was gathered: counts, attributes that come from another instance now, the journal."""
        self._parents.finish()
        self._connection.executemany("INSERT INTO journal VALUES (NULL, ?, ?, ?, ?, ?)", self._journal)
        self._journal.clear()

    # Looking up.

    def _is_stored(self, target: Target) -> bool:
        where, uids = _where(target)
        return self._execute(f"{_ANY} WHERE {where} LIMIT 1", uids).fetchone() is not None

    def _find_stored(self, target: Target) -> _Stored | None:
        found = self._select_stored("i.uid = ?", (target.instance,))
        return found[0] if found else None

    def _select_stored(self, where: str, parameters: Sequence[Any]) -> list[_Stored]:
        rows = self._execute(f"{_KNOWN} WHERE {where}", parameters).fetchall()
        return [
            _Stored(id_, Target(study, series, uid), digest.hex(), original.hex(), key, size)
            for id_, uid, series, study, digest, original, key, size in rows
        ]

    def _known(self, stored: _Stored) -> Known:
        return Known(
            stored.target,
            stored.digest,
            stored.original_digest,
            stored.key,
            self._versions.digests(str(stored.target.instance)),
            partial(self._parents.attributes_of, stored.key),
        )

    def _study_attributes(self, uid: str) -> JSONDataset:
        self.finish()  # the instance that told them may have gone in this very transaction
        study = self._parents.find_study(uid)
        return self._parents.attributes_of(study.source) if study else {}

    # In and out.

    def _insert_instance(self, entry: Entry, series: Series) -> None:
        number = values.number(entry.attributes.get(columns.INSTANCE_NUMBER))
        digests = [bytes.fromhex(text) for text in (entry.digest, entry.original_digest)]
        identity = (entry.target.instance, series.id, number, entry.key)
        kind = (entry.sop_class, entry.transfer_syntax, entry.size, *digests, entry.received)
        rest = (int(entry.is_lossy), entry.frame_count, answers.pack_instance(entry.attributes))
        instance = row_id(self._execute(_INSERT_INSTANCE, identity + kind + rest))
        packed = self._parents.pack(series, entry.metadata)
        self._execute("INSERT INTO description VALUES (?, ?, ?)", (instance, entry.layout, packed))
        self._parents.add_values(series, instance, entry.attributes)
        if entry.frame_chunks:
            chunks = [(instance, number, chunk) for number, chunk in enumerate(entry.frame_chunks)]
            self._connection.executemany("INSERT INTO frame_chunk VALUES (?, ?, ?)", chunks)

    def _drop(self, stored: Sequence[_Stored], *, is_garbage: bool) -> None:
        for one in stored:
            self._parents.drop_values(one.target.study, one.id)
        for start in range(0, len(stored), _BATCH):
            ids = (_json([one.id for one in stored[start : start + _BATCH]]),)
            for sql in _DELETE:
                self._execute(sql, ids)
        if is_garbage:
            self._connection.executemany("INSERT OR IGNORE INTO garbage VALUES (?)", [(one.key,) for one in stored])
        for one in stored:
            self._parents.lose(one.target, one.key, one.size)

    # What is remembered.

    def _write_tombstones(self, targets: Iterable[Target]) -> None:
        rows = [(one.study, one.series or "", one.instance or "") for one in targets]
        self._connection.executemany("INSERT OR IGNORE INTO tombstone VALUES (?, ?, ?)", rows)
        self._has_tombstones = self._has_tombstones or bool(rows)

    def _clear_tombstones(self, target: Target) -> None:
        rows = [
            (target.study, "", ""),
            (target.study, target.series, ""),
            (target.study, target.series, target.instance),
        ]
        self._connection.executemany("DELETE FROM tombstone WHERE study = ? AND series = ? AND instance = ?", rows)

    def _note(self, kind: ChangeKind, target: Target) -> None:
        self._journal.append((self._now, kind.value, target.study, str(target.series), str(target.instance)))

    def _note_removed(self, stored: Sequence[_Stored]) -> None:
        for one in stored:
            self._note(ChangeKind.REMOVED, one.target)
        self.finish()


def _where(target: Target) -> tuple[str, list[str]]:
    given = [("s.uid", target.study), ("e.uid", target.series), ("i.uid", target.instance)]
    kept = [(column, uid) for column, uid in given if uid is not None]
    return " AND ".join(f"{column} = ?" for column, _ in kept), [uid for _, uid in kept]


def _json(items: Iterable[str | int]) -> str:
    return orjson.dumps(list(items)).decode()
