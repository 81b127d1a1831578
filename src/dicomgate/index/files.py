"""What is remembered of the files of a folder that is indexed in place."""

# ruff: noqa: S608 (all that is put together here are our own words; every outside value is a parameter)

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import orjson

from dicomgate.index.base import FileRecord, FileState
from dicomgate.index.changes import Changes
from dicomgate.index.connections import Readers

_COLUMNS = "path, size, mtime_ns, state, reason, instance"
_BATCH = 10_000


def record(changes: Changes, records: Sequence[FileRecord]) -> None:
    """Remember these files."""
    rows = [(one.path, one.size, one.mtime_ns, one.state.value, one.reason, one.instance) for one in records]
    changes.connection.executemany("INSERT OR REPLACE INTO file VALUES (?, ?, ?, ?, ?, ?)", rows)


def forget(changes: Changes, paths: Sequence[str]) -> list[str]:
    """Forget these files and what was indexed from them; which duplicates are to be read again."""
    instances = changes.forget(paths)
    connection = changes.connection
    listed = (orjson.dumps(list(paths)).decode(),)
    connection.execute("DELETE FROM file WHERE path IN (SELECT value FROM json_each(?))", listed)
    sql = "SELECT path FROM file WHERE state = ? AND instance IN (SELECT value FROM json_each(?)) ORDER BY path"
    parameters = (FileState.DUPLICATE.value, orjson.dumps(instances).decode())
    return [path for (path,) in connection.execute(sql, parameters)]


def known(readers: Readers) -> dict[str, FileRecord]:
    """Every file seen."""
    return {one.path: one for one in _pages(readers, "path > ?", ())}


def problems(readers: Readers) -> Iterator[FileRecord]:
    """The files that are not served."""
    return _pages(readers, "path > ? AND state <> ?", (FileState.INDEXED.value,))


def counts(readers: Readers) -> dict[FileState, int]:
    """How many files are in each state."""
    stored = dict(readers.rows("SELECT state, count(*) FROM file GROUP BY state"))
    return {state: stored.get(state.value, 0) for state in FileState}


def _pages(readers: Readers, where: str, parameters: tuple[str, ...]) -> Iterator[FileRecord]:
    last = ""
    sql = f"SELECT {_COLUMNS} FROM file WHERE {where} ORDER BY path LIMIT {_BATCH}"
    while rows := readers.rows(sql, (last, *parameters)):
        yield from (_record(row) for row in rows)
        last = rows[-1][0]


def _record(row: Iterable[Any]) -> FileRecord:
    path, size, mtime_ns, state, reason, instance = row
    return FileRecord(path=path, size=size, mtime_ns=mtime_ns, state=FileState(state), reason=reason, instance=instance)
