"""The index in one SQLite file: many readers, one writing thread per process, any number of processes."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from dicomgate import errors
from dicomgate.dicom.matching import AttributePath, Query
from dicomgate.dicom.uids import Target
from dicomgate.index import connections, files, filling, registered, scan, schema, search, versions
from dicomgate.index.base import (
    Added,
    Change,
    ChangeKind,
    Counts,
    Entry,
    Exchanged,
    FileRecord,
    FileState,
    Found,
    JSONDataset,
    Judge,
    Promoted,
    Row,
    Sent,
    Step,
    Version,
)
from dicomgate.index.changes import Changes
from dicomgate.index.rows import Rows
from dicomgate.index.watch import Watch
from dicomgate.index.writer import Writer

_CHANGES = "SELECT number, time, kind, study, series, instance FROM journal WHERE number > ? ORDER BY number LIMIT ?"
_CHANGED = """
SELECT last, CASE WHEN last = :since THEN 0 WHEN last < :since OR last > :since + :most THEN 1
ELSE EXISTS (SELECT 1 FROM journal WHERE number > :since AND study = :study) END
FROM (SELECT coalesce(max(number), 0) AS last FROM journal)
"""
_MOST_LOOKED_AT = 5000
"""Lines of the journal; after more the study counts as changed."""
_GROUP = 256
_PAUSE = 0.005
"""Between two steps of filling, so that other processes get their turn."""


class SqliteIndex:
    """An Index. Safe for threads; every process makes its own, after forking."""

    def __init__(
        self,
        path: Path,
        *,
        durable: bool = True,
        most: int = 10_000,
        seconds: float = 20.0,
        scan_rows: int = 100_000,
        scan_seconds: float = 5.0,
    ) -> None:
        """Open, and make or migrate the tables.

        `durable` False is for what can be read again from a folder: a power cut may lose the last commits, never
        damages. `most` answers to one search, `seconds` for one search (T17); `scan_rows` and `scan_seconds` for what
        is looked at where no index helps. Raises Conflict for a file of a newer dicomgate or another program,
        Unavailable when it cannot be opened.
        """
        schema.prepare(path)
        self._bounds = search.Bounds(most, scan.Bounds(scan_rows, scan_seconds))
        self._readers = connections.Readers(path, seconds=seconds)
        self._writer = Writer(partial(connections.connect, path, durable=durable), Changes, most=_GROUP)
        self._rows = Rows(self._readers)
        self._watch = Watch(path)
        self._filler: threading.Thread | None = None
        self._is_closing = threading.Event()

    def close(self) -> None:
        """Finish what waits and let go of the file."""
        self._is_closing.set()
        if self._filler is not None:
            self._filler.join()
        self._writer.close()
        self._watch.close()
        self._readers.close()

    # Reading.

    def find(self, query: Query) -> Found:
        """One page. TooLarge when it takes too long, Malformed for matching that an attribute's VR does not have."""
        with self._readers.snapshot() as connection:
            return search.find(connection, query, self._bounds)

    def locate(self, target: Target) -> Iterator[Row]:
        """The instances of a target, in order."""
        return self._rows.locate(target)

    def find_row(self, target: Target) -> Row | None:
        """The row of one instance."""
        return self._rows.find(target)

    def layout(self, row: Row) -> bytes:
        """Where the values and frames of an instance lie. Raises NotFound."""
        return self._rows.layout(row)

    def frame_chunk(self, row: Row, number: int) -> bytes:
        """A table of frame positions. Raises NotFound."""
        return self._rows.frame_chunk(row, number)

    def metadata(self, target: Target) -> tuple[str, Iterator[bytes]]:
        """A version that changes with the answer, and each instance's JSON text."""
        return self._rows.metadata(target)

    def instance_metadata(self, row: Row) -> bytes:
        """The JSON text of one instance. Raises NotFound."""
        return self._rows.instance_metadata(row)

    def versions(self, target: Target) -> list[Version]:
        """The earlier files of one instance."""
        return versions.read(self._readers, target)

    def study_attributes(self, study: str) -> JSONDataset | None:
        """The data set that gives the study its attributes."""
        return self._rows.study_attributes(study)

    def was_deleted(self, target: Target) -> bool:
        """True when it was removed on request and not stored again."""
        return self._rows.was_deleted(target)

    def removed(self) -> Iterator[Target]:
        """Every target that was removed on request and not stored again."""
        return self._rows.removed()

    def sent(self, keys: Iterable[str]) -> dict[str, Sent]:
        """Of those of the keys whose bytes were changed on the way in: what was sent."""
        return self._rows.sent(keys)

    def known_keys(self, keys: Iterable[str]) -> set[str]:
        """Those of the keys that a row points at."""
        return self._rows.known_keys(keys)

    def keys(self) -> Iterator[tuple[str, str, int]]:
        """Key, digest and size of every stored instance."""
        return self._rows.keys()

    def counts(self) -> Counts:
        """How much is stored."""
        return self._rows.counts()

    def changed(self, study: str, since: int) -> tuple[int, bool]:
        """The journal's last number, and whether the study may have changed after another."""
        last, is_changed = self._readers.rows(_CHANGED, {"study": study, "since": since, "most": _MOST_LOOKED_AT})[0]
        return last, bool(is_changed)

    @property
    def is_damaged(self) -> bool:
        """True once SQLite met pages that are none of its own."""
        return self._readers.is_damaged or self._writer.is_damaged

    def is_quiet(self, since: int) -> bool:
        """True when the journal's last number is this one."""
        return self._watch.last() == since

    def changes(self, after: int = 0, limit: int = 1000) -> list[Change]:
        """The journal's next lines."""
        return [
            Change(number, time, ChangeKind(kind), Target(study, series, instance))
            for number, time, kind, study, series, instance in self._readers.rows(_CHANGES, (after, limit))
        ]

    # Writing.

    def require_sound(self) -> None:
        """Unavailable, for good, when the file could not be written (D3)."""
        self._writer.require_sound()

    def add(self, entry: Entry, judge: Judge) -> Added:
        """Add one instance; durable on return."""
        return self._writer.do(lambda changes: changes.add(entry, judge))

    def add_many(self, entries: Sequence[Entry], judge: Judge) -> list[Added]:
        """Add instances in one transaction."""
        deed = lambda changes: [changes.add(entry, judge) for entry in entries]  # noqa: E731
        return self._writer.do(deed, weight=max(1, len(entries)))

    def remove(self, target: Target) -> int:
        """Remove from view; how many instances."""
        return self._writer.do(lambda changes: changes.remove(target), weight=_GROUP)

    def remember_removed(self, targets: Iterable[Target]) -> None:
        """They were deleted, unless they are stored."""
        listed = list(targets)
        self._writer.do(lambda changes: changes.remember_removed(listed), weight=_GROUP)

    def exchange(
        self, study: str, corrected: Iterable[tuple[str, Entry]], known: Collection[str], *, keep: bool
    ) -> Exchanged:
        """Put corrected files in the place of stored ones, all at once."""
        return self._writer.do(lambda changes: changes.exchange(study, corrected, known, keep=keep), weight=_GROUP)

    def garbage(self, limit: int = 1000) -> list[str]:
        """Keys whose bytes may go."""
        return [key for (key,) in self._readers.rows("SELECT key FROM garbage ORDER BY key LIMIT ?", (limit,))]

    def forget_garbage(self, keys: Iterable[str]) -> None:
        """Their bytes are gone."""
        rows = [(key,) for key in keys]
        self._on_connection("DELETE FROM garbage WHERE key = ?", rows)

    # Attributes of one's own choice.

    def promoted(self) -> list[Promoted]:
        """Every promoted attribute."""
        with self._readers.snapshot() as connection:
            return registered.promoted(connection)

    def promote(self, path: AttributePath, creator: str = "") -> bool:
        """Write its values from now on. Raises Malformed."""
        return self._writer.do(lambda changes: filling.promote(changes, path, creator))

    def demote(self, path: AttributePath, creator: str = "") -> None:
        """Search it no more with the index. Raises NotFound."""
        self._writer.do(lambda changes: filling.demote(changes, path, creator))

    def fill(self) -> Iterator[Step]:
        """Bring what is not ready nearer to it, step by step."""
        while (step := self._writer.do(filling.step, weight=_GROUP)) is not None:
            yield step
            time.sleep(_PAUSE)

    def fill_beside(self) -> None:
        """The same in a thread, if there is anything to do."""
        with self._readers.snapshot() as connection:
            is_needed = filling.is_needed(connection)
        if is_needed and self._filler is None:
            self._filler = threading.Thread(target=self._fill_quietly, name="index filler", daemon=True)
            self._filler.start()

    def _fill_quietly(self) -> None:
        with suppress(errors.Unavailable):  # a full disk, the end of this process: the next one goes on
            for _ in self.fill():
                if self._is_closing.is_set():
                    return

    # A folder's files.

    def known_files(self) -> dict[str, FileRecord]:
        """Every file seen."""
        return files.known(self._readers)

    def record_files(self, records: Sequence[FileRecord]) -> None:
        """Remember these files."""
        self._writer.do(lambda changes: files.record(changes, records))

    def forget_files(self, paths: Iterable[str]) -> list[str]:
        """Forget these files and what was indexed from them; which duplicates are to be read again."""
        listed = list(paths)
        return self._writer.do(lambda changes: files.forget(changes, listed), weight=_GROUP)

    def problems(self) -> Iterator[FileRecord]:
        """The files that are not served."""
        return files.problems(self._readers)

    def file_counts(self) -> dict[FileState, int]:
        """How many files are in each state."""
        return files.counts(self._readers)

    def _on_connection(self, sql: str, rows: list[tuple[Any, ...]]) -> None:
        def deed(changes: Changes) -> None:
            changes.connection.executemany(sql, rows)

        self._writer.do(deed)
