"""Earlier files of instances: kept aside from all that is searched, known to all that counts, checks and deletes."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from dicomgate.dicom.uids import Target
from dicomgate.index.base import Entry, Superseded, Version
from dicomgate.index.connections import Readers
from dicomgate.index.sql import json_list

_KEEP = """
INSERT INTO version SELECT uid, key, digest, original_digest, transfer_syntax, size, received, ?
FROM instance WHERE id = ?
"""
_INSERT = "INSERT INTO version VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_DIGESTS = "SELECT digest, original_digest FROM version WHERE uid = ?"
_GIVE_UP = (
    "INSERT OR IGNORE INTO garbage SELECT key FROM version WHERE uid IN (SELECT value FROM json_each(?))",
    "DELETE FROM version WHERE uid IN (SELECT value FROM json_each(?))",
)
_LIST = """
SELECT v.key, v.digest, v.original_digest, v.transfer_syntax, v.size, v.received, v.why
FROM instance i JOIN series e ON e.id = i.series JOIN study s ON s.id = e.study JOIN version v ON v.uid = i.uid
WHERE i.uid = ? AND e.uid = ? AND s.uid = ? ORDER BY v.key
"""


class VersionTable:
    """The earlier files, within one transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._execute = connection.execute
        self._is_empty = not connection.execute("SELECT EXISTS (SELECT 1 FROM version)").fetchone()[0]

    def digests(self, uid: str) -> frozenset[str]:
        """Of every earlier file of an instance, as stored and as sent."""
        if self._is_empty:
            return frozenset()
        found = self._execute(_DIGESTS, (uid,)).fetchall()
        return frozenset(digest.hex() for pair in found for digest in pair if digest)

    def keep(self, instance: int, why: Superseded) -> None:
        """The stored file of an instance becomes an earlier one; its row goes next."""
        self._execute(_KEEP, (why.value, instance))
        self._is_empty = False

    def insert(self, entry: Entry, why: Superseded) -> None:
        """A file that is earlier than the stored one."""
        digests = (bytes.fromhex(entry.digest), bytes.fromhex(entry.original_digest))
        rest = (entry.transfer_syntax, entry.size, entry.received, why.value)
        self._execute(_INSERT, (entry.target.instance, entry.key, *digests, *rest))
        self._is_empty = False

    def give_up(self, uids: Sequence[str]) -> None:
        """The earlier files of these instances become garbage."""
        if not self._is_empty:
            for sql in _GIVE_UP:
                self._execute(sql, (json_list(uids),))


def read(readers: Readers, target: Target) -> list[Version]:
    """The earlier files of one instance, the oldest first."""
    rows = readers.rows(_LIST, (target.instance, target.series, target.study))
    return [
        Version(
            number=number,
            key=key,
            digest=digest.hex(),
            original_digest=original.hex(),
            transfer_syntax=syntax,
            size=size,
            received=received,
            why=Superseded(why),
        )
        for number, (key, digest, original, syntax, size, received, why) in enumerate(rows, 1)
    ]
