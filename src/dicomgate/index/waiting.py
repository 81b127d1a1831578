"""A relay's queue in one SQLite file: durable when a deed returns, shared by processes, read by anybody (D1)."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import closing
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any, Final

from dicomgate import errors
from dicomgate.dicom.uids import Target
from dicomgate.index import connections
from dicomgate.index.errand_changes import ErrandChanges
from dicomgate.index.errands import Discarded, Errand, Held, Progress, Trial
from dicomgate.index.writer import Writer

_APPLICATION: Final = 0x44475251
"""Written into the file's header ("DGRQ")."""
_VERSION: Final = 1
_SECONDS: Final = 30.0
_PAGE: Final = 500
_COLUMNS: Final = (
    "h.number, h.key, h.study, h.series, h.instance, h.sop_class, h.transfer_syntax, h.size, h.digest, h.checksum, "
    "h.caller, h.received, e.destination, e.is_shelved, e.due, e.tries, e.doubts, e.doubted, e.code, e.why"
)
_ERRANDS: Final = f"SELECT {_COLUMNS} FROM errand e JOIN held h ON h.number = e.held"  # noqa: S608 - constants
_DUE: Final = f"{_ERRANDS} WHERE e.destination = ? AND e.is_shelved = 0 AND e.due <= ? ORDER BY e.held LIMIT ?"
_PART: Final = f"{_ERRANDS} WHERE e.destination = ? AND e.is_shelved = ? AND e.held > ? ORDER BY e.held LIMIT ?"
_PROGRESS: Final = """
SELECT delivered, delivered_bytes, last_delivered, failing_since, next_try, why FROM progress WHERE destination = ?
"""
_COUNTS: Final = """
SELECT count(*), coalesce(sum(h.size), 0), min(h.received) FROM errand e JOIN held h ON h.number = e.held
WHERE e.destination = ? AND e.is_shelved = ?
"""


class Waiting:
    """What is held for whom. Safe for threads; any number of processes may share the file. Make it after forking."""

    def __init__(self, path: Path) -> None:
        """Conflict for a file of a newer dicomgate or of another program, Unavailable if it cannot be written."""
        _prepare(path)
        self._readers = connections.Readers(path, seconds=_SECONDS)
        self._writer = Writer(partial(connections.connect, path, durable=True), ErrandChanges)
        self._path = path
        self._watched: sqlite3.Connection | None = None
        self._lock = threading.Lock()

    def close(self) -> None:
        """Finish what waits to be written, and let go of the file."""
        self._writer.close()
        self._readers.close()
        with self._lock:
            if self._watched is not None:
                self._watched.close()
                self._watched = None

    def require_sound(self) -> None:
        """Unavailable, for good, after a failure that leaves unknown what is on the disk (D3)."""
        self._writer.require_sound()

    def add(self, held: Held, destinations: Collection[str]) -> bool:
        """Hold an instance for these; False when its very bytes are held already. OutOfSpace, Unavailable."""
        return self._writer.do(lambda changes: changes.add(held, destinations))

    def deliver(self, destination: str, done: Sequence[Held]) -> list[str]:
        """These have arrived. Keys whose bytes nobody waits for any more; they are garbage until it is forgotten."""
        return self._writer.do(lambda changes: changes.deliver(destination, done), weight=len(done))

    def note(
        self, destination: str, trials: Collection[Trial], *, next_try: float | None = None, why: str = ""
    ) -> None:
        """These were tried in vain; with `next_try`, nothing is to be tried there until then, and why."""
        self._writer.do(lambda changes: changes.note(destination, trials, next_try, why), weight=max(1, len(trials)))

    def again(self, errands: Collection[tuple[str, int]]) -> int:
        """Try these (destination and number) anew, from the shelf or before they are due. How many there were."""
        return self._writer.do(lambda changes: changes.again(errands), weight=max(1, len(errands)))

    def discard(self, errands: Collection[tuple[str, int]], reason: str) -> int:
        """Give these up; who, what, and why stays in `discarded`. How many there were."""
        return self._writer.do(lambda changes: changes.discard(errands, reason), weight=max(1, len(errands)))

    def due(self, destination: str, now: float, limit: int) -> list[Errand]:
        """The first that may be tried now, in the order of arrival."""
        return [_errand(row) for row in self._readers.rows(_DUE, (destination, now, limit))]

    def next_due(self, destination: str) -> float | None:
        """When the next one that is not on the shelf may be tried; None where there is none."""
        sql = "SELECT min(due) FROM errand WHERE destination = ? AND is_shelved = 0"
        found: float | None = self._readers.rows(sql, (destination,))[0][0]
        return found

    def errands(self, destination: str, *, is_shelved: bool) -> Iterator[Errand]:
        """All that waits for a destination, or lies on its shelf, in the order of arrival."""
        last = 0
        while rows := self._readers.rows(_PART, (destination, int(is_shelved), last, _PAGE)):
            yield from map(_errand, rows)
            last = rows[-1][0]

    def destinations(self) -> list[str]:
        """Every destination that something waits for, lies on the shelf of, or has been sent to."""
        sql = "SELECT destination FROM progress UNION SELECT destination FROM errand ORDER BY 1"
        return [name for (name,) in self._readers.rows(sql)]

    def progress(self, destination: str) -> Progress:
        """How far it is."""
        waiting, size, oldest = self._readers.rows(_COUNTS, (destination, 0))[0]
        shelved = self._readers.rows(_COUNTS, (destination, 1))[0][0]
        found = self._readers.rows(_PROGRESS, (destination,))
        delivered, bytes_, last, since, next_try, why = found[0] if found else (0, 0, 0.0, None, None, "")
        return Progress(
            destination=destination,
            waiting=waiting,
            waiting_bytes=size,
            oldest=oldest,
            shelved=shelved,
            delivered=delivered,
            delivered_bytes=bytes_,
            last_delivered=last,
            failing_since=since,
            next_try=next_try,
            why=why,
        )

    def is_paused(self, destination: str, now: float) -> bool:
        """True until the moment that was noted with its last failure, unless somebody wants it tried anew."""
        rows = self._readers.rows("SELECT next_try FROM progress WHERE destination = ?", (destination,))
        return bool(rows) and rows[0][0] is not None and rows[0][0] > now

    def discarded(self) -> Iterator[Discarded]:
        """What was given up, oldest first."""
        for row in self._readers.rows("SELECT * FROM discarded ORDER BY moment, number"):
            number, destination, study, series, instance, size, digest, why, reason, moment = row
            yield Discarded(
                number=number,
                destination=destination,
                target=Target(study, series, instance),
                size=size,
                digest=digest,
                why=why,
                reason=reason,
                moment=moment,
            )

    def held_bytes(self) -> int:
        """How many bytes are held altogether."""
        size: int = self._readers.rows("SELECT coalesce(sum(size), 0) FROM held")[0][0]
        return size

    def known_keys(self, keys: Iterable[str]) -> set[str]:
        """Which of these a row points at."""
        marks = list(keys)
        sql = f"SELECT key FROM held WHERE key IN ({','.join('?' * len(marks))})"  # noqa: S608 - question marks alone
        return {key for (key,) in self._readers.rows(sql, tuple(marks))}

    def garbage(self) -> list[str]:
        """Keys whose bytes may go."""
        return [key for (key,) in self._readers.rows("SELECT key FROM garbage ORDER BY key LIMIT 1000")]

    def forget_garbage(self, keys: Collection[str]) -> None:
        """Their bytes are gone."""
        self._writer.do(lambda changes: changes.forget_garbage(keys))

    def edition(self) -> int | None:
        """A number that is another one when any other connection has written; None when it cannot be told now."""
        try:
            with self._lock:
                if self._watched is None:
                    self._watched = connections.watch(self._path)
                number: int = self._watched.execute("PRAGMA data_version").fetchone()[0]
                return number
        except (sqlite3.Error, errors.Unavailable):
            return None


def _errand(row: tuple[Any, ...]) -> Errand:
    number, key, study, series, instance, sop_class, syntax, size, digest, checksum, caller, received, *rest = row
    destination, is_shelved, due, tries, doubts, doubted, code, why = rest
    held = Held(
        number=number,
        key=key,
        target=Target(study, series, instance),
        sop_class=sop_class,
        transfer_syntax=syntax,
        size=size,
        digest=digest,
        checksum=checksum,
        caller=caller,
        received=received,
    )
    return Errand(
        destination=destination,
        held=held,
        is_shelved=bool(is_shelved),
        due=due,
        tries=tries,
        doubts=doubts,
        doubted=doubted,
        code=code,
        why=why,
    )


def _prepare(path: Path) -> None:
    """Make the tables in one transaction, which any number of processes may try at once."""
    connection = connections.connect(path, durable=True)
    with closing(connection):
        try:
            connection.execute("BEGIN IMMEDIATE")
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            application = connection.execute("PRAGMA application_id").fetchone()[0]
            has_tables = connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is not None
            if has_tables and (application != _APPLICATION or version > _VERSION):
                raise errors.Conflict("the queue file is of a newer dicomgate, or of another program")
            if not has_tables:
                _make_tables(connection)
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise connections.fault(error) from error


def _make_tables(connection: sqlite3.Connection) -> None:
    text = (resources.files("dicomgate.index") / "queue_tables.sql").read_text("utf-8")
    bare = "\n".join(line for line in text.splitlines() if not line.startswith("--"))
    for statement in filter(None, map(str.strip, bare.split(";\n"))):
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {_VERSION}")
    connection.execute(f"PRAGMA application_id = {_APPLICATION}")
